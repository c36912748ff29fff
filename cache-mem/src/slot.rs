//! What stands under a key: an entry, until when, and how much it weighs.

use std::time::Duration;

use cache_core::{Clock, Entry, Life, Tick, Token};

use crate::key::StoredKey;

/// What stands under a key.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) entry: Entry,
    /// [`Tick::NEVER`] if it does not expire, so that a hit needs no clock.
    pub(crate) expires: Tick,
    /// Differs between any two writes of a table, and is never zero.
    pub(crate) stamp: u64,
    /// In bytes, with its key, where the table counts bytes; else one.
    pub(crate) weight: u64,
}

/// What a write displaced. The caller drops it once the lock is free: what a
/// value does when it is dropped, and how long that takes, is its own affair.
#[derive(Debug, Default)]
pub(crate) struct Displaced {
    /// Gone to make room, or because their life was over.
    pub(crate) gone: Vec<(StoredKey, Slot)>,
    pub(crate) replaced: Option<Slot>,
    /// What was taken out and arrived nowhere.
    pub(crate) dropped: Option<Slot>,
}

impl Slot {
    pub(crate) fn new(entry: Entry, life: Life, clock: &dyn Clock, stamp: u64, weight: u64) -> Self {
        Self { entry, expires: expiry(life, clock), stamp, weight }
    }

    /// Nothing but weight, for which others have to go.
    pub(crate) fn room(weight: u64) -> Self {
        Self { entry: Entry::from_integer(0), expires: Tick::NEVER, stamp: 0, weight }
    }

    /// Whether it is nothing but weight.
    pub(crate) fn is_room(&self) -> bool {
        self.stamp == 0
    }

    pub(crate) fn is_live(&self, clock: &dyn Clock) -> bool {
        self.expires == Tick::NEVER || clock.now() < self.expires
    }

    pub(crate) fn remaining(&self, clock: &dyn Clock) -> Option<Life> {
        if self.expires == Tick::NEVER {
            return Some(Life::Forever);
        }
        // Precisely, or the coarse clock's lag would add to it.
        let rest = self.expires.since(clock.precise());
        (rest > Duration::ZERO).then_some(Life::For(rest))
    }

    pub(crate) fn live_for(&mut self, life: Life, clock: &dyn Clock) {
        self.expires = expiry(life, clock);
    }

    /// The same slot as of another write, with another weight.
    pub(crate) fn moved(self, stamp: u64, weight: u64) -> Self {
        Self { stamp, weight, ..self }
    }

    pub(crate) fn token(&self) -> Token {
        Token::from_number(self.stamp)
    }
}

/// By the precise clock: the coarse one lags, and would end a life early.
fn expiry(life: Life, clock: &dyn Clock) -> Tick {
    match life {
        Life::Forever => Tick::NEVER,
        Life::For(duration) => clock.precise().after(duration),
    }
}

impl Displaced {
    /// How many live entries went to make room, and how many went whose life
    /// was over.
    pub(crate) fn counts(&self, clock: &dyn Clock) -> (u64, u64) {
        let live = self.gone.iter().filter(|(_, slot)| slot.is_live(clock)).count();
        let dead = self.gone.len() - live;
        let other = self.replaced.iter().chain(&self.dropped).filter(|slot| !slot.is_live(clock)).count();
        (live as u64, (dead + other) as u64)
    }
}
