//! Reading the file of an entry. Its bytes are untrusted: whatever they are,
//! nothing panics, and nothing is allocated past what is admitted.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use bytes::Bytes;
use cache_core::{Entry, UndecodableReason};
#[cfg(unix)]
use rustix::{fs::OFlags, io::Errno};

use crate::format::{Expiry, HEADER, Header, Unreadable};

/// What lies under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Nothing,
    /// Something that is no entry of this program.
    Useless(UndecodableReason),
    Stored(Stored),
}

/// An entry, which may have ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) expiry: Expiry,
    pub(crate) stamp: u64,
    /// Nothing if it is longer than admitted.
    pub(crate) value: Option<Bytes>,
}

/// Most entries are read at once, into a buffer that each thread keeps.
const BUFFER: usize = 16 << 10;

/// The longest key, in bytes.
pub(crate) const LONGEST_KEY: usize = 64 << 10;

thread_local! {
    static BUFFERS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Stored {
    pub(crate) fn into_entry(self) -> Entry {
        match self.value {
            Some(value) => Entry::from_bytes(value),
            None => Entry::undecodable(UndecodableReason::TooLarge),
        }
    }
}

/// Looks at what lies at the path, which has to be the entry of this key. Of a
/// value longer than `longest` only that it is there is told.
pub(crate) fn look(path: &Path, key: &str, longest: usize) -> io::Result<Look> {
    let mut file = match open(path) {
        Ok(file) => file,
        Err(error) => return no_file(error),
    };
    BUFFERS.with_borrow_mut(|buffer| {
        buffer.resize(BUFFER, 0);
        let filled = match fill(&mut file, buffer) {
            Ok(filled) => filled,
            Err(error) => return no_file(error),
        };
        let start = &buffer[..filled];
        let header = match Header::read(start) {
            Ok(header) => header,
            Err(_) if !is_regular(&file) => return Ok(Look::Useless(UndecodableReason::OtherKind)),
            Err(reason) => return Ok(useless(reason)),
        };
        if filled < buffer.len() && header.value_length <= longest as u64 {
            return Ok(found(&header, start, key, |from| Bytes::copy_from_slice(&start[from..])));
        }
        let length = header.file_length().filter(|length| is_length_of(&file, *length));
        let Some(length) = length.and_then(|length| usize::try_from(length).ok()) else {
            return Ok(useless(Unreadable::Damaged));
        };
        if header.keys_length() > 2 * LONGEST_KEY as u64 {
            return Ok(useless(Unreadable::Damaged));
        }
        if header.value_length > longest as u64 {
            return Ok(too_long(&header, start, key));
        }
        let mut whole = Vec::with_capacity(length);
        whole.extend_from_slice(start);
        file.take((length - filled) as u64).read_to_end(&mut whole)?;
        let whole = Bytes::from(whole);
        Ok(found(&header, &whole, key, |from| whole.slice(from..)))
    })
}

/// The header of what lies at the path, and how long the file is.
pub(crate) fn look_at_header(path: &Path) -> io::Result<Option<(Result<Header, Unreadable>, File)>> {
    let mut file = match open(path) {
        Ok(file) => file,
        Err(error) => return no_file(error).map(|_| None),
    };
    let mut header = [0; HEADER];
    let filled = match fill(&mut file, &mut header) {
        Ok(filled) => filled,
        Err(error) => return no_file(error).map(|_| None),
    };
    Ok(Some((Header::read(&header[..filled]), file)))
}

/// Whether the file at the path is the entry of a key that is meant.
pub(crate) fn is_of_key(path: &Path, is_meant: impl Fn(&str) -> bool) -> io::Result<bool> {
    let Some((Ok(header), mut file)) = look_at_header(path)? else { return Ok(false) };
    let length = usize::try_from(header.keys_length()).unwrap_or(usize::MAX).min(2 * LONGEST_KEY);
    let mut keys = vec![0; length];
    let filled = fill(&mut file, &mut keys)?;
    let keys = header.keys(&keys[..filled]);
    Ok([keys.key, keys.former].into_iter().any(|key| is_meant(&String::from_utf8_lossy(key))))
}

/// Opens what may be anything: neither a link is followed nor a pipe waited for.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed(),
    );
    options.open(path)
}

/// What it means that a file cannot be opened or read.
fn no_file(error: io::Error) -> io::Result<Look> {
    match error.kind() {
        ErrorKind::NotFound => Ok(Look::Nothing),
        ErrorKind::NotADirectory | ErrorKind::IsADirectory => Ok(Look::Useless(UndecodableReason::OtherKind)),
        _ if is_no_regular_file(&error) => Ok(Look::Useless(UndecodableReason::OtherKind)),
        _ => Err(error),
    }
}

/// A link, or a socket.
#[cfg(unix)]
fn is_no_regular_file(error: &io::Error) -> bool {
    let error = Errno::from_io_error(error);
    matches!(error, Some(Errno::LOOP | Errno::MLINK | Errno::NXIO | Errno::AGAIN))
}

#[cfg(not(unix))]
fn is_no_regular_file(_: &io::Error) -> bool {
    false
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => {
                filled += count;
                if is_whole(&buffer[..filled]) {
                    break;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Whether this is all that the header tells of: to ask whether there is more
/// would cost as much again, and more would have come along.
fn is_whole(bytes: &[u8]) -> bool {
    Header::read(bytes).is_ok_and(|header| header.file_length() == Some(bytes.len() as u64))
}

/// Nothing comes from a pipe that nobody writes to, which looks like a file cut short.
fn is_regular(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file())
}

fn is_length_of(file: &File, length: u64) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() == length)
}

fn found(header: &Header, file: &[u8], key: &str, value: impl FnOnce(usize) -> Bytes) -> Look {
    match header.parts(file) {
        // Two keys of one hash are no reason to mistake one for the other.
        Ok((keys, _)) if !keys.include(key) => Look::Nothing,
        Ok((_, from)) => {
            Look::Stored(Stored { expiry: header.expiry, stamp: header.stamp, value: Some(value(from)) })
        }
        Err(reason) => useless(reason),
    }
}

/// Its checksum stays unread.
fn too_long(header: &Header, start: &[u8], key: &str) -> Look {
    // A key that reaches beyond what was read is taken for the right one: what is
    // told of it is no value.
    let is_read = header.keys_length() <= (start.len().saturating_sub(HEADER)) as u64;
    if is_read && !header.keys(&start[HEADER..]).include(key) {
        return Look::Nothing;
    }
    Look::Stored(Stored { expiry: header.expiry, stamp: header.stamp, value: None })
}

fn useless(reason: Unreadable) -> Look {
    Look::Useless(match reason {
        Unreadable::Foreign => UndecodableReason::UnknownTag,
        Unreadable::Damaged => UndecodableReason::Malformed,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;
    use crate::format::{Keys, Written, file_of};

    const LONGEST: usize = 40_000;

    /// Of bytes that begin like a file, and of those that do not.
    fn files() -> impl Strategy<Value = Vec<u8>> {
        let whole = (".{0,40}", prop::collection::vec(any::<u8>(), 0..2 * LONGEST), any::<u64>());
        let whole = whole.prop_map(|(key, value, stamp)| {
            file_of(Keys::of(&key), &value, Expiry::NEVER, Written::at(std::time::UNIX_EPOCH), stamp)
        });
        let damaged =
            (whole.clone(), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8));
        let damaged = damaged.prop_map(|(mut file, damages)| {
            for (place, byte) in damages {
                // Most of what can go wrong is in the header.
                let reach = if byte % 4 == 0 { file.len() } else { HEADER };
                file[place.index(reach)] = byte;
            }
            file
        });
        let cut = (whole.clone(), any::<prop::sample::Index>());
        let cut = cut.prop_map(|(mut file, place)| {
            file.truncate(place.index(file.len()));
            file
        });
        prop_oneof![whole, damaged, cut, prop::collection::vec(any::<u8>(), 0..200)]
    }

    /// How many files are read, times what `cargo xtask prove` says.
    fn cases() -> u32 {
        let scale = std::env::var("CACHE_TEST_SCALE").map_or(1, |text| text.parse().expect("it is a number"));
        300 * scale
    }

    #[test]
    fn whatever_the_bytes_are_nothing_panics_and_little_is_allocated() {
        let directory = tempfile::tempdir().expect("there is room for files");
        let path = directory.path().join("entry");
        let config = ProptestConfig { cases: cases(), ..ProptestConfig::default() };
        proptest!(config, |(file in files(), key in ".{0,40}")| {
            fs::write(&path, &file).expect("it can be written");
            let mut found = None;
            let allocated = allocation_counter::measure(|| found = Some(look(&path, &key, LONGEST)));
            // The buffer of the thread, and the file once.
            let admitted = (BUFFER + HEADER + 2 * LONGEST_KEY + LONGEST + 4_096) as u64;
            prop_assert!(allocated.bytes_max <= admitted, "{} bytes", allocated.bytes_max);
            let found = found.expect("it was looked at").expect("it can be read");
            if let Look::Stored(Stored { value: Some(value), .. }) = found {
                // It is what was written: a checksum of 64 bits is not met by chance.
                let again = Header::read(&file).and_then(|header| {
                    let (keys, from) = header.parts(&file)?;
                    Ok((keys.include(&key), file[from..].to_vec()))
                });
                prop_assert_eq!(again, Ok((true, value.to_vec())));
            }
        });
    }
}
