//! What every contender can do, each as its own docs would do it.

use std::future::Future;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;

/// A client of the server; each task has a clone of its own.
pub trait Client: Clone + Send + Sync + 'static {
    /// How many bytes the value has, 0 if there is none.
    fn get(&mut self, key: &str) -> impl Future<Output = Result<usize>> + Send;

    /// Stores the value for [`LIFE`].
    fn set(&mut self, key: &str, value: &Bytes) -> impl Future<Output = Result<()>> + Send;

    /// How many bytes all values have.
    fn get_many(&mut self, keys: &[String]) -> impl Future<Output = Result<usize>> + Send;

    /// Stores the value under each key for [`LIFE`].
    fn set_many(&mut self, keys: &[String], value: &Bytes) -> impl Future<Output = Result<()>> + Send;
}

/// How long what is set lives.
pub const LIFE: Duration = Duration::from_secs(60);

pub const LIFE_MILLIS: u32 = 60_000;

/// How long any contender waits for an answer.
pub const DEADLINE: Duration = Duration::from_secs(1);
