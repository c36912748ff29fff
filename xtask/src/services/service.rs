//! What is known about a kind of server.

use std::{io, process::Command, time::Duration};

use anyhow::Result;

use super::{site::Site, state::State};

/// A kind of server that tests can need, or a few servers that belong together.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) name: &'static str,
    /// The program that is the server; it has to stay in the foreground.
    pub(crate) program: &'static str,
    /// The Debian package that the program is in.
    pub(crate) package: &'static str,
    /// The environment variable that tells tests where the server is.
    pub(crate) variable: &'static str,
    /// How many servers it takes. They are started one after the other, each once those before it
    /// answer, and all are started anew if one has died.
    pub(crate) servers: usize,
    /// Whether it is reached by TCP, and so is given a port.
    pub(crate) takes_port: bool,
    /// Sees to what the server needs before it starts, such as files in its directory.
    pub(crate) prepare: fn(site: &Site) -> Result<()>,
    /// Gives the program the arguments for serving at the site, with all data in its directory;
    /// the earlier sites are those of the servers that were started before it.
    pub(crate) arguments: fn(site: &Site, earlier: &[Site], command: &mut Command),
    /// What the variable says of a server; that of several servers is put together by commas.
    pub(crate) url: fn(site: &Site) -> String,
    /// Asks whichever server is at the site for the id of its process. It fails if the server is
    /// not ready.
    pub(crate) process_id: fn(site: &Site, within: Duration) -> io::Result<u32>,
}

/// An environment variable and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl Service {
    pub(crate) fn variable(&self, servers: &[State]) -> Variable {
        let urls: Vec<String> = servers.iter().map(|state| (self.url)(&state.site)).collect();
        Variable { name: self.variable.to_owned(), value: urls.join(",") }
    }

    /// Whether the server at the site answers within the time, and is the process with this id.
    ///
    /// Ports are picked by asking for a free one, so another program can be quicker; only the
    /// server itself can tell that it is the one that was started.
    pub(crate) fn answers(&self, site: &Site, pid: u32, within: Duration) -> bool {
        (self.process_id)(site, within).is_ok_and(|answered| answered == pid)
    }
}
