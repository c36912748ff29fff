//! Beside cacache, and a bare read on a thread that may be blocked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use cache_core::{Cache, Timeout};

use super::Options;
use super::cache::{SMALL, directory, fill, name, open, value};
use super::pace::{rate, scattered};
use crate::bars::{Bar, Limit};
use crate::spread::Spread;

const ENTRIES: usize = 10_000;

pub async fn run(options: &Options) -> Result<Vec<Bar>> {
    let (ours, cacache, bare) = (directory(options)?, directory(options)?, directory(options)?);
    let cache = open(ours.path()).await?;
    fill(&cache, ENTRIES).await?;
    for number in 0..ENTRIES {
        cacache::write(cacache.path(), name(number), value()).await?;
        tokio::fs::write(bare_path(bare.path(), number), value()).await?;
    }
    let mut bars = sets(options, &cache, cacache.path()).await?;
    for tasks in &options.tasks {
        bars.extend(gets(options, &cache, cacache.path(), bare.path(), *tasks).await?);
    }
    Ok(bars)
}

fn bare_path(directory: &Path, number: usize) -> PathBuf {
    directory.join(name(number))
}

async fn sets(options: &Options, cache: &Cache, cacache: &Path) -> Result<Vec<Bar>> {
    println!("\nset of {SMALL} bytes, {ENTRIES} entries, 1 task, sets per second");
    let lasting = Duration::from_millis(options.milliseconds);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        ours.push(rate_of_sets(cache, lasting).await?);
        let directory = cacache.to_owned();
        let write = move |number| {
            let directory = directory.clone();
            async move {
                cacache::write(directory, name(scattered(number, ENTRIES)), value()).await?;
                Ok(())
            }
        };
        theirs.push(rate(lasting, 1, write).await?);
    }
    let ratio = compare("cacache", &theirs, "cache-fs", &ours);
    Ok(vec![bar("set, 1 task".to_owned(), ratio, 1.0, "of cacache")])
}

pub async fn rate_of_sets(cache: &Cache, lasting: Duration) -> Result<f64> {
    let cache = cache.clone();
    rate(lasting, 1, move |number| {
        let cache = cache.clone();
        async move { Ok(cache.aset(&name(scattered(number, ENTRIES)), &value(), Timeout::Forever).await?) }
    })
    .await
}

async fn gets(
    options: &Options,
    cache: &Cache,
    cacache: &Path,
    bare: &Path,
    tasks: usize,
) -> Result<Vec<Bar>> {
    println!("\nget of {SMALL} bytes, {ENTRIES} entries, {tasks} tasks, gets per second");
    let lasting = Duration::from_millis(options.milliseconds);
    let (mut ours, mut theirs, mut least) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let directory = bare.to_owned();
        let read = move |number| {
            let path = bare_path(&directory, scattered(number, ENTRIES));
            async move {
                let found = tokio::task::spawn_blocking(move || std::fs::read(path)).await??;
                ensure!(found.len() == SMALL, "it is another");
                Ok(())
            }
        };
        least.push(rate(lasting, tasks, read).await?);
        let own = cache.clone();
        let read = move |number| {
            let cache = own.clone();
            async move {
                let found = cache.aget::<bytes::Bytes>(&name(scattered(number, ENTRIES))).await?;
                ensure!(found.is_some_and(|found| found.len() == SMALL), "it is gone");
                Ok(())
            }
        };
        ours.push(rate(lasting, tasks, read).await?);
        let directory = cacache.to_owned();
        let read = move |number| {
            let directory = directory.clone();
            async move {
                let found = cacache::read(directory, name(scattered(number, ENTRIES))).await?;
                ensure!(found.len() == SMALL, "it is another");
                Ok(())
            }
        };
        theirs.push(rate(lasting, tasks, read).await?);
    }
    compare("a bare read", &least, "cacache", &theirs);
    let ratio = compare("a bare read", &least, "cache-fs", &ours);
    let least = match tasks {
        1 => 0.8,
        64.. => 1.3,
        _ => 1.0,
    };
    Ok(vec![bar(format!("get, {tasks} tasks"), ratio, least, "of a bare read")])
}

/// Prints both, and answers the second's rate to the first's.
pub fn compare(first: &str, of_first: &[f64], second: &str, of_second: &[f64]) -> f64 {
    let ratio = Spread::of(of_first.iter().zip(of_second).map(|(first, second)| second / first));
    for (name, rates) in [(first, of_first), (second, of_second)] {
        let rate = Spread::of(rates.iter().copied());
        println!("  {name:<14} {:>9.0} ({:.0} to {:.0})", rate.median, rate.low, rate.high);
    }
    println!("  ratio {:.2} ({:.2} to {:.2})", ratio.median, ratio.low, ratio.high);
    ratio.median
}

pub fn bar(what: String, measured: f64, least: f64, unit: &'static str) -> Bar {
    Bar { what, measured, limit: Limit::AtLeast(least), unit, doubt: None }
}
