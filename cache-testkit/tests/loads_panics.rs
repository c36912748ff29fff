//! Loaders, and values, that panic.

mod loads_rig;

use std::collections::HashMap;
use std::future::Ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cache_core::{Cache, ErrorKind, Timeout};
use cache_testkit::Call;
use serde::{Deserialize, Deserializer, Serialize};

use loads_rig::{Asked, LOAD_DEADLINE, Rig, Source, finished, ms, near_and_far, poll};

type Values = HashMap<String, i64>;

/// Asks by a loader that panics.
type Ask = fn(Cache) -> Asked<Arc<i64>>;

const WAYS: [(&str, Ask); 4] = [
    ("in the closure", |cache| {
        let loader = || -> Ready<i64> { panic!("the loader panics in its closure") };
        Box::pin(async move { cache.aget_or_set("key", Timeout::Forever, loader).await })
    }),
    ("before its first await", |cache| {
        let loader = || async { panic!("the loader panics at once") };
        Box::pin(async move { cache.aget_or_set("key", Timeout::Forever, loader).await })
    }),
    ("after an await", |cache| {
        let loader = || async {
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            panic!("the loader panics after a while")
        };
        Box::pin(async move { cache.aget_or_set("key", Timeout::Forever, loader).await })
    }),
    ("when it is dropped", |cache| {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("the loader panics as it ends");
            }
        }
        let loader = || async {
            let _bomb = Bomb;
            tokio::task::yield_now().await;
            1
        };
        Box::pin(async move { cache.aget_or_set("key", Timeout::Forever, loader).await })
    }),
];

#[tokio::test]
async fn wherever_a_loader_panics_all_who_wait_are_told_and_the_next_caller_loads() {
    for (way, ask) in WAYS {
        for rig in near_and_far() {
            let callers: Vec<_> = (0..5).map(|_| tokio::spawn(ask(rig.cache.clone()))).collect();
            for caller in callers {
                let error = finished(caller).await.expect_err("the loader panics");
                assert_eq!(error.kind(), ErrorKind::Panicked, "{way}");
                assert_eq!(error.operation(), Some(cache_core::Operation::GetOrSet));
            }
            rig.is_at_rest().await;
            let stats = rig.cache.stats();
            assert_eq!((stats.loads, stats.loads_panicked, stats.loads_failed), (1, 1, 0), "{way}");
            assert_eq!((stats.load_waits, stats.errors[&ErrorKind::Panicked]), (4, 5), "{way}");
            assert!(rig.loads_anew("key").await, "{way}");
        }
    }
}

fn ask_batch(cache: &Cache, in_closure: bool) -> Asked<HashMap<&'static str, Arc<i64>>> {
    let cache = cache.clone();
    Box::pin(async move {
        let loader = move |_| {
            assert!(!in_closure, "the loader panics in its closure");
            async {
                tokio::task::yield_now().await;
                panic!("the loader panics after a while")
            }
        };
        cache.load_many(["a", "there", "b"]).run::<i64, _, _>(loader_of(loader)).await
    })
}

/// The loader as it is, with its types said.
fn loader_of<Fut: Future<Output = Values>, F: FnOnce(Vec<String>) -> Fut>(loader: F) -> F {
    loader
}

#[tokio::test]
async fn the_loader_of_a_batch_that_panics_fails_its_keys_and_those_who_wait_for_them() {
    for in_closure in [true, false] {
        for rig in near_and_far() {
            rig.cache.aset("there", &0, Timeout::Forever).await.expect("a healthy store");
            let mut batch = ask_batch(&rig.cache, in_closure);
            while rig.cache.stats().loading == 0 {
                assert!(poll(&mut batch).is_pending());
            }
            let mut waits = rig.ask("b", &Source::open(), 1);
            while rig.cache.stats().load_waits == 0 {
                assert!(poll(&mut waits).is_pending());
            }
            let error = finished(tokio::spawn(batch)).await.expect_err("the loader panics");
            let failed: Vec<_> = error.failures().iter().map(|(at, error)| (*at, error.kind())).collect();
            assert_eq!(failed, [(0, ErrorKind::Panicked), (2, ErrorKind::Panicked)]);
            let error = finished(tokio::spawn(waits)).await.expect_err("the loader panics");
            assert_eq!(error.kind(), ErrorKind::Panicked);
            assert_eq!((rig.cache.stats().loads, rig.cache.stats().loads_panicked), (1, 1));
            rig.is_at_rest().await;
            assert!(rig.loads_anew("a").await && rig.loads_anew("b").await);
        }
    }
}

/// A loader that is dropped for its deadline, and panics as it goes.
#[tokio::test]
async fn a_hanging_loader_that_panics_when_it_is_dropped_is_over_all_the_same() {
    struct Bomb(Source);
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("the loader panics as it is dropped");
        }
    }
    for is_given_up in [false, true] {
        for rig in near_and_far() {
            let hangs = Source::held();
            let ask = || {
                let (cache, bomb) = (rig.cache.clone(), Bomb(hangs.clone()));
                tokio::spawn(async move {
                    let loader = || async move {
                        let bomb = bomb;
                        bomb.0.clone().run().await;
                        1
                    };
                    cache.aget_or_set("key", Timeout::Forever, loader).await
                })
            };
            let caller = ask();
            rig.turns().await;
            if is_given_up {
                caller.abort();
            } else {
                rig.clock.pass(LOAD_DEADLINE + ms(10)).await;
                assert_eq!(finished(caller).await.expect_err("it hangs").kind(), ErrorKind::Deadline);
            }
            rig.is_at_rest().await;
            assert_eq!((hangs.begun(), hangs.alive()), (1, 0));
            assert!(rig.loads_anew("key").await);
        }
    }
}

/// The last share of it panics when it is dropped, if it is armed.
#[derive(Clone, Serialize, Deserialize)]
struct Explosive {
    name: String,
    #[serde(skip)]
    #[expect(dead_code, reason = "it is there to be dropped")]
    armed: Armed,
}

#[derive(Default)]
struct Armed(Arc<AtomicBool>);

/// A copy is harmless: only what the loader gave explodes.
impl Clone for Armed {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        assert!(!self.0.swap(false, Ordering::SeqCst), "the value panics as it is dropped");
    }
}

/// What is loaded is refused by what is there, so nobody gets it: it is dropped
/// by the load itself.
#[tokio::test]
async fn a_loaded_value_that_panics_when_it_is_dropped_keeps_nobody_waiting() {
    let rig = Rig::far();
    let fuse = Arc::new(AtomicBool::new(true));
    let source = Source::held();
    let ask = |patience| {
        let (cache, source, armed) = (rig.cache.clone(), source.clone(), Armed(Arc::clone(&fuse)));
        tokio::spawn(async move {
            let loader = || async move {
                source.run().await;
                Explosive { name: "loaded".to_owned(), armed }
            };
            cache.load("key").timeout(Timeout::Forever).load_deadline(patience).run(loader).await
        })
    };
    let claims = ask(LOAD_DEADLINE);
    rig.turns().await;
    // Its own deadline comes later than that of the load.
    let waits = {
        let cache = rig.cache.clone();
        tokio::spawn(async move {
            let own = || async { Explosive { name: "own".to_owned(), armed: Armed::default() } };
            cache.load("key").timeout(Timeout::Forever).load_deadline(10 * LOAD_DEADLINE).run(own).await
        })
    };
    rig.turns().await;
    assert_eq!(rig.cache.stats().load_waits, 1);
    // Another process stores something: the flight is not voided by it.
    let elsewhere =
        Cache::builder(Arc::<cache_testkit::Faulty>::clone(&rig.faulty)).clock(rig.time()).build();
    let there = Explosive { name: "there".to_owned(), armed: Armed::default() };
    elsewhere.aset("key", &there, Timeout::Forever).await.expect("a healthy store");
    source.let_go();
    rig.turns().await;
    assert!(!fuse.load(Ordering::SeqCst), "the loaded value has been dropped, and has panicked");
    // Not `finished`: were the call to spin, no assertion of ours would be reached.
    assert_eq!(rig.cache.stats().loading, 0);
    assert!(claims.is_finished() && waits.is_finished(), "they wait for a load that is over");
    for caller in [claims, waits] {
        match finished(caller).await {
            Ok(value) => assert_ne!(value.name, "loaded"),
            Err(error) => assert!(matches!(error.kind(), ErrorKind::Panicked | ErrorKind::Closed), "{error}"),
        }
    }
    rig.is_at_rest().await;
    let deleting = rig.cache.clone();
    finished(tokio::spawn(async move { deleting.adelete("key").await })).await.expect("a healthy store");
    assert_eq!(rig.faulty.begun(Call::Delete), 1);
}

/// It panics when it is decoded.
#[derive(Clone, Serialize)]
struct Fragile(String);

impl<'de> Deserialize<'de> for Fragile {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("the value panics as it is decoded");
    }
}

/// The load looks again since another has come and gone while its caller read,
/// and then once more since that one's value refuses its own.
#[tokio::test]
async fn what_panics_when_a_load_decodes_it_is_loaded() {
    for is_batch in [false, true] {
        let rig = Rig::far();
        let source = Source::open();
        let read = rig.faulty.on([Call::Get, Call::GetMany]).times(1).after().pause();
        let (cache, loads) = (rig.cache.clone(), source.clone());
        let caller = tokio::spawn(async move {
            let fragile = Fragile("loaded".to_owned());
            if is_batch {
                let loader = |_| async move {
                    loads.run().await;
                    HashMap::from([("key".to_owned(), fragile)])
                };
                let mut found = cache.get_or_set_many(["key"], Timeout::Forever, loader).await?;
                Ok(found.remove("key").expect("the loader has it"))
            } else {
                cache.aget_or_set("key", Timeout::Forever, loads.gives(fragile)).await
            }
        });
        read.reached(1).await;
        assert!(rig.loads_anew("key").await);
        let reads = rig.faulty.begun(Call::Get);
        read.open();
        let got: cache_core::Result<Arc<Fragile>> = finished(caller).await;
        assert_eq!(got.expect("a loader that works").0, "loaded");
        assert_eq!(source.begun(), 1);
        assert_eq!(rig.faulty.begun(Call::Get), reads + 2, "it has looked, and looked at what refused it");
        rig.is_at_rest().await;
        assert_eq!(
            rig.cache.aget::<String>("key").await.expect("a healthy store").as_deref(),
            Some("loaded"),
            "what panics has been written over"
        );
    }
}
