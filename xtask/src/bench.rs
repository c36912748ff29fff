//! `cargo xtask bench`: the benchmarks against other caches.
//!
//! Whatever follows is for the benchmark program, `--help` too.

use anyhow::{Result, bail};

use crate::{
    cargo::{Cargo, Lock, succeeds},
    workspace::Workspace,
};

#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// What is passed on to the benchmark program.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<bool> {
    let root = Workspace::load(Lock::Update)?.root();
    let manifest = root.join("cache-bench").join("Cargo.toml");
    if !manifest.is_file() {
        bail!("there are no benchmarks here: cache-bench/Cargo.toml is missing");
    }
    let mut command = Cargo::new(root, Lock::Update).command("run");
    command.arg("--release").arg("--manifest-path").arg(manifest).arg("--").args(&options.args);
    succeeds(&mut command)
}
