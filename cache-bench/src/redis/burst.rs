//! A burst at low load: some tasks that wake together once a millisecond, and
//! each reads one key.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::contender::Contender;
use super::job::{Job, Operation};
use super::load::at;
use super::pace::Pace;
use super::server::Server;
use super::speed::{Rounds, SMALL};
use super::worker::fill;
use crate::spread::Spread;

const TASKS: usize = 16;

/// What is not done by then hangs.
const PATIENCE: Duration = Duration::from_secs(10);

pub async fn run(rounds: &Rounds, server: &Server) -> Result<()> {
    println!("\na burst: {TASKS} tasks that wake together every millisecond, get, {SMALL} bytes");
    println!("  {:<32} {:>9} {:>9}", "", "p50, us", "p99, us");
    let mut rows = Vec::new();
    for contender in Contender::BATCHED {
        let job = Job::new(Operation::Get, contender, SMALL);
        let worker = contender.connect(server.port()).await?;
        rows.push((contender, worker, job, Vec::new()));
    }
    for round in 0..=rounds.count {
        for (contender, worker, job, outcomes) in &mut rows {
            // Anew each time: all rounds together may take longer than what is
            // written lives.
            fill(&**worker, job).await?;
            let bursts = usize::try_from(rounds.lasting.as_millis())?;
            let barrier = Arc::new(Barrier::new(TASKS));
            let mut tasks = JoinSet::new();
            for task in 0..TASKS {
                let (worker, barrier) = (Arc::clone(worker), Arc::clone(&barrier));
                tasks.spawn(one_task(worker, barrier, job.part(task, TASKS), bursts));
            }
            // Who fails is waited for by the others, and who hangs by all: neither
            // is to go on without end.
            let all = async {
                let mut took = Vec::new();
                while let Some(outcome) = tasks.join_next().await {
                    took.extend(outcome??);
                }
                anyhow::Ok(took)
            };
            let took = tokio::time::timeout(PATIENCE + 20 * rounds.lasting, all).await;
            let mut took = took.with_context(|| format!("{} hangs", contender.name()))??;
            took.sort_unstable();
            if round > 0 {
                outcomes.push((at(&took, 50), at(&took, 99)));
            }
        }
    }
    for (contender, _, _, outcomes) in &rows {
        let p50 = Spread::of(outcomes.iter().map(|(p50, _)| *p50)).median;
        let p99 = Spread::of(outcomes.iter().map(|(_, p99)| *p99)).median;
        println!("  {:<32} {p50:>9.0} {p99:>9.0}", contender.name());
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "what is measured is the machine's own time")]
async fn one_task(
    worker: Arc<dyn super::worker::Worker>,
    barrier: Arc<Barrier>,
    job: Job,
    bursts: usize,
) -> Result<Vec<u32>> {
    let mut took = Vec::with_capacity(bursts);
    for burst in 0..bursts {
        if barrier.wait().await.is_leader() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        barrier.wait().await;
        let mut one = job.clone();
        one.start += burst;
        let began = Instant::now();
        worker.work(one, Pace::Calls(1)).await?;
        took.push(u32::try_from(began.elapsed().as_nanos()).unwrap_or(u32::MAX));
    }
    Ok(took)
}
