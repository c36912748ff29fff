//! What is logged while a configuration is read. Each test here takes the log,
//! lest one that does not turn an event off.
#![cfg(feature = "mem")]

mod logged;

use std::ffi::OsString;

use cache_sdk::{AliasSettings, Caches};
use serde_json::{Value as Json, json};

use crate::logged::Log;

const LOCMEM: &str = "django.core.cache.backends.locmem.LocMemCache";
const DUMMY: &str = "django.core.cache.backends.dummy.DummyCache";

#[tokio::test]
async fn aliases_in_one_place_with_overlapping_prefixes_are_warned_of() {
    let alias = |prefix: &str| AliasSettings::new("mem").location(["hall"]).set("key_prefix", prefix);
    let warned = async |one: &str, other: &str| {
        let (log, _guard) = Log::start();
        let caches = Caches::builder().alias("one", alias(one)).alias("other", alias(other));
        caches.open().await.expect("a warning is no error");
        log.text()
    };
    let text = warned("a", "a:1").await;
    assert!(text.contains("cache::config") && text.contains("clearing `one` clears `other` too"), "{text}");
    assert!(warned("", ":7").await.contains("clearing `one` clears `other` too"));
    for (one, other) in [("a", "a"), ("a", "b"), ("a", "ab"), ("a", "a:b"), ("", "a")] {
        assert_eq!(warned(one, other).await, "", "{one:?} and {other:?}");
    }
}

#[tokio::test]
async fn three_hundred_entries_are_mentioned_unless_they_are_asked_for() {
    let told = async |alias: Json, variables: &[(&str, &str)]| {
        let (log, _guard) = Log::start();
        let builder = Caches::builder().json(&json!({ "pages": alias }).to_string());
        let variables = variables.iter().map(|(name, text)| (OsString::from(name), OsString::from(text)));
        builder.env_from(variables).open().await.expect("it is fine");
        log.text()
    };
    assert_eq!(
        told(json!({"BACKEND": LOCMEM}), &[]).await,
        " INFO cache::config: alias `pages`: it holds 300 entries at most, as in Django; `MAX_ENTRIES` under `OPTIONS` \
         sets more\n"
    );
    assert_eq!(told(json!({"BACKEND": "mem"}), &[]).await.lines().count(), 1);
    assert_eq!(told(json!({"BACKEND": LOCMEM, "OPTIONS": {"MAX_ENTRIES": 300}}), &[]).await, "");
    let variables = [("CACHES__PAGES__OPTIONS__MAX_ENTRIES", "500")];
    assert_eq!(told(json!({"BACKEND": LOCMEM}), &variables).await, "");
    assert_eq!(told(json!({"backend": "mem"}), &[]).await, "");
    assert_eq!(told(json!({"BACKEND": DUMMY}), &[]).await, "");
}

#[tokio::test]
async fn what_has_no_effect_is_warned_of_once_for_each_alias_and_option() {
    let (log, _guard) = Log::start();
    let options = json!({"MAX_ENTRIES": 5, "ANYTHING": {"at": "all"}});
    let text =
        json!({"a": {"BACKEND": DUMMY, "OPTIONS": options}, "b": {"BACKEND": DUMMY, "OPTIONS": options}})
            .to_string();
    Caches::from_json(&text).await.expect("it is fine");
    for alias in ["a", "b"] {
        for option in ["MAX_ENTRIES", "ANYTHING"] {
            let line = format!(
                " WARN cache::config: alias `{alias}`: `OPTIONS.{option}` has no effect: a dummy keeps no entries\n"
            );
            assert_eq!(log.text().matches(&line).count(), 1, "{}", log.text());
        }
    }
    assert_eq!(log.text().lines().count(), 4, "{}", log.text());
}

#[tokio::test]
async fn nothing_is_logged_of_a_configuration_that_cannot_be_used() {
    let (log, _guard) = Log::start();
    let text = json!({"a": {"BACKEND": LOCMEM}, "b": {"BACKEND": "path.to.backend"}}).to_string();
    Caches::from_json(&text).await.expect_err("nobody registered it");
    assert_eq!(log.text(), "");
}
