//! Loads: what callers get who miss a key, and how one of them loads for all.

mod chain;
mod flights;
mod loaded;
mod sync;
mod task;

use crate::entry::Entry;
use crate::error::Error;
use crate::key::OwnedKey;

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
    Value(Entry),
    Failed(Error),
    /// The loader of a batch had nothing to say of this key.
    LeftOut,
}
