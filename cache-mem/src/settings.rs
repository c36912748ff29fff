//! What a store in memory can be told.

use cache_core::Settings;

/// What a [`MemStore`](crate::MemStore) can be told.
///
/// ```
/// use cache_mem::{Eviction, MemSettings};
///
/// let mut settings = MemSettings::default();
/// settings.max_entries = 10_000;
/// settings.eviction = Eviction::Lru;
/// assert_eq!(settings.max_bytes, None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemSettings {
    /// How many entries it holds before it evicts; 1,000,000 unless set.
    pub max_entries: usize,
    /// How many bytes keys and values may take before it evicts; no limit
    /// unless set.
    ///
    /// Text and bytes count with their length, integers with 8, other values
    /// with the length of their encoded form: with a limit, each value is
    /// encoded as it is set. What the store needs beside them is not counted.
    pub max_bytes: Option<u64>,
    /// What goes when the store is full.
    pub eviction: Eviction,
    /// With [`Eviction::Lru`], one entry in so many goes when the store is
    /// full; zero: all of them. 3 unless set, as in Django.
    pub cull_frequency: u32,
    /// How it keeps values.
    pub values: Values,
    /// Whether each typed value is encoded as well, so that what a remote
    /// store would refuse fails here too; in debug builds unless set.
    pub check_encoding: bool,
}

/// What goes when a store in memory is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Eviction {
    /// What the engine's policy finds least worth keeping (a variant of
    /// Clock-PRO, which withstands scans), one entry for each that comes.
    #[default]
    Engine,
    /// The least recently used, a share of the entries at once, as Django's
    /// local-memory cache does.
    Lru,
}

/// How a [`MemStore`](crate::MemStore) keeps values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Values {
    /// As they are: a typed hit is a pointer.
    #[default]
    Typed,
    /// As the bytes that a remote store would keep.
    Encoded,
}

impl Eviction {
    /// As a configuration writes it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Lru => "lru",
        }
    }
}

impl Default for MemSettings {
    fn default() -> Self {
        Self {
            max_entries: 1_000_000,
            max_bytes: None,
            eviction: Eviction::default(),
            cull_frequency: 3,
            values: Values::default(),
            check_encoding: cfg!(debug_assertions),
        }
    }
}

impl MemSettings {
    /// What a configuration says, and the defaults for what it does not.
    pub(crate) fn from_options(options: &Settings) -> Self {
        let default = Self::default();
        Self {
            max_entries: integer(options, "max_entries").unwrap_or(default.max_entries),
            max_bytes: integer(options, "max_bytes"),
            eviction: match options.text("eviction") {
                Some("lru") => Eviction::Lru,
                _ => Eviction::Engine,
            },
            cull_frequency: integer(options, "cull_frequency").unwrap_or(default.cull_frequency),
            values: match options.text("values") {
                Some("encoded") => Values::Encoded,
                _ => Values::Typed,
            },
            check_encoding: options.boolean("check_encoding").unwrap_or(default.check_encoding),
        }
    }
}

/// The table bounds the number, so that it fits wherever a `usize` has 64 bits.
fn integer<T: TryFrom<i64>>(options: &Settings, name: &str) -> Option<T> {
    T::try_from(options.integer(name)?).ok()
}
