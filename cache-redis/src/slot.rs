//! A place for one connection: made when it is needed, shared by all who call,
//! replaced once it is of no use any more.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cache_core::{Clock, Context, Counter, Counters, Error, ErrorKind, Expiry, Key, Result, Tick, Timer};
use futures::FutureExt as _;
use futures::future::Shared;
use tokio::runtime::{self, Handle};
use tokio::sync::oneshot;

use crate::command::{Arg, Command};
use crate::driver::{Driver, Link, Lost, NoConnection, Target};
use crate::identity::Identity;
use crate::live::Live;
use crate::reply::{Failure, Reply};
use crate::script::Script;
use crate::server_error::ServerError;
use crate::settings::RedisSettings;
use crate::turns::{Turns, closed};

/// A place for one connection. Clones are the same place.
#[derive(Clone)]
pub(crate) struct Slot(Arc<Inner>);

struct Inner {
    driver: Driver,
    target: Target,
    identity: Identity,
    connect_deadline: Duration,
    /// How long a caller waits at most.
    patience: Duration,
    turns: Turns,
    state: Mutex<State>,
    /// How many attempts were begun; their numbers tell them apart.
    attempts: AtomicU64,
    /// Whether there ever was a connection.
    connected_before: AtomicBool,
    alias: Arc<str>,
    clock: Arc<dyn Clock>,
    timer: Arc<Timer>,
    counters: Counters,
}

enum State {
    /// There is none, perhaps for a reason that still holds.
    None(Option<Setback>),
    Connecting(Attempt),
    Connected(Arc<Live>),
    /// There will be none any more; the last one may still have to answer.
    Closed(Option<Arc<Live>>),
}

/// An attempt that failed, and until when its failure is everybody's.
struct Setback {
    until: Tick,
    reason: NoConnection,
}

/// Somebody connects, and others wait for it too.
#[derive(Clone)]
struct Attempt {
    number: u64,
    outcome: Shared<oneshot::Receiver<Outcome>>,
    /// If there is no outcome by then, its runtime stands still.
    due: Tick,
    runtime: runtime::Id,
}

type Outcome = Result<Arc<Live>, NoConnection>;

/// What a caller finds.
enum Found {
    Connection(Arc<Live>),
    Attempt(Attempt),
    /// The caller has to see to the attempt.
    Begun(Attempt, oneshot::Sender<Outcome>),
}

/// A call under way, by which its connection learns also that it was dropped.
struct Pending<'a> {
    slot: &'a Inner,
    live: Arc<Live>,
    began: Tick,
    ended: bool,
}

/// After a failure nobody tries for so long, and up to half as long again:
/// programs that lost one server together do not return together.
const PAUSE: Duration = Duration::from_millis(40);

/// How much later than its deadline an attempt may end.
const SLACK: Duration = Duration::from_millis(500);

impl Slot {
    pub(crate) fn new(settings: &RedisSettings, context: &Context) -> Self {
        let slack = Duration::from_millis(10).min(context.deadline / 8);
        Self(Arc::new(Inner {
            driver: settings.driver,
            target: settings.target.clone(),
            identity: settings.identity.clone(),
            connect_deadline: settings.connect_deadline,
            patience: context.deadline.saturating_sub(slack),
            turns: Turns::new(settings.max_in_flight, settings.max_waiting),
            state: Mutex::new(State::None(None)),
            attempts: AtomicU64::new(0),
            connected_before: AtomicBool::new(false),
            alias: Arc::clone(&context.alias),
            clock: Arc::clone(&context.clock),
            timer: Arc::clone(&context.timer),
            counters: context.counters.clone(),
        }))
    }

    /// Sends the command and reads its reply.
    pub(crate) async fn ask<T>(
        &self,
        command: &Command<'_>,
        read: impl FnOnce(Reply) -> Result<T, Failure>,
    ) -> Result<T> {
        self.try_ask(command, read).await?.map_err(|error| error.into_error(command.name))
    }

    /// As [`ask`](Self::ask); what the server refused it with is kept apart.
    pub(crate) async fn try_ask<T>(
        &self,
        command: &Command<'_>,
        read: impl FnOnce(Reply) -> Result<T, Failure>,
    ) -> Result<Result<T, ServerError>> {
        let _turn = match self.0.turns.try_take() {
            Some(turn) => turn,
            None => self.0.turns.take().await?,
        };
        let mut pending = match self.0.begin_call().await? {
            Ok(pending) => pending,
            Err(error) => return Ok(Err(error)),
        };
        let reply = pending.live.link.call(command).await;
        pending.end(reply, read)
    }

    /// Runs the script, which the server may have to be told first.
    pub(crate) async fn run<'a, T>(
        &self,
        script: &'static Script,
        key: Key<'a>,
        args: &[Arg<'a>],
        read: impl Fn(Reply) -> Result<T, Failure>,
    ) -> Result<T> {
        let outcome = self.try_ask(&script.by_digest(key, args), &read).await?;
        match outcome {
            Ok(answer) => Ok(answer),
            Err(ServerError::UnknownScript) => self.ask(&script.by_text(key, args), read).await,
            Err(error) => Err(error.into_error("EVALSHA")),
        }
    }

    /// Sends the commands together and reads each of their replies.
    pub(crate) async fn ask_many<T>(
        &self,
        commands: &[Command<'_>],
        mut read: impl FnMut(usize, Reply) -> Result<T, Failure>,
    ) -> Result<Vec<Result<T>>> {
        let _turn = self.0.turns.take().await?;
        let mut pending = match self.0.begin_call().await? {
            Ok(pending) => pending,
            Err(error) => return Err(error.into_error("the connection")),
        };
        let replies = pending.live.link.call_many(commands).await;
        let outcomes = pending.end(replies, |replies| {
            if replies.len() != commands.len() {
                return Err(Failure::Misfit);
            }
            let outcome = |(position, reply)| match read(position, reply) {
                Ok(answer) => Ok(Ok(answer)),
                Err(Failure::Refused(error)) => Ok(Err(error)),
                Err(Failure::Misfit) => Err(Failure::Misfit),
            };
            replies.into_iter().enumerate().map(outcome).collect::<Result<Vec<_>, _>>()
        })?;
        let outcomes = outcomes.map_err(|error| error.into_error("the commands"))?;
        if let Some(error) = outcomes.iter().find_map(|outcome| outcome.as_ref().err()) {
            pending.told(*error);
        }
        let answers = outcomes.into_iter().zip(commands);
        Ok(answers
            .map(|(outcome, command)| outcome.map_err(|error| error.into_error(command.name)))
            .collect())
    }

    /// Refuses new calls, lets those under way end, and lets go of the
    /// connection. Whoever waits sets the deadline.
    pub(crate) async fn close(&self) {
        self.0.refuse();
        self.0.turns.all_back().await;
        self.0.let_go();
    }

    /// Lets go of the connection without waiting for anybody.
    pub(crate) fn cut(&self) {
        self.0.refuse();
        self.0.let_go();
    }
}

impl Inner {
    /// A call by a connection that is of use, or what the server refused one with.
    async fn begin_call(self: &Arc<Self>) -> Result<Result<Pending<'_>, ServerError>> {
        let now = self.clock.now();
        // Nearly always there is one, and nothing to wait for.
        if let State::Connected(live) = &*self.state()
            && live.is_usable()
        {
            return Ok(Ok(Pending::begin(self, Arc::clone(live), now)));
        }
        let live = Box::pin(self.connection()).await?;
        Ok(live.map(|live| Pending::begin(self, live, self.clock.now())))
    }

    async fn connection(self: &Arc<Self>) -> Result<Result<Arc<Live>, ServerError>> {
        loop {
            let attempt = match self.find()? {
                Ok(Found::Connection(live)) => return Ok(Ok(live)),
                Ok(Found::Attempt(attempt)) => attempt,
                Ok(Found::Begun(attempt, tell)) => {
                    self.begin(&attempt, tell);
                    attempt
                }
                Err(refused) => return Ok(Err(refused)),
            };
            match attempt.outcome.await {
                Ok(Ok(live)) => return Ok(Ok(live)),
                Ok(Err(NoConnection::Refused(error))) => return Ok(Err(error)),
                Ok(Err(NoConnection::Unreachable(error))) => return Err(error),
                // The task is gone; if it was another runtime's, this one is tried.
                Err(_) => self.forget(attempt.number, attempt.runtime)?,
            }
        }
    }

    fn find(&self) -> Result<Result<Found, ServerError>> {
        let now = self.clock.now();
        let mut state = self.state();
        match &*state {
            State::Connected(live) if live.is_usable() => {
                return Ok(Ok(Found::Connection(Arc::clone(live))));
            }
            State::Connecting(attempt) if now <= attempt.due => {
                return Ok(Ok(Found::Attempt(attempt.clone())));
            }
            State::None(Some(setback)) if now < setback.until => {
                return match &setback.reason {
                    NoConnection::Refused(error) => Ok(Err(*error)),
                    NoConnection::Unreachable(error) => Err(error.clone()),
                };
            }
            State::Closed(_) => return Err(closed()),
            State::Connected(_) | State::Connecting(_) | State::None(_) => {}
        }
        let Ok(runtime) = Handle::try_current() else { return Err(no_runtime()) };
        let (tell, outcome) = oneshot::channel();
        let attempt = Attempt {
            number: self.attempts.fetch_add(1, Ordering::Relaxed),
            outcome: outcome.shared(),
            due: now.after(self.connect_deadline).after(SLACK),
            runtime: runtime.id(),
        };
        // What was there goes when its last call has ended.
        let replaced = std::mem::replace(&mut *state, State::Connecting(attempt.clone()));
        drop(state);
        drop(replaced);
        Ok(Ok(Found::Begun(attempt, tell)))
    }

    /// Connects in a task of its own, which no caller's fate touches. No lock
    /// is held: a runtime that has been shut down drops the task at once.
    fn begin(self: &Arc<Self>, attempt: &Attempt, tell: oneshot::Sender<Outcome>) {
        let (slot, number) = (Arc::clone(self), attempt.number);
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let outcome = slot.connect().await;
                slot.arrived(number, &outcome);
                // Nobody may be left who wants to know.
                let _ = tell.send(outcome);
            });
        }
    }

    async fn connect(&self) -> Outcome {
        let until = self.clock.precise().after(self.connect_deadline);
        match self.timer.limit(until, Box::pin(self.introduce())).await {
            Ok(outcome) => Ok(Arc::new(Live::new(outcome?, self.clock.now()))),
            Err(Expiry::Elapsed) => {
                let (address, deadline) = (&self.target.address, self.connect_deadline);
                let detail = format!("no connection to {address} within {deadline:?}");
                Err(NoConnection::Unreachable(Error::new(ErrorKind::Connection, detail)))
            }
            Err(expiry) => Err(NoConnection::Unreachable(expiry.into())),
        }
    }

    /// A connection that is ready for commands of callers.
    async fn introduce(&self) -> Result<Link, NoConnection> {
        let credentials = self.identity.credentials().await.map_err(NoConnection::Unreachable)?;
        let link = self.driver.connect(&self.target, &credentials).await?;
        if self.identity.database != 0 {
            self.tell(&link, &Command::select(self.identity.database)).await?;
        }
        if let Some(name) = &self.identity.client_name {
            self.tell(&link, &Command::set_client_name(name)).await?;
        }
        Ok(link)
    }

    async fn tell(&self, link: &Link, command: &Command<'_>) -> Result<(), NoConnection> {
        let reply = link.call(command).await.map_err(|lost| NoConnection::Unreachable(lost.into_error()))?;
        reply.done().map_err(|failure| match failure {
            Failure::Refused(error) => NoConnection::Refused(error),
            Failure::Misfit => NoConnection::Unreachable(misfit()),
        })
    }

    fn arrived(&self, number: u64, outcome: &Outcome) {
        {
            let mut state = self.state();
            let is_awaited = matches!(&*state, State::Connecting(attempt) if attempt.number == number);
            if !is_awaited {
                return;
            }
            *state = match outcome {
                Ok(live) => State::Connected(Arc::clone(live)),
                // Another runtime may have what this one lacks.
                Err(NoConnection::Unreachable(error)) if error.kind() == ErrorKind::Closed => {
                    State::None(None)
                }
                Err(reason) => {
                    let pause = PAUSE + PAUSE.mul_f64(fastrand::f64() / 2.0);
                    let until = self.clock.now().after(pause);
                    State::None(Some(Setback { until, reason: reason.clone() }))
                }
            };
        }
        if outcome.is_ok() && self.connected_before.swap(true, Ordering::Relaxed) {
            self.counters.count(Counter::Reconnections);
            tracing::info!(target: "cache::redis", alias = &*self.alias, "connected anew");
        }
    }

    /// The task of this attempt is gone without an outcome.
    fn forget(&self, number: u64, runtime: runtime::Id) -> Result<()> {
        let mut state = self.state();
        if matches!(&*state, State::Connecting(attempt) if attempt.number == number) {
            *state = State::None(None);
        }
        match Handle::try_current() {
            Ok(here) if here.id() != runtime => Ok(()),
            _ => Err(no_runtime()),
        }
    }

    fn refuse(&self) {
        let mut state = self.state();
        *state = match std::mem::replace(&mut *state, State::Closed(None)) {
            State::Connected(live) => State::Closed(Some(live)),
            State::Closed(live) => State::Closed(live),
            State::None(_) | State::Connecting(_) => State::Closed(None),
        };
    }

    fn let_go(&self) {
        self.turns.close();
        let last = match &mut *self.state() {
            State::Closed(live) => live.take(),
            _ => None,
        };
        if let Some(live) = last {
            live.link.cut();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Pending<'a> {
    fn begin(slot: &'a Inner, live: Arc<Live>, began: Tick) -> Self {
        Self { slot, live, began, ended: false }
    }

    fn end<R, T>(
        &mut self,
        reply: Result<R, Lost>,
        read: impl FnOnce(R) -> Result<T, Failure>,
    ) -> Result<Result<T, ServerError>> {
        self.ended = true;
        let reply = match reply {
            Ok(reply) => reply,
            Err(lost) => {
                self.live.retire();
                return Err(lost.into_error());
            }
        };
        self.live.heard();
        match read(reply) {
            Ok(answer) => Ok(Ok(answer)),
            Err(Failure::Refused(error)) => {
                self.told(error);
                Ok(Err(error))
            }
            Err(Failure::Misfit) => {
                // Whose replies the others on this connection would get nobody knows.
                self.live.retire();
                self.live.link.cut();
                tracing::error!(
                    target: "cache::redis",
                    alias = &*self.slot.alias,
                    "a reply does not fit its command; the connection is given up",
                );
                Err(misfit())
            }
        }
    }

    fn told(&self, error: ServerError) {
        if error.calls_for_a_new_connection() {
            self.live.retire_if_old(self.slot.clock.now());
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.live.not_heard(self.began, self.slot.clock.now(), self.slot.patience);
        }
    }
}

#[cold]
fn misfit() -> Error {
    Error::new(ErrorKind::Connection, "the reply does not fit the command; the connection is given up")
}

#[cold]
fn no_runtime() -> Error {
    Error::new(
        ErrorKind::Closed,
        "there is no tokio runtime to connect on: it has been shut down, or has no I/O (`enable_all`)",
    )
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("driver", &self.0.driver)
            .field("target", &self.0.target)
            .finish_non_exhaustive()
    }
}
