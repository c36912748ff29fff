//! What a bulk call says of each of its keys.

use crate::error::{Error, ErrorKind, Result};

/// The failure of a whole call is the failure of each of its keys. An answer
/// for fewer or more keys than were asked for cannot be told apart by key.
pub(crate) fn per_key<T>(answer: Result<Vec<Result<T>>>, keys: usize) -> Vec<Result<T>> {
    match answer {
        Ok(outcomes) if outcomes.len() == keys => outcomes,
        Ok(_) => (0..keys).map(|_| Err(unanswered())).collect(),
        Err(error) => (0..keys).map(|_| Err(error.clone())).collect(),
    }
}

#[cold]
pub(crate) fn unanswered() -> Error {
    Error::new(ErrorKind::Server, "the store did not answer for each of the keys")
}
