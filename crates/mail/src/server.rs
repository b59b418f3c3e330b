//! The server side of SMTP for one connection, as a machine: octets in, replies and requests out.
//!
//! A driver owns the socket. It appends what it read to `input`, calls [`Server::step`] until that returns
//! [`Step::NeedInput`], then writes `out` (so replies to pipelined commands leave together, RFC 2920 §3.2) and
//! reads again. For some steps the machine waits for the driver's verdict: [`Server::accept`],
//! [`Server::refuse`] or [`Server::close`].
//!
//! Invariants: replies come in the order of the commands; nothing is kept beyond the [`Limits`]; the end of a
//! message is CRLF.CRLF and nothing else; what follows STARTTLS in the clear is never read.
//! Never: a socket, a clock, a decision about who may send what.
//! Standards: RFC 5321, 1870 (SIZE), 2034, 2920 (PIPELINING), 3030 (CHUNKING), 3207 (STARTTLS), 4616 (PLAIN), 4954
//! (AUTH), 5802 and 7677 (SCRAM), 6152 (8BITMIME), 3461 (DSN), 6409 (submission), 6531 (SMTPUTF8), 9422
//! (LIMITS).

use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::address::{Address, Domain, Repertoire, ReversePath};
use crate::dsn::{EnvelopeId, Notify, OriginalRecipient, Return};
use crate::reply::Reply;
use crate::require_tls::RequireTls;
use crate::scram::Proven;

mod authentication;
mod chunking;
mod chunks;
mod command;
mod content;
mod envelope;
mod keywords;
mod replies;
mod scram;
mod session;
#[cfg(test)]
mod tests;

pub use authentication::{Mechanism, Password};
pub use content::ContentFault;

/// RFC 5321 §4.5.3.1.8: a server takes at least this many recipients, whatever its settings say.
pub const RECIPIENTS_FLOOR: usize = 100;
/// What `message_octets_max` may be at most; also what 0 ("no limit of its own") stands for.
pub const MESSAGE_OCTETS_CEILING: usize = 256 * 1024 * 1024;

/// How TLS comes to a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsOffer {
    /// None at all.
    None,
    /// RFC 3207: STARTTLS is announced until it was used.
    StartTls,
    /// RFC 8314 §3: the driver has finished the handshake before the greeting.
    Implicit,
}

/// Whether clients must say who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthOffer {
    /// RFC 6409 §4.3: AUTH before MAIL, and only under TLS.
    RequiredOverTls,
    /// The listener is bound to a trusted network and a credential; there is no AUTH.
    Trusted,
    /// An inbound listener or a mailbox: anybody may send, and the driver decides to whom.
    None,
}

/// What becomes of a CR or LF that stands alone in content. The end of data is strict with both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BareNewlines {
    /// The message is refused with 550 5.5.2; a command line that ends with LF alone with 500 5.5.2.
    Reject,
    /// It is made a CRLF; command lines may end with LF alone.
    Normalise,
}

/// Bounds of one session. Octets unless stated otherwise.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Content after unstuffing; announced by SIZE. 0 stands for [`MESSAGE_OCTETS_CEILING`].
    pub message_octets_max: usize,
    /// Accepted recipients of one transaction; [`RECIPIENTS_FLOOR`] at least.
    pub recipients_max: usize,
    /// RFC 5321 §4.5.3.1.4: a command line with CRLF, before what extensions add.
    pub command_octets_max: usize,
    /// RFC 4954 §4: a line of the AUTH dialogue.
    pub auth_octets_max: usize,
    /// RFC 5321 §4.5.3.1.6: a line of content with CRLF, not counting the dot of transparency.
    pub text_line_octets_max: usize,
    /// Protocol errors and failed authentications since the last accepted message; then 421.
    pub errors_max: u32,
    /// Transactions begun in one session; then 421.
    pub transactions_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_octets_max: 25 * 1024 * 1024,
            recipients_max: 1000,
            command_octets_max: 512,
            auth_octets_max: 12_288,
            text_line_octets_max: 1000,
            errors_max: 20,
            transactions_max: 100_000,
        }
    }
}

impl Limits {
    fn message_octets(&self) -> usize {
        match self.message_octets_max {
            0 => MESSAGE_OCTETS_CEILING,
            octets => octets.min(MESSAGE_OCTETS_CEILING),
        }
    }

    fn recipients(&self) -> usize {
        self.recipients_max.max(RECIPIENTS_FLOOR)
    }
}

/// What a listener offers; shared by its sessions.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name in the greeting, and the domain of a bare `<postmaster>`.
    pub hostname: Domain,
    /// How TLS comes to this listener.
    pub tls: TlsOffer,
    /// Whether clients must authenticate.
    pub auth: AuthOffer,
    /// What becomes of bare newlines.
    pub bare_newlines: BareNewlines,
    /// RFC 7677: whether the driver keeps keys for SCRAM.
    pub scram: bool,
    /// RFC 3461: whether the driver keeps what clients ask to be told.
    pub notifications: bool,
    /// RFC 8689: whether the driver keeps, and passes on, that a message must not travel without TLS.
    pub require_tls: bool,
    /// Bounds of a session.
    pub limits: Limits,
}

/// RFC 6152 §2: what a client says about its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyKind {
    /// `BODY=7BIT`, or nothing said.
    #[default]
    SevenBit,
    /// `BODY=8BITMIME`.
    EightBitMime,
}

/// How the client introduced itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The argument of EHLO or HELO: a domain or an address literal. May tell where a person is.
    pub name: Box<str>,
    /// EHLO rather than HELO.
    pub extended: bool,
}

/// What the driver does next.
///
/// After `Scram`, `Proven`, `NotProven`, `Authenticate`, `Mail`, `Recipient`, `BeginData` and `Message` it gives a
/// verdict before it steps again.
pub enum Step {
    /// Write `out`, then read more into `input`.
    NeedInput,
    /// Check a credential. `accept` makes the session authenticated.
    Authenticate {
        /// By which mechanism it came.
        mechanism: Mechanism,
        /// RFC 4616 §2: on whose behalf, where PLAIN names somebody.
        authzid: Option<String>,
        /// As sent.
        username: String,
        /// As sent; wiped from memory when dropped.
        password: Password,
    },
    /// SCRAM has begun: [`Server::challenge`] with the keys of this name, or `refuse`.
    Scram {
        /// As sent.
        username: String,
    },
    /// SCRAM: the client has proven who he is. `accept` makes the session authenticated, at the end of the dialogue.
    Proven(Proven),
    /// SCRAM: he has not. `refuse`; nothing else is done.
    NotProven {
        /// As sent.
        username: String,
    },
    /// MAIL. `accept` opens the transaction.
    #[non_exhaustive]
    Mail {
        /// The argument of FROM.
        reverse_path: ReversePath,
        /// RFC 1870 §6: declared octets; already checked against the limit.
        size: Option<u64>,
        /// RFC 6152.
        body: BodyKind,
        /// RFC 6531 §3.4: whether addresses and fields may be outside ASCII.
        repertoire: Repertoire,
        /// RFC 3461 §4.3.
        returned: Option<Return>,
        /// RFC 3461 §4.4.
        envelope_id: Option<EnvelopeId>,
        /// RFC 8689 §2.
        require_tls: RequireTls,
    },
    /// RCPT. `accept` counts the recipient; a refused one leaves no trace here.
    #[non_exhaustive]
    Recipient {
        /// The argument of TO.
        address: Address,
        /// RFC 3461 §4.1.
        notify: Option<Notify>,
        /// RFC 3461 §4.2.
        original: Option<OriginalRecipient>,
    },
    /// DATA with at least one accepted recipient; BDAT needs no verdict before its content. `accept` with
    /// [`Reply::start_content`] lets the content come.
    BeginData,
    /// A whole message. Either verdict ends the transaction.
    Message {
        /// Without dots of transparency, every line ended by CRLF, no NUL.
        content: Bytes,
    },
    /// `220` is in `out` and `input` has been emptied. Write `out`, discard whatever else was read in the clear,
    /// shake hands, then call [`Server::tls_established`]. Any open transaction is gone.
    StartTls,
    /// The open transaction is gone without a message: RSET, EHLO or HELO, or content that was refused here
    /// (see [`Server::last_content_fault`]). The reply is in `out`.
    Reset,
    /// A verdict is missing: the driver stepped too early. Nothing was read.
    AwaitingVerdict,
    /// Write `out`, then close the connection.
    Closed,
}

impl fmt::Debug for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only the kind: the fields are credentials, addresses and content.
        out.write_str(match self {
            Self::NeedInput => "NeedInput",
            Self::Authenticate { .. } => "Authenticate",
            Self::Scram { .. } => "Scram",
            Self::Proven(_) => "Proven",
            Self::NotProven { .. } => "NotProven",
            Self::Mail { .. } => "Mail",
            Self::Recipient { .. } => "Recipient",
            Self::BeginData => "BeginData",
            Self::Message { .. } => "Message",
            Self::StartTls => "StartTls",
            Self::Reset => "Reset",
            Self::AwaitingVerdict => "AwaitingVerdict",
            Self::Closed => "Closed",
        })
    }
}

/// What a verdict is awaited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pending {
    Authenticate,
    Scram,
    Proven,
    NotProven,
    Mail,
    Recipient,
    BeginData,
    Message,
}

/// Where the next octets go.
enum Phase {
    Commands,
    Authentication(authentication::Dialogue),
    Content(content::Reader),
    /// RFC 3030 §2: so many octets of a chunk are still to come.
    Chunk {
        left: u64,
        last: bool,
    },
    /// The rest of a line that was too long.
    DiscardLine,
    /// RFC 3030 §2: the octets of a refused BDAT, so that they are never taken for commands.
    DiscardOctets(u64),
    Handshake,
    Closed,
}

struct Transaction {
    recipients: usize,
    declared_octets: Option<u64>,
    repertoire: Repertoire,
    /// What BDAT has brought so far; then neither RCPT nor DATA follows.
    chunks: Option<Box<chunks::Chunks>>,
}

/// One connection.
pub struct Server {
    settings: Arc<Settings>,
    phase: Phase,
    pending: Option<Pending>,
    hello: Option<Hello>,
    tls: bool,
    /// RFC 9266.
    exporter: Option<[u8; 32]>,
    /// SCRAM: what the driver was asked about.
    scram: Option<scram::Asked>,
    authenticated: bool,
    transaction: Option<Transaction>,
    last_fault: Option<ContentFault>,
    errors: u32,
    transactions: u32,
    /// One buffer for all command lines of the session.
    line: String,
}

impl fmt::Debug for Server {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Server")
            .field("pending", &self.pending)
            .field("tls", &self.tls)
            .field("authenticated", &self.authenticated)
            .field("errors", &self.errors)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// A session before its greeting. With [`TlsOffer::Implicit`] the handshake is over.
    #[must_use]
    pub fn new(settings: Arc<Settings>) -> Self {
        Self {
            tls: settings.tls == TlsOffer::Implicit,
            settings,
            phase: Phase::Commands,
            pending: None,
            hello: None,
            exporter: None,
            scram: None,
            authenticated: false,
            transaction: None,
            last_fault: None,
            errors: 0,
            transactions: 0,
            line: String::new(),
        }
    }

    /// Writes `220`. A driver that wants to catch early talkers looks at its socket before.
    pub fn greeting(&mut self, out: &mut BytesMut) {
        replies::greeting(&self.settings.hostname).write(false, out);
    }

    /// Reads from `input` until the driver is needed. See [`Step`].
    pub fn step(&mut self, input: &mut BytesMut, out: &mut BytesMut) -> Step {
        if self.pending.is_some() {
            return Step::AwaitingVerdict;
        }
        loop {
            if let Some(step) = self.advance(input, out) {
                return step;
            }
        }
    }

    /// The verdict "yes". Without an open question it does nothing.
    pub fn accept(&mut self, reply: Reply, out: &mut BytesMut) {
        match self.pending.take() {
            None => return,
            Some(Pending::Authenticate) => self.authenticated = true,
            Some(Pending::Scram | Pending::NotProven) => {
                self.scram = None;
                self.fail(&replies::bad_authentication(), out);
                return;
            }
            Some(Pending::Proven) => {
                self.answer_proof(reply, out);
                return;
            }
            Some(Pending::Mail) => self.transactions = self.transactions.saturating_add(1),
            Some(Pending::Recipient) => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.recipients += 1;
                }
            }
            Some(Pending::BeginData) => {
                self.begin_content();
                // RFC 5321 §4.3.2: no other code than 354 makes the client send.
                let reply = if reply.code == 354 { reply } else { Reply::start_content() };
                self.write(&reply, out);
                return;
            }
            Some(Pending::Message) => {
                self.transaction = None;
                self.errors = 0;
            }
        }
        self.write(&reply, out);
    }

    /// The verdict "no", with a 4xx or 5xx reply. Without an open question it does nothing.
    ///
    /// A refused authentication counts as an error; a refused sender, recipient or message does not, since a
    /// client that follows the protocol cannot know our rules.
    pub fn refuse(&mut self, reply: Reply, out: &mut BytesMut) {
        match self.pending.take() {
            None => return,
            Some(Pending::Authenticate | Pending::Scram | Pending::Proven | Pending::NotProven) => {
                self.scram = None;
                self.fail(&reply, out);
                return;
            }
            Some(Pending::Mail | Pending::Message) => self.transaction = None,
            Some(Pending::Recipient | Pending::BeginData) => {}
        }
        self.write(&reply, out);
    }

    /// Ends the session with `reply` (421, RFC 5321 §3.8), with or without an open question.
    pub fn close(&mut self, reply: Reply, out: &mut BytesMut) {
        self.pending = None;
        self.transaction = None;
        self.write(&reply, out);
        self.phase = Phase::Closed;
    }

    /// The handshake after [`Step::StartTls`] is over.
    ///
    /// RFC 3207 §4.2: all knowledge of the client from before is discarded.
    pub fn tls_established(&mut self) {
        self.tls = true;
        self.hello = None;
        self.authenticated = false;
        self.transaction = None;
        self.pending = None;
        self.scram = None;
        self.phase = Phase::Commands;
    }

    /// RFC 9266: octets of tls-exporter of the TLS 1.3 connection that was established. Without them -PLUS is not
    /// offered.
    pub fn set_exporter(&mut self, exporter: [u8; 32]) {
        self.exporter = Some(exporter);
    }

    /// Last EHLO or HELO.
    #[must_use]
    pub fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    /// Whether the session is under TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Whether AUTH succeeded.
    #[must_use]
    pub fn is_authenticated(&self) -> bool {
        self.authenticated
    }

    /// Why the last message was refused by the machine itself, if it was.
    #[must_use]
    pub fn last_content_fault(&self) -> Option<ContentFault> {
        self.last_fault
    }
}
