//! What happens to a key while it is loaded has the last word.

use std::future::Future;
use std::time::Duration;

use cache_core::{Cache, Life, Timeout};

use super::loads::{echo, text};
use crate::bench::Bench;
use crate::case::cases;
use crate::failure::Outcome;

cases! {
    "loads":
    [Stores] => a_delete_during_a_load_has_the_last_word, a_write_during_a_load_has_the_last_word,
        a_write_elsewhere_during_a_load_is_kept, a_move_during_a_load_has_the_last_word;
    [Stores, ClearPrefix] => a_clear_during_a_load_has_the_last_word;
}

/// What comes of a load of one key whose loader does this first.
async fn loading_while<Fut>(
    cache: &Cache,
    key: &str,
    work: impl FnOnce(Cache) -> Fut + Send + 'static,
) -> Outcome
where
    Fut: Future<Output = cache_core::Result<()>> + Send + 'static,
{
    let inner = cache.clone();
    let load = || async move { work(inner).await.map(|()| "loaded".to_owned()) };
    let value = cache.aget_or_try_set(key, Timeout::Forever, load).await?;
    assert_eq!(*value, "loaded", "who waits gets it all the same");
    Ok(())
}

/// The same with a batch.
async fn loading_many_while<Fut>(
    cache: &Cache,
    keys: [&str; 2],
    work: impl FnOnce(Cache) -> Fut + Send + 'static,
) -> Outcome
where
    Fut: Future<Output = cache_core::Result<()>> + Send + 'static,
{
    let inner = cache.clone();
    let load = |missing| async move {
        work(inner).await?;
        Ok::<_, cache_core::Error>(echo(missing).await)
    };
    let found = cache.get_or_try_set_many(keys, Timeout::Forever, load).await?;
    assert!(keys.into_iter().all(|key| *found[key] == key), "who waits gets it all the same");
    Ok(())
}

async fn a_delete_during_a_load_has_the_last_word(bench: Bench) -> Outcome {
    let cache = bench.cache();
    loading_while(&cache, "a", |cache| async move { cache.adelete("a").await.map(drop) }).await?;
    loading_while(&cache, "b", |cache| async move { cache.delete_many(["x", "b"]).await }).await?;
    loading_while(&cache, "c", |cache| async move { cache.atouch("c", Duration::ZERO).await.map(drop) })
        .await?;
    loading_while(&cache, "d", |cache| async move { cache.aset("d", &1, Duration::ZERO).await }).await?;
    loading_many_while(&cache, ["e", "f"], |cache| async move { cache.adelete("e").await.map(drop) }).await?;
    for key in ["a", "b", "c", "d", "e"] {
        assert_eq!(text(&cache, key).await?, None, "{key}");
    }
    assert_eq!(text(&cache, "f").await?.as_deref(), Some("f"));
    assert_eq!(cache.stats().loads_voided, 5);
    Ok(())
}

async fn a_write_during_a_load_has_the_last_word(bench: Bench) -> Outcome {
    let cache = bench.cache();
    loading_while(&cache, "a", |cache| async move { cache.aset("a", "new", Timeout::Forever).await }).await?;
    loading_while(&cache, "b", |cache| async move { cache.set_many([("b", "new")], Timeout::Forever).await })
        .await?;
    loading_while(
        &cache,
        "c",
        |cache| async move { cache.aadd("c", "new", Timeout::Forever).await.map(drop) },
    )
    .await?;
    let write = |cache: Cache| async move { cache.aset("e", "new", Timeout::Forever).await };
    loading_many_while(&cache, ["d", "e"], write).await?;
    for key in ["a", "b", "c", "e"] {
        assert_eq!(text(&cache, key).await?.as_deref(), Some("new"), "{key}");
    }
    assert_eq!(text(&cache, "d").await?.as_deref(), Some("d"));
    Ok(())
}

/// By another alias, of which the load does not hear.
async fn a_write_elsewhere_during_a_load_is_kept(bench: Bench) -> Outcome {
    let (cache, other) = (bench.cache(), bench.cache());
    let writer = other.clone();
    let load =
        || async move { writer.aset("a", "new", Timeout::Forever).await.map(|()| "loaded".to_owned()) };
    let found = cache.aget_or_try_set("a", Timeout::Default, load).await?;
    assert_eq!((found.as_str(), text(&other, "a").await?.as_deref()), ("new", Some("new")));
    assert_eq!(cache.alife("a").await?, Some(Life::Forever), "not even touched");
    let writer = other.clone();
    let load = |missing| async move {
        writer.aset("c", "new", Timeout::Forever).await?;
        Ok::<_, cache_core::Error>(echo(missing).await)
    };
    let found = cache.get_or_try_set_many(["b", "c"], Timeout::Forever, load).await?;
    assert_eq!((found["b"].as_str(), found["c"].as_str()), ("b", "new"));
    assert_eq!(text(&other, "c").await?.as_deref(), Some("new"));
    assert_eq!(cache.stats().publishes_refused, 2);
    Ok(())
}

async fn a_move_during_a_load_has_the_last_word(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.at_version(2).aset("a", "moved", Timeout::Forever).await?;
    let moves = |cache: Cache| async move { cache.at_version(2).adecr_version("a", 1).await.map(drop) };
    loading_while(&cache, "a", moves).await?;
    assert_eq!(text(&cache, "a").await?.as_deref(), Some("moved"));
    Ok(())
}

async fn a_clear_during_a_load_has_the_last_word(bench: Bench) -> Outcome {
    let cache = bench.cache();
    loading_while(&cache, "a", |cache| async move { cache.aclear().await }).await?;
    loading_many_while(&cache, ["b", "c"], |cache| async move { cache.at_version(2).aclear().await }).await?;
    assert!(cache.get_many_any(["a", "b", "c"]).await?.is_empty());
    assert_eq!(cache.stats().loads_voided, 3);
    Ok(())
}
