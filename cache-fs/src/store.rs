//! The store: the operations of `AsyncCache`, each one hop to a thread that may
//! be blocked.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{
    AsyncCache, Batch, Capabilities, Context, Error, ErrorKind, Found, Gather, Incr, Key, Life, NewEntry,
    Ping, Read, Result, Scope, Tick, Usage, When, Write,
};
use futures::future::{join_all, try_join_all};

use crate::access::Access;
use crate::clear::Step;
use crate::cull::Limits;
use crate::files::{Files, Live, Target};
use crate::format::{HEADER, Written};
use crate::inner::{Bell, Inner};
use crate::keeper::keep;
use crate::lanes::{Lanes, hop};
use crate::location;
use crate::locks::Locks;
use crate::look::LONGEST_KEY;
use crate::place::lane_of;
use crate::settings::{Eviction, FsSettings};
use crate::totals::Totals;
use crate::uses::Uses;

/// A store in files, as one alias sees it.
///
/// Any number of them, in one process or several, may use one directory: every
/// write is one step for all of them, and readers see the entry that was or the
/// one that is, whole. The writes of a key through one store follow each other
/// as they were first polled. The store needs a tokio runtime, blocks none of
/// its threads, and keeps no deadline of its own, but for locks, which it waits
/// for three quarters of [`Context::deadline`]:
/// [`layered`](cache_core::Opened::layered) puts one around it.
///
/// # Errors
///
/// Beside those of every store: [`Full`](ErrorKind::Full) on a full disk,
/// [`ReadOnly`](ErrorKind::ReadOnly) on one that is not written to,
/// [`Overloaded`](ErrorKind::Overloaded) with too many open files, or if
/// somebody else keeps the lock of the entry's directory,
/// [`TooLarge`](ErrorKind::TooLarge) beyond `max_bytes`,
/// [`Server`](ErrorKind::Server) for whatever else the system refuses. The old
/// value then stays readable.
#[derive(Debug)]
pub struct FsStore {
    inner: Arc<Inner>,
    lanes: Lanes,
    closed: AtomicBool,
}

/// How many threads write at once.
const LANES: usize = 8;

/// How single reads travel together, as was measured best.
const GATHERED_READS: Gather = Gather::new(8, 12);

/// How many keys of a bulk call share a hop.
const BATCH: usize = 100;

impl FsStore {
    /// The store in this directory, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) if the path is relative, a file, or cannot
    /// be made or written to; [`Unsupported`](ErrorKind::Unsupported) outside a
    /// tokio runtime.
    ///
    /// ```
    /// use cache_core::{Cache, Context, Timeout};
    /// use cache_fs::{FsSettings, FsStore};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let location = directory.path();
    /// let store = FsStore::open(location, &FsSettings::default(), &Context::new("pages")).await?;
    /// let cache = Cache::new(store);
    /// cache.aset("motto", "onwards", Timeout::Forever).await?;
    /// assert_eq!(cache.aget::<String>("motto").await?.as_deref(), Some("onwards"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn open(
        location: impl Into<PathBuf>,
        settings: &FsSettings,
        context: &Context,
    ) -> Result<Self> {
        let location = location::absolute(location.into())?;
        let access = Access { sharing: settings.sharing, fsync: settings.fsync };
        let (own, served) = (location.clone(), settings.served.clone());
        let concerns = hop(&context.tasks, move || {
            location::prepare(&own, access)?;
            Ok(location::concerns(&own, &served))
        });
        for concern in concerns.await? {
            tracing::warn!(
                target: "cache::config",
                alias = &*context.alias,
                "`location` {} {concern}",
                location.display(),
            );
        }
        let files = Files {
            location,
            access,
            clock: Arc::clone(&context.clock),
            // Before the value stands a byte that tells its codec.
            longest: context.max_value_bytes.saturating_add(1),
            tells_uses: settings.eviction == Eviction::Lru,
            patience: context.deadline / 4 * 3,
            locks: Locks::new(&context.clock),
        };
        let inner = Arc::new(Inner {
            files,
            limits: Limits::of(settings),
            totals: Totals::default(),
            uses: Uses::default(),
            counters: context.counters.clone(),
            tasks: context.tasks.clone(),
            closed: context.closed.clone(),
            room: Mutex::new(()),
            bell: Bell::default(),
            is_kept: AtomicBool::new(false),
            quiet: Mutex::default(),
        });
        keep(&inner);
        Ok(Self { inner, lanes: Lanes::new(LANES, &context.tasks), closed: AtomicBool::new(false) })
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.refuse_if_closed()?;
        let inner = Arc::clone(&self.inner);
        hop(&self.inner.tasks, move || work(&inner)).await
    }

    /// Writes in the order in which a key's writes are first polled.
    async fn write<T: Send + 'static>(
        &self,
        key: &Key<'_>,
        work: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.write_by(lane_of(key, self.lanes.len()), work).await
    }

    async fn write_by<T: Send + 'static>(
        &self,
        lane: usize,
        work: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.refuse_if_closed()?;
        keep(&self.inner);
        let inner = Arc::clone(&self.inner);
        self.lanes.run(lane, move || work(&inner)).await
    }

    fn to_write(&self, key: &Key<'_>) -> Target {
        target(key, self.inner.files.patience_from_now())
    }

    /// What a clear of this scope has to look at.
    async fn steps(&self, scope: &Scope<'_>) -> Result<Vec<Step>> {
        let prefix = scope.prefix().map(str::to_owned);
        self.read(move |inner| inner.files.steps(prefix.as_deref())).await
    }

    fn refuse_if_closed(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Closed, "the store has been closed"));
        }
        Ok(())
    }

    /// The positions of the keys, by the lane that each goes by.
    fn by_lane<'k>(&self, keys: impl Iterator<Item = Key<'k>>) -> Vec<Vec<usize>> {
        let mut lanes = vec![Vec::new(); self.lanes.len()];
        for (position, key) in keys.enumerate() {
            lanes[lane_of(&key, self.lanes.len())].push(position);
        }
        lanes
    }

    /// Does a part of a bulk call in each lane that has keys of it.
    async fn write_many<I, T>(
        &self,
        keys: usize,
        lanes: Vec<Vec<usize>>,
        item: impl Fn(usize) -> Result<I>,
        write: impl Fn(&Inner, I) -> Result<T> + Clone + Send + 'static,
    ) -> Vec<Result<T>>
    where
        I: Send + 'static,
        T: Send + 'static,
    {
        let parts = lanes.into_iter().enumerate().filter(|(_, positions)| !positions.is_empty());
        let parts = parts.map(|(lane, positions)| {
            let items: Vec<_> = positions.iter().map(|position| item(*position)).collect();
            let write = write.clone();
            let done = self.write_by(lane, move |inner| {
                Ok(items.into_iter().map(|item| write(inner, item?)).collect::<Vec<_>>())
            });
            async move { (positions, done.await) }
        });
        let mut outcomes: Vec<_> = (0..keys).map(|_| None).collect();
        for (positions, done) in join_all(parts).await {
            match done {
                Ok(done) => {
                    for (position, outcome) in positions.into_iter().zip(done) {
                        outcomes[position] = Some(outcome);
                    }
                }
                Err(error) => {
                    for position in positions {
                        outcomes[position] = Some(Err(error.clone()));
                    }
                }
            }
        }
        outcomes.into_iter().flatten().collect()
    }
}

impl Inner {
    fn get(&self, target: &Target, read: Read) -> Result<Option<Found>> {
        let live = self.files.get(target)?;
        if self.files.tells_uses
            && let Live::Entry(stored, _) = &live
        {
            self.uses.note(stored.stamp, target.place, Written::at(self.files.clock.wall()));
        }
        Ok(live.into_found(read.token))
    }

    fn set(&self, target: &Target, value: &[u8], write: &Write) -> Result<bool> {
        self.limits.admit(HEADER + target.key.len() + value.len())?;
        Ok(self.settle(self.files.set(target, value, write.life, &write.when)?))
    }
}

#[async_trait]
impl AsyncCache for FsStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .resolution(Duration::from_millis(1))
            .max_key_bytes(Some(LONGEST_KEY))
            .tokens(true)
            .atomic_move(true)
            .clear_prefix(true)
            .read_batch(Batch::new(BATCH).gathering(GATHERED_READS))
            .write_batch(Batch::new(BATCH))
    }

    fn usage(&self) -> Usage {
        self.inner.totals.usage()
    }

    async fn aget(&self, key: &Key<'_>, read: Read) -> Result<Option<Found>> {
        let target = target(key, Tick::NEVER);
        self.read(move |inner| inner.get(&target, read)).await
    }

    async fn aset(&self, key: &Key<'_>, value: &NewEntry<'_>, write: Write) -> Result<bool> {
        let (target, value) = (self.to_write(key), value.encoded()?);
        self.write(key, move |inner| inner.set(&target, &value, &write)).await
    }

    async fn atouch(&self, key: &Key<'_>, life: Life) -> Result<bool> {
        let target = self.to_write(key);
        self.write(key, move |inner| Ok(inner.settle(inner.files.touch(&target, life)?))).await
    }

    async fn adelete(&self, key: &Key<'_>, when: &When) -> Result<bool> {
        let (target, when) = (self.to_write(key), when.clone());
        self.write(key, move |inner| Ok(inner.settle(inner.files.delete(&target, &when)?))).await
    }

    async fn ahas_key(&self, key: &Key<'_>, read: Read) -> Result<bool> {
        Ok(self.alife(key, read).await?.is_some())
    }

    async fn alife(&self, key: &Key<'_>, _: Read) -> Result<Option<Life>> {
        let target = target(key, Tick::NEVER);
        self.read(move |inner| Ok(inner.files.get(&target)?.life())).await
    }

    async fn aincr(&self, key: &Key<'_>, incr: Incr) -> Result<Option<i64>> {
        let target = self.to_write(key);
        self.write(key, move |inner| Ok(inner.settle(inner.files.incr(&target, incr.delta)?))).await
    }

    async fn amove(&self, from: &Key<'_>, to: &Key<'_>) -> Result<bool> {
        let (source, goal) = (self.to_write(from), self.to_write(to));
        let work = move |inner: &Inner| {
            let Some([source, goal]) = inner.files.rename(&source, &goal)? else { return Ok(false) };
            inner.settle(source);
            Ok(inner.settle(goal))
        };
        self.write(from, work).await
    }

    async fn get_many(&self, keys: &[Key<'_>], read: Read) -> Result<Vec<Result<Option<Found>>>> {
        let targets: Vec<_> = keys.iter().map(|key| target(key, Tick::NEVER)).collect();
        self.read(move |inner| Ok(targets.iter().map(|target| inner.get(target, read)).collect())).await
    }

    async fn set_many(&self, items: &[(Key<'_>, NewEntry<'_>, Write)]) -> Result<Vec<Result<bool>>> {
        let lanes = self.by_lane(items.iter().map(|(key, ..)| *key));
        let until = self.inner.files.patience_from_now();
        let item = |position: usize| {
            let (key, value, write): &(Key<'_>, NewEntry<'_>, Write) = &items[position];
            Ok((target(key, until), value.encoded()?, write.clone()))
        };
        let write = |inner: &Inner, (target, value, write): (Target, Bytes, Write)| {
            inner.set(&target, &value, &write)
        };
        Ok(self.write_many(items.len(), lanes, item, write).await)
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<Vec<Result<()>>> {
        let lanes = self.by_lane(keys.iter().copied());
        let delete = |inner: &Inner, target: Target| {
            inner.settle(inner.files.delete(&target, &When::Always)?);
            Ok(())
        };
        let until = self.inner.files.patience_from_now();
        Ok(self.write_many(keys.len(), lanes, |position| Ok(target(&keys[position], until)), delete).await)
    }

    async fn aclear(&self, scope: &Scope<'_>) -> Result<()> {
        // A write that was dropped before now has its place before the clear.
        try_join_all((0..self.lanes.len()).map(|lane| self.write_by(lane, |_| Ok(())))).await?;
        // One shard that cannot be cleared keeps nothing in the others.
        let mut cleared = Ok(());
        for step in self.steps(scope).await? {
            let step = self.read(move |inner| {
                let snapshot = inner.files.clear(&step)?;
                inner.totals.note_if_known(step.prefix, step.shard, snapshot);
                Ok(())
            });
            cleared = cleared.and(step.await);
            scope.step();
        }
        cleared
    }

    async fn aping(&self) -> Result<Ping> {
        let began = self.inner.files.clock.precise();
        self.read(|inner| inner.files.ping()).await?;
        Ok(Ping::new(self.inner.files.clock.precise().since(began)))
    }

    async fn aclose(&self) -> Result<()> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.inner.bell.over.cancel();
        if !self.inner.files.tells_uses {
            return Ok(());
        }
        let inner = Arc::clone(&self.inner);
        hop(&self.inner.tasks, move || {
            inner.uses.flush(&inner.files.location);
            Ok(())
        })
        .await
    }
}

fn target(key: &Key<'_>, until: Tick) -> Target {
    Target::of(key.text().into_owned(), until)
}
