//! The value of one key, loaded if it is missing.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::flight::{Claimed, Flying};
use super::job::{Job, of_one, read_as};
use super::terms::Terms;
use super::wait::{no_task, runtime};
use crate::cache::Cache;
use crate::cache::read::Looked;
use crate::error::{BoxError, Operation, Result};
use crate::key::Key;
use crate::life::Timeout;
use crate::loads::{Answer, IntoLoaded, Joined};
use crate::stats::Counter;
use crate::value::Value;

impl Cache {
    /// The value of this key; if there is none, the value that the loader
    /// gives, which is then stored.
    ///
    /// Of any number of callers who miss a key at once, through any handles of
    /// the alias, one loader runs, in a task of its own, and all get what it
    /// gives. A caller who is dropped disturbs nobody; when all are, the loader
    /// is dropped too. A write, a delete or a clear that is called for while it
    /// runs has the last word: the value is then given to those who wait, and
    /// not stored. Nothing that came to be stored meanwhile is overwritten.
    ///
    /// `docs/loads.md` has all that is promised. The loader owns what it uses:
    /// clone handles into it.
    ///
    /// ```
    /// # use cache_core::{Cache, Timeout};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> cache_core::Result<()> {
    /// # let cache = Cache::new(cache_mem::MemStore::new());
    /// # async fn render(page: u32) -> String { format!("page {page}") }
    /// let page = cache.aget_or_set("page:7", Timeout::Default, || async { render(7).await }).await?;
    /// assert_eq!(*page, "page 7");
    /// assert_eq!(cache.aget::<String>("page:7").await?.as_deref(), Some("page 7"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What a read may fail with, and, to all who wait:
    /// [`Panicked`](crate::ErrorKind::Panicked) if the loader did;
    /// [`Deadline`](crate::ErrorKind::Deadline) if it did not end within the alias's
    /// `load_deadline`, and then the next caller loads anew;
    /// [`Recursion`](crate::ErrorKind::Recursion), at once, if it asked for the key
    /// that it loads; [`Closed`](crate::ErrorKind::Closed) if there is no tokio runtime
    /// to run it on, or the cache has been closed. A value that cannot be
    /// stored is no error, and counted.
    pub fn aget_or_set<'a, T, F, Fut>(
        &'a self,
        key: &'a str,
        timeout: impl Into<Timeout>,
        loader: F,
    ) -> impl Future<Output = Result<Arc<T>>> + Send + 'a
    where
        T: Value,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = T> + Send + 'static,
    {
        self.load(key).timeout(timeout).run(loader)
    }

    /// As [`aget_or_set`](Self::aget_or_set), with a loader that can fail. (Given
    /// to that one, a `Result` would be a value, and stored with its error.)
    ///
    /// # Errors
    ///
    /// [`Load`](crate::ErrorKind::Load) if it does, to all who wait, and nothing is
    /// stored; [`loader_error`](crate::Error::loader_error) gives back what it
    /// failed with. Otherwise as there.
    ///
    /// ```
    /// # use cache_core::{Cache, ErrorKind, Timeout};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> cache_core::Result<()> {
    /// # let cache = Cache::new(cache_mem::MemStore::new());
    /// let port = cache.aget_or_try_set("port", Timeout::Default, || async { "8080".parse::<u16>() }).await?;
    /// assert_eq!(*port, 8080);
    ///
    /// let error = cache
    ///     .aget_or_try_set("bad", Timeout::Default, || async { "many".parse::<u16>() })
    ///     .await
    ///     .unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Load);
    /// assert!(error.loader_error::<std::num::ParseIntError>().is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub fn aget_or_try_set<'a, T, E, F, Fut>(
        &'a self,
        key: &'a str,
        timeout: impl Into<Timeout>,
        loader: F,
    ) -> impl Future<Output = Result<Arc<T>>> + Send + 'a
    where
        T: Value,
        E: Into<BoxError>,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.load(key).timeout(timeout).try_run(loader)
    }

    /// As [`aget_or_set`](Self::aget_or_set), for whoever wants to say more.
    ///
    /// ```
    /// # use cache_core::{Cache, Loaded};
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> cache_core::Result<()> {
    /// # let cache = Cache::new(cache_mem::MemStore::new());
    /// # async fn fetch() -> Result<(String, Duration), std::io::Error> {
    /// #     Ok(("sunny".to_owned(), Duration::from_secs(600)))
    /// # }
    /// let weather = cache
    ///     .load("weather")
    ///     .load_deadline(Duration::from_secs(2))
    ///     .jitter(0.1)
    ///     .try_run(|| async {
    ///         let (weather, max_age) = fetch().await?;
    ///         Ok::<_, std::io::Error>(Loaded::new(weather).timeout(max_age))
    ///     })
    ///     .await?;
    /// assert_eq!(*weather, "sunny");
    /// # Ok(())
    /// # }
    /// ```
    pub fn load<'a>(&'a self, key: &'a str) -> Load<'a> {
        Load { cache: self, key, terms: Terms::default() }
    }
}

/// A read that loads what is missing; see [`Cache::load`].
///
/// What is said of the entry holds if this caller's loader runs, and not if it
/// waits for another's.
#[derive(Clone, Copy)]
#[must_use = "nothing is read or loaded before it is run"]
pub struct Load<'a> {
    cache: &'a Cache,
    key: &'a str,
    terms: Terms,
}

impl<'a> Load<'a> {
    /// How long the loaded entry lives, unless the loader says otherwise; the
    /// alias's `timeout` unless set. Zero: it is not stored.
    pub fn timeout(mut self, timeout: impl Into<Timeout>) -> Self {
        self.terms.timeout = timeout.into();
        self
    }

    /// How long the loader may run, and this caller waits for another's; the
    /// alias's `load_deadline` unless set. With zero only a loader that never
    /// waits gives anything.
    pub fn load_deadline(mut self, deadline: Duration) -> Self {
        self.terms.load_deadline = Some(deadline);
        self
    }

    /// Takes up to this share, from 0 to 1, of the loaded entry's life off at
    /// random; the alias's `jitter` unless set. Any other number is an error of
    /// kind [`Config`](crate::ErrorKind::Config) once there is something to load.
    pub fn jitter(mut self, share: f64) -> Self {
        self.terms.jitter = Some(share);
        self
    }

    /// Reads, and loads if there is nothing. The loader returns a value, or a
    /// [`Loaded`](crate::Loaded) one.
    ///
    /// # Errors
    ///
    /// As [`aget_or_set`](Cache::aget_or_set).
    pub fn run<L, F, Fut>(self, loader: F) -> impl Future<Output = Result<Arc<L::Value>>> + Send + 'a
    where
        L: IntoLoaded,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = L> + Send + 'static,
    {
        self.try_run(move || async move { Ok::<_, Infallible>(loader().await) })
    }

    /// As [`run`](Self::run), with a loader that can fail.
    ///
    /// Written by hand, as reads are: a hit pays for nothing that a load needs.
    ///
    /// # Errors
    ///
    /// As [`aget_or_try_set`](Cache::aget_or_try_set).
    pub fn try_run<L, E, F, Fut>(self, loader: F) -> impl Future<Output = Result<Arc<L::Value>>> + Send + 'a
    where
        L: IntoLoaded,
        E: Into<BoxError>,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<L, E>> + Send + 'static,
    {
        let Self { cache, key, terms } = self;
        let mut loader = Some(loader);
        let mut loading: Option<Loading<'a, L::Value>> = None;
        poll_fn(move |context| {
            if let Some(loading) = &mut loading {
                return loading.as_mut().poll(context);
            }
            let looked = match cache.look(Operation::GetOrSet, key)? {
                Looked::Here(Some(entry)) => {
                    let read = entry.read_arc(&cache.alias.format);
                    if let Some(value) = cache.decoded(Operation::GetOrSet, read)? {
                        return Poll::Ready(Ok(value));
                    }
                    true
                }
                Looked::Here(None) => true,
                Looked::Elsewhere(_) => false,
            };
            let Some(loader) = loader.take() else {
                unreachable!("the future was polled after it had ended");
            };
            let work = cache.read_or_load(key, looked, of_one(loader), terms);
            loading.insert(Box::pin(work)).as_mut().poll(context)
        })
    }
}

/// The key is user data.
impl fmt::Debug for Load<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Load").field("cache", self.cache).field("terms", &self.terms).finish_non_exhaustive()
    }
}

type Loading<'a, T> = Pin<Box<dyn Future<Output = Result<Arc<T>>> + Send + 'a>>;

impl Cache {
    async fn read_or_load<T: Value>(
        &self,
        key: &str,
        looked: bool,
        job: Job,
        terms: Terms,
    ) -> Result<Arc<T>> {
        let value = self.try_read_or_load(key, looked, job, terms).await;
        value.map_err(|error| self.failed(Operation::GetOrSet, error))
    }

    /// Reads, unless that has been done, and loads or waits for whoever does.
    async fn try_read_or_load<T: Value>(
        &self,
        key: &str,
        looked: bool,
        job: Job,
        terms: Terms,
    ) -> Result<Arc<T>> {
        let format = &self.alias.format;
        let name = self.checked_name(key)?;
        let key = Key::new(&self.space, &name);
        terms.check()?;
        let mut seen = None;
        if !looked {
            seen = Some(self.alias.flights.stamp(&key));
            if let Some(entry) = self.fetch(&key).await?
                && let Some(value) = self.decoded_one(entry.read_arc(format))?
            {
                return Ok(value);
            }
        }
        let runtime = runtime()?;
        let patience = self.patience(&terms);
        let mut job = Some(job);
        loop {
            let waiter = match self.join(&key, Default::default, seen.take(), &terms)? {
                Joined::Waits(waiter) => {
                    self.alias.counters.count(Counter::LoadWaits);
                    waiter
                }
                Joined::Claimed { claim, waiter, look_again } => {
                    let job = job.take().ok_or_else(no_task)?;
                    let claims = vec![Claimed { claim, name: String::new(), look_again }];
                    self.take_off(&runtime, Flying { claims, job, terms, read_as: read_as::<T> });
                    waiter
                }
            };
            let outcome = self.landing(&waiter, patience).await?;
            match outcome.map(|outcome| outcome.answer(format)) {
                Some(Answer::Value(value)) => return Ok(value),
                Some(Answer::Failed(error)) => return Err(error),
                // What does not survive its own serde form.
                Some(Answer::Undecodable(undecodable)) if job.is_none() => return Err(undecodable.into()),
                // Somebody else's value is no `T`: as a read of it would have been.
                Some(Answer::Undecodable(undecodable)) => drop(self.undecodable::<T>(undecodable)?),
                // Whoever loaded it has no value for us: so it is our turn.
                Some(Answer::LeftOut) | None => {}
            }
            if job.is_none() {
                return Err(no_task());
            }
        }
    }
}
