//! The task that asks servers how they are: those that are left out until they
//! answer, and all of them where their age has to be known.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::replica::{Fitness, LONGEST_PAUSE, Replica};
use super::servers::{Servers, Watch};
use crate::clock::{Clock, Tick};
use crate::error::Result;
use crate::ping::{Endpoint, Ping};

/// Ages are asked for so often within the time that they may not exceed.
const ASKS_PER_LAG: u32 = 4;
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// Where nothing says how old data may be.
const PAUSE_OF_LEAST_LAG: Duration = Duration::from_millis(250);

/// How late the task may be.
const OVERDUE: Duration = Duration::from_secs(1);

impl Servers {
    /// Sees to it that somebody asks, if there is something to ask.
    pub(super) fn keep_watch(self: &Arc<Self>, now: Tick) {
        if now.as_nanos() < self.watch_due.load(Ordering::Relaxed) || !self.needs_watching() {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        let number = {
            let mut watch = self.watch();
            if now.as_nanos() < self.watch_due.load(Ordering::Relaxed) {
                return;
            }
            let number = watch.next;
            watch.next += 1;
            watch.current = Some(number);
            self.watch_due.store(now.after(OVERDUE).as_nanos(), Ordering::Relaxed);
            number
        };
        let task = Task {
            servers: Arc::downgrade(self),
            number,
            clock: Arc::clone(&self.context.clock),
            asks: FuturesUnordered::new(),
            schedules: Vec::new(),
            round: Tick::from_nanos(0),
        };
        let (closed, hurry) = (self.closed.clone(), Arc::clone(&self.hurry));
        // No lock is held: a runtime that has been shut down drops the task at once.
        self.context.tasks.spawn_on(
            async move {
                closed.run_until_cancelled(task.run(hurry)).await;
            },
            &runtime,
        );
    }

    /// As [`keep_watch`](Self::keep_watch); a task that sleeps is woken.
    pub(super) fn watch_soon(self: &Arc<Self>) {
        self.keep_watch(self.context.clock.precise());
        self.hurry.notify_one();
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often all servers are asked, where their ages have to be known.
    pub(super) fn rhythm(&self) -> Option<Duration> {
        let settings = &self.settings;
        match settings.max_lag {
            Some(max_lag) => Some((max_lag / ASKS_PER_LAG).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)),
            None => settings.needs_ages().then_some(PAUSE_OF_LEAST_LAG),
        }
    }
}

/// Holds the servers weakly between two turns, so that the last user ends it.
struct Task {
    servers: Weak<Servers>,
    number: u64,
    clock: Arc<dyn Clock>,
    /// One that takes long keeps no other from being made anew.
    asks: FuturesUnordered<BoxFuture<'static, Heard>>,
    /// Of all servers, the leader first.
    schedules: Vec<Schedule>,
    /// When all of them are asked next, where their ages are to be compared.
    round: Tick,
}

/// When one server is asked.
#[derive(Clone, Copy, Debug, Default)]
struct Schedule {
    /// When next, if at all.
    next: Option<Tick>,
    is_being_asked: bool,
}

/// What a server said, and when it was asked.
type Heard = (Endpoint, Tick, Result<Ping>);

impl Task {
    async fn run(mut self, hurry: Arc<Notify>) {
        let clock = Arc::clone(&self.clock);
        while let Some(next) = self.ask() {
            let mut sleep = pin!(clock.sleep_until(next));
            loop {
                tokio::select! {
                    () = &mut sleep => break,
                    () = hurry.notified() => break,
                    Some(heard) = self.asks.next(), if !self.asks.is_empty() => self.heard(&heard),
                }
            }
        }
    }

    /// Asks whoever is to be asked now; when to ask again, or `None` if there is
    /// nothing left to ask, or somebody else does it.
    fn ask(&mut self) -> Option<Tick> {
        let servers = self.servers.upgrade()?;
        let now = self.clock.precise();
        self.schedules.resize_with(1 + servers.replicas.len(), Schedule::default);
        let rhythm = servers.rhythm();
        if let Some(pause) = rhythm.filter(|_| self.round <= now) {
            self.round = now.after(spread(pause));
        }
        let round = rhythm.map(|_| self.round);
        let mut next = now.after(LONGEST_PAUSE);
        for (place, schedule) in self.schedules.iter_mut().enumerate() {
            let replica = place.checked_sub(1).map(|place| &servers.replicas[place]);
            schedule.update(replica, round.is_some(), now);
            let Some(due) = schedule.next else { continue };
            if due > now {
                next = next.min(due);
                continue;
            }
            schedule.turn(replica, round, now);
            next = schedule.next.map_or(next, |due| next.min(due));
            if schedule.is_being_asked {
                if place == 0 {
                    servers.leader_silent(now);
                }
                continue;
            }
            schedule.is_being_asked = true;
            let (endpoint, store) = servers.endpoint(place);
            let (store, context) = (Arc::clone(store), servers.context.clone());
            self.asks.push(Box::pin(async move {
                let until = now.after(context.deadline);
                let answer = context.timer.limit(until, store.aping()).await;
                (endpoint, now, answer.unwrap_or_else(|expiry| Err(expiry.into())))
            }));
        }
        servers.tell_of_ages(now);
        let mut watch = servers.watch();
        if watch.current != Some(self.number) {
            return None;
        }
        // Decided under the lock: whoever leaves a replica out right now finds
        // either this task or none.
        let goes_on = servers.needs_watching();
        let due = if goes_on { next.after(OVERDUE).as_nanos() } else { 0 };
        servers.watch_due.store(due, Ordering::Relaxed);
        watch.current = goes_on.then_some(self.number);
        goes_on.then_some(next)
    }

    fn heard(&mut self, (endpoint, asked, answer): &Heard) {
        let place = match endpoint {
            Endpoint::Leader => 0,
            Endpoint::Replica(number) => *number,
        };
        self.schedules[place].is_being_asked = false;
        if let Some(servers) = self.servers.upgrade() {
            servers.heard(*endpoint, *asked, answer);
            servers.tell_of_ages(self.clock.precise());
        }
    }
}

impl Schedule {
    /// Takes in what has become of the server, a replica or the leader.
    fn update(&mut self, replica: Option<&Replica>, in_rounds: bool, now: Tick) {
        match replica.map(|replica| (replica, replica.fitness())) {
            Some((_, Fitness::Suspect)) => self.next = Some(now),
            _ if in_rounds => self.next = self.next.or(Some(now)),
            Some((replica, Fitness::Out)) if self.next.is_none() => {
                self.next = Some(now.after(spread(replica.first_pause(now))));
            }
            Some((_, Fitness::Fit)) => self.next = None,
            _ => {}
        }
    }

    /// It is asked now, or is being asked still: plans the next time.
    fn turn(&mut self, replica: Option<&Replica>, round: Option<Tick>, now: Tick) {
        let pause = || replica.map_or(LONGEST_PAUSE, Replica::next_pause);
        self.next = Some(round.unwrap_or_else(|| now.after(spread(pause()))));
    }
}

/// Programs that lost one server together do not ask it together.
fn spread(pause: Duration) -> Duration {
    pause + pause.mul_f64(fastrand::f64() * 0.2)
}
