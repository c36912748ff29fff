//! One cache for a whole program, used from one runtime after another, as the
//! tests of a program do. No driver's task is to outlive its runtime in a way
//! that keeps others waiting.

#![expect(clippy::print_stderr, reason = "a test tells what it measured")]

mod own_server;
mod servers;

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use cache_core::{Cache, Clock, Error, ErrorKind, Result, SystemClock, Timeout};
use tokio::runtime::{Builder, Runtime};

use own_server::{OwnServer, bare_cache, cache, settings};
use servers::DRIVERS;

const DEADLINE: Duration = Duration::from_millis(500);

/// How long a test waits for what must not hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// Within this time a cache works again on a runtime that is alive.
const SETTLES_WITHIN: Duration = Duration::from_secs(3);

type Make = fn() -> Runtime;

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn many_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// What the work answers, on a thread of its own, so that a hang is a failure.
fn within_patience<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || send.send(work()));
    receive.recv_timeout(PATIENCE).expect("it hangs, or panicked")
}

/// With each driver: a server, and a cache that has not connected yet.
fn with_each_driver(test: fn(&'static str, &OwnServer, Cache)) {
    let tests = DRIVERS.map(|driver| {
        thread::spawn(move || {
            within_patience(move || {
                let server = one_thread().block_on(OwnServer::start(&[]));
                let cache = cache(&settings(driver, &server.location(), &[]), DEADLINE);
                test(driver, &server, cache);
            });
        })
    });
    for test in tests {
        test.join().expect("the test of a driver passes");
    }
}

/// A bit of everything, with what must come of it.
async fn use_once(cache: &Cache, name: &str) -> Result<()> {
    let [text, number] = ["text", "number"].map(|kind| format!("{name}-{kind}"));
    cache.aset(&text, name, Timeout::Forever).await?;
    assert_eq!(cache.aget::<String>(&text).await?.as_deref(), Some(name));
    cache.aset(&number, &1, Timeout::Forever).await?;
    assert_eq!(cache.aincr(&number, 1).await?, 2);
    let found: HashMap<_, String> = cache.get_many([text.as_str(), "absent", "none"]).await?;
    assert_eq!(found, HashMap::from([(text.as_str(), name.to_owned())]));
    Ok(())
}

/// Uses it until it works; what went wrong before.
async fn settles(cache: &Cache, name: &str) -> Vec<Error> {
    let until = SystemClock.precise().after(SETTLES_WITHIN);
    let mut errors = Vec::new();
    while let Err(error) = use_once(cache, name).await {
        errors.push(error);
        assert!(SystemClock.precise() < until, "it does not work: {:?}", kinds(&errors));
        SystemClock.sleep_until(SystemClock.precise().after(Duration::from_millis(20))).await;
    }
    errors
}

fn kinds(errors: &[Error]) -> BTreeMap<ErrorKind, usize> {
    let mut kinds = BTreeMap::new();
    for error in errors {
        *kinds.entry(error.kind()).or_default() += 1;
    }
    kinds
}

/// One call may learn of it, by its deadline or by being told; while the store is
/// known to be down others fail at once.
fn are_few(driver: &str, what: &str, errors: &[Error]) {
    let mut kinds = kinds(errors);
    if !kinds.is_empty() {
        eprintln!("| {what:<44} | {driver:<8} | {kinds:?} |");
    }
    let fast = kinds.remove(&ErrorKind::Connection).unwrap_or_default();
    assert!(fast <= 25, "{driver}, {what}: {errors:?}");
    let of_others: usize = kinds.values().sum();
    let are_expected = kinds.keys().all(|kind| matches!(kind, ErrorKind::Deadline | ErrorKind::Closed));
    assert!(are_expected && of_others <= 1, "{driver}, {what}: {errors:?}");
}

/// Closed, with a text that says that it is for want of a runtime.
#[track_caller]
fn is_for_want_of_a_runtime<T>(driver: &str, outcome: Result<T>) {
    let Err(error) = outcome else { panic!("{driver}: there is no runtime that it could have worked on") };
    assert_eq!(error.kind(), ErrorKind::Closed, "{driver}: {error:?}");
    assert!(error.to_string().contains("runtime"), "{driver}: {error}");
}

#[test]
fn runtimes_one_after_the_other() {
    with_each_driver(|driver, server, cache| {
        let ends: [fn(Runtime); 3] =
            [drop, Runtime::shutdown_background, |runtime| runtime.shutdown_timeout(Duration::from_secs(1))];
        let makes: [Make; 2] = [one_thread, many_threads];
        let mut all = Vec::new();
        for (round, (make, end)) in makes.iter().cycle().zip(ends.iter().cycle()).take(12).enumerate() {
            let runtime = make();
            let errors = runtime.block_on(settles(&cache, &format!("round-{round}")));
            are_few(driver, &format!("runtime {round}"), &errors);
            all.extend(errors);
            // What comes then comes of something else.
            runtime.block_on(use_once(&cache, "again")).expect("it works on this runtime");
            end(runtime);
        }
        let reconnections = cache.stats().reconnections;
        eprintln!(
            "| {:<44} | {driver:<8} | {:?} | reconnections {reconnections} |",
            "twelve runtimes",
            kinds(&all)
        );
        let clients = server.tell(&["CLIENT", "LIST"]);
        // One is the program that asks; the last one of the cache's went with its runtime.
        assert_eq!(clients.lines().count(), 1, "{driver}: {clients}");
    });
}

/// Spawned there, so that the calls themselves live on it too.
#[test]
fn tasks_of_runtimes_one_after_the_other() {
    with_each_driver(|driver, _, cache| {
        for round in 0..6 {
            let runtime = many_threads();
            let tasks: Vec<_> = (0..8)
                .map(|task| {
                    let cache = cache.clone();
                    runtime.spawn(async move { settles(&cache, &format!("round-{round}-{task}")).await })
                })
                .collect();
            for task in tasks {
                let errors = runtime.block_on(task).expect("no panic");
                are_few(driver, &format!("tasks of runtime {round}"), &errors);
            }
            runtime.shutdown_background();
        }
    });
}

/// A program without async of its own keeps a runtime of one thread beside it,
/// which runs only while somebody blocks on it. The connection lives there.
#[test]
fn beside_a_runtime_that_stands_still() {
    with_each_driver(|driver, _, cache| {
        for make in [one_thread, many_threads] as [Make; 2] {
            let still = one_thread();
            let errors = still.block_on(settles(&cache, "still"));
            are_few(driver, "a new runtime", &errors);
            let other = make();
            let errors = other.block_on(settles(&cache, "other"));
            are_few(driver, "another, and the first stands still", &errors);
            other.block_on(use_once(&cache, "again")).expect("its own connection serves it");
            let errors = still.block_on(settles(&cache, "still-again"));
            are_few(driver, "the first goes on", &errors);
            other.shutdown_background();
            let errors = still.block_on(settles(&cache, "still-alone"));
            are_few(driver, "the first, and the other has ended", &errors);
        }
    });
}

/// By each call it is woken for a moment, and never between two of them.
#[test]
fn a_program_that_blocks_on_each_call() {
    with_each_driver(|driver, _, cache| {
        let runtime = one_thread();
        for round in 0..20 {
            runtime
                .block_on(use_once(&cache, "blocking"))
                .unwrap_or_else(|error| panic!("{driver}, round {round}: {error:?}"));
            thread::yield_now();
        }
    });
}

#[test]
fn a_runtime_without_io() {
    with_each_driver(|driver, server, cache| {
        let makes: [Make; 2] = [
            || Builder::new_current_thread().enable_time().build().expect("a runtime"),
            || Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("a runtime"),
        ];
        for make in makes {
            let bare = bare_cache(&settings(driver, &server.location(), &[]), DEADLINE);
            for cache in [&cache, &bare] {
                for _ in 0..2 {
                    is_for_want_of_a_runtime(driver, make().block_on(use_once(cache, "no-io")));
                }
            }
            // It needs none for what goes by the connection of another.
            let other = many_threads();
            are_few(driver, "one with I/O", &other.block_on(settles(&cache, "io")));
            let errors = make().block_on(settles(&cache, "by-another"));
            are_few(driver, "one without I/O beside it", &errors);
            assert!(errors.is_empty(), "{driver}: {errors:?}");
        }
    });
}

#[test]
fn a_runtime_without_time() {
    with_each_driver(|driver, _, cache| {
        let makes: [Make; 3] = [
            || Builder::new_current_thread().enable_io().build().expect("a runtime"),
            || Builder::new_current_thread().build().expect("a runtime"),
            || Builder::new_multi_thread().worker_threads(1).build().expect("a runtime"),
        ];
        for make in makes {
            let runtime = make();
            for _ in 0..2 {
                is_for_want_of_a_runtime(driver, runtime.block_on(use_once(&cache, "no-time")));
            }
            drop(runtime);
            are_few(
                driver,
                "one with time, after one without",
                &one_thread().block_on(settles(&cache, "time")),
            );
        }
    });
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

#[test]
fn without_any_runtime() {
    with_each_driver(|driver, server, cache| {
        let bare = bare_cache(&settings(driver, &server.location(), &[]), DEADLINE);
        for cache in [&cache, &bare] {
            is_for_want_of_a_runtime(driver, without_runtime(use_once(cache, "nowhere")));
        }
        let runtime = many_threads();
        are_few(driver, "a runtime, after none", &runtime.block_on(settles(&cache, "somewhere")));
        // There is a connection by now, but nothing to keep the time on.
        is_for_want_of_a_runtime(driver, without_runtime(use_once(&cache, "nowhere")));
        runtime.block_on(use_once(&cache, "somewhere")).expect("what others do does not matter");
        drop(runtime);
        is_for_want_of_a_runtime(driver, without_runtime(use_once(&cache, "nowhere")));
    });
}

/// Its handle outlives a runtime, and whoever has it can still wait on it.
#[test]
fn on_a_runtime_that_has_ended() {
    with_each_driver(|driver, _, cache| {
        for make in [one_thread, many_threads] as [Make; 2] {
            let runtime = make();
            let handle = runtime.handle().clone();
            are_few(driver, "a runtime", &runtime.block_on(settles(&cache, "alive")));
            drop(runtime);
            for _ in 0..2 {
                is_for_want_of_a_runtime(driver, handle.block_on(use_once(&cache, "ended")));
            }
            are_few(driver, "a runtime, after one that has ended", &make().block_on(settles(&cache, "new")));
        }
    });
}

/// A call that is on its way when the runtime of its connection ends.
#[test]
fn when_the_runtime_of_the_connection_ends_under_a_call() {
    with_each_driver(|driver, server, cache| {
        for round in 0..4 {
            let first = many_threads();
            are_few(driver, "the first runtime", &first.block_on(settles(&cache, "first")));
            let second = one_thread();
            server.freeze();
            let began = SystemClock.precise();
            let outcome = second.block_on(async {
                let calling = cache.clone();
                let call = tokio::spawn(async move { calling.aget::<String>("first-text").await });
                SystemClock.sleep_until(SystemClock.precise().after(Duration::from_millis(50))).await;
                if round % 2 == 0 {
                    first.shutdown_background();
                } else {
                    // It may not be dropped within another.
                    thread::spawn(move || drop(first)).join().expect("no panic");
                }
                call.await.expect("no panic")
            });
            let took = SystemClock.precise().since(began);
            server.thaw();
            let error = outcome.expect_err("its connection is gone");
            eprintln!("| {:<44} | {driver:<8} | {took:?} | {error} |", "the runtime of its connection ends");
            assert!(
                matches!(error.kind(), ErrorKind::Connection | ErrorKind::Closed | ErrorKind::Deadline),
                "{driver}: {error:?}"
            );
            assert!(took < DEADLINE + Duration::from_millis(500), "{driver}: {took:?}");
            are_few(driver, "the second runtime", &second.block_on(settles(&cache, "second")));
        }
    });
}

/// As where the tests of a program run beside each other.
#[test]
fn many_runtimes_at_once() {
    with_each_driver(|driver, _, cache| {
        let threads: Vec<_> = (0..4)
            .map(|number| {
                let cache = cache.clone();
                thread::spawn(move || {
                    let mut errors = Vec::new();
                    for round in 0..10 {
                        let runtime = if (number + round) % 3 == 0 { many_threads() } else { one_thread() };
                        errors.extend(runtime.block_on(settles(&cache, &format!("thread-{number}"))));
                    }
                    errors
                })
            })
            .collect();
        let errors: Vec<_> =
            threads.into_iter().flat_map(|thread| thread.join().expect("no panic, no hang")).collect();
        eprintln!("| {:<44} | {driver:<8} | {:?} |", "forty runtimes on four threads", kinds(&errors));
        for error in errors {
            assert!(
                matches!(error.kind(), ErrorKind::Connection | ErrorKind::Closed | ErrorKind::Deadline),
                "{driver}: {error:?}"
            );
        }
    });
}

#[test]
fn closed_on_another_runtime_than_it_was_used_on() {
    with_each_driver(|driver, server, cache| {
        for still in [true, false] {
            let cache = if still {
                cache.clone()
            } else {
                bare_cache(&settings(driver, &server.location(), &[]), DEADLINE)
            };
            let first = one_thread();
            are_few(driver, "a runtime", &first.block_on(settles(&cache, "first")));
            one_thread().block_on(cache.aclose()).expect("it lets go");
            let error = first.block_on(use_once(&cache, "first")).expect_err("it has been closed");
            assert_eq!(error.kind(), ErrorKind::Closed, "{driver}: {error:?}");
            assert!(error.to_string().contains("closed"), "{driver}: {error}");
        }
    });
}
