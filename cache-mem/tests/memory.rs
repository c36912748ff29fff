//! What a store in memory takes, by a counting allocator. One thread, so that
//! all of it is counted.

#![expect(clippy::print_stdout, reason = "a test tells what it measured")]

use std::sync::Arc;
use std::time::Duration;

use allocation_counter::measure;
use cache_core::{Cache, Clock, Context, SystemClock, Timeout};
use cache_mem::{Eviction, MemSettings, MemStore};
use cache_testkit::ManualClock;
use serde::{Deserialize, Serialize};

mod scale;

use scale::scaled;

const LIFE: Duration = Duration::from_secs(10);

#[derive(Clone, Serialize, Deserialize)]
struct User {
    name: String,
    roles: Vec<u32>,
}

fn user(number: usize) -> User {
    User { name: format!("user number {number}"), roles: vec![1, 2, 3] }
}

fn cache_on(clock: &Arc<dyn Clock>, change: impl FnOnce(&mut MemSettings)) -> Cache {
    let mut settings = MemSettings::default();
    settings.check_encoding = false;
    change(&mut settings);
    let context = Context::new("default").with_clock(Arc::clone(clock));
    let store = MemStore::open(None, &settings, &context).expect("it is shared with nobody");
    Cache::builder(Arc::new(store)).context(&context).build()
}

/// How many more bytes are allocated after the work than before it.
fn growth(work: impl FnOnce()) -> i64 {
    measure(work).bytes_current
}

fn entries(cache: &Cache) -> u64 {
    cache.stats().entries.expect("it knows")
}

/// A million entries at full size, written and left alone.
#[test]
fn expired_entries_give_all_their_memory_back_unread() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for eviction in [Eviction::Engine, Eviction::Lru] {
        let clock = Arc::new(ManualClock::new());
        let time = Arc::clone(&clock) as Arc<dyn Clock>;
        let cache = cache_on(&time, |settings| settings.eviction = eviction);
        let count = scaled(10_000).min(1_000_000);
        let full = growth(|| {
            runtime.block_on(async {
                for number in 0..count {
                    cache.aset(&format!("key {number}"), &user(number), LIFE).await.expect("memory takes it");
                }
            });
        });
        assert_eq!(entries(&cache), count as u64);
        let freed = growth(|| runtime.block_on(clock.pass(LIFE * 2)));
        let stays = full + freed;
        println!("{eviction:?}: {count} entries take {full} bytes; two lives later {stays} stay");
        assert_eq!(entries(&cache), 0);
        assert!(stays < 40_000, "{eviction:?}: {stays} bytes of {full} stay");
    }
}

/// On the machine's clock: a task of the runtime does it.
#[test]
fn they_do_on_the_machines_clock_too() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let time = Arc::new(SystemClock) as Arc<dyn Clock>;
    let cache = cache_on(&time, |_| {});
    let life = Duration::from_millis(600);
    let stays = growth(|| {
        runtime.block_on(async {
            for number in 0..10_000 {
                cache.aset(&format!("key {number}"), &user(number), life).await.expect("memory takes it");
            }
            let written = time.precise();
            while entries(&cache) > 0 {
                time.sleep_until(time.precise().after(Duration::from_millis(20))).await;
                let waited = time.precise().since(written);
                assert!(waited < life * 10, "{} are there after {waited:?}", entries(&cache));
            }
        });
    });
    println!("{stays} bytes stay");
    assert!(stays < 40_000, "{stays} bytes stay");
}

/// Whatever the size of values, what is needed beside them is bounded.
#[test]
fn a_stream_of_unique_keys_takes_max_bytes_and_so_much_an_entry() {
    /// What an entry takes beside its key and value, at most. The engine also
    /// remembers which keys went lately, in up to a tenth of `max_bytes`.
    const BESIDE_IT: i64 = 300;
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let time = Arc::new(SystemClock) as Arc<dyn Clock>;
    let max_bytes = scaled(2 << 20) as u64;
    for eviction in [Eviction::Engine, Eviction::Lru] {
        for length in [10, 100, 1_000, 10_000] {
            let cache = cache_on(&time, |settings| {
                settings.max_bytes = Some(max_bytes);
                settings.eviction = eviction;
            });
            let value = "x".repeat(length);
            let count = 3 * usize::try_from(max_bytes).expect("it fits") / (length + 12);
            let mut most = 0;
            let mut taken = 0;
            // Measured ten times on the way: it has to hold all the time.
            for part in 0..10 {
                taken += growth(|| {
                    runtime.block_on(async {
                        for number in part * count / 10..(part + 1) * count / 10 {
                            let key = format!("key {number:08}");
                            let set = cache.aset(&key, value.as_str(), Timeout::Forever);
                            set.await.expect("memory takes it");
                        }
                    });
                });
                most = most.max(taken);
            }
            let held = i64::try_from(entries(&cache)).expect("it fits");
            let bytes = i64::try_from(cache.stats().bytes.expect("it counts")).expect("it fits");
            let label = format!("{eviction:?}, values of {length}: {held} entries of {bytes} bytes");
            println!("{label} take {most} at most: {} each beside", (most - bytes) / held);
            let max_bytes = i64::try_from(max_bytes).expect("it fits");
            assert!(bytes <= max_bytes);
            assert!(most <= max_bytes + max_bytes / 10 + BESIDE_IT * held, "{label} take {most}");
        }
    }
}

/// The same where nothing is counted in bytes.
#[test]
fn an_entry_takes_so_much_beside_its_key_and_value() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let time = Arc::new(SystemClock) as Arc<dyn Clock>;
    for (eviction, bound) in [(Eviction::Engine, 300), (Eviction::Lru, 300)] {
        let max_entries = scaled(10_000).min(1_000_000);
        let cache = cache_on(&time, |settings| {
            settings.max_entries = max_entries;
            settings.eviction = eviction;
        });
        let mut most = 0;
        let mut taken = 0;
        for part in 0..10 {
            taken += growth(|| {
                runtime.block_on(async {
                    for number in part * max_entries / 2..(part + 1) * max_entries / 2 {
                        let key = format!("key {number:08}");
                        let set = cache.aset(&key, "sixteen letters.", Timeout::Forever);
                        set.await.expect("memory takes it");
                    }
                });
            });
            most = most.max(taken);
        }
        // The text of the key is ":1:key 00000000".
        let beside = (most - (15 + 16) * i64::try_from(max_entries).expect("it fits"))
            / i64::try_from(max_entries).expect("it fits");
        println!(
            "{eviction:?}: {max_entries} entries take {most} bytes at most, {beside} each beside key and value"
        );
        assert!(beside <= bound, "{eviction:?}: {beside} bytes an entry");
    }
}

/// A table that was large does not stay so, however its entries went.
#[test]
fn whatever_empties_a_table_gives_it_back() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let time = Arc::new(SystemClock) as Arc<dyn Clock>;
    let count = scaled(10_000);
    for eviction in [Eviction::Engine, Eviction::Lru] {
        let key = |number: usize| format!("key {number}");
        let fill = async |cache: &Cache| {
            for number in 0..count {
                cache.aset(&key(number), &user(number), Timeout::Forever).await.expect("memory takes it");
            }
        };
        let cache = cache_on(&time, |settings| settings.eviction = eviction);
        let stays = growth(|| {
            runtime.block_on(async {
                fill(&cache).await;
                cache.aclear().await.expect("memory clears");
            });
        });
        println!("{eviction:?}: {stays} bytes stay after a clear");
        assert!(stays < 40_000, "{stays} bytes stay");
        let stays = growth(|| {
            runtime.block_on(async {
                fill(&cache).await;
                for number in 0..count {
                    cache.adelete(&key(number)).await.expect("memory answers");
                }
            });
        });
        println!("{eviction:?}: {stays} bytes stay after deletes");
        assert!(stays < 40_000, "{stays} bytes stay");

        // Many small ones make way for a large one.
        let cache = cache_on(&time, |settings| {
            settings.max_bytes = Some(1 << 20);
            settings.eviction = eviction;
        });
        let large = "x".repeat(1_000_000);
        let stays = growth(|| {
            runtime.block_on(async {
                for number in 0..50_000 {
                    cache.aset(&key(number), &1, Timeout::Forever).await.expect("memory takes it");
                }
                for number in 0..30 {
                    cache
                        .aset(&key(number), large.as_str(), Timeout::Forever)
                        .await
                        .expect("memory takes it");
                }
            });
        });
        println!("{eviction:?}: {stays} bytes are taken by {} entries", entries(&cache));
        assert!(stays < (1 << 20) + 1_000_000, "{stays} bytes are taken");
    }
}
