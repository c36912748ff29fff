//! The settings of one alias as its sources have them, not yet checked.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde_json::{Map, Value as Json};

use super::django::is_django;

/// The settings of one alias, written in code.
///
/// They go through the same checks as a file's, and can be written in either
/// spelling, the native one or [Django's](Self::django).
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

impl AliasSettings {
    /// An alias of this backend.
    pub fn new(backend: &str) -> Self {
        Self { table: Map::from_iter([("backend".to_owned(), backend.into())]), options: Map::new() }
    }

    /// An alias in Django's spelling: settings and options are then set by
    /// their names in Django.
    ///
    /// ```
    /// use cache_sdk::{AliasSettings, Caches};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> cache_sdk::Result<()> {
    /// let pages = AliasSettings::django("django.core.cache.backends.locmem.LocMemCache")
    ///     .set("TIMEOUT", serde_json::Value::Null)
    ///     .option("MAX_ENTRIES", 10_000);
    /// let caches = Caches::builder().alias("pages", pages).open().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn django(backend: &str) -> Self {
        Self { table: Map::from_iter([("BACKEND".to_owned(), backend.into())]), options: Map::new() }
    }

    /// Where the store is; several places are a leader and its replicas.
    #[must_use]
    pub fn location<S: AsRef<str>>(self, location: impl IntoIterator<Item = S>) -> Self {
        let name = if is_django(&self.table) { "LOCATION" } else { "location" };
        let places: Vec<_> = location.into_iter().map(|place| place.as_ref().to_owned()).collect();
        self.set(name, places)
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
        let name = if is_django(&table) { "OPTIONS" } else { "options" };
        match table.get_mut(name) {
            Some(Json::Object(options)) => options.extend(settings.options),
            None if !settings.options.is_empty() => {
                table.insert(name.to_owned(), Json::Object(settings.options));
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

    /// What the file says, or the code.
    pub(super) fn written(&self) -> &Map<String, Json> {
        &self.table
    }

    pub(super) fn environment(&self) -> &BTreeMap<Path, Override> {
        &self.environment
    }

    /// Whether the alias is in Django's spelling.
    pub(crate) fn is_django(&self) -> bool {
        is_django(&self.table)
    }

    /// Whether no source but the environment knows of it.
    pub(crate) fn is_of_environment(&self) -> bool {
        self.table.is_empty()
    }

    /// The name of the backend, which decides what the options may be.
    pub(crate) fn backend(&self) -> Result<&str, String> {
        self.sets("backend").map_or_else(|| self.written_backend(), Ok)
    }

    /// The backend of the file, where the environment names one in its place.
    pub(crate) fn replaced_backend(&self) -> Option<&str> {
        self.sets("backend").and_then(|_| self.written_backend().ok())
    }

    /// What the environment says of a setting.
    pub(super) fn sets(&self, setting: &str) -> Option<&str> {
        self.environment.get(&Path::Setting(setting.to_owned())).map(|value| value.text.as_str())
    }

    fn written_backend(&self) -> Result<&str, String> {
        let (name, names) = if self.is_django() { ("BACKEND", "dotted path") } else { ("backend", "name") };
        // Of an alias that mixes spellings, which is told elsewhere, either name will do.
        match self.table.get(name).or_else(|| self.table.get("backend")) {
            Some(Json::String(backend)) => Ok(backend),
            Some(_) => Err(format!("`{name}` has to be the {names} of a backend, as text")),
            None => Err(format!("`{name}` is missing")),
        }
    }
}
