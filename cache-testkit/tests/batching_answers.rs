//! Each caller gets the answer to what it asked, whoever travelled with it.

mod batching_rig;
mod chance;

use std::collections::HashMap;

use cache_core::{AsyncCache, Gather, Life, When};
use cache_testkit::Call;

use batching_rig::{Rig, done, ms, set};
use chance::{dice, scaled};

#[tokio::test]
async fn each_read_gets_the_value_of_its_own_key() {
    let mut dice = dice("each_read_gets_the_value_of_its_own_key");
    for _ in 0..scaled(50) {
        let rig = Rig::gathering(Gather::new(dice.usize(1..4), dice.usize(1..20)));
        for value in 0..20 {
            set(&*rig.faulty, &format!("k{value}"), value, When::Always).await.expect("a healthy store");
        }
        let (gate, lone) = rig.hold_reads().await;
        // Some are asked for more than once, and some are not there.
        let asked: Vec<i64> = (0..dice.usize(1..60)).map(|_| dice.i64(0..30)).collect();
        let reads: Vec<_> = asked.iter().map(|value| tokio::spawn(rig.get(format!("k{value}")))).collect();
        rig.settle().await;
        gate.open();
        for (value, read) in asked.into_iter().zip(reads) {
            let found = done(read).await.expect("a healthy store");
            assert_eq!(found, (value < 20).then_some(value));
        }
        done(lone).await.expect("a healthy store");
        rig.leaves_nothing().await;
    }
}

/// Under conditions, in the order in which they came, on keys that repeat: as
/// though each had been alone.
#[tokio::test]
async fn each_write_is_answered_as_though_it_had_been_alone() {
    let mut dice = dice("each_write_is_answered_as_though_it_had_been_alone");
    for _ in 0..scaled(50) {
        let rig = Rig::gathering(Gather::new(dice.usize(1..4), dice.usize(1..20)));
        let mut model = HashMap::new();
        for value in 0..4 {
            set(&*rig.faulty, &format!("k{value}"), value, When::Always).await.expect("a healthy store");
            model.insert(format!("k{value}"), value);
        }
        let (gate, lone) = rig.hold_writes().await;
        let mut writes = Vec::new();
        for value in 100..100 + dice.i64(1..60) {
            let name = format!("k{}", dice.u8(0..8));
            let when = [When::Always, When::Absent, When::Present][dice.usize(0..3)].clone();
            let is_there = model.contains_key(&name);
            let is_written = match when {
                When::Absent => !is_there,
                When::Present => is_there,
                _ => true,
            };
            if is_written {
                model.insert(name.clone(), value);
            }
            writes.push((is_written, tokio::spawn(rig.set_when(name, value, when))));
        }
        rig.settle().await;
        gate.open();
        for (is_written, write) in writes {
            assert_eq!(done(write).await.expect("a healthy store"), is_written);
        }
        done(lone).await.expect("a healthy store");
        for number in 0..8 {
            let name = format!("k{number}");
            assert_eq!(rig.stored(&name).await, model.get(&name).copied());
        }
        rig.leaves_nothing().await;
    }
}

#[tokio::test]
async fn readers_of_one_key_in_one_trip_all_get_it() {
    let rig = Rig::new();
    set(&*rig.faulty, "a", 1, When::Always).await.expect("a healthy store");
    set(&*rig.faulty, "b", 2, When::Always).await.expect("a healthy store");
    let (gate, lone) = rig.hold_reads().await;
    let names = ["a", "b", "a", "c", "a", "b", "c"];
    let reads: Vec<_> = names.iter().map(|name| tokio::spawn(rig.get(*name))).collect();
    rig.settle().await;
    gate.open();
    let mut answers = Vec::new();
    for read in reads {
        answers.push(done(read).await.expect("a healthy store"));
    }
    assert_eq!(answers, [Some(1), Some(2), Some(1), None, Some(1), Some(2), None]);
    done(lone).await.expect("a healthy store");
    assert_eq!((rig.batches(), rig.batched()), (2, 8));
    rig.leaves_nothing().await;
}

#[tokio::test]
async fn the_last_of_several_writes_of_one_key_in_one_trip_wins() {
    let rig = Rig::new();
    let (gate, lone) = rig.hold_writes().await;
    let writes: Vec<_> = (0..10).map(|value| tokio::spawn(rig.set("a", value))).collect();
    rig.settle().await;
    gate.open();
    for write in writes {
        assert!(done(write).await.expect("a healthy store"));
    }
    done(lone).await.expect("a healthy store");
    assert_eq!(rig.stored("a").await, Some(9));
    rig.leaves_nothing().await;
}

#[tokio::test]
async fn each_write_gives_its_own_life() {
    let rig = Rig::new();
    let (gate, lone) = rig.hold_writes().await;
    let lives = [Life::Forever, Life::For(ms(50)), Life::For(ms(5_000))];
    let writes: Vec<_> = ["forever", "short", "long"]
        .into_iter()
        .zip(lives)
        .map(|(name, life)| {
            let layer = std::sync::Arc::clone(&rig.layer);
            tokio::spawn(async move {
                let format = cache_core::Format::default();
                let value = cache_core::NewEntry::of(cache_core::Entry::from_integer(1), &format);
                layer.aset(&batching_rig::key(name), &value, cache_core::Write::new(life)).await
            })
        })
        .collect();
    rig.settle().await;
    gate.open();
    for write in writes {
        assert!(done(write).await.expect("a healthy store"));
    }
    done(lone).await.expect("a healthy store");
    assert_eq!(rig.seen.of(Call::SetMany).len(), 1);
    rig.clock.pass(ms(1_000)).await;
    assert_eq!(rig.stored("forever").await, Some(1));
    assert_eq!(rig.stored("short").await, None);
    assert_eq!(rig.stored("long").await, Some(1));
    rig.clock.pass(ms(5_000)).await;
    assert_eq!(rig.stored("long").await, None);
    assert_eq!(rig.stored("forever").await, Some(1));
}

/// Keys are one entry if their text is equal, however they are made up.
#[tokio::test]
async fn keys_of_other_versions_and_prefixes_are_not_mixed_up() {
    let rig = Rig::new();
    let spaces = [("rig", 1), ("rig", 2), ("other", 1)]
        .map(|(prefix, version)| cache_core::KeySpace::new(prefix, version));
    let (gate, lone) = rig.hold_writes().await;
    let writes: Vec<_> = (spaces.iter().cloned().zip(0_i64..))
        .map(|(space, value)| {
            let layer = std::sync::Arc::clone(&rig.layer);
            tokio::spawn(async move {
                let format = cache_core::Format::default();
                let value = cache_core::NewEntry::of(cache_core::Entry::from_integer(value), &format);
                let write = cache_core::Write::new(Life::Forever);
                layer.aset(&cache_core::Key::new(&space, "a"), &value, write).await
            })
        })
        .collect();
    rig.settle().await;
    gate.open();
    for write in writes {
        assert!(done(write).await.expect("a healthy store"));
    }
    done(lone).await.expect("a healthy store");
    let (gate, lone) = rig.hold_reads().await;
    let reads: Vec<_> = (spaces.iter().cloned())
        .map(|space| {
            let layer = std::sync::Arc::clone(&rig.layer);
            tokio::spawn(async move {
                layer.aget(&cache_core::Key::new(&space, "a"), cache_core::Read::default()).await
            })
        })
        .collect();
    rig.settle().await;
    gate.open();
    for (value, read) in (0_i64..).zip(reads) {
        let found = done(read).await.expect("a healthy store").expect("it is there");
        assert_eq!(batching_rig::integer(&found), value);
    }
    done(lone).await.expect("a healthy store");
}
