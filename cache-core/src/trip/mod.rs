//! The layer next to a remote store: no exchange with it can hang, and while
//! it is known to be down nobody waits for it.

mod attempt;
mod endpoint;
mod settings;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;

use self::attempt::Attempt;
use self::endpoint::{Endpoint, Verdict};
use crate::async_cache::{AsyncCache, Probe};
use crate::capabilities::Capabilities;
use crate::entry::NewEntry;
use crate::error::Result;
use crate::key::Key;
use crate::life::Life;
use crate::options::{Found, Incr, Read, Scope, Usage, When, Write};
use crate::ping::Ping;
use crate::timer::Expiry;

pub use settings::TripSettings;

/// A deadline for each exchange with one endpoint, and a memory of whether it
/// is there.
///
/// The store is known to be down once an exchange ended by its deadline or a
/// lost connection and nothing was answered since that exchange began; what
/// only the store can say (`NotAnInteger`, `Auth`, `Server`, ...) is an answer,
/// what this side may have refused (`Overloaded`, `TooLarge`, ...) says nothing.
/// From then on calls fail at once with
/// [`Connection`](crate::ErrorKind::Connection), while one task of its own asks
/// `aping` again and again, less and less often down to about once a second,
/// until there is an answer. Where that task does not get to it, as on a runtime
/// that runs only while somebody blocks on it, a caller is let through instead,
/// every other second or so.
///
/// A caller who gives up before the deadline says nothing of the store.
/// Changes of state are `tracing` events of the target `cache::trip`.
#[derive(Debug)]
pub struct Trip {
    endpoint: Arc<Endpoint>,
}

impl Trip {
    /// Puts the layer around one endpoint.
    pub fn new(store: Arc<dyn AsyncCache>, settings: TripSettings) -> Self {
        Self { endpoint: Arc::new(Endpoint::new(store, settings)) }
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

    /// A bulk call says what any of its keys says, an answer before all.
    async fn run_bulk<T>(
        &self,
        work: impl Future<Output = Result<Vec<Result<T>>>> + Send,
    ) -> Result<Vec<Result<T>>> {
        self.run_judged(work, |outcomes| {
            let verdicts = outcomes
                .iter()
                .map(|outcome| outcome.as_ref().map_or_else(Verdict::of, |_| Verdict::Answered));
            verdicts.max().unwrap_or(Verdict::Nothing)
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

#[async_trait]
impl AsyncCache for Trip {
    fn capabilities(&self) -> Capabilities {
        self.endpoint.store.capabilities().deadline(Some(self.endpoint.settings.deadline))
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

    async fn set_many(&self, items: &[(Key<'_>, NewEntry<'_>, Write)]) -> Result<Vec<Result<bool>>> {
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
        endpoint.ended.get_or_try_init(close).await.copied()
    }
}
