//! The driver redis-rs: one multiplexed connection, on a stream of our own.

use std::io::{self, Write as _};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cache_core::Key;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, Pipeline, RedisConnectionInfo, RedisWrite, ToRedisArgs, Value};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::connection::{Connection, Credentials, Lost, NoConnection, Target};
use super::watched::watched;
use crate::command::{Arg, Command};
use crate::location::Address;
use crate::reply::Reply;
use crate::server_error::ServerError;

/// One connection of redis-rs.
pub(crate) struct Link {
    connection: MultiplexedConnection,
    /// What reads and writes the stream.
    pump: Pump,
    max_value_bytes: usize,
}

/// Ends the task with the connection.
struct Pump {
    task: AbortHandle,
    over: Arc<AtomicBool>,
}

/// Says that the task is over, before its queue is.
struct Over(Arc<AtomicBool>);

/// Shorter than what firewalls usually take for an abandoned connection.
const KEEPALIVE: Duration = Duration::from_mins(1);

impl Connection for Link {
    async fn connect(target: &Target, credentials: &Credentials) -> Result<Self, NoConnection> {
        match &target.address {
            Address::Tcp { host, port } => {
                let stream = tcp(host, *port).await.map_err(|error| target.unreachable(error))?;
                let Some(tls) = &target.tls else { return Self::start(stream, target, credentials).await };
                let name = ServerName::try_from(host.clone()).map_err(|error| target.unreachable(error))?;
                let stream = TlsConnector::from(tls.clone()).connect(name, stream).await;
                let stream = stream.map_err(|error| target.unreachable(error))?;
                Self::start(stream, target, credentials).await
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                let stream = tokio::net::UnixStream::connect(path).await;
                let stream = stream.map_err(|error| target.unreachable(error))?;
                Self::start(stream, target, credentials).await
            }
            #[cfg(not(unix))]
            Address::Unix(_) => Err(target.unreachable("this system has no unix sockets")),
        }
    }

    async fn call(&self, command: &Command<'_>) -> Result<Reply, Lost> {
        let packed = packed(command);
        let mut connection = self.connection.clone();
        let call = pin!(connection.send_packed_command(&packed));
        match watched(call, || self.is_lost()).await {
            Some(Ok(value)) => Ok(self.reply(value)),
            Some(Err(error)) => self.failed(error),
            None => Err(Lost(None)),
        }
    }

    async fn call_many(&self, commands: &[Command<'_>]) -> Result<Vec<Reply>, Lost> {
        let count = commands.len();
        let mut pipeline = Pipeline::with_capacity(count);
        for command in commands {
            pipeline.add_command(packed(command));
        }
        let mut connection = self.connection.clone();
        let call = pin!(connection.send_packed_commands(&pipeline, 0, count));
        match watched(call, || self.is_lost()).await {
            Some(Ok(values)) => Ok(values.into_iter().map(|value| self.reply(value)).collect()),
            Some(Err(error)) => self.failed(error).map(|reply| vec![reply]),
            None => Err(Lost(None)),
        }
    }

    fn is_lost(&self) -> bool {
        self.pump.over.load(Ordering::SeqCst)
    }

    fn cut(&self) {
        self.pump.cut();
    }
}

impl Link {
    async fn start<S>(stream: S, target: &Target, credentials: &Credentials) -> Result<Self, NoConnection>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let info = RedisConnectionInfo::default().set_skip_set_lib_name();
        // Deadlines are kept by whoever calls.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(None)
            .set_pipeline_buffer_size(target.max_in_flight);
        let connected = MultiplexedConnection::new_with_config(&info, stream, config).await;
        let (connection, pump) = connected.map_err(|error| target.unreachable(error))?;
        let over = Arc::new(AtomicBool::new(false));
        let said = Over(Arc::clone(&over));
        let task = tokio::spawn(async move {
            let mut pump = pin!(pump);
            // Dropped first, however the task ends: whoever then still puts a call
            // into the queue learns of it, and all before are dropped with the queue.
            let _over = said;
            pump.as_mut().await;
        });
        let pump = Pump { task: task.abort_handle(), over };
        let link = Self { connection, pump, max_value_bytes: target.max_value_bytes };
        link.introduce(target, credentials).await?;
        Ok(link)
    }

    /// Says who is there, or at least anything: that a connection was accepted
    /// does not mean that there is a server behind it.
    async fn introduce(&self, target: &Target, credentials: &Credentials) -> Result<(), NoConnection> {
        let command = match &credentials.password {
            Some(password) => Command::auth(credentials.username.as_deref(), password.reveal()),
            None => Command::ping(),
        };
        match self.call(&command).await {
            Ok(Reply::Status | Reply::Refused(ServerError::NoPasswordAsked | ServerError::NotPermitted)) => {
                Ok(())
            }
            Ok(Reply::Refused(error)) => Err(NoConnection::Refused(error)),
            Ok(_) => Err(target.unreachable("what is there does not speak the protocol")),
            Err(Lost(source)) => Err(target.unreachable(source.unwrap_or_else(|| "it was closed".into()))),
        }
    }

    /// An error of the server is a reply; any other is the end.
    fn failed(&self, error: redis::RedisError) -> Result<Reply, Lost> {
        if let Some(code) = error.code() {
            return Ok(Reply::Refused(server_error(code, error.detail())));
        }
        self.cut();
        Err(Lost(error.is_io_error().then(|| error.into())))
    }

    fn reply(&self, value: Value) -> Reply {
        match value {
            Value::Nil => Reply::Nil,
            Value::Int(number) => Reply::Integer(number),
            Value::BulkString(bytes) if bytes.len() > self.max_value_bytes.saturating_add(1) => {
                Reply::TooLong(Bytes::from(bytes))
            }
            Value::BulkString(bytes) => Reply::Value(Bytes::from(bytes)),
            Value::Okay | Value::SimpleString(_) => Reply::Status,
            Value::Array(items) => Reply::Array(items.into_iter().map(|item| self.reply(item)).collect()),
            Value::ServerError(error) => Reply::Refused(server_error(error.code(), error.details())),
            _ => Reply::Other,
        }
    }
}

async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
    Ok(stream)
}

fn server_error(code: &str, detail: Option<&str>) -> ServerError {
    ServerError::parse(&format!("{code} {}", detail.unwrap_or_default()))
}

fn packed(command: &Command<'_>) -> Cmd {
    let length = command.args.iter().map(Arg::len).sum::<usize>() + command.name.len();
    let mut packed = Cmd::with_capacity(1 + command.args.len(), length);
    packed.arg(command.name);
    for arg in &command.args {
        match arg {
            Arg::Word(word) => packed.arg(*word),
            Arg::Text(text) => packed.arg(*text),
            Arg::Key(key) => packed.arg(Pieces(key)),
            Arg::Value(bytes) => packed.arg(&bytes[..]),
            Arg::Integer(number) => packed.arg(*number),
        };
    }
    packed
}

/// A key, written piece by piece.
struct Pieces<'a>(&'a Key<'a>);

impl ToRedisArgs for Pieces<'_> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        let mut arg = out.writer_for_next_arg();
        for piece in self.0.pieces() {
            // Into memory, which does not fail.
            let _ = arg.write_all(piece.as_bytes());
        }
    }
}

impl Pump {
    fn cut(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.task.abort();
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.cut();
    }
}

impl Drop for Over {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
