//! When expired entries are to be freed, and whether a task is there to do it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cache_core::Tick;
use tokio::runtime;
use tokio::sync::Notify;

/// When a table has to be swept, and the task that does it.
#[derive(Default)]
pub(crate) struct Sweeper {
    /// When the task looks next; written under the lock alone, and read without
    /// it by writes that need not wake the task.
    due: Due,
    state: Mutex<State>,
}

/// What a write of an entry that expires has noted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noted {
    pub(crate) shard: usize,
    /// When to look at the shard.
    pub(crate) due: Tick,
    /// When it was noted.
    pub(crate) now: Tick,
}

/// The task, as it knows itself.
#[derive(Clone)]
pub(crate) struct Post {
    /// Differs between any two tasks of a table.
    number: u64,
    pub(crate) runtime: runtime::Id,
    pub(crate) wake: Arc<Notify>,
}

struct Due(AtomicU64);

#[derive(Default)]
struct State {
    post: Option<Post>,
    last_number: u64,
    /// The task is looking, and asks for what is noted meanwhile when it ends.
    is_looking: bool,
    /// The last runtimes without time, on which no task can live.
    timeless: VecDeque<runtime::Id>,
}

/// How many runtimes without time are remembered.
const REMEMBERED: usize = 16;

impl Sweeper {
    /// When the task looks next.
    pub(crate) fn due(&self) -> Tick {
        self.due.get()
    }

    /// Notes an earlier time for the task that there is.
    ///
    /// If there is none, or the task is late and so on a runtime that stands
    /// still, this one gets the post for a new one.
    pub(crate) fn advance(&self, noted: Noted, runtime: runtime::Id, is_late: bool) -> Option<Post> {
        let mut state = self.state();
        let is_there = state.post.as_ref().is_some_and(|post| post.runtime == runtime || !is_late);
        if is_there {
            self.lower(&state, noted.due);
            return None;
        }
        if state.timeless.contains(&runtime) {
            return None;
        }
        // The new one is late only if it has not looked a while from now.
        self.due.set(noted.due.max(noted.now));
        state.last_number += 1;
        let post = Post { number: state.last_number, runtime, wake: Arc::default() };
        state.is_looking = false;
        if let Some(former) = state.post.replace(post.clone()) {
            former.wake.notify_one();
        }
        Some(post)
    }

    /// Notes an earlier time for the task, if there is one.
    pub(crate) fn note(&self, due: Tick) {
        let state = self.state();
        if state.post.is_some() {
            self.lower(&state, due);
        }
    }

    fn lower(&self, state: &State, due: Tick) {
        if due >= self.due.get() {
            return;
        }
        self.due.set(due);
        if let Some(post) = state.post.as_ref().filter(|_| !state.is_looking) {
            post.wake.notify_one();
        }
    }

    /// Whether the task has not been replaced.
    pub(crate) fn is_held_by(&self, post: &Post) -> bool {
        self.state().is_held_by(post)
    }

    /// The task is about to look: what is noted from here on is for later.
    /// False if the post is another's by now.
    pub(crate) fn begin(&self, post: &Post) -> bool {
        let mut state = self.state();
        if !state.is_held_by(post) {
            return false;
        }
        state.is_looking = true;
        self.due.set(Tick::NEVER);
        true
    }

    /// The task has looked. Says when to look next; nothing if it is to end.
    pub(crate) fn end(&self, post: &Post, next: Tick) -> Option<Tick> {
        let mut state = self.state();
        if !state.is_held_by(post) {
            return None;
        }
        let next = next.min(self.due.get());
        state.is_looking = false;
        self.due.set(next);
        if next == Tick::NEVER {
            state.post = None;
            return None;
        }
        Some(next)
    }

    /// The task is gone before its time: with its runtime, or because that one
    /// is without time.
    pub(crate) fn abandon(&self, post: &Post, is_timeless: bool) {
        let mut state = self.state();
        if is_timeless {
            state.timeless.push_back(post.runtime);
            if state.timeless.len() > REMEMBERED {
                state.timeless.pop_front();
            }
        }
        if state.is_held_by(post) {
            state.is_looking = false;
            state.post = None;
            self.due.set(Tick::NEVER);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_held_by(&self, post: &Post) -> bool {
        self.post.as_ref().is_some_and(|there| there.number == post.number)
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
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(post) = &state.post {
            post.wake.notify_one();
        }
    }
}
