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
    let duplicate = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let parsed = Document { duplicate: &duplicate }
        .deserialize(&mut deserializer)
        .and_then(|document| deserializer.end().map(|()| document));
    parsed.map_err(|error| {
        let place = format!(" (line {}, column {})", error.line(), error.column());
        match duplicate.take() {
            Some(key) => format!("the key `{key}` stands twice{place}"),
            None => format!("this is not valid JSON{place}"),
        }
    })
}

/// The document of any serde map.
pub(crate) fn from_deserializer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Json, String> {
    let duplicate = RefCell::new(None);
    Document { duplicate: &duplicate }.deserialize(deserializer).map_err(|_| match duplicate.take() {
        Some(key) => format!("the key `{key}` stands twice"),
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
    let aliases = match root.remove("caches") {
        Some(Json::Object(aliases)) => aliases,
        Some(_) => return Err("`caches` has to be a table of aliases".to_owned()),
        None if bare => root,
        None => {
            warn_of_nothing(&root);
            Map::new()
        }
    };
    aliases
        .into_iter()
        .map(|(alias, table)| match table {
            Json::Object(table) => Ok((alias, AliasTable::from_file(table))),
            _ => Err(format!("alias `{alias}` has to be a table of settings")),
        })
        .collect()
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
