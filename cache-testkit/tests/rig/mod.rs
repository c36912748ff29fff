//! A trip over a faulty store over memory, by the manual clock.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cache_core::{
    AsyncCache, Batch, Cache, CacheBuilder, Clock, Context as Opening, Counter, Counters, Entry, Format,
    Incr, Key, KeySpace, Life, NewEntry, Read, Result, Tick, Trip, TripSettings, Write,
};
use cache_mem::{MemSettings, MemStore};
use cache_testkit::{Faulty, ManualClock};
use tokio::runtime::Handle;

/// Of every exchange.
pub(crate) const DEADLINE: Duration = Duration::from_millis(100);

/// How late a call may be ended.
pub(crate) const GRACE: Duration = Duration::from_millis(10);

/// Longer than any pause of the prober and any task of a timer that idles.
pub(crate) const IDLE: Duration = Duration::from_secs(3);

static SPACE: LazyLock<KeySpace> = LazyLock::new(|| KeySpace::new("rig", 1));

pub(crate) struct Rig {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) faulty: Arc<Faulty>,
    pub(crate) trip: Arc<Trip>,
    pub(crate) counters: Counters,
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn key(name: &'static str) -> Key<'static> {
    Key::new(&SPACE, name)
}

/// How many tasks the runtime of the test has.
pub(crate) fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(DEADLINE, Batch::UNLIMITED)
    }

    pub(crate) fn with_deadline(deadline: Duration) -> Self {
        Self::with(deadline, Batch::UNLIMITED)
    }

    /// A store that takes so many keys at once.
    pub(crate) fn with_batch(keys: usize) -> Self {
        Self::with(DEADLINE, Batch::new(keys))
    }

    fn with(deadline: Duration, batch: Batch) -> Self {
        let clock = Arc::new(ManualClock::new());
        let time: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let store = MemStore::with_clock(&MemSettings::default(), Arc::clone(&time));
        let capabilities = store.capabilities().read_batch(batch).write_batch(batch);
        let faulty = Faulty::promising(Arc::new(store), capabilities);
        let counters = Counters::new();
        let settings = TripSettings::new("rig", deadline, time).counters(counters.clone());
        let trip = Arc::new(Trip::new(Arc::<Faulty>::clone(&faulty), settings));
        Self { clock, faulty, trip, counters }
    }

    pub(crate) fn time(&self) -> Arc<dyn Clock> {
        Arc::<ManualClock>::clone(&self.clock)
    }

    pub(crate) fn now(&self) -> Tick {
        self.clock.now()
    }

    /// A handle over the trip, with the deadline of the trip and its counters.
    pub(crate) fn handle(&self) -> CacheBuilder {
        let mut context = Opening::new("rig").with_clock(self.time());
        context.counters = self.counters.clone();
        let trip: Arc<Trip> = Arc::clone(&self.trip);
        Cache::builder(trip).context(&context).deadline(DEADLINE)
    }

    /// What the work answers, while time passes.
    pub(crate) async fn finish<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let task = tokio::spawn(work);
        for _ in 0..60_000 {
            if task.is_finished() {
                return task.await.expect("no panic");
            }
            self.clock.pass(ms(1)).await;
        }
        panic!("it takes longer than a minute");
    }

    pub(crate) fn outages(&self) -> u64 {
        self.counters.total(Counter::Outages)
    }

    pub(crate) fn failed_fast(&self) -> u64 {
        self.counters.total(Counter::FailedFast)
    }

    /// A read in a task of its own: what it said, and when.
    pub(crate) fn get(&self, name: &'static str) -> tokio::task::JoinHandle<(Result<bool>, Tick)> {
        let (trip, clock) = (Arc::clone(&self.trip), Arc::clone(&self.clock));
        tokio::spawn(async move {
            let found = get(&*trip, name).await;
            (found, clock.now())
        })
    }

    /// What a read says that must not wait.
    pub(crate) fn get_at_once(&self, name: &'static str) -> Result<bool> {
        let mut call = pin!(get(&*self.trip, name));
        match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(found) => found,
            Poll::Pending => panic!("it waits"),
        }
    }

    /// Makes the store known to be down, by one lost connection.
    pub(crate) fn lose_connection(&self) {
        self.faulty.on([cache_testkit::Call::Get]).times(1).fail(cache_core::ErrorKind::Connection);
        self.get_at_once("any").expect_err("the connection is lost");
        assert!(self.trip.is_down());
    }
}

/// Whether there is such an entry.
pub(crate) async fn get(store: &dyn AsyncCache, name: &'static str) -> Result<bool> {
    Ok(store.aget(&key(name), Read::default()).await?.is_some())
}

/// Stores an integer for ever.
pub(crate) async fn set(store: &dyn AsyncCache, name: &'static str, value: i64) -> Result<bool> {
    let format = Format::default();
    let value = NewEntry::of(Entry::from_integer(value), &format);
    store.aset(&key(name), &value, Write::new(Life::Forever)).await
}

/// Adds one.
pub(crate) async fn incr(store: &dyn AsyncCache, name: &'static str) -> Result<Option<i64>> {
    store.aincr(&key(name), Incr::by(1)).await
}
