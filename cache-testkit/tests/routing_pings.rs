//! A ping of the whole lists each server.

mod routing_rig;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{
    AsyncCache, Counter, Endpoint, ErrorKind, Lag, Ping, ReplicaPolicy, Result, RoutingSettings,
};
use cache_testkit::Call;

use routing_rig::{DEADLINE, GRACE, Layout, Rig, Tells, get, ms, set};

async fn ping(rig: &Rig) -> (Result<Ping>, Duration) {
    let routing = Arc::clone(&rig.routing);
    rig.finish(async move { routing.aping().await }).await
}

/// Who is in use, by its name.
fn in_use(ping: &Ping) -> Vec<String> {
    let used = ping.endpoints.iter().filter(|endpoint| endpoint.in_use);
    used.map(|endpoint| endpoint.endpoint.to_string()).collect()
}

fn lag(ping: &Ping, place: usize) -> Lag {
    ping.endpoints[place].answer.as_ref().expect("it answers").lag
}

#[tokio::test]
async fn it_lists_the_leader_and_then_the_replicas() {
    let rig = Layout::of(2).rig();
    let ping = rig.routing.aping().await.expect("healthy");
    let endpoints: Vec<_> = ping.endpoints.iter().map(|endpoint| endpoint.endpoint).collect();
    assert_eq!(endpoints, [Endpoint::Leader, Endpoint::Replica(1), Endpoint::Replica(2)]);
    assert_eq!(in_use(&ping), ["leader", "replica 1", "replica 2"]);
    assert!(rig.faulty.iter().all(|faulty| faulty.begun(Call::Ping) == 1), "once each");
    assert!(!ping.loading);
    let alone = Layout::of(0).rig().routing.aping().await.expect("healthy");
    assert_eq!((alone.endpoints.len(), in_use(&alone)), (1, vec!["leader".to_owned()]));
}

#[tokio::test]
async fn they_are_asked_at_once() {
    let rig = Layout::of(3).rig();
    rig.faulty.iter().for_each(|faulty| faulty.on([Call::Ping]).delay(rig.time(), ms(20)));
    let (answer, took) = ping(&rig).await;
    assert_eq!(answer.expect("healthy").endpoints.len(), 4);
    assert!(took < ms(25), "{took:?}");
}

#[tokio::test]
async fn a_replica_that_does_not_answer_is_listed_with_its_failure() {
    let rig = Layout::of(2).rig();
    rig.replica(2).on([Call::Ping]).fail(ErrorKind::Connection);
    let ping = rig.routing.aping().await.expect("the leader answers");
    assert_eq!(in_use(&ping), ["leader", "replica 1"]);
    let failure = ping.endpoints[2].answer.as_ref().expect_err("as told");
    assert_eq!(failure.kind(), ErrorKind::Connection);
    assert_eq!(rig.routing.in_use(), [1]);
}

/// With a trip before it, as configurations have it.
#[tokio::test]
async fn a_replica_that_stalls_costs_its_half_of_the_deadline() {
    let rig = Layout::of(2).rig();
    rig.replica(2).on([Call::Ping]).stall();
    let (answer, took) = ping(&rig).await;
    let ping = answer.expect("the leader answers");
    assert!(took <= DEADLINE / 2 + GRACE, "{took:?}");
    assert_eq!(ping.endpoints[2].answer.as_ref().expect_err("it stalls").kind(), ErrorKind::Deadline);
    assert_eq!(in_use(&ping), ["leader", "replica 1"]);
}

/// A handle ends its ping by its deadline; what it asks for is known by then.
#[tokio::test]
async fn a_handle_hears_of_a_replica_that_stalls() {
    let rig = Layout::of(1).rig();
    rig.replica(1).on([Call::Ping]).stall();
    let cache = rig.handle().build();
    let (answer, _) = rig.finish(async move { cache.aping().await }).await;
    assert_eq!(in_use(&answer.expect("the leader answers")), ["leader"]);
}

#[tokio::test]
async fn a_replica_that_is_loading_says_so() {
    let rig = Layout::of(2).rig();
    rig.replica(1).load();
    let ping = rig.routing.aping().await.expect("healthy");
    assert!(!ping.loading, "the leader is not");
    assert!(ping.endpoints[1].answer.as_ref().expect("it answers").loading);
    assert_eq!(in_use(&ping), ["leader", "replica 2"]);
    rig.leader().load();
    assert!(rig.routing.aping().await.expect("it answers").loading, "that of the leader");
}

#[tokio::test]
async fn when_the_leader_does_not_answer_it_fails() {
    let rig = Layout::of(2).rig();
    rig.leader().on([Call::Ping]).fail(ErrorKind::Auth);
    rig.replica(1).on([Call::Ping]).fail(ErrorKind::Connection);
    let failure = rig.routing.aping().await.expect_err("as told");
    assert_eq!(failure.kind(), ErrorKind::Auth);
    assert!(failure.to_string().contains("1 of 2 replicas"), "{failure}");
    let source = failure.source().expect("what the leader said").to_string();
    assert!(source.contains("as it was told to"), "{source}");
    // What the replicas said counts all the same.
    assert_eq!(rig.routing.in_use(), [2]);
}

#[tokio::test]
async fn the_lag_of_a_replica_is_an_age() {
    let settings = RoutingSettings::new().max_lag(ms(200)).policy(ReplicaPolicy::LeastLag);
    let rig = Layout::of(2).settings(settings).tells(Tells::Positions).rig();
    set(&*rig.routing, "a", 1).await.expect("healthy");
    rig.replicate();
    for _ in 0..20 {
        let _ = get(&*rig.routing, "a").await;
        rig.clock.pass(ms(10)).await;
    }
    let written = rig.now();
    set(&*rig.routing, "a", 2).await.expect("healthy");
    rig.servers[1].catch_up(usize::MAX);
    for _ in 0..12 {
        let _ = get(&*rig.routing, "a").await;
        rig.clock.pass(ms(10)).await;
    }
    let ping = rig.routing.aping().await.expect("healthy");
    let Lag::Age(first) = lag(&ping, 1) else { panic!("{ping:?}") };
    let Lag::Age(second) = lag(&ping, 2) else { panic!("{ping:?}") };
    let behind = rig.now().since(written);
    assert!(first <= ms(50), "it has all: {first:?}");
    assert!(second >= behind && second <= behind + ms(50), "{second:?} for {behind:?}");
    assert_eq!(in_use(&ping).len(), 3);
}

#[tokio::test]
async fn an_age_that_a_replica_says_is_passed_on() {
    let rig = Layout::of(2).tells(Tells::Ages).rig();
    rig.replica(1).lag(Lag::Age(ms(70)));
    rig.replica(2).lag(Lag::Unknown);
    let ping = rig.routing.aping().await.expect("healthy");
    assert_eq!((lag(&ping, 1), lag(&ping, 2)), (Lag::Age(ms(70)), Lag::Unknown));
}

/// An operator sees how old it is.
#[tokio::test]
async fn one_that_is_too_old_is_listed_and_not_in_use() {
    let settings = RoutingSettings::new().max_lag(ms(200));
    let rig = Layout::of(2).settings(settings).tells(Tells::Ages).rig();
    rig.replica(1).lag(Lag::Age(ms(900)));
    let ping = rig.routing.aping().await.expect("healthy");
    assert_eq!(lag(&ping, 1), Lag::Age(ms(900)));
    assert_eq!(in_use(&ping), ["leader", "replica 2"]);
}

/// What it says was so when it was asked, and not when its answer came.
#[tokio::test]
async fn the_way_of_the_answer_counts_as_age() {
    for tells in [Tells::Ages, Tells::Positions] {
        let rig = Layout::of(1).tells(tells).rig();
        rig.clock.pass(ms(10)).await;
        rig.replica(1).on([Call::Ping]).after().delay(rig.time(), ms(30));
        let (answer, _) = ping(&rig).await;
        assert_eq!(lag(&answer.expect("healthy"), 1), Lag::Age(ms(30)), "{tells:?}");
    }
}

/// It was closed with the alias, and is not down.
#[tokio::test]
async fn a_replica_that_is_closed_is_not_left_out() {
    let rig = Layout::of(1).without_trips().rig();
    rig.replica(1).on([Call::Ping]).fail(ErrorKind::Closed);
    let ping = rig.routing.aping().await.expect("the leader answers");
    assert_eq!(ping.endpoints[1].answer.as_ref().expect_err("as told").kind(), ErrorKind::Closed);
    assert_eq!((rig.routing.in_use(), rig.total(Counter::ReplicasLeftOut)), (vec![1], 0));
}
