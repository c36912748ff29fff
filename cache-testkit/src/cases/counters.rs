//! `aincr`, `adecr`: one step, on what is an integer, the life untouched.

use std::fmt::Debug;

use cache_core::{ErrorKind, Life, Result, Timeout, Value};
use futures::future::try_join_all;

use crate::bench::Bench;
use crate::case::cases;
use crate::failure::Outcome;
use crate::samples::{Count, Shape, User};

cases! {
    "counters":
    [] => a_missing_counter_is_not_found_and_not_made, a_missing_counter_is_none_to_the_trait;
    [Stores] => counting_up_and_down, counting_below_zero, zero_changes_nothing,
        an_expired_counter_is_not_found, an_endless_life_is_kept, a_finite_life_is_kept,
        overflow_leaves_the_value, underflow_leaves_the_value, the_least_decrement_overflows,
        the_ends_are_reached, text_is_no_integer, other_types_are_no_integers,
        large_integers_are_no_counters, newtypes_and_some_are_counters,
        every_integer_type_can_be_counted_on, a_counter_is_read_as_every_integer_type,
        a_counter_that_does_not_fit_is_a_miss, a_written_integer_is_counted_on_from_there,
        many_tasks_lose_nothing, versions_count_apart;
}

async fn a_missing_counter_is_not_found_and_not_made(bench: Bench) -> Outcome {
    let cache = bench.cache();
    assert_eq!(kind(cache.aincr("missing", 1).await), Some(ErrorKind::NotFound));
    assert_eq!(kind(cache.adecr("missing", 1).await), Some(ErrorKind::NotFound));
    assert_eq!(kind(cache.aincr("missing", 0).await), Some(ErrorKind::NotFound));
    assert!(!cache.ahas_key("missing").await?);
    Ok(())
}

async fn a_missing_counter_is_none_to_the_trait(bench: Bench) -> Outcome {
    let direct = bench.direct();
    assert_eq!(direct.incr("missing", 1).await?, None);
    assert_eq!(direct.incr("missing", 1).await?, None);
    Ok(())
}

async fn counting_up_and_down(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("count", &10, Timeout::Default).await?;
    assert_eq!(cache.aincr("count", 1).await?, 11);
    assert_eq!(cache.aincr("count", 100).await?, 111);
    assert_eq!(cache.adecr("count", 11).await?, 100);
    assert_eq!(cache.aincr("count", -40).await?, 60);
    assert_eq!(cache.adecr("count", -5).await?, 65);
    assert_eq!(cache.aget("count").await?, Some(65));
    Ok(())
}

async fn counting_below_zero(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("count", &1, Timeout::Default).await?;
    assert_eq!(cache.adecr("count", 3).await?, -2);
    assert_eq!(cache.aget("count").await?, Some(-2));
    assert_eq!(cache.aincr("count", 1).await?, -1);
    Ok(())
}

async fn zero_changes_nothing(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("count", &7, Timeout::Forever).await?;
    assert_eq!(cache.aincr("count", 0).await?, 7);
    assert_eq!(cache.adecr("count", 0).await?, 7);
    assert_eq!(cache.alife("count").await?, Some(Life::Forever));
    Ok(())
}

async fn an_expired_counter_is_not_found(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let mut span = bench.span(bench.short());
    cache.aset("count", &7, bench.short()).await?;
    span.passes().await;
    assert_eq!(kind(cache.aincr("count", 1).await), Some(ErrorKind::NotFound));
    assert!(!cache.ahas_key("count").await?);
    Ok(())
}

async fn an_endless_life_is_kept(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("count", &1, Timeout::Forever).await?;
    cache.aincr("count", 1).await?;
    cache.adecr("count", 1).await?;
    assert_eq!(cache.alife("count").await?, Some(Life::Forever));
    Ok(())
}

async fn a_finite_life_is_kept(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let mut span = bench.span(bench.short());
    cache.aset("count", &1, bench.short()).await?;
    cache.aset("control", &1, bench.short()).await?;
    span.nearly_passes().await;
    let counted = cache.aincr("count", 1).await;
    assert!(matches!(counted, Ok(2)) || !span.is_owed(), "{counted:?}");
    span.passes().await;
    assert!(!cache.ahas_key("count").await?, "the life began anew");
    Ok(())
}

async fn overflow_leaves_the_value(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let near = i64::MAX - 1;
    cache.aset("count", &near, Timeout::Forever).await?;
    assert_eq!(kind(cache.aincr("count", 2).await), Some(ErrorKind::Overflow));
    assert_eq!(kind(cache.aincr("count", i64::MAX).await), Some(ErrorKind::Overflow));
    assert_eq!(cache.aget("count").await?, Some(near));
    assert_eq!(cache.alife("count").await?, Some(Life::Forever));
    assert_eq!(cache.adecr("count", 1).await?, near - 1, "it goes on counting");
    Ok(())
}

async fn underflow_leaves_the_value(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let near = i64::MIN + 1;
    cache.aset("count", &near, Timeout::Forever).await?;
    assert_eq!(kind(cache.adecr("count", 2).await), Some(ErrorKind::Overflow));
    assert_eq!(kind(cache.aincr("count", i64::MIN).await), Some(ErrorKind::Overflow));
    assert_eq!(cache.aget("count").await?, Some(near));
    Ok(())
}

async fn the_least_decrement_overflows(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("count", &0, Timeout::Forever).await?;
    assert_eq!(kind(cache.adecr("count", i64::MIN).await), Some(ErrorKind::Overflow));
    assert_eq!(cache.aget("count").await?, Some(0));
    assert_eq!(cache.aincr("count", i64::MIN).await?, i64::MIN, "and this one fits");
    Ok(())
}

async fn the_ends_are_reached(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("high", &(i64::MAX - 1), Timeout::Forever).await?;
    assert_eq!(cache.aincr("high", 1).await?, i64::MAX);
    cache.aset("low", &(i64::MIN + 1), Timeout::Forever).await?;
    assert_eq!(cache.adecr("low", 1).await?, i64::MIN);
    assert_eq!(cache.aget("high").await?, Some(i64::MAX));
    assert_eq!(cache.aget("low").await?, Some(i64::MIN));
    assert_eq!(cache.aincr("low", i64::MAX).await?, -1);
    Ok(())
}

async fn text_is_no_integer(bench: Bench) -> Outcome {
    let cache = bench.cache();
    for text in ["onwards", "", "42", "-7", " 42", "4.5"] {
        cache.aset("key", text, Timeout::Forever).await?;
        assert_eq!(kind(cache.aincr("key", 1).await), Some(ErrorKind::NotAnInteger), "{text:?}");
        assert_eq!(kind(cache.adecr("key", 1).await), Some(ErrorKind::NotAnInteger), "{text:?}");
        assert_eq!(cache.aget::<String>("key").await?.as_deref(), Some(text));
    }
    Ok(())
}

async fn other_types_are_no_integers(bench: Bench) -> Outcome {
    no_counter(&bench, 4.0_f64).await?;
    no_counter(&bench, 4.5_f32).await?;
    no_counter(&bench, true).await?;
    no_counter(&bench, 'x').await?;
    no_counter(&bench, ()).await?;
    no_counter(&bench, None::<i64>).await?;
    no_counter(&bench, User::ada()).await?;
    no_counter(&bench, Shape::Point).await?;
    no_counter(&bench, vec![1_i64]).await?;
    no_counter(&bench, (1_i64,)).await?;
    no_counter(&bench, b"42".to_vec()).await?;
    no_counter(&bench, bytes::Bytes::from_static(b"42")).await?;
    Ok(())
}

async fn large_integers_are_no_counters(bench: Bench) -> Outcome {
    no_counter(&bench, u64::MAX).await?;
    no_counter(&bench, i128::from(i64::MIN) - 1).await?;
    no_counter(&bench, u128::MAX).await?;
    Ok(())
}

async fn no_counter<T: Value + PartialEq + Debug>(bench: &Bench, value: T) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", &value, Timeout::Forever).await?;
    assert_eq!(kind(cache.aincr("key", 1).await), Some(ErrorKind::NotAnInteger), "{value:?}");
    assert_eq!(cache.aget("key").await?, Some(value), "it was left as it is");
    assert_eq!(cache.alife("key").await?, Some(Life::Forever));
    Ok(())
}

async fn newtypes_and_some_are_counters(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("newtype", &Count(6), Timeout::Default).await?;
    assert_eq!(cache.aincr("newtype", 1).await?, 7);
    assert_eq!(cache.aget("newtype").await?, Some(Count(7)));
    cache.aset("some", &Some(6), Timeout::Default).await?;
    assert_eq!(cache.aincr("some", 1).await?, 7);
    assert_eq!(cache.aget::<Option<i64>>("some").await?, Some(Some(7)));
    assert_eq!(cache.aget::<i64>("some").await?, Some(7));
    Ok(())
}

async fn every_integer_type_can_be_counted_on(bench: Bench) -> Outcome {
    counted_on(&bench, 100_i8, 101).await?;
    counted_on(&bench, 100_i16, 101).await?;
    counted_on(&bench, 100_i32, 101).await?;
    counted_on(&bench, 100_i64, 101).await?;
    counted_on(&bench, 100_i128, 101).await?;
    counted_on(&bench, 100_isize, 101).await?;
    counted_on(&bench, 100_u8, 101).await?;
    counted_on(&bench, 100_u16, 101).await?;
    counted_on(&bench, 100_u32, 101).await?;
    counted_on(&bench, 100_u64, 101).await?;
    counted_on(&bench, 100_u128, 101).await?;
    counted_on(&bench, 100_usize, 101).await?;
    Ok(())
}

async fn counted_on<T: Value + PartialEq + Debug>(bench: &Bench, start: T, next: T) -> Outcome {
    let cache = bench.cache();
    cache.aset("count", &start, Timeout::Default).await?;
    assert_eq!(cache.aget("count").await?, Some(start));
    assert_eq!(cache.aincr("count", 1).await?, 101);
    assert_eq!(cache.aget("count").await?, Some(next));
    Ok(())
}

async fn a_counter_is_read_as_every_integer_type(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("count", &41, Timeout::Default).await?;
    cache.aincr("count", 1).await?;
    assert_eq!(cache.aget::<i8>("count").await?, Some(42));
    assert_eq!(cache.aget::<i16>("count").await?, Some(42));
    assert_eq!(cache.aget::<i32>("count").await?, Some(42));
    assert_eq!(cache.aget::<i64>("count").await?, Some(42));
    assert_eq!(cache.aget::<i128>("count").await?, Some(42));
    assert_eq!(cache.aget::<u8>("count").await?, Some(42));
    assert_eq!(cache.aget::<u16>("count").await?, Some(42));
    assert_eq!(cache.aget::<u32>("count").await?, Some(42));
    assert_eq!(cache.aget::<u64>("count").await?, Some(42));
    assert_eq!(cache.aget::<u128>("count").await?, Some(42));
    assert_eq!(cache.aget::<usize>("count").await?, Some(42));
    assert_eq!(cache.aget::<Option<u8>>("count").await?, Some(Some(42)));
    assert_eq!(cache.aget::<Count>("count").await?, Some(Count(42)));
    assert_eq!(cache.aget_arc::<u32>("count").await?.as_deref(), Some(&42));
    assert_eq!(cache.get_many::<u8, _>(["count"]).await?.get("count"), Some(&42));
    Ok(())
}

async fn a_counter_that_does_not_fit_is_a_miss(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("large", &300, Timeout::Default).await?;
    assert_eq!(cache.aget::<u8>("large").await?, None);
    assert_eq!(cache.aget::<i8>("large").await?, None);
    assert_eq!(cache.aget::<u16>("large").await?, Some(300));
    cache.aset("negative", &-1, Timeout::Default).await?;
    assert_eq!(cache.aget::<u64>("negative").await?, None);
    assert_eq!(cache.aget::<u128>("negative").await?, None);
    assert_eq!(cache.aget::<i8>("negative").await?, Some(-1));
    assert_eq!(cache.aget::<String>("negative").await?, None, "an integer is no text");
    assert_eq!(cache.aget::<bool>("negative").await?, None);
    Ok(())
}

async fn a_written_integer_is_counted_on_from_there(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("count", &1, Timeout::Default).await?;
    cache.aincr("count", 1).await?;
    cache.aset("count", &100, Timeout::Default).await?;
    assert_eq!(cache.aincr("count", 1).await?, 101);
    cache.set_many([("count", &200)], Timeout::Default).await?;
    assert_eq!(cache.aincr("count", 1).await?, 201);
    cache.adelete("count").await?;
    assert!(cache.aadd("count", &5, Timeout::Default).await?);
    assert_eq!(cache.aincr("count", 1).await?, 6);
    Ok(())
}

async fn many_tasks_lose_nothing(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("count", &0, Timeout::Forever).await?;
    let tasks = bench.scaled(1_000);
    let counts = (0..tasks).map(|_| {
        let cache = cache.clone();
        tokio::spawn(async move { cache.aincr("count", 1).await })
    });
    let mut answers = Vec::with_capacity(tasks);
    for answer in try_join_all(counts).await? {
        answers.push(usize::try_from(answer?)?);
    }
    answers.sort_unstable();
    assert!(answers.iter().copied().eq(1..=tasks), "each sum is answered once");
    assert_eq!(cache.aget("count").await?, Some(tasks));
    Ok(())
}

async fn versions_count_apart(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let v2 = cache.at_version(2);
    cache.aset("count", &1, Timeout::Default).await?;
    assert_eq!(kind(v2.aincr("count", 1).await), Some(ErrorKind::NotFound));
    v2.aset("count", &10, Timeout::Default).await?;
    assert_eq!(cache.aincr("count", 1).await?, 2);
    assert_eq!(v2.aincr("count", 1).await?, 11);
    Ok(())
}

fn kind<T>(outcome: Result<T>) -> Option<ErrorKind> {
    outcome.err().map(|error| error.kind())
}
