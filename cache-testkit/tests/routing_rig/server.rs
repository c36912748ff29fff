//! A leader that keeps a log of its writes, and replicas that repeat it when
//! the test says so.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use cache_core::{
    AsyncCache, Capabilities, Clock, Format, Found, Incr, Key, Lag, Life, NewEntry, Ping, Read, Result,
    Scope, Tick, Usage, When, Write,
};
use cache_mem::{MemSettings, MemStore};
use cache_testkit::ManualClock;

use super::log::{Change, Log, Written};

/// What servers tell of the lag when they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tells {
    /// Neither leader nor replicas know.
    Nothing,
    /// Replicas tell how old their data is.
    Ages,
    /// All tell their position in the log.
    Positions,
}

/// One server: memory, and its place in the log.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) store: MemStore,
    clock: Arc<ManualClock>,
    log: Arc<Log>,
    tells: Tells,
    role: Role,
    /// When pings were answered.
    pings: Mutex<Vec<Tick>>,
}

#[derive(Debug)]
enum Role {
    Leader,
    /// It has repeated so many of the leader's writes.
    Replica(AtomicUsize),
}

impl Server {
    pub(crate) fn leader(clock: &Arc<ManualClock>, log: &Arc<Log>, tells: Tells) -> Self {
        Self::new(clock, log, tells, Role::Leader)
    }

    pub(crate) fn replica(clock: &Arc<ManualClock>, log: &Arc<Log>, tells: Tells) -> Self {
        Self::new(clock, log, tells, Role::Replica(AtomicUsize::new(0)))
    }

    fn new(clock: &Arc<ManualClock>, log: &Arc<Log>, tells: Tells, role: Role) -> Self {
        let time: Arc<dyn Clock> = Arc::<ManualClock>::clone(clock);
        let store = MemStore::with_clock(&MemSettings::default(), time);
        let (clock, log) = (Arc::clone(clock), Arc::clone(log));
        Self { store, clock, log, tells, role, pings: Mutex::default() }
    }

    /// The position that it has reached.
    pub(crate) fn position(&self) -> usize {
        match &self.role {
            Role::Leader => self.log.position(),
            Role::Replica(reached) => reached.load(Ordering::SeqCst),
        }
    }

    /// When it last answered a ping by then.
    pub(crate) fn last_ping(&self, by: Tick) -> Option<Tick> {
        let pings = self.pings.lock().expect("nobody panics under it");
        pings.iter().rev().find(|ping| **ping <= by).copied()
    }

    /// How many pings it has answered.
    pub(crate) fn answered(&self) -> usize {
        self.pings.lock().expect("nobody panics under it").len()
    }

    /// Repeats the next so many writes of the leader, or as many as there are.
    pub(crate) fn catch_up(&self, writes: usize) {
        let Role::Replica(reached) = &self.role else { panic!("the leader follows nobody") };
        let written = self.log.written();
        let from = reached.load(Ordering::SeqCst);
        let next = written[from..].iter().take(writes);
        let many = next.clone().count();
        next.for_each(|written| self.repeat(&written.change));
        reached.store(from + many, Ordering::SeqCst);
    }

    fn repeat(&self, change: &Change) {
        let format = Format::default();
        match change {
            Change::Put { key, entry, life } => {
                let entry = NewEntry::of(entry.clone(), &format);
                let done = now(self.store.aset(&key.as_key(), &entry, Write::new(*life)));
                assert!(done.expect("memory does not fail"));
            }
            Change::Gone { key } => {
                now(self.store.adelete(&key.as_key(), &When::Always)).expect("memory does not fail");
            }
            Change::Cleared => now(self.store.aclear(&Scope::all())).expect("memory does not fail"),
        }
    }

    /// How old its data is: since when there is a write that it has not repeated.
    fn age(&self) -> Duration {
        let written = self.log.written();
        let next = written.get(self.position_under(&written));
        next.map_or(Duration::ZERO, |next| self.clock.now().since(next.at))
    }

    fn position_under(&self, written: &[Written]) -> usize {
        match &self.role {
            Role::Leader => written.len(),
            Role::Replica(reached) => reached.load(Ordering::SeqCst),
        }
    }

    /// Does a write, and notes what became of its keys, in one step: nobody
    /// sees one without the other.
    fn write<T>(&self, keys: &[Key<'_>], work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut written = self.log.written();
        let done = now(work);
        for key in keys {
            let found = now(self.store.aget(key, Read::default())).expect("memory does not fail");
            let life = now(self.store.alife(key, Read::default())).expect("memory does not fail");
            let key = key.to_owned_key();
            let change = match (found, life) {
                (Some(found), Some(life)) => Change::Put { key, entry: found.entry, life },
                _ => Change::Gone { key },
            };
            written.push(Written { at: self.clock.now(), change });
        }
        done
    }
}

/// Memory answers at once, and gives way at most.
fn now<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    for _ in 0..1_000 {
        if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return done;
        }
    }
    panic!("memory does not wait");
}

#[async_trait]
impl AsyncCache for Server {
    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    fn usage(&self) -> Usage {
        self.store.usage()
    }

    async fn aget(&self, key: &Key<'_>, read: Read) -> Result<Option<Found>> {
        self.store.aget(key, read).await
    }

    async fn aset(&self, key: &Key<'_>, value: &NewEntry<'_>, write: Write) -> Result<bool> {
        self.write(&[*key], self.store.aset(key, value, write))
    }

    async fn atouch(&self, key: &Key<'_>, life: Life) -> Result<bool> {
        self.write(&[*key], self.store.atouch(key, life))
    }

    async fn adelete(&self, key: &Key<'_>, when: &When) -> Result<bool> {
        self.write(&[*key], self.store.adelete(key, when))
    }

    async fn ahas_key(&self, key: &Key<'_>, read: Read) -> Result<bool> {
        self.store.ahas_key(key, read).await
    }

    async fn alife(&self, key: &Key<'_>, read: Read) -> Result<Option<Life>> {
        self.store.alife(key, read).await
    }

    async fn aincr(&self, key: &Key<'_>, incr: Incr) -> Result<Option<i64>> {
        self.write(&[*key], self.store.aincr(key, incr))
    }

    async fn amove(&self, from: &Key<'_>, to: &Key<'_>) -> Result<bool> {
        self.write(&[*from, *to], self.store.amove(from, to))
    }

    async fn get_many(&self, keys: &[Key<'_>], read: Read) -> Result<Vec<Result<Option<Found>>>> {
        self.store.get_many(keys, read).await
    }

    async fn set_many(&self, items: &[(Key<'_>, NewEntry<'_>, Write)]) -> Result<Vec<Result<bool>>> {
        let keys: Vec<_> = items.iter().map(|(key, ..)| *key).collect();
        self.write(&keys, self.store.set_many(items))
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<Vec<Result<()>>> {
        self.write(keys, self.store.delete_many(keys))
    }

    /// Of everything: the rig has one prefix.
    async fn aclear(&self, _: &Scope<'_>) -> Result<()> {
        let mut written = self.log.written();
        let cleared = now(self.store.aclear(&Scope::all()));
        written.push(Written { at: self.clock.now(), change: Change::Cleared });
        cleared
    }

    async fn aping(&self) -> Result<Ping> {
        self.pings.lock().expect("nobody panics under it").push(self.clock.now());
        let position = Lag::Position(self.position() as u64);
        Ok(Ping::new(Duration::ZERO).with_lag(match (self.tells, &self.role) {
            (Tells::Positions, _) => position,
            (Tells::Ages, Role::Replica(_)) => Lag::Age(self.age()),
            (Tells::Nothing, _) | (Tells::Ages, Role::Leader) => Lag::Unknown,
        }))
    }

    async fn aclose(&self) -> Result<()> {
        self.store.aclose().await
    }
}
