//! What the tests of loads of many keys have in common: a store that tells what
//! it is asked, and loaders that remember what they were asked for.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cache_core::{AsyncCache, Batch, Cache, CacheBuilder, Clock, Error, ErrorKind, Operation};
use cache_mem::{MemSettings, MemStore};
use cache_testkit::{Faulty, Lesser, ManualClock};
use tokio::sync::Semaphore;

pub(crate) const MINUTE: Duration = Duration::from_mins(1);

/// A store in memory under one that looks remote, by a clock that stands still.
pub(crate) struct Rig {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) faulty: Arc<Faulty>,
    memory: Arc<dyn AsyncCache>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(|memory| memory)
    }

    /// A store that takes so many keys at once.
    pub(crate) fn with_batches(keys: usize) -> Self {
        let batch = Batch::new(keys);
        Self::lesser(move |promised| promised.read_batch(batch).write_batch(batch))
    }

    pub(crate) fn without_tokens() -> Self {
        Self::lesser(|promised| promised.tokens(false))
    }

    fn lesser(reduce: impl FnOnce(cache_core::Capabilities) -> cache_core::Capabilities) -> Self {
        Self::with(|memory| Arc::new(Lesser::new(memory, reduce)))
    }

    fn with(layer: impl FnOnce(Arc<dyn AsyncCache>) -> Arc<dyn AsyncCache>) -> Self {
        let clock = Arc::new(ManualClock::new());
        let time: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let memory: Arc<dyn AsyncCache> = Arc::new(MemStore::with_clock(&MemSettings::default(), time));
        let faulty = Faulty::over(layer(Arc::clone(&memory)));
        Self { clock, faulty, memory }
    }

    pub(crate) fn time(&self) -> Arc<dyn Clock> {
        Arc::<ManualClock>::clone(&self.clock)
    }

    pub(crate) fn builder(&self) -> CacheBuilder {
        Cache::builder(Arc::<Faulty>::clone(&self.faulty)).alias("rig").clock(self.time())
    }

    pub(crate) fn cache(&self) -> Cache {
        self.builder().build()
    }

    /// Another program's handle: the same entries, but no load hears of what it
    /// does, and nothing goes wrong with it.
    pub(crate) fn elsewhere(&self) -> Cache {
        Cache::builder(Arc::clone(&self.memory)).clock(self.time()).build()
    }

    /// Lets all tasks come as far as they can while no time passes.
    pub(crate) async fn settle(&self) {
        self.clock.pass(Duration::ZERO).await;
    }
}

/// Where loaders get their values from; it remembers what it was asked for.
#[derive(Clone, Default)]
pub(crate) struct Source(Arc<Mutex<Vec<Vec<String>>>>);

impl Source {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The keys of each call of a loader, in the order of the calls.
    pub(crate) fn asked(&self) -> Vec<Vec<String>> {
        self.calls().clone()
    }

    /// A loader that has a value for everything.
    pub(crate) fn loader(
        &self,
    ) -> impl FnOnce(Vec<String>) -> std::future::Ready<HashMap<String, String>> + Send + 'static {
        let source = self.clone();
        move |missing| std::future::ready(source.values(missing))
    }

    /// As [`loader`](Self::loader), of a type that could fail.
    pub(crate) fn try_loader(
        &self,
    ) -> impl FnOnce(Vec<String>) -> std::future::Ready<Result<HashMap<String, String>, Infallible>> + Send + 'static
    {
        let source = self.clone();
        move |missing| std::future::ready(Ok(source.values(missing)))
    }

    /// A loader that has a value for everything, once it is let go.
    pub(crate) fn held(
        &self,
        hold: &Hold,
    ) -> impl FnOnce(Vec<String>) -> BoxFuture<HashMap<String, String>> + Send + 'static {
        self.held_without(hold, &[])
    }

    /// As [`held`](Self::held), with nothing to say of these keys.
    pub(crate) fn held_without(
        &self,
        hold: &Hold,
        left_out: &'static [&'static str],
    ) -> impl FnOnce(Vec<String>) -> BoxFuture<HashMap<String, String>> + Send + 'static {
        let (source, hold) = (self.clone(), hold.clone());
        move |missing| {
            Box::pin(async move {
                let mut values = source.values(missing);
                hold.pass().await;
                values.retain(|key, _| !left_out.contains(&key.as_str()));
                values
            })
        }
    }

    fn values(&self, missing: Vec<String>) -> HashMap<String, String> {
        let values = missing.iter().map(|key| (key.clone(), loaded(key))).collect();
        self.calls().push(missing);
        values
    }

    fn calls(&self) -> MutexGuard<'_, Vec<Vec<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type BoxFuture<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;

/// What the source has for a key.
pub(crate) fn loaded(key: &str) -> String {
    format!("loaded {key}")
}

/// A loader that must not be called.
pub(crate) fn never(_: Vec<String>) -> std::future::Ready<HashMap<String, String>> {
    panic!("nothing is missing that this call is to load")
}

/// What the loader of one key would be.
pub(crate) fn never_one() -> std::future::Ready<String> {
    panic!("somebody else loads the key")
}

/// Holds loaders until the test lets them go.
#[derive(Clone)]
pub(crate) struct Hold(Arc<Door>);

struct Door {
    began: Semaphore,
    released: Semaphore,
    inside: AtomicUsize,
}

/// A loader that is held, until it is let go or dropped.
struct Inside(Arc<Door>);

impl Hold {
    pub(crate) fn new() -> Self {
        let none = || Semaphore::new(0);
        Self(Arc::new(Door { began: none(), released: none(), inside: AtomicUsize::new(0) }))
    }

    /// In a loader.
    pub(crate) async fn pass(&self) {
        self.0.inside.fetch_add(1, Ordering::SeqCst);
        let inside = Inside(Arc::clone(&self.0));
        inside.0.began.add_permits(1);
        inside.0.released.acquire().await.expect("nobody closes it").forget();
    }

    /// Ends when one more loader has come.
    pub(crate) async fn reached(&self) {
        self.0.began.acquire().await.expect("nobody closes it").forget();
    }

    /// How many loaders it holds.
    pub(crate) fn inside(&self) -> usize {
        self.0.inside.load(Ordering::SeqCst)
    }

    /// Lets one loader go.
    pub(crate) fn release(&self) {
        self.0.released.add_permits(1);
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What failed, by position, once it is clear who says so.
pub(crate) fn failures(error: &Error) -> Vec<(usize, ErrorKind)> {
    assert_eq!((error.operation(), error.alias()), (Some(Operation::GetOrSetMany), Some("rig")));
    error.failures().iter().map(|(position, failure)| (*position, failure.kind())).collect()
}

/// The text of each value, by the caller's keys, in order.
pub(crate) fn sorted<K: AsRef<str>>(found: &HashMap<K, Arc<String>>) -> Vec<(&str, &str)> {
    let mut texts: Vec<_> = found.iter().map(|(key, value)| (key.as_ref(), value.as_str())).collect();
    texts.sort_unstable();
    texts
}
