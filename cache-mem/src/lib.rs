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
//! | `values` | `"typed"` | `"typed"` keeps values as they are, `"encoded"` as bytes, as a remote store would |
//! | `check_encoding` | in debug builds | encodes each typed value as well, so that what a remote store would refuse fails here too |
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
mod sweeper;
mod table;

pub use backend::MemBackend;
pub use settings::{Eviction, MemSettings, Values};
pub use store::MemStore;
