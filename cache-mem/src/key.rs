//! Keys as the table keeps and looks them up: hashed once, over their text.

use std::hash::{BuildHasher, Hash, Hasher};

use cache_core::Key;
use equivalent::Equivalent;
use foldhash::quality::RandomState;
use smallvec::SmallVec;

/// Keys that have to be put together are so on the stack, up to this length.
const INLINE: usize = 128;

/// A key in the table.
#[derive(Debug)]
pub(crate) struct OwnedKey {
    hash: u64,
    text: Box<str>,
}

/// A key on its way to the table.
#[derive(Clone, Copy)]
pub(crate) struct HashedKey<'a> {
    pub(crate) hash: u64,
    pub(crate) key: &'a Key<'a>,
}

impl<'a> HashedKey<'a> {
    pub(crate) fn new(key: &'a Key<'a>, state: &RandomState) -> Self {
        Self { hash: hash(key, state), key }
    }

    pub(crate) fn to_owned(self) -> OwnedKey {
        OwnedKey { hash: self.hash, text: self.key.text().into() }
    }
}

/// Two keys of equal text are one entry, however it is divided into prefix and
/// name, while a fast hash of two pieces depends on where they are cut. So the
/// text is always cut behind its second colon, which is where most keys are cut
/// anyway: `prefix:version:` and the name.
fn hash(key: &Key<'_>, state: &RandomState) -> u64 {
    let [head, name] = key.pieces();
    if !head.is_empty() && !key.prefix().as_bytes().contains(&b':') {
        return hash_pieces(head.as_bytes(), name.as_bytes(), state);
    }
    let mut text: SmallVec<[u8; INLINE]> = SmallVec::with_capacity(key.len());
    text.extend_from_slice(head.as_bytes());
    text.extend_from_slice(name.as_bytes());
    let colons = text.iter().enumerate().filter(|(_, byte)| **byte == b':');
    let cut = colons.map(|(place, _)| place + 1).nth(1).unwrap_or(0);
    let (before, behind) = text.split_at(cut);
    hash_pieces(before, behind, state)
}

fn hash_pieces(before: &[u8], behind: &[u8], state: &RandomState) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write(before);
    hasher.write(behind);
    hasher.finish()
}

impl OwnedKey {
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl PartialEq for OwnedKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for OwnedKey {}

impl Hash for OwnedKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hash for HashedKey<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Equivalent<OwnedKey> for HashedKey<'_> {
    fn equivalent(&self, key: &OwnedKey) -> bool {
        self.hash == key.hash && self.key.is(&key.text)
    }
}

/// Hands on the hash that the key carries.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CarriedHash(u64);

impl Hasher for CarriedHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("keys write their hash and nothing else");
    }
}

impl BuildHasher for CarriedHash {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        *self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cache_core::KeySpace;

    #[test]
    fn the_hash_is_one_of_the_text_alone() {
        let state = RandomState::default();
        let hash_in = |space: KeySpace, name: &str| hash(&Key::new(&space, name), &state);
        for (space, name, text) in [
            (KeySpace::new("a", 1), "b:1:c", "a:1:b:1:c"),
            (KeySpace::new("a:1:b", 1), "c", "a:1:b:1:c"),
            (KeySpace::new("a:1", 2), "", "a:1:2:"),
            (KeySpace::new("", 7), "x", ":7:x"),
            (KeySpace::new(":", 7), "x", "::7:x"),
        ] {
            let whole = hash_in(KeySpace::custom("", 1), text);
            assert_eq!(hash_in(space, name), whole, "{text}");
        }
        assert_ne!(hash_in(KeySpace::new("a", 1), "x"), hash_in(KeySpace::new("a", 1), "y"));
        assert_ne!(hash_in(KeySpace::custom("", 1), "x"), hash_in(KeySpace::custom("", 1), "y"));
    }
}
