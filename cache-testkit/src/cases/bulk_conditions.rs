//! Conditions in a bulk write, to the trait: each item by itself, in order.

use std::sync::Arc;

use cache_core::{Entry, ErrorKind, Life, Token, When, Write};
use futures::future::try_join_all;

use super::conditions::as_now;
use crate::bench::Bench;
use crate::case::cases;
use crate::direct::Direct;
use crate::failure::Outcome;

cases! {
    "bulk_conditions":
    [] => free_keys_refuse_present_alone;
    [Stores] => conditions_may_be_mixed, a_repeated_key_is_absent_once,
        what_was_written_before_in_the_call_is_there, an_expired_entry_is_absent,
        each_item_that_is_written_brings_its_life, a_refused_item_leaves_value_and_life,
        integers_under_conditions_are_counters, of_many_calls_one_writes_each_absent_key;
    [Stores, NoTokens] => unchanged_items_are_unsupported_and_the_others_done;
    [Stores, Tokens] => unchanged_items_write_over_what_was_read, a_stale_token_is_refused,
        a_token_is_stale_after_an_item_before_it, unchanged_items_refuse_what_is_gone;
    [Stores, NumberedTokens] => a_token_is_stale_after_an_equal_item_before_it;
}

type Item<'a> = (&'a str, Entry, Write);

/// An item without an end.
fn item(name: &str, entry: Entry, when: When) -> Item<'_> {
    (name, entry, Write::new(Life::Forever).when(when))
}

fn text(text: &str) -> Entry {
    Entry::shared(Arc::new(text.to_owned()))
}

/// Which items were written; none of them may fail.
async fn written<const N: usize>(direct: &Direct, items: [Item<'_>; N]) -> cache_core::Result<Vec<bool>> {
    direct.write_many(items).await?.into_iter().collect()
}

async fn text_of(direct: &Direct, name: &str) -> cache_core::Result<Option<String>> {
    direct.get(name).await
}

async fn free_keys_refuse_present_alone(bench: Bench) -> Outcome {
    let direct = bench.direct();
    let items = [
        item("present", text("new"), When::Present),
        item("absent", text("new"), When::Absent),
        item("always", text("new"), When::Always),
        item("present too", text("new"), When::Present),
    ];
    assert_eq!(written(&direct, items).await?, [false, true, true, false]);
    assert!(!direct.has("present").await?);
    assert!(!direct.has("present too").await?);
    Ok(())
}

async fn conditions_may_be_mixed(bench: Bench) -> Outcome {
    let direct = bench.direct();
    for name in ["absent there", "present there", "always there"] {
        direct.put(name, "old".to_owned()).await?;
    }
    let items = [
        item("absent there", text("new"), When::Absent),
        item("absent", text("new"), When::Absent),
        item("present there", text("new"), When::Present),
        item("present", text("new"), When::Present),
        item("always there", text("new"), When::Always),
        item("always", text("new"), When::Always),
    ];
    assert_eq!(written(&direct, items).await?, [false, true, true, false, true, true]);
    for (name, expected) in [
        ("absent there", Some("old")),
        ("absent", Some("new")),
        ("present there", Some("new")),
        ("present", None),
        ("always there", Some("new")),
        ("always", Some("new")),
    ] {
        assert_eq!(text_of(&direct, name).await?.as_deref(), expected, "{name}");
    }
    Ok(())
}

async fn a_repeated_key_is_absent_once(bench: Bench) -> Outcome {
    let direct = bench.direct();
    let items = [
        item("key", text("first"), When::Absent),
        item("other", text("first"), When::Absent),
        item("key", text("second"), When::Absent),
        item("other", text("second"), When::Absent),
    ];
    assert_eq!(written(&direct, items).await?, [true, true, false, false]);
    assert_eq!(text_of(&direct, "key").await?.as_deref(), Some("first"));
    assert_eq!(text_of(&direct, "other").await?.as_deref(), Some("first"));
    Ok(())
}

async fn what_was_written_before_in_the_call_is_there(bench: Bench) -> Outcome {
    let direct = bench.direct();
    let items = [
        item("a", text("always"), When::Always),
        item("a", text("absent"), When::Absent),
        item("b", text("too early"), When::Present),
        item("b", text("absent"), When::Absent),
        item("b", text("present"), When::Present),
        item("a", text("always again"), When::Always),
    ];
    assert_eq!(written(&direct, items).await?, [true, false, false, true, true, true]);
    assert_eq!(text_of(&direct, "a").await?.as_deref(), Some("always again"));
    assert_eq!(text_of(&direct, "b").await?.as_deref(), Some("present"));
    Ok(())
}

async fn an_expired_entry_is_absent(bench: Bench) -> Outcome {
    let direct = bench.direct();
    let mut span = bench.span(bench.short());
    for name in ["absent", "present", "always"] {
        direct.write(name, "old".to_owned(), Write::new(Life::For(bench.short()))).await?;
    }
    span.passes().await;
    let items = [
        item("absent", text("new"), When::Absent),
        item("present", text("new"), When::Present),
        item("always", text("new"), When::Always),
    ];
    assert_eq!(written(&direct, items).await?, [true, false, true]);
    assert_eq!(text_of(&direct, "absent").await?.as_deref(), Some("new"));
    assert_eq!(direct.life("absent").await?, Some(Life::Forever));
    assert!(!direct.has("present").await?);
    assert_eq!(text_of(&direct, "always").await?.as_deref(), Some("new"));
    Ok(())
}

async fn each_item_that_is_written_brings_its_life(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("short present", "old".to_owned()).await?;
    direct.write("endless present", 1, Write::new(Life::For(100 * bench.short()))).await?;
    let mut span = bench.span(bench.short());
    let (short, long) = (Life::For(bench.short()), Life::For(100 * bench.short()));
    let items = [
        ("short absent", text("new"), Write::new(short).when(When::Absent)),
        ("endless present", text("new"), Write::new(Life::Forever).when(When::Present)),
        ("short present", text("new"), Write::new(short).when(When::Present)),
        ("long absent", text("new"), Write::new(long).when(When::Absent)),
        ("endless absent", text("new"), Write::new(Life::Forever).when(When::Absent)),
    ];
    assert_eq!(written(&direct, items).await?, [true; 5]);
    assert_eq!(direct.life("endless present").await?, Some(Life::Forever));
    assert_eq!(direct.life("endless absent").await?, Some(Life::Forever));
    span.passes().await;
    assert!(!direct.has("short absent").await?);
    assert!(!direct.has("short present").await?);
    assert!(matches!(direct.life("long absent").await?, Some(Life::For(_))));
    Ok(())
}

async fn a_refused_item_leaves_value_and_life(bench: Bench) -> Outcome {
    let direct = bench.direct();
    let long = Write::new(Life::For(100 * bench.short()));
    direct.put("endless", "old".to_owned()).await?;
    direct.write("long", "old".to_owned(), long.clone()).await?;
    let items = [
        ("endless", text("new"), long.when(When::Absent)),
        item("long", text("new"), When::Absent),
        item("nothing", text("new"), When::Present),
        item("neighbour", text("new"), When::Absent),
    ];
    assert_eq!(written(&direct, items).await?, [false, false, false, true]);
    assert_eq!(text_of(&direct, "endless").await?.as_deref(), Some("old"));
    assert_eq!(direct.life("endless").await?, Some(Life::Forever));
    assert_eq!(text_of(&direct, "long").await?.as_deref(), Some("old"));
    assert!(matches!(direct.life("long").await?, Some(Life::For(_))));
    assert!(!direct.has("nothing").await?);
    assert_eq!(text_of(&direct, "neighbour").await?.as_deref(), Some("new"));
    Ok(())
}

async fn integers_under_conditions_are_counters(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("present", "text".to_owned()).await?;
    let items = [
        item("absent", Entry::from_integer(1), When::Absent),
        item("present", Entry::from_integer(2), When::Present),
        item("always", Entry::from_integer(3), When::Always),
        item("absent", Entry::from_integer(4), When::Absent),
    ];
    assert_eq!(written(&direct, items).await?, [true, true, true, false]);
    for (name, sum) in [("absent", 11), ("present", 12), ("always", 13)] {
        assert_eq!(direct.incr(name, 10).await?, Some(sum), "{name}");
    }
    Ok(())
}

async fn of_many_calls_one_writes_each_absent_key(bench: Bench) -> Outcome {
    let names = ["a", "b", "c", "d"];
    let calls = (0..20).map(|number| {
        let direct = bench.direct();
        tokio::spawn(async move {
            let items = names.map(|name| item(name, Entry::from_integer(number), When::Absent));
            Ok::<_, cache_core::Error>((number, written(&direct, items).await?))
        })
    });
    let mut winners = [const { Vec::new() }; 4];
    for outcome in try_join_all(calls).await? {
        let (number, written) = outcome?;
        for (winners, written) in winners.iter_mut().zip(written) {
            winners.extend(written.then_some(number));
        }
    }
    let direct = bench.direct();
    for (name, winners) in names.into_iter().zip(winners) {
        assert_eq!(winners.len(), 1, "{name}");
        assert_eq!(direct.get(name).await?, winners.first().copied(), "{name}");
    }
    Ok(())
}

async fn unchanged_items_are_unsupported_and_the_others_done(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("there", "old".to_owned()).await?;
    let unchanged = || When::Unchanged(Token::from_number(1));
    let single = direct.put_when("there", "new".to_owned(), unchanged()).await;
    assert_eq!(single.map_err(|error| error.kind()), Err(ErrorKind::Unsupported));
    let items = [
        item("there", text("new"), unchanged()),
        item("first", text("new"), When::Absent),
        item("free", text("new"), unchanged()),
        item("first", text("newer"), When::Absent),
        item("last", text("new"), When::Always),
    ];
    let answers = direct.write_many(items).await?;
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.map_err(|error| error.kind())).collect();
    let unsupported = Err(ErrorKind::Unsupported);
    assert_eq!(answers, [unsupported, Ok(true), unsupported, Ok(false), Ok(true)]);
    assert_eq!(text_of(&direct, "there").await?.as_deref(), Some("old"));
    assert_eq!(text_of(&direct, "first").await?.as_deref(), Some("new"));
    assert!(!direct.has("free").await?);
    assert_eq!(text_of(&direct, "last").await?.as_deref(), Some("new"));
    Ok(())
}

async fn unchanged_items_write_over_what_was_read(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("text", "old".to_owned()).await?;
    direct.put("count", 1).await?;
    direct.put("there", "old".to_owned()).await?;
    let items = [
        item("there", text("new"), When::Absent),
        item("text", text("new"), as_now(&direct, "text").await?),
        item("free", text("new"), When::Absent),
        item("count", Entry::from_integer(2), as_now(&direct, "count").await?),
    ];
    assert_eq!(written(&direct, items).await?, [false, true, true, true]);
    assert_eq!(text_of(&direct, "text").await?.as_deref(), Some("new"));
    assert_eq!(text_of(&direct, "free").await?.as_deref(), Some("new"));
    assert_eq!(direct.incr("count", 1).await?, Some(3));
    assert_eq!(text_of(&direct, "there").await?.as_deref(), Some("old"));
    Ok(())
}

async fn a_stale_token_is_refused(bench: Bench) -> Outcome {
    let direct = bench.direct();
    for name in ["stale", "fresh"] {
        direct.put(name, "old".to_owned()).await?;
    }
    let (stale, fresh) = (as_now(&direct, "stale").await?, as_now(&direct, "fresh").await?);
    direct.put("stale", "newer".to_owned()).await?;
    let short = Write::new(Life::For(100 * bench.short()));
    let items = [("stale", text("refused"), short.when(stale)), item("fresh", text("new"), fresh)];
    assert_eq!(written(&direct, items).await?, [false, true]);
    assert_eq!(text_of(&direct, "stale").await?.as_deref(), Some("newer"));
    assert_eq!(direct.life("stale").await?, Some(Life::Forever));
    assert_eq!(text_of(&direct, "fresh").await?.as_deref(), Some("new"));
    Ok(())
}

/// Of two items with one token the first wins, as of two callers.
async fn a_token_is_stale_after_an_item_before_it(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("key", "old".to_owned()).await?;
    let when = as_now(&direct, "key").await?;
    let items = [item("key", text("first"), when.clone()), item("key", text("second"), when)];
    assert_eq!(written(&direct, items).await?, [true, false]);
    assert_eq!(text_of(&direct, "key").await?.as_deref(), Some("first"));
    Ok(())
}

async fn unchanged_items_refuse_what_is_gone(bench: Bench) -> Outcome {
    let direct = bench.direct();
    let mut span = bench.span(bench.short());
    direct.write("expired", 1, Write::new(Life::For(bench.short()))).await?;
    direct.put("deleted", 1).await?;
    let expired = direct.token("expired").await?;
    let deleted = as_now(&direct, "deleted").await?;
    direct.delete("deleted", &When::Always).await?;
    span.passes().await;
    assert_eq!(written(&direct, [item("deleted", text("new"), deleted)]).await?, [false]);
    // A slow machine may have read it when it had expired.
    if let Some(token) = expired {
        let items = [item("expired", text("new"), When::Unchanged(token))];
        assert_eq!(written(&direct, items).await?, [false]);
    }
    assert!(!direct.has("expired").await?);
    assert!(!direct.has("deleted").await?);
    Ok(())
}

async fn a_token_is_stale_after_an_equal_item_before_it(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("text", "same".to_owned()).await?;
    direct.put("count", 1).await?;
    let items = [
        item("text", text("same"), When::Always),
        item("count", Entry::from_integer(1), When::Always),
        item("text", text("refused"), as_now(&direct, "text").await?),
        item("count", text("refused"), as_now(&direct, "count").await?),
    ];
    assert_eq!(written(&direct, items).await?, [true, true, false, false]);
    assert_eq!(text_of(&direct, "text").await?.as_deref(), Some("same"));
    assert_eq!(direct.get("count").await?, Some(1));
    Ok(())
}
