//! A value that cannot be stored is given to all who wait, and counted.

mod loads_voiding_rig;

use std::collections::HashMap;
use std::sync::Arc;

use cache_core::{CodecChoice, ErrorKind, Format, OnError, Timeout};
use cache_mem::{MemSettings, Values};
use cache_testkit::Call;

use loads_voiding_rig::{
    ALMOST, DEADLINE, KEY, OTHER, PUBLISHES, READS, Rig, Shape, hold_load, ms, settle, values,
};

const SHAPES: [Shape; 2] = [Shape::One, Shape::Batch];

fn text(value: &str) -> String {
    value.to_owned()
}

/// How many keys a load of this shape stores.
fn keys(shape: Shape) -> u64 {
    if shape == Shape::One { 1 } else { 2 }
}

/// A load that meets what the store has been told: all get the loader's own
/// value, no error, and each failed publish is counted once.
async fn all_get_the_value(rig: &Rig, shape: Shape, spoil: impl FnOnce()) {
    let mut load = rig.loading(shape, text("loaded")).await;
    let joined = hold_load(&rig.cache, Shape::One, &[KEY], text("of no use"));
    settle().await;
    spoil();
    load.end_loader();
    // Time passes, for what only ends by it.
    rig.clock.pass(DEADLINE + ms(10)).await;
    let (got, joined) = (values(load.caller).await, values(joined.caller).await);
    assert_eq!(*got[KEY], "loaded");
    assert!(Arc::ptr_eq(&got[KEY], &joined[KEY]), "it is the loader's own");
    let stats = rig.cache.stats();
    assert!(stats.errors.is_empty(), "{:?}", stats.errors);
    assert_eq!((stats.publishes_failed, stats.publishes_refused), (keys(shape), 0));
    assert_eq!((stats.writes, stats.loads), (0, 1));
    rig.faulty.heal();
    settle().await;
    assert!(rig.is_quiet());
}

fn with_deadline() -> Rig {
    Rig::with(true, |builder| builder.deadline(DEADLINE))
}

#[tokio::test]
async fn a_publish_that_fails_is_no_error_of_whatever_kind() {
    for (shape, kind) in
        SHAPES.into_iter().flat_map(|shape| ErrorKind::ALL.iter().map(move |kind| (shape, *kind)))
    {
        let rig = with_deadline();
        all_get_the_value(&rig, shape, || rig.faulty.on(PUBLISHES).times(1).fail(kind)).await;
        assert!(!rig.is_there(KEY).await);
        assert_eq!(*rig.come(shape, text("anew")).await, "anew", "{kind:?}: the next caller loads");

        // The store has it, but could not say so.
        let rig = with_deadline();
        all_get_the_value(&rig, shape, || rig.faulty.on(PUBLISHES).times(1).after().fail(kind)).await;
        assert_eq!(*rig.come(shape, text("anew")).await, "loaded", "{kind:?}: the next caller finds it");
    }
}

#[tokio::test]
async fn a_look_at_what_refused_it_that_fails_is_no_error_either() {
    for (shape, kind) in
        SHAPES.into_iter().flat_map(|shape| ErrorKind::ALL.iter().map(move |kind| (shape, *kind)))
    {
        let rig = with_deadline();
        rig.put(KEY, 1_i64).await;
        rig.put(OTHER, 1_i64).await;
        rig.faulty.on(READS).times(1).lose();
        all_get_the_value(&rig, shape, || rig.faulty.on(READS).fail(kind)).await;
        assert_eq!(rig.stored(KEY).await, Some(1_i64), "what is there was not touched");
    }
}

#[tokio::test]
async fn a_publish_that_panics_is_no_error() {
    for shape in SHAPES {
        let rig = with_deadline();
        all_get_the_value(&rig, shape, || rig.faulty.on(PUBLISHES).times(1).panic()).await;
        assert_eq!(*rig.come(shape, text("anew")).await, "anew", "the next caller loads");
    }
}

#[tokio::test]
async fn a_publish_that_stalls_ends_with_its_deadline() {
    for shape in SHAPES {
        let rig = with_deadline();
        let mut load = rig.loading(shape, text("loaded")).await;
        rig.faulty.on(PUBLISHES).stall();
        load.end_loader();
        rig.clock.pass(ALMOST).await;
        assert!(!load.caller.is_finished(), "it may still succeed");
        assert_eq!(rig.cache.stats().loading, keys(shape));
        rig.clock.pass(ms(11)).await;
        assert!(load.caller.is_finished(), "in time");
        assert_eq!(*values(load.caller).await[KEY], "loaded");
        assert_eq!(rig.cache.stats().publishes_failed, keys(shape));
        rig.faulty.heal();
        settle().await;
        assert!(rig.is_quiet() && !rig.is_there(KEY).await);
        assert_eq!(*rig.come(shape, text("anew")).await, "anew", "the next caller loads");
    }
}

#[tokio::test]
async fn of_a_batch_only_what_fails_is_not_stored() {
    let rig = Rig::new(true);
    let mut load = rig.loading(Shape::Batch, text("loaded")).await;
    rig.faulty.on(PUBLISHES).keys(|key| key.ends_with(KEY)).fail(ErrorKind::Server);
    load.end_loader();
    let got = values(load.caller).await;
    assert_eq!((got[KEY].as_str(), got[OTHER].as_str()), ("loaded", "loaded"));
    assert_eq!((rig.stored(KEY).await, rig.stored(OTHER).await), (None::<String>, Some(text("loaded"))));
    let stats = rig.cache.stats();
    assert_eq!((stats.writes, stats.publishes_failed), (1, 1));
}

/// What the store has acknowledged has been stored, whatever comes after it.
#[tokio::test]
async fn of_a_batch_that_is_stored_in_parts_those_that_were_in_time_are_stored() {
    let one_by_one = |promised: cache_core::Capabilities| promised.write_batch(cache_core::Batch::new(1));
    let rig = Rig::over(&MemSettings::default(), one_by_one, |builder| builder.deadline(DEADLINE));
    let mut load = rig.loading(Shape::Batch, text("loaded")).await;
    rig.faulty.on(PUBLISHES).keys(|key| key.ends_with(OTHER)).stall();
    load.end_loader();
    rig.clock.pass(DEADLINE + ms(10)).await;
    assert_eq!(values(load.caller).await.len(), 2);
    assert_eq!((rig.stored(KEY).await, rig.stored(OTHER).await), (Some(text("loaded")), None::<String>));
    let stats = rig.cache.stats();
    assert_eq!((stats.writes, stats.publishes_failed), (1, 1), "each is counted for what became of it");
}

fn encoded(format: Format) -> Rig {
    let mut settings = MemSettings::default();
    settings.values = Values::Encoded;
    Rig::over(&settings, |promised| promised, |builder| builder.format(format))
}

#[tokio::test]
async fn a_value_that_is_too_large_is_given_and_not_stored() {
    let rig = encoded(Format::default().with_max_value_bytes(64));
    let load = rig.cache.aget_or_set(KEY, Timeout::Default, async || "x".repeat(1_000)).await;
    assert_eq!(load.expect("a value").len(), 1_000);
    let loader = |missing: Vec<String>| async move {
        let sized = |key: String| {
            let value = if key == KEY { "x".repeat(1_000) } else { text("small") };
            (key, value)
        };
        missing.into_iter().map(sized).collect::<HashMap<_, _>>()
    };
    let got = rig.cache.get_or_set_many([KEY, OTHER], Timeout::Default, loader).await.expect("values");
    assert_eq!((got[KEY].len(), got[OTHER].as_str()), (1_000, "small"));
    assert!(!rig.is_there(KEY).await);
    assert_eq!(rig.stored(OTHER).await, Some(text("small")), "it fails alone");
    let stats = rig.cache.stats();
    assert_eq!((stats.publishes_failed, stats.writes, stats.loading), (2, 1, 0));
}

#[tokio::test]
async fn a_value_that_the_codec_refuses_is_given_and_not_stored() {
    let rig = encoded(Format::new(CodecChoice::Json));
    let load = rig.cache.aget_or_set(KEY, Timeout::Default, async || f64::NAN).await;
    assert!(load.expect("a value").is_nan());
    assert!(!rig.is_there(KEY).await);
    let stats = rig.cache.stats();
    assert_eq!((stats.publishes_failed, stats.writes, stats.loading), (1, 0, 0));
}

const FORGIVEN: [ErrorKind; 3] = [ErrorKind::Deadline, ErrorKind::Connection, ErrorKind::Overloaded];

#[tokio::test]
async fn with_a_store_that_is_gone_and_errors_as_misses_every_caller_loads() {
    for (shape, kind) in SHAPES.into_iter().flat_map(|shape| FORGIVEN.map(|kind| (shape, kind))) {
        let rig = Rig::with(true, |builder| builder.on_error(OnError::Miss));
        rig.faulty.on(Call::ALL).fail(kind);
        for value in ["one", "two"] {
            assert_eq!(*rig.come(shape, text(value)).await, value);
        }
        let stats = rig.cache.stats();
        assert_eq!((stats.loads, stats.publishes_failed, stats.misses), (2, 2, 2), "{kind:?}");
        assert!(stats.errors_as_misses >= 2 && stats.errors.is_empty(), "{stats:?}");
        rig.faulty.heal();
        assert_eq!(*rig.come(shape, text("three")).await, "three");
        assert_eq!(rig.stored(KEY).await, Some(text("three")));
    }
}

#[tokio::test]
async fn a_first_read_that_fails_is_an_error_and_no_loader_runs() {
    for kind in ErrorKind::ALL.iter().copied() {
        for on_error in [OnError::Error, OnError::Miss] {
            if on_error == OnError::Miss && FORGIVEN.contains(&kind) {
                continue;
            }
            let rig = Rig::with(true, |builder| builder.on_error(on_error));
            rig.faulty.on(READS).fail(kind);
            let one = rig.cache.aget_or_set(KEY, Timeout::Default, async || 1_i64).await;
            assert_eq!(one.expect_err("the read failed").kind(), kind);
            let none = |_: Vec<String>| async { HashMap::<String, i64>::new() };
            let many = rig.cache.get_or_set_many([KEY, OTHER], Timeout::Default, none).await;
            let failures: Vec<_> = many
                .expect_err("the reads failed")
                .failures()
                .iter()
                .map(|(_, error)| error.kind())
                .collect();
            assert_eq!(failures, [kind, kind]);
            assert_eq!(rig.cache.stats().loads, 0);
        }
    }
}

/// Else it would be the store that says how long a load may take.
#[tokio::test]
async fn without_a_deadline_a_publish_that_stalls_ends_with_that_of_the_loads() {
    for shape in SHAPES {
        let rig = Rig::with(true, |builder| builder.load_deadline(ms(200)));
        let mut load = rig.loading(shape, text("loaded")).await;
        rig.faulty.on(PUBLISHES).stall();
        load.end_loader();
        rig.clock.pass(ms(199)).await;
        assert!(!load.caller.is_finished(), "it may still succeed");
        rig.clock.pass(ms(11)).await;
        assert!(load.caller.is_finished(), "in time");
        assert_eq!(*values(load.caller).await[KEY], "loaded");
        assert_eq!(rig.cache.stats().publishes_failed, keys(shape));
        assert!(rig.is_quiet() && !rig.is_there(KEY).await);
    }
}
