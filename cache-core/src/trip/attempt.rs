//! One exchange with a store, and what it says of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::endpoint::{Endpoint, Verdict};
use crate::clock::Tick;
use crate::error::{Error, ErrorKind, Result};
use crate::timer::Expiry;

/// A caller with the same deadline as the exchange may give up on it a moment
/// before; that the store did not answer is known all the same.
const LARGEST_SLACK: Duration = Duration::from_millis(10);

/// One exchange, from which the endpoint learns also when it is dropped.
pub(super) struct Attempt<'a> {
    endpoint: &'a Arc<Endpoint>,
    answers_before: u64,
    pub(super) until: Tick,
    ended: bool,
}

impl<'a> Attempt<'a> {
    pub(super) fn begin(endpoint: &'a Arc<Endpoint>) -> Self {
        let mut attempt = Self { endpoint, answers_before: 0, until: Tick::NEVER, ended: false };
        attempt.extend();
        attempt
    }

    /// A deadline's time from now on.
    pub(super) fn extend(&mut self) {
        self.answers_before = self.endpoint.answers.load(Ordering::SeqCst);
        self.until = self.endpoint.settings.clock.precise().after(self.endpoint.settings.deadline);
    }

    pub(super) fn end<T>(
        &mut self,
        outcome: Result<Result<T>, Expiry>,
        judge: impl Fn(&T) -> Verdict,
    ) -> Result<T> {
        self.ended = true;
        let outcome = outcome.unwrap_or_else(|expiry| {
            Err(if expiry == Expiry::Elapsed { self.endpoint.no_answer() } else { expiry.into() })
        });
        match outcome.as_ref().map_or_else(Verdict::of, judge) {
            Verdict::Answered => self.endpoint.answered(),
            Verdict::NotAnswered => match &outcome {
                Err(error) => self.endpoint.not_answered(self.answers_before, error),
                Ok(_) => self.endpoint.not_answered(self.answers_before, &Error::of(ErrorKind::Connection)),
            },
            Verdict::Nothing => {}
        }
        outcome
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let settings = &self.endpoint.settings;
        let slack = LARGEST_SLACK.min(settings.deadline / 8);
        if !self.ended && settings.clock.precise().after(slack) >= self.until {
            self.endpoint.not_answered(self.answers_before, &self.endpoint.no_answer());
        }
    }
}
