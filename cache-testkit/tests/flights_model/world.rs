//! A store, a source, and callers who do what the handle does, one step at a
//! time: between any two of them the model checker may run somebody else.

use std::sync::Arc;

use shuttle::future::{self, JoinHandle};
use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::Mutex;
use shuttle::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use crate::loads::flights::{Change, Claim, Flights, Joined, MayPublish, Publish};
use crate::loads::task::LoadTask;

/// What can be wrong with whoever uses the state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    None,
    /// A delete does not wait for a value that is on its way.
    DoesNotWait,
    /// A delete voids loads only before it is sent.
    VoidsOnce,
    /// A loader's value goes to the store without asking whether it may.
    PublishesUnasked,
    /// Whoever claims does not look again.
    DoesNotLookAgain,
}

/// The one key of this world.
const KEY: u8 = 7;
/// In a world without deadlines.
const NEVER: (u64, u64) = (0, u64::MAX);

pub(crate) struct World {
    bug: Bug,
    flights: Arc<Flights<u8, u32>>,
    /// What the store has under the key.
    store: Mutex<Option<u32>>,
    /// The source's present value.
    source: AtomicU32,
    /// How often a loader has read the source.
    loads: AtomicUsize,
    /// Whether a delete has returned.
    deleted: AtomicBool,
    tasks: std::sync::Mutex<Vec<JoinHandle<()>>>,
}

impl World {
    /// With 1 in the source, and perhaps in the store.
    pub(crate) fn new(bug: Bug) -> Arc<Self> {
        let there = thread_rng().gen_bool(0.3).then_some(1);
        Arc::new(Self {
            bug,
            flights: Flights::new(),
            store: Mutex::new(there),
            source: AtomicU32::new(1),
            loads: AtomicUsize::new(0),
            deleted: AtomicBool::new(false),
            tasks: std::sync::Mutex::default(),
        })
    }

    /// Reads, or loads, or waits.
    pub(crate) async fn caller(self: Arc<Self>) {
        let is_late = self.deleted.load(Ordering::SeqCst);
        let value = self.get_or_set().await;
        assert!(value == 2 || !is_late, "a caller who came after the delete got {value}");
    }

    /// As a caller, and gone before there is an answer.
    pub(crate) fn caller_who_leaves(self: Arc<Self>) {
        let seen = Some(self.flights.stamp(&KEY));
        if self.read().is_some() {
            return;
        }
        if let Ok(Joined::Claimed { claim, waiter, look_again }) = self.join(seen) {
            self.take_off(claim, look_again);
            drop(waiter);
        }
    }

    /// The source changes, and then the key is deleted, and asked for by who
    /// deleted it.
    pub(crate) async fn deleter(self: Arc<Self>) {
        self.source.store(2, Ordering::SeqCst);
        self.void_and_wait(Change::Removes).await;
        *self.store.lock().expect("nobody panics") = None;
        if self.bug != Bug::VoidsOnce && !self.flights.is_quiet() {
            self.flights.void(&KEY, Change::Overwrites);
        }
        self.deleted.store(true, Ordering::SeqCst);
        self.caller().await;
    }

    /// As the deleter, by a clear.
    pub(crate) async fn clearer(self: Arc<Self>) {
        self.source.store(2, Ordering::SeqCst);
        if !self.flights.is_quiet() {
            for flight in self.flights.void_all() {
                flight.outcome().await;
            }
        }
        *self.store.lock().expect("nobody panics") = None;
        self.flights.void_all();
        self.deleted.store(true, Ordering::SeqCst);
        self.caller().await;
    }

    /// What has to hold once everybody is gone.
    pub(crate) async fn check(&self, callers: usize) {
        let tasks = std::mem::take(&mut *self.tasks.lock().expect("nobody panics"));
        for task in tasks {
            task.await.expect("it does not panic");
        }
        assert_eq!(self.flights.under_way(), 0, "a flight is left");
        assert!(self.flights.is_quiet(), "a claim is left");
        let there = *self.store.lock().expect("nobody panics");
        let deleted = self.deleted.load(Ordering::SeqCst);
        assert!(!deleted || there != Some(1), "what was deleted is back");
        let loads = self.loads.load(Ordering::SeqCst);
        assert!(loads <= callers);
    }

    /// How often a loader has run, where nobody wrote.
    pub(crate) fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }

    async fn get_or_set(self: &Arc<Self>) -> u32 {
        let seen = Some(self.flights.stamp(&KEY));
        if let Some(value) = self.read() {
            return value;
        }
        let mut seen = seen;
        loop {
            let waiter = match self.join(seen.take()).expect("there are no deadlines") {
                Joined::Waits(waiter) => waiter,
                Joined::Claimed { claim, waiter, look_again } => {
                    self.take_off(claim, look_again);
                    waiter
                }
            };
            // `None`: the task was dropped before it had a value.
            if let Some(value) = waiter.flight().outcome().await {
                return *value;
            }
        }
    }

    fn join(self: &Arc<Self>, seen: Option<crate::loads::flights::Stamp>) -> Result<Joined<u8, u32>, ()> {
        self.flights.join(&KEY, || (KEY, Arc::default()), seen, NEVER).map_err(drop)
    }

    fn take_off(self: &Arc<Self>, claim: Claim<u8, u32>, look_again: bool) {
        let world = Arc::clone(self);
        let task = Arc::clone(claim.flight().task());
        let task = future::spawn(async move { world.fly(claim, &task, look_again).await });
        self.tasks.lock().expect("nobody panics").push(task);
    }

    /// Where a real task is aborted, this one ends by itself, or not yet.
    async fn fly(&self, claim: Claim<u8, u32>, task: &LoadTask, look_again: bool) {
        let is_aborted = || !task.is_wanted() && thread_rng().gen_bool(0.5);
        if is_aborted() {
            return;
        }
        if look_again
            && self.bug != Bug::DoesNotLookAgain
            && let Some(value) = self.read()
        {
            claim.end(value);
            return;
        }
        self.loads.fetch_add(1, Ordering::SeqCst);
        let loaded = self.source.load(Ordering::SeqCst);
        future::yield_now().await;
        if is_aborted() {
            return;
        }
        let may = claim.begin_publish(loaded, Publish::Conditional, u64::MAX);
        if may != MayPublish::Yes && self.bug != Bug::PublishesUnasked {
            claim.end(loaded);
            return;
        }
        future::yield_now().await;
        let there = *self.store.lock().expect("nobody panics").get_or_insert(loaded);
        future::yield_now().await;
        claim.end(there);
    }

    async fn void_and_wait(&self, change: Change) {
        if self.flights.is_quiet() {
            return;
        }
        for flight in self.flights.void(&KEY, change) {
            if self.bug != Bug::DoesNotWait {
                flight.outcome().await;
            }
        }
    }

    fn read(&self) -> Option<u32> {
        *self.store.lock().expect("nobody panics")
    }
}
