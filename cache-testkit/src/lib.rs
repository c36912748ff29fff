//! The conformance suite of cache-sdk, and what tests of stores need beside
//! it: a clock that stands still, layers that change nothing, and a store that
//! fails, stalls and reorders on command.

mod attempt;
mod bench;
mod case;
mod cases;
mod direct;
mod failure;
mod faulty;
mod lesser;
mod manual_clock;
mod model;
mod need;
mod pass_through;
mod samples;
mod seed;
mod subject;
mod suite;
mod time;
mod witness;

pub use faulty::{Call, Faulty, Gate, On};
pub use lesser::Lesser;
pub use manual_clock::ManualClock;
pub use pass_through::PassThrough;
pub use subject::{Setup, Subject};
pub use suite::{FailedCase, Suite};
