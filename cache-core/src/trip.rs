//! The layer next to a remote store: no exchange with it can hang, and while
//! it is known to be down nobody waits for it.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::OnceCell;
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
/// lost connection and nothing was answered since that exchange began; an
/// error of any other kind is an answer. From then on calls fail at once with
/// [`Connection`](ErrorKind::Connection), while one task of its own asks
/// `aping` again and again, less and less often down to about once a second,
/// until there is an answer.
///
/// A caller who gives up before the deadline says nothing of the store.
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
    /// What keeps the deadlines; several layers can share one.
    pub timer: Arc<Timer>,
    /// Where it counts outages.
    pub counters: Counters,
}

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A caller with the same deadline as the exchange may give up on it a moment
/// before; that the store did not answer is known all the same.
const LARGEST_SLACK: Duration = Duration::from_millis(10);

/// The task that asks may be this late before another takes its place: its
/// runtime may stand still.
const OVERDUE: Duration = Duration::from_secs(1);

struct Endpoint {
    store: Arc<dyn AsyncCache>,
    settings: TripSettings,
    /// How many exchanges were answered.
    answers: AtomicU64,
    /// Kept beside the state, so that a healthy call takes no lock.
    down: AtomicBool,
    state: Mutex<State>,
    in_flight: TaskTracker,
    closed: CancellationToken,
    /// What closing came to; it is done once, also if the first who asked gave up.
    ended: OnceCell<Result<()>>,
}

#[derive(Default)]
struct State {
    /// Why the store is known to be down.
    down: Option<Error>,
    /// The task that asks, if there is one.
    prober: Option<Watch>,
    next_prober: u64,
}

/// Which task asks, and by when it must have asked again.
struct Watch {
    number: u64,
    due: Tick,
}

/// What the outcome of an exchange says of the store.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Answered,
    NotAnswered,
    Nothing,
}

impl TripSettings {
    /// A deadline, on this clock.
    pub fn new(alias: &str, deadline: Duration, clock: Arc<dyn Clock>) -> Self {
        let timer = Timer::new(Arc::clone(&clock));
        Self { alias: alias.into(), deadline, clock, timer, counters: Counters::new() }
    }

    /// Counts into these.
    #[must_use]
    pub fn counters(mut self, counters: Counters) -> Self {
        self.counters = counters;
        self
    }

    /// Keeps deadlines on this timer.
    #[must_use]
    pub fn timer(mut self, timer: Arc<Timer>) -> Self {
        self.timer = timer;
        self
    }
}

impl Trip {
    /// Puts the layer around one endpoint.
    pub fn new(store: Arc<dyn AsyncCache>, settings: TripSettings) -> Self {
        Self {
            endpoint: Arc::new(Endpoint {
                store,
                settings,
                answers: AtomicU64::new(0),
                down: AtomicBool::new(false),
                state: Mutex::default(),
                in_flight: TaskTracker::new(),
                closed: CancellationToken::new(),
                ended: OnceCell::new(),
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
        self.run_judged(work, |_| Verdict::Answered).await
    }

    /// A bulk call in which no key was answered is none.
    async fn run_bulk<T>(
        &self,
        work: impl Future<Output = Result<Vec<Result<T>>>> + Send,
    ) -> Result<Vec<Result<T>>> {
        self.run_judged(work, |outcomes| {
            let verdicts = outcomes
                .iter()
                .map(|outcome| outcome.as_ref().map_or_else(Verdict::of, |_| Verdict::Answered));
            let not_answered = |verdict| verdict == Verdict::NotAnswered;
            if verdicts.len() > 0 && verdicts.into_iter().all(not_answered) {
                Verdict::NotAnswered
            } else {
                Verdict::Answered
            }
        })
        .await
    }

    async fn run_judged<T>(
        &self,
        work: impl Future<Output = Result<T>> + Send,
        judge: impl Fn(&T) -> Verdict + Send,
    ) -> Result<T> {
        let endpoint = &self.endpoint;
        // Before it is asked whether the store is open, so that closing waits
        // for whoever was let in.
        let _under_way = endpoint.in_flight.token();
        endpoint.admit()?;
        let mut attempt = Attempt::begin(endpoint);
        let outcome = endpoint.settings.timer.limit(attempt.until, work).await;
        attempt.end(outcome, judge)
    }
}

impl Verdict {
    fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Deadline | ErrorKind::Connection => Self::NotAnswered,
            ErrorKind::Closed => Self::Nothing,
            _ => Self::Answered,
        }
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
        let (reason, prober) = {
            let mut state = self.state();
            let Some(reason) = state.down.clone() else { return Ok(()) };
            (reason, self.claim_prober(&mut state))
        };
        self.start(prober);
        self.settings.counters.count(Counter::FailedFast);
        Err(Error::new(ErrorKind::Connection, "the store is known to be down").with_source(reason))
    }

    fn answered(&self) {
        self.answers.fetch_add(1, Ordering::SeqCst);
        if self.down.load(Ordering::SeqCst) {
            self.recovered();
        }
    }

    fn recovered(&self) {
        let mut state = self.state();
        self.down.store(false, Ordering::SeqCst);
        if state.down.take().is_some() {
            drop(state);
            tracing::info!(target: "cache::trip", alias = &*self.settings.alias, "the store answers again");
        }
    }

    fn not_answered(self: &Arc<Self>, answers_before: u64, reason: &Error) {
        if self.closed.is_cancelled() {
            return;
        }
        let prober = {
            let mut state = self.state();
            if state.down.is_some() {
                return;
            }
            // Told first and asked then, as an answer is counted first and
            // asks then: one of the two sees the other.
            self.down.store(true, Ordering::SeqCst);
            if self.answers.load(Ordering::SeqCst) != answers_before {
                self.down.store(false, Ordering::SeqCst);
                return;
            }
            state.down = Some(reason.clone());
            self.claim_prober(&mut state)
        };
        self.start(prober);
        self.settings.counters.count(Counter::Outages);
        tracing::warn!(
            target: "cache::trip",
            alias = &*self.settings.alias,
            kind = %reason.kind(),
            "the store does not answer; calls fail at once until it does",
        );
    }

    /// A new task that asks, if there is none, or if the one there is late.
    fn claim_prober(self: &Arc<Self>, state: &mut State) -> Option<Prober> {
        let now = self.settings.clock.precise();
        if state.prober.as_ref().is_some_and(|watch| now <= watch.due) {
            return None;
        }
        // Without a runtime the next caller that has one starts it.
        Handle::try_current().ok()?;
        let number = state.next_prober;
        state.next_prober += 1;
        state.prober = Some(Watch { number, due: now.after(OVERDUE) });
        Some(Prober { endpoint: Arc::downgrade(self), number })
    }

    /// No lock is held: a runtime that has been shut down drops the task at once.
    fn start(&self, prober: Option<Prober>) {
        if let Some(prober) = prober
            && let Ok(runtime) = Handle::try_current()
        {
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
    answers_before: u64,
    until: Tick,
    ended: bool,
}

impl<'a> Attempt<'a> {
    fn begin(endpoint: &'a Arc<Endpoint>) -> Self {
        let mut attempt = Self { endpoint, answers_before: 0, until: Tick::NEVER, ended: false };
        attempt.extend();
        attempt
    }

    /// A deadline's time from now on.
    fn extend(&mut self) {
        self.answers_before = self.endpoint.answers.load(Ordering::SeqCst);
        self.until = self.endpoint.settings.clock.precise().after(self.endpoint.settings.deadline);
    }

    fn end<T>(&mut self, outcome: Result<Result<T>, Expiry>, judge: impl Fn(&T) -> Verdict) -> Result<T> {
        self.ended = true;
        let outcome = outcome.unwrap_or_else(|expiry| {
            Err(if expiry == Expiry::Elapsed { self.endpoint.no_answer() } else { expiry.into() })
        });
        match outcome.as_ref().map_or_else(Verdict::of, judge) {
            Verdict::Answered => self.endpoint.answered(),
            Verdict::NotAnswered => match &outcome {
                Err(error) => self.endpoint.not_answered(self.answers_before, error),
                Ok(_) => self.endpoint.not_answered(self.answers_before, &Error::of(ErrorKind::Connection)),
            },
            Verdict::Nothing => {}
        }
        outcome
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let settings = &self.endpoint.settings;
        let slack = LARGEST_SLACK.min(settings.deadline / 8);
        if !self.ended && settings.clock.precise().after(slack) >= self.until {
            self.endpoint.not_answered(self.answers_before, &self.endpoint.no_answer());
        }
    }
}

/// The one task that asks while the store is down. It holds the endpoint
/// weakly between two questions, so that the last user ends it.
struct Prober {
    endpoint: Weak<Endpoint>,
    number: u64,
}

impl Prober {
    async fn run(self, clock: Arc<dyn Clock>) {
        let mut pause = FIRST_PAUSE;
        loop {
            // Programs that lost one store together do not ask it together.
            let next = clock.precise().after(pause + pause.mul_f64(fastrand::f64() * 0.2));
            if !self.goes_on(next) {
                return;
            }
            clock.sleep_until(next).await;
            let Some(endpoint) = self.endpoint.upgrade() else { return };
            let until = clock.precise().after(endpoint.settings.deadline);
            let answer = endpoint.settings.timer.limit(until, endpoint.store.aping()).await;
            let verdict = match &answer {
                Ok(Ok(ping)) if ping.loading => Verdict::Nothing,
                Ok(Ok(_)) => Verdict::Answered,
                Ok(Err(error)) => Verdict::of(error),
                Err(_) => Verdict::NotAnswered,
            };
            if verdict == Verdict::Answered {
                endpoint.answered();
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Whether there is still something to ask, and nobody else who does. It
    /// is decided under the lock, so that an outage that begins right now
    /// finds either this task or none.
    fn goes_on(&self, next: Tick) -> bool {
        let Some(endpoint) = self.endpoint.upgrade() else { return false };
        let mut state = endpoint.state();
        if state.down.is_none() {
            self.leave(&mut state);
            return false;
        }
        let due = next.after(endpoint.settings.deadline).after(OVERDUE);
        match &mut state.prober {
            Some(watch) if watch.number == self.number => {
                watch.due = due;
                true
            }
            _ => false,
        }
    }

    fn leave(&self, state: &mut State) {
        if state.prober.as_ref().is_some_and(|watch| watch.number == self.number) {
            state.prober = None;
        }
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        if let Some(endpoint) = self.endpoint.upgrade() {
            self.leave(&mut endpoint.state());
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
        self.run_bulk(self.endpoint.store.get_many(keys, read)).await
    }

    async fn set_many(&self, items: &[(Key<'_>, NewEntry<'_>, Life)]) -> Result<Vec<Result<()>>> {
        self.run_bulk(self.endpoint.store.set_many(items)).await
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<Vec<Result<()>>> {
        self.run_bulk(self.endpoint.store.delete_many(keys)).await
    }

    async fn aclear(&self, scope: &Scope<'_>) -> Result<()> {
        let endpoint = &self.endpoint;
        let _under_way = endpoint.in_flight.token();
        endpoint.admit()?;
        let mut attempt = Attempt::begin(endpoint);
        let mut work = endpoint.store.aclear(scope);
        loop {
            let steps = scope.steps();
            let outcome = endpoint.settings.timer.limit(attempt.until, &mut work).await;
            if outcome.as_ref().err() == Some(&Expiry::Elapsed) && scope.steps() != steps {
                attempt.extend();
                continue;
            }
            return attempt.end(outcome, |()| Verdict::Answered);
        }
    }

    async fn aping(&self) -> Result<Ping> {
        self.run(self.endpoint.store.aping()).await
    }

    /// Lets what is under way end, for one deadline at most, and then closes
    /// the store, which may take as long again.
    async fn aclose(&self) -> Result<()> {
        let endpoint = &self.endpoint;
        endpoint.closed.cancel();
        endpoint.in_flight.close();
        let close = async || {
            let timer = &endpoint.settings.timer;
            let deadline = || endpoint.settings.clock.precise().after(endpoint.settings.deadline);
            // What does not end by then is cut off by closing the store under it.
            let _ = timer.limit(deadline(), endpoint.in_flight.wait()).await;
            timer.limit(deadline(), endpoint.store.aclose()).await.unwrap_or_else(|expiry| Err(expiry.into()))
        };
        endpoint.ended.get_or_init(close).await.clone()
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
