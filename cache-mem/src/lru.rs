//! Entries by how lately they were used: when they are too many, a share of
//! them goes at once, as in Django's local-memory cache.

use equivalent::Equivalent;
use hashlink::LinkedHashMap;
use hashlink::linked_hash_map::RawEntryMut;

use crate::key::{CarriedHash, Doomed, HashedKey, StoredKey};
use crate::limits::Limits;
use crate::slot::{Displaced, Slot};

/// The entries of a table, the least recently used first.
#[derive(Debug, Default)]
pub(crate) struct Lru {
    map: LinkedHashMap<StoredKey, Slot, CarriedHash>,
    weight: u64,
}

impl Lru {
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    pub(crate) fn weight(&self) -> u64 {
        self.weight
    }

    /// The slot; a use.
    pub(crate) fn find(&mut self, key: &HashedKey<'_>) -> Option<&Slot> {
        match self.map.raw_entry_mut().from_hash(key.hash, |stored| key.equivalent(stored)) {
            RawEntryMut::Occupied(mut entry) => {
                entry.to_back();
                Some(entry.into_mut())
            }
            RawEntryMut::Vacant(_) => None,
        }
    }

    pub(crate) fn peek(&self, key: &HashedKey<'_>) -> Option<&Slot> {
        let found = self.map.raw_entry().from_hash(key.hash, |stored| key.equivalent(stored));
        found.map(|(_, slot)| slot)
    }

    /// Changes the slot in place; no use.
    pub(crate) fn adjust<T>(
        &mut self,
        key: &HashedKey<'_>,
        change: impl FnOnce(&mut Slot) -> T,
    ) -> Option<T> {
        match self.map.raw_entry_mut().from_hash(key.hash, |stored| key.equivalent(stored)) {
            RawEntryMut::Occupied(mut entry) => Some(change(entry.get_mut())),
            RawEntryMut::Vacant(_) => None,
        }
    }

    /// Writes the slot, whose weight is one that the limits admit. As in
    /// Django, whether there is room is asked before it is asked whether the
    /// key is there.
    pub(crate) fn put(&mut self, key: HashedKey<'_>, slot: Slot, limits: &Limits, displaced: &mut Displaced) {
        if self.map.len() >= limits.max_entries {
            self.cull(limits.cull_frequency, displaced);
        }
        while self.weight_with(&key, slot.weight) > limits.max_weight() && !self.map.is_empty() {
            self.cull(limits.cull_frequency, displaced);
        }
        self.weight = self.weight_with(&key, slot.weight);
        match self.map.raw_entry_mut().from_hash(key.hash, |stored| key.equivalent(stored)) {
            RawEntryMut::Occupied(mut entry) => {
                entry.to_back();
                displaced.replaced = Some(entry.replace_value(slot));
            }
            RawEntryMut::Vacant(entry) => {
                entry.insert_hashed_nocheck(key.hash, key.to_stored(), slot);
            }
        }
    }

    /// What all would weigh with a slot of this weight under the key.
    fn weight_with(&self, key: &HashedKey<'_>, weight: u64) -> u64 {
        let there = self.peek(key).map_or(0, |slot| slot.weight);
        self.weight - there + weight
    }

    /// Django's rule, but for one thing: at least one entry goes, so that the
    /// limit also holds where it is below the frequency.
    fn cull(&mut self, frequency: u32, displaced: &mut Displaced) {
        let len = self.map.len();
        let culled = len.checked_div(frequency as usize).map_or(len, |share| share.max(1));
        for (key, slot) in std::iter::from_fn(|| self.map.pop_front()).take(culled) {
            self.weight -= slot.weight;
            displaced.gone.push((key, slot));
        }
    }

    /// Takes the slot out if the condition holds.
    pub(crate) fn take(&mut self, key: &HashedKey<'_>, when: impl FnOnce(&Slot) -> bool) -> Option<Slot> {
        self.remove(key.hash, |stored| key.equivalent(stored), when).map(|(_, slot)| slot)
    }

    /// As [`take`](Self::take), by the key's place.
    pub(crate) fn bury(
        &mut self,
        doomed: &Doomed,
        when: impl FnOnce(&Slot) -> bool,
    ) -> Option<(StoredKey, Slot)> {
        self.remove(doomed.hash(), |stored| doomed.equivalent(stored), when)
    }

    fn remove(
        &mut self,
        hash: u64,
        is_it: impl FnMut(&StoredKey) -> bool,
        when: impl FnOnce(&Slot) -> bool,
    ) -> Option<(StoredKey, Slot)> {
        match self.map.raw_entry_mut().from_hash(hash, is_it) {
            RawEntryMut::Occupied(entry) if when(entry.get()) => {
                let (key, slot) = entry.remove_entry();
                self.weight -= slot.weight;
                Some((key, slot))
            }
            _ => None,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&StoredKey, &Slot)> {
        self.map.iter()
    }

    /// Gives back the memory that the entries do not need.
    pub(crate) fn rebuild(&mut self) {
        self.map.shrink_to_fit();
    }
}
