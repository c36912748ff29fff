//! Which loads the present task is a part of, so that one which asks for its
//! own key is told at once, and does not wait for itself.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use smallvec::SmallVec;

use super::{Flight, Flights};
use crate::key::Key;

tokio::task_local! {
    static INNERMOST: Arc<Link>;
}

/// A load, and the one within whose loader it was asked for.
pub(crate) struct Link {
    flights: Arc<Flights>,
    loads: SmallVec<[Arc<Flight>; 1]>,
    within: Option<Arc<Link>>,
    has_recursed: AtomicBool,
}

impl Link {
    /// To be made where the load is asked for.
    pub(crate) fn new(flights: &Arc<Flights>, loads: impl IntoIterator<Item = Arc<Flight>>) -> Arc<Self> {
        Arc::new(Self {
            flights: Arc::clone(flights),
            loads: loads.into_iter().collect(),
            within: Self::innermost(),
            has_recursed: AtomicBool::new(false),
        })
    }

    /// Runs the load itself.
    pub(crate) fn scope<F: Future>(self: Arc<Self>, load: F) -> impl Future<Output = F::Output> {
        INNERMOST.scope(self, load)
    }

    /// Whether the present task loads this key, or is loaded by one that does.
    /// If so, all loads between the two are marked.
    pub(crate) fn recurses(flights: &Arc<Flights>, key: &Key<'_>) -> bool {
        let Some(innermost) = Self::innermost() else { return false };
        let hash = flights.hash(key);
        // One that is over waits for nobody.
        let loads_it = |link: &Link| {
            Arc::ptr_eq(&link.flights, flights)
                && link.loads.iter().any(|load| load.is_of(key, hash) && !load.is_over())
        };
        let links = || std::iter::successors(Some(&*innermost), |link| link.within.as_deref());
        let Some(distance) = links().position(loads_it) else { return false };
        links().take(distance + 1).for_each(|link| link.has_recursed.store(true, Ordering::Relaxed));
        true
    }

    /// Whether something within its loader asked for a key that it loads.
    pub(crate) fn has_recursed(&self) -> bool {
        self.has_recursed.load(Ordering::Relaxed)
    }

    fn innermost() -> Option<Arc<Self>> {
        INNERMOST.try_with(Arc::clone).ok()
    }
}
