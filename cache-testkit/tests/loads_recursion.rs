//! Loaders that load, in circles and otherwise.

mod loads_rig;

use std::collections::HashMap;
use std::sync::Arc;

use cache_core::{BoxError, Cache, Error, ErrorKind, Result, Timeout};
use tokio::sync::Mutex;

use loads_rig::{Asked, GRACE, LOAD_DEADLINE, Rig, Source, finished, ms, near_and_far};

/// The kinds of errors that inner calls got.
type Heard = Arc<Mutex<Vec<ErrorKind>>>;

/// Loads the first key by loading the next, and so on; the last is given.
fn along(cache: Cache, keys: &[&'static str], last: &'static str, heard: Heard) -> Asked<Arc<String>> {
    let keys = keys.to_vec();
    Box::pin(async move {
        let Some((&key, rest)) = keys.split_first() else {
            let given = || async { Ok::<_, Error>("given".to_owned()) };
            let answer = cache.aget_or_try_set(last, Timeout::Forever, given).await;
            if let Err(error) = &answer {
                heard.lock().await.push(error.kind());
            }
            return answer;
        };
        let (inner, rest) = (cache.clone(), rest.to_vec());
        let loader =
            move || async move { along(inner, &rest, last, heard).await.map(|value| (*value).clone()) };
        cache.aget_or_try_set(key, Timeout::Forever, loader).await
    })
}

/// What becomes of a loader of `keys[0]` that loads `keys[1]`, and so on to
/// `last`; and of somebody else who waits for the first.
async fn goes_round(keys: &[&'static str], last: &'static str) {
    for rig in near_and_far() {
        let heard = Heard::default();
        let source = along(rig.cache.clone(), keys, last, Arc::clone(&heard));
        let caller = tokio::spawn(source);
        let error = finished(caller).await.expect_err("it goes round");
        assert_eq!(error.kind(), ErrorKind::Recursion);
        assert_eq!(*heard.lock().await, [ErrorKind::Recursion], "the innermost is told once");
        rig.is_at_rest().await;
        let stats = rig.cache.stats();
        assert_eq!((stats.loads, stats.loads_failed), (keys.len() as u64, keys.len() as u64));
        for key in keys {
            assert!(rig.loads_anew(key).await, "nothing is stored");
        }
    }
}

#[tokio::test]
async fn a_loader_that_asks_for_its_own_key_is_told_at_once() {
    goes_round(&["a"], "a").await;
}

#[tokio::test]
async fn a_loader_that_asks_for_its_own_key_through_others_is_told_at_once() {
    goes_round(&["a", "b"], "a").await;
    goes_round(&["a", "b", "c", "d"], "a").await;
}

/// The circle is between b and c; a is outside of it, and its loader fails as
/// any may.
#[tokio::test]
async fn who_asked_for_a_circle_from_outside_is_told_that_its_loader_failed() {
    for rig in near_and_far() {
        let heard = Heard::default();
        let call = along(rig.cache.clone(), &["a", "b", "c"], "b", Arc::clone(&heard));
        let error = finished(tokio::spawn(call)).await.expect_err("it goes round");
        assert_eq!(error.kind(), ErrorKind::Load);
        let inner = error.loader_error::<Error>().expect("the error of the load within");
        assert_eq!(inner.kind(), ErrorKind::Recursion);
        assert_eq!(*heard.lock().await, [ErrorKind::Recursion]);
        rig.is_at_rest().await;
    }
}

#[tokio::test]
async fn all_who_wait_for_a_loader_that_goes_round_are_told() {
    for rig in near_and_far() {
        let source = Source::held();
        let ask = || {
            let (cache, inner, source) = (rig.cache.clone(), rig.cache.clone(), source.clone());
            tokio::spawn(async move {
                let loader = || async move {
                    source.run().await;
                    let own = inner.aget_or_set("key", Timeout::Forever, || async { 1 }).await;
                    own.map(|value| *value)
                };
                cache.aget_or_try_set("key", Timeout::Forever, loader).await
            })
        };
        let callers = [ask(), ask(), ask()];
        rig.turns().await;
        source.let_go();
        for caller in callers {
            assert_eq!(finished(caller).await.expect_err("it goes round").kind(), ErrorKind::Recursion);
        }
        assert_eq!(source.begun(), 1);
        rig.is_at_rest().await;
    }
}

#[tokio::test]
async fn a_loader_that_panics_over_its_recursion_is_a_recursion() {
    for rig in near_and_far() {
        let (cache, inner) = (rig.cache.clone(), rig.cache.clone());
        let call = tokio::spawn(async move {
            let loader = || async move {
                *inner.aget_or_set("key", Timeout::Forever, || async { 1 }).await.expect("it goes round")
            };
            cache.aget_or_set("key", Timeout::Forever, loader).await
        });
        assert_eq!(finished(call).await.expect_err("it goes round").kind(), ErrorKind::Recursion);
        rig.is_at_rest().await;
        assert!(rig.loads_anew("key").await);
    }
}

#[tokio::test]
async fn a_loader_that_makes_do_without_its_own_key_gives_its_value_to_all() {
    for rig in near_and_far() {
        let source = Source::held();
        let ask = || {
            let (cache, inner, source) = (rig.cache.clone(), rig.cache.clone(), source.clone());
            tokio::spawn(async move {
                let loader = || async move {
                    source.run().await;
                    match inner.aget_or_set("key", Timeout::Forever, || async { String::new() }).await {
                        Err(error) if error.kind() == ErrorKind::Recursion => "made do".to_owned(),
                        other => panic!("{other:?}"),
                    }
                };
                cache.aget_or_set("key", Timeout::Forever, loader).await
            })
        };
        let callers = [ask(), ask(), ask()];
        rig.turns().await;
        source.let_go();
        for caller in callers {
            assert_eq!(*finished(caller).await.expect("it made do"), "made do");
        }
        assert_eq!(rig.cache.aget::<String>("key").await.expect("healthy").as_deref(), Some("made do"));
        rig.is_at_rest().await;
    }
}

#[tokio::test]
async fn a_circle_through_another_alias_is_told_at_once() {
    for (here, there) in [(Rig::near(), Rig::far()), (Rig::far(), Rig::near())] {
        let (outer, between, inner) = (here.cache.clone(), there.cache.clone(), here.cache.clone());
        let call = tokio::spawn(async move {
            let own = || async move { inner.aget_or_set("key", Timeout::Forever, || async { 1 }).await };
            let load = || async move {
                let own = || async { own().await.map(|value| *value) };
                between.aget_or_try_set("key", Timeout::Forever, own).await
            };
            let load = || async { load().await.map(|value| *value) };
            outer.aget_or_try_set("key", Timeout::Forever, load).await
        });
        assert_eq!(finished(call).await.expect_err("it goes round").kind(), ErrorKind::Recursion);
        here.is_at_rest().await;
        there.is_at_rest().await;
        assert!(here.loads_anew("key").await && there.loads_anew("key").await);
    }
}

#[tokio::test]
async fn a_circle_through_a_batch_is_told_at_once() {
    for rig in near_and_far() {
        // One key asks for a batch with itself in it.
        let (cache, inner) = (rig.cache.clone(), rig.cache.clone());
        let call = tokio::spawn(async move {
            let loader = || async move {
                let all = |keys: Vec<String>| async move { keys.into_iter().map(|key| (key, 1)).collect() };
                let found = inner.get_or_set_many(["other", "key"], Timeout::Forever, all).await;
                found.map(|found: HashMap<&str, Arc<i64>>| *found["other"])
            };
            cache.aget_or_try_set("key", Timeout::Forever, loader).await
        });
        let error = finished(call).await.expect_err("it goes round");
        assert_eq!(error.kind(), ErrorKind::Recursion);
        let inner = error.loader_error::<Error>().expect("the error of the batch");
        let failed: Vec<_> = inner.failures().iter().map(|(at, error)| (*at, error.kind())).collect();
        assert_eq!(failed, [(1, ErrorKind::Recursion)], "the other key is fine");
        assert_eq!(rig.cache.aget::<i64>("other").await.expect("a healthy store"), Some(1));

        // A batch asks for one of its keys.
        let (cache, inner) = (rig.cache.clone(), rig.cache.clone());
        let call = tokio::spawn(async move {
            let loader = |_| async move {
                let own = inner.aget_or_set("b", Timeout::Forever, || async { 1 }).await?;
                Ok::<HashMap<String, i64>, Error>([("a".to_owned(), *own)].into())
            };
            cache.get_or_try_set_many(["a", "b"], Timeout::Forever, loader).await
        });
        let error = finished(call).await.expect_err("it goes round");
        let failed: Vec<_> = error.failures().iter().map(|(at, error)| (*at, error.kind())).collect();
        assert_eq!(failed, [(0, ErrorKind::Recursion), (1, ErrorKind::Recursion)]);
        rig.is_at_rest().await;
    }
}

fn chain(cache: Cache, depth: usize) -> Asked<Arc<usize>> {
    Box::pin(async move {
        let inner = cache.clone();
        let loader = move || async move {
            if depth == 0 { Ok(0) } else { chain(inner, depth - 1).await.map(|below| *below + 1) }
        };
        cache.aget_or_try_set(&format!("depth {depth}"), Timeout::Forever, loader).await
    })
}

#[tokio::test]
async fn a_long_way_down_is_no_circle() {
    for rig in near_and_far() {
        let call = tokio::spawn(chain(rig.cache.clone(), 500));
        assert_eq!(*finished(call).await.expect("no circle"), 500);
        assert_eq!(rig.cache.stats().loads, 501);
        rig.is_at_rest().await;
    }
}

/// A name is a key only with its version and its cache; and a key that was
/// loaded within may be loaded there again.
#[tokio::test]
async fn the_same_name_elsewhere_and_the_same_key_twice_are_no_circle() {
    for rig in near_and_far() {
        let elsewhere = Rig::near().cache;
        let (cache, inner) = (rig.cache.clone(), rig.cache.clone());
        let call = tokio::spawn(async move {
            let loader = || async move {
                let version =
                    inner.at_version(2).aget_or_set("key", Timeout::Forever, || async { 1 }).await?;
                let other = elsewhere.aget_or_set("key", Timeout::Forever, || async { 2 }).await?;
                let mut sum = *version + *other;
                for _ in 0..2 {
                    sum += *inner.aget_or_set("within", Timeout::Forever, || async { 4 }).await?;
                    inner.adelete("within").await?;
                }
                Ok::<_, Error>(sum)
            };
            cache.aget_or_try_set("key", Timeout::Forever, loader).await
        });
        assert_eq!(*finished(call).await.expect("no circle"), 11);
        rig.is_at_rest().await;
    }
}

#[tokio::test]
async fn a_loader_may_read_write_and_delete_its_own_key() {
    for rig in near_and_far() {
        let ask = |key: &'static str, work: fn(Cache) -> Asked<()>| {
            let (cache, inner) = (rig.cache.clone(), rig.cache.clone());
            tokio::spawn(async move {
                let loader = move || async move { work(inner).await.map(|()| "loaded".to_owned()) };
                cache.aget_or_try_set(key, Timeout::Forever, loader).await
            })
        };
        let reads = ask("read", |cache| {
            Box::pin(async move {
                assert_eq!(cache.aget::<String>("read").await?, None);
                assert!(!cache.ahas_key("read").await?);
                Ok(())
            })
        });
        assert_eq!(*finished(reads).await.expect("a miss is no error"), "loaded");
        assert_eq!(rig.cache.stats().loads_voided, 0);

        // Its own write has the last word.
        let writes = ask("written", |cache| {
            Box::pin(async move { cache.aset("written", "set within", Timeout::Forever).await })
        });
        assert_eq!(*finished(writes).await.expect("no deadlock"), "loaded");
        let there = rig.cache.aget::<String>("written").await.expect("a healthy store");
        assert_eq!(there.as_deref(), Some("set within"));
        assert_eq!(rig.cache.stats().loads_voided, 1);

        let deletes =
            ask("deleted", |cache| Box::pin(async move { cache.adelete("deleted").await.map(drop) }));
        assert_eq!(*finished(deletes).await.expect("no deadlock"), "loaded");
        assert_eq!(rig.cache.aget::<String>("deleted").await.expect("a healthy store"), None);

        let clears = ask("cleared", |cache| Box::pin(async move { cache.aclear().await }));
        assert_eq!(*finished(clears).await.expect("no deadlock"), "loaded");
        assert_eq!(rig.cache.aget::<String>("cleared").await.expect("a healthy store"), None);
        assert_eq!(rig.cache.stats().loads_voided, 3);
        rig.is_at_rest().await;
    }
}

/// Asked for in a task of its own, it cannot be told whose load it is within.
#[tokio::test]
async fn a_circle_through_a_spawned_task_ends_at_the_load_deadline() {
    for rig in near_and_far() {
        let (cache, inner) = (rig.cache.clone(), rig.cache.clone());
        let call = tokio::spawn(async move {
            let loader = || async move {
                let own = async move { inner.aget_or_set("key", Timeout::Forever, || async { 1 }).await };
                let own = tokio::spawn(own).await?;
                Ok::<_, BoxError>(*own?)
            };
            cache.aget_or_try_set("key", Timeout::Forever, loader).await
        });
        ends_at_the_load_deadline(&rig, vec![call]).await;
    }
}

#[tokio::test]
async fn two_loaders_that_wait_for_each_other_end_at_the_load_deadline() {
    for rig in near_and_far() {
        let source = Source::held();
        let ask = |own: &'static str, other: &'static str| {
            let (cache, inner, source) = (rig.cache.clone(), rig.cache.clone(), source.clone());
            tokio::spawn(async move {
                let loader = move || async move {
                    source.run().await;
                    inner.aget_or_set(other, Timeout::Forever, || async { 1 }).await.map(|value| *value)
                };
                cache.aget_or_try_set(own, Timeout::Forever, loader).await
            })
        };
        let callers = vec![ask("a", "b"), ask("b", "a")];
        rig.turns().await;
        assert_eq!(source.begun(), 2);
        source.let_go();
        ends_at_the_load_deadline(&rig, callers).await;
        assert!(rig.loads_anew("b").await);
    }
}

/// Which of the two loads is ended first is left open: the other's loader may
/// be told so and fail of it.
async fn ends_at_the_load_deadline(rig: &Rig, callers: Vec<tokio::task::JoinHandle<Result<Arc<i64>>>>) {
    rig.clock.pass(LOAD_DEADLINE.saturating_sub(ms(1))).await;
    assert!(callers.iter().all(|caller| !caller.is_finished()));
    rig.clock.pass(GRACE).await;
    for caller in callers {
        let kind = finished(caller).await.expect_err("they wait for each other").kind();
        assert!(matches!(kind, ErrorKind::Deadline | ErrorKind::Load), "{kind}");
    }
    rig.is_at_rest().await;
    assert!(rig.loads_anew("key").await && rig.loads_anew("a").await);
}
