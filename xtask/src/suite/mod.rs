//! Running the tests of crates and counting them.
//!
//! Everything is built in one go, with the features of the whole selection, and the programs are
//! then run directly: one `cargo test -p` per crate would resolve features anew each time and
//! build the dependencies again for every answer.

mod build;
mod doctests;
mod report;
mod selection;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::Result;
use cargo_metadata::Package;

use self::{
    build::{Built, Program},
    doctests::Doctests,
    selection::Selection,
};
use crate::{
    cargo::Cargo,
    results::Counts,
    services::Variable,
    watch::{Ended, Show, watch},
    workspace::library,
};

pub(crate) use self::{report::Report, selection::Profile};

/// The tests of some crates, and how they are run.
#[derive(Debug)]
pub(crate) struct Suite<'a> {
    pub(crate) cargo: &'a Cargo,
    pub(crate) packages: Vec<&'a Package>,
    /// Whether these are all packages of the workspace.
    pub(crate) whole: bool,
    pub(crate) profile: Profile,
    /// Whether the examples in the documentation are run too.
    pub(crate) doctests: bool,
    /// What is passed on to every test program.
    pub(crate) args: Vec<String>,
    /// What the tests are told by their environment.
    pub(crate) variables: Vec<Variable>,
    pub(crate) show: Show,
}

impl Suite<'_> {
    /// Runs all crates, also after failures.
    pub(crate) fn run(&self) -> Result<Report> {
        let selection = Selection {
            cargo: self.cargo,
            packages: self.packages.clone(),
            whole: self.whole,
            profile: self.profile,
        };
        let built = build::build(&selection)?;
        let doctests = if self.doctests {
            self.run_doctests(&selection.without(&built.broken))?
        } else {
            Doctests::default()
        };

        let mut report = Report::default();
        for package in &self.packages {
            self.run_package(package, &built, &doctests, &mut report)?;
        }
        for stray in doctests.strays() {
            print!("{stray}");
            report.add("doc tests", Counts::FAILURE, Duration::ZERO);
        }
        Ok(report)
    }

    /// Runs the tests of a package without any of its features, as a line of their own. The
    /// examples in its documentation may need its features, and are left out.
    pub(crate) fn run_without_features(&self, package: &str, report: &mut Report) -> Result<()> {
        let label = format!("{package} (no features)");
        eprintln!("{label} ...");
        let start = Instant::now();
        let mut command = self.cargo.command("test");
        let flags = ["--no-default-features", "--tests", "--no-fail-fast", "--"];
        command.args(["-p", package]).args(flags).args(&self.args);
        let counts = self.count(command, &label)?;
        report.add(&label, counts, start.elapsed());
        Ok(())
    }

    fn run_doctests(&self, selection: &Selection<'_>) -> Result<Doctests> {
        let Some(mut command) = selection.doctests() else {
            return Ok(Doctests::default());
        };
        command.args(&self.args);
        eprintln!("doc tests ...");
        let ended = self.watch(command, "doc tests")?;
        Ok(Doctests::of_output(&ended))
    }

    fn run_package(
        &self,
        package: &Package,
        built: &Built,
        doctests: &Doctests,
        report: &mut Report,
    ) -> Result<()> {
        if built.broken.contains(package.name.as_str()) {
            eprintln!("{} did not build, or not in full", package.name);
            report.add(&package.name, Counts::FAILURE, Duration::ZERO);
            return Ok(());
        }
        let programs: Vec<&Program> = built.programs_of(&package.name).collect();
        eprintln!("{} ... test programs: {}", package.name, programs.len());
        let start = Instant::now();
        let mut counts = Counts::default();
        for program in programs {
            let label = format!("{}: {}", package.name, program.label);
            let mut command = program.command(package);
            command.args(&self.args);
            counts += self.count(command, &label)?;
        }
        let mut elapsed = start.elapsed();
        if let Some(section) = library(package).and_then(|name| doctests.section(name)) {
            counts += section.counts;
            elapsed += section.elapsed;
            if section.counts.failed > 0 && self.show == Show::Progress {
                print!("{}", section.text);
            }
        }
        report.add(&package.name, counts, elapsed);
        Ok(())
    }

    /// Runs one test command; what it printed is shown if it failed.
    fn count(&self, command: Command, label: &str) -> Result<Counts> {
        let ended = self.watch(command, label)?;
        let mut counts = Counts::of_output(&ended.text);
        if !ended.success {
            if self.show == Show::Progress {
                println!("{label} failed:\n{}", ended.text);
            }
            // A program that crashes has printed no count of what it broke.
            if counts.failed == 0 {
                counts += Counts::FAILURE;
            }
        }
        Ok(counts)
    }

    fn watch(&self, mut command: Command, label: &str) -> Result<Ended> {
        command.envs(self.variables.iter().map(|variable| (&variable.name, &variable.value)));
        watch(command, label, self.show)
    }
}
