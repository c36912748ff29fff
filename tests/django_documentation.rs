//! Each `CACHES` of Django's documentation and of django-redis's README either
//! loads as it stands, or its error names what is missing.
#![cfg(all(feature = "mem", feature = "redis"))]
#![allow(clippy::print_stdout, reason = "`--nocapture` shows every outcome")]

mod django_examples;

use std::sync::Arc;

use cache_sdk::core::{Context, DummyStore, Opened};
use cache_sdk::{Backend, Caches, CachesBuilder, ErrorKind, Result, Settings, Timeout};

use crate::django_examples::{Example, PASSWORD, of_django, of_django_redis};

#[tokio::test]
async fn each_example_of_django_loads_or_names_what_is_missing() {
    for example in of_django() {
        check(&example).await;
    }
}

#[tokio::test]
async fn each_example_of_django_redis_loads_or_names_what_is_missing() {
    for example in of_django_redis() {
        check(&example).await;
    }
}

#[tokio::test]
async fn all_examples_at_once_are_told_of_one_by_one() {
    let examples: Vec<_> = of_django().into_iter().chain(of_django_redis()).collect();
    let all = examples.iter().map(|example| (example.name.to_owned(), example.caches["default"].clone()));
    let all = serde_json::Value::Object(all.collect()).to_string();
    let text = refused(Caches::builder().json(&all)).await;
    for Example { name, missing, .. } in &examples {
        assert_eq!(text.contains(&format!("alias `{name}`: ")), missing.is_some(), "{text}");
    }
}

#[tokio::test]
async fn names_of_the_project_s_own_load_once_they_are_registered() {
    let join = |key: &str, prefix: &str, version: u64| format!("{prefix}:{version}:{key}");
    for example in of_django().iter().filter(|example| example.caches.to_string().contains("path.to.")) {
        let builder = Caches::builder().backend(OfTheProject).key_function("path.to.function", join);
        works(builder.json(&example.caches.to_string()), example.name).await;
    }
}

async fn check(Example { name, caches, missing }: &Example) {
    let builder = Caches::builder().json(&caches.to_string());
    let Some(missing) = missing else { return works(builder, name).await };
    let text = refused(builder).await;
    println!("{name}: {text}");
    assert!(text.contains(missing), "{name}: {text}");
    if missing.contains("not supported yet") {
        let backend = caches["default"]["BACKEND"].as_str().expect("it is text");
        assert!(text.contains(backend), "{name}: {text}");
    }
}

async fn works(builder: CachesBuilder, name: &str) {
    let caches = builder.open().await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let cache = caches.default().expect("it is there");
    println!("{name}: loads");
    // A server need not be there when a configuration is loaded, and is not here.
    if let Err(error) = cache.aset("key", "value", Timeout::Default).await {
        assert_eq!(error.kind(), ErrorKind::Connection, "{name}: {error}");
        return;
    }
    cache.aget::<String>("key").await.expect("it answers");
}

/// What is said of it; never the password.
async fn refused(builder: CachesBuilder) -> String {
    let error = builder.open().await.expect_err("something is missing");
    assert_eq!(error.kind(), ErrorKind::Config);
    let text = error.to_string();
    assert!(!text.contains(PASSWORD) && !format!("{error:?}").contains(PASSWORD), "{text}");
    text
}

/// What stands as `path.to.backend`.
#[derive(Debug)]
struct OfTheProject;

#[async_trait::async_trait]
impl Backend for OfTheProject {
    fn name(&self) -> &'static str {
        "path.to.backend"
    }

    async fn open(&self, _: Settings, _: &Context) -> Result<Opened> {
        Ok(Opened::Local(Arc::new(DummyStore)))
    }
}
