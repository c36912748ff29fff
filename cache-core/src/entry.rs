//! Stored values: as a store keeps them, and as a writer hands them over.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::Serialize;

use crate::codec::{Format, Undecodable, UndecodableReason, as_integer};
use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;

/// A stored value, two words wide: a shared value, or an integer.
///
/// A store in memory keeps the caller's own type, so that a typed read is a
/// pointer. What a remote store returns is bytes until a handle decodes it.
#[derive(Clone)]
pub struct Entry(Repr);

#[derive(Clone)]
enum Repr {
    Shared(Arc<dyn Stored>),
    Integer(i64),
}

/// What an [`Entry`] shares. Implemented for every [`Value`], and for bytes
/// that nobody has decoded yet.
trait Stored: Any + Send + Sync {
    fn encode(&self, format: &Format) -> Result<Bytes>;

    /// The bytes, if it is not decoded yet.
    fn bytes(&self) -> Option<&Bytes> {
        None
    }

    /// Why nobody can decode it, if that is known beforehand.
    fn undecodable(&self) -> Option<UndecodableReason> {
        None
    }

    /// How many bytes it takes, where that needs no encoding.
    fn length(&self) -> Option<usize>;
}

/// Bytes as a store returned them.
struct Undecoded(Bytes);

/// Something that is no value, and why.
struct NoValue(UndecodableReason);

/// A value on its way into a store, borrowed from the caller.
///
/// A store in memory makes an [`Entry`] of it, a remote one asks for its
/// integer or its bytes; it is encoded at most once.
pub struct NewEntry<'a> {
    content: Content<'a>,
    encoded: Encoded<'a>,
}

/// The bytes once there are any, so that a value is encoded at most once,
/// however often it is handed on.
enum Encoded<'a> {
    Own(OnceLock<Result<Bytes>>),
    Shared(&'a OnceLock<Result<Bytes>>),
}

enum Content<'a> {
    Integer(i64),
    Borrowed(&'a dyn Source, &'a Format),
    Entry(Entry, &'a Format),
    Bytes(&'a Bytes),
}

/// A value on its way into a store that owns what it is made of: an integer, or
/// bytes. For those who queue writes.
#[derive(Clone)]
pub struct EncodedEntry(EncodedRepr);

#[derive(Clone)]
enum EncodedRepr {
    Integer(i64),
    Bytes(Bytes),
}

/// A borrowed value of a type that is no longer named.
trait Source: Sync {
    fn to_entry(&self) -> Entry;
    fn encode(&self, format: &Format) -> Result<Bytes>;
}

/// What [`NewEntry::borrowed`] borrows from: the caller's value, its type kept.
pub struct Borrow<'a, B: ?Sized>(&'a B);

impl Entry {
    /// The entry of these bytes: an integer if they spell one.
    pub fn from_bytes(bytes: Bytes) -> Self {
        match Format::integer(&bytes) {
            Some(integer) => Self::from_integer(integer),
            None => Self(Repr::Shared(Arc::new(Undecoded(bytes)))),
        }
    }

    /// The entry of an integer.
    pub const fn from_integer(integer: i64) -> Self {
        Self(Repr::Integer(integer))
    }

    /// The entry of a shared value; an integer if its serde form is one.
    pub fn shared<T: Value>(value: Arc<T>) -> Self {
        match as_integer(&*value) {
            Some(integer) => Self::from_integer(integer),
            None => Self(Repr::Shared(value)),
        }
    }

    /// An entry that is there and that nobody can decode: a list or a hash of
    /// another program under the key, or a value that is too long to be fetched.
    ///
    /// ```
    /// use cache_core::{Entry, Format, UndecodableReason};
    ///
    /// let entry = Entry::undecodable(UndecodableReason::OtherKind);
    /// let read = entry.read::<String>(&Format::default());
    /// assert_eq!(read.unwrap_err().reason(), UndecodableReason::OtherKind);
    /// ```
    pub fn undecodable(reason: UndecodableReason) -> Self {
        Self(Repr::Shared(Arc::new(NoValue(reason))))
    }

    /// The integer, if it is one.
    pub fn integer(&self) -> Option<i64> {
        match self.0 {
            Repr::Integer(integer) => Some(integer),
            Repr::Shared(_) => None,
        }
    }

    /// The bytes, if it is one that a store returned as bytes and that nobody
    /// has decoded.
    pub fn bytes(&self) -> Option<&Bytes> {
        match &self.0 {
            Repr::Shared(stored) => stored.bytes(),
            Repr::Integer(_) => None,
        }
    }

    /// How many bytes it takes, where that is known without encoding it: of
    /// text, of bytes, and of an integer, which takes eight.
    ///
    /// ```
    /// use cache_core::Entry;
    /// use std::sync::Arc;
    ///
    /// assert_eq!(Entry::shared(Arc::new("four".to_owned())).length(), Some(4));
    /// assert_eq!(Entry::shared(Arc::new(vec![0_u8; 5])).length(), Some(5));
    /// assert_eq!(Entry::shared(Arc::new(vec![0_u16; 5])).length(), None);
    /// ```
    pub fn length(&self) -> Option<usize> {
        match &self.0 {
            Repr::Integer(integer) => Some(size_of_val(integer)),
            Repr::Shared(stored) => stored.length(),
        }
    }

    /// The bytes under which a remote store would keep it.
    pub fn encode(&self, format: &Format) -> Result<Bytes> {
        match &self.0 {
            Repr::Integer(integer) => format.encode(integer),
            Repr::Shared(stored) => stored.encode(format),
        }
    }

    /// The value, shared: without a copy if it is a `T` already.
    ///
    /// # Errors
    ///
    /// The reason why it is no `T`, directly or by way of the codec.
    pub fn read_arc<T: Value>(self, format: &Format) -> Result<Arc<T>, Undecodable> {
        match self.0 {
            Repr::Integer(integer) => format.decode_integer(integer).map(Arc::new),
            Repr::Shared(stored) => {
                // The type is asked for first, so that a hit moves the pointer
                // and touches no reference count.
                let any: &dyn Any = &*stored;
                if !any.is::<T>() {
                    return decode(&*stored, format).map(Arc::new);
                }
                let any: Arc<dyn Any + Send + Sync> = stored;
                any.downcast().map_err(|_| UndecodableReason::Malformed.into())
            }
        }
    }

    /// The shared value, if it is a `T` as it stands.
    pub(crate) fn shared_as<T: Value>(&self) -> Option<Arc<T>> {
        match &self.0 {
            Repr::Integer(_) => None,
            Repr::Shared(stored) => {
                let any: Arc<dyn Any + Send + Sync> = Arc::<dyn Stored>::clone(stored);
                any.downcast().ok()
            }
        }
    }

    /// The value, cloned if it is a `T` already.
    ///
    /// # Errors
    ///
    /// The reason why it is no `T`, directly or by way of the codec.
    pub fn read<T: Value>(&self, format: &Format) -> Result<T, Undecodable> {
        match &self.0 {
            Repr::Integer(integer) => format.decode_integer(*integer),
            Repr::Shared(stored) => {
                let any: &dyn Any = &**stored;
                match any.downcast_ref::<T>() {
                    Some(value) => Ok(value.clone()),
                    None => decode(&**stored, format),
                }
            }
        }
    }
}

fn decode<T: Value>(stored: &dyn Stored, format: &Format) -> Result<T, Undecodable> {
    if let Some(bytes) = stored.bytes() {
        return format.decode_shared(bytes);
    }
    if let Some(reason) = stored.undecodable() {
        return Err(reason.into());
    }
    if let Ok(bytes) = stored.encode(format) {
        return format.decode(&bytes);
    }
    // An alias of another codec wrote it, which held what this one cannot.
    let format = Format::default().with_max_value_bytes(format.max_value_bytes());
    let bytes = stored.encode(&format).map_err(|_| UndecodableReason::Malformed)?;
    format.decode(&bytes)
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Repr::Integer(_) => "Entry(integer)",
            Repr::Shared(_) => "Entry(shared)",
        })
    }
}

impl<T: Value> Stored for T {
    fn encode(&self, format: &Format) -> Result<Bytes> {
        format.encode(self)
    }

    fn length(&self) -> Option<usize> {
        let any: &dyn Any = self;
        let text = any.downcast_ref::<String>().map(String::len);
        text.or_else(|| any.downcast_ref::<Bytes>().map(Bytes::len))
            .or_else(|| any.downcast_ref::<Vec<u8>>().map(Vec::len))
    }
}

impl Stored for Undecoded {
    fn encode(&self, _: &Format) -> Result<Bytes> {
        Ok(self.0.clone())
    }

    fn bytes(&self) -> Option<&Bytes> {
        Some(&self.0)
    }

    fn length(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

impl Stored for NoValue {
    fn encode(&self, _: &Format) -> Result<Bytes> {
        Err(Error::new(ErrorKind::Codec, format!("it cannot be encoded: {}", self.0)))
    }

    fn undecodable(&self) -> Option<UndecodableReason> {
        Some(self.0)
    }

    fn length(&self) -> Option<usize> {
        None
    }
}

impl<'a, B: ?Sized> Borrow<'a, B> {
    /// Borrows the caller's value.
    pub fn new(value: &'a B) -> Self {
        Self(value)
    }
}

impl<B: ?Sized> fmt::Debug for Borrow<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Borrow(..)")
    }
}

impl<B> Source for Borrow<'_, B>
where
    B: ToOwned<Owned: Value> + Serialize + Sync + ?Sized,
{
    fn to_entry(&self) -> Entry {
        Entry(Repr::Shared(Arc::new(self.0.to_owned())))
    }

    fn encode(&self, format: &Format) -> Result<Bytes> {
        format.encode(self.0)
    }
}

impl<'a> NewEntry<'a> {
    /// A borrowed value, cloned only by a store in memory, encoded only by a
    /// remote one.
    pub fn borrowed<B>(value: &'a Borrow<'a, B>, format: &'a Format) -> Self
    where
        B: ToOwned<Owned: Value> + Serialize + Sync + ?Sized,
    {
        let content = match as_integer(value.0) {
            Some(integer) => Content::Integer(integer),
            None => Content::Borrowed(value, format),
        };
        Self { content, encoded: Encoded::Own(OnceLock::new()) }
    }

    /// An entry that is there already: a shared value, or bytes, which are
    /// handed on as they are.
    pub fn of(entry: Entry, format: &'a Format) -> Self {
        let content = match entry.integer() {
            Some(integer) => Content::Integer(integer),
            None => Content::Entry(entry, format),
        };
        Self { content, encoded: Encoded::Own(OnceLock::new()) }
    }

    /// The same value once more, for a layer that hands it on under another key
    /// or once again. What was encoded is shared.
    pub fn again(&self) -> NewEntry<'_> {
        let content = match &self.content {
            Content::Integer(integer) => Content::Integer(*integer),
            Content::Borrowed(source, format) => Content::Borrowed(*source, format),
            Content::Entry(entry, format) => Content::Entry(entry.clone(), format),
            Content::Bytes(bytes) => Content::Bytes(bytes),
        };
        NewEntry { content, encoded: Encoded::Shared(self.encoded.cell()) }
    }

    /// The integer, if it is one: stores that know integers keep it as such.
    pub fn integer(&self) -> Option<i64> {
        match self.content {
            Content::Integer(integer) => Some(integer),
            Content::Borrowed(..) | Content::Entry(..) | Content::Bytes(_) => None,
        }
    }

    /// The same value, owning its bytes, encoded if it was not.
    ///
    /// # Errors
    ///
    /// As of [`encoded`](Self::encoded).
    ///
    /// ```
    /// use cache_core::{Entry, Format, NewEntry};
    /// use std::sync::Arc;
    ///
    /// let format = Format::default();
    /// let queued = NewEntry::of(Entry::shared(Arc::new("hi".to_owned())), &format).to_encoded()?;
    /// assert_eq!(queued.as_new_entry().encoded()?, format.encode("hi")?);
    /// # Ok::<(), cache_core::Error>(())
    /// ```
    pub fn to_encoded(&self) -> Result<EncodedEntry> {
        Ok(EncodedEntry(match self.integer() {
            Some(integer) => EncodedRepr::Integer(integer),
            None => EncodedRepr::Bytes(self.encoded()?),
        }))
    }

    /// The bytes of the alias's codec.
    ///
    /// # Errors
    ///
    /// [`Codec`](crate::ErrorKind::Codec) or [`TooLarge`](crate::ErrorKind::TooLarge).
    pub fn encoded(&self) -> Result<Bytes> {
        if let Content::Bytes(bytes) = self.content {
            return Ok(bytes.clone());
        }
        let encode = || match &self.content {
            Content::Integer(integer) => Ok(Format::integer_bytes(*integer)),
            Content::Borrowed(source, format) => source.encode(format),
            Content::Entry(entry, format) => entry.encode(format),
            Content::Bytes(bytes) => Ok(Bytes::clone(bytes)),
        };
        self.encoded.cell().get_or_init(encode).clone()
    }

    /// The entry that a store in memory keeps.
    ///
    /// # Errors
    ///
    /// Only where the alias writes without tags: what it stores then means the
    /// same as in a remote store, and so it is encoded.
    pub fn to_entry(&self) -> Result<Entry> {
        Ok(match &self.content {
            Content::Borrowed(_, format) | Content::Entry(_, format) if format.is_plain() => {
                Entry::from_bytes(self.encoded()?)
            }
            Content::Integer(integer) => Entry::from_integer(*integer),
            Content::Borrowed(source, _) => source.to_entry(),
            Content::Entry(entry, _) => entry.clone(),
            Content::Bytes(bytes) => Entry::from_bytes(Bytes::clone(bytes)),
        })
    }
}

impl EncodedEntry {
    /// The value, for a store.
    pub fn as_new_entry(&self) -> NewEntry<'_> {
        let content = match &self.0 {
            EncodedRepr::Integer(integer) => Content::Integer(*integer),
            EncodedRepr::Bytes(bytes) => Content::Bytes(bytes),
        };
        NewEntry { content, encoded: Encoded::Own(OnceLock::new()) }
    }

    /// How many bytes it takes; of an integer, eight.
    pub fn length(&self) -> usize {
        match &self.0 {
            EncodedRepr::Integer(integer) => size_of_val(integer),
            EncodedRepr::Bytes(bytes) => bytes.len(),
        }
    }
}

impl fmt::Debug for EncodedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncodedEntry(..)")
    }
}

impl Encoded<'_> {
    fn cell(&self) -> &OnceLock<Result<Bytes>> {
        match self {
            Self::Own(cell) => cell,
            Self::Shared(cell) => cell,
        }
    }
}

impl fmt::Debug for NewEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.content {
            Content::Integer(_) => "NewEntry(integer)",
            Content::Borrowed(..) => "NewEntry(borrowed)",
            Content::Entry(..) => "NewEntry(entry)",
            Content::Bytes(_) => "NewEntry(bytes)",
        })
    }
}
