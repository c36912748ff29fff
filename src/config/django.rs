//! An alias in Django's spelling: upper case, and what the client takes under
//! `OPTIONS`. What it sets is told by the native names from here on.

use std::num::IntErrorKind;
use std::time::Duration;

use cache_core::{DjangoEffect, DjangoOption, DjangoSpelling, Setting, SettingKind, SettingValue, Timeout};
use serde_json::{Map, Value as Json};

use super::problems::{listed, quoted, suggestion};
use super::settings::{ALIAS_SETTINGS, BackendTables, Note, Values};

/// What stands at the top of an alias, and the native names.
pub(crate) const DJANGO_SETTINGS: &[(&str, &str)] = &[
    ("BACKEND", "backend"),
    ("LOCATION", "location"),
    ("TIMEOUT", "timeout"),
    ("OPTIONS", OPTIONS),
    ("KEY_PREFIX", "key_prefix"),
    ("VERSION", "version"),
    ("KEY_FUNCTION", "key_function"),
];

const OPTIONS: &str = "options";

/// Names that Django once took at the top, in lower case, and where they belong.
const LEGACY: &[(&str, &str)] = &[
    ("timeout", "`TIMEOUT`"),
    ("max_entries", "`MAX_ENTRIES` under `OPTIONS`"),
    ("cull_frequency", "`CULL_FREQUENCY` under `OPTIONS`"),
];

/// Django's own key function, which joins prefix, version and key as ours does.
pub(crate) const DEFAULT_KEY_FUNCTION: &str = "django.core.cache.backends.base.default_key_func";

/// Whether an alias is in Django's spelling: one of its names is enough.
pub(super) fn is_django(table: &Map<String, Json>) -> bool {
    table.keys().any(|name| native_name(name).is_some())
}

fn native_name(name: &str) -> Option<&'static str> {
    DJANGO_SETTINGS.iter().find(|(django, _)| *django == name).map(|(_, native)| *native)
}

/// Reads the alias. Where it is not known which backend it is of, its options
/// cannot be checked, but all else can.
pub(super) fn read(
    table: &Map<String, Json>,
    backend: Option<&BackendTables<'_>>,
    problems: &mut Vec<String>,
) -> Values {
    let mut values = Values::default();
    for (name, value) in table {
        let outcome = match native_name(name) {
            // Whoever looks for the backend has read it.
            None | Some("backend") => continue,
            Some(OPTIONS) => {
                read_options(value, backend, &mut values, problems);
                continue;
            }
            Some("timeout") => timeout(value).map(|timeout| Some(("timeout", timeout))),
            Some(native) => setting(native, value),
        };
        match outcome {
            Ok(read) => values.settings.extend(read),
            Err(problem) => problems.push(format!("`{name}`: {problem}")),
        }
    }
    values
}

/// Sets what holds in this spelling unless `OPTIONS` or the environment says
/// otherwise.
pub(super) fn fill_in_defaults(backend: Option<&BackendTables<'_>>, values: &mut Values) {
    let Some(BackendTables { options, django: Some(django), is_swapped, .. }) = backend else { return };
    // Aliases that the environment has taken from their places do not meet in one.
    if let Some(location) = django.location.filter(|_| !is_swapped) {
        values.settings.entry("location").or_insert_with(|| SettingValue::List(vec![location.to_owned()]));
    }
    for (name, text) in django.defaults {
        let Some(option) = options.iter().find(|option| option.name == *name) else { continue };
        let Ok(value) = option.read_text(text) else { continue };
        if values.options.contains_key(option.name) {
            continue;
        }
        values.options.insert(option.name, value);
        if *name == "max_entries" {
            let more = django_name(django, name)
                .map_or_else(String::new, |name| format!("; `{name}` under `OPTIONS` sets more"));
            values.notes.push(Note::Info(format!("it holds {text} entries at most, as in Django{more}")));
        }
    }
}

/// What a backend says of its native settings, in the words of who wrote
/// Django's.
pub(crate) fn in_django_words(detail: &str, django: Option<&DjangoSpelling>) -> String {
    let settings = DJANGO_SETTINGS.iter().map(|(django, native)| (*native, (*django).to_owned()));
    let options =
        django.map_or(&[][..], |django| django.options).iter().filter_map(|option| match option.effect {
            DjangoEffect::Means(native) => Some((native, format!("OPTIONS.{}", option.name))),
            _ => None,
        });
    settings.chain(options).fold(detail.to_owned(), |detail, (native, django)| {
        detail.replace(&format!("`{native}`"), &format!("`{django}`"))
    })
}

fn django_name(django: &DjangoSpelling, native: &str) -> Option<&'static str> {
    let means = |effect| matches!(effect, DjangoEffect::Means(name) if name == native);
    django.options.iter().find(|option| means(option.effect)).map(|option| option.name)
}

/// Names that Django does not take at the top.
pub(super) fn names_of_another_spelling(table: &Map<String, Json>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut native = Vec::new();
    for name in table.keys().map(String::as_str).filter(|name| native_name(name).is_none()) {
        if let Some((_, place)) = LEGACY.iter().find(|(legacy, _)| *legacy == name) {
            problems.push(format!("`{name}`: in Django's spelling it is {place}"));
        } else if name == OPTIONS || ALIAS_SETTINGS.iter().any(|setting| setting.name == name) {
            native.push(name);
        } else {
            let names = DJANGO_SETTINGS.iter().map(|(django, _)| *django);
            let accepted = listed(names.clone());
            let similar = suggestion(name, names);
            let name = quoted(name);
            problems.push(format!("{name} is not a setting of Django's; accepted: {accepted}{similar}"));
        }
    }
    if !native.is_empty() {
        let django = listed(table.keys().map(String::as_str).filter(|name| native_name(name).is_some()));
        problems.push(format!(
            "it is written in both spellings, {} natively and {django} as in Django: write all of it in one",
            listed(native),
        ));
    }
    problems
}

/// A setting that is read as the native one of that name, but for what Django
/// takes beside it. `None` is as good as absent.
fn setting(native: &str, value: &Json) -> Result<Option<(&'static str, SettingValue)>, String> {
    let Some(setting) = ALIAS_SETTINGS.iter().find(|setting| setting.name == native) else { return Ok(None) };
    let read = match (native, value) {
        ("key_function" | "location", Json::Null) => None,
        ("key_function", Json::String(name)) if name == DEFAULT_KEY_FUNCTION => None,
        ("key_prefix", Json::Null) => {
            return Err("expected text, found null; Django would take the text `None`".to_owned());
        }
        ("key_prefix", Json::Number(number)) if !number.is_f64() => {
            Some(SettingValue::Text(number.to_string()))
        }
        _ => Some(read_number_or(setting, value)?),
    };
    // Django's own default is the empty text.
    let is_nowhere =
        |place: &SettingValue| matches!(place, SettingValue::List(places) if places.concat().is_empty());
    Ok(read.filter(|value| native != "location" || !is_nowhere(value)).map(|value| (setting.name, value)))
}

/// Reads a whole number also from text.
fn read_number_or(setting: &Setting, value: &Json) -> Result<SettingValue, String> {
    let number = match (setting.kind, value) {
        (SettingKind::Integer(..), Json::String(text)) => whole_number(text),
        _ => None,
    };
    setting.read(number.as_ref().unwrap_or(value))
}

/// The whole number that a text is; one that does not fit is as far out as
/// there are numbers.
fn whole_number(text: &str) -> Option<Json> {
    match text.trim().parse::<i64>() {
        Ok(number) => Some(number.into()),
        Err(error) => match error.kind() {
            IntErrorKind::PosOverflow => Some(f64::MAX.into()),
            IntErrorKind::NegOverflow => Some(f64::MIN.into()),
            _ => None,
        },
    }
}

/// `None` in Django is forever; a fraction of a second is dropped, and what
/// is not above zero stores nothing.
fn timeout(value: &Json) -> Result<SettingValue, String> {
    let accepted = "expected seconds as a number, a whole number as text, or null, which is forever";
    let number = match value {
        Json::String(text) => whole_number(text),
        _ => None,
    };
    let life = match number.as_ref().unwrap_or(value) {
        Json::Null => return Ok(SettingValue::Timeout(Timeout::Forever)),
        Json::Number(number) => match number.as_u64() {
            Some(seconds) => Some(Duration::from_secs(seconds)),
            None => number.as_f64().and_then(|s| Duration::try_from_secs_f64(s.trunc().max(0.0)).ok()),
        },
        Json::Bool(_) => return Err(format!("{accepted}; found true or false")),
        // Python reads `1_000` as a number.
        Json::String(text) if text.contains('_') => return Err(accepted.to_owned()),
        Json::String(_) | Json::Array(_) | Json::Object(_) => {
            return Err(format!("{accepted}; Django would silently take 300"));
        }
    };
    let life = life.ok_or_else(|| "the number is too large; null is forever".to_owned())?;
    Ok(SettingValue::Timeout(Timeout::After(life)))
}

fn read_options(
    value: &Json,
    backend: Option<&BackendTables<'_>>,
    values: &mut Values,
    problems: &mut Vec<String>,
) {
    let Json::Object(own) = value else {
        problems.push("`OPTIONS` has to be a table".to_owned());
        return;
    };
    let Some(backend) = backend else { return };
    for (name, value) in own {
        match backend.django.and_then(|django| django.effect_of(name)) {
            Some(DjangoEffect::Within(table)) => read_table(name, table, value, backend, values, problems),
            _ => problems.extend(read_option(name, value, backend, values).err()),
        }
    }
}

/// An option that is a table of options.
fn read_table(
    name: &str,
    table: &'static [DjangoOption],
    value: &Json,
    backend: &BackendTables<'_>,
    values: &mut Values,
    problems: &mut Vec<String>,
) {
    let own = match value {
        Json::Object(own) => own,
        Json::Null => return,
        _ => return problems.push(format!("{} has to be a table", in_options(name))),
    };
    for (inner, value) in own {
        let path = format!("{name}.{inner}");
        let known = table.iter().find(|option| option.name == inner);
        let read = match known {
            Some(option) => apply(&path, option.effect, value, backend, values),
            None => Err(unknown_option(&path, inner, backend, effective(table))),
        };
        problems.extend(read.err());
    }
}

fn read_option(
    name: &str,
    value: &Json,
    backend: &BackendTables<'_>,
    values: &mut Values,
) -> Result<(), String> {
    let Some(django) = backend.django else {
        let ours = backend.options.iter().find(|option| option.name.eq_ignore_ascii_case(name));
        let names = backend.options.iter().map(|option| option.name);
        let option = ours.ok_or_else(|| unknown_option(name, name, backend, names))?;
        return set(name, option, value, values);
    };
    match django.effect_of(name) {
        Some(effect) => apply(name, effect, value, backend, values),
        None => Err(unknown_option(name, name, backend, effective(django.options))),
    }
}

/// Does what becomes of the option.
fn apply(
    name: &str,
    effect: DjangoEffect,
    value: &Json,
    backend: &BackendTables<'_>,
    values: &mut Values,
) -> Result<(), String> {
    match effect {
        DjangoEffect::Means(native) => {
            let ours = backend.options.iter().find(|option| option.name == native);
            let missing =
                || format!("{} means `{native}`, which `{}` does not have", in_options(name), backend.name);
            set(name, ours.ok_or_else(missing)?, value, values)
        }
        DjangoEffect::Ignored(reason) => {
            values.notes.push(Note::Warning(format!("{} has no effect: {reason}", in_options(name))));
            Ok(())
        }
        DjangoEffect::Only(texts, _) if value.as_str().is_some_and(|text| texts.contains(&text)) => Ok(()),
        DjangoEffect::Refused(sentence) | DjangoEffect::Only(_, sentence) => {
            Err(format!("{}: {sentence}", in_options(name)))
        }
        _ => Err(format!("{} is not supported yet", in_options(name))),
    }
}

fn set(name: &str, option: &'static Setting, value: &Json, values: &mut Values) -> Result<(), String> {
    // What a project reads from an environment that lacks it.
    if matches!((option.kind, value), (SettingKind::Text, Json::Null)) {
        return Ok(());
    }
    let read = read_number_or(option, value).map_err(|problem| format!("{}: {problem}", in_options(name)))?;
    match values.options.insert(option.name, read) {
        None => Ok(()),
        Some(_) => Err(format!("{}: another name in `OPTIONS` means the same", in_options(name))),
    }
}

/// The names worth telling of: those that do something.
fn effective(options: &'static [DjangoOption]) -> impl Iterator<Item = &'static str> + Clone {
    let does_something =
        |option: &&DjangoOption| matches!(option.effect, DjangoEffect::Means(_) | DjangoEffect::Within(_));
    options.iter().filter(does_something).map(|option| option.name)
}

fn unknown_option(
    path: &str,
    name: &str,
    backend: &BackendTables<'_>,
    names: impl Iterator<Item = &'static str> + Clone,
) -> String {
    let accepted = listed(names.clone());
    let similar = suggestion(name, names);
    let (name, backend) = (quoted(path), backend.name);
    format!("{name} is not among the `OPTIONS` of `{backend}`; accepted: {accepted}{similar}")
}

fn in_options(name: &str) -> String {
    quoted(&format!("OPTIONS.{name}"))
}
