//! Conditional writes, to the trait: Absent, Present, Unchanged.

use cache_core::{Life, When, Write};
use futures::future::try_join_all;

use crate::bench::Bench;
use crate::case::cases;
use crate::direct::Direct;
use crate::failure::Outcome;

cases! {
    "conditions":
    [] => absent_on_a_free_key, present_on_a_free_key;
    [Stores] => absent_leaves_what_is_there, present_replaces_what_is_there,
        a_refused_write_keeps_the_life, a_write_brings_its_life, a_delete_means_always_by_present,
        a_delete_by_absent_removes_nothing;
    [Stores, Tokens] => unchanged_writes_over_what_was_read, unchanged_refuses_after_a_write,
        unchanged_refuses_a_missing_key, unchanged_refuses_an_expired_entry,
        unchanged_refuses_after_an_increment, a_delete_by_unchanged,
        tokens_are_stable_while_nobody_writes, tokens_of_one_key_fit_no_other,
        one_of_many_unchanged_writes_wins, compare_and_set_counts_exactly;
    [Stores, NumberedTokens] => unchanged_refuses_after_an_equal_write,
        unchanged_refuses_what_was_deleted_and_written_again,
        unchanged_refuses_after_counting_to_and_fro, unchanged_refuses_after_a_move_to_and_fro;
    [Stores, NumberedTokens, ClearPrefix] => unchanged_refuses_after_a_clear;
}

async fn absent_on_a_free_key(bench: Bench) -> Outcome {
    assert!(bench.direct().put_when("key", 1, When::Absent).await?);
    Ok(())
}

async fn present_on_a_free_key(bench: Bench) -> Outcome {
    let direct = bench.direct();
    assert!(!direct.put_when("key", 1, When::Present).await?);
    assert!(!direct.has("key").await?);
    Ok(())
}

async fn absent_leaves_what_is_there(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("text", "old".to_owned()).await?;
    direct.put("count", 1).await?;
    assert!(!direct.put_when("text", "new".to_owned(), When::Absent).await?);
    assert!(!direct.put_when("count", 2, When::Absent).await?);
    assert_eq!(direct.get::<String>("text").await?.as_deref(), Some("old"));
    assert_eq!(direct.get("count").await?, Some(1));
    Ok(())
}

async fn present_replaces_what_is_there(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("text", "old".to_owned()).await?;
    direct.put("count", 1).await?;
    assert!(direct.put_when("text", "new".to_owned(), When::Present).await?);
    assert!(direct.put_when("count", "text now".to_owned(), When::Present).await?);
    assert_eq!(direct.get::<String>("text").await?.as_deref(), Some("new"));
    assert_eq!(direct.get::<String>("count").await?.as_deref(), Some("text now"));
    Ok(())
}

async fn a_refused_write_keeps_the_life(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("key", 1).await?;
    let write = Write::new(Life::For(bench.short())).when(When::Absent);
    assert!(!direct.write("key", 2, write).await?);
    assert_eq!(direct.life("key").await?, Some(Life::Forever));
    Ok(())
}

async fn a_write_brings_its_life(bench: Bench) -> Outcome {
    let direct = bench.direct();
    let short = Write::new(Life::For(bench.short()));
    let mut span = bench.span(bench.short());
    assert!(direct.write("absent", 1, short.clone().when(When::Absent)).await?);
    direct.put("present", 1).await?;
    assert!(direct.write("present", 2, short.clone().when(When::Present)).await?);
    direct.write("endless", 1, Write::new(Life::For(100 * bench.short()))).await?;
    assert!(direct.put_when("endless", 2, When::Present).await?);
    assert_eq!(direct.life("endless").await?, Some(Life::Forever));
    span.passes().await;
    assert!(!direct.has("absent").await?);
    assert!(!direct.has("present").await?);
    Ok(())
}

async fn a_delete_means_always_by_present(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("key", 1).await?;
    assert!(direct.delete("key", &When::Present).await?);
    assert!(!direct.has("key").await?);
    assert!(!direct.delete("key", &When::Present).await?);
    Ok(())
}

async fn a_delete_by_absent_removes_nothing(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("key", 1).await?;
    assert!(!direct.delete("key", &When::Absent).await?);
    assert_eq!(direct.get("key").await?, Some(1));
    Ok(())
}

/// The condition that the entry is as it is now.
pub(super) async fn as_now(direct: &Direct, name: &str) -> cache_core::Result<When> {
    let token = direct.token(name).await?;
    Ok(When::Unchanged(token.expect("the store gives tokens, and there is an entry")))
}

/// Neither a write nor a delete under this condition does anything.
async fn refuses(direct: &Direct, name: &str, when: When) -> Outcome {
    let before = direct.found(name).await?.map(|found| found.entry.encode(&direct.format)).transpose()?;
    assert!(!direct.delete(name, &when).await?, "it was deleted");
    assert!(!direct.put_when(name, "refused".to_owned(), when).await?, "it was written");
    let after = direct.found(name).await?.map(|found| found.entry.encode(&direct.format)).transpose()?;
    assert_eq!(before, after);
    Ok(())
}

async fn unchanged_writes_over_what_was_read(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("text", "old".to_owned()).await?;
    direct.put("count", 1).await?;
    for name in ["text", "count"] {
        let when = as_now(&direct, name).await?;
        assert!(direct.put_when(name, "new".to_owned(), when.clone()).await?);
        assert_eq!(direct.get::<String>(name).await?.as_deref(), Some("new"));
        refuses(&direct, name, when).await?;
    }
    Ok(())
}

async fn unchanged_refuses_after_a_write(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("text", "old".to_owned()).await?;
    let when = as_now(&direct, "text").await?;
    direct.put("text", "newer".to_owned()).await?;
    refuses(&direct, "text", when).await
}

async fn unchanged_refuses_after_an_equal_write(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("text", "same".to_owned()).await?;
    direct.put("count", 1).await?;
    let (text, count) = (as_now(&direct, "text").await?, as_now(&direct, "count").await?);
    direct.put("text", "same".to_owned()).await?;
    direct.put("count", 1).await?;
    refuses(&direct, "text", text).await?;
    refuses(&direct, "count", count).await
}

/// What was there, went, and came back equal is not what was read.
async fn unchanged_refuses_what_was_deleted_and_written_again(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("text", "same".to_owned()).await?;
    direct.put("count", 1).await?;
    let (text, count) = (as_now(&direct, "text").await?, as_now(&direct, "count").await?);
    direct.delete("text", &When::Always).await?;
    direct.delete("count", &When::Always).await?;
    direct.put("text", "same".to_owned()).await?;
    direct.put("count", 1).await?;
    refuses(&direct, "text", text).await?;
    refuses(&direct, "count", count).await
}

async fn unchanged_refuses_a_missing_key(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("key", 1).await?;
    let when = as_now(&direct, "key").await?;
    direct.delete("key", &When::Always).await?;
    refuses(&direct, "key", when).await
}

async fn unchanged_refuses_an_expired_entry(bench: Bench) -> Outcome {
    let direct = bench.direct();
    let mut span = bench.span(bench.short());
    direct.write("set", 1, Write::new(Life::For(bench.short()))).await?;
    direct.write("deleted", 1, Write::new(Life::For(bench.short()))).await?;
    let (set, deleted) = (direct.token("set").await?, direct.token("deleted").await?);
    span.passes().await;
    if let Some(token) = set {
        assert!(!direct.put_when("set", 2, When::Unchanged(token)).await?);
    }
    if let Some(token) = deleted {
        assert!(!direct.delete("deleted", &When::Unchanged(token)).await?);
    }
    assert!(!direct.has("set").await?);
    Ok(())
}

async fn unchanged_refuses_after_an_increment(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("count", 1).await?;
    let when = as_now(&direct, "count").await?;
    direct.incr("count", 1).await?;
    refuses(&direct, "count", when).await
}

async fn unchanged_refuses_after_counting_to_and_fro(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("count", 1).await?;
    let when = as_now(&direct, "count").await?;
    direct.incr("count", 1).await?;
    direct.incr("count", -1).await?;
    refuses(&direct, "count", when).await
}

async fn unchanged_refuses_after_a_move_to_and_fro(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("key", "text".to_owned()).await?;
    let when = as_now(&direct, "key").await?;
    let cache = bench.cache();
    cache.aincr_version("key", 1).await?;
    cache.at_version(2).adecr_version("key", 1).await?;
    refuses(&direct, "key", when).await
}

async fn unchanged_refuses_after_a_clear(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("key", "same".to_owned()).await?;
    let when = as_now(&direct, "key").await?;
    bench.cache().aclear().await?;
    direct.put("key", "same".to_owned()).await?;
    refuses(&direct, "key", when).await
}

async fn a_delete_by_unchanged(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("text", "text".to_owned()).await?;
    direct.put("count", 1).await?;
    for name in ["text", "count"] {
        let when = as_now(&direct, name).await?;
        assert!(direct.delete(name, &when).await?);
        assert!(!direct.has(name).await?);
        assert!(!direct.delete(name, &when).await?);
    }
    Ok(())
}

async fn tokens_are_stable_while_nobody_writes(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("key", "text".to_owned()).await?;
    direct.put("other", 1).await?;
    let token = direct.token("key").await?;
    direct.put("other", 2).await?;
    direct.get::<String>("key").await?;
    direct.life("key").await?;
    direct.put_when("key", 1, When::Absent).await?;
    assert_eq!(direct.token("key").await?, token, "a refused write is none");
    assert!(direct.put_when("key", 2, as_now(&direct, "key").await?).await?);
    Ok(())
}

async fn tokens_of_one_key_fit_no_other(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("one", "first".to_owned()).await?;
    direct.put("two", "second".to_owned()).await?;
    let one = as_now(&direct, "one").await?;
    refuses(&direct, "two", one).await
}

async fn one_of_many_unchanged_writes_wins(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("key", 0).await?;
    let when = as_now(&direct, "key").await?;
    let writes = (1..=50).map(|number| {
        let (direct, when) = (direct.clone(), when.clone());
        tokio::spawn(async move { Ok((number, direct.put_when("key", number, when).await?)) })
    });
    let mut winners = Vec::new();
    for outcome in try_join_all(writes).await? {
        let (number, written): (i64, bool) = outcome.map_err(|error: cache_core::Error| error)?;
        winners.extend(written.then_some(number));
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(direct.get("key").await?, winners.pop());
    Ok(())
}

async fn compare_and_set_counts_exactly(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("text", "0".to_owned()).await?;
    let (tasks, rounds) = (8, bench.scaled(25));
    let counts = (0..tasks).map(|_| {
        let direct = direct.clone();
        tokio::spawn(async move {
            for _ in 0..rounds {
                loop {
                    let found = direct.found("text").await?.expect("nobody deletes it");
                    let count: usize = found.entry.read::<String>(&direct.format)?.parse().unwrap_or(0);
                    let when = When::Unchanged(found.token.expect("the store gives tokens"));
                    if direct.put_when("text", (count + 1).to_string(), when).await? {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            Ok::<(), cache_core::Error>(())
        })
    });
    for outcome in try_join_all(counts).await? {
        outcome?;
    }
    assert_eq!(direct.get::<String>("text").await?, Some((tasks * rounds).to_string()));
    Ok(())
}
