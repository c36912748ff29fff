//! foyer's cache in memory, which knows no lives; at its own defaults, with
//! LRU and eight shards.

use std::sync::Arc;

use foyer_memory::{Cache, CacheBuilder, CacheEntry};

use super::peer::Peer;
use crate::workload::{CAPACITY, User};

pub struct Foyer(Cache<String, Arc<User>>);

impl Peer for Foyer {
    const NAME: &'static str = "foyer in memory";
    type Found = CacheEntry<String, Arc<User>>;

    fn open() -> Self {
        Self(CacheBuilder::new(CAPACITY).build())
    }

    fn get(&self, key: &str) -> Option<Self::Found> {
        self.0.get(key)
    }

    fn set(&self, key: String, user: Arc<User>) {
        self.0.insert(key, user);
    }

    fn user(found: &Self::Found) -> &User {
        found.value()
    }
}
