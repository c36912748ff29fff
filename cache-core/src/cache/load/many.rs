//! The values of many keys, those that are missing loaded by one call.

use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use smallvec::{SmallVec, smallvec};

use super::flight::{Claimed, Flying};
use super::job::{Job, of_many, read_as};
use super::terms::Terms;
use super::wait::{no_task, runtime};
use crate::cache::Cache;
use crate::cache::bulk::{BulkFuture, Failure, Partial, accepted};
use crate::error::{BoxError, Operation, Result};
use crate::key::Key;
use crate::life::Timeout;
use crate::loads::{Answer, IntoLoaded, Joined, LoadTask, Stamp, Waiter};
use crate::stats::Counter;
use crate::value::Value;

impl Cache {
    /// The values of these keys; those that are missing are loaded by one call
    /// of the loader, and stored.
    ///
    /// The loader gets the missing keys, as they were given, and answers a map
    /// of their values. A key that it leaves out is left out here too, and is
    /// not stored; keys that it was not asked for are ignored.
    ///
    /// As with [`aget_or_set`](Self::aget_or_set) each key is loaded by one
    /// caller at a time: keys that others are loading are not asked for, but
    /// waited for, and others wait for those that are loaded here. What others
    /// leave out is loaded here, if the loader has not run by then. One read,
    /// one call and one write serve any number of keys, as far as the store
    /// takes them at once.
    ///
    /// ```
    /// # use cache_core::{Cache, Timeout};
    /// # use std::{collections::HashMap, sync::Arc};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> cache_core::Result<()> {
    /// # let cache = Cache::new(cache_mem::MemStore::new());
    /// cache.aset("length:one", &3, Timeout::Default).await?;
    /// let lengths: HashMap<&str, Arc<u64>> = cache
    ///     .get_or_set_many(["length:one", "length:three"], Timeout::Default, |missing| async move {
    ///         assert_eq!(missing, ["length:three"]);
    ///         HashMap::from([("length:three".to_owned(), 5)])
    ///     })
    ///     .await?;
    /// assert_eq!((*lengths["length:one"], *lengths["length:three"]), (3, 5));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If any key failed; [`failures`](crate::Error::failures) lists them by
    /// position, each with what [`aget_or_set`](Self::aget_or_set) would have
    /// failed with.
    #[doc(alias = "aget_or_set_many")]
    pub fn get_or_set_many<'a, T, I, F, Fut>(
        &'a self,
        keys: I,
        timeout: impl Into<Timeout>,
        loader: F,
    ) -> BulkFuture<'a, HashMap<I::Item, Arc<T>>>
    where
        T: Value,
        I: IntoIterator<Item: AsRef<str> + Eq + Hash + Send + Sync + 'a>,
        F: FnOnce(Vec<String>) -> Fut + Send + 'static,
        Fut: Future<Output = HashMap<String, T>> + Send + 'static,
    {
        self.load_many(keys).timeout(timeout).run(loader)
    }

    /// As [`get_or_set_many`](Self::get_or_set_many), with a loader that can fail.
    ///
    /// # Errors
    ///
    /// [`Load`](crate::ErrorKind::Load) for each key that it was to load. To
    /// have the others nonetheless, use
    /// [`try_run_partial`](LoadMany::try_run_partial).
    pub fn get_or_try_set_many<'a, T, E, I, F, Fut>(
        &'a self,
        keys: I,
        timeout: impl Into<Timeout>,
        loader: F,
    ) -> BulkFuture<'a, HashMap<I::Item, Arc<T>>>
    where
        T: Value,
        E: Into<BoxError>,
        I: IntoIterator<Item: AsRef<str> + Eq + Hash + Send + Sync + 'a>,
        F: FnOnce(Vec<String>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<HashMap<String, T>, E>> + Send + 'static,
    {
        self.load_many(keys).timeout(timeout).try_run(loader)
    }

    /// As [`get_or_set_many`](Self::get_or_set_many), for whoever wants to say more.
    ///
    /// ```
    /// # use cache_core::{Cache, Loaded, Timeout};
    /// # use std::{collections::HashMap, time::Duration};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> cache_core::Result<()> {
    /// # let cache = Cache::new(cache_mem::MemStore::new());
    /// let names = cache
    ///     .load_many(["user:1", "user:2"])
    ///     .timeout(Duration::from_secs(600))
    ///     .run(|missing| async move {
    ///         let found = |key: &str| (key == "user:1").then(|| "Ada".to_owned());
    ///         let known = |key: String| {
    ///             let name = Loaded::new(found(&key)).none_for(Duration::from_secs(5));
    ///             (key, name)
    ///         };
    ///         missing.into_iter().map(known).collect()
    ///     })
    ///     .await?;
    /// assert_eq!(names["user:1"].as_deref(), Some("Ada"));
    /// assert_eq!(*names["user:2"], None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn load_many<I: IntoIterator>(&self, keys: I) -> LoadMany<'_, I::Item> {
        LoadMany { cache: self, keys: keys.into_iter().collect(), terms: Terms::default() }
    }
}

/// A read of many keys that loads what is missing; see [`Cache::load_many`].
#[derive(Clone)]
#[must_use = "nothing is read or loaded before it is run"]
pub struct LoadMany<'a, K> {
    cache: &'a Cache,
    keys: Vec<K>,
    terms: Terms,
}

impl<'a, K> LoadMany<'a, K>
where
    K: AsRef<str> + Eq + Hash + Send + Sync + 'a,
{
    /// As [`Load::timeout`](super::Load::timeout).
    pub fn timeout(mut self, timeout: impl Into<Timeout>) -> Self {
        self.terms.timeout = timeout.into();
        self
    }

    /// As [`Load::load_deadline`](super::Load::load_deadline).
    pub fn load_deadline(mut self, deadline: Duration) -> Self {
        self.terms.load_deadline = Some(deadline);
        self
    }

    /// As [`Load::jitter`](super::Load::jitter), for each entry by itself.
    pub fn jitter(mut self, share: f64) -> Self {
        self.terms.jitter = Some(share);
        self
    }

    /// Reads, and loads what is missing. The loader answers values, or
    /// [`Loaded`](crate::Loaded) ones.
    ///
    /// # Errors
    ///
    /// As [`get_or_set_many`](Cache::get_or_set_many).
    pub fn run<L, F, Fut>(self, loader: F) -> BulkFuture<'a, HashMap<K, Arc<L::Value>>>
    where
        L: IntoLoaded,
        F: FnOnce(Vec<String>) -> Fut + Send + 'static,
        Fut: Future<Output = HashMap<String, L>> + Send + 'static,
    {
        self.try_run(|missing| async move { Ok::<_, Infallible>(loader(missing).await) })
    }

    /// As [`run`](Self::run), with a loader that can fail.
    ///
    /// # Errors
    ///
    /// As [`get_or_try_set_many`](Cache::get_or_try_set_many).
    pub fn try_run<L, E, F, Fut>(self, loader: F) -> BulkFuture<'a, HashMap<K, Arc<L::Value>>>
    where
        L: IntoLoaded,
        E: Into<BoxError>,
        F: FnOnce(Vec<String>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<HashMap<String, L>, E>> + Send + 'static,
    {
        let Self { cache, keys, terms } = self;
        let job = of_many(loader);
        Box::pin(async move {
            let (found, failed) = cache.read_or_load_many(keys, job, terms).await?;
            cache.all_found(Operation::GetOrSetMany, found, failed)
        })
    }

    /// As [`try_run`](Self::try_run), but a key that fails does not hide the
    /// values of the others.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) if the cache is, and
    /// [`Config`](crate::ErrorKind::Config) if the jitter is no share; all else
    /// stands by its key in [`failed`](Partial::failed).
    pub fn try_run_partial<L, E, F, Fut>(self, loader: F) -> BulkFuture<'a, Partial<K, Arc<L::Value>>>
    where
        L: IntoLoaded,
        E: Into<BoxError>,
        F: FnOnce(Vec<String>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<HashMap<String, L>, E>> + Send + 'static,
    {
        let Self { cache, keys, terms } = self;
        let job = of_many(loader);
        Box::pin(async move {
            let (found, failed) = cache.read_or_load_many(keys, job, terms).await?;
            Ok(cache.as_partial(Operation::GetOrSetMany, found, failed))
        })
    }
}

/// The keys are user data.
impl<K> fmt::Debug for LoadMany<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadMany")
            .field("cache", self.cache)
            .field("keys", &self.keys.len())
            .field("terms", &self.terms)
            .finish()
    }
}

/// What is known of one key of the call: nothing there, a value, a failure.
type Known<T> = Result<Option<Arc<T>>>;

/// A key that has to be loaded, by whomever.
struct Wanted<'a> {
    key: Key<'a>,
    /// Where it stands in the call, once or more often.
    positions: SmallVec<[usize; 1]>,
    seen: Option<Stamp>,
}

impl Wanted<'_> {
    fn answer<T>(&self, answers: &mut [Known<T>], answer: &Known<T>) {
        for position in &self.positions {
            answers[*position].clone_from(answer);
        }
    }
}

/// A key that is being loaded.
struct Awaited<'a> {
    wanted: Wanted<'a>,
    waiter: Waiter,
    /// Whether it is loaded by this call.
    is_own: bool,
}

impl Cache {
    async fn read_or_load_many<K, T>(
        &self,
        keys: Vec<K>,
        job: Job,
        terms: Terms,
    ) -> Result<(HashMap<K, Arc<T>>, Vec<Failure<K>>)>
    where
        K: AsRef<str> + Eq + Hash,
        T: Value,
    {
        terms.check().map_err(|error| self.failed(Operation::GetOrSetMany, error))?;
        let names = self.names(Operation::GetOrSetMany, &keys)?;
        let mut answers: Vec<Known<T>> =
            names.iter().map(|name| name.as_ref().map(|_| None).map_err(Clone::clone)).collect();
        let wanted = self.read_first(&names, &mut answers).await;
        if !wanted.is_empty() {
            self.load_wanted(&keys, wanted, &mut answers, job, &terms).await;
        }
        let mut found = HashMap::with_capacity(keys.len());
        let mut failed = Vec::new();
        for (position, (key, answer)) in keys.into_iter().zip(answers).enumerate() {
            match answer {
                Ok(Some(value)) => drop(found.insert(key, value)),
                Ok(None) => {}
                Err(error) => failed.push(Failure { position, key, error }),
            }
        }
        Ok((found, failed))
    }

    /// Reads what is there, and answers what is not, each key once.
    async fn read_first<'n, T: Value>(
        &'n self,
        names: &'n [Result<Cow<'_, str>>],
        answers: &mut [Known<T>],
    ) -> Vec<Wanted<'n>> {
        let seen = accepted(names).map(|(position, name)| {
            let key = Key::new(&self.space, name);
            (position, key, self.alias.flights.stamp(&key))
        });
        let seen: Vec<_> = seen.collect();
        let outcomes = self.fetch_many(names).await;
        let mut missing: Vec<Wanted<'n>> = Vec::new();
        let mut places = HashMap::new();
        for ((position, key, seen), outcome) in seen.into_iter().zip(outcomes) {
            let answer = self.answer(outcome, |entry| self.decoded_one(entry.read_arc(&self.alias.format)));
            if matches!(answer, Ok(None)) {
                let place = *places.entry(key).or_insert(missing.len());
                match missing.get_mut(place) {
                    Some(wanted) => wanted.positions.push(position),
                    None => missing.push(Wanted { key, positions: smallvec![position], seen: Some(seen) }),
                }
            }
            answers[position] = answer;
        }
        missing
    }

    /// Loads what nobody loads, and waits for it and for the rest. What others
    /// loaded in vain is loaded here, as long as the loader has not run.
    async fn load_wanted<K: AsRef<str>, T: Value>(
        &self,
        keys: &[K],
        mut wanted: Vec<Wanted<'_>>,
        answers: &mut [Known<T>],
        job: Job,
        terms: &Terms,
    ) {
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(error) => {
                let answer = Err(error);
                for wanted in wanted {
                    wanted.answer(answers, &answer);
                }
                return;
            }
        };
        let patience = self.patience(terms);
        let mut job = Some(job);
        while !wanted.is_empty() {
            let (awaited, claims) = self.join_each(keys, wanted, answers, terms);
            if let Some(job) = job.take_if(|_| !claims.is_empty()) {
                self.take_off(&runtime, Flying { claims, job, terms: *terms, read_as: read_as::<T> });
            }
            wanted = Vec::new();
            for Awaited { wanted: key, waiter, is_own } in awaited {
                let outcome = self.landing(&waiter, patience).await;
                let answer = match outcome.map(|it| it.map(|it| it.answer(&self.alias.format))) {
                    Ok(Some(Answer::Value(value))) => Ok(Some(value)),
                    Ok(Some(Answer::Failed(error))) | Err(error) => Err(error),
                    Ok(Some(Answer::Undecodable(undecodable))) if is_own => Err(undecodable.into()),
                    Ok(Some(Answer::Undecodable(undecodable))) => self.undecodable(undecodable),
                    Ok(None) if job.is_none() => Err(no_task()),
                    Ok(Some(Answer::LeftOut) | None) => Ok(None),
                };
                key.answer(answers, &answer);
                if matches!(answer, Ok(None)) && !is_own && job.is_some() {
                    wanted.push(Wanted { seen: None, ..key });
                }
            }
        }
    }

    fn join_each<'n, K: AsRef<str>, T>(
        &self,
        keys: &[K],
        wanted: Vec<Wanted<'n>>,
        answers: &mut [Known<T>],
        terms: &Terms,
    ) -> (Vec<Awaited<'n>>, Vec<Claimed>) {
        let task = Arc::<LoadTask>::default();
        let (mut awaited, mut claims) = (Vec::new(), Vec::new());
        for wanted in wanted {
            let joined = self.join(&wanted.key, || Arc::clone(&task), wanted.seen, terms);
            let (waiter, is_own) = match joined {
                Err(error) => {
                    wanted.answer(answers, &Err(error));
                    continue;
                }
                Ok(Joined::Claimed { claim, waiter, look_again }) => {
                    let name = keys[wanted.positions[0]].as_ref().to_owned();
                    claims.push(Claimed { claim, name, look_again });
                    (waiter, true)
                }
                Ok(Joined::Waits(waiter)) => {
                    self.alias.counters.count(Counter::LoadWaits);
                    (waiter, false)
                }
            };
            awaited.push(Awaited { wanted, waiter, is_own });
        }
        (awaited, claims)
    }
}
