//! System calls per operation, counted by strace.

use std::collections::BTreeMap;
use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use cache_core::Timeout;
use clap::{Args, ValueEnum};
use tokio::runtime::Runtime;

use super::Options;
use super::cache::{BULK, directory, fill, name, open, value};
use super::pace::scattered;
use crate::bars::{Bar, Limit};

/// What runs under strace: an operation so many times, in a directory that is
/// there.
#[derive(Args, Debug)]
pub struct Walked {
    operation: Walk,
    directory: PathBuf,
    entries: usize,
    times: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Walk {
    Set,
    Get,
    GetMany,
}

const TIMES: usize = 2_000;

/// What waits and wakes, which is a matter of chance, and what grows memory.
const NOT_COUNTED: [&str; 9] =
    ["futex", "epoll_wait", "mmap", "munmap", "madvise", "mprotect", "brk", "clone3", "restart_syscall"];

pub fn walk(walked: &Walked) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let cache = open(&walked.directory).await?;
        for number in 0..walked.times {
            let name_of = |number| name(scattered(number, walked.entries));
            match walked.operation {
                Walk::Set => cache.aset(&name_of(number), &value(), Timeout::Forever).await?,
                Walk::Get => drop(cache.aget::<bytes::Bytes>(&name_of(number)).await?),
                Walk::GetMany => {
                    let names: Vec<_> = (0..BULK).map(|part| name_of(number * BULK + part)).collect();
                    drop(cache.get_many::<bytes::Bytes, _>(&names).await?);
                }
            }
        }
        Ok(())
    })
}

pub fn run(options: &Options, runtime: &Runtime) -> Result<Vec<Bar>> {
    println!("\nsystem calls per operation, counted by strace over {TIMES}, without those that wait");
    let mut bars = Vec::new();
    let mut first = BTreeMap::new();
    for size in &options.sizes {
        let directory = directory(options)?;
        runtime.block_on(async {
            let cache = open(directory.path()).await?;
            fill(&cache, *size).await
        })?;
        // As where another process sweeps: its calls are no operation's.
        let sweep =
            File::options().write(true).create(true).truncate(false).open(directory.path().join(".sweep"))?;
        sweep.lock()?;
        for operation in Walk::value_variants() {
            let per_operation = count(*operation, directory.path(), *size)?;
            let sum: f64 = per_operation.values().sum();
            let each: Vec<_> = per_operation
                .iter()
                .filter(|(_, count)| **count >= 0.01)
                .map(|(name, count)| format!("{name} {count:.2}"))
                .collect();
            println!("  {operation:?} among {size:>7}: {sum:.2} ({})", each.join(", "));
            let base = *first.entry(format!("{operation:?}")).or_insert(sum);
            if Some(size) == options.sizes.last() {
                bars.push(Bar {
                    what: format!("system calls of {operation:?} among {size}"),
                    measured: sum / base,
                    limit: Limit::AtMost(1.02),
                    unit: "of those among fewest",
                    doubt: None,
                });
            }
        }
    }
    Ok(bars)
}

/// The calls of one operation: those of many, without those of none.
fn count(operation: Walk, directory: &Path, entries: usize) -> Result<BTreeMap<String, f64>> {
    let none = trace(operation, directory, entries, 0)?;
    let mut many = trace(operation, directory, entries, TIMES)?;
    for (name, calls) in &mut many {
        *calls = (*calls - none.get(name).copied().unwrap_or(0.0)) / TIMES as f64;
    }
    many.retain(|name, _| !NOT_COUNTED.contains(&name.as_str()));
    Ok(many)
}

fn trace(operation: Walk, directory: &Path, entries: usize, times: usize) -> Result<BTreeMap<String, f64>> {
    let summary = tempfile::NamedTempFile::new()?;
    let operation = operation.to_possible_value().context("it has a name")?;
    let mut command = Command::new("strace");
    command.args(["-f", "-c", "-o"]).arg(summary.path()).arg(env::current_exe()?);
    command.args(["files-walk", operation.get_name()]).arg(directory);
    command.args([entries.to_string(), times.to_string()]).stdout(Stdio::null());
    let status = command.status().context("strace does not start: is it installed?")?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    let text = std::fs::read_to_string(summary.path())?;
    let line = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let calls = words.get(3)?.parse().ok()?;
        let name = words.last().filter(|name| **name != "total")?;
        Some(((*name).to_owned(), calls))
    };
    Ok(text.lines().filter_map(line).collect())
}
