//! Caches with little room, ours and our peers', as a program reads through
//! them: look up, and on a miss set.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::sync::Arc;

use cache_core::{Cache, SystemClock, Timeout};
use cache_mem::{Eviction, MemSettings, MemStore};

use crate::workload::now;

/// A cache that holds so many entries.
pub trait Bounded {
    /// Whether the key was there; afterwards it is, if the cache takes it.
    fn read_through(&mut self, key: u64) -> bool;

    /// How many entries it holds.
    fn entries(&self) -> usize;
}

/// Opens a cache with room for so many entries.
type Open = fn(usize) -> Box<dyn Bounded>;

/// What the others are compared with.
pub const LRU: &str = "lru, which is exact";
pub const ENGINE: &str = "cache-sdk, eviction engine";

pub const ALL: [(&str, Open); 6] = [
    (LRU, |capacity| {
        let capacity = NonZeroUsize::new(capacity).expect("there is room for some");
        Box::new(lru::LruCache::<u64, u64>::new(capacity))
    }),
    ("quick_cache", |capacity| Box::new(quick_cache::sync::Cache::<u64, u64>::new(capacity))),
    ("moka sync", |capacity| Box::new(moka::sync::Cache::<u64, u64>::new(capacity as u64))),
    (ENGINE, |capacity| Box::new(Ours::open(capacity, |_| {}))),
    ("cache-sdk, eviction lru", |capacity| {
        Box::new(Ours::open(capacity, |settings| settings.eviction = Eviction::Lru))
    }),
    ("cache-sdk, eviction lru, one at a time", |capacity| {
        Box::new(Ours::open(capacity, |settings| {
            settings.eviction = Eviction::Lru;
            settings.cull_frequency = u32::try_from(settings.max_entries).unwrap_or(u32::MAX);
        }))
    }),
];

/// The store in memory through `Cache`.
struct Ours {
    cache: Cache,
    key: String,
}

impl Ours {
    fn open(capacity: usize, set_up: impl FnOnce(&mut MemSettings)) -> Self {
        let mut settings = MemSettings::default();
        settings.check_encoding = false;
        settings.max_entries = capacity;
        set_up(&mut settings);
        let store = Arc::new(MemStore::with_clock(&settings, Arc::new(SystemClock)));
        Self { cache: Cache::builder(store).key_prefix("shop").build(), key: String::new() }
    }
}

impl Bounded for Ours {
    fn read_through(&mut self, key: u64) -> bool {
        self.key.clear();
        write!(self.key, "{key}").expect("text can always be written");
        if now(self.cache.aget::<u64>(&self.key)).expect("memory never fails").is_some() {
            return true;
        }
        now(self.cache.aset(&self.key, &key, Timeout::Forever)).expect("memory never fails");
        false
    }

    fn entries(&self) -> usize {
        self.cache.stats().entries.and_then(|entries| usize::try_from(entries).ok()).unwrap_or(0)
    }
}

impl Bounded for lru::LruCache<u64, u64> {
    fn read_through(&mut self, key: u64) -> bool {
        if self.get(&key).is_some() {
            return true;
        }
        self.put(key, key);
        false
    }

    fn entries(&self) -> usize {
        self.len()
    }
}

impl Bounded for quick_cache::sync::Cache<u64, u64> {
    fn read_through(&mut self, key: u64) -> bool {
        if self.get(&key).is_some() {
            return true;
        }
        self.insert(key, key);
        false
    }

    fn entries(&self) -> usize {
        self.len()
    }
}

impl Bounded for moka::sync::Cache<u64, u64> {
    fn read_through(&mut self, key: u64) -> bool {
        if self.get(&key).is_some() {
            return true;
        }
        self.insert(key, key);
        // It evicts later, and holds too many until then.
        self.run_pending_tasks();
        false
    }

    fn entries(&self) -> usize {
        usize::try_from(self.entry_count()).unwrap_or(usize::MAX)
    }
}
