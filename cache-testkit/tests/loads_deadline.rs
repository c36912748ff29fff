//! Loaders that hang, and callers who have more or less time.

mod loads_rig;

use std::collections::HashMap;
use std::time::Duration;

use cache_core::{ErrorKind, Result, Timeout};
use cache_testkit::Call;

use loads_rig::{Asked, GRACE, LOAD_DEADLINE, Rig, Source, finished, ms, near_and_far, poll};

/// A caller with a load deadline of its own: what it got, and after how long.
fn with_deadline(
    rig: &Rig,
    deadline: Duration,
    source: &Source,
) -> tokio::task::JoinHandle<(Result<String>, Duration)> {
    let (cache, clock, loader) = (rig.cache.clone(), rig.time(), source.gives("loaded".to_owned()));
    let began = clock.now();
    tokio::spawn(async move {
        let answer = cache.load("key").timeout(Timeout::Forever).load_deadline(deadline).run(loader).await;
        (answer.map(|value| (*value).clone()), clock.now().since(began))
    })
}

async fn ended_after(
    rig: &Rig,
    call: tokio::task::JoinHandle<(Result<String>, Duration)>,
    deadline: Duration,
) {
    rig.turns().await;
    assert!(call.is_finished(), "it was to end after {deadline:?}");
    let (answer, took) = finished(call).await;
    assert_eq!(answer.expect_err("the loader hangs").kind(), ErrorKind::Deadline);
    assert!(took >= deadline && took <= deadline + GRACE, "{took:?} instead of {deadline:?}");
}

#[tokio::test]
async fn a_hanging_loader_ends_for_all_at_the_load_deadline_of_the_alias() {
    for rig in near_and_far() {
        let hangs = Source::held();
        let callers: Vec<_> = (0..10).map(|_| rig.spawn("key", &hangs, 1)).collect();
        rig.clock.pass(LOAD_DEADLINE.saturating_sub(ms(1))).await;
        assert!(callers.iter().all(|caller| !caller.is_finished()));
        assert_eq!((hangs.begun(), hangs.alive()), (1, 1));
        rig.clock.pass(ms(1) + GRACE).await;
        for caller in callers {
            let error = finished(caller).await.expect_err("the loader hangs");
            assert_eq!(error.kind(), ErrorKind::Deadline);
        }
        assert_eq!((hangs.alive(), hangs.ended()), (0, 0), "the loader is dropped");
        rig.is_at_rest().await;
        assert_eq!((rig.cache.stats().loads_timed_out, rig.cache.stats().loads), (1, 1));
        assert!(rig.loads_anew("key").await);
    }
}

/// The deadline is that of the load, and counts from its beginning.
#[tokio::test]
async fn who_comes_late_is_freed_with_the_others() {
    for rig in near_and_far() {
        let hangs = Source::held();
        let early = rig.spawn("key", &hangs, 1);
        rig.clock.pass(LOAD_DEADLINE.saturating_sub(ms(100))).await;
        let late = rig.spawn("key", &hangs, 1);
        rig.clock.pass(ms(100) + GRACE).await;
        for caller in [early, late] {
            assert_eq!(finished(caller).await.expect_err("it hangs").kind(), ErrorKind::Deadline);
        }
        assert_eq!(hangs.begun(), 1);
        rig.is_at_rest().await;
    }
}

#[tokio::test]
async fn one_call_may_give_its_loader_more_or_less_time_than_the_alias() {
    for deadline in [ms(200), LOAD_DEADLINE + ms(3_000)] {
        for rig in near_and_far() {
            let hangs = Source::held();
            let call = with_deadline(&rig, deadline, &hangs);
            rig.clock.pass(deadline.saturating_sub(ms(1))).await;
            assert!(!call.is_finished());
            assert_eq!(hangs.alive(), 1);
            rig.clock.pass(ms(1) + GRACE).await;
            ended_after(&rig, call, deadline).await;
            assert_eq!(hangs.alive(), 0);
            rig.is_at_rest().await;
            assert!(rig.loads_anew("key").await);
        }
    }
}

#[tokio::test]
async fn a_waiter_with_less_time_leaves_earlier_and_ends_nothing() {
    for rig in near_and_far() {
        let source = Source::held();
        let patient = rig.spawn("key", &source, "for the patient".to_owned());
        rig.clock.pass(ms(50)).await;
        let hasty = with_deadline(&rig, ms(100), &source);
        rig.clock.pass(ms(100) + GRACE).await;
        ended_after(&rig, hasty, ms(100)).await;
        assert!(!patient.is_finished());
        assert_eq!((source.begun(), source.alive(), rig.cache.stats().loads_timed_out), (1, 1, 0));
        source.let_go();
        assert_eq!(*finished(patient).await.expect("the load went on"), "for the patient");
        assert_eq!(
            rig.cache.aget::<String>("key").await.expect("healthy").as_deref(),
            Some("for the patient")
        );
        rig.is_at_rest().await;
    }
}

/// A waiter with more time than the load has does not make it longer.
#[tokio::test]
async fn a_waiter_with_more_time_is_freed_when_the_load_is() {
    for rig in near_and_far() {
        let hangs = Source::held();
        let claims = with_deadline(&rig, ms(100), &hangs);
        rig.turns().await;
        let waits = with_deadline(&rig, ms(5_000), &hangs);
        rig.clock.pass(ms(100) + GRACE).await;
        ended_after(&rig, claims, ms(100)).await;
        ended_after(&rig, waits, ms(100)).await;
        assert_eq!((hangs.begun(), hangs.alive()), (1, 0));
        rig.is_at_rest().await;
    }
}

/// What is stored already need not be awaited any longer than the store takes.
#[tokio::test]
async fn a_value_that_is_being_stored_is_no_hanging_loader() {
    let rig = Rig::with(true, |builder| builder.deadline(ms(60_000)));
    let gate = rig.faulty.on([Call::Set]).pause();
    let call = rig.spawn("key", &Source::open(), 1);
    gate.reached(1).await;
    rig.clock.pass(LOAD_DEADLINE + ms(100)).await;
    assert!(!call.is_finished());
    gate.open();
    assert_eq!(*finished(call).await.expect("it was loaded in time"), 1);
    assert_eq!(rig.cache.stats().loads_timed_out, 0);
    rig.is_at_rest().await;
}

/// Once the store has had its time, the loaded value is what everybody gets.
#[tokio::test]
async fn a_value_that_cannot_be_stored_in_time_is_given_all_the_same() {
    let rig = Rig::with(true, |builder| builder.deadline(ms(100)));
    rig.faulty.on([Call::Set]).stall();
    let callers: Vec<_> = (0..3).map(|_| rig.spawn("key", &Source::open(), 1)).collect();
    rig.clock.pass(ms(99)).await;
    assert!(callers.iter().all(|caller| !caller.is_finished()));
    rig.clock.pass(ms(1) + GRACE).await;
    for caller in callers {
        assert_eq!(*finished(caller).await.expect("it was loaded"), 1);
    }
    rig.is_at_rest().await;
    let stats = rig.cache.stats();
    assert_eq!((stats.publishes_failed, stats.writes, stats.loads), (1, 0, 1));
}

#[tokio::test]
async fn a_hanging_loader_of_a_batch_fails_its_keys_and_no_others() {
    for rig in near_and_far() {
        rig.cache.aset("there", &0, Timeout::Forever).await.expect("a healthy store");
        let hangs = Source::held();
        let (cache, loading) = (rig.cache.clone(), hangs.clone());
        let batch = tokio::spawn(async move {
            let loader = |_| async move {
                loading.run().await;
                Ok::<_, cache_core::Error>(HashMap::<String, i64>::new())
            };
            cache.load_many(["there", "a", "b"]).load_deadline(ms(300)).try_run_partial(loader).await
        });
        rig.turns().await;
        let waits = rig.spawn("b", &hangs, 1);
        rig.clock.pass(ms(300) + GRACE).await;
        let partial = finished(batch).await.expect("it is open");
        assert_eq!(partial.found.keys().collect::<Vec<_>>(), [&"there"]);
        let failed: Vec<_> = partial.failed.iter().map(|(key, error)| (*key, error.kind())).collect();
        assert_eq!(failed, [("a", ErrorKind::Deadline), ("b", ErrorKind::Deadline)]);
        assert_eq!(finished(waits).await.expect_err("it hangs").kind(), ErrorKind::Deadline);
        assert_eq!((hangs.begun(), hangs.alive(), rig.cache.stats().loads_timed_out), (1, 0, 1));
        rig.is_at_rest().await;
    }
}

/// Its time is that of the whole call, however much of it one key has taken.
#[tokio::test]
async fn a_batch_with_less_time_leaves_what_others_load_at_its_own_deadline() {
    for rig in near_and_far() {
        let (first, second) = (Source::held(), Source::held());
        let others = [rig.spawn("a", &first, 1), rig.spawn("b", &second, 2)];
        rig.turns().await;
        let cache = rig.cache.clone();
        let batch = tokio::spawn(async move {
            let loader = async |_| Ok::<_, cache_core::Error>(HashMap::<String, i32>::new());
            cache.load_many(["a", "b"]).load_deadline(ms(100)).try_run_partial(loader).await
        });
        rig.clock.pass(ms(90)).await;
        first.let_go();
        rig.turns().await;
        assert!(!batch.is_finished());
        rig.clock.pass(ms(10) + GRACE).await;
        let partial = finished(batch).await.expect("it is open");
        assert_eq!((*partial.found["a"], partial.failed.len()), (1, 1));
        assert_eq!((partial.failed[0].0, partial.failed[0].1.kind()), ("b", ErrorKind::Deadline));
        second.let_go();
        for (other, value) in others.into_iter().zip([1, 2]) {
            assert_eq!(*finished(other).await.expect("it goes on"), value);
        }
        rig.is_at_rest().await;
    }
}

/// A deadline of zero leaves no time for anything that has to be awaited.
#[tokio::test]
async fn a_load_deadline_of_zero_hangs_nobody() {
    for rig in near_and_far() {
        let hangs = Source::held();
        let call = with_deadline(&rig, Duration::ZERO, &hangs);
        rig.clock.pass(GRACE).await;
        ended_after(&rig, call, Duration::ZERO).await;
        rig.is_at_rest().await;
        assert_eq!(hangs.alive(), 0);
    }
}

/// The handle's own deadline is for the store, and not for the loader.
#[tokio::test]
async fn the_deadline_of_the_handle_does_not_end_a_loader() {
    for is_far in [false, true] {
        let rig = Rig::with(is_far, |builder| builder.deadline(ms(50)));
        let source = Source::held();
        let call = rig.spawn("key", &source, 1);
        rig.clock.pass(ms(500)).await;
        assert!(!call.is_finished());
        source.let_go();
        assert_eq!(*finished(call).await.expect("it had time"), 1);
        rig.is_at_rest().await;
    }
}

/// To store a value takes as long as the alias says, for all who wait for it.
#[tokio::test]
async fn the_deadline_of_the_handle_is_not_that_of_storing_the_value() {
    for own in [ms(20), ms(60_000)] {
        let rig = Rig::with(true, |builder| builder.deadline(ms(100)));
        let gate = rig.faulty.on([Call::Set]).pause();
        let cache = rig.cache.with_deadline(own);
        let call = tokio::spawn(async move { cache.aget_or_set("key", Timeout::Forever, async || 1).await });
        gate.reached(1).await;
        rig.clock.pass(ms(99)).await;
        assert_eq!((call.is_finished(), rig.cache.stats().publishes_failed), (false, 0));
        rig.clock.pass(ms(1) + GRACE).await;
        assert_eq!((call.is_finished(), rig.cache.stats().publishes_failed), (true, 1));
        assert_eq!(*finished(call).await.expect("it was loaded"), 1);
        rig.is_at_rest().await;
    }
}

/// A loader whose end and whose deadline come with the same turn of the clock.
#[tokio::test]
async fn a_loader_that_ends_with_its_deadline_ends_one_way_or_the_other() {
    for rig in near_and_far() {
        let clock = rig.time();
        let until = clock.now().after(LOAD_DEADLINE);
        let cache = rig.cache.clone();
        let mut call: Asked<_> = Box::pin(async move {
            let loader = move || async move {
                clock.sleep_until(until).await;
                1
            };
            cache.aget_or_set("key", Timeout::Forever, loader).await
        });
        assert!(poll(&mut call).is_pending());
        let call = tokio::spawn(call);
        rig.clock.pass(LOAD_DEADLINE + GRACE).await;
        let answer = finished(call).await.map(|value| *value).map_err(|error| error.kind());
        assert!(matches!(answer, Ok(1) | Err(ErrorKind::Deadline)), "{answer:?}");
        rig.is_at_rest().await;
        let there = rig.cache.aget::<i64>("key").await.expect("a healthy store");
        assert_eq!(there.is_some(), answer.is_ok());
    }
}
