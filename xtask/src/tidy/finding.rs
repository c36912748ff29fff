//! What the checks find.

use std::collections::BTreeSet;

/// Something to put right, at a line of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    message: String,
}

/// All findings, in the order of the files.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    all: BTreeSet<Finding>,
}

impl Findings {
    pub(crate) fn add(&mut self, path: &str, line: usize, message: impl Into<String>) {
        self.all.insert(Finding { path: path.to_owned(), line, message: message.into() });
    }

    /// Prints all findings and returns how many they are.
    pub(crate) fn print(&self) -> usize {
        for finding in &self.all {
            println!("{}:{}: {}", finding.path, finding.line, finding.message);
        }
        self.all.len()
    }

    /// The lines and messages, for the tests of checks.
    #[cfg(test)]
    pub(crate) fn of_path(&self, path: &str) -> Vec<(usize, &str)> {
        let findings = self.all.iter().filter(|finding| finding.path == path);
        findings.map(|finding| (finding.line, finding.message.as_str())).collect()
    }
}
