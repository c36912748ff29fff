//! Counters, and the versions of single keys.

use super::Cache;
use crate::entry::NewEntry;
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::key::Key;
use crate::life::Life;
use crate::loads::Change;
use crate::options::{Incr, Read, When, Write};
use crate::stats::Counter;

/// How often a move that is not one step starts anew because the entry changed
/// under it.
const MOVE_ATTEMPTS: usize = 16;

impl Cache {
    /// Adds `delta` to the integer under this key and answers the sum.
    ///
    /// It is one step in every store, so that no increment is ever lost, and
    /// the remaining life is kept.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if there is no entry (make one with
    /// [`aadd`](Self::aadd)), [`NotAnInteger`](ErrorKind::NotAnInteger) if it is
    /// something else, [`Overflow`](ErrorKind::Overflow) beyond 64 bits; in all
    /// three cases nothing changes.
    ///
    /// ```
    /// # use cache_core::{Cache, Timeout};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> cache_core::Result<()> {
    /// # let cache = Cache::new(cache_mem::MemStore::new());
    /// cache.aadd("visits", &0, Timeout::Forever).await?;
    /// assert_eq!(cache.aincr("visits", 5).await?, 5);
    /// assert_eq!(cache.adecr("visits", 2).await?, 3);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn aincr(&self, key: &str, delta: i64) -> Result<i64> {
        self.add(Operation::Incr, key, Some(delta)).await
    }

    /// Subtracts `delta` from the integer under this key and answers the rest,
    /// below zero too. As [`aincr`](Self::aincr) otherwise; `i64::MIN`, which
    /// has no opposite, is an [`Overflow`](ErrorKind::Overflow).
    pub async fn adecr(&self, key: &str, delta: i64) -> Result<i64> {
        self.add(Operation::Decr, key, delta.checked_neg()).await
    }

    /// Moves the entry to the version `delta` above the handle's, and answers
    /// that version. Its life is kept; what stands there is replaced.
    ///
    /// A delta of zero changes nothing and says whether there is an entry.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if there is no entry,
    /// [`Overflow`](ErrorKind::Overflow) if the version would be below 0.
    ///
    /// ```
    /// # use cache_core::{Cache, Timeout};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> cache_core::Result<()> {
    /// # let cache = Cache::new(cache_mem::MemStore::new());
    /// cache.aset("page", "text", Timeout::Default).await?;
    /// assert_eq!(cache.aincr_version("page", 1).await?, 2);
    /// assert_eq!(cache.aget::<String>("page").await?, None);
    /// assert!(cache.at_version(2).ahas_key("page").await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn aincr_version(&self, key: &str, delta: i64) -> Result<u64> {
        self.change_version(Operation::IncrVersion, key, i128::from(delta)).await
    }

    /// As [`aincr_version`](Self::aincr_version), downwards.
    pub async fn adecr_version(&self, key: &str, delta: i64) -> Result<u64> {
        self.change_version(Operation::DecrVersion, key, -i128::from(delta)).await
    }

    async fn add(&self, operation: Operation, key: &str, delta: Option<i64>) -> Result<i64> {
        let name = self.name(operation, key)?;
        let key = Key::new(&self.space, &name);
        let Some(delta) = delta else {
            return Err(self.failed(operation, Error::of(ErrorKind::Overflow)));
        };
        let voiding = self.voiding([key], Change::Overwrites);
        let call = self.alias.store.aincr(&key, Incr::by(delta));
        let Some(sum) = self.run_write(operation, &voiding, call).await? else {
            return Err(self.failed(operation, Error::of(ErrorKind::NotFound)));
        };
        self.alias.counters.count(Counter::Writes);
        Ok(sum)
    }

    async fn change_version(&self, operation: Operation, key: &str, delta: i128) -> Result<u64> {
        let version = u64::try_from(i128::from(self.version()) + delta).map_err(|_| {
            self.failed(
                operation,
                Error::new(ErrorKind::Overflow, "a version is a number from 0 to 2^64 - 1"),
            )
        })?;
        let there = self.at_version(version);
        let from = self.name(operation, key)?;
        let to = there.name(operation, key)?;
        let (from, to) = (Key::new(&self.space, &from), Key::new(&there.space, &to));
        let voiding = self.voiding([from, to], Change::Removes);
        let work = async {
            voiding.settled().await;
            self.move_entry(&from, &to).await
        };
        if !self.run(operation, work).await? {
            return Err(self.failed(operation, Error::of(ErrorKind::NotFound)));
        }
        if delta != 0 {
            self.alias.counters.count(Counter::Writes);
        }
        Ok(version)
    }

    async fn move_entry(&self, from: &Key<'_>, to: &Key<'_>) -> Result<bool> {
        let store = &self.alias.store;
        // Also where a key function leaves the version out.
        if from == to {
            return store.ahas_key(from, Read::LEADER).await;
        }
        if self.alias.capabilities.atomic_move {
            return store.amove(from, to).await;
        }
        self.move_in_steps(from, to).await
    }

    /// Read, remove only what was read, and write. Removing comes first: then
    /// of several movers one wins, an entry that changes meanwhile is moved
    /// anew, and one that is deleted meanwhile never comes back. An entry whose
    /// writing fails is lost, as a cache may.
    ///
    /// Without tokens what is written between reading and removing is lost too.
    async fn move_in_steps(&self, from: &Key<'_>, to: &Key<'_>) -> Result<bool> {
        let store = &self.alias.store;
        for _ in 0..MOVE_ATTEMPTS {
            let Some(found) = store.aget(from, Read::LEADER.with_token()).await? else {
                return Ok(false);
            };
            let life = match store.alife(from, Read::LEADER).await? {
                Some(Life::For(rest)) if rest.is_zero() => return Ok(false),
                Some(life) => life,
                None => return Ok(false),
            };
            let when = found.token.map_or(When::Always, When::Unchanged);
            if store.adelete(from, &when).await? {
                let value = NewEntry::of(found.entry, &self.alias.format);
                return store.aset(to, &value, Write::new(life)).await;
            }
        }
        Err(Error::new(ErrorKind::Overloaded, "the entry kept changing while it was moved"))
    }
}
