//! What a write does to loads: none of them brings back what it replaced.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use smallvec::SmallVec;

use super::Cache;
use crate::clock::Tick;
use crate::key::Key;
use crate::loads::{Change, Flight};
use crate::timer::Expiry;

/// A write under way. It voids the loads of its keys before it is sent, and
/// once more when it is over or dropped: a load that began meanwhile may have
/// found what the write was about to replace.
pub(super) struct Voiding<'a> {
    cache: &'a Cache,
    keys: Keys<'a>,
    /// What the write has to wait for.
    publishing: Vec<Arc<Flight>>,
}

enum Keys<'a> {
    These(SmallVec<[Key<'a>; 1]>),
    All,
}

impl Cache {
    /// To be held until the write is over.
    pub(super) fn voiding<'a>(
        &'a self,
        keys: impl IntoIterator<Item = Key<'a>>,
        change: Change,
    ) -> Voiding<'a> {
        Voiding::new(self, Keys::These(keys.into_iter().collect()), change)
    }

    /// As [`voiding`](Self::voiding), for a clear.
    pub(super) fn voiding_all(&self) -> Voiding<'_> {
        Voiding::new(self, Keys::All, Change::Removes)
    }

    /// Ends when the flights have put their values into the store, or have had
    /// their time for it.
    async fn published(&self, flights: &[Arc<Flight>]) {
        for flight in flights {
            let until = Tick::from_nanos(flight.until());
            match self.alias.timer.limit(until, flight.outcome()).await {
                Ok(_) => {}
                Err(Expiry::Elapsed) => self.expire(flight),
                Err(_) => self.published_by_looking(flight, until).await,
            }
        }
    }

    /// Without a runtime nobody would wake the caller in time, so it looks again
    /// and again. What is stored in memory is there in a moment.
    async fn published_by_looking(&self, flight: &Arc<Flight>, until: Tick) {
        let mut outcome = pin!(flight.outcome());
        poll_fn(|context| {
            if outcome.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            if self.alias.clock.precise() >= until {
                self.expire(flight);
                return Poll::Ready(());
            }
            std::thread::yield_now();
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

impl<'a> Voiding<'a> {
    fn new(cache: &'a Cache, keys: Keys<'a>, change: Change) -> Self {
        let mut voiding = Self { cache, keys, publishing: Vec::new() };
        voiding.publishing = voiding.void(change);
        voiding
    }

    /// Whether the write has nothing to wait for.
    pub(super) fn is_settled(&self) -> bool {
        self.publishing.is_empty()
    }

    /// To be awaited before the write is sent, within its deadline: a value on
    /// its way into the store must not get there after it.
    pub(super) async fn settled(&self) {
        if self.is_settled() {
            return;
        }
        // Boxed, so that a write has no room for what it seldom needs.
        Box::pin(self.cache.published(&self.publishing)).await;
    }

    fn void(&self, change: Change) -> Vec<Arc<Flight>> {
        let flights = &self.cache.alias.flights;
        if flights.is_quiet() {
            return Vec::new();
        }
        match &self.keys {
            Keys::These(keys) => keys.iter().flat_map(|key| flights.void(key, change)).collect(),
            Keys::All => flights.void_all(),
        }
    }
}

impl Drop for Voiding<'_> {
    fn drop(&mut self) {
        drop(self.void(Change::Overwrites));
    }
}
