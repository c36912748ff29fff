//! Frees what has expired in one shard, a little at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use cache_core::{Clock, Tick};

use crate::key::Doomed;
use crate::shard::{AT_ONCE, Survey};
use crate::table::Table;

/// A look at a shard, and what of it has still to be freed.
///
/// Readers wait only while some of it is taken out, writers also while it is
/// looked for (and, with `lru`, readers, which change its order). One that is
/// dropped before its end leaves the rest for the next.
pub(crate) struct Sweep {
    table: Weak<Table>,
    shard: usize,
    now: Tick,
    doomed: Vec<Doomed>,
    buried: usize,
    /// When the first of those expires that have not yet.
    earliest: Tick,
    has_ended: bool,
}

impl Sweep {
    /// Looks at the shard, if it is time to.
    pub(crate) fn begin(table: &Arc<Table>, shard: usize, clock: &dyn Clock) -> Option<Self> {
        let now = clock.precise();
        if table.read_at(shard).due() > now {
            return None;
        }
        table.write_at(shard).begin_sweep(now);
        let Survey { doomed, earliest } = table.read_at(shard).survey(now);
        let table = Arc::downgrade(table);
        Some(Self { table, shard, now, doomed, buried: 0, earliest, has_ended: false })
    }

    /// Frees some; says whether there is more.
    pub(crate) fn step(&mut self) -> bool {
        let Some(table) = self.table.upgrade() else { return false };
        let rest = &self.doomed[self.buried..];
        let some = &rest[..rest.len().min(AT_ONCE)];
        let gone = table.write_at(self.shard).bury(some, |slot| slot.expires <= self.now);
        self.buried += some.len();
        table.count_expirations(gone.len() as u64);
        // A value that panics as it is dropped costs itself, and nobody else.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(gone)));
        if self.buried < self.doomed.len() {
            return true;
        }
        self.has_ended = true;
        let due = table.write_at(self.shard).end_sweep(self.earliest, self.now);
        // Whoever has the task by now may have found the shard under way.
        table.sweeper.note(due);
        false
    }
}

impl Drop for Sweep {
    fn drop(&mut self) {
        if !self.has_ended
            && let Some(table) = self.table.upgrade()
        {
            table.write_at(self.shard).look_by(self.now);
            table.sweeper.note(self.now);
        }
    }
}
