//! How many bytes travel together: of writes as they are, of reads as those
//! before have been.

mod batching_rig;

use std::sync::Arc;

use cache_core::{Entry, Format, Gather, NewEntry};
use cache_testkit::Call;
use tokio::task::JoinHandle;

use batching_rig::{Rig, done};

const BOUND: usize = 10_000;

fn rig() -> Rig {
    Rig::gathering(Gather::new(1, 1_000).bytes(BOUND))
}

/// Writes values of these lengths, all of them waiting, and says how many
/// operations and bytes each trip had.
async fn trips_of_writes(rig: &Rig, lengths: &[usize]) -> Vec<(usize, usize)> {
    let (gate, lone) = rig.hold_writes().await;
    rig.seen.forget();
    let writes: Vec<_> = (lengths.iter().enumerate())
        .map(|(number, length)| tokio::spawn(rig.set_text(format!("k{number}"), "x".repeat(*length))))
        .collect();
    rig.settle().await;
    gate.open();
    rig.settle().await;
    for write in writes {
        assert!(done(write).await.expect("a healthy store"));
    }
    done(lone).await.expect("a healthy store");
    assert_eq!(rig.faulty.inside_in_all(), 0);
    rig.seen.of(Call::SetMany).into_iter().map(|sent| (sent.names.len(), sent.bytes)).collect()
}

#[tokio::test]
async fn writes_of_one_trip_have_about_as_many_bytes_as_the_store_says() {
    let rig = rig();
    let trips = trips_of_writes(&rig, &[1_000; 40]).await;
    assert_eq!(trips.iter().map(|(keys, _)| keys).sum::<usize>(), 40);
    assert!(trips.iter().all(|(_, bytes)| *bytes <= BOUND + BOUND / 5), "{trips:?}");
    assert!(trips.len() <= 6, "they are split more than they have to be: {trips:?}");
    rig.leaves_nothing().await;
}

#[tokio::test]
async fn a_long_key_counts_as_well() {
    let rig = rig();
    let (gate, lone) = rig.hold_writes().await;
    let names: Vec<_> = (0..40).map(|number| format!("{number}{}", "k".repeat(1_000))).collect();
    let writes: Vec<_> = names.iter().map(|name| tokio::spawn(rig.set(name, 1))).collect();
    rig.settle().await;
    gate.open();
    rig.settle().await;
    for write in writes {
        assert!(done(write).await.expect("a healthy store"));
    }
    done(lone).await.expect("a healthy store");
    let trips = rig.seen.of(Call::SetMany);
    assert!(trips.iter().all(|sent| sent.bytes <= BOUND + BOUND / 5), "{trips:?}");
    rig.leaves_nothing().await;
}

#[tokio::test]
async fn a_single_write_may_exceed_the_bound_and_takes_hardly_anybody_with_it() {
    let rig = rig();
    let mut lengths = vec![100; 20];
    lengths[7] = 5 * BOUND;
    lengths[13] = 5 * BOUND;
    let trips = trips_of_writes(&rig, &lengths).await;
    assert_eq!(trips.iter().map(|(keys, _)| keys).sum::<usize>(), 20);
    // Never two of them together.
    assert!(trips.iter().all(|(_, bytes)| *bytes < 6 * BOUND + BOUND / 5), "{trips:?}");
    rig.leaves_nothing().await;
}

#[tokio::test]
async fn a_write_longer_than_the_store_says_goes_by_itself_and_in_its_turn() {
    let rig = Rig::gathering(Gather::new(1, 1_000).longest(1_000));
    let (gate, lone) = rig.hold_writes().await;
    let excess = || "x".repeat(1_001);
    let short = tokio::spawn(rig.set_text("key", "short".to_owned()));
    rig.settle().await;
    let behind = tokio::spawn(rig.set_text("key", excess()));
    let beside = tokio::spawn(rig.set_text("another", excess()));
    assert!(done(beside).await.expect("a healthy store"), "it waits for nobody");
    rig.settle().await;
    assert!(!behind.is_finished(), "it overtook a write of its key");
    gate.open();
    for write in [short, behind, lone] {
        assert!(done(write).await.expect("a healthy store"));
    }
    assert_eq!(rig.get_text("key").await.expect("a healthy store"), Some(excess()));
    let names = |call| rig.seen.of(call).into_iter().map(|sent| sent.names).collect::<Vec<_>>();
    assert_eq!(names(Call::SetMany), [["key"]]);
    assert_eq!(names(Call::Set), [["another"], ["key"]]);
    rig.leaves_nothing().await;
}

/// Reads all values, all of them waiting, and says how many operations and
/// bytes each trip had.
async fn trips_of_reads(rig: &Rig, names: impl Iterator<Item = String>) -> Vec<(usize, usize)> {
    let (gate, lone) = rig.hold_reads().await;
    rig.seen.forget();
    let reads: Vec<JoinHandle<_>> = names.map(|name| tokio::spawn(rig.get_text(name))).collect();
    rig.settle().await;
    gate.open();
    rig.settle().await;
    rig.settle().await;
    for read in reads {
        done(read).await.expect("a healthy store").expect("it is there");
    }
    done(lone).await.expect("a healthy store");
    rig.seen.of(Call::GetMany).into_iter().map(|sent| (sent.names.len(), sent.bytes)).collect()
}

async fn fill(rig: &Rig, prefix: &str, length: usize) {
    for number in 0..100 {
        let write = rig.set_text(format!("{prefix}{number}"), "x".repeat(length));
        write.await.expect("a healthy store");
    }
}

#[tokio::test]
async fn reads_of_one_trip_have_about_as_many_bytes_as_the_store_says_once_they_are_known_to_be_long() {
    let rig = rig();
    fill(&rig, "long", 1_000).await;
    let names = || (0..100).map(|number| format!("long{number}"));
    for _ in 0..5 {
        trips_of_reads(&rig, names()).await;
    }
    let trips = trips_of_reads(&rig, names()).await;
    assert_eq!(trips.iter().map(|(keys, _)| keys).sum::<usize>(), 100);
    assert!(trips.iter().all(|(_, bytes)| *bytes <= 2 * BOUND), "{trips:?}");
    assert!(trips.len() <= 20, "they are split more than they have to be: {trips:?}");
    rig.leaves_nothing().await;
}

#[tokio::test]
async fn reads_travel_in_large_numbers_again_once_they_are_short() {
    let rig = rig();
    fill(&rig, "long", 3 * BOUND).await;
    fill(&rig, "short", 10).await;
    for _ in 0..5 {
        trips_of_reads(&rig, (0..100).map(|number| format!("long{number}"))).await;
    }
    let trips = trips_of_reads(&rig, (0..100).map(|number| format!("long{number}"))).await;
    assert!(trips.iter().all(|(keys, _)| *keys <= 2), "{trips:?}");
    for _ in 0..5 {
        trips_of_reads(&rig, (0..100).map(|number| format!("short{number}"))).await;
    }
    let trips = trips_of_reads(&rig, (0..100).map(|number| format!("short{number}"))).await;
    assert!(trips.len() <= 3, "{trips:?}");
    rig.leaves_nothing().await;
}

/// Two readers of one long value are no reason to starve those of short ones.
#[tokio::test]
async fn one_long_value_among_many_short_ones_does_not_split_them_for_ever() {
    let rig = rig();
    fill(&rig, "short", 10).await;
    fill(&rig, "long", BOUND).await;
    trips_of_reads(&rig, std::iter::once("long0".to_owned())).await;
    for _ in 0..5 {
        trips_of_reads(&rig, (0..100).map(|number| format!("short{number}"))).await;
    }
    let trips = trips_of_reads(&rig, (0..100).map(|number| format!("short{number}"))).await;
    assert!(trips.len() <= 3, "{trips:?}");
    rig.leaves_nothing().await;
}

/// It does not count for more than those before it.
#[tokio::test]
async fn after_one_long_value_short_ones_do_not_travel_one_by_one() {
    let rig = rig();
    fill(&rig, "short", 10).await;
    fill(&rig, "long", BOUND).await;
    trips_of_reads(&rig, (0..100).map(|number| format!("short{number}"))).await;
    trips_of_reads(&rig, std::iter::once("long0".to_owned())).await;
    let trips = trips_of_reads(&rig, (0..100).map(|number| format!("short{number}"))).await;
    assert!(trips.iter().all(|(keys, _)| *keys >= 2), "{trips:?}");
    rig.leaves_nothing().await;
}

#[tokio::test]
async fn a_write_as_long_as_the_store_says_travels_with_others() {
    let format = Format::default();
    let text = "x".repeat(1_000);
    let entry = NewEntry::of(Entry::shared(Arc::new(text.clone())), &format);
    let longest = entry.encoded().expect("text").len();
    let rig = Rig::gathering(Gather::new(1, 1_000).longest(longest));
    let (gate, lone) = rig.hold_writes().await;
    let fits = tokio::spawn(rig.set_text("fits", text.clone()));
    rig.settle().await;
    assert_eq!(rig.layer.waiting(), 1);
    assert!(done(tokio::spawn(rig.set_text("exceeds", text + "x"))).await.expect("a healthy store"));
    gate.open();
    for write in [fits, lone] {
        assert!(done(write).await.expect("a healthy store"));
    }
    rig.leaves_nothing().await;
}
