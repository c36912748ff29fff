//! A load lives on the runtime of whoever claimed its key. Others are not to
//! suffer when that runtime is gone, stands still, or was never there.

mod loads_rig;

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use cache_core::{Cache, ErrorKind, SystemClock, Timeout};
use cache_mem::{MemSettings, MemStore};
use cache_testkit::Call;
use serde::{Deserialize, Serialize, Serializer};
use tokio::runtime::{Builder, Runtime};

use loads_rig::{GRACE, LOAD_DEADLINE, Rig, Source, finished, ms, near_and_far, poll, within_patience};

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime")
}

fn many_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_time().build().expect("a runtime")
}

/// Unparks the thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// What the work answers, without any runtime.
fn without_runtime<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match work.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Gives other threads their turns until it is so.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..1_000_000 {
        if is_so() {
            return;
        }
        thread::yield_now();
        tokio::task::yield_now().await;
    }
    panic!("never: {what}");
}

fn shut_down(runtime: Runtime, in_background: bool) {
    if in_background {
        runtime.shutdown_background();
    } else {
        // It may not be dropped within another.
        thread::spawn(move || drop(runtime)).join().expect("no panic");
    }
}

#[test]
fn when_the_runtime_of_a_load_ends_callers_on_another_load_themselves() {
    for in_background in [false, true] {
        for rig in near_and_far() {
            within_patience(move || {
                let first = many_threads();
                let hangs = Source::held();
                let theirs = rig.ask("key", &hangs, "theirs".to_owned());
                let gone = first.spawn(theirs);
                one_thread().block_on(async {
                    until("it loads", || hangs.begun() == 1).await;
                    let own = Source::open();
                    let callers: Vec<_> = (0..3).map(|_| rig.spawn("key", &own, "own".to_owned())).collect();
                    until("they wait", || rig.cache.stats().load_waits == 3).await;
                    shut_down(first, in_background);
                    until("the loader is dropped", || hangs.alive() == 0).await;
                    for caller in callers {
                        until("it is answered", || caller.is_finished()).await;
                        assert_eq!(*finished(caller).await.expect("its own loader works"), "own");
                    }
                    assert_eq!(own.begun(), 1, "one of them loads for all");
                    assert_eq!(
                        rig.cache.aget::<String>("key").await.expect("healthy").as_deref(),
                        Some("own")
                    );
                    assert!(rig.cache.adelete("key").await.expect("a healthy store"));
                    assert!(rig.loads_anew("key").await);
                    until("its caller is gone too", || gone.is_finished()).await;
                    rig.is_at_rest().await;
                });
            });
        }
    }
}

#[test]
fn when_the_runtime_of_a_publish_ends_callers_on_another_get_what_was_loaded() {
    for in_background in [false, true] {
        let rig = Rig::far();
        within_patience(move || {
            let first = many_threads();
            let gate = rig.faulty.on([Call::Set]).times(1).pause();
            let theirs = Source::open();
            let gone = first.spawn(rig.ask("key", &theirs, "theirs".to_owned()));
            one_thread().block_on(async {
                gate.reached(1).await;
                let own = Source::open();
                let callers: Vec<_> = (0..3).map(|_| rig.spawn("key", &own, "own".to_owned())).collect();
                until("they wait", || rig.cache.stats().load_waits == 3).await;
                // A delete waits for the value to get there, or not to.
                let deleting = rig.cache.clone();
                let delete = tokio::spawn(async move { deleting.adelete("key").await });
                rig.turns().await;
                assert!(!delete.is_finished());
                shut_down(first, in_background);
                until("the delete is done", || delete.is_finished()).await;
                finished(delete).await.expect("a healthy store");
                for caller in callers {
                    until("it is answered", || caller.is_finished()).await;
                    assert_eq!(*finished(caller).await.expect("it was loaded"), "theirs");
                }
                until("its caller is gone too", || gone.is_finished()).await;
                until("nothing is left", || rig.faulty.inside_in_all() == 0).await;
                assert_eq!((theirs.begun(), own.begun()), (1, 0));
                rig.cache.adelete("key").await.expect("a healthy store");
                assert_eq!(rig.cache.aget::<String>("key").await.expect("a healthy store"), None);
                rig.is_at_rest().await;
            });
        });
    }
}

/// Polled elsewhere, by whoever has it: the load was on the one that is gone.
#[test]
fn a_caller_whose_load_went_with_a_runtime_is_told_so() {
    for rig in near_and_far() {
        within_patience(move || {
            let first = one_thread();
            let mut asked = rig.ask("key", &Source::held(), 1);
            first.block_on(async {
                assert!(poll(&mut asked).is_pending());
                rig.turns().await;
            });
            drop(first);
            let error = one_thread().block_on(asked).expect_err("its loader is gone");
            assert_eq!(error.kind(), ErrorKind::Closed);
            rig.leaves_nothing();
            one_thread().block_on(async { assert!(rig.loads_anew("key").await) });
        });
    }
}

/// Polled where nothing keeps its time, it cannot wait, and its load goes on as
/// long as somebody else does.
#[test]
fn a_caller_taken_out_of_every_runtime_is_told_so_at_once() {
    for rig in near_and_far() {
        within_patience(move || {
            let runtime = one_thread();
            let source = Source::held();
            let (mut first, mut second) = (rig.ask("key", &source, 1), rig.ask("key", &source, 2));
            runtime.block_on(async {
                assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
                rig.turns().await;
            });
            let error = without_runtime(first).expect_err("nothing keeps its time");
            assert_eq!(error.kind(), ErrorKind::Closed);
            runtime.block_on(async {
                rig.turns().await;
                assert_eq!(source.alive(), 1, "somebody waits for it");
                source.let_go();
                assert_eq!(*second.await.expect("the load went on"), 1);
                rig.is_at_rest().await;
            });
        });
    }
}

/// Sent without waiting, it would come before what it is to remove. Nobody wakes
/// it when the time of the publish is over: it sees that by itself.
#[test]
fn a_delete_outside_every_runtime_waits_for_a_publish_and_not_for_ever() {
    for in_time in [false, true] {
        let rig = Rig::far();
        within_patience(move || {
            let still = one_thread();
            let gate = rig.faulty.on([Call::Set]).times(1).pause();
            let entered = still.enter();
            let caller = rig.spawn("key", &Source::open(), 1);
            drop(entered);
            still.block_on(gate.reached(1));
            let outside = rig.cache.clone();
            let deleted = thread::spawn(move || without_runtime(outside.adelete("key")));
            for _ in 0..100 {
                thread::yield_now();
            }
            assert!(!deleted.is_finished() && rig.faulty.begun(Call::Delete) == 0, "it waits");
            if in_time {
                gate.open();
                still.block_on(async { assert_eq!(*finished(caller).await.expect("it was loaded"), 1) });
            } else {
                // What has the publish gets no turn to see that it is late.
                rig.clock.advance(Duration::from_mins(1));
            }
            let deleted = deleted.join().expect("no panic").expect("a healthy store");
            assert_eq!(deleted, in_time, "whether there was something to delete");
            still.block_on(async {
                gate.open();
                rig.turns().await;
                assert_eq!(rig.cache.aget::<i32>("key").await.expect("a healthy store"), None);
                rig.is_at_rest().await;
            });
        });
    }
}

/// A handle of it outlives a runtime, and whoever has it can still wait on it.
#[test]
fn a_load_on_a_runtime_that_has_ended_hangs_nobody() {
    for rig in near_and_far() {
        within_patience(move || {
            let handle = one_thread().handle().clone();
            let source = Source::open();
            let error = handle.block_on(rig.ask("key", &source, 1)).expect_err("it runs nothing any more");
            assert_eq!((error.kind(), source.begun()), (ErrorKind::Closed, 0));
            rig.leaves_nothing();
            one_thread().block_on(async { assert!(rig.loads_anew("key").await) });
        });
    }
}

/// A program that blocks on each call: between two calls its runtime stands
/// still, and what it was about to load with it.
#[test]
fn a_runtime_that_stands_still_keeps_others_waiting_for_the_load_deadline_at_most() {
    for has_begun in [false, true] {
        for rig in near_and_far() {
            within_patience(move || {
                let still = one_thread();
                let source = Source::held();
                let mut parked = rig.ask("key", &source, "parked".to_owned());
                still.block_on(async {
                    assert!(poll(&mut parked).is_pending());
                    if has_begun {
                        rig.turns().await;
                    }
                });
                assert_eq!(source.begun(), usize::from(has_begun));
                let busy = one_thread();
                busy.block_on(async {
                    let own = Source::open();
                    let callers: Vec<_> = (0..3).map(|_| rig.spawn("key", &own, "own".to_owned())).collect();
                    rig.clock.pass(LOAD_DEADLINE.saturating_sub(ms(1))).await;
                    assert!(callers.iter().all(|caller| !caller.is_finished()));
                    rig.clock.pass(ms(1) + GRACE).await;
                    for caller in callers {
                        let error = finished(caller).await.expect_err("the loader got no turn");
                        assert_eq!(error.kind(), ErrorKind::Deadline);
                    }
                    assert_eq!(own.begun(), 0);
                    assert_eq!(rig.cache.stats().loading, 0);
                    assert!(rig.loads_anew("key").await);
                    assert!(rig.cache.adelete("key").await.expect("a healthy store"));
                });
                // Awake again, it neither loads nor stores.
                source.let_go();
                still.block_on(async {
                    rig.turns().await;
                    let error = parked.await.expect_err("its time is over");
                    assert_eq!(error.kind(), ErrorKind::Deadline);
                    assert_eq!(rig.cache.aget::<String>("key").await.expect("a healthy store"), None);
                });
                drop((still, busy));
                rig.leaves_nothing();
            });
        }
    }
}

/// Each keeps the time of the load itself, and not only as much as it has.
#[test]
fn a_runtime_that_stands_still_keeps_the_patient_no_longer_than_its_load_has_time() {
    for rig in near_and_far() {
        within_patience(move || {
            let still = one_thread();
            let mut parked = rig.ask("key", &Source::held(), 1);
            still.block_on(async { assert!(poll(&mut parked).is_pending()) });
            one_thread().block_on(async {
                let cache = rig.cache.clone();
                let patient = tokio::spawn(async move {
                    cache.load("key").load_deadline(10 * LOAD_DEADLINE).run(async || 2).await
                });
                rig.clock.pass(LOAD_DEADLINE.saturating_sub(ms(1))).await;
                assert!(!patient.is_finished());
                rig.clock.pass(ms(1) + GRACE).await;
                let error = finished(patient).await.expect_err("the loader got no turn");
                assert_eq!(error.kind(), ErrorKind::Deadline);
            });
            drop(parked);
            drop(still);
            rig.leaves_nothing();
        });
    }
}

/// Nobody writes, so that only those who wait for the value keep its time.
#[test]
fn a_runtime_that_stands_still_while_it_stores_keeps_those_who_wait_no_longer_than_that_may_take() {
    let deadline = ms(100);
    let rig = Rig::with(true, |builder| builder.deadline(deadline));
    within_patience(move || {
        let still = one_thread();
        let gate = rig.faulty.on([Call::Set]).times(1).pause();
        let mut parked = rig.ask("key", &Source::open(), "parked".to_owned());
        still.block_on(async {
            while gate.held() == 0 {
                assert!(poll(&mut parked).is_pending());
                rig.turns().await;
            }
        });
        one_thread().block_on(async {
            let waits = rig.spawn("key", &Source::open(), "own".to_owned());
            rig.clock.pass(deadline).await;
            assert!(!waits.is_finished(), "its own runtime may yet end it");
            rig.clock.pass(deadline).await;
            assert_eq!(*finished(waits).await.expect("it was loaded"), "parked");
            assert_eq!((rig.cache.stats().loading, rig.cache.stats().publishes_failed), (0, 1));
        });
        drop(parked);
        drop(still);
        rig.leaves_nothing();
    });
}

/// The value is on its way when its runtime stops: it is what others get, and
/// a delete waits no longer than the store had time.
#[test]
fn a_runtime_that_stands_still_while_it_stores_keeps_nobody_for_long() {
    let deadline = ms(100);
    let rig = Rig::with(true, |builder| builder.deadline(deadline));
    within_patience(move || {
        let still = one_thread();
        let gate = rig.faulty.on([Call::Set]).times(1).pause();
        let mut parked = rig.ask("key", &Source::open(), "parked".to_owned());
        still.block_on(async {
            while gate.held() == 0 {
                assert!(poll(&mut parked).is_pending());
                rig.turns().await;
            }
        });
        one_thread().block_on(async {
            let waits = rig.spawn("key", &Source::open(), "own".to_owned());
            rig.turns().await;
            assert_eq!(rig.cache.stats().load_waits, 1);
            let deleting = rig.cache.with_deadline(ms(5_000));
            let delete = tokio::spawn(async move { deleting.adelete("key").await });
            rig.clock.pass(2 * deadline).await;
            assert_eq!(*finished(waits).await.expect("it was loaded"), "parked");
            finished(delete).await.expect("it waits no longer than that");
            assert_eq!(rig.cache.stats().loading, 0);
            assert!(rig.loads_anew("key").await);
        });
        gate.open();
        still.block_on(async {
            assert_eq!(*parked.await.expect("it was loaded"), "parked");
            rig.turns().await;
            assert_eq!(rig.cache.aget::<String>("key").await.expect("healthy").as_deref(), Some("anew"));
        });
        drop(still);
        rig.leaves_nothing();
    });
}

#[test]
fn without_any_runtime_a_hit_is_a_hit_and_a_miss_is_closed_at_once() {
    for rig in near_and_far() {
        within_patience(move || {
            one_thread()
                .block_on(rig.cache.aset("there", "motto", Timeout::Forever))
                .expect("a healthy store");
            let source = Source::open();
            let hit = without_runtime(rig.ask("there", &source, "own".to_owned()));
            assert_eq!(*hit.expect("it is there"), "motto");
            let batch = |keys: [&'static str; 2]| {
                let loader = |_| async { std::collections::HashMap::<String, String>::new() };
                without_runtime(rig.cache.get_or_set_many(keys, Timeout::Forever, loader))
            };
            assert_eq!(batch(["there", "there"]).expect("it is there").len(), 1);

            let miss =
                without_runtime(rig.ask("missing", &source, "own".to_owned())).expect_err("nobody loads");
            assert_eq!(miss.kind(), ErrorKind::Closed);
            assert!(miss.detail().is_some_and(|detail| detail.contains("runtime")), "{miss}");
            let miss = batch(["missing", "there"]).expect_err("nobody loads");
            assert_eq!((miss.kind(), miss.failures().len()), (ErrorKind::Closed, 1));
            assert_eq!((source.begun(), rig.cache.stats().loads), (0, 0));
            rig.leaves_nothing();
        });
    }
}

/// On the real clock, which such a runtime cannot sleep on.
#[test]
fn on_a_runtime_without_time_a_load_ends_one_way_or_the_other() {
    let runtimes: [fn() -> Runtime; 2] = [
        || Builder::new_current_thread().build().expect("a runtime"),
        || Builder::new_multi_thread().worker_threads(1).build().expect("a runtime"),
    ];
    for runtime in runtimes {
        for hangs in [false, true] {
            let (answer, loading) = within_patience(move || {
                let runtime = runtime();
                let cache =
                    Cache::builder(Arc::new(MemStore::new())).load_deadline(Duration::from_mins(1)).build();
                let source = if hangs { Source::held() } else { Source::open() };
                let loader = source.gives(1);
                let answer = runtime.block_on(cache.aget_or_set("key", Timeout::Forever, loader));
                drop(runtime);
                (answer, cache.stats().loading)
            });
            match answer {
                Ok(value) => assert!(!hangs && *value == 1),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Closed, "{error}"),
            }
            assert_eq!(loading, 0);
        }
    }
}

/// A value that is long in being encoded: until the test lets go of the other
/// end of its door. Within a struct, so that whoever only asks whether the value
/// is a number does not come to it.
#[derive(Clone, Serialize, Deserialize)]
struct Long {
    part: Part,
}

#[derive(Clone, Deserialize)]
struct Part {
    #[serde(skip)]
    door: Option<Arc<Door>>,
}

struct Door {
    reached: mpsc::Sender<()>,
    let_go: Mutex<mpsc::Receiver<()>>,
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(door) = &self.door {
            // Who has let go may have left.
            let _ = door.reached.send(());
            let _ = door.let_go.lock().unwrap_or_else(PoisonError::into_inner).recv();
        }
        serializer.collect_map([("door", ())])
    }
}

/// It has nothing that would tell it the time, and waits as long as the load has.
#[test]
fn a_delete_without_any_runtime_waits_for_a_value_on_its_way_into_memory() {
    within_patience(|| {
        let mut settings = MemSettings::default();
        settings.check_encoding = true;
        let cache = Cache::new(MemStore::with_clock(&settings, Arc::new(SystemClock)));
        let (reached, is_reached) = mpsc::channel();
        let (hold, let_go) = mpsc::channel();
        let door = Arc::new(Door { reached, let_go: Mutex::new(let_go) });
        let long = Long { part: Part { door: Some(door) } };
        let runtime = many_threads();
        let loading = cache.clone();
        let caller = runtime.spawn(async move {
            loading.aget_or_set("key", Timeout::Forever, || async { long }).await.map(drop)
        });
        is_reached.recv().expect("it is encoded as it is stored");
        let deleting = cache.clone();
        let mut delete: loads_rig::Asked<bool> = Box::pin(async move { deleting.adelete("key").await });
        assert!(poll(&mut delete).is_pending(), "it waits");
        drop(hold);
        without_runtime(delete).expect("it needs no runtime");
        assert!(!without_runtime(cache.ahas_key("key")).expect("memory answers"), "it has the last word");
        runtime.block_on(caller).expect("no panic").expect("a loader that works");
        assert_eq!(cache.stats().loading, 0);
    });
}
