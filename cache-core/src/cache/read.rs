//! Reads of one key.

use std::sync::Arc;

use super::Cache;
use crate::async_cache::Probe;
use crate::entry::Entry;
use crate::error::{Operation, Result};
use crate::key::Key;
use crate::life::Life;
use crate::options::Read;
use crate::stats::Counter;
use crate::value::Value;

impl Cache {
    /// The value of this key, or `None` if there is none.
    ///
    /// A stored `None` is a hit: read as `Option<T>` it is `Some(None)`. An
    /// entry that is no `T` is converted through the codec, and a miss if that
    /// fails.
    ///
    /// ```
    /// # use cache_core::{Cache, Timeout};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> cache_core::Result<()> {
    /// # let cache = Cache::new(cache_mem::MemStore::new());
    /// cache.aset("user:1:name", "Ada", Timeout::Default).await?;
    /// let name: Option<String> = cache.aget("user:1:name").await?;
    /// assert_eq!(name.as_deref(), Some("Ada"));
    /// let absent = cache.aget("user:2:name").await?.unwrap_or_else(|| "nobody".to_owned());
    /// assert_eq!(absent, "nobody");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn aget<T: Value>(&self, key: &str) -> Result<Option<T>> {
        match self.entry(key).await? {
            Some(entry) => self
                .decoded(entry.read(&self.alias.format))
                .map_err(|error| self.failed(Operation::Get, error)),
            None => Ok(None),
        }
    }

    /// The value of this key, shared: a store in memory hands out what it
    /// keeps, without a copy and without an allocation.
    ///
    /// ```
    /// # use cache_core::{Cache, Timeout};
    /// # use std::sync::Arc;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> cache_core::Result<()> {
    /// # let cache = Cache::new(cache_mem::MemStore::new());
    /// let page = Arc::new("a long page".to_owned());
    /// cache.aset_arc("page", Arc::clone(&page), Timeout::Default).await?;
    /// let found = cache.aget_arc::<String>("page").await?.expect("it was set");
    /// assert!(Arc::ptr_eq(&page, &found));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn aget_arc<T: Value>(&self, key: &str) -> Result<Option<Arc<T>>> {
        match self.entry(key).await? {
            Some(entry) => self
                .decoded(entry.read_arc(&self.alias.format))
                .map_err(|error| self.failed(Operation::Get, error)),
            None => Ok(None),
        }
    }

    /// Whether there is an entry, of whatever type.
    pub async fn ahas_key(&self, key: &str) -> Result<bool> {
        let name = self.name(Operation::HasKey, key)?;
        let key = Key::new(&self.space, &name);
        match self.alias.store.probe(&key) {
            Probe::Hit(_) => return Ok(true),
            Probe::Miss => return Ok(false),
            Probe::Await => {}
        }
        match self.run(Operation::HasKey, self.alias.store.ahas_key(&key, Read::default())).await {
            Err(error) if self.counts_as_miss(&error) => Ok(false),
            outcome => outcome,
        }
    }

    /// What remains of the entry's life, or `None` if there is no entry.
    ///
    /// ```
    /// # use cache_core::{Cache, Life, Timeout};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> cache_core::Result<()> {
    /// # let cache = Cache::new(cache_mem::MemStore::new());
    /// cache.aset("motto", "onwards", Timeout::Forever).await?;
    /// assert_eq!(cache.alife("motto").await?, Some(Life::Forever));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn alife(&self, key: &str) -> Result<Option<Life>> {
        let name = self.name(Operation::Life, key)?;
        let key = Key::new(&self.space, &name);
        self.run(Operation::Life, self.alias.store.alife(&key, Read::default())).await
    }

    /// The entry of this key; a miss is counted, a hit not yet.
    async fn entry(&self, key: &str) -> Result<Option<Entry>> {
        let name = self.name(Operation::Get, key)?;
        let key = Key::new(&self.space, &name);
        let entry = match self.alias.store.probe(&key) {
            Probe::Hit(entry) => Some(entry),
            Probe::Miss => None,
            Probe::Await => self.fetch(&key).await?,
        };
        if entry.is_none() {
            self.alias.counters.count(Counter::Misses);
        }
        Ok(entry)
    }

    async fn fetch(&self, key: &Key<'_>) -> Result<Option<Entry>> {
        match self.run(Operation::Get, self.alias.store.aget(key, Read::default())).await {
            Ok(found) => Ok(found.map(|found| found.entry)),
            Err(error) if self.counts_as_miss(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
