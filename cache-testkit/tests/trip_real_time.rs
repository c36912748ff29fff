//! A stalled store by the machine's own clock.

#![expect(clippy::print_stderr, reason = "a test tells what it measured")]

mod rig;

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Clock, ErrorKind, SystemClock, Trip, TripSettings};
use cache_mem::MemStore;
use cache_testkit::{Call, Faulty};

use rig::{get, ms};

/// The machine may be busy with something else: the best of so many rounds counts.
const ROUNDS: usize = 8;

/// What one round measured, each time the worst.
struct Round {
    late: Duration,
    fail_fast: Duration,
    recovery: Duration,
}

async fn round() -> Round {
    let deadline = ms(100);
    let faulty = Faulty::over(Arc::new(MemStore::new()));
    let settings = TripSettings::new("rig", deadline, Arc::new(SystemClock));
    let trip = Arc::new(Trip::new(Arc::<Faulty>::clone(&faulty), settings));
    faulty.on(Call::ALL).stall();

    let calls: Vec<_> = (0..100)
        .map(|_| {
            let trip = Arc::clone(&trip);
            tokio::spawn(async move {
                let began = SystemClock.precise();
                let error = get(&*trip, "a").await.expect_err("the store is stalled");
                assert_eq!(error.kind(), ErrorKind::Deadline);
                SystemClock.precise().since(began)
            })
        })
        .collect();
    let mut late = Duration::ZERO;
    for call in calls {
        let took = call.await.expect("a deadline");
        assert!(took >= deadline, "ended early, after {took:?}");
        late = late.max(took.saturating_sub(deadline));
    }

    let mut fail_fast = Duration::ZERO;
    for _ in 0..100 {
        let began = SystemClock.precise();
        let error = get(&*trip, "a").await.expect_err("the store is known to be down");
        fail_fast = fail_fast.max(SystemClock.precise().since(began));
        assert_eq!(error.kind(), ErrorKind::Connection);
    }
    assert_eq!(faulty.begun(Call::Get), 100);

    faulty.heal();
    let healed = SystemClock.precise();
    while trip.is_down() {
        assert!(SystemClock.precise().since(healed) < Duration::from_secs(2), "it does not recover");
        #[expect(clippy::disallowed_methods, reason = "real time is the point")]
        tokio::time::sleep(ms(1)).await;
    }
    let recovery = SystemClock.precise().since(healed);
    get(&*trip, "a").await.expect("the store is well");
    assert_eq!(faulty.most_inside(Call::Ping), 1);
    Round { late, fail_fast, recovery }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_store_costs_a_deadline_and_ten_milliseconds_and_then_less_than_one() {
    for number in 0..ROUNDS {
        let round = round().await;
        eprintln!(
            "round {number}: 100 stalled calls at most {:?} late, 100 calls during the outage at most {:?}, \
             recovery noticed after {:?}",
            round.late, round.fail_fast, round.recovery,
        );
        if round.late <= ms(10) && round.fail_fast <= ms(1) {
            return;
        }
    }
    panic!("not once in {ROUNDS} rounds");
}
