//! deadpool-redis: a pool of connections of redis-rs, each for one caller at a
//! time, and asked by a `PING` whether it is well before each use.

use anyhow::Result;
use bytes::Bytes;
use deadpool_redis::{Manager, Pool};

use super::redis_rs::{self, connection_config, connection_info};
use crate::redis::client::Client;

/// So many connections there are at most.
pub const SIZE: usize = 16;

#[derive(Clone)]
pub struct Deadpool(Pool);

impl Deadpool {
    pub fn open(port: u16) -> Result<Self> {
        let manager = Manager::new_with_config(connection_info(port)?, connection_config())?;
        Ok(Self(Pool::builder(manager).max_size(SIZE).build()?))
    }
}

impl Client for Deadpool {
    async fn get(&mut self, key: &str) -> Result<usize> {
        redis_rs::get(&mut self.0.get().await?, key).await
    }

    async fn set(&mut self, key: &str, value: &Bytes) -> Result<()> {
        redis_rs::set(&mut self.0.get().await?, key, value).await
    }

    async fn get_many(&mut self, keys: &[String]) -> Result<usize> {
        redis_rs::get_many(&mut self.0.get().await?, keys).await
    }

    async fn set_many(&mut self, keys: &[String], value: &Bytes) -> Result<()> {
        redis_rs::set_many(&mut self.0.get().await?, keys, value).await
    }
}
