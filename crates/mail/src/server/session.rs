//! The rules of the dialogue: which command is allowed when, and what it does.
//!
//! Invariants: every function here either writes exactly one reply for its command or asks the driver, who will.
//! Standards: RFC 5321 §4.1.4 (order of commands), RFC 3207 §4, RFC 4954 §4, RFC 6409 §4.3.

use bytes::{Buf as _, BytesMut};
use zeroize::Zeroize as _;

use super::authentication::{Dialogue, Progress};
use super::command::{self, Command};
use super::content::{Content, Reader};
use super::envelope;
use super::{AuthOffer, BareNewlines, Hello, Pending, Phase, Server, Step, TlsOffer, Transaction, keywords, replies};
use crate::address::Repertoire;
use crate::dsn;
use crate::reply::Reply;
use crate::require_tls;

/// RFC 1870 §3 (26 octets), RFC 6152 §2 (17), RFC 4954 §4 (500), RFC 3461, RFC 6531 §3.1 (10), RFC 8689 §2: what
/// parameters add to a MAIL command.
const MAIL_EXTENSION_OCTETS: usize = 26 + 17 + 500 + 10 + dsn::MAIL_OCTETS + require_tls::MAIL_OCTETS;
/// Octets reserved for content on the word of a SIZE parameter.
const RESERVED_OCTETS_MAX: u64 = 256 * 1024;

impl Server {
    /// One unit of work; `None` means that there may be more.
    pub(super) fn advance(&mut self, input: &mut BytesMut, out: &mut BytesMut) -> Option<Step> {
        match &mut self.phase {
            Phase::Commands | Phase::Authentication(_) => self.read_line(input, out),
            Phase::Content(reader) => {
                let content = reader.read(input);
                self.content(content, out)
            }
            Phase::Chunk { .. } => self.chunk(input, out),
            Phase::DiscardLine => {
                let Some(end) = memchr::memchr(b'\n', input) else {
                    input.clear();
                    return Some(Step::NeedInput);
                };
                input.advance(end + 1);
                self.phase = Phase::Commands;
                None
            }
            Phase::DiscardOctets(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                input.advance(taken);
                *left -= u64::try_from(taken).unwrap_or(*left);
                if *left > 0 {
                    return Some(Step::NeedInput);
                }
                self.phase = Phase::Commands;
                None
            }
            Phase::Handshake => {
                // RFC 3207 §4.2, CVE-2011-0411: nothing that came in the clear survives the handshake.
                input.clear();
                Some(Step::StartTls)
            }
            Phase::Closed => {
                input.clear();
                Some(Step::Closed)
            }
        }
    }

    /// Writes a reply in the style the client has asked for by its greeting.
    pub(super) fn write(&self, reply: &Reply, out: &mut BytesMut) {
        // RFC 2034 §3: the codes come once the extension has been announced, which EHLO did.
        let enhanced = self.hello.as_ref().is_some_and(|hello| hello.extended);
        reply.write(enhanced, out);
    }

    /// Writes a refusal that counts as an error of the client, and ends a session that has too many.
    pub(super) fn fail(&mut self, reply: &Reply, out: &mut BytesMut) {
        self.write(reply, out);
        self.errors = self.errors.saturating_add(1);
        if self.errors >= self.settings.limits.errors_max {
            self.close(replies::too_many_errors(), out);
        }
    }

    /// DATA has been allowed: from here on the input is content.
    pub(super) fn begin_content(&mut self) {
        let reserve = self.transaction.as_ref().map_or(0, Transaction::reserve);
        self.last_fault = None;
        self.phase = Phase::Content(Reader::new(&self.settings.limits, self.settings.bare_newlines, reserve));
    }

    fn content(&mut self, content: Content, out: &mut BytesMut) -> Option<Step> {
        match content {
            Content::More => Some(Step::NeedInput),
            Content::Whole(content) => {
                self.phase = Phase::Commands;
                self.pending = Some(Pending::Message);
                Some(Step::Message { content })
            }
            Content::Refused(fault) => {
                self.phase = Phase::Commands;
                self.transaction = None;
                self.last_fault = Some(fault);
                self.write(&replies::content_refused(fault, &self.settings.limits), out);
                Some(Step::Reset)
            }
            Content::Endless(fault) => {
                self.last_fault = Some(fault);
                self.close(replies::content_refused(fault, &self.settings.limits), out);
                None
            }
        }
    }

    fn read_line(&mut self, input: &mut BytesMut, out: &mut BytesMut) -> Option<Step> {
        let limit = self.line_limit(input);
        let Some(end) = memchr::memchr(b'\n', input.get(..limit).unwrap_or(input)) else {
            if input.len() < limit {
                return Some(Step::NeedInput);
            }
            if self.is_unread_bdat(input) {
                self.close(replies::bad_bdat(), out);
                return None;
            }
            let reply = match std::mem::replace(&mut self.phase, Phase::DiscardLine) {
                Phase::Authentication(_) => replies::authentication_line_too_long(),
                _ => replies::line_too_long(),
            };
            self.fail(&reply, out);
            return None;
        };
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        let read = command::clean_line(input.get(..=end).unwrap_or_default(), self.settings.bare_newlines);
        let read = read.map(|text| line.push_str(text));
        let unread_bdat = read.is_err() && self.is_unread_bdat(input);
        input.advance(end + 1);
        let secret = matches!(self.phase, Phase::Authentication(_)) || command::begins_with(line.as_bytes(), b"AUTH ");
        let step = match read {
            Ok(()) => self.dispatch(&line, out),
            Err(_) if unread_bdat => {
                self.close(replies::bad_bdat(), out);
                None
            }
            Err(reply) => {
                self.phase = Phase::Commands;
                self.fail(&reply, out);
                None
            }
        };
        if secret {
            line.zeroize();
        }
        self.line = line;
        step
    }

    /// Whether a line that cannot be read may have said how many octets of content follow it: then nobody knows where
    /// the next command begins.
    fn is_unread_bdat(&self, input: &[u8]) -> bool {
        matches!(self.phase, Phase::Commands) && command::begins_with(input, b"BDAT")
    }

    /// How long the line at the head of `input` may be, CRLF included.
    fn line_limit(&self, input: &[u8]) -> usize {
        let limits = &self.settings.limits;
        if matches!(self.phase, Phase::Authentication(_)) || command::begins_with(input, b"AUTH ") {
            return limits.auth_octets_max.max(limits.command_octets_max);
        }
        if command::begins_with(input, b"MAIL ") {
            return limits.command_octets_max.saturating_add(MAIL_EXTENSION_OCTETS);
        }
        if self.settings.notifications && command::begins_with(input, b"RCPT ") {
            return limits.command_octets_max.saturating_add(dsn::RECIPIENT_OCTETS);
        }
        limits.command_octets_max
    }

    fn dispatch(&mut self, line: &str, out: &mut BytesMut) -> Option<Step> {
        if matches!(self.phase, Phase::Authentication(_)) {
            return self.continue_authentication(line, out);
        }
        let command = match command::parse(line) {
            Ok(command) => command,
            Err(reply) => {
                self.fail(&reply, out);
                return None;
            }
        };
        match command {
            Command::Ehlo(name) => self.hello_command(name, true, out),
            Command::Helo(name) => self.hello_command(name, false, out),
            Command::StartTls => self.start_tls(out),
            Command::Auth(argument) => self.auth(argument, out),
            Command::Mail(argument) => self.mail(argument, out),
            Command::Rcpt(argument) => self.rcpt(argument, out),
            Command::Data => self.data(out),
            Command::Rset => {
                self.write(&replies::ok(), out);
                self.transaction.take().map(|_| Step::Reset)
            }
            Command::Noop => self.answer(&replies::ok(), out),
            Command::Vrfy => self.answer(&replies::cannot_verify(), out),
            Command::Expn => self.answer(&replies::not_implemented(), out),
            Command::Help => self.answer(&replies::help(), out),
            Command::Bdat(bdat) => self.bdat(bdat, out),
            Command::Foreign => {
                self.close(replies::foreign_protocol(), out);
                None
            }
            Command::Quit => {
                self.close(replies::goodbye(), out);
                None
            }
        }
    }

    fn answer(&self, reply: &Reply, out: &mut BytesMut) -> Option<Step> {
        self.write(reply, out);
        None
    }

    fn refuse_command(&mut self, reply: &Reply, out: &mut BytesMut) -> Option<Step> {
        self.fail(reply, out);
        None
    }

    fn hello_command(&mut self, name: &str, extended: bool, out: &mut BytesMut) -> Option<Step> {
        if !command::is_hello_name(name) {
            return self.refuse_command(&replies::bad_hello(), out);
        }
        self.hello = Some(Hello { name: name.into(), extended });
        let reply = if extended {
            keywords::ehlo_reply(&self.settings, self.tls, self.exporter.is_some())
        } else {
            Reply::plain(250, self.settings.hostname.as_str().to_owned())
        };
        // RFC 2034 §4: no enhanced code in the reply to EHLO itself, nor to HELO.
        reply.write(false, out);
        // RFC 5321 §4.1.4: EHLO does what RSET does.
        self.transaction.take().map(|_| Step::Reset)
    }

    fn start_tls(&mut self, out: &mut BytesMut) -> Option<Step> {
        if self.tls {
            return self.refuse_command(&replies::tls_already(), out);
        }
        if self.settings.tls != TlsOffer::StartTls {
            return self.refuse_command(&replies::not_implemented(), out);
        }
        self.write(&replies::start_tls(), out);
        self.transaction = None;
        self.phase = Phase::Handshake;
        None
    }

    fn auth(&mut self, argument: &str, out: &mut BytesMut) -> Option<Step> {
        if self.settings.auth != AuthOffer::RequiredOverTls {
            return self.refuse_command(&replies::not_implemented(), out);
        }
        // RFC 4954 §4: after EHLO, once, and not within a transaction.
        if self.hello.is_none() || self.authenticated || self.transaction.is_some() {
            return self.refuse_command(&replies::bad_sequence(), out);
        }
        // RFC 4954 §4 (538) and RFC 8314 §3.3: no password in the clear, and none is read when one comes anyway.
        if !self.tls {
            return self.refuse_command(&replies::encryption_required(), out);
        }
        let progress = Dialogue::begin(argument, self.offered());
        self.authentication(progress, out)
    }

    fn continue_authentication(&mut self, line: &str, out: &mut BytesMut) -> Option<Step> {
        let Phase::Authentication(dialogue) = std::mem::replace(&mut self.phase, Phase::Commands) else {
            return None;
        };
        let progress = dialogue.next(line, self.offered());
        self.authentication(progress, out)
    }

    fn authentication(&mut self, progress: Progress, out: &mut BytesMut) -> Option<Step> {
        match progress {
            Progress::Challenge(dialogue, challenge) => {
                self.write(&Reply::plain(334, challenge), out);
                self.phase = Phase::Authentication(dialogue);
                None
            }
            Progress::Failed(reply) => {
                self.scram = None;
                self.refuse_command(&reply, out)
            }
            Progress::Scram(first) => self.ask_for_keys(first),
            Progress::Proven(proven) => self.ask_about_proof(proven),
            Progress::NotProven(username) => {
                self.pending = Some(Pending::NotProven);
                Some(Step::NotProven { username })
            }
            Progress::End => {
                self.end_scram(out);
                None
            }
            Progress::Complete { mechanism, authzid, username, password } => {
                self.pending = Some(Pending::Authenticate);
                Some(Step::Authenticate { mechanism, authzid, username, password })
            }
        }
    }

    fn mail(&mut self, argument: &str, out: &mut BytesMut) -> Option<Step> {
        if self.hello.is_none() || self.transaction.is_some() {
            return self.refuse_command(&replies::bad_sequence(), out);
        }
        if self.settings.auth == AuthOffer::RequiredOverTls && !self.authenticated {
            let tls_first = !self.tls && self.settings.tls == TlsOffer::StartTls;
            return self.refuse_command(&replies::authentication_required(tls_first), out);
        }
        if self.transactions >= self.settings.limits.transactions_max {
            self.close(replies::too_many_transactions(), out);
            return None;
        }
        let extended = self.hello.as_ref().is_some_and(|hello| hello.extended);
        let notifications = self.settings.notifications;
        let require_tls = match (self.settings.require_tls, self.tls) {
            (false, _) => envelope::TlsNeed::NotKept,
            (true, false) => envelope::TlsNeed::NotInClear,
            (true, true) => envelope::TlsNeed::Kept,
        };
        let offered = envelope::Offered { extended, notifications, require_tls, repertoire: Repertoire::Ascii };
        let mail = match envelope::parse_mail(argument, offered) {
            Ok(mail) => mail,
            Err(reply) => return self.refuse_command(&reply, out),
        };
        let limit = u64::try_from(self.settings.limits.message_octets()).unwrap_or(u64::MAX);
        if mail.size.is_some_and(|octets| octets > limit) {
            // RFC 1870 §6.1: said before the content is sent; no error of the client, who could not know.
            return self.answer(&replies::too_large(&self.settings.limits), out);
        }
        let envelope::Mail { reverse_path, size, body, repertoire, returned, envelope_id, require_tls } = mail;
        self.transaction = Some(Transaction { recipients: 0, declared_octets: size, repertoire, chunks: None });
        self.pending = Some(Pending::Mail);
        Some(Step::Mail { reverse_path, size, body, repertoire, returned, envelope_id, require_tls })
    }

    fn rcpt(&mut self, argument: &str, out: &mut BytesMut) -> Option<Step> {
        let Some(transaction) = &self.transaction else {
            return self.refuse_command(&replies::bad_sequence(), out);
        };
        if transaction.chunks.is_some() {
            // RFC 3030 §2: the envelope is closed by the first chunk.
            return self.refuse_command(&replies::bad_sequence(), out);
        }
        if transaction.recipients >= self.settings.limits.recipients() {
            // RFC 5321 §4.5.3.1.10: 452, so that the client sends the rest in another transaction.
            return self.answer(&replies::too_many_recipients(), out);
        }
        let repertoire = transaction.repertoire;
        let extended = self.hello.as_ref().is_some_and(|hello| hello.extended);
        let (notifications, require_tls) = (self.settings.notifications, envelope::TlsNeed::NotKept);
        let offered = envelope::Offered { extended, notifications, require_tls, repertoire };
        match envelope::parse_rcpt(argument, &self.settings.hostname, offered) {
            Err(reply) => self.refuse_command(&reply, out),
            Ok(envelope::Rcpt { address, notify, original }) => {
                self.pending = Some(Pending::Recipient);
                Some(Step::Recipient { address, notify, original })
            }
        }
    }

    fn data(&mut self, out: &mut BytesMut) -> Option<Step> {
        match &self.transaction {
            None => self.refuse_command(&replies::bad_sequence(), out),
            // RFC 3030 §2: DATA and BDAT do not mix.
            Some(transaction) if transaction.chunks.is_some() => self.refuse_command(&replies::bad_sequence(), out),
            // RFC 5321 §3.3 and RFC 2920 §3.1: after pipelined refusals the client finds out here.
            Some(transaction) if transaction.recipients == 0 => self.answer(&replies::no_recipients(), out),
            Some(_) => {
                self.pending = Some(Pending::BeginData);
                Some(Step::BeginData)
            }
        }
    }
}

impl Transaction {
    /// Octets worth reserving on the word of a SIZE parameter.
    pub(super) fn reserve(&self) -> usize {
        usize::try_from(self.declared_octets.unwrap_or(0).min(RESERVED_OCTETS_MAX)).unwrap_or(0)
    }
}

impl BareNewlines {
    pub(super) fn are_tolerated(self) -> bool {
        self == Self::Normalise
    }
}
