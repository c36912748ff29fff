//! Loaded values on their way into the store.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt as _;

use super::job::ReadAs;
use crate::cache::{Cache, OnDecodeError};
use crate::entry::{Entry, NewEntry};
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::life::Life;
use crate::loads::{Claim, Outcome, Publish};
use crate::options::{Found, Read, When, Write};
use crate::per_key::per_key;
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
    Refused(Option<Outcome>),
    Failed(Error),
}

/// Counts what became of each and tells whoever waits, also when the task is
/// dropped halfway.
struct Settlement<'a> {
    cache: &'a Cache,
    publications: Vec<Publication>,
    fates: Vec<Option<Published>>,
    /// Why one has failed of which nothing is known.
    otherwise: Error,
}

impl Drop for Settlement<'_> {
    fn drop(&mut self) {
        for (publication, fate) in self.publications.drain(..).zip(self.fates.drain(..)) {
            let fate = fate.unwrap_or_else(|| Published::Failed(self.otherwise.clone()));
            self.cache.settle(publication, fate);
        }
    }
}

/// What there was instead.
enum Refusal {
    /// It stays, and callers get it if they can use it.
    Stays(Option<Outcome>),
    /// It cannot be decoded, and goes on this condition.
    Replaceable(When),
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
        let deadline = self.deadline.unwrap_or(self.alias.load_deadline);
        self.alias.clock.precise().after(deadline).after(SLACK).as_nanos()
    }

    /// Stores the values, each if there is none, and tells whoever waits: of
    /// what is there, or else of what was loaded.
    pub(super) async fn publish(&self, publications: Vec<Publication>, read_as: ReadAs) {
        if publications.is_empty() {
            return;
        }
        let fates = publications.iter().map(|_| None).collect();
        let dropped = Error::new(ErrorKind::Closed, "the task was dropped before it had stored the value");
        let mut settlement = Settlement { cache: self, publications, fates, otherwise: dropped };
        let work = self.try_publish(&settlement.publications, read_as, &mut settlement.fates);
        settlement.otherwise = match AssertUnwindSafe(self.bounded(work)).catch_unwind().await {
            Ok(Ok(())) => Error::of(ErrorKind::Deadline),
            Ok(Err(error)) => error,
            Err(_) => Error::new(ErrorKind::Codec, "it panicked when it was to be stored"),
        };
    }

    fn settle(&self, Publication { claim, entry, .. }: Publication, fate: Published) {
        let counters = &self.alias.counters;
        match fate {
            Published::Stored => {
                counters.count(Counter::Writes);
                claim.end(Outcome::Loaded(entry));
            }
            Published::Refused(there) => {
                counters.count(Counter::PublishesRefused);
                claim.end(there.unwrap_or(Outcome::Loaded(entry)));
            }
            Published::Failed(error) => {
                self.tell_of_failed_publish(&error);
                // Who ended it because it was late has counted that.
                if claim.end(Outcome::Loaded(entry)) {
                    counters.count(Counter::PublishesFailed);
                }
            }
        }
    }

    async fn try_publish(
        &self,
        publications: &[Publication],
        read_as: ReadAs,
        fates: &mut [Option<Published>],
    ) -> Result<()> {
        let mut tries: Vec<_> = (0..publications.len()).map(|place| (place, When::Absent)).collect();
        for _ in 0..ATTEMPTS {
            let refused = self.write_each(publications, std::mem::take(&mut tries), fates).await;
            if refused.is_empty() {
                break;
            }
            let keys: Vec<_> = refused.iter().map(|place| publications[*place].key()).collect();
            let read = if self.alias.capabilities.tokens { Read::LEADER.with_token() } else { Read::LEADER };
            for (place, there) in refused.into_iter().zip(self.read_each(&keys, read).await) {
                match self.after_refusal(&publications[place], read_as, there).await {
                    Ok(Refusal::Stays(there)) => fates[place] = Some(Published::Refused(there)),
                    Ok(Refusal::Replaceable(when)) => tries.push((place, when)),
                    Err(error) => fates[place] = Some(Published::Failed(error)),
                }
            }
            if tries.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// What is done about something that was there first.
    async fn after_refusal(
        &self,
        publication: &Publication,
        read_as: ReadAs,
        there: Result<Option<Found>>,
    ) -> Result<Refusal> {
        // If it is gone again, what was loaded may be older than that.
        let Some(found) = there? else { return Ok(Refusal::Stays(None)) };
        let there = read_as(&found.entry, &self.alias.format);
        if there.is_some() {
            return Ok(Refusal::Stays(there));
        }
        // It may be what another handle of the alias has just written.
        if self.alias.on_decode_error == OnDecodeError::Error || publication.claim.is_voided() {
            return Ok(Refusal::Stays(None));
        }
        // Without a token it might be something that has just been written, by
        // another process or by a write that was sent before the load began. To
        // lose that is what a cache may do, to replace it by something older is
        // not; and there is room for the next load.
        if found.token.is_none() && !self.alias.capabilities.tokens && publication.is_in_time() {
            self.alias.store.adelete(&publication.key(), &When::Always).await?;
        }
        Ok(found.token.map_or(Refusal::Stays(None), |token| Refusal::Replaceable(When::Unchanged(token))))
    }

    /// Answers which of them were refused. What is known is noted at once: a
    /// deadline may cut the rest off.
    async fn write_each(
        &self,
        publications: &[Publication],
        tries: Vec<(usize, When)>,
        fates: &mut [Option<Published>],
    ) -> Vec<usize> {
        let store = &self.alias.store;
        let item = |(place, when): &(usize, When)| {
            let publication = &publications[*place];
            let value = NewEntry::of(publication.entry.clone(), &self.alias.format);
            (publication.key(), value, Write::new(publication.life).when(when.clone()))
        };
        let mut refused = Vec::new();
        for chunk in tries.chunks(self.alias.capabilities.write_batch.keys) {
            let in_time = |(place, _): &&(usize, When)| publications[*place].is_in_time();
            let chunk: Vec<_> = chunk.iter().filter(in_time).collect();
            let outcomes = match chunk[..] {
                [] => continue,
                [only] => {
                    let (key, value, write) = item(only);
                    vec![store.aset(&key, &value, write).await]
                }
                _ => {
                    let items: Vec<_> = chunk.iter().copied().map(item).collect();
                    per_key(store.set_many(&items).await, chunk.len())
                }
            };
            for ((place, _), outcome) in chunk.into_iter().zip(outcomes) {
                fates[*place] = Some(match outcome {
                    Ok(true) => Published::Stored,
                    Ok(false) => {
                        refused.push(*place);
                        Published::Refused(None)
                    }
                    Err(error) => Published::Failed(error),
                });
            }
        }
        refused
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

    /// Whether nobody has ended it because it was late. A write that had waited
    /// for it has gone on then, and nothing of it must come after that.
    fn is_in_time(&self) -> bool {
        !self.claim.flight().is_over()
    }
}
