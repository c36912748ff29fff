//! The timer that all calls share, by the manual clock.

#![expect(clippy::print_stderr, reason = "a test tells what it measured")]

mod chance;

use std::future::{Future, pending, ready};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use cache_core::{Clock, Expiry, Tick, Timer};
use cache_testkit::ManualClock;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::yield_now;

use chance::{dice, scaled};

const GRACE: Duration = Duration::from_millis(10);

/// Longer than its task stays when nothing waits.
const IDLE: Duration = Duration::from_secs(3);

fn timer() -> (Arc<ManualClock>, Arc<Timer>) {
    let clock = Arc::new(ManualClock::new());
    (Arc::clone(&clock), Timer::new(clock))
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Waits for ever within a limit, and says how late it was ended.
async fn lateness(clock: Arc<ManualClock>, timer: Arc<Timer>, until: Tick) -> Duration {
    assert_eq!(timer.limit(until, pending::<()>()).await, Err(Expiry::Elapsed));
    let now = clock.now();
    assert!(now >= until, "ended {:?} early", until.since(now));
    now.since(until)
}

#[tokio::test]
async fn a_ready_future_never_registers() {
    let (clock, timer) = timer();
    assert_eq!(timer.limit(clock.now().after(ms(5)), ready(7)).await, Ok(7));
    // Not even if its time is over already.
    assert_eq!(timer.limit(clock.now(), ready(8)).await, Ok(8));
    assert_eq!(timer.waiting(), 0);
    assert_eq!(tasks(), 0);
}

#[tokio::test]
async fn a_future_that_waits_is_ended_at_once_if_its_time_is_over() {
    let (clock, timer) = timer();
    assert_eq!(timer.limit(clock.now(), pending::<()>()).await, Err(Expiry::Elapsed));
    assert_eq!(timer.waiting(), 0);
    assert_eq!(tasks(), 0);
}

#[tokio::test]
async fn it_ends_at_its_time_and_not_before() {
    for micros in (0..4_000).step_by(137) {
        let (clock, timer) = timer();
        let until = clock.now().after(ms(100) + Duration::from_micros(micros));
        let call = tokio::spawn(lateness(Arc::clone(&clock), Arc::clone(&timer), until));
        clock.pass(ms(100)).await;
        assert!(micros == 0 || !call.is_finished());
        clock.pass(ms(15)).await;
        let late = call.await.expect("it did not end early");
        assert!(late <= GRACE, "{late:?} late");
        assert_eq!(timer.waiting(), 0);
    }
}

#[tokio::test]
async fn many_calls_end_each_at_its_own_time() {
    let (clock, timer) = timer();
    let mut dice = dice("many_calls_end_each_at_its_own_time");
    let calls: Vec<_> = (0..scaled(1_000))
        .map(|_| {
            let until = clock.now().after(Duration::from_micros(dice.u64(1_000..500_000)));
            tokio::spawn(lateness(Arc::clone(&clock), Arc::clone(&timer), until))
        })
        .collect();
    // More tasks than have their turn between two steps: first all get a seat.
    while timer.waiting() < calls.len() {
        yield_now().await;
    }
    for _ in 0..520 {
        clock.advance(ms(1));
        for _ in 0..100 {
            yield_now().await;
        }
    }
    let mut worst = Duration::ZERO;
    for call in calls {
        assert!(call.is_finished());
        worst = worst.max(call.await.expect("it did not end early"));
    }
    eprintln!("latest by {worst:?}");
    assert!(worst <= GRACE);
    assert_eq!(timer.waiting(), 0);
}

#[tokio::test]
async fn a_great_leap_of_time_ends_all() {
    let (clock, timer) = timer();
    let now = clock.now();
    let calls: Vec<_> = (1..=50)
        .map(|n| tokio::spawn(lateness(Arc::clone(&clock), Arc::clone(&timer), now.after(ms(n * 20)))))
        .collect();
    clock.pass(ms(1)).await;
    assert_eq!(timer.waiting(), 50);
    clock.advance(Duration::from_mins(1));
    clock.pass(ms(1)).await;
    assert!(calls.iter().all(tokio::task::JoinHandle::is_finished));
    assert_eq!(timer.waiting(), 0);
}

#[tokio::test]
async fn an_earlier_call_is_not_kept_waiting_by_a_later_one() {
    let (clock, timer) = timer();
    let until = |millis| clock.now().after(ms(millis));
    let late = tokio::spawn(lateness(Arc::clone(&clock), Arc::clone(&timer), until(60_000)));
    clock.pass(ms(5)).await;
    let soon = tokio::spawn(lateness(Arc::clone(&clock), Arc::clone(&timer), until(20)));
    clock.pass(ms(35)).await;
    assert!(soon.is_finished() && !late.is_finished());
    assert!(soon.await.expect("it did not end early") <= GRACE);
    late.abort();
}

#[tokio::test]
async fn the_inner_future_wakes_the_call() {
    let (clock, timer) = timer();
    let (send, receive) = oneshot::channel();
    let until = clock.now().after(ms(100));
    let limited = Arc::clone(&timer);
    let call = tokio::spawn(async move { limited.limit(until, receive).await });
    clock.pass(ms(50)).await;
    assert_eq!(timer.waiting(), 1);
    send.send(7).expect("the call waits");
    clock.pass(ms(1)).await;
    assert_eq!(call.await.expect("no panic"), Ok(Ok(7)));
    assert_eq!(timer.waiting(), 0);
}

#[tokio::test]
async fn whoever_polled_last_is_woken() {
    let (clock, timer) = timer();
    let until = clock.now().after(ms(20));
    let mut call = Box::pin(lateness(Arc::clone(&clock), Arc::clone(&timer), until));
    // Here first, and then in a task of its own.
    assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let call = tokio::spawn(call);
    clock.pass(ms(35)).await;
    assert!(call.is_finished());
    assert!(call.await.expect("it did not end early") <= GRACE);
}

#[tokio::test]
async fn of_two_limits_the_shorter_one_holds() {
    let (clock, timer) = timer();
    for (outer, inner, expected) in [
        (20, 50, Err(Expiry::Elapsed)),
        (50, 20, Ok(Err(Expiry::Elapsed))),
        (20, 20, Ok(Err(Expiry::Elapsed))),
    ] {
        let timer = Arc::clone(&timer);
        let now = clock.now();
        let nested = Arc::clone(&timer);
        let call = tokio::spawn(async move {
            nested.limit(now.after(ms(outer)), nested.limit(now.after(ms(inner)), pending::<()>())).await
        });
        clock.pass(ms(35)).await;
        assert!(call.is_finished(), "{outer} around {inner}");
        let ended = call.await.expect("no panic");
        if outer == inner {
            // Both are over; either may say so first.
            assert!(ended == expected || ended == Err(Expiry::Elapsed));
        } else {
            assert_eq!(ended, expected, "{outer} around {inner}");
        }
        assert_eq!(timer.waiting(), 0);
    }
}

#[tokio::test]
async fn dropped_calls_give_their_seats_back() {
    let (clock, timer) = timer();
    let mut dice = dice("dropped_calls_give_their_seats_back");
    let mut calls: Vec<Pin<Box<dyn Future<Output = _> + Send>>> = Vec::new();
    let mut seated = 0;
    for _ in 0..scaled(10_000) {
        let until = clock.now().after(Duration::from_micros(dice.u64(1..200_000)));
        let limited = Arc::clone(&timer);
        let mut call = Box::pin(async move { limited.limit(until, pending::<()>()).await });
        if dice.u8(..) > 20 {
            // Some are never polled at all.
            assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            seated += 1;
        }
        calls.push(call);
        if calls.len() > 500 {
            drop(calls.swap_remove(dice.usize(..calls.len())));
        }
        if dice.u8(..) == 0 {
            clock.pass(ms(1)).await;
        }
        if dice.u8(..) < 3 {
            // A seat whose time is over may be looked at again.
            let call = dice.usize(..calls.len());
            if calls[call].as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                drop(calls.swap_remove(call));
            }
        }
    }
    assert!(timer.waiting() > 0 && timer.waiting() <= 500);
    drop(calls);
    assert_eq!(timer.waiting(), 0, "of {seated} seats");
    clock.pass(IDLE).await;
    assert_eq!(tasks(), 0);
}

#[tokio::test]
async fn a_call_that_panics_gives_its_seat_back() {
    let (clock, timer) = timer();
    let until = clock.now().after(ms(100));
    let (send, receive) = oneshot::channel::<()>();
    let limited = Arc::clone(&timer);
    let call = tokio::spawn(async move {
        limited.limit(until, async { receive.await.expect("somebody answers") }).await
    });
    clock.pass(ms(1)).await;
    assert_eq!(timer.waiting(), 1);
    drop(send);
    assert!(call.await.expect_err("it panics").is_panic());
    assert_eq!(timer.waiting(), 0);
}

#[tokio::test]
async fn its_task_ends_when_nothing_waits_and_comes_again() {
    let (clock, timer) = timer();
    for round in 0..3 {
        let until = clock.now().after(ms(20));
        let mut call = pin!(lateness(Arc::clone(&clock), Arc::clone(&timer), until));
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(tasks(), 1, "in round {round}");
        clock.pass(ms(35)).await;
        assert!(call.await <= ms(35));
        clock.pass(IDLE).await;
        assert_eq!(tasks(), 0, "in round {round}");
        assert_eq!(clock.sleepers(), 0);
    }
}

#[tokio::test]
async fn lone_calls_one_after_the_other_share_a_task() {
    let (clock, timer) = timer();
    let spawned = || Handle::current().metrics().num_alive_tasks();
    for _ in 0..50 {
        let limit = timer.limit(clock.now().after(ms(1_000)), async {
            yield_now().await;
        });
        assert_eq!(limit.await, Ok(()));
        clock.pass(ms(10)).await;
        assert_eq!(spawned(), 1);
    }
}

#[tokio::test]
async fn the_last_user_gone_no_task_is_left() {
    let (clock, timer) = timer();
    let until = clock.now().after(Duration::from_hours(1));
    let limited = Arc::clone(&timer);
    let call = tokio::spawn(async move { limited.limit(until, pending::<()>()).await });
    clock.pass(ms(5)).await;
    assert_eq!(tasks(), 2);
    call.abort();
    drop(timer);
    // No time passes: the task is told.
    for _ in 0..10 {
        yield_now().await;
    }
    assert_eq!(tasks(), 0);
    assert_eq!(clock.sleepers(), 0);
}

#[tokio::test]
async fn a_limit_that_is_never_reached_is_none() {
    let (clock, timer) = timer();
    let limited = Arc::clone(&timer);
    let call = tokio::spawn(async move { limited.limit(Tick::NEVER, pending::<()>()).await });
    clock.pass(ms(50)).await;
    clock.advance(Duration::from_hours(100 * 365 * 24));
    clock.pass(ms(50)).await;
    assert!(!call.is_finished());
    call.abort();
}
