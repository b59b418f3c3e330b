//! One connection: drives the machine of `mail::server` over a socket and asks the door.
//!
//! Invariants: one input buffer a connection, from which content is copied once; replies to a pipelined group leave
//! in one write (RFC 2920 §3.2); nothing that was read in clear survives STARTTLS; every wait has a limit.
//! Never: an octet of a peer, or his address, in a log line.
//! Standards: RFC 5321 §4.5.3.2 (timeouts), §3.8 (421), RFC 3207, RFC 8314, RFC 9266 (what SCRAM binds to).

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mail::reply::Reply;
use mail::server::{AuthOffer, Server, Step, TlsOffer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::door::{Attempt, Door, Recipient, Sender, Tls, Trace, Verdict};
use crate::replies;

/// Room for one read; a TLS record is no larger.
const READ_OCTETS: usize = 16 * 1024;
/// Below this much room the buffer is made larger, or its read part taken back.
const ROOM_OCTETS_MIN: usize = 2 * 1024;
/// Replies are written early when so many wait.
const REPLIES_OCTETS_MAX: usize = 64 * 1024;
/// After the last reply so much of what the peer still sends is read and dropped.
const LINGER_OCTETS_MAX: usize = 1024 * 1024;

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Without an octet from the peer. RFC 5321 §4.5.3.2.7: five minutes at least.
    pub idle: Duration,
    /// The header of a proxy, where one is awaited. The PROXY protocol §2: three seconds at least.
    pub proxy: Duration,
    /// The TLS handshake.
    pub handshake: Duration,
    /// The peer takes our replies.
    pub write: Duration,
    /// Where AUTH is required, it has to succeed within this time: strangers must not fill the node's places.
    pub authentication: Duration,
    /// After so long a session is ended between two transactions.
    pub session: Duration,
    /// A transaction may go on for so long after that.
    pub transaction: Duration,
    /// The peer's last octets after our last reply.
    pub linger: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(300),
            proxy: Duration::from_secs(5),
            handshake: Duration::from_secs(30),
            write: Duration::from_secs(300),
            authentication: Duration::from_secs(300),
            session: Duration::from_secs(4 * 3_600),
            transaction: Duration::from_secs(1_800),
            linger: Duration::from_secs(2),
        }
    }
}

/// Whether the listener still wants mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// Open transactions end, others do not begin.
    Draining,
}

/// Until no more mail is wanted. A listener that is gone wants none.
pub(crate) async fn draining(phase: &mut watch::Receiver<Phase>) {
    let _ = phase.wait_for(|phase| *phase == Phase::Draining).await;
}

/// What all connections of a listener share.
pub(crate) struct Context<D> {
    pub(crate) machine: Arc<mail::server::Settings>,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) door: Arc<D>,
    pub(crate) timeouts: Timeouts,
    pub(crate) phase: watch::Receiver<Phase>,
}

/// Serves one connection to its end.
pub(crate) async fn serve<D: Door>(tcp: TcpStream, peer: SocketAddr, context: Arc<Context<D>>) {
    // A reply is small and the peer waits for it.
    let _ = tcp.set_nodelay(true);
    let longest = context.timeouts.session + context.timeouts.transaction;
    let implicit = context.machine.tls == TlsOffer::Implicit;
    let served = async {
        if implicit {
            let stream = handshake(tcp, &context).await?;
            let mut server = Server::new(Arc::clone(&context.machine));
            bind(&mut server, &stream);
            return secure(stream, peer, server, Greeting::Send, &context).await;
        }
        let mut server = Server::new(Arc::clone(&context.machine));
        let mut tcp = tcp;
        match converse(&mut tcp, peer, &mut server, Greeting::Send, &context).await? {
            End::Closed => linger(&mut tcp, &context.timeouts).await,
            End::StartTls => {
                // RFC 3207 §4.2, CVE-2011-0411: the buffer of the clear session is gone with its conversation.
                let stream = handshake(tcp, &context).await?;
                server.tls_established();
                bind(&mut server, &stream);
                return secure(stream, peer, server, Greeting::Skip, &context).await;
            }
        }
        Ok(())
    };
    let reason = match timeout(longest, served).await {
        Ok(Ok(())) => "done",
        Ok(Err(gone)) => gone.reason(),
        Err(_) => "took too long",
    };
    tracing::debug!(reason, "session ended");
    metrics::counter!("smtpd_sessions_ended_total", "reason" => reason).increment(1);
}

async fn secure<S, D>(
    mut stream: S,
    peer: SocketAddr,
    mut server: Server,
    greeting: Greeting,
    context: &Context<D>,
) -> Result<(), Gone>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    D: Door,
{
    // The machine offers no second STARTTLS, so this conversation ends by closing.
    converse(&mut stream, peer, &mut server, greeting, context).await?;
    linger(&mut stream, &context.timeouts).await;
    Ok(())
}

async fn handshake<D>(
    tcp: TcpStream,
    context: &Context<D>,
) -> Result<tokio_rustls::server::TlsStream<TcpStream>, Gone> {
    let acceptor = context.tls.as_ref().ok_or(Gone::Handshake)?;
    match timeout(context.timeouts.handshake, acceptor.accept(tcp)).await {
        Ok(Ok(stream)) => Ok(stream),
        _ => Err(Gone::Handshake),
    }
}

/// RFC 9266 §4.2: on TLS 1.3 alone what is exported is unique to the connection.
fn bind(server: &mut Server, stream: &tokio_rustls::server::TlsStream<TcpStream>) {
    let (_, connection) = stream.get_ref();
    if connection.protocol_version() != Some(rustls::ProtocolVersion::TLSv1_3) {
        return;
    }
    if let Ok(exporter) = connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", None) {
        server.set_exporter(exporter);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Greeting {
    Send,
    Skip,
}

enum End {
    Closed,
    StartTls,
}

/// Why a connection is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gone {
    /// The peer closed, also in the midst of a message: RFC 5321 §4.1.1.4, nothing of it is kept.
    ByPeer,
    /// The peer does not read.
    Write,
    /// TLS did not come about.
    Handshake,
}

impl Gone {
    const fn reason(self) -> &'static str {
        match self {
            Self::ByPeer => "closed by the peer",
            Self::Write => "the peer does not read",
            Self::Handshake => "no TLS",
        }
    }
}

async fn converse<S, D>(
    stream: &mut S,
    peer: SocketAddr,
    server: &mut Server,
    greeting: Greeting,
    context: &Context<D>,
) -> Result<End, Gone>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    D: Door,
{
    let mut out = BytesMut::new();
    // RFC 3207 §4.2: after STARTTLS the door, too, begins anew.
    let session = match context.door.open(peer) {
        Ok(session) => session,
        Err(reply) => {
            reply.write(true, &mut out);
            write(stream, &mut out, &context.timeouts).await?;
            return Ok(End::Closed);
        }
    };
    if greeting == Greeting::Send {
        server.greeting(&mut out);
    }
    let conversation = Conversation {
        stream,
        peer,
        server,
        session,
        context,
        input: BytesMut::with_capacity(READ_OCTETS),
        out,
        transaction: Transaction::None,
        phase: context.phase.clone(),
        enough: Enough::of(context),
    };
    conversation.run().await
}

/// Whether a transaction is open: then neither drain nor age ends the session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Transaction {
    None,
    Open,
}

/// When a session has lasted long enough, and what it is told then.
struct Enough {
    sleep: Pin<Box<Sleep>>,
    reply: fn() -> Reply,
}

impl Enough {
    fn of<D>(context: &Context<D>) -> Self {
        match context.machine.auth {
            AuthOffer::RequiredOverTls => {
                let sleep = Box::pin(sleep(context.timeouts.authentication));
                Self { sleep, reply: replies::not_authenticated_in_time }
            }
            AuthOffer::Trusted | AuthOffer::None => Self::known(&context.timeouts),
        }
    }

    /// For a client that has shown who it is.
    fn known(timeouts: &Timeouts) -> Self {
        Self { sleep: Box::pin(sleep(timeouts.session)), reply: replies::session_long_enough }
    }
}

struct Conversation<'a, S, D: Door> {
    stream: &'a mut S,
    peer: SocketAddr,
    server: &'a mut Server,
    session: D::Session,
    context: &'a Context<D>,
    input: BytesMut,
    out: BytesMut,
    transaction: Transaction,
    phase: watch::Receiver<Phase>,
    enough: Enough,
}

impl<S, D> Conversation<'_, S, D>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    D: Door,
{
    async fn run(mut self) -> Result<End, Gone> {
        let door = Arc::clone(&self.context.door);
        loop {
            if self.out.len() > REPLIES_OCTETS_MAX {
                self.flush().await?;
            }
            match self.server.step(&mut self.input, &mut self.out) {
                Step::NeedInput => self.fill().await?,
                Step::Authenticate { authzid, username, password, .. } => {
                    let attempt = Attempt { authzid, username, password };
                    let verdict = door.authenticate(&mut self.session, attempt).await;
                    if accepts(&verdict) {
                        self.enough = Enough::known(&self.context.timeouts);
                    }
                    self.answer(verdict);
                }
                Step::Scram { username } => match door.scram_keys(&mut self.session, &username) {
                    Ok((keys, nonce)) => self.server.challenge(keys, &nonce, &mut self.out),
                    Err(verdict) => self.turn_away(verdict),
                },
                Step::Proven(proven) => {
                    let verdict = door.proven(&mut self.session, proven).await;
                    if accepts(&verdict) {
                        self.enough = Enough::known(&self.context.timeouts);
                    }
                    self.answer(verdict);
                }
                Step::NotProven { username } => {
                    let verdict = door.not_proven(&mut self.session, &username).await;
                    self.turn_away(verdict);
                }
                Step::Mail { reverse_path, size, body, repertoire, returned, envelope_id, require_tls, .. } => {
                    let sender = Sender { reverse_path, size, body, repertoire, returned, envelope_id, require_tls };
                    let verdict = door.mail(&mut self.session, sender).await;
                    self.transaction = if accepts(&verdict) { Transaction::Open } else { Transaction::None };
                    self.answer(verdict);
                }
                Step::Recipient { address, notify, original, .. } => {
                    let recipient = Recipient { address, notify, original };
                    let verdict = door.recipient(&mut self.session, recipient).await;
                    self.answer(verdict);
                }
                Step::BeginData => self.server.accept(Reply::start_content(), &mut self.out),
                Step::Message { content } => self.message(&door, content).await,
                Step::Reset => {
                    self.transaction = Transaction::None;
                    door.reset(&mut self.session);
                }
                Step::StartTls => {
                    self.flush().await?;
                    return Ok(End::StartTls);
                }
                Step::AwaitingVerdict => self.server.close(replies::temporary(), &mut self.out),
                Step::Closed => {
                    self.flush().await?;
                    return Ok(End::Closed);
                }
            }
        }
    }

    async fn message(&mut self, door: &D, content: Bytes) {
        let tls = if self.server.is_tls() { Tls::Yes } else { Tls::No };
        let trace = Trace { peer: self.peer, tls, hello: self.server.hello() };
        let verdict = door.message(&mut self.session, content, trace).await;
        let outcome = if accepts(&verdict) { "accepted" } else { "refused" };
        metrics::counter!("smtpd_messages_total", "outcome" => outcome).increment(1);
        self.transaction = Transaction::None;
        self.answer(verdict);
    }

    /// A verdict that cannot be a yes.
    fn turn_away(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Accept(_) => self.server.refuse(replies::wrong_credential(), &mut self.out),
            verdict => self.answer(verdict),
        }
    }

    fn answer(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Accept(reply) => self.server.accept(reply, &mut self.out),
            Verdict::Refuse(reply) => self.server.refuse(reply, &mut self.out),
            Verdict::Close(reply) => self.server.close(reply, &mut self.out),
        }
    }

    /// Writes what waits, then reads more, unless the session has to end instead.
    async fn fill(&mut self) -> Result<(), Gone> {
        self.flush().await?;
        if self.input.capacity() - self.input.len() < ROOM_OCTETS_MIN {
            self.input.reserve(READ_OCTETS);
        }
        let between = self.transaction == Transaction::None;
        let ending = tokio::select! {
            biased;
            // RFC 5321 §3.8: 421 before closing, and not while a message is on its way.
            () = draining(&mut self.phase), if between => replies::shutting_down(),
            () = self.enough.sleep.as_mut(), if between => (self.enough.reply)(),
            read = timeout(self.context.timeouts.idle, self.stream.read_buf(&mut self.input)) => match read {
                Ok(Ok(1..)) => return Ok(()),
                Ok(_) => return Err(Gone::ByPeer),
                Err(_) => replies::idle(),
            },
        };
        self.server.close(ending, &mut self.out);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        write(self.stream, &mut self.out, &self.context.timeouts).await
    }
}

const fn accepts(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Accept(_))
}

async fn write<S>(stream: &mut S, out: &mut BytesMut, timeouts: &Timeouts) -> Result<(), Gone>
where
    S: AsyncWrite + Unpin,
{
    if out.is_empty() {
        return Ok(());
    }
    let written = timeout(timeouts.write, async {
        stream.write_all(out).await?;
        stream.flush().await
    });
    match written.await {
        Ok(Ok(())) => {
            out.clear();
            Ok(())
        }
        _ => Err(Gone::Write),
    }
}

/// Says that no more will come, and lets the peer's last octets run out: a close over unread octets would reset the
/// connection, and the peer might lose our last reply.
async fn linger<S>(stream: &mut S, timeouts: &Timeouts)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let _ = timeout(timeouts.linger, async {
        stream.shutdown().await?;
        let mut rest = [0; 4096];
        let mut dropped = 0_usize;
        while dropped < LINGER_OCTETS_MAX {
            match stream.read(&mut rest).await? {
                0 => break,
                octets => dropped += octets,
            }
        }
        Ok::<(), std::io::Error>(())
    })
    .await;
}
