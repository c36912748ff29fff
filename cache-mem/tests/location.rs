//! Aliases that come and go while others of their location work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cache_core::{AsyncCache, Cache, Context, Timeout};
use cache_mem::{MemSettings, MemStore};

fn open(context: &Context) -> MemStore {
    MemStore::open(Some("here"), &MemSettings::default(), context).expect("all have the same settings")
}

/// The last alias frees the memory, but only if it is the last: one that is
/// being opened at the same moment keeps what it writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_that_closes_takes_nothing_from_one_that_opens() {
    let context = Context::new("test");
    let done = Arc::new(AtomicBool::new(false));
    let others = tokio::spawn({
        let (context, done) = (context.clone(), Arc::clone(&done));
        async move {
            while !done.load(Ordering::Relaxed) {
                open(&context).aclose().await.expect("memory can always be freed");
                tokio::task::yield_now().await;
            }
        }
    });
    let keys: Vec<_> = (0..32).map(|n| format!("key {n}")).collect();
    let mut lost = 0;
    for round in 0..20_000 {
        let cache = Cache::new(open(&context));
        cache
            .set_many(keys.iter().map(|key| (key, &round)), Timeout::Forever)
            .await
            .expect("memory takes it");
        tokio::task::yield_now().await;
        let found = cache.get_many::<i64, _>(&keys).await.expect("memory answers");
        lost += keys.len() - found.values().filter(|found| **found == round).count();
        cache.aclose().await.expect("memory can always be freed");
    }
    done.store(true, Ordering::Relaxed);
    others.await.expect("it does not panic");
    assert_eq!(lost, 0, "acknowledged writes are gone");
}
