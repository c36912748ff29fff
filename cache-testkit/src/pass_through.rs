//! A layer that changes nothing.

use std::sync::Arc;

use async_trait::async_trait;
use cache_core::{
    AsyncCache, Capabilities, Found, Incr, Key, Life, NewEntry, Ping, Probe, Read, Result, Scope, Usage,
    When, Write,
};

/// A layer that hands everything on as it is: what passes for a store alone
/// has to pass for a store under any number of these.
///
/// ```
/// use cache_core::{Cache, Timeout};
/// use cache_testkit::PassThrough;
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> cache_core::Result<()> {
/// let store = Arc::new(cache_mem::MemStore::new());
/// let cache = Cache::builder(PassThrough::layers(store, 3)).build();
///
/// cache.aset("motto", "onwards", Timeout::Default).await?;
/// assert_eq!(cache.aget::<String>("motto").await?.as_deref(), Some("onwards"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct PassThrough {
    below: Arc<dyn AsyncCache>,
}

impl PassThrough {
    /// One layer over this store.
    ///
    /// ```
    /// use cache_core::{AsyncCache, Capabilities};
    /// use cache_testkit::PassThrough;
    /// use std::sync::Arc;
    ///
    /// let store = Arc::new(cache_mem::MemStore::new());
    /// let promised = store.capabilities();
    /// let layer = PassThrough::over(store);
    /// assert_eq!(layer.capabilities(), promised);
    /// ```
    pub fn over(store: Arc<dyn AsyncCache>) -> Self {
        Self { below: store }
    }

    /// So many layers over this store; none of them is the store itself.
    ///
    /// ```
    /// use cache_core::{AsyncCache, Usage};
    /// use cache_testkit::PassThrough;
    /// use std::sync::Arc;
    ///
    /// let layers = PassThrough::layers(Arc::new(cache_mem::MemStore::new()), 3);
    /// assert_eq!(layers.usage(), Usage::of_entries(0));
    /// ```
    pub fn layers(store: Arc<dyn AsyncCache>, count: usize) -> Arc<dyn AsyncCache> {
        (0..count).fold(store, |below, _| Arc::new(Self::over(below)))
    }
}

#[async_trait]
impl AsyncCache for PassThrough {
    fn capabilities(&self) -> Capabilities {
        self.below.capabilities()
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
        self.below.aset(key, value, write).await
    }

    async fn atouch(&self, key: &Key<'_>, life: Life) -> Result<bool> {
        self.below.atouch(key, life).await
    }

    async fn adelete(&self, key: &Key<'_>, when: &When) -> Result<bool> {
        self.below.adelete(key, when).await
    }

    async fn ahas_key(&self, key: &Key<'_>, read: Read) -> Result<bool> {
        self.below.ahas_key(key, read).await
    }

    async fn alife(&self, key: &Key<'_>, read: Read) -> Result<Option<Life>> {
        self.below.alife(key, read).await
    }

    async fn aincr(&self, key: &Key<'_>, incr: Incr) -> Result<Option<i64>> {
        self.below.aincr(key, incr).await
    }

    async fn amove(&self, from: &Key<'_>, to: &Key<'_>) -> Result<bool> {
        self.below.amove(from, to).await
    }

    async fn get_many(&self, keys: &[Key<'_>], read: Read) -> Result<Vec<Result<Option<Found>>>> {
        self.below.get_many(keys, read).await
    }

    async fn set_many(&self, items: &[(Key<'_>, NewEntry<'_>, Write)]) -> Result<Vec<Result<bool>>> {
        self.below.set_many(items).await
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<Vec<Result<()>>> {
        self.below.delete_many(keys).await
    }

    async fn aclear(&self, scope: &Scope<'_>) -> Result<()> {
        self.below.aclear(scope).await
    }

    async fn aping(&self) -> Result<Ping> {
        self.below.aping().await
    }

    async fn aclose(&self) -> Result<()> {
        self.below.aclose().await
    }
}
