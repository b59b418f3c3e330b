//! The replies the machine gives by itself. Each says what is wrong and what to do, and holds nothing of the input.
//!
//! Standards: RFC 5321 §4.2.3 (codes), RFC 3463 and 5248 (enhanced codes), RFC 4954 §6, RFC 1870 §6.

use super::{ContentFault, Limits};
use crate::address::Domain;
use crate::reply::Reply;

pub(super) fn greeting(hostname: &Domain) -> Reply {
    Reply::plain(220, format!("{hostname} ESMTP"))
}

pub(super) fn ok() -> Reply {
    Reply::new(250, (2, 0, 0), "ok")
}

pub(super) fn goodbye() -> Reply {
    Reply::new(221, (2, 0, 0), "goodbye")
}

pub(super) fn help() -> Reply {
    Reply::new(214, (2, 0, 0), "EHLO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP QUIT; see RFC 5321")
}

pub(super) fn cannot_verify() -> Reply {
    // RFC 5321 §7.3: 252 tells nothing about who exists.
    Reply::new(252, (2, 0, 0), "cannot verify; send the message and see")
}

pub(super) fn not_implemented() -> Reply {
    Reply::new(502, (5, 5, 1), "this command is not offered here")
}

pub(super) fn unknown_command() -> Reply {
    Reply::new(500, (5, 5, 2), "unknown command")
}

pub(super) fn foreign_protocol() -> Reply {
    Reply::new(421, (4, 7, 0), "this is an SMTP server")
}

pub(super) fn bad_sequence() -> Reply {
    Reply::new(503, (5, 5, 1), "this command is not allowed at this point")
}

pub(super) fn no_arguments_allowed() -> Reply {
    Reply::new(501, (5, 5, 4), "this command takes no argument")
}

pub(super) fn bad_hello() -> Reply {
    Reply::new(501, (5, 5, 4), "give a host name or an address literal after EHLO or HELO")
}

pub(super) fn bad_bdat() -> Reply {
    Reply::new(501, (5, 5, 4), "BDAT takes a number of octets and perhaps LAST")
}

pub(super) fn chunk_received() -> Reply {
    Reply::new(250, (2, 0, 0), "chunk received")
}

pub(super) fn line_too_long() -> Reply {
    Reply::new(500, (5, 5, 2), "command line too long")
}

pub(super) fn authentication_line_too_long() -> Reply {
    Reply::new(500, (5, 5, 6), "authentication line too long")
}

pub(super) fn bare_newline_in_command() -> Reply {
    Reply::new(500, (5, 5, 2), "command lines must end with CR LF and hold no other CR")
}

pub(super) fn control_characters() -> Reply {
    Reply::new(500, (5, 5, 2), "command lines must hold UTF-8 text without control characters")
}

pub(super) fn too_many_errors() -> Reply {
    Reply::new(421, (4, 7, 0), "too many errors; closing the connection")
}

pub(super) fn too_many_transactions() -> Reply {
    Reply::new(421, (4, 3, 2), "too many messages in one session; connect again")
}

pub(super) fn tls_already() -> Reply {
    Reply::new(503, (5, 5, 1), "TLS is already active")
}

pub(super) fn start_tls() -> Reply {
    Reply::new(220, (2, 0, 0), "ready to start TLS")
}

pub(super) fn encryption_required() -> Reply {
    Reply::new(538, (5, 7, 11), "encryption is required before authentication; use TLS")
}

pub(super) fn authentication_required(tls_first: bool) -> Reply {
    let text = if tls_first { "start TLS, then authenticate" } else { "authenticate first" };
    Reply::new(530, (5, 7, 0), text)
}

pub(super) fn unknown_mechanism() -> Reply {
    Reply::new(504, (5, 5, 4), "unknown authentication mechanism; use PLAIN or LOGIN")
}

pub(super) fn authentication_cancelled() -> Reply {
    Reply::new(501, (5, 7, 0), "authentication cancelled")
}

pub(super) fn bad_authentication() -> Reply {
    Reply::new(501, (5, 5, 2), "the authentication response is not valid base64 or has not the form of its mechanism")
}

pub(super) fn too_many_recipients() -> Reply {
    Reply::new(452, (4, 5, 3), "too many recipients; send the rest in another transaction")
}

pub(super) fn no_recipients() -> Reply {
    Reply::new(554, (5, 5, 1), "no valid recipients")
}

pub(super) fn too_large(limits: &Limits) -> Reply {
    Reply::new(552, (5, 3, 4), format!("the message is larger than {} octets", limits.message_octets()))
}

pub(super) fn content_refused(fault: ContentFault, limits: &Limits) -> Reply {
    match fault {
        ContentFault::TooLarge => too_large(limits),
        ContentFault::LineTooLong => Reply::new(
            554,
            (5, 6, 0),
            format!("the message has a line longer than {} octets", limits.text_line_octets_max),
        ),
        ContentFault::BareNewline => Reply::new(
            550,
            (5, 5, 2),
            "the message has a CR or LF that is not part of a CR LF; end every line with CR LF",
        ),
        ContentFault::Nul => Reply::new(550, (5, 6, 0), "the message has a NUL octet"),
    }
}
