//! A server that is far away: all that goes there or comes back takes its time.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io;
use std::time::Duration;

use cache_core::{Clock as _, SystemClock, Tick};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

/// Passes on what goes between clients and a server, each byte so much later
/// than it came and none later than that, however much is on its way.
pub(crate) struct Distant {
    port: u16,
    accepting: AbortHandle,
}

const CHUNK: usize = 64 << 10;

impl Distant {
    /// The server at this address, `host:port`, so far away in each direction.
    pub(crate) async fn of(server: String, way: Duration) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let accepting = tokio::spawn(accept(listener, server, way)).abort_handle();
        Self { port, accepting }
    }

    /// Where clients find it, `host:port`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Distant {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, server: String, way: Duration) {
    // They end with this task.
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let server = server.clone();
        // However it ends, both sides learn of it by the end of their streams.
        connections.spawn(async move { carry(client, &server, way).await });
        while connections.try_join_next().is_some() {}
    }
}

async fn carry(client: TcpStream, server: &str, way: Duration) -> io::Result<()> {
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        ended = pass(from_client, to_server, way) => ended,
        ended = pass(from_server, to_client, way) => ended,
    }
}

/// What comes while something else is on its way does not wait for that.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    way: Duration,
) -> io::Result<()> {
    let (departed, mut arriving) = mpsc::unbounded_channel::<(Tick, Vec<u8>)>();
    let departs = async move {
        loop {
            let mut chunk = vec![0; CHUNK];
            let length = from.read(&mut chunk).await?;
            chunk.truncate(length);
            let due = SystemClock.precise().after(way);
            if departed.send((due, chunk)).is_err() || length == 0 {
                return Ok(());
            }
        }
    };
    let arrives = async move {
        while let Some((due, chunk)) = arriving.recv().await {
            until(due).await;
            if chunk.is_empty() {
                break;
            }
            to.write_all(&chunk).await?;
        }
        Ok(())
    };
    futures::try_join!(departs, arrives).map(|_: ((), ())| ())
}

/// The timer of the runtime counts whole milliseconds, and rounds up: too much
/// for who measures a round trip of a few. A thread sleeps as long as it should.
async fn until(due: Tick) {
    let left = due.since(SystemClock.precise());
    if !left.is_zero() {
        #[expect(clippy::disallowed_methods, reason = "it is real time that has to pass")]
        let sleep = move || std::thread::sleep(left);
        tokio::task::spawn_blocking(sleep).await.expect("sleeping does not panic");
    }
}
