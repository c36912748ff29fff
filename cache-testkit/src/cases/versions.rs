//! Versions: entries apart, and moved from one to another.

use cache_core::{ErrorKind, Life, Timeout};
use futures::future::try_join_all;

use crate::bench::Bench;
use crate::case::cases;
use crate::failure::Outcome;
use crate::samples::User;

cases! {
    "versions":
    [] => a_missing_entry_is_not_found, a_version_below_zero_overflows,
        a_version_beyond_64_bits_overflows, a_handle_says_its_version;
    [Stores] => versions_are_apart, a_move_goes_up_and_down, a_move_to_version_zero,
        a_move_goes_by_the_version_of_the_handle, a_move_keeps_a_counter,
        a_move_keeps_an_endless_life, a_move_keeps_a_finite_life, a_move_replaces_what_stands_there,
        a_delta_of_zero_loses_nothing, a_refused_move_loses_nothing,
        a_missing_source_leaves_the_target, an_expired_entry_is_not_moved,
        an_entry_that_no_codec_reads_is_moved, one_of_many_movers_wins;
    [Stores, CarefulMove] => an_increment_is_not_lost_to_a_move;
    [Stores, AtomicMove] => the_trait_moves_in_one_step, moves_to_and_fro_do_not_wait_for_each_other;
    [Stores, AtomicMove, FreshReads] => an_entry_is_never_gone_while_it_moves;
}

async fn a_missing_entry_is_not_found(bench: Bench) -> Outcome {
    let cache = bench.cache();
    for delta in [1, 0, 5] {
        let outcome = cache.aincr_version("missing", delta).await;
        assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::NotFound), "{delta}");
    }
    let outcome = cache.at_version(5).adecr_version("missing", 1).await;
    assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    assert!(!cache.at_version(2).ahas_key("missing").await?);
    Ok(())
}

async fn a_version_below_zero_overflows(bench: Bench) -> Outcome {
    let cache = bench.cache();
    for (up, delta) in [(false, 2), (true, -2), (true, i64::MIN), (false, i64::MAX)] {
        let outcome = if up {
            cache.aincr_version("key", delta).await
        } else {
            cache.adecr_version("key", delta).await
        };
        assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::Overflow), "{delta}");
    }
    Ok(())
}

async fn a_version_beyond_64_bits_overflows(bench: Bench) -> Outcome {
    let last = bench.cache().at_version(u64::MAX);
    let outcome = last.aincr_version("key", 1).await;
    assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::Overflow));
    let outcome = last.adecr_version("key", i64::MIN).await;
    assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::Overflow));
    Ok(())
}

async fn a_handle_says_its_version(bench: Bench) -> Outcome {
    assert_eq!(bench.cache().version(), 1);
    assert_eq!(bench.cache().at_version(7).version(), 7);
    assert_eq!(bench.cache().at_version(7).key_prefix(), bench.prefix());
    assert_eq!(bench.builder().version(3).build().version(), 3);
    Ok(())
}

async fn versions_are_apart(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let versions = [0, 1, 2, 12, u64::MAX];
    for version in versions {
        cache.at_version(version).aset("key", &version.to_string(), Timeout::Forever).await?;
    }
    for version in versions {
        let found = cache.at_version(version).aget::<String>("key").await?;
        assert_eq!(found, Some(version.to_string()));
    }
    assert!(cache.at_version(2).adelete("key").await?);
    assert!(!cache.at_version(2).ahas_key("key").await?);
    assert!(cache.ahas_key("key").await?);
    assert!(cache.at_version(12).ahas_key("key").await?);
    assert!(cache.at_version(2).aadd("key", "again", Timeout::Forever).await?);
    Ok(())
}

async fn a_move_goes_up_and_down(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("user", &User::ada(), Timeout::Default).await?;
    assert_eq!(cache.aincr_version("user", 1).await?, 2);
    assert_eq!(cache.aget::<User>("user").await?, None);
    assert_eq!(cache.at_version(2).aget("user").await?, Some(User::ada()));
    assert_eq!(cache.at_version(2).adecr_version("user", 1).await?, 1);
    assert_eq!(cache.aget("user").await?, Some(User::ada()));
    assert!(!cache.at_version(2).ahas_key("user").await?);
    Ok(())
}

async fn a_move_to_version_zero(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", "text", Timeout::Default).await?;
    assert_eq!(cache.adecr_version("key", 1).await?, 0);
    assert_eq!(cache.at_version(0).aget::<String>("key").await?.as_deref(), Some("text"));
    Ok(())
}

async fn a_move_goes_by_the_version_of_the_handle(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let v5 = cache.at_version(5);
    v5.aset("key", "text", Timeout::Default).await?;
    cache.aset("key", "other", Timeout::Default).await?;
    assert_eq!(v5.aincr_version("key", 10).await?, 15);
    assert_eq!(cache.at_version(15).aget::<String>("key").await?.as_deref(), Some("text"));
    assert_eq!(cache.aget::<String>("key").await?.as_deref(), Some("other"));
    assert_eq!(cache.at_version(15).aincr_version("key", -3).await?, 12);
    assert!(cache.at_version(12).ahas_key("key").await?);
    Ok(())
}

async fn a_move_keeps_a_counter(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("count", &41, Timeout::Default).await?;
    cache.aincr_version("count", 1).await?;
    assert_eq!(cache.at_version(2).aincr("count", 1).await?, 42);
    Ok(())
}

async fn a_move_keeps_an_endless_life(bench: Bench) -> Outcome {
    let cache = bench.builder().timeout(bench.short()).build();
    cache.aset("key", "text", Timeout::Forever).await?;
    cache.aincr_version("key", 1).await?;
    assert_eq!(cache.at_version(2).alife("key").await?, Some(Life::Forever));
    Ok(())
}

async fn a_move_keeps_a_finite_life(bench: Bench) -> Outcome {
    let cache = bench.builder().timeout(Timeout::Forever).build();
    let v2 = cache.at_version(2);
    let mut span = bench.span(bench.short());
    cache.aset("key", "text", bench.short()).await?;
    // Whatever stands there takes its life with it.
    v2.aset("key", "old", Timeout::Forever).await?;
    let moved = cache.aincr_version("key", 1).await;
    assert!(moved.is_ok() || !span.is_owed(), "{moved:?}");
    span.nearly_passes().await;
    let found = v2.aget::<String>("key").await?;
    assert!(found.as_deref() == Some("text") || !span.is_owed(), "{found:?}");
    // A move in steps may take up to two units, rounded up each.
    span.passes().await;
    bench.time().pass(2 * bench.capabilities().resolution).await;
    assert!(!v2.ahas_key("key").await?);
    Ok(())
}

async fn a_move_replaces_what_stands_there(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", "new", Timeout::Default).await?;
    cache.at_version(2).aset("key", "old", Timeout::Forever).await?;
    assert_eq!(cache.aincr_version("key", 1).await?, 2);
    assert_eq!(cache.at_version(2).aget::<String>("key").await?.as_deref(), Some("new"));
    assert!(!cache.ahas_key("key").await?);
    Ok(())
}

async fn a_delta_of_zero_loses_nothing(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", "text", Timeout::Forever).await?;
    assert_eq!(cache.aincr_version("key", 0).await?, 1);
    assert_eq!(cache.adecr_version("key", 0).await?, 1);
    assert_eq!(cache.aget::<String>("key").await?.as_deref(), Some("text"));
    assert_eq!(cache.alife("key").await?, Some(Life::Forever));
    Ok(())
}

async fn a_refused_move_loses_nothing(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", "text", Timeout::Forever).await?;
    assert!(cache.adecr_version("key", 2).await.is_err());
    assert_eq!(cache.aget::<String>("key").await?.as_deref(), Some("text"));
    Ok(())
}

async fn a_missing_source_leaves_the_target(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.at_version(2).aset("key", "there", Timeout::Forever).await?;
    let outcome = cache.aincr_version("key", 1).await;
    assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    assert_eq!(cache.at_version(2).aget::<String>("key").await?.as_deref(), Some("there"));
    Ok(())
}

async fn an_expired_entry_is_not_moved(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.at_version(2).aset("key", "there", Timeout::Forever).await?;
    let mut span = bench.span(bench.short());
    cache.aset("key", "text", bench.short()).await?;
    span.passes().await;
    for delta in [1, 0] {
        let outcome = cache.aincr_version("key", delta).await;
        assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::NotFound), "{delta}");
    }
    assert_eq!(cache.at_version(2).aget::<String>("key").await?.as_deref(), Some("there"));
    Ok(())
}

/// Whoever wrote it: a move does not look inside.
async fn an_entry_that_no_codec_reads_is_moved(bench: Bench) -> Outcome {
    let foreign = bytes::Bytes::from_static(b"\x80\x04pickled");
    bench.direct().put_bytes("key", foreign.clone()).await?;
    let cache = bench.cache();
    assert_eq!(cache.aincr_version("key", 1).await?, 2);
    assert!(!cache.ahas_key("key").await?);
    let v2 = bench.direct().within(cache_core::KeySpace::new(bench.prefix(), 2));
    let Some(found) = v2.found("key").await? else { panic!("it was lost on the way") };
    assert_eq!(found.entry.encode(&v2.format)?, foreign);
    Ok(())
}

async fn one_of_many_movers_wins(bench: Bench) -> Outcome {
    let cache = bench.cache();
    for round in 0..bench.scaled(5) {
        let key = format!("key {round}");
        cache.aset(&key, "text", Timeout::Forever).await?;
        let moves = (0..50).map(|_| {
            let (cache, key) = (cache.clone(), key.clone());
            tokio::spawn(async move { cache.aincr_version(&key, 1).await })
        });
        let mut winners = 0;
        for outcome in try_join_all(moves).await? {
            match outcome {
                Ok(version) => winners += usize::from(version == 2),
                Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
            }
        }
        assert_eq!(winners, 1);
        assert_eq!(cache.at_version(2).aget::<String>(&key).await?.as_deref(), Some("text"));
        assert!(!cache.ahas_key(&key).await?);
    }
    Ok(())
}

async fn an_increment_is_not_lost_to_a_move(bench: Bench) -> Outcome {
    let cache = bench.cache();
    for round in 0..bench.scaled(20) {
        let key = format!("count {round}");
        cache.aset(&key, &0, Timeout::Forever).await?;
        let counts = (0..20).map(|_| {
            let (cache, key) = (cache.clone(), key.clone());
            tokio::spawn(async move { cache.aincr(&key, 1).await })
        });
        let counts: Vec<_> = counts.collect();
        let (own, own_key) = (cache.clone(), key.clone());
        let shift = tokio::spawn(async move { own.aincr_version(&own_key, 1).await });
        let mut acknowledged = 0_i64;
        for outcome in try_join_all(counts).await? {
            match outcome {
                Ok(_) => acknowledged += 1,
                Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
            }
        }
        assert_eq!(shift.await??, 2);
        assert_eq!(cache.at_version(2).aget(&key).await?, Some(acknowledged), "round {round}");
    }
    Ok(())
}

async fn the_trait_moves_in_one_step(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("from", 5).await?;
    direct.put("to", "old".to_owned()).await?;
    assert!(direct.store.amove(&direct.key("from"), &direct.key("to")).await?);
    assert!(!direct.has("from").await?);
    assert_eq!(direct.get("to").await?, Some(5));
    assert!(!direct.store.amove(&direct.key("from"), &direct.key("to")).await?);
    assert_eq!(direct.get("to").await?, Some(5));
    Ok(())
}

/// A reader who looks at the source first and then at the target, where it
/// goes, finds it in one of them.
async fn an_entry_is_never_gone_while_it_moves(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let last = bench.scaled(200) as u64;
    cache.aset("key", "text", Timeout::Forever).await?;
    let own = cache.clone();
    let moves = tokio::spawn(async move {
        for version in 1..=last {
            own.at_version(version).aincr_version("key", 1).await?;
            tokio::task::yield_now().await;
        }
        Ok::<(), cache_core::Error>(())
    });
    let mut version = 1;
    while !moves.is_finished() {
        let here = cache.at_version(version).ahas_key("key").await?;
        if !here {
            assert!(version <= last, "it is gone");
            version += 1;
        }
        tokio::task::yield_now().await;
    }
    moves.await??;
    assert!(cache.at_version(last + 1).ahas_key("key").await?);
    Ok(())
}

async fn moves_to_and_fro_do_not_wait_for_each_other(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let rounds = bench.scaled(200);
    let swing = |version: u64, delta: i64| {
        let cache = cache.at_version(version);
        tokio::spawn(async move {
            for _ in 0..rounds {
                match cache.aincr_version("key", delta).await {
                    Ok(_) => {}
                    Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
                }
            }
        })
    };
    cache.aset("key", "text", Timeout::Forever).await?;
    try_join_all([swing(1, 1), swing(2, -1), swing(1, 2), swing(3, -2), swing(2, 1), swing(3, -1)]).await?;
    let mut left = 0;
    for version in 1..=3 {
        left += usize::from(cache.at_version(version).ahas_key("key").await?);
    }
    assert_eq!(left, 1, "one entry was moved about, and one is left");
    Ok(())
}
