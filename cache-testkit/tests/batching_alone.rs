//! In a quiet moment an operation leaves at once, as it is; and what is not
//! gathered passes through in any case.

mod batching_rig;

use std::sync::Arc;

use cache_core::{AsyncCache, ErrorKind, Gather, Life, Probe, Read, ReadFrom, When};
use cache_testkit::Call;

use batching_rig::{
    DEADLINE, Rig, at_once, begun, done, gathering, integer, key, kind_of, ms, set, tasks, token_of,
};

#[tokio::test]
async fn a_lone_operation_leaves_at_once_as_it_is() {
    let rig = Rig::new();
    for round in 0..50 {
        assert!(at_once(rig.set("a", round)).expect("a healthy store"));
        assert_eq!(at_once(rig.get("a")).expect("a healthy store"), Some(round));
        assert_eq!(at_once(rig.get("b")).expect("a healthy store"), None);
    }
    assert_eq!((rig.faulty.begun(Call::Set), rig.faulty.begun(Call::Get)), (50, 100));
    assert_eq!(rig.faulty.begun_in_all(), 150);
    assert_eq!((rig.batches(), rig.batched(), tasks()), (0, 0, 0));
    rig.leaves_nothing().await;
}

/// One after the other, each is alone, however long it takes.
#[tokio::test]
async fn a_caller_who_waits_for_each_answer_is_never_gathered() {
    let rig = Rig::new();
    rig.faulty.on(Call::ALL).delay(Arc::clone(&rig.opening.clock), ms(1));
    for round in 0..20 {
        for call in [rig.set("a", round), rig.set("b", round)] {
            let write = tokio::spawn(call);
            rig.clock.pass(ms(1)).await;
            assert!(write.is_finished(), "it takes longer than without the layer");
        }
        let read = tokio::spawn(rig.get("a"));
        rig.clock.pass(ms(1)).await;
        assert!(read.is_finished(), "it takes longer than without the layer");
    }
    assert_eq!(rig.faulty.begun_in_all(), 60);
    assert_eq!((rig.faulty.begun(Call::Set), rig.faulty.begun(Call::Get)), (40, 20));
    rig.leaves_nothing().await;
}

/// A queue that was needed once does not stay.
#[tokio::test]
async fn after_a_rush_an_operation_leaves_at_once_again() {
    let rig = Rig::of_trips(2);
    for _ in 0..3 {
        let reads: Vec<_> = (0..20).map(|_| tokio::spawn(rig.get("a"))).collect();
        let writes: Vec<_> = (0..20).map(|value| tokio::spawn(rig.set("a", value))).collect();
        rig.settle().await;
        assert!(reads.iter().all(tokio::task::JoinHandle::is_finished));
        assert!(writes.iter().all(tokio::task::JoinHandle::is_finished));
        let before = (rig.faulty.begun(Call::Get), rig.faulty.begun(Call::Set));
        at_once(rig.get("a")).expect("a healthy store");
        at_once(rig.set("a", 1)).expect("a healthy store");
        let after = (rig.faulty.begun(Call::Get), rig.faulty.begun(Call::Set));
        assert_eq!(after, (before.0 + 1, before.1 + 1));
    }
    rig.leaves_nothing().await;
}

#[tokio::test]
async fn reads_do_not_make_writes_wait_nor_writes_reads() {
    let rig = Rig::new();
    let (reads, read) = rig.hold_reads().await;
    at_once(rig.set("a", 1)).expect("no write is under way");
    reads.open();
    done(read).await.expect("a healthy store");
    let (writes, write) = rig.hold_writes().await;
    assert_eq!(at_once(rig.get("a")).expect("no read is under way"), Some(1));
    writes.open();
    done(write).await.expect("a healthy store");
    rig.leaves_nothing().await;
}

#[tokio::test]
async fn where_the_store_says_nothing_operations_pass_through() {
    let gather = Gather::new(1, 100);
    for (reads, writes) in [(None, None), (Some(gather), None), (None, Some(gather))] {
        let rig = Rig::with(|store| gathering(store, reads, writes));
        let (gate, read) = rig.hold_a_lone_read().await;
        let (writing, write) = rig.hold_a_lone_write("lone").await;
        if reads.is_none() {
            assert_eq!(at_once(rig.get("a")).expect("it passes through"), None);
        } else {
            drop(begun(rig.get("a")));
        }
        if writes.is_none() {
            assert!(at_once(rig.set("a", 1)).expect("it passes through"));
        } else {
            drop(begun(rig.set("a", 1)));
        }
        gate.open();
        writing.open();
        done(read).await.expect("a healthy store");
        done(write).await.expect("a healthy store");
        rig.leaves_nothing().await;
    }
}

#[tokio::test]
async fn what_is_not_gathered_does_not_wait_while_others_do() {
    let rig = Rig::new();
    set(&*rig.faulty, "b", 7, When::Always).await.expect("a healthy store");
    let (reads, read) = rig.hold_reads().await;
    let (writes, write) = rig.hold_writes().await;
    let waiting = (tokio::spawn(rig.get("a")), tokio::spawn(rig.set("a", 1)));
    rig.settle().await;
    assert_eq!(rig.layer.waiting(), 2);

    let layer = &rig.layer;
    assert!(
        at_once(Box::pin({
            let layer = Arc::clone(layer);
            async move { layer.ahas_key(&key("b"), Read::default()).await }
        }))
        .expect("a healthy store")
    );
    let life = at_once(Box::pin({
        let layer = Arc::clone(layer);
        async move { layer.alife(&key("b"), Read::default()).await }
    }));
    assert_eq!(life.expect("a healthy store"), Some(Life::Forever));
    let many = at_once(Box::pin({
        let layer = Arc::clone(layer);
        async move { layer.get_many(&[key("b"), key("c")], Read::default()).await }
    }));
    assert_eq!(many.expect("a healthy store").len(), 2);
    at_once(Box::pin({
        let layer = Arc::clone(layer);
        async move { layer.aping().await }
    }))
    .expect("a healthy store");
    // Writes of keys that nobody waits to write.
    assert_eq!(at_once(rig.incr("b")).expect("a healthy store"), Some(8));
    assert!(at_once(rig.moves("b", "c")).expect("a healthy store"));
    assert!(at_once(rig.delete("c")).expect("a healthy store"));
    assert_eq!(rig.layer.waiting(), 2);

    reads.open();
    writes.open();
    done(read).await.expect("a healthy store");
    done(write).await.expect("a healthy store");
    done(waiting.0).await.expect("a healthy store");
    done(waiting.1).await.expect("a healthy store");
    rig.leaves_nothing().await;
}

/// Under load a token is still a token, and who asks the leader gets the leader.
#[tokio::test]
async fn a_read_for_a_token_or_of_the_leader_gets_what_it_asks_for() {
    let rig = Rig::new();
    set(&*rig.faulty, "a", 7, When::Always).await.expect("a healthy store");
    let token = token_of(&rig, "a").await.expect("the store gives tokens");
    let (gate, lone) = rig.hold_reads().await;
    let reads: Vec<_> = [Read::default(), Read::default().with_token(), Read::LEADER]
        .into_iter()
        .map(|read| {
            let layer = Arc::clone(&rig.layer);
            tokio::spawn(async move { layer.aget(&key("a"), read).await })
        })
        .collect();
    rig.settle().await;
    gate.open();
    let mut found = Vec::new();
    for read in reads {
        found.push(done(read).await.expect("a healthy store").expect("it is there"));
    }
    assert!(found.iter().all(|found| integer(found) == 7));
    assert_eq!(found[1].token.as_ref(), Some(&token));
    let of_leader = rig
        .seen
        .sent()
        .into_iter()
        .filter(|sent| sent.from == ReadFrom::Leader && matches!(sent.call, Call::Get | Call::GetMany));
    assert_eq!(of_leader.count(), 1);
    assert_eq!(rig.seen.sent().iter().filter(|sent| sent.token).count(), 1);
    done(lone).await.expect("a healthy store");
    rig.leaves_nothing().await;
}

#[tokio::test]
async fn what_it_says_of_itself_is_what_the_store_says() {
    let rig = Rig::new();
    set(&*rig.faulty, "a", 7, When::Always).await.expect("a healthy store");
    let (of_layer, of_store) = (rig.layer.capabilities(), rig.faulty.capabilities());
    assert_eq!(of_layer.clone().deadline(None), of_store.deadline(None));
    assert!(matches!(rig.layer.probe(&key("a")), Probe::Await));
    assert_eq!(rig.layer.usage(), rig.faulty.usage());
}

/// A handle keeps no deadline of its own where a layer says that each call ends
/// by itself; so each has to, whatever the store does.
#[tokio::test]
async fn if_it_promises_a_deadline_a_lone_operation_has_it_too() {
    let rig = Rig::new();
    let Some(promised) = rig.layer.capabilities().deadline else { return };
    assert_eq!(promised, DEADLINE);
    rig.faulty.on(Call::ALL).stall();
    let calls = [
        tokio::spawn(async_kind(rig.get("a"))),
        tokio::spawn(async_kind(rig.set("a", 1))),
        tokio::spawn(async_kind(rig.delete("b"))),
        tokio::spawn(async_kind(rig.incr("c"))),
    ];
    rig.clock.pass(promised + ms(11)).await;
    let ended: Vec<_> = calls.iter().map(tokio::task::JoinHandle::is_finished).collect();
    rig.faulty.heal();
    assert_eq!(ended, [true; 4], "which of get, set, delete and incr ended");
    for call in calls {
        assert_eq!(done(call).await, ErrorKind::Deadline);
    }
    rig.leaves_nothing().await;
}

async fn async_kind<T: std::fmt::Debug>(call: batching_rig::Asked<T>) -> ErrorKind {
    kind_of(call.await)
}
