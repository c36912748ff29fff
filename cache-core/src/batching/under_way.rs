//! How many trips are under way, and who waits for the last to end.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts trips, on whatever runtime they are.
#[derive(Default)]
pub(super) struct UnderWay {
    trips: AtomicUsize,
    ended: Notify,
}

impl UnderWay {
    pub(super) fn begin(&self) {
        self.trips.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        if self.trips.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.ended.notify_waiters();
        }
    }

    /// Whether there is none: a hint that spares locks.
    pub(super) fn is_none(&self) -> bool {
        self.trips.load(Ordering::Relaxed) == 0
    }

    /// Ends when there is none.
    pub(super) async fn over(&self) {
        loop {
            let mut ended = pin!(self.ended.notified());
            ended.as_mut().enable();
            if self.is_none() {
                return;
            }
            ended.await;
        }
    }
}
