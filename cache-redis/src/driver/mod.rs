//! The libraries that speak the protocol, behind one seam: commands in, replies
//! out, one connection, no policy.

mod connection;
#[cfg(feature = "fred")]
mod fred;
#[cfg(feature = "redis-rs")]
mod redis_rs;
mod watched;

use std::fmt;

use cache_core::Gather;

use self::connection::Connection as _;
use crate::command::Command;
use crate::reply::Reply;
use crate::written::LONGEST_IN_A_SCRIPT;

pub(crate) use self::connection::{Credentials, Lost, NoConnection, Target};

#[cfg(not(any(feature = "fred", feature = "redis-rs")))]
compile_error!("cache-redis needs a driver: its feature `fred` or `redis-rs`");

/// The library that speaks the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    #[cfg(feature = "fred")]
    Fred,
    #[cfg(feature = "redis-rs")]
    RedisRs,
}

/// A connection of whichever driver.
pub(crate) enum Link {
    #[cfg(feature = "fred")]
    Fred(fred::Link),
    #[cfg(feature = "redis-rs")]
    RedisRs(redis_rs::Link),
}

impl Driver {
    /// All that can be named, whether they are compiled in or not.
    pub(crate) const NAMES: &'static [&'static str] = &["fred", "redis-rs"];

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
            _ => {
                let of_facade = if name == "fred" { "redis" } else { "redis-rs" };
                Err(format!(
                    "`driver` is one whose cargo feature is off: `{of_facade}` of cache-sdk, `{name}` of cache-redis"
                ))
            }
        }
    }

    /// How many entries it writes by one script. Fred spends more on each of
    /// many commands than a server on one in a script.
    pub(crate) fn sets_in_a_script(self) -> usize {
        match self {
            #[cfg(feature = "fred")]
            Self::Fred => 128,
            #[cfg(feature = "redis-rs")]
            Self::RedisRs => 1,
        }
    }

    /// How single reads travel together, as was measured best. Fred parses a
    /// reply anew with each part of it that arrives, so that short ones are better.
    pub(crate) fn gathered_reads(self) -> Gather {
        match self {
            #[cfg(feature = "fred")]
            Self::Fred => Gather::new(4, 64),
            #[cfg(feature = "redis-rs")]
            Self::RedisRs => Gather::new(2, 128),
        }
    }

    /// How single writes travel together, as was measured best.
    pub(crate) fn gathered_writes(self) -> Gather {
        match self {
            #[cfg(feature = "fred")]
            Self::Fred => Gather::new(2, 128).longest(LONGEST_IN_A_SCRIPT),
            #[cfg(feature = "redis-rs")]
            Self::RedisRs => Gather::new(4, 32),
        }
    }

    pub(crate) async fn connect(
        self,
        target: &Target,
        credentials: &Credentials,
    ) -> Result<Link, NoConnection> {
        match self {
            #[cfg(feature = "fred")]
            Self::Fred => fred::Link::connect(target, credentials).await.map(Link::Fred),
            #[cfg(feature = "redis-rs")]
            Self::RedisRs => redis_rs::Link::connect(target, credentials).await.map(Link::RedisRs),
        }
    }
}

impl Link {
    pub(crate) async fn call(&self, command: &Command<'_>) -> Result<Reply, Lost> {
        match self {
            #[cfg(feature = "fred")]
            Self::Fred(link) => link.call(command).await,
            #[cfg(feature = "redis-rs")]
            Self::RedisRs(link) => link.call(command).await,
        }
    }

    pub(crate) async fn call_many(&self, commands: &[Command<'_>]) -> Result<Vec<Reply>, Lost> {
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
