//! Redis over plain TCP.

use super::{command::keep_nothing, dialogue::process_id, tcp};
use crate::services::service::Service;

pub(crate) static REDIS: Service = Service {
    name: "redis",
    program: "redis-server",
    package: "redis-server",
    variable: "CACHE_TEST_REDIS",
    servers: 1,
    takes_port: true,
    prepare: |_| Ok(()),
    arguments: |site, _, command| {
        keep_nothing(site, command);
        tcp::listen(site, command);
    },
    url: |site| format!("redis://{}", site.address()),
    process_id: |site, within| process_id(tcp::connect(site, within)?, None),
};
