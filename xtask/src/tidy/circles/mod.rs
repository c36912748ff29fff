//! Circles between the files of a crate.
//!
//! Files that need each other can only be read together; each such group is one finding, with
//! the mentions that make the circle.

mod components;
mod files;
mod mentions;
mod tokens;

use std::collections::BTreeMap;

use self::{components::components, files::Files};
use super::{finding::Findings, tree::Tree};

pub(crate) fn check(tree: &Tree, findings: &mut Findings) {
    for package in tree.workspace.members() {
        let directory = format!("{}src/", tree.workspace.place(package));
        let sources: Vec<(&str, &str)> = tree
            .sources
            .iter()
            .filter(|source| !source.is_test())
            .filter_map(|source| Some((source.path.strip_prefix(&directory)?, source.live.as_str())))
            .collect();
        for (line, first, message) in circles(&sources) {
            findings.add(&format!("{directory}{first}"), line, message);
        }
    }
}

/// The circles among files, given with their paths in `src`: the first line and file that is in
/// each, and what to say about it.
fn circles(sources: &[(&str, &str)]) -> Vec<(usize, String, String)> {
    let files = Files::new(sources);
    let arrows: Vec<BTreeMap<usize, usize>> = (0..files.len()).map(|file| files.arrows(file)).collect();
    let neighbours: Vec<Vec<usize>> = arrows.iter().map(|to| to.keys().copied().collect()).collect();

    let mut found = Vec::new();
    for mut circle in components(&neighbours) {
        if circle.len() < 2 {
            continue;
        }
        circle.sort_unstable();
        let mut edges = Vec::new();
        for &from in &circle {
            for (to, line) in &arrows[from] {
                if circle.contains(to) {
                    edges.push((*line, files.path(from), files.path(*to)));
                }
            }
        }
        let Some(&(line, first, _)) = edges.first() else {
            continue;
        };
        let shown: Vec<String> =
            edges.iter().map(|(line, from, to)| format!("{from}:{line} -> {to}")).collect();
        let message = format!(
            "{} files need each other ({}): move what both sides need into a file of its own",
            circle.len(),
            shown.join(", ")
        );
        found.push((line, first.to_owned(), message));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::circles;

    /// The groups of files in the messages, by their arrows.
    fn arrows(sources: &[(&str, &str)]) -> Vec<String> {
        let found = circles(sources).into_iter();
        found
            .map(|(_, _, message)| {
                let (_, rest) = message.split_once('(').expect("the arrows begin");
                let (arrows, _) = rest.split_once(')').expect("the arrows end");
                arrows.to_owned()
            })
            .collect()
    }

    #[test]
    fn two_files_that_use_each_other() {
        let sources = [
            ("lib.rs", "mod a;\nmod b;"),
            ("a.rs", "use crate::b::B;\npub struct A;"),
            ("b.rs", "\nuse crate::a::A;\npub struct B;"),
        ];
        assert_eq!(arrows(&sources), ["a.rs:1 -> b.rs, b.rs:2 -> a.rs"]);
    }

    #[test]
    fn one_direction_is_no_circle() {
        let sources = [
            ("lib.rs", "mod a;\nmod b;\npub use a::A;"),
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "pub struct B;"),
        ];
        assert!(arrows(&sources).is_empty());
    }

    #[test]
    fn groups_are_followed_to_their_leaves() {
        let sources = [
            ("lib.rs", "mod a;\nmod b;"),
            ("a.rs", "use crate::{\n    b::{\n        self,\n        c::{C, D},\n    },\n};"),
            ("b/mod.rs", "pub mod c;\npub struct B;"),
            ("b/c.rs", "use super::super::a;\npub struct C; pub struct D;"),
        ];
        assert_eq!(arrows(&sources), ["a.rs:4 -> b/c.rs, b/c.rs:1 -> a.rs"]);
    }

    #[test]
    fn a_name_of_the_root_is_the_file_that_it_comes_from() {
        let sources = [
            ("lib.rs", "mod a;\nmod b;\npub use self::a::{A, Other as Renamed};\npub use b::*;"),
            ("a.rs", "use crate::B;\npub struct A; pub struct Other;"),
            ("b.rs", "use crate::Renamed;\npub struct B;"),
        ];
        assert_eq!(arrows(&sources), ["a.rs:1 -> b.rs, b.rs:1 -> a.rs"]);
    }

    #[test]
    fn a_parent_that_only_hands_on_is_not_in_a_circle() {
        let sources = [
            ("lib.rs", "mod a;"),
            ("a/mod.rs", "mod b;\npub use self::b::B;\npub struct A;"),
            ("a/b.rs", "use super::A;\npub struct B(A);"),
        ];
        assert!(arrows(&sources).is_empty());
    }

    #[test]
    fn a_parent_that_uses_what_it_hands_on_is() {
        let sources = [
            ("lib.rs", "mod a;"),
            ("a.rs", "mod b;\npub use self::b::B;\npub struct A(Vec<B>);"),
            ("a/b.rs", "use super::A;\npub struct B(A);"),
        ];
        assert_eq!(arrows(&sources), ["a.rs:2 -> a/b.rs, a/b.rs:1 -> a.rs"]);
    }

    #[test]
    fn paths_outside_of_imports_count() {
        let sources = [
            ("main.rs", "mod a;\nfn main() { a::run(); }\npub struct Shared;"),
            ("a.rs", "pub fn run() { let _ = crate::Shared; }"),
        ];
        assert_eq!(arrows(&sources), ["a.rs:1 -> main.rs, main.rs:2 -> a.rs"]);
    }

    #[test]
    fn three_files_in_a_ring() {
        let sources = [
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "fn f() { crate::b::g() }"),
            ("b.rs", "pub fn g() { super::c::h() }"),
            ("c.rs", "pub fn h() { use super::a; }"),
        ];
        assert_eq!(arrows(&sources), ["a.rs:1 -> b.rs, b.rs:1 -> c.rs, c.rs:1 -> a.rs"]);
    }

    #[test]
    fn visibility_and_other_crates_are_no_arrows() {
        let sources = [
            ("lib.rs", "mod a;\nmod b;"),
            ("a.rs", "use crate::b::B;\nuse other::b::X;"),
            ("b.rs", "pub(in crate::a) struct B;\nuse ::a::Y;\nuse std::a;"),
        ];
        assert!(arrows(&sources).is_empty());
    }

    #[test]
    fn a_module_within_a_file_is_that_file() {
        let sources = [
            ("lib.rs", "mod a;\nmod b;"),
            ("a.rs", "pub mod inner { pub struct I; use super::super::b::B; }"),
            ("b.rs", "use crate::a::inner::I;\npub struct B;"),
        ];
        assert_eq!(arrows(&sources), ["a.rs:1 -> b.rs, b.rs:1 -> a.rs"]);
    }
}
