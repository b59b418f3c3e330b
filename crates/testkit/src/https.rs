//! A host on loopback that answers every request with the same octets, by HTTPS: for policies that others publish.
//!
//! What it answers and which certificate it shows can be changed at any time; each connection has one answer.

use crate::tls::TestCa;
use parking_lot::Mutex;
use rustls::ServerConfig;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// Octets of a request that are looked at.
const REQUEST_OCTETS_MAX: usize = 8 * 1024;

/// Octets of a body that are kept.
const BODY_OCTETS_MAX: usize = 1024 * 1024;

#[derive(Debug)]
struct Shared {
    answer: Mutex<Vec<u8>>,
    tls: Mutex<Arc<ServerConfig>>,
    requests: Mutex<Vec<String>>,
    /// Head and body of those that had a body.
    posted: Mutex<Vec<(String, Vec<u8>)>>,
}

/// The host. Dropping it ends it.
#[derive(Debug)]
pub struct FakeHttps {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl FakeHttps {
    /// Listens on a free port of 127.0.0.1, with a certificate for this name.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(ca: &TestCa, name: &str) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            answer: Mutex::default(),
            tls: Mutex::new(ca.server(&[name])),
            requests: Mutex::default(),
            posted: Mutex::default(),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, task })
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// From now on the certificate is for this name.
    pub fn present(&self, ca: &TestCa, name: &str) {
        *self.shared.tls.lock() = ca.server(&[name]);
    }

    /// From now on a request is answered with these octets, status line and all.
    pub fn answer(&self, octets: impl Into<Vec<u8>>) {
        *self.shared.answer.lock() = octets.into();
    }

    /// From now on a request is answered with 200 and this text.
    pub fn text(&self, text: &str) {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n";
        self.answer(format!("{head}Content-Length: {}\r\n\r\n{text}", text.len()));
    }

    /// The first lines of the requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().clone()
    }

    /// Head and body of the requests so far that had a body.
    #[must_use]
    pub fn posted(&self) -> Vec<(String, Vec<u8>)> {
        self.shared.posted.lock().clone()
    }
}

impl Drop for FakeHttps {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((tcp, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            // How the peer leaves is nobody's concern.
            let _ = serve(tcp, &shared).await;
        });
    }
}

async fn serve(tcp: TcpStream, shared: &Shared) -> io::Result<()> {
    let tls = Arc::clone(&shared.tls.lock());
    let mut stream = TlsAcceptor::from(tls).accept(tcp).await?;
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < REQUEST_OCTETS_MAX {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let head = request.windows(4).position(|end| end == b"\r\n\r\n").map_or(request.len(), |at| at + 4);
    let mut body = request.split_off(head);
    let text = String::from_utf8_lossy(&request).into_owned();
    let length =
        text.to_ascii_lowercase().lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    if let Some(length) = length.filter(|length| *length <= BODY_OCTETS_MAX) {
        while body.len() < length && stream.read_buf(&mut body).await? > 0 {}
        shared.posted.lock().push((text.clone(), body));
    }
    shared.requests.lock().push(text.lines().next().unwrap_or_default().to_owned());
    let answer = shared.answer.lock().clone();
    stream.write_all(&answer).await?;
    stream.shutdown().await
}
