//! Finds out what a codec could not hold, or what a reader would refuse.

use std::fmt;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// How deeply a value may be nested. Readers refuse deeper ones, so that no
/// bytes can exhaust the stack; so writers do, lest they write what nobody
/// can read.
pub(super) const MAX_DEPTH: usize = 100;

/// Why a value cannot be encoded, in words of our own: what a type or a
/// library says of a value may quote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// JSON would silently turn it into `null`.
    NotFinite,
    TooDeep,
    NotRaw,
    /// The type or the codec said no.
    Other,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite => f.write_str("JSON holds neither NaN nor infinities"),
            Self::TooDeep => write!(f, "it is nested more than {MAX_DEPTH} levels deep"),
            Self::NotRaw => f.write_str("the codec `raw` holds bytes and integers only"),
            Self::Other => f.write_str("its type or the codec refuses"),
        }
    }
}

impl std::error::Error for Refusal {}

impl serde::ser::Error for Refusal {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Other
    }
}

/// Fails if the value is nested too deeply, or if a float anywhere in it is
/// NaN or infinite and `finite` ones are wanted.
///
/// Some types have another form for eyes: `readable` says which is meant.
pub(super) fn check<T: Serialize + ?Sized>(value: &T, finite: bool, readable: bool) -> Result<(), Refusal> {
    value.serialize(Walk { finite, readable, left: MAX_DEPTH })
}

/// Walks the whole value and looks at nothing but its floats and its depth.
#[derive(Clone, Copy)]
struct Walk {
    finite: bool,
    readable: bool,
    left: usize,
}

impl Walk {
    fn deeper(self) -> Result<Self, Refusal> {
        let left = self.left.checked_sub(1).ok_or(Refusal::TooDeep)?;
        Ok(Self { left, ..self })
    }

    fn float(self, is_finite: bool) -> Done {
        if is_finite || !self.finite { Ok(()) } else { Err(Refusal::NotFinite) }
    }
}

type Done = Result<(), Refusal>;

macro_rules! harmless {
    ($($method:ident($($type:ty),*);)*) => {
        $(fn $method(self, $(_: $type),*) -> Done { Ok(()) })*
    };
}

macro_rules! compound {
    ($($method:ident($($type:ty),*);)*) => {
        $(fn $method(self, $(_: $type),*) -> Result<Self, Refusal> { self.deeper() })*
    };
}

impl Serializer for Walk {
    type Ok = ();
    type Error = Refusal;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    fn serialize_f32(self, value: f32) -> Done {
        self.float(value.is_finite())
    }

    fn serialize_f64(self, value: f64) -> Done {
        self.float(value.is_finite())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self.deeper()?)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self.deeper()?)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Done {
        value.serialize(self.deeper()?)
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Done {
        Ok(())
    }

    fn is_human_readable(&self) -> bool {
        self.readable
    }

    harmless! {
        serialize_bool(bool); serialize_i8(i8); serialize_i16(i16); serialize_i32(i32); serialize_i64(i64);
        serialize_i128(i128); serialize_u8(u8); serialize_u16(u16); serialize_u32(u32); serialize_u64(u64);
        serialize_u128(u128); serialize_char(char); serialize_str(&str); serialize_bytes(&[u8]);
        serialize_none(); serialize_unit(); serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
    }

    compound! {
        serialize_seq(Option<usize>); serialize_tuple(usize); serialize_tuple_struct(&'static str, usize);
        serialize_tuple_variant(&'static str, u32, &'static str, usize); serialize_map(Option<usize>);
        serialize_struct(&'static str, usize);
        serialize_struct_variant(&'static str, u32, &'static str, usize);
    }
}

macro_rules! elements {
    ($($trait:ident::$method:ident($($name:ty)?);)*) => {
        $(impl $trait for Walk {
            type Ok = ();
            type Error = Refusal;

            fn $method<T: Serialize + ?Sized>(&mut self, $(_: $name,)? value: &T) -> Done {
                value.serialize(*self)
            }

            fn end(self) -> Done {
                Ok(())
            }
        })*
    };
}

elements! {
    SerializeSeq::serialize_element();
    SerializeTuple::serialize_element();
    SerializeTupleStruct::serialize_field();
    SerializeTupleVariant::serialize_field();
    SerializeStruct::serialize_field(&'static str);
    SerializeStructVariant::serialize_field(&'static str);
}

impl SerializeMap for Walk {
    type Ok = ();
    type Error = Refusal;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        key.serialize(*self)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(*self)
    }

    fn end(self) -> Done {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_nan_is_found_wherever_it_hides() {
        #[derive(serde::Serialize)]
        enum Shape {
            Circle { radius: f64 },
            Points(Vec<Option<f32>>),
        }

        assert_eq!(check(&1.5, true, true), Ok(()));
        assert_eq!(check(&f64::NAN, false, true), Ok(()));
        assert_eq!(check(&Shape::Circle { radius: 1.0 }, true, true), Ok(()));
        for refused in [
            check(&f64::NAN, true, true),
            check(&Shape::Circle { radius: f64::INFINITY }, true, true),
            check(&Shape::Points(vec![None, Some(f32::NAN)]), true, true),
            check(&BTreeMap::from([("a", (1, f64::NEG_INFINITY))]), true, true),
        ] {
            assert_eq!(refused, Err(Refusal::NotFinite));
        }
    }

    #[test]
    fn depth_is_counted_on_each_branch_by_itself() {
        #[derive(serde::Serialize)]
        struct Nest(Vec<Nest>);

        fn nest(levels: usize) -> Nest {
            Nest((1..levels).map(|_| nest(1)).chain((levels > 1).then(|| nest(levels - 1))).collect())
        }

        // A newtype and a list a level.
        assert_eq!(check(&nest(MAX_DEPTH / 2), false, true), Ok(()));
        assert_eq!(check(&nest(MAX_DEPTH / 2 + 1), false, true), Err(Refusal::TooDeep));
    }
}
