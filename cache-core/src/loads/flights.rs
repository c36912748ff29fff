//! Single flight: who loads, who waits, and what a write undoes.
//!
//! Everything is decided under a short lock, without waiting and without I/O.
//! A flight is *loading* until its value is known, then perhaps *publishing*
//! while the value is on its way into the store, and over once its outcome is
//! set. To void a flight is to take it out of the table that callers join:
//! whoever waits gets its outcome, nobody joins it any more, and it may not
//! begin to publish.

use std::hash::{BuildHasher, Hash};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use equivalent::Equivalent;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use tokio::sync::SetOnce;

use super::sync::{Arc, AtomicBool, AtomicU64, AtomicUsize, Mutex, MutexGuard};
use super::task::LoadTask;

/// The loads of one alias that are under way.
#[derive(Debug)]
pub(crate) struct Flights<K, V> {
    shards: Box<[Mutex<Shard<K, V>>]>,
    hasher: RandomState,
    /// How many claims there are. Writers look at nothing else while it is 0.
    claims: AtomicUsize,
}

/// A power of two, so that few loads meet at one lock.
const SHARDS: usize = 32;

#[derive(Debug)]
struct Shard<K, V> {
    /// At most one of a key.
    joinable: HashTable<Arc<Flight<K, V>>>,
    /// Those whose value is on its way into the store, voided or not.
    publishing: Vec<Publishing<K, V>>,
    /// How many flights have left `joinable`.
    departed: u64,
}

#[derive(Debug)]
struct Publishing<K, V> {
    flight: Arc<Flight<K, V>>,
    loaded: V,
    publish: Publish,
}

/// One load of one key.
#[derive(Debug)]
pub(crate) struct Flight<K, V> {
    key: K,
    hash: u64,
    /// This and the next two change under the lock of the shard only.
    waiters: AtomicUsize,
    /// When the present phase has to be over, in nanoseconds of the clock.
    until: AtomicU64,
    /// Whether it has an outcome, or nobody is left to want one.
    is_over: AtomicBool,
    /// `None`: its task was dropped, as by a runtime that shut down.
    outcome: SetOnce<Option<V>>,
    task: Arc<LoadTask>,
}

/// How a value goes into the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Publish {
    /// Nothing that is there is replaced or removed, save what is known to be
    /// unchanged: writes need not wait for it.
    Conditional,
    /// It replaces what it meets: every write waits for it.
    Unconditional,
}

/// Whether a loaded value may go into the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MayPublish {
    Yes,
    /// The key was written, deleted or cleared.
    Voided,
    /// The flight was given up, or ended by its deadline.
    TooLate,
}

/// What a write does to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Afterwards there is a newer value.
    Overwrites,
    /// Afterwards there is none, so that one on its way must not come later.
    Removes,
}

/// How many flights of a key's neighbourhood had left when somebody looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(u64);

/// What becomes of a caller who misses a key.
#[derive(Debug)]
pub(crate) enum Joined<K, V> {
    /// The caller has to load.
    Claimed {
        /// To be handed to the task that loads.
        claim: Claim<K, V>,
        /// The caller's own place among those who wait.
        waiter: Waiter<K, V>,
        /// Whether an entry may have come since the caller looked.
        look_again: bool,
    },
    /// Somebody loads already.
    Waits(Waiter<K, V>),
}

/// The duty to end a flight, whatever happens to the task that has it.
#[derive(Debug)]
pub(crate) struct Claim<K, V> {
    flights: Arc<Flights<K, V>>,
    flight: Arc<Flight<K, V>>,
    is_ended: bool,
}

/// A caller's place at a flight. When the last one goes, a flight that is still
/// loading is given up.
#[derive(Debug)]
pub(crate) struct Waiter<K, V> {
    flights: Arc<Flights<K, V>>,
    flight: Arc<Flight<K, V>>,
}

impl<K: Hash + Eq, V: Clone> Flights<K, V> {
    pub(crate) fn new() -> Arc<Self> {
        let shard = || Shard { joinable: HashTable::new(), publishing: Vec::new(), departed: 0 };
        Arc::new(Self {
            shards: (0..SHARDS).map(|_| Mutex::new(shard())).collect(),
            hasher: RandomState::default(),
            claims: AtomicUsize::new(0),
        })
    }

    /// Whether nothing is loaded, so that a write has nothing to void.
    ///
    /// A load that begins after a writer asked has begun after the write was
    /// called for, and sees whatever the writer did before.
    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        self.claims.load(Ordering::SeqCst) == 0
    }

    pub(crate) fn hash<Q: Hash>(&self, key: &Q) -> u64 {
        self.hasher.hash_one(key)
    }

    /// To be taken before a read that waits, and shown to [`join`](Self::join).
    pub(crate) fn stamp<Q: Hash>(&self, key: &Q) -> Stamp {
        Stamp(self.shard(self.hash(key)).departed)
    }

    /// Joins the flight of the key, or claims a new one that has to be over at
    /// `until`. Without a stamp an entry may always have come since.
    ///
    /// # Errors
    ///
    /// A flight that should have been over: to be ended, and then try again.
    pub(crate) fn join<Q: Hash + Equivalent<K>>(
        self: &Arc<Self>,
        key: &Q,
        own: impl FnOnce() -> (K, Arc<LoadTask>),
        seen: Option<Stamp>,
        (now, until): (u64, u64),
    ) -> Result<Joined<K, V>, Arc<Flight<K, V>>> {
        let hash = self.hash(key);
        let mut shard = self.shard(hash);
        if let Some(flight) = shard.joinable.find(hash, |flight| key.equivalent(&flight.key)) {
            let flight = Arc::clone(flight);
            if flight.until.load(Ordering::Relaxed) <= now {
                return Err(flight);
            }
            flight.waiters.fetch_add(1, Ordering::Relaxed);
            return Ok(Joined::Waits(Waiter { flights: Arc::clone(self), flight }));
        }
        let (key, task) = own();
        task.gains_flight();
        let flight = Arc::new(Flight {
            key,
            hash,
            waiters: AtomicUsize::new(1),
            until: AtomicU64::new(until),
            is_over: AtomicBool::new(false),
            outcome: SetOnce::new(),
            task,
        });
        self.claims.fetch_add(1, Ordering::SeqCst);
        shard.joinable.insert_unique(hash, Arc::clone(&flight), |flight| flight.hash);
        let look_again = seen.is_none_or(|stamp| stamp != Stamp(shard.departed));
        drop(shard);
        Ok(Joined::Claimed {
            claim: Claim { flights: Arc::clone(self), flight: Arc::clone(&flight), is_ended: false },
            waiter: Waiter { flights: Arc::clone(self), flight },
            look_again,
        })
    }

    /// To be called before a write of the key is sent, and once more when it is
    /// over: what was claimed meanwhile may have found what the write replaced.
    ///
    /// Answers the flights whose publishing the write has to wait for.
    pub(crate) fn void<Q: Hash + Equivalent<K>>(&self, key: &Q, change: Change) -> Vec<Arc<Flight<K, V>>> {
        let hash = self.hash(key);
        let mut shard = self.shard(hash);
        let voided = shard.take(hash, |flight| key.equivalent(&flight.key));
        let waits_for = |publishing: &&Publishing<K, V>| {
            key.equivalent(&publishing.flight.key)
                && (change == Change::Removes || publishing.publish == Publish::Unconditional)
        };
        let publishing = shard.publishing.iter().filter(waits_for);
        let publishing = publishing.map(|publishing| Arc::clone(&publishing.flight)).collect();
        drop(shard);
        drop(voided);
        publishing
    }

    /// As [`void`](Self::void), for every key, by a clear.
    pub(crate) fn void_all(&self) -> Vec<Arc<Flight<K, V>>> {
        let mut publishing = Vec::new();
        for shard in &self.shards {
            let mut shard = lock(shard);
            let voided = std::mem::take(&mut shard.joinable);
            shard.departed += voided.len() as u64;
            publishing.extend(shard.publishing.iter().map(|publishing| Arc::clone(&publishing.flight)));
            drop(shard);
            drop(voided);
        }
        publishing
    }

    /// Whether the value is on its way into the store.
    pub(crate) fn is_publishing(&self, flight: &Arc<Flight<K, V>>) -> bool {
        self.shard(flight.hash).place_of(flight).is_some()
    }

    /// Ends a flight whose phase should have been over by now: one that loads
    /// with `failure`, one that publishes with what it loaded. Says whether it
    /// did, and of which phase.
    pub(crate) fn expire(&self, flight: &Arc<Flight<K, V>>, now: u64, failure: V) -> Option<Expired> {
        let mut shard = self.shard(flight.hash);
        if now < flight.until.load(Ordering::Relaxed) || flight.is_over.swap(true, Ordering::Relaxed) {
            return None;
        }
        let joinable = shard.take(flight.hash, |other| Arc::ptr_eq(other, flight));
        let publishing = shard.remove(flight);
        drop(shard);
        drop(joinable);
        let (outcome, phase) = match publishing {
            Some(publishing) => (publishing.loaded, Expired::Publishing),
            None => (failure, Expired::Loading),
        };
        flight.conclude(Some(outcome));
        if phase == Expired::Publishing {
            // What it has not sent by now is not to be sent any more.
            flight.task.abort();
        }
        Some(phase)
    }

    /// How many keys are being loaded, or stored after it.
    pub(crate) fn under_way(&self) -> usize {
        let of_shard = |shard: MutexGuard<'_, Shard<K, V>>| {
            let voided = |flight: &Publishing<K, V>| !shard.is_joinable(&flight.flight);
            shard.joinable.len() + shard.publishing.iter().filter(|flight| voided(flight)).count()
        };
        self.shards.iter().map(|shard| of_shard(lock(shard))).sum()
    }
}

impl<K, V> Flights<K, V> {
    fn end(&self, flight: &Arc<Flight<K, V>>, outcome: Option<V>) -> bool {
        let mut shard = self.shard(flight.hash);
        let was_over = flight.is_over.swap(true, Ordering::Relaxed);
        let joinable = shard.take(flight.hash, |other| Arc::ptr_eq(other, flight));
        let publishing = shard.remove(flight);
        drop(shard);
        self.claims.fetch_sub(1, Ordering::SeqCst);
        if !was_over {
            flight.conclude(outcome);
        }
        // A value that panics when it is dropped has kept nobody waiting.
        drop((joinable, publishing));
        !was_over
    }

    fn leave(&self, flight: &Arc<Flight<K, V>>) {
        let mut shard = self.shard(flight.hash);
        let is_last = flight.waiters.fetch_sub(1, Ordering::Relaxed) == 1;
        if !is_last || shard.place_of(flight).is_some() || flight.is_over.swap(true, Ordering::Relaxed) {
            return;
        }
        let given_up = shard.take(flight.hash, |other| Arc::ptr_eq(other, flight));
        drop(shard);
        drop(given_up);
        flight.task.loses_flight();
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard<K, V>> {
        // The table in the shard goes by the highest and the lowest bits.
        lock(&self.shards[(hash >> 32) as usize & (SHARDS - 1)])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was over when a flight expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expired {
    /// The loader did not end.
    Loading,
    /// The value did not get into the store.
    Publishing,
}

/// What is taken out is handed out, so that no value is dropped under a lock.
impl<K, V> Shard<K, V> {
    fn take(&mut self, hash: u64, is: impl Fn(&Arc<Flight<K, V>>) -> bool) -> Option<Arc<Flight<K, V>>> {
        let (flight, _) = self.joinable.find_entry(hash, is).ok()?.remove();
        self.departed += 1;
        Some(flight)
    }

    fn is_joinable(&self, flight: &Arc<Flight<K, V>>) -> bool {
        self.joinable.find(flight.hash, |other| Arc::ptr_eq(other, flight)).is_some()
    }

    fn remove(&mut self, flight: &Arc<Flight<K, V>>) -> Option<Publishing<K, V>> {
        let place = self.place_of(flight)?;
        Some(self.publishing.swap_remove(place))
    }

    fn place_of(&self, flight: &Arc<Flight<K, V>>) -> Option<usize> {
        self.publishing.iter().position(|publishing| Arc::ptr_eq(&publishing.flight, flight))
    }
}

impl<K: Hash + Eq, V: Clone> Claim<K, V> {
    pub(crate) fn flight(&self) -> &Arc<Flight<K, V>> {
        &self.flight
    }

    /// Asks whether the value may go into the store. If so, writes that have to
    /// do wait from now on, until [`end`](Self::end) or `until`.
    pub(crate) fn begin_publish(&self, loaded: V, publish: Publish, until: u64) -> MayPublish {
        let mut shard = self.flights.shard(self.flight.hash);
        if self.flight.is_over.load(Ordering::Relaxed) {
            return MayPublish::TooLate;
        }
        if !shard.is_joinable(&self.flight) {
            return MayPublish::Voided;
        }
        self.flight.until.store(until, Ordering::Relaxed);
        let flight = Arc::clone(&self.flight);
        shard.publishing.push(Publishing { flight, loaded, publish });
        MayPublish::Yes
    }

    /// Whether a write has been called for since the load was claimed.
    pub(crate) fn is_voided(&self) -> bool {
        !self.flights.shard(self.flight.hash).is_joinable(&self.flight)
    }

    /// Tells everybody who waits, for callers and for writers alike.
    ///
    /// False if the flight had been ended by its deadline or given up.
    pub(crate) fn end(mut self, outcome: V) -> bool {
        self.is_ended = true;
        self.flights.end(&self.flight, Some(outcome))
    }
}

impl<K, V> Flight<K, V> {
    pub(crate) fn key(&self) -> &K {
        &self.key
    }

    pub(crate) fn task(&self) -> &Arc<LoadTask> {
        &self.task
    }

    /// When its present phase has to be over.
    pub(crate) fn until(&self) -> u64 {
        self.until.load(Ordering::Relaxed)
    }

    /// Ends when it is over.
    pub(crate) async fn outcome(&self) -> &Option<V> {
        self.outcome.wait().await
    }

    /// Whether it has an outcome, or nobody is left to want one.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Whether it is of this key, whose hash is known.
    pub(crate) fn is_of<Q: Equivalent<K>>(&self, key: &Q, hash: u64) -> bool {
        self.hash == hash && key.equivalent(&self.key)
    }

    /// Its outcome, if it is over.
    pub(crate) fn outcome_now(&self) -> Option<&Option<V>> {
        self.outcome.get()
    }

    /// Only who set `is_over` comes here.
    fn conclude(&self, outcome: Option<V>) {
        let _ = self.outcome.set(outcome);
        self.task.loses_flight();
    }
}

/// The task was dropped before it ended the flight.
impl<K, V> Drop for Claim<K, V> {
    fn drop(&mut self) {
        if !self.is_ended {
            self.flights.end(&self.flight, None);
        }
    }
}

impl<K, V> Waiter<K, V> {
    pub(crate) fn flight(&self) -> &Arc<Flight<K, V>> {
        &self.flight
    }
}

impl<K, V> Drop for Waiter<K, V> {
    fn drop(&mut self) {
        self.flights.leave(&self.flight);
    }
}
