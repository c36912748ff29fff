//! What a configuration can name: backends, key functions, validators, codecs.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use cache_core::{Backend, Codec, KeyFunction, Validator};

use crate::config::{listed, quoted, suggestion};

/// The names that a configuration can use, and what each stands for.
///
/// It is a value, not a global: a program builds its own, beginning with the
/// backends that its cargo features brought in.
#[derive(Clone)]
pub struct Registry {
    backends: BTreeMap<String, Arc<dyn Backend>>,
    key_functions: BTreeMap<String, KeyFunction>,
    validators: BTreeMap<String, Validator>,
    codecs: BTreeMap<String, (u8, Arc<dyn Codec>)>,
}

/// Backends of this workspace, and the cargo feature that brings each.
const FEATURES: &[(&str, &str, bool)] = &[
    ("fs", "fs", cfg!(feature = "fs")),
    ("mem", "mem", cfg!(feature = "mem")),
    ("redis", "redis", cfg!(any(feature = "redis", feature = "redis-rs"))),
];

/// Names with a meaning of their own.
const KEY_FUNCTIONS: &[&str] = &["default"];
const KEY_CHECKS: &[&str] = &["off", "warn", "error"];
const CODECS: &[&str] = &["msgpack", "json", "postcard", "raw"];

/// The tag bytes that a program's own codecs may have.
const TAGS: RangeInclusive<u8> = 0xA0..=0xBF;

impl Registry {
    /// No names at all.
    pub fn empty() -> Self {
        Self {
            backends: BTreeMap::new(),
            key_functions: BTreeMap::new(),
            validators: BTreeMap::new(),
            codecs: BTreeMap::new(),
        }
    }

    /// The backend `dummy`, and those whose cargo feature is on.
    pub fn new() -> Self {
        let mut registry = Self::empty();
        registry.backends.insert("dummy".to_owned(), Arc::new(cache_core::DummyBackend));
        #[cfg(feature = "fs")]
        registry.backends.insert("fs".to_owned(), Arc::new(cache_fs::FsBackend));
        #[cfg(feature = "mem")]
        registry.backends.insert("mem".to_owned(), Arc::new(cache_mem::MemBackend));
        #[cfg(any(feature = "redis", feature = "redis-rs"))]
        registry.backends.insert("redis".to_owned(), Arc::new(cache_redis::RedisBackend));
        registry
    }

    /// Registers a backend under a name: any text, also a dotted path.
    ///
    /// # Errors
    ///
    /// A sentence that says so, if the name is taken.
    pub fn add_backend(&mut self, name: &str, backend: Arc<dyn Backend>) -> Result<(), String> {
        free(name, &self.backends, &[], "backend")?;
        self.backends.insert(name.to_owned(), backend);
        Ok(())
    }

    /// Registers a key function.
    ///
    /// # Errors
    ///
    /// A sentence that says so, if the name is taken.
    pub fn add_key_function(&mut self, name: &str, function: KeyFunction) -> Result<(), String> {
        free(name, &self.key_functions, KEY_FUNCTIONS, "key function")?;
        self.key_functions.insert(name.to_owned(), function);
        Ok(())
    }

    /// Registers a validator for `key_check`.
    ///
    /// # Errors
    ///
    /// A sentence that says so, if the name is taken.
    pub fn add_validator(&mut self, name: &str, validator: Validator) -> Result<(), String> {
        free(name, &self.validators, KEY_CHECKS, "validator")?;
        self.validators.insert(name.to_owned(), validator);
        Ok(())
    }

    /// Registers a codec under a name and a tag byte from `0xA0` to `0xBF`,
    /// which every program that reads its entries has to know by that byte.
    ///
    /// # Errors
    ///
    /// A sentence that says so, if the name or the tag is taken, or the tag is
    /// not of that range.
    pub fn add_codec(&mut self, name: &str, tag: u8, codec: Arc<dyn Codec>) -> Result<(), String> {
        free(name, &self.codecs, CODECS, "codec")?;
        if !TAGS.contains(&tag) {
            return Err(format!("the codec `{name}` has the tag {tag:#04x}; its own are 0xa0 to 0xbf"));
        }
        if let Some((other, _)) = self.codecs.iter().find(|(_, (taken, _))| *taken == tag) {
            return Err(format!("the codecs `{other}` and `{name}` have the same tag {tag:#04x}"));
        }
        self.codecs.insert(name.to_owned(), (tag, codec));
        Ok(())
    }

    /// The backends by their registered names, sorted.
    pub fn backends(&self) -> impl Iterator<Item = (&str, &Arc<dyn Backend>)> + Clone {
        self.backends.iter().map(|(name, backend)| (name.as_str(), backend))
    }

    pub(crate) fn backend(&self, name: &str) -> Result<(&str, &Arc<dyn Backend>), String> {
        self.backends.get_key_value(name).map(|(name, backend)| (name.as_str(), backend)).ok_or_else(|| {
            needs_feature(name).map_or_else(
                || unknown("backend", name, &[], self.backends.keys()),
                |needs| format!("the backend `{name}` {needs}"),
            )
        })
    }

    pub(crate) fn key_function(&self, name: &str) -> Result<&KeyFunction, String> {
        self.key_functions
            .get(name)
            .ok_or_else(|| unknown("key function", name, KEY_FUNCTIONS, self.key_functions.keys()))
    }

    pub(crate) fn validator(&self, name: &str) -> Result<&Validator, String> {
        self.validators
            .get(name)
            .ok_or_else(|| unknown("key check", name, KEY_CHECKS, self.validators.keys()))
    }

    pub(crate) fn codec(&self, name: &str) -> Result<&(u8, Arc<dyn Codec>), String> {
        self.codecs.get(name).ok_or_else(|| unknown("codec", name, CODECS, self.codecs.keys()))
    }

    /// What `key_function` of an alias can be.
    pub(crate) fn key_function_names(&self) -> impl Iterator<Item = &str> {
        KEY_FUNCTIONS.iter().copied().chain(self.key_functions.keys().map(String::as_str))
    }

    /// What `key_check` of an alias can be.
    pub(crate) fn key_check_names(&self) -> impl Iterator<Item = &str> {
        KEY_CHECKS.iter().copied().chain(self.validators.keys().map(String::as_str))
    }

    /// What `codec` of an alias can be.
    pub(crate) fn codec_names(&self) -> impl Iterator<Item = &str> {
        CODECS.iter().copied().chain(self.codecs.keys().map(String::as_str))
    }

    /// All registered codecs by tag: readers go by it.
    pub(crate) fn codecs_by_tag(&self) -> Arc<BTreeMap<u8, Arc<dyn Codec>>> {
        Arc::new(self.codecs.values().map(|(tag, codec)| (*tag, Arc::clone(codec))).collect())
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

fn free<T>(name: &str, taken: &BTreeMap<String, T>, reserved: &[&str], what: &str) -> Result<(), String> {
    if reserved.contains(&name) {
        return Err(format!("`{name}` is a {what} of the library's own"));
    }
    if taken.contains_key(name) {
        return Err(format!("a {what} `{name}` is registered already"));
    }
    Ok(())
}

/// What is to be said of a backend of this workspace that is not compiled in.
pub(crate) fn needs_feature(backend: &str) -> Option<String> {
    let (_, feature, _) = FEATURES.iter().find(|(name, _, is_on)| *name == backend && !is_on)?;
    Some(format!("needs the cargo feature `{feature}` of cache-sdk"))
}

/// A name that is not one, such as a pasted URL, may hold a secret and is not
/// repeated.
pub(crate) fn shown(name: &str) -> String {
    let is_name = name.chars().all(|character| character.is_alphanumeric() || "._-".contains(character));
    if is_name { format!(" {}", quoted(name)) } else { String::new() }
}

/// What to say of the text that Python's `str()` makes of a function or a class.
pub(crate) fn of_python(name: &str) -> &'static str {
    let is_object = ["<function ", "<class ", "<bound method ", "<built-in "]
        .iter()
        .any(|beginning| name.starts_with(beginning));
    if is_object { "; this is what `str()` makes of a Python object: write its dotted path" } else { "" }
}

/// Says what there is beside the name that there is not.
fn unknown<'a>(
    what: &str,
    name: &str,
    own: &'a [&'a str],
    registered: impl Iterator<Item = &'a String> + Clone,
) -> String {
    let names = own.iter().copied().chain(registered.map(String::as_str));
    let similar = suggestion(name, names.clone());
    format!("there is no {what}{}; there are {}{similar}{}", shown(name), listed(names), of_python(name))
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("backends", &self.backends.keys())
            .field("key_functions", &self.key_functions.keys())
            .field("validators", &self.validators.keys())
            .field("codecs", &self.codecs.keys())
            .finish()
    }
}
