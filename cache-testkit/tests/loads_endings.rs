//! Callers who are dropped, or never polled again, and what becomes of loads.

mod loads_rig;

use std::task::Poll;

use cache_core::{ErrorKind, Timeout};
use cache_testkit::Call;

use loads_rig::{Asked, GRACE, LOAD_DEADLINE, Rig, Source, finished, ms, near_and_far, poll};

/// How long each call into the store takes, before and after its work, so that
/// there is something to be dropped at.
fn slow(rig: &Rig) {
    rig.faulty.on(Call::ALL).delay(rig.time(), ms(2));
    rig.faulty.on(Call::ALL).after().delay(rig.time(), ms(2));
}

/// A caller whose loader takes 5 ms.
fn first(rig: &Rig, source: &Source) -> Asked<std::sync::Arc<String>> {
    let (cache, clock, source) = (rig.cache.clone(), rig.time(), source.clone());
    Box::pin(async move {
        let loader = move || async move {
            source.run().await;
            clock.sleep_until(clock.now().after(ms(5))).await;
            "the first".to_owned()
        };
        cache.aget_or_set("key", Timeout::Forever, loader).await
    })
}

/// The first caller is polled once a millisecond and dropped after its n-th
/// poll, for every n until it gets an answer; somebody else comes just before,
/// or has waited for long.
#[tokio::test]
async fn a_first_caller_who_is_dropped_at_any_await_point_disturbs_nobody() {
    for (is_far, comes_early) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut has_answered = false;
        for polls in 1..60 {
            let rig = Rig::with(is_far, |builder| builder);
            slow(&rig);
            let (firsts, seconds) = (Source::open(), Source::open());
            let mut one = first(&rig, &firsts);
            let mut two = None;
            for number in 1..=polls {
                has_answered |= poll(&mut one).is_ready();
                if two.is_none() && (comes_early || number == polls) {
                    two = Some(rig.spawn("key", &seconds, "the second".to_owned()));
                    rig.turns().await;
                }
                if has_answered || number == polls {
                    break;
                }
                rig.clock.pass(ms(1)).await;
            }
            let shared = rig.cache.stats().load_waits == 1;
            drop(one);
            rig.clock.pass(ms(60)).await;
            let two = finished(two.expect("it came in time")).await.expect("a loader that works");
            let loads = firsts.begun() + seconds.begun();
            assert_eq!(rig.cache.stats().loads, loads as u64);
            if shared {
                assert_eq!(loads, 1, "after {polls} polls");
                assert_eq!(firsts.alive() + seconds.alive(), 0);
            }
            assert!((1..=2).contains(&loads), "{loads} loads after {polls} polls");
            let reader = rig.cache.clone();
            let there = tokio::spawn(async move { reader.aget::<String>("key").await });
            rig.clock.pass(ms(5)).await;
            let there = finished(there).await.expect("a healthy store");
            assert_eq!(there.as_deref(), Some(two.as_str()), "after {polls} polls");
            rig.clock.pass(ms(60)).await;
            rig.is_at_rest().await;
            if has_answered {
                assert!(polls > 2, "there was nothing to be dropped at");
                break;
            }
        }
        assert!(has_answered, "the first caller never gets an answer");
    }
}

#[tokio::test]
async fn a_first_caller_who_is_never_polled_again_disturbs_nobody() {
    for rig in near_and_far() {
        let source = Source::held();
        let mut parked = rig.ask("key", &source, "the first".to_owned());
        assert!(poll(&mut parked).is_pending());
        let others: Vec<_> = (0..3).map(|_| rig.spawn("key", &source, "another".to_owned())).collect();
        rig.turns().await;
        source.let_go();
        for other in others {
            assert_eq!(*finished(other).await.expect("the first one's loader works"), "the first");
        }
        assert_eq!((source.begun(), rig.cache.stats().load_waits), (1, 3));
        // Nor does it keep later callers and deletes waiting.
        let deleting = rig.cache.clone();
        assert!(finished(tokio::spawn(async move { deleting.adelete("key").await })).await.expect("healthy"));
        assert!(rig.loads_anew("key").await);
        let Poll::Ready(answer) = poll(&mut parked) else { panic!("its load is over") };
        assert_eq!(*answer.expect("it got the value long ago"), "the first");
        drop(parked);
        rig.is_at_rest().await;
    }
}

/// It may be parked within its first read, before it claims anything.
#[tokio::test]
async fn a_caller_who_is_parked_in_its_first_read_holds_nothing() {
    let rig = Rig::far();
    let gate = rig.faulty.on([Call::Get]).times(1).pause();
    let source = Source::open();
    let mut parked = rig.ask("key", &source, "parked".to_owned());
    assert!(poll(&mut parked).is_pending());
    gate.open();
    assert!(rig.loads_anew("key").await);
    // It saw nothing; it claims after the other has stored, and looks again.
    while poll(&mut parked).is_pending() {
        rig.turns().await;
    }
    assert_eq!(source.begun(), 0, "the value that came meanwhile is the one it gets");
    drop(parked);
    rig.is_at_rest().await;
}

#[tokio::test]
async fn when_the_last_waiter_goes_the_loader_is_dropped_and_the_next_caller_loads() {
    for rig in near_and_far() {
        let source = Source::held();
        let callers: Vec<_> = (0..5).map(|_| rig.spawn("key", &source, 1)).collect();
        rig.turns().await;
        assert_eq!((source.begun(), source.alive()), (1, 1));
        let mut callers = callers.into_iter();
        let last = callers.next_back().expect("there are five");
        callers.for_each(|caller| caller.abort());
        rig.turns().await;
        assert_eq!((source.alive(), rig.cache.stats().loading), (1, 1), "one of them still waits");
        last.abort();
        rig.turns().await;
        assert_eq!((source.alive(), source.ended(), rig.cache.stats().loading), (0, 0, 0));
        assert_eq!(rig.cache.aget::<i64>("key").await.expect("a healthy store"), None);
        rig.is_at_rest().await;
        assert!(rig.loads_anew("key").await);
        assert_eq!(rig.cache.stats().loads, 2);
    }
}

/// The next one is not kept waiting for the task to notice.
#[tokio::test]
async fn whoever_comes_right_after_the_last_waiter_has_gone_loads_anew() {
    for rig in near_and_far() {
        let (given_up, source) = (Source::held(), Source::open());
        let mut one = rig.ask("key", &given_up, "given up".to_owned());
        assert!(poll(&mut one).is_pending());
        rig.turns().await;
        assert_eq!(given_up.alive(), 1);
        drop(one);
        let mut two = rig.ask("key", &source, "anew".to_owned());
        let answer = loop {
            match poll(&mut two) {
                Poll::Ready(answer) => break answer,
                Poll::Pending => rig.turns().await,
            }
        };
        assert_eq!(*answer.expect("a loader that works"), "anew");
        assert_eq!((given_up.alive(), given_up.ended(), source.begun()), (0, 0, 1));
        assert_eq!(rig.cache.stats().load_waits, 0);
    }
}

/// It is dropped before its task ever ran.
#[tokio::test]
async fn a_load_that_is_given_up_before_it_began_never_begins() {
    for rig in near_and_far() {
        let source = Source::open();
        let mut one = rig.ask("key", &source, 1);
        assert!(poll(&mut one).is_pending());
        drop(one);
        rig.turns().await;
        assert_eq!((source.begun(), rig.cache.stats().loads), (0, 0));
        rig.is_at_rest().await;
        assert!(rig.loads_anew("key").await);
    }
}

#[tokio::test]
async fn a_value_on_its_way_into_the_store_gets_there_without_anybody_waiting() {
    let rig = Rig::far();
    let source = Source::open();
    let gate = rig.faulty.on([Call::Set]).pause();
    let callers: Vec<_> = (0..3).map(|_| rig.spawn("key", &source, 1)).collect();
    gate.reached(1).await;
    callers.iter().for_each(tokio::task::JoinHandle::abort);
    rig.turns().await;
    assert_eq!((gate.held(), rig.cache.stats().loading), (1, 1));
    // Who comes now waits for it.
    let later = rig.spawn("key", &Source::open(), 2);
    rig.turns().await;
    assert!(!later.is_finished());
    gate.open();
    assert_eq!(*finished(later).await.expect("it is stored"), 1);
    assert_eq!(rig.cache.aget::<i64>("key").await.expect("a healthy store"), Some(1));
    assert_eq!((source.begun(), rig.faulty.begun(Call::Set)), (1, 1));
    rig.is_at_rest().await;
}

/// One of two keys of a batch is given up by its other waiter only when the
/// batch itself has gone.
#[tokio::test]
async fn a_batch_that_is_dropped_goes_on_while_somebody_waits_for_one_of_its_keys() {
    for rig in near_and_far() {
        let source = Source::held();
        let (cache, loading) = (rig.cache.clone(), source.clone());
        let batch = tokio::spawn(async move {
            let loader = |keys: Vec<String>| async move {
                loading.run().await;
                keys.into_iter().map(|key| (key, "of the batch".to_owned())).collect()
            };
            cache.get_or_set_many(["a", "b"], Timeout::Forever, loader).await
        });
        rig.turns().await;
        let waiter = rig.spawn("a", &Source::open(), "own".to_owned());
        rig.turns().await;
        batch.abort();
        rig.turns().await;
        assert_eq!(source.alive(), 1);
        source.let_go();
        assert_eq!(*finished(waiter).await.expect("the loader of the batch works"), "of the batch");
        rig.is_at_rest().await;
    }
}

/// A loader is dropped with its last waiter, also if it loads in turn.
#[tokio::test]
async fn giving_up_a_load_gives_up_the_loads_within_it() {
    for rig in near_and_far() {
        let source = Source::held();
        let (outer, inner, loader) = (rig.cache.clone(), rig.cache.clone(), source.gives(1));
        let call = tokio::spawn(async move {
            let load = || async move { inner.aget_or_set("inner", Timeout::Forever, loader).await };
            outer.aget_or_try_set("outer", Timeout::Forever, || async { load().await.map(|one| *one) }).await
        });
        rig.turns().await;
        assert_eq!((source.alive(), rig.cache.stats().loading), (1, 2));
        call.abort();
        rig.turns().await;
        assert_eq!((source.alive(), rig.cache.stats().loading), (0, 0));
        rig.is_at_rest().await;
    }
}

/// Nobody else keeps its time: the task has to end itself.
#[tokio::test]
async fn a_hanging_loader_whose_caller_is_never_polled_again_is_dropped_at_its_deadline() {
    for rig in near_and_far() {
        let hangs = Source::held();
        let mut parked = rig.ask("key", &hangs, 1);
        assert!(poll(&mut parked).is_pending());
        rig.clock.pass(LOAD_DEADLINE.saturating_sub(ms(1))).await;
        assert_eq!((hangs.alive(), rig.cache.stats().loading), (1, 1));
        rig.clock.pass(ms(1) + GRACE).await;
        let stats = rig.cache.stats();
        assert_eq!((hangs.alive(), stats.loading, stats.loads_timed_out), (0, 0, 1));
        drop(parked);
        rig.is_at_rest().await;
    }
}

/// Nobody but the parked ones waits, and the loader hangs.
#[tokio::test]
async fn after_the_load_deadline_a_new_caller_loads_past_parked_ones() {
    for rig in near_and_far() {
        let hangs = Source::held();
        let mut parked: Vec<_> = (0..3).map(|_| rig.ask("key", &hangs, "never".to_owned())).collect();
        for caller in &mut parked {
            while rig.cache.stats().loading == 0 {
                assert!(poll(caller).is_pending());
                rig.turns().await;
            }
            assert!(poll(caller).is_pending());
        }
        rig.turns().await;
        // At once: no task has had a turn to notice.
        rig.clock.advance(LOAD_DEADLINE);
        let source = Source::open();
        let mut caller = rig.ask("key", &source, "anew".to_owned());
        let mut answer = poll(&mut caller);
        assert_eq!(hangs.alive(), 1, "its task cannot have noticed");
        while answer.is_pending() {
            rig.turns().await;
            answer = poll(&mut caller);
        }
        let Poll::Ready(answer) = answer else { unreachable!("the loop ends") };
        assert_eq!(*answer.expect("its own loader works"), "anew");
        assert_eq!((hangs.begun(), hangs.alive(), source.begun()), (1, 0, 1));
        for caller in &mut parked {
            let Poll::Ready(answer) = poll(caller) else { panic!("its time is over") };
            assert_eq!(answer.expect_err("the loader hung").kind(), ErrorKind::Deadline);
        }
        assert_eq!(rig.cache.stats().loads_timed_out, 1);
        drop((parked, caller));
        rig.is_at_rest().await;
    }
}
