//! The same program over different stores, swapped by configuration alone.
#![cfg(feature = "mem")]

use std::collections::{BTreeMap, HashMap};

use cache_sdk::{Cache, Caches, ErrorKind, Result, Timeout};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Page {
    title: String,
    tags: Vec<String>,
    views: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Title {
    title: String,
}

/// What the program saw, store by store the same.
#[derive(Debug, PartialEq)]
#[expect(clippy::option_option, reason = "a stored `None` is a hit")]
struct Seen {
    page: Option<Page>,
    as_another_type: Option<Title>,
    as_no_such_type: Option<u64>,
    nothing: Option<Option<u32>>,
    count: i64,
    count_as_text: Option<String>,
    not_an_integer: ErrorKind,
    missing: ErrorKind,
    many: BTreeMap<String, i64>,
    bytes: Option<Vec<u8>>,
    undecodable: u64,
}

async fn program(cache: &Cache) -> Result<Seen> {
    let page = Page { title: "Über".to_owned(), tags: vec![String::new(), "b".to_owned()], views: None };
    cache.aset("page", &page, Timeout::Default).await?;
    cache.aset("nothing", &None::<u32>, Timeout::Default).await?;
    cache.aset("count", &41_u8, Timeout::Forever).await?;
    cache.aset("bytes", &[0, 255, 128][..], Timeout::Default).await?;
    cache.set_many([("m:1", &1), ("m:2", &2)], Timeout::Default).await?;
    let many: HashMap<&str, i64> = cache.get_many(["m:1", "m:2", "m:3"]).await?;
    Ok(Seen {
        page: cache.aget("page").await?,
        as_another_type: cache.aget("page").await?,
        as_no_such_type: cache.aget("page").await?,
        nothing: cache.aget("nothing").await?,
        count: cache.aincr("count", 1).await?,
        count_as_text: cache.aget("count").await?,
        not_an_integer: cache.aincr("page", 1).await.expect_err("a page is no integer").kind(),
        missing: cache.aincr("nowhere", 1).await.expect_err("there is none").kind(),
        many: many.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        bytes: cache.aget("bytes").await?,
        undecodable: cache.stats().undecodable.iter().map(|(_, count)| count).sum(),
    })
}

#[tokio::test]
async fn only_the_configuration_differs() {
    let caches = Caches::from_toml(
        r#"
        [caches.typed]
        backend = "mem"

        [caches.msgpack]
        backend = "mem"
        options.values = "encoded"

        [caches.json]
        backend = "mem"
        codec = "json"
        options.values = "encoded"
        "#,
    )
    .await
    .expect("it is fine");
    let typed = program(&caches.get("typed").expect("it is there")).await.expect("memory does all of it");
    assert_eq!(typed.page.as_ref().map(|page| page.title.as_str()), Some("Über"));
    assert_eq!(typed.as_another_type, Some(Title { title: "Über".to_owned() }));
    assert_eq!((typed.as_no_such_type, typed.nothing, typed.count), (None, Some(None), 42));
    assert_eq!((typed.not_an_integer, typed.missing), (ErrorKind::NotAnInteger, ErrorKind::NotFound));
    assert_eq!((typed.count_as_text.as_deref(), typed.undecodable), (None, 2));
    for alias in ["msgpack", "json"] {
        let seen = program(&caches.get(alias).expect("it is there")).await.expect("memory does all of it");
        assert_eq!(seen, typed, "{alias}");
    }
}

/// A directory of this process, which is removed at the end.
#[cfg(feature = "fs")]
struct Directory(std::path::PathBuf);

#[cfg(feature = "fs")]
impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(feature = "fs")]
#[tokio::test]
async fn one_line_moves_the_program_from_memory_to_files() {
    let directory = Directory(std::env::temp_dir().join(format!("cache-sdk-swap-{}", std::process::id())));
    let mut seen = Vec::new();
    for backend in ["mem", "fs"] {
        let file =
            format!("[caches.default]\nbackend = '{backend}'\nlocation = '{}'\n", directory.0.display());
        let caches = Caches::from_toml(&file).await.expect("it is fine");
        let cache = caches.default().expect("it is there");
        seen.push(program(&cache).await.unwrap_or_else(|error| panic!("{backend}: {error}")));
        cache.aclose().await.expect("it ends");
    }
    assert_eq!(seen[0], seen[1]);
}

/// The file, of which only the first line of the alias is another.
#[cfg(feature = "redis")]
fn file(backend: &str) -> String {
    let location = std::env::var("CACHE_TEST_REDIS").expect(
        "CACHE_TEST_REDIS is not set: run `cargo xtask test`, or first `eval \"$(cargo xtask services up --env)\"`",
    );
    format!(
        "[caches.default]\nbackend = '{backend}'\nlocation = '{location}'\nkey_prefix = 'swap{}'\ntimeout = '1m'\n",
        std::process::id()
    )
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn one_line_moves_the_program_from_memory_to_redis() {
    let mut seen = Vec::new();
    for backend in ["mem", "redis"] {
        let caches = Caches::from_toml(&file(backend)).await.expect("it is fine");
        let cache = caches.default().expect("it is there");
        seen.push(program(&cache).await.unwrap_or_else(|error| panic!("{backend}: {error}")));
        cache.aclear().await.expect("what it wrote goes again");
        cache.aclose().await.expect("it ends");
    }
    assert_eq!(seen[0], seen[1]);
}

#[cfg(all(feature = "redis", feature = "redis-rs"))]
#[tokio::test]
async fn so_does_it_by_the_other_driver() {
    let mut seen = Vec::new();
    for (backend, driver) in [("mem", ""), ("redis", "options.driver = 'redis-rs'\n")] {
        let file = format!("{}{driver}", file(backend)).replace("swap", "other");
        let caches = Caches::from_toml(&file).await.expect("it is fine");
        let cache = caches.default().expect("it is there");
        seen.push(program(&cache).await.unwrap_or_else(|error| panic!("{backend}: {error}")));
        cache.aclear().await.expect("what it wrote goes again");
    }
    assert_eq!(seen[0], seen[1]);
}
