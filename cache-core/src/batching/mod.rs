//! The layer over one server by which operations of single keys travel
//! together while others are under way.

mod by_runtime;
mod carrying;
mod lanes;
mod reads;
mod sweep;
mod under_way;
mod waiter;
mod writes;

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use futures::future::join;

use self::reads::{ReadWay, Reads};
use self::writes::{WriteWay, Writes};
use crate::async_cache::{AsyncCache, Probe};
use crate::backend::Context;
use crate::capabilities::{Batch, Capabilities, Gather};
use crate::entry::NewEntry;
use crate::error::Result;
use crate::key::Key;
use crate::life::Life;
use crate::options::{Found, Incr, Read, ReadFrom, Scope, Usage, When, Write};
use crate::ping::Ping;

/// Lets single reads and writes of one server travel together under load.
///
/// An `aget` leaves at once, by itself, if none is under way. Else it waits, and
/// those that wait travel as the next [`get_many`](AsyncCache::get_many); an
/// `aset` under any condition but `Unchanged` likewise, as the next
/// [`set_many`](AsyncCache::set_many), unless its value is longer than the store
/// says. So a lone operation is not delayed, and under load there are fewer and
/// larger exchanges. How many may be under way at
/// once and how large they are is the store's to say, for reads and for writes,
/// by [`Batch::gather`](crate::Batch::gather); where it says nothing, operations
/// pass through. All others pass through too.
///
/// # What holds of an operation that waits
///
/// * A failed exchange fails those that travelled by it and no others; what
///   fails for one key, as the store says, fails only there. A value that cannot
///   be encoded never waits.
/// * It ends within the deadline of the [`Context`], counted from when it began
///   to wait, with kind [`Deadline`](crate::ErrorKind::Deadline).
/// * If its caller is gone before it was sent, it is not sent.
/// * A later write of the same key, of any kind, through this layer and on the
///   same runtime, does not overtake it: it is sent once the exchange that
///   carries the earlier one has ended. So a dropped write never takes effect
///   after a later one was acknowledged, over a store that keeps the order in
///   which a key's calls are first polled. A clear waits for all writes that
///   were waiting when it began.
/// * It waits on its caller's tokio runtime, and for operations of that runtime
///   only: a runtime that stands still keeps nobody else waiting. If the runtime
///   is shut down, kind [`Closed`](crate::ErrorKind::Closed) tells. Without one,
///   operations pass through.
///
/// The exchanges and the operations in them are counted as
/// [`Batches`](crate::Counter::Batches) and [`Batched`](crate::Counter::Batched).
///
/// ```
/// use cache_core::{Batching, Cache, Context, Timeout};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> cache_core::Result<()> {
/// let store = Arc::new(cache_mem::MemStore::new());
/// let cache = Cache::new(Batching::new(store, &Context::new("pages")));
/// cache.aset("motto", "onwards", Timeout::Default).await?;
/// assert_eq!(cache.aget::<String>("motto").await?.as_deref(), Some("onwards"));
/// # Ok(())
/// # }
/// ```
pub struct Batching {
    below: Arc<dyn AsyncCache>,
    context: Context,
    reads: Option<Arc<Reads>>,
    writes: Option<Arc<Writes>>,
}

impl Batching {
    /// Puts the layer around one server. Of the context it takes deadline,
    /// clock, timer, counters and tasks.
    pub fn new(below: Arc<dyn AsyncCache>, context: &Context) -> Self {
        let context = context.of_layer();
        let capabilities = below.capabilities();
        let gather = |batch: Batch| {
            let keys = |gather: Gather| gather.keys.min(batch.keys);
            batch.gather.map(|gather| Gather { keys: keys(gather), ..gather })
        };
        let reads = gather(capabilities.read_batch)
            .map(|gather| Arc::new(Reads::new(Arc::clone(&below), &context, gather)));
        let writes = gather(capabilities.write_batch)
            .map(|gather| Arc::new(Writes::new(Arc::clone(&below), &context, gather)));
        Self { below, context, reads, writes }
    }

    /// The same, with reads passed through: a bulk read of some stores takes
    /// something else than a value for nothing at all, where a single one tells
    /// the difference.
    #[must_use]
    pub fn without_reads(mut self) -> Self {
        self.reads = None;
        self
    }

    /// The same, with writes passed through.
    #[must_use]
    pub fn without_writes(mut self) -> Self {
        self.writes = None;
        self
    }

    /// Whether everything passes through.
    pub(crate) fn passes_all(&self) -> bool {
        self.reads.is_none() && self.writes.is_none()
    }

    /// How many operations wait right now.
    pub fn waiting(&self) -> usize {
        let reads = self.reads.as_ref().map_or(0, |reads| reads.waiting());
        reads + self.writes.as_ref().map_or(0, |writes| writes.waiting())
    }

    /// Does a write of these keys once those are done that wait for one of them.
    async fn in_turn<T>(&self, keys: &[Key<'_>], work: impl Future<Output = Result<T>>) -> Result<T> {
        let turn = self.writes.as_ref().and_then(|writes| writes.turn(keys));
        let Some(turn) = turn else { return work.await };
        let until = self.context.clock.precise().after(self.context.deadline);
        let in_turn = async {
            let turns = turn.granted().await?;
            let mut work = pin!(work);
            // It is sent when it is first polled.
            let early = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await;
            drop(turns);
            match early {
                Poll::Ready(outcome) => outcome,
                Poll::Pending => work.await,
            }
        };
        let outcome = self.context.timer.limit(until, in_turn).await;
        outcome.unwrap_or_else(|expiry| Err(waiter::expired(expiry, self.context.deadline)))
    }
}

#[async_trait]
impl AsyncCache for Batching {
    fn capabilities(&self) -> Capabilities {
        // What does not wait ends when the store below lets it.
        let below = self.below.capabilities();
        let ends = below.deadline.is_some_and(|deadline| deadline <= self.context.deadline);
        below.deadline(ends.then_some(self.context.deadline))
    }

    fn probe(&self, key: &Key<'_>) -> Probe {
        self.below.probe(key)
    }

    fn usage(&self) -> Usage {
        self.below.usage()
    }

    async fn aget(&self, key: &Key<'_>, read: Read) -> Result<Option<Found>> {
        let reads = self.reads.as_ref().filter(|_| !read.token && read.from == ReadFrom::Any);
        match reads.map(|reads| reads.enter(key)) {
            None | Some(ReadWay::Through) => self.below.aget(key, read).await,
            Some(ReadWay::Alone(_trip)) => self.below.aget(key, read).await,
            Some(ReadWay::Together(answer)) => waiter::answer(answer).await,
        }
    }

    async fn aset(&self, key: &Key<'_>, value: &NewEntry<'_>, write: Write) -> Result<bool> {
        let Some(writes) = &self.writes else { return self.below.aset(key, value, write).await };
        if matches!(write.when, When::Unchanged(_)) || writes.is_too_long(value)? {
            return self.in_turn(&[*key], self.below.aset(key, value, write)).await;
        }
        match writes.enter(key, value, &write)? {
            WriteWay::Through => self.below.aset(key, value, write).await,
            WriteWay::Alone(_trip) => self.below.aset(key, value, write).await,
            WriteWay::Together(answer) => waiter::answer(answer).await,
        }
    }

    async fn atouch(&self, key: &Key<'_>, life: Life) -> Result<bool> {
        self.in_turn(&[*key], self.below.atouch(key, life)).await
    }

    async fn adelete(&self, key: &Key<'_>, when: &When) -> Result<bool> {
        self.in_turn(&[*key], self.below.adelete(key, when)).await
    }

    async fn ahas_key(&self, key: &Key<'_>, read: Read) -> Result<bool> {
        self.below.ahas_key(key, read).await
    }

    async fn alife(&self, key: &Key<'_>, read: Read) -> Result<Option<Life>> {
        self.below.alife(key, read).await
    }

    async fn aincr(&self, key: &Key<'_>, incr: Incr) -> Result<Option<i64>> {
        self.in_turn(&[*key], self.below.aincr(key, incr)).await
    }

    async fn amove(&self, from: &Key<'_>, to: &Key<'_>) -> Result<bool> {
        self.in_turn(&[*from, *to], self.below.amove(from, to)).await
    }

    async fn get_many(&self, keys: &[Key<'_>], read: Read) -> Result<Vec<Result<Option<Found>>>> {
        self.below.get_many(keys, read).await
    }

    async fn set_many(&self, items: &[(Key<'_>, NewEntry<'_>, Write)]) -> Result<Vec<Result<bool>>> {
        let keys: Vec<_> = items.iter().map(|(key, ..)| *key).collect();
        self.in_turn(&keys, self.below.set_many(items)).await
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<Vec<Result<()>>> {
        self.in_turn(keys, self.below.delete_many(keys)).await
    }

    async fn aclear(&self, scope: &Scope<'_>) -> Result<()> {
        // What waits now goes before. What comes later need not wait for the
        // clear, which may take long.
        if let Some(turn) = self.writes.as_ref().and_then(|writes| writes.turn_behind_all()) {
            let until = self.context.clock.precise().after(self.context.deadline);
            let granted = self.context.timer.limit(until, turn.granted()).await;
            granted.unwrap_or_else(|expiry| Err(waiter::expired(expiry, self.context.deadline)))?;
        }
        self.below.aclear(scope).await
    }

    async fn aping(&self) -> Result<Ping> {
        self.below.aping().await
    }

    /// Lets what waits be sent first, for one deadline at most.
    async fn aclose(&self) -> Result<()> {
        let until = self.context.clock.precise().after(self.context.deadline);
        let reads = async {
            if let Some(reads) = &self.reads {
                reads.idle().await;
            }
        };
        let writes = async {
            if let Some(writes) = &self.writes {
                writes.idle().await;
            }
        };
        // What does not end by then is ended by the layer below.
        let _ = self.context.timer.limit(until, join(reads, writes)).await;
        self.below.aclose().await
    }
}

impl fmt::Debug for Batching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batching")
            .field("reads", &self.reads.is_some())
            .field("writes", &self.writes.is_some())
            .field("below", &self.below)
            .finish_non_exhaustive()
    }
}
