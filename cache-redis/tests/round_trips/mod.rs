//! How often an operation waits for the server, counted on the way there.

use std::collections::HashMap;
use std::time::Duration;

use cache_core::{Entry, Format, Key, KeySpace, Life, NewEntry, Read, Timeout, When, Write};

use crate::SCRIPTS;
use crate::opening::Open;
use crate::proxy::Proxy;
use crate::resp::Client;
use crate::servers::{Server, of_driver};

with_each_driver!(single_operations_are_one_trip, bulk_operations_are_one_trip, loads_are_two_trips);

const MINUTE: Duration = Duration::from_mins(1);

/// A store that reaches its server by a proxy.
struct Route {
    driver: &'static str,
    open: Open,
    proxy: Proxy,
    before: usize,
}

impl Route {
    async fn of(driver: &'static str) -> Self {
        let settings = Server::Plain.settings(driver);
        Client::alone_with(&settings).await;
        let proxy = Proxy::before(&settings).await;
        let open = Open::with(&of_driver(driver, &proxy.location()));
        open.store.aping().await.expect("the server is there");
        Self { driver, open, before: proxy.trips()[0], proxy }
    }

    /// That so many trips were made since it was asked last, all by one
    /// connection.
    fn has_made(&mut self, what: &str, trips: usize) {
        let [all] = self.proxy.trips()[..] else { panic!("{}: it has one connection", self.driver) };
        assert_eq!(all - self.before, trips, "{}: trips of {what}", self.driver);
        self.before = all;
    }
}

async fn single_operations_are_one_trip(driver: &'static str) {
    let _scripts = SCRIPTS.lock().await;
    let mut route = Route::of(driver).await;
    let cache = route.open.cache();
    cache.aset("key", &7, MINUTE).await.expect("it is taken");
    route.has_made("aset", 1);
    cache.aget::<i64>("key").await.expect("it is answered");
    route.has_made("aget", 1);
    cache.aincr("key", 1).await.expect("it is a counter");
    cache.atouch("key", Timeout::Forever).await.expect("it is answered");
    route.before = route.proxy.trips()[0];
    cache.aincr("key", 1).await.expect("it is a counter");
    route.has_made("aincr", 1);
    cache.atouch("key", Timeout::Forever).await.expect("it is answered");
    route.has_made("atouch", 1);
    cache.aincr_version("key", 1).await.expect("it is there");
    route.has_made("aincr_version", 1);
    for _ in 0..3 {
        cache.adelete("key").await.expect("it is answered");
    }
    route.has_made("three deletes one after the other", 3);
}

async fn bulk_operations_are_one_trip(driver: &'static str) {
    let mut route = Route::of(driver).await;
    let cache = route.open.cache();
    for count in [2, 3, 5, 100, 1_000] {
        let keys: Vec<_> = (0..count).map(|number| format!("key:{number}")).collect();
        cache.set_many(keys.iter().map(|key| (key, &7)), MINUTE).await.expect("they are taken");
        route.has_made(&format!("set_many of {count}"), 1);
        let found: HashMap<&String, i64> = cache.get_many(&keys).await.expect("it is answered");
        route.has_made(&format!("get_many of {count}"), 1);
        assert_eq!(found.len(), count, "{driver}");

        let space = KeySpace::new("", 1);
        let keys_of_the_trait: Vec<_> = keys.iter().map(|key| Key::new(&space, key)).collect();
        let with_token = Read::LEADER.with_token();
        let found = route.open.store.get_many(&keys_of_the_trait, with_token).await.expect("it is answered");
        route.has_made(&format!("get_many of {count} with tokens"), 1);
        // Each under its condition, every second by the script.
        let format = Format::default();
        let items = keys_of_the_trait.iter().zip(found).enumerate().map(|(number, (key, found))| {
            let found = found.expect("it is answered").expect("it is there");
            let when = match number % 2 {
                0 => When::Unchanged(found.token.expect("it was asked for")),
                _ => When::Present,
            };
            (*key, NewEntry::of(Entry::from_integer(8), &format), Write::new(Life::Forever).when(when))
        });
        let items: Vec<_> = items.collect();
        let written = route.open.store.set_many(&items).await.expect("it is answered");
        route.has_made(&format!("set_many of {count} under conditions"), 1);
        assert!(written.into_iter().all(|written| written.is_ok_and(|written| written)), "{driver}");

        cache.delete_many(&keys).await.expect("they are removed");
        route.has_made(&format!("delete_many of {count}"), 1);
    }
}

/// One to look, and one to store what was loaded.
async fn loads_are_two_trips(driver: &'static str) {
    let mut route = Route::of(driver).await;
    let cache = route.open.cache();
    cache.aget_or_set("key", MINUTE, || async { 7 }).await.expect("it is loaded");
    route.has_made("a load", 2);
    cache.aget_or_set("key", MINUTE, || async { 8 }).await.expect("it is there");
    route.has_made("no load", 1);
    let keys: Vec<_> = (0..100).map(|number| format!("key:{number}")).collect();
    let load = |missing: Vec<String>| async { missing.into_iter().map(|key| (key, 7)).collect() };
    let loaded = cache.get_or_set_many(&keys, MINUTE, load).await.expect("they are loaded");
    route.has_made("a load of many", 2);
    assert_eq!(loaded.len(), keys.len(), "{driver}");
}
