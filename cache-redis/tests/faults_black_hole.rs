//! A network that swallows everything without a word.

mod broken_proxy;
mod full_size;
mod own_server;
mod servers;
mod traffic;

use std::time::Duration;

use cache_core::{Cache, Clock, ErrorKind, SystemClock, Timeout};
use futures::future::join_all;

use broken_proxy::BrokenProxy;
use own_server::{OwnServer, bare_cache, cache, settings};
use servers::DRIVERS;
use traffic::Traffic;

const DEADLINE: Duration = Duration::from_millis(500);

/// From the first call that nobody answers, a deadline passes until it is known,
/// and a little more until the new connection is there.
const RESUMES_WITHIN: Duration = Duration::from_millis(500 + 400);

struct Fault {
    name: &'static str,
    /// How long callers wait, if not for their deadline.
    patience: Option<Duration>,
    pool_size: i64,
    /// Which connection it strikes; all that there are if none is named.
    connection: Option<usize>,
    /// How much later than without anything the replies come.
    delay: Duration,
}

const FAULTS: [Fault; 4] = [
    Fault { name: "black hole", ..Fault::ORDINARY },
    Fault {
        name: "black hole, callers give up",
        patience: Some(Duration::from_millis(50)),
        ..Fault::ORDINARY
    },
    Fault { name: "black hole for one of three", pool_size: 3, connection: Some(1), ..Fault::ORDINARY },
    Fault { name: "black hole, 20 ms away", delay: Duration::from_millis(20), ..Fault::ORDINARY },
];

impl Fault {
    const ORDINARY: Self =
        Self { name: "", patience: None, pool_size: 1, connection: None, delay: Duration::ZERO };

    async fn strike(&self, driver: &str) {
        let server = OwnServer::start(&[]).await;
        let proxy = BrokenProxy::before(server.port()).await;
        proxy.delay(self.delay);
        let settings = settings(driver, &proxy.location(), &[("pool_size", self.pool_size)]);
        let cache = cache(&settings, DEADLINE);
        let traffic = match self.patience {
            Some(patience) => Traffic::begin_impatient(&cache, patience).await,
            None => Traffic::begin(&cache).await,
        };
        traffic.goes_on(Duration::from_millis(500)).await;
        let connections = proxy.accepted();

        let struck = SystemClock.precise();
        match self.connection {
            Some(number) => proxy.swallow_one(number),
            None => proxy.swallow(),
        }
        traffic.goes_on(RESUMES_WITHIN + Duration::from_millis(700)).await;
        let report = traffic.end().await;

        report.print(self.name, driver, struck);
        report.is_sane();
        report.was_well_until(struck);
        report.only_failed_by(&[ErrorKind::Connection, ErrorKind::Deadline]);
        report.resumed_within(RESUMES_WITHIN, struck);
        assert_eq!(report.stats.reconnections, 1, "{driver}, {}", self.name);
        let (before, now) = (usize::try_from(self.pool_size).expect("few"), proxy.accepted());
        assert_eq!((connections, now), (before, before + 1), "connections before and after");
        drop(cache);
        assert!(none_is_open(&proxy).await, "{} connections stay open", proxy.open());
    }
}

/// Whoever drops a store leaves no connection behind.
async fn none_is_open(proxy: &BrokenProxy) -> bool {
    let until = SystemClock.precise().after(Duration::from_secs(2));
    while proxy.open() > 0 && SystemClock.precise() < until {
        SystemClock.sleep_until(SystemClock.precise().after(Duration::from_millis(5))).await;
    }
    proxy.open() == 0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_cut_silently_is_replaced() {
    for fault in FAULTS {
        join_all(DRIVERS.map(|driver| fault.strike(driver))).await;
    }
}

/// What is connected meanwhile is as dead as what was there before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_is_dark_for_a_while_is_gone_through_again() {
    // Two ways to ask in vain: over a dead connection, and for a new one.
    let patience = Duration::from_millis(2 * 500 + 1_500);
    join_all(DRIVERS.map(async |driver| {
        let server = OwnServer::start(&[]).await;
        let proxy = BrokenProxy::before(server.port()).await;
        let cache = cache(&settings(driver, &proxy.location(), &[]), DEADLINE);
        let traffic = Traffic::begin(&cache).await;
        traffic.goes_on(Duration::from_millis(300)).await;

        let dark = SystemClock.precise();
        proxy.swallow_new(true);
        proxy.swallow();
        let darkness = if full_size::is_asked_for() { 10_000 } else { 1_200 };
        traffic.goes_on(Duration::from_millis(darkness)).await;
        proxy.swallow_new(false);
        let back = SystemClock.precise();
        traffic.goes_on(patience + Duration::from_millis(200)).await;
        let report = traffic.end().await;

        report.print(&format!("all is swallowed for {darkness} ms"), driver, back);
        report.is_sane();
        report.was_well_until(dark);
        report.only_failed_by(&[ErrorKind::Connection, ErrorKind::Deadline]);
        report.resumed_within(patience, back);
    }))
    .await;
}

/// Without the layer that fails fast and asks, the next caller is the one who
/// connects.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_without_layers_replaces_its_connection_too() {
    join_all(DRIVERS.map(async |driver| {
        let server = OwnServer::start(&[]).await;
        let proxy = BrokenProxy::before(server.port()).await;
        let cache = bare_cache(&settings(driver, &proxy.location(), &[]), DEADLINE);
        cache.aset("key", "value", Timeout::Forever).await.expect("all is well");
        proxy.swallow();
        let error = cache.aget::<String>("key").await.expect_err("nobody answers");
        assert_eq!(error.kind(), ErrorKind::Deadline);
        assert_eq!(read(&cache).await, Some("value".to_owned()));
        assert_eq!(proxy.accepted(), 2);
    }))
    .await;
}

async fn read(cache: &Cache) -> Option<String> {
    cache.aget("key").await.expect("the connection is a new one")
}
