//! Making room: what is removed when there is too much, and what has ended.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use cache_core::{Error, ErrorKind, Result};

use crate::count::{Count, Snapshot};
use crate::error::failed;
use crate::files::Files;
use crate::format::{Header, Written};
use crate::guard::Guard;
use crate::locks::Wait;
use crate::look::look_at_header;
use crate::place::{PrefixId, SHARDS};
use crate::settings::{Eviction, FsSettings};
use crate::shard::shard_path;
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
    bytes: u64,
    /// The smallest goes first.
    rank: u64,
}

/// What lies in the place of an entry.
#[derive(Debug)]
enum Kind {
    Entry(Header, File),
    /// Damaged, of a later version, or another user's: the first to go.
    Unreadable,
    NoFile,
}

/// What was found in a shard.
#[derive(Debug)]
pub(crate) struct Swept {
    pub(crate) snapshot: Snapshot,
    pub(crate) expired: u64,
    /// What could not be read or removed. It kept nothing else.
    pub(crate) outcome: Result<()>,
}

/// The file that who makes room has locked.
const GUARD: &str = ".cull";

/// What was removed.
#[derive(Debug)]
pub(crate) struct Removed {
    pub(crate) expired: u64,
    pub(crate) evicted: u64,
    /// What could not be read or removed. It kept nothing else.
    pub(crate) outcome: Result<()>,
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

    /// Leaves of these those that go, where there is so much in all: the share
    /// that is asked for, and whatever is needed beyond it.
    fn choose(&self, group: &mut Vec<Seen>, sum: Count) {
        let entries = group.len() as u64;
        let share = match u64::from(self.cull_frequency) {
            0 => entries,
            frequency => entries.div_ceil(frequency),
        };
        let share = share.max(part_beyond(self.max_entries, sum.entries, entries));
        let bytes = group.iter().map(|seen| seen.bytes).sum();
        let bytes = self.max_bytes.map_or(0, |most| part_beyond(most, sum.bytes, bytes));
        group.sort_unstable_by_key(|seen| seen.rank);
        let (mut count, mut freed) = (0, 0);
        group.retain(|seen| {
            let goes = count < share || freed < bytes;
            count += 1;
            freed += seen.bytes;
            goes
        });
    }
}

/// What has to go of a part, so that of the whole no more than `most` is left
/// once as much of every part is gone.
fn part_beyond(most: u64, whole: u64, part: u64) -> u64 {
    let beyond = u128::from(whole.saturating_sub(most)) * u128::from(part);
    u64::try_from(beyond.div_ceil(u128::from(whole.max(1)))).unwrap_or(part)
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
        let mut removed = Removed { expired: 0, evicted: 0, outcome: Ok(()) };
        let directory = prefix.path(&self.location);
        let Some(_guard) = Guard::try_take(&directory.join(GUARD), self.access)? else { return Ok(removed) };
        let at_first = totals.look_up(&self.location, prefix);
        // Nobody's entries are the first to go each time.
        let first = fastrand::usize(..SHARDS);
        let mut shards = (first..SHARDS).chain(0..first).peekable();
        for _ in 0..groups {
            if !limits.are_exceeded_by(totals.sum(prefix)) || shards.peek().is_none() {
                break;
            }
            let mut group = Vec::new();
            while group.len() < GROUP
                && let Some(shard) = shards.next()
            {
                match self.survey(prefix, shard, |header, file| limits.rank(header, file, uses)) {
                    Ok((seen, swept)) => {
                        group.extend(seen);
                        removed.expired += swept.expired;
                        totals.note(&self.location, prefix, shard, swept.snapshot);
                        if let Err(error) = swept.outcome {
                            removed.failed(error);
                        }
                    }
                    Err(error) => removed.failed(error),
                }
            }
            if limits.are_exceeded_by(totals.sum(prefix)) {
                limits.choose(&mut group, at_first);
                self.evict(prefix, group, totals, &mut removed);
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
        let nothing = Swept { snapshot: Snapshot::of_nothing(), expired: 0, outcome: Ok(()) };
        let Some(mut shard) = self.lock_if_there(&directory, Wait::Moment)? else {
            return Ok((Vec::new(), nothing));
        };
        let now = self.clock.wall();
        let (mut seen, mut count, mut expired, mut outcome) = (Vec::new(), Count::default(), 0, Ok(()));
        for entry in shard.list().map_err(|error| failed("listed", error))? {
            let path = entry.path();
            let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
            match Kind::of(&path) {
                Ok(Kind::Entry(header, _)) if header.expiry.left(now).is_none() => {
                    match shard.remove(&path) {
                        Ok(_) => {
                            expired += 1;
                            continue;
                        }
                        Err(error) => outcome = outcome.and(Err(failed("removed", error))),
                    }
                }
                Ok(Kind::Entry(header, file)) => {
                    let rank = rank(&header, &file);
                    seen.push(Seen { path, shard: number, stamp: header.stamp, bytes, rank });
                }
                Ok(Kind::Unreadable) => seen.push(Seen { path, shard: number, stamp: 0, bytes, rank: 0 }),
                // Not ours to judge, but it lies in the way.
                Ok(Kind::NoFile) => {}
                Err(error) => outcome = outcome.and(Err(failed("read", error))),
            }
            count.add(bytes);
        }
        shard.set_count(count);
        Ok((seen, Swept { snapshot: shard.snapshot(), expired, outcome }))
    }

    /// Removes those that have not been written anew meanwhile.
    fn evict(&self, prefix: PrefixId, mut victims: Vec<Seen>, totals: &Totals, removed: &mut Removed) {
        victims.sort_unstable_by_key(|seen| seen.shard);
        for victims in victims.chunk_by(|one, other| one.shard == other.shard) {
            let number = victims[0].shard;
            let directory = shard_path(&prefix.path(&self.location), number);
            let mut shard = match self.lock_if_there(&directory, Wait::Moment) {
                Ok(Some(shard)) => shard,
                Ok(None) => continue,
                Err(error) => {
                    removed.failed(error);
                    continue;
                }
            };
            for victim in victims {
                let outcome = Kind::of(&victim.path).and_then(|found| {
                    if found.stamp() == Some(victim.stamp) { shard.remove(&victim.path) } else { Ok(false) }
                });
                match outcome {
                    Ok(is_removed) => removed.evicted += u64::from(is_removed),
                    Err(error) => removed.failed(failed("removed", error)),
                }
            }
            let snapshot = shard.snapshot();
            drop(shard);
            totals.note(&self.location, prefix, number, snapshot);
        }
    }
}

impl Removed {
    /// Takes note of the first failure.
    fn failed(&mut self, error: Error) {
        if self.outcome.is_ok() {
            self.outcome = Err(error);
        }
    }
}

impl Kind {
    fn of(path: &Path) -> io::Result<Self> {
        match look_at_header(path) {
            Ok(Some((Ok(header), file))) => Ok(Self::Entry(header, file)),
            Ok(Some((Err(_), _))) => Ok(Self::Unreadable),
            Ok(None) => Ok(Self::NoFile),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(Self::Unreadable),
            Err(error) => Err(error),
        }
    }

    /// By which it is known again; none where there is nothing to remove.
    fn stamp(&self) -> Option<u64> {
        match self {
            Self::Entry(header, _) => Some(header.stamp),
            Self::Unreadable => Some(0),
            Self::NoFile => None,
        }
    }
}
