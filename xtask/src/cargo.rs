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
