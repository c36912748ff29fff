//! Many who write and read at once, each a key of its own, so that operations
//! travel together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cache_core::{Cache, Timeout};
use tokio::task::JoinHandle;

pub(crate) const MEMBERS: usize = 64;

/// They go on until they are told to end.
pub(crate) struct Crowd {
    is_over: Arc<AtomicBool>,
    members: Vec<JoinHandle<u64>>,
}

impl Crowd {
    pub(crate) fn over(cache: &Cache) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let members = (0..MEMBERS).map(|number| {
            let key = format!("of-{number}-in-the-crowd");
            tokio::spawn(goes_on(cache.clone(), key, Arc::clone(&is_over)))
        });
        Self { members: members.collect(), is_over }
    }

    /// That each has read what it wrote, every time, and that many travelled
    /// together.
    pub(crate) async fn was_well(self, cache: &Cache) {
        self.is_over.store(true, Ordering::SeqCst);
        for member in self.members {
            assert!(member.await.expect("it does not panic") > 0);
        }
        let stats = cache.stats();
        assert!(stats.batched > stats.batches, "{stats:?}");
    }
}

/// Says how often it has written.
async fn goes_on(cache: Cache, key: String, is_over: Arc<AtomicBool>) -> u64 {
    let mut writes = 0;
    while !is_over.load(Ordering::SeqCst) {
        cache.aset(&key, &writes, Timeout::Forever).await.expect("it is taken");
        let found = cache.aget::<u64>(&key).await.expect("it is answered");
        assert_eq!(found, Some(writes), "{key}");
        writes += 1;
    }
    writes
}

/// What each of so many answers who do this at once.
pub(crate) async fn at_once<T, F>(count: usize, act: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = (0..count).map(|number| tokio::spawn(act(number))).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.expect("it does not panic"));
    }
    answers
}
