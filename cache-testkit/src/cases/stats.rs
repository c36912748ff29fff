//! Statistics: what happened, counted once, and nothing of whom it happened to.

use std::time::Duration;

use cache_core::{ErrorKind, KeyCheck, Timeout};

use crate::bench::Bench;
use crate::case::cases;
use crate::failure::Outcome;

cases! {
    "stats":
    [] => misses_are_counted, errors_are_counted_by_kind, handles_of_one_alias_count_together,
        what_found_nothing_wrote_nothing;
    [Stores] => hits_are_counted, writes_are_counted, deletes_are_counted, bulk_is_counted_by_the_key;
    [Stores, Usage] => the_size_is_told;
    [Stores, Usage, OwnStore] => the_size_follows_what_is_written;
    [Stores, Usage, OwnStore, ClearPrefix] => a_cleared_store_has_no_size;
    [StoresNothing, Usage] => there_is_nothing_in_it;
}

async fn misses_are_counted(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aget::<i64>("a").await?;
    cache.aget_arc::<i64>("a").await?;
    cache.get_many::<i64, _>(["a", "b"]).await?;
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.writes), (0, 4, 0));
    assert!(stats.errors.is_empty() && stats.undecodable.is_empty());
    Ok(())
}

async fn hits_are_counted(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("a", &1, Timeout::Default).await?;
    cache.aset("none", &None::<i64>, Timeout::Default).await?;
    cache.aget::<i64>("a").await?;
    cache.aget_arc::<i64>("a").await?;
    cache.aget::<Option<i64>>("none").await?;
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses), (3, 0));
    Ok(())
}

async fn writes_are_counted(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("a", &1, Timeout::Default).await?;
    cache.aadd("b", &1, Timeout::Default).await?;
    cache.aadd("b", &1, Timeout::Default).await?;
    cache.atouch("a", Timeout::Default).await?;
    cache.aincr("a", 1).await?;
    cache.adecr("a", 1).await?;
    cache.aincr_version("a", 1).await?;
    let stats = cache.stats();
    assert_eq!((stats.writes, stats.deletes), (6, 0), "the refused add wrote nothing");
    Ok(())
}

async fn what_found_nothing_wrote_nothing(bench: Bench) -> Outcome {
    let cache = bench.cache();
    assert!(!cache.atouch("missing", Timeout::Default).await?);
    assert!(cache.aincr("missing", 1).await.is_err());
    assert!(cache.adecr("missing", 1).await.is_err());
    assert!(cache.aincr_version("missing", 1).await.is_err());
    assert_eq!(cache.stats().writes, 0, "nothing was written, touched, incremented or moved");
    Ok(())
}

async fn deletes_are_counted(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("a", &1, Timeout::Default).await?;
    cache.adelete("a").await?;
    cache.adelete("a").await?;
    cache.aset("a", &1, Duration::ZERO).await?;
    cache.atouch("a", Duration::ZERO).await?;
    let stats = cache.stats();
    assert_eq!((stats.writes, stats.deletes), (1, 4), "whether it was there or not");
    Ok(())
}

async fn bulk_is_counted_by_the_key(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.set_many([("a", &1), ("b", &2), ("c", &3)], Timeout::Default).await?;
    cache.get_many::<i64, _>(["a", "b", "missing"]).await?;
    // Of a value of any type it shows when it is read.
    let found = cache.get_many_any(["a"]).await?;
    assert_eq!(found["a"].read::<i64>()?, Some(1));
    cache.delete_many(["a", "missing"]).await?;
    let stats = cache.stats();
    assert_eq!((stats.writes, stats.hits, stats.misses, stats.deletes), (3, 3, 1, 2));
    Ok(())
}

async fn errors_are_counted_by_kind(bench: Bench) -> Outcome {
    let cache = bench.builder().key_check(KeyCheck::Error).build();
    assert!(cache.aincr("missing", 1).await.is_err());
    assert!(cache.aincr_version("missing", 1).await.is_err());
    assert!(cache.aget::<i64>("a b").await.is_err());
    assert!(cache.adecr_version("key", 5).await.is_err());
    let stats = cache.stats();
    let counted: Vec<_> = stats.errors.into_iter().collect();
    assert_eq!(counted, [(ErrorKind::NotFound, 2), (ErrorKind::InvalidKey, 1), (ErrorKind::Overflow, 1)]);
    assert_eq!(stats.misses, 0, "an error is no miss");
    Ok(())
}

async fn handles_of_one_alias_count_together(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aget::<i64>("a").await?;
    cache.clone().aget::<i64>("a").await?;
    cache.at_version(2).aget::<i64>("a").await?;
    cache.with_deadline(Duration::from_secs(5)).aget::<i64>("a").await?;
    assert_eq!(cache.stats().misses, 4);
    assert_eq!(bench.builder().alias("another").build().stats().misses, 0);
    Ok(())
}

async fn the_size_is_told(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("a", &1, Timeout::Forever).await?;
    assert!(cache.stats().entries >= Some(1));
    assert_eq!(cache.stats().entries.is_some(), bench.store().usage().entries.is_some());
    Ok(())
}

async fn the_size_follows_what_is_written(bench: Bench) -> Outcome {
    let cache = bench.cache();
    assert_eq!(cache.stats().entries, Some(0));
    cache.set_many([("a", &1), ("b", &2), ("c", &3)], Timeout::Forever).await?;
    cache.aset("a", &4, Timeout::Forever).await?;
    assert_eq!(cache.stats().entries, Some(3));
    cache.adelete("a").await?;
    assert_eq!(cache.stats().entries, Some(2));
    cache.aincr_version("b", 1).await?;
    assert_eq!(cache.stats().entries, Some(2));
    Ok(())
}

async fn a_cleared_store_has_no_size(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.set_many([("a", &1), ("b", &2)], Timeout::Forever).await?;
    cache.aclear().await?;
    assert_eq!(cache.stats().entries, Some(0));
    Ok(())
}

async fn there_is_nothing_in_it(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("a", &1, Timeout::Forever).await?;
    assert_eq!(cache.stats().entries, Some(0));
    Ok(())
}
