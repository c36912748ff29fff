//! How old what is read is: since when there has been something newer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cache_core::{Cache, Clock, SystemClock, Tick, Timeout};
use tokio::task::JoinHandle;

use crate::patience::pause;

/// One writes a number that grows all the time, and others read it.
pub(crate) struct Freshness {
    log: Arc<Log>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Log {
    /// When each number was acknowledged.
    written: Mutex<BTreeMap<u64, Tick>>,
    /// How old each answer was; zero for the newest.
    ages: Mutex<Vec<Duration>>,
    is_over: AtomicBool,
}

/// What was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ages {
    pub(crate) count: usize,
    pub(crate) oldest: Duration,
}

const KEY: &str = "number";
const READERS: usize = 2;
const PACE: Duration = Duration::from_millis(20);

impl Freshness {
    /// Begins once the first number is written.
    pub(crate) async fn begin(cache: &Cache) -> Self {
        let log = Arc::new(Log::default());
        log.write(cache, 0).await;
        let writer = tokio::spawn(writes(cache.clone(), Arc::clone(&log)));
        let readers = (0..READERS).map(|_| tokio::spawn(reads(cache.clone(), Arc::clone(&log))));
        Self { tasks: readers.chain([writer]).collect(), log }
    }

    /// How old each answer was; who had none says nothing.
    pub(crate) async fn end(self) -> Ages {
        self.log.is_over.store(true, Ordering::SeqCst);
        for task in self.tasks {
            task.await.expect("a task does not panic");
        }
        let ages = std::mem::take(&mut *self.log.ages());
        Ages { count: ages.len(), oldest: ages.into_iter().max().expect("something was read") }
    }
}

async fn writes(cache: Cache, log: Arc<Log>) {
    for number in 1.. {
        pause(PACE).await;
        if log.is_over.load(Ordering::SeqCst) {
            return;
        }
        log.write(&cache, number).await;
    }
}

async fn reads(cache: Cache, log: Arc<Log>) {
    while !log.is_over.load(Ordering::SeqCst) {
        pause(PACE).await;
        let began = SystemClock.precise();
        if let Ok(found) = cache.aget::<u64>(KEY).await {
            let age = log.age(found, began);
            log.ages().push(age);
        }
    }
}

impl Log {
    /// What is not acknowledged may be read or not.
    async fn write(&self, cache: &Cache, number: u64) {
        if cache.aset(KEY, &number, Timeout::Forever).await.is_ok() {
            self.written().insert(number, SystemClock.precise());
        }
    }

    /// How long before this there was something newer already.
    fn age(&self, found: Option<u64>, began: Tick) -> Duration {
        let written = self.written();
        // Who finds nothing has not even the first.
        let newer = written.range(found.map_or(0, |number| number + 1)..).next();
        newer.map_or(Duration::ZERO, |(_, acknowledged)| began.since(*acknowledged))
    }

    fn written(&self) -> MutexGuard<'_, BTreeMap<u64, Tick>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ages(&self) -> MutexGuard<'_, Vec<Duration>> {
        self.ages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
