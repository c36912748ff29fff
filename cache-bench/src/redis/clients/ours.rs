//! cache-sdk: the store on Redis as a configuration opens it, with prefix,
//! version, tag, key check, statistics, deadlines, and the layer that fails
//! fast while the server is down.

use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use cache_core::{AsyncCache, Batching, Cache, Context, SettingValue, Settings, Trip, TripSettings};
use cache_redis::RedisStore;

use crate::redis::client::{Client, DEADLINE, LIFE};
use crate::redis::job::OUR_PREFIX;

#[derive(Clone)]
pub struct Ours(Cache);

impl Ours {
    /// By this driver, on so many connections, with batching or without.
    pub fn open(driver: &str, port: u16, connections: i64, batching: bool) -> Result<Self> {
        let mut context = Context::new("bench");
        context.deadline = DEADLINE;
        let settings = Settings::new(vec![format!("redis://127.0.0.1:{port}/0")])
            .with("driver", SettingValue::Text(driver.to_owned()))
            .with("pool_size", SettingValue::Integer(connections));
        let store = RedisStore::open(&settings, &context)?;
        let trip = Arc::new(Trip::new(Arc::new(store), TripSettings::of(&context)));
        let layers: Arc<dyn AsyncCache> =
            if batching { Arc::new(Batching::new(trip, &context)) } else { trip };
        let cache = Cache::builder(layers)
            .context(&context)
            .key_prefix(OUR_PREFIX)
            .deadline(context.deadline)
            .build();
        Ok(Self(cache))
    }
}

impl Client for Ours {
    async fn get(&mut self, key: &str) -> Result<usize> {
        let found = self.0.aget::<Bytes>(key).await?;
        Ok(found.map_or(0, |value| value.len()))
    }

    async fn set(&mut self, key: &str, value: &Bytes) -> Result<()> {
        Ok(self.0.aset(key, value, LIFE).await?)
    }

    async fn get_many(&mut self, keys: &[String]) -> Result<usize> {
        let found = self.0.get_many::<Bytes, _>(keys).await?;
        Ok(found.values().map(Bytes::len).sum())
    }

    async fn set_many(&mut self, keys: &[String], value: &Bytes) -> Result<()> {
        Ok(self.0.set_many(keys.iter().map(|key| (key, value)), LIFE).await?)
    }
}
