//! `cargo xtask ci`: everything that has to hold before a change is merged.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::{
    cargo::{Cargo, Lock, succeeds},
    suite::Report,
    test, tidy,
    workspace::{Workspace, library},
};

/// A step that has been run.
#[derive(Debug)]
struct Done {
    name: &'static str,
    success: bool,
    elapsed: Duration,
}

pub(crate) fn run() -> Result<bool> {
    let workspace = Workspace::load(Lock::Keep)?;
    let cargo = Cargo::new(workspace.root(), Lock::Keep);
    let mut report = Report::broken();

    // Clippy, docs and features share what they compile; the tests, which take longest, are last.
    let steps = [
        step("fmt", || fmt(&workspace, &cargo)),
        step("clippy", || clippy(&cargo)),
        step("docs", || docs(&cargo)),
        step("features", || features(&workspace, &cargo)),
        step("tidy", || tidy::run(Lock::Keep)),
        step("test", || {
            report = test::report_all(Lock::Keep)?;
            report.print_failures();
            Ok(report.success())
        }),
    ];

    summarise(&steps);
    report.print_totals();
    Ok(steps.iter().all(|done| done.success))
}

/// Runs a step between its headline and its closing line.
fn step(name: &'static str, work: impl FnOnce() -> Result<bool>) -> Done {
    println!("== {name}");
    let start = Instant::now();
    let success = work().unwrap_or_else(|error| {
        println!("error: {error:#}");
        false
    });
    let done = Done { name, success, elapsed: start.elapsed() };
    println!("== {name}: {} in {:.1}s\n", done.verdict(), done.elapsed.as_secs_f64());
    done
}

impl Done {
    fn verdict(&self) -> &'static str {
        if self.success { "ok" } else { "FAILED" }
    }
}

fn summarise(steps: &[Done]) {
    let mut total = Duration::ZERO;
    for done in steps {
        println!("{:<10} {:<6} {:>8.1}s", done.name, done.verdict(), done.elapsed.as_secs_f64());
        total += done.elapsed;
    }
    println!("{:<10} {:<6} {:>8.1}s", "all", "", total.as_secs_f64());
    let failed: Vec<&str> = steps.iter().filter(|done| !done.success).map(|done| done.name).collect();
    if !failed.is_empty() {
        println!("failed: {}", failed.join(", "));
    }
}

fn fmt(workspace: &Workspace, cargo: &Cargo) -> Result<bool> {
    let mut success = succeeds(cargo.command("fmt").args(["--all", "--check"]))?;
    let bench = workspace.root().join("cache-bench").join("Cargo.toml");
    if bench.is_file() {
        let mut command = cargo.command("fmt");
        command.arg("--manifest-path").arg(bench).arg("--check");
        success &= succeeds(&mut command)?;
    }
    Ok(success)
}

fn clippy(cargo: &Cargo) -> Result<bool> {
    let mut command = cargo.command("clippy");
    command.args(["--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"]);
    succeeds(&mut command)
}

fn docs(cargo: &Cargo) -> Result<bool> {
    let mut command = cargo.command("doc");
    command.args(["--workspace", "--no-deps", "--all-features"]).env("RUSTDOCFLAGS", "-D warnings");
    succeeds(&mut command)
}

/// Checks that each library compiles without the features that other members happen to turn on,
/// and with each of its own alone.
fn features(workspace: &Workspace, cargo: &Cargo) -> Result<bool> {
    const FACADE: &str = "cache-sdk";
    let mut success = true;
    let mut check = |args: &[&str]| -> Result<()> {
        println!("cargo check {}", args.join(" "));
        success &= succeeds(cargo.command("check").arg("--quiet").args(args))?;
        Ok(())
    };
    check(&["-p", FACADE, "--no-default-features"])?;
    for member in workspace.members().into_iter().filter(|member| library(member).is_some()) {
        if member.name != FACADE {
            check(&["-p", &member.name])?;
        }
        for feature in member.features.keys().filter(|feature| *feature != "default") {
            check(&["-p", &member.name, "--no-default-features", "--features", feature])?;
        }
    }
    Ok(success)
}
