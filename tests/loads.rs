//! Loads through the facade: who shares them, and what a configuration says of
//! them.
#![cfg(feature = "mem")]

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cache_sdk::{Cache, Caches, ErrorKind, Timeout};
use cache_testkit::ManualClock;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::Instrument as _;

const TWO_ALIASES: &str = r#"
    [caches.default]
    backend = "mem"
    location = "shared"
    load_deadline = "2s"

    [caches.other]
    backend = "mem"
    location = "shared"
"#;

/// Asks for the key, by a loader that counts itself and waits for a word.
fn ask(cache: &Cache, loads: &Arc<AtomicUsize>, word: oneshot::Receiver<u32>) -> JoinHandle<u32> {
    let (cache, loads) = (cache.clone(), Arc::clone(loads));
    tokio::spawn(async move {
        let loader = move || async move {
            loads.fetch_add(1, Ordering::SeqCst);
            word.await.expect("a word")
        };
        *cache.aget_or_set("key", Timeout::Default, loader).await.expect("a value")
    })
}

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Row 1 and row 130 of what Django promises: what is costly is done once, and
/// a callable gives what is missing.
#[tokio::test]
async fn handles_of_one_caches_share_a_load_and_aliases_do_not() {
    let caches = Caches::from_toml(TWO_ALIASES).await.expect("a configuration");
    let loads = Arc::new(AtomicUsize::new(0));
    let (say_first, first) = oneshot::channel();
    let (_never_said, second) = oneshot::channel();
    let (say_third, third) = oneshot::channel();

    let one = ask(&caches.default().expect("an alias"), &loads, first);
    settle().await;
    let two = ask(&caches.clone().get("default").expect("an alias"), &loads, second);
    let other = ask(&caches.get("other").expect("an alias"), &loads, third);
    settle().await;
    assert_eq!(loads.load(Ordering::SeqCst), 2, "one for each alias");

    say_first.send(1).expect("somebody listens");
    assert_eq!((one.await.expect("no panic"), two.await.expect("no panic")), (1, 1));
    say_third.send(2).expect("somebody listens");
    assert_eq!(other.await.expect("no panic"), 1, "the place is one: what was there first stays");
}

#[tokio::test]
async fn the_load_deadline_of_the_configuration_holds() {
    let clock = Arc::new(ManualClock::new());
    let configured = Caches::builder().toml(TWO_ALIASES).clock(Arc::<ManualClock>::clone(&clock));
    let cache = configured.open().await.expect("a configuration").default().expect("an alias");
    let hanging =
        tokio::spawn(async move { cache.aget_or_set("key", Timeout::Default, pending::<u32>).await });
    settle().await;
    clock.pass(Duration::from_millis(1_990)).await;
    assert!(!hanging.is_finished());
    clock.pass(Duration::from_millis(20)).await;
    let error = hanging.await.expect("no panic").expect_err("the loader hangs");
    assert_eq!(error.kind(), ErrorKind::Deadline);
    assert_eq!(
        error.to_string(),
        "aget_or_set on cache `default` failed: deadline passed: the loader did not end within its `load_deadline`"
    );
}

#[tokio::test]
async fn the_loader_runs_in_the_span_of_who_asked() {
    let _subscriber = tracing::subscriber::set_default(tracing_subscriber::registry());
    let cache = Caches::from_toml("").await.expect("a configuration").default().expect("an alias");
    let name = || async { tracing::Span::current().metadata().map(|span| span.name().to_owned()) };
    let asked = cache.aget_or_set("name", Timeout::Default, name);
    let asked = asked.instrument(tracing::info_span!("request")).await.expect("a value");
    assert_eq!(asked.as_deref(), Some("request"));
}
