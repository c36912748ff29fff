//! Waiting, with an end to it: what hangs fails, and says what it was.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{Clock as _, SystemClock, Timer};

use crate::scale::scaled;

/// Longer than any deadline of these tests: who takes longer hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the future gives.
///
/// # Panics
///
/// If it does not end.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let patience = PATIENCE * u32::try_from(scaled(1)).expect("it is small");
    let until = SystemClock.precise().after(patience);
    let outcome = Timer::new(Arc::new(SystemClock)).limit(until, future).await;
    outcome.unwrap_or_else(|_| panic!("{what}: it has not ended within {patience:?}"))
}

/// Waits as long as that.
pub(crate) async fn pause(duration: Duration) {
    SystemClock.sleep_until(SystemClock.precise().after(duration)).await;
}

/// Asks again and again until it is so, for a while.
///
/// # Panics
///
/// If it does not come about.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..300 {
        if is_so().await {
            return;
        }
        pause(Duration::from_millis(10)).await;
    }
    panic!("{what}: it has not come about");
}
