//! The prober lives on the runtime of whoever met the outage. Others are not
//! to suffer when that runtime is gone, asleep, or was never there.

mod rig;

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use cache_core::{ErrorKind, SystemClock, Trip, TripSettings};
use cache_mem::MemStore;
use cache_testkit::{Call, Faulty};
use tokio::runtime::{Builder, Runtime};

use rig::{Rig, get, ms};

/// How long a test waits for what must not hang.
const PATIENCE: Duration = Duration::from_secs(5);

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime")
}

/// What the work answers, on a thread of its own, so that a hang is a failure.
fn within_patience<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || send.send(work()));
    receive.recv_timeout(PATIENCE).expect("it hangs, or panicked")
}

/// On the real clock, since nobody moves a manual one while a runtime sleeps.
fn real() -> (Arc<Faulty>, Arc<Trip>) {
    let faulty = Faulty::over(Arc::new(MemStore::new()));
    let settings = TripSettings::new("rig", ms(200), Arc::new(SystemClock));
    (Arc::clone(&faulty), Arc::new(Trip::new(faulty, settings)))
}

#[expect(clippy::disallowed_methods, reason = "real time is the point")]
async fn real_pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

#[test]
fn when_the_runtime_of_the_prober_ends_a_caller_on_another_starts_one() {
    let rig = Rig::new();
    let first = one_thread();
    rig.faulty.on([Call::Ping]).fail(ErrorKind::Connection);
    first.block_on(async {
        rig.lose_connection();
        rig.clock.pass(ms(500)).await;
    });
    let pings = rig.faulty.begun(Call::Ping);
    assert!(pings > 0);
    drop(first);
    rig.faulty.heal();
    one_thread().block_on(async {
        rig.clock.pass(Duration::from_secs(2)).await;
        assert_eq!(rig.faulty.begun(Call::Ping), pings, "nobody asks");
        assert_eq!(rig.get_at_once("a").expect_err("it is down").kind(), ErrorKind::Connection);
        rig.clock.pass(ms(70)).await;
        assert!(!rig.trip.is_down());
        assert!(!rig.get_at_once("a").expect("the store is well"));
    });
}

#[test]
fn an_outage_met_without_a_runtime_is_asked_about_by_the_next_caller() {
    let rig = Rig::new();
    rig.lose_connection();
    // Without a runtime it fails at once all the same.
    assert_eq!(rig.get_at_once("a").expect_err("it is down").kind(), ErrorKind::Connection);
    one_thread().block_on(async {
        assert_eq!(rig.get_at_once("a").expect_err("it is down").kind(), ErrorKind::Connection);
        rig.clock.pass(ms(70)).await;
        assert!(!rig.trip.is_down());
    });
}

#[test]
fn a_call_that_has_to_wait_without_a_runtime_is_closed_and_no_outage() {
    let rig = Rig::new();
    rig.faulty.on([Call::Get]).stall();
    assert_eq!(rig.get_at_once("a").expect_err("nobody keeps the time").kind(), ErrorKind::Closed);
    assert!(!rig.trip.is_down());
    assert_eq!(rig.trip.in_flight(), 0);
}

/// A program without async of its own keeps a runtime of one thread beside it,
/// which runs only while somebody blocks on it.
#[test]
fn when_the_runtime_of_the_prober_is_asleep_a_caller_on_another_is_served_again() {
    let (faulty, trip) = real();
    let asleep = one_thread();
    faulty.on([Call::Get]).times(1).fail(ErrorKind::Connection);
    asleep.block_on(async { get(&*trip, "a").await }).expect_err("the connection is lost");
    assert!(trip.is_down());
    let is_served = within_patience(move || {
        one_thread().block_on(async {
            for _ in 0..30 {
                if get(&*trip, "a").await.is_ok() {
                    return true;
                }
                real_pause(ms(100)).await;
            }
            false
        })
    });
    assert!(is_served, "the store has been well for three seconds");
    drop(asleep);
}

/// Its handle outlives a runtime, and whoever has it can still wait on it.
#[test]
fn an_outage_met_on_a_runtime_that_has_ended_hangs_nobody() {
    let (faulty, trip) = real();
    let handle = one_thread().handle().clone();
    faulty.on([Call::Get]).times(1).fail(ErrorKind::Connection);
    let kinds = within_patience(move || {
        let lost = handle.block_on(get(&*trip, "a")).expect_err("the connection is lost");
        let down = handle.block_on(get(&*trip, "a")).expect_err("it is known to be down");
        (lost.kind(), down.kind())
    });
    assert_eq!(kinds, (ErrorKind::Connection, ErrorKind::Connection));
}

/// The same program with no other runtime: nobody polls the task that asks, so
/// a caller is let through instead, and no tasks pile up.
#[test]
fn a_program_that_blocks_on_each_call_is_served_again() {
    let store = Faulty::over(Arc::new(cache_mem::MemStore::new()));
    let clock = Arc::new(cache_testkit::ManualClock::new());
    let time: Arc<dyn cache_core::Clock> = Arc::<cache_testkit::ManualClock>::clone(&clock);
    let trip =
        Trip::new(Arc::<Faulty>::clone(&store), TripSettings::new("sync", Duration::from_millis(100), time));
    let runtime = one_thread();
    store.on([cache_testkit::Call::Get]).times(1).fail(cache_core::ErrorKind::Connection);
    runtime.block_on(get(&trip, "a")).expect_err("the connection is lost");
    let mut refused = 0;
    while runtime.block_on(get(&trip, "a")).is_err() {
        refused += 1;
        clock.advance(Duration::from_millis(100));
        assert!(refused < 50, "nobody is let through");
        assert!(runtime.metrics().num_alive_tasks() <= 1);
    }
    assert!(refused > 0 && !trip.is_down());
}
