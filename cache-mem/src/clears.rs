//! The clears that are under way.

use std::sync::{Mutex, MutexGuard, PoisonError};

use cache_core::{Key, Scope, has_prefix};

/// The clears that are under way, each with its prefix.
///
/// A clear goes from shard to shard, so a move of a key that it covers could
/// slip from one that it has not reached into one that it has.
#[derive(Default)]
pub(crate) struct Clears(Mutex<Running>);

#[derive(Default)]
struct Running {
    prefixes: Vec<(u64, Option<Box<str>>)>,
    next: u64,
}

/// A clear that is under way, until it ends or is dropped.
pub(crate) struct Clearing<'a> {
    clears: &'a Clears,
    number: u64,
}

impl Clears {
    pub(crate) fn begin(&self, scope: &Scope<'_>) -> Clearing<'_> {
        let mut running = self.running();
        let number = running.next;
        running.next += 1;
        running.prefixes.push((number, scope.prefix().map(Into::into)));
        Clearing { clears: self, number }
    }

    /// Whether a clear that is under way covers the key.
    pub(crate) fn cover(&self, key: &Key<'_>) -> bool {
        let running = self.running();
        !running.prefixes.is_empty() && {
            let text = key.text();
            let covers =
                |prefix: &Option<Box<str>>| prefix.as_ref().is_none_or(|prefix| has_prefix(&text, prefix));
            running.prefixes.iter().any(|(_, prefix)| covers(prefix))
        }
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Clearing<'_> {
    fn drop(&mut self) {
        self.clears.running().prefixes.retain(|(number, _)| *number != self.number);
    }
}
