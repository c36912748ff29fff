//! How much a store in memory holds: all that its limits promise, and no more.

#![expect(clippy::print_stdout, reason = "a test tells what it measured")]

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cache_core::{AsyncCache, Cache, Clock, Context, ErrorKind, Shared, SystemClock, Timeout};
use cache_mem::{Eviction, MemSettings, MemStore};
use cache_testkit::ManualClock;
use serde::{Deserialize, Serialize};

mod scale;

use scale::scaled;

fn settings(change: impl FnOnce(&mut MemSettings)) -> MemSettings {
    let mut settings = MemSettings::default();
    settings.check_encoding = false;
    change(&mut settings);
    settings
}

fn cache_of(settings: &MemSettings) -> Cache {
    let context = Context::new("default");
    let store = MemStore::open(None, settings, &context).expect("it is shared with nobody");
    // One context, so that evictions are counted where they are asked for.
    Cache::builder(Arc::new(store)).context(&context).build()
}

async fn set(cache: &Cache, key: &str) {
    cache.aset(key, &7, Timeout::Forever).await.expect("memory takes it");
}

async fn has(cache: &Cache, key: &str) -> bool {
    cache.ahas_key(key).await.expect("memory answers")
}

fn entries(cache: &Cache) -> usize {
    usize::try_from(cache.stats().entries.expect("it knows")).expect("it fits")
}

fn bytes(cache: &Cache) -> u64 {
    cache.stats().bytes.expect("it counts them")
}

#[tokio::test]
async fn up_to_max_entries_all_fit_and_hardly_more_are_held() {
    for eviction in [Eviction::Engine, Eviction::Lru] {
        for max_entries in [1, 2, 300, 10_000, scaled(20_000).min(1_000_000)] {
            let cache = cache_of(&settings(|settings| {
                settings.max_entries = max_entries;
                settings.eviction = eviction;
            }));
            for number in 0..max_entries {
                set(&cache, &format!("key {number}")).await;
            }
            for number in 0..max_entries {
                assert!(
                    has(&cache, &format!("key {number}")).await,
                    "{eviction:?}: {number} of {max_entries}"
                );
            }
            assert_eq!((entries(&cache), cache.stats().evictions), (max_entries, 0));

            let mut most = 0;
            for number in 0..2 * max_entries {
                let key = format!("later {number}");
                set(&cache, &key).await;
                assert!(has(&cache, &key).await, "{eviction:?}: {key} was lost as it came");
                most = most.max(entries(&cache));
            }
            println!("{eviction:?}: {max_entries} fit, at most {most} are held");
            assert!(most <= max_entries + max_entries / 50 + 64, "{eviction:?}: {most} of {max_entries}");
        }
    }
}

#[tokio::test]
async fn what_is_overwritten_deleted_or_moved_takes_no_place() {
    let cache = cache_of(&settings(|settings| settings.max_entries = 10_000));
    for round in 0..5_u64 {
        for number in 0..10_000 {
            set(&cache, &format!("key {number}")).await;
        }
        for number in 0..5_000 {
            cache.adelete(&format!("key {number}")).await.expect("memory answers");
        }
        for number in 0..5_000 {
            set(&cache, &format!("round {round} {number}")).await;
            cache.adelete(&format!("round {round} {number}")).await.expect("memory answers");
        }
    }
    for number in 0..5_000 {
        set(&cache, &format!("key {number}")).await;
    }
    let mut moved = cache.clone();
    for _ in 0..3 {
        for number in 0..10_000 {
            moved.aincr_version(&format!("key {number}"), 1).await.expect("it is there");
        }
        moved = moved.at_version(moved.version() + 1);
    }
    for number in 0..10_000 {
        assert!(has(&moved, &format!("key {number}")).await, "{number}");
    }
    assert_eq!((entries(&cache), cache.stats().evictions), (10_000, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_many_tasks_write_at_once_fits() {
    const TASKS: usize = 8;
    const EACH: usize = 2_500;
    let cache = cache_of(&settings(|settings| settings.max_entries = TASKS * EACH));
    let write = |task: usize| {
        let cache = cache.clone();
        async move {
            for number in 0..EACH {
                set(&cache, &format!("{task}:{number}")).await;
            }
        }
    };
    let tasks: Vec<_> = (0..TASKS).map(|task| tokio::spawn(write(task))).collect();
    for task in tasks {
        task.await.expect("it ends");
    }
    for task in 0..TASKS {
        for number in 0..EACH {
            assert!(has(&cache, &format!("{task}:{number}")).await);
        }
    }
    assert_eq!(cache.stats().evictions, 0);

    // Overfilled by all at once, it comes back to its limit.
    let overfill: Vec<_> = (TASKS..2 * TASKS).map(|task| tokio::spawn(write(task))).collect();
    for task in overfill {
        task.await.expect("it ends");
    }
    assert!(entries(&cache) <= TASKS * EACH + TASKS, "{}", entries(&cache));
}

#[tokio::test]
async fn a_stream_of_unique_keys_stays_within_max_bytes() {
    for eviction in [Eviction::Engine, Eviction::Lru] {
        for max_bytes in [10_000, 1 << 20, 300 << 20] {
            let cache = cache_of(&settings(|settings| {
                settings.max_bytes = Some(max_bytes);
                settings.eviction = eviction;
            }));
            let mut lengths = fastrand::Rng::with_seed(7);
            for number in 0..scaled(5_000) {
                let key = format!("key {number}");
                let value = "x".repeat(lengths.usize(0..2_000));
                cache.aset(&key, value.as_str(), Timeout::Forever).await.expect("memory takes it");
                assert!(has(&cache, &key).await, "{eviction:?}: {key} was lost as it came");
                assert!(bytes(&cache) <= max_bytes, "{} of {max_bytes}", bytes(&cache));
            }
            println!("{eviction:?}: {} % of {max_bytes} bytes in use", 100 * bytes(&cache) / max_bytes);
        }
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct User {
    name: String,
    roles: Vec<u32>,
}

#[tokio::test]
async fn entries_weigh_their_key_and_what_they_hold() {
    let cache = cache_of(&settings(|settings| settings.max_bytes = Some(1 << 20)));
    let key = "key"; // ":1:key", six bytes
    let user = User { name: "Ada".to_owned(), roles: vec![1, 2, 3] };
    let encoded = cache.format().encode(&user).expect("it has a form").len() as u64;

    cache.aset(key, "four", Timeout::Forever).await.expect("memory takes it");
    assert_eq!(bytes(&cache), 6 + 4);
    cache.aset(key, &Bytes::from_static(&[0; 100]), Timeout::Forever).await.expect("memory takes it");
    assert_eq!(bytes(&cache), 6 + 100);
    cache.aset(key, &vec![0_u8; 50], Timeout::Forever).await.expect("memory takes it");
    assert_eq!(bytes(&cache), 6 + 50);
    cache.aset(key, &41, Timeout::Forever).await.expect("memory takes it");
    cache.aincr(key, 1_000_000).await.expect("it is one");
    assert_eq!(bytes(&cache), 6 + 8);
    cache.aset(key, &user, Timeout::Forever).await.expect("memory takes it");
    assert_eq!(bytes(&cache), 6 + encoded);
    cache.aset_arc(key, Arc::new(user), Timeout::Forever).await.expect("memory takes it");
    assert_eq!(bytes(&cache), 6 + encoded);

    let version = cache.aincr_version(key, 99).await.expect("it is there");
    assert_eq!((version, bytes(&cache)), (100, 6 + 2 + encoded));
    assert!(cache.at_version(100).adelete(key).await.expect("memory answers"));
    assert_eq!(bytes(&cache), 0);
}

#[tokio::test]
async fn values_kept_as_bytes_weigh_their_bytes() {
    let cache = cache_of(&settings(|settings| {
        settings.max_bytes = Some(1 << 20);
        settings.values = cache_mem::Values::Encoded;
    }));
    cache.aset("key", "four", Timeout::Forever).await.expect("memory takes it");
    let encoded = cache.format().encode("four").expect("it has a form").len() as u64;
    assert_eq!(bytes(&cache), 6 + encoded);
}

#[tokio::test]
async fn what_cannot_be_kept_is_an_error_and_leaves_the_old_value() {
    for (eviction, most) in [(Eviction::Engine, 9_700), (Eviction::Lru, 10_000)] {
        let cache = cache_of(&settings(|settings| {
            settings.max_bytes = Some(10_000);
            settings.eviction = eviction;
        }));
        cache.aset("key", "old", Timeout::Forever).await.expect("memory takes it");
        let fits = "x".repeat(most - 6);
        let error = cache.aset("key", format!("{fits}x").as_str(), Timeout::Forever).await;
        let error = error.expect_err("nothing else could go for it");
        assert_eq!(
            error.to_string(),
            format!(
                "aset on cache `default` failed: value too large: {} bytes with its key; one entry may take {most} of the \
                 10000 of `max_bytes`",
                most + 1
            )
        );
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert_eq!(cache.aget::<String>("key").await.expect("memory answers").as_deref(), Some("old"));

        cache.aset("key", fits.as_str(), Timeout::Forever).await.expect("it just fits");
        assert!(has(&cache, "key").await);
        let error = cache.aincr_version("key", 99).await.expect_err("its key would be longer");
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(has(&cache, "key").await, "a move that fails leaves the entry where it was");
        cache.aincr_version("key", 1).await.expect("this one is as long");
    }
}

#[tokio::test]
async fn an_entry_that_grows_makes_others_go() {
    for eviction in [Eviction::Engine, Eviction::Lru] {
        let cache = cache_of(&settings(|settings| {
            settings.max_bytes = Some(10_000);
            settings.eviction = eviction;
        }));
        let mut chance = fastrand::Rng::with_seed(11);
        for _ in 0..scaled(3_000) {
            let key = format!("key {}", chance.u32(0..20));
            let value = "x".repeat(chance.usize(0..4_000));
            cache.aset(&key, value.as_str(), Timeout::Forever).await.expect("memory takes it");
            let found = cache.aget::<String>(&key).await.expect("memory answers");
            assert_eq!(found.map(|found| found.len()), Some(value.len()), "{eviction:?}: lost as it came");
            assert!(bytes(&cache) <= 10_000, "{eviction:?}: {}", bytes(&cache));
        }
        assert!(cache.stats().evictions > 0, "{eviction:?}");
    }
}

#[tokio::test]
async fn both_limits_hold_at_once() {
    for eviction in [Eviction::Engine, Eviction::Lru] {
        let cache = cache_of(&settings(|settings| {
            settings.max_entries = 100;
            settings.max_bytes = Some(100_000);
            settings.eviction = eviction;
        }));
        // Half of them small and half of them large: together they fit both limits.
        for number in 0..100 {
            let value = "x".repeat(if number % 2 == 0 { 10 } else { 1_900 });
            cache
                .aset(&format!("{number}"), value.as_str(), Timeout::Forever)
                .await
                .expect("memory takes it");
        }
        assert_eq!((entries(&cache), cache.stats().evictions), (100, 0));
        for number in 100..1_000 {
            cache.aset(&format!("{number}"), "small", Timeout::Forever).await.expect("memory takes it");
            assert!(entries(&cache) <= 100);
        }
        for number in 1_000..2_000 {
            let value = "x".repeat(9_000);
            cache
                .aset(&format!("{number}"), value.as_str(), Timeout::Forever)
                .await
                .expect("memory takes it");
            assert!(entries(&cache) <= 100 && bytes(&cache) <= 100_000);
        }
    }
}

#[tokio::test]
async fn a_batch_over_the_limit_keeps_to_it() {
    let cache = cache_of(&settings(|settings| settings.max_entries = 100));
    let keys: Vec<_> = (0..1_000).map(|number| format!("key {number}")).collect();
    cache.set_many(keys.iter().map(|key| (key, &1)), Timeout::Forever).await.expect("memory takes them");
    assert_eq!(entries(&cache), 100);
    assert_eq!(cache.get_many::<i64, _>(&keys).await.expect("memory answers").len(), 100);
    assert!(has(&cache, "key 999").await);
}

#[tokio::test]
async fn aliases_of_one_store_agree_on_what_is_the_stores() {
    let open = |shared: &Shared, settings: &MemSettings| {
        let mut context = Context::new("alias");
        context.shared = shared.clone();
        MemStore::open(Some("hall"), settings, &context)
    };
    let native = |max_entries, max_bytes, eviction| {
        settings(|settings| {
            settings.max_entries = max_entries;
            settings.max_bytes = max_bytes;
            settings.eviction = eviction;
        })
    };
    let shared = Shared::default();
    let _first = open(&shared, &native(10, Some(1_000), Eviction::Engine)).expect("it is the first");
    for (settings, message) in [
        (
            native(11, Some(1_000), Eviction::Engine),
            "`max_entries` is 11, but another alias opened the same `location` with 10; give both the same",
        ),
        (
            native(10, None, Eviction::Engine),
            "`max_bytes` is not set, but another alias opened the same `location` with 1000; give both the same",
        ),
        (
            native(10, Some(1_000), Eviction::Lru),
            "`eviction` is lru, but another alias opened the same `location` with engine; give both the same",
        ),
    ] {
        let error = open(&shared, &settings).expect_err("they differ");
        assert_eq!((error.kind(), error.detail()), (ErrorKind::Config, Some(message)));
    }
}

/// As in Django, where each alias of a store culls by its own limits.
#[tokio::test]
async fn aliases_of_one_store_cull_each_by_its_own_limits() {
    let shared = Shared::default();
    let open = |max_entries, cull_frequency| {
        let mut context = Context::new("alias");
        context.shared = shared.clone();
        let settings = settings(|settings| {
            settings.max_entries = max_entries;
            settings.eviction = Eviction::Lru;
            settings.cull_frequency = cull_frequency;
        });
        Cache::new(MemStore::open(Some("hall"), &settings, &context).expect("only their own limits differ"))
    };
    let (wide, narrow) = (open(100, 4), open(10, 0));
    for number in 0..100 {
        set(&wide, &format!("key {number}")).await;
    }
    assert_eq!(entries(&narrow), 100);
    set(&wide, "one more").await;
    assert_eq!(entries(&wide), 76);
    set(&narrow, "another").await;
    assert_eq!(entries(&wide), 1);
}

#[tokio::test]
async fn the_store_reports_bytes_only_where_it_counts_them() {
    let cache = cache_of(&settings(|_| {}));
    set(&cache, "key").await;
    assert_eq!((cache.stats().entries, cache.stats().bytes), (Some(1), None));
}

#[tokio::test]
async fn a_value_without_a_form_is_refused_where_bytes_are_counted() {
    #[derive(Clone, Deserialize)]
    struct Formless;

    impl Serialize for Formless {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("it has none"))
        }
    }

    let counted = cache_of(&settings(|settings| settings.max_bytes = Some(1_000)));
    let error = counted.aset("key", &Formless, Timeout::Forever).await.expect_err("it cannot be weighed");
    assert_eq!(error.kind(), ErrorKind::Codec);
    let uncounted = cache_of(&settings(|_| {}));
    uncounted.aset("key", &Formless, Timeout::Forever).await.expect("a pointer is enough");
}

/// A clear, and what shards lost by it, leaves the count of entries right.
#[tokio::test]
async fn the_count_of_entries_is_right_after_everything() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut chance = fastrand::Rng::with_seed(seed);
    for eviction in [Eviction::Engine, Eviction::Lru] {
        let store = Arc::new(MemStore::with_clock(
            &settings(|settings| {
                settings.max_entries = 9_000;
                settings.eviction = eviction;
            }),
            Arc::new(SystemClock),
        ));
        let cache = Cache::builder(Arc::clone(&store) as Arc<dyn AsyncCache>).key_prefix("a").build();
        let other = Cache::builder(Arc::clone(&store) as Arc<dyn AsyncCache>).key_prefix("b").build();
        for round in 0..scaled(20_000) {
            let key = format!("{}", chance.u32(0..12_000));
            let cache = if chance.bool() { &cache } else { &other };
            match chance.u32(0..100) {
                0..70 => set(cache, &key).await,
                70..85 => drop(cache.adelete(&key).await.expect("memory answers")),
                85..99 => drop(cache.aincr_version(&key, 1).await),
                _ if round % 500 == 0 => cache.aclear().await.expect("memory clears"),
                _ => {}
            }
        }
        let mut found = HashSet::new();
        for prefix in ["a", "b"] {
            for version in 1..=2 {
                let cache = Cache::builder(Arc::clone(&store) as Arc<dyn AsyncCache>)
                    .key_prefix(prefix)
                    .version(version)
                    .build();
                for number in 0..12_000 {
                    if has(&cache, &number.to_string()).await {
                        found.insert((prefix, version, number));
                    }
                }
            }
        }
        assert_eq!(entries(&cache), found.len(), "{eviction:?}");
        assert!(found.len() <= 9_000);
        cache.aclear().await.expect("memory clears");
        other.aclear().await.expect("memory clears");
        assert_eq!(entries(&cache), 0);
    }
}

#[tokio::test]
async fn an_expired_entry_cannot_be_too_large_to_move() {
    for (eviction, most) in [(Eviction::Engine, 9_700), (Eviction::Lru, 10_000)] {
        let clock = Arc::new(ManualClock::new());
        let settings = settings(|settings| {
            settings.max_bytes = Some(10_000);
            settings.eviction = eviction;
        });
        let store = MemStore::with_clock(&settings, Arc::clone(&clock) as Arc<dyn Clock>);
        let cache = Cache::builder(Arc::new(store)).clock(clock.clone()).build();
        let life = Duration::from_secs(1);
        cache.aset("key", "x".repeat(most - 6).as_str(), life).await.expect("it just fits");
        clock.advance(life);
        let error = cache.aincr_version("key", 99).await.expect_err("it is over");
        assert_eq!(error.kind(), ErrorKind::NotFound, "{eviction:?}");
    }
}

#[tokio::test]
async fn limits_beyond_all_sense_are_limits_still() {
    for eviction in [Eviction::Engine, Eviction::Lru] {
        let cache = cache_of(&settings(|settings| {
            settings.max_entries = 10;
            settings.max_bytes = Some(u64::MAX);
            settings.eviction = eviction;
        }));
        for number in 0..100 {
            set(&cache, &number.to_string()).await;
            assert!(entries(&cache) <= 10, "{eviction:?}");
        }
        let cache = cache_of(&settings(|settings| {
            settings.max_entries = usize::MAX;
            settings.max_bytes = Some(0);
            settings.eviction = eviction;
        }));
        let error = cache.aset("key", &7, Timeout::Forever).await.expect_err("nothing fits");
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }
}
