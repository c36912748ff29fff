//! One who waits for a trip, and how it ends for them.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock::Tick;
use crate::error::{Error, ErrorKind, Result};
use crate::timer::Expiry;

/// One caller who waits for an answer.
pub(super) struct Waiter<T> {
    until: Tick,
    answer: Option<oneshot::Sender<Result<T>>>,
}

/// Where the answer will be.
pub(super) type Answer<T> = oneshot::Receiver<Result<T>>;

impl<T> Waiter<T> {
    pub(super) fn new(until: Tick) -> (Self, Answer<T>) {
        let (sender, answer) = oneshot::channel();
        (Self { until, answer: Some(sender) }, answer)
    }

    /// When the caller's time is over; never once there is an answer.
    pub(super) fn until(&self) -> Tick {
        if self.answer.is_some() { self.until } else { Tick::NEVER }
    }

    /// Whether nobody waits any more.
    pub(super) fn is_gone(&self) -> bool {
        self.answer.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// The caller may have left meanwhile; later answers go nowhere.
    pub(super) fn tell(&mut self, outcome: Result<T>) {
        if let Some(answer) = self.answer.take() {
            drop(answer.send(outcome));
        }
    }

    /// Ends the wait if its time is over.
    pub(super) fn expire(&mut self, now: Tick, deadline: Duration) {
        if self.until() <= now {
            self.tell(Err(elapsed(deadline)));
        }
    }
}

/// Waits for the answer.
pub(super) async fn answer<T>(answer: Answer<T>) -> Result<T> {
    answer.await.unwrap_or_else(|_| Err(abandoned()))
}

/// The error of one whose time could not be kept, or is over.
#[cold]
pub(super) fn expired(expiry: Expiry, deadline: Duration) -> Error {
    if expiry == Expiry::Elapsed { elapsed(deadline) } else { expiry.into() }
}

#[cold]
fn elapsed(deadline: Duration) -> Error {
    Error::new(ErrorKind::Deadline, format!("no answer within {deadline:?}"))
}

#[cold]
pub(super) fn abandoned() -> Error {
    Error::new(ErrorKind::Closed, "the task that carried this call is gone: its runtime has been shut down")
}
