//! What a history consisted of: one that says little proves little.

use std::ops::AddAssign;
use std::sync::Mutex;

/// How often what happened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Reads that saw what there was.
    pub(crate) present: u64,
    /// Reads that saw what there had been.
    pub(crate) past: u64,
    pub(crate) failed: u64,
    pub(crate) written: u64,
    pub(crate) unwritten: u64,
    pub(crate) dropped: u64,
    pub(crate) routed_to_replica: u64,
    pub(crate) retried: u64,
    pub(crate) left_out: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Shared(Mutex<Tally>);

impl Shared {
    pub(crate) fn add(&self, which: impl FnOnce(&mut Tally) -> &mut u64) {
        *which(&mut self.0.lock().expect("nobody panics under it")) += 1;
    }

    pub(crate) fn total(&self) -> Tally {
        *self.0.lock().expect("nobody panics under it")
    }
}

impl Tally {
    /// The least of what there has to be something of.
    pub(crate) fn least(&self) -> u64 {
        let Self { present, past, failed, written, unwritten, dropped, routed_to_replica, retried, left_out } =
            *self;
        let all = [present, past, failed, written, unwritten, dropped, routed_to_replica, retried, left_out];
        all.into_iter().min().unwrap_or(0)
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.present += other.present;
        self.past += other.past;
        self.failed += other.failed;
        self.written += other.written;
        self.unwritten += other.unwritten;
        self.dropped += other.dropped;
        self.routed_to_replica += other.routed_to_replica;
        self.retried += other.retried;
        self.left_out += other.left_out;
    }
}
