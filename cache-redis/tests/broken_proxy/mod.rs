//! A network between a store and a server that breaks on command.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cache_core::{Clock, SystemClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// Passes on what goes between clients and a server on this machine, until it
/// is told otherwise.
pub(crate) struct BrokenProxy {
    port: u16,
    network: Arc<Network>,
    accepting: AbortHandle,
}

struct Network {
    server: u16,
    /// Of each connection that was ever made, whether it swallows all.
    swallows: Mutex<Vec<Arc<AtomicBool>>>,
    /// Whether connections that are made now do.
    new_swallow: AtomicBool,
    open: AtomicUsize,
    cut: Mutex<Option<Cut>>,
    cuts: AtomicU64,
    delay: AtomicU64,
}

/// Ends a connection within what the server says next.
#[derive(Clone, Copy, Debug)]
struct Cut {
    /// So much of it arrives.
    arrives: usize,
    /// Whether by a reset, which also throws away what is on its way.
    reset: bool,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Orderly,
    Reset,
}

const CHUNK: usize = 64 << 10;

impl BrokenProxy {
    /// In front of the server on this port.
    pub(crate) async fn before(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let network = Arc::new(Network {
            server,
            swallows: Mutex::default(),
            new_swallow: AtomicBool::new(false),
            open: AtomicUsize::new(0),
            cut: Mutex::new(None),
            cuts: AtomicU64::new(0),
            delay: AtomicU64::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&network))).abort_handle();
        Self { port, network, accepting }
    }

    /// Where clients find it.
    pub(crate) fn location(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// All connections that there are stay open for ever, and nothing goes
    /// through any more; new ones are not concerned.
    pub(crate) fn swallow(&self) {
        self.network.swallows().iter().for_each(|swallows| swallows.store(true, Ordering::SeqCst));
    }

    /// The same for the connection that was made after so many others.
    pub(crate) fn swallow_one(&self, number: usize) {
        self.network.swallows()[number].store(true, Ordering::SeqCst);
    }

    /// Whether connections that are made from now on are as those that
    /// [`swallow`](Self::swallow) leaves behind.
    pub(crate) fn swallow_new(&self, swallow: bool) {
        self.network.new_swallow.store(swallow, Ordering::SeqCst);
    }

    /// When the server says something next, so much of it still arrives, and
    /// the connection ends.
    pub(crate) fn cut_reply(&self, arrives: usize, end: End) {
        *self.network.cut() = Some(Cut { arrives, reset: end == End::Reset });
    }

    /// How many connections were cut.
    pub(crate) fn cuts(&self) -> u64 {
        self.network.cuts.load(Ordering::SeqCst)
    }

    /// What the server says comes so much later.
    pub(crate) fn delay(&self, delay: Duration) {
        let micros = u64::try_from(delay.as_micros()).expect("a short one");
        self.network.delay.store(micros, Ordering::SeqCst);
    }

    /// How many connections were ever made.
    pub(crate) fn accepted(&self) -> usize {
        self.network.swallows().len()
    }

    /// How many of them the client has not left yet.
    pub(crate) fn open(&self) -> usize {
        self.network.open.load(Ordering::SeqCst)
    }
}

impl Drop for BrokenProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, network: Arc<Network>) {
    while let Ok((client, _)) = listener.accept().await {
        let swallows = Arc::new(AtomicBool::new(network.new_swallow.load(Ordering::SeqCst)));
        network.swallows().push(Arc::clone(&swallows));
        network.open.fetch_add(1, Ordering::SeqCst);
        let network = Arc::clone(&network);
        tokio::spawn(async move {
            // However it ends, both sides learn of it by the end of their streams.
            let _ = network.carry(client, &swallows).await;
            network.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

impl Network {
    async fn carry(&self, mut client: TcpStream, swallows: &AtomicBool) -> io::Result<()> {
        let mut server = TcpStream::connect(("127.0.0.1", self.server)).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let reset = {
            let (mut from_client, mut to_client) = client.split();
            let (mut from_server, mut to_server) = server.split();
            tokio::select! {
                ended = there(&mut from_client, &mut to_server, swallows) => ended.map(|()| false),
                ended = self.back(&mut from_server, &mut to_client, swallows) => ended,
            }?
        };
        if reset {
            client.set_zero_linger()?;
        }
        Ok(())
    }

    /// Says whether the client is to be reset.
    async fn back(
        &self,
        server: &mut (impl AsyncReadExt + Unpin),
        client: &mut (impl AsyncWriteExt + Unpin),
        swallows: &AtomicBool,
    ) -> io::Result<bool> {
        let mut buffer = vec![0; CHUNK];
        loop {
            let length = server.read(&mut buffer).await?;
            let delay = Duration::from_micros(self.delay.load(Ordering::SeqCst));
            if !delay.is_zero() {
                SystemClock.sleep_until(SystemClock.precise().after(delay)).await;
            }
            if swallows.load(Ordering::SeqCst) {
                // Not even that the server has gone is told.
                if length == 0 {
                    std::future::pending::<()>().await;
                }
                continue;
            }
            if length == 0 {
                return Ok(false);
            }
            let (arrives, cut) = self.take_cut(length);
            client.write_all(&buffer[..arrives]).await?;
            if let Some(cut) = cut {
                self.cuts.fetch_add(1, Ordering::SeqCst);
                return Ok(cut.reset);
            }
        }
    }

    /// How much of so much arrives, and whether that is the end.
    fn take_cut(&self, length: usize) -> (usize, Option<Cut>) {
        let mut armed = self.cut();
        match &mut *armed {
            None => (length, None),
            Some(cut) if cut.arrives >= length => {
                cut.arrives -= length;
                (length, None)
            }
            Some(cut) => (cut.arrives, armed.take()),
        }
    }

    fn swallows(&self) -> MutexGuard<'_, Vec<Arc<AtomicBool>>> {
        self.swallows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut(&self) -> MutexGuard<'_, Option<Cut>> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn there(
    client: &mut (impl AsyncReadExt + Unpin),
    server: &mut (impl AsyncWriteExt + Unpin),
    swallows: &AtomicBool,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let length = client.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        if !swallows.load(Ordering::SeqCst) {
            server.write_all(&buffer[..length]).await?;
        }
    }
}
