//! One transaction from MAIL to the reply to DATA: a row of commands, a window over it, and the answers.
//!
//! With CHUNKING the row ends with the recipients, and content may follow their replies (RFC 3030 §4.2).
//!
//! With PIPELINING the window is wide and DATA goes out behind the recipients; without it the window is one command
//! and the very same code goes step by step.
//!
//! Invariants: commands are answered in the order in which they were written; DATA is not written once it is known
//! that nobody would receive it.
//! Standards: RFC 5321 §3.3, §4.1.1; RFC 2920 §3.1; RFC 1870 §6; RFC 6152 §3; RFC 6531 §3.4.

use std::fmt::{self, Write as _};

use bytes::BytesMut;

use super::outcome::{Outcome, RecipientResult};
use super::transcript::{Recorder, Transcript};
use super::{BodyKind, Capabilities, Stage};
use crate::address::{Address, Repertoire};
use crate::dsn::{EnvelopeId, Notify, OriginalRecipient, Return};
use crate::reply::ReceivedReply;
use crate::require_tls::{self, RequireTls};

/// Commands without a reply at any time: few enough that their replies fit the peer's and our own socket buffers,
/// which RFC 2920 §3.1 asks for to exclude a deadlock.
pub(super) const WINDOW: usize = 100;
/// RFC 5321 §4.5.3.1.8: what a peer takes at least; more is the driver's to split.
pub const RECIPIENTS_MAX: usize = 1000;

/// What is to be sent, in wire forms without angle brackets.
#[derive(Clone)]
pub struct Transaction {
    /// Empty for the null path.
    pub reverse_path: String,
    /// At least one.
    pub recipients: Vec<String>,
    /// Octets of the message before stuffing, for SIZE.
    pub size: Option<u64>,
    /// Whether the body has octets above 127.
    pub body: BodyKind,
    /// Whether a path or a field is outside ASCII: such a message goes to a peer that offers SMTPUTF8, or not at all.
    pub repertoire: Repertoire,
    /// What goes with it to a peer that offers RFC 3461; to others it does not.
    pub notices: Notices,
    /// RFC 8689: whether it may go to a peer alone that announces REQUIRETLS.
    pub require_tls: RequireTls,
}

/// RFC 3461 §5.2: what the first sender asked to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notices {
    /// RET.
    pub returned: Option<Return>,
    /// ENVID.
    pub envelope_id: Option<EnvelopeId>,
    /// NOTIFY and ORCPT for each recipient, in order; what is missing is not asked.
    pub each: Vec<(Option<Notify>, Option<OriginalRecipient>)>,
}

impl fmt::Debug for Transaction {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Transaction({} recipients)", self.recipients.len())
    }
}

/// Why a transaction cannot begin on this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BeginError {
    /// Something else is under way, or the connection is closed.
    #[error("the connection is not ready for a transaction")]
    NotReady,
    /// None, or more than 1,000.
    #[error("a transaction needs between 1 and 1000 recipients")]
    Recipients,
    /// RFC 9422 §4.2: the peer said in its EHLO reply that it takes fewer.
    #[error("the peer takes at most {limit} recipients in a transaction")]
    TooManyRecipients {
        /// How many.
        limit: u32,
    },
    /// A path that is no mailbox in the sense of [`Address::parse`], and might break its command.
    #[error("a path of the envelope is not in wire form")]
    Path,
    /// RFC 6531 §3.2: an address or a header field is outside ASCII; return it with 5.6.7.
    #[error("an address or a header field needs SMTPUTF8, which the peer does not offer")]
    NeedsUtf8,
    /// The peer said in its EHLO reply that it takes less.
    #[error("the peer takes at most {limit} octets")]
    TooLarge {
        /// RFC 1870: octets.
        limit: u64,
    },
    /// RFC 6152 §3: the body must be re-encoded, or returned with 5.6.3.
    #[error("the body needs 8BITMIME, which the peer does not offer")]
    EightBitBody,
    /// RFC 8689 §4.2.1: the message must not go to a peer that promises nothing.
    #[error("the message needs REQUIRETLS, which the peer does not offer")]
    NeedsRequireTls,
}

impl Transaction {
    pub(super) fn check(&self, peer: &Capabilities) -> Result<(), BeginError> {
        if self.recipients.is_empty() || self.recipients.len() > RECIPIENTS_MAX {
            return Err(BeginError::Recipients);
        }
        if let Some(limit) = peer.recipients_max
            && self.recipients.len() > usize::try_from(limit).unwrap_or(usize::MAX)
        {
            return Err(BeginError::TooManyRecipients { limit });
        }
        // RFC 6531 §3.1 (8): who offers SMTPUTF8 offers 8BITMIME, and who does not cannot be relied upon.
        if self.repertoire == Repertoire::Utf8 && !(peer.smtp_utf8 && peer.eight_bit_mime) {
            return Err(BeginError::NeedsUtf8);
        }
        if !self.reverse_path.is_empty() {
            check_path(&self.reverse_path, self.repertoire)?;
        }
        self.recipients.iter().try_for_each(|path| check_path(path, self.repertoire))?;
        if let (Some(size), Some(limit)) = (self.size, peer.size_octets_max)
            && size > limit
        {
            return Err(BeginError::TooLarge { limit });
        }
        if self.require_tls.is_asked() && !peer.require_tls {
            return Err(BeginError::NeedsRequireTls);
        }
        if self.body == BodyKind::EightBitMime && !peer.eight_bit_mime {
            return Err(BeginError::EightBitBody);
        }
        Ok(())
    }
}

/// Nothing in a path may end its command or its brackets, whoever made it.
fn check_path(path: &str, repertoire: Repertoire) -> Result<(), BeginError> {
    if repertoire == Repertoire::Ascii && !path.is_ascii() {
        return Err(BeginError::NeedsUtf8);
    }
    Address::parse(path).map(drop).map_err(|_| BeginError::Path)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Rset,
    Mail,
    Rcpt(usize),
    Data,
}

/// What to do after a reply.
pub(super) enum Next {
    /// More replies are awaited.
    Wait,
    /// 354, or the end of the envelope before chunks, and somebody is to receive it.
    Body,
    /// Nothing is to be sent; whether the peer still has the transaction open.
    Done { reset_needed: bool },
    /// A code that means nothing here.
    Nonsense(u16),
}

/// A transaction under way.
pub(super) struct Progress {
    transaction: Transaction,
    mail_parameters: String,
    /// RFC 3461: the peer takes its parameters.
    notifications: bool,
    /// 1 when RSET goes first, otherwise 0.
    before_mail: usize,
    window: usize,
    /// Commands written and replies taken, counted along the row.
    written: usize,
    answered: usize,
    data_written: bool,
    /// RFC 3030: content follows the recipients without DATA.
    chunking: bool,
    mail_refusal: Option<ReceivedReply>,
    /// Answers to RCPT, in order.
    recipients: Vec<RecipientResult>,
    accepted: usize,
    /// A lone dot was written for nobody; its reply is awaited and means nothing.
    emptied: bool,
    conclusion: Option<(Stage, ReceivedReply)>,
}

impl Progress {
    pub(super) fn new(transaction: Transaction, reset: bool, peer: &Capabilities) -> Self {
        let mut mail_parameters = String::new();
        if let Some(size) = transaction.size.filter(|_| peer.size) {
            // Writing into a String cannot fail.
            let _ = write!(mail_parameters, " SIZE={size}");
        }
        if transaction.body == BodyKind::EightBitMime {
            mail_parameters.push_str(" BODY=8BITMIME");
        }
        if transaction.repertoire == Repertoire::Utf8 {
            mail_parameters.push_str(" SMTPUTF8");
        }
        if transaction.require_tls.is_asked() {
            mail_parameters.push(' ');
            mail_parameters.push_str(require_tls::KEYWORD);
        }
        if let Some(returned) = transaction.notices.returned.filter(|_| peer.notifications) {
            let _ = write!(mail_parameters, " RET={}", returned.as_str());
        }
        if let Some(id) = transaction.notices.envelope_id.as_ref().filter(|_| peer.notifications) {
            let _ = write!(mail_parameters, " ENVID={}", id.as_wire());
        }
        Self {
            recipients: Vec::with_capacity(transaction.recipients.len()),
            transaction,
            mail_parameters,
            notifications: peer.notifications,
            before_mail: usize::from(reset),
            window: if peer.pipelining { WINDOW } else { 1 },
            written: 0,
            answered: 0,
            data_written: false,
            chunking: peer.chunking,
            mail_refusal: None,
            accepted: 0,
            emptied: false,
            conclusion: None,
        }
    }

    /// The command at a place of the row: perhaps RSET, MAIL, each RCPT, DATA.
    fn command(&self, place: usize) -> Command {
        let Some(place) = place.checked_sub(self.before_mail) else {
            return Command::Rset;
        };
        match place.checked_sub(1) {
            None => Command::Mail,
            Some(index) if index < self.transaction.recipients.len() => Command::Rcpt(index),
            Some(_) => Command::Data,
        }
    }

    /// Which reply comes next.
    pub(super) fn stage(&self) -> Stage {
        match self.command(self.answered) {
            Command::Rset => Stage::Reset,
            Command::Mail => Stage::Mail,
            Command::Rcpt(_) => Stage::Recipient,
            Command::Data => Stage::Data,
        }
    }

    /// Fills the window.
    pub(super) fn write_commands(&mut self, out: &mut BytesMut, transcript: &mut Recorder) {
        while !self.data_written && self.mail_refusal.is_none() && self.written - self.answered < self.window {
            let command = self.command(self.written);
            if command == Command::Data && (self.chunking || self.all_recipients_refused()) {
                return;
            }
            let start = out.len();
            self.write_command(command, out);
            let line = out.get(start..).unwrap_or_default();
            transcript.sent(str::from_utf8(line).unwrap_or_default().trim_end());
            self.written += 1;
            self.data_written = command == Command::Data;
        }
    }

    fn write_command(&self, command: Command, out: &mut BytesMut) {
        // Writing into a buffer that grows cannot fail.
        let _ = match command {
            Command::Rset => out.write_str("RSET\r\n"),
            Command::Mail => {
                write!(out, "MAIL FROM:<{}>{}\r\n", self.transaction.reverse_path, self.mail_parameters)
            }
            Command::Rcpt(index) => {
                let path = self.transaction.recipients.get(index).map_or("", String::as_str);
                write!(out, "RCPT TO:<{path}>{}\r\n", self.recipient_parameters(index))
            }
            Command::Data => out.write_str("DATA\r\n"),
        };
    }

    fn recipient_parameters(&self, index: usize) -> String {
        let mut parameters = String::new();
        let Some((notify, original)) = self.transaction.notices.each.get(index).filter(|_| self.notifications) else {
            return parameters;
        };
        // Writing into a String cannot fail.
        if let Some(notify) = notify {
            let _ = write!(parameters, " NOTIFY={notify}");
        }
        if let Some(original) = original {
            let _ = write!(parameters, " ORCPT={}", original.as_wire());
        }
        parameters
    }

    fn all_recipients_refused(&self) -> bool {
        self.recipients.len() == self.transaction.recipients.len() && self.accepted == 0
    }

    /// Takes the reply to the oldest command without one.
    pub(super) fn answered(&mut self, reply: ReceivedReply, out: &mut BytesMut, transcript: &mut Recorder) -> Next {
        if self.emptied {
            // The peer's verdict on a message for nobody, whatever it is.
            return Next::Done { reset_needed: false };
        }
        let command = self.command(self.answered);
        if reply.is_intermediate() && command != Command::Data {
            return Next::Nonsense(reply.code);
        }
        self.answered += 1;
        match command {
            // RFC 5321 §4.1.1.5: RSET is always 250; whatever it is, MAIL decides.
            Command::Rset => {}
            Command::Mail if reply.is_positive() => {}
            Command::Mail => self.mail_refusal = Some(reply),
            Command::Rcpt(_) => self.recipient_answered(reply),
            Command::Data => return self.data_answered(reply, out, transcript),
        }
        self.write_commands(out, transcript);
        if self.answered < self.written {
            return Next::Wait;
        }
        if self.chunking && self.accepted > 0 {
            return Next::Body;
        }
        // Everything written is answered, and nothing more was worth writing.
        self.fill();
        Next::Done { reset_needed: self.mail_refusal.is_none() }
    }

    fn recipient_answered(&mut self, reply: ReceivedReply) {
        // What a peer says to RCPT after it refused MAIL is about the order of commands, not about the recipient.
        let result = match &self.mail_refusal {
            Some(refusal) => RecipientResult::Refused(refusal.clone()),
            None if reply.is_positive() => {
                self.accepted += 1;
                RecipientResult::Accepted
            }
            None => RecipientResult::Refused(reply),
        };
        self.recipients.push(result);
    }

    fn data_answered(&mut self, reply: ReceivedReply, out: &mut BytesMut, transcript: &mut Recorder) -> Next {
        if reply.is_positive() {
            return Next::Nonsense(reply.code);
        }
        if !reply.is_intermediate() {
            if self.accepted > 0 {
                self.conclusion = Some((Stage::Data, reply));
            }
            return Next::Done { reset_needed: self.mail_refusal.is_none() };
        }
        if self.accepted > 0 {
            return Next::Body;
        }
        // RFC 2920 §3.1: 354 although everybody was refused: an empty message, for nobody.
        self.emptied = true;
        out.extend_from_slice(b".\r\n");
        transcript.sent(".");
        Next::Wait
    }

    /// Recipients that were never asked share the fate of MAIL.
    fn fill(&mut self) {
        if let Some(refusal) = &self.mail_refusal {
            let result = RecipientResult::Refused(refusal.clone());
            self.recipients.resize(self.transaction.recipients.len(), result);
        }
    }

    /// The reply that decides for all accepted recipients.
    pub(super) fn concluded(mut self, stage: Stage, reply: ReceivedReply) -> Self {
        self.conclusion = Some((stage, reply));
        self
    }

    /// 421: it decides for the accepted and for those not asked.
    pub(super) fn shut_out(mut self, stage: Stage, reply: ReceivedReply) -> Self {
        self.fill();
        let refused = RecipientResult::Refused(reply.clone());
        self.recipients.resize(self.transaction.recipients.len(), refused);
        if self.accepted > 0 {
            self.conclusion = Some((stage, reply));
        }
        self
    }

    pub(super) fn outcome(self, reusable: bool, transcript: Transcript) -> Outcome {
        let (decided_at, data) = match self.conclusion {
            Some((stage, reply)) => (stage, Some(reply)),
            None if self.mail_refusal.is_some() => (Stage::Mail, None),
            None => (Stage::Recipient, None),
        };
        Outcome { recipients: self.recipients, decided_at, data, reusable, transcript }
    }

    /// Results so far, `None` for recipients without an answer.
    pub(super) fn partial(self) -> Vec<Option<RecipientResult>> {
        let mut results: Vec<_> = self.recipients.into_iter().map(Some).collect();
        results.resize(self.transaction.recipients.len(), None);
        results
    }

    /// Whether a message that somebody would receive may be on its way once the final dot is out.
    pub(super) fn is_for_somebody(&self) -> bool {
        self.accepted > 0
    }
}
