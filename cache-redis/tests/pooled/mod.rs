//! Several connections: each key has its own.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use cache_core::{Key, KeySpace, Read, SettingValue, Settings, Timeout};

use crate::SCRIPTS;
use crate::monitor::Sent;
use crate::opening::Open;
use crate::proxy::Proxy;
use crate::resp::Client;
use crate::servers::{Server, of_driver};
use crate::wire::Wire;

with_each_driver!(
    a_key_goes_by_one_connection,
    writes_of_many_are_one_trip_a_connection,
    reads_of_many_are_one_command,
    a_clear_removes_by_the_connections_of_the_keys,
    as_many_connections_as_asked_for,
);

const SIZE: i64 = 4;

const MINUTE: Duration = Duration::from_mins(1);

fn pooled(settings: Settings) -> Settings {
    settings.with("pool_size", SettingValue::Integer(SIZE))
}

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("name-{number}")).collect()
}

/// By which connections each name went.
#[derive(Default)]
struct Ways(BTreeMap<String, BTreeSet<String>>);

impl Ways {
    fn add(&mut self, sent: &[Sent]) {
        for command in sent {
            let words = &command.words;
            let keys = match &*words[0] {
                "SET" | "GET" | "EXISTS" | "PTTL" | "PEXPIRE" => &words[1..2],
                "RENAME" => &words[1..3],
                "EVALSHA" | "EVAL" => &words[3..4],
                "UNLINK" => &words[1..],
                "PING" | "SELECT" | "CLIENT" | "SCAN" => &[],
                other => panic!("{other} is not known here"),
            };
            for key in keys {
                let name = key.rsplit(':').next().expect("there is always one").to_owned();
                self.0.entry(name).or_default().insert(command.client.clone());
            }
        }
    }

    /// That each has one way, and that no connection idles.
    fn are_apart(&self, driver: &str) {
        let mut all = BTreeSet::new();
        for (name, ways) in &self.0 {
            assert_eq!(ways.len(), 1, "{driver}: {name} goes by {ways:?}");
            all.extend(ways.iter().cloned());
        }
        assert_eq!(all.len(), 4, "{driver}: {all:?}");
    }
}

/// All its versions, and whatever is done to it.
async fn a_key_goes_by_one_connection(driver: &'static str) {
    let _scripts = SCRIPTS.lock().await;
    let mut wire = Wire::with(driver, pooled(Server::Plain.settings(driver))).await;
    let (cache, keys, mut ways) = (wire.cache.clone(), keys(40), Ways::default());
    let second = cache.at_version(2);
    for key in &keys {
        cache.aset(key, &1, MINUTE).await.expect("it is taken");
        cache.aget::<i64>(key).await.expect("it is answered");
        cache.aincr(key, 1).await.expect("it is a counter");
        cache.aincr_version(key, 1).await.expect("it is there");
        second.aget::<i64>(key).await.expect("it is answered");
        second.atouch(key, Timeout::Forever).await.expect("it is answered");
        second.alife(key).await.expect("it is answered");
        second.adecr_version(key, 1).await.expect("it is there");
        cache.aadd(key, &1, MINUTE).await.expect("it is answered");
        cache.ahas_key(key).await.expect("it is answered");
        cache.atouch(key, MINUTE).await.expect("it is answered");
        cache.adelete(key).await.expect("it is answered");
        cache.aget_or_set(key, MINUTE, || async { 7 }).await.expect("it is loaded");
    }
    cache.set_many(keys.iter().map(|key| (key, &7)), MINUTE).await.expect("they are taken");
    second.set_many(keys.iter().map(|key| (key, &7)), MINUTE).await.expect("they are taken");
    let space = KeySpace::new("", 1);
    let of_the_trait: Vec<_> = keys.iter().map(|key| Key::new(&space, key)).collect();
    wire.open.store.get_many(&of_the_trait, Read::LEADER.with_token()).await.expect("it is answered");
    cache.delete_many(&keys).await.expect("they are removed");
    second.delete_many(&keys).await.expect("they are removed");
    ways.add(&wire.sent().await);
    assert_eq!(ways.0.len(), keys.len(), "{driver}");
    ways.are_apart(driver);
}

/// And by each connection together, not between commands of others.
async fn writes_of_many_are_one_trip_a_connection(driver: &'static str) {
    let settings = Server::Plain.settings(driver);
    Client::alone_with(&settings).await;
    let proxy = Proxy::before(&settings).await;
    let open = Open::with(&pooled(of_driver(driver, &proxy.location())));
    let (cache, keys) = (open.cache(), keys(100));
    cache.delete_many(&keys).await.expect("they are removed");
    let mut before = proxy.trips();
    assert_eq!(before.len(), 4, "{driver}: connections");
    let mut one_each = |what: &str| {
        let after = proxy.trips();
        let trips: Vec<_> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
        assert_eq!(trips, [1, 1, 1, 1], "{driver}: trips of {what}");
        before = after;
    };
    cache.set_many(keys.iter().map(|key| (key, &7)), MINUTE).await.expect("they are taken");
    one_each("set_many");
    cache.delete_many(&keys).await.expect("they are removed");
    one_each("delete_many");
}

/// A read of many asks once, and does not have to be in step with anything.
async fn reads_of_many_are_one_command(driver: &'static str) {
    let mut wire = Wire::with(driver, pooled(Server::Plain.settings(driver))).await;
    let keys = keys(100);
    wire.cache.set_many(keys.iter().map(|key| (key, &7)), MINUTE).await.expect("they are taken");
    wire.sent().await;
    let found: HashMap<&String, i64> = wire.cache.get_many(&keys).await.expect("it is answered");
    assert_eq!(found.len(), keys.len(), "{driver}");
    let sent = wire.sent().await;
    assert_eq!(sent.len(), 1, "{driver}: {sent:?}");
    assert_eq!((&*sent[0].words[0], sent[0].words.len()), ("MGET", 101), "{driver}");
}

async fn a_clear_removes_by_the_connections_of_the_keys(driver: &'static str) {
    let mut wire = Wire::with(driver, pooled(Server::Plain.settings(driver))).await;
    let (keys, mut ways) = (keys(1_500), Ways::default());
    wire.cache.set_many(keys.iter().map(|key| (key, &7)), MINUTE).await.expect("they are taken");
    wire.cache
        .at_version(2)
        .set_many(keys.iter().map(|key| (key, &7)), MINUTE)
        .await
        .expect("they are taken");
    wire.cache.aclear().await.expect("it is answered");
    let sent = wire.sent().await;
    let removed = sent.iter().filter(|command| command.words[0] == "UNLINK");
    assert_eq!(removed.map(|command| command.words.len() - 1).sum::<usize>(), 2 * keys.len(), "{driver}");
    ways.add(&sent);
    assert_eq!(ways.0.len(), keys.len(), "{driver}");
    ways.are_apart(driver);
}

async fn as_many_connections_as_asked_for(driver: &'static str) {
    let name = format!("pooled-{driver}-{}", std::process::id());
    let settings =
        pooled(Server::Plain.settings(driver)).with("client_name", SettingValue::Text(name.clone()));
    let mut other = Client::alone_with(&settings).await;
    let (open, keys) = (Open::with(&settings), keys(100));
    let cache = open.cache();
    for _ in 0..10 {
        cache.set_many(keys.iter().map(|key| (key, &7)), MINUTE).await.expect("they are taken");
        let reads = keys.iter().map(|key| cache.aget::<i64>(key));
        for read in futures::future::join_all(reads).await {
            assert_eq!(read.expect("it is answered"), Some(7), "{driver}");
        }
    }
    assert_eq!(other.connections_of(&name).await, 4, "{driver}");
    cache.aclose().await.expect("it is closed");
    crate::patience::eventually("they are gone", async || other.connections_of(&name).await == 0).await;
}
