//! Builds `Caches` from any mixture of files, environment and code.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use cache_core::{Backend, Clock, Codec, Result, SystemClock};
use serde::Deserializer;

use crate::caches::Caches;
use crate::config::{
    AliasSettings, AliasTable, Aliases, Environment, Problems, aliases_of, apply, from_deserializer,
    parse_json, parse_toml, read_file,
};
use crate::open::open_all;
use crate::registry::Registry;

/// Builds [`Caches`]: sources of settings, and names of the program's own.
///
/// Every source takes aliases in the native spelling and in Django's, and
/// `CACHES` for `caches`.
///
/// What is wrong in any of them is told by [`open`](Self::open), all at once.
///
/// ```
/// use cache_sdk::{AliasSettings, Caches};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> cache_sdk::Result<()> {
/// let caches = Caches::builder()
///     .key_function("lower", |key, prefix, version| format!("{prefix}:{version}:{}", key.to_lowercase()))
///     .toml(r#"
///         [caches.default]
///         backend = "mem"
///         key_function = "lower"
///     "#)
///     .alias("sessions", AliasSettings::new("mem").set("timeout", "forever"))
///     .open()
///     .await?;
///
/// let cache = caches.default()?;
/// cache.aset("Greeting", "hello", cache_sdk::Timeout::Default).await?;
/// assert!(cache.ahas_key("GREETING").await?);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing happens until `open`"]
pub struct CachesBuilder {
    aliases: BTreeMap<String, AliasTable>,
    environment: Environment,
    registry: Registry,
    clock: Arc<dyn Clock>,
    problems: Problems,
}

impl CachesBuilder {
    pub(crate) fn new() -> Self {
        Self {
            aliases: BTreeMap::new(),
            environment: Environment::default(),
            registry: Registry::new(),
            clock: Arc::new(SystemClock),
            problems: Problems::default(),
        }
    }

    /// Adds the aliases under `caches` of a TOML file.
    pub fn toml_file(self, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let aliases = read_file(path)
            .and_then(|text| in_file(path, parse_toml(&text).and_then(|root| aliases_of(root, false))));
        self.add(aliases)
    }

    /// Adds the aliases under `caches` of a TOML text.
    pub fn toml(self, text: &str) -> Self {
        self.add(parse_toml(text).and_then(|root| aliases_of(root, false)))
    }

    /// Adds the aliases of a JSON file: under `caches`, or a bare map.
    pub fn json_file(self, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let aliases = read_file(path)
            .and_then(|text| in_file(path, parse_json(&text).and_then(|root| aliases_of(root, true))));
        self.add(aliases)
    }

    /// Adds the aliases of a JSON text: under `caches`, or a bare map.
    pub fn json(self, text: &str) -> Self {
        self.add(parse_json(text).and_then(|root| aliases_of(root, true)))
    }

    /// Adds the aliases of any serde map: under `caches`, or a bare map.
    pub fn deserialize<'de, D: Deserializer<'de>>(self, deserializer: D) -> Self {
        self.add(from_deserializer(deserializer).and_then(|root| aliases_of(root, true)))
    }

    /// Adds an alias.
    pub fn alias(self, name: &str, settings: AliasSettings) -> Self {
        self.add(Ok(vec![(name.to_owned(), settings.into())]))
    }

    /// Puts the environment on top: `CACHES__DEFAULT__TIMEOUT=60`,
    /// `CACHES__DEFAULT__OPTIONS__MAX_ENTRIES=500`.
    ///
    /// Names are matched without regard to case; an unknown one under
    /// `CACHES__` is an error. An alias that no source has is made by setting
    /// its `__BACKEND`. Lists are written as JSON or with commas. On an alias
    /// in Django's spelling they are those of the native one, but that its
    /// `__BACKEND` can be a dotted path of Django's; so it can on an alias that
    /// no source has, which is then one in Django's spelling.
    ///
    /// A `__BACKEND` other than the source's swaps it: of the source's options
    /// those stay that the new one has, and its location goes, which a warning
    /// tells.
    pub fn env(self) -> Self {
        self.env_from(std::env::vars_os())
    }

    /// As [`env`](Self::env), from these variables instead.
    pub fn env_from(mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        self.environment = Environment::of(variables);
        self
    }

    /// Registers a backend under its own name.
    pub fn backend(self, backend: impl Backend) -> Self {
        let name = backend.name();
        self.backend_named(name, backend)
    }

    /// Registers a backend under a name of the program's own, dotted paths included.
    pub fn backend_named(mut self, name: &str, backend: impl Backend) -> Self {
        let outcome = self.registry.add_backend(name, Arc::new(backend));
        self.registered(outcome)
    }

    /// Registers a function that makes final keys of key, prefix and version.
    pub fn key_function(
        mut self,
        name: &str,
        function: impl Fn(&str, &str, u64) -> String + Send + Sync + 'static,
    ) -> Self {
        let outcome = self.registry.add_key_function(name, Arc::new(function));
        self.registered(outcome)
    }

    /// Registers a check of final keys; what it says must not quote the key.
    pub fn validator(
        mut self,
        name: &str,
        validator: impl Fn(&str) -> std::result::Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        let outcome = self.registry.add_validator(name, Arc::new(validator));
        self.registered(outcome)
    }

    /// Registers a codec under a name and a tag byte from `0xA0` to `0xBF`.
    pub fn codec(mut self, name: &str, tag: u8, codec: impl Codec + 'static) -> Self {
        let outcome = self.registry.add_codec(name, tag, Arc::new(codec));
        self.registered(outcome)
    }

    /// Takes these names instead of those of the compiled-in backends, and of
    /// whatever was registered before.
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// Takes the time from this clock instead of the machine's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Checks everything, then opens the caches. No aliases at all mean memory
    /// under `default`.
    ///
    /// It succeeds while servers are down: connections are made when they are
    /// needed, and [`Caches::aping`] tells.
    ///
    /// # Errors
    ///
    /// [`Config`](cache_core::ErrorKind::Config): all that is wrong, each with
    /// the alias, the setting and what would be accepted. No value that could
    /// be a secret is quoted.
    pub async fn open(mut self) -> Result<Caches> {
        let is_bare = self.aliases.is_empty() && self.problems.is_empty();
        if is_bare && !self.environment.adds_aliases() {
            self.aliases.insert("default".to_owned(), AliasSettings::new("mem").into());
        }
        apply(&self.environment, &mut self.aliases, &mut self.problems);
        let caches = open_all(&self.aliases, &self.registry, &self.clock, self.problems).await?;
        Ok(Caches::new(caches))
    }

    fn add(mut self, aliases: std::result::Result<Aliases, String>) -> Self {
        match aliases {
            Ok(aliases) => {
                for (name, table) in aliases {
                    match self.aliases.entry(name) {
                        Entry::Vacant(slot) => drop(slot.insert(table)),
                        Entry::Occupied(slot) => self.problems.in_alias(slot.key(), "it is configured twice"),
                    }
                }
            }
            Err(problem) => self.problems.add(problem),
        }
        self
    }

    fn registered(mut self, outcome: std::result::Result<(), String>) -> Self {
        if let Err(problem) = outcome {
            self.problems.add(problem);
        }
        self
    }
}

fn in_file<T>(path: &Path, outcome: std::result::Result<T, String>) -> std::result::Result<T, String> {
    outcome.map_err(|problem| format!("`{}`: {problem}", path.display()))
}

impl fmt::Debug for CachesBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachesBuilder")
            .field("aliases", &self.aliases.keys())
            .field("registry", &self.registry)
            .finish_non_exhaustive()
    }
}
