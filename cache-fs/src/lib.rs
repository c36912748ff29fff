//! The store of cache-sdk in files, backend `fs`: no server at all, shared by
//! all processes of a machine, and there after a restart.
//!
//! Every operation is one hop to a thread that may be blocked. `aadd`, `aincr`,
//! `atouch` and `amove` are exact across processes, by locks; readers take none
//! and never see half a file. The cost of a write does not grow with the number
//! of entries: nothing is listed on the way. Room is made, and what has ended is
//! removed, behind the callers' backs, by one process for all.
//!
//! Use it where the processes of one machine share what is costly to make and
//! must survive a restart, and where there is no server, or none should be
//! needed. A hit costs a hop to another thread and a read, some tens of
//! microseconds.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `max_entries` | 1,000,000 | how many entries of one key prefix there may be |
//! | `max_bytes` | none | how many bytes their files may have: 56 beside key and value |
//! | `cull_frequency` | 3 | one entry in so many goes when there are too many; 0: all |
//! | `eviction` | `"oldest"` | `"lru"`, `"random"`: which go first |
//! | `fsync` | `"never"` | `"data"`: a write ends when its file is on the disk |
//! | `sharing` | `"private"` | `"group"`: who may read and write the files |
//! | `served` | [the usual ones](SERVED) | directories that are served: a location in one of them is warned of |
//!
//! # Events
//!
//! The `tracing` target `cache::config` warns of a location that looks served,
//! when a store is opened; `cache::fs` of files that could not be removed.
//!
//! ```
//! use cache_core::{Cache, Context, Timeout};
//! use cache_fs::{FsSettings, FsStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let location = directory.path();
//! let store = FsStore::open(location, &FsSettings::default(), &Context::new("pages")).await?;
//! let cache = Cache::new(store);
//! cache.aadd("hits", &0, Timeout::Forever).await?;
//! assert_eq!(cache.aincr("hits", 1).await?, 1);
//! # Ok(())
//! # }
//! ```

mod access;
mod backend;
mod clear;
mod count;
mod cull;
mod error;
mod files;
mod format;
mod guard;
mod inner;
mod keeper;
mod lanes;
mod location;
mod locks;
mod look;
mod place;
mod settings;
mod shard;
mod store;
mod totals;
mod uses;

pub use backend::FsBackend;
pub use settings::{Eviction, FsSettings, Fsync, SERVED, Sharing};
pub use store::FsStore;
