//! Telling the client what became of a message he asked about: notifications of our own.
//!
//! Write order: a notification is taken in, under a key of its own, before the outcome is written down; a crash between
//! the two repeats the attempt, and the key keeps the notification from being made twice. What cannot be taken in for
//! good (the gate refuses, nobody is there to write as) is counted, and the outcome is written all the same.
//! Delivery calls it and knows nothing of the way in; neither of the two imports the other.
//! Invariants: system mail as any other, through the one way in, on the controller's `service` stream (architecture
//! §10); one notification about one recipient, with the null return path; never one about a notification; never to an
//! address outside the controller's verified domains (`submission::content` keeps no other).
//! Standards: RFC 3461 §4.1, §5.2, §6; RFC 3464.

use crate::error::Error;
use crate::submission::{Answer, Idempotency, Submission};
use bytes::Bytes;
use gate::facts::FromDomain;
use mail::address::{Address, Domain};
use mail::dsn::Return;
use mail::report::write::{Action, Report, Returned, write};
use model::Timestamp;
use model::message::{Draft, Heads, Notice};
use std::sync::Arc;
use std::time::Duration;
use store::{Content, Outcome, OutcomeKind, QueueRow, Temper};

/// RFC 3461 §4.1: a message that waits for so long is delayed.
const DELAYED_AFTER: Duration = Duration::from_secs(4 * 3_600);
/// An attempt within this time after that tells of the delay: longer than the longest wait between two attempts.
const DELAYED_WITHIN: Duration = Duration::from_secs(8 * 3_600);
/// How often it is tried while the store is away for a moment.
const TRIES_MAX: usize = 5;
/// Between two tries.
const RETRY: Duration = Duration::from_secs(1);

/// What an outcome means to the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Event<'a> {
    action: Action,
    status: &'a str,
    code: Option<u16>,
    until: Option<Timestamp>,
}

impl<'a> Event<'a> {
    /// `None` for what nobody is told of. `Delivered` is told at the peer, who alone knows what it offers: [`relayed`].
    fn of(outcome: &'a Outcome) -> Option<Self> {
        // Nothing leaves for a message of the sandbox, no notification either.
        if outcome.row.lane.is_sandbox() {
            return None;
        }
        let (action, otherwise) = match outcome.verdict {
            OutcomeKind::Bounced { .. } => (Action::Failed, "5.0.0"),
            OutcomeKind::Expired => (Action::Failed, "4.4.7"),
            OutcomeKind::Stopped => (Action::Failed, "5.7.1"),
            OutcomeKind::Deferred { .. } if is_delayed(&outcome.row, outcome.at) => (Action::Delayed, "4.0.0"),
            _ => return None,
        };
        // RFC 3463 §2: the first digit says what the action says.
        let class = if action == Action::Delayed { "4." } else { "5." };
        let said = outcome.enhanced.as_deref().filter(|said| said.starts_with(class) || *said == otherwise);
        let until = (action == Action::Delayed).then_some(outcome.row.expires_at);
        Some(Self { action, status: said.unwrap_or(otherwise), code: outcome.code, until })
    }
}

fn is_delayed(row: &QueueRow, at: Timestamp) -> bool {
    let waited = at.since(row.accepted_at);
    (DELAYED_AFTER..DELAYED_AFTER + DELAYED_WITHIN).contains(&waited)
}

/// Makes notifications. Delivery is given one by whoever starts it; without, nobody is told anything.
#[derive(Clone)]
pub struct Notices {
    submission: Arc<Submission>,
}

impl std::fmt::Debug for Notices {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Notices")
    }
}

impl Notices {
    /// By this way in.
    #[must_use]
    pub const fn new(submission: Arc<Submission>) -> Self {
        Self { submission }
    }

    /// Tells of these outcomes, before they are written down. `host` reports.
    pub(crate) async fn tell(&self, host: &str, outcomes: &[Outcome]) {
        for outcome in outcomes {
            let Some(event) = Event::of(outcome) else { continue };
            for _ in 0..TRIES_MAX {
                match self.told(host, &outcome.row, event).await {
                    Err(error) if is_away(&error) => tokio::time::sleep(RETRY).await,
                    Err(error) => {
                        tracing::warn!(%error, message = outcome.row.id.0, "a notification could not be made");
                        break;
                    }
                    Ok(()) => break,
                }
            }
        }
    }

    /// The peer took the message over, and tells nobody itself (RFC 3461 §5.2.2): before the outcome is handed on.
    pub(crate) async fn relayed(&self, host: &str, row: &QueueRow, content: Option<&Content>) {
        let wanted = content.and_then(|content| content.notice.as_ref()?.wanted());
        let (Some(content), Some((reader, notify))) = (content, wanted) else { return };
        if !notify.success {
            return;
        }
        let event = Event { action: Action::Relayed, status: "2.0.0", code: Some(250), until: None };
        if let Err(error) = self.send(host, row, event, content, &reader).await {
            tracing::warn!(%error, message = row.id.0, "a notification could not be made");
        }
    }

    async fn told(&self, host: &str, row: &QueueRow, event: Event<'_>) -> Result<(), Error> {
        let store = self.submission.store();
        // The envelope alone is opened first: most messages have nobody to tell.
        let notice = store.notice(row.controller, row.id).await?;
        let Some((reader, notify)) = notice.as_ref().and_then(Notice::wanted) else { return Ok(()) };
        let is_asked = match event.action {
            Action::Failed => notify.failure,
            Action::Delayed => notify.delay,
            Action::Relayed => notify.success,
        };
        if !is_asked {
            return Ok(());
        }
        let content = store.open_content(&[row]).await?.pop().flatten();
        // GDPR Art. 17: with the key of an erased person his content went, and there is nobody to speak of.
        let Some(content) = content else { return Ok(()) };
        self.send(host, row, event, &content, &reader).await
    }

    async fn send(
        &self,
        host: &str,
        row: &QueueRow,
        event: Event<'_>,
        content: &Content,
        reader: &Address,
    ) -> Result<(), Error> {
        let store = self.submission.store();
        let notice = content.notice.as_deref().cloned().unwrap_or_default();
        let signers = store.dkim_signers(row.controller, row.domain);
        let domain = signers.as_ref().and_then(|signers| signers.first().map(|signer| signer.domain().to_owned()));
        let Some(authority) = store.system_authority(row.controller) else { return Ok(()) };
        let Some(from) = domain.and_then(|domain| Address::parse(&format!("mailer-daemon@{domain}")).ok()) else {
            return Ok(());
        };
        // A domain may have been given up since the message came.
        if store.from_domain(row.controller, reader.domain()).0 != FromDomain::Verified {
            return Ok(());
        }
        let reporting = Domain::parse(host).unwrap_or_else(|_| from.domain().clone());
        let id = store.new_message_id();
        let message_id = format!("{}@{}", store.public_id(id), from.domain());
        let envelope_id = notice.envelope_id().map(|id| id.text());
        // RFC 3461 §4.3: the whole only with a failure.
        let require_tls = notice.require_tls();
        let returned = match (event.action, notice.returned()) {
            // RFC 8689 §5: of a message that may not travel in clear the header alone, whatever RET says.
            (Action::Failed, Some(Return::Full)) if !require_tls.is_asked() => {
                Returned::Full(&content.head, &content.body)
            }
            _ => Returned::Headers(&content.head),
        };
        let written = write(&Report {
            action: event.action,
            reporting: &reporting,
            from: &from,
            to: reader,
            message_id: &message_id,
            unix_s: seconds(store.now()),
            envelope_id: envelope_id.as_deref(),
            arrived_unix_s: seconds(row.accepted_at),
            original: notice.original().as_ref(),
            recipient: &content.recipient,
            status: event.status,
            code: event.code,
            until_unix_s: event.until.map(seconds),
            returned,
        });
        let written = match written {
            Ok(written) => written,
            Err(error) => {
                tracing::warn!(%error, message = row.id.0, "a notification could not be written");
                return Ok(());
            }
        };
        let draft = Draft {
            stream: authority.stream().id,
            purpose: authority.stream().default_purpose(),
            from,
            reverse_path: None,
            recipients: vec![reader.clone()],
            heads: Heads::Same(Bytes::from(written.head)),
            body: Bytes::from(written.body),
            metadata: String::new(),
            // RFC 8689 §5: what quotes it is protected as it was.
            notices: vec![Notice::notification().requiring(require_tls)],
        };
        let key = format!("notification:{:?}:{}", event.action, row.id.0);
        let once =
            move |_: &[Answer]| Some(Idempotency { key: key.clone(), request_hash: [0; 32], answer: Vec::new() });
        match self.submission.accept_as(&authority, draft, vec![id], once).await {
            Ok(answers) => {
                let is_refused = answers.iter().any(|answer| matches!(answer, Answer::Refused(_)));
                let outcome = if is_refused { "refused" } else { "queued" };
                metrics::counter!("postern_notifications_total", "outcome" => outcome).increment(1);
                Ok(())
            }
            // It was made before.
            Err(Error::Repeated) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.seconds()).unwrap_or_default()
}

fn is_away(error: &Error) -> bool {
    matches!(error, Error::Store(error) if error.temper() == Temper::Temporary)
}
