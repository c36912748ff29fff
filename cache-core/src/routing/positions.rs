//! How old a replica's data is, from positions in its leader's writes.

use std::collections::VecDeque;

use crate::clock::Tick;

/// Where a server is: a position in a history of writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) history: u64,
    pub(super) position: u64,
}

/// Where the leader was, and when.
#[derive(Debug, Default)]
pub(super) struct Positions {
    history: u64,
    /// Rising positions, each with the last time at which the leader had got
    /// at least so far and we asked.
    samples: VecDeque<(u64, Tick)>,
    /// Since the last sample the leader has not answered, up to now.
    silent: Option<Tick>,
}

/// More are not kept: a replica that is further behind is as old as it was.
const MOST: usize = 256;

impl Positions {
    /// The leader was there when it was asked after `asked`. One that has gone
    /// back is another leader, or the same one without its data.
    pub(super) fn leader_at(&mut self, Place { history, position }: Place, asked: Tick) {
        self.silent = None;
        if history != self.history {
            self.samples.clear();
            self.history = history;
        }
        match self.samples.back_mut() {
            Some((last, at)) if *last == position => *at = asked.max(*at),
            Some((last, _)) if *last > position => {
                self.samples.clear();
                self.samples.push_back((position, asked));
            }
            _ => self.samples.push_back((position, asked)),
        }
        if self.samples.len() > MOST {
            self.samples.pop_front();
        }
    }

    /// The leader does not answer: as far as is known it is where it was, until
    /// it says otherwise.
    pub(super) fn leader_silent(&mut self, now: Tick) {
        self.silent = Some(now);
    }

    /// From when on a replica there may lack writes: it has all that the leader
    /// had then. One in another history has begun anew with the leader, if that
    /// has not answered since; else it follows what the leader was before.
    pub(super) fn reached(&self, Place { history, position }: Place) -> Option<Tick> {
        if history != self.history {
            return self.silent;
        }
        let reached = self.samples.partition_point(|(sample, _)| *sample <= position);
        let (_, at) = self.samples.get(reached.checked_sub(1)?)?;
        let has_all = reached == self.samples.len();
        Some(self.silent.filter(|_| has_all).map_or(*at, |now| now.max(*at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Tick {
        Tick::from_nanos(seconds * 1_000_000_000)
    }

    fn first(position: u64) -> Place {
        Place { history: 0, position }
    }

    #[test]
    fn positions_of_two_histories_do_not_compare() {
        let second = |position| Place { history: 2, position };
        let mut positions = Positions::default();
        positions.leader_at(first(100), at(1));
        assert_eq!(positions.reached(second(500)), None);
        positions.leader_silent(at(2));
        assert_eq!(positions.reached(second(5)), Some(at(2)));
        positions.leader_at(second(7), at(3));
        assert_eq!(positions.reached(first(100)), None);
        assert_eq!(positions.reached(second(7)), Some(at(3)));
    }

    #[test]
    fn positions_of_a_history_that_has_ended_are_forgotten() {
        let second = |position| Place { history: 2, position };
        let mut positions = Positions::default();
        positions.leader_at(first(100), at(1));
        positions.leader_at(second(500), at(3));
        assert_eq!(positions.reached(second(200)), None);
        assert_eq!(positions.reached(second(500)), Some(at(3)));
    }

    #[test]
    fn an_answer_that_comes_late_makes_nothing_older() {
        let mut positions = Positions::default();
        positions.leader_at(first(10), at(5));
        positions.leader_at(first(10), at(4));
        assert_eq!(positions.reached(first(10)), Some(at(5)));
    }

    #[test]
    fn a_leader_that_stays_where_it_is_takes_no_room() {
        let mut positions = Positions::default();
        positions.leader_at(first(10), at(1));
        (2..10_000).for_each(|step| positions.leader_at(first(20), at(step)));
        assert_eq!(positions.reached(first(19)), Some(at(1)));
    }

    #[test]
    fn a_replica_is_as_old_as_the_last_position_that_it_has_reached() {
        let mut positions = Positions::default();
        assert_eq!(positions.reached(first(7)), None);
        positions.leader_at(first(10), at(1));
        positions.leader_at(first(10), at(2));
        positions.leader_at(first(30), at(3));
        positions.leader_at(first(40), at(4));
        assert_eq!(positions.reached(first(9)), None);
        assert_eq!(positions.reached(first(10)), Some(at(2)));
        assert_eq!(positions.reached(first(39)), Some(at(3)));
        assert_eq!(positions.reached(first(50)), Some(at(4)));
    }

    #[test]
    fn behind_a_silent_leader_whoever_has_everything_does_not_age() {
        let mut positions = Positions::default();
        positions.leader_silent(at(1));
        assert_eq!(positions.reached(first(0)), None);
        positions.leader_at(first(10), at(2));
        positions.leader_at(first(20), at(3));
        positions.leader_silent(at(9));
        assert_eq!(positions.reached(first(20)), Some(at(9)));
        assert_eq!(positions.reached(first(19)), Some(at(2)));
        // It had gone on before it fell silent.
        positions.leader_at(first(30), at(10));
        assert_eq!(positions.reached(first(20)), Some(at(3)));
    }

    #[test]
    fn a_leader_that_has_gone_back_begins_anew() {
        let mut positions = Positions::default();
        positions.leader_at(first(100), at(1));
        positions.leader_at(first(5), at(2));
        assert_eq!(positions.reached(first(4)), None);
        assert_eq!(positions.reached(first(5)), Some(at(2)));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut positions = Positions::default();
        (0..10_000).for_each(|step| positions.leader_at(first(step), at(step)));
        assert_eq!(positions.samples.len(), MOST);
        assert_eq!(positions.reached(first(9_999)), Some(at(9_999)));
        assert_eq!(positions.reached(first(0)), None);
    }
}
