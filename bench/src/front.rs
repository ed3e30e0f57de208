//! A forwarder between a function and a server. It counts the bytes that cross it and, where a
//! certificate is given, speaks TLS with the function.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::ensure;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

/// How long a connection may stay open after its function has ended.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// What crossed a front, without the overhead of TLS.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Traffic {
    pub(crate) connections: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
    /// Connections that failed, so that their bytes are unknown.
    #[serde(skip)]
    broken: u64,
}

/// A running forwarder.
pub(crate) struct Front {
    pub(crate) url: String,
    connections: Arc<Connections>,
}

impl Front {
    /// Forwards to a plain server on this machine.
    pub(crate) async fn of(
        upstream: SocketAddr,
        tls: Option<&TlsAcceptor>,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr()?);

        let connections = Arc::<Connections>::default();
        let forwarder = Forwarder {
            upstream,
            tls: tls.cloned(),
            connections: Arc::clone(&connections),
        };
        tokio::spawn(forwarder.accept(listener));
        Ok(Self { url, connections })
    }

    /// The traffic since the last call. Waits until every connection has closed, so the function
    /// must have ended.
    pub(crate) async fn take(&self) -> anyhow::Result<Traffic> {
        let mut open = self.connections.open.subscribe();
        timeout(CLOSE_TIMEOUT, open.wait_for(|open| *open == 0)).await??;

        let traffic = std::mem::take(&mut *self.connections.traffic());
        ensure!(
            traffic.broken == 0,
            "{} connections broke, so their traffic is unknown",
            traffic.broken
        );
        Ok(traffic)
    }
}

/// The open connections, and what crossed those that have closed.
#[derive(Default)]
struct Connections {
    open: watch::Sender<usize>,
    traffic: Mutex<Traffic>,
}

impl Connections {
    fn opened(&self) {
        self.open.send_modify(|open| *open += 1);
    }

    /// Counts the traffic before the connection counts as closed: whoever waits for that then finds
    /// it counted.
    fn closed(&self, forwarded: &io::Result<Forwarded>) {
        self.add(forwarded);
        self.open.send_modify(|open| *open -= 1);
    }

    fn add(&self, forwarded: &io::Result<Forwarded>) {
        let mut traffic = self.traffic();
        traffic.connections += 1;
        match forwarded {
            Ok(Forwarded { sent, received }) => {
                traffic.bytes_sent += sent;
                traffic.bytes_received += received;
            }
            Err(_) => traffic.broken += 1,
        }
    }

    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes of one connection, as the function sees them.
struct Forwarded {
    sent: u64,
    received: u64,
}

#[derive(Clone)]
struct Forwarder {
    upstream: SocketAddr,
    tls: Option<TlsAcceptor>,
    connections: Arc<Connections>,
}

impl Forwarder {
    async fn accept(self, listener: TcpListener) {
        while let Ok((client, _)) = listener.accept().await {
            self.connections.opened();
            tokio::spawn(self.clone().serve(client));
        }
    }

    async fn serve(self, client: TcpStream) {
        let _ = client.set_nodelay(true);
        let forwarded = match &self.tls {
            Some(tls) => match tls.accept(client).await {
                Ok(client) => forward(client, self.upstream).await,
                Err(error) => Err(error),
            },
            None => forward(client, self.upstream).await,
        };
        self.connections.closed(&forwarded);
    }
}

/// Copies in both directions until both have ended.
async fn forward(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    upstream: SocketAddr,
) -> io::Result<Forwarded> {
    let mut server = TcpStream::connect(upstream).await?;
    let _ = server.set_nodelay(true);
    let (sent, received) = copy_bidirectional(&mut client, &mut server).await?;
    Ok(Forwarded { sent, received })
}
