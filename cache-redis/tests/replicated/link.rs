//! The network between a leader and one of its replicas.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// Passes on what goes between a replica and its leader while it flows.
pub(crate) struct Link {
    port: u16,
    network: Arc<Network>,
    accepting: AbortHandle,
}

struct Network {
    leader: u16,
    /// Whether anything gets through, also that a side has gone.
    flows: watch::Sender<bool>,
    /// How often all connections were ended.
    cuts: watch::Sender<u64>,
}

const CHUNK: usize = 64 << 10;

impl Link {
    /// To the leader on this port, whether it is there or not.
    pub(crate) async fn to(leader: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let network =
            Arc::new(Network { leader, flows: watch::Sender::new(true), cuts: watch::Sender::new(0) });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&network))).abort_handle();
        Self { port, network, accepting }
    }

    /// Where the replica finds its leader.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn pause(&self) {
        self.network.flows.send_replace(false);
    }

    pub(crate) fn resume(&self) {
        self.network.flows.send_replace(true);
    }

    pub(crate) fn cut(&self) {
        self.network.cuts.send_modify(|cuts| *cuts += 1);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, network: Arc<Network>) {
    // They end with this task.
    let mut connections = JoinSet::new();
    while let Ok((replica, _)) = listener.accept().await {
        let network = Arc::clone(&network);
        connections.spawn(async move {
            let mut cuts = network.cuts.subscribe();
            // However it ends, both sides learn of it by the end of their streams.
            tokio::select! {
                _ = cuts.changed() => {}
                _ = network.carry(replica) => {}
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

impl Network {
    async fn carry(&self, mut replica: TcpStream) -> io::Result<()> {
        let mut leader = TcpStream::connect(("127.0.0.1", self.leader)).await?;
        replica.set_nodelay(true)?;
        leader.set_nodelay(true)?;
        let (mut from_replica, mut to_replica) = replica.split();
        let (mut from_leader, mut to_leader) = leader.split();
        tokio::select! {
            ended = self.pass(&mut from_leader, &mut to_replica) => ended,
            ended = self.pass(&mut from_replica, &mut to_leader) => ended,
        }
    }

    async fn pass(
        &self,
        from: &mut (impl AsyncReadExt + Unpin),
        to: &mut (impl AsyncWriteExt + Unpin),
    ) -> io::Result<()> {
        let mut flows = self.flows.subscribe();
        let mut buffer = vec![0; CHUNK];
        loop {
            let read = from.read(&mut buffer).await;
            // Who could let it flow again is there as long as this.
            let _ = flows.wait_for(|flows| *flows).await;
            match read? {
                0 => return Ok(()),
                length => to.write_all(&buffer[..length]).await?,
            }
        }
    }
}
