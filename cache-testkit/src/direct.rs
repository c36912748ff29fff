//! The store without its handle, in fewer words: for cases about the trait.

use std::sync::Arc;

use bytes::Bytes;
use cache_core::{
    AsyncCache, Entry, Format, Found, Incr, Key, KeySpace, Life, NewEntry, Probe, Read, Result, Token, Value,
    When, Write,
};

/// A store, a key space and a format to ask it with.
#[derive(Clone)]
pub(crate) struct Direct {
    pub(crate) store: Arc<dyn AsyncCache>,
    pub(crate) space: KeySpace,
    pub(crate) format: Format,
}

impl Direct {
    pub(crate) fn key<'a>(&'a self, name: &'a str) -> Key<'a> {
        Key::new(&self.space, name)
    }

    /// The same store with another key space.
    pub(crate) fn within(&self, space: KeySpace) -> Self {
        Self { space, ..self.clone() }
    }

    pub(crate) async fn write<T: Value>(&self, name: &str, value: T, write: Write) -> Result<bool> {
        let value = NewEntry::of(Entry::shared(Arc::new(value)), &self.format);
        self.store.aset(&self.key(name), &value, write).await
    }

    /// Writes without an end and without a condition.
    pub(crate) async fn put<T: Value>(&self, name: &str, value: T) -> Result<bool> {
        self.write(name, value, Write::new(Life::Forever)).await
    }

    /// Writes under a condition, without an end.
    pub(crate) async fn put_when<T: Value>(&self, name: &str, value: T, when: When) -> Result<bool> {
        self.write(name, value, Write::new(Life::Forever).when(when)).await
    }

    /// Puts bytes there as another program would have left them.
    pub(crate) async fn put_bytes(&self, name: &str, bytes: Bytes) -> Result<bool> {
        let value = NewEntry::of(Entry::from_bytes(bytes), &self.format);
        self.store.aset(&self.key(name), &value, Write::new(Life::Forever)).await
    }

    pub(crate) async fn found(&self, name: &str) -> Result<Option<Found>> {
        self.store.aget(&self.key(name), Read::LEADER.with_token()).await
    }

    /// What is there, as a `T`; what is no `T` is an error.
    pub(crate) async fn get<T: Value>(&self, name: &str) -> Result<Option<T>> {
        let found = self.store.aget(&self.key(name), Read::default()).await?;
        Ok(found.map(|found| found.entry.read(&self.format)).transpose()?)
    }

    /// The token of what is there.
    pub(crate) async fn token(&self, name: &str) -> Result<Option<Token>> {
        Ok(self.found(name).await?.and_then(|found| found.token))
    }

    pub(crate) async fn has(&self, name: &str) -> Result<bool> {
        self.store.ahas_key(&self.key(name), Read::default()).await
    }

    pub(crate) async fn life(&self, name: &str) -> Result<Option<Life>> {
        self.store.alife(&self.key(name), Read::default()).await
    }

    pub(crate) async fn touch(&self, name: &str, life: Life) -> Result<bool> {
        self.store.atouch(&self.key(name), life).await
    }

    pub(crate) async fn delete(&self, name: &str, when: &When) -> Result<bool> {
        self.store.adelete(&self.key(name), when).await
    }

    pub(crate) async fn incr(&self, name: &str, delta: i64) -> Result<Option<i64>> {
        self.store.aincr(&self.key(name), Incr::by(delta)).await
    }

    /// What is there under each of them, in calls as large as the store takes.
    pub(crate) async fn get_many(&self, names: &[&str], read: Read) -> Result<Vec<Option<Found>>> {
        let keys: Vec<_> = names.iter().map(|name| self.key(name)).collect();
        let mut found = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(self.store.capabilities().read_batch.keys) {
            let answers = self.store.get_many(chunk, read).await?;
            assert_eq!(answers.len(), chunk.len(), "one answer for each key");
            for answer in answers {
                found.push(answer?);
            }
        }
        Ok(found)
    }

    /// Writes them in their order, in calls as large as the store takes; an
    /// answer for each.
    pub(crate) async fn write_many<'n>(
        &self,
        items: impl IntoIterator<Item = (&'n str, Entry, Write)>,
    ) -> Result<Vec<Result<bool>>> {
        let item =
            |(name, entry, write)| (Key::new(&self.space, name), NewEntry::of(entry, &self.format), write);
        let items: Vec<_> = items.into_iter().map(item).collect();
        let mut answers = Vec::with_capacity(items.len());
        for chunk in items.chunks(self.store.capabilities().write_batch.keys) {
            let answered = self.store.set_many(chunk).await?;
            assert_eq!(answered.len(), chunk.len(), "one answer for each item");
            answers.extend(answered);
        }
        Ok(answers)
    }

    /// Whether the fast path says that there is an entry, if it says anything.
    pub(crate) fn probe(&self, name: &str) -> Option<bool> {
        match self.store.probe(&self.key(name)) {
            Probe::Hit(_) => Some(true),
            Probe::Miss => Some(false),
            Probe::Await => None,
        }
    }
}
