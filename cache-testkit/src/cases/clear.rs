//! `aclear`: what belongs to the alias, in all versions, and nothing else.

use std::sync::Arc;

use cache_core::{Cache, ClearScope, ErrorKind, KeySpace, Scope, Timeout, has_prefix};
use futures::future::try_join_all;

use crate::bench::Bench;
use crate::case::cases;
use crate::direct::Direct;
use crate::failure::Outcome;

cases! {
    "clear":
    [ClearPrefix] => an_empty_alias_can_be_cleared, a_key_function_needs_a_way_by_name;
    [NoClearPrefix] => a_store_that_cannot_tell_needs_a_way_by_name;
    [Stores, ClearPrefix] => all_versions_go, a_cleared_alias_can_be_written,
        each_of_many_prefixes_goes_alone, foreign_keys_stay, other_aliases_stay,
        counters_and_bytes_go_too, aliases_of_one_prefix_share_their_entries,
        an_acknowledged_write_is_gone, the_trait_clears_a_prefix, many_entries_go;
    [Stores, OwnStore] => the_trait_clears_everything, the_way_by_name_clears_everything;
    [Stores, ClearPrefix, OwnStore] => the_empty_prefix_goes_alone, bare_prefixes_go_alone;
}

/// Each is a pattern, an escape or a part of another to some store.
const PREFIXES: [&str; 16] =
    ["", "a", "ab", "a*", "a_", "a%", "a:1", "a:", "a?", "[a]", "a\\", "A", "a b", "ä", "a'", "{a}"];

async fn an_empty_alias_can_be_cleared(bench: Bench) -> Outcome {
    bench.cache().aclear().await?;
    bench.cache().aclear().await?;
    Ok(())
}

async fn a_key_function_needs_a_way_by_name(bench: Bench) -> Outcome {
    let function = Arc::new(|key: &str, prefix: &str, version: u64| format!("{prefix}/{version}/{key}"));
    let cache = bench.builder().key_function(function).build();
    cache.aset("key", "text", Timeout::Default).await?;
    refused_with_a_way(&cache).await?;
    assert_eq!(cache.ahas_key("key").await?, bench.capabilities().stores, "nothing was removed");
    Ok(())
}

async fn a_store_that_cannot_tell_needs_a_way_by_name(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", "text", Timeout::Default).await?;
    refused_with_a_way(&cache).await?;
    assert_eq!(cache.ahas_key("key").await?, bench.capabilities().stores, "nothing was removed");
    Ok(())
}

async fn refused_with_a_way(cache: &Cache) -> Outcome {
    let Err(error) = cache.aclear().await else { panic!("it cannot tell whose the keys are") };
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("clear = \"all\""), "{error}");
    Ok(())
}

async fn all_versions_go(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let versions = [0, 1, 2, 10, u64::MAX];
    for version in versions {
        cache.at_version(version).set_many([("a", "1"), ("b:1:c", "2"), ("", "3")], Timeout::Forever).await?;
    }
    cache.at_version(2).aclear().await?;
    for version in versions {
        let left = cache.at_version(version).get_many::<String, _>(["a", "b:1:c", ""]).await?;
        assert!(left.is_empty(), "version {version}: {left:?}");
    }
    Ok(())
}

async fn a_cleared_alias_can_be_written(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("key", "old", Timeout::Forever).await?;
    cache.aclear().await?;
    assert!(cache.aadd("key", "new", Timeout::Forever).await?);
    assert_eq!(cache.aget::<String>("key").await?.as_deref(), Some("new"));
    Ok(())
}

async fn each_of_many_prefixes_goes_alone(bench: Bench) -> Outcome {
    let base = bench.prefix();
    // Behind the case's own prefix, since others may use the store.
    each_goes_alone(&bench, &PREFIXES.map(|prefix| format!("{base}{prefix}"))).await
}

async fn bare_prefixes_go_alone(bench: Bench) -> Outcome {
    each_goes_alone(&bench, &PREFIXES.map(str::to_owned)).await
}

async fn the_empty_prefix_goes_alone(bench: Bench) -> Outcome {
    let empty = bench.builder().key_prefix("").build();
    let other = bench.builder().key_prefix("other").build();
    for cache in [&empty, &other] {
        cache.aset("key", "text", Timeout::Forever).await?;
        cache.at_version(2).aset("key", "text", Timeout::Forever).await?;
    }
    let direct = bench.direct();
    let foreign = direct.within(KeySpace::custom("", 1));
    for text in ["", ":", "::key", ":x:key", ":1", "plain"] {
        foreign.put(text, 1).await?;
    }
    empty.aclear().await?;
    assert!(!empty.ahas_key("key").await?);
    assert!(!empty.at_version(2).ahas_key("key").await?);
    assert!(other.ahas_key("key").await?);
    assert!(other.at_version(2).ahas_key("key").await?);
    for text in ["", ":", "::key", ":x:key", ":1", "plain"] {
        assert!(foreign.has(text).await?, "{text:?} went too");
    }
    Ok(())
}

/// Writes everything anew for each prefix, clears that one, and looks at all.
async fn each_goes_alone(bench: &Bench, prefixes: &[String]) -> Outcome {
    let names = ["key", "2:key", ":", "1:", "*"];
    let direct = bench.direct();
    let whole = direct.within(KeySpace::custom("", 1));
    let mut texts = foreign_texts(&prefixes[1]);
    for prefix in prefixes {
        for version in [1, 2, 30] {
            texts.extend(names.map(|name| format!("{prefix}:{version}:{name}")));
        }
    }
    for cleared in prefixes {
        for text in &texts {
            whole.put(text, 1).await?;
        }
        bench.builder().key_prefix(cleared).build().aclear().await?;
        for text in &texts {
            assert_eq!(whole.has(text).await?, !has_prefix(text, cleared), "{text:?} after {cleared:?}");
        }
    }
    for text in &texts {
        whole.delete(text, &cache_core::When::Always).await?;
    }
    Ok(())
}

/// Keys of other programs, which look like those of `prefix` and are not.
fn foreign_texts(prefix: &str) -> Vec<String> {
    let endings = ["", ":", "::x", ":x:1", ":1", ":1x:y", ":-1:x", ":+1:x", ": 1:x", ":1.0:x", ":\u{661}:x"];
    let mut texts: Vec<_> = endings.iter().map(|ending| format!("{prefix}{ending}")).collect();
    texts.push(format!("x{prefix}:1:x"));
    texts.push(format!("session:{prefix}:1:x"));
    texts
}

async fn foreign_keys_stay(bench: Bench) -> Outcome {
    let direct = bench.direct();
    let whole = direct.within(KeySpace::custom("", 1));
    let texts = foreign_texts(bench.prefix());
    for text in &texts {
        whole.put(text, text.clone()).await?;
    }
    bench.cache().aset("key", "text", Timeout::Forever).await?;
    bench.cache().aclear().await?;
    assert!(!bench.cache().ahas_key("key").await?);
    for text in &texts {
        assert_eq!(whole.get::<String>(text).await?.as_ref(), Some(text), "{text:?} went too");
    }
    Ok(())
}

async fn other_aliases_stay(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let other = bench.builder().key_prefix(&format!("{}b", bench.prefix())).build();
    cache.aset("key", "text", Timeout::Forever).await?;
    other.aset("key", "text", Timeout::Forever).await?;
    cache.aclear().await?;
    assert!(other.ahas_key("key").await?);
    assert!(!cache.ahas_key("key").await?);
    cache.aset("key", "text", Timeout::Forever).await?;
    other.aclear().await?;
    assert!(cache.ahas_key("key").await?);
    Ok(())
}

async fn counters_and_bytes_go_too(bench: Bench) -> Outcome {
    let cache = bench.cache();
    cache.aset("count", &1, Timeout::Forever).await?;
    cache.aincr("count", 1).await?;
    cache.aset("bytes", &vec![1_u8, 2], Timeout::Forever).await?;
    cache.aset("short", &1, bench.short()).await?;
    cache.aclear().await?;
    for key in ["count", "bytes", "short"] {
        assert!(!cache.ahas_key(key).await?, "{key}");
    }
    Ok(())
}

async fn aliases_of_one_prefix_share_their_entries(bench: Bench) -> Outcome {
    let (one, two) = (bench.cache(), bench.builder().alias("two").version(2).build());
    one.at_version(2).aset("key", "text", Timeout::Forever).await?;
    assert_eq!(two.aget::<String>("key").await?.as_deref(), Some("text"));
    two.aclear().await?;
    assert!(!one.at_version(2).ahas_key("key").await?);
    Ok(())
}

/// Of what is written meanwhile nothing is said, of what was there before all.
async fn an_acknowledged_write_is_gone(bench: Bench) -> Outcome {
    let cache = bench.cache();
    for round in 0..bench.scaled(10) {
        let before = format!("before {round}");
        cache.set_many([(&before, &1)], Timeout::Forever).await?;
        let writes: Vec<_> = (0..20)
            .map(|n| {
                let cache = cache.clone();
                tokio::spawn(async move { cache.aset(&format!("during {n}"), &n, Timeout::Forever).await })
            })
            .collect();
        cache.aclear().await?;
        assert!(!cache.ahas_key(&before).await?, "round {round}");
        for outcome in try_join_all(writes).await? {
            outcome?;
        }
    }
    cache.aclear().await?;
    Ok(())
}

async fn the_trait_clears_a_prefix(bench: Bench) -> Outcome {
    let direct = bench.direct();
    let near = direct.within(KeySpace::new(&format!("{}x", bench.prefix()), 1));
    put_one(&direct).await?;
    put_one(&near).await?;
    direct.store.aclear(&Scope::of_prefix(bench.prefix())).await?;
    assert!(!direct.has("key").await?);
    assert!(near.has("key").await?);
    Ok(())
}

async fn put_one(direct: &Direct) -> Outcome {
    assert!(direct.put("key", 1).await?);
    Ok(())
}

async fn many_entries_go(bench: Bench) -> Outcome {
    let cache = bench.cache();
    let other = bench.builder().key_prefix(&format!("{}-", bench.prefix())).build();
    let keys: Vec<_> = (0..bench.scaled(2_000)).map(|n| format!("key {n}")).collect();
    let items = || keys.iter().map(|key| (key, key.as_str()));
    cache.set_many(items(), Timeout::Forever).await?;
    other.set_many(items(), Timeout::Forever).await?;
    cache.aclear().await?;
    assert!(cache.get_many::<String, _>(&keys).await?.is_empty());
    assert_eq!(other.get_many::<String, _>(&keys).await?.len(), keys.len());
    Ok(())
}

async fn the_trait_clears_everything(bench: Bench) -> Outcome {
    let direct = bench.direct();
    let whole = direct.within(KeySpace::custom("", 1));
    for text in ["a:1:x", "b:2:y", "foreign", ""] {
        whole.put(text, 1).await?;
    }
    direct.store.aclear(&Scope::all()).await?;
    for text in ["a:1:x", "b:2:y", "foreign", ""] {
        assert!(!whole.has(text).await?, "{text:?}");
    }
    Ok(())
}

async fn the_way_by_name_clears_everything(bench: Bench) -> Outcome {
    let function = Arc::new(|key: &str, _: &str, version: u64| format!("{version}-{key}"));
    let cache = bench.builder().key_function(function).clear(ClearScope::All).build();
    let other = bench.builder().key_prefix("other").build();
    cache.aset("key", "text", Timeout::Forever).await?;
    other.aset("key", "text", Timeout::Forever).await?;
    cache.aclear().await?;
    assert!(!cache.ahas_key("key").await?);
    assert!(!other.ahas_key("key").await?, "it says: whoever wrote it");
    Ok(())
}
