//! A leader and its replicas under traffic, and who of them takes part.

use std::time::Duration;

use cache_core::{Cache, Clock, Endpoint, RoutingSettings, SystemClock, Tick};

use crate::own_server::OwnServer;
use crate::patience::{eventually, pause};
use crate::replicated::{REPLICAS, Replicated};
use crate::resp::{Answer, Client};
use crate::routed;
use crate::traffic::{Report, Traffic};

pub(crate) const DEADLINE: Duration = Duration::from_secs(1);

/// The machine may be busy with something else.
pub(crate) const MACHINE: Duration = Duration::from_millis(250);

/// What has been answered outlives `kill -9`: it is written before the answer.
const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "no"];

/// Traffic that has gone on for a while.
pub(crate) struct Scene {
    pub(crate) way: &'static str,
    pub(crate) servers: Replicated,
    pub(crate) cache: Cache,
    pub(crate) traffic: Traffic,
}

impl Scene {
    /// A leader that outlives what it has answered, and replicas that keep nothing.
    pub(crate) async fn of(way: &'static str, routing: RoutingSettings) -> Self {
        let servers = Replicated::start_with(&DURABLE).await;
        let cache = routed::cache(way, &servers, routing, DEADLINE);
        let traffic = Traffic::begin(&cache).await;
        traffic.goes_on(Duration::from_millis(500)).await;
        let scene = Self { way, servers, cache, traffic };
        for number in 0..REPLICAS {
            scene.is_read_from(number).await;
        }
        // So they have each of the keys.
        scene.servers.caught_up().await;
        scene
    }

    /// Until somebody reads from this replica, or does so again.
    pub(crate) async fn is_read_from(&self, number: usize) {
        let replica = self.servers.replica(number);
        let before = reads(replica).await;
        eventually("the replica is read from", async || reads(replica).await > before).await;
    }

    /// That nobody does for a while.
    pub(crate) async fn is_not_read_from(&self, number: usize, duration: Duration) {
        let replica = self.servers.replica(number);
        let before = reads(replica).await;
        pause(duration).await;
        assert_eq!(reads(replica).await, before, "{}: replica {}", self.way, number + 1);
    }

    /// How often a replica has been left out.
    pub(crate) fn left_out(&self) -> u64 {
        self.cache.stats().replicas_left_out
    }

    /// Until that has happened so often; since when it took.
    pub(crate) async fn leaves_out(&self, count: u64, since: Tick) -> Duration {
        eventually("it is left out", async || self.left_out() >= count).await;
        SystemClock.precise().since(since)
    }

    /// Which of the replicas are read from, as the alias says. Where the leader
    /// is down it says nothing.
    pub(crate) async fn in_use(&self) -> [bool; REPLICAS] {
        let ping = self.cache.aping().await.expect("the leader is there");
        [1, 2].map(|number| {
            let mut endpoints = ping.endpoints.iter();
            endpoints.find(|of| of.endpoint == Endpoint::Replica(number)).expect("it is listed").in_use
        })
    }

    /// Lets all tasks end, and says what became of them; `back` is when
    /// everything was in order again.
    pub(crate) async fn end(self, fault: &str, back: Tick) -> (Report, Replicated, Cache) {
        let report = self.traffic.end().await;
        report.print(fault, self.way, back);
        report.is_sane();
        (report, self.servers, self.cache)
    }
}

/// How often keys were read there since it was started. Nothing else may wait
/// for that: the networks between the servers are made of tasks.
async fn reads(replica: &OwnServer) -> u64 {
    let mut client = Client::at(&format!("127.0.0.1:{}", replica.port())).await;
    let Answer::Value(stats) = client.ask("INFO commandstats").await else { panic!("it is a text") };
    let stats = String::from_utf8(stats).expect("it is a text");
    let calls = ["get", "mget"].map(|command| {
        let prefix = format!("cmdstat_{command}:calls=");
        let rest = stats.lines().find_map(|line| line.strip_prefix(&prefix));
        rest.map_or(0, |rest| rest.split(',').next().and_then(|calls| calls.parse().ok()).expect("a number"))
    });
    calls.iter().sum()
}
