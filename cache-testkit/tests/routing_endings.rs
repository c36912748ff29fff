//! What is left when calls are dropped, and when the routing is closed or dropped.

#![expect(clippy::print_stderr, reason = "a test tells what it measured")]

mod chance;
mod routing_rig;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cache_core::{AsyncCache, Cache, ErrorKind, Incr, Read, Result, RoutingSettings};
use cache_testkit::Call;

use chance::{dice, scaled};
use routing_rig::{GRACE, IDLE, Layout, Rig, Tells, get, key, ms, set, tasks};

/// Servers that are asked all the time, one of them down.
fn layout() -> Layout {
    let settings = RoutingSettings::new().max_lag(ms(100)).read_your_writes(ms(100));
    Layout::of(2).settings(settings).tells(Tells::Positions)
}

async fn watching(layout: Layout) -> Rig {
    let rig = layout.rig();
    rig.replica(2).on(Call::ALL).fail(ErrorKind::Connection);
    for _ in 0..20 {
        get(&*rig.routing, "a").await.expect("somebody answers");
        rig.clock.pass(ms(10)).await;
    }
    assert_eq!(rig.routing.in_use(), [1]);
    assert!(tasks() > 0, "somebody watches");
    rig
}

#[tokio::test]
async fn when_the_routing_is_dropped_nothing_is_left() {
    for layout in [layout(), layout().without_trips()] {
        let Rig { routing, clock, faulty, opening, trips, .. } = watching(layout).await;
        drop((routing, trips));
        assert!(faulty.iter().all(|faulty| Arc::strong_count(faulty) == 1), "nobody keeps the stores");
        clock.pass(IDLE).await;
        assert!(opening.tasks.is_empty(), "its task has ended");
        assert_eq!((tasks(), clock.sleepers(), opening.timer.waiting()), (0, 0, 0));
    }
}

/// Whoever asks is inside a server that stalls.
#[tokio::test]
async fn when_the_routing_is_dropped_while_servers_stall_nothing_is_left() {
    for layout in [layout(), layout().without_trips()] {
        let rig = watching(layout).await;
        rig.faulty.iter().for_each(|faulty| faulty.on(Call::ALL).stall());
        rig.clock.pass(ms(30)).await;
        let Rig { routing, clock, faulty, opening, trips, .. } = rig;
        assert!(faulty.iter().any(|faulty| faulty.inside(Call::Ping) > 0));
        drop((routing, trips));
        // A ping that stalls is given up by its deadline.
        clock.pass(ms(100) + GRACE).await;
        assert!(faulty.iter().all(|faulty| Arc::strong_count(faulty) == 1), "nobody keeps the stores");
        assert!(opening.tasks.is_empty());
        clock.pass(IDLE).await;
        assert_eq!((tasks(), clock.sleepers(), opening.timer.waiting()), (0, 0, 0));
    }
}

fn handle(rig: &Rig) -> Cache {
    rig.handle().build()
}

#[tokio::test]
async fn the_last_clone_of_a_handle_ends_its_task() {
    let rig = watching(layout()).await;
    let first = handle(&rig);
    let second = first.at_version(2);
    let Rig { routing, clock, opening, trips, faulty, .. } = rig;
    drop((routing, trips));
    drop(first);
    clock.pass(ms(50)).await;
    assert!(!opening.tasks.is_empty(), "there is one left");
    drop(second);
    assert!(faulty.iter().all(|faulty| Arc::strong_count(faulty) == 1));
    clock.pass(IDLE).await;
    assert_eq!((tasks(), opening.tasks.len(), clock.sleepers()), (0, 0, 0));
}

#[tokio::test]
async fn closing_ends_its_task_and_closes_each_server_once() {
    for layout in [layout(), layout().without_trips()] {
        let rig = watching(layout).await;
        rig.replica(2).heal();
        let cache = handle(&rig);
        let closing = cache.clone();
        let (closed, took) = rig.finish(async move { closing.aclose().await }).await;
        closed.expect("it closes");
        assert!(took <= ms(5), "the task ends when it is told: {took:?}");
        assert!(rig.faulty.iter().all(|faulty| faulty.begun(Call::Close) == 1));
        assert!(rig.opening.tasks.is_empty());
        let pings: usize = rig.faulty.iter().map(|faulty| faulty.begun(Call::Ping)).sum();
        assert_eq!(cache.aget::<i64>("a").await.expect_err("closed").kind(), ErrorKind::Closed);
        // Nothing starts it anew.
        let _ = get(&*rig.routing, "a").await;
        let _ = rig.routing.aget(&key("a"), Read::default()).await;
        rig.is_at_rest().await;
        assert_eq!(rig.faulty.iter().map(|faulty| faulty.begun(Call::Ping)).sum::<usize>(), pings);
    }
}

#[tokio::test]
async fn closing_is_not_kept_waiting_by_whoever_asks_a_server_that_stalls() {
    for layout in [layout(), layout().without_trips()] {
        let rig = watching(layout).await;
        rig.replica(2).heal();
        rig.faulty.iter().for_each(|faulty| faulty.on([Call::Ping]).stall());
        rig.clock.pass(ms(30)).await;
        let cache = handle(&rig);
        let (closed, took) = rig.finish(async move { cache.aclose().await }).await;
        closed.expect("it closes");
        assert!(took <= ms(100) + GRACE, "{took:?}");
        rig.faulty.iter().for_each(|faulty| faulty.heal());
        rig.is_at_rest().await;
    }
}

#[tokio::test]
async fn each_server_is_closed_though_one_of_them_fails() {
    for broken in 0..3 {
        let rig = layout().without_trips().rig();
        rig.faulty[broken].on([Call::Close]).fail(ErrorKind::Server);
        assert_eq!(rig.routing.aclose().await.expect_err("as told").kind(), ErrorKind::Server);
        assert!(rig.faulty.iter().all(|faulty| faulty.begun(Call::Close) == 1), "{broken}");
    }
}

/// By whoever has no handle: the trait says that it lets go of its tasks.
#[tokio::test]
async fn closing_the_layer_itself_ends_its_task() {
    let rig = watching(layout()).await;
    rig.replica(2).heal();
    rig.routing.aclose().await.expect("it closes");
    rig.clock.pass(IDLE).await;
    assert!(rig.opening.tasks.is_empty(), "a task goes on and asks closed servers");
}

type Pending = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

fn call(rig: &Rig, dice: &mut fastrand::Rng) -> Pending {
    let routing = Arc::clone(&rig.routing);
    let name = ["a", "b", "c"][dice.usize(0..3)];
    match dice.u8(0..8) {
        0 => Box::pin(async move { set(&*routing, name, 1).await.map(drop) }),
        1 => Box::pin(async move { routing.aincr(&key(name), Incr::by(1)).await.map(drop) }),
        2 => Box::pin(async move { routing.aping().await.map(drop) }),
        3 => Box::pin(async move {
            let keys = ["a", "b", "c"].map(key);
            let answers = routing.get_many(&keys, Read::default()).await?;
            assert_eq!(answers.len(), 3);
            Ok(())
        }),
        4 => Box::pin(async move { routing.ahas_key(&key(name), Read::LEADER).await.map(drop) }),
        _ => Box::pin(async move { get(&*routing, name).await.map(drop) }),
    }
}

#[tokio::test]
async fn calls_dropped_at_random_leave_nothing_behind() {
    let mut dice = dice("routing: calls_dropped_at_random_leave_nothing_behind");
    for layout in [layout(), layout().without_trips()] {
        let rig = layout.rig();
        let (mut dropped, mut ended, mut failed) = (0_usize, 0, 0);
        let mut calls: Vec<Pending> = Vec::new();
        while dropped < scaled(3_000) {
            if dice.u8(..) < 10 {
                let place = dice.usize(0..3);
                rig.faulty[place].heal();
                match dice.u8(0..4) {
                    0 => rig.faulty[place].on(Call::ALL).stall(),
                    1 => rig.faulty[place].on(Call::ALL).fail(ErrorKind::Connection),
                    _ => rig.faulty[place].on(Call::ALL).delay(rig.time(), dice.u32(0..30) * ms(1)),
                }
            }
            rig.replicate();
            let mut next = call(&rig, &mut dice);
            match poll(&mut next) {
                Poll::Ready(outcome) => {
                    ended += 1;
                    failed += usize::from(outcome.is_err());
                }
                Poll::Pending => calls.push(next),
            }
            if dice.u8(..) < 60 {
                rig.clock.pass(dice.u32(0..3) * ms(1)).await;
            }
            let mut kept = Vec::with_capacity(calls.len());
            for mut call in calls {
                if dice.u8(..) < 20 {
                    dropped += 1;
                } else if let Poll::Ready(outcome) = poll(&mut call) {
                    ended += 1;
                    failed += usize::from(outcome.is_err());
                } else {
                    kept.push(call);
                }
            }
            calls = kept;
        }
        eprintln!("{dropped} dropped, {ended} ended, {failed} of them failed");
        assert!(ended > failed && failed > 100, "the mixture says little");
        drop(calls);
        rig.faulty.iter().for_each(|faulty| faulty.heal());
        rig.replicate();
        // It all comes back.
        for _ in 0..200 {
            let _ = get(&*rig.routing, "a").await;
            rig.clock.pass(ms(10)).await;
        }
        assert_eq!(rig.routing.in_use(), [1, 2]);
        handle(&rig).aclose().await.expect("it closes");
        rig.is_at_rest().await;
    }
}

fn poll(call: &mut Pending) -> Poll<Result<()>> {
    call.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Its pings may panic, as anything of a driver may.
#[tokio::test]
async fn a_server_that_panics_when_it_is_asked_does_not_end_the_watching_for_good() {
    for place in 0..3 {
        let rig = layout().rig();
        rig.faulty[place].on([Call::Ping]).times(2).panic();
        for _ in 0..400 {
            get(&*rig.routing, "a").await.expect("the leader answers");
            rig.clock.pass(ms(10)).await;
        }
        assert_eq!(rig.routing.in_use(), [1, 2], "server {place}");
    }
}

#[tokio::test]
async fn a_lone_replica_that_is_down_for_long_costs_one_task() {
    let rig = Layout::of(1).rig();
    rig.replica(1).on(Call::ALL).fail(ErrorKind::Connection);
    for _ in 0..500 {
        get(&*rig.routing, "a").await.expect("the leader answers");
        rig.clock.pass(ms(10)).await;
        assert!(tasks() <= 4, "those of the routing, of the trip, and a timer");
    }
    assert!(rig.opening.tasks.len() <= 1);
    rig.replica(1).heal();
    rig.clock.pass(Duration::from_secs(3)).await;
    rig.is_at_rest().await;
}
