//! The driver fred, fenced: each of its clients is one connection here, which
//! is used until it is lost and then thrown away.
//!
//! So none of what it does by itself comes about: it never connects anew, sends
//! nothing twice, and its queue ends with the connection. What is left of its
//! faults is seen to here: array replies that it takes for messages of others,
//! commands that it forgets once its task has ended, and replies that pin the
//! buffer they were read into.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use cache_core::Key;
use fred::clients::Client;
use fred::error::ErrorKind;
use fred::interfaces::ClientLike as _;
use fred::types::config::{
    Config, ConnectionConfig, PerformanceConfig, Server, ServerConfig, TcpConfig, TlsConfig, TlsConnector,
};
use fred::types::{ClusterHash, CustomCommand, Resp3Frame, RespVersion, Value};
use futures::FutureExt as _;
use futures::future::{Either, join_all, select};
use socket2_of_fred::TcpKeepalive;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use super::connection::{Connection, Credentials, Lost, NoConnection, Target};
use super::watched::watched;
use crate::command::{Arg, Command};
use crate::location::Address;
use crate::reply::Reply;
use crate::server_error::ServerError;

/// One connection of fred.
pub(crate) struct Link {
    client: Client,
    router: Router,
    max_value_bytes: usize,
}

/// The task that fred does everything in; it ends with the connection.
struct Router {
    task: AbortHandle,
    cut: AtomicBool,
    /// Closed once the task has ended, however it did.
    ended: Arc<Semaphore>,
}

/// Tells those who wait that the task has ended.
struct Tell(Arc<Semaphore>);

/// Deadlines are kept by whoever calls.
const NEVER: Duration = Duration::from_secs(1 << 30);

/// Shorter than what firewalls usually take for an abandoned connection.
const KEEPALIVE: Duration = Duration::from_mins(1);

/// Fred takes an array of three to five that begins with a word of publish and
/// subscribe for a message, throws it away, and hands each later reply to the
/// wrong caller. Answers to `MGET` are values of whoever, so there are never as
/// many: with this many it does no harm.
const HARMLESS: usize = 6;

impl Connection for Link {
    async fn connect(target: &Target, credentials: &Credentials) -> Result<Self, NoConnection> {
        let performance =
            PerformanceConfig { default_command_timeout: Duration::ZERO, ..PerformanceConfig::default() };
        let client =
            Client::new(config(target, credentials), Some(performance), Some(connection_config()), None);
        let mut connected = pin!(client.wait_for_connect());
        // Polled first, since otherwise it could miss what it waits for.
        let early = futures::poll!(connected.as_mut());
        let mut task = client.connect();
        let ended = Arc::new(Semaphore::new(0));
        let router =
            Router { task: task.abort_handle(), cut: AtomicBool::new(false), ended: Arc::clone(&ended) };
        let outcome = match early {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => match select(connected, &mut task).await {
                Either::Left((outcome, _)) => outcome,
                Either::Right((Ok(ended), connected)) => match connected.now_or_never() {
                    Some(outcome) => outcome,
                    None => ended,
                },
                // It panics where the runtime has no I/O.
                Either::Right((Err(error), _)) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => return Err(target.unreachable("its task was cancelled")),
                },
            },
        };
        outcome.map_err(|error| not_connected(target, error))?;
        let tell = Tell(ended);
        tokio::spawn(async move {
            let _tell = tell;
            let _ = task.await;
        });
        Ok(Self { client: client.clone(), router, max_value_bytes: target.max_value_bytes })
    }

    async fn call(&self, command: &Command<'_>) -> Result<Reply, Lost> {
        let asked = command.args.len();
        let padding = match (command.name, asked) {
            ("MGET", 3..HARMLESS) => HARMLESS - asked,
            _ => 0,
        };
        let name = CustomCommand::new_static(command.name, ClusterHash::FirstKey, false);
        let mut args = values_of(&command.args);
        for _ in 0..padding {
            args.extend(args.last().cloned());
        }
        // Fred's future takes some kilobytes, which are not to be moved: it is
        // made where it stays.
        let call = Box::into_pin(Box::write(Box::new_uninit(), self.client.custom_raw(name, args)));
        let reply = self.reply(self.frame(call).await?);
        Ok(if padding > 0 { reply.truncated(asked, HARMLESS) } else { reply })
    }

    /// They are put into one queue before anything is waited for, and so travel
    /// together.
    async fn call_many(&self, commands: &[Command<'_>]) -> Result<Vec<Reply>, Lost> {
        join_all(commands.iter().map(|command| self.call(command))).await.into_iter().collect()
    }

    fn is_lost(&self) -> bool {
        self.router.is_over()
    }

    fn cut(&self) {
        self.router.cut();
    }
}

impl Link {
    /// The answer to a call, unless fred's task has ended: it takes commands
    /// even then, and leaves them lying.
    async fn frame(
        &self,
        mut call: Pin<Box<impl Future<Output = Result<Resp3Frame, fred::error::Error>>>>,
    ) -> Result<Resp3Frame, Lost> {
        // What was put into the queue when the task had looked into it for the last
        // time stays there: nobody answers it, and nobody drops it.
        let watched = pin!(watched(call.as_mut(), || self.router.is_over()));
        let outcome = match select(watched, pin!(self.router.ended.acquire())).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right(_) => None,
        };
        match outcome {
            Some(Ok(frame)) => Ok(frame),
            Some(Err(error)) => {
                self.router.cut();
                Err(Lost((*error.kind() == ErrorKind::IO).then(|| error.into())))
            }
            None => Err(Lost(None)),
        }
    }

    fn reply(&self, frame: Resp3Frame) -> Reply {
        match frame {
            Resp3Frame::Null => Reply::Nil,
            Resp3Frame::Number { data, .. } => Reply::Integer(data),
            Resp3Frame::BlobString { data, .. } => self.value(data),
            Resp3Frame::SimpleString { .. } => Reply::Status,
            Resp3Frame::Array { data, .. } => {
                Reply::Array(data.into_iter().map(|item| self.reply(item)).collect())
            }
            Resp3Frame::SimpleError { data, .. } => Reply::Refused(ServerError::parse(&data)),
            Resp3Frame::BlobError { data, .. } => {
                Reply::Refused(ServerError::parse(&String::from_utf8_lossy(&data)))
            }
            _ => Reply::Other,
        }
    }

    /// A copy, since what fred hands out keeps all of what was read with it.
    fn value(&self, data: Bytes) -> Reply {
        if data.len() > self.max_value_bytes.saturating_add(1) {
            return Reply::TooLong(data);
        }
        Reply::Value(Bytes::copy_from_slice(&data))
    }
}

impl Router {
    fn is_over(&self) -> bool {
        self.cut.load(Ordering::Acquire) || self.task.is_finished()
    }

    fn cut(&self) {
        self.cut.store(true, Ordering::Release);
        self.task.abort();
    }
}

impl Drop for Tell {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn config(target: &Target, credentials: &Credentials) -> Config {
    let server = match &target.address {
        Address::Tcp { host, port } => {
            ServerConfig::Centralized { server: Server::new(host.as_str(), *port) }
        }
        Address::Unix(path) => ServerConfig::Unix { path: path.clone() },
    };
    let tls = target
        .tls
        .clone()
        .map(|config| TlsConfig::from(TlsConnector::Rustls(tokio_rustls::TlsConnector::from(config))));
    Config {
        fail_fast: true,
        username: credentials.username.clone(),
        password: credentials.password.as_ref().map(|password| password.reveal().to_owned()),
        server,
        version: RespVersion::RESP2,
        database: None,
        tls,
        ..Config::default()
    }
}

fn connection_config() -> ConnectionConfig {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    ConnectionConfig {
        connection_timeout: NEVER,
        internal_command_timeout: NEVER,
        // Nothing is sent twice.
        max_command_attempts: 1,
        reconnect_on_auth_error: false,
        disable_cluster_health_check: true,
        // With a bound fred stops sending for good once it was reached.
        max_command_buffer_len: 0,
        tcp: TcpConfig { nodelay: Some(true), keepalive: Some(keepalive), ..TcpConfig::default() },
        ..ConnectionConfig::default()
    }
}

fn not_connected(target: &Target, error: fred::error::Error) -> NoConnection {
    match error.kind() {
        ErrorKind::IO | ErrorKind::Tls | ErrorKind::Timeout | ErrorKind::Canceled => {
            target.unreachable(error)
        }
        // Errors of the server have several kinds, and their text is its own.
        kind => match ServerError::parse(error.details()) {
            ServerError::Other if *kind == ErrorKind::Auth => {
                NoConnection::Refused(ServerError::Unauthenticated)
            }
            error => NoConnection::Refused(error),
        },
    }
}

/// The arguments as fred takes them. Several keys share one buffer: to allocate
/// each of a hundred costs more than it does to send them.
fn values_of(args: &[Arg<'_>]) -> Vec<Value> {
    let keys = || args.iter().filter_map(Arg::key);
    if keys().nth(1).is_none() {
        return args.iter().map(Arg::to_value).collect();
    }
    let mut buffer = BytesMut::with_capacity(keys().map(Key::len).sum());
    let mut value = |arg: &Arg<'_>| match arg.key() {
        None => arg.to_value(),
        Some(key) => {
            key.pieces().iter().for_each(|piece| buffer.extend_from_slice(piece.as_bytes()));
            Value::Bytes(buffer.split().freeze())
        }
    };
    args.iter().map(&mut value).collect()
}

impl<'a> Arg<'a> {
    fn key(&self) -> Option<&Key<'a>> {
        match self {
            Self::Key(key) => Some(key),
            _ => None,
        }
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Word(word) => Value::from_static_str(word),
            Self::Text(text) => Value::Bytes(Bytes::copy_from_slice(text.as_bytes())),
            Self::Key(key) => Value::Bytes(Bytes::from(key.text().into_owned())),
            Self::Value(bytes) => Value::Bytes(bytes.clone()),
            Self::Integer(number) => Value::Integer(*number),
        }
    }
}
