//! From the settings of one alias, in either spelling, to checked ones.

use std::collections::BTreeMap;
use std::time::Duration;

use cache_core::{
    ClearScope, OnDecodeError, OnError, ReplicaPolicy, RoutingSettings, SettingValue, Settings, Timeout,
};

use super::alias::{AliasTable, Path};
use super::django::DEFAULT_KEY_FUNCTION;
use super::problems::{listed, suggestion};
use super::settings::{ALIAS_SETTINGS, BackendTables, Note, Values};
use super::{django, native, swap};

/// One alias, checked.
#[derive(Debug)]
pub(crate) struct Alias {
    pub(crate) settings: Settings,
    pub(crate) timeout: Timeout,
    pub(crate) jitter: f64,
    pub(crate) key_prefix: String,
    pub(crate) version: u64,
    pub(crate) key_function: Option<String>,
    pub(crate) key_check: Option<String>,
    pub(crate) codec: Option<String>,
    pub(crate) schema: Option<u32>,
    pub(crate) plain: bool,
    pub(crate) on_error: OnError,
    pub(crate) on_decode_error: OnDecodeError,
    pub(crate) deadline: Option<Duration>,
    pub(crate) load_deadline: Option<Duration>,
    pub(crate) max_value_bytes: Option<usize>,
    pub(crate) clear: ClearScope,
    pub(crate) routing: RoutingSettings,
    /// Whether operations of single keys may travel together.
    pub(crate) batching: bool,
    pub(crate) notes: Vec<Note>,
}

/// Checks one alias against the tables, as far as they are known; what is
/// wrong is told all at once.
pub(crate) fn check_alias(
    table: &AliasTable,
    backend: Option<&BackendTables<'_>>,
    problems: &mut Vec<String>,
) -> Alias {
    let (written, left_out) = swap::written(table, backend);
    let mut values = if table.is_django() {
        problems.extend(django::names_of_another_spelling(table.written()));
        django::read(&written, backend, problems)
    } else {
        native::read(&written, backend, problems)
    };
    values.notes.extend(left_out);
    put_environment_on_top(table, backend, &mut values, problems);
    django::fill_in_defaults(backend, &mut values);
    Alias::new(values)
}

fn put_environment_on_top(
    table: &AliasTable,
    backend: Option<&BackendTables<'_>>,
    values: &mut Values,
    problems: &mut Vec<String>,
) {
    for (path, value) in table.environment() {
        let (table, values, name) = match (path, backend) {
            (Path::Setting(name), _) => (ALIAS_SETTINGS, &mut values.settings, name),
            (Path::Option(name), Some(backend)) => (backend.options, &mut values.options, name),
            (Path::Option(_), None) => continue,
        };
        let Some(setting) = table.iter().find(|setting| setting.name.eq_ignore_ascii_case(name)) else {
            let names = table.iter().map(|setting| setting.name);
            let accepted = listed(names.clone());
            let similar = suggestion(name, names);
            problems.push(format!("`{}` names no setting; accepted: {accepted}{similar}", value.variable));
            continue;
        };
        let is_default = setting.name == "key_function" && value.text == DEFAULT_KEY_FUNCTION;
        match setting.read_text(if is_default { "default" } else { &value.text }) {
            Ok(read) => drop(values.insert(setting.name, read)),
            Err(problem) => problems.push(format!("`{}`: {problem}", value.variable)),
        }
    }
}

impl Alias {
    fn new(values: Values) -> Self {
        let Values { settings: mut values, options, notes } = values;
        let values = &mut values;
        let location = list(values, "location").unwrap_or_default();
        let settings = options
            .into_iter()
            .fold(Settings::new(location), |settings, (name, value)| settings.with(name, value));
        Self {
            settings,
            notes,
            timeout: match values.get("timeout") {
                Some(SettingValue::Timeout(timeout)) => *timeout,
                _ => Timeout::After(Duration::from_mins(5)),
            },
            jitter: match values.get("jitter") {
                Some(SettingValue::Share(share)) => *share,
                _ => 0.0,
            },
            key_prefix: text(values, "key_prefix").unwrap_or_default(),
            version: integer(values, "version").unwrap_or(1),
            key_function: text(values, "key_function").filter(|name| name != "default"),
            key_check: text(values, "key_check").filter(|name| name != "warn"),
            codec: text(values, "codec").filter(|name| name != "msgpack"),
            schema: integer(values, "schema"),
            plain: values.get("plain") == Some(&SettingValue::Boolean(true)),
            on_error: match text(values, "on_error").as_deref() {
                Some("miss") => OnError::Miss,
                _ => OnError::Error,
            },
            on_decode_error: match text(values, "on_decode_error").as_deref() {
                Some("error") => OnDecodeError::Error,
                _ => OnDecodeError::Miss,
            },
            deadline: duration(values, "deadline"),
            load_deadline: duration(values, "load_deadline"),
            max_value_bytes: integer(values, "max_value_bytes"),
            clear: match text(values, "clear").as_deref() {
                Some("all") => ClearScope::All,
                _ => ClearScope::Prefix,
            },
            routing: RoutingSettings::new()
                .policy(
                    text(values, "replica_policy")
                        .and_then(|name| ReplicaPolicy::named(&name))
                        .unwrap_or_default(),
                )
                .max_lag(duration(values, "max_lag"))
                .read_your_writes(duration(values, "read_your_writes")),
            batching: text(values, "batching").as_deref() != Some("off"),
        }
    }
}

type Named = BTreeMap<&'static str, SettingValue>;

fn text(values: &mut Named, name: &str) -> Option<String> {
    match values.remove(name) {
        Some(SettingValue::Text(text)) => Some(text),
        _ => None,
    }
}

fn list(values: &mut Named, name: &str) -> Option<Vec<String>> {
    match values.remove(name) {
        Some(SettingValue::List(list)) => Some(list),
        _ => None,
    }
}

fn duration(values: &Named, name: &str) -> Option<Duration> {
    match values.get(name) {
        Some(SettingValue::Duration(duration)) => Some(*duration),
        _ => None,
    }
}

/// The table bounds the number, so that it fits.
fn integer<T: TryFrom<i64>>(values: &Named, name: &str) -> Option<T> {
    match values.get(name) {
        Some(SettingValue::Integer(number)) => T::try_from(*number).ok(),
        _ => None,
    }
}
