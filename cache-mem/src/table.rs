//! The table that aliases share: shards, and what spans two of them.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cache_core::{Clock, Key, Scope};
use crossbeam_utils::CachePadded;
use foldhash::quality::RandomState;

use crate::key::HashedKey;
use crate::shard::{Displaced, Shard};

/// Entries of every alias that names this table's location.
#[derive(Debug)]
pub(crate) struct Table {
    shards: Box<[CachePadded<RwLock<Shard>>]>,
    hash_state: RandomState,
    max_entries: usize,
    next_stamp: AtomicU64,
    /// Moves hold it shared, clears alone: a move from a shard that a clear has
    /// not reached yet into one that it has would survive the clear.
    moving: tokio::sync::RwLock<()>,
    aliases: AtomicUsize,
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
            moving: tokio::sync::RwLock::new(()),
            aliases: AtomicUsize::new(0),
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

    /// Moves the slot under both locks, so that nobody sees it twice or not at all.
    pub(crate) async fn relocate(
        &self,
        from: &Key<'_>,
        to: &Key<'_>,
        clock: &dyn Clock,
    ) -> (bool, Displaced) {
        let _moving = self.moving.read().await;
        self.relocate_now(self.hash(from), self.hash(to), clock)
    }

    fn relocate_now(&self, from: HashedKey<'_>, to: HashedKey<'_>, clock: &dyn Clock) -> (bool, Displaced) {
        let mut displaced = Displaced::new();
        let (here, there) = (self.shard_of(&from), self.shard_of(&to));
        if here == there {
            let mut shard = write(&self.shards[here]);
            let Some(slot) = shard.take(&from, |_| true).filter(|slot| slot.is_live(clock)) else {
                return (false, displaced);
            };
            shard.put(to, slot.restamped(self.stamp()), &mut displaced);
            return (true, displaced);
        }
        // Always the lower one first, so that two moves never wait for each other.
        let mut lower = write(&self.shards[here.min(there)]);
        let mut upper = write(&self.shards[here.max(there)]);
        let (source, target) =
            if here < there { (&mut *lower, &mut *upper) } else { (&mut *upper, &mut *lower) };
        let Some(slot) = source.take(&from, |_| true).filter(|slot| slot.is_live(clock)) else {
            return (false, displaced);
        };
        target.put(to, slot.restamped(self.stamp()), &mut displaced);
        (true, displaced)
    }

    /// Shard by shard: a reader waits for one of them at most, and other tasks
    /// of the thread have their turn in between.
    pub(crate) async fn clear(&self, scope: &Scope<'_>) {
        let _clearing = self.moving.write().await;
        for shard in &self.shards {
            match scope.prefix() {
                None => drop(empty(shard)),
                Some(_) => write(shard).retain(|text| !scope.covers(text)),
            }
            scope.step();
            tokio::task::yield_now().await;
        }
    }

    /// One alias more uses the table.
    pub(crate) fn enter(&self) {
        self.aliases.fetch_add(1, Ordering::Relaxed);
    }

    /// One alias less does; the last one out frees the memory.
    pub(crate) fn leave(&self) {
        if self.aliases.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shards.iter().for_each(|shard| drop(empty(shard)));
        }
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

/// What was in the shard is dropped after its lock is free.
fn empty(shard: &RwLock<Shard>) -> Shard {
    write(shard).empty()
}
