//! What a loader may say beside the value.

use crate::life::Timeout;
use crate::value::Value;

/// A loaded value, and for how long it is to be stored, if at all.
///
/// A loader that has nothing to say of this returns the value itself.
///
/// ```
/// use cache_core::{Cache, Loaded};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> cache_core::Result<()> {
/// # let cache = Cache::new(cache_mem::MemStore::new());
/// // What is there lives for the timeout of the alias; that there is none is
/// // remembered for five seconds.
/// let user = cache
///     .load("user:7")
///     .run(|| async { Loaded::new(None::<String>).none_for(Duration::from_secs(5)) })
///     .await?;
/// assert_eq!(*user, None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    value: T,
    keep: Keep,
}

/// For how long a loaded value is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keep {
    /// As the caller asked.
    AsAsked,
    For(Timeout),
    /// As the loader said of a value that is `None`, whatever else it says.
    NoneFor(Timeout),
    Not,
}

/// What a loader may return: a value, or a value that is [`Loaded`].
pub trait IntoLoaded {
    /// The type of the value.
    type Value: Value;

    /// The value with what is said of it.
    fn into_loaded(self) -> Loaded<Self::Value>;
}

impl<T> Loaded<T> {
    /// A value that is stored as the caller asked.
    pub fn new(value: T) -> Self {
        Self { value, keep: Keep::AsAsked }
    }

    /// A value that is given to those who wait, and not stored, whatever else
    /// is said of it.
    pub fn not_stored(value: T) -> Self {
        Self { value, keep: Keep::Not }
    }

    /// The same value, stored with this timeout, whatever the caller asked.
    #[must_use]
    pub fn timeout(mut self, timeout: impl Into<Timeout>) -> Self {
        if matches!(self.keep, Keep::AsAsked | Keep::For(_)) {
            self.keep = Keep::For(timeout.into());
        }
        self
    }

    pub(crate) fn map<U>(self, map: impl FnOnce(T) -> U) -> Loaded<U> {
        Loaded { value: map(self.value), keep: self.keep }
    }

    pub(crate) fn into_parts(self) -> (T, Keep) {
        (self.value, self.keep)
    }
}

impl<T> Loaded<Option<T>> {
    /// The same value, and if it is `None`, stored with this timeout: usually a
    /// short one, since what is missing today may be there tomorrow. It goes
    /// before [`timeout`](Self::timeout), said earlier or later.
    #[must_use]
    pub fn none_for(mut self, timeout: impl Into<Timeout>) -> Self {
        if self.value.is_none() && !matches!(self.keep, Keep::Not) {
            self.keep = Keep::NoneFor(timeout.into());
        }
        self
    }
}

impl<T: Value> IntoLoaded for T {
    type Value = T;

    fn into_loaded(self) -> Loaded<T> {
        Loaded::new(self)
    }
}

impl<T: Value> IntoLoaded for Loaded<T> {
    type Value = T;

    fn into_loaded(self) -> Self {
        self
    }
}
