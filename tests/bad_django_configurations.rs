//! Every mistake that a user can make in Django's spelling, and the message
//! that it gets: in the user's words, with what would be accepted, and no value.
#![cfg(all(feature = "mem", feature = "redis"))]

mod refused;

use std::ffi::OsString;
use std::sync::Arc;

use cache_sdk::core::{Context, DjangoEffect, DjangoOption, DjangoSpelling, DummyStore, Opened};
use cache_sdk::{AliasSettings, Backend, Caches, CachesBuilder, Result, Setting, SettingKind, Settings};
use serde_json::{Value as Json, json};

use crate::refused::{PASSWORD, refused};

const LOCMEM: &str = "django.core.cache.backends.locmem.LocMemCache";
const DUMMY: &str = "django.core.cache.backends.dummy.DummyCache";

/// The names that load where nothing of the program's own is registered.
const KNOWN: &str = "`django.core.cache.backends.dummy.DummyCache`, `django.core.cache.backends.filebased.FileBasedCache`, `django.core.cache.backends.locmem.LocMemCache`, `django.core.cache.backends.redis.RedisCache`, `django_redis.cache.RedisCache`, `dummy`, `fs`, `mem`, `redis`";

fn json(alias: &Json) -> CachesBuilder {
    Caches::builder().json(&json!({ "default": alias }).to_string())
}

/// An alias in memory with this beside its `BACKEND`.
fn locmem(setting: &str, value: &Json) -> CachesBuilder {
    json(&json!({"BACKEND": LOCMEM, setting: value}))
}

fn env(builder: CachesBuilder, name: &str, value: &str) -> CachesBuilder {
    builder.env_from([(OsString::from(name), OsString::from(value))])
}

#[tokio::test]
async fn both_spellings_in_one_alias() {
    refused(
        json(&json!({"BACKEND": LOCMEM, "key_prefix": PASSWORD, "codec": "json", "options": {}})),
        "alias `default`: it is written in both spellings, `codec`, `key_prefix`, `options` natively and `BACKEND` as in Django: write all of it in one",
    )
    .await;
    refused(
        json(&json!({"backend": "mem", "TIMEOUT": 5})),
        "alias `default`: it is written in both spellings, `backend` natively and `TIMEOUT` as in Django: write all of it in one",
    )
    .await;
    refused(
        Caches::builder().alias("default", AliasSettings::new("mem").set("KEY_PREFIX", "a")),
        "alias `default`: it is written in both spellings, `backend` natively and `KEY_PREFIX` as in Django: write all of it in one",
    )
    .await;
}

#[tokio::test]
async fn names_that_django_once_took_in_lower_case() {
    refused(
        json(&json!({"BACKEND": LOCMEM, "timeout": 5, "max_entries": 5, "cull_frequency": 2})),
        "3 problems: alias `default`: `cull_frequency`: in Django's spelling it is `CULL_FREQUENCY` under `OPTIONS`; alias `default`: `max_entries`: in Django's spelling it is `MAX_ENTRIES` under `OPTIONS`; alias `default`: `timeout`: in Django's spelling it is `TIMEOUT`",
    )
    .await;
}

#[tokio::test]
async fn an_unknown_setting() {
    refused(
        locmem("TIMEUOT", &json!(5)),
        "alias `default`: `TIMEUOT` is not a setting of Django's; accepted: `BACKEND`, `LOCATION`, `TIMEOUT`, `OPTIONS`, `KEY_PREFIX`, `VERSION`, `KEY_FUNCTION`; did you mean `TIMEOUT`?",
    )
    .await;
}

#[tokio::test]
async fn an_unknown_option() {
    refused(
        locmem("OPTIONS", &json!({"MAX_ENTRYS": 5})),
        &format!(
            "alias `default`: `MAX_ENTRYS` is not among the `OPTIONS` of `{LOCMEM}`; accepted: `MAX_ENTRIES`, `CULL_FREQUENCY`; did you mean `MAX_ENTRIES`?"
        ),
    )
    .await;
    refused(
        locmem("OPTIONS", &json!({"max_entries": 5})),
        &format!(
            "alias `default`: `max_entries` is not among the `OPTIONS` of `{LOCMEM}`; accepted: `MAX_ENTRIES`, `CULL_FREQUENCY`; did you mean `MAX_ENTRIES`?"
        ),
    )
    .await;
    refused(
        json(&json!({"BACKEND": "mem", "OPTIONS": {"values": "encoded"}})),
        "alias `default`: `values` is not among the `OPTIONS` of `mem`; accepted: `MAX_ENTRIES`, `CULL_FREQUENCY`",
    )
    .await;
}

#[tokio::test]
async fn an_option_of_the_wrong_type() {
    for (value, found) in [
        (json!(PASSWORD), "text"),
        (json!(0), "a number out of range"),
        (json!("0"), "a number out of range"),
        (json!("99999999999999999999"), "a number out of range"),
        (json!(1e300), "a number out of range"),
        (json!("1.0"), "text"),
        (json!(1.5), "a number with a fraction"),
        (json!(null), "null"),
    ] {
        refused(
            locmem("OPTIONS", &json!({"MAX_ENTRIES": value})),
            &format!("alias `default`: `OPTIONS.MAX_ENTRIES`: expected a whole number from 1, found {found}"),
        )
        .await;
    }
}

#[tokio::test]
async fn options_that_are_no_table() {
    refused(locmem("OPTIONS", &json!(PASSWORD)), "alias `default`: `OPTIONS` has to be a table").await;
    refused(locmem("OPTIONS", &json!(null)), "alias `default`: `OPTIONS` has to be a table").await;
}

#[tokio::test]
async fn a_timeout_that_is_none() {
    for value in [json!(PASSWORD), json!("1.5"), json!(""), json!("forever"), json!([60]), json!({"s": 60})] {
        refused(
            locmem("TIMEOUT", &value),
            "alias `default`: `TIMEOUT`: expected seconds as a number, a whole number as text, or null, which is forever; Django would silently take 300",
        )
        .await;
    }
    refused(
        locmem("TIMEOUT", &json!(true)),
        "alias `default`: `TIMEOUT`: expected seconds as a number, a whole number as text, or null, which is forever; found true or false",
    )
    .await;
    refused(
        locmem("TIMEOUT", &json!("1_000")),
        "alias `default`: `TIMEOUT`: expected seconds as a number, a whole number as text, or null, which is forever",
    )
    .await;
    for value in [json!(1e300), json!("99999999999999999999")] {
        refused(
            locmem("TIMEOUT", &value),
            "alias `default`: `TIMEOUT`: the number is too large; null is forever",
        )
        .await;
    }
    refused(
        Caches::builder().toml(&format!("[caches.default]\nBACKEND = '{LOCMEM}'\nTIMEOUT = nan")),
        "alias `default`: `TIMEOUT`: expected seconds as a number, a whole number as text, or null, which is forever; Django would silently take 300",
    )
    .await;
}

#[tokio::test]
async fn other_settings_of_the_wrong_type() {
    for (value, found) in
        [(json!(PASSWORD), "text"), (json!(-1), "a number out of range"), (json!(null), "null")]
    {
        refused(
            locmem("VERSION", &value),
            &format!("alias `default`: `VERSION`: expected a whole number from 0, found {found}"),
        )
        .await;
    }
    for (value, found) in [
        (json!(1.5), "a number"),
        (json!(true), "true or false"),
        (json!(null), "null; Django would take the text `None`"),
    ] {
        refused(
            locmem("KEY_PREFIX", &value),
            &format!("alias `default`: `KEY_PREFIX`: expected text, found {found}"),
        )
        .await;
    }
    refused(
        locmem("LOCATION", &json!({"url": PASSWORD})),
        "alias `default`: `LOCATION`: expected text or a list of texts, found a table",
    )
    .await;
}

#[tokio::test]
async fn a_list_where_one_location_is_meant() {
    refused(
        locmem("LOCATION", &json!(["a", "b"])),
        "alias `default`: `LOCATION` of `mem` is one name, not a list",
    )
    .await;
}

#[tokio::test]
async fn aliases_of_one_location_that_disagree() {
    refused(
        Caches::builder().json(
            &json!({"a": {"backend": "mem", "location": "hall"}, "b": {"BACKEND": LOCMEM, "LOCATION": "hall"}})
                .to_string(),
        ),
        "alias `b`: `eviction` is lru, but another alias opened the same `LOCATION` with engine; give both the same",
    )
    .await;
}

#[tokio::test]
async fn no_backend() {
    refused(json(&json!({"TIMEOUT": 5})), "alias `default`: `BACKEND` is missing").await;
    refused(
        json(&json!({"BACKEND": null})),
        "alias `default`: `BACKEND` has to be the dotted path of a backend, as text",
    )
    .await;
}

#[tokio::test]
async fn backends_that_are_not_there_yet() {
    for path in [
        "django.core.cache.backends.memcached.PyMemcacheCache",
        "django.core.cache.backends.memcached.PyLibMCCache",
        "django.core.cache.backends.memcached.MemcachedCache",
        "django.core.cache.backends.db.DatabaseCache",
    ] {
        refused(
            json(&json!({"BACKEND": path, "OPTIONS": {"PASSWORD": PASSWORD}})),
            &format!("alias `default`: `{path}` is not supported yet; supported are {KNOWN}"),
        )
        .await;
        refused(
            json(&json!({ "backend": path })),
            &format!("alias `default`: `{path}` is not supported yet"),
        )
        .await;
    }
}

#[tokio::test]
async fn an_unknown_backend() {
    refused(
        json(&json!({"BACKEND": "path.to.backend"})),
        &format!("alias `default`: there is no backend `path.to.backend`; there are {KNOWN}"),
    )
    .await;
    refused(
        json(&json!({"BACKEND": "django.core.cache.backends.locmem.LocMem"})),
        &format!(
            "alias `default`: there is no backend `django.core.cache.backends.locmem.LocMem`; there are {KNOWN}; did you mean `{LOCMEM}`?"
        ),
    )
    .await;
    refused(
        json(&json!({"BACKEND": "django.core.cache.backends.redis.RediCache"})),
        &format!(
            "alias `default`: there is no backend `django.core.cache.backends.redis.RediCache`; there are {KNOWN}; did you mean `django.core.cache.backends.redis.RedisCache`?"
        ),
    )
    .await;
    refused(
        json(&json!({"BACKEND": "redis://:hunter2@localhost"})),
        &format!("alias `default`: there is no backend; there are {KNOWN}"),
    )
    .await;
}

#[tokio::test]
async fn a_path_of_django_s_in_the_native_spelling() {
    refused(
        json(&json!({ "backend": LOCMEM })),
        &format!(
            "alias `default`: `{LOCMEM}` is what Django calls `mem`: write `backend = \"mem\"`, or the whole alias in Django's spelling, with `BACKEND`"
        ),
    )
    .await;
    refused(
        env(json(&json!({"backend": "mem"})), "CACHES__DEFAULT__BACKEND", DUMMY),
        &format!(
            "alias `default`: `{DUMMY}` is what Django calls `dummy`: write `backend = \"dummy\"`, or the whole alias in Django's spelling, with `BACKEND`"
        ),
    )
    .await;
    refused(
        env(Caches::builder(), "CACHES__EXTRA__BACKEND", "django.core.cache.backends.db.DatabaseCache"),
        "alias `extra`: `django.core.cache.backends.db.DatabaseCache` is not supported yet",
    )
    .await;
    refused(
        env(Caches::builder(), "CACHES__EXTRA__BACKEND", "men"),
        "alias `extra`: there is no backend `men`; there are `dummy`, `fs`, `mem`, `redis`; did you mean `mem`?",
    )
    .await;
}

#[tokio::test]
async fn a_key_function_that_nobody_registered() {
    refused(
        locmem("KEY_FUNCTION", &json!("myproject.cache.make_key")),
        "alias `default`: there is no key function `myproject.cache.make_key`; there are `default`",
    )
    .await;
}

#[tokio::test]
async fn what_python_makes_of_its_objects() {
    let hint = "this is what `str()` makes of a Python object: write its dotted path";
    for object in [
        "<function make_key at 0x7f>",
        "<class 'hunter2'>",
        "<bound method A.b of hunter2>",
        "<built-in function id>",
    ] {
        refused(
            locmem("KEY_FUNCTION", &json!(object)),
            &format!("alias `default`: there is no key function; there are `default`; {hint}"),
        )
        .await;
        refused(
            json(&json!({ "BACKEND": object })),
            &format!("alias `default`: there is no backend; there are {KNOWN}; {hint}"),
        )
        .await;
    }
}

#[tokio::test]
async fn the_environment_is_native_on_top_of_both() {
    refused(
        env(locmem("TIMEOUT", &json!(5)), "CACHES__DEFAULT__TIMEOUT", PASSWORD),
        "alias `default`: `CACHES__DEFAULT__TIMEOUT`: expected seconds as a number from 0, text such as \"500ms\" or \"2h\", or \"forever\"",
    )
    .await;
    refused(
        env(locmem("OPTIONS", &json!({"MAX_ENTRIES": 5})), "CACHES__DEFAULT__BACKEND", "acme.Cache"),
        &format!("alias `default`: there is no backend `acme.Cache`; there are {KNOWN}"),
    )
    .await;
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once() {
    refused(
        Caches::builder().json(
            &json!({
                "a": {"BACKEND": LOCMEM, "TIMEOUT": "soon", "VERSION": "x", "OPTIONS": {"CULL_FREQUENCY": -1}},
                "b": {"BACKEND": "path.to.backend", "KEY_PREFIX": [5], "KEY_FUNCTION": "lower", "OPTIONS": {"a": 1}},
            })
            .to_string(),
        ),
        &format!(
            "6 problems: alias `a`: `OPTIONS.CULL_FREQUENCY`: expected a whole number from 0 to 4294967295, found a number out of range; alias `a`: `TIMEOUT`: expected seconds as a number, a whole number as text, or null, which is forever; Django would silently take 300; alias `a`: `VERSION`: expected a whole number from 0, found text; alias `b`: there is no backend `path.to.backend`; there are {KNOWN}; alias `b`: `KEY_PREFIX`: expected text, found a list; alias `b`: there is no key function `lower`; there are `default`"
        ),
    )
    .await;
}

/// Refuses, and takes two names for one option.
#[derive(Debug)]
struct Strict;

#[async_trait::async_trait]
impl Backend for Strict {
    fn name(&self) -> &'static str {
        "acme.cache.Strict"
    }

    fn options(&self) -> &'static [Setting] {
        const OPTIONS: &[Setting] = &[Setting::new("depth", SettingKind::Integer(1, 9), "1", "How deep.")];
        OPTIONS
    }

    fn django(&self) -> &'static [DjangoSpelling] {
        const TABLES: &[DjangoSpelling] = &[DjangoSpelling::new("acme.cache.Strict").options(&[
            DjangoOption::new("DEPTH", DjangoEffect::Means("depth")),
            DjangoOption::new("LEVELS", DjangoEffect::Means("depth")),
            DjangoOption::new(
                "PICKLE",
                DjangoEffect::Refused("`codec` of the alias says how values are written"),
            ),
        ])];
        TABLES
    }

    async fn open(&self, _: Settings, _: &Context) -> Result<Opened> {
        Ok(Opened::Local(Arc::new(DummyStore)))
    }
}

#[tokio::test]
async fn an_option_that_is_refused_says_what_to_write_instead() {
    let alias = json!({"BACKEND": "acme.cache.Strict", "OPTIONS": {"PICKLE": PASSWORD}});
    refused(
        json(&alias).backend(Strict),
        "alias `default`: `OPTIONS.PICKLE`: `codec` of the alias says how values are written",
    )
    .await;
}

#[tokio::test]
async fn two_names_of_one_option() {
    let alias = json!({"BACKEND": "acme.cache.Strict", "OPTIONS": {"DEPTH": 2, "LEVELS": 3}});
    refused(
        json(&alias).backend(Strict),
        "alias `default`: `OPTIONS.LEVELS`: another name in `OPTIONS` means the same",
    )
    .await;
}
