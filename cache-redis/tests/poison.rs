//! Values that look like the protocol: whoever wrote them, and however they
//! are read, each caller gets its own value, before, meanwhile and after.
//!
//! A driver that takes a stored value for something that the server says hands
//! all later replies to the wrong callers, for ever.

#[macro_use]
mod each_driver;
mod board;
mod dice;
mod opening;
mod other_kinds;
mod patience;
mod resp;
mod scale;
mod servers;
mod words;

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use cache_core::{
    Cache, CodecChoice, Entry, ErrorKind, Format, Key, KeySpace, NewEntry, Read, Timeout, Value, When, Write,
};

use crate::board::{Board, KNOWN, as_it_is, key_of, known, read_many, stored_key, write_all};
use crate::dice::dice;
use crate::scale::scaled;
use crate::words::{MESSAGES, WORDS};

with_each_driver_and_batching!(
    written_by_us_with_every_codec,
    written_by_another_program,
    written_by_another_program_and_read_by_every_codec,
    arrays_that_are_messages_as_a_whole,
    sixteen_tasks_at_once,
    written_and_loaded_in_bulk,
    counted_beside,
    written_if_unchanged,
    removed_by_a_clear,
);

/// Text, where the codec takes it.
fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

#[expect(clippy::unnecessary_wraps, reason = "text has no place for all bytes")]
fn raw(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(bytes.to_vec())
}

async fn written_by_us_with_every_codec(driver: &'static str) {
    let json = || Format::new(CodecChoice::Json);
    let plain = |format: Format| format.plain().expect("it is `json` or `raw`");
    for format in [Format::default(), json(), Format::new(CodecChoice::Postcard { schema: 7 }), plain(json())]
    {
        each_position(driver, &format, text).await;
    }
    for format in [Format::default(), Format::new(CodecChoice::Raw), as_it_is()] {
        each_position(driver, &format, raw).await;
    }
}

/// Each word in each position of `get_many` of 1 to 7 keys, and of 100.
async fn each_position<T: Value + PartialEq + Debug>(
    driver: &'static str,
    format: &Format,
    value: fn(&[u8]) -> Option<T>,
) {
    let board = Board::of(driver).await;
    let cache = board.open.cache_of(|builder| builder.format(format.clone()));
    write_all(&cache, value).await;
    let known_value = |bytes: &[u8]| value(bytes).expect("it is text");
    board.is_in_step(&cache, known_value).await;

    let words: Vec<_> =
        WORDS.iter().enumerate().filter_map(|(at, word)| Some((key_of(at), value(word)?))).collect();
    for (key, word) in &words {
        assert_eq!(cache.aget::<T>(key).await.expect("it is answered").as_ref(), Some(word), "{driver}");
        for (length, position) in positions() {
            let mut keys: Vec<_> = (0..length).map(|number| known(number).0).collect();
            let mut expected: Vec<_> =
                (0..length).map(|number| Some(known_value(&known(number).1))).collect();
            keys[position].clone_from(key);
            expected[position] = Some(word.clone());
            let found = read_many::<T>(&cache, &keys).await;
            assert_eq!(found, expected, "{driver}: {format:?}, {length} keys, position {position}");
        }
    }
    // Nothing else than words.
    for length in 1..=7 {
        for begin in 0..words.len() {
            let some: Vec<_> = words.iter().cycle().skip(begin).take(length).cloned().collect();
            let (keys, expected): (Vec<_>, Vec<_>) =
                some.into_iter().map(|(key, word)| (key, Some(word))).unzip();
            assert_eq!(read_many::<T>(&cache, &keys).await, expected, "{driver}: {format:?}, {length} words");
        }
    }
    board.is_in_step(&cache, known_value).await;
}

fn positions() -> impl Iterator<Item = (usize, usize)> {
    let each = (1..=7).flat_map(|length| (0..length).map(move |position| (length, position)));
    each.chain([0, KNOWN / 2, KNOWN - 1].map(|position| (KNOWN, position)))
}

/// Read as the trait reads, with and without tokens, and through handles.
async fn written_by_another_program(driver: &'static str) {
    let mut board = Board::of(driver).await;
    board.written_by_another_program().await;
    let cache = board.open.cache_of(|builder| builder.format(as_it_is()));
    board.is_in_step(&cache, <[u8]>::to_vec).await;
    for (at, word) in WORDS.iter().enumerate() {
        let read = cache.aget::<Vec<u8>>(&key_of(at)).await.expect("it is answered");
        assert_eq!(read.as_ref(), Some(word), "{driver}");
        for (length, position) in positions() {
            let mut keys: Vec<_> = (0..length).map(|number| known(number).0).collect();
            let mut expected: Vec<_> = (0..length).map(|number| known(number).1).collect();
            keys[position] = key_of(at);
            expected[position].clone_from(word);
            let found = read_many::<Vec<u8>>(&cache, &keys).await;
            let found: Vec<_> = found.into_iter().map(|value| value.expect("it is there")).collect();
            assert_eq!(found, expected, "{driver}: {length} keys, position {position}");
            if length <= 7 {
                board.reads_bytes(&keys, Read::LEADER, &expected).await;
                board.reads_bytes(&keys, Read::LEADER.with_token(), &expected).await;
            }
        }
    }
    board.is_in_step(&cache, <[u8]>::to_vec).await;
}

/// What no codec of ours has written is a miss, beside what we have written.
async fn written_by_another_program_and_read_by_every_codec(driver: &'static str) {
    let json = Format::new(CodecChoice::Json);
    let plain = json.clone().plain().expect("it is `json`");
    for format in [Format::default(), json, Format::new(CodecChoice::Postcard { schema: 7 }), plain] {
        let mut board = Board::of(driver).await;
        board.written_by_another_program().await;
        let cache = board.open.cache_of(|builder| builder.format(format.clone()));
        for (key, value) in (0..KNOWN).map(known) {
            cache
                .aset(&key, &text(&value).expect("it is text"), Timeout::Forever)
                .await
                .expect("it is taken");
        }
        for at in 0..WORDS.len() {
            assert_eq!(cache.aget::<String>(&key_of(at)).await.expect("it is answered"), None, "{driver}");
            for (length, position) in positions() {
                let mut keys: Vec<_> = (0..length).map(|number| known(number).0).collect();
                let mut expected: Vec<_> = (0..length).map(|number| text(&known(number).1)).collect();
                keys[position] = key_of(at);
                expected[position] = None;
                let found = read_many::<String>(&cache, &keys).await;
                assert_eq!(found, expected, "{driver}: {format:?}, {length} keys, position {position}");
            }
        }
        board.is_in_step(&cache, |bytes| text(bytes).expect("it is text")).await;
    }
}

/// What the server would say to a subscriber, value by value.
async fn arrays_that_are_messages_as_a_whole(driver: &'static str) {
    let mut board = Board::of(driver).await;
    board.written_by_another_program().await;
    let cache = board.open.cache_of(|builder| builder.format(as_it_is()));
    let at = |text: &str| WORDS.iter().position(|word| word == text.as_bytes()).expect("it is one of them");
    for message in MESSAGES {
        for length in message.len()..=7 {
            let mut keys: Vec<_> = message.iter().map(|word| key_of(at(word))).collect();
            let mut expected: Vec<_> = message.iter().map(|word| word.as_bytes().to_vec()).collect();
            for (key, value) in (0..length - message.len()).map(known) {
                keys.push(key);
                expected.push(value);
            }
            board.reads_bytes(&keys, Read::LEADER, &expected).await;
            board.reads_bytes(&keys, Read::LEADER.with_token(), &expected).await;
        }
    }
    board.is_in_step(&cache, <[u8]>::to_vec).await;
}

async fn sixteen_tasks_at_once(driver: &'static str) {
    let mut board = Board::of(driver).await;
    board.written_by_another_program().await;
    let cache = board.open.cache_of(|builder| builder.format(as_it_is()));
    let mut dice = dice(&format!("sixteen tasks, {driver}"));
    let tasks: Vec<_> = (0..16)
        .map(|task| {
            let (cache, mut dice) = (cache.clone(), dice.fork());
            tokio::spawn(async move {
                for _ in 0..scaled(150) {
                    let some: Vec<_> = (0..dice.usize(1..=7)).map(|_| anything(&mut dice)).collect();
                    let (key, expected) = anything(&mut dice);
                    let found = cache.aget::<Vec<u8>>(&key).await.expect("it is answered");
                    assert_eq!(found, Some(expected), "{driver}: task {task}");
                    let (keys, expected): (Vec<_>, Vec<_>) =
                        some.into_iter().map(|(key, value)| (key, Some(value))).unzip();
                    assert_eq!(read_many::<Vec<u8>>(&cache, &keys).await, expected, "{driver}: task {task}");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("it has got its own values");
    }
    board.is_in_step(&cache, <[u8]>::to_vec).await;
}

/// One of all keys, and its value.
fn anything(dice: &mut fastrand::Rng) -> (String, Vec<u8>) {
    let number = dice.usize(..2 * WORDS.len());
    match WORDS.get(number) {
        Some(word) => (key_of(number), word.clone()),
        None => known(dice.usize(..KNOWN)),
    }
}

/// `set_many` and `get_or_set_many` of words, seen by the other program.
async fn written_and_loaded_in_bulk(driver: &'static str) {
    let mut board = Board::of(driver).await;
    let cache = board.open.cache_of(|builder| builder.format(as_it_is()));
    write_all(&cache, raw).await;
    for length in [1, 2, 3, 4, 5, 6, 7, WORDS.len()] {
        for begin in 0..WORDS.len() {
            let some: Vec<_> = (begin..begin + length).map(|at| at % WORDS.len()).collect();
            let items: Vec<_> = some.iter().map(|at| (format!("set:{at}"), &WORDS[*at])).collect();
            cache.set_many(items, Timeout::Default).await.expect("they are taken");
            let keys: Vec<_> = some.iter().map(|at| format!("load:{at}")).collect();
            let loaded = loaded(&cache, &keys).await;
            for (at, key) in some.iter().zip(&keys) {
                assert_eq!(*loaded[&**key], WORDS[*at], "{driver}: a load of {length}");
            }
            cache.delete_many(&keys).await.expect("they are removed");
        }
        board.is_in_step(&cache, <[u8]>::to_vec).await;
    }
    for (at, word) in WORDS.iter().enumerate() {
        let stored = board.other.get(&stored_key(&format!("set:{at}"))).await;
        assert_eq!(stored.as_ref(), Some(word), "{driver}");
    }
    let all: Vec<_> = (0..WORDS.len()).map(|at| format!("load:{at}")).collect();
    loaded(&cache, &all).await;
    for (at, word) in WORDS.iter().enumerate() {
        let stored = board.other.get(&stored_key(&format!("load:{at}"))).await;
        assert_eq!(stored.as_ref(), Some(word), "{driver}: what was loaded is stored");
    }
    let again = loaded(&cache, &all).await;
    assert_eq!(again.len(), WORDS.len(), "{driver}");
    board.is_in_step(&cache, <[u8]>::to_vec).await;
}

/// Keys `load:<number of a word>`, each loaded to its word.
async fn loaded<'k>(cache: &Cache, keys: &'k [String]) -> HashMap<&'k str, Arc<Vec<u8>>> {
    let loader = |missing: Vec<String>| async move {
        let word = |key: &String| {
            let at: usize = key["load:".len()..].parse().expect("it is a number");
            WORDS[at].clone()
        };
        missing.iter().map(|key| (key.clone(), word(key))).collect()
    };
    cache
        .get_or_set_many(keys.iter().map(String::as_str), Timeout::Default, loader)
        .await
        .expect("it is answered")
}

/// Counters between reads of words; and words that are counters, and those
/// that are not.
async fn counted_beside(driver: &'static str) {
    let mut board = Board::of(driver).await;
    board.written_by_another_program().await;
    let cache = board.open.cache_of(|builder| builder.format(as_it_is()));
    cache.aset("count", &0, Timeout::Forever).await.expect("it is taken");
    let mut count = 0;
    for (at, word) in WORDS.iter().enumerate() {
        for length in 1..=7 {
            let keys: Vec<_> = (at..at + length).map(key_of).collect();
            let expected: Vec<_> =
                (at..at + length).map(|at| Some(WORDS[at % WORDS.len()].clone())).collect();
            let (read, sum) = tokio::join!(read_many::<Vec<u8>>(&cache, &keys), cache.aincr("count", 1));
            count += 1;
            assert_eq!((read, sum.expect("it is a counter")), (expected, count), "{driver}");
        }
        let number = text(word).and_then(|text| text.parse::<i64>().ok());
        match (number, cache.aincr(&key_of(at), 1).await) {
            (Some(i64::MAX), Err(error)) => assert_eq!(error.kind(), ErrorKind::Overflow, "{driver}"),
            (Some(number), Ok(sum)) => {
                assert_eq!(sum, number + 1, "{driver}");
                assert_eq!(cache.adecr(&key_of(at), 1).await.expect("it is a counter"), number, "{driver}");
            }
            (None, Err(error)) => assert_eq!(error.kind(), ErrorKind::NotAnInteger, "{driver}"),
            (number, outcome) => panic!("{driver}: {number:?} and one are {outcome:?}"),
        }
        let there = board.other.get(&stored_key(&key_of(at))).await;
        assert_eq!(there.as_ref(), Some(word), "{driver}: it is as it was");
    }
    board.is_in_step(&cache, <[u8]>::to_vec).await;
}

/// The words as tokens, and as what takes their place.
async fn written_if_unchanged(driver: &'static str) {
    let mut board = Board::of(driver).await;
    board.written_by_another_program().await;
    let cache = board.open.cache_of(|builder| builder.format(as_it_is()));
    let (store, format, space) = (&board.open.store, as_it_is(), KeySpace::new("", 1));
    for (at, word) in WORDS.iter().enumerate() {
        let (key, next) = (key_of(at), &WORDS[(at + 1) % WORDS.len()]);
        let key = Key::new(&space, &key);
        let found = store.aget(&key, Read::LEADER.with_token()).await.expect("it is answered");
        let token = found.and_then(|found| found.token).expect("it is there");
        let write = || Write::new(cache_core::Life::Forever).when(When::Unchanged(token.clone()));
        let entry = |bytes: &[u8]| NewEntry::of(Entry::from_bytes(bytes.to_vec().into()), &format);
        assert!(
            store.aset(&key, &entry(next), write()).await.expect("it is answered"),
            "{driver}: unchanged"
        );
        assert!(!store.aset(&key, &entry(word), write()).await.expect("it is answered"), "{driver}: changed");
        let items = [
            (key, entry(word), write()),
            (key, entry(word), Write::new(cache_core::Life::Forever).when(When::Present)),
            (key, entry(next), Write::new(cache_core::Life::Forever).when(When::Absent)),
            (key, entry(next), write()),
        ];
        let outcomes = store.set_many(&items).await.expect("it is answered");
        let outcomes: Vec<_> = outcomes.into_iter().map(|outcome| outcome.expect("it is answered")).collect();
        assert_eq!(outcomes, [false, true, false, true], "{driver}");
        let removed = store.adelete(&key, &When::Unchanged(token)).await.expect("it is answered");
        assert!(!removed, "{driver}: it is another by now");
        let there = board.other.get(&stored_key(&key_of(at))).await;
        assert_eq!(there.as_ref(), Some(next), "{driver}");
    }
    board.is_in_step(&cache, <[u8]>::to_vec).await;
}

/// The words as keys, which `SCAN` answers: ours go, the other program's stay.
async fn removed_by_a_clear(driver: &'static str) {
    let mut board = Board::of(driver).await;
    let cache = board.open.cache_of(|builder| builder.key_prefix("message").format(as_it_is()));
    let texts: Vec<_> = WORDS.iter().filter_map(|word| text(word)).collect();
    for word in &texts {
        cache.aset(word, word.as_bytes(), Timeout::Default).await.expect("it is taken");
        board.other.call(&[b"SET", word.as_bytes(), b"of another"]).await;
    }
    cache.aclear().await.expect("it is answered");
    for word in &texts {
        assert_eq!(cache.aget::<Vec<u8>>(word).await.expect("it is answered"), None, "{driver}");
        assert_eq!(board.other.get(word).await.as_deref(), Some(&b"of another"[..]), "{driver}");
    }
    write_all(&cache, raw).await;
    board.is_in_step(&cache, <[u8]>::to_vec).await;
}
