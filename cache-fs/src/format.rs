//! What is in the file of an entry: a header, the key, the value.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cache_core::Life;
use xxhash_rust::xxh3::xxh3_64;

/// What every file begins with: no text, and no start of another known format.
const MAGIC: [u8; 4] = [0x89, b'c', b's', b'f'];

/// Raised with every change of what follows.
const VERSION: u8 = 1;

/// How long the header is.
pub(crate) const HEADER: usize = 56;

/// What the checksum covers begins here.
const CHECKED: usize = 16;

/// When an entry ends, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Expiry(u64);

/// When an entry was written, in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Written(u64);

/// What is known of an entry before its key and value are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) expiry: Expiry,
    /// The random number of the write that made it.
    pub(crate) stamp: u64,
    pub(crate) written: Written,
    key_length: u32,
    former_length: u32,
    pub(crate) value_length: u64,
    checksum: u64,
}

/// The keys that a file is the entry of. One that is moved is for a moment that
/// of both, so that one rename takes it from one to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keys<'a> {
    pub(crate) key: &'a [u8],
    /// What it was moved from; empty if it was not.
    pub(crate) former: &'a [u8],
}

/// Why bytes are no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Another program wrote it, or another version of this one.
    Foreign,
    /// It is cut short, or some of it is not what was written.
    Damaged,
}

impl Expiry {
    pub(crate) const NEVER: Self = Self(u64::MAX);

    /// The end of a life that begins now, rounded up.
    pub(crate) fn of(life: Life, now: SystemTime) -> Self {
        match life {
            Life::Forever => Self::NEVER,
            Life::For(duration) => {
                let end = since_1970(now).saturating_add(duration).as_nanos().div_ceil(1_000_000);
                // The last millisecond would mean that it never ends.
                Self(u64::try_from(end).unwrap_or(u64::MAX).min(u64::MAX - 1))
            }
        }
    }

    pub(crate) fn is_never(self) -> bool {
        self == Self::NEVER
    }

    /// What is left of the life; `None` once it is over.
    pub(crate) fn left(self, now: SystemTime) -> Option<Life> {
        if self.is_never() {
            return Some(Life::Forever);
        }
        let left = Duration::from_millis(self.0).checked_sub(since_1970(now))?;
        (!left.is_zero()).then_some(Life::For(left))
    }
}

impl Written {
    pub(crate) fn at(time: SystemTime) -> Self {
        Self(u64::try_from(since_1970(time).as_micros()).unwrap_or(u64::MAX))
    }

    pub(crate) fn as_micros(self) -> u64 {
        self.0
    }
}

fn since_1970(now: SystemTime) -> Duration {
    now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)
}

/// A whole file. The stamp is to be another for each write.
pub(crate) fn file_of(keys: Keys<'_>, value: &[u8], expiry: Expiry, written: Written, stamp: u64) -> Vec<u8> {
    let Keys { key, former } = keys;
    let mut file = Vec::with_capacity(HEADER + key.len() + former.len() + value.len());
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(&[VERSION, 0, 0, 0]);
    file.extend_from_slice(&[0; 8]);
    file.extend_from_slice(&expiry.0.to_le_bytes());
    file.extend_from_slice(&stamp.to_le_bytes());
    file.extend_from_slice(&written.0.to_le_bytes());
    for key in [key, former] {
        file.extend_from_slice(&u32::try_from(key.len()).unwrap_or(u32::MAX).to_le_bytes());
    }
    file.extend_from_slice(&(value.len() as u64).to_le_bytes());
    file.extend_from_slice(key);
    file.extend_from_slice(former);
    file.extend_from_slice(value);
    let checksum = xxh3_64(&file[CHECKED..]);
    file[8..CHECKED].copy_from_slice(&checksum.to_le_bytes());
    file
}

impl Header {
    /// The header of a file that begins so.
    pub(crate) fn read(file: &[u8]) -> Result<Self, Unreadable> {
        let Some((header, _)) = file.split_first_chunk::<HEADER>() else { return Err(Unreadable::Damaged) };
        if header[..4] != MAGIC || header[4] != VERSION {
            return Err(Unreadable::Foreign);
        }
        Ok(Self {
            checksum: u64_at(header, 8),
            expiry: Expiry(u64_at(header, 16)),
            stamp: u64_at(header, 24),
            written: Written(u64_at(header, 32)),
            key_length: u32_at(header, 40),
            former_length: u32_at(header, 44),
            value_length: u64_at(header, 48),
        })
    }

    /// How long the whole file has to be.
    pub(crate) fn file_length(&self) -> Option<u64> {
        (HEADER as u64 + self.keys_length()).checked_add(self.value_length)
    }

    /// How much of it the keys take.
    pub(crate) fn keys_length(&self) -> u64 {
        u64::from(self.key_length) + u64::from(self.former_length)
    }

    /// The keys in what stands behind the header, as far as it is there.
    pub(crate) fn keys<'f>(&self, behind: &'f [u8]) -> Keys<'f> {
        let key_length = usize::try_from(self.key_length).unwrap_or(usize::MAX).min(behind.len());
        let (key, behind) = behind.split_at(key_length);
        let former_length = usize::try_from(self.former_length).unwrap_or(usize::MAX).min(behind.len());
        Keys { key, former: &behind[..former_length] }
    }

    /// The keys of a whole file and where its value begins, if it is as it was
    /// written.
    pub(crate) fn parts<'f>(&self, file: &'f [u8]) -> Result<(Keys<'f>, usize), Unreadable> {
        let is_whole = self.file_length() == Some(file.len() as u64);
        // Three bytes of the version's word are spare.
        let is_plain = file.get(5..8) == Some(&[0; 3]);
        if !is_whole || !is_plain || xxh3_64(&file[CHECKED..]) != self.checksum {
            return Err(Unreadable::Damaged);
        }
        let keys = self.keys(&file[HEADER..]);
        Ok((keys, HEADER + keys.key.len() + keys.former.len()))
    }
}

impl<'a> Keys<'a> {
    pub(crate) fn of(key: &'a str) -> Self {
        Self { key: key.as_bytes(), former: &[] }
    }

    /// Whether it is the entry of this key.
    pub(crate) fn include(&self, key: &str) -> bool {
        self.key == key.as_bytes() || (!self.former.is_empty() && self.former == key.as_bytes())
    }
}

fn u32_at(header: &[u8; HEADER], place: usize) -> u32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&header[place..place + 4]);
    u32::from_le_bytes(bytes)
}

fn u64_at(header: &[u8; HEADER], place: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&header[place..place + 8]);
    u64::from_le_bytes(bytes)
}
