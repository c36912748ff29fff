//! Traces of the place where a file was written: paths of one machine, addresses of a registry.

use std::path::Path;

use super::{finding::Findings, tree::Tree};

/// Joined from parts, so that this file does not contain it. The hosts of the index and of the
/// downloads end in the same name.
const REGISTRY: &str = concat!("crates", ".io");

/// Written by Cargo, which names the registry in every entry.
const LOCK_FILE: &str = "Cargo.lock";

pub(crate) fn check(tree: &Tree, findings: &mut Findings) {
    let root = tree.workspace.root();
    // Every machine has a directory for what is temporary, and documents name it.
    let parent = root.parent().filter(|parent| *parent != std::env::temp_dir());
    let home = std::env::var_os("HOME").map(std::path::PathBuf::from);
    let directories: Vec<String> =
        [parent.or(Some(&root)), home.as_deref()].into_iter().flatten().filter_map(absolute).collect();

    for file in &tree.files {
        if file.path.ends_with(LOCK_FILE) {
            continue;
        }
        for (index, line) in file.text.lines().enumerate() {
            for directory in &directories {
                if names_path(line, directory) {
                    let message = format!("`{directory}` is a path of one machine: write a relative one");
                    findings.add(&file.path, index + 1, message);
                }
            }
            if line.to_ascii_lowercase().contains(REGISTRY) {
                let message = format!("`{REGISTRY}` is the host of a registry: name the crate only");
                findings.add(&file.path, index + 1, message);
            }
        }
    }
}

/// A directory as text; `None` for the root of everything, with which each path begins.
fn absolute(directory: &Path) -> Option<String> {
    let text = directory.to_str()?.trim_end_matches('/');
    (directory.is_absolute() && !text.is_empty()).then(|| text.to_owned())
}

/// Whether a line names a directory or something in it, rather than a path that contains its
/// name, such as an address or a longer word.
fn names_path(line: &str, directory: &str) -> bool {
    line.match_indices(directory).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + directory.len()..].chars().next();
        let part_of_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        let continues = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        !before.is_some_and(|c| part_of_word(c) || matches!(c, '/' | '*' | '}' | ')'))
            && !after.is_some_and(continues)
    })
}

#[cfg(test)]
mod tests {
    use super::names_path;

    #[test]
    fn a_path_of_the_machine_is_told_from_its_letters() {
        assert!(names_path("cd /build/cache", "/build"));
        assert!(names_path("\"/build\"", "/build"));
        assert!(!names_path("/builder", "/build"));
        assert!(!names_path("target/build/x", "/build"));
        assert!(!names_path("https://example.org/build/", "/build"));
    }
}
