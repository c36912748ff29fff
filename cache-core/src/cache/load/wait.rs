//! Joining a flight, and waiting for it, on whatever runtime the caller has.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::terms::Terms;
use crate::cache::Cache;
use crate::clock::Tick;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::loads::{Expired, Flight, Joined, Link, LoadTask, Outcome, Stamp, Waiter};
use crate::stats::Counter;
use crate::timer::Expiry;

impl Cache {
    /// Joins whoever loads the key, or claims it.
    ///
    /// # Errors
    ///
    /// `Recursion` if the caller is within the loader of that very key.
    pub(super) fn join(
        &self,
        key: &Key<'_>,
        task: impl Fn() -> Arc<LoadTask>,
        seen: Option<Stamp>,
        terms: &Terms,
    ) -> Result<Joined> {
        let flights = &self.alias.flights;
        // What a replica said may be older than what a flight has stored.
        let seen = seen.filter(|_| !self.alias.capabilities.stale_reads);
        if Link::recurses(flights, key) {
            return Err(Error::of(ErrorKind::Recursion));
        }
        let load_deadline = terms.load_deadline(self);
        loop {
            let now = self.alias.clock.precise();
            let until = now.after(load_deadline);
            let own = || (key.to_owned_key(), task());
            match flights.join(key, own, seen, (now.as_nanos(), until.as_nanos())) {
                Ok(joined) => return Ok(joined),
                Err(overdue) => self.expire(&overdue),
            }
        }
    }

    /// The outcome of the flight, `None` if its task was dropped. A caller whose
    /// patience is over leaves those who have more.
    ///
    /// Each caller keeps the deadline on its own runtime: that of the task may
    /// stand still.
    pub(super) async fn landing(&self, waiter: &Waiter, mut patience: Tick) -> Result<Option<Outcome>> {
        let flight = waiter.flight();
        loop {
            let until = Tick::from_nanos(flight.until()).min(patience);
            match self.alias.timer.limit(until, flight.outcome()).await {
                Ok(outcome) => return Ok(outcome.clone()),
                Err(Expiry::NoRuntime) => return Err(Expiry::NoRuntime.into()),
                Err(Expiry::Elapsed) if until < patience => {
                    self.expire(flight);
                    // Somebody else may be about to say what came of it.
                    tokio::task::yield_now().await;
                }
                // What is left is to store the value, and that has its own deadline.
                Err(Expiry::Elapsed) if self.alias.flights.is_publishing(flight) => patience = Tick::NEVER,
                Err(_) => {
                    self.expire(flight);
                    return flight
                        .outcome_now()
                        .map_or_else(|| Err(too_long()), |outcome| Ok(outcome.clone()));
                }
            }
        }
    }

    /// Ends the flight if it should have been over by now.
    pub(in crate::cache) fn expire(&self, flight: &Arc<Flight>) {
        let now = self.alias.clock.precise().as_nanos();
        match self.alias.flights.expire(flight, now, Outcome::Failed(too_long())) {
            Some(Expired::Loading) if flight.task().is_first_to_time_out() => {
                self.alias.counters.count(Counter::LoadsTimedOut);
            }
            Some(Expired::Publishing) => self.alias.counters.count(Counter::PublishesFailed),
            Some(Expired::Loading) | None => {}
        }
    }

    /// Until when a caller waits who misses something now.
    pub(super) fn patience(&self, terms: &Terms) -> Tick {
        self.alias.clock.precise().after(terms.load_deadline(self))
    }
}

/// Where a load would run: the caller's runtime.
pub(super) fn runtime() -> Result<Handle> {
    Handle::try_current()
        .map_err(|_| Error::new(ErrorKind::Closed, "a load needs a tokio runtime, and there is none"))
}

pub(super) fn too_long() -> Error {
    Error::new(ErrorKind::Deadline, "the loader did not end within its `load_deadline`")
}

/// The task was dropped before it had an outcome.
pub(super) fn no_task() -> Error {
    Error::new(ErrorKind::Closed, "the runtime that the loader ran on has been shut down")
}
