//! One replica, and whether reads may go there.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::positions::Place;
use crate::async_cache::AsyncCache;
use crate::clock::Tick;

/// One replica, and what is known of it.
pub(super) struct Replica {
    pub(super) store: Arc<dyn AsyncCache>,
    /// Whether its calls end by themselves in the time that an attempt has.
    pub(super) ends_in_time: bool,
    fitness: AtomicU8,
    /// Whether its data is older than it may be, as it was found last.
    late: AtomicBool,
    /// Whether it can tell how old its data is.
    sight: AtomicU8,
    /// Where it was last, if it has told.
    place: Mutex<Option<Place>>,
    /// It has all that the leader had then; zero while that is not known.
    reached: AtomicU64,
    setbacks: Mutex<Setbacks>,
}

/// How often it is asked while it is out.
#[derive(Clone, Copy, Debug, Default)]
struct Setbacks {
    pause: Duration,
    /// When it was last taken back.
    back: Option<Tick>,
}

const FIRST_PAUSE: Duration = Duration::from_millis(50);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A replica that fails later than this after it was taken back fails as for
/// the first time.
const FORGIVEN_AFTER: Duration = Duration::from_secs(10);

/// Whether it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Fitness {
    Fit,
    /// Something went wrong there that may be about one key alone: it is asked.
    Suspect,
    /// It does not answer, or is loading.
    Out,
}

/// What it says of its age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Sight {
    /// It has not been asked.
    Unknown,
    Tells,
    /// It cannot tell.
    Blind,
}

impl Replica {
    pub(super) fn new(store: Arc<dyn AsyncCache>, attempt: Duration) -> Self {
        let ends_in_time = store.capabilities().deadline.is_some_and(|deadline| deadline <= attempt);
        Self {
            store,
            ends_in_time,
            fitness: AtomicU8::new(Fitness::Fit as u8),
            late: AtomicBool::new(false),
            sight: AtomicU8::new(Sight::Unknown as u8),
            place: Mutex::default(),
            reached: AtomicU64::new(0),
            setbacks: Mutex::default(),
        }
    }

    /// Whether reads may go there.
    pub(super) fn is_usable(&self, max_lag: Option<Duration>, now: Tick) -> bool {
        if self.fitness() == Fitness::Out {
            return false;
        }
        let Some(max_lag) = max_lag else { return true };
        match self.sight() {
            Sight::Unknown => false,
            Sight::Blind => true,
            Sight::Tells => self.age(now).is_some_and(|age| age <= max_lag),
        }
    }

    /// How old its data is at most, if that is known.
    pub(super) fn age(&self, now: Tick) -> Option<Duration> {
        if self.sight() != Sight::Tells {
            return None;
        }
        let reached = self.reached.load(Ordering::Relaxed);
        (reached > 0).then(|| now.since(Tick::from_nanos(reached)))
    }

    pub(super) fn fitness(&self) -> Fitness {
        match self.fitness.load(Ordering::Relaxed) {
            0 => Fitness::Fit,
            1 => Fitness::Suspect,
            _ => Fitness::Out,
        }
    }

    /// Sets it, and says whether whether it is out has changed.
    pub(super) fn set_fitness(&self, fitness: Fitness) -> bool {
        let before = self.fitness.swap(fitness as u8, Ordering::Relaxed);
        (before == Fitness::Out as u8) != (fitness == Fitness::Out)
    }

    /// How long after it was left out it is asked. One that fails again and again
    /// is not asked more often for it.
    pub(super) fn first_pause(&self, now: Tick) -> Duration {
        let mut setbacks = self.setbacks();
        if setbacks.back.is_none_or(|back| now.since(back) >= FORGIVEN_AFTER) {
            setbacks.pause = FIRST_PAUSE;
        }
        setbacks.pause
    }

    /// How long until it is asked once more.
    pub(super) fn next_pause(&self) -> Duration {
        let mut setbacks = self.setbacks();
        setbacks.pause = (setbacks.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        setbacks.pause
    }

    pub(super) fn is_back(&self, now: Tick) {
        self.setbacks().back = Some(now);
    }

    fn setbacks(&self) -> MutexGuard<'_, Setbacks> {
        self.setbacks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes one that is fit a suspect; says whether it did.
    pub(super) fn suspect(&self) -> bool {
        let (fit, suspect) = (Fitness::Fit as u8, Fitness::Suspect as u8);
        self.fitness.compare_exchange(fit, suspect, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Notes whether it is too old, and says whether that has changed.
    pub(super) fn set_late(&self, late: bool) -> bool {
        self.late.swap(late, Ordering::Relaxed) != late
    }

    pub(super) fn sight(&self) -> Sight {
        match self.sight.load(Ordering::Relaxed) {
            0 => Sight::Unknown,
            1 => Sight::Tells,
            _ => Sight::Blind,
        }
    }

    /// Notes whether it can tell its age, and says whether that has changed.
    pub(super) fn set_sight(&self, sight: Sight) -> bool {
        self.sight.swap(sight as u8, Ordering::Relaxed) != sight as u8
    }

    pub(super) fn place(&self) -> Option<Place> {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_place(&self, place: Place) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
    }

    pub(super) fn set_reached(&self, reached: Option<Tick>) {
        let reached = reached.map_or(0, |reached| reached.as_nanos().max(1));
        self.reached.store(reached, Ordering::Relaxed);
    }
}

impl fmt::Debug for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica")
            .field("fitness", &self.fitness())
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
