//! The deadline of a handle, over a trip that has one of its own.

mod rig;

use std::collections::HashMap;
use std::time::Duration;

use cache_core::{AsyncCache, Cache, ErrorKind, Timeout};
use cache_testkit::Call;

use rig::{DEADLINE, GRACE, IDLE, Rig, ms, tasks};

const TEN: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

/// A store that takes two keys at once and 40 ms for them, and ten entries in it.
async fn slow(rig: &Rig) -> Cache {
    let cache = rig.handle().build();
    cache.set_many(TEN.map(|key| (key, &1)), Timeout::Forever).await.expect("a healthy store");
    rig.faulty.on([Call::GetMany, Call::SetMany, Call::DeleteMany]).delay(rig.time(), ms(40));
    cache
}

fn is_in_time(rig: &Rig, began: cache_core::Tick, deadline: Duration) {
    let took = rig.now().since(began);
    assert!(took >= deadline && took <= deadline + GRACE, "{took:?}");
}

#[tokio::test]
async fn it_covers_all_chunks_of_a_bulk_read() {
    let rig = Rig::with_batch(2);
    let cache = slow(&rig).await;
    let began = rig.now();
    let reader = cache.clone();
    let error = rig.finish(async move { reader.get_many::<i64, _>(TEN).await }).await.expect_err("too slow");
    assert_eq!(error.kind(), ErrorKind::Deadline);
    is_in_time(&rig, began, DEADLINE);
    rig.clock.pass(IDLE).await;
    assert_eq!(rig.faulty.begun(Call::GetMany), 3, "nothing goes on behind the caller's back");
    assert!(!rig.trip.is_down(), "each exchange was in time");

    let patient = cache.with_deadline(Duration::from_secs(1));
    let found = rig.finish(async move { patient.get_many::<i64, _>(TEN).await }).await;
    assert_eq!(found.expect("time enough").len(), 10);
}

#[tokio::test]
async fn it_covers_all_chunks_of_a_bulk_write_and_delete() {
    let rig = Rig::with_batch(2);
    let cache = slow(&rig).await;
    let began = rig.now();
    let writer = cache.clone();
    let pairs = TEN.map(|key| (key, &2));
    let set = rig.finish(async move { writer.set_many(pairs, Timeout::Forever).await }).await;
    assert_eq!(set.expect_err("too slow").kind(), ErrorKind::Deadline);
    is_in_time(&rig, began, DEADLINE);

    let began = rig.now();
    let writer = cache.clone();
    let deleted = rig.finish(async move { writer.delete_many(TEN).await }).await;
    assert_eq!(deleted.expect_err("too slow").kind(), ErrorKind::Deadline);
    is_in_time(&rig, began, DEADLINE);

    let patient = cache.with_deadline(Duration::from_secs(1));
    rig.finish(async move { patient.delete_many(TEN).await }).await.expect("time enough");
}

/// As the failures of all other operations are.
#[tokio::test]
async fn a_bulk_read_that_is_cut_off_is_counted_once() {
    let rig = Rig::with_batch(2);
    let cache = slow(&rig).await;
    let reader = cache.clone();
    rig.finish(async move { reader.get_many::<i64, _>(TEN).await }).await.expect_err("too slow");
    assert_eq!(cache.stats().errors.get(&ErrorKind::Deadline), Some(&1), "one operation failed");
}

/// Four keys were answered in time; that the others were not does not hide them.
#[tokio::test]
async fn a_partial_read_keeps_the_chunks_that_were_answered_in_time() {
    let rig = Rig::with_batch(2);
    let cache = slow(&rig).await;
    let reading = async move { cache.get_many_partial::<i64, _>(TEN).await };
    let partial = rig.finish(reading).await.expect("it is open");
    assert_eq!(partial.found, HashMap::from([("a", 1), ("b", 1), ("c", 1), ("d", 1)]));
    let failed: Vec<_> = partial.failed.iter().map(|(key, error)| (*key, error.kind())).collect();
    assert_eq!(failed, TEN[4..].iter().map(|key| (*key, ErrorKind::Deadline)).collect::<Vec<_>>());
}

/// As for every other failure of a bulk call: those that failed are listed.
#[tokio::test]
async fn a_bulk_write_that_is_cut_off_lists_the_keys_that_were_not_answered() {
    let rig = Rig::with_batch(2);
    let cache = slow(&rig).await;
    let pairs = TEN.map(|key| (key, &2));
    let writer = cache.clone();
    let set = rig.finish(async move { writer.set_many(pairs, Timeout::Forever).await }).await;
    let deleted = rig.finish(async move { cache.delete_many(TEN).await }).await;
    for error in [set.expect_err("too slow"), deleted.expect_err("too slow")] {
        let positions: Vec<_> = error.failures().iter().map(|(position, _)| *position).collect();
        assert_eq!(positions, [4, 5, 6, 7, 8, 9]);
    }
}

#[tokio::test]
async fn one_call_may_have_its_own() {
    let rig = Rig::new();
    let cache = rig.handle().build();
    rig.faulty.on(Call::ALL).delay(rig.time(), ms(60));
    let began = rig.now();
    let hasty = cache.with_deadline(ms(20));
    let error = rig.finish(async move { hasty.aincr("a", 1).await }).await.expect_err("too slow");
    assert_eq!(error.kind(), ErrorKind::Deadline);
    is_in_time(&rig, began, ms(20));
    let writer = cache.clone();
    rig.finish(async move { writer.aset("a", &1, Timeout::Forever).await }).await.expect("time enough");
    assert!(!rig.trip.is_down());
}

#[tokio::test]
async fn a_clear_is_bound_by_its_steps_only() {
    let rig = Rig::new();
    let cache = rig.handle().build();
    cache.aset("a", &1, Timeout::Forever).await.expect("a healthy store");
    rig.faulty.on([Call::Clear]).delay_in_steps(rig.time(), ms(60), 10);
    let began = rig.now();
    let clearing = cache.clone();
    rig.finish(async move { clearing.aclear().await }).await.expect("it made steps");
    assert!(rig.now().since(began) >= ms(600));
    assert_eq!(cache.aget::<i64>("a").await.expect("a healthy store"), None);

    rig.faulty.heal();
    rig.faulty.on([Call::Clear]).stall();
    let began = rig.now();
    let error = rig.finish(async move { cache.aclear().await }).await.expect_err("it makes none");
    assert_eq!(error.kind(), ErrorKind::Deadline);
    is_in_time(&rig, began, DEADLINE);
}

#[tokio::test]
async fn after_closing_every_call_is_closed_and_nothing_is_left() {
    let rig = Rig::new();
    let cache = rig.handle().build();
    rig.faulty.on([Call::Ping]).stall();
    rig.lose_connection();
    let clone = cache.at_version(2);
    cache.aclose().await.expect("it closes");
    assert_eq!(rig.faulty.begun(Call::Close), 1);
    assert_eq!(clone.aget::<i64>("a").await.expect_err("closed").kind(), ErrorKind::Closed);
    assert_eq!(clone.aset("a", &1, Timeout::Default).await.expect_err("closed").kind(), ErrorKind::Closed);
    clone.aclose().await.expect("a second time does nothing");
    assert_eq!(rig.faulty.begun(Call::Close), 1);
    rig.clock.pass(IDLE).await;
    assert_eq!(tasks(), 0);
}

/// What is under way may take the whole deadline. The store below is closed all
/// the same, or its connections would stay for ever: a second `aclose` does
/// nothing.
#[tokio::test]
async fn closing_reaches_the_store_even_if_what_is_under_way_takes_too_long() {
    let rig = Rig::new();
    let cache = rig.handle().build();
    cache.aset("a", &1, Timeout::Forever).await.expect("a healthy store");
    rig.faulty.on([Call::Clear]).delay_in_steps(rig.time(), ms(60), 100);
    rig.faulty.on([Call::Close]).delay(rig.time(), ms(5));
    let clearing = cache.clone();
    let clear = tokio::spawn(async move { clearing.aclear().await });
    rig.clock.pass(ms(10)).await;
    let closing = cache.clone();
    let closed = rig.finish(async move { closing.aclose().await }).await;
    rig.clock.pass(DEADLINE).await;
    // The store in memory lets go of its entries when it is closed.
    assert_eq!(rig.faulty.usage().entries, Some(0), "aclose said {closed:?}");
    clear.abort();
}
