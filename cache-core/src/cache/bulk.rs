//! Operations on many keys, one trip for as many as the store takes at once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::pin::Pin;

use serde::Serialize;

use super::{AnyValue, Cache};
use crate::entry::{Borrow, Entry, NewEntry};
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::key::Key;
use crate::life::Timeout;
use crate::loads::Change;
use crate::options::{Found, Write};
use crate::per_key::{per_key, unanswered};
use crate::stats::Counter;
use crate::value::Value;

/// What [`get_many_partial`](Cache::get_many_partial) found, and what failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Partial<K, T> {
    /// The values, by the caller's own keys; keys without an entry are left out.
    pub found: HashMap<K, T>,
    /// The keys that could not be read, and why.
    pub failed: Vec<(K, Error)>,
}

/// The future of a bulk call. It is boxed, so that it names nothing of the
/// iterator that it was made from: one that held a closure of the caller's
/// could often not be spawned.
pub type BulkFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

impl Cache {
    /// The values of these keys, by the caller's own keys; keys without an
    /// entry are left out.
    ///
    /// # Errors
    ///
    /// If any key failed; [`failures`](Error::failures) lists them by position.
    /// Use [`get_many_partial`](Self::get_many_partial) to keep the others.
    ///
    /// ```
    /// # use cache_core::{Cache, Timeout};
    /// # use std::collections::HashMap;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> cache_core::Result<()> {
    /// # let cache = Cache::new(cache_mem::MemStore::new());
    /// cache.set_many([("a", &1), ("b", &2)], Timeout::Default).await?;
    /// let found: HashMap<&str, i64> = cache.get_many(["a", "b", "c"]).await?;
    /// assert_eq!(found, HashMap::from([("a", 1), ("b", 2)]));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "aget_many")]
    pub fn get_many<'a, T: Value, I>(&'a self, keys: I) -> BulkFuture<'a, HashMap<I::Item, T>>
    where
        I: IntoIterator<Item: AsRef<str> + Eq + Hash + Send + 'a>,
    {
        let keys: Vec<_> = keys.into_iter().collect();
        Box::pin(async move {
            let read = |entry: Entry| self.decoded_one(entry.read(&self.alias.format));
            let (found, failed) = self.read_many(keys, read).await?;
            self.all_found(Operation::GetMany, found, failed)
        })
    }

    /// As [`get_many`](Self::get_many), for values of different types.
    ///
    /// ```
    /// # use cache_core::{Cache, Timeout};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> cache_core::Result<()> {
    /// # let cache = Cache::new(cache_mem::MemStore::new());
    /// cache.aset("visits", &7, Timeout::Default).await?;
    /// cache.aset("motto", "onwards", Timeout::Default).await?;
    /// let found = cache.get_many_any(["visits", "motto"]).await?;
    /// assert_eq!(found["visits"].read::<u32>()?, Some(7));
    /// assert_eq!(found["motto"].read::<String>()?.as_deref(), Some("onwards"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn get_many_any<'a, I>(&'a self, keys: I) -> BulkFuture<'a, HashMap<I::Item, AnyValue>>
    where
        I: IntoIterator<Item: AsRef<str> + Eq + Hash + Send + 'a>,
    {
        let keys: Vec<_> = keys.into_iter().collect();
        Box::pin(async move {
            let read = |entry: Entry| Ok(Some(AnyValue::new(entry, self.clone())));
            let (found, failed) = self.read_many(keys, read).await?;
            self.all_found(Operation::GetMany, found, failed)
        })
    }

    /// As [`get_many`](Self::get_many), but a key that fails does not hide the
    /// values of the others.
    ///
    /// # Errors
    ///
    /// Only if the cache is closed.
    pub fn get_many_partial<'a, T: Value, I>(&'a self, keys: I) -> BulkFuture<'a, Partial<I::Item, T>>
    where
        I: IntoIterator<Item: AsRef<str> + Eq + Hash + Send + 'a>,
    {
        let keys: Vec<_> = keys.into_iter().collect();
        Box::pin(async move {
            let read = |entry: Entry| self.decoded_one(entry.read(&self.alias.format));
            let (found, failed) = self.read_many(keys, read).await?;
            Ok(self.as_partial(Operation::GetMany, found, failed))
        })
    }

    /// Stores these values, each over whatever is there, with one timeout; the
    /// alias's jitter shortens the life of each by itself.
    ///
    /// It takes a map by reference, or pairs of a key and a reference.
    ///
    /// # Errors
    ///
    /// If any key failed; [`failures`](Error::failures) lists them by position,
    /// and the others are stored.
    #[doc(alias = "aset_many")]
    pub fn set_many<'a, K, B, I>(&'a self, items: I, timeout: impl Into<Timeout>) -> BulkFuture<'a, ()>
    where
        K: AsRef<str> + Send + Sync + 'a,
        B: ToOwned<Owned: Value> + Serialize + Sync + ?Sized + 'a,
        I: IntoIterator<Item = (K, &'a B)>,
    {
        let (keys, values): (Vec<K>, Vec<Borrow<'a, B>>) =
            items.into_iter().map(|(key, value)| (key, Borrow::new(value))).unzip();
        Box::pin(self.write_many(keys, values, timeout.into()))
    }

    async fn write_many<B, K>(&self, keys: Vec<K>, values: Vec<Borrow<'_, B>>, timeout: Timeout) -> Result<()>
    where
        K: AsRef<str>,
        B: ToOwned<Owned: Value> + Serialize + Sync + ?Sized,
    {
        let Some(life) = timeout.resolve(self.alias.timeout) else {
            return self.remove_many(Operation::SetMany, &keys).await;
        };
        let names = self.names(Operation::SetMany, &keys)?;
        let items: Vec<_> = accepted(&names)
            .map(|(position, name)| {
                let value = NewEntry::borrowed(&values[position], &self.alias.format);
                (Key::new(&self.space, name), value, Write::new(life.shortened(self.alias.jitter)))
            })
            .collect();
        let mut outcomes = Vec::with_capacity(items.len());
        let voiding = self.voiding(items.iter().map(|(key, ..)| *key), Change::Overwrites);
        let work = async {
            voiding.settled().await;
            for chunk in items.chunks(self.alias.capabilities.write_batch.keys) {
                let answers = per_key(self.alias.store.set_many(chunk).await, chunk.len());
                outcomes.extend(answers.into_iter().map(taken));
            }
            Ok(())
        };
        let ended = self.bounded(work).await;
        complete(&mut outcomes, items.len(), ended);
        drop(voiding);
        drop(items);
        self.all_done(Operation::SetMany, Counter::Writes, in_order(names, outcomes))
    }

    /// Removes the entries of these keys.
    ///
    /// # Errors
    ///
    /// If any key failed; [`failures`](Error::failures) lists them by position,
    /// and the others are removed.
    #[doc(alias = "adelete_many")]
    pub fn delete_many<'a, I>(&'a self, keys: I) -> BulkFuture<'a, ()>
    where
        I: IntoIterator<Item: AsRef<str> + Send + Sync + 'a>,
    {
        let keys: Vec<_> = keys.into_iter().collect();
        Box::pin(async move { self.remove_many(Operation::DeleteMany, &keys).await })
    }

    async fn remove_many<K: AsRef<str>>(&self, operation: Operation, keys: &[K]) -> Result<()> {
        let names = self.names(operation, keys)?;
        let doomed: Vec<_> = accepted(&names).map(|(_, name)| Key::new(&self.space, name)).collect();
        let mut outcomes = Vec::with_capacity(doomed.len());
        let voiding = self.voiding(doomed.iter().copied(), Change::Removes);
        let work = async {
            voiding.settled().await;
            for chunk in doomed.chunks(self.alias.capabilities.write_batch.keys) {
                outcomes.extend(per_key(self.alias.store.delete_many(chunk).await, chunk.len()));
            }
            Ok(())
        };
        let ended = self.bounded(work).await;
        complete(&mut outcomes, doomed.len(), ended);
        drop(voiding);
        drop(doomed);
        self.all_done(operation, Counter::Deletes, in_order(names, outcomes))
    }

    /// Reads the entries and decodes what is found.
    async fn read_many<K, T>(
        &self,
        keys: Vec<K>,
        read: impl Fn(Entry) -> Result<Option<T>>,
    ) -> Result<(HashMap<K, T>, Vec<Failure<K>>)>
    where
        K: AsRef<str> + Eq + Hash,
    {
        let names = self.names(Operation::GetMany, &keys)?;
        let outcomes = self.fetch_many(&names).await;
        let outcomes = in_order(names, outcomes);
        let mut found = HashMap::with_capacity(keys.len());
        let mut failed = Vec::new();
        for (position, (key, outcome)) in keys.into_iter().zip(outcomes).enumerate() {
            match self.answer(outcome, &read) {
                Ok(Some(value)) => drop(found.insert(key, value)),
                Ok(None) => {}
                Err(error) => failed.push(Failure { position, key, error }),
            }
        }
        Ok((found, failed))
    }

    /// What was read of one key of many; a miss is counted.
    pub(super) fn answer<T>(
        &self,
        outcome: Result<Option<Found>>,
        read: impl Fn(Entry) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let Some(found) = outcome? else {
            self.alias.counters.count(Counter::Misses);
            return Ok(None);
        };
        read(found.entry)
    }

    /// One outcome per accepted name; with `on_error = "miss"` failures are
    /// entries that are not there.
    pub(super) async fn fetch_many(&self, names: &[Result<Cow<'_, str>>]) -> Vec<Result<Option<Found>>> {
        let keys: Vec<_> = accepted(names).map(|(_, name)| Key::new(&self.space, name)).collect();
        let mut outcomes = Vec::with_capacity(keys.len());
        let read = self.read();
        let work = async {
            for chunk in keys.chunks(self.alias.capabilities.read_batch.keys) {
                let answer = self.alias.store.get_many(chunk, read).await;
                outcomes.extend(per_key(answer, chunk.len()));
            }
            Ok(())
        };
        let ended = self.bounded(work).await;
        complete(&mut outcomes, keys.len(), ended);
        let forgive = |outcome| match outcome {
            Err(error) if self.counts_as_miss(&error) => Ok(None),
            outcome => outcome,
        };
        outcomes.into_iter().map(forgive).collect()
    }

    /// Checks the keys: a bad one fails alone.
    pub(super) fn names<'k, K: AsRef<str>>(
        &self,
        operation: Operation,
        keys: &'k [K],
    ) -> Result<Vec<Result<Cow<'k, str>>>> {
        self.check_open(operation)?;
        Ok(keys.iter().map(|key| self.checked_name(key.as_ref())).collect())
    }

    pub(super) fn as_partial<K, T>(
        &self,
        operation: Operation,
        found: HashMap<K, T>,
        failed: Vec<Failure<K>>,
    ) -> Partial<K, T> {
        let told = |failure: Failure<K>| (failure.key, self.failed(operation, failure.error));
        Partial { found, failed: failed.into_iter().map(told).collect() }
    }

    pub(super) fn all_found<K, T>(
        &self,
        operation: Operation,
        found: HashMap<K, T>,
        failed: Vec<Failure<K>>,
    ) -> Result<HashMap<K, T>> {
        let failures: Vec<_> = failed.into_iter().map(|failure| (failure.position, failure.error)).collect();
        self.none_failed(operation, failures)?;
        Ok(found)
    }

    fn all_done(&self, operation: Operation, counter: Counter, outcomes: Vec<Result<()>>) -> Result<()> {
        let done = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        self.alias.counters.add(counter, done as u64);
        let failures = outcomes.into_iter().enumerate();
        let failures = failures.filter_map(|(position, outcome)| Some((position, outcome.err()?)));
        self.none_failed(operation, failures.collect())
    }

    fn none_failed(&self, operation: Operation, failures: Vec<(usize, Error)>) -> Result<()> {
        if failures.is_empty() {
            return Ok(());
        }
        Err(self.failed(operation, Error::bulk(failures)))
    }
}

/// A key that failed, with its position in the call.
pub(super) struct Failure<K> {
    pub(super) position: usize,
    pub(super) key: K,
    pub(super) error: Error,
}

/// The names that the store is asked for, with their positions in the call.
pub(super) fn accepted<'a>(names: &'a [Result<Cow<'_, str>>]) -> impl Iterator<Item = (usize, &'a str)> {
    names.iter().enumerate().filter_map(|(position, name)| Some((position, &**name.as_ref().ok()?)))
}

/// The outcomes of all keys of the call, those that were never asked for too.
fn in_order<T>(names: Vec<Result<Cow<'_, str>>>, outcomes: Vec<Result<T>>) -> Vec<Result<T>> {
    let mut outcomes = outcomes.into_iter();
    names
        .into_iter()
        .map(|name| name.and_then(|_| outcomes.next().unwrap_or_else(|| Err(unanswered()))))
        .collect()
}

/// A write without a condition is either done or fails.
fn taken(answer: Result<bool>) -> Result<()> {
    if answer? { Ok(()) } else { Err(not_taken()) }
}

/// A call that was cut off keeps what was answered before; the rest failed.
fn complete<T>(outcomes: &mut Vec<Result<T>>, keys: usize, ended: Result<()>) {
    if let Err(error) = ended {
        outcomes.resize_with(keys, || Err(error.clone()));
    }
}

/// As for a write of one key.
#[cold]
fn not_taken() -> Error {
    Error::new(ErrorKind::Server, "the store did not take the value, and gave no reason")
}
