//! What is left when calls are dropped, panic, or the store is cleared or closed.

#![expect(clippy::print_stderr, reason = "a test tells what it measured")]

mod chance;
mod rig;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cache_core::{AsyncCache, ErrorKind, Read, Result, Scope};
use cache_testkit::Call;
use tokio::task::JoinHandle;

use chance::{dice, scaled};
use rig::{DEADLINE, GRACE, IDLE, Rig, get, incr, key, ms, set, tasks};

type Pending = Pin<Box<dyn Future<Output = Result<bool>> + Send>>;

fn poll(call: &mut Pending) -> Poll<Result<bool>> {
    call.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn calls_dropped_at_random_leave_nothing_behind() {
    let rig = Rig::new();
    let mut dice = dice("calls_dropped_at_random_leave_nothing_behind");
    set(&*rig.trip, "counter", 0).await.expect("a healthy store");
    let (mut begun, mut acknowledged, mut dropped, mut ended) = (0, 0, 0_usize, 0);
    let mut calls: Vec<(Pending, bool)> = Vec::new();
    for round in 0_usize.. {
        if dropped >= scaled(10_000) {
            break;
        }
        // Of a thousand calls a hundred meet a store that stalls.
        let stalls = round % 1_000 >= 900;
        if !stalls || round % 1_000 == 900 {
            rig.faulty.heal();
        }
        if !stalls && rig.trip.is_down() {
            rig.clock.pass(ms(50)).await;
        }
        if stalls {
            rig.faulty.on(Call::ALL).stall();
        } else {
            // It takes a while, in part before and in part after its work.
            rig.faulty.on(Call::ALL).delay(rig.time(), Duration::from_micros(dice.u64(0..8_000)));
            rig.faulty.on(Call::ALL).after().delay(rig.time(), Duration::from_micros(dice.u64(0..8_000)));
        }
        let trip = Arc::clone(&rig.trip);
        let is_incr = dice.bool();
        let mut call: Pending = if is_incr {
            Box::pin(async move { incr(&*trip, "counter").await.map(|sum| sum.is_some()) })
        } else if dice.bool() {
            Box::pin(async move { get(&*trip, "counter").await })
        } else {
            Box::pin(async move {
                trip.get_many(&[key("counter"), key("b")], Read::default())
                    .await
                    .map(|found| found.len() == 2)
            })
        };
        if poll(&mut call).is_pending() {
            begun += u64::from(is_incr);
            calls.push((call, is_incr));
        }
        if stalls {
            rig.clock.pass(dice.u32(0..20) * ms(1)).await;
        }
        if dice.u8(..) < 40 {
            rig.clock.pass(Duration::from_micros(dice.u64(0..4_000))).await;
        }
        let mut kept = Vec::with_capacity(calls.len());
        for (mut call, is_incr) in calls {
            if dice.u8(..) < 8 {
                dropped += 1;
            } else if let Poll::Ready(answer) = poll(&mut call) {
                ended += 1;
                acknowledged += u64::from(is_incr && answer.is_ok());
            } else {
                kept.push((call, is_incr));
            }
        }
        calls = kept;
        assert_eq!(rig.trip.in_flight(), calls.len());
    }
    eprintln!("{dropped} dropped, {ended} ended, {} outages", rig.outages());
    assert!(ended > 1_000 && rig.outages() > 5, "the mixture says little");
    drop(calls);
    rig.faulty.heal();
    assert_eq!(rig.trip.in_flight(), 0);
    rig.clock.pass(IDLE).await;
    assert!(!rig.trip.is_down());
    assert_eq!((tasks(), rig.clock.sleepers(), rig.faulty.inside_in_all()), (0, 0, 0));
    // The store still counts: all that was acknowledged, and nothing that never began.
    let sum = incr(&*rig.trip, "counter").await.expect("a healthy store").expect("it is there");
    let sum = u64::try_from(sum - 1).expect("a count");
    assert!(acknowledged <= sum && sum <= begun, "{acknowledged} <= {sum} <= {begun}");
    assert!(set(&*rig.trip, "b", 1).await.expect("a healthy store"));
    assert!(get(&*rig.trip, "b").await.expect("a healthy store"));
}

#[tokio::test]
async fn a_store_that_panics_does_not_wedge_the_trip() {
    let rig = Rig::new();
    rig.faulty.on([Call::Get]).times(2).panic();
    rig.faulty.on([Call::Set]).times(1).after().panic();
    for _ in 0..2 {
        assert!(rig.get("a").await.expect_err("the store panics").is_panic());
    }
    let trip = Arc::clone(&rig.trip);
    let write = tokio::spawn(async move { set(&*trip, "a", 1).await });
    assert!(write.await.expect_err("the store panics").is_panic());
    assert_eq!(rig.trip.in_flight(), 0);
    assert!(!rig.trip.is_down());
    assert!(rig.get_at_once("a").expect("it works again"));
}

#[tokio::test]
async fn a_prober_that_panics_is_followed_by_another() {
    let rig = Rig::new();
    rig.faulty.on([Call::Ping]).times(1).panic();
    rig.lose_connection();
    rig.clock.pass(ms(100)).await;
    assert_eq!((rig.faulty.begun(Call::Ping), tasks()), (1, 0));
    // The next caller does not wait, and starts it.
    assert_eq!(rig.get_at_once("a").expect_err("it is down").kind(), ErrorKind::Connection);
    rig.clock.pass(ms(100)).await;
    assert!(!rig.trip.is_down());
}

#[tokio::test]
async fn when_the_trip_is_dropped_its_prober_ends() {
    let rig = Rig::new();
    rig.faulty.on([Call::Ping]).fail(ErrorKind::Connection);
    rig.lose_connection();
    rig.clock.pass(Duration::from_secs(5)).await;
    assert!(tasks() >= 1);
    let Rig { clock, faulty, trip, .. } = rig;
    drop(trip);
    assert_eq!(Arc::strong_count(&faulty), 1, "nobody keeps the store");
    clock.pass(IDLE).await;
    assert_eq!((tasks(), clock.sleepers()), (0, 0));
}

fn clear(rig: &Rig) -> JoinHandle<Result<()>> {
    let trip = Arc::clone(&rig.trip);
    tokio::spawn(async move { trip.aclear(&Scope::all()).await })
}

#[tokio::test]
async fn a_clear_that_makes_steps_may_take_many_deadlines() {
    let rig = Rig::new();
    set(&*rig.trip, "a", 1).await.expect("a healthy store");
    rig.faulty.on([Call::Clear]).delay_in_steps(rig.time(), ms(60), 10);
    let call = clear(&rig);
    rig.clock.pass(ms(590)).await;
    assert!(!call.is_finished());
    rig.clock.pass(ms(20)).await;
    call.await.expect("no panic").expect("it made steps");
    assert!(!rig.trip.is_down());
    assert!(!get(&*rig.trip, "a").await.expect("a healthy store"));
}

#[tokio::test]
async fn a_clear_that_makes_no_step_ends_by_its_deadline() {
    let rig = Rig::new();
    rig.faulty.on([Call::Clear]).stall();
    let call = clear(&rig);
    rig.clock.pass(DEADLINE + GRACE).await;
    assert!(call.is_finished());
    assert_eq!(call.await.expect("no panic").expect_err("stalled").kind(), ErrorKind::Deadline);
    assert!(rig.trip.is_down());
    assert_eq!(rig.trip.in_flight(), 0);
}

#[tokio::test]
async fn a_clear_that_stops_making_steps_ends() {
    let rig = Rig::new();
    rig.faulty.on([Call::Clear]).delay_in_steps(rig.time(), ms(60), 5);
    rig.faulty.on([Call::Clear]).stall();
    let call = clear(&rig);
    rig.clock.pass(ms(300)).await;
    assert!(!call.is_finished());
    // The last step may have come just after its deadline was set anew.
    rig.clock.pass(2 * DEADLINE + GRACE).await;
    assert!(call.is_finished());
    assert_eq!(call.await.expect("no panic").expect_err("stalled").kind(), ErrorKind::Deadline);
}

fn close(rig: &Rig) -> JoinHandle<Result<()>> {
    let trip = Arc::clone(&rig.trip);
    tokio::spawn(async move { trip.aclose().await })
}

#[tokio::test]
async fn closing_waits_for_what_is_under_way() {
    let rig = Rig::new();
    set(&*rig.trip, "a", 1).await.expect("a healthy store");
    let gate = rig.faulty.on([Call::Get]).pause();
    let call = rig.get("a");
    gate.reached(1).await;
    let closing = close(&rig);
    rig.clock.pass(ms(50)).await;
    assert!(!closing.is_finished());
    assert_eq!(rig.faulty.begun(Call::Close), 0);
    // Whoever comes now is told.
    assert_eq!(rig.get_at_once("a").expect_err("it is closing").kind(), ErrorKind::Closed);
    gate.open();
    rig.clock.pass(ms(1)).await;
    assert!(call.await.expect("no panic").0.expect("it was under way"));
    closing.await.expect("no panic").expect("it closes");
    assert_eq!((rig.faulty.begun(Call::Close), rig.faulty.begun(Call::Get)), (1, 1));
    assert_eq!(set(&*rig.trip, "a", 1).await.expect_err("closed").kind(), ErrorKind::Closed);
    assert_eq!(rig.trip.aping().await.expect_err("closed").kind(), ErrorKind::Closed);
    assert_eq!(clear(&rig).await.expect("no panic").expect_err("closed").kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn closing_waits_one_deadline_at_most() {
    let rig = Rig::new();
    // A clear may take for ever, if it makes steps.
    rig.faulty.on([Call::Clear]).delay_in_steps(rig.time(), ms(60), 100);
    let call = clear(&rig);
    rig.clock.pass(ms(10)).await;
    let closing = close(&rig);
    rig.clock.pass(ms(99)).await;
    assert_eq!(rig.faulty.begun(Call::Close), 0);
    rig.clock.pass(GRACE + ms(1)).await;
    assert_eq!(rig.faulty.begun(Call::Close), 1);
    closing.await.expect("no panic").expect("it closes");
    call.abort();
}

#[tokio::test]
async fn a_store_that_does_not_close_is_a_deadline() {
    let rig = Rig::new();
    rig.faulty.on([Call::Close]).stall();
    let closing = close(&rig);
    rig.clock.pass(DEADLINE + GRACE).await;
    assert!(closing.is_finished());
    assert_eq!(closing.await.expect("no panic").expect_err("stalled").kind(), ErrorKind::Deadline);
}

#[tokio::test]
async fn closing_ends_the_prober() {
    let rig = Rig::new();
    rig.faulty.on([Call::Ping]).stall();
    rig.lose_connection();
    rig.clock.pass(ms(70)).await;
    assert_eq!(rig.faulty.inside(Call::Ping), 1);
    close(&rig).await.expect("no panic").expect("it closes");
    assert_eq!(rig.faulty.inside(Call::Ping), 0);
    assert_eq!(rig.get_at_once("a").expect_err("closed").kind(), ErrorKind::Closed);
    rig.clock.pass(IDLE).await;
    assert_eq!((tasks(), rig.faulty.begun(Call::Ping)), (0, 1));
}
