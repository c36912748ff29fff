//! A layer that promises less than its store, and holds callers to it.

use std::sync::Arc;

use async_trait::async_trait;
use cache_core::{
    AsyncCache, Capabilities, Error, ErrorKind, Found, Incr, Key, Life, NewEntry, Ping, Probe, Read, Result,
    Scope, Usage, When, Write,
};

/// A layer that promises less than the store below it: what callers make of a
/// lesser store can be seen with any store.
///
/// What is not promised is not done: it gives no tokens, moves nothing, clears
/// no prefix, and takes no longer keys or batches than it says. Whoever asks
/// for it all the same gets an error of kind `Unsupported`.
///
/// ```
/// use cache_core::{AsyncCache, Cache, Timeout};
/// use cache_testkit::Lesser;
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> cache_core::Result<()> {
/// let store = Arc::new(cache_mem::MemStore::new());
/// let cache = Cache::new(Lesser::new(store, |promised| promised.atomic_move(false)));
///
/// // Moved in steps.
/// cache.aset("motto", "onwards", Timeout::Default).await?;
/// assert_eq!(cache.aincr_version("motto", 1).await?, 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Lesser {
    below: Arc<dyn AsyncCache>,
    promised: Capabilities,
}

impl Lesser {
    /// The store with its promises reduced: `reduce` is given what the store
    /// promises, and answers what is left of it.
    pub fn new(store: Arc<dyn AsyncCache>, reduce: impl FnOnce(Capabilities) -> Capabilities) -> Self {
        let promised = reduce(store.capabilities());
        Self { below: store, promised }
    }

    fn admit(&self, key: &Key<'_>) -> Result<()> {
        match self.promised.max_key_bytes {
            Some(most) if key.len() > most => Err(not_promised("a longer key than `max_key_bytes`")),
            _ => Ok(()),
        }
    }

    fn admit_when(&self, key: &Key<'_>, when: &When) -> Result<()> {
        self.admit(key)?;
        self.admit_condition(when)
    }

    fn admit_condition(&self, when: &When) -> Result<()> {
        match when {
            When::Unchanged(_) if !self.promised.tokens => Err(not_promised("a token")),
            _ => Ok(()),
        }
    }

    fn admit_many<'a>(
        &self,
        mut keys: impl ExactSizeIterator<Item = &'a Key<'a>>,
        most: usize,
    ) -> Result<()> {
        if keys.len() > most {
            return Err(not_promised("a larger batch"));
        }
        keys.try_for_each(|key| self.admit(key))
    }

    /// An item under a condition that is not promised fails alone.
    async fn set_those_admitted(
        &self,
        items: &[(Key<'_>, NewEntry<'_>, Write)],
    ) -> Result<Vec<Result<bool>>> {
        let verdicts: Vec<_> = items.iter().map(|(_, _, write)| self.admit_condition(&write.when)).collect();
        let admitted: Vec<_> = items
            .iter()
            .zip(&verdicts)
            .filter(|(_, verdict)| verdict.is_ok())
            .map(|((key, value, write), _)| (*key, value.again(), write.clone()))
            .collect();
        let mut answers = self.below.set_many(&admitted).await?.into_iter();
        let answer = |verdict: Result<()>| verdict.map_or_else(|error| Some(Err(error)), |()| answers.next());
        Ok(verdicts.into_iter().filter_map(answer).collect())
    }

    fn without_token(&self, mut found: Found) -> Found {
        if !self.promised.tokens {
            found.token = None;
        }
        found
    }
}

fn not_promised(what: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{what} was asked for, which the store does not promise"))
}

#[async_trait]
impl AsyncCache for Lesser {
    fn capabilities(&self) -> Capabilities {
        self.promised.clone()
    }

    fn probe(&self, key: &Key<'_>) -> Probe {
        self.below.probe(key)
    }

    fn usage(&self) -> Usage {
        self.below.usage()
    }

    async fn aget(&self, key: &Key<'_>, read: Read) -> Result<Option<Found>> {
        self.admit(key)?;
        Ok(self.below.aget(key, read).await?.map(|found| self.without_token(found)))
    }

    async fn aset(&self, key: &Key<'_>, value: &NewEntry<'_>, write: Write) -> Result<bool> {
        self.admit_when(key, &write.when)?;
        self.below.aset(key, value, write).await
    }

    async fn atouch(&self, key: &Key<'_>, life: Life) -> Result<bool> {
        self.admit(key)?;
        self.below.atouch(key, life).await
    }

    async fn adelete(&self, key: &Key<'_>, when: &When) -> Result<bool> {
        self.admit_when(key, when)?;
        self.below.adelete(key, when).await
    }

    async fn ahas_key(&self, key: &Key<'_>, read: Read) -> Result<bool> {
        self.admit(key)?;
        self.below.ahas_key(key, read).await
    }

    async fn alife(&self, key: &Key<'_>, read: Read) -> Result<Option<Life>> {
        self.admit(key)?;
        self.below.alife(key, read).await
    }

    async fn aincr(&self, key: &Key<'_>, incr: Incr) -> Result<Option<i64>> {
        self.admit(key)?;
        self.below.aincr(key, incr).await
    }

    async fn amove(&self, from: &Key<'_>, to: &Key<'_>) -> Result<bool> {
        if !self.promised.atomic_move {
            return Err(not_promised("a move"));
        }
        self.below.amove(from, to).await
    }

    async fn get_many(&self, keys: &[Key<'_>], read: Read) -> Result<Vec<Result<Option<Found>>>> {
        self.admit_many(keys.iter(), self.promised.read_batch.keys)?;
        let answers = self.below.get_many(keys, read).await?;
        let reduced = |answer: Result<Option<Found>>| Ok(answer?.map(|found| self.without_token(found)));
        Ok(answers.into_iter().map(reduced).collect())
    }

    async fn set_many(&self, items: &[(Key<'_>, NewEntry<'_>, Write)]) -> Result<Vec<Result<bool>>> {
        self.admit_many(items.iter().map(|(key, ..)| key), self.promised.write_batch.keys)?;
        if items.iter().all(|(_, _, write)| self.admit_condition(&write.when).is_ok()) {
            return self.below.set_many(items).await;
        }
        self.set_those_admitted(items).await
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<Vec<Result<()>>> {
        self.admit_many(keys.iter(), self.promised.write_batch.keys)?;
        self.below.delete_many(keys).await
    }

    async fn aclear(&self, scope: &Scope<'_>) -> Result<()> {
        if scope.prefix().is_some() && !self.promised.clear_prefix {
            return Err(not_promised("to clear a prefix"));
        }
        self.below.aclear(scope).await
    }

    async fn aping(&self) -> Result<Ping> {
        self.below.aping().await
    }

    async fn aclose(&self) -> Result<()> {
        self.below.aclose().await
    }
}
