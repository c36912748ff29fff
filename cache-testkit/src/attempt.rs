//! Runs one case, and ends it when it takes too long.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use cache_core::Scope;
use futures::FutureExt;
use tokio::runtime::{Builder, Runtime};

use crate::case::Case;
use crate::failure::Outcome;
use crate::subject::Subject;

/// Runs the case on a store of this subject; the error says why it failed.
///
/// It has a runtime of its own, with several threads: what one case leaves
/// behind is no other's business, and one that never ends holds up nobody.
pub(crate) fn attempt(case: Case, subject: &Subject, seed: u64, limit: Duration) -> Result<(), String> {
    let subject = subject.clone();
    let work = async move {
        let bench = subject.bench(seed).await;
        let (store, prefix) = (bench.store(), bench.prefix().to_owned());
        (case.run)(bench).await?;
        // On a server that is there already nothing is to be left behind.
        if store.capabilities().clear_prefix {
            drop(store.aclear(&Scope::of_prefix(&prefix)).await);
        }
        // Closing is a promise too; after a failure it would only hide it.
        store.aclose().await?;
        Outcome::Ok(())
    };
    bounded(limit, work)?.map_err(|failure| failure.to_string())
}

/// The output of the future, or what became of it instead.
///
/// The limit is kept by the thread that asks, so that it holds also where all
/// threads of the runtime are stuck.
pub(crate) fn bounded<T: Send + 'static>(
    limit: Duration,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, String> {
    let runtime = runtime()?;
    let (send, receive) = sync_channel(1);
    runtime.spawn(async move {
        let outcome = AssertUnwindSafe(work).catch_unwind().await;
        // Nobody listens any more if the limit has passed.
        drop(send.send(outcome));
    });
    let outcome = receive.recv_timeout(limit);
    runtime.shutdown_background();
    match outcome {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(panic)) => Err(words(&*panic)),
        Err(RecvTimeoutError::Timeout) => Err(format!("not done within {limit:?}: something hangs")),
        Err(RecvTimeoutError::Disconnected) => Err("the runtime ended before the case did".to_owned()),
    }
}

fn runtime() -> Result<Runtime, String> {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("there is no runtime: {error}"))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}
