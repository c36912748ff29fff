//! Redis, without persistence.

use std::{
    ffi::OsString,
    io::{self, BufRead as _, BufReader, Write as _},
    net::TcpStream,
    path::Path,
    time::Duration,
};

use super::service::{Service, loopback};

pub(crate) static REDIS: Service = Service {
    name: "redis",
    program: "redis-server",
    package: "redis-server",
    variable: "CACHE_TEST_REDIS",
    arguments,
    url: |port| format!("redis://{}", loopback(port)),
    answers: |port, pid, within| process_id(port, within).is_ok_and(|answered| answered == pid),
};

fn arguments(port: u16, data: &Path) -> Vec<OsString> {
    let port = port.to_string();
    let mut arguments: Vec<OsString> = [
        "--bind",
        "127.0.0.1",
        "--port",
        &port,
        "--daemonize",
        "no",
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
    ]
    .into_iter()
    .map(OsString::from)
    .collect();
    arguments.push(data.into());
    arguments
}

/// Says PING, and asks who has answered.
fn process_id(port: u16, within: Duration) -> io::Result<u32> {
    let mut stream = TcpStream::connect_timeout(&loopback(port).into(), within)?;
    stream.set_read_timeout(Some(within))?;
    stream.set_write_timeout(Some(within))?;
    stream.write_all(b"PING\r\nINFO server\r\n")?;

    let mut lines = BufReader::new(stream).lines();
    let pong = lines.next().transpose()?;
    if pong.as_deref() != Some("+PONG") {
        return Err(io::Error::other("the server does not say PONG"));
    }
    for line in lines {
        if let Some(id) = line?.strip_prefix("process_id:") {
            return id.trim().parse().map_err(io::Error::other);
        }
    }
    Err(io::Error::other("the server does not tell its process"))
}
