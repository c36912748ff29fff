//! What fails, fails for those whom it concerns and for no others.

mod batching_rig;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cache_core::{AsyncCache, Entry, ErrorKind, Format, Gather, Life, NewEntry, When, Write};
use cache_testkit::Call;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use batching_rig::{Asked, Rig, at_once, done, key, kind_of, set, text};

/// Cannot be encoded, and counts how often that was tried.
#[derive(Clone)]
struct Broken(Arc<AtomicUsize>);

impl Serialize for Broken {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Err(serde::ser::Error::custom("it cannot be encoded"))
    }
}

impl<'de> Deserialize<'de> for Broken {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("it cannot be decoded"))
    }
}

/// Writes this entry by this format.
fn set_entry(rig: &Rig, name: &'static str, entry: Entry, format: Format) -> Asked<bool> {
    let layer = Arc::clone(&rig.layer);
    Box::pin(async move {
        let value = NewEntry::of(entry, &format);
        layer.aset(&key(name), &value, Write::new(Life::Forever)).await
    })
}

#[tokio::test]
async fn a_failed_trip_fails_those_who_travelled_by_it_and_is_never_a_miss() {
    for kind in [ErrorKind::Server, ErrorKind::Connection, ErrorKind::Overloaded, ErrorKind::Closed] {
        let rig = Rig::gathering(Gather::new(1, 3));
        set(&*rig.faulty, "a", 1, When::Always).await.expect("a healthy store");
        let (gate, lone) = rig.hold_reads().await;
        let (writing, write) = rig.hold_writes().await;
        rig.faulty.on([Call::GetMany]).times(1).fail(kind);
        rig.faulty.on([Call::SetMany]).times(1).fail(kind);
        let reads: Vec<_> = (0..6).map(|_| tokio::spawn(rig.get("a"))).collect();
        let writes: Vec<_> =
            (0..6).map(|number| tokio::spawn(rig.set(format!("w{number}"), number))).collect();
        rig.settle().await;
        gate.open();
        writing.open();
        // The lone ones had a trip of their own.
        assert_eq!(done(lone).await.expect("a healthy store"), None);
        assert!(done(write).await.expect("a healthy store"));
        for (number, read) in reads.into_iter().enumerate() {
            let answer = done(read).await;
            if number < 3 {
                assert_eq!(kind_of(answer), kind);
            } else {
                assert_eq!(answer.expect("of the next trip"), Some(1));
            }
        }
        for (number, write) in writes.into_iter().enumerate() {
            let answer = done(write).await;
            if number < 3 {
                assert_eq!(kind_of(answer), kind);
            } else {
                assert!(answer.expect("of the next trip"));
            }
        }
        assert_eq!(at_once(rig.get("w2")).expect("a healthy store"), None);
        assert_eq!(at_once(rig.get("w3")).expect("a healthy store"), Some(3));
        rig.leaves_nothing().await;
    }
}

#[tokio::test]
async fn a_lone_one_that_fails_fails_alone() {
    let rig = Rig::new();
    let (gate, lone) = rig.hold_reads().await;
    rig.faulty.on([Call::Get]).times(1).fail(ErrorKind::Server);
    let reads: Vec<_> = (0..3).map(|_| tokio::spawn(rig.get("a"))).collect();
    rig.settle().await;
    gate.open();
    done(lone).await.expect("the rule came after it");
    for read in reads {
        assert_eq!(done(read).await.expect("they travel together"), None);
    }
    assert_eq!(kind_of(at_once(rig.get("a"))), ErrorKind::Server);
    assert_eq!(at_once(rig.get("a")).expect("only once"), None);

    let gate = rig.hold(Call::Set);
    rig.faulty.on([Call::Set]).fail(ErrorKind::Server);
    let lone = tokio::spawn(rig.set("lone", 1));
    gate.reached(1).await;
    let writes: Vec<_> = (0..3).map(|value| tokio::spawn(rig.set("a", value))).collect();
    rig.settle().await;
    gate.open();
    assert_eq!(kind_of(done(lone).await), ErrorKind::Server);
    for write in writes {
        assert!(done(write).await.expect("they travel together"));
    }
    rig.leaves_nothing().await;
}

#[tokio::test]
async fn a_bad_key_fails_alone() {
    let rig = Rig::new();
    for number in 0..6 {
        set(&*rig.faulty, &format!("k{number}"), number, When::Always).await.expect("a healthy store");
    }
    let bad = [text("k1"), text("k4")];
    rig.faulty
        .on([Call::GetMany, Call::SetMany])
        .keys(move |key| bad.iter().any(|bad| bad == key))
        .fail(ErrorKind::InvalidKey);
    let (gate, lone) = rig.hold_reads().await;
    let (writing, write) = rig.hold_writes().await;
    // Each twice, so that duplicates share their failure too.
    let numbers = || (0..6_i64).chain(0..6);
    let reads: Vec<_> = numbers().map(|number| tokio::spawn(rig.get(format!("k{number}")))).collect();
    let writes: Vec<_> =
        numbers().map(|number| tokio::spawn(rig.set(format!("k{number}"), 10 + number))).collect();
    rig.settle().await;
    gate.open();
    for (number, read) in numbers().zip(reads) {
        let answer = done(read).await;
        if number == 1 || number == 4 {
            assert_eq!(kind_of(answer), ErrorKind::InvalidKey);
        } else {
            assert_eq!(answer.expect("a good key"), Some(number));
        }
    }
    writing.open();
    for (number, write) in numbers().zip(writes) {
        let answer = done(write).await;
        if number == 1 || number == 4 {
            assert_eq!(kind_of(answer), ErrorKind::InvalidKey);
        } else {
            assert!(answer.expect("a good key"));
        }
        let is_bad = number == 1 || number == 4;
        assert_eq!(rig.stored(&format!("k{number}")).await, Some(if is_bad { number } else { 10 + number }));
    }
    done(lone).await.expect("a healthy store");
    done(write).await.expect("a healthy store");
    rig.leaves_nothing().await;
}

#[tokio::test]
async fn a_value_that_the_store_finds_too_large_fails_alone() {
    let rig = Rig::new();
    let large = text("large");
    rig.faulty.on([Call::SetMany]).keys(move |key| key == large).fail(ErrorKind::TooLarge);
    let (gate, lone) = rig.hold_writes().await;
    let writes: Vec<_> = ["a", "large", "b"].into_iter().map(|name| tokio::spawn(rig.set(name, 1))).collect();
    rig.settle().await;
    gate.open();
    let mut answers = Vec::new();
    for write in writes {
        answers.push(done(write).await.map_err(|error| error.kind()));
    }
    assert_eq!(answers, [Ok(true), Err(ErrorKind::TooLarge), Ok(true)]);
    done(lone).await.expect("a healthy store");
    rig.leaves_nothing().await;
}

#[tokio::test]
async fn a_value_that_cannot_be_encoded_or_is_too_large_for_the_alias_never_waits() {
    let rig = Rig::new();
    let (gate, lone) = rig.hold_writes().await;
    let other = tokio::spawn(rig.set("a", 1));
    rig.settle().await;
    let tried = Arc::new(AtomicUsize::new(0));
    let broken = Entry::shared(Arc::new(Broken(Arc::clone(&tried))));
    assert_eq!(kind_of(at_once(set_entry(&rig, "b", broken, Format::default()))), ErrorKind::Codec);
    let before = tried.load(Ordering::SeqCst);
    let large = Entry::shared(Arc::new("x".repeat(100)));
    let small = Format::default().with_max_value_bytes(50);
    assert_eq!(kind_of(at_once(set_entry(&rig, "c", large, small))), ErrorKind::TooLarge);
    assert_eq!(rig.layer.waiting(), 1);
    gate.open();
    assert!(done(other).await.expect("it has nothing to do with them"));
    done(lone).await.expect("a healthy store");
    assert_eq!(rig.seen.names(Call::SetMany), [["a"]]);
    assert_eq!(tried.load(Ordering::SeqCst), before, "it is tried again later");
    rig.leaves_nothing().await;
}

/// The caller's value may be gone by the time at which it is sent.
#[tokio::test]
async fn a_write_that_waits_has_the_value_that_it_had_when_it_began() {
    let rig = Rig::new();
    let (gate, lone) = rig.hold_writes().await;
    let write = tokio::spawn(rig.set_text("a", "as it was".to_owned()));
    rig.settle().await;
    gate.open();
    assert!(done(write).await.expect("a healthy store"));
    assert_eq!(rig.get_text("a").await.expect("a healthy store").as_deref(), Some("as it was"));
    done(lone).await.expect("a healthy store");
    rig.leaves_nothing().await;
}
