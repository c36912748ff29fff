//! A configured cache at work.
//!
//! `cargo run --example quickstart` uses the alias `default`;
//! `cargo run --example quickstart -- encoded`, `-- files` or `-- dummy` runs the
//! same code over another store. `caches.toml` beside this file says what they are.

#![allow(clippy::print_stdout, reason = "it is a report for the terminal")]

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use cache_sdk::core::SystemClock;
use cache_sdk::{Cache, Caches, Clock, ErrorKind, Life, Result, Timeout};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};

const CONFIGURATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/caches.toml");

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    languages: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let alias = std::env::args().nth(1).unwrap_or_else(|| "default".to_owned());
    if alias == "--help" || alias == "-h" {
        println!(
            "usage: cargo run --example quickstart [-- ALIAS]\n\nThe aliases are those of {CONFIGURATION}."
        );
        return ExitCode::SUCCESS;
    }
    match run(&alias).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(alias: &str) -> Result<()> {
    let caches = Caches::from_toml_file(CONFIGURATION).await?;
    println!("caches.toml configures {:?}; this run uses `{alias}`.", caches.aliases().collect::<Vec<_>>());
    let cache = caches.get(alias)?;

    values(&cache).await?;
    loads(&cache).await?;
    counters(&cache).await?;
    bulk(&cache).await?;
    versions(&cache).await?;
    sessions(&caches.get("sessions")?).await?;

    println!("\nWhat happened on `{alias}`");
    let stats = cache.stats();
    println!(
        "  hits {}, misses {}, writes {}, deletes {}, loads {}, waits for loads {}",
        stats.hits, stats.misses, stats.writes, stats.deletes, stats.loads, stats.load_waits
    );
    println!("  errors {:?}", stats.errors);
    println!(
        "  entries in the store {}",
        stats.entries.map_or("unknown".to_owned(), |entries| entries.to_string())
    );

    cache.aclear().await?;
    println!("\nCleared; `user:1` is {:?} now.", cache.aget::<User>("user:1").await?);
    caches.aclose_all().await
}

async fn values(cache: &Cache) -> Result<()> {
    println!("\nValues");
    let user = User { name: "Ada".to_owned(), languages: vec!["English".to_owned(), "Français".to_owned()] };
    cache.aset("user:1", &user, Duration::from_mins(1)).await?;
    println!("  aget                 {:?}", cache.aget::<User>("user:1").await?);
    println!("  aget of another key  {:?}", cache.aget::<User>("user:2").await?);
    println!("  aadd over it         {}", cache.aadd("user:1", &user, Timeout::Default).await?);
    match cache.alife("user:1").await? {
        Some(Life::For(rest)) => println!("  alife                {:.0} s", rest.as_secs_f64()),
        other => println!("  alife                {other:?}"),
    }
    println!("  atouch               {}", cache.atouch("user:1", Timeout::Forever).await?);
    Ok(())
}

/// What is worth keeping: it takes 200 ms.
#[expect(clippy::disallowed_methods, reason = "it is slow on purpose")]
async fn slow_report() -> String {
    tokio::time::sleep(Duration::from_millis(200)).await;
    "a long report".to_owned()
}

async fn loads(cache: &Cache) -> Result<()> {
    println!("\nA slow function, through aget_or_set");
    let read = || cache.aget_or_set("report", Timeout::Default, slow_report);
    timed("cold", read()).await?;
    timed("warm", read()).await?;

    cache.adelete("report").await?;
    let before = cache.stats().loads;
    let reports = timed("1,000 callers", try_join_all((0..1_000).map(|_| read()))).await?;
    let loads = cache.stats().loads - before;
    let all_equal = reports.windows(2).all(|pair| Arc::ptr_eq(&pair[0], &pair[1]));
    println!("  {loads} of them ran it, and all have the same: {all_equal}");
    Ok(())
}

async fn timed<T>(what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let began = SystemClock.precise();
    let answer = work.await?;
    println!("  {what:<20} {:.3} ms", SystemClock.precise().since(began).as_secs_f64() * 1_000.0);
    Ok(answer)
}

async fn counters(cache: &Cache) -> Result<()> {
    println!("\nCounters");
    cache.aadd("hits", &0, Timeout::Forever).await?;
    for _ in 0..3 {
        report("aincr", cache.aincr("hits", 1).await)?;
    }
    report("adecr", cache.adecr("hits", 2).await)?;
    report("aincr of no key", cache.aincr("no-such-counter", 1).await)
}

/// A counter that is not there is an error to tell apart, not to die of.
fn report(what: &str, outcome: Result<i64>) -> Result<()> {
    match outcome {
        Ok(value) => println!("  {what:<20} {value}"),
        Err(error) if error.kind() == ErrorKind::NotFound => println!("  {what:<20} {error}"),
        Err(error) => return Err(error),
    }
    Ok(())
}

async fn bulk(cache: &Cache) -> Result<()> {
    println!("\nMany at once");
    let capitals = HashMap::from([("Chile", "Santiago"), ("Fiji", "Suva"), ("Mali", "Bamako")]);
    let items = capitals.iter().map(|(country, capital)| (format!("capital:{country}"), *capital));
    cache.set_many(items, Timeout::Default).await?;
    let found: HashMap<&str, String> = cache.get_many(["capital:Fiji", "capital:Mali", "capital:Oz"]).await?;
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort();
    println!("  get_many             {found:?}");
    cache.delete_many(["capital:Fiji", "capital:Mali"]).await?;
    println!("  after delete_many    {}", cache.ahas_key("capital:Fiji").await?);
    Ok(())
}

async fn versions(cache: &Cache) -> Result<()> {
    println!("\nVersions");
    let next = cache.at_version(2);
    cache.aset("layout", "old", Timeout::Default).await?;
    next.aset("layout", "new", Timeout::Default).await?;
    println!("  at version 1         {:?}", cache.aget::<String>("layout").await?);
    println!("  at version 2         {:?}", next.aget::<String>("layout").await?);
    match next.aincr_version("layout", 1).await {
        Ok(version) => println!("  aincr_version        now at version {version}"),
        Err(error) => println!("  aincr_version        {error}"),
    }
    Ok(())
}

async fn sessions(sessions: &Cache) -> Result<()> {
    println!("\nAnother alias, `{}`", sessions.alias());
    sessions.aset("session:1", "Ada", Timeout::Default).await?;
    println!("  alife                {:?}", sessions.alife("session:1").await?);
    match sessions.aset("a key with blanks", "Ada", Timeout::Default).await {
        Ok(()) => println!("  a key with blanks    is fine"),
        Err(error) => println!("  a key with blanks    {error}"),
    }
    Ok(())
}
