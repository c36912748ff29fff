//! The conformance suite of cache-sdk, and what tests of stores need beside
//! it: a clock that stands still, layers that change nothing, and a store that
//! fails, stalls and reorders on command.

mod manual_clock;

pub use manual_clock::ManualClock;
