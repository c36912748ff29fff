//! Single operations that travel together under load: what goes over the wire,
//! and that each has an outcome of its own.

#[macro_use]
mod each_driver;
mod apart;
mod batched;
mod conditions;
mod crowd;
mod monitor;
mod own_server;
mod patience;
mod resp;
mod scale;
mod servers;

use std::collections::BTreeSet;

use batched::{ALL, Batched, EACH, key, write_all};
use crowd::{MEMBERS, at_once};
use monitor::{Monitor, Sent};
use resp::{Answer, Client};

with_each_driver!(reads_travel_as_one_command, writes_travel_together);

async fn reads_travel_as_one_command(driver: &'static str) {
    let mut batched = Batched::of(driver).await;
    write_all(&batched.cache).await;
    let before = batched.cache.stats();
    let calls_before = calls(&mut batched.other, "get").await + calls(&mut batched.other, "mget").await;
    let mut monitor = Monitor::of(&batched.settings).await;
    at_once(MEMBERS, |member| {
        let cache = batched.cache.clone();
        async move {
            for number in member * EACH..(member + 1) * EACH {
                assert_eq!(cache.aget(&key(number)).await.expect("it is answered"), Some(number));
            }
        }
    })
    .await;

    let sent = monitor.sent().await;
    let lone = sent.iter().filter(|command| command.words[0] == "GET").count();
    let together: Vec<_> = sent.iter().filter(|command| command.words[0] == "MGET").map(keys_read).collect();
    assert_eq!(lone + together.len(), sent.len(), "{driver}: {sent:?}");
    assert_eq!(lone + together.iter().sum::<usize>(), ALL, "{driver}: each key is asked for once");
    assert!(sent.len() * 4 <= ALL, "{driver}: {} commands for {ALL} reads", sent.len());
    assert!(together.iter().all(|keys| *keys <= 128), "{driver}: {together:?}");

    let stats = batched.cache.stats();
    let counted = (stats.batches - before.batches, stats.batched - before.batched);
    let seen = (together.len() as u64, together.iter().sum::<usize>() as u64);
    assert_eq!(counted, seen, "{driver}: {stats:?}");
    // Others use the server too.
    let calls = calls(&mut batched.other, "get").await + calls(&mut batched.other, "mget").await;
    assert!(calls - calls_before >= sent.len() as u64, "{driver}");
}

/// Of how many keys it is. Fred's link asks for a key more than once where it
/// must not be answered by few.
fn keys_read(command: &Sent) -> usize {
    command.words[1..].iter().collect::<BTreeSet<_>>().len()
}

/// How often the server was called by this command, whoever did it.
async fn calls(other: &mut Client, command: &str) -> u64 {
    let Answer::Value(info) = other.ask("INFO commandstats").await else { panic!("it is a text") };
    let info = String::from_utf8(info).expect("it is a text");
    let prefix = format!("cmdstat_{command}:calls=");
    let rest = info.lines().find_map(|line| line.strip_prefix(&prefix));
    rest.map_or(0, |rest| rest.split(',').next().and_then(|calls| calls.parse().ok()).expect("a number"))
}

/// Fred's by a script; redis-rs sends as many commands, and sends them together.
async fn writes_travel_together(driver: &'static str) {
    let batched = Batched::of(driver).await;
    let mut monitor = Monitor::of(&batched.settings).await;
    write_all(&batched.cache).await;

    let sent = monitor.sent().await;
    let single = sent.iter().filter(|command| command.words[0] == "SET").count();
    let by_script: Vec<_> =
        sent.iter().filter(|command| command.words[0] == "EVAL").map(keys_written).collect();
    let keys_by_script: usize = by_script.iter().sum();
    assert_eq!(single + by_script.len(), sent.len(), "{driver}: {sent:?}");
    assert_eq!(single + keys_by_script, ALL, "{driver}: each key is written once");
    let stats = batched.cache.stats();
    assert!(stats.batches * 4 <= stats.batched, "{driver}: {stats:?}");
    assert!(stats.batched <= ALL as u64 && stats.batched * 2 >= ALL as u64, "{driver}: {stats:?}");
    if driver == "fred" {
        assert!(sent.len() * 4 <= ALL, "{driver}: {} commands for {ALL} writes", sent.len());
        // What travelled without company is a command of one.
        let scripts = by_script.len() as u64;
        let without_company = stats.batches - scripts;
        assert_eq!(stats.batched, keys_by_script as u64 + without_company, "{driver}: {stats:?}");
        assert!(by_script.iter().all(|keys| (2..=128).contains(keys)), "{driver}: {by_script:?}");
    } else {
        assert_eq!(keys_by_script, 0, "{driver}: {by_script:?}");
    }
}

fn keys_written(command: &Sent) -> usize {
    command.words[2].parse().expect("it says how many keys it has")
}
