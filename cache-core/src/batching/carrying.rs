//! What trips for many have in common: when they begin, and whom they end.

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::Poll;

use futures::FutureExt as _;

use super::waiter::{Waiter, expired};
use crate::backend::Context;
use crate::clock::Tick;
use crate::error::{Error, ErrorKind, Result};
use crate::per_key::per_key;
use crate::timer::Expiry;

/// Lets everything run that can, once. Callers who were just answered have
/// then asked for more, which travels along: without it, batches stay small.
pub(super) async fn behind_all_others() {
    let mut waited = false;
    poll_fn(|cx| {
        if waited {
            return Poll::Ready(());
        }
        waited = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Waits for the trip, and meanwhile ends the waits whose time is over: of those
/// who travel, and by `end_waits` of those behind, who are told the time and tell
/// when the next one of them is due.
pub(super) async fn carry<T, U>(
    context: &Context,
    trip: impl Future<Output = Result<T>>,
    travellers: &mut [Waiter<U>],
    end_waits: impl Fn(Tick) -> Tick,
) -> Result<T> {
    // A store that panics fails those who travel, and not those behind.
    let mut trip = pin!(AssertUnwindSafe(trip).catch_unwind());
    let mut now = context.clock.precise();
    loop {
        let first = travellers.iter().map(Waiter::until).min().unwrap_or(Tick::NEVER);
        // Whoever begins to wait from now on is not due before.
        let next = first.min(end_waits(now)).min(now.after(context.deadline));
        match context.timer.limit(next, trip.as_mut()).await {
            Ok(outcome) => return outcome.unwrap_or_else(|_| Err(panicked())),
            Err(Expiry::Elapsed) => {
                now = context.clock.precise();
                for waiter in &mut *travellers {
                    waiter.expire(now, context.deadline);
                }
            }
            Err(expiry) => return Err(expired(expiry, context.deadline)),
        }
    }
}

#[cold]
fn panicked() -> Error {
    Error::new(ErrorKind::Server, "the store panicked")
}

/// Gives each traveller the answer of the trip; a failure of it is everybody's.
pub(super) fn hand_out<T>(travellers: &mut [Waiter<T>], outcome: Result<Vec<Result<T>>>) {
    let answers = per_key(outcome, travellers.len());
    travellers.iter_mut().zip(answers).for_each(|(waiter, answer)| waiter.tell(answer));
}
