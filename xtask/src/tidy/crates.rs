//! What every crate has to have: a description, documentation, the shared lints.

use cargo_metadata::Package;

use super::{finding::Findings, tree::Tree};
use crate::workspace::published;

/// Fewer lines than this cannot say what a crate is for and where to begin.
const DOC_LINES: usize = 3;
const README_LINES: usize = 5;

pub(crate) fn check(tree: &Tree, findings: &mut Findings) {
    for package in tree.workspace.members() {
        check_manifest(tree, package, findings);
        check_docs(tree, package, findings);
        if published(package) {
            check_readme(tree, package, findings);
        }
    }
}

fn check_manifest(tree: &Tree, package: &Package, findings: &mut Findings) {
    let manifest = format!("{}Cargo.toml", tree.workspace.place(package));
    let keys = [
        ("description", package.description.is_some()),
        ("license", package.license.is_some()),
        ("rust-version", package.rust_version.is_some()),
    ];
    for (key, present) in keys {
        if !present {
            findings.add(&manifest, 1, format!("`{key}` is not set: add it to [package]"));
        }
    }
    let text = tree.file(&manifest).map_or("", |file| &file.text);
    if !inherits_lints(text) {
        findings.add(
            &manifest,
            1,
            "the lints are not the shared ones: add `[lints]` with `workspace = true`",
        );
    }
}

fn inherits_lints(manifest: &str) -> bool {
    let mut section = "";
    manifest.lines().map(str::trim).any(|line| {
        if line.starts_with('[') {
            section = line;
        }
        section == "[lints]" && line.replace(' ', "") == "workspace=true" || line == "lints.workspace = true"
    })
}

fn check_docs(tree: &Tree, package: &Package, findings: &mut Findings) {
    for root in ["src/lib.rs", "src/main.rs"] {
        let path = format!("{}{root}", tree.workspace.place(package));
        let Some(file) = tree.file(&path) else {
            continue;
        };
        let lines = file.text.lines().take_while(|line| line.starts_with("//!")).count();
        let included = file.text.contains("#![doc = include_str!");
        if lines < DOC_LINES && !included {
            let message = format!(
                "the crate's own documentation has fewer than {DOC_LINES} lines: begin the file \
                 with `//!` and say what the crate is for"
            );
            findings.add(&path, 1, message);
        }
    }
}

fn check_readme(tree: &Tree, package: &Package, findings: &mut Findings) {
    let path = format!("{}README.md", tree.workspace.place(package));
    let Some(file) = tree.file(&path) else {
        findings.add(&path, 1, "there is no README: say what the crate is for and show its use");
        return;
    };
    let lines = file.text.lines().filter(|line| !line.trim().is_empty()).count();
    if lines < README_LINES {
        findings.add(&path, 1, "the README says next to nothing: say what the crate is for and show its use");
    }
}

#[cfg(test)]
mod tests {
    use super::inherits_lints;

    #[test]
    fn the_section_of_lints_is_recognised() {
        assert!(inherits_lints("[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n"));
        assert!(!inherits_lints("[dependencies]\nworkspace = true\n[lints]\n"));
    }
}
