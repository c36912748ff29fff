//! Replicas whose data is too old are left out, and come back by themselves.

mod routing_rig;

use std::time::Duration;

use cache_core::{AsyncCache, Counter, ErrorKind, Lag, RoutingSettings};
use cache_testkit::Call;

use routing_rig::{Layout, Rig, Tells, get, ms, set};

const MAX_LAG: Duration = ms(200);

/// How often servers are asked under it.
const ASKED: Duration = ms(50);

fn layout(replicas: usize, tells: Tells) -> Layout {
    Layout::of(replicas).settings(RoutingSettings::new().max_lag(MAX_LAG)).tells(tells)
}

/// A rig in which the servers have been asked for a while.
async fn watched(layout: Layout) -> Rig {
    let rig = layout.rig();
    set(&*rig.routing, "a", 1).await.expect("healthy");
    rig.replicate();
    rig.read_for("a", 2 * MAX_LAG).await;
    rig
}

#[tokio::test]
async fn one_whose_age_is_not_yet_known_is_left_out() {
    for tells in [Tells::Ages, Tells::Positions, Tells::Nothing] {
        let rig = layout(1, tells).rig();
        rig.mark("a").await;
        assert!(rig.routing.in_use().is_empty());
        assert_eq!(rig.who_answers("a").await, 0, "{tells:?}");
        // That somebody reads is enough to have it asked.
        rig.clock.pass(ms(70)).await;
        assert_eq!((rig.who_answers("a").await, rig.routing.in_use()), (1, vec![1]), "{tells:?}");
        assert_eq!(rig.total(Counter::ReplicasLeftOut), 0, "it was never in use: {tells:?}");
    }
}

#[tokio::test]
async fn servers_are_asked_four_times_within_that_time() {
    let asked_every = [
        (ms(400), ms(100)),
        (ms(200), ms(50)),
        // A hundred times a second at most, and once a second at least.
        (ms(20), ms(10)),
        (ms(4), ms(10)),
        (Duration::from_mins(10), Duration::from_secs(1)),
    ];
    for (max_lag, every) in asked_every {
        let settings = RoutingSettings::new().max_lag(max_lag);
        let rig = Layout::of(2).tells(Tells::Positions).settings(settings).rig();
        rig.read_for("a", ms(1_000)).await;
        let before: Vec<_> = rig.faulty.iter().map(|faulty| faulty.begun(Call::Ping)).collect();
        let during = 20 * every.min(ms(250));
        rig.read_for("a", during).await;
        let expected = usize::try_from(during.as_nanos() / every.as_nanos()).expect("few");
        for (faulty, before) in rig.faulty.iter().zip(before) {
            let pings = faulty.begun(Call::Ping) - before;
            assert!(pings.abs_diff(expected) <= 1 + expected / 10, "{max_lag:?}: {pings}, not {expected}");
        }
    }
}

#[tokio::test]
async fn one_that_says_that_it_is_too_old_is_left_out() {
    let rig = watched(layout(2, Tells::Ages)).await;
    rig.mark("a").await;
    rig.replica(2).lag(Lag::Age(MAX_LAG / 2));
    rig.read_for("a", ms(500)).await;
    assert_eq!(rig.routing.in_use(), [1, 2]);
    rig.replica(2).lag(Lag::Age(MAX_LAG + ms(1)));
    rig.read_for("a", 2 * ASKED).await;
    assert_eq!(rig.routing.in_use(), [1]);
    assert_eq!(rig.who_answer("a", 20).await, [1; 20]);
    assert_eq!(rig.total(Counter::ReplicasLeftOut), 1);
    rig.replica(1).lag(Lag::Age(Duration::from_mins(1)));
    rig.read_for("a", 2 * ASKED).await;
    assert_eq!((rig.routing.in_use(), rig.who_answers("a").await), (vec![], 0), "with none left the leader");
    rig.faulty.iter().for_each(|faulty| faulty.heal());
    rig.read_for("a", 2 * ASKED).await;
    assert_eq!(rig.routing.in_use(), [1, 2]);
    assert_eq!(rig.total(Counter::ReplicasLeftOut), 2);
}

/// What it said gets older while nobody hears anything new.
#[tokio::test]
async fn an_answer_ages_until_the_next_one() {
    let rig = watched(layout(1, Tells::Ages).without_trips()).await;
    assert_eq!(rig.routing.in_use(), [1]);
    rig.replica(1).on([Call::Ping]).stall();
    rig.clock.pass(MAX_LAG + ms(5)).await;
    assert!(rig.routing.in_use().is_empty(), "the last answer is older than that");
    // Its reads are well, and it is taken back once it says how old it is.
    rig.replica(1).heal();
    rig.read_for("a", ms(1_500)).await;
    assert_eq!(rig.routing.in_use(), [1]);
}

#[tokio::test]
async fn one_that_does_not_follow_is_left_out_in_time_by_position() {
    let rig = watched(layout(2, Tells::Positions)).await;
    assert_eq!(rig.routing.in_use(), [1, 2]);
    for value in 2..=4 {
        let written = rig.now();
        set(&*rig.routing, "a", value).await.expect("healthy");
        // The first follows, the second does not.
        let mut left_out = None;
        while rig.now().since(written) < 2 * MAX_LAG {
            rig.servers[1].catch_up(usize::MAX);
            rig.read_for("a", ms(10)).await;
            assert!(rig.routing.in_use().contains(&1));
            if !rig.routing.in_use().contains(&2) {
                left_out.get_or_insert(rig.now().since(written));
            }
        }
        let left_out = left_out.expect("it is too old");
        // It may be known to be that old before, by as much as the leader was
        // not asked.
        assert!(left_out <= MAX_LAG + ms(10) && left_out + 2 * ASKED >= MAX_LAG, "{left_out:?}");
        rig.servers[2].catch_up(usize::MAX);
        rig.read_for("a", 2 * ASKED).await;
        assert_eq!(rig.routing.in_use(), [1, 2], "it has caught up");
    }
    assert_eq!(rig.total(Counter::ReplicasLeftOut), 3);
}

/// A position may be zero, and is not one for that.
#[tokio::test]
async fn one_that_has_nothing_is_not_taken_for_one_that_has_the_first_write() {
    let rig = layout(1, Tells::Positions).rig();
    rig.read_for("a", MAX_LAG).await;
    assert_eq!(rig.routing.in_use(), [1], "nothing is all there is");
    set(&*rig.routing, "a", 1).await.expect("healthy");
    rig.read_for("a", MAX_LAG + ms(20)).await;
    for _ in 0..30 {
        assert!(rig.routing.in_use().is_empty());
        rig.read_for("a", ms(10)).await;
    }
}

/// It is behind by many writes at any time, and by little in time.
#[tokio::test]
async fn one_that_follows_closely_is_used_however_much_is_written() {
    let rig = watched(layout(1, Tells::Positions)).await;
    let mut used = 0;
    for round in 0..200 {
        for value in 0..10 {
            set(&*rig.routing, "a", value).await.expect("healthy");
        }
        // It has the writes of 50 ms ago.
        let behind = rig.log.position() - rig.servers[1].position();
        rig.servers[1].catch_up(behind.saturating_sub(50));
        let _ = get(&*rig.routing, "a").await;
        rig.clock.pass(ms(10)).await;
        used += usize::from(round >= 20 && rig.routing.in_use() == [1]);
    }
    assert_eq!(used, 180, "its data is never older than 150 ms, by all that is known");
}

/// However many positions were sampled, and however far they lie apart.
#[tokio::test]
async fn one_that_follows_at_a_distance_that_is_too_great_is_never_used() {
    let rig = watched(layout(1, Tells::Positions)).await;
    for round in 0..300 {
        set(&*rig.routing, "a", round).await.expect("healthy");
        let behind = rig.log.position() - rig.servers[1].position();
        rig.servers[1].catch_up(behind.saturating_sub(30));
        let _ = get(&*rig.routing, "a").await;
        rig.clock.pass(ms(10)).await;
        // It has the writes of 300 ms ago.
        assert!(round < 25 || rig.routing.in_use().is_empty(), "round {round}");
    }
    rig.replicate();
    rig.read_for("a", 2 * ASKED).await;
    assert_eq!(rig.routing.in_use(), [1]);
}

/// Through many more positions than can be remembered.
#[tokio::test]
async fn one_that_was_cut_off_for_long_is_taken_back_when_it_has_caught_up() {
    let settings = RoutingSettings::new().max_lag(ms(40));
    let rig = watched(layout(1, Tells::Positions).settings(settings)).await;
    for round in 0..500 {
        set(&*rig.routing, "a", round).await.expect("healthy");
        rig.read_for("a", ms(10)).await;
    }
    assert!(rig.routing.in_use().is_empty());
    rig.servers[1].catch_up(100);
    rig.read_for("a", ms(200)).await;
    assert!(rig.routing.in_use().is_empty(), "it is nearer, and still too old");
    rig.replicate();
    rig.read_for("a", 2 * ASKED).await;
    assert_eq!(rig.routing.in_use(), [1]);
}

#[tokio::test]
async fn nobody_reads_for_long_and_then_it_is_known_again() {
    for tells in [Tells::Ages, Tells::Positions] {
        let rig = watched(layout(1, tells)).await;
        rig.clock.pass(Duration::from_secs(20)).await;
        rig.read_for("a", 2 * MAX_LAG).await;
        assert_eq!(rig.routing.in_use(), [1], "{tells:?}");
    }
}

#[tokio::test]
async fn servers_that_know_nothing_of_lag_are_used_as_they_are() {
    let rig = watched(layout(2, Tells::Nothing)).await;
    for value in 0..20 {
        set(&*rig.routing, "a", value).await.expect("healthy");
        rig.read_for("a", ms(50)).await;
        assert_eq!(rig.routing.in_use(), [1, 2]);
    }
    // They are left out as others are where they give no answer.
    rig.replica(1).on(Call::ALL).fail(ErrorKind::Connection);
    rig.read_for("a", ms(500)).await;
    assert_eq!(rig.routing.in_use(), [2]);
}

/// One that knows is judged, one that does not is not.
#[tokio::test]
async fn one_that_knows_nothing_does_not_hide_one_that_is_too_old() {
    let rig = layout(2, Tells::Ages).rig();
    rig.replica(1).lag(Lag::Unknown);
    rig.replica(2).lag(Lag::Age(2 * MAX_LAG));
    rig.read_for("a", MAX_LAG).await;
    assert_eq!(rig.routing.in_use(), [1]);
}

/// Another server took over, which counts anew.
#[tokio::test]
async fn positions_that_begin_anew_wedge_nothing() {
    let rig = watched(layout(1, Tells::Positions)).await;
    for position in [1_000_000, 5] {
        rig.leader().lag(Lag::Position(position));
        rig.replica(1).lag(Lag::Position(position));
        rig.read_for("a", Duration::from_secs(3)).await;
        assert_eq!(rig.routing.in_use(), [1], "at {position}");
    }
    // And it is judged by the new ones.
    rig.leader().lag(Lag::Position(6));
    rig.read_for("a", 2 * MAX_LAG).await;
    assert!(rig.routing.in_use().is_empty());
}

#[tokio::test]
async fn one_that_is_down_and_too_old_comes_back_when_it_is_neither() {
    let rig = watched(layout(1, Tells::Positions)).await;
    rig.replica(1).on(Call::ALL).fail(ErrorKind::Connection);
    get(&*rig.routing, "a").await.expect("the leader is well");
    set(&*rig.routing, "a", 2).await.expect("healthy");
    rig.read_for("a", Duration::from_secs(2)).await;
    rig.replica(1).heal();
    rig.read_for("a", Duration::from_secs(2)).await;
    assert!(rig.routing.in_use().is_empty(), "it is there again, and too old");
    rig.replicate();
    rig.read_for("a", 2 * ASKED).await;
    assert_eq!(rig.routing.in_use(), [1]);
}

/// Callers who ask and the task that asks tell of the same.
#[tokio::test]
async fn a_ping_of_a_caller_counts() {
    let rig = layout(1, Tells::Ages).rig();
    rig.routing.aping().await.expect("the leader answers");
    assert_eq!(rig.routing.in_use(), [1]);
}

/// By the time it is heard, an answer may be older than data may be.
#[tokio::test]
async fn the_way_of_an_answer_counts_as_age() {
    let settings = RoutingSettings::new().max_lag(ms(80));
    let rig = Layout::of(1).without_trips().tells(Tells::Ages).settings(settings).rig();
    rig.replica(1).on([Call::Ping]).after().delay(rig.time(), ms(90));
    for _ in 0..50 {
        rig.read_for("a", ms(10)).await;
        assert!(rig.routing.in_use().is_empty());
    }
    assert!(rig.servers[1].answered() > 2, "it does answer");
}

/// It had all that there is, and there is nothing new: its next answer may be slow.
#[tokio::test]
async fn behind_an_idle_leader_one_that_answers_slowly_does_not_age() {
    let settings = RoutingSettings::new().max_lag(ms(80));
    let rig = watched(layout(1, Tells::Positions).without_trips().settings(settings)).await;
    rig.replica(1).on([Call::Ping]).delay(rig.time(), ms(90));
    for _ in 0..50 {
        rig.read_for("a", ms(10)).await;
        assert_eq!(rig.routing.in_use(), [1]);
    }
}

#[tokio::test]
async fn a_leader_that_could_not_tell_is_believed_once_it_can() {
    let rig = layout(1, Tells::Positions).rig();
    rig.leader().lag(Lag::Unknown);
    rig.read_for("a", MAX_LAG).await;
    assert_eq!(rig.routing.in_use(), [1], "nothing is known of ages");
    rig.leader().heal();
    set(&*rig.routing, "a", 1).await.expect("healthy");
    rig.read_for("a", MAX_LAG + 2 * ASKED).await;
    assert!(rig.routing.in_use().is_empty(), "it does not follow");
}

/// A server that stalls is not asked anew before it was given up.
#[tokio::test]
async fn one_that_is_being_asked_is_not_asked_again() {
    let rig = watched(layout(1, Tells::Ages).without_trips()).await;
    rig.faulty.iter().for_each(|faulty| faulty.on([Call::Ping]).stall());
    rig.read_for("a", ms(500)).await;
    assert!(rig.faulty.iter().all(|faulty| faulty.most_inside(Call::Ping) == 1));
}
