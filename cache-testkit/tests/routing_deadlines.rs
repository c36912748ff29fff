//! A replica that stalls costs half of the time at most, and the answer of the
//! leader comes with the other half.

mod routing_rig;

use std::sync::Arc;
use std::time::Duration;

use cache_core::{AsyncCache, Counter, ErrorKind, Read, Result, Routing, RoutingSettings};
use cache_testkit::{Call, Faulty};

use routing_rig::{DEADLINE, GRACE, Layout, Rig, integer, key, ms, set};

const READS: [Call; 4] = [Call::Get, Call::HasKey, Call::Life, Call::GetMany];

/// With and without what a configuration puts before each server, and by a
/// clock as machines have it.
fn layouts() -> [Layout; 4] {
    let (with, without) = (Layout::of(1), Layout::of(1).without_trips());
    [with, without, with.coarse(), without.coarse()]
}

async fn stalled(layout: Layout) -> Rig {
    let rig = layout.rig();
    rig.mark("a").await;
    rig.replica(1).on(Call::ALL).stall();
    rig
}

/// The cheap time may lag behind by some milliseconds.
fn is_about(took: Duration, expected: Duration) {
    assert!(took + ms(4) >= expected && took <= expected + GRACE, "{took:?} instead of {expected:?}");
}

/// A read of this kind, and how long it takes; where it tells who answered, that.
async fn read(rig: &Rig, call: Call, read: Read) -> (Result<Option<i64>>, Duration) {
    let routing = Arc::clone(&rig.routing);
    let work = async move {
        match call {
            Call::Get => routing.aget(&key("a"), read).await.map(integer),
            Call::HasKey => routing.ahas_key(&key("a"), read).await.map(|there| there.then_some(0)),
            Call::Life => routing.alife(&key("a"), read).await.map(|life| life.map(|_| 0)),
            Call::GetMany => routing.get_many(&[key("a")], read).await?.remove(0).map(integer),
            call => unreachable!("{call:?} reads nothing"),
        }
    };
    rig.finish(work).await
}

#[tokio::test]
async fn a_stalled_replica_costs_half_of_the_deadline() {
    for layout in layouts() {
        for call in READS {
            let rig = stalled(layout).await;
            let (found, took) = read(&rig, call, Read::default()).await;
            assert_eq!(found.expect("the leader answers"), Some(0), "{call:?}");
            is_about(took, DEADLINE / 2);
            assert_eq!(rig.asked(), [1, 1]);
            // And costs nobody else anything.
            let (found, took) = read(&rig, call, Read::default()).await;
            assert_eq!((found.expect("the leader answers"), took), (Some(0), Duration::ZERO));
            assert!(rig.routing.in_use().is_empty());
            assert_eq!(rig.total(Counter::ReplicasLeftOut), 1);
        }
    }
}

#[tokio::test]
async fn a_leader_that_is_slow_has_the_other_half() {
    for layout in layouts() {
        for call in READS {
            let rig = stalled(layout).await;
            rig.leader().on([call]).delay(rig.time(), ms(35));
            let (found, took) = read(&rig, call, Read::default()).await;
            assert_eq!(found.expect("the leader answers"), Some(0), "{call:?}");
            is_about(took, DEADLINE / 2 + ms(35));
        }
    }
}

#[tokio::test]
async fn when_all_stall_the_deadline_ends_it() {
    for layout in layouts() {
        for call in READS {
            let rig = stalled(layout).await;
            rig.leader().on([call]).stall();
            let (found, took) = read(&rig, call, Read::default()).await;
            assert_eq!(found.expect_err("nobody answers").kind(), ErrorKind::Deadline, "{call:?}");
            is_about(took, DEADLINE);
            assert_eq!((rig.leader().inside(call), rig.replica(1).inside(call)), (0, 0));
        }
    }
}

/// Half of what is left, not of the deadline of the alias.
#[tokio::test]
async fn a_caller_in_a_hurry_has_the_answer_in_its_own_time() {
    for layout in layouts() {
        for call in READS {
            let rig = stalled(layout).await;
            let until = rig.now().after(ms(40));
            rig.leader().on([call]).delay(rig.time(), ms(10));
            let (found, took) = read(&rig, call, Read::default().until(until)).await;
            assert_eq!(found.expect("the leader answers"), Some(0), "{call:?}");
            is_about(took, ms(30));
            assert!(took < ms(40), "{took:?}");
        }
    }
}

#[tokio::test]
async fn a_caller_in_no_hurry_gets_no_more_than_the_deadline() {
    for layout in layouts() {
        let rig = stalled(layout).await;
        let until = rig.now().after(Duration::from_mins(1));
        let (found, took) = read(&rig, Call::Get, Read::default().until(until)).await;
        assert_eq!(found.expect("the leader answers"), Some(0));
        is_about(took, DEADLINE / 2);
    }
}

#[tokio::test]
async fn a_handle_with_a_deadline_of_its_own_has_the_leaders_answer_within_it() {
    for layout in layouts() {
        for own in [ms(40), ms(60), ms(99), DEADLINE, ms(400)] {
            let rig = stalled(layout).await;
            let cache = rig.handle().build().with_deadline(own);
            let one = cache.clone();
            let (found, took) = rig.finish(async move { one.aget::<i64>("a").await }).await;
            assert_eq!(found.expect("the leader answers"), Some(0), "{own:?}");
            is_about(took, own.min(DEADLINE) / 2);
        }
    }
}

#[tokio::test]
async fn a_bulk_read_of_a_handle_has_the_leaders_answer_within_its_deadline() {
    for layout in layouts() {
        for own in [ms(40), DEADLINE] {
            let rig = stalled(layout).await;
            let cache = rig.handle().build().with_deadline(own);
            let (found, took) = rig.finish(async move { cache.get_many::<i64, _>(["a", "b"]).await }).await;
            assert_eq!(found.expect("the leader answers").get("a"), Some(&0));
            is_about(took, own / 2);
        }
    }
}

/// The loader's first look and the second one fit, and the load is the leader's.
#[tokio::test]
async fn a_load_over_a_stalled_replica_is_served() {
    for layout in layouts() {
        let rig = stalled(layout).await;
        let cache = rig.handle().build();
        let load = async move { cache.aget_or_set("b", cache_core::Timeout::Forever, || async { 5 }).await };
        let (found, took) = rig.finish(load).await;
        assert_eq!(*found.expect("the leader answers"), 5);
        assert!(took <= DEADLINE / 2 + GRACE, "{took:?}");
    }
}

/// A replica that answers slowly, but within its half, is not disturbed.
#[tokio::test]
async fn a_slow_replica_may_take_its_half() {
    for layout in layouts() {
        let rig = layout.rig();
        rig.mark("a").await;
        rig.replica(1).on(READS).delay(rig.time(), ms(45));
        for call in [Call::Get, Call::GetMany] {
            let (found, took) = read(&rig, call, Read::default()).await;
            assert_eq!(found.expect("the replica answers"), Some(1));
            is_about(took, ms(45));
        }
        assert_eq!((rig.asked(), rig.routing.in_use()), (vec![0, 2], vec![1]));
    }
}

/// It answers in a fifth of its time, which one caller does not wait for.
#[tokio::test]
async fn a_caller_in_a_hurry_says_nothing_of_the_replica() {
    for layout in layouts() {
        let rig = layout.rig();
        rig.mark("a").await;
        rig.replica(1).on(READS).delay(rig.time(), ms(10));
        let until = rig.now().after(ms(12));
        let (found, _) = read(&rig, Call::Get, Read::default().until(until)).await;
        assert_eq!(found.expect("the leader answers"), Some(0), "within its time");
        assert_eq!(rig.routing.in_use(), [1], "it is as well as it was");
        assert_eq!(rig.total(Counter::ReplicasLeftOut), 0);
    }
}

/// With all callers in a hurry it is found out all the same.
#[tokio::test]
async fn callers_in_a_hurry_are_not_slowed_down_for_ever() {
    for layout in layouts() {
        let rig = stalled(layout).await;
        let cache = rig.handle().build().with_deadline(ms(60));
        let mut slowed = 0;
        for _ in 0..50 {
            let cache = cache.clone();
            let (found, took) = rig.finish(async move { cache.aget::<i64>("a").await }).await;
            assert_eq!(found.expect("the leader answers"), Some(0));
            slowed += usize::from(took >= ms(25));
            rig.clock.pass(ms(20)).await;
        }
        assert!(slowed <= 10, "{slowed} of 50 lost half of their time");
        assert!(rig.routing.in_use().is_empty());
    }
}

#[tokio::test]
async fn a_split_bulk_read_over_a_stalled_replica_is_whole() {
    for layout in layouts() {
        let rig = stalled(layout.settings(RoutingSettings::new().read_your_writes(ms(500)))).await;
        set(&*rig.routing, "b", 7).await.expect("the leader is well");
        let routing = Arc::clone(&rig.routing);
        let work = async move { routing.get_many(&[key("a"), key("b"), key("c")], Read::default()).await };
        let (found, took) = rig.finish(work).await;
        let found = found.expect("the leader answers").into_iter();
        let found: Vec<_> = found.map(|found| integer(found.expect("the leader answers"))).collect();
        assert_eq!(found, [Some(0), Some(7), None]);
        is_about(took, DEADLINE / 2);
    }
}

/// What callers leave behind who do not wait.
#[tokio::test]
async fn a_read_that_is_dropped_leaves_nothing() {
    for layout in layouts() {
        let rig = stalled(layout).await;
        let (routing, leader) = (Arc::clone(&rig.routing), rig.leader());
        leader.on([Call::Get]).stall();
        let at_replica = tokio::spawn({
            let routing = Arc::clone(&routing);
            async move { routing.aget(&key("a"), Read::default()).await.map(integer) }
        });
        rig.clock.pass(ms(20)).await;
        assert_eq!((leader.inside(Call::Get), rig.replica(1).inside(Call::Get)), (0, 1));
        at_replica.abort();
        rig.clock.pass(ms(1)).await;
        assert_eq!(rig.replica(1).inside(Call::Get), 0);
        assert_eq!(rig.routing.in_use(), [1], "who gives up says nothing of the replica");
        let at_leader =
            tokio::spawn(async move { routing.aget(&key("a"), Read::default()).await.map(integer) });
        rig.clock.pass(ms(70)).await;
        assert_eq!((leader.inside(Call::Get), rig.replica(1).inside(Call::Get)), (1, 0));
        at_leader.abort();
        rig.clock.pass(ms(1)).await;
        assert_eq!(leader.inside(Call::Get), 0);
        rig.faulty.iter().for_each(|faulty| faulty.heal());
        rig.is_at_rest().await;
    }
}

/// Of a bulk read only some keys failed on the replica, and the leader stalls.
#[tokio::test]
async fn keys_that_are_read_once_more_end_by_the_deadline_as_well() {
    for layout in layouts() {
        let rig = layout.rig();
        rig.mark("a").await;
        rig.replica(1).on([Call::GetMany]).keys(|text| key("b").is(text)).fail(ErrorKind::Server);
        rig.leader().on([Call::GetMany]).stall();
        let routing = Arc::clone(&rig.routing);
        let work = async move { routing.get_many(&[key("a"), key("b")], Read::default()).await };
        let (found, took) = rig.finish(work).await;
        let mut found = found.expect("the replica answers").into_iter();
        assert_eq!(integer(found.next().expect("two").expect("the replica has it")), Some(1));
        let failure = found.next().expect("two").expect_err("nobody answers");
        assert_eq!(failure.kind(), ErrorKind::Deadline);
        is_about(took, DEADLINE);
    }
}

/// It ends within the whole deadline, by what it says, and has half of it.
#[tokio::test]
async fn a_replica_that_promises_the_whole_deadline_has_half_of_it() {
    let rig = Layout::of(0).rig();
    let store = || Arc::new(cache_mem::MemStore::new());
    let capabilities = store().capabilities().deadline(Some(DEADLINE));
    let replica = Faulty::promising(store(), capabilities);
    replica.on(Call::ALL).stall();
    let routing = Routing::new(store(), vec![replica], RoutingSettings::new(), &rig.opening);
    let read = async move { routing.aget(&key("a"), Read::default()).await.map(integer) };
    let (found, took) = rig.finish(read).await;
    assert_eq!(found.expect("the leader answers"), None);
    is_about(took, DEADLINE / 2);
}
