//! Each runtime has a task of the timer's. Nobody is to suffer when another
//! runtime is gone, asleep, or was never there.

#![expect(clippy::print_stderr, reason = "a test tells what it measured")]

use std::future::{Future as _, pending};
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use cache_core::{Clock, Expiry, SystemClock, Tick, Timer};
use cache_testkit::ManualClock;
use tokio::runtime::{Builder, Handle, Runtime};

/// How long a test waits for what must not hang.
const PATIENCE: Duration = Duration::from_secs(5);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime")
}

fn many_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("a runtime")
}

/// What the work answers, on a thread of its own, so that a hang is a failure.
fn within_patience<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || send.send(work()));
    receive.recv_timeout(PATIENCE).expect("it hangs, or panicked")
}

/// Starts the timer's task on the runtime, by a call that is then dropped.
fn start_task(runtime: &Runtime, timer: &Arc<Timer>, until: Tick) {
    runtime.block_on(async {
        let mut call = pin!(timer.limit(until, pending::<()>()));
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        tokio::task::yield_now().await;
    });
}

#[test]
fn without_any_runtime_it_says_so_at_once() {
    let timer = Timer::new(Arc::new(SystemClock));
    let until = SystemClock.precise().after(Duration::from_mins(1));
    let mut call = pin!(timer.limit(until, pending::<()>()));
    let answer = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(answer, Poll::Ready(Err(Expiry::NoRuntime)));
    assert_eq!(timer.waiting(), 0);
}

#[test]
fn a_call_without_a_runtime_does_not_lean_on_those_of_others() {
    let runtime = many_threads();
    let timer = Timer::new(Arc::new(SystemClock));
    start_task(&runtime, &timer, SystemClock.precise().after(PATIENCE));
    let until = SystemClock.precise().after(PATIENCE);
    let mut call = pin!(timer.limit(until, pending::<()>()));
    let answer = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(answer, Poll::Ready(Err(Expiry::NoRuntime)));
}

/// By the manual clock: each runtime has a task of its own.
#[test]
fn when_the_runtime_of_the_task_ends_a_call_of_another_ends_on_time() {
    let clock = Arc::new(ManualClock::new());
    let timer = Timer::new(Arc::clone(&clock) as Arc<dyn Clock>);
    let until = clock.now().after(ms(100));

    let first = one_thread();
    start_task(&first, &timer, until);
    assert_eq!(first.metrics().num_alive_tasks(), 1);

    let late = one_thread().block_on(async {
        let limited = Arc::clone(&timer);
        let call = tokio::spawn(async move { limited.limit(until, pending::<()>()).await });
        tokio::task::yield_now().await;
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 2, "the call, and a task of this runtime");
        first.shutdown_background();
        clock.pass(ms(99)).await;
        assert!(!call.is_finished());
        while !call.is_finished() {
            clock.pass(ms(1)).await;
            assert!(clock.now() <= until.after(ms(10)));
        }
        assert_eq!(call.await.expect("no panic"), Err(Expiry::Elapsed));
        clock.now().since(until)
    });
    assert!(late <= ms(10));
    assert_eq!(timer.waiting(), 0);
}

/// The same by the real clock, the first runtime having threads of its own.
#[test]
fn when_the_runtime_of_the_task_ends_a_call_of_another_ends_on_real_time() {
    let timer = Timer::new(Arc::new(SystemClock));
    let first = many_threads();
    start_task(&first, &timer, SystemClock.precise().after(PATIENCE));
    let limited = Arc::clone(&timer);
    let until = SystemClock.precise().after(ms(100));
    let second = thread::spawn(move || one_thread().block_on(limited.limit(until, pending::<()>())));
    while timer.waiting() == 0 {
        thread::yield_now();
    }
    drop(first);
    let ended = within_patience(move || second.join().expect("no panic"));
    assert_eq!(ended, Err(Expiry::Elapsed));
    let late = SystemClock.precise().since(until);
    eprintln!("{late:?} late");
    assert!(late < ms(200));
}

/// A program without async of its own keeps a runtime of one thread beside it,
/// which runs only while somebody blocks on it.
#[test]
fn when_the_runtime_of_the_task_is_asleep_a_call_of_another_ends_on_time() {
    let timer = Timer::new(Arc::new(SystemClock));
    let asleep = one_thread();
    start_task(&asleep, &timer, SystemClock.precise().after(PATIENCE));
    let limited = Arc::clone(&timer);
    let ended = within_patience(move || {
        one_thread().block_on(async {
            let until = SystemClock.precise().after(ms(100));
            limited.limit(until, pending::<()>()).await
        })
    });
    assert_eq!(ended, Err(Expiry::Elapsed));
    drop(asleep);
}

/// Its handle outlives a runtime, and whoever has it can still wait on it.
#[test]
fn on_a_runtime_that_has_ended_it_says_so_at_once() {
    let handle = many_threads().handle().clone();
    let timer = Timer::new(Arc::new(SystemClock));
    let ended = within_patience(move || {
        let until = SystemClock.precise().after(Duration::from_mins(1));
        handle.block_on(timer.limit(until, pending::<()>()))
    });
    assert_eq!(ended, Err(Expiry::NoRuntime));
}

/// Where the runtime keeps no time the task cannot live; that is said once.
#[test]
fn on_a_runtime_without_time_it_says_so() {
    let timer = Timer::new(Arc::new(SystemClock));
    let timeless = Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let ended = within_patience(move || {
        let until = SystemClock.precise().after(Duration::from_mins(1));
        let first = timeless.block_on(timer.limit(until, pending::<()>()));
        (first, timeless.block_on(timer.limit(until, pending::<()>())), timer.waiting())
    });
    assert_eq!(ended, (Err(Expiry::NoRuntime), Err(Expiry::NoRuntime), 0));
}
