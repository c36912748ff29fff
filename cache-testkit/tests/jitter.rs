//! The jitter of an alias: which lives it shortens, by how much, and which it
//! leaves alone.

mod chance;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{Cache, CacheBuilder, Clock, Life, Timeout};
use cache_mem::{MemSettings, MemStore};
use cache_testkit::ManualClock;

use chance::{dice, scaled};

const MINUTE: Duration = Duration::from_mins(1);

/// What is left of a minute when a tenth of it is taken off.
const SHORTEST: Duration = Duration::from_secs(54);

/// A handle over memory by a clock that stands still. What the core draws in
/// this test, it draws by the seed that is printed.
fn handle(test: &str) -> (Arc<ManualClock>, CacheBuilder) {
    fastrand::seed(dice(test).u64(..));
    let clock = Arc::new(ManualClock::new());
    let time: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let mut settings = MemSettings::default();
    settings.max_entries = scaled(20_000);
    let store = MemStore::with_clock(&settings, Arc::clone(&time));
    (clock, Cache::builder(Arc::new(store)).clock(time))
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

async fn life(cache: &Cache, key: &str) -> Life {
    cache.alife(key).await.expect("memory answers").expect("it is there")
}

async fn lives(cache: &Cache, keys: &[String]) -> Vec<Duration> {
    let mut lives = Vec::with_capacity(keys.len());
    for key in keys {
        let Life::For(rest) = life(cache, key).await else { panic!("`{key}` has no end") };
        lives.push(rest);
    }
    lives
}

/// Each tenth of what may be taken off has about a tenth of the lives, and
/// hardly two are the same.
fn are_spread(lives: &[Duration]) {
    let mut tenths = [0_usize; 10];
    for life in lives {
        assert!((SHORTEST..=MINUTE).contains(life), "{life:?}");
        let tenth = MINUTE.abs_diff(*life).as_millis() / 600;
        tenths[usize::try_from(tenth).expect("it is small").min(9)] += 1;
    }
    let share = lives.len() / 10;
    assert!(tenths.iter().all(|tenth| (share / 2..share * 2).contains(tenth)), "{tenths:?}");
    let shortest = lives.iter().min().expect("there are some");
    let longest = lives.iter().max().expect("there are some");
    assert!(
        longest.abs_diff(*shortest) > MINUTE.abs_diff(SHORTEST).mul_f64(0.98),
        "{shortest:?} to {longest:?}"
    );
    let different = lives.iter().collect::<HashSet<_>>().len();
    assert!(different > lives.len() - lives.len() / 100, "{different} of {}", lives.len());
}

#[tokio::test]
async fn entries_of_one_bulk_call_have_lives_of_their_own() {
    let (_, builder) = handle("entries_of_one_bulk_call_have_lives_of_their_own");
    let cache = builder.jitter(0.1).build();
    let keys = names(scaled(10_000));
    cache.set_many(keys.iter().map(|key| (key, &1)), MINUTE).await.expect("memory takes it");
    are_spread(&lives(&cache, &keys).await);
}

#[tokio::test]
async fn every_write_of_one_key_draws_a_life() {
    let (_, builder) = handle("every_write_of_one_key_draws_a_life");
    let cache = builder.jitter(0.1).timeout(MINUTE).build();
    let keys = names(scaled(10_000));

    for key in &keys {
        cache.aset(key, "text", MINUTE).await.expect("memory takes it");
    }
    are_spread(&lives(&cache, &keys).await);

    // The timeout of the alias is shortened as one that a caller gives.
    for key in &keys {
        cache.aset_arc(key, Arc::new("text".to_owned()), Timeout::Default).await.expect("memory takes it");
    }
    are_spread(&lives(&cache, &keys).await);

    for key in &keys {
        cache.adelete(key).await.expect("memory answers");
        assert!(cache.aadd(key, "text", MINUTE).await.expect("memory takes it"));
    }
    are_spread(&lives(&cache, &keys).await);
}

#[tokio::test]
async fn every_touch_draws_a_life() {
    let (_, builder) = handle("every_touch_draws_a_life");
    let cache = builder.jitter(0.1).build();
    let keys = names(scaled(10_000));
    cache.set_many(keys.iter().map(|key| (key, &1)), Timeout::Forever).await.expect("memory takes it");
    for key in &keys {
        assert!(cache.atouch(key, MINUTE).await.expect("memory answers"));
    }
    are_spread(&lives(&cache, &keys).await);
}

#[tokio::test]
async fn what_never_expires_stays_so_and_zero_stays_zero() {
    let (_, builder) = handle("what_never_expires_stays_so_and_zero_stays_zero");
    let cache = builder.jitter(1.0).build();
    let keys = ["set", "shared", "added", "bulk", "touched"];
    cache.aset("set", &1, Timeout::Forever).await.expect("memory takes it");
    cache.aset_arc("shared", Arc::new(1), Timeout::Forever).await.expect("memory takes it");
    cache.aadd("added", &1, Timeout::Forever).await.expect("memory takes it");
    cache.set_many([("bulk", &1)], Timeout::Forever).await.expect("memory takes it");
    cache.aset("touched", &1, MINUTE).await.expect("memory takes it");
    cache.atouch("touched", Timeout::Forever).await.expect("memory answers");
    for key in keys {
        assert_eq!(life(&cache, key).await, Life::Forever, "{key}");
    }

    cache.set_many(keys.map(|key| (key, &2)), Duration::ZERO).await.expect("memory takes it");
    for key in keys {
        assert!(!cache.ahas_key(key).await.expect("memory answers"), "{key}");
    }
}

#[tokio::test]
async fn something_is_left_of_every_life() {
    let (_, builder) = handle("something_is_left_of_every_life");
    let nanosecond = Duration::from_nanos(1);
    let century = Duration::from_hours(100 * 365 * 24);
    // A share above 1 counts as 1.
    for share in [1.0, 1.5, f64::INFINITY] {
        let cache = builder.clone().jitter(share).build();
        let keys = names(scaled(1_000));
        for timeout in [nanosecond, nanosecond * 2, MINUTE, century] {
            cache.set_many(keys.iter().map(|key| (key, &1)), timeout).await.expect("memory takes it");
            for life in lives(&cache, &keys).await {
                assert!((nanosecond..=timeout).contains(&life), "{life:?} of {timeout:?}");
            }
        }
        // More than the store can count, so that it may tell it as for ever.
        cache.set_many(keys.iter().map(|key| (key, &1)), Duration::MAX).await.expect("memory takes it");
        for key in &keys {
            assert!(cache.ahas_key(key).await.expect("memory answers"));
        }
    }
}

#[tokio::test]
async fn without_jitter_lives_are_exact_and_nothing_is_drawn() {
    let (_, builder) = handle("without_jitter_lives_are_exact_and_nothing_is_drawn");
    // What is no share counts as none.
    for share in [None, Some(0.0), Some(-0.5), Some(f64::NEG_INFINITY), Some(f64::NAN)] {
        let builder = builder.clone();
        let cache = share.map_or(builder.clone(), |share| builder.jitter(share)).build();
        let drawn = fastrand::get_seed();
        cache.aset("set", &1, MINUTE).await.expect("memory takes it");
        cache.aset_arc("shared", Arc::new(1), MINUTE).await.expect("memory takes it");
        cache.adelete("added").await.expect("memory answers");
        cache.aadd("added", &1, MINUTE).await.expect("memory takes it");
        cache.set_many([("bulk", &1)], MINUTE).await.expect("memory takes it");
        cache.aset("touched", &1, Timeout::Forever).await.expect("memory takes it");
        cache.atouch("touched", MINUTE).await.expect("memory answers");
        for key in ["set", "shared", "added", "bulk", "touched"] {
            assert_eq!(life(&cache, key).await, Life::For(MINUTE), "{key} with {share:?}");
        }
        assert_eq!(fastrand::get_seed(), drawn, "{share:?}");
    }
}

#[tokio::test]
async fn a_move_and_a_counter_keep_the_life_that_there_is() {
    let (clock, builder) = handle("a_move_and_a_counter_keep_the_life_that_there_is");
    let cache = builder.jitter(1.0).build();
    for key in names(scaled(100)) {
        cache.aset(&key, &1, MINUTE * 1_000).await.expect("memory takes it");
        let Life::For(drawn) = life(&cache, &key).await else { panic!("it has an end") };
        clock.advance(drawn / 2);
        let left = Life::For(drawn.abs_diff(drawn / 2));
        cache.aincr(&key, 1).await.expect("it is there");
        assert_eq!(life(&cache, &key).await, left);
        cache.aincr_version(&key, 1).await.expect("it is there");
        assert_eq!(life(&cache.at_version(2), &key).await, left);
    }
}
