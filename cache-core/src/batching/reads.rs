//! Single reads: alone while nothing is under way, together otherwise.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::{self, Handle};

use super::by_runtime::{ByRuntime, Idle};
use super::carrying::{behind_all_others, carry, hand_out};
use super::sweep::Sweep;
use super::under_way::UnderWay;
use super::waiter::{Answer, Waiter};
use crate::async_cache::AsyncCache;
use crate::backend::Context;
use crate::capabilities::Gather;
use crate::clock::Tick;
use crate::error::Result;
use crate::key::{Key, OwnedKey};
use crate::options::{Found, Read};
use crate::stats::Counter;

type Outcome = Option<Found>;

/// The reads of one server.
pub(super) struct Reads {
    below: Arc<dyn AsyncCache>,
    context: Context,
    /// On each runtime; beside a read that left alone there may always be a trip.
    gather: Gather,
    /// How many bytes an answer had of late.
    mean_bytes: AtomicUsize,
    under_way: UnderWay,
    queues: Mutex<ByRuntime<Queue>>,
}

/// The reads of one runtime. Whoever waits is waited for by a carrier, and never
/// by one that left alone: its caller may leave it lying unpolled.
#[derive(Default)]
struct Queue {
    is_one_alone: bool,
    carriers: usize,
    waiting: VecDeque<Waiting>,
    sweep: Sweep,
}

struct Waiting {
    key: OwnedKey,
    waiter: Waiter<Outcome>,
}

/// How a read goes.
pub(super) enum ReadWay<'a> {
    /// By itself, and nobody else has to know.
    Through,
    /// By itself; those that come meanwhile travel together.
    Alone(Alone<'a>),
    /// With others.
    Together(Answer<Outcome>),
}

/// The trip of a read that goes by itself.
pub(super) struct Alone<'a> {
    reads: &'a Arc<Reads>,
    runtime: Handle,
}

impl Reads {
    pub(super) fn new(below: Arc<dyn AsyncCache>, context: &Context, gather: Gather) -> Self {
        Self {
            below,
            context: context.clone(),
            gather,
            mean_bytes: AtomicUsize::new(0),
            under_way: UnderWay::default(),
            queues: Mutex::default(),
        }
    }

    pub(super) fn enter(self: &Arc<Self>, key: &Key<'_>) -> ReadWay<'_> {
        let Ok(runtime) = Handle::try_current() else { return ReadWay::Through };
        let is_quiet = self.under_way.is_none();
        if is_quiet && self.leaves_alone(self.queues().get_or_make(runtime.id(), Queue::default)) {
            return ReadWay::Alone(Alone { reads: self, runtime });
        }
        // Made before the lock is taken.
        let until = self.context.clock.precise().after(self.context.deadline);
        let (waiter, answer) = Waiter::new(until);
        let waiting = Waiting { key: key.to_owned_key(), waiter };
        let needs_carrier = {
            let mut queues = self.queues();
            let queue = queues.get_or_make(runtime.id(), Queue::default);
            if self.leaves_alone(queue) {
                drop(queues);
                return ReadWay::Alone(Alone { reads: self, runtime });
            }
            queue.waiting.push_back(waiting);
            queue.sweep.after_push(&mut queue.waiting, |waiting| waiting.waiter.is_gone());
            let most = self.gather.trips.saturating_sub(usize::from(queue.is_one_alone)).max(1);
            let needs_carrier = queue.carriers < most;
            if needs_carrier {
                queue.carriers += 1;
                self.under_way.begin();
            }
            needs_carrier
        };
        if needs_carrier {
            Carrier::start(self, &runtime);
        }
        ReadWay::Together(answer)
    }

    fn leaves_alone(&self, queue: &mut Queue) -> bool {
        if !queue.is_idle() {
            return false;
        }
        queue.is_one_alone = true;
        self.under_way.begin();
        true
    }

    /// The next to travel, without those who have left. False: there is nobody,
    /// and the carrier is gone.
    fn board(&self, runtime: runtime::Id, boarding: &mut Vec<Waiting>) -> bool {
        let most = match self.mean_bytes.load(Ordering::Relaxed) {
            0 => self.gather.keys,
            mean => (self.gather.bytes / mean).clamp(1, self.gather.keys),
        };
        {
            let mut queues = self.queues();
            let Some(queue) = queues.get(runtime) else { return false };
            if queue.waiting.is_empty() {
                queue.carriers -= 1;
                self.under_way.end();
                return false;
            }
            let count = queue.waiting.len().min(most);
            boarding.extend(queue.waiting.drain(..count));
        }
        boarding.retain(|waiting| !waiting.waiter.is_gone());
        true
    }

    async fn carry(&self, runtime: runtime::Id, boarded: &mut Vec<Waiting>) {
        let (keys, mut travellers): (Vec<_>, Vec<_>) =
            boarded.drain(..).map(|waiting| (waiting.key, waiting.waiter)).unzip();
        self.context.counters.count(Counter::Batches);
        self.context.counters.add(Counter::Batched, keys.len() as u64);
        let keys: Vec<_> = keys.iter().map(OwnedKey::as_key).collect();
        let trip = self.below.get_many(&keys, Read::default());
        let expire = |now| self.expire_waiting(runtime, now);
        let outcome = carry(&self.context, trip, &mut travellers, expire).await;
        if let Ok(answers) = &outcome {
            self.weigh(answers);
        }
        hand_out(&mut travellers, outcome);
    }

    /// Learns how large answers are.
    fn weigh(&self, answers: &[Result<Outcome>]) {
        let lengths = answers.iter().filter_map(|answer| answer.as_ref().ok()?.as_ref()?.entry.length());
        let (count, bytes) = lengths.fold((0, 0), |(count, bytes), length| (count + 1, bytes + length));
        if let Some(mean) = usize::checked_div(bytes, count) {
            let before = self.mean_bytes.load(Ordering::Relaxed);
            let smoothed = if before == 0 { mean } else { (3 * before + mean) / 4 };
            self.mean_bytes.store(smoothed.max(1), Ordering::Relaxed);
        }
    }

    fn expire_waiting(&self, runtime: runtime::Id, now: Tick) -> Tick {
        let mut queues = self.queues();
        let Some(queue) = queues.get(runtime) else { return Tick::NEVER };
        let deadline = self.context.deadline;
        // Whoever waits behind has as much time left or more.
        while let Some(first) = queue.waiting.front_mut() {
            first.waiter.expire(now, deadline);
            if !first.waiter.is_gone() {
                return first.waiter.until();
            }
            queue.waiting.pop_front();
        }
        Tick::NEVER
    }

    pub(super) fn waiting(&self) -> usize {
        self.queues().all().map(|queue| queue.waiting.len()).sum()
    }

    /// Ends when nothing is under way.
    pub(super) async fn idle(&self) {
        self.under_way.over().await;
    }

    fn queues(&self) -> MutexGuard<'_, ByRuntime<Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        if let Some(queue) = self.reads.queues().get(self.runtime.id()) {
            queue.is_one_alone = false;
        }
        self.reads.under_way.end();
    }
}

/// The task that makes one trip after the other, until nobody waits.
struct Carrier {
    reads: Arc<Reads>,
    runtime: runtime::Id,
    ended: bool,
}

impl Carrier {
    /// It has been counted. No lock is held: a runtime that has been shut
    /// down drops the task at once.
    fn start(reads: &Arc<Reads>, runtime: &Handle) {
        let carrier = Self { reads: Arc::clone(reads), runtime: runtime.id(), ended: false };
        reads.context.tasks.spawn_on(carrier.run(), runtime);
    }

    async fn run(mut self) {
        let mut boarded = Vec::new();
        loop {
            behind_all_others().await;
            if !self.reads.board(self.runtime, &mut boarded) {
                self.ended = true;
                return;
            }
            if !boarded.is_empty() {
                self.reads.carry(self.runtime, &mut boarded).await;
            }
        }
    }
}

/// If the runtime is shut down, those who wait on it learn of it.
impl Drop for Carrier {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let abandoned = self.reads.queues().get(self.runtime).map(|queue| {
            queue.carriers -= 1;
            std::mem::take(&mut queue.waiting)
        });
        drop(abandoned);
        self.reads.under_way.end();
    }
}

impl Idle for Queue {
    fn is_idle(&self) -> bool {
        !self.is_one_alone && self.carriers == 0
    }
}
