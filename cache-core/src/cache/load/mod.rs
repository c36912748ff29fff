//! Values that are loaded when they are missing.
//!
//! What a caller does who finds none is in `one` and `many`, what the task that
//! loads does in `flight`, and how the value gets into the store in `publish`.

mod flight;
mod job;
mod many;
mod one;
mod publish;
mod terms;
mod wait;

pub use many::LoadMany;
pub use one::Load;
