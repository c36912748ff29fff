//! The store that misbehaves does so as it is told, and only so.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use cache_core::{AsyncCache, Batch, Cache, Clock, ErrorKind, Timeout};
use cache_mem::MemStore;
use cache_testkit::{Call, Faulty, ManualClock};

fn faulty() -> (Arc<Faulty>, Cache) {
    let faulty = Faulty::over(Arc::new(MemStore::new()));
    (Arc::clone(&faulty), Cache::builder(faulty).build())
}

/// A handle under which three integers are stored.
async fn filled() -> (Arc<Faulty>, Cache) {
    let (faulty, cache) = faulty();
    cache.set_many([("a", &1), ("b", &2), ("c", &3)], Timeout::Forever).await.expect("nothing was told");
    (faulty, cache)
}

async fn all(cache: &Cache) -> HashMap<&'static str, i64> {
    cache.get_many(["a", "b", "c"]).await.expect("nothing was told of reads")
}

#[tokio::test]
async fn untold_it_is_the_store_below() {
    let (faulty, cache) = filled().await;
    assert_eq!(all(&cache).await, HashMap::from([("a", 1), ("b", 2), ("c", 3)]));
    assert_eq!(cache.aincr("a", 4).await.expect("an integer"), 5);
    assert!(cache.adelete("b").await.expect("nothing was told"));
    assert_eq!(cache.aincr_version("c", 1).await.expect("it is there"), 2);
    cache.aclear().await.expect("nothing was told");
    assert_eq!(faulty.usage().entries, Some(0));
    assert_eq!((faulty.begun(Call::GetMany), faulty.begun(Call::Incr), faulty.begun_in_all()), (1, 1, 6));
    assert_eq!(faulty.inside_in_all(), 0);
}

#[tokio::test]
async fn it_fails_so_often_and_no_more() {
    let (faulty, cache) = filled().await;
    faulty.on([Call::Get, Call::HasKey]).times(2).fail(ErrorKind::ReadOnly);
    assert_eq!(cache.aget::<i64>("a").await.expect_err("as told").kind(), ErrorKind::ReadOnly);
    assert_eq!(cache.ahas_key("a").await.expect_err("as told").kind(), ErrorKind::ReadOnly);
    assert_eq!(cache.aget::<i64>("a").await.expect("twice only"), Some(1));
}

#[tokio::test]
async fn what_is_lost_was_answered_and_not_done() {
    let (faulty, cache) = filled().await;
    faulty.on(Call::ALL).lose();
    cache.aset("a", &9, Timeout::Forever).await.expect("it says so");
    cache.set_many([("a", &8), ("b", &9)], Timeout::Forever).await.expect("it says so");
    assert!(cache.adelete("b").await.expect("it says so"));
    cache.delete_many(["a", "c"]).await.expect("it says so");
    cache.aclear().await.expect("it says so");
    faulty.heal();
    assert_eq!(all(&cache).await, HashMap::from([("a", 1), ("b", 2), ("c", 3)]));
}

#[tokio::test]
async fn an_answer_can_be_lost_after_the_work_was_done() {
    let (faulty, cache) = filled().await;
    faulty.on([Call::Incr]).after().fail(ErrorKind::Connection);
    assert_eq!(cache.aincr("a", 1).await.expect_err("as told").kind(), ErrorKind::Connection);
    faulty.on([Call::Delete]).after().stall();
    let deleting = cache.clone();
    let delete = tokio::spawn(async move { deleting.adelete("b").await });
    while faulty.inside(Call::Delete) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(all(&cache).await, HashMap::from([("a", 2), ("c", 3)]));
    faulty.heal();
    assert!(delete.await.expect("no panic").expect("it was let go"));
}

#[tokio::test]
async fn single_keys_of_a_bulk_call_fail_and_the_others_keep_their_places() {
    let (faulty, cache) = filled().await;
    faulty.on([Call::GetMany, Call::SetMany]).keys(|key| key == ":1:b").fail(ErrorKind::Server);
    let error = cache.set_many([("a", &7), ("b", &8), ("c", &9)], Timeout::Forever).await;
    let error = error.expect_err("as told");
    assert_eq!(error.failures().iter().map(|(position, _)| *position).collect::<Vec<_>>(), [1]);
    let partial = cache.get_many_partial::<i64, _>(["c", "b", "a"]).await.expect("it is open");
    assert_eq!(partial.found, HashMap::from([("a", 7), ("c", 9)]));
    assert_eq!((partial.failed.len(), partial.failed[0].0), (1, "b"));

    faulty.heal();
    faulty.on([Call::DeleteMany]).keys(|key| key.ends_with('a') || key.ends_with('c')).lose();
    cache.delete_many(["a", "b", "c"]).await.expect("it says so");
    assert_eq!(all(&cache).await, HashMap::from([("a", 7), ("c", 9)]));
}

#[tokio::test]
async fn a_gate_holds_in_order_of_arrival_and_lets_go_in_any() {
    let (faulty, cache) = filled().await;
    let gate = faulty.on([Call::Set]).pause();
    let mut writes = Vec::new();
    for value in [10, 11, 12] {
        let cache = cache.clone();
        writes.push(tokio::spawn(async move { cache.aset("a", &value, Timeout::Forever).await }));
        gate.reached(writes.len()).await;
    }
    assert_eq!((gate.held(), faulty.inside(Call::Set), faulty.most_inside(Call::Set)), (3, 3, 3));
    for (place, value) in [(2, 12), (0, 10), (0, 11)] {
        assert!(gate.release(place));
        while !writes[value - 10].is_finished() {
            tokio::task::yield_now().await;
        }
        let there = cache.aget::<usize>("a").await.expect("nothing was told of reads");
        assert_eq!(there, Some(value));
    }
    assert!(!gate.release(0), "nobody is left");
    gate.open();
    cache.aset("a", &1, Timeout::Forever).await.expect("the gate is open");
}

#[tokio::test]
async fn a_call_that_is_dropped_leaves_the_gate() {
    let (faulty, cache) = filled().await;
    let gate = faulty.on([Call::Get]).pause();
    {
        let mut call = pin!(cache.aget::<i64>("a"));
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!((gate.held(), faulty.inside_in_all()), (1, 1));
    }
    assert_eq!((gate.held(), faulty.inside_in_all()), (0, 0));
    gate.reached(1).await;
}

#[tokio::test]
async fn a_delay_goes_by_the_clock_that_it_was_given() {
    let (faulty, cache) = filled().await;
    let clock = Arc::new(ManualClock::new());
    let time: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    faulty.on([Call::Get]).delay(time, Duration::from_millis(5));
    let call = tokio::spawn(async move { cache.aget::<i64>("a").await });
    clock.pass(Duration::from_millis(4)).await;
    assert!(!call.is_finished());
    clock.pass(Duration::from_millis(1)).await;
    assert!(call.is_finished());
    assert_eq!(call.await.expect("no panic").expect("nothing was told"), Some(1));
    assert_eq!(clock.sleepers(), 0);
}

#[tokio::test]
async fn commands_apply_in_their_order_until_one_ends_the_call() {
    let (faulty, cache) = filled().await;
    let gate = faulty.on([Call::Get]).pause();
    faulty.on([Call::Get]).fail(ErrorKind::Server);
    faulty.on([Call::Get]).panic();
    let call = tokio::spawn(async move { cache.aget::<i64>("a").await });
    gate.reached(1).await;
    gate.open();
    assert_eq!(call.await.expect("no panic").expect_err("as told").kind(), ErrorKind::Server);
}

#[tokio::test]
async fn it_can_promise_less_than_the_store_below() {
    let store = Arc::new(MemStore::new());
    let few = store.capabilities().read_batch(Batch::new(2)).atomic_move(false);
    let faulty = Faulty::promising(store, few);
    let cache = Cache::builder(faulty.clone()).build();
    cache.set_many([("a", &1), ("b", &2), ("c", &3)], Timeout::Forever).await.expect("nothing was told");
    assert_eq!(all(&cache).await.len(), 3);
    assert_eq!(faulty.begun(Call::GetMany), 2);
    cache.aincr_version("a", 1).await.expect("it is there");
    assert_eq!(faulty.begun(Call::Move), 0);
}

#[tokio::test]
async fn pings_say_that_the_server_is_loading_until_it_is_healed() {
    let (faulty, cache) = faulty();
    faulty.load();
    assert!(cache.aping().await.expect("it answers").loading);
    faulty.heal();
    assert!(!cache.aping().await.expect("it answers").loading);
}
