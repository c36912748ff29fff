//! Which packages are tested, as Cargo is told.

use std::{collections::BTreeSet, process::Command};

use cargo_metadata::Package;

use crate::{cargo::Cargo, workspace::library};

/// How tests are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Test,
    Release,
}

#[derive(Debug)]
pub(crate) struct Selection<'a> {
    pub(crate) cargo: &'a Cargo,
    pub(crate) packages: Vec<&'a Package>,
    /// Whether these are all packages of the workspace.
    pub(crate) whole: bool,
    pub(crate) profile: Profile,
}

impl Selection<'_> {
    /// A subcommand of Cargo for these packages.
    pub(crate) fn command(&self, subcommand: &str) -> Command {
        let mut command = self.cargo.command(subcommand);
        command.arg("--all-features");
        if self.profile == Profile::Release {
            command.arg("--release");
        }
        if self.whole {
            command.arg("--workspace");
        } else {
            for package in &self.packages {
                command.args(["-p", package.name.as_str()]);
            }
        }
        command
    }

    /// `cargo test --doc` for these packages, up to the arguments of the tests; `None` if there
    /// is no library among them, which Cargo takes for a mistake.
    pub(crate) fn doctests(&self) -> Option<Command> {
        if !self.packages.iter().any(|package| library(package).is_some()) {
            return None;
        }
        let mut command = self.command("test");
        command.args(["--doc", "--no-fail-fast", "--"]);
        Some(command)
    }

    /// The selection without the packages that did not build.
    pub(crate) fn without(mut self, broken: &BTreeSet<String>) -> Self {
        if !broken.is_empty() {
            self.packages.retain(|package| !broken.contains(package.name.as_str()));
            self.whole = false;
        }
        self
    }
}
