//! `cargo xtask test`: every test of the workspace.

use anyhow::Result;

use crate::{
    cargo::{Cargo, Lock},
    services,
    suite::{Profile, Report, Suite},
    watch::Show,
    workspace::Workspace,
};

#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// The crates to test; all of them if none is named.
    #[arg(value_name = "CRATE")]
    crates: Vec<String>,

    /// Show what the tests print, rather than only the output of those that fail.
    #[arg(long, short)]
    verbose: bool,

    /// What is passed on to every test program, such as the part of a test's name.
    #[arg(last = true)]
    args: Vec<String>,
}

/// The package that is also tested without its features.
const FACADE: &str = "cache-sdk";

pub(crate) fn run(options: Options) -> Result<bool> {
    let report = report(options, Lock::Update)?;
    report.print_failures();
    report.print_totals();
    Ok(report.success())
}

/// Runs the tests of all crates, as a step of something larger.
pub(crate) fn report_all(lock: Lock) -> Result<Report> {
    report(Options::default(), lock)
}

fn report(options: Options, lock: Lock) -> Result<Report> {
    let workspace = Workspace::load(lock)?;
    let cargo = Cargo::new(workspace.root(), lock);
    let packages = workspace.select(&options.crates)?;
    let facade = packages.iter().any(|package| package.name == FACADE);
    // Held until the tests have ended; dropping it stops the servers.
    let servers = services::for_crates(packages.iter().map(|package| package.name.as_str()))?;
    let suite = Suite {
        cargo: &cargo,
        whole: options.crates.is_empty(),
        packages,
        profile: Profile::Test,
        doctests: true,
        args: options.args,
        variables: servers.variables(),
        show: if options.verbose { Show::Output } else { Show::Progress },
    };
    let mut report = suite.run()?;
    if facade {
        suite.run_without_features(FACADE, &mut report)?;
    }
    Ok(report)
}
