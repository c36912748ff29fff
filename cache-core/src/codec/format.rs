//! The bytes form: how an alias writes values, and how it reads what it finds.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::builtin::{self, Numbered};
use super::refusal::{self, Refusal};
use super::{Codec, CodecChoice, as_integer, parse_integer, tag};
use crate::error::{Error, ErrorKind, Result};

/// How one alias turns values into bytes and back.
///
/// An integer that fits `i64` is decimal text. Everything else begins with one
/// tag byte, or is JSON: `0x81` MessagePack, `0x82` postcard behind the number
/// of its schema, `0x83` raw bytes (`Vec<u8>`, `[u8]` and `Bytes`, always),
/// `0xA0` to `0xBF` codecs that the program registered. Readers go by the tag,
/// so the codec of an alias can change while older entries are still read.
/// A [`plain`](Self::plain) one writes no tag, and bytes as JSON writes them.
///
/// ```
/// use cache_core::Format;
///
/// let format = Format::default();
/// assert_eq!(&format.encode(&42)?[..], b"42");
/// assert_eq!(&format.encode("hi")?[..], b"\x81\xa2hi");
/// assert_eq!(format.decode::<String>(b"\x81\xa2hi").ok().as_deref(), Some("hi"));
/// # Ok::<(), cache_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Format {
    codec: CodecChoice,
    schema: Option<u32>,
    plain: bool,
    max_value_bytes: usize,
    registered: Arc<BTreeMap<u8, Arc<dyn Codec>>>,
}

/// Why an entry could not be decoded: it counts as a miss, unless the alias
/// says `on_decode_error = "error"`.
///
/// What a decoder says of it is not kept, since it may quote the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecodable(UndecodableReason);

/// The reasons, as statistics count them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UndecodableReason {
    /// Its tag is none that this program knows: another library, or a codec
    /// that is not registered here, wrote it.
    UnknownTag,
    /// Postcard wrote it under another schema number.
    OtherSchema,
    /// The bytes do not decode to the type that was asked for.
    Malformed,
    /// It is longer than `max_value_bytes`.
    TooLarge,
    /// It is no value at all: a list, a hash or the like, which another program
    /// keeps under the key.
    OtherKind,
}

impl Default for Format {
    fn default() -> Self {
        Self {
            codec: CodecChoice::default(),
            schema: None,
            plain: false,
            max_value_bytes: 64 << 20,
            registered: Arc::default(),
        }
    }
}

impl Format {
    /// Writes with this codec; everything else stays at its default.
    pub fn new(codec: CodecChoice) -> Self {
        let schema = match codec {
            CodecChoice::Postcard { schema } => Some(schema),
            _ => None,
        };
        Self { codec, schema, ..Self::default() }
    }

    /// Reads postcard entries of this schema, also where another codec writes.
    #[must_use]
    pub fn with_schema(mut self, schema: u32) -> Self {
        self.schema = Some(schema);
        self
    }

    /// Writes no tag, for programs that are not ours.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) unless the codec is `json` or `raw`, whose
    /// bytes can be told apart without one.
    pub fn plain(mut self) -> Result<Self> {
        if !matches!(self.codec, CodecChoice::Json | CodecChoice::Raw) {
            return Err(Error::new(ErrorKind::Config, "`plain` needs the codec `json` or `raw`"));
        }
        self.plain = true;
        Ok(self)
    }

    /// Refuses longer values, on write as an error, on read as undecodable.
    #[must_use]
    pub fn with_max_value_bytes(mut self, bytes: usize) -> Self {
        self.max_value_bytes = bytes;
        self
    }

    /// Reads what these codecs wrote, by their tags.
    #[must_use]
    pub fn with_registered(mut self, codecs: Arc<BTreeMap<u8, Arc<dyn Codec>>>) -> Self {
        self.registered = codecs;
        self
    }

    /// The length past which values are refused.
    pub fn max_value_bytes(&self) -> usize {
        self.max_value_bytes
    }

    /// Whether bytes are written without a tag.
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    /// The bytes of a value.
    ///
    /// # Errors
    ///
    /// [`Codec`](ErrorKind::Codec) if the codec cannot hold it, or if it is
    /// nested more than 100 levels deep; [`TooLarge`](ErrorKind::TooLarge) past
    /// `max_value_bytes`.
    pub fn encode<B: ToOwned<Owned: 'static> + Serialize + ?Sized>(&self, value: &B) -> Result<Bytes> {
        if is_raw::<B::Owned>() {
            let owned = value.to_owned();
            if let Some(raw) = raw_bytes(&owned) {
                return self.encode_raw(raw);
            }
        }
        self.encode_serialized(value)
    }

    /// The bytes of an integer, which no codec changes.
    pub(crate) fn integer_bytes(integer: i64) -> Bytes {
        Bytes::copy_from_slice(itoa::Buffer::new().format(integer).as_bytes())
    }

    /// The bytes of a value whose type is not looked at.
    fn encode_serialized<T: Serialize + ?Sized>(&self, value: &T) -> Result<Bytes> {
        if let Some(integer) = as_integer(value) {
            return Ok(Self::integer_bytes(integer));
        }
        let mut out = Vec::with_capacity(64);
        if let Err(refusal) = self.write(value, &mut out) {
            return Err(Error::new(ErrorKind::Codec, format!("the value cannot be encoded: {refusal}")));
        }
        self.admit(out.len())?;
        Ok(out.into())
    }

    /// The bytes of a value that is bytes already.
    fn encode_raw(&self, raw: &[u8]) -> Result<Bytes> {
        self.admit(raw.len())?;
        if self.plain {
            let is_json = matches!(self.codec, CodecChoice::Json);
            return if is_json { self.encode_serialized(raw) } else { Ok(Bytes::copy_from_slice(raw)) };
        }
        let mut out = Vec::with_capacity(raw.len() + 1);
        out.push(tag::RAW);
        out.extend_from_slice(raw);
        Ok(out.into())
    }

    fn admit(&self, length: usize) -> Result<()> {
        if length <= self.max_value_bytes {
            return Ok(());
        }
        let detail = format!("{length} bytes, and `max_value_bytes` is {}", self.max_value_bytes);
        Err(Error::new(ErrorKind::TooLarge, detail))
    }

    fn write<T: Serialize + ?Sized>(&self, value: &T, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let is_json = matches!(self.codec, CodecChoice::Json);
        let is_binary = matches!(self.codec, CodecChoice::Msgpack | CodecChoice::Postcard { .. });
        refusal::check(value, is_json, !is_binary)?;
        let written = match &self.codec {
            CodecChoice::Msgpack => {
                out.push(tag::MSGPACK);
                builtin::to_msgpack(value, out)
            }
            CodecChoice::Json => builtin::to_json(value, out),
            CodecChoice::Postcard { schema } => {
                out.push(tag::POSTCARD);
                builtin::to_postcard(value, *schema, out)
            }
            CodecChoice::Raw => return Err(Refusal::NotRaw),
            CodecChoice::Registered { tag, codec } => {
                out.push(*tag);
                codec.encode(&Borrowed(value), out)
            }
        };
        written.map_err(|_| Refusal::Other)
    }

    /// The value that the bytes hold.
    ///
    /// # Errors
    ///
    /// The reason why they hold none of this type.
    pub fn decode<T: DeserializeOwned + 'static>(&self, bytes: &[u8]) -> Result<T, Undecodable> {
        if bytes.len() > self.max_value_bytes.saturating_add(1) {
            return Err(UndecodableReason::TooLarge.into());
        }
        if self.plain && matches!(self.codec, CodecChoice::Raw) {
            return from_raw(bytes);
        }
        let Some((&first, rest)) = bytes.split_first() else {
            return Err(Undecodable::MALFORMED);
        };
        match first {
            ..=tag::LAST_OF_TEXT => builtin::from_json(bytes).map_err(|_| Undecodable::MALFORMED),
            tag::MSGPACK => builtin::from_msgpack(rest).map_err(|_| Undecodable::MALFORMED),
            tag::POSTCARD => match builtin::from_postcard(rest, self.schema) {
                Ok(Numbered::Same(value)) => Ok(value),
                Ok(Numbered::Other) => Err(UndecodableReason::OtherSchema.into()),
                Err(_) => Err(Undecodable::MALFORMED),
            },
            tag::RAW => from_raw(rest),
            other => match self.registered(other) {
                Some(codec) => from_registered(codec, rest),
                None => Err(UndecodableReason::UnknownTag.into()),
            },
        }
    }

    /// As [`decode`](Self::decode); what is to be [`Bytes`] shares those that
    /// there are.
    pub(crate) fn decode_shared<T: DeserializeOwned + 'static>(
        &self,
        bytes: &Bytes,
    ) -> Result<T, Undecodable> {
        let is_admitted = bytes.len() <= self.max_value_bytes.saturating_add(1);
        if TypeId::of::<T>() == TypeId::of::<Bytes>() && is_admitted {
            let raw = if self.plain && matches!(self.codec, CodecChoice::Raw) {
                Some(bytes.clone())
            } else {
                (bytes.first() == Some(&tag::RAW)).then(|| bytes.slice(1..))
            };
            if let Some(value) = raw.and_then(reinterpret) {
                return Ok(value);
            }
        }
        self.decode(bytes)
    }

    fn registered(&self, tag: u8) -> Option<&dyn Codec> {
        if let CodecChoice::Registered { tag: own, codec } = &self.codec
            && *own == tag
        {
            return Some(&**codec);
        }
        if !tag::REGISTERED.contains(&tag) {
            return None;
        }
        self.registered.get(&tag).map(|codec| &**codec)
    }

    /// The value that an integer in the store stands for.
    pub(crate) fn decode_integer<T: DeserializeOwned + 'static>(
        &self,
        integer: i64,
    ) -> Result<T, Undecodable> {
        if let Some(value) = reinterpret(integer) {
            return Ok(value);
        }
        let mut buffer = itoa::Buffer::new();
        let text = buffer.format(integer).as_bytes();
        // Where raw bytes have no tag, the digits may be meant as bytes.
        let is_untagged = self.plain && matches!(self.codec, CodecChoice::Raw);
        match builtin::from_json(text) {
            Ok(value) => Ok(value),
            Err(_) if is_untagged => from_raw(text),
            Err(_) => Err(Undecodable::MALFORMED),
        }
    }

    /// The integer that stored bytes spell, if they do.
    ///
    /// Backends use it to tell a counter from every other value.
    pub fn integer(bytes: &[u8]) -> Option<i64> {
        parse_integer(bytes)
    }
}

/// Whether values of this type are stored as raw bytes, whatever the codec.
fn is_raw<T: 'static>() -> bool {
    TypeId::of::<T>() == TypeId::of::<Vec<u8>>() || TypeId::of::<T>() == TypeId::of::<Bytes>()
}

/// The bytes of a value whose type [`is_raw`].
fn raw_bytes<T: 'static>(value: &T) -> Option<&[u8]> {
    let value = value as &dyn Any;
    match value.downcast_ref::<Vec<u8>>() {
        Some(bytes) => Some(bytes),
        None => value.downcast_ref::<Bytes>().map(|bytes| &**bytes),
    }
}

fn from_raw<T: DeserializeOwned + 'static>(bytes: &[u8]) -> Result<T, Undecodable> {
    if TypeId::of::<T>() == TypeId::of::<Vec<u8>>()
        && let Some(value) = reinterpret(bytes.to_vec())
    {
        return Ok(value);
    }
    builtin::from_raw(bytes).map_err(|_| Undecodable::MALFORMED)
}

/// The value as a `T`, if it is one.
fn reinterpret<S: 'static, T: 'static>(value: S) -> Option<T> {
    let mut slot = Some(value);
    (&mut slot as &mut dyn Any).downcast_mut::<Option<T>>().and_then(Option::take)
}

fn from_registered<T: DeserializeOwned>(codec: &dyn Codec, bytes: &[u8]) -> Result<T, Undecodable> {
    let mut value = None;
    codec
        .decode(bytes, &mut |deserializer| {
            value = Some(builtin::from_erased::<T>(deserializer)?);
            Ok(())
        })
        .map_err(|_| Undecodable::MALFORMED)?;
    value.ok_or(Undecodable::MALFORMED)
}

/// Makes a value of unknown size fit an erased serializer.
struct Borrowed<'a, T: ?Sized>(&'a T);

impl<T: Serialize + ?Sized> Serialize for Borrowed<'_, T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Undecodable {
    const MALFORMED: Self = Self(UndecodableReason::Malformed);

    /// The reason, as statistics count it.
    pub fn reason(self) -> UndecodableReason {
        self.0
    }
}

impl From<UndecodableReason> for Undecodable {
    fn from(reason: UndecodableReason) -> Self {
        Self(reason)
    }
}

impl From<Undecodable> for Error {
    fn from(undecodable: Undecodable) -> Self {
        Self::new(ErrorKind::Codec, format!("what is stored cannot be decoded: {undecodable}"))
    }
}

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::error::Error for Undecodable {}

impl UndecodableReason {
    /// All reasons, in the order in which statistics list them.
    pub const ALL: &'static [Self] =
        &[Self::UnknownTag, Self::OtherSchema, Self::Malformed, Self::TooLarge, Self::OtherKind];
}

impl fmt::Display for UndecodableReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownTag => "no known codec wrote it",
            Self::OtherSchema => "it was written under another schema number",
            Self::Malformed => "its bytes are not a value of this type",
            Self::TooLarge => "it is longer than `max_value_bytes`",
            Self::OtherKind => "it is no value, but something else that is kept under the key",
        })
    }
}
