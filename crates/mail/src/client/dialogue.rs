//! What each reply means at each stage.
//!
//! Invariants: each reply is taken by the oldest command that has none; 421 ends the connection wherever it comes.
//! Standards: RFC 5321 §3.1, §3.2, §3.8, §4.3.2; RFC 2920 §3.1; RFC 3207 §4.

use bytes::BytesMut;

use super::capabilities::Capabilities;
use super::transaction::{Next, Progress};
use super::{Client, Failure, Stage, Step, TlsUse};
use crate::reply::ReceivedReply;

/// RFC 5321 §3.8: the peer closes the channel.
const CHANNEL_CLOSING: u16 = 421;

impl Client {
    /// EHLO, with everything that an earlier one said forgotten.
    pub(super) fn greet(&mut self, out: &mut BytesMut) {
        self.capabilities = Capabilities::default();
        self.plain = false;
        self.hello("EHLO", out);
    }

    fn hello(&mut self, verb: &str, out: &mut BytesMut) {
        let line = format!("{verb} {}", self.settings.ehlo_name);
        self.send(&line, out);
        self.stage = Stage::Hello;
    }

    fn send(&mut self, line: &str, out: &mut BytesMut) {
        self.transcript.sent(line);
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    /// The end of this connection.
    pub(super) fn fail(&mut self, failure: Failure, input: &mut BytesMut) -> Step {
        input.clear();
        self.broken = true;
        // The stage stays what it was where a transaction is open: it decides what a lost connection means.
        if self.current.is_none() {
            self.stage = Stage::Closed;
        }
        Step::Failed(failure)
    }

    /// Takes one reply. `None` means: look for another.
    pub(super) fn reply(&mut self, reply: ReceivedReply, input: &mut BytesMut, out: &mut BytesMut) -> Option<Step> {
        match self.stage {
            Stage::Closed => None,
            Stage::Quit => {
                self.stage = Stage::Closed;
                None
            }
            _ if reply.code == CHANNEL_CLOSING => Some(self.shut_out(reply, input)),
            Stage::Greeting => self.greeting(reply, input, out),
            Stage::Hello => self.hello_reply(reply, input, out),
            Stage::StartTls => self.start_tls_reply(reply, input),
            Stage::Ready => Some(self.unexpected(&reply, input)),
            Stage::Reset | Stage::Mail | Stage::Recipient | Stage::Data => self.envelope_reply(reply, input, out),
            Stage::Body => self.early_reply(reply, input),
            Stage::FinalDot => self.final_reply(reply, input),
        }
    }

    fn unexpected(&mut self, reply: &ReceivedReply, input: &mut BytesMut) -> Step {
        self.fail(Failure::Unexpected { stage: self.stage, code: reply.code }, input)
    }

    fn refused(&mut self, reply: ReceivedReply, input: &mut BytesMut) -> Step {
        self.fail(Failure::Refused { stage: self.stage, reply }, input)
    }

    /// 421: it answers everything that has no answer yet.
    fn shut_out(&mut self, reply: ReceivedReply, input: &mut BytesMut) -> Step {
        match self.current.take() {
            None => self.refused(reply, input),
            Some(current) => self.end(current.shut_out(self.stage, reply), false, input),
        }
    }

    fn greeting(&mut self, reply: ReceivedReply, input: &mut BytesMut, out: &mut BytesMut) -> Option<Step> {
        if !reply.is_positive() {
            return Some(self.refused(reply, input));
        }
        self.greet(out);
        None
    }

    fn hello_reply(&mut self, reply: ReceivedReply, input: &mut BytesMut, out: &mut BytesMut) -> Option<Step> {
        if reply.is_permanent() && !self.plain && self.settings.tls != TlsUse::Required {
            // RFC 5321 §3.2: a server that does not know EHLO gets HELO.
            self.plain = true;
            self.hello("HELO", out);
            return None;
        }
        if !reply.is_positive() {
            return Some(self.refused(reply, input));
        }
        if !self.plain {
            self.capabilities = Capabilities::parse(&reply.text);
        }
        let wanted = !self.tls && self.settings.tls != TlsUse::Never;
        if wanted && self.capabilities.start_tls {
            self.send("STARTTLS", out);
            self.stage = Stage::StartTls;
        } else if wanted && self.settings.tls == TlsUse::Required {
            return Some(self.fail(Failure::TlsUnavailable(None), input));
        } else {
            self.stage = Stage::Ready;
        }
        None
    }

    fn start_tls_reply(&mut self, reply: ReceivedReply, input: &mut BytesMut) -> Option<Step> {
        if reply.is_positive() {
            // RFC 3207 §4.2 and CVE-2021-38371: a reply that was put behind this one in the clear is not read.
            input.clear();
            return Some(Step::StartTls);
        }
        if self.settings.tls == TlsUse::Required {
            return Some(self.fail(Failure::TlsUnavailable(Some(reply)), input));
        }
        self.stage = Stage::Ready;
        None
    }

    fn envelope_reply(&mut self, reply: ReceivedReply, input: &mut BytesMut, out: &mut BytesMut) -> Option<Step> {
        let Some(mut current) = self.current.take() else {
            return Some(self.unexpected(&reply, input));
        };
        let next = current.answered(reply, out, &mut self.transcript);
        match next {
            Next::Wait => {
                self.stage = current.stage();
                self.current = Some(current);
                None
            }
            Next::Body => {
                self.stage = Stage::Body;
                self.current = Some(current);
                None
            }
            Next::Done { reset_needed } => {
                self.reset_needed = reset_needed;
                Some(self.end(current, true, input))
            }
            Next::Nonsense(code) => {
                let stage = self.stage;
                self.current = Some(current);
                Some(self.fail(Failure::Unexpected { stage, code }, input))
            }
        }
    }

    /// A reply while content is being written: a refusal ends the transaction, and the connection with it, since
    /// the peer is in the midst of content.
    ///
    /// A chunk that was taken is no reason to stop.
    fn early_reply(&mut self, reply: ReceivedReply, input: &mut BytesMut) -> Option<Step> {
        if reply.is_positive() && self.body.unanswered() > 0 {
            self.body.chunk_answered();
            return None;
        }
        match self.current.take() {
            Some(current) if reply.is_transient() || reply.is_permanent() => {
                Some(self.end(current.concluded(Stage::Body, reply), false, input))
            }
            current => {
                self.current = current;
                Some(self.unexpected(&reply, input))
            }
        }
    }

    /// The reply to the whole: behind those to the chunks before the last one, or a refusal of one of those, after
    /// which the peer refuses the rest too (RFC 3030 §2).
    fn final_reply(&mut self, reply: ReceivedReply, input: &mut BytesMut) -> Option<Step> {
        let more = self.body.chunk_answered();
        if more && reply.is_positive() {
            return None;
        }
        match self.current.take() {
            Some(current) if !reply.is_intermediate() => {
                Some(self.end(current.concluded(Stage::FinalDot, reply), !more, input))
            }
            current => {
                self.current = current;
                Some(self.unexpected(&reply, input))
            }
        }
    }

    fn end(&mut self, current: Progress, reusable: bool, input: &mut BytesMut) -> Step {
        // Octets behind the last reply answer nothing that was asked.
        let reusable = reusable && input.is_empty();
        self.stage = if reusable { Stage::Ready } else { Stage::Closed };
        Step::Outcome(current.outcome(reusable, self.transcript.take()))
    }
}
