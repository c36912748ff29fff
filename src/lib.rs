//! Django's cache framework for async Rust: typed, over stores that a few lines
//! of configuration choose.
//!
//! ```
//! use cache_sdk::{Caches, Timeout};
//! use std::{collections::HashMap, time::Duration};
//!
//! #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
//! struct User { name: String }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> cache_sdk::Result<()> {
//! let caches = Caches::from_toml(r#"
//!     [caches.default]
//!     backend = "mem"
//!     key_prefix = "shop"
//! "#).await?;
//! let cache = caches.default()?;
//!
//! let user = User { name: "Ada".to_owned() };
//! cache.aset("user:1", &user, Duration::from_secs(60)).await?;
//! assert_eq!(cache.aget("user:1").await?, Some(user.clone()));
//!
//! cache.aadd("hits", &0, Timeout::Forever).await?;
//! assert_eq!(cache.aincr("hits", 1).await?, 1);
//!
//! let found: HashMap<&str, User> = cache.get_many(["user:1", "user:2"]).await?;
//! assert_eq!(found["user:1"], user);
//! # Ok(())
//! # }
//! ```
//!
//! # Backends
//!
//! | backend | cargo feature | keeps entries |
//! |---|---|---|
//! | `mem` | `mem` (default) | in this process, as the values they are |
//! | `fs` | `fs` | in files: no server, shared by the processes of a machine, there after a restart |
//! | `redis` | `redis`, `redis-rs` | on a server of Redis or Valkey, with read replicas |
//! | `dummy` | always there | nowhere: for development and tests |
//! | a registered name | | wherever the program's own [`Backend`] does |
//!
//! A feature only adds a backend; it changes no default.
//!
//! # Settings
//!
//! Every alias has [`ALIAS_SETTINGS`]; its backend's own stand under `options`.
//! `docs/settings.md` lists them all. In a file the aliases stand under
//! `caches`; environment variables such as `CACHES__DEFAULT__TIMEOUT=60` go on
//! top. An empty map means memory under `default`. A configuration is checked
//! as a whole, and an error names the alias, the setting and what would be
//! accepted, but never a value. [`Registry::json_schema`] makes a JSON Schema
//! by which editors complete and check; the library's own is
//! `docs/caches.schema.json`.
//!
//! # Django's settings
//!
//! What `json.dumps(settings.CACHES)` of a Django project writes loads as it
//! stands, from JSON, TOML, any serde map, or code
//! ([`AliasSettings::django`]), with the environment on top as above:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> cache_sdk::Result<()> {
//! let caches = cache_sdk::Caches::from_json(r#"{
//!     "default": {
//!         "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
//!         "LOCATION": "unique-snowflake",
//!         "TIMEOUT": null,
//!         "KEY_PREFIX": "shop",
//!         "OPTIONS": {"MAX_ENTRIES": 1000}
//!     }
//! }"#).await?;
//! assert_eq!(caches.default()?.key_prefix(), "shop");
//! # Ok(())
//! # }
//! ```
//!
//! What Django does where nothing is set holds in its spelling too: such a
//! store has at most 300 entries, and those without a `LOCATION` are one. A
//! backend or a key function of the project's own loads once the program has
//! registered one under its dotted path. `docs/django-settings.md` says what
//! becomes of each path and each option.
//!
//! # Events
//!
//! Beside those of [`cache_core`], the `tracing` target `cache::config` warns of
//! aliases in one place whose key prefixes overlap, of a file without
//! `caches`, and of options in Django's spelling that have no effect; and it
//! mentions, at the level info, an alias that holds Django's 300 entries.

mod builder;
mod caches;
mod config;
mod dotted_path;
mod load;
mod open;
mod registry;
mod schema;

pub use builder::CachesBuilder;
pub use caches::Caches;
pub use config::{ALIAS_SETTINGS, AliasSettings};
pub use registry::Registry;

#[doc(no_inline)]
pub use cache_core::{
    AnyValue, AsyncCache, Backend, BoxError, BulkFuture, Cache, Capabilities, Clock, Codec, Context,
    Endpoint, EndpointPing, Error, ErrorKind, IntoLoaded, Lag, Life, Load, LoadMany, Loaded, Opened,
    Operation, Partial, Ping, Result, Setting, SettingKind, SettingValue, Settings, Stats, Timeout, Value,
};

/// The examples of the page are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../docs/loads.md")]
mod loads_page {}

/// The core: everything that backends and layers are made of.
pub use cache_core as core;
