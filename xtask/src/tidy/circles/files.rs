//! The files of a crate as its tree of modules, and which file a path leads to.

use std::collections::BTreeMap;

use super::mentions::{Import, Mentions, Path};

/// A module, by its path from the root of the crate.
type Module = Vec<String>;

#[derive(Debug)]
pub(crate) struct Files {
    files: Vec<File>,
    /// The file of each module, also of those that are written out within a file.
    modules: BTreeMap<Module, usize>,
}

#[derive(Debug)]
struct File {
    path: String,
    module: Module,
    mentions: Mentions,
}

/// Where a name leads.
#[derive(Debug)]
enum Place {
    Module(Module),
    Item(usize),
}

/// Names can be handed on in a ring, which the compiler accepts as long as nobody asks.
const HANDS: usize = 16;

impl Files {
    /// Takes the files with their paths in `src`.
    pub(crate) fn new(sources: &[(&str, &str)]) -> Self {
        let library = sources.iter().any(|(path, _)| *path == "lib.rs");
        let mut files: Vec<File> = sources
            .iter()
            // Programs are crates of their own; beside a library they have its modules only
            // under its name.
            .filter(|(path, _)| !(path.starts_with("bin/") || library && *path == "main.rs"))
            .map(|(path, code)| File {
                path: (*path).to_owned(),
                module: module_of(path),
                mentions: Mentions::of(code),
            })
            .collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));

        let mut modules = BTreeMap::new();
        for (index, file) in files.iter().enumerate() {
            modules.insert(file.module.clone(), index);
            for within in &file.mentions.modules {
                modules.insert([file.module.as_slice(), within].concat(), index);
            }
        }
        Self { files, modules }
    }

    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    pub(crate) fn path(&self, file: usize) -> &str {
        &self.files[file].path
    }

    /// The files that a file needs, each with the first line that says so.
    pub(crate) fn arrows(&self, from: usize) -> BTreeMap<usize, usize> {
        let mentions = &self.files[from].mentions;
        let imports = mentions
            .imports
            .iter()
            .filter_map(|import| Some((self.file_of(from, &import.path)?, import)))
            .filter(|(to, import)| !self.only_hands_on(from, *to, import))
            .map(|(to, import)| (to, import.path.line));
        let paths = mentions.paths.iter().filter_map(|path| Some((self.file_of(from, path)?, path.line)));

        let mut arrows = BTreeMap::new();
        for (to, line) in imports.chain(paths) {
            if to != from {
                let first = arrows.entry(to).or_insert(line);
                *first = line.min(*first);
            }
        }
        arrows
    }

    /// Whether an import does nothing but make a name of a child known to others.
    fn only_hands_on(&self, from: usize, to: usize, import: &Import) -> bool {
        let (from, to) = (&self.files[from], &self.files[to]);
        let used = import.name.as_ref().is_some_and(|name| from.mentions.words.contains(name));
        import.hands_on && to.module.starts_with(&from.module) && !used
    }

    fn file_of(&self, from: usize, path: &Path) -> Option<usize> {
        let place = self.follow(from, path, HANDS)?;
        match place {
            Place::Module(module) => self.modules.get(&module).copied(),
            Place::Item(file) => Some(file),
        }
    }

    /// Follows a path from the file that names it; `None` if it leads out of the crate.
    fn follow(&self, from: usize, path: &Path, hands: usize) -> Option<Place> {
        let mut module = [self.files[from].module.as_slice(), &path.module].concat();
        let mut segments = path.segments.iter().peekable();
        match segments.peek()?.as_str() {
            "crate" => {
                module.clear();
                segments.next();
            }
            "self" => {
                segments.next();
            }
            "super" => {}
            name => {
                // Without a keyword a path begins at a child, or at a name of another crate.
                let child = [module.as_slice(), &[name.to_owned()]].concat();
                self.modules.get(&child)?;
            }
        }
        while segments.next_if(|segment| *segment == "super").is_some() {
            module.pop()?;
        }

        for name in segments {
            match self.look_up(&module, name, hands) {
                Some(Place::Module(next)) => module = next,
                Some(item) => return Some(item),
                // Made by a macro, perhaps; it is in this file in any case.
                None => return self.modules.get(&module).map(|file| Place::Item(*file)),
            }
        }
        Some(Place::Module(module))
    }

    /// Looks for a name in a module, also through what the module imports.
    fn look_up(&self, module: &Module, name: &str, hands: usize) -> Option<Place> {
        let hands = hands.checked_sub(1)?;
        let child = [module.as_slice(), &[name.to_owned()]].concat();
        if self.modules.contains_key(&child) {
            return Some(Place::Module(child));
        }
        let index = *self.modules.get(module)?;
        let file = &self.files[index];
        let within = &module[file.module.len()..];
        if file.mentions.items.contains(&[within, &[name.to_owned()]].concat()) {
            return Some(Place::Item(index));
        }
        let imports = || file.mentions.imports.iter().filter(|import| import.path.module == within);
        let by_name = imports()
            .filter(|import| import.name.as_deref() == Some(name))
            .find_map(|import| self.follow(index, &import.path, hands));
        by_name.or_else(|| {
            imports().filter(|import| import.name.is_none()).find_map(|import| {
                match self.follow(index, &import.path, hands)? {
                    Place::Module(source) => self.look_up(&source, name, hands),
                    // The variants of an enum, which are in its file.
                    Place::Item(_) => None,
                }
            })
        })
    }
}

/// The module of a file in `src`.
fn module_of(path: &str) -> Module {
    let without_extension = path.strip_suffix(".rs").unwrap_or(path);
    let mut module: Module = without_extension.split('/').map(str::to_owned).collect();
    let root = matches!(without_extension, "lib" | "main");
    if root || module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}
