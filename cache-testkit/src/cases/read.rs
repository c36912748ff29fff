//! Reads of one key.

use std::sync::Arc;
use std::time::Duration;

use cache_core::{KeySpace, Life, Probe, Read, Timeout, When};

use crate::bench::Bench;
use crate::case::cases;
use crate::failure::Outcome;
use crate::samples::User;

cases! {
    "read":
    [] => a_missing_key_is_none_and_no_error, a_missing_key_is_absent_to_the_trait;
    [Stores] => a_value_is_read_back, a_shared_read_equals_an_owned_one, a_read_takes_nothing_away,
        a_stored_none_is_a_hit, a_stored_unit_is_a_hit, has_key_is_true_of_any_type,
        the_probe_agrees_with_the_read, the_leader_has_seen_the_write, a_life_is_what_remains,
        keys_of_equal_text_are_one_entry;
    [Stores, Tokens] => a_token_comes_with_the_entry_where_it_is_wanted;
}

async fn a_missing_key_is_none_and_no_error(bench: Bench) -> Outcome {
    let cache = bench.cache();
    assert_eq!(cache.aget::<String>("missing").await?, None);
    assert_eq!(cache.aget::<Option<String>>("missing").await?, None);
    assert_eq!(cache.aget_arc::<User>("missing").await?, None);
    assert!(!cache.ahas_key("missing").await?);
    assert_eq!(cache.alife("missing").await?, None);
    Ok(())
}

async fn a_missing_key_is_absent_to_the_trait(bench: Bench) -> Outcome {
    let direct = bench.direct();
    assert!(direct.found("missing").await?.is_none());
    assert!(!direct.has("missing").await?);
    assert_eq!(direct.life("missing").await?, None);
    assert_ne!(direct.probe("missing"), Some(true));
    Ok(())
}

async fn a_value_is_read_back(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("user", &User::ada(), Timeout::Default).await?;
    assert_eq!(cache.aget("user").await?, Some(User::ada()));
    assert!(cache.ahas_key("user").await?);
    assert_eq!(cache.aget::<User>("use").await?, None, "a part of the key is another key");
    assert_eq!(cache.aget::<User>("user ").await?, None, "blanks are not trimmed");
    Ok(())
}

async fn a_shared_read_equals_an_owned_one(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset_arc("user", Arc::new(User::ada()), Timeout::Default).await?;
    assert_eq!(cache.aget("user").await?, Some(User::ada()));
    assert_eq!(cache.aget_arc("user").await?, Some(Arc::new(User::ada())));
    cache.aset("count", &7, Timeout::Default).await?;
    assert_eq!(cache.aget_arc("count").await?, Some(Arc::new(7_u16)));
    Ok(())
}

async fn a_read_takes_nothing_away(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("motto", "onwards", Timeout::Forever).await?;
    for _ in 0..3 {
        assert_eq!(cache.aget::<String>("motto").await?.as_deref(), Some("onwards"));
    }
    assert_eq!(cache.alife("motto").await?, Some(Life::Forever));
    Ok(())
}

async fn a_stored_none_is_a_hit(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("absent friend", &None::<String>, Timeout::Default).await?;
    assert_eq!(cache.aget::<Option<String>>("absent friend").await?, Some(None));
    assert!(cache.ahas_key("absent friend").await?);
    assert_eq!(cache.aget::<Option<String>>("no friend").await?, None);

    cache.aset("friend", &Some("Charles".to_owned()), Timeout::Default).await?;
    assert_eq!(cache.aget("friend").await?, Some(Some("Charles".to_owned())));
    let found = cache.get_many::<Option<String>, _>(["absent friend", "no friend"]).await?;
    assert_eq!(found.get("absent friend"), Some(&None));
    assert_eq!(found.len(), 1);
    Ok(())
}

async fn a_stored_unit_is_a_hit(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("seen", &(), Timeout::Default).await?;
    assert_eq!(cache.aget::<()>("seen").await?, Some(()));
    assert!(cache.ahas_key("seen").await?);
    Ok(())
}

async fn has_key_is_true_of_any_type(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("null", &None::<u8>, Timeout::Default).await?;
    cache.aset("zero", &0, Timeout::Default).await?;
    cache.aset("empty", "", Timeout::Default).await?;
    cache.aset("no bytes", &Vec::<u8>::new(), Timeout::Default).await?;
    cache.aset("false", &false, Timeout::Default).await?;
    for key in ["null", "zero", "empty", "no bytes", "false"] {
        assert!(cache.ahas_key(key).await?, "{key}");
    }
    Ok(())
}

async fn the_probe_agrees_with_the_read(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("there", "text".to_owned()).await?;
    direct.put("deleted", 1).await?;
    direct.delete("deleted", &When::Always).await?;
    assert_ne!(direct.probe("there"), Some(false));
    assert_ne!(direct.probe("deleted"), Some(true));
    if let Probe::Hit(entry) = direct.store.probe(&direct.key("there")) {
        assert_eq!(entry.read::<String>(&direct.format)?, "text");
    }
    Ok(())
}

async fn the_leader_has_seen_the_write(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("key", 5).await?;
    let found = direct.store.aget(&direct.key("key"), Read::LEADER).await?;
    assert_eq!(found.and_then(|found| found.entry.integer()), Some(5));
    assert!(direct.store.ahas_key(&direct.key("key"), Read::LEADER).await?);
    assert_eq!(direct.store.alife(&direct.key("key"), Read::LEADER).await?, Some(Life::Forever));
    Ok(())
}

async fn a_life_is_what_remains(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let (passed, left) = (bench.short(), 99 * bench.short());
    let asked = passed + left;
    let mut span = bench.span(bench.short());
    cache.aset("finite", "text", asked).await?;
    cache.aset("forever", "text", Timeout::Forever).await?;
    assert_eq!(cache.alife("forever").await?, Some(Life::Forever));
    let at_first = finite(cache.alife("finite").await?);
    span.passes().await;
    let later = finite(cache.alife("finite").await?);

    let rounding = Duration::from_millis(10) + 2 * bench.capabilities().resolution;
    assert!(at_first <= asked + rounding, "{at_first:?} of {asked:?}");
    assert!(at_first >= asked / 2, "{at_first:?} of {asked:?}");
    assert!(later <= left + rounding, "{later:?} remain after {passed:?}");
    assert!(later >= asked / 2, "{later:?} remain of {asked:?}");
    Ok(())
}

fn finite(life: Option<Life>) -> Duration {
    match life {
        Some(Life::For(rest)) => rest,
        other => panic!("a finite life was asked for, and it is {other:?}"),
    }
}

/// However a text is cut into prefix, version and name.
async fn keys_of_equal_text_are_one_entry(bench: Bench) -> Outcome {
    let direct = bench.direct();
    for end in ["x", "", "1:x", ":1:x", "1:", "a:1:2:x", "12:13:14:15", "::::", "a:b:1:c:2:d"] {
        let text = format!("{}:1:{end}", bench.prefix());
        let ways = ways_to_cut(&text);
        for (number, (space, name)) in ways.iter().enumerate() {
            direct.within(space.clone()).put(name, i64::try_from(number)?).await?;
            for (space, name) in &ways {
                let other = direct.within(space.clone());
                assert_eq!(other.get(name).await?, Some(number), "{text:?} as {space:?}");
                assert_ne!(other.probe(name), Some(false), "{text:?} as {space:?}");
            }
        }
        let (space, name) = &ways[0];
        assert!(direct.within(space.clone()).delete(name, &When::Always).await?);
        for (space, name) in &ways {
            assert!(!direct.within(space.clone()).has(name).await?, "{text:?} as {space:?}");
        }
    }
    Ok(())
}

/// As `prefix:version:name` in every way, and as the text of a key function.
fn ways_to_cut(text: &str) -> Vec<(KeySpace, String)> {
    let parts: Vec<_> = text.split(':').collect();
    let mut ways = vec![(KeySpace::custom("", 9), text.to_owned())];
    for at in 1..parts.len() - 1 {
        // Only a version as it would be displayed comes back as the same text.
        if let Ok(version) = parts[at].parse::<u64>()
            && version.to_string() == parts[at]
        {
            ways.push((KeySpace::new(&parts[..at].join(":"), version), parts[at + 1..].join(":")));
        }
    }
    ways
}

async fn a_token_comes_with_the_entry_where_it_is_wanted(bench: Bench) -> Outcome {
    let direct = bench.direct();
    direct.put("text", "value".to_owned()).await?;
    direct.put("count", 5).await?;
    assert!(direct.token("text").await?.is_some());
    assert!(direct.token("count").await?.is_some());
    let names = ["text", "missing", "count"];
    let found = direct.get_many(&names, Read::LEADER.with_token()).await?;
    for (found, name) in found.into_iter().zip(names) {
        assert_eq!(found.and_then(|found| found.token), direct.token(name).await?, "{name}");
    }
    Ok(())
}
