//! The suite on the store that keeps nothing: every case that it admits.

use std::process::ExitCode;
use std::sync::Arc;

use cache_core::DummyStore;
use cache_testkit::{Subject, Suite};

fn main() -> ExitCode {
    Suite::new().subject(Subject::new("dummy", |_| async { Arc::new(DummyStore) as _ }).owns_store()).run()
}
