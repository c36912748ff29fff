//! quick_cache, which knows no lives.

use std::sync::Arc;

use quick_cache::sync::{Cache, EntryAction, EntryResult};

use super::peer::{Peer, PeerCounts};
use crate::workload::{CAPACITY, User};

pub struct QuickCache(Cache<String, Arc<User>>);
pub struct Counts(Cache<String, i64>);

impl Peer for QuickCache {
    const NAME: &'static str = "quick_cache";
    type Found = Arc<User>;

    fn open() -> Self {
        Self(Cache::new(CAPACITY))
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
        Self(Cache::new(CAPACITY))
    }

    fn set(&self, key: String, count: i64) {
        self.0.insert(key, count);
    }

    fn incr(&self, key: &str) -> i64 {
        let added = self.0.entry(key, None, |_, count| {
            *count += 1;
            EntryAction::Retain(*count)
        });
        match added {
            EntryResult::Retained(sum) => sum,
            _ => 0,
        }
    }
}
