//! cached: its store for threads that has both a limit and lives, and its macro
//! for functions that are called once for each key.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use cached::macros::cached;
use cached::{Cached as _, ShardedLruTtlCache};

use super::loads::Loads;
use super::peer::Peer;
use crate::workload::{CAPACITY, LIFE, ROOM, User, now};

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

/// The one cache of the function: to open it anew is to clear it.
pub struct Loading;

impl Loads for Loading {
    const NAME: &'static str = "cached #[cached], by key";
    type Error = Infallible;

    fn open(capacity: usize) -> Self {
        assert!(capacity <= ROOM, "the macro was told another limit");
        now(LOADED.write()).cache_clear();
        Self
    }

    async fn get_or_load<'a, L, F>(&'a self, key: &'a str, loader: L) -> Result<Arc<User>, Infallible>
    where
        L: FnOnce() -> F + Send + 'static,
        F: Future<Output = User> + Send + 'static,
    {
        Ok(loaded(key, loader).await)
    }
}

#[cached(
    max_size = 262_144,
    ttl_secs = 3_600,
    key = "String",
    convert = "{ key.to_owned() }",
    sync_writes = "by_key"
)]
async fn loaded<L, F>(key: &str, loader: L) -> Arc<User>
where
    L: FnOnce() -> F + Send + 'static,
    F: Future<Output = User> + Send + 'static,
{
    // Only the macro looks at it.
    _ = key;
    Arc::new(loader().await)
}
