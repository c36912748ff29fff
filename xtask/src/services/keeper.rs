//! The process that the servers of a test run belong to.

use std::io::{Read as _, Write as _};

use anyhow::{Context as _, Result};

use super::{install, server::Server, service::Service, state::State};

/// Starts servers, prints where they are as one line of JSON, and stops them when standard input
/// ends.
pub(crate) fn keep(services: &[&Service]) -> Result<()> {
    let mut servers = Vec::new();
    for service in services {
        let program = install::program(service)?;
        servers.push(Server::start(service, &program)?);
    }

    let states: Vec<Vec<&State>> =
        servers.iter().map(|servers| servers.iter().map(Server::state).collect()).collect();
    let mut output = std::io::stdout().lock();
    serde_json::to_writer(&mut output, &states).context("cannot tell where the servers are")?;
    writeln!(output).and_then(|()| output.flush()).context("cannot tell where the servers are")?;

    // Nothing is ever written to it: reading returns when the other end is closed.
    let mut nothing = Vec::new();
    std::io::stdin().read_to_end(&mut nothing).context("cannot wait for the end")?;
    Ok(())
}
