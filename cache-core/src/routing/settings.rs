//! How reads are spread, and which replicas are too old for it.

use std::time::Duration;

/// How [`Routing`](crate::Routing) chooses among the replicas that can be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplicaPolicy {
    /// Any of them, as Django does.
    #[default]
    Random,
    /// One after the other.
    RoundRobin,
    /// The one whose data is newest. Those that cannot tell come last, and of
    /// equals any is chosen.
    LeastLag,
}

/// What [`Routing`](crate::Routing) is told beside the servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoutingSettings {
    /// How a replica is chosen for a read.
    pub policy: ReplicaPolicy,
    /// How old the data of a replica may be; none: as old as it is. Behind a leader
    /// that answers nothing it may be older: [`Routing`](crate::Routing) says when.
    pub max_lag: Option<Duration>,
    /// For how long what was written here is read from the leader; none: not.
    pub read_your_writes: Option<Duration>,
}

impl ReplicaPolicy {
    /// The names that configurations have for them, the default first.
    pub const NAMES: &'static [&'static str] = &["random", "round_robin", "least_lag"];

    /// The policy of this name.
    ///
    /// ```
    /// use cache_core::ReplicaPolicy;
    ///
    /// assert_eq!(ReplicaPolicy::named("least_lag"), Some(ReplicaPolicy::LeastLag));
    /// assert_eq!(ReplicaPolicy::named("nearest"), None);
    /// ```
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "random" => Self::Random,
            "round_robin" => Self::RoundRobin,
            "least_lag" => Self::LeastLag,
            _ => return None,
        })
    }
}

impl RoutingSettings {
    /// Any replica, however old its data is.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`policy`](Self::policy).
    #[must_use]
    pub fn policy(mut self, policy: ReplicaPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets [`max_lag`](Self::max_lag).
    #[must_use]
    pub fn max_lag(mut self, max_lag: impl Into<Option<Duration>>) -> Self {
        self.max_lag = max_lag.into();
        self
    }

    /// Sets [`read_your_writes`](Self::read_your_writes).
    #[must_use]
    pub fn read_your_writes(mut self, window: impl Into<Option<Duration>>) -> Self {
        self.read_your_writes = window.into();
        self
    }

    /// Whether the age of the replicas has to be known.
    pub(super) fn needs_ages(&self) -> bool {
        self.max_lag.is_some() || self.policy == ReplicaPolicy::LeastLag
    }
}
