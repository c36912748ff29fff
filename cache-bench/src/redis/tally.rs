//! What the server has done, by its own count.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use super::clients::connection_info;
use super::server::Server;

/// Asks the server, by a connection that nobody else uses.
pub struct Teller(redis::Connection);

/// What was done between two times of asking.
#[derive(Debug)]
pub struct Tally {
    /// How often each command was called.
    pub commands: BTreeMap<String, u64>,
    /// How often the server read from a connection: callers that wait for each
    /// answer make it read at least once for each round trip.
    pub reads: u64,
    /// How many connections came about.
    pub connections: u64,
}

impl Teller {
    pub fn new(server: &Server) -> Result<Self> {
        Ok(Self(redis::Client::open(connection_info(server.port())?)?.get_connection()?))
    }

    /// What has been done so far.
    pub fn ask(&mut self) -> Result<Tally> {
        let said: String = redis::cmd("INFO").arg("everything").query(&mut self.0)?;
        let mut commands = BTreeMap::new();
        for (name, value) in said.lines().filter_map(|line| line.split_once(':')) {
            if let Some(command) = name.strip_prefix("cmdstat_") {
                let calls = value.split(',').find_map(|part| part.strip_prefix("calls="));
                commands.insert(command.to_owned(), calls.context("a command has no calls")?.parse()?);
            }
        }
        let number = |wanted: &str| -> Result<u64> {
            let mut lines = said.lines().filter_map(|line| line.split_once(':'));
            let (_, value) =
                lines.find(|(name, _)| *name == wanted).with_context(|| format!("there is no {wanted}"))?;
            Ok(value.trim().parse()?)
        };
        Ok(Tally {
            commands,
            reads: number("total_reads_processed")?,
            connections: number("total_connections_received")?,
        })
    }
}

impl Tally {
    /// What has been done since, without the asking.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut commands = self.commands.clone();
        for (command, calls) in &mut commands {
            *calls -= earlier.commands.get(command).unwrap_or(&0);
        }
        commands.retain(|command, calls| *calls > 0 && command != "info");
        Self {
            commands,
            reads: self.reads - earlier.reads - 1,
            connections: self.connections - earlier.connections,
        }
    }
}
