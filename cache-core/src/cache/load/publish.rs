//! Loaded values on their way into the store.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt as _;

use super::job::Fits;
use crate::cache::bulk::per_key;
use crate::cache::{Cache, OnDecodeError};
use crate::clock::Tick;
use crate::entry::{Entry, NewEntry};
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::life::Life;
use crate::loads::{Claim, Outcome, Publish};
use crate::options::{Found, Read, Token, When, Write};
use crate::stats::Counter;

/// A value to be stored if nothing is there; its flight is publishing.
pub(super) struct Publication {
    pub(super) claim: Claim,
    pub(super) entry: Entry,
    pub(super) life: Life,
}

/// What became of one.
enum Published {
    Stored,
    /// There is something that stays: this, if it is what callers want.
    Refused(Option<Entry>),
    Failed(Error),
}

/// How often it is tried: once if there is nothing, and then over what cannot
/// be decoded, which may change meanwhile.
const ATTEMPTS: usize = 3;

/// How much later than by its own deadline a publish is ended by others.
const SLACK: Duration = Duration::from_millis(50);

impl Cache {
    /// Without tokens what cannot be decoded can only be removed, whatever it
    /// is by then: writes have to wait for that.
    pub(super) fn publish_kind(&self) -> Publish {
        if self.alias.capabilities.tokens { Publish::Conditional } else { Publish::Unconditional }
    }

    /// When a publish that begins now has to be over.
    pub(super) fn publish_until(&self) -> u64 {
        let until = |deadline| self.alias.clock.precise().after(deadline).after(SLACK);
        self.deadline.map_or(Tick::NEVER, until).as_nanos()
    }

    /// Stores the values, each if there is none, and tells whoever waits: of
    /// what is there, or else of what was loaded.
    pub(super) async fn publish(&self, publications: Vec<Publication>, fits: Fits) {
        if publications.is_empty() {
            return;
        }
        let mut fates: Vec<Option<Published>> = publications.iter().map(|_| None).collect();
        let work = self.bounded(self.try_publish(&publications, fits, &mut fates));
        let failure = match AssertUnwindSafe(work).catch_unwind().await {
            Ok(outcome) => outcome.err(),
            Err(_) => Some(Error::new(ErrorKind::Codec, "it panicked when it was to be stored")),
        };
        for (Publication { claim, entry, .. }, fate) in publications.into_iter().zip(fates) {
            let failed = || failure.clone().map_or(Published::Refused(None), Published::Failed);
            let (counter, entry) = match fate.unwrap_or_else(failed) {
                Published::Stored => (Counter::Writes, entry),
                Published::Refused(there) => (Counter::PublishesRefused, there.unwrap_or(entry)),
                Published::Failed(error) => {
                    self.tell_of_failed_publish(&error);
                    (Counter::PublishesFailed, entry)
                }
            };
            let was_in_time = claim.end(Outcome::Value(entry));
            // Who ended it as failed because it was late has counted that.
            if was_in_time || counter != Counter::PublishesFailed {
                self.alias.counters.count(counter);
            }
        }
    }

    async fn try_publish(
        &self,
        publications: &[Publication],
        fits: Fits,
        fates: &mut [Option<Published>],
    ) -> Result<()> {
        let mut tries: Vec<_> = (0..publications.len()).map(|place| (place, When::Absent)).collect();
        for _ in 0..ATTEMPTS {
            let mut refused = Vec::new();
            let written = self.write_each(publications, &tries).await;
            for ((place, _), written) in tries.drain(..).zip(written) {
                fates[place] = Some(match written {
                    Ok(true) => Published::Stored,
                    Ok(false) => {
                        refused.push(place);
                        Published::Refused(None)
                    }
                    Err(error) => Published::Failed(error),
                });
            }
            if refused.is_empty() {
                break;
            }
            let keys: Vec<_> = refused.iter().map(|place| publications[*place].key()).collect();
            let read = if self.alias.capabilities.tokens { Read::LEADER.with_token() } else { Read::LEADER };
            for (place, there) in refused.into_iter().zip(self.read_each(&keys, read).await) {
                match there {
                    Err(error) => fates[place] = Some(Published::Failed(error)),
                    // It is gone again, and what was loaded may be older than that.
                    Ok(None) => {}
                    Ok(Some(found)) if fits(&found.entry, &self.alias.format) => {
                        fates[place] = Some(Published::Refused(Some(found.entry)));
                    }
                    Ok(Some(found)) => {
                        let when = self.in_place_of(&publications[place].key(), found.token).await?;
                        tries.extend(when.map(|when| (place, when)));
                    }
                }
            }
            if tries.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// On what condition something that cannot be decoded is written over.
    async fn in_place_of(&self, key: &Key<'_>, token: Option<Token>) -> Result<Option<When>> {
        if self.alias.on_decode_error == OnDecodeError::Error {
            return Ok(None);
        }
        // Without a token it might be something that another process has just
        // written. To lose that is what a cache may do, to replace it by
        // something older is not; and there is room for the next load.
        if token.is_none() && !self.alias.capabilities.tokens {
            self.alias.store.adelete(key, &When::Always).await?;
        }
        Ok(token.map(When::Unchanged))
    }

    async fn write_each(&self, publications: &[Publication], tries: &[(usize, When)]) -> Vec<Result<bool>> {
        let store = &self.alias.store;
        let item = |(place, when): &(usize, When)| {
            let Publication { entry, life, .. } = &publications[*place];
            let value = NewEntry::of(entry.clone(), &self.alias.format);
            (publications[*place].key(), value, Write::new(*life).when(when.clone()))
        };
        if let [only] = tries {
            let (key, value, write) = item(only);
            return vec![store.aset(&key, &value, write).await];
        }
        let items: Vec<_> = tries.iter().map(item).collect();
        let mut outcomes = Vec::with_capacity(items.len());
        for chunk in items.chunks(self.alias.capabilities.write_batch.keys) {
            outcomes.extend(per_key(store.set_many(chunk).await, chunk.len()));
        }
        outcomes
    }

    /// The entries of the keys, in one trip for as many as the store takes.
    pub(super) async fn read_each(&self, keys: &[Key<'_>], read: Read) -> Vec<Result<Option<Found>>> {
        let store = &self.alias.store;
        if let [only] = keys {
            return vec![store.aget(only, read).await];
        }
        let mut outcomes = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(self.alias.capabilities.read_batch.keys) {
            outcomes.extend(per_key(store.get_many(chunk, read).await, chunk.len()));
        }
        outcomes
    }

    /// Once for each kind: nobody else hears of it.
    #[cold]
    fn tell_of_failed_publish(&self, error: &Error) {
        let bit = 1 << error.kind() as u32;
        if self.alias.told.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
            tracing::warn!(
                target: "cache::load",
                alias = &*self.alias.name,
                kind = %error.kind(),
                "a loaded value cannot be stored; it and others like it are counted",
            );
        }
    }
}

impl Publication {
    fn key(&self) -> Key<'_> {
        self.claim.flight().key().as_key()
    }
}
