//! One thing to measure.

use crate::workload::{KEYS, now};

/// A cache and an operation on it. It is opened only when it is run.
#[derive(Clone, Copy)]
pub struct Contender {
    pub name: &'static str,
    pub open: fn() -> Opened,
}

/// A contender whose cache is filled.
pub struct Opened(Box<dyn Fn(Walk) + Send + Sync>);

/// Over the keys, round and round.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    /// Which key comes first, so that threads can walk apart.
    pub start: usize,
    pub operations: usize,
}

const OTHERWISE: &str = "a contender that does something else measures nothing";

impl Opened {
    /// Calls the operation for each key; it says whether it did what it should.
    pub fn calling(keys: Vec<String>, operation: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self(Box::new(move |walk| {
            for key in walk.over(&keys) {
                assert!(operation(key), "{OTHERWISE}");
            }
        }))
    }

    /// Awaits the operation for each key, in one task for the whole walk.
    pub fn awaiting(
        keys: Vec<String>,
        operation: impl AsyncFn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self(Box::new(move |walk| {
            now(async {
                for key in walk.over(&keys) {
                    assert!(operation(key).await, "{OTHERWISE}");
                }
            });
        }))
    }

    pub fn walk(&self, walk: Walk) {
        (self.0)(walk);
    }
}

impl Walk {
    fn over(self, keys: &[String]) -> impl Iterator<Item = &str> {
        (self.start..self.start + self.operations).map(|step| &*keys[step % KEYS])
    }
}
