//! What a caller may ask of a load beside the value.

use std::time::Duration;

use super::super::Cache;
use crate::error::{Error, ErrorKind, Result};
use crate::life::{Life, Timeout};
use crate::loads::Keep;

/// What a caller asks; what is not said holds as the alias says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Terms {
    pub(super) timeout: Timeout,
    pub(super) load_deadline: Option<Duration>,
    pub(super) jitter: Option<f64>,
}

impl Terms {
    pub(super) fn check(&self) -> Result<()> {
        if self.jitter.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            return Err(Error::new(ErrorKind::Config, "`jitter` has to be a number from 0 to 1"));
        }
        Ok(())
    }

    pub(super) fn load_deadline(&self, cache: &Cache) -> Duration {
        self.load_deadline.unwrap_or(cache.alias.load_deadline)
    }

    /// The life of a loaded entry, `None` if it is not to be stored.
    pub(super) fn life(&self, cache: &Cache, keep: Keep) -> Option<Life> {
        let timeout = match keep {
            Keep::AsAsked => self.timeout,
            Keep::For(timeout) | Keep::NoneFor(timeout) => timeout,
            Keep::Not => return None,
        };
        cache.life_with(timeout, self.jitter.unwrap_or(cache.alias.jitter))
    }
}
