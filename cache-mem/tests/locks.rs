//! What happens beside a lock: nothing of a caller's runs under one, and no
//! future that stands still holds one.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Waker};
use std::time::Duration;

use cache_core::{Cache, Timeout};
use cache_mem::{MemSettings, MemStore};
use serde::{Deserialize, Serialize};

static ASKED: OnceLock<Cache> = OnceLock::new();
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// A value that asks the cache when it is dropped.
#[derive(Clone, Serialize, Deserialize)]
struct Curious {
    name: String,
}

impl Drop for Curious {
    fn drop(&mut self) {
        if let Some(cache) = ASKED.get() {
            assert!(cache.stats().entries.is_some());
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test]
async fn values_are_dropped_outside_of_every_lock() {
    let mut settings = MemSettings::default();
    settings.max_entries = 8;
    let cache = Cache::new(MemStore::with_clock(&settings, Arc::new(cache_core::SystemClock)));
    let set = async |key: &str, cache: &Cache| {
        let value = Arc::new(Curious { name: key.to_owned() });
        cache.aset_arc(key, value, Timeout::Forever).await.expect("memory takes it");
    };
    ASKED.get_or_init(|| cache.clone());
    for round in 0..20 {
        set("same", &cache).await;
        set(&format!("key-{round}"), &cache).await;
    }
    cache.adelete("same").await.expect("memory answers");
    set("moved", &cache).await;
    set("moved", &cache.at_version(2)).await;
    cache.aincr_version("moved", 1).await.expect("it is there");
    cache.aclear().await.expect("memory clears");
    assert_eq!(DROPPED.load(Ordering::Relaxed), 42);
}

#[tokio::test]
async fn a_clear_that_stands_still_holds_up_nobody() {
    let cache = Cache::new(MemStore::new());
    cache.aset("old", &1, Timeout::Forever).await.expect("memory takes it");
    let mut clear = pin!(cache.aclear());
    assert!(
        clear.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending(),
        "it goes step by step"
    );

    let others = async {
        cache.aset("new", &2, Timeout::Forever).await?;
        cache.aincr_version("new", 1).await?;
        cache.aset("newer", &3, Timeout::Forever).await
    };
    tokio::time::timeout(Duration::from_secs(5), others)
        .await
        .expect("nobody waits")
        .expect("memory does it");
    assert_eq!(cache.aget::<i64>("newer").await.expect("memory answers"), Some(3));

    clear.await.expect("it goes on");
    for version in [1, 2] {
        assert!(!cache.at_version(version).ahas_key("old").await.expect("memory answers"));
    }
}

/// An entry that was there before a clear began is gone after it, also if it
/// was moved meanwhile out of a shard that the clear had not reached.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_move_carries_an_entry_past_a_clear() {
    let cache = Cache::new(MemStore::new());
    for round in 0..300 {
        for number in 0..16 {
            cache
                .aset(&format!("{round}-{number}"), &number, Timeout::Forever)
                .await
                .expect("memory takes it");
        }
        let mover = tokio::spawn({
            let cache = cache.clone();
            async move {
                for number in 0..16 {
                    let _ = cache.aincr_version(&format!("{round}-{number}"), 1).await;
                }
            }
        });
        cache.aclear().await.expect("memory clears");
        mover.await.expect("no panic");
        assert_eq!(cache.stats().entries, Some(0), "round {round}");
    }
}

/// A move that meets a clear ends the entry, and what it would have replaced.
#[tokio::test]
async fn a_move_under_a_clear_leaves_nothing_older_behind() {
    let cache = Cache::new(MemStore::new());
    let mut clear = pin!(cache.aclear());
    assert!(
        clear.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending(),
        "it goes step by step"
    );
    for number in 0..50 {
        let key = format!("key-{number}");
        cache.at_version(2).aset(&key, &1, Timeout::Forever).await.expect("memory takes it");
        cache.aset(&key, &2, Timeout::Forever).await.expect("memory takes it");
        cache.aincr_version(&key, 1).await.expect("it is there");
        assert_ne!(cache.at_version(2).aget::<i64>(&key).await.expect("memory answers"), Some(1));
    }
}

#[tokio::test]
async fn what_expired_is_counted_whoever_finds_it() {
    let clock = Arc::new(cache_testkit::ManualClock::new());
    let context =
        cache_core::Context::new("test").with_clock(Arc::<cache_testkit::ManualClock>::clone(&clock));
    let store =
        MemStore::open(None, &MemSettings::default(), &context).expect("there is nobody to disagree with");
    let cache = Cache::builder(Arc::new(store)).context(&context).build();
    for key in ["read", "deleted", "written", "moved"] {
        cache.aset(key, &1, Duration::from_secs(1)).await.expect("memory takes it");
    }
    clock.advance(Duration::from_secs(2));
    assert_eq!(cache.aget::<i64>("read").await.expect("memory answers"), None);
    assert!(!cache.adelete("deleted").await.expect("memory answers"));
    cache.aset("written", &2, Timeout::Forever).await.expect("memory takes it");
    assert!(cache.aincr_version("moved", 1).await.is_err());
    assert_eq!(cache.stats().expirations, 4);
}
