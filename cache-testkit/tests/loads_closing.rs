//! Closing, and calls that are refused before anything is loaded.

mod loads_rig;

use std::collections::HashMap;

use cache_core::{ErrorKind, KeyCheck, Operation, Timeout};
use cache_testkit::Call;

use loads_rig::{Rig, Source, finished, ms, near_and_far, poll};

#[tokio::test]
async fn closing_while_something_is_loaded_frees_all_who_wait_at_once() {
    for rig in near_and_far() {
        let source = Source::held();
        let callers: Vec<_> = (0..3).map(|_| rig.spawn("key", &source, 1)).collect();
        rig.turns().await;
        assert_eq!(source.alive(), 1);
        let closing = rig.cache.clone();
        let close = tokio::spawn(async move { closing.aclose().await });
        for caller in callers {
            let error = finished(caller).await.expect_err("it is closed");
            assert_eq!(error.kind(), ErrorKind::Closed);
        }
        finished(close).await.expect("it closes");
        assert_eq!((source.alive(), source.ended()), (0, 0), "the loader is dropped");
        rig.is_at_rest().await;
    }
}

#[tokio::test]
async fn closing_frees_a_batch_and_those_who_wait_for_its_keys() {
    for rig in near_and_far() {
        let source = Source::held();
        let (cache, loading) = (rig.cache.clone(), source.clone());
        let batch = tokio::spawn(async move {
            let loader = |_| async move {
                loading.run().await;
                HashMap::<String, i64>::new()
            };
            cache.get_or_set_many(["a", "b"], Timeout::Forever, loader).await
        });
        rig.turns().await;
        let waits = rig.spawn("b", &Source::open(), 1);
        rig.turns().await;
        let closing = rig.cache.clone();
        finished(tokio::spawn(async move { closing.aclose().await })).await.expect("it closes");
        let error = finished(batch).await.expect_err("it is closed");
        assert_eq!((error.kind(), error.failures().len()), (ErrorKind::Closed, 2));
        assert_eq!(finished(waits).await.expect_err("it is closed").kind(), ErrorKind::Closed);
        assert_eq!(source.alive(), 0);
        rig.is_at_rest().await;
    }
}

#[tokio::test]
async fn closing_waits_for_a_value_on_its_way_into_the_store() {
    let rig = Rig::far();
    let gate = rig.faulty.on([Call::Set]).pause();
    let caller = rig.spawn("key", &Source::open(), 1);
    gate.reached(1).await;
    let closing = rig.cache.clone();
    let close = tokio::spawn(async move { closing.aclose().await });
    rig.clock.pass(ms(100)).await;
    assert!(!close.is_finished());
    assert_eq!(rig.faulty.begun(Call::Close), 0, "the store is not closed under it");
    gate.open();
    assert_eq!(*finished(caller).await.expect("it was loaded"), 1);
    finished(close).await.expect("it closes");
    assert_eq!((rig.faulty.begun(Call::Close), rig.cache.stats().writes), (1, 1));
    rig.is_at_rest().await;
}

/// Five seconds for its tasks, then the store is closed all the same.
#[tokio::test]
async fn closing_does_not_wait_for_ever_for_a_value_that_cannot_be_stored() {
    let rig = Rig::far();
    rig.faulty.on([Call::Set]).stall();
    let caller = rig.spawn("key", &Source::open(), 1);
    rig.turns().await;
    let closing = rig.cache.clone();
    let close = tokio::spawn(async move { closing.aclose().await });
    rig.clock.pass(ms(5_100)).await;
    assert!(close.is_finished());
    finished(close).await.expect("it closes");
    assert_eq!(rig.faulty.begun(Call::Close), 1);
    rig.faulty.heal();
    finished(caller).await.expect("it was loaded");
    rig.is_at_rest().await;
}

#[tokio::test]
async fn a_closed_cache_calls_no_loader() {
    for rig in near_and_far() {
        rig.cache.aset("there", &1, Timeout::Forever).await.expect("a healthy store");
        let source = Source::open();
        let mut early = rig.ask("key", &source, 1);
        rig.cache.aclose().await.expect("it closes");
        for key in ["key", "there"] {
            let error =
                rig.cache.aget_or_set(key, Timeout::Forever, source.gives(1)).await.expect_err("closed");
            assert_eq!((error.kind(), error.operation()), (ErrorKind::Closed, Some(Operation::GetOrSet)));
            assert_eq!(error.alias(), Some("rig"));
        }
        let batch = rig.cache.get_or_set_many(["key"], Timeout::Forever, |_| async {
            HashMap::<String, i64>::from([("key".to_owned(), 1)])
        });
        let error = batch.await.expect_err("closed");
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Closed, Some(Operation::GetOrSetMany)));
        // Made before it was closed, and polled after.
        let std::task::Poll::Ready(answer) = poll(&mut early) else { panic!("it waits") };
        assert_eq!(answer.expect_err("closed").kind(), ErrorKind::Closed);
        assert_eq!(source.begun(), 0);
        rig.is_at_rest().await;
    }
}

/// It was reading when the cache was closed, and finds nothing.
#[tokio::test]
async fn a_caller_whose_read_outlasts_the_closing_hangs_nowhere_and_stores_nothing() {
    let rig = Rig::far();
    let gate = rig.faulty.on([Call::Get]).times(1).pause();
    let hangs = Source::held();
    let caller = rig.spawn("key", &hangs, 1);
    gate.reached(1).await;
    let closing = rig.cache.clone();
    finished(tokio::spawn(async move { closing.aclose().await })).await.expect("it closes");
    gate.open();
    assert_eq!(finished(caller).await.expect_err("it is closed").kind(), ErrorKind::Closed);
    assert_eq!((hangs.alive(), rig.faulty.begun(Call::Set)), (0, 0));
    rig.is_at_rest().await;
}

#[tokio::test]
async fn a_key_that_is_refused_is_never_loaded() {
    for is_far in [false, true] {
        let rig = Rig::with(is_far, |builder| builder.key_check(KeyCheck::Error));
        let source = Source::open();
        let error =
            rig.cache.aget_or_set("a key", Timeout::Forever, source.gives(1)).await.expect_err("a blank");
        assert_eq!((error.kind(), error.operation()), (ErrorKind::InvalidKey, Some(Operation::GetOrSet)));
        assert_eq!((source.begun(), rig.cache.stats().loads, rig.cache.stats().misses), (0, 0, 0));
        assert_eq!(rig.cache.stats().errors[&ErrorKind::InvalidKey], 1);
        rig.is_at_rest().await;
    }
}

#[tokio::test]
async fn a_jitter_that_is_no_share_is_refused_before_anything_is_loaded() {
    for rig in near_and_far() {
        let source = Source::open();
        for share in [-0.1, 1.000_001, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = rig.cache.load("key").jitter(share).run(source.gives(1)).await.expect_err("no share");
            assert_eq!((error.kind(), error.operation()), (ErrorKind::Config, Some(Operation::GetOrSet)));
            let batch = rig.cache.load_many(["key"]).jitter(share);
            let error = batch.run(|_| async { HashMap::<String, i64>::new() }).await.expect_err("no share");
            assert_eq!((error.kind(), error.operation()), (ErrorKind::Config, Some(Operation::GetOrSetMany)));
        }
        assert_eq!((source.begun(), rig.cache.stats().loads), (0, 0));
        for share in [0.0, 1.0] {
            rig.cache.load("key").jitter(share).run(source.gives(1)).await.expect("a share");
            rig.cache.adelete("key").await.expect("a healthy store");
        }
        assert_eq!(source.begun(), 2);
        rig.is_at_rest().await;
    }
}
