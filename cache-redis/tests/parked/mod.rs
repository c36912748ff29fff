//! Calls that are begun and then left alone, as a program does that waits for
//! something else within `select!` or between two steps of a stream. Nobody
//! else waits for them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{Cache, Result, SettingValue, Timeout};
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use futures::stream::{FuturesUnordered, StreamExt as _};

use crate::opening::Open;
use crate::patience::within;
use crate::proxy::Proxy;
use crate::resp::Client;
use crate::servers::{DRIVERS, Server, of_driver};

with_each_driver!(
    a_parked_call_of_any_kind_keeps_nobody_waiting,
    a_parked_call_keeps_nobody_waiting_for_the_connection,
    a_dropped_call_keeps_nobody_waiting_for_the_connection,
);

const MINUTE: Duration = Duration::from_mins(1);

type Call<'a> = BoxFuture<'a, Result<Option<i64>>>;

/// One of each kind, on the keys `a` to `d`; `e` is not there.
fn calls(cache: &Cache) -> Vec<(&'static str, Call<'_>)> {
    let keys = ["a", "b", "c", "d"];
    let many = |found: HashMap<&str, i64>| Some(found["a"]);
    let loader = |missing: Vec<String>| async { missing.into_iter().map(|key| (key, 1)).collect() };
    vec![
        ("aget", cache.aget::<i64>("a").boxed()),
        ("aset", cache.aset("a", &1, MINUTE).map(|done| done.map(|()| Some(1))).boxed()),
        ("aadd", cache.aadd("a", &1, MINUTE).map(|added| added.map(|_| Some(1))).boxed()),
        ("aincr", cache.aincr("a", 0).map(|sum| sum.map(Some)).boxed()),
        ("atouch", cache.atouch("a", MINUTE).map(|touched| touched.map(|_| Some(1))).boxed()),
        ("ahas_key", cache.ahas_key("a").map(|there| there.map(|_| Some(1))).boxed()),
        ("alife", cache.alife("a").map(|life| life.map(|life| life.map(|_| 1))).boxed()),
        ("adelete", cache.adelete("e").map(|removed| removed.map(|_| Some(1))).boxed()),
        ("aincr_version", cache.aincr_version("d", 1).map(|moved| moved.map(|_| Some(1))).boxed()),
        ("aping", cache.aping().map(|ping| ping.map(|_| Some(1))).boxed()),
        ("get_many", cache.get_many(["a", "b", "c"]).map(move |found| found.map(many)).boxed()),
        (
            "set_many",
            cache.set_many(keys.map(|key| (key, &1)), MINUTE).map(|done| done.map(|()| Some(1))).boxed(),
        ),
        ("delete_many", cache.delete_many(["e"]).map(|done| done.map(|()| Some(1))).boxed()),
        (
            "aget_or_set",
            cache.aget_or_set("e", MINUTE, || async { 1 }).map(|loaded| loaded.map(|one| Some(*one))).boxed(),
        ),
        (
            "get_or_set_many",
            cache
                .get_or_set_many(["a", "e"], MINUTE, loader)
                .map(|loaded| loaded.map(|loaded: HashMap<&str, Arc<i64>>| Some(*loaded["e"])))
                .boxed(),
        ),
    ]
}

/// Sixteen tasks, on the same keys.
async fn others_work(driver: &str, what: &str, cache: &Cache) {
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move {
                cache.aset("a", &1, MINUTE).await?;
                cache.aincr("a", 0).await?;
                cache.aget::<i64>("a").await?;
                cache.set_many([("b", &1), ("c", &1)], MINUTE).await?;
                cache.get_many::<i64, _>(["a", "b", "c"]).await?;
                cache.aget_or_set("e", MINUTE, || async { 1 }).await?;
                cache.adelete("e").await
            })
        })
        .collect();
    for task in within(what, join_all(tasks)).await {
        let outcome = task.expect("it does not panic");
        outcome.unwrap_or_else(|error| panic!("{driver}: beside {what}: {error}"));
    }
}

/// It is polled up to three times, as far as it gets. Gone on with later, it
/// gives what it would have given.
async fn a_parked_call_of_any_kind_keeps_nobody_waiting(driver: &'static str) {
    for size in [1, 4] {
        for polls in 1..=3 {
            let settings = Server::Plain.settings(driver).with("pool_size", SettingValue::Integer(size));
            Client::alone_with(&settings).await;
            let open = Open::with(&settings);
            let cache = open.cache();
            cache
                .set_many(["a", "b", "c", "d"].map(|key| (key, &1)), Timeout::Forever)
                .await
                .expect("they are taken");
            for (name, mut call) in calls(&cache) {
                let what = format!("{name}, polled {polls} times");
                let mut early = None;
                for _ in 0..polls {
                    if early.is_none() {
                        early = call.as_mut().now_or_never();
                        tokio::task::yield_now().await;
                    }
                }
                others_work(driver, &what, &cache).await;
                let outcome = match early {
                    Some(outcome) => outcome,
                    None => within(&what, call).await,
                };
                let outcome = outcome.unwrap_or_else(|error| panic!("{driver}: {what}: {error}"));
                assert_eq!(outcome, Some(1), "{driver}: {what}");
            }
            others_work(driver, "nobody", &cache).await;
            assert_eq!(open.trip.in_flight(), 0, "{driver}");
        }
    }
}

/// A store whose server takes a while to be connected to.
async fn slow_to_connect(driver: &'static str) -> (Proxy, Open) {
    let settings = Server::Plain.settings(driver);
    Client::alone_with(&settings).await;
    let proxy = Proxy::before(&settings).await;
    let open = Open::with(&of_driver(driver, &proxy.location()));
    (proxy, open)
}

async fn a_parked_call_keeps_nobody_waiting_for_the_connection(driver: &'static str) {
    for others in [1, 16] {
        let (proxy, open) = slow_to_connect(driver).await;
        let cache = open.cache();
        let mut first = cache.aset("first", &1, MINUTE).boxed();
        assert!(first.as_mut().now_or_never().is_none(), "{driver}: it has to connect");
        let keys: Vec<_> = (0..others).map(|number| format!("key:{number}")).collect();
        let sets = keys.iter().map(|key| cache.aset(key, &7, MINUTE));
        for set in within("beside a parked first caller", join_all(sets)).await {
            set.unwrap_or_else(|error| panic!("{driver}: beside a parked first caller: {error}"));
        }
        within("the first caller, gone on with", first).await.expect("it is taken");
        assert_eq!(cache.aget::<i64>("first").await.expect("it is answered"), Some(1), "{driver}");
        assert_eq!(proxy.trips().len(), 1, "{driver}: one connection");
    }
}

async fn a_dropped_call_keeps_nobody_waiting_for_the_connection(driver: &'static str) {
    for polls in [1, 2, 3] {
        let (proxy, open) = slow_to_connect(driver).await;
        let cache = open.cache();
        let first = cache.aset("key", &1, MINUTE);
        let gave_up = crate::giving_up::GiveUp::Turns(polls).of(first).await;
        assert!(gave_up.is_none(), "{driver}: it has to connect");
        cache.aset("key", &2, MINUTE).await.expect("it is taken");
        assert_eq!(cache.aget::<i64>("key").await.expect("it is answered"), Some(2), "{driver}");
        assert_eq!(proxy.trips().len(), 1, "{driver}: one connection");
        assert_eq!(open.trip.in_flight(), 0, "{driver}");
    }
}

/// Far fewer than may be in flight: the reads of a stream whose consumer does
/// something else before it asks for the next. On one thread, where all that
/// has to happen between the two most often does.
#[tokio::test]
async fn hundreds_of_parked_calls_keep_nobody_waiting() {
    for driver in DRIVERS {
        let settings = Server::Plain.settings(driver);
        Client::alone_with(&settings).await;
        let cache = crate::servers::cache(&settings);
        cache.aset("a", &1, MINUTE).await.expect("it is taken");
        for _ in 0..4 {
            let mut reads: FuturesUnordered<_> = (0..500).map(|_| cache.aget::<i64>("a")).collect();
            while let Some(read) = reads.next().await {
                assert_eq!(read.expect("it is answered"), Some(1), "{driver}");
                let written = cache.aset("b", &1, MINUTE).await;
                written.unwrap_or_else(|error| panic!("{driver}: beside reads that are not polled: {error}"));
            }
        }
    }
}
