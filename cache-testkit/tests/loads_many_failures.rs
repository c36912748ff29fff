//! Loaders of many keys that fail, panic, hang, or ask for what they load.

mod loads_many_rig;

use std::collections::HashMap;
use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{BoxError, Cache, ErrorKind, KeyCheck, Operation, Result, Timeout};
use cache_testkit::Call;
use tokio::sync::oneshot;

use loads_many_rig::{Hold, Rig, Source, failures, loaded, never, never_one, sorted};

const SECOND: Duration = Duration::from_secs(1);

/// How late a load may be ended.
const GRACE: Duration = Duration::from_millis(10);

/// What a database would fail with.
#[derive(Debug, PartialEq)]
struct Down(u8);

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the database is down: {}", self.0)
    }
}

impl std::error::Error for Down {}

type Values = HashMap<String, String>;

async fn fails(_: Vec<String>) -> Result<Values, Down> {
    Err(Down(7))
}

/// A rig with an entry under `there`.
async fn filled() -> (Rig, Cache) {
    let rig = Rig::new();
    rig.elsewhere().aset("there", "kept", Timeout::Forever).await.expect("memory takes it");
    let cache = rig.cache();
    (rig, cache)
}

#[tokio::test]
async fn a_loader_that_fails_fails_each_key_that_it_was_to_load() {
    let (rig, cache) = filled().await;
    let loading = cache.get_or_try_set_many(["a", "there", "b", "a"], Timeout::Default, fails);
    let error = loading.await.expect_err("the loader fails");
    assert_eq!(failures(&error), [0, 2, 3].map(|position| (position, ErrorKind::Load)));
    for (_, failure) in error.failures() {
        assert_eq!(failure.loader_error::<Down>(), Some(&Down(7)));
    }
    assert_eq!(error.kind(), ErrorKind::Load);
    let stats = cache.stats();
    assert_eq!((stats.loads, stats.loads_failed, stats.writes, stats.loading), (1, 1, 0, 0));
    assert_eq!(rig.faulty.begun(Call::SetMany) + rig.faulty.begun(Call::Set), 0, "nothing is stored");

    let source = Source::new();
    let found = cache.get_or_set_many(["a", "b"], Timeout::Default, source.loader()).await;
    assert_eq!(found.expect("it is loaded anew").len(), 2);
    assert_eq!(source.asked(), [["a", "b"]]);
}

#[tokio::test]
async fn a_partial_load_keeps_what_is_there() {
    let (_rig, cache) = filled().await;
    let partial = cache.load_many(["a", "there", "b"]).try_run_partial(fails).await.expect("it is open");
    assert_eq!(sorted(&partial.found), [("there", "kept")]);
    let failed = partial.failed.iter().map(|(key, error)| (*key, error.kind()));
    assert_eq!(failed.collect::<Vec<_>>(), [("a", ErrorKind::Load), ("b", ErrorKind::Load)]);
    for (_, error) in &partial.failed {
        assert_eq!((error.operation(), error.alias()), (Some(Operation::GetOrSetMany), Some("rig")));
        assert_eq!(error.loader_error::<Down>(), Some(&Down(7)));
    }
}

#[tokio::test]
async fn a_loader_that_panics_fails_each_key_and_the_next_call_loads() {
    let (_rig, cache) = filled().await;
    for call in 1..3 {
        // In its future, or before there is one.
        let error = if call == 1 {
            let panics = |_| async { panic!("as it was told to") };
            cache.get_or_set_many::<String, _, _, _>(["a", "there", "b"], Timeout::Default, panics).await
        } else {
            cache.get_or_set_many(["a", "there", "b"], Timeout::Default, never).await
        };
        let error = error.expect_err("the loader panics");
        assert_eq!(failures(&error), [(0, ErrorKind::Panicked), (2, ErrorKind::Panicked)]);
        assert_eq!((cache.stats().loads_panicked, cache.stats().loading), (call, 0));
    }
    let source = Source::new();
    let found = cache.get_or_set_many(["a", "there"], Timeout::Default, source.loader()).await;
    assert_eq!(sorted(&found.expect("nothing fails")), [("a", "loaded a"), ("there", "kept")]);
}

#[tokio::test]
async fn a_loader_that_hangs_is_dropped_at_its_deadline_and_not_before() {
    let rig = Rig::new();
    let (source, hold) = (Source::new(), Hold::new());
    // Of the alias, or of the call.
    for (of_alias, of_call) in [(SECOND, None), (SECOND * 60, Some(SECOND))] {
        let cache = rig.builder().load_deadline(of_alias).build();
        let (own, loader) = (cache.clone(), source.held(&hold));
        let task = tokio::spawn(async move {
            let load = own.load_many(["a", "b"]);
            of_call.into_iter().fold(load, cache_core::LoadMany::load_deadline).run(loader).await
        });
        hold.reached().await;
        rig.clock.pass(SECOND.abs_diff(GRACE)).await;
        assert!(!task.is_finished() && hold.inside() == 1, "it has its time");
        rig.clock.pass(GRACE * 2).await;
        assert!(task.is_finished(), "no longer than its time");
        assert_eq!(hold.inside(), 0, "the loader is dropped");
        let error = task.await.expect("no panic").expect_err("it hangs");
        assert_eq!(failures(&error), [(0, ErrorKind::Deadline), (1, ErrorKind::Deadline)]);
        let stats = cache.stats();
        assert_eq!((stats.loads, stats.loads_timed_out, stats.loading), (1, 1, 0), "one loader, one count");
        assert_eq!((stats.loads_voided, stats.writes), (0, 0));
    }
    let found = rig.cache().get_or_set_many(["a", "b"], Timeout::Default, source.loader()).await;
    assert_eq!(found.expect("it is loaded anew").len(), 2);
}

/// What `ask` answers within the loader of `a` and `b`, and what the load comes to.
async fn within_a_loader<T, Fut>(
    cache: &Cache,
    ask: impl FnOnce(Cache) -> Fut + Send + 'static,
) -> (T, Result<()>)
where
    T: Send + 'static,
    Fut: Future<Output = (T, Result<Values>)> + Send,
{
    let (tell, told) = oneshot::channel();
    let inner = cache.clone();
    let loader = |_| async move {
        let (answer, values) = ask(inner).await;
        drop(tell.send(answer));
        values
    };
    let outcome = cache.get_or_try_set_many(["a", "b"], Timeout::Default, loader).await;
    (told.await.expect("the loader ran"), outcome.map(drop))
}

fn values() -> Values {
    ["a", "b"].into_iter().map(|key| (key.to_owned(), loaded(key))).collect()
}

#[tokio::test]
async fn a_loader_that_asks_for_one_of_its_keys_is_told_at_once() {
    let (_rig, cache) = filled().await;
    let (kind, outcome) = within_a_loader(&cache, |cache| async move {
        let error = cache.aget_or_set("b", Timeout::Default, never_one).await.expect_err("it loads that");
        (error.kind(), Err(error))
    })
    .await;
    assert_eq!(kind, ErrorKind::Recursion);
    let error = outcome.expect_err("the loader fails with it");
    assert_eq!(failures(&error), [(0, ErrorKind::Recursion), (1, ErrorKind::Recursion)]);
    assert_eq!(cache.stats().loading, 0);
}

#[tokio::test]
async fn a_loader_that_makes_do_without_its_own_key_has_a_value() {
    let (_rig, cache) = filled().await;
    let (kind, outcome) = within_a_loader(&cache, |cache| async move {
        let error = cache.aget_or_set("b", Timeout::Default, never_one).await.expect_err("it loads that");
        (error.kind(), Ok(values()))
    })
    .await;
    assert_eq!(kind, ErrorKind::Recursion);
    outcome.expect("the loader has a value all the same");
    assert_eq!(cache.aget::<String>("a").await.expect("it answers"), Some(loaded("a")));
}

#[tokio::test]
async fn a_batch_within_a_loader_fails_only_for_the_keys_of_the_loader() {
    let (_rig, cache) = filled().await;
    let source = Source::new();
    let loader = source.try_loader();
    let (partial, outcome) = within_a_loader(&cache, |cache| async move {
        let partial = cache.load_many(["x", "b", "there"]).try_run_partial(loader).await;
        (partial.expect("it is open"), Ok(values()))
    })
    .await;
    outcome.expect("the loader has a value all the same");
    assert_eq!(sorted(&partial.found), [("there", "kept"), ("x", "loaded x")]);
    let failed = partial.failed.iter().map(|(key, error)| (*key, error.kind()));
    assert_eq!(failed.collect::<Vec<_>>(), [("b", ErrorKind::Recursion)]);
    assert_eq!(source.asked(), [["x"]]);
}

/// `a` and `b` ask for `x`, whose loader asks for `b`.
#[tokio::test]
async fn a_ring_of_loaders_ends_at_once() {
    let (_rig, cache) = filled().await;
    let (kind, outcome) = within_a_loader(&cache, |cache| async move {
        let inner = cache.clone();
        let loader =
            |_| async move { inner.get_or_set_many(["b"], Timeout::Default, never).await.map(|_| values()) };
        let error = cache.get_or_try_set_many(["x"], Timeout::Default, loader).await.expect_err("a ring");
        (error.kind(), Err(error))
    })
    .await;
    assert_eq!(kind, ErrorKind::Recursion);
    let error = outcome.expect_err("the loader fails with it");
    assert_eq!(failures(&error), [(0, ErrorKind::Recursion), (1, ErrorKind::Recursion)]);
}

#[tokio::test]
async fn a_cache_that_is_closed_ends_its_loaders() {
    let (rig, cache) = filled().await;
    let (source, hold) = (Source::new(), Hold::new());
    let (own, loader) = (cache.clone(), source.held(&hold));
    let task =
        tokio::spawn(async move { own.get_or_set_many(["a", "there", "b"], Timeout::Default, loader).await });
    hold.reached().await;
    cache.aclose().await.expect("memory closes");
    rig.settle().await;
    assert_eq!(hold.inside(), 0, "the loader is dropped");
    let error = task.await.expect("no panic").expect_err("it is closed");
    assert_eq!(failures(&error), [(0, ErrorKind::Closed), (2, ErrorKind::Closed)]);
    let error = cache.load_many(["a"]).run(never).await.expect_err("it is closed");
    assert_eq!((error.kind(), error.failures().len()), (ErrorKind::Closed, 0), "the call as a whole");
    assert!(cache.load_many(["a"]).try_run_partial(source.try_loader()).await.is_err());
}

/// The deadline of an operation is about the store, and a load outlasts it.
#[tokio::test]
async fn a_read_that_stalls_fails_by_the_deadline_and_a_long_load_does_not() {
    let rig = Rig::new();
    let cache = rig.builder().deadline(SECOND).build();
    let (source, hold) = (Source::new(), Hold::new());
    let (own, loader) = (cache.clone(), source.held(&hold));
    let task = tokio::spawn(async move { own.get_or_set_many(["a", "b"], Timeout::Default, loader).await });
    hold.reached().await;
    rig.clock.pass(SECOND * 2).await;
    hold.release();
    assert_eq!(task.await.expect("no panic").expect("it may take so long").len(), 2);
    assert!(rig.elsewhere().ahas_key("a").await.expect("it answers"), "and is stored");

    rig.faulty.on([Call::GetMany]).stall();
    let own: Arc<Cache> = Arc::new(cache.clone());
    let task = tokio::spawn(async move { own.get_or_set_many(["c", "d"], Timeout::Default, never).await });
    rig.clock.pass(SECOND + GRACE).await;
    assert!(task.is_finished(), "no longer than its time");
    let error = task.await.expect("no panic").expect_err("it stalls");
    assert_eq!(failures(&error), [(0, ErrorKind::Deadline), (1, ErrorKind::Deadline)]);
    assert_eq!(cache.stats().loads, 1);
}

#[tokio::test]
async fn the_error_of_a_call_has_what_the_loader_of_its_first_failure_failed_with() {
    let (rig, cache) = filled().await;
    let error = cache.get_or_try_set_many(["there", "a", "b"], Timeout::Default, fails).await;
    assert_eq!(error.expect_err("the loader fails").loader_error::<Down>(), Some(&Down(7)));

    let boxed = |_| async { Err::<Values, BoxError>(Box::new(Down(8))) };
    let error = cache.get_or_try_set_many(["there", "a", "b"], Timeout::Default, boxed).await;
    let error = error.expect_err("the loader fails");
    assert_eq!(error.loader_error::<Down>(), Some(&Down(8)));
    assert!(error.loader_error::<fmt::Error>().is_none(), "it is of another type");

    // The first has no loader, whatever the next has.
    let strict = rig.builder().key_check(KeyCheck::Error).build();
    let error = strict.get_or_try_set_many(["b b", "a"], Timeout::Default, fails).await;
    let error = error.expect_err("both fail");
    assert_eq!(failures(&error), [(0, ErrorKind::InvalidKey), (1, ErrorKind::Load)]);
    assert!(error.loader_error::<Down>().is_none());
}

/// A text has no type that could be asked for.
#[tokio::test]
async fn what_a_loader_fails_with_as_text_can_be_read() {
    let (_rig, cache) = filled().await;
    let text = |error: cache_core::Error| {
        assert_eq!(error.kind(), ErrorKind::Load);
        error.source().map(ToString::to_string)
    };
    let error = cache.aget_or_try_set("a", Timeout::Default, || async { Err::<u8, _>("no table") }).await;
    assert_eq!(text(error.expect_err("the loader fails")).as_deref(), Some("no table"));
    let owned = || async { Err::<u8, _>("no row".to_owned()) };
    let error = cache.aget_or_try_set("a", Timeout::Default, owned).await;
    assert_eq!(text(error.expect_err("the loader fails")).as_deref(), Some("no row"));
    let batch = |_| async { Err::<Values, _>("no rows") };
    let error = cache.get_or_try_set_many(["a"], Timeout::Default, batch).await;
    let error = error.expect_err("the loader fails");
    assert_eq!(text(error.failures()[0].1.clone()).as_deref(), Some("no rows"));
}
