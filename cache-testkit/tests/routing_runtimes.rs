//! Whoever watches the replicas lives on the runtime of a caller. Others are
//! not to suffer when that runtime is gone, asleep, or was never there.

mod routing_rig;

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use cache_core::{Clock, ErrorKind, RoutingSettings, Tick};
use cache_testkit::Call;
use tokio::runtime::{Builder, Runtime};

use routing_rig::{Layout, Rig, Tells, get, ms};

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime")
}

fn layouts() -> [Layout; 3] {
    let aged = RoutingSettings::new().max_lag(ms(200));
    [Layout::of(1), Layout::of(1).without_trips(), Layout::of(1).settings(aged).tells(Tells::Positions)]
}

/// Sleeping on it is to give way once, as every answer of a server is.
#[derive(Debug)]
struct GivesWay;

#[async_trait]
impl Clock for GivesWay {
    fn now(&self) -> Tick {
        Tick::from_nanos(0)
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    async fn sleep_until(&self, _: Tick) {
        tokio::task::yield_now().await;
    }
}

/// Makes the replica known to be down, on this runtime.
fn lose(rig: &Rig, runtime: &Runtime) {
    runtime.block_on(async {
        // Where ages are needed it has to be in use first.
        for _ in 0..30 {
            get(&*rig.routing, "a").await.expect("somebody answers");
            rig.clock.pass(ms(10)).await;
        }
        assert_eq!(rig.routing.in_use(), [1]);
        rig.replica(1).on(Call::ALL).fail(ErrorKind::Connection);
        get(&*rig.routing, "a").await.expect("the leader answers");
        rig.clock.pass(ms(5)).await;
        assert!(rig.routing.in_use().is_empty());
    });
}

async fn is_taken_back(rig: &Rig) {
    for _ in 0..500 {
        get(&*rig.routing, "a").await.expect("somebody answers");
        if rig.routing.in_use() == [1] {
            return;
        }
        rig.clock.pass(ms(10)).await;
    }
    panic!("the replica has been well for five seconds, and is not used");
}

#[test]
fn when_the_runtime_of_the_watcher_ends_a_caller_on_another_has_it_watched() {
    for layout in layouts() {
        let rig = layout.rig();
        let first = one_thread();
        lose(&rig, &first);
        drop(first);
        rig.replica(1).heal();
        let second = one_thread();
        second.block_on(is_taken_back(&rig));
        second.block_on(async { rig.clock.pass(ms(5)).await });
    }
}

/// It exists, and nobody polls what lives on it.
#[test]
fn when_the_runtime_of_the_watcher_stands_still_a_caller_on_another_has_it_watched() {
    for layout in layouts() {
        let rig = layout.rig();
        let asleep = one_thread();
        lose(&rig, &asleep);
        rig.replica(1).heal();
        one_thread().block_on(is_taken_back(&rig));
        // When it wakes it does no harm.
        asleep.block_on(async {
            rig.clock.pass(Duration::from_secs(2)).await;
            is_taken_back(&rig).await;
        });
    }
}

/// And that one is inside a server that stalled when it fell asleep.
#[test]
fn when_the_watcher_fell_asleep_while_it_asked_a_caller_on_another_has_it_watched() {
    for layout in layouts() {
        let rig = layout.rig();
        let asleep = one_thread();
        lose(&rig, &asleep);
        rig.replica(1).heal();
        rig.replica(1).on([Call::Ping]).stall();
        asleep.block_on(async { rig.clock.pass(ms(80)).await });
        rig.replica(1).heal();
        one_thread().block_on(is_taken_back(&rig));
    }
}

/// The ages have to be known on the other runtime too, with nobody down.
#[test]
fn ages_are_known_though_the_runtime_of_the_watcher_stands_still_or_is_gone() {
    for is_gone in [false, true] {
        let settings = RoutingSettings::new().max_lag(ms(200));
        let rig = Layout::of(1).settings(settings).tells(Tells::Positions).rig();
        let first = one_thread();
        first.block_on(is_taken_back(&rig));
        let asleep = (!is_gone).then_some(first);
        let (mut reads, mut used) = (0, 0);
        one_thread().block_on(async {
            for round in 0..500 {
                get(&*rig.routing, "a").await.expect("healthy");
                rig.clock.pass(ms(10)).await;
                if round > 200 {
                    reads += 1;
                    used += usize::from(rig.routing.in_use() == [1]);
                }
            }
        });
        assert_eq!(used, reads, "is_gone: {is_gone}");
        drop(asleep);
    }
}

#[test]
fn without_a_runtime_reads_that_need_not_wait_are_answered() {
    for layout in layouts() {
        let rig = layout.rig();
        for _ in 0..3 {
            get_at_once(&rig);
        }
        rig.replica(1).on(Call::ALL).fail(ErrorKind::Connection);
        for _ in 0..3 {
            get_at_once(&rig);
        }
        rig.replica(1).heal();
        one_thread().block_on(is_taken_back(&rig));
    }
}

fn get_at_once(rig: &Rig) {
    let mut call = pin!(get(&*rig.routing, "a"));
    match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(found) => {
            found.expect("the leader answers");
        }
        Poll::Pending => panic!("it waits"),
    }
}

/// A program without async of its own keeps a runtime of one thread beside it,
/// which runs only while somebody blocks on it.
#[test]
fn a_program_that_blocks_on_each_call_has_its_replicas_back() {
    for layout in layouts() {
        let rig = layout.rig();
        let runtime = one_thread();
        lose(&rig, &runtime);
        rig.replica(1).heal();
        rig.faulty.iter().for_each(|faulty| faulty.on(Call::ALL).delay(Arc::new(GivesWay), ms(1)));
        let mut rounds = 0;
        while rig.routing.in_use().is_empty() {
            runtime.block_on(get(&*rig.routing, "a")).expect("somebody answers");
            rig.clock.advance(ms(20));
            rounds += 1;
            assert!(rounds < 500, "it has been well for ten seconds");
            assert!(runtime.metrics().num_alive_tasks() <= 4, "tasks pile up");
        }
    }
}

/// A runtime that ends does not take the answer of another's read with it.
#[test]
fn a_shut_down_runtime_whose_handle_is_left_hangs_nobody() {
    let rig = Layout::of(1).rig();
    rig.replica(1).on(Call::ALL).fail(ErrorKind::Connection);
    let handle = one_thread().handle().clone();
    for _ in 0..3 {
        handle.block_on(get(&*rig.routing, "a")).expect("the leader answers");
    }
    rig.replica(1).heal();
    one_thread().block_on(is_taken_back(&rig));
}

/// Somebody else has asked since it fell asleep, and goes on.
#[test]
fn a_watcher_that_wakes_and_was_replaced_ends() {
    let settings = RoutingSettings::new().max_lag(ms(200));
    let rig = Layout::of(1).without_trips().settings(settings).tells(Tells::Positions).rig();
    let (asleep, second) = (one_thread(), one_thread());
    asleep.block_on(is_taken_back(&rig));
    second.block_on(async {
        rig.clock.pass(Duration::from_secs(3)).await;
        is_taken_back(&rig).await;
    });
    assert_eq!(rig.opening.tasks.len(), 2);
    asleep.block_on(rig.clock.pass(ms(100)));
    second.block_on(rig.clock.pass(ms(100)));
    assert_eq!(rig.opening.tasks.len(), 1);
}
