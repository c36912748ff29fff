//! fred: one client.

use anyhow::Result;
use bytes::Bytes;
use fred::interfaces::{ClientLike as _, KeysInterface as _};
use fred::types::config::{Config, ReconnectPolicy, ServerConfig};
use fred::types::{Builder, Expiration, Value};

use crate::redis::client::{Client, DEADLINE, LIFE_MILLIS};

#[derive(Clone)]
pub struct Fred(fred::clients::Client);

const EXPIRATION: Option<Expiration> = Some(Expiration::PX(LIFE_MILLIS as i64));

impl Fred {
    pub async fn connect(port: u16) -> Result<Self> {
        let server = ServerConfig::new_centralized("127.0.0.1", port);
        let client = Builder::from_config(Config { server, ..Config::default() })
            .with_performance_config(|performance| performance.default_command_timeout = DEADLINE)
            .with_connection_config(|connection| connection.tcp.nodelay = Some(true))
            .set_policy(ReconnectPolicy::new_exponential(0, 100, 30_000, 2))
            .build()?;
        client.init().await?;
        Ok(Self(client))
    }
}

impl Client for Fred {
    async fn get(&mut self, key: &str) -> Result<usize> {
        let found: Option<Bytes> = self.0.get(key).await?;
        Ok(found.map_or(0, |value| value.len()))
    }

    async fn set(&mut self, key: &str, value: &Bytes) -> Result<()> {
        Ok(self.0.set(key, value.clone(), EXPIRATION, None, false).await?)
    }

    async fn get_many(&mut self, keys: &[String]) -> Result<usize> {
        let found: Vec<Option<Bytes>> = self.0.mget(keys.to_vec()).await?;
        Ok(found.iter().flatten().map(Bytes::len).sum())
    }

    async fn set_many(&mut self, keys: &[String], value: &Bytes) -> Result<()> {
        let pipeline = self.0.pipeline();
        for key in keys {
            // It is only put into the pipeline.
            let _: Value = pipeline.set(key, value.clone(), EXPIRATION, None, false).await?;
        }
        let _: Vec<Value> = pipeline.all().await?;
        Ok(())
    }
}
