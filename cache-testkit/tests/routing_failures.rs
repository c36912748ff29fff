//! What fails on a replica is tried on the leader, once.

mod routing_rig;

use cache_core::{AsyncCache, Counter, ErrorKind, Read, Result};
use cache_testkit::Call;

use routing_rig::{Layout, Rig, integer, key};

/// What is wrong with the call is wrong everywhere.
const OF_THE_CALL: [ErrorKind; 4] =
    [ErrorKind::InvalidKey, ErrorKind::TooLarge, ErrorKind::Codec, ErrorKind::Unsupported];

/// There was no answer.
const NO_ANSWER: [ErrorKind; 2] = [ErrorKind::Deadline, ErrorKind::Connection];

const READS: [Call; 4] = [Call::Get, Call::HasKey, Call::Life, Call::GetMany];

async fn one_replica() -> Rig {
    let rig = Layout::of(1).without_trips().rig();
    rig.mark("a").await;
    rig
}

/// A read of this kind; where it tells who answered, that.
async fn read(rig: &Rig, call: Call) -> Result<Option<i64>> {
    let (a, read) = (key("a"), Read::default());
    match call {
        Call::Get => rig.routing.aget(&a, read).await.map(integer),
        Call::HasKey => rig.routing.ahas_key(&a, read).await.map(|_| None),
        Call::Life => rig.routing.alife(&a, read).await.map(|_| None),
        Call::GetMany => rig.routing.get_many(&[a], read).await?.remove(0).map(integer),
        call => unreachable!("{call:?} reads nothing"),
    }
}

#[tokio::test]
async fn each_kind_of_the_server_is_tried_once_on_the_leader() {
    for kind in ErrorKind::ALL.iter().copied().filter(|kind| !OF_THE_CALL.contains(kind)) {
        for call in READS {
            let rig = one_replica().await;
            rig.replica(1).on([call]).fail(kind);
            let found = read(&rig, call).await.unwrap_or_else(|error| panic!("{call:?}, {kind:?}: {error}"));
            assert!(found.is_none_or(|who| who == 0), "{kind:?}");
            assert_eq!(rig.asked(), [1, 1], "{call:?}, {kind:?}");
            assert_eq!(rig.total(Counter::RoutedToReplica), 1);
            assert_eq!(rig.total(Counter::RetriedOnLeader), 1);
            assert_eq!(rig.total(Counter::RoutedToLeader), 0, "not at once");
        }
    }
}

#[tokio::test]
async fn each_kind_of_the_call_is_the_callers() {
    for kind in OF_THE_CALL {
        for call in READS {
            let rig = one_replica().await;
            rig.replica(1).on([call]).fail(kind);
            assert_eq!(read(&rig, call).await.expect_err("as told").kind(), kind, "{call:?}");
            assert_eq!(rig.asked(), [0, 1], "{call:?}, {kind:?}");
            assert_eq!(rig.total(Counter::RetriedOnLeader), 0);
            assert_eq!(rig.routing.in_use(), [1], "the replica is well");
        }
    }
}

#[tokio::test]
async fn only_one_that_gives_no_answer_is_left_out() {
    for kind in ErrorKind::ALL.iter().copied() {
        for call in READS {
            let rig = one_replica().await;
            rig.replica(1).on([call]).times(1).fail(kind);
            let _ = read(&rig, call).await;
            let left_out = NO_ANSWER.contains(&kind);
            assert_eq!(rig.routing.in_use().is_empty(), left_out, "{call:?}, {kind:?}");
            assert_eq!(rig.total(Counter::ReplicasLeftOut), u64::from(left_out));
            let _ = read(&rig, call).await;
            assert_eq!(rig.asked()[1], if left_out { 1 } else { 2 }, "{call:?}, {kind:?}");
        }
    }
}

#[tokio::test]
async fn when_the_leader_fails_too_its_error_is_the_answer() {
    for call in READS {
        let rig = one_replica().await;
        rig.replica(1).on([call]).fail(ErrorKind::Missing);
        rig.leader().on([call]).fail(ErrorKind::Auth);
        assert_eq!(read(&rig, call).await.expect_err("both fail").kind(), ErrorKind::Auth, "{call:?}");
        assert_eq!(rig.asked(), [1, 1], "once each");
    }
}

/// Not on another replica, even if there is one.
#[tokio::test]
async fn it_is_the_leader_that_is_tried() {
    let rig = Layout::of(3).without_trips().rig();
    rig.mark("a").await;
    for replica in 1..=3 {
        rig.replica(replica).on([Call::Get]).fail(ErrorKind::Server);
    }
    for _ in 0..30 {
        assert_eq!(rig.who_answers("a").await, 0);
    }
    let asked = rig.asked();
    assert_eq!((asked[0], asked[1..].iter().sum::<usize>()), (30, 30));
}

#[tokio::test]
async fn a_read_on_the_leader_is_tried_once() {
    let rig = one_replica().await;
    rig.leader().on(READS).fail(ErrorKind::Server);
    let failed = rig.routing.aget(&key("a"), Read::LEADER).await.map(integer);
    assert_eq!(failed.expect_err("as told").kind(), ErrorKind::Server);
    assert_eq!(rig.asked(), [1, 0], "a replica may not answer it");
    assert_eq!(rig.total(Counter::RetriedOnLeader), 0);
}

/// With nothing left, and with one that fails.
#[tokio::test]
async fn a_leader_that_is_down_does_not_keep_replicas_from_answering() {
    let rig = Layout::of(2).rig();
    rig.mark("a").await;
    rig.leader().on(Call::ALL).fail(ErrorKind::Connection);
    for _ in 0..50 {
        assert_ne!(rig.who_answers("a").await, 0);
    }
    rig.replica(1).on([Call::Get]).fail(ErrorKind::Connection);
    // One read may meet the replica that fails, and then the leader.
    let mut failed = 0;
    for _ in 0..50 {
        failed += usize::from(routing_rig::get(&*rig.routing, "a").await.is_err());
    }
    assert!(failed <= 1, "{failed} failed, with a replica that is well");
}

/// A replica that panics harms the caller, and nobody after.
#[tokio::test]
async fn a_replica_that_panics_wedges_nothing() {
    let rig = Layout::of(1).rig();
    rig.mark("a").await;
    rig.replica(1).on([Call::Get]).times(1).panic();
    let routing = std::sync::Arc::clone(&rig.routing);
    let read = tokio::spawn(async move { routing_rig::get(&*routing, "a").await });
    assert!(read.await.expect_err("the store panics").is_panic());
    assert_eq!(rig.who_answers("a").await, 1);
    rig.is_at_rest().await;
}
