//! Errors say what and where, and never of which key or value.

use std::collections::HashMap;
use std::error::Error as _;
use std::fmt::Write as _;

use cache_core::{
    CodecChoice, Error, ErrorKind, Format, KeyCheck, OnDecodeError, Operation, Result, Timeout,
};

use crate::bench::Bench;
use crate::case::cases;
use crate::failure::Outcome;
use crate::samples::{Refused, User};

cases! {
    "errors":
    [] => an_error_names_operation_and_alias, errors_of_keys_do_not_quote_them, permanent_errors_are_not_transient,
        handles_do_not_show_keys;
    [Stores] => errors_of_counters_quote_nothing, errors_of_values_quote_nothing,
        a_value_that_quotes_itself_is_not_quoted, errors_in_bulk_quote_nothing, events_quote_nothing;
}

/// What must not be seen. It is part of every key and value here.
const MARK: &str = "hunter2";

/// The error of an outcome that has to be one, after a look at all it prints.
fn clean<T>(outcome: Result<T>) -> Error {
    let Err(error) = outcome else { panic!("this has to fail") };
    let mut shown = format!("{error} {error:#} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(beneath) = source {
        write!(shown, " {beneath} {beneath:?}").expect("a string takes all text");
        source = beneath.source();
    }
    for (_, failure) in error.failures() {
        write!(shown, " {failure} {failure:?}").expect("a string takes all text");
    }
    assert!(!shown.contains(MARK), "a key or value is quoted: {shown}");
    error
}

async fn an_error_names_operation_and_alias(bench: Bench) -> Outcome {
    let cache = bench.builder().alias("sessions").build();
    let error = clean(cache.aincr(MARK, 1).await);
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.operation(), Some(Operation::Incr));
    assert_eq!(error.alias(), Some("sessions"));
    let shown = error.to_string();
    assert!(shown.contains("aincr") && shown.contains("sessions"), "{shown}");
    let error = clean(cache.adecr(MARK, 1).await);
    assert_eq!(error.operation(), Some(Operation::Decr));
    let error = clean(cache.adecr_version(MARK, 1).await);
    assert_eq!(error.operation(), Some(Operation::DecrVersion));
    Ok(())
}

async fn errors_of_keys_do_not_quote_them(bench: Bench) -> Outcome {
    let cache = bench.builder().key_check(KeyCheck::Error).build();
    let blank = format!("{MARK} {MARK}");
    let long = MARK.repeat(100);
    for key in [&blank, &long] {
        clean(cache.aget::<i64>(key).await);
        clean(cache.aset(key, MARK, Timeout::Default).await);
        clean(cache.aadd(key, MARK, Timeout::Default).await);
        clean(cache.adelete(key).await);
        clean(cache.aincr(key, 1).await);
        clean(cache.aincr_version(key, 1).await);
        let error = clean(cache.get_many::<i64, _>([MARK, key.as_str()]).await);
        assert_eq!(error.failures().len(), 1);
        clean(cache.delete_many([key]).await);
    }
    Ok(())
}

async fn permanent_errors_are_not_transient(bench: Bench) -> Outcome {
    let cache = bench.builder().key_check(KeyCheck::Error).build();
    assert!(!clean(cache.aincr("missing", 1).await).is_transient());
    assert!(!clean(cache.aget::<i64>("a b").await).is_transient());
    assert!(!clean(cache.adecr_version("key", 2).await).is_transient());
    cache.aclose().await?;
    assert!(!clean(cache.aget::<i64>("key").await).is_transient());
    Ok(())
}

async fn handles_do_not_show_keys(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset(MARK, MARK, Timeout::Default).await?;
    let direct = bench.direct();
    let found = direct.found(MARK).await?;
    let value = cache.get_many_any([MARK]).await?.remove(MARK);
    let shown = format!("{cache:?} {:?} {:?} {found:?} {value:?}", bench.store(), direct.key(MARK));
    assert!(!shown.contains(MARK), "{shown}");
    Ok(())
}

async fn errors_of_counters_quote_nothing(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset(MARK, MARK, Timeout::Default).await?;
    assert_eq!(clean(cache.aincr(MARK, 1).await).kind(), ErrorKind::NotAnInteger);
    cache.aset(MARK, &i64::MAX, Timeout::Default).await?;
    let error = clean(cache.aincr(MARK, 1).await);
    assert_eq!(error.kind(), ErrorKind::Overflow);
    assert!(!format!("{error:?}").contains(&i64::MAX.to_string()), "the value is quoted: {error:?}");
    Ok(())
}

async fn errors_of_values_quote_nothing(bench: Bench) -> Outcome {
    let json = bench.builder().format(Format::new(CodecChoice::Json)).build();
    let tuples = HashMap::from([((MARK.to_owned(), 1), MARK.to_owned())]);
    assert_eq!(clean(json.aset(MARK, &tuples, Timeout::Default).await).kind(), ErrorKind::Codec);
    clean(json.aset(MARK, &(MARK.to_owned(), f64::NAN), Timeout::Default).await);
    let raw = bench.builder().format(Format::new(CodecChoice::Raw)).build();
    clean(raw.aset(MARK, MARK, Timeout::Default).await);
    let small = bench.builder().format(Format::default().with_max_value_bytes(20)).build();
    assert_eq!(clean(small.aset(MARK, &MARK.repeat(9), Timeout::Default).await).kind(), ErrorKind::TooLarge);

    let strict = bench.builder().on_decode_error(OnDecodeError::Error).build();
    strict.aset(MARK, MARK, Timeout::Default).await?;
    assert_eq!(clean(strict.aget::<User>(MARK).await).kind(), ErrorKind::Codec);
    clean(strict.aget_arc::<bool>(MARK).await);
    clean(strict.get_many::<i64, _>([MARK]).await);
    for (_, error) in strict.get_many_partial::<i64, _>([MARK]).await?.failed {
        clean(Err::<(), _>(error));
    }
    for value in strict.get_many_any([MARK]).await?.into_values() {
        clean(value.read::<i64>());
    }
    Ok(())
}

/// What a value says when it refuses to be encoded is the value's own words.
async fn a_value_that_quotes_itself_is_not_quoted(bench: Bench) -> Outcome {
    for codec in [CodecChoice::Msgpack, CodecChoice::Json, CodecChoice::Postcard { schema: 1 }] {
        let cache = bench.builder().format(Format::new(codec)).build();
        let value = Refused(MARK.to_owned());
        assert_eq!(clean(cache.aset(MARK, &value, Timeout::Default).await).kind(), ErrorKind::Codec);
        clean(cache.aadd(MARK, &value, Timeout::Default).await);
        clean(cache.set_many([(MARK, &value)], Timeout::Default).await);
    }
    Ok(())
}

async fn errors_in_bulk_quote_nothing(bench: Bench) -> Outcome {
    let cache = bench.builder().format(Format::default().with_max_value_bytes(20)).build();
    let text = MARK.repeat(9);
    let items = [("a", text.as_str()), (MARK, "short"), ("b", text.as_str())];
    let error = clean(cache.set_many(items, Timeout::Default).await);
    assert_eq!(error.failures().len(), 2);
    assert_eq!(error.operation(), Some(Operation::SetMany));
    assert_eq!(error.alias(), Some("suite"));
    Ok(())
}

async fn events_quote_nothing(bench: Bench) -> Outcome {
    use tracing::instrument::WithSubscriber;

    let witness = crate::witness::Witness::new();
    let work = async {
        let cache = bench.cache();
        let key = format!("{MARK} with a blank");
        cache.aset(&key, MARK, Timeout::Default).await?;
        cache.aget::<i64>(&key).await?;
        cache.aget::<User>(&key).await?;
        Outcome::Ok(())
    };
    work.with_subscriber(witness.clone()).await?;
    assert_eq!(witness.events("cache::codec").len(), 1, "once per alias and reason");
    for event in [witness.events("cache::codec"), witness.events("cache::key")].concat() {
        assert!(!event.contains(MARK), "{event}");
    }
    Ok(())
}
