//! Where a configuration comes from: text of a format, files, serde maps.
//!
//! A parser's own message is never passed on: it may quote a line that holds a
//! password. What is said is where it stopped.

use std::cell::RefCell;
use std::path::Path;

use serde::Deserializer;
use serde::de::DeserializeSeed;
use serde_json::{Map, Value as Json};

use super::alias::AliasTable;
use super::document::Document;
use super::problems::{listed, quoted};

/// The tables by alias, as one source has them.
pub(crate) type Aliases = Vec<(String, AliasTable)>;

/// The document of a TOML text.
pub(crate) fn parse_toml(text: &str) -> Result<Json, String> {
    let duplicate = RefCell::new(None);
    let parsed = toml::Deserializer::parse(text)
        .and_then(|deserializer| Document { duplicate: &duplicate }.deserialize(deserializer));
    parsed.map_err(|error| {
        let place = error.span().map_or_else(String::new, |span| place_of(text, span.start));
        if error.message().starts_with("duplicate key") {
            return format!("a key stands twice{place}");
        }
        format!("this is not valid TOML{place}")
    })
}

/// The document of a JSON text.
pub(crate) fn parse_json(text: &str) -> Result<Json, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err("this is empty: without any aliases JSON is `{}`".to_owned());
    }
    let duplicate = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let parsed = Document { duplicate: &duplicate }
        .deserialize(&mut deserializer)
        .and_then(|document| deserializer.end().map(|()| document));
    parsed.map_err(|error| {
        let place = format!(" (line {}, column {})", error.line(), error.column());
        match duplicate.take() {
            Some(key) => format!("the key {} stands twice{place}", quoted(&key)),
            None => format!("this is not valid JSON{place}"),
        }
    })
}

/// The document of any serde map.
pub(crate) fn from_deserializer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Json, String> {
    let duplicate = RefCell::new(None);
    Document { duplicate: &duplicate }.deserialize(deserializer).map_err(|_| match duplicate.take() {
        Some(key) => format!("the key {} stands twice", quoted(&key)),
        None => "the map holds something that is neither a table, a list nor a plain value".to_owned(),
    })
}

pub(crate) fn read_file(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path)
        .map_err(|error| format!("`{}` cannot be read: {}", path.display(), reason(&error)))
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        kind => kind.to_string(),
    }
}

/// The map of aliases in a document: under `caches`, where other roots belong
/// to the program; or, where a `bare` map is accepted, the whole of it.
pub(crate) fn aliases_of(document: Json, bare: bool) -> Result<Aliases, String> {
    let Json::Object(mut root) = document else {
        return Err("a table of aliases is expected at the top".to_owned());
    };
    if bare && root.get("$schema").is_some_and(Json::is_string) {
        root.remove("$schema");
    }
    let holds_aliases = |name: &&str| root.get(*name).is_some_and(|table| !(bare && is_alias(table)));
    let aliases = match ROOTS.iter().copied().filter(holds_aliases).collect::<Vec<_>>().as_slice() {
        [] => {
            no_other_case(&root)?;
            if !bare {
                warn_of_nothing(&root);
                root.clear();
            }
            root
        }
        [name] => match root.remove(*name) {
            Some(Json::Object(aliases)) => aliases,
            _ => return Err(format!("`{name}` has to be a table of aliases")),
        },
        names => return Err(format!("{} are both there: write one of them", listed(names.iter().copied()))),
    };
    aliases
        .into_iter()
        .map(|(alias, table)| match table {
            Json::Object(table) => Ok((alias, AliasTable::from_file(table))),
            _ => Err(format!("alias {} has to be a table of settings", quoted(&alias))),
        })
        .collect()
}

/// Where the aliases stand: natively, or by the name of Django's setting.
pub(crate) const ROOTS: [&str; 2] = ["caches", "CACHES"];

/// Whether a table is that of an alias, whatever its name.
fn is_alias(table: &Json) -> bool {
    ["backend", "BACKEND"].iter().any(|name| table.get(name).is_some_and(Json::is_string))
}

/// # Errors
///
/// If aliases stand under a root that is `caches` but for its case.
fn no_other_case(root: &Map<String, Json>) -> Result<(), String> {
    let holds_aliases = |table: &Json| table.as_object().is_some_and(|table| table.values().any(is_alias));
    match root.iter().find(|(name, table)| name.eq_ignore_ascii_case("caches") && holds_aliases(table)) {
        Some((name, _)) => Err(format!("`{name}` holds aliases, which stand under `caches` or `CACHES`")),
        None => Ok(()),
    }
}

/// A file without `caches` is valid, and perhaps not what was meant.
fn warn_of_nothing(root: &Map<String, Json>) {
    if !root.is_empty() {
        let similar = super::suggestion("caches", root.keys().map(String::as_str));
        tracing::warn!(
            target: "cache::config",
            "there is no `caches` in this file, so memory stands under `default`{similar}",
        );
    }
}

fn place_of(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
    format!(" (line {line}, column {column})")
}
