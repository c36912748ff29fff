//! What every operation has in common: its deadline, and what becomes of errors.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::voiding::Voiding;
use super::{Cache, OnDecodeError, OnError};
use crate::codec::Undecodable;
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::options::Read;
use crate::stats::Counter;
use crate::timer::Expiry;

impl Cache {
    /// Runs the operation within the deadline of the handle; a failure is counted.
    pub(super) async fn run<T>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.bounded(work).await.map_err(|error| self.failed(operation, error))
    }

    /// As [`run`](Self::run), for one call of the store.
    pub(super) async fn run_call<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.bounded_call(call).await.map_err(|error| self.failed(operation, error))
    }

    /// As [`run_call`](Self::run_call), for a write, once what it has to wait
    /// for is settled.
    pub(super) async fn run_write<T>(
        &self,
        operation: Operation,
        voiding: &Voiding<'_>,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let deadline = if voiding.is_settled() { self.deadline_of_call() } else { self.deadline };
        let work = async {
            voiding.settled().await;
            call.await
        };
        self.bounded_by(deadline, work).await.map_err(|error| self.failed(operation, error))
    }

    /// Runs the work within the deadline of the handle.
    pub(super) async fn bounded<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.bounded_by(self.deadline, work).await
    }

    /// Runs one call of the store within the deadline of the handle.
    pub(super) async fn bounded_call<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.bounded_by(self.deadline_of_call(), call).await
    }

    /// None where the call ends by itself as soon: a second deadline would cost
    /// as much as the first, and say the same.
    fn deadline_of_call(&self) -> Option<Duration> {
        self.deadline.filter(|own| self.alias.capabilities.deadline.is_none_or(|layer| layer > *own))
    }

    /// A read as this handle makes it: a layer is told when it gives up, where
    /// that is sooner than what the store promises by itself.
    pub(super) fn read(&self) -> Read {
        match self.deadline_of_call() {
            Some(deadline) => Read::default().until(self.alias.clock.precise().after(deadline)),
            None => Read::default(),
        }
    }

    async fn bounded_by<T>(
        &self,
        deadline: Option<Duration>,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let Some(deadline) = deadline else { return work.await };
        let until = self.alias.clock.precise().after(deadline);
        match self.alias.timer.limit(until, work).await {
            Ok(outcome) => outcome,
            Err(Expiry::Elapsed) => {
                Err(Error::new(ErrorKind::Deadline, format!("not done within {deadline:?}")))
            }
            Err(expiry) => Err(expiry.into()),
        }
    }

    /// The error as the caller gets it, counted.
    #[cold]
    pub(super) fn failed(&self, operation: Operation, error: Error) -> Error {
        self.alias.counters.count(Counter::Errors(error.kind()));
        error.with_operation(operation).with_alias(&self.alias.name)
    }

    /// Whether a failed read counts as one that found nothing; then that is
    /// what is counted, and no error.
    pub(super) fn counts_as_miss(&self, error: &Error) -> bool {
        let forgiven = self.alias.on_error == OnError::Miss
            && matches!(error.kind(), ErrorKind::Deadline | ErrorKind::Connection | ErrorKind::Overloaded);
        if forgiven {
            self.alias.counters.count(Counter::ErrorsAsMisses);
        }
        forgiven
    }

    /// The value that a read found, or what it means that it did not decode.
    pub(super) fn decoded<T>(
        &self,
        operation: Operation,
        outcome: Result<T, Undecodable>,
    ) -> Result<Option<T>> {
        self.decoded_one(outcome).map_err(|error| self.failed(operation, error))
    }

    /// As [`decoded`](Self::decoded), for one value of many.
    pub(super) fn decoded_one<T>(&self, outcome: Result<T, Undecodable>) -> Result<Option<T>> {
        match outcome {
            Ok(value) => {
                self.alias.counters.count(Counter::Hits);
                Ok(Some(value))
            }
            Err(undecodable) => self.undecodable(undecodable),
        }
    }

    /// A miss that is counted and logged, or an error, as the alias says.
    #[cold]
    pub(super) fn undecodable<T>(&self, undecodable: Undecodable) -> Result<Option<T>> {
        let reason = undecodable.reason();
        self.alias.counters.count(Counter::Undecodable(reason));
        let bit = 1 << reason as u8;
        if self.alias.logged.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
            tracing::warn!(
                target: "cache::codec",
                alias = &*self.alias.name,
                %reason,
                "an entry cannot be decoded; it and others like it are counted",
            );
        }
        match self.alias.on_decode_error {
            OnDecodeError::Miss => {
                self.alias.counters.count(Counter::Misses);
                Ok(None)
            }
            OnDecodeError::Error => Err(undecodable.into()),
        }
    }
}
