//! Nanoseconds per operation, by us and by our peers.

use clap::Args;

use crate::bars::{self, Bar, Limit};
use crate::contenders::{self, MOKA_FUTURE, QUICK_CACHE, ours};
use crate::operation::Operation;
use crate::rounds::{Measured, Rounds};

#[derive(Args, Debug)]
pub struct Options {
    /// Interleaved rounds of all contenders.
    #[arg(long, default_value_t = 101, value_parser = at_least_one)]
    rounds: usize,

    /// Operations of each contender on each thread in a round.
    #[arg(long, default_value_t = 20_000, value_parser = at_least_one)]
    operations: usize,

    /// With how many threads at once, one table for each number.
    #[arg(long, value_delimiter = ',', default_value = "1,2", value_parser = at_least_one)]
    threads: Vec<usize>,

    /// Only these operations, separated by commas.
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = all())]
    only: Vec<Operation>,

    /// Fail if a bar is missed.
    #[arg(long)]
    check: bool,
}

/// Reads a number of the command line that may not be 0.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}

fn all() -> Vec<Operation> {
    clap::ValueEnum::value_variants().to_vec()
}

/// Says whether all bars hold that have to.
pub fn run(options: &Options) -> bool {
    println!(
        "medians of {} rounds of {} operations; ratios are taken within each round",
        options.rounds, options.operations
    );
    let mut bars = Vec::new();
    for &operation in &options.only {
        for &threads in &options.threads {
            let rounds = Rounds { count: options.rounds, operations: options.operations, threads };
            println!("\n{}, {}", operation.name(), counted(threads));
            let measured = rounds.run(&contenders::of(operation));
            measured.print();
            match operation {
                Operation::Hit => bars.extend(bars_of_a_hit(&measured)),
                Operation::LoadHit => bars.extend(bars_of_a_load_hit(&measured)),
                _ => {}
            }
        }
    }
    bars::print(&bars) || !options.check
}

fn bars_of_a_hit(measured: &Measured) -> [Bar; 4] {
    let with = counted(measured.threads);
    let ratio = |name: &'static str, to: &'static str, most: f64| Bar {
        what: format!("{name}, {with}"),
        measured: measured.ratio(name, to).median,
        limit: Limit::AtMost(most),
        unit: if to == QUICK_CACHE { "x quick_cache" } else { "x moka future" },
        doubt: measured.doubt(),
    };
    let layers = measured.difference(ours::AGET_ARC_LAYERED, ours::AGET_ARC).median;
    [
        ratio(ours::AGET_ARC, QUICK_CACHE, 2.5),
        ratio(ours::AGET_ARC, MOKA_FUTURE, 0.5),
        ratio(ours::PROBE, QUICK_CACHE, 2.0),
        Bar {
            what: format!("each pass-through layer, {with}"),
            measured: layers / ours::LAYERS as f64,
            limit: Limit::AtMost(10.0),
            unit: "ns",
            doubt: measured.doubt(),
        },
    ]
}

/// What it costs that a miss would be loaded.
fn bars_of_a_load_hit(measured: &Measured) -> [Bar; 2] {
    let with = counted(measured.threads);
    [ours::AGET_OR_SET, ours::LOAD_RUN].map(|name| Bar {
        what: format!("{name}, {with}"),
        measured: measured.difference(name, ours::AGET_ARC).median,
        limit: Limit::AtMost(10.0),
        unit: "ns above aget_arc",
        doubt: measured.doubt(),
    })
}

fn counted(threads: usize) -> String {
    if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") }
}
