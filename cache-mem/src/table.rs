//! The table that aliases share: shards, and what spans them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cache_core::{Clock, Counter, Counters, Error, ErrorKind, Key, Life, Result, Scope, Tick};
use crossbeam_utils::CachePadded;
use foldhash::quality::RandomState;

use crate::clears::Clears;
use crate::key::HashedKey;
use crate::limits::{Layout, Limits};
use crate::settings::Eviction;
use crate::shard::{AT_ONCE, Shard};
use crate::slot::{Displaced, Slot};
use crate::sweeper::{Noted, Sweeper};

/// Entries of every alias that names this table's location.
pub(crate) struct Table {
    shards: Box<[CachePadded<RwLock<Shard>>]>,
    hash_state: RandomState,
    /// Of the alias that opened it first; the eviction and `max_bytes` are
    /// those of all its aliases.
    limits: Limits,
    layout: Layout,
    /// How many entries there are in all shards.
    held: AtomicUsize,
    next_stamp: AtomicU64,
    clears: Clears,
    aliases: Mutex<Aliases>,
    pub(crate) sweeper: Sweeper,
}

/// The aliases that are open, by number, each with what it counts by.
#[derive(Default)]
struct Aliases {
    open: BTreeMap<u64, Counters>,
    last_number: u64,
}

/// A shard that is being written, and the table's count of entries, which is
/// right again before the lock is free.
pub(crate) struct Writing<'a> {
    shard: RwLockWriteGuard<'a, Shard>,
    number: usize,
    held: &'a AtomicUsize,
    /// How many entries of the shard are in the count.
    counted: usize,
}

/// How a move ended.
pub(crate) struct Moved {
    /// Whether there was an entry to move.
    pub(crate) arrived: bool,
    pub(crate) displaced: Displaced,
    pub(crate) noted: Option<Noted>,
}

impl Table {
    pub(crate) fn new(limits: Limits) -> Self {
        let layout = limits.layout();
        let shards = (0..layout.shards).map(|_| CachePadded::new(RwLock::new(Shard::new(&layout))));
        Self {
            shards: shards.collect(),
            hash_state: RandomState::default(),
            limits,
            layout,
            held: AtomicUsize::new(0),
            next_stamp: AtomicU64::new(1),
            clears: Clears::default(),
            aliases: Mutex::default(),
            sweeper: Sweeper::default(),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn stamp(&self) -> u64 {
        self.next_stamp.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn hash<'a>(&self, key: &'a Key<'a>) -> HashedKey<'a> {
        HashedKey::new(key, &self.hash_state)
    }

    pub(crate) fn len(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Of all entries; as the limits count it.
    pub(crate) fn weight(&self) -> u64 {
        self.shards.iter().map(|shard| read(shard).weight()).sum()
    }

    /// What is found under the key, expired or not; a use.
    pub(crate) fn find<T>(&self, key: &HashedKey<'_>, found: impl FnOnce(&Slot) -> T) -> Option<T> {
        let shard = &self.shards[self.shard_of(key)];
        if self.layout.eviction == Eviction::Lru {
            return write(shard).find_mut(key).map(found);
        }
        read(shard).find(key).map(found)
    }

    pub(crate) fn read(&self, key: &HashedKey<'_>) -> RwLockReadGuard<'_, Shard> {
        read(&self.shards[self.shard_of(key)])
    }

    pub(crate) fn write(&self, key: &HashedKey<'_>) -> Writing<'_> {
        self.write_at(self.shard_of(key))
    }

    /// The shards by their numbers.
    pub(crate) fn shards(&self) -> usize {
        self.shards.len()
    }

    pub(crate) fn read_at(&self, shard: usize) -> RwLockReadGuard<'_, Shard> {
        read(&self.shards[shard])
    }

    pub(crate) fn write_at(&self, number: usize) -> Writing<'_> {
        let shard = write(&self.shards[number]);
        let counted = shard.len();
        Writing { shard, number, held: &self.held, counted }
    }

    /// The engine places by the low bits and compares by the highest, so the
    /// shard goes by those in between.
    pub(crate) fn shard_of(&self, key: &HashedKey<'_>) -> usize {
        (key.hash >> 32) as usize & (self.shards.len() - 1)
    }

    /// Moves the slot under both locks, so that nobody sees it twice or not at
    /// all.
    ///
    /// # Errors
    ///
    /// [`TooLarge`](cache_core::ErrorKind::TooLarge) if it cannot be kept under
    /// its new key, which is longer; then it stays where it is.
    pub(crate) fn relocate(
        &self,
        from: &HashedKey<'_>,
        to: HashedKey<'_>,
        limits: &Limits,
        clock: &dyn Clock,
    ) -> Result<Moved> {
        let (here, there) = (self.shard_of(from), self.shard_of(&to));
        if here == there {
            let mut shard = self.write_at(here);
            let slot = self.depart(from, &to, &mut shard, clock)?;
            return Ok(self.arrive(from, to, slot, &mut shard, limits, clock));
        }
        // Always the lower one first, so that two moves never wait for each other.
        let mut lower = self.write_at(here.min(there));
        let mut upper = self.write_at(here.max(there));
        let (source, target) = if here < there { (&mut lower, &mut upper) } else { (&mut upper, &mut lower) };
        let slot = self.depart(from, &to, source, clock)?;
        Ok(self.arrive(from, to, slot, target, limits, clock))
    }

    fn depart(
        &self,
        from: &HashedKey<'_>,
        to: &HashedKey<'_>,
        source: &mut Writing<'_>,
        clock: &dyn Clock,
    ) -> Result<Option<Slot>> {
        let mut outcome = Ok(());
        let slot = source.take(from, |slot| {
            if slot.is_live(clock) {
                outcome = self.admit(self.weight_under(slot, from.key, to.key));
            }
            outcome.is_ok()
        });
        source.settle();
        outcome.map(|()| slot)
    }

    fn arrive(
        &self,
        from: &HashedKey<'_>,
        to: HashedKey<'_>,
        slot: Option<Slot>,
        target: &mut Writing<'_>,
        limits: &Limits,
        clock: &dyn Clock,
    ) -> Moved {
        let mut displaced = Displaced::default();
        let Some(slot) = slot else { return Moved { arrived: false, displaced, noted: None } };
        let Some(life) = slot.remaining(clock) else {
            displaced.dropped = Some(slot);
            return Moved { arrived: false, displaced, noted: None };
        };
        if self.clears.cover(from.key) {
            // It would survive a clear that has passed the shard it comes into.
            displaced.dropped = Some(slot);
            displaced.replaced = target.take(&to, |_| true);
            return Moved { arrived: true, displaced, noted: None };
        }
        let weight = self.weight_under(&slot, from.key, to.key);
        let held = target.held();
        target.put(to, slot.moved(self.stamp(), weight), limits, held, &mut displaced);
        Moved { arrived: true, displaced, noted: target.note(life, clock) }
    }

    /// What the slot under one key weighs under another.
    fn weight_under(&self, slot: &Slot, from: &Key<'_>, to: &Key<'_>) -> u64 {
        match self.limits.max_bytes {
            None => slot.weight,
            Some(_) => (slot.weight + to.len() as u64).saturating_sub(from.len() as u64).max(1),
        }
    }

    /// # Errors
    ///
    /// [`TooLarge`](ErrorKind::TooLarge) if an entry of this weight could not
    /// be kept, whatever else went.
    pub(crate) fn admit(&self, weight: u64) -> Result<()> {
        if weight <= self.layout.max_weight_of_one {
            return Ok(());
        }
        let (most, all) = (self.layout.max_weight_of_one, self.limits.max_weight());
        let detail =
            format!("{weight} bytes with its key; one entry may take {most} of the {all} of `max_bytes`");
        Err(Error::new(ErrorKind::TooLarge, detail))
    }

    /// A little at a time: readers wait only while some of it is taken out,
    /// and other tasks of the thread have their turn in between.
    pub(crate) async fn clear(&self, scope: &Scope<'_>) {
        let _clearing = self.clears.begin(scope);
        for shard in 0..self.shards.len() {
            if scope.prefix().is_none() {
                drop(self.empty(shard));
            } else {
                let doomed = self.read_at(shard).doomed(|text| scope.covers(text));
                for some in doomed.chunks(AT_ONCE) {
                    // Dropped once the lock is free again.
                    let gone = self.write_at(shard).bury(some, |_| true);
                    drop(gone);
                    scope.step();
                    tokio::task::yield_now().await;
                }
            }
            scope.step();
            tokio::task::yield_now().await;
        }
    }

    /// What was in the shard is dropped by the caller.
    fn empty(&self, shard: usize) -> Shard {
        self.write_at(shard).empty(&self.layout)
    }

    /// One alias more uses the table; the number is for leaving it.
    pub(crate) fn enter(&self, counters: Counters) -> u64 {
        let mut aliases = self.aliases();
        aliases.last_number += 1;
        let number = aliases.last_number;
        aliases.open.insert(number, counters);
        number
    }

    /// One alias less does; the last one out frees the memory, and nobody
    /// comes in meanwhile.
    pub(crate) fn leave(&self, number: u64) {
        let mut aliases = self.aliases();
        aliases.open.remove(&number);
        let freed: Vec<_> = if aliases.open.is_empty() {
            (0..self.shards.len()).map(|shard| self.empty(shard)).collect()
        } else {
            Vec::new()
        };
        drop(aliases);
        drop(freed);
    }

    /// Counts what expired unread. An entry does not know which alias wrote
    /// it, so one of those that are open counts it.
    pub(crate) fn count_expirations(&self, count: u64) {
        if let Some((_, counters)) = self.aliases().open.first_key_value() {
            counters.add(Counter::Expirations, count);
        }
    }

    fn aliases(&self) -> MutexGuard<'_, Aliases> {
        self.aliases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writing<'_> {
    /// How many entries the whole table holds.
    pub(crate) fn held(&mut self) -> usize {
        self.settle();
        self.held.load(Ordering::Relaxed)
    }

    /// Notes that an entry of this life was written, if it expires at all.
    pub(crate) fn note(&mut self, life: Life, clock: &dyn Clock) -> Option<Noted> {
        let Life::For(life) = life else { return None };
        let (now, held) = (clock.now(), self.held());
        Some(Noted { shard: self.number, due: self.shard.note(life, now, held), now })
    }

    /// A look at the shard has ended, after which the first entry expires at
    /// `earliest`; says when the next is due.
    pub(crate) fn end_sweep(&mut self, earliest: Tick, now: Tick) -> Tick {
        let held = self.held();
        self.shard.end_sweep(earliest, now, held)
    }

    /// Brings the count up to date.
    fn settle(&mut self) {
        let len = self.shard.len();
        // Most writes replace an entry, or make one go for one that comes.
        if len > self.counted {
            self.held.fetch_add(len - self.counted, Ordering::Relaxed);
        } else if len < self.counted {
            self.held.fetch_sub(self.counted - len, Ordering::Relaxed);
            self.shard.tighten();
        }
        self.counted = len;
    }
}

impl Deref for Writing<'_> {
    type Target = Shard;

    fn deref(&self) -> &Shard {
        &self.shard
    }
}

impl DerefMut for Writing<'_> {
    fn deref_mut(&mut self) -> &mut Shard {
        &mut self.shard
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.settle();
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("shards", &self.shards.len()).finish_non_exhaustive()
    }
}

fn read(shard: &RwLock<Shard>) -> RwLockReadGuard<'_, Shard> {
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(shard: &RwLock<Shard>) -> RwLockWriteGuard<'_, Shard> {
    shard.write().unwrap_or_else(PoisonError::into_inner)
}
