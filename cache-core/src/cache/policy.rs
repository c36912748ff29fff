//! What an alias decides: how keys are made and checked, and what failures mean.

use std::fmt;
use std::sync::Arc;

/// Makes the final key of key, prefix and version, instead of
/// `prefix:version:key`.
///
/// Under one of these `aclear` is unsupported unless the alias says
/// [`ClearScope::All`], since the keys of a prefix can no longer be told.
pub type KeyFunction = Arc<dyn Fn(&str, &str, u64) -> String + Send + Sync>;

/// Says what is wrong with a final key, without quoting it.
pub type Validator = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// What happens to keys that memcached would refuse: longer than 250 bytes,
/// or with blanks or control characters.
///
/// The store's own limits hold in any case.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum KeyCheck {
    /// Nothing.
    Off,
    /// One `tracing` warning per alias and rule, target `cache::key`.
    #[default]
    Warn,
    /// An error of kind [`InvalidKey`](crate::ErrorKind::InvalidKey).
    Error,
    /// The program's own check decides instead.
    Custom(Validator),
}

/// What a failed read means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// An error.
    #[default]
    Error,
    /// A counted miss, if its kind is `Deadline`, `Connection` or `Overloaded`.
    /// Writes, deletes and increments still fail.
    Miss,
}

/// What an entry means that cannot be decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDecodeError {
    /// A counted miss: another version of the program wrote it.
    #[default]
    Miss,
    /// An error of kind [`Codec`](crate::ErrorKind::Codec).
    Error,
}

/// What `aclear` removes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClearScope {
    /// The keys of the alias's prefix, in all versions.
    #[default]
    Prefix,
    /// Everything in the store, whoever wrote it.
    All,
}

impl fmt::Debug for KeyCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "Off",
            Self::Warn => "Warn",
            Self::Error => "Error",
            Self::Custom(_) => "Custom",
        })
    }
}
