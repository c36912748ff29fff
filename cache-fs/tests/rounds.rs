//! The rounds that remove what has ended: one process at a time, one round for
//! all, for as long as there is a store.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use cache_core::{AsyncCache as _, Cache, Clock, Context, Tick, Timeout};
use cache_fs::{FsSettings, FsStore};
use cache_testkit::ManualClock;

mod directory;
mod eventually;

use directory::{Directory, cache_of, held, is_held};
use eventually::eventually;

/// How long it is to the next round.
const ROUND: Duration = Duration::from_mins(1);

/// A store whose first round is over, with entries of which ten end soon.
async fn filled(directory: &Directory, clock: &Arc<ManualClock>) -> Cache {
    let cache = directory.cache_with(&FsSettings::default(), Arc::<ManualClock>::clone(clock)).await;
    eventually("the first round is told", async || told(directory) == Some(seconds(clock))).await;
    is_over(clock).await;
    for name in 0..15 {
        let timeout = if name < 10 { Timeout::After(Duration::from_secs(1)) } else { Timeout::Forever };
        cache.aset(&name.to_string(), &name, timeout).await.expect("it is taken");
    }
    cache
}

/// Waits until the only keeper sleeps: nobody else sleeps on this clock.
async fn is_over(clock: &ManualClock) {
    eventually("the round is over", async || clock.sleepers() == 1).await;
}

fn seconds(clock: &ManualClock) -> u64 {
    clock.wall().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs()
}

/// When the last round ended, as the file says.
fn told(directory: &Directory) -> Option<u64> {
    let told = fs::read(directory.path().join(".sweep")).ok()?;
    told.try_into().ok().map(u64::from_le_bytes)
}

fn tell(directory: &Directory, seconds: u64) {
    fs::write(directory.path().join(".sweep"), seconds.to_le_bytes()).expect("it can be written");
}

#[tokio::test]
async fn a_round_of_another_process_is_enough() {
    let directory = Directory::new();
    let clock = Arc::new(ManualClock::new());
    let cache = filled(&directory, &clock).await;
    // The other one ends when this one would begin.
    tell(&directory, seconds(&clock) + ROUND.as_secs());
    clock.advance(ROUND);
    is_over(&clock).await;
    assert_eq!((directory.entries().len(), cache.stats().expirations), (15, 0));
    clock.advance(ROUND);
    is_over(&clock).await;
    assert_eq!((directory.entries().len(), cache.stats().expirations), (5, 10));
    assert_eq!(cache.stats().entries, Some(5));
    assert_eq!(told(&directory), Some(seconds(&clock)));
}

#[tokio::test]
async fn a_clock_that_was_set_back_stops_nothing() {
    let directory = Directory::new();
    let clock = Arc::new(ManualClock::new());
    let _cache = filled(&directory, &clock).await;
    tell(&directory, seconds(&clock) + 100 * ROUND.as_secs());
    clock.advance(ROUND);
    is_over(&clock).await;
    assert_eq!(directory.entries().len(), 5);
}

#[tokio::test]
async fn nobody_sweeps_where_another_does() {
    let directory = Directory::new();
    let clock = Arc::new(ManualClock::new());
    let _cache = filled(&directory, &clock).await;
    let guard = held(&directory.path().join(".sweep"));
    clock.advance(2 * ROUND);
    is_over(&clock).await;
    assert_eq!(directory.entries().len(), 15);
    drop(guard);
    clock.advance(2 * ROUND);
    is_over(&clock).await;
    assert_eq!(directory.entries().len(), 5);
}

#[tokio::test]
async fn a_round_removes_what_a_crash_has_left() {
    let directory = Directory::new();
    let clock = Arc::new(ManualClock::new());
    let cache = filled(&directory, &clock).await;
    let entry = directory.entries().swap_remove(0);
    let left = entry.with_file_name(".new-aBcDeF");
    let foreign = entry.with_file_name("notes.txt");
    for path in [&left, &foreign] {
        fs::write(path, "somebody's").expect("it can be written");
    }
    // A process that was killed did not count what it wrote, or counted what it did not.
    let words = [7_u64, 700, !7, !700];
    let count: Vec<_> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    fs::write(entry.with_file_name(".lock"), count).expect("it can be written");
    clock.advance(2 * ROUND);
    is_over(&clock).await;
    assert!(!left.exists() && foreign.exists());
    let bytes = directory.entries().iter().map(|entry| entry.metadata().expect("it is there").len()).sum();
    assert_eq!((cache.stats().entries, cache.stats().bytes), (Some(5), Some(bytes)));
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_no_file_ends_no_round() {
    let directory = Directory::new();
    let clock = Arc::new(ManualClock::new());
    let cache = filled(&directory, &clock).await;
    // One in each shard, where a round comes by it first or last.
    for entry in directory.entries() {
        for name in ["0".repeat(40), "f".repeat(40)] {
            let link = entry.with_file_name(name);
            if !link.is_symlink() {
                std::os::unix::fs::symlink("nowhere", link).expect("it can be made");
            }
        }
    }
    clock.advance(2 * ROUND);
    is_over(&clock).await;
    let left = directory.entries();
    assert_eq!(left.iter().filter(|path| path.is_file()).count(), 5);
    // They lie in the way all the same.
    assert_eq!(cache.stats().entries, Some(left.len() as u64));
}

#[tokio::test]
async fn what_ended_under_other_prefixes_is_removed_too() {
    let directory = Directory::new();
    let clock = Arc::new(ManualClock::new());
    let clock_of_other = Arc::<ManualClock>::clone(&clock);
    let other = cache_of("other", directory.path(), &FsSettings::default(), clock_of_other).await;
    other.aset("key", "text", Timeout::After(Duration::from_secs(1))).await.expect("it is taken");
    is_over(&clock).await;
    drop(other);
    let _cache = filled(&directory, &clock).await;
    clock.advance(2 * ROUND);
    is_over(&clock).await;
    assert_eq!(directory.entries().len(), 5);
}

/// A clock that goes on by so much each time it is asked in a round.
#[derive(Debug)]
struct Slow {
    clock: Arc<ManualClock>,
    guard: PathBuf,
    step: Duration,
}

#[async_trait]
impl Clock for Slow {
    fn now(&self) -> Tick {
        self.clock.now()
    }

    fn wall(&self) -> SystemTime {
        let time = self.clock.wall();
        if is_held(&self.guard) {
            self.clock.advance(self.step);
        }
        time
    }

    async fn sleep_until(&self, tick: Tick) {
        self.clock.sleep_until(tick).await;
    }
}

/// Its own last round is no reason to leave one out.
#[tokio::test]
async fn each_minute_has_its_round() {
    let directory = Directory::new();
    let clock = Arc::new(ManualClock::new());
    let guard = directory.path().join(".sweep");
    let slow = Slow { clock: Arc::clone(&clock), guard, step: Duration::from_millis(1_100) };
    let began = clock.precise();
    let _cache = directory.cache_with(&FsSettings::default(), Arc::new(slow)).await;
    is_over(&clock).await;
    let first = told(&directory);
    assert!(first.is_some() && clock.precise() > began, "it took its time");
    clock.advance(ROUND.saturating_sub(clock.precise().since(began)));
    is_over(&clock).await;
    assert_eq!(told(&directory), first.map(|first| first + ROUND.as_secs()));
}

#[tokio::test]
async fn rounds_take_a_small_part_of_the_time() {
    let directory = Directory::new();
    // There are many shards to look at.
    let earlier = directory.cache().await;
    for name in 0..100 {
        earlier.aset(&name.to_string(), &name, Timeout::Forever).await.expect("it is taken");
    }
    eventually("it is over", async || directory.is_swept()).await;
    drop(earlier);
    let clock = Arc::new(ManualClock::new());
    let guard = directory.path().join(".sweep");
    let slow = Slow { clock: Arc::clone(&clock), guard, step: Duration::from_secs(1) };
    let _cache = directory.cache_with(&FsSettings::default(), Arc::new(slow)).await;
    is_over(&clock).await;
    let first = told(&directory);
    // It took more than a minute: for fifty times as long there is no other.
    clock.advance(50 * ROUND);
    is_over(&clock).await;
    assert_eq!(told(&directory), first);
    clock.advance(100 * ROUND);
    is_over(&clock).await;
    assert_ne!(told(&directory), first);
}

#[test]
fn a_keeper_whose_runtime_ended_is_replaced() {
    let directory = Directory::new();
    let clock = Arc::new(ManualClock::new());
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_time().build().expect("there is one");
    let cache = runtime().block_on(filled(&directory, &clock));
    assert_eq!(clock.sleepers(), 0, "it is gone");
    clock.advance(2 * ROUND);
    runtime().block_on(async {
        cache.aset("14", &14, Timeout::Forever).await.expect("it is taken");
        is_over(&clock).await;
    });
    assert_eq!(directory.entries().len(), 5);
}

#[tokio::test]
async fn the_keeper_ends_with_the_store() {
    for is_closed in [false, true] {
        let directory = Directory::new();
        let clock = Arc::new(ManualClock::new());
        let context = Context::new("files").with_clock(Arc::<ManualClock>::clone(&clock));
        let store = FsStore::open(directory.path(), &FsSettings::default(), &context).await;
        let store = store.expect("the directory is fine");
        is_over(&clock).await;
        let kept = if is_closed {
            store.aclose().await.expect("it ends");
            Some(store)
        } else {
            drop(store);
            None
        };
        eventually("nobody sleeps", async || clock.sleepers() == 0).await;
        drop(kept);
    }
}
