//! Opens stores from a configuration.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use cache_core::{
    Backend, Context, DjangoEffect, DjangoOption, DjangoSpelling, Opened, Result, Setting, SettingKind,
    Settings,
};

use crate::location;
use crate::settings::FsSettings;
use crate::store::FsStore;

/// Opens [`FsStore`]s, under the name `fs`.
#[derive(Clone, Copy, Debug, Default)]
pub struct FsBackend;

const OPTIONS: &[Setting] = &[
    Setting::new(
        "max_entries",
        SettingKind::Integer(1, i64::MAX),
        "1000000",
        "How many entries of one key prefix there may be before some are evicted.",
    ),
    Setting::new(
        "max_bytes",
        SettingKind::Integer(1, i64::MAX),
        "none",
        "How many bytes their files may have before some are evicted: 56 beside key and value of each.",
    ),
    Setting::new(
        "cull_frequency",
        SettingKind::Integer(0, u32::MAX as i64),
        "3",
        "One entry in so many goes when there are too many; 0: all of them.",
    ),
    Setting::new(
        "eviction",
        SettingKind::OneOf(&["oldest", "lru", "random"]),
        "\"oldest\"",
        "Which entries go first, once those are gone whose life is over: those written longest ago, those used longest \
         ago, or any.",
    ),
    Setting::new(
        "fsync",
        SettingKind::OneOf(&["never", "data"]),
        "\"never\"",
        "Whether a write waits until its file is on the disk. Without it entries may be gone after a loss of power, but \
         are never wrong.",
    ),
    Setting::new(
        "sharing",
        SettingKind::OneOf(&["private", "group"]),
        "\"private\"",
        "Who may read and write the files: the user of the process (files 0600, directories 0700) or its group too \
         (0660, 2770).",
    ),
    Setting::new(
        "served",
        SettingKind::List,
        "the usual ones",
        "Directories that are served to everybody: a location in one of them is warned of. A name without a slash is \
         looked for anywhere in the location.",
    ),
];

/// As in Django; which entries go is a matter of chance there.
const DJANGO: &[DjangoSpelling] =
    &[DjangoSpelling::new("django.core.cache.backends.filebased.FileBasedCache")
        .defaults(&[("max_entries", "300"), ("cull_frequency", "3")])
        .options(&[
            DjangoOption::new("MAX_ENTRIES", DjangoEffect::Means("max_entries")),
            DjangoOption::new("CULL_FREQUENCY", DjangoEffect::Means("cull_frequency")),
        ])];

#[async_trait]
impl Backend for FsBackend {
    fn name(&self) -> &'static str {
        "fs"
    }

    fn options(&self) -> &'static [Setting] {
        OPTIONS
    }

    fn django(&self) -> &'static [DjangoSpelling] {
        DJANGO
    }

    /// Aliases of one directory share their entries, however it is written.
    fn place(&self, settings: &Settings) -> Option<String> {
        let location = location::of(settings).ok()?;
        Some(location::canonical(&location).to_string_lossy().into_owned())
    }

    fn check(&self, settings: &Settings) -> Result<()> {
        location::of(settings).map(drop)
    }

    async fn open(&self, settings: Settings, context: &Context) -> Result<Opened> {
        let location: PathBuf = location::of(&settings)?;
        let settings = FsSettings::from_options(&settings);
        let store = FsStore::open(location, &settings, context).await?;
        Ok(Opened::Remote { leader: Arc::new(store), replicas: Vec::new() })
    }
}
