//! What the routing says of its replicas, as `tracing` events.

mod heard;
mod routing_rig;

use std::time::Duration;

use cache_core::{AsyncCache, Counter, ErrorKind, Lag, RoutingSettings};
use cache_testkit::Call;
use tracing::subscriber::DefaultGuard;

use heard::Heard;
use routing_rig::{IDLE, Layout, Tells, ms, set};

const SECRET: &str = "a secret key";

fn listen() -> (Heard, DefaultGuard) {
    Heard::of("cache::routing")
}

/// All lines name the alias, and none a key.
fn are_proper(lines: &[String]) {
    assert!(lines.iter().all(|line| line.contains("rig") && !line.contains("secret")), "{lines:?}");
}

#[tokio::test]
async fn that_a_replica_is_left_out_is_one_event_and_that_it_is_back_another() {
    let (heard, _listening) = listen();
    let rig = Layout::of(2).rig();
    rig.replica(2).on(Call::ALL).fail(ErrorKind::Connection);
    rig.read_for(SECRET, IDLE).await;
    let lines = heard.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("WARN") && lines[0].contains("replica=2"), "{lines:?}");
    rig.replica(2).heal();
    rig.read_for(SECRET, IDLE).await;
    let lines = heard.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[1].starts_with("INFO") && lines[1].contains("replica=2"), "{lines:?}");
    are_proper(&lines);
    assert_eq!(rig.total(Counter::ReplicasLeftOut), 1);
}

#[tokio::test]
async fn a_replica_that_loads_is_one_event_and_that_it_has_loaded_another() {
    let (heard, _listening) = listen();
    let rig = Layout::of(1).rig();
    rig.replica(1).load();
    rig.routing.aping().await.expect("healthy");
    rig.read_for(SECRET, IDLE).await;
    rig.replica(1).heal();
    rig.read_for(SECRET, IDLE).await;
    let lines = heard.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("loading"), "{lines:?}");
    are_proper(&lines);
}

#[tokio::test]
async fn a_replica_that_is_too_old_is_one_event_and_that_it_has_caught_up_another() {
    for tells in [Tells::Ages, Tells::Positions] {
        let (heard, _listening) = listen();
        let rig = Layout::of(1).settings(RoutingSettings::new().max_lag(ms(200))).tells(tells).rig();
        rig.read_for(SECRET, ms(500)).await;
        let before = heard.lines();
        for value in 0..20 {
            set(&*rig.routing, SECRET, value).await.expect("healthy");
            rig.read_for(SECRET, ms(50)).await;
        }
        assert!(rig.routing.in_use().is_empty());
        let left_out = heard.lines().split_off(before.len());
        assert_eq!(left_out.len(), 1, "{left_out:?}");
        assert!(left_out[0].contains("replica=1"), "{left_out:?}");
        assert_eq!(rig.total(Counter::ReplicasLeftOut), 1);
        rig.replicate();
        rig.read_for(SECRET, ms(500)).await;
        let lines = heard.lines().split_off(before.len());
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[1].starts_with("INFO"), "{lines:?}");
        are_proper(&heard.lines());
        assert!(before.len() <= 1, "that it is known now at most: {before:?}");
    }
}

#[tokio::test]
async fn a_server_that_knows_nothing_of_lag_is_one_event() {
    let (heard, _listening) = listen();
    let rig = Layout::of(3).settings(RoutingSettings::new().max_lag(ms(200))).rig();
    rig.read_for(SECRET, IDLE).await;
    let lines = heard.lines();
    let said: Vec<_> = lines.iter().filter(|line| line.starts_with("WARN")).collect();
    assert_eq!(said.len(), 3, "one for each, and not again and again: {lines:?}");
    are_proper(&lines);
    assert_eq!(rig.routing.in_use(), [1, 2, 3]);
    assert_eq!(rig.total(Counter::ReplicasLeftOut), 0);
}

/// Nobody wants to know, so nobody has to be told.
#[tokio::test]
async fn without_a_greatest_lag_servers_that_know_nothing_of_it_are_no_event() {
    let (heard, _listening) = listen();
    let rig = Layout::of(2).rig();
    rig.read_for(SECRET, ms(500)).await;
    rig.routing.aping().await.expect("healthy");
    rig.replica(1).lag(Lag::Age(Duration::from_secs(9)));
    rig.routing.aping().await.expect("healthy");
    rig.read_for(SECRET, ms(500)).await;
    assert!(heard.lines().is_empty(), "{:?}", heard.lines());
    assert_eq!(rig.routing.in_use(), [1, 2]);
}

#[tokio::test]
async fn what_is_healthy_says_nothing() {
    let (heard, _listening) = listen();
    let rig = Layout::of(2).settings(RoutingSettings::new().read_your_writes(ms(100))).rig();
    set(&*rig.routing, SECRET, 1).await.expect("healthy");
    rig.read_for(SECRET, IDLE).await;
    assert!(heard.lines().is_empty(), "{:?}", heard.lines());
}

/// It was asked, and never left out.
#[tokio::test]
async fn a_replica_that_only_fails_once_is_no_event() {
    let (heard, _listening) = listen();
    let rig = Layout::of(1).without_trips().rig();
    rig.replica(1).on([Call::Get]).times(1).fail(ErrorKind::Server);
    rig.read_for(SECRET, IDLE).await;
    assert_eq!(rig.replica(1).begun(Call::Ping), 1);
    assert!(heard.lines().is_empty(), "{:?}", heard.lines());
}
