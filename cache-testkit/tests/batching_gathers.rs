//! Those that wait travel together, and no more at once than the store says.

mod batching_rig;
mod chance;

use std::sync::Arc;

use cache_core::{AsyncCache, Batch, Batching, Gather, When};
use cache_testkit::Call;
use tokio::task::JoinHandle;

use batching_rig::{Rig, done, gathering, kind_of, set};
use chance::{dice, scaled};

fn names(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|number| format!("k{number}")).collect()
}

#[tokio::test]
async fn reads_that_wait_travel_as_the_next_get_many_in_their_order() {
    let rig = Rig::new();
    let (gate, lone) = rig.hold_reads().await;
    let reads: Vec<_> = names(0, 30).into_iter().map(|name| tokio::spawn(rig.get(name))).collect();
    rig.settle().await;
    assert_eq!(rig.layer.waiting(), 30);
    assert_eq!(rig.faulty.begun_in_all(), 2);
    gate.open();
    rig.settle().await;
    for read in reads {
        assert_eq!(done(read).await.expect("a healthy store"), None);
    }
    done(lone).await.expect("a healthy store");
    assert_eq!(rig.seen.names(Call::GetMany), [names(0, 30)]);
    assert_eq!(rig.faulty.begun_in_all(), 3);
    assert_eq!((rig.batches(), rig.batched()), (2, 31));
    rig.leaves_nothing().await;
}

#[tokio::test]
async fn writes_that_wait_travel_as_the_next_set_many_in_their_order() {
    let rig = Rig::new();
    let (gate, lone) = rig.hold_writes().await;
    let writes: Vec<_> = (0..30).map(|value| tokio::spawn(rig.set(format!("k{value}"), value))).collect();
    rig.settle().await;
    assert_eq!(rig.layer.waiting(), 30);
    assert_eq!(rig.faulty.begun_in_all(), 2);
    gate.open();
    rig.settle().await;
    for write in writes {
        assert!(done(write).await.expect("a healthy store"));
    }
    done(lone).await.expect("a healthy store");
    assert_eq!(rig.seen.names(Call::SetMany), [names(0, 30)]);
    assert_eq!(rig.faulty.begun_in_all(), 3);
    assert_eq!((rig.batches(), rig.batched()), (2, 31));
    for value in 0..30 {
        assert_eq!(rig.stored(&format!("k{value}")).await, Some(value));
    }
    rig.leaves_nothing().await;
}

/// Nobody waits for one that left alone: it may take long, and its caller may
/// not even look at it. The others travel together beside it.
#[tokio::test]
async fn those_who_find_a_lone_one_under_way_travel_together_beside_it() {
    for trips in 1..5 {
        let rig = Rig::of_trips(trips);
        let (gate, lone) = rig.hold_a_lone_read().await;
        let (writing, write) = rig.hold_a_lone_write("lone").await;
        let reads: Vec<_> = names(0, 30).into_iter().map(|name| tokio::spawn(rig.get(name))).collect();
        let writes: Vec<_> = (0..30).map(|value| tokio::spawn(rig.set(format!("k{value}"), value))).collect();
        rig.settle().await;
        assert!(!lone.is_finished() && !write.is_finished());
        for read in reads {
            done(read).await.expect("a healthy store");
        }
        let taken = rig.seen.names(Call::GetMany);
        assert!(taken.len() <= trips, "they are scattered: {taken:?}");
        for write in writes {
            assert!(done(write).await.expect("a healthy store"));
        }
        let taken = rig.seen.names(Call::SetMany);
        assert!(taken.len() <= trips, "they are scattered: {taken:?}");
        writing.open();
        gate.open();
        done(lone).await.expect("a healthy store");
        done(write).await.expect("a healthy store");
        rig.leaves_nothing().await;
    }
}

/// Many waves of operations, each answered when its gate says so, in any order.
#[tokio::test]
async fn never_more_trips_are_under_way_than_the_store_says() {
    let mut dice = dice("never_more_trips_are_under_way_than_the_store_says");
    for _ in 0..scaled(60) {
        let trips = dice.usize(1..5);
        let keys = dice.usize(1..9);
        let rig = Rig::gathering(Gather::new(trips, keys));
        let gates = [Call::Get, Call::GetMany, Call::Set, Call::SetMany].map(|call| rig.hold(call));
        let mut calls: Vec<JoinHandle<()>> = Vec::new();
        for value in 0..dice.i64(1..80) {
            let name = format!("k{}", dice.u8(0..20));
            let call: JoinHandle<()> = if dice.bool() {
                let read = rig.get(name);
                tokio::spawn(async move { assert!(read.await.is_ok()) })
            } else {
                let write = rig.set(name, value);
                tokio::spawn(async move { assert!(write.await.expect("a healthy store")) })
            };
            calls.push(call);
            if dice.u8(..) < 80 {
                rig.settle().await;
                let gate = &gates[dice.usize(0..4)];
                if gate.held() > 0 {
                    gate.release(dice.usize(0..gate.held()));
                }
            }
        }
        rig.settle().await;
        gates.iter().for_each(cache_testkit::Gate::open);
        for call in calls {
            done(call).await;
        }
        // One that left alone takes the place of a trip, but never the last one.
        assert!(rig.seen.most_reads() <= trips.max(2), "{} reads, and {trips} trips", rig.seen.most_reads());
        // Beside each trip of a lane one may have left alone.
        let most = [Call::GetMany, Call::SetMany, Call::Set].map(|call| rig.faulty.most_inside(call));
        assert!(most.iter().all(|most| *most <= trips), "{most:?}, and {trips} trips");
        assert!(rig.faulty.most_inside(Call::Get) <= 1);
        let taken = [rig.seen.names(Call::GetMany), rig.seen.names(Call::SetMany)].concat();
        assert!(taken.iter().all(|names| (1..=keys).contains(&names.len())), "{keys} keys: {taken:?}");
        let batched = taken.iter().map(Vec::len).sum::<usize>();
        assert_eq!((rig.batches(), rig.batched()), (taken.len() as u64, batched as u64));
        rig.leaves_nothing().await;
    }
}

/// All the trips that the store admits are used when they are needed.
#[tokio::test]
async fn as_many_trips_are_under_way_as_the_store_says_if_they_are_slow() {
    for trips in 1..5 {
        let rig = Rig::gathering(Gather::new(trips, 3));
        let gates = [Call::Get, Call::GetMany, Call::Set, Call::SetMany].map(|call| rig.hold(call));
        let reads: Vec<_> = names(0, 300).into_iter().map(|name| tokio::spawn(rig.get(name))).collect();
        let writes: Vec<_> =
            (0..300).map(|value| tokio::spawn(rig.set(format!("k{value}"), value))).collect();
        rig.settle().await;
        assert_eq!(rig.seen.most_reads(), trips.max(2));
        assert_eq!(rig.faulty.most_inside(Call::SetMany), trips);
        gates.iter().for_each(cache_testkit::Gate::open);
        for read in reads {
            done(read).await.expect("a healthy store");
        }
        for write in writes {
            assert!(done(write).await.expect("a healthy store"));
        }
        assert_eq!(rig.seen.most_reads(), trips.max(2));
        assert_eq!(rig.faulty.most_inside(Call::SetMany), trips);
        rig.leaves_nothing().await;
    }
}

/// Of two bounds the smaller one holds.
#[tokio::test]
async fn a_trip_has_no_more_keys_than_either_bound() {
    for (batch, gather) in [(4, 9), (9, 4), (1, 9), (9, 1)] {
        let bound = Batch::new(batch).gathering(Gather::new(1, gather));
        let rig = Rig::with(|store| gathering(store, None, None).read_batch(bound).write_batch(bound));
        let (gate, lone) = rig.hold_reads().await;
        let (writing, write) = rig.hold_writes().await;
        let reads: Vec<_> = names(0, 30).into_iter().map(|name| tokio::spawn(rig.get(name))).collect();
        let writes: Vec<_> = (0..30).map(|value| tokio::spawn(rig.set(format!("k{value}"), value))).collect();
        rig.settle().await;
        gate.open();
        writing.open();
        rig.settle().await;
        for read in reads {
            done(read).await.expect("a healthy store");
        }
        for write in writes {
            assert!(done(write).await.expect("a healthy store"));
        }
        done(lone).await.expect("a healthy store");
        done(write).await.expect("a healthy store");
        let most = batch.min(gather);
        for taken in [rig.seen.names(Call::GetMany), rig.seen.names(Call::SetMany)] {
            assert!(taken.iter().all(|names| names.len() <= most), "at most {most}: {taken:?}");
            // And they are full as far as there is somebody to fill them.
            assert_eq!(taken.len(), 30_usize.div_ceil(most), "{taken:?}");
            assert_eq!(taken.concat(), names(0, 30));
        }
        rig.leaves_nothing().await;
    }
}

#[tokio::test]
async fn the_exchanges_and_what_is_in_them_are_counted_whether_or_not_they_fail() {
    let rig = Rig::new();
    for fails in [false, true, false] {
        let before = (rig.batches(), rig.batched());
        let (gate, lone) = rig.hold_reads().await;
        let reads: Vec<_> = names(0, 7).into_iter().map(|name| tokio::spawn(rig.get(name))).collect();
        rig.settle().await;
        if fails {
            rig.faulty.on([Call::GetMany]).times(1).fail(cache_core::ErrorKind::Server);
        }
        gate.open();
        rig.settle().await;
        for read in reads {
            let answer = done(read).await;
            if fails {
                assert_eq!(kind_of(answer), cache_core::ErrorKind::Server);
            } else {
                answer.expect("a healthy store");
            }
        }
        done(lone).await.expect("a healthy store");
        assert_eq!((rig.batches(), rig.batched()), (before.0 + 2, before.1 + 8));
    }
    rig.leaves_nothing().await;
}

/// A bulk call is what it is, and is neither split nor gathered.
#[tokio::test]
async fn a_bulk_call_of_the_caller_is_not_counted_as_gathered() {
    let rig = Rig::new();
    set(&*rig.layer, "a", 1, When::Always).await.expect("a healthy store");
    let found = rig.layer.get_many(&[batching_rig::key("a")], cache_core::Read::default()).await;
    assert_eq!(found.expect("a healthy store").len(), 1);
    assert_eq!((rig.batches(), rig.batched()), (0, 0));
}

/// What an alias does not want gathered passes through, each by itself.
#[tokio::test]
async fn reads_and_writes_can_be_left_ungathered() {
    for (reads, writes) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut rig = Rig::new();
        let seen = Arc::clone(&rig.seen);
        let mut layer = Batching::new(seen, &rig.opening);
        if !reads {
            layer = layer.without_reads();
        }
        if !writes {
            layer = layer.without_writes();
        }
        rig.layer = Arc::new(layer);
        let (reading, lone) = rig.hold_a_lone_read().await;
        let (writing, write) = rig.hold_a_lone_write("lone").await;
        rig.seen.forget();
        for name in names(0, 5) {
            tokio::spawn(rig.get(name.clone()));
            tokio::spawn(rig.set(name, 1));
        }
        rig.settle().await;
        let alone = |gathered: bool| if gathered { 0 } else { 5 };
        assert_eq!(rig.seen.of(Call::Get).len(), alone(reads), "{reads} {writes}");
        assert_eq!(rig.seen.of(Call::Set).len(), alone(writes), "{reads} {writes}");
        assert_eq!(rig.batched(), 10 - (alone(reads) + alone(writes)) as u64);
        reading.open();
        writing.open();
        done(lone).await.expect("a healthy store");
        done(write).await.expect("a healthy store");
        rig.leaves_nothing().await;
    }
}

/// Whoever was answered and asks for more at once travels by the next trip.
#[tokio::test]
async fn callers_who_were_just_answered_travel_together_again() {
    let rig = Rig::new();
    let (gate, lone) = rig.hold_reads().await;
    let (writing, write) = rig.hold_writes().await;
    let callers: Vec<_> = (0..20)
        .map(|number| {
            let name = format!("k{number}");
            let reads: Vec<_> = (0..5).map(|_| rig.get(&name)).collect();
            let writes: Vec<_> = (0..5).map(|value| rig.set(&name, value)).collect();
            let reading = tokio::spawn(async move {
                for read in reads {
                    read.await.expect("a healthy store");
                }
            });
            let writing = tokio::spawn(async move {
                for write in writes {
                    assert!(write.await.expect("a healthy store"));
                }
            });
            [reading, writing]
        })
        .collect();
    rig.settle().await;
    gate.open();
    writing.open();
    for caller in callers.into_iter().flatten() {
        done(caller).await;
    }
    for (single, bulk) in [(Call::Get, Call::GetMany), (Call::Set, Call::SetMany)] {
        let taken: Vec<_> = rig.seen.names(bulk).iter().map(Vec::len).collect();
        assert_eq!((rig.seen.of(single).len(), taken), (0, vec![20; 5]), "{bulk:?}");
    }
    done(lone).await.expect("a healthy store");
    done(write).await.expect("a healthy store");
    rig.leaves_nothing().await;
}
