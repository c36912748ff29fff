//! Stands between a client and its server, and counts round trips.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cache_core::Settings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::patience::pause;
use crate::resp::{database_of, server_of};

/// A proxy for any number of connections. It ends with this.
pub(crate) struct Proxy {
    port: u16,
    database: i64,
    connections: Connections,
    task: AbortHandle,
}

/// In the order in which they were made.
type Connections = Arc<Mutex<Vec<Arc<Connection>>>>;

/// What is known of one.
#[derive(Default)]
struct Connection {
    trips: AtomicUsize,
    /// Whether requests do not get any further.
    is_held: watch::Sender<bool>,
}

/// For so long after a request answers are held back. So who sends all that it
/// has is done before the first answer, and who waits for an answer before it
/// sends more is seen to wait.
const HELD_BACK: Duration = Duration::from_millis(40);

impl Proxy {
    /// Before the server of these settings.
    pub(crate) async fn before(settings: &Settings) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (connections, server) = (Connections::default(), server_of(settings));
        let made = Arc::clone(&connections);
        let serving = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.expect("it listens");
                let connection = Arc::new(Connection::default());
                made.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&connection));
                let server = TcpStream::connect(&server).await.expect("the server is there");
                tokio::spawn(forward(client, server, connection));
            }
        });
        Self { port, database: database_of(settings), connections, task: serving.abort_handle() }
    }

    /// Where clients find it.
    pub(crate) fn location(&self) -> String {
        format!("redis://127.0.0.1:{}/0?db={}", self.port, self.database)
    }

    /// How often each connection has asked and been answered, from the first
    /// on: a request that follows another without an answer between the two
    /// belongs to the same trip.
    pub(crate) fn trips(&self) -> Vec<usize> {
        self.each(|connection| connection.trips.load(Ordering::SeqCst))
    }

    /// By the connections that there are, requests get no further from now on.
    pub(crate) fn hold_requests(&self) {
        self.each(|connection| connection.is_held.send_replace(true));
    }

    /// They go on, also those whose sender has gone.
    pub(crate) fn release_requests(&self) {
        self.each(|connection| connection.is_held.send_replace(false));
    }

    fn each<T>(&self, ask: impl Fn(&Connection) -> T) -> Vec<T> {
        let connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.iter().map(|connection| ask(connection)).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Until either side has ended.
async fn forward(
    mut client: TcpStream,
    mut server: TcpStream,
    connection: Arc<Connection>,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let mut held = connection.is_held.subscribe();
    let (mut request, mut answer) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    // Whether the last that was passed on was a request.
    let mut is_asked = false;
    loop {
        let answered = async {
            if is_asked {
                pause(HELD_BACK).await;
            }
            server.readable().await
        };
        let more = tokio::select! {
            biased;
            length = client.read(&mut request) => Some(length?),
            ready = answered => {
                ready?;
                None
            }
        };
        match more {
            Some(0) => return Ok(()),
            Some(length) => {
                if !is_asked {
                    connection.trips.fetch_add(1, Ordering::SeqCst);
                }
                is_asked = true;
                // Whoever could end it is there as long as this.
                let _ = held.wait_for(|is_held| !is_held).await;
                server.write_all(&request[..length]).await?;
            }
            None => {
                let length = server.read(&mut answer).await?;
                if length == 0 {
                    return Ok(());
                }
                is_asked = false;
                client.write_all(&answer[..length]).await?;
            }
        }
    }
}
