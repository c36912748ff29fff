//! Work that one process at a time does for all.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use cache_core::Result;

use crate::access::Access;
use crate::error::failed;

/// Work that one process at a time does for all, until it is dropped.
#[derive(Debug)]
pub(crate) struct Guard(pub(crate) File);

impl Guard {
    /// Nothing if somebody else has it.
    pub(crate) fn try_take(path: &Path, access: Access) -> Result<Option<Self>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        access.prepare(&mut options);
        let file = match options.open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("opened", error)),
        };
        let _ = access.set_mode_of_file(&file);
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed("locked", error)),
        }
    }
}
