//! What the leader has written, in order.

use std::sync::{Mutex, MutexGuard};

use cache_core::{Entry, Life, OwnedKey, Tick};

/// The writes of the leader; a position is how many of them there were.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<Vec<Written>>);

/// One write, and when it was done.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) at: Tick,
    pub(crate) change: Change,
}

/// What the leader then holds, not what it was asked for: so that whoever
/// repeats it arrives where the leader was.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// The key has this entry.
    Put { key: OwnedKey, entry: Entry, life: Life },
    /// The key has none.
    Gone { key: OwnedKey },
    /// No key has one.
    Cleared,
}

impl Log {
    pub(crate) fn written(&self) -> MutexGuard<'_, Vec<Written>> {
        self.0.lock().expect("nobody panics under it")
    }

    pub(crate) fn position(&self) -> usize {
        self.written().len()
    }
}

impl Change {
    /// What this key, by its whole text, then has for an integer, if it had this.
    pub(crate) fn makes_of(&self, text: &str, former: Option<i64>) -> Option<i64> {
        match self {
            Self::Put { key, entry, .. } if key.as_key().is(text) => entry.integer(),
            Self::Gone { key } if key.as_key().is(text) => None,
            Self::Cleared => None,
            Self::Put { .. } | Self::Gone { .. } => former,
        }
    }
}
