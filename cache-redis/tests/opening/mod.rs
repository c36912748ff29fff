//! Stores and handles with more patience than a program has: a slow machine
//! must not look like a lost answer.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::sync::Arc;
use std::time::Duration;

use cache_core::{AsyncCache, Batching, Cache, CacheBuilder, Context, Settings, Timer, Trip};

use crate::servers;

/// What was opened, and what it was opened with.
pub(crate) struct Open {
    pub(crate) store: Arc<dyn AsyncCache>,
    /// Under the store, or the store itself.
    pub(crate) trip: Arc<Trip>,
    pub(crate) context: Context,
}

const DEADLINE: Duration = Duration::from_secs(10);

impl Open {
    pub(crate) fn with(settings: &Settings) -> Self {
        let mut context = Context::new("test");
        context.deadline = DEADLINE;
        let trip = servers::trip(settings, &context);
        let store: Arc<dyn AsyncCache> = if servers::is_batched(settings) {
            Arc::new(Batching::new(Arc::<Trip>::clone(&trip), &context))
        } else {
            Arc::<Trip>::clone(&trip)
        };
        Self { store, trip, context }
    }

    /// A handle, as a configuration makes it.
    pub(crate) fn cache(&self) -> Cache {
        self.cache_of(|builder| builder)
    }

    /// A handle with other decisions than those of the defaults.
    pub(crate) fn cache_of(&self, decide: impl FnOnce(CacheBuilder) -> CacheBuilder) -> Cache {
        let store = Arc::clone(&self.store);
        decide(Cache::builder(store).context(&self.context).deadline(DEADLINE)).build()
    }

    pub(crate) fn timer(&self) -> &Timer {
        &self.context.timer
    }
}
