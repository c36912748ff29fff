//! How a lock is waited for: in turn, and not for ever.

use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use cache_core::{Clock, SystemClock, Tick};

/// How long a lock is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    /// For a moment, by who has other things to do as well.
    Moment,
    /// In turn, until then.
    Until(Tick),
}

/// Takes locks. A process that was stopped while it held one keeps it for as long
/// as it stands, and must not keep threads and other callers here.
#[derive(Debug)]
pub(crate) struct Locks {
    clock: Arc<dyn Clock>,
    kept: Arc<Kept>,
}

/// The directories whose lock was not had in time, and has not been since.
#[derive(Debug, Default)]
struct Kept(Mutex<HashSet<PathBuf>>);

const MOMENT: Duration = Duration::from_millis(50);
const PAUSE: Duration = Duration::from_micros(250);

impl Locks {
    pub(crate) fn new(clock: &Arc<dyn Clock>) -> Self {
        Self { clock: Arc::clone(clock), kept: Arc::default() }
    }

    /// Takes the lock of this directory.
    pub(crate) fn take(&self, lock: &File, directory: &Path, wait: Wait) -> io::Result<()> {
        if try_take(lock)? {
            return Ok(());
        }
        match wait {
            _ if self.kept.has(directory) => Err(somebody_keeps_it()),
            Wait::Moment => ask_again(lock),
            Wait::Until(tick) => self.wait_in_turn(lock, directory, tick),
        }
    }

    /// The system gives the lock to those who wait in turn, but knows no end of
    /// it: a thread waits there, and is left behind if it is too late. It holds
    /// another handle of the same open file, so that what it gets is had here.
    fn wait_in_turn(&self, lock: &File, directory: &Path, until: Tick) -> io::Result<()> {
        let (own, kept, directory) = (lock.try_clone()?, Arc::clone(&self.kept), directory.to_owned());
        let (answer, answered) = sync_channel(1);
        let place = directory.clone();
        let waiting = thread::Builder::new().name("cache-fs lock".to_owned()).spawn(move || {
            let taken = take(&own);
            // Whoever has it gives it back by closing the other handle.
            drop(own);
            let _ = answer.send(taken);
            kept.forget(&place);
        });
        if waiting.is_err() {
            return ask_again(lock);
        }
        let left = until.since(self.clock.precise());
        if let Ok(taken) = answered.recv_timeout(left) {
            return taken;
        }
        self.kept.add(&directory);
        // It sends first and forgets then: what came meanwhile is seen here, and
        // what comes later forgets.
        match answered.try_recv() {
            Ok(taken) => {
                self.kept.forget(&directory);
                taken
            }
            Err(_) => Err(somebody_keeps_it()),
        }
    }
}

impl Kept {
    fn has(&self, directory: &Path) -> bool {
        self.directories().contains(directory)
    }

    fn add(&self, directory: &Path) {
        self.directories().insert(directory.to_owned());
    }

    fn forget(&self, directory: &Path) {
        self.directories().remove(directory);
    }

    fn directories(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take(lock: &File) -> io::Result<()> {
    loop {
        match lock.lock() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

fn try_take(lock: &File) -> io::Result<bool> {
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Interrupted => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

fn ask_again(lock: &File) -> io::Result<()> {
    for _ in 0..MOMENT.as_micros() / PAUSE.as_micros() {
        SystemClock.block(PAUSE);
        if try_take(lock)? {
            return Ok(());
        }
    }
    Err(somebody_keeps_it())
}

#[cold]
fn somebody_keeps_it() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "somebody else keeps its directory locked")
}
