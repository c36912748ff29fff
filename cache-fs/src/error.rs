//! What a failure of the file system means to callers.

use std::io;

use cache_core::{Error, ErrorKind};

use crate::location::is_full;

/// The error of a file that could not be read, written and so on.
#[cold]
pub(crate) fn failed(done: &str, error: io::Error) -> Error {
    let kind = match error.kind() {
        _ if is_full(&error) => ErrorKind::Full,
        io::ErrorKind::ReadOnlyFilesystem => ErrorKind::ReadOnly,
        // A lock that somebody else held for too long.
        io::ErrorKind::TimedOut => ErrorKind::Overloaded,
        _ if is_out_of_files(&error) => ErrorKind::Overloaded,
        _ => ErrorKind::Server,
    };
    // Paths are hashes, but say where the store is.
    Error::new(kind, format!("a file could not be {done}: {error}")).with_source(error)
}

/// Too many open files, of the process or the system, or no memory for more.
#[cfg(unix)]
fn is_out_of_files(error: &io::Error) -> bool {
    use rustix::io::Errno;

    let error = Errno::from_io_error(error);
    matches!(error, Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOLCK))
}

#[cfg(not(unix))]
fn is_out_of_files(_: &io::Error) -> bool {
    false
}
