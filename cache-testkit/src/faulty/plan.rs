//! What a store has been told to do, to which calls.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cache_core::{Clock, ErrorKind, Key};

use super::call::Call;
use super::gate::Gate;

/// All rules, in the order in which they were given.
#[derive(Debug, Default)]
pub(super) struct Plan(Mutex<Vec<Rule>>);

/// Which calls a command is about; its last method gives the command.
///
/// See [`Faulty`](super::Faulty) for what can be said with it.
#[derive(Debug)]
#[must_use = "it says which calls, and not yet what becomes of them"]
pub struct On<'a> {
    plan: &'a Plan,
    calls: Vec<Call>,
    keys: Option<KeyFilter>,
    point: Point,
    times: Option<usize>,
}

/// Where in a call something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    /// The store below has done nothing yet.
    Before,
    /// It has done everything, and the caller does not know it yet.
    After,
}

/// What happens there.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    Fail(ErrorKind),
    Lose,
    Panic,
    Hold(Gate),
    Delay { clock: Arc<dyn Clock>, each: Duration, steps: usize },
}

/// One thing that happens to one call.
#[derive(Debug)]
pub(super) struct Stroke {
    pub(super) point: Point,
    pub(super) effect: Effect,
    /// Which keys of the call it is about; `None` for the call as a whole.
    pub(super) keys: Option<Vec<bool>>,
}

#[derive(Clone)]
struct KeyFilter(Arc<dyn Fn(&str) -> bool + Send + Sync>);

#[derive(Debug)]
struct Rule {
    calls: Vec<Call>,
    keys: Option<KeyFilter>,
    point: Point,
    /// How many calls it is still for; `None` for all.
    left: Option<usize>,
    effect: Effect,
}

impl Plan {
    pub(super) fn on(&self, calls: Vec<Call>) -> On<'_> {
        On { plan: self, calls, keys: None, point: Point::Before, times: None }
    }

    /// What happens to this call, by the rules as they are now.
    pub(super) fn strokes(&self, call: Call, keys: &[Key<'_>]) -> Vec<Stroke> {
        let mut rules = self.rules();
        let strokes = rules.iter_mut().filter_map(|rule| rule.strike(call, keys)).collect();
        // A gate is remembered while it may hold somebody, to be opened in the end.
        rules.retain(|rule| rule.left != Some(0) || matches!(rule.effect, Effect::Hold(_)));
        strokes
    }

    /// Forgets all rules and lets go whom they hold.
    pub(super) fn forget(&self) {
        let rules = std::mem::take(&mut *self.rules());
        for rule in rules {
            if let Effect::Hold(gate) = rule.effect {
                gate.open();
            }
        }
    }

    fn rules(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rule {
    fn strike(&mut self, call: Call, keys: &[Key<'_>]) -> Option<Stroke> {
        if !self.calls.contains(&call) || self.left == Some(0) {
            return None;
        }
        let struck = |filter: &KeyFilter| keys.iter().map(|key| filter.0(&key.text())).collect::<Vec<_>>();
        let keys = self.keys.as_ref().map(struck);
        if keys.as_ref().is_some_and(|keys| !keys.contains(&true)) {
            return None;
        }
        self.left = self.left.map(|left| left - 1);
        Some(Stroke { point: self.point, effect: self.effect.clone(), keys })
    }
}

impl On<'_> {
    /// Only calls about these keys, by their whole text; of a bulk call only
    /// these keys fail or are lost, while a delay or a gate is for all of it.
    pub fn keys(mut self, filter: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.keys = Some(KeyFilter(Arc::new(filter)));
        self
    }

    /// Only the next so many calls; else all, until [`heal`](super::Faulty::heal).
    pub fn times(mut self, times: usize) -> Self {
        self.times = Some(times);
        self
    }

    /// After the store below has done its work, before the caller hears of it.
    pub fn after(mut self) -> Self {
        self.point = Point::After;
        self
    }

    /// They fail with an error of this kind.
    pub fn fail(self, kind: ErrorKind) {
        self.give(Effect::Fail(kind));
    }

    /// They are answered as though they had been done, and are not: a write
    /// says that it wrote, a read that there is nothing.
    pub fn lose(self) {
        self.give(Effect::Lose);
    }

    /// They panic.
    pub fn panic(self) {
        self.give(Effect::Panic);
    }

    /// They get no further, until [`heal`](super::Faulty::heal).
    pub fn stall(self) {
        drop(self.pause());
    }

    /// They are held at a gate, which tells who has arrived and lets them go
    /// one by one, in any order, or all.
    pub fn pause(self) -> Gate {
        let gate = Gate::new();
        self.give(Effect::Hold(gate.clone()));
        gate
    }

    /// They take this much longer, by this clock.
    pub fn delay(self, clock: Arc<dyn Clock>, duration: Duration) {
        self.delay_in_steps(clock, duration, 1);
    }

    /// They take `steps` times this much longer; a clear says after each that
    /// it has come further.
    pub fn delay_in_steps(self, clock: Arc<dyn Clock>, each: Duration, steps: usize) {
        self.give(Effect::Delay { clock, each, steps });
    }

    fn give(self, effect: Effect) {
        let Self { plan, calls, keys, point, times } = self;
        plan.rules().push(Rule { calls, keys, point, left: times, effect });
    }
}

impl fmt::Debug for KeyFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyFilter(..)")
    }
}
