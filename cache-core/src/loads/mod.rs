//! Loads: what callers get who miss a key, and how one of them loads for all.

mod chain;
mod flights;
mod loaded;
mod sync;
mod task;

use std::sync::Arc;

use crate::codec::{Format, Undecodable};
use crate::entry::Entry;
use crate::error::Error;
use crate::key::OwnedKey;
use crate::value::Value;

pub(crate) use chain::Link;
pub(crate) use flights::{Change, Expired, MayPublish, Publish, Stamp};
pub(crate) use loaded::Keep;
pub use loaded::{IntoLoaded, Loaded};
pub(crate) use task::LoadTask;

pub(crate) type Flights = flights::Flights<OwnedKey, Outcome>;
pub(crate) type Flight = flights::Flight<OwnedKey, Outcome>;
pub(crate) type Claim = flights::Claim<OwnedKey, Outcome>;
pub(crate) type Joined = flights::Joined<OwnedKey, Outcome>;
pub(crate) type Waiter = flights::Waiter<OwnedKey, Outcome>;

/// How a flight ended, for all who wait.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// What the loader gave.
    Loaded(Entry),
    /// What was in the store: as the loader's type, decoded once for all who
    /// have that, and as it was found, for others.
    Found {
        decoded: Entry,
        there: Entry,
    },
    Failed(Error),
    /// The loader of a batch had nothing to say of this key.
    LeftOut,
}

/// What a caller who waited gets of an outcome.
pub(crate) enum Answer<T> {
    Value(Arc<T>),
    /// It is of another type.
    Undecodable(Undecodable),
    Failed(Error),
    LeftOut,
}

impl Outcome {
    pub(crate) fn answer<T: Value>(self, format: &Format) -> Answer<T> {
        let read = match self {
            Self::Loaded(entry) => entry.read_arc(format),
            Self::Found { decoded, there } => decoded.shared_as().map_or_else(|| there.read_arc(format), Ok),
            Self::Failed(error) => return Answer::Failed(error),
            Self::LeftOut => return Answer::LeftOut,
        };
        read.map_or_else(Answer::Undecodable, Answer::Value)
    }
}
