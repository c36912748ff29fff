//! Beside Django's own file cache, in a Python of its own with what PyPI has.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::Options;
use super::cache::{directory, fill, open};
use super::peers::{bar, compare, rate_of_sets};
use crate::bars::Bar;

/// Prints how many sets and gets a second it does among so many entries.
const SCRIPT: &str = include_str!("django_files.py");

const SIZES: [usize; 2] = [300, 10_000];

pub async fn run(options: &Options) -> Result<Vec<Bar>> {
    let python = directory(options)?;
    let python = python.path();
    succeed(Command::new("python3").args(["-m", "venv"]).arg(python))?;
    let interpreter = python.join("bin/python");
    succeed(Command::new(&interpreter).args(["-m", "pip", "install", "--quiet", "django"]))?;
    let own = directory(options)?;
    let cache = open(own.path()).await?;
    fill(&cache, 10_000).await?;
    let mut bars = Vec::new();
    for size in SIZES {
        println!(
            "\nset of 100 bytes, Django's FileBasedCache with {size} entries, ours with 10000, sets per second"
        );
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        let files = directory(options)?;
        for _ in 0..options.rounds.min(5) {
            theirs.push(rate_of_django(&interpreter, files.path(), size)?);
            ours.push(rate_of_sets(&cache, Duration::from_secs(1)).await?);
        }
        let ratio = compare("Django", &theirs, "cache-fs", &ours);
        if size == 10_000 {
            bars.push(bar("set among 10000".to_owned(), ratio, 25.0, "of Django's rate"));
        }
    }
    Ok(bars)
}

fn rate_of_django(interpreter: &Path, directory: &Path, size: usize) -> Result<f64> {
    let mut command = Command::new(interpreter);
    command.arg("-c").arg(SCRIPT).arg(directory).arg(size.to_string());
    let output = command.output().context("Python does not start")?;
    if !output.status.success() {
        bail!("Django does not run: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?} does not start"))?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(())
}
