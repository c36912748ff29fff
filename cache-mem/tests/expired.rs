//! Entries that expire give their memory back, though nobody reads them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use cache_core::{Cache, Clock, Context, Shared, SystemClock, Tick, Timeout};
use cache_mem::{Eviction, MemSettings, MemStore};
use cache_testkit::ManualClock;
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Handle, Runtime};

const LIFE: Duration = Duration::from_secs(10);

fn cache_on(clock: Arc<dyn Clock>, change: impl FnOnce(&mut MemSettings)) -> Cache {
    let mut settings = MemSettings::default();
    change(&mut settings);
    let context = Context::new("default").with_clock(clock);
    let store = MemStore::open(None, &settings, &context).expect("it is shared with nobody");
    Cache::builder(Arc::new(store)).context(&context).build()
}

fn cache(clock: &Arc<ManualClock>) -> Cache {
    cache_on(Arc::clone(clock) as Arc<dyn Clock>, |_| {})
}

fn two_of_one_store(clock: &Arc<ManualClock>) -> (Cache, Cache) {
    let shared = Shared::default();
    let open = || {
        let mut context = Context::new("alias").with_clock(Arc::clone(clock) as Arc<dyn Clock>);
        context.shared = shared.clone();
        let settings = MemSettings::default();
        let store = MemStore::open(Some("hall"), &settings, &context).expect("the same settings");
        Cache::builder(Arc::new(store)).context(&context).build()
    };
    (open(), open())
}

async fn fill(cache: &Cache, keys: std::ops::Range<u32>, timeout: impl Into<Timeout> + Copy) {
    for key in keys {
        cache.aset(&key.to_string(), "value", timeout).await.expect("memory takes it");
    }
}

fn entries(cache: &Cache) -> u64 {
    cache.stats().entries.expect("it knows")
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

#[tokio::test]
async fn they_are_gone_within_two_lives_unread() {
    for eviction in [Eviction::Engine, Eviction::Lru] {
        let clock = Arc::new(ManualClock::new());
        let cache = cache_on(Arc::clone(&clock) as Arc<dyn Clock>, |settings| settings.eviction = eviction);
        fill(&cache, 0..5_000, LIFE).await;
        fill(&cache, 5_000..5_100, Timeout::Forever).await;
        fill(&cache, 5_100..5_200, LIFE * 100).await;
        clock.pass(LIFE).await;
        assert_eq!(entries(&cache), 5_200, "{eviction:?}");
        clock.pass(LIFE / 2 + Duration::from_millis(20)).await;
        assert_eq!((entries(&cache), cache.stats().expirations), (200, 5_000), "{eviction:?}");
        clock.advance(LIFE * 200);
        clock.pass(Duration::from_millis(20)).await;
        assert_eq!((entries(&cache), cache.stats().expirations), (100, 5_100), "{eviction:?}");
        assert_eq!(cache.stats().evictions, 0);
    }
}

#[tokio::test]
async fn each_is_gone_within_two_of_its_own_lives() {
    let clock = Arc::new(ManualClock::new());
    let cache = cache(&clock);
    for seconds in 1..=60 {
        cache
            .aset(&seconds.to_string(), "value", Duration::from_secs(seconds))
            .await
            .expect("memory takes it");
    }
    for second in 1..=60_u64 {
        clock.pass(Duration::from_secs(1)).await;
        let (dead, alive) = (second / 2, 60 - second);
        let held = entries(&cache);
        assert!((alive..=60 - dead).contains(&held), "{held} are held after {second} seconds");
    }
}

/// What was moved or touched, and what lives on because it was written again,
/// is seen too.
#[tokio::test]
async fn every_way_to_a_life_is_known() {
    let clock = Arc::new(ManualClock::new());
    let cache = cache(&clock);
    fill(&cache, 0..300, Timeout::Forever).await;
    for key in 0..100 {
        cache.atouch(&key.to_string(), LIFE).await.expect("memory answers");
    }
    fill(&cache, 300..400, LIFE * 3).await;
    for key in 300..400 {
        cache.aincr_version(&key.to_string(), 1).await.expect("it is there");
    }
    fill(&cache, 100..200, LIFE).await;
    fill(&cache, 100..150, LIFE * 10).await;
    clock.pass(LIFE * 2).await;
    assert_eq!(entries(&cache), 250);
    clock.pass(LIFE * 3).await;
    assert_eq!(entries(&cache), 150);
}

#[tokio::test]
async fn a_task_is_there_only_while_something_expires() {
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let clock = Arc::new(ManualClock::new());
    let cache = cache(&clock);
    fill(&cache, 0..10, Timeout::Forever).await;
    assert_eq!(tasks(), 0);
    fill(&cache, 0..10, LIFE).await;
    assert_eq!(tasks(), 1);
    clock.pass(LIFE * 2).await;
    assert_eq!((tasks(), entries(&cache)), (0, 0));
    fill(&cache, 0..10, LIFE).await;
    assert_eq!(tasks(), 1);

    // The last user ends it.
    drop(cache);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!((tasks(), clock.sleepers()), (0, 0));
}

#[tokio::test]
async fn aliases_of_one_store_share_the_task() {
    let clock = Arc::new(ManualClock::new());
    let (first, second) = two_of_one_store(&clock);
    fill(&first, 0..10, LIFE).await;
    fill(&second, 10..20, LIFE).await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 1);
    first.aclose().await.expect("it closes");
    drop(first);
    clock.pass(LIFE * 2).await;
    assert_eq!(entries(&second), 0);
}

#[test]
fn the_task_moves_on_when_its_runtime_ends() {
    let clock = Arc::new(ManualClock::new());
    let cache = cache(&clock);
    let first = one_thread();
    first.block_on(fill(&cache, 0..100, LIFE));
    drop(first);
    let second = one_thread();
    second.block_on(async {
        fill(&cache, 100..101, LIFE * 10).await;
        clock.pass(LIFE * 2).await;
    });
    assert_eq!(entries(&cache), 1);
}

#[test]
fn another_runtime_does_it_where_the_first_stands_still() {
    let clock = Arc::new(ManualClock::new());
    let cache = cache(&clock);
    let still = one_thread();
    still.block_on(fill(&cache, 0..1, LIFE));
    let other = one_thread();
    other.block_on(async {
        fill(&cache, 1..10_000, LIFE).await;
        cache.aset("touched", &1, Timeout::Forever).await.expect("memory takes it");
        clock.pass(LIFE * 2).await;
        assert_eq!(entries(&cache), 10_001, "the first runtime has the task");
        cache.atouch("touched", LIFE * 100).await.expect("memory answers");
        clock.pass(Duration::from_millis(20)).await;
    });
    assert_eq!((entries(&cache), cache.stats().expirations), (1, 10_000));
    // The first task learns that it was replaced.
    still.block_on(clock.pass(Duration::from_millis(20)));
    assert_eq!((still.metrics().num_alive_tasks(), other.metrics().num_alive_tasks()), (0, 1));
}

/// A future that is ready at once gives tasks no turn.
#[test]
fn writes_do_it_on_a_runtime_that_runs_nothing_else() {
    let clock = Arc::new(ManualClock::new());
    let cache = cache_on(Arc::clone(&clock) as Arc<dyn Clock>, |settings| settings.max_entries = 4_000);
    let runtime = one_thread();
    for round in 0..100 {
        runtime.block_on(fill(&cache, round * 10..(round + 1) * 10, LIFE));
        clock.advance(LIFE);
    }
    assert!(entries(&cache) <= 40, "{} are held", entries(&cache));
}

/// The first runtime stops in the middle of a sweep, and the shard is not lost
/// for the second.
#[test]
fn another_runtime_does_it_where_the_first_stops_in_between() {
    let clock = Arc::new(ManualClock::new());
    let cache = cache_on(Arc::clone(&clock) as Arc<dyn Clock>, |settings| settings.max_entries = 4_000);
    let first = one_thread();
    first.block_on(async {
        fill(&cache, 0..3_000, LIFE).await;
        tokio::task::yield_now().await;
        clock.advance(LIFE * 2);
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
    });
    let begun = entries(&cache);
    assert!((1..3_000).contains(&begun), "{begun} are left in the middle of it");
    let second = one_thread();
    second.block_on(async {
        for _ in 0..10 {
            fill(&cache, 3_000..3_001, LIFE).await;
            clock.pass(LIFE / 10).await;
        }
    });
    assert_eq!(entries(&cache), 1);
    drop(first);
}

#[test]
fn writes_do_it_where_there_is_no_runtime() {
    let clock = Arc::new(ManualClock::new());
    let cache = cache_on(Arc::clone(&clock) as Arc<dyn Clock>, |settings| settings.max_entries = 4_000);
    now(fill(&cache, 0..100, LIFE));
    clock.advance(LIFE * 2);
    now(fill(&cache, 100..101, LIFE));
    assert_eq!((entries(&cache), cache.stats().expirations), (1, 100));
}

/// Runs what never has to wait.
fn now(future: impl Future<Output = ()>) {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(std::pin::pin!(future).poll(&mut context).is_ready(), "it waits");
}

/// The machine's clock cannot sleep there; nothing is the worse for it.
#[test]
fn a_runtime_without_time_does_no_harm() {
    let cache = cache_on(Arc::new(SystemClock), |_| {});
    let timeless = Builder::new_current_thread().build().expect("a runtime");
    timeless.block_on(async {
        for _ in 0..100 {
            fill(&cache, 0..10, Duration::from_millis(20)).await;
            tokio::task::yield_now().await;
        }
    });
    assert_eq!((entries(&cache), timeless.metrics().num_alive_tasks()), (10, 0));
    // On another runtime there is a task again.
    let timely = one_thread();
    timely.block_on(async {
        fill(&cache, 100..200, Duration::from_millis(20)).await;
        let wait = Duration::from_millis(50);
        for _ in 0..100 {
            if entries(&cache) == 0 {
                return;
            }
            SystemClock.sleep_until(SystemClock.precise().after(wait)).await;
        }
        panic!("{} are still there", entries(&cache));
    });
}

#[tokio::test]
async fn a_read_of_an_expired_entry_finds_nothing_before_it_is_freed() {
    let clock = Arc::new(ManualClock::new());
    let cache = cache(&clock);
    fill(&cache, 0..3, LIFE).await;
    clock.advance(LIFE);
    assert_eq!(cache.aget::<String>("0").await.expect("memory answers"), None);
    assert!(!cache.ahas_key("1").await.expect("memory answers"));
    assert!(!cache.adelete("2").await.expect("memory answers"));
    assert_eq!((entries(&cache), cache.stats().expirations), (0, 3));
}

/// Panics as it is dropped, once.
#[derive(Clone, Serialize, Deserialize)]
struct Fragile(String);

static FRAGILE: AtomicBool = AtomicBool::new(false);

impl Drop for Fragile {
    fn drop(&mut self) {
        assert!(!FRAGILE.swap(false, Ordering::Relaxed), "it breaks");
    }
}

#[tokio::test]
async fn a_value_that_panics_as_it_is_dropped_costs_only_itself() {
    let clock = Arc::new(ManualClock::new());
    let cache = cache_on(Arc::clone(&clock) as Arc<dyn Clock>, |settings| settings.max_entries = 4_000);
    cache.aset("fragile", &Fragile("value".to_owned()), LIFE).await.expect("memory takes it");
    fill(&cache, 0..1_000, LIFE).await;
    fill(&cache, 1_000..2_000, LIFE * 3).await;
    FRAGILE.store(true, Ordering::Relaxed);
    clock.pass(LIFE * 2).await;
    assert!(!FRAGILE.load(Ordering::Relaxed), "it was dropped");
    assert_eq!(entries(&cache), 1_000);
    fill(&cache, 2_000..2_100, LIFE).await;
    clock.pass(LIFE * 5).await;
    assert_eq!(entries(&cache), 0);
}

/// Counts what is asked of it.
#[derive(Debug, Default)]
struct Counting {
    clock: ManualClock,
    reads: AtomicU64,
    sleeps: AtomicU64,
}

#[async_trait::async_trait]
impl Clock for Counting {
    fn now(&self) -> Tick {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.clock.now()
    }

    fn wall(&self) -> SystemTime {
        self.clock.wall()
    }

    async fn sleep_until(&self, tick: Tick) {
        self.sleeps.fetch_add(1, Ordering::Relaxed);
        self.clock.sleep_until(tick).await;
    }
}

#[tokio::test]
async fn the_task_sleeps_while_others_write() {
    let clock = Arc::new(Counting::default());
    let cache = cache_on(Arc::clone(&clock) as Arc<dyn Clock>, |_| {});
    for key in 0..2_000 {
        fill(&cache, key..key + 1, LIFE * 30).await;
        tokio::task::yield_now().await;
    }
    let sleeps = clock.sleeps.load(Ordering::Relaxed);
    assert!(sleeps <= 3, "it went to sleep {sleeps} times");
}

#[tokio::test]
async fn what_never_expires_reads_no_clock() {
    let clock = Arc::new(Counting::default());
    let cache = cache_on(Arc::clone(&clock) as Arc<dyn Clock>, |_| {});
    fill(&cache, 0..100, Timeout::Forever).await;
    for key in 0..100 {
        cache.aget::<String>(&key.to_string()).await.expect("memory answers").expect("it is there");
    }
    assert_eq!(clock.reads.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn what_expired_unread_is_counted_by_an_alias_that_is_open() {
    let clock = Arc::new(ManualClock::new());
    let (first, second) = two_of_one_store(&clock);
    fill(&first, 0..1, LIFE).await;
    first.aclose().await.expect("it closes");
    fill(&second, 1..100, LIFE).await;
    clock.pass(LIFE * 2).await;
    assert_eq!((entries(&second), second.stats().expirations), (0, 100));
}

#[tokio::test]
async fn what_has_expired_goes_before_what_has_not() {
    for eviction in [Eviction::Engine, Eviction::Lru] {
        let clock = Arc::new(ManualClock::new());
        let cache = cache_on(Arc::clone(&clock) as Arc<dyn Clock>, |settings| {
            settings.max_entries = 100;
            settings.eviction = eviction;
        });
        fill(&cache, 0..50, Timeout::Forever).await;
        fill(&cache, 50..100, LIFE).await;
        // The task has had no time to run.
        clock.advance(LIFE * 6);
        fill(&cache, 100..101, Timeout::Forever).await;
        let stats = cache.stats();
        assert_eq!((entries(&cache), stats.evictions, stats.expirations), (51, 0, 50), "{eviction:?}");
    }
}

/// A program's own test may pause tokio's time, which the machine's clock
/// knows nothing of.
#[tokio::test(start_paused = true)]
async fn paused_time_does_not_run_away() {
    let cache = cache_on(Arc::new(SystemClock), |_| {});
    let began = tokio::time::Instant::now();
    fill(&cache, 0..10, Duration::from_mins(5)).await;
    let (done, outcome) = tokio::sync::oneshot::channel();
    let thread = std::thread::spawn(move || {
        #[expect(clippy::disallowed_methods, reason = "it is real time that has to pass")]
        std::thread::sleep(Duration::from_millis(100));
        done.send(()).expect("it is awaited");
    });
    outcome.await.expect("it is sent");
    thread.join().expect("it ends");
    assert!(began.elapsed() < Duration::from_hours(1), "{:?}", began.elapsed());
}
