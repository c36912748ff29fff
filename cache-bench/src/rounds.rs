//! Interleaved rounds: every contender in every round, in shuffled order, on
//! one or more threads.

use std::sync::Barrier;
use std::time::Instant;

use rand::seq::SliceRandom;

use crate::contender::{Contender, Opened, Walk};
use crate::spread::Spread;

#[derive(Clone, Copy, Debug)]
pub struct Rounds {
    pub count: usize,
    /// Of each contender on each thread in one round.
    pub operations: usize,
    pub threads: usize,
}

/// The nanoseconds per operation of each contender in each round.
pub struct Measured {
    pub threads: usize,
    contenders: Vec<(&'static str, Vec<f64>)>,
    /// The share of the time in which all threads were at it; on a machine
    /// with too few cores to spare they take turns instead, and do not meet.
    side_by_side: f64,
}

/// When one thread was at it.
#[derive(Clone, Copy)]
struct Span {
    began: Instant,
    ended: Instant,
}

impl Rounds {
    pub fn run(&self, contenders: &[Contender]) -> Measured {
        let opened: Vec<Opened> = contenders.iter().map(|contender| (contender.open)()).collect();
        let schedule = self.schedule(opened.len());
        let barrier = Barrier::new(self.threads);
        let of_threads: Vec<Vec<Vec<Span>>> = std::thread::scope(|scope| {
            let take_part = |thread| {
                let walk = Walk { thread, threads: self.threads, operations: self.operations };
                take_part(&opened, &schedule, &barrier, walk)
            };
            let threads: Vec<_> =
                (0..self.threads).map(|thread| scope.spawn(move || take_part(thread))).collect();
            threads.into_iter().map(|thread| thread.join().expect("no contender panics")).collect()
        });
        // The first round only warms up.
        let rounds = |contender: usize| {
            let of_threads = &of_threads;
            (1..=self.count).map(move |round| -> Vec<Span> {
                of_threads.iter().map(|spans| spans[contender][round]).collect()
            })
        };
        let nanos = |spans: Vec<Span>| {
            let total: f64 = spans.iter().map(|span| span.nanos()).sum();
            total / (self.threads * self.operations) as f64
        };
        Measured {
            threads: self.threads,
            contenders: contenders
                .iter()
                .enumerate()
                .map(|(index, contender)| (contender.name, rounds(index).map(nanos).collect()))
                .collect(),
            side_by_side: Spread::of((0..opened.len()).flat_map(rounds).map(|spans| shared(&spans))).median,
        }
    }

    /// The order of the contenders in each round, the same for all threads.
    fn schedule(&self, contenders: usize) -> Vec<Vec<usize>> {
        let mut random = rand::rng();
        let mut order: Vec<usize> = (0..contenders).collect();
        let mut shuffled = || {
            order.shuffle(&mut random);
            order.clone()
        };
        (0..=self.count).map(|_| shuffled()).collect()
    }
}

/// What one thread does: the same contender as all others at the same time.
#[expect(clippy::disallowed_methods, reason = "what is measured is the machine's own time")]
fn take_part(opened: &[Opened], schedule: &[Vec<usize>], barrier: &Barrier, walk: Walk) -> Vec<Vec<Span>> {
    let mut spans = vec![Vec::with_capacity(schedule.len()); opened.len()];
    for &contender in schedule.iter().flatten() {
        if barrier.wait().is_leader() {
            opened[contender].renew();
        }
        barrier.wait();
        let began = Instant::now();
        opened[contender].walk(walk);
        spans[contender].push(Span { began, ended: Instant::now() });
    }
    spans
}

/// The share of the time from the first to begin to the last to end in which
/// all were at it.
fn shared(spans: &[Span]) -> f64 {
    let began = spans.iter().map(|span| span.began);
    let ended = spans.iter().map(|span| span.ended);
    let (Some(first), Some(latest)) = (began.clone().min(), began.max()) else { return 0.0 };
    let (Some(earliest), Some(last)) = (ended.clone().min(), ended.max()) else { return 0.0 };
    let all = earliest.saturating_duration_since(latest).as_secs_f64();
    all / last.duration_since(first).as_secs_f64()
}

impl Span {
    fn nanos(self) -> f64 {
        self.ended.duration_since(self.began).as_nanos() as f64
    }
}

/// Below this share of the time, what was measured is not so many threads.
const ENOUGH_SIDE_BY_SIDE: f64 = 0.5;

impl Measured {
    /// Why these numbers say nothing of so many threads, if they do not.
    pub fn doubt(&self) -> Option<&'static str> {
        (self.side_by_side < ENOUGH_SIDE_BY_SIDE)
            .then_some("the threads took turns, as the machine was busy; try again")
    }

    /// How often slower than another one, within the rounds: a round in which
    /// the machine is slow is slow for both.
    pub fn ratio(&self, name: &str, to: &str) -> Spread {
        Spread::of(self.nanos(name).iter().zip(self.nanos(to)).map(|(nanos, other)| nanos / other))
    }

    /// How many nanoseconds slower than another one, within the rounds.
    pub fn difference(&self, name: &str, to: &str) -> Spread {
        Spread::of(self.nanos(name).iter().zip(self.nanos(to)).map(|(nanos, other)| nanos - other))
    }

    /// The table, with ratios to the first contender.
    pub fn print(&self) {
        let first = self.contenders[0].0;
        if self.threads > 1 {
            println!("  the threads ran side by side for {:.0} % of the time", self.side_by_side * 100.0);
        }
        println!("  {:<32} {:>8} {:>18} {:>7}", "", "ns/op", "(10 % to 90 %)", "ratio");
        for (name, nanos) in &self.contenders {
            let Spread { low, median, high } = Spread::of(nanos.iter().copied());
            let spread = format!("({low:.1} to {high:.1})");
            let ratio = self.ratio(name, first).median;
            println!("  {name:<32} {median:>8.1} {spread:>18} {ratio:>7.2}");
        }
    }

    fn nanos(&self, name: &str) -> &[f64] {
        let found = self.contenders.iter().find(|(contender, _)| *contender == name);
        &found.expect("only contenders of the run are asked for").1
    }
}
