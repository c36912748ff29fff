//! How values become bytes: the codecs, and the one form that all remote
//! stores share.

mod builtin;
mod depth;
mod format;
mod integer;
mod refusal;

use std::fmt;
use std::sync::Arc;

use crate::error::{BoxError, Error, ErrorKind, Result};

pub use format::{Format, Undecodable, UndecodableReason};
pub(crate) use integer::as_integer;
pub(crate) use integer::parse_integer;

/// A codec of the program's own, registered under a name and a tag byte.
///
/// It is object-safe through [`erased_serde`]. What it reads is untrusted: it
/// must neither panic nor allocate more than the bytes call for, and must
/// refuse bytes that follow the value.
///
/// ```
/// use cache_core::{BoxError, Codec};
///
/// #[derive(Debug)]
/// struct PrettyJson;
///
/// impl Codec for PrettyJson {
///     fn encode(&self, value: &dyn erased_serde::Serialize, out: &mut Vec<u8>) -> Result<(), BoxError> {
///         Ok(serde_json::to_writer_pretty(out, value)?)
///     }
///
///     fn decode<'a>(
///         &self,
///         bytes: &'a [u8],
///         read: &mut dyn FnMut(&mut dyn erased_serde::Deserializer<'a>) -> Result<(), BoxError>,
///     ) -> Result<(), BoxError> {
///         let mut json = serde_json::Deserializer::from_slice(bytes);
///         read(&mut <dyn erased_serde::Deserializer<'_>>::erase(&mut json))?;
///         Ok(json.end()?)
///     }
/// }
/// ```
pub trait Codec: Send + Sync + fmt::Debug {
    /// Appends the encoded value to `out`.
    fn encode(&self, value: &dyn erased_serde::Serialize, out: &mut Vec<u8>) -> Result<(), BoxError>;

    /// Hands `read` a deserializer over the bytes, then checks that none are left.
    fn decode<'a>(
        &self,
        bytes: &'a [u8],
        read: &mut dyn FnMut(&mut dyn erased_serde::Deserializer<'a>) -> Result<(), BoxError>,
    ) -> Result<(), BoxError>;
}

/// Which codec an alias writes with. Readers go by the tag of what they find.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum CodecChoice {
    /// MessagePack with field names: keeps NaN, maps with any keys, and
    /// survives fields that were added, removed or reordered.
    #[default]
    Msgpack,
    /// JSON, for eyes and other languages. NaN and maps with keys that are
    /// not text are errors.
    Json,
    /// Postcard, the smallest and fastest. It decodes reordered fields
    /// silently into wrong data, hence the number: raise it with every change
    /// of a type, and older entries become misses.
    Postcard {
        /// The number of the present schema.
        schema: u32,
    },
    /// Bytes and integers only; every other value is an error.
    Raw,
    /// A codec of the program's own.
    ///
    /// It is made by [`registered`](Self::registered).
    #[non_exhaustive]
    Registered {
        /// Its tag byte, `0xA0` to `0xBF`.
        tag: u8,
        /// The codec.
        codec: Arc<dyn Codec>,
    },
}

impl CodecChoice {
    /// A codec of the program's own, under a tag byte from `0xA0` to `0xBF`.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) for any other tag.
    pub fn registered(tag: u8, codec: Arc<dyn Codec>) -> Result<Self> {
        if !tag::REGISTERED.contains(&tag) {
            let detail = format!("the tag of a codec of one's own is from 0xa0 to 0xbf, not {tag:#04x}");
            return Err(Error::new(ErrorKind::Config, detail));
        }
        Ok(Self::Registered { tag, codec })
    }
}

/// The first byte of an encoded value says who wrote it; text has none.
pub(crate) mod tag {
    pub(crate) const MSGPACK: u8 = 0x81;
    pub(crate) const POSTCARD: u8 = 0x82;
    pub(crate) const RAW: u8 = 0x83;
    /// Of codecs that the program registers.
    pub(crate) const REGISTERED: std::ops::RangeInclusive<u8> = 0xA0..=0xBF;
    /// Text is JSON and has no tag; it begins with one of these.
    pub(crate) const LAST_OF_TEXT: u8 = 0x7F;
}
