//! A clock that stands still until a test moves it.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use cache_core::{Clock, Tick};

/// A [`Clock`] that stands still until it is advanced, which wakes whoever
/// sleeps on it.
///
/// ```
/// use cache_core::Clock;
/// use cache_testkit::ManualClock;
/// use std::time::Duration;
///
/// let clock = ManualClock::new();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(5));
/// assert_eq!(clock.now().since(before), Duration::from_secs(5));
/// ```
pub struct ManualClock(Mutex<State>);

struct State {
    passed: Duration,
    sleepers: Vec<(Tick, Waker)>,
}

/// Where its wall time starts: some day in 2024, so that tests do not depend
/// on today.
const WALL_START: Duration = Duration::from_secs(1_720_000_000);

impl ManualClock {
    /// A clock at its start.
    pub fn new() -> Self {
        // Not at zero, so that nothing works only by chance at the origin.
        Self(Mutex::new(State { passed: Duration::from_secs(1_000), sleepers: Vec::new() }))
    }

    /// Moves it on, and wakes who has slept long enough.
    pub fn advance(&self, duration: Duration) {
        let mut state = self.state();
        state.passed += duration;
        let now = tick(state.passed);
        let (due, waiting) = state.sleepers.drain(..).partition(|(until, _)| *until <= now);
        state.sleepers = waiting;
        drop(state);
        let due: Vec<(Tick, Waker)> = due;
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// How many sleep on it.
    pub fn sleepers(&self) -> usize {
        self.state().sleepers.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Tick {
        tick(self.state().passed)
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + WALL_START + self.state().passed
    }

    async fn sleep_until(&self, until: Tick) {
        std::future::poll_fn(|cx| {
            let mut state = self.state();
            if tick(state.passed) >= until {
                return Poll::Ready(());
            }
            state.sleepers.retain(|(tick, waker)| *tick != until || !waker.will_wake(cx.waker()));
            state.sleepers.push((until, cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManualClock").field("passed", &self.state().passed).finish_non_exhaustive()
    }
}

fn tick(passed: Duration) -> Tick {
    Tick::from_nanos(0).after(passed)
}
