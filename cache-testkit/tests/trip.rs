//! An outage from its beginning to its end, by the manual clock.

#![expect(clippy::print_stderr, reason = "a test tells what it measured")]

mod rig;

use std::error::Error as _;
use std::time::Duration;

use cache_core::ErrorKind;
use cache_testkit::Call;

use rig::{DEADLINE, GRACE, IDLE, Rig, get, ms, set, tasks};

#[tokio::test]
async fn a_healthy_store_is_as_without_the_layer() {
    let rig = Rig::new();
    assert!(set(&*rig.trip, "a", 1).await.expect("a healthy store"));
    assert!(rig.get_at_once("a").expect("a healthy store"));
    assert!(!rig.get_at_once("b").expect("a healthy store"));
    assert_eq!(tasks(), 0, "a call that is answered at once starts no task");
    assert_eq!((rig.outages(), rig.failed_fast(), rig.trip.in_flight()), (0, 0, 0));
}

#[tokio::test]
async fn a_stalled_store_is_a_deadline_and_then_nobody_waits_until_one_prober_finds_it_well() {
    let rig = Rig::new();
    rig.faulty.on(Call::ALL).stall();
    let until = rig.now().after(DEADLINE);
    let calls: Vec<_> = (0..100).map(|_| rig.get("a")).collect();
    rig.clock.pass(ms(99)).await;
    assert_eq!(rig.faulty.inside(Call::Get), 100);
    assert!(!calls.iter().any(tokio::task::JoinHandle::is_finished));
    assert!(!rig.trip.is_down());

    rig.clock.pass(GRACE + ms(1)).await;
    for call in calls {
        assert!(call.is_finished());
        let (answer, when) = call.await.expect("no panic");
        assert_eq!(answer.expect_err("the store is stalled").kind(), ErrorKind::Deadline);
        assert!(when >= until && when.since(until) <= GRACE, "{:?} late", when.since(until));
    }
    assert!(rig.trip.is_down());
    assert_eq!((rig.outages(), rig.failed_fast(), rig.trip.in_flight()), (1, 0, 0));

    // Nobody waits, and nobody reaches the store.
    for _ in 0..50 {
        let error = rig.get_at_once("a").expect_err("the store is known to be down");
        assert_eq!(error.kind(), ErrorKind::Connection);
        let reason = error.source().and_then(|source| source.downcast_ref::<cache_core::Error>());
        assert_eq!(reason.expect("it says why").kind(), ErrorKind::Deadline);
    }
    assert_eq!(set(&*rig.trip, "a", 1).await.expect_err("it is down").kind(), ErrorKind::Connection);
    assert_eq!(rig.faulty.begun(Call::Get), 100);
    assert_eq!(rig.faulty.begun(Call::Set), 0);
    assert_eq!(rig.failed_fast(), 51);

    // One at a time asks, for as long as it takes.
    rig.clock.pass(Duration::from_secs(10)).await;
    let pings = rig.faulty.begun(Call::Ping);
    assert!((8..=16).contains(&pings), "{pings} pings in ten seconds");
    assert_eq!(rig.faulty.most_inside(Call::Ping), 1);
    assert!(rig.trip.is_down());

    // Nobody calls, and service resumes.
    rig.faulty.heal();
    let healed = rig.now();
    while rig.trip.is_down() {
        rig.clock.pass(ms(1)).await;
        assert!(rig.now().since(healed) < Duration::from_secs(2), "it is not noticed");
    }
    eprintln!("noticed after {:?}", rig.now().since(healed));
    assert_eq!(rig.faulty.most_inside(Call::Ping), 1);
    assert!(!rig.get_at_once("a").expect("the store is well"));
    assert_eq!(rig.outages(), 1);
    rig.clock.pass(IDLE).await;
    assert_eq!(tasks(), 0, "neither prober nor timer is left");
    assert_eq!(rig.clock.sleepers(), 0);
}

/// When each ping of the prober began, in order, after the store was lost.
async fn pauses(rig: &Rig, pings: usize) -> Vec<Duration> {
    let mut pauses = Vec::new();
    let (mut seen, mut last) = (rig.faulty.begun(Call::Ping), rig.now());
    while pauses.len() < pings {
        rig.clock.pass(ms(1)).await;
        let begun = rig.faulty.begun(Call::Ping);
        if begun > seen {
            assert_eq!(begun, seen + 1);
            pauses.push(rig.now().since(last));
            (seen, last) = (begun, rig.now());
        }
        assert!(rig.now().since(last) < Duration::from_secs(5), "it does not ask");
    }
    pauses
}

#[tokio::test]
async fn the_prober_asks_less_and_less_often_up_to_once_a_second() {
    let rig = Rig::new();
    rig.faulty.on([Call::Ping]).fail(ErrorKind::Connection);
    rig.lose_connection();
    let pauses = pauses(&rig, 12).await;
    eprintln!("pauses: {pauses:?}");
    let expected = [50, 100, 200, 400, 800, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000];
    for (pause, expected) in pauses.iter().zip(expected) {
        let expected = ms(expected);
        // A fifth at most is added at random.
        assert!(*pause >= expected && *pause <= expected + expected / 5 + ms(2), "{pauses:?}");
    }
    assert_eq!(rig.outages(), 1);
}

#[tokio::test]
async fn a_new_outage_is_asked_about_from_the_beginning() {
    let rig = Rig::new();
    rig.faulty.on([Call::Ping]).fail(ErrorKind::Connection);
    rig.lose_connection();
    pauses(&rig, 7).await;
    rig.faulty.heal();
    rig.clock.pass(IDLE).await;
    assert!(!rig.trip.is_down());

    rig.faulty.on([Call::Ping]).fail(ErrorKind::Connection);
    rig.lose_connection();
    let pauses = pauses(&rig, 2).await;
    assert!(pauses[0] <= ms(62), "{pauses:?}");
    assert_eq!(rig.outages(), 2);
}

#[tokio::test]
async fn a_ping_that_stalls_is_given_up() {
    let rig = Rig::new();
    rig.lose_connection();
    rig.faulty.on([Call::Ping]).times(2).stall();
    rig.clock.pass(ms(62)).await;
    assert_eq!(rig.faulty.inside(Call::Ping), 1);
    rig.clock.pass(DEADLINE + GRACE).await;
    assert_eq!(rig.faulty.inside(Call::Ping), 0);
    assert!(rig.trip.is_down());
    rig.clock.pass(IDLE).await;
    assert!(!rig.trip.is_down());
    assert_eq!(rig.faulty.begun(Call::Ping), 3);
}

#[tokio::test]
async fn a_server_that_is_loading_has_not_recovered() {
    let rig = Rig::new();
    rig.faulty.load();
    rig.lose_connection();
    rig.clock.pass(Duration::from_secs(5)).await;
    assert!(rig.faulty.begun(Call::Ping) > 4);
    assert!(rig.trip.is_down());
    rig.faulty.heal();
    rig.clock.pass(ms(1_250)).await;
    assert!(!rig.trip.is_down());
}

#[tokio::test]
async fn the_answer_to_a_call_under_way_ends_the_outage() {
    let rig = Rig::new();
    let gate = rig.faulty.on([Call::Get]).times(1).pause();
    let slow = rig.get("slow");
    gate.reached(1).await;
    rig.lose_connection();
    gate.open();
    rig.clock.pass(ms(1)).await;
    assert!(!slow.await.expect("no panic").0.expect("it is answered"));
    assert!(!rig.trip.is_down());
    assert_eq!(rig.faulty.begun(Call::Ping), 0);
    rig.clock.pass(IDLE).await;
    assert_eq!(tasks(), 0);
}

#[tokio::test]
async fn callers_during_an_outage_do_not_make_more_probers() {
    let rig = Rig::new();
    rig.faulty.on([Call::Ping]).stall();
    rig.lose_connection();
    for _ in 0..300 {
        for _ in 0..5 {
            rig.get_at_once("a").expect_err("it is down");
        }
        rig.clock.pass(ms(5)).await;
        assert!(tasks() <= 2, "one prober and one timer");
    }
    assert_eq!(rig.faulty.most_inside(Call::Ping), 1);
    assert_eq!(rig.failed_fast(), 1_500);
    rig.faulty.heal();
    rig.clock.pass(IDLE).await;
    get(&*rig.trip, "a").await.expect("the store is well");
}
