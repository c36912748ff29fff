//! cached's store for threads that has both a limit and lives.

use std::sync::Arc;

use cached::ShardedLruTtlCache;

use super::peer::Peer;
use crate::workload::{CAPACITY, LIFE, User};

pub struct Cached(ShardedLruTtlCache<String, Arc<User>>);

impl Peer for Cached {
    const NAME: &'static str = "cached ShardedLruTtlCache";
    type Found = Arc<User>;

    fn open() -> Self {
        Self(ShardedLruTtlCache::new(CAPACITY, LIFE))
    }

    fn get(&self, key: &str) -> Option<Arc<User>> {
        self.0.get(key)
    }

    fn set(&self, key: String, user: Arc<User>) {
        self.0.set(key, user);
    }

    fn user(found: &Arc<User>) -> &User {
        found
    }
}
