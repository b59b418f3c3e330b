//! The spool as delivery uses it: what waits, what begins, what became of it.

use super::accept::class_number;
use super::content::seal_transcript;
use super::{Backlog, Lane, Outcome, OutcomeKind, QueueRow, Start, Started, Suppress, Uncertain};
use crate::engine::{QueuedRow, SettleRow, StartRow, SuppressionRow};
use crate::error::{Error, Result};
use crate::journal::MessageEvent;
use crate::open::Store;
use crate::vault::{Secret, crypto};
use model::event::EventType;
use model::message::MessageState;
use model::person::SuppressionReason;
use model::stream::Class;
use model::{ControllerId, DomainId, MessageId, RecipientTag, StreamId, StreamKind, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// A hard bounce is looked at anew after this long (mailboxes come back; an opt-out never ages).
const BOUNCE_LIFE: Duration = Duration::from_secs(180 * 86_400);
/// The shortest life of a message in the queue: none younger is past its time.
const SHORTEST_LIFE: Duration = Duration::from_secs(24 * 3_600);
/// Rows recovered in one commit.
const RECOVER_BATCH: usize = 256;

impl Store {
    /// What waits, by lane. Read once at start; afterwards the scheduler knows.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn backlog(&self) -> Result<Vec<Backlog>> {
        let rows = self.engine.backlog().await?;
        rows.into_iter()
            .map(|row| {
                Ok(Backlog {
                    lane: Lane {
                        site: Arc::from(row.site.as_str()),
                        class: class_of(row.class)?,
                        controller: ControllerId(row.controller),
                    },
                    next_due: row.due,
                    count: row.count,
                })
            })
            .collect()
    }

    /// Due rows of a lane, by due and id.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn due(&self, lane: &Lane, now: Timestamp, limit: usize) -> Result<Vec<QueueRow>> {
        let rows = self.engine.due(&lane.site, class_number(lane.class), lane.controller.0, now, limit).await?;
        rows.into_iter().map(|row| queue_row(row, &lane.site)).collect()
    }

    /// Rows of a site whose time is over, oldest first.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn expired(&self, site: &str, now: Timestamp, limit: usize) -> Result<Vec<QueueRow>> {
        let youngest = now.micros().saturating_sub(i64::try_from(SHORTEST_LIFE.as_micros()).unwrap_or(i64::MAX));
        // Ids carry microseconds in their upper bits.
        let before = youngest.saturating_mul(1_024);
        let shared: Arc<str> = Arc::from(site);
        let rows = self.engine.expired(site, now, before, limit).await?;
        rows.into_iter().map(|row| queue_row(row, &shared)).collect()
    }

    /// Records that an attempt begins. Durable when it returns: only then may the final dot leave, so
    /// that a crash after the dot is seen as uncertain and not as never tried.
    ///
    /// # Errors
    /// Those of the engine: then nothing may be sent.
    pub async fn start(&self, start: Start) -> Result<Started> {
        let row = StartRow { id: start.id.0, attempt: start.attempt, at: start.at };
        Ok(if self.engine.start(row).await? { Started::Yes } else { Started::Gone })
    }

    /// Records outcomes, with their ledger entries and what follows from them, in one commit.
    /// Idempotent on (message, attempt). A fact is a fact: outcomes are never fenced off.
    ///
    /// # Errors
    /// Those of the engine; calling again is safe.
    pub async fn settle(&self, outcomes: Vec<Outcome>) -> Result<()> {
        let slots: Vec<_> = outcomes.iter().map(|outcome| (outcome.row.controller.0, outcome.row.slot)).collect();
        let secrets = self.vault.secrets(&slots).await?;
        let mut rows = Vec::with_capacity(outcomes.len());
        for (outcome, secret) in outcomes.iter().zip(secrets) {
            // An erased person has no secret any more: the outcome is recorded without him.
            rows.push(self.settle_row(outcome, secret.as_ref())?);
        }
        let suppressed: Vec<ControllerId> =
            rows.iter().filter(|row| row.suppress.is_some()).map(|row| ControllerId(row.controller)).collect();
        let files = self.engine.settle(rows).await?;
        for controller in suppressed {
            self.policy.bump(controller);
        }
        if !files.is_empty() {
            self.bodies.remove(files).await;
        }
        Ok(())
    }

    /// At start: attempts without outcome are recorded as uncertain and their messages are due again.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn recover(&self) -> Result<u64> {
        let mut recovered = 0;
        loop {
            let rows = self.engine.started(RECOVER_BATCH).await?;
            if rows.is_empty() {
                return Ok(recovered);
            }
            let now = self.now();
            let mut outcomes = Vec::with_capacity(rows.len());
            for row in rows {
                let site: Arc<str> = Arc::from(row.site.as_str());
                let row = queue_row(row, &site)?;
                outcomes.push(Outcome {
                    attempt: row.attempts + 1,
                    started_at: None,
                    at: now,
                    verdict: OutcomeKind::Uncertain { due: now },
                    code: None,
                    enhanced: None,
                    rule: None,
                    transcript: String::new(),
                    row,
                });
            }
            recovered += u64::try_from(outcomes.len()).unwrap_or(u64::MAX);
            self.settle(outcomes).await?;
        }
    }

    fn settle_row(&self, outcome: &Outcome, secret: Option<&Secret>) -> Result<SettleRow> {
        let row = &outcome.row;
        let (kind, event_word, final_state) = words(outcome);
        let due = match outcome.verdict {
            OutcomeKind::Deferred { due } | OutcomeKind::Uncertain { due } | OutcomeKind::Held { due } => due,
            _ => outcome.at,
        };
        let held = matches!(outcome.verdict, OutcomeKind::Held { .. });
        let event = crypto::random()?;
        let code = outcome.code.map(u64::from).unwrap_or_default();
        let entry = self.message_entry(&MessageEvent {
            kind,
            controller: row.controller,
            event,
            at: outcome.at,
            message: row.id,
            agreement: None,
            instruction: None,
            detail: &[("attempt", u64::from(outcome.attempt)), ("code", code)],
            secret,
        })?;
        let lost = matches!(outcome.verdict, OutcomeKind::Uncertain { .. });
        let suppress = matches!(outcome.verdict, OutcomeKind::Bounced { suppress: Suppress::Yes });
        Ok(SettleRow {
            id: row.id.0,
            controller: row.controller.0,
            body: row.body,
            attempt: outcome.attempt,
            started: outcome.started_at,
            at: outcome.at,
            event_word,
            final_state: final_state.map(MessageState::as_str),
            waiting_state: if held { "held" } else { "queued" },
            due,
            code: outcome.code,
            enhanced: outcome.enhanced.clone(),
            rule: outcome.rule.map(gate::Rule::id),
            event,
            // Once marked, always marked: the receiving system may have it twice.
            uncertain: lost || row.uncertain == Uncertain::Yes,
            transcript: secret
                .map(|secret| seal_transcript(secret, row.id.0, &outcome.transcript))
                .transpose()?
                .unwrap_or_default(),
            entry,
            suppress: suppress.then(|| SuppressionRow {
                controller: row.controller.0,
                tag: row.tag.0,
                scope: "delivery".into(),
                reason: SuppressionReason::HardBounce.as_str().into(),
                since: outcome.at,
                until: Some(outcome.at.plus(BOUNCE_LIFE)),
            }),
        })
    }
}

/// Ledger type, timeline word, final state.
fn words(outcome: &Outcome) -> (EventType, &'static str, Option<MessageState>) {
    match outcome.verdict {
        OutcomeKind::Delivered => (EventType::MessageDelivered, "delivered", Some(MessageState::Delivered)),
        OutcomeKind::Uncertain { .. } => (EventType::MessageUncertain, "uncertain", None),
        OutcomeKind::Deferred { .. } => (EventType::MessageDeferred, "deferred", None),
        OutcomeKind::Bounced { .. } => (EventType::MessageBounced, "bounced", Some(MessageState::Bounced)),
        OutcomeKind::Stopped => (EventType::MessageStopped, "stopped", Some(MessageState::Stopped)),
        OutcomeKind::Expired => (EventType::MessageExpired, "expired", Some(MessageState::Expired)),
        OutcomeKind::Held { .. } => (EventType::MessageDeferred, "held", None),
    }
}

fn class_of(number: u8) -> Result<Class> {
    match number {
        0 => Ok(Class::Prompt),
        1 => Ok(Class::Bulk),
        _ => Err(Error::Row { column: "queue.class" }),
    }
}

fn queue_row(row: QueuedRow, site: &Arc<str>) -> Result<QueueRow> {
    let kind = StreamKind::from_word(&row.kind).ok_or(Error::Row { column: "queue.kind" })?;
    let controller = ControllerId(row.controller);
    Ok(QueueRow {
        id: MessageId(row.id),
        controller,
        stream: StreamId(row.stream),
        kind,
        lane: Lane { site: Arc::clone(site), class: kind.class(), controller },
        tag: RecipientTag(row.tag),
        domain: DomainId(row.domain),
        due: row.due,
        attempts: row.attempts,
        accepted_at: row.accepted,
        expires_at: row.expires,
        uncertain: if row.uncertain { Uncertain::Yes } else { Uncertain::No },
        body: row.body,
        slot: row.slot,
    })
}
