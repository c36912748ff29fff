//! A cache near (in memory, answered at once) and far (behind a layer that
//! makes everybody wait), and loaders that tests can watch.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use cache_core::{
    AsyncCache, BoxError, Cache, CacheBuilder, Clock, Context as Opening, Result, Timeout, Value,
};
use cache_mem::{MemSettings, MemStore};
use cache_testkit::{Faulty, ManualClock};
use tokio::sync::watch;

/// Of the alias, and much longer than any pause of the tests' own.
pub(crate) const LOAD_DEADLINE: Duration = Duration::from_secs(2);

/// How late a call may be ended.
pub(crate) const GRACE: Duration = Duration::from_millis(10);

/// How long a test waits, in real time, for what must not hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A call that is polled by hand.
pub(crate) type Asked<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

pub(crate) struct Rig {
    pub(crate) clock: Arc<ManualClock>,
    /// What is around the store if it is far.
    pub(crate) faulty: Arc<Faulty>,
    pub(crate) opening: Opening,
    pub(crate) cache: Cache,
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Both, since a near store answers before anybody waits.
pub(crate) fn near_and_far() -> [Rig; 2] {
    [Rig::near(), Rig::far()]
}

impl Rig {
    pub(crate) fn near() -> Self {
        Self::with(false, |builder| builder)
    }

    pub(crate) fn far() -> Self {
        Self::with(true, |builder| builder)
    }

    pub(crate) fn with(is_far: bool, settings: impl FnOnce(CacheBuilder) -> CacheBuilder) -> Self {
        let clock = Arc::new(ManualClock::new());
        let time: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let store = Arc::new(MemStore::with_clock(&MemSettings::default(), Arc::clone(&time)));
        let faulty = Faulty::over(Arc::<MemStore>::clone(&store));
        let store: Arc<dyn AsyncCache> = if is_far { Arc::<Faulty>::clone(&faulty) } else { store };
        let opening = Opening::new("rig").with_clock(time);
        let builder = Cache::builder(store).context(&opening).load_deadline(LOAD_DEADLINE);
        Self { clock, faulty, opening, cache: settings(builder).build() }
    }

    pub(crate) fn time(&self) -> Arc<dyn Clock> {
        Arc::<ManualClock>::clone(&self.clock)
    }

    /// Lets all other tasks have their turns, while no time passes.
    pub(crate) async fn turns(&self) {
        self.clock.pass(Duration::ZERO).await;
    }

    /// Asks for the key in a task of its own.
    pub(crate) fn spawn<T: Value>(
        &self,
        key: &'static str,
        source: &Source,
        value: T,
    ) -> tokio::task::JoinHandle<Result<Arc<T>>> {
        tokio::spawn(self.ask(key, source, value))
    }

    /// Asks for the key, once it is polled.
    pub(crate) fn ask<T: Value>(&self, key: &'static str, source: &Source, value: T) -> Asked<Arc<T>> {
        let (cache, loader) = (self.cache.clone(), source.gives(value));
        Box::pin(async move { cache.aget_or_set(key, Timeout::Forever, loader).await })
    }

    /// What the key says at once, loaded by a loader that does not wait.
    pub(crate) async fn loads_anew(&self, key: &'static str) -> bool {
        let source = Source::open();
        let answer = finished(self.spawn(key, &source, "anew".to_owned())).await;
        source.begun() == 1 && *answer.expect("a loader that does not wait") == "anew"
    }

    /// No load, no task of one, nobody who waits for a deadline.
    pub(crate) async fn is_at_rest(&self) {
        self.turns().await;
        self.leaves_nothing();
    }

    pub(crate) fn leaves_nothing(&self) {
        assert_eq!(self.cache.stats().loading, 0, "something is still being loaded");
        assert_eq!(self.opening.tasks.len(), 0, "the task of a load is left");
        assert_eq!(self.opening.timer.waiting(), 0, "somebody is left at the timer");
        assert_eq!(self.faulty.inside_in_all(), 0, "a call is left in the store");
    }
}

/// What a task answers that has everything it needs: it gets turns, and no time
/// passes.
pub(crate) async fn finished<T>(task: tokio::task::JoinHandle<T>) -> T {
    for _ in 0..10_000 {
        if task.is_finished() {
            return task.await.expect("no panic");
        }
        tokio::task::yield_now().await;
    }
    panic!("it waits");
}

pub(crate) fn poll<T>(asked: &mut Asked<T>) -> Poll<Result<T>> {
    asked.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// What the work answers, on a thread of its own, so that a hang is a failure.
pub(crate) fn within_patience<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || send.send(work()));
    receive.recv_timeout(PATIENCE).expect("it hangs, or panicked")
}

/// Where values come from: who loads from it waits until it is opened.
#[derive(Clone)]
pub(crate) struct Source(Arc<Inner>);

struct Inner {
    begun: AtomicUsize,
    ended: AtomicUsize,
    alive: AtomicUsize,
    open: watch::Sender<bool>,
}

/// One load from a source, while it runs.
struct Running(Arc<Inner>);

impl Source {
    /// Nobody has to wait.
    pub(crate) fn open() -> Self {
        Self::new(true)
    }

    /// Whoever loads waits until [`let_go`](Self::let_go).
    pub(crate) fn held() -> Self {
        Self::new(false)
    }

    fn new(open: bool) -> Self {
        let count = AtomicUsize::default;
        Self(Arc::new(Inner {
            begun: count(),
            ended: count(),
            alive: count(),
            open: watch::Sender::new(open),
        }))
    }

    pub(crate) fn let_go(&self) {
        self.0.open.send_replace(true);
    }

    /// How many loaders were called.
    pub(crate) fn begun(&self) -> usize {
        self.0.begun.load(Ordering::SeqCst)
    }

    /// How many of them came to their end.
    pub(crate) fn ended(&self) -> usize {
        self.0.ended.load(Ordering::SeqCst)
    }

    /// How many were begun and have neither ended nor been dropped.
    pub(crate) fn alive(&self) -> usize {
        self.0.alive.load(Ordering::SeqCst)
    }

    /// One load.
    pub(crate) async fn run(self) {
        self.0.begun.fetch_add(1, Ordering::SeqCst);
        self.0.alive.fetch_add(1, Ordering::SeqCst);
        let running = Running(Arc::clone(&self.0));
        let mut open = self.0.open.subscribe();
        open.wait_for(|open| *open).await.expect("the source is in our hands");
        running.0.ended.fetch_add(1, Ordering::SeqCst);
    }

    /// A loader of this value.
    pub(crate) fn gives<T: Send + 'static>(
        &self,
        value: T,
    ) -> impl FnOnce() -> Pin<Box<dyn Future<Output = T> + Send>> + Send + 'static {
        let source = self.clone();
        move || {
            Box::pin(async move {
                source.run().await;
                value
            })
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What a loader may fail with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken(pub(crate) u64);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "number {} is broken", self.0)
    }
}

impl std::error::Error for Broken {}

/// A loader's failure, of a type that holds any.
pub(crate) fn broken<T>(number: u64) -> Result<T, BoxError> {
    Err(Box::new(Broken(number)))
}
