//! Writes of one key.

use std::sync::Arc;

use serde::Serialize;

use super::Cache;
use crate::entry::{Borrow, Entry, NewEntry};
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::key::Key;
use crate::life::{Life, Timeout};
use crate::loads::Change;
use crate::options::{Read, When, Write};
use crate::stats::Counter;
use crate::value::Value;

impl Cache {
    /// Stores the value under this key, over whatever is there.
    ///
    /// It takes `&user`, `"text"`, `&bytes[..]`: the value is cloned only by a
    /// store in memory and encoded only by a remote one. A timeout of zero
    /// stores nothing and removes what was there.
    ///
    /// ```
    /// # use cache_core::{Cache, Timeout};
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> cache_core::Result<()> {
    /// # let cache = Cache::new(cache_mem::MemStore::new());
    /// #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// struct User { name: String }
    ///
    /// let user = User { name: "Ada".to_owned() };
    /// cache.aset("user:1", &user, Duration::from_secs(60)).await?;
    /// cache.aset("motto", "onwards", Timeout::Default).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn aset<B>(&self, key: &str, value: &B, timeout: impl Into<Timeout>) -> Result<()>
    where
        B: ToOwned<Owned: Value> + Serialize + Sync + ?Sized,
    {
        let value = Borrow::new(value);
        let value = NewEntry::borrowed(&value, &self.alias.format);
        self.set(key, &value, timeout.into()).await
    }

    /// As [`aset`](Self::aset), with a value that is shared already: a store
    /// in memory keeps the `Arc`, unless the value is an integer.
    pub async fn aset_arc<T: Value>(
        &self,
        key: &str,
        value: Arc<T>,
        timeout: impl Into<Timeout>,
    ) -> Result<()> {
        let value = NewEntry::of(Entry::shared(value), &self.alias.format);
        self.set(key, &value, timeout.into()).await
    }

    /// Stores the value only if there is no live entry; says whether it did.
    /// Of any number of callers at once, one wins.
    ///
    /// A timeout of zero stores nothing and says whether the key was free.
    ///
    /// ```
    /// # use cache_core::{Cache, Timeout};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> cache_core::Result<()> {
    /// # let cache = Cache::new(cache_mem::MemStore::new());
    /// assert!(cache.aadd("owner", "first", Timeout::Default).await?);
    /// assert!(!cache.aadd("owner", "second", Timeout::Default).await?);
    /// assert_eq!(cache.aget::<String>("owner").await?.as_deref(), Some("first"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn aadd<B>(&self, key: &str, value: &B, timeout: impl Into<Timeout>) -> Result<bool>
    where
        B: ToOwned<Owned: Value> + Serialize + Sync + ?Sized,
    {
        let name = self.name(Operation::Add, key)?;
        let key = Key::new(&self.space, &name);
        let store = &self.alias.store;
        let Some(life) = self.life(timeout.into()) else {
            let taken = self.run_call(Operation::Add, store.ahas_key(&key, Read::LEADER)).await?;
            return Ok(!taken);
        };
        let value = Borrow::new(value);
        let value = NewEntry::borrowed(&value, &self.alias.format);
        let write = Write::new(life).when(When::Absent);
        let voiding = self.voiding([key], Change::Overwrites);
        let added = self.run_write(Operation::Add, &voiding, store.aset(&key, &value, write)).await?;
        if added {
            self.alias.counters.count(Counter::Writes);
        }
        Ok(added)
    }

    /// Gives the entry a new life and leaves its value; says whether there is
    /// an entry. A timeout of zero deletes it.
    pub async fn atouch(&self, key: &str, timeout: impl Into<Timeout>) -> Result<bool> {
        let name = self.name(Operation::Touch, key)?;
        let key = Key::new(&self.space, &name);
        match self.life(timeout.into()) {
            Some(life) => {
                let voiding = self.voiding([key], Change::Overwrites);
                let call = self.alias.store.atouch(&key, life);
                let touched = self.run_write(Operation::Touch, &voiding, call).await?;
                if touched {
                    self.alias.counters.count(Counter::Writes);
                }
                Ok(touched)
            }
            None => self.delete(Operation::Touch, &key).await,
        }
    }

    /// Removes the entry; says whether there was a live one.
    pub async fn adelete(&self, key: &str) -> Result<bool> {
        let name = self.name(Operation::Delete, key)?;
        self.delete(Operation::Delete, &Key::new(&self.space, &name)).await
    }

    /// The life of one entry that is written now, `None` if it expires at once.
    pub(super) fn life(&self, timeout: Timeout) -> Option<Life> {
        self.life_with(timeout, self.alias.jitter)
    }

    /// As [`life`](Self::life), with another jitter than the alias's.
    pub(super) fn life_with(&self, timeout: Timeout, jitter: f64) -> Option<Life> {
        timeout.resolve(self.alias.timeout).map(|life| life.shortened(jitter))
    }

    async fn set(&self, key: &str, value: &NewEntry<'_>, timeout: Timeout) -> Result<()> {
        let name = self.name(Operation::Set, key)?;
        let key = Key::new(&self.space, &name);
        let Some(life) = self.life(timeout) else {
            self.delete(Operation::Set, &key).await?;
            return Ok(());
        };
        let voiding = self.voiding([key], Change::Overwrites);
        let call = self.alias.store.aset(&key, value, Write::new(life));
        if !self.run_write(Operation::Set, &voiding, call).await? {
            let refused =
                Error::new(ErrorKind::Server, "the store did not take the value, and gave no reason");
            return Err(self.failed(Operation::Set, refused));
        }
        self.alias.counters.count(Counter::Writes);
        Ok(())
    }

    async fn delete(&self, operation: Operation, key: &Key<'_>) -> Result<bool> {
        let voiding = self.voiding([*key], Change::Removes);
        let call = self.alias.store.adelete(key, &When::Always);
        let removed = self.run_write(operation, &voiding, call).await?;
        self.alias.counters.count(Counter::Deletes);
        Ok(removed)
    }
}
