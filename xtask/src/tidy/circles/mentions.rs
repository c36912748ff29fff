//! The paths that a file names: in its imports and in its code.

use std::collections::BTreeSet;

use super::tokens::{Token, is_word, tokens};

/// What one file says about others and about itself.
#[derive(Debug, Default)]
pub(crate) struct Mentions {
    pub(crate) imports: Vec<Import>,
    pub(crate) paths: Vec<Path>,
    /// The modules written out within the file, each as its path from the file's own module.
    pub(crate) modules: BTreeSet<Vec<String>>,
    /// The items that the file defines, each after the path of its module.
    pub(crate) items: BTreeSet<Vec<String>>,
    /// All words outside of imports.
    pub(crate) words: BTreeSet<String>,
}

/// A path as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) segments: Vec<String>,
    /// The module within the file that it is written in.
    pub(crate) module: Vec<String>,
    pub(crate) line: usize,
}

/// One leaf of a `use`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Import {
    pub(crate) path: Path,
    /// The name that it brings in; `None` if it brings in all that there is.
    pub(crate) name: Option<String>,
    /// Whether others can see the name too.
    pub(crate) hands_on: bool,
}

impl Mentions {
    /// Reads text that is code only.
    pub(crate) fn of(code: &str) -> Self {
        let mut reader =
            Reader { tokens: tokens(code), at: 0, module: Vec::new(), depth: 0, found: Self::default() };
        while reader.at < reader.tokens.len() {
            reader.step();
        }
        reader.found
    }
}

struct Reader<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    /// The modules within the file that the reader is in, each with the depth of its block.
    module: Vec<(String, usize)>,
    depth: usize,
    found: Mentions,
}

impl Reader<'_> {
    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text)
    }

    fn before(&self, steps: usize) -> &str {
        self.at.checked_sub(steps).map_or("", |at| self.text(at))
    }

    fn module(&self) -> Vec<String> {
        self.module.iter().map(|(name, _)| name.clone()).collect()
    }

    fn path(&self, segments: Vec<String>, line: usize) -> Path {
        Path { segments, module: self.module(), line }
    }

    fn step(&mut self) {
        let word = self.text(self.at).to_owned();
        match word.as_str() {
            "{" => self.depth += 1,
            "}" => {
                self.depth = self.depth.saturating_sub(1);
                if self.module.last().is_some_and(|(_, depth)| *depth == self.depth) {
                    self.module.pop();
                }
            }
            // `impl Trait + use<'a>` captures lifetimes and imports nothing.
            "use" if self.text(self.at + 1) != "<" => return self.import(),
            "mod" if self.text(self.at + 2) == "{" => {
                let name = self.text(self.at + 1).to_owned();
                self.module.push((name, self.depth));
                let module = self.module();
                self.found.modules.insert(module);
            }
            "struct" | "enum" | "union" | "trait" | "type" | "fn" | "const" | "static" => {
                self.item(1);
            }
            "macro_rules" => self.item(2),
            _ if is_word(&word) => return self.words(),
            _ => {}
        }
        self.at += 1;
    }

    /// Notes the item whose name is so many tokens ahead.
    fn item(&mut self, ahead: usize) {
        let mut item = self.module();
        item.push(self.text(self.at + ahead).to_owned());
        self.found.items.insert(item);
    }

    /// Reads a word, or a path of several.
    fn words(&mut self) {
        let start = self.at;
        let line = self.tokens[start].line;
        // `pub(in crate::a)` says who may see, not what is needed; `x.f::<T>` and `<T>::f` are no
        // paths of modules.
        let ours = !matches!(self.before(1), "in" | "." | "::");
        let mut segments = vec![self.text(start).to_owned()];
        while self.text(self.at + 1) == "::" && is_word(self.text(self.at + 2)) {
            self.at += 2;
            segments.push(self.text(self.at).to_owned());
        }
        self.at += 1;
        self.found.words.extend(segments.iter().cloned());
        // An exported macro is at the root wherever it is written, so its path tells no file.
        let macro_of_root = segments.len() == 2 && segments[0] == "crate" && self.text(self.at) == "!";
        if ours && segments.len() > 1 && !macro_of_root {
            let path = self.path(segments, line);
            self.found.paths.push(path);
        }
    }

    fn import(&mut self) {
        // The visibility is before it: `pub use` or `pub(crate) use`.
        let hands_on = matches!(self.before(1), "pub" | ")");
        self.at += 1;
        self.import_tree(&[], hands_on);
    }

    /// Reads a tree after its prefix, up to what follows it.
    fn import_tree(&mut self, prefix: &[String], hands_on: bool) {
        let mut segments = prefix.to_vec();
        while self.at < self.tokens.len() {
            let line = self.tokens[self.at].line;
            match self.text(self.at) {
                "::" => {
                    // At the beginning it leads to another crate.
                    if segments.is_empty() {
                        segments.push(String::new());
                    }
                    self.at += 1;
                }
                "{" => {
                    self.at += 1;
                    while self.at < self.tokens.len() && self.text(self.at) != "}" {
                        self.import_tree(&segments, hands_on);
                        if self.text(self.at) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "*" => {
                    self.at += 1;
                    let path = self.path(segments, line);
                    self.found.imports.push(Import { path, name: None, hands_on });
                    return;
                }
                // Both `;` after the tree, and whatever a macro may have put there.
                word if !is_word(word) => {
                    if !matches!(word, "," | "}") {
                        self.at += 1;
                    }
                    return;
                }
                word => {
                    let word = word.to_owned();
                    self.at += 1;
                    if word != "self" || segments.is_empty() {
                        segments.push(word);
                    }
                    if self.text(self.at) == "::" {
                        continue;
                    }
                    let mut name = segments.last().cloned();
                    if self.text(self.at) == "as" {
                        name = Some(self.text(self.at + 1).to_owned());
                        self.at += 2;
                    }
                    let path = self.path(segments, line);
                    self.found.imports.push(Import { path, name, hands_on });
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Mentions;

    fn imports(code: &str) -> Vec<String> {
        let imports = Mentions::of(code).imports.into_iter();
        imports
            .map(|import| {
                let name = import.name.unwrap_or_else(|| "*".to_owned());
                format!("{} as {name}", import.path.segments.join("::"))
            })
            .collect()
    }

    #[test]
    fn a_group_is_all_its_leaves() {
        let code = "use crate::{\n    a,\n    b::{self, c::D, e::*},\n    F as G,\n};\nuse super::h::I;";
        let expected = [
            "crate::a as a",
            "crate::b as b",
            "crate::b::c::D as D",
            "crate::b::e as *",
            "crate::F as G",
            "super::h::I as I",
        ];
        assert_eq!(imports(code), expected);
    }

    #[test]
    fn visibility_tells_whether_a_name_is_handed_on() {
        let code = "use a::A;\npub use b::B;\npub(crate) use c::C;";
        let found = Mentions::of(code).imports.into_iter();
        assert_eq!(found.map(|import| import.hands_on).collect::<Vec<_>>(), [false, true, true]);
    }

    #[test]
    fn other_crates_are_marked() {
        assert_eq!(imports("use ::a::B;"), ["::a::B as B"]);
    }

    #[test]
    fn paths_in_code_are_read() {
        let mentions =
            Mentions::of("fn f() -> crate::a::B {\n    super::c::<u8>();\n    d.e::<crate::F>()\n}");
        let paths: Vec<String> = mentions.paths.iter().map(|path| path.segments.join("::")).collect();
        assert_eq!(paths, ["crate::a::B", "super::c", "crate::F"]);
        assert_eq!(mentions.paths[1].line, 2);
    }

    #[test]
    fn modules_within_the_file_are_known() {
        let mentions = Mentions::of("mod a { mod b { use super::C; } }\nuse d::E;");
        assert_eq!(mentions.imports[0].path.module, ["a", "b"]);
        assert!(mentions.imports[1].path.module.is_empty());
    }
}
