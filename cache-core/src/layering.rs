//! The layers that stand between a handle and a store elsewhere.

use std::sync::Arc;

use crate::async_cache::AsyncCache;
use crate::backend::{Context, Opened};
use crate::batching::Batching;
use crate::routing::{Routing, RoutingSettings};
use crate::trip::{Trip, TripSettings};

/// What is put around a store elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Layering {
    /// How reads are spread, where there are replicas.
    pub routing: RoutingSettings,
    /// Whether single reads may travel together, where the store gains by it.
    /// Default: true.
    pub batch_reads: bool,
    /// The same of single writes. Default: true.
    pub batch_writes: bool,
}

impl Default for Layering {
    fn default() -> Self {
        Self { routing: RoutingSettings::default(), batch_reads: true, batch_writes: true }
    }
}

impl Layering {
    /// What a configuration does that says nothing of it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`routing`](Self::routing).
    #[must_use]
    pub fn routing(mut self, routing: RoutingSettings) -> Self {
        self.routing = routing;
        self
    }

    /// Sets [`batch_reads`](Self::batch_reads).
    #[must_use]
    pub fn batch_reads(mut self, batch_reads: bool) -> Self {
        self.batch_reads = batch_reads;
        self
    }

    /// Sets [`batch_writes`](Self::batch_writes).
    #[must_use]
    pub fn batch_writes(mut self, batch_writes: bool) -> Self {
        self.batch_writes = batch_writes;
        self
    }
}

impl Opened {
    /// The store as a handle takes it, with the layers that a configuration puts
    /// around it: of a store in this process none; of one elsewhere [`Trip`] and
    /// [`Batching`] around each server, and [`Routing`] over several.
    ///
    /// ```
    /// use cache_core::{Backend, Cache, Context, Layering, Settings, Timeout};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> cache_core::Result<()> {
    /// let context = Context::new("pages");
    /// let opened = cache_mem::MemBackend.open(Settings::default(), &context).await?;
    /// let store = opened.layered(&Layering::new(), &context);
    /// let cache = Cache::builder(store).context(&context).build();
    /// cache.aset("motto", "onwards", Timeout::Default).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn layered(self, layering: &Layering, context: &Context) -> Arc<dyn AsyncCache> {
        let (leader, replicas) = match self {
            Self::Local(store) => return store,
            Self::Remote { leader, replicas } => (leader, replicas),
        };
        let leader = server(leader, layering, context);
        if replicas.is_empty() {
            return leader;
        }
        let of_replica = context.of_replica();
        let replicas = replicas.into_iter().map(|store| server(store, layering, &of_replica)).collect();
        Arc::new(Routing::new(leader, replicas, layering.routing, context))
    }
}

/// The layers around one server.
fn server(store: Arc<dyn AsyncCache>, layering: &Layering, context: &Context) -> Arc<dyn AsyncCache> {
    let trip = Arc::new(Trip::new(store, TripSettings::of(context)));
    let mut batching = Batching::new(Arc::<Trip>::clone(&trip), context);
    if !layering.batch_reads {
        batching = batching.without_reads();
    }
    if !layering.batch_writes {
        batching = batching.without_writes();
    }
    if batching.passes_all() { trip } else { Arc::new(batching) }
}
