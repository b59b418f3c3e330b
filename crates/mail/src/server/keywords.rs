//! What EHLO announces. A keyword stands here only when the machine and its driver keep its promise.
//!
//! Standards: RFC 5321 §4.1.1.1; RFC 3207 §4.2 and RFC 4954 §4 say what disappears under TLS; RFC 6531 §3.1 (SMTPUTF8);
//! RFC 9422 (LIMITS); RFC 8689 §2 (REQUIRETLS).

use std::fmt::Write as _;

use super::{AuthOffer, Settings, TlsOffer};
use crate::reply::Reply;
use crate::require_tls;

/// The reply to EHLO in the present state of the connection.
/// `binding`: the connection can be bound to (RFC 9266).
pub(super) fn ehlo_reply(settings: &Settings, tls: bool, binding: bool) -> Reply {
    let mut text = format!("{}\nPIPELINING\n8BITMIME\nSMTPUTF8\nCHUNKING\nENHANCEDSTATUSCODES", settings.hostname);
    // Writing into a String cannot fail.
    let limits = &settings.limits;
    let _ = write!(text, "\nSIZE {}", limits.message_octets());
    // RFC 9422 §2.3: a bound that is not told is found out by refusals.
    let _ = write!(text, "\nLIMITS MAILMAX={} RCPTMAX={}", limits.transactions_max, limits.recipients());
    if settings.notifications {
        text.push_str("\nDSN");
    }
    // RFC 8689 §2: announced within TLS alone.
    if settings.require_tls && tls {
        text.push('\n');
        text.push_str(require_tls::KEYWORD);
    }
    if settings.tls == TlsOffer::StartTls && !tls {
        text.push_str("\nSTARTTLS");
    }
    if settings.auth == AuthOffer::RequiredOverTls && tls {
        text.push_str("\nAUTH PLAIN LOGIN");
        if settings.scram {
            text.push_str(" SCRAM-SHA-256");
        }
        if settings.scram && binding {
            text.push_str(" SCRAM-SHA-256-PLUS");
        }
    }
    Reply::plain(250, text)
}
