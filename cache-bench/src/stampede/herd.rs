//! Tasks that ask one cold cache all at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::contenders::loads::Loads;
use crate::workload::{CAPACITY, User, user};

/// So long a load takes, by the timer of the runtime, which rounds it up.
pub const LOAD: Duration = Duration::from_millis(1);

/// The keys of each task.
pub type Traces = Arc<[Arc<[String]>]>;

pub struct Outcome {
    /// How often a loader ran.
    pub loads: u64,
    /// From the first call to the last.
    pub took: Duration,
}

/// One task for each trace. It is a task itself, and none of them.
#[expect(clippy::disallowed_methods, reason = "what is measured is the machine's own time")]
pub async fn herd<C: Loads>(traces: Traces) -> Outcome {
    let cache = Arc::new(C::open(CAPACITY));
    let loads = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let one =
        |keys: &Arc<[String]>| tokio::spawn(ask(Arc::clone(&cache), Arc::clone(keys), Arc::clone(&loads)));
    let tasks: Vec<_> = traces.iter().map(one).collect();
    for task in tasks {
        task.await.expect("no contender panics");
    }
    Outcome { loads: loads.load(Ordering::Relaxed), took: began.elapsed() }
}

async fn ask<C: Loads>(cache: Arc<C>, keys: Arc<[String]>, loads: Arc<AtomicU64>) {
    for key in &*keys {
        let loads = Arc::clone(&loads);
        let found = cache.get_or_load(key, move || load(loads)).await;
        found.expect("the loader never fails");
    }
}

#[expect(clippy::disallowed_methods, reason = "all contenders sleep by the same timer")]
async fn load(loads: Arc<AtomicU64>) -> User {
    tokio::time::sleep(LOAD).await;
    loads.fetch_add(1, Ordering::Relaxed);
    user()
}
