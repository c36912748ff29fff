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
    shards: [Seen; SHARDS],
    sum: Count,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    count: Count,
    /// How often a write told the count, which then is newer than what was read
    /// before.
    times: u64,
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
        total.replace(shard, count);
        total.shards[shard].times += 1;
        Some(total.sum)
    }

    /// Reads what the shards were left with by whoever wrote to them last.
    pub(crate) fn look_up(&self, location: &Path, prefix: PrefixId) -> Count {
        let directory = prefix.path(location);
        let before = self.totals().entry(prefix).or_default().shards;
        let count = |shard| Count::of_shard(&shard_path(&directory, shard)).unwrap_or_default();
        let counts: Vec<_> = (0..SHARDS).map(count).collect();
        let mut totals = self.totals();
        let total = totals.entry(prefix).or_default();
        for (shard, (before, count)) in before.iter().zip(counts).enumerate() {
            if total.shards[shard].times == before.times {
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
