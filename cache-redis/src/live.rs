//! A connection in use, and whether it still deserves to be.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use cache_core::Tick;

use crate::driver::Link;

/// A connection, and what is known of its health.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) link: Link,
    born: Tick,
    /// No new call goes by it; those under way may end.
    retired: AtomicBool,
    /// When the first call began that was given up unanswered since anything
    /// was heard; zero if there is none.
    silent_since: AtomicU64,
}

/// A connection that is younger is not given up for what its server said: the
/// next one would hear the same.
const TOO_YOUNG: Duration = Duration::from_secs(1);

impl Live {
    pub(crate) fn new(link: Link, born: Tick) -> Self {
        Self { link, born, retired: AtomicBool::new(false), silent_since: AtomicU64::new(0) }
    }

    /// Whether a call that begins now may go by it.
    pub(crate) fn is_usable(&self) -> bool {
        !self.retired.load(Ordering::Relaxed) && !self.link.is_lost()
    }

    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    /// Retires it unless it has only just been made.
    pub(crate) fn retire_if_old(&self, now: Tick) {
        if now.since(self.born) >= TOO_YOUNG {
            self.retire();
        }
    }

    /// A reply has come, to whomever.
    pub(crate) fn heard(&self) {
        if self.silent_since.load(Ordering::Relaxed) != 0 {
            self.silent_since.store(0, Ordering::Relaxed);
        }
    }

    /// A call that began then is given up now. If nothing has been heard for as
    /// long as a caller waits at most, the connection may be cut off without
    /// either side knowing, which no driver notices by itself.
    ///
    /// That is judged here and not when the next call begins: meanwhile nobody
    /// may have asked anything, and what was dropped keeps its place before what
    /// comes next.
    pub(crate) fn not_heard(&self, began: Tick, now: Tick, patience: Duration) {
        let began = began.as_nanos().max(1);
        let first = self.silent_since.compare_exchange(0, began, Ordering::Relaxed, Ordering::Relaxed);
        let silent_since = Tick::from_nanos(first.err().unwrap_or(began));
        if now.since(silent_since) >= patience {
            self.retire();
        }
    }
}
