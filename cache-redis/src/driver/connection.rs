//! The seam: what a driver is told, what it does, and what it answers.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use cache_core::{BoxError, Error, ErrorKind};
use tokio_rustls::rustls::ClientConfig;

use crate::command::Command;
use crate::location::Address;
use crate::reply::Reply;
use crate::secret::Secret;
use crate::server_error::ServerError;

/// What is connected to, and how.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: Address,
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// How many calls may be under way: a queue of the driver's own has to take
    /// as many, also of callers who are not polled.
    #[cfg_attr(not(feature = "redis-rs"), expect(dead_code, reason = "the queue of fred has no bound"))]
    pub(crate) max_in_flight: usize,
    /// Longer values are not copied out of a driver's buffer.
    pub(crate) max_value_bytes: usize,
}

/// Who connects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Credentials {
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
}

/// One connection: it is used until it is lost, and never mends itself.
///
/// Each call is sent once at most. A call that is dropped before it was sent is
/// not sent; one that is dropped later is, and its reply goes to nobody. Calls
/// are sent in the order in which they are first polled.
pub(crate) trait Connection: Sized + Send + Sync + 'static {
    fn connect(
        target: &Target,
        credentials: &Credentials,
    ) -> impl Future<Output = Result<Self, NoConnection>> + Send;

    /// Sends one command.
    fn call(&self, command: &Command<'_>) -> impl Future<Output = Result<Reply, Lost>> + Send;

    /// Sends commands together; answers a reply for each.
    fn call_many(&self, commands: &[Command<'_>]) -> impl Future<Output = Result<Vec<Reply>, Lost>> + Send;

    /// Whether it is known to be over.
    fn is_lost(&self) -> bool;

    /// Ends it: calls under way fail now, and no reply reaches anybody.
    fn cut(&self);
}

/// Why no connection came about.
#[derive(Clone, Debug)]
pub(crate) enum NoConnection {
    /// The server said so.
    Refused(ServerError),
    Unreachable(Error),
}

/// A call has no reply, and there will be none: the connection is gone.
#[derive(Debug)]
pub(crate) struct Lost(pub(crate) Option<BoxError>);

impl Target {
    /// What is said where no connection comes about.
    pub(super) fn unreachable(&self, source: impl Into<BoxError>) -> NoConnection {
        let hint = match self.tls {
            None => "",
            Some(_) => " (TLS is on: does the server speak it, and is its certificate one of `tls_ca_file`?)",
        };
        let detail = format!("cannot connect to {}{hint}", self.address);
        NoConnection::Unreachable(Error::new(ErrorKind::Connection, detail).with_source(source))
    }
}

impl Lost {
    pub(crate) fn into_error(self) -> Error {
        let error = Error::new(ErrorKind::Connection, "the connection was lost before there was an answer");
        match self.0 {
            Some(source) => error.with_source(source),
            None => error,
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("address", &self.address)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}
