//! Who is asked for what.

mod routing_rig;

use std::time::Duration;

use cache_core::{
    AsyncCache, Cache, Context, Counter, Entry, Format, Incr, Life, NewEntry, Read, Routing, RoutingSettings,
    Scope, Timeout, When, Write,
};
use cache_testkit::{Call, Faulty};
use std::sync::Arc;

use routing_rig::{Layout, Rig, get, integer, key, set};

/// With one replica it is known who has to be asked.
fn one_replica() -> Rig {
    Layout::of(1).rig()
}

fn begun(rig: &Rig, call: Call) -> (usize, usize) {
    (rig.leader().begun(call), rig.replica(1).begun(call))
}

/// How often something went to the leader at once, and to a replica.
fn routed(rig: &Rig) -> (u64, u64) {
    (rig.total(Counter::RoutedToLeader), rig.total(Counter::RoutedToReplica))
}

#[tokio::test]
async fn each_read_goes_to_a_replica_alone() {
    let rig = one_replica();
    rig.mark("a").await;
    let (a, read) = (key("a"), Read::default());
    assert_eq!(integer(rig.routing.aget(&a, read).await.expect("healthy")), Some(1));
    assert!(rig.routing.ahas_key(&a, read).await.expect("healthy"));
    assert_eq!(rig.routing.alife(&a, read).await.expect("healthy"), Some(Life::Forever));
    let found = rig.routing.get_many(&[a, key("b")], read).await.expect("healthy");
    let found: Vec<_> = found.into_iter().map(|found| integer(found.expect("healthy"))).collect();
    assert_eq!(found, [Some(1), None]);
    for call in [Call::Get, Call::HasKey, Call::Life, Call::GetMany] {
        assert_eq!(begun(&rig, call), (0, 1), "{call:?}");
    }
    assert_eq!(rig.asked(), [0, 4]);
    assert_eq!(routed(&rig), (0, 4));
}

#[tokio::test]
async fn each_read_that_says_so_goes_to_the_leader_alone() {
    let rig = one_replica();
    rig.mark("a").await;
    let a = key("a");
    for read in [Read::LEADER, Read::default().with_token(), Read::LEADER.with_token()] {
        let before = rig.asked();
        assert_eq!(integer(rig.routing.aget(&a, read).await.expect("healthy")), Some(0));
        assert!(rig.routing.ahas_key(&a, read).await.expect("healthy"));
        assert_eq!(rig.routing.alife(&a, read).await.expect("healthy"), Some(Life::Forever));
        let found = rig.routing.get_many(&[a], read).await.expect("healthy").remove(0);
        assert_eq!(integer(found.expect("healthy")), Some(0));
        assert_eq!(rig.asked(), [before[0] + 4, 0]);
    }
    assert_eq!(routed(&rig), (12, 0));
}

/// A token of a replica would stand for what the leader may have changed since.
#[tokio::test]
async fn a_token_is_one_of_the_leader() {
    let rig = one_replica();
    set(&*rig.routing, "a", 5).await.expect("healthy");
    let read = Read::default().with_token();
    let found = rig.routing.aget(&key("a"), read).await.expect("healthy").expect("it is there");
    let token = found.token.expect("it was asked for");
    let format = Format::default();
    let value = NewEntry::of(Entry::from_integer(6), &format);
    let write = Write::new(Life::Forever).when(When::Unchanged(token));
    assert!(rig.routing.aset(&key("a"), &value, write).await.expect("healthy"));
    assert_eq!(rig.asked(), [3, 0]);
}

#[tokio::test]
async fn each_write_goes_to_the_leader_alone() {
    let rig = one_replica();
    let format = Format::default();
    let (a, b) = (key("a"), key("b"));
    let value = NewEntry::of(Entry::from_integer(1), &format);
    let write = Write::new(Life::Forever);
    let routing = &rig.routing;
    assert!(routing.aset(&a, &value, write.clone()).await.expect("healthy"));
    let absent = write.clone().when(When::Absent);
    assert!(!routing.aset(&a, &value, absent).await.expect("healthy"), "that is `aadd`");
    assert!(routing.atouch(&a, Life::Forever).await.expect("healthy"));
    assert_eq!(routing.aincr(&a, Incr::by(4)).await.expect("healthy"), Some(5));
    assert!(routing.amove(&a, &b).await.expect("healthy"));
    let items = [(a, value.again(), write.clone()), (b, value.again(), write)];
    assert!(routing.set_many(&items).await.expect("healthy").into_iter().all(|set| set.expect("healthy")));
    assert!(routing.delete_many(&[a]).await.expect("healthy").remove(0).is_ok());
    assert!(routing.adelete(&b, &When::Always).await.expect("healthy"));
    routing.aclear(&Scope::all()).await.expect("healthy");
    assert_eq!(rig.asked(), [9, 0]);
    assert_eq!(begun(&rig, Call::Set), (2, 0));
    assert_eq!(routed(&rig), (9, 0));
    // What was asked of the leader was done there.
    assert_eq!(rig.log.position(), 11);
}

#[tokio::test]
async fn a_failed_write_is_tried_nowhere_else() {
    let rig = one_replica();
    rig.leader().on([Call::Set, Call::Incr]).fail(cache_core::ErrorKind::ReadOnly);
    set(&*rig.routing, "a", 1).await.expect_err("as told");
    rig.routing.aincr(&key("a"), Incr::by(1)).await.expect_err("as told");
    assert_eq!(rig.asked(), [2, 0]);
    assert_eq!(rig.total(Counter::RetriedOnLeader), 0);
}

#[tokio::test]
async fn all_methods_of_a_handle_agree() {
    let rig = one_replica();
    let cache = rig.handle().build();
    assert!(cache.aadd("a", &1, Timeout::Forever).await.expect("healthy"));
    cache.aset("b", &1, Timeout::Forever).await.expect("healthy");
    assert_eq!(cache.aincr("a", 1).await.expect("healthy"), 2);
    assert!(cache.atouch("a", Duration::from_mins(1)).await.expect("healthy"));
    cache.set_many([("c", &3)], Timeout::Forever).await.expect("healthy");
    assert_eq!(rig.asked(), [5, 0]);
    rig.replicate();
    assert_eq!(cache.aget::<i64>("a").await.expect("healthy"), Some(2));
    assert!(cache.ahas_key("b").await.expect("healthy"));
    assert!(cache.alife("a").await.expect("healthy").is_some());
    assert_eq!(cache.get_many::<i64, _>(["a", "b", "c"]).await.expect("healthy").len(), 3);
    assert_eq!(rig.asked(), [5, 4]);
    assert_eq!((cache.stats().routed_to_leader, cache.stats().routed_to_replica), (5, 4));
}

/// The first look may have been a replica's, which did not have it yet.
#[tokio::test]
async fn what_a_replica_misses_is_not_loaded_if_the_leader_has_it() {
    let rig = one_replica();
    let cache = rig.handle().build();
    set(&*rig.servers[0], "a", 5).await.expect("memory does not fail");
    let loader = || async { panic!("the leader has it") };
    let found = cache.aget_or_set::<i64, _, _>("a", Timeout::Forever, loader).await.expect("healthy");
    assert_eq!(*found, 5);
}

#[tokio::test]
async fn without_replicas_all_goes_to_the_leader_and_no_read_is_stale() {
    let rig = Layout::of(0).settings(RoutingSettings::new().max_lag(Duration::from_millis(50))).rig();
    set(&*rig.routing, "a", 5).await.expect("healthy");
    assert_eq!(get(&*rig.routing, "a").await.expect("healthy"), Some(5));
    assert!(rig.routing.in_use().is_empty());
    assert!(!rig.routing.capabilities().stale_reads);
    assert!(one_replica().routing.capabilities().stale_reads);
}

#[tokio::test]
async fn a_bulk_read_has_room_in_the_smallest_of_the_servers() {
    let store = || Arc::new(cache_mem::MemStore::new());
    let capabilities = store().capabilities();
    let sized =
        |keys| Faulty::promising(store(), capabilities.clone().read_batch(cache_core::Batch::new(keys)));
    let replica = sized(2);
    let context = Context::new("rig");
    let routing = Routing::new(
        sized(5),
        vec![sized(3), Arc::<Faulty>::clone(&replica) as _],
        RoutingSettings::new(),
        &context,
    );
    assert_eq!(routing.capabilities().read_batch.keys, 2);
    let cache = Cache::new(routing);
    for _ in 0..20 {
        cache.get_many::<i64, _>(["a", "b", "c", "d", "e"]).await.expect("healthy");
    }
    assert!(replica.begun(Call::GetMany) > 0);
}

#[tokio::test]
async fn the_size_is_that_of_the_leader() {
    let rig = one_replica();
    set(&*rig.servers[0], "a", 5).await.expect("memory does not fail");
    assert_eq!(rig.routing.usage().entries, Some(1));
}

/// A handle keeps no deadline of its own where one is promised.
#[tokio::test]
async fn it_promises_its_deadline_if_the_leader_ends_within_it() {
    let mut context = Context::new("rig");
    context.deadline = routing_rig::DEADLINE;
    let (shorter, longer) = (context.deadline / 2, context.deadline * 2);
    let promised = [(None, None), (Some(shorter), Some(context.deadline)), (Some(longer), None)];
    for (of_leader, of_routing) in promised {
        let store = || Arc::new(cache_mem::MemStore::new());
        let capabilities = store().capabilities().deadline(of_leader);
        let leader = Faulty::promising(store(), capabilities);
        let routing = Routing::new(leader, vec![store()], RoutingSettings::new(), &context);
        assert_eq!(routing.capabilities().deadline, of_routing, "{of_leader:?}");
    }
}
