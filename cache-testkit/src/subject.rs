//! A store as the suite is told of it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use cache_core::{AsyncCache, Clock, Context};
use futures::future::BoxFuture;

use crate::bench::Bench;
use crate::manual_clock::ManualClock;
use crate::need::{Facts, Need};
use crate::time::Time;

/// A kind of store that the suite is run on: how to open one, and what it
/// cannot say of itself.
///
/// The closure is called once for each case, and once to see what the store
/// is like. It may open a new store or
/// connect to one that is there: each case has keys of its own.
///
/// ```
/// use cache_mem::{MemSettings, MemStore};
/// use cache_testkit::{Setup, Subject};
/// use std::sync::Arc;
///
/// let subject = Subject::new("mem", |setup: Setup| async move {
///     Arc::new(MemStore::with_clock(&MemSettings::default(), setup.clock())) as _
/// })
/// .owns_store();
/// # let _ = subject;
/// ```
#[derive(Clone)]
pub struct Subject {
    name: String,
    open: Arc<Open>,
    real_time: bool,
    own_store: bool,
}

type Open = dyn Fn(Setup) -> BoxFuture<'static, Arc<dyn AsyncCache>> + Send + Sync;

/// What a store is to be opened with.
#[derive(Clone, Debug)]
pub struct Setup {
    context: Context,
}

impl Setup {
    /// The clock that the store goes by: the case's own, which stands still
    /// until the case moves it, or the machine's for a subject of
    /// [`real_time`](Subject::real_time).
    ///
    /// ```
    /// # use cache_testkit::{Setup, Subject};
    /// # use std::sync::Arc;
    /// let open = |setup: Setup| async move {
    ///     let settings = cache_mem::MemSettings::default();
    ///     Arc::new(cache_mem::MemStore::with_clock(&settings, setup.clock())) as _
    /// };
    /// # let _ = Subject::new("mem", open);
    /// ```
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.context.clock)
    }

    /// The same clock, and everything else that a
    /// [`Backend`](cache_core::Backend) is given.
    ///
    /// ```
    /// # use cache_testkit::{Setup, Subject};
    /// # use std::sync::Arc;
    /// let open = |setup: Setup| async move {
    ///     let settings = cache_mem::MemSettings::default();
    ///     let store = cache_mem::MemStore::open(None, &settings, setup.context());
    ///     Arc::new(store.expect("nobody shares it")) as _
    /// };
    /// # let _ = Subject::new("mem", open);
    /// ```
    pub fn context(&self) -> &Context {
        &self.context
    }
}

impl Subject {
    /// A subject of this name, with the way to open its store.
    pub fn new<F, Opening>(name: &str, open: F) -> Self
    where
        F: Fn(Setup) -> Opening + Send + Sync + 'static,
        Opening: Future<Output = Arc<dyn AsyncCache>> + Send + 'static,
    {
        let open = move |setup| -> BoxFuture<'static, _> { Box::pin(open(setup)) };
        Self { name: name.to_owned(), open: Arc::new(open), real_time: false, own_store: false }
    }

    /// The store's time is its own, as that of a server: cases about expiry
    /// wait, as long as its resolution calls for.
    ///
    /// ```
    /// # use cache_testkit::Subject;
    /// # use std::sync::Arc;
    /// # let open = |_| async { Arc::new(cache_mem::MemStore::new()) as _ };
    /// let subject = Subject::new("mem on the machine's clock", open).real_time();
    /// # let _ = subject;
    /// ```
    #[must_use]
    pub fn real_time(mut self) -> Self {
        self.real_time = true;
        self
    }

    /// Each case has the store to itself, and it is empty at first: cases that
    /// clear all of it, or go by its size, apply too.
    ///
    /// ```
    /// # use cache_testkit::Subject;
    /// # use std::sync::Arc;
    /// # let open = |_| async { Arc::new(cache_mem::MemStore::new()) as _ };
    /// let subject = Subject::new("mem", open).owns_store();
    /// # let _ = subject;
    /// ```
    #[must_use]
    pub fn owns_store(mut self) -> Self {
        self.own_store = true;
        self
    }

    /// The name that its cases begin with.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A bench with a store on it, for one case.
    pub(crate) async fn bench(&self, seed: u64) -> Bench {
        let time = if self.real_time { Time::Real } else { Time::Manual(Arc::new(ManualClock::new())) };
        let context = Context::new("suite").with_clock(time.clock());
        let store = (self.open)(Setup { context: context.clone() }).await;
        Bench::new(store, context, time, seed)
    }

    /// What its store is like, by one that is opened for the purpose.
    pub(crate) async fn facts(&self) -> cache_core::Result<Facts> {
        let direct = self.bench(0).await.direct();
        let said = [(self.own_store, Need::OwnStore), (!self.real_time, Need::ManualTime)];
        let said = said.into_iter().filter_map(|(is_said, need)| is_said.then_some(need)).collect();
        let facts = Facts::of(&direct, said).await;
        drop(direct.store.aclose().await);
        facts
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("name", &self.name)
            .field("real_time", &self.real_time)
            .field("own_store", &self.own_store)
            .finish_non_exhaustive()
    }
}
