//! Bulk reads: failures per key, and keys that were written here.

#![expect(clippy::print_stderr, reason = "a test tells what it measured")]

mod chance;
mod routing_rig;

use cache_core::{AsyncCache, Counter, ErrorKind, Key, Read, Result, RoutingSettings};
use cache_testkit::Call;

use chance::{dice, scaled};
use routing_rig::{Layout, Rig, integer, key, ms, set};

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

/// Each server has its own values: a hundred times its number, and the place of the key.
async fn filled(layout: Layout) -> Rig {
    let rig = layout.rig();
    for (number, server) in rig.servers.iter().enumerate() {
        for (place, name) in NAMES.iter().enumerate() {
            let value = 100 * routing_rig::number_of(number) + routing_rig::number_of(place);
            set(&server.store, name, value).await.expect("memory does not fail");
        }
    }
    rig
}

/// The same, and these keys were written here. Others may share the place of one
/// of them where that is remembered, once in some thousand rigs: not in this one.
async fn written(layout: Layout, names: &[&str]) -> Rig {
    for _ in 0..3 {
        let rig = filled(layout.settings(RoutingSettings::new().read_your_writes(ms(500)))).await;
        for name in names {
            set(&*rig.routing, name, 7).await.expect("healthy");
        }
        let others: Vec<_> = NAMES.into_iter().filter(|name| !names.contains(name)).collect();
        let mut apart = true;
        for name in others {
            apart &= routing_rig::get(&*rig.routing, name).await.expect("healthy") >= Some(100);
        }
        if apart {
            return rig;
        }
    }
    panic!("keys that were not written come from the leader, again and again");
}

async fn many(rig: &Rig, names: &[&str]) -> Vec<Result<Option<i64>>> {
    let keys: Vec<Key<'_>> = names.iter().map(|name| key(name)).collect();
    let found = rig.routing.get_many(&keys, Read::default()).await.expect("somebody answers");
    found.into_iter().map(|found| found.map(integer)).collect()
}

async fn all_of(rig: &Rig, names: &[&str]) -> Vec<i64> {
    let found = many(rig, names).await;
    found.into_iter().map(|found| found.expect("no failure").expect("it is there")).collect()
}

/// Only these keys fail, of calls of this kind.
fn fail(rig: &Rig, server: usize, names: &'static [&'static str], kind: ErrorKind) {
    let is_one = |text: &str| names.iter().any(|name| key(name).is(text));
    rig.faulty[server].on([Call::GetMany]).keys(is_one).fail(kind);
}

#[tokio::test]
async fn keys_that_fail_on_a_replica_are_read_once_more_from_the_leader_and_no_others() {
    let rig = filled(Layout::of(1).without_trips()).await;
    fail(&rig, 1, &["b", "d"], ErrorKind::Server);
    // Of the leader only those that failed are asked: it would fail others.
    fail(&rig, 0, &["a", "c", "e"], ErrorKind::Auth);
    assert_eq!(all_of(&rig, &["a", "b", "c", "d", "e"]).await, [100, 1, 102, 3, 104]);
    assert_eq!(rig.asked(), [1, 1]);
    assert_eq!(rig.total(Counter::RetriedOnLeader), 1);
    assert_eq!(rig.routing.in_use(), [1], "it did answer");
}

#[tokio::test]
async fn a_key_that_fails_on_both_has_the_failure_of_the_leader() {
    let rig = filled(Layout::of(1).without_trips()).await;
    fail(&rig, 1, &["b", "d"], ErrorKind::Server);
    fail(&rig, 0, &["d"], ErrorKind::Auth);
    let found = many(&rig, &["a", "b", "c", "d"]).await;
    assert_eq!(found[3].as_ref().expect_err("both fail").kind(), ErrorKind::Auth);
    let others = found[..3].iter().map(|found| found.clone().expect("no failure"));
    assert_eq!(others.collect::<Vec<_>>(), [Some(100), Some(1), Some(102)]);
}

#[tokio::test]
async fn when_the_leader_fails_as_a_whole_so_do_those_keys_alone() {
    let rig = filled(Layout::of(1).without_trips()).await;
    fail(&rig, 1, &["b"], ErrorKind::Server);
    rig.leader().on([Call::GetMany]).fail(ErrorKind::Overloaded);
    let found = many(&rig, &["a", "b", "c"]).await;
    assert_eq!(found[1].as_ref().expect_err("both fail").kind(), ErrorKind::Overloaded);
    assert_eq!(found[0].clone().expect("the replica answered"), Some(100));
    assert_eq!(found[2].clone().expect("the replica answered"), Some(102));
}

#[tokio::test]
async fn a_key_that_is_itself_wrong_is_not_tried_again() {
    let rig = filled(Layout::of(1).without_trips()).await;
    fail(&rig, 1, &["b"], ErrorKind::TooLarge);
    let found = many(&rig, &["a", "b"]).await;
    assert_eq!(found[1].as_ref().expect_err("as told").kind(), ErrorKind::TooLarge);
    assert_eq!(rig.asked(), [0, 1]);
    // Beside one that fails otherwise it stays what it is.
    fail(&rig, 1, &["c"], ErrorKind::Server);
    let found = many(&rig, &["a", "b", "c"]).await;
    assert_eq!(found[1].as_ref().expect_err("as told").kind(), ErrorKind::TooLarge);
    assert_eq!(found[2].clone().expect("the leader answers"), Some(2));
    assert_eq!(rig.asked(), [1, 2]);
}

#[tokio::test]
async fn keys_without_an_answer_leave_the_replica_out() {
    let rig = filled(Layout::of(1).without_trips()).await;
    fail(&rig, 1, &["b"], ErrorKind::Connection);
    assert_eq!(all_of(&rig, &["a", "b"]).await, [100, 1]);
    assert!(rig.routing.in_use().is_empty());
}

/// A replica that answers some keys and loses the others later in one call.
#[tokio::test]
async fn keys_without_an_answer_behind_another_failure_leave_the_replica_out() {
    let rig = filled(Layout::of(1).without_trips()).await;
    fail(&rig, 1, &["a"], ErrorKind::Server);
    fail(&rig, 1, &["b"], ErrorKind::Connection);
    assert_eq!(all_of(&rig, &["a", "b"]).await, [0, 1]);
    assert!(rig.routing.in_use().is_empty(), "it gave no answer for one of them");
}

#[tokio::test]
async fn keys_that_were_written_here_come_from_the_leader_and_the_others_do_not() {
    let rig = written(Layout::of(1), &["b", "d"]).await;
    let before = rig.asked();
    assert_eq!(all_of(&rig, &["a", "b", "c", "d", "b"]).await, [100, 7, 102, 7, 7]);
    assert_eq!(rig.asked(), [before[0] + 1, before[1] + 1]);
    // All of them written, or none of them.
    assert_eq!(all_of(&rig, &["d", "b"]).await, [7, 7]);
    assert_eq!(rig.asked(), [before[0] + 2, before[1] + 1]);
    assert_eq!(all_of(&rig, &["a", "c"]).await, [100, 102]);
    assert_eq!(rig.asked(), [before[0] + 2, before[1] + 2]);
    assert!(many(&rig, &[]).await.is_empty());
}

#[tokio::test]
async fn a_part_that_fails_does_not_harm_the_other() {
    let rig = written(Layout::of(1).without_trips(), &["b"]).await;
    // The leader's part fails.
    rig.leader().on([Call::GetMany]).times(1).fail(ErrorKind::Auth);
    let found = many(&rig, &["a", "b", "c"]).await;
    assert_eq!(found[1].as_ref().expect_err("as told").kind(), ErrorKind::Auth);
    assert_eq!(found[0].clone().expect("of the replica"), Some(100));
    assert_eq!(found[2].clone().expect("of the replica"), Some(102));
    // The replica's part fails, and is tried on the leader.
    rig.replica(1).on([Call::GetMany]).times(1).fail(ErrorKind::Auth);
    assert_eq!(all_of(&rig, &["a", "b", "c"]).await, [0, 7, 2]);
    // Only a key of the replica's part fails.
    fail(&rig, 1, &["c"], ErrorKind::Server);
    assert_eq!(all_of(&rig, &["c", "b", "a"]).await, [2, 7, 100]);
}

/// The two parts do not wait for each other.
#[tokio::test]
async fn both_parts_are_asked_at_once() {
    let rig = written(Layout::of(1), &["b"]).await;
    for faulty in &rig.faulty {
        faulty.on([Call::GetMany]).delay(rig.time(), ms(20));
    }
    let routing = std::sync::Arc::clone(&rig.routing);
    let read = async move { routing.get_many(&[key("a"), key("b")], Read::default()).await };
    let (found, took) = rig.finish(read).await;
    assert_eq!(found.expect("healthy").len(), 2);
    assert!(took < ms(25), "{took:?}");
}

/// Whatever fails where, each key gets its own value, of the right server.
#[tokio::test]
async fn whatever_fails_each_answer_is_in_its_place() {
    let mut dice = dice("whatever_fails_each_answer_is_in_its_place");
    let (mut retried, mut split, mut shared) = (0, 0, 0);
    let rounds = scaled(300);
    for _ in 0..rounds {
        let settings = RoutingSettings::new().read_your_writes(ms(500));
        let rig = filled(Layout::of(1).settings(settings).without_trips()).await;
        let written: Vec<&str> = NAMES.into_iter().filter(|_| dice.u8(0..4) == 0).collect();
        for name in &written {
            let place = NAMES.iter().position(|other| other == name).expect("one of them");
            set(&*rig.routing, name, routing_rig::number_of(place)).await.expect("healthy");
        }
        let failing: Vec<String> =
            NAMES.into_iter().filter(|_| dice.u8(0..4) == 0).map(|name| key(name).text().into()).collect();
        let of_replica = failing.clone();
        let is_failing = move |text: &str| of_replica.iter().any(|failing| failing == text);
        rig.replica(1).on([Call::GetMany]).keys(is_failing).fail(ErrorKind::Server);
        let names: Vec<&str> = (0..dice.usize(0..12)).map(|_| NAMES[dice.usize(0..NAMES.len())]).collect();
        let found = all_of(&rig, &names).await;
        for (name, value) in names.iter().zip(&found) {
            let place = NAMES.iter().position(|other| other == name).expect("one of them");
            let leads = written.contains(name) || failing.iter().any(|failing| key(name).is(failing));
            let of_leader = routing_rig::number_of(place);
            if !leads && *value == of_leader && !written.is_empty() {
                shared += 1;
                continue;
            }
            let expected = if leads { 0 } else { 100 } + of_leader;
            assert_eq!(*value, expected, "{name} of {names:?}, written {written:?}, failing {failing:?}");
        }
        retried += rig.total(Counter::RetriedOnLeader);
        split += usize::from(names.iter().any(|name| written.contains(name)));
    }
    eprintln!("{retried} retried, {split} with keys that were written, {shared} shared a place");
    assert!(shared <= 5 + rounds / 100, "few keys share the place of one that was written");
    assert!(retried > 50 && split > 50, "the mixture says little");
}
