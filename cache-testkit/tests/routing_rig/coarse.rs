//! A clock whose cheap time lags behind, as the machine's does.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use cache_core::{Clock, Tick};
use cache_testkit::ManualClock;

/// The manual clock, told precisely and cheaply.
#[derive(Debug)]
pub(crate) struct Coarse(pub(crate) Arc<ManualClock>);

/// By how much; a clock may lag by up to 10 ms.
pub(crate) const LAG: Duration = Duration::from_millis(4);

#[async_trait]
impl Clock for Coarse {
    fn now(&self) -> Tick {
        let lag = u64::try_from(LAG.as_nanos()).expect("short");
        Tick::from_nanos(self.0.now().as_nanos() - lag)
    }

    fn precise(&self) -> Tick {
        self.0.precise()
    }

    fn wall(&self) -> SystemTime {
        self.0.wall()
    }

    async fn sleep_until(&self, tick: Tick) {
        self.0.sleep_until(tick).await;
    }
}
