//! `get_or_set_many` and its kin: what is asked of the store and of the loader,
//! and what comes back and is kept.

mod chance;
mod loads_many_rig;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use cache_core::{ErrorKind, KeyCheck, Life, Loaded, OnError, Timeout};
use cache_testkit::Call;
use futures::FutureExt as _;

use chance::dice;
use loads_many_rig::{MINUTE, Rig, Source, failures, loaded, never, sorted};

#[tokio::test]
async fn one_read_one_call_and_one_write_serve_all_that_is_missing() {
    let (rig, source) = (Rig::new(), Source::new());
    let cache = rig.cache();
    rig.elsewhere()
        .set_many([("b", "there"), ("d", "there")], Timeout::Forever)
        .await
        .expect("memory takes it");

    let found = cache.get_or_set_many(["a", "b", "c", "d", "e"], Timeout::Default, source.loader()).await;
    let found = found.expect("all are had");
    let expected = [("a", "loaded a"), ("b", "there"), ("c", "loaded c"), ("d", "there"), ("e", "loaded e")];
    assert_eq!(sorted(&found), expected);
    assert_eq!(source.asked(), [["a", "c", "e"]], "in the order of the call");
    let begun = |call| rig.faulty.begun(call);
    assert_eq!((begun(Call::GetMany), begun(Call::SetMany)), (1, 1));
    assert_eq!(rig.faulty.begun_in_all(), 2);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.writes), (2, 3, 3));
    assert_eq!((stats.loads, stats.load_waits, stats.loading), (1, 0, 0));

    let again = cache.get_or_set_many(["a", "b", "c", "d", "e"], Timeout::Default, never).await;
    assert_eq!(sorted(&again.expect("all are there")), expected);
    assert_eq!((begun(Call::GetMany), rig.faulty.begun_in_all()), (2, 3));
    assert_eq!(cache.stats().loads, 1);
}

#[tokio::test]
async fn reads_and_writes_keep_to_the_batches_of_the_store_and_the_loader_gets_all() {
    let (rig, source) = (Rig::with_batches(4), Source::new());
    let keys: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    let found = rig.cache().get_or_set_many(&keys, Timeout::Default, source.loader()).await;
    assert_eq!(found.expect("all are loaded").len(), 10);
    assert_eq!(source.asked(), [keys.as_slice()]);
    // The layer below refuses larger batches.
    assert_eq!((rig.faulty.begun(Call::GetMany), rig.faulty.begun(Call::SetMany)), (3, 3));
    let stored = rig.elsewhere().get_many::<String, _>(&keys).await.expect("memory answers");
    assert!(keys.iter().all(|key| stored[key] == loaded(key)) && stored.len() == 10);
}

#[tokio::test]
async fn without_keys_nobody_is_asked() {
    let rig = Rig::new();
    let found = rig.cache().get_or_set_many([""; 0], Timeout::Default, never).await.expect("nothing fails");
    assert!(found.is_empty());
    assert_eq!(rig.faulty.begun_in_all(), 0);
}

#[tokio::test]
async fn when_nothing_is_missing_no_loader_runs() {
    let rig = Rig::new();
    let cache = rig.cache();
    rig.elsewhere().set_many([("a", "1"), ("b", "2")], Timeout::Forever).await.expect("memory takes it");
    let found = cache.get_or_set_many(["b", "a", "b"], Timeout::Default, never).await.expect("all are there");
    assert_eq!(sorted(&found), [("a", "1"), ("b", "2")]);
    assert_eq!(rig.faulty.begun_in_all(), 1);
    assert_eq!(cache.stats().loads, 0);
}

/// A batch that claims a key twice, or waits for itself, would hang here.
#[tokio::test]
async fn a_key_that_is_given_twice_is_loaded_once() {
    let (rig, source) = (Rig::new(), Source::new());
    let cache = rig.cache();
    let keys = ["a", "b", "a", "a", "b", "c"];
    let found = cache.get_or_set_many(keys, Timeout::Default, source.loader()).await.expect("all are loaded");
    assert_eq!(sorted(&found), [("a", "loaded a"), ("b", "loaded b"), ("c", "loaded c")]);
    assert_eq!(source.asked(), [["a", "b", "c"]]);
    assert_eq!((cache.stats().writes, cache.stats().loads), (3, 1));
}

/// `load_waits` is documented as waits for another's load.
#[tokio::test]
async fn a_key_that_is_given_twice_is_no_wait_for_another() {
    let (rig, source) = (Rig::new(), Source::new());
    let cache = rig.cache();
    cache.get_or_set_many(["a", "a"], Timeout::Default, source.loader()).await.expect("it is loaded");
    assert_eq!(cache.stats().load_waits, 0);
}

#[tokio::test]
async fn the_loader_gets_the_callers_own_keys_under_a_prefix_and_a_version() {
    let (rig, source) = (Rig::new(), Source::new());
    let cache = rig.builder().key_prefix("shop").version(3).build();
    cache.get_or_set_many(["a", "2:b"], Timeout::Default, source.loader()).await.expect("all are loaded");
    assert_eq!(source.asked(), [["a", "2:b"]]);
    assert_eq!(cache.aget::<String>("2:b").await.expect("it answers"), Some(loaded("2:b")));
    assert_eq!(cache.at_version(1).aget::<String>("a").await.expect("it answers"), None);
    assert_eq!(rig.elsewhere().aget::<String>("a").await.expect("it answers"), None);
}

#[tokio::test]
async fn the_loader_gets_the_callers_own_keys_under_a_key_function() {
    let (rig, source) = (Rig::new(), Source::new());
    let function =
        |key: &str, prefix: &str, version: u64| format!("{version}/{prefix}/{}", key.to_lowercase());
    let cache = rig.builder().key_prefix("p").key_function(Arc::new(function)).build();
    // Two names of one key are loaded by the first of them.
    let found = cache.get_or_set_many(["Anna", "Bob", "ANNA"], Timeout::Default, source.loader()).await;
    let found = found.expect("all are loaded");
    assert_eq!(source.asked(), [["Anna", "Bob"]]);
    assert_eq!(sorted(&found), [("ANNA", "loaded Anna"), ("Anna", "loaded Anna"), ("Bob", "loaded Bob")]);
    assert_eq!(cache.aget::<String>("aNNa").await.expect("it answers"), Some(loaded("Anna")));
}

#[tokio::test]
async fn a_bad_key_fails_alone() {
    let (rig, source) = (Rig::new(), Source::new());
    let cache = rig.builder().key_check(KeyCheck::Error).build();
    let loading = cache.get_or_set_many(["a", "b b", "c", "d d"], Timeout::Default, source.loader());
    let error = loading.await.expect_err("two of the keys have blanks");
    assert_eq!(failures(&error), [(1, ErrorKind::InvalidKey), (3, ErrorKind::InvalidKey)]);
    assert_eq!(source.asked(), [["a", "c"]]);
    for key in ["a", "c"] {
        assert_eq!(cache.aget::<String>(key).await.expect("it answers"), Some(loaded(key)));
    }
    let partial =
        cache.load_many(["b b", "c"]).try_run_partial(source.try_loader()).await.expect("it is open");
    assert_eq!(sorted(&partial.found), [("c", "loaded c")]);
    assert_eq!(partial.failed.len(), 1);
    assert_eq!((partial.failed[0].0, partial.failed[0].1.kind()), ("b b", ErrorKind::InvalidKey));
}

#[tokio::test]
async fn a_key_that_cannot_be_read_fails_alone_and_is_not_loaded() {
    let (rig, source) = (Rig::new(), Source::new());
    let cache = rig.cache();
    rig.faulty.on([Call::GetMany]).keys(|key| key.ends_with('b')).fail(ErrorKind::Connection);
    let loading = cache.get_or_set_many(["a", "b", "c"], Timeout::Default, source.loader());
    assert_eq!(failures(&loading.await.expect_err("one is not read")), [(1, ErrorKind::Connection)]);
    assert_eq!(source.asked(), [["a", "c"]]);
    assert!(!rig.elsewhere().ahas_key("b").await.expect("it answers"));
    assert!(rig.elsewhere().ahas_key("c").await.expect("it answers"));
}

#[tokio::test]
async fn when_nothing_can_be_read_no_loader_runs() {
    let rig = Rig::new();
    rig.faulty.on([Call::GetMany]).fail(ErrorKind::Deadline);
    let cache = rig.cache();
    let error = cache.get_or_set_many(["a", "b"], Timeout::Default, never).await.expect_err("as told");
    assert_eq!(failures(&error), [(0, ErrorKind::Deadline), (1, ErrorKind::Deadline)]);
    assert_eq!((cache.stats().loads, rig.faulty.begun(Call::SetMany)), (0, 0));
}

#[tokio::test]
async fn with_on_error_miss_what_cannot_be_read_is_loaded() {
    for kind in [ErrorKind::Deadline, ErrorKind::Connection, ErrorKind::Overloaded] {
        let (rig, source) = (Rig::new(), Source::new());
        let cache = rig.builder().on_error(OnError::Miss).build();
        rig.elsewhere().aset("c", "there", Timeout::Forever).await.expect("memory takes it");
        rig.faulty.on([Call::GetMany]).keys(|key| key.ends_with('b')).fail(kind);
        let found = cache.get_or_set_many(["a", "b", "c"], Timeout::Default, source.loader()).await;
        let found = found.expect("misses are loaded");
        assert_eq!(sorted(&found), [("a", "loaded a"), ("b", "loaded b"), ("c", "there")], "{kind:?}");
        assert_eq!(source.asked(), [["a", "b"]]);
        assert_eq!((cache.stats().errors_as_misses, cache.stats().misses), (1, 2));
    }
    let rig = Rig::new();
    let cache = rig.builder().on_error(OnError::Miss).build();
    rig.faulty.on([Call::GetMany]).fail(ErrorKind::Server);
    let error = cache.get_or_set_many(["a"], Timeout::Default, never).await.expect_err("it is no miss");
    assert_eq!(failures(&error), [(0, ErrorKind::Server)]);
}

#[tokio::test]
async fn keys_left_out_stay_missing_and_keys_not_asked_for_are_ignored() {
    let (rig, source) = (Rig::new(), Source::new());
    let cache = rig.cache();
    rig.elsewhere().aset("there", "kept", Timeout::Forever).await.expect("memory takes it");
    let answer = ["a", "there", "extra"].map(|key| (key.to_owned(), loaded(key)));
    let found = cache
        .get_or_set_many(["a", "b", "there"], Timeout::Default, |_| async { HashMap::from(answer) })
        .await
        .expect("nothing fails");
    assert_eq!(sorted(&found), [("a", "loaded a"), ("there", "kept")]);
    let stored =
        rig.elsewhere().get_many::<String, _>(["a", "b", "there", "extra"]).await.expect("it answers");
    assert_eq!(stored, HashMap::from([("a", loaded("a")), ("there", "kept".to_owned())]));
    assert_eq!(cache.stats().writes, 1);

    // What is missing is asked for again.
    cache.get_or_set_many(["a", "b"], Timeout::Default, source.loader()).await.expect("nothing fails");
    assert_eq!(source.asked(), [["b"]]);
}

#[tokio::test]
async fn a_loader_may_have_nothing_at_all() {
    let rig = Rig::new();
    let cache = rig.cache();
    let found =
        cache.get_or_set_many(["a", "b", "a"], Timeout::Default, |_| async { HashMap::<_, String>::new() });
    assert!(found.await.expect("nothing fails").is_empty());
    assert_eq!((rig.faulty.begun_in_all(), cache.stats().loading), (1, 0), "nothing is written");
}

#[tokio::test]
async fn each_entry_has_the_life_that_the_loader_gives_it() {
    let rig = Rig::new();
    let cache = rig.builder().timeout(MINUTE * 7).build();
    let answer = [
        ("as asked", Loaded::new(Some(1))),
        ("longer", Loaded::new(Some(2)).timeout(MINUTE * 9)),
        ("forever", Loaded::new(Some(3)).timeout(Timeout::Forever)),
        ("default", Loaded::new(Some(4)).timeout(Timeout::Default)),
        ("not stored", Loaded::not_stored(Some(5))),
        ("zero", Loaded::new(Some(6)).timeout(Duration::ZERO)),
        ("none", Loaded::new(None).none_for(MINUTE * 2)),
        ("some", Loaded::new(Some(7)).none_for(MINUTE * 2)),
    ];
    let keys = answer.clone().map(|(key, _)| key);
    let answer = HashMap::from(answer.map(|(key, loaded)| (key.to_owned(), loaded)));
    let found = cache.load_many(keys).timeout(MINUTE).run(|_| async { answer }).await.expect("nothing fails");
    assert_eq!(
        keys.map(|key| *found[key]),
        [Some(1), Some(2), Some(3), Some(4), Some(5), Some(6), None, Some(7)]
    );
    let lives = [Some(1), Some(9), None, Some(7), Some(0), Some(0), Some(2), Some(1)];
    for (key, minutes) in keys.into_iter().zip(lives) {
        let expected = match minutes {
            None => Some(Life::Forever),
            Some(0) => None,
            Some(minutes) => Some(Life::For(MINUTE * minutes)),
        };
        assert_eq!(cache.alife(key).await.expect("memory answers"), expected, "{key}");
    }
}

#[tokio::test]
async fn with_a_timeout_of_zero_values_are_given_and_not_stored() {
    let (rig, source) = (Rig::new(), Source::new());
    let cache = rig.cache();
    for call in 1..3 {
        let found = cache.get_or_set_many(["a", "b"], Duration::ZERO, source.loader()).await;
        assert_eq!(sorted(&found.expect("nothing fails")), [("a", "loaded a"), ("b", "loaded b")]);
        assert_eq!(source.asked().len(), call);
    }
    assert_eq!(rig.faulty.begun_in_all(), 2, "only reads");
    assert_eq!((cache.stats().writes, cache.stats().loads_voided), (0, 0));
}

#[tokio::test]
async fn jitter_shortens_each_life_by_itself() {
    fastrand::seed(dice("jitter_shortens_each_life_by_itself").u64(..));
    let (rig, source) = (Rig::new(), Source::new());
    let cache = rig.cache();
    let keys: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let loading = cache.load_many(&keys).timeout(MINUTE).jitter(0.5).run(source.loader());
    loading.await.expect("nothing fails");
    let mut lives = HashSet::new();
    for key in &keys {
        let Some(Life::For(life)) = cache.alife(key).await.expect("it answers") else { panic!("no end") };
        assert!((MINUTE / 2..=MINUTE).contains(&life), "{life:?}");
        lives.insert(life);
    }
    assert!(lives.len() > 90, "{} lives", lives.len());

    for share in [-0.1, 1.1, f64::NAN] {
        let error = cache.load_many(["a"]).jitter(share).run(never).await.expect_err("it is no share");
        assert_eq!(error.kind(), ErrorKind::Config);
    }
}

#[tokio::test]
async fn keys_may_be_of_any_type_of_text() {
    let (rig, source) = (Rig::new(), Source::new());
    let cache = rig.cache();
    let names = ["a".to_owned(), "b".to_owned()];
    let owned: HashMap<String, Arc<String>> =
        cache.get_or_set_many(names.clone(), Timeout::Default, source.loader()).await.expect("nothing fails");
    let by_reference: HashMap<&String, Arc<String>> =
        cache.get_or_set_many(&names, Timeout::Default, never).await.expect("nothing fails");
    let texts: HashMap<&str, Arc<String>> =
        cache.get_or_set_many(["a", "b"], Timeout::Default, never).await.expect("nothing fails");
    let either: HashMap<Cow<'_, str>, Arc<String>> = cache
        .get_or_set_many(["a".into(), Cow::Owned("b".to_owned())], Timeout::Default, never)
        .await
        .expect("nothing fails");
    let expected = [("a", "loaded a"), ("b", "loaded b")];
    assert_eq!(sorted(&owned), expected);
    assert_eq!(sorted(&by_reference), expected);
    assert_eq!((sorted(&texts), sorted(&either)), (expected.to_vec(), expected.to_vec()));
}

/// That it compiles is half of it: the future names no closure of the iterator.
#[tokio::test]
async fn a_call_can_be_spawned_with_keys_from_a_mapped_iterator() {
    let (rig, source) = (Rig::new(), Source::new());
    let (cache, loader) = (rig.cache(), source.try_loader());
    let numbers = [3_u8, 1, 2];
    let task = tokio::spawn(async move {
        let keys = numbers.iter().map(|number| format!("number:{number}"));
        cache.get_or_try_set_many(keys, Timeout::Default, loader).await
    });
    let found = task.await.expect("no panic").expect("nothing fails");
    assert_eq!(found.len(), 3);
    assert_eq!(*found["number:2"], loaded("number:2"));
    assert_eq!(source.asked(), [["number:3", "number:1", "number:2"]]);
}

#[test]
fn without_a_runtime_what_is_missing_is_closed_key_by_key() {
    let rig = Rig::new();
    let cache = rig.cache();
    let (hits, error) = async {
        rig.elsewhere().aset("b", "there", Timeout::Forever).await.expect("memory takes it");
        let hits = cache.get_or_set_many(["b"], Timeout::Default, never).await;
        (hits, cache.get_or_set_many(["a", "b", "c"], Timeout::Default, never).await)
    }
    .now_or_never()
    .expect("nothing waits");
    assert_eq!(sorted(&hits.expect("a hit needs no runtime")), [("b", "there")]);
    let error = error.expect_err("there is nothing to load on");
    assert_eq!(failures(&error), [(0, ErrorKind::Closed), (2, ErrorKind::Closed)]);
    assert_eq!((cache.stats().loads, cache.stats().loading), (0, 0));
}
