//! A stampede: many tasks at a cold cache ask for the same keys, each of which
//! takes a while to load. A cache that loads once for all who ask runs one
//! loader for each key, however many miss it.

mod contenders;
mod herd;
mod trace;

use anyhow::{Context as _, Result};
use clap::Args;
use rand::seq::SliceRandom as _;
use tokio::runtime::{Builder, Runtime};

use crate::bars::{self, Bar, Limit};
use crate::spread::Spread;
use contenders::Contender;
use herd::{Outcome, Traces};
use trace::{DISTINCT, TASKS};

#[derive(Args, Debug)]
pub struct Options {
    /// Interleaved rounds of all contenders, each at a cold cache.
    #[arg(long, default_value_t = 21)]
    rounds: usize,

    /// Calls of each task in a round.
    #[arg(long, default_value_t = 1_000)]
    calls: usize,

    /// Threads of the runtime.
    #[arg(long, default_value_t = 2)]
    workers: usize,

    /// Fail if a bar is missed.
    #[arg(long)]
    check: bool,
}

/// What one contender did in each round.
struct Row {
    contender: Contender,
    /// How often it loaded.
    loads: Vec<f64>,
    /// From the first call to the last, in milliseconds.
    millis: Vec<f64>,
}

/// Says whether all bars hold that have to.
pub fn run(options: &Options) -> Result<bool> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(options.workers)
        .enable_time()
        .build()
        .context("the runtime cannot be started")?;
    let traces = trace::of_tasks(options.calls);
    let calls = traces.iter().map(|keys| keys.len()).sum();
    println!(
        "{TASKS} tasks on {} threads, {calls} calls by Zipf's law for {DISTINCT} keys, a load sleeps for {:?}",
        options.workers,
        herd::LOAD,
    );
    let rows = measure(options.rounds, &runtime, &traces);
    print(&rows, calls);
    Ok(bars::print(&bars(&rows)) || !options.check)
}

fn measure(rounds: usize, runtime: &Runtime, traces: &Traces) -> Vec<Row> {
    let row = |contender| Row { contender, loads: Vec::new(), millis: Vec::new() };
    let mut rows: Vec<Row> = contenders::all().map(row).into();
    let mut order: Vec<usize> = (0..rows.len()).collect();
    for round in 0..=rounds {
        order.shuffle(&mut rand::rng());
        for &place in &order {
            let row = &mut rows[place];
            let run = runtime.spawn((row.contender.run)(Traces::clone(traces)));
            let Outcome { loads, took } = runtime.block_on(run).expect("no contender panics");
            // The first round only warms up.
            if round > 0 {
                row.loads.push(loads as f64);
                row.millis.push(took.as_secs_f64() * 1_000.0);
            }
        }
    }
    rows
}

fn print(rows: &[Row], calls: usize) {
    println!(
        "\n  {:<32} {:>8} {:>8} {:>14} {:>10} {:>7}",
        "", "loads", "ms", "(10 % to 90 %)", "calls/ms", "ratio"
    );
    let first = &rows[0].millis;
    for Row { contender, loads, millis } in rows {
        let loads = Spread::of(loads.iter().copied()).median;
        let ratio = Spread::of(millis.iter().zip(first).map(|(millis, first)| first / millis)).median;
        let Spread { low, median, high } = Spread::of(millis.iter().copied());
        let spread = format!("({low:.1} to {high:.1})");
        let throughput = calls as f64 / median;
        println!(
            "  {:<32} {loads:>8} {median:>8.1} {spread:>14} {throughput:>10.0} {ratio:>7.2}",
            contender.name
        );
    }
}

/// Ours loads each key once, in each round.
fn bars(rows: &[Row]) -> Vec<Bar> {
    let one_each = DISTINCT as f64;
    let off = |loads: &f64| (loads - one_each).abs();
    let ours = rows.iter().filter(|row| row.contender.name == contenders::OURS);
    ours.map(|row| Bar {
        what: format!("{}, worst round", row.contender.name),
        measured: row.loads.iter().copied().max_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or(f64::NAN),
        limit: Limit::Exactly(one_each),
        unit: "loads",
        doubt: None,
    })
    .collect()
}
