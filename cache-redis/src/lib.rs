//! The store of cache-sdk on Redis and Valkey, backend `redis`.
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
mod reply;
mod script;
mod secret;
mod server_error;
mod settings;
mod slot;
mod store;
mod tls;
mod turns;

pub use backend::RedisBackend;
pub use store::RedisStore;
