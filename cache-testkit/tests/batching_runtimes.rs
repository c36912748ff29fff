//! Who waits, waits on the runtime that it runs on. Nobody is to suffer when
//! another runtime is gone, asleep, or was never there.

mod batching_rig;
mod chance;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use cache_core::{AsyncCache, Clock, Context as Opening, ErrorKind, Gather, SystemClock};
use cache_testkit::{Call, ManualClock};
use tokio::runtime::{Builder, Runtime};

use batching_rig::{Rig, at_once, begun, done, gathering, kind_of, ms, poll};
use chance::{dice, scaled};

/// How long a test waits for what must not hang.
const PATIENCE: Duration = Duration::from_secs(10);

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime")
}

/// What the work answers, on a thread of its own, so that a hang is a failure.
fn within_patience<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || send.send(work()));
    receive.recv_timeout(PATIENCE).expect("it hangs, or panicked")
}

/// On the machine's clock, since nobody moves a manual one while a runtime sleeps.
fn real(gather: Gather, deadline: Duration) -> Rig {
    let mut rig = Rig::on(Arc::new(ManualClock::new()), Opening::new("rig"), |store| {
        gathering(store, Some(gather), Some(gather))
    });
    rig.opening.deadline = deadline;
    let below: Arc<dyn AsyncCache> = Arc::<batching_rig::Seen>::clone(&rig.seen);
    rig.layer = Arc::new(cache_core::Batching::new(below, &rig.opening));
    rig
}

#[expect(clippy::disallowed_methods, reason = "real time is the point")]
async fn real_pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Several runtimes at once, of one thread and of more, on the same keys.
#[test]
fn callers_on_several_runtimes_get_their_own_answers() {
    let seed = dice("callers_on_several_runtimes_get_their_own_answers");
    let rig = Arc::new(real(Gather::new(2, 16), PATIENCE));
    let answers = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (0..3_usize)
        .map(|number| {
            let (rig, mut dice, answers) = (Arc::clone(&rig), seed.clone(), Arc::clone(&answers));
            for _ in 0..number {
                dice = dice.fork();
            }
            thread::spawn(move || {
                let runtime = if number == 0 {
                    one_thread()
                } else {
                    Builder::new_multi_thread().worker_threads(2).enable_time().build().expect("a runtime")
                };
                runtime.block_on(async {
                    let callers = (0..16).map(|caller| {
                        let (rig, mut dice) = (Arc::clone(&rig), dice.fork());
                        let answers = Arc::clone(&answers);
                        tokio::spawn(async move {
                            // A key of its own, and others' that are asked for at the same time.
                            let own = format!("{number} {caller}");
                            for round in 0..i64::try_from(scaled(100)).expect("it fits") {
                                if dice.u8(..) < 40 {
                                    let mut call = rig.set(&own, -1);
                                    let _ = poll(&mut call);
                                }
                                assert!(rig.set(&own, round).await.expect("a healthy store"));
                                if dice.u8(..) < 40 {
                                    let mut call = rig.get("other");
                                    let _ = poll(&mut call);
                                }
                                let found = rig.get(&own).await.expect("a healthy store");
                                assert_eq!(found, Some(round), "of {own}");
                                answers.fetch_add(1, Ordering::Relaxed);
                            }
                        })
                    });
                    for caller in callers.collect::<Vec<_>>() {
                        caller.await.expect("no panic");
                    }
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
    assert_eq!(answers.load(Ordering::Relaxed), 3 * 16 * scaled(100) as u64);
    assert!(rig.batched() > 0, "nothing was gathered");
    assert_eq!((rig.layer.waiting(), rig.opening.timer.waiting(), rig.faulty.inside_in_all()), (0, 0, 0));
    assert!(rig.opening.tasks.is_empty());
}

/// The calls are held elsewhere, as by a runtime that outlives the one on which
/// they began.
#[test]
fn when_a_runtime_is_shut_down_those_who_wait_on_it_are_told() {
    for trips in 1..3 {
        let rig = Rig::of_trips(trips);
        let gates = [Call::Get, Call::GetMany, Call::Set, Call::SetMany].map(|call| rig.hold(call));
        let runtime = one_thread();
        let (lone, mut calls, mut writes) = runtime.block_on(async {
            let lone = (tokio::spawn(rig.get("a")), tokio::spawn(rig.set("a", 0)));
            rig.settle().await;
            let calls: Vec<_> = (0..5).map(|_| begun(rig.get("a"))).collect();
            let writes: Vec<_> = (0..5).map(|number| begun(rig.set("a", number))).collect();
            rig.settle().await;
            (lone, calls, writes)
        });
        drop(runtime);
        drop(lone);
        one_thread().block_on(async {
            for call in &mut calls {
                let std::task::Poll::Ready(answer) = poll(call) else {
                    panic!("it hangs, with {trips} trips")
                };
                assert_eq!(kind_of(answer), ErrorKind::Closed);
            }
            for call in &mut writes {
                let std::task::Poll::Ready(answer) = poll(call) else {
                    panic!("it hangs, with {trips} trips")
                };
                assert_eq!(kind_of(answer), ErrorKind::Closed);
            }
            assert_eq!((rig.layer.waiting(), rig.faulty.inside_in_all()), (0, 0));
            // And others are served.
            gates.iter().for_each(cache_testkit::Gate::open);
            assert!(at_once(rig.set("a", 7)).expect("a healthy store"));
            assert_eq!(at_once(rig.get("a")).expect("a healthy store"), Some(7));
            assert!(at_once(rig.delete("a")).expect("a healthy store"));
            rig.leaves_nothing().await;
        });
    }
}

/// The lone one is held elsewhere, and those who wait behind it as well: no task
/// is there to tell them.
#[test]
fn when_a_runtime_is_shut_down_those_behind_a_lone_one_that_lives_on_do_not_hang() {
    let rig = Rig::new();
    let gates = [Call::Get, Call::Set].map(|call| rig.hold(call));
    let runtime = one_thread();
    let (lone, waiting) = runtime.block_on(async {
        let lone = (begun(rig.get("a")), begun(rig.set("a", 0)));
        (lone, (begun(rig.get("a")), begun(rig.set("a", 1)), begun(rig.delete("a"))))
    });
    drop(runtime);
    one_thread().block_on(async {
        gates.iter().for_each(cache_testkit::Gate::open);
        let lone = (tokio::spawn(lone.0), tokio::spawn(lone.1));
        done(lone.0).await.expect("the store is well");
        done(lone.1).await.expect("the store is well");
        let waiting = (tokio::spawn(waiting.0), tokio::spawn(waiting.1), tokio::spawn(waiting.2));
        rig.clock.pass(ms(300)).await;
        let closed = kind_of(done(waiting.0).await);
        assert_eq!(closed, ErrorKind::Closed);
        assert_eq!(kind_of(done(waiting.1).await), ErrorKind::Closed);
        // It was not gathered, only waiting for its turn.
        drop(done(waiting.2).await);
        assert!(at_once(rig.set("a", 7)).expect("a healthy store"));
        rig.leaves_nothing().await;
    });
}

/// A program without async of its own keeps a runtime of one thread beside it,
/// which runs only while somebody blocks on it.
#[test]
fn a_runtime_that_stands_still_keeps_nobody_else_waiting() {
    for trips in 1..3 {
        let rig = Arc::new(Rig::of_trips(trips));
        let held = [Call::Get, Call::GetMany, Call::Set, Call::SetMany]
            .map(|call| rig.faulty.on([call]).times(2).pause());
        let asleep = one_thread();
        let calls = asleep.block_on(async {
            let reads: Vec<_> = (0..5).map(|_| tokio::spawn(rig.get("a"))).collect();
            let writes: Vec<_> = (0..5).map(|number| tokio::spawn(rig.set("a", number))).collect();
            rig.settle().await;
            (reads, writes)
        });
        // The store would answer them, but nobody there listens.
        rig.faulty.heal();
        let awake = Arc::clone(&rig);
        within_patience(move || {
            one_thread().block_on(async {
                for number in 10..20 {
                    assert!(at_once(awake.set("a", number)).expect("a healthy store"));
                    assert_eq!(at_once(awake.get("a")).expect("a healthy store"), Some(number));
                    awake.incr("a").await.expect("a healthy store");
                    awake.delete("a").await.expect("a healthy store");
                }
                let reads: Vec<_> = (0..20).map(|_| tokio::spawn(awake.get("a"))).collect();
                let writes: Vec<_> = (0..20).map(|number| tokio::spawn(awake.set("a", number))).collect();
                for read in reads {
                    done(read).await.expect("a healthy store");
                }
                for write in writes {
                    assert!(done(write).await.expect("a healthy store"));
                }
            });
        });
        drop(held);
        // When it is polled again it goes on.
        asleep.block_on(async {
            for read in calls.0 {
                done(read).await.expect("a healthy store");
            }
            for write in calls.1 {
                assert!(done(write).await.expect("a healthy store"));
            }
            rig.leaves_nothing().await;
        });
    }
}

/// Whoever only blocks on each call, on a runtime that nobody polls in between:
/// what is left there by a dropped call must not wedge the next.
#[test]
fn a_program_that_blocks_on_each_call_is_served_after_a_dropped_one() {
    let rig = real(Gather::new(1, 100), ms(200));
    let runtime = one_thread();
    for _ in 0..3 {
        rig.faulty.on([Call::Get, Call::Set]).times(4).stall();
        runtime.block_on(async {
            // The lone ones, and those behind them: all are dropped at once.
            drop((begun(rig.get("a")), begun(rig.set("a", 0))));
            let lone = (begun(rig.get("a")), begun(rig.set("a", 0)));
            let behind = (begun(rig.get("a")), begun(rig.set("a", 1)));
            drop(lone);
            drop(behind);
        });
        runtime.block_on(rig.set("a", 2)).expect("a healthy store");
        assert_eq!(runtime.block_on(rig.get("a")).expect("a healthy store"), Some(2));
    }
    assert_eq!(rig.layer.waiting(), 0);
}

#[test]
fn without_any_runtime_operations_pass_through() {
    let rig = Rig::new();
    for number in 0..5 {
        assert!(at_once(rig.set("a", number)).expect("a healthy store"));
        assert_eq!(at_once(rig.get("a")).expect("a healthy store"), Some(number));
    }
    // Beside others that are under way, too, here and on a runtime.
    let gates = [Call::Get, Call::Set].map(|call| rig.faulty.on([call]).times(2).pause());
    let runtime = one_thread();
    let there = runtime.block_on(async { (begun(rig.get("a")), begun(rig.set("b", 1))) });
    let here = (begun(rig.get("a")), begun(rig.set("b", 1)));
    assert_eq!(at_once(rig.get("a")).expect("it passes through"), Some(4));
    assert!(at_once(rig.set("a", 9)).expect("it passes through"));
    assert!(at_once(rig.delete("a")).expect("it passes through"));
    let mut clear = rig.clear();
    let mut polls = 0;
    while poll(&mut clear).is_pending() {
        polls += 1;
        assert!(polls < 1_000, "it waits");
    }
    assert_eq!(rig.faulty.begun(Call::GetMany) + rig.faulty.begun(Call::SetMany), 0);
    drop((here, there));
    drop(gates);
    runtime.block_on(rig.leaves_nothing());
}

/// Its handle outlives a runtime, and whoever has it can still wait on it.
#[test]
fn on_a_runtime_that_has_ended_nobody_hangs() {
    for trips in 1..3 {
        let rig = Rig::of_trips(trips);
        let handle = one_thread().handle().clone();
        let outcome = within_patience(move || {
            let gates = [Call::Get, Call::Set].map(|call| rig.faulty.on([call]).times(1).pause());
            let _entered = handle.enter();
            let lone = (begun(rig.get("a")), begun(rig.set("a", 0)));
            let (mut read, mut write) = (rig.get("a"), rig.set("a", 1));
            // Told at once, or when nothing is under way any more.
            let before = (poll(&mut read), poll(&mut write));
            drop(lone);
            drop(gates);
            let told = (
                before.0.is_ready() || poll(&mut read).is_ready(),
                before.1.is_ready() || poll(&mut write).is_ready(),
            );
            drop((read, write));
            let last = (handle.block_on(rig.get("a")).is_ok(), handle.block_on(rig.set("a", 2)).is_ok());
            (told.0, told.1, last, rig.layer.waiting())
        });
        assert_eq!(outcome, (true, true, (true, true), 0), "with {trips} trips");
    }
}

/// Where the runtime keeps no time nobody's deadline can be kept; that must not
/// be a hang, nor end the process.
#[test]
fn on_a_runtime_without_time_everybody_is_answered_or_told() {
    for trips in 1..3 {
        let rig = Arc::new(real(Gather::new(trips, 4), ms(200)));
        within_patience(move || {
            let timeless = Builder::new_current_thread().build().expect("a runtime");
            timeless.block_on(async {
                let gates = [Call::Get, Call::Set].map(|call| rig.faulty.on([call]).times(1).pause());
                let lone = (tokio::spawn(rig.get("a")), tokio::spawn(rig.set("a", 0)));
                gates[0].reached(1).await;
                gates[1].reached(1).await;
                // The later trips have to wait as well.
                let many = rig.faulty.on([Call::GetMany, Call::SetMany]).pause();
                let reads: Vec<_> = (0..20).map(|_| tokio::spawn(rig.get("a"))).collect();
                let writes: Vec<_> = (0..20).map(|number| tokio::spawn(rig.set("a", number))).collect();
                rig.settle().await;
                gates.iter().for_each(cache_testkit::Gate::open);
                rig.settle().await;
                many.open();
                for read in reads {
                    told(done(read).await);
                }
                for write in writes {
                    told(done(write).await);
                }
                done(lone.0).await.expect("a healthy store");
                done(lone.1).await.expect("a healthy store");
                at_once(rig.get("a")).expect("a healthy store");
                at_once(rig.set("a", 1)).expect("a healthy store");
                assert_eq!((rig.layer.waiting(), rig.faulty.inside_in_all()), (0, 0));
            });
        });
    }
}

fn told<T: std::fmt::Debug>(answer: cache_core::Result<T>) {
    if let Err(error) = answer {
        // Where the machine is slow its time is over first.
        assert!(matches!(error.kind(), ErrorKind::Closed | ErrorKind::Deadline), "{error}");
    }
}

/// The same by the machine's clock, with everything stalled.
#[test]
fn on_real_time_the_deadline_is_kept_too() {
    let rig = real(Gather::new(2, 4), ms(100));
    one_thread().block_on(async {
        rig.faulty.on(Call::ALL).stall();
        let lone = (tokio::spawn(rig.get("lone")), tokio::spawn(rig.set("lone", 0)));
        rig.settle().await;
        let began = SystemClock.precise();
        let reads: Vec<_> = (0..10).map(|_| tokio::spawn(rig.get("a"))).collect();
        let writes: Vec<_> = (0..10).map(|number| tokio::spawn(rig.set("lone", number))).collect();
        real_pause(ms(95)).await;
        if SystemClock.precise().since(began) < ms(100) {
            assert!(!reads.iter().any(tokio::task::JoinHandle::is_finished));
            assert!(!writes.iter().any(tokio::task::JoinHandle::is_finished));
        }
        // Generous, since other tests have the machine too.
        real_pause(ms(150)).await;
        for read in reads {
            assert_eq!(kind_of(done(read).await), ErrorKind::Deadline);
        }
        for write in writes {
            assert_eq!(kind_of(done(write).await), ErrorKind::Deadline);
        }
        rig.faulty.heal();
        done(lone.0).await.expect("it had no deadline here");
        done(lone.1).await.expect("it had no deadline here");
        rig.settle().await;
        assert_eq!((rig.layer.waiting(), rig.faulty.inside_in_all()), (0, 0));
    });
}

/// Nothing is under way any more, and closing need not wait for it.
#[test]
fn after_a_runtime_was_shut_down_the_layer_closes_at_once() {
    for is_read in [true, false] {
        let rig = Rig::new();
        let gates = [Call::Get, Call::GetMany, Call::Set, Call::SetMany].map(|call| rig.hold(call));
        let runtime = one_thread();
        runtime.block_on(async {
            for _ in 0..3 {
                if is_read {
                    tokio::spawn(rig.get("a"));
                } else {
                    tokio::spawn(rig.set("a", 1));
                }
            }
            rig.settle().await;
        });
        drop(runtime);
        one_thread().block_on(async { at_once(rig.close()) }).expect("a healthy store");
        drop(gates);
    }
}
