//! A store whose every key has a value that tells whose it is.

use std::collections::HashMap;
use std::fmt::Debug;

use cache_core::{Cache, Counter, Entry, Format, Key, KeySpace, Read, Timeout, Value};

use crate::opening::Open;
use crate::resp::Client;
use crate::servers::Server;
use crate::words::WORDS;

/// One store, on one connection, beside another program at the same database.
pub(crate) struct Board {
    pub(crate) driver: &'static str,
    pub(crate) open: Open,
    pub(crate) other: Client,
}

/// How many keys have a harmless value.
pub(crate) const KNOWN: usize = 100;

/// A harmless key, and its value.
pub(crate) fn known(number: usize) -> (String, Vec<u8>) {
    let number = number % KNOWN;
    (format!("known:{number}"), format!("the value of {number}").into_bytes())
}

/// The key of a word.
pub(crate) fn key_of(word: usize) -> String {
    format!("word:{}", word % WORDS.len())
}

/// The key as the store has it.
pub(crate) fn stored_key(key: &str) -> String {
    format!(":1:{key}")
}

impl Board {
    pub(crate) async fn of(driver: &'static str) -> Self {
        let settings = Server::Plain.settings(driver);
        Self { driver, other: Client::alone_with(&settings).await, open: Open::with(&settings) }
    }

    /// The other program writes all keys, each value as it is.
    pub(crate) async fn written_by_another_program(&mut self) {
        for (key, value) in (0..KNOWN).map(known) {
            self.other.set(&stored_key(&key), &value).await;
        }
        for (number, word) in WORDS.iter().enumerate() {
            self.other.set(&stored_key(&key_of(number)), word).await;
        }
    }

    /// Reads the keys as the trait does, with tokens or without, and compares
    /// what is stored.
    pub(crate) async fn reads_bytes(&self, keys: &[String], read: Read, expected: &[Vec<u8>]) {
        let space = KeySpace::new("", 1);
        let keys: Vec<_> = keys.iter().map(|key| Key::new(&space, key)).collect();
        let found = self.open.store.get_many(&keys, read).await.expect("it is answered");
        let found: Vec<_> = found
            .into_iter()
            .map(|found| {
                let found = found.expect("it is answered").expect("it is there");
                assert_eq!(found.token.is_some(), read.token, "{}: a token", self.driver);
                stored(&found.entry)
            })
            .collect();
        assert_eq!(found, expected, "{}: get_many with {read:?}", self.driver);
        for (key, expected) in keys.iter().zip(expected) {
            let found = self.open.store.aget(key, read).await.expect("it is answered").expect("it is there");
            assert_eq!(stored(&found.entry), *expected, "{}: aget with {read:?}", self.driver);
        }
    }

    /// A hundred reads one after the other: replies that have come apart from
    /// their commands show now at the latest. Nor has the connection been given
    /// up over it.
    pub(crate) async fn is_in_step<T: Value + PartialEq + Debug>(
        &self,
        cache: &Cache,
        value: impl Fn(&[u8]) -> T,
    ) {
        for (key, bytes) in (0..KNOWN).map(known) {
            let found = cache.aget::<T>(&key).await.expect("it is answered");
            assert_eq!(found, Some(value(&bytes)), "{}: {key}", self.driver);
        }
        let reconnections = self.open.context.counters.total(Counter::Reconnections);
        assert_eq!(reconnections, 0, "{}: it is the first connection still", self.driver);
    }
}

/// The bytes of an entry that was read.
pub(crate) fn stored(entry: &Entry) -> Vec<u8> {
    match entry.integer() {
        Some(integer) => integer.to_string().into_bytes(),
        None => entry.bytes().expect("it comes from a server").to_vec(),
    }
}

/// The values of these keys, through a handle.
pub(crate) async fn read_many<T: Value>(cache: &Cache, keys: &[String]) -> Vec<Option<T>> {
    let mut found: HashMap<&str, T> =
        cache.get_many(keys.iter().map(String::as_str)).await.expect("it is answered");
    let mut first: HashMap<&str, Option<T>> = HashMap::new();
    keys.iter().map(|key| first.entry(key).or_insert_with(|| found.remove(&**key)).clone()).collect()
}

/// Writes all keys through a handle.
pub(crate) async fn write_all<T: Value>(cache: &Cache, value: impl Fn(&[u8]) -> Option<T>) {
    let known = (0..KNOWN).map(known);
    let words = WORDS.iter().enumerate().map(|(number, word)| (key_of(number), word.clone()));
    for (key, bytes) in known.chain(words) {
        if let Some(value) = value(&bytes) {
            cache.aset(&key, &value, Timeout::Forever).await.expect("it is taken");
        }
    }
}

/// Bytes as they are, whatever lies under a key.
pub(crate) fn as_it_is() -> Format {
    Format::new(cache_core::CodecChoice::Raw).plain().expect("bytes need no tag")
}
