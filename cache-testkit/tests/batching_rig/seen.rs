//! What reaches the store, in the order in which it does.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cache_core::{
    AsyncCache, Capabilities, Found, Incr, Key, Life, NewEntry, Ping, Read, ReadFrom, Result, Scope, Usage,
    When, Write,
};
use cache_testkit::{Call, Faulty};

/// Hands everything on and writes it down.
#[derive(Debug)]
pub(crate) struct Seen {
    below: Arc<Faulty>,
    sent: Mutex<Vec<Sent>>,
    reads: Inside,
    writes: Inside,
}

/// One call as it was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) call: Call,
    /// The names of its keys, without prefix and version.
    pub(crate) names: Vec<String>,
    /// Of keys and values, as far as they are sent; of reads, as answered.
    pub(crate) bytes: usize,
    pub(crate) from: ReadFrom,
    /// Whether a token was wanted.
    pub(crate) token: bool,
}

/// How many `aget` and `get_many`, or `aset` and `set_many`, are under way.
#[derive(Debug, Default)]
struct Inside {
    now: AtomicUsize,
    most: AtomicUsize,
}

struct Leaves<'a>(&'a Inside);

impl Inside {
    fn enter(&self) -> Leaves<'_> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        Leaves(self)
    }
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Seen {
    pub(crate) fn over(below: Arc<Faulty>) -> Self {
        Self { below, sent: Mutex::default(), reads: Inside::default(), writes: Inside::default() }
    }

    /// Everything that was sent so far.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().expect("nobody panics here").clone()
    }

    /// What was sent of these calls.
    pub(crate) fn of(&self, call: Call) -> Vec<Sent> {
        self.sent().into_iter().filter(|sent| sent.call == call).collect()
    }

    /// The names of the keys of the bulk calls that were sent, call by call.
    pub(crate) fn names(&self, call: Call) -> Vec<Vec<String>> {
        self.of(call).into_iter().map(|sent| sent.names).collect()
    }

    /// Forgets what was sent so far.
    pub(crate) fn forget(&self) {
        self.sent.lock().expect("nobody panics here").clear();
    }

    /// How many trips of single reads were ever under way at once.
    pub(crate) fn most_reads(&self) -> usize {
        self.reads.most.load(Ordering::SeqCst)
    }

    /// How many trips of single writes were ever under way at once.
    pub(crate) fn most_writes(&self) -> usize {
        self.writes.most.load(Ordering::SeqCst)
    }

    fn note(&self, call: Call, keys: &[Key<'_>], bytes: usize) -> usize {
        self.note_read(call, keys, bytes, Read::LEADER)
    }

    /// Gives its place in the list.
    fn note_read(&self, call: Call, keys: &[Key<'_>], bytes: usize, read: Read) -> usize {
        let names = keys.iter().map(|key| key.name().to_owned()).collect();
        let bytes = bytes + keys.iter().map(Key::len).sum::<usize>();
        let mut sent = self.sent.lock().expect("nobody panics here");
        sent.push(Sent { call, names, bytes, from: read.from, token: read.token });
        sent.len() - 1
    }

    fn answered(&self, place: usize, bytes: usize) {
        // It may have been forgotten.
        if let Some(sent) = self.sent.lock().expect("nobody panics here").get_mut(place) {
            sent.bytes += bytes;
        }
    }
}

fn length(found: Option<&Found>) -> usize {
    found.and_then(|found| found.entry.length()).unwrap_or(0)
}

fn new_length(value: &NewEntry<'_>) -> usize {
    value.to_encoded().map_or(0, |value| value.length())
}

#[async_trait]
impl AsyncCache for Seen {
    fn capabilities(&self) -> Capabilities {
        self.below.capabilities()
    }

    fn usage(&self) -> Usage {
        self.below.usage()
    }

    async fn aget(&self, key: &Key<'_>, read: Read) -> Result<Option<Found>> {
        let _inside = self.reads.enter();
        let place = self.note_read(Call::Get, &[*key], 0, read);
        let found = self.below.aget(key, read).await?;
        self.answered(place, length(found.as_ref()));
        Ok(found)
    }

    async fn aset(&self, key: &Key<'_>, value: &NewEntry<'_>, write: Write) -> Result<bool> {
        let _inside = self.writes.enter();
        self.note(Call::Set, &[*key], new_length(value));
        self.below.aset(key, value, write).await
    }

    async fn atouch(&self, key: &Key<'_>, life: Life) -> Result<bool> {
        self.note(Call::Touch, &[*key], 0);
        self.below.atouch(key, life).await
    }

    async fn adelete(&self, key: &Key<'_>, when: &When) -> Result<bool> {
        self.note(Call::Delete, &[*key], 0);
        self.below.adelete(key, when).await
    }

    async fn ahas_key(&self, key: &Key<'_>, read: Read) -> Result<bool> {
        self.note_read(Call::HasKey, &[*key], 0, read);
        self.below.ahas_key(key, read).await
    }

    async fn alife(&self, key: &Key<'_>, read: Read) -> Result<Option<Life>> {
        self.note_read(Call::Life, &[*key], 0, read);
        self.below.alife(key, read).await
    }

    async fn aincr(&self, key: &Key<'_>, incr: Incr) -> Result<Option<i64>> {
        self.note(Call::Incr, &[*key], 0);
        self.below.aincr(key, incr).await
    }

    async fn amove(&self, from: &Key<'_>, to: &Key<'_>) -> Result<bool> {
        self.note(Call::Move, &[*from, *to], 0);
        self.below.amove(from, to).await
    }

    async fn get_many(&self, keys: &[Key<'_>], read: Read) -> Result<Vec<Result<Option<Found>>>> {
        let _inside = self.reads.enter();
        let place = self.note_read(Call::GetMany, keys, 0, read);
        let found = self.below.get_many(keys, read).await?;
        self.answered(place, found.iter().flatten().map(|found| length(found.as_ref())).sum());
        Ok(found)
    }

    async fn set_many(&self, items: &[(Key<'_>, NewEntry<'_>, Write)]) -> Result<Vec<Result<bool>>> {
        let _inside = self.writes.enter();
        let keys: Vec<_> = items.iter().map(|(key, ..)| *key).collect();
        self.note(Call::SetMany, &keys, items.iter().map(|(_, value, _)| new_length(value)).sum());
        self.below.set_many(items).await
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<Vec<Result<()>>> {
        self.note(Call::DeleteMany, keys, 0);
        self.below.delete_many(keys).await
    }

    async fn aclear(&self, scope: &Scope<'_>) -> Result<()> {
        self.note(Call::Clear, &[], 0);
        self.below.aclear(scope).await
    }

    async fn aping(&self) -> Result<Ping> {
        self.below.aping().await
    }

    async fn aclose(&self) -> Result<()> {
        self.note(Call::Close, &[], 0);
        self.below.aclose().await
    }
}
