//! Files by configuration: what is refused, what is warned of, and Django's
//! spelling.
#![cfg(all(feature = "fs", feature = "mem"))]

mod logged;

use std::ffi::OsString;
use std::path::PathBuf;

use cache_sdk::{Caches, ErrorKind, Timeout};
use serde_json::json;

use crate::logged::Log;

const FILES: &str = "django.core.cache.backends.filebased.FileBasedCache";

/// A directory of one test, which is removed at its end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("cache-sdk-{name}-{}", std::process::id())))
    }

    fn text(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn a_relative_location_is_refused_with_its_alias() {
    for text in [
        "[caches.pages]\nbackend = 'fs'\nlocation = 'var/cache'".to_owned(),
        format!("[caches.pages]\nBACKEND = '{FILES}'\nLOCATION = 'var/cache'"),
    ] {
        let error = Caches::from_toml(&text).await.expect_err("it is relative");
        assert_eq!(error.kind(), ErrorKind::Config);
        let text = error.to_string();
        assert!(text.contains("alias `pages`") && text.contains("is relative: var/cache"), "{text}");
    }
    let error = Caches::from_toml("[caches.pages]\nbackend = 'fs'").await.expect_err("there is none");
    assert!(error.to_string().contains("`location` is missing"), "{error}");
}

#[tokio::test]
async fn a_location_that_looks_served_is_warned_of() {
    let directory = Directory::new("served");
    let warned = async |location: String, options: &str| {
        let (log, _guard) = Log::start();
        let text = format!("[caches.pages]\nbackend = 'fs'\nlocation = '{location}'\n{options}");
        Caches::from_toml(&text).await.expect("a warning is no error");
        log.text()
    };
    let (plain, below) = (directory.text(), directory.text() + "/static/cache");
    let text = warned(below.clone(), "").await;
    assert!(
        text.contains("WARN cache::config") && text.contains("lies in static, which looks as if"),
        "{text}"
    );
    assert!(text.contains("alias=\"pages\""), "{text}");
    assert_eq!(warned(plain.clone(), "").await, "");
    assert_eq!(warned(below, "options.served = []").await, "");
    let own = format!("options.served = ['{plain}']");
    assert!(warned(plain.clone() + "/cache", &own).await.contains("looks as if"), "a directory of one's own");
}

/// Whoever can put files there can put entries there.
#[cfg(unix)]
#[tokio::test]
async fn a_location_that_everybody_may_write_to_is_warned_of() {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    let directory = Directory::new("open");
    fs::create_dir(&directory.0).expect("it can be made");
    let warned = async |mode: u32| {
        fs::set_permissions(&directory.0, Permissions::from_mode(mode)).expect("it is ours");
        let (log, _guard) = Log::start();
        let text = format!("[caches.pages]\nbackend = 'fs'\nlocation = '{}'", directory.text());
        Caches::from_toml(&text).await.expect("a warning is no error");
        log.text()
    };
    for mode in [0o777, 0o1777, 0o703] {
        let text = warned(mode).await;
        assert!(
            text.contains("WARN cache::config") && text.contains("can be written to by everybody"),
            "{text}"
        );
    }
    for mode in [0o755, 0o700, 0o2770] {
        assert_eq!(warned(mode).await, "", "{mode:o}");
    }
}

#[tokio::test]
async fn django_s_spelling_means_django_s_limits() {
    let directory = Directory::new("django");
    let (log, _guard) = Log::start();
    let caches = json!({"default": {"BACKEND": FILES, "LOCATION": directory.text(), "KEY_PREFIX": "shop"}});
    let caches = Caches::from_json(&caches.to_string()).await.expect("it loads as it stands");
    assert!(log.text().contains("it holds 300 entries at most, as in Django"), "{}", log.text());
    let cache = caches.default().expect("it is there");
    for number in 0..400 {
        cache.aset(&number.to_string(), &number, Timeout::Default).await.expect("it is taken");
    }
    assert!(cache.stats().evictions > 0);
    assert!(cache.stats().entries.expect("it is known") <= 340, "{:?}", cache.stats().entries);
    assert_eq!(cache.aget::<i32>("399").await.expect("it is read"), Some(399));
    cache.aclear().await.expect("it is cleared");
    assert_eq!(cache.stats().entries, Some(0));
}

#[tokio::test]
async fn the_environment_swaps_files_for_memory() {
    let directory = Directory::new("environment");
    let text =
        format!("[caches.pages]\nbackend = 'fs'\nlocation = '{}'\noptions.fsync = 'data'", directory.text());
    let variables =
        [("CACHES__PAGES__BACKEND", "mem")].map(|(name, text)| (OsString::from(name), OsString::from(text)));
    let caches = Caches::builder().toml(&text).env_from(variables).open().await.expect("it is fine");
    let cache = caches.get("pages").expect("it is there");
    cache.aset("key", "text", Timeout::Default).await.expect("it is taken");
    assert!(!directory.0.exists(), "nothing was made");
}
