//! Many tasks at once: nobody reads what was never written, or goes back in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cache_core::{Cache, Timeout};
use futures::future::try_join_all;

use crate::bench::Bench;
use crate::case::cases;
use crate::failure::Outcome;

cases! {
    "concurrency":
    [Stores, FreshReads] => readers_never_go_back;
    [Stores] => readers_see_one_value_whole, tasks_on_their_own_keys_do_not_meet, adds_and_deletes_are_a_lock;
    [Stores, ClearPrefix] => a_clear_under_load_ends_and_hurts_nobody;
}

/// What a writer has begun and finished, as its readers may see it.
#[derive(Default)]
struct Progress {
    begun: AtomicU64,
    acknowledged: AtomicU64,
}

/// One writer a key: a reader sees nothing older than what was acknowledged
/// before it asked, and nothing that was not begun when it was answered.
async fn readers_never_go_back(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let writes = bench.scaled(300) as u64;
    let mut tasks = Vec::new();
    for key in ["a", "b", "c"] {
        let progress = Arc::new(Progress::default());
        cache.aset(key, &0, Timeout::Forever).await?;
        tasks.push(tokio::spawn(write_on(cache.clone(), key, writes, Arc::clone(&progress))));
        for _ in 0..2 {
            tasks.push(tokio::spawn(read_on(cache.clone(), key, writes, Arc::clone(&progress))));
        }
    }
    for outcome in try_join_all(tasks).await? {
        outcome?;
    }
    Ok(())
}

async fn write_on(cache: Cache, key: &'static str, writes: u64, progress: Arc<Progress>) -> Outcome {
    for number in 1..=writes {
        progress.begun.store(number, Ordering::SeqCst);
        // Every way of writing keeps the order.
        match number % 3 {
            0 => cache.aset(key, &number, Timeout::Forever).await?,
            1 => cache.set_many([(key, &number)], Timeout::Forever).await?,
            _ => drop(cache.aincr(key, 1).await?),
        }
        progress.acknowledged.store(number, Ordering::SeqCst);
        if number % 8 == 0 {
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

async fn read_on(cache: Cache, key: &'static str, writes: u64, progress: Arc<Progress>) -> Outcome {
    let mut round = 0_u64;
    let mut last_seen = 0;
    while last_seen < writes {
        let acknowledged = progress.acknowledged.load(Ordering::SeqCst);
        let found: Option<u64> = match round % 2 {
            0 => cache.aget(key).await?,
            _ => cache.get_many([key]).await?.remove(key),
        };
        let begun = progress.begun.load(Ordering::SeqCst);
        let Some(seen) = found else { panic!("{key} was never deleted") };
        assert!(seen >= acknowledged, "{seen} was read after {acknowledged} was acknowledged");
        assert!(seen <= begun, "{seen} was read before it was written: {begun}");
        assert!(seen >= last_seen, "{seen} was read after {last_seen}");
        last_seen = seen;
        round += 1;
        tokio::task::yield_now().await;
    }
    Ok(())
}

const LETTERS: [&str; 5] = ["a", "b", "c", "d", "e"];

async fn readers_see_one_value_whole(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let rounds = bench.scaled(100);
    let text = |number: usize| LETTERS[number % LETTERS.len()].repeat(5_000);
    cache.aset("key", &text(0), Timeout::Forever).await?;
    let mut tasks = Vec::new();
    for writer in 0..3 {
        let cache = cache.clone();
        tasks.push(tokio::spawn(async move {
            for round in 0..rounds {
                cache.aset("key", &text(writer + 3 * round), Timeout::Forever).await?;
                tokio::task::yield_now().await;
            }
            Outcome::Ok(())
        }));
    }
    for _ in 0..2 {
        let cache = cache.clone();
        tasks.push(tokio::spawn(async move {
            for _ in 0..rounds {
                let found: String = cache.aget("key").await?.expect("it is never deleted");
                assert_eq!(found.len(), 5_000);
                let first = found.as_bytes()[0];
                assert!(found.bytes().all(|byte| byte == first), "two values are mixed");
                tokio::task::yield_now().await;
            }
            Outcome::Ok(())
        }));
    }
    for outcome in try_join_all(tasks).await? {
        outcome?;
    }
    Ok(())
}

async fn tasks_on_their_own_keys_do_not_meet(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let rounds = bench.scaled(20) as u64;
    let tasks = (0..32_u64).map(|task| {
        let cache = cache.clone();
        tokio::spawn(async move {
            let key = format!("of {task}");
            for round in 0..rounds {
                let number = 1_000 * task + round;
                assert!(cache.aadd(&key, &number, Timeout::Forever).await?);
                assert_eq!(cache.aget(&key).await?, Some(number));
                assert_eq!(cache.aincr(&key, 1).await?, i64::try_from(number + 1)?);
                assert!(cache.atouch(&key, Timeout::Default).await?);
                assert_eq!(cache.aincr_version(&key, 1).await?, 2);
                assert!(!cache.ahas_key(&key).await?);
                assert!(cache.at_version(2).adelete(&key).await?);
            }
            Outcome::Ok(())
        })
    });
    for outcome in try_join_all(tasks).await? {
        outcome?;
    }
    Ok(())
}

/// Who adds holds it, until it deletes: never two at once.
async fn adds_and_deletes_are_a_lock(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let rounds = bench.scaled(50);
    let holders = Arc::new(AtomicU64::new(0));
    let tasks = (0..8).map(|_| {
        let (cache, holders) = (cache.clone(), Arc::clone(&holders));
        tokio::spawn(async move {
            let mut held = 0;
            while held < rounds {
                if cache.aadd("lock", "held", Timeout::Forever).await? {
                    assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "two hold it");
                    tokio::task::yield_now().await;
                    holders.fetch_sub(1, Ordering::SeqCst);
                    assert!(cache.adelete("lock").await?, "somebody else let go of it");
                    held += 1;
                }
                tokio::task::yield_now().await;
            }
            Outcome::Ok(())
        })
    });
    for outcome in try_join_all(tasks).await? {
        outcome?;
    }
    Ok(())
}

async fn a_clear_under_load_ends_and_hurts_nobody(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let other = bench.builder().key_prefix(&format!("{}-other", bench.prefix())).build();
    other.set_many([("a", &1), ("b", &2)], Timeout::Forever).await?;
    let rounds = bench.scaled(100);
    let tasks: Vec<_> = (0..4)
        .map(|task| {
            let (cache, other) = (cache.clone(), other.clone());
            tokio::spawn(async move {
                for round in 0..rounds {
                    cache.aset(&format!("key {task} {}", round % 7), &round, Timeout::Forever).await?;
                    assert_eq!(other.aget("a").await?, Some(1));
                    tokio::task::yield_now().await;
                }
                Outcome::Ok(())
            })
        })
        .collect();
    for _ in 0..10 {
        cache.aclear().await?;
        tokio::task::yield_now().await;
    }
    for outcome in try_join_all(tasks).await? {
        outcome?;
    }
    assert_eq!(other.get_many::<i64, _>(["a", "b"]).await?.len(), 2);
    cache.aclear().await?;
    for task in 0..4 {
        for round in 0..7 {
            assert!(!cache.ahas_key(&format!("key {task} {round}")).await?);
        }
    }
    Ok(())
}
