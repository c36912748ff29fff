//! Many callers, one load.

mod loads_rig;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cache_core::{Cache, Clock, ErrorKind, Timeout};
use tokio::sync::Barrier;

use loads_rig::{Broken, GRACE, Rig, Source, finished, ms, near_and_far};

const CALLERS: usize = 1_000;

/// Another handle of the same alias, by the number of the caller.
fn handle(cache: &Cache, caller: usize) -> Cache {
    match caller % 4 {
        0 => cache.clone(),
        1 => cache.at_version(2).at_version(1),
        2 => cache.with_deadline(ms(60_000)),
        _ => cache.clone().clone(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_callers_at_once_share_one_load_and_its_value() {
    for rig in near_and_far() {
        let calls = Arc::new(AtomicUsize::new(0));
        let barrier = Arc::new(Barrier::new(CALLERS));
        let callers = (0..CALLERS).map(|caller| {
            let (cache, all) = (handle(&rig.cache, caller), rig.cache.clone());
            let (barrier, calls) = (Arc::clone(&barrier), Arc::clone(&calls));
            tokio::spawn(async move {
                barrier.wait().await;
                let loader = move || async move {
                    calls.fetch_add(1, Ordering::SeqCst);
                    // It ends when all others wait for it.
                    while all.stats().load_waits < CALLERS as u64 - 1 {
                        tokio::task::yield_now().await;
                    }
                    format!("loaded by {caller}")
                };
                cache.aget_or_set("key", Timeout::Forever, loader).await
            })
        });
        let callers: Vec<_> = callers.collect();
        let mut values = Vec::new();
        for caller in callers {
            values.push(caller.await.expect("no panic").expect("the loader gives a value"));
        }
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert!(values.iter().all(|value| Arc::ptr_eq(value, &values[0])));
        // The task counts what it stored just after it has told the callers.
        while !rig.opening.tasks.is_empty() {
            tokio::task::yield_now().await;
        }
        let stats = rig.cache.stats();
        assert_eq!((stats.loads, stats.load_waits), (1, CALLERS as u64 - 1));
        assert_eq!((stats.writes, stats.loading), (1, 0));
        assert_eq!(stats.errors.values().sum::<u64>(), 0);
    }
}

/// Some come while it is loaded, some while it is stored, some just after it:
/// those who saw nothing before, and claim the key after, look once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whenever_callers_come_there_is_one_load() {
    for rig in near_and_far() {
        for round in 0_usize..100 {
            let key = format!("key {round}");
            let calls = Arc::new(AtomicUsize::new(0));
            let barrier = Arc::new(Barrier::new(16));
            let callers = (0..16).map(|caller| {
                let (cache, key) = (handle(&rig.cache, caller), key.clone());
                let (barrier, calls) = (Arc::clone(&barrier), Arc::clone(&calls));
                tokio::spawn(async move {
                    barrier.wait().await;
                    let loader = move || async move { calls.fetch_add(1, Ordering::SeqCst) + 1 };
                    cache.aget_or_set(&key, Timeout::Forever, loader).await
                })
            });
            let callers: Vec<_> = callers.collect();
            for caller in callers {
                assert_eq!(*caller.await.expect("no panic").expect("the loader gives a value"), 1);
            }
            assert_eq!(calls.load(Ordering::SeqCst), 1);
        }
        assert_eq!(rig.cache.stats().loads, 100);
    }
}

#[tokio::test]
async fn a_loader_that_fails_after_a_second_fails_a_thousand_callers_then() {
    for rig in near_and_far() {
        let began = rig.clock.now();
        let callers = (0..CALLERS).map(|caller| {
            let (cache, clock) = (handle(&rig.cache, caller), rig.time());
            tokio::spawn(async move {
                let timer = Arc::clone(&clock);
                let loader = move || async move {
                    timer.sleep_until(began.after(ms(1_000))).await;
                    Err::<String, _>(Broken(7))
                };
                let answer = cache.aget_or_try_set("key", Timeout::Forever, loader).await;
                (answer, clock.now().since(began))
            })
        });
        let callers: Vec<_> = callers.collect();
        rig.clock.pass(ms(999)).await;
        assert!(callers.iter().all(|caller| !caller.is_finished()), "the loader has not ended");
        rig.clock.pass(ms(1) + GRACE).await;
        let mut errors = Vec::new();
        for caller in callers {
            let (answer, took) = finished(caller).await;
            assert!(took >= ms(1_000) && took <= ms(1_000) + GRACE, "{took:?}");
            errors.push(answer.expect_err("the loader fails"));
        }
        let first = errors[0].loader_error::<Broken>().expect("it is what the loader said");
        assert_eq!(*first, Broken(7));
        for error in &errors {
            assert_eq!(error.kind(), ErrorKind::Load);
            let same = error.loader_error::<Broken>().expect("it is what the loader said");
            assert!(std::ptr::eq(first, same), "the very error");
            assert!(error.loader_error::<std::io::Error>().is_none());
        }
        let stats = rig.cache.stats();
        assert_eq!((stats.loads, stats.loads_failed, stats.load_waits), (1, 1, CALLERS as u64 - 1));
        assert_eq!(stats.errors[&ErrorKind::Load], CALLERS as u64);
        assert_eq!(stats.writes, 0);
        // Nothing of the failure is kept.
        assert!(rig.loads_anew("key").await);
        rig.is_at_rest().await;
    }
}

/// Keys, versions and aliases are loaded apart.
#[tokio::test]
async fn other_keys_and_other_versions_have_loads_of_their_own() {
    for rig in near_and_far() {
        let source = Source::held();
        let first = rig.spawn("key", &source, 1);
        let other_key = rig.spawn("other", &source, 2);
        let (cache, loader) = (rig.cache.at_version(2), source.gives(3));
        let other_version =
            tokio::spawn(async move { cache.aget_or_set("key", Timeout::Forever, loader).await });
        rig.turns().await;
        assert_eq!((source.begun(), rig.cache.stats().loading), (3, 3));
        source.let_go();
        let values = [finished(first).await, finished(other_key).await, finished(other_version).await];
        assert_eq!(values.map(|value| *value.expect("a loader that works")), [1, 2, 3]);
        assert_eq!(rig.cache.stats().load_waits, 0);
        rig.is_at_rest().await;
    }
}

/// Two aliases of one store are two: each voids by its own writes only.
#[tokio::test]
async fn two_aliases_of_one_store_load_apart_and_the_first_to_store_wins() {
    let rig = Rig::far();
    let other = Cache::builder(Arc::<cache_testkit::Faulty>::clone(&rig.faulty)).clock(rig.time()).build();
    let (mine, others) = (Source::held(), Source::held());
    let first = rig.spawn("key", &mine, "mine".to_owned());
    let loader = others.gives("other".to_owned());
    let second = tokio::spawn(async move { other.aget_or_set("key", Timeout::Forever, loader).await });
    rig.turns().await;
    assert_eq!((mine.begun(), others.begun()), (1, 1));
    others.let_go();
    assert_eq!(*finished(second).await.expect("a loader that works"), "other");
    mine.let_go();
    // What is there is what everybody gets.
    assert_eq!(*finished(first).await.expect("a loader that works"), "other");
    assert_eq!(rig.cache.stats().publishes_refused, 1);
    assert_eq!(rig.cache.aget::<String>("key").await.expect("healthy").as_deref(), Some("other"));
}

#[tokio::test]
async fn a_future_that_is_never_polled_loads_nothing() {
    for rig in near_and_far() {
        let source = Source::open();
        drop(rig.ask("key", &source, 1));
        drop(rig.cache.load("key").run(source.gives(1)));
        drop(
            rig.cache
                .get_or_set_many(["key"], Timeout::Forever, |_| async { [("key".to_owned(), 1)].into() }),
        );
        rig.turns().await;
        assert_eq!((source.begun(), rig.cache.stats().loads, rig.faulty.begun_in_all()), (0, 0, 0));
        rig.is_at_rest().await;
    }
}
