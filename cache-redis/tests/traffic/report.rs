//! What became of the traffic, as numbers and as a line of a table.
#![expect(clippy::print_stderr, reason = "a test tells what it measured")]

use std::collections::BTreeMap;
use std::time::Duration;

use cache_core::{ErrorKind, Stats, Tick};

use super::{Call, Outcome, What};

/// All calls, in the order in which they ended.
pub(crate) struct Report {
    pub(crate) calls: Vec<Call>,
    /// Answers that nobody may ever get.
    pub(crate) wrong: Vec<String>,
    /// How many tasks did not end.
    pub(crate) hung: usize,
    pub(crate) stats: Stats,
}

impl Report {
    /// A line of the table; `back` is when everything was in order again.
    pub(crate) fn print(&self, fault: &str, driver: &str, back: Tick) {
        let failures: Vec<_> =
            self.counts().into_iter().map(|(name, count)| format!("{name} {count}")).collect();
        let done = self.calls.iter().filter(|call| call.outcome == Outcome::Done).count();
        let stats = &self.stats;
        eprintln!(
            "| {fault:<34} | {driver:<8} | calls {:>5} | done {done:>5} | {:<34} | first done {:>8} and last failure \
             {:>8} after | slowest done {:>8} | failures p99 {:>8}, max {:>8} | hung {} | outages {}, failed fast \
             {}, reconnections {}{} |",
            self.calls.len(),
            failures.join(", "),
            millis(self.first_done_after(back)),
            millis(self.last_failure_after(back)),
            millis(self.slowest_done()),
            millis(self.failure_percentile(99)),
            millis(self.failure_percentile(100)),
            self.hung,
            stats.outages,
            stats.failed_fast,
            stats.reconnections,
            self.replicas(),
        );
    }

    /// Where there are any.
    fn replicas(&self) -> String {
        let stats = &self.stats;
        if stats.routed_to_replica == 0 {
            return String::new();
        }
        format!(
            ", read from replicas {}, left out {}, tried again {}",
            stats.routed_to_replica, stats.replicas_left_out, stats.retried_on_leader
        )
    }

    /// What holds whatever happened: nobody hangs, nobody gets another's answer.
    pub(crate) fn is_sane(&self) {
        assert!(self.wrong.is_empty(), "{:?}", self.wrong);
        assert_eq!(self.hung, 0, "tasks hang");
    }

    /// That nothing but these kinds of failure was seen.
    pub(crate) fn only_failed_by(&self, kinds: &[ErrorKind]) {
        for call in &self.calls {
            if let Outcome::Failed(kind) = call.outcome {
                assert!(kinds.contains(&kind), "{kind:?}: {call:?}");
            }
        }
    }

    /// That everything that began so long after this was done. Callers in a hurry
    /// may give up now and then because the machine is busy.
    pub(crate) fn resumed_within(&self, patience: Duration, back: Tick) {
        let first = self.first_done_after(back).expect("something was done again");
        assert!(first <= patience, "nothing was done for {first:?}");
        let later: Vec<_> = self.calls.iter().filter(|call| call.began > back.after(patience)).collect();
        let failed = later.iter().find(|call| matches!(call.outcome, Outcome::Failed(_)));
        assert!(failed.is_none(), "{failed:?}, {:?} later", failed.map(|call| call.began.since(back)));
        let given_up = later.iter().filter(|call| call.outcome == Outcome::GivenUp).count();
        assert!(given_up * 10 <= later.len(), "{given_up} of {} were given up", later.len());
    }

    /// That no call that ended before this failed.
    pub(crate) fn was_well_until(&self, tick: Tick) {
        let is_failure = |call: &&Call| matches!(call.outcome, Outcome::Failed(_));
        let early = self.calls.iter().filter(|call| call.ended < tick).find(is_failure);
        assert!(early.is_none(), "{early:?}");
    }

    /// What the counter may be now: each increment that was acknowledged counts,
    /// and each that failed may.
    pub(crate) fn counter(&self) -> std::ops::RangeInclusive<i64> {
        let increments = || self.calls.iter().filter(|call| call.what == What::Incr);
        let done = increments().filter(|call| call.outcome == Outcome::Done).count();
        let bounds = [done, increments().count()].map(|count| i64::try_from(count).expect("few"));
        bounds[0]..=bounds[1]
    }

    pub(crate) fn failures(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| call.outcome != Outcome::Done)
    }

    /// How long failures took: so many in a hundred no longer than this.
    pub(crate) fn failure_percentile(&self, percent: usize) -> Option<Duration> {
        let mut took: Vec<_> = self.failures().map(Call::took).collect();
        took.sort_unstable();
        let rank = (took.len() * percent).div_ceil(100);
        took.get(rank.checked_sub(1)?).copied()
    }

    /// How long after this the first call was done.
    pub(crate) fn first_done_after(&self, back: Tick) -> Option<Duration> {
        let done = self.calls.iter().filter(|call| call.outcome == Outcome::Done && call.ended > back);
        done.map(|call| call.ended.since(back)).min()
    }

    /// How long after this the last call began that failed.
    pub(crate) fn last_failure_after(&self, back: Tick) -> Option<Duration> {
        self.failures().filter(|call| call.began > back).map(|call| call.began.since(back)).max()
    }

    fn slowest_done(&self) -> Option<Duration> {
        self.calls.iter().filter(|call| call.outcome == Outcome::Done).map(Call::took).max()
    }

    fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in &self.calls {
            match call.outcome {
                Outcome::Done => {}
                Outcome::Failed(kind) => *counts.entry(format!("{kind:?}")).or_default() += 1,
                Outcome::GivenUp => *counts.entry("given up".to_owned()).or_default() += 1,
            }
        }
        counts
    }
}

fn millis(duration: Option<Duration>) -> String {
    duration.map_or_else(|| "-".to_owned(), |duration| format!("{:.1} ms", duration.as_secs_f64() * 1_000.0))
}
