//! What is done behind the callers' backs: room is made, what has ended is
//! removed, and uses are told to the files.

use std::io::{Read as _, Seek as _, Write as _};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cache_core::{Clock, Counter, Result};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::guard::Guard;
use crate::inner::{Bell, Inner};
use crate::lanes::hop;
use crate::place::{PrefixId, SHARDS};

/// The task. It holds the store weakly.
struct Keeper {
    inner: Weak<Inner>,
    clock: Arc<dyn Clock>,
    bell: Bell,
    closed: CancellationToken,
}

/// How often what has ended is removed, at most: a process that was told of
/// an earlier round by a file does not begin another.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// A round may take one part in so many of the time.
const SWEEP_SHARE: u32 = 50;

/// How often uses are told to the files.
const FLUSH_EVERY: Duration = Duration::from_secs(10);

/// The file that who sweeps has locked; in it, since when there is nothing to
/// sweep, in seconds.
const GUARD: &str = ".sweep";

/// How long after its beginning a round is followed by the next.
fn next_sweep_after(took: Duration) -> Duration {
    SWEEP_EVERY.max(took.saturating_mul(SWEEP_SHARE))
}

/// Sees to it that the store has a keeper, on the runtime of whoever asks. One
/// that ended with its runtime is replaced.
pub(crate) fn keep(inner: &Arc<Inner>) {
    if !inner.is_kept.load(Ordering::Relaxed)
        && let Ok(runtime) = Handle::try_current()
        && !inner.is_kept.swap(true, Ordering::AcqRel)
    {
        let keeper = Keeper {
            inner: Arc::downgrade(inner),
            clock: Arc::clone(&inner.files.clock),
            bell: inner.bell.clone(),
            closed: inner.closed.clone(),
        };
        inner.tasks.spawn_on(keeper.run(), &runtime);
    }
}

impl Keeper {
    async fn run(self) {
        let mut sweep = self.clock.precise();
        let mut flush = sweep;
        loop {
            let next = if self.is_lru() { sweep.min(flush) } else { sweep };
            let is_full = tokio::select! {
                () = self.bell.over.cancelled() => return,
                () = self.closed.cancelled() => return,
                () = self.bell.full.notified() => true,
                () = self.clock.sleep_until(next) => false,
            };
            let outcome = if is_full {
                self.make_room().await
            } else if self.clock.precise() >= sweep {
                let began = self.clock.precise();
                let swept = self.sweep().await;
                // What another process made no room for, since it knew of less, is
                // seen to now.
                let outcome = match self.make_room().await {
                    Some(made) => swept.map(|swept| swept.and(made)),
                    None => None,
                };
                let took = self.clock.precise().since(began);
                sweep = began.after(next_sweep_after(took));
                outcome
            } else {
                let outcome = self.flush().await;
                flush = self.clock.precise().after(FLUSH_EVERY);
                outcome
            };
            match outcome {
                Some(Ok(())) => {}
                Some(Err(error)) => {
                    let Some(inner) = self.inner.upgrade() else { return };
                    inner.warn(&error);
                }
                None => return,
            }
        }
    }

    fn is_lru(&self) -> bool {
        self.inner.upgrade().is_some_and(|inner| inner.files.tells_uses)
    }

    /// Nothing once the store is gone, as for the others.
    async fn make_room(&self) -> Option<Result<()>> {
        let inner = self.inner.upgrade()?;
        // One prefix for which there is none keeps nothing of the others.
        let mut made = Ok(());
        for prefix in inner.totals.prefixes() {
            let own = Arc::clone(&inner);
            made = made.and(hop(&inner.tasks, move || own.make_room(prefix, usize::MAX)).await);
        }
        Some(made)
    }

    async fn flush(&self) -> Option<Result<()>> {
        let inner = self.inner.upgrade()?;
        let own = Arc::clone(&inner);
        let flush = move || {
            own.uses.flush(&own.files.location);
            Ok(())
        };
        Some(hop(&inner.tasks, flush).await)
    }

    /// One round through all shards of all prefixes.
    async fn sweep(&self) -> Option<Result<()>> {
        let (began, began_at) = (self.clock.precise(), self.clock.wall());
        let (tasks, round) = {
            let inner = self.inner.upgrade()?;
            let tasks = inner.tasks.clone();
            (tasks.clone(), hop(&tasks, move || inner.begin_sweep()).await)
        };
        let (guard, prefixes) = match round {
            Ok(Some(round)) => round,
            Ok(None) => return Some(Ok(())),
            Err(error) => return Some(Err(error)),
        };
        // One that cannot be swept keeps nothing in the others.
        let mut swept = Ok(());
        for prefix in prefixes {
            for shard in 0..SHARDS {
                let inner = self.inner.upgrade()?;
                swept = swept.and(hop(&tasks, move || inner.sweep(prefix, shard)).await);
                if self.bell.over.is_cancelled() || self.closed.is_cancelled() {
                    return None;
                }
            }
        }
        // A short round is told by its beginning, so that who has swept sweeps again
        // in time; after a long one others wait as well.
        let took = self.clock.precise().since(began);
        let told = began_at + took.min(next_sweep_after(took).saturating_sub(SWEEP_EVERY));
        let end = move || {
            end_sweep(guard, told);
            Ok(())
        };
        Some(swept.and(hop(&tasks, end).await))
    }
}

/// If its runtime ended, the next write begins another.
impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.upgrade() {
            inner.is_kept.store(false, Ordering::Release);
        }
    }
}

impl Inner {
    /// Nothing if somebody else sweeps, or has done so of late.
    fn begin_sweep(&self) -> Result<Option<(Guard, Vec<PrefixId>)>> {
        let path = self.files.location.join(GUARD);
        let Some(mut guard) = Guard::try_take(&path, self.files.access)? else { return Ok(None) };
        let mut told = [0; 8];
        let last = guard.0.read_exact(&mut told).map_or(0, |()| u64::from_le_bytes(told));
        let now = seconds_of(self.files.clock.wall());
        // A clock that was set back makes nobody wait for long.
        let is_fresh = now.checked_sub(last).is_some_and(|age| age < SWEEP_EVERY.as_secs());
        if is_fresh {
            return Ok(None);
        }
        Ok(self.files.prefixes().ok().map(|prefixes| (guard, prefixes)))
    }

    fn sweep(&self, prefix: PrefixId, shard: usize) -> Result<()> {
        let swept = self.files.sweep(prefix, shard)?;
        self.counters.add(Counter::Expirations, swept.expired);
        self.totals.note_if_known(prefix, shard, swept.snapshot);
        swept.outcome
    }
}

/// If it cannot be told, another process sweeps too.
fn end_sweep(mut guard: Guard, told: SystemTime) {
    let told = seconds_of(told).to_le_bytes();
    let _ = guard.0.rewind().and_then(|()| guard.0.write_all(&told));
}

fn seconds_of(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
