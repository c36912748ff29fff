//! What a handle makes of failures, with `on_error = "miss"` and without.

mod rig;

use std::collections::HashMap;

use cache_core::{Cache, ErrorKind, OnError, Operation, Timeout};
use cache_testkit::Call;

use rig::{DEADLINE, GRACE, Rig};

const FORGIVEN: [ErrorKind; 3] = [ErrorKind::Deadline, ErrorKind::Connection, ErrorKind::Overloaded];

/// A handle under which three integers are stored.
async fn filled(rig: &Rig, on_error: OnError) -> Cache {
    let cache = rig.handle().on_error(on_error).build();
    cache.set_many([("a", &1), ("b", &2), ("c", &3)], Timeout::Forever).await.expect("a healthy store");
    cache
}

#[tokio::test]
async fn reads_that_fail_are_misses_and_counted() {
    for kind in FORGIVEN {
        let rig = Rig::new();
        let cache = filled(&rig, OnError::Miss).await;
        rig.faulty.on(Call::ALL).fail(kind);
        assert_eq!(cache.aget::<i64>("a").await.expect("a miss"), None, "{kind:?}");
        assert_eq!(cache.aget_arc::<i64>("a").await.expect("a miss"), None);
        assert!(!cache.ahas_key("a").await.expect("a miss"));
        let found: HashMap<_, i64> = cache.get_many(["a", "b", "c"]).await.expect("misses");
        assert!(found.is_empty());
        let partial = cache.get_many_partial::<i64, _>(["a", "b"]).await.expect("misses");
        assert!(partial.found.is_empty() && partial.failed.is_empty());
        let stats = cache.stats();
        assert_eq!((stats.hits, stats.misses, stats.errors_as_misses), (0, 7, 8), "{kind:?}");
    }
}

/// One key or many: either both say of what kind the forgiven error was, or neither.
#[tokio::test]
async fn what_counts_as_a_miss_is_counted_alike_for_one_key_and_for_many() {
    let rig = Rig::new();
    let cache = filled(&rig, OnError::Miss).await;
    rig.faulty.on(Call::ALL).fail(ErrorKind::Overloaded);
    assert_eq!(cache.aget::<i64>("a").await.expect("a miss"), None);
    let after_one = cache.stats().errors.get(&ErrorKind::Overloaded).copied().unwrap_or(0);
    cache.get_many::<i64, _>(["a"]).await.expect("a miss");
    let after_both = cache.stats().errors.get(&ErrorKind::Overloaded).copied().unwrap_or(0);
    assert_eq!(after_both, 2 * after_one);
}

#[tokio::test]
async fn a_read_that_stalls_is_a_miss_after_its_deadline() {
    let rig = Rig::new();
    let cache = filled(&rig, OnError::Miss).await;
    rig.faulty.on([Call::Get, Call::Ping]).stall();
    let began = rig.now();
    let reader = cache.clone();
    assert_eq!(rig.finish(async move { reader.aget::<i64>("a").await }).await.expect("a miss"), None);
    let took = rig.now().since(began);
    assert!(took >= DEADLINE && took <= DEADLINE + GRACE, "{took:?}");
    // And from then on at once.
    assert_eq!(cache.aget::<i64>("a").await.expect("a miss"), None);
    let stats = cache.stats();
    assert_eq!((stats.misses, stats.errors_as_misses), (2, 2));
    assert_eq!((stats.outages, stats.failed_fast), (1, 1));
    rig.faulty.heal();
    rig.clock.pass(rig::IDLE).await;
    assert_eq!(cache.aget::<i64>("a").await.expect("a hit"), Some(1));
}

#[tokio::test]
async fn of_many_keys_only_those_that_fail_are_misses() {
    for kind in FORGIVEN {
        let rig = Rig::new();
        let cache = filled(&rig, OnError::Miss).await;
        rig.faulty.on([Call::GetMany]).keys(|key| key.ends_with('b')).fail(kind);
        let found: HashMap<_, i64> = cache.get_many(["a", "b", "c"]).await.expect("misses");
        assert_eq!(found, HashMap::from([("a", 1), ("c", 3)]));
        let stats = cache.stats();
        assert_eq!((stats.hits, stats.misses, stats.errors_as_misses), (2, 1, 1));
    }
}

#[tokio::test]
async fn failures_of_other_kinds_are_errors() {
    for kind in ErrorKind::ALL.iter().copied().filter(|kind| !FORGIVEN.contains(kind)) {
        let rig = Rig::new();
        let cache = filled(&rig, OnError::Miss).await;
        rig.faulty.on(Call::ALL).fail(kind);
        let error = cache.aget::<i64>("a").await.expect_err("as told");
        assert_eq!(
            (error.kind(), error.operation(), error.alias()),
            (kind, Some(Operation::Get), Some("rig"))
        );
        assert_eq!(cache.ahas_key("a").await.expect_err("as told").kind(), kind);
        let error = cache.get_many::<i64, _>(["a", "b"]).await.expect_err("as told");
        assert_eq!((error.kind(), error.failures().len()), (kind, 2));
        let stats = cache.stats();
        assert_eq!((stats.errors_as_misses, stats.misses), (0, 0));
        assert_eq!(stats.errors.get(&kind), Some(&3));
    }
}

#[tokio::test]
async fn writes_deletes_and_increments_still_fail() {
    for kind in FORGIVEN {
        let rig = Rig::new();
        let cache = filled(&rig, OnError::Miss).await;
        rig.faulty.on(Call::ALL).fail(kind);
        let expected = |error: cache_core::Error| {
            // Once one exchange has told, calls fail by the trip's own memory.
            assert!(error.kind() == kind || error.kind() == ErrorKind::Connection, "{error:?}");
        };
        expected(cache.aset("a", &9, Timeout::Default).await.expect_err("as told"));
        expected(cache.aset("a", &9, std::time::Duration::ZERO).await.expect_err("as told"));
        expected(cache.aadd("z", &9, Timeout::Default).await.expect_err("as told"));
        expected(cache.aadd("z", &9, std::time::Duration::ZERO).await.expect_err("as told"));
        expected(cache.atouch("a", Timeout::Forever).await.expect_err("as told"));
        expected(cache.adelete("a").await.expect_err("as told"));
        expected(cache.aincr("a", 1).await.expect_err("as told"));
        expected(cache.adecr("a", 1).await.expect_err("as told"));
        expected(cache.aincr_version("a", 1).await.expect_err("as told"));
        expected(cache.adecr_version("a", 1).await.expect_err("as told"));
        expected(cache.set_many([("a", &9), ("b", &9)], Timeout::Default).await.expect_err("as told"));
        expected(cache.delete_many(["a", "b"]).await.expect_err("as told"));
        expected(cache.aclear().await.expect_err("as told"));
        expected(cache.aping().await.expect_err("as told"));
        assert_eq!(cache.stats().errors_as_misses, 0);

        rig.faulty.heal();
        rig.clock.pass(rig::IDLE).await;
        let left: HashMap<_, i64> = cache.get_many(["a", "b", "c", "z"]).await.expect("a healthy store");
        assert_eq!(left, HashMap::from([("a", 1), ("b", 2), ("c", 3)]), "nothing was done");
    }
}

#[tokio::test]
async fn without_it_every_failure_is_an_error() {
    for kind in FORGIVEN {
        let rig = Rig::new();
        let cache = filled(&rig, OnError::Error).await;
        rig.faulty.on(Call::ALL).times(1).fail(kind);
        assert_eq!(cache.aget::<i64>("a").await.expect_err("as told").kind(), kind);
        let stats = cache.stats();
        assert_eq!((stats.misses, stats.errors_as_misses), (0, 0));
        assert_eq!(stats.errors.get(&kind), Some(&1));
    }
}

#[tokio::test]
async fn a_partial_read_tells_what_was_found_and_what_failed() {
    let rig = Rig::new();
    let cache = filled(&rig, OnError::Error).await;
    rig.faulty.on([Call::GetMany]).keys(|key| key.ends_with('b')).fail(ErrorKind::Server);
    let partial = cache.get_many_partial::<i64, _>(["a", "b", "c", "d"]).await.expect("it is open");
    assert_eq!(partial.found, HashMap::from([("a", 1), ("c", 3)]));
    assert_eq!(partial.failed.len(), 1);
    let (key, error) = &partial.failed[0];
    assert_eq!((*key, error.kind(), error.operation()), ("b", ErrorKind::Server, Some(Operation::GetMany)));

    let error = cache.get_many::<i64, _>(["a", "b", "c", "d"]).await.expect_err("one failed");
    let positions: Vec<_> = error.failures().iter().map(|(position, _)| *position).collect();
    assert_eq!(positions, [1]);
}

#[tokio::test]
async fn of_many_writes_those_that_fail_are_named_and_the_others_done() {
    let rig = Rig::new();
    let cache = filled(&rig, OnError::Error).await;
    rig.faulty.on([Call::SetMany, Call::DeleteMany]).keys(|key| key.ends_with('b')).fail(ErrorKind::TooLarge);
    let error =
        cache.set_many([("a", &7), ("b", &8), ("c", &9)], Timeout::Forever).await.expect_err("one failed");
    assert_eq!((error.failures().len(), error.failures()[0].0), (1, 1));
    let left: HashMap<_, i64> = cache.get_many(["a", "b", "c"]).await.expect("a healthy store");
    assert_eq!(left, HashMap::from([("a", 7), ("b", 2), ("c", 9)]));
    let error = cache.delete_many(["c", "b", "a"]).await.expect_err("one failed");
    assert_eq!((error.failures().len(), error.failures()[0].0), (1, 1));
    let left: HashMap<_, i64> = cache.get_many(["a", "b", "c"]).await.expect("a healthy store");
    assert_eq!(left, HashMap::from([("b", 2)]));
}
