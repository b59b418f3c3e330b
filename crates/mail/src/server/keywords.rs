//! What EHLO announces. A keyword stands here only when the machine and its driver keep its promise.
//!
//! Standards: RFC 5321 §4.1.1.1; RFC 3207 §4.2 and RFC 4954 §4 say what disappears under TLS.

use std::fmt::Write as _;

use super::{AuthOffer, Settings, TlsOffer};
use crate::reply::Reply;

/// The reply to EHLO in the present state of the connection.
pub(super) fn ehlo_reply(settings: &Settings, tls: bool) -> Reply {
    let mut text = format!("{}\nPIPELINING\n8BITMIME\nENHANCEDSTATUSCODES", settings.hostname);
    // Writing into a String cannot fail.
    let _ = write!(text, "\nSIZE {}", settings.limits.message_octets());
    if settings.tls == TlsOffer::StartTls && !tls {
        text.push_str("\nSTARTTLS");
    }
    if settings.auth == AuthOffer::RequiredOverTls && tls {
        text.push_str("\nAUTH PLAIN LOGIN");
    }
    Reply::plain(250, text)
}
