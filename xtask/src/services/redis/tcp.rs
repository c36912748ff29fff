//! Plain TCP, which a server is reached by and asked by.

use std::{io, net::TcpStream, process::Command, time::Duration};

use crate::services::site::Site;

pub(crate) fn listen(site: &Site, command: &mut Command) {
    let address = site.address();
    command.arg("--bind").arg(address.ip().to_string()).arg("--port").arg(address.port().to_string());
}

pub(crate) fn connect(site: &Site, within: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&site.address().into(), within)?;
    stream.set_read_timeout(Some(within))?;
    stream.set_write_timeout(Some(within))?;
    Ok(stream)
}
