//! A store of one's own, from the trait to a configuration that names it.
//!
//! `cargo run --example custom_backend` shows it at work;
//! `docs/writing-a-backend.md` goes through it, and `tests/custom_backend.rs`
//! runs the conformance suite on it. It keeps bytes, as a store over a network
//! does, under one lock, so that every operation is one step. For a program's
//! own memory there is `mem`, which is faster, and makes room when it is full.

#![allow(clippy::print_stdout, reason = "it is a report for the terminal")]

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cache_sdk::core::{
    Bytes, DjangoEffect, DjangoOption, DjangoSpelling, Entry, Format, Found, Incr, Key, NewEntry, Read,
    Scope, Tick, When, Write,
};
use cache_sdk::{
    AsyncCache, Backend, Caches, Capabilities, Clock, Context, Error, ErrorKind, Life, Opened, Ping, Result,
    Setting, SettingKind, Settings, Timeout,
};

/// Opens [`ShelfCache`]s. Aliases that name one `location` share a shelf.
#[derive(Debug)]
pub(crate) struct ShelfBackend;

/// A shelf, as one alias sees it.
pub(crate) struct ShelfCache {
    slots: Arc<Mutex<Slots>>,
    clock: Arc<dyn Clock>,
    max_entries: usize,
}

type Slots = HashMap<String, Slot>;

/// What stands under a key, [`Tick::NEVER`] if for ever.
struct Slot {
    bytes: Bytes,
    expires: Tick,
}

const OPTIONS: &[Setting] = &[Setting::new(
    "max_entries",
    SettingKind::Integer(1, i64::MAX),
    "10000",
    "How many entries a shelf may hold; while it is full, new keys are refused.",
)];

const DJANGO: &[DjangoSpelling] = &[DjangoSpelling::new("acme.cache.ShelfCache")
    .options(&[DjangoOption::new("MAX_ENTRIES", DjangoEffect::Means("max_entries"))])];

#[async_trait]
impl Backend for ShelfBackend {
    fn name(&self) -> &'static str {
        "acme.cache.ShelfCache"
    }

    fn options(&self) -> &'static [Setting] {
        OPTIONS
    }

    fn django(&self) -> &'static [DjangoSpelling] {
        DJANGO
    }

    async fn open(&self, settings: Settings, context: &Context) -> Result<Opened> {
        let slots = match settings.location() {
            [] => Arc::default(),
            [name] => context.shared.get_or_insert_with(name, Mutex::default),
            _ => return Err(Error::new(ErrorKind::Config, "`location` of a shelf is one name, not a list")),
        };
        let max_entries = settings.integer("max_entries").unwrap_or(10_000).try_into().unwrap_or(usize::MAX);
        Ok(Opened::Local(Arc::new(ShelfCache { slots, clock: context.clock.clone(), max_entries })))
    }
}

#[async_trait]
impl AsyncCache for ShelfCache {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new().atomic_move(true).clear_prefix(true)
    }

    async fn aget(&self, key: &Key<'_>, _: Read) -> Result<Option<Found>> {
        Ok(self.find(key))
    }

    async fn aset(&self, key: &Key<'_>, value: &NewEntry<'_>, write: Write) -> Result<bool> {
        self.put(key, value, &write)
    }

    async fn atouch(&self, key: &Key<'_>, life: Life) -> Result<bool> {
        Ok(self.live(&mut self.lock(), key).map(|slot| slot.expires = self.end(life)).is_some())
    }

    async fn adelete(&self, key: &Key<'_>, when: &When) -> Result<bool> {
        match when {
            When::Always | When::Present => Ok(self.take(&mut self.lock(), key).is_some()),
            When::Absent => Ok(false),
            When::Unchanged(_) => Err(Error::of(ErrorKind::Unsupported)),
        }
    }

    async fn ahas_key(&self, key: &Key<'_>, _: Read) -> Result<bool> {
        Ok(self.find(key).is_some())
    }

    async fn alife(&self, key: &Key<'_>, _: Read) -> Result<Option<Life>> {
        Ok(self.live(&mut self.lock(), key).map(|slot| self.rest(slot)))
    }

    async fn aincr(&self, key: &Key<'_>, incr: Incr) -> Result<Option<i64>> {
        let mut slots = self.lock();
        let Some(slot) = self.live(&mut slots, key) else { return Ok(None) };
        let there = Format::integer(&slot.bytes).ok_or_else(|| Error::of(ErrorKind::NotAnInteger))?;
        let sum = there.checked_add(incr.delta).ok_or_else(|| Error::of(ErrorKind::Overflow))?;
        // The bytes form of an integer is decimal text, under every codec.
        slot.bytes = sum.to_string().into();
        Ok(Some(sum))
    }

    async fn amove(&self, from: &Key<'_>, to: &Key<'_>) -> Result<bool> {
        let mut slots = self.lock();
        Ok(self.take(&mut slots, from).map(|slot| slots.insert(to.text().into_owned(), slot)).is_some())
    }

    async fn get_many(&self, keys: &[Key<'_>], _: Read) -> Result<Vec<Result<Option<Found>>>> {
        Ok(keys.iter().map(|key| self.find(key)).map(Ok).collect())
    }

    async fn set_many(&self, items: &[(Key<'_>, NewEntry<'_>, Write)]) -> Result<Vec<Result<bool>>> {
        Ok(items.iter().map(|(key, value, write)| self.put(key, value, write)).collect())
    }

    async fn delete_many(&self, keys: &[Key<'_>]) -> Result<Vec<Result<()>>> {
        Ok(keys.iter().map(|key| drop(self.take(&mut self.lock(), key))).map(Ok).collect())
    }

    async fn aclear(&self, scope: &Scope<'_>) -> Result<()> {
        self.lock().retain(|text, _| !scope.covers(text));
        scope.step();
        Ok(())
    }

    async fn aping(&self) -> Result<Ping> {
        Ok(Ping::new(Duration::ZERO))
    }

    async fn aclose(&self) -> Result<()> {
        Ok(())
    }
}

impl ShelfCache {
    /// What it guards is whole even after a panic: nobody else's code runs under it.
    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has expired is not served, and stays until its key or its room is needed.
    fn live<'s>(&self, slots: &'s mut Slots, key: &Key<'_>) -> Option<&'s mut Slot> {
        slots.get_mut(&*key.text()).filter(|slot| self.clock.now() < slot.expires)
    }

    fn take(&self, slots: &mut Slots, key: &Key<'_>) -> Option<Slot> {
        slots.remove(&*key.text()).filter(|slot| self.clock.now() < slot.expires)
    }

    fn find(&self, key: &Key<'_>) -> Option<Found> {
        self.live(&mut self.lock(), key).map(|slot| Found::new(Entry::from_bytes(slot.bytes.clone())))
    }

    fn put(&self, key: &Key<'_>, value: &NewEntry<'_>, write: &Write) -> Result<bool> {
        // Before the lock: it may fail, and a long value takes its time.
        let bytes = value.encoded()?;
        let mut slots = self.lock();
        let there = self.live(&mut slots, key).is_some();
        match (&write.when, there) {
            (When::Absent, true) | (When::Present, false) => return Ok(false),
            (When::Unchanged(_), _) => return Err(Error::of(ErrorKind::Unsupported)),
            (When::Always | When::Absent, false) => self.make_room(&mut slots)?,
            (When::Always | When::Present, true) => {}
        }
        slots.insert(key.text().into_owned(), Slot { bytes, expires: self.end(write.life) });
        Ok(true)
    }

    /// Of a full shelf what has expired goes, and nothing else.
    fn make_room(&self, slots: &mut Slots) -> Result<()> {
        if slots.len() >= self.max_entries {
            slots.retain(|_, slot| self.clock.now() < slot.expires);
        }
        if slots.len() < self.max_entries { Ok(()) } else { Err(Error::of(ErrorKind::Full)) }
    }

    /// By the precise clock: the cheap one lags, and would end a life early.
    fn end(&self, life: Life) -> Tick {
        match life {
            Life::Forever => Tick::NEVER,
            Life::For(duration) => self.clock.precise().after(duration),
        }
    }

    /// Never zero, though the precise clock may be past the end already.
    fn rest(&self, slot: &Slot) -> Life {
        match slot.expires {
            Tick::NEVER => Life::Forever,
            expires => Life::For(expires.since(self.clock.precise()).max(Duration::from_nanos(1))),
        }
    }
}

/// Keys and values are the program's own: neither is shown.
impl fmt::Debug for ShelfCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShelfCache").finish_non_exhaustive()
    }
}

const NATIVE: &str = r#"
[caches.default]
backend = "acme.cache.ShelfCache"
location = "hall"
key_prefix = "shop"
options = { max_entries = 6 }
"#;

/// As a Django project writes it.
const DJANGO_CACHES: &str = r#"{
    "sessions": {
        "BACKEND": "acme.cache.ShelfCache",
        "LOCATION": "hall",
        "KEY_PREFIX": "sessions",
        "OPTIONS": {"MAX_ENTRIES": 6}
    }
}"#;

#[tokio::main]
async fn main() -> Result<()> {
    let caches = Caches::builder().backend(ShelfBackend).toml(NATIVE).json(DJANGO_CACHES).open().await?;
    let (shop, sessions) = (caches.default()?, caches.get("sessions")?);
    println!("Two aliases on one shelf: {:?}", caches.aliases().collect::<Vec<_>>());
    sessions.aset("session:1", "Ada", Timeout::Forever).await?;

    println!("\nCounters");
    shop.aadd("visits", &0, Duration::from_mins(10)).await?;
    report("aincr", &shop.aincr("visits", 5).await);
    report("its life", &shop.alife("visits").await);
    report("aincr of no key", &shop.aincr("nobody", 1).await);
    shop.aset("motto", "onwards", Timeout::Default).await?;
    report("aincr of a text", &shop.aincr("motto", 1).await);
    shop.aset("most", &i64::MAX, Timeout::Default).await?;
    report("aincr beyond 64 bits", &shop.aincr("most", 1).await);

    println!("\nVersions");
    report("aincr_version", &shop.aincr_version("motto", 1).await);
    report("at version 1", &shop.aget::<String>("motto").await);
    report("at version 2", &shop.at_version(2).aget::<String>("motto").await);

    println!("\nMany, and too many");
    report("set_many", &shop.set_many([("fj", "Suva"), ("ml", "Bamako")], Timeout::Default).await);
    report("a seventh entry", &shop.aset("oz", "Emerald City", Timeout::Default).await);
    report("get_many", &shop.get_many::<String, _>(["fj", "oz"]).await);

    println!("\nThe whole");
    report("aclear", &shop.aclear().await);
    report("of the other alias", &sessions.aget::<String>("session:1").await);
    caches.aclose_all().await?;
    report("aget when closed", &shop.aget::<i64>("visits").await);
    Ok(())
}

fn report<T: fmt::Debug>(what: &str, outcome: &Result<T>) {
    match outcome {
        Ok(value) => println!("  {what:<20} {value:?}"),
        Err(error) => println!("  {what:<20} {error}"),
    }
}
