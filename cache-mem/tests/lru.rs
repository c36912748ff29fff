//! `eviction = "lru"` is Django's culling: step by step the same as a model of
//! it, and as Django's own tests have it.

#![expect(clippy::print_stdout, reason = "a test tells what it measured")]

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Cache, Clock, Context, ErrorKind, Tick, Timeout};
use cache_mem::{Eviction, MemSettings, MemStore};
use cache_testkit::ManualClock;
use serde::{Deserialize, Serialize};

mod scale;

use scale::scaled;

/// Django's local-memory cache, with the one difference that a cull takes at
/// least one entry: keys in the order of their last use, the latest last.
struct Model {
    entries: Vec<(u32, Stored, Tick)>,
    max_entries: usize,
    cull_frequency: usize,
}

/// Either of them, as it is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Integer(i64),
    Text(String),
}

impl Model {
    fn live(&self, key: u32, now: Tick) -> Option<usize> {
        self.entries.iter().position(|(there, _, expires)| *there == key && now < *expires)
    }

    /// A use moves the entry to the end.
    fn use_at(&mut self, place: usize) -> &mut (u32, Stored, Tick) {
        let entry = self.entries.remove(place);
        self.entries.push(entry);
        self.entries.last_mut().expect("it was pushed")
    }

    fn set(&mut self, key: u32, value: Stored, expires: Tick) {
        if self.entries.len() >= self.max_entries {
            let len = self.entries.len();
            let culled = len.checked_div(self.cull_frequency).map_or(len, |share| share.max(1));
            self.entries.drain(..culled);
        }
        self.entries.retain(|(there, ..)| *there != key);
        self.entries.push((key, value, expires));
    }

    fn get(&mut self, key: u32, now: Tick) -> Option<Stored> {
        if let Some(place) = self.live(key, now) {
            return Some(self.use_at(place).1.clone());
        }
        self.entries.retain(|(there, ..)| *there != key);
        None
    }

    fn add(&mut self, key: u32, value: Stored, expires: Tick, now: Tick) -> bool {
        let is_free = self.live(key, now).is_none();
        if is_free {
            self.set(key, value, expires);
        }
        is_free
    }

    /// A use only if it succeeds.
    fn incr(&mut self, key: u32, now: Tick) -> Result<i64, ErrorKind> {
        let place = self.live(key, now);
        if let Some(Stored::Text(_)) = place.map(|place| &self.entries[place].1) {
            return Err(ErrorKind::NotAnInteger);
        }
        match self.get(key, now) {
            Some(Stored::Integer(there)) => {
                self.entries.last_mut().expect("it was used last").1 = Stored::Integer(there + 1);
                Ok(there + 1)
            }
            _ => Err(ErrorKind::NotFound),
        }
    }

    /// No use, but what has expired goes.
    fn has_key(&mut self, key: u32, now: Tick) -> bool {
        let is_live = self.live(key, now).is_some();
        self.entries.retain(|(there, ..)| *there != key || is_live);
        is_live
    }

    fn touch(&mut self, key: u32, expires: Tick, now: Tick) -> bool {
        let place = self.live(key, now);
        if let Some(place) = place {
            self.entries[place].2 = expires;
        }
        place.is_some()
    }

    fn delete(&mut self, key: u32, now: Tick) -> bool {
        let was_live = self.live(key, now).is_some();
        self.entries.retain(|(there, ..)| *there != key);
        was_live
    }
}

fn cache(max_entries: usize, cull_frequency: u32, clock: &Arc<ManualClock>) -> Cache {
    let mut settings = MemSettings::default();
    settings.max_entries = max_entries;
    settings.cull_frequency = cull_frequency;
    settings.eviction = Eviction::Lru;
    let context = Context::new("default").with_clock(Arc::clone(clock) as Arc<dyn Clock>);
    let store = MemStore::open(None, &settings, &context).expect("it is shared with nobody");
    Cache::builder(Arc::new(store)).context(&context).build()
}

fn entries(cache: &Cache) -> usize {
    usize::try_from(cache.stats().entries.expect("it knows")).expect("it fits")
}

/// Entries live for at least ten seconds and the clock moves on by fourteen,
/// so that some expire unread and are culled as such, while it is never time
/// to free them.
#[tokio::test]
async fn it_equals_a_model_step_by_step() {
    let seed = std::env::var("CACHE_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("CACHE_TEST_SEED={seed}");
    let mut chance = fastrand::Rng::with_seed(seed);
    for _ in 0..scaled(60) {
        let (max_entries, cull_frequency) = (chance.usize(1..40), chance.u32(0..6));
        let clock = Arc::new(ManualClock::new());
        let cache = cache(max_entries, cull_frequency, &clock);
        let cull_frequency = cull_frequency as usize;
        let mut model = Model { entries: Vec::new(), max_entries, cull_frequency };
        for step in 0..300 {
            if step % 30 == 29 {
                clock.advance(Duration::from_millis(1_400));
            }
            let (key, now) = (chance.u32(0..60), clock.now());
            let number = Stored::Integer(chance.i64(0..1_000));
            let value = if chance.u32(0..4) > 0 { number } else { Stored::Text("text".to_owned()) };
            let life = Duration::from_secs(chance.u64(10..12));
            let name = key.to_string();
            let label = format!("step {step}, {max_entries} entries, frequency {cull_frequency}");
            match chance.u32(0..11) {
                0..4 => {
                    cache.aset(&name, &value, life).await.expect("memory takes it");
                    model.set(key, value, now.after(life));
                }
                4..6 => {
                    let found = cache.aget::<Stored>(&name).await.expect("memory answers");
                    assert_eq!(found, model.get(key, now), "{label}");
                }
                6 => {
                    let added = cache.aadd(&name, &value, life).await.expect("memory takes it");
                    assert_eq!(added, model.add(key, value, now.after(life), now), "{label}");
                }
                7 => {
                    let sum = cache.aincr(&name, 1).await.map_err(|error| error.kind());
                    assert_eq!(sum, model.incr(key, now), "{label}");
                }
                8 => {
                    let touched = cache.atouch(&name, life).await.expect("memory answers");
                    assert_eq!(touched, model.touch(key, now.after(life), now), "{label}");
                }
                9 => {
                    let has = cache.ahas_key(&name).await.expect("memory answers");
                    assert_eq!(has, model.has_key(key, now), "{label}");
                }
                _ => {
                    let deleted = cache.adelete(&name).await.expect("memory answers");
                    assert_eq!(deleted, model.delete(key, now), "{label}");
                }
            }
            assert_eq!(entries(&cache), model.entries.len(), "{label}");
            for key in 0..60 {
                let life = cache.alife(&key.to_string()).await.expect("memory answers");
                assert_eq!(life.is_some(), model.live(key, clock.now()).is_some(), "{label}, key {key}");
            }
        }
    }
}

/// How many of so many keys are left when they are set one after the other.
async fn left_of(keys: std::ops::Range<u32>, max_entries: usize, cull_frequency: u32) -> usize {
    let cache = cache(max_entries, cull_frequency, &Arc::new(ManualClock::new()));
    for key in keys.clone() {
        cache.aset(&format!("cull{key}"), "value", Timeout::Forever).await.expect("memory takes it");
    }
    let mut left = 0;
    for key in keys {
        left += usize::from(cache.ahas_key(&format!("cull{key}")).await.expect("memory answers"));
    }
    assert_eq!(entries(&cache), left);
    left
}

/// The numbers that Django's own tests expect of its local-memory cache.
#[tokio::test]
async fn djangos_own_numbers() {
    assert_eq!(left_of(1..50, 30, 3).await, 29);
    assert_eq!(left_of(1..50, 30, 0).await, 19);
}

/// 300 fit; the next one makes a hundred go, and then a hundred fit again.
#[tokio::test]
async fn djangos_culling_at_300() {
    for (keys, left) in [(300, 300), (301, 201), (400, 300), (401, 201), (1_000, 300), (1_001, 201)] {
        assert_eq!(left_of(0..keys, 300, 3).await, left, "{keys} keys");
    }
}

/// As Django does: whether there is room is asked before it is looked whether
/// the key is there.
#[tokio::test]
async fn overwriting_in_a_full_store_culls() {
    let cache = cache(9, 3, &Arc::new(ManualClock::new()));
    for key in 0..9 {
        cache.aset(&key.to_string(), &1, Timeout::Forever).await.expect("memory takes it");
    }
    cache.aset("8", &2, Timeout::Forever).await.expect("memory takes it");
    assert_eq!(entries(&cache), 6);
    assert!(!cache.ahas_key("2").await.expect("memory answers"));
    assert!(cache.ahas_key("3").await.expect("memory answers"));
}

/// Where Django would hold as many as the frequency says.
#[tokio::test]
async fn a_limit_below_the_frequency_holds() {
    assert_eq!(left_of(0..10, 2, 3).await, 2);
    assert_eq!(left_of(0..10, 1, 1_000).await, 1);
}

#[tokio::test]
async fn the_lately_used_stay() {
    let cache = cache(3, 3, &Arc::new(ManualClock::new()));
    for key in ["a", "b", "c"] {
        cache.aset(key, &1, Timeout::Forever).await.expect("memory takes it");
    }
    cache.aget::<i64>("a").await.expect("memory answers");
    cache.ahas_key("b").await.expect("memory answers");
    cache.atouch("b", Timeout::Forever).await.expect("memory answers");
    cache.aset("d", &1, Timeout::Forever).await.expect("memory takes it");
    let mut left = Vec::new();
    for key in ["a", "b", "c", "d"] {
        if cache.ahas_key(key).await.expect("memory answers") {
            left.push(key);
        }
    }
    assert_eq!(left, ["a", "c", "d"], "a read is a use, a question and a touch are none");
}
