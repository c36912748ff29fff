//! Opens stores from a configuration.

use std::sync::Arc;

use async_trait::async_trait;
use cache_core::{
    Backend, Context, DjangoEffect, DjangoOption, DjangoSpelling, Error, ErrorKind, Opened, Result, Setting,
    SettingKind, Settings,
};

use crate::settings::{Eviction, MemSettings};
use crate::store::MemStore;

/// Opens [`MemStore`]s, under the name `mem`.
///
/// Aliases that name one `location` share a store within one set of caches;
/// without a location an alias has a store of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemBackend;

const OPTIONS: &[Setting] = &[
    Setting::new(
        "max_entries",
        SettingKind::Integer(1, i64::MAX),
        "1000000",
        "How many entries the store holds before it evicts.",
    ),
    Setting::new(
        "max_bytes",
        SettingKind::Integer(1, i64::MAX),
        "none",
        "How many bytes keys and values may take before the store evicts. Text and bytes count with their length, \
         other values with that of their encoded form, so that each one is encoded as it is set.",
    ),
    Setting::new(
        "eviction",
        SettingKind::OneOf(&["engine", "lru"]),
        "\"engine\"",
        "What goes when the store is full: what the engine's policy finds least worth keeping, one entry at a time; \
         or, as in Django, a share of the entries at once, the least recently used first.",
    ),
    Setting::new(
        "cull_frequency",
        SettingKind::Integer(0, u32::MAX as i64),
        "3",
        "With `lru`, one entry in so many goes when the store is full; 0: all of them.",
    ),
    Setting::new(
        "values",
        SettingKind::OneOf(&["typed", "encoded"]),
        "\"typed\"",
        "Whether values are kept as they are, or as the bytes that a remote store would keep.",
    ),
    Setting::new(
        "check_encoding",
        SettingKind::Boolean,
        "true in debug builds, else false",
        "Whether each typed value is encoded as well, so that what a remote store would refuse fails here too.",
    ),
];

/// As in Django, where aliases without a `LOCATION` share the one without a name.
const DJANGO: &[DjangoSpelling] = &[DjangoSpelling::new("django.core.cache.backends.locmem.LocMemCache")
    .location("")
    .defaults(&[("eviction", "lru"), ("max_entries", "300"), ("cull_frequency", "3")])
    .options(&[
        DjangoOption::new("MAX_ENTRIES", DjangoEffect::Means("max_entries")),
        DjangoOption::new("CULL_FREQUENCY", DjangoEffect::Means("cull_frequency")),
    ])];

#[async_trait]
impl Backend for MemBackend {
    fn name(&self) -> &'static str {
        "mem"
    }

    fn options(&self) -> &'static [Setting] {
        OPTIONS
    }

    fn django(&self) -> &'static [DjangoSpelling] {
        DJANGO
    }

    async fn open(&self, settings: Settings, context: &Context) -> Result<Opened> {
        let location = match settings.location() {
            [] => None,
            [name] => Some(name.as_str()),
            _ => return Err(Error::new(ErrorKind::Config, "`location` of `mem` is one name, not a list")),
        };
        let culls_in_vain = settings.option("cull_frequency").is_some();
        let settings = MemSettings::from_options(&settings);
        if culls_in_vain && settings.eviction == Eviction::Engine {
            tracing::warn!(
                target: "cache::config",
                alias = &*context.alias,
                "`cull_frequency` has no effect with the eviction `engine`; with `lru` it has",
            );
        }
        Ok(Opened::Local(Arc::new(MemStore::open(location, &settings, context)?)))
    }
}
