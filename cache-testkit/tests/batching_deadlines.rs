//! Each operation that waits has a deadline of its own, wherever it is by then.

mod batching_rig;
mod chance;

use std::sync::Arc;

use cache_core::{Clock, ErrorKind, Gather, Result, Tick, When};
use cache_testkit::Call;
use tokio::task::JoinHandle;

use batching_rig::{Asked, DEADLINE, GRACE, Rig, WriteKind, at_once, begun, done, ms, set};
use chance::{dice, scaled};

/// Begins it in a task: what it said, when it began to wait, and when it ended.
fn timed<T: Send + 'static>(rig: &Rig, call: Asked<T>) -> JoinHandle<(Result<T>, Tick, Tick)> {
    let clock = Arc::clone(&rig.clock);
    tokio::spawn(async move {
        let began = clock.now();
        let answer = call.await;
        (answer, began, clock.now())
    })
}

async fn ends_by_its_deadline<T: std::fmt::Debug>(call: JoinHandle<(Result<T>, Tick, Tick)>) {
    let (answer, began, ended) = done(call).await;
    assert_eq!(answer.expect_err("it was never answered").kind(), ErrorKind::Deadline);
    let until = began.after(DEADLINE);
    assert!(ended >= until, "{:?} early", until.since(ended));
    assert!(ended.since(until) <= GRACE, "{:?} late", ended.since(until));
}

/// Sends so much that everybody who comes later has to wait, in whichever lane.
/// Those who leave alone have no deadline here, but of the store's.
async fn fill_all_lanes(rig: &Rig) -> Vec<JoinHandle<()>> {
    let read = rig.get("lone");
    let mut filling = vec![tokio::spawn(async move { drop(read.await) })];
    for number in 0..400 {
        // Unlike one another, so that no lane is left out by chance.
        let write = rig.set(format!("{} of {number}", number * 7_919), 1);
        filling.push(tokio::spawn(async move { drop(write.await) }));
    }
    rig.settle().await;
    filling
}

/// Those of different ages, behind a lone one that stalls.
#[tokio::test]
async fn what_waits_in_the_queue_ends_by_its_own_deadline() {
    let rig = Rig::new();
    let (gate, lone) = rig.hold_reads().await;
    let (writing, write) = rig.hold_writes().await;
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    for number in 0..12 {
        reads.push(timed(&rig, rig.get(format!("k{number}"))));
        writes.push(timed(&rig, rig.set(format!("k{number}"), number)));
        rig.clock.pass(ms(7)).await;
    }
    rig.clock.pass(DEADLINE + GRACE).await;
    for read in reads {
        ends_by_its_deadline(read).await;
    }
    for write in writes {
        ends_by_its_deadline(write).await;
    }
    assert_eq!(rig.layer.waiting(), 0);
    gate.open();
    writing.open();
    done(lone).await.expect("a healthy store");
    done(write).await.expect("a healthy store");
    // What was given up was not sent.
    assert_eq!(rig.faulty.begun_in_all(), 4);
    rig.leaves_nothing().await;
}

/// The time in the queue counts: a trip gives nobody a new deadline.
#[tokio::test]
async fn what_is_on_its_way_ends_by_the_deadline_that_began_in_the_queue() {
    let rig = Rig::new();
    let (gate, lone) = rig.hold_reads().await;
    let (writing, write) = rig.hold_writes().await;
    let many = rig.faulty.on([Call::GetMany, Call::SetMany]).pause();
    let first = (timed(&rig, rig.get("a")), timed(&rig, rig.set("a", 1)));
    rig.clock.pass(ms(40)).await;
    let second = (timed(&rig, rig.get("b")), timed(&rig, rig.set("b", 2)));
    rig.clock.pass(ms(40)).await;
    gate.open();
    writing.open();
    many.reached(2).await;
    rig.clock.pass(ms(31)).await;
    // Those of the first kind are 111 ms old by now, of the second 71.
    ends_by_its_deadline(first.0).await;
    ends_by_its_deadline(first.1).await;
    assert!(!second.0.is_finished() && !second.1.is_finished());
    rig.clock.pass(ms(20)).await;
    many.open();
    // In time, though they travelled with those that were too late.
    assert_eq!(done(second.0).await.0.expect("it is in time"), None);
    assert!(done(second.1).await.0.expect("it is in time"));
    done(lone).await.expect("a healthy store");
    done(write).await.expect("a healthy store");
    rig.leaves_nothing().await;
}

#[tokio::test]
async fn with_all_trips_stalled_everybody_ends_by_the_deadline_and_service_resumes() {
    for trips in 1..4 {
        let rig = Rig::gathering(Gather::new(trips, 4));
        // All of them are slow from the start, the lone ones too.
        rig.faulty.on(Call::ALL).stall();
        let lone = fill_all_lanes(&rig).await;
        let reads: Vec<_> = (0..20).map(|number| timed(&rig, rig.get(format!("k{number}")))).collect();
        let writes: Vec<_> =
            (0..20).map(|number| timed(&rig, rig.set(format!("k{number}"), number))).collect();
        rig.clock.pass(DEADLINE + GRACE).await;
        for read in reads {
            ends_by_its_deadline(read).await;
        }
        for write in writes {
            ends_by_its_deadline(write).await;
        }
        assert_eq!(rig.layer.waiting(), 0);
        rig.faulty.heal();
        for lone in lone {
            done(lone).await;
        }
        rig.settle().await;
        assert!(at_once(rig.set("a", 5)).expect("the store is well"));
        assert_eq!(at_once(rig.get("a")).expect("the store is well"), Some(5));
        rig.leaves_nothing().await;
    }
}

/// The trip goes on for ever, and those who made it have long been told, or left.
#[tokio::test]
async fn newcomers_behind_a_trip_whose_callers_are_gone_end_by_their_deadline() {
    for (trips, are_dropped) in [(1, false), (1, true), (2, false), (2, true)] {
        let rig = Rig::of_trips(trips);
        let (gate, lone) = rig.hold_reads().await;
        let (writing, write) = rig.hold_writes().await;
        rig.faulty.on([Call::GetMany, Call::SetMany]).stall();
        let first: Vec<_> = (0..3).map(|_| (begun(rig.get("a")), begun(rig.set("lone", 1)))).collect();
        gate.open();
        writing.open();
        done(lone).await.expect("a healthy store");
        done(write).await.expect("a healthy store");
        rig.settle().await;
        assert_eq!((rig.faulty.inside(Call::GetMany), rig.faulty.inside(Call::SetMany)), (1, 1));
        let mut kept = Some(first);
        if are_dropped {
            kept = None;
        }
        for _ in 0..3 {
            rig.clock.pass(DEADLINE + GRACE + ms(5)).await;
            let reads: Vec<_> = (0..3).map(|_| timed(&rig, rig.get("a"))).collect();
            let writes: Vec<_> = (0..3).map(|number| timed(&rig, rig.set("lone", number))).collect();
            let delete = timed(&rig, rig.delete("lone"));
            rig.clock.pass(DEADLINE + GRACE).await;
            for read in reads {
                ends_by_its_deadline(read).await;
            }
            for write in writes {
                ends_by_its_deadline(write).await;
            }
            ends_by_its_deadline(delete).await;
        }
        drop(kept);
        rig.faulty.heal();
        rig.leaves_nothing().await;
    }
}

/// Some leave by themselves, the others stay, and newcomers take the places.
#[tokio::test]
async fn whoever_leaves_changes_nobody_elses_deadline() {
    let mut dice = dice("whoever_leaves_changes_nobody_elses_deadline");
    for _ in 0..scaled(20) {
        let rig = Rig::gathering(Gather::new(dice.usize(1..3), dice.usize(1..6)));
        rig.faulty.on(Call::ALL).stall();
        let lone = fill_all_lanes(&rig).await;
        let (mut reads, mut writes) = (Vec::new(), Vec::new());
        for number in 0..dice.i64(1..40) {
            let name = format!("k{}", dice.u8(0..10));
            if dice.bool() {
                reads.push(timed(&rig, rig.get(name)));
            } else {
                writes.push(timed(&rig, rig.set(name, number)));
            }
            rig.clock.pass(ms(dice.u64(0..4))).await;
            if dice.u8(..) < 60 && !reads.is_empty() {
                reads.swap_remove(dice.usize(0..reads.len())).abort();
            }
            if dice.u8(..) < 60 && !writes.is_empty() {
                writes.swap_remove(dice.usize(0..writes.len())).abort();
            }
        }
        rig.clock.pass(DEADLINE + GRACE).await;
        for read in reads {
            ends_by_its_deadline(read).await;
        }
        for write in writes {
            ends_by_its_deadline(write).await;
        }
        assert_eq!(rig.layer.waiting(), 0);
        rig.faulty.heal();
        for lone in lone {
            done(lone).await;
        }
        rig.leaves_nothing().await;
    }
}

/// Whatever else waits for its turn behind it.
#[tokio::test]
async fn a_write_of_any_kind_that_waits_for_its_turn_ends_by_its_deadline() {
    for kind in WriteKind::ALL {
        let rig = Rig::new();
        let (gate, lone) = rig.hold_writes().await;
        let many = rig.hold(Call::SetMany);
        let queued = tokio::spawn(rig.set("a", 1));
        rig.clock.pass(ms(50)).await;
        // Half of them wait for what is in the queue, the others for a trip.
        let token = batching_rig::token_of(&rig, "a").await;
        let in_queue = timed(&rig, kind.write(&rig, "a", "z", 2, token.clone()));
        rig.clock.pass(ms(20)).await;
        gate.open();
        rig.settle().await;
        assert_eq!(many.held(), 1, "{kind:?}");
        let in_trip = timed(&rig, kind.write(&rig, "a", "y", 3, token));
        rig.clock.pass(ms(100) + DEADLINE).await;
        for (answer, began, ended) in [done(in_queue).await, done(in_trip).await] {
            let until = began.after(DEADLINE);
            assert_eq!(answer.expect_err("its turn never came").kind(), ErrorKind::Deadline, "{kind:?}");
            assert!(ended >= until && ended.since(until) <= GRACE, "{kind:?}");
        }
        many.open();
        assert_eq!(done(queued).await.expect_err("it is over").kind(), ErrorKind::Deadline);
        done(lone).await.expect("a healthy store");
        rig.settle().await;
        // The first may have travelled with the one before it, the second not.
        let calls = rig.seen.sent().len();
        assert_ne!(rig.stored("a").await, Some(3), "what was given up was sent: {kind:?}");
        assert_eq!(calls, 1, "what was given up was sent: {kind:?}");
        rig.leaves_nothing().await;
    }
}

/// It has waited for its turn, and what is left of its time is for the store.
#[tokio::test]
async fn a_write_that_had_its_turn_has_no_more_time_than_before() {
    let kinds = WriteKind::ALL.into_iter().filter(|kind| {
        // What is gathered has no turn, and a clear takes as long as it takes.
        !matches!(kind, WriteKind::Set | WriteKind::Add | WriteKind::SetPresent | WriteKind::Clear)
    });
    for kind in kinds {
        let rig = Rig::new();
        set(&*rig.faulty, "a", 0, When::Always).await.expect("a healthy store");
        let token = batching_rig::token_of(&rig, "a").await;
        let (gate, lone) = rig.hold_writes().await;
        let queued = tokio::spawn(rig.set("a", 1));
        rig.settle().await;
        let write = timed(&rig, kind.write(&rig, "a", "z", 2, token));
        rig.clock.pass(ms(60)).await;
        let many = rig.faulty.on([Call::SetMany]).times(1).pause();
        gate.open();
        many.reached(1).await;
        rig.faulty.on(Call::ALL).stall();
        many.open();
        done(queued).await.expect("it was sent before");
        done(lone).await.expect("it was sent before");
        rig.clock.pass(ms(39)).await;
        assert!(!write.is_finished(), "{kind:?}");
        rig.clock.pass(GRACE + ms(1)).await;
        ends_by_its_deadline(write).await;
        rig.faulty.heal();
        rig.leaves_nothing().await;
    }
}

/// A caller may hold a call and not look at it for long.
#[tokio::test]
async fn those_behind_a_lone_caller_who_is_not_polled_end_by_their_deadline() {
    for trips in 1..3 {
        let rig = Rig::of_trips(trips);
        rig.faulty.on([Call::Get, Call::Set]).times(2).delay(Arc::clone(&rig.opening.clock), ms(1));
        let (read, write) = (begun(rig.get("a")), begun(rig.set("a", 0)));
        let mut reads = Vec::new();
        let mut writes = Vec::new();
        for number in 0..5 {
            reads.push(timed(&rig, rig.get("a")));
            writes.push(timed(&rig, rig.set("a", number)));
            rig.clock.pass(ms(5)).await;
        }
        rig.clock.pass(DEADLINE + GRACE).await;
        for read in reads {
            let (answer, began, ended) = done(read).await;
            assert!(ended.since(began) <= DEADLINE + GRACE);
            assert!(answer.is_ok() || ended.since(began) >= DEADLINE);
        }
        for write in writes {
            let (answer, began, ended) = done(write).await;
            assert!(ended.since(began) <= DEADLINE + GRACE);
            assert!(answer.is_ok() || ended.since(began) >= DEADLINE);
        }
        drop((read, write));
        rig.leaves_nothing().await;
    }
}

/// A caller who is answered in time, or leaves, is not remembered until then.
#[tokio::test]
async fn nothing_is_left_in_the_timer_of_those_who_have_their_answer() {
    let rig = Rig::new();
    let (gate, lone) = rig.hold_reads().await;
    let (writing, write) = rig.hold_writes().await;
    let reads: Vec<_> = (0..5).map(|_| begun(rig.get("a"))).collect();
    let writes: Vec<_> = (0..5).map(|number| begun(rig.set("a", number))).collect();
    let deletes: Vec<_> = (0..5).map(|_| begun(rig.delete("a"))).collect();
    drop((reads, writes, deletes));
    let read = tokio::spawn(rig.get("a"));
    gate.open();
    writing.open();
    done(lone).await.expect("a healthy store");
    done(write).await.expect("a healthy store");
    done(read).await.expect("a healthy store");
    rig.settle().await;
    assert_eq!(rig.opening.timer.waiting(), 0);
    rig.leaves_nothing().await;
}

/// It has waited for its turn, and its caller does not get to it.
#[tokio::test]
async fn a_caller_who_does_not_take_its_turn_keeps_the_others_for_a_moment_only() {
    let rig = Rig::new();
    let (gate, lone) = rig.hold_writes().await;
    let first = tokio::spawn(rig.set("a", 1));
    rig.settle().await;
    let second = begun(rig.incr("a"));
    let third = tokio::spawn(rig.set("b", 1));
    rig.settle().await;
    gate.open();
    assert!(done(first).await.expect("a healthy store"));
    rig.clock.pass(ms(19)).await;
    assert!(!third.is_finished(), "it is not its turn yet");
    rig.clock.pass(GRACE).await;
    assert!(done(third).await.expect("a healthy store"));
    drop(second);
    done(lone).await.expect("a healthy store");
    rig.leaves_nothing().await;
}

/// And those whose time is over meanwhile are told.
#[tokio::test]
async fn those_behind_a_caller_who_does_not_take_its_turn_end_by_their_deadline() {
    let rig = Rig::new();
    let (gate, lone) = rig.hold_writes().await;
    rig.clock.pass(ms(5)).await;
    let first = tokio::spawn(rig.set("a", 1));
    rig.settle().await;
    let second = begun(rig.incr("a"));
    let third = timed(&rig, rig.set("b", 1));
    rig.clock.pass(ms(94)).await;
    gate.open();
    assert!(done(first).await.expect("it is in time"));
    rig.clock.pass(ms(16)).await;
    ends_by_its_deadline(third).await;
    drop(second);
    done(lone).await.expect("a healthy store");
    rig.leaves_nothing().await;
}
