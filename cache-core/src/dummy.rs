//! The store that keeps nothing, for development and tests.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::async_cache::{AsyncCache, Probe};
use crate::backend::{Backend, Context, Opened};
use crate::capabilities::Capabilities;
use crate::django::{DjangoEffect, DjangoSpelling};
use crate::entry::NewEntry;
use crate::error::Result;
use crate::key::Key;
use crate::life::Life;
use crate::options::{Found, Incr, Read, Scope, Usage, When, Write};
use crate::ping::Ping;
use crate::settings::Settings;

/// Answers every operation and keeps nothing: writes succeed, reads find
/// nothing, as Django's dummy cache does.
///
/// ```
/// use cache_core::{Cache, DummyStore, Timeout};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> cache_core::Result<()> {
/// let cache = Cache::new(DummyStore);
/// cache.aset("greeting", "hello", Timeout::Default).await?;
/// assert_eq!(cache.aget::<String>("greeting").await?, None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct DummyStore;

/// Opens [`DummyStore`]s, under the name `dummy`.
#[derive(Clone, Copy, Debug, Default)]
pub struct DummyBackend;

/// Django's own takes any `OPTIONS` and uses none.
const DJANGO: &[DjangoSpelling] = &[DjangoSpelling::new("django.core.cache.backends.dummy.DummyCache")
    .others(DjangoEffect::Ignored("a dummy keeps no entries"))];

#[async_trait]
impl Backend for DummyBackend {
    fn name(&self) -> &'static str {
        "dummy"
    }

    fn django(&self) -> &'static [DjangoSpelling] {
        DJANGO
    }

    async fn open(&self, _: Settings, _: &Context) -> Result<Opened> {
        Ok(Opened::Local(Arc::new(DummyStore)))
    }
}

#[async_trait]
impl AsyncCache for DummyStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new().stores(false).atomic_move(true).clear_prefix(true)
    }

    fn probe(&self, _: &Key<'_>) -> Probe {
        Probe::Miss
    }

    fn usage(&self) -> Usage {
        Usage::of_entries(0)
    }

    async fn aget(&self, _: &Key<'_>, _: Read) -> Result<Option<Found>> {
        Ok(None)
    }

    async fn aset(&self, _: &Key<'_>, _: &NewEntry<'_>, write: Write) -> Result<bool> {
        Ok(takes(&write))
    }

    async fn atouch(&self, _: &Key<'_>, _: Life) -> Result<bool> {
        Ok(false)
    }

    async fn adelete(&self, _: &Key<'_>, _: &When) -> Result<bool> {
        Ok(false)
    }

    async fn ahas_key(&self, _: &Key<'_>, _: Read) -> Result<bool> {
        Ok(false)
    }

    async fn alife(&self, _: &Key<'_>, _: Read) -> Result<Option<Life>> {
        Ok(None)
    }

    async fn aincr(&self, _: &Key<'_>, _: Incr) -> Result<Option<i64>> {
        Ok(None)
    }

    async fn amove(&self, _: &Key<'_>, _: &Key<'_>) -> Result<bool> {
        Ok(false)
    }

    async fn get_many(&self, keys: &[Key<'_>], _: Read) -> Result<Vec<Result<Option<Found>>>> {
        Ok(keys.iter().map(|_| Ok(None)).collect())
    }

    async fn set_many(&self, items: &[(Key<'_>, NewEntry<'_>, Write)]) -> Result<Vec<Result<bool>>> {
        Ok(items.iter().map(|(_, _, write)| Ok(takes(write))).collect())
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<Vec<Result<()>>> {
        Ok(keys.iter().map(|_| Ok(())).collect())
    }

    async fn aclear(&self, _: &Scope<'_>) -> Result<()> {
        Ok(())
    }

    async fn aping(&self) -> Result<Ping> {
        Ok(Ping::new(Duration::ZERO))
    }

    async fn aclose(&self) -> Result<()> {
        Ok(())
    }
}

/// There is never an entry.
fn takes(write: &Write) -> bool {
    matches!(write.when, When::Always | When::Absent)
}
