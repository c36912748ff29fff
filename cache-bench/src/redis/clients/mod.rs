//! The clients: ours, and those that it is measured beside.

mod deadpool;
mod fred;
mod ours;
mod redis_rs;

pub use deadpool::Deadpool;
pub use fred::Fred;
pub use ours::Ours;
pub use redis_rs::{RedisRs, connection_info};
