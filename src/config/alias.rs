//! The settings of one alias: what every alias can say, and its backend's own.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::time::Duration;

use cache_core::{ClearScope, OnDecodeError, OnError, Setting, SettingKind, SettingValue, Settings, Timeout};
use serde_json::{Map, Value as Json};

use super::problems::{listed, suggestion};

/// What every alias can set, whatever its backend.
pub const ALIAS_SETTINGS: &[Setting] = &[
    Setting::new(
        "backend",
        SettingKind::Text,
        "none",
        "The kind of store: the name of a registered backend.",
    ),
    Setting::new("location", SettingKind::List, "none", "Where the store is, in the backend's own terms."),
    Setting::new(
        "timeout",
        SettingKind::Timeout,
        "300",
        "How long entries live unless told otherwise; 0 stores nothing.",
    ),
    Setting::new("key_prefix", SettingKind::Text, "\"\"", "What stands before every key."),
    Setting::new("version", SettingKind::Integer(0, i64::MAX), "1", "The version of the keys."),
    Setting::new(
        "key_function",
        SettingKind::Text,
        "\"default\"",
        "`\"default\"`, or the name of a registered function.",
    ),
    Setting::new(
        "key_check",
        SettingKind::Text,
        "\"warn\"",
        "What happens to keys that memcached would refuse: `\"off\"`, `\"warn\"`, `\"error\"`, or the name of a \
         registered validator, which decides instead.",
    ),
    Setting::new(
        "codec",
        SettingKind::Text,
        "\"msgpack\"",
        "How values are written: `\"msgpack\"`, `\"json\"`, `\"postcard\"`, `\"raw\"`, or the name of a registered \
         codec. What others wrote is read all the same.",
    ),
    Setting::new(
        "schema",
        SettingKind::Integer(0, u32::MAX as i64),
        "none",
        "The number of the schema, for `postcard`.",
    ),
    Setting::new(
        "plain",
        SettingKind::Boolean,
        "false",
        "Whether bytes are written without a tag (`json` and `raw`).",
    ),
    Setting::new(
        "on_error",
        SettingKind::OneOf(&["error", "miss"]),
        "\"error\"",
        "Whether a read that fails for lack of an answer is an error, or a counted miss.",
    ),
    Setting::new(
        "on_decode_error",
        SettingKind::OneOf(&["miss", "error"]),
        "\"miss\"",
        "Whether an entry that cannot be decoded is a counted miss, or an error.",
    ),
    Setting::new(
        "deadline",
        SettingKind::Duration,
        "\"1s\" for remote stores",
        "How long an operation may take.",
    ),
    Setting::new(
        "max_value_bytes",
        SettingKind::Integer(1, i64::MAX),
        "67108864",
        "The longest encoded value: more is an error on write and a counted miss on read.",
    ),
    Setting::new(
        "clear",
        SettingKind::OneOf(&["prefix", "all"]),
        "\"prefix\"",
        "Whether `aclear` removes the alias's own keys, or everything in the store.",
    ),
];

/// The settings of one alias, written in code.
///
/// They go through the same checks as a file's.
///
/// ```
/// use cache_sdk::{AliasSettings, Caches};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> cache_sdk::Result<()> {
/// let pages = AliasSettings::new("mem").set("timeout", "15m").option("max_entries", 10_000);
/// let caches = Caches::builder().alias("pages", pages).open().await?;
/// assert_eq!(caches.aliases().collect::<Vec<_>>(), ["pages"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AliasSettings {
    table: Map<String, Json>,
    options: Map<String, Json>,
}

/// One alias as its sources have it: a file's table, and what the environment
/// says on top.
#[derive(Clone, Default)]
pub(crate) struct AliasTable {
    table: Map<String, Json>,
    environment: BTreeMap<Path, Override>,
}

/// A setting, or an option of the backend.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Path {
    Setting(String),
    Option(String),
}

/// The text of an environment variable, with the variable's name for messages.
#[derive(Clone)]
pub(crate) struct Override {
    pub(crate) variable: String,
    pub(crate) text: String,
}

/// One alias, checked.
#[derive(Debug)]
pub(crate) struct Alias {
    pub(crate) settings: Settings,
    pub(crate) timeout: Timeout,
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
    pub(crate) max_value_bytes: Option<usize>,
    pub(crate) clear: ClearScope,
}

impl AliasSettings {
    /// An alias of this backend.
    pub fn new(backend: &str) -> Self {
        Self { table: Map::from_iter([("backend".to_owned(), backend.into())]), options: Map::new() }
    }

    /// Where the store is; several places are a leader and its replicas.
    #[must_use]
    pub fn location<S: AsRef<str>>(self, location: impl IntoIterator<Item = S>) -> Self {
        let places: Vec<_> = location.into_iter().map(|place| place.as_ref().to_owned()).collect();
        self.set("location", places)
    }

    /// One of the settings that every alias has, by its name in a file.
    #[must_use]
    pub fn set(mut self, setting: &str, value: impl Into<Json>) -> Self {
        self.table.insert(setting.to_owned(), value.into());
        self
    }

    /// One of the backend's own options, by its name in a file.
    #[must_use]
    pub fn option(mut self, option: &str, value: impl Into<Json>) -> Self {
        self.options.insert(option.to_owned(), value.into());
        self
    }
}

/// Values may be secrets.
impl fmt::Debug for AliasSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AliasSettings")
            .field("settings", &self.table.keys().collect::<Vec<_>>())
            .field("options", &self.options.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl From<AliasSettings> for AliasTable {
    fn from(settings: AliasSettings) -> Self {
        let mut table = settings.table;
        match table.get_mut("options") {
            Some(Json::Object(options)) => options.extend(settings.options),
            None if !settings.options.is_empty() => {
                table.insert("options".to_owned(), Json::Object(settings.options));
            }
            _ => {}
        }
        Self::from_file(table)
    }
}

impl AliasTable {
    pub(crate) fn from_file(table: Map<String, Json>) -> Self {
        Self { table, environment: BTreeMap::new() }
    }

    /// # Errors
    ///
    /// If another variable, of other case, has set it already.
    pub(crate) fn override_with(&mut self, path: Path, value: Override) -> Result<(), String> {
        match self.environment.entry(path) {
            Entry::Vacant(slot) => drop(slot.insert(value)),
            Entry::Occupied(slot) => return Err(format!("`{}` sets the same", slot.get().variable)),
        }
        Ok(())
    }

    /// The name of the backend, which decides what the options may be.
    pub(crate) fn backend(&self) -> Result<String, String> {
        let missing = || "`backend` is missing".to_owned();
        match self.environment.get(&Path::Setting("backend".to_owned())) {
            Some(value) => Ok(value.text.clone()),
            None => match self.table.get("backend").ok_or_else(missing)? {
                Json::String(name) => Ok(name.clone()),
                _ => Err("`backend` has to be the name of a backend, as text".to_owned()),
            },
        }
    }
}

/// Checks one alias against the tables; what is wrong is told all at once.
pub(crate) fn check_alias(
    table: &AliasTable,
    backend: &str,
    options: &'static [Setting],
) -> Result<Alias, Vec<String>> {
    let mut problems = Vec::new();
    let mut file = table.table.clone();
    let file_options = match file.remove("options") {
        None => Map::new(),
        Some(Json::Object(options)) => options,
        Some(_) => {
            problems.push("`options` has to be a table".to_owned());
            Map::new()
        }
    };
    let known = ALIAS_SETTINGS.iter().map(|setting| setting.name).chain(["options"]);
    let mut values = read(ALIAS_SETTINGS, &file, &mut problems, |name| {
        let elsewhere = options.iter().any(|option| option.name == name);
        let hint = if elsewhere { "; it is an option, and belongs under `options`" } else { "" };
        format!("`{name}` is not a setting{}{hint}", suggestion(name, known.clone()))
    });
    let mut option_values = read(options, &file_options, &mut problems, |name| {
        let names = options.iter().map(|option| option.name);
        let accepted = listed(names.clone());
        format!("`{name}` is not an option of `{backend}`; accepted: {accepted}{}", suggestion(name, names))
    });
    for (path, value) in &table.environment {
        let (table, values, name) = match path {
            Path::Setting(name) => (ALIAS_SETTINGS, &mut values, name),
            Path::Option(name) => (options, &mut option_values, name),
        };
        let Some(setting) = table.iter().find(|setting| setting.name.eq_ignore_ascii_case(name)) else {
            let names = table.iter().map(|setting| setting.name);
            let accepted = listed(names.clone());
            let similar = suggestion(name, names);
            problems.push(format!("`{}` names no setting; accepted: {accepted}{similar}", value.variable));
            continue;
        };
        match setting.read_text(&value.text) {
            Ok(read) => drop(values.insert(setting.name, read)),
            Err(problem) => problems.push(format!("`{}`: {problem}", value.variable)),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let location = list(&mut values, "location").unwrap_or_default();
    let mut settings = Settings::new(location);
    for (name, value) in option_values {
        settings = settings.with(name, value);
    }
    Ok(Alias::new(settings, &mut values))
}

type Values = BTreeMap<&'static str, SettingValue>;

fn read(
    table: &'static [Setting],
    file: &Map<String, Json>,
    problems: &mut Vec<String>,
    unknown: impl Fn(&str) -> String,
) -> Values {
    let mut values = Values::new();
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

impl Alias {
    fn new(settings: Settings, values: &mut Values) -> Self {
        Self {
            settings,
            timeout: match values.get("timeout") {
                Some(SettingValue::Timeout(timeout)) => *timeout,
                _ => Timeout::After(Duration::from_mins(5)),
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
            deadline: match values.get("deadline") {
                Some(SettingValue::Duration(deadline)) => Some(*deadline),
                _ => None,
            },
            max_value_bytes: integer(values, "max_value_bytes"),
            clear: match text(values, "clear").as_deref() {
                Some("all") => ClearScope::All,
                _ => ClearScope::Prefix,
            },
        }
    }
}

fn text(values: &mut Values, name: &str) -> Option<String> {
    match values.remove(name) {
        Some(SettingValue::Text(text)) => Some(text),
        _ => None,
    }
}

fn list(values: &mut Values, name: &str) -> Option<Vec<String>> {
    match values.remove(name) {
        Some(SettingValue::List(list)) => Some(list),
        _ => None,
    }
}

/// The table bounds the number, so that it fits.
fn integer<T: TryFrom<i64>>(values: &Values, name: &str) -> Option<T> {
    match values.get(name) {
        Some(SettingValue::Integer(number)) => T::try_from(*number).ok(),
        _ => None,
    }
}
