//! Counts instructions by running a program under callgrind.

use std::io::ErrorKind;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

const VALGRIND: &str = "valgrind";

/// How many instructions this program executes with these arguments.
pub fn count(arguments: &[String]) -> Result<u64> {
    let program = std::env::current_exe().context("this program does not know where it is")?;
    let directory = tempfile::tempdir().context("callgrind needs a directory for its results")?;
    let mut command = Command::new(VALGRIND);
    command
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", directory.path().join("out").display()))
        .arg(program)
        .args(arguments);
    let output = match command.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("{VALGRIND} is missing: install the system's package `{VALGRIND}`")
        }
        output => output.with_context(|| format!("cannot run {VALGRIND}"))?,
    };
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{VALGRIND} failed:\n{said}");
    }
    collected(&said).with_context(|| format!("{VALGRIND} did not say what it collected:\n{said}"))
}

/// The total that callgrind prints as `==123== Collected : 456`.
fn collected(said: &str) -> Option<u64> {
    let number = said.lines().find_map(|line| line.split_once("Collected :"))?.1;
    number.trim().parse().ok()
}
