//! The timer by the machine's own clock.

#![expect(clippy::print_stderr, reason = "a test tells what it measured")]

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{Clock, Expiry, SystemClock, Tick, Timer};

/// The machine may be busy with something else: the best of so many rounds counts.
const ROUNDS: usize = 8;
const GRACE: Duration = Duration::from_millis(10);

async fn worst_of_a_round() -> Duration {
    let timer = Timer::new(Arc::new(SystemClock));
    let calls: Vec<_> = (0..500)
        .map(|number| {
            let timer = Arc::clone(&timer);
            tokio::spawn(async move {
                let until = SystemClock.precise().after(Duration::from_micros(5_000 + 231 * number));
                assert_eq!(timer.limit(until, pending::<()>()).await, Err(Expiry::Elapsed));
                let now = SystemClock.precise();
                assert!(now >= until, "ended early");
                now.since(until)
            })
        })
        .collect();
    let mut worst = Duration::ZERO;
    for call in calls {
        worst = worst.max(call.await.expect("it did not end early"));
    }
    assert_eq!(timer.waiting(), 0);
    worst
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_calls_end_within_ten_milliseconds_of_their_time() {
    let mut best = Duration::MAX;
    for round in 0..ROUNDS {
        let worst = worst_of_a_round().await;
        eprintln!("round {round}: the latest of 500 was {worst:?} late");
        best = best.min(worst);
        if best <= GRACE {
            return;
        }
    }
    panic!("at best {best:?} late");
}

#[tokio::test]
async fn a_limit_that_is_never_reached_is_none() {
    let timer = Timer::new(Arc::new(SystemClock));
    #[expect(clippy::disallowed_methods, reason = "real time is the point")]
    let nap = tokio::time::sleep(Duration::from_millis(30));
    assert_eq!(timer.limit(Tick::NEVER, nap).await, Ok(()));
}
