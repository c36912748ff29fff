//! Writes of one key: the value and its life are replaced together.

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Life, Timeout};

use crate::bench::Bench;
use crate::case::cases;
use crate::failure::Outcome;
use crate::samples::User;

cases! {
    "write":
    [] => an_unconditional_write_says_that_it_wrote;
    [Stores] => a_write_replaces_the_value, a_write_replaces_another_type, borrowed_values_are_taken,
        a_write_makes_a_finite_life_endless, a_write_makes_an_endless_life_finite,
        a_write_makes_a_life_longer, a_write_makes_a_life_shorter,
        a_timeout_of_zero_removes_what_was_there, a_timeout_of_zero_stores_nothing,
        a_default_timeout_of_zero_stores_nothing, the_default_timeout_is_used,
        the_default_timeout_can_be_forever, the_longest_timeout_is_no_overflow,
        the_shortest_timeout_is_positive;
}

async fn an_unconditional_write_says_that_it_wrote(bench: Bench) -> Outcome {
    let direct = bench.direct();
    assert!(direct.put("key", 1).await?);
    assert!(direct.put("key", "text".to_owned()).await?);
    Ok(())
}

async fn a_write_replaces_the_value(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", "first, and rather long", Timeout::Default).await?;
    cache.aset("key", "second", Timeout::Default).await?;
    assert_eq!(cache.aget::<String>("key").await?.as_deref(), Some("second"));
    Ok(())
}

async fn a_write_replaces_another_type(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", "text", Timeout::Default).await?;
    cache.aset("key", &5, Timeout::Default).await?;
    assert_eq!(cache.aincr("key", 1).await?, 6);
    cache.aset("key", &User::ada(), Timeout::Default).await?;
    assert_eq!(cache.aget("key").await?, Some(User::ada()));
    cache.aset("key", &[1_u8, 2, 3][..], Timeout::Default).await?;
    assert_eq!(cache.aget("key").await?, Some(vec![1_u8, 2, 3]));
    Ok(())
}

async fn borrowed_values_are_taken(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("text", "borrowed", Timeout::Default).await?;
    cache.aset("slice", &[1_u32, 2, 3][..], Timeout::Default).await?;
    cache.aset("array", &[1_u32, 2, 3], Timeout::Default).await?;
    cache.aset_arc("shared", Arc::new(vec![4_u32]), Timeout::Default).await?;
    assert!(cache.aadd("added", "borrowed too", Timeout::Default).await?);
    assert_eq!(cache.aget::<String>("text").await?.as_deref(), Some("borrowed"));
    assert_eq!(cache.aget("slice").await?, Some(vec![1_u32, 2, 3]));
    assert_eq!(cache.aget("array").await?, Some([1_u32, 2, 3]));
    assert_eq!(cache.aget("shared").await?, Some(vec![4_u32]));
    assert_eq!(cache.aget::<String>("added").await?.as_deref(), Some("borrowed too"));
    Ok(())
}

async fn a_write_makes_a_finite_life_endless(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let mut span = bench.span(bench.short());
    cache.aset("key", "short", bench.short()).await?;
    cache.aset("key", "endless", Timeout::Forever).await?;
    assert_eq!(cache.alife("key").await?, Some(Life::Forever));
    span.passes().await;
    assert_eq!(cache.aget::<String>("key").await?.as_deref(), Some("endless"));
    Ok(())
}

async fn a_write_makes_an_endless_life_finite(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", "endless", Timeout::Forever).await?;
    let mut span = bench.span(bench.short());
    cache.aset("key", "short", bench.short()).await?;
    let life = cache.alife("key").await?;
    assert!(matches!(life, Some(Life::For(_))) || !span.is_owed(), "{life:?}");
    span.passes().await;
    assert_eq!(cache.aget::<String>("key").await?, None);
    Ok(())
}

async fn a_write_makes_a_life_longer(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let mut span = bench.span(bench.short());
    cache.aset("key", &1, bench.short()).await?;
    cache.aset("key", &2, 100 * bench.short()).await?;
    span.passes().await;
    assert_eq!(cache.aget("key").await?, Some(2));
    Ok(())
}

async fn a_write_makes_a_life_shorter(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", &1, 100 * bench.short()).await?;
    let mut span = bench.span(bench.short());
    cache.aset("key", &2, bench.short()).await?;
    span.passes().await;
    assert_eq!(cache.aget::<i64>("key").await?, None);
    Ok(())
}

async fn a_timeout_of_zero_removes_what_was_there(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", "text", Timeout::Forever).await?;
    cache.aset("key", "newer", Duration::ZERO).await?;
    assert_eq!(cache.aget::<String>("key").await?, None);
    assert!(!cache.ahas_key("key").await?);
    cache.aset("shared", &1, Timeout::Forever).await?;
    cache.aset_arc("shared", Arc::new(2), Duration::ZERO).await?;
    assert!(!cache.ahas_key("shared").await?);
    Ok(())
}

async fn a_timeout_of_zero_stores_nothing(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", "text", Duration::ZERO).await?;
    assert_eq!(cache.aget::<String>("key").await?, None);
    assert!(cache.aadd("key", "free", Timeout::Forever).await?);
    Ok(())
}

async fn a_default_timeout_of_zero_stores_nothing(bench: Bench) -> Outcome {
    let cache = bench.builder().timeout(Duration::ZERO).build();
    cache.aset("key", "kept", Timeout::Forever).await?;
    assert!(cache.ahas_key("key").await?, "a timeout of its own overrides the default");
    cache.aset("key", "text", Timeout::Default).await?;
    assert!(!cache.ahas_key("key").await?);
    assert!(cache.aadd("added", "text", Timeout::Default).await?);
    assert!(!cache.ahas_key("added").await?);
    cache.set_many([("many", &1)], Timeout::Default).await?;
    assert!(!cache.ahas_key("many").await?);
    cache.aset("touched", &1, Timeout::Forever).await?;
    assert!(cache.atouch("touched", Timeout::Default).await?);
    assert!(!cache.ahas_key("touched").await?);
    Ok(())
}

async fn the_default_timeout_is_used(bench: Bench) -> Outcome {
    let cache = bench.builder().timeout(bench.short()).build();
    let mut span = bench.span(bench.short());
    cache.aset("set", &1, Timeout::Default).await?;
    cache.aadd("added", &1, Timeout::Default).await?;
    cache.set_many([("many", &1)], Timeout::Default).await?;
    cache.aset("touched", &1, Timeout::Forever).await?;
    cache.atouch("touched", Timeout::Default).await?;
    cache.aset("endless", &1, Timeout::Forever).await?;
    for key in ["set", "added", "many", "touched"] {
        assert!(matches!(cache.alife(key).await?, Some(Life::For(_))) || !span.is_owed(), "{key}");
    }
    span.passes().await;
    for key in ["set", "added", "many", "touched"] {
        assert!(!cache.ahas_key(key).await?, "{key}");
    }
    assert!(cache.ahas_key("endless").await?);
    Ok(())
}

async fn the_default_timeout_can_be_forever(bench: Bench) -> Outcome {
    let cache = bench.builder().timeout(Timeout::Forever).build();
    cache.aset("key", &1, Timeout::Default).await?;
    assert_eq!(cache.alife("key").await?, Some(Life::Forever));
    Ok(())
}

async fn the_longest_timeout_is_no_overflow(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("set", &1, Duration::MAX).await?;
    cache.aset("years", &1, Duration::from_hours(400 * 365 * 24)).await?;
    cache.set_many([("many", &1)], Duration::MAX).await?;
    assert!(cache.aadd("added", &1, Duration::MAX).await?);
    let mut span = bench.span(bench.short());
    cache.aset("touched", &1, bench.short()).await?;
    if span.is_over_instead_of(cache.atouch("touched", Duration::MAX).await?) {
        return Ok(());
    }
    span.passes().await;
    for key in ["set", "years", "many", "added", "touched"] {
        assert_eq!(cache.aget(key).await?, Some(1), "{key}");
        assert!(cache.alife(key).await?.is_some(), "{key}");
    }
    Ok(())
}

async fn the_shortest_timeout_is_positive(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", "old", Timeout::Forever).await?;
    let mut span = bench.span(Duration::from_nanos(1));
    cache.aset("key", "new", Duration::from_nanos(1)).await?;
    let found = cache.aget::<String>("key").await?;
    assert!(found.as_deref() == Some("new") || !span.is_owed(), "{found:?}");
    span.passes().await;
    assert_eq!(cache.aget::<String>("key").await?, None);
    Ok(())
}
