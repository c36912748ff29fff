//! The table that aliases share: shards, and what spans two of them.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cache_core::{Clock, Entry, Key, Scope, has_prefix};
use crossbeam_utils::CachePadded;
use foldhash::quality::RandomState;

use crate::key::HashedKey;
use crate::shard::{Displaced, Shard, Slot};

/// Entries of every alias that names this table's location.
pub(crate) struct Table {
    shards: Box<[CachePadded<RwLock<Shard>>]>,
    hash_state: RandomState,
    max_entries: usize,
    next_stamp: AtomicU64,
    clears: Mutex<Clears>,
    aliases: Mutex<usize>,
}

/// The clears that are under way, each with its prefix.
#[derive(Default)]
struct Clears {
    running: Vec<(u64, Option<Box<str>>)>,
    next: u64,
}

/// A clear that is under way, until it ends or is dropped.
struct Clearing<'a> {
    table: &'a Table,
    number: u64,
}

/// Fewer entries than this stay in one shard, where the limit is exact.
const WORTH_A_SHARD: usize = 4_096;

impl Table {
    pub(crate) fn new(max_entries: usize) -> Self {
        let threads = std::thread::available_parallelism().map_or(4, usize::from);
        let wanted = (threads * 4).next_power_of_two().max(16);
        let worth = (max_entries / WORTH_A_SHARD).max(1);
        // The largest power of two that is worth it.
        let shards = wanted.min(1 << worth.ilog2());
        let capacity = share_with_slack(max_entries, shards);
        Self {
            shards: (0..shards).map(|_| CachePadded::new(RwLock::new(Shard::new(capacity)))).collect(),
            hash_state: RandomState::default(),
            max_entries,
            next_stamp: AtomicU64::new(1),
            clears: Mutex::default(),
            aliases: Mutex::new(0),
        }
    }

    pub(crate) fn max_entries(&self) -> usize {
        self.max_entries
    }

    pub(crate) fn stamp(&self) -> u64 {
        self.next_stamp.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn hash<'a>(&self, key: &'a Key<'a>) -> HashedKey<'a> {
        HashedKey::new(key, &self.hash_state)
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| read(shard).len()).sum()
    }

    pub(crate) fn read(&self, key: &HashedKey<'_>) -> RwLockReadGuard<'_, Shard> {
        read(&self.shards[self.shard_of(key)])
    }

    pub(crate) fn write(&self, key: &HashedKey<'_>) -> RwLockWriteGuard<'_, Shard> {
        write(&self.shards[self.shard_of(key)])
    }

    /// The engine places by the low bits and compares by the highest, so the
    /// shard goes by those in between.
    fn shard_of(&self, key: &HashedKey<'_>) -> usize {
        (key.hash >> 32) as usize & (self.shards.len() - 1)
    }

    /// Moves the slot under both locks, so that nobody sees it twice or not at
    /// all; says whether there was one.
    pub(crate) fn relocate(
        &self,
        from: &HashedKey<'_>,
        to: HashedKey<'_>,
        clock: &dyn Clock,
    ) -> (bool, Displaced) {
        let (here, there) = (self.shard_of(from), self.shard_of(&to));
        if here == there {
            let mut shard = write(&self.shards[here]);
            let slot = shard.take(from, |_| true);
            return self.arrive(from, to, slot, &mut shard, clock);
        }
        // Always the lower one first, so that two moves never wait for each other.
        let mut lower = write(&self.shards[here.min(there)]);
        let mut upper = write(&self.shards[here.max(there)]);
        let (source, target) =
            if here < there { (&mut *lower, &mut *upper) } else { (&mut *upper, &mut *lower) };
        let slot = source.take(from, |_| true);
        self.arrive(from, to, slot, target, clock)
    }

    fn arrive(
        &self,
        from: &HashedKey<'_>,
        to: HashedKey<'_>,
        slot: Option<Slot>,
        target: &mut Shard,
        clock: &dyn Clock,
    ) -> (bool, Displaced) {
        let mut displaced = Displaced::default();
        match slot {
            Some(slot) if !slot.is_live(clock) => {
                displaced.dropped = Some(slot);
                (false, displaced)
            }
            Some(slot) if self.is_being_cleared(from.key) => {
                displaced.dropped = Some(slot);
                displaced.replaced = target.take(&to, |_| true);
                (true, displaced)
            }
            Some(slot) => {
                target.put(to, slot.restamped(self.stamp()), &mut displaced);
                (true, displaced)
            }
            None => (false, displaced),
        }
    }

    /// Shard by shard: a reader waits for one of them at most, and other tasks
    /// of the thread have their turn in between.
    pub(crate) async fn clear(&self, scope: &Scope<'_>) {
        let _clearing = Clearing::begin(self, scope);
        for shard in &self.shards {
            match scope.prefix() {
                None => drop(empty(shard)),
                Some(_) => drop(retain(shard, |text| !scope.covers(text))),
            }
            scope.step();
            tokio::task::yield_now().await;
        }
    }

    /// An entry that moves out of a shard which a clear has not reached yet
    /// into one that it has would survive it; so it is gone at once instead.
    fn is_being_cleared(&self, key: &Key<'_>) -> bool {
        let clears = self.clears();
        !clears.running.is_empty() && {
            let text = key.text();
            clears
                .running
                .iter()
                .any(|(_, prefix)| prefix.as_ref().is_none_or(|prefix| has_prefix(&text, prefix)))
        }
    }

    fn clears(&self) -> MutexGuard<'_, Clears> {
        self.clears.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One alias more uses the table.
    pub(crate) fn enter(&self) {
        *self.aliases() += 1;
    }

    /// One alias less does; the last one out frees the memory, and nobody
    /// comes in meanwhile.
    pub(crate) fn leave(&self) {
        let mut aliases = self.aliases();
        *aliases -= 1;
        let freed: Vec<_> =
            if *aliases == 0 { self.shards.iter().map(|shard| empty(shard)).collect() } else { Vec::new() };
        drop(aliases);
        drop(freed);
    }

    fn aliases(&self) -> MutexGuard<'_, usize> {
        self.aliases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Clearing<'a> {
    fn begin(table: &'a Table, scope: &Scope<'_>) -> Self {
        let mut clears = table.clears();
        let number = clears.next;
        clears.next += 1;
        clears.running.push((number, scope.prefix().map(Into::into)));
        Self { table, number }
    }
}

impl Drop for Clearing<'_> {
    fn drop(&mut self) {
        self.table.clears().running.retain(|(number, _)| *number != self.number);
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("shards", &self.shards.len()).finish_non_exhaustive()
    }
}

/// Hashing spreads unevenly; with this much more in each shard, all of
/// `max_entries` fit.
fn share_with_slack(max_entries: usize, shards: usize) -> usize {
    let share = max_entries.div_ceil(shards);
    if shards == 1 { share } else { share + 5 * share.isqrt() }
}

fn read(shard: &RwLock<Shard>) -> RwLockReadGuard<'_, Shard> {
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(shard: &RwLock<Shard>) -> RwLockWriteGuard<'_, Shard> {
    shard.write().unwrap_or_else(PoisonError::into_inner)
}

/// What is gone is dropped after the lock is free.
fn retain(shard: &RwLock<Shard>, keep: impl Fn(&str) -> bool) -> Vec<Entry> {
    write(shard).retain(keep)
}

/// What was in the shard is dropped after its lock is free.
fn empty(shard: &RwLock<Shard>) -> Shard {
    write(shard).empty()
}
