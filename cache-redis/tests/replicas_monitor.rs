//! Which server gets what: reads of keys go to replicas, all else to the leader.
//!
//! The servers themselves tell what they were sent.

#[macro_use]
mod each_driver;
mod monitor;
mod own_server;
mod patience;
mod replicated;
mod resp;
mod routed;
mod routes;
mod scale;
mod servers;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use cache_core::{Cache, ReplicaPolicy, RoutingSettings, Timeout};
use futures::future::join_all;

use patience::eventually;
use replicated::{REPLICAS, Replicated};
use routes::{Routed, Routes};

with_each_driver_and_batching!(
    reads_go_to_replicas,
    writes_go_to_the_leader,
    reads_that_must_not_be_late_go_to_the_leader,
    a_load_reads_from_a_replica_and_stores_at_the_leader,
    many_at_once_are_spread_over_replicas,
    one_after_the_other_takes_turns,
    any_of_them_takes_its_share,
    the_newest_is_read_where_another_is_behind,
);

const MINUTE: Duration = Duration::from_mins(1);

/// More than a machine needs that has other things to do.
const DEADLINE: Duration = Duration::from_secs(10);

/// Servers that listen, and an alias over them.
struct Watched {
    way: &'static str,
    servers: Replicated,
    routes: Routes,
    cache: Cache,
}

impl Watched {
    async fn of(way: &'static str, routing: RoutingSettings) -> Self {
        let servers = Replicated::start().await;
        let cache = routed::cache(way, &servers, routing, DEADLINE);
        let routes = Routes::of(&servers).await;
        Self { way, servers, routes, cache }
    }

    /// With this under the key, on all servers.
    async fn with(way: &'static str, key: &str, value: i64) -> Self {
        let mut watched = Self::of(way, RoutingSettings::new()).await;
        watched.cache.aset(key, &value, MINUTE).await.expect("it is taken");
        watched.servers.caught_up().await;
        watched.routes.sent().await;
        watched
    }

    /// That since it was asked last one replica was sent this, and the leader
    /// nothing.
    async fn replicas_got(&mut self, what: &str, names: &[&str]) {
        let sent = self.routes.sent().await;
        assert_eq!((sent.by_leader(), sent.by_replicas()), (vec![], names.to_vec()), "{}: {what}", self.way);
    }

    /// That since it was asked last the leader was sent nothing but these, and
    /// the replicas nothing, nor anything that they refused.
    async fn leader_got(&mut self, what: &str, names: &[&str]) {
        let sent = self.routes.sent().await;
        let got: BTreeSet<_> = sent.by_leader().into_iter().collect();
        assert_eq!(got, names.iter().copied().collect(), "{}: {what}", self.way);
        assert_eq!(sent.by_replicas(), Vec::<&str>::new(), "{}: {what}", self.way);
        self.nothing_was_refused(what);
    }

    /// What a server refuses it does not tell to those who listen.
    fn nothing_was_refused(&self, what: &str) {
        for number in 0..REPLICAS {
            let errors = self.servers.replica(number).tell(&["INFO", "errorstats"]);
            assert!(!errors.contains("READONLY"), "{}: {what}: {errors}", self.way);
        }
    }
}

async fn reads_go_to_replicas(way: &'static str) {
    let mut watched = Watched::with(way, "key", 7).await;
    let cache = watched.cache.clone();
    // So that both have their turn.
    for _ in 0..8 {
        assert_eq!(cache.aget::<i64>("key").await.expect("it is answered"), Some(7), "{way}");
        watched.replicas_got("aget", &["GET"]).await;
        assert_eq!(cache.aget::<i64>("absent").await.expect("it is answered"), None, "{way}");
        watched.replicas_got("aget of nothing", &["GET"]).await;
        assert_eq!(cache.aget_arc::<i64>("key").await.expect("it is answered").as_deref(), Some(&7), "{way}");
        watched.replicas_got("aget_arc", &["GET"]).await;
        assert!(cache.ahas_key("key").await.expect("it is answered"), "{way}");
        watched.replicas_got("ahas_key", &["EXISTS"]).await;
        assert!(cache.alife("key").await.expect("it is answered").is_some(), "{way}");
        watched.replicas_got("alife", &["PTTL"]).await;
        let found: HashMap<_, i64> = cache.get_many(["key", "absent"]).await.expect("it is answered");
        assert_eq!(found, HashMap::from([("key", 7)]), "{way}");
        watched.replicas_got("get_many", &["MGET"]).await;
    }
    let stats = cache.stats();
    assert_eq!((stats.routed_to_replica, stats.retried_on_leader), (48, 0), "{way}: {stats:?}");
}

async fn writes_go_to_the_leader(way: &'static str) {
    let mut watched = Watched::with(way, "key", 7).await;
    let cache = watched.cache.clone();
    // The server knows the scripts from here on.
    cache.aincr("key", 1).await.expect("it is a counter");
    cache.atouch("key", Timeout::Forever).await.expect("it is answered");
    watched.routes.sent().await;

    cache.aset("key", &7, MINUTE).await.expect("it is taken");
    watched.leader_got("aset", &["SET"]).await;
    cache.aset("gone", &7, Duration::ZERO).await.expect("it is taken");
    watched.leader_got("aset for no time", &["UNLINK"]).await;
    assert!(!cache.aadd("key", &7, MINUTE).await.expect("it is answered"), "{way}");
    watched.leader_got("aadd", &["SET"]).await;
    assert!(cache.atouch("key", MINUTE).await.expect("it is answered"), "{way}");
    watched.leader_got("atouch", &["PEXPIRE"]).await;
    assert!(cache.atouch("key", Timeout::Forever).await.expect("it is answered"), "{way}");
    watched.leader_got("atouch for ever", &["EVALSHA"]).await;
    assert_eq!(cache.aincr("key", 5).await.expect("it is a counter"), 12, "{way}");
    watched.leader_got("aincr", &["EVALSHA"]).await;
    assert_eq!(cache.adecr("key", 2).await.expect("it is a counter"), 10, "{way}");
    watched.leader_got("adecr", &["EVALSHA"]).await;
    assert_eq!(cache.aincr_version("key", 1).await.expect("it is there"), 2, "{way}");
    watched.leader_got("aincr_version", &["RENAME"]).await;
    cache.set_many([("key", &1), ("other", &2)], MINUTE).await.expect("they are taken");
    let by = if way.starts_with("fred") { "EVAL" } else { "SET" };
    watched.leader_got("set_many", &[by]).await;
    assert!(cache.adelete("key").await.expect("it is answered"), "{way}");
    watched.leader_got("adelete", &["UNLINK"]).await;
    cache.delete_many(["one", "other"]).await.expect("they are removed");
    watched.leader_got("delete_many", &["UNLINK"]).await;

    cache.aset("key", &7, MINUTE).await.expect("it is taken");
    watched.routes.sent().await;
    cache.aclear().await.expect("it is answered");
    watched.leader_got("aclear", &["SCAN", "UNLINK"]).await;
    assert_eq!(cache.stats().routed_to_replica, 0, "{way}: {:?}", cache.stats());
}

/// Somebody decides by what they say.
async fn reads_that_must_not_be_late_go_to_the_leader(way: &'static str) {
    let mut watched = Watched::with(way, "key", 7).await;
    let cache = watched.cache.clone();
    assert!(!cache.aadd("key", &7, Duration::ZERO).await.expect("it is answered"), "{way}");
    watched.leader_got("aadd for no time", &["EXISTS"]).await;
    cache.aincr_version("key", 0).await.expect("it is there");
    watched.leader_got("aincr_version by nothing", &["EXISTS"]).await;
}

async fn a_load_reads_from_a_replica_and_stores_at_the_leader(way: &'static str) {
    let mut watched = Watched::with(way, "key", 7).await;
    let cache = watched.cache.clone();
    let found = cache.aget_or_set("key", MINUTE, || async { 1 }).await.expect("it is answered");
    assert_eq!(*found, 7, "{way}");
    watched.replicas_got("a load of what is there", &["GET"]).await;

    // The replica may have been behind: the leader is asked before anything is loaded.
    let loaded = cache.aget_or_set("absent", MINUTE, || async { 1 }).await.expect("it is loaded");
    assert_eq!(*loaded, 1, "{way}");
    let sent = watched.routes.sent().await;
    assert_eq!((sent.by_replicas(), sent.by_leader()), (vec!["GET"], vec!["GET", "SET"]), "{way}");
    watched.nothing_was_refused("a load");

    watched.servers.pause_link(0);
    watched.servers.pause_link(1);
    watched.servers.leader().obeys(&["SET", ":1:late", "5"]);
    watched.routes.sent().await;
    let found = cache.aget_or_set("late", MINUTE, || async { 1 }).await.expect("it is answered");
    assert_eq!(*found, 5, "{way}: nothing is loaded that the leader has");
    let sent = watched.routes.sent().await;
    assert_eq!((sent.by_replicas(), sent.by_leader()), (vec!["GET"], vec!["GET"]), "{way}");
}

/// Also where they travel together.
async fn many_at_once_are_spread_over_replicas(way: &'static str) {
    const TASKS: usize = 64;
    const EACH: usize = 8;
    let mut watched = Watched::of(way, RoutingSettings::new()).await;
    let writes = (0..TASKS).map(|number| {
        let cache = watched.cache.clone();
        tokio::spawn(async move {
            for serial in 0..EACH {
                let key = format!("key-{number}-{serial}");
                cache.aset(&key, &number, MINUTE).await.expect("it is taken");
            }
        })
    });
    for task in writes.collect::<Vec<_>>() {
        task.await.expect("a task does not panic");
    }
    watched.servers.caught_up().await;
    let sent = watched.routes.sent().await;
    assert_eq!(sent.by_replicas(), Vec::<&str>::new(), "{way}");
    let wrote: BTreeSet<_> = sent.by_leader().into_iter().collect();
    assert!(wrote.is_subset(&BTreeSet::from(["SET", "EVALSHA", "EVAL"])), "{way}: {wrote:?}");
    watched.nothing_was_refused("many writes");

    let reads = (0..TASKS).map(|number| {
        let cache = watched.cache.clone();
        tokio::spawn(async move {
            for serial in 0..EACH {
                let key = format!("key-{number}-{serial}");
                assert_eq!(cache.aget(&key).await.expect("it is answered"), Some(number), "{key}");
            }
        })
    });
    for task in reads.collect::<Vec<_>>() {
        task.await.expect("a task does not panic");
    }
    let sent = watched.routes.sent().await;
    assert_eq!(sent.by_leader(), Vec::<&str>::new(), "{way}");
    let read = keys_read(&sent);
    assert_eq!(read.iter().sum::<usize>(), TASKS * EACH, "{way}: {read:?}");
    assert!(read.iter().all(|count| *count >= TASKS * EACH / 4), "{way}: {read:?}");
    let is_batched = way.ends_with("batched");
    assert_eq!(sent.by_replicas().contains(&"MGET"), is_batched, "{way}");
    assert_eq!(watched.cache.stats().batched > 0, is_batched, "{way}");
}

async fn one_after_the_other_takes_turns(way: &'static str) {
    let routing = RoutingSettings::new().policy(ReplicaPolicy::RoundRobin);
    let mut watched = Watched::of(way, routing).await;
    watched.routes.sent().await;
    for number in 0..20 {
        watched.cache.aget::<i64>(&format!("key-{number}")).await.expect("it is answered");
        // A write is nobody's turn.
        watched.cache.aset("other", &number, MINUTE).await.expect("it is taken");
    }
    let sent = watched.routes.sent().await;
    let turns = |first: usize| (first..20).step_by(2).map(|number| format!(":1:key-{number}"));
    for (number, got) in sent.replicas.iter().enumerate() {
        let keys: Vec<_> = got.iter().map(|command| command.words[1].clone()).collect();
        assert_eq!(keys, turns(number).collect::<Vec<_>>(), "{way}: replica {}", number + 1);
    }
}

async fn any_of_them_takes_its_share(way: &'static str) {
    let mut watched = Watched::of(way, RoutingSettings::new().policy(ReplicaPolicy::Random)).await;
    watched.routes.sent().await;
    for _ in 0..200 {
        watched.cache.aget::<i64>("key").await.expect("it is answered");
    }
    let read = keys_read(&watched.routes.sent().await);
    assert_eq!(read.iter().sum::<usize>(), 200, "{way}");
    // Fair coins fall so unevenly once in many millions of times.
    assert!(read.iter().all(|count| *count >= 60), "{way}: {read:?}");
}

async fn the_newest_is_read_where_another_is_behind(way: &'static str) {
    let routing = RoutingSettings::new().policy(ReplicaPolicy::LeastLag);
    let mut watched = Watched::of(way, routing).await;
    for behind in [0, 1] {
        watched.servers.pause_link(behind);
        watched.cache.aset("key", &behind, MINUTE).await.expect("it is taken");
        let newest = 1 - behind;
        let cache = watched.cache.clone();
        let routes = &mut watched.routes;
        routes.sent().await;
        eventually("the one that is behind is not read any more", async || {
            let reads = join_all((0..20).map(|_| cache.aget::<usize>("key"))).await;
            assert!(reads.iter().all(Result::is_ok), "{way}: {reads:?}");
            keys_read(&routes.sent().await)[behind] == 0
        })
        .await;
        for _ in 0..100 {
            assert_eq!(cache.aget("key").await.expect("it is answered"), Some(behind), "{way}");
        }
        let read = keys_read(&watched.routes.sent().await);
        assert_eq!((read[newest], read[behind]), (100, 0), "{way}");
        watched.servers.resume_link(behind);
        watched.servers.caught_up().await;
    }
}

/// How many keys were read from each replica. Fred's link asks for a key more
/// than once where it must not be answered by few.
fn keys_read(sent: &Routed) -> [usize; REPLICAS] {
    sent.replicas.each_ref().map(|sent| {
        let keys = sent.iter().map(|command| match &*command.words[0] {
            "GET" => 1,
            "MGET" => command.words[1..].iter().collect::<BTreeSet<_>>().len(),
            other => panic!("{other} is no read"),
        });
        keys.sum()
    })
}
