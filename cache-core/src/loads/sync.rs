//! What the state machine locks and counts with.
//!
//! A module of its own, so that the model checker can put its own in place of
//! these: see `cache-testkit/tests/flights_model`.

pub(super) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
pub(super) use std::sync::{Arc, Mutex, MutexGuard};
