//! Where a server is.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddrV4},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

/// Where one server is: all that its arguments and its URL are made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Site {
    /// The loopback port that it listens on; `None` if it is not reached by TCP.
    pub(crate) port: Option<u16>,
    /// The directory of everything that it keeps. Its path is short enough for sockets in it.
    pub(crate) data: PathBuf,
}

impl Site {
    /// The address of a server that is reached by TCP.
    pub(crate) fn address(&self) -> SocketAddrV4 {
        loopback(self.port.expect("a service that takes a port has been given one"))
    }
}

/// As people find it: its address, or its directory if it has none.
impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => loopback(port).fmt(f),
            None => self.data.display().fmt(f),
        }
    }
}

/// A port of this machine that nobody else reaches.
pub(crate) fn loopback(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}
