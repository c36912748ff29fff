//! The tasks of this workspace, run as `cargo xtask <task>`: tests with the servers that they
//! need, the same tests at full size, the checks of CI, benchmarks and the house rules.
//!
//! Every task is a module named for it. What they share is beside them: `cargo` runs Cargo,
//! `suite` runs the tests of crates, `services` keeps servers.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program talks to its user on these two"
)]
#![allow(clippy::disallowed_methods, reason = "tasks take the machine's own time")]

mod bench;
mod cargo;
mod ci;
mod prove;
mod results;
mod services;
mod suite;
mod test;
mod tidy;
mod watch;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The tasks of the cache-sdk workspace.
#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run every test of the workspace, with servers of its own for the crates that need them.
    ///
    /// Builds all test programs once, runs them and the doc tests crate by crate, then the tests
    /// of cache-sdk without features. Ends with one line per crate and the totals.
    Test(test::Options),

    /// Start, stop and list the servers to develop against.
    Services(services::Options),

    /// Run the tests at full size: optimised, and scaled up by a factor.
    ///
    /// The factor reaches the tests in the environment variable `CACHE_TEST_SCALE`; what they
    /// print is shown.
    Prove(prove::Options),

    /// Run everything that has to hold before a change is merged.
    ///
    /// The steps are fmt, clippy, docs, features, tidy and test. A step that fails does not hide
    /// the others: all are run, and the summary names what failed.
    Ci,

    /// Run the benchmarks, which are a workspace of their own in cache-bench.
    Bench(bench::Options),

    /// Check the house rules that no compiler knows.
    ///
    /// Which crate may depend on which, circles between files, names, sizes, forbidden calls.
    /// Each finding is printed as `path:line: what is wrong and what to do`.
    Tidy,
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a task; `false` means that it has already said what failed.
fn run(task: Task) -> anyhow::Result<bool> {
    match task {
        Task::Test(options) => test::run(options),
        Task::Services(options) => services::run(options),
        Task::Prove(options) => prove::run(options),
        Task::Ci => ci::run(),
        Task::Bench(options) => bench::run(&options),
        Task::Tidy => tidy::run(cargo::Lock::Update),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
