//! The share of requests that find their entry, when there is no room for
//! all: each miss is followed by a set, as a program that reads through a
//! cache does.

mod contenders;
mod traces;

use clap::Args;

use crate::bars::{self, Bar, Limit};
use contenders::{Bounded, ENGINE, LRU};
use traces::{DISTINCT, Trace};

#[derive(Args, Debug)]
pub struct Options {
    /// Requests that count, of each trace.
    #[arg(long, default_value_t = 1_000_000)]
    requests: usize,

    /// Requests before them, which fill the cache.
    #[arg(long, default_value_t = 500_000)]
    warm_up: usize,

    /// The seeds of the traces, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "1,2,3,4,5")]
    seeds: Vec<u64>,

    /// Fail if a bar is missed.
    #[arg(long)]
    check: bool,
}

/// In percentage points, for each trace, capacity and seed.
const ENGINE_TO_LRU: Limit = Limit::AtLeast(-0.5);

/// What one contender did on each seed.
struct Row {
    name: &'static str,
    /// In per cent.
    ratios: Vec<f64>,
    /// How many entries it held at the end, of the last seed.
    entries: usize,
}

/// Says whether all bars hold that have to.
pub fn run(options: &Options) -> bool {
    println!(
        "{DISTINCT} keys, {} requests after {} for warming up, seeds {:?}",
        options.requests, options.warm_up, options.seeds
    );
    let mut bars = Vec::new();
    for trace in Trace::ALL {
        for percent in [1, 10] {
            let capacity = DISTINCT * percent / 100;
            println!("\n{trace}\nroom for {capacity} entries ({percent} %)");
            let rows = measure(options, trace, capacity);
            print(&rows);
            bars.push(Bar {
                what: format!("engine, worst seed, {}, {percent} %", trace.name()),
                measured: worst(&to_lru(&rows, ENGINE)),
                limit: ENGINE_TO_LRU,
                unit: "points to LRU",
                doubt: None,
            });
        }
    }
    bars::print(&bars) || !options.check
}

fn measure(options: &Options, trace: Trace, capacity: usize) -> Vec<Row> {
    let mut rows: Vec<Row> =
        contenders::ALL.iter().map(|&(name, _)| Row { name, ratios: Vec::new(), entries: 0 }).collect();
    for &seed in &options.seeds {
        let requests = trace.requests(seed, options.warm_up + options.requests);
        for (row, (_, open)) in rows.iter_mut().zip(contenders::ALL) {
            let mut cache = open(capacity);
            row.ratios.push(hit_ratio(&mut *cache, &requests, options.warm_up));
            row.entries = cache.entries();
        }
    }
    rows
}

/// In per cent, of the requests that could hit: a scan's never can.
fn hit_ratio(cache: &mut dyn Bounded, requests: &[u64], warm_up: usize) -> f64 {
    let (mut asked, mut hits) = (0_u64, 0_u64);
    for (number, &key) in requests.iter().enumerate() {
        let hit = cache.read_through(key);
        if number >= warm_up && !traces::is_scanned(key) {
            asked += 1;
            hits += u64::from(hit);
        }
    }
    hits as f64 / asked as f64 * 100.0
}

fn print(rows: &[Row]) {
    println!(
        "  {:<40} {:>7} {:>16} {:>12} {:>12} {:>8}",
        "", "hits %", "(all seeds)", "to LRU, pts", "worst seed", "entries"
    );
    for row in rows {
        let highest = row.ratios.iter().copied().fold(f64::MIN, f64::max);
        let spread = format!("({:.2} to {highest:.2})", worst(&row.ratios));
        let to_lru = to_lru(rows, row.name);
        println!(
            "  {:<40} {:>7.2} {spread:>16} {:>+12.2} {:>+12.2} {:>8}",
            row.name,
            mean(&row.ratios),
            mean(&to_lru),
            worst(&to_lru),
            row.entries,
        );
    }
}

/// By how many points a contender lies above LRU, for each seed.
fn to_lru(rows: &[Row], name: &str) -> Vec<f64> {
    let of = |name: &str| &rows.iter().find(|row| row.name == name).expect("it was measured").ratios;
    of(name).iter().zip(of(LRU)).map(|(ratio, lru)| ratio - lru).collect()
}

fn worst(numbers: &[f64]) -> f64 {
    numbers.iter().copied().fold(f64::MAX, f64::min)
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}
