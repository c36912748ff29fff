//! A layer whose writes end once two replicas have them, so that a read of any
//! server answers what was written.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use cache_core::{
    AsyncCache, Capabilities, Found, Incr, Key, Life, NewEntry, Ping, Probe, Read, Result, Scope, Settings,
    Usage, When, Write,
};

use crate::resp::{Answer, Client, server_of};

/// Hands everything on, and waits after each call that may write, whatever came
/// of it. A call that is dropped is not waited for.
pub(crate) struct Settled {
    below: Arc<dyn AsyncCache>,
    /// The leader, `host:port`.
    leader: String,
    /// Connections to it that nobody uses at the moment.
    idle: Mutex<Vec<Client>>,
}

impl Settled {
    /// Over a store that writes to the leader at this location.
    pub(crate) fn over(below: Arc<dyn AsyncCache>, leader: &str) -> Self {
        let leader = server_of(&Settings::new(vec![leader.to_owned()]));
        Self { below, leader, idle: Mutex::default() }
    }

    /// What the call answers, once replicas have what it wrote.
    async fn settled<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let outcome = call.await;
        self.settle().await;
        outcome
    }

    /// Waits until two replicas have all that the leader has.
    ///
    /// # Panics
    ///
    /// If they do not get it.
    pub(crate) async fn settle(&self) {
        let idle = self.idle().pop();
        let mut client = match idle {
            Some(client) => client,
            None => Client::at(&self.leader).await,
        };
        // WAIT is about what its own connection has written. All writes reach
        // replicas in one order, and this one leaves no key behind.
        let published = client.ask("PUBLISH settled 1").await;
        assert!(matches!(published, Answer::Integer(_)), "PUBLISH is answered by {published:?}");
        let waited = client.ask("WAIT 2 5000").await;
        assert_eq!(waited, Answer::Integer(2), "so many replicas have what the leader has");
        self.idle().push(client);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Client>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Settled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settled")
            .field("below", &self.below)
            .field("leader", &self.leader)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl AsyncCache for Settled {
    fn capabilities(&self) -> Capabilities {
        // A call takes longer here than below.
        self.below.capabilities().deadline(None)
    }

    fn probe(&self, key: &Key<'_>) -> Probe {
        self.below.probe(key)
    }

    fn usage(&self) -> Usage {
        self.below.usage()
    }

    async fn aget(&self, key: &Key<'_>, read: Read) -> Result<Option<Found>> {
        self.below.aget(key, read).await
    }

    async fn aset(&self, key: &Key<'_>, value: &NewEntry<'_>, write: Write) -> Result<bool> {
        self.settled(self.below.aset(key, value, write)).await
    }

    async fn atouch(&self, key: &Key<'_>, life: Life) -> Result<bool> {
        self.settled(self.below.atouch(key, life)).await
    }

    async fn adelete(&self, key: &Key<'_>, when: &When) -> Result<bool> {
        self.settled(self.below.adelete(key, when)).await
    }

    async fn ahas_key(&self, key: &Key<'_>, read: Read) -> Result<bool> {
        self.below.ahas_key(key, read).await
    }

    async fn alife(&self, key: &Key<'_>, read: Read) -> Result<Option<Life>> {
        self.below.alife(key, read).await
    }

    async fn aincr(&self, key: &Key<'_>, incr: Incr) -> Result<Option<i64>> {
        self.settled(self.below.aincr(key, incr)).await
    }

    async fn amove(&self, from: &Key<'_>, to: &Key<'_>) -> Result<bool> {
        self.settled(self.below.amove(from, to)).await
    }

    async fn get_many(&self, keys: &[Key<'_>], read: Read) -> Result<Vec<Result<Option<Found>>>> {
        self.below.get_many(keys, read).await
    }

    async fn set_many(&self, items: &[(Key<'_>, NewEntry<'_>, Write)]) -> Result<Vec<Result<bool>>> {
        self.settled(self.below.set_many(items)).await
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<Vec<Result<()>>> {
        self.settled(self.below.delete_many(keys)).await
    }

    async fn aclear(&self, scope: &Scope<'_>) -> Result<()> {
        self.settled(self.below.aclear(scope)).await
    }

    async fn aping(&self) -> Result<Ping> {
        self.below.aping().await
    }

    async fn aclose(&self) -> Result<()> {
        self.below.aclose().await
    }
}
