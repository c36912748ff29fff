//! The conformance suite on the store of `examples/custom_backend.rs`, opened
//! as a configuration opens it; and before it, what the suite cannot know.

use std::process::ExitCode;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use std::{fs, path};

use cache_sdk::core::{
    Entry, Format, Key, KeySpace, NewEntry, Read, Shared, Token, Trip, TripSettings, When, Write,
};
use cache_sdk::{
    AliasSettings, AsyncCache, Backend, Caches, Context, ErrorKind, Life, Opened, SettingValue, Settings,
    Timeout,
};
use cache_testkit::{ManualClock, Setup, Subject, Suite};
use custom_backend::ShelfBackend;

#[path = "../examples/custom_backend.rs"]
#[expect(dead_code, reason = "its program is not run here")]
mod custom_backend;

fn main() -> ExitCode {
    the_page_quotes_the_example();
    let runtime = tokio::runtime::Runtime::new().expect("threads can be had");
    runtime.block_on(a_full_shelf_refuses_new_keys());
    runtime.block_on(one_location_is_one_shelf());
    runtime.block_on(what_cannot_be_used_is_refused());
    runtime.block_on(a_condition_that_is_not_promised_is_refused());
    Suite::new()
        .subject(Subject::new("shelf", of_its_own).owns_store())
        .subject(Subject::new("shelf_under_trip", under_trip).owns_store())
        .subject(Subject::new("shelf_shared", shared))
        .subject(Subject::new("shelf_in_real_time", of_its_own).owns_store().real_time())
        .run()
}

async fn of_its_own(setup: Setup) -> Arc<dyn AsyncCache> {
    open(roomy(Settings::default()), setup.context()).await
}

/// As the facade would put it, were it a store elsewhere.
async fn under_trip(setup: Setup) -> Arc<dyn AsyncCache> {
    let settings = TripSettings::new("suite", setup.context().deadline, setup.clock());
    Arc::new(Trip::new(of_its_own(setup).await, settings))
}

/// One shelf for all cases at once, each of which closes its alias of it.
async fn shared(setup: Setup) -> Arc<dyn AsyncCache> {
    static SHARED: LazyLock<Shared> = LazyLock::new(Shared::default);
    let mut context = setup.context().clone();
    context.shared = SHARED.clone();
    open(roomy(Settings::new(vec!["hall".to_owned()])), &context).await
}

/// More than all cases together write, also at a larger scale.
fn roomy(settings: Settings) -> Settings {
    settings.with("max_entries", SettingValue::Integer(i64::MAX))
}

async fn open(settings: Settings, context: &Context) -> Arc<dyn AsyncCache> {
    match ShelfBackend.open(settings, context).await {
        Ok(Opened::Local(store)) => store,
        outcome => panic!("a store in this process is opened at once: {outcome:?}"),
    }
}

async fn a_full_shelf_refuses_new_keys() {
    let clock = Arc::new(ManualClock::new());
    let two = AliasSettings::new("acme.cache.ShelfCache").option("max_entries", 2);
    let caches = Caches::builder().backend(ShelfBackend).clock(clock.clone()).alias("default", two);
    let caches = caches.open().await.expect("it is configured well");
    let cache = caches.default().expect("it is there");
    cache.aset("short", &1, Duration::from_secs(1)).await.expect("there is room");
    cache.aset("long", &2, Timeout::Forever).await.expect("there is room");

    let refused = cache.aset("new", &3, Timeout::Forever).await.expect_err("there is none");
    assert_eq!(refused.kind(), ErrorKind::Full);
    let outcome = cache.set_many([("long", &4), ("new", &3)], Timeout::Forever).await;
    assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::Full));
    assert_eq!(cache.aget("long").await.expect("it answers"), Some(4), "what is there can be replaced");
    assert!(!cache.aadd("long", &5, Timeout::Forever).await.expect("it is there, full or not"));
    assert_eq!(cache.aincr_version("long", 1).await.expect("a move takes no room"), 2);

    clock.advance(Duration::from_secs(2));
    cache.aset("new", &3, Timeout::Forever).await.expect("what has expired gives way");
    let refused = cache.aset("newer", &4, Timeout::Forever).await.expect_err("it is full again");
    assert_eq!(refused.kind(), ErrorKind::Full);
    assert!(cache.adelete("new").await.expect("it is there"));
    cache.aset("newer", &4, Timeout::Forever).await.expect("there is room");
    assert_eq!(cache.at_version(2).aget("long").await.expect("it answers"), Some(4));
}

async fn one_location_is_one_shelf() {
    let alias =
        |limit| AliasSettings::new("acme.cache.ShelfCache").location(["hall"]).option("max_entries", limit);
    let elsewhere = r#"{"elsewhere": {"BACKEND": "acme.cache.ShelfCache", "OPTIONS": {"MAX_ENTRIES": 1}}}"#;
    let caches = Caches::builder().backend(ShelfBackend).alias("one", alias(1)).alias("two", alias(2));
    let caches = caches.json(elsewhere).open().await.expect("it is configured well");
    let [one, two, elsewhere] =
        ["one", "two", "elsewhere"].map(|alias| caches.get(alias).expect("it is there"));
    two.aset("a", &1, Timeout::Forever).await.expect("there is room");
    assert_eq!(one.aget("a").await.expect("it answers"), Some(1));
    two.aset("b", &2, Timeout::Forever).await.expect("there is room by its own limit");
    one.aset("a", &3, Timeout::Forever).await.expect("it is there, beyond its limit or not");
    elsewhere.aset("c", &4, Timeout::Forever).await.expect("it is a shelf of its own");
    let refused = elsewhere.aset("d", &5, Timeout::Forever).await.expect_err("as Django's spelling says");
    assert_eq!(refused.kind(), ErrorKind::Full);
    assert_eq!(elsewhere.aget::<i64>("a").await.expect("it answers"), None);
    one.aclose().await.expect("it ends");
    assert_eq!(two.aget("a").await.expect("it answers"), Some(3), "closing one leaves the other's");
}

async fn what_cannot_be_used_is_refused() {
    let shelf = || AliasSettings::new("acme.cache.ShelfCache");
    for (settings, named) in [
        (shelf().option("max_entries", 0), "`max_entries`"),
        (shelf().option("cull", 3), "`cull`"),
        (shelf().location(["hall", "attic"]), "`location`"),
    ] {
        let caches = Caches::builder().backend(ShelfBackend).alias("default", settings);
        let error = caches.open().await.expect_err("it cannot be used");
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(named), "{error}");
    }
}

async fn a_condition_that_is_not_promised_is_refused() {
    let store = open(Settings::default(), &Context::new("default")).await;
    let (space, format) = (KeySpace::new("", 1), Format::default());
    let (key, value) = (Key::new(&space, "key"), NewEntry::of(Entry::from_integer(1), &format));
    let unchanged = When::Unchanged(Token::from_number(1));
    for there in [false, true] {
        let write = Write::new(Life::Forever).when(unchanged.clone());
        let refused = store.aset(&key, &value, write).await.expect_err("it gives no tokens");
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        let refused = store.adelete(&key, &unchanged).await.expect_err("it gives no tokens");
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        assert_eq!(store.ahas_key(&key, Read::LEADER).await.expect("it answers"), there);
        store.aset(&key, &value, Write::new(Life::Forever)).await.expect("there is room");
    }
}

/// Every excerpt of `docs/writing-a-backend.md` stands in the example or here
/// as it stands there, a comment of dots aside. (The page is not published.)
fn the_page_quotes_the_example() {
    let root = path::Path::new(env!("CARGO_MANIFEST_DIR"));
    if !root.join("docs").exists() {
        return;
    }
    let page = fs::read_to_string(root.join("docs/writing-a-backend.md")).expect("the page is there");
    let sources = [include_str!("../examples/custom_backend.rs"), include_str!("custom_backend.rs")];
    let sources = sources.map(unindented);
    let excerpts: Vec<_> =
        page.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!excerpts.is_empty());
    for excerpt in excerpts {
        for part in unindented(excerpt).split("// ...\n") {
            assert!(sources.iter().any(|source| source.contains(part)), "not in the example:\n{part}");
        }
    }
}

fn unindented(text: &str) -> String {
    text.lines().flat_map(|line| [line.trim_start(), "\n"]).collect()
}
