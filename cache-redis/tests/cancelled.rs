//! Calls that are dropped or left alone: no reply reaches another's caller,
//! nothing hangs, nothing leaks, and what was acknowledged stays.

#![expect(clippy::print_stderr, reason = "a test tells what it has done")]

#[macro_use]
mod each_driver;
mod dice;
mod giving_up;
mod opening;
mod order;
mod parked;
mod patience;
mod proxy;
mod resp;
mod scale;
mod servers;
mod storm;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cache_core::{AsyncCache, Counter, SettingValue, Settings, Timeout};

use crate::dice::dice;
use crate::giving_up::GiveUp;
use crate::opening::Open;
use crate::order::Owner;
use crate::patience::eventually;
use crate::proxy::Proxy;
use crate::resp::Client;
use crate::scale::scaled;
use crate::servers::{Server, of_driver};
use crate::storm::{Caller, Tally};

with_each_driver_and_batching!(
    no_reply_reaches_another,
    no_reply_reaches_another_in_a_pool,
    no_reply_reaches_another_where_calls_wait_their_turn,
    what_was_acknowledged_stays,
    what_was_acknowledged_stays_in_a_pool,
    what_was_acknowledged_stays_where_calls_wait_their_turn,
    no_connection_outlives_its_store,
    a_lone_dropped_call_costs_nothing,
    what_was_acknowledged_stays_beside_a_slow_write,
);

const TASKS: usize = 64;

/// A store with a name for its connections, and the program that counts them.
struct Named {
    driver: &'static str,
    open: Open,
    other: Client,
    name: String,
}

impl Named {
    async fn with(driver: &'static str, test: &str, settings: Settings) -> Self {
        let name = format!("{test}-{}-{}", driver.replace(", ", "-"), std::process::id());
        let settings = settings.with("client_name", SettingValue::Text(name.clone()));
        let other = Client::alone_with(&settings).await;
        Self { driver, open: Open::with(&settings), other, name }
    }

    /// That no call is under way, and that there are the connections of the
    /// beginning: so many.
    async fn is_at_rest(&mut self, connections: i64) {
        let driver = self.driver;
        assert_eq!(self.open.trip.in_flight(), 0, "{driver}: exchanges");
        assert_eq!(self.open.timer().waiting(), 0, "{driver}: waiters for a deadline");
        let here = self.other.connections_of(&self.name).await;
        assert_eq!(i64::try_from(here), Ok(connections), "{driver}: connections");
        let anew = self.open.context.counters.total(Counter::Reconnections);
        assert_eq!(anew, 0, "{driver}: a call that is dropped costs no connection");
        let (open, name, other) = (&self.open, &self.name, &mut self.other);
        open.cache().aclose().await.expect("it is closed");
        eventually("its connections end", async || other.connections_of(name).await == 0).await;
    }
}

fn sized(settings: Settings, pool_size: i64, max_in_flight: i64) -> Settings {
    settings
        .with("pool_size", SettingValue::Integer(pool_size))
        .with("max_in_flight", SettingValue::Integer(max_in_flight))
}

async fn no_reply_reaches_another(driver: &'static str) {
    storm(driver, "storm", 1, 1_000).await;
}

async fn no_reply_reaches_another_in_a_pool(driver: &'static str) {
    storm(driver, "storm-pool", 4, 1_000).await;
}

async fn no_reply_reaches_another_where_calls_wait_their_turn(driver: &'static str) {
    storm(driver, "storm-turns", 1, 6).await;
}

async fn storm(driver: &'static str, test: &str, pool_size: i64, max_in_flight: i64) {
    let settings = sized(Server::Plain.settings(driver), pool_size, max_in_flight);
    let mut named = Named::with(driver, test, settings).await;
    let mut dice = dice(&format!("{test}, {driver}"));
    let tally = Arc::new(Tally::default());
    let mut caller = || Caller {
        driver,
        cache: named.open.cache(),
        store: Arc::clone(&named.open.store) as Arc<dyn AsyncCache>,
        dice: dice.fork(),
        tally: Arc::clone(&tally),
    };
    let each = scaled(2_000).div_ceil(TASKS);
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let mut caller = caller();
            tokio::spawn(async move {
                for _ in 0..each {
                    caller.calls().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("it got no other's reply");
    }
    caller().works().await;
    let (answered, dropped) = (tally.answered.load(Ordering::Relaxed), tally.dropped.load(Ordering::Relaxed));
    eprintln!("{test}, {driver}: {} operations, {answered} answered, {dropped} dropped", answered + dropped);
    assert!(dropped > each * TASKS / 10, "{driver}: too few are dropped to show anything");
    named.is_at_rest(pool_size).await;
}

async fn what_was_acknowledged_stays(driver: &'static str) {
    in_order(driver, "order", 1, 1_000).await;
}

async fn what_was_acknowledged_stays_in_a_pool(driver: &'static str) {
    in_order(driver, "order-pool", 4, 1_000).await;
}

async fn what_was_acknowledged_stays_where_calls_wait_their_turn(driver: &'static str) {
    in_order(driver, "order-turns", 1, 6).await;
}

async fn in_order(driver: &'static str, test: &str, pool_size: i64, max_in_flight: i64) {
    let settings = sized(Server::Plain.settings(driver), pool_size, max_in_flight);
    let mut named = Named::with(driver, test, settings).await;
    let mut dice = dice(&format!("{test}, {driver}"));
    let rounds = scaled(512).div_ceil(TASKS);
    let tasks: Vec<_> = (0..TASKS)
        .map(|number| {
            let cache = named.open.cache_of(|builder| builder.key_prefix(&format!("owner-{number}")));
            let mut owner = Owner::new(driver, cache, dice.fork());
            tokio::spawn(async move {
                let mut dropped = 0;
                for _ in 0..rounds {
                    dropped += owner.round().await;
                }
                dropped
            })
        })
        .collect();
    let mut dropped = 0;
    for task in tasks {
        dropped += task.await.expect("its keys have what it was told they have");
    }
    let all = rounds * TASKS;
    eprintln!("{test}, {driver}: {all} rounds, {dropped} writes dropped before the one that is acknowledged");
    assert!(dropped > all / 2, "{driver}: too few are dropped to show anything");
    named.is_at_rest(pool_size).await;
}

/// Stores that are dropped while they connect, or while a call is under way.
async fn no_connection_outlives_its_store(driver: &'static str) {
    let settings = Server::Plain.settings(driver);
    let mut named = Named::with(driver, "outlived", settings.clone()).await;
    let name = SettingValue::Text(named.name.clone());
    let proxy = Proxy::before(&settings).await;
    let slow = of_driver(driver, &proxy.location()).with("client_name", name.clone());
    let fast = settings.with("client_name", name);
    let mut dice = dice(&format!("outlived, {driver}"));
    for number in 0..scaled(48) {
        let open = Open::with(if number % 4 == 0 { &slow } else { &fast });
        let cache = open.cache();
        if dice.bool() {
            cache.aping().await.expect("the server is there");
        }
        let give_up = GiveUp::at_random(&mut dice);
        let _ = give_up.of(cache.aset("key", &7, Duration::from_mins(1))).await;
    }
    let (name, other) = (&named.name, &mut named.other);
    eventually("no connection is left", async || other.connections_of(name).await == 0).await;
}

/// Nobody hears what the reply of a dropped call says; that is no sign of a
/// connection that is cut off.
async fn a_lone_dropped_call_costs_nothing(driver: &'static str) {
    let settings = Server::Plain.settings(driver);
    Client::alone_with(&settings).await;
    let cache = servers::cache(&settings);
    cache.aping().await.expect("the server is there");
    while GiveUp::Polls(1).of(cache.aget::<i64>("key")).await.is_some() {
        // Once in a while the answer is there before this thread has asked for it.
    }
    patience::pause(Duration::from_millis(1_300)).await;
    cache.aping().await.expect("the server is there");
    assert_eq!(cache.stats().reconnections, 0, "{driver}: a healthy connection was given up");
}

/// The write that was dropped is a while on its way. What is written next
/// either waits behind it, or is not acknowledged: no deadline has passed and
/// no connection is lost that would excuse another order.
async fn what_was_acknowledged_stays_beside_a_slow_write(driver: &'static str) {
    let settings = Server::Plain.settings(driver);
    let mut other = Client::alone_with(&settings).await;
    let proxy = Proxy::before(&settings).await;
    let cache = servers::cache(&of_driver(driver, &proxy.location()));
    cache.aset("key", &0, Timeout::Forever).await.expect("it is taken");
    proxy.hold_requests();
    let give_up = GiveUp::Time(Duration::from_millis(100));
    assert!(give_up.of(cache.aset("key", &1, Timeout::Forever)).await.is_none(), "{driver}: it is held up");
    patience::pause(Duration::from_secs(1)).await;
    let outcome = cache.aset("key", &2, Timeout::Forever).await;
    proxy.release_requests();
    patience::pause(Duration::from_millis(300)).await;
    let stored = other.get(":1:key").await;
    eprintln!("{driver}: the second write: {outcome:?}; in the end there is {stored:?}");
    if outcome.is_ok() {
        assert_eq!(stored.as_deref(), Some(&b"2"[..]), "{driver}: what was acknowledged is undone");
    }
}
