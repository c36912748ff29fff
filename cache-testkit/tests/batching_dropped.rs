//! A caller who leaves costs nobody anything, at whatever point that is.

mod batching_rig;
mod chance;

use std::sync::Arc;

use cache_core::{Gather, When};
use cache_testkit::Call;

use batching_rig::{Asked, Rig, at_once, begun, done, ms, poll, set, tasks};
use chance::{dice, scaled};

#[tokio::test]
async fn what_was_dropped_in_the_queue_is_not_sent() {
    let rig = Rig::new();
    let (gate, lone) = rig.hold_reads().await;
    let (writing, write) = rig.hold_writes().await;
    let dropped = (begun(rig.get("gone")), begun(rig.set("gone", 1)));
    let read = tokio::spawn(rig.get("a"));
    let written = tokio::spawn(rig.set("a", 1));
    rig.settle().await;
    drop(dropped);
    gate.open();
    writing.open();
    done(read).await.expect("a healthy store");
    assert!(done(written).await.expect("a healthy store"));
    done(lone).await.expect("a healthy store");
    done(write).await.expect("a healthy store");
    assert_eq!(rig.seen.names(Call::GetMany), [["a"]]);
    assert_eq!(rig.seen.names(Call::SetMany), [["a"]]);
    assert_eq!(rig.stored("gone").await, None);
    assert_eq!((rig.batches(), rig.batched()), (4, 4));
    rig.leaves_nothing().await;
}

/// However long the trip takes behind which they waited.
#[tokio::test]
async fn whoever_has_left_is_not_kept_in_the_queue() {
    let rig = Rig::new();
    let (gate, lone) = rig.hold_reads().await;
    let (writing, write) = rig.hold_writes().await;
    let stays = (begun(rig.get("a")), begun(rig.set("a", 0)));
    for number in 0..1_000 {
        drop((begun(rig.get("a")), begun(rig.set("a", number)), begun(rig.delete("a"))));
    }
    rig.settle().await;
    assert!(rig.layer.waiting() < 100, "{} wait, and all but two have left", rig.layer.waiting());
    drop(stays);
    gate.open();
    writing.open();
    done(lone).await.expect("a healthy store");
    done(write).await.expect("a healthy store");
    rig.leaves_nothing().await;
}

#[tokio::test]
async fn a_queue_of_which_all_have_left_makes_no_trip() {
    let rig = Rig::new();
    let (gate, lone) = rig.hold_reads().await;
    let (writing, write) = rig.hold_writes().await;
    let reads: Vec<_> = (0..10).map(|_| begun(rig.get("a"))).collect();
    let writes: Vec<_> = (0..10).map(|number| begun(rig.set("a", number))).collect();
    drop(reads);
    drop(writes);
    gate.open();
    writing.open();
    done(lone).await.expect("a healthy store");
    done(write).await.expect("a healthy store");
    rig.settle().await;
    assert_eq!((rig.faulty.begun(Call::GetMany), rig.faulty.begun(Call::SetMany)), (1, 1));
    assert_eq!((rig.layer.waiting(), rig.batches(), rig.batched()), (0, 2, 2));
    at_once(rig.get("a")).expect("nothing is under way");
    at_once(rig.set("a", 1)).expect("nothing is under way");
    rig.leaves_nothing().await;
}

/// Those who waited for it are not left behind.
#[tokio::test]
async fn a_lone_one_that_is_dropped_lets_the_others_go() {
    for trips in 1..3 {
        let rig = Rig::of_trips(trips);
        rig.faulty.on([Call::Get, Call::Set]).stall();
        let lone = (begun(rig.get("a")), begun(rig.set("a", 1)));
        let reads: Vec<_> = (0..5).map(|_| tokio::spawn(rig.get("a"))).collect();
        let writes: Vec<_> = (0..5).map(|number| tokio::spawn(rig.set("a", number))).collect();
        rig.settle().await;
        drop(lone);
        for read in reads {
            done(read).await.expect("a healthy store");
        }
        for write in writes {
            assert!(done(write).await.expect("a healthy store"));
        }
        rig.faulty.heal();
        assert_eq!(rig.stored("a").await, Some(4));
        rig.leaves_nothing().await;
    }
}

/// And with nobody behind it, it leaves the layer as though it had never been.
#[tokio::test]
async fn a_lone_one_that_is_dropped_makes_nobody_wait() {
    let rig = Rig::new();
    rig.faulty.on([Call::Get, Call::Set]).times(2).stall();
    drop((begun(rig.get("a")), begun(rig.set("a", 1))));
    assert_eq!(rig.faulty.inside_in_all(), 0);
    assert!(at_once(rig.set("a", 2)).expect("nothing is under way"));
    assert_eq!(at_once(rig.get("a")).expect("nothing is under way"), Some(2));
    assert_eq!(tasks(), 0);
    rig.leaves_nothing().await;
}

#[tokio::test]
async fn those_who_leave_on_the_way_do_not_shift_the_answers_of_the_others() {
    let rig = Rig::new();
    for number in 0..20 {
        set(&*rig.faulty, &format!("k{number}"), number, When::Always).await.expect("a healthy store");
    }
    let (gate, lone) = rig.hold_reads().await;
    let many = rig.hold(Call::GetMany);
    let mut reads: Vec<_> = (0..20).map(|number| Some(begun(rig.get(format!("k{number}"))))).collect();
    gate.open();
    done(lone).await.expect("a healthy store");
    many.reached(1).await;
    for number in [0, 3, 4, 11, 19] {
        reads[number] = None;
    }
    many.open();
    rig.settle().await;
    for (number, read) in (0..).zip(reads) {
        let Some(mut read) = read else { continue };
        match poll(&mut read) {
            std::task::Poll::Ready(found) => assert_eq!(found.expect("a healthy store"), Some(number)),
            std::task::Poll::Pending => panic!("{number} still waits"),
        }
    }
    rig.leaves_nothing().await;
}

/// A trip from which all have gone, and the store that stalls with it.
#[tokio::test]
async fn a_trip_without_callers_ends_and_leaves_nothing() {
    for trips in 1..3 {
        let rig = Rig::of_trips(trips);
        let (gate, lone) = rig.hold_reads().await;
        let (writing, write) = rig.hold_writes_of("a").await;
        let many = rig.faulty.on([Call::GetMany, Call::SetMany]).pause();
        let dropped: Vec<_> =
            (0..5).map(|number| (begun(rig.get("a")), begun(rig.set("a", number)))).collect();
        gate.open();
        writing.open();
        many.reached(2).await;
        drop(dropped);
        rig.settle().await;
        let later = (tokio::spawn(rig.get("b")), tokio::spawn(rig.set("b", 1)));
        rig.settle().await;
        many.open();
        done(later.0).await.expect("a healthy store");
        done(later.1).await.expect("a healthy store");
        done(lone).await.expect("a healthy store");
        done(write).await.expect("a healthy store");
        rig.leaves_nothing().await;
    }
}

/// A layer that nobody holds any more ends with what it had begun.
#[tokio::test]
async fn a_layer_that_is_dropped_ends_its_tasks() {
    let rig = Rig::of_trips(2);
    let (gate, lone) = rig.hold_reads().await;
    let dropped = begun(rig.get("a"));
    rig.settle().await;
    drop(dropped);
    gate.open();
    done(lone).await.expect("a healthy store");
    rig.settle().await;
    let Rig { layer, opening, clock, faulty, seen } = rig;
    assert_eq!(Arc::strong_count(&layer), 1);
    drop(layer);
    for _ in 0..2 {
        clock.advance(batching_rig::IDLE);
        clock.pass(ms(0)).await;
    }
    assert_eq!(Arc::strong_count(&seen), 1, "something still holds the store");
    assert!(opening.tasks.is_empty());
    assert_eq!((tasks(), faulty.inside_in_all()), (0, 0));
}

/// Calls of all kinds, dropped at any point that they can be polled to, while
/// the store is slow before and after its work.
#[tokio::test]
async fn callers_that_leave_at_random_leave_nothing_behind() {
    let mut dice = dice("callers_that_leave_at_random_leave_nothing_behind");
    for _ in 0..scaled(40) {
        let rig = Rig::gathering(Gather::new(dice.usize(1..4), dice.usize(1..8)));
        rig.faulty.on(Call::ALL).delay(Arc::clone(&rig.opening.clock), ms(dice.u64(0..4)));
        rig.faulty.on(Call::ALL).after().delay(Arc::clone(&rig.opening.clock), ms(dice.u64(0..4)));
        let mut calls: Vec<Asked<()>> = Vec::new();
        for number in 0..100 {
            let (name, other) = (format!("k{}", dice.u8(0..4)), format!("k{}", dice.u8(4..6)));
            let call = match dice.u8(0..8) {
                0..=2 => unit(rig.get(name)),
                3 | 4 => unit(rig.set(name, number)),
                5 => unit(rig.delete(name)),
                6 => unit(rig.moves(name, other)),
                _ => unit(rig.clear()),
            };
            calls.push(call);
            if dice.bool() {
                rig.clock.pass(ms(dice.u64(0..3))).await;
            }
            calls.retain_mut(|call| match poll(call) {
                std::task::Poll::Ready(answer) => {
                    answer.expect("a healthy store");
                    false
                }
                std::task::Poll::Pending => dice.u8(..) >= 30,
            });
        }
        drop(calls);
        rig.clock.pass(ms(200)).await;
        rig.faulty.heal();
        rig.settle().await;
        assert!(at_once(rig.set("a", 1)).expect("a healthy store"));
        assert_eq!(at_once(rig.get("a")).expect("a healthy store"), Some(1));
        rig.leaves_nothing().await;
    }
}

fn unit<T: 'static>(call: Asked<T>) -> Asked<()> {
    Box::pin(async move { call.await.map(|_| ()) })
}
