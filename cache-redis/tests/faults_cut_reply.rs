//! A network that is cut after the server has done what it was told, before it
//! has said so in full.

#![expect(clippy::print_stderr, reason = "a test tells what it measured")]

mod broken_proxy;
mod full_size;
mod own_server;
mod servers;
mod traffic;

use std::time::Duration;

use cache_core::{Cache, Clock, ErrorKind, SystemClock, Tick, Timeout};
use futures::future::join_all;

use broken_proxy::{BrokenProxy, End};
use own_server::{OwnServer, bare_cache, cache, settings};
use servers::DRIVERS;
use traffic::{COUNTER, Traffic};

const DEADLINE: Duration = Duration::from_secs(1);

fn rounds() -> usize {
    if full_size::is_asked_for() { 1_000 } else { 100 }
}

/// A store right behind the proxy, so that the next call finds out by itself
/// that it needs a new connection.
struct Rig {
    driver: &'static str,
    /// Held, so that it runs.
    _server: OwnServer,
    proxy: BrokenProxy,
    cache: Cache,
}

impl Rig {
    async fn new(driver: &'static str) -> Self {
        let server = OwnServer::start(&[]).await;
        let proxy = BrokenProxy::before(server.port()).await;
        let cache = bare_cache(&settings(driver, &proxy.location(), &[]), DEADLINE);
        Self { driver, _server: server, proxy, cache }
    }

    /// Cuts what is said next: before it, or within its first bytes.
    fn cut_next(&self, round: usize) {
        let end = if round.is_multiple_of(2) { End::Orderly } else { End::Reset };
        self.proxy.cut_reply(round % 5, end);
    }

    async fn counter(&self) -> i64 {
        self.cache.aget("counter").await.expect("a new connection").expect("it is there")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_increment_without_an_answer_is_an_error_and_counted_once() {
    join_all(DRIVERS.map(async |driver| {
        let rig = Rig::new(driver).await;
        rig.cache.aset("counter", &0, Timeout::Forever).await.expect("all is well");
        // The server learns the script, so that the next answer is the sum.
        rig.cache.aincr("counter", 1).await.expect("all is well");
        for round in 0..rounds() {
            rig.cut_next(round);
            let outcome = rig.cache.aincr("counter", 1).await;
            let error = outcome.expect_err("the answer was cut");
            assert_eq!(error.kind(), ErrorKind::Connection, "{driver}, round {round}: {error:?}");
            let counted = rig.counter().await;
            assert_eq!(counted, i64::try_from(round).expect("few") + 2, "{driver}, round {round}");
        }
        assert_eq!(rig.proxy.cuts(), rounds() as u64);
        assert_eq!(rig.cache.stats().reconnections, rounds() as u64, "{}", rig.driver);
    }))
    .await;
}

/// Sent twice, it would be told that somebody else was first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_add_without_an_answer_is_an_error_and_done() {
    join_all(DRIVERS.map(async |driver| {
        let rig = Rig::new(driver).await;
        rig.cache.aping().await.expect("all is well");
        for round in 0..rounds() {
            let key = format!("lock-{round}");
            rig.cut_next(round);
            let outcome = rig.cache.aadd(&key, &format!("of {round}"), Timeout::Forever).await;
            let error = outcome.expect_err("the answer was cut");
            assert_eq!(error.kind(), ErrorKind::Connection, "{driver}, round {round}: {error:?}");
            let there = rig.cache.aget::<String>(&key).await.expect("a new connection");
            assert_eq!(there, Some(format!("of {round}")), "{driver}, round {round}");
        }
        assert_eq!(rig.proxy.cuts(), rounds() as u64);
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_value_is_an_error_and_never_a_value() {
    const LENGTH: usize = 1 << 20;
    join_all(DRIVERS.map(async |driver| {
        let rig = Rig::new(driver).await;
        let value = "v".repeat(LENGTH);
        rig.cache.aset("large", &value, Timeout::Forever).await.expect("all is well");
        rig.cache.aset("small", "s", Timeout::Forever).await.expect("all is well");
        for (round, arrives) in cuts_within(LENGTH).into_iter().enumerate() {
            let end = if round.is_multiple_of(2) { End::Orderly } else { End::Reset };
            rig.proxy.cut_reply(arrives, end);
            // Last in its answer, so that it is the one that is cut.
            let error = if round.is_multiple_of(3) {
                rig.cache.get_many::<String, _>(["small", "large"]).await.expect_err("the answer was cut")
            } else {
                rig.cache.aget::<String>("large").await.expect_err("the answer was cut")
            };
            assert_eq!(error.kind(), ErrorKind::Connection, "{driver}, {arrives} bytes: {error:?}");
            let read = rig.cache.aget::<String>("large").await.expect("a new connection");
            assert!(read.as_ref() == Some(&value), "{driver}, {arrives} bytes");
        }
    }))
    .await;
}

/// Some in its head, some in the middle, some just before its end.
fn cuts_within(length: usize) -> Vec<usize> {
    let rounds = rounds() / 4;
    let mut cuts: Vec<_> = (0..rounds).map(|round| round * (length / rounds)).collect();
    cuts.extend(0..12);
    cuts.extend(length - 2..length + 10);
    cuts
}

/// Whose answers those are that arrive is known to the last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_each_increment_counts_once_or_is_an_error() {
    join_all(DRIVERS.map(async |driver| {
        let server = OwnServer::start(&[]).await;
        let proxy = BrokenProxy::before(server.port()).await;
        // So that several calls are under way when it happens.
        proxy.delay(Duration::from_millis(10));
        let cache = cache(&settings(driver, &proxy.location(), &[]), DEADLINE);
        let traffic = Traffic::begin(&cache).await;
        for round in 0..rounds() / 4 {
            let cuts = proxy.cuts();
            traffic.goes_on(Duration::from_millis(50)).await;
            proxy.cut_reply(round % 7, if round.is_multiple_of(2) { End::Orderly } else { End::Reset });
            while proxy.cuts() == cuts {
                pause(Duration::from_millis(1)).await;
            }
            is_well_again(&cache).await;
        }
        let back = SystemClock.precise();
        traffic.goes_on(Duration::from_millis(500)).await;
        let report = traffic.end().await;

        report.print(&format!("{} replies cut", proxy.cuts()), driver, back);
        report.is_sane();
        report.only_failed_by(&[ErrorKind::Connection]);
        report.resumed_within(Duration::from_millis(200), back);
        let counter = cache.aget(COUNTER).await.expect("all is well").expect("it is there");
        assert!(report.counter().contains(&counter), "{driver}: {counter} is none of {:?}", report.counter());
    }))
    .await;
}

async fn is_well_again(cache: &Cache) {
    let until = SystemClock.precise().after(2 * DEADLINE);
    while let Err(error) = cache.aping().await {
        assert!(SystemClock.precise() < until, "{error}");
        pause(Duration::from_millis(5)).await;
    }
}

async fn pause(duration: Duration) {
    SystemClock.sleep_until(SystemClock.precise().after(duration)).await;
}

/// A lost connection is known at once: nobody waits for a deadline because of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_waits_for_an_answer_once_the_connection_is_lost() {
    let duration = Duration::from_millis(40) * u32::try_from(rounds()).expect("few");
    let waited = join_all(DRIVERS.map(async |driver| {
        let server = OwnServer::start(&[]).await;
        let proxy = BrokenProxy::before(server.port()).await;
        // Longer than it may take to connect, which has a deadline of its own.
        let cache = bare_cache(&settings(driver, &proxy.location(), &[]), 2 * DEADLINE);
        cache.aset("key", &1, Timeout::Forever).await.expect("all is well");
        let until = SystemClock.precise().after(duration);
        let callers: Vec<_> = (0..32).map(|_| tokio::spawn(waits(cache.clone(), until))).collect();
        while SystemClock.precise() < until {
            // In the midst of it, and not while it connects.
            while cache.aping().await.is_err() {
                pause(Duration::from_millis(5)).await;
            }
            pause(Duration::from_millis(2)).await;
            let cuts = proxy.cuts();
            proxy.cut_reply(0, if cuts.is_multiple_of(2) { End::Orderly } else { End::Reset });
            while proxy.cuts() == cuts && SystemClock.precise() < until {
                pause(Duration::from_millis(1)).await;
            }
        }
        let waits = join_all(callers).await.into_iter().map(|waits| waits.expect("no panic")).sum::<usize>();
        (driver, proxy.cuts(), waits)
    }))
    .await;
    for (driver, cuts, waits) in &waited {
        eprintln!("{driver}: after {cuts} lost connections {waits} calls waited for their deadline");
    }
    assert!(waited.iter().all(|(.., waits)| *waits == 0), "{waited:?}");
}

/// How many calls failed by their deadline, of many without a pause but for a
/// breath after a failure.
async fn waits(cache: Cache, until: Tick) -> usize {
    let mut waits = 0;
    while SystemClock.precise() < until {
        if let Err(error) = cache.aget::<i64>("key").await {
            waits += usize::from(error.kind() == ErrorKind::Deadline);
            pause(Duration::from_millis(1)).await;
        }
    }
    waits
}
