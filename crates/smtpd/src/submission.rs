//! Postern's own door: a credential comes in, recipients are asked of the gate one by one, a message is queued.
//!
//! Invariants: nothing is accepted but through `mta::submission`; 250 after the final dot only when every queued copy
//! is durable; a refusal names its rule. Never: an address in a log line or a metric, a word on which half of a
//! credential was wrong. Standards: RFC 6409 §4.3 (authentication), RFC 4954, RFC 3848 (words of Received).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mail::address::{Domain, Repertoire, ReversePath};
use mail::header::HeaderError;
use mail::message::MessageError;
use mail::reply::Reply;
use mail::require_tls::RequireTls;
use mail::scram::{Keys, Proven};
use model::CredentialId;
use mta::submission::{Answer, Asked, ContentError, Named, ReceivedBy, Submission, content};
use store::Authority;
use tokio::time::sleep;

use crate::door::{Attempt, Door, Recipient, Sender, Tls, Trace, Verdict};
use crate::network::Network;
use crate::replies;
use crate::throttle::{Standing, Throttle};

/// A failed authentication is answered after this time (RFC 4954 §9).
const FAILURE_DELAY: Duration = Duration::from_secs(1);

/// The door of the submission listeners.
pub struct SubmissionDoor {
    submission: Arc<Submission>,
    throttle: Arc<Throttle>,
    hostname: Domain,
    failure_delay: Duration,
    way: Way,
}

/// How a client shows who it is.
enum Way {
    /// RFC 4954.
    Credential,
    /// By its address: the listener stands for a credential.
    Trusted { credential: CredentialId, networks: Vec<Network> },
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    peer: IpAddr,
    authority: Option<Authority>,
    /// Whom the open transaction is from, and what he asked to be told.
    asked: Asked,
    /// Recipients of the open transaction that the gate did not refuse.
    recipients: Vec<Named>,
}

impl SubmissionDoor {
    /// A door at which clients authenticate. `throttle` is shared by all listeners of a node.
    #[must_use]
    pub fn new(submission: Arc<Submission>, hostname: Domain, throttle: Arc<Throttle>) -> Self {
        Self { submission, throttle, hostname, failure_delay: FAILURE_DELAY, way: Way::Credential }
    }

    /// A door for clients that can neither TLS nor AUTH: whoever connects from `networks` speaks with `credential`.
    #[must_use]
    pub fn trusted(
        submission: Arc<Submission>,
        hostname: Domain,
        credential: CredentialId,
        networks: Vec<Network>,
    ) -> Self {
        let way = Way::Trusted { credential, networks };
        Self { submission, throttle: Arc::default(), hostname, failure_delay: FAILURE_DELAY, way }
    }

    /// Another delay after a failed authentication.
    #[must_use]
    pub const fn with_failure_delay(mut self, delay: Duration) -> Self {
        self.failure_delay = delay;
        self
    }

    /// RFC 3848, RFC 6531 §4.3: with TLS `S`, with authentication `A`.
    fn protocol(&self, repertoire: Repertoire, trace: &Trace<'_>) -> &'static str {
        let extended = trace.hello.is_some_and(|hello| hello.extended);
        match (&self.way, trace.tls, repertoire) {
            (Way::Credential, Tls::Yes, Repertoire::Ascii) => "ESMTPSA",
            (Way::Credential, Tls::Yes, Repertoire::Utf8) => "UTF8SMTPSA",
            (Way::Credential, Tls::No, Repertoire::Ascii) => "ESMTPA",
            (Way::Credential, Tls::No, Repertoire::Utf8) => "UTF8SMTPA",
            (Way::Trusted { .. }, Tls::Yes, Repertoire::Ascii) => "ESMTPS",
            (Way::Trusted { .. }, Tls::Yes, Repertoire::Utf8) => "UTF8SMTPS",
            (Way::Trusted { .. }, Tls::No, Repertoire::Utf8) => "UTF8SMTP",
            (Way::Trusted { .. }, Tls::No, Repertoire::Ascii) if extended => "ESMTP",
            (Way::Trusted { .. }, Tls::No, Repertoire::Ascii) => "SMTP",
        }
    }

    /// The verdict on a peer or a name that has failed too often, before anything is looked at.
    fn closed(&self, peer: IpAddr, username: &str) -> Option<Verdict> {
        let now = self.submission.store().now();
        if self.throttle.standing(peer, now) == Standing::Closed {
            return Some(Verdict::Close(replies::too_many_failures()));
        }
        let is_closed = self.throttle.name_standing(username, now) == Standing::Closed;
        is_closed.then(|| Verdict::Refuse(replies::name_closed()))
    }

    async fn failed(&self, peer: IpAddr, username: &str) -> Verdict {
        metrics::counter!("smtpd_authentications_failed_total").increment(1);
        sleep(self.failure_delay).await;
        let now = self.submission.store().now();
        self.throttle.name_failed(username, now);
        match self.throttle.failed(peer, now) {
            Standing::Open => Verdict::Refuse(replies::wrong_credential()),
            Standing::Closed => Verdict::Close(replies::too_many_failures()),
        }
    }

    async fn take(&self, session: &mut Session, content: &Bytes, trace: &Trace<'_>) -> Verdict {
        let recipients = std::mem::take(&mut session.recipients);
        let Some(authority) = &session.authority else {
            return Verdict::Refuse(replies::authenticate_first());
        };
        let received =
            ReceivedBy { host: self.hostname.as_str(), protocol: self.protocol(session.asked.repertoire, trace) };
        let store = self.submission.store();
        let made = content::from_smtp(store, authority, content, &session.asked, recipients, received);
        let (draft, ids) = match made {
            Ok(made) => made,
            Err(error) => return Verdict::Refuse(content_refused(&error)),
        };
        // RFC 5321 §6.1: the store has committed when this returns. A crash before it: the client has no 250 and
        // sends again. A crash after it: the queue has the message.
        match self.submission.accept_all(authority, draft, ids).await {
            Ok(answers) => told(&answers),
            Err(error) => Verdict::Refuse(self.failure(&error)),
        }
    }

    /// Logged here, once; the peer hears nothing but that he should try again.
    fn failure(&self, error: &mta::Error) -> Reply {
        tracing::warn!(%error, "a submission failed");
        metrics::counter!("smtpd_failures_total").increment(1);
        failed(error)
    }
}

impl Door for SubmissionDoor {
    type Session = Session;

    fn open(&self, peer: SocketAddr) -> Result<Session, Reply> {
        let authority = match &self.way {
            Way::Credential => None,
            Way::Trusted { credential, networks } => {
                if !networks.iter().any(|network| network.contains(peer.ip())) {
                    metrics::counter!("smtpd_networks_refused_total").increment(1);
                    return Err(replies::network_not_trusted());
                }
                let authority = self.submission.store().authority_of(*credential);
                Some(authority.ok_or_else(replies::listener_without_credential)?)
            }
        };
        Ok(Session { peer: peer.ip(), authority, asked: nobody(), recipients: Vec::new() })
    }

    async fn authenticate(&self, session: &mut Session, attempt: Attempt) -> Verdict {
        let store = self.submission.store();
        if let Some(verdict) = self.closed(session.peer, &attempt.username) {
            return verdict;
        }
        // RFC 4616 §2: nobody may act on another's behalf; naming oneself is harmless.
        let for_another = attempt.authzid.as_ref().is_some_and(|authzid| *authzid != attempt.username);
        if for_another {
            return self.failed(session.peer, &attempt.username).await;
        }
        match store.authenticate_smtp(&attempt.username, attempt.password.reveal()) {
            Some(authority) => {
                if store.lacks_scram(&authority)
                    && let Err(error) = store.keep_scram(&authority, attempt.password.reveal()).await
                {
                    tracing::warn!(%error, "the keys for SCRAM could not be kept; they are made at the next login");
                }
                session.authority = Some(authority);
                Verdict::Accept(Reply::authenticated())
            }
            None => self.failed(session.peer, &attempt.username).await,
        }
    }

    fn scram_keys(&self, session: &mut Session, username: &str) -> Result<(Keys, String), Verdict> {
        if let Some(verdict) = self.closed(session.peer, username) {
            return Err(verdict);
        }
        match self.submission.store().scram_challenge(username) {
            Ok(challenge) => Ok((challenge.keys, challenge.nonce)),
            Err(error) => Err(Verdict::Refuse(self.failure(&error.into()))),
        }
    }

    async fn proven(&self, session: &mut Session, proven: Proven) -> Verdict {
        match self.submission.store().scram_proven(&proven) {
            Some(authority) => {
                session.authority = Some(authority);
                Verdict::Accept(Reply::authenticated())
            }
            // Revoked, run out, or a stream that is not there.
            None => self.failed(session.peer, proven.username()).await,
        }
    }

    async fn not_proven(&self, session: &mut Session, username: &str) -> Verdict {
        self.failed(session.peer, username).await
    }

    async fn mail(&self, session: &mut Session, sender: Sender) -> Verdict {
        session.recipients.clear();
        let Sender { reverse_path, returned, envelope_id, repertoire, require_tls, .. } = sender;
        session.asked = Asked { reverse_path, returned, envelope_id, repertoire, require_tls };
        // RFC 6409 §4.3. Whom it names decides nothing: failures come to an address of ours, and they and notifications
        // to him only where his domain is shown to be the controller's.
        let Some(authority) = &session.authority else {
            return Verdict::Refuse(replies::authenticate_first());
        };
        match self.submission.check_sender(authority) {
            None => Verdict::Accept(Reply::sender_accepted()),
            Some(refusal) => Verdict::Refuse(replies::refusal(refusal)),
        }
    }

    async fn recipient(&self, session: &mut Session, recipient: Recipient) -> Verdict {
        let Recipient { address, notify, original } = recipient;
        let Some(authority) = &session.authority else {
            return Verdict::Refuse(replies::authenticate_first());
        };
        // One copy to a person, however often he is named.
        if session.recipients.iter().any(|named| named.address == address) {
            return Verdict::Accept(Reply::recipient_accepted());
        }
        match self.submission.check_recipient(authority, &address, session.recipients.len()).await {
            Ok(None) => {
                session.recipients.push(Named { address, notify, original });
                Verdict::Accept(Reply::recipient_accepted())
            }
            Ok(Some(refused)) => Verdict::Refuse(replies::declined(&refused)),
            Err(error) => Verdict::Refuse(self.failure(&error)),
        }
    }

    async fn message(&self, session: &mut Session, content: Bytes, trace: Trace<'_>) -> Verdict {
        self.take(session, &content, &trace).await
    }

    fn reset(&self, session: &mut Session) {
        session.recipients.clear();
        session.asked = nobody();
    }
}

const fn nobody() -> Asked {
    Asked {
        reverse_path: ReversePath::Null,
        returned: None,
        envelope_id: None,
        repertoire: Repertoire::Ascii,
        require_tls: RequireTls::No,
    }
}

/// One reply for all recipients: SMTP has one code for the whole, so either all are queued or none is. A recipient
/// must not be lost behind a 250, nor a 5xx make the client send again to those who are queued (RFC 5321 §6.1).
fn told(answers: &[Answer]) -> Verdict {
    let refused = answers.iter().find_map(|answer| match answer {
        Answer::Refused(declined) => Some(declined),
        Answer::Queued(_) | Answer::Held(..) => None,
    });
    if let Some(declined) = refused {
        return Verdict::Refuse(replies::declined(declined));
    }
    match answers {
        [Answer::Queued(first) | Answer::Held(first, _), more @ ..] => {
            Verdict::Accept(replies::queued(&first.public_id, more.len()))
        }
        _ => Verdict::Refuse(replies::temporary()),
    }
}

/// What the peer hears of a failure of ours: to try again, and whether it is for want of room.
fn failed(error: &mta::Error) -> Reply {
    match error {
        mta::Error::Store(store::Error::Full) => replies::out_of_storage(),
        _ => replies::temporary(),
    }
}

fn content_refused(error: &ContentError) -> Reply {
    let header = match error {
        ContentError::Header(header) | ContentError::Message(MessageError::Header(header)) => Some(header),
        ContentError::Message(_) | ContentError::OtherStream => None,
    };
    match header {
        Some(HeaderError::Loop { .. }) => replies::mail_loop(error.to_string()),
        _ => replies::content(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
