//! How much a store may hold, and how its table is laid out for it.

use cache_core::{Error, ErrorKind, Result};

use crate::engine::Share;
use crate::settings::{Eviction, MemSettings};

/// How much a store may hold, as one alias says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) max_entries: usize,
    pub(crate) max_bytes: Option<u64>,
    pub(crate) eviction: Eviction,
    pub(crate) cull_frequency: u32,
}

/// How a table is laid out for its limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) eviction: Eviction,
    pub(crate) shards: usize,
    /// What falls to one shard of the engine.
    pub(crate) share: Share,
    /// How much one entry may weigh and still be kept, if all others go.
    pub(crate) max_weight_of_one: u64,
}

/// Fewer entries than this are not worth a shard of their own.
const ENTRIES_WORTH_A_SHARD: usize = 4_096;

/// Nor are fewer bytes: an entry has to fit into one shard, and so one of
/// `max_value_bytes`, at its default, does.
const BYTES_WORTH_A_SHARD: u64 = 72 << 20;

impl From<&MemSettings> for Limits {
    fn from(settings: &MemSettings) -> Self {
        let MemSettings { max_entries, max_bytes, eviction, cull_frequency, .. } = *settings;
        // More than a configuration can say would overflow sums of weights.
        let max_bytes = max_bytes.map(|bytes| bytes.clamp(1, i64::MAX.unsigned_abs()));
        Self { max_entries: max_entries.max(1), max_bytes, eviction, cull_frequency }
    }
}

impl Limits {
    /// The table that is laid out for them.
    pub(crate) fn layout(&self) -> Layout {
        let shards = self.shards();
        let share = match self.max_bytes {
            None => Share::of_entries(self.max_entries, shards),
            Some(bytes) => Share::of_bytes(bytes, self.max_entries, shards),
        };
        let max_weight_of_one = match (self.max_bytes, self.eviction) {
            (None, _) => u64::MAX,
            (Some(bytes), Eviction::Lru) => bytes,
            (Some(_), Eviction::Engine) => share.hot,
        };
        Layout { eviction: self.eviction, shards, share, max_weight_of_one }
    }

    fn shards(&self) -> usize {
        if self.eviction == Eviction::Lru {
            // One order of all entries is what is asked for.
            return 1;
        }
        let threads = std::thread::available_parallelism().map_or(4, usize::from);
        let wanted = (threads * 4).next_power_of_two().max(16);
        let by_entries = self.max_entries / ENTRIES_WORTH_A_SHARD;
        let by_bytes = self
            .max_bytes
            .map_or(usize::MAX, |bytes| usize::try_from(bytes / BYTES_WORTH_A_SHARD).unwrap_or(usize::MAX));
        // The largest power of two that is worth it.
        wanted.min(1 << by_entries.min(by_bytes).max(1).ilog2())
    }

    /// How much all entries may weigh together.
    pub(crate) fn max_weight(&self) -> u64 {
        self.max_bytes.unwrap_or(u64::MAX)
    }

    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) if aliases of these limits cannot share a
    /// table: only how many entries a write leaves, and how many it culls, can
    /// be each alias's own, and only with `lru`.
    pub(crate) fn agree_with(&self, others: &Self) -> Result<()> {
        let differs = |setting: &str, ours: &str, theirs: &str| {
            let detail = format!(
                "`{setting}` is {ours}, but another alias opened the same `location` with {theirs}; give both the same"
            );
            Err(Error::new(ErrorKind::Config, detail))
        };
        if self.eviction != others.eviction {
            return differs("eviction", self.eviction.word(), others.eviction.word());
        }
        if self.max_bytes != others.max_bytes {
            return differs("max_bytes", &shown(self.max_bytes), &shown(others.max_bytes));
        }
        if self.eviction == Eviction::Engine && self.max_entries != others.max_entries {
            return differs("max_entries", &self.max_entries.to_string(), &others.max_entries.to_string());
        }
        Ok(())
    }
}

fn shown(max_bytes: Option<u64>) -> String {
    max_bytes.map_or_else(|| "not set".to_owned(), |bytes| bytes.to_string())
}
