//! Futures dropped at any await point: nobody after them gets a wrong answer.

use std::future::{Future, poll_fn};
use std::task::Poll;

use cache_core::{Cache, ErrorKind, Timeout};

use crate::bench::Bench;
use crate::case::cases;
use crate::failure::Outcome;

cases! {
    "drops":
    [] => dropped_calls_do_not_wedge_the_next;
    [Stores] => a_dropped_write_never_wins_over_a_later_one, a_dropped_write_is_there_whole_or_not_at_all,
        a_dropped_increment_counts_once_or_not_at_all, tasks_that_drop_at_random_disturb_nobody;
    [Stores, ClearPrefix] => a_dropped_clear_can_be_repeated;
    [Stores, AtomicMove] => a_dropped_move_loses_nothing;
}

/// Polls the future so many times at most, and drops it.
async fn dropped_after<F: Future>(polls: usize, future: F) {
    let mut future = Box::pin(future);
    for _ in 0..polls {
        if poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await.is_ready() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// One operation of every kind, by number. What it answers is nobody's
/// business, since it is dropped.
async fn operation(cache: &Cache, number: usize, key: &str) {
    match number % 12 {
        0 => drop(cache.aget::<String>(key).await),
        1 => drop(cache.aset(key, "text", Timeout::Forever).await),
        2 => drop(cache.aadd(key, "text", Timeout::Default).await),
        3 => drop(cache.atouch(key, Timeout::Default).await),
        4 => drop(cache.adelete(key).await),
        5 => drop(cache.aincr(key, 1).await),
        6 => drop(cache.aincr_version(key, 1).await),
        7 => drop(cache.get_many::<String, _>([key, "other"]).await),
        8 => drop(cache.set_many([(key, "many"), ("other", "many")], Timeout::Forever).await),
        9 => drop(cache.delete_many([key, "other"]).await),
        10 => drop(cache.aclear().await),
        _ => drop(cache.aping().await),
    }
}

async fn dropped_calls_do_not_wedge_the_next(bench: Bench) -> Outcome {
    let cache = bench.cache();
    for number in 0..12 {
        for polls in 0..4 {
            dropped_after(polls, operation(&cache, number, "key")).await;
            cache.aset("key", "after", Timeout::Forever).await?;
            cache.aget::<String>("key").await?;
            cache.adelete("key").await?;
            cache.get_many::<String, _>(["key", "other"]).await?;
        }
    }
    Ok(())
}

async fn a_dropped_write_never_wins_over_a_later_one(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let mut chance = bench.chance();
    for round in 0..bench.scaled(200) {
        let key = format!("key {}", round % 5);
        let polls = chance.usize(0..4);
        match chance.u8(0..4) {
            0 => dropped_after(polls, cache.aset(&key, "dropped", Timeout::Forever)).await,
            1 => dropped_after(polls, cache.set_many([(&key, "dropped")], Timeout::Forever)).await,
            2 => dropped_after(polls, cache.adelete(&key)).await,
            _ => dropped_after(polls, cache.aadd(&key, "dropped", Timeout::Forever)).await,
        }
        let later = format!("round {round}");
        cache.aset(&key, &later, Timeout::Forever).await?;
        for _ in 0..3 {
            assert_eq!(cache.aget::<String>(&key).await?.as_ref(), Some(&later));
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

async fn a_dropped_write_is_there_whole_or_not_at_all(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let mut chance = bench.chance();
    let text = "x".repeat(10_000);
    for round in 0..bench.scaled(100) {
        let key = format!("key {round}");
        dropped_after(chance.usize(0..4), cache.aset(&key, &text, Timeout::Forever)).await;
        if let Some(found) = cache.aget::<String>(&key).await? {
            assert!(found == text);
        }
    }
    Ok(())
}

async fn a_dropped_increment_counts_once_or_not_at_all(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let mut chance = bench.chance();
    cache.aset("count", &0, Timeout::Forever).await?;
    let rounds = i64::try_from(bench.scaled(200))?;
    let mut acknowledged = 0;
    for _ in 0..rounds {
        dropped_after(chance.usize(0..4), cache.aincr("count", 1)).await;
        let sum = cache.aincr("count", 1).await?;
        acknowledged += 1;
        assert!(sum >= acknowledged, "an acknowledged increment is lost");
    }
    let sum = cache.aincr("count", 0).await?;
    assert!((rounds..=2 * rounds).contains(&sum), "{sum} after {rounds} of each");
    Ok(())
}

async fn a_dropped_move_loses_nothing(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let v2 = cache.at_version(2);
    let mut chance = bench.chance();
    for round in 0..bench.scaled(100) {
        let key = format!("key {round}");
        cache.aset(&key, "text", Timeout::Forever).await?;
        dropped_after(chance.usize(0..6), cache.aincr_version(&key, 1)).await;
        let (here, there) = (cache.aget::<String>(&key).await?, v2.aget::<String>(&key).await?);
        assert!(here.is_some() || there.is_some(), "it is gone");
        assert!(here.is_none_or(|text| text == "text") && there.is_none_or(|text| text == "text"));
        match cache.aincr_version(&key, 1).await {
            Ok(version) => assert_eq!(version, 2),
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
        }
        assert_eq!(v2.aget::<String>(&key).await?.as_deref(), Some("text"));
        assert!(!cache.ahas_key(&key).await?);
    }
    Ok(())
}

async fn a_dropped_clear_can_be_repeated(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let mut chance = bench.chance();
    for _ in 0..bench.scaled(20) {
        let keys: Vec<_> = (0..50).map(|n| format!("key {n}")).collect();
        cache.set_many(keys.iter().map(|key| (key, "text")), Timeout::Forever).await?;
        dropped_after(chance.usize(0..30), cache.aclear()).await;
        cache.aincr_version("moved meanwhile", 1).await.err();
        cache.aclear().await?;
        assert!(cache.get_many::<String, _>(&keys).await?.is_empty());
    }
    Ok(())
}

async fn tasks_that_drop_at_random_disturb_nobody(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let disturbed = bench.builder().key_prefix(&format!("{}-dropped", bench.prefix())).build();
    let rounds = bench.scaled(200);
    let mut chance = bench.chance();
    let disturbers: Vec<_> = (0..4)
        .map(|_| {
            let (cache, mut chance) = (disturbed.clone(), chance.fork());
            tokio::spawn(async move {
                for _ in 0..rounds {
                    let key = format!("key {}", chance.u8(0..3));
                    let (number, polls) = (chance.usize(..), chance.usize(0..5));
                    dropped_after(polls, operation(&cache, number, &key)).await;
                }
            })
        })
        .collect();
    for round in 0..rounds {
        cache.aset("key", &round, Timeout::Forever).await?;
        assert_eq!(cache.aget("key").await?, Some(round));
        tokio::task::yield_now().await;
    }
    futures::future::try_join_all(disturbers).await?;
    for key in ["key 0", "key 1", "key 2"] {
        disturbed.aset(key, "after", Timeout::Forever).await?;
        assert_eq!(disturbed.aget::<String>(key).await?.as_deref(), Some("after"));
    }
    Ok(())
}
