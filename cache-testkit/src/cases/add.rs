//! `aadd`: only if there is no live entry.

use std::time::Duration;

use cache_core::{Life, Timeout};
use futures::future::try_join_all;

use crate::bench::Bench;
use crate::case::cases;
use crate::failure::Outcome;
use crate::samples::User;

cases! {
    "add":
    [] => a_free_key_is_added, zero_on_a_free_key_says_that_it_is_free;
    [Stores] => what_was_added_is_there, a_taken_key_keeps_its_value, a_taken_key_keeps_its_life,
        a_stored_none_takes_the_key, a_deleted_key_is_free, an_expired_key_is_free,
        zero_on_a_taken_key_leaves_it, an_added_life_ends, one_of_many_tasks_wins;
}

async fn a_free_key_is_added(bench: Bench) -> Outcome {
    assert!(bench.cache().aadd("key", "text", Timeout::Default).await?);
    Ok(())
}

async fn zero_on_a_free_key_says_that_it_is_free(bench: Bench) -> Outcome {
    let cache = bench.cache();
    assert!(cache.aadd("key", "text", Duration::ZERO).await?);
    assert!(!cache.ahas_key("key").await?);
    assert!(cache.aadd("key", "text", Duration::ZERO).await?);
    Ok(())
}

async fn what_was_added_is_there(bench: Bench) -> Outcome {
    let cache = bench.cache();
    assert!(cache.aadd("user", &User::ada(), Timeout::Forever).await?);
    assert_eq!(cache.aget("user").await?, Some(User::ada()));
    assert_eq!(cache.alife("user").await?, Some(Life::Forever));
    Ok(())
}

async fn a_taken_key_keeps_its_value(bench: Bench) -> Outcome {
    let cache = bench.cache();
    assert!(cache.aadd("key", "first", Timeout::Default).await?);
    assert!(!cache.aadd("key", "second", Timeout::Default).await?);
    assert_eq!(cache.aget::<String>("key").await?.as_deref(), Some("first"));
    cache.aset("count", &1, Timeout::Default).await?;
    assert!(!cache.aadd("count", &2, Timeout::Default).await?);
    assert_eq!(cache.aget("count").await?, Some(1));
    Ok(())
}

async fn a_taken_key_keeps_its_life(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let mut span = bench.span(bench.short());
    cache.aset("short", &1, bench.short()).await?;
    cache.aset("endless", &1, Timeout::Forever).await?;
    assert!(!cache.aadd("endless", &2, bench.short()).await?);
    if span.is_over_instead_of(!cache.aadd("short", &2, Timeout::Forever).await?) {
        return Ok(());
    }
    assert_eq!(cache.alife("endless").await?, Some(Life::Forever));
    span.passes().await;
    assert!(cache.ahas_key("endless").await?);
    assert!(!cache.ahas_key("short").await?);
    Ok(())
}

async fn a_stored_none_takes_the_key(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", &None::<String>, Timeout::Default).await?;
    assert!(!cache.aadd("key", "text", Timeout::Default).await?);
    assert_eq!(cache.aget::<Option<String>>("key").await?, Some(None));
    Ok(())
}

async fn a_deleted_key_is_free(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", "first", Timeout::Forever).await?;
    cache.adelete("key").await?;
    assert!(cache.aadd("key", "second", Timeout::Forever).await?);
    assert_eq!(cache.aget::<String>("key").await?.as_deref(), Some("second"));
    Ok(())
}

async fn an_expired_key_is_free(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let mut span = bench.span(bench.short());
    cache.aset("key", "first", bench.short()).await?;
    span.passes().await;
    assert!(cache.aadd("key", "second", Timeout::Forever).await?);
    assert_eq!(cache.aget::<String>("key").await?.as_deref(), Some("second"));
    assert_eq!(cache.alife("key").await?, Some(Life::Forever));
    Ok(())
}

async fn zero_on_a_taken_key_leaves_it(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", "first", Timeout::Forever).await?;
    assert!(!cache.aadd("key", "second", Duration::ZERO).await?);
    assert_eq!(cache.aget::<String>("key").await?.as_deref(), Some("first"));
    assert_eq!(cache.alife("key").await?, Some(Life::Forever));
    Ok(())
}

async fn an_added_life_ends(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let mut span = bench.span(bench.short());
    assert!(cache.aadd("key", "text", bench.short()).await?);
    span.nearly_passes().await;
    assert!(cache.ahas_key("key").await? || !span.is_owed());
    span.passes().await;
    assert!(!cache.ahas_key("key").await?);
    Ok(())
}

async fn one_of_many_tasks_wins(bench: Bench) -> Outcome {
    let cache = bench.cache();
    for round in 0..bench.scaled(5) {
        let key = format!("key {round}");
        let adds = (0..100_u64).map(|number| {
            let (cache, key) = (cache.clone(), key.clone());
            tokio::spawn(async move { (number, cache.aadd(&key, &number, Timeout::Default).await) })
        });
        let mut winners = Vec::new();
        for (number, added) in try_join_all(adds).await? {
            if added? {
                winners.push(number);
            }
        }
        assert_eq!(winners.len(), 1, "winners: {winners:?}");
        assert_eq!(cache.aget::<u64>(&key).await?, winners.pop());
    }
    Ok(())
}
