//! One shard of the table: the engine behind one lock, and lives of our own.

use std::cell::RefCell;

use cache_core::{Clock, Entry, Life, Tick, Token};
use quick_cache::unsync::Cache as Engine;
use quick_cache::{Lifecycle, OptionsBuilder, UnitWeighter};

use crate::key::{CarriedHash, HashedKey, StoredKey};

/// What stands under a key.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) entry: Entry,
    /// [`Tick::NEVER`] if it does not expire, so that a hit needs no clock.
    expires: Tick,
    /// Differs between any two writes of this table.
    pub(crate) stamp: u64,
}

/// The part of the table behind one lock. Which entries go when it is full is
/// the engine's decision.
#[derive(Debug)]
pub(crate) struct Shard {
    engine: Engine<StoredKey, Slot, UnitWeighter, CarriedHash, Collect>,
    capacity: usize,
}

/// What a write displaced. The caller drops it once the lock is free: what a
/// value does when it is dropped, and how long that takes, is its own affair.
#[derive(Debug, Default)]
pub(crate) struct Displaced {
    evicted: Vec<(StoredKey, Slot)>,
    pub(crate) replaced: Option<Slot>,
    /// What was taken out and arrived nowhere.
    pub(crate) dropped: Option<Slot>,
}

/// Hands evicted entries to whoever made the write.
#[derive(Clone, Debug)]
struct Collect;

impl Lifecycle<StoredKey, Slot> for Collect {
    type RequestState = Displaced;

    fn on_evict(&self, displaced: &mut Displaced, key: StoredKey, slot: Slot) {
        displaced.evicted.push((key, slot));
    }
}

impl Displaced {
    /// How many live entries went to make room, and how many went whose life
    /// was over.
    pub(crate) fn counts(&self, clock: &dyn Clock) -> (u64, u64) {
        let live = self.evicted.iter().filter(|(_, slot)| slot.is_live(clock)).count();
        let dead = self.evicted.len() - live;
        let gone = self.replaced.iter().chain(&self.dropped).filter(|slot| !slot.is_live(clock)).count();
        (live as u64, (dead + gone) as u64)
    }
}

impl Slot {
    pub(crate) fn new(entry: Entry, life: Life, clock: &dyn Clock, stamp: u64) -> Self {
        Self { entry, expires: expiry(life, clock), stamp }
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
        (!rest.is_zero()).then_some(Life::For(rest))
    }

    pub(crate) fn live_for(&mut self, life: Life, clock: &dyn Clock) {
        self.expires = expiry(life, clock);
    }

    /// The same slot as of another write.
    pub(crate) fn restamped(self, stamp: u64) -> Self {
        Self { stamp, ..self }
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

impl Shard {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { engine: engine(capacity), capacity }
    }

    pub(crate) fn len(&self) -> usize {
        self.engine.len()
    }

    /// The slot, expired or not; a use, as the engine's policy sees it.
    pub(crate) fn get(&self, key: &HashedKey<'_>) -> Option<&Slot> {
        self.engine.get(key)
    }

    /// The slot if it is live.
    pub(crate) fn peek(&self, key: &HashedKey<'_>, clock: &dyn Clock) -> Option<&Slot> {
        self.engine.peek(key).filter(|slot| slot.is_live(clock))
    }

    /// Changes the slot in place if it is live.
    pub(crate) fn change<T>(
        &mut self,
        key: &HashedKey<'_>,
        clock: &dyn Clock,
        change: impl FnOnce(&mut Slot) -> T,
    ) -> Option<T> {
        let mut slot = self.engine.get_mut(key)?;
        slot.is_live(clock).then(|| change(&mut slot))
    }

    /// Writes the slot over whatever stands there.
    pub(crate) fn put(&mut self, key: HashedKey<'_>, slot: Slot, displaced: &mut Displaced) {
        if let Some(mut there) = self.engine.get_mut(&key) {
            displaced.replaced = Some(std::mem::replace(&mut *there, slot));
            return;
        }
        self.engine.insert_with_lifecycle(key.to_stored(), slot, displaced);
    }

    /// Takes the slot out, expired or not, if the condition holds.
    pub(crate) fn take(&mut self, key: &HashedKey<'_>, when: impl FnOnce(&Slot) -> bool) -> Option<Slot> {
        self.engine.remove_if(key, when).map(|(_, slot)| slot)
    }

    /// Keeps only the entries whose key passes; the values of the others are
    /// dropped by the caller.
    pub(crate) fn retain(&mut self, keep: impl Fn(&str) -> bool) -> Vec<Entry> {
        let gone = RefCell::new(Vec::new());
        self.engine.retain(|key, slot| {
            let keeps = keep(key.text());
            if !keeps {
                gone.borrow_mut().push(slot.entry.clone());
            }
            keeps
        });
        gone.into_inner()
    }

    /// Empties the shard; what was in it is dropped by the caller.
    pub(crate) fn empty(&mut self) -> Self {
        std::mem::replace(self, Self::new(self.capacity))
    }
}

fn engine(capacity: usize) -> Engine<StoredKey, Slot, UnitWeighter, CarriedHash, Collect> {
    let options = OptionsBuilder::new()
        .estimated_items_capacity(capacity)
        .weight_capacity(capacity as u64)
        .build()
        .expect("both capacities are set, which is all that is asked for");
    Engine::with_options(options, UnitWeighter, CarriedHash::default(), Collect)
}
