//! Batches that overlap, with one another and with loads of one key: each key
//! is loaded by one of them, and whoever asked for it gets it.

mod loads_many_rig;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::Arc;

use cache_core::{Cache, ErrorKind, Partial, Result, Timeout};
use tokio::task::JoinHandle;

use loads_many_rig::{Hold, Rig, Source, failures, loaded, never, never_one, sorted};

type Found = HashMap<String, Arc<String>>;
type Values = std::pin::Pin<Box<dyn Future<Output = HashMap<String, String>> + Send>>;

/// A batch in a task of its own.
fn batch<K: ToString>(
    cache: &Cache,
    keys: impl IntoIterator<Item = K>,
    loader: impl FnOnce(Vec<String>) -> Values + Send + 'static,
) -> JoinHandle<Result<Found>> {
    let cache = cache.clone();
    let keys: Vec<_> = keys.into_iter().map(|key| key.to_string()).collect();
    tokio::spawn(async move { cache.get_or_set_many(keys, Timeout::Default, loader).await })
}

/// A load of one key in a task of its own; its loader is let in at once.
fn single(cache: &Cache, key: &'static str, value: &'static str) -> JoinHandle<Result<Arc<String>>> {
    let cache = cache.clone();
    let loader = move || async move { value.to_owned() };
    tokio::spawn(async move { cache.aget_or_set(key, Timeout::Default, loader).await })
}

async fn had<T: Debug>(task: JoinHandle<Result<T>>) -> T {
    task.await.expect("no panic").expect("nothing fails")
}

fn unneeded() -> impl FnOnce(Vec<String>) -> Values + Send + 'static {
    |keys| Box::pin(never(keys))
}

async fn stored(rig: &Rig, key: &str) -> Option<String> {
    rig.elsewhere().aget(key).await.expect("memory answers")
}

async fn each_number_is_loaded_once() {
    let (rig, source, hold) = (Rig::new(), Source::new(), Hold::new());
    let cache = rig.cache();
    let ranges = [1..=100, 50..=150, 100..=200];
    let tasks = ranges.clone().map(|range| batch(&cache, range, source.held(&hold)));
    // Of 302 keys that are asked for, 102 are another's by then. On many threads
    // the others may come first, and leave nothing to the one between them.
    while cache.stats().load_waits < 102 || cache.stats().loading < 200 {
        tokio::task::yield_now().await;
    }
    // The last first, so that those who wait for others wait longest.
    (0..3).for_each(|_| hold.release());

    let mut shared: BTreeMap<String, Vec<Arc<String>>> = BTreeMap::new();
    for (range, task) in ranges.into_iter().zip(tasks) {
        let found = had(task).await;
        assert_eq!(found.len(), range.clone().count(), "a batch gets all its keys");
        for number in range {
            let value = &found[&number.to_string()];
            assert_eq!(**value, loaded(&number.to_string()));
            shared.entry(number.to_string()).or_default().push(Arc::clone(value));
        }
    }
    for (key, values) in shared {
        assert!(values.iter().all(|value| Arc::ptr_eq(value, &values[0])), "the value of {key} is shared");
    }
    let asked: Vec<_> = source.asked().concat();
    let mut once = asked.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!((asked.len(), once.len()), (200, 200), "each is loaded once");
    let stats = cache.stats();
    assert!((2..=3).contains(&stats.loads) && source.asked().len() <= 3);
    assert_eq!((stats.load_waits, stats.writes, stats.loading), (102, 200, 0));
}

#[tokio::test]
async fn each_key_of_batches_that_overlap_is_loaded_once() {
    each_number_is_loaded_once().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_key_of_batches_that_overlap_is_loaded_once_on_many_threads() {
    for _ in 0..20 {
        each_number_is_loaded_once().await;
    }
}

#[tokio::test]
async fn a_batch_waits_for_the_key_that_a_single_load_has_begun() {
    let (rig, source) = (Rig::new(), Source::new());
    let (of_single, of_batch) = (Hold::new(), Hold::new());
    let cache = rig.cache();
    let (own, hold) = (cache.clone(), of_single.clone());
    let one = tokio::spawn(async move {
        let loader = || async move {
            hold.pass().await;
            "by the single".to_owned()
        };
        own.aget_or_set("b", Timeout::Default, loader).await
    });
    of_single.reached().await;
    let many = batch(&cache, ["a", "b", "c"], source.held(&of_batch));
    of_batch.reached().await;
    assert_eq!(source.asked(), [["a", "c"]]);
    of_batch.release();
    rig.settle().await;
    assert!(!many.is_finished(), "one of its keys is not there yet");
    assert_eq!(stored(&rig, "a").await, Some(loaded("a")), "what is loaded is stored without waiting for it");
    of_single.release();
    let (one, many) = (had(one).await, had(many).await);
    assert_eq!(sorted(&many), [("a", "loaded a"), ("b", "by the single"), ("c", "loaded c")]);
    assert!(Arc::ptr_eq(&one, &many["b"]));
    assert_eq!(cache.stats().load_waits, 1);
}

#[tokio::test]
async fn a_single_load_waits_for_the_batch_that_has_begun_with_its_key() {
    let (rig, source, hold) = (Rig::new(), Source::new(), Hold::new());
    let cache = rig.cache();
    let many = batch(&cache, ["a", "b", "c"], source.held(&hold));
    hold.reached().await;
    let own = cache.clone();
    let one = tokio::spawn(async move { own.aget_or_set("b", Timeout::Default, never_one).await });
    rig.settle().await;
    assert!(!one.is_finished());
    hold.release();
    let (one, many) = (had(one).await, had(many).await);
    assert_eq!(*one, loaded("b"));
    assert!(Arc::ptr_eq(&one, &many["b"]));
    assert_eq!((cache.stats().loads, cache.stats().load_waits), (1, 1));
}

#[tokio::test]
async fn a_single_load_runs_its_own_loader_for_what_the_batch_leaves_out() {
    let (rig, source, hold) = (Rig::new(), Source::new(), Hold::new());
    let cache = rig.cache();
    let many = batch(&cache, ["a", "b"], source.held_without(&hold, &["b"]));
    hold.reached().await;
    let (first, second) = (single(&cache, "b", "by a single"), single(&cache, "b", "by a single"));
    rig.settle().await;
    hold.release();
    assert_eq!(sorted(&had(many).await), [("a", "loaded a")]);
    let (first, second) = (had(first).await, had(second).await);
    assert_eq!(*first, "by a single");
    assert!(Arc::ptr_eq(&first, &second), "one loads for the other");
    assert_eq!(cache.stats().loads, 2);
    assert_eq!(stored(&rig, "b").await.as_deref(), Some("by a single"));
}

#[tokio::test]
async fn a_batch_whose_loader_has_not_run_loads_what_the_other_leaves_out() {
    let (rig, source, hold) = (Rig::new(), Source::new(), Hold::new());
    let cache = rig.cache();
    let first = batch(&cache, ["a", "b", "c"], source.held_without(&hold, &["a", "c"]));
    hold.reached().await;
    let second = batch(&cache, ["c", "b", "a", "c"], source.held(&hold));
    rig.settle().await;
    assert_eq!(source.asked().len(), 1);
    hold.release();
    hold.release();
    assert_eq!(sorted(&had(first).await), [("b", "loaded b")]);
    assert_eq!(had(second).await.len(), 3);
    assert_eq!(source.asked(), [vec!["a", "b", "c"], vec!["c", "a"]]);
}

/// As a read of it would have been: a miss that is counted, and loaded if the
/// loader has not run for the rest.
#[tokio::test]
async fn a_batch_loads_what_another_loads_as_another_type() {
    let (rig, hold) = (Rig::new(), Hold::new());
    let cache = rig.cache();
    let texts = batch(&cache, ["a"], Source::new().held(&hold));
    hold.reached().await;
    let waiting = [vec!["a"], vec!["a", "b"]].map(|keys| {
        let cache = cache.clone();
        tokio::spawn(async move {
            let loader = async |missing: Vec<String>| missing.into_iter().map(|key| (key, 7_i64)).collect();
            cache.get_or_set_many(keys, Timeout::Default, loader).await
        })
    });
    rig.settle().await;
    assert_eq!((cache.stats().load_waits, cache.stats().misses), (2, 4));
    hold.release();
    assert_eq!(sorted(&had(texts).await), [("a", "loaded a")]);
    let [alone, beside]: [HashMap<_, Arc<i64>>; 2] = {
        let [alone, beside] = waiting;
        [had(alone).await, had(beside).await]
    };
    assert_eq!((alone.len(), alone.get("a").map(|value| **value)), (1, Some(7)));
    assert_eq!((beside.len(), beside.get("b").map(|value| **value)), (1, Some(7)), "its loader has run");
    let stats = cache.stats();
    assert_eq!((stats.loads, stats.misses), (3, 6));
    assert_eq!(stats.undecodable.iter().map(|(_, times)| times).sum::<u64>(), 2);
}

#[tokio::test]
async fn a_batch_whose_loader_has_run_goes_without_what_the_other_leaves_out() {
    let (rig, source) = (Rig::new(), Source::new());
    let (of_first, of_second) = (Hold::new(), Hold::new());
    let cache = rig.cache();
    let first = batch(&cache, ["a", "b"], source.held_without(&of_first, &["b"]));
    of_first.reached().await;
    let second = batch(&cache, ["b", "c"], source.held(&of_second));
    of_second.reached().await;
    of_first.release();
    of_second.release();
    assert_eq!(sorted(&had(first).await), [("a", "loaded a")]);
    assert_eq!(sorted(&had(second).await), [("c", "loaded c")]);
    assert_eq!((cache.stats().loads, cache.stats().loading), (2, 0));
}

/// Nobody has a value, and each waits for what another leaves out.
#[tokio::test]
async fn batches_that_wait_for_what_nobody_has_end() {
    let (rig, source, hold) = (Rig::new(), Source::new(), Hold::new());
    let cache = rig.cache();
    let nothing = || source.held_without(&hold, &["a", "b"]);
    let mut tasks = vec![batch(&cache, ["a"], nothing()), batch(&cache, ["b"], nothing())];
    hold.reached().await;
    hold.reached().await;
    for keys in [["a", "b"], ["b", "a"], ["a", "b"]] {
        tasks.push(batch(&cache, keys, nothing()));
    }
    rig.settle().await;
    // One after the other finds out for itself.
    (0..8).for_each(|_| hold.release());
    for task in tasks {
        assert!(had(task).await.is_empty());
    }
    let asked: usize = source.asked().iter().map(Vec::len).sum();
    assert_eq!((asked, cache.stats().loading), (8, 0), "each asks once for each of its keys");
}

#[tokio::test]
async fn a_batch_that_fails_fails_others_only_for_what_it_was_to_load() {
    let (rig, source) = (Rig::new(), Source::new());
    let (of_failing, of_other) = (Hold::new(), Hold::new());
    let cache = rig.cache();
    let (own, hold) = (cache.clone(), of_failing.clone());
    let failing = tokio::spawn(async move {
        let fails = |_: Vec<String>| async move {
            hold.pass().await;
            Err::<HashMap<String, String>, _>(std::io::Error::other("the database is down"))
        };
        own.get_or_try_set_many(["a", "b"], Timeout::Default, fails).await
    });
    of_failing.reached().await;
    let other = batch(&cache, ["b", "c", "d"], source.held(&of_other));
    let single = single(&cache, "b", "unneeded");
    of_other.reached().await;
    let (own, loader) = (cache.clone(), source.try_loader());
    let partial = tokio::spawn(async move { own.load_many(["d", "a"]).try_run_partial(loader).await });
    rig.settle().await;
    of_failing.release();
    of_other.release();

    let error = failing.await.expect("no panic").expect_err("it fails");
    assert_eq!(failures(&error), [(0, ErrorKind::Load), (1, ErrorKind::Load)]);
    let error = other.await.expect("no panic").expect_err("one of its keys failed");
    assert_eq!(failures(&error), [(0, ErrorKind::Load)]);
    assert!(error.failures()[0].1.loader_error::<std::io::Error>().is_some());
    let error = single.await.expect("no panic").expect_err("its key failed");
    assert_eq!(error.kind(), ErrorKind::Load);
    let Partial { found, failed, .. } = had(partial).await;
    assert_eq!(sorted(&found), [("d", "loaded d")]);
    assert_eq!((failed.len(), failed[0].0, failed[0].1.kind()), (1, "a", ErrorKind::Load));

    assert_eq!(source.asked(), [["c", "d"]], "who has waited for a failure does not try again");
    assert_eq!(stored(&rig, "c").await, Some(loaded("c")));
    assert_eq!(cache.stats().loads_failed, 1);
}

/// What nobody wants any more is neither given to those who come later nor stored.
#[tokio::test]
async fn of_a_dropped_batch_what_a_single_waits_for_is_loaded_and_the_rest_is_given_up() {
    let (rig, source, hold) = (Rig::new(), Source::new(), Hold::new());
    let cache = rig.cache();
    let many = batch(&cache, ["a", "b", "c"], source.held(&hold));
    hold.reached().await;
    let own = cache.clone();
    let waits = tokio::spawn(async move { own.aget_or_set("b", Timeout::Default, never_one).await });
    rig.settle().await;
    many.abort();
    rig.settle().await;
    assert_eq!((hold.inside(), cache.stats().loading), (1, 1), "somebody wants one key of it");
    let later = had(single(&cache, "a", "by a later caller")).await;
    assert_eq!(*later, "by a later caller");
    hold.release();
    assert_eq!(*had(waits).await, loaded("b"));
    assert_eq!(stored(&rig, "a").await.as_deref(), Some("by a later caller"));
    assert_eq!(stored(&rig, "b").await, Some(loaded("b")));
    assert_eq!(stored(&rig, "c").await, None);
    assert_eq!((cache.stats().loading, cache.stats().loads), (0, 2));
}

/// `loads_voided` is documented as writes, deletes and clears that came meanwhile.
#[tokio::test]
async fn what_is_given_up_is_not_counted_as_voided() {
    let (rig, source, hold) = (Rig::new(), Source::new(), Hold::new());
    let cache = rig.cache();
    let many = batch(&cache, ["a", "b"], source.held(&hold));
    hold.reached().await;
    let waits = single(&cache, "b", "unneeded");
    rig.settle().await;
    many.abort();
    rig.settle().await;
    hold.release();
    had(waits).await;
    assert_eq!(cache.stats().loads_voided, 0);
}

#[tokio::test]
async fn when_all_who_wait_are_dropped_the_loader_is() {
    let (rig, source, hold) = (Rig::new(), Source::new(), Hold::new());
    let cache = rig.cache();
    let first = batch(&cache, ["a", "b", "c"], source.held(&hold));
    hold.reached().await;
    let second = batch(&cache, ["b", "c"], unneeded());
    let third = single(&cache, "c", "unneeded");
    rig.settle().await;
    first.abort();
    third.abort();
    rig.settle().await;
    assert_eq!((hold.inside(), cache.stats().loading), (1, 2));
    second.abort();
    rig.settle().await;
    assert_eq!((hold.inside(), cache.stats().loading), (0, 0));
    let found = had(batch(&cache, ["c", "b", "a"], {
        let loader = source.loader();
        |keys| Box::pin(loader(keys))
    }));
    assert_eq!(found.await.len(), 3);
    assert_eq!(source.asked(), [["a", "b", "c"], ["c", "b", "a"]]);
}
