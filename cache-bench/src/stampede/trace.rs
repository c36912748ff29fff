//! Which task asks for which keys, in which order.

use std::collections::HashSet;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand_distr::{Distribution as _, Zipf};

use super::herd::Traces;

/// So many keys are asked for.
pub const DISTINCT: usize = 1_000;

pub const TASKS: usize = 64;

const SEED: u64 = 1;

/// The keys of each task, by Zipf's law with exponent 1: what is popular is
/// missed by many tasks at once. All keys are asked for.
pub fn of_tasks(calls: usize) -> Traces {
    let mut random = StdRng::seed_from_u64(SEED);
    let zipf = Zipf::new(DISTINCT as f64, 1.0).expect("the parameters are within its bounds");
    let mut traces: Vec<Vec<usize>> =
        (0..TASKS).map(|_| (0..calls).map(|_| zipf.sample(&mut random) as usize - 1).collect()).collect();
    let asked: HashSet<usize> = traces.iter().flatten().copied().collect();
    for (place, rare) in (0..DISTINCT).filter(|key| !asked.contains(key)).enumerate() {
        traces[place % TASKS].push(rare);
    }
    let named = |key: usize| format!("popular:{key:012}");
    traces.into_iter().map(|trace| trace.into_iter().map(named).collect()).collect()
}
