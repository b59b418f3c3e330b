//! Making up for what a copy lacks: records of the log are read from where the store knows it, and what they take away
//! is taken away here, too.
//!
//! Invariants: a record is noted as known only after everything in it holds; what changed has a leaf in each
//! controller's ledger, with counts alone; what waited in the queue of a restored store is marked, for it may have been
//! sent since.

use super::*;
use crate::engine::{EntryRow, SuppressionRow};
use crate::facts::{read_restriction, write_restriction};
use crate::journal::SystemEvent;
use model::Timestamp;
use model::person::{Restriction, SuppressionReason};
use std::collections::BTreeMap;

/// Records read at once.
const RECORDS: usize = 64;
/// A crash leaves one record that the store does not know of. More, and the store is an older copy.
const CRASH_RECORDS: u64 = 1;

/// What opening the log brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Replayed {
    /// Records that the store had not known to be there.
    pub records: u64,
    /// Persons in them whose controller the store knows.
    pub persons: u64,
    /// Persons of whom something had to be made up for.
    pub changed: u64,
    /// Persons of controllers that the store does not know: they were admitted after the copy was made.
    pub unknown: u64,
}

impl Store {
    /// What waits in the queue may have been sent since the copy was made: its timeline says so when it is sent again.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn doubt_queue(&self) -> Result<()> {
        self.run(vec![Step::new(&sql::QUEUE_UNCERTAIN, vec![])]).await
    }

    /// Reads from behind `shipped` to the end.
    pub(super) async fn replay(&self, log: &Arc<Mutex<Log>>, shipped: u64) -> Result<Replayed> {
        let of = Arc::clone(log);
        let mut cursor = blocking(move || of.lock().behind(shipped)).await?;
        if log.lock().last() > shipped + CRASH_RECORDS {
            self.doubt_queue().await?;
        }
        let (mut replayed, mut by_controller) = (Replayed::default(), BTreeMap::new());
        loop {
            let of = Arc::clone(log);
            let (records, place) = blocking(move || {
                let records = of.lock().read(&mut cursor, RECORDS)?;
                Ok((records, cursor))
            })
            .await?;
            cursor = place;
            let Some((last, _)) = records.last() else { break };
            let last = *last;
            for (_, plain) in &records {
                let record: Record = serde_json::from_slice(plain)
                    .map_err(|_| log.lock().unfit("holds a record of another version; upgrade this node"))?;
                replayed.records += 1;
                for stone in &record.persons {
                    self.lay(log, stone, &mut replayed, &mut by_controller).await?;
                }
            }
            self.shipped(last).await?;
        }
        for (controller, persons) in by_controller {
            self.tell_replayed(ControllerId(controller), persons).await?;
        }
        Ok(replayed)
    }

    /// Takes away from a person what a record says.
    async fn lay(
        &self,
        log: &Mutex<Log>,
        stone: &Stone,
        replayed: &mut Replayed,
        by_controller: &mut BTreeMap<i64, u64>,
    ) -> Result<()> {
        let controller = ControllerId(stone.controller);
        if self.policy.current().controller(controller).is_none() {
            replayed.unknown += 1;
            return Ok(());
        }
        replayed.persons += 1;
        let tag = stone.tag().and_then(|tag| self.vault.brought_forward(controller, tag, stone.number));
        let tag = tag.ok_or_else(|| {
            log.lock().unfit("was written under a key of tags that this copy does not have: restore a newer copy")
        })?;
        let changes = changes(controller, tag, stone)?;
        let touched: usize = self.engine.change(changes).await?.into_iter().sum();
        if touched > 0 {
            replayed.changed += 1;
            *by_controller.entry(controller.0).or_default() += 1;
        }
        if stone.restricted.iter().any(|(kind, _)| kind == write_restriction(Restriction::Erased)) {
            self.destroy_what_is_left(controller, tag).await?;
        }
        Ok(())
    }

    /// law.md R45: the ledger says that a copy was made up for, of how many.
    async fn tell_replayed(&self, controller: ControllerId, persons: u64) -> Result<()> {
        let bytes = self.system_entry(&SystemEvent {
            event: None,
            kind: EventType::RestoreReplayed,
            controller,
            agreement: None,
            instruction: None,
            counts: &[("persons", persons)],
            detail: b"restore",
            commitment: None,
            secret: None,
        })?;
        self.engine.append(vec![EntryRow { controller: controller.0, bytes }]).await
    }
}

/// What a record says of a person, as changes that take it away where it is not yet.
fn changes(controller: ControllerId, tag: RecipientTag, stone: &Stone) -> Result<Vec<(Change, Option<EntryRow>)>> {
    let mut changes = Vec::new();
    for (scope, reason, since, until) in &stone.suppressed {
        let (since, until) = (Timestamp::from_micros(*since), until.map(Timestamp::from_micros));
        changes.push(match SuppressionReason::from_word(reason) {
            // Of two opt-outs the later counts.
            Some(SuppressionReason::OptOut) => about(
                controller,
                tag,
                Step::new(
                    &sql::OPT_OUT,
                    vec![
                        controller.0.into(),
                        tag.0.into(),
                        scope.as_str().into(),
                        reason.as_str().into(),
                        since.into(),
                        until.into(),
                        Value::Null,
                    ],
                ),
            ),
            Some(reason) => Change::Suppress(SuppressionRow {
                controller: controller.0,
                tag: tag.0,
                scope: scope.clone(),
                reason: reason.as_str().into(),
                since,
                until,
                address: None,
            }),
            None => return Err(Error::Row { column: "suppression.reason" }),
        });
    }
    for (purpose, at) in &stone.left {
        let values = vec![controller.0.into(), tag.0.into(), (*purpose).into(), Timestamp::from_micros(*at).into()];
        changes.push(about(controller, tag, Step::new(&sql::BASIS_LEAVE, values)));
    }
    for (kind, since) in &stone.restricted {
        let kind = read_restriction(kind).ok_or(Error::Row { column: "restriction.kind" })?;
        let (kind, at) = (write_restriction(kind), Timestamp::from_micros(*since));
        changes.push(Change::Restrict { controller: controller.0, tag: tag.0, kind, at });
    }
    Ok(changes.into_iter().map(|change| (change, None)).collect())
}

fn about(controller: ControllerId, tag: RecipientTag, step: Step) -> Change {
    Change::Rows(Writes { controller: controller.0, person: Some(tag.0), reach: Reach::Rows, ..writes(vec![step]) })
}
