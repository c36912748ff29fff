//! That what the tests of replicas stand on holds.

mod own_server;
mod patience;
mod replicated;
mod resp;
mod scale;
mod servers;
mod settled;

use std::sync::Arc;
use std::time::Duration;

use cache_core::{AsyncCache, Cache, Context, Timeout};
use cache_redis::RedisStore;

use own_server::{OwnServer, settings};
use patience::{eventually, pause, within};
use replicated::{REPLICAS, Replicated};
use servers::DRIVERS;
use settled::Settled;

/// What each replica has under the key, `""` if nothing.
fn seen(servers: &Replicated, key: &str) -> [String; REPLICAS] {
    [0, 1].map(|number| servers.replica(number).tell(&["GET", key]))
}

#[tokio::test]
async fn replicas_have_what_was_written_once_they_caught_up() {
    let servers = Replicated::start().await;
    servers.leader().obeys(&["SET", "key", "value"]);
    servers.caught_up().await;
    assert_eq!(seen(&servers, "key"), ["value", "value"]);

    let own = [servers.leader(), servers.replica(0), servers.replica(1)].map(OwnServer::location);
    assert_eq!(servers.locations(), own);
}

#[tokio::test]
async fn a_paused_link_keeps_its_connection_and_lets_nothing_through() {
    let servers = Replicated::start().await;
    let connected = || servers.leader().tell(&["INFO", "replication"]).matches("state=online").count();
    servers.pause_link(1);
    servers.leader().obeys(&["SET", "key", "value"]);
    eventually("the other replica has it", async || seen(&servers, "key")[0] == "value").await;
    // Longer than the second after which an idle leader says something.
    pause(Duration::from_millis(1_500)).await;
    assert_eq!(seen(&servers, "key"), ["value", ""]);
    assert_eq!(connected(), REPLICAS);

    servers.resume_link(1);
    servers.caught_up().await;
    assert_eq!(seen(&servers, "key"), ["value", "value"]);
}

#[tokio::test]
async fn a_server_keeps_its_port_while_it_is_down() {
    let mut server = OwnServer::start(&[]).await;
    assert!(!server.gave_its_port_away());
    server.kill();
    assert!(!server.gave_its_port_away());
    server.restart().await;
    assert_eq!(server.tell(&["PING"]), "PONG");
}

#[tokio::test]
async fn a_link_that_is_cut_is_made_again() {
    let servers = Replicated::start().await;
    servers.pause_link(0);
    servers.leader().obeys(&["SET", "key", "value"]);
    servers.cut_link(0);
    let status = || servers.replica(0).tell(&["INFO", "replication"]);
    eventually("the replica notices", async || status().contains("master_link_status:down")).await;

    servers.resume_link(0);
    servers.link_is_up(0).await;
    servers.caught_up().await;
    assert_eq!(seen(&servers, "key"), ["value", "value"]);
}

#[tokio::test]
async fn a_replica_that_was_killed_syncs_again() {
    let mut servers = Replicated::start().await;
    servers.replica_mut(0).kill();
    servers.leader().obeys(&["SET", "key", "value"]);
    servers.replica_mut(0).restart().await;
    servers.link_is_up(0).await;
    assert_eq!(servers.replica(0).tell(&["GET", "key"]), "value");
    servers.caught_up().await;
    assert_eq!(seen(&servers, "key"), ["value", "value"]);
}

#[tokio::test]
async fn replicas_follow_a_leader_that_was_killed() {
    let mut servers = Replicated::start().await;
    servers.leader().obeys(&["SET", "lost", "value"]);
    servers.caught_up().await;
    servers.leader_mut().kill();
    servers.leader_mut().restart().await;
    for number in 0..REPLICAS {
        servers.link_is_up(number).await;
    }
    assert_eq!(seen(&servers, "lost"), ["", ""]);
    servers.leader().obeys(&["SET", "key", "value"]);
    servers.caught_up().await;
    assert_eq!(seen(&servers, "key"), ["value", "value"]);
}

fn open(driver: &str, location: &str) -> Arc<dyn AsyncCache> {
    let store = RedisStore::open(&settings(driver, location, &[]), &Context::new("test"));
    Arc::new(store.expect("the settings are fine"))
}

#[tokio::test]
async fn a_settled_write_is_read_everywhere() {
    let servers = Replicated::start().await;
    let locations = servers.locations();
    for driver in DRIVERS {
        let settled = Settled::over(open(driver, &locations[0]), &locations[0]);
        assert_eq!(settled.capabilities().deadline, None);
        let leader = Cache::builder(Arc::new(settled)).build();
        let replicas = [1, 2].map(|number| Cache::builder(open(driver, &locations[number])).build());
        for number in 0..50 {
            leader.aset("key", &number, Timeout::Forever).await.expect("the leader is well");
            for replica in &replicas {
                let read = replica.aget::<i32>("key").await.expect("the replica is well");
                assert_eq!(read, Some(number), "{driver}");
            }
        }
        leader.aclear().await.expect("the leader is well");
        for replica in &replicas {
            assert_eq!(replica.aget::<i32>("key").await.expect("the replica is well"), None, "{driver}");
        }
    }
    // Nothing is left of having waited.
    assert_eq!(servers.leader().tell(&["DBSIZE"]), "0");
}

#[tokio::test]
async fn a_settled_write_waits_for_the_slower_replica() {
    let servers = Replicated::start().await;
    let locations = servers.locations();
    let cache =
        Cache::builder(Arc::new(Settled::over(open(DRIVERS[0], &locations[0]), &locations[0]))).build();
    cache.aset("key", &1, Timeout::Forever).await.expect("the leader is well");

    servers.pause_link(1);
    let writing = tokio::spawn(async move { cache.aset("key", &2, Timeout::Forever).await });
    pause(Duration::from_millis(500)).await;
    assert!(!writing.is_finished());
    servers.resume_link(1);
    let written = within("the write", writing).await.expect("it does not panic");
    written.expect("the leader is well");
}
