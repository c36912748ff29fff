//! The task that sweeps a table, and what begins it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use cache_core::{Clock, Tick};
use tokio::runtime::Handle;

use crate::key::HashedKey;
use crate::sweep::Sweep;
use crate::sweeper::{Noted, Post};
use crate::table::Table;

/// It lives on the runtime of the write that began it, and holds the table
/// weakly. If its runtime ends or stands still, a write on another begins
/// another; where there is none that runs, writes sweep what they find overdue.
struct Task {
    table: Weak<Table>,
    clock: Arc<dyn Clock>,
    post: Post,
    is_asleep: bool,
    has_ended: bool,
}

/// How long a write leaves what is due to the task.
const PATIENCE: Duration = Duration::from_secs(1);

/// Sees to it that the shard is swept when it is due. No lock is held.
pub(crate) fn schedule(table: &Arc<Table>, noted: Noted, clock: &Arc<dyn Clock>) {
    let next = table.sweeper.due();
    let is_late = noted.now > next.after(PATIENCE);
    if noted.due >= next && !is_late {
        return;
    }
    if let Ok(runtime) = Handle::try_current()
        && let Some(post) = table.sweeper.advance(noted, runtime.id(), is_late)
    {
        let table = Arc::downgrade(table);
        let task = Task { table, clock: Arc::clone(clock), post, is_asleep: false, has_ended: false };
        // A runtime that has been shut down drops the task at once.
        runtime.spawn(task.run());
    } else if noted.now > noted.due.after(PATIENCE) {
        // There is no task, or none that gets to run.
        sweep_shard(table, noted.shard, clock);
    }
}

/// Sweeps the shard of this key, if it is time to. No lock is held.
pub(crate) fn sweep(table: &Arc<Table>, key: &HashedKey<'_>, clock: &Arc<dyn Clock>) {
    sweep_shard(table, table.shard_of(key), clock);
}

fn sweep_shard(table: &Arc<Table>, shard: usize, clock: &Arc<dyn Clock>) {
    if let Some(mut sweep) = Sweep::begin(table, shard, &**clock) {
        while sweep.step() {}
    }
}

impl Task {
    async fn run(mut self) {
        while let Some(next) = self.look().await {
            self.is_asleep = true;
            tokio::select! {
                () = self.clock.sleep_until(next) => {
                    if self.clock.precise() < next {
                        // Tokio's own time is paused, and ours is not.
                        self.post.wake.notified().await;
                    }
                }
                () = self.post.wake.notified() => {}
            }
            self.is_asleep = false;
        }
        self.has_ended = true;
    }

    /// Sweeps what is due; says when to look again, or nothing to end.
    async fn look(&self) -> Option<Tick> {
        let shards = {
            let table = self.table.upgrade()?;
            if !table.sweeper.begin(&self.post) {
                return None;
            }
            table.shards()
        };
        let mut next = Tick::NEVER;
        for shard in 0..shards {
            let sweep = Sweep::begin(&self.table.upgrade()?, shard, &*self.clock);
            if let Some(mut sweep) = sweep {
                while sweep.step() {
                    tokio::task::yield_now().await;
                }
                // Also for what it took to look at all of it.
                tokio::task::yield_now().await;
                if !self.table.upgrade()?.sweeper.is_held_by(&self.post) {
                    return None;
                }
            }
            next = next.min(self.table.upgrade()?.read_at(shard).due());
        }
        self.table.upgrade()?.sweeper.end(&self.post, next)
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if !self.has_ended
            && let Some(table) = self.table.upgrade()
        {
            // A runtime without time panics when one wants to sleep on it.
            table.sweeper.abandon(&self.post, self.is_asleep && std::thread::panicking());
        }
    }
}
