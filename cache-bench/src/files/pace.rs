//! Work for some time by some tasks, and how much of it was done.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::task::JoinSet;

/// Operations per second of so many tasks, each of which does them one after
/// the other: the operation is told its number.
#[expect(clippy::disallowed_methods, reason = "what is measured is the machine's own time")]
pub async fn rate<F, Operating>(lasting: Duration, tasks: usize, operate: F) -> Result<f64>
where
    F: Fn(usize) -> Operating + Send + Sync + 'static,
    Operating: Future<Output = Result<()>> + Send,
{
    let operate = Arc::new(operate);
    let began = Instant::now();
    let mut working = JoinSet::new();
    for task in 0..tasks {
        let operate = Arc::clone(&operate);
        working.spawn(async move {
            let mut done = 0;
            while began.elapsed() < lasting {
                operate(done * tasks + task).await?;
                done += 1;
            }
            anyhow::Ok(done)
        });
    }
    let mut done = 0;
    while let Some(outcome) = working.join_next().await {
        done += outcome??;
    }
    Ok(done as f64 / began.elapsed().as_secs_f64())
}

/// A number of another entry each time, in no order that a disk would like.
pub fn scattered(number: usize, of: usize) -> usize {
    number.wrapping_mul(7_368_787) % of
}
