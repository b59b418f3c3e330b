//! The controller's suppression list: written by his systems and by files, listed, and never shared.
//!
//! Invariants: an entry gives way only to something stronger (see the statement); the controller takes back what he or
//! a bounce said, never what a person wished (GDPR Art. 21(3)).

use super::*;
use crate::engine::{SlotRef, SuppressionRow};
use crate::facts::{read_scope, write_scope};
use model::Timestamp;
use model::person::{SuppressionReason, SuppressionScope};

/// An entry of the list.
#[derive(Clone, Debug)]
pub struct ListedSuppression {
    /// Whom: as the controller's own key makes it of the address.
    pub tag: RecipientTag,
    /// The address, as long as it is kept.
    pub address: Option<String>,
    /// How far.
    pub scope: SuppressionScope,
    /// Why.
    pub reason: SuppressionReason,
    /// Since.
    pub since: Timestamp,
    /// Until (bounces only).
    pub until: Option<Timestamp>,
}

/// After which entry a page begins. Opaque to clients.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SuppressionCursor {
    /// Person.
    pub tag: RecipientTag,
    /// Scope.
    pub scope: String,
}

const SEALED: &[u8] = b"suppression address";

impl Store {
    /// Suppresses a person. An entry of the same scope gives way only to something stronger: what the person wished
    /// himself before what a bounce or the controller says, what lasts before what ends. The address is kept under the
    /// person's secret, for the list. True when it changed something.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn suppress(
        &self,
        controller: ControllerId,
        address: &Address,
        scope: SuppressionScope,
        reason: SuppressionReason,
    ) -> Result<bool> {
        // Whoever was erased is suppressed by his tag alone.
        let known = self.known(controller, address).await?;
        let tag = match &known {
            Some(known) => known.tag,
            None => self.vault.tag(controller, address)?,
        };
        let sealed =
            known.map(|known| crypto::seal(&known.secret.wrap, SEALED, address.to_wire().as_bytes())).transpose()?;
        let row = SuppressionRow {
            controller: controller.0,
            tag: tag.0,
            scope: write_scope(scope),
            reason: reason.as_str().into(),
            since: self.now(),
            until: None,
            address: sealed,
        };
        Ok(self.write(EventType::Suppressed, Change::Suppress(row)).await? > 0)
    }

    /// The same for a person who acts himself, of whom only the tag is known.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn suppress_person(
        &self,
        controller: ControllerId,
        tag: RecipientTag,
        scope: SuppressionScope,
        reason: SuppressionReason,
    ) -> Result<bool> {
        let row = SuppressionRow {
            controller: controller.0,
            tag: tag.0,
            scope: write_scope(scope),
            reason: reason.as_str().into(),
            since: self.now(),
            until: None,
            address: None,
        };
        Ok(self.write(EventType::Suppressed, Change::Suppress(row)).await? > 0)
    }

    /// Takes back what the controller or a bounce said. True when there was such an entry.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn lift_suppression(
        &self,
        controller: ControllerId,
        address: &Address,
        scope: SuppressionScope,
    ) -> Result<bool> {
        let tag = self.vault.tag(controller, address)?;
        let word = write_scope(scope);
        let detail = crypto::sha256_of_fields(&[b"lifted", word.as_bytes()]);
        let lift = Step::new(&sql::SUPPRESSION_LIFT, vec![controller.0.into(), tag.0.into(), word.into()]);
        let writes = Writes {
            controller: controller.0,
            person: Some(tag.0),
            reach: Reach::Rows,
            what: "suppression",
            event: None,
            detail,
            steps: vec![lift],
        };
        self.act(EventType::SuppressionLifted, writes).await
    }

    /// A page of the controller's list, and where the next begins; nothing when this was the last.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn suppressions(
        &self,
        controller: ControllerId,
        after: &SuppressionCursor,
        limit: usize,
    ) -> Result<(Vec<ListedSuppression>, Option<SuppressionCursor>)> {
        let rows = self
            .found(
                &sql::SUPPRESSIONS_FROM,
                vec![
                    controller.0.into(),
                    after.tag.0.into(),
                    after.scope.as_str().into(),
                    i64::try_from(limit).unwrap_or(i64::MAX).into(),
                ],
            )
            .await?;
        let is_full = rows.len() == limit;
        let (mut listed, mut sealed) = (Vec::with_capacity(rows.len()), Vec::new());
        let mut next = None;
        for mut row in rows {
            let (tag, word) = (RecipientTag(row.array()?), row.text()?);
            next = Some(SuppressionCursor { tag, scope: word.clone() });
            let entry = ListedSuppression {
                tag,
                address: None,
                scope: read_scope(&word).ok_or(Error::Row { column: "suppression.scope" })?,
                reason: SuppressionReason::from_word(&row.text()?)
                    .ok_or(Error::Row { column: "suppression.reason" })?,
                since: row.moment()?,
                until: row.moment_if_any()?,
            };
            let (address, block, slot) = (row.octets_if_any()?, row.number_if_any()?, row.number_if_any()?);
            if let (Some(address), Some(block), Some(slot)) = (address, block, slot) {
                let slot = u8::try_from(slot).map_err(|_| Error::Row { column: "subject.slot" })?;
                sealed.push((listed.len(), SlotRef { block, slot }, address));
            }
            listed.push(entry);
        }
        let slots: Vec<_> = sealed.iter().map(|(_, slot, _)| (controller.0, *slot)).collect();
        let secrets = self.vault.secrets(&slots).await?;
        for ((at, _, address), secret) in sealed.into_iter().zip(secrets) {
            // An address that does not open any more is that of an erased person: the tag stays.
            let open = |secret: Secret| crypto::open(&secret.wrap, SEALED, &address, "address").ok();
            let text = secret.and_then(open).and_then(|plain| String::from_utf8(plain).ok());
            if let Some(entry) = listed.get_mut(at) {
                entry.address = text;
            }
        }
        Ok((listed, next.filter(|_| is_full)))
    }
}
