//! What happened: counters of one alias, in one vocabulary.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

use crate::codec::UndecodableReason;
use crate::error::ErrorKind;

/// The counters of one alias, shared by its handles, its layers and its store.
///
/// They are striped over threads, so that two of them do not fight over a line.
#[derive(Clone, Debug)]
pub struct Counters {
    stripes: Arc<[CachePadded<Stripe>]>,
}

/// What can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Counter {
    /// A read of one key found a live entry that decoded.
    Hits,
    /// A read of one key found none.
    Misses,
    /// One key was written, touched, incremented or moved.
    Writes,
    /// One key was deleted, whether it was there or not.
    Deletes,
    /// A failed read counted as a miss, as `on_error = "miss"` asks.
    ErrorsAsMisses,
    /// The store dropped a live entry to make room.
    Evictions,
    /// The store dropped an entry whose life was over.
    Expirations,
    /// A store went from being there to being known to be down.
    Outages,
    /// A call failed at once because the store was known to be down.
    FailedFast,
    /// A connection to the store was made in the place of one that was lost or given up.
    Reconnections,
    /// An operation went to the leader, of a store that has replicas.
    RoutedToLeader,
    /// A read went to a replica.
    RoutedToReplica,
    /// A read failed on a replica and was tried on the leader.
    RetriedOnLeader,
    /// A replica was left out: it was down, loading, or too old.
    ReplicasLeftOut,
    /// Operations of single keys travelled together, in one trip.
    Batches,
    /// An operation of a single key was one of those.
    Batched,
    /// A loader was called, for one key or for those of a batch.
    Loads,
    /// A caller waited for another's load of a key.
    LoadWaits,
    /// A loaded value was not stored, since its key was written, deleted or
    /// cleared meanwhile.
    LoadsVoided,
    /// A loader failed.
    LoadsFailed,
    /// A loader panicked.
    LoadsPanicked,
    /// A loader did not end within its deadline.
    LoadsTimedOut,
    /// A loaded value was not stored, since there was an entry by then.
    PublishesRefused,
    /// A loaded value could not be stored.
    PublishesFailed,
    /// An operation failed with an error of this kind.
    Errors(ErrorKind),
    /// An entry could not be decoded, for this reason.
    Undecodable(UndecodableReason),
}

/// What [`Cache::stats`](crate::Cache::stats) answers: all counters of an alias
/// since it was opened, and what its store knows of its size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// [`Counter::Hits`].
    pub hits: u64,
    /// [`Counter::Misses`].
    pub misses: u64,
    /// [`Counter::Writes`].
    pub writes: u64,
    /// [`Counter::Deletes`].
    pub deletes: u64,
    /// [`Counter::ErrorsAsMisses`].
    pub errors_as_misses: u64,
    /// [`Counter::Evictions`].
    pub evictions: u64,
    /// [`Counter::Expirations`].
    pub expirations: u64,
    /// [`Counter::Outages`].
    pub outages: u64,
    /// [`Counter::FailedFast`].
    pub failed_fast: u64,
    /// [`Counter::Reconnections`].
    pub reconnections: u64,
    /// [`Counter::RoutedToLeader`].
    pub routed_to_leader: u64,
    /// [`Counter::RoutedToReplica`].
    pub routed_to_replica: u64,
    /// [`Counter::RetriedOnLeader`].
    pub retried_on_leader: u64,
    /// [`Counter::ReplicasLeftOut`].
    pub replicas_left_out: u64,
    /// [`Counter::Batches`].
    pub batches: u64,
    /// [`Counter::Batched`].
    pub batched: u64,
    /// [`Counter::Loads`].
    pub loads: u64,
    /// [`Counter::LoadWaits`].
    pub load_waits: u64,
    /// [`Counter::LoadsVoided`].
    pub loads_voided: u64,
    /// [`Counter::LoadsFailed`].
    pub loads_failed: u64,
    /// [`Counter::LoadsPanicked`].
    pub loads_panicked: u64,
    /// [`Counter::LoadsTimedOut`].
    pub loads_timed_out: u64,
    /// [`Counter::PublishesRefused`].
    pub publishes_refused: u64,
    /// [`Counter::PublishesFailed`].
    pub publishes_failed: u64,
    /// [`Counter::Errors`], those that are not zero.
    pub errors: BTreeMap<ErrorKind, u64>,
    /// [`Counter::Undecodable`], those that are not zero, as pairs.
    pub undecodable: Vec<(UndecodableReason, u64)>,
    /// How many keys are being loaded right now, or stored after it.
    pub loading: u64,
    /// How many entries the store holds, of all aliases that share it.
    pub entries: Option<u64>,
    /// How many bytes they take.
    pub bytes: Option<u64>,
}

/// The counters without a kind come first, then the kinds, then the reasons.
const PLAIN: usize = 24;
const SLOTS: usize = PLAIN + ErrorKind::ALL.len() + UndecodableReason::ALL.len();

#[derive(Debug)]
struct Stripe([AtomicU64; SLOTS]);

impl Default for Counters {
    fn default() -> Self {
        Self::new()
    }
}

impl Counters {
    /// All at zero.
    pub fn new() -> Self {
        let threads = std::thread::available_parallelism().map_or(4, usize::from);
        let stripes = threads.next_power_of_two().clamp(2, 64);
        Self { stripes: (0..stripes).map(|_| CachePadded::new(Stripe::new())).collect() }
    }

    /// Counts one.
    #[inline]
    pub fn count(&self, counter: Counter) {
        self.add(counter, 1);
    }

    /// Counts several at once.
    #[inline]
    pub fn add(&self, counter: Counter, amount: u64) {
        let stripe = &self.stripes[thread_number() & (self.stripes.len() - 1)];
        stripe.0[counter.slot()].fetch_add(amount, Ordering::Relaxed);
    }

    /// How often this was counted.
    pub fn total(&self, counter: Counter) -> u64 {
        self.sum(counter.slot())
    }

    fn sum(&self, slot: usize) -> u64 {
        self.stripes.iter().map(|stripe| stripe.0[slot].load(Ordering::Relaxed)).sum()
    }

    /// All of them now.
    pub fn snapshot(&self) -> Stats {
        let errors = ErrorKind::ALL
            .iter()
            .copied()
            .map(|kind| (kind, self.total(Counter::Errors(kind))))
            .filter(|(_, count)| *count > 0)
            .collect();
        let undecodable = UndecodableReason::ALL
            .iter()
            .copied()
            .map(|reason| (reason, self.total(Counter::Undecodable(reason))))
            .filter(|(_, count)| *count > 0)
            .collect();
        Stats {
            hits: self.total(Counter::Hits),
            misses: self.total(Counter::Misses),
            writes: self.total(Counter::Writes),
            deletes: self.total(Counter::Deletes),
            errors_as_misses: self.total(Counter::ErrorsAsMisses),
            evictions: self.total(Counter::Evictions),
            expirations: self.total(Counter::Expirations),
            outages: self.total(Counter::Outages),
            failed_fast: self.total(Counter::FailedFast),
            reconnections: self.total(Counter::Reconnections),
            routed_to_leader: self.total(Counter::RoutedToLeader),
            routed_to_replica: self.total(Counter::RoutedToReplica),
            retried_on_leader: self.total(Counter::RetriedOnLeader),
            replicas_left_out: self.total(Counter::ReplicasLeftOut),
            batches: self.total(Counter::Batches),
            batched: self.total(Counter::Batched),
            loads: self.total(Counter::Loads),
            load_waits: self.total(Counter::LoadWaits),
            loads_voided: self.total(Counter::LoadsVoided),
            loads_failed: self.total(Counter::LoadsFailed),
            loads_panicked: self.total(Counter::LoadsPanicked),
            loads_timed_out: self.total(Counter::LoadsTimedOut),
            publishes_refused: self.total(Counter::PublishesRefused),
            publishes_failed: self.total(Counter::PublishesFailed),
            errors,
            undecodable,
            loading: 0,
            entries: None,
            bytes: None,
        }
    }
}

impl Counter {
    #[inline]
    fn slot(self) -> usize {
        match self {
            Self::Hits => 0,
            Self::Misses => 1,
            Self::Writes => 2,
            Self::Deletes => 3,
            Self::ErrorsAsMisses => 4,
            Self::Evictions => 5,
            Self::Expirations => 6,
            Self::Outages => 7,
            Self::FailedFast => 8,
            Self::Loads => 9,
            Self::LoadWaits => 10,
            Self::LoadsVoided => 11,
            Self::LoadsFailed => 12,
            Self::LoadsPanicked => 13,
            Self::LoadsTimedOut => 14,
            Self::PublishesRefused => 15,
            Self::PublishesFailed => 16,
            Self::Reconnections => 17,
            Self::RoutedToLeader => 18,
            Self::RoutedToReplica => 19,
            Self::RetriedOnLeader => 20,
            Self::ReplicasLeftOut => 21,
            Self::Batches => 22,
            Self::Batched => 23,
            // Both enums have no explicit discriminants, and `ALL` lists them in order.
            Self::Errors(kind) => PLAIN + kind as usize,
            Self::Undecodable(reason) => PLAIN + ErrorKind::ALL.len() + reason as usize,
        }
    }
}

impl Stripe {
    fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

/// A number that differs between most threads.
///
/// The address of a thread's own variable tells threads apart without a
/// counter that they would share.
#[inline]
fn thread_number() -> usize {
    thread_local!(static MARK: u8 = const { 0 });
    MARK.with(|mark| {
        let address = std::ptr::from_ref(mark).addr() as u64;
        // Threads' blocks lie page-aligned and far apart; the middle bits differ.
        ((address >> 12).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as usize
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_and_reason_has_a_slot_of_its_own() {
        let counters = Counters::new();
        for kind in ErrorKind::ALL.iter().copied() {
            counters.add(Counter::Errors(kind), 1 + kind as u64);
        }
        for reason in UndecodableReason::ALL.iter().copied() {
            counters.add(Counter::Undecodable(reason), 100 + reason as u64);
        }
        let stats = counters.snapshot();
        assert!(stats.errors.iter().all(|(kind, count)| *count == 1 + *kind as u64));
        assert_eq!(stats.errors.len(), ErrorKind::ALL.len());
        assert!(stats.undecodable.iter().all(|(reason, count)| *count == 100 + *reason as u64));
    }

    #[test]
    fn counts_of_all_threads_add_up() {
        let counters = Counters::new();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..1_000).for_each(|_| counters.count(Counter::Hits)));
            }
        });
        assert_eq!(counters.total(Counter::Hits), 8_000);
    }
}
