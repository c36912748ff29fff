//! Keys as the table keeps and looks them up: hashed once, over their text.

use std::hash::{BuildHasher, Hash, Hasher};

use cache_core::Key;
use equivalent::Equivalent;
use foldhash::quality::RandomState;

/// A key in the table.
#[derive(Debug)]
pub(crate) struct StoredKey {
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
        Self { hash: state.hash_one(key), key }
    }

    pub(crate) fn to_stored(self) -> StoredKey {
        StoredKey { hash: self.hash, text: self.key.text().into() }
    }
}

/// A key in the table, told by its place in memory: so that many of them can
/// be remembered without their text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doomed {
    hash: u64,
    place: usize,
}

impl StoredKey {
    /// A key that is no caller's.
    pub(crate) fn room() -> Self {
        Self { hash: 0, text: "".into() }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl PartialEq for StoredKey {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.text == other.text
    }
}

impl Eq for StoredKey {}

impl Hash for StoredKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hash for HashedKey<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Doomed {
    pub(crate) fn of(key: &StoredKey) -> Self {
        Self { hash: key.hash, place: key.text.as_ptr().addr() }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }
}

impl Hash for Doomed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Equivalent<StoredKey> for Doomed {
    fn equivalent(&self, key: &StoredKey) -> bool {
        self.hash == key.hash && self.place == key.text.as_ptr().addr()
    }
}

impl Equivalent<StoredKey> for HashedKey<'_> {
    fn equivalent(&self, key: &StoredKey) -> bool {
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
