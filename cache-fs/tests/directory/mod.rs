//! A directory for a test, and what is in it.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cache_core::{Cache, Clock, Context, SystemClock};
use cache_fs::{FsSettings, FsStore};
use tempfile::TempDir;
use xxhash_rust::xxh3::xxh3_64;

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

    /// Whether a round of removing what has ended is over, as the file says.
    pub(crate) fn is_swept(&self) -> bool {
        self.path().join(".sweep").metadata().is_ok_and(|told| told.len() == 8)
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
    let mut context = Context::new("files").with_clock(clock);
    // Three quarters of it are how long a lock is waited for, on the machine's time.
    context.deadline = Duration::from_mins(1);
    let store = FsStore::open(path, settings, &context).await.expect("the directory is fine");
    Cache::builder(Arc::new(store)).context(&context).key_prefix(prefix).build()
}

/// A file that is locked, as by another process, until it is dropped.
pub(crate) fn held(path: &Path) -> File {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let file = file.expect("it can be opened");
    file.lock().expect("it can be locked");
    file
}

/// The file of an entry as it would be with other keys: one that it has now, and
/// one that it had before.
pub(crate) fn with_keys(file: &[u8], key: &str, former: &str) -> Vec<u8> {
    let length = |at: usize| {
        let bytes = file[at..at + 4].try_into().expect("four bytes");
        usize::try_from(u32::from_le_bytes(bytes)).expect("it is short")
    };
    let value = &file[56 + length(40) + length(44)..];
    let mut other = file[..40].to_vec();
    for key in [key, former] {
        other.extend(u32::try_from(key.len()).expect("it is short").to_le_bytes());
    }
    other.extend((value.len() as u64).to_le_bytes());
    other.extend([key.as_bytes(), former.as_bytes(), value].concat());
    let checksum = xxh3_64(&other[16..]);
    other[8..16].copy_from_slice(&checksum.to_le_bytes());
    other
}

/// Whether anybody has the lock of a file that is there.
pub(crate) fn is_held(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| file.try_lock().is_err())
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
