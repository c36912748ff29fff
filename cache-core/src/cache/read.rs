//! Reads of one key.

use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use super::Cache;
use crate::async_cache::Probe;
use crate::entry::Entry;
use crate::error::{Operation, Result};
use crate::key::Key;
use crate::life::Life;
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
    pub fn aget<'a, T: Value>(&'a self, key: &'a str) -> impl Future<Output = Result<Option<T>>> + Send + 'a {
        self.reading(key, |cache, entry| cache.decoded(Operation::Get, entry.read(&cache.alias.format)))
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
    pub fn aget_arc<'a, T: Value>(
        &'a self,
        key: &'a str,
    ) -> impl Future<Output = Result<Option<Arc<T>>>> + Send + 'a {
        self.reading(key, |cache, entry| cache.decoded(Operation::Get, entry.read_arc(&cache.alias.format)))
    }

    /// Whether there is an entry, of whatever type.
    ///
    /// As in Django this is no use of the entry, where the store evicts what
    /// was used least recently.
    pub async fn ahas_key(&self, key: &str) -> Result<bool> {
        let name = self.name(Operation::HasKey, key)?;
        let key = Key::new(&self.space, &name);
        match self.bounded_call(self.alias.store.ahas_key(&key, self.read())).await {
            Err(error) if self.counts_as_miss(&error) => Ok(false),
            outcome => outcome.map_err(|error| self.failed(Operation::HasKey, error)),
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
        self.run_call(Operation::Life, self.alias.store.alife(&key, self.read())).await
    }

    /// Looks, fetches if it has to, and decodes.
    ///
    /// Written by hand, since an `async fn` has room for all that a fetch
    /// needs, and keeps what it looks at there: a hit in memory then took a
    /// fifth longer, and two thirds if the future was moved before it was polled.
    fn reading<'a, T: 'a>(
        &'a self,
        key: &'a str,
        decode: impl Fn(&Self, Entry) -> Result<Option<T>> + Send + 'a,
    ) -> impl Future<Output = Result<Option<T>>> + Send + 'a {
        let mut fetching: Option<Fetching<'a>> = None;
        poll_fn(move |context| {
            let entry = match &mut fetching {
                Some(fetch) => ready!(fetch.as_mut().poll(context))?,
                None => match self.look(Operation::Get, key)? {
                    Looked::Here(entry) => entry,
                    Looked::Elsewhere(name) => {
                        let fetch = fetching.insert(Box::pin(self.get(name)));
                        ready!(fetch.as_mut().poll(context))?
                    }
                },
            };
            Poll::Ready(entry.map_or(Ok(None), |entry| decode(self, entry)))
        })
    }

    /// What can be said without waiting; a miss is counted, a hit not yet.
    #[inline]
    pub(super) fn look<'a>(&self, operation: Operation, key: &'a str) -> Result<Looked<'a>> {
        let name = self.name(operation, key)?;
        match self.alias.store.probe(&Key::new(&self.space, &name)) {
            Probe::Hit(entry) => Ok(Looked::Here(Some(entry))),
            Probe::Await => Ok(Looked::Elsewhere(name)),
            Probe::Miss => {
                self.alias.counters.count(Counter::Misses);
                Ok(Looked::Here(None))
            }
        }
    }

    async fn get(&self, name: Cow<'_, str>) -> Result<Option<Entry>> {
        let entry = self.fetch(&Key::new(&self.space, &name)).await;
        entry.map_err(|error| self.failed(Operation::Get, error))
    }

    /// The entry from a store that makes one wait; a miss is counted.
    pub(super) async fn fetch(&self, key: &Key<'_>) -> Result<Option<Entry>> {
        let found = match self.bounded_call(self.alias.store.aget(key, self.read())).await {
            Err(error) if self.counts_as_miss(&error) => None,
            outcome => outcome?,
        };
        if found.is_none() {
            self.alias.counters.count(Counter::Misses);
        }
        Ok(found.map(|found| found.entry))
    }
}

type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Option<Entry>>> + Send + 'a>>;

/// What a read knows before it waits: so that a hit in memory is found without
/// a future within the future.
pub(super) enum Looked<'a> {
    Here(Option<Entry>),
    Elsewhere(Cow<'a, str>),
}
