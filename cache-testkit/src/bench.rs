//! What a case works on: a store of its own, keys of its own, time and chance.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{
    AsyncCache, Cache, CacheBuilder, Capabilities, Context, Format, KeySpace, UndecodableReason,
};

use crate::direct::Direct;
use crate::seed;
use crate::time::{Span, Time};

/// The bench that a case is set up on.
#[derive(Clone)]
pub(crate) struct Bench {
    store: Arc<dyn AsyncCache>,
    context: Context,
    time: Time,
    seed: u64,
    scale: usize,
    prefix: String,
}

impl Bench {
    pub(crate) fn new(store: Arc<dyn AsyncCache>, context: Context, time: Time, seed: u64) -> Self {
        // The store may be shared: no two cases meet under one prefix.
        let prefix = format!("t{:08x}", fastrand::u32(..));
        Self { store, context, time, seed, scale: seed::scale(), prefix }
    }

    pub(crate) fn store(&self) -> Arc<dyn AsyncCache> {
        Arc::clone(&self.store)
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    /// A handle under the case's own prefix, the rest at its default.
    pub(crate) fn cache(&self) -> Cache {
        self.builder().build()
    }

    pub(crate) fn builder(&self) -> CacheBuilder {
        Cache::builder(self.store()).alias("suite").key_prefix(&self.prefix).clock(self.time.clock())
    }

    /// What the store was opened with.
    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// The store without its handle.
    pub(crate) fn direct(&self) -> Direct {
        let space = KeySpace::new(&self.prefix, 1);
        Direct { store: self.store(), space, format: Format::default() }
    }

    /// What every key of the case begins with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(crate) fn time(&self) -> &Time {
        &self.time
    }

    /// Begins the life of an entry, before it is written.
    pub(crate) fn span(&self, life: Duration) -> Span {
        self.time.span(life, self.capabilities().resolution)
    }

    /// A life that a case can wait for.
    pub(crate) fn short(&self) -> Duration {
        if self.time.is_manual() {
            return Duration::from_secs(10);
        }
        (2 * self.capabilities().resolution).max(Duration::from_millis(150))
    }

    /// So many, or more where the suite is run at full size.
    pub(crate) fn scaled(&self, number: usize) -> usize {
        number * self.scale
    }

    /// Chance, the same for the same seed.
    pub(crate) fn chance(&self) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed)
    }
}

/// How often entries were undecodable to this alias for this reason.
pub(crate) fn undecodable(cache: &Cache, reason: UndecodableReason) -> u64 {
    let counts = cache.stats().undecodable;
    counts.iter().find(|(counted, _)| *counted == reason).map_or(0, |(_, count)| *count)
}

impl fmt::Debug for Bench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bench").field("store", &self.store).finish_non_exhaustive()
    }
}
