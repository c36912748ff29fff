//! The layer that gathers, over a faulty store over memory, by the manual
//! clock; what reaches the store is written down.

#![allow(dead_code, unused_imports, reason = "not every test needs all of it")]

mod seen;
mod write_kind;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cache_core::{
    AsyncCache, Batch, Batching, Capabilities, Clock, Context as Opening, Counter, Entry, ErrorKind, Format,
    Found, Gather, Incr, Key, KeySpace, Life, NewEntry, Read, Result, Scope, Tick, When, Write,
};
use cache_mem::{MemSettings, MemStore, Values};
use cache_testkit::{Call, Faulty, Gate, ManualClock};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

pub(crate) use seen::{Seen, Sent};
pub(crate) use write_kind::{WriteKind, token_of};

/// Of every operation of the layer.
pub(crate) const DEADLINE: Duration = Duration::from_millis(100);

/// How late a call may be ended.
pub(crate) const GRACE: Duration = Duration::from_millis(10);

/// Longer than the task of a timer stays when nothing waits.
pub(crate) const IDLE: Duration = Duration::from_secs(3);

pub(crate) static SPACE: LazyLock<KeySpace> = LazyLock::new(|| KeySpace::new("rig", 1));

/// A call that is not a task yet, to be polled by hand or spawned.
pub(crate) type Asked<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

pub(crate) struct Rig {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) faulty: Arc<Faulty>,
    pub(crate) seen: Arc<Seen>,
    pub(crate) opening: Opening,
    pub(crate) layer: Arc<Batching>,
}

/// A lone operation and a trip, until they are let go.
pub(crate) struct Held([Gate; 2]);

impl Held {
    pub(crate) fn open(&self) {
        self.0.iter().for_each(Gate::open);
    }
}

async fn both<T>(lone: JoinHandle<T>, first: JoinHandle<T>) -> T {
    // What the second says may be that it was held for too long.
    first.await.expect("no panic");
    lone.await.expect("no panic")
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn key(name: &str) -> Key<'_> {
    Key::new(&SPACE, name)
}

/// The whole text of such a key.
pub(crate) fn text(name: &str) -> String {
    key(name).text().into_owned()
}

/// How many tasks the runtime of the test has.
pub(crate) fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Polls once, with a waker that wakes nobody.
pub(crate) fn poll<T>(call: &mut Asked<T>) -> Poll<Result<T>> {
    call.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// A call that has begun, and has to wait.
pub(crate) fn begun<T>(mut call: Asked<T>) -> Asked<T> {
    assert!(poll(&mut call).is_pending(), "it was to wait");
    call
}

/// What a call says that must not wait.
pub(crate) fn at_once<T>(mut call: Asked<T>) -> Result<T> {
    match poll(&mut call) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits"),
    }
}

/// What the task says that has all it needs, while no time passes.
pub(crate) async fn done<T>(task: JoinHandle<T>) -> T {
    for _ in 0..10_000 {
        if task.is_finished() {
            return task.await.expect("no panic");
        }
        tokio::task::yield_now().await;
    }
    panic!("it hangs");
}

pub(crate) fn kind_of<T: std::fmt::Debug>(answer: Result<T>) -> ErrorKind {
    answer.expect_err("it was to fail").kind()
}

/// Capabilities by which reads and writes are gathered like this.
pub(crate) fn gathering(of: &dyn AsyncCache, reads: Option<Gather>, writes: Option<Gather>) -> Capabilities {
    let batch = |gather: Option<Gather>| {
        let batch = Batch::new(1_000);
        gather.map_or(batch, |gather| batch.gathering(gather))
    };
    of.capabilities().read_batch(batch(reads)).write_batch(batch(writes))
}

impl Rig {
    /// One trip at once, of as many operations as come.
    pub(crate) fn new() -> Self {
        Self::gathering(Gather::new(1, 1_000))
    }

    /// So many trips at once.
    pub(crate) fn of_trips(trips: usize) -> Self {
        Self::gathering(Gather::new(trips, 1_000))
    }

    /// Reads and writes alike.
    pub(crate) fn gathering(gather: Gather) -> Self {
        Self::with(|store| gathering(store, Some(gather), Some(gather)))
    }

    pub(crate) fn with(capabilities: impl FnOnce(&dyn AsyncCache) -> Capabilities) -> Self {
        let clock = Arc::new(ManualClock::new());
        let time: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        Self::on(clock, Opening::new("rig").with_clock(time), capabilities)
    }

    /// With the time that the context has.
    pub(crate) fn on(
        clock: Arc<ManualClock>,
        mut opening: Opening,
        capabilities: impl FnOnce(&dyn AsyncCache) -> Capabilities,
    ) -> Self {
        opening.deadline = DEADLINE;
        let mut settings = MemSettings::default();
        // As a store elsewhere does.
        settings.values = Values::Encoded;
        let store = MemStore::with_clock(&settings, Arc::clone(&opening.clock));
        let capabilities = capabilities(&store);
        let faulty = Faulty::promising(Arc::new(store), capabilities);
        let seen = Arc::new(Seen::over(Arc::<Faulty>::clone(&faulty)));
        let layer = Arc::new(Batching::new(Arc::<Seen>::clone(&seen), &opening));
        Self { clock, faulty, seen, opening, layer }
    }

    /// Lets the tasks run that can, and no time pass.
    pub(crate) async fn settle(&self) {
        self.clock.pass(Duration::ZERO).await;
    }

    pub(crate) fn now(&self) -> Tick {
        self.clock.now()
    }

    /// The integer under this name, past the layer.
    pub(crate) async fn stored(&self, name: &str) -> Option<i64> {
        let found = self.faulty.aget(&key(name), Read::default()).await.expect("no fault is left");
        found.map(|found| integer(&found))
    }

    /// Holds the calls of this kind.
    pub(crate) fn hold(&self, call: Call) -> Gate {
        self.faulty.on([call]).pause()
    }

    /// Holds a lone read, which others need not wait for.
    pub(crate) async fn hold_a_lone_read(&self) -> (Gate, JoinHandle<Result<Option<i64>>>) {
        let gate = self.faulty.on([Call::Get]).times(1).pause();
        let read = tokio::spawn(self.get("lone"));
        gate.reached(1).await;
        (gate, read)
    }

    /// Holds a lone write, which others need not wait for.
    pub(crate) async fn hold_a_lone_write(&self, name: &str) -> (Gate, JoinHandle<Result<bool>>) {
        let gate = self.faulty.on([Call::Set]).times(1).pause();
        let write = tokio::spawn(self.set(name, 0));
        gate.reached(1).await;
        (gate, write)
    }

    /// Holds a lone read and a trip of one, so that all further reads wait where
    /// no more trips are admitted; forgets what was seen until then. The task
    /// ends when both have, with what the lone one says.
    pub(crate) async fn hold_reads(&self) -> (Held, JoinHandle<Result<Option<i64>>>) {
        let (alone, lone) = self.hold_a_lone_read().await;
        let together = self.faulty.on([Call::GetMany]).times(1).pause();
        let first = tokio::spawn(self.get("lone"));
        together.reached(1).await;
        self.seen.forget();
        (Held([alone, together]), tokio::spawn(both(lone, first)))
    }

    /// The same with writes of this key, behind which all of its lane wait.
    pub(crate) async fn hold_writes_of(&self, name: &str) -> (Held, JoinHandle<Result<bool>>) {
        let (alone, lone) = self.hold_a_lone_write(name).await;
        let together = self.faulty.on([Call::SetMany]).times(1).pause();
        let first = tokio::spawn(self.set(name, 0));
        together.reached(1).await;
        self.seen.forget();
        (Held([alone, together]), tokio::spawn(both(lone, first)))
    }

    /// The same with writes of any key; with one lane all others wait.
    pub(crate) async fn hold_writes(&self) -> (Held, JoinHandle<Result<bool>>) {
        self.hold_writes_of("lone").await
    }

    pub(crate) fn get(&self, name: impl Into<String>) -> Asked<Option<i64>> {
        let (layer, name) = (Arc::clone(&self.layer), name.into());
        Box::pin(async move {
            let found = layer.aget(&key(&name), Read::default()).await?;
            Ok(found.map(|found| integer(&found)))
        })
    }

    pub(crate) fn set(&self, name: impl Into<String>, value: i64) -> Asked<bool> {
        self.set_when(name, value, When::Always)
    }

    pub(crate) fn set_when(&self, name: impl Into<String>, value: i64, when: When) -> Asked<bool> {
        let (layer, name) = (Arc::clone(&self.layer), name.into());
        Box::pin(async move { set(&*layer, &name, value, when).await })
    }

    /// Writes text, which takes about its length in bytes.
    pub(crate) fn set_text(&self, name: impl Into<String>, value: String) -> Asked<bool> {
        let (layer, name) = (Arc::clone(&self.layer), name.into());
        Box::pin(async move {
            let format = Format::default();
            let value = NewEntry::of(Entry::shared(Arc::new(value)), &format);
            layer.aset(&key(&name), &value, Write::new(Life::Forever)).await
        })
    }

    /// Reads text.
    pub(crate) fn get_text(&self, name: impl Into<String>) -> Asked<Option<String>> {
        let (layer, name) = (Arc::clone(&self.layer), name.into());
        Box::pin(async move {
            let found = layer.aget(&key(&name), Read::default()).await?;
            Ok(found.map(|found| found.entry.read(&Format::default()).expect("text")))
        })
    }

    pub(crate) fn delete(&self, name: impl Into<String>) -> Asked<bool> {
        let (layer, name) = (Arc::clone(&self.layer), name.into());
        Box::pin(async move { layer.adelete(&key(&name), &When::Always).await })
    }

    pub(crate) fn incr(&self, name: impl Into<String>) -> Asked<Option<i64>> {
        let (layer, name) = (Arc::clone(&self.layer), name.into());
        Box::pin(async move { layer.aincr(&key(&name), Incr::by(1)).await })
    }

    pub(crate) fn moves(&self, from: impl Into<String>, to: impl Into<String>) -> Asked<bool> {
        let (layer, from, to) = (Arc::clone(&self.layer), from.into(), to.into());
        Box::pin(async move { layer.amove(&key(&from), &key(&to)).await })
    }

    pub(crate) fn clear(&self) -> Asked<()> {
        let layer = Arc::clone(&self.layer);
        Box::pin(async move { layer.aclear(&Scope::all()).await })
    }

    pub(crate) fn close(&self) -> Asked<()> {
        let layer = Arc::clone(&self.layer);
        Box::pin(async move { layer.aclose().await })
    }

    pub(crate) fn batches(&self) -> u64 {
        self.opening.counters.total(Counter::Batches)
    }

    pub(crate) fn batched(&self) -> u64 {
        self.opening.counters.total(Counter::Batched)
    }

    /// After whatever happened: nobody waits, nothing is under way, and no task
    /// is left.
    pub(crate) async fn leaves_nothing(&self) {
        self.settle().await;
        assert_eq!(self.layer.waiting(), 0, "waiting in the layer");
        assert_eq!(self.opening.timer.waiting(), 0, "waiting for a deadline");
        assert_eq!(self.faulty.inside_in_all(), 0, "inside the store");
        for _ in 0..3 {
            self.clock.advance(IDLE);
            self.settle().await;
        }
        assert_eq!((tasks(), self.clock.sleepers()), (0, 0), "tasks, and sleepers");
        assert!(self.opening.tasks.is_empty(), "tasks of the alias");
    }
}

/// The integer that is stored.
pub(crate) fn integer(found: &Found) -> i64 {
    found.entry.read(&Format::default()).expect("an integer")
}

/// Stores an integer for ever.
pub(crate) async fn set(store: &dyn AsyncCache, name: &str, value: i64, when: When) -> Result<bool> {
    let format = Format::default();
    let value = NewEntry::of(Entry::from_integer(value), &format);
    store.aset(&key(name), &value, Write::new(Life::Forever).when(when)).await
}
