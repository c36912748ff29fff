//! How a store is opened from its settings.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::async_cache::AsyncCache;
use crate::clock::{Clock, SystemClock};
use crate::django::DjangoSpelling;
use crate::error::Result;
use crate::settings::{Setting, Settings};
use crate::stats::Counters;
use crate::timer::Timer;

/// Opens the stores of one kind. A program registers it under its name, and
/// from then on a configuration can choose it.
#[async_trait]
pub trait Backend: Send + Sync + fmt::Debug + 'static {
    /// The name that a configuration chooses it by: any text, also a dotted
    /// path.
    fn name(&self) -> &'static str;

    /// The options that it accepts, beside what every alias has.
    fn options(&self) -> &'static [Setting] {
        &[]
    }

    /// The dotted paths by which a Django project chooses it, each with what
    /// its options mean here. The first one's table also holds where Django's
    /// spelling names the backend by its own name.
    fn django(&self) -> &'static [DjangoSpelling] {
        &[]
    }

    /// What tells the place where it keeps entries from every other place, if
    /// two aliases can share it. Aliases of one place whose key prefixes
    /// overlap are warned of.
    fn place(&self, settings: &Settings) -> Option<String> {
        settings.location().first().cloned()
    }

    /// Says what is wrong with settings that the table lets pass, such as a bad
    /// URL, before anything of a configuration is opened. `open` says it too.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config), as of [`open`](Self::open).
    fn check(&self, _settings: &Settings) -> Result<()> {
        Ok(())
    }

    /// Opens a store. It succeeds while a server is down: connections are made
    /// when they are needed.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) where the settings cannot be used,
    /// naming the setting and what would be accepted, never a value.
    async fn open(&self, settings: Settings, context: &Context) -> Result<Opened>;
}

/// A store as its backend opened it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Opened {
    /// A store in this process: nothing is put around it.
    Local(Arc<dyn AsyncCache>),
    /// A store elsewhere: deadlines and the other layers are put around it.
    Remote {
        /// What takes the writes.
        leader: Arc<dyn AsyncCache>,
        /// What may take reads. They are opened with
        /// [`Context::of_replica`].
        replicas: Vec<Arc<dyn AsyncCache>>,
    },
}

/// What a backend is given beside its settings.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Context {
    /// The alias that is being opened.
    pub alias: Arc<str>,
    /// Where the store gets its time from.
    pub clock: Arc<dyn Clock>,
    /// What keeps the deadlines of the alias.
    pub timer: Arc<Timer>,
    /// How long an operation of the alias may take, for a store elsewhere:
    /// what a driver waits for should take no longer.
    pub deadline: Duration,
    /// Where the store counts evictions, expirations and the like.
    pub counters: Counters,
    /// `max_value_bytes` of the alias: no read allocates more.
    pub max_value_bytes: usize,
    /// Cancelled when the alias is closed.
    pub closed: CancellationToken,
    /// Background tasks of the alias; closing waits for them. What serves
    /// several aliases does not belong here: it outlives any one of them.
    pub tasks: TaskTracker,
    /// What the stores of one `Caches` share.
    pub shared: Shared,
}

/// What the aliases of one configuration share, by kind and location.
///
/// It keeps what it holds for as long as the configuration is being opened;
/// from then on the stores do.
#[derive(Clone, Default)]
pub struct Shared(Arc<Mutex<HashMap<Place, Arc<dyn Any + Send + Sync>>>>);

/// The type of what is shared, and its location.
type Place = (TypeId, String);

impl Context {
    /// A context of its own, with the machine's clock.
    pub fn new(alias: &str) -> Self {
        Self {
            alias: alias.into(),
            clock: Arc::new(SystemClock),
            timer: Timer::new(Arc::new(SystemClock)),
            deadline: Duration::from_secs(1),
            counters: Counters::new(),
            max_value_bytes: 64 << 20,
            closed: CancellationToken::new(),
            tasks: TaskTracker::new(),
            shared: Shared::default(),
        }
    }

    /// The same context on another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.timer = Timer::new(Arc::clone(&clock));
        self.clock = clock;
        self
    }

    /// What a layer keeps: not what stores share, which is theirs to keep.
    pub(crate) fn of_layer(&self) -> Self {
        Self { shared: Shared::default(), ..self.clone() }
    }

    /// What a replica is opened with: an attempt there gets half of the
    /// deadline, so that the other half is left for the leader.
    #[must_use]
    pub fn of_replica(&self) -> Self {
        Self { deadline: self.deadline / 2, ..self.clone() }
    }
}

impl Shared {
    /// What is shared under this location, made by the first who asks.
    pub fn get_or_insert_with<T: Any + Send + Sync>(
        &self,
        location: &str,
        make: impl FnOnce() -> T,
    ) -> Arc<T> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = shared.entry((TypeId::of::<T>(), location.to_owned()));
        let found = slot.or_insert_with(|| Arc::new(make()));
        match Arc::clone(found).downcast() {
            Ok(found) => found,
            Err(_) => unreachable!("the key holds the type"),
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared(..)")
    }
}
