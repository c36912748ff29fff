//! Keys in parts: prefix, version and name, formatted only by who needs text.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use equivalent::Equivalent;
use smallvec::SmallVec;

/// Text that has to be put together to be hashed is so on the stack, up to
/// this length.
const INLINE: usize = 128;

/// The prefix and version that the keys of one handle share. Clones share it.
///
/// Its keys have the text `prefix:version:name`, as Django writes them.
#[derive(Clone, PartialEq, Eq)]
pub struct KeySpace(Arc<Space>);

#[derive(PartialEq, Eq)]
struct Space {
    /// `prefix:version:`, or nothing under a custom key function.
    head: Box<str>,
    prefix: Box<str>,
    version: u64,
    custom: bool,
    /// Whether the second colon of each text is the last of the head.
    ends_at_cut: bool,
}

/// The key of one entry.
///
/// Two keys are one entry if their text is equal, whatever their parts are.
///
/// ```
/// use cache_core::{Key, KeySpace};
///
/// let space = KeySpace::new("shop", 2);
/// let key = Key::new(&space, "user:42");
/// assert_eq!(key.text(), "shop:2:user:42");
/// assert_eq!(key.version(), 2);
/// assert_eq!(key, Key::new(&KeySpace::custom("shop", 2), "shop:2:user:42"));
/// ```
#[derive(Clone, Copy)]
pub struct Key<'a> {
    space: &'a KeySpace,
    name: &'a str,
}

/// A key that owns its parts, for those who queue or remember keys.
#[derive(Clone)]
pub struct OwnedKey {
    space: KeySpace,
    name: Box<str>,
}

impl KeySpace {
    /// The space of keys `prefix:version:name`.
    pub fn new(prefix: &str, version: u64) -> Self {
        let head = format!("{prefix}:{version}:").into();
        let ends_at_cut = !prefix.contains(':');
        Self(Arc::new(Space { head, prefix: prefix.into(), version, custom: false, ends_at_cut }))
    }

    /// A space whose keys have the text that a custom key function made; the
    /// name of such a key is its whole text.
    pub fn custom(prefix: &str, version: u64) -> Self {
        let (head, prefix) = ("".into(), prefix.into());
        Self(Arc::new(Space { head, prefix, version, custom: true, ends_at_cut: false }))
    }

    /// The `key_prefix` of the alias.
    pub fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// The version of the handle.
    pub fn version(&self) -> u64 {
        self.0.version
    }

    /// What stands before each name: `prefix:version:`, or nothing under a
    /// custom key function.
    pub fn head(&self) -> &str {
        &self.0.head
    }

    /// Whether a custom key function makes the text.
    pub fn is_custom(&self) -> bool {
        self.0.custom
    }
}

impl<'a> Key<'a> {
    /// The key of this name.
    pub fn new(space: &'a KeySpace, name: &'a str) -> Self {
        Self { space, name }
    }

    /// The prefix and version that it was made in.
    pub fn space(&self) -> &'a KeySpace {
        self.space
    }

    /// The prefix, also where a custom key function made the text.
    pub fn prefix(&self) -> &'a str {
        self.space.prefix()
    }

    /// The version, also where a custom key function made the text.
    pub fn version(&self) -> u64 {
        self.space.version()
    }

    /// The caller's name; under a custom key function the whole text.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The same key, owning its parts.
    pub fn to_owned_key(&self) -> OwnedKey {
        OwnedKey { space: self.space.clone(), name: self.name.into() }
    }

    /// The text in two pieces, to be read one after the other: what stands
    /// before the name, and the name (under a custom key function, all of it).
    pub fn pieces(&self) -> [&'a str; 2] {
        [self.space.head(), self.name]
    }

    /// The length of the text in bytes.
    pub fn len(&self) -> usize {
        self.space.head().len() + self.name.len()
    }

    /// Whether the text is empty, which only a custom key function can bring about.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text; without a copy under a custom key function.
    pub fn text(&self) -> Cow<'a, str> {
        if self.space.head().is_empty() {
            return Cow::Borrowed(self.name);
        }
        let mut text = String::with_capacity(self.len());
        text.push_str(self.space.head());
        text.push_str(self.name);
        Cow::Owned(text)
    }

    /// Whether the text equals this one, without formatting it.
    pub fn is(&self, text: &str) -> bool {
        text.len() == self.len()
            && text.as_bytes().starts_with(self.space.head().as_bytes())
            && text.as_bytes().ends_with(self.name.as_bytes())
    }
}

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        let bytes = |key: &Self| {
            let [head, name] = key.pieces();
            head.bytes().chain(name.bytes())
        };
        self.len() == other.len() && bytes(self).eq(bytes(other))
    }
}

impl Eq for Key<'_> {}

/// Keys of equal text hash equally however they are divided into prefix and
/// name, while a fast hash of two pieces depends on where they are cut. So the
/// text is always cut behind its second colon, which is where most keys are cut
/// anyway: `prefix:version:` and the name.
impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [head, name] = self.pieces();
        let cut_at = |text: &[u8]| {
            let colons = text.iter().enumerate().filter(|(_, byte)| **byte == b':');
            colons.map(|(place, _)| place + 1).nth(1).unwrap_or(0)
        };
        if self.space.0.ends_at_cut {
            state.write(head.as_bytes());
            state.write(name.as_bytes());
        } else if head.is_empty() {
            let (before, behind) = name.as_bytes().split_at(cut_at(name.as_bytes()));
            state.write(before);
            state.write(behind);
        } else {
            let (before, behind) = head.as_bytes().split_at(cut_at(head.as_bytes()));
            let mut rest: SmallVec<[u8; INLINE]> = SmallVec::with_capacity(behind.len() + name.len());
            rest.extend_from_slice(behind);
            rest.extend_from_slice(name.as_bytes());
            state.write(before);
            state.write(&rest);
        }
    }
}

impl OwnedKey {
    /// The key that it owns.
    pub fn as_key(&self) -> Key<'_> {
        Key { space: &self.space, name: &self.name }
    }
}

impl PartialEq for OwnedKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_key() == other.as_key()
    }
}

impl Eq for OwnedKey {}

impl Equivalent<OwnedKey> for Key<'_> {
    fn equivalent(&self, owned: &OwnedKey) -> bool {
        *self == owned.as_key()
    }
}

impl Hash for OwnedKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_key().hash(state);
    }
}

impl fmt::Debug for OwnedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_key().fmt(f)
    }
}

/// Keys are user data: only their shape is shown.
impl fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("version", &self.version()).field("bytes", &self.len()).finish()
    }
}

impl fmt::Debug for KeySpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySpace")
            .field("prefix", &self.prefix())
            .field("version", &self.version())
            .field("custom", &self.is_custom())
            .finish()
    }
}

/// Whether `text` is a key of this prefix, of any version: `prefix:<digits>:...`.
///
/// This is what a clear removes, and nothing else.
///
/// ```
/// use cache_core::has_prefix;
///
/// assert!(has_prefix("a:1:x", "a"));
/// assert!(has_prefix(":12:", ""));
/// assert!(!has_prefix("ab:1:x", "a"));
/// assert!(!has_prefix("a:b:1:x", "a"));
/// assert!(!has_prefix("a::x", "a"));
/// ```
pub fn has_prefix(text: &str, prefix: &str) -> bool {
    let Some(rest) = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix(':')) else {
        return false;
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    digits > 0 && rest.as_bytes().get(digits) == Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::{BuildHasher, RandomState};

    #[test]
    fn equality_and_hash_are_of_the_text_alone() {
        let state = RandomState::new();
        for (space, name, text) in [
            (KeySpace::new("a", 1), "b:1:c", "a:1:b:1:c"),
            (KeySpace::new("a:1:b", 1), "c", "a:1:b:1:c"),
            (KeySpace::new("a:1", 2), "", "a:1:2:"),
            (KeySpace::new("", 7), "x", ":7:x"),
            (KeySpace::new(":", 7), "x", "::7:x"),
        ] {
            let (key, whole) = (Key::new(&space, name), KeySpace::custom("", 1));
            let whole = Key::new(&whole, text);
            assert_eq!(key, whole);
            assert_eq!(state.hash_one(key), state.hash_one(whole), "{text}");
            assert_eq!(key.to_owned_key(), whole.to_owned_key());
            assert!(key.is(text) && key.text() == text);
        }
        let space = KeySpace::new("a", 1);
        assert_ne!(state.hash_one(Key::new(&space, "x")), state.hash_one(Key::new(&space, "y")));
        assert_ne!(Key::new(&space, "x"), Key::new(&space, "xy"));
    }
}
