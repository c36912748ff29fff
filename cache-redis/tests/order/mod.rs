//! Writes that are dropped, and then one that is acknowledged: that one stays.

use std::collections::HashMap;
use std::time::Duration;

use cache_core::{Cache, Timeout};

use crate::giving_up::GiveUp;
use crate::patience::pause;

/// A task, and an alias on the common store that nobody else writes to.
pub(crate) struct Owner {
    driver: &'static str,
    cache: Cache,
    /// The same cache under the version that moves go to.
    second: Cache,
    keys: Vec<String>,
    dice: fastrand::Rng,
    serial: i64,
}

/// How far two values are apart: an increment that strikes late is seen.
const APART: i64 = 1_000;

/// Of a value that takes long to arrive.
const LONG: usize = 50_000;

const MINUTE: Duration = Duration::from_mins(1);

/// How long a write that was dropped might still be on its way.
const PAUSE: Duration = Duration::from_millis(3);

impl Owner {
    pub(crate) fn new(driver: &'static str, cache: Cache, dice: fastrand::Rng) -> Self {
        let keys = (0..3).map(|number| format!("key:{number}")).collect();
        let second = cache.at_version(2);
        Self { driver, cache, second, keys, dice, serial: 0 }
    }

    /// Some writes, most of them dropped, and then one that is acknowledged,
    /// for each of the keys; how many were dropped.
    pub(crate) async fn round(&mut self) -> usize {
        let mut dropped = 0;
        for _ in 0..self.dice.usize(1..=5) {
            let give_up = GiveUp::at_random(&mut self.dice);
            dropped += usize::from(!self.writes(give_up).await);
        }
        let expected = self.acknowledged().await;
        self.finds("at once", &expected).await;
        self.cache.aping().await.expect("the server is there");
        pause(PAUSE).await;
        self.finds("a little later", &expected).await;
        dropped
    }

    fn next(&mut self) -> i64 {
        self.serial += APART;
        self.serial
    }

    /// Something that an acknowledged write must not be undone by. Says
    /// whether it was answered.
    async fn writes(&mut self, give_up: GiveUp) -> bool {
        let key = self.keys[self.dice.usize(..self.keys.len())].clone();
        let value = self.next();
        let handle = if self.dice.bool() { &self.cache } else { &self.second };
        match self.dice.usize(..14) {
            0 | 1 => give_up.of(handle.aset(&key, &value, MINUTE)).await.is_some(),
            2 => give_up.of(handle.aincr(&key, 1)).await.is_some(),
            3 => give_up.of(handle.adelete(&key)).await.is_some(),
            4 => give_up.of(self.cache.aincr_version(&key, 1)).await.is_some(),
            5 => give_up.of(self.second.adecr_version(&key, 1)).await.is_some(),
            6 => {
                give_up.of(handle.set_many(self.keys.iter().map(|key| (key, &value)), MINUTE)).await.is_some()
            }
            7 => give_up.of(handle.delete_many(&self.keys)).await.is_some(),
            8 => give_up.of(handle.atouch(&key, Duration::from_millis(1))).await.is_some(),
            9 => give_up.of(handle.aadd(&key, &value, MINUTE)).await.is_some(),
            10 => give_up.of(handle.aclear()).await.is_some(),
            // What takes long to arrive.
            11 | 12 => give_up.of(handle.aset(&key, &"long".repeat(LONG), MINUTE)).await.is_some(),
            _ => give_up.of(handle.aget_or_set(&key, MINUTE, move || async move { value })).await.is_some(),
        }
    }

    /// What each key has now, in both versions, by the last word of its owner.
    async fn acknowledged(&mut self) -> Vec<(String, [Option<i64>; 2])> {
        let [one, two] = [self.next(), self.next()];
        self.cache.set_many(self.keys.iter().map(|key| (key, &one)), MINUTE).await.expect("they are taken");
        for key in &self.keys {
            self.second.aset(key, &two, Timeout::Forever).await.expect("it is taken");
        }
        if self.dice.usize(..8) == 0 {
            self.cache.aclear().await.expect("it is answered");
            return self.keys.iter().map(|key| (key.clone(), [None, None])).collect();
        }
        let mut expected = Vec::new();
        for key in &self.keys {
            let there = match self.dice.usize(..8) {
                0 => {
                    self.cache.adelete(key).await.expect("it is answered");
                    [None, Some(two)]
                }
                1 => {
                    self.cache.delete_many([key]).await.expect("it is answered");
                    [None, Some(two)]
                }
                2 => {
                    self.cache.aincr_version(key, 1).await.expect("it is there");
                    [None, Some(one)]
                }
                3 => {
                    self.second.adecr_version(key, 1).await.expect("it is there");
                    [Some(two), None]
                }
                4 => {
                    let sum = self.cache.aincr(key, 5).await.expect("it is a counter");
                    assert_eq!(sum, one + 5, "{}: {key}", self.driver);
                    [Some(sum), Some(two)]
                }
                _ => [Some(one), Some(two)],
            };
            expected.push((key.clone(), there));
        }
        expected
    }

    async fn finds(&self, when: &str, expected: &[(String, [Option<i64>; 2])]) {
        for (key, values) in expected {
            for (handle, value) in [&self.cache, &self.second].into_iter().zip(values) {
                let read = handle.aget::<i64>(key).await.expect("it is answered");
                let version = handle.version();
                assert_eq!(read, *value, "{}: {key} of version {version}, {when}", self.driver);
            }
        }
        let first: HashMap<&String, i64> = self.cache.get_many(&self.keys).await.expect("it is answered");
        for (key, [value, _]) in expected {
            assert_eq!(first.get(key), value.as_ref(), "{}: {key} by get_many, {when}", self.driver);
        }
    }
}
