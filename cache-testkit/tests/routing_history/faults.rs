//! What happens to the servers of a history, millisecond by millisecond.

use std::time::Duration;

use cache_core::ErrorKind;
use cache_testkit::{Call, Faulty};
use fastrand::Rng;

use super::judge::Judge;
use crate::routing_rig::{Rig, ms};

/// What may be wrong with a server, not with a call.
const KINDS: [ErrorKind; 8] = [
    ErrorKind::Deadline,
    ErrorKind::Connection,
    ErrorKind::Server,
    ErrorKind::Auth,
    ErrorKind::Missing,
    ErrorKind::Overloaded,
    ErrorKind::Closed,
    ErrorKind::ReadOnly,
];

const WRITES: [Call; 7] =
    [Call::Set, Call::Incr, Call::Delete, Call::Move, Call::SetMany, Call::DeleteMany, Call::Touch];

const READS: [Call; 4] = [Call::Get, Call::HasKey, Call::Life, Call::GetMany];

/// The servers as they are, and how often something happens to them.
pub(crate) struct Faults {
    dice: Rng,
    servers: Vec<Server>,
}

struct Server {
    /// Of a thousand milliseconds, in how many it repeats something.
    speed: u16,
    cut_off: bool,
    /// Whether something was commanded.
    ill: bool,
    /// Whether the leader answers nothing.
    silent: bool,
}

impl Faults {
    pub(crate) fn new(mut dice: Rng, servers: usize) -> Self {
        let speeds = [20, 100, 400, 1_000];
        let servers = (0..servers)
            .map(|_| Server { speed: speeds[dice.usize(0..4)], cut_off: false, ill: false, silent: false })
            .collect();
        Self { dice, servers }
    }

    /// What happens in one millisecond.
    pub(crate) fn happen(&mut self, rig: &Rig, judge: &Judge) {
        for place in 0..self.servers.len() {
            let is_leader = place == 0;
            if !is_leader {
                self.follow(rig, place);
            }
            let chance = if is_leader { 8 } else { 25 };
            if self.dice.u16(0..1_000) < chance {
                if self.servers[place].ill || self.dice.u8(0..3) == 0 {
                    self.heal(rig, place);
                } else if is_leader {
                    self.harm_leader(rig);
                } else {
                    self.harm_replica(rig, place);
                }
            }
        }
        if self.servers[0].silent || rig.trips.first().is_some_and(|trip| trip.is_down()) {
            judge.leader_is_in_trouble(rig.now());
        }
    }

    pub(crate) fn end(&mut self, rig: &Rig) {
        (0..self.servers.len()).for_each(|place| self.heal(rig, place));
        rig.replicate();
    }

    fn heal(&mut self, rig: &Rig, place: usize) {
        rig.faulty[place].heal();
        let server = &mut self.servers[place];
        (server.ill, server.silent, server.cut_off) = (false, false, false);
    }

    fn follow(&mut self, rig: &Rig, place: usize) {
        let server = &mut self.servers[place];
        if self.dice.u16(0..1_000) < 5 {
            server.cut_off = !server.cut_off;
        }
        if !server.cut_off && self.dice.u16(0..1_000) < server.speed {
            let writes = if self.dice.bool() { usize::MAX } else { self.dice.usize(1..4) };
            rig.servers[place].catch_up(writes);
        }
    }

    fn harm_leader(&mut self, rig: &Rig) {
        let leader = rig.leader();
        self.servers[0].ill = true;
        let dice = &mut self.dice;
        match dice.u8(0..6) {
            0 => {
                leader.on(Call::ALL).stall();
                self.servers[0].silent = true;
            }
            1 => {
                leader.on(Call::ALL).fail(ErrorKind::Connection);
                self.servers[0].silent = true;
            }
            2 => delay(dice, rig, leader, ms(5)),
            3 => leader.on(WRITES).times(1).fail(any(dice)),
            // It takes effect, and nobody hears of it.
            4 => leader.on(WRITES).times(1).after().fail(any(dice)),
            _ => leader.on(WRITES).times(1).stall(),
        }
    }

    fn harm_replica(&mut self, rig: &Rig, place: usize) {
        let replica = rig.replica(place);
        self.servers[place].ill = true;
        let dice = &mut self.dice;
        match dice.u8(0..9) {
            0 => replica.on(Call::ALL).stall(),
            1 => replica.on(Call::ALL).fail(ErrorKind::Connection),
            2 => replica.on(Call::ALL).fail(any(dice)),
            3 => replica.load(),
            4 => delay(dice, rig, replica, ms(35)),
            5 => replica.on(READS).fail(any(dice)),
            6 => {
                let last = char::from(b'a' + dice.u8(0..3));
                replica.on([Call::GetMany]).keys(move |text| text.ends_with(last)).fail(any(dice));
            }
            7 => replica.on([Call::Ping]).stall(),
            _ => replica.on(READS).stall(),
        }
    }
}

fn any(dice: &mut Rng) -> ErrorKind {
    KINDS[dice.usize(0..KINDS.len())]
}

/// In part before, and in part after its work; of each so much at most.
fn delay(dice: &mut Rng, rig: &Rig, server: &Faulty, most: Duration) {
    let mut part = || ms(dice.u64(0..=u64::try_from(most.as_millis()).expect("short")));
    server.on(Call::ALL).delay(rig.time(), part());
    server.on(Call::ALL).after().delay(rig.time(), part());
}
