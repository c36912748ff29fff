//! Keys in parts: prefix, version and name, formatted only by who needs text.

use std::borrow::Cow;
use std::fmt;

/// The prefix and version that the keys of one handle share.
///
/// Its keys have the text `prefix:version:name`, as Django writes them.
#[derive(Clone, PartialEq, Eq)]
pub struct KeySpace {
    head: Box<str>,
    prefix_len: usize,
    version: u64,
    custom: Option<Box<str>>,
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

impl KeySpace {
    /// The space of keys `prefix:version:name`.
    pub fn new(prefix: &str, version: u64) -> Self {
        let head = format!("{prefix}:{version}:").into_boxed_str();
        Self { head, prefix_len: prefix.len(), version, custom: None }
    }

    /// A space whose keys have the text that a custom key function made; the
    /// name of such a key is its whole text.
    pub fn custom(prefix: &str, version: u64) -> Self {
        Self { head: "".into(), prefix_len: 0, version, custom: Some(prefix.into()) }
    }

    /// The `key_prefix` of the alias.
    pub fn prefix(&self) -> &str {
        match &self.custom {
            Some(prefix) => prefix,
            None => &self.head[..self.prefix_len],
        }
    }

    /// The version of the handle.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What stands before each name: `prefix:version:`, or nothing under a
    /// custom key function.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// Whether a custom key function makes the text.
    pub fn is_custom(&self) -> bool {
        self.custom.is_some()
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
        self.space.version
    }

    /// The text in two pieces, to be read one after the other: what stands
    /// before the name, and the name (under a custom key function, all of it).
    pub fn pieces(&self) -> [&'a str; 2] {
        [&self.space.head, self.name]
    }

    /// The length of the text in bytes.
    pub fn len(&self) -> usize {
        self.space.head.len() + self.name.len()
    }

    /// Whether the text is empty, which only a custom key function can bring about.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text; without a copy under a custom key function.
    pub fn text(&self) -> Cow<'a, str> {
        if self.space.head.is_empty() {
            return Cow::Borrowed(self.name);
        }
        let mut text = String::with_capacity(self.len());
        text.push_str(&self.space.head);
        text.push_str(self.name);
        Cow::Owned(text)
    }

    /// Whether the text equals this one, without formatting it.
    pub fn is(&self, text: &str) -> bool {
        text.len() == self.len()
            && text.as_bytes().starts_with(self.space.head.as_bytes())
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
            .field("version", &self.version)
            .field("custom", &self.is_custom())
            .finish_non_exhaustive()
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
