//! Which server gets what, as a leader and its replicas tell it themselves.

use cache_core::Settings;
use futures::future::join_all;

use crate::monitor::{Monitor, Sent};
use crate::own_server::OwnServer;
use crate::replicated::{REPLICAS, Replicated};
use crate::routed;
use crate::servers::of_driver;

/// Listens at all of them.
pub(crate) struct Routes {
    leader: Monitor,
    replicas: Vec<Monitor>,
    /// Of each replica the address of its leader: what comes from there was
    /// written elsewhere.
    links: Vec<String>,
}

/// What clients have sent to each of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Routed {
    pub(crate) leader: Vec<Sent>,
    pub(crate) replicas: [Vec<Sent>; REPLICAS],
}

/// What goes to any server and is about no key: of connections, of what servers
/// say to each other, and of who asks how they are.
const OF_NO_KEY: [&str; 9] =
    ["HELLO", "AUTH", "CLIENT", "SELECT", "PING", "INFO", "ECHO", "REPLCONF", "PSYNC"];

impl Routes {
    pub(crate) async fn of(servers: &Replicated) -> Self {
        let settings = routed::settings("fred", servers);
        let places: Vec<_> = settings.location().iter().map(|place| of_driver("fred", place)).collect();
        let mut monitors: Vec<_> = join_all(places.iter().map(of_one)).await;
        let replicas = monitors.split_off(1);
        let links = (0..REPLICAS).map(|number| link_of(servers.replica(number))).collect();
        Self { leader: monitors.remove(0), replicas, links }
    }

    /// What they have been sent since they were asked last.
    pub(crate) async fn sent(&mut self) -> Routed {
        let leader = about_keys(self.leader.sent().await, "");
        let [first, second] = &mut self.replicas[..] else { panic!("there are {REPLICAS}") };
        let first = about_keys(first.sent().await, &self.links[0]);
        let second = about_keys(second.sent().await, &self.links[1]);
        Routed { leader, replicas: [first, second] }
    }
}

impl Routed {
    /// The names of the commands that went to the leader, a script by its kind.
    pub(crate) fn by_leader(&self) -> Vec<&str> {
        names(&self.leader)
    }

    /// The names of those that went to any of the replicas.
    pub(crate) fn by_replicas(&self) -> Vec<&str> {
        self.replicas.iter().flat_map(|sent| names(sent)).collect()
    }
}

async fn of_one(settings: &Settings) -> Monitor {
    Monitor::of(settings).await
}

fn link_of(replica: &OwnServer) -> String {
    let info = replica.tell(&["INFO", "replication"]);
    let port = info.lines().find_map(|line| line.strip_prefix("master_port:")).expect("it is a replica");
    format!("127.0.0.1:{}", port.trim())
}

fn about_keys(sent: Vec<Sent>, link: &str) -> Vec<Sent> {
    let is_of_a_client = |command: &Sent| command.client != link;
    let is_about_keys =
        |command: &Sent| !OF_NO_KEY.iter().any(|name| name.eq_ignore_ascii_case(&command.words[0]));
    sent.into_iter().filter(|command| is_of_a_client(command) && is_about_keys(command)).collect()
}

fn names(sent: &[Sent]) -> Vec<&str> {
    sent.iter().map(|command| command.words[0].as_str()).collect()
}
