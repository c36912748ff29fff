//! One history: a rig, tasks that call it, and what happens meanwhile.

mod caller;
mod faults;
mod judge;
mod tally;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cache_core::{Clock, Counter, ReplicaPolicy, RoutingSettings};
use fastrand::Rng;
use tokio::task::yield_now;

use crate::routing_rig::{Layout, Rig, Tells, get, ms, tasks};
use caller::Caller;
use faults::Faults;
use judge::Judge;

pub(crate) use tally::Tally;

/// How often the other tasks have their turn in a millisecond.
const TURNS: usize = 12;

/// What its tasks share.
pub(crate) struct History {
    /// How to repeat it.
    pub(crate) name: String,
    pub(crate) rig: Rig,
    pub(crate) judge: Judge,
    pub(crate) tally: tally::Shared,
    values: AtomicI64,
}

impl History {
    fn new(seed: u64, dice: &mut Rng) -> Self {
        // Of the routing too.
        fastrand::seed(seed);
        let max_lag = (dice.u8(0..3) > 0).then(|| ms(dice.u64(20..150)));
        let window = (dice.u8(0..2) > 0).then(|| ms(dice.u64(20..300)));
        let tells = [Tells::Nothing, Tells::Ages, Tells::Positions, Tells::Positions][dice.usize(0..4)];
        let policies = [ReplicaPolicy::Random, ReplicaPolicy::RoundRobin, ReplicaPolicy::LeastLag];
        let settings = RoutingSettings::new()
            .max_lag(max_lag)
            .read_your_writes(window)
            .policy(policies[dice.usize(0..3)]);
        let mut layout = Layout::of(dice.usize(1..4)).settings(settings).tells(tells);
        if dice.u8(0..3) == 0 {
            layout = layout.without_trips();
        }
        if dice.u8(0..3) == 0 {
            layout = layout.coarse();
        }
        let name = format!("CACHE_TEST_SEED={seed}, {layout:?}");
        let judge = Judge::new(max_lag, window);
        Self { name, rig: layout.rig(), judge, tally: tally::Shared::default(), values: AtomicI64::new(1) }
    }

    fn next_value(&self) -> i64 {
        self.values.fetch_add(1, Ordering::Relaxed)
    }

    async fn sleep(&self, duration: Duration) {
        let clock = &self.rig.clock;
        clock.sleep_until(clock.now().after(duration)).await;
    }

    async fn pass(&self, duration: Duration) {
        self.rig.clock.advance(duration);
        for _ in 0..TURNS {
            yield_now().await;
        }
    }

    /// All replicas are back in the end.
    async fn recovers(&self) {
        let all: Vec<_> = (1..self.rig.faulty.len()).collect();
        for round in 0..400 {
            let _ = get(&*self.rig.routing, "a").await;
            if round % 20 == 19 && self.rig.routing.in_use() == all {
                return;
            }
            self.pass(ms(10)).await;
        }
        panic!("{}: all are well for four seconds, in use are {:?}", self.name, self.rig.routing.in_use());
    }

    fn is_left_alone(&self) {
        for (place, faulty) in self.rig.faulty.iter().enumerate() {
            let reads = faulty.inside_in_all() - faulty.inside(cache_testkit::Call::Ping);
            assert_eq!(reads, 0, "{}: calls are inside server {place}", self.name);
        }
    }

    fn counted(&self) -> Tally {
        let mut tally = self.tally.total();
        tally.routed_to_replica = self.rig.total(Counter::RoutedToReplica);
        tally.retried = self.rig.total(Counter::RetriedOnLeader);
        tally.left_out = self.rig.total(Counter::ReplicasLeftOut);
        tally
    }
}

/// The history of this seed.
pub(crate) async fn history(seed: u64) -> Tally {
    let mut dice = Rng::with_seed(seed);
    let history = Arc::new(History::new(seed, &mut dice));
    let mut faults = Faults::new(dice.fork(), history.rig.faulty.len());
    let callers: Vec<_> = (0..dice.usize(2..6))
        .map(|_| tokio::spawn(Caller { history: Arc::clone(&history), dice: dice.fork() }.run()))
        .collect();
    let mut millis = 0;
    while !callers.iter().all(tokio::task::JoinHandle::is_finished) {
        faults.happen(&history.rig, &history.judge);
        history.pass(ms(1)).await;
        millis += 1;
        assert!(millis < 20_000, "{}: it does not end", history.name);
    }
    for caller in callers {
        caller.await.unwrap_or_else(|_| panic!("{}: a caller panicked", history.name));
    }
    faults.end(&history.rig);
    history.is_left_alone();
    history.recovers().await;
    let tally = history.counted();

    let history = Arc::into_inner(history).expect("all callers have ended");
    let (name, Rig { clock, faulty, opening, routing, trips, .. }) = (history.name, history.rig);
    drop((routing, trips));
    for _ in 0..8 {
        clock.advance(ms(500));
        for _ in 0..TURNS {
            yield_now().await;
        }
    }
    let inside: usize = faulty.iter().map(|faulty| faulty.inside_in_all()).sum();
    let kept = faulty.iter().filter(|faulty| Arc::strong_count(faulty) > 1).count();
    assert_eq!((inside, kept), (0, 0), "{name}: calls are left, or stores are kept");
    let left = (tasks(), opening.tasks.len(), clock.sleepers(), opening.timer.waiting());
    assert_eq!(left, (0, 0, 0, 0), "{name}: tasks, those of the alias, sleepers, deadlines");
    tally
}
