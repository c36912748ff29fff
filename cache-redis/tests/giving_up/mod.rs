//! Futures that are dropped before they have ended.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::patience::pause;

/// When a future is dropped.
#[derive(Clone, Copy, Debug)]
pub(crate) enum GiveUp {
    /// Once it has been polled so often and is still not ready.
    Polls(usize),
    /// Once all others have had so many turns.
    Turns(usize),
    Time(Duration),
}

impl GiveUp {
    /// Most of them early, where most of what can go wrong happens.
    pub(crate) fn at_random(dice: &mut fastrand::Rng) -> Self {
        match dice.usize(..10) {
            0..5 => Self::Polls(dice.usize(..4)),
            5..9 => Self::Turns(dice.usize(..12)),
            _ => Self::Time(Duration::from_micros(dice.u64(..3_000))),
        }
    }

    /// What the future gives if it is faster.
    pub(crate) async fn of<F: Future>(self, future: F) -> Option<F::Output> {
        match self {
            Self::Polls(polls) => polled(future, polls).await,
            Self::Turns(turns) => {
                let others = async {
                    for _ in 0..turns {
                        tokio::task::yield_now().await;
                    }
                };
                first(future, others).await
            }
            Self::Time(time) => first(future, pause(time)).await,
        }
    }
}

async fn polled<F: Future>(future: F, most: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|context| {
        if polls == most {
            return Poll::Ready(None);
        }
        polls += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polls == most => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

async fn first<F: Future>(future: F, other: impl Future<Output = ()>) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = other => None,
    }
}
