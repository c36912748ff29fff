//! Loads: what is missing is loaded once for all who ask, and stored.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cache_core::{Cache, ErrorKind, Life, Loaded, Timeout};
use futures::future::try_join_all;

use crate::bench::Bench;
use crate::case::cases;
use crate::failure::Outcome;
use crate::samples::User;

cases! {
    "loads":
    [] => a_miss_is_loaded, a_batch_is_loaded, no_keys_are_nothing_to_load, the_error_of_a_loader_is_told,
        a_loader_that_asks_for_its_own_key_is_told;
    [Stores] => what_is_loaded_is_stored, a_hit_is_not_loaded, the_life_is_the_callers,
        a_short_life_ends, the_life_is_the_loaders, zero_is_not_stored, a_loaded_integer_is_a_counter,
        a_loaded_none_is_a_hit, those_who_ask_at_once_share_a_load, an_error_stores_nothing,
        what_the_type_can_hold_is_not_loaded, what_the_type_cannot_hold_is_loaded_and_replaced,
        a_batch_loads_only_what_is_missing, what_a_batch_leaves_out_stays_missing,
        loaded_integers_of_a_batch_are_counters, versions_are_loaded_apart;
    [StoresNothing] => a_store_that_keeps_nothing_loads_each_time;
}

/// How often it was called, shared by the loaders of a case.
#[derive(Clone, Default)]
struct Calls(Arc<AtomicUsize>);

impl Calls {
    /// A loader of this value.
    fn loader<T: Send + 'static>(&self, value: T) -> impl FnOnce() -> std::future::Ready<T> + Send + 'static {
        let calls = self.clone();
        move || {
            calls.0.fetch_add(1, Ordering::SeqCst);
            std::future::ready(value)
        }
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A loader that has this for each key: the key itself.
pub(super) async fn echo(missing: Vec<String>) -> HashMap<String, String> {
    missing.into_iter().map(|key| (key.clone(), key)).collect()
}

pub(super) async fn text(cache: &Cache, key: &str) -> cache_core::Result<Option<String>> {
    cache.aget(key).await
}

async fn a_miss_is_loaded(bench: Bench) -> Outcome {
    let (cache, calls) = (bench.cache(), Calls::default());
    let user = cache.aget_or_set("user", Timeout::Default, calls.loader(User::ada())).await?;
    assert_eq!((*user).clone(), User::ada());
    assert_eq!((calls.count(), cache.stats().loads, cache.stats().loading), (1, 1, 0));
    Ok(())
}

async fn a_batch_is_loaded(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let keys: Vec<_> = (0..250).map(|number| format!("key {number}")).collect();
    let found = cache.get_or_set_many(&keys, Timeout::Default, echo).await?;
    assert_eq!(found.len(), keys.len());
    assert!(found.iter().all(|(key, value)| **key == **value));
    assert_eq!((cache.stats().loads, cache.stats().loading), (1, 0));
    Ok(())
}

async fn no_keys_are_nothing_to_load(bench: Bench) -> Outcome {
    let cache = bench.cache();
    assert!(cache.get_or_set_many(Vec::<String>::new(), Timeout::Default, echo).await?.is_empty());
    assert_eq!(cache.stats().loads, 0);
    Ok(())
}

async fn the_error_of_a_loader_is_told(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let fails = || async { "many".parse::<u16>() };
    let Err(error) = cache.aget_or_try_set("port", Timeout::Default, fails).await else {
        panic!("the loader fails");
    };
    assert_eq!(error.kind(), ErrorKind::Load);
    assert!(error.loader_error::<std::num::ParseIntError>().is_some());
    let fails = |_| async { "many".parse::<u16>().map(|_| HashMap::<String, u16>::new()) };
    let Err(error) = cache.get_or_try_set_many(["a", "b"], Timeout::Default, fails).await else {
        panic!("the loader fails");
    };
    let failed: Vec<_> = error.failures().iter().map(|(position, error)| (*position, error.kind())).collect();
    assert_eq!(failed, [(0, ErrorKind::Load), (1, ErrorKind::Load)]);
    Ok(())
}

async fn a_loader_that_asks_for_its_own_key_is_told(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let inner = cache.clone();
    let asks =
        || async move { inner.aget_or_set("key", Timeout::Default, || async { 1 }).await.map(|one| *one) };
    let Err(error) = cache.aget_or_try_set("key", Timeout::Default, asks).await else {
        panic!("it would wait for itself");
    };
    assert_eq!(error.kind(), ErrorKind::Recursion);
    Ok(())
}

async fn what_is_loaded_is_stored(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aget_or_set("user", Timeout::Default, || async { User::ada() }).await?;
    assert_eq!(cache.aget("user").await?, Some(User::ada()));
    assert_eq!(bench.cache().aget("user").await?, Some(User::ada()), "for everybody");
    assert_eq!(cache.stats().writes, 1);
    Ok(())
}

async fn a_hit_is_not_loaded(bench: Bench) -> Outcome {
    let (cache, calls) = (bench.cache(), Calls::default());
    cache.aset("a", "there", Timeout::Default).await?;
    for _ in 0..2 {
        let found = cache.aget_or_set("a", Timeout::Default, calls.loader("loaded".to_owned())).await?;
        assert_eq!(*found, "there");
        let found = cache.get_or_set_many(["a", "a"], Timeout::Default, echo).await?;
        assert_eq!((found.len(), found["a"].as_str()), (1, "there"));
    }
    assert_eq!((calls.count(), cache.stats().loads), (0, 0));
    Ok(())
}

async fn the_life_is_the_callers(bench: Bench) -> Outcome {
    let cache = bench.builder().timeout(Timeout::Forever).build();
    let hour = Duration::from_hours(1);
    cache.aget_or_set("default", Timeout::Default, || async { 1 }).await?;
    cache.aget_or_set("forever", Timeout::Forever, || async { 1 }).await?;
    cache.aget_or_set("hour", hour, || async { 1 }).await?;
    cache.get_or_set_many(["many 1", "many 2"], hour, echo).await?;
    assert_eq!(cache.alife("default").await?, Some(Life::Forever));
    assert_eq!(cache.alife("forever").await?, Some(Life::Forever));
    for key in ["hour", "many 1", "many 2"] {
        assert!(is_about(hour, cache.alife(key).await?, &bench), "{key}");
    }
    Ok(())
}

/// Whether it is so long, but for what has passed since, and for rounding.
fn is_about(expected: Duration, life: Option<Life>, bench: &Bench) -> bool {
    let slack = Duration::from_mins(1) + bench.capabilities().resolution;
    matches!(life, Some(Life::For(life)) if life.abs_diff(expected) <= slack)
}

async fn a_short_life_ends(bench: Bench) -> Outcome {
    let (cache, calls) = (bench.cache(), Calls::default());
    let mut span = bench.span(bench.short());
    cache.aget_or_set("a", bench.short(), calls.loader(1)).await?;
    cache.get_or_set_many(["b", "c"], bench.short(), echo).await?;
    span.passes().await;
    cache.aget_or_set("a", bench.short(), calls.loader(1)).await?;
    assert_eq!(calls.count(), 2);
    assert!(cache.get_many::<String, _>(["b", "c"]).await?.is_empty());
    Ok(())
}

async fn the_life_is_the_loaders(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let hour = Duration::from_hours(1);
    let answer = [
        ("forever", Loaded::new(Some(1)).timeout(Timeout::Forever)),
        ("not stored", Loaded::not_stored(Some(2))),
        ("none", Loaded::new(None).none_for(hour)),
        ("some", Loaded::new(Some(3)).none_for(Duration::ZERO)),
    ];
    for (key, loaded) in answer.clone() {
        cache.load(key).timeout(2 * hour).run(|| async { loaded }).await?;
    }
    let v2 = cache.at_version(2);
    let all = answer.map(|(key, loaded)| (key.to_owned(), loaded));
    let keys = all.clone().map(|(key, _)| key);
    v2.load_many(keys).timeout(2 * hour).run(|_| async { HashMap::from(all) }).await?;
    for cache in [cache, v2] {
        assert_eq!(cache.alife("forever").await?, Some(Life::Forever));
        assert_eq!(cache.alife("not stored").await?, None);
        assert!(is_about(hour, cache.alife("none").await?, &bench));
        assert!(is_about(2 * hour, cache.alife("some").await?, &bench));
    }
    Ok(())
}

async fn zero_is_not_stored(bench: Bench) -> Outcome {
    let (cache, calls) = (bench.cache(), Calls::default());
    for _ in 0..2 {
        assert_eq!(*cache.aget_or_set("a", Duration::ZERO, calls.loader(7)).await?, 7);
        assert_eq!(cache.get_or_set_many(["b", "c"], Duration::ZERO, echo).await?.len(), 2);
    }
    assert_eq!((calls.count(), cache.stats().loads), (2, 4));
    assert!(cache.get_many_any(["a", "b", "c"]).await?.is_empty());
    Ok(())
}

async fn a_loaded_integer_is_a_counter(bench: Bench) -> Outcome {
    let cache = bench.cache();
    assert_eq!(*cache.aget_or_set("count", Timeout::Forever, || async { 41_u8 }).await?, 41);
    assert_eq!(cache.aincr("count", 1).await?, 42);
    assert_eq!(*cache.aget_or_set("count", Timeout::Forever, || async { 0_i64 }).await?, 42);
    Ok(())
}

async fn a_loaded_none_is_a_hit(bench: Bench) -> Outcome {
    let (cache, calls) = (bench.cache(), Calls::default());
    for _ in 0..2 {
        let none = cache.aget_or_set("none", Timeout::Default, calls.loader(None::<String>)).await?;
        assert_eq!(*none, None);
    }
    assert_eq!(calls.count(), 1);
    assert_eq!(cache.aget::<Option<String>>("none").await?, Some(None));
    Ok(())
}

async fn those_who_ask_at_once_share_a_load(bench: Bench) -> Outcome {
    let cache = bench.cache();
    for round in 0..bench.scaled(10) {
        let calls = Calls::default();
        let keys = [format!("one {round}"), format!("two {round}")];
        let tasks = (0..16).map(|number| {
            let (cache, calls, keys) = (cache.clone(), calls.clone(), keys.clone());
            tokio::spawn(async move {
                if number % 4 == 0 {
                    let load = move |missing: Vec<String>| async move {
                        calls.0.fetch_add(missing.len(), Ordering::SeqCst);
                        tokio::task::yield_now().await;
                        missing.into_iter().map(|key| (key, number)).collect::<HashMap<_, _>>()
                    };
                    let found = cache.get_or_set_many(keys.clone(), Timeout::Forever, load).await?;
                    return Ok(*found[&keys[0]]);
                }
                let load = move || async move {
                    calls.0.fetch_add(1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    number
                };
                Ok::<_, cache_core::Error>(*cache.aget_or_set(&keys[0], Timeout::Forever, load).await?)
            })
        });
        let mut values = Vec::new();
        for value in try_join_all(tasks).await? {
            values.push(value?);
        }
        assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
        assert_eq!(calls.count(), 2, "each of the keys is loaded once");
    }
    Ok(())
}

async fn an_error_stores_nothing(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let fails = || async { "many".parse::<u16>() };
    assert!(cache.aget_or_try_set("a", Timeout::Default, fails).await.is_err());
    let fails = |_| async { "many".parse::<u16>().map(|one| HashMap::from([("b".to_owned(), one)])) };
    assert!(cache.get_or_try_set_many(["b", "c"], Timeout::Default, fails).await.is_err());
    assert!(cache.get_many_any(["a", "b", "c"]).await?.is_empty());
    assert_eq!(*cache.aget_or_try_set("a", Timeout::Default, || async { "1".parse::<u16>() }).await?, 1);
    Ok(())
}

async fn what_the_type_can_hold_is_not_loaded(bench: Bench) -> Outcome {
    let (cache, calls) = (bench.cache(), Calls::default());
    cache.aset("count", &7_u8, Timeout::Forever).await?;
    cache.aset("texts", &["a".to_owned(), "b".to_owned()], Timeout::Forever).await?;
    assert_eq!(*cache.aget_or_set("count", Timeout::Default, calls.loader(0_i64)).await?, 7);
    let texts = cache.aget_or_set("texts", Timeout::Default, calls.loader(Vec::<String>::new())).await?;
    assert_eq!(*texts, ["a", "b"]);
    assert_eq!(calls.count(), 0);
    assert_eq!(cache.alife("texts").await?, Some(Life::Forever), "and not stored anew");
    Ok(())
}

/// At once where the store has tokens. Where it has none it is removed first,
/// and the next load is stored.
async fn what_the_type_cannot_hold_is_loaded_and_replaced(bench: Bench) -> Outcome {
    let (cache, calls) = (bench.cache(), Calls::default());
    cache.set_many([("a", "text"), ("b", "text"), ("c", "text")], Timeout::Forever).await?;
    let loads = if bench.capabilities().tokens { 1 } else { 2 };
    for _ in 0..3 {
        assert_eq!(*cache.aget_or_set("a", Timeout::Forever, calls.loader(User::ada())).await?, User::ada());
        let users = |keys: Vec<String>| async { keys.into_iter().map(|key| (key, User::ada())).collect() };
        let found = cache.get_or_set_many(["b", "c", "new"], Timeout::Forever, users).await?;
        assert!(found.len() == 3 && found.values().all(|user| **user == User::ada()));
    }
    assert_eq!((calls.count(), cache.stats().loads), (loads, 2 * loads as u64));
    assert_eq!(cache.get_many::<User, _>(["a", "b", "c", "new"]).await?.len(), 4);
    Ok(())
}

async fn a_batch_loads_only_what_is_missing(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.set_many([("b", "there"), ("d", "there")], Timeout::Forever).await?;
    let load = |missing: Vec<String>| async {
        assert_eq!(missing, ["a", "c", "e"], "in their order");
        echo(missing).await
    };
    let found = cache.get_or_set_many(["a", "b", "c", "d", "e", "b", "c"], Timeout::Forever, load).await?;
    for (key, value) in [("a", "a"), ("b", "there"), ("c", "c"), ("d", "there"), ("e", "e")] {
        assert_eq!(*found[key], value);
        assert_eq!(text(&cache, key).await?.as_deref(), Some(value));
    }
    assert_eq!(found.len(), 5);
    Ok(())
}

async fn what_a_batch_leaves_out_stays_missing(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let load = |_| async { HashMap::from(["a", "extra"].map(|key| (key.to_owned(), 1))) };
    let found = cache.get_or_set_many(["a", "b", "c"], Timeout::Forever, load).await?;
    assert_eq!(found.into_keys().collect::<Vec<_>>(), ["a"]);
    let stored = cache.get_many::<i64, _>(["a", "b", "c", "extra"]).await?;
    assert_eq!(stored, HashMap::from([("a", 1)]));
    Ok(())
}

async fn loaded_integers_of_a_batch_are_counters(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let load = |keys: Vec<String>| async { keys.into_iter().zip(1_u8..).collect() };
    cache.get_or_set_many(["a", "b"], Timeout::Forever, load).await?;
    assert_eq!((cache.aincr("a", 1).await?, cache.aincr("b", 1).await?), (2, 3));
    Ok(())
}

async fn versions_are_loaded_apart(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let v2 = cache.at_version(2);
    let inner = v2.clone();
    // One loads within the other, so that both are under way at once.
    let first = || async move {
        inner.aget_or_set("key", Timeout::Forever, || async { 2 }).await.map(|two| *two - 1)
    };
    assert_eq!(*cache.aget_or_try_set("key", Timeout::Forever, first).await?, 1);
    assert_eq!((cache.aget("key").await?, v2.aget("key").await?), (Some(1), Some(2)));
    Ok(())
}

async fn a_store_that_keeps_nothing_loads_each_time(bench: Bench) -> Outcome {
    let (cache, calls) = (bench.cache(), Calls::default());
    for call in 1..3 {
        assert_eq!(*cache.aget_or_set("a", Timeout::Forever, calls.loader(7)).await?, 7);
        assert_eq!(cache.get_or_set_many(["b", "c"], Timeout::Forever, echo).await?.len(), 2);
        assert_eq!((calls.count(), cache.stats().loads), (call, 2 * call as u64));
    }
    assert_eq!((cache.stats().hits, cache.stats().publishes_failed), (0, 0));
    Ok(())
}
