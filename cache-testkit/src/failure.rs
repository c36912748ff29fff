//! How a case says that it failed, and where.

use std::fmt::{self, Display};
use std::panic::Location;

/// What a case comes to.
pub(crate) type Outcome = Result<(), Failure>;

/// An error that a case did not expect, with the line that met it.
pub(crate) struct Failure {
    message: String,
    location: &'static Location<'static>,
}

/// Any error ends a case by `?`; the line is that of the question mark.
impl<E: std::error::Error> From<E> for Failure {
    #[track_caller]
    fn from(error: E) -> Self {
        Self { message: error.to_string(), location: Location::caller() }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at {})", self.message, self.location)
    }
}
