//! What was written is read from the leader for a while by who wrote it, and
//! from replicas by all others.
//!
//! The replicas get nothing meanwhile, so whoever sees something old has read
//! from one of them.

#[macro_use]
mod each_driver;
mod own_server;
mod patience;
mod replicated;
mod resp;
mod routed;
mod scale;
mod servers;

use std::collections::HashMap;
use std::time::Duration;

use cache_core::{Cache, Clock, Life, RoutingSettings, SystemClock, Tick, Timeout};

use replicated::{REPLICAS, Replicated};

with_each_driver_and_batching!(
    each_kind_of_write_is_read_back_at_once,
    a_clear_is_seen_at_once,
    what_was_written_and_what_was_not_are_read_together,
);

const WINDOW: Duration = Duration::from_millis(500);
const MINUTE: Duration = Duration::from_mins(1);

/// More than a machine needs that has other things to do.
const DEADLINE: Duration = Duration::from_secs(10);

/// Three aliases over the same servers.
struct Aliases {
    servers: Replicated,
    /// Reads what it wrote.
    own: Cache,
    /// Would do so too, and writes nothing.
    second: Cache,
    /// Does not care.
    careless: Cache,
}

/// One kind of write, of a key of its name.
#[derive(Clone, Copy, Debug)]
struct Kind {
    name: &'static str,
    before: Seen,
    after: Seen,
}

/// What is under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Nothing,
    Forever(i64),
    ForAWhile(i64),
}

const KINDS: [Kind; 13] = [
    Kind::of("aset", Seen::Forever(1), Seen::ForAWhile(2)),
    Kind::of("aset-of-what-is-not-there", Seen::Nothing, Seen::ForAWhile(2)),
    Kind::of("aset-for-no-time", Seen::Forever(1), Seen::Nothing),
    Kind::of("aadd", Seen::Nothing, Seen::ForAWhile(2)),
    Kind::of("atouch", Seen::Forever(1), Seen::ForAWhile(1)),
    Kind::of("atouch-for-no-time", Seen::Forever(1), Seen::Nothing),
    Kind::of("adelete", Seen::Forever(1), Seen::Nothing),
    Kind::of("aincr", Seen::Forever(1), Seen::Forever(2)),
    Kind::of("adecr", Seen::Forever(1), Seen::Forever(0)),
    Kind::of("aincr_version", Seen::Forever(1), Seen::Nothing),
    Kind::of("set_many", Seen::Forever(1), Seen::ForAWhile(2)),
    Kind::of("delete_many", Seen::Forever(1), Seen::Nothing),
    Kind::of("aget_or_set", Seen::Nothing, Seen::ForAWhile(2)),
];

impl Kind {
    const fn of(name: &'static str, before: Seen, after: Seen) -> Self {
        Self { name, before, after }
    }

    async fn write(self, cache: &Cache) {
        let key = self.name;
        match key {
            "aset" | "aset-of-what-is-not-there" => {
                cache.aset(key, &2, MINUTE).await.expect("it is taken");
            }
            "aset-for-no-time" => cache.aset(key, &2, Duration::ZERO).await.expect("it is taken"),
            "aadd" => assert!(cache.aadd(key, &2, MINUTE).await.expect("it is answered")),
            "atouch" => assert!(cache.atouch(key, MINUTE).await.expect("it is answered")),
            "atouch-for-no-time" => {
                assert!(cache.atouch(key, Duration::ZERO).await.expect("it is answered"));
            }
            "adelete" => assert!(cache.adelete(key).await.expect("it is answered")),
            "aincr" => assert_eq!(cache.aincr(key, 1).await.expect("it is a counter"), 2),
            "adecr" => assert_eq!(cache.adecr(key, 1).await.expect("it is a counter"), 0),
            "aincr_version" => assert_eq!(cache.aincr_version(key, 1).await.expect("it is there"), 2),
            "set_many" => cache.set_many([(key, &2)], MINUTE).await.expect("it is taken"),
            "delete_many" => cache.delete_many([key]).await.expect("it is removed"),
            "aget_or_set" => {
                let loaded = cache.aget_or_set(key, MINUTE, || async { 2 }).await;
                assert_eq!(*loaded.expect("it is loaded"), 2);
            }
            other => panic!("{other} is no kind of write"),
        }
    }
}

/// By each kind of read.
async fn seen(cache: &Cache, key: &str) -> Seen {
    let value = cache.aget::<i64>(key).await.expect("it is answered");
    let many = cache.get_many::<i64, _>([key]).await.expect("it is answered");
    let is_there = cache.ahas_key(key).await.expect("it is answered");
    let life = cache.alife(key).await.expect("it is answered");
    assert_eq!((many.get(key), is_there), (value.as_ref(), value.is_some()), "{key}");
    match (value, life) {
        (None, None) => Seen::Nothing,
        (Some(value), Some(Life::Forever)) => Seen::Forever(value),
        (Some(value), Some(_)) => Seen::ForAWhile(value),
        other => panic!("{key}: {other:?}"),
    }
}

impl Aliases {
    async fn of(way: &'static str) -> Self {
        let servers = Replicated::start().await;
        let routing = RoutingSettings::new();
        let alias = |routing| routed::cache(way, &servers, routing, DEADLINE);
        let [own, second] = [(); 2].map(|()| alias(routing.read_your_writes(WINDOW)));
        let careless = alias(routing);
        Self { servers, own, second, careless }
    }

    /// Replicas have what there is by now, and get nothing from now on.
    async fn replicas_stand_still(&self) {
        self.servers.caught_up().await;
        (0..REPLICAS).for_each(|number| self.servers.pause_link(number));
    }

    async fn replicas_go_on(&self) {
        (0..REPLICAS).for_each(|number| self.servers.resume_link(number));
        self.servers.caught_up().await;
    }

    /// The aliases that know nothing of what the first has written.
    fn others(&self) -> [(&'static str, &Cache); 2] {
        [("a second alias", &self.second), ("an alias that does not care", &self.careless)]
    }
}

/// Until what was written by then is read from replicas again.
async fn window_is_over(last_write: Tick) {
    SystemClock.sleep_until(last_write.after(WINDOW + Duration::from_millis(50))).await;
}

async fn each_kind_of_write_is_read_back_at_once(way: &'static str) {
    let aliases = Aliases::of(way).await;
    for kind in KINDS {
        if let Seen::Forever(value) = kind.before {
            // By an alias that does not care: these are not the writes that count.
            aliases.careless.aset(kind.name, &value, Timeout::Forever).await.expect("it is taken");
        }
    }
    aliases.replicas_stand_still().await;

    for kind in KINDS {
        assert_eq!(seen(&aliases.own, kind.name).await, kind.before, "{way}: before {}", kind.name);
        kind.write(&aliases.own).await;
        assert_eq!(seen(&aliases.own, kind.name).await, kind.after, "{way}: after {}", kind.name);
        for (who, cache) in aliases.others() {
            assert_eq!(seen(cache, kind.name).await, kind.before, "{way}: {who} after {}", kind.name);
        }
        if kind.name == "aincr_version" {
            let moved = seen(&aliases.own.at_version(2), kind.name).await;
            assert_eq!(moved, kind.before, "{way}: where it was moved to");
            let moved = seen(&aliases.careless.at_version(2), kind.name).await;
            assert_eq!(moved, Seen::Nothing, "{way}: where it was moved to, by another alias");
        }
    }

    window_is_over(SystemClock.precise()).await;
    for kind in KINDS {
        let later = seen(&aliases.own, kind.name).await;
        assert_eq!(later, kind.before, "{way}: {} when the time is over", kind.name);
    }

    aliases.replicas_go_on().await;
    for kind in KINDS {
        assert_eq!(seen(&aliases.own, kind.name).await, kind.after, "{way}: {} in the end", kind.name);
        for (who, cache) in aliases.others() {
            assert_eq!(seen(cache, kind.name).await, kind.after, "{way}: {who}, {} in the end", kind.name);
        }
    }
}

async fn a_clear_is_seen_at_once(way: &'static str) {
    let aliases = Aliases::of(way).await;
    let keys = ["one", "other"];
    aliases.careless.set_many(keys.map(|key| (key, &1)), Timeout::Forever).await.expect("they are taken");
    aliases.replicas_stand_still().await;
    assert_eq!(seen(&aliases.own, "one").await, Seen::Forever(1), "{way}");

    aliases.own.aclear().await.expect("it is answered");
    for key in keys {
        assert_eq!(seen(&aliases.own, key).await, Seen::Nothing, "{way}");
        for (who, cache) in aliases.others() {
            assert_eq!(seen(cache, key).await, Seen::Forever(1), "{way}: {who}");
        }
    }
    window_is_over(SystemClock.precise()).await;
    for key in keys {
        assert_eq!(seen(&aliases.own, key).await, Seen::Forever(1), "{way}: when the time is over");
    }

    aliases.replicas_go_on().await;
    for (who, cache) in [("who cleared", &aliases.own), aliases.others()[0], aliases.others()[1]] {
        for key in keys {
            assert_eq!(seen(cache, key).await, Seen::Nothing, "{way}: {who} in the end");
        }
    }
}

/// Each from where it has to be, by one call.
async fn what_was_written_and_what_was_not_are_read_together(way: &'static str) {
    let aliases = Aliases::of(way).await;
    let keys = ["mine", "theirs"];
    aliases.careless.set_many(keys.map(|key| (key, &1)), Timeout::Forever).await.expect("they are taken");
    aliases.replicas_stand_still().await;

    aliases.own.aset("mine", &2, Timeout::Forever).await.expect("it is taken");
    aliases.careless.aset("theirs", &2, Timeout::Forever).await.expect("it is taken");
    let found: HashMap<_, i64> = aliases.own.get_many(keys).await.expect("it is answered");
    assert_eq!(found, HashMap::from([("mine", 2), ("theirs", 1)]), "{way}");
    let found: HashMap<_, i64> = aliases.careless.get_many(keys).await.expect("it is answered");
    assert_eq!(found, HashMap::from([("mine", 1), ("theirs", 1)]), "{way}");

    window_is_over(SystemClock.precise()).await;
    let found: HashMap<_, i64> = aliases.own.get_many(keys).await.expect("it is answered");
    assert_eq!(found, HashMap::from([("mine", 1), ("theirs", 1)]), "{way}: when the time is over");
    aliases.replicas_go_on().await;
    for cache in [&aliases.own, &aliases.second, &aliases.careless] {
        let found: HashMap<_, i64> = cache.get_many(keys).await.expect("it is answered");
        assert_eq!(found, HashMap::from([("mine", 2), ("theirs", 2)]), "{way}: in the end");
    }
}
