//! Loads that begin while a write is under way: the write has voided what there
//! was when it was called for, and has yet to take effect.

mod loads_voiding_rig;

use cache_core::{ErrorKind, Loaded, Timeout};
use cache_testkit::{Call, Gate};
use tokio::task::JoinHandle;

use loads_voiding_rig::write::{Via, WRITTEN, Write};
use loads_voiding_rig::{HeldLoad, KEY, OTHER, Rig, Shape, settle, values};

/// What another process has put there, and the write is about to replace.
const OLD: i64 = 1;

const LOADED: i64 = 100;

/// What a caller's loader gives who comes after the write.
const ANEW: i64 = 200;

/// What becomes of the write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Succeeds,
    FailsBefore,
    FailsAfter,
    DroppedBefore,
    DroppedAfter,
}

impl Fate {
    const ALL: [Self; 5] =
        [Self::Succeeds, Self::FailsBefore, Self::FailsAfter, Self::DroppedBefore, Self::DroppedAfter];
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    shape: Shape,
    tokens: bool,
    write: Write,
    fate: Fate,
}

/// A write that is held in the store, which has done nothing yet.
struct HeldWrite {
    cell: Cell,
    writer: JoinHandle<Result<(), ErrorKind>>,
    before: Gate,
    after: Option<Gate>,
}

impl Cell {
    fn all() -> impl Iterator<Item = Self> {
        [Shape::One, Shape::Batch].into_iter().flat_map(|shape| {
            [true, false].into_iter().flat_map(move |tokens| {
                Write::ALL.into_iter().flat_map(move |write| {
                    Fate::ALL.into_iter().map(move |fate| Self { shape, tokens, write, fate })
                })
            })
        })
    }

    async fn rig(self) -> Rig {
        let rig = Rig::new(self.tokens);
        if let Some(version) = self.write.source() {
            let source = rig.elsewhere.at_version(version);
            source.aset(KEY, &WRITTEN, Timeout::Forever).await.expect("a healthy store");
        }
        rig
    }

    /// What is in the store after the write, if this was there before.
    fn written(self, mut stored: Option<i64>) -> Option<i64> {
        if matches!(self.fate, Fate::Succeeds | Fate::FailsAfter | Fate::DroppedAfter) {
            let _ = self.write.apply(&mut stored);
        }
        stored
    }

    async fn hold_write(self, rig: &Rig) -> HeldWrite {
        let on = || rig.faulty.on([self.write.call()]).times(1);
        let before = on().pause();
        let mut after = None;
        match self.fate {
            Fate::Succeeds | Fate::DroppedBefore => {}
            Fate::FailsBefore => on().fail(ErrorKind::Server),
            Fate::FailsAfter => on().after().fail(ErrorKind::Server),
            Fate::DroppedAfter => after = Some(on().after().pause()),
        }
        let cache = rig.cache.clone();
        let writer = tokio::spawn(async move { self.write.run(&cache, Via::OtherVersion).await });
        before.reached(1).await;
        HeldWrite { cell: self, writer, before, after }
    }
}

impl HeldWrite {
    async fn end(self) {
        let Self { cell, writer, before, after } = self;
        if cell.fate != Fate::DroppedBefore {
            before.open();
        }
        if let Some(after) = &after {
            after.reached(1).await;
        }
        if matches!(cell.fate, Fate::DroppedBefore | Fate::DroppedAfter) {
            writer.abort();
        }
        settle().await;
        assert!(writer.is_finished(), "it does not wait for who came after it");
        let fails = matches!(cell.fate, Fate::FailsBefore | Fate::FailsAfter);
        match writer.await {
            Ok(outcome) if fails => assert_eq!(outcome, Err(ErrorKind::Server)),
            Ok(_) => {}
            Err(error) => assert!(error.is_cancelled(), "no panic"),
        }
    }
}

async fn end_all(rig: &Rig, load: HeldLoad<i64>, expected: i64) {
    settle().await;
    let got = values(load.caller).await;
    assert_eq!(*got[KEY], expected, "who came before gets what the load found");
    if let Some(other) = got.get(OTHER) {
        assert_eq!(**other, LOADED);
    }
    assert!(rig.is_quiet(), "nothing is left");
}

async fn play_all<F: Future<Output = ()> + Send + 'static>(play: impl Fn(Cell) -> F) {
    for cell in Cell::all() {
        // In a task, so that a panic does not hide of which cell it is.
        if let Err(panic) = tokio::spawn(play(cell)).await {
            panic!("{cell:?}: {panic}");
        }
    }
}

#[tokio::test]
async fn one_that_still_loads_when_the_write_is_over_is_voided_too() {
    play_all(async |cell: Cell| {
        let rig = cell.rig().await;
        let write = cell.hold_write(&rig).await;
        let mut load = rig.loading(cell.shape, LOADED).await;
        write.end().await;
        let expected = cell.written(None).unwrap_or(ANEW);
        assert_eq!(*rig.come(cell.shape, ANEW).await, expected, "it does not join");
        load.end_loader();
        end_all(&rig, load, LOADED).await;
        assert_eq!(rig.stored(KEY).await, Some(expected), "it is not stored");
        let voids_other = cell.write == Write::Clear && cell.shape == Shape::Batch;
        assert_eq!(rig.cache.stats().loads_voided, 1 + u64::from(voids_other));
    })
    .await;
}

/// Nothing was there when the caller looked, so that it claims the key; what
/// came then is what it finds when it looks again.
#[tokio::test]
async fn one_that_looks_again_and_finds_the_old_entry_is_not_joined_after_the_write() {
    play_all(async |cell: Cell| {
        let rig = cell.rig().await;
        let first_read = rig.hold_read();
        let mut load = rig.load(cell.shape, LOADED);
        first_read.reached(1).await;
        // Another load of the key ends, for which the caller looks again.
        let not_stored = rig.cache.load(KEY).run(async || Loaded::not_stored(0_i64)).await;
        assert_eq!(*not_stored.expect("a value"), 0);
        rig.put(KEY, OLD).await;
        let write = cell.hold_write(&rig).await;
        let second_read = rig.hold_read();
        first_read.open();
        second_read.reached(1).await;
        write.end().await;
        let expected = cell.written(Some(OLD)).unwrap_or(ANEW);
        assert_eq!(*rig.come(cell.shape, ANEW).await, expected, "it does not join");
        second_read.open();
        load.end_loader();
        end_all(&rig, load, OLD).await;
        assert_eq!(rig.stored(KEY).await, Some(expected));
    })
    .await;
}

#[tokio::test]
async fn one_that_is_refused_by_the_old_entry_is_not_joined_after_the_write() {
    play_all(async |cell: Cell| {
        let rig = cell.rig().await;
        let first_read = rig.hold_read();
        let mut load = rig.load(cell.shape, LOADED);
        first_read.reached(1).await;
        rig.put(KEY, OLD).await;
        let write = cell.hold_write(&rig).await;
        first_read.open();
        load.has_begun().await;
        let look = rig.hold_read();
        load.end_loader();
        look.reached(1).await;
        write.end().await;
        let expected = cell.written(Some(OLD)).unwrap_or(ANEW);
        assert_eq!(*rig.come(cell.shape, ANEW).await, expected, "it does not join");
        look.open();
        end_all(&rig, load, OLD).await;
        assert_eq!(rig.stored(KEY).await, Some(expected));
        assert_eq!(rig.cache.stats().publishes_refused, 1);
    })
    .await;
}

/// The value that was to be replaced has been deleted meanwhile: it must not
/// be made anew, in whatever store.
#[tokio::test]
async fn one_that_is_about_to_replace_what_cannot_be_decoded_does_not_when_that_is_gone() {
    play_all(async |cell: Cell| {
        if cell.write == Write::Touch || matches!(cell.fate, Fate::FailsBefore | Fate::DroppedBefore) {
            // What leaves it unchanged lets it be replaced.
            return;
        }
        let rig = cell.rig().await;
        let mut load = rig.loading(cell.shape, LOADED).await;
        rig.put_garbage(KEY).await;
        let look = rig.hold_read();
        load.end_loader();
        look.reached(1).await;
        // What has tokens is written without waiting, unless it removes.
        let cache = rig.cache.clone();
        let writer = tokio::spawn(async move { cell.write.run(&cache, Via::Clone).await });
        settle().await;
        let waits = cell.write.removes() || !cell.tokens;
        assert_eq!(!writer.is_finished(), waits);
        look.open();
        let outcome = writer.await.expect("no panic");
        let got = values(load.caller).await;
        let stored = rig.stored::<i64>(KEY).await;
        match cell.write {
            write if write.leaves_nothing() => assert_eq!(stored, None),
            Write::Set | Write::SetMany | Write::MoveHere | Write::MoveHereDownwards => {
                assert_eq!(stored, Some(WRITTEN), "the newer value stays");
            }
            // What cannot be decoded is in their way, and stays: the load is void.
            Write::Add => assert_eq!((stored, outcome), (None, Ok(()))),
            _ => assert_eq!((stored, outcome), (None, Err(ErrorKind::NotAnInteger))),
        }
        assert_eq!(*got[KEY], LOADED);
        settle().await;
        assert!(rig.is_quiet(), "nothing is left");
    })
    .await;
}

/// It voids what is on its way, and then does not remove it.
#[tokio::test]
async fn one_that_claims_after_a_clear_that_failed_finds_what_had_been_on_its_way() {
    for shape in [Shape::One, Shape::Batch] {
        let rig = Rig::new(true);
        let first_read = rig.hold_read();
        let mut late = rig.load(Shape::One, ANEW);
        first_read.reached(1).await;
        let publish = rig.hold_publish();
        let mut load = rig.load(shape, LOADED);
        load.end_loader();
        publish.reached(1).await;
        rig.faulty.on([Call::Clear]).times(1).fail(ErrorKind::Server);
        let cache = rig.cache.clone();
        let clear = tokio::spawn(async move { cache.aclear().await });
        settle().await;
        publish.open();
        clear.await.expect("no panic").expect_err("it fails");
        first_read.open();
        late.end_loader();
        end_all(&rig, late, LOADED).await;
        end_all(&rig, load, LOADED).await;
        assert_eq!(rig.cache.stats().loads, 1, "it looks again before it loads");
    }
}
