//! The task that frees entries which have expired and which nobody reads.

use std::sync::{Arc, Weak};

use cache_core::{Clock, Counter, Counters, Tick};
use tokio::runtime::{self, Handle};
use tokio::sync::Notify;

use crate::table::Table;

/// It lives on the runtime of the write that began it, and holds the table
/// weakly. If its runtime ends, the next write of an entry that expires begins
/// another; if there is none, or it stands still, writes sweep what they find
/// overdue.
struct Task {
    table: Weak<Table>,
    clock: Arc<dyn Clock>,
    counters: Counters,
    runtime: runtime::Id,
    has_ended: bool,
}

/// How many entries go under one lock, for which readers wait.
const AT_ONCE: usize = 256;

/// Sees to it that the table is swept at `due`.
pub(crate) fn sweep_at(table: &Arc<Table>, due: Tick, clock: &Arc<dyn Clock>, counters: &Counters) {
    if due >= table.sweeper.due() {
        return;
    }
    let Ok(runtime) = Handle::try_current() else { return };
    if !table.sweeper.advance(due, runtime.id()) {
        return;
    }
    let task = Task {
        table: Arc::downgrade(table),
        clock: Arc::clone(clock),
        counters: counters.clone(),
        runtime: runtime.id(),
        has_ended: false,
    };
    // No lock is held: a runtime that has been shut down drops the task at once.
    runtime.spawn(task.run(Arc::clone(&table.sweeper.wake)));
}

impl Task {
    async fn run(mut self, wake: Arc<Notify>) {
        while let Some(next) = self.look().await {
            tokio::select! {
                () = self.clock.sleep_until(next) => {}
                () = wake.notified() => {}
            }
        }
        self.has_ended = true;
    }

    /// Sweeps what is due; says when to look again, or nothing to end.
    async fn look(&self) -> Option<Tick> {
        let shards = {
            let table = self.table.upgrade()?;
            table.sweeper.begin();
            table.shards()
        };
        let mut next = Tick::NEVER;
        for shard in 0..shards {
            next = next.min(self.table.upgrade()?.sweep(shard, &*self.clock, &self.counters));
            tokio::task::yield_now().await;
        }
        let next = self.table.upgrade()?.sweeper.end(next);
        (next != Tick::NEVER).then_some(next)
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if !self.has_ended
            && let Some(table) = self.table.upgrade()
        {
            table.sweeper.abandon(std::thread::panicking().then_some(self.runtime));
        }
    }
}

impl Table {
    /// Frees what has expired in the shard, if it is time to; says when it is
    /// next.
    ///
    /// Readers are kept waiting only while some of it is taken out, writers also
    /// while it is looked for.
    fn sweep(&self, shard: usize, clock: &dyn Clock, counters: &Counters) -> Tick {
        let now = clock.precise();
        {
            let mut shard = self.write_at(shard);
            if shard.sweep_at() > now {
                return shard.sweep_at();
            }
            shard.begin_sweep();
        }
        let survey = self.read_at(shard).survey(now);
        for doomed in survey.doomed.chunks(AT_ONCE) {
            // The values are dropped once the lock is free again.
            let gone = self.write_at(shard).bury(doomed, |slot| slot.expires <= now);
            counters.add(Counter::Expirations, gone.len() as u64);
        }
        let mut shard = self.write_at(shard);
        shard.end_sweep(survey.earliest, now);
        shard.sweep_at()
    }
}
