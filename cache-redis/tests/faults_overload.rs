//! More calls at once than may be under way.

#![expect(clippy::print_stderr, reason = "a test tells what it measured")]

mod broken_proxy;
mod own_server;
mod servers;

use std::collections::BTreeMap;
use std::time::Duration;

use cache_core::{Cache, Clock, ErrorKind, Result, SystemClock, Timeout};
use futures::future::join_all;
use tokio::task::JoinHandle;

use broken_proxy::BrokenProxy;
use own_server::{OwnServer, cache, settings};
use servers::DRIVERS;

const CALLERS: usize = 10_000;

/// A slow machine is no overload.
const PATIENT: Duration = Duration::from_secs(20);

type Answer = (Result<i64>, Duration);

/// All at once; each says what it got, and how long that took.
fn callers(cache: &Cache) -> Vec<JoinHandle<Answer>> {
    let call = |_| {
        let cache = cache.clone();
        tokio::spawn(async move {
            let began = SystemClock.precise();
            let sum = cache.aincr("counter", 1).await;
            (sum, SystemClock.precise().since(began))
        })
    };
    (0..CALLERS).map(call).collect()
}

async fn answers(callers: Vec<JoinHandle<Answer>>) -> Vec<Answer> {
    join_all(callers).await.into_iter().map(|answer| answer.expect("no panic")).collect()
}

fn kinds(answers: &[Answer]) -> BTreeMap<ErrorKind, usize> {
    let mut kinds = BTreeMap::new();
    for error in answers.iter().filter_map(|(answer, _)| answer.as_ref().err()) {
        *kinds.entry(error.kind()).or_default() += 1;
    }
    kinds
}

fn done(answers: &[Answer]) -> usize {
    answers.iter().filter(|(answer, _)| answer.is_ok()).count()
}

fn slowest(answers: &[Answer]) -> Duration {
    answers.iter().map(|(_, took)| *took).max().unwrap_or_default()
}

fn print(fault: &str, driver: &str, answers: &[Answer], cache: &Cache) {
    let stats = cache.stats();
    let (failed, done): (Vec<Answer>, Vec<Answer>) =
        answers.iter().cloned().partition(|(answer, _)| answer.is_err());
    eprintln!(
        "| {fault:<34} | {driver:<8} | calls {} | done {} | {:?} | slowest done {:?} | slowest failure {:?} | outages {}, \
         failed fast {}, reconnections {} |",
        answers.len(),
        done.len(),
        kinds(answers),
        slowest(&done),
        slowest(&failed),
        stats.outages,
        stats.failed_fast,
        stats.reconnections,
    );
}

async fn counts(cache: &Cache) -> i64 {
    cache.aget("counter").await.expect("all is well").expect("it is there")
}

/// Who came first is first, as the sums tell, but for those that are under way
/// together. Tasks of one thread begin in the order in which they were spawned.
#[tokio::test]
async fn all_get_their_turn_and_in_their_order() {
    const IN_FLIGHT: i64 = 64;
    for driver in DRIVERS {
        let server = OwnServer::start(&[]).await;
        let cache = cache(&settings(driver, &server.location(), &[("max_in_flight", IN_FLIGHT)]), PATIENT);
        cache.aset("counter", &0, Timeout::Forever).await.expect("all is well");
        cache.aincr("counter", 0).await.expect("all is well");
        let answers = answers(callers(&cache)).await;
        print("64 may be in flight", driver, &answers, &cache);
        assert_eq!(kinds(&answers), BTreeMap::new(), "{driver}");
        let sums = answers.iter().filter_map(|(sum, _)| sum.as_ref().ok().copied());
        let displaced = (1..).zip(sums).map(|(place, sum)| (sum - place).abs()).max().unwrap_or_default();
        eprintln!("{driver}: nobody was more than {displaced} places out of turn");
        assert!(displaced < IN_FLIGHT, "{driver}: {displaced} places");
        let stats = cache.stats();
        assert_eq!((stats.outages, stats.reconnections), (0, 0), "{driver}");
    }
}

/// Before there is a connection, and on several threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_get_their_turn_also_before_there_is_a_connection() {
    for driver in DRIVERS {
        let server = OwnServer::start(&[]).await;
        server.obeys(&["SET", ":1:counter", "0"]);
        let proxy = BrokenProxy::before(server.port()).await;
        let settings = settings(driver, &proxy.location(), &[("max_in_flight", 64)]);
        let cache = cache(&settings, PATIENT);
        let answers = answers(callers(&cache)).await;
        print("64 may be in flight, none yet", driver, &answers, &cache);
        assert_eq!(kinds(&answers), BTreeMap::new(), "{driver}");
        assert_eq!(counts(&cache).await, i64::try_from(CALLERS).expect("few"), "{driver}");
        assert_eq!(proxy.accepted(), 1, "{driver}: they share a connection");
    }
}

#[tokio::test]
async fn whoever_finds_the_queue_full_fails_at_once_and_the_store_is_not_down() {
    for driver in DRIVERS {
        let server = OwnServer::start(&[]).await;
        let proxy = BrokenProxy::before(server.port()).await;
        let options = [("max_in_flight", 8), ("max_waiting", 100)];
        let cache = cache(&settings(driver, &proxy.location(), &options), PATIENT);
        cache.aset("counter", &0, Timeout::Forever).await.expect("all is well");
        cache.aincr("counter", 0).await.expect("all is well");
        // So that none is answered while others come.
        proxy.delay(Duration::from_millis(20));
        let callers = callers(&cache);
        let came = SystemClock.precise();
        let answers = answers(callers).await;
        print("8 in flight and 100 waiting", driver, &answers, &cache);

        let overloaded = kinds(&answers).remove(&ErrorKind::Overloaded).unwrap_or_default();
        assert_eq!(done(&answers) + overloaded, CALLERS, "{driver}: {:?}", kinds(&answers));
        assert!(done(&answers) >= 108, "{driver}: {}", done(&answers));
        assert!(overloaded >= CALLERS / 2, "{driver}: {overloaded}");
        let mut late = 0;
        for (answer, took) in &answers {
            if let Err(error) = answer {
                let text = error.to_string();
                assert!(
                    text.contains("`max_in_flight`") && text.contains("`max_waiting`"),
                    "{driver}: {text}"
                );
                late += usize::from(*took > Duration::from_millis(50));
            }
        }
        assert!(late <= CALLERS / 100, "{driver}: {late} did not fail at once");
        assert!(SystemClock.precise().since(came) < PATIENT / 2, "{driver}: nobody hangs");
        proxy.delay(Duration::ZERO);
        assert_eq!(counts(&cache).await, i64::try_from(done(&answers)).expect("few"), "{driver}");
        let stats = cache.stats();
        assert_eq!((stats.outages, stats.failed_fast, stats.reconnections), (0, 0, 0), "{driver}");
    }
}

/// Whoever waits for a turn then waits no longer than its deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_a_server_that_stands_still_all_fail_by_their_deadline() {
    const DEADLINE: Duration = Duration::from_millis(500);
    for driver in DRIVERS {
        let server = OwnServer::start(&[]).await;
        let cache = cache(&settings(driver, &server.location(), &[("max_in_flight", 64)]), DEADLINE);
        cache.aset("counter", &0, Timeout::Forever).await.expect("all is well");
        server.freeze();
        let answers = answers(callers(&cache)).await;
        server.thaw();
        let back = SystemClock.precise();
        print("64 may be in flight, SIGSTOP", driver, &answers, &cache);
        let slow = slowest(&answers);
        assert!(slow < 4 * DEADLINE, "{driver}: {slow:?}");
        let kinds = kinds(&answers);
        let expected = [ErrorKind::Connection, ErrorKind::Deadline];
        assert!(kinds.keys().all(|kind| expected.contains(kind)), "{driver}: {kinds:?}");
        assert_eq!(done(&answers), 0, "{driver}");
        while cache.aping().await.is_err() {
            let waited = SystemClock.precise().since(back);
            assert!(waited < Duration::from_millis(1_500), "{driver}: down after {waited:?}");
            SystemClock.sleep_until(SystemClock.precise().after(Duration::from_millis(5))).await;
        }
        let counted = counts(&cache).await;
        assert!((0..=64).contains(&counted), "{driver}: {counted} were sent");
    }
}
