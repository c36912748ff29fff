//! Lives end: not before their time, and not long after.

use std::collections::HashMap;
use std::time::Duration;

use cache_core::{ErrorKind, Life, Timeout};

use crate::bench::Bench;
use crate::case::cases;
use crate::failure::Outcome;

cases! {
    "expiry":
    [Stores] => an_entry_lives_its_life_and_not_much_longer, an_expired_entry_is_absent_to_every_operation,
        an_expired_entry_is_absent_to_the_trait, an_endless_entry_stays, reading_does_not_prolong,
        a_rewritten_entry_lives_anew, lives_end_one_by_one, an_expired_life_is_none;
    [Stores, FineLives] => a_life_of_less_than_a_second_is_honoured, milliseconds_are_told_apart;
}

async fn an_entry_lives_its_life_and_not_much_longer(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let mut span = bench.span(bench.short());
    cache.aset("text", "text", bench.short()).await?;
    cache.aset("count", &1, bench.short()).await?;
    span.nearly_passes().await;
    let text = cache.aget::<String>("text").await?;
    assert!(text.is_some() || !span.is_owed());
    let count = cache.aget::<i64>("count").await?;
    assert!(count.is_some() || !span.is_owed());
    span.passes().await;
    assert_eq!(cache.aget::<String>("text").await?, None);
    assert_eq!(cache.aget::<i64>("count").await?, None);
    Ok(())
}

async fn an_expired_entry_is_absent_to_every_operation(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let names = ["get", "arc", "has", "life", "incr", "touch", "delete", "move", "many", "add"];
    let mut span = bench.span(bench.short());
    cache.set_many(names.map(|name| (name, &1)), bench.short()).await?;
    span.passes().await;
    // Each a key of its own: no read before could have removed it.
    assert_eq!(cache.aget::<i64>("get").await?, None);
    assert_eq!(cache.aget_arc::<i64>("arc").await?, None);
    assert!(!cache.ahas_key("has").await?);
    assert_eq!(cache.alife("life").await?, None);
    let counted = cache.aincr("incr", 1).await;
    assert_eq!(counted.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    assert!(!cache.atouch("touch", Timeout::Forever).await?);
    assert!(!cache.adelete("delete").await?);
    let moved = cache.aincr_version("move", 1).await;
    assert_eq!(moved.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    assert_eq!(cache.get_many::<i64, _>(["many"]).await?, HashMap::new());
    assert!(cache.aadd("add", &2, Timeout::Default).await?);
    assert_eq!(cache.get_many::<i64, _>(names).await?, HashMap::from([("add", 2)]));
    Ok(())
}

async fn an_expired_entry_is_absent_to_the_trait(bench: Bench) -> Outcome {
    let direct = bench.direct();
    let mut span = bench.span(bench.short());
    let write = || cache_core::Write::new(Life::For(bench.short()));
    for name in ["get", "has", "life", "probe", "incr", "touch", "delete", "present", "absent"] {
        direct.write(name, 1, write()).await?;
    }
    span.passes().await;
    assert_ne!(direct.probe("probe"), Some(true));
    assert!(direct.found("get").await?.is_none());
    assert!(!direct.has("has").await?);
    assert_eq!(direct.life("life").await?, None);
    assert_eq!(direct.incr("incr", 1).await?, None);
    assert!(!direct.touch("touch", Life::Forever).await?);
    assert!(!direct.delete("delete", &cache_core::When::Always).await?);
    assert!(!direct.put_when("present", 2, cache_core::When::Present).await?);
    assert!(direct.put_when("absent", 2, cache_core::When::Absent).await?);
    Ok(())
}

async fn an_endless_entry_stays(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", "text", Timeout::Forever).await?;
    let long = if bench.time().is_manual() { Duration::from_hours(100 * 365 * 24) } else { bench.short() };
    bench.time().pass(long).await;
    assert_eq!(cache.aget::<String>("key").await?.as_deref(), Some("text"));
    assert_eq!(cache.alife("key").await?, Some(Life::Forever));
    Ok(())
}

async fn reading_does_not_prolong(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let mut span = bench.span(bench.short());
    cache.aset("key", &1, bench.short()).await?;
    span.nearly_passes().await;
    cache.aget::<i64>("key").await?;
    cache.ahas_key("key").await?;
    cache.alife("key").await?;
    cache.get_many::<i64, _>(["key"]).await?;
    span.passes().await;
    assert!(!cache.ahas_key("key").await?);
    Ok(())
}

async fn a_rewritten_entry_lives_anew(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let mut first = bench.span(bench.short());
    cache.aset("key", "first", bench.short()).await?;
    first.nearly_passes().await;
    let mut second = bench.span(bench.short());
    cache.aset("key", "second", bench.short()).await?;
    second.nearly_passes().await;
    let found = cache.aget::<String>("key").await?;
    assert!(found.as_deref() == Some("second") || !second.is_owed(), "{found:?}");
    second.passes().await;
    assert!(!cache.ahas_key("key").await?);
    Ok(())
}

async fn lives_end_one_by_one(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let unit = bench.short();
    let mut first = bench.span(unit);
    let mut second = bench.span(4 * unit);
    cache.aset("first", &1, unit).await?;
    cache.aset("second", &2, 4 * unit).await?;
    cache.aset("endless", &3, Timeout::Forever).await?;
    first.passes().await;
    let found = cache.get_many::<i64, _>(["first", "second", "endless"]).await?;
    assert!(found == HashMap::from([("second", 2), ("endless", 3)]) || !second.is_owed(), "{found:?}");
    second.passes().await;
    let found = cache.get_many::<i64, _>(["first", "second", "endless"]).await?;
    assert_eq!(found, HashMap::from([("endless", 3)]));
    Ok(())
}

async fn an_expired_life_is_none(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let mut span = bench.span(bench.short());
    cache.aset("key", &1, bench.short()).await?;
    span.nearly_passes().await;
    match cache.alife("key").await? {
        Some(Life::For(rest)) => assert!(!rest.is_zero(), "a life is positive"),
        Some(Life::Forever) => panic!("it has an end"),
        None => assert!(!span.is_owed()),
    }
    span.passes().await;
    assert_eq!(cache.alife("key").await?, None);
    Ok(())
}

async fn a_life_of_less_than_a_second_is_honoured(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let life = Duration::from_millis(300);
    let mut span = bench.span(life);
    cache.aset("key", "text", life).await?;
    span.nearly_passes().await;
    let found = cache.ahas_key("key").await?;
    assert!(found || !span.is_owed());
    span.passes().await;
    assert!(!cache.ahas_key("key").await?);
    Ok(())
}

async fn milliseconds_are_told_apart(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let mut short = bench.span(Duration::from_millis(150));
    let mut long = bench.span(Duration::from_millis(1_150));
    cache.aset("short", &1, Duration::from_millis(150)).await?;
    cache.aset("long", &1, Duration::from_millis(1_150)).await?;
    short.passes().await;
    assert!(!cache.ahas_key("short").await?);
    let found = cache.ahas_key("long").await?;
    assert!(found || !long.is_owed());
    long.passes().await;
    assert!(!cache.ahas_key("long").await?);
    Ok(())
}
