//! Making room: what is removed when there is too much, and what has ended.

use std::fs::File;
use std::path::PathBuf;

use cache_core::{Error, ErrorKind, Result};

use crate::count::{Count, Snapshot};
use crate::error::failed;
use crate::files::Files;
use crate::format::{Header, Written};
use crate::guard::Guard;
use crate::look::look_at_header;
use crate::place::{PrefixId, SHARDS};
use crate::settings::{Eviction, FsSettings};
use crate::shard::{Shard, shard_path};
use crate::totals::Totals;
use crate::uses::Uses;

/// How much there may be under one prefix, and what goes when there is more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    max_entries: u64,
    max_bytes: Option<u64>,
    cull_frequency: u32,
    pub(crate) eviction: Eviction,
}

/// About how many entries are looked at together: among so few victims are
/// chosen well, and so many are listed in some milliseconds.
const GROUP: usize = 1_024;

/// How far the limits may be exceeded before writes make room themselves.
const SLACK: u64 = 16;

/// An entry that may have to go.
#[derive(Debug)]
struct Seen {
    path: PathBuf,
    shard: usize,
    stamp: u64,
    /// The smallest goes first.
    rank: u64,
}

/// What was found in a shard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Swept {
    pub(crate) snapshot: Snapshot,
    pub(crate) expired: u64,
}

/// The file that who makes room has locked.
const GUARD: &str = ".cull";

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) expired: u64,
    pub(crate) evicted: u64,
}

impl Limits {
    pub(crate) fn of(settings: &FsSettings) -> Self {
        Self {
            max_entries: settings.max_entries.max(1),
            max_bytes: settings.max_bytes,
            cull_frequency: settings.cull_frequency,
            eviction: settings.eviction,
        }
    }

    /// Refuses an entry for which there is no room even if all others go.
    pub(crate) fn admit(&self, bytes: usize) -> Result<()> {
        match self.max_bytes {
            Some(most) if bytes as u64 > most => Err(Error::new(
                ErrorKind::TooLarge,
                format!("the file of the entry would have {bytes} bytes, and `max_bytes` is {most}"),
            )),
            _ => Ok(()),
        }
    }

    /// Whether there is too much.
    pub(crate) fn are_exceeded_by(&self, count: Count) -> bool {
        count.entries > self.max_entries || self.max_bytes.is_some_and(|most| count.bytes > most)
    }

    /// Whether there is so much too much that whoever writes has to help.
    pub(crate) fn are_far_exceeded_by(&self, count: Count) -> bool {
        let far = |most: u64| most.saturating_add(most / SLACK);
        count.entries > far(self.max_entries).saturating_add(SLACK)
            || self.max_bytes.is_some_and(|most| count.bytes > far(most))
    }

    /// The smallest goes first.
    fn rank(&self, header: &Header, file: &File, uses: &Uses) -> u64 {
        match self.eviction {
            Eviction::Oldest => header.written.as_micros(),
            Eviction::Random => fastrand::u64(..),
            Eviction::Lru => {
                let told = file.metadata().and_then(|metadata| metadata.modified());
                let told = told.map_or(0, |time| Written::at(time).as_micros());
                header.written.as_micros().max(told).max(uses.last(header.stamp))
            }
        }
    }

    /// How many of so many live entries go at once.
    fn share_of(&self, entries: usize) -> usize {
        match usize::try_from(self.cull_frequency) {
            Ok(0) => entries,
            Ok(frequency) => entries.div_ceil(frequency),
            Err(_) => 1,
        }
    }
}

impl Files {
    /// Removes what has ended in one shard, and what a crash has left there.
    pub(crate) fn sweep(&self, prefix: PrefixId, shard: usize) -> Result<Swept> {
        self.survey(prefix, shard, |_, _| 0).map(|(_, swept)| swept)
    }

    /// Makes room under the prefix, if nobody else does, in this process or
    /// another: group by group, until the limits are kept or so many were looked
    /// at.
    pub(crate) fn make_room(
        &self,
        prefix: PrefixId,
        limits: &Limits,
        totals: &Totals,
        uses: &Uses,
        groups: usize,
    ) -> Result<Removed> {
        let mut removed = Removed::default();
        let directory = prefix.path(&self.location);
        let Some(_guard) = Guard::try_take(&directory.join(GUARD), self.access)? else { return Ok(removed) };
        let mut sum = totals.look_up(&self.location, prefix);
        // Nobody's entries are the first to go each time.
        let first = fastrand::usize(..SHARDS);
        let mut shards = (first..SHARDS).chain(0..first).peekable();
        for _ in 0..groups {
            if !limits.are_exceeded_by(sum) || shards.peek().is_none() {
                break;
            }
            let mut group = Vec::new();
            while group.len() < GROUP
                && let Some(shard) = shards.next()
            {
                let (seen, swept) =
                    self.survey(prefix, shard, |header, file| limits.rank(header, file, uses))?;
                group.extend(seen);
                removed.expired += swept.expired;
                sum = totals.note(&self.location, prefix, shard, swept.snapshot);
            }
            if limits.are_exceeded_by(sum) {
                let share = limits.share_of(group.len());
                if share < group.len() {
                    group.select_nth_unstable_by_key(share, |seen| seen.rank);
                    group.truncate(share);
                }
                removed.evicted += self.evict(prefix, group, totals)?;
                sum = totals.sum(prefix);
            }
        }
        Ok(removed)
    }

    /// The live entries of a shard, ranked, and what else was there.
    fn survey(
        &self,
        prefix: PrefixId,
        number: usize,
        rank: impl Fn(&Header, &File) -> u64,
    ) -> Result<(Vec<Seen>, Swept)> {
        let directory = shard_path(&prefix.path(&self.location), number);
        let nothing = Swept { snapshot: Snapshot::of_nothing(), expired: 0 };
        let locked =
            Shard::lock_if_there(&directory, self.access).map_err(|error| failed("locked", error))?;
        let Some(mut shard) = locked else { return Ok((Vec::new(), nothing)) };
        let now = self.clock.wall();
        let (mut seen, mut count, mut expired) = (Vec::new(), Count::default(), 0);
        for entry in shard.list().map_err(|error| failed("listed", error))? {
            let path = entry.path();
            let Some((header, file)) = look_at_header(&path).map_err(|error| failed("read", error))? else {
                // No regular file: not ours to judge, but it lies in the way.
                count.add(0);
                continue;
            };
            let bytes = file.metadata().map_or(0, |metadata| metadata.len());
            match header {
                Ok(header) if header.expiry.left(now).is_none() => {
                    shard.remove(&path).map_err(|error| failed("removed", error))?;
                    expired += 1;
                    continue;
                }
                Ok(header) => {
                    let rank = rank(&header, &file);
                    seen.push(Seen { path, shard: number, stamp: header.stamp, rank });
                }
                // Perhaps a later version's, which will be read again.
                Err(_) => seen.push(Seen { path, shard: number, stamp: 0, rank: 0 }),
            }
            count.add(bytes);
        }
        shard.set_count(count);
        Ok((seen, Swept { snapshot: shard.snapshot(), expired }))
    }

    /// Removes those that have not been written anew meanwhile.
    fn evict(&self, prefix: PrefixId, mut victims: Vec<Seen>, totals: &Totals) -> Result<u64> {
        let mut evicted = 0;
        victims.sort_unstable_by_key(|seen| seen.shard);
        for victims in victims.chunk_by(|one, other| one.shard == other.shard) {
            let number = victims[0].shard;
            let directory = shard_path(&prefix.path(&self.location), number);
            let locked =
                Shard::lock_if_there(&directory, self.access).map_err(|error| failed("locked", error))?;
            let Some(mut shard) = locked else { continue };
            for victim in victims {
                let found = look_at_header(&victim.path).map_err(|error| failed("read", error))?;
                let stamp = found.map(|(header, _)| header.map_or(0, |header| header.stamp));
                if stamp == Some(victim.stamp)
                    && shard.remove(&victim.path).map_err(|error| failed("removed", error))?
                {
                    evicted += 1;
                }
            }
            let snapshot = shard.snapshot();
            drop(shard);
            totals.note(&self.location, prefix, number, snapshot);
        }
        Ok(evicted)
    }
}
