//! Random histories of one layer: what was asked, what was answered, and
//! whether both fit together.

mod faults;
mod judge;
mod operation;
mod world;

pub(crate) use world::{Tally, run};
