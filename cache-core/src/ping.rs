//! What a store answers when it is asked whether it is there.

use std::fmt;
use std::time::Duration;

use crate::error::Result;

/// What a store answered when it was asked whether it is there.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Ping {
    /// How long the answer took; of several servers, that of the leader.
    pub round_trip: Duration,
    /// Whether the server is still loading its data and serves none yet.
    pub loading: bool,
    /// How far it lags behind its leader.
    pub lag: Lag,
    /// In which history of writes positions are, by any number that tells it
    /// from others: those of two histories do not compare. A leader that has
    /// begun anew has another one.
    pub history: u64,
    /// Each server by itself, the leader first, where there are several.
    pub endpoints: Vec<EndpointPing>,
}

/// How far a replica lags behind its leader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lag {
    /// It cannot tell, or is no replica.
    #[default]
    Unknown,
    /// Its data is this old.
    Age(Duration),
    /// It has reached this position of the leader's writes.
    Position(u64),
}

/// What one of several servers answered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EndpointPing {
    /// Which one it is.
    pub endpoint: Endpoint,
    /// Whether operations go there now: of a replica, whether it is not left out.
    pub in_use: bool,
    /// Its answer, or why there is none. Of a replica the lag is an age, where
    /// it is known.
    pub answer: Result<Ping>,
}

/// One of the servers of an alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// The one that takes the writes.
    Leader,
    /// One that may take reads, by its place among them, counted from one: 1
    /// is the second of the locations.
    Replica(usize),
}

impl Ping {
    /// An answer that took this long, from a server that is ready.
    pub fn new(round_trip: Duration) -> Self {
        Self { round_trip, loading: false, lag: Lag::Unknown, history: 0, endpoints: Vec::new() }
    }

    /// The same answer, from a server that is still loading its data.
    #[must_use]
    pub fn loading(mut self) -> Self {
        self.loading = true;
        self
    }

    /// The same answer, with what is known of the lag.
    #[must_use]
    pub fn with_lag(mut self, lag: Lag) -> Self {
        self.lag = lag;
        self
    }

    /// The same answer, with the history that its position is in.
    #[must_use]
    pub fn in_history(mut self, history: u64) -> Self {
        self.history = history;
        self
    }

    /// The same answer, with that of each server.
    #[must_use]
    pub fn with_endpoints(mut self, endpoints: Vec<EndpointPing>) -> Self {
        self.endpoints = endpoints;
        self
    }
}

impl EndpointPing {
    /// What this endpoint answered.
    pub fn new(endpoint: Endpoint, in_use: bool, answer: Result<Ping>) -> Self {
        Self { endpoint, in_use, answer }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leader => f.write_str("leader"),
            Self::Replica(number) => write!(f, "replica {number}"),
        }
    }
}
