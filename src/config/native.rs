//! An alias in the native spelling: lower case, and the backend's own under
//! `options`.

use std::collections::BTreeMap;

use cache_core::{Setting, SettingValue};
use serde_json::{Map, Value as Json};

use super::problems::{listed, quoted, suggestion};
use super::settings::{ALIAS_SETTINGS, BackendTables, Values};

/// Reads the alias. Where it is not known which backend it is of, its options
/// cannot be checked, but all else can.
pub(super) fn read(
    table: &Map<String, Json>,
    backend: Option<&BackendTables<'_>>,
    problems: &mut Vec<String>,
) -> Values {
    let options = backend.map_or(&[][..], |backend| backend.options);
    let mut settings = table.clone();
    // Whoever looks for the backend has read it.
    settings.remove("backend");
    let own = match settings.remove("options") {
        None => Map::new(),
        Some(Json::Object(own)) => own,
        Some(_) => {
            problems.push("`options` has to be a table".to_owned());
            Map::new()
        }
    };
    let known = ALIAS_SETTINGS.iter().map(|setting| setting.name).chain(["options"]);
    let settings = read_by(ALIAS_SETTINGS, &settings, problems, |name| {
        let elsewhere = options.iter().any(|option| option.name == name);
        let hint = if elsewhere { "; it is an option, and belongs under `options`" } else { "" };
        format!("{} is not a setting{}{hint}", quoted(name), suggestion(name, known.clone()))
    });
    let mut values = Values { settings, ..Values::default() };
    if let Some(backend) = backend {
        values.options = read_by(options, &own, problems, |name| {
            let names = options.iter().map(|option| option.name);
            let accepted = listed(names.clone());
            let similar = suggestion(name, names);
            let (name, backend) = (quoted(name), backend.name);
            format!("{name} is not an option of `{backend}`; accepted: {accepted}{similar}")
        });
    }
    values
}

fn read_by(
    table: &'static [Setting],
    file: &Map<String, Json>,
    problems: &mut Vec<String>,
    unknown: impl Fn(&str) -> String,
) -> BTreeMap<&'static str, SettingValue> {
    let mut values = BTreeMap::new();
    for (name, value) in file {
        match table.iter().find(|setting| setting.name == name) {
            None => problems.push(unknown(name)),
            Some(setting) => match setting.read(value) {
                Ok(read) => drop(values.insert(setting.name, read)),
                Err(problem) => problems.push(format!("`{name}`: {problem}")),
            },
        }
    }
    values
}
