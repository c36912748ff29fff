//! When expired entries are to be freed, and whether somebody is there to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cache_core::Tick;
use tokio::runtime;
use tokio::sync::Notify;

/// When a table has to be swept, and whether a task is there to do it.
#[derive(Default)]
pub(crate) struct Sweeper {
    /// When the task looks next; what is written under the lock alone, and read
    /// without it by writes that need not wake the task.
    due: Due,
    state: Mutex<State>,
    pub(crate) wake: Arc<Notify>,
}

struct Due(AtomicU64);

#[derive(Default)]
struct State {
    is_running: bool,
    /// A runtime without time, on which the task cannot live.
    broken: Option<runtime::Id>,
}

impl Sweeper {
    /// When the task looks next.
    pub(crate) fn due(&self) -> Tick {
        self.due.get()
    }

    /// Notes an earlier time; says whether the task has to be begun.
    pub(crate) fn advance(&self, due: Tick, runtime: runtime::Id) -> bool {
        let mut state = self.state();
        if state.broken == Some(runtime) {
            return false;
        }
        self.due.set(due.min(self.due.get()));
        self.wake.notify_one();
        !std::mem::replace(&mut state.is_running, true)
    }

    /// The task is about to look: what is noted from here on is for later.
    pub(crate) fn begin(&self) {
        let _state = self.state();
        self.due.set(Tick::NEVER);
    }

    /// The task has looked. Says when to look next; if never, the task ends.
    pub(crate) fn end(&self, next: Tick) -> Tick {
        let mut state = self.state();
        let next = next.min(self.due.get());
        self.due.set(next);
        if next == Tick::NEVER {
            state.is_running = false;
        }
        next
    }

    /// The task is gone before its time, and with its runtime.
    pub(crate) fn abandon(&self, broken: Option<runtime::Id>) {
        let mut state = self.state();
        self.due.set(Tick::NEVER);
        state.is_running = false;
        state.broken = broken.or(state.broken);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Due {
    fn get(&self) -> Tick {
        Tick::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn set(&self, tick: Tick) {
        self.0.store(tick.as_nanos(), Ordering::Relaxed);
    }
}

impl Default for Due {
    fn default() -> Self {
        Self(AtomicU64::new(Tick::NEVER.as_nanos()))
    }
}

/// The table is gone, and the task has nothing to wait for.
impl Drop for Sweeper {
    fn drop(&mut self) {
        self.wake.notify_one();
    }
}
