//! The state machine of loads, compiled once more, on the model checker's locks.

#![allow(dead_code, reason = "the model needs less of it than the handle")]

#[path = "../../../../cache-core/src/loads/flights.rs"]
pub(crate) mod flights;
#[path = "../../../../cache-core/src/loads/task.rs"]
pub(crate) mod task;

mod sync {
    pub(super) use shuttle::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
    pub(super) use shuttle::sync::{Arc, Mutex, MutexGuard};
}
