//! Keys: any text, checked by what the alias says and the store admits.

use std::collections::HashMap;
use std::sync::Arc;

use cache_core::{Cache, CacheBuilder, ErrorKind, KeyCheck, Timeout};
use tracing::instrument::WithSubscriber;

use crate::bench::Bench;
use crate::case::cases;
use crate::failure::{Failure, Outcome};
use crate::lesser::Lesser;
use crate::witness::Witness;

cases! {
    "keys":
    [] => a_bad_key_is_an_error_where_the_alias_says_so, a_bad_key_fails_alone_in_bulk,
        a_validator_decides_instead, a_validator_sees_the_final_key, the_limit_of_the_store_holds,
        a_blank_warns_once_per_alias, no_check_says_nothing_of_blanks;
    [KeyBytes(400)] => a_long_key_warns_once_per_alias, no_check_says_nothing_of_length;
    [KeyBytes(250)] => good_keys_do_not_warn;
    [Stores] => keys_in_any_script, the_empty_key, case_and_accents_are_told_apart,
        keys_that_are_patterns_and_commands, keys_with_colons, a_key_function_makes_the_key,
        a_lowering_key_function, a_key_function_without_the_version_loses_nothing;
    [Stores, KeyBytes(250)] => keys_of_250_bytes;
    [Stores, KeyBytes(1_100)] => long_keys_differ_at_their_ends;
}

/// Writes under each of them, and only then reads: no two are one entry.
async fn told_apart(cache: &Cache, keys: &[String]) -> Outcome {
    let items: HashMap<&String, &String> = keys.iter().map(|key| (key, key)).collect();
    assert_eq!(items.len(), keys.len(), "the case repeats a key");
    for key in keys {
        assert!(cache.aadd(key, key, Timeout::Forever).await?, "{key:?} is taken by another");
    }
    for key in keys {
        assert_eq!(cache.aget::<String>(key).await?.as_ref(), Some(key));
        assert!(cache.ahas_key(key).await?);
    }
    let found: HashMap<&String, String> = cache.get_many(keys).await?;
    assert_eq!(found.len(), keys.len());
    assert!(found.iter().all(|(key, value)| *key == value));
    for key in keys {
        assert!(cache.adelete(key).await?, "{key:?} went with another");
    }
    Ok(())
}

fn unchecked(bench: &Bench) -> Cache {
    bench.builder().key_check(KeyCheck::Off).build()
}

async fn keys_in_any_script(bench: Bench) -> Outcome {
    let keys =
        ["日本語", "ключ", "مفتاح", "👩‍👩‍👧", "🇩🇪", "e\u{301}", "\u{e9}", "ß", "ss", "\u{200b}", "\u{feff}"];
    told_apart(&unchecked(&bench), &keys.map(str::to_owned)).await
}

async fn the_empty_key(bench: Bench) -> Outcome {
    let cache = bench.cache();
    assert!(!cache.ahas_key("").await?);
    cache.aset("", &1, Timeout::Forever).await?;
    assert_eq!(cache.aincr("", 1).await?, 2);
    assert_eq!(cache.get_many::<i64, _>([""]).await?, HashMap::from([("", 2)]));
    assert_eq!(cache.aincr_version("", 1).await?, 2);
    assert!(cache.at_version(2).adelete("").await?);
    Ok(())
}

async fn case_and_accents_are_told_apart(bench: Bench) -> Outcome {
    let keys = ["key", "Key", "KEY", "kéy", "key ", " key", "ke", "keyy", "İ", "i", "ı", "I"];
    told_apart(&unchecked(&bench), &keys.map(str::to_owned)).await
}

async fn keys_that_are_patterns_and_commands(bench: Bench) -> Outcome {
    let keys = [
        "*",
        "a*",
        "a%",
        "a_",
        "ab",
        "a?",
        "[ab]",
        "a\\",
        "'; DROP TABLE cache; --",
        "\"",
        "a\r\nset b 0 0 1",
        "a\nb",
        "a\tb",
        "a b",
        "",
        "\0",
        "a",
        "a\0",
        "a\0b",
        "../../etc",
        "/",
        ".",
        "..",
        "{a}b",
        "$1",
        "con",
        "a.djcache",
        "~",
    ];
    told_apart(&unchecked(&bench), &keys.map(str::to_owned)).await
}

async fn keys_with_colons(bench: Bench) -> Outcome {
    let keys = [":", "::", ":1:", "1:a", "a:1", "a:1:", "1:1:a", ":a"];
    told_apart(&bench.cache(), &keys.map(str::to_owned)).await
}

async fn keys_of_250_bytes(bench: Bench) -> Outcome {
    let cache = bench.builder().key_check(KeyCheck::Error).build();
    let head = format!("{}:1:", bench.prefix()).len();
    let narrow = "x".repeat(250 - head);
    let wide = "語".repeat((250 - head) / 3);
    told_apart(&cache, &[narrow, wide]).await
}

async fn long_keys_differ_at_their_ends(bench: Bench) -> Outcome {
    let cache = unchecked(&bench);
    let long = "x".repeat(1_000);
    let keys = [format!("{long}a"), format!("{long}b"), long.clone(), "語".repeat(330), "語".repeat(331)];
    told_apart(&cache, &keys).await?;
    cache.aset(&long, &1, Timeout::Forever).await?;
    assert_eq!(cache.aincr(&long, 1).await?, 2);
    assert_eq!(cache.aincr_version(&long, 1).await?, 2);
    assert!(cache.at_version(2).atouch(&long, Timeout::Default).await?);
    Ok(())
}

fn by_function(bench: &Bench, function: fn(&str, &str, u64) -> String) -> CacheBuilder {
    bench.builder().key_function(Arc::new(function))
}

async fn a_key_function_makes_the_key(bench: Bench) -> Outcome {
    let cache = by_function(&bench, |key, prefix, version| format!("{key}/{version}/{prefix}")).build();
    cache.aset("key", &1, Timeout::Forever).await?;
    assert_eq!(cache.aincr("key", 1).await?, 2);
    assert!(!cache.at_version(2).ahas_key("key").await?);
    assert_eq!(cache.aincr_version("key", 1).await?, 2);
    assert_eq!(cache.at_version(2).get_many::<i64, _>(["key", "other"]).await?, HashMap::from([("key", 2)]));
    let direct = bench.direct();
    let whole = direct.within(cache_core::KeySpace::custom("", 1));
    assert!(whole.delete(&format!("key/2/{}", bench.prefix()), &cache_core::When::Always).await?);
    Ok(())
}

async fn a_lowering_key_function(bench: Bench) -> Outcome {
    let lower = |key: &str, prefix: &str, version: u64| format!("{prefix}:{version}:{}", key.to_lowercase());
    let cache = by_function(&bench, lower).build();
    cache.aset("Key", "text", Timeout::Forever).await?;
    assert_eq!(cache.aget::<String>("kEY").await?.as_deref(), Some("text"));
    assert!(!cache.aadd("KEY", "other", Timeout::Forever).await?);
    // The caller's own keys, each its own, though they are one entry.
    let found = cache.get_many::<String, _>(["KEY", "key", "none"]).await?;
    assert_eq!(found.len(), 2);
    assert_eq!((found["KEY"].as_str(), found["key"].as_str()), ("text", "text"));
    cache.set_many([("Many", "1"), ("MANY", "2")], Timeout::Forever).await?;
    assert_eq!(cache.aget::<String>("many").await?.as_deref(), Some("2"), "the last wins");
    assert_eq!(bench.cache().aget::<String>("key").await?.as_deref(), Some("text"), "it is the same text");
    let outcome = cache.aclear().await;
    assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::Unsupported));
    assert!(cache.adelete("KEY").await?);
    assert!(!cache.ahas_key("key").await?);
    Ok(())
}

async fn a_key_function_without_the_version_loses_nothing(bench: Bench) -> Outcome {
    let cache = by_function(&bench, |key, prefix, _| format!("{prefix}:{key}")).build();
    cache.aset("key", "text", Timeout::Forever).await?;
    assert_eq!(cache.aincr_version("key", 1).await?, 2);
    assert_eq!(cache.aget::<String>("key").await?.as_deref(), Some("text"));
    let missing = cache.aincr_version("missing", 1).await;
    assert_eq!(missing.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    cache.adelete("key").await?;
    Ok(())
}

fn bad_keys() -> [String; 6] {
    ["a b", "tab\t", "line\nend", "\0", "\u{7f}", &"x".repeat(250)].map(str::to_owned)
}

async fn a_bad_key_is_an_error_where_the_alias_says_so(bench: Bench) -> Outcome {
    let cache = bench.builder().key_check(KeyCheck::Error).build();
    for key in bad_keys() {
        all_refuse(&cache, &key).await?;
    }
    for key in ["\u{80}", "\u{a0}", "\u{3000}", "é", "a:b"] {
        cache.aset(key, &1, Timeout::Default).await?;
    }
    Ok(())
}

/// Every operation checks its key.
async fn all_refuse(cache: &Cache, key: &str) -> Outcome {
    let outcomes = [
        cache.aget::<i64>(key).await.map(drop),
        cache.aget_arc::<i64>(key).await.map(drop),
        cache.aset(key, &1, Timeout::Default).await,
        cache.aset_arc(key, Arc::new(1), Timeout::Default).await,
        cache.aset(key, &1, std::time::Duration::ZERO).await,
        cache.aadd(key, &1, Timeout::Default).await.map(drop),
        cache.atouch(key, Timeout::Default).await.map(drop),
        cache.adelete(key).await.map(drop),
        cache.ahas_key(key).await.map(drop),
        cache.alife(key).await.map(drop),
        cache.aincr(key, 1).await.map(drop),
        cache.adecr(key, 1).await.map(drop),
        cache.aincr_version(key, 1).await.map(drop),
        cache.at_version(2).adecr_version(key, 1).await.map(drop),
        cache.get_many::<i64, _>([key]).await.map(drop),
        cache.get_many_any([key]).await.map(drop),
        cache.set_many([(key, &1)], Timeout::Default).await,
        cache.delete_many([key]).await,
    ];
    for (number, outcome) in outcomes.into_iter().enumerate() {
        let kind = outcome.map_err(|error| error.kind());
        assert_eq!(kind, Err(ErrorKind::InvalidKey), "operation {number}, {} bytes", key.len());
    }
    Ok(())
}

async fn a_bad_key_fails_alone_in_bulk(bench: Bench) -> Outcome {
    let cache = bench.builder().key_check(KeyCheck::Error).build();
    let stores = bench.capabilities().stores;
    let items = [("good", &1), ("b a d", &2), ("fine", &3)];
    let Err(error) = cache.set_many(items, Timeout::Forever).await else { panic!("one key is bad") };
    assert_eq!(error.failures().iter().map(|(position, _)| *position).collect::<Vec<_>>(), [1]);
    let keys = items.map(|(key, _)| key);
    let Err(error) = cache.get_many::<i64, _>(keys).await else { panic!("one key is bad") };
    assert_eq!((error.kind(), error.failures()[0].0), (ErrorKind::InvalidKey, 1));
    let partial = cache.get_many_partial::<i64, _>(keys).await?;
    let expected = if stores { HashMap::from([("good", 1), ("fine", 3)]) } else { HashMap::new() };
    assert_eq!(partial.found, expected);
    assert_eq!(partial.failed.len(), 1);
    assert_eq!(partial.failed[0].0, "b a d");
    let Err(error) = cache.delete_many(keys).await else { panic!("one key is bad") };
    assert_eq!(error.failures()[0].0, 1);
    assert!(!cache.ahas_key("good").await? && !cache.ahas_key("fine").await?);
    Ok(())
}

async fn a_validator_decides_instead(bench: Bench) -> Outcome {
    let no_digits = |key: &str| match key.rsplit(':').next() {
        Some(name) if name.contains(|c: char| c.is_ascii_digit()) => Err("digits are not for us".to_owned()),
        _ => Ok(()),
    };
    let cache = bench.builder().key_check(KeyCheck::Custom(Arc::new(no_digits))).build();
    all_refuse(&cache, "key1").await?;
    let Err(error) = cache.ahas_key("key1").await else { panic!("it has a digit") };
    assert!(error.to_string().contains("digits are not for us"), "{error}");
    // It replaces the check, so that these pass.
    cache.aset("a b", &1, Timeout::Default).await?;
    Ok(())
}

async fn a_validator_sees_the_final_key(bench: Bench) -> Outcome {
    let expected = format!("{}:3:name", bench.prefix());
    let check = move |key: &str| if key == expected { Ok(()) } else { Err("another key".to_owned()) };
    let cache = bench.builder().key_check(KeyCheck::Custom(Arc::new(check))).build();
    cache.at_version(3).aset("name", &1, Timeout::Default).await?;
    all_refuse(&cache, "name").await
}

async fn the_limit_of_the_store_holds(bench: Bench) -> Outcome {
    let head = format!("{}:1:", bench.prefix()).len();
    let most = head + 20;
    let short_keys = Arc::new(Lesser::new(bench.store(), |promised| promised.max_key_bytes(Some(most))));
    // Whatever the alias says of its keys.
    for check in [KeyCheck::Off, KeyCheck::Warn, KeyCheck::Custom(Arc::new(|_| Ok(())))] {
        let builder = Cache::builder(Arc::clone(&short_keys) as _).key_prefix(bench.prefix());
        let cache = builder.key_check(check).build();
        cache.aset(&"x".repeat(20), &1, Timeout::Default).await?;
        all_refuse(&cache, &"x".repeat(21)).await?;
        all_refuse(&cache, &"語".repeat(7)).await?;
    }
    Ok(())
}

/// What is warned of when handles of two aliases are asked for these keys.
async fn warnings(bench: &Bench, check: KeyCheck, keys: &[String]) -> Result<Vec<String>, Failure> {
    let witness = Witness::new();
    let work = async {
        let one = bench.builder().alias("one").key_check(check.clone()).build();
        let two = bench.builder().alias("two").key_check(check).build();
        for cache in [&one, &one.clone(), &one.at_version(2), &two] {
            for key in keys {
                cache.ahas_key(key).await?;
            }
            cache.get_many::<i64, _>(keys).await?;
        }
        Outcome::Ok(())
    };
    work.with_subscriber(witness.clone()).await?;
    Ok(witness.events("cache::key"))
}

fn once_per_alias(warned: &[String], words: &str) {
    assert_eq!(warned.len(), 2, "{warned:?}");
    for (event, alias) in warned.iter().zip(["one", "two"]) {
        assert!(event.contains("WARN") && event.contains(words), "{event}");
        assert!(event.contains(&format!("alias={alias}")), "{event}");
    }
}

async fn a_blank_warns_once_per_alias(bench: Bench) -> Outcome {
    let keys = ["a b", "c\td", "e\u{7f}", "g\0h"].map(str::to_owned);
    once_per_alias(&warnings(&bench, KeyCheck::default(), &keys).await?, "blanks");
    Ok(())
}

async fn a_long_key_warns_once_per_alias(bench: Bench) -> Outcome {
    let keys = ["x".repeat(250), "y".repeat(300)];
    once_per_alias(&warnings(&bench, KeyCheck::default(), &keys).await?, "250 bytes");
    // A key of both kinds warns of both, and the bytes count, not the characters.
    let both = [format!("{} ", "語".repeat(83))];
    assert_eq!(warnings(&bench, KeyCheck::Warn, &both).await?.len(), 4);
    Ok(())
}

async fn good_keys_do_not_warn(bench: Bench) -> Outcome {
    let head = format!("{}:1:", bench.prefix()).len();
    let longest = "x".repeat(250 - head);
    let keys = ["a", "a:b", "", "日本語", "\u{80}", "\u{a0}", "\u{3000}", &longest].map(str::to_owned);
    assert_eq!(warnings(&bench, KeyCheck::Warn, &keys).await?, [""; 0]);
    Ok(())
}

async fn no_check_says_nothing_of_blanks(bench: Bench) -> Outcome {
    let keys = ["a b", "c\td"].map(str::to_owned);
    assert_eq!(warnings(&bench, KeyCheck::Off, &keys).await?, [""; 0]);
    Ok(())
}

async fn no_check_says_nothing_of_length(bench: Bench) -> Outcome {
    assert_eq!(warnings(&bench, KeyCheck::Off, &["x".repeat(300)]).await?, [""; 0]);
    Ok(())
}
