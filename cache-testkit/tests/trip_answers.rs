//! What counts as an answer of the store, in bulk calls, pings and closing.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use cache_core::{AsyncCache, ErrorKind, Read};
use cache_testkit::Call;
use rig::{DEADLINE, Rig, key, ms};

mod rig;

#[tokio::test]
async fn a_bulk_call_in_which_no_key_was_answered_is_no_answer() {
    let rig = Rig::new();
    rig.faulty.on([Call::GetMany]).keys(|_| true).fail(ErrorKind::Connection);
    let outcomes =
        rig.trip.get_many(&[key("a"), key("b")], Read::default()).await.expect("each key by itself");
    assert!(
        outcomes
            .iter()
            .all(|outcome| outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::Connection))
    );
    assert!(rig.trip.is_down());
}

#[tokio::test]
async fn a_bulk_call_in_which_one_key_was_answered_is_an_answer() {
    let rig = Rig::new();
    rig.faulty.on([Call::GetMany]).keys(|key| key.ends_with('a')).fail(ErrorKind::Connection);
    rig.trip.get_many(&[key("a"), key("b")], Read::default()).await.expect("each key by itself");
    assert!(!rig.trip.is_down());
}

/// A wrong password is for the callers to see, not a reason to stay down.
#[tokio::test]
async fn an_error_that_answers_a_ping_ends_an_outage() {
    let rig = Rig::new();
    rig.lose_connection();
    rig.faulty.on([Call::Ping, Call::Get]).fail(ErrorKind::Auth);
    rig.clock.pass(ms(500)).await;
    assert!(!rig.trip.is_down());
    assert_eq!(rig.get_at_once("a").expect_err("the password is wrong").kind(), ErrorKind::Auth);
    assert!(!rig.trip.is_down());
}

#[tokio::test]
async fn a_dropped_close_is_finished_by_the_next() {
    let rig = Rig::new();
    let cache = rig.handle().build();
    let gate = rig.faulty.on([Call::Get]).pause();
    let slow = rig.get("slow");
    gate.reached(1).await;
    {
        let mut close = pin!(cache.aclose());
        assert!(
            close.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending(),
            "one call is under way"
        );
    }
    assert_eq!(rig.faulty.begun(Call::Close), 0);
    let closed = tokio::spawn({
        let cache = cache.clone();
        async move { cache.aclose().await }
    });
    rig.clock.pass(DEADLINE * 2).await;
    closed.await.expect("no panic").expect("it closes");
    assert_eq!(rig.faulty.begun(Call::Close), 1);
    cache.aclose().await.expect("once more is fine");
    assert_eq!(rig.faulty.begun(Call::Close), 1);
    slow.abort();
}
