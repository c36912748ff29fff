//! One timer for many calls: a timer of the runtime for each would cost a
//! third of what a fast driver can do.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use slab::Slab;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::clock::{Clock, Tick};
use crate::error::{Error, ErrorKind};

/// Ends futures that take too long.
///
/// Calls whose time ends within the same two milliseconds share a bucket; one
/// task sleeps until the first bucket is due. A call that is ready when it is
/// first polled never touches it.
pub struct Timer {
    clock: Arc<dyn Clock>,
    wheel: Mutex<Wheel>,
    rescheduled: Arc<Notify>,
}

/// Why a future was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expiry {
    /// Its time was over.
    Elapsed,
    /// There is no tokio runtime on which the time could be kept.
    NoRuntime,
}

/// In nanoseconds.
const BUCKET: u64 = 2_000_000;

/// How long the task stays when nothing waits, so that lone calls one after
/// the other do not each start one.
const LINGER: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Wheel {
    /// By the end of the bucket, in units of [`BUCKET`].
    buckets: BTreeMap<u64, Slab<Waiter>>,
    next_id: u64,
    /// When the task looks next, if there is one.
    driver: Option<Tick>,
}

struct Waiter {
    /// Slots are reused; the id tells whose it is.
    id: u64,
    waker: Waker,
}

/// A place in a bucket, given back when the call ends.
struct Seat<'a> {
    timer: &'a Timer,
    place: Place,
}

#[derive(Clone, Copy)]
struct Place {
    bucket: u64,
    slot: usize,
    id: u64,
}

impl Timer {
    /// A timer on this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, wheel: Mutex::default(), rescheduled: Arc::new(Notify::new()) })
    }

    /// The output of the future if it is ready before `until`.
    ///
    /// # Errors
    ///
    /// [`Expiry::Elapsed`] at most 10 ms after `until`;
    /// [`Expiry::NoRuntime`] if the future has to wait and there is no runtime.
    pub async fn limit<F: Future>(self: &Arc<Self>, until: Tick, future: F) -> Result<F::Output, Expiry> {
        let mut future = pin!(future);
        let mut seat: Option<Seat<'_>> = None;
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            if self.clock.precise() >= until {
                return Poll::Ready(Err(Expiry::Elapsed));
            }
            match self.wait(&mut seat, until, cx) {
                Ok(()) => Poll::Pending,
                Err(expiry) => Poll::Ready(Err(expiry)),
            }
        })
        .await
    }

    /// How many calls are waiting; tests see by it that nothing leaks.
    pub fn waiting(&self) -> usize {
        self.wheel().buckets.values().map(Slab::len).sum()
    }

    fn wait<'a>(
        self: &'a Arc<Self>,
        seat: &mut Option<Seat<'a>>,
        until: Tick,
        cx: &mut Context<'_>,
    ) -> Result<(), Expiry> {
        let mut wheel = self.wheel();
        let seated = seat.as_ref().and_then(|seat| wheel.waiter(seat.place));
        if let Some(waiter) = seated {
            waiter.waker.clone_from(cx.waker());
        } else {
            let bucket = bucket_of(until);
            let id = wheel.next_id;
            wheel.next_id += 1;
            let waiter = Waiter { id, waker: cx.waker().clone() };
            let slot = wheel.buckets.entry(bucket).or_default().insert(waiter);
            let place = Place { bucket, slot, id };
            match seat {
                // The bucket that it was in is gone.
                Some(seat) => seat.place = place,
                None => *seat = Some(Seat { timer: self, place }),
            }
        }
        match wheel.driver {
            Some(looks) if looks <= end_of(bucket_of(until)) => Ok(()),
            Some(_) => {
                self.rescheduled.notify_one();
                Ok(())
            }
            None => self.drive(&mut wheel),
        }
    }

    /// Starts the task, on the runtime of whoever waits now.
    fn drive(self: &Arc<Self>, wheel: &mut Wheel) -> Result<(), Expiry> {
        let runtime = Handle::try_current().map_err(|_| Expiry::NoRuntime)?;
        wheel.driver = Some(Tick::from_nanos(0));
        let mut driver = Driver { timer: Arc::downgrade(self), idle: false, ended: false };
        let clock = Arc::clone(&self.clock);
        let rescheduled = Arc::clone(&self.rescheduled);
        runtime.spawn(async move {
            while let Some(next) = driver.look() {
                tokio::select! {
                    () = clock.sleep_until(next) => {}
                    () = rescheduled.notified() => {}
                }
            }
        });
        Ok(())
    }

    fn wheel(&self) -> MutexGuard<'_, Wheel> {
        self.wheel.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rounded up, so that nobody is ended early.
fn bucket_of(until: Tick) -> u64 {
    until.as_nanos().div_ceil(BUCKET)
}

fn end_of(bucket: u64) -> Tick {
    Tick::from_nanos(bucket.saturating_mul(BUCKET))
}

impl Wheel {
    fn waiter(&mut self, place: Place) -> Option<&mut Waiter> {
        let waiter = self.buckets.get_mut(&place.bucket)?.get_mut(place.slot)?;
        (waiter.id == place.id).then_some(waiter)
    }

    /// Takes out whoever waits in buckets that are due, and forgets empty ones.
    fn due(&mut self, now: Tick) -> Vec<Waker> {
        let mut wakers = Vec::new();
        self.buckets.retain(|bucket, waiters| {
            if end_of(*bucket) > now {
                return !waiters.is_empty();
            }
            wakers.extend(waiters.drain().map(|waiter| waiter.waker));
            false
        });
        wakers
    }
}

/// The task's own half: it holds the timer weakly, so that the last user ends it.
struct Driver {
    timer: Weak<Timer>,
    /// Whether nothing waited when it looked last.
    idle: bool,
    ended: bool,
}

impl Driver {
    /// Wakes who is due and says when to look again; `None` to end.
    fn look(&mut self) -> Option<Tick> {
        let timer = self.timer.upgrade()?;
        let now = timer.clock.precise();
        let mut wheel = timer.wheel();
        let wakers = wheel.due(now);
        let was_idle = std::mem::replace(&mut self.idle, wheel.buckets.is_empty());
        let next = match wheel.buckets.first_key_value() {
            Some((bucket, _)) => Some(end_of(*bucket)),
            None if was_idle => None,
            None => Some(now.after(LINGER)),
        };
        wheel.driver = next;
        self.ended = next.is_none();
        drop(wheel);
        wakers.into_iter().for_each(Waker::wake);
        next
    }
}

/// If the runtime ends while others still wait, they are woken to start the
/// task anew on a runtime of their own.
impl Drop for Driver {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let Some(timer) = self.timer.upgrade() else { return };
        let mut wheel = timer.wheel();
        wheel.driver = None;
        let wakers = wheel.due(Tick::NEVER);
        drop(wheel);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut wheel = self.timer.wheel();
        if wheel.waiter(self.place).is_some()
            && let Some(waiters) = wheel.buckets.get_mut(&self.place.bucket)
        {
            waiters.remove(self.place.slot);
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.rescheduled.notify_one();
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}

impl From<Expiry> for Error {
    fn from(expiry: Expiry) -> Self {
        match expiry {
            Expiry::Elapsed => Self::of(ErrorKind::Deadline),
            Expiry::NoRuntime => Self::new(
                ErrorKind::Closed,
                "the call has to wait, and there is no tokio runtime to keep its deadline on",
            ),
        }
    }
}
