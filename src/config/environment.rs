//! Environment variables on top of a configuration.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::alias::{AliasTable, Override, Path};
use super::problems::{Problems, listed, quoted, suggestion};

/// What all of the variables begin with.
const PREFIX: &str = "CACHES__";

/// The variables that concern caches, as they were when it was made.
#[derive(Clone, Default)]
pub(crate) struct Environment(Vec<(String, Option<String>)>);

impl Environment {
    /// Keeps those under the prefix; text that is not UTF-8 is kept as `None`.
    pub(crate) fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let concerns_us = |(name, text): (OsString, OsString)| {
            let name = name.into_string().ok()?;
            name.to_ascii_uppercase().starts_with(PREFIX).then(|| (name, text.into_string().ok()))
        };
        let mut variables: Vec<_> = variables.into_iter().filter_map(concerns_us).collect();
        variables.sort();
        Self(variables)
    }

    /// Whether it names the backend of any alias, and so makes one by itself.
    pub(crate) fn adds_aliases(&self) -> bool {
        !new_aliases(self, &BTreeMap::new()).is_empty()
    }
}

/// Puts the variables on top of the tables. One that sets the backend of an
/// alias that no source has makes a new one.
pub(crate) fn apply(
    environment: &Environment,
    aliases: &mut BTreeMap<String, AliasTable>,
    problems: &mut Problems,
) {
    let fresh = new_aliases(environment, aliases);
    for alias in fresh {
        aliases.entry(alias).or_default();
    }
    for (variable, text) in &environment.0 {
        let outcome = match text {
            None => Err("its value is not UTF-8 text".to_owned()),
            Some(text) => override_one(variable, text, aliases),
        };
        if let Err(problem) = outcome {
            problems.add(format!("environment variable `{variable}`: {problem}"));
        }
    }
}

fn new_aliases(environment: &Environment, aliases: &BTreeMap<String, AliasTable>) -> Vec<String> {
    let of_variable = |variable: &str| {
        let rest = variable[PREFIX.len()..].to_ascii_lowercase();
        let alias = rest.strip_suffix("__backend")?.to_owned();
        let known = aliases.keys().any(|known| known.eq_ignore_ascii_case(&alias));
        (!known && !alias.is_empty() && !alias.contains("__")).then_some(alias)
    };
    environment.0.iter().filter_map(|(variable, _)| of_variable(variable)).collect()
}

fn override_one(
    variable: &str,
    text: &str,
    aliases: &mut BTreeMap<String, AliasTable>,
) -> Result<(), String> {
    let rest = variable[PREFIX.len()..].to_ascii_lowercase();
    let (alias, setting) = split_alias(&rest, aliases)?;
    let path = match setting.split_once("__") {
        None => Path::Setting(setting),
        Some(("options", option)) => Path::Option(option.to_owned()),
        Some(_) => {
            return Err("after the alias comes one setting, or OPTIONS__ and one option".to_owned());
        }
    };
    let value = Override { variable: variable.to_owned(), text: text.to_owned() };
    match aliases.get_mut(&alias) {
        Some(table) => table.override_with(path, value),
        None => Ok(()),
    }
}

/// The alias that the variable names, without regard to case, and the rest.
fn split_alias(rest: &str, aliases: &BTreeMap<String, AliasTable>) -> Result<(String, String), String> {
    let matching = |alias: &&String| {
        let tail = rest.strip_prefix(&alias.to_ascii_lowercase()).and_then(|tail| tail.strip_prefix("__"));
        tail.is_some_and(|tail| !tail.is_empty())
    };
    // An alias may hold the separator itself: the longest match is meant.
    let longest = aliases.keys().filter(matching).map(String::len).max();
    let candidates: Vec<_> =
        aliases.keys().filter(matching).filter(|alias| Some(alias.len()) == longest).collect();
    match candidates.as_slice() {
        [alias] => Ok(((*alias).clone(), rest[alias.len() + 2..].to_owned())),
        [] => {
            let named = rest.split("__").next().unwrap_or(rest);
            if aliases.keys().any(|alias| alias.eq_ignore_ascii_case(rest)) {
                return Err("it names an alias, but no setting of it".to_owned());
            }
            let similar = suggestion(named, aliases.keys().map(String::as_str));
            let named = quoted(named);
            let known = listed(aliases.keys().map(String::as_str));
            Err(format!(
                "{named} is no alias; there are {known}, and a new one needs its __BACKEND set{similar}"
            ))
        }
        several => {
            let names = listed(several.iter().map(|alias| alias.as_str()));
            Err(format!("{names} differ only in case, so it is not clear which is meant"))
        }
    }
}
