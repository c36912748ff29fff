//! What there is of each tokio runtime: nobody waits for tasks of another one.

use std::collections::HashMap;

use tokio::runtime;

/// A `T` for each runtime on which something is under way, and for a few on
/// which nothing is any more.
pub(super) struct ByRuntime<T>(HashMap<runtime::Id, T, foldhash::fast::RandomState>);

/// What can be forgotten when nothing is under way.
pub(super) trait Idle {
    fn is_idle(&self) -> bool;
}

impl<T> Default for ByRuntime<T> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<T: Idle> ByRuntime<T> {
    /// That of this runtime, made if there is none; those of other runtimes are
    /// then forgotten where they are idle, so that they do not pile up.
    pub(super) fn get_or_make(&mut self, runtime: runtime::Id, make: impl FnOnce() -> T) -> &mut T {
        if !self.0.contains_key(&runtime) {
            self.0.retain(|_, other| !other.is_idle());
        }
        self.0.entry(runtime).or_insert_with(make)
    }

    pub(super) fn get(&mut self, runtime: runtime::Id) -> Option<&mut T> {
        self.0.get_mut(&runtime)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        self.0.values()
    }
}
