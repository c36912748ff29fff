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

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    struct Busy(bool);

    impl Idle for Busy {
        fn is_idle(&self) -> bool {
            !self.0
        }
    }

    #[test]
    fn runtimes_on_which_nothing_is_under_way_do_not_pile_up() {
        let mut by_runtime = ByRuntime::default();
        for number in 0..10 {
            let runtime = Builder::new_current_thread().build().expect("a runtime");
            by_runtime.get_or_make(runtime.handle().id(), || Busy(number < 2));
        }
        // Those that are busy, and the last.
        assert_eq!(by_runtime.all().count(), 3);
    }
}
