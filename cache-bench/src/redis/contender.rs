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
    BatchedOnRedisRs,
    BatchedOnRedisRsTwice,
    BatchedOnFred,
    BatchedOnFredTwice,
}

impl Contender {
    /// Each operation by itself.
    pub const SINGLE: [Self; 6] = [
        Self::RedisRs,
        Self::ConnectionManager,
        Self::Deadpool,
        Self::OursOnRedisRs,
        Self::Fred,
        Self::OursOnFred,
    ];

    /// Ours over each driver, each operation by itself.
    pub const OURS: [Self; 2] = [Self::OursOnRedisRs, Self::OursOnFred];

    /// Ours with batching, and what that is compared with.
    pub const BATCHED: [Self; 8] = [
        Self::RedisRs,
        Self::Fred,
        Self::OursOnRedisRs,
        Self::OursOnFred,
        Self::BatchedOnRedisRs,
        Self::BatchedOnRedisRsTwice,
        Self::BatchedOnFred,
        Self::BatchedOnFredTwice,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::RedisRs => "redis-rs MultiplexedConnection",
            Self::ConnectionManager => "redis-rs ConnectionManager",
            Self::Deadpool => "deadpool-redis (16)",
            Self::OursOnRedisRs => "Cache over redis-rs",
            Self::Fred => "fred Client",
            Self::OursOnFred => "Cache over fred",
            Self::BatchedOnRedisRs => "batched, redis-rs",
            Self::BatchedOnRedisRsTwice => "batched, redis-rs, 2 connections",
            Self::BatchedOnFred => "batched, fred",
            Self::BatchedOnFredTwice => "batched, fred, 2 connections",
        }
    }

    /// The raw driver that it is compared with: of the same library, and for
    /// what is batched the fastest.
    pub fn raw(self) -> Self {
        match self {
            Self::Fred | Self::OursOnFred => Self::Fred,
            _ => Self::RedisRs,
        }
    }

    pub fn is_ours(self) -> bool {
        !matches!(self, Self::RedisRs | Self::ConnectionManager | Self::Deadpool | Self::Fred)
    }

    /// A client of the server at this port of the loopback.
    pub async fn connect(self, port: u16) -> Result<Arc<dyn Worker>> {
        Ok(match self {
            Self::RedisRs => Arc::new(RedisRs::multiplexed(port).await?),
            Self::ConnectionManager => Arc::new(RedisRs::managed(port).await?),
            Self::Deadpool => Arc::new(Deadpool::open(port)?),
            Self::OursOnRedisRs => Arc::new(Ours::open("redis-rs", port, 1, false)?),
            Self::Fred => Arc::new(Fred::connect(port).await?),
            Self::OursOnFred => Arc::new(Ours::open("fred", port, 1, false)?),
            Self::BatchedOnRedisRs => Arc::new(Ours::open("redis-rs", port, 1, true)?),
            Self::BatchedOnRedisRsTwice => Arc::new(Ours::open("redis-rs", port, 2, true)?),
            Self::BatchedOnFred => Arc::new(Ours::open("fred", port, 1, true)?),
            Self::BatchedOnFredTwice => Arc::new(Ours::open("fred", port, 2, true)?),
        })
    }
}
