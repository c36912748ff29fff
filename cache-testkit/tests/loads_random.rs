//! Whatever happens to callers, loaders and keys at random, nothing is left of
//! it, and whoever stays gets an answer.

#![expect(clippy::print_stderr, reason = "a test tells what it measured")]

mod chance;
mod loads_rig;

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use cache_core::{Cache, Clock, Error, ErrorKind, Loaded, Tick, Timeout};
use cache_testkit::Call;
use fastrand::Rng;
use tokio::task::yield_now;

use chance::{dice, scaled};
use loads_rig::{Asked, PATIENCE, Rig, Source, broken};

const KEYS: [&str; 3] = ["a", "b", "c"];

/// What the loaders did.
#[derive(Default)]
struct Tally {
    begun: AtomicU64,
    ended: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    panicked: AtomicU64,
    answers: AtomicU64,
    left: AtomicU64,
}

/// One load, which ends or is dropped.
struct Running(Arc<Tally>, bool);

impl Tally {
    fn begins(self: &Arc<Self>) -> Running {
        add(&self.begun);
        Running(Arc::clone(self), false)
    }
}

impl Running {
    fn ends(mut self, how: Option<&AtomicU64>) {
        self.1 = true;
        add(&self.0.ended);
        how.map(add);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.1 {
            add(&self.0.dropped);
        }
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::SeqCst);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::SeqCst)
}

/// Sleeping on it is to give way a few times: a store that is delayed by it
/// makes callers wait, and no time has to pass.
#[derive(Debug)]
struct GivesWay;

#[async_trait]
impl Clock for GivesWay {
    fn now(&self) -> Tick {
        Tick::from_nanos(0)
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    async fn sleep_until(&self, _: Tick) {
        for _ in 0..fastrand::u8(0..3) {
            yield_now().await;
        }
    }
}

/// A value of the key, said by its loader or by a writer.
fn value_of(key: &str) -> String {
    format!("of {key}")
}

/// What a loader does, after a while: a value of the key, or no value.
async fn load(
    cache: Cache,
    tally: Arc<Tally>,
    mut dice: Rng,
    key: &'static str,
) -> Result<Loaded<String>, cache_core::BoxError> {
    let running = tally.begins();
    for _ in 0..dice.u8(0..8) {
        yield_now().await;
    }
    // Only the next key, so that there are no circles.
    let next = KEYS.iter().position(|other| *other == key).and_then(|place| KEYS.get(place + 1));
    if let Some(next) = next.filter(|_| dice.u8(..) < 60) {
        let inner = asks_one(cache, Arc::clone(&tally), dice.fork(), next).await;
        if let Err(error) = inner {
            running.ends(Some(&tally.failed));
            return Err(error.into());
        }
    }
    match dice.u8(0..10) {
        0 => {
            running.ends(Some(&tally.failed));
            broken(1)
        }
        1 => {
            running.ends(Some(&tally.panicked));
            // As a panic is, without its message.
            resume_unwind(Box::new("the loader panics"))
        }
        2 => {
            running.ends(None);
            Ok(Loaded::not_stored(value_of(key)))
        }
        _ => {
            running.ends(None);
            Ok(Loaded::new(value_of(key)))
        }
    }
}

fn asks_one(cache: Cache, tally: Arc<Tally>, mut dice: Rng, key: &'static str) -> Asked<()> {
    Box::pin(async move {
        let (inner, of_loader) = (cache.clone(), dice.fork());
        let loader = move || load(inner, tally, of_loader, key);
        let answer = cache.load(key).timeout(Timeout::Forever).try_run(loader).await?;
        assert_eq!(*answer, value_of(key));
        Ok(())
    })
}

fn asks_many(cache: Cache, tally: Arc<Tally>, mut dice: Rng) -> Asked<()> {
    Box::pin(async move {
        let of_loader = dice.fork();
        let loader = move |keys: Vec<String>| async move {
            let mut dice = of_loader;
            let running = tally.begins();
            for _ in 0..dice.u8(0..8) {
                yield_now().await;
            }
            if dice.u8(0..10) == 0 {
                running.ends(Some(&tally.failed));
                return broken(2);
            }
            running.ends(None);
            let values: HashMap<_, _> = keys.into_iter().map(|key| (key.clone(), value_of(&key))).collect();
            Ok(values)
        };
        let found = cache.get_or_try_set_many(KEYS, Timeout::Forever, loader).await?;
        assert_eq!(found.len(), KEYS.len());
        assert!(found.iter().all(|(key, value)| **value == value_of(key)));
        Ok(())
    })
}

/// A write fails where the store does, and that is all right.
fn writes(cache: Cache, mut dice: Rng) -> Asked<()> {
    Box::pin(async move {
        let key = KEYS[dice.usize(0..KEYS.len())];
        let _ = match dice.u8(0..6) {
            0 => cache.aset(key, &value_of(key), Timeout::Forever).await,
            1 => cache.aclear().await,
            2 => cache.delete_many(KEYS).await.map(drop),
            3 => cache.aadd(key, &value_of(key), Timeout::Forever).await.map(drop),
            _ => cache.adelete(key).await.map(drop),
        };
        Ok(())
    })
}

/// What the call answers, or nothing if it is dropped before, after so many polls.
async fn for_polls<T>(mut call: Asked<T>, mut polls: Option<u8>) -> Option<Result<T, Error>> {
    poll_fn(|cx| {
        if polls == Some(0) {
            return Poll::Ready(None);
        }
        if let Some(polls) = &mut polls {
            *polls -= 1;
            cx.waker().wake_by_ref();
        }
        call.as_mut().poll(cx).map(Some)
    })
    .await
}

async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    // By the machine's clock: the manual one stands still, so that no deadline
    // frees anybody.
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("it hangs: {what}"))
}

async fn rounds(test: &str, rig: Rig, is_far: bool) {
    let mut dice = dice(test);
    let tally = Arc::new(Tally::default());
    if is_far {
        rig.faulty.on(Call::ALL).delay(Arc::new(GivesWay), Duration::from_millis(1));
        rig.faulty.on(Call::ALL).after().delay(Arc::new(GivesWay), Duration::from_millis(1));
    }
    for round in 0..scaled(1_000) {
        if is_far && dice.u8(..) < 20 {
            rig.faulty.on([Call::Set]).times(1).fail(ErrorKind::Server);
        }
        let mut tasks = Vec::new();
        for _ in 0..dice.u8(1..10) {
            let (cache, tally) = (rig.cache.clone(), Arc::clone(&tally));
            let key = KEYS[dice.usize(0..KEYS.len())];
            let call = match dice.u8(0..10) {
                0..=5 => asks_one(cache, Arc::clone(&tally), dice.fork(), key),
                6 | 7 => asks_many(cache, Arc::clone(&tally), dice.fork()),
                _ => writes(cache, dice.fork()),
            };
            let polls = dice.bool().then(|| dice.u8(0..20));
            tasks.push(tokio::spawn(async move {
                match for_polls(call, polls).await {
                    Some(Ok(())) => add(&tally.answers),
                    Some(Err(error)) => {
                        add(&tally.answers);
                        let kind = error.kind();
                        assert!(matches!(kind, ErrorKind::Load | ErrorKind::Panicked), "{error}");
                    }
                    None => {
                        assert!(polls.is_some());
                        add(&tally.left);
                    }
                }
            }));
            if dice.u8(..) < 80 {
                yield_now().await;
            }
        }
        for task in tasks {
            in_time(&format!("a call of round {round}"), task).await.expect("no panic");
        }
        if round % 50 == 0 {
            rig.cache.delete_many(KEYS).await.expect("only a set fails");
        }
    }
    let tasks = async {
        while !rig.opening.tasks.is_empty() {
            yield_now().await;
        }
    };
    in_time("the task of a load", tasks).await;
    rig.leaves_nothing();
    let Tally { begun, ended, dropped, failed, panicked, answers, left } = &*tally;
    let [begun, ended, dropped, failed, panicked] = [begun, ended, dropped, failed, panicked].map(read);
    eprintln!("{begun} loads: {failed} failed, {panicked} panicked, {dropped} were dropped");
    assert_eq!(begun, ended + dropped);
    let stats = rig.cache.stats();
    assert_eq!((stats.loads, stats.loads_failed, stats.loads_panicked), (begun, failed, panicked));
    assert_eq!(stats.loads_timed_out, 0);
    let least = scaled(10) as u64;
    let met = [failed, panicked, dropped, stats.load_waits, stats.loads_voided, read(answers), read(left)];
    assert!(met.iter().all(|count| *count > least), "the mixture says little: {met:?}");
    // It still works.
    rig.faulty.heal();
    rig.cache.delete_many(KEYS).await.expect("a healthy store");
    let anew = rig.ask("a", &Source::open(), "anew".to_owned());
    assert_eq!(*in_time("a load after it all", anew).await.expect("a loader that works"), "anew");
}

#[tokio::test]
async fn random_rounds_near_on_one_thread_leave_nothing_behind() {
    rounds("random_rounds_near_on_one_thread_leave_nothing_behind", Rig::near(), false).await;
}

#[tokio::test]
async fn random_rounds_far_on_one_thread_leave_nothing_behind() {
    rounds("random_rounds_far_on_one_thread_leave_nothing_behind", Rig::far(), true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn random_rounds_near_on_many_threads_leave_nothing_behind() {
    rounds("random_rounds_near_on_many_threads_leave_nothing_behind", Rig::near(), false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn random_rounds_far_on_many_threads_leave_nothing_behind() {
    rounds("random_rounds_far_on_many_threads_leave_nothing_behind", Rig::far(), true).await;
}
