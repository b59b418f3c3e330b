//! From a reply, a loss or a verdict of the gate to the outcome that is recorded.
//!
//! Invariants: a loss before the final dot is a deferral, one after it is uncertain and marked; the site pays for what
//! concerns the site, the message for what concerns the message, and neither for what concerns us; a start that is
//! recorded, or may be, is followed by an outcome.
//! Standards: RFC 5321 §4.5.3.2.6, §6.1; RFC 1870 §6.1; RFC 6152 §3.

use super::super::egress::warming::Reply;
use super::super::engine::{Engine, Row};
use super::super::outcome::reply::{Answer, Blame, Judgement, Press, Stage, judge, press, retry_due};
use super::super::required::Lack;
use super::super::scheduler::{Against, Pooled};
use super::super::send::Link;
use super::super::spread::seed_of;
use super::super::worker::failed;
use super::asking::{Facing, face};
use super::{STORE_AGAIN, Tried};
use gate::facts::Connection;
use mail::client::{BeginError, Lost, Stage as Place};
use model::Timestamp;
use store::{Outcome, OutcomeKind, QueueRow, Start, Started, Suppress, Temper, Uncertain};

/// An attempt under way, for settling it.
pub(super) struct Trial<'a> {
    pub(super) engine: &'a Engine,
    pub(super) site: &'a Pooled,
    pub(super) begun_at: Timestamp,
    /// How the connection was secured: the first line of what is recorded.
    pub(super) evidence: String,
}

impl Trial<'_> {
    /// The peer gave its answer.
    pub(super) async fn over(&self, link: Box<Link>, entry: Row, outcome: mail::client::Outcome) -> Tried {
        let settings = &self.engine.settings;
        if outcome.is_delivered(0)
            && !link.notifies()
            && let Some(notices) = &settings.notices
        {
            notices.relayed(&settings.ehlo_name, &entry.row.row, entry.row.content.as_ref()).await;
        }
        let row = entry.row.row;
        let now = self.engine.store.now();
        let transcript = format!("{}{}", self.evidence, outcome.transcript.as_str());
        let Some(reply) = outcome.final_reply(0) else {
            self.deferred(row, now, transcript).await;
            return Tried::Closed;
        };
        let answer = Answer {
            stage: stage_of(outcome.decided_at),
            code: reply.code,
            enhanced: reply.enhanced,
            text: &reply.text,
        };
        let judgement = if outcome.is_delivered(0) { Judgement::Delivered } else { not_delivered(judge(&answer)) };
        let pressing = press(&answer);
        link.count(match judgement {
            Judgement::Delivered => Reply::Delivered,
            Judgement::Never { .. } => Reply::Bounced,
            Judgement::Later => Reply::Deferred,
            // It greets whoever is new so, and says nothing of us.
            Judgement::Greylisted => Reply::Greylisted,
        });
        self.engine
            .settle(Outcome {
                attempt: row.attempts + 1,
                started_at: Some(self.begun_at),
                at: now,
                verdict: verdict_of(&row, judgement, now),
                code: Some(reply.code),
                enhanced: reply.enhanced.map(|code| code.to_string()),
                rule: None,
                transcript,
                row,
            })
            .await;
        let (against, seed) = (link.against(), self.engine.seed());
        match pressing {
            Press::Same => {}
            Press::Less(why) => self.engine.with(|picture| picture.throttled(self.site, against, now, seed, why)),
            Press::Away(why) => {
                self.engine.with(|picture| picture.throttled(self.site, against, now, seed, why));
                failed(self.engine, self.site, against, why);
            }
        }
        if outcome.reusable { Tried::Done(link) } else { Tried::Closed }
    }

    /// The connection is gone. Before the final dot nobody has it; after it nobody knows.
    pub(super) async fn lost(&self, link: Box<Link>, entry: Row, trouble: &'static str) -> Tried {
        let against = link.against();
        let interrupted = link.interrupted();
        let mut transcript = format!("{}{}", self.evidence, interrupted.transcript.as_str());
        transcript.push_str(trouble);
        transcript.push('\n');
        let mut row = entry.row.row;
        let now = self.engine.store.now();
        if interrupted.lost == Lost::OutcomeUnknown {
            // RFC 5321 §4.5.3.2.6, §6.1: sent again rather than lost, under the same Message-ID, and marked.
            let due = due_of(&row, Judgement::Later, now);
            row.uncertain = Uncertain::Yes;
            transcript.push_str("outcome unknown\n");
            let verdict = OutcomeKind::Uncertain { due };
            self.engine.settle(plain_outcome(row, Some(self.begun_at), now, verdict, transcript)).await;
        } else {
            self.deferred(row, now, transcript).await;
        }
        failed(self.engine, self.site, against, trouble);
        Tried::Closed
    }

    async fn deferred(&self, row: QueueRow, now: Timestamp, transcript: String) {
        let due = due_of(&row, Judgement::Later, now);
        let verdict = OutcomeKind::Deferred { due };
        self.engine.settle(plain_outcome(row, Some(self.begun_at), now, verdict, transcript)).await;
    }

    pub(super) async fn bounced(&self, entry: Row, enhanced: &str, transcript: String) {
        let verdict = OutcomeKind::Bounced { suppress: Suppress::No };
        let now = self.engine.store.now();
        let transcript = format!("{}{transcript}", self.evidence);
        let mut outcome = plain_outcome(entry.row.row, Some(self.begun_at), now, verdict, transcript);
        outcome.enhanced = Some(enhanced.to_owned());
        self.engine.settle(outcome).await;
    }
}

/// A positive reply before the final dot was answered is no delivery.
pub(super) fn not_delivered(judgement: Judgement) -> Judgement {
    if judgement == Judgement::Delivered { Judgement::Later } else { judgement }
}

pub(super) fn stage_of(place: Place) -> Stage {
    match place {
        Place::Recipient => Stage::Recipient,
        Place::Data | Place::Body | Place::FinalDot => Stage::Content,
        _ => Stage::Mail,
    }
}

pub(super) fn verdict_of(row: &QueueRow, judgement: Judgement, now: Timestamp) -> OutcomeKind {
    match judgement {
        Judgement::Delivered => OutcomeKind::Delivered,
        Judgement::Later | Judgement::Greylisted => OutcomeKind::Deferred { due: due_of(row, judgement, now) },
        Judgement::Never { recipient: Blame::Recipient } => OutcomeKind::Bounced { suppress: Suppress::Yes },
        Judgement::Never { recipient: Blame::Repeated } => OutcomeKind::Bounced { suppress: Suppress::IfRepeated },
        Judgement::Never { recipient: Blame::Other } => OutcomeKind::Bounced { suppress: Suppress::No },
    }
}

pub(super) fn due_of(row: &QueueRow, judgement: Judgement, now: Timestamp) -> Timestamp {
    let attempt = row.attempts + 1;
    retry_due(now, row.kind.retry_plan(), attempt, judgement, seed_of(row.id.0, attempt), row.expires_at)
}

pub(super) fn plain_outcome(
    row: QueueRow,
    started_at: Option<Timestamp>,
    at: Timestamp,
    verdict: OutcomeKind,
    transcript: String,
) -> Outcome {
    Outcome {
        attempt: row.attempts + 1,
        row,
        started_at,
        at,
        verdict,
        code: None,
        enhanced: None,
        rule: None,
        transcript,
    }
}

/// The task that tried it ended by a fault of the program. How far it came nobody knows any more: RFC 5321 §6.1, sent
/// again rather than lost, and marked, at the time of a retry, so that a message that always fails us ends by its plan.
pub(crate) fn fallen(row: QueueRow, now: Timestamp) -> Outcome {
    let mut row = row;
    let due = due_of(&row, Judgement::Later, now);
    row.uncertain = Uncertain::Yes;
    let transcript = "outcome unknown: a fault of this program ended the attempt\n".to_owned();
    plain_outcome(row, None, now, OutcomeKind::Uncertain { due }, transcript)
}

/// The connection went away under a message whose start is recorded, and no other could be had.
pub(super) async fn lost_on_the_way(engine: &Engine, site: &Pooled, entry: Row, started: Option<Timestamp>) {
    let row = entry.row.row;
    let now = engine.store.now();
    let trouble = "the peer closed the connection, and no other could be opened";
    let verdict = OutcomeKind::Deferred { due: due_of(&row, Judgement::Later, now) };
    engine.settle(plain_outcome(row, started, now, verdict, format!("{trouble}\n"))).await;
    failed(engine, site, Against::Domain, trouble);
}

pub(super) async fn settle_gate(
    engine: &Engine,
    entry: &Row,
    facing: Facing,
    started: Option<Timestamp>,
    transcript: String,
) {
    let now = engine.store.now();
    let mut transcript = transcript;
    let (verdict, rule) = match facing {
        Facing::Stopped(rule) => (OutcomeKind::Stopped, rule),
        Facing::Held(rule, wait) => (OutcomeKind::Held { due: now.plus(wait) }, rule),
        Facing::Deferred(rule) => {
            transcript.push_str("the connection is not as secure as the terms ask; nothing was sent\n");
            // That TLS failed a while ago is no reason for this message not to have it tried again.
            engine.with(|picture| picture.tls_broke(&entry.row.row.lane.site, None));
            (OutcomeKind::Deferred { due: due_of(&entry.row.row, Judgement::Later, now) }, rule)
        }
        Facing::NotNow => return not_now(engine, entry, started, transcript).await,
    };
    let mut outcome = plain_outcome(entry.row.row.clone(), started, now, verdict, transcript);
    outcome.rule = Some(rule);
    engine.settle(outcome).await;
}

/// Nobody has received it, and that is not for the peer or the message to pay: whoever holds the site tries it again at
/// once. A start that is recorded is owed an outcome; without one, nothing has happened.
async fn not_now(engine: &Engine, entry: &Row, started: Option<Timestamp>, transcript: String) {
    let now = engine.store.now();
    if started.is_none() {
        return let_go(engine, entry, Some(now.plus(STORE_AGAIN)));
    }
    let transcript = transcript + "this node was not sure of its tenure or of its store; nothing was sent\n";
    let verdict = OutcomeKind::Deferred { due: now };
    engine.settle(plain_outcome(entry.row.row.clone(), started, now, verdict, transcript)).await;
}

/// The store did not say whether the start is recorded. On a store of several nodes it may be, and then nobody else may
/// begin until this node records an outcome: so it is asked until it says. The connection is gone meanwhile.
pub(super) async fn find_out(engine: &Engine, entry: &Row, begun_at: Timestamp) {
    let row = &entry.row.row;
    let site = &row.lane.site;
    while engine.with(|picture| picture.is_held(site)) {
        tokio::time::sleep(STORE_AGAIN).await;
        if !engine.holds(site) {
            // Past the deadline the store refuses, and that says nothing.
            continue;
        }
        match engine.store.start(Start::of(row, begun_at)).await {
            Ok(Started::Yes) => return not_now(engine, entry, Some(begun_at), String::new()).await,
            Err(error) if error.temper() == Temper::Temporary => {
                engine.store_failed(&error, "a start could not be recorded; nothing is sent");
            }
            Ok(Started::Gone) | Err(_) => break,
        }
    }
    // The site is another's now. If the start is not recorded, he may be trying the message under the same number:
    // what he says then counts, as it does after an uncertain outcome.
    let now = engine.store.now();
    let transcript = "the store did not say whether the start was recorded; nothing was sent\n".to_owned();
    let verdict = OutcomeKind::Uncertain { due: now };
    engine.settle(plain_outcome(row.clone(), Some(begun_at), now, verdict, transcript)).await;
}

/// The peer said at EHLO that it cannot take such a message (RFC 1870 §6.1, RFC 6152 §3, RFC 6531 §3.2).
pub(super) async fn unfit(
    engine: &Engine,
    link: Box<Link>,
    entry: &Row,
    error: BeginError,
    started: Option<Timestamp>,
) -> Tried {
    let enhanced = match error {
        BeginError::TooLarge { .. } => "5.3.4",
        BeginError::EightBitBody => "5.6.3",
        // RFC 6531 §3.2: nothing is written instead; only a domain has another form, and that one leaves in it anyway.
        BeginError::NeedsUtf8 => "5.6.7",
        BeginError::NeedsRequireTls => "5.7.30",
        BeginError::Recipients | BeginError::TooManyRecipients { .. } | BeginError::Path => "5.1.3",
        BeginError::NotReady => "4.3.0",
    };
    let (row, now) = (entry.row.row.clone(), engine.store.now());
    let verdict = if error == BeginError::NotReady {
        OutcomeKind::Deferred { due: due_of(&row, Judgement::Later, now) }
    } else {
        OutcomeKind::Bounced { suppress: Suppress::No }
    };
    let mut outcome = plain_outcome(row, started, now, verdict, format!("{error}\n"));
    outcome.enhanced = Some(enhanced.to_owned());
    engine.settle(outcome).await;
    if error == BeginError::NotReady { Tried::Closed } else { Tried::Done(link) }
}

/// RFC 8689 §4.2.1: no exchanger of the domain will do, and that is its end; unless the gate has something against it.
pub(super) async fn unprotected(engine: &Engine, entry: &Row, started: Option<Timestamp>, lack: Lack) {
    let row = &entry.row.row;
    if let Some(facing) = face(engine, row, Connection::Verified, None).await {
        return settle_gate(engine, entry, facing, started, String::new()).await;
    }
    let now = engine.store.now();
    // How a domain's hosts are set up says nothing of its mailboxes.
    let verdict = OutcomeKind::Bounced { suppress: Suppress::No };
    let mut outcome = plain_outcome(row.clone(), started, now, verdict, format!("{}\n", lack.sentence()));
    outcome.enhanced = Some(lack.enhanced().to_string());
    engine.settle(outcome).await;
}

/// Not every exchanger of the domain could be asked whether it will do.
pub(super) async fn unreached(engine: &Engine, entry: &Row, started: Option<Timestamp>, trouble: &str) {
    let (row, now) = (entry.row.row.clone(), engine.store.now());
    let transcript = format!("REQUIRETLS demanded, and not every exchanger could be asked: {trouble}\n");
    let verdict = OutcomeKind::Deferred { due: due_of(&row, Judgement::Later, now) };
    engine.settle(plain_outcome(row, started, now, verdict, transcript)).await;
}

/// The row is no longer in hand, and nothing is written about it.
pub(super) fn let_go(engine: &Engine, entry: &Row, again: Option<Timestamp>) {
    let now = engine.store.now();
    let site = &entry.row.row.lane.site;
    engine.with(|picture| picture.release(site, entry.key, entry.id, again, now));
}
