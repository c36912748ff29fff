//! Single writes: alone in a free lane, together otherwise, and never one of a
//! key before an earlier one of it is done.

use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{self, Handle};
use tokio::sync::oneshot;

use super::by_runtime::ByRuntime;
use super::carrying::{behind_all_others, carry, hand_out};
use super::lanes::{Done, Lanes, Next, Waiting, WaitingTurn, WaitingWrite};
use super::under_way::UnderWay;
use super::waiter::{Answer, Waiter, answer};
use crate::async_cache::AsyncCache;
use crate::backend::Context;
use crate::capabilities::Gather;
use crate::clock::Tick;
use crate::entry::NewEntry;
use crate::error::Result;
use crate::key::Key;
use crate::options::Write;
use crate::stats::Counter;

/// The writes of one server.
pub(super) struct Writes {
    below: Arc<dyn AsyncCache>,
    context: Context,
    /// On each runtime there are so many lanes as it says trips.
    gather: Gather,
    under_way: UnderWay,
    by_runtime: Mutex<ByRuntime<Lanes>>,
    /// Of good quality: with a fast one, some seeds leave a lane empty.
    hasher: foldhash::quality::RandomState,
}

/// How long a caller may take to send what it has waited to send.
const PATIENCE: Duration = Duration::from_millis(20);

/// How a write goes.
pub(super) enum WriteWay<'a> {
    /// By itself, and nobody else has to know.
    Through,
    /// By itself; those that come meanwhile travel together.
    Alone(Alone<'a>),
    /// With others.
    Together(Answer<bool>),
}

/// The trip of a write that goes by itself.
pub(super) struct Alone<'a> {
    writes: &'a Arc<Writes>,
    runtime: Handle,
    lane: usize,
}

/// The turns that a write of another kind has to wait for.
pub(super) struct Turn(Vec<Answer<Done>>);

impl Writes {
    pub(super) fn new(below: Arc<dyn AsyncCache>, context: &Context, gather: Gather) -> Self {
        Self {
            below,
            context: context.clone(),
            gather,
            under_way: UnderWay::default(),
            by_runtime: Mutex::default(),
            hasher: foldhash::quality::RandomState::default(),
        }
    }

    /// Whether the value is not to travel with others.
    ///
    /// # Errors
    ///
    /// The value's own.
    pub(super) fn is_too_long(&self, value: &NewEntry<'_>) -> Result<bool> {
        if self.gather.longest == usize::MAX || value.integer().is_some() {
            return Ok(false);
        }
        Ok(value.encoded()?.len() > self.gather.longest)
    }

    /// # Errors
    ///
    /// The value's own: what waits has been encoded.
    pub(super) fn enter(
        self: &Arc<Self>,
        key: &Key<'_>,
        value: &NewEntry<'_>,
        write: &Write,
    ) -> Result<WriteWay<'_>> {
        let Ok(runtime) = Handle::try_current() else { return Ok(WriteWay::Through) };
        let hash = self.hasher.hash_one(key);
        let leaves_alone = |lanes: &mut Lanes| {
            let number = lanes.of(hash);
            lanes.lane(number).leaves_alone().then(|| {
                self.under_way.begin();
                number
            })
        };
        let alone =
            leaves_alone(self.by_runtime().get_or_make(runtime.id(), || Lanes::new(self.gather.trips)));
        if let Some(lane) = alone {
            return Ok(WriteWay::Alone(Alone { writes: self, runtime, lane }));
        }
        // Made while no lock is held.
        let value = value.to_encoded()?;
        let (waiter, answer) = Waiter::new(self.context.clock.precise().after(self.context.deadline));
        let (key, write) = (key.to_owned_key(), write.clone());
        let waiting = WaitingWrite { hash, key, value, write, waiter };
        let (number, needs_carrier) = {
            let mut by_runtime = self.by_runtime();
            let lanes = by_runtime.get_or_make(runtime.id(), || Lanes::new(self.gather.trips));
            if let Some(lane) = leaves_alone(lanes) {
                drop(by_runtime);
                return Ok(WriteWay::Alone(Alone { writes: self, runtime, lane }));
            }
            let number = lanes.of(hash);
            let lane = lanes.lane(number);
            lane.push(Waiting::Write(waiting));
            let needs_carrier = lane.needs_carrier();
            if needs_carrier {
                self.under_way.begin();
            }
            (number, needs_carrier)
        };
        if needs_carrier {
            Carrier::start(self, &runtime, number);
        }
        Ok(WriteWay::Together(answer))
    }

    /// What a write of these keys has to wait for, if there is anything.
    pub(super) fn turn(&self, keys: &[Key<'_>]) -> Option<Turn> {
        self.turn_of(|lanes, until| {
            let hashes: Vec<_> = keys.iter().map(|key| self.hasher.hash_one(key)).collect();
            lanes.turns(&hashes, until)
        })
    }

    /// What comes behind all that is under way and waits now.
    pub(super) fn turn_behind_all(&self) -> Option<Turn> {
        self.turn_of(Lanes::turns_behind_all)
    }

    fn turn_of(&self, take: impl FnOnce(&mut Lanes, Tick) -> Vec<Answer<Done>>) -> Option<Turn> {
        if self.under_way.is_none() {
            return None;
        }
        let runtime = Handle::try_current().ok()?;
        let until = self.context.clock.precise().after(self.context.deadline);
        let mut by_runtime = self.by_runtime();
        let turns = take(by_runtime.get(runtime.id())?, until);
        (!turns.is_empty()).then_some(Turn(turns))
    }

    /// Who travels next in this lane, without those who have left.
    fn board(&self, runtime: runtime::Id, lane: usize, boarding: &mut Vec<WaitingWrite>) -> Next {
        let next = {
            let mut by_runtime = self.by_runtime();
            let Some(lanes) = by_runtime.get(runtime) else { return Next::Nobody };
            lanes.lane(lane).next(boarding, self.gather.keys, self.gather.bytes)
        };
        if matches!(next, Next::Nobody) {
            self.under_way.end();
        }
        boarding.retain(|waiting| !waiting.waiter.is_gone());
        next
    }

    async fn carry(&self, boarded: &mut Vec<WaitingWrite>, expire: impl Fn(Tick) -> Tick) {
        self.context.counters.count(Counter::Batches);
        self.context.counters.add(Counter::Batched, boarded.len() as u64);
        let (items, mut travellers): (Vec<_>, Vec<_>) = boarded
            .drain(..)
            .map(|waiting| ((waiting.key, waiting.value, waiting.write), waiting.waiter))
            .unzip();
        let items: Vec<_> = items
            .iter()
            .map(|(key, value, write)| (key.as_key(), value.as_new_entry(), write.clone()))
            .collect();
        let trip = self.below.set_many(&items);
        let outcome = carry(&self.context, trip, &mut travellers, expire).await;
        hand_out(&mut travellers, outcome);
    }

    /// Lets the lane stand still until the write whose turn it is has been sent.
    async fn let_through(&self, mut turn: WaitingTurn, expire: impl Fn(Tick) -> Tick) {
        let (done, sent) = oneshot::channel();
        turn.waiter.tell(Ok(done));
        let patience = self.context.clock.precise().after(PATIENCE);
        let sent = async {
            // That it is dropped is the word. A caller who does not get to it must
            // not keep all others waiting.
            drop(self.context.timer.limit(patience, sent).await);
            Ok(())
        };
        // Without timers its caller cannot go on either.
        drop(carry::<(), Done>(&self.context, sent, &mut [], expire).await);
    }

    fn expire_waiting(&self, runtime: runtime::Id, lane: usize, now: Tick) -> Tick {
        let mut by_runtime = self.by_runtime();
        let Some(lanes) = by_runtime.get(runtime) else { return Tick::NEVER };
        lanes.lane(lane).expire(now, self.context.deadline)
    }

    pub(super) fn waiting(&self) -> usize {
        self.by_runtime().all().map(Lanes::waiting).sum()
    }

    /// Ends when nothing is under way.
    pub(super) async fn idle(&self) {
        self.under_way.over().await;
    }

    fn by_runtime(&self) -> MutexGuard<'_, ByRuntime<Lanes>> {
        self.by_runtime.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Ends when all that was before is done. What comes behind waits until the
    /// answer is dropped, for a little while.
    pub(super) async fn granted(self) -> Result<Vec<Done>> {
        let mut granted = Vec::with_capacity(self.0.len());
        for turn in self.0 {
            granted.push(answer(turn).await?);
        }
        Ok(granted)
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        if let Some(lanes) = self.writes.by_runtime().get(self.runtime.id()) {
            lanes.lane(self.lane).is_alone_no_more();
        }
        self.writes.under_way.end();
    }
}

/// The task that makes one trip after the other in a lane, until nobody waits.
struct Carrier {
    writes: Arc<Writes>,
    runtime: runtime::Id,
    lane: usize,
    ended: bool,
}

impl Carrier {
    /// It has been counted. No lock is held: a runtime that has been shut down
    /// drops the task at once.
    fn start(writes: &Arc<Writes>, runtime: &Handle, lane: usize) {
        let carrier = Self { writes: Arc::clone(writes), runtime: runtime.id(), lane, ended: false };
        writes.context.tasks.spawn_on(carrier.run(), runtime);
    }

    async fn run(mut self) {
        let mut boarded = Vec::new();
        loop {
            behind_all_others().await;
            let expire = |now| self.writes.expire_waiting(self.runtime, self.lane, now);
            match self.writes.board(self.runtime, self.lane, &mut boarded) {
                Next::Nobody => break,
                Next::Writes if boarded.is_empty() => {}
                Next::Writes => self.writes.carry(&mut boarded, expire).await,
                Next::Turn(turn) => self.writes.let_through(turn, expire).await,
            }
        }
        self.ended = true;
    }
}

/// If the runtime is shut down, those who wait on it learn of it.
impl Drop for Carrier {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let abandoned =
            self.writes.by_runtime().get(self.runtime).map(|lanes| lanes.lane(self.lane).abandon());
        drop(abandoned);
        self.writes.under_way.end();
    }
}
