//! `aclose`: ends the alias for all its handles. And `aping`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cache_core::{Cache, ErrorKind, Timeout};

use crate::bench::Bench;
use crate::case::cases;
use crate::failure::Outcome;

cases! {
    "closing":
    [] => the_store_answers_a_ping, closing_twice_is_fine, every_later_call_is_closed,
        clones_and_versions_are_closed_too, the_tasks_of_the_alias_are_ended, a_closed_cache_has_stats_still,
        closing_at_once_from_many_handles;
}

async fn the_store_answers_a_ping(bench: Bench) -> Outcome {
    let ping = bench.cache().aping().await?;
    assert!(!ping.loading);
    assert!(ping.round_trip < Duration::from_mins(1));
    Ok(())
}

async fn closing_twice_is_fine(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aclose().await?;
    cache.aclose().await?;
    cache.clone().aclose().await?;
    // To the trait too: an alias may be closed by who opened it as well.
    bench.store().aclose().await?;
    Ok(())
}

async fn every_later_call_is_closed(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", &1, Timeout::Forever).await?;
    cache.aclose().await?;
    all_closed(&cache).await
}

async fn clones_and_versions_are_closed_too(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let others = [cache.clone(), cache.at_version(2), cache.with_deadline(Duration::from_secs(5))];
    cache.aclose().await?;
    for other in others {
        all_closed(&other).await?;
    }
    Ok(())
}

async fn all_closed(cache: &Cache) -> Outcome {
    let outcomes = [
        cache.aget::<i64>("key").await.map(drop),
        cache.aget_arc::<i64>("key").await.map(drop),
        cache.aset("key", &1, Timeout::Default).await,
        cache.aset("key", &1, Duration::ZERO).await,
        cache.aset_arc("key", Arc::new(1), Timeout::Default).await,
        cache.aadd("key", &1, Timeout::Default).await.map(drop),
        cache.aadd("key", &1, Duration::ZERO).await.map(drop),
        cache.atouch("key", Timeout::Default).await.map(drop),
        cache.adelete("key").await.map(drop),
        cache.ahas_key("key").await.map(drop),
        cache.alife("key").await.map(drop),
        cache.aincr("key", 1).await.map(drop),
        cache.adecr("key", 1).await.map(drop),
        cache.aincr_version("key", 1).await.map(drop),
        cache.aincr_version("key", 0).await.map(drop),
        cache.at_version(2).adecr_version("key", 1).await.map(drop),
        cache.get_many::<i64, _>(["key"]).await.map(drop),
        cache.get_many::<i64, _>([""; 0]).await.map(drop),
        cache.get_many_any(["key"]).await.map(drop),
        cache.get_many_partial::<i64, _>(["key"]).await.map(drop),
        cache.set_many([("key", &1)], Timeout::Default).await,
        cache.set_many([("key", &1)], Duration::ZERO).await,
        cache.delete_many(["key"]).await,
        cache.aclear().await,
        cache.aping().await.map(drop),
    ];
    for (number, outcome) in outcomes.into_iter().enumerate() {
        assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::Closed), "operation {number}");
    }
    Ok(())
}

async fn the_tasks_of_the_alias_are_ended(bench: Bench) -> Outcome {
    let context = bench.context().clone();
    let cache = bench.builder().context(&context).build();
    let closed = context.closed.clone();
    let has_ended = Arc::new(AtomicBool::new(false));
    let ends = Arc::clone(&has_ended);
    context.tasks.spawn(async move {
        closed.cancelled().await;
        ends.store(true, Ordering::SeqCst);
    });
    cache.aclose().await?;
    assert!(has_ended.load(Ordering::SeqCst), "closing waits for the tasks of the alias");
    Ok(())
}

async fn a_closed_cache_has_stats_still(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aget::<i64>("missing").await?;
    cache.aclose().await?;
    assert!(cache.aget::<i64>("missing").await.is_err());
    let stats = cache.stats();
    assert_eq!(stats.misses, 1);
    assert_eq!(stats.errors.get(&ErrorKind::Closed), Some(&1));
    Ok(())
}

async fn closing_at_once_from_many_handles(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let closing = (0..20).map(|_| {
        let cache = cache.clone();
        tokio::spawn(async move { cache.aclose().await })
    });
    for outcome in futures::future::try_join_all(closing).await? {
        outcome?;
    }
    Ok(())
}
