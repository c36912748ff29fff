//! A handle over a leader and its replicas, as a configuration opens it.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::time::Duration;

use cache_core::{Cache, Context, RoutingSettings, Settings};

use crate::replicated::Replicated;
use crate::servers::{of_locations, open_routed};

/// Settings for these servers, with the database named: who speaks to a server
/// beside the store finds it there.
pub(crate) fn settings(way: &str, servers: &Replicated) -> Settings {
    of_locations(way, servers.locations().into_iter().map(|location| format!("{location}?db=0")).collect())
}

/// An alias of its own over these servers, with reads spread so.
pub(crate) fn cache(way: &str, servers: &Replicated, routing: RoutingSettings, deadline: Duration) -> Cache {
    let mut context = Context::new("test");
    context.deadline = deadline;
    let store = open_routed(&settings(way, servers), &context, routing);
    Cache::builder(store).context(&context).deadline(deadline).build()
}
