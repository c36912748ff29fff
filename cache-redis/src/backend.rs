//! Opens stores from a configuration.

use std::sync::Arc;

use async_trait::async_trait;
use cache_core::{AsyncCache, Backend, Context, DjangoSpelling, Opened, Result, Setting, Settings};

use crate::django::DJANGO;
use crate::settings::{OPTIONS, Part, RedisSettings, config, place};
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
        RedisSettings::each(settings).map(drop)
    }

    async fn open(&self, settings: Settings, context: &Context) -> Result<Opened> {
        let of_replica = context.of_replica();
        let mut stores = RedisSettings::each(&settings)?.into_iter().map(|settings| {
            let context = if settings.part == Part::Replica { &of_replica } else { context };
            Arc::new(RedisStore::with(settings, context)) as Arc<dyn AsyncCache>
        });
        let Some(leader) = stores.next() else { return Err(config("`location` is missing")) };
        Ok(Opened::Remote { leader, replicas: stores.collect() })
    }
}
