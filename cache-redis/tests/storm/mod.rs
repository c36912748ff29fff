//! Any operations on any keys by many tasks, most of them dropped halfway.
//! Whatever a reply says tells whose it is.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cache_core::{AsyncCache, Cache, ErrorKind, Key, KeySpace, Life, Read, Result};

use crate::giving_up::GiveUp;

/// How many keys of each sort.
const KEYS: usize = 24;

/// A counter of this number begins there, so that its sum tells it from all
/// others.
const APART: i64 = 1_000_000_000;

/// One of the tasks.
pub(crate) struct Caller {
    pub(crate) driver: &'static str,
    pub(crate) cache: Cache,
    pub(crate) store: Arc<dyn AsyncCache>,
    pub(crate) dice: fastrand::Rng,
    pub(crate) tally: Arc<Tally>,
}

/// What has become of the operations of all tasks.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) answered: AtomicUsize,
    pub(crate) dropped: AtomicUsize,
    serial: AtomicUsize,
}

/// A key with its value, text.
fn text_key(number: usize) -> String {
    format!("text:{number}")
}

fn counter_key(number: usize) -> String {
    format!("counter:{number}")
}

/// The keys of a number live as long as no others.
fn life_of(number: usize) -> Duration {
    Duration::from_secs(1_000 * (number as u64 + 1))
}

impl Caller {
    /// One operation, dropped at some point or answered.
    pub(crate) async fn calls(&mut self) {
        let give_up = match self.dice.usize(..4) {
            0 => GiveUp::Polls(usize::MAX),
            _ => GiveUp::at_random(&mut self.dice),
        };
        let is_answered = match self.dice.usize(..14) {
            0..3 => self.reads(give_up).await,
            3 => self.reads_many(give_up).await,
            4 => self.reads_many_with_tokens(give_up).await,
            5..7 => self.writes(give_up).await,
            7 => self.writes_many(give_up).await,
            8 => self.counts(give_up).await,
            9 => self.removes(give_up).await,
            10 => self.touches(give_up).await,
            11 => self.moves(give_up).await,
            12 => self.loads(give_up).await,
            _ if self.dice.usize(..4) > 0 => self.loads_many(give_up).await,
            _ => give_up.of(self.cache.aclear()).await.map(answered).is_some(),
        };
        let counter = if is_answered { &self.tally.answered } else { &self.tally.dropped };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn value_of(&self, key: &str) -> String {
        format!("{key}={}", self.tally.serial.fetch_add(1, Ordering::Relaxed))
    }

    /// That the value is one of this key's.
    fn is_of(&self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            let owner = value.split('=').next();
            assert_eq!(owner, Some(key), "{}: {key} got another's reply", self.driver);
        }
    }

    fn is_sum_of(&self, number: usize, sum: i64) {
        let begin = APART * i64::try_from(number + 1).expect("it is small");
        assert!((begin..begin + APART).contains(&sum), "{}: counter {number} got {sum}", self.driver);
    }

    async fn reads(&mut self, give_up: GiveUp) -> bool {
        let number = self.dice.usize(..KEYS);
        let (text, counter) = (text_key(number), counter_key(number));
        match self.dice.usize(..4) {
            0 | 1 => {
                let read = give_up.of(self.cache.aget::<String>(&text)).await.map(answered);
                self.is_of(&text, read.as_ref().and_then(Option::as_deref));
                read.is_some()
            }
            2 => {
                let read = give_up.of(self.cache.aget::<i64>(&counter)).await.map(answered);
                if let Some(Some(sum)) = read {
                    self.is_sum_of(number, sum);
                }
                read.is_some()
            }
            _ => {
                let life = give_up.of(self.cache.alife(&text)).await.map(answered);
                if let Some(Some(life)) = life {
                    let Life::For(life) = life else { panic!("{}: {text} lives for ever", self.driver) };
                    let whole = life_of(number);
                    assert!(life <= whole && life + life_of(0) > whole, "{}: {text}: {life:?}", self.driver);
                }
                life.is_some()
            }
        }
    }

    fn some_texts(&mut self) -> Vec<String> {
        let begin = self.dice.usize(..KEYS);
        (begin..begin + self.dice.usize(1..=8)).map(|number| text_key(number % KEYS)).collect()
    }

    async fn reads_many(&mut self, give_up: GiveUp) -> bool {
        let keys = self.some_texts();
        let found = give_up.of(self.cache.get_many::<String, _>(&keys)).await.map(answered);
        for (key, value) in found.iter().flatten() {
            self.is_of(key, Some(value));
        }
        found.is_some()
    }

    async fn reads_many_with_tokens(&mut self, give_up: GiveUp) -> bool {
        let (names, space) = (self.some_texts(), KeySpace::new("", 1));
        let keys: Vec<_> = names.iter().map(|key| Key::new(&space, key)).collect();
        let store = Arc::clone(&self.store);
        let found = give_up.of(store.get_many(&keys, Read::LEADER.with_token())).await.map(answered);
        for (name, found) in names.iter().zip(found.iter().flatten()) {
            let found = found.as_ref().expect("it is answered");
            let value = found.as_ref().map(|found| found.entry.read::<String>(self.cache.format()));
            self.is_of(name, value.map(|value| value.expect("it is text")).as_deref());
        }
        found.is_some()
    }

    async fn writes(&mut self, give_up: GiveUp) -> bool {
        let number = self.dice.usize(..KEYS);
        let (key, life) = (text_key(number), life_of(number));
        let value = self.value_of(&key);
        if self.dice.bool() {
            give_up.of(self.cache.aset(&key, &value, life)).await.map(answered).is_some()
        } else {
            give_up.of(self.cache.aadd(&key, &value, life)).await.map(answered).is_some()
        }
    }

    /// All of one number, since they have one life.
    async fn writes_many(&mut self, give_up: GiveUp) -> bool {
        let number = self.dice.usize(..KEYS);
        let keys = [text_key(number), format!("other:{number}:a"), format!("other:{number}:b")];
        let values: Vec<_> = keys.iter().map(|key| self.value_of(key)).collect();
        let items = keys.iter().zip(&values);
        give_up.of(self.cache.set_many(items, life_of(number))).await.map(answered).is_some()
    }

    async fn counts(&mut self, give_up: GiveUp) -> bool {
        let number = self.dice.usize(..KEYS);
        let key = counter_key(number);
        let begin = APART * i64::try_from(number + 1).expect("it is small");
        if self.dice.usize(..4) == 0 {
            return give_up.of(self.cache.aadd(&key, &begin, life_of(number))).await.map(answered).is_some();
        }
        match give_up.of(self.cache.aincr(&key, 1)).await {
            Some(Ok(sum)) => self.is_sum_of(number, sum),
            Some(Err(error)) => self.was_absent(&key, &error),
            None => return false,
        }
        true
    }

    fn was_absent(&self, key: &str, error: &cache_core::Error) {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{}: {key}: {error}", self.driver);
    }

    async fn removes(&mut self, give_up: GiveUp) -> bool {
        let number = self.dice.usize(..KEYS);
        match self.dice.usize(..3) {
            0 => give_up.of(self.cache.adelete(&text_key(number))).await.map(answered).is_some(),
            1 => give_up.of(self.cache.adelete(&counter_key(number))).await.map(answered).is_some(),
            _ => {
                let keys = self.some_texts();
                give_up.of(self.cache.delete_many(keys)).await.map(answered).is_some()
            }
        }
    }

    async fn touches(&mut self, give_up: GiveUp) -> bool {
        let number = self.dice.usize(..KEYS);
        let (text, counter) = (text_key(number), counter_key(number));
        match self.dice.usize(..3) {
            0 => give_up.of(self.cache.atouch(&text, life_of(number))).await.map(answered).is_some(),
            1 => {
                let for_ever = cache_core::Timeout::Forever;
                give_up.of(self.cache.atouch(&counter, for_ever)).await.map(answered).is_some()
            }
            _ => give_up.of(self.cache.ahas_key(&text)).await.map(answered).is_some(),
        }
    }

    async fn moves(&mut self, give_up: GiveUp) -> bool {
        let key = text_key(self.dice.usize(..KEYS));
        let second = self.cache.at_version(2);
        match self.dice.usize(..3) {
            0 => {
                let read = give_up.of(second.aget::<String>(&key)).await.map(answered);
                self.is_of(&key, read.as_ref().and_then(Option::as_deref));
                read.is_some()
            }
            1 => self.moved(&key, 2, give_up.of(self.cache.aincr_version(&key, 1)).await),
            _ => self.moved(&key, 1, give_up.of(second.adecr_version(&key, 1)).await),
        }
    }

    fn moved(&self, key: &str, to: u64, outcome: Option<Result<u64>>) -> bool {
        match outcome {
            Some(Ok(version)) => assert_eq!(version, to, "{}: {key}", self.driver),
            Some(Err(error)) => self.was_absent(key, &error),
            None => return false,
        }
        true
    }

    async fn loads(&mut self, give_up: GiveUp) -> bool {
        let number = self.dice.usize(..KEYS);
        let key = text_key(number);
        let value = self.value_of(&key);
        let loaded = give_up.of(self.cache.aget_or_set(&key, life_of(number), || async { value })).await;
        let loaded = loaded.map(answered);
        self.is_of(&key, loaded.as_ref().map(|loaded| &***loaded));
        loaded.is_some()
    }

    async fn loads_many(&mut self, give_up: GiveUp) -> bool {
        let number = self.dice.usize(..KEYS);
        let keys = [text_key(number), format!("other:{number}:a"), format!("other:{number}:b")];
        let load = |missing: Vec<String>| async move {
            missing.into_iter().map(|key| (key.clone(), format!("{key}=loaded"))).collect::<HashMap<_, _>>()
        };
        let found = give_up.of(self.cache.get_or_set_many(&keys, life_of(number), load)).await;
        let found = found.map(answered);
        for (key, value) in found.iter().flatten() {
            self.is_of(key, Some(value));
        }
        found.is_some()
    }

    /// Each key by itself, one after the other.
    pub(crate) async fn works(&mut self) {
        for number in 0..KEYS {
            let text = text_key(number);
            let value = self.value_of(&text);
            self.cache.aset(&text, &value, life_of(number)).await.expect("it is taken");
            let read = self.cache.aget::<String>(&text).await.expect("it is answered");
            assert_eq!(read, Some(value), "{}", self.driver);
            let counter = counter_key(number);
            self.cache.aset(&counter, &7, life_of(number)).await.expect("it is taken");
            assert_eq!(self.cache.aincr(&counter, 1).await.expect("it is a counter"), 8, "{}", self.driver);
        }
    }
}

fn answered<T>(outcome: Result<T>) -> T {
    outcome.expect("a server that is there answers")
}
