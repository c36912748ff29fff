//! The in-process store of cache-sdk, backend `mem`.
//!
//! It keeps the program's own values, so that a typed hit is a pointer: no
//! decoding, no copy, no allocation. Every operation is one step that nobody
//! sees halfway: `aadd`, `aincr`, `atouch` and `amove` are exact under any
//! number of tasks.
//!
//! Use it where a copy per process will do. Nothing is shared between
//! processes, and nothing survives the process.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `max_entries` | 1,000,000 | how many entries the store holds before it evicts: so many always fit |
//! | `max_bytes` | none | how many bytes keys and values may take before it evicts |
//! | `eviction` | `"engine"` | `"lru"`: a share of the entries goes at once, the least recently used first |
//! | `cull_frequency` | 3 | with `lru`, one entry in so many goes when the store is full; 0: all |
//! | `values` | `"typed"` | `"typed"` keeps values as they are, `"encoded"` as bytes, as a remote store would |
//! | `check_encoding` | in debug builds | encodes each typed value as well, so that what a remote store would refuse fails here too |
//!
//! # Memory
//!
//! An entry takes 130 to 300 bytes beside its key and value, which no limit
//! counts. One that has expired is freed though nobody reads it, at the latest
//! half its life after its end (half a second at least, and 2 µs for each entry
//! where there are more than 250,000): by a task that lives on the runtime of a
//! write, which has to have its time enabled, or by writes where there is none.
//! A table that is nearly empty gives its memory back. Where several aliases
//! share a store, one of those that are open counts what expired unread.
//!
//! # Events
//!
//! The `tracing` target `cache::config` warns of a `cull_frequency` that has no
//! effect, when a configuration is opened.
//!
//! ```
//! use cache_core::{Cache, Timeout};
//! use cache_mem::MemStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> cache_core::Result<()> {
//! let cache = Cache::new(MemStore::new());
//! cache.aset("motto", "onwards", Timeout::Default).await?;
//! assert_eq!(cache.aget::<String>("motto").await?.as_deref(), Some("onwards"));
//! # Ok(())
//! # }
//! ```

mod backend;
mod clears;
mod engine;
mod key;
mod limits;
mod lru;
mod settings;
mod shard;
mod slot;
mod store;
mod sweep;
mod sweep_task;
mod sweeper;
mod table;

pub use backend::MemBackend;
pub use settings::{Eviction, MemSettings, Values};
pub use store::MemStore;
