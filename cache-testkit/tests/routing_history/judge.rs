//! What a read may see, by what the leader had written.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use cache_core::Tick;

use crate::routing_rig::{Rig, Tells, key, ms};

/// An answer may be on its way that long, as the leader is delayed here.
const ON_ITS_WAY: Duration = ms(12);

/// Knows what the leader had at any time, and for how long what was written
/// here has to be seen.
#[derive(Debug)]
pub(crate) struct Judge {
    max_lag: Option<Duration>,
    window: Option<Duration>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Until when each key has to come from the leader, and all of them.
    own: HashMap<&'static str, Tick>,
    all: Option<Tick>,
    /// When the leader did not answer, or was known to be down.
    troubles: Vec<(Tick, Tick)>,
    last_trouble: Option<Tick>,
}

/// What was known when a read began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    pub(crate) at: Tick,
    position: usize,
    only_leader: bool,
}

/// A write, which ends when this is dropped, however it ends.
pub(crate) struct Writing<'a> {
    judge: &'a Judge,
    rig: &'a Rig,
    /// None: all.
    keys: Option<Vec<&'static str>>,
}

/// How a read is related to the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Saw {
    /// What the leader had while the read went on.
    Present,
    /// What it had before, and not too long ago.
    Past,
}

impl Judge {
    pub(crate) fn new(max_lag: Option<Duration>, window: Option<Duration>) -> Self {
        Self { max_lag, window, state: Mutex::default() }
    }

    pub(crate) fn write<'a>(&'a self, rig: &'a Rig, keys: Option<Vec<&'static str>>) -> Writing<'a> {
        Writing { judge: self, rig, keys }
    }

    /// Tells it, once a millisecond, that the leader is not well until the next.
    pub(crate) fn leader_is_in_trouble(&self, now: Tick) {
        let next = now.after(ms(1));
        let mut state = self.state();
        state.last_trouble = Some(next);
        match state.troubles.last_mut() {
            Some((_, until)) if *until >= now => *until = next,
            _ => state.troubles.push((now, next)),
        }
    }

    /// Whether the leader was well since then.
    pub(crate) fn leader_was_well_since(&self, at: Tick) -> bool {
        self.state().last_trouble.is_none_or(|trouble| trouble < at)
    }

    pub(crate) fn begin(&self, rig: &Rig, name: &'static str, only_leader: bool) -> Begun {
        let at = rig.now();
        let state = self.state();
        let is_own = |until: &Tick| *until > at.after(ms(1));
        let own = state.own.get(name).is_some_and(is_own) || state.all.as_ref().is_some_and(is_own);
        Begun { at, position: rig.log.position(), only_leader: only_leader || own }
    }

    /// Whether a read that began like this and ends now may see such a value.
    pub(crate) fn judge(
        &self,
        rig: &Rig,
        name: &'static str,
        begun: Begun,
        seen: impl Fn(Option<i64>) -> bool,
    ) -> Result<Saw, String> {
        let oldest = self.oldest(rig, begun);
        let text = key(name).text().into_owned();
        let written = rig.log.written();
        let (mut value, mut past) = (None, false);
        for position in 0..=written.len() {
            if position > 0 {
                value = written[position - 1].change.makes_of(&text, value);
            }
            if seen(value) && position >= begun.position {
                return Ok(Saw::Present);
            }
            past |= seen(value) && position >= oldest;
        }
        if past {
            return Ok(Saw::Past);
        }
        Err(format!("{begun:?}, the oldest is {oldest}, it ended at {:?}; {written:?}", rig.now()))
    }

    /// The oldest position that may be seen.
    fn oldest(&self, rig: &Rig, begun: Begun) -> usize {
        if begun.only_leader {
            return begun.position;
        }
        let Some(max_lag) = self.max_lag else { return 0 };
        let from = match rig.tells() {
            Tells::Nothing => return 0,
            Tells::Ages => begun.at,
            Tells::Positions => self.known_at(rig, begun.at),
        };
        let from = earlier(from, max_lag + rig.coarse_by());
        let written = rig.log.written();
        // It ended by the next write.
        written.iter().position(|next| next.at >= from).unwrap_or(written.len()).min(begun.position)
    }

    /// Behind a leader that does not answer nothing ages: when its position was
    /// last known, before that.
    fn known_at(&self, rig: &Rig, at: Tick) -> Tick {
        let mut known = at;
        for (began, ended) in self.state().troubles.iter().rev() {
            if *began > known {
                continue;
            }
            let leader = &rig.servers[0];
            let answered = leader.last_ping(earlier(known, ON_ITS_WAY));
            if answered.is_some_and(|answered| answered > *ended) {
                return known;
            }
            known = leader.last_ping(*began).map_or(Tick::from_nanos(0), |ping| earlier(ping, ON_ITS_WAY));
        }
        known
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics under it")
    }
}

fn earlier(tick: Tick, duration: Duration) -> Tick {
    Tick::from_nanos(tick.as_nanos().saturating_sub(nanos(duration)))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("short")
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let Some(window) = self.judge.window else { return };
        let until = self.rig.now().after(window);
        let mut state = self.judge.state();
        match &self.keys {
            None => state.all = Some(until),
            Some(keys) => keys.iter().for_each(|key| {
                state.own.insert(key, until);
            }),
        }
    }
}
