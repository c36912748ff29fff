//! What the operations of a store and its keeper share.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cache_core::{Counter, Counters, Error, Result, Tick};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cull::Limits;
use crate::files::{Done, Files};
use crate::place::PrefixId;
use crate::totals::Totals;
use crate::uses::Uses;

/// How a store and its keeper reach each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bell {
    /// Rung when there is too much.
    pub(crate) full: Arc<Notify>,
    /// Once the store is gone.
    pub(crate) over: CancellationToken,
}

/// What the operations of a store and its keeper share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) files: Files,
    pub(crate) limits: Limits,
    pub(crate) totals: Totals,
    pub(crate) uses: Uses,
    pub(crate) counters: Counters,
    pub(crate) tasks: TaskTracker,
    pub(crate) closed: CancellationToken,
    /// Held by who makes room here; between processes a file is locked.
    pub(crate) room: Mutex<()>,
    pub(crate) bell: Bell,
    pub(crate) is_kept: AtomicBool,
    /// Until when nothing more is said of what cannot be removed.
    pub(crate) quiet: Mutex<Option<Tick>>,
}

impl Inner {
    /// Takes note of what a write did, and sees to it that there is room again.
    pub(crate) fn settle<T>(&self, done: Done<T>) -> T {
        let Done { outcome, prefix, shard, snapshot } = done;
        let sum = self.totals.note(&self.files.location, prefix, shard, snapshot);
        if self.limits.are_exceeded_by(sum) {
            self.bell.full.notify_one();
            if self.limits.are_far_exceeded_by(sum) {
                // Nobody else comes to it, or not fast enough. The write is done,
                // and does not fail with what it does for others.
                if let Err(error) = self.make_room(prefix, 1) {
                    self.warn(&error);
                }
            }
        }
        outcome
    }

    /// Says that something could not be removed; once a minute is often enough for
    /// what will not be removed the next time either.
    pub(crate) fn warn(&self, error: &Error) {
        const QUIET: Duration = Duration::from_mins(1);

        let now = self.files.clock.precise();
        let mut quiet = self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        if quiet.is_none_or(|until| now >= until) {
            *quiet = Some(now.after(QUIET));
            tracing::warn!(target: "cache::fs", %error, "files could not be removed");
        }
    }

    /// Makes room under the prefix, if there is too much by the time that nobody
    /// else here does.
    pub(crate) fn make_room(&self, prefix: PrefixId, groups: usize) -> Result<()> {
        let _room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        while self.limits.are_exceeded_by(self.totals.sum(prefix)) {
            let removed = self.files.make_room(prefix, &self.limits, &self.totals, &self.uses, groups)?;
            self.counters.add(Counter::Evictions, removed.evicted);
            self.counters.add(Counter::Expirations, removed.expired);
            removed.outcome?;
            let is_bounded = groups < usize::MAX;
            if is_bounded || removed.evicted + removed.expired == 0 {
                break;
            }
        }
        Ok(())
    }
}

/// The last clone ends the keeper.
impl Drop for Inner {
    fn drop(&mut self) {
        self.bell.over.cancel();
    }
}
