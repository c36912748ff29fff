//! A directory for a test, and what is in it.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cache_core::{Cache, Clock, Context, SystemClock};
use cache_fs::{FsSettings, FsStore};
use tempfile::TempDir;

/// A directory that is removed with all that is in it.
pub(crate) struct Directory(TempDir);

impl Directory {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("there is room for files"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A cache there, everything at its default.
    pub(crate) async fn cache(&self) -> Cache {
        self.cache_with(&FsSettings::default(), Arc::new(SystemClock)).await
    }

    pub(crate) async fn cache_with(&self, settings: &FsSettings, clock: Arc<dyn Clock>) -> Cache {
        cache_at(self.path(), settings, clock).await
    }

    /// The files of entries, wherever they are.
    pub(crate) fn entries(&self) -> Vec<PathBuf> {
        let is_entry = |path: &PathBuf| {
            let name = path.file_name().and_then(OsStr::to_str).expect("it is hexadecimal");
            name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        files_below(self.path()).into_iter().filter(is_entry).collect()
    }

    /// The file of the only entry.
    pub(crate) fn entry(&self) -> PathBuf {
        let entries = self.entries();
        let [entry] = &entries[..] else { panic!("{entries:?}") };
        entry.clone()
    }
}

/// A cache in this directory. Its clock is that of its deadlines too.
pub(crate) async fn cache_at(path: &Path, settings: &FsSettings, clock: Arc<dyn Clock>) -> Cache {
    cache_of("", path, settings, clock).await
}

/// The same, with keys of this prefix.
pub(crate) async fn cache_of(
    prefix: &str,
    path: &Path,
    settings: &FsSettings,
    clock: Arc<dyn Clock>,
) -> Cache {
    let context = Context::new("files").with_clock(clock);
    let store = FsStore::open(path, settings, &context).await.expect("the directory is fine");
    Cache::builder(Arc::new(store)).context(&context).key_prefix(prefix).build()
}

/// All files, and what is none and no directory either.
pub(crate) fn files_below(path: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path).expect("it is a directory") {
        let entry = entry.expect("it can be listed");
        let is_directory = entry.file_type().expect("it has one").is_dir();
        if is_directory {
            files.extend(files_below(&entry.path()));
        } else {
            files.push(entry.path());
        }
    }
    files
}
