//! Every way to write a key, at every moment of a load of it, whatever becomes
//! of the write: what is expected follows from a model of a few lines.

mod loads_voiding_rig;

use cache_core::{ErrorKind, Timeout};
use cache_testkit::Gate;
use tokio::task::JoinHandle;

use loads_voiding_rig::write::{Via, WRITTEN, Write};
use loads_voiding_rig::{HeldLoad, KEY, OTHER, PUBLISHES, Rig, Shape, hold_load, settle, values};

/// What the load gives that the write meets.
const LOADED: i64 = 100;

/// What a caller's loader gives who comes after the write.
const ANEW: i64 = 200;

/// How far the load is when the write is called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// It has read that there is nothing, and has yet to claim the key.
    Missed,
    Loading,
    /// The value is on its way, and the store has done nothing yet.
    Publishing,
    /// The store has it, and nobody knows.
    Published,
    Done,
}

/// What becomes of the write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Succeeds,
    FailsBefore,
    FailsAfter,
    /// Dropped while it is in the store, which has done nothing yet.
    DroppedBefore,
    /// Dropped when the store has done it.
    DroppedAfter,
    /// Dropped while it waits for a publish, where it does.
    DroppedWaiting,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    shape: Shape,
    tokens: bool,
    moment: Moment,
    write: Write,
    fate: Fate,
    via: Via,
}

/// What everybody gets in the end.
#[derive(Debug, PartialEq, Eq)]
struct Ending {
    /// `None` if the write was dropped.
    write: Option<Result<(), ErrorKind>>,
    /// Those who asked before the write.
    before: i64,
    /// Who asked after it.
    after: i64,
    stored: Option<i64>,
    /// Of the key that a batch loads beside it, and nobody else.
    other: Option<i64>,
    voided: u64,
}

impl Moment {
    const ALL: [Self; 5] = [Self::Missed, Self::Loading, Self::Publishing, Self::Published, Self::Done];

    fn publishes(self) -> bool {
        matches!(self, Self::Publishing | Self::Published)
    }
}

impl Fate {
    const ALL: [Self; 6] = [
        Self::Succeeds,
        Self::FailsBefore,
        Self::FailsAfter,
        Self::DroppedBefore,
        Self::DroppedAfter,
        Self::DroppedWaiting,
    ];
}

impl Cell {
    fn waits(self) -> bool {
        self.moment.publishes() && (self.write.removes() || !self.tokens)
    }

    fn all(shape: Shape, tokens: bool) -> impl Iterator<Item = Self> {
        let cells = Moment::ALL.into_iter().flat_map(move |moment| {
            Write::ALL.into_iter().flat_map(move |write| {
                Fate::ALL.into_iter().flat_map(move |fate| {
                    Via::ALL.map(|via| Self { shape, tokens, moment, write, fate, via })
                })
            })
        });
        cells.filter(|cell| cell.fate != Fate::DroppedWaiting || cell.waits())
    }

    /// A store of one cell, in which things happen one after the other.
    fn expected(self) -> Ending {
        let (mut stored, mut before) = (None, LOADED);
        // Only if nothing is there; else those who wait get what is.
        let publish = |stored: &mut Option<i64>| *stored.get_or_insert(LOADED);
        let is_first = match self.moment {
            Moment::Missed | Moment::Loading => false,
            Moment::Publishing => self.waits() && self.fate != Fate::DroppedWaiting,
            Moment::Published | Moment::Done => true,
        };
        if is_first {
            before = publish(&mut stored);
        }
        let write = match self.fate {
            Fate::Succeeds => Some(self.write.apply(&mut stored)),
            Fate::FailsBefore => Some(Err(ErrorKind::Server)),
            Fate::FailsAfter => {
                let _ = self.write.apply(&mut stored);
                Some(Err(ErrorKind::Server))
            }
            Fate::DroppedAfter => {
                let _ = self.write.apply(&mut stored);
                None
            }
            Fate::DroppedBefore | Fate::DroppedWaiting => None,
        };
        // Who comes now finds something, or loads it.
        let after = *stored.get_or_insert(ANEW);
        let is_last = matches!(self.moment, Moment::Missed | Moment::Publishing) && !is_first;
        if is_last {
            before = publish(&mut stored);
        }
        let clears = self.write == Write::Clear;
        let other = self.expected_of_other(clears);
        let voids_other = u64::from(clears && self.shape == Shape::Batch);
        let voided = if self.moment == Moment::Loading { 1 + voids_other } else { 0 };
        Ending { write, before, after, stored, other, voided }
    }

    /// Nothing but a clear touches it.
    fn expected_of_other(self, clears: bool) -> Option<i64> {
        let has_effect = matches!(self.fate, Fate::Succeeds | Fate::FailsAfter | Fate::DroppedAfter);
        let is_gone = match self.moment {
            Moment::Missed => false,
            // Voided, whether or not the clear came to anything.
            Moment::Loading => clears,
            Moment::Publishing | Moment::Published | Moment::Done => clears && has_effect,
        };
        (self.shape == Shape::Batch && !is_gone).then_some(LOADED)
    }

    /// Plays it.
    async fn play(self) -> Ending {
        let rig = Rig::new(self.tokens);
        if let Some(version) = self.write.source() {
            let source = rig.elsewhere.at_version(version);
            source.aset(KEY, &WRITTEN, Timeout::Forever).await.expect("a healthy store");
        }
        let (load, joined, gate) = self.bring_to_moment(&rig).await;
        let write = self.write(&rig, &gate).await;
        let after = rig.come(self.shape, ANEW).await;
        let mut load = load;
        match self.moment {
            Moment::Missed | Moment::Loading => load.end_loader(),
            Moment::Publishing | Moment::Published | Moment::Done => {}
        }
        gate.open();
        let got = values(load.caller).await;
        let before = *got[KEY];
        if let Some(joined) = joined {
            assert_eq!(values(joined.caller).await[KEY], got[KEY], "all of one load get the same");
        }
        if self.shape == Shape::Batch {
            assert_eq!(*got[OTHER], LOADED);
        }
        settle().await;
        assert!(rig.is_quiet(), "nothing is left");
        let stored = rig.stored(KEY).await;
        let other = rig.stored(OTHER).await;
        let voided = rig.cache.stats().loads_voided;
        Ending { write, before, after: *after, stored, other, voided }
    }

    /// The load, another caller who waits for it, and the gate where it is held
    /// if not in its loader.
    async fn bring_to_moment(self, rig: &Rig) -> (HeldLoad<i64>, Option<HeldLoad<i64>>, Gate) {
        if self.moment == Moment::Missed {
            let gate = rig.hold_read();
            let load = rig.load(self.shape, LOADED);
            gate.reached(1).await;
            return (load, None, gate);
        }
        let mut load = rig.loading(self.shape, LOADED).await;
        let joined = hold_load(&rig.cache, self.shape, &[KEY], -1);
        settle().await;
        assert_eq!(rig.cache.stats().load_waits, 1, "it waits");
        let on = rig.faulty.on(PUBLISHES).times(1);
        let gate = if self.moment == Moment::Published { on.after().pause() } else { on.pause() };
        match self.moment {
            Moment::Missed => {}
            Moment::Loading => {
                // The publish is that of others, if it is any.
                gate.open();
                rig.faulty.heal();
            }
            Moment::Publishing | Moment::Published => {
                load.end_loader();
                gate.reached(1).await;
            }
            Moment::Done => {
                gate.open();
                load.end_loader();
                settle().await;
                assert!(load.caller.is_finished() && rig.is_quiet());
            }
        }
        (load, Some(joined), gate)
    }

    /// Writes, and lets the publish go if the write has to wait for it.
    async fn write(self, rig: &Rig, publish: &Gate) -> Option<Result<(), ErrorKind>> {
        let call = self.write.call();
        let on = rig.faulty.on([call]).times(1);
        let gate = match self.fate {
            Fate::Succeeds | Fate::DroppedWaiting => None,
            Fate::FailsBefore => {
                on.fail(ErrorKind::Server);
                None
            }
            Fate::FailsAfter => {
                on.after().fail(ErrorKind::Server);
                None
            }
            Fate::DroppedBefore => Some(on.pause()),
            Fate::DroppedAfter => Some(on.after().pause()),
        };
        let begun = rig.faulty.begun(call);
        let cache = rig.cache.clone();
        let writer = tokio::spawn(async move { self.write.run(&cache, self.via).await });
        settle().await;
        assert_eq!(rig.faulty.begun(call) - begun, usize::from(!self.waits()), "it is sent unless it waits");
        if self.fate == Fate::DroppedWaiting {
            drop_now(writer).await;
            return None;
        }
        if self.waits() {
            publish.open();
        }
        if let Some(gate) = gate {
            gate.reached(1).await;
            drop_now(writer).await;
            return None;
        }
        settle().await;
        assert!(writer.is_finished(), "nothing is left to wait for");
        Some(writer.await.expect("no panic"))
    }
}

async fn drop_now<T>(task: JoinHandle<T>) {
    task.abort();
    assert!(task.await.is_err_and(|error| error.is_cancelled()), "it was under way");
}

async fn play_all(shape: Shape, tokens: bool) {
    for cell in Cell::all(shape, tokens) {
        let expected = cell.expected();
        // In a task, so that a panic does not hide of which cell it is.
        let ending = tokio::spawn(cell.play()).await;
        let ending = ending.unwrap_or_else(|panic| panic!("{cell:?}: {panic}"));
        assert_eq!(ending, expected, "{cell:?}");
    }
}

#[tokio::test]
async fn whatever_writes_a_key_voids_the_load_of_it() {
    play_all(Shape::One, true).await;
}

#[tokio::test]
async fn whatever_writes_a_key_voids_its_part_of_the_load_of_many() {
    play_all(Shape::Batch, true).await;
}

#[tokio::test]
async fn without_tokens_every_write_waits_for_a_publish() {
    play_all(Shape::One, false).await;
}

#[tokio::test]
async fn without_tokens_every_write_waits_for_the_publish_of_many() {
    play_all(Shape::Batch, false).await;
}
