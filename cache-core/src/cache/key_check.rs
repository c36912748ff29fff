//! Names become keys here, and are checked on the way.

use std::borrow::Cow;
use std::sync::atomic::Ordering;

use super::{Alias, Cache, KeyCheck};
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::key::{Key, KeySpace};

/// memcached's limit, which makes keys portable to every store.
const MAX_PORTABLE_BYTES: usize = 250;

/// The rules of the check, as bits of [`Alias::warned`].
#[derive(Clone, Copy)]
enum Rule {
    Length = 1,
    Characters = 2,
}

impl Cache {
    /// What the key of this name is made of: the name itself, or the text of
    /// a custom key function.
    #[inline]
    pub(super) fn name<'a>(&self, operation: Operation, name: &'a str) -> Result<Cow<'a, str>> {
        if self.alias.is_closed.load(Ordering::Relaxed) {
            return Err(self.failed(operation, Error::new(ErrorKind::Closed, "the cache has been closed")));
        }
        self.checked_name(name).map_err(|error| self.failed(operation, error))
    }

    /// As [`name`](Self::name), for one name of many.
    #[inline]
    pub(super) fn checked_name<'a>(&self, name: &'a str) -> Result<Cow<'a, str>> {
        let name = match &self.alias.key_function {
            None => Cow::Borrowed(name),
            Some(function) => Cow::Owned(function(name, self.space.prefix(), self.space.version())),
        };
        self.alias.check(&self.space, &name)?;
        Ok(name)
    }
}

impl Alias {
    #[inline]
    fn check(&self, space: &KeySpace, name: &str) -> Result<()> {
        let length = space.head().len() + name.len();
        if self.capabilities.max_key_bytes.is_some_and(|most| length > most) {
            return Err(self.too_long(length));
        }
        match &self.key_check {
            KeyCheck::Off => Ok(()),
            KeyCheck::Custom(validator) => validator(&Key::new(space, name).text())
                .map_err(|message| Error::new(ErrorKind::InvalidKey, message)),
            KeyCheck::Warn | KeyCheck::Error => {
                if length > MAX_PORTABLE_BYTES {
                    self.complain(Rule::Length)?;
                }
                if has_blanks(name) || self.head_has_blanks {
                    self.complain(Rule::Characters)?;
                }
                Ok(())
            }
        }
    }

    #[cold]
    fn too_long(&self, length: usize) -> Error {
        let most = self.capabilities.max_key_bytes.unwrap_or(length);
        Error::new(ErrorKind::InvalidKey, format!("the key has {length} bytes, and this store admits {most}"))
    }

    #[cold]
    fn complain(&self, rule: Rule) -> Result<()> {
        let complaint = match rule {
            Rule::Length => "the key is longer than 250 bytes, which memcached would refuse",
            Rule::Characters => "the key has blanks or control characters, which memcached would refuse",
        };
        if matches!(self.key_check, KeyCheck::Error) {
            return Err(Error::new(ErrorKind::InvalidKey, complaint));
        }
        let bit = rule as u8;
        if self.warned.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
            tracing::warn!(target: "cache::key", alias = &*self.name, "{complaint}");
        }
        Ok(())
    }
}

/// Django's rule: U+0000 to U+0020, and U+007F.
///
/// In pieces of a fixed length, each of which is a few wide comparisons; the
/// last overlaps the one before it, so that no single bytes are left over.
#[inline]
pub(super) fn has_blanks(text: &str) -> bool {
    let bytes = text.as_bytes();
    if let Some(last) = bytes.last_chunk::<16>() {
        return bytes.as_chunks::<16>().0.iter().any(|piece| any_blank(piece)) | any_blank(last);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        return any_blank(first) | any_blank(last);
    }
    any_blank(bytes)
}

#[inline]
#[expect(clippy::needless_bitwise_bool, reason = "without branches it compiles to wide comparisons")]
fn any_blank(bytes: &[u8]) -> bool {
    bytes.iter().fold(false, |found, byte| found | (*byte <= b' ') | (*byte == 0x7F))
}

#[cfg(test)]
mod tests {
    use super::has_blanks;

    #[test]
    fn a_blank_is_found_at_any_place_of_a_name_of_any_length() {
        for length in 0..70 {
            let name = "x".repeat(length);
            assert!(!has_blanks(&name));
            for place in 0..length {
                for blank in [" ", "\0", "\n", "\x7F"] {
                    let mut name = name.clone();
                    name.replace_range(place..=place, blank);
                    assert!(has_blanks(&name), "at {place} of {length}");
                }
            }
        }
        assert!(!has_blanks("!\u{80}\u{20ac}~"));
    }
}
