//! Names that say nothing about what they name.

use std::path::Path;

use super::{
    finding::Findings,
    tree::{Source, Tree},
};

static MODULES: &[&str] = &["utils", "util", "helpers", "helper", "manager", "common", "misc"];
static ENDINGS: &[&str] = &["Manager", "Helper", "Helpers", "Util", "Utils"];

pub(crate) fn check(tree: &Tree, findings: &mut Findings) {
    for source in &tree.sources {
        check_source(source, findings);
    }
}

fn check_source(source: &Source, findings: &mut Findings) {
    let path = Path::new(&source.path);
    let parts = path.with_extension("");
    for part in parts.iter().filter_map(|part| part.to_str()) {
        if MODULES.contains(&part) {
            let message = format!("a file named `{part}` is about nothing: name it for its concept");
            findings.add(&source.path, 1, message);
        }
    }
    for (index, line) in source.code.lines().enumerate() {
        let words: Vec<&str> =
            line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            let (keyword, name) = (pair[0], pair[1]);
            let empty = match keyword {
                "mod" => MODULES.contains(&name),
                "struct" | "enum" | "trait" | "type" | "union" => {
                    ENDINGS.iter().any(|ending| name.ends_with(ending))
                }
                _ => false,
            };
            if empty {
                let message = format!("`{name}` says nothing: name it for what it does or is");
                findings.add(&source.path, index + 1, message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check_source;
    use crate::tidy::{finding::Findings, tree::Source};

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let mut findings = Findings::default();
        check_source(&Source::new(path, text), &mut findings);
        findings.of_path(path).into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn empty_names_are_found() {
        assert_eq!(lines("a/src/utils.rs", ""), [1]);
        assert_eq!(lines("a/tests/common/mod.rs", ""), [1]);
        assert_eq!(lines("a/src/b.rs", "pub(crate) mod helpers;\nstruct PoolManager<T>(T);"), [1, 2]);
    }

    #[test]
    fn names_that_contain_one_are_fine() {
        assert!(lines("a/src/common_prefix.rs", "mod helper_free;\nstruct Managers;").is_empty());
        assert!(lines("a/src/b.rs", "// mod utils;\nlet s = \"struct FooManager\";").is_empty());
    }
}
