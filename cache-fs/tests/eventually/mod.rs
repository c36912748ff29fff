//! Waiting for what is done behind callers' backs.

use std::time::Duration;

use cache_core::{Clock as _, SystemClock};

/// Waits until it is so: what is done behind callers' backs takes its time.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..4_000 {
        if is_so().await {
            return;
        }
        SystemClock.sleep_until(SystemClock.precise().after(Duration::from_millis(5))).await;
    }
    panic!("{what}: it has not come about");
}
