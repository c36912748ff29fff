//! Operations on the cache as a whole.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Cache, ClearScope};
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::options::Scope;
use crate::ping::Ping;
use crate::stats::Stats;

/// How long closing may take at least, first its tasks and then the store.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);

impl Cache {
    /// Removes the entries of this alias, of all versions, and nothing else.
    ///
    /// What is written meanwhile may go or stay. Aliases with the same store
    /// and prefix share their entries, and so are cleared together.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) where the store cannot tell the
    /// alias's entries from others, as under a custom key function, unless the
    /// alias says `clear = "all"`.
    pub async fn aclear(&self) -> Result<()> {
        self.check_open(Operation::Clear)?;
        let scope = match self.alias.clear {
            ClearScope::All => Scope::all(),
            ClearScope::Prefix => {
                self.prefix_scope().map_err(|error| self.failed(Operation::Clear, error))?
            }
        };
        let voiding = self.voiding_all();
        // No deadline of the handle: the layer below ends it when it makes no progress.
        let work = async {
            voiding.settled().await;
            self.alias.store.aclear(&scope).await
        };
        work.await.map_err(|error| self.failed(Operation::Clear, error))
    }

    fn prefix_scope(&self) -> Result<Scope<'_>> {
        let reason = if self.space.is_custom() {
            "under a custom key function the keys of one alias cannot be told from others"
        } else if !self.alias.capabilities.clear_prefix {
            "this store cannot tell the keys of one alias from others"
        } else {
            return Ok(Scope::of_prefix(self.space.prefix()));
        };
        let detail =
            format!("{reason}; with `clear = \"all\"` everything in the store is removed, whoever wrote it");
        Err(Error::new(ErrorKind::Unsupported, detail))
    }

    /// Asks the store whether it is there.
    pub async fn aping(&self) -> Result<Ping> {
        self.check_open(Operation::Ping)?;
        self.run_call(Operation::Ping, self.alias.store.aping()).await
    }

    /// Ends the alias for all its handles: later calls are
    /// [`Closed`](ErrorKind::Closed). Call it when the program ends, not after
    /// a request. A second call finishes what the first did not, or does nothing.
    pub async fn aclose(&self) -> Result<()> {
        self.alias.is_closed.store(true, Ordering::Release);
        self.alias.closed.cancel();
        self.alias.tasks.close();
        let close = async || {
            // A layer below lets what is under way end, and then closes; that
            // it is the handle of somebody in a hurry does not matter.
            let patience =
                self.alias.deadline.map_or(CLOSE_DEADLINE, |deadline| CLOSE_DEADLINE.max(3 * deadline));
            let cache = self.with_deadline(patience);
            // Tasks that do not end must not keep the store from being closed.
            let tasks = async {
                self.alias.tasks.wait().await;
                Ok(())
            };
            let _ = cache.bounded(tasks).await;
            cache.bounded(self.alias.store.aclose()).await
        };
        let ended = self.alias.ended.get_or_try_init(close).await.copied();
        ended.map_err(|error| self.failed(Operation::Close, error))
    }

    /// What happened since the alias was opened.
    ///
    /// ```
    /// # use cache_core::{Cache, Timeout};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> cache_core::Result<()> {
    /// # let cache = Cache::new(cache_mem::MemStore::new());
    /// cache.aset("a", &1, Timeout::Default).await?;
    /// cache.aget::<i64>("a").await?;
    /// cache.aget::<i64>("b").await?;
    /// let stats = cache.stats();
    /// assert_eq!((stats.hits, stats.misses, stats.writes), (1, 1, 1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn stats(&self) -> Stats {
        let usage = self.alias.store.usage();
        let mut stats = self.alias.counters.snapshot();
        stats.loading = self.alias.flights.under_way() as u64;
        stats.entries = usage.entries;
        stats.bytes = usage.bytes;
        stats
    }

    pub(super) fn check_open(&self, operation: Operation) -> Result<()> {
        if self.alias.is_closed.load(Ordering::Relaxed) {
            return Err(self.failed(operation, Error::new(ErrorKind::Closed, "the cache has been closed")));
        }
        Ok(())
    }
}
