//! The servers of a test run, the drivers, and stores between them.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use cache_core::{Cache, Context, SettingValue, Settings, Trip, TripSettings};
use cache_redis::RedisStore;

/// Every test runs with each of them.
pub(crate) const DRIVERS: [&str; 2] = ["redis-rs", "fred"];

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
        let variable = match self {
            Self::Plain => "CACHE_TEST_REDIS",
            Self::Tls => "CACHE_TEST_REDIS_TLS",
            Self::Unix => "CACHE_TEST_REDIS_UNIX",
        };
        std::env::var(variable).unwrap_or_else(|_| {
            panic!(
                "{variable} is not set: run `cargo xtask test cache-redis`, or first \
                 `eval \"$(cargo xtask services up --env)\"`"
            )
        })
    }

    /// Settings for this driver, with a database that no other test of this
    /// program uses.
    pub(crate) fn settings(self, driver: &str) -> Settings {
        static NEXT: AtomicI64 = AtomicI64::new(1);
        let database = NEXT.fetch_add(1, Ordering::Relaxed) % DATABASES;
        let separator = if self.location().contains('?') { '&' } else { '?' };
        let location = format!("{}{separator}db={database}", self.location());
        of_driver(driver, &location)
    }
}

/// Settings for a location and a driver.
pub(crate) fn of_driver(driver: &str, location: &str) -> Settings {
    Settings::new(vec![location.to_owned()]).with("driver", SettingValue::Text(driver.to_owned()))
}

/// A store as a configuration opens it, with the layer that keeps deadlines.
pub(crate) fn open(settings: &Settings, context: &Context) -> Arc<Trip> {
    let store = RedisStore::open(settings, context).expect("the settings are fine");
    let trip = TripSettings::new(&context.alias, context.deadline, Arc::clone(&context.clock))
        .counters(context.counters.clone())
        .timer(Arc::clone(&context.timer));
    Arc::new(Trip::new(Arc::new(store), trip))
}

/// A handle as a configuration opens it.
pub(crate) fn cache(settings: &Settings) -> Cache {
    let context = Context::new("test");
    let store = open(settings, &context);
    Cache::builder(store).context(&context).deadline(context.deadline).build()
}
