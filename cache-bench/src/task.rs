//! A task to measure in: what loads may start others, and wait for them.

use std::future::Future;

use tokio::runtime::{Builder, Runtime};

thread_local! {
    static RUNTIME: Runtime =
        Builder::new_current_thread().enable_time().build().expect("a thread has room for a runtime");
}

/// Runs the future as a task on a runtime of the present thread, as a server
/// runs a request: woken by another task of the thread it comes next, and the
/// thread does not go to sleep in between.
pub fn run<F>(future: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    RUNTIME
        .with(|runtime| runtime.block_on(runtime.spawn(future)))
        .expect("a task that panics has no measurement")
}
