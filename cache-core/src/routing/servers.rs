//! The servers of an alias, and what is known of them.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smallvec::SmallVec;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::positions::{Place, Positions};
use super::replica::{Fitness, Replica, Sight};
use super::settings::{ReplicaPolicy, RoutingSettings};
use crate::async_cache::AsyncCache;
use crate::backend::Context;
use crate::clock::Tick;
use crate::error::{Error, ErrorKind, Result};
use crate::ping::{Endpoint, Lag, Ping};
use crate::stats::Counter;

/// A leader and its replicas.
pub(super) struct Servers {
    pub(super) leader: Arc<dyn AsyncCache>,
    pub(super) replicas: Vec<Replica>,
    pub(super) settings: RoutingSettings,
    pub(super) context: Context,
    positions: Mutex<Positions>,
    /// Whether the leader has said that it cannot tell positions.
    leader_is_blind: AtomicBool,
    /// When the leader last answered anything but where it is, in nanoseconds.
    leader_answered: AtomicU64,
    /// How many reads were given to replicas in turn.
    turns: AtomicUsize,
    pub(super) watch: Mutex<Watch>,
    /// When the task that asks is overdue, in nanoseconds; zero while there is none.
    pub(super) watch_due: AtomicU64,
    /// Wakes the task that asks before its time.
    pub(super) hurry: Arc<Notify>,
    /// Cancelled with the alias, or when the layer is closed.
    pub(super) closed: CancellationToken,
}

/// Which task asks. Another takes its place where it is overdue: its runtime
/// may stand still.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The number of the task, if there is one.
    pub(super) current: Option<u64>,
    pub(super) next: u64,
}

/// Places of replicas.
pub(super) type Usable = SmallVec<[usize; 8]>;

impl Servers {
    pub(super) fn new(
        leader: Arc<dyn AsyncCache>,
        replicas: Vec<Arc<dyn AsyncCache>>,
        settings: RoutingSettings,
        context: Context,
    ) -> Self {
        let attempt = context.of_replica().deadline;
        Self {
            closed: context.closed.child_token(),
            leader,
            replicas: replicas.into_iter().map(|store| Replica::new(store, attempt)).collect(),
            settings,
            context,
            positions: Mutex::default(),
            leader_is_blind: AtomicBool::new(false),
            leader_answered: AtomicU64::new(0),
            turns: AtomicUsize::new(0),
            watch: Mutex::default(),
            watch_due: AtomicU64::new(0),
            hurry: Arc::new(Notify::new()),
        }
    }

    /// A replica for a read, and its place, if there is one that can be used.
    pub(super) fn choose(&self, now: Tick) -> Option<usize> {
        let usable = self.usable(now);
        let (&first, rest) = usable.split_first()?;
        if rest.is_empty() {
            return Some(first);
        }
        let any = || usable[fastrand::usize(..usable.len())];
        Some(match self.settings.policy {
            ReplicaPolicy::Random => any(),
            ReplicaPolicy::RoundRobin => usable[self.turns.fetch_add(1, Ordering::Relaxed) % usable.len()],
            ReplicaPolicy::LeastLag => {
                let age = |place: usize| self.replicas[place].age(now).unwrap_or(Duration::MAX);
                let least = usable.iter().map(|place| age(*place)).min().unwrap_or_default();
                let newest: Usable = usable.iter().copied().filter(|place| age(*place) == least).collect();
                newest[fastrand::usize(..newest.len())]
            }
        })
    }

    pub(super) fn usable(&self, now: Tick) -> Usable {
        let max_lag = self.settings.max_lag;
        let replicas = self.replicas.iter().enumerate();
        replicas.filter(|(_, replica)| replica.is_usable(max_lag, now)).map(|(place, _)| place).collect()
    }

    /// Whether anything has to be asked for again and again.
    pub(super) fn needs_watching(&self) -> bool {
        self.settings.needs_ages() || self.replicas.iter().any(|replica| replica.fitness() != Fitness::Fit)
    }

    /// A read has failed there; says what that tells of the replica.
    pub(super) fn failed(self: &Arc<Self>, place: usize, error: &Error) {
        match error.kind() {
            ErrorKind::Deadline | ErrorKind::Connection => {
                self.leave_out(place, "it does not answer", Some(error));
            }
            ErrorKind::Auth | ErrorKind::Server | ErrorKind::Missing | ErrorKind::ReadOnly => {
                self.suspect(place);
            }
            _ => {}
        }
    }

    /// Something went wrong there that may say nothing of the replica.
    pub(super) fn suspect(self: &Arc<Self>, place: usize) {
        if self.replicas[place].suspect() {
            self.watch_soon();
        }
    }

    fn leave_out(self: &Arc<Self>, place: usize, why: &'static str, error: Option<&Error>) {
        if self.replicas[place].set_fitness(Fitness::Out) {
            self.context.counters.count(Counter::ReplicasLeftOut);
            tracing::warn!(
                target: "cache::routing",
                alias = &*self.context.alias,
                replica = place + 1,
                kind = error.map(|error| tracing::field::display(error.kind())),
                "the replica is left out: {why}",
            );
            self.watch_soon();
        }
    }

    /// What the leader said when it was asked after `asked`.
    fn heard_leader(&self, asked: Tick, answer: &Result<Ping>) {
        match answer {
            Ok(Ping { lag: Lag::Position(position), history, .. }) => {
                self.positions().leader_at(Place { history: *history, position: *position }, asked);
                self.leader_is_blind.store(false, Ordering::Relaxed);
            }
            Ok(_) => self.leader_is_blind.store(true, Ordering::Relaxed),
            Err(_) => return self.leader_silent(asked),
        }
        self.judge_all();
    }

    /// The leader did an operation: whatever it says of itself, it takes writes.
    pub(super) fn leader_answered(&self) {
        if self.settings.needs_ages() {
            let now = self.context.clock.precise();
            self.leader_answered.store(now.as_nanos(), Ordering::Relaxed);
        }
    }

    /// The leader does not say where it is, or has not yet, when it was asked
    /// after `asked`. If it does what else it is asked to, it goes on without
    /// us knowing how far.
    pub(super) fn leader_silent(&self, asked: Tick) {
        let answered = Tick::from_nanos(self.leader_answered.load(Ordering::Relaxed));
        if self.rhythm().is_none_or(|rhythm| self.context.clock.precise().since(answered) > rhythm) {
            self.positions().leader_silent(asked);
        }
        self.judge_all();
    }

    fn judge_all(&self) {
        for (number, replica) in self.replicas.iter().enumerate() {
            if let Some(place) = replica.place() {
                self.judge(number, place);
            }
        }
    }

    /// What a replica said when it was asked after `asked`.
    fn heard_replica(self: &Arc<Self>, place: usize, asked: Tick, answer: &Result<Ping>) {
        let replica = &self.replicas[place];
        match answer {
            // It was closed with the alias.
            Err(error) if error.kind() == ErrorKind::Closed => return,
            Err(error) => return self.leave_out(place, "it does not answer", Some(error)),
            Ok(ping) if ping.loading => return self.leave_out(place, "it is loading its data", None),
            Ok(ping) => match ping.lag {
                Lag::Position(position) => {
                    let there = Place { history: ping.history, position };
                    replica.set_place(there);
                    self.judge(place, there);
                }
                Lag::Age(age) => {
                    let then =
                        asked.as_nanos().saturating_sub(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
                    replica.set_reached(Some(Tick::from_nanos(then)));
                    replica.set_sight(Sight::Tells);
                }
                Lag::Unknown => self.is_blind(place),
            },
        }
        if replica.set_fitness(Fitness::Fit) {
            replica.is_back(self.context.clock.precise());
            self.taken_back(place);
        }
    }

    /// A replica is there: how old is its data?
    fn judge(&self, number: usize, there: Place) {
        if self.leader_is_blind.load(Ordering::Relaxed) {
            return self.is_blind(number);
        }
        let replica = &self.replicas[number];
        replica.set_reached(self.positions().reached(there));
        replica.set_sight(Sight::Tells);
    }

    fn is_blind(&self, place: usize) {
        if self.replicas[place].set_sight(Sight::Blind) && self.settings.needs_ages() {
            tracing::warn!(
                target: "cache::routing",
                alias = &*self.context.alias,
                replica = place + 1,
                "the replica, or its leader, cannot tell how old its data is: `max_lag` and `least_lag` pass over it",
            );
        }
    }

    /// Tells of replicas that have become too old since, or no longer are.
    pub(super) fn tell_of_ages(&self, now: Tick) {
        for (place, replica) in self.replicas.iter().enumerate() {
            if replica.fitness() == Fitness::Out || replica.sight() == Sight::Unknown {
                continue;
            }
            let late = !replica.is_usable(self.settings.max_lag, now);
            if !replica.set_late(late) {
                continue;
            }
            if !late {
                self.taken_back(place);
                continue;
            }
            self.context.counters.count(Counter::ReplicasLeftOut);
            tracing::warn!(
                target: "cache::routing",
                alias = &*self.context.alias,
                replica = place + 1,
                "the replica is left out: its data is older than `max_lag`",
            );
        }
    }

    fn taken_back(&self, place: usize) {
        tracing::info!(
            target: "cache::routing",
            alias = &*self.context.alias,
            replica = place + 1,
            "the replica is taken back",
        );
    }

    /// A server by its place among all, the leader first.
    pub(super) fn endpoint(&self, place: usize) -> (Endpoint, &Arc<dyn AsyncCache>) {
        match place.checked_sub(1) {
            None => (Endpoint::Leader, &self.leader),
            Some(replica) => (Endpoint::Replica(place), &self.replicas[replica].store),
        }
    }

    /// Takes in what a server said.
    pub(super) fn heard(self: &Arc<Self>, endpoint: Endpoint, asked: Tick, answer: &Result<Ping>) {
        match endpoint {
            Endpoint::Leader => self.heard_leader(asked, answer),
            Endpoint::Replica(number) => self.heard_replica(number - 1, asked, answer),
        }
    }

    fn positions(&self) -> MutexGuard<'_, Positions> {
        self.positions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Servers")
            .field("leader", &self.leader)
            .field("replicas", &self.replicas)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
