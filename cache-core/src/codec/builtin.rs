//! The codecs that come with the library: msgpack, postcard, JSON, raw bytes.

use serde::Serialize;
use serde::de::value::{BytesDeserializer, Error as ValueError, SeqDeserializer};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::depth::Limited;
use super::refusal::MAX_DEPTH;
use crate::error::BoxError;

/// For a reader a scalar at the bottom is a level of its own, and so is the
/// name of a variant.
const READ_DEPTH: usize = MAX_DEPTH + 2;

pub(super) fn to_msgpack<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), BoxError> {
    let mut serializer = rmp_serde::Serializer::new(out).with_struct_map();
    Ok(value.serialize(&mut serializer)?)
}

pub(super) fn from_msgpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BoxError> {
    let mut rest = bytes;
    let value = T::deserialize(Limited::new(&mut rmp_serde::Deserializer::new(&mut rest), READ_DEPTH))?;
    if rest.is_empty() { Ok(value) } else { Err("bytes follow the value".into()) }
}

/// The schema number comes first, in postcard's own integer encoding.
pub(super) fn to_postcard<T: Serialize + ?Sized>(
    value: &T,
    schema: u32,
    out: &mut Vec<u8>,
) -> Result<(), BoxError> {
    let start = std::mem::take(out);
    let numbered = postcard::to_extend(&schema, start)?;
    *out = postcard::to_extend(value, numbered)?;
    Ok(())
}

/// What a postcard entry holds, seen with one schema in mind.
pub(super) enum Numbered<T> {
    Same(T),
    /// It was written under another schema and must not be decoded.
    Other,
}

pub(super) fn from_postcard<T: DeserializeOwned>(
    bytes: &[u8],
    schema: Option<u32>,
) -> Result<Numbered<T>, BoxError> {
    let (written, bytes) = postcard::take_from_bytes::<u32>(bytes)?;
    if Some(written) != schema {
        return Ok(Numbered::Other);
    }
    let mut deserializer = postcard::Deserializer::from_bytes(bytes);
    let value = T::deserialize(Limited::new(&mut deserializer, READ_DEPTH))?;
    let rest = deserializer.finalize()?;
    if rest.is_empty() { Ok(Numbered::Same(value)) } else { Err("bytes follow the value".into()) }
}

pub(super) fn to_json<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), BoxError> {
    Ok(serde_json::to_writer(out, value)?)
}

/// serde_json's own bound counts lists and maps only; ours counts all.
pub(super) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BoxError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    deserializer.disable_recursion_limit();
    let value = T::deserialize(Limited::new(&mut deserializer, READ_DEPTH))?;
    deserializer.end()?;
    Ok(value)
}

/// What a registered codec reads, bounded like the others.
pub(super) fn from_erased<'de, T: Deserialize<'de>>(
    deserializer: &mut dyn erased_serde::Deserializer<'de>,
) -> Result<T, BoxError> {
    Ok(T::deserialize(Limited::new(deserializer, READ_DEPTH))?)
}

pub(super) fn from_raw<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BoxError> {
    Ok(T::deserialize(Limited::new(Raw(bytes), READ_DEPTH))?)
}

/// Bytes as whatever can be made of bytes: also a list of numbers, a newtype
/// around one, or `Some` of it.
struct Raw<'a>(&'a [u8]);

impl<'de> Deserializer<'de> for Raw<'_> {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        BytesDeserializer::new(self.0).deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        SeqDeserializer::new(self.0.iter().copied()).deserialize_any(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ValueError> {
        self.deserialize_seq(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        tuple_struct map struct enum identifier ignored_any
    }
}
