//! The operations on files. All of it blocks, and is called from threads that
//! may be blocked.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use cache_core::{
    Clock, Entry, Error, ErrorKind, Format, Life, Result, Tick, Token, UndecodableReason, When,
};

use crate::access::Access;
use crate::count::Snapshot;
use crate::error::failed;
use crate::format::{Expiry, Keys, Written, file_of};
use crate::locks::{Locks, Wait};
use crate::look::{Look, Stored, look};
use crate::place::{Place, PrefixId};
use crate::shard::{Shard, shard_path};

/// The files of one location.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) location: PathBuf,
    pub(crate) access: Access,
    pub(crate) clock: Arc<dyn Clock>,
    /// How long a value may be that is read.
    pub(crate) longest: usize,
    /// Whether files tell when they were used last.
    pub(crate) tells_uses: bool,
    /// How long a write waits for a lock: less than a caller waits for it, so that
    /// one who holds a lock is not taken for a disk that does not answer.
    pub(crate) patience: Duration,
    pub(crate) locks: Locks,
}

/// The key of an entry and where it lies, owned by who waits for its turn.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) key: String,
    pub(crate) place: Place,
    /// Until when the lock of its shard is waited for.
    pub(crate) until: Tick,
}

/// What a write did, and how full it left the shard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done<T> {
    pub(crate) outcome: T,
    pub(crate) prefix: PrefixId,
    pub(crate) shard: usize,
    pub(crate) snapshot: Snapshot,
}

/// What is under a key, if its life is not over.
pub(crate) enum Live {
    Nothing,
    Useless(UndecodableReason),
    Entry(Stored, Life),
}

impl Target {
    pub(crate) fn of(key: String, until: Tick) -> Self {
        Self { place: Place::of(&key), key, until }
    }

    fn shard_path(&self, location: &Path) -> PathBuf {
        shard_path(&self.place.prefix.path(location), self.place.shard())
    }

    fn done<T>(&self, outcome: T, snapshot: Snapshot) -> Done<T> {
        Done { outcome, prefix: self.place.prefix, shard: self.place.shard(), snapshot }
    }
}

impl Files {
    pub(crate) fn get(&self, target: &Target) -> Result<Live> {
        let path = target.place.path(&self.location);
        let looked = look(&path, &target.key, self.longest).map_err(|error| failed("read", error))?;
        Ok(self.live(looked))
    }

    pub(crate) fn set(&self, target: &Target, value: &[u8], life: Life, when: &When) -> Result<Done<bool>> {
        let write = |shard: &mut Shard<'_>, path: &Path| {
            let is_met = match when {
                When::Always => true,
                When::Absent => self.entry(path, target)?.is_none(),
                When::Present => self.entry(path, target)?.is_some(),
                When::Unchanged(token) => self.is_unchanged(path, target, token)?,
            };
            if is_met {
                self.put(shard, path, &target.key, value, life)?;
            }
            Ok(is_met)
        };
        match when {
            When::Always | When::Absent => self.write(target, write),
            When::Present | When::Unchanged(_) => self.change(target, false, write),
        }
    }

    pub(crate) fn touch(&self, target: &Target, life: Life) -> Result<Done<bool>> {
        self.change(target, false, |shard, path| {
            let Some((stored, _)) = self.entry(path, target)? else { return Ok(false) };
            let value = whole_value(stored)?;
            self.put(shard, path, &target.key, &value, life)?;
            Ok(true)
        })
    }

    pub(crate) fn delete(&self, target: &Target, when: &When) -> Result<Done<bool>> {
        self.change(target, false, |shard, path| {
            let is_met = match when {
                When::Always | When::Present => true,
                When::Absent => false,
                When::Unchanged(token) => self.is_unchanged(path, target, token)?,
            };
            if !is_met {
                return Ok(false);
            }
            // What is no entry any more, or never was one, goes too.
            let was_there = self.entry(path, target)?.is_some();
            shard.remove(path).map_err(|error| failed("removed", error))?;
            Ok(was_there)
        })
    }

    pub(crate) fn incr(&self, target: &Target, delta: i64) -> Result<Done<Option<i64>>> {
        self.change(target, None, |shard, path| {
            let Some((stored, _)) = self.entry(path, target)? else { return Ok(None) };
            let expiry = stored.expiry;
            let Some(number) = stored.value.as_deref().and_then(Format::integer) else {
                return Err(Error::of(ErrorKind::NotAnInteger));
            };
            let Some(sum) = number.checked_add(delta) else { return Err(Error::of(ErrorKind::Overflow)) };
            self.put_until(shard, path, Keys::of(&target.key), sum.to_string().as_bytes(), expiry)?;
            Ok(Some(sum))
        })
    }

    /// Moves the entry, with what is left of its life, by one rename. Of the two
    /// shards the one of the smaller path is locked first, and none where there is
    /// nothing to move.
    pub(crate) fn rename(&self, from: &Target, to: &Target) -> Result<Option<[Done<bool>; 2]>> {
        let at = |target: &Target| (target.shard_path(&self.location), target.place.path(&self.location));
        let ((from_shard, from_path), (to_shard, to_path)) = (at(from), at(to));
        if fs::exists(&from_path).is_ok_and(|is_there| !is_there) {
            return Ok(None);
        }
        let lock = |path| self.lock(path, from.until);
        let (mut source, mut goal) = match from_shard.cmp(&to_shard) {
            std::cmp::Ordering::Less => {
                let source = lock(&from_shard)?;
                (source, Some(lock(&to_shard)?))
            }
            std::cmp::Ordering::Greater => {
                let goal = lock(&to_shard)?;
                (lock(&from_shard)?, Some(goal))
            }
            std::cmp::Ordering::Equal => (lock(&from_shard)?, None),
        };
        let found = self.entry(&from_path, from)?;
        let is_there = found.is_some();
        if let Some((stored, _)) = found
            && from_path != to_path
        {
            let expiry = stored.expiry;
            let value = whole_value(stored)?;
            // First it is the entry of both keys, in its old place.
            let keys = Keys { key: to.key.as_bytes(), former: from.key.as_bytes() };
            self.put_until(&mut source, &from_path, keys, &value, expiry)?;
            source.give(&from_path, goal.as_mut(), &to_path).map_err(|error| failed("moved", error))?;
        }
        let goal = goal.as_ref().unwrap_or(&source);
        Ok(Some([from.done(is_there, source.snapshot()), to.done(is_there, goal.snapshot())]))
    }

    /// Until when a write that comes now waits for a lock.
    pub(crate) fn patience_from_now(&self) -> Tick {
        self.clock.precise().after(self.patience)
    }

    /// Whether the directory is there, or can be.
    pub(crate) fn ping(&self) -> Result<()> {
        self.access.make_directories(&self.location).map_err(|error| failed("made", error))
    }

    /// Does something to the shard of an entry while nobody else does.
    fn write<T>(
        &self,
        target: &Target,
        work: impl FnOnce(&mut Shard<'_>, &Path) -> Result<T>,
    ) -> Result<Done<T>> {
        let directory = target.shard_path(&self.location);
        let shard = self.lock(&directory, target.until)?;
        self.locked(target, shard, work)
    }

    /// The same to an entry that has to be there; nothing is made where it is not.
    fn change<T>(
        &self,
        target: &Target,
        missing: T,
        work: impl FnOnce(&mut Shard<'_>, &Path) -> Result<T>,
    ) -> Result<Done<T>> {
        let directory = target.shard_path(&self.location);
        let nothing = Snapshot::of_nothing();
        match self.lock_if_there(&directory, Wait::Until(target.until))? {
            Some(shard) => self.locked(target, shard, work),
            None => Ok(target.done(missing, nothing)),
        }
    }

    pub(crate) fn lock_if_there<'a>(&self, directory: &'a Path, wait: Wait) -> Result<Option<Shard<'a>>> {
        Shard::lock_if_there(directory, self.access, &self.locks, wait)
            .map_err(|error| failed("locked", error))
    }

    fn lock<'a>(&self, directory: &'a Path, until: Tick) -> Result<Shard<'a>> {
        Shard::lock(directory, self.access, &self.locks, Wait::Until(until))
            .map_err(|error| failed("locked", error))
    }

    fn locked<T>(
        &self,
        target: &Target,
        mut shard: Shard<'_>,
        work: impl FnOnce(&mut Shard<'_>, &Path) -> Result<T>,
    ) -> Result<Done<T>> {
        let outcome = work(&mut shard, &target.place.path(&self.location))?;
        Ok(target.done(outcome, shard.snapshot()))
    }

    fn put(&self, shard: &mut Shard<'_>, path: &Path, key: &str, value: &[u8], life: Life) -> Result<()> {
        self.put_until(shard, path, Keys::of(key), value, Expiry::of(life, self.clock.wall()))
    }

    fn put_until(
        &self,
        shard: &mut Shard<'_>,
        path: &Path,
        keys: Keys<'_>,
        value: &[u8],
        expiry: Expiry,
    ) -> Result<()> {
        let now = self.clock.wall();
        let file = file_of(keys, value, expiry, Written::at(now), fastrand::u64(..));
        shard.put(path, &file, self.tells_uses.then_some(now)).map_err(|error| failed("written", error))
    }

    /// The live entry, for who is to replace it.
    fn entry(&self, path: &Path, target: &Target) -> Result<Option<(Stored, Life)>> {
        let looked = look(path, &target.key, self.longest).map_err(|error| failed("read", error))?;
        Ok(match self.live(looked) {
            Live::Entry(stored, life) => Some((stored, life)),
            Live::Nothing | Live::Useless(_) => None,
        })
    }

    fn is_unchanged(&self, path: &Path, target: &Target, token: &Token) -> Result<bool> {
        let found = self.entry(path, target)?;
        Ok(found.is_some_and(|(stored, _)| token.number() == Some(stored.stamp)))
    }

    fn live(&self, looked: Look) -> Live {
        match looked {
            Look::Nothing => Live::Nothing,
            Look::Useless(reason) => Live::Useless(reason),
            Look::Stored(stored) => {
                // What never ends is asked for no time.
                let now = if stored.expiry.is_never() { SystemTime::UNIX_EPOCH } else { self.clock.wall() };
                match stored.expiry.left(now) {
                    Some(life) => Live::Entry(stored, life),
                    None => Live::Nothing,
                }
            }
        }
    }
}

fn whole_value(stored: Stored) -> Result<Bytes> {
    stored.value.ok_or_else(|| {
        Error::new(
            ErrorKind::TooLarge,
            "the value is longer than `max_value_bytes` and cannot be written anew",
        )
    })
}

impl Live {
    pub(crate) fn life(&self) -> Option<Life> {
        match self {
            Self::Entry(_, life) => Some(*life),
            Self::Nothing | Self::Useless(_) => None,
        }
    }

    pub(crate) fn into_found(self, token: bool) -> Option<cache_core::Found> {
        match self {
            Self::Nothing => None,
            Self::Useless(reason) => Some(cache_core::Found::new(Entry::undecodable(reason))),
            Self::Entry(stored, _) => {
                let stamp = stored.stamp;
                let found = cache_core::Found::new(stored.into_entry());
                Some(if token { found.with_token(Token::from_number(stamp)) } else { found })
            }
        }
    }
}
