//! The layer over a leader and its replicas: reads are spread over the
//! replicas, everything else goes to the leader.

mod positions;
mod recent;
mod replica;
mod servers;
mod settings;
mod watch;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::{BoxFuture, join, join_all};

use self::recent::Recent;
use self::servers::Servers;
use crate::async_cache::AsyncCache;
use crate::backend::Context;
use crate::capabilities::{Batch, Capabilities};
use crate::clock::Tick;
use crate::entry::NewEntry;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::life::Life;
use crate::options::{Found, Incr, Read, ReadFrom, Scope, Usage, When, Write};
use crate::per_key::per_key;
use crate::ping::{Endpoint, EndpointPing, Lag, Ping};
use crate::stats::Counter;
use crate::timer::Expiry;

pub use settings::{ReplicaPolicy, RoutingSettings};

/// Sends reads to the replicas of a leader, and everything else to the leader.
///
/// A read goes to a replica by the [`ReplicaPolicy`], unless it says
/// [`Leader`](ReadFrom::Leader), wants a token, or is of a key that was written
/// here within [`read_your_writes`](RoutingSettings::read_your_writes). Such a
/// read may miss what has been written; so the capabilities say
/// [`stale_reads`](Capabilities::stale_reads).
///
/// # Replicas that fail
///
/// * An attempt on a replica gets half of what is left of the deadline. What
///   fails there, but for what is wrong with the call itself
///   (`InvalidKey`, `TooLarge`, `Codec`, `Unsupported`), is tried once on the
///   leader, with the time that is left; of a bulk read only the keys that failed.
/// * A replica that gives no answer (`Deadline`, `Connection`), or says that it
///   is loading, is left out. A task asks it again and again, at first after 50
///   ms and less and less often down to once a second, until it answers; then it
///   is taken back. One that fails anew within ten seconds is asked as seldom as
///   before. What fails otherwise (`Auth`, `Server`, `Missing`, `ReadOnly`) may be
///   about one key, and a caller with a shorter deadline may just be in a hurry:
///   then the replica is asked at once, and left out if that fails.
/// * With [`max_lag`](RoutingSettings::max_lag) one whose data is older, or not
///   known to be younger, is left out too. The servers are then asked four times
///   within that time, at most a hundred times a second and at least once. A
///   replica that says how old its data is is believed; where servers tell
///   positions, data is as old as the last position of the leader that the
///   replica has reached. Behind a leader that answers nothing, for one of those
///   quarters, nothing ages that has reached its last known position, or has begun
///   anew since; one whose history is not the leader's has an unknown age. Where a
///   server can tell neither, one event says so and it is used as it is.
/// * With no replica left, reads go to the leader.
///
/// # Read your writes
///
/// For that time, counted from when the write ended, however it did, its keys are
/// read from the leader; after a clear, all keys. It is kept by the hash of the
/// key in 128 KiB: a key that shares the place of one that was written is read
/// from the leader too. Writes by other programs, and through other aliases, are
/// not known here.
///
/// Reads are counted as [`RoutedToReplica`](Counter::RoutedToReplica) and
/// [`RetriedOnLeader`](Counter::RetriedOnLeader), what goes to the leader at
/// once as [`RoutedToLeader`](Counter::RoutedToLeader), changes as
/// [`ReplicasLeftOut`](Counter::ReplicasLeftOut); they are events of the target
/// `cache::routing`. [`aping`](AsyncCache::aping) asks all servers and lists each;
/// it fails if the leader does not answer.
///
/// ```
/// use cache_core::{Cache, Context, ReplicaPolicy, Routing, RoutingSettings, Timeout};
/// use std::{sync::Arc, time::Duration};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> cache_core::Result<()> {
/// let leader = Arc::new(cache_mem::MemStore::new());
/// let replica = Arc::new(cache_mem::MemStore::new());
/// let settings = RoutingSettings::new()
///     .policy(ReplicaPolicy::RoundRobin)
///     .read_your_writes(Duration::from_millis(500));
/// let routing = Routing::new(leader, vec![replica], settings, &Context::new("pages"));
/// let cache = Cache::new(routing);
///
/// // Nothing brings it to the replica here, and yet it is found.
/// cache.aset("motto", "onwards", Timeout::Default).await?;
/// assert_eq!(cache.aget::<String>("motto").await?.as_deref(), Some("onwards"));
/// # Ok(())
/// # }
/// ```
pub struct Routing {
    servers: Arc<Servers>,
    recent: Option<Recent>,
    capabilities: Capabilities,
}

impl Routing {
    /// Puts the layer around a leader and its replicas. Of the context it takes
    /// alias, deadline, clock, timer, counters, tasks and their end.
    pub fn new(
        leader: Arc<dyn AsyncCache>,
        replicas: Vec<Arc<dyn AsyncCache>>,
        settings: RoutingSettings,
        context: &Context,
    ) -> Self {
        let capabilities = capabilities(&*leader, &replicas, context);
        let recent = settings.read_your_writes.map(Recent::new);
        let servers = Servers::new(leader, replicas, settings, context.of_layer());
        Self { servers: Arc::new(servers), recent, capabilities }
    }

    /// The replicas that are in use right now, counted from 1.
    pub fn in_use(&self) -> Vec<usize> {
        let usable = self.servers.usable(self.servers.context.clock.now());
        usable.iter().map(|place| place + 1).collect()
    }

    /// The replica for a read, or `None` for the leader.
    fn replica_for(&self, read: Read) -> Option<usize> {
        if read.from == ReadFrom::Leader || read.token {
            return None;
        }
        let now = self.servers.context.clock.now();
        let replica = self.servers.choose(now);
        self.servers.keep_watch(now);
        replica
    }

    fn was_written(&self, key: &Key<'_>) -> bool {
        self.recent.as_ref().is_some_and(|recent| recent.covers(key, self.servers.context.clock.now()))
    }

    /// A read of one key.
    async fn read<'a, T>(
        &'a self,
        key: &Key<'_>,
        read: Read,
        call: impl Fn(&'a Arc<dyn AsyncCache>) -> BoxFuture<'a, Result<T>>,
    ) -> Result<T> {
        let replica = if self.was_written(key) { None } else { self.replica_for(read) };
        let Some(place) = replica else {
            self.count(Counter::RoutedToLeader);
            return self.of_leader(call(&self.servers.leader)).await;
        };
        let until = self.until(read);
        match self.attempt(place, read, until, &call).await {
            Err(error) if is_of_the_server(&error) => {
                self.count(Counter::RetriedOnLeader);
                self.of_leader(self.limit(until, call(&self.servers.leader))).await
            }
            outcome => outcome,
        }
    }

    /// What the leader answers.
    async fn of_leader<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let outcome = work.await;
        if outcome.is_ok() {
            self.servers.leader_answered();
        }
        outcome
    }

    /// The same of many keys.
    async fn many_of_leader<T>(
        &self,
        work: impl Future<Output = Result<Vec<Result<T>>>>,
    ) -> Result<Vec<Result<T>>> {
        let outcome = work.await;
        if outcome.as_ref().is_ok_and(|answers| answers.iter().any(Result::is_ok)) {
            self.servers.leader_answered();
        }
        outcome
    }

    /// An attempt on a replica, which gets half of what is left.
    async fn attempt<'a, T>(
        &'a self,
        place: usize,
        read: Read,
        until: Tick,
        call: impl Fn(&'a Arc<dyn AsyncCache>) -> BoxFuture<'a, Result<T>>,
    ) -> Result<T> {
        self.count(Counter::RoutedToReplica);
        let replica = &self.servers.replicas[place];
        let outcome = if replica.ends_in_time && read.until == Tick::NEVER {
            call(&replica.store).await
        } else {
            let context = &self.servers.context;
            let now = context.clock.precise();
            let left = until.since(now);
            let outcome = context.timer.limit(now.after(left / 2), call(&replica.store)).await;
            if outcome.is_err() && left + COARSENESS < context.deadline {
                // A caller in a hurry does not tell how the replica is; it is asked.
                self.servers.suspect(place);
                return Err(no_time());
            }
            outcome.unwrap_or_else(|expiry| Err(expired(expiry)))
        };
        if let Err(error) = &outcome {
            self.servers.failed(place, error);
        }
        outcome
    }

    /// Reads keys at these positions from one place, and on the leader once
    /// more what failed on a replica.
    async fn read_some(
        &self,
        replica: Option<usize>,
        keys: &[Key<'_>],
        read: Read,
    ) -> Result<Vec<Result<Option<Found>>>> {
        let leader = &self.servers.leader;
        let Some(place) = replica else {
            self.count(Counter::RoutedToLeader);
            return self.many_of_leader(leader.get_many(keys, read)).await;
        };
        let until = self.until(read);
        let outcome = self.attempt(place, read, until, |store| store.get_many(keys, read)).await;
        let mut answers = match outcome {
            Ok(answers) => answers,
            Err(error) if is_of_the_server(&error) => {
                self.count(Counter::RetriedOnLeader);
                return self.many_of_leader(self.limit(until, leader.get_many(keys, read))).await;
            }
            Err(error) => return Err(error),
        };
        let is_failure = |answer: &Result<_>| answer.as_ref().is_err_and(is_of_the_server);
        let failures = answers.iter().enumerate().filter(|(_, answer)| is_failure(answer));
        let failed: Vec<_> = failures.map(|(position, _)| position).collect();
        if failed.is_empty() || answers.len() != keys.len() {
            return Ok(answers);
        }
        for error in failed.iter().filter_map(|position| answers[*position].as_ref().err()) {
            self.servers.failed(place, error);
        }
        self.count(Counter::RetriedOnLeader);
        let again: Vec<_> = failed.iter().map(|position| keys[*position]).collect();
        let outcomes = self.many_of_leader(self.limit(until, leader.get_many(&again, read))).await;
        put(&mut answers, &failed, outcomes);
        Ok(answers)
    }

    /// A write of these keys, or of all.
    async fn write<T>(&self, keys: Option<&[Key<'_>]>, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.count(Counter::RoutedToLeader);
        let clock = &*self.servers.context.clock;
        let _writing = self.recent.as_ref().map(|recent| recent.writing(keys, clock));
        work.await
    }

    /// A write of one key, or of a few in one.
    async fn write_one<T>(&self, keys: &[Key<'_>], work: impl Future<Output = Result<T>>) -> Result<T> {
        self.write(Some(keys), self.of_leader(work)).await
    }

    /// A write of many keys, each with an outcome of its own.
    async fn write_many<T>(
        &self,
        keys: &[Key<'_>],
        work: impl Future<Output = Result<Vec<Result<T>>>>,
    ) -> Result<Vec<Result<T>>> {
        self.write(Some(keys), self.many_of_leader(work)).await
    }

    /// When a read has to be done.
    fn until(&self, read: Read) -> Tick {
        let context = &self.servers.context;
        context.clock.now().after(context.deadline).min(read.until)
    }

    async fn limit<T>(&self, until: Tick, work: impl Future<Output = Result<T>>) -> Result<T> {
        let context = &self.servers.context;
        context.timer.limit(until, work).await.unwrap_or_else(|expiry| Err(expired(expiry)))
    }

    fn count(&self, counter: Counter) {
        self.servers.context.counters.count(counter);
    }
}

/// How far behind the clock may be that is read cheaply.
const COARSENESS: Duration = Duration::from_millis(10);

#[cold]
fn expired(expiry: Expiry) -> Error {
    if expiry == Expiry::Elapsed { no_time() } else { expiry.into() }
}

#[cold]
fn no_time() -> Error {
    Error::new(ErrorKind::Deadline, "no answer in the time that was left")
}

/// Whether a failure may be the server's and not the call's.
fn is_of_the_server(error: &Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::InvalidKey | ErrorKind::TooLarge | ErrorKind::Codec | ErrorKind::Unsupported
    )
}

/// Puts answers where they belong; the failure of all is the failure of each.
fn put<T>(answers: &mut [Result<T>], positions: &[usize], outcomes: Result<Vec<Result<T>>>) {
    for (position, outcome) in positions.iter().zip(per_key(outcomes, positions.len())) {
        answers[*position] = outcome;
    }
}

/// Those of the leader, but for what replicas narrow.
fn capabilities(
    leader: &dyn AsyncCache,
    replicas: &[Arc<dyn AsyncCache>],
    context: &Context,
) -> Capabilities {
    let own = leader.capabilities();
    let keys = replicas.iter().map(|replica| replica.capabilities().read_batch.keys);
    let keys = keys.chain([own.read_batch.keys]).min().unwrap_or(1);
    // An attempt on a replica and one on the leader end in this time, if the
    // leader alone does.
    let deadline = own.deadline.filter(|deadline| *deadline <= context.deadline).map(|_| context.deadline);
    own.stale_reads(!replicas.is_empty()).read_batch(Batch::new(keys)).deadline(deadline)
}

#[async_trait]
impl AsyncCache for Routing {
    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
    }

    fn usage(&self) -> Usage {
        self.servers.leader.usage()
    }

    async fn aget(&self, key: &Key<'_>, read: Read) -> Result<Option<Found>> {
        self.read(key, read, |store| store.aget(key, read)).await
    }

    async fn aset(&self, key: &Key<'_>, value: &NewEntry<'_>, write: Write) -> Result<bool> {
        self.write_one(&[*key], self.servers.leader.aset(key, value, write)).await
    }

    async fn atouch(&self, key: &Key<'_>, life: Life) -> Result<bool> {
        self.write_one(&[*key], self.servers.leader.atouch(key, life)).await
    }

    async fn adelete(&self, key: &Key<'_>, when: &When) -> Result<bool> {
        self.write_one(&[*key], self.servers.leader.adelete(key, when)).await
    }

    async fn ahas_key(&self, key: &Key<'_>, read: Read) -> Result<bool> {
        self.read(key, read, |store| store.ahas_key(key, read)).await
    }

    async fn alife(&self, key: &Key<'_>, read: Read) -> Result<Option<Life>> {
        self.read(key, read, |store| store.alife(key, read)).await
    }

    async fn aincr(&self, key: &Key<'_>, incr: Incr) -> Result<Option<i64>> {
        self.write_one(&[*key], self.servers.leader.aincr(key, incr)).await
    }

    async fn amove(&self, from: &Key<'_>, to: &Key<'_>) -> Result<bool> {
        self.write_one(&[*from, *to], self.servers.leader.amove(from, to)).await
    }

    async fn get_many(&self, keys: &[Key<'_>], read: Read) -> Result<Vec<Result<Option<Found>>>> {
        let (written, others): (Vec<_>, Vec<_>) =
            (0..keys.len()).partition(|position| self.was_written(&keys[*position]));
        let replica = if others.is_empty() { None } else { self.replica_for(read) };
        if written.is_empty() || replica.is_none() {
            return self.read_some(replica, keys, read).await;
        }
        let at = |positions: &[usize]| positions.iter().map(|position| keys[*position]).collect::<Vec<_>>();
        let (of_leader, of_replica) = (at(&written), at(&others));
        let (new, old) =
            join(self.read_some(None, &of_leader, read), self.read_some(replica, &of_replica, read)).await;
        let mut answers = (0..keys.len()).map(|_| Ok(None)).collect::<Vec<_>>();
        put(&mut answers, &written, new);
        put(&mut answers, &others, old);
        Ok(answers)
    }

    async fn set_many(&self, items: &[(Key<'_>, NewEntry<'_>, Write)]) -> Result<Vec<Result<bool>>> {
        let keys: Vec<_> = items.iter().map(|(key, ..)| *key).collect();
        self.write_many(&keys, self.servers.leader.set_many(items)).await
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<Vec<Result<()>>> {
        self.write_many(keys, self.servers.leader.delete_many(keys)).await
    }

    async fn aclear(&self, scope: &Scope<'_>) -> Result<()> {
        self.write(None, self.of_leader(self.servers.leader.aclear(scope))).await
    }

    async fn aping(&self) -> Result<Ping> {
        let servers = &self.servers;
        let asks = join_all((0..=servers.replicas.len()).map(async |place| {
            let (endpoint, store) = servers.endpoint(place);
            let asked = servers.context.clock.precise();
            (endpoint, asked, self.limit(asked.after(servers.context.deadline), store.aping()).await)
        }));
        let answers = asks.await;
        for (endpoint, asked, answer) in &answers {
            servers.heard(*endpoint, *asked, answer);
        }
        let now = servers.context.clock.precise();
        let usable = servers.usable(now);
        let endpoints: Vec<_> = answers
            .into_iter()
            .map(|(endpoint, _, mut answer)| {
                let replica = match endpoint {
                    Endpoint::Leader => return EndpointPing::new(endpoint, true, answer),
                    Endpoint::Replica(number) => number - 1,
                };
                if let (Ok(ping), Some(age)) = (&mut answer, servers.replicas[replica].age(now)) {
                    ping.lag = Lag::Age(age);
                }
                EndpointPing::new(endpoint, usable.contains(&replica), answer)
            })
            .collect();
        let there = endpoints.iter().filter(|endpoint| endpoint.answer.is_ok()).count();
        match endpoints[0].answer.clone() {
            Ok(leader) => Ok(leader.with_endpoints(endpoints)),
            Err(error) => {
                let detail =
                    format!("the leader does not answer; {there} of {} replicas do", servers.replicas.len());
                Err(Error::new(error.kind(), detail).with_source(error))
            }
        }
    }

    async fn aclose(&self) -> Result<()> {
        self.servers.closed.cancel();
        let closing = (0..=self.servers.replicas.len()).map(|place| self.servers.endpoint(place).1.aclose());
        join_all(closing).await.into_iter().collect()
    }
}

impl fmt::Debug for Routing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routing").field("servers", &self.servers).finish_non_exhaustive()
    }
}
