//! A store that panics takes nobody with it but those whom it was working for.

mod batching_rig;

use cache_core::{ErrorKind, Gather};
use cache_testkit::Call;

use batching_rig::{Rig, at_once, done};

#[tokio::test]
async fn a_trip_that_panics_fails_those_who_travelled_by_it_and_the_next_goes() {
    for trips in 1..3 {
        let rig = Rig::gathering(Gather::new(trips, 3));
        let (gate, lone) = rig.hold_reads().await;
        let (writing, write) = rig.hold_writes_of("a").await;
        rig.faulty.on([Call::GetMany]).times(1).panic();
        rig.faulty.on([Call::SetMany]).times(1).panic();
        let reads: Vec<_> = (0..9).map(|_| tokio::spawn(rig.get("a"))).collect();
        // Of one key, and so in one lane.
        let writes: Vec<_> = (0..9).map(|number| tokio::spawn(rig.set("a", number))).collect();
        rig.settle().await;
        gate.open();
        writing.open();
        done(lone).await.expect("it had no part in it");
        done(write).await.expect("it had no part in it");
        let mut failed = (0, 0);
        for read in reads {
            if let Err(error) = done(read).await {
                assert!(matches!(error.kind(), ErrorKind::Panicked | ErrorKind::Server), "{error}");
                failed.0 += 1;
            }
        }
        for write in writes {
            if let Err(error) = done(write).await {
                assert!(matches!(error.kind(), ErrorKind::Panicked | ErrorKind::Server), "{error}");
                failed.1 += 1;
            }
        }
        assert_eq!(failed, (3, 3), "with {trips} trips");
        assert_eq!(rig.stored("a").await, Some(8));
        rig.settle().await;
        assert!(at_once(rig.set("a", 9)).expect("it works again"));
        assert_eq!(at_once(rig.get("a")).expect("it works again"), Some(9));
        assert!(at_once(rig.delete("a")).expect("it works again"));
        rig.leaves_nothing().await;
    }
}

#[tokio::test]
async fn a_lone_one_that_panics_lets_the_others_go() {
    let rig = Rig::new();
    let gates = [rig.hold(Call::Get), rig.hold(Call::Set)];
    rig.faulty.on([Call::Get, Call::Set]).times(2).panic();
    let (lone, write) = (tokio::spawn(rig.get("a")), tokio::spawn(rig.set("a", 0)));
    gates[0].reached(1).await;
    gates[1].reached(1).await;
    let reads: Vec<_> = (0..5).map(|_| tokio::spawn(rig.get("a"))).collect();
    let writes: Vec<_> = (0..5).map(|number| tokio::spawn(rig.set("a", number))).collect();
    rig.settle().await;
    gates.iter().for_each(cache_testkit::Gate::open);
    assert!(lone.await.expect_err("the store panics").is_panic());
    assert!(write.await.expect_err("the store panics").is_panic());
    for read in reads {
        done(read).await.expect("of the next trip");
    }
    for write in writes {
        assert!(done(write).await.expect("of the next trip"));
    }
    rig.leaves_nothing().await;
}

/// A write that waits for its turn gets it, though the one before it panicked.
#[tokio::test]
async fn a_write_behind_a_trip_that_panics_has_its_turn() {
    for after in [false, true] {
        let rig = Rig::new();
        let (gate, lone) = rig.hold_writes().await;
        let on = rig.faulty.on([Call::SetMany]).times(1);
        if after {
            on.after().panic();
        } else {
            on.panic();
        }
        let queued = tokio::spawn(rig.set("a", 1));
        rig.settle().await;
        let delete = tokio::spawn(rig.delete("a"));
        let clear = tokio::spawn(rig.clear());
        rig.settle().await;
        gate.open();
        assert!(done(queued).await.is_err());
        assert_eq!(done(delete).await.expect("a healthy store"), after);
        done(clear).await.expect("a healthy store");
        done(lone).await.expect("a healthy store");
        rig.leaves_nothing().await;
    }
}

/// The program's own panic, on a runtime on which others wait: it ends as
/// panics do, and nothing more comes of it.
#[test]
fn a_panic_of_the_program_while_others_wait_is_only_a_panic() {
    let panicked = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let rig = Rig::of_trips(2);
        runtime.block_on(async {
            let gates = [Call::Get, Call::Set, Call::GetMany, Call::SetMany].map(|call| rig.hold(call));
            let mut held = Vec::new();
            for number in 0..5 {
                held.push(batching_rig::begun(rig.set("a", number)));
                drop(tokio::spawn(rig.get("a")));
            }
            rig.settle().await;
            assert_eq!(gates.len(), 0, "as it is meant to be");
        });
    })
    .join();
    assert!(panicked.is_err());
}
