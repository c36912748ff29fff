//! Who is measured.

use std::sync::Arc;

use anyhow::Result;
use clap::ValueEnum;

use super::clients::{Deadpool, Fred, Ours, RedisRs};
use super::worker::Worker;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Contender {
    RedisRs,
    ConnectionManager,
    Deadpool,
    OursOnRedisRs,
    Fred,
    OursOnFred,
}

impl Contender {
    /// Ours over each driver.
    pub const OURS: [Self; 2] = [Self::OursOnRedisRs, Self::OursOnFred];

    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::RedisRs => "redis-rs MultiplexedConnection",
            Self::ConnectionManager => "redis-rs ConnectionManager",
            Self::Deadpool => "deadpool-redis (16)",
            Self::OursOnRedisRs => "Cache over redis-rs",
            Self::Fred => "fred Client",
            Self::OursOnFred => "Cache over fred",
        }
    }

    /// The raw driver of the same library, which it is compared with.
    pub fn raw(self) -> Self {
        match self {
            Self::RedisRs | Self::ConnectionManager | Self::Deadpool | Self::OursOnRedisRs => Self::RedisRs,
            Self::Fred | Self::OursOnFred => Self::Fred,
        }
    }

    pub fn is_ours(self) -> bool {
        Self::OURS.contains(&self)
    }

    /// A client of the server at this port of the loopback.
    pub async fn connect(self, port: u16) -> Result<Arc<dyn Worker>> {
        Ok(match self {
            Self::RedisRs => Arc::new(RedisRs::multiplexed(port).await?),
            Self::ConnectionManager => Arc::new(RedisRs::managed(port).await?),
            Self::Deadpool => Arc::new(Deadpool::open(port)?),
            Self::OursOnRedisRs => Arc::new(Ours::open("redis-rs", port)?),
            Self::Fred => Arc::new(Fred::connect(port).await?),
            Self::OursOnFred => Arc::new(Ours::open("fred", port)?),
        })
    }
}
