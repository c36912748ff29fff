//! The task that loads, one key or those of a batch.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use tokio::runtime::Handle;
use tracing::Instrument as _;

use super::job::{Job, ReadAs};
use super::publish::Publication;
use super::terms::Terms;
use super::wait::too_long;
use crate::async_cache::Probe;
use crate::cache::Cache;
use crate::clock::Tick;
use crate::entry::Entry;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::loads::{Claim, Link, Loaded, MayPublish, Outcome};
use crate::options::Read;
use crate::stats::Counter;
use crate::timer::Expiry;

/// Keys that were claimed, and what is to be done about them.
pub(super) struct Flying {
    pub(super) claims: Vec<Claimed>,
    pub(super) job: Job,
    pub(super) terms: Terms,
    pub(super) read_as: ReadAs,
}

/// A key that was claimed.
pub(super) struct Claimed {
    pub(super) claim: Claim,
    /// What the loader of a batch knows it by.
    pub(super) name: String,
    /// Whether an entry may have come since the caller looked.
    pub(super) look_again: bool,
}

impl Claimed {
    pub(super) fn key(&self) -> Key<'_> {
        self.claim.flight().key().as_key()
    }
}

impl Cache {
    /// Starts the task.
    pub(super) fn take_off(&self, runtime: &Handle, flying: Flying) {
        let Some(first) = flying.claims.first() else { return };
        let task = Arc::clone(first.claim.flight().task());
        let flights = flying.claims.iter().map(|claimed| Arc::clone(claimed.claim.flight()));
        let link = Link::new(&self.alias.flights, flights);
        // The deadline of the caller's own handle is not that of others who wait,
        // and none of them is to wait for ever.
        let deadline = self.alias.deadline.unwrap_or(self.alias.load_deadline);
        let cache = Self { deadline: Some(deadline), ..self.clone() };
        let work = cache.fly(Arc::clone(&link), flying);
        let spawned = self.alias.tasks.spawn_on(link.scope(work).in_current_span(), runtime);
        task.is_spawned(spawned.abort_handle());
    }

    async fn fly(self, link: Arc<Link>, flying: Flying) {
        let Flying { claims, job, terms, read_as } = flying;
        let mut claims = self.look_again(claims, read_as).await;
        if claims.is_empty() {
            return;
        }
        let names = claims.iter_mut().map(|claimed| std::mem::take(&mut claimed.name)).collect();
        let loaded = match self.run_loader(&link, &claims, job, names).await {
            Ok(loaded) => loaded,
            Err(error) => {
                for Claimed { claim, .. } in claims {
                    claim.end(Outcome::Failed(error.clone()));
                }
                return;
            }
        };
        let mut publications = Vec::new();
        for (Claimed { claim, .. }, loaded) in claims.into_iter().zip(loaded) {
            match loaded {
                Some(loaded) => publications.extend(self.publication(claim, loaded, &terms)),
                None => drop(claim.end(Outcome::LeftOut)),
            }
        }
        self.publish(publications, read_as).await;
    }

    /// Looks once more for what may have come since the caller did, and
    /// answers the claims that are still to be loaded.
    async fn look_again(&self, claims: Vec<Claimed>, read_as: ReadAs) -> Vec<Claimed> {
        let (mut again, mut missing) = (Vec::new(), Vec::new());
        for claimed in claims {
            let probe = if claimed.look_again { self.alias.store.probe(&claimed.key()) } else { Probe::Miss };
            match probe {
                Probe::Hit(entry) => missing.extend(self.unless_there(claimed, &entry, read_as)),
                Probe::Miss => missing.push(claimed),
                Probe::Await => again.push(claimed),
            }
        }
        if again.is_empty() {
            return missing;
        }
        let keys: Vec<_> = again.iter().map(Claimed::key).collect();
        let read = async { Ok(self.read_each(&keys, Read::LEADER).await) };
        let found = match self.bounded(read).await {
            Ok(found) => found,
            Err(error) => keys.iter().map(|_| Err(error.clone())).collect(),
        };
        drop(keys);
        for (claimed, found) in again.into_iter().zip(found) {
            match found {
                Ok(Some(found)) => missing.extend(self.unless_there(claimed, &found.entry, read_as)),
                Err(error) if !self.counts_as_miss(&error) => {
                    claimed.claim.end(Outcome::Failed(error));
                }
                Ok(None) | Err(_) => missing.push(claimed),
            }
        }
        missing
    }

    /// The claim, if what is there is not what it wants.
    fn unless_there(&self, claimed: Claimed, there: &Entry, read_as: ReadAs) -> Option<Claimed> {
        let Some(found) = read_as(there, &self.alias.format) else { return Some(claimed) };
        claimed.claim.end(found);
        None
    }

    /// Runs the loader: within its deadline, while the cache is open, and
    /// whatever it does.
    async fn run_loader(
        &self,
        link: &Link,
        claims: &[Claimed],
        job: Job,
        names: Vec<String>,
    ) -> Result<Vec<Option<Loaded<Entry>>>> {
        let counters = &self.alias.counters;
        counters.count(Counter::Loads);
        let flights = || claims.iter().map(|claimed| claimed.claim.flight());
        let until = flights().map(|flight| flight.until()).min().map_or(Tick::NEVER, Tick::from_nanos);
        let job = AssertUnwindSafe(async move { job(names).await }).catch_unwind();
        let ended = tokio::select! {
            biased;
            ended = self.alias.timer.limit(until, job) => ended,
            () = self.alias.closed.cancelled() => {
                return Err(Error::new(ErrorKind::Closed, "the cache was closed while the loader ran"));
            }
        };
        let unless_recursed = |kind| if link.has_recursed() { ErrorKind::Recursion } else { kind };
        match ended {
            Ok(Ok(Ok(loaded))) => Ok(loaded),
            Ok(Ok(Err(source))) => {
                counters.count(Counter::LoadsFailed);
                Err(Error::of(unless_recursed(ErrorKind::Load)).with_source(source))
            }
            Ok(Err(_)) => {
                counters.count(Counter::LoadsPanicked);
                Err(Error::of(unless_recursed(ErrorKind::Panicked)))
            }
            Err(Expiry::Elapsed) => {
                flights().for_each(|flight| self.expire(flight));
                Err(too_long())
            }
            Err(expiry) => Err(expiry.into()),
        }
    }

    /// What is to be stored of a loaded value, if it is; else whoever waits is
    /// told.
    fn publication(&self, claim: Claim, loaded: Loaded<Entry>, terms: &Terms) -> Option<Publication> {
        let (entry, keep) = loaded.into_parts();
        let outcome = Outcome::Loaded(entry.clone());
        let Some(life) = terms.life(self, keep) else {
            claim.end(outcome);
            return None;
        };
        match claim.begin_publish(outcome.clone(), self.publish_kind(), self.publish_until()) {
            MayPublish::Yes => return Some(Publication { claim, entry, life }),
            MayPublish::Voided => self.alias.counters.count(Counter::LoadsVoided),
            MayPublish::TooLate => {}
        }
        claim.end(outcome);
        None
    }
}
