//! The store on Redis beside the raw drivers, on a server of the benchmark's
//! own: which commands it sends, how many instructions it takes, how fast it
//! goes.

mod batching;
mod burst;
mod client;
mod clients;
mod contender;
mod instructions;
mod job;
mod load;
mod lone;
mod pace;
mod server;
mod speed;
mod tally;
mod trips;
mod worker;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::bars;
use server::Server;

pub use instructions::{Walked, walk};

#[derive(Args, Debug)]
pub struct Options {
    /// Only these parts, separated by commas.
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = Part::value_variants().to_vec())]
    only: Vec<Part>,

    #[command(flatten)]
    speed: speed::Options,

    #[command(flatten)]
    batching: batching::Options,

    /// Fail if a bar is missed.
    #[arg(long)]
    check: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The commands that the server sees, by its own count.
    Commands,
    /// Instructions per operation, counted by callgrind.
    Instructions,
    /// Calls per second and how long they take, in interleaved rounds.
    Speed,
    /// The same with batching, beside raw drivers; what a lone task pays, and a burst.
    Batching,
}

/// Says whether all bars hold that have to.
pub fn run(options: &Options) -> Result<bool> {
    let server = Server::start()?;
    let mut bars = Vec::new();
    for part in &options.only {
        match part {
            Part::Commands => bars.extend(trips::run(&server)?),
            Part::Instructions => bars.extend(instructions::run(&server)?),
            Part::Speed => speed::run(&options.speed, &server)?,
            Part::Batching => bars.extend(batching::run(&options.batching, &server)?),
        }
    }
    Ok(bars::print(&bars) || !options.check)
}
