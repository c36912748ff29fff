//! The JSON Schema of a configuration agrees with what loads and what does not.
#![cfg(all(feature = "mem", feature = "redis"))]

mod django_examples;

use std::sync::Arc;

use boon::{Compiler, SchemaIndex, Schemas};
use cache_sdk::core::{Context, DummyStore, Opened};
use cache_sdk::{Backend, Caches, Registry, Result, Setting, SettingKind, Settings};
use serde_json::{Value as Json, json};

use crate::django_examples::{Example, PASSWORD, of_django, of_django_redis};

const LOCMEM: &str = "django.core.cache.backends.locmem.LocMemCache";

/// A schema, compiled; that it is one of draft 2020-12 is checked on the way.
struct Schema {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Schema {
    fn of(registry: &Registry) -> Self {
        let mut compiler = Compiler::new();
        compiler.add_resource("caches.json", registry.json_schema()).expect("it has a name");
        let mut schemas = Schemas::new();
        let index = compiler.compile("caches.json", &mut schemas).expect("it is a schema");
        Self { schemas, index }
    }

    fn accepts(&self, document: &Json) -> bool {
        self.schemas.validate(document, self.index).is_ok()
    }
}

async fn loads(document: &Json) -> bool {
    Caches::from_json(&document.to_string()).await.is_ok()
}

fn toml(text: &str) -> Json {
    toml::from_str(text).expect("it is TOML")
}

#[tokio::test]
async fn it_agrees_with_the_example_and_with_those_of_django() {
    let schema = Schema::of(&Registry::new());
    let quickstart = include_str!("../examples/caches.toml");
    assert!(schema.accepts(&toml(quickstart)));
    for Example { name, caches, missing } in of_django().into_iter().chain(of_django_redis()) {
        // That a directory has to be told from the root on, the tables do not say.
        let accepted = missing.is_none_or(|missing| missing.contains("is relative"));
        assert_eq!(schema.accepts(&caches), accepted, "{name}");
        assert_eq!(schema.accepts(&json!({"caches": caches, "other": 1})), accepted, "{name}");
    }
}

#[tokio::test]
async fn what_it_accepts_loads() {
    let schema = Schema::of(&Registry::new());
    let all = toml(
        "[http]\nseconds = 5\n[caches.default]\nbackend = 'mem'\nlocation = ['hall']\ntimeout = '1h 30m'\njitter = 0.1\nkey_prefix = 'p'\n\
         version = 2\nkey_function = 'default'\nkey_check = 'off'\ncodec = 'postcard'\nschema = 3\nplain = false\n\
         on_error = 'miss'\non_decode_error = 'error'\ndeadline = 0.5\nload_deadline = '1m'\nmax_value_bytes = 1000\nclear = 'all'\nreplica_policy = 'least_lag'\n\
         max_lag = '2s'\nread_your_writes = 0.5\nbatching = 'off'\n\
         [caches.default.options]\nmax_entries = 5\nmax_bytes = 1000000000\neviction = 'lru'\ncull_frequency = 0\n\
         values = 'encoded'\ncheck_encoding = true\n\
         [caches.short]\nbackend = 'dummy'\ntimeout = 'forever'\njitter = 1\ndeadline = '1.5s'\nload_deadline = 0.5\n[caches.none]\nbackend = 'dummy'\ntimeout = 0",
    );
    let accepted = [
        json!({}),
        json!({"caches": {}}),
        json!({"caches": {"a": {"backend": "mem"}}, "title": "mine", "other": {"a": 1}}),
        json!({"a": {"backend": "mem", "options": {}}, "b": {"BACKEND": "mem"}, "c": {"BACKEND": LOCMEM}}),
        json!({"a": {"BACKEND": LOCMEM, "TIMEOUT": "60", "VERSION": "2", "LOCATION": ["a"], "KEY_PREFIX": "p"}}),
        json!({"a": {"BACKEND": LOCMEM, "TIMEOUT": -1.5, "KEY_FUNCTION": "default"}}),
        json!({"a": {"BACKEND": LOCMEM, "OPTIONS": {"MAX_ENTRIES": "1000", "CULL_FREQUENCY": 0}}}),
        json!({"a": {"BACKEND": "dummy", "OPTIONS": {"MAX_ENTRIES": null, "anything": {}}}}),
        json!({"a": {"BACKEND": LOCMEM, "LOCATION": null, "KEY_PREFIX": 5, "OPTIONS": {"MAX_ENTRIES": 1e3}}}),
        json!({"a": {"backend": "mem", "version": 1.0, "options": {"max_entries": 1000.0}}}),
        json!({"CACHES": {"a": {"BACKEND": "mem"}}, "DEBUG": true}),
        json!({"caches": {"BACKEND": "mem"}, "a": {"backend": "mem"}}),
        json!({"caches": {"caches": {"backend": "mem"}}}),
        json!({"$schema": "caches.schema.json", "a": {"backend": "mem"}}),
        json!({"$schema": "caches.schema.json", "caches": {"a": {"backend": "mem"}}}),
        all,
    ];
    for document in &accepted {
        assert!(loads(document).await, "{document}");
        assert!(schema.accepts(document), "{document}");
    }
}

#[tokio::test]
async fn what_does_not_load_it_refuses() {
    let schema = Schema::of(&Registry::new());
    let native = [
        json!({}),
        json!({"backend": 5}),
        json!({"backend": "men"}),
        json!({"backend": LOCMEM}),
        json!({"backend": "mem", "timeuot": 5}),
        json!({"backend": "mem", "TIMEUOT": 5}),
        json!({"backend": "mem", "max_entries": 5}),
        json!({"backend": "mem", "options": 5}),
        json!({"backend": "mem", "options": {"max_entrys": 5}}),
        json!({"backend": "mem", "options": {"max_entries": 0}}),
        json!({"backend": "mem", "options": {"max_entries": "5"}}),
        json!({"backend": "mem", "options": {"values": PASSWORD}}),
        json!({"backend": "dummy", "options": {"max_entries": 5}}),
        json!({"backend": "mem", "version": PASSWORD}),
        json!({"backend": "mem", "on_error": PASSWORD}),
        json!({"backend": "mem", "timeout": "soon"}),
        json!({"backend": "mem", "timeout": "5"}),
        json!({"backend": "mem", "timeout": -1}),
        json!({"backend": "mem", "timeout": null}),
        json!({"backend": "mem", "jitter": 1.5}),
        json!({"backend": "mem", "jitter": -0.1}),
        json!({"backend": "mem", "jitter": "0.1"}),
        json!({"backend": "mem", "jitter": true}),
        json!({"backend": "mem", "deadline": 0}),
        json!({"backend": "mem", "deadline": "forever"}),
        json!({"backend": "mem", "load_deadline": 0}),
        json!({"backend": "mem", "load_deadline": "forever"}),
        json!({"backend": "mem", "location": {"url": PASSWORD}}),
        json!({"backend": "mem", "location": [5]}),
        json!({"backend": "mem", "key_function": "lower"}),
        json!({"backend": "mem", "key_check": "wran"}),
        json!({"backend": "mem", "codec": "msgpck"}),
        json!("mem"),
    ];
    let django = [
        json!({"TIMEOUT": 5}),
        json!({"BACKEND": null}),
        json!({"BACKEND": "path.to.backend"}),
        json!({"BACKEND": LOCMEM, "timeout": 5}),
        json!({"BACKEND": LOCMEM, "key_prefix": "a"}),
        json!({"backend": "mem", "KEY_PREFIX": "a"}),
        json!({"BACKEND": LOCMEM, "TIMEUOT": 5}),
        json!({"BACKEND": LOCMEM, "TIMEOUT": "soon"}),
        json!({"BACKEND": LOCMEM, "TIMEOUT": true}),
        json!({"BACKEND": LOCMEM, "VERSION": "soon"}),
        json!({"BACKEND": LOCMEM, "VERSION": -1}),
        json!({"BACKEND": LOCMEM, "VERSION": "-1"}),
        json!({"BACKEND": LOCMEM, "KEY_PREFIX": [5]}),
        json!({"BACKEND": LOCMEM, "KEY_PREFIX": null}),
        json!({"BACKEND": LOCMEM, "KEY_FUNCTION": "path.to.function"}),
        json!({"BACKEND": LOCMEM, "OPTIONS": null}),
        json!({"BACKEND": LOCMEM, "OPTIONS": {"max_entries": 5}}),
        json!({"BACKEND": LOCMEM, "OPTIONS": {"MAX_ENTRIES": PASSWORD}}),
        json!({"BACKEND": LOCMEM, "OPTIONS": {"MAX_ENTRIES": 0}}),
        json!({"BACKEND": LOCMEM, "OPTIONS": {"MAX_ENTRIES": "0"}}),
        json!({"BACKEND": "mem", "OPTIONS": {"values": "typed"}}),
    ];
    for alias in native.iter().chain(&django) {
        for document in [json!({ "a": alias }), json!({"caches": {"a": alias}})] {
            assert!(!loads(&document).await, "{document}");
            assert!(!schema.accepts(&document), "{document}");
        }
    }
    for document in [
        json!([]),
        json!({"caches": 5}),
        json!({"CACHES": 5}),
        json!({"caches": {"a": {"backend": "mem"}}, "CACHES": {"b": {"backend": "mem"}}}),
        json!({"Caches": {"a": {"backend": "mem"}}}),
        json!({"caches": {"$schema": "caches.schema.json"}}),
        json!({"$schema": {"backend": 5}}),
    ] {
        assert!(!loads(&document).await, "{document}");
        assert!(!schema.accepts(&document), "{document}");
    }
}

/// A backend without a table for Django.
#[derive(Debug)]
struct Acme;

#[async_trait::async_trait]
impl Backend for Acme {
    fn name(&self) -> &'static str {
        "acme.cache/Any name"
    }

    fn options(&self) -> &'static [Setting] {
        const OPTIONS: &[Setting] =
            &[Setting::new("max_depth", SettingKind::Integer(1, 9), "1", "How deep.")];
        OPTIONS
    }

    async fn open(&self, _: Settings, _: &Context) -> Result<Opened> {
        Ok(Opened::Local(Arc::new(DummyStore)))
    }
}

#[tokio::test]
async fn what_a_program_registers_is_in_its_schema() {
    let mut registry = Registry::new();
    registry.add_backend(Acme.name(), Arc::new(Acme)).expect("the name is free");
    registry.add_key_function("lower", Arc::new(|key, _, _| key.to_lowercase())).expect("the name is free");
    registry.add_validator("short", Arc::new(|_| Ok(()))).expect("the name is free");
    let schema = Schema::of(&registry);
    let name = Acme.name();
    for (accepted, alias) in [
        (true, json!({"backend": name, "key_function": "lower", "key_check": "short"})),
        (true, json!({"BACKEND": name, "KEY_FUNCTION": "lower"})),
        (true, json!({"backend": name, "options": {"max_depth": 3}})),
        (true, json!({"BACKEND": name, "OPTIONS": {"MAX_DEPTH": "3"}})),
        (true, json!({"BACKEND": name, "OPTIONS": {"max_Depth": 3}})),
        (false, json!({"backend": name, "options": {"MAX_DEPTH": 3}})),
        (false, json!({"BACKEND": name, "OPTIONS": {"MAX-DEPTH": 3}})),
        (false, json!({"BACKEND": name, "OPTIONS": {"MAX_DEPTH": 10}})),
        (false, json!({"backend": "mem", "options": {"max_depth": 3}})),
    ] {
        let document = json!({ "a": alias });
        let caches = Caches::builder().registry(registry.clone()).json(&document.to_string()).open().await;
        assert_eq!(caches.is_ok(), accepted, "{document}");
        assert_eq!(schema.accepts(&document), accepted, "{document}");
    }
}
