//! `adelete`: says whether there was a live entry.

use cache_core::Timeout;

use crate::bench::Bench;
use crate::case::cases;
use crate::failure::Outcome;

cases! {
    "delete":
    [] => a_missing_key_is_false;
    [Stores] => a_deleted_entry_is_gone, a_second_delete_is_false, a_stored_none_was_there,
        a_counter_is_deleted, neighbours_stay, an_expired_entry_was_not_there,
        one_of_many_tasks_deletes;
}

async fn a_missing_key_is_false(bench: Bench) -> Outcome {
    assert!(!bench.cache().adelete("missing").await?);
    Ok(())
}

async fn a_deleted_entry_is_gone(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", "text", Timeout::Forever).await?;
    assert!(cache.adelete("key").await?);
    assert_eq!(cache.aget::<String>("key").await?, None);
    assert!(!cache.ahas_key("key").await?);
    assert_eq!(cache.alife("key").await?, None);
    Ok(())
}

async fn a_second_delete_is_false(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", "text", Timeout::Forever).await?;
    assert!(cache.adelete("key").await?);
    assert!(!cache.adelete("key").await?);
    Ok(())
}

async fn a_stored_none_was_there(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", &None::<String>, Timeout::Forever).await?;
    assert!(cache.adelete("key").await?);
    assert_eq!(cache.aget::<Option<String>>("key").await?, None);
    Ok(())
}

async fn a_counter_is_deleted(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("count", &1, Timeout::Forever).await?;
    assert!(cache.adelete("count").await?);
    assert_eq!(cache.aget::<i64>("count").await?, None);
    Ok(())
}

async fn neighbours_stay(bench: Bench) -> Outcome {
    let cache = bench.cache();
    for key in ["a", "ab", "a:b", "A"] {
        cache.aset(key, key, Timeout::Forever).await?;
    }
    assert!(cache.adelete("a").await?);
    for key in ["ab", "a:b", "A"] {
        assert_eq!(cache.aget::<String>(key).await?.as_deref(), Some(key));
    }
    Ok(())
}

async fn an_expired_entry_was_not_there(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let mut span = bench.span(bench.short());
    cache.aset("key", "text", bench.short()).await?;
    span.passes().await;
    assert!(!cache.adelete("key").await?);
    Ok(())
}

async fn one_of_many_tasks_deletes(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", "text", Timeout::Forever).await?;
    let deletes = (0..50).map(|_| {
        let cache = cache.clone();
        tokio::spawn(async move { cache.adelete("key").await })
    });
    let mut winners = 0;
    for outcome in futures::future::try_join_all(deletes).await? {
        winners += usize::from(outcome?);
    }
    assert_eq!(winners, 1);
    Ok(())
}
