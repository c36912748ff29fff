//! What goes over the wire: for each operation its best single command, and
//! for many keys one trip.
//!
//! The server itself tells what it was sent.

#[macro_use]
mod each_driver;
mod monitor;
mod opening;
mod patience;
mod pooled;
mod proxy;
mod resp;
mod round_trips;
mod scale;
mod servers;
mod wire;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use cache_core::{ClearScope, Key, KeySpace, Read, Timeout};
use tokio::sync::Mutex;

use crate::wire::Wire;

with_each_driver!(
    reads_are_one_command,
    writes_are_one_command,
    counters_are_one_script,
    a_server_is_told_a_script_once,
    moves_are_one_command,
    many_are_read_by_one_command,
    many_are_written_in_one_exchange,
    many_are_removed_by_one_command,
    nothing_asked_is_nothing_sent,
    loads_read_once_and_write_once,
    a_clear_goes_page_by_page,
    a_clear_of_all_is_one_command,
);

/// Which scripts the server knows is everybody's matter.
static SCRIPTS: Mutex<()> = Mutex::const_new(());

const MINUTE: Duration = Duration::from_mins(1);

async fn reads_are_one_command(driver: &'static str) {
    let mut wire = Wire::of(driver).await;
    let cache = wire.cache.clone();
    let (space, key) = (KeySpace::new("", 1), "key");

    cache.aget::<i64>(key).await.expect("it is answered");
    wire.has_sent("aget of nothing", &["GET :1:key"]).await;
    cache.aset(key, &7, MINUTE).await.expect("it is taken");
    wire.sent().await;
    cache.aget::<i64>(key).await.expect("it is answered");
    wire.has_sent("aget", &["GET :1:key"]).await;
    let with_token = Read::LEADER.with_token();
    wire.open.store.aget(&Key::new(&space, key), with_token).await.expect("it is answered");
    wire.has_sent("aget with a token", &["GET :1:key"]).await;
    cache.ahas_key(key).await.expect("it is answered");
    wire.has_sent("ahas_key", &["EXISTS :1:key"]).await;
    cache.alife(key).await.expect("it is answered");
    wire.has_sent("alife", &["PTTL :1:key"]).await;
    cache.aping().await.expect("it is answered");
    wire.has_sent("aping", &["PING"]).await;
}

async fn writes_are_one_command(driver: &'static str) {
    let mut wire = Wire::of(driver).await;
    let cache = wire.cache.clone();
    let key = "key";

    cache.aset(key, &7, MINUTE).await.expect("it is taken");
    wire.has_sent("aset", &["SET :1:key 7 PX 60000"]).await;
    cache.aset(key, "text", MINUTE).await.expect("it is taken");
    wire.has_sent("aset of text", &[r"SET :1:key \x81\xa4text PX 60000"]).await;
    cache.aset(key, &7, Timeout::Default).await.expect("it is taken");
    wire.has_sent("aset with the timeout of the alias", &["SET :1:key 7 PX 300000"]).await;
    cache.aset(key, &7, Duration::from_micros(1_500)).await.expect("it is taken");
    wire.has_sent("aset for a time that is rounded up", &["SET :1:key 7 PX 2"]).await;
    cache.aset(key, &7, Timeout::Forever).await.expect("it is taken");
    wire.has_sent("aset for ever", &["SET :1:key 7"]).await;
    cache.aset(key, &7, Duration::ZERO).await.expect("it is taken");
    wire.has_sent("aset for no time", &["UNLINK :1:key"]).await;

    assert!(cache.aadd(key, &7, MINUTE).await.expect("it is answered"), "{driver}");
    wire.has_sent("aadd", &["SET :1:key 7 NX PX 60000"]).await;
    assert!(!cache.aadd(key, &7, Timeout::Forever).await.expect("it is answered"), "{driver}");
    wire.has_sent("aadd for ever", &["SET :1:key 7 NX"]).await;
    assert!(!cache.aadd(key, &7, Duration::ZERO).await.expect("it is answered"), "{driver}");
    wire.has_sent("aadd for no time", &["EXISTS :1:key"]).await;

    assert!(cache.atouch(key, MINUTE).await.expect("it is answered"), "{driver}");
    wire.has_sent("atouch", &["PEXPIRE :1:key 60000"]).await;
    assert!(cache.atouch(key, Duration::ZERO).await.expect("it is answered"), "{driver}");
    wire.has_sent("atouch for no time", &["UNLINK :1:key"]).await;
    assert!(!cache.adelete(key).await.expect("it is answered"), "{driver}");
    wire.has_sent("adelete", &["UNLINK :1:key"]).await;
}

async fn counters_are_one_script(driver: &'static str) {
    let _scripts = SCRIPTS.lock().await;
    let mut wire = Wire::of(driver).await;
    let cache = wire.cache.clone();
    cache.aset("key", &7, MINUTE).await.expect("it is taken");
    // The server knows the scripts from here on.
    cache.aincr("key", 1).await.expect("it is a counter");
    cache.atouch("key", Timeout::Forever).await.expect("it is answered");
    wire.sent().await;

    assert_eq!(cache.aincr("key", 5).await.expect("it is a counter"), 13, "{driver}");
    wire.has_sent("aincr", &["EVALSHA <digest> 1 :1:key 5"]).await;
    assert_eq!(cache.adecr("key", 3).await.expect("it is a counter"), 10, "{driver}");
    wire.has_sent("adecr", &["EVALSHA <digest> 1 :1:key -3"]).await;
    cache.aincr("absent", 1).await.expect_err("there is none");
    wire.has_sent("aincr of nothing", &["EVALSHA <digest> 1 :1:absent 1"]).await;
    assert!(cache.atouch("key", Timeout::Forever).await.expect("it is answered"), "{driver}");
    wire.has_sent("atouch for ever", &["EVALSHA <digest> 1 :1:key"]).await;
}

async fn a_server_is_told_a_script_once(driver: &'static str) {
    let _scripts = SCRIPTS.lock().await;
    let mut wire = Wire::of(driver).await;
    let cache = wire.cache.clone();
    cache.aset("key", &7, MINUTE).await.expect("it is taken");
    // Also a server that has known it and has forgotten it.
    for sum in [8, 10] {
        wire.other.ask("SCRIPT FLUSH").await;
        wire.sent().await;
        assert_eq!(cache.aincr("key", 1).await.expect("it is a counter"), sum, "{driver}");
        let both = ["EVALSHA <digest> 1 :1:key 1", "EVAL <text> 1 :1:key 1"];
        wire.has_sent("the first aincr", &both).await;
        assert_eq!(cache.aincr("key", 1).await.expect("it is a counter"), sum + 1, "{driver}");
        wire.has_sent("the second aincr", &["EVALSHA <digest> 1 :1:key 1"]).await;
    }
}

async fn moves_are_one_command(driver: &'static str) {
    let mut wire = Wire::of(driver).await;
    let cache = wire.cache.clone();
    cache.aset("key", &7, MINUTE).await.expect("it is taken");
    wire.sent().await;
    assert_eq!(cache.aincr_version("key", 2).await.expect("it is there"), 3, "{driver}");
    wire.has_sent("aincr_version", &["RENAME :1:key :3:key"]).await;
    assert_eq!(cache.at_version(3).adecr_version("key", 2).await.expect("it is there"), 1, "{driver}");
    wire.has_sent("adecr_version", &["RENAME :3:key :1:key"]).await;
    cache.aincr_version("absent", 1).await.expect_err("there is none");
    wire.has_sent("aincr_version of nothing", &["RENAME :1:absent :2:absent"]).await;
    cache.aincr_version("key", 0).await.expect("it is there");
    wire.has_sent("aincr_version by nothing", &["EXISTS :1:key"]).await;
}

/// `MGET`, which is longer by the driver fred for three to five keys, and never
/// names a key that was not asked for.
async fn many_are_read_by_one_command(driver: &'static str) {
    let mut wire = Wire::of(driver).await;
    let cache = wire.cache.clone();
    for count in [1, 2, 3, 4, 5, 6, 7, 100, 1_000] {
        let keys: Vec<_> = (0..count).map(|number| format!("key:{number}")).collect();
        let _: HashMap<&String, i64> = cache.get_many(&keys).await.expect("it is answered");
        let mut expected: Vec<_> = keys.iter().map(|key| format!(":1:{key}")).collect();
        expected.insert(0, "MGET".to_owned());
        let [sent] = &wire.sent().await[..] else { panic!("{driver}: {count} keys are not one command") };
        if driver == "fred" && (3..6).contains(&count) {
            expected.resize(7, expected[count].clone());
        }
        assert_eq!(sent.words, expected, "{driver}: {count} keys");
    }
    let keys: Vec<_> = (0..1_001).map(|number| format!("key:{number}")).collect();
    let _: HashMap<&String, i64> = cache.get_many(&keys).await.expect("it is answered");
    let lengths: Vec<_> = wire.sent().await.iter().map(|command| command.words.len() - 1).collect();
    assert_eq!(lengths, [1_000, 1], "{driver}: in as many commands as it takes");

    let space = KeySpace::new("", 1);
    let keys: Vec<_> = keys[..3].iter().map(|key| Key::new(&space, key)).collect();
    wire.open.store.get_many(&keys, Read::LEADER.with_token()).await.expect("it is answered");
    wire.has_sent("get_many with tokens", &["GET :1:key:0", "GET :1:key:1", "GET :1:key:2"]).await;
}

/// What sets these to 7: with fred a script, where there are several.
fn set_together(driver: &str, names: &[String], when: &str, life: &str) -> Vec<String> {
    let keys: Vec<_> = names.iter().map(|name| format!(":1:{name}")).collect();
    if driver != "fred" || keys.len() == 1 {
        let words = |key: &String| {
            let px = if life.is_empty() { [""; 2] } else { ["PX", life] };
            let words = ["SET", key, "7", when].into_iter().chain(px);
            words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
        };
        return keys.iter().map(words).collect();
    }
    let count = keys.len().to_string();
    let head = ["EVAL", "<text>", &count].into_iter().chain(keys.iter().map(String::as_str));
    let values = keys.iter().flat_map(|_| ["7", life]);
    vec![head.chain([when]).chain(values).collect::<Vec<_>>().join(" ")]
}

async fn many_are_written_in_one_exchange(driver: &'static str) {
    let mut wire = Wire::of(driver).await;
    let cache = wire.cache.clone();
    for (count, timeout, life) in [(1, MINUTE.into(), "60000"), (100, Timeout::Forever, "")] {
        let names: Vec<_> = (0..count).map(|number| format!("key:{number}")).collect();
        cache.set_many(names.iter().map(|name| (name, &7)), timeout).await.expect("they are taken");
        let expected = set_together(driver, &names, "", life);
        let expected: Vec<_> = expected.iter().map(String::as_str).collect();
        wire.has_sent("set_many", &expected).await;
    }
    cache.set_many([("a", &7), ("b", &7)], Duration::ZERO).await.expect("they are taken");
    wire.has_sent("set_many for no time", &["UNLINK :1:a :1:b"]).await;
}

async fn many_are_removed_by_one_command(driver: &'static str) {
    let mut wire = Wire::of(driver).await;
    let cache = wire.cache.clone();
    for count in [1, 4, 100] {
        let keys: Vec<_> = (0..count).map(|number| format!("key:{number}")).collect();
        cache.delete_many(&keys).await.expect("they are removed");
        let expected = keys.iter().fold("UNLINK".to_owned(), |command, key| format!("{command} :1:{key}"));
        wire.has_sent("delete_many", &[&expected]).await;
    }
}

async fn nothing_asked_is_nothing_sent(driver: &'static str) {
    let mut wire = Wire::of(driver).await;
    let cache = wire.cache.clone();
    let none: [&str; 0] = [];
    let found: HashMap<&str, i64> = cache.get_many(none).await.expect("it is answered");
    assert!(found.is_empty(), "{driver}");
    cache.set_many([("", &7); 0], MINUTE).await.expect("it is answered");
    cache.delete_many(none).await.expect("it is answered");
    let loaded = cache.get_or_set_many(none, MINUTE, |_| async { HashMap::<String, i64>::new() }).await;
    assert!(loaded.expect("it is answered").is_empty(), "{driver}");
    cache.adecr_version("key", 7).await.expect_err("there is no such version");
    wire.has_sent("nothing", &[]).await;
}

async fn loads_read_once_and_write_once(driver: &'static str) {
    let mut wire = Wire::of(driver).await;
    let cache = wire.cache.clone();
    cache.aget_or_set("key", MINUTE, || async { 7 }).await.expect("it is loaded");
    wire.has_sent("a load", &["GET :1:key", "SET :1:key 7 NX PX 60000"]).await;
    cache.aget_or_set("key", MINUTE, || async { 8 }).await.expect("it is there");
    wire.has_sent("no load", &["GET :1:key"]).await;

    let loader = |missing: Vec<String>| async { missing.into_iter().map(|key| (key, 7)).collect() };
    cache.get_or_set_many(["key", "other"], MINUTE, loader).await.expect("they are loaded");
    wire.has_sent("a load of one of two", &["MGET :1:key :1:other", "SET :1:other 7 NX PX 60000"]).await;
    cache.get_or_set_many(["a", "b"], MINUTE, loader).await.expect("they are loaded");
    let mut all = vec!["MGET :1:a :1:b".to_owned()];
    all.extend(set_together(driver, &["a".to_owned(), "b".to_owned()], "NX", "60000"));
    wire.has_sent("a load of two", &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

async fn a_clear_goes_page_by_page(driver: &'static str) {
    let mut wire = Wire::of(driver).await;
    let cache = wire.open.cache_of(|builder| builder.key_prefix("a*[b]"));
    cache.set_many([("x", &1), ("y", &2)], MINUTE).await.expect("they are taken");
    for stays in ["a:1:x", "a*[b]:x:y", "a*[b]:1x:y", "a*[b]c:1:x", "ab:1:x"] {
        wire.other.set(stays, b"of another").await;
    }
    wire.sent().await;
    cache.aclear().await.expect("it is answered");
    let mut sent = wire.sent().await;
    sent[1].words[1..].sort();
    let shown: Vec<_> = sent.iter().map(crate::monitor::Sent::shown).collect();
    let scan = r"SCAN 0 MATCH a\\*\\[b\\]:[0-9]*:* COUNT 1000";
    assert_eq!(shown, [scan, "UNLINK a*[b]:1:x a*[b]:1:y"], "{driver}");
    for stays in ["a:1:x", "a*[b]:x:y", "a*[b]:1x:y", "a*[b]c:1:x", "ab:1:x"] {
        assert!(wire.other.get(stays).await.is_some(), "{driver}: {stays} stays");
    }

    let keys: Vec<_> = (0..2_500).map(|number| number.to_string()).collect();
    cache.set_many(keys.iter().map(|key| (key, &7)), MINUTE).await.expect("they are taken");
    cache.at_version(9).set_many(keys.iter().map(|key| (key, &7)), MINUTE).await.expect("they are taken");
    wire.sent().await;
    cache.aclear().await.expect("it is answered");
    let (mut scans, mut removed, mut is_scanned) = (0, BTreeSet::new(), false);
    for command in wire.sent().await {
        match &*command.words[0] {
            "SCAN" => {
                scans += 1;
                is_scanned = true;
            }
            "UNLINK" => {
                assert!(is_scanned, "{driver}: a page is removed by one command");
                is_scanned = false;
                removed.extend(command.words.into_iter().skip(1));
            }
            _ => panic!("{driver}: {command:?}"),
        }
    }
    let expected =
        [1, 9].iter().flat_map(|version| keys.iter().map(move |key| format!("a*[b]:{version}:{key}")));
    assert_eq!(removed, expected.collect(), "{driver}: all of them, and no other");
    assert!((5..20).contains(&scans), "{driver}: {scans} pages");
}

async fn a_clear_of_all_is_one_command(driver: &'static str) {
    let mut wire = Wire::of(driver).await;
    let cache = wire.open.cache_of(|builder| builder.clear(ClearScope::All));
    wire.other.set("of another", b"goes too").await;
    wire.sent().await;
    cache.aclear().await.expect("it is answered");
    wire.has_sent("aclear", &["FLUSHDB ASYNC"]).await;
    assert_eq!(wire.other.get("of another").await, None, "{driver}");
}
