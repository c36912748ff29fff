//! A clock that stands still until a test moves it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
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
    /// By when they wake, and a number of their own.
    sleepers: BTreeMap<(Tick, u64), Waker>,
    next_id: u64,
}

/// One who sleeps, until dropped.
struct Sleeper<'a> {
    clock: &'a ManualClock,
    until: Tick,
    /// Once it is in the list.
    id: Option<u64>,
}

/// Where its wall time starts: some day in 2024, so that tests do not depend
/// on today.
const WALL_START: Duration = Duration::from_secs(1_720_000_000);

/// How far [`ManualClock::pass`] goes at a time.
const STEP: Duration = Duration::from_millis(1);

/// How often the other tasks have their turn between two steps: enough for a
/// chain of tasks that wake one another.
const TURNS: usize = 32;

impl ManualClock {
    /// A clock at its start.
    pub fn new() -> Self {
        // Not at zero, so that nothing works only by chance at the origin.
        let passed = Duration::from_secs(1_000);
        Self(Mutex::new(State { passed, sleepers: BTreeMap::new(), next_id: 0 }))
    }

    /// Moves it on at one go, and wakes who has slept long enough.
    pub fn advance(&self, duration: Duration) {
        let mut state = self.state();
        state.passed += duration;
        let now = tick(state.passed);
        let asleep = state.sleepers.split_off(&(Tick::from_nanos(now.as_nanos().saturating_add(1)), 0));
        let due = std::mem::replace(&mut state.sleepers, asleep);
        drop(state);
        due.into_values().for_each(Waker::wake);
    }

    /// Moves it on a millisecond at a time and lets other tasks run in between,
    /// so that what they do one after the other happens in the right order.
    ///
    /// Meant for a runtime of one thread, where it is deterministic.
    ///
    /// ```
    /// use cache_core::Clock;
    /// use cache_testkit::ManualClock;
    /// use std::{sync::Arc, time::Duration};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let clock = Arc::new(ManualClock::new());
    /// let began = clock.now();
    /// let sleeper = Arc::clone(&clock);
    /// let nap = tokio::spawn(async move {
    ///     sleeper.sleep_until(began.after(Duration::from_millis(3))).await;
    ///     sleeper.sleep_until(began.after(Duration::from_millis(6))).await;
    ///     sleeper.now()
    /// });
    /// clock.pass(Duration::from_millis(10)).await;
    /// assert!(nap.is_finished());
    /// assert_eq!(nap.await.unwrap().since(began), Duration::from_millis(6));
    /// # }
    /// ```
    pub async fn pass(&self, duration: Duration) {
        Self::turns().await;
        let mut left = duration;
        while !left.is_zero() {
            let step = left.min(STEP);
            self.advance(step);
            left -= step;
            Self::turns().await;
        }
    }

    /// How many sleep on it.
    pub fn sleepers(&self) -> usize {
        self.state().sleepers.len()
    }

    async fn turns() {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
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
        let mut sleeper = Sleeper { clock: self, until, id: None };
        std::future::poll_fn(|cx| sleeper.poll(cx)).await;
    }
}

impl Sleeper<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.state();
        if tick(state.passed) >= self.until {
            return Poll::Ready(());
        }
        let id = *self.id.get_or_insert_with(|| {
            state.next_id += 1;
            state.next_id
        });
        let replaced = state.sleepers.insert((self.until, id), cx.waker().clone());
        // A waker may hold the last share of a task, whose end would come back here.
        drop(state);
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            let waker = self.clock.state().sleepers.remove(&(self.until, id));
            drop(waker);
        }
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
