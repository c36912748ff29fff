//! What a loader and its callers may say: types, lives, and whether to store.

mod loads_rig;

use std::collections::HashMap;
use std::time::Duration;

use cache_core::{Cache, ErrorKind, Life, Loaded, OnDecodeError, Timeout};
use serde::{Deserialize, Deserializer, Serialize, de};

use loads_rig::{Rig, Source, finished, near_and_far};

const MINUTE: Duration = Duration::from_mins(1);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Person {
    name: String,
    born: u16,
}

/// The same as far as a codec can tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Named {
    name: String,
}

fn ada() -> Person {
    Person { name: "Ada".to_owned(), born: 1815 }
}

#[tokio::test]
async fn a_waiter_of_another_type_gets_the_value_through_the_codec() {
    for rig in near_and_far() {
        let (source, own) = (Source::held(), Source::open());
        let person = rig.spawn("key", &source, ada());
        rig.turns().await;
        let named = rig.spawn("key", &own, Named { name: "own".to_owned() });
        rig.turns().await;
        source.let_go();
        assert_eq!(*finished(person).await.expect("a loader that works"), ada());
        assert_eq!(finished(named).await.expect("it fits").name, "Ada");
        assert_eq!((own.begun(), rig.cache.stats().load_waits), (0, 1));
        assert_eq!(rig.cache.stats().undecodable, []);
        rig.is_at_rest().await;
    }
}

#[tokio::test]
async fn a_waiter_whom_the_value_does_not_fit_loads_by_itself() {
    for rig in near_and_far() {
        let (source, own) = (Source::held(), Source::open());
        let person = rig.spawn("key", &source, ada());
        rig.turns().await;
        let number = rig.spawn("key", &own, 7_i64);
        rig.turns().await;
        source.let_go();
        assert_eq!(*finished(person).await.expect("a loader that works"), ada());
        assert_eq!(*finished(number).await.expect("its own loader works"), 7);
        assert_eq!(own.begun(), 1);
        rig.is_at_rest().await;
        let stats = rig.cache.stats();
        assert_eq!(
            stats.undecodable.iter().map(|(_, count)| count).sum::<u64>(),
            1,
            "{:?}",
            stats.undecodable
        );
        // What does not fit is overwritten, as it is by one who comes later.
        assert_eq!(rig.cache.aget::<i64>("key").await.expect("a healthy store"), Some(7));
    }
}

#[tokio::test]
async fn a_waiter_whom_the_value_does_not_fit_fails_if_the_alias_says_so() {
    for is_far in [false, true] {
        let rig = Rig::with(is_far, |builder| builder.on_decode_error(OnDecodeError::Error));
        let (source, own) = (Source::held(), Source::open());
        let person = rig.spawn("key", &source, ada());
        rig.turns().await;
        let number = rig.spawn("key", &own, 7_i64);
        rig.turns().await;
        source.let_go();
        finished(person).await.expect("a loader that works");
        assert_eq!(finished(number).await.expect_err("it does not fit").kind(), ErrorKind::Codec);
        assert_eq!(own.begun(), 0);
        assert_eq!(rig.cache.aget::<Person>("key").await.expect("a healthy store"), Some(ada()));
        rig.is_at_rest().await;
    }
}

#[tokio::test]
async fn integers_are_shared_between_types_that_hold_them() {
    for rig in near_and_far() {
        let (source, own) = (Source::held(), Source::open());
        let small = rig.spawn("key", &source, 200_u8);
        rig.turns().await;
        let large = rig.spawn("key", &own, 1_i64);
        let some = rig.spawn("key", &own, Some(1_u32));
        let text = rig.spawn("key", &own, "none".to_owned());
        let tiny = rig.spawn("key", &own, 1_i8);
        rig.turns().await;
        assert_eq!(rig.cache.stats().load_waits, 4);
        source.let_go();
        assert_eq!(*finished(small).await.expect("a loader that works"), 200);
        assert_eq!(*finished(large).await.expect("it fits"), 200);
        assert_eq!(*finished(some).await.expect("it fits"), Some(200));
        // Neither of these is 200, and each is what its own loader says, or the other's.
        assert_eq!(*finished(text).await.expect("its own loader works"), "none");
        assert_eq!(*finished(tiny).await.expect("its own loader works"), 1);
        assert_eq!(own.begun(), 2);
        rig.is_at_rest().await;
        rig.cache.adelete("key").await.expect("a healthy store");
        rig.spawn("key", &Source::open(), 5_u16).await.expect("no panic").expect("a loader that works");
        assert_eq!(rig.cache.aincr("key", 1).await.expect("it is a counter"), 6);
    }
}

#[tokio::test]
async fn a_loaded_none_is_a_hit() {
    for rig in near_and_far() {
        let source = Source::open();
        for _ in 0..3 {
            let answer = finished(rig.spawn("key", &source, None::<String>)).await;
            assert_eq!(*answer.expect("a loader that works"), None);
        }
        assert_eq!(source.begun(), 1);
        assert_eq!(rig.cache.aget::<Option<String>>("key").await.expect("healthy"), Some(None));
        rig.is_at_rest().await;
        assert_eq!((rig.cache.stats().hits, rig.cache.stats().misses), (3, 1));
    }
}

/// The life of what a loader said that was asked with a timeout of a minute.
async fn life_of(cache: &Cache, said: Loaded<Option<u8>>) -> Option<Life> {
    cache.adelete("key").await.expect("a healthy store");
    let load = cache.load("key").timeout(MINUTE).run(move || async move { said });
    load.await.expect("a loader that works");
    cache.alife("key").await.expect("a healthy store")
}

#[tokio::test]
async fn a_loader_says_how_long_its_value_lives() {
    for rig in near_and_far() {
        let cache = &rig.cache;
        let of = |seconds| Some(Life::For(Duration::from_secs(seconds)));
        let short = Duration::from_secs(5);
        assert_eq!(life_of(cache, Loaded::new(None)).await, of(60));
        assert_eq!(life_of(cache, Loaded::new(None).timeout(2 * MINUTE)).await, of(120));
        assert_eq!(life_of(cache, Loaded::new(None).timeout(Timeout::Default)).await, of(300));
        let forever = Loaded::new(None).timeout(Timeout::Forever);
        assert_eq!(life_of(cache, forever).await, Some(Life::Forever));
        assert_eq!(life_of(cache, Loaded::new(None).none_for(short)).await, of(5));
        assert_eq!(life_of(cache, Loaded::new(Some(1)).none_for(short)).await, of(60));
        assert_eq!(life_of(cache, Loaded::not_stored(None)).await, None);
        assert_eq!(life_of(cache, Loaded::not_stored(Some(1)).none_for(short)).await, None);
        assert_eq!(life_of(cache, Loaded::new(None).timeout(Duration::ZERO)).await, None);
        assert_eq!(life_of(cache, Loaded::new(None).none_for(Duration::ZERO)).await, None);
        rig.is_at_rest().await;
    }
}

#[tokio::test]
async fn a_batch_says_it_of_each_value() {
    for rig in near_and_far() {
        let loader = |_| async {
            HashMap::from([
                ("short".to_owned(), Loaded::new(Some(1)).timeout(Duration::from_secs(3))),
                ("asked".to_owned(), Loaded::new(Some(2)).none_for(Duration::from_secs(3))),
                ("not".to_owned(), Loaded::not_stored(Some(3))),
                ("none".to_owned(), Loaded::new(None).none_for(Duration::from_secs(7))),
            ])
        };
        let found = rig.cache.load_many(["short", "asked", "not", "none"]).timeout(MINUTE).run(loader).await;
        let found = found.expect("a loader that works");
        assert_eq!(
            ["short", "asked", "not", "none"].map(|key| *found[key]),
            [Some(1), Some(2), Some(3), None]
        );
        let mut lives = Vec::new();
        for key in ["short", "asked", "not", "none"] {
            lives.push(rig.cache.alife(key).await.expect("a healthy store"));
        }
        let of = |seconds| Some(Life::For(Duration::from_secs(seconds)));
        assert_eq!(lives, [of(3), of(60), None, of(7)]);
        rig.is_at_rest().await;
    }
}

#[tokio::test]
async fn what_is_not_to_be_stored_is_given_to_all_who_wait_and_to_nobody_else() {
    for rig in near_and_far() {
        for by_caller in [true, false] {
            let source = Source::held();
            let ask = || {
                let (cache, source) = (rig.cache.clone(), source.clone());
                let timeout = if by_caller { Timeout::After(Duration::ZERO) } else { Timeout::Forever };
                tokio::spawn(async move {
                    let loader = move || async move {
                        source.run().await;
                        let value = "seen once".to_owned();
                        if by_caller { Loaded::new(value) } else { Loaded::not_stored(value) }
                    };
                    cache.load("key").timeout(timeout).run(loader).await
                })
            };
            let callers = [ask(), ask(), ask()];
            rig.turns().await;
            source.let_go();
            for caller in callers {
                assert_eq!(*finished(caller).await.expect("a loader that works"), "seen once");
            }
            assert_eq!(source.begun(), 1);
            assert_eq!(rig.cache.aget::<String>("key").await.expect("a healthy store"), None);
            assert!(rig.loads_anew("key").await);
            rig.cache.adelete("key").await.expect("a healthy store");
            rig.is_at_rest().await;
        }
        let stats = rig.cache.stats();
        assert_eq!((stats.loads_voided, stats.publishes_refused, stats.publishes_failed), (0, 0, 0));
    }
}

/// Of a life of a minute; a hundred lives that are all the same are no chance.
async fn lives(rig: &Rig, jitter: Option<f64>) -> Vec<Duration> {
    let mut lives = Vec::new();
    for _ in 0..100 {
        rig.cache.adelete("key").await.expect("a healthy store");
        let load = rig.cache.load("key").timeout(MINUTE);
        let load = jitter.map_or(load, |share| load.jitter(share));
        load.run(|| async { 1 }).await.expect("a loader that works");
        match rig.cache.alife("key").await.expect("a healthy store") {
            Some(Life::For(life)) => lives.push(life),
            other => panic!("{other:?}"),
        }
    }
    lives.sort_unstable();
    lives
}

#[tokio::test]
async fn jitter_is_taken_off_the_life_by_the_call_or_else_by_the_alias() {
    for is_far in [false, true] {
        let rig = Rig::with(is_far, |builder| builder.jitter(0.5));
        let of_alias = lives(&rig, None).await;
        assert!(of_alias[0] < 50 * MINUTE / 60 && of_alias[0] >= MINUTE / 2, "{:?}", of_alias[0]);
        let of_call = lives(&rig, Some(0.1)).await;
        assert!(of_call[0] >= 54 * MINUTE / 60 && of_call[0] < of_call[99], "{:?}", of_call[0]);
        assert_eq!(lives(&rig, Some(0.0)).await, [MINUTE; 100]);
    }
}

#[tokio::test]
async fn what_a_loader_says_of_a_life_it_may_say_in_either_order() {
    for rig in near_and_far() {
        let cache = &rig.cache;
        let of = |seconds| Some(Life::For(Duration::from_secs(seconds)));
        let (short, long) = (Duration::from_secs(5), 2 * MINUTE);
        assert_eq!(life_of(cache, Loaded::new(None).none_for(short).timeout(long)).await, of(5));
        assert_eq!(life_of(cache, Loaded::new(None).timeout(long).none_for(short)).await, of(5));
        assert_eq!(life_of(cache, Loaded::new(Some(1)).none_for(short).timeout(long)).await, of(120));
        assert_eq!(life_of(cache, Loaded::new(Some(1)).timeout(long).none_for(short)).await, of(120));
        // Of the same word the last holds.
        assert_eq!(life_of(cache, Loaded::new(Some(1)).timeout(short).timeout(long)).await, of(120));
        assert_eq!(life_of(cache, Loaded::new(None).none_for(short).none_for(long)).await, of(120));
        // What is not to be stored is not, whatever else is said.
        assert_eq!(life_of(cache, Loaded::not_stored(None).none_for(short).timeout(long)).await, None);
        assert_eq!(life_of(cache, Loaded::not_stored(None).timeout(long).none_for(short)).await, None);
        assert_eq!(life_of(cache, Loaded::not_stored(Some(1)).timeout(Timeout::Forever)).await, None);
        rig.is_at_rest().await;
    }
}

/// Some of them do not survive their own serde form, which is an integer.
#[derive(Clone, Debug, PartialEq)]
struct Natural(i64);

impl Serialize for Natural {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for Natural {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        if number < 0 { Err(de::Error::custom("it is negative")) } else { Ok(Self(number)) }
    }
}

#[tokio::test]
async fn a_value_that_its_own_type_refuses_is_an_error_of_the_codec() {
    for rig in near_and_far() {
        let cache = &rig.cache;
        let one = cache.aget_or_set("key", Timeout::Forever, || async { Natural(-1) }).await;
        assert_eq!(one.expect_err("it is refused").kind(), ErrorKind::Codec);

        let loader = |missing: Vec<String>| async {
            let number = |key: String| {
                let number = if key == "bad" { -1 } else { 1 };
                (key, Natural(number))
            };
            missing.into_iter().map(number).collect::<HashMap<_, _>>()
        };
        let many = cache.get_or_set_many(["good", "bad"], Timeout::Forever, loader).await;
        let many = many.expect_err("one is refused");
        let failed: Vec<_> = many.failures().iter().map(|(at, error)| (*at, error.kind())).collect();
        assert_eq!(failed, [(1, ErrorKind::Codec)]);
        let good = cache.aget::<Natural>("good").await.expect("a healthy store");
        assert_eq!(good, Some(Natural(1)), "it fails alone");
        rig.is_at_rest().await;
    }
}

/// Keys are user data, and a `Debug` ends up in logs.
#[test]
fn what_is_about_to_be_loaded_does_not_show_its_keys() {
    let rig = Rig::near();
    let one = rig.cache.load("secret").timeout(MINUTE);
    let many = rig.cache.load_many(["secret", "more secret"]).timeout(MINUTE);
    for text in [format!("{one:?}"), format!("{one:#?}"), format!("{many:?}"), format!("{many:#?}")] {
        assert!(text.starts_with("Load") && !text.contains("secret"), "{text}");
    }
}
