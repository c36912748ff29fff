//! A server that stands still: its connections stay open, and nothing comes.

#![expect(clippy::print_stderr, reason = "a test tells what it measured")]

mod full_size;
mod own_server;
mod resident;
mod servers;
mod traffic;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cache_core::{Cache, Clock, ErrorKind, Expiry, SystemClock, Tick, Timeout, Timer};
use futures::future::join_all;
use tokio::sync::Mutex;

use own_server::{OwnServer, cache, settings};
use servers::WAYS;
use traffic::{Report, Traffic};

/// What is measured belongs to the whole program, so these tests do not run
/// beside each other.
static ALONE: Mutex<()> = Mutex::const_new(());

const DEADLINE: Duration = Duration::from_secs(1);

/// How much later than its deadline a failure may come, of 99 in 100.
const GRACE: Duration = Duration::from_millis(20);

/// The machine may be busy with something else: the best of so many rounds counts.
const ROUNDS: usize = 3;

const RESUMES_WITHIN: Duration = Duration::from_millis(1_500);

fn stop() -> Duration {
    Duration::from_secs(if full_size::is_asked_for() { 10 } else { 2 })
}

async fn stand_still(driver: &str) -> Report {
    let server = OwnServer::start(&[]).await;
    let cache = cache(&settings(driver, &server.location(), &[]), DEADLINE);
    let traffic = Traffic::begin(&cache).await;
    traffic.goes_on(Duration::from_millis(500)).await;

    let frozen = SystemClock.precise();
    server.freeze();
    traffic.goes_on(stop()).await;
    server.thaw();
    let back = SystemClock.precise();
    traffic.goes_on(RESUMES_WITHIN + Duration::from_millis(500)).await;
    let report = traffic.end().await;

    report.print(&format!("SIGSTOP for {:?}", stop()), driver, back);
    report.is_sane();
    report.was_well_until(frozen);
    report.only_failed_by(&[ErrorKind::Connection, ErrorKind::Deadline]);
    report.resumed_within(RESUMES_WITHIN, back);
    assert!(report.stats.outages >= 1, "{:?}", report.stats);
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_come_by_their_deadline_and_service_by_itself() {
    let _alone = ALONE.lock().await;
    let mut late = Vec::new();
    for _ in 0..ROUNDS {
        let reports = join_all(WAYS.map(stand_still)).await;
        let slowest = reports.iter().filter_map(|report| report.failure_percentile(99)).max();
        let slowest = slowest.expect("there were failures");
        if slowest <= DEADLINE + GRACE {
            return;
        }
        late.push(slowest);
    }
    panic!("of 100 failures one took longer than {late:?}");
}

/// Who writes meanwhile.
struct Writers {
    fault: &'static str,
    /// How long they wait, if not for their deadline.
    patience: Option<Duration>,
    /// By how much the program may grow.
    bound: usize,
}

const WRITERS: usize = 64;
const VALUE: usize = 10_000;
const MIB: usize = 1 << 20;

/// Those who wait for their deadline fail fast from then on. Those who give up
/// sooner never let it be known that the server is down: what they wrote may
/// lie in the driver's queue until the connection is given up, which is after
/// one deadline.
const ALL_WRITERS: [Writers; 2] = [
    Writers { fault: "SIGSTOP, 10 KB writes", patience: None, bound: 16 * MIB },
    Writers {
        fault: "SIGSTOP, 10 KB writes given up",
        patience: Some(Duration::from_millis(50)),
        bound: 64 * MIB,
    },
];

impl Writers {
    /// More than a deadline: by then connections are given up.
    fn stop() -> Duration {
        if full_size::is_asked_for() { stop() } else { Duration::from_millis(1_500) }
    }

    /// They write as fast as they can, but for a breath after a failure.
    async fn write(&self, cache: Cache, number: usize, is_over: Arc<AtomicBool>) {
        let timer = Timer::new(Arc::new(SystemClock));
        let (key, value) = (format!("writer-{number}"), "v".repeat(VALUE));
        while !is_over.load(Ordering::SeqCst) {
            let patience = self.patience.unwrap_or(Duration::MAX);
            let until = SystemClock.precise().after(patience);
            let outcome = timer.limit(until, cache.aset(&key, &value, Timeout::Forever)).await;
            match outcome {
                Ok(Ok(())) | Err(Expiry::Elapsed) => {}
                Ok(Err(error)) => {
                    assert!(matches!(error.kind(), ErrorKind::Connection | ErrorKind::Deadline), "{error:?}");
                }
                Err(expiry) => panic!("{expiry:?}"),
            }
            let pause = Duration::from_millis(1);
            SystemClock.sleep_until(SystemClock.precise().after(pause)).await;
        }
    }

    async fn keep_memory_flat(&self, driver: &str) {
        let server = OwnServer::start(&[]).await;
        let cache = cache(&settings(driver, &server.location(), &[]), DEADLINE);
        let is_over = Arc::new(AtomicBool::new(false));
        let writers = (0..WRITERS).map(|number| self.write(cache.clone(), number, Arc::clone(&is_over)));
        let watch = async {
            let before = most_resident(Duration::from_millis(500)).await;
            server.freeze();
            let during = most_resident(Self::stop()).await;
            server.thaw();
            let back = SystemClock.precise();
            let recovered = recovers(&cache, back).await;
            let after = most_resident(Duration::from_millis(300)).await;
            is_over.store(true, Ordering::SeqCst);
            eprintln!(
                "| {:<34} | {driver:<8} | for {:?}: resident before {}, during {} and after {} KiB | first done {:.1} ms \
                 after | {:?} |",
                self.fault,
                Self::stop(),
                before / 1024,
                during / 1024,
                after / 1024,
                recovered.as_secs_f64() * 1_000.0,
                cache.stats().errors,
            );
            let grown = during.saturating_sub(before);
            assert!(grown <= self.bound, "{driver}: grown by {} KiB while {}", grown / 1024, self.fault);
        };
        futures::join!(join_all(writers), watch);
    }
}

/// The largest size of this program for so long from now on.
async fn most_resident(duration: Duration) -> usize {
    let until = SystemClock.precise().after(duration);
    let mut most = 0;
    while SystemClock.precise() < until {
        most = most.max(resident::bytes());
        SystemClock.sleep_until(SystemClock.precise().after(Duration::from_millis(20))).await;
    }
    most
}

async fn recovers(cache: &Cache, back: Tick) -> Duration {
    while cache.ahas_key("writer-0").await.is_err() {
        let waited = SystemClock.precise().since(back);
        assert!(waited <= RESUMES_WITHIN, "nothing works after {waited:?}");
        SystemClock.sleep_until(SystemClock.precise().after(Duration::from_millis(5))).await;
    }
    SystemClock.precise().since(back)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stays_flat_while_others_keep_writing() {
    let _alone = ALONE.lock().await;
    for writers in ALL_WRITERS {
        for driver in WAYS {
            writers.keep_memory_flat(driver).await;
        }
    }
}
