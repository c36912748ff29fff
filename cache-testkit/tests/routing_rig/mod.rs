//! A leader and its replicas, each a faulty store over memory, by the manual
//! clock.

#![allow(dead_code, reason = "not every test needs all of it")]

mod coarse;
pub(crate) mod log;
mod server;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use cache_core::{
    AsyncCache, Cache, CacheBuilder, Clock, Context, Counter, Counters, Entry, Format, Key, KeySpace, Life,
    NewEntry, Read, Result, Routing, RoutingSettings, Tick, Trip, TripSettings, Write,
};
use cache_testkit::{Call, Faulty, ManualClock};
use tokio::runtime::Handle;

use coarse::Coarse;
use log::Log;
use server::Server;

pub(crate) use server::Tells;

/// Of every operation.
pub(crate) const DEADLINE: Duration = Duration::from_millis(100);

/// How late a call may be ended.
pub(crate) const GRACE: Duration = Duration::from_millis(10);

/// Longer than any pause of whoever asks, and than any task that idles.
pub(crate) const IDLE: Duration = Duration::from_secs(3);

static SPACE: LazyLock<KeySpace> = LazyLock::new(|| KeySpace::new("rig", 1));

/// What a rig is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    replicas: usize,
    settings: RoutingSettings,
    tells: Tells,
    trips: bool,
    coarse: bool,
}

pub(crate) struct Rig {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) log: Arc<Log>,
    /// The leader, and then the replicas: by their number.
    pub(crate) faulty: Vec<Arc<Faulty>>,
    pub(crate) servers: Vec<Arc<Server>>,
    /// In the same order, where there are any.
    pub(crate) trips: Vec<Arc<Trip>>,
    pub(crate) routing: Arc<Routing>,
    pub(crate) opening: Context,
    layout: Layout,
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn key(name: &str) -> Key<'_> {
    Key::new(&SPACE, name)
}

/// How many tasks the runtime of the test has.
pub(crate) fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

impl Layout {
    /// So many replicas of servers that know nothing of lag, with a trip
    /// before each, as a configuration makes them.
    pub(crate) fn of(replicas: usize) -> Self {
        Self { replicas, settings: RoutingSettings::new(), tells: Tells::Nothing, trips: true, coarse: false }
    }

    pub(crate) fn settings(mut self, settings: RoutingSettings) -> Self {
        self.settings = settings;
        self
    }

    pub(crate) fn tells(mut self, tells: Tells) -> Self {
        self.tells = tells;
        self
    }

    /// Nothing but the routing keeps time.
    pub(crate) fn without_trips(mut self) -> Self {
        self.trips = false;
        self
    }

    /// The cheap time of the clock lags behind.
    pub(crate) fn coarse(mut self) -> Self {
        self.coarse = true;
        self
    }

    pub(crate) fn rig(self) -> Rig {
        let clock = Arc::new(ManualClock::new());
        let log = Arc::new(Log::default());
        let time: Arc<dyn Clock> = if self.coarse {
            Arc::new(Coarse(Arc::clone(&clock)))
        } else {
            Arc::<ManualClock>::clone(&clock)
        };
        let mut opening = Context::new("rig").with_clock(time);
        opening.deadline = DEADLINE;
        let leader = Server::leader(&clock, &log, self.tells);
        let replicas = (0..self.replicas).map(|_| Server::replica(&clock, &log, self.tells));
        let servers: Vec<_> = [leader].into_iter().chain(replicas).map(Arc::new).collect();
        let faulty: Vec<_> =
            servers.iter().map(|server| Faulty::over(Arc::<Server>::clone(server))).collect();
        let mut trips = Vec::new();
        let mut stores: Vec<Arc<dyn AsyncCache>> = Vec::new();
        for (place, faulty) in faulty.iter().enumerate() {
            let context = if place == 0 { opening.clone() } else { opening.of_replica() };
            let faulty = Arc::<Faulty>::clone(faulty);
            if self.trips {
                let settings = TripSettings::new("rig", context.deadline, Arc::clone(&context.clock))
                    .counters(context.counters)
                    .timer(context.timer);
                let trip = Arc::new(Trip::new(faulty, settings));
                stores.push(Arc::<Trip>::clone(&trip));
                trips.push(trip);
            } else {
                stores.push(faulty);
            }
        }
        let leader = stores.remove(0);
        let routing = Arc::new(Routing::new(leader, stores, self.settings, &opening));
        Rig { clock, log, faulty, servers, trips, routing, opening, layout: self }
    }
}

impl Rig {
    pub(crate) fn leader(&self) -> &Faulty {
        &self.faulty[0]
    }

    /// The replica of this number, counted from 1.
    pub(crate) fn replica(&self, number: usize) -> &Faulty {
        assert!(number > 0, "replicas are counted from 1");
        &self.faulty[number]
    }

    pub(crate) fn tells(&self) -> Tells {
        self.layout.tells
    }

    /// By how much the cheap time lags behind.
    pub(crate) fn coarse_by(&self) -> Duration {
        if self.layout.coarse { coarse::LAG } else { Duration::ZERO }
    }

    pub(crate) fn time(&self) -> Arc<dyn Clock> {
        Arc::<ManualClock>::clone(&self.clock)
    }

    pub(crate) fn now(&self) -> Tick {
        self.clock.now()
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.opening.counters
    }

    pub(crate) fn total(&self, counter: Counter) -> u64 {
        self.counters().total(counter)
    }

    /// A handle with the keys of the rig.
    pub(crate) fn handle(&self) -> CacheBuilder {
        let routing: Arc<Routing> = Arc::clone(&self.routing);
        Cache::builder(routing).context(&self.opening).deadline(DEADLINE).key_prefix("rig").version(1)
    }

    /// Gives each server an entry of its own under this key, its number, behind
    /// everybody's back: so a read tells who answered it.
    pub(crate) async fn mark(&self, name: &str) {
        for (number, server) in self.servers.iter().enumerate() {
            assert!(set(&server.store, name, number_of(number)).await.expect("memory does not fail"));
        }
    }

    /// Who answers a read of a key that is [marked](Self::mark): 0 for the leader.
    pub(crate) async fn who_answers(&self, name: &str) -> usize {
        self.who_answers_to(name, Read::default()).await
    }

    pub(crate) async fn who_answers_to(&self, name: &str, read: Read) -> usize {
        let found = self.routing.aget(&key(name), read).await.expect("somebody answers");
        usize::try_from(integer(found).expect("it is marked")).expect("a number of a server")
    }

    /// Who answers so many reads, one after the other.
    pub(crate) async fn who_answer(&self, name: &str, reads: usize) -> Vec<usize> {
        let mut who = Vec::with_capacity(reads);
        for _ in 0..reads {
            who.push(self.who_answers(name).await);
        }
        who
    }

    /// How many calls each server has got, pings aside.
    pub(crate) fn asked(&self) -> Vec<usize> {
        self.faulty.iter().map(|faulty| faulty.begun_in_all() - faulty.begun(Call::Ping)).collect()
    }

    /// All replicas repeat all that the leader wrote.
    pub(crate) fn replicate(&self) {
        self.servers[1..].iter().for_each(|server| server.catch_up(usize::MAX));
    }

    /// What the work answers, while time passes, and how long it takes.
    pub(crate) async fn finish<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> (T, Duration) {
        let (began, clock) = (self.now(), Arc::clone(&self.clock));
        let task = tokio::spawn(async move {
            let answer = work.await;
            (answer, clock.now().since(began))
        });
        for _ in 0..10_000 {
            if task.is_finished() {
                return task.await.expect("no panic");
            }
            self.clock.pass(ms(1)).await;
        }
        panic!("it takes longer than ten seconds");
    }

    /// Somebody reads this key every ten milliseconds, whatever comes of it.
    pub(crate) async fn read_for(&self, name: &str, duration: Duration) {
        let until = self.now().after(duration);
        while self.now() < until {
            let _ = get(&*self.routing, name).await;
            self.clock.pass(ms(10)).await;
        }
    }

    /// What a read of this key answers while time passes, and how long it takes.
    pub(crate) async fn read(&self, name: &'static str, read: Read) -> (Result<Option<i64>>, Duration) {
        let routing = Arc::clone(&self.routing);
        self.finish(async move { routing.aget(&key(name), read).await.map(integer) }).await
    }

    /// Nothing is under way, nothing sleeps, and no task is left.
    pub(crate) async fn is_at_rest(&self) {
        self.clock.pass(IDLE).await;
        let inside: usize = self.faulty.iter().map(|faulty| faulty.inside_in_all()).sum();
        assert_eq!((inside, self.opening.timer.waiting()), (0, 0), "calls and deadlines");
        assert_eq!((tasks(), self.opening.tasks.len(), self.clock.sleepers()), (0, 0, 0), "tasks");
    }
}

/// The integer of an entry.
pub(crate) fn integer(found: Option<cache_core::Found>) -> Option<i64> {
    found.map(|found| found.entry.integer().expect("only integers are stored"))
}

pub(crate) fn number_of(server: usize) -> i64 {
    i64::try_from(server).expect("few servers")
}

/// Stores an integer for ever.
pub(crate) async fn set(store: &dyn AsyncCache, name: &str, value: i64) -> Result<bool> {
    let format = Format::default();
    let value = NewEntry::of(Entry::from_integer(value), &format);
    store.aset(&key(name), &value, Write::new(Life::Forever)).await
}

/// What a store says of a key.
pub(crate) async fn get(store: &dyn AsyncCache, name: &str) -> Result<Option<i64>> {
    store.aget(&key(name), Read::default()).await.map(integer)
}
