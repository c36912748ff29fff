//! What the operations of a store and its keeper share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use cache_core::Counters;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cull::Limits;
use crate::files::{Done, Files};
use crate::keeper::{self, Bell};
use crate::totals::Totals;
use crate::uses::Uses;

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
}

impl Inner {
    /// Sees to it that there is a keeper. Only one that ended with its runtime
    /// is replaced.
    pub(crate) fn keep(self: &Arc<Self>) {
        if !self.is_kept.load(Ordering::Relaxed)
            && let Ok(runtime) = Handle::try_current()
            && !self.is_kept.swap(true, Ordering::AcqRel)
        {
            keeper::start(self, &runtime);
        }
    }

    /// Takes note of what a write did, and sees to it that there is room again.
    pub(crate) fn settle<T>(&self, done: Done<T>) -> T {
        let Done { outcome, prefix, shard, count } = done;
        let sum = self.totals.note(&self.files.location, prefix, shard, count);
        if self.limits.are_exceeded_by(sum) {
            self.bell.full.notify_one();
            if self.limits.are_far_exceeded_by(sum) {
                // Nobody else comes to it, or not fast enough. The write is done,
                // and does not fail with what it does for others.
                if let Err(error) = self.make_room(prefix, 1) {
                    tracing::warn!(target: "cache::fs", %error, "files could not be removed");
                }
            }
        }
        outcome
    }
}

/// The last clone ends the keeper.
impl Drop for Inner {
    fn drop(&mut self) {
        self.bell.over.cancel();
    }
}
