//! `cargo xtask prove`: the tests at full size, optimised, with their numbers shown.

use anyhow::Result;

use crate::{
    cargo::{Cargo, Lock},
    services::{self, Variable},
    suite::{Profile, Suite},
    watch::Show,
    workspace::{Workspace, published},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The crates to prove; all that are published if none is named.
    #[arg(value_name = "AREA")]
    areas: Vec<String>,

    /// How many times larger than in `cargo xtask test` the tests are.
    #[arg(long, default_value_t = 100, value_name = "FACTOR", value_parser = clap::value_parser!(u32).range(1..))]
    scale: u32,

    /// What is passed on to every test program, such as the part of a test's name.
    #[arg(last = true)]
    args: Vec<String>,
}

/// The variable that tells tests how much larger to be.
const SCALE: &str = "CACHE_TEST_SCALE";

pub(crate) fn run(options: Options) -> Result<bool> {
    let workspace = Workspace::load(Lock::Update)?;
    let cargo = Cargo::new(workspace.root(), Lock::Update);
    let mut packages = workspace.select(&options.areas)?;
    if options.areas.is_empty() {
        packages.retain(|package| published(package));
    }
    // Held until the tests have ended; dropping it stops the servers.
    let servers = services::for_crates(packages.iter().map(|package| package.name.as_str()))?;
    let mut variables = servers.variables();
    variables.push(Variable { name: SCALE.to_owned(), value: options.scale.to_string() });
    let mut args = vec!["--nocapture".to_owned()];
    args.extend(options.args);
    let suite = Suite {
        cargo: &cargo,
        packages,
        whole: false,
        profile: Profile::Release,
        // An example has no size to scale.
        doctests: false,
        args,
        variables,
        show: Show::Output,
    };
    let report = suite.run()?;
    report.print_failures();
    report.print_totals();
    Ok(report.success())
}
