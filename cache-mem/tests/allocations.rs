//! A hit allocates nothing, through however many layers.

#![expect(clippy::print_stderr, reason = "a test tells what it measured")]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use cache_core::{AsyncCache, Cache, KeyCheck, SystemClock, Timeout, Trip, TripSettings};
use cache_mem::{MemSettings, MemStore};
use cache_testkit::PassThrough;
use serde::{Deserialize, Serialize};

/// How often each operation is done while allocations are counted.
const ROUNDS: u64 = 100;

const LIFE: Duration = Duration::from_mins(5);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    roles: Vec<u32>,
}

impl User {
    fn ada() -> Self {
        Self { name: "Ada, Countess of Lovelace".to_owned(), roles: vec![1, 2, 3] }
    }
}

/// What the future answers at its first poll: a store in memory makes nobody wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// The store as a program has it in production: `check_encoding`, which
/// encodes each set as well, is for debug builds.
fn store() -> Arc<dyn AsyncCache> {
    let mut settings = MemSettings::default();
    settings.check_encoding = false;
    Arc::new(MemStore::with_clock(&settings, Arc::new(SystemClock)))
}

/// Everything on that costs something: prefix, version, key check, a deadline.
fn cache(store: Arc<dyn AsyncCache>) -> Cache {
    let cache = Cache::builder(store)
        .key_prefix("shop")
        .version(7)
        .key_check(KeyCheck::Error)
        .timeout(LIFE)
        .deadline(Duration::from_secs(1))
        .build();
    now(cache.aset("user:42", &User::ada(), LIFE)).expect("a store in memory");
    now(cache.aset("visits", &41_i64, LIFE)).expect("a store in memory");
    now(cache.aset("size", &7_u64, LIFE)).expect("a store in memory");
    cache
}

/// The same cache bare, under three layers that change nothing, and under a trip.
fn caches() -> [(&'static str, Cache); 3] {
    let settings = TripSettings::new("mem", Duration::from_secs(1), Arc::new(SystemClock));
    [
        ("bare", cache(store())),
        ("under three layers", cache(PassThrough::layers(store(), 3))),
        ("under a trip", cache(Arc::new(Trip::new(store(), settings)))),
    ]
}

/// How many allocations the work makes, each time, once it is warm.
fn allocations(mut work: impl FnMut()) -> f64 {
    work();
    let AllocationInfo { count_total, .. } = measure(|| (0..ROUNDS).for_each(|_| work()));
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    let each = count_total as f64 / ROUNDS as f64;
    each
}

fn assert_none(layers: &str, operation: &str, work: impl FnMut()) {
    let each = allocations(work);
    eprintln!("{layers}: {operation}: {each} allocations");
    assert!(each == 0.0, "{operation} {layers} makes {each} allocations");
}

#[test]
fn a_shared_hit_allocates_nothing() {
    for (layers, cache) in caches() {
        assert_none(layers, "aget_arc::<User>", || {
            let user = now(cache.aget_arc::<User>("user:42")).expect("a store in memory");
            assert!(user.expect("a hit").roles.len() == 3);
        });
    }
}

#[test]
fn a_hit_of_what_would_be_loaded_allocates_nothing() {
    for (layers, cache) in caches() {
        assert_none(layers, "aget_or_set of a hit", || {
            let user = now(cache.aget_or_set("user:42", LIFE, || async { User::ada() }));
            assert_eq!(user.expect("a store in memory").roles.len(), 3);
        });
        assert_none(layers, "load, try_run of a hit", || {
            let load = cache.load("user:42").timeout(LIFE).load_deadline(LIFE).jitter(0.1);
            let user = now(load.try_run(|| async { Ok::<_, std::io::Error>(User::ada()) }));
            assert_eq!(user.expect("a store in memory").roles.len(), 3);
        });
    }
}

#[test]
fn a_hit_of_an_integer_allocates_nothing() {
    for (layers, cache) in caches() {
        assert_none(layers, "aget::<i64>", || {
            assert_eq!(now(cache.aget::<i64>("visits")).expect("a store in memory"), Some(41));
        });
        assert_none(layers, "aget::<u64>", || {
            assert_eq!(now(cache.aget::<u64>("size")).expect("a store in memory"), Some(7));
        });
    }
}

#[test]
fn a_miss_allocates_nothing() {
    for (layers, cache) in caches() {
        assert_none(layers, "aget_arc of a miss", || {
            assert!(now(cache.aget_arc::<User>("user:43")).expect("a store in memory").is_none());
        });
    }
}

#[test]
fn a_hit_within_a_runtime_allocates_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for (layers, cache) in caches() {
        assert_none(layers, "aget_arc::<User> in a runtime", || {
            let user = runtime.block_on(cache.aget_arc::<User>("user:42")).expect("a store in memory");
            assert!(user.is_some());
        });
    }
}

#[test]
fn a_hit_that_is_cloned_allocates_what_the_clone_does() {
    let ada = User::ada();
    let clone = allocations(|| drop(ada.clone()));
    for (layers, cache) in caches() {
        let each = allocations(|| {
            assert!(now(cache.aget::<User>("user:42")).expect("a store in memory").is_some());
        });
        eprintln!("{layers}: aget::<User>: {each} allocations, of a clone {clone}");
        assert!((each - clone).abs() < f64::EPSILON);
    }
}

/// Over a key that is there: the clone, its `Arc`, and a boxed future a layer.
#[test]
fn a_set_allocates_little() {
    let ada = User::ada();
    let clone = allocations(|| drop(ada.clone()));
    for (layers, cache) in caches() {
        let boxed = if layers == "under three layers" { 4.0 } else { 1.0 };
        let most = clone + 1.0 + boxed + if layers == "under a trip" { 1.0 } else { 0.0 };
        let each = allocations(|| {
            now(cache.aset("user:42", &ada, Timeout::Default)).expect("a store in memory");
        });
        eprintln!("{layers}: aset of a User: {each} allocations, of a clone {clone}");
        assert!(each <= most, "{each} allocations {layers}, expected {most} at most");
    }
}
