//! Bytes that others left: another program, another version, an attacker.

use std::collections::BTreeMap;

use bytes::Bytes;
use cache_core::{Cache, CodecChoice, ErrorKind, Format, Timeout, UndecodableReason};

use crate::bench::{Bench, undecodable};
use crate::case::cases;
use crate::failure::Outcome;
use crate::samples::{Nested, Shape, User, UserName};

cases! {
    "foreign":
    [Stores] => bytes_that_json_wrote_are_read_by_all, an_unknown_tag_is_a_counted_miss,
        an_unknown_tag_is_an_entry_all_the_same, bytes_behind_the_value_are_a_counted_miss,
        an_empty_entry_is_a_counted_miss, a_long_entry_is_a_counted_miss,
        decimal_text_of_another_program_is_a_counter, only_the_canonical_spelling_is_a_counter,
        an_undecodable_entry_can_be_overwritten, bytes_by_chance_do_no_harm,
        hostile_lengths_do_no_harm, hostile_depths_are_bounded;
}

async fn bytes_that_json_wrote_are_read_by_all(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put_bytes("user", Bytes::from_static(br#"{"name":"Ada","more":[1,2]}"#)).await?;
    direct.put_bytes("text", Bytes::from_static(br#""hi""#)).await?;
    direct.put_bytes("null", Bytes::from_static(b"null")).await?;
    for codec in
        [CodecChoice::Msgpack, CodecChoice::Json, CodecChoice::Postcard { schema: 1 }, CodecChoice::Raw]
    {
        let cache = bench.builder().format(Format::new(codec)).build();
        assert_eq!(cache.aget("user").await?, Some(UserName { name: "Ada".to_owned() }));
        assert_eq!(cache.aget::<String>("text").await?.as_deref(), Some("hi"));
        assert_eq!(cache.aget::<Option<u8>>("null").await?, Some(None));
    }
    Ok(())
}

async fn an_unknown_tag_is_a_counted_miss(bench: Bench) -> Outcome {
    let direct = bench.direct();
    let foreign: [&[u8]; 5] = [b"\x80\x04pickle", b"\x84", b"\x9fframe", b"\xb0codec", b"\xffend"];
    let cache = bench.cache();
    for (number, bytes) in foreign.into_iter().enumerate() {
        direct.put_bytes("key", Bytes::from_static(bytes)).await?;
        assert_eq!(cache.aget::<String>("key").await?, None);
        assert_eq!(undecodable(&cache, UndecodableReason::UnknownTag), number as u64 + 1);
    }
    assert_eq!(cache.stats().misses, 5);
    Ok(())
}

async fn an_unknown_tag_is_an_entry_all_the_same(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put_bytes("key", Bytes::from_static(b"\x80\x04pickle")).await?;
    let cache = bench.cache();
    assert!(cache.ahas_key("key").await?);
    assert!(!cache.aadd("key", "text", Timeout::Default).await?);
    let counted = cache.aincr("key", 1).await;
    assert_eq!(counted.map_err(|error| error.kind()), Err(ErrorKind::NotAnInteger));
    assert!(cache.atouch("key", Timeout::Default).await?);
    assert!(cache.adelete("key").await?);
    Ok(())
}

async fn bytes_behind_the_value_are_a_counted_miss(bench: Bench) -> Outcome {
    let cache = bench.builder().format(Format::default().with_schema(1)).build();
    let direct = bench.direct();
    for bytes in
        [&b"\x81\xa2hi\xc0"[..], b"\x82\x01\x02hi\x00", b"\"hi\" \"ho\"", b"\x81", b"\x82", b"\x81\xa9hi"]
    {
        direct.put_bytes("key", Bytes::from_static(bytes)).await?;
        assert_eq!(cache.aget::<String>("key").await?, None, "{bytes:?}");
    }
    assert_eq!(undecodable(&cache, UndecodableReason::Malformed), 6);
    Ok(())
}

async fn an_empty_entry_is_a_counted_miss(bench: Bench) -> Outcome {
    bench.direct().put_bytes("key", Bytes::new()).await?;
    let cache = bench.cache();
    assert_eq!(cache.aget::<String>("key").await?, None);
    assert_eq!(undecodable(&cache, UndecodableReason::Malformed), 1);
    assert!(cache.ahas_key("key").await?);
    Ok(())
}

async fn a_long_entry_is_a_counted_miss(bench: Bench) -> Outcome {
    let direct = bench.direct();
    let text = "x".repeat(2_000);
    direct.put_bytes("key", Format::default().encode(text.as_str())?).await?;
    let cache = bench.builder().format(Format::default().with_max_value_bytes(1_000)).build();
    assert_eq!(cache.aget::<String>("key").await?, None);
    assert_eq!(undecodable(&cache, UndecodableReason::TooLarge), 1);
    assert_eq!(bench.cache().aget::<String>("key").await?, Some(text));
    Ok(())
}

async fn decimal_text_of_another_program_is_a_counter(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put_bytes("count", Bytes::from_static(b"41")).await?;
    let cache = bench.cache();
    assert_eq!(cache.aincr("count", 1).await?, 42);
    assert_eq!(cache.aget::<u8>("count").await?, Some(42));
    Ok(())
}

async fn only_the_canonical_spelling_is_a_counter(bench: Bench) -> Outcome {
    let direct = bench.direct();
    let cache = bench.cache();
    for bytes in [&b"+1"[..], b"007", b"-0", b" 1", b"1 ", b"1.0", b"9223372036854775808", b"\xd9\xa3"] {
        direct.put_bytes("key", Bytes::from_static(bytes)).await?;
        let counted = cache.aincr("key", 1).await;
        assert_eq!(counted.map_err(|error| error.kind()), Err(ErrorKind::NotAnInteger), "{bytes:?}");
    }
    Ok(())
}

async fn an_undecodable_entry_can_be_overwritten(bench: Bench) -> Outcome {
    bench.direct().put_bytes("key", Bytes::from_static(b"\x80\x04pickle")).await?;
    let cache = bench.cache();
    cache.aset("key", "ours", Timeout::Default).await?;
    assert_eq!(cache.aget::<String>("key").await?.as_deref(), Some("ours"));
    Ok(())
}

/// Reads the entry as every kind of type; what comes of it does not matter.
async fn read_as_anything(cache: &Cache, key: &str) -> Outcome {
    cache.aget::<i64>(key).await?;
    cache.aget::<u128>(key).await?;
    cache.aget::<String>(key).await?;
    cache.aget::<Vec<u8>>(key).await?;
    cache.aget::<User>(key).await?;
    cache.aget::<Option<Shape>>(key).await?;
    cache.aget::<Vec<Vec<String>>>(key).await?;
    cache.aget::<BTreeMap<String, (u64, char)>>(key).await?;
    cache.aget::<serde_json::Value>(key).await?;
    Ok(())
}

async fn bytes_by_chance_do_no_harm(bench: Bench) -> Outcome {
    let direct = bench.direct();
    let cache = bench.builder().format(Format::default().with_schema(1)).build();
    let mut chance = bench.chance();
    for _ in 0..bench.scaled(300) {
        let mut bytes: Vec<u8> = (0..chance.usize(0..40)).map(|_| chance.u8(..)).collect();
        // Most of them behind a tag that is known.
        if let Some(tag) = chance.choice([0x81, 0x81, 0x82, 0x83, b'[', b'{', b'"']) {
            bytes.insert(0, tag);
        }
        direct.put_bytes("key", bytes.into()).await?;
        read_as_anything(&cache, "key").await?;
    }
    Ok(())
}

/// Lengths and depths that the bytes do not have.
async fn hostile_lengths_do_no_harm(bench: Bench) -> Outcome {
    let direct = bench.direct();
    let cache = bench.builder().format(Format::default().with_schema(1)).build();
    let deep = |tag: &[u8], byte: u8| Bytes::from([tag, &vec![byte; 100_000]].concat());
    let hostile = [
        Bytes::from_static(b"\x81\xdb\xff\xff\xff\xffx"),
        Bytes::from_static(b"\x81\xc6\xff\xff\xff\xffx"),
        Bytes::from_static(b"\x81\xdd\xff\xff\xff\xff\x01"),
        Bytes::from_static(b"\x81\xdf\xff\xff\xff\xff\x01"),
        Bytes::from_static(b"\x82\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x"),
        deep(b"\x81", 0x91),
        deep(b"\x82\x01", 0x01),
        deep(b"", b'['),
    ];
    for bytes in hostile {
        direct.put_bytes("key", bytes).await?;
        read_as_anything(&cache, "key").await?;
    }
    Ok(())
}

/// Bytes can be nested as deep as they are long, and a stack cannot.
async fn hostile_depths_are_bounded(bench: Bench) -> Outcome {
    let direct = bench.direct();
    let cache = bench.builder().format(Format::default().with_schema(1)).build();
    for (tag, level) in [(&b"\x81"[..], 0x91), (b"\x82\x01", 0x01), (b"", b'[')] {
        direct.put_bytes("key", [tag, &[level; 10_000]].concat().into()).await?;
        let Some(found) = direct.found("key").await? else { panic!("it is there") };
        // Decoded on this thread, which counts.
        drop(found.entry.read::<Nested>(cache.format()));
        let deepest = Nested::take_deepest();
        assert!(deepest <= 1_000, "tag {tag:?}: the decoder went {deepest} deep, and would go on");
    }
    Ok(())
}
