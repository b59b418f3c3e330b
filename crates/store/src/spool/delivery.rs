//! The spool as delivery uses it: what waits, what begins, what became of it.

use super::accept::class_number;
use super::content::seal_transcript;
use super::{Backlog, Lane, Outcome, OutcomeKind, QueueRow, Start, Started, Suppress, Uncertain};
use crate::cluster::queue_part;
use crate::engine::{QueuedRow, Scope, SettleRow, SlotRef, StartRow, SuppressionRow};
use crate::error::{Error, Result};
use crate::journal::MessageEvent;
use crate::open::Store;
use crate::value::Columns;
use crate::vault::{Secret, crypto};
use model::event::EventType;
use model::message::MessageState;
use model::person::SuppressionReason;
use model::stream::Class;
use model::{ControllerId, DomainId, MessageId, PurposeId, RecipientTag, StreamId, StreamKind, Timestamp};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A hard bounce is looked at anew after this long (mailboxes come back; an opt-out never ages).
pub(crate) const BOUNCE_LIFE: Duration = Duration::from_secs(180 * 86_400);
/// The shortest life of a message in the queue: none younger is past its time.
const SHORTEST_LIFE: Duration = Duration::from_secs(24 * 3_600);
/// A message that is held is not given up sooner than so long after it is looked at again: what waits for a human
/// does not run out while it waits.
const HELD_LIFE: Duration = Duration::from_secs(24 * 3_600);
/// An acceptance takes less from the making of its id to its commit, also when the database fails over meanwhile. What
/// takes longer is found when the backlog is read as a whole.
const COMMIT_MICROS_MAX: i64 = 15_000_000;
/// Rows recovered in one commit.
const RECOVER_BATCH: usize = 256;

impl Store {
    /// What waits, by lane, in the partitions that this node holds. Read at start, and among several nodes from time
    /// to time; otherwise the scheduler knows.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn backlog(&self) -> Result<Vec<Backlog>> {
        let parts = (!self.tenure.is_alone()).then(|| self.tenure.parts());
        self.backlog_in(Scope { parts, from_id: 0 }).await
    }

    /// What waits in these partitions, by lane.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn backlog_of(&self, parts: &[u16]) -> Result<Vec<Backlog>> {
        self.backlog_in(Scope { parts: Some(parts.to_vec()), from_id: 0 }).await
    }

    /// What came in lately, through whichever node, in the partitions that this one holds: some of it was told
    /// before. Nothing where the node is alone: it is told of each acceptance.
    ///
    /// # Errors
    /// Those of the engine; the next call tells what this one could not.
    pub async fn arrivals(&self) -> Result<Vec<Backlog>> {
        if self.tenure.is_alone() {
            return Ok(Vec::new());
        }
        let now = self.now().micros();
        // What is gained from here on is read whole by whoever gained it.
        let parts = self.tenure.parts();
        if parts.is_empty() {
            // Perhaps the heartbeat is late: what comes in meanwhile is still to be told.
            return Ok(Vec::new());
        }
        let seen = self.arrivals_seen.load(Ordering::Acquire);
        let from_id = seen.saturating_sub(COMMIT_MICROS_MAX).saturating_mul(1_024);
        let arrived = self.backlog_in(Scope { parts: Some(parts), from_id }).await?;
        self.arrivals_seen.store(now, Ordering::Release);
        Ok(arrived)
    }

    async fn backlog_in(&self, scope: Scope) -> Result<Vec<Backlog>> {
        if scope.parts.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Vec::new());
        }
        let rows = self.engine.backlog(scope).await?;
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

    /// The partition that a destination site lies in: one of 256.
    #[must_use]
    pub fn part_of(site: &str) -> u16 {
        queue_part(site)
    }

    /// Due rows of a lane, by due and id; none of a site that another node serves.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn due(&self, lane: &Lane, now: Timestamp, limit: usize) -> Result<Vec<QueueRow>> {
        if !self.tenure.holds(&lane.site) {
            return Ok(Vec::new());
        }
        let rows = self.engine.due(&lane.site, class_number(lane.class), lane.controller.0, now, limit).await?;
        Ok(readable(rows, |_| Arc::clone(&lane.site)))
    }

    /// Rows of a site whose time is over, oldest first; none of a site that another node serves.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn expired(&self, site: &str, now: Timestamp, limit: usize) -> Result<Vec<QueueRow>> {
        if !self.tenure.holds(site) {
            return Ok(Vec::new());
        }
        let youngest = now.micros().saturating_sub(i64::try_from(SHORTEST_LIFE.as_micros()).unwrap_or(i64::MAX));
        // Ids carry microseconds in their upper bits.
        let before = youngest.saturating_mul(1_024);
        let shared: Arc<str> = Arc::from(site);
        let rows = self.engine.expired(site, now, before, limit).await?;
        Ok(readable(rows, |_| Arc::clone(&shared)))
    }

    /// Records that an attempt begins. Durable when it returns: only then may the final dot leave, so
    /// that a crash after the dot is seen as uncertain and not as never tried.
    ///
    /// When it returns, [`Self::generation`] is not older than that commit: what any node changed before it shows
    /// when the generation is compared before the final dot.
    ///
    /// # Errors
    /// Those of the engine: then nothing may be sent.
    pub async fn start(&self, start: Start) -> Result<Started> {
        let Some(lease) = self.tenure.lease(start.part) else { return Ok(Started::Gone) };
        let row = StartRow { id: start.id.0, attempt: start.attempt, at: start.at, lease };
        if !self.tenure.is_alone() {
            self.under_way.begin(start.id);
        }
        // A failure leaves it noted: it may be recorded all the same, and whoever asked tells an outcome.
        let answer = self.engine.start(row).await?;
        if !answer.begun {
            self.under_way.end([start.id]);
        }
        if let Some((follower, generation)) = self.follower.as_ref().zip(answer.generation) {
            follower.saw(start.controller, generation);
        }
        Ok(if answer.begun { Started::Yes } else { Started::Gone })
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
        let (engine, policy, intake) = (Arc::clone(&self.engine), Arc::clone(&self.policy), Arc::clone(&self.intake));
        let failing = self.failures_of(&outcomes);
        let (under_way, ended) = (Arc::clone(&self.under_way), outcomes.iter().map(|outcome| outcome.row.id));
        let ended: Vec<MessageId> = ended.collect();
        // A task of its own: what follows from the commit is done also when the caller goes away.
        let task = tokio::spawn(async move {
            let files = engine.settle(rows).await?;
            under_way.end(ended);
            for controller in suppressed {
                policy.bump(controller);
            }
            if !files.is_empty() {
                intake.bodies.release(files).await;
            }
            Ok(())
        });
        task.await.unwrap_or(Err(Error::Unknown))?;
        self.count_failures(failing).await
    }

    /// Attempts without outcome, of a process that is gone, are recorded as uncertain and their messages are due again.
    /// Answers how many. One whose outcome cannot be recorded stays as it is, with a warning, and hinders no other.
    /// Called at start; among several nodes also when partitions were gained, and every few seconds.
    ///
    /// # Errors
    /// Those of the engine that concern every row.
    pub async fn recover(&self) -> Result<u64> {
        let mut recovered = 0;
        let mut seen = HashSet::new();
        loop {
            let parts = (!self.tenure.is_alone()).then(|| self.tenure.parts());
            if parts.as_ref().is_some_and(Vec::is_empty) {
                return Ok(recovered);
            }
            // Rows that stay are read again: no row is tried twice, so this comes to an end.
            let rows = self.engine.started(Scope { parts, from_id: 0 }, RECOVER_BATCH + seen.len()).await?;
            let fresh: Vec<_> = rows.into_iter().filter(|row| seen.insert(row.id)).take(RECOVER_BATCH).collect();
            if fresh.is_empty() {
                return Ok(recovered);
            }
            let now = self.now();
            let ended = fresh.into_iter().filter(|row| !self.under_way.contains(MessageId(row.id))).collect();
            let rows = readable(ended, |row| Arc::from(row.site.as_str()));
            let outcomes = rows.into_iter().map(|row| lost(row, now)).collect();
            recovered += self.settle_what_can_be(outcomes).await?;
        }
    }

    /// Records outcomes together or, when that fails, each by itself. Answers how many.
    async fn settle_what_can_be(&self, outcomes: Vec<Outcome>) -> Result<u64> {
        let all = u64::try_from(outcomes.len()).unwrap_or(u64::MAX);
        match self.settle(outcomes.clone()).await {
            Ok(()) => return Ok(all),
            Err(error) if concerns_all(&error) => return Err(error),
            Err(error) => tracing::warn!(%error, "outcomes cannot be recorded together; each is tried by itself"),
        }
        let mut settled = 0;
        for outcome in outcomes {
            let message = outcome.row.id.0;
            match self.settle(vec![outcome]).await {
                Ok(()) => settled += 1,
                Err(error) if concerns_all(&error) => return Err(error),
                Err(error) => tracing::warn!(message, %error, "an attempt without outcome cannot be recorded"),
            }
        }
        Ok(settled)
    }

    fn settle_row(&self, outcome: &Outcome, secret: Option<&Secret>) -> Result<SettleRow> {
        let row = &outcome.row;
        let (kind, event_word, final_state) = words(outcome);
        let due = match outcome.verdict {
            OutcomeKind::Deferred { due } | OutcomeKind::Uncertain { due } | OutcomeKind::Held { due } => due,
            _ => outcome.at,
        };
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
        Ok(SettleRow {
            id: row.id.0,
            controller: row.controller.0,
            body: row.body,
            attempt: outcome.attempt,
            started: outcome.started_at,
            at: outcome.at,
            event_word,
            final_state: final_state.map(MessageState::as_str),
            // Held by a decision, a message does not grow old; held for want of facts, it does.
            held_until: matches!(outcome.verdict, OutcomeKind::Held { .. }).then(|| {
                let wants_facts = outcome.rule == Some(gate::Rule::FactsUnavailable);
                if wants_facts { row.expires_at } else { due.plus(HELD_LIFE) }
            }),
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
            suppress: self.bounce_suppression(outcome, secret)?,
        })
    }

    /// Whose mailboxes refused for their state.
    fn failures_of(&self, outcomes: &[Outcome]) -> Vec<(ControllerId, RecipientTag, Timestamp)> {
        let repeated = OutcomeKind::Bounced { suppress: Suppress::IfRepeated };
        let failed = outcomes.iter().filter(|outcome| outcome.verdict == repeated);
        failed.map(|outcome| (outcome.row.controller, outcome.row.tag, outcome.at)).collect()
    }

    /// What a hard bounce says about the person's address, with its leaf.
    fn bounce_suppression(
        &self,
        outcome: &Outcome,
        secret: Option<&Secret>,
    ) -> Result<Option<(SuppressionRow, Vec<u8>)>> {
        let OutcomeKind::Bounced { suppress: Suppress::Yes } = outcome.verdict else { return Ok(None) };
        let days = self.bounce_days(outcome.row.controller, outcome.row.stream);
        let life = days.map_or(BOUNCE_LIFE, |days| Duration::from_secs(u64::from(days) * 86_400));
        let row = SuppressionRow {
            controller: outcome.row.controller.0,
            tag: outcome.row.tag.0,
            scope: "delivery".into(),
            reason: SuppressionReason::HardBounce.as_str().into(),
            since: outcome.at,
            until: Some(outcome.at.plus(life)),
            address: None,
        };
        let entry = self.suppression_entry(&row, secret)?;
        Ok(Some((row, entry)))
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
        OutcomeKind::Sandboxed => (EventType::MessageSandboxed, "sandboxed", Some(MessageState::Sandboxed)),
        OutcomeKind::Held { .. } => (EventType::MessageHeld, "held", None),
    }
}

/// An attempt that began before the node went down.
const fn lost(row: QueueRow, now: Timestamp) -> Outcome {
    Outcome {
        attempt: row.attempts + 1,
        row,
        started_at: None,
        at: now,
        verdict: OutcomeKind::Uncertain { due: now },
        code: None,
        enhanced: None,
        rule: None,
        transcript: String::new(),
    }
}

/// Does the fault lie in the engine, and not in one row?
const fn concerns_all(error: &Error) -> bool {
    matches!(error, Error::Full | Error::Unknown | Error::Closed)
}

fn class_of(number: u8) -> Result<Class> {
    match number {
        0 => Ok(Class::Prompt),
        1 => Ok(Class::Bulk),
        _ => Err(Error::Row { column: "queue.class" }),
    }
}

/// Rows as delivery knows them. One that cannot be read stays where it is and hinders no other.
fn readable(rows: Vec<QueuedRow>, site: impl Fn(&QueuedRow) -> Arc<str>) -> Vec<QueueRow> {
    let read = rows.into_iter().filter_map(|row| {
        let (message, site) = (row.id, site(&row));
        queue_row(row, &site).inspect_err(|error| tracing::warn!(message, %error, "a queue row cannot be read")).ok()
    });
    read.collect()
}

/// A row that a statement of the general verbs found, with the columns of [`crate::statement`]'s queue rows.
pub(crate) fn queue_row_of(mut row: Columns) -> Result<QueueRow> {
    let small = |number: i64| u32::try_from(number).map_err(|_| Error::Row { column: "queue.attempts" });
    let queued = QueuedRow {
        id: row.number()?,
        controller: row.number()?,
        stream: row.number()?,
        kind: row.text()?,
        site: row.text()?,
        tag: row.array()?,
        slot: SlotRef {
            block: row.number()?,
            slot: u8::try_from(row.number()?).map_err(|_| Error::Row { column: "queue.slot" })?,
        },
        domain: row.number()?,
        body: row.number()?,
        due: row.moment()?,
        attempts: small(row.number()?)?,
        accepted: row.moment()?,
        expires: row.moment()?,
        uncertain: row.number()? != 0,
        purpose: row.number()?,
    };
    let site: Arc<str> = Arc::from(queued.site.as_str());
    queue_row(queued, &site)
}

fn queue_row(row: QueuedRow, site: &Arc<str>) -> Result<QueueRow> {
    let kind = StreamKind::from_word(&row.kind).ok_or(Error::Row { column: "queue.kind" })?;
    let controller = ControllerId(row.controller);
    Ok(QueueRow {
        id: MessageId(row.id),
        controller,
        stream: StreamId(row.stream),
        purpose: PurposeId(row.purpose),
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
