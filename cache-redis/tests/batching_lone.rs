//! That nothing waits for company: a lone operation takes one round trip to a
//! server that is far away, with batching as without. Many at once take few.

#![expect(clippy::print_stderr, reason = "a test tells what it measured")]

#[macro_use]
mod each_driver;
mod distant;
mod patience;
mod resp;
mod scale;
mod servers;

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Cache, Clock, SystemClock, Timeout};
use tokio::sync::{Barrier, Mutex};

use distant::Distant;
use resp::{Client, database_of, server_of};
use servers::{Server, cache, of_driver};

with_each_driver_and_batching!(lone_operations_take_one_round_trip, many_at_once_take_few_round_trips);

/// What is measured belongs to the whole program, so these tests do not run
/// beside each other.
static ALONE: Mutex<()> = Mutex::const_new(());

const WAY: Duration = Duration::from_millis(10);
const ROUND_TRIP: Duration = Duration::from_millis(20);

/// What half of the lone operations may take.
const LONE: Duration = Duration::from_millis(25);

const LONE_OPERATIONS: usize = 50;
const TASKS: usize = 64;

/// One for an operation that found the way free, one for those that came while
/// it was away, and one to spare.
const FEW_ROUND_TRIPS: u32 = 3;

/// The machine may be busy with something else: the best of so many rounds counts.
const ROUNDS: usize = 3;

/// A cache far away from its server. Its connection is there, and the server
/// knows the script by which some write many.
async fn far_away(driver: &str) -> (Distant, Cache) {
    let settings = Server::Plain.settings(driver);
    Client::alone_with(&settings).await;
    let distant = Distant::of(server_of(&settings), WAY).await;
    let location = format!("redis://{}/0?db={}", distant.address(), database_of(&settings));
    let cache = cache(&of_driver(driver, &location));
    cache.set_many([("one", &1), ("other", &1)], Timeout::Forever).await.expect("the server is there");
    (distant, cache)
}

async fn lone_operations_take_one_round_trip(driver: &'static str) {
    let _alone = ALONE.lock().await;
    let (_distant, cache) = far_away(driver).await;
    let mut medians = Vec::new();
    for _ in 0..ROUNDS {
        let (mut writes, mut reads) = (Vec::new(), Vec::new());
        for number in 0..LONE_OPERATIONS {
            let key = format!("key-{number}");
            writes.push(time(cache.aset(&key, &number, Timeout::Forever)).await.0);
            let (took, found) = time(cache.aget(&key)).await;
            assert_eq!(found.expect("it is answered"), Some(number), "{driver}");
            reads.push(took);
        }
        let writes = median(driver, "lone aset", writes);
        let reads = median(driver, "lone aget", reads);
        let stats = cache.stats();
        assert_eq!((stats.batches, stats.batched), (0, 0), "{driver}: nobody travelled with another");
        if writes.max(reads) <= LONE {
            return;
        }
        medians.push(writes.max(reads));
    }
    panic!("{driver}: half of the operations took longer than {medians:?}");
}

fn median(driver: &str, what: &str, mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    let [least, median, most] = [0, took.len() / 2, took.len() - 1].map(|place| took[place]);
    eprintln!(
        "| {what:<10} | {driver:<17} | least {:.1} ms | p50 {:.1} ms | most {:.1} ms |",
        millis(least),
        millis(median),
        millis(most),
    );
    assert!(least >= ROUND_TRIP, "{driver}: {what} took {least:?}: it did not go there");
    median
}

async fn many_at_once_take_few_round_trips(driver: &'static str) {
    let _alone = ALONE.lock().await;
    let (_distant, cache) = far_away(driver).await;
    let mut longest = Vec::new();
    for _ in 0..ROUNDS {
        let writes = slowest(&cache, write).await;
        let reads = slowest(&cache, read).await;
        eprintln!(
            "| {TASKS} at once | {driver:<17} | slowest aset {:.1} ms | slowest aget {:.1} ms |",
            millis(writes),
            millis(reads)
        );
        let is_batched = driver.ends_with("batched");
        assert_eq!(cache.stats().batched > 0, is_batched, "{driver}: {:?}", cache.stats());
        if writes.max(reads) <= FEW_ROUND_TRIPS * ROUND_TRIP {
            return;
        }
        longest.push(writes.max(reads));
    }
    panic!("{driver}: one of {TASKS} took {longest:?}");
}

async fn write(cache: Cache, key: String, number: usize) {
    cache.aset(&key, &number, Timeout::Forever).await.expect("it is taken");
}

async fn read(cache: Cache, key: String, number: usize) {
    assert_eq!(cache.aget(&key).await.expect("it is answered"), Some(number), "{key}");
}

/// How long the slowest of the tasks takes, each with a key of its own.
async fn slowest<F>(cache: &Cache, operate: fn(Cache, String, usize) -> F) -> Duration
where
    F: Future<Output = ()> + Send + 'static,
{
    let together = Arc::new(Barrier::new(TASKS));
    let tasks = (0..TASKS).map(|number| {
        let (cache, together) = (cache.clone(), Arc::clone(&together));
        tokio::spawn(async move {
            together.wait().await;
            time(operate(cache, format!("key-{number}"), number)).await.0
        })
    });
    let mut slowest = Duration::ZERO;
    for task in tasks.collect::<Vec<_>>() {
        slowest = slowest.max(task.await.expect("a task does not panic"));
    }
    slowest
}

async fn time<T>(work: impl Future<Output = T>) -> (Duration, T) {
    let began = SystemClock.precise();
    let outcome = work.await;
    (SystemClock.precise().since(began), outcome)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
