//! Loads that a test holds where it likes, over a store that does what it is told.

#![allow(dead_code, reason = "not every test needs all of it")]

pub(crate) mod counted;
pub(crate) mod write;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cache_core::{
    AsyncCache, Cache, CacheBuilder, Capabilities, Clock, Entry, Error, Format, Key, KeySpace, Life,
    NewEntry, Result, Timeout, Write,
};
use cache_mem::{MemSettings, MemStore};
use cache_testkit::{Call, Faulty, Gate, Lesser, ManualClock};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The key that the tests are about.
pub(crate) const KEY: &str = "page";

/// What a batch loads beside it.
pub(crate) const OTHER: &str = "other";

/// The version of both, so that there is room for moves on either side.
pub(crate) const VERSION: u64 = 2;

/// Of every operation, where a rig has one.
pub(crate) const DEADLINE: Duration = Duration::from_millis(100);

/// When it is almost over.
pub(crate) const ALMOST: Duration = Duration::from_millis(99);

/// By which calls reads, and publishes, go to the store.
pub(crate) const READS: [Call; 2] = [Call::Get, Call::GetMany];
pub(crate) const PUBLISHES: [Call; 2] = [Call::Set, Call::SetMany];

/// How many turns the other tasks have until all that can happen has happened.
const TURNS: usize = 64;

pub(crate) struct Rig {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) faulty: Arc<Faulty>,
    pub(crate) cache: Cache,
    /// Another process: the same entries, below all that is told to fail, and
    /// without a part in the loads.
    pub(crate) elsewhere: Cache,
    store: Arc<dyn AsyncCache>,
}

/// How a load is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    One,
    /// With [`OTHER`].
    Batch,
}

/// A load in a task of its own, whose loader ends when it is told to.
pub(crate) struct HeldLoad<T> {
    pub(crate) caller: JoinHandle<Result<HashMap<String, Arc<T>>>>,
    began: Option<oneshot::Receiver<()>>,
    go: Option<oneshot::Sender<()>>,
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Lets the other tasks run until they wait for something.
pub(crate) async fn settle() {
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
    }
}

pub(crate) fn without_tokens(promised: Capabilities) -> Capabilities {
    promised.tokens(false)
}

impl Rig {
    /// A store with tokens, or one without.
    pub(crate) fn new(tokens: bool) -> Self {
        Self::with(tokens, |builder| builder)
    }

    pub(crate) fn with(tokens: bool, settings: impl FnOnce(CacheBuilder) -> CacheBuilder) -> Self {
        let reduce = if tokens { |promised| promised } else { without_tokens };
        Self::over(&MemSettings::default(), reduce, settings)
    }

    pub(crate) fn over(
        mem: &MemSettings,
        reduce: impl FnOnce(Capabilities) -> Capabilities,
        settings: impl FnOnce(CacheBuilder) -> CacheBuilder,
    ) -> Self {
        let clock = Arc::new(ManualClock::new());
        let time: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let store: Arc<dyn AsyncCache> = Arc::new(MemStore::with_clock(mem, Arc::clone(&time)));
        let faulty = Faulty::over(Arc::new(Lesser::new(Arc::clone(&store), reduce)));
        let builder = |store| Cache::builder(store).clock(Arc::clone(&time)).version(VERSION);
        let cache = settings(builder(Arc::<Faulty>::clone(&faulty))).build();
        let elsewhere = builder(Arc::clone(&store)).build();
        Self { clock, faulty, cache, elsewhere, store }
    }

    /// What another process puts under the key.
    pub(crate) async fn put<T: cache_core::Value>(&self, key: &str, value: T) {
        self.elsewhere.aset(key, &value, Timeout::Forever).await.expect("a healthy store");
    }

    /// Bytes under the key that no reader understands.
    pub(crate) async fn put_garbage(&self, key: &str) {
        let garbage = Entry::from_bytes(Bytes::from_static(b"\xc0\xff\xee"));
        let (space, format) = (KeySpace::new("", VERSION), Format::default());
        let garbage = NewEntry::of(garbage, &format);
        let written = self.store.aset(&Key::new(&space, key), &garbage, Write::new(Life::Forever)).await;
        assert!(written.expect("a healthy store"));
    }

    /// What is in the store.
    pub(crate) async fn stored<T: cache_core::Value>(&self, key: &str) -> Option<T> {
        self.elsewhere.aget(key).await.expect("a healthy store")
    }

    /// Whether there is anything in the store under the key.
    pub(crate) async fn is_there(&self, key: &str) -> bool {
        self.elsewhere.ahas_key(key).await.expect("a healthy store")
    }

    /// Holds the next read that the load makes, once the store has answered it.
    pub(crate) fn hold_read(&self) -> Gate {
        self.faulty.on(READS).times(1).after().pause()
    }

    /// Holds the next publish.
    pub(crate) fn hold_publish(&self) -> Gate {
        self.faulty.on(PUBLISHES).times(1).pause()
    }

    /// A load of the key, by itself or with [`OTHER`], that is held in its loader.
    pub(crate) fn load<T: cache_core::Value>(&self, shape: Shape, value: T) -> HeldLoad<T> {
        let keys: &[&str] = if shape == Shape::One { &[KEY] } else { &[KEY, OTHER] };
        hold_load(&self.cache, shape, keys, value)
    }

    /// As [`load`](Self::load), but once the loader runs.
    pub(crate) async fn loading<T: cache_core::Value>(&self, shape: Shape, value: T) -> HeldLoad<T> {
        let mut load = self.load(shape, value);
        load.has_begun().await;
        load
    }

    /// What a caller gets who comes now: what its own loader gives, unless
    /// there is something.
    pub(crate) async fn come<T: cache_core::Value>(&self, shape: Shape, value: T) -> Arc<T> {
        let mut load = hold_load(&self.cache, shape, &[KEY], value);
        load.end_loader();
        let caller = load.caller;
        settle().await;
        assert!(caller.is_finished(), "a caller who comes now waits for nobody");
        values(caller).await.remove(KEY).expect("the loader answers all keys")
    }

    /// Whether all is over.
    pub(crate) fn is_quiet(&self) -> bool {
        self.cache.stats().loading == 0 && self.faulty.inside_in_all() == 0
    }

    /// How often a call of one of these kinds has been made.
    pub(crate) fn begun(&self, calls: &[Call]) -> usize {
        calls.iter().map(|call| self.faulty.begun(*call)).sum()
    }
}

impl<T> HeldLoad<T> {
    /// Ends once the loader runs.
    pub(crate) async fn has_begun(&mut self) {
        self.began.take().expect("it is asked once").await.expect("the loader runs");
    }

    /// Lets the loader end, also one that is yet to run.
    pub(crate) fn end_loader(&mut self) {
        // There may be no loader any more, if there was no need of it.
        let _ = self.go.take().expect("it is told once").send(());
    }
}

/// What a caller of a load gets.
pub(crate) async fn values<T>(
    caller: JoinHandle<Result<HashMap<String, Arc<T>>>>,
) -> HashMap<String, Arc<T>> {
    outcome(caller).await.expect("a value")
}

pub(crate) async fn outcome<T>(
    caller: JoinHandle<Result<HashMap<String, Arc<T>>>>,
) -> Result<HashMap<String, Arc<T>>, Error> {
    caller.await.expect("no panic")
}

pub(crate) fn hold_load<T: cache_core::Value>(
    cache: &Cache,
    shape: Shape,
    keys: &[&str],
    value: T,
) -> HeldLoad<T> {
    let (says_began, began) = oneshot::channel();
    let (go, told) = oneshot::channel();
    let held = async move || {
        // Nobody may have asked.
        let _ = says_began.send(());
        let _ = told.await;
        value
    };
    let cache = cache.clone();
    let keys: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
    let caller = tokio::spawn(async move {
        match shape {
            Shape::One => {
                let value = cache.aget_or_set(&keys[0], Timeout::Default, held).await?;
                Ok(HashMap::from([(keys[0].clone(), value)]))
            }
            Shape::Batch => {
                let loader = async move |missing: Vec<String>| {
                    let value = held().await;
                    missing.into_iter().map(|key| (key, value.clone())).collect()
                };
                cache.get_or_set_many(keys, Timeout::Default, loader).await
            }
        }
    });
    HeldLoad { caller, began: Some(began), go: Some(go) }
}
