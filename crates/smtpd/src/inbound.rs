//! The door of inbound mail (port 25): return paths, complaints, opt-outs by mail, postmaster and abuse. Nothing else.
//!
//! Invariants: a recipient is one of those or is refused with 550 5.1.1, in the same words whatever was wrong; a report
//! is answered 250 only after it is applied; nothing is ever sent on, so that this is no relay.
//! Never: an address or a word of a message in a log line.
//! Standards: RFC 5321 §3.6.1, §4.5.1, RFC 3464, RFC 2142.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use mail::address::ReversePath;
use mail::reply::Reply;
use mail::report::Envelope;
use mta::feedback::{Feedback, Place, Taken};

use crate::door::{Attempt, Door, Recipient, Sender, Tls, Trace, Verdict};
use crate::replies;

/// Recipients of one transaction: a report has one.
const RECIPIENTS_MAX: usize = 10;

/// A letter that came in.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The argument of MAIL, without brackets. Personal data.
    pub reverse_path: String,
    /// For whom. Personal data.
    pub recipient: String,
    /// Whether a person reads it: it is for postmaster or abuse.
    pub to_operator: bool,
    /// The message.
    pub content: Bytes,
    /// Whether it came encrypted.
    pub tls: Tls,
}

/// Where letters to the operator are kept.
pub trait Letters: Send + Sync + 'static {
    /// Keeps a letter, durably. All letters are offered, not only the operator's own.
    ///
    /// # Errors
    /// When it cannot be kept now: the sender keeps it, and tries again.
    fn keep(&self, letter: &Letter) -> std::io::Result<()>;
}

/// The door of the inbound listener.
pub struct InboundDoor {
    feedback: Feedback,
    letters: Arc<dyn Letters>,
}

/// One connection's open transaction.
#[derive(Debug, Default)]
pub struct Session {
    reverse_path: String,
    places: Vec<(Place, String)>,
}

impl InboundDoor {
    /// A door before `feedback`; what is for the operator goes to `letters`.
    #[must_use]
    pub fn new(feedback: Feedback, letters: Arc<dyn Letters>) -> Self {
        Self { feedback, letters }
    }

    async fn take(&self, session: Session, content: &Bytes, tls: Tls) -> Verdict {
        let envelope = if session.reverse_path.is_empty() { Envelope::Null } else { Envelope::Named };
        let mut again = false;
        for (place, recipient) in session.places {
            match self.feedback.take(&place, envelope, content).await {
                Ok(Taken::Done) => {}
                Ok(Taken::Later) => again = true,
                Err(error) => {
                    tracing::warn!(%error, "what came back could not be applied");
                    again = true;
                }
            }
            let letter = Letter {
                reverse_path: session.reverse_path.clone(),
                recipient,
                to_operator: place == Place::Operator,
                content: content.clone(),
                tls,
            };
            if let Err(error) = self.letters.keep(&letter) {
                tracing::warn!(%error, "a letter to the operator cannot be kept now");
                return Verdict::Refuse(replies::out_of_storage());
            }
        }
        // Whatever was applied counts once, however often it comes.
        if again { Verdict::Refuse(replies::temporary()) } else { Verdict::Accept(replies::taken()) }
    }
}

impl Door for InboundDoor {
    type Session = Session;

    fn open(&self, _peer: SocketAddr) -> Result<Session, Reply> {
        Ok(Session::default())
    }

    async fn authenticate(&self, _session: &mut Session, _attempt: Attempt) -> Verdict {
        Verdict::Refuse(replies::wrong_credential())
    }

    async fn mail(&self, session: &mut Session, sender: Sender) -> Verdict {
        *session = Session::default();
        session.reverse_path = match &sender.reverse_path {
            ReversePath::Null => String::new(),
            ReversePath::Address(address) => address.to_wire(),
        };
        Verdict::Accept(Reply::sender_accepted())
    }

    async fn recipient(&self, session: &mut Session, recipient: Recipient) -> Verdict {
        let address = recipient.address;
        if session.places.len() >= RECIPIENTS_MAX {
            return Verdict::Refuse(replies::too_many_recipients());
        }
        match self.feedback.recognise(&address).await {
            Ok(Some(place)) => {
                if !session.places.iter().any(|(other, _)| *other == place) {
                    session.places.push((place, address.to_wire()));
                }
                Verdict::Accept(Reply::recipient_accepted())
            }
            Ok(None) => {
                metrics::counter!("smtpd_inbound_refused_total").increment(1);
                Verdict::Refuse(replies::no_such_mailbox())
            }
            Err(error) => {
                tracing::warn!(%error, "a recipient of inbound mail could not be looked up");
                Verdict::Refuse(replies::temporary())
            }
        }
    }

    async fn message(&self, session: &mut Session, content: Bytes, trace: Trace<'_>) -> Verdict {
        self.take(std::mem::take(session), &content, trace.tls).await
    }

    fn reset(&self, session: &mut Session) {
        *session = Session::default();
    }
}
