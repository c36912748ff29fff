//! A leader and two replicas of it, over plain TCP.

use std::{io, process::Command, time::Duration};

use super::{
    command::keep_nothing,
    dialogue::{process_id, waits_for_leader},
    tcp,
};
use crate::services::{service::Service, site::Site};

pub(crate) static REDIS_REPLICAS: Service = Service {
    name: "redis-replicas",
    program: "redis-server",
    package: "redis-server",
    variable: "CACHE_TEST_REDIS_REPLICAS",
    servers: 3,
    takes_port: true,
    prepare: |_| Ok(()),
    arguments,
    url: |site| format!("redis://{}", site.address()),
    process_id: ask,
};

fn arguments(site: &Site, earlier: &[Site], command: &mut Command) {
    keep_nothing(site, command);
    tcp::listen(site, command);
    // Nobody has to wait for a replica: the leader sends its data at once, and says something on
    // an idle link each second.
    command.args(["--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0"]);
    command.args(["--repl-ping-replica-period", "1"]);
    if let Some(leader) = earlier.first() {
        let address = leader.address();
        command.arg("--replicaof").arg(address.ip().to_string()).arg(address.port().to_string());
    }
}

/// A replica is not there until it has what its leader has.
fn ask(site: &Site, within: Duration) -> io::Result<u32> {
    let id = process_id(tcp::connect(site, within)?, None)?;
    if waits_for_leader(tcp::connect(site, within)?)? {
        return Err(io::Error::other("the replica has no link to its leader"));
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::arguments;
    use crate::services::site::Site;

    fn given(port: u16, earlier: &[Site]) -> String {
        let mut command = Command::new("redis-server");
        arguments(&of(port), earlier, &mut command);
        command.get_args().map(|arg| arg.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    fn of(port: u16) -> Site {
        Site { port: Some(port), data: "/data".into() }
    }

    #[test]
    fn all_replicas_follow_the_first_server() {
        assert!(!given(7000, &[]).contains("--replicaof"));
        for (port, earlier) in [(7001, &[of(7000)][..]), (7002, &[of(7000), of(7001)])] {
            let given = given(port, earlier);
            assert!(given.contains(&format!("--port {port}")), "{given}");
            assert!(given.ends_with("--replicaof 127.0.0.1 7000"), "{given}");
        }
    }
}
