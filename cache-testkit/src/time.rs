//! Time as a store under test has it: the manual clock's, or real where a
//! server owns it. The one place of the suite that sleeps.

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Clock, SystemClock, Tick};

use crate::manual_clock::ManualClock;

/// Whose time it is.
#[derive(Clone, Debug)]
pub(crate) enum Time {
    /// It passes when a case says so.
    Manual(Arc<ManualClock>),
    /// It passes by itself.
    Real,
}

/// The life of one entry, from before it was written on.
#[derive(Debug)]
pub(crate) struct Span {
    time: Time,
    life: Duration,
    grace: Duration,
    began: Tick,
    /// When the write was known to be done, which may be later than it was.
    written: Option<Tick>,
}

impl Time {
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        match self {
            Self::Manual(clock) => Arc::<ManualClock>::clone(clock),
            Self::Real => Arc::new(SystemClock),
        }
    }

    pub(crate) fn is_manual(&self) -> bool {
        matches!(self, Self::Manual(_))
    }

    /// Lets this much time pass.
    pub(crate) async fn pass(&self, duration: Duration) {
        match self {
            Self::Manual(clock) => clock.advance(duration),
            #[expect(clippy::disallowed_methods, reason = "a server's time passes only by itself")]
            Self::Real => tokio::time::sleep(duration).await,
        }
    }

    /// Begins a life, to be called before the write that gives it.
    pub(crate) fn span(&self, life: Duration, resolution: Duration) -> Span {
        let grace = Duration::from_millis(10) + 2 * resolution;
        Span { time: self.clone(), life, grace, began: self.clock().precise(), written: None }
    }

    async fn pass_until(&self, tick: Tick) {
        let left = tick.since(self.clock().precise());
        if !left.is_zero() {
            self.pass(left).await;
        }
    }
}

impl Span {
    /// Goes to the last moment at which the entry is owed, or near it where
    /// time is real; to be called after the write.
    pub(crate) async fn nearly_passes(&mut self) {
        self.written();
        let last = match self.time {
            Time::Manual(_) => self.life.saturating_sub(Duration::from_nanos(1)),
            Time::Real => self.life * 7 / 10,
        };
        self.time.pass_until(self.began.after(last)).await;
    }

    /// Whether the entry has to be there still. Asked after a read that found
    /// nothing, so that a slow machine is no failure.
    pub(crate) fn is_owed(&self) -> bool {
        self.time.clock().precise() < self.began.after(self.life)
    }

    /// Whether the machine was so slow that the case has nothing left to show:
    /// an entry that was to be there is not, and is owed no more.
    pub(crate) fn is_over_instead_of(&self, found: bool) -> bool {
        assert!(found || !self.is_owed(), "the entry is gone before its time");
        !found
    }

    /// Goes to the first moment at which the entry has to be gone.
    pub(crate) async fn passes(&mut self) {
        let written = self.written();
        self.time.pass_until(written.after(self.life).after(self.grace)).await;
    }

    fn written(&mut self) -> Tick {
        let now = self.time.clock().precise();
        *self.written.get_or_insert(now)
    }
}
