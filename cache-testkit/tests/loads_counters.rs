//! What loads count, to the last one.

mod loads_rig;

use std::collections::HashMap;
use std::sync::Arc;

use cache_core::{Cache, CacheBuilder, ErrorKind, OnError, Stats, Timeout};
use cache_testkit::{Call, Faulty};

use loads_rig::{Broken, GRACE, LOAD_DEADLINE, Rig, Source, finished, near_and_far};

/// What loads count: all that is not said is zero.
fn counted(cache: &Cache) -> Stats {
    let mut stats = cache.stats();
    (stats.entries, stats.bytes) = (None, None);
    stats
}

fn expected(say: impl FnOnce(&mut Stats)) -> Stats {
    let mut stats = Stats::default();
    say(&mut stats);
    stats
}

/// Another handle of the same store, as of another process: it voids nothing.
fn elsewhere(rig: &Rig) -> Cache {
    Cache::builder(Arc::<Faulty>::clone(&rig.faulty)).clock(rig.time()).build()
}

#[tokio::test]
async fn a_load_that_is_waited_for_and_then_hit() {
    for rig in near_and_far() {
        let source = Source::held();
        let callers =
            [rig.spawn("key", &source, 1), rig.spawn("key", &source, 1), rig.spawn("key", &source, 1)];
        rig.turns().await;
        let mut under_way = expected(|stats| (stats.misses, stats.loads, stats.load_waits) = (3, 1, 2));
        under_way.loading = 1;
        assert_eq!(counted(&rig.cache), under_way);
        source.let_go();
        for caller in callers {
            finished(caller).await.expect("a loader that works");
        }
        finished(rig.spawn("key", &source, 1)).await.expect("a hit");
        rig.is_at_rest().await;
        let all = expected(|stats| {
            (stats.misses, stats.loads, stats.load_waits) = (3, 1, 2);
            (stats.writes, stats.hits) = (1, 1);
        });
        assert_eq!(counted(&rig.cache), all);
    }
}

#[tokio::test]
async fn a_batch_that_hits_waits_loads_and_leaves_out() {
    for rig in near_and_far() {
        rig.cache.aset("there", &0, Timeout::Forever).await.expect("a healthy store");
        let source = Source::held();
        let other = rig.spawn("other's", &source, 1);
        rig.turns().await;
        let cache = rig.cache.clone();
        let batch = tokio::spawn(async move {
            let loader = |keys: Vec<String>| async move {
                assert_eq!(keys, ["a", "b", "left out"]);
                HashMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)])
            };
            let keys = ["there", "a", "other's", "b", "left out"];
            cache.get_or_set_many(keys, Timeout::Forever, loader).await
        });
        rig.turns().await;
        source.let_go();
        finished(other).await.expect("a loader that works");
        assert_eq!(finished(batch).await.expect("a loader that works").len(), 4);
        rig.is_at_rest().await;
        let all = expected(|stats| {
            (stats.hits, stats.misses) = (1, 5);
            (stats.loads, stats.load_waits, stats.writes) = (2, 1, 4);
        });
        assert_eq!(counted(&rig.cache), all);
    }
}

fn explode() -> u8 {
    panic!("the loader panics")
}

#[tokio::test]
async fn loads_that_fail_panic_and_time_out() {
    for rig in near_and_far() {
        let fails =
            rig.cache.aget_or_try_set("fails", Timeout::Forever, || async { Err::<u8, _>(Broken(1)) });
        fails.await.expect_err("it fails");
        let panics = rig.cache.aget_or_set("panics", Timeout::Forever, || async { explode() });
        panics.await.expect_err("it panics");
        let hangs = Source::held();
        let callers = [rig.spawn("hangs", &hangs, 1), rig.spawn("hangs", &hangs, 1)];
        rig.clock.pass(LOAD_DEADLINE + GRACE).await;
        for caller in callers {
            finished(caller).await.expect_err("it hangs");
        }
        rig.is_at_rest().await;
        let all = expected(|stats| {
            (stats.misses, stats.loads, stats.load_waits) = (4, 3, 1);
            (stats.loads_failed, stats.loads_panicked, stats.loads_timed_out) = (1, 1, 1);
            stats.errors = [(ErrorKind::Load, 1), (ErrorKind::Panicked, 1), (ErrorKind::Deadline, 2)].into();
        });
        assert_eq!(counted(&rig.cache), all);
    }
}

#[tokio::test]
async fn a_load_that_is_voided() {
    for rig in near_and_far() {
        let source = Source::held();
        let caller = rig.spawn("key", &source, "loaded".to_owned());
        rig.turns().await;
        rig.cache.aset("key", "written", Timeout::Forever).await.expect("a healthy store");
        assert_eq!(rig.cache.stats().loading, 0, "nobody joins it any more");
        source.let_go();
        assert_eq!(*finished(caller).await.expect("a loader that works"), "loaded");
        rig.is_at_rest().await;
        let all = expected(|stats| {
            (stats.misses, stats.loads, stats.loads_voided, stats.writes) = (1, 1, 1, 1);
        });
        assert_eq!(counted(&rig.cache), all);
    }
}

#[tokio::test]
async fn a_load_that_is_given_up_counts_as_called_and_nothing_else() {
    for rig in near_and_far() {
        let caller = rig.spawn("key", &Source::held(), 1);
        rig.turns().await;
        caller.abort();
        rig.is_at_rest().await;
        assert_eq!(counted(&rig.cache), expected(|stats| (stats.misses, stats.loads) = (1, 1)));
    }
}

#[tokio::test]
async fn a_publish_that_is_refused() {
    let rig = Rig::far();
    let source = Source::held();
    let caller = rig.spawn("key", &source, "loaded".to_owned());
    rig.turns().await;
    elsewhere(&rig).aset("key", "there", Timeout::Forever).await.expect("a healthy store");
    source.let_go();
    assert_eq!(*finished(caller).await.expect("it is there"), "there");
    rig.is_at_rest().await;
    let all = expected(|stats| (stats.misses, stats.loads, stats.publishes_refused) = (1, 1, 1));
    assert_eq!(counted(&rig.cache), all);
}

#[tokio::test]
async fn publishes_that_fail() {
    let rig = Rig::far();
    rig.faulty.on([Call::Set]).keys(|key| key.ends_with("fails")).times(1).fail(ErrorKind::Server);
    rig.faulty.on([Call::Set]).keys(|key| key.ends_with("panics")).times(1).panic();
    for key in ["fails", "panics"] {
        assert_eq!(*finished(rig.spawn(key, &Source::open(), 1)).await.expect("it was loaded"), 1);
    }
    rig.is_at_rest().await;
    let all = expected(|stats| (stats.misses, stats.loads, stats.publishes_failed) = (2, 2, 2));
    assert_eq!(counted(&rig.cache), all);
    assert!(rig.loads_anew("fails").await && rig.loads_anew("panics").await);
}

async fn first_read_fails(settings: impl FnOnce(CacheBuilder) -> CacheBuilder) -> (Rig, Source) {
    let rig = Rig::with(true, settings);
    rig.faulty.on([Call::Get]).times(1).fail(ErrorKind::Connection);
    let source = Source::open();
    let answer = finished(rig.spawn("key", &source, 1)).await;
    assert_eq!(answer.is_ok(), source.begun() == 1);
    rig.is_at_rest().await;
    (rig, source)
}

#[tokio::test]
async fn a_first_read_that_fails_is_its_own_error_or_a_miss_if_the_alias_says_so() {
    let (rig, source) = first_read_fails(|builder| builder).await;
    assert_eq!(source.begun(), 0);
    let all = expected(|stats| stats.errors = [(ErrorKind::Connection, 1)].into());
    assert_eq!(counted(&rig.cache), all);

    let (rig, source) = first_read_fails(|builder| builder.on_error(OnError::Miss)).await;
    assert_eq!(source.begun(), 1);
    let all = expected(|stats| {
        (stats.errors_as_misses, stats.misses) = (1, 1);
        (stats.loads, stats.writes) = (1, 1);
    });
    assert_eq!(counted(&rig.cache), all);
}
