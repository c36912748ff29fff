//! Operations of single keys that travel together, beside raw drivers that send
//! each by itself. A run is short unless told otherwise:
//! `--batched-rounds 15 --batched-milliseconds 1000 --repeat 2`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use tokio::runtime::Builder;

use super::burst;
use super::contender::Contender;
use super::job::{Job, Operation};
use super::load;
use super::lone::{Cost, Meter};
use super::server::Server;
use super::speed::{LARGE, Rounds, Row, SMALL, measure, print};
use super::worker::fill;
use crate::bars::{Bar, Limit};
use crate::speed::at_least_one;
use crate::spread::Spread;

#[derive(Args, Debug)]
#[group(skip)]
pub struct Options {
    /// Interleaved rounds of all contenders, for what is batched.
    #[arg(long, default_value_t = 7, value_parser = at_least_one)]
    batched_rounds: usize,

    /// How long each contender works in such a round, in milliseconds.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    batched_milliseconds: u64,

    /// With how many tasks, one table for each number.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256", value_parser = at_least_one)]
    batched_tasks: Vec<usize>,

    /// How often all of it is measured: what one run says once may be chance.
    #[arg(long, default_value_t = 1, value_parser = at_least_one)]
    repeat: usize,

    /// Only values of 100 bytes.
    #[arg(long)]
    small: bool,
}

const THREADS: usize = 2;

/// How many times the calls of the raw redis-rs there have to be, at 100 bytes,
/// by the default driver on one connection.
fn least(operation: Operation, tasks: usize) -> Option<f64> {
    match (operation, tasks) {
        (Operation::Get, 16) => Some(1.0),
        (Operation::Get, 64) => Some(1.3),
        (Operation::Get, 256) => Some(1.8),
        (Operation::Set, 64) => Some(0.9),
        (Operation::Set, 256) => Some(1.0),
        _ => None,
    }
}

pub fn run(options: &Options, server: &Server) -> Result<Vec<Bar>> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    let mut bars = Vec::new();
    for _ in 0..options.repeat {
        bars.extend(runtime.block_on(once(options, server))?);
    }
    Ok(bars)
}

async fn once(options: &Options, server: &Server) -> Result<Vec<Bar>> {
    let lasting = Duration::from_millis(options.batched_milliseconds);
    let rounds = Rounds { count: options.batched_rounds, lasting };
    println!(
        "\nbatching: medians of {} rounds of {lasting:?} each, {THREADS} threads; ratios are taken within each round, \
         of what is batched to the raw redis-rs",
        rounds.count,
    );
    let mut bars = Vec::new();
    for bytes in [SMALL, LARGE] {
        for operation in [Operation::Get, Operation::Set] {
            for &tasks in &options.batched_tasks {
                if bytes == LARGE && options.small {
                    continue;
                }
                println!("\n{operation}, {bytes} bytes, {tasks} tasks");
                let rows = measure(&rounds, server, &Contender::BATCHED, operation, bytes, tasks).await?;
                print(&rows);
                if bytes == SMALL {
                    bars.extend(rate(&rows, operation, tasks));
                }
            }
        }
    }
    bars.extend(lone(&rounds, server).await?);
    burst::run(&rounds, server).await?;
    Ok(bars)
}

fn rate(rows: &[Row], operation: Operation, tasks: usize) -> Option<Bar> {
    let row = |wanted| rows.iter().find(|row| row.contender == wanted);
    let ratio = row(Contender::BatchedOnFred)?.ratio(row(Contender::RedisRs)?).median;
    Some(Bar {
        what: format!("{operation}, {tasks} tasks, batched over fred"),
        measured: ratio,
        limit: Limit::AtLeast(least(operation, tasks)?),
        unit: "of raw redis-rs",
        doubt: None,
    })
}

/// What one task pays for batching that it does not need.
async fn lone(rounds: &Rounds, server: &Server) -> Result<Vec<Bar>> {
    let mut bars = Vec::new();
    println!("\na lone task, {SMALL} bytes: what batching costs where there is nothing to batch");
    println!("  {:<32} {:>14} {:>22}", "", "CPU, us per get", "context switches per get");
    for (single, batched) in [
        (Contender::OursOnRedisRs, Contender::BatchedOnRedisRs),
        (Contender::OursOnFred, Contender::BatchedOnFred),
    ] {
        let contenders = [single, batched];
        let mut workers = Vec::new();
        for contender in contenders {
            let job = Job::new(Operation::Get, contender, SMALL);
            let worker = contender.connect(server.port()).await?;
            workers.push((worker, job, Vec::new()));
        }
        for round in 0..=rounds.count {
            for (worker, job, costs) in &mut workers {
                fill(&**worker, job).await?;
                let meter = Meter::start()?;
                let outcome = load::run(&Arc::clone(worker), job, 1, rounds.lasting).await?;
                let calls = outcome.rate * rounds.lasting.as_secs_f64();
                if round > 0 {
                    costs.push(meter.stop(calls)?);
                }
            }
        }
        let of = |place: usize, what: fn(&Cost) -> f64| Spread::of(workers[place].2.iter().map(what)).median;
        for (place, contender) in contenders.into_iter().enumerate() {
            println!(
                "  {:<32} {:>14.2} {:>22.3}",
                contender.name(),
                of(place, |cost| cost.micros),
                of(place, |cost| cost.switches)
            );
        }
        let ratio = |what: fn(&Cost) -> f64| {
            let pairs = workers[1].2.iter().zip(&workers[0].2);
            Spread::of(pairs.map(|(batched, single)| what(batched) / what(single))).median
        };
        bars.push(bar(batched, "CPU", ratio(|cost| cost.micros), 1.1));
        bars.push(bar(batched, "context switches", ratio(|cost| cost.switches), 1.05));
    }
    Ok(bars)
}

fn bar(contender: Contender, what: &str, measured: f64, most: f64) -> Bar {
    Bar {
        what: format!("get, 1 task, {what}, {}", contender.name()),
        measured,
        limit: Limit::AtMost(most),
        unit: "of the same without batching",
        doubt: None,
    }
}
