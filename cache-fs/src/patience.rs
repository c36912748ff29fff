//! How long a lock is waited for.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::time::Duration;

use cache_core::{Clock, SystemClock, Tick};

/// Until when whoever wants a lock waits for it. A process that was stopped
/// while it held one keeps it for as long as it stands, and would keep threads
/// and other callers here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience<'a> {
    pub(crate) clock: &'a dyn Clock,
    pub(crate) until: Tick,
}

const FIRST_PAUSE: Duration = Duration::from_micros(20);
const LONGEST_PAUSE: Duration = Duration::from_micros(250);

impl Patience<'_> {
    /// Asks again and again: the system's own wait knows no end.
    pub(crate) fn lock(self, file: &File) -> io::Result<()> {
        let mut pause = FIRST_PAUSE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) if self.clock.precise() < self.until => {
                    SystemClock.block(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(io::Error::new(
                        ErrorKind::TimedOut,
                        "somebody else has locked its directory",
                    ));
                }
                Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Interrupted => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }
}
