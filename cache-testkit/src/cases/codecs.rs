//! Codecs: what another type, or an alias of another codec, finds.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use cache_core::{
    BoxError, Cache, Codec, CodecChoice, ErrorKind, Format, OnDecodeError, Timeout, UndecodableReason,
};

use crate::bench::{Bench, undecodable};
use crate::case::cases;
use crate::failure::Outcome;
use crate::samples::{Shape, User, UserName, UserWithMail};

cases! {
    "codecs":
    [Stores] => added_and_removed_fields, numbers_are_read_as_floats, text_is_no_number,
        an_error_where_the_alias_says_so, an_error_in_bulk_where_the_alias_says_so,
        json_is_read_by_a_msgpack_alias, msgpack_is_read_by_a_json_alias,
        another_type_by_way_of_another_codec, another_schema_is_a_counted_miss,
        the_same_schema_is_read_under_another_codec, a_registered_codec,
        integers_are_the_same_under_every_codec, plain_json_has_no_tag,
        plain_json_is_read_from_another_program, plain_raw_is_just_the_bytes,
        plain_raw_holds_every_integer_type;
}

fn with(bench: &Bench, codec: CodecChoice) -> Cache {
    bench.builder().format(Format::new(codec)).build()
}

async fn added_and_removed_fields(bench: Bench) -> Outcome {
    for codec in [CodecChoice::Msgpack, CodecChoice::Json] {
        let cache = with(&bench, codec);
        cache.aset("user", &User::ada(), Timeout::Default).await?;
        assert_eq!(cache.aget("user").await?, Some(UserName { name: "Ada".to_owned() }));
        let newer: Option<UserWithMail> = cache.aget("user").await?;
        assert_eq!(newer.map(|user| (user.name, user.age, user.mail)), Some(("Ada".to_owned(), 36, None)));
        cache.aset("name", &UserName { name: "Ada".to_owned() }, Timeout::Default).await?;
        assert_eq!(cache.aget::<User>("name").await?, None, "fields without a default are missing");
        let as_map: Option<BTreeMap<String, String>> = cache.aget("name").await?;
        assert_eq!(as_map, Some(BTreeMap::from([("name".to_owned(), "Ada".to_owned())])));
    }
    Ok(())
}

async fn numbers_are_read_as_floats(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("count", &5, Timeout::Default).await?;
    assert_eq!(cache.aget::<f64>("count").await?, Some(5.0));
    assert_eq!(cache.aget::<Option<f64>>("count").await?, Some(Some(5.0)));
    cache.aset("float", &5.5, Timeout::Default).await?;
    assert_eq!(cache.aget::<i64>("float").await?, None);
    cache.aset("some", &Some("text".to_owned()), Timeout::Default).await?;
    assert_eq!(cache.aget::<String>("some").await?.as_deref(), Some("text"));
    Ok(())
}

async fn text_is_no_number(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("text", "42", Timeout::Default).await?;
    assert_eq!(cache.aget::<i64>("text").await?, None);
    assert_eq!(cache.aget_arc::<User>("text").await?, None);
    assert_eq!(cache.aget::<Shape>("text").await?, None);
    assert_eq!(undecodable(&cache, UndecodableReason::Malformed), 3);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses), (0, 3));
    assert_eq!(cache.aget::<String>("text").await?.as_deref(), Some("42"), "it was not removed");
    Ok(())
}

async fn an_error_where_the_alias_says_so(bench: Bench) -> Outcome {
    let cache = bench.builder().on_decode_error(OnDecodeError::Error).build();
    cache.aset("text", "no number", Timeout::Default).await?;
    let outcome = cache.aget::<i64>("text").await;
    assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::Codec));
    let outcome = cache.aget_arc::<i64>("text").await;
    assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::Codec));
    assert_eq!(cache.aget::<i64>("missing").await?, None, "which is no error still");
    assert_eq!(undecodable(&cache, UndecodableReason::Malformed), 2);
    assert_eq!(cache.stats().errors.get(&ErrorKind::Codec), Some(&2));
    assert_eq!(cache.stats().misses, 1);
    Ok(())
}

async fn an_error_in_bulk_where_the_alias_says_so(bench: Bench) -> Outcome {
    let cache = bench.builder().on_decode_error(OnDecodeError::Error).build();
    cache.set_many([("a", &1), ("b", &2)], Timeout::Default).await?;
    cache.aset("text", "no number", Timeout::Default).await?;
    let keys = ["a", "missing", "text", "b"];
    let Err(error) = cache.get_many::<i64, _>(keys).await else { panic!("one of them is no number") };
    assert_eq!(error.kind(), ErrorKind::Codec);
    assert_eq!(error.failures().len(), 1);
    assert_eq!(error.failures()[0].0, 2);
    let partial = cache.get_many_partial::<i64, _>(keys).await?;
    assert_eq!(partial.found.len(), 2);
    assert_eq!(partial.failed.len(), 1);
    assert_eq!((partial.failed[0].0, partial.failed[0].1.kind()), ("text", ErrorKind::Codec));
    Ok(())
}

async fn json_is_read_by_a_msgpack_alias(bench: Bench) -> Outcome {
    rolled_out(&with(&bench, CodecChoice::Json), &with(&bench, CodecChoice::Msgpack)).await
}

async fn msgpack_is_read_by_a_json_alias(bench: Bench) -> Outcome {
    rolled_out(&with(&bench, CodecChoice::Msgpack), &with(&bench, CodecChoice::Json)).await
}

/// While a deployment rolls, both codecs write and both have to read.
async fn rolled_out(old: &Cache, new: &Cache) -> Outcome {
    old.aset("user", &User::ada(), Timeout::Default).await?;
    assert_eq!(new.aget("user").await?, Some(User::ada()));
    assert_eq!(new.aget("user").await?, Some(UserName { name: "Ada".to_owned() }));
    old.aset("count", &5, Timeout::Default).await?;
    assert_eq!(new.aincr("count", 1).await?, 6);
    assert_eq!(old.aget("count").await?, Some(6));
    new.aset("user", &Shape::Line(1.0, 2.0), Timeout::Default).await?;
    assert_eq!(old.aget("user").await?, Some(Shape::Line(1.0, 2.0)));
    old.aset("none", &None::<u8>, Timeout::Default).await?;
    assert_eq!(new.aget::<Option<u8>>("none").await?, Some(None));
    Ok(())
}

/// The reader goes by what was written, not by what it would write itself:
/// JSON could not hold this value, and a JSON alias reads it.
async fn another_type_by_way_of_another_codec(bench: Bench) -> Outcome {
    let writer = with(&bench, CodecChoice::Msgpack);
    writer.aset("point", &("text".to_owned(), f64::INFINITY), Timeout::Default).await?;
    writer.aset("user", &User::ada(), Timeout::Default).await?;
    let infinite = Some(("text".to_owned(), Some(f64::INFINITY)));
    assert_eq!(with(&bench, CodecChoice::Json).aget("point").await?, infinite);
    assert_eq!(with(&bench, CodecChoice::Raw).aget("user").await?, Some(UserName { name: "Ada".to_owned() }));
    Ok(())
}

async fn another_schema_is_a_counted_miss(bench: Bench) -> Outcome {
    let old = Format::new(CodecChoice::Postcard { schema: 1 });
    bench.direct().put_bytes("user", old.encode(&User::ada())?).await?;
    let cache = with(&bench, CodecChoice::Postcard { schema: 2 });
    assert_eq!(cache.aget::<User>("user").await?, None);
    assert_eq!(undecodable(&cache, UndecodableReason::OtherSchema), 1);
    // An alias of another codec that names no schema does not guess either.
    let cache = bench.cache();
    assert_eq!(cache.aget::<User>("user").await?, None);
    assert_eq!(undecodable(&cache, UndecodableReason::OtherSchema), 1);
    Ok(())
}

async fn the_same_schema_is_read_under_another_codec(bench: Bench) -> Outcome {
    let old = Format::new(CodecChoice::Postcard { schema: 1 });
    bench.direct().put_bytes("user", old.encode(&User::ada())?).await?;
    assert_eq!(with(&bench, CodecChoice::Postcard { schema: 1 }).aget("user").await?, Some(User::ada()));
    let cache = bench.builder().format(Format::default().with_schema(1)).build();
    assert_eq!(cache.aget("user").await?, Some(User::ada()));
    Ok(())
}

/// A codec of a program's own.
#[derive(Debug)]
struct Backwards;

impl Codec for Backwards {
    fn encode(&self, value: &dyn erased_serde::Serialize, out: &mut Vec<u8>) -> Result<(), BoxError> {
        out.extend(serde_json::to_vec(value)?.iter().rev());
        Ok(())
    }

    fn decode<'a>(
        &self,
        bytes: &'a [u8],
        read: &mut dyn FnMut(&mut dyn erased_serde::Deserializer<'a>) -> Result<(), BoxError>,
    ) -> Result<(), BoxError> {
        let forwards: Vec<u8> = bytes.iter().rev().copied().collect();
        let value: serde_json::Value = serde_json::from_slice(&forwards)?;
        read(&mut <dyn erased_serde::Deserializer<'_>>::erase(value))
    }
}

const BACKWARDS: u8 = 0xA7;

async fn a_registered_codec(bench: Bench) -> Outcome {
    for tag in [0x00, 0x7F, 0x81, 0x9F, 0xC0, 0xFF] {
        let refused = CodecChoice::registered(tag, Arc::new(Backwards));
        assert_eq!(refused.map(drop).map_err(|error| error.kind()), Err(ErrorKind::Config), "{tag:#x}");
    }
    let own = with(&bench, CodecChoice::registered(BACKWARDS, Arc::new(Backwards))?);
    own.aset("user", &User::ada(), Timeout::Default).await?;
    assert_eq!(own.aget("user").await?, Some(User::ada()));
    assert_eq!(own.aget("user").await?, Some(UserName { name: "Ada".to_owned() }));
    own.aset("count", &5, Timeout::Default).await?;
    assert_eq!(own.aincr("count", 1).await?, 6);

    // By its tag, where it was only registered; and not where it was not.
    bench.direct().put_bytes("bytes", Bytes::from_static(b"\xA7\"ih\"")).await?;
    let registered: BTreeMap<u8, Arc<dyn Codec>> = BTreeMap::from([(BACKWARDS, Arc::new(Backwards) as _)]);
    let knows = bench.builder().format(Format::default().with_registered(Arc::new(registered))).build();
    assert_eq!(own.aget::<String>("bytes").await?.as_deref(), Some("hi"));
    assert_eq!(knows.aget::<String>("bytes").await?.as_deref(), Some("hi"));
    assert_eq!(bench.cache().aget::<String>("bytes").await?, None);
    Ok(())
}

async fn integers_are_the_same_under_every_codec(bench: Bench) -> Outcome {
    let codecs =
        [CodecChoice::Msgpack, CodecChoice::Json, CodecChoice::Postcard { schema: 1 }, CodecChoice::Raw];
    let direct = bench.direct();
    for codec in codecs {
        let cache = with(&bench, codec);
        cache.aset("count", &-300_i32, Timeout::Default).await?;
        let Some(found) = direct.found("count").await? else { panic!("it is there") };
        assert_eq!(found.entry.encode(&direct.format)?, Bytes::from_static(b"-300"));
        assert_eq!(found.entry.integer(), Some(-300));
        assert_eq!(cache.aget::<i16>("count").await?, Some(-300));
    }
    Ok(())
}

async fn plain_json_has_no_tag(bench: Bench) -> Outcome {
    let cache = bench.builder().format(Format::new(CodecChoice::Json).plain()?).build();
    let direct = bench.direct();
    cache.aset("user", &UserName { name: "Ada".to_owned() }, Timeout::Default).await?;
    let Some(found) = direct.found("user").await? else { panic!("it is there") };
    assert_eq!(found.entry.encode(&direct.format)?, Bytes::from_static(br#"{"name":"Ada"}"#));
    assert_eq!(cache.aget("user").await?, Some(UserName { name: "Ada".to_owned() }));
    cache.aset("count", &5, Timeout::Default).await?;
    assert_eq!(cache.aincr("count", 1).await?, 6);
    cache.aset("none", &None::<u8>, Timeout::Default).await?;
    assert_eq!(cache.aget::<Option<u8>>("none").await?, Some(None));
    Ok(())
}

async fn plain_json_is_read_from_another_program(bench: Bench) -> Outcome {
    let cache = bench.builder().format(Format::new(CodecChoice::Json).plain()?).build();
    bench.direct().put_bytes("user", Bytes::from_static(b" {\"name\" : \"Ada\"}\n")).await?;
    assert_eq!(cache.aget("user").await?, Some(UserName { name: "Ada".to_owned() }));
    Ok(())
}

async fn plain_raw_is_just_the_bytes(bench: Bench) -> Outcome {
    let cache = bench.builder().format(Format::new(CodecChoice::Raw).plain()?).build();
    let direct = bench.direct();
    for bytes in [&b"\x81\xa2hi"[..], b"\x80\x04pickle", b"{}", b"", b"\x83\x83", b"42", b"-0", b"x"] {
        cache.aset("key", bytes, Timeout::Default).await?;
        let Some(found) = direct.found("key").await? else { panic!("it is there") };
        assert_eq!(found.entry.encode(&direct.format)?, Bytes::from_static(bytes));
        assert_eq!(cache.aget::<Vec<u8>>("key").await?.as_deref(), Some(bytes));
        assert_eq!(cache.aget::<Bytes>("key").await?.as_deref(), Some(bytes));
    }
    // Bytes that spell an integer are one to every other program.
    cache.aset("count", &b"41"[..], Timeout::Default).await?;
    assert_eq!(cache.aincr("count", 1).await?, 42);
    assert_eq!(cache.aget::<Vec<u8>>("count").await?.as_deref(), Some(&b"42"[..]));
    Ok(())
}

async fn plain_raw_holds_every_integer_type(bench: Bench) -> Outcome {
    let cache = bench.builder().format(Format::new(CodecChoice::Raw).plain()?).build();
    cache.aset("count", &41_u8, Timeout::Default).await?;
    assert_eq!(cache.aincr("count", 1).await?, 42);
    assert_eq!(cache.aget::<i64>("count").await?, Some(42));
    assert_eq!(cache.aget::<u8>("count").await?, Some(42));
    assert_eq!(cache.aget::<u64>("count").await?, Some(42));
    Ok(())
}
