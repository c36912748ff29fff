//! The directory of a store: whether it can be one.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use cache_core::{Error, ErrorKind, Result, Settings};

use crate::access::Access;

/// The location that a configuration names.
pub(crate) fn of(settings: &Settings) -> Result<PathBuf> {
    match settings.location() {
        [path] if !path.is_empty() => absolute(path.into()),
        [] | [_] => Err(config(
            "`location` is missing: the directory in which the files are, from the root on".to_owned(),
        )),
        _ => Err(config("`location` of `fs` is one directory, not a list".to_owned())),
    }
}

pub(crate) fn absolute(location: PathBuf) -> Result<PathBuf> {
    if location.is_absolute() {
        return Ok(location);
    }
    Err(config(format!(
        "`location` is relative: {} would be another directory wherever the program is started; write it from the \
         root on",
        location.display()
    )))
}

/// The same directory for every way to write it, as far as it is there.
pub(crate) fn canonical(location: &Path) -> PathBuf {
    match (fs::canonicalize(location), location.parent(), location.file_name()) {
        (Ok(path), ..) => path,
        (Err(_), Some(above), Some(name)) => canonical(above).join(name),
        // `..` below what is not there: it would be made, and is no link.
        (Err(_), Some(above), None) => {
            let mut above = canonical(above);
            above.pop();
            above
        }
        _ => location.to_owned(),
    }
}

/// Makes the directory if it is not there, and sees whether it can be written.
pub(crate) fn prepare(location: &Path, access: Access) -> Result<()> {
    if location.exists() && !location.is_dir() {
        return Err(config(format!("`location` {} is a file, not a directory", location.display())));
    }
    access.make_directories(location).map_err(|error| {
        config(format!("`location` {} cannot be made: {error}", location.display())).with_source(error)
    })?;
    match write_to(location) {
        // A full disk is no fault of the configuration, and can still be read.
        Err(error) if !is_full(&error) => Err(config(format!(
            "`location` {} cannot be written to by this user: {error}",
            location.display()
        ))
        .with_source(error)),
        _ => Ok(()),
    }
}

fn write_to(location: &Path) -> io::Result<()> {
    tempfile::tempfile_in(location).map(drop)
}

pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// What is worth a warning about a directory that is one.
pub(crate) fn concerns(location: &Path, served: &[String]) -> Vec<String> {
    let mut concerns = Vec::new();
    if let Some(served) = served_by(location, served) {
        concerns.push(format!(
            "lies in {served}, which looks as if it is served: entries could be fetched by everybody. Take a \
             directory elsewhere, or set `served` if it is not"
        ));
    }
    if is_open_to_all(location) {
        concerns.push(
            "can be written to by everybody on this machine: entries could be put there that you did not write. Take \
             a directory below it, which is then made for this user alone"
                .to_owned(),
        );
    }
    concerns
}

#[cfg(unix)]
fn is_open_to_all(location: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;

    const OTHERS_WRITE: u32 = 0o002;
    fs::metadata(location).is_ok_and(|metadata| metadata.permissions().mode() & OTHERS_WRITE != 0)
}

#[cfg(not(unix))]
fn is_open_to_all(_: &Path) -> bool {
    false
}

/// The directory among these that serves what is in the location.
fn served_by<'s>(location: &Path, served: &'s [String]) -> Option<&'s str> {
    let location = canonical(location);
    let is_around = |directory: &&String| {
        let path = Path::new(directory.as_str());
        if path.is_absolute() {
            return location.starts_with(canonical(path));
        }
        !directory.is_empty()
            && location.components().any(|part| part == Component::Normal(OsStr::new(directory.as_str())))
    };
    served.iter().find(is_around).map(String::as_str)
}

#[cold]
fn config(detail: String) -> Error {
    Error::new(ErrorKind::Config, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_served_is_found() {
        let served = ["/var/www".to_owned(), "static".to_owned(), String::new()];
        for (location, by) in [
            ("/var/www/shop/cache", Some("/var/www")),
            ("/var/www", Some("/var/www")),
            ("/var/wwwroot", None),
            ("/home/shop/static/cache", Some("static")),
            ("/home/shop/statics", None),
            ("/var/cache/shop", None),
        ] {
            assert_eq!(served_by(Path::new(location), &served), by, "{location}");
        }
    }
}
