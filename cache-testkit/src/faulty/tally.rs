//! How often a store was called, and how many calls are inside.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::call::Call;

/// One [`Line`] for each kind of call.
#[derive(Debug, Default)]
pub(super) struct Tally([Line; Call::ALL.len()]);

#[derive(Debug, Default)]
struct Line {
    begun: AtomicUsize,
    inside: AtomicUsize,
    most_inside: AtomicUsize,
}

/// A call that is inside until this is dropped.
pub(super) struct Inside<'a>(&'a Line);

impl Tally {
    pub(super) fn enter(&self, call: Call) -> Inside<'_> {
        let line = self.line(call);
        line.begun.fetch_add(1, Ordering::SeqCst);
        let inside = line.inside.fetch_add(1, Ordering::SeqCst) + 1;
        line.most_inside.fetch_max(inside, Ordering::SeqCst);
        Inside(line)
    }

    pub(super) fn begun(&self, call: Call) -> usize {
        self.line(call).begun.load(Ordering::SeqCst)
    }

    pub(super) fn inside(&self, call: Call) -> usize {
        self.line(call).inside.load(Ordering::SeqCst)
    }

    pub(super) fn most_inside(&self, call: Call) -> usize {
        self.line(call).most_inside.load(Ordering::SeqCst)
    }

    fn line(&self, call: Call) -> &Line {
        // The enum has no explicit discriminants.
        &self.0[call as usize]
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::SeqCst);
    }
}
