//! Opens stores from a configuration.

use std::sync::Arc;

use async_trait::async_trait;
use cache_core::{Backend, Context, Error, ErrorKind, Opened, Result, Setting, SettingKind, Settings};

use crate::store::{MemSettings, MemStore, Values};

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

#[async_trait]
impl Backend for MemBackend {
    fn name(&self) -> &'static str {
        "mem"
    }

    fn options(&self) -> &'static [Setting] {
        OPTIONS
    }

    async fn open(&self, settings: Settings, context: &Context) -> Result<Opened> {
        let location = match settings.location() {
            [] => None,
            [name] => Some(name.as_str()),
            _ => return Err(Error::new(ErrorKind::Config, "`location` of `mem` is one name, not a list")),
        };
        let default = MemSettings::default();
        let settings = MemSettings {
            max_entries: settings
                .integer("max_entries")
                .and_then(|number| usize::try_from(number).ok())
                .unwrap_or(default.max_entries),
            values: match settings.text("values") {
                Some("encoded") => Values::Encoded,
                _ => Values::Typed,
            },
            check_encoding: settings.boolean("check_encoding").unwrap_or(default.check_encoding),
        };
        Ok(Opened::Local(Arc::new(MemStore::open(location, &settings, context)?)))
    }
}
