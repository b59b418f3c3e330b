//! The listening socket: accepts, speaks TLS where it has a configuration, and serves HTTP/1.1 and HTTP/2.
//!
//! Invariants: at most [`CONNECTIONS_MAX`] connections at once, and no network keeps the others out ([`crowd`]); a peer
//! that is slow with its TLS greeting, its request head or its whole request is cut, and so is one that keeps an HTTP/2
//! connection open and asks nothing; stopping lets answers under way finish for [`DRAIN_S_MAX`] seconds.
//! HTTP/2 is spoken where TLS negotiated it (RFC 9113 §3.2); a plain connection is HTTP/1.1, so that the time limit
//! on the first line holds from the first octet.
//! Never: a crypto provider of its own choice (it is in the `ServerConfig`), a forwarded header taken for the peer.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::Error;
use crate::problem::Problem;
use crate::router::Fault;

mod crowd;
mod idle;
pub mod operator;
#[cfg(test)]
mod tests;

use crowd::{Crowd, Place};
use idle::{Activity, Leaving};

/// Connections at once; further ones are closed.
pub const CONNECTIONS_MAX: usize = 1_000;
/// Octets of a request's line and fields.
pub const HEAD_OCTETS_MAX: usize = 32 * 1024;
/// Fields of a request.
pub const HEAD_FIELDS_MAX: usize = 100;
/// Seconds for a TLS greeting, and for the head of a request.
pub const HEAD_S_MAX: u64 = 10;
/// Seconds from the head of a request to its answer, unless its route keeps time itself ([`Patience`]).
pub const REQUEST_S_MAX: u64 = 120;
/// Seconds that answers under way are given when the node stops.
pub const DRAIN_S_MAX: u64 = 10;
/// Seconds that a connection without a request is kept.
pub const IDLE_S_MAX: u64 = 60;
/// Requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 64;
/// Seconds between signs of life on an HTTP/2 connection.
const PING_S: u64 = 20;
/// Milliseconds without accepting after the system refused a socket (out of descriptors).
const ACCEPT_PAUSE_MS: u64 = 50;

/// A bound socket and what is served on it.
pub struct Listener {
    socket: TcpListener,
    local_addr: SocketAddr,
    door: Arc<Door>,
}

/// How a listener ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Drained {
    /// Every answer under way was given.
    Whole,
    /// Some connections were cut when the time was over.
    Cut,
}

/// How long the answer to a request may take. A route whose work is long by its nature (a file of a million rows)
/// bounds it by other means, and says so by [`Self::lift`]: whoever hears "slow" would lose what is told him once.
#[derive(Clone, Default)]
pub(crate) struct Patience(Arc<AtomicBool>);

impl Patience {
    /// From now on the listener does not count.
    pub(crate) fn lift(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// The same for a request, where a listener brought it.
    pub(crate) fn lift_for(extensions: &http::Extensions) {
        if let Some(patience) = extensions.get::<Self>() {
            patience.lift();
        }
    }

    fn is_lifted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What every connection of a listener shares.
struct Door {
    router: Router,
    tls: Option<TlsAcceptor>,
    http: auto::Builder<TokioExecutor>,
}

impl Listener {
    /// Binds `address`; port 0 lets the system choose. With `tls` the socket speaks HTTPS only.
    ///
    /// # Errors
    /// [`Error::Bind`].
    pub async fn bind(address: SocketAddr, router: Router, tls: Option<Arc<ServerConfig>>) -> Result<Self, Error> {
        let bound = |source| Error::Bind { address, source };
        let socket = TcpListener::bind(address).await.map_err(bound)?;
        let local_addr = socket.local_addr().map_err(bound)?;
        let door = Arc::new(Door { router, tls: tls.map(TlsAcceptor::from), http: protocol() });
        Ok(Self { socket, local_addr, door })
    }

    /// Where it listens.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves until `stop` is ready, then drains.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send) -> Drained {
        let crowd = Crowd::new(CONNECTIONS_MAX);
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let arrived = tokio::select! {
                biased;
                () = &mut stop => break,
                arrived = next(&self.socket) => arrived,
            };
            // Who gets no place is not waited for: whoever comes after him may have one.
            if let Some((stream, peer)) = arrived
                && let Some(place) = crowd.admit(peer.ip())
            {
                connections.spawn(Arc::clone(&self.door).connection(stream, peer, place, graceful.watcher()));
            }
            while connections.try_join_next().is_some() {}
        }
        // Nobody new: the port is free again before the last answers are given.
        drop(self.socket);
        let drained = tokio::time::timeout(Duration::from_secs(DRAIN_S_MAX), graceful.shutdown()).await;
        connections.shutdown().await;
        if drained.is_ok() { Drained::Whole } else { Drained::Cut }
    }
}

/// The next connection.
async fn next(socket: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    match socket.accept().await {
        Ok(arrived) => Some(arrived),
        Err(error) => {
            tracing::warn!(%error, "no socket for a connection");
            tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            None
        }
    }
}

fn protocol() -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(HEAD_S_MAX))
        .max_headers(HEAD_FIELDS_MAX)
        .max_buf_size(HEAD_OCTETS_MAX);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(HEAD_OCTETS_MAX).unwrap_or(u32::MAX))
        .keep_alive_interval(Duration::from_secs(PING_S))
        .keep_alive_timeout(Duration::from_secs(HEAD_S_MAX));
    http
}

impl Door {
    async fn connection(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, place: Place, end: Watcher) {
        // Small answers leave at once; a failure to say so costs time, not correctness.
        let _ = stream.set_nodelay(true);
        match &self.tls {
            None => self.speak(stream, peer, end, Version::One).await,
            Some(acceptor) => {
                let greeting = tokio::time::timeout(Duration::from_secs(HEAD_S_MAX), acceptor.accept(stream)).await;
                let Ok(Ok(stream)) = greeting else { return };
                let version = match stream.get_ref().1.alpn_protocol() {
                    Some(b"h2") => Version::Two,
                    _ => Version::One,
                };
                self.speak(stream, peer, end, version).await;
            }
        }
        drop(place);
    }

    async fn speak<S>(&self, stream: S, peer: SocketAddr, end: Watcher, version: Version)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let http = match version {
            Version::One => self.http.clone().http1_only(),
            Version::Two => self.http.clone().http2_only(),
        };
        let channel = if self.tls.is_some() { Channel::Tls } else { Channel::Clear };
        let limit = Duration::from_secs(REQUEST_S_MAX);
        let activity = Activity::default();
        let answer = service_fn(|request| {
            let under_way = activity.begin();
            let answering = answer(self.router.clone(), (peer, channel), request, limit);
            async move { answering.await.map(|answer| answer.map(|body| Leaving::of(body, under_way))) }
        });
        let connection = http.serve_connection(TokioIo::new(stream), answer);
        tokio::select! {
            // A peer that breaks the protocol or goes away is no event of ours.
            _ = end.watch(connection) => {}
            // On HTTP/2 signs of life are no requests.
            () = activity.idle_for(Duration::from_secs(IDLE_S_MAX)) => {}
        }
    }
}

/// How a request came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Channel {
    /// Everybody on the way could read it.
    Clear,
    /// Within TLS.
    Tls,
}

#[derive(Clone, Copy)]
enum Version {
    One,
    Two,
}

async fn answer(
    router: Router,
    (peer, channel): (SocketAddr, Channel),
    request: http::Request<Incoming>,
    limit: Duration,
) -> Result<Response, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    request.extensions_mut().insert(channel);
    within(router, request, limit).await
}

async fn within(router: Router, mut request: http::Request<Body>, limit: Duration) -> Result<Response, Infallible> {
    let patience = Patience::default();
    request.extensions_mut().insert(patience.clone());
    let mut answering = std::pin::pin!(router.oneshot(request));
    match tokio::time::timeout(limit, &mut answering).await {
        Ok(answered) => answered,
        Err(_) if patience.is_lifted() => answering.await,
        Err(_) => Ok(Problem::of(Fault::Slow).into_response()),
    }
}
