//! Instructions per operation. Each contender runs twice, and the difference
//! is divided by that of the operations, so that opening and filling a cache
//! does not count. Reading a clock does not count in full either: under
//! valgrind the kernel does it, for all contenders alike.

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum as _};

use crate::callgrind;
use crate::contender::{Contender, Walk};
use crate::contenders;
use crate::operation::Operation;

#[derive(Args, Debug)]
pub struct Options {
    /// Only these operations, separated by commas.
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = Operation::value_variants().to_vec())]
    only: Vec<Operation>,
}

/// One contender and how often it runs.
#[derive(Args, Debug)]
pub struct Walked {
    operation: Operation,
    contender: String,
    operations: usize,
}

/// Many rounds over the keys, and many more.
const FEW: usize = 20_480;
const MANY: usize = 102_400;

pub fn run(options: &Options) -> Result<()> {
    for &operation in &options.only {
        println!("\n{}", operation.name());
        println!("  {:<32} {:>16} {:>7}", "", "instructions/op", "ratio");
        let mut first = None;
        for contender in contenders::of(operation) {
            let count = instructions(operation, &contender)?;
            let ratio = count / *first.get_or_insert(count);
            println!("  {:<32} {count:>16.1} {ratio:>7.2}", contender.name);
        }
    }
    Ok(())
}

/// What runs under callgrind.
pub fn walk(walked: &Walked) -> Result<()> {
    let contender = contenders::of(walked.operation)
        .into_iter()
        .find(|contender| contender.name == walked.contender)
        .context("no contender has this name")?;
    (contender.open)().walk(Walk { thread: 0, threads: 1, operations: walked.operations });
    Ok(())
}

fn instructions(operation: Operation, contender: &Contender) -> Result<f64> {
    let count = |operations: usize| {
        callgrind::count(&[
            "walk".to_owned(),
            operation.name(),
            contender.name.to_owned(),
            operations.to_string(),
        ])
    };
    let (few, many) = (count(FEW)?, count(MANY)?);
    Ok((many as f64 - few as f64) / (MANY - FEW) as f64)
}
