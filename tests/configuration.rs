//! Configurations that are fine, from every source, and what they then do.
#![cfg(feature = "mem")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use cache_sdk::{AliasSettings, Caches, ErrorKind, Life, Timeout};
use cache_testkit::ManualClock;

fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, text)| (OsString::from(name), OsString::from(text))).collect()
}

#[tokio::test]
async fn nothing_at_all_means_memory_under_default() {
    for builder in [
        Caches::builder(),
        Caches::builder().toml(""),
        Caches::builder().toml("[server]\nport = 80"),
        Caches::builder().json("{}"),
        Caches::builder().json(r#"{"caches": {}}"#),
    ] {
        let caches = builder.open().await.expect("it is fine");
        let cache = caches.default().expect("it is there");
        cache.aset("key", &7, Timeout::Default).await.expect("memory takes it");
        assert_eq!(cache.aget::<i64>("key").await.expect("memory answers"), Some(7));
    }
}

#[tokio::test]
async fn other_roots_of_a_file_are_left_alone() {
    let text = "title = 'mine'\n[caches.pages]\nbackend = 'mem'\n[http]\nseconds = 5";
    let caches = Caches::from_toml(text).await.expect("it is fine");
    assert_eq!(caches.aliases().collect::<Vec<_>>(), ["pages"]);
}

#[tokio::test]
async fn json_holds_a_bare_map_or_one_under_caches() {
    for text in [r#"{"a": {"backend": "mem"}}"#, r#"{"caches": {"a": {"backend": "mem"}}, "other": 1}"#] {
        let caches = Caches::from_json(text).await.expect("it is fine");
        assert_eq!(caches.aliases().collect::<Vec<_>>(), ["a"]);
    }
}

#[tokio::test]
async fn the_root_may_have_the_name_of_django_s_setting() {
    let json = serde_json::json!({"CACHES": {"a": {"BACKEND": "mem"}}, "DEBUG": true, "Caches": 5});
    let toml = "title = 'mine'\n[CACHES.a]\nBACKEND = 'mem'";
    for builder in [
        Caches::builder().json(&json.to_string()),
        Caches::builder().deserialize(json),
        Caches::builder().toml(toml),
    ] {
        let caches = builder.open().await.expect("it is fine");
        assert_eq!(caches.aliases().collect::<Vec<_>>(), ["a"]);
    }
}

#[tokio::test]
async fn an_alias_of_a_bare_map_may_be_called_caches() {
    for text in [
        r#"{"caches": {"BACKEND": "mem"}, "default": {"backend": "mem"}}"#,
        r#"{"caches": {"caches": {"backend": "mem"}, "default": {"BACKEND": "mem"}}}"#,
    ] {
        let caches = Caches::from_json(text).await.expect("it is fine");
        assert_eq!(caches.aliases().collect::<Vec<_>>(), ["caches", "default"]);
    }
}

#[tokio::test]
async fn what_editors_put_into_a_json_file_is_no_alias() {
    for text in [
        "\u{feff}{\"a\": {\"backend\": \"mem\"}}",
        r#"{"$schema": "./caches.schema.json", "a": {"backend": "mem"}}"#,
        r#"{"$schema": "./caches.schema.json", "caches": {"a": {"backend": "mem"}}}"#,
    ] {
        let caches = Caches::from_json(text).await.expect("it is fine");
        assert_eq!(caches.aliases().collect::<Vec<_>>(), ["a"]);
    }
    let caches = Caches::from_toml("\u{feff}[caches.a]\nbackend = 'mem'").await.expect("it is fine");
    assert_eq!(caches.aliases().collect::<Vec<_>>(), ["a"]);
}

#[tokio::test]
async fn whole_numbers_may_be_written_as_floats() {
    let settings = serde_json::json!({"backend": "mem", "version": 2.0, "options": {"max_entries": 1e1}});
    let caches = Caches::builder()
        .deserialize(serde_json::json!({ "default": settings }))
        .env_from(variables(&[("CACHES__DEFAULT__MAX_VALUE_BYTES", "1e6")]))
        .open()
        .await
        .expect("it is fine");
    let cache = caches.default().expect("it is there");
    assert_eq!(cache.version(), 2);
    for key in 0..20 {
        cache.aset(&key.to_string(), &1, Timeout::Default).await.expect("memory takes it");
    }
    assert!(cache.stats().entries <= Some(10), "{:?}", cache.stats().entries);
}

#[tokio::test]
async fn any_serde_map_will_do() {
    let settings = BTreeMap::from([("a", BTreeMap::from([("backend", "mem"), ("timeout", "forever")]))]);
    let value = serde_json::to_value(settings).expect("text is JSON");
    let caches = Caches::builder().deserialize(value).open().await.expect("it is fine");
    let cache = caches.get("a").expect("it is there");
    cache.aset("key", &1, Timeout::Default).await.expect("memory takes it");
    assert_eq!(cache.alife("key").await.expect("memory answers"), Some(Life::Forever));
}

#[tokio::test]
async fn every_spelling_of_a_timeout() {
    for (text, life) in [
        ("60", Some(Life::For(Duration::from_mins(1)))),
        ("1.5", Some(Life::For(Duration::from_millis(1_500)))),
        ("'500ms'", Some(Life::For(Duration::from_millis(500)))),
        ("'2h'", Some(Life::For(Duration::from_hours(2)))),
        ("'forever'", Some(Life::Forever)),
        ("0", None),
    ] {
        let text = format!("[caches.default]\nbackend = 'mem'\ntimeout = {text}");
        let clock = Arc::new(ManualClock::new());
        let caches = Caches::builder().toml(&text).clock(clock).open().await.expect("it is fine");
        let cache = caches.default().expect("it is there");
        cache.aset("key", &1, Timeout::Default).await.expect("memory takes it");
        assert_eq!(cache.alife("key").await.expect("memory answers"), life, "{text}");
    }
}

#[tokio::test]
async fn jitter_is_a_share_of_each_life() {
    let toml = |share: &str| {
        let text = format!("[caches.default]\nbackend = 'mem'\ntimeout = 60\njitter = {share}");
        Caches::builder().toml(&text)
    };
    let json = |share: serde_json::Value| {
        let alias = serde_json::json!({"backend": "mem", "timeout": 60, "jitter": share});
        Caches::builder().json(&serde_json::json!({ "default": alias }).to_string())
    };
    let env = |share| toml("0").env_from(variables(&[("CACHES__DEFAULT__JITTER", share)]));
    for (builder, least) in [
        (Caches::builder().toml("[caches.default]\nbackend = 'mem'\ntimeout = 60"), 60),
        (toml("0"), 60),
        (toml("0.0"), 60),
        (toml("0.5"), 30),
        (toml("1"), 0),
        (json(0.into()), 60),
        (json(0.25.into()), 45),
        (json(1.0.into()), 0),
        (env("0"), 60),
        (env("0.1"), 54),
        (env("1"), 0),
    ] {
        let clock = Arc::new(ManualClock::new());
        let caches = builder.clock(clock).open().await.expect("it is fine");
        let cache = caches.default().expect("it is there");
        let mut lives = Vec::new();
        for _ in 0..200 {
            cache.aset("key", &1, Timeout::Default).await.expect("memory takes it");
            match cache.alife("key").await.expect("memory answers") {
                Some(Life::For(life)) => lives.push(life),
                other => panic!("{other:?}"),
            }
        }
        lives.sort();
        let (shortest, longest) = (lives[0], lives[199]);
        let (least, most) = (Duration::from_secs(least), Duration::from_mins(1));
        assert!(least <= shortest && longest <= most, "{shortest:?} to {longest:?}");
        assert!(longest.abs_diff(shortest) >= most.abs_diff(least) / 2, "{shortest:?} to {longest:?}");
    }
}

#[tokio::test]
async fn every_spelling_of_a_load_deadline() {
    let toml = |deadline: &str| {
        let text = format!("[caches.default]\nbackend = 'mem'\nload_deadline = {deadline}");
        Caches::builder().toml(&text)
    };
    for builder in [
        toml("5"),
        toml("0.5"),
        toml("'1m 30s'"),
        Caches::builder().json(r#"{"default": {"backend": "mem", "load_deadline": "500ms"}}"#),
        Caches::builder().json(r#"{"default": {"backend": "mem", "load_deadline": 2.5}}"#),
        toml("5").env_from(variables(&[("CACHES__DEFAULT__LOAD_DEADLINE", "10s")])),
        toml("5").env_from(variables(&[("CACHES__DEFAULT__LOAD_DEADLINE", "10")])),
    ] {
        builder.open().await.expect("it is fine");
    }
}

#[tokio::test]
async fn the_environment_goes_on_top() {
    let caches = Caches::builder()
        .toml("[caches.Default]\nbackend = 'mem'\ntimeout = 60\nkey_prefix = 'file'")
        .env_from(variables(&[
            ("CACHES__DEFAULT__TIMEOUT", "forever"),
            ("CACHES__DEFAULT__VERSION", "7"),
            ("CACHES__DEFAULT__OPTIONS__MAX_ENTRIES", "2"),
            ("CACHES__EXTRA__BACKEND", "dummy"),
            ("CACHES_OF_ANOTHER_KIND", "x"),
            ("PATH", "/bin"),
        ]))
        .open()
        .await
        .expect("it is fine");
    assert_eq!(caches.aliases().collect::<Vec<_>>(), ["Default", "extra"]);
    let cache = caches.get("Default").expect("it is there");
    assert_eq!((cache.version(), cache.key_prefix()), (7, "file"));
    for key in ["a", "b", "c"] {
        cache.aset(key, &1, Timeout::Default).await.expect("memory takes it");
    }
    assert_eq!(cache.alife("c").await.expect("memory answers"), Some(Life::Forever));
    assert_eq!(cache.stats().entries, Some(2));
}

#[tokio::test]
async fn the_environment_alone_is_a_configuration() {
    let sessions = variables(&[("CACHES__SESSIONS__BACKEND", "mem")]);
    let caches = Caches::builder().env_from(sessions).open().await.expect("it is fine");
    assert_eq!(caches.aliases().collect::<Vec<_>>(), ["sessions"]);
    let timeout = variables(&[("CACHES__DEFAULT__TIMEOUT", "forever")]);
    let caches = Caches::builder().env_from(timeout).open().await.expect("it is fine");
    assert_eq!(caches.aliases().collect::<Vec<_>>(), ["default"]);
}

#[tokio::test]
async fn text_of_the_environment_is_not_taken_for_a_number() {
    let caches = Caches::builder()
        .toml("[caches.default]\nbackend = 'mem'")
        .env_from(variables(&[
            ("CACHES__DEFAULT__KEY_PREFIX", "60"),
            ("CACHES__DEFAULT__LOCATION", "[\"hall\"]"),
        ]))
        .open()
        .await
        .expect("it is fine");
    assert_eq!(caches.default().expect("it is there").key_prefix(), "60");
}

#[tokio::test]
async fn one_location_is_one_store_within_one_set_of_caches() {
    let open = async || {
        let shared = AliasSettings::new("mem").location(["hall"]);
        let caches = Caches::builder()
            .alias("a", shared.clone())
            .alias("b", shared)
            .alias("c", AliasSettings::new("mem"));
        caches.open().await.expect("it is fine")
    };
    let (caches, others) = (open().await, open().await);
    let cache = |caches: &Caches, alias| caches.get(alias).expect("it is there");
    cache(&caches, "a").aset("key", &1, Timeout::Default).await.expect("memory takes it");
    assert!(cache(&caches, "b").ahas_key("key").await.expect("memory answers"));
    assert!(!cache(&caches, "c").ahas_key("key").await.expect("memory answers"));
    assert!(!cache(&others, "a").ahas_key("key").await.expect("memory answers"));

    // The store is shared, and so stays until its last alias is closed.
    cache(&caches, "a").aclose().await.expect("it closes");
    assert!(cache(&caches, "b").ahas_key("key").await.expect("memory answers"));
    assert_eq!(cache(&caches, "b").stats().entries, Some(1));
    cache(&caches, "b").aclose().await.expect("it closes");
    assert_eq!(cache(&caches, "b").stats().entries, Some(0));
}

#[tokio::test]
async fn all_can_be_asked_and_closed_at_once() {
    let caches =
        Caches::from_json(r#"{"a": {"backend": "mem"}, "b": {"backend": "dummy"}}"#).await.expect("fine");
    assert!(caches.aping().await.values().all(Result::is_ok));
    caches.aclose_all().await.expect("they close");
    for (alias, answer) in caches.aping().await {
        let error = answer.expect_err("it is closed");
        assert_eq!((error.kind(), error.alias()), (ErrorKind::Closed, Some(alias)));
    }
    caches.aclose_all().await.expect("once more does nothing");
}

#[tokio::test]
async fn a_file_is_read_with_the_environment_on_top() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/caches.toml");
    let caches = Caches::from_toml_file(path).await.expect("the quickstart's file is fine");
    assert_eq!(caches.aliases().collect::<Vec<_>>(), ["default", "dummy", "encoded", "files", "sessions"]);
}
