//! Replicas that give no answer are left out, and come back by themselves.

mod routing_rig;

use std::time::Duration;

use cache_core::{AsyncCache, Counter, ErrorKind, ReplicaPolicy, RoutingSettings};
use cache_testkit::Call;

use routing_rig::{DEADLINE, GRACE, IDLE, Layout, Rig, get, ms, tasks};

/// Round robin, so that each replica is met.
async fn rig(layout: Layout) -> Rig {
    let rig = layout.settings(RoutingSettings::new().policy(ReplicaPolicy::RoundRobin)).rig();
    rig.mark("a").await;
    rig
}

fn layouts() -> [Layout; 2] {
    [Layout::of(2), Layout::of(2).without_trips()]
}

/// Loses the connection of one read on each of these replicas, and of all pings.
async fn lose(rig: &Rig, replicas: &[usize]) {
    for replica in replicas {
        rig.replica(*replica).on([Call::Ping]).fail(ErrorKind::Connection);
        rig.replica(*replica).on([Call::Get]).times(1).fail(ErrorKind::Connection);
    }
    for _ in 0..rig.faulty.len() {
        get(&*rig.routing, "a").await.expect("the leader is well");
    }
}

#[tokio::test]
async fn one_that_is_down_is_left_out_until_it_answers() {
    for layout in layouts() {
        let rig = rig(layout).await;
        lose(&rig, &[2]).await;
        assert_eq!(rig.routing.in_use(), [1]);
        let asked = rig.asked()[2];
        assert_eq!(rig.who_answer("a", 10).await, [1; 10]);
        rig.clock.pass(Duration::from_secs(5)).await;
        assert_eq!((rig.who_answer("a", 10).await, rig.asked()[2]), (vec![1; 10], asked));
        rig.replica(2).heal();
        rig.clock.pass(ms(2_500)).await;
        assert_eq!(rig.routing.in_use(), [1, 2]);
        let who = rig.who_answer("a", 2).await;
        assert!(who.contains(&1) && who.contains(&2), "{who:?}");
        assert_eq!(rig.total(Counter::ReplicasLeftOut), 1);
        assert_eq!(rig.total(Counter::RetriedOnLeader), 1);
    }
}

/// Nobody has to read for it.
#[tokio::test]
async fn one_that_was_down_for_a_moment_is_back_soon() {
    let rig = rig(Layout::of(1).without_trips()).await;
    lose(&rig, &[1]).await;
    rig.replica(1).heal();
    rig.clock.pass(ms(40)).await;
    assert!(rig.routing.in_use().is_empty(), "it is asked after 50 ms");
    rig.clock.pass(ms(30)).await;
    assert_eq!(rig.routing.in_use(), [1]);
}

/// When each ping of a replica began, in order, from now on.
async fn pauses(rig: &Rig, replica: usize, pings: usize) -> Vec<Duration> {
    let (mut pauses, mut seen, mut last) = (Vec::new(), rig.replica(replica).begun(Call::Ping), rig.now());
    while pauses.len() < pings {
        rig.clock.pass(ms(1)).await;
        let begun = rig.replica(replica).begun(Call::Ping);
        if begun > seen {
            pauses.push(rig.now().since(last));
            (seen, last) = (begun, rig.now());
        }
        assert!(rig.now().since(last) < Duration::from_secs(5), "it is not asked: {pauses:?}");
    }
    pauses
}

#[tokio::test]
async fn it_is_asked_at_first_after_50_ms_and_less_and_less_often() {
    let rig = rig(Layout::of(1).without_trips()).await;
    lose(&rig, &[1]).await;
    let pauses = pauses(&rig, 1, 10).await;
    assert!((ms(48)..=ms(65)).contains(&pauses[0]), "{pauses:?}");
    assert!(pauses.windows(2).all(|pair| pair[1] + ms(250) >= pair[0]), "{pauses:?}");
    assert!(pauses[7..].iter().all(|pause| (ms(900)..=ms(1_250)).contains(pause)), "{pauses:?}");
    assert!(pauses.iter().sum::<Duration>() < Duration::from_secs(9), "{pauses:?}");
    // Back for a moment only, it is asked as seldom as before.
    rig.replica(1).heal();
    rig.clock.pass(ms(1_300)).await;
    assert_eq!(rig.routing.in_use(), [1]);
    lose(&rig, &[1]).await;
    let pauses = self::pauses(&rig, 1, 2).await;
    assert!((ms(900)..=ms(1_250)).contains(&pauses[1]), "{pauses:?}");
    // After ten seconds, from the beginning.
    rig.replica(1).heal();
    rig.clock.pass(Duration::from_secs(12)).await;
    assert_eq!(rig.routing.in_use(), [1]);
    lose(&rig, &[1]).await;
    let pauses = self::pauses(&rig, 1, 2).await;
    assert!(pauses[0] <= ms(65), "{pauses:?}");
    assert_eq!(rig.total(Counter::ReplicasLeftOut), 3);
}

#[tokio::test]
async fn one_that_is_well_is_not_asked_for_nothing() {
    let rig = rig(Layout::of(2)).await;
    for _ in 0..50 {
        rig.who_answers("a").await;
        rig.clock.pass(ms(100)).await;
    }
    assert!(rig.faulty.iter().all(|faulty| faulty.begun(Call::Ping) == 0), "nobody needs to know its age");
    assert_eq!(tasks(), 0);
}

#[tokio::test]
async fn many_reads_that_fail_at_once_leave_it_out_once() {
    let rig = rig(Layout::of(1).without_trips()).await;
    let gate = rig.replica(1).on([Call::Get]).after().pause();
    rig.replica(1).on([Call::Get]).after().fail(ErrorKind::Connection);
    let reads: Vec<_> = (0..50)
        .map(|_| {
            let routing = std::sync::Arc::clone(&rig.routing);
            tokio::spawn(async move { get(&*routing, "a").await })
        })
        .collect();
    gate.reached(50).await;
    gate.open();
    for read in reads {
        assert_eq!(read.await.expect("no panic").expect("the leader answers"), Some(0));
    }
    assert_eq!(rig.total(Counter::ReplicasLeftOut), 1);
    assert!(tasks() <= 2, "one watcher and one timer at most");
    rig.clock.pass(ms(70)).await;
    assert_eq!(rig.replica(1).begun(Call::Ping), 1);
    assert_eq!(rig.routing.in_use(), [1]);
}

#[tokio::test]
async fn one_that_stalls_is_left_out_and_comes_back() {
    for layout in layouts() {
        let rig = rig(layout).await;
        rig.replica(2).on(Call::ALL).stall();
        for _ in 0..2 {
            let (found, took) = rig.read("a", cache_core::Read::default()).await;
            found.expect("the leader answers");
            assert!(took <= DEADLINE / 2 + GRACE);
        }
        assert_eq!(rig.routing.in_use(), [1]);
        // Who asks it is stalled too, and asks again: it does not pile up.
        rig.clock.pass(Duration::from_secs(10)).await;
        assert_eq!(rig.routing.in_use(), [1]);
        assert!(rig.replica(2).begun(Call::Ping) >= 5, "it is asked again");
        assert!(rig.replica(2).most_inside(Call::Ping) <= 2);
        rig.replica(2).heal();
        rig.clock.pass(ms(2_500)).await;
        assert_eq!(rig.routing.in_use(), [1, 2]);
    }
}

/// Its pings answer, and so do its reads: with nothing, or with an error.
#[tokio::test]
async fn one_that_is_loading_is_left_out_until_it_has_loaded() {
    for layout in layouts() {
        let rig = rig(layout).await;
        rig.replica(2).load();
        rig.routing.aping().await.expect("the leader answers");
        assert_eq!(rig.routing.in_use(), [1]);
        assert_eq!(rig.who_answer("a", 10).await, [1; 10]);
        assert_eq!(rig.total(Counter::ReplicasLeftOut), 1);
        rig.clock.pass(Duration::from_secs(5)).await;
        assert_eq!(rig.routing.in_use(), [1], "it says that it is loading, and is asked again");
        assert!(rig.replica(2).begun(Call::Ping) > 4);
        rig.replica(2).heal();
        rig.clock.pass(ms(1_300)).await;
        assert_eq!(rig.routing.in_use(), [1, 2]);
    }
}

#[tokio::test]
async fn one_that_came_up_and_is_loading_is_still_left_out() {
    let rig = rig(Layout::of(2)).await;
    lose(&rig, &[2]).await;
    rig.replica(2).heal();
    rig.replica(2).load();
    rig.clock.pass(Duration::from_secs(5)).await;
    assert_eq!(rig.routing.in_use(), [1]);
    rig.replica(2).heal();
    rig.clock.pass(ms(2_500)).await;
    assert_eq!(rig.routing.in_use(), [1, 2]);
}

#[tokio::test]
async fn with_none_left_it_is_the_leader() {
    for layout in layouts() {
        let rig = rig(layout).await;
        lose(&rig, &[1, 2]).await;
        assert!(rig.routing.in_use().is_empty());
        assert_eq!(rig.who_answer("a", 10).await, [0; 10]);
        rig.replica(1).heal();
        rig.clock.pass(ms(2_500)).await;
        assert_eq!(rig.who_answer("a", 10).await, [1; 10]);
        rig.replica(2).heal();
        rig.clock.pass(ms(2_500)).await;
        assert_eq!(rig.routing.in_use(), [1, 2]);
        rig.is_at_rest().await;
    }
}

/// A ping by a caller tells as much as one of the task.
#[tokio::test]
async fn a_ping_of_a_caller_takes_it_back() {
    let rig = rig(Layout::of(2).without_trips()).await;
    lose(&rig, &[2]).await;
    rig.clock.pass(Duration::from_secs(4)).await;
    rig.replica(2).heal();
    rig.routing.aping().await.expect("the leader answers");
    assert_eq!(rig.routing.in_use(), [1, 2]);
    rig.clock.pass(IDLE).await;
    assert_eq!(tasks(), 0);
}

/// One replica is asked as though the other were not there.
#[tokio::test]
async fn a_ping_that_stalls_does_not_keep_another_replica_out() {
    let rig = rig(Layout::of(2).without_trips()).await;
    rig.replica(1).on(Call::ALL).stall();
    rig.replica(2).on([Call::Get]).times(1).fail(ErrorKind::Connection);
    for _ in 0..2 {
        rig.read("a", cache_core::Read::default()).await.0.expect("the leader answers");
    }
    // The first stalls whoever asks it, for good; the second is well again.
    rig.clock.pass(ms(400)).await;
    assert_eq!(rig.routing.in_use(), [2]);
}

/// Its failure may have been about one key: its ping tells.
#[tokio::test]
async fn one_that_fails_otherwise_is_asked_at_once() {
    for kind in [ErrorKind::Auth, ErrorKind::Server, ErrorKind::Missing, ErrorKind::ReadOnly] {
        for answers in [true, false] {
            let rig = rig(Layout::of(1).without_trips()).await;
            rig.replica(1).on([Call::Get]).times(1).fail(kind);
            if !answers {
                rig.replica(1).on([Call::Ping]).fail(ErrorKind::Auth);
            }
            assert_eq!(rig.who_answers("a").await, 0);
            assert_eq!(rig.routing.in_use(), [1], "nothing is known yet: {kind:?}");
            rig.clock.pass(ms(1)).await;
            assert_eq!(rig.replica(1).begun(Call::Ping), 1, "{kind:?}");
            assert_eq!(rig.routing.in_use().is_empty(), !answers, "{kind:?}");
        }
    }
}

/// Whoever asks may have ended meanwhile, and somebody else asks.
#[tokio::test]
async fn one_that_fails_anew_after_seconds_is_asked_as_seldom_as_before() {
    let rig = rig(Layout::of(1).without_trips()).await;
    lose(&rig, &[1]).await;
    rig.clock.pass(Duration::from_secs(5)).await;
    rig.replica(1).heal();
    rig.clock.pass(Duration::from_secs(4)).await;
    assert_eq!((rig.routing.in_use(), tasks()), (vec![1], 0));
    lose(&rig, &[1]).await;
    let pauses = pauses(&rig, 1, 1).await;
    assert!((ms(900)..=ms(1_250)).contains(&pauses[0]), "{pauses:?}");
}

/// Whoever asks sleeps until another replica is due.
#[tokio::test]
async fn one_that_is_lost_while_another_has_long_been_out_is_asked_after_50_ms() {
    let rig = rig(Layout::of(2).without_trips()).await;
    lose(&rig, &[1]).await;
    // The last of these pings was just now, and the next is a second away.
    pauses(&rig, 1, 8).await;
    rig.replica(2).on([Call::Get]).times(1).fail(ErrorKind::Connection);
    assert_eq!(rig.who_answers("a").await, 0);
    assert!(rig.routing.in_use().is_empty());
    rig.clock.pass(ms(70)).await;
    assert_eq!(rig.routing.in_use(), [2]);
}

#[tokio::test]
async fn one_that_is_back_is_not_asked_while_another_is_out() {
    let rig = rig(Layout::of(2).without_trips()).await;
    lose(&rig, &[1, 2]).await;
    rig.replica(2).heal();
    rig.clock.pass(Duration::from_secs(2)).await;
    assert_eq!(rig.routing.in_use(), [2]);
    let before = (rig.replica(1).begun(Call::Ping), rig.replica(2).begun(Call::Ping));
    rig.clock.pass(Duration::from_secs(5)).await;
    assert!(rig.replica(1).begun(Call::Ping) > before.0 + 2);
    assert_eq!(rig.replica(2).begun(Call::Ping), before.1);
}

/// Programs that lost a server at once do not all ask it at once.
#[tokio::test]
async fn pauses_are_not_the_same_each_time() {
    let mut each = Vec::new();
    for _ in 0..2 {
        let rig = rig(Layout::of(1).without_trips()).await;
        lose(&rig, &[1]).await;
        each.push(pauses(&rig, 1, 8).await);
    }
    assert_ne!(each[0], each[1]);
}
