//! Which values are integers: those whose serde form is one that fits `i64`.
//!
//! Such a value is kept as an integer everywhere, so that a counter can be set
//! by one program and incremented by another, whatever the codec.

use std::fmt;

use serde::ser::{Error as _, Impossible, Serialize, Serializer};

/// The value as an integer, if its serde form is one that fits `i64`: all
/// integer types, newtypes around them, `Some` of them.
pub(crate) fn as_integer<T: Serialize + ?Sized>(value: &T) -> Option<i64> {
    value.serialize(Integers).ok()
}

/// The integer that `bytes` spell exactly as `i64` is displayed: `-7`, but
/// neither `007` nor `+7`.
pub(crate) fn parse_integer(bytes: &[u8]) -> Option<i64> {
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let canonical = match digits {
        [] => false,
        [b'0', ..] => bytes == b"0",
        _ => digits.len() <= 19 && digits.iter().all(u8::is_ascii_digit),
    };
    if !canonical {
        return None;
    }
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// Succeeds for integers that fit; everything else ends it at once.
struct Integers;

/// Carries no message, so that asking costs nothing.
#[derive(Debug)]
struct NotAnInteger;

impl fmt::Display for NotAnInteger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an integer")
    }
}

impl std::error::Error for NotAnInteger {}

impl serde::ser::Error for NotAnInteger {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

macro_rules! integers {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, value: $type) -> Result<i64, NotAnInteger> {
            i64::try_from(value).map_err(NotAnInteger::custom)
        })*
    };
}

macro_rules! others {
    ($($method:ident($($type:ty),*) -> $out:ty;)*) => {
        $(fn $method(self, $(_: $type),*) -> Result<$out, NotAnInteger> {
            Err(NotAnInteger)
        })*
    };
}

type No = Impossible<i64, NotAnInteger>;

impl Serializer for Integers {
    type Ok = i64;
    type Error = NotAnInteger;
    type SerializeSeq = No;
    type SerializeTuple = No;
    type SerializeTupleStruct = No;
    type SerializeTupleVariant = No;
    type SerializeMap = No;
    type SerializeStruct = No;
    type SerializeStructVariant = No;

    integers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<i64, NotAnInteger> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<i64, NotAnInteger> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<i64, NotAnInteger> {
        Err(NotAnInteger)
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Result<i64, NotAnInteger> {
        Err(NotAnInteger)
    }

    others! {
        serialize_bool(bool) -> i64;
        serialize_f32(f32) -> i64;
        serialize_f64(f64) -> i64;
        serialize_char(char) -> i64;
        serialize_str(&str) -> i64;
        serialize_bytes(&[u8]) -> i64;
        serialize_none() -> i64;
        serialize_unit() -> i64;
        serialize_unit_struct(&'static str) -> i64;
        serialize_unit_variant(&'static str, u32, &'static str) -> i64;
        serialize_seq(Option<usize>) -> No;
        serialize_tuple(usize) -> No;
        serialize_tuple_struct(&'static str, usize) -> No;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> No;
        serialize_map(Option<usize>) -> No;
        serialize_struct(&'static str, usize) -> No;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> No;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_recognised_by_their_serde_form() {
        #[derive(serde::Serialize)]
        struct Count(u32);

        assert_eq!(as_integer(&7_u8), Some(7));
        assert_eq!(as_integer(&i64::MIN), Some(i64::MIN));
        assert_eq!(as_integer(&Count(3)), Some(3));
        assert_eq!(as_integer(&Some(-3)), Some(-3));
        assert_eq!(as_integer(&u64::MAX), None);
        assert_eq!(as_integer(&true), None);
        assert_eq!(as_integer(&7.0), None);
        assert_eq!(as_integer("7"), None);
        assert_eq!(as_integer(&[7]), None);
        assert_eq!(as_integer(&None::<i64>), None);
    }

    #[test]
    fn only_the_canonical_spelling_is_an_integer() {
        for text in ["0", "7", "-7", "9223372036854775807", "-9223372036854775808"] {
            assert_eq!(parse_integer(text.as_bytes()), text.parse().ok(), "{text}");
        }
        for text in ["", "-", "-0", "+7", "007", " 7", "7 ", "1_0", "7.0", "9223372036854775808", "\u{663}"] {
            assert_eq!(parse_integer(text.as_bytes()), None, "{text:?}");
        }
    }
}
