//! One thing to measure.

use std::future::Future;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::task;
use crate::workload::{cold_keys, now};

/// A cache and an operation on it. It is opened only when it is run.
#[derive(Clone, Copy)]
pub struct Contender {
    pub name: &'static str,
    pub open: fn() -> Opened,
}

/// A contender whose cache is as it should be.
pub struct Opened {
    walk: Box<dyn Fn(Walk) + Send + Sync>,
    renew: Box<dyn Fn() + Send + Sync>,
}

/// Over the keys, round and round.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    /// Which of the threads this is; each begins at a place of its own.
    pub thread: usize,
    pub threads: usize,
    pub operations: usize,
}

/// Keys that are asked for once each.
pub struct ColdKeys {
    all: Arc<[String]>,
    walked: Range<usize>,
}

const OTHERWISE: &str = "a contender that does something else measures nothing";

impl Opened {
    /// Calls the operation for each key; it says whether it did what it should.
    pub fn calling(keys: Vec<String>, operation: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self::warm(move |walk| {
            for key in walk.over(&keys) {
                assert!(operation(key), "{OTHERWISE}");
            }
        })
    }

    /// Awaits the operation for each key, in one task for the whole walk.
    pub fn awaiting(
        keys: Vec<String>,
        operation: impl AsyncFn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::warm(move |walk| {
            now(async {
                for key in walk.over(&keys) {
                    assert!(operation(key).await, "{OTHERWISE}");
                }
            });
        })
    }

    /// Hands the walk a cache that has none of the keys; it is opened anew when
    /// they have been walked over.
    pub fn cold<C, F>(
        open: impl Fn() -> C + Send + Sync + 'static,
        walk: impl Fn(Arc<C>, ColdKeys) -> F + Send + Sync + 'static,
    ) -> Self
    where
        C: Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let keys = cold_keys();
        let current = Arc::new(Mutex::new(Arc::new(open())));
        let renewed = Arc::clone(&current);
        Self {
            walk: Box::new(move |part| {
                let cache = Arc::clone(&current.lock().unwrap_or_else(PoisonError::into_inner));
                task::run(walk(cache, part.of_cold(&keys)));
            }),
            renew: Box::new(move || {
                *renewed.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(open());
            }),
        }
    }

    fn warm(walk: impl Fn(Walk) + Send + Sync + 'static) -> Self {
        Self { walk: Box::new(walk), renew: Box::new(|| {}) }
    }

    pub fn walk(&self, walk: Walk) {
        (self.walk)(walk);
    }

    /// Undoes what a walk has done, if the next one could not be the same.
    pub fn renew(&self) {
        (self.renew)();
    }
}

impl Walk {
    fn over(self, keys: &[String]) -> impl Iterator<Item = &str> {
        let start = self.start(keys.len());
        (start..start + self.operations).map(|step| &*keys[step % keys.len()])
    }

    fn of_cold(self, keys: &Arc<[String]>) -> ColdKeys {
        assert!(self.operations <= keys.len() / self.threads, "there are not so many cold keys");
        let start = self.start(keys.len());
        ColdKeys { all: Arc::clone(keys), walked: start..start + self.operations }
    }

    /// Where the thread begins, so that threads walk apart.
    fn start(self, keys: usize) -> usize {
        self.thread * keys / self.threads
    }
}

impl ColdKeys {
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.all[self.walked.clone()].iter().map(String::as_str)
    }
}
