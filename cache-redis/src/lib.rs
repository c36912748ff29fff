//! The store of cache-sdk on one server of Redis or Valkey, backend `redis`.
//!
//! Most programs take it through the facade `cache-sdk`, with its cargo feature
//! `redis`, and choose it by two lines of configuration:
//!
//! ```toml
//! [caches.default]
//! backend = "redis"
//! location = "redis://127.0.0.1:6379/1"
//! ```
//!
//! Every operation is one command, every bulk operation one exchange. `aadd`,
//! `aincr`, `atouch`, a move and a write on a token are one step on the server,
//! and an entry is never without the life that it was given.
//!
//! # Connections
//!
//! They are made when they are needed, so that opening succeeds while the
//! server is down, and each serves any number of tasks at once. One that is
//! lost, or silent for as long as a caller waits, is replaced by the next call;
//! nothing is ever sent twice. A write goes by the connection of its key, so
//! that of two writes of a key the later one wins, also if the earlier one was
//! dropped. After a deadline or a lost connection no order is promised: what
//! was sent before may take effect late.
//!
//! A connection lives on the tokio runtime of the call that made it. When that
//! is gone, the next call makes another on its own.
//!
//! # Drivers
//!
//! | option `driver` | cargo feature here | of the facade |
//! |---|---|---|
//! | `"fred"` (default) | `fred` (default) | `redis` |
//! | `"redis-rs"` | `redis-rs` | `redis-rs` |
//!
//! Both pass every test of this crate. `docs/redis.md` of the repository
//! compares them, and says what each option does.
//!
//! # Events
//!
//! | `tracing` target | when |
//! |---|---|
//! | `cache::redis` | a connection was replaced; a long clear goes on; a reply did not fit its command |
//! | `cache::config` | a parameter of the location has no effect |
//!
//! # Example
//!
//! Opening needs no server:
//!
//! ```
//! use cache_core::{Cache, Context, Settings, Trip, TripSettings};
//! use cache_redis::RedisStore;
//! use std::{sync::Arc, time::Duration};
//!
//! let context = Context::new("pages");
//! let settings = Settings::new(vec!["redis://127.0.0.1:6379/1".to_owned()]);
//! let store = RedisStore::open(&settings, &context)?;
//! let deadlines = TripSettings::new("pages", Duration::from_secs(1), context.clock.clone());
//! let cache = Cache::builder(Arc::new(Trip::new(Arc::new(store), deadlines))).key_prefix("shop").build();
//! # drop(cache);
//! # Ok::<(), cache_core::Error>(())
//! ```

mod backend;
mod clear;
mod command;
mod django;
mod driver;
mod identity;
mod life;
mod live;
mod location;
mod pool;
mod replication;
mod reply;
mod script;
mod secret;
mod server_error;
mod settings;
mod slot;
mod store;
mod tls;
mod turns;
mod written;

pub use backend::RedisBackend;
pub use store::RedisStore;
