//! Where connections come in: binds, counts, starts a session for each, and stops in good order.
//!
//! Invariants: the only file of this crate that binds; no more connections than [`Connections`] allows; after
//! [`Listener::drain`] none is left. Never: a reading of the clock, a decision about mail.
//! Who comes by way of a known proxy is whom its header names (`mail::proxy`), for every limit and for the door; from
//! anybody else a header is no header.
//! Standards: RFC 8314 §3 (implicit TLS), RFC 5321 §3.8 (421), the PROXY protocol.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use mail::address::Domain;
use mail::proxy::{Progress, Source};
use mail::server::{AuthOffer, BareNewlines, Limits, TlsOffer};
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::connections::{Connections, Ticket};
use crate::door::Door;
use crate::network::Network;
use crate::replies;
use crate::session::{self, Context, Phase, Timeouts};

/// After a failed accept (no file descriptors left) so long until the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The peer takes the 421 of a full listener within this time, or does without.
const FULL_REPLY_TIMEOUT: Duration = Duration::from_secs(1);

/// Largest message that comes back. What a report says stands at its beginning (`mail::report::OCTETS_MAX`); the rest
/// is the returned message, which is read and dropped.
const INBOUND_OCTETS_MAX: usize = 10 * 1024 * 1024;

/// What a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// RFC 6409 with STARTTLS (587).
    Submission,
    /// RFC 8314 §3.3: submission with TLS from the first octet (465).
    SubmissionTls,
    /// From networks that the door knows; no AUTH. STARTTLS where there is a certificate.
    Trusted,
    /// Anybody may connect, and the door decides to whom mail goes (a mailbox).
    Open,
    /// The same for what comes back: smaller messages, and whatever line ends old systems write.
    Inbound,
}

impl Kind {
    /// A word for metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submission => "submission",
            Self::SubmissionTls => "submission-tls",
            Self::Trusted => "trusted",
            Self::Open => "open",
            Self::Inbound => "inbound",
        }
    }

    /// RFC 3461: whether the door behind it keeps what clients ask to be told. Whoever takes anybody's mail tells
    /// nobody.
    const fn keeps_notices(self) -> bool {
        !matches!(self, Self::Open)
    }

    const fn auth(self) -> AuthOffer {
        match self {
            Self::Submission | Self::SubmissionTls => AuthOffer::RequiredOverTls,
            Self::Trusted => AuthOffer::Trusted,
            Self::Open | Self::Inbound => AuthOffer::None,
        }
    }
}

/// How a listener behaves.
#[derive(Clone)]
pub struct Settings {
    /// What it is for.
    pub kind: Kind,
    /// Its name in the greeting.
    pub hostname: Domain,
    /// Certificate and key; both kinds of submission need them.
    pub tls: Option<Arc<ServerConfig>>,
    /// Bounds of a session in octets and counts.
    pub limits: Limits,
    /// Bounds of a session in time.
    pub timeouts: Timeouts,
    /// What becomes of a CR or LF that stands alone.
    pub bare_newlines: BareNewlines,
    /// Shared by all listeners of a node.
    pub connections: Arc<Connections>,
    /// Proxies: who connects from there begins with a header of the PROXY protocol, and nobody else does.
    pub proxies: Arc<[Network]>,
}

impl Settings {
    /// The usual limits.
    #[must_use]
    pub fn new(kind: Kind, hostname: Domain, tls: Option<Arc<ServerConfig>>, connections: Arc<Connections>) -> Self {
        let (limits, bare_newlines) = match kind {
            // A report that is refused for its size or its line ends is lost: who sent it gives up.
            Kind::Inbound => {
                let limits = Limits { message_octets_max: INBOUND_OCTETS_MAX, ..Limits::default() };
                (limits, BareNewlines::Normalise)
            }
            _ => (Limits::default(), BareNewlines::Reject),
        };
        Self {
            kind,
            hostname,
            tls,
            limits,
            timeouts: Timeouts::default(),
            bare_newlines,
            connections,
            proxies: Arc::default(),
        }
    }

    /// RFC 8314 §4.1: submission without TLS is not offered at all.
    fn tls_offer(&self) -> Result<TlsOffer, Error> {
        match (self.kind, &self.tls) {
            (Kind::SubmissionTls, Some(_)) => Ok(TlsOffer::Implicit),
            (_, Some(_)) => Ok(TlsOffer::StartTls),
            (Kind::Submission | Kind::SubmissionTls, None) => Err(Error::NoCertificate),
            (Kind::Trusted | Kind::Open | Kind::Inbound, None) => Ok(TlsOffer::None),
        }
    }
}

/// Why a listener does not listen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken, not ours, or needs rights that the process has not.
    #[error("cannot listen on {address}; choose another address or port, or stop what uses it")]
    Bind {
        /// What was to be bound.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// RFC 8314: passwords only within TLS.
    #[error("a submission listener needs a certificate and its key")]
    NoCertificate,
}

/// A bound listener. Dropping it ends it and its sessions at once; [`Listener::drain`] is the gentle way.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    phase: watch::Sender<Phase>,
    accepting: JoinHandle<()>,
}

impl Listener {
    /// Binds and begins to accept. Port 0 takes a free one: see [`Listener::local_addr`].
    ///
    /// # Errors
    /// [`Error`].
    pub async fn bind<D: Door>(address: SocketAddr, settings: Settings, door: Arc<D>) -> Result<Self, Error> {
        let tls_offer = settings.tls_offer()?;
        let listener = TcpListener::bind(address).await.map_err(|source| Error::Bind { address, source })?;
        let address = listener.local_addr().map_err(|source| Error::Bind { address, source })?;
        let (sender, receiver) = watch::channel(Phase::Open);
        let context = Arc::new(Context {
            machine: Arc::new(mail::server::Settings {
                hostname: settings.hostname,
                tls: tls_offer,
                auth: settings.kind.auth(),
                bare_newlines: settings.bare_newlines,
                scram: settings.kind.auth() == AuthOffer::RequiredOverTls,
                notifications: settings.kind.keeps_notices(),
                // The submission door passes it on; what comes to the others goes nowhere else.
                require_tls: true,
                limits: settings.limits,
            }),
            tls: settings.tls.map(TlsAcceptor::from),
            door,
            timeouts: settings.timeouts,
            phase: receiver,
        });
        let admission = Admission {
            kind: settings.kind,
            context,
            connections: settings.connections,
            proxies: settings.proxies,
            header_timeout: settings.timeouts.proxy,
        };
        let accepting = tokio::spawn(accept(listener, Arc::new(admission)));
        Ok(Self { address, phase: sender, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no more, tells sessions without a transaction to go (421), lets the others end within `grace`, then
    /// cuts what is left: a message that was not answered is the client's to send again (RFC 5321 §6.1).
    pub async fn drain(mut self, grace: Duration) {
        self.phase.send_replace(Phase::Draining);
        if timeout(grace, &mut self.accepting).await.is_err() {
            self.accepting.abort();
            // Wait until the task is gone, and its sessions with it.
            let _ = (&mut self.accepting).await;
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What it takes to let a connection in.
struct Admission<D> {
    kind: Kind,
    context: Arc<Context<D>>,
    connections: Arc<Connections>,
    proxies: Arc<[Network]>,
    header_timeout: Duration,
}

impl<D> Admission<D> {
    fn count(&self, outcome: &'static str) {
        let kind = self.kind.as_str();
        metrics::counter!("smtpd_connections_total", "listener" => kind, "outcome" => outcome).increment(1);
    }

    /// Who is at the other end of a connection from a proxy, and his place; `None` where it was closed.
    async fn client_of(&self, tcp: &mut TcpStream, proxy: SocketAddr, ticket: Ticket) -> Option<(SocketAddr, Ticket)> {
        let client = match timeout(self.header_timeout, proxied(tcp)).await {
            Ok(Ok(Source::Client(client))) => client,
            // It speaks for itself, such as to see whether this listener is there.
            Ok(Ok(Source::Proxy)) => proxy,
            Ok(Err(_)) | Err(_) => {
                // Nothing is said: who writes no header is no proxy, or one that is set up otherwise.
                self.count("no-proxy-header");
                return None;
            }
        };
        match ticket.of(client.ip()) {
            Some(ticket) => Some((client, ticket)),
            None => {
                self.count("full");
                refuse(tcp, self.kind).await;
                None
            }
        }
    }
}

/// Reads a header of the PROXY protocol, and not an octet more.
async fn proxied(tcp: &mut TcpStream) -> std::io::Result<Source> {
    let mut octets = Vec::with_capacity(128);
    loop {
        match mail::proxy::read(&octets).map_err(std::io::Error::other)? {
            Progress::Done(source) => return Ok(source),
            Progress::More(more) => {
                // No more than the longest header: `mail::proxy` asks for none beyond it.
                let more = u64::try_from(more).unwrap_or_default();
                if (&mut *tcp).take(more).read_buf(&mut octets).await? == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
    }
}

async fn accept<D: Door>(listener: TcpListener, admission: Arc<Admission<D>>) {
    let mut phase = admission.context.phase.clone();
    // Bounded by the tickets of `connections`.
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = session::draining(&mut phase) => break,
            Some(ended) = sessions.join_next() => note_end(&ended),
            accepted = listener.accept() => match accepted {
                Ok((tcp, peer)) => admit(tcp, peer, &admission, &mut sessions).await,
                Err(error) => {
                    tracing::warn!(listener = admission.kind.as_str(), %error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while let Some(ended) = sessions.join_next().await {
        note_end(&ended);
    }
}

async fn admit<D: Door>(
    mut tcp: TcpStream,
    peer: SocketAddr,
    admission: &Arc<Admission<D>>,
    sessions: &mut JoinSet<()>,
) {
    let by_proxy = admission.proxies.iter().any(|network| network.contains(peer.ip()));
    let connections = &admission.connections;
    let ticket = if by_proxy { connections.admit_unknown() } else { connections.admit(peer.ip()) };
    let Some(ticket) = ticket else {
        admission.count("full");
        refuse(&mut tcp, admission.kind).await;
        return;
    };
    let admission = Arc::clone(admission);
    sessions.spawn(async move {
        let (peer, ticket) = if by_proxy {
            let Some(known) = admission.client_of(&mut tcp, peer, ticket).await else { return };
            known
        } else {
            (peer, ticket)
        };
        admission.count("open");
        session::serve(tcp, peer, Arc::clone(&admission.context)).await;
        drop(ticket);
    });
}

/// RFC 5321 §3.8, §4.5.4.2: a client that reads 421 tries again later. Not said in clear where TLS is awaited.
async fn refuse(tcp: &mut TcpStream, kind: Kind) {
    if kind == Kind::SubmissionTls {
        return;
    }
    let mut out = BytesMut::new();
    replies::too_many_connections().write(true, &mut out);
    let _ = timeout(FULL_REPLY_TIMEOUT, tcp.write_all(&out)).await;
}

/// A panic ends one connection and is counted; the row or message that it concerned was not answered.
fn note_end(ended: &Result<(), tokio::task::JoinError>) {
    if ended.as_ref().is_err_and(tokio::task::JoinError::is_panic) {
        tracing::error!("a session ended by a fault of ours");
        metrics::counter!("smtpd_session_panics_total").increment(1);
    }
}
