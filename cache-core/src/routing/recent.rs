//! What was written of late: it is read from the leader.

use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::{Clock, Tick};
use crate::key::Key;

/// Until when which keys are read from the leader.
///
/// Keys share a fixed number of places: one that shares the place of a key that
/// was written is read from the leader too, which costs nothing but that.
pub(super) struct Recent {
    window: Duration,
    places: Box<[AtomicU64]>,
    /// Until when all keys are.
    all: AtomicU64,
    hasher: foldhash::quality::RandomState,
}

/// A write under way: its keys count as written when it begins, and anew when
/// it ends, however it does.
pub(super) struct Writing<'a> {
    recent: &'a Recent,
    /// None for all keys.
    keys: Option<&'a [Key<'a>]>,
    clock: &'a dyn Clock,
}

/// Of eight bytes each: 128 KiB.
const PLACES: usize = 1 << 14;

impl Recent {
    pub(super) fn new(window: Duration) -> Self {
        Self {
            window,
            places: (0..PLACES).map(|_| AtomicU64::new(0)).collect(),
            all: AtomicU64::new(0),
            hasher: foldhash::quality::RandomState::default(),
        }
    }

    pub(super) fn covers(&self, key: &Key<'_>, now: Tick) -> bool {
        let until = self.place(key).load(Ordering::Relaxed).max(self.all.load(Ordering::Relaxed));
        now.as_nanos() < until
    }

    /// Begins a write of these keys, or of all.
    pub(super) fn writing<'a>(&'a self, keys: Option<&'a [Key<'a>]>, clock: &'a dyn Clock) -> Writing<'a> {
        let writing = Writing { recent: self, keys, clock };
        writing.mark();
        writing
    }

    fn place(&self, key: &Key<'_>) -> &AtomicU64 {
        let hash = self.hasher.hash_one(key);
        &self.places[usize::try_from(hash % PLACES as u64).unwrap_or(0)]
    }
}

impl Writing<'_> {
    fn mark(&self) {
        let until = self.clock.precise().after(self.recent.window).as_nanos();
        let mark = |place: &AtomicU64| {
            place.fetch_max(until, Ordering::Relaxed);
        };
        match self.keys {
            Some(keys) => keys.iter().for_each(|key| mark(self.recent.place(key))),
            None => mark(&self.recent.all),
        }
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.mark();
    }
}
