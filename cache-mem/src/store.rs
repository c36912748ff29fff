//! The store: the operations of `AsyncCache` on the table.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cache_core::{
    AsyncCache, Batch, Capabilities, Clock, Context, Counter, Counters, Entry, Error, ErrorKind, Found, Incr,
    Key, Life, NewEntry, Ping, Probe, Read, Result, Scope, SystemClock, Usage, When, Write,
};

use crate::limits::Limits;
use crate::settings::{MemSettings, Values};
use crate::slot::{Displaced, Slot};
use crate::sweep_task::{schedule, sweep};
use crate::sweeper::Noted;
use crate::table::Table;

/// A store in this process, as one alias sees it.
#[derive(Debug)]
pub struct MemStore {
    table: Arc<Table>,
    limits: Limits,
    clock: Arc<dyn Clock>,
    counters: Counters,
    /// By which the table knows the alias.
    number: u64,
    values: Values,
    check_encoding: bool,
    closed: AtomicBool,
}

impl MemStore {
    /// A store of its own, everything at its default.
    pub fn new() -> Self {
        Self::with_clock(&MemSettings::default(), Arc::new(SystemClock))
    }

    /// A store of its own, with settings, on this clock.
    pub fn with_clock(settings: &MemSettings, clock: Arc<dyn Clock>) -> Self {
        let table = Arc::new(Table::new(settings.into()));
        Self::over(table, settings, clock, Counters::new())
    }

    /// The store of this location among those that share the context, or one
    /// of its own without a location.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) if another alias opened the location with
    /// other limits. With [`Eviction::Lru`](crate::Eviction::Lru) `max_entries`
    /// and `cull_frequency` may differ: each holds for the alias's own writes.
    pub fn open(location: Option<&str>, settings: &MemSettings, context: &Context) -> Result<Self> {
        let limits = Limits::from(settings);
        let table = match location {
            None => Arc::new(Table::new(limits)),
            Some(name) => context.shared.get_or_insert_with(name, || Table::new(limits)),
        };
        limits.agree_with(table.limits())?;
        Ok(Self::over(table, settings, Arc::clone(&context.clock), context.counters.clone()))
    }

    fn over(table: Arc<Table>, settings: &MemSettings, clock: Arc<dyn Clock>, counters: Counters) -> Self {
        let number = table.enter(counters.clone());
        let MemSettings { values, check_encoding, .. } = *settings;
        let limits = Limits::from(settings);
        Self {
            table,
            limits,
            clock,
            counters,
            number,
            values,
            check_encoding,
            closed: AtomicBool::new(false),
        }
    }

    fn entry(&self, value: &NewEntry<'_>) -> Result<Entry> {
        match self.values {
            Values::Encoded => Ok(Entry::from_bytes(value.encoded()?)),
            Values::Typed => {
                if self.check_encoding {
                    value.encoded()?;
                }
                value.to_entry()
            }
        }
    }

    /// What the entry counts for towards the limits of the store.
    fn weight(&self, key: &Key<'_>, entry: &Entry, value: &NewEntry<'_>) -> Result<u64> {
        if self.limits.max_bytes.is_none() {
            return Ok(1);
        }
        let length = match entry.length() {
            Some(length) => length,
            None => value.encoded()?.len(),
        };
        let weight = (key.len() + length).max(1) as u64;
        self.table.admit(weight)?;
        Ok(weight)
    }

    fn look_up(&self, key: &Key<'_>) -> Option<Found> {
        self.live(key, |slot| Found::new(slot.entry.clone()).with_token(slot.token()))
    }

    /// What is found under the key, if it is live; a use.
    #[inline]
    fn live<T>(&self, key: &Key<'_>, found: impl FnOnce(&Slot) -> T) -> Option<T> {
        let hashed = self.table.hash(key);
        let looked = self.table.find(&hashed, |slot| slot.is_live(&*self.clock).then(|| found(slot)));
        if let Some(None) = looked {
            self.forget_expired(key);
        }
        looked.flatten()
    }

    #[cold]
    fn forget_expired(&self, key: &Key<'_>) {
        let hashed = self.table.hash(key);
        let expired = self.table.write(&hashed).take(&hashed, |slot| !slot.is_live(&*self.clock));
        if expired.is_some() {
            self.counters.count(Counter::Expirations);
        }
    }

    fn put(&self, key: &Key<'_>, value: &NewEntry<'_>, write: &Write) -> Result<bool> {
        let entry = self.entry(value)?;
        let weight = self.weight(key, &entry, value)?;
        let hashed = self.table.hash(key);
        let slot = Slot::new(entry, write.life, &*self.clock, self.table.stamp(), weight);
        let mut displaced = Displaced::default();
        let mut shard = self.table.write(&hashed);
        if shard.held() >= self.limits.max_entries && shard.is_due(&*self.clock) {
            // What has expired goes before what has not.
            drop(shard);
            sweep(&self.table, &hashed, &self.clock);
            shard = self.table.write(&hashed);
        }
        let admitted = match &write.when {
            When::Always => true,
            When::Absent => shard.peek(&hashed).is_none_or(|slot| !slot.is_live(&*self.clock)),
            When::Present => shard.peek(&hashed).is_some_and(|slot| slot.is_live(&*self.clock)),
            When::Unchanged(token) => {
                shard.peek(&hashed).is_some_and(|slot| slot.is_live(&*self.clock) && slot.token() == *token)
            }
        };
        if !admitted {
            return Ok(false);
        }
        let held = shard.held();
        shard.put(hashed, slot, &self.limits, held, &mut displaced);
        let noted = shard.note(write.life, &*self.clock);
        drop(shard);
        self.settle(&displaced, noted);
        Ok(true)
    }

    fn remove(&self, key: &Key<'_>, when: &When) -> bool {
        let hashed = self.table.hash(key);
        let removed = self.table.write(&hashed).take(&hashed, |slot| match when {
            When::Unchanged(token) => slot.token() == *token,
            When::Absent => false,
            When::Always | When::Present => true,
        });
        let was_live = removed.as_ref().map(|slot| slot.is_live(&*self.clock));
        if was_live == Some(false) {
            self.counters.count(Counter::Expirations);
        }
        was_live == Some(true)
    }

    /// What is to be done after a write, once no lock is held.
    fn settle(&self, displaced: &Displaced, noted: Option<Noted>) {
        let (evicted, expired) = displaced.counts(&*self.clock);
        if evicted > 0 {
            self.counters.add(Counter::Evictions, evicted);
        }
        if expired > 0 {
            self.counters.add(Counter::Expirations, expired);
        }
        if let Some(noted) = noted {
            schedule(&self.table, noted, &self.clock);
        }
    }
}

impl Default for MemStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for MemStore {
    fn drop(&mut self) {
        if !self.closed.load(Ordering::Acquire) {
            self.table.leave(self.number);
        }
    }
}

#[async_trait]
impl AsyncCache for MemStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .tokens(true)
            .atomic_move(true)
            .clear_prefix(true)
            .read_batch(Batch::UNLIMITED)
            .write_batch(Batch::UNLIMITED)
    }

    fn probe(&self, key: &Key<'_>) -> Probe {
        self.live(key, |slot| slot.entry.clone()).map_or(Probe::Miss, Probe::Hit)
    }

    fn usage(&self) -> Usage {
        let usage = Usage::of_entries(self.table.len() as u64);
        if self.limits.max_bytes.is_some() { usage.of_bytes(self.table.weight()) } else { usage }
    }

    async fn aget(&self, key: &Key<'_>, _: Read) -> Result<Option<Found>> {
        Ok(self.look_up(key))
    }

    async fn aset(&self, key: &Key<'_>, value: &NewEntry<'_>, write: Write) -> Result<bool> {
        self.put(key, value, &write)
    }

    async fn atouch(&self, key: &Key<'_>, life: Life) -> Result<bool> {
        let hashed = self.table.hash(key);
        let stamp = self.table.stamp();
        let mut shard = self.table.write(&hashed);
        if !shard.touch(&hashed, life, stamp, &*self.clock) {
            return Ok(false);
        }
        let noted = shard.note(life, &*self.clock);
        drop(shard);
        self.settle(&Displaced::default(), noted);
        Ok(true)
    }

    async fn adelete(&self, key: &Key<'_>, when: &When) -> Result<bool> {
        Ok(self.remove(key, when))
    }

    async fn ahas_key(&self, key: &Key<'_>, _: Read) -> Result<bool> {
        let hashed = self.table.hash(key);
        let is_live = self.table.read(&hashed).peek(&hashed).map(|slot| slot.is_live(&*self.clock));
        if is_live == Some(false) {
            self.forget_expired(key);
        }
        Ok(is_live == Some(true))
    }

    async fn alife(&self, key: &Key<'_>, _: Read) -> Result<Option<Life>> {
        let hashed = self.table.hash(key);
        let shard = self.table.read(&hashed);
        Ok(shard
            .peek(&hashed)
            .filter(|slot| slot.is_live(&*self.clock))
            .and_then(|slot| slot.remaining(&*self.clock)))
    }

    async fn aincr(&self, key: &Key<'_>, incr: Incr) -> Result<Option<i64>> {
        let hashed = self.table.hash(key);
        let stamp = self.table.stamp();
        let outcome = self.table.write(&hashed).change(&hashed, |slot| {
            if !slot.is_live(&*self.clock) {
                return Ok(None);
            }
            let there = slot.entry.integer().ok_or(ErrorKind::NotAnInteger)?;
            let sum = there.checked_add(incr.delta).ok_or(ErrorKind::Overflow)?;
            slot.entry = Entry::from_integer(sum);
            slot.stamp = stamp;
            Ok(Some(sum))
        });
        if let Some(Ok(None)) = outcome {
            self.forget_expired(key);
        }
        outcome.unwrap_or(Ok(None)).map_err(Error::of)
    }

    async fn amove(&self, from: &Key<'_>, to: &Key<'_>) -> Result<bool> {
        let (from, to) = (self.table.hash(from), self.table.hash(to));
        let moved = self.table.relocate(&from, to, &self.limits, &*self.clock)?;
        self.settle(&moved.displaced, moved.noted);
        Ok(moved.arrived)
    }

    async fn get_many(&self, keys: &[Key<'_>], _: Read) -> Result<Vec<Result<Option<Found>>>> {
        Ok(keys.iter().map(|key| Ok(self.look_up(key))).collect())
    }

    async fn set_many(&self, items: &[(Key<'_>, NewEntry<'_>, Write)]) -> Result<Vec<Result<bool>>> {
        Ok(items.iter().map(|(key, value, write)| self.put(key, value, write)).collect())
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<Vec<Result<()>>> {
        for key in keys {
            self.remove(key, &When::Always);
        }
        Ok(keys.iter().map(|_| Ok(())).collect())
    }

    async fn aclear(&self, scope: &Scope<'_>) -> Result<()> {
        self.table.clear(scope).await;
        Ok(())
    }

    async fn aping(&self) -> Result<Ping> {
        Ok(Ping::new(Duration::ZERO))
    }

    /// The memory is freed when the last alias of a location is closed.
    async fn aclose(&self) -> Result<()> {
        if !self.closed.swap(true, Ordering::AcqRel) {
            self.table.leave(self.number);
        }
        Ok(())
    }
}
