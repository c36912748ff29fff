//! A write of a key that waits to be written goes after what waits.

mod batching_rig;
mod chance;

use std::sync::Arc;

use cache_core::{AsyncCache, Entry, Format, Gather, Life, NewEntry, When, Write};
use cache_testkit::Call;
use tokio::task::JoinHandle;

use batching_rig::{DEADLINE, Rig, WriteKind, at_once, begun, done, key, ms, set, token_of};
use chance::{dice, scaled};

/// What the key has in the end if nothing is there before, `1` is set, and then
/// this is done, `2` being its value and `7` what stands under the other key.
fn after_one(kind: WriteKind) -> Option<i64> {
    match kind {
        WriteKind::Set | WriteKind::SetPresent | WriteKind::SetMany | WriteKind::Incr => Some(2),
        // The token is of what was there before.
        WriteKind::Add | WriteKind::Touch | WriteKind::SetUnchanged | WriteKind::DeleteUnchanged => Some(1),
        WriteKind::Delete | WriteKind::DeleteMany | WriteKind::MoveAway | WriteKind::Clear => None,
        WriteKind::MoveHere => Some(7),
    }
}

/// A rig with a value under the key and under the other, and what the token of
/// the first is.
async fn filled(gather: Gather) -> (Rig, Option<cache_core::Token>) {
    let rig = Rig::gathering(gather);
    set(&*rig.faulty, "a", 0, When::Always).await.expect("a healthy store");
    set(&*rig.faulty, "z", 7, When::Always).await.expect("a healthy store");
    let token = token_of(&rig, "a").await;
    (rig, token)
}

#[tokio::test]
async fn a_later_write_of_any_kind_goes_after_one_in_the_queue() {
    for kind in WriteKind::ALL {
        for trips in 1..4 {
            let (rig, token) = filled(Gather::new(trips, 100)).await;
            // The lane of the key itself is busy, whichever it is.
            let (gate, lone) = rig.hold_writes_of("a").await;
            let earlier = tokio::spawn(rig.set("a", 1));
            rig.settle().await;
            let later = tokio::spawn(kind.write(&rig, "a", "z", 2, token));
            rig.settle().await;
            assert!(!later.is_finished(), "{kind:?} overtakes");
            assert_eq!(rig.stored("a").await, Some(0), "{kind:?} overtakes");
            gate.open();
            assert!(done(earlier).await.expect("a healthy store"));
            done(later).await.expect("a healthy store");
            done(lone).await.expect("a healthy store");
            assert_eq!(rig.stored("a").await, after_one(kind), "{kind:?}");
            rig.leaves_nothing().await;
        }
    }
}

/// Its caller may be gone; the store works on it all the same.
#[tokio::test]
async fn a_later_write_of_any_kind_goes_after_one_on_its_way_even_if_that_was_dropped() {
    for kind in WriteKind::ALL {
        for (trips, is_dropped) in [(1, false), (1, true), (2, true), (3, true)] {
            let (rig, token) = filled(Gather::new(trips, 100)).await;
            let gate = rig.faulty.on([Call::Set]).times(1).pause();
            let lone = tokio::spawn(rig.set("a", 0));
            gate.reached(1).await;
            let many = rig.faulty.on([Call::SetMany]).times(1).pause();
            let mut earlier = Some(begun(rig.set("a", 1)));
            gate.open();
            done(lone).await.expect("a healthy store");
            many.reached(1).await;
            if is_dropped {
                earlier = None;
            }
            let later = tokio::spawn(kind.write(&rig, "a", "z", 2, token));
            rig.settle().await;
            assert!(!later.is_finished(), "{kind:?} is acknowledged too soon");
            assert_eq!(rig.stored("a").await, Some(0), "{kind:?} overtakes");
            many.open();
            done(later).await.expect("a healthy store");
            assert_eq!(rig.stored("a").await, after_one(kind), "{kind:?}");
            drop(earlier);
            rig.leaves_nothing().await;
        }
    }
}

/// A write that was dropped in the queue takes nobody's time and no effect.
#[tokio::test]
async fn a_later_write_of_any_kind_does_not_meet_one_that_was_dropped_in_the_queue() {
    for kind in WriteKind::ALL {
        let (rig, _) = filled(Gather::new(1, 100)).await;
        let (gate, lone) = rig.hold_writes().await;
        let earlier = begun(rig.set("a", 1));
        rig.settle().await;
        let token = token_of(&rig, "a").await;
        let later = tokio::spawn(kind.write(&rig, "a", "z", 2, token));
        rig.settle().await;
        drop(earlier);
        rig.settle().await;
        gate.open();
        done(later).await.expect("a healthy store");
        done(lone).await.expect("a healthy store");
        let names = rig.seen.names(Call::SetMany).concat();
        assert!(names.iter().filter(|name| *name == "a").count() <= 1, "{kind:?}: {names:?}");
        let expected = match kind {
            WriteKind::Set | WriteKind::SetPresent | WriteKind::SetUnchanged | WriteKind::SetMany => Some(2),
            WriteKind::Add | WriteKind::Touch => Some(0),
            WriteKind::Incr => Some(1),
            WriteKind::MoveHere => Some(7),
            _ => None,
        };
        assert_eq!(rig.stored("a").await, expected, "{kind:?}");
        rig.leaves_nothing().await;
    }
}

/// A write that waits for its turn is itself waited for, and if it is dropped,
/// neither done nor waited for.
#[tokio::test]
async fn writes_behind_one_that_waits_for_its_turn_go_after_it() {
    for kind in WriteKind::ALL {
        for is_dropped in [false, true] {
            let (rig, token) = filled(Gather::new(2, 100)).await;
            let (gate, lone) = rig.hold_writes_of("a").await;
            let first = tokio::spawn(rig.set("a", 1));
            rig.settle().await;
            let mut second = kind.write(&rig, "a", "z", 2, token);
            assert!(batching_rig::poll(&mut second).is_pending());
            let third = tokio::spawn(rig.set("a", 3));
            rig.settle().await;
            let second = if is_dropped {
                drop(second);
                None
            } else {
                Some(tokio::spawn(second))
            };
            let begun = kind.calls().iter().map(|call| rig.faulty.begun(*call)).sum::<usize>();
            gate.open();
            assert!(done(first).await.expect("a healthy store"));
            assert!(done(third).await.expect("a healthy store"));
            done(lone).await.expect("a healthy store");
            if let Some(second) = second {
                done(second).await.expect("a healthy store");
            } else if !kind.calls().contains(&Call::Set) {
                let now = kind.calls().iter().map(|call| rig.faulty.begun(*call)).sum::<usize>();
                assert_eq!(now, begun, "{kind:?} was dropped, and done");
            }
            // A clear takes what it finds, and what is written meanwhile may go or stay.
            if kind != WriteKind::Clear {
                assert_eq!(rig.stored("a").await, Some(3), "{kind:?}");
            }
            rig.leaves_nothing().await;
        }
    }
}

#[tokio::test]
async fn a_clear_takes_all_that_was_waiting_when_it_began() {
    for trips in 1..4 {
        let rig = Rig::of_trips(trips);
        let gates = [rig.hold(Call::Set), rig.hold(Call::SetMany)];
        let lone = tokio::spawn(rig.set("lone", 0));
        rig.settle().await;
        let writes: Vec<_> = (0..40).map(|number| tokio::spawn(rig.set(format!("k{number}"), 1))).collect();
        rig.settle().await;
        let clear = tokio::spawn(rig.clear());
        rig.settle().await;
        assert_eq!(rig.faulty.begun(Call::Clear), 0, "it does not wait");
        gates.iter().for_each(cache_testkit::Gate::open);
        for write in writes {
            assert!(done(write).await.expect("a healthy store"));
        }
        done(lone).await.expect("a healthy store");
        done(clear).await.expect("a healthy store");
        assert_eq!(rig.faulty.usage().entries, Some(0));
        rig.leaves_nothing().await;
    }
}

/// A long clear is no reason for anybody to wait.
#[tokio::test]
async fn nobody_waits_for_a_clear() {
    let rig = Rig::new();
    let (gate, lone) = rig.hold_writes().await;
    let waiting = tokio::spawn(rig.set("a", 1));
    rig.settle().await;
    let clearing = rig.faulty.on([Call::Clear]).pause();
    let clear = tokio::spawn(rig.clear());
    rig.settle().await;
    gate.open();
    clearing.reached(1).await;
    done(waiting).await.expect("a healthy store");
    done(lone).await.expect("a healthy store");
    assert!(at_once(rig.set("a", 2)).expect("a healthy store"));
    assert!(at_once(rig.delete("a")).expect("a healthy store"));
    rig.clock.pass(DEADLINE + ms(50)).await;
    assert!(!clear.is_finished(), "it may take as long as it takes");
    clearing.open();
    done(clear).await.expect("a healthy store");
    rig.leaves_nothing().await;
}

/// A write of other keys has nothing to wait for.
#[tokio::test]
async fn a_write_of_another_key_that_travels_alone_does_not_wait() {
    let rig = Rig::new();
    set(&*rig.faulty, "b", 5, When::Always).await.expect("a healthy store");
    let (gate, lone) = rig.hold_writes().await;
    let waiting = tokio::spawn(rig.set("a", 1));
    rig.settle().await;
    assert_eq!(at_once(rig.incr("b")).expect("a healthy store"), Some(6));
    assert!(at_once(rig.moves("b", "c")).expect("a healthy store"));
    at_once(WriteKind::SetMany.write(&rig, "b", "c", 1, None)).expect("a healthy store");
    at_once(WriteKind::DeleteMany.write(&rig, "b", "c", 1, None)).expect("a healthy store");
    gate.open();
    done(waiting).await.expect("a healthy store");
    done(lone).await.expect("a healthy store");
    rig.leaves_nothing().await;
}

fn set_many(rig: &Rig, names: Vec<String>, value: i64) -> JoinHandle<()> {
    let layer = Arc::clone(&rig.layer);
    tokio::spawn(async move {
        let format = Format::default();
        let items: Vec<_> = names
            .iter()
            .map(|name| {
                let value = NewEntry::of(Entry::from_integer(value), &format);
                (key(name), value, Write::new(Life::Forever))
            })
            .collect();
        for answer in layer.set_many(&items).await.expect("a healthy store") {
            assert!(answer.expect("a healthy store"));
        }
    })
}

/// Whichever lanes its keys are in.
#[tokio::test]
async fn a_bulk_write_goes_after_all_that_waits_for_any_of_its_keys() {
    let mut dice = dice("a_bulk_write_goes_after_all_that_waits_for_any_of_its_keys");
    for _ in 0..scaled(20) {
        let rig = Rig::gathering(Gather::new(dice.usize(2..5), 4));
        let alone = rig.hold(Call::Set);
        let together = rig.hold(Call::SetMany);
        let names: Vec<String> = (0..12).map(|number| format!("k{number}")).collect();
        let write = |value| names.iter().map(|name| tokio::spawn(rig.set(name, value))).collect::<Vec<_>>();
        let earlier: Vec<_> = [write(0), write(1)].into_iter().flatten().collect();
        rig.settle().await;
        alone.open();
        let bulk = set_many(&rig, names.clone(), 2);
        rig.settle().await;
        while !bulk.is_finished() {
            let is_sent = rig.seen.of(Call::SetMany).iter().any(|sent| sent.names.len() == names.len());
            let is_any_left = earlier.iter().any(|write| !write.is_finished());
            assert!(!(is_sent && is_any_left), "it overtakes");
            assert!(together.release(dice.usize(0..together.held())), "nobody is there, and it waits");
            rig.settle().await;
        }
        done(bulk).await;
        for write in earlier {
            assert!(done(write).await.expect("a healthy store"));
        }
        for name in &names {
            assert_eq!(rig.stored(name).await, Some(2));
        }
        rig.leaves_nothing().await;
    }
}

/// Each waits for turns in several lanes, in whatever order it names its keys.
#[tokio::test]
async fn crossing_moves_and_bulk_writes_do_not_wait_for_one_another_for_ever() {
    let mut dice = dice("crossing_moves_and_bulk_writes_do_not_wait_for_one_another_for_ever");
    for _ in 0..scaled(100) {
        let rig = Rig::gathering(Gather::new(dice.usize(1..5), dice.usize(1..5)));
        let gates = [rig.hold(Call::Set), rig.hold(Call::SetMany), rig.hold(Call::Move)];
        let mut calls = Vec::new();
        for number in 0..dice.i64(5..40) {
            let mut names: Vec<String> = (0..6).map(|number| format!("k{number}")).collect();
            dice.shuffle(&mut names);
            calls.push(match dice.u8(0..4) {
                0 => {
                    let call = rig.moves(names.swap_remove(0), names.swap_remove(0));
                    tokio::spawn(async move { assert!(call.await.is_ok()) })
                }
                1 => {
                    names.truncate(dice.usize(1..6));
                    set_many(&rig, names, number)
                }
                _ => {
                    let call = rig.set(names.swap_remove(0), number);
                    tokio::spawn(async move { assert!(call.await.expect("a healthy store")) })
                }
            });
            if dice.bool() {
                rig.settle().await;
                let gate = &gates[dice.usize(0..3)];
                if gate.held() > 0 {
                    gate.release(dice.usize(0..gate.held()));
                }
            }
        }
        gates.iter().for_each(cache_testkit::Gate::open);
        for call in calls {
            done(call).await;
        }
        rig.leaves_nothing().await;
    }
}

/// One caller's writes, each begun when the one before was acknowledged or
/// dropped, in any lane and under load of others.
#[tokio::test]
async fn the_last_acknowledged_of_one_callers_writes_wins() {
    let mut dice = dice("the_last_acknowledged_of_one_callers_writes_wins");
    for _ in 0..scaled(100) {
        let rig = Rig::gathering(Gather::new(dice.usize(1..5), dice.usize(1..5)));
        rig.faulty.on([Call::Set, Call::SetMany]).delay(Arc::clone(&rig.opening.clock), ms(2));
        let others: Vec<_> = (0..20).map(|number| tokio::spawn(rig.set(format!("k{number}"), 1))).collect();
        let mut last = None;
        for value in 0..12 {
            let mut write = rig.set("k0", value);
            if dice.bool() {
                // Begun, looked at now and then, and dropped.
                for _ in 0..dice.u8(1..5) {
                    if batching_rig::poll(&mut write).is_ready() {
                        last = Some(value);
                        break;
                    }
                    rig.clock.pass(ms(dice.u64(0..2))).await;
                }
                continue;
            }
            let write = tokio::spawn(write);
            while !write.is_finished() {
                rig.clock.pass(ms(1)).await;
            }
            assert!(done(write).await.expect("a healthy store"));
            last = Some(value);
            assert_eq!(rig.stored("k0").await, last);
        }
        rig.clock.pass(ms(50)).await;
        for other in others {
            assert!(done(other).await.expect("a healthy store"));
        }
        let stored = rig.stored("k0").await;
        assert!(stored >= last, "{stored:?} and not {last:?}");
        rig.leaves_nothing().await;
    }
}

/// Of the keys of a move one is waited for, and the other waits for the move.
#[tokio::test]
async fn a_write_of_any_key_of_one_that_waits_for_its_turn_goes_after_it() {
    let (rig, _) = filled(Gather::new(1, 100)).await;
    let (gate, lone) = rig.hold_writes().await;
    let first = tokio::spawn(rig.set("a", 1));
    rig.settle().await;
    let second = tokio::spawn(rig.moves("a", "z"));
    rig.settle().await;
    let third = tokio::spawn(rig.incr("z"));
    rig.settle().await;
    assert!(!third.is_finished(), "it overtakes");
    gate.open();
    assert!(done(first).await.expect("a healthy store"));
    assert!(done(second).await.expect("a healthy store"));
    assert_eq!(done(third).await.expect("a healthy store"), Some(2));
    done(lone).await.expect("a healthy store");
    rig.leaves_nothing().await;
}

/// Its caller has not got to it yet.
#[tokio::test]
async fn a_later_write_goes_after_one_whose_turn_it_is() {
    let (rig, _) = filled(Gather::new(1, 100)).await;
    let (gate, lone) = rig.hold_writes().await;
    let first = tokio::spawn(rig.set("a", 1));
    rig.settle().await;
    let mut second = begun(rig.incr("a"));
    gate.open();
    assert!(done(first).await.expect("a healthy store"));
    rig.settle().await;
    let third = tokio::spawn(begun(rig.delete("a")));
    rig.settle().await;
    assert_eq!(rig.stored("a").await, Some(1), "it overtakes");
    assert!(batching_rig::poll(&mut second).is_ready());
    assert!(done(third).await.expect("a healthy store"));
    assert_eq!(rig.stored("a").await, None);
    done(lone).await.expect("a healthy store");
    rig.leaves_nothing().await;
}

/// What it has waited for is over once it is sent, however long it takes.
#[tokio::test]
async fn nobody_waits_for_a_write_that_was_sent_in_its_turn() {
    let (rig, _) = filled(Gather::new(1, 100)).await;
    let (gate, lone) = rig.hold_writes().await;
    let slow = rig.hold(Call::Incr);
    let first = tokio::spawn(rig.set("a", 1));
    rig.settle().await;
    let second = tokio::spawn(rig.incr("a"));
    rig.settle().await;
    let third = tokio::spawn(rig.set("b", 1));
    rig.settle().await;
    gate.open();
    assert!(done(first).await.expect("a healthy store"));
    assert!(done(third).await.expect("a healthy store"));
    assert!(!second.is_finished());
    slow.open();
    done(second).await.expect("a healthy store");
    done(lone).await.expect("a healthy store");
    rig.leaves_nothing().await;
}

/// In another lane others wait before it: until then nobody passes it in this one.
#[tokio::test]
async fn a_move_keeps_the_turn_that_it_has_until_it_has_the_other() {
    let rig = Rig::of_trips(2);
    let (gate, lone) = rig.hold_writes_of("a").await;
    // What goes at once has another lane.
    let mut others = (0..64).map(|number| format!("k{number}"));
    let other = others.find(|name| batching_rig::poll(&mut rig.set(name, 0)).is_ready());
    let other = other.expect("there are two lanes");
    gate.open();
    done(lone).await.expect("a healthy store");
    rig.settle().await;
    // Whichever of the lanes comes first.
    keeps_its_turn(&rig, "a", &other).await;
    keeps_its_turn(&rig, &other, "a").await;
    rig.leaves_nothing().await;
}

async fn keeps_its_turn(rig: &Rig, from: &str, to: &str) {
    let (here, lone) = rig.hold_writes_of(from).await;
    let (there, other_lone) = rig.hold_writes_of(to).await;
    let first = tokio::spawn(rig.set(from, 1));
    rig.settle().await;
    let moved = tokio::spawn(rig.moves(from, to));
    rig.settle().await;
    let later = tokio::spawn(rig.set(from, 3));
    rig.settle().await;
    here.open();
    assert!(done(first).await.expect("a healthy store"));
    rig.settle().await;
    assert!(!later.is_finished(), "it overtakes");
    there.open();
    assert!(done(moved).await.expect("a healthy store"));
    assert!(done(later).await.expect("a healthy store"));
    assert_eq!((rig.stored(from).await, rig.stored(to).await), (Some(3), Some(1)));
    done(lone).await.expect("a healthy store");
    done(other_lone).await.expect("a healthy store");
}

/// It travelled with the trip before: what travels now is of another key.
#[tokio::test]
async fn nobody_waits_for_a_key_that_has_been_written() {
    let rig = Rig::new();
    let (gate, lone) = rig.hold_writes().await;
    let many = rig.hold(Call::SetMany);
    let first = tokio::spawn(rig.set("a", 1));
    rig.settle().await;
    gate.open();
    many.reached(1).await;
    let second = tokio::spawn(rig.set("b", 1));
    rig.settle().await;
    assert!(many.release(0));
    assert!(done(first).await.expect("a healthy store"));
    many.reached(2).await;
    assert_eq!(at_once(rig.incr("a")).expect("a healthy store"), Some(2));
    many.open();
    assert!(done(second).await.expect("a healthy store"));
    done(lone).await.expect("a healthy store");
    rig.leaves_nothing().await;
}
