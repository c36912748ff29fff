//! Batches that wait for a load on another runtime, which goes away.

mod loads_many_rig;

use cache_core::{Cache, ErrorKind, Timeout};
use tokio::runtime::{Builder, Runtime};

use loads_many_rig::{Hold, Rig, Source, failures, loaded, sorted};

fn one_thread() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

/// A batch on a runtime of its own, whose loader never ends.
fn stuck(cache: &Cache, keys: &'static [&'static str]) -> Runtime {
    let (runtime, hold) = (one_thread(), Hold::new());
    let (own, loader) = (cache.clone(), Source::new().held(&hold));
    runtime.spawn(async move { own.get_or_set_many(keys, Timeout::Default, loader).await });
    runtime.block_on(hold.reached());
    runtime
}

#[test]
fn a_batch_that_has_only_waited_loads_what_the_ended_runtime_did_not() {
    let (rig, source) = (Rig::new(), Source::new());
    let cache = rig.cache();
    let ends = stuck(&cache, &["a", "b", "c"]);
    let stays = one_thread();
    let (own, loader) = (cache.clone(), source.loader());
    let waits = stays.spawn(async move { own.get_or_set_many(["c", "a"], Timeout::Default, loader).await });
    stays.block_on(rig.settle());
    assert!(!waits.is_finished() && source.asked().is_empty());
    drop(ends);
    let found = stays.block_on(waits).expect("no panic").expect("its own loader runs");
    assert_eq!(sorted(&found), [("a", "loaded a"), ("c", "loaded c")]);
    assert_eq!(source.asked(), [["c", "a"]]);
    assert_eq!(cache.stats().loading, 0);
}

#[test]
fn a_batch_whose_loader_has_run_is_told_that_the_runtime_of_the_rest_has_ended() {
    let (rig, source) = (Rig::new(), Source::new());
    let cache = rig.cache();
    let ends = stuck(&cache, &["a", "b"]);
    let stays = one_thread();
    let (own, loader) = (cache.clone(), source.loader());
    let waits =
        stays.spawn(async move { own.get_or_set_many(["b", "x", "y"], Timeout::Default, loader).await });
    stays.block_on(rig.settle());
    assert_eq!(source.asked(), [["x", "y"]]);
    drop(ends);
    let error = stays.block_on(waits).expect("no panic").expect_err("it can load nothing more");
    assert_eq!(failures(&error), [(0, ErrorKind::Closed)]);
    assert_eq!(cache.stats().loading, 0);

    let found = stays.block_on(cache.get_or_set_many(["b", "x", "y"], Timeout::Default, source.loader()));
    assert_eq!(found.expect("the next call loads it").len(), 3);
    assert_eq!(source.asked(), [vec!["x", "y"], vec!["b"]]);
    assert_eq!(*found_again(&stays, &cache), loaded("b"));
}

fn found_again(runtime: &Runtime, cache: &Cache) -> std::sync::Arc<String> {
    runtime.block_on(cache.aget_arc("b")).expect("it answers").expect("it is stored")
}

/// A runtime that has been shut down takes no tasks; its handle may still be entered.
#[test]
fn a_batch_on_a_runtime_that_has_ended_is_told_so_and_leaves_nothing_behind() {
    let (rig, source) = (Rig::new(), Source::new());
    let cache = rig.cache();
    let ended = one_thread().handle().clone();
    let loading = cache.get_or_set_many(["a", "b"], Timeout::Default, source.loader());
    let error = ended.block_on(loading).expect_err("there is nothing to load on");
    assert_eq!(failures(&error), [(0, ErrorKind::Closed), (1, ErrorKind::Closed)]);
    assert_eq!((cache.stats().loading, source.asked().len()), (0, 0));
    let found = one_thread().block_on(cache.get_or_set_many(["a", "b"], Timeout::Default, source.loader()));
    assert_eq!(found.expect("another runtime loads it").len(), 2);
}
