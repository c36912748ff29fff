//! Cargo, as a command of this workspace.

use std::{ffi::OsString, path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

/// How Cargo is called: which one, where, and whether the lock file may change.
#[derive(Clone, Debug)]
pub(crate) struct Cargo {
    program: OsString,
    root: PathBuf,
    lock: Lock,
}

/// Whether Cargo may bring `Cargo.lock` up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    Update,
    /// CI builds exactly what is committed.
    Keep,
}

/// What the variables begin with in which Cargo tells a program of its package.
const OF_PACKAGE: [&str; 2] = ["CARGO_MANIFEST_", "CARGO_PKG_"];

impl Cargo {
    pub(crate) fn new(root: PathBuf, lock: Lock) -> Self {
        // Cargo sets CARGO for what it runs, so that the same toolchain is used further down.
        let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Self { program, root, lock }
    }

    /// `cargo <subcommand>` in the root of the workspace.
    pub(crate) fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.root).arg(subcommand);
        // What Cargo told this program of its own package is nobody else's: a build
        // script that asks for it would run anew, and all that depends on it.
        for (name, _) in std::env::vars_os() {
            let is_of_package = |name: &str| OF_PACKAGE.iter().any(|start| name.starts_with(start));
            if name.to_str().is_some_and(is_of_package) {
                command.env_remove(name);
            }
        }
        // `cargo fmt` resolves nothing and refuses the flag.
        if self.lock == Lock::Keep && subcommand != "fmt" {
            command.arg("--locked");
        }
        command
    }
}

/// Runs a command on this terminal and tells whether it succeeded.
pub(crate) fn succeeds(command: &mut Command) -> Result<bool> {
    let status =
        command.status().with_context(|| format!("cannot run {}", command.get_program().display()))?;
    Ok(status.success())
}
