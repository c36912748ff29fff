//! Which commands the server sees, by its own count: ours sends what the raw
//! driver sends for the same, and nothing else.

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;
use tokio::runtime::Builder;

use super::contender::Contender;
use super::job::{Job, Operation};
use super::pace::Pace;
use super::server::Server;
use super::tally::{Tally, Teller};
use super::worker::fill;
use crate::bars::{Bar, Limit};

/// So many calls, one after the other.
const CALLS: usize = 1_000;

const BYTES: usize = 100;

pub fn run(server: &Server) -> Result<Vec<Bar>> {
    let runtime =
        Builder::new_current_thread().enable_all().build().context("the runtime cannot be started")?;
    println!("\ncommands: what the server counts in {CALLS} calls by 1 task, {BYTES} bytes");
    let mut bars = Vec::new();
    for &operation in Operation::value_variants() {
        println!("\n{operation}");
        println!("  {:<32} {:>11} {:>14}  commands per call", "", "connections", "reads per call");
        for &contender in &Contender::SINGLE {
            let tally = runtime.block_on(count(server, operation, contender))?;
            let each: Vec<_> =
                tally.commands.iter().map(|(name, calls)| format!("{name} {}", per_call(*calls))).collect();
            println!(
                "  {:<32} {:>11} {:>14.3}  {}",
                contender.name(),
                tally.connections,
                per_call(tally.reads),
                each.join(", ")
            );
            if contender.is_ours() {
                bars.push(commands(operation, contender, &tally));
                bars.extend(trips(operation, contender, &tally));
            }
        }
    }
    Ok(bars)
}

async fn count(server: &Server, operation: Operation, contender: Contender) -> Result<Tally> {
    let job = Job::new(operation, contender, BYTES);
    let mut teller = Teller::new(server)?;
    let before_connecting = teller.ask()?;
    let worker = contender.connect(server.port()).await?;
    // Also makes the connection.
    fill(&*worker, &job).await?;
    let before = teller.ask()?;
    tokio::spawn(worker.work(job, Pace::Calls(CALLS))).await??;
    let after = teller.ask()?;
    Ok(Tally { connections: after.since(&before_connecting).connections, ..after.since(&before) })
}

fn commands(operation: Operation, contender: Contender, tally: &Tally) -> Bar {
    let (command, commands) = operation.commands();
    let is_only = tally.commands.keys().eq([command]);
    Bar {
        what: format!("{operation}, {}", contender.name()),
        measured: per_call(tally.commands.values().sum()),
        limit: Limit::Exactly(commands as f64),
        unit: "commands per call",
        doubt: (!is_only).then_some("they are others than those of the raw driver"),
    }
}

/// What fits into one packet is read at once. Many commands may not fit, and
/// fred writes them in pieces, by itself as well as for us.
fn trips(operation: Operation, contender: Contender, tally: &Tally) -> Option<Bar> {
    let (_, commands) = operation.commands();
    (commands == 1).then(|| Bar {
        what: format!("{operation}, {}", contender.name()),
        measured: per_call(tally.reads),
        limit: Limit::AtMost(1.0),
        unit: "reads of the server per call",
        doubt: None,
    })
}

fn per_call(number: u64) -> f64 {
    number as f64 / CALLS as f64
}
