//! How much there is under each prefix, as far as this process knows: what the
//! shards were last seen with.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cache_core::Usage;

use crate::place::{PrefixId, SHARDS};
use crate::shard::{Count, shard_path};

/// Sums of what the shards of each prefix hold.
#[derive(Debug, Default)]
pub(crate) struct Totals(Mutex<HashMap<PrefixId, Total>>);

#[derive(Debug)]
struct Total {
    shards: Vec<Count>,
    sum: Count,
}

impl Totals {
    /// Takes note of how full a write left its shard; says what there is under
    /// the prefix. What other processes have there is looked up the first time.
    pub(crate) fn note(&self, location: &Path, prefix: PrefixId, shard: usize, count: Count) -> Count {
        if let Some(sum) = self.note_known(prefix, shard, count) {
            return sum;
        }
        self.look_up(location, prefix);
        self.note_known(prefix, shard, count).unwrap_or(count)
    }

    /// The same of a prefix that this process may not write to at all.
    pub(crate) fn note_if_known(&self, prefix: PrefixId, shard: usize, count: Count) {
        self.note_known(prefix, shard, count);
    }

    fn note_known(&self, prefix: PrefixId, shard: usize, count: Count) -> Option<Count> {
        let mut totals = self.totals();
        let total = totals.get_mut(&prefix)?;
        total.note(shard, count);
        Some(total.sum)
    }

    /// Reads what the shards were left with by whoever wrote to them last.
    pub(crate) fn look_up(&self, location: &Path, prefix: PrefixId) -> Count {
        let directory = prefix.path(location);
        let count = |shard| Count::of_shard(&shard_path(&directory, shard)).unwrap_or_default();
        let shards: Vec<_> = (0..SHARDS).map(count).collect();
        let sum = shards.iter().fold(Count::default(), |sum, count| sum.plus(*count));
        self.totals().insert(prefix, Total { shards, sum });
        sum
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
    fn note(&mut self, shard: usize, count: Count) {
        let before = std::mem::replace(&mut self.shards[shard], count);
        self.sum = self.sum.minus(before).plus(count);
    }
}

impl Count {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            entries: self.entries.saturating_add(other.entries),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self {
            entries: self.entries.saturating_sub(other.entries),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }
}
