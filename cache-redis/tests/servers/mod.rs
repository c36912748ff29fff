//! The servers of a test run, the drivers, and stores between them.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use cache_core::{
    AsyncCache, Backend as _, Cache, Context, Layering, RoutingSettings, SettingValue, Settings, Trip,
    TripSettings,
};
use cache_redis::{RedisBackend, RedisStore};
use futures::FutureExt as _;

/// Every test runs with each of them.
pub(crate) const DRIVERS: [&str; 2] = ["redis-rs", "fred"];

/// Each of them, and each with single operations that travel together under
/// load, as what is put behind its name says.
pub(crate) const WAYS: [&str; 4] = ["redis-rs", "fred", "redis-rs, batched", "fred, batched"];

/// A server that `cargo xtask services` has started, by its variable.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Server {
    Plain,
    Tls,
    Unix,
}

/// How the servers that `cargo xtask services` starts are told to be.
const DATABASES: i64 = 16_384;

impl Server {
    pub(crate) const ALL: [Self; 3] = [Self::Plain, Self::Tls, Self::Unix];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tls => "tls",
            Self::Unix => "unix",
        }
    }

    /// Where it is.
    pub(crate) fn location(self) -> String {
        variable(match self {
            Self::Plain => "CACHE_TEST_REDIS",
            Self::Tls => "CACHE_TEST_REDIS_TLS",
            Self::Unix => "CACHE_TEST_REDIS_UNIX",
        })
    }

    /// Settings for this driver, with a database that no other test of this
    /// program uses.
    pub(crate) fn settings(self, driver: &str) -> Settings {
        let database = next_database();
        let separator = if self.location().contains('?') { '&' } else { '?' };
        let location = format!("{}{separator}db={database}", self.location());
        of_driver(driver, &location)
    }
}

/// Settings for a location and a driver.
pub(crate) fn of_driver(driver: &str, location: &str) -> Settings {
    of_locations(driver, vec![location.to_owned()])
}

/// Settings for a leader and its replicas.
pub(crate) fn of_locations(driver: &str, locations: Vec<String>) -> Settings {
    let (driver, is_batched) = match driver.split_once(", ") {
        Some((driver, _)) => (driver, true),
        None => (driver, false),
    };
    Settings::new(locations)
        .with("driver", SettingValue::Text(driver.to_owned()))
        .with(BATCHING, SettingValue::Boolean(is_batched))
}

/// No option of the store, but of what stands around it.
const BATCHING: &str = "batching";

pub(crate) fn is_batched(settings: &Settings) -> bool {
    settings.boolean(BATCHING) == Some(true)
}

/// Settings for a leader and two replicas, with a database that no other test
/// of this program uses.
pub(crate) fn replicated(driver: &str) -> Settings {
    let database = next_database();
    let locations = variable("CACHE_TEST_REDIS_REPLICAS");
    let locations = locations.split(',').map(|location| format!("{location}?db={database}"));
    of_locations(driver, locations.collect())
}

fn next_database() -> i64 {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed) % DATABASES
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set: run `cargo xtask test cache-redis`, or first \
             `eval \"$(cargo xtask services up --env)\"`"
        )
    })
}

/// A store with the layer that keeps deadlines.
pub(crate) fn trip(settings: &Settings, context: &Context) -> Arc<Trip> {
    let store = RedisStore::open(settings, context).expect("the settings are fine");
    Arc::new(Trip::new(Arc::new(store), TripSettings::of(context)))
}

/// A store as a configuration opens it, with all its layers.
pub(crate) fn open(settings: &Settings, context: &Context) -> Arc<dyn AsyncCache> {
    open_routed(settings, context, RoutingSettings::new())
}

/// The same, with reads spread so.
pub(crate) fn open_routed(
    settings: &Settings,
    context: &Context,
    routing: RoutingSettings,
) -> Arc<dyn AsyncCache> {
    let is_batched = is_batched(settings);
    let layering = Layering::new().routing(routing).batch_reads(is_batched).batch_writes(is_batched);
    let opened = RedisBackend.open(settings.clone(), context).now_or_never();
    let opened = opened.expect("it waits for nothing").expect("the settings are fine");
    opened.layered(&layering, context)
}

/// A handle as a configuration opens it.
pub(crate) fn cache(settings: &Settings) -> Cache {
    let context = Context::new("test");
    let store = open(settings, &context);
    Cache::builder(store).context(&context).deadline(context.deadline).build()
}
