//! A move where the store has none: the handle reads, removes what it read, and
//! writes. What others do between these steps is not lost.

use std::sync::Arc;

use cache_core::{Cache, ErrorKind, Life, Timeout};

use crate::bench::Bench;
use crate::case::cases;
use crate::failure::Outcome;
use crate::faulty::{Call, Faulty};

cases! {
    "moves":
    [Stores, Tokens] => an_increment_between_the_steps_is_carried_over,
        a_write_between_the_steps_is_carried_over, a_late_mover_does_not_undo_what_came_after,
        an_entry_that_is_gone_between_the_steps_is_not_found;
    [Stores] => a_move_in_steps_keeps_value_and_life, a_failure_before_the_last_step_loses_nothing,
        a_failure_of_the_last_step_is_told;
}

/// A handle whose moves are in steps, and what can stop them in between.
fn in_steps(bench: &Bench) -> (Cache, Arc<Faulty>) {
    let store = bench.store();
    let promised = store.capabilities().atomic_move(false);
    let faulty = Faulty::promising(store, promised);
    let builder = Cache::builder(Arc::clone(&faulty) as _).key_prefix(bench.prefix());
    (builder.clock(bench.time().clock()).build(), faulty)
}

async fn an_increment_between_the_steps_is_carried_over(bench: Bench) -> Outcome {
    let (cache, faulty) = in_steps(&bench);
    cache.aset("count", &5, Timeout::Forever).await?;
    let gate = faulty.on([Call::Delete]).times(1).pause();
    let mover = cache.clone();
    let shift = tokio::spawn(async move { mover.aincr_version("count", 1).await });
    gate.reached(1).await;
    assert_eq!(cache.aincr("count", 1).await?, 6);
    gate.open();
    assert_eq!(shift.await??, 2);
    assert_eq!(cache.at_version(2).aget("count").await?, Some(6));
    assert!(!cache.ahas_key("count").await?);
    Ok(())
}

async fn a_write_between_the_steps_is_carried_over(bench: Bench) -> Outcome {
    let (cache, faulty) = in_steps(&bench);
    cache.aset("key", "old", Timeout::Default).await?;
    let gate = faulty.on([Call::Delete]).times(1).pause();
    let mover = cache.clone();
    let shift = tokio::spawn(async move { mover.aincr_version("key", 1).await });
    gate.reached(1).await;
    cache.aset("key", "new", Timeout::Forever).await?;
    gate.open();
    assert_eq!(shift.await??, 2);
    let v2 = cache.at_version(2);
    assert_eq!(v2.aget::<String>("key").await?.as_deref(), Some("new"));
    assert_eq!(v2.alife("key").await?, Some(Life::Forever));
    Ok(())
}

/// Two move the same entry. One is slow, and by the time it goes on, the entry
/// has been moved by the other and counted on.
async fn a_late_mover_does_not_undo_what_came_after(bench: Bench) -> Outcome {
    let (cache, faulty) = in_steps(&bench);
    cache.aset("count", &5, Timeout::Forever).await?;
    let gate = faulty.on([Call::Delete]).times(1).pause();
    let late = cache.clone();
    let shift = tokio::spawn(async move { late.aincr_version("count", 1).await });
    gate.reached(1).await;
    assert_eq!(cache.aincr_version("count", 1).await?, 2);
    let v2 = cache.at_version(2);
    assert_eq!(v2.aincr("count", 1).await?, 6);
    gate.open();
    let outcome = shift.await?;
    assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    assert_eq!(v2.aget("count").await?, Some(6), "an acknowledged increment is lost");
    Ok(())
}

async fn an_entry_that_is_gone_between_the_steps_is_not_found(bench: Bench) -> Outcome {
    let (cache, faulty) = in_steps(&bench);
    cache.aset("key", "text", Timeout::Forever).await?;
    let gate = faulty.on([Call::Delete]).times(1).pause();
    let mover = cache.clone();
    let shift = tokio::spawn(async move { mover.aincr_version("key", 1).await });
    gate.reached(1).await;
    assert!(cache.adelete("key").await?);
    gate.open();
    let outcome = shift.await?;
    assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    assert!(!cache.ahas_key("key").await?);
    assert!(!cache.at_version(2).ahas_key("key").await?, "what was deleted came back");
    Ok(())
}

async fn a_move_in_steps_keeps_value_and_life(bench: Bench) -> Outcome {
    let (cache, _) = in_steps(&bench);
    let v2 = cache.at_version(2);
    cache.aset("endless", &5, Timeout::Forever).await?;
    v2.aset("endless", "old", bench.short()).await?;
    assert_eq!(cache.aincr_version("endless", 1).await?, 2);
    assert_eq!(v2.aincr("endless", 1).await?, 6);
    assert_eq!(v2.alife("endless").await?, Some(Life::Forever));
    let mut span = bench.span(bench.short());
    cache.aset("short", "text", bench.short()).await?;
    let outcome = cache.aincr_version("short", 1).await;
    assert!(outcome.is_ok() || !span.is_owed(), "{outcome:?}");
    span.passes().await;
    bench.time().pass(2 * bench.capabilities().resolution).await;
    assert!(!v2.ahas_key("short").await?);
    Ok(())
}

/// Up to the point where the entry is removed; what cannot be written then is
/// lost, as a cache may.
async fn a_failure_before_the_last_step_loses_nothing(bench: Bench) -> Outcome {
    let (cache, faulty) = in_steps(&bench);
    for call in [Call::Get, Call::Life, Call::Delete] {
        cache.aset("key", "text", Timeout::Forever).await?;
        faulty.on([call]).times(1).fail(ErrorKind::Connection);
        let outcome = cache.aincr_version("key", 1).await;
        assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::Connection), "{call:?}");
        assert_eq!(cache.aget::<String>("key").await?.as_deref(), Some("text"), "{call:?}");
        assert_eq!(cache.aincr_version("key", 1).await?, 2, "and it can be repeated");
        assert!(!cache.ahas_key("key").await?);
    }
    Ok(())
}

async fn a_failure_of_the_last_step_is_told(bench: Bench) -> Outcome {
    let (cache, faulty) = in_steps(&bench);
    cache.aset("key", "text", Timeout::Forever).await?;
    faulty.on([Call::Set]).times(1).fail(ErrorKind::Connection);
    let outcome = cache.aincr_version("key", 1).await;
    assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::Connection));
    cache.aset("key", "again", Timeout::Forever).await?;
    assert_eq!(cache.aincr_version("key", 1).await?, 2);
    Ok(())
}
