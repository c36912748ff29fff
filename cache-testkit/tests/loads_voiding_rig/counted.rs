//! A value that counts how often it is decoded.

use std::cell::Cell;

use serde::{Deserialize, Deserializer, Serialize};

thread_local! {
    // Of each test its own: a test has one thread, on which all its tasks run.
    static DECODED: Cell<usize> = const { Cell::new(0) };
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Counted(pub(crate) String);

/// How often one was decoded on this thread.
pub(crate) fn decoded() -> usize {
    DECODED.get()
}

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        DECODED.set(DECODED.get() + 1);
        String::deserialize(deserializer).map(Self)
    }
}
