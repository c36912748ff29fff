//! What is said of settings of Redis that cannot be used, and of those of
//! Django that do nothing. No server is needed.
#![cfg(all(feature = "mem", feature = "redis"))]

mod logged;
mod refused;

use cache_sdk::{Caches, CachesBuilder, ErrorKind};
use serde_json::{Value as Json, json};

use crate::logged::Log;
use crate::refused::{PASSWORD, refused};

/// An alias at this location, with more lines.
fn at(location: &str, more: &str) -> CachesBuilder {
    Caches::builder().toml(&format!("[caches.default]\nbackend = 'redis'\nlocation = '{location}'\n{more}"))
}

const FORMS: &str = "expected `redis://host:6379/0`, `rediss://` for TLS, `unix:/path`, or `host:port`";

#[tokio::test]
async fn bad_locations() {
    for (location, problem) in [
        (format!("http://:{PASSWORD}@h"), format!("its scheme is not known; {FORMS}")),
        (format!("redis://:{PASSWORD}@"), format!("it names no host; {FORMS}")),
        (
            format!("redis://:{PASSWORD}@h:port"),
            format!(
                "its port is no number from 1 to 65535 (in a password `/`, `?`, `#` and `@` are written with a percent \
                 sign: `%2F`, `%3F`, `%23`, `%40`); {FORMS}"
            ),
        ),
        (
            format!("redis://:{PASSWORD}@h/one"),
            "its database is no number from 0: `redis://host:6379/0`".to_owned(),
        ),
        (
            format!("redis+sentinel://:{PASSWORD}@h"),
            "sentinels and clusters are not supported yet: name one server".to_owned(),
        ),
        ("unix:relative".to_owned(), "the path of the socket has to be absolute: `unix:/path`".to_owned()),
    ] {
        let message = format!("alias `default`: `location` cannot be used: {problem}");
        refused(at(&location, ""), &message).await;
    }
    refused(
        Caches::builder().toml("[caches.default]\nbackend = 'redis'"),
        "alias `default`: `location` is missing: where the server is, such as `redis://127.0.0.1:6379/0`",
    )
    .await;
}

#[tokio::test]
async fn bad_locations_of_many() {
    let separators = "a `;` or `,` begins another location; in a password it is written `%3B` or `%2C`";
    for (location, which, problem) in [
        ("'redis://a;http://b'", "replica 1", "its scheme is not known; "),
        ("['redis://a', 'redis://b', 'redis://c:0']", "replica 2", "its port is no number from 1 to 65535"),
        (
            "['unix:relative', 'redis://b']",
            "the first, the leader",
            "the path of the socket has to be absolute: `unix:/path`",
        ),
        // A password with a separator in it.
        ("'redis://:hunter,2@a'", "the first, the leader", "it names no host; "),
    ] {
        let builder =
            Caches::builder().toml(&format!("[caches.default]\nbackend = 'redis'\nlocation = {location}"));
        let error = builder.open().await.expect_err("it cannot be used");
        let text = error.to_string();
        let begins =
            format!("configuration: alias `default`: `location` ({which}) cannot be used: {problem}");
        assert!(text.contains(&begins) && text.ends_with(&format!(" ({separators})")), "{text}");
        assert!(!text.contains("hunter"), "{text}");
    }
}

#[tokio::test]
async fn bad_options() {
    for (more, problem) in [
        (
            "options.pool_size = 0",
            "`pool_size`: expected a whole number from 1 to 256, found a number out of range",
        ),
        ("options.driver = 'jedis'", "`driver`: expected one of \"fred\", \"redis-rs\", found text"),
        (
            "options.password = 'hunter2'\noptions.password_file = '/dev/null'",
            "`password_file` stands beside another password: give one of them",
        ),
        ("options.password_file = '/no/such/file'", "`password_file` cannot be read"),
        (
            "options.username = 'ada'",
            "`username` needs a password: `password`, `password_file`, or one in the location",
        ),
        ("options.client_name = 'two words'", "`client_name` may have no blanks, and only ASCII"),
        (
            "options.tls_ca_file = '/no/such/file'",
            "the options for TLS need a `location` with TLS: `rediss://host:6379/0`",
        ),
        (
            "options.database = -1",
            "`database`: expected a whole number from 0 to 2147483647, found a number out of range",
        ),
    ] {
        refused(at("redis://h", more), &format!("alias `default`: {problem}")).await;
    }
    for (more, problem) in [
        ("options.tls_ca_file = '/no/such/file'", "`tls_ca_file` cannot be read"),
        ("options.tls_ca_file = '/dev/null'", "`tls_ca_file` holds no certificate in PEM"),
    ] {
        refused(at("rediss://h", more), &format!("alias `default`: {problem}")).await;
    }
}

#[tokio::test]
async fn bad_parameters_of_a_location() {
    for (parameter, problem) in [
        ("pool_size=0", "`pool_size` in `location`: expected a whole number from 1 to 256"),
        (
            "ssl_cert_reqs=none",
            "`ssl_cert_reqs` in `location`: take it out, since certificates and host names are always checked; if the \
             system does not trust the server's authority, name it in `ssl_ca_certs` (`tls_ca_file`)",
        ),
        (
            "hunter2=1",
            "`location` has a parameter that is not known; accepted: `db`, `driver`, `pool_size`, `username`, `password`, \
             `password_file`, `database`, `client_name`, `connect_deadline`, `max_in_flight`, `max_waiting`, \
             `tls_ca_file`, `tls_cert_file`, `tls_key_file`",
        ),
    ] {
        let location = format!("redis://h?{parameter}");
        refused(at(&location, ""), &format!("alias `default`: {problem}")).await;
    }
}

/// What is told of an alias that loads.
async fn told(alias: &Json) -> String {
    let (log, _guard) = Log::start();
    let caches = Caches::from_json(&json!({ "default": alias }).to_string()).await;
    caches.unwrap_or_else(|error| panic!("{alias}: {error}"));
    log.text()
}

const BYTES: &str = " WARN cache::config: alias `default`: entries are not pickled, so that Django does not read them, \
                     nor are its own read here; a `KEY_PREFIX` of its own keeps the two apart\n";

#[tokio::test]
async fn django_s_spelling_is_told_that_bytes_differ() {
    for backend in ["django.core.cache.backends.redis.RedisCache", "django_redis.cache.RedisCache"] {
        let alias = json!({"BACKEND": backend, "LOCATION": "redis://127.0.0.1:6379/1"});
        assert_eq!(told(&alias).await, BYTES);
    }
    assert_eq!(told(&json!({"backend": "redis", "location": "127.0.0.1"})).await, "");
}

#[tokio::test]
async fn options_of_django_redis_are_read_or_told_of() {
    let alias = json!({
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": format!("redis://:{PASSWORD}@127.0.0.1:6379/1"),
        "OPTIONS": {
            "PASSWORD": null, "SOCKET_CONNECT_TIMEOUT": 2,
            "CONNECTION_POOL_KWARGS": {"max_connections": 100, "client_name": "shop"},
        },
    });
    let told = told(&alias).await;
    assert!(told.contains("`OPTIONS.CONNECTION_POOL_KWARGS.max_connections` has no effect"), "{told}");
    assert!(told.ends_with(BYTES) && told.lines().count() == 2, "{told}");
    let mut bad = alias;
    bad["OPTIONS"]["CONNECTION_POOL_KWARGS"] = json!({"client_nam": "shop"});
    let error = Caches::from_json(&json!({ "default": bad }).to_string()).await.expect_err("it is misspelt");
    let expected = "opening failed: configuration: alias `default`: `CONNECTION_POOL_KWARGS.client_nam` is not among the \
                    `OPTIONS` of `django_redis.cache.RedisCache`; accepted: `db`, `username`, `password`, `client_name`, \
                    `socket_connect_timeout`, `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile`; did you mean `client_name`?";
    assert_eq!(error.to_string(), expected);
}

/// Loading succeeds while the server is down, and a call says that it is.
#[tokio::test]
async fn a_server_that_is_down_is_told_of_by_the_first_call() {
    // A port that is handed out to nobody.
    let address = "127.0.0.1:1";
    let mut drivers = vec!["fred"];
    if cfg!(feature = "redis-rs") {
        drivers.push("redis-rs");
    }
    for driver in drivers {
        let builder = at(&format!("redis://:{PASSWORD}@{address}"), &format!("options.driver = '{driver}'"));
        let caches = builder.open().await.expect("it is not needed yet");
        let cache = caches.default().expect("it is there");
        let error = cache.aget::<i64>("key").await.expect_err("nobody listens");
        assert_eq!(error.kind(), ErrorKind::Connection);
        let expected = format!("aget on cache `default` failed: no connection: cannot connect to {address}");
        assert_eq!(error.to_string(), expected, "{driver}");
        assert!(!format!("{error:?} {cache:?} {caches:?}").contains(PASSWORD));
        let error = cache.aping().await.expect_err("nobody listens");
        assert_eq!(error.kind(), ErrorKind::Connection);
    }
}
