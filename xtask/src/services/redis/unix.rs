//! Redis over a socket of Unix, without any port.

use std::process::Command;

use super::{command::keep_nothing, socket};
use crate::services::{service::Service, site::Site, url_path::url_path};

pub(crate) static REDIS_UNIX: Service = Service {
    name: "redis-unix",
    program: "redis-server",
    package: "redis-server",
    variable: "CACHE_TEST_REDIS_UNIX",
    servers: 1,
    takes_port: false,
    prepare: socket::check,
    arguments,
    url: |site| format!("unix://{}", url_path(&socket::path(site))),
    process_id: |site, within| socket::ask(site, None, within),
};

fn arguments(site: &Site, _: &[Site], command: &mut Command) {
    keep_nothing(site, command);
    command.arg("--unixsocket").arg(socket::path(site));
}
