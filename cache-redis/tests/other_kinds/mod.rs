//! Lists, hashes and the like, which another program keeps under our keys.
//!
//! `GET` refuses them and `MGET` says that nothing is there: for us they are
//! entries that nobody can decode.

use std::collections::HashMap;
use std::time::Duration;

use cache_core::{
    Cache, ErrorKind, Format, Key, KeySpace, Life, OnDecodeError, Read, Timeout, UndecodableReason, When,
    Write,
};

use crate::board::{Board, read_many, stored_key, write_all};
use crate::resp::Answer;

with_each_driver!(
    read_as_a_miss,
    read_as_an_error,
    read_in_bulk,
    read_with_a_token,
    not_counted,
    written_touched_and_removed,
    replaced_by_a_load,
    replaced_by_a_load_of_many,
    kept_from_loads_that_want_errors,
);

/// How each is made.
const KINDS: [&str; 5] =
    ["LPUSH _ 1 2 3", "HSET _ field 1", "SADD _ 1 2", "ZADD _ 1 one", "XADD _ * field 1"];

/// A store with entries that we have written, beside those kinds.
async fn board(driver: &'static str) -> (Board, Cache) {
    let board = Board::of(driver).await;
    let cache = board.open.cache();
    write_all(&cache, text).await;
    (board, cache)
}

/// The other program puts one of each kind under `kind:0`, `kind:1`, and so on.
async fn put_there(board: &mut Board) -> Vec<String> {
    let mut keys = Vec::new();
    for (number, command) in KINDS.iter().enumerate() {
        let key = format!("kind:{number}");
        board.other.ask(&format!("DEL {}", stored_key(&key))).await;
        let made = board.other.ask(&command.replacen('_', &stored_key(&key), 1)).await;
        assert!(matches!(made, Answer::Integer(1..) | Answer::Value(_)), "{command}: {made:?}");
        keys.push(key);
    }
    keys
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

async fn is_in_step(board: &Board, cache: &Cache) {
    board.is_in_step(cache, |bytes| text(bytes).expect("it is text")).await;
}

fn of_another_kind(cache: &Cache) -> u64 {
    let undecodable = cache.stats().undecodable;
    undecodable
        .iter()
        .find(|(reason, _)| *reason == UndecodableReason::OtherKind)
        .map_or(0, |(_, count)| *count)
}

async fn read_as_a_miss(driver: &'static str) {
    let (mut board, cache) = board(driver).await;
    for (number, key) in (1..).zip(put_there(&mut board).await) {
        let misses = cache.stats().misses;
        assert_eq!(cache.aget::<String>(&key).await.expect("it is a miss"), None, "{driver}: {key}");
        assert_eq!(of_another_kind(&cache), number, "{driver}: {key} is counted");
        assert_eq!(cache.stats().misses, misses + 1, "{driver}: {key} is a miss");
        assert!(cache.ahas_key(&key).await.expect("it is answered"), "{driver}: {key} is there");
        assert_eq!(cache.alife(&key).await.expect("it is answered"), Some(Life::Forever), "{driver}: {key}");
    }
    assert!(cache.stats().errors.is_empty(), "{driver}: {:?}", cache.stats().errors);
    is_in_step(&board, &cache).await;
}

async fn read_as_an_error(driver: &'static str) {
    let (mut board, cache) = board(driver).await;
    let strict = board.open.cache_of(|builder| builder.on_decode_error(OnDecodeError::Error));
    for key in put_there(&mut board).await {
        let error = strict.aget::<String>(&key).await.expect_err("nobody can decode it");
        assert_eq!(error.kind(), ErrorKind::Codec, "{driver}: {key}");
        let error = strict.aget::<i64>(&key).await.expect_err("nobody can decode it");
        assert_eq!(error.kind(), ErrorKind::Codec, "{driver}: {key}");
    }
    is_in_step(&board, &cache).await;
}

/// In each position of any number of keys, beside entries of ours.
async fn read_in_bulk(driver: &'static str) {
    let (mut board, cache) = board(driver).await;
    for key in put_there(&mut board).await {
        for length in 1..=7 {
            for position in 0..length {
                let mut keys: Vec<_> = (0..length).map(|number| crate::board::known(number).0).collect();
                let mut expected: Vec<_> =
                    (0..length).map(|number| text(&crate::board::known(number).1)).collect();
                keys[position].clone_from(&key);
                expected[position] = None;
                let found = read_many::<String>(&cache, &keys).await;
                assert_eq!(found, expected, "{driver}: {key} as {position} of {length}");
            }
        }
    }
    assert!(cache.stats().errors.is_empty(), "{driver}: {:?}", cache.stats().errors);
    is_in_step(&board, &cache).await;
}

/// The trait tells them from nothing, for each key by itself, and the token
/// lets them be replaced.
async fn read_with_a_token(driver: &'static str) {
    let (mut board, cache) = board(driver).await;
    let (format, space) = (Format::default(), KeySpace::new("", 1));
    let mut keys = put_there(&mut board).await;
    keys.extend(["absent".to_owned(), crate::board::known(0).0]);
    let keys: Vec<_> = keys.iter().map(|key| Key::new(&space, key)).collect();
    let store = &board.open.store;
    let found = store.get_many(&keys, Read::LEADER.with_token()).await.expect("it is answered");
    let found: Vec<_> = found.into_iter().map(|found| found.expect("it is answered")).collect();
    let (kinds, ours) = found.split_at(KINDS.len());
    assert!(ours[0].is_none(), "{driver}: nothing is there");
    let value = ours[1].as_ref().and_then(|found| found.entry.read::<String>(&format).ok());
    assert_eq!(value, text(&crate::board::known(0).1), "{driver}");
    for (key, found) in keys.iter().zip(kinds) {
        let found = found.as_ref().expect("something is there");
        let reason = found.entry.read::<String>(&format).expect_err("it is no value").reason();
        assert_eq!(reason, UndecodableReason::OtherKind, "{driver}");
        let token = found.token.clone().expect("it was asked for");
        let entry = cache_core::Entry::from_integer(7);
        let write = || Write::new(Life::Forever).when(When::Unchanged(token.clone()));
        let written = || cache_core::NewEntry::of(entry.clone(), &format);
        assert!(store.aset(key, &written(), write()).await.expect("it is answered"), "{driver}");
        assert!(!store.aset(key, &written(), write()).await.expect("it is answered"), "{driver}: by now");
        let unchanged = When::Unchanged(token);
        assert!(!store.adelete(key, &unchanged).await.expect("it is answered"), "{driver}: by now");
    }
    is_in_step(&board, &cache).await;
}

async fn not_counted(driver: &'static str) {
    let (mut board, cache) = board(driver).await;
    for key in put_there(&mut board).await {
        let error = cache.aincr(&key, 1).await.expect_err("it is no counter");
        assert_eq!(error.kind(), ErrorKind::NotAnInteger, "{driver}: {key}");
        let error = cache.adecr(&key, 1).await.expect_err("it is no counter");
        assert_eq!(error.kind(), ErrorKind::NotAnInteger, "{driver}: {key}");
        assert!(board.other.kind_of(&stored_key(&key)).await != "string", "{driver}: {key} is as it was");
    }
    is_in_step(&board, &cache).await;
}

async fn written_touched_and_removed(driver: &'static str) {
    let (mut board, cache) = board(driver).await;
    let minute = Duration::from_mins(1);
    for key in put_there(&mut board).await {
        assert!(!cache.aadd(&key, "x", minute).await.expect("it is answered"), "{driver}: {key} is there");
        assert!(cache.atouch(&key, minute).await.expect("it is answered"), "{driver}: {key}");
        let life = cache.alife(&key).await.expect("it is answered");
        assert!(matches!(life, Some(Life::For(life)) if life <= minute), "{driver}: {key}: {life:?}");
        assert!(cache.atouch(&key, Timeout::Forever).await.expect("it is answered"), "{driver}: {key}");
        assert_eq!(cache.alife(&key).await.expect("it is answered"), Some(Life::Forever), "{driver}: {key}");
        assert_ne!(board.other.kind_of(&stored_key(&key)).await, "string", "{driver}: {key} is as it was");

        cache.aset(&key, "ours", minute).await.expect("it is taken");
        let ours = cache.aget::<String>(&key).await.expect("it is answered");
        assert_eq!(ours.as_deref(), Some("ours"), "{driver}: {key}");
    }
    for key in put_there(&mut board).await {
        assert!(cache.adelete(&key).await.expect("it is answered"), "{driver}: {key}");
        assert!(!cache.ahas_key(&key).await.expect("it is answered"), "{driver}: {key}");
    }
    let keys = put_there(&mut board).await;
    let items: Vec<_> = keys.iter().map(|key| (key, key)).collect();
    cache.set_many(items, minute).await.expect("they are taken");
    let ours = read_many::<String>(&cache, &keys).await;
    assert_eq!(ours, keys.iter().cloned().map(Some).collect::<Vec<_>>(), "{driver}: by set_many");
    let keys = put_there(&mut board).await;
    cache.delete_many(&keys).await.expect("they are removed");
    for key in keys {
        assert!(!cache.ahas_key(&key).await.expect("it is answered"), "{driver}: {key}, by delete_many");
    }
    for key in put_there(&mut board).await {
        assert_eq!(cache.aincr_version(&key, 1).await.expect("it is there"), 2, "{driver}: {key} is moved");
        assert!(!cache.ahas_key(&key).await.expect("it is answered"), "{driver}: {key}");
        assert!(cache.at_version(2).ahas_key(&key).await.expect("it is answered"), "{driver}: {key}");
    }
    is_in_step(&board, &cache).await;
}

async fn replaced_by_a_load(driver: &'static str) {
    let (mut board, cache) = board(driver).await;
    for key in put_there(&mut board).await {
        let loaded = cache.aget_or_set(&key, Timeout::Default, || async { "loaded".to_owned() }).await;
        assert_eq!(*loaded.expect("it is loaded"), "loaded", "{driver}: {key}");
        let stored = cache.aget::<String>(&key).await.expect("it is answered");
        assert_eq!(stored.as_deref(), Some("loaded"), "{driver}: {key}");
    }
    let stats = cache.stats();
    assert_eq!((stats.publishes_failed, stats.publishes_refused), (0, 0), "{driver}");
    is_in_step(&board, &cache).await;
}

/// Also beside keys that are there, and those that are not.
async fn replaced_by_a_load_of_many(driver: &'static str) {
    let (mut board, cache) = board(driver).await;
    for beside in 0..4 {
        let mut keys = put_there(&mut board).await;
        for number in 0..beside {
            keys.push(crate::board::known(number).0);
            keys.push(format!("absent:{beside}:{number}"));
        }
        let load =
            |missing: Vec<String>| async move { missing.into_iter().map(|key| (key.clone(), key)).collect() };
        let loaded: HashMap<_, _> =
            cache.get_or_set_many(&keys, Timeout::Default, load).await.expect("they are loaded");
        assert_eq!(loaded.len(), keys.len(), "{driver}");
        for key in keys.iter().filter(|key| !key.starts_with("known")) {
            assert_eq!(*loaded[key], *key, "{driver}: {key}");
            let stored = cache.aget::<String>(key).await.expect("it is answered");
            assert_eq!(stored.as_ref(), Some(key), "{driver}: {key} is stored");
        }
    }
    assert_eq!(cache.stats().publishes_failed, 0, "{driver}");
    is_in_step(&board, &cache).await;
}

/// Where an alias wants to hear of what it cannot decode, nothing is replaced.
async fn kept_from_loads_that_want_errors(driver: &'static str) {
    let (mut board, cache) = board(driver).await;
    let strict = board.open.cache_of(|builder| builder.on_decode_error(OnDecodeError::Error));
    for key in put_there(&mut board).await {
        let error = strict.aget_or_set(&key, Timeout::Default, || async { "loaded".to_owned() }).await;
        assert_eq!(error.expect_err("nobody can decode it").kind(), ErrorKind::Codec, "{driver}: {key}");
        assert_ne!(board.other.kind_of(&stored_key(&key)).await, "string", "{driver}: {key} is as it was");
    }
    is_in_step(&board, &cache).await;
}
