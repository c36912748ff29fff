//! How many commands are under way on a connection, and how many callers wait.

use std::sync::atomic::{AtomicUsize, Ordering};

use cache_core::{Error, ErrorKind, Result};
use tokio::sync::{Semaphore, SemaphorePermit, TryAcquireError};

/// Hands out turns, in the order in which they are asked for.
///
/// A driver's own queue would grow without bound beside a server that has
/// stalled. A turn is over when its caller has taken the answer: callers that
/// nobody polls keep theirs.
#[derive(Debug)]
pub(crate) struct Turns {
    free: Semaphore,
    most: u32,
    waiting: AtomicUsize,
    most_waiting: usize,
}

/// One of those that wait.
struct Waiting<'a>(&'a AtomicUsize);

impl Turns {
    pub(crate) fn new(most: u32, most_waiting: usize) -> Self {
        let free = Semaphore::new(usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS));
        Self { free, most, waiting: AtomicUsize::new(0), most_waiting }
    }

    /// A turn, if there is one now and nobody waits for it.
    pub(crate) fn try_take(&self) -> Option<SemaphorePermit<'_>> {
        self.free.try_acquire().ok()
    }

    /// A turn, once there is one.
    ///
    /// # Errors
    ///
    /// [`Overloaded`](ErrorKind::Overloaded) at once where too many wait already.
    pub(crate) async fn take(&self) -> Result<SemaphorePermit<'_>> {
        match self.free.try_acquire() {
            Ok(turn) => return Ok(turn),
            Err(TryAcquireError::Closed) => return Err(closed()),
            Err(TryAcquireError::NoPermits) => {}
        }
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.most_waiting {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            let detail = format!(
                "{} commands are under way and {} calls wait: see `max_in_flight` and `max_waiting`",
                self.most, self.most_waiting
            );
            return Err(Error::new(ErrorKind::Overloaded, detail));
        }
        let _waiting = Waiting(&self.waiting);
        self.free.acquire().await.map_err(|_| closed())
    }

    /// Ends once none is under way.
    pub(crate) async fn all_back(&self) {
        drop(self.free.acquire_many(self.most).await);
    }

    /// Hands out none any more; whoever waits learns of it.
    pub(crate) fn close(&self) {
        self.free.close();
    }
}

pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the store has been closed")
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
