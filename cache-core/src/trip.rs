//! The layer next to a remote store: no exchange with it can hang, and while
//! it is known to be down nobody waits for it.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::async_cache::{AsyncCache, Probe};
use crate::capabilities::Capabilities;
use crate::clock::{Clock, Tick};
use crate::entry::NewEntry;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::life::Life;
use crate::options::{Found, Incr, Ping, Read, Scope, Usage, When, Write};
use crate::stats::{Counter, Counters};
use crate::timer::{Expiry, Timer};

/// A deadline for each exchange with one endpoint, and a memory of whether it
/// is there.
///
/// The store is known to be down once an exchange ended by its deadline or a
/// lost connection and nothing was answered since that exchange began. From
/// then on calls fail at once with
/// [`Connection`](ErrorKind::Connection), while one task of its own asks
/// `aping` again and again, less and less often up to once a second, until
/// there is an answer.
///
/// Changes of state are `tracing` events of the target `cache::trip`.
#[derive(Debug)]
pub struct Trip {
    endpoint: Arc<Endpoint>,
}

/// What a [`Trip`] is told beside the store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TripSettings {
    /// The alias, for events.
    pub alias: Arc<str>,
    /// How long one exchange may take. A clear may take as long between two
    /// steps.
    pub deadline: Duration,
    /// Where it gets its time from.
    pub clock: Arc<dyn Clock>,
    /// Where it counts outages.
    pub counters: Counters,
}

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A caller with the same deadline as the exchange may give up on it a moment
/// before; that the store did not answer is known all the same.
const SLACK: Duration = Duration::from_millis(10);

struct Endpoint {
    store: Arc<dyn AsyncCache>,
    settings: TripSettings,
    timer: Arc<Timer>,
    last_answer: AtomicU64,
    /// Kept beside the state, so that a healthy call takes no lock.
    down: AtomicBool,
    state: Mutex<State>,
    in_flight: TaskTracker,
    closed: CancellationToken,
}

#[derive(Default)]
struct State {
    /// Why the store is known to be down.
    down: Option<Error>,
    probing: bool,
}

impl TripSettings {
    /// A deadline, on this clock.
    pub fn new(alias: &str, deadline: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { alias: alias.into(), deadline, clock, counters: Counters::new() }
    }

    /// Counts into these.
    #[must_use]
    pub fn counters(mut self, counters: Counters) -> Self {
        self.counters = counters;
        self
    }
}

impl Trip {
    /// Puts the layer around one endpoint.
    pub fn new(store: Arc<dyn AsyncCache>, settings: TripSettings) -> Self {
        let timer = Timer::new(Arc::clone(&settings.clock));
        Self {
            endpoint: Arc::new(Endpoint {
                store,
                settings,
                timer,
                last_answer: AtomicU64::new(0),
                down: AtomicBool::new(false),
                state: Mutex::default(),
                in_flight: TaskTracker::new(),
                closed: CancellationToken::new(),
            }),
        }
    }

    /// Whether the store is known to be down.
    pub fn is_down(&self) -> bool {
        self.endpoint.down.load(Ordering::Acquire)
    }

    /// How many exchanges are under way.
    pub fn in_flight(&self) -> usize {
        self.endpoint.in_flight.len()
    }

    async fn run<T>(&self, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let endpoint = &self.endpoint;
        endpoint.admit()?;
        let _under_way = endpoint.in_flight.token();
        let mut attempt = Attempt::begin(endpoint);
        let outcome = endpoint.timer.limit(attempt.until, work).await;
        attempt.end(outcome)
    }
}

impl Endpoint {
    fn admit(self: &Arc<Self>) -> Result<()> {
        if self.closed.is_cancelled() {
            return Err(Error::new(ErrorKind::Closed, "the store has been closed"));
        }
        if !self.down.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut state = self.state();
        let Some(reason) = state.down.clone() else { return Ok(()) };
        // The runtime that the task lived on may be gone.
        self.ensure_prober(&mut state);
        drop(state);
        self.settings.counters.count(Counter::FailedFast);
        Err(Error::new(ErrorKind::Connection, "the store is known to be down").with_source(reason))
    }

    fn answered(&self) {
        self.last_answer.store(self.settings.clock.precise().as_nanos(), Ordering::Release);
        if self.down.load(Ordering::Acquire) {
            self.recovered();
        }
    }

    fn recovered(&self) {
        let mut state = self.state();
        self.down.store(false, Ordering::Release);
        if state.down.take().is_some() {
            drop(state);
            tracing::info!(target: "cache::trip", alias = &*self.settings.alias, "the store answers again");
        }
    }

    fn not_answered(self: &Arc<Self>, began: Tick, reason: &Error) {
        let last_answer = Tick::from_nanos(self.last_answer.load(Ordering::Acquire));
        if last_answer > began || self.closed.is_cancelled() {
            return;
        }
        let mut state = self.state();
        if state.down.is_some() {
            return;
        }
        state.down = Some(reason.clone());
        self.down.store(true, Ordering::Release);
        self.ensure_prober(&mut state);
        drop(state);
        self.settings.counters.count(Counter::Outages);
        tracing::warn!(
            target: "cache::trip",
            alias = &*self.settings.alias,
            kind = %reason.kind(),
            "the store does not answer; calls fail at once until it does",
        );
    }

    fn ensure_prober(self: &Arc<Self>, state: &mut State) {
        if state.probing {
            return;
        }
        // Without a runtime the next caller that has one starts it.
        if let Ok(runtime) = Handle::try_current() {
            state.probing = true;
            let prober = Prober { endpoint: Arc::downgrade(self) };
            let clock = Arc::clone(&self.settings.clock);
            let closed = self.closed.clone();
            runtime.spawn(async move { closed.run_until_cancelled(prober.run(clock)).await });
        }
    }

    fn no_answer(&self) -> Error {
        let detail = format!("no answer within {:?}", self.settings.deadline);
        Error::new(ErrorKind::Deadline, detail)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One exchange, from which the endpoint learns also when it is dropped.
struct Attempt<'a> {
    endpoint: &'a Arc<Endpoint>,
    began: Tick,
    until: Tick,
    ended: bool,
}

impl<'a> Attempt<'a> {
    fn begin(endpoint: &'a Arc<Endpoint>) -> Self {
        let began = endpoint.settings.clock.precise();
        Self { endpoint, began, until: began.after(endpoint.settings.deadline), ended: false }
    }

    /// Another deadline's time, since the exchange came further.
    fn extend(&mut self) {
        self.began = self.endpoint.settings.clock.precise();
        self.until = self.began.after(self.endpoint.settings.deadline);
    }

    fn end<T>(&mut self, outcome: Result<Result<T>, Expiry>) -> Result<T> {
        self.ended = true;
        let outcome = outcome.unwrap_or_else(|expiry| {
            Err(if expiry == Expiry::Elapsed { self.endpoint.no_answer() } else { expiry.into() })
        });
        match &outcome {
            Err(error) if matches!(error.kind(), ErrorKind::Deadline | ErrorKind::Connection) => {
                self.endpoint.not_answered(self.began, error);
            }
            Err(error) if error.kind() == ErrorKind::Closed => {}
            _ => self.endpoint.answered(),
        }
        outcome
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let now = self.endpoint.settings.clock.precise();
        if !self.ended && now.after(SLACK) >= self.until {
            self.endpoint.not_answered(self.began, &self.endpoint.no_answer());
        }
    }
}

/// The one task that asks while the store is down. It holds the endpoint
/// weakly between two questions, so that the last user ends it.
struct Prober {
    endpoint: Weak<Endpoint>,
}

impl Prober {
    async fn run(self, clock: Arc<dyn Clock>) {
        let mut pause = FIRST_PAUSE;
        loop {
            // Programs that lost one store together do not ask it together.
            let jitter = pause.mul_f64(fastrand::f64() * 0.2);
            clock.sleep_until(clock.precise().after(pause + jitter)).await;
            let Some(endpoint) = self.endpoint.upgrade() else { return };
            if !endpoint.down.load(Ordering::Acquire) {
                return;
            }
            let until = clock.precise().after(endpoint.settings.deadline);
            if let Ok(Ok(ping)) = endpoint.timer.limit(until, endpoint.store.aping()).await
                && !ping.loading
            {
                endpoint.answered();
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        if let Some(endpoint) = self.endpoint.upgrade() {
            endpoint.state().probing = false;
        }
    }
}

#[async_trait]
impl AsyncCache for Trip {
    fn capabilities(&self) -> Capabilities {
        self.endpoint.store.capabilities()
    }

    fn probe(&self, key: &Key<'_>) -> Probe {
        self.endpoint.store.probe(key)
    }

    fn usage(&self) -> Usage {
        self.endpoint.store.usage()
    }

    async fn aget(&self, key: &Key<'_>, read: Read) -> Result<Option<Found>> {
        self.run(self.endpoint.store.aget(key, read)).await
    }

    async fn aset(&self, key: &Key<'_>, value: &NewEntry<'_>, write: Write) -> Result<bool> {
        self.run(self.endpoint.store.aset(key, value, write)).await
    }

    async fn atouch(&self, key: &Key<'_>, life: Life) -> Result<bool> {
        self.run(self.endpoint.store.atouch(key, life)).await
    }

    async fn adelete(&self, key: &Key<'_>, when: &When) -> Result<bool> {
        self.run(self.endpoint.store.adelete(key, when)).await
    }

    async fn ahas_key(&self, key: &Key<'_>, read: Read) -> Result<bool> {
        self.run(self.endpoint.store.ahas_key(key, read)).await
    }

    async fn alife(&self, key: &Key<'_>, read: Read) -> Result<Option<Life>> {
        self.run(self.endpoint.store.alife(key, read)).await
    }

    async fn aincr(&self, key: &Key<'_>, incr: Incr) -> Result<Option<i64>> {
        self.run(self.endpoint.store.aincr(key, incr)).await
    }

    async fn amove(&self, from: &Key<'_>, to: &Key<'_>) -> Result<bool> {
        self.run(self.endpoint.store.amove(from, to)).await
    }

    async fn get_many(&self, keys: &[Key<'_>], read: Read) -> Result<Vec<Result<Option<Found>>>> {
        self.run(self.endpoint.store.get_many(keys, read)).await
    }

    async fn set_many(&self, items: &[(Key<'_>, NewEntry<'_>, Life)]) -> Result<Vec<Result<()>>> {
        self.run(self.endpoint.store.set_many(items)).await
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<Vec<Result<()>>> {
        self.run(self.endpoint.store.delete_many(keys)).await
    }

    async fn aclear(&self, scope: &Scope<'_>) -> Result<()> {
        let endpoint = &self.endpoint;
        endpoint.admit()?;
        let _under_way = endpoint.in_flight.token();
        let mut attempt = Attempt::begin(endpoint);
        let mut work = endpoint.store.aclear(scope);
        loop {
            let steps = scope.steps();
            let outcome = endpoint.timer.limit(attempt.until, &mut work).await;
            if outcome.as_ref().err() == Some(&Expiry::Elapsed) && scope.steps() != steps {
                attempt.extend();
                continue;
            }
            return attempt.end(outcome);
        }
    }

    async fn aping(&self) -> Result<Ping> {
        self.run(self.endpoint.store.aping()).await
    }

    /// Lets what is under way end, for one deadline at most, and then closes
    /// the store.
    async fn aclose(&self) -> Result<()> {
        let endpoint = &self.endpoint;
        endpoint.closed.cancel();
        endpoint.in_flight.close();
        let deadline = || endpoint.settings.clock.precise().after(endpoint.settings.deadline);
        // What does not end by then is cut off by closing the store under it.
        let _ = endpoint.timer.limit(deadline(), endpoint.in_flight.wait()).await;
        match endpoint.timer.limit(deadline(), endpoint.store.aclose()).await {
            Ok(outcome) => outcome,
            Err(expiry) => Err(expiry.into()),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("alias", &self.settings.alias)
            .field("down", &self.down)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
