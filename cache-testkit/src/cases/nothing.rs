//! A store that keeps nothing answers all the same, as Django's dummy does.

use std::collections::HashMap;
use std::time::Duration;

use cache_core::{ErrorKind, Timeout};

use crate::bench::Bench;
use crate::case::cases;
use crate::failure::Outcome;
use crate::samples::User;

cases! {
    "nothing":
    [StoresNothing] => writes_succeed_and_nothing_is_kept, adds_succeed_each_time,
        nothing_can_be_touched_or_deleted, nothing_can_be_counted_or_moved, bulk_succeeds_and_finds_nothing;
}

async fn writes_succeed_and_nothing_is_kept(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("user", &User::ada(), Timeout::Forever).await?;
    cache.aset("count", &1, Duration::ZERO).await?;
    assert_eq!(cache.aget::<User>("user").await?, None);
    assert!(!cache.ahas_key("user").await?);
    assert_eq!(cache.alife("user").await?, None);
    Ok(())
}

async fn adds_succeed_each_time(bench: Bench) -> Outcome {
    let cache = bench.cache();
    assert!(cache.aadd("key", "text", Timeout::Default).await?);
    assert!(cache.aadd("key", "text", Timeout::Default).await?);
    assert!(cache.aadd("key", "text", Duration::ZERO).await?);
    Ok(())
}

async fn nothing_can_be_touched_or_deleted(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", "text", Timeout::Forever).await?;
    assert!(!cache.atouch("key", Timeout::Forever).await?);
    assert!(!cache.adelete("key").await?);
    Ok(())
}

async fn nothing_can_be_counted_or_moved(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", &1, Timeout::Forever).await?;
    let outcomes = [
        cache.aincr("key", 1).await.map(drop),
        cache.adecr("key", 1).await.map(drop),
        cache.aincr_version("key", 1).await.map(drop),
        cache.adecr_version("key", 1).await.map(drop),
        cache.aincr_version("key", 0).await.map(drop),
    ];
    for outcome in outcomes {
        assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    }
    Ok(())
}

async fn bulk_succeeds_and_finds_nothing(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.set_many([("a", &1), ("b", &2)], Timeout::Forever).await?;
    assert_eq!(cache.get_many::<i64, _>(["a", "b"]).await?, HashMap::new());
    assert!(cache.get_many_any(["a", "b"]).await?.is_empty());
    cache.delete_many(["a", "b"]).await?;
    Ok(())
}
