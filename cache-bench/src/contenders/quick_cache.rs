//! quick_cache, which knows no lives.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use quick_cache::sync::{Cache, EntryAction, EntryResult};

use super::loads::Loads;
use super::peer::{Peer, PeerCounts};
use crate::workload::{CAPACITY, User};

pub struct QuickCache(Cache<String, Arc<User>>);
pub struct Loading(Cache<String, Arc<User>>);
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

impl Loads for Loading {
    const NAME: &'static str = "quick_cache get_or_insert_async";
    type Error = Infallible;

    fn open(capacity: usize) -> Self {
        Self(Cache::new(capacity))
    }

    fn get_or_load<'a, L, F>(
        &'a self,
        key: &'a str,
        loader: L,
    ) -> impl Future<Output = Result<Arc<User>, Self::Error>> + Send + 'a
    where
        L: FnOnce() -> F + Send + 'static,
        F: Future<Output = User> + Send + 'static,
    {
        self.0.get_or_insert_async(key, async { Ok(Arc::new(loader().await)) })
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
