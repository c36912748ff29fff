//! The codecs that come with the library: msgpack, postcard, JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::finite::check_finite;
use crate::error::BoxError;

/// Deeper values are refused, so that a hostile one cannot exhaust the stack.
const MAX_DEPTH: usize = 128;

pub(super) fn to_msgpack<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), BoxError> {
    let mut serializer = rmp_serde::Serializer::new(out).with_struct_map();
    Ok(value.serialize(&mut serializer)?)
}

pub(super) fn from_msgpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BoxError> {
    let mut rest = bytes;
    let mut deserializer = rmp_serde::Deserializer::new(&mut rest);
    deserializer.set_max_depth(MAX_DEPTH);
    let value = T::deserialize(&mut deserializer)?;
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
    let (value, rest) = postcard::take_from_bytes::<T>(bytes)?;
    if rest.is_empty() { Ok(Numbered::Same(value)) } else { Err("bytes follow the value".into()) }
}

pub(super) fn to_json<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), BoxError> {
    check_finite(value)?;
    Ok(serde_json::to_writer(out, value)?)
}

pub(super) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BoxError> {
    Ok(serde_json::from_slice(bytes)?)
}
