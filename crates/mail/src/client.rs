//! The client side of SMTP for one connection, as a machine: replies in, commands and events out.
//!
//! A driver owns the socket. It appends what it read to `input`, calls [`Client::step`], writes `out`, and reads
//! again when the step is [`Step::NeedInput`], for at most [`Client::timeout`]. `.CRLF`, or the last chunk to a peer
//! that takes chunks, leaves only by [`Client::finish`], so that whoever holds the permission to send has the last
//! word.
//!
//! Invariants: a command is never written beyond the window that the peer's extensions allow; every recipient gets
//! exactly one result; content goes out in canonical lines, stuffed, or not at all; the transcript has no content.
//! Never: a socket, a clock, a retry, a decision whether to send.
//! Standards: RFC 5321, 1870 (SIZE), 2034, 2920 (PIPELINING), 3030 (CHUNKING), 3207 (STARTTLS), 6152 (8BITMIME), 9422
//! (LIMITS).

use std::fmt;
use std::time::Duration;

use bytes::BytesMut;

use crate::reply::{ReceivedReply, ReplyError, ReplyParser};
pub use crate::server::BodyKind;

mod body;
mod capabilities;
mod dialogue;
mod outcome;
#[cfg(test)]
mod tests;
mod transaction;
mod transcript;

pub use body::BodyError;
pub use capabilities::Capabilities;
pub use outcome::{Interrupted, Lost, Outcome, RecipientResult};
pub use transaction::{BeginError, Notices, RECIPIENTS_MAX, Transaction};
pub use transcript::Transcript;

/// Chunks without a reply at any time: as for commands, their replies must fit the buffers on the way.
const CHUNKS_WINDOW: usize = 16;

/// What the route asks of STARTTLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsUse {
    /// Never ask for it: TLS is there already (implicit), or a handshake with this peer has failed before.
    Never,
    /// RFC 7435: use it where it is announced, and go on in the clear where it is not.
    IfOffered,
    /// No mail without it.
    Required,
}

/// How this connection introduces itself.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// The argument of EHLO: the name that the sending address resolves to.
    pub ehlo_name: String,
    /// What to do about STARTTLS.
    pub tls: TlsUse,
}

/// Where the dialogue stands: which reply is awaited, or what the driver owes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Waiting for `220`.
    Greeting,
    /// EHLO or HELO was sent.
    Hello,
    /// STARTTLS was sent, or the handshake is under way.
    StartTls,
    /// Nothing is awaited; a transaction may begin.
    Ready,
    /// RSET was sent before MAIL.
    Reset,
    /// MAIL was sent.
    Mail,
    /// RCPT was sent.
    Recipient,
    /// DATA was sent.
    Data,
    /// `354` came, or the envelope stands and chunks are taken; content is being written.
    Body,
    /// The final dot, or the last chunk, was written. From here on a lost connection leaves the outcome unknown.
    FinalDot,
    /// QUIT was sent.
    Quit,
    /// Nothing more will be read or written.
    Closed,
}

/// Why a connection is of no use any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The peer refused at this stage: greeting, EHLO, or 421 while nothing was under way.
    #[error("the peer refused with {} at {stage:?}", reply.code)]
    Refused {
        /// When.
        stage: Stage,
        /// What it said.
        reply: ReceivedReply,
    },
    /// TLS is required and STARTTLS is not announced, or was refused with this reply.
    #[error("the peer offers no TLS, which this route requires")]
    TlsUnavailable(Option<ReceivedReply>),
    /// What came is no reply.
    #[error(transparent)]
    Reply(#[from] ReplyError),
    /// A reply that makes no sense at this stage.
    #[error("the peer answered {code} at {stage:?}, which means nothing there")]
    Unexpected {
        /// When.
        stage: Stage,
        /// What.
        code: u16,
    },
}

/// What the driver does next.
#[derive(Debug)]
pub enum Step {
    /// Write `out`, then read more into `input`.
    NeedInput,
    /// Shake hands; `input` has been emptied. Then [`Client::tls_established`]. RFC 3207 §4.2.
    StartTls,
    /// Nothing is under way: [`Client::begin`] or [`Client::quit`].
    Ready,
    /// Content is awaited for at least one accepted recipient: [`Client::write_body`], then [`Client::finish`], or cut.
    /// Asked once: a step between the two tells whether the peer has refused meanwhile. With chunks it is asked again
    /// whenever another may leave.
    SendBody,
    /// The transaction is over. Where it says reusable, the next step is [`Step::Ready`].
    Outcome(Outcome),
    /// The connection is of no use. During a transaction, [`Client::interrupted`] has what is known.
    Failed(Failure),
    /// QUIT was answered, or nothing can be read any more. Close.
    Closed,
}

/// One connection to a peer.
pub struct Client {
    settings: ClientSettings,
    stage: Stage,
    parser: ReplyParser,
    capabilities: Capabilities,
    /// HELO was used, so that there are no extensions.
    plain: bool,
    tls: bool,
    current: Option<transaction::Progress>,
    /// The peer may have a transaction open that we gave up.
    reset_needed: bool,
    body: body::Writer,
    /// Nothing that the peer says is believed any more.
    broken: bool,
    transcript: transcript::Recorder,
}

impl fmt::Debug for Client {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Client").field("stage", &self.stage).field("tls", &self.tls).finish_non_exhaustive()
    }
}

impl Client {
    /// A connection that has just been opened.
    #[must_use]
    pub fn new(settings: ClientSettings) -> Self {
        Self {
            settings,
            stage: Stage::Greeting,
            parser: ReplyParser::new(),
            capabilities: Capabilities::default(),
            plain: false,
            tls: false,
            current: None,
            reset_needed: false,
            body: body::Writer::default(),
            broken: false,
            transcript: transcript::Recorder::default(),
        }
    }

    /// Where the dialogue stands.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// What the peer announced in its last EHLO reply.
    #[must_use]
    pub const fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// How long to wait at this stage: for a reply, or for a block of content to be taken.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        // RFC 5321 §4.5.3.2.1 to §4.5.3.2.6, in minutes. A shorter wait for the final dot makes duplicates.
        let minutes = match self.stage {
            Stage::Greeting | Stage::Hello | Stage::Reset | Stage::Mail | Stage::Recipient => 5,
            Stage::Data => 2,
            Stage::Body => 3,
            Stage::FinalDot => 10,
            // Nobody's mail depends on these.
            Stage::StartTls | Stage::Ready => 2,
            Stage::Quit | Stage::Closed => return Duration::from_secs(10),
        };
        Duration::from_secs(minutes * 60)
    }

    /// Reads replies and writes commands until the driver is needed. See [`Step`].
    pub fn step(&mut self, input: &mut BytesMut, out: &mut BytesMut) -> Step {
        if self.broken {
            input.clear();
            return Step::Closed;
        }
        loop {
            // A peer that has something to say before or instead of what is expected is heard at every stage.
            match self.parser.read(input) {
                Err(error) => return self.fail(Failure::Reply(error), input),
                Ok(Some(reply)) => {
                    self.transcript.received(&reply);
                    if let Some(step) = self.reply(reply, input, out) {
                        return step;
                    }
                }
                Ok(None) => return self.idle_step(input),
            }
        }
    }

    /// What to do when there is no reply to read.
    fn idle_step(&self, input: &mut BytesMut) -> Step {
        match self.stage {
            Stage::Ready => Step::Ready,
            Stage::Body if !self.body.has_begun() || self.may_end_chunk() => Step::SendBody,
            Stage::Closed => {
                input.clear();
                Step::Closed
            }
            _ => Step::NeedInput,
        }
    }

    /// The handshake is over: everything learnt in the clear is forgotten and EHLO is written again.
    pub fn tls_established(&mut self, input: &mut BytesMut, out: &mut BytesMut) {
        // RFC 3207 §4.2: discard what was obtained before the handshake, replies that came too early included.
        input.clear();
        self.parser = ReplyParser::new();
        self.tls = true;
        self.transcript.note("(TLS)");
        self.greet(out);
    }

    /// Begins a transaction at [`Step::Ready`].
    ///
    /// # Errors
    /// [`BeginError`]; nothing was written and the connection is as before.
    pub fn begin(&mut self, transaction: Transaction, out: &mut BytesMut) -> Result<(), BeginError> {
        if self.stage != Stage::Ready {
            return Err(BeginError::NotReady);
        }
        transaction.check(&self.capabilities)?;
        let reset = std::mem::take(&mut self.reset_needed);
        self.body = if self.capabilities.chunking { body::Writer::chunked() } else { body::Writer::default() };
        let mut current = transaction::Progress::new(transaction, reset, &self.capabilities);
        current.write_commands(out, &mut self.transcript);
        self.stage = current.stage();
        self.current = Some(current);
        Ok(())
    }

    /// Writes content, stuffed, after [`Step::SendBody`]: `parts` in their order make up the message, or the next
    /// piece of it. The final dot is not written.
    ///
    /// # Errors
    /// [`BodyError`]; `out` is as before. The message must not be finished: cut the connection.
    pub fn write_body(&mut self, parts: &[&[u8]], out: &mut BytesMut) -> Result<(), BodyError> {
        if self.stage != Stage::Body || self.broken {
            return Err(BodyError::NotAsked);
        }
        self.body.write(parts, out)
    }

    /// Octets that were handed in and wait for their chunk; always 0 without chunks.
    #[must_use]
    pub fn gathered(&self) -> usize {
        self.body.gathered()
    }

    /// Writes what was gathered as a chunk that is not the last (RFC 3030 §2): however much of a message has left so,
    /// it is none before [`Client::finish`]. Then, while [`Client::may_end_chunk`] says no, replies are to be read
    /// first.
    ///
    /// # Errors
    /// [`BodyError::NotAsked`] when no content is awaited.
    pub fn end_chunk(&mut self, out: &mut BytesMut) -> Result<(), BodyError> {
        if self.stage != Stage::Body || self.broken {
            return Err(BodyError::NotAsked);
        }
        if let Some(octets) = self.body.end_chunk(out) {
            self.transcript.chunk(octets, false);
        }
        Ok(())
    }

    /// Whether a chunk may leave now: content goes in chunks, and few enough have no reply yet.
    #[must_use]
    pub fn may_end_chunk(&self) -> bool {
        // RFC 3030 §4.2: chunks are pipelined where commands may be.
        let window = if self.capabilities.pipelining { CHUNKS_WINDOW } else { 1 };
        self.capabilities.chunking && self.body.unanswered() < window
    }

    /// Writes the final dot, or the last chunk (and the last CRLF, should the content lack it). From here on the peer
    /// may have taken responsibility whether or not its reply arrives.
    ///
    /// # Errors
    /// [`BodyError::NotAsked`] when no content is awaited; [`BodyError::BareNewline`] when the content ends with
    /// a CR, or an earlier [`Client::write_body`] failed.
    pub fn finish(&mut self, out: &mut BytesMut) -> Result<(), BodyError> {
        if self.stage != Stage::Body || self.broken {
            return Err(BodyError::NotAsked);
        }
        match self.body.finish(out)? {
            body::End::Dot(octets) => self.transcript.body(octets),
            body::End::LastChunk(octets) => self.transcript.chunk(octets, true),
        }
        self.stage = Stage::FinalDot;
        Ok(())
    }

    /// Writes QUIT at [`Step::Ready`]; at any other time the connection is simply given up, as it must be.
    pub fn quit(&mut self, out: &mut BytesMut) {
        if self.stage == Stage::Ready {
            out.extend_from_slice(b"QUIT\r\n");
            self.stage = Stage::Quit;
        } else {
            self.stage = Stage::Closed;
        }
    }

    /// Ends the machine after the connection was lost, timed out or was cut, and tells what is known.
    #[must_use]
    pub fn interrupted(mut self) -> Interrupted {
        let transcript = self.transcript.take();
        outcome::interrupted(self.stage, self.current.take(), transcript)
    }
}
