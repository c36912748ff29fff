//! One timer for many calls: a timer of the runtime for each would cost a
//! third of what a fast driver can do.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use slab::Slab;
use tokio::runtime::{self, Handle};
use tokio::sync::Notify;

use crate::clock::{Clock, Tick};
use crate::error::{Error, ErrorKind};

/// Ends futures that take too long.
///
/// Calls whose time ends within the same two milliseconds share a bucket; one
/// task a runtime sleeps until the first bucket is due. A call that is ready
/// when it is first polled never touches it.
///
/// The task lives on the runtime on which the call waits, so that whoever can
/// poll the one polls the other: a runtime that stands still or has ended keeps
/// nobody else waiting.
pub struct Timer {
    clock: Arc<dyn Clock>,
    wheels: Mutex<Wheels>,
}

/// Why a future was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expiry {
    /// Its time was over.
    Elapsed,
    /// There is no tokio runtime on which the time could be kept: none at all,
    /// one without time, or one that has been shut down.
    NoRuntime,
}

/// In nanoseconds.
const BUCKET: u64 = 2_000_000;

/// How long the task stays when nothing waits, so that lone calls one after
/// the other do not each start one.
const LINGER: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Wheels {
    by_runtime: HashMap<runtime::Id, Wheel, foldhash::fast::RandomState>,
    next_id: u64,
}

/// Those who wait on one runtime.
#[derive(Default)]
struct Wheel {
    /// By the end of the bucket, in units of [`BUCKET`].
    buckets: BTreeMap<u64, Slab<Waiter>>,
    /// The bucket that was made last. It stays when it is empty, for the next
    /// call, until another is made.
    latest: u64,
    /// The task panicked, as it does on a runtime without time: nobody can
    /// wait here.
    broken: bool,
    /// When the task looks next, if there is one.
    looks: Option<Tick>,
    rescheduled: Arc<Notify>,
}

struct Waiter {
    /// Slots are reused; the id tells whose it is.
    id: u64,
    waker: Waker,
}

/// A place in a wheel, given back when the call ends.
struct Seat<'a> {
    timer: &'a Timer,
    place: Option<Place>,
}

#[derive(Clone, Copy)]
struct Place {
    runtime: runtime::Id,
    bucket: u64,
    slot: usize,
    id: u64,
}

/// What the task has to be told of a new waiter.
enum Tell {
    Nothing,
    Earlier(Arc<Notify>),
    Begin(Arc<Notify>),
}

impl Timer {
    /// A timer on this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, wheels: Mutex::default() })
    }

    /// The output of the future if it is ready before `until`.
    ///
    /// # Errors
    ///
    /// [`Expiry::Elapsed`] at most 10 ms after `until`;
    /// [`Expiry::NoRuntime`] if the future has to wait and there is no runtime.
    pub async fn limit<F: Future>(self: &Arc<Self>, until: Tick, future: F) -> Result<F::Output, Expiry> {
        let mut future = pin!(future);
        let mut seat = Seat { timer: self, place: None };
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            if self.clock.precise() >= until {
                return Poll::Ready(Err(Expiry::Elapsed));
            }
            match self.wait(&mut seat, until, cx.waker()) {
                Ok(()) => Poll::Pending,
                Err(expiry) => Poll::Ready(Err(expiry)),
            }
        })
        .await
    }

    /// How many calls are waiting; tests see by it that nothing leaks.
    pub fn waiting(&self) -> usize {
        let wheels = self.wheels();
        wheels.by_runtime.values().flat_map(|wheel| wheel.buckets.values()).map(Slab::len).sum()
    }

    fn wait(self: &Arc<Self>, seat: &mut Seat<'_>, until: Tick, waker: &Waker) -> Result<(), Expiry> {
        let runtime = Handle::try_current().map_err(|_| Expiry::NoRuntime)?;
        let mut waker = waker.clone();
        // What a waker does when it is dropped is its own affair, and none for
        // under the lock: so displaced ones are handed out of it.
        let (tell, _displaced) = {
            let mut wheels = self.wheels();
            match seat.place.and_then(|place| wheels.waiter(place)) {
                Some(waiter) if seat.place.is_some_and(|place| place.runtime == runtime.id()) => {
                    std::mem::swap(&mut waiter.waker, &mut waker);
                    (wheels.by_runtime[&runtime.id()].tell(until), Some(waker))
                }
                _ => {
                    let displaced = seat.place.take().and_then(|place| wheels.remove(place));
                    let id = wheels.next_id;
                    wheels.next_id += 1;
                    let wheel = wheels.by_runtime.entry(runtime.id()).or_default();
                    if wheel.broken {
                        drop(wheels);
                        return Err(Expiry::NoRuntime);
                    }
                    seat.place = Some(wheel.seat(runtime.id(), until, Waiter { id, waker }));
                    let tell = wheel.tell(until);
                    if matches!(tell, Tell::Begin(_)) {
                        wheel.looks = Some(Tick::from_nanos(0));
                    }
                    (tell, displaced)
                }
            }
        };
        match tell {
            Tell::Nothing => Ok(()),
            Tell::Earlier(rescheduled) => {
                rescheduled.notify_one();
                Ok(())
            }
            Tell::Begin(rescheduled) => self.begin(&runtime, rescheduled),
        }
    }

    /// Starts the task of a runtime. No lock is held: a runtime that has been
    /// shut down drops the task at once.
    fn begin(self: &Arc<Self>, runtime: &Handle, rescheduled: Arc<Notify>) -> Result<(), Expiry> {
        let mut driver =
            Driver { timer: Arc::downgrade(self), runtime: runtime.id(), idle_since: None, ended: false };
        let clock = Arc::clone(&self.clock);
        let task = runtime.spawn(async move {
            while let Some(next) = driver.look() {
                tokio::select! {
                    () = clock.sleep_until(next) => {}
                    () = rescheduled.notified() => {}
                }
            }
        });
        // While somebody waits it does not end by itself.
        if task.is_finished() { Err(Expiry::NoRuntime) } else { Ok(()) }
    }

    fn wheels(&self) -> MutexGuard<'_, Wheels> {
        self.wheels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rounded up, so that nobody is ended early.
fn bucket_of(until: Tick) -> u64 {
    until.as_nanos().div_ceil(BUCKET)
}

fn end_of(bucket: u64) -> Tick {
    Tick::from_nanos(bucket.saturating_mul(BUCKET))
}

impl Wheels {
    fn waiter(&mut self, place: Place) -> Option<&mut Waiter> {
        let wheel = self.by_runtime.get_mut(&place.runtime)?;
        let waiter = wheel.buckets.get_mut(&place.bucket)?.get_mut(place.slot)?;
        (waiter.id == place.id).then_some(waiter)
    }

    fn remove(&mut self, place: Place) -> Option<Waker> {
        let waiters = self.by_runtime.get_mut(&place.runtime)?.buckets.get_mut(&place.bucket)?;
        let is_still_there = waiters.get(place.slot).is_some_and(|waiter| waiter.id == place.id);
        is_still_there.then(|| waiters.remove(place.slot).waker)
    }
}

impl Wheel {
    fn seat(&mut self, runtime: runtime::Id, until: Tick, waiter: Waiter) -> Place {
        let (bucket, id) = (bucket_of(until), waiter.id);
        let slot = self.bucket(bucket).insert(waiter);
        Place { runtime, bucket, slot, id }
    }

    /// The bucket of this number. What calls one after the other leave empty
    /// does not pile up: to look for one among hundreds cost more than the rest.
    fn bucket(&mut self, bucket: u64) -> &mut Slab<Waiter> {
        if bucket != self.latest && !self.buckets.contains_key(&bucket) {
            let former = std::mem::replace(&mut self.latest, bucket);
            if self.buckets.get(&former).is_some_and(Slab::is_empty) {
                self.buckets.remove(&former);
            }
        }
        self.buckets.entry(bucket).or_default()
    }

    fn tell(&self, until: Tick) -> Tell {
        match self.looks {
            Some(looks) if looks <= end_of(bucket_of(until)) => Tell::Nothing,
            Some(_) => Tell::Earlier(Arc::clone(&self.rescheduled)),
            None => Tell::Begin(Arc::clone(&self.rescheduled)),
        }
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
    runtime: runtime::Id,
    /// Since when nothing waits.
    idle_since: Option<Tick>,
    ended: bool,
}

impl Driver {
    /// Wakes who is due and says when to look again; `None` to end. It looks
    /// at least once per [`LINGER`], so that buckets of long deadlines that
    /// emptied early do not pile up.
    fn look(&mut self) -> Option<Tick> {
        let timer = self.timer.upgrade()?;
        let now = timer.clock.precise();
        let mut wheels = timer.wheels();
        let wheel = wheels.by_runtime.entry(self.runtime).or_default();
        let wakers = wheel.due(now);
        let first = wheel.buckets.first_key_value().map(|(bucket, _)| end_of(*bucket));
        let idle_since = *self.idle_since.get_or_insert(now);
        if first.is_some() {
            self.idle_since = None;
        }
        let latest = now.after(LINGER);
        let next = match first {
            Some(first) => Some(first.min(latest)),
            None if now.since(idle_since) >= LINGER => None,
            None => Some(idle_since.after(LINGER)),
        };
        wheel.looks = next;
        if next.is_none() {
            self.ended = true;
            wheels.by_runtime.remove(&self.runtime);
        }
        drop(wheels);
        wakers.into_iter().for_each(Waker::wake);
        next
    }
}

/// If the runtime ends while others still wait on it, they are woken to learn
/// of it.
impl Drop for Driver {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let Some(timer) = self.timer.upgrade() else { return };
        let mut wheels = timer.wheels();
        let wheel = wheels.by_runtime.remove(&self.runtime);
        if std::thread::panicking() {
            wheels.by_runtime.insert(self.runtime, Wheel { broken: true, ..Wheel::default() });
        }
        drop(wheels);
        let wakers = wheel.map(|mut wheel| wheel.due(Tick::NEVER)).unwrap_or_default();
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            let waker = self.timer.wheels().remove(place);
            drop(waker);
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let wheels = self.wheels.get_mut().unwrap_or_else(PoisonError::into_inner);
        for wheel in wheels.by_runtime.values() {
            wheel.rescheduled.notify_one();
        }
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
