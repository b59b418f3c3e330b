//! What a listener asks while it speaks SMTP: who may come in, from whom, to whom, and what becomes of a message.
//!
//! The session keeps the protocol; a door decides. Postern's own is [`crate::submission::SubmissionDoor`]; a mailbox
//! or a test brings another. All calls of one connection come one after the other, in the order of the commands.

use std::future::Future;
use std::net::SocketAddr;

use bytes::Bytes;
use mail::address::{Address, Repertoire, ReversePath};
use mail::dsn::{EnvelopeId, Notify, OriginalRecipient, Return};
use mail::reply::Reply;
use mail::require_tls::RequireTls;
use mail::scram::{Keys, Proven};
use mail::server::{BodyKind, Hello, Password};

use crate::replies;

/// The answer of a door.
#[derive(Debug)]
pub enum Verdict {
    /// Yes, with a 2xx reply.
    Accept(Reply),
    /// No, with a 4xx or 5xx reply; the connection goes on.
    Refuse(Reply),
    /// No, and the connection ends (RFC 5321 §3.8: 421).
    Close(Reply),
}

/// A credential as a client sent it. Not yet believed.
#[derive(Debug)]
pub struct Attempt {
    /// RFC 4616 §2: on whose behalf, where the client named somebody.
    pub authzid: Option<String>,
    /// As sent.
    pub username: String,
    /// As sent; wiped when dropped.
    pub password: Password,
}

/// The sender as MAIL names him.
#[derive(Debug)]
pub struct Sender {
    /// The argument of FROM.
    pub reverse_path: ReversePath,
    /// Octets declared (RFC 1870), already within the limit.
    pub size: Option<u64>,
    /// Declared body (RFC 6152).
    pub body: BodyKind,
    /// Whether addresses and fields may be outside ASCII (RFC 6531 §3.4).
    pub repertoire: Repertoire,
    /// RFC 3461 §4.3.
    pub returned: Option<Return>,
    /// RFC 3461 §4.4.
    pub envelope_id: Option<EnvelopeId>,
    /// RFC 8689 §4.1: whether it must not travel on without TLS.
    pub require_tls: RequireTls,
}

/// A recipient as RCPT names him.
#[derive(Debug)]
pub struct Recipient {
    /// The argument of TO.
    pub address: Address,
    /// RFC 3461 §4.1.
    pub notify: Option<Notify>,
    /// RFC 3461 §4.2.
    pub original: Option<OriginalRecipient>,
}

/// Whether the session is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// TLS 1.2 or later.
    Yes,
    /// In clear.
    No,
}

/// How a message came, for its Received field.
#[derive(Debug, Clone, Copy)]
pub struct Trace<'a> {
    /// The other end of the connection. Personal data where a person runs the client.
    pub peer: SocketAddr,
    /// Whether it came encrypted.
    pub tls: Tls,
    /// How the client introduced itself.
    pub hello: Option<&'a Hello>,
}

/// Who decides. One door serves many connections at once; what belongs to one of them is in its `Session`.
pub trait Door: Send + Sync + 'static {
    /// What the door remembers of one connection, its open transaction included.
    type Session: Send + 'static;

    /// A connection came, before TLS and before the greeting.
    ///
    /// # Errors
    /// The reply with which it is closed at once.
    fn open(&self, peer: SocketAddr) -> Result<Self::Session, Reply>;

    /// AUTH.
    fn authenticate(&self, session: &mut Self::Session, attempt: Attempt) -> impl Future<Output = Verdict> + Send;

    /// AUTH with SCRAM has begun: the keys of this name and our half of the nonce (RFC 5802 §5). A door that has none
    /// for it gives those of nobody, so that names cannot be told apart.
    ///
    /// # Errors
    /// The verdict, which is no [`Verdict::Accept`].
    fn scram_keys(&self, session: &mut Self::Session, username: &str) -> Result<(Keys, String), Verdict> {
        let _ = (session, username);
        Err(Verdict::Refuse(replies::wrong_credential()))
    }

    /// AUTH with SCRAM: a proof that holds.
    fn proven(&self, session: &mut Self::Session, proven: Proven) -> impl Future<Output = Verdict> + Send {
        let _ = (session, proven);
        std::future::ready(Verdict::Refuse(replies::wrong_credential()))
    }

    /// AUTH with SCRAM: a proof that does not hold. The answer is no [`Verdict::Accept`].
    fn not_proven(&self, session: &mut Self::Session, username: &str) -> impl Future<Output = Verdict> + Send {
        let _ = (session, username);
        std::future::ready(Verdict::Refuse(replies::wrong_credential()))
    }

    /// MAIL: accepting it opens a transaction.
    fn mail(&self, session: &mut Self::Session, sender: Sender) -> impl Future<Output = Verdict> + Send;

    /// RCPT: accepting it adds the recipient.
    fn recipient(&self, session: &mut Self::Session, recipient: Recipient) -> impl Future<Output = Verdict> + Send;

    /// The end of the data. Either answer ends the transaction.
    ///
    /// RFC 5321 §6.1: by accepting, the door takes over the responsibility; so it answers after the message is
    /// durable, and not before.
    fn message(
        &self,
        session: &mut Self::Session,
        content: Bytes,
        trace: Trace<'_>,
    ) -> impl Future<Output = Verdict> + Send;

    /// The open transaction is gone without a message.
    fn reset(&self, session: &mut Self::Session);
}
