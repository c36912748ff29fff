//! Where the entry of a key lies: `<prefix>/<shard>/<key>` below the location,
//! each part a hash, so that no key can name a path.

use std::hash::{BuildHasher as _, Hasher as _};
use std::path::{Path, PathBuf};

use cache_core::Key;
use foldhash::fast::FixedState;

/// How many directories the entries of one prefix are spread over: a file
/// system locks a directory for each name that comes or goes.
pub(crate) const SHARDS: usize = 256;

/// How many bytes of a hash make the name of a prefix's directory.
const PREFIX_BYTES: usize = 16;

/// How many bytes of a hash make the name of an entry's file.
const KEY_BYTES: usize = 20;

/// The directory of the keys of one prefix, by a hash of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PrefixId([u8; PREFIX_BYTES]);

/// The place of one entry. Equal texts have one, whatever their keys' parts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) prefix: PrefixId,
    name: [u8; KEY_BYTES],
}

impl Place {
    pub(crate) fn of(text: &str) -> Self {
        let hash = blake3::hash(text.as_bytes());
        let mut name = [0; KEY_BYTES];
        name.copy_from_slice(&hash.as_bytes()[..KEY_BYTES]);
        Self { prefix: PrefixId::of(shortest_prefix(text)), name }
    }

    pub(crate) fn shard(&self) -> usize {
        usize::from(self.name[0])
    }

    /// The hash of the key, which is the name of the file.
    #[cfg(test)]
    fn name(&self) -> &[u8; KEY_BYTES] {
        &self.name
    }

    pub(crate) fn path(&self, location: &Path) -> PathBuf {
        let mut name = hex(&[self.name[0]]);
        name.push('/');
        push_hex(&mut name, &self.name);
        let mut path = self.prefix.path(location);
        path.push(name);
        path
    }
}

impl PrefixId {
    /// The directory of keys that begin so, or of those that have no prefix.
    fn of(prefix: Option<&str>) -> Self {
        let mut hasher = blake3::Hasher::new();
        if let Some(prefix) = prefix {
            hasher.update(b":").update(prefix.as_bytes());
        }
        let mut id = [0; PREFIX_BYTES];
        id.copy_from_slice(&hasher.finalize().as_bytes()[..PREFIX_BYTES]);
        Self(id)
    }

    /// Where the keys of this prefix are, and whether nothing else is.
    pub(crate) fn of_prefix(prefix: &str) -> (Self, bool) {
        let text = format!("{prefix}:0:");
        let shortest = shortest_prefix(&text);
        (Self::of(shortest), shortest == Some(prefix))
    }

    /// Of a directory that has such a name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        unhex(name).map(Self)
    }

    pub(crate) fn path(self, location: &Path) -> PathBuf {
        location.join(hex(&self.0))
    }
}

/// The name of a shard's directory.
pub(crate) fn shard_name(shard: usize) -> String {
    format!("{shard:02x}")
}

/// The hash that the name of an entry's file is; `None` of any other file.
pub(crate) fn entry_name(name: &str) -> Option<[u8; KEY_BYTES]> {
    unhex(name)
}

/// Which of so many lanes the writes of this key go by. All versions of a key
/// share it, since a move writes to two of them, and all keys of one text; where
/// a custom key function makes the text, versions cannot be told, and all keys do.
pub(crate) fn lane_of(key: &Key<'_>, lanes: usize) -> usize {
    if key.space().is_custom() {
        return 0;
    }
    let mut hasher = FixedState::default().build_hasher();
    // One text may be read in several ways, in each of which another number is
    // the version: all that may be one are left out.
    let mut parts = key.prefix().split(':').chain(key.name().split(':')).peekable();
    let mut is_first = true;
    while let Some(part) = parts.next() {
        let is_inside = !is_first && parts.peek().is_some();
        if !(is_inside && is_number(part)) {
            hasher.write(part.as_bytes());
            hasher.write_u8(b':');
        }
        is_first = false;
    }
    usize::try_from(hasher.finish() % lanes as u64).unwrap_or(0)
}

/// The text before the first `:<digits>:`. A key may be read in several ways,
/// as one of the prefix `a` or of `a:1`; by this one equal texts lie together.
fn shortest_prefix(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let is_cut = |colon: &usize| {
        let behind = &bytes[colon + 1..];
        let digits = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
        digits > 0 && behind.get(digits) == Some(&b':')
    };
    let colons = bytes.iter().enumerate().filter(|(_, byte)| **byte == b':').map(|(place, _)| place);
    colons.into_iter().find(is_cut).map(|colon| &text[..colon])
}

fn is_number(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    push_hex(&mut text, bytes);
    text
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

fn unhex<const LENGTH: usize>(text: &str) -> Option<[u8; LENGTH]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    if pairs.len() != LENGTH {
        return None;
    }
    let mut bytes = [0; LENGTH];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use cache_core::{KeySpace, has_prefix};

    use super::*;

    #[test]
    fn equal_texts_have_one_place() {
        let whole = KeySpace::custom("", 1);
        for (space, name) in [
            (KeySpace::new("a", 1), "b:1:c"),
            (KeySpace::new("a:1:b", 1), "c"),
            (KeySpace::new("a", 1), "2:x"),
            (KeySpace::new("a:1", 2), "x"),
            (KeySpace::new("", 7), "x"),
        ] {
            let key = Key::new(&space, name);
            let text = key.text();
            assert_eq!(Place::of(&text), Place::of(&Key::new(&whole, &text).text()));
        }
    }

    #[test]
    fn equal_texts_and_all_versions_have_one_lane() {
        const LANES: usize = 1_000_003;
        for readings in [
            vec![("a", 1, "b:1:c"), ("a:1:b", 1, "c"), ("a:1:b", 2, "c"), ("a", 3, "b:7:c")],
            vec![("a", 1, "2:x"), ("a:1", 2, "x"), ("a:1", 9, "x")],
            vec![("", 1, "x"), ("", 2, "x")],
            vec![("", 1, "1"), ("", 2, "1")],
            vec![("1", 1, "x"), ("1", 2, "x")],
        ] {
            let lane = |(prefix, version, name): &(&str, u64, &str)| {
                lane_of(&Key::new(&KeySpace::new(prefix, *version), name), LANES)
            };
            assert!(readings.iter().all(|reading| lane(reading) == lane(&readings[0])), "{readings:?}");
        }
        let lanes: std::collections::HashSet<_> = (0..100)
            .map(|number| lane_of(&Key::new(&KeySpace::new("a", 1), &number.to_string()), LANES))
            .collect();
        assert!(lanes.len() > 90, "names that are numbers are told apart");
    }

    #[test]
    fn a_clear_finds_every_key_of_its_prefix() {
        for prefix in ["", "a", "a:1", "a:", "a:1:b", ":", "1", ":1", "a:12:", "a:x"] {
            let (directory, is_alone) = PrefixId::of_prefix(prefix);
            for name in ["x", "", "1:x", ":1:"] {
                for version in [0, 1, 12, u64::MAX] {
                    let space = KeySpace::new(prefix, version);
                    let text = Key::new(&space, name).text().into_owned();
                    assert_eq!(Place::of(&text).prefix, directory, "{text:?}");
                }
            }
            for text in ["a:1:2:x", "a:1:x", "a::1:x", ":1:x", "::1:x", "1:1:x", "plain", "", ":", "a:x:1:y"]
            {
                let is_covered = has_prefix(text, prefix);
                let is_there = Place::of(text).prefix == directory;
                assert!(!is_covered || is_there, "{prefix:?}: {text:?} would be left");
                assert!(is_covered || !(is_there && is_alone), "{prefix:?}: {text:?} would go too");
            }
        }
    }

    #[test]
    fn names_are_read_back() {
        let place = Place::of("shop:1:user");
        let path = place.path(Path::new("/cache"));
        let name = path.file_name().and_then(|name| name.to_str()).expect("it has one");
        assert_eq!(entry_name(name), Some(*place.name()));
        assert!(name.starts_with(&shard_name(place.shard())));
        let directory = place.prefix.path(Path::new("/cache"));
        let directory = directory.file_name().and_then(|name| name.to_str()).expect("it has one");
        assert_eq!(PrefixId::from_name(directory), Some(place.prefix));
        for foreign in ["", "ab", "readme.txt", &name[1..], &name.to_uppercase()] {
            assert_eq!(entry_name(foreign), None, "{foreign}");
        }
    }
}
