//! What a service does all day: about 200 operations a second from 32 tasks.
#![allow(dead_code, reason = "each test program uses a part of it")]

mod report;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cache_core::{Cache, Clock, ErrorKind, Expiry, Result, SystemClock, Tick, Timeout, Timer};
use tokio::task::JoinHandle;

pub(crate) use report::Report;

pub(crate) const TASKS: usize = 32;

/// Of one task: together they make 200 operations a second.
const PACE: Duration = Duration::from_millis(160);

/// How long after its end a task may still be at its last operation.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) const COUNTER: &str = "counter";

/// Tasks that use a cache until they are told to end, and the log of it.
pub(crate) struct Traffic {
    cache: Cache,
    log: Arc<Log>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Log {
    calls: Mutex<Vec<Call>>,
    /// What must never be.
    wrong: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

/// One operation and what became of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) what: What,
    pub(crate) began: Tick,
    pub(crate) ended: Tick,
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Get,
    Set,
    Incr,
    GetMany,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Failed(ErrorKind),
    /// By its caller, sooner than by its deadline.
    GivenUp,
}

impl What {
    /// Whether a replica may do it.
    pub(crate) fn is_read(self) -> bool {
        matches!(self, Self::Get | Self::GetMany)
    }
}

impl Call {
    pub(crate) fn took(&self) -> Duration {
        self.ended.since(self.began)
    }
}

impl Traffic {
    /// Begins, once the counter is there that all of them increment.
    pub(crate) async fn begin(cache: &Cache) -> Self {
        Self::begin_with(cache, None).await
    }

    /// The same, with callers who give up so much sooner than the deadline.
    pub(crate) async fn begin_impatient(cache: &Cache, patience: Duration) -> Self {
        Self::begin_with(cache, Some(patience)).await
    }

    async fn begin_with(cache: &Cache, patience: Option<Duration>) -> Self {
        cache.aadd(COUNTER, &0, Timeout::Forever).await.expect("the server is well");
        let log = Arc::new(Log::default());
        let timer = Timer::new(Arc::new(SystemClock));
        let began = SystemClock.precise();
        let tasks = (0..TASKS)
            .map(|number| {
                let task = Task {
                    number,
                    cache: cache.clone(),
                    log: Arc::clone(&log),
                    patience,
                    timer: timer.clone(),
                };
                let first = began.after(PACE * u32::try_from(number).expect("few") / 32);
                tokio::spawn(task.run(first))
            })
            .collect();
        Self { cache: cache.clone(), log, tasks }
    }

    /// Goes on for so long.
    pub(crate) async fn goes_on(&self, duration: Duration) {
        SystemClock.sleep_until(SystemClock.precise().after(duration)).await;
    }

    /// Lets each task end what it is at, and says what happened.
    pub(crate) async fn end(self) -> Report {
        self.log.is_over.store(true, Ordering::SeqCst);
        let until = SystemClock.precise().after(PATIENCE);
        while self.tasks.iter().any(|task| !task.is_finished()) && SystemClock.precise() < until {
            self.goes_on(Duration::from_millis(5)).await;
        }
        let mut hung = 0;
        for task in self.tasks {
            if task.is_finished() {
                task.await.expect("a task does not panic");
            } else {
                hung += 1;
                task.abort();
            }
        }
        let calls = std::mem::take(&mut *self.log.calls());
        let wrong = std::mem::take(&mut *self.log.wrong());
        Report { calls, wrong, hung, stats: self.cache.stats() }
    }
}

struct Task {
    number: usize,
    cache: Cache,
    log: Arc<Log>,
    patience: Option<Duration>,
    timer: Arc<Timer>,
}

impl Task {
    async fn run(self, first: Tick) {
        let mut next = first;
        for serial in 0.. {
            SystemClock.sleep_until(next).await;
            if self.log.is_over.load(Ordering::SeqCst) {
                return;
            }
            self.call(serial).await;
            next = next.after(PACE).max(SystemClock.precise());
        }
    }

    async fn call(&self, serial: usize) {
        let what = match (self.number + serial) % 4 {
            0 => What::Set,
            1 => What::Get,
            2 => What::Incr,
            _ => What::GetMany,
        };
        let work = async {
            match what {
                What::Get => self.get().await,
                What::Set => {
                    self.cache.aset(&key(self.number), &value(self.number, serial), Timeout::Forever).await
                }
                What::Incr => self.cache.aincr(COUNTER, 1).await.map(drop),
                What::GetMany => self.get_many(1 + serial % 8).await,
            }
        };
        let began = SystemClock.precise();
        let until = self.patience.map_or(Tick::NEVER, |patience| began.after(patience));
        let outcome = match self.timer.limit(until, work).await {
            Ok(Ok(())) => Outcome::Done,
            Ok(Err(error)) => Outcome::Failed(error.kind()),
            Err(Expiry::Elapsed) => Outcome::GivenUp,
            Err(expiry) => panic!("{expiry:?}"),
        };
        self.log.calls().push(Call { what, began, ended: SystemClock.precise(), outcome });
    }

    async fn get(&self) -> Result<()> {
        let found = self.cache.aget::<String>(&key(self.number)).await?;
        self.check(self.number, found.as_deref());
        Ok(())
    }

    async fn get_many(&self, count: usize) -> Result<()> {
        let owners: HashMap<_, _> =
            (self.number..self.number + count).map(|number| (key(number % TASKS), number % TASKS)).collect();
        let found = self.cache.get_many::<String, _>(owners.keys().cloned()).await?;
        for (key, owner) in owners {
            self.check(owner, found.get(&key).map(String::as_str));
        }
        Ok(())
    }

    /// Each key has one writer, whose name is in all that it ever writes.
    fn check(&self, owner: usize, found: Option<&str>) {
        let is_right = found.is_none_or(|text| text.starts_with(&format!("of {owner}:")));
        if !is_right {
            self.log.wrong().push(format!("the key of {owner} holds {found:?}"));
        }
    }
}

fn key(owner: usize) -> String {
    format!("task-{owner}")
}

fn value(owner: usize, serial: usize) -> String {
    format!("of {owner}: {serial}")
}

impl Log {
    fn calls(&self) -> MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wrong(&self) -> MutexGuard<'_, Vec<String>> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
