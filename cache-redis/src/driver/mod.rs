//! The seam between this crate and the libraries that speak the protocol:
//! commands in, replies out, one connection, no policy.

#[cfg(feature = "fred")]
mod fred;
#[cfg(feature = "redis-rs")]
mod redis_rs;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use cache_core::{BoxError, Error, ErrorKind, Result};
use tokio_rustls::rustls::ClientConfig;

use crate::command::Command;
use crate::location::Address;
use crate::reply::Reply;
use crate::secret::Secret;
use crate::server_error::ServerError;

#[cfg(not(any(feature = "fred", feature = "redis-rs")))]
compile_error!("cache-redis needs a driver: its feature `redis-rs` or `fred`");

/// The library that speaks the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    #[cfg(feature = "fred")]
    Fred,
    #[cfg(feature = "redis-rs")]
    RedisRs,
}

/// What is connected to, and how.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: Address,
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// Longer values are not copied out of a driver's buffer.
    pub(crate) max_value_bytes: usize,
}

/// Who connects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Credentials {
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
}

/// One connection: it is used until it is lost, and never mends itself.
///
/// Each call is sent once at most. A call that is dropped before it was sent is
/// not sent; one that is dropped later is, and its reply goes to nobody. Calls
/// are sent in the order in which they are first polled.
pub(crate) trait Connection: Sized + Send + Sync + 'static {
    fn connect(
        target: &Target,
        credentials: &Credentials,
    ) -> impl Future<Output = Result<Self, NoConnection>> + Send;

    /// Sends one command.
    fn call(&self, command: Command<'_>) -> impl Future<Output = Result<Reply, Lost>> + Send;

    /// Sends commands together; answers a reply for each.
    fn call_many(
        &self,
        commands: Vec<Command<'_>>,
    ) -> impl Future<Output = Result<Vec<Reply>, Lost>> + Send;

    /// Whether it is known to be over.
    fn is_lost(&self) -> bool;

    /// Ends it: calls under way fail now, and no reply reaches anybody.
    fn cut(&self);
}

/// Why no connection came about.
#[derive(Clone, Debug)]
pub(crate) enum NoConnection {
    /// The server said so.
    Refused(ServerError),
    Unreachable(Error),
}

/// A call has no reply, and there will be none: the connection is gone.
#[derive(Debug)]
pub(crate) struct Lost(pub(crate) Option<BoxError>);

/// A connection of whichever driver.
pub(crate) enum Link {
    #[cfg(feature = "fred")]
    Fred(fred::Link),
    #[cfg(feature = "redis-rs")]
    RedisRs(redis_rs::Link),
}

impl Driver {
    /// All that can be named, whether they are compiled in or not.
    pub(crate) const NAMES: &'static [&'static str] = &["redis-rs", "fred"];

    /// The driver of this name.
    ///
    /// # Errors
    ///
    /// What to do if it is not compiled in.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        match name {
            #[cfg(feature = "fred")]
            "fred" => Ok(Self::Fred),
            #[cfg(feature = "redis-rs")]
            "redis-rs" => Ok(Self::RedisRs),
            _ => Err(format!(
                "`driver` is one whose cargo feature is off: `{name}` of cache-redis, `redis-{}` of cache-sdk",
                name.trim_start_matches("redis-")
            )),
        }
    }

    pub(crate) async fn connect(self, target: &Target, credentials: &Credentials) -> Result<Link, NoConnection> {
        match self {
            #[cfg(feature = "fred")]
            Self::Fred => fred::Link::connect(target, credentials).await.map(Link::Fred),
            #[cfg(feature = "redis-rs")]
            Self::RedisRs => redis_rs::Link::connect(target, credentials).await.map(Link::RedisRs),
        }
    }
}

impl Link {
    pub(crate) async fn call(&self, command: Command<'_>) -> Result<Reply, Lost> {
        match self {
            #[cfg(feature = "fred")]
            Self::Fred(link) => link.call(command).await,
            #[cfg(feature = "redis-rs")]
            Self::RedisRs(link) => link.call(command).await,
        }
    }

    pub(crate) async fn call_many(&self, commands: Vec<Command<'_>>) -> Result<Vec<Reply>, Lost> {
        match self {
            #[cfg(feature = "fred")]
            Self::Fred(link) => link.call_many(commands).await,
            #[cfg(feature = "redis-rs")]
            Self::RedisRs(link) => link.call_many(commands).await,
        }
    }

    pub(crate) fn is_lost(&self) -> bool {
        match self {
            #[cfg(feature = "fred")]
            Self::Fred(link) => link.is_lost(),
            #[cfg(feature = "redis-rs")]
            Self::RedisRs(link) => link.is_lost(),
        }
    }

    pub(crate) fn cut(&self) {
        match self {
            #[cfg(feature = "fred")]
            Self::Fred(link) => link.cut(),
            #[cfg(feature = "redis-rs")]
            Self::RedisRs(link) => link.cut(),
        }
    }
}

impl Target {
    /// What is said where no connection comes about.
    fn unreachable(&self, source: impl Into<BoxError>) -> NoConnection {
        let hint = match self.tls {
            None => "",
            Some(_) => " (TLS is on: does the server speak it, and is its certificate one of `tls_ca_file`?)",
        };
        let detail = format!("cannot connect to {}{hint}", self.address);
        NoConnection::Unreachable(Error::new(ErrorKind::Connection, detail).with_source(source))
    }
}

impl Lost {
    pub(crate) fn into_error(self) -> Error {
        let error = Error::new(ErrorKind::Connection, "the connection was lost before there was an answer");
        match self.0 {
            Some(source) => error.with_source(source),
            None => error,
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("address", &self.address).field("tls", &self.tls.is_some()).finish()
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            #[cfg(feature = "fred")]
            Self::Fred(_) => "Link(fred)",
            #[cfg(feature = "redis-rs")]
            Self::RedisRs(_) => "Link(redis-rs)",
        })
    }
}
