//! `atouch`: a new life, the same value.

use std::time::Duration;

use cache_core::{Life, Timeout};

use crate::bench::Bench;
use crate::case::cases;
use crate::failure::Outcome;
use crate::samples::User;

cases! {
    "touch":
    [] => a_missing_key_is_false_and_stays_missing, zero_on_a_missing_key_is_false;
    [Stores] => the_value_stays, a_counter_stays_a_counter, a_finite_life_becomes_endless,
        an_endless_life_becomes_finite, a_life_becomes_longer, a_life_becomes_shorter,
        an_endless_life_can_be_touched_again, an_expired_entry_is_not_revived, zero_deletes;
}

async fn a_missing_key_is_false_and_stays_missing(bench: Bench) -> Outcome {
    let cache = bench.cache();
    assert!(!cache.atouch("missing", Timeout::Default).await?);
    assert!(!cache.atouch("missing", Timeout::Forever).await?);
    assert!(!cache.ahas_key("missing").await?);
    assert!(!bench.direct().touch("missing", Life::Forever).await?);
    Ok(())
}

async fn zero_on_a_missing_key_is_false(bench: Bench) -> Outcome {
    assert!(!bench.cache().atouch("missing", Duration::ZERO).await?);
    Ok(())
}

async fn the_value_stays(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("user", &User::ada(), bench.short() * 10).await?;
    assert!(cache.atouch("user", Timeout::Forever).await?);
    assert_eq!(cache.aget("user").await?, Some(User::ada()));
    cache.aset("none", &None::<String>, bench.short() * 10).await?;
    assert!(cache.atouch("none", Timeout::Default).await?);
    assert_eq!(cache.aget::<Option<String>>("none").await?, Some(None));
    Ok(())
}

async fn a_counter_stays_a_counter(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("count", &41, Timeout::Default).await?;
    assert!(cache.atouch("count", Timeout::Forever).await?);
    assert_eq!(cache.aincr("count", 1).await?, 42);
    assert_eq!(cache.alife("count").await?, Some(Life::Forever));
    Ok(())
}

async fn a_finite_life_becomes_endless(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let mut span = bench.span(bench.short());
    cache.aset("key", "text", bench.short()).await?;
    if span.is_over_instead_of(cache.atouch("key", Timeout::Forever).await?) {
        return Ok(());
    }
    assert_eq!(cache.alife("key").await?, Some(Life::Forever));
    span.passes().await;
    assert_eq!(cache.aget::<String>("key").await?.as_deref(), Some("text"));
    Ok(())
}

async fn an_endless_life_becomes_finite(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", "text", Timeout::Forever).await?;
    let mut span = bench.span(bench.short());
    assert!(cache.atouch("key", bench.short()).await?);
    span.nearly_passes().await;
    assert!(cache.ahas_key("key").await? || !span.is_owed());
    span.passes().await;
    assert!(!cache.ahas_key("key").await?);
    Ok(())
}

async fn a_life_becomes_longer(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let mut span = bench.span(bench.short());
    cache.aset("key", "text", bench.short()).await?;
    if span.is_over_instead_of(cache.atouch("key", 100 * bench.short()).await?) {
        return Ok(());
    }
    span.passes().await;
    assert!(cache.ahas_key("key").await?);
    Ok(())
}

async fn a_life_becomes_shorter(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", "text", 100 * bench.short()).await?;
    let mut span = bench.span(bench.short());
    assert!(cache.atouch("key", bench.short()).await?);
    span.passes().await;
    assert!(!cache.ahas_key("key").await?);
    Ok(())
}

async fn an_endless_life_can_be_touched_again(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", "text", Timeout::Forever).await?;
    assert!(cache.atouch("key", Timeout::Forever).await?, "there is an entry, though nothing changes");
    Ok(())
}

async fn an_expired_entry_is_not_revived(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let mut span = bench.span(bench.short());
    cache.aset("key", "text", bench.short()).await?;
    span.passes().await;
    assert!(!cache.atouch("key", Timeout::Forever).await?);
    assert_eq!(cache.aget::<String>("key").await?, None);
    Ok(())
}

async fn zero_deletes(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", "text", Timeout::Forever).await?;
    assert!(cache.atouch("key", Duration::ZERO).await?);
    assert!(!cache.ahas_key("key").await?);
    assert!(!cache.atouch("key", Duration::ZERO).await?);
    Ok(())
}
