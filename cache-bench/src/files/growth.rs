//! Time per operation, however many entries there are.

use std::time::Duration;

use anyhow::Result;
use cache_core::{Cache, Timeout};
use tempfile::TempDir;

use super::Options;
use super::cache::{BULK, directory, fill, name, open, value};
use super::pace::{rate, scattered};
use crate::bars::{Bar, Limit};
use crate::spread::Spread;

#[derive(Clone, Copy, Debug)]
enum Operation {
    Set,
    SetNew,
    Get,
    GetMany,
}

const OPERATIONS: [Operation; 4] = [Operation::Set, Operation::SetNew, Operation::Get, Operation::GetMany];

/// How much longer an operation may take among most entries than among fewest.
const MOST: f64 = 2.0;

struct Grown {
    size: usize,
    cache: Cache,
    _directory: TempDir,
}

pub async fn run(options: &Options) -> Result<Vec<Bar>> {
    let mut stores = Vec::new();
    for size in &options.sizes {
        let directory = directory(options)?;
        let cache = open(directory.path()).await?;
        fill(&cache, *size).await?;
        stores.push(Grown { size: *size, cache, _directory: directory });
    }
    println!(
        "\ngrowth: operations per second of one task, medians of {} rounds of {} ms; the ratio of times within \
         each round to that among {} entries",
        options.rounds, options.milliseconds, options.sizes[0]
    );
    let mut bars = Vec::new();
    for operation in OPERATIONS {
        println!("\n{operation:?}");
        let mut rates = vec![Vec::new(); stores.len()];
        for round in 0..options.rounds {
            for (store, rates) in stores.iter().zip(&mut rates) {
                let lasting = Duration::from_millis(options.milliseconds);
                rates.push(one(operation, store, round, lasting).await?);
            }
        }
        for (store, of_size) in stores.iter().zip(&rates) {
            let ratio = Spread::of(rates[0].iter().zip(of_size).map(|(first, rate)| first / rate));
            let rate = Spread::of(of_size.iter().copied());
            println!(
                "  {:>9} entries {:>9.0} /s ({:.0} to {:.0}), time {:.2} ({:.2} to {:.2})",
                store.size, rate.median, rate.low, rate.high, ratio.median, ratio.low, ratio.high
            );
            if Some(store.size) == options.sizes.last().copied() {
                bars.push(Bar {
                    what: format!("{operation:?} among {} entries", store.size),
                    measured: ratio.median,
                    limit: Limit::AtMost(MOST),
                    unit: "of the time among fewest",
                    doubt: None,
                });
            }
        }
    }
    Ok(bars)
}

async fn one(operation: Operation, store: &Grown, round: usize, lasting: Duration) -> Result<f64> {
    let (cache, size) = (store.cache.clone(), store.size);
    match operation {
        Operation::Set => rate(lasting, 1, move |number| {
            let cache = cache.clone();
            async move { Ok(cache.aset(&name(scattered(number, size)), &value(), Timeout::Forever).await?) }
        })
        .await,
        Operation::SetNew => {
            rate(lasting, 1, move |number| {
                let cache = cache.clone();
                let name = format!("new-{round}-{number}");
                async move { Ok(cache.aset(&name, &value(), Timeout::Forever).await?) }
            })
            .await
        }
        Operation::Get => {
            rate(lasting, 1, move |number| {
                let cache = cache.clone();
                async move { Ok(drop(cache.aget::<bytes::Bytes>(&name(scattered(number, size))).await?)) }
            })
            .await
        }
        Operation::GetMany => {
            rate(lasting, 1, move |number| {
                let cache = cache.clone();
                async move {
                    let names: Vec<_> =
                        (0..BULK).map(|part| name(scattered(number * BULK + part, size))).collect();
                    cache.get_many::<bytes::Bytes, _>(&names).await?;
                    Ok(())
                }
            })
            .await
        }
    }
}
