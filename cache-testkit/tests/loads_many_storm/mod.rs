//! Many callers at once, at random moments, over stores that take their time.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::sync::Arc;
use std::time::Duration;

use cache_core::{AsyncCache, Cache, Clock};
use cache_mem::{MemSettings, MemStore};
use cache_testkit::{Call, Faulty, Lesser, ManualClock};
use fastrand::Rng;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, yield_now};

/// What the callers have under them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Under {
    /// Memory, which answers at once.
    Memory,
    /// What looks like a server, and takes some milliseconds for each call.
    Server,
    /// The same without tokens.
    Lesser,
}

pub(crate) const ALL: [Under; 3] = [Under::Memory, Under::Server, Under::Lesser];

/// One store, and the handle that everybody uses.
pub(crate) struct Storm {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) cache: Cache,
    faulty: Option<Arc<Faulty>>,
}

/// How long a round may take, in steps of the clock.
const STEPS: usize = 1_000_000;

impl Storm {
    pub(crate) fn over(under: Under) -> Self {
        let clock = Arc::new(ManualClock::new());
        let time: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let memory: Arc<dyn AsyncCache> =
            Arc::new(MemStore::with_clock(&MemSettings::default(), Arc::clone(&time)));
        let faulty = match under {
            Under::Memory => None,
            Under::Server => Some(Faulty::over(Arc::clone(&memory))),
            Under::Lesser => Some(Faulty::over(Arc::new(Lesser::new(Arc::clone(&memory), |promised| {
                promised.tokens(false)
            })))),
        };
        let store: Arc<dyn AsyncCache> = match &faulty {
            Some(faulty) => Arc::<Faulty>::clone(faulty),
            None => memory,
        };
        // Time passes as fast as it can, so nothing may end by it.
        let long = Duration::from_hours(1_000_000);
        let cache = Cache::builder(store).clock(time).load_deadline(long).build();
        Self { clock, cache, faulty }
    }

    /// How long the store takes from now on.
    pub(crate) fn shuffle(&self, dice: &mut Rng) {
        let Some(faulty) = &self.faulty else { return };
        faulty.heal();
        for call in
            [Call::Get, Call::GetMany, Call::Set, Call::SetMany, Call::Delete, Call::DeleteMany, Call::Clear]
        {
            let time: Arc<dyn Clock> = Arc::<ManualClock>::clone(&self.clock);
            let on = faulty.on([call]);
            // Before it takes effect, or after it.
            let on = if dice.bool() { on.after() } else { on };
            on.delay(time, Duration::from_millis(dice.u64(0..4)));
        }
    }

    /// From now on the store answers at once, so that no time has to pass for it.
    pub(crate) fn calm(&self) {
        self.faulty.iter().for_each(|faulty| faulty.heal());
    }

    /// Lets time pass until all of them have ended, and what they have begun.
    pub(crate) async fn passes<T>(&self, tasks: Vec<JoinHandle<T>>) -> Vec<Option<T>> {
        for step in 0.. {
            if tasks.iter().all(JoinHandle::is_finished) && self.cache.stats().loading == 0 {
                break;
            }
            assert!(step < STEPS, "something hangs, or leaks: {} keys", self.cache.stats().loading);
            self.clock.advance(Duration::from_millis(1));
            yield_now().await;
        }
        let mut answers = Vec::with_capacity(tasks.len());
        for task in tasks {
            answers.push(match task.await {
                Ok(answer) => Some(answer),
                Err(error) if error.is_cancelled() => None,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            });
        }
        answers
    }
}

/// A moment, by other tasks' turns or by the clock.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    turns: usize,
    millis: u64,
}

impl Moment {
    pub(crate) fn any(dice: &mut Rng) -> Self {
        Self { turns: dice.usize(0..6), millis: if dice.bool() { 0 } else { dice.u64(0..6) } }
    }

    pub(crate) async fn passes(self, clock: &ManualClock) {
        for _ in 0..self.turns {
            yield_now().await;
        }
        if self.millis > 0 {
            clock.sleep_until(clock.now().after(Duration::from_millis(self.millis))).await;
        }
    }
}

/// Some of these, at least one, in any order, and now and then one of them twice.
pub(crate) fn some<T: Clone>(all: &[T], dice: &mut Rng) -> Vec<T> {
    let count = dice.usize(1..=all.len());
    let mut some = all.to_vec();
    dice.shuffle(&mut some);
    some.truncate(count);
    if dice.u8(0..4) == 0 {
        some.push(some[dice.usize(0..count)].clone());
    }
    some
}

pub(crate) fn one_thread() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

pub(crate) fn many_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(4).build().expect("a runtime")
}
