//! A server that is killed and comes back.

mod full_size;
mod own_server;
mod servers;
mod traffic;

use std::time::Duration;

use cache_core::{Clock, ErrorKind, SystemClock};
use futures::future::join_all;

use own_server::{OwnServer, cache, settings};
use servers::WAYS;
use traffic::{COUNTER, Traffic};

const DEADLINE: Duration = Duration::from_secs(1);

/// Within this time of its return everything works again.
const RESUMES_WITHIN: Duration = Duration::from_millis(1_500);

/// What has been answered outlives `kill -9`: it is written before the answer.
const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "no"];

async fn restart_after(driver: &str, down: Duration) {
    let mut server = OwnServer::start(&DURABLE).await;
    let cache = cache(&settings(driver, &server.location(), &[]), DEADLINE);
    let traffic = Traffic::begin(&cache).await;
    traffic.goes_on(Duration::from_secs(1)).await;

    let killed = SystemClock.precise();
    server.kill();
    traffic.goes_on(down).await;
    server.restart().await;
    let back = SystemClock.precise();
    traffic.goes_on(RESUMES_WITHIN + Duration::from_millis(700)).await;
    let report = traffic.end().await;

    report.print(&format!("kill -9, back after {down:?}"), driver, back);
    report.is_sane();
    report.was_well_until(killed);
    report.only_failed_by(&[ErrorKind::Connection, ErrorKind::Deadline]);
    let longest = report.failure_percentile(100).expect("there were failures");
    assert!(longest <= DEADLINE + Duration::from_millis(500), "a failure took {longest:?}");
    report.resumed_within(RESUMES_WITHIN, back);
    let counter = cache.aget(COUNTER).await.expect("the server is well").expect("it outlived the server");
    assert!(report.counter().contains(&counter), "{counter} is none of {:?}", report.counter());
    assert!((report.stats.outages, report.stats.reconnections) >= (1, 1), "{:?}", report.stats);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_back_serves_again() {
    // After five seconds nobody asks more than once a second whether it is there.
    let downs: &[u64] = if full_size::is_asked_for() { &[1, 5] } else { &[1] };
    for down in downs {
        join_all(WAYS.map(|driver| restart_after(driver, Duration::from_secs(*down)))).await;
    }
}
