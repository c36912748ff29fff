//! A server that answers, and refuses.

mod own_server;
mod servers;
mod traffic;

use std::error::Error as _;
use std::fs;
use std::time::Duration;

use cache_core::{
    AsyncCache as _, Clock, Context, Error, ErrorKind, Result, SettingValue, SystemClock, Timeout,
};
use cache_redis::RedisStore;
use futures::future::join_all;

use own_server::{OwnServer, bare_cache, cache, settings};
use servers::DRIVERS;
use traffic::{Outcome, Traffic, What};

const DEADLINE: Duration = Duration::from_secs(1);

const RESUMES_WITHIN: Duration = Duration::from_millis(1_500);

async fn pause(millis: u64) {
    SystemClock.sleep_until(SystemClock.precise().after(Duration::from_millis(millis))).await;
}

/// An error of this kind whose text holds these words, and no secret.
#[track_caller]
fn is_refused<T: std::fmt::Debug>(outcome: Result<T>, kind: ErrorKind, words: &str) -> Error {
    let error = outcome.expect_err("it is refused");
    assert_eq!(error.kind(), kind, "{error:?}");
    let texts = all_texts(&error);
    assert!(texts.contains(words), "{texts}");
    assert!(!texts.contains("s3cret") && !texts.contains("gu3ss"), "{texts}");
    error
}

/// What it and its sources say, also those of the keys of a bulk call.
fn all_texts(error: &Error) -> String {
    let mut texts = vec![format!("{error} {error:?}")];
    let mut source = error.source();
    while let Some(next) = source {
        texts.push(format!("{next} {next:?}"));
        source = next.source();
    }
    texts.join(" ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_refuses_writes_and_nothing_else() {
    join_all(DRIVERS.map(async |driver| {
        let server = OwnServer::start(&["--maxmemory-policy", "noeviction"]).await;
        let cache = cache(&settings(driver, &server.location(), &[]), DEADLINE);
        cache.aset("text", "t", Timeout::Forever).await.expect("there is room");
        cache.aset("number", &1, Timeout::Forever).await.expect("there is room");
        cache.aincr("number", 1).await.expect("there is room");
        server.obeys(&["CONFIG", "SET", "maxmemory", "1mb"]);

        let (large, full) = ("l".repeat(1_000), ErrorKind::Full);
        is_refused(cache.aset("new", &large, Timeout::Forever).await, full, "maxmemory");
        is_refused(cache.aadd("new", &large, Timeout::Forever).await, full, "maxmemory");
        is_refused(cache.aset("text", "s", Timeout::Forever).await, full, "maxmemory");
        let many = [("new", &large), ("text", &large)];
        let error = is_refused(cache.set_many(many, Timeout::Forever).await, full, "maxmemory");
        let kinds: Vec<_> = error.failures().iter().map(|(at, error)| (*at, error.kind())).collect();
        assert_eq!(kinds, [(0, full), (1, full)]);
        is_refused(cache.aincr("number", 1).await, full, "maxmemory");

        assert_eq!(cache.aget::<String>("text").await.expect("a read").as_deref(), Some("t"));
        assert_eq!(cache.aget::<i64>("number").await.expect("a read"), Some(2));
        assert_eq!(cache.get_many::<String, _>(["text", "new"]).await.expect("a read").len(), 1);
        assert!(!cache.ahas_key("new").await.expect("a read"));
        assert!(cache.atouch("text", Duration::from_mins(1)).await.expect("it takes no room"));
        assert!(cache.adelete("text").await.expect("it makes room"));

        server.obeys(&["CONFIG", "SET", "maxmemory", "0"]);
        cache.aset("new", &large, Timeout::Forever).await.expect("there is room again");
        assert_eq!(cache.aincr("number", 1).await.expect("there is room again"), 3);
        let stats = cache.stats();
        assert_eq!((stats.outages, stats.reconnections), (0, 0), "{driver}: it answers all the time");
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demoted_leader_refuses_writes_until_it_leads_again() {
    join_all(DRIVERS.map(async |driver| {
        let server = OwnServer::start(&[]).await;
        let cache = cache(&settings(driver, &server.location(), &[]), DEADLINE);
        let traffic = Traffic::begin(&cache).await;
        // Longer than a connection is too young to be given up.
        traffic.goes_on(Duration::from_millis(1_200)).await;
        let demoted = SystemClock.precise();
        server.obeys(&["REPLICAOF", "127.0.0.1", "1"]);
        pause(100).await;
        let words = "replica";
        is_refused(cache.aset("key", "v", Timeout::Forever).await, ErrorKind::ReadOnly, words);
        is_refused(cache.aadd("other", "v", Timeout::Forever).await, ErrorKind::ReadOnly, words);
        is_refused(cache.set_many([("key", "v")], Timeout::Forever).await, ErrorKind::ReadOnly, words);
        is_refused(cache.aincr("counter", 1).await, ErrorKind::ReadOnly, words);
        is_refused(cache.adelete("task-0").await, ErrorKind::ReadOnly, words);
        is_refused(cache.delete_many(["task-0"]).await, ErrorKind::ReadOnly, words);
        is_refused(cache.atouch("task-0", Duration::from_mins(1)).await, ErrorKind::ReadOnly, words);
        is_refused(cache.atouch("task-0", Timeout::Forever).await, ErrorKind::ReadOnly, words);
        is_refused(cache.aincr_version("task-0", 1).await, ErrorKind::ReadOnly, words);
        is_refused(cache.aclear().await, ErrorKind::ReadOnly, words);
        traffic.goes_on(Duration::from_millis(1_500)).await;
        server.obeys(&["REPLICAOF", "NO", "ONE"]);
        let back = SystemClock.precise();
        traffic.goes_on(Duration::from_millis(500)).await;
        let report = traffic.end().await;

        report.print("READONLY for 1.6 s", driver, back);
        report.is_sane();
        report.was_well_until(demoted);
        report.only_failed_by(&[ErrorKind::ReadOnly]);
        let is_write = |what| matches!(what, What::Set | What::Incr);
        let failed = report.failures().find(|call| !is_write(call.what));
        assert!(failed.is_none(), "{driver}: reads go on: {failed:?}");
        let refused = |call: &&traffic::Call| call.outcome == Outcome::Done && is_write(call.what);
        let within =
            report.calls.iter().filter(refused).find(|call| call.began > demoted && call.ended < back);
        assert!(
            within.is_none_or(|call| call.began.since(demoted) < Duration::from_millis(50)),
            "{within:?}"
        );
        report.resumed_within(Duration::from_millis(100), back);
        assert_eq!(report.stats.outages, 0, "{driver}: it answers all the time");
        assert!(report.stats.reconnections >= 1, "{driver}: another leader may be behind the name by now");
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_loads_its_data_is_there_and_serves_none() {
    /// Each takes a millisecond to load.
    const KEYS: usize = 1_500;
    join_all(DRIVERS.map(async |driver| {
        let mut server = OwnServer::start(&["--dbfilename", "dump.rdb"]).await;
        let settings = settings(driver, &server.location(), &[]);
        let cache = cache(&settings, DEADLINE);
        let value = "v".repeat(1_000);
        let keys: Vec<_> = (0..KEYS).map(|number| format!("key-{number}")).collect();
        let items = keys.iter().map(|key| (key.as_str(), value.as_str()));
        cache.set_many(items, Timeout::Forever).await.expect("all is well");
        let traffic = Traffic::begin(&cache).await;
        server.obeys(&["SAVE"]);
        traffic.goes_on(Duration::from_millis(300)).await;
        server.kill();
        let slow = ["--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024"];
        server.restart_loading(&slow).await;

        // Without a layer that fails fast.
        let store = RedisStore::open(&settings, &Context::new("bare")).expect("the settings are fine");
        let ping = store.aping().await.expect("it answers");
        assert!(ping.loading, "{driver}: {ping:?}");
        let bare = bare_cache(&settings, DEADLINE);
        let loading = ErrorKind::Connection;
        is_refused(bare.aget::<String>("key-1").await, loading, "loading");
        is_refused(bare.get_many::<String, _>(["key-1", "key-2"]).await, loading, "loading");
        is_refused(bare.aset("key-1", "v", Timeout::Forever).await, loading, "loading");
        is_refused(bare.set_many([("key-1", "v")], Timeout::Forever).await, loading, "loading");
        is_refused(bare.aincr("counter", 1).await, loading, "loading");
        assert_eq!(cache.aget::<String>("key-1").await.expect_err("it is loading").kind(), loading);
        assert!(server.tell(&["INFO", "persistence"]).contains("loading:1"), "{driver}: it took too long");

        server.has_loaded().await;
        let back = SystemClock.precise();
        assert_eq!(bare.aget::<String>("key-1").await.expect("it has loaded"), Some(value.clone()));
        assert!(!store.aping().await.expect("it answers").loading);
        traffic.goes_on(RESUMES_WITHIN + Duration::from_millis(300)).await;
        let report = traffic.end().await;
        report.print("LOADING", driver, back);
        report.is_sane();
        report.only_failed_by(&[ErrorKind::Connection]);
        report.resumed_within(RESUMES_WITHIN, back);
        assert_eq!(cache.aget::<String>("key-1").await.expect("it has loaded"), Some(value));
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_are_told_until_they_are_right() {
    join_all(DRIVERS.map(async |driver| {
        let mut server = OwnServer::start(&["--requirepass", "s3cret"]).await;
        server.admin_password("s3cret");
        let port = server.port();
        let open = |credentials: &str| {
            let location = format!("redis://{credentials}127.0.0.1:{port}");
            cache(&settings(driver, &location, &[]), DEADLINE)
        };
        let auth = ErrorKind::Auth;
        for credentials in ["", ":gu3ss@", "nobody:gu3ss@", "default:gu3ss@"] {
            let cache = open(credentials);
            is_refused(cache.aget::<String>("key").await, auth, "password");
            is_refused(cache.aset("key", "v", Timeout::Forever).await, auth, "password");
            is_refused(cache.set_many([("key", "v")], Timeout::Forever).await, auth, "password");
            is_refused(cache.aincr("key", 1).await, auth, "password");
            is_refused(cache.aping().await, auth, "password");
            assert_eq!(cache.stats().outages, 0, "{driver}, {credentials:?}: it answers");
        }
        for credentials in [":s3cret@", "default:s3cret@"] {
            open(credentials).aset("key", "v", Timeout::Forever).await.expect("it is the password");
        }

        let (none, guess) = (open(""), open(":gu3ss@"));
        is_refused(none.aget::<String>("key").await, auth, "password");
        is_refused(guess.aget::<String>("key").await, auth, "password");
        server.obeys(&["CONFIG", "SET", "requirepass", "gu3ss"]);
        server.admin_password("gu3ss");
        pause(100).await;
        assert_eq!(guess.aget::<String>("key").await.expect("it is by now").as_deref(), Some("v"));
        server.obeys(&["CONFIG", "SET", "requirepass", ""]);
        pause(100).await;
        assert_eq!(none.aget::<String>("key").await.expect("it needs none").as_deref(), Some("v"));
    }))
    .await;
}

/// It knows the user `default`, who needs none; of an `AUTH` without a name it
/// says that there is nothing to check. Which of the two a driver sends must not
/// be seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_the_server_does_not_ask_for_means_the_same_to_each_driver() {
    let outcomes = join_all(DRIVERS.map(async |driver| {
        let server = OwnServer::start(&[]).await;
        let location = format!("redis://:gu3ss@127.0.0.1:{}", server.port());
        let cache = cache(&settings(driver, &location, &[]), DEADLINE);
        let outcome = cache.aset("key", "v", Timeout::Forever).await;
        outcome.map_err(|error| error.to_string())
    }))
    .await;
    assert_eq!(outcomes[0], outcomes[1], "{DRIVERS:?}");
}

/// In both orders: neither the server nor the file knows of the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_is_changed_in_its_file_needs_no_restart() {
    let rotations = DRIVERS.into_iter().flat_map(|driver| [(driver, true), (driver, false)]);
    join_all(rotations.map(async |(driver, file_first)| {
        let mut server = OwnServer::start(&["--requirepass", "s3cret-1"]).await;
        server.admin_password("s3cret-1");
        let directory = tempfile::tempdir().expect("there is room");
        let file = directory.path().join("password");
        let write = |password: &str| fs::write(&file, format!("{password}\n")).expect("there is room");
        write("s3cret-1");
        let path = file.to_str().expect("it is text").to_owned();
        let settings = settings(driver, &server.location(), &[]);
        let cache = cache(&settings.with("password_file", SettingValue::Text(path)), DEADLINE);
        let traffic = Traffic::begin(&cache).await;
        traffic.goes_on(Duration::from_millis(300)).await;

        let begins = SystemClock.precise();
        if file_first {
            write("s3cret-2");
            pause(300).await;
        }
        server.obeys(&["CONFIG", "SET", "requirepass", "s3cret-2"]);
        server.admin_password("s3cret-2");
        assert_ne!(server.tell(&["CLIENT", "KILL", "TYPE", "normal"]), "0", "somebody was connected");
        if !file_first {
            pause(300).await;
            is_refused(cache.aget::<String>("task-0").await, ErrorKind::Auth, "password");
            write("s3cret-2");
        }
        let back = SystemClock.precise();
        traffic.goes_on(RESUMES_WITHIN).await;
        let report = traffic.end().await;

        report.print(
            if file_first { "password: file, then server" } else { "password: server, then file" },
            driver,
            back,
        );
        report.is_sane();
        report.was_well_until(begins);
        report.only_failed_by(&[ErrorKind::Connection, ErrorKind::Auth]);
        report.resumed_within(Duration::from_millis(300), back);
        assert!(report.stats.reconnections >= 1, "{:?}", report.stats);
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_user_may_not_do_is_told_by_the_name_of_the_command() {
    join_all(DRIVERS.map(async |driver| {
        let server = OwnServer::start(&[]).await;
        let admin = cache(&settings(driver, &server.location(), &[]), DEADLINE);
        admin.aset("open", &1, Timeout::Forever).await.expect("all is well");
        admin.aset("shut", &1, Timeout::Forever).await.expect("all is well");
        let rights = ["on", ">s3cret", "~*open*", "+get", "+mget", "+exists", "+pttl", "+evalsha", "+eval"];
        server.obeys(&[&["ACL", "SETUSER", "reader"], &rights[..]].concat());
        let location = format!("redis://reader:s3cret@127.0.0.1:{}", server.port());
        let reader = cache(&settings(driver, &location, &[]), DEADLINE);

        let auth = ErrorKind::Auth;
        assert_eq!(reader.aget::<i64>("open").await.expect("it may"), Some(1), "{driver}");
        assert_eq!(reader.get_many::<i64, _>(["open"]).await.expect("it may").len(), 1);
        is_refused(reader.aget::<i64>("shut").await, auth, "GET");
        is_refused(reader.get_many::<i64, _>(["open", "shut"]).await, auth, "MGET");
        is_refused(reader.aset("open", &2, Timeout::Forever).await, auth, "SET");
        is_refused(reader.aadd("open-2", &2, Timeout::Forever).await, auth, "SET");
        let error = is_refused(reader.set_many([("open", &2)], Timeout::Forever).await, auth, "SET");
        assert_eq!(error.failures().len(), 1);
        is_refused(reader.adelete("open").await, auth, "UNLINK");
        is_refused(reader.atouch("open", Duration::from_mins(1)).await, auth, "PEXPIRE");
        is_refused(reader.aincr_version("open", 1).await, auth, "RENAME");
        is_refused(reader.aclear().await, auth, "SCAN");
        is_refused(reader.aping().await, auth, "PING");

        assert_eq!(reader.aget::<i64>("open").await.expect("the connection is of use"), Some(1));
        let stats = reader.stats();
        assert_eq!((stats.outages, stats.reconnections), (0, 0), "{driver}: it answers all the time");
        server.obeys(&["ACL", "SETUSER", "reader", "+set"]);
        reader.aset("open", &3, Timeout::Forever).await.expect("it may by now");
    }))
    .await;
}

/// A script may be run, and what it does may not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_user_may_not_do_within_a_script_is_told_too() {
    join_all(DRIVERS.map(async |driver| {
        let server = OwnServer::start(&[]).await;
        let admin = cache(&settings(driver, &server.location(), &[]), DEADLINE);
        admin.aset("key", &1, Timeout::Forever).await.expect("all is well");
        let rights = ["on", ">s3cret", "~*", "+get", "+exists", "+evalsha", "+eval"];
        server.obeys(&[&["ACL", "SETUSER", "reader"], &rights[..]].concat());
        let location = format!("redis://reader:s3cret@127.0.0.1:{}", server.port());
        let reader = cache(&settings(driver, &location, &[]), DEADLINE);
        is_refused(reader.aincr("key", 1).await, ErrorKind::Auth, "ACL");
        is_refused(reader.atouch("key", Timeout::Forever).await, ErrorKind::Auth, "ACL");
        assert_eq!(admin.aget::<i64>("key").await.expect("all is well"), Some(1), "{driver}");
    }))
    .await;
}
