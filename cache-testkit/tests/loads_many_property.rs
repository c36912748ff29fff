//! Random batches and single loads of few keys, at random moments, against what
//! one after the other would have had.

mod chance;
mod loads_many_storm;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cache_core::{Cache, ErrorKind, Timeout};
use cache_testkit::ManualClock;
use fastrand::Rng;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use chance::{dice, scaled};
use loads_many_storm::{ALL, Moment, Storm, many_threads, one_thread, some};

const KEYS: usize = 12;

fn keys() -> Vec<String> {
    (0..KEYS).map(|number| format!("key {number}")).collect()
}

/// What became of one key that a loader was asked for.
#[derive(Clone, Debug, PartialEq)]
enum Fate {
    Given(String),
    LeftOut,
    Failed,
}

/// What loaders were asked for in one round, and what they said.
#[derive(Default)]
struct Book {
    fates: Mutex<HashMap<String, Vec<Fate>>>,
    loaders: AtomicUsize,
    /// Keys that a loader has begun with and not ended.
    under_way: Mutex<HashMap<String, usize>>,
    /// Whether two loaders may have to do with one key at once.
    may_overlap: bool,
}

impl Book {
    fn begins(self: &Arc<Self>, keys: &[String]) -> Begun {
        for key in keys {
            let mut under_way = lock(&self.under_way);
            let loaders = under_way.entry(key.clone()).or_default();
            *loaders += 1;
            assert!(*loaders == 1 || self.may_overlap, "two loaders at once for {key}");
        }
        Begun { book: Arc::clone(self), keys: keys.to_vec() }
    }

    fn write(&self, key: &str, fate: Fate) {
        lock(&self.fates).entry(key.to_owned()).or_default().push(fate);
    }

    fn read(&self, key: &str) -> Vec<Fate> {
        lock(&self.fates).get(key).cloned().unwrap_or_default()
    }
}

/// A loader that has begun, until it ends or is dropped.
struct Begun {
    book: Arc<Book>,
    keys: Vec<String>,
}

impl Drop for Begun {
    fn drop(&mut self) {
        let mut under_way = lock(&self.book.under_way);
        for key in &self.keys {
            *under_way.get_mut(key).expect("it has begun") -= 1;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How one caller behaves, and its loader.
#[derive(Clone)]
struct Plan {
    keys: Vec<String>,
    is_batch: bool,
    comes: Moment,
    loads: Moment,
    left_out: Vec<String>,
    fails: bool,
}

impl Plan {
    fn any(all: &[String], weather: Weather, dice: &mut Rng) -> Self {
        let is_batch = dice.u8(0..3) > 0;
        let mut keys = some(all, dice);
        keys.truncate(if is_batch { KEYS } else { 1 });
        let left_out = if weather.is_rough && dice.bool() { some(all, dice) } else { Vec::new() };
        let fails = weather.is_rough && dice.u8(0..6) == 0;
        Self { keys, is_batch, comes: Moment::any(dice), loads: Moment::any(dice), left_out, fails }
    }

    /// The loader, of a batch or of one key.
    async fn load(
        self,
        missing: Vec<String>,
        book: Arc<Book>,
        clock: Arc<ManualClock>,
    ) -> Result<HashMap<String, String>, std::io::Error> {
        let begun = book.begins(&missing);
        let number = book.loaders.fetch_add(1, Ordering::Relaxed);
        self.loads.passes(&clock).await;
        let mut values = HashMap::new();
        for key in &missing {
            let fate = if self.fails {
                Fate::Failed
            } else if self.is_batch && self.left_out.contains(key) {
                Fate::LeftOut
            } else {
                let value = format!("{key} by loader {number}");
                values.insert(key.clone(), value.clone());
                Fate::Given(value)
            };
            book.write(key, fate);
        }
        drop(begun);
        if self.fails { Err(std::io::Error::other("as planned")) } else { Ok(values) }
    }

    /// What the caller gets of each of its keys.
    async fn run(self, cache: Cache, book: Arc<Book>, clock: Arc<ManualClock>) -> Vec<(String, Got)> {
        self.comes.passes(&clock).await;
        let plan = self.clone();
        if !self.is_batch {
            let key = self.keys[0].clone();
            let name = key.clone();
            let loader = || async move {
                let mut values = plan.load(vec![name.clone()], book, clock).await?;
                Ok::<_, std::io::Error>(values.remove(&name).expect("a single leaves nothing out"))
            };
            let got = match cache.aget_or_try_set(&key, Timeout::Forever, loader).await {
                Ok(value) => Got::Value(value),
                Err(error) => Got::Error(error.kind()),
            };
            return vec![(key, got)];
        }
        let loader = |missing| plan.load(missing, book, clock);
        let load = cache.load_many(self.keys.clone()).timeout(Timeout::Forever);
        let mut partial = load.try_run_partial(loader).await.expect("it is open");
        let mut failed: HashMap<_, _> = partial.failed.drain(..).collect();
        let mut got = |key: &String| match (partial.found.get(key), failed.remove(key)) {
            (Some(value), None) => Got::Value(Arc::clone(value)),
            (None, Some(error)) => Got::Error(error.kind()),
            (None, None) => Got::Nothing,
            (Some(_), Some(_)) => panic!("it is both found and failed"),
        };
        let mut keys = self.keys;
        keys.sort_unstable();
        keys.dedup();
        keys.iter().map(|key| (key.clone(), got(key))).collect()
    }
}

/// What a caller got of a key.
#[derive(Debug)]
enum Got {
    Value(Arc<String>),
    Nothing,
    Error(ErrorKind),
}

/// What goes wrong in a round.
#[derive(Clone, Copy)]
struct Weather {
    /// Loaders fail and leave out.
    is_rough: bool,
    /// Callers are dropped.
    drops: bool,
}

async fn round(storm: &Storm, weather: Weather, dice: &mut Rng) {
    let book = Arc::new(Book { may_overlap: weather.drops, ..Book::default() });
    storm.shuffle(dice);
    let keys = keys();
    let mut tasks = Vec::new();
    let mut aborts: Vec<JoinHandle<()>> = Vec::new();
    for _ in 0..dice.usize(2..=7) {
        let plan = Plan::any(&keys, weather, dice);
        let task = tokio::spawn(plan.run(storm.cache.clone(), Arc::clone(&book), Arc::clone(&storm.clock)));
        if weather.drops && dice.bool() {
            let (goes, abort, clock) = (Moment::any(dice), task.abort_handle(), Arc::clone(&storm.clock));
            aborts.push(tokio::spawn(async move {
                goes.passes(&clock).await;
                goes.passes(&clock).await;
                abort.abort();
            }));
        }
        tasks.push(task);
    }
    let answers = storm.passes(tasks).await;
    storm.passes(aborts).await;
    storm.calm();
    let mut by_key: HashMap<&String, Vec<&Got>> = HashMap::new();
    for (key, got) in answers.iter().flatten().flatten() {
        by_key.entry(key).or_default().push(got);
    }
    for key in &keys {
        let stored: Option<String> = storm.cache.aget(key).await.expect("it answers");
        check(key, by_key.get(key).map_or(&[], Vec::as_slice), stored.as_ref(), &book, weather);
    }
    storm.cache.delete_many(&keys).await.expect("it answers");
    assert_eq!(storm.cache.stats().loading, 0);
}

fn check(key: &str, got: &[&Got], stored: Option<&String>, book: &Book, weather: Weather) {
    let fates = book.read(key);
    let context = || format!("{key}: {got:?}, {stored:?} is stored, of {fates:?}");
    if !weather.is_rough && !weather.drops {
        assert_eq!(fates.len(), usize::from(!got.is_empty()), "loaded once: {}", context());
    }
    if !weather.drops {
        // What one loader gives is stored, so that no other runs after it.
        let given = fates.iter().filter(|fate| matches!(fate, Fate::Given(_))).count();
        assert!(given <= 1, "loaded again: {}", context());
        assert_eq!(given == 1, stored.is_some(), "{}", context());
        assert!(given == 0 || matches!(fates.last(), Some(Fate::Given(_))), "{}", context());
    }
    for got in got {
        match got {
            Got::Value(value) => {
                assert!(fates.contains(&Fate::Given((**value).clone())), "from nowhere: {}", context());
                assert_eq!(Some(&**value), stored, "all get what is stored: {}", context());
            }
            Got::Nothing => assert!(fates.contains(&Fate::LeftOut), "{}", context()),
            Got::Error(kind) => {
                assert_eq!(*kind, ErrorKind::Load, "{}", context());
                assert!(fates.contains(&Fate::Failed), "{}", context());
            }
        }
    }
}

fn rounds(test: &str, runtime: &Runtime, count: usize, weather: impl Fn(&mut Rng) -> Weather) {
    let mut dice = dice(test);
    runtime.block_on(async {
        for under in ALL {
            let storm = Storm::over(under);
            for _ in 0..scaled(count) {
                let weather = weather(&mut dice);
                round(&storm, weather, &mut dice).await;
            }
            let stats = storm.cache.stats();
            assert!(stats.load_waits > 0, "the callers of {under:?} never meet");
        }
    });
}

const FAIR: Weather = Weather { is_rough: false, drops: false };

fn rough(dice: &mut Rng) -> Weather {
    Weather { is_rough: dice.bool(), drops: dice.bool() }
}

#[test]
fn each_key_is_loaded_once_and_everybody_gets_that() {
    rounds("each_key_is_loaded_once_and_everybody_gets_that", &one_thread(), 250, |_| FAIR);
}

#[test]
fn each_key_is_loaded_once_and_everybody_gets_that_on_many_threads() {
    let test = "each_key_is_loaded_once_and_everybody_gets_that_on_many_threads";
    rounds(test, &many_threads(), 250, |_| FAIR);
}

#[test]
fn whatever_loaders_and_callers_do_each_caller_gets_what_was_said_of_its_keys() {
    let test = "whatever_loaders_and_callers_do_each_caller_gets_what_was_said_of_its_keys";
    rounds(test, &one_thread(), 250, rough);
}

#[test]
fn whatever_loaders_and_callers_do_each_caller_gets_what_was_said_of_its_keys_on_many_threads() {
    let test = "whatever_loaders_and_callers_do_each_caller_gets_what_was_said_of_its_keys_on_many_threads";
    rounds(test, &many_threads(), 250, rough);
}
