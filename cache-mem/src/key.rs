//! Keys as the table keeps and looks them up: hashed once, over their text.

use std::hash::{BuildHasher, Hash, Hasher};

use cache_core::Key;
use equivalent::Equivalent;
use foldhash::quality::RandomState;
use smallvec::SmallVec;

/// Keys up to this length are put together on the stack.
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
    /// Two keys of equal text are one entry, however it is divided into prefix
    /// and name, and a fast hash of two pieces depends on where they are cut.
    /// So the text is put together, on the stack.
    pub(crate) fn new(key: &'a Key<'a>, state: &RandomState) -> Self {
        let [head, name] = key.pieces();
        let hash = if head.is_empty() {
            state.hash_one(name.as_bytes())
        } else {
            let mut text: SmallVec<[u8; INLINE]> = SmallVec::with_capacity(key.len());
            text.extend_from_slice(head.as_bytes());
            text.extend_from_slice(name.as_bytes());
            state.hash_one(text.as_slice())
        };
        Self { hash, key }
    }

    pub(crate) fn to_owned(self) -> OwnedKey {
        OwnedKey { hash: self.hash, text: self.key.text().into() }
    }
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
