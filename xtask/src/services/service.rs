//! What is known about a kind of server.

use std::{
    ffi::OsString,
    net::{Ipv4Addr, SocketAddrV4},
    path::Path,
    time::Duration,
};

/// A kind of server that tests can need.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) name: &'static str,
    /// The program that is the server; it has to stay in the foreground.
    pub(crate) program: &'static str,
    /// The Debian package that the program is in.
    pub(crate) package: &'static str,
    /// The environment variable that tells tests where the server is.
    pub(crate) variable: &'static str,
    /// The arguments for serving on a loopback port, with all data in a directory.
    pub(crate) arguments: fn(port: u16, data: &Path) -> Vec<OsString>,
    /// The value of the variable.
    pub(crate) url: fn(port: u16) -> String,
    /// Whether the server on a port answers within the time, and is the process with this id.
    ///
    /// Ports are picked by asking for a free one, so another program can be quicker; only the
    /// server itself can tell that it is the one that was started.
    pub(crate) answers: fn(port: u16, pid: u32, within: Duration) -> bool,
}

/// An environment variable and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl Service {
    pub(crate) fn variable(&self, port: u16) -> Variable {
        Variable { name: self.variable.to_owned(), value: (self.url)(port) }
    }
}

/// A port of this machine that nobody else reaches.
pub(crate) fn loopback(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}
