//! Closing lets go first what waits, and waits for nobody for ever.

mod batching_rig;

use cache_core::ErrorKind;
use cache_testkit::Call;

use batching_rig::{Rig, done, ms};

#[tokio::test]
async fn what_waits_is_sent_before_the_store_is_closed() {
    for trips in 1..3 {
        let rig = Rig::of_trips(trips);
        let (gate, lone) = rig.hold_reads().await;
        let (writing, write) = rig.hold_writes().await;
        let reads: Vec<_> = (0..10).map(|_| tokio::spawn(rig.get("a"))).collect();
        let writes: Vec<_> =
            (0..10).map(|number| tokio::spawn(rig.set(format!("k{number}"), number))).collect();
        rig.settle().await;
        let close = tokio::spawn(rig.close());
        rig.clock.pass(ms(20)).await;
        assert_eq!(rig.faulty.begun(Call::Close), 0, "it does not wait for them");
        gate.open();
        writing.open();
        for read in reads {
            done(read).await.expect("it was there before");
        }
        for write in writes {
            assert!(done(write).await.expect("it was there before"));
        }
        done(lone).await.expect("it was there before");
        done(write).await.expect("it was there before");
        done(close).await.expect("a healthy store");
        let sent = rig.seen.sent();
        assert_eq!(sent.last().map(|sent| sent.call), Some(Call::Close));
        rig.leaves_nothing().await;
    }
}

#[tokio::test]
async fn with_nothing_under_way_it_closes_at_once() {
    let rig = Rig::new();
    batching_rig::at_once(rig.close()).expect("a healthy store");
    assert_eq!(rig.faulty.begun(Call::Close), 1);
    rig.leaves_nothing().await;
}

#[tokio::test]
async fn a_stalled_store_is_closed_all_the_same_after_one_deadline() {
    let rig = Rig::new();
    rig.faulty.on([Call::Get, Call::GetMany, Call::Set, Call::SetMany]).stall();
    let lone = (tokio::spawn(rig.get("a")), tokio::spawn(rig.set("a", 1)));
    let waiting = (tokio::spawn(rig.get("b")), tokio::spawn(rig.set("b", 1)));
    rig.settle().await;
    let close = tokio::spawn(rig.close());
    rig.clock.pass(ms(99)).await;
    assert_eq!(rig.faulty.begun(Call::Close), 0);
    rig.clock.pass(ms(11)).await;
    done(close).await.expect("the store can be closed");
    assert_eq!(rig.faulty.begun(Call::Close), 1);
    rig.faulty.heal();
    done(lone.0).await.expect("the store below does not mind");
    done(lone.1).await.expect("the store below does not mind");
    assert_eq!(done(waiting.0).await.expect_err("it was stalled").kind(), ErrorKind::Deadline);
    assert_eq!(done(waiting.1).await.expect_err("it was stalled").kind(), ErrorKind::Deadline);
    rig.leaves_nothing().await;
}

/// Whoever closes may leave too.
#[tokio::test]
async fn a_close_that_is_dropped_can_be_repeated() {
    let rig = Rig::new();
    let (gate, lone) = rig.hold_reads().await;
    drop(batching_rig::begun(rig.close()));
    assert_eq!(rig.faulty.begun(Call::Close), 0);
    gate.open();
    done(lone).await.expect("a healthy store");
    batching_rig::at_once(rig.close()).expect("a healthy store");
    assert_eq!(rig.faulty.begun(Call::Close), 1);
    rig.leaves_nothing().await;
}

/// What the store says after closing is what callers hear, gathered or not.
#[tokio::test]
async fn after_closing_everybody_is_told_what_the_store_tells() {
    let rig = Rig::new();
    rig.close().await.expect("a healthy store");
    rig.faulty.on(Call::ALL).fail(ErrorKind::Closed);
    let reads: Vec<_> = (0..5).map(|_| tokio::spawn(rig.get("a"))).collect();
    let writes: Vec<_> = (0..5).map(|number| tokio::spawn(rig.set("a", number))).collect();
    for read in reads {
        assert_eq!(done(read).await.expect_err("it is closed").kind(), ErrorKind::Closed);
    }
    for write in writes {
        assert_eq!(done(write).await.expect_err("it is closed").kind(), ErrorKind::Closed);
    }
    rig.leaves_nothing().await;
}

/// Where only reads are under way, or only writes.
#[tokio::test]
async fn reads_and_writes_are_waited_for_without_the_other() {
    for is_read in [true, false] {
        let rig = Rig::new();
        let gates = [Call::Get, Call::GetMany, Call::Set, Call::SetMany].map(|call| rig.hold(call));
        for number in 0..3 {
            if is_read {
                tokio::spawn(rig.get("a"));
            } else {
                tokio::spawn(rig.set("a", number));
            }
        }
        rig.settle().await;
        let close = tokio::spawn(rig.close());
        rig.settle().await;
        assert_eq!(rig.faulty.begun(Call::Close), 0, "it does not wait");
        gates.iter().for_each(cache_testkit::Gate::open);
        done(close).await.expect("a healthy store");
        rig.leaves_nothing().await;
    }
}
