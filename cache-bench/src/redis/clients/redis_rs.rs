//! redis-rs: one multiplexed connection, by itself or in its manager.

use anyhow::Result;
use bytes::Bytes;
use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncCommands, AsyncConnectionConfig, ConnectionInfo, IntoConnectionInfo as _, RedisConnectionInfo,
    SetExpiry, SetOptions,
};
use tokio::net::TcpStream;

use crate::redis::client::{Client, DEADLINE, LIFE_MILLIS};

#[derive(Clone)]
pub struct RedisRs<C>(C);

impl RedisRs<MultiplexedConnection> {
    /// On a stream of our own, as the driver of the store does it.
    pub async fn multiplexed(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let info = RedisConnectionInfo::default();
        let (connection, pump) =
            MultiplexedConnection::new_with_config(&info, stream, connection_config()).await?;
        tokio::spawn(pump);
        Ok(Self(connection))
    }
}

impl RedisRs<ConnectionManager> {
    pub async fn managed(port: u16) -> Result<Self> {
        let client = redis::Client::open(connection_info(port)?)?;
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(DEADLINE))
            .set_connection_timeout(Some(DEADLINE));
        Ok(Self(client.get_connection_manager_with_config(config).await?))
    }
}

/// Where the server is, without Nagle's algorithm.
pub fn connection_info(port: u16) -> Result<ConnectionInfo> {
    let info = ("127.0.0.1", port).into_connection_info()?;
    Ok(info.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}

pub fn connection_config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_response_timeout(Some(DEADLINE)).set_connection_timeout(Some(DEADLINE))
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> Client for RedisRs<C> {
    async fn get(&mut self, key: &str) -> Result<usize> {
        get(&mut self.0, key).await
    }

    async fn set(&mut self, key: &str, value: &Bytes) -> Result<()> {
        set(&mut self.0, key, value).await
    }

    async fn get_many(&mut self, keys: &[String]) -> Result<usize> {
        get_many(&mut self.0, keys).await
    }

    async fn set_many(&mut self, keys: &[String], value: &Bytes) -> Result<()> {
        set_many(&mut self.0, keys, value).await
    }
}

pub async fn get(connection: &mut impl AsyncCommands, key: &str) -> Result<usize> {
    let found: Option<Vec<u8>> = connection.get(key).await?;
    Ok(found.map_or(0, |value| value.len()))
}

pub async fn set(connection: &mut impl AsyncCommands, key: &str, value: &Bytes) -> Result<()> {
    Ok(connection.set_options(key, &value[..], options()).await?)
}

pub async fn get_many(connection: &mut impl AsyncCommands, keys: &[String]) -> Result<usize> {
    let found: Vec<Option<Vec<u8>>> = connection.mget(keys).await?;
    Ok(found.iter().flatten().map(Vec::len).sum())
}

pub async fn set_many(connection: &mut impl AsyncCommands, keys: &[String], value: &Bytes) -> Result<()> {
    let mut pipeline = redis::Pipeline::with_capacity(keys.len());
    for key in keys {
        pipeline.set_options(key, &value[..], options()).ignore();
    }
    Ok(pipeline.query_async(connection).await?)
}

fn options() -> SetOptions {
    SetOptions::default().with_expiration(SetExpiry::PX(LIFE_MILLIS.into()))
}
