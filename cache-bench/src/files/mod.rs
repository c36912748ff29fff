//! The store in files: how it grows, and how fast it is beside others.

mod cache;
mod django;
mod growth;
mod pace;
mod peers;
mod syscalls;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::bars;

pub use syscalls::{Walked, walk};

#[derive(Args, Debug)]
pub struct Options {
    /// Only these parts, separated by commas.
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = [Part::Growth, Part::Syscalls, Part::Peers])]
    only: Vec<Part>,

    /// How many entries there are, one column for each number.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000])]
    sizes: Vec<usize>,

    /// Interleaved rounds of all contenders.
    #[arg(long, default_value_t = 11)]
    rounds: usize,

    /// How long each contender works in a round, in milliseconds.
    #[arg(long, default_value_t = 200)]
    milliseconds: u64,

    /// With how many tasks single reads are done.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64])]
    tasks: Vec<usize>,

    /// Where the files are; the system's directory for temporary files if it is not said.
    #[arg(long)]
    directory: Option<PathBuf>,

    /// Fail if a bar is missed.
    #[arg(long)]
    check: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Time per operation, however many entries there are.
    Growth,
    /// System calls per operation, counted by strace.
    Syscalls,
    /// Beside cacache, and a bare read on a thread that may be blocked.
    Peers,
    /// Beside Django's own file cache, which is fetched from PyPI.
    Django,
}

/// Says whether all bars hold that have to.
pub fn run(options: &Options) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut bars = Vec::new();
    for part in &options.only {
        bars.extend(match part {
            Part::Growth => runtime.block_on(growth::run(options))?,
            Part::Syscalls => syscalls::run(options, &runtime)?,
            Part::Peers => runtime.block_on(peers::run(options))?,
            Part::Django => runtime.block_on(django::run(options))?,
        });
    }
    Ok(bars::print(&bars) || !options.check)
}
