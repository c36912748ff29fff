//! Who writes, and who waits for it: lanes, each with one trip at a time.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use super::by_runtime::Idle;
use super::sweep::Sweep;
use super::waiter::{Answer, Waiter};
use crate::clock::Tick;
use crate::entry::EncodedEntry;
use crate::key::OwnedKey;
use crate::options::Write;
use tokio::sync::oneshot;

/// The writes of one runtime.
///
/// A key has one lane, and a lane one carrier: so a write that waited is done
/// before a later one of its key is sent. One that leaves alone was sent when it
/// was first polled, and nobody waits for it: its caller may leave it lying.
pub(super) struct Lanes(Vec<Lane>);

/// While there is no carrier, nobody waits.
#[derive(Default)]
pub(super) struct Lane {
    is_one_alone: bool,
    has_carrier: bool,
    /// The hashes of the keys that the carrier's trip is about.
    under_way: Vec<u64>,
    waiting: VecDeque<Waiting>,
    sweep: Sweep,
}

/// One who waits in a lane.
pub(super) enum Waiting {
    Write(WaitingWrite),
    Turn(WaitingTurn),
}

/// A write that will travel with others.
pub(super) struct WaitingWrite {
    pub(super) hash: u64,
    pub(super) key: OwnedKey,
    pub(super) value: EncodedEntry,
    pub(super) write: Write,
    pub(super) waiter: Waiter<bool>,
}

/// A write of another kind, which goes by itself while the lane stands still.
pub(super) struct WaitingTurn {
    hashes: Box<[u64]>,
    pub(super) waiter: Waiter<Done>,
}

/// Dropped when the write whose turn it is has been sent.
pub(super) type Done = oneshot::Sender<()>;

/// Who comes next in a lane.
pub(super) enum Next {
    Nobody,
    /// Those that were put into the list, which may be empty since all have left.
    Writes,
    Turn(WaitingTurn),
}

/// How many keys are looked for one by one.
const FEW: usize = 8;

impl Lanes {
    pub(super) fn new(count: usize) -> Self {
        Self((0..count).map(|_| Lane::default()).collect())
    }

    /// The number of the lane of a key.
    pub(super) fn of(&self, hash: u64) -> usize {
        usize::try_from(hash % self.0.len() as u64).unwrap_or(0)
    }

    pub(super) fn lane(&mut self, number: usize) -> &mut Lane {
        &mut self.0[number]
    }

    /// A turn in each lane where one of these keys is written or waited for.
    pub(super) fn turns(&mut self, hashes: &[u64], until: Tick) -> Vec<Answer<Done>> {
        let set: HashSet<u64> =
            if hashes.len() > FEW { hashes.iter().copied().collect() } else { HashSet::new() };
        let is_one = |hash: u64| if set.is_empty() { hashes.contains(&hash) } else { set.contains(&hash) };
        self.turns_where(|lane| lane.has_carrier && lane.hashes().any(is_one), hashes, until)
    }

    /// A turn in each lane where anybody waits or travels.
    pub(super) fn turns_behind_all(&mut self, until: Tick) -> Vec<Answer<Done>> {
        self.turns_where(|lane| lane.has_carrier, &[], until)
    }

    /// All of them at once, so that of two who need the same lanes one is before
    /// the other in each.
    fn turns_where(
        &mut self,
        is_needed: impl Fn(&Lane) -> bool,
        hashes: &[u64],
        until: Tick,
    ) -> Vec<Answer<Done>> {
        let lanes = self.0.iter_mut().filter(|lane| is_needed(lane));
        lanes
            .map(|lane| {
                let (waiter, granted) = Waiter::new(until);
                lane.push(Waiting::Turn(WaitingTurn { hashes: hashes.into(), waiter }));
                granted
            })
            .collect()
    }

    pub(super) fn waiting(&self) -> usize {
        self.0.iter().map(|lane| lane.waiting.len()).sum()
    }
}

impl Lane {
    /// Lets a write go by itself, if the lane is free.
    pub(super) fn leaves_alone(&mut self) -> bool {
        let is_free = self.is_idle();
        self.is_one_alone |= is_free;
        is_free
    }

    pub(super) fn is_alone_no_more(&mut self) {
        self.is_one_alone = false;
    }

    pub(super) fn push(&mut self, waiting: Waiting) {
        self.waiting.push_back(waiting);
        self.sweep.after_push(&mut self.waiting, |waiting| match waiting {
            Waiting::Write(write) => write.waiter.is_gone(),
            Waiting::Turn(turn) => turn.waiter.is_gone(),
        });
    }

    /// Whether a carrier has to be started; from now on there is one.
    pub(super) fn needs_carrier(&mut self) -> bool {
        !std::mem::replace(&mut self.has_carrier, true)
    }

    /// Ends the trip that was under way and begins the next: of writes up to the
    /// first turn, at most so many keys and about so many bytes, or of one turn.
    pub(super) fn next(&mut self, writes: &mut Vec<WaitingWrite>, keys: usize, bytes: usize) -> Next {
        let mut left = bytes;
        self.under_way.clear();
        while let Some(Waiting::Write(first)) = self.waiting.front() {
            let length = first.key.as_key().len() + first.value.length();
            if writes.len() == keys || (length > left && !writes.is_empty()) {
                break;
            }
            left = left.saturating_sub(length);
            self.under_way.push(first.hash);
            if let Some(Waiting::Write(first)) = self.waiting.pop_front() {
                writes.push(first);
            }
        }
        if !writes.is_empty() {
            return Next::Writes;
        }
        // The loop has taken all writes before it.
        if let Some(Waiting::Turn(turn)) = self.waiting.pop_front() {
            self.under_way.extend_from_slice(&turn.hashes);
            return Next::Turn(turn);
        }
        self.has_carrier = false;
        Next::Nobody
    }

    /// Ends those whose time is over, and says when the next one is due.
    pub(super) fn expire(&mut self, now: Tick, deadline: Duration) -> Tick {
        // Whoever waits behind has as much time left or more.
        while let Some(first) = self.waiting.front_mut() {
            let until = match first {
                Waiting::Write(WaitingWrite { waiter, .. }) => outlasting(waiter, now, deadline),
                Waiting::Turn(WaitingTurn { waiter, .. }) => outlasting(waiter, now, deadline),
            };
            match until {
                Some(until) => return until,
                None => drop(self.waiting.pop_front()),
            }
        }
        Tick::NEVER
    }

    /// The carrier is gone, and nobody comes for those who wait.
    pub(super) fn abandon(&mut self) -> VecDeque<Waiting> {
        self.has_carrier = false;
        self.under_way.clear();
        std::mem::take(&mut self.waiting)
    }

    fn is_idle(&self) -> bool {
        !self.is_one_alone && !self.has_carrier
    }

    fn hashes(&self) -> impl Iterator<Item = u64> {
        let waiting = self.waiting.iter().flat_map(|waiting| match waiting {
            Waiting::Write(write) => std::slice::from_ref(&write.hash),
            Waiting::Turn(turn) => &turn.hashes[..],
        });
        self.under_way.iter().chain(waiting).copied()
    }
}

/// Ends the wait if its time is over; until when it lasts if it does.
fn outlasting<T>(waiter: &mut Waiter<T>, now: Tick, deadline: Duration) -> Option<Tick> {
    waiter.expire(now, deadline);
    (!waiter.is_gone()).then(|| waiter.until())
}

impl Idle for Lanes {
    fn is_idle(&self) -> bool {
        self.0.iter().all(Lane::is_idle)
    }
}
