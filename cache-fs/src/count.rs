//! How much there is, and which of two counts is the later one.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many entries there are, and how many bytes their files have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

/// What a shard held while it was locked. It is told once the lock is released,
/// by several threads, and so says which of two is the later one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Snapshot {
    pub(crate) count: Count,
    /// That of the later one is larger.
    pub(crate) turn: u64,
}

/// How a count is written down: with its complement, so that what somebody else
/// wrote there is no count.
pub(crate) const COUNT_BYTES: usize = 32;

static TURNS: AtomicU64 = AtomicU64::new(1);

impl Snapshot {
    /// Taken under the lock.
    pub(crate) fn of(count: Count) -> Self {
        Self { count, turn: TURNS.fetch_add(1, Ordering::Relaxed) }
    }

    /// Of a shard that may not be there: taken before that is looked at.
    pub(crate) fn of_nothing() -> Self {
        Self::of(Count::default())
    }
}

impl Count {
    pub(crate) fn add(&mut self, bytes: u64) {
        *self = self.plus(Self { entries: 1, bytes });
    }

    pub(crate) fn remove(&mut self, bytes: u64) {
        *self = self.minus(Self { entries: 1, bytes });
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            entries: self.entries.saturating_add(other.entries),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self {
            entries: self.entries.saturating_sub(other.entries),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }

    pub(crate) fn to_bytes(self) -> [u8; COUNT_BYTES] {
        let mut bytes = [0; COUNT_BYTES];
        let words = [self.entries, self.bytes, !self.entries, !self.bytes];
        for (place, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *place = word.to_le_bytes();
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: [u8; COUNT_BYTES]) -> Option<Self> {
        let mut words = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
        let [entries, bytes, not_entries, not_bytes] = [(); 4].map(|()| words.next().unwrap_or(0));
        (entries == !not_entries && bytes == !not_bytes).then_some(Self { entries, bytes })
    }
}
