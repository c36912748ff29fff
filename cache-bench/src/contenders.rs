//! A hit in memory, by us and by our peers: 1,024 warm keys of 20 bytes, a
//! struct with a `String` and a `Vec`, each peer as its own docs would use it.

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cache_core::{AsyncCache, Cache, Key, KeySpace, Probe};
use cache_mem::{MemSettings, MemStore};
use cache_testkit::PassThrough;
use serde::{Deserialize, Serialize};

use crate::rounds::Contender;

#[derive(Clone, Serialize, Deserialize)]
struct User {
    name: String,
    scores: Vec<u32>,
}

const KEYS: usize = 1_024;
const LIFE: Duration = Duration::from_secs(3_600);

pub fn hits() -> Vec<Contender> {
    vec![
        quick_cache(),
        moka_sync(),
        moka_future(),
        probe(),
        ours("Cache::aget_arc", |store| store),
        ours("Cache::aget_arc, three layers", |store| PassThrough::layers(store, 3)),
        ours_cloned(),
    ]
}

fn keys() -> Vec<String> {
    (0..KEYS).map(|number| format!("session:{number:012}")).collect()
}

fn user() -> User {
    User { name: "Ada Lovelace".to_owned(), scores: vec![1, 2, 3] }
}

/// Runs `look_up` over the keys, round and round.
fn contender(name: &'static str, mut look_up: impl FnMut(&str) -> bool + 'static) -> Contender {
    let keys = keys();
    let run = move |operations| {
        for operation in 0..operations {
            assert!(look_up(&keys[operation % KEYS]), "it was set");
        }
    };
    Contender { name, run: Box::new(run) }
}

fn quick_cache() -> Contender {
    let cache = quick_cache::sync::Cache::new(KEYS * 4);
    keys().into_iter().for_each(|key| cache.insert(key, Arc::new(user())));
    contender("quick_cache get(&str)", move |key| black_box(cache.get(key)).is_some())
}

fn moka_sync() -> Contender {
    let cache = moka::sync::Cache::builder().max_capacity(KEYS as u64 * 4).time_to_live(LIFE).build();
    keys().into_iter().for_each(|key| cache.insert(key, Arc::new(user())));
    contender("moka sync get(&str)", move |key| black_box(cache.get(key)).is_some())
}

fn moka_future() -> Contender {
    let cache = moka::future::Cache::builder().max_capacity(KEYS as u64 * 4).time_to_live(LIFE).build();
    keys().into_iter().for_each(|key| now(cache.insert(key, Arc::new(user()))));
    contender("moka future get(&str).await", move |key| black_box(now(cache.get(key))).is_some())
}

fn filled(wrap: impl Fn(Arc<dyn AsyncCache>) -> Arc<dyn AsyncCache>) -> (Cache, Arc<dyn AsyncCache>) {
    let mut settings = MemSettings::default();
    settings.check_encoding = false;
    let store = wrap(Arc::new(MemStore::with_clock(&settings, Arc::new(cache_core::SystemClock))));
    let cache = Cache::builder(Arc::clone(&store)).key_prefix("shop").build();
    for key in keys() {
        now(cache.aset(&key, &user(), LIFE)).expect("memory takes it");
    }
    (cache, store)
}

/// With version, prefix, expiry, key check and statistics.
fn ours(name: &'static str, wrap: impl Fn(Arc<dyn AsyncCache>) -> Arc<dyn AsyncCache>) -> Contender {
    let (cache, _) = filled(wrap);
    contender(name, move |key| black_box(now(cache.aget_arc::<User>(key))).is_ok_and(|user| user.is_some()))
}

fn ours_cloned() -> Contender {
    let (cache, _) = filled(|store| store);
    contender("Cache::aget, which clones", move |key| {
        black_box(now(cache.aget::<User>(key))).is_ok_and(|user| user.is_some())
    })
}

fn probe() -> Contender {
    let (_, store) = filled(|store| store);
    let space = KeySpace::new("shop", 1);
    contender("the store's probe alone", move |key| {
        matches!(black_box(store.probe(&Key::new(&space, key))), Probe::Hit(_))
    })
}

/// The output of a future that is ready when it is first polled.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a store in memory makes nobody wait"),
    }
}
