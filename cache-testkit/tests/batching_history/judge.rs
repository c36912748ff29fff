//! Whether there is an order of all that was done which explains every answer.

use std::collections::HashSet;

/// How many keys a history has.
pub(crate) const KEYS: usize = 3;

/// What is stored, in the model.
pub(crate) type State = [Option<i64>; KEYS];

/// One step at one key, or at two. With an answer it was acknowledged.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Read {
        key: usize,
        found: Option<i64>,
    },
    Has {
        key: usize,
        found: bool,
    },
    Set {
        key: usize,
        value: i64,
        when: Condition,
        written: Option<bool>,
    },
    /// The answer is none where nothing is said of it.
    Delete {
        key: usize,
        was_there: Option<bool>,
    },
    Incr {
        key: usize,
        sum: Option<Sum>,
    },
    Touch {
        key: usize,
        found: Option<bool>,
    },
    Move {
        from: usize,
        to: usize,
        moved: Option<bool>,
    },
}

/// What an increment answers, which is nothing where there is nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sum(pub(crate) Option<i64>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Always,
    Absent,
    Present,
}

/// A step and when it was asked for and answered, failed or dropped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    pub(crate) step: Step,
    pub(crate) began: usize,
    pub(crate) ended: usize,
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It took effect, between its beginning and its end.
    Acknowledged,
    /// It failed or was dropped: it may have taken effect or not, or may yet,
    /// unless a later write of the key was acknowledged.
    Unknown,
    /// It may have taken effect before its end, or not: what a clear does to
    /// that which is written meanwhile.
    Meanwhile,
}

impl Step {
    /// Takes effect; says whether the answer fits, if there is one.
    fn apply(self, state: &mut State) -> bool {
        match self {
            Self::Read { key, found } => state[key] == found,
            Self::Has { key, found } => state[key].is_some() == found,
            Self::Set { key, value, when, written } => {
                let takes_effect = match when {
                    Condition::Always => true,
                    Condition::Absent => state[key].is_none(),
                    Condition::Present => state[key].is_some(),
                };
                if takes_effect {
                    state[key] = Some(value);
                }
                written.is_none_or(|written| written == takes_effect)
            }
            Self::Delete { key, was_there } => {
                let before = state[key].take();
                was_there.is_none_or(|was_there| was_there == before.is_some())
            }
            Self::Incr { key, sum } => {
                state[key] = state[key].map(|value| value + 1);
                sum.is_none_or(|sum| sum.0 == state[key])
            }
            Self::Touch { key, found } => found.is_none_or(|found| found == state[key].is_some()),
            Self::Move { from, to, moved } => {
                let moves = state[from].is_some();
                if moves {
                    state[to] = state[from].take();
                }
                moved.is_none_or(|moved| moved == moves)
            }
        }
    }

    fn keys(self) -> [usize; 2] {
        match self {
            Self::Read { key, .. }
            | Self::Has { key, .. }
            | Self::Set { key, .. }
            | Self::Delete { key, .. }
            | Self::Incr { key, .. }
            | Self::Touch { key, .. } => [key, key],
            Self::Move { from, to, .. } => [from, to],
        }
    }

    fn is_write(self) -> bool {
        !matches!(self, Self::Read { .. } | Self::Has { .. })
    }

    fn shares_key(self, other: Self) -> bool {
        self.keys().iter().any(|key| other.keys().contains(key))
    }
}

impl Done {
    fn is_acknowledged(&self) -> bool {
        self.outcome == Outcome::Acknowledged
    }

    /// Whether it can take effect no more once the other one has.
    fn is_over_by(&self, other: &Self) -> bool {
        let is_later = other.is_acknowledged() && other.began > self.ended;
        match self.outcome {
            Outcome::Acknowledged => false,
            Outcome::Unknown => is_later && other.step.is_write() && other.step.shares_key(self.step),
            Outcome::Meanwhile => is_later,
        }
    }
}

/// What the judge says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Explained,
    Unexplained,
    /// There are too many orders to look at all of them.
    Undecided,
}

/// How far the judge looks.
const LIMIT: usize = 200_000;

/// Whether all answers can be explained: of each key by itself, but for keys
/// between which something was moved.
pub(crate) fn judge(history: &[Done]) -> Verdict {
    let mut group: [usize; KEYS] = std::array::from_fn(|key| key);
    for done in history {
        let [from, to] = done.step.keys().map(|key| group[key]);
        group.iter_mut().filter(|of_key| **of_key == from).for_each(|of_key| *of_key = to);
    }
    let verdicts: Vec<_> = (0..KEYS)
        .map(|number| {
            let is_of_group = |done: &&Done| group[done.step.keys()[0]] == number;
            let is_wanted = |done: &&Done| done.is_acknowledged() || done.step.is_write();
            judge_group(&history.iter().filter(is_of_group).filter(is_wanted).copied().collect::<Vec<_>>())
        })
        .collect();
    let worst = [Verdict::Unexplained, Verdict::Undecided].into_iter().find(|bad| verdicts.contains(bad));
    worst.unwrap_or(Verdict::Explained)
}

/// At most 64 steps.
fn judge_group(history: &[Done]) -> Verdict {
    assert!(history.len() <= 64, "the history is too long for the judge");
    let acknowledged = mask(history, Done::is_acknowledged);
    // What has to be in before, and what must not be.
    let needed: Vec<u64> = (history.iter())
        .map(|done| mask(history, |other| other.is_acknowledged() && other.ended < done.began))
        .collect();
    let forbidden: Vec<u64> =
        history.iter().map(|done| mask(history, |later| done.is_over_by(later))).collect();
    let mut seen = HashSet::new();
    let mut open: Vec<(u64, State)> = vec![(0, [None; KEYS])];
    while let Some((mut done, state)) = open.pop() {
        let may_be_next = |place: usize, done: u64| {
            done & (1 << place) == 0 && needed[place] & !done == 0 && forbidden[place] & done == 0
        };
        // A read that fits now needs no second thought: nothing is lost by it.
        for (place, next) in history.iter().enumerate().filter(|(_, next)| !next.step.is_write()) {
            if may_be_next(place, done) && next.step.apply(&mut state.clone()) {
                done |= 1 << place;
            }
        }
        if done & acknowledged == acknowledged {
            return Verdict::Explained;
        }
        if !seen.insert((done, state)) {
            continue;
        }
        if seen.len() > LIMIT {
            return Verdict::Undecided;
        }
        // The first to end is tried first.
        for (place, next) in history.iter().enumerate().rev().filter(|(_, next)| next.step.is_write()) {
            let mut after = state;
            if may_be_next(place, done)
                && next.step.apply(&mut after)
                && (next.is_acknowledged() || after != state)
            {
                open.push((done | 1 << place, after));
            }
        }
    }
    Verdict::Unexplained
}

fn mask(history: &[Done], is_meant: impl Fn(&Done) -> bool) -> u64 {
    (history.iter().enumerate()).filter(|(_, done)| is_meant(done)).map(|(place, _)| 1 << place).sum()
}
