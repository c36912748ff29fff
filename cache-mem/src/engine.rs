//! Entries under the engine's own policy: what is least worth keeping goes,
//! one for each that comes.

use quick_cache::unsync::Cache;
use quick_cache::{Lifecycle, OptionsBuilder, Weighter};

use crate::key::{CarriedHash, Doomed, HashedKey, StoredKey};
use crate::slot::{Displaced, Slot};

/// The entries of one shard under quick_cache's variant of Clock-PRO.
#[derive(Debug)]
pub(crate) struct Engine {
    cache: Cache<StoredKey, Slot, Carried, CarriedHash, Collect>,
    share: Share,
}

/// The part of a table's limits that is one shard's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    /// How many entries to expect, for the memory of what went lately.
    pub(crate) entries: usize,
    /// The weight past which the engine evicts by itself.
    pub(crate) capacity: u64,
    /// The weight that it gives to entries which are used often. The rest of
    /// the weight that a full shard has is a queue in which new ones prove
    /// themselves.
    pub(crate) hot: u64,
}

/// The share of hot entries in a full shard; the engine's own default.
const HOT: f64 = 0.97;

/// Weighs a slot by what it carries.
#[derive(Clone, Debug)]
struct Carried;

/// Hands what it evicts to whoever made the write.
#[derive(Clone, Debug)]
struct Collect;

impl Share {
    /// Where entries are counted. The limit holds for the whole table, and is
    /// not the shard's to keep: keys spread unevenly.
    pub(crate) fn of_entries(max_entries: usize, shards: usize) -> Self {
        let entries = max_entries.div_ceil(shards);
        Self { entries, capacity: max_entries as u64, hot: hot_of(entries as u64) }
    }

    /// Where bytes are counted. Each shard keeps to its share of them.
    pub(crate) fn of_bytes(max_bytes: u64, max_entries: usize, shards: usize) -> Self {
        /// A guess, by which the memory of what went lately is laid out.
        const BYTES_OF_AN_ENTRY: u64 = 1_024;
        let capacity = max_bytes / shards as u64;
        let entries = usize::try_from(capacity / BYTES_OF_AN_ENTRY).unwrap_or(usize::MAX);
        Self { entries: entries.clamp(1, max_entries), capacity, hot: hot_of(capacity) }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a weight is a rough number"
)]
fn hot_of(weight: u64) -> u64 {
    ((weight as f64 * HOT) as u64).max(1)
}

impl Weighter<StoredKey, Slot> for Carried {
    fn weight(&self, _: &StoredKey, slot: &Slot) -> u64 {
        slot.weight
    }
}

impl Lifecycle<StoredKey, Slot> for Collect {
    type RequestState = Displaced;

    /// Only such an entry is admitted whatever it weighs.
    fn is_pinned(&self, _: &StoredKey, slot: &Slot) -> bool {
        slot.is_room()
    }

    fn on_evict(&self, displaced: &mut Displaced, key: StoredKey, slot: Slot) {
        displaced.gone.push((key, slot));
    }
}

impl Engine {
    pub(crate) fn new(share: Share) -> Self {
        // The engine multiplies and rounds down: half a unit more comes out right.
        #[expect(clippy::cast_precision_loss, reason = "no machine has 2^52 bytes")]
        let hot = ((share.hot as f64 + 0.5) / share.capacity as f64).min(1.0);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(share.entries)
            .weight_capacity(share.capacity)
            .hot_allocation(hot)
            .build()
            .expect("both capacities are set, which is all that is asked for");
        Self { cache: Cache::with_options(options, Carried, CarriedHash::default(), Collect), share }
    }

    pub(crate) fn len(&self) -> usize {
        self.cache.len()
    }

    pub(crate) fn weight(&self) -> u64 {
        self.cache.weight()
    }

    /// The slot; a use, as the policy sees it.
    pub(crate) fn find(&self, key: &HashedKey<'_>) -> Option<&Slot> {
        self.cache.get(key)
    }

    pub(crate) fn peek(&self, key: &HashedKey<'_>) -> Option<&Slot> {
        self.cache.peek(key)
    }

    /// Changes the slot in place; a use.
    pub(crate) fn change<T>(
        &mut self,
        key: &HashedKey<'_>,
        change: impl FnOnce(&mut Slot) -> T,
    ) -> Option<T> {
        self.cache.get_mut(key).map(|mut slot| change(&mut slot))
    }

    /// Writes the slot, whose weight is one that this shard admits. A new key
    /// of a table that holds `surplus` entries too many with it makes others go.
    pub(crate) fn put(&mut self, key: HashedKey<'_>, slot: Slot, surplus: usize, displaced: &mut Displaced) {
        /// More than one at once only brings a table back that several tasks
        /// have overfilled together.
        const AT_ONCE: usize = 2;
        let Some(slot) = self.replace(&key, slot, displaced) else { return };
        for _ in 0..surplus.min(AT_ONCE).min(self.len()) {
            self.make_room(self.free() + 1, displaced);
        }
        // Before it is there: made afterwards, it could itself be what goes.
        if slot.weight > self.free() {
            self.make_room(slot.weight, displaced);
        }
        self.cache.insert_with_lifecycle(key.to_stored(), slot, displaced);
    }

    /// Gives the slot back if there is none for it to replace.
    fn replace(&mut self, key: &HashedKey<'_>, slot: Slot, displaced: &mut Displaced) -> Option<Slot> {
        let free = self.free();
        let Some(mut there) = self.cache.get_mut(key) else { return Some(slot) };
        let growth = slot.weight.saturating_sub(there.weight);
        if growth > free {
            drop(there);
            self.make_room(growth, displaced);
            // It may itself have gone to make room.
            there = match self.cache.get_mut(key) {
                Some(there) => there,
                None => return Some(slot),
            };
        }
        displaced.replaced = Some(std::mem::replace(&mut *there, slot));
        None
    }

    fn free(&self) -> u64 {
        self.share.capacity.saturating_sub(self.cache.weight())
    }

    /// Has the engine evict until so much weight is free.
    ///
    /// It evicts only to make room for what is inserted; so something of that
    /// weight is, and taken out again.
    fn make_room(&mut self, weight: u64, displaced: &mut Displaced) {
        self.cache.insert_with_lifecycle(StoredKey::room(), Slot::room(weight), displaced);
        self.cache.remove(&StoredKey::room());
    }

    /// Takes the slot out if the condition holds.
    pub(crate) fn take(&mut self, key: &HashedKey<'_>, when: impl FnOnce(&Slot) -> bool) -> Option<Slot> {
        self.cache.remove_if(key, when).map(|(_, slot)| slot)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&StoredKey, &Slot)> {
        self.cache.iter()
    }

    /// As [`take`](Self::take), by the key's place.
    pub(crate) fn bury(
        &mut self,
        doomed: &Doomed,
        when: impl FnOnce(&Slot) -> bool,
    ) -> Option<(StoredKey, Slot)> {
        self.cache.remove_if(doomed, when)
    }

    /// Gives back the memory that the entries do not need: the engine's table
    /// grows with them and never shrinks. Which of them are used often is
    /// forgotten.
    pub(crate) fn rebuild(&mut self) {
        let mut fresh = Self::new(self.share);
        self.cache.drain().for_each(|(key, slot)| fresh.cache.insert(key, slot));
        *self = fresh;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_that_is_said_to_fit_does() {
        let mut chance = fastrand::Rng::with_seed(3);
        for round in 0..100_000 {
            let most = if round % 2 == 0 { 1_000 } else { 1 << 45 };
            let share = Share::of_bytes(chance.u64(1..most), 1_000_000, 1);
            let mut engine = Engine::new(share);
            let mut displaced = Displaced::default();
            let slot = Slot { stamp: 1, ..Slot::room(share.hot) };
            engine.cache.insert_with_lifecycle(StoredKey::room(), slot, &mut displaced);
            assert_eq!((engine.len(), displaced.gone.len()), (1, 0), "{share:?}");
        }
    }
}
