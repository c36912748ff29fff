//! The task that loads, for one flight or for those of a batch.

use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use tokio::task::AbortHandle;

use super::sync::{AtomicBool, AtomicUsize};

/// Aborts the task once none of its flights is wanted any more.
#[derive(Debug, Default)]
pub(crate) struct LoadTask {
    /// How many of its flights are not over.
    wanted: AtomicUsize,
    has_timed_out: AtomicBool,
    handle: OnceLock<AbortHandle>,
}

impl LoadTask {
    /// It has been spawned.
    pub(crate) fn is_spawned(&self, handle: AbortHandle) {
        let handle = self.handle.get_or_init(|| handle);
        if !self.is_wanted() {
            handle.abort();
        }
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::SeqCst) > 0
    }

    /// Whether this is the first of its flights that ran out of time.
    pub(crate) fn is_first_to_time_out(&self) -> bool {
        !self.has_timed_out.swap(true, Ordering::Relaxed)
    }

    pub(super) fn gains_flight(&self) {
        self.wanted.fetch_add(1, Ordering::SeqCst);
    }

    /// Where the task itself says so, it has nothing left to do.
    pub(super) fn loses_flight(&self) {
        if self.wanted.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.abort();
        }
    }

    pub(super) fn abort(&self) {
        if let Some(handle) = self.handle.get() {
            handle.abort();
        }
    }
}
