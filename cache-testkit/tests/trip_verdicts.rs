//! What tells a trip that its store is down, and what does not.

mod rig;

use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use cache_core::{Cache, ErrorKind};
use cache_testkit::Call;

use rig::{DEADLINE, GRACE, Rig, get, ms};

#[tokio::test]
async fn one_slow_call_while_others_succeed_is_no_outage() {
    let rig = Rig::new();
    rig.faulty.on([Call::Get]).keys(|key| key.ends_with("slow")).stall();
    let slow = rig.get("slow");
    for _ in 0..11 {
        rig.clock.pass(ms(10)).await;
        rig.get_at_once("quick").expect("the store answers");
    }
    let (answer, _) = slow.await.expect("no panic");
    assert_eq!(answer.expect_err("it is slow").kind(), ErrorKind::Deadline);
    assert!(!rig.trip.is_down());
    assert_eq!(rig.outages(), 0);
}

#[tokio::test]
async fn an_answer_from_before_the_call_began_does_not_speak_for_the_store() {
    let rig = Rig::new();
    rig.get_at_once("quick").expect("the store answers");
    rig.clock.pass(ms(1)).await;
    rig.faulty.on([Call::Get]).stall();
    let slow = rig.get("slow");
    rig.clock.pass(DEADLINE + GRACE).await;
    assert!(slow.await.expect("no panic").0.is_err());
    assert!(rig.trip.is_down());
}

#[tokio::test]
async fn only_deadlines_and_lost_connections_are_outages() {
    for kind in ErrorKind::ALL.iter().copied() {
        let rig = Rig::new();
        rig.faulty.on([Call::Get]).times(1).fail(kind);
        assert_eq!(rig.get_at_once("a").expect_err("it was told to fail").kind(), kind);
        let is_outage = matches!(kind, ErrorKind::Deadline | ErrorKind::Connection);
        assert_eq!(rig.trip.is_down(), is_outage, "{kind:?}");
        assert_eq!(rig.outages(), u64::from(is_outage));
    }
}

#[tokio::test]
async fn an_error_of_the_servers_own_is_an_answer() {
    let rig = Rig::new();
    let gate = rig.faulty.on([Call::Get]).times(1).pause();
    rig.faulty.on([Call::Get]).keys(|key| key.ends_with("slow")).fail(ErrorKind::Server);
    let slow = rig.get("slow");
    gate.reached(1).await;
    rig.lose_connection();
    gate.open();
    rig.clock.pass(ms(1)).await;
    assert_eq!(slow.await.expect("no panic").0.expect_err("as told").kind(), ErrorKind::Server);
    assert!(!rig.trip.is_down());
}

#[tokio::test]
async fn a_lost_connection_while_others_are_answered_is_no_outage() {
    let rig = Rig::new();
    let gate = rig.faulty.on([Call::Get]).keys(|key| key.ends_with("slow")).pause();
    rig.faulty.on([Call::Get]).keys(|key| key.ends_with("slow")).fail(ErrorKind::Connection);
    let slow = rig.get("slow");
    gate.reached(1).await;
    rig.clock.pass(ms(1)).await;
    rig.get_at_once("quick").expect("the store answers");
    gate.open();
    rig.clock.pass(ms(1)).await;
    assert_eq!(slow.await.expect("no panic").0.expect_err("as told").kind(), ErrorKind::Connection);
    assert!(!rig.trip.is_down());
}

/// Begins a call, lets `patience` pass, and drops it.
fn give_up_after(rig: &Rig, patience: Duration) {
    let mut call = pin!(get(&*rig.trip, "a"));
    assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    rig.clock.advance(patience);
}

#[tokio::test]
async fn a_caller_that_gives_up_early_says_nothing_of_the_store() {
    for patience in [0, 1, 50, 89] {
        let rig = Rig::new();
        rig.faulty.on([Call::Get]).stall();
        give_up_after(&rig, ms(patience));
        assert!(!rig.trip.is_down(), "given up after {patience} ms");
        assert_eq!(rig.trip.in_flight(), 0);
    }
}

#[tokio::test]
async fn a_caller_that_gives_up_at_the_deadline_says_that_there_was_no_answer() {
    for patience in [95, 100, 150] {
        let rig = Rig::new();
        rig.faulty.on([Call::Get]).stall();
        give_up_after(&rig, ms(patience));
        assert!(rig.trip.is_down(), "given up after {patience} ms");
        assert_eq!((rig.outages(), rig.trip.in_flight()), (1, 0));
    }
}

/// A store on the same machine may have a deadline of a few milliseconds.
#[tokio::test]
async fn under_a_short_deadline_too_giving_up_at_once_says_nothing_of_the_store() {
    for deadline in [5, 10] {
        let rig = Rig::with_deadline(ms(deadline));
        rig.faulty.on([Call::Get]).stall();
        give_up_after(&rig, Duration::ZERO);
        assert!(!rig.trip.is_down(), "with a deadline of {deadline} ms");
    }
}

fn handle(rig: &Rig, deadline: Duration) -> Cache {
    Cache::builder(rig.trip.clone()).clock(rig.time()).deadline(deadline).build()
}

/// Reads through the handle, and says of what kind the error was.
async fn failed_read(rig: &Rig, cache: &Cache) -> ErrorKind {
    let cache = cache.clone();
    let call = tokio::spawn(async move { cache.aget::<i64>("a").await });
    while !call.is_finished() {
        rig.clock.pass(ms(1)).await;
    }
    call.await.expect("no panic").expect_err("the store is stalled").kind()
}

#[tokio::test]
async fn a_handle_with_a_shorter_deadline_says_nothing_of_the_store() {
    let rig = Rig::new();
    rig.faulty.on([Call::Get]).stall();
    let cache = handle(&rig, DEADLINE).with_deadline(ms(30));
    let began = rig.now();
    assert_eq!(failed_read(&rig, &cache).await, ErrorKind::Deadline);
    let took = rig.now().since(began);
    assert!(took >= ms(30) && took <= ms(30) + GRACE, "{took:?}");
    assert!(!rig.trip.is_down());
}

#[tokio::test]
async fn a_handle_with_the_same_deadline_lets_the_trip_learn() {
    for offset in [0, 300, 700, 1_100, 1_900] {
        let rig = Rig::new();
        rig.clock.advance(Duration::from_micros(offset));
        rig.faulty.on([Call::Get]).stall();
        let cache = handle(&rig, DEADLINE);
        let began = rig.now();
        assert_eq!(failed_read(&rig, &cache).await, ErrorKind::Deadline);
        let took = rig.now().since(began);
        assert!(took >= DEADLINE && took <= DEADLINE + GRACE, "{took:?}");
        assert!(rig.trip.is_down());
        assert_eq!(failed_read(&rig, &cache).await, ErrorKind::Connection);
    }
}

#[tokio::test]
async fn a_handle_with_a_longer_deadline_gets_the_error_of_the_trip() {
    let rig = Rig::new();
    rig.faulty.on([Call::Get]).stall();
    let cache = handle(&rig, Duration::from_secs(5));
    let began = rig.now();
    assert_eq!(failed_read(&rig, &cache).await, ErrorKind::Deadline);
    assert!(rig.now().since(began) <= DEADLINE + GRACE);
    assert!(rig.trip.is_down());
}
