//! How much there is under each prefix, as far as this process knows: what the
//! shards were last seen with.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cache_core::Usage;

use crate::count::{Count, Snapshot};
use crate::place::{PrefixId, SHARDS};
use crate::shard::{last_count, shard_path};

/// Sums of what the shards of each prefix hold.
#[derive(Debug, Default)]
pub(crate) struct Totals(Mutex<HashMap<PrefixId, Total>>);

#[derive(Debug)]
struct Total {
    shards: [Seen; SHARDS],
    sum: Count,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    count: Count,
    /// That of the snapshot that was noted last; a later one stays.
    turn: u64,
}

impl Totals {
    /// Takes note of how full a write left its shard; says what there is under
    /// the prefix. What other processes have there is looked up the first time.
    pub(crate) fn note(&self, location: &Path, prefix: PrefixId, shard: usize, snapshot: Snapshot) -> Count {
        if let Some(sum) = self.note_known(prefix, shard, snapshot) {
            return sum;
        }
        self.look_up(location, prefix);
        self.note_known(prefix, shard, snapshot).unwrap_or(snapshot.count)
    }

    /// The same of a prefix that this process may not write to at all.
    pub(crate) fn note_if_known(&self, prefix: PrefixId, shard: usize, snapshot: Snapshot) {
        self.note_known(prefix, shard, snapshot);
    }

    fn note_known(&self, prefix: PrefixId, shard: usize, snapshot: Snapshot) -> Option<Count> {
        let mut totals = self.totals();
        let total = totals.get_mut(&prefix)?;
        if snapshot.turn > total.shards[shard].turn {
            total.replace(shard, snapshot.count);
            total.shards[shard].turn = snapshot.turn;
        }
        Some(total.sum)
    }

    /// Reads what the shards were left with by whoever wrote to them last.
    pub(crate) fn look_up(&self, location: &Path, prefix: PrefixId) -> Count {
        let directory = prefix.path(location);
        let before = self.totals().entry(prefix).or_default().shards;
        let count = |shard| last_count(&shard_path(&directory, shard)).unwrap_or_default();
        let counts: Vec<_> = (0..SHARDS).map(count).collect();
        let mut totals = self.totals();
        let total = totals.entry(prefix).or_default();
        for (shard, (before, count)) in before.iter().zip(counts).enumerate() {
            if total.shards[shard].turn == before.turn {
                total.replace(shard, count);
            }
        }
        total.sum
    }

    /// What there is under the prefix, as far as is known.
    pub(crate) fn sum(&self, prefix: PrefixId) -> Count {
        self.totals().get(&prefix).map_or_else(Count::default, |total| total.sum)
    }

    /// The prefixes that were written to.
    pub(crate) fn prefixes(&self) -> Vec<PrefixId> {
        self.totals().keys().copied().collect()
    }

    /// What is there of all of them; nothing before the first write.
    pub(crate) fn usage(&self) -> Usage {
        let totals = self.totals();
        if totals.is_empty() {
            return Usage::default();
        }
        let sum = totals.values().fold(Count::default(), |sum, total| sum.plus(total.sum));
        Usage::of_entries(sum.entries).of_bytes(sum.bytes)
    }

    fn totals(&self) -> MutexGuard<'_, HashMap<PrefixId, Total>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Total {
    fn replace(&mut self, shard: usize, count: Count) {
        let before = std::mem::replace(&mut self.shards[shard].count, count);
        self.sum = self.sum.minus(before).plus(count);
    }
}

impl Default for Total {
    fn default() -> Self {
        Self { shards: [Seen::default(); SHARDS], sum: Count::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_count_stays() {
        let (totals, location) = (Totals::default(), Path::new("/nowhere"));
        let (prefix, _) = PrefixId::of_prefix("a");
        let of = |entries| Snapshot::of(Count { entries, bytes: 10 * entries });
        let (early, late) = (of(3), of(2));
        // Whoever took the later one under the lock was the first to tell it.
        totals.note(location, prefix, 7, late);
        assert_eq!(totals.note(location, prefix, 7, early), late.count);
        totals.note_if_known(prefix, 7, early);
        assert_eq!(totals.sum(prefix), late.count);
        assert_eq!(totals.note(location, prefix, 8, of(4)).entries, 6);
    }
}
