//! Behind a leader that gives no answer replicas do not get older: there is
//! nothing that they could miss.

mod routing_rig;

use std::time::Duration;

use cache_core::{AsyncCache as _, Entry, ErrorKind, Format, Life, NewEntry, Read, RoutingSettings, Write};
use cache_testkit::Call;

use routing_rig::{DEADLINE, Layout, Rig, Tells, get, key, ms, set};

const MAX_LAG: Duration = ms(200);

/// How often servers are asked under it.
const ASKED: Duration = ms(50);

fn layout(replicas: usize) -> Layout {
    Layout::of(replicas).settings(RoutingSettings::new().max_lag(MAX_LAG)).tells(Tells::Positions)
}

/// A rig in which the servers have been asked for a while.
async fn watched(layout: Layout) -> Rig {
    let rig = layout.rig();
    set(&*rig.routing, "a", 1).await.expect("healthy");
    rig.replicate();
    rig.read_for("a", 2 * MAX_LAG).await;
    rig
}

fn lead_is_lost(rig: &Rig) {
    rig.leader().on(Call::ALL).fail(ErrorKind::Connection);
}

#[tokio::test]
async fn behind_a_leader_that_is_down_nothing_ages() {
    for layout in [layout(2), layout(2).without_trips()] {
        let rig = watched(layout).await;
        lead_is_lost(&rig);
        for _ in 0..1_000 {
            get(&*rig.routing, "a").await.expect("the replicas are there");
            rig.clock.pass(ms(10)).await;
            assert_eq!(rig.routing.in_use(), [1, 2]);
        }
        rig.leader().heal();
        rig.read_for("a", Duration::from_secs(2)).await;
        set(&*rig.routing, "a", 2).await.expect("the leader is back");
        rig.read_for("a", MAX_LAG + ms(20)).await;
        assert!(rig.routing.in_use().is_empty(), "now they age again");
        rig.replicate();
        rig.read_for("a", 2 * ASKED).await;
        assert_eq!(rig.routing.in_use(), [1, 2]);
    }
}

#[tokio::test]
async fn behind_a_leader_that_is_down_one_that_is_behind_ages_until_it_has_caught_up() {
    let rig = watched(layout(2)).await;
    set(&*rig.routing, "a", 2).await.expect("healthy");
    rig.servers[1].catch_up(usize::MAX);
    // The leader's last position becomes known.
    rig.read_for("a", 2 * ASKED).await;
    lead_is_lost(&rig);
    rig.read_for("a", 2 * MAX_LAG).await;
    assert_eq!(rig.routing.in_use(), [1]);
    // What it missed may come from elsewhere.
    rig.servers[2].catch_up(usize::MAX);
    rig.read_for("a", 2 * ASKED).await;
    assert_eq!(rig.routing.in_use(), [1, 2]);
}

/// It is not known during the outage, and after it, it is.
#[tokio::test]
async fn what_was_written_just_before_an_outage_ages_after_it() {
    for layout in [layout(1), layout(1).without_trips()] {
        let rig = watched(layout).await;
        // Between two pings of the leader.
        let pings = rig.leader().begun(Call::Ping);
        while rig.leader().begun(Call::Ping) == pings {
            rig.clock.pass(ms(1)).await;
        }
        rig.clock.pass(ms(5)).await;
        set(&*rig.routing, "a", 2).await.expect("healthy");
        lead_is_lost(&rig);
        rig.read_for("a", Duration::from_secs(2)).await;
        assert_eq!(rig.routing.in_use(), [1], "as far as is known it has all");
        rig.leader().heal();
        // A trip may take a second to see it, and then it is asked.
        let mut pings = rig.servers[0].answered();
        for _ in 0..2 {
            while rig.servers[0].answered() == pings {
                rig.read_for("a", ms(10)).await;
            }
            pings = rig.servers[0].answered();
        }
        rig.read_for("a", ms(10)).await;
        assert!(rig.routing.in_use().is_empty(), "it lacks what is two seconds old");
        rig.replicate();
        rig.read_for("a", 2 * ASKED).await;
        assert_eq!(rig.routing.in_use(), [1]);
    }
}

/// Without a trip nothing ends its pings but the routing.
#[tokio::test]
async fn behind_a_leader_that_stalls_nothing_ages() {
    for layout in [layout(1), layout(1).without_trips()] {
        let rig = watched(layout).await;
        rig.leader().on(Call::ALL).stall();
        // Until its deadline it is not known that it does not answer.
        rig.clock.pass(DEADLINE + ASKED + ms(20)).await;
        for _ in 0..300 {
            assert_eq!(rig.routing.in_use(), [1]);
            get(&*rig.routing, "a").await.expect("the replica is there");
            rig.clock.pass(ms(10)).await;
        }
    }
}

/// Something that the leader answers while it does not say where it is.
async fn leader_answers(rig: &Rig, what: usize) {
    let (a, b) = (key("a"), key("b"));
    let format = Format::default();
    let entry = || NewEntry::of(Entry::from_integer(2), &format);
    match what {
        0 => set(&*rig.routing, "b", 2).await.map(drop),
        1 => rig.routing.aget(&a, Read::LEADER).await.map(drop),
        2 => rig.routing.get_many(&[a, b], Read::LEADER).await.map(drop),
        3 => rig.routing.delete_many(&[b]).await.map(drop),
        _ => rig.routing.set_many(&[(b, entry(), Write::new(Life::Forever))]).await.map(drop),
    }
    .expect("it is well");
}

/// It may take writes of others too.
#[tokio::test]
async fn a_leader_that_answers_anything_else_is_not_silent() {
    for (what, stalls) in (0..5).flat_map(|what| [(what, true), (what, false)]) {
        for layout in [layout(1), layout(1).without_trips()] {
            let rig = watched(layout).await;
            let pings = rig.leader().on([Call::Ping]);
            if stalls {
                pings.stall();
            } else {
                pings.fail(ErrorKind::Server);
            }
            set(&*rig.routing, "a", 2).await.expect("the leader takes writes");
            let written = rig.now();
            while rig.now().since(written) < 5 * MAX_LAG {
                leader_answers(&rig, what).await;
                let stale = get(&*rig.routing, "a").await.expect("somebody answers") == Some(1);
                let age = rig.now().since(written);
                assert!(!stale || age <= MAX_LAG, "{what}, stalls: {stalls}: {age:?} old");
                rig.clock.pass(ms(10)).await;
            }
            assert!(rig.routing.in_use().is_empty());
            // Once it answers nothing at all, what it last was known to have counts.
            lead_is_lost(&rig);
            rig.replicate();
            rig.read_for("a", DEADLINE + 2 * MAX_LAG).await;
            assert_eq!(rig.routing.in_use(), [1]);
        }
    }
}

/// A leader that has never answered has no position that could be reached.
#[tokio::test]
async fn a_leader_that_is_down_from_the_start_is_met_when_it_comes_up() {
    let rig = layout(1).rig();
    lead_is_lost(&rig);
    rig.read_for("a", Duration::from_secs(3)).await;
    rig.leader().heal();
    rig.read_for("a", Duration::from_secs(3)).await;
    assert_eq!(rig.routing.in_use(), [1]);
}
