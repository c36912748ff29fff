//! Random writes, deletes and clears among random loads: nobody gets what is
//! older than the last of them that had returned when he came.

mod chance;
mod loads_many_storm;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use cache_core::{Cache, Timeout};
use cache_testkit::ManualClock;
use fastrand::Rng;
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, OwnedMutexGuard};

use chance::{dice, scaled};
use loads_many_storm::{ALL, Moment, Storm, Under, many_threads, one_thread, some};

/// Few, so that they meet.
const KEYS: usize = 4;

/// What the cache is in front of: a version of each key.
struct Source {
    keys: Vec<String>,
    versions: Vec<AtomicU64>,
    /// What a caller who comes now may at least expect.
    floors: Vec<AtomicU64>,
    /// Changes of one key come one after the other, as by a lock of its row.
    rows: Vec<Arc<Mutex<()>>>,
    loaders: AtomicUsize,
}

/// A change under way: the rows that it locks, and their new versions.
struct Change {
    source: Arc<Source>,
    versions: Vec<(usize, u64)>,
    _rows: Vec<OwnedMutexGuard<()>>,
}

impl Source {
    fn new() -> Arc<Self> {
        let numbers = || (0..KEYS).map(|_| AtomicU64::new(1)).collect();
        Arc::new(Self {
            keys: (0..KEYS).map(|number| format!("key {number}")).collect(),
            versions: numbers(),
            floors: numbers(),
            rows: (0..KEYS).map(|_| Arc::default()).collect(),
            loaders: AtomicUsize::new(0),
        })
    }

    fn version(&self, place: usize) -> u64 {
        self.versions[place].load(Ordering::SeqCst)
    }

    fn floor(&self, place: usize) -> u64 {
        self.floors[place].load(Ordering::SeqCst)
    }

    fn place(&self, key: &str) -> usize {
        self.keys.iter().position(|known| known == key).expect("no other key is asked for")
    }

    /// Changes these keys, which the cache has yet to hear of.
    async fn change(self: &Arc<Self>, places: &[usize]) -> Change {
        let mut places = places.to_vec();
        places.sort_unstable();
        places.dedup();
        let mut rows = Vec::new();
        for place in &places {
            rows.push(Arc::clone(&self.rows[*place]).lock_owned().await);
        }
        let next = |place: usize| (place, self.versions[place].fetch_add(1, Ordering::SeqCst) + 1);
        let versions = places.into_iter().map(next).collect();
        Change { source: Arc::clone(self), versions, _rows: rows }
    }
}

impl Change {
    fn keys(&self) -> impl Iterator<Item = &str> {
        self.versions.iter().map(|(place, _)| self.source.keys[*place].as_str())
    }

    /// The cache has heard of it.
    fn is_told(&self) {
        for (place, version) in &self.versions {
            self.source.floors[*place].fetch_max(*version, Ordering::SeqCst);
        }
    }
}

/// Somebody who changes something and tells the cache.
#[derive(Clone, Copy, Debug)]
enum Writer {
    Set,
    /// Something that no reader can decode.
    SetStrange,
    SetMany,
    SetNothing,
    Touch,
    Delete,
    DeleteMany,
    Clear,
}

const WRITERS: [Writer; 8] = [
    Writer::SetStrange,
    Writer::Set,
    Writer::SetMany,
    Writer::SetNothing,
    Writer::Touch,
    Writer::Delete,
    Writer::DeleteMany,
    Writer::Clear,
];

impl Writer {
    async fn run(self, places: Vec<usize>, cache: Cache, source: Arc<Source>) {
        let all: Vec<_> = (0..KEYS).collect();
        let places = match self {
            Self::SetMany | Self::DeleteMany => &places,
            Self::Clear => &all,
            _ => &places[..1],
        };
        let change = source.change(places).await;
        let (place, version) = change.versions[0];
        let key = &source.keys[place];
        let done = match self {
            Self::Set => cache.aset(key, &version, Timeout::Forever).await,
            Self::SetStrange => cache.aset(key, &format!("version {version}"), Timeout::Forever).await,
            Self::SetMany => {
                let items = change.keys().zip(change.versions.iter().map(|(_, version)| version));
                cache.set_many(items, Timeout::Forever).await
            }
            Self::SetNothing => cache.aset(key, &version, Duration::ZERO).await,
            Self::Touch => cache.atouch(key, Duration::ZERO).await.map(drop),
            Self::Delete => cache.adelete(key).await.map(drop),
            Self::DeleteMany => cache.delete_many(change.keys()).await,
            Self::Clear => cache.aclear().await,
        };
        done.expect("the store is well");
        change.is_told();
    }
}

/// Reads, and loads what is missing: what the source says now, only later.
async fn read(places: Vec<usize>, loads: Moment, cache: Cache, source: Arc<Source>, clock: Arc<ManualClock>) {
    let floors: Vec<_> = places.iter().map(|place| source.floor(*place)).collect();
    let is_single = places.len() == 1;
    let own = Arc::clone(&source);
    let load = move |missing: Vec<String>| async move {
        own.loaders.fetch_add(1, Ordering::Relaxed);
        let now = missing.into_iter().map(|key| {
            let version = own.version(own.place(&key));
            (key, version)
        });
        let now: HashMap<_, _> = now.collect();
        loads.passes(&clock).await;
        now
    };
    let mut got = HashMap::new();
    if is_single {
        let key = source.keys[places[0]].clone();
        let name = key.clone();
        let load = || async move { load(vec![name]).await.into_values().next().expect("one was asked for") };
        let value = cache.aget_or_set(&key, Timeout::Forever, load).await;
        got.insert(key, value.expect("nothing fails"));
    } else {
        let keys = places.iter().map(|place| source.keys[*place].clone());
        got = cache.get_or_set_many(keys, Timeout::Forever, load).await.expect("nothing fails");
    }
    for (place, floor) in places.into_iter().zip(floors) {
        let key = &source.keys[place];
        let version = *got[key];
        assert!(version >= floor, "{key} is of version {version}, and {floor} had been told of");
        assert!(version <= source.version(place), "{key} is from nowhere");
    }
}

async fn round(storm: &Storm, under: Under, source: &Arc<Source>, writers: &[Writer], dice: &mut Rng) {
    storm.shuffle(dice);
    let places: Vec<_> = (0..KEYS).collect();
    let mut tasks = Vec::new();
    let mut aborts = Vec::new();
    for _ in 0..dice.usize(4..=9) {
        let (cache, source, clock) = (storm.cache.clone(), Arc::clone(source), Arc::clone(&storm.clock));
        let (mut places, comes, loads) = (some(&places, dice), Moment::any(dice), Moment::any(dice));
        if dice.u8(0..5) < 2 {
            let writer = writers[dice.usize(0..writers.len())];
            tasks.push(tokio::spawn(async move {
                comes.passes(&clock).await;
                writer.run(places, cache, source).await;
            }));
            continue;
        }
        if dice.bool() {
            places.truncate(1);
        }
        let task = tokio::spawn(async move {
            comes.passes(&clock).await;
            read(places, loads, cache, source, clock).await;
        });
        if dice.u8(0..4) == 0 {
            let (goes, clock, abort) = (Moment::any(dice), Arc::clone(&storm.clock), task.abort_handle());
            aborts.push(tokio::spawn(async move {
                goes.passes(&clock).await;
                goes.passes(&clock).await;
                abort.abort();
            }));
        }
        tasks.push(task);
    }
    storm.passes(tasks).await;
    storm.passes(aborts).await;
    storm.calm();
    for (place, key) in source.keys.iter().enumerate() {
        let floor = source.floor(place);
        assert_eq!(floor, source.version(place), "every change has been told of");
        if let Some(version) = storm.cache.aget::<u64>(key).await.expect("it answers") {
            assert_eq!(version, floor, "{key} is left at an older version over {under:?}");
        }
    }
    if dice.u8(0..4) == 0 {
        storm.cache.aclear().await.expect("it answers");
    }
}

fn rounds(test: &str, runtime: &Runtime, count: usize, writers: &[Writer]) {
    let mut dice = dice(test);
    runtime.block_on(async {
        for under in ALL {
            let (storm, source) = (Storm::over(under), Source::new());
            for _ in 0..scaled(count) {
                round(&storm, under, &source, writers, &mut dice).await;
            }
            let stats = storm.cache.stats();
            let met = [stats.hits, stats.load_waits, stats.loads_voided];
            assert!(met.iter().all(|count| *count > 0), "over {under:?} nobody meets anybody: {stats:?}");
            assert_eq!(stats.loads, source.loaders.load(Ordering::Relaxed) as u64);
            assert_eq!(stats.publishes_failed, 0);
        }
    });
}

/// All that leave something that can be read, or nothing.
const DECODABLE: &[Writer] = WRITERS.split_at(1).1;

#[test]
fn nobody_gets_what_is_older_than_the_last_change() {
    rounds("nobody_gets_what_is_older_than_the_last_change", &one_thread(), 400, DECODABLE);
}

#[test]
fn nobody_gets_what_is_older_than_the_last_change_on_many_threads() {
    let test = "nobody_gets_what_is_older_than_the_last_change_on_many_threads";
    rounds(test, &many_threads(), 400, DECODABLE);
}

#[test]
fn nor_where_some_write_what_others_cannot_decode() {
    rounds("nor_where_some_write_what_others_cannot_decode", &one_thread(), 400, &WRITERS);
}

#[test]
fn nor_where_some_write_what_others_cannot_decode_on_many_threads() {
    let test = "nor_where_some_write_what_others_cannot_decode_on_many_threads";
    rounds(test, &many_threads(), 400, &WRITERS);
}
