//! Instructions per operation, of ours and of the raw driver with the same
//! deadline: one task on a runtime of one thread. Each runs twice, and the
//! difference is divided by that of the operations, so that connecting does
//! not count. The server does not either: it is another process.

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use tokio::runtime::Builder;

use super::contender::Contender;
use super::job::{Job, Operation};
use super::pace::Pace;
use super::server::Server;
use super::worker::fill;
use crate::bars::{Bar, Limit};
use crate::callgrind;

/// One contender and how often it runs.
#[derive(Args, Debug)]
pub struct Walked {
    port: u16,
    operation: Operation,
    contender: Contender,
    operations: usize,
}

const FEW: usize = 1_000;
const MANY: usize = 10_000;

const BYTES: usize = 100;

/// Ours, to the raw driver.
const TO_RAW: Limit = Limit::AtMost(1.15);

pub fn run(server: &Server) -> Result<Vec<Bar>> {
    println!("\ninstructions: {BYTES} bytes, 1 task, 1 thread, ({MANY} - {FEW} operations) / {}", MANY - FEW);
    let mut bars = Vec::new();
    for operation in [Operation::Get, Operation::Set] {
        println!("\n{operation}");
        println!("  {:<32} {:>16} {:>7}", "", "instructions/op", "to raw");
        for ours in Contender::OURS {
            let raw = instructions(server, operation, ours.raw())?;
            let own = instructions(server, operation, ours)?;
            let ratio = own / raw;
            println!("  {:<32} {raw:>16.0} {:>7.3}", ours.raw().name(), 1.0);
            println!("  {:<32} {own:>16.0} {ratio:>7.3}", ours.name());
            bars.push(Bar {
                what: format!("{operation}, {}", ours.name()),
                measured: ratio,
                limit: TO_RAW,
                unit: "x instructions of the raw driver",
                doubt: None,
            });
        }
    }
    Ok(bars)
}

/// What runs under callgrind.
pub fn walk(walked: &Walked) -> Result<()> {
    let runtime =
        Builder::new_current_thread().enable_all().build().context("the runtime cannot be started")?;
    let job = Job::new(walked.operation, walked.contender, BYTES);
    runtime.block_on(async {
        let worker = walked.contender.connect(walked.port).await?;
        // Also makes the connection, for all alike.
        fill(&*worker, &job).await?;
        tokio::spawn(worker.work(job, Pace::Calls(walked.operations))).await??;
        Ok(())
    })
}

fn instructions(server: &Server, operation: Operation, contender: Contender) -> Result<f64> {
    let count = |operations: usize| {
        callgrind::count(&[
            "redis-walk".to_owned(),
            server.port().to_string(),
            named(operation),
            named(contender),
            operations.to_string(),
        ])
    };
    let (few, many) = (count(FEW)?, count(MANY)?);
    Ok((many as f64 - few as f64) / (MANY - FEW) as f64)
}

/// As on the command line.
fn named(value: impl ValueEnum) -> String {
    value.to_possible_value().expect("nothing is hidden").get_name().to_owned()
}
