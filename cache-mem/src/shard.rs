//! What lies behind one lock: entries under either policy, and by when those
//! that expire are to be gone.

use std::time::Duration;

use cache_core::{Clock, Life, Tick};

use crate::engine::Engine;
use crate::key::{Doomed, HashedKey, StoredKey};
use crate::limits::{Layout, Limits};
use crate::lru::Lru;
use crate::settings::Eviction;
use crate::slot::{Displaced, Slot};

/// What lies behind one lock.
#[derive(Debug)]
pub(crate) struct Shard {
    entries: Entries,
    /// When to look for entries that have expired.
    sweep_at: Tick,
    /// The most entries since its memory was last laid out.
    peak: usize,
}

#[derive(Debug)]
enum Entries {
    Engine(Engine),
    Lru(Lru),
}

/// What a look at all entries has found.
#[derive(Debug)]
pub(crate) struct Survey {
    /// Expired.
    pub(crate) doomed: Vec<Doomed>,
    /// When the first of the others expires.
    pub(crate) earliest: Tick,
}

/// Expired entries that nobody reads lie for half their life more, so that a
/// look at all entries finds many of them; and at least for so long.
const SHORTEST_WAIT: Duration = Duration::from_millis(500);

/// How long a write leaves it to others.
const PATIENCE: Duration = Duration::from_secs(1);

/// A table that is used to an eighth is laid out anew, unless it is small.
const NEARLY_EMPTY: usize = 8;
const SMALL: usize = 64;

impl Shard {
    pub(crate) fn new(layout: &Layout) -> Self {
        let entries = match layout.eviction {
            Eviction::Engine => Entries::Engine(Engine::new(layout.share)),
            Eviction::Lru => Entries::Lru(Lru::default()),
        };
        Self { entries, sweep_at: Tick::NEVER, peak: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        match &self.entries {
            Entries::Engine(engine) => engine.len(),
            Entries::Lru(lru) => lru.len(),
        }
    }

    pub(crate) fn weight(&self) -> u64 {
        match &self.entries {
            Entries::Engine(engine) => engine.weight(),
            Entries::Lru(lru) => lru.weight(),
        }
    }

    /// The slot, expired or not; a use. Where uses change an order, it takes
    /// [`find_mut`](Self::find_mut) to count one.
    pub(crate) fn find(&self, key: &HashedKey<'_>) -> Option<&Slot> {
        match &self.entries {
            Entries::Engine(engine) => engine.find(key),
            Entries::Lru(lru) => lru.peek(key),
        }
    }

    /// The slot, expired or not; a use.
    pub(crate) fn find_mut(&mut self, key: &HashedKey<'_>) -> Option<&Slot> {
        match &mut self.entries {
            Entries::Engine(engine) => engine.find(key),
            Entries::Lru(lru) => lru.find(key),
        }
    }

    /// The slot, expired or not; no use.
    pub(crate) fn peek(&self, key: &HashedKey<'_>) -> Option<&Slot> {
        match &self.entries {
            Entries::Engine(engine) => engine.peek(key),
            Entries::Lru(lru) => lru.peek(key),
        }
    }

    /// Changes the slot in place, expired or not; a use if it succeeds.
    pub(crate) fn change<T, E>(
        &mut self,
        key: &HashedKey<'_>,
        change: impl FnOnce(&mut Slot) -> Result<T, E>,
    ) -> Option<Result<T, E>> {
        match &mut self.entries {
            Entries::Engine(engine) => engine.change(key, change),
            Entries::Lru(lru) => {
                let outcome = lru.adjust(key, change)?;
                if outcome.is_ok() {
                    lru.find(key);
                }
                Some(outcome)
            }
        }
    }

    /// Gives the slot another life if it is live; in the order of uses, none.
    pub(crate) fn touch(&mut self, key: &HashedKey<'_>, life: Life, stamp: u64, clock: &dyn Clock) -> bool {
        let touch = |slot: &mut Slot| {
            let is_live = slot.is_live(clock);
            if is_live {
                slot.live_for(life, clock);
                slot.stamp = stamp;
            }
            is_live
        };
        let touched = match &mut self.entries {
            Entries::Engine(engine) => engine.change(key, touch),
            Entries::Lru(lru) => lru.adjust(key, touch),
        };
        touched == Some(true)
    }

    /// Writes the slot over whatever stands there. `held` is how many entries
    /// the whole table has.
    pub(crate) fn put(
        &mut self,
        key: HashedKey<'_>,
        slot: Slot,
        limits: &Limits,
        held: usize,
        displaced: &mut Displaced,
    ) {
        match &mut self.entries {
            Entries::Engine(engine) => {
                let surplus = (held + 1).saturating_sub(limits.max_entries);
                engine.put(key, slot, surplus, displaced);
            }
            Entries::Lru(lru) => lru.put(key, slot, limits, displaced),
        }
        self.peak = self.peak.max(self.len());
    }

    /// Takes the slot out, expired or not, if the condition holds.
    pub(crate) fn take(&mut self, key: &HashedKey<'_>, when: impl FnOnce(&Slot) -> bool) -> Option<Slot> {
        match &mut self.entries {
            Entries::Engine(engine) => engine.take(key, when),
            Entries::Lru(lru) => lru.take(key, when),
        }
    }

    /// Takes out every entry whose key fails the test.
    pub(crate) fn retain(&mut self, keep: impl Fn(&str) -> bool) -> Vec<(StoredKey, Slot)> {
        let doomed: Vec<_> =
            self.iter().filter(|(key, _)| !keep(key.text())).map(|(key, _)| Doomed::of(key)).collect();
        self.bury(&doomed, |_| true)
    }

    /// Empties the shard; what was in it is dropped by the caller.
    pub(crate) fn empty(&mut self, layout: &Layout) -> Self {
        std::mem::replace(self, Self::new(layout))
    }

    /// Notes that an entry of this life was written; says by when a look at
    /// the shard is due, if it expires.
    pub(crate) fn note(&mut self, life: Life, clock: &dyn Clock) -> Tick {
        if let Life::For(life) = life {
            self.look_by(clock.now().after(life).after(wait_for(life)));
        }
        self.sweep_at
    }

    /// Frees what has expired, if nobody else has in time.
    pub(crate) fn sweep_if_overdue(&mut self, clock: &dyn Clock, displaced: &mut Displaced) {
        let now = clock.now();
        if now <= self.sweep_at.after(PATIENCE) {
            return;
        }
        self.begin_sweep();
        let survey = self.survey(now);
        displaced.gone.extend(self.bury(&survey.doomed, |_| true));
        self.end_sweep(survey.earliest, now);
    }

    /// When to look for entries that have expired.
    pub(crate) fn sweep_at(&self) -> Tick {
        self.sweep_at
    }

    /// A look has begun: what is noted from here on is for the next one.
    pub(crate) fn begin_sweep(&mut self) {
        self.sweep_at = Tick::NEVER;
    }

    /// Looks at all entries.
    pub(crate) fn survey(&self, now: Tick) -> Survey {
        let mut survey = Survey { doomed: Vec::new(), earliest: Tick::NEVER };
        for (key, slot) in self.iter() {
            if slot.expires <= now {
                survey.doomed.push(Doomed::of(key));
            } else {
                survey.earliest = survey.earliest.min(slot.expires);
            }
        }
        survey
    }

    /// Takes out those of the doomed for which the condition holds.
    pub(crate) fn bury(&mut self, doomed: &[Doomed], when: impl Fn(&Slot) -> bool) -> Vec<(StoredKey, Slot)> {
        let buried = doomed.iter().filter_map(|doomed| match &mut self.entries {
            Entries::Engine(engine) => engine.bury(doomed, &when),
            Entries::Lru(lru) => lru.bury(doomed, &when),
        });
        buried.collect()
    }

    /// A look has ended, after which the first entry expires at `earliest`.
    /// Gives back the memory of a table that is nearly empty.
    pub(crate) fn end_sweep(&mut self, earliest: Tick, now: Tick) {
        if earliest != Tick::NEVER {
            self.look_by(earliest.after(wait_for(earliest.since(now))));
        }
        self.tighten();
    }

    /// Gives back the memory of a table that is nearly empty.
    pub(crate) fn tighten(&mut self) {
        if self.peak < SMALL || self.len() > self.peak / NEARLY_EMPTY {
            return;
        }
        match &mut self.entries {
            Entries::Engine(engine) => engine.rebuild(),
            Entries::Lru(lru) => lru.rebuild(),
        }
        self.peak = self.len();
    }

    fn look_by(&mut self, tick: Tick) {
        self.sweep_at = self.sweep_at.min(tick);
    }

    fn iter(&self) -> impl Iterator<Item = (&StoredKey, &Slot)> {
        let (engine, lru) = match &self.entries {
            Entries::Engine(engine) => (Some(engine.iter()), None),
            Entries::Lru(lru) => (None, Some(lru.iter())),
        };
        engine.into_iter().flatten().chain(lru.into_iter().flatten())
    }
}

fn wait_for(life: Duration) -> Duration {
    (life / 2).max(SHORTEST_WAIT)
}
