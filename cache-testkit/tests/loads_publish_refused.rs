//! Loaded values that are not stored, or not at once, since something is there
//! by then.

mod loads_voiding_rig;

use std::sync::Arc;

use cache_core::{Cache, ErrorKind, OnDecodeError};
use cache_mem::{MemSettings, Values};
use cache_testkit::{Call, Faulty, Gate, Lesser, ManualClock};

use loads_voiding_rig::counted::{Counted, decoded};
use loads_voiding_rig::{DEADLINE, HeldLoad, KEY, OTHER, Rig, Shape, VERSION, ms, settle, values};

const LOADED: i64 = 100;
const ANEW: i64 = 200;

const SHAPES: [Shape; 2] = [Shape::One, Shape::Batch];

/// What another process has left there.
#[derive(Clone, Copy, Debug)]
enum Foreign {
    /// A value of another type.
    Text,
    /// What no codec understands.
    Garbage,
}

impl Foreign {
    const ALL: [Self; 2] = [Self::Text, Self::Garbage];

    async fn put(self, rig: &Rig) {
        match self {
            Self::Text => rig.put(KEY, "no number".to_owned()).await,
            Self::Garbage => rig.put_garbage(KEY).await,
        }
    }
}

/// The load has been refused, and holds what it found there.
async fn hold_look(rig: &Rig, mut load: HeldLoad<i64>) -> (HeldLoad<i64>, Gate) {
    let look = rig.hold_read();
    load.end_loader();
    look.reached(1).await;
    (load, look)
}

/// What the caller got for the key, once all is over; the key beside it is
/// stored whatever happens to this one.
async fn got(rig: &Rig, load: HeldLoad<i64>) -> i64 {
    settle().await;
    let got = values(load.caller).await;
    if let Some(other) = got.get(OTHER) {
        assert_eq!((**other, rig.stored(OTHER).await), (LOADED, Some(LOADED)));
    }
    assert!(rig.is_quiet());
    *got[KEY]
}

/// How many values were stored, refused, and could not be stored, of this key.
fn counted(rig: &Rig, shape: Shape) -> (u64, u64, u64) {
    let stats = rig.cache.stats();
    assert!(stats.errors.is_empty(), "no caller got an error");
    (stats.writes - u64::from(shape == Shape::Batch), stats.publishes_refused, stats.publishes_failed)
}

#[tokio::test]
async fn callers_get_what_is_there_and_it_stays() {
    for (shape, tokens) in SHAPES.into_iter().flat_map(|shape| [(shape, true), (shape, false)]) {
        let rig = Rig::new(tokens);
        let mut load = rig.loading(shape, LOADED).await;
        let joined = rig.load(Shape::One, -1);
        settle().await;
        rig.put(KEY, 5_i64).await;
        load.end_loader();
        assert_eq!(got(&rig, load).await, 5);
        assert_eq!(*values(joined.caller).await[KEY], 5);
        assert_eq!(rig.stored(KEY).await, Some(5_i64));
        assert_eq!(counted(&rig, shape), (0, 1, 0));
    }
}

#[tokio::test]
async fn what_cannot_be_decoded_is_written_over() {
    for (shape, foreign) in SHAPES.into_iter().flat_map(|shape| Foreign::ALL.map(|foreign| (shape, foreign)))
    {
        let rig = Rig::new(true);
        let mut load = rig.loading(shape, LOADED).await;
        foreign.put(&rig).await;
        load.end_loader();
        assert_eq!(got(&rig, load).await, LOADED);
        assert_eq!(rig.stored(KEY).await, Some(LOADED), "{foreign:?}");
        assert_eq!(counted(&rig, shape), (1, 0, 0));
    }
}

#[tokio::test]
async fn what_cannot_be_decoded_is_left_if_it_changes_into_something_better() {
    for shape in SHAPES {
        let rig = Rig::new(true);
        let load = rig.loading(shape, LOADED).await;
        rig.put_garbage(KEY).await;
        let (load, look) = hold_look(&rig, load).await;
        rig.put(KEY, 5_i64).await;
        look.open();
        assert_eq!(got(&rig, load).await, 5, "what is there");
        assert_eq!(rig.stored(KEY).await, Some(5_i64));
        assert_eq!(counted(&rig, shape), (0, 1, 0));
    }
}

/// It tries again, but not for ever.
#[tokio::test]
async fn what_keeps_changing_and_cannot_be_decoded_is_left_in_the_end() {
    for shape in SHAPES {
        let rig = Rig::new(true);
        let load = rig.loading(shape, LOADED).await;
        rig.put_garbage(KEY).await;
        let (load, mut look) = hold_look(&rig, load).await;
        let mut looks = 1;
        while !load.caller.is_finished() {
            assert!(looks < 20, "it goes on for ever");
            rig.put(KEY, format!("no number, but text {looks}")).await;
            let next = rig.hold_read();
            look.open();
            look = next;
            settle().await;
            looks += 1;
        }
        rig.faulty.heal();
        assert_eq!(got(&rig, load).await, LOADED);
        let text = format!("no number, but text {}", looks - 1);
        assert_eq!(rig.stored(KEY).await, Some(text), "it was never overwritten unseen");
        assert_eq!(counted(&rig, shape), (0, 1, 0));
    }
}

/// What was loaded may be older than the delete.
#[tokio::test]
async fn what_is_gone_by_the_look_or_after_it_is_not_made_anew() {
    for (shape, tokens) in SHAPES.into_iter().flat_map(|shape| [(shape, true), (shape, false)]) {
        for is_after_the_look in [false, true] {
            let rig = Rig::new(tokens);
            let mut load = rig.loading(shape, LOADED).await;
            rig.put_garbage(KEY).await;
            let gate = if is_after_the_look {
                let (held, look) = hold_look(&rig, load).await;
                load = held;
                look
            } else {
                let refused = rig.faulty.on([Call::Set, Call::SetMany]).times(1).after().pause();
                load.end_loader();
                refused.reached(1).await;
                refused
            };
            assert!(rig.elsewhere.adelete(KEY).await.expect("a healthy store"));
            gate.open();
            assert_eq!(got(&rig, load).await, LOADED);
            assert!(!rig.is_there(KEY).await);
            assert_eq!(counted(&rig, shape), (0, 1, 0));
            assert_eq!(*rig.come(shape, ANEW).await, ANEW);
            assert_eq!(rig.stored(KEY).await, Some(ANEW), "there is room for the next");
        }
    }
}

#[tokio::test]
async fn without_tokens_what_cannot_be_decoded_makes_room_for_the_next_load() {
    for (shape, foreign) in SHAPES.into_iter().flat_map(|shape| Foreign::ALL.map(|foreign| (shape, foreign)))
    {
        let rig = Rig::new(false);
        let mut load = rig.loading(shape, LOADED).await;
        foreign.put(&rig).await;
        load.end_loader();
        assert_eq!(got(&rig, load).await, LOADED);
        assert!(!rig.is_there(KEY).await, "{foreign:?}");
        assert_eq!(counted(&rig, shape), (0, 1, 0));
        assert_eq!(*rig.come(shape, ANEW).await, ANEW);
        assert_eq!(rig.stored(KEY).await, Some(ANEW));
    }
}

#[tokio::test]
async fn what_cannot_be_decoded_is_left_alone_where_that_is_an_error() {
    for (shape, tokens) in SHAPES.into_iter().flat_map(|shape| [(shape, true), (shape, false)]) {
        let rig = Rig::with(tokens, |builder| builder.on_decode_error(OnDecodeError::Error));
        let mut load = rig.loading(shape, LOADED).await;
        rig.put(KEY, "no number".to_owned()).await;
        load.end_loader();
        assert_eq!(got(&rig, load).await, LOADED);
        assert_eq!(rig.stored(KEY).await, Some("no number".to_owned()));
        assert_eq!(counted(&rig, shape), (0, 1, 0));
        let loads = rig.cache.stats().loads;
        let error = rig.cache.aget_or_set(KEY, cache_core::Timeout::Default, async || ANEW).await;
        assert_eq!(error.expect_err("as the alias says").kind(), ErrorKind::Codec);
        assert_eq!(rig.cache.stats().loads, loads, "no loader ran");
    }
}

#[tokio::test]
async fn a_store_that_promised_tokens_and_takes_none_keeps_what_it_has() {
    for shape in SHAPES {
        let rig = Rig::new(true);
        let load = rig.loading(shape, LOADED).await;
        rig.put_garbage(KEY).await;
        let (load, look) = hold_look(&rig, load).await;
        rig.faulty.on([Call::Set]).times(1).fail(ErrorKind::Unsupported);
        look.open();
        assert_eq!(got(&rig, load).await, LOADED);
        assert!(rig.is_there(KEY).await && rig.stored::<i64>(KEY).await.is_none(), "garbage still");
        assert_eq!(counted(&rig, shape), (0, 0, 1));
        assert_eq!(*rig.come(shape, ANEW).await, ANEW, "the next caller loads again");
    }
}

/// Writes do not wait where tokens are promised: what is removed unseen might be
/// newer than what was loaded.
#[tokio::test]
async fn a_store_that_promised_tokens_and_gives_none_keeps_what_it_has() {
    for shape in SHAPES {
        let mut rig = Rig::new(false);
        let store = Lesser::new(Arc::<Faulty>::clone(&rig.faulty), |promised| promised.tokens(true));
        let clock = Arc::<ManualClock>::clone(&rig.clock);
        rig.cache = Cache::builder(Arc::new(store)).clock(clock).version(VERSION).build();
        let mut load = rig.loading(shape, LOADED).await;
        rig.put_garbage(KEY).await;
        load.end_loader();
        assert_eq!(got(&rig, load).await, LOADED);
        assert!(rig.is_there(KEY).await && rig.stored::<i64>(KEY).await.is_none(), "garbage still");
        assert_eq!((counted(&rig, shape), rig.faulty.begun(Call::Delete)), ((0, 1, 0), 0));
    }
}

#[tokio::test]
async fn of_a_batch_without_tokens_one_that_cannot_be_removed_leaves_the_others_alone() {
    for doomed in [KEY, OTHER] {
        let rig = Rig::new(false);
        let mut load = rig.loading(Shape::Batch, LOADED).await;
        rig.put_garbage(KEY).await;
        rig.put_garbage(OTHER).await;
        rig.faulty.on([Call::Delete]).keys(move |key| key.ends_with(doomed)).fail(ErrorKind::Server);
        load.end_loader();
        let got = values(load.caller).await;
        assert_eq!((*got[KEY], *got[OTHER]), (LOADED, LOADED));
        assert_eq!(rig.is_there(KEY).await, doomed == KEY, "there is room, unless it failed itself");
        assert_eq!(rig.is_there(OTHER).await, doomed == OTHER, "there is room, unless it failed itself");
    }
}

#[tokio::test]
async fn what_is_there_is_decoded_once_for_all_who_wait() {
    for (shape, tokens) in SHAPES.into_iter().flat_map(|shape| [(shape, true), (shape, false)]) {
        let mut settings = MemSettings::default();
        settings.values = Values::Encoded;
        let rig = Rig::over(&settings, |promised| promised.tokens(tokens), |builder| builder);
        let mut load = rig.loading(shape, Counted("loaded".to_owned())).await;
        let joined: Vec<_> =
            (0..100).map(|_| rig.load(Shape::One, Counted("of no use".to_owned())).caller).collect();
        settle().await;
        assert_eq!(rig.cache.stats().load_waits, 100);
        rig.put(KEY, "there".to_owned()).await;
        let before = decoded();
        load.end_loader();
        let first = values(load.caller).await.remove(KEY).expect("it is one of its keys");
        assert_eq!(first.0, "there");
        for caller in joined {
            assert!(Arc::ptr_eq(&values(caller).await[KEY], &first), "they share it");
        }
        assert_eq!(decoded() - before, 1);
    }
}

/// It was refused, whatever it was refused for.
#[tokio::test]
async fn what_is_refused_and_cannot_be_looked_at_in_time_has_been_refused() {
    for shape in SHAPES {
        let rig = Rig::with(true, |builder| builder.deadline(DEADLINE));
        let load = rig.loading(shape, LOADED).await;
        rig.put(KEY, 5_i64).await;
        let (load, _look) = hold_look(&rig, load).await;
        rig.clock.pass(DEADLINE + ms(12)).await;
        assert_eq!(got(&rig, load).await, LOADED);
        assert_eq!(rig.stored(KEY).await, Some(5_i64));
        assert_eq!(counted(&rig, shape), (0, 1, 0));
    }
}
