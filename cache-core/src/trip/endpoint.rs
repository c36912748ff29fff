//! Whether a store is there: what its answers say, and the task that asks
//! while it gives none.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::{self, Handle};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::settings::TripSettings;
use crate::async_cache::AsyncCache;
use crate::clock::{Clock, Tick};
use crate::error::{Error, ErrorKind, Result};
use crate::stats::Counter;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The task that asks may be this late before another takes its place: its
/// runtime may stand still.
const OVERDUE: Duration = Duration::from_secs(1);

/// One store, and what is known of it.
pub(super) struct Endpoint {
    pub(super) store: Arc<dyn AsyncCache>,
    pub(super) settings: TripSettings,
    /// How many exchanges were answered.
    pub(super) answers: AtomicU64,
    /// Kept beside the state, so that a healthy call takes no lock.
    pub(super) down: AtomicBool,
    state: Mutex<State>,
    pub(super) in_flight: TaskTracker,
    pub(super) closed: CancellationToken,
    /// Set once the store has been closed.
    pub(super) ended: OnceCell<()>,
}

#[derive(Default)]
struct State {
    /// Why the store is known to be down.
    down: Option<Error>,
    /// The task that asks, if there is one.
    prober: Option<Watch>,
    next_prober: u64,
}

/// Which task asks, and by when it must have asked again. A late one may have
/// lost its runtime, or live on one that runs only while somebody blocks on it.
struct Watch {
    number: u64,
    due: Tick,
    runtime: Option<runtime::Id>,
}

/// What the outcome of an exchange says of the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    Nothing,
    NotAnswered,
    Answered,
}

impl Verdict {
    pub(super) fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Deadline | ErrorKind::Connection => Self::NotAnswered,
            ErrorKind::NotFound
            | ErrorKind::NotAnInteger
            | ErrorKind::Overflow
            | ErrorKind::Auth
            | ErrorKind::Server
            | ErrorKind::ReadOnly
            | ErrorKind::Missing => Self::Answered,
            // These are said on this side too, as by a queue that is full just
            // because nothing is answered.
            _ => Self::Nothing,
        }
    }
}

impl Endpoint {
    pub(super) fn new(store: Arc<dyn AsyncCache>, settings: TripSettings) -> Self {
        Self {
            store,
            settings,
            answers: AtomicU64::new(0),
            down: AtomicBool::new(false),
            state: Mutex::default(),
            in_flight: TaskTracker::new(),
            closed: CancellationToken::new(),
            ended: OnceCell::new(),
        }
    }

    pub(super) fn admit(self: &Arc<Self>) -> Result<()> {
        if self.closed.is_cancelled() {
            return Err(Error::new(ErrorKind::Closed, "the store has been closed"));
        }
        if !self.down.load(Ordering::Acquire) {
            return Ok(());
        }
        let (reason, prober) = {
            let mut state = self.state();
            let Some(reason) = state.down.clone() else { return Ok(()) };
            let now = self.settings.clock.precise();
            let here = Handle::try_current().ok().map(|runtime| runtime.id());
            match &mut state.prober {
                // The outage began where there is no runtime; here there is one.
                Some(watch) if watch.runtime.is_none() && here.is_some() => {
                    (reason, self.claim_prober(&mut state))
                }
                Some(watch) if now <= watch.due => (reason, None),
                // Whoever should ask does not get to it here: this caller does.
                Some(watch) if here.is_none() || watch.runtime == here => {
                    watch.due = now.after(self.settings.deadline).after(OVERDUE);
                    return Ok(());
                }
                Some(_) | None => (reason, self.claim_prober(&mut state)),
            }
        };
        self.start(prober);
        self.settings.counters.count(Counter::FailedFast);
        Err(Error::new(ErrorKind::Connection, "the store is known to be down").with_source(reason))
    }

    pub(super) fn answered(&self) {
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

    pub(super) fn not_answered(self: &Arc<Self>, answers_before: u64, reason: &Error) {
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

    /// A new task that asks, in the place of any other; without a runtime a
    /// caller will have to, some time later.
    fn claim_prober(self: &Arc<Self>, state: &mut State) -> Option<Prober> {
        let number = state.next_prober;
        state.next_prober += 1;
        let due = self.settings.clock.precise().after(OVERDUE);
        let runtime = Handle::try_current().ok().map(|runtime| runtime.id());
        state.prober = Some(Watch { number, due, runtime });
        runtime.map(|_| Prober { endpoint: Arc::downgrade(self), number })
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

    pub(super) fn no_answer(&self) -> Error {
        let detail = format!("no answer within {:?}", self.settings.deadline);
        Error::new(ErrorKind::Deadline, detail)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("alias", &self.settings.alias)
            .field("down", &self.down)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
