//! Many keys at once: by the caller's own keys, in order, a failure per key.

use std::collections::HashMap;
use std::time::Duration;

use cache_core::{Entry, ErrorKind, Format, Life, Read, Timeout, UndecodableReason, Write};
use std::sync::Arc;

use crate::bench::{Bench, undecodable};
use crate::case::cases;
use crate::failure::Outcome;
use crate::samples::{Refused, User};

cases! {
    "bulk":
    [] => no_keys_are_no_work, missing_keys_are_left_out, missing_keys_can_be_deleted;
    [Stores] => found_values_come_by_the_callers_own_keys, a_key_may_be_asked_for_twice,
        a_thousand_keys, a_map_is_written_by_reference, the_last_of_a_repeated_key_wins,
        all_of_them_have_the_life, each_has_a_life_of_its_own_to_the_trait,
        zero_removes_them_all, one_life_is_replaced, a_refused_value_leaves_the_others,
        a_large_value_leaves_the_others, deleted_keys_are_gone,
        expired_entries_are_left_out, mixed_types, versions_are_apart_in_bulk,
        a_stored_none_is_found, the_order_is_kept, integers_written_in_bulk_are_counters,
        a_partial_read_has_it_all;
}

async fn no_keys_are_no_work(bench: Bench) -> Outcome {
    let cache = bench.cache();
    assert!(cache.get_many::<String, _>(Vec::<String>::new()).await?.is_empty());
    assert!(cache.get_many_any(Vec::<&str>::new()).await?.is_empty());
    assert!(cache.get_many_partial::<String, _>([""; 0]).await?.found.is_empty());
    cache.set_many(Vec::<(&str, &String)>::new(), Timeout::Default).await?;
    cache.set_many(&HashMap::<String, String>::new(), Duration::ZERO).await?;
    cache.delete_many(Vec::<&str>::new()).await?;
    let direct = bench.direct();
    assert!(direct.store.get_many(&[], Read::default()).await?.is_empty());
    assert!(direct.store.set_many(&[]).await?.is_empty());
    assert!(direct.store.delete_many(&[]).await?.is_empty());
    Ok(())
}

async fn missing_keys_are_left_out(bench: Bench) -> Outcome {
    let cache = bench.cache();
    assert!(cache.get_many::<String, _>(["a", "b"]).await?.is_empty());
    assert!(cache.get_many_any(["a", "b"]).await?.is_empty());
    let partial = cache.get_many_partial::<String, _>(["a", "b"]).await?;
    assert!(partial.found.is_empty() && partial.failed.is_empty());
    let direct = bench.direct();
    let answers = direct.get_many(&["a", "b"], Read::default()).await?;
    assert!(answers.len() == 2 && answers.iter().all(Option::is_none));
    Ok(())
}

async fn missing_keys_can_be_deleted(bench: Bench) -> Outcome {
    bench.cache().delete_many(["a", "b", "a"]).await?;
    let direct = bench.direct();
    let answers = direct.store.delete_many(&[direct.key("a")]).await?;
    assert_eq!(answers.len(), 1);
    Ok(answers.into_iter().collect::<cache_core::Result<()>>()?)
}

async fn found_values_come_by_the_callers_own_keys(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.set_many([("a", "1"), ("b", "2")], Timeout::Default).await?;
    let borrowed: HashMap<&str, String> = cache.get_many(["b", "missing", "a"]).await?;
    assert_eq!(borrowed, HashMap::from([("a", "1".to_owned()), ("b", "2".to_owned())]));
    let owned: HashMap<String, String> = cache.get_many(vec!["a".to_owned(), "c".to_owned()]).await?;
    assert_eq!(owned, HashMap::from([("a".to_owned(), "1".to_owned())]));
    let keys = ["a".to_owned(), "b".to_owned()];
    let by_reference: HashMap<&String, String> = cache.get_many(&keys).await?;
    assert_eq!(by_reference.len(), 2);
    Ok(())
}

async fn a_key_may_be_asked_for_twice(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.set_many([("a", &1), ("b", &2)], Timeout::Default).await?;
    let found = cache.get_many::<i64, _>(["a", "b", "a", "missing", "missing", "b"]).await?;
    assert_eq!(found, HashMap::from([("a", 1), ("b", 2)]));
    let direct = bench.direct();
    let answers = direct.get_many(&["a", "b", "a", "missing", "a"], Read::default()).await?;
    let integers: Vec<_> = answers.into_iter().map(|found| found?.entry.integer()).collect();
    assert_eq!(integers, [Some(1), Some(2), Some(1), None, Some(1)]);
    Ok(())
}

async fn a_thousand_keys(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let count = bench.scaled(1_000);
    let items: HashMap<String, u64> = (0..count as u64).map(|n| (format!("key {n}"), n)).collect();
    cache.set_many(&items, Timeout::Forever).await?;
    let found: HashMap<String, u64> = cache.get_many(items.keys().cloned()).await?;
    assert_eq!(found.len(), items.len());
    assert!(found == items);
    let some: Vec<_> = items.keys().filter(|key| key.ends_with('3')).collect();
    cache.delete_many(&some).await?;
    let left = cache.get_many::<u64, _>(items.keys()).await?;
    assert_eq!(left.len(), items.len() - some.len());
    Ok(())
}

async fn a_map_is_written_by_reference(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let users = HashMap::from([("ada".to_owned(), User::ada())]);
    cache.set_many(&users, Timeout::Default).await?;
    assert_eq!(cache.aget("ada").await?, Some(User::ada()));
    Ok(())
}

async fn the_last_of_a_repeated_key_wins(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.set_many([("a", "1"), ("b", "2"), ("a", "3"), ("b", "4"), ("a", "5")], Timeout::Default).await?;
    assert_eq!(cache.aget::<String>("a").await?.as_deref(), Some("5"));
    assert_eq!(cache.aget::<String>("b").await?.as_deref(), Some("4"));
    let count = 250;
    let items: Vec<_> = (0..count).map(|n| (format!("key {}", n % 3), n)).collect();
    cache.set_many(items.iter().map(|(key, n)| (key, n)), Timeout::Default).await?;
    for last in count - 3..count {
        assert_eq!(cache.aget(&format!("key {}", last % 3)).await?, Some(last));
    }
    Ok(())
}

async fn all_of_them_have_the_life(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.set_many([("e1", &1), ("e2", &2)], Timeout::Forever).await?;
    let mut span = bench.span(bench.short());
    cache.set_many([("s1", &1), ("s2", &2), ("s3", &3)], bench.short()).await?;
    span.nearly_passes().await;
    let found = cache.get_many::<i64, _>(["s1", "s2", "s3"]).await?;
    assert!(found.len() == 3 || !span.is_owed(), "{found:?}");
    span.passes().await;
    let found = cache.get_many::<i64, _>(["s1", "s2", "s3", "e1", "e2"]).await?;
    assert_eq!(found, HashMap::from([("e1", 1), ("e2", 2)]));
    assert_eq!(cache.alife("e1").await?, Some(Life::Forever));
    Ok(())
}

async fn each_has_a_life_of_its_own_to_the_trait(bench: Bench) -> Outcome {
    let direct = bench.direct();
    let mut span = bench.span(bench.short());
    let lives = [Life::For(bench.short()), Life::Forever, Life::For(100 * bench.short())];
    let names = ["short", "endless", "long"];
    let item = |(name, life)| (name, Entry::from_integer(1), Write::new(life));
    for answer in direct.write_many(names.into_iter().zip(lives).map(item)).await? {
        assert!(answer?);
    }
    assert_eq!(direct.life("endless").await?, Some(Life::Forever));
    span.passes().await;
    assert!(!direct.has("short").await?);
    assert!(direct.has("endless").await?);
    assert!(direct.has("long").await?);
    assert!(matches!(direct.life("long").await?, Some(Life::For(_))));
    Ok(())
}

async fn zero_removes_them_all(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.set_many([("a", &1), ("b", &2), ("c", &3)], Timeout::Forever).await?;
    cache.set_many([("a", &7), ("b", &8), ("new", &9)], Duration::ZERO).await?;
    let found = cache.get_many::<i64, _>(["a", "b", "c", "new"]).await?;
    assert_eq!(found, HashMap::from([("c", 3)]));
    Ok(())
}

async fn one_life_is_replaced(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let mut span = bench.span(bench.short());
    cache.aset("short", "old", bench.short()).await?;
    cache.aset("endless", "old", Timeout::Forever).await?;
    cache.set_many([("short", "new")], Timeout::Forever).await?;
    cache.set_many([("endless", "new")], bench.short()).await?;
    span.passes().await;
    bench.time().pass(bench.short()).await;
    assert_eq!(cache.aget::<String>("short").await?.as_deref(), Some("new"));
    assert!(!cache.ahas_key("endless").await?);
    Ok(())
}

async fn a_refused_value_leaves_the_others(bench: Bench) -> Outcome {
    let cache = bench.cache();
    // None of them can be encoded, except under a key that is not the first.
    let good = Ok::<i64, Refused>(1);
    let bad = Err::<i64, Refused>(Refused("x".to_owned()));
    let items = [("a", &good), ("b", &bad), ("c", &good), ("d", &bad), ("e", &good)];
    let Err(error) = cache.set_many(items, Timeout::Default).await else {
        panic!("two values cannot be encoded");
    };
    assert_eq!(error.kind(), ErrorKind::Codec);
    let positions: Vec<_> = error.failures().iter().map(|(position, _)| *position).collect();
    assert_eq!(positions, [1, 3]);
    assert!(error.failures().iter().all(|(_, failure)| failure.kind() == ErrorKind::Codec));
    for (key, there) in [("a", true), ("b", false), ("c", true), ("d", false), ("e", true)] {
        assert_eq!(cache.ahas_key(key).await?, there, "{key}");
    }
    Ok(())
}

async fn a_large_value_leaves_the_others(bench: Bench) -> Outcome {
    let format = Format::default().with_max_value_bytes(100);
    let cache = bench.builder().format(format).build();
    let large = "x".repeat(200);
    cache.aset("b", "old", Timeout::Forever).await?;
    let items = [("a", "1"), ("b", large.as_str()), ("c", "3")];
    let Err(error) = cache.set_many(items, Timeout::Default).await else {
        panic!("one value is too large");
    };
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(error.failures().len(), 1);
    assert_eq!(error.failures()[0].0, 1);
    assert_eq!(cache.aget::<String>("a").await?.as_deref(), Some("1"));
    assert_eq!(cache.aget::<String>("b").await?.as_deref(), Some("old"));
    assert_eq!(cache.aget::<String>("c").await?.as_deref(), Some("3"));
    Ok(())
}

async fn deleted_keys_are_gone(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.set_many([("a", &1), ("b", &2), ("c", &3)], Timeout::Forever).await?;
    cache.delete_many(["a", "missing", "c", "a"]).await?;
    let found = cache.get_many::<i64, _>(["a", "b", "c"]).await?;
    assert_eq!(found, HashMap::from([("b", 2)]));
    Ok(())
}

async fn expired_entries_are_left_out(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let mut span = bench.span(bench.short());
    cache.set_many([("a", &1), ("b", &2)], bench.short()).await?;
    cache.aset("b", &3, Timeout::Forever).await?;
    span.passes().await;
    assert_eq!(cache.get_many::<i64, _>(["a", "b"]).await?, HashMap::from([("b", 3)]));
    assert_eq!(cache.get_many_any(["a", "b"]).await?.len(), 1);
    Ok(())
}

async fn mixed_types(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("user", &User::ada(), Timeout::Default).await?;
    cache.aset("count", &7, Timeout::Default).await?;
    cache.aset("text", "onwards", Timeout::Default).await?;
    cache.aset("none", &None::<String>, Timeout::Default).await?;
    let found = cache.get_many_any(["user", "count", "text", "none", "missing"]).await?;
    assert_eq!(found.len(), 4);
    assert_eq!(found["user"].read::<User>()?, Some(User::ada()));
    assert_eq!(found["count"].read::<u8>()?, Some(7));
    assert_eq!(found["count"].read::<i64>()?, Some(7));
    assert_eq!(found["text"].read::<String>()?.as_deref(), Some("onwards"));
    assert_eq!(found["none"].read::<Option<String>>()?, Some(None));
    assert_eq!(found["text"].read::<i64>()?, None, "a counted miss, as for any read");
    assert_eq!(undecodable(&cache, UndecodableReason::Malformed), 1);
    Ok(())
}

async fn versions_are_apart_in_bulk(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let v2 = cache.at_version(2);
    cache.set_many([("a", &1), ("b", &2)], Timeout::Default).await?;
    assert!(v2.get_many::<i64, _>(["a", "b"]).await?.is_empty());
    v2.set_many([("a", &10)], Timeout::Default).await?;
    v2.delete_many(["b"]).await?;
    assert_eq!(cache.get_many::<i64, _>(["a", "b"]).await?, HashMap::from([("a", 1), ("b", 2)]));
    Ok(())
}

async fn a_stored_none_is_found(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.set_many([("a", &None), ("b", &Some("text".to_owned()))], Timeout::Default).await?;
    let found = cache.get_many::<Option<String>, _>(["a", "b", "c"]).await?;
    assert_eq!(found, HashMap::from([("a", None), ("b", Some("text".to_owned()))]));
    Ok(())
}

/// Neighbours in one call differ in kind, so that a shifted answer shows.
async fn the_order_is_kept(bench: Bench) -> Outcome {
    let direct = bench.direct();
    let names: Vec<String> = (0..60).map(|n| format!("key {n}")).collect();
    for (number, name) in names.iter().enumerate() {
        match number % 3 {
            0 => direct.put(name, i64::try_from(number)?).await?,
            1 => direct.put(name, format!("text {number}")).await?,
            _ => false,
        };
    }
    let backwards: Vec<_> = names.iter().rev().map(String::as_str).collect();
    let answers = direct.get_many(&backwards, Read::default()).await?;
    for (number, found) in (0..60).rev().zip(answers) {
        match (number % 3, found) {
            (0, Some(found)) => assert_eq!(found.entry.integer(), Some(number)),
            (1, Some(found)) => {
                assert_eq!(found.entry.read::<String>(&direct.format)?, format!("text {number}"));
            }
            (2, None) => {}
            (_, found) => panic!("{found:?} at {number}"),
        }
    }
    Ok(())
}

async fn integers_written_in_bulk_are_counters(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.set_many([("a", &1_u8), ("b", &2_u8)], Timeout::Forever).await?;
    assert_eq!(cache.aincr("a", 1).await?, 2);
    assert_eq!(cache.aincr("b", -3).await?, -1);
    Ok(())
}

async fn a_partial_read_has_it_all(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset_arc("a", Arc::new(1), Timeout::Default).await?;
    cache.aset("text", "no number", Timeout::Default).await?;
    let partial = cache.get_many_partial::<i64, _>(["a", "text", "missing", "a"]).await?;
    assert_eq!(partial.found, HashMap::from([("a", 1)]));
    assert!(partial.failed.is_empty(), "what cannot be decoded is a miss");
    Ok(())
}
