//! Building the test programs of a selection, once and all together.

use std::{
    collections::BTreeSet,
    io::BufReader,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};
use cargo_metadata::{Artifact, CompilerMessage, Message, Package, diagnostic::DiagnosticLevel};

use super::selection::Selection;

/// A test program, ready to run.
#[derive(Debug)]
pub(crate) struct Program {
    package: String,
    /// Its source, relative to the package.
    pub(crate) label: String,
    path: PathBuf,
}

/// The outcome of a build.
#[derive(Debug)]
pub(crate) struct Built {
    programs: Vec<Program>,
    /// The packages that did not build, or not in full.
    pub(crate) broken: BTreeSet<String>,
}

/// Builds with Cargo's own progress on the terminal.
pub(crate) fn build(selection: &Selection<'_>) -> Result<Built> {
    eprintln!("building the tests ...");
    // Not `cargo test --no-run`, which builds the same but stops at the first crate that is broken.
    let mut command = selection.command("build");
    command
        .args(["--all-targets", "--keep-going"])
        .arg("--message-format=json-render-diagnostics")
        .stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot run cargo")?;
    let output = child.stdout.take().context("cargo has no output")?;

    let mut programs = Vec::new();
    let mut broken = BTreeSet::new();
    for message in Message::parse_stream(BufReader::new(output)) {
        match message.context("cannot read what cargo says")? {
            Message::CompilerArtifact(artifact) => {
                programs.extend(program(selection, artifact));
            }
            Message::CompilerMessage(message) if is_error(&message) => {
                broken.extend(selected(selection, |package| package.id == message.package_id));
            }
            _ => {}
        }
    }
    if !child.wait().context("cannot wait for cargo")?.success() {
        // A package whose dependency is broken has no errors of its own, and no programs either.
        broken.extend(selected(selection, |package| {
            !programs.iter().any(|program: &Program| program.package == package.name.as_str())
        }));
    }
    programs.sort_by(|a, b| a.label.cmp(&b.label));
    Ok(Built { programs, broken })
}

impl Built {
    pub(crate) fn programs_of(&self, package: &str) -> impl Iterator<Item = &Program> {
        self.programs.iter().filter(move |program| program.package == package)
    }
}

impl Program {
    /// The program with the surroundings that `cargo test` gives it.
    pub(crate) fn command(&self, package: &Package) -> Command {
        let directory = package.manifest_path.parent().unwrap_or(&package.manifest_path);
        let mut command = Command::new(&self.path);
        command
            .current_dir(directory)
            .env("CARGO_MANIFEST_DIR", directory)
            .env("CARGO_MANIFEST_PATH", &package.manifest_path)
            .env("CARGO_PKG_NAME", package.name.as_str())
            .env("CARGO_PKG_VERSION", package.version.to_string());
        command
    }
}

fn program(selection: &Selection<'_>, artifact: Artifact) -> Option<Program> {
    if !artifact.profile.test {
        return None;
    }
    let package = selection.packages.iter().find(|package| package.id == artifact.package_id)?;
    let directory = package.manifest_path.parent()?;
    let source = &artifact.target.src_path;
    Some(Program {
        package: package.name.to_string(),
        label: source.strip_prefix(directory).unwrap_or(source).to_string(),
        path: artifact.executable?.into(),
    })
}

fn is_error(message: &CompilerMessage) -> bool {
    matches!(message.message.level, DiagnosticLevel::Error | DiagnosticLevel::Ice)
}

fn selected(selection: &Selection<'_>, wanted: impl Fn(&Package) -> bool) -> Vec<String> {
    let packages = selection.packages.iter();
    packages.filter(|package| wanted(package)).map(|package| package.name.to_string()).collect()
}
