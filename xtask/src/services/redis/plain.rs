//! Redis over plain TCP.

use std::{io, net::TcpStream, process::Command, time::Duration};

use super::{command::keep_nothing, dialogue::process_id};
use crate::services::{service::Service, site::Site};

pub(crate) static REDIS: Service = Service {
    name: "redis",
    program: "redis-server",
    package: "redis-server",
    variable: "CACHE_TEST_REDIS",
    takes_port: true,
    prepare: |_| Ok(()),
    arguments,
    url: |site| format!("redis://{}", site.address()),
    process_id: ask,
};

fn arguments(site: &Site, command: &mut Command) {
    keep_nothing(site, command);
    let address = site.address();
    command.arg("--bind").arg(address.ip().to_string()).arg("--port").arg(address.port().to_string());
}

fn ask(site: &Site, within: Duration) -> io::Result<u32> {
    let stream = TcpStream::connect_timeout(&site.address().into(), within)?;
    stream.set_read_timeout(Some(within))?;
    stream.set_write_timeout(Some(within))?;
    process_id(stream, None)
}
