//! How reads are spread.

#![expect(clippy::print_stderr, reason = "a test tells what it measured")]

mod chance;
mod routing_rig;

use std::time::Duration;

use cache_core::{AsyncCache, ErrorKind, Lag, ReplicaPolicy, RoutingSettings};
use cache_testkit::Call;

use chance::dice;
use routing_rig::{Layout, Rig, ms};

fn policy(policy: ReplicaPolicy) -> RoutingSettings {
    RoutingSettings::new().policy(policy)
}

/// How many of so many reads each server answers.
async fn spread(rig: &Rig, reads: usize) -> Vec<usize> {
    let mut counts = vec![0; rig.faulty.len()];
    for who in rig.who_answer("a", reads).await {
        counts[who] += 1;
    }
    counts
}

async fn marked(layout: Layout) -> Rig {
    let rig = layout.rig();
    rig.mark("a").await;
    rig
}

#[tokio::test]
async fn round_robin_takes_one_after_the_other() {
    let rig = marked(Layout::of(3).settings(policy(ReplicaPolicy::RoundRobin))).await;
    let who = rig.who_answer("a", 9).await;
    assert!((1..=3).all(|replica| who[..3].contains(&replica)), "{who:?}");
    assert_eq!((&who[..3], &who[..3]), (&who[3..6], &who[6..]));
}

#[tokio::test]
async fn round_robin_over_those_that_are_left_is_fair() {
    let rig = marked(Layout::of(3).settings(policy(ReplicaPolicy::RoundRobin))).await;
    rig.replica(2).on(Call::ALL).fail(ErrorKind::Connection);
    spread(&rig, 3).await;
    assert_eq!(rig.routing.in_use(), [1, 3]);
    assert_eq!(spread(&rig, 100).await, [0, 50, 0, 50]);
}

#[tokio::test]
async fn round_robin_of_many_tasks_is_fair() {
    let rig = marked(Layout::of(4).settings(policy(ReplicaPolicy::RoundRobin))).await;
    let readers = (0..100).map(|_| {
        let routing = std::sync::Arc::clone(&rig.routing);
        tokio::spawn(async move { routing_rig::get(&*routing, "a").await.expect("healthy") })
    });
    for reader in readers.collect::<Vec<_>>() {
        reader.await.expect("no panic");
    }
    assert_eq!(rig.asked(), [0, 25, 25, 25, 25]);
}

#[tokio::test]
async fn random_takes_each_about_as_often() {
    // It is the default.
    let rig = marked(Layout::of(4)).await;
    let counts = spread(&rig, 4_000).await;
    eprintln!("random: {counts:?}");
    assert_eq!(counts[0], 0);
    // A thousand each; six times the deviation of 27 would be chance once in a billion.
    assert!(counts[1..].iter().all(|count| (830..=1_170).contains(count)), "{counts:?}");
    // And in no order: pairs of the same replica come one after the other.
    let who = rig.who_answer("a", 400).await;
    let repeated = who.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert!((50..=150).contains(&repeated), "{repeated} of 100");
}

/// Asks the servers, so that their lag is known.
async fn aged(lags: &[Lag]) -> Rig {
    let rig = marked(Layout::of(lags.len()).settings(policy(ReplicaPolicy::LeastLag))).await;
    for (place, lag) in lags.iter().enumerate() {
        rig.replica(place + 1).lag(*lag);
    }
    rig.who_answers("a").await;
    rig.clock.pass(ms(10)).await;
    ask(&rig).await;
    rig
}

/// As a caller does who wants to know it now.
async fn ask(rig: &Rig) {
    rig.routing.aping().await.expect("the leader answers");
}

#[tokio::test]
async fn least_lag_takes_the_newest_by_age() {
    let rig = aged(&[Lag::Age(ms(300)), Lag::Age(ms(20)), Lag::Age(ms(100))]).await;
    assert_eq!(spread(&rig, 50).await, [0, 0, 50, 0]);
    // It falls behind, and another is the newest.
    rig.replica(2).lag(Lag::Age(ms(400)));
    ask(&rig).await;
    assert_eq!(spread(&rig, 50).await, [0, 0, 0, 50]);
}

/// Nobody asks it by hand here: the policy needs to know, and asks by itself.
#[tokio::test]
async fn least_lag_asks_by_itself() {
    let rig = marked(Layout::of(2).settings(policy(ReplicaPolicy::LeastLag))).await;
    rig.replica(1).lag(Lag::Age(ms(300)));
    rig.replica(2).lag(Lag::Age(ms(20)));
    rig.who_answers("a").await;
    rig.clock.pass(Duration::from_millis(1_500)).await;
    assert_eq!(spread(&rig, 50).await, [0, 0, 50]);
    rig.replica(1).lag(Lag::Age(ms(10)));
    rig.who_answers("a").await;
    rig.clock.pass(Duration::from_millis(1_500)).await;
    assert_eq!(spread(&rig, 50).await, [0, 50, 0]);
}

#[tokio::test]
async fn least_lag_takes_the_newest_by_position() {
    let rig = marked(Layout::of(2).settings(policy(ReplicaPolicy::LeastLag))).await;
    // The leader goes on by one position every ten milliseconds.
    let (mut position, behind) = (100, [7, 3]);
    for _ in 0..300 {
        position += 1;
        rig.leader().lag(Lag::Position(position));
        rig.replica(1).lag(Lag::Position(position - behind[0]));
        rig.replica(2).lag(Lag::Position(position - behind[1]));
        rig.who_answers("a").await;
        rig.clock.pass(ms(10)).await;
        if position % 5 == 0 {
            ask(&rig).await;
        }
    }
    assert_eq!(spread(&rig, 50).await, [0, 0, 50]);
}

#[tokio::test]
async fn least_lag_takes_those_that_cannot_tell_last_and_equals_alike() {
    let mut dice = dice("least_lag_takes_those_that_cannot_tell_last_and_equals_alike");
    let mut lags = [Lag::Unknown, Lag::Age(ms(900)), Lag::Unknown, Lag::Age(ms(900))];
    dice.shuffle(&mut lags);
    let rig = aged(&lags).await;
    let counts = spread(&rig, 400).await;
    for (place, lag) in lags.iter().enumerate() {
        let count = counts[place + 1];
        match lag {
            Lag::Unknown => assert_eq!(count, 0, "{counts:?}"),
            _ => assert!((120..=280).contains(&count), "of equals any: {counts:?}"),
        }
    }
    // Where nobody can tell, all are equal.
    let rig = aged(&[Lag::Unknown, Lag::Unknown]).await;
    let counts = spread(&rig, 400).await;
    assert!(counts[0] == 0 && counts[1] > 120 && counts[2] > 120, "{counts:?}");
}

/// One that has never been asked cannot tell either.
#[tokio::test]
async fn least_lag_reads_from_a_replica_before_it_knows() {
    let rig = marked(Layout::of(2).settings(policy(ReplicaPolicy::LeastLag))).await;
    assert_ne!(rig.who_answers("a").await, 0);
}
