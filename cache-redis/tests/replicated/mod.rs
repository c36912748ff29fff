//! A leader and two replicas of a test's own, with a network between them that
//! stands still on command.
#![allow(dead_code, reason = "each test program uses a part of it")]

mod link;

use std::collections::HashMap;
use std::time::Duration;

use futures::future::join_all;

use crate::own_server::OwnServer;
use crate::patience::{pause, within};
use crate::resp::{Answer, Client};

use link::Link;

/// Three servers that keep nothing. Clients reach each of them directly; only
/// what the leader and a replica say to each other goes by a link.
pub(crate) struct Replicated {
    leader: OwnServer,
    /// Each with its link.
    replicas: Vec<(OwnServer, Link)>,
}

/// They are counted from zero.
pub(crate) const REPLICAS: usize = 2;

const ARGS: [&str; 8] = [
    // Replicas say how far they are once a second, and their leader writes as often.
    "--repl-ping-replica-period",
    "1",
    // A link that is paused is not given up.
    "--repl-timeout",
    "60",
    "--repl-diskless-sync",
    "yes",
    "--repl-diskless-sync-delay",
    "0",
];

impl Replicated {
    /// A leader and its replicas, which have what it has.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same, of a leader with these arguments too.
    pub(crate) async fn start_with(of_leader: &[&str]) -> Self {
        let leader = OwnServer::start(&[&ARGS[..], of_leader].concat()).await;
        let replicas = join_all((0..REPLICAS).map(|_| replica_of(leader.port()))).await;
        let replicated = Self { leader, replicas };
        replicated.caught_up().await;
        replicated
    }

    pub(crate) fn leader(&self) -> &OwnServer {
        &self.leader
    }

    pub(crate) fn leader_mut(&mut self) -> &mut OwnServer {
        &mut self.leader
    }

    pub(crate) fn replica(&self, number: usize) -> &OwnServer {
        &self.replicas[number].0
    }

    pub(crate) fn replica_mut(&mut self, number: usize) -> &mut OwnServer {
        &mut self.replicas[number].0
    }

    /// Where they are, the leader first.
    pub(crate) fn locations(&self) -> Vec<String> {
        let replicas = self.replicas.iter().map(|(replica, _)| replica.location());
        std::iter::once(self.leader.location()).chain(replicas).collect()
    }

    /// Nothing gets through to this replica or back from now on, and both sides
    /// keep their connection; one that is made now stands still too.
    pub(crate) fn pause_link(&self, number: usize) {
        self.replicas[number].1.pause();
    }

    /// What was held gets through, and all that comes after it.
    pub(crate) fn resume_link(&self, number: usize) {
        self.replicas[number].1.resume();
    }

    /// Ends the connection that there is, paused or not. The replica makes
    /// another one by itself.
    pub(crate) fn cut_link(&self, number: usize) {
        self.replicas[number].1.cut();
    }

    /// Waits until every replica has all that the leader has by now.
    ///
    /// # Panics
    ///
    /// If that does not come about, or one of them does not run.
    pub(crate) async fn caught_up(&self) {
        for number in 0..REPLICAS {
            self.link_is_up(number).await;
        }
        within("replicas have what their leader has", async {
            let leader = Replication::of(&self.leader).await;
            for (replica, _) in &self.replicas {
                while !Replication::of(replica).await.has_all_of(&leader) {
                    pause(BETWEEN).await;
                }
            }
        })
        .await;
    }

    /// Waits until this replica follows the leader that there is now, and has
    /// had all from it that was there when the link was made.
    ///
    /// # Panics
    ///
    /// If that does not come about, or one of them does not run.
    pub(crate) async fn link_is_up(&self, number: usize) {
        within("a replica follows its leader", async {
            // The leader is asked each time: it renames its history when the
            // first replica comes.
            while !Replication::of(self.replica(number)).await.follows(&Replication::of(&self.leader).await) {
                pause(BETWEEN).await;
            }
        })
        .await;
    }
}

const BETWEEN: Duration = Duration::from_millis(5);

async fn replica_of(leader: u16) -> (OwnServer, Link) {
    let link = Link::to(leader).await;
    let port = link.port().to_string();
    let args = [&["--replicaof", "127.0.0.1", &port], &ARGS[..]].concat();
    (OwnServer::start(&args).await, link)
}

/// How a server sees its part.
struct Replication(HashMap<String, String>);

impl Replication {
    async fn of(server: &OwnServer) -> Self {
        let mut client = Client::at(&format!("127.0.0.1:{}", server.port())).await;
        let Answer::Value(info) = client.ask("INFO replication").await else { panic!("it is a text") };
        let info = String::from_utf8(info).expect("it is a text");
        let fields = info.lines().filter_map(|line| line.split_once(':'));
        Self(fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    fn has_all_of(&self, leader: &Self) -> bool {
        self.follows(leader) && self.offset("slave_repl_offset") >= leader.offset("master_repl_offset")
    }

    fn follows(&self, leader: &Self) -> bool {
        // A leader that was started again has another history, in which offsets
        // begin anew: a replica may not have noticed yet.
        let is_of_leader = self.0.get("master_replid") == leader.0.get("master_replid");
        is_of_leader && self.0.get("master_link_status").is_some_and(|status| status == "up")
    }

    fn offset(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.parse().ok()
    }
}
