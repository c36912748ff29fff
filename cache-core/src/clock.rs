//! Time: the one place where this workspace reads it.

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

/// A point of a [`Clock`]'s own monotonic time, in nanoseconds.
///
/// Ticks of different clocks do not compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(u64);

/// Where everything here gets its time from.
///
/// Tests set a manual one and advance it; programs have [`SystemClock`].
/// Stores ask for the time under their locks: a clock of one's own must not
/// use a cache.
#[async_trait]
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time, cheaply: it may lag behind [`precise`](Self::precise) by up to
    /// 10 ms, and never runs ahead of it.
    fn now(&self) -> Tick;

    /// The time as precisely as the machine tells it.
    fn precise(&self) -> Tick {
        self.now()
    }

    /// The date and time of day, precisely.
    fn wall(&self) -> SystemTime;

    /// Ends when [`precise`](Self::precise) has reached `tick`, at once if it has.
    ///
    /// The system clock needs a tokio runtime with timers for it. Where tokio's
    /// own time is paused, as in tests, it ends when that says so.
    async fn sleep_until(&self, tick: Tick);
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Tick {
    /// The tick that is never reached.
    pub const NEVER: Self = Self(u64::MAX);

    /// The tick so many nanoseconds after the clock's origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock's origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The tick this much later, [`NEVER`](Self::NEVER) where it does not fit.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }

    /// The time from `earlier` to this tick, zero if it lies behind.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl SystemClock {
    /// Blocks this thread for so long, which therefore must be one that may be:
    /// between two looks at what the system tells in no other way, as whether a
    /// file is locked. No test can set this time, so nothing else is to wait so.
    pub fn block(self, duration: Duration) {
        #[expect(clippy::disallowed_methods, reason = "this is the clock")]
        std::thread::sleep(duration);
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Tick {
        source::coarse()
    }

    fn precise(&self) -> Tick {
        source::precise()
    }

    fn wall(&self) -> SystemTime {
        #[expect(clippy::disallowed_methods, reason = "this is the clock")]
        SystemTime::now()
    }

    async fn sleep_until(&self, tick: Tick) {
        loop {
            let began = self.precise();
            let left = tick.since(began);
            if left.is_zero() {
                return;
            }
            #[expect(clippy::disallowed_methods, reason = "this is the clock")]
            tokio::time::sleep(left).await;
            // Tokio's time is paused and runs ahead: to go on would not end.
            if self.precise().since(began) < left / 2 {
                return;
            }
        }
    }
}

/// The kernel's own coarse clock costs a sixth of the precise one, and both
/// count from one origin, so that ticks of both compare.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod source {
    use super::Tick;
    use rustix::time::{ClockId, clock_gettime};

    pub(super) fn coarse() -> Tick {
        read(ClockId::MonotonicCoarse)
    }

    pub(super) fn precise() -> Tick {
        read(ClockId::Monotonic)
    }

    fn read(id: ClockId) -> Tick {
        let time = clock_gettime(id);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
        Tick(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod source {
    use super::Tick;
    use std::sync::OnceLock;
    use std::time::Instant;

    static ORIGIN: OnceLock<Instant> = OnceLock::new();

    pub(super) fn coarse() -> Tick {
        precise()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub(super) fn precise() -> Tick {
        let origin = *ORIGIN.get_or_init(Instant::now);
        Tick(u64::try_from(origin.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}
