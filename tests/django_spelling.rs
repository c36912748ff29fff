//! `CACHES` of a Django project, as `json.dumps` writes it: what loads, and
//! what it then does.
#![cfg(feature = "mem")]

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use cache_sdk::core::{Context, DjangoEffect, DjangoOption, DjangoSpelling, DummyStore, Opened};
use cache_sdk::{
    AliasSettings, Backend, Cache, Caches, CachesBuilder, Life, Result, Setting, SettingKind, Settings,
    Timeout,
};
use cache_testkit::ManualClock;
use serde_json::{Value as Json, json};

const LOCMEM: &str = "django.core.cache.backends.locmem.LocMemCache";
const DUMMY: &str = "django.core.cache.backends.dummy.DummyCache";

async fn opened(caches: Json) -> Caches {
    Caches::from_json(&caches.to_string()).await.expect("it is fine")
}

fn env(builder: CachesBuilder, variables: &[(&str, &str)]) -> CachesBuilder {
    builder.env_from(variables.iter().map(|(name, text)| (OsString::from(name), OsString::from(text))))
}

fn cache(caches: &Caches, alias: &str) -> Cache {
    caches.get(alias).expect("it is there")
}

async fn put(cache: &Cache, key: &str) {
    cache.aset(key, &1, Timeout::Default).await.expect("memory takes it");
}

async fn has(cache: &Cache, key: &str) -> bool {
    cache.ahas_key(key).await.expect("memory answers")
}

/// What becomes of an entry under the alias's own timeout.
async fn life(builder: CachesBuilder) -> Option<Life> {
    let caches = builder.clock(Arc::new(ManualClock::new())).open().await.expect("it is fine");
    let cache = caches.default().expect("it is there");
    put(&cache, "key").await;
    cache.alife("key").await.expect("memory answers")
}

#[tokio::test]
async fn it_loads_through_every_source() {
    let table = json!({"default": {"BACKEND": LOCMEM, "TIMEOUT": 60, "KEY_PREFIX": "shop", "VERSION": 2}});
    let toml = format!(
        "[caches.default]\nBACKEND = '{LOCMEM}'\nTIMEOUT = 60\nKEY_PREFIX = 'shop'\nVERSION = 2\n[http]\nalias = 'a'"
    );
    let alias = AliasSettings::django(LOCMEM).set("TIMEOUT", 60).set("KEY_PREFIX", "shop").set("VERSION", 2);
    for builder in [
        Caches::builder().json(&table.to_string()),
        Caches::builder().json(&json!({"caches": table, "other": 1}).to_string()),
        Caches::builder().deserialize(table),
        Caches::builder().toml(&toml),
        Caches::builder().alias("default", alias),
    ] {
        let caches = builder.open().await.expect("it is fine");
        let cache = caches.default().expect("it is there");
        assert_eq!((cache.key_prefix(), cache.version()), ("shop", 2));
        put(&cache, "key").await;
        let life = cache.alife("key").await.expect("memory answers");
        assert!(matches!(life, Some(Life::For(left)) if left <= Duration::from_mins(1)), "{life:?}");
    }
}

#[tokio::test]
async fn aliases_of_both_spellings_stand_side_by_side() {
    let caches = opened(json!({"ours": {"backend": "mem"}, "nowhere": {"BACKEND": DUMMY}})).await;
    put(&cache(&caches, "ours"), "key").await;
    put(&cache(&caches, "nowhere"), "key").await;
    assert!(has(&cache(&caches, "ours"), "key").await);
    assert!(!has(&cache(&caches, "nowhere"), "key").await);
}

#[tokio::test]
async fn memory_without_a_location_is_one_store() {
    let caches = opened(json!({
        "default": {"BACKEND": LOCMEM},
        "same": {"BACKEND": LOCMEM, "LOCATION": "", "OPTIONS": {"MAX_ENTRIES": 1000, "CULL_FREQUENCY": 2}},
        "prefixed": {"BACKEND": LOCMEM, "KEY_PREFIX": "shop"},
        "versioned": {"BACKEND": LOCMEM, "VERSION": "2"},
        "elsewhere": {"BACKEND": LOCMEM, "LOCATION": "unique-snowflake"},
        "null": {"BACKEND": LOCMEM, "LOCATION": null},
        "as a list": {"BACKEND": LOCMEM, "LOCATION": ["unique-snowflake"]},
        "native": {"backend": "mem"},
    }))
    .await;
    put(&cache(&caches, "default"), "key").await;
    assert!(has(&cache(&caches, "same"), "key").await);
    assert!(has(&cache(&caches, "null"), "key").await);
    for alias in ["prefixed", "versioned", "elsewhere", "as a list", "native"] {
        assert!(!has(&cache(&caches, alias), "key").await, "{alias}");
    }
    put(&cache(&caches, "elsewhere"), "key").await;
    assert!(has(&cache(&caches, "as a list"), "key").await);
    put(&cache(&caches, "prefixed"), "other").await;
    assert!(!has(&cache(&caches, "default"), "other").await);
    assert!(has(&cache(&caches, "versioned").at_version(1), "key").await);
}

#[tokio::test]
async fn every_form_of_a_timeout() {
    let seconds = |seconds| Some(Life::For(Duration::from_secs(seconds)));
    for (timeout, expected) in [
        (json!(null), Some(Life::Forever)),
        (json!(60), seconds(60)),
        (json!(1.9), seconds(1)),
        (json!(0.9), None),
        (json!("60"), seconds(60)),
        (json!(" +60 "), seconds(60)),
        (json!(0), None),
        (json!(-1), None),
        (json!(-1.5), None),
        (json!("-1"), None),
        (json!("-99999999999999999999"), None),
    ] {
        let text = json!({"default": {"BACKEND": LOCMEM, "TIMEOUT": timeout}}).to_string();
        assert_eq!(life(Caches::builder().json(&text)).await, expected, "{timeout}");
    }
    let none = json!({"default": {"BACKEND": LOCMEM}}).to_string();
    assert_eq!(life(Caches::builder().json(&none)).await, seconds(300));
}

#[tokio::test]
async fn the_environment_goes_on_top() {
    let text = json!({"default": {
        "BACKEND": LOCMEM, "TIMEOUT": null, "VERSION": 2, "OPTIONS": {"MAX_ENTRIES": 1000, "CULL_FREQUENCY": 2},
    }})
    .to_string();
    let variables = [
        ("CACHES__DEFAULT__TIMEOUT", "60"),
        ("CACHES__DEFAULT__OPTIONS__MAX_ENTRIES", "10"),
        ("CACHES__DEFAULT__OPTIONS__EVICTION", "engine"),
        ("CACHES__DEFAULT__CODEC", "json"),
    ];
    let builder = || env(Caches::builder().json(&text), &variables);
    assert_eq!(life(builder()).await, Some(Life::For(Duration::from_mins(1))));
    let caches = builder().open().await.expect("it is fine");
    let cache = caches.default().expect("it is there");
    assert_eq!(cache.version(), 2);
    for number in 0..20 {
        put(&cache, &number.to_string()).await;
    }
    assert!(cache.stats().entries <= Some(10), "{:?}", cache.stats().entries);
}

#[tokio::test]
async fn the_environment_swaps_the_backend() {
    let text = json!({"default": {
        "BACKEND": LOCMEM, "LOCATION": "hall", "OPTIONS": {"MAX_ENTRIES": "1000", "CULL_FREQUENCY": 0},
    }})
    .to_string();
    for backend in ["dummy", DUMMY] {
        let builder = env(Caches::builder().json(&text), &[("CACHES__DEFAULT__BACKEND", backend)]);
        assert_eq!(life(builder).await, None, "{backend}");
    }
    let missing = json!({"default": {"LOCATION": "hall"}}).to_string();
    for backend in ["mem", LOCMEM] {
        let builder = env(Caches::builder().json(&missing), &[("CACHES__DEFAULT__BACKEND", backend)]);
        assert!(life(builder).await.is_some(), "{backend}");
    }
}

#[tokio::test]
async fn an_alias_of_the_environment_alone_may_be_in_django_s_spelling() {
    let variables = [
        ("CACHES__DEFAULT__BACKEND", LOCMEM),
        ("CACHES__DEFAULT__KEY_FUNCTION", "django.core.cache.backends.base.default_key_func"),
        ("CACHES__OTHER__BACKEND", LOCMEM),
        ("CACHES__NATIVE__BACKEND", "mem"),
    ];
    let caches = env(Caches::builder(), &variables).open().await.expect("it is fine");
    for number in 0..400 {
        put(&cache(&caches, "default"), &number.to_string()).await;
        put(&cache(&caches, "native"), &number.to_string()).await;
    }
    assert!(cache(&caches, "default").stats().entries <= Some(300));
    assert!(has(&cache(&caches, "other"), "399").await);
    assert_eq!(cache(&caches, "native").stats().entries, Some(400));
}

#[tokio::test]
async fn a_whole_number_is_a_prefix_too() {
    let caches = opened(json!({"default": {"BACKEND": LOCMEM, "KEY_PREFIX": -5}})).await;
    assert_eq!(cache(&caches, "default").key_prefix(), "-5");
}

#[tokio::test]
async fn a_registered_name_will_do() {
    let caches = opened(json!({"a": {"BACKEND": "mem"}, "b": {"BACKEND": LOCMEM}})).await;
    put(&cache(&caches, "a"), "key").await;
    assert!(has(&cache(&caches, "b"), "key").await);
}

#[tokio::test]
async fn a_key_function_by_its_dotted_name() {
    let text = json!({
        "default": {"BACKEND": LOCMEM, "KEY_PREFIX": "p", "KEY_FUNCTION": "myproject.cache.make_key"},
        "plain": {"BACKEND": LOCMEM, "KEY_FUNCTION": "django.core.cache.backends.base.default_key_func"},
        "none": {"BACKEND": LOCMEM, "KEY_FUNCTION": null},
    });
    let caches = Caches::builder()
        .json(&text.to_string())
        .key_function("myproject.cache.make_key", |key, prefix, version| {
            format!("{prefix}/{version}/{}", key.to_lowercase())
        })
        .open()
        .await
        .expect("it is fine");
    put(&cache(&caches, "default"), "KEY").await;
    assert!(has(&cache(&caches, "default"), "key").await);
    put(&cache(&caches, "plain"), "KEY").await;
    assert!(has(&cache(&caches, "none"), "KEY").await);
    assert!(!has(&cache(&caches, "none"), "key").await);
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
        const OPTIONS: &[Setting] = &[
            Setting::new("max_depth", SettingKind::Integer(1, 9), "1", "How deep."),
            Setting::new("mode", SettingKind::OneOf(&["fast"]), "none", "How."),
        ];
        OPTIONS
    }

    async fn open(&self, settings: Settings, _: &Context) -> Result<Opened> {
        assert_eq!((settings.integer("max_depth"), settings.text("mode")), (Some(3), Some("fast")));
        assert_eq!(settings.location(), ["there", "and there"]);
        Ok(Opened::Local(Arc::new(DummyStore)))
    }
}

#[tokio::test]
async fn a_backend_of_the_program_s_own_by_its_dotted_name() {
    let text = json!({"far": {
        "BACKEND": "acme.cache.Plain",
        "LOCATION": ["there", "and there"],
        "OPTIONS": {"MAX_DEPTH": "3", "Mode": "fast"},
    }});
    let caches = Caches::builder().backend(Plain).json(&text.to_string()).open().await.expect("it is fine");
    assert!(cache(&caches, "far").aping().await.is_ok());
}

/// With one, of two paths.
#[derive(Debug)]
struct Spelled;

#[async_trait::async_trait]
impl Backend for Spelled {
    fn name(&self) -> &'static str {
        "spelled"
    }

    fn options(&self) -> &'static [Setting] {
        const OPTIONS: &[Setting] = &[Setting::new("depth", SettingKind::Integer(1, 9), "1", "How deep.")];
        OPTIONS
    }

    fn django(&self) -> &'static [DjangoSpelling] {
        const DEEP: &[DjangoOption] = &[DjangoOption::new("DEPTH", DjangoEffect::Means("depth"))];
        const TABLES: &[DjangoSpelling] = &[
            DjangoSpelling::new("acme.cache.Deep").location("deep").defaults(&[("depth", "7")]).options(DEEP),
            DjangoSpelling::new("acme.cache.Flat").location("flat").defaults(&[("depth", "1")]),
        ];
        TABLES
    }

    async fn open(&self, settings: Settings, context: &Context) -> Result<Opened> {
        let (location, depth) = match &*context.alias {
            "by name" | "deep" => ("deep", 7),
            "set" => ("there", 2),
            _ => ("flat", 1),
        };
        assert_eq!(
            (settings.location(), settings.integer("depth")),
            (&[location.to_owned()][..], Some(depth))
        );
        Ok(Opened::Local(Arc::new(DummyStore)))
    }
}

#[tokio::test]
async fn each_path_has_its_own_table_and_a_name_the_first() {
    let text = json!({
        "by name": {"BACKEND": "spelled"},
        "by another name": {"BACKEND": "acme.cache.Flat"},
        "deep": {"BACKEND": "acme.cache.Deep"},
        "set": {"BACKEND": "acme.cache.Deep", "LOCATION": "there", "OPTIONS": {"DEPTH": 2}},
        "flat": {"BACKEND": "acme.cache.Flat"},
    })
    .to_string();
    for builder in [
        Caches::builder().backend(Spelled),
        Caches::builder().backend(Spelled).backend_named("acme.cache.Flat", Spelled),
    ] {
        let caches = builder.json(&text).open().await.expect("it is fine");
        assert_eq!(caches.aliases().count(), 5);
    }
}
