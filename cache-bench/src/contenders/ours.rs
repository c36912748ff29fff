//! cache-sdk: the store in memory through `Cache`, with version, prefix,
//! expiry, key check and statistics.

use std::future::Future;
use std::hint::black_box;
use std::sync::Arc;

use cache_core::{AsyncCache, Cache, Error, Key, KeySpace, Probe, SystemClock};
use cache_mem::{MemSettings, MemStore};
use cache_testkit::PassThrough;

use super::loads::{self, Loads};
use crate::contender::{Contender, Opened};
use crate::operation::Operation;
use crate::workload::{LIFE, User, absent_keys, now, user, warm_keys};

pub const PROBE: &str = "the store's probe alone";
pub const AGET_ARC: &str = "Cache::aget_arc";
pub const AGET_OR_SET: &str = <Cache as Loads>::NAME;
pub const LOAD_RUN: &str = "Cache::load, run";
pub const AGET_ARC_LAYERED: &str = "Cache::aget_arc, three layers";

/// So many layers [`AGET_ARC_LAYERED`] has.
pub const LAYERS: usize = 3;

const PREFIX: &str = "shop";

pub fn of(operation: Operation) -> Vec<Contender> {
    let contender = |name, open| Contender { name, open };
    match operation {
        Operation::Hit => vec![
            contender(PROBE, probe),
            contender(AGET_ARC, || hit(store())),
            contender("Cache::aget_arc, moved first", hit_moved),
            contender(AGET_ARC_LAYERED, || hit(PassThrough::layers(store(), LAYERS))),
            contender("Cache::aget", get),
        ],
        Operation::Get => vec![contender("Cache::aget", get)],
        Operation::Miss => vec![contender(AGET_ARC, miss)],
        Operation::Set => vec![contender("Cache::aset", set)],
        Operation::SetArc => vec![contender("Cache::aset_arc", set_arc)],
        Operation::Incr => vec![contender("Cache::aincr", incr)],
        Operation::LoadHit => vec![
            contender(AGET_ARC, || hit(store())),
            contender(AGET_OR_SET, aget_or_set),
            contender(LOAD_RUN, load_run),
        ],
        Operation::LoadMiss => vec![loads::of::<Cache>(operation)],
    }
}

impl Loads for Cache {
    const NAME: &'static str = "Cache::aget_or_set";
    type Error = Error;

    fn open(capacity: usize) -> Self {
        let mut settings = settings();
        settings.max_entries = capacity;
        let store = MemStore::with_clock(&settings, Arc::new(SystemClock));
        Self::builder(Arc::new(store)).key_prefix(PREFIX).build()
    }

    fn get_or_load<'a, L, F>(
        &'a self,
        key: &'a str,
        loader: L,
    ) -> impl Future<Output = Result<Arc<User>, Error>> + Send + 'a
    where
        L: FnOnce() -> F + Send + 'static,
        F: Future<Output = User> + Send + 'static,
    {
        self.aget_or_set(key, LIFE, loader)
    }
}

fn settings() -> MemSettings {
    let mut settings = MemSettings::default();
    settings.check_encoding = false;
    settings
}

fn store() -> Arc<dyn AsyncCache> {
    Arc::new(MemStore::with_clock(&settings(), Arc::new(SystemClock)))
}

fn filled(store: Arc<dyn AsyncCache>) -> Cache {
    let cache = Cache::builder(store).key_prefix(PREFIX).build();
    for key in warm_keys() {
        now(cache.aset(&key, &user(), LIFE)).expect("memory takes it");
    }
    cache
}

fn probe() -> Opened {
    let store = store();
    filled(Arc::clone(&store));
    let space = KeySpace::new(PREFIX, 1);
    Opened::calling(warm_keys(), move |key| {
        matches!(black_box(store.probe(&Key::new(&space, key))), Probe::Hit(_))
    })
}

fn hit(store: Arc<dyn AsyncCache>) -> Opened {
    let cache = filled(store);
    Opened::awaiting(warm_keys(), async move |key| {
        matches!(black_box(cache.aget_arc::<User>(key).await), Ok(Some(_)))
    })
}

/// The future is moved before it is polled, as a timeout, a box or a `join!` may do.
fn hit_moved() -> Opened {
    let cache = filled(store());
    Opened::awaiting(warm_keys(), async move |key| {
        matches!(black_box(black_box(cache.aget_arc::<User>(key)).await), Ok(Some(_)))
    })
}

fn aget_or_set() -> Opened {
    let cache = filled(store());
    Opened::awaiting(warm_keys(), async move |key| {
        black_box(cache.aget_or_set(key, LIFE, || async { user() }).await).is_ok()
    })
}

/// As [`aget_or_set`], asked step by step.
fn load_run() -> Opened {
    let cache = filled(store());
    Opened::awaiting(warm_keys(), async move |key| {
        black_box(cache.load(key).timeout(LIFE).run(|| async { user() }).await).is_ok()
    })
}

fn get() -> Opened {
    let cache = filled(store());
    Opened::awaiting(warm_keys(), async move |key| {
        matches!(black_box(cache.aget::<User>(key).await), Ok(Some(_)))
    })
}

fn miss() -> Opened {
    let cache = filled(store());
    Opened::awaiting(absent_keys(), async move |key| {
        matches!(black_box(cache.aget_arc::<User>(key).await), Ok(None))
    })
}

fn set() -> Opened {
    let (cache, user) = (filled(store()), user());
    Opened::awaiting(warm_keys(), async move |key| cache.aset(key, black_box(&user), LIFE).await.is_ok())
}

fn set_arc() -> Opened {
    let (cache, user) = (filled(store()), Arc::new(user()));
    Opened::awaiting(warm_keys(), async move |key| {
        cache.aset_arc(key, Arc::clone(black_box(&user)), LIFE).await.is_ok()
    })
}

fn incr() -> Opened {
    let cache = Cache::builder(store()).key_prefix(PREFIX).build();
    for key in warm_keys() {
        now(cache.aset(&key, &0, LIFE)).expect("memory takes it");
    }
    Opened::awaiting(warm_keys(), async move |key| {
        black_box(cache.aincr(key, 1).await).is_ok_and(|sum| sum > 0)
    })
}
