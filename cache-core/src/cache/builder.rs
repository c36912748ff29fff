//! Builds a handle from a store and the decisions of its alias.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::key_check::has_blanks;
use super::{Alias, Cache, ClearScope, KeyCheck, KeyFunction, OnDecodeError, OnError};
use crate::async_cache::AsyncCache;
use crate::backend::Context;
use crate::clock::{Clock, SystemClock};
use crate::codec::Format;
use crate::key::KeySpace;
use crate::life::Timeout;
use crate::loads::Flights;
use crate::stats::Counters;
use crate::timer::Timer;

/// Builds a [`Cache`] around a store. Most programs load a configuration
/// instead.
///
/// ```
/// use cache_core::{Cache, Timeout};
/// use std::{sync::Arc, time::Duration};
///
/// let cache = Cache::builder(Arc::new(cache_mem::MemStore::new()))
///     .alias("pages")
///     .key_prefix("shop")
///     .timeout(Duration::from_secs(60))
///     .build();
/// assert_eq!(cache.key_prefix(), "shop");
/// ```
#[derive(Clone)]
pub struct CacheBuilder {
    store: Arc<dyn AsyncCache>,
    name: Arc<str>,
    key_prefix: String,
    version: u64,
    timeout: Timeout,
    jitter: f64,
    deadline: Option<Duration>,
    load_deadline: Duration,
    format: Format,
    key_function: Option<KeyFunction>,
    key_check: KeyCheck,
    on_error: OnError,
    on_decode_error: OnDecodeError,
    clear: ClearScope,
    counters: Counters,
    clock: Arc<dyn Clock>,
    timer: Option<Arc<Timer>>,
    closed: CancellationToken,
    tasks: TaskTracker,
}

impl Cache {
    /// A handle for this store, everything at its default.
    pub fn new(store: impl AsyncCache) -> Self {
        CacheBuilder::new(Arc::new(store)).build()
    }

    /// A handle for this store, with settings.
    pub fn builder(store: Arc<dyn AsyncCache>) -> CacheBuilder {
        CacheBuilder::new(store)
    }
}

impl CacheBuilder {
    fn new(store: Arc<dyn AsyncCache>) -> Self {
        Self {
            store,
            name: "default".into(),
            key_prefix: String::new(),
            version: 1,
            timeout: Timeout::After(Duration::from_mins(5)),
            jitter: 0.0,
            deadline: None,
            load_deadline: Duration::from_secs(30),
            format: Format::default(),
            key_function: None,
            key_check: KeyCheck::default(),
            on_error: OnError::default(),
            on_decode_error: OnDecodeError::default(),
            clear: ClearScope::default(),
            counters: Counters::new(),
            clock: Arc::new(SystemClock),
            timer: None,
            closed: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// The name in errors, events and statistics; `default` unless set.
    #[must_use]
    pub fn alias(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// What a store was opened with: alias, clock, counters, and the tasks that
    /// closing ends.
    #[must_use]
    pub fn context(mut self, context: &Context) -> Self {
        self.name = Arc::clone(&context.alias);
        self.clock = Arc::clone(&context.clock);
        self.timer = Some(Arc::clone(&context.timer));
        self.counters = context.counters.clone();
        self.closed = context.closed.clone();
        self.tasks = context.tasks.clone();
        self
    }

    /// What stands before every key; empty unless set.
    #[must_use]
    pub fn key_prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.key_prefix);
        self
    }

    /// The version of its keys; 1 unless set.
    #[must_use]
    pub fn version(mut self, version: u64) -> Self {
        self.version = version;
        self
    }

    /// What [`Timeout::Default`] means; 300 seconds unless set.
    #[must_use]
    pub fn timeout(mut self, timeout: impl Into<Timeout>) -> Self {
        self.timeout = timeout.into();
        self
    }

    /// Takes up to this share of each life off at random, so that entries that
    /// are written together do not expire together; 0 unless set.
    ///
    /// With 0.1, an entry that is set for 60 seconds lives for 54 to 60. Each
    /// entry of a bulk call has a life of its own, and so has an entry after
    /// each touch; one that is set for ever stays for ever, and a move keeps
    /// the life that there is. A share below 0 and NaN count as 0, one above 1
    /// as 1; a configuration refuses them.
    #[must_use]
    pub fn jitter(mut self, share: f64) -> Self {
        self.jitter = share;
        self
    }

    /// How long an operation may take; for ever unless set, as a store in
    /// memory never makes anybody wait.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// How long a loader may run before its callers are freed with an error;
    /// 30 seconds unless set.
    #[must_use]
    pub fn load_deadline(mut self, deadline: Duration) -> Self {
        self.load_deadline = deadline;
        self
    }

    /// The codec and the limits by which values become bytes.
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Makes keys by a function of the program's own.
    #[must_use]
    pub fn key_function(mut self, function: KeyFunction) -> Self {
        self.key_function = Some(function);
        self
    }

    /// What happens to keys that memcached would refuse.
    #[must_use]
    pub fn key_check(mut self, check: KeyCheck) -> Self {
        self.key_check = check;
        self
    }

    /// What a failed read means.
    #[must_use]
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.on_error = on_error;
        self
    }

    /// What an entry means that cannot be decoded.
    #[must_use]
    pub fn on_decode_error(mut self, on_decode_error: OnDecodeError) -> Self {
        self.on_decode_error = on_decode_error;
        self
    }

    /// What `aclear` removes.
    #[must_use]
    pub fn clear(mut self, clear: ClearScope) -> Self {
        self.clear = clear;
        self
    }

    /// Where it gets its time from.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self.timer = None;
        self
    }

    /// Where it counts; a store and its layers can count into the same.
    #[must_use]
    pub fn counters(mut self, counters: Counters) -> Self {
        self.counters = counters;
        self
    }

    /// The handle.
    pub fn build(self) -> Cache {
        let space = match self.key_function {
            Some(_) => KeySpace::custom(&self.key_prefix, self.version),
            None => KeySpace::new(&self.key_prefix, self.version),
        };
        let alias = Alias {
            name: self.name,
            capabilities: self.store.capabilities(),
            store: self.store,
            format: self.format,
            timeout: self.timeout,
            jitter: self.jitter,
            key_function: self.key_function,
            key_check: self.key_check,
            head_has_blanks: has_blanks(space.head()),
            warned: AtomicU8::new(0),
            logged: AtomicU8::new(0),
            told: AtomicU32::new(0),
            flights: Flights::new(),
            on_error: self.on_error,
            on_decode_error: self.on_decode_error,
            clear: self.clear,
            counters: self.counters,
            timer: self.timer.unwrap_or_else(|| Timer::new(Arc::clone(&self.clock))),
            clock: self.clock,
            is_closed: AtomicBool::new(false),
            ended: OnceCell::new(),
            deadline: self.deadline,
            load_deadline: self.load_deadline,
            closed: self.closed,
            tasks: self.tasks,
        };
        Cache { alias: Arc::new(alias), space, deadline: self.deadline }
    }
}

impl std::fmt::Debug for CacheBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CacheBuilder")
            .field("alias", &self.name)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
