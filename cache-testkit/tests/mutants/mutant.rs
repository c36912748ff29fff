//! A layer over the store in memory that breaks one rule.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cache_core::{
    AsyncCache, Capabilities, Entry, Error, ErrorKind, Format, Found, Incr, Key, KeySpace, Life, NewEntry,
    Ping, Probe, Read, Result, Scope, Usage, When, Write,
};

use crate::rule::Rule;

/// A store with one rule broken.
pub(crate) struct Mutant {
    pub(crate) below: Arc<dyn AsyncCache>,
    pub(crate) rule: Rule,
    pub(crate) format: Format,
    pub(crate) space: KeySpace,
    /// What the last write of a key replaced, and what it wrote.
    memory: Mutex<HashMap<String, Remembered>>,
    is_closed: AtomicBool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Remembered {
    pub(crate) before: Option<Entry>,
    pub(crate) last: Option<Entry>,
}

/// Not what it remembers, which is keys.
impl fmt::Debug for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutant").field("rule", &self.rule).finish_non_exhaustive()
    }
}

impl Mutant {
    pub(crate) fn new(below: Arc<dyn AsyncCache>, rule: Rule) -> Self {
        Self {
            below,
            rule,
            format: Format::default(),
            // Its keys are whole texts, so that some rules can change them.
            space: KeySpace::custom("", 1),
            memory: Mutex::default(),
            is_closed: AtomicBool::new(false),
        }
    }

    pub(crate) fn breaks(&self, rule: Rule) -> bool {
        self.rule == rule
    }

    /// The text under which the entry is kept.
    pub(crate) fn text(&self, key: &Key<'_>) -> String {
        let text = key.text().into_owned();
        let name = key.pieces()[1];
        match self.rule {
            Rule::KeysFoldCase => text.to_lowercase(),
            Rule::KeysCut => text.chars().take(200).collect(),
            Rule::KeysEndAtNul => text.split('\0').next().unwrap_or_default().to_owned(),
            Rule::VersionIgnored if !key.space().is_custom() => format!("{}:1:{name}", key.prefix()),
            Rule::PrefixIgnored if !key.space().is_custom() => format!(":{}:{name}", key.version()),
            _ => text,
        }
    }

    pub(crate) fn key<'a>(&'a self, text: &'a str) -> Key<'a> {
        Key::new(&self.space, text)
    }

    pub(crate) fn memory(&self) -> MutexGuard<'_, HashMap<String, Remembered>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn remembered(&self, text: &str) -> Remembered {
        self.memory().get(text).cloned().unwrap_or_default()
    }

    pub(crate) fn known_texts(&self) -> BTreeSet<String> {
        self.memory().keys().cloned().collect()
    }

    /// What is there below, whatever the rule.
    pub(crate) async fn honest(&self, text: &str) -> Result<Option<Found>> {
        self.below.aget(&self.key(text), Read::LEADER.with_token()).await
    }

    pub(crate) async fn honest_life(&self, text: &str) -> Result<Option<Life>> {
        self.below.alife(&self.key(text), Read::LEADER).await
    }

    pub(crate) async fn put(&self, text: &str, entry: Entry, life: Life) -> Result<bool> {
        let value = NewEntry::of(entry, &self.format);
        self.below.aset(&self.key(text), &value, Write::new(life)).await
    }

    pub(crate) async fn remove(&self, text: &str) -> Result<bool> {
        self.below.adelete(&self.key(text), &When::Always).await
    }
}

pub(crate) const DAY: Duration = Duration::from_hours(24);

#[async_trait]
impl AsyncCache for Mutant {
    fn capabilities(&self) -> Capabilities {
        self.below.capabilities()
    }

    fn probe(&self, key: &Key<'_>) -> Probe {
        let text = self.text(key);
        match self.rule {
            Rule::ProbeAlwaysMisses => Probe::Miss,
            Rule::ProbeSeesDeleted => match self.remembered(&text).last {
                Some(entry) => Probe::Hit(entry),
                None => Probe::Await,
            },
            Rule::None => self.below.probe(&self.key(&text)),
            // The way by `aget` is the one that is broken.
            _ => Probe::Await,
        }
    }

    fn usage(&self) -> Usage {
        if self.breaks(Rule::SizeIsZero) { Usage::of_entries(0) } else { self.below.usage() }
    }

    async fn aget(&self, key: &Key<'_>, read: Read) -> Result<Option<Found>> {
        self.get(&self.text(key), read).await
    }

    async fn aset(&self, key: &Key<'_>, value: &NewEntry<'_>, write: Write) -> Result<bool> {
        self.set(&self.text(key), value, write).await
    }

    async fn atouch(&self, key: &Key<'_>, life: Life) -> Result<bool> {
        self.touch(&self.text(key), life).await
    }

    async fn adelete(&self, key: &Key<'_>, when: &When) -> Result<bool> {
        self.delete(&self.text(key), when).await
    }

    async fn ahas_key(&self, key: &Key<'_>, read: Read) -> Result<bool> {
        self.has_key(&self.text(key), read).await
    }

    async fn alife(&self, key: &Key<'_>, read: Read) -> Result<Option<Life>> {
        self.life(&self.text(key), read).await
    }

    async fn aincr(&self, key: &Key<'_>, incr: Incr) -> Result<Option<i64>> {
        self.incr(&self.text(key), incr).await
    }

    async fn amove(&self, from: &Key<'_>, to: &Key<'_>) -> Result<bool> {
        let (from, to) = (self.text(from), self.text(to));
        if from == to { Ok(true) } else { self.shift(&from, &to).await }
    }

    async fn get_many(&self, keys: &[Key<'_>], read: Read) -> Result<Vec<Result<Option<Found>>>> {
        self.get_all(keys, read).await
    }

    async fn set_many(&self, items: &[(Key<'_>, NewEntry<'_>, Write)]) -> Result<Vec<Result<bool>>> {
        self.set_all(items).await
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<Vec<Result<()>>> {
        let kept = usize::from(self.breaks(Rule::DeleteManyDropsTheLast) && keys.len() > 1);
        for key in &keys[..keys.len() - kept] {
            self.delete(&self.text(key), &When::Always).await?;
        }
        Ok(keys.iter().map(|_| Ok(())).collect())
    }

    async fn aclear(&self, scope: &Scope<'_>) -> Result<()> {
        self.clear(scope).await
    }

    async fn aping(&self) -> Result<Ping> {
        if self.breaks(Rule::PingFails) {
            return Err(Error::of(ErrorKind::Connection));
        }
        self.below.aping().await
    }

    async fn aclose(&self) -> Result<()> {
        if self.is_closed.swap(true, Ordering::SeqCst) && self.breaks(Rule::CloseOnce) {
            return Err(Error::of(ErrorKind::Closed));
        }
        self.below.aclose().await
    }
}
