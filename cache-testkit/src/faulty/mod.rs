//! A store that fails, stalls, delays, loses and reorders on command.

mod call;
mod gate;
mod plan;
mod store;
mod tally;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cache_core::{AsyncCache, Capabilities, Lag};

use plan::Plan;
use tally::Tally;

pub use call::Call;
pub use gate::Gate;
pub use plan::On;

/// A layer that looks like a remote store and does what the test tells it.
///
/// A command says which calls (`on`), narrows them if need be (`keys`,
/// `times`, `after`), and says what becomes of them (`fail`, `stall`, `lose`,
/// `delay`, `pause`, `panic`). Of several that meet one call, all apply, in the
/// order in which they were given, until one ends it. [`heal`](Self::heal)
/// takes everything back.
///
/// ```
/// use cache_core::{Cache, ErrorKind, Timeout};
/// use cache_testkit::{Call, Faulty};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> cache_core::Result<()> {
/// let faulty = Faulty::over(Arc::new(cache_mem::MemStore::new()));
/// let cache = Cache::builder(faulty.clone()).build();
///
/// // The next write fails, and those after it do not.
/// faulty.on([Call::Set]).times(1).fail(ErrorKind::Server);
/// let error = cache.aset("motto", "onwards", Timeout::Default).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Server);
/// cache.aset("motto", "onwards", Timeout::Default).await?;
///
/// // Every call loses its connection after it took effect.
/// faulty.on(Call::ALL).after().fail(ErrorKind::Connection);
/// assert!(cache.adelete("motto").await.is_err());
/// faulty.heal();
/// assert_eq!(cache.aget::<String>("motto").await?, None);
///
/// // Two writes are held, and let through in the other order.
/// let gate = faulty.on([Call::Set]).pause();
/// let first = tokio::spawn({
///     let cache = cache.clone();
///     async move { cache.aset("winner", "first", Timeout::Default).await }
/// });
/// gate.reached(1).await;
/// let second = tokio::spawn({
///     let cache = cache.clone();
///     async move { cache.aset("winner", "second", Timeout::Default).await }
/// });
/// gate.reached(2).await;
/// assert_eq!(faulty.inside(Call::Set), 2);
/// gate.release(1);
/// second.await.expect("it did not panic")?;
/// gate.release(0);
/// first.await.expect("it did not panic")?;
/// assert_eq!(cache.aget::<String>("winner").await?.as_deref(), Some("first"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Faulty {
    below: Arc<dyn AsyncCache>,
    capabilities: Capabilities,
    plan: Plan,
    tally: Tally,
    loading: AtomicBool,
    /// What pings say of the lag; `None` for what the store below says.
    lag: Mutex<Option<Lag>>,
}

impl Faulty {
    /// The layer over this store, with its capabilities.
    pub fn over(store: Arc<dyn AsyncCache>) -> Arc<Self> {
        let capabilities = store.capabilities();
        Self::promising(store, capabilities)
    }

    /// The layer over this store, with capabilities of its own: smaller
    /// batches, say.
    ///
    /// ```
    /// use cache_core::{AsyncCache, Batch};
    /// use cache_testkit::Faulty;
    /// use std::sync::Arc;
    ///
    /// let store = Arc::new(cache_mem::MemStore::new());
    /// let small = store.capabilities().read_batch(Batch::new(2));
    /// let faulty = Faulty::promising(store, small);
    /// assert_eq!(faulty.capabilities().read_batch.keys, 2);
    /// ```
    pub fn promising(store: Arc<dyn AsyncCache>, capabilities: Capabilities) -> Arc<Self> {
        Arc::new(Self {
            below: store,
            capabilities,
            plan: Plan::default(),
            tally: Tally::default(),
            loading: AtomicBool::new(false),
            lag: Mutex::default(),
        })
    }

    /// Begins a command about these calls.
    pub fn on(&self, calls: impl IntoIterator<Item = Call>) -> On<'_> {
        self.plan.on(calls.into_iter().collect())
    }

    /// Takes all commands back and lets go whoever is held; pings say that
    /// nothing is loading, and of the lag what the store below says.
    pub fn heal(&self) {
        self.loading.store(false, Ordering::SeqCst);
        self.say_of_lag(None);
        self.plan.forget();
    }

    /// From now on pings answer, and say that the server is still loading.
    pub fn load(&self) {
        self.loading.store(true, Ordering::SeqCst);
    }

    /// From now on pings say this of the lag, whatever the store below says.
    ///
    /// ```
    /// use cache_core::{AsyncCache, Lag};
    /// use cache_testkit::Faulty;
    /// use std::sync::Arc;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> cache_core::Result<()> {
    /// let replica = Faulty::over(Arc::new(cache_mem::MemStore::new()));
    /// replica.lag(Lag::Position(7));
    /// assert_eq!(replica.aping().await?.lag, Lag::Position(7));
    /// replica.heal();
    /// assert_eq!(replica.aping().await?.lag, Lag::Unknown);
    /// # Ok(())
    /// # }
    /// ```
    pub fn lag(&self, lag: Lag) {
        self.say_of_lag(Some(lag));
    }

    fn say_of_lag(&self, lag: Option<Lag>) {
        *self.lag.lock().unwrap_or_else(PoisonError::into_inner) = lag;
    }

    fn lag_said(&self) -> Option<Lag> {
        *self.lag.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many calls of this kind have begun.
    pub fn begun(&self, call: Call) -> usize {
        self.tally.begun(call)
    }

    /// How many calls of all kinds have begun.
    pub fn begun_in_all(&self) -> usize {
        Call::ALL.into_iter().map(|call| self.begun(call)).sum()
    }

    /// How many calls of this kind are inside right now.
    pub fn inside(&self, call: Call) -> usize {
        self.tally.inside(call)
    }

    /// How many calls of all kinds are inside right now.
    pub fn inside_in_all(&self) -> usize {
        Call::ALL.into_iter().map(|call| self.inside(call)).sum()
    }

    /// How many calls of this kind were ever inside at once.
    pub fn most_inside(&self, call: Call) -> usize {
        self.tally.most_inside(call)
    }
}
