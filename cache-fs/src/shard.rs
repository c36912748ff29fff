//! One directory of entries, locked: what is written there, and how much there
//! is of it, which whoever holds the lock writes down for the next.

use std::ffi::OsStr;
use std::fs::{self, DirEntry, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::access::Access;
use crate::count::{COUNT_BYTES, Count, Snapshot};
use crate::locks::{Locks, Wait};
use crate::look::open;
use crate::place::entry_name;

/// A shard that nobody else writes to, in this process or another, until it is
/// dropped. Readers take no lock: what they open is whole or not there.
#[derive(Debug)]
pub(crate) struct Shard<'a> {
    directory: &'a Path,
    access: Access,
    lock: File,
    count: Count,
    /// Whether the count that the file tells is another.
    is_changed: bool,
}

/// The file that is locked, and tells the count. Entries are not locked: a
/// rename puts another file in their place.
const LOCK: &str = ".lock";

/// What files begin with that are not whole yet. They are made under the lock,
/// so whoever holds it knows that those which are there were left by a crash.
const TEMPORARY: &str = ".new-";

impl<'a> Shard<'a> {
    /// Waits for the lock; makes the directory if it is not there.
    pub(crate) fn lock(directory: &'a Path, access: Access, locks: &Locks, wait: Wait) -> io::Result<Self> {
        loop {
            if let Some(shard) = Self::lock_if_there(directory, access, locks, wait)? {
                return Ok(shard);
            }
            access.make_directories(directory)?;
        }
    }

    /// The same, unless there is no such directory.
    pub(crate) fn lock_if_there(
        directory: &'a Path,
        access: Access,
        locks: &Locks,
        wait: Wait,
    ) -> io::Result<Option<Self>> {
        loop {
            match open_lock(directory, access) {
                // What somebody else put in the place of a directory is none.
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
                Ok(lock) => {
                    locks.take(&lock, directory, wait)?;
                    if let Some(shard) = Self::with(lock, directory, access)? {
                        return Ok(Some(shard));
                    }
                }
            }
        }
    }

    /// Nothing if the file was removed before it was locked.
    fn with(mut lock: File, directory: &'a Path, access: Access) -> io::Result<Option<Self>> {
        if is_removed(&lock) {
            return Ok(None);
        }
        let count = read_count(&mut lock)?;
        let mut shard =
            Self { directory, access, lock, count: count.unwrap_or_default(), is_changed: count.is_none() };
        if count.is_none() {
            // It may be new; of one that somebody else made, the mode is theirs to set.
            let _ = access.set_mode_of_file(&shard.lock);
            shard.recount()?;
        }
        Ok(Some(shard))
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot::of(self.count)
    }

    /// Counts what is there, should a crash have left the count wrong.
    fn recount(&mut self) -> io::Result<()> {
        let mut count = Count::default();
        for entry in self.list()? {
            count.add(entry.metadata().map_or(0, |metadata| metadata.len()));
        }
        self.set_count(count);
        Ok(())
    }

    pub(crate) fn set_count(&mut self, count: Count) {
        self.is_changed |= self.count != count;
        self.count = count;
    }

    /// Puts a whole file in the place of what is under the name, used last at the
    /// time that is told.
    pub(crate) fn put(&mut self, path: &Path, file: &[u8], used: Option<SystemTime>) -> io::Result<()> {
        let before = length_of(path);
        let access = self.access;
        // Made here, since what tempfile says of its own files hides the system's word.
        let make = |path: &Path| access.new_file(path);
        let mut new = tempfile::Builder::new().prefix(TEMPORARY).make_in(self.directory, make)?;
        new.write_all(file)?;
        if let Some(time) = used {
            // What the file system says by itself may be another clock's time.
            new.as_file().set_modified(time)?;
        }
        self.access.finish_file(new.as_file())?;
        new.persist(path).map_err(|error| error.error)?;
        self.is_changed = true;
        if let Some(length) = before {
            self.count.remove(length);
        }
        self.count.add(file.len() as u64);
        Ok(())
    }

    /// Takes a file of this shard over into another, in the place of what is there.
    pub(crate) fn give(&mut self, from: &Path, goal: Option<&mut Self>, to: &Path) -> io::Result<()> {
        let (length, before) = (length_of(from), length_of(to));
        fs::rename(from, to)?;
        self.is_changed = true;
        if let Some(length) = length {
            self.count.remove(length);
        }
        let goal = goal.unwrap_or(self);
        goal.is_changed = true;
        if let Some(length) = before {
            goal.count.remove(length);
        }
        goal.count.add(length.unwrap_or(0));
        Ok(())
    }

    /// Removes what is under the name; false if there is nothing.
    pub(crate) fn remove(&mut self, path: &Path) -> io::Result<bool> {
        let Some(length) = length_of(path) else { return Ok(false) };
        match fs::remove_file(path) {
            Ok(()) => {
                self.is_changed = true;
                self.count.remove(length);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The files of entries; what a crash has left is removed.
    pub(crate) fn list(&self) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.directory)? {
            let entry = entry?;
            let name = entry.file_name();
            if is_entry(&name) {
                entries.push(entry);
            } else if is_temporary(&name) {
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(entries)
    }

    /// Writes the count down. The lock goes with the file.
    fn write_count(&mut self) -> io::Result<()> {
        self.lock.rewind()?;
        self.lock.write_all(&self.count.to_bytes())
    }
}

impl Drop for Shard<'_> {
    fn drop(&mut self) {
        if self.is_changed && self.write_count().is_err() {
            // The next one counts.
            let _ = self.lock.set_len(0);
        }
    }
}

fn open_lock(directory: &Path, access: Access) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    access.prepare(&mut options);
    options.open(directory.join(LOCK))
}

/// What a shard that nobody has locked had when it was written to last.
pub(crate) fn last_count(directory: &Path) -> Option<Count> {
    let mut lock = open(&directory.join(LOCK)).ok()?;
    read_count(&mut lock).ok()?
}

fn read_count(lock: &mut File) -> io::Result<Option<Count>> {
    let mut bytes = [0; COUNT_BYTES];
    match lock.read_exact(&mut bytes) {
        Ok(()) => Ok(Count::from_bytes(bytes)),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn is_removed(lock: &File) -> bool {
    lock.metadata().is_ok_and(|metadata| std::os::unix::fs::MetadataExt::nlink(&metadata) == 0)
}

#[cfg(not(unix))]
fn is_removed(_: &File) -> bool {
    false
}

/// How long the file at the path is, whatever it is; `None` where there is none.
fn length_of(path: &Path) -> Option<u64> {
    fs::symlink_metadata(path).ok().map(|metadata| metadata.len())
}

fn is_entry(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| entry_name(name).is_some())
}

fn is_temporary(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(TEMPORARY))
}

/// The directory of a shard.
pub(crate) fn shard_path(prefix: &Path, shard: usize) -> PathBuf {
    prefix.join(crate::place::shard_name(shard))
}
