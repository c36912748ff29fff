//! Calls per second and how long they take, in interleaved rounds: every
//! contender in every round, each time another one first. A run is short
//! unless told otherwise: `--rounds 51 --milliseconds 300`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use tokio::runtime::Builder;

use super::contender::Contender;
use super::job::{Job, Operation};
use super::load::{self, Outcome};
use super::server::Server;
use super::worker::{Worker, fill};
use crate::speed::at_least_one;
use crate::spread::Spread;

#[derive(Args, Debug)]
#[group(skip)]
pub struct Options {
    /// Interleaved rounds of all contenders.
    #[arg(long, default_value_t = 11, value_parser = at_least_one)]
    rounds: usize,

    /// How long each contender works in a round, in milliseconds.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    milliseconds: u64,

    /// With how many tasks single operations are done, one table for each number.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256", value_parser = at_least_one)]
    tasks: Vec<usize>,

    /// With how many tasks bulk operations are done.
    #[arg(long, value_delimiter = ',', default_value = "1,16", value_parser = at_least_one)]
    bulk_tasks: Vec<usize>,

    /// Threads of the runtime.
    #[arg(long, default_value_t = 2, value_parser = at_least_one)]
    workers: usize,
}

/// How many rounds, and how long each contender works in one.
#[derive(Clone, Copy)]
pub struct Rounds {
    pub count: usize,
    pub lasting: Duration,
}

/// A contender and what it did in each round.
pub struct Row {
    pub contender: Contender,
    worker: Arc<dyn Worker>,
    outcomes: Vec<Outcome>,
}

pub const SMALL: usize = 100;
pub const LARGE: usize = 10_240;

pub fn run(options: &Options, server: &Server) -> Result<()> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(options.workers)
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    println!(
        "\nspeed: medians of {} rounds of {} ms each, {} threads; ratios to the raw driver are taken within each \
         round",
        options.rounds, options.milliseconds, options.workers,
    );
    let rounds = options.rounds();
    runtime.block_on(async {
        for (operation, bytes) in [
            (Operation::Get, SMALL),
            (Operation::Set, SMALL),
            (Operation::Get, LARGE),
            (Operation::Set, LARGE),
            (Operation::GetMany, SMALL),
            (Operation::SetMany, SMALL),
        ] {
            let is_bulk = matches!(operation, Operation::GetMany | Operation::SetMany);
            for &tasks in if is_bulk { &options.bulk_tasks } else { &options.tasks } {
                let with = if tasks == 1 { "1 task".to_owned() } else { format!("{tasks} tasks") };
                println!("\n{operation}, {bytes} bytes, {with}");
                print(&measure(&rounds, server, &Contender::SINGLE, operation, bytes, tasks).await?);
            }
        }
        Ok(())
    })
}

/// Measures these contenders in interleaved rounds.
pub async fn measure(
    rounds: &Rounds,
    server: &Server,
    contenders: &[Contender],
    operation: Operation,
    bytes: usize,
    tasks: usize,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for &contender in contenders {
        let worker = contender.connect(server.port()).await?;
        rows.push(Row { contender, worker, outcomes: Vec::new() });
    }
    let jobs: Vec<_> = rows.iter().map(|row| Job::new(operation, row.contender, bytes)).collect();
    let mut order: Vec<_> = (0..rows.len()).collect();
    for round in 0..=rounds.count {
        for &place in &order {
            let (row, job) = (&mut rows[place], &jobs[place]);
            if operation.reads() {
                fill(&*row.worker, job).await?;
            }

            let outcome = load::run(&row.worker, job, tasks, rounds.lasting).await;
            let outcome = outcome.with_context(|| row.contender.name())?;
            // The first round only warms up.
            if round > 0 {
                row.outcomes.push(outcome);
            }
        }
        order.rotate_left(1);
    }
    Ok(rows)
}

pub fn print(rows: &[Row]) {
    println!(
        "  {:<32} {:>9} {:>20} {:>7} {:>16} {:>9} {:>9}",
        "", "calls/s", "(10 % to 90 %)", "to raw", "(10 % to 90 %)", "p50, us", "p99, us"
    );
    for row in rows {
        let Spread { low, median, high } = row.spread(|outcome| outcome.rate);
        let spread = format!("({low:.0} to {high:.0})");
        let raw = rows.iter().find(|other| other.contender == row.contender.raw());
        let ratio = row.ratio(raw.expect("the raw drivers are measured"));
        let apart = format!("({:.2} to {:.2})", ratio.low, ratio.high);
        let [p50, p99] = [row.spread(|outcome| outcome.p50), row.spread(|outcome| outcome.p99)];
        println!(
            "  {:<32} {median:>9.0} {spread:>20} {:>7.2} {apart:>16} {:>9.0} {:>9.0}",
            row.contender.name(),
            ratio.median,
            p50.median,
            p99.median,
        );
    }
}

impl Options {
    fn rounds(&self) -> Rounds {
        Rounds { count: self.rounds, lasting: Duration::from_millis(self.milliseconds) }
    }
}

impl Row {
    fn spread(&self, of: impl Fn(&Outcome) -> f64) -> Spread {
        Spread::of(self.outcomes.iter().map(of))
    }

    /// How many times the calls of another one, within the rounds.
    pub fn ratio(&self, to: &Self) -> Spread {
        Spread::of(self.outcomes.iter().zip(&to.outcomes).map(|(own, other)| own.rate / other.rate))
    }
}
