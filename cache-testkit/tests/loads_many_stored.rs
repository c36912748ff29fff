//! What becomes of loaded values where something is there by then, or the store
//! does not take them.

mod loads_many_rig;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{Cache, ErrorKind, OnDecodeError, Result, Timeout};
use cache_testkit::Call;
use tokio::task::JoinHandle;

use loads_many_rig::{Hold, Rig, Source, failures, loaded, never, sorted};

const KEYS: [&str; 3] = ["a", "b", "c"];

type Found = HashMap<&'static str, Arc<String>>;

/// Loads the keys in a task of its own.
fn load(
    cache: &Cache,
    loader: impl FnOnce(Vec<String>) -> Values + Send + 'static,
) -> JoinHandle<Result<Found>> {
    let cache = cache.clone();
    tokio::spawn(async move { cache.get_or_set_many(KEYS, Timeout::Default, loader).await })
}

type Values = std::pin::Pin<Box<dyn Future<Output = HashMap<String, String>> + Send>>;

/// What is no text.
const STRANGE: (u8, u8) = (1, 2);

/// What others see under each key.
async fn stored(rig: &Rig) -> Vec<Option<String>> {
    let mut texts = Vec::new();
    for key in KEYS {
        texts.push(rig.elsewhere().aget(key).await.expect("memory answers"));
    }
    texts
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<Option<String>> {
    texts.map(|text| Some(text.to_owned())).to_vec()
}

#[tokio::test]
async fn what_came_meanwhile_is_kept_and_is_what_the_caller_gets() {
    for rig in [Rig::new(), Rig::without_tokens()] {
        let (cache, source, hold) = (rig.cache(), Source::new(), Hold::new());
        let task = load(&cache, source.held(&hold));
        hold.reached().await;
        rig.elsewhere().aset("b", "newer", Timeout::Forever).await.expect("memory takes it");
        hold.release();
        let found = task.await.expect("no panic").expect("nothing fails");
        assert_eq!(sorted(&found), [("a", "loaded a"), ("b", "newer"), ("c", "loaded c")]);
        assert_eq!(stored(&rig).await, texts(["loaded a", "newer", "loaded c"]));
        let stats = cache.stats();
        assert_eq!((stats.writes, stats.publishes_refused, stats.publishes_failed), (2, 1, 0));
    }
}

#[tokio::test]
async fn what_cannot_be_decoded_is_loaded_and_written_over() {
    let (rig, source) = (Rig::new(), Source::new());
    let cache = rig.cache();
    rig.elsewhere()
        .set_many([("a", &STRANGE), ("c", &STRANGE)], Timeout::Forever)
        .await
        .expect("it takes it");
    let found = cache.get_or_set_many(KEYS, Timeout::Default, source.loader()).await.expect("nothing fails");
    assert_eq!(sorted(&found).len(), 3);
    assert_eq!(source.asked(), [KEYS]);
    assert_eq!(stored(&rig).await, texts(["loaded a", "loaded b", "loaded c"]));
    let stats = cache.stats();
    assert_eq!((stats.writes, stats.publishes_refused), (3, 0));
    assert_eq!(stats.undecodable.iter().map(|(_, count)| count).sum::<u64>(), 2, "once for each");
    // Those that are free, then what is there, then those that were not.
    let begun = |call| rig.faulty.begun(call);
    assert_eq!((begun(Call::GetMany), begun(Call::SetMany)), (2, 2));
    assert_eq!(rig.faulty.begun_in_all(), 4);
}

#[tokio::test]
async fn what_cannot_be_decoded_is_written_over_only_if_it_is_unchanged() {
    let (rig, source) = (Rig::new(), Source::new());
    let cache = rig.cache();
    let elsewhere = rig.elsewhere();
    elsewhere.aset("b", &STRANGE, Timeout::Forever).await.expect("memory takes it");
    // The only write of one key is the one in place of what is strange.
    let gate = rig.faulty.on([Call::Set]).pause();
    let loader = source.loader();
    let task = load(&cache, |keys| Box::pin(loader(keys)));
    gate.reached(1).await;
    // Strange again, but another.
    elsewhere.aset("b", &(3_u8, 4_u8), Timeout::Forever).await.expect("memory takes it");
    gate.release(0);
    gate.reached(2).await;
    elsewhere.aset("b", "newer", Timeout::Forever).await.expect("memory takes it");
    gate.release(0);
    let found = task.await.expect("no panic").expect("nothing fails");
    assert_eq!(sorted(&found), [("a", "loaded a"), ("b", "newer"), ("c", "loaded c")]);
    assert_eq!(stored(&rig).await, texts(["loaded a", "newer", "loaded c"]));
    assert_eq!((cache.stats().writes, cache.stats().publishes_refused), (2, 1));
}

#[tokio::test]
async fn without_tokens_what_cannot_be_decoded_is_removed_and_stored_by_the_next_load() {
    let (rig, source) = (Rig::without_tokens(), Source::new());
    let cache = rig.cache();
    rig.elsewhere().aset("b", &STRANGE, Timeout::Forever).await.expect("memory takes it");
    let found = cache.get_or_set_many(KEYS, Timeout::Default, source.loader()).await.expect("nothing fails");
    assert_eq!(sorted(&found), [("a", "loaded a"), ("b", "loaded b"), ("c", "loaded c")]);
    assert_eq!(stored(&rig).await, [Some(loaded("a")), None, Some(loaded("c"))]);
    assert_eq!((cache.stats().writes, cache.stats().publishes_refused), (2, 1));

    let found = cache.get_or_set_many(KEYS, Timeout::Default, source.loader()).await.expect("nothing fails");
    assert_eq!(found.len(), 3);
    assert_eq!(source.asked(), [&KEYS[..], &["b"]]);
    assert_eq!(stored(&rig).await, texts(["loaded a", "loaded b", "loaded c"]));
}

#[tokio::test]
async fn with_on_decode_error_error_what_is_there_stays_and_fails_alone() {
    for rig in [Rig::new(), Rig::without_tokens()] {
        let source = Source::new();
        let cache = rig.builder().on_decode_error(OnDecodeError::Error).build();
        rig.elsewhere().aset("b", &STRANGE, Timeout::Forever).await.expect("memory takes it");
        let loading = cache.get_or_set_many(KEYS, Timeout::Default, source.loader());
        assert_eq!(failures(&loading.await.expect_err("one is strange")), [(1, ErrorKind::Codec)]);
        assert_eq!(source.asked(), [["a", "c"]]);
        assert_eq!(rig.elsewhere().aget("b").await.expect("memory answers"), Some(STRANGE));

        // It comes while the loader runs, which is too late to fail.
        let (hold, elsewhere) = (Hold::new(), rig.elsewhere());
        elsewhere.delete_many(KEYS).await.expect("memory answers");
        let task = load(&cache, source.held(&hold));
        hold.reached().await;
        elsewhere.aset("b", &STRANGE, Timeout::Forever).await.expect("memory takes it");
        hold.release();
        let found = task.await.expect("no panic").expect("nothing fails");
        assert_eq!(*found["b"], loaded("b"));
        assert_eq!(elsewhere.aget("b").await.expect("memory answers"), Some(STRANGE));
        assert_eq!(cache.stats().publishes_refused, 1);
    }
}

#[tokio::test]
async fn values_that_the_store_does_not_take_are_given_and_counted() {
    for kind in [ErrorKind::Server, ErrorKind::Connection, ErrorKind::Full] {
        let (rig, source) = (Rig::new(), Source::new());
        let cache = rig.cache();
        rig.faulty.on([Call::SetMany]).keys(|key| key.ends_with('b')).fail(kind);
        let found = cache.get_or_set_many(KEYS, Timeout::Default, source.loader()).await.expect("no error");
        assert_eq!(sorted(&found), [("a", "loaded a"), ("b", "loaded b"), ("c", "loaded c")]);
        assert_eq!(stored(&rig).await, [Some(loaded("a")), None, Some(loaded("c"))]);
        let stats = cache.stats();
        assert_eq!((stats.writes, stats.publishes_failed, stats.publishes_refused), (2, 1, 0));
        assert!(stats.errors.is_empty(), "nobody was told of one");
    }
}

#[tokio::test]
async fn a_write_that_fails_as_a_whole_loses_no_value() {
    let (rig, source) = (Rig::new(), Source::new());
    let cache = rig.cache();
    for call in 1..3 {
        let next = rig.faulty.on([Call::SetMany]).times(1);
        if call == 1 {
            next.fail(ErrorKind::Connection);
        } else {
            next.panic();
        }
        let found = cache.get_or_set_many(KEYS, Timeout::Default, source.loader()).await.expect("no error");
        assert_eq!(sorted(&found), [("a", "loaded a"), ("b", "loaded b"), ("c", "loaded c")]);
        assert_eq!((cache.stats().publishes_failed, cache.stats().loading), (call * 3, 0));
    }
    assert_eq!(stored(&rig).await, [None, None, None]);
    cache.get_or_set_many(KEYS, Timeout::Default, source.loader()).await.expect("no error");
    assert_eq!(stored(&rig).await, texts(["loaded a", "loaded b", "loaded c"]));
    assert_eq!(source.asked().len(), 3);
}

#[tokio::test]
async fn of_the_chunks_of_a_write_one_may_fail() {
    let (rig, source) = (Rig::with_batches(2), Source::new());
    let cache = rig.cache();
    rig.faulty.on([Call::SetMany]).times(1).fail(ErrorKind::Connection);
    let keys = ["a", "b", "c", "d", "e", "f"];
    let found = cache.get_or_set_many(keys, Timeout::Default, source.loader()).await.expect("no error");
    assert!(keys.into_iter().all(|key| *found[key] == loaded(key)));
    let stored = rig.elsewhere().get_many::<String, _>(keys).await.expect("memory answers");
    assert!(["c", "d", "e", "f"].into_iter().all(|key| stored[key] == loaded(key)) && stored.len() == 4);
    assert_eq!((cache.stats().writes, cache.stats().publishes_failed), (4, 2));
}

/// What is there is looked at by as many keys at once as the store takes.
#[tokio::test]
async fn what_came_meanwhile_is_read_in_the_batches_of_the_store() {
    let (rig, source, hold) = (Rig::with_batches(2), Source::new(), Hold::new());
    let cache = rig.cache();
    let task = load(&cache, source.held(&hold));
    hold.reached().await;
    for key in KEYS {
        rig.elsewhere().aset(key, "newer", Timeout::Forever).await.expect("memory takes it");
    }
    hold.release();
    let found = task.await.expect("no panic").expect("nothing fails");
    assert_eq!(sorted(&found), KEYS.map(|key| (key, "newer")));
    assert_eq!((cache.stats().publishes_refused, cache.stats().publishes_failed), (3, 0));
}

#[tokio::test]
async fn a_write_that_stalls_keeps_callers_no_longer_than_its_deadline() {
    let (rig, source) = (Rig::new(), Source::new());
    let deadline = Duration::from_millis(100);
    let cache = rig.builder().deadline(deadline).build();
    rig.faulty.on([Call::SetMany]).stall();
    let loader = source.loader();
    let task = load(&cache, |keys| Box::pin(loader(keys)));
    rig.clock.pass(deadline / 2).await;
    assert!(!task.is_finished(), "it waits for the store");
    rig.clock.pass(deadline).await;
    assert!(task.is_finished(), "no longer than its time");
    let found = task.await.expect("no panic").expect("nothing fails");
    assert_eq!(sorted(&found), [("a", "loaded a"), ("b", "loaded b"), ("c", "loaded c")]);
    assert_eq!((cache.stats().publishes_failed, cache.stats().loading), (3, 0));
}

/// A delete while the loader runs: the key is not stored, the others are.
#[tokio::test]
async fn of_a_batch_only_what_was_deleted_meanwhile_is_not_stored() {
    let (rig, source, hold) = (Rig::new(), Source::new(), Hold::new());
    let cache = rig.cache();
    let task = load(&cache, source.held(&hold));
    hold.reached().await;
    cache.adelete("b").await.expect("it answers");
    hold.release();
    let found = task.await.expect("no panic").expect("nothing fails");
    assert_eq!(sorted(&found), [("a", "loaded a"), ("b", "loaded b"), ("c", "loaded c")]);
    assert_eq!(stored(&rig).await, [Some(loaded("a")), None, Some(loaded("c"))]);
    assert_eq!((cache.stats().loads_voided, cache.stats().writes), (1, 2));
    let found = cache.get_or_set_many(["a", "c"], Timeout::Default, never).await.expect("nothing fails");
    assert_eq!(found.len(), 2);
}

/// What was written while the values were on their way is newer than they are,
/// whether the loads' type can hold it or not.
async fn a_write_meets_the_values_on_their_way<T: cache_core::Value + PartialEq + std::fmt::Debug>(newer: T) {
    let (rig, source) = (Rig::new(), Source::new());
    let cache = rig.cache();
    let gate = rig.faulty.on([Call::SetMany]).pause();
    let loader = source.loader();
    let task = load(&cache, |keys| Box::pin(loader(keys)));
    gate.reached(1).await;
    cache.aset("b", &newer, Timeout::Forever).await.expect("it does not wait, where there are tokens");
    gate.open();
    let found = task.await.expect("no panic").expect("nothing fails");
    assert_eq!(found.len(), 3);
    assert_eq!(rig.elsewhere().aget("b").await.expect("memory answers"), Some(newer));
    assert_eq!((cache.stats().publishes_refused, cache.stats().loading), (1, 0));
}

#[tokio::test]
async fn a_write_while_values_are_stored_is_not_written_over() {
    a_write_meets_the_values_on_their_way("newer".to_owned()).await;
}

#[tokio::test]
async fn a_write_of_another_type_while_values_are_stored_is_not_written_over() {
    a_write_meets_the_values_on_their_way(STRANGE).await;
}
