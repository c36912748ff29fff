//! The files that the checks read.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, bail};
use cargo_metadata::Package;

use super::code;
use crate::workspace::{Workspace, library};

/// The workspace and its files.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) workspace: Workspace,
    pub(crate) files: Vec<TextFile>,
    pub(crate) sources: Vec<Source>,
}

/// A text file; its path is relative to the root of the workspace.
#[derive(Debug)]
pub(crate) struct TextFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A Rust file.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text with comments and literals blanked out, line by line.
    pub(crate) code: String,
    /// The code with test items blanked out too.
    pub(crate) live: String,
}

impl Tree {
    /// Reads the files that git has, or would have if everything were added.
    pub(crate) fn read(workspace: Workspace) -> Result<Self> {
        let root = workspace.root();
        let mut files = Vec::new();
        for path in listed(&root)? {
            // A file can be listed and deleted, and a picture is nothing to read.
            let Ok(bytes) = fs::read(root.join(&path)) else {
                continue;
            };
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(TextFile { path, text });
            }
        }
        let sources = files
            .iter()
            .filter(|file| has_extension(&file.path, "rs"))
            .map(|file| Source::new(&file.path, &file.text))
            .collect();
        Ok(Self { workspace, files, sources })
    }

    pub(crate) fn file(&self, path: &str) -> Option<&TextFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The member in whose directory a file lies.
    pub(crate) fn package_of(&self, path: &str) -> Option<&Package> {
        // The root package contains the directories of all others.
        self.workspace
            .members()
            .into_iter()
            .filter(|member| path.starts_with(&self.workspace.place(member)))
            .max_by_key(|member| self.workspace.place(member).len())
    }

    /// Whether a file is a part of a library, rather than of its tests or of a program.
    pub(crate) fn in_library(&self, path: &str) -> bool {
        self.package_of(path).is_some_and(|package| {
            let sources = format!("{}src/", self.workspace.place(package));
            library(package).is_some() && path.starts_with(&sources)
        })
    }
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = code::only(text);
        let live = code::without_tests(&code);
        Self { path: path.to_owned(), text: text.to_owned(), code, live }
    }

    /// Whether the whole file is there for tests, benchmarks or examples.
    pub(crate) fn is_test(&self) -> bool {
        self.path.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "benches" | "examples"))
    }
}

pub(crate) fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

fn listed(root: &Path) -> Result<Vec<String>> {
    let output = Command::new("git")
        .current_dir(root)
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .context("cannot run git")?;
    if !output.status.success() {
        bail!("git cannot list the files: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let text = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
    Ok(text.split_terminator('\0').map(str::to_owned).collect())
}
