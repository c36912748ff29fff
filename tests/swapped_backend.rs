//! The environment names another backend than the file: what of the file still
//! holds, and what is told of the rest. Each test here takes the log.
#![cfg(feature = "mem")]

mod logged;
mod refused;

use std::ffi::OsString;
use std::sync::Arc;

use cache_sdk::core::{Context, DummyStore, Opened};
use cache_sdk::{Backend, Caches, CachesBuilder, Result, Setting, SettingKind, Settings, Timeout};
use serde_json::{Value as Json, json};

use crate::logged::Log;
use crate::refused::{PASSWORD, refused};

const LOCMEM: &str = "django.core.cache.backends.locmem.LocMemCache";
const DUMMY: &str = "django.core.cache.backends.dummy.DummyCache";

/// This alias, with these variables of it.
fn builder(alias: &Json, variables: &[(&str, &str)]) -> CachesBuilder {
    let variables = variables
        .iter()
        .map(|(name, text)| (OsString::from(format!("CACHES__PAGES__{name}")), OsString::from(text)));
    Caches::builder().json(&json!({ "pages": alias }).to_string()).env_from(variables)
}

/// What is told of it, and how many entries are left of a thousand.
async fn opened(alias: &Json, variables: &[(&str, &str)]) -> (String, Option<u64>) {
    let (log, _guard) = Log::start();
    let caches = builder(alias, variables).open().await.expect("it is fine");
    let cache = caches.get("pages").expect("it is there");
    for number in 0..1_000 {
        cache.aset(&number.to_string(), &1, Timeout::Default).await.expect("it takes it");
    }
    let text = log.text();
    assert!(!text.contains(PASSWORD), "{text}");
    (text, cache.stats().entries)
}

fn warning(names: &str) -> String {
    format!(
        " WARN cache::config: alias `pages`: the environment swaps the backend, so this is left out: {names}\n"
    )
}

fn django_redis() -> Json {
    json!({
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": format!("redis://:{PASSWORD}@127.0.0.1:6379/1"),
        "TIMEOUT": 60,
        "OPTIONS": {"CLIENT_CLASS": "django_redis.client.DefaultClient", "MAX_ENTRIES": 200, "PASSWORD": PASSWORD},
    })
}

#[tokio::test]
async fn from_one_that_is_not_there_to_the_dummy() {
    let left_out = warning("`LOCATION`, `OPTIONS.CLIENT_CLASS`, `OPTIONS.MAX_ENTRIES`, `OPTIONS.PASSWORD`");
    for backend in ["dummy", DUMMY] {
        let (told, entries) = opened(&django_redis(), &[("BACKEND", backend)]).await;
        assert_eq!((told, entries), (left_out.clone(), Some(0)), "{backend}");
    }
    let native = json!({"backend": "redis", "location": "redis://h", "options": {"pool_size": 4, "tls": {}}});
    let (told, entries) = opened(&native, &[("BACKEND", "dummy")]).await;
    assert_eq!((told, entries), (warning("`location`, `options.pool_size`, `options.tls`"), Some(0)));
}

#[tokio::test]
async fn what_the_new_one_knows_stays() {
    let left_out = warning("`LOCATION`, `OPTIONS.CLIENT_CLASS`, `OPTIONS.PASSWORD`");
    for backend in ["mem", LOCMEM] {
        let (told, entries) = opened(&django_redis(), &[("BACKEND", backend)]).await;
        assert_eq!(told, left_out, "{backend}");
        assert!(entries.is_some_and(|entries| (1..=200).contains(&entries)), "{entries:?}");
    }
    let native = json!({"backend": "redis", "options": {"max_entries": 200, "pool_size": 4}});
    let (told, entries) = opened(&native, &[("BACKEND", "mem")]).await;
    assert_eq!(told, warning("`options.pool_size`"));
    assert!(entries.is_some_and(|entries| entries <= 200), "{entries:?}");
    let fits = json!({"backend": "redis", "options": {"max_entries": 200}});
    assert_eq!(opened(&fits, &[("BACKEND", "mem")]).await.0, "");
}

#[tokio::test]
async fn a_location_of_the_environment_takes_the_place_of_the_file_s() {
    let alias = json!({"BACKEND": "django_redis.cache.RedisCache", "LOCATION": ["redis://a", "redis://b"]});
    let (told, _) =
        opened(&alias, &[("BACKEND", "mem"), ("LOCATION", "hall"), ("OPTIONS__MAX_ENTRIES", "5")]).await;
    assert_eq!(told, "");
}

#[tokio::test]
async fn two_names_of_one_backend_swap_nothing() {
    let alias = json!({"BACKEND": LOCMEM, "LOCATION": "hall", "OPTIONS": {"MAX_ENTRIES": 5}});
    for backend in ["mem", LOCMEM] {
        assert_eq!(opened(&alias, &[("BACKEND", backend)]).await.0, "", "{backend}");
    }
    refused(
        builder(&json!({"backend": "mem", "options": {"pool_size": 4}}), &[("BACKEND", "mem")]),
        "alias `pages`: `pool_size` is not an option of `mem`; accepted: `max_entries`, `max_bytes`, `eviction`, `cull_frequency`, `values`, `check_encoding`",
    )
    .await;
}

#[tokio::test]
async fn nothing_else_is_overlooked() {
    refused(
        builder(&django_redis(), &[("BACKEND", "dummy"), ("OPTIONS__POOL_SIZE", PASSWORD)]),
        "alias `pages`: `CACHES__PAGES__OPTIONS__POOL_SIZE` names no setting; accepted: none",
    )
    .await;
    refused(
        builder(
            &json!({"backend": "redis", "timeuot": 5, "options": {"max_entries": PASSWORD}}),
            &[("BACKEND", "mem")],
        ),
        "2 problems: alias `pages`: `timeuot` is not a setting; did you mean `timeout`?; alias `pages`: `max_entries`: expected a whole number from 1, found text",
    )
    .await;
    refused(
        builder(&json!({"backend": "mem", "LOCATION": "hall", "options": {}}), &[("BACKEND", "dummy")]),
        "alias `pages`: it is written in both spellings, `backend`, `options` natively and `LOCATION` as in Django: write all of it in one",
    )
    .await;
}

/// Without a table for Django.
#[derive(Debug)]
struct Plain;

#[async_trait::async_trait]
impl Backend for Plain {
    fn name(&self) -> &'static str {
        "acme.cache.Plain"
    }

    fn options(&self) -> &'static [Setting] {
        const OPTIONS: &[Setting] = &[Setting::new("depth", SettingKind::Integer(1, 9), "1", "How deep.")];
        OPTIONS
    }

    async fn open(&self, settings: Settings, _: &Context) -> Result<Opened> {
        assert_eq!((settings.location(), settings.integer("depth")), (&[][..], Some(3)));
        Ok(Opened::Local(Arc::new(DummyStore)))
    }
}

#[tokio::test]
async fn one_without_a_table_for_django_knows_its_options_in_any_case() {
    let (log, _guard) = Log::start();
    let alias = json!({"BACKEND": LOCMEM, "LOCATION": "hall", "OPTIONS": {"Depth": 3, "MAX_ENTRIES": 5}});
    let builder = builder(&alias, &[("BACKEND", Plain.name())]).backend(Plain);
    builder.open().await.expect("it is fine");
    assert_eq!(log.text(), warning("`LOCATION`, `OPTIONS.MAX_ENTRIES`"));
}

/// Two stores that were kept apart by their places stay apart.
#[tokio::test]
async fn aliases_that_are_swapped_do_not_meet() {
    let (log, _guard) = Log::start();
    let redis = |place: &str| json!({"BACKEND": "django_redis.cache.RedisCache", "LOCATION": place});
    let file = json!({
        "default": redis("redis://h/1"), "sessions": redis("redis://h/2"), "local": {"BACKEND": LOCMEM},
    });
    let variables = [("CACHES__DEFAULT__BACKEND", "mem"), ("CACHES__SESSIONS__BACKEND", LOCMEM)];
    let variables = variables.map(|(name, text)| (OsString::from(name), OsString::from(text)));
    let builder = Caches::builder().json(&file.to_string()).env_from(variables);
    let caches = builder.open().await.expect("it is fine");
    for alias in ["default", "sessions", "local"] {
        let cache = caches.get(alias).expect("it is there");
        assert_eq!(cache.aget::<String>("key").await.expect("memory answers"), None, "{alias}");
        cache.aset("key", alias, Timeout::Default).await.expect("memory takes it");
    }
    assert_eq!(log.text().matches("left out: `LOCATION`").count(), 2);
}

#[tokio::test]
async fn an_empty_location_is_not_worth_a_word() {
    for place in [json!(""), json!(null), json!([])] {
        let alias = json!({"BACKEND": LOCMEM, "LOCATION": place});
        assert_eq!(opened(&alias, &[("BACKEND", "dummy")]).await, (String::new(), Some(0)));
    }
}
