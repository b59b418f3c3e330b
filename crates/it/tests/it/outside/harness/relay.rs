//! A wire between one node and its database that can hang: connections stay open, and nothing comes through.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Octets carried at once.
const PIECE: usize = 16 * 1024;

/// The wire. Dropping it cuts it.
pub(crate) struct Relay {
    address: SocketAddr,
    hangs: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Relay {
    /// To a port of this machine.
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (address, hangs) = (listener.local_addr().unwrap(), watch::Sender::new(false));
        let task = tokio::spawn(accept(listener, port, hangs.subscribe()));
        Self { address, hangs, task }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on nothing comes through.
    pub(crate) fn halt(&self) {
        self.hangs.send_replace(true);
    }

    /// What was held back comes through now.
    pub(crate) fn go_on(&self) {
        self.hangs.send_replace(false);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, port: u16, hangs: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        let hangs = hangs.clone();
        connections.spawn(async move {
            // How a connection ends is for its ends to know.
            let _ = connect(near, port, hangs).await;
        });
    }
}

async fn connect(near: TcpStream, port: u16, hangs: watch::Receiver<bool>) -> io::Result<()> {
    near.set_nodelay(true)?;
    let far = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    far.set_nodelay(true)?;
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    tokio::select! {
        ended = carry(near_in, far_out, hangs.clone()) => ended,
        ended = carry(far_in, near_out, hangs) => ended,
    }
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut hangs: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let octets = from.read(&mut piece).await?;
        // An error means that the wire is gone.
        hangs.wait_for(|hangs| !hangs).await.map_err(io::Error::other)?;
        if octets == 0 {
            return Ok(());
        }
        to.write_all(&piece[..octets]).await?;
    }
}
