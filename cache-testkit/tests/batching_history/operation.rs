//! One operation of a history, single or bulk, and what its answer says.

use cache_core::{AsyncCache, Entry, Format, Incr, Life, NewEntry, Read, Result, Scope, When, Write};
use fastrand::Rng;

use super::judge::{Condition, KEYS, Step, Sum};
use crate::batching_rig::{integer, key};

const NAMES: [&str; KEYS] = ["a", "b", "c"];

#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Get(usize),
    HasKey(usize),
    GetMany(Vec<usize>),
    Set(usize, i64, Condition),
    SetMany(Vec<(usize, i64)>),
    Touch(usize),
    Delete(usize),
    DeleteMany(Vec<usize>),
    Incr(usize),
    Move(usize, usize),
    Clear,
}

impl Operation {
    /// Mostly single reads and writes; each value is written once.
    pub(crate) fn random(dice: &mut Rng, value: &mut i64) -> Self {
        let place = dice.usize(0..KEYS);
        // The first key is the one that most quarrel about.
        let place = if dice.bool() { 0 } else { place };
        *value += 1_000;
        let some = |dice: &mut Rng| {
            let mut places: Vec<usize> = (0..KEYS).collect();
            dice.shuffle(&mut places);
            places.truncate(dice.usize(1..=KEYS));
            places
        };
        match dice.u8(0..64) {
            0..=21 => Self::Get(place),
            22..=41 => Self::Set(place, *value, Condition::Always),
            42 => Self::Set(place, *value, Condition::Absent),
            43 => Self::Set(place, *value, Condition::Present),
            44 => Self::HasKey(place),
            45 | 46 => Self::GetMany(some(dice)),
            47..=49 => Self::SetMany(some(dice).into_iter().map(|place| (place, *value + 100)).collect()),
            50 => Self::Touch(place),
            51..=55 => Self::Delete(place),
            56 | 57 => Self::DeleteMany(some(dice)),
            58..=61 => Self::Incr(place),
            62 => Self::Move(place, (place + dice.usize(1..KEYS)) % KEYS),
            _ => Self::Clear,
        }
    }

    /// The steps that it consists of, as yet without answers.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let set = |key, value, when| Step::Set { key, value, when, written: None };
        let delete = |key| Step::Delete { key, was_there: None };
        match self {
            Self::Get(key) => vec![Step::Read { key: *key, found: None }],
            Self::HasKey(key) => vec![Step::Has { key: *key, found: false }],
            Self::GetMany(keys) => keys.iter().map(|key| Step::Read { key: *key, found: None }).collect(),
            Self::Set(key, value, when) => vec![set(*key, *value, *when)],
            Self::SetMany(items) => {
                items.iter().map(|(key, value)| set(*key, *value, Condition::Always)).collect()
            }
            Self::Touch(key) => vec![Step::Touch { key: *key, found: None }],
            Self::Delete(key) => vec![delete(*key)],
            Self::DeleteMany(keys) => keys.iter().map(|key| delete(*key)).collect(),
            Self::Incr(key) => vec![Step::Incr { key: *key, sum: None }],
            Self::Move(from, to) => vec![Step::Move { from: *from, to: *to, moved: None }],
            Self::Clear => (0..KEYS).map(delete).collect(),
        }
    }

    /// Does it; gives for each of its steps the same with its answer, or how it failed.
    pub(crate) async fn run(&self, layer: &dyn AsyncCache) -> Result<Vec<Result<Step>>> {
        let format = Format::default();
        let entry = |value: i64| NewEntry::of(Entry::from_integer(value), &format);
        let write = Write::new(Life::Forever);
        let name = |place: &usize| key(NAMES[*place]);
        let steps = self.steps();
        let one = |step| Ok(vec![Ok(step)]);
        match self {
            Self::Get(place) => {
                let found = layer.aget(&name(place), Read::default()).await?;
                one(Step::Read { key: *place, found: found.map(|found| integer(&found)) })
            }
            Self::HasKey(place) => {
                let found = layer.ahas_key(&name(place), Read::default()).await?;
                one(Step::Has { key: *place, found })
            }
            Self::GetMany(places) => {
                let keys: Vec<_> = places.iter().map(name).collect();
                let found = layer.get_many(&keys, Read::default()).await?;
                assert_eq!(found.len(), places.len());
                let found = places.iter().zip(found);
                let step = |(key, found): (&usize, Option<_>)| Step::Read {
                    key: *key,
                    found: found.map(|found| integer(&found)),
                };
                Ok(found.map(|(key, found)| found.map(|found| step((key, found)))).collect())
            }
            Self::Set(place, value, when) => {
                let condition = match when {
                    Condition::Always => When::Always,
                    Condition::Absent => When::Absent,
                    Condition::Present => When::Present,
                };
                let written = layer.aset(&name(place), &entry(*value), write.when(condition)).await?;
                one(Step::Set { key: *place, value: *value, when: *when, written: Some(written) })
            }
            Self::SetMany(items) => {
                let sent: Vec<_> =
                    items.iter().map(|(place, value)| (name(place), entry(*value), write.clone())).collect();
                let written = layer.set_many(&sent).await?;
                assert_eq!(written.len(), items.len());
                let answered = steps.into_iter().zip(written);
                Ok(answered.map(|(step, written)| written.map(|_| step)).collect())
            }
            Self::Touch(place) => {
                let found = Some(layer.atouch(&name(place), Life::Forever).await?);
                one(Step::Touch { key: *place, found })
            }
            Self::Delete(place) => {
                let was_there = Some(layer.adelete(&name(place), &When::Always).await?);
                one(Step::Delete { key: *place, was_there })
            }
            Self::DeleteMany(places) => {
                let keys: Vec<_> = places.iter().map(name).collect();
                let deleted = layer.delete_many(&keys).await?;
                assert_eq!(deleted.len(), places.len());
                Ok(steps.into_iter().zip(deleted).map(|(step, deleted)| deleted.map(|()| step)).collect())
            }
            Self::Incr(place) => {
                let sum = Some(Sum(layer.aincr(&name(place), Incr::by(1)).await?));
                one(Step::Incr { key: *place, sum })
            }
            Self::Move(from, to) => {
                let moved = Some(layer.amove(&name(from), &name(to)).await?);
                one(Step::Move { from: *from, to: *to, moved })
            }
            Self::Clear => {
                layer.aclear(&Scope::all()).await?;
                Ok(steps.into_iter().map(Ok).collect())
            }
        }
    }
}
