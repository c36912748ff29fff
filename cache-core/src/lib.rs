//! The core of cache-sdk: Django's cache framework for async Rust, without any
//! I/O of its own.
//!
//! * [`Cache`] is the typed handle that programs use: Django's low-level API.
//! * [`AsyncCache`] is the trait that stores and layers implement: few
//!   primitives, no policy. [`Backend`] opens stores from a configuration.
//! * [`Trip`] is the layer that gives a remote store deadlines, lets calls fail
//!   at once while it is known to be down, and notices when it is back.
//! * [`Routing`] spreads reads over the replicas of a leader, and [`Batching`]
//!   lets operations of single keys travel together under load.
//! * [`DummyStore`] keeps nothing.
//!
//! Most programs take it through the facade `cache-sdk`, which loads a
//! configuration. A store can also be used directly:
//!
//! ```
//! use cache_core::{Cache, Timeout};
//! use std::time::Duration;
//!
//! #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
//! struct User { name: String }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> cache_core::Result<()> {
//! let cache = Cache::new(cache_mem::MemStore::new());
//! let user = User { name: "Ada".to_owned() };
//! cache.aset("user:1", &user, Duration::from_secs(60)).await?;
//! assert_eq!(cache.aget("user:1").await?, Some(user));
//! # Ok(())
//! # }
//! ```
//!
//! # Events
//!
//! | `tracing` target | when |
//! |---|---|
//! | `cache::key` | a key that memcached would refuse, once per alias and rule |
//! | `cache::codec` | an entry that cannot be decoded, once per alias and reason |
//! | `cache::load` | a loaded value cannot be stored, once per alias and kind of error |
//! | `cache::trip` | a store is known to be down, or answers again |
//! | `cache::routing` | a replica is left out, or taken back; it cannot tell how old its data is |

mod async_cache;
mod backend;
mod batching;
mod cache;
mod capabilities;
mod clock;
mod codec;
mod django;
mod dummy;
mod entry;
mod error;
mod key;
mod layering;
mod life;
mod loads;
mod options;
mod per_key;
mod ping;
mod routing;
mod settings;
mod stats;
mod timer;
mod trip;
mod value;

pub use async_cache::{AsyncCache, Probe};
pub use backend::{Backend, Context, Opened, Shared};
pub use batching::Batching;
pub use cache::{
    AnyValue, BulkFuture, Cache, CacheBuilder, ClearScope, KeyCheck, KeyFunction, Load, LoadMany,
    OnDecodeError, OnError, Partial, Validator,
};
pub use capabilities::{Batch, Capabilities, Gather};
pub use clock::{Clock, SystemClock, Tick};
pub use codec::{Codec, CodecChoice, Format, Undecodable, UndecodableReason};
pub use django::{DjangoEffect, DjangoOption, DjangoSpelling};
pub use dummy::{DummyBackend, DummyStore};
pub use entry::{Borrow, EncodedEntry, Entry, NewEntry};
pub use error::{BoxError, Error, ErrorKind, Operation, Result};
pub use key::{Key, KeySpace, OwnedKey, has_prefix};
pub use layering::Layering;
pub use life::{Life, Timeout};
pub use loads::{IntoLoaded, Loaded};
pub use options::{Found, Incr, Read, ReadFrom, Scope, Token, Usage, When, Write};
pub use ping::{Endpoint, EndpointPing, Lag, Ping};
pub use routing::{ReplicaPolicy, Routing, RoutingSettings};
pub use settings::{Setting, SettingKind, SettingValue, Settings};
pub use stats::{Counter, Counters, Stats};
pub use timer::{Expiry, Timer};
pub use trip::{Trip, TripSettings};
pub use value::Value;

/// What stores and codecs speak in; of the crate `bytes`.
#[doc(no_inline)]
pub use bytes::Bytes;
