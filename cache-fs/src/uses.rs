//! When entries were used, for who removes those used longest ago: noted in
//! memory, so that a read makes no system call for it, and told to the files
//! now and then, so that other processes and later ones know.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use foldhash::fast::RandomState;

use crate::format::Written;
use crate::look::open;
use crate::place::Place;

/// The latest uses, by the stamp of the entry.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    stripes: [Mutex<Stripe>; STRIPES],
}

type Stripe = HashMap<u64, Use, RandomState>;

#[derive(Clone, Copy, Debug)]
struct Use {
    at: Written,
    place: Place,
}

/// Readers on many threads seldom meet.
const STRIPES: usize = 16;

/// How many uses are kept until they are told; later ones are forgotten.
const MOST: usize = (1 << 16) / STRIPES;

impl Uses {
    pub(crate) fn note(&self, stamp: u64, place: Place, at: Written) {
        let mut stripe = self.stripe(stamp);
        if stripe.len() < MOST || stripe.contains_key(&stamp) {
            stripe.insert(stamp, Use { at, place });
        }
    }

    /// When the entry of this stamp was used last, as far as it has not been
    /// told yet; zero if it was not.
    pub(crate) fn last(&self, stamp: u64) -> u64 {
        self.stripe(stamp).get(&stamp).map_or(0, |noted| noted.at.as_micros())
    }

    /// Tells the files. One that is gone, or cannot be told, is left.
    pub(crate) fn flush(&self, location: &Path) {
        for stripe in &self.stripes {
            let noted = std::mem::take(&mut *stripe.lock().unwrap_or_else(PoisonError::into_inner));
            for noted in noted.into_values() {
                let time = UNIX_EPOCH + Duration::from_micros(noted.at.as_micros());
                if let Ok(file) = open(&noted.place.path(location))
                    && is_before(&file, time)
                {
                    let _ = file.set_modified(time).or_else(|_| touch(&file));
                }
            }
        }
    }

    fn stripe(&self, stamp: u64) -> MutexGuard<'_, Stripe> {
        let number = usize::try_from(stamp % STRIPES as u64).unwrap_or(0);
        self.stripes[number].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Another process may have told a later use.
fn is_before(file: &File, time: SystemTime) -> bool {
    file.metadata().and_then(|metadata| metadata.modified()).is_ok_and(|told| told < time)
}

/// Used just now. Any other time can only be told by the owner, who may be
/// another user of the group.
#[cfg(unix)]
fn touch(file: &File) -> io::Result<()> {
    use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};

    // Of the other time too: to leave that as it is takes the owner again.
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    Ok(futimens(file, &Timestamps { last_access: now, last_modification: now })?)
}

#[cfg(not(unix))]
fn touch(_: &File) -> io::Result<()> {
    Ok(())
}
