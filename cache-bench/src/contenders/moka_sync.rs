//! moka's cache for threads.

use std::sync::Arc;

use moka::sync::Cache;

use super::peer::{Peer, PeerCounts};
use crate::workload::{CAPACITY, LIFE, User};

pub struct MokaSync(Cache<String, Arc<User>>);
pub struct Counts(Cache<String, i64>);

impl Peer for MokaSync {
    const NAME: &'static str = "moka sync";
    type Found = Arc<User>;

    fn open() -> Self {
        Self(Cache::builder().max_capacity(CAPACITY as u64).time_to_live(LIFE).build())
    }

    fn get(&self, key: &str) -> Option<Arc<User>> {
        self.0.get(key)
    }

    fn set(&self, key: String, user: Arc<User>) {
        self.0.insert(key, user);
    }

    fn user(found: &Arc<User>) -> &User {
        found
    }
}

impl PeerCounts for Counts {
    fn open() -> Self {
        Self(Cache::builder().max_capacity(CAPACITY as u64).time_to_live(LIFE).build())
    }

    fn set(&self, key: String, count: i64) {
        self.0.insert(key, count);
    }

    /// It makes the entry anew, so that its life begins anew too.
    fn incr(&self, key: &str) -> i64 {
        let added =
            self.0.entry_by_ref(key).and_upsert_with(|entry| entry.map_or(0, |entry| entry.into_value()) + 1);
        added.into_value()
    }
}
