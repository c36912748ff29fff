//! A value whose type is not known yet.

use std::fmt;

use super::Cache;
use crate::entry::Entry;
use crate::error::{Operation, Result};
use crate::value::Value;

/// A value of any type, as [`get_many_any`](Cache::get_many_any) finds it, to
/// be read as the type that its key stands for.
#[derive(Clone)]
pub struct AnyValue {
    entry: Entry,
    cache: Cache,
}

impl AnyValue {
    pub(super) fn new(entry: Entry, cache: Cache) -> Self {
        Self { entry, cache }
    }

    /// The value as a `T`. If it is none, that is a counted miss, as it would
    /// have been for [`aget`](Cache::aget).
    ///
    /// # Errors
    ///
    /// [`Codec`](crate::ErrorKind::Codec) if it is no `T` and the alias says
    /// `on_decode_error = "error"`.
    pub fn read<T: Value>(&self) -> Result<Option<T>> {
        self.cache.decoded(Operation::Get, self.entry.read(self.cache.format()))
    }
}

impl fmt::Debug for AnyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyValue(..)")
    }
}
