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
    due: Tick,
    /// When to look again if the look that is under way does not end.
    retry: Tick,
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
/// look finds many of them; and at least for so long.
const SHORTEST_WAIT: Duration = Duration::from_millis(500);

/// And for so long times the number of entries in the table: a hundred times
/// what a look at them costs, so that looking takes a hundredth of one core.
const WAIT_PER_ENTRY: Duration = Duration::from_micros(2);

/// How long a look may take before another one is begun.
const RETRY: Duration = Duration::from_secs(1);

/// How many entries are taken out under one lock, for which readers wait.
pub(crate) const AT_ONCE: usize = 256;

/// A table that is used to an eighth is laid out anew, unless it is small.
const NEARLY_EMPTY: usize = 8;
const SMALL: usize = 64;

impl Shard {
    pub(crate) fn new(layout: &Layout) -> Self {
        let entries = match layout.eviction {
            Eviction::Engine => Entries::Engine(Engine::new(layout.share)),
            Eviction::Lru => Entries::Lru(Lru::default()),
        };
        Self { entries, due: Tick::NEVER, retry: Tick::NEVER, peak: 0 }
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

    /// Those whose key passes the test.
    pub(crate) fn doomed(&self, is_doomed: impl Fn(&str) -> bool) -> Vec<Doomed> {
        self.iter().filter(|(key, _)| is_doomed(key.text())).map(|(key, _)| Doomed::of(key)).collect()
    }

    /// Empties the shard; what was in it is dropped by the caller.
    pub(crate) fn empty(&mut self, layout: &Layout) -> Self {
        std::mem::replace(self, Self::new(layout))
    }

    /// Notes that an entry of this life was written; says when to look.
    /// `held` is how many entries the whole table has.
    pub(crate) fn note(&mut self, life: Duration, now: Tick, held: usize) -> Tick {
        self.look_by(now.after(life).after(wait_for(life, held)));
        self.due()
    }

    /// When to look for entries that have expired.
    pub(crate) fn due(&self) -> Tick {
        self.due.min(self.retry)
    }

    /// Whether it is time to look.
    pub(crate) fn is_due(&self, clock: &dyn Clock) -> bool {
        let due = self.due();
        due != Tick::NEVER && due <= clock.now()
    }

    /// A look has begun: what is noted from here on is for the next one.
    pub(crate) fn begin_sweep(&mut self, now: Tick) {
        self.due = Tick::NEVER;
        self.retry = now.after(RETRY);
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

    /// A look has ended, after which the first entry expires at `earliest`;
    /// says when the next is due.
    pub(crate) fn end_sweep(&mut self, earliest: Tick, now: Tick, held: usize) -> Tick {
        self.retry = Tick::NEVER;
        if earliest != Tick::NEVER {
            self.look_by(earliest.after(wait_for(earliest.since(now), held)));
        }
        self.due
    }

    /// Sees to it that there is a look at `tick` at the latest.
    pub(crate) fn look_by(&mut self, tick: Tick) {
        self.due = self.due.min(tick);
    }

    /// Gives back the memory of a table that is nearly empty. What it costs has
    /// been paid by those that went.
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

    fn iter(&self) -> impl Iterator<Item = (&StoredKey, &Slot)> {
        let (engine, lru) = match &self.entries {
            Entries::Engine(engine) => (Some(engine.iter()), None),
            Entries::Lru(lru) => (None, Some(lru.iter())),
        };
        engine.into_iter().flatten().chain(lru.into_iter().flatten())
    }
}

fn wait_for(life: Duration, held: usize) -> Duration {
    (life / 2).max(SHORTEST_WAIT).max(WAIT_PER_ENTRY * u32::try_from(held).unwrap_or(u32::MAX))
}
