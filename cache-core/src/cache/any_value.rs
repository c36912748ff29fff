//! A value whose type is not known yet.

use std::fmt;
use std::sync::Arc;

use super::Alias;
use crate::entry::Entry;
use crate::error::Result;
use crate::value::Value;

/// A value of any type, as [`get_many_any`](super::Cache::get_many_any) finds
/// it, to be read as the type that its key stands for.
#[derive(Clone)]
pub struct AnyValue {
    entry: Entry,
    alias: Arc<Alias>,
}

impl AnyValue {
    pub(super) fn new(entry: Entry, alias: Arc<Alias>) -> Self {
        Self { entry, alias }
    }

    /// The value as a `T`.
    ///
    /// # Errors
    ///
    /// [`Codec`](crate::ErrorKind::Codec) if it is none.
    pub fn read<T: Value>(&self) -> Result<T> {
        Ok(self.entry.read(&self.alias.format)?)
    }
}

impl fmt::Debug for AnyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyValue(..)")
    }
}
