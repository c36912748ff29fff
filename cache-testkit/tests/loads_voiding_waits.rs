//! A delete that meets a publish waits for it, and not for ever; so do all
//! writes in a store without tokens.

mod loads_voiding_rig;

use std::time::Duration;

use cache_core::{Batch, ErrorKind, Timeout};
use cache_mem::MemSettings;
use cache_testkit::{Call, Gate};
use tokio::runtime::Builder;
use tokio::task::JoinHandle;

use loads_voiding_rig::write::{Via, WRITTEN, Write};
use loads_voiding_rig::{
    ALMOST, DEADLINE, HeldLoad, KEY, OTHER, PUBLISHES, Rig, Shape, hold_load, ms, settle, values,
};

const LOADED: i64 = 100;
const ANEW: i64 = 200;

/// How late a call may be ended.
const GRACE: Duration = ms(10);

/// How long a publish gets at most when its own runtime does not end it.
const SLACK: Duration = ms(50);

/// All that have to wait, with and without tokens.
fn waiting() -> impl Iterator<Item = (Write, bool)> {
    let all = Write::ALL.into_iter().flat_map(|write| [(write, true), (write, false)]);
    all.filter(|(write, tokens)| write.removes() || !tokens)
}

/// A rig with a deadline, and something to move to the key.
async fn rig(write: Write, tokens: bool) -> Rig {
    filled(write, Rig::with(tokens, |builder| builder.deadline(DEADLINE))).await
}

async fn filled(write: Write, rig: Rig) -> Rig {
    if let Some(version) = write.source() {
        let source = rig.elsewhere.at_version(version);
        source.aset(KEY, &WRITTEN, Timeout::Forever).await.expect("a healthy store");
    }
    rig
}

/// A load whose publish does not get into the store.
async fn stalled_publish(rig: &Rig, shape: Shape) -> (HeldLoad<i64>, Gate) {
    let mut load = rig.loading(shape, LOADED).await;
    let publish = rig.hold_publish();
    load.end_loader();
    publish.reached(1).await;
    (load, publish)
}

fn write(rig: &Rig, write: Write, deadline: Duration) -> JoinHandle<Result<(), ErrorKind>> {
    let cache = rig.cache.with_deadline(deadline);
    tokio::spawn(async move { write.run(&cache, Via::Same).await })
}

/// What is there after it, where nothing was.
fn applied(write: Write) -> (Option<i64>, Result<(), ErrorKind>) {
    let mut stored = None;
    let outcome = write.apply(&mut stored);
    (stored, outcome)
}

#[tokio::test]
async fn it_goes_on_when_the_publish_fails() {
    for (kind, tokens) in waiting() {
        let rig = rig(kind, tokens).await;
        let mut load = rig.loading(Shape::One, LOADED).await;
        let publish = rig.hold_publish();
        rig.faulty.on(PUBLISHES).times(1).fail(ErrorKind::Connection);
        load.end_loader();
        publish.reached(1).await;
        let sent = rig.faulty.begun(kind.call());
        let writer = write(&rig, kind, DEADLINE);
        settle().await;
        assert_eq!(rig.faulty.begun(kind.call()), sent, "{kind:?}: it waits");
        publish.open();
        settle().await;
        assert!(writer.is_finished(), "{kind:?}: it goes on");
        let (stored, outcome) = applied(kind);
        assert_eq!(writer.await.expect("no panic"), outcome, "{kind:?}");
        assert_eq!(rig.stored(KEY).await, stored, "{kind:?}");
        assert_eq!(*values(load.caller).await[KEY], LOADED);
        assert_eq!(*rig.come(Shape::One, ANEW).await, stored.unwrap_or(ANEW), "{kind:?}");
        assert!(rig.is_quiet());
    }
}

#[tokio::test]
async fn it_goes_on_when_the_publish_has_run_out_of_its_time() {
    for (kind, tokens) in waiting() {
        for shape in [Shape::One, Shape::Batch] {
            let rig = rig(kind, tokens).await;
            let (load, publish) = stalled_publish(&rig, shape).await;
            let sent = rig.faulty.begun(kind.call());
            let writer = write(&rig, kind, 10 * DEADLINE);
            rig.clock.pass(ALMOST).await;
            assert_eq!(rig.faulty.begun(kind.call()), sent, "{kind:?}: it waits");
            rig.clock.pass(GRACE + ms(1)).await;
            assert_eq!(rig.faulty.begun(kind.call()), sent + 1, "{kind:?}: it goes on");
            let (stored, outcome) = applied(kind);
            assert_eq!(writer.await.expect("no panic"), outcome, "{kind:?}");
            assert_eq!(*values(load.caller).await[KEY], LOADED);
            publish.open();
            settle().await;
            assert_eq!(rig.stored(KEY).await, stored, "{kind:?}: the publish was given up");
            let published = if shape == Shape::One { 1 } else { 2 };
            assert_eq!(rig.cache.stats().publishes_failed, published, "{kind:?}");
            assert!(rig.is_quiet());
        }
    }
}

#[tokio::test]
async fn one_with_less_time_ends_with_its_own_deadline_and_nothing_is_sent() {
    // A clear has no deadline of its own.
    for (kind, tokens) in waiting().filter(|(kind, _)| *kind != Write::Clear) {
        let rig = rig(kind, tokens).await;
        let (load, publish) = stalled_publish(&rig, Shape::One).await;
        let sent = rig.faulty.begun(kind.call());
        let writer = write(&rig, kind, ms(20));
        rig.clock.pass(ms(19)).await;
        assert!(!writer.is_finished(), "{kind:?}: it waits");
        rig.clock.pass(GRACE + ms(1)).await;
        assert!(writer.is_finished(), "{kind:?}: in time");
        assert_eq!(writer.await.expect("no panic"), Err(ErrorKind::Deadline), "{kind:?}");
        // Whoever comes now starts anew all the same.
        assert_eq!(*rig.come(Shape::One, ANEW).await, ANEW, "{kind:?}");
        publish.open();
        settle().await;
        let sent_by_newcomer = usize::from(PUBLISHES[0] == kind.call());
        assert_eq!(rig.faulty.begun(kind.call()), sent + sent_by_newcomer, "{kind:?}: it was never sent");
        assert_eq!(*values(load.caller).await[KEY], ANEW, "what is there");
        assert_eq!(rig.stored(KEY).await, Some(ANEW));
        assert!(rig.is_quiet());
    }
}

/// Its own runtime would end the publish by the deadline, and does not run.
#[test]
fn it_goes_on_when_the_runtime_of_the_publish_stands_still() {
    let runtime = || Builder::new_current_thread().build().expect("a runtime");
    for (kind, tokens, shape) in waiting().flat_map(|(kind, tokens)| {
        // Of a batch one is ended by the write, and the rest by their own runtime.
        [Shape::One, Shape::Batch].map(|shape| (kind, tokens, shape))
    }) {
        let (still, running) = (runtime(), runtime());
        let rig = still.block_on(rig(kind, tokens));
        let (load, publish) = still.block_on(stalled_publish(&rig, shape));
        running.block_on(async {
            let waiter = hold_load(&rig.cache, Shape::One, &[KEY], -1);
            settle().await;
            let writer = write(&rig, kind, 10 * DEADLINE);
            rig.clock.pass(ALMOST + SLACK).await;
            assert!(!writer.is_finished() && !waiter.caller.is_finished(), "{kind:?}: they wait");
            rig.clock.pass(GRACE + ms(1)).await;
            assert!(writer.is_finished() && waiter.caller.is_finished(), "{kind:?}: in time");
            assert_eq!(writer.await.expect("no panic"), applied(kind).1, "{kind:?}");
            assert_eq!(*values(waiter.caller).await[KEY], LOADED);
        });
        still.block_on(async {
            rig.clock.pass(ms(1)).await;
            publish.open();
            settle().await;
            assert_eq!(*values(load.caller).await[KEY], LOADED);
            assert_eq!(rig.stored(KEY).await, applied(kind).0, "{kind:?}: the publish was given up");
            let published = if shape == Shape::One { 1 } else { 2 };
            assert_eq!(rig.cache.stats().publishes_failed, published, "{kind:?}: each is counted once");
            assert!(rig.is_quiet());
        });
    }
}

/// The value of each key is sent by itself, and that of the key beside it first.
#[test]
fn once_it_has_gone_on_nothing_more_of_the_batch_is_sent() {
    let runtime = || Builder::new_current_thread().build().expect("a runtime");
    for (kind, tokens) in waiting() {
        let (still, running) = (runtime(), runtime());
        let rig = Rig::over(
            &MemSettings::default(),
            |promised| promised.write_batch(Batch::new(1)).tokens(tokens),
            |builder| builder.deadline(DEADLINE),
        );
        let rig = still.block_on(filled(kind, rig));
        let (load, publish) = still.block_on(async {
            let mut load = hold_load(&rig.cache, Shape::Batch, &[OTHER, KEY], LOADED);
            load.has_begun().await;
            let publish = rig.hold_publish();
            load.end_loader();
            publish.reached(1).await;
            (load, publish)
        });
        running.block_on(async {
            let writer = write(&rig, kind, 10 * DEADLINE);
            settle().await;
            // The store has answered, but the load gets no turn to hear of it.
            publish.open();
            rig.clock.pass(DEADLINE + SLACK + GRACE + ms(1)).await;
            assert!(writer.is_finished(), "{kind:?}: in time");
            assert_eq!(writer.await.expect("no panic"), applied(kind).1, "{kind:?}");
        });
        still.block_on(async {
            settle().await;
            assert_eq!(rig.stored(KEY).await, applied(kind).0, "{kind:?}: it has the last word");
            let got = values(load.caller).await;
            assert_eq!((*got[KEY], *got[OTHER]), (LOADED, LOADED), "{kind:?}");
            assert!(rig.is_quiet());
        });
    }
}

/// Nobody but the write keeps its time. When its runtime goes on, it is too late
/// to put the value there.
#[test]
fn what_a_runtime_that_stood_still_was_about_to_publish_does_not_come_after_the_write() {
    let runtime = || Builder::new_current_thread().build().expect("a runtime");
    for (kind, tokens, shape) in waiting().flat_map(|(kind, tokens)| {
        // Of a batch the rest may still be published.
        [Shape::One, Shape::Batch].map(|shape| (kind, tokens, shape))
    }) {
        let (still, running) = (runtime(), runtime());
        let rig = still.block_on(rig(kind, tokens));
        let (load, publish) = still.block_on(stalled_publish(&rig, shape));
        // The store answers again, and the first to hear of it is the publish.
        publish.open();
        running.block_on(async {
            let writer = write(&rig, kind, 10 * DEADLINE);
            rig.clock.pass(ALMOST + SLACK).await;
            assert!(!writer.is_finished(), "{kind:?}: it waits");
            rig.clock.pass(GRACE + ms(1)).await;
            assert!(writer.is_finished(), "{kind:?}: in time");
            assert_eq!(writer.await.expect("no panic"), applied(kind).1, "{kind:?}");
            let rest = u64::from(shape == Shape::Batch && kind != Write::Clear);
            assert_eq!(rig.cache.stats().loading, rest, "{kind:?}: it has ended what it waited for");
        });
        still.block_on(async {
            assert_eq!(*values(load.caller).await[KEY], LOADED);
            settle().await;
            assert_eq!(rig.stored(KEY).await, applied(kind).0, "{kind:?} {shape:?}: it came back");
            assert!(rig.is_quiet());
        });
    }
}

/// Where no operation has a deadline, a publish has that of the loads.
#[tokio::test]
async fn it_goes_on_without_any_deadline_of_the_alias() {
    for (kind, tokens) in waiting() {
        let rig = filled(kind, Rig::with(tokens, |builder| builder.load_deadline(DEADLINE))).await;
        let (load, _publish) = stalled_publish(&rig, Shape::One).await;
        let (sent, cache) = (rig.faulty.begun(kind.call()), rig.cache.clone());
        let writer = tokio::spawn(async move { kind.run(&cache, Via::Same).await });
        rig.clock.pass(ALMOST).await;
        assert_eq!(rig.faulty.begun(kind.call()), sent, "{kind:?}: it waits");
        rig.clock.pass(GRACE + ms(1)).await;
        assert!(writer.is_finished() && load.caller.is_finished(), "{kind:?}: they go on");
        let (stored, outcome) = applied(kind);
        assert_eq!(writer.await.expect("no panic"), outcome, "{kind:?}");
        assert_eq!(*values(load.caller).await[KEY], LOADED);
        assert_eq!(rig.stored(KEY).await, stored, "{kind:?}: the publish was given up");
        assert!(rig.is_quiet());
    }
}

/// Of the loads that it meets it waits for each.
#[tokio::test]
async fn one_of_many_keys_waits_for_all_of_them() {
    for (first, last) in [(KEY, OTHER), (OTHER, KEY)] {
        for clears in [false, true] {
            let rig = Rig::new(true);
            let [first, last] = [first, last].map(|key| {
                let publish =
                    rig.faulty.on(PUBLISHES).keys(move |there| there.ends_with(key)).times(1).pause();
                let mut load = hold_load(&rig.cache, Shape::One, &[key], LOADED);
                load.end_loader();
                (publish, load)
            });
            first.0.reached(1).await;
            last.0.reached(1).await;
            let cache = rig.cache.clone();
            let writer = tokio::spawn(async move {
                if clears { cache.aclear().await } else { cache.delete_many([KEY, OTHER]).await }
            });
            settle().await;
            assert_eq!(rig.cache.stats().loading, 2, "both are on their way still");
            first.0.open();
            settle().await;
            assert_eq!(rig.cache.stats().loading, 1);
            assert_eq!(rig.begun(&[Call::Clear, Call::DeleteMany]), 0, "it waits for the other");
            last.0.open();
            settle().await;
            assert!(writer.is_finished());
            writer.await.expect("no panic").expect("a healthy store");
            for (_, load) in [first, last] {
                assert!(values(load.caller).await.into_values().all(|value| *value == LOADED));
            }
            assert!(!rig.is_there(KEY).await && !rig.is_there(OTHER).await, "neither came back");
            assert!(rig.is_quiet());
        }
    }
}

#[tokio::test]
async fn one_of_other_keys_waits_for_nobody() {
    let rig = Rig::new(true);
    let (load, publish) = stalled_publish(&rig, Shape::One).await;
    // So many that some are kept where the other is.
    let others: Vec<_> = (0..500).map(|number| format!("other {number}")).collect();
    let cache = rig.cache.clone();
    let writer = tokio::spawn(async move { cache.delete_many(others).await });
    settle().await;
    assert!(writer.is_finished(), "what it deletes is not being loaded");
    writer.await.expect("no panic").expect("a healthy store");
    publish.open();
    assert_eq!(*values(load.caller).await[KEY], LOADED);
}
