//! Replicas that die, hang, load and come back, and a leader that does: reads
//! find somebody who answers.

mod freshness;
mod full_size;
mod max_lag;
mod own_server;
mod patience;
mod replicated;
mod resp;
mod routed;
mod scale;
mod scene;
mod servers;
mod traffic;

use std::time::Duration;

use cache_core::{Cache, Clock, ErrorKind, RoutingSettings, SystemClock, Tick, Timeout};
use futures::future::join_all;

use own_server::OwnServer;
use patience::pause;
use replicated::REPLICAS;
use resp::{Answer, Client};
use scene::{DEADLINE, MACHINE, Scene};
use servers::WAYS;
use traffic::{COUNTER, Outcome, Report};

/// Within this time of its return everything works again.
const RESUMES_WITHIN: Duration = Duration::from_millis(1_500);

/// How long something is out of order.
pub(crate) fn down() -> Duration {
    Duration::from_millis(if full_size::is_asked_for() { 5_000 } else { 500 })
}

/// That no read failed. If some did, when they began: so long after the
/// server was killed.
fn no_read_failed(report: &Report, killed: Tick) {
    let failed = report.failures().filter(|call| call.what.is_read());
    let began: Vec<_> = failed.map(|call| call.began.since(killed)).collect();
    assert!(began.is_empty(), "{} reads failed, from {:?} to {:?}", began.len(), began.first(), began.last());
}

/// That what was acknowledged is there, and nothing was done twice.
async fn counter_is_right(report: &Report, cache: &Cache) {
    let counter = cache.aincr(COUNTER, 0).await.expect("the leader is well");
    assert!(report.counter().contains(&counter), "{counter} is none of {:?}", report.counter());
}

async fn one_is_killed(way: &'static str) {
    let mut scene = Scene::of(way, RoutingSettings::new()).await;
    let killed = SystemClock.precise();
    scene.servers.replica_mut(0).kill();
    let left_out = scene.leaves_out(1, killed).await;
    assert!(left_out <= DEADLINE + MACHINE, "{way}: left out after {left_out:?}");
    scene.traffic.goes_on(down()).await;
    assert_eq!(scene.in_use().await, [false, true], "{way}");
    scene.servers.replica_mut(0).restart().await;
    let back = SystemClock.precise();
    scene.is_read_from(0).await;
    scene.is_read_from(1).await;
    assert_eq!(scene.in_use().await, [true, true], "{way}");
    let (report, _servers, cache) = scene.end("one replica killed", back).await;
    report.only_failed_by(&[]);
    counter_is_right(&report, &cache).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_fails_for_a_replica_that_is_killed() {
    join_all(WAYS.map(one_is_killed)).await;
}

async fn both_are_killed(way: &'static str) {
    let mut scene = Scene::of(way, RoutingSettings::new()).await;
    let killed = SystemClock.precise();
    for number in 0..REPLICAS {
        scene.servers.replica_mut(number).kill();
    }
    scene.leaves_out(2, killed).await;
    let before = scene.cache.stats();
    scene.traffic.goes_on(down()).await;
    let after = scene.cache.stats();
    assert_eq!(after.routed_to_replica, before.routed_to_replica, "{way}: all is read from the leader");
    assert_eq!(scene.in_use().await, [false, false], "{way}");
    for number in 0..REPLICAS {
        scene.servers.replica_mut(number).restart().await;
    }
    let back = SystemClock.precise();
    for number in 0..REPLICAS {
        scene.is_read_from(number).await;
    }
    assert_eq!(scene.in_use().await, [true, true], "{way}");
    let (report, _servers, cache) = scene.end("both replicas killed", back).await;
    report.only_failed_by(&[]);
    counter_is_right(&report, &cache).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_is_read_where_all_replicas_are_killed() {
    join_all(WAYS.map(both_are_killed)).await;
}

async fn all_are_killed(way: &'static str) {
    let mut scene = Scene::of(way, RoutingSettings::new()).await;
    let killed = SystemClock.precise();
    scene.servers.leader_mut().kill();
    for number in 0..REPLICAS {
        scene.servers.replica_mut(number).kill();
    }
    scene.traffic.goes_on(down()).await;
    scene.servers.leader_mut().restart().await;
    for number in 0..REPLICAS {
        scene.servers.replica_mut(number).restart().await;
    }
    let back = SystemClock.precise();
    for number in 0..REPLICAS {
        scene.is_read_from(number).await;
    }
    scene.traffic.goes_on(RESUMES_WITHIN + Duration::from_millis(300)).await;
    assert_eq!(scene.in_use().await, [true, true], "{way}");
    let (report, _servers, cache) = scene.end("all killed", back).await;
    report.was_well_until(killed);
    report.only_failed_by(&[ErrorKind::Connection, ErrorKind::Deadline]);
    let longest = report.failure_percentile(100).expect("there were failures");
    assert!(longest <= DEADLINE + 2 * MACHINE, "{way}: a failure took {longest:?}");
    report.resumed_within(RESUMES_WITHIN, back);
    counter_is_right(&report, &cache).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_come_back_where_all_were_killed() {
    join_all(WAYS.map(all_are_killed)).await;
}

async fn leader_is_killed(way: &'static str, fault: &str, routing: RoutingSettings) {
    let mut scene = Scene::of(way, routing).await;
    let killed = SystemClock.precise();
    scene.servers.leader_mut().kill();
    scene.traffic.goes_on(2 * down()).await;
    let error = scene.cache.aset("other", &1, Timeout::Forever).await.expect_err("there is no leader");
    assert!(matches!(error.kind(), ErrorKind::Connection | ErrorKind::Deadline), "{way}: {error:?}");
    let ping = scene.cache.aping().await.expect_err("there is no leader");
    assert!(ping.to_string().contains("2 of 2 replicas"), "{way}: {ping}");
    let found = scene.cache.aget::<String>("task-0").await;
    assert!(found.expect("a replica answers").is_some(), "{way}: replicas have it");

    scene.servers.leader_mut().restart().await;
    let back = SystemClock.precise();
    scene.servers.caught_up().await;
    scene.traffic.goes_on(RESUMES_WITHIN).await;
    for number in 0..REPLICAS {
        scene.is_read_from(number).await;
    }
    assert_eq!(scene.in_use().await, [true, true], "{way}");
    let (report, _servers, cache) = scene.end(fault, back).await;
    report.was_well_until(killed);
    report.only_failed_by(&[ErrorKind::Connection, ErrorKind::Deadline]);
    no_read_failed(&report, killed);
    let reads = report.calls.iter().filter(|call| call.what.is_read());
    let slowest = reads.map(traffic::Call::took).max().expect("something was read");
    assert!(slowest <= DEADLINE, "{way}: a read took {slowest:?}");
    report.resumed_within(RESUMES_WITHIN, back);
    counter_is_right(&report, &cache).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_answer_without_their_leader() {
    let any = RoutingSettings::new();
    join_all(WAYS.map(|way| leader_is_killed(way, "leader killed", any))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_have_all_do_not_age_without_their_leader() {
    let young = RoutingSettings::new().max_lag(max_lag::MAX_LAG);
    join_all(WAYS.map(|way| leader_is_killed(way, "leader killed, max_lag 500 ms", young))).await;
}

async fn one_stands_still(way: &'static str) {
    let scene = Scene::of(way, RoutingSettings::new()).await;
    let frozen = SystemClock.precise();
    scene.servers.replica(0).freeze();
    let left_out = scene.leaves_out(1, frozen).await;
    assert!(left_out < DEADLINE, "{way}: left out after {left_out:?}");
    let known = SystemClock.precise();
    scene.traffic.goes_on(down()).await;
    assert_eq!(scene.in_use().await, [false, true], "{way}");
    let thawed = SystemClock.precise();
    scene.servers.replica(0).thaw();
    scene.is_read_from(0).await;
    assert_eq!(scene.in_use().await, [true, true], "{way}");
    let (report, _servers, cache) = scene.end("SIGSTOP of one replica", thawed).await;
    report.only_failed_by(&[]);
    let slowest = |calls: &mut dyn Iterator<Item = &traffic::Call>| calls.map(traffic::Call::took).max();
    let longest = slowest(&mut report.calls.iter()).expect("something was done");
    assert!(longest < DEADLINE, "{way}: something took {longest:?}, not about half of a deadline");
    let mut later = report.calls.iter().filter(|call| call.began > known && call.began < thawed);
    let longest = slowest(&mut later).expect("something was done");
    assert!(longest < DEADLINE / 2, "{way}: something waited for it, {longest:?}, when it was known");
    assert!(report.calls.iter().all(|call| call.outcome == Outcome::Done), "{way}");
    counter_is_right(&report, &cache).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_stands_still_costs_half_of_a_deadline_once() {
    join_all(WAYS.map(one_stands_still)).await;
}

async fn is_loading(server: &OwnServer) -> bool {
    let mut client = Client::at(&format!("127.0.0.1:{}", server.port())).await;
    let Answer::Value(info) = client.ask("INFO persistence").await else { panic!("it is a text") };
    String::from_utf8_lossy(&info).contains("\nloading:1")
}

async fn one_is_loading(way: &'static str) {
    /// Each takes a millisecond to load.
    const KEYS: usize = 1_000;
    let mut scene = Scene::of(way, RoutingSettings::new()).await;
    let value = "v".repeat(1_000);
    let keys: Vec<_> = (0..KEYS).map(|number| format!("key-{number}")).collect();
    let items = keys.iter().map(|key| (key.as_str(), value.as_str()));
    scene.cache.set_many(items, Timeout::Forever).await.expect("all is well");
    scene.servers.caught_up().await;
    scene.servers.replica(0).obeys(&["SAVE"]);
    scene.servers.replica_mut(0).kill();
    let slow = ["--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024"];
    scene.servers.replica_mut(0).restart_loading(&slow).await;
    let replica = scene.servers.replica(0);
    while is_loading(replica).await {
        let in_use = scene.in_use().await;
        assert!(in_use == [false, true] || !is_loading(replica).await, "{way}: {in_use:?}");
        pause(Duration::from_millis(50)).await;
    }
    let back = SystemClock.precise();
    scene.is_read_from(0).await;
    scene.servers.caught_up().await;
    scene.is_read_from(0).await;
    assert_eq!(scene.in_use().await, [true, true], "{way}");
    assert!(scene.left_out() >= 1, "{way}");
    let (report, _servers, cache) = scene.end("one replica LOADING", back).await;
    report.only_failed_by(&[]);
    assert_eq!(cache.aget::<String>("key-1").await.expect("all is well"), Some(value), "{way}");
    counter_is_right(&report, &cache).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_loads_its_data_is_left_out() {
    join_all(WAYS.map(one_is_loading)).await;
}
