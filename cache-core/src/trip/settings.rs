//! What a trip is told.

use std::sync::Arc;
use std::time::Duration;

use crate::backend::Context;
use crate::clock::Clock;
use crate::stats::Counters;
use crate::timer::Timer;

/// What a [`Trip`](crate::Trip) is told beside the store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TripSettings {
    /// The alias, for events.
    pub alias: Arc<str>,
    /// How long one exchange may take. A clear may take as long between two
    /// steps.
    pub deadline: Duration,
    /// Where it gets its time from.
    pub clock: Arc<dyn Clock>,
    /// What keeps the deadlines; several layers can share one.
    pub timer: Arc<Timer>,
    /// Where it counts outages.
    pub counters: Counters,
}

impl TripSettings {
    /// A deadline, on this clock.
    pub fn new(alias: &str, deadline: Duration, clock: Arc<dyn Clock>) -> Self {
        let timer = Timer::new(Arc::clone(&clock));
        Self { alias: alias.into(), deadline, clock, timer, counters: Counters::new() }
    }

    /// What a store was opened with: alias, deadline, clock, timer and counters.
    pub fn of(context: &Context) -> Self {
        Self {
            alias: Arc::clone(&context.alias),
            deadline: context.deadline,
            clock: Arc::clone(&context.clock),
            timer: Arc::clone(&context.timer),
            counters: context.counters.clone(),
        }
    }

    /// Counts into these.
    #[must_use]
    pub fn counters(mut self, counters: Counters) -> Self {
        self.counters = counters;
        self
    }

    /// Keeps deadlines on this timer.
    #[must_use]
    pub fn timer(mut self, timer: Arc<Timer>) -> Self {
        self.timer = timer;
        self
    }
}
