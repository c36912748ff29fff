//! The typed handle of one alias.

mod any_value;
mod builder;
mod bulk;
mod counters;
mod key_check;
mod load;
mod policy;
mod read;
mod run;
mod voiding;
mod whole;
mod write;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::async_cache::AsyncCache;
use crate::capabilities::Capabilities;
use crate::clock::Clock;
use crate::codec::Format;
use crate::key::KeySpace;
use crate::life::Timeout;
use crate::loads::Flights;
use crate::stats::Counters;
use crate::timer::Timer;

pub use any_value::AnyValue;
pub use builder::CacheBuilder;
pub use bulk::{BulkFuture, Partial};
pub use load::{Load, LoadMany};
pub use policy::{ClearScope, KeyCheck, KeyFunction, OnDecodeError, OnError, Validator};

/// A cache: the typed handle that a program holds for one alias.
///
/// It is cheap to clone, and all clones are the same cache. Its methods carry
/// the names of Django's async API. Reads come in two forms: [`aget`](Self::aget)
/// gives a value of one's own, [`aget_arc`](Self::aget_arc) the shared one,
/// which a store in memory hands out without a copy.
///
/// ```
/// use cache_core::{Cache, Timeout};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> cache_core::Result<()> {
/// let cache = Cache::new(cache_mem::MemStore::new());
///
/// cache.aset("greeting", "hello", Duration::from_secs(60)).await?;
/// assert_eq!(cache.aget::<String>("greeting").await?.as_deref(), Some("hello"));
///
/// cache.aset("hits", &41, Timeout::Forever).await?;
/// assert_eq!(cache.aincr("hits", 1).await?, 42);
/// # Ok(())
/// # }
/// ```
///
/// # Prefix or version
///
/// Use a prefix (a setting of the alias) to keep programs and environments
/// that share a store apart: it never changes while they run. Use a version
/// ([`at_version`](Self::at_version)) to make entries invalid all at once, or
/// one by one with [`aincr_version`](Self::aincr_version): what was written
/// under another version is not seen, and expires by itself.
///
/// # Dropped futures
///
/// A write whose future is dropped may still take effect.
#[derive(Clone)]
pub struct Cache {
    alias: Arc<Alias>,
    space: KeySpace,
    deadline: Option<Duration>,
}

/// What all handles of one alias share.
struct Alias {
    name: Arc<str>,
    store: Arc<dyn AsyncCache>,
    capabilities: Capabilities,
    format: Format,
    timeout: Timeout,
    /// The share of each life that may be taken off.
    jitter: f64,
    key_function: Option<KeyFunction>,
    key_check: KeyCheck,
    /// Whether there are blanks before the name, in every key.
    head_has_blanks: bool,
    /// Which rules of the key check have warned already.
    warned: AtomicU8,
    /// Which reasons of undecodable entries have been logged already.
    logged: AtomicU8,
    /// Which kinds of failed publishes have been logged already.
    told: AtomicU32,
    /// The loads that are under way.
    flights: Arc<Flights>,
    on_error: OnError,
    on_decode_error: OnDecodeError,
    clear: ClearScope,
    counters: Counters,
    clock: Arc<dyn Clock>,
    timer: Arc<Timer>,
    is_closed: AtomicBool,
    /// Set once the store has been closed.
    ended: OnceCell<()>,
    /// What the handles of the alias begin with.
    deadline: Option<Duration>,
    /// How long a loader may run.
    load_deadline: Duration,
    closed: CancellationToken,
    tasks: TaskTracker,
}

impl Cache {
    /// The same cache under another version: same store, other entries.
    ///
    /// ```
    /// # use cache_core::{Cache, Timeout};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> cache_core::Result<()> {
    /// # let cache = Cache::new(cache_mem::MemStore::new());
    /// let v2 = cache.at_version(2);
    /// cache.aset("page", "old layout", Timeout::Default).await?;
    /// assert_eq!(v2.aget::<String>("page").await?, None);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn at_version(&self, version: u64) -> Self {
        let prefix = self.space.prefix();
        let space = if self.space.is_custom() {
            KeySpace::custom(prefix, version)
        } else {
            KeySpace::new(prefix, version)
        };
        Self { space, ..self.clone() }
    }

    /// The same cache with another deadline for each operation.
    ///
    /// A clear is not bound by it, but ends when it makes no progress; a load is
    /// bound by its `load_deadline`, and only its read and its write by this. One
    /// exchange with a server stays bound by the deadline of the alias, so a
    /// longer one here gives time to operations of many exchanges.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        Self { deadline: Some(deadline), ..self.clone() }
    }

    /// The name of the alias.
    pub fn alias(&self) -> &str {
        &self.alias.name
    }

    /// The prefix of its keys.
    pub fn key_prefix(&self) -> &str {
        self.space.prefix()
    }

    /// The version of its keys.
    pub fn version(&self) -> u64 {
        self.space.version()
    }

    /// What the store promises.
    pub fn capabilities(&self) -> &Capabilities {
        &self.alias.capabilities
    }

    /// The codec and the limits by which values become bytes.
    pub fn format(&self) -> &Format {
        &self.alias.format
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("alias", &self.alias.name)
            .field("space", &self.space)
            .field("store", &self.alias.store)
            .finish_non_exhaustive()
    }
}
