//! Tasks that work side by side for a while.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::job::Job;
use super::pace::Pace;
use super::worker::Worker;

/// What one contender did in one round.
#[derive(Clone, Copy)]
pub struct Outcome {
    /// Calls per second, of all tasks together.
    pub rate: f64,
    /// How long half of the calls took at most, in microseconds.
    pub p50: f64,
    /// The same of 99 in a hundred.
    pub p99: f64,
}

/// Runs the job with so many tasks.
#[expect(clippy::disallowed_methods, reason = "what is measured is the machine's own time")]
pub async fn run(worker: &Arc<dyn Worker>, job: &Job, tasks: usize, lasting: Duration) -> Result<Outcome> {
    let began = Instant::now();
    let start = |task| tokio::spawn(worker.work(job.part(task, tasks), Pace::until(began + lasting)));
    let running: Vec<_> = (0..tasks).map(start).collect();
    let mut took = Vec::new();
    for task in running {
        if let Pace::Until(stopwatch) = task.await?? {
            took.extend(stopwatch.took);
        }
    }
    let rate = took.len() as f64 / began.elapsed().as_secs_f64();
    took.sort_unstable();
    Ok(Outcome { rate, p50: at(&took, 50), p99: at(&took, 99) })
}

/// In microseconds.
pub fn at(took: &[u32], percent: usize) -> f64 {
    let place = took.len().saturating_sub(1) * percent / 100;
    took.get(place).map_or(f64::NAN, |nanos| f64::from(*nanos) / 1_000.0)
}
