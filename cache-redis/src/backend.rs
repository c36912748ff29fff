//! Opens stores from a configuration.

use std::sync::Arc;

use async_trait::async_trait;
use cache_core::{Backend, Context, DjangoSpelling, Opened, Result, Setting, Settings};

use crate::django::DJANGO;
use crate::settings::{OPTIONS, RedisSettings, place};
use crate::store::RedisStore;

/// Opens [`RedisStore`]s, under the name `redis`.
#[derive(Clone, Copy, Debug, Default)]
pub struct RedisBackend;

#[async_trait]
impl Backend for RedisBackend {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn options(&self) -> &'static [Setting] {
        OPTIONS
    }

    fn django(&self) -> &'static [DjangoSpelling] {
        DJANGO
    }

    /// Aliases of one server and database share their entries, by whatever
    /// name they reach it.
    fn place(&self, settings: &Settings) -> Option<String> {
        place(settings)
    }

    fn check(&self, settings: &Settings) -> Result<()> {
        RedisSettings::new(settings).map(drop)
    }

    async fn open(&self, settings: Settings, context: &Context) -> Result<Opened> {
        let leader = Arc::new(RedisStore::open(&settings, context)?);
        Ok(Opened::Remote { leader, replicas: Vec::new() })
    }
}
