//! A task that does random operations, and judges what it sees.

use std::sync::Arc;
use std::time::Duration;

use cache_core::{
    AsyncCache, Entry, Error, ErrorKind, Expiry, Format, Found, Incr, Key, Life, NewEntry, Read, Result,
    Scope, When, Write,
};
use fastrand::Rng;

use super::History;
use super::judge::{Begun, Saw};
use super::tally::Tally;
use crate::routing_rig::{DEADLINE, GRACE, integer, key, ms};

pub(crate) const KEYS: [&str; 3] = ["a", "b", "c"];

pub(crate) struct Caller {
    pub(crate) history: Arc<History>,
    pub(crate) dice: Rng,
}

/// How a read is made, and what it promises.
#[derive(Clone, Copy)]
struct How {
    read: Read,
    only_leader: bool,
}

impl Caller {
    pub(crate) async fn run(mut self) {
        for _ in 0..self.dice.usize(4..14) {
            let pause = ms(self.dice.u64(0..25));
            self.history.sleep(pause).await;
            // Some do not wait for the answer.
            let patience = (self.dice.u8(0..3) == 0).then(|| ms(self.dice.u64(0..50)));
            let history = Arc::clone(&self.history);
            let patient = async {
                match patience {
                    Some(patience) => history.sleep(patience).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.acts() => {}
                () = patient => history.tally.add(|tally| &mut tally.dropped),
            }
        }
    }

    async fn acts(&mut self) {
        match self.dice.u8(0..20) {
            0..=8 => self.reads_one().await,
            9..=11 => self.reads_many().await,
            12 => {
                let routing = &self.history.rig.routing;
                let _ = self.in_time(routing.aping(), DEADLINE).await;
            }
            _ => self.writes().await,
        }
    }

    fn how(&mut self) -> (How, Duration) {
        let mut how = How { read: Read::default(), only_leader: false };
        let mut time = DEADLINE;
        match self.dice.u8(0..10) {
            0 => how = How { read: Read::LEADER, only_leader: true },
            1 => how = How { read: Read::default().with_token(), only_leader: true },
            2 | 3 => {
                time = ms(self.dice.u64(60..100));
                how.read = how.read.until(self.history.rig.now().after(time));
            }
            _ => {}
        }
        (how, time)
    }

    async fn reads_one(&mut self) {
        let (how, time) = self.how();
        let name = KEYS[self.dice.usize(0..KEYS.len())];
        let history = &*self.history;
        let begun = history.judge.begin(&history.rig, name, how.only_leader);
        let routing = &history.rig.routing;
        match self.dice.u8(0..4) {
            0 => {
                let there = self.in_time(routing.ahas_key(&key(name), how.read), time).await;
                self.sees_whether(name, begun, there);
            }
            1 => {
                let life = self.in_time(routing.alife(&key(name), how.read), time).await;
                self.sees_whether(name, begun, life.map(|life| life.is_some()));
            }
            _ => {
                let found = self.in_time(routing.aget(&key(name), how.read), time).await;
                self.sees(name, begun, found);
            }
        }
    }

    async fn reads_many(&mut self) {
        let (how, time) = self.how();
        let names: Vec<_> = (0..self.dice.usize(1..5)).map(|_| KEYS[self.dice.usize(0..3)]).collect();
        let keys: Vec<Key<'_>> = names.iter().map(|name| key(name)).collect();
        let history = &*self.history;
        let begun: Vec<_> =
            names.iter().map(|name| history.judge.begin(&history.rig, name, how.only_leader)).collect();
        let found = self.in_time(history.rig.routing.get_many(&keys, how.read), time).await;
        match found {
            Ok(found) => {
                assert_eq!(found.len(), names.len());
                for ((name, begun), found) in names.iter().zip(begun).zip(found) {
                    self.sees(name, begun, found);
                }
            }
            Err(error) => self.fails(begun[0], &error),
        }
    }

    fn sees(&self, name: &'static str, begun: Begun, found: Result<Option<Found>>) {
        match found.map(integer) {
            Ok(seen) => self.judges(name, begun, &format!("{seen:?}"), |value| value == seen),
            Err(error) => self.fails(begun, &error),
        }
    }

    fn sees_whether(&self, name: &'static str, begun: Begun, there: Result<bool>) {
        match there {
            Ok(there) => {
                self.judges(name, begun, &format!("there: {there}"), |value| value.is_some() == there);
            }
            Err(error) => self.fails(begun, &error),
        }
    }

    fn judges(&self, name: &'static str, begun: Begun, what: &str, seen: impl Fn(Option<i64>) -> bool) {
        let history = &*self.history;
        match history.judge.judge(&history.rig, name, begun, seen) {
            Ok(Saw::Present) => history.tally.add(|tally| &mut tally.present),
            Ok(Saw::Past) => history.tally.add(|tally| &mut tally.past),
            Err(why) => panic!("{}: {name} was {what}: {why}", history.name),
        }
    }

    fn fails(&self, begun: Begun, error: &Error) {
        let history = &*self.history;
        let is_down = history.rig.trips.first().is_some_and(|leader| leader.is_down());
        assert!(
            is_down || !history.judge.leader_was_well_since(begun.at),
            "{}: the leader is well, and a read of {begun:?} fails at {:?}: {error:?}",
            history.name,
            history.rig.now(),
        );
        history.tally.add(|tally| &mut tally.failed);
    }

    /// What it answers, which has to be soon: without a trip as a handle has it.
    async fn in_time<T>(&self, call: impl Future<Output = Result<T>>, time: Duration) -> Result<T> {
        let history = &*self.history;
        let began = history.rig.now();
        let timer = &history.rig.opening.timer;
        let answer = if history.rig.trips.is_empty() || time < DEADLINE {
            timer.limit(began.after(time), call).await.unwrap_or_else(|expiry| match expiry {
                Expiry::Elapsed => Err(Error::new(ErrorKind::Deadline, "the caller gives up")),
                expiry => Err(expiry.into()),
            })
        } else {
            call.await
        };
        let took = history.rig.now().since(began);
        assert!(took <= time + GRACE, "{}: it takes {took:?} instead of {time:?}", history.name);
        answer
    }

    async fn writes(&mut self) {
        let format = Format::default();
        let name = KEYS[self.dice.usize(0..3)];
        let other = KEYS[self.dice.usize(0..3)];
        let history = Arc::clone(&self.history);
        let routing = &history.rig.routing;
        let value = history.next_value();
        let entry = |value| NewEntry::of(Entry::from_integer(value), &format);
        let write = || Write::new(Life::Forever);
        let (name_key, other_key) = (key(name), key(other));
        let which = self.dice.u8(0..40);
        let keys = match which {
            0 | 39 => None,
            1..=9 => Some(vec![name, other]),
            _ => Some(vec![name]),
        };
        let _writing = history.judge.write(&history.rig, keys);
        let outcome = match which {
            0 | 39 => self.in_time(routing.aclear(&Scope::of_prefix("rig")), DEADLINE).await,
            1..=3 if name != other => {
                self.in_time(routing.amove(&name_key, &other_key), DEADLINE).await.map(drop)
            }
            1..=6 => {
                let items = [(name_key, entry(value), write()), (other_key, entry(-value), write())];
                self.in_time(routing.set_many(&items), DEADLINE).await.map(drop)
            }
            7..=9 => self.in_time(routing.delete_many(&[name_key, other_key]), DEADLINE).await.map(drop),
            10..=13 => {
                let delete = routing.adelete(&name_key, &When::Always);
                self.in_time(delete, DEADLINE).await.map(drop)
            }
            14..=19 => {
                let incr = routing.aincr(&name_key, Incr::by(1_000_000));
                self.in_time(incr, DEADLINE).await.map(drop)
            }
            _ => self.in_time(routing.aset(&name_key, &entry(value), write()), DEADLINE).await.map(drop),
        };
        history
            .tally
            .add(|tally: &mut Tally| if outcome.is_ok() { &mut tally.written } else { &mut tally.unwritten });
    }
}
