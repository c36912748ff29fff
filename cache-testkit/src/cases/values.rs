//! Values of every kind come back as they went in.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;
use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use cache_core::{Cache, CodecChoice, ErrorKind, Format, Timeout, Value};

use crate::bench::Bench;
use crate::case::cases;
use crate::failure::Outcome;
use crate::samples::{Count, Refused, Shape, User};

cases! {
    "values":
    [Stores] => texts, every_integer_at_its_ends, large_integers, floats, floats_that_are_no_numbers,
        json_refuses_what_is_no_number, characters_and_booleans, structs_and_enums, options,
        sequences_and_tuples, maps, maps_with_tuple_keys, json_refuses_tuple_keys, raw_bytes,
        raw_bytes_under_every_codec, a_mebibyte, a_value_that_refuses_is_a_codec_error,
        a_value_past_the_limit_is_too_large, the_codec_raw_holds_bytes_and_integers,
        values_under_every_codec, a_refused_value_leaves_the_old_one;
}

async fn kept<T: Value + PartialEq + Debug>(cache: &Cache, value: T) -> Outcome {
    cache.aset("key", &value, Timeout::Default).await?;
    assert_eq!(cache.aget("key").await?.as_ref(), Some(&value));
    assert_eq!(cache.aget_arc("key").await?.as_deref(), Some(&value));
    assert_eq!(cache.get_many(["key"]).await?.get("key"), Some(&value));
    Ok(())
}

async fn texts(bench: Bench) -> Outcome {
    let cache = bench.cache();
    for text in [
        "",
        " ",
        "text",
        "日本語",
        "👩‍👩‍👧",
        "e\u{301}",
        "\0",
        "\u{7f}\n\r\t",
        "null",
        "true",
        "42",
        "\u{10ffff}",
    ] {
        kept(&cache, text.to_owned()).await?;
    }
    Ok(())
}

async fn every_integer_at_its_ends(bench: Bench) -> Outcome {
    let cache = bench.cache();
    macro_rules! ends {
        ($($integer:ty),*) => {$(
            kept(&cache, <$integer>::MIN).await?;
            kept(&cache, <$integer>::MAX).await?;
            kept(&cache, 0 as $integer).await?;
        )*};
    }
    ends!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);
    Ok(())
}

async fn large_integers(bench: Bench) -> Outcome {
    for codec in [CodecChoice::Msgpack, CodecChoice::Json, CodecChoice::Postcard { schema: 1 }] {
        let cache = bench.builder().format(Format::new(codec)).build();
        for large in [i128::MIN, i128::from(i64::MIN) - 1, i128::from(i64::MAX) + 1, i128::MAX, -1, 0] {
            kept(&cache, large).await?;
        }
        for large in [u128::MAX, u128::from(u64::MAX) + 1, u128::from(u64::MAX), 0] {
            kept(&cache, large).await?;
        }
        kept(&cache, (i128::MIN, u128::MAX)).await?;
    }
    Ok(())
}

async fn floats(bench: Bench) -> Outcome {
    for codec in [CodecChoice::Msgpack, CodecChoice::Json, CodecChoice::Postcard { schema: 1 }] {
        let cache = bench.builder().format(Format::new(codec)).build();
        for float in [0.0, 1.0, -1.5, 0.1 + 0.2, f64::MIN, f64::MAX, f64::MIN_POSITIVE, f64::EPSILON, 1e300] {
            kept(&cache, float).await?;
        }
        for float in [0.1_f32, f32::MIN, f32::MAX, f32::MIN_POSITIVE] {
            kept(&cache, float).await?;
        }
        cache.aset("zero", &-0.0_f64, Timeout::Default).await?;
        let zero: Option<f64> = cache.aget("zero").await?;
        assert!(zero.is_some_and(f64::is_sign_negative), "{zero:?}");
    }
    Ok(())
}

async fn floats_that_are_no_numbers(bench: Bench) -> Outcome {
    for codec in [CodecChoice::Msgpack, CodecChoice::Postcard { schema: 1 }] {
        let cache = bench.builder().format(Format::new(codec)).build();
        kept(&cache, f64::INFINITY).await?;
        kept(&cache, f32::NEG_INFINITY).await?;
        kept(&cache, vec![Some(f64::INFINITY), None]).await?;
        cache.aset("nan", &(f64::NAN, f32::NAN), Timeout::Default).await?;
        let nan: Option<(f64, f32)> = cache.aget("nan").await?;
        assert!(nan.is_some_and(|(double, single)| double.is_nan() && single.is_nan()), "{nan:?}");
    }
    Ok(())
}

async fn json_refuses_what_is_no_number(bench: Bench) -> Outcome {
    let cache = bench.builder().format(Format::new(CodecChoice::Json)).build();
    refused(&cache, f64::NAN).await?;
    refused(&cache, f32::INFINITY).await?;
    refused(&cache, vec![1.0, f64::NEG_INFINITY]).await?;
    refused(&cache, Shape::Circle { radius: f64::NAN }).await?;
    refused(&cache, BTreeMap::from([("a".to_owned(), Some(f64::NAN))])).await?;
    kept(&cache, Shape::Circle { radius: 1.5 }).await
}

/// The same error on every store, from every operation that writes.
async fn refused<T: Value>(cache: &Cache, value: T) -> Outcome {
    let set = cache.aset("refused", &value, Timeout::Default).await;
    assert_eq!(set.map_err(|error| error.kind()), Err(ErrorKind::Codec));
    let added = cache.aadd("refused", &value, Timeout::Default).await;
    assert_eq!(added.map_err(|error| error.kind()), Err(ErrorKind::Codec));
    let many = cache.set_many([("refused", &value)], Timeout::Default).await;
    assert_eq!(many.map_err(|error| error.kind()), Err(ErrorKind::Codec));
    let shared = cache.aset_arc("refused", std::sync::Arc::new(value), Timeout::Default).await;
    assert_eq!(shared.map_err(|error| error.kind()), Err(ErrorKind::Codec));
    assert!(!cache.ahas_key("refused").await?);
    Ok(())
}

async fn characters_and_booleans(bench: Bench) -> Outcome {
    let cache = bench.cache();
    for character in ['a', '\0', 'ß', '日', '\u{10ffff}'] {
        kept(&cache, character).await?;
    }
    kept(&cache, true).await?;
    kept(&cache, false).await?;
    kept(&cache, ()).await
}

async fn structs_and_enums(bench: Bench) -> Outcome {
    let cache = bench.cache();
    kept(&cache, User::ada()).await?;
    kept(&cache, Count(7)).await?;
    kept(&cache, Shape::Point).await?;
    kept(&cache, Shape::Named("square".to_owned())).await?;
    kept(&cache, Shape::Line(1.0, 2.0)).await?;
    kept(&cache, vec![Shape::Circle { radius: 0.5 }, Shape::Point]).await?;
    kept(&cache, Ok::<u8, String>(1)).await?;
    kept(&cache, Err::<u8, String>("no".to_owned())).await?;
    kept(&cache, Duration::from_millis(1_500)).await
}

async fn options(bench: Bench) -> Outcome {
    let cache = bench.cache();
    kept(&cache, None::<String>).await?;
    kept(&cache, Some(String::new())).await?;
    kept(&cache, Some(5)).await?;
    kept(&cache, Some(vec![Some(1), None])).await?;
    kept(&cache, (None::<u8>, Some(User::ada()))).await?;
    kept(&cache, BTreeMap::from([(1, None), (2, Some("two".to_owned()))])).await
}

async fn sequences_and_tuples(bench: Bench) -> Outcome {
    let cache = bench.cache();
    kept(&cache, Vec::<String>::new()).await?;
    kept(&cache, vec![User::ada(), User::ada()]).await?;
    kept(&cache, (1, "two".to_owned(), 3.0, true)).await?;
    kept(&cache, [1_u64, u64::MAX]).await?;
    kept(&cache, vec![vec![1_u8], vec![], vec![2, 3]]).await?;
    kept(&cache, BTreeSet::from(["a".to_owned(), "b".to_owned()])).await?;
    kept(&cache, Box::new(5_i64)).await?;
    kept(&cache, (0..10_000).collect::<Vec<i32>>()).await
}

async fn maps(bench: Bench) -> Outcome {
    let cache = bench.cache();
    kept(&cache, HashMap::<String, String>::new()).await?;
    kept(&cache, HashMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)])).await?;
    kept(&cache, BTreeMap::from([(1_u64, "one".to_owned()), (u64::MAX, "many".to_owned())])).await?;
    kept(&cache, BTreeMap::from([('x', true)])).await?;
    kept(&cache, BTreeMap::from([(User::ada().name, User::ada())])).await
}

async fn maps_with_tuple_keys(bench: Bench) -> Outcome {
    let cache = bench.cache();
    kept(&cache, HashMap::from([((1, "a".to_owned()), 1.5), ((2, "b".to_owned()), 2.5)])).await?;
    kept(&cache, BTreeMap::from([(vec![1_u8, 2], "bytes".to_owned())])).await?;
    kept(&cache, BTreeMap::from([(Some(1), 1), (None, 2)])).await
}

async fn json_refuses_tuple_keys(bench: Bench) -> Outcome {
    let cache = bench.builder().format(Format::new(CodecChoice::Json)).build();
    refused(&cache, HashMap::from([((1, 2), 3)])).await?;
    kept(&cache, BTreeMap::from([(1, "integer keys are text in JSON".to_owned())])).await
}

async fn raw_bytes(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let all: Vec<u8> = (0..=u8::MAX).collect();
    kept(&cache, Vec::<u8>::new()).await?;
    kept(&cache, all.clone()).await?;
    kept(&cache, Bytes::new()).await?;
    kept(&cache, Bytes::from(all.clone())).await?;
    kept(&cache, b"42".to_vec()).await?;
    kept(&cache, b"\x81\xa2hi".to_vec()).await?;
    kept(&cache, b"\x80\x04pickle".to_vec()).await?;

    cache.aset("slice", &all[..], Timeout::Default).await?;
    assert_eq!(cache.aget::<Vec<u8>>("slice").await?.as_ref(), Some(&all));
    assert_eq!(cache.aget::<Bytes>("slice").await?, Some(Bytes::from(all.clone())));
    cache.aset("bytes", &Bytes::from(all.clone()), Timeout::Default).await?;
    assert_eq!(cache.aget::<Vec<u8>>("bytes").await?, Some(all));
    cache.aset("text", &b"text"[..], Timeout::Default).await?;
    assert_eq!(cache.aget::<String>("text").await?.as_deref(), Some("text"));
    cache.aset("no text", &b"\xff"[..], Timeout::Default).await?;
    assert_eq!(cache.aget::<String>("no text").await?, None);
    Ok(())
}

fn every_codec() -> [Format; 4] {
    [CodecChoice::Msgpack, CodecChoice::Json, CodecChoice::Postcard { schema: 3 }, CodecChoice::Raw]
        .map(Format::new)
}

async fn raw_bytes_under_every_codec(bench: Bench) -> Outcome {
    let all: Vec<u8> = (0..=u8::MAX).rev().collect();
    for format in every_codec() {
        let cache = bench.builder().format(format).build();
        kept(&cache, all.clone()).await?;
        kept(&cache, Vec::<u8>::new()).await?;
        kept(&cache, Bytes::from(all.clone())).await?;
        kept(&cache, b"7".to_vec()).await?;
        kept(&cache, b"{}".to_vec()).await?;
    }
    Ok(())
}

async fn values_under_every_codec(bench: Bench) -> Outcome {
    for codec in [CodecChoice::Msgpack, CodecChoice::Json, CodecChoice::Postcard { schema: 3 }] {
        let cache = bench.builder().format(Format::new(codec)).build();
        kept(&cache, User::ada()).await?;
        kept(&cache, "text".to_owned()).await?;
        kept(&cache, 5).await?;
        kept(&cache, u64::MAX).await?;
        kept(&cache, None::<String>).await?;
        kept(&cache, ()).await?;
        kept(&cache, vec![Shape::Point, Shape::Circle { radius: 1.5 }, Shape::Line(1.0, 2.0)]).await?;
        kept(&cache, BTreeMap::from([("a".to_owned(), vec![1, 2])])).await?;
        // Text to people, bytes to machines.
        kept(&cache, (Ipv4Addr::LOCALHOST, Duration::MAX)).await?;
        kept(&cache, Ipv4Addr::LOCALHOST).await?;
        assert!(cache.aadd("count", &1, Timeout::Default).await?);
        assert_eq!(cache.aincr("count", 1).await?, 2);
        cache.adelete("count").await?;
    }
    Ok(())
}

async fn a_mebibyte(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let text: String = (0..1 << 20).map(|n: u32| char::from(b'a' + (n % 26) as u8)).collect();
    kept(&cache, text.clone()).await?;
    kept(&cache, text.clone().into_bytes()).await?;
    kept(&cache, Some((text, 5))).await
}

async fn a_value_that_refuses_is_a_codec_error(bench: Bench) -> Outcome {
    for format in every_codec() {
        let cache = bench.builder().format(format).build();
        refused(&cache, Refused("x".to_owned())).await?;
        refused(&cache, vec![Some(Refused("x".to_owned()))]).await?;
    }
    Ok(())
}

async fn a_refused_value_leaves_the_old_one(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", "old", Timeout::Forever).await?;
    assert!(cache.aset("key", &Refused("x".to_owned()), Timeout::Default).await.is_err());
    assert_eq!(cache.aget::<String>("key").await?.as_deref(), Some("old"));
    Ok(())
}

async fn a_value_past_the_limit_is_too_large(bench: Bench) -> Outcome {
    let cache = bench.builder().format(Format::default().with_max_value_bytes(1_000)).build();
    cache.aset("text", "old", Timeout::Forever).await?;
    let text = "x".repeat(1_001);
    let bytes = text.as_bytes();
    let outcomes = [
        cache.aset("text", text.as_str(), Timeout::Default).await,
        cache.aset("bytes", bytes, Timeout::Default).await,
        cache.aset("list", &vec![0.5_f64; 500], Timeout::Default).await,
        cache.aadd("added", text.as_str(), Timeout::Default).await.map(drop),
        cache.set_many([("many", text.as_str())], Timeout::Default).await,
    ];
    for outcome in outcomes {
        assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::TooLarge));
    }
    assert_eq!(cache.aget::<String>("text").await?.as_deref(), Some("old"));
    for key in ["bytes", "list", "added", "many"] {
        assert!(!cache.ahas_key(key).await?, "{key}");
    }
    kept(&cache, "x".repeat(900)).await?;
    kept(&cache, vec![0_u8; 1_000]).await?;
    kept(&cache, i64::MIN).await
}

async fn the_codec_raw_holds_bytes_and_integers(bench: Bench) -> Outcome {
    let cache = bench.builder().format(Format::new(CodecChoice::Raw)).build();
    kept(&cache, vec![1_u8, 2, 3]).await?;
    kept(&cache, Bytes::from_static(b"bytes")).await?;
    kept(&cache, -5_i64).await?;
    kept(&cache, 200_u8).await?;
    assert!(cache.aadd("count", &1, Timeout::Default).await?);
    assert_eq!(cache.aincr("count", 1).await?, 2);
    refused(&cache, "text".to_owned()).await?;
    refused(&cache, User::ada()).await?;
    refused(&cache, 1.5).await
}
