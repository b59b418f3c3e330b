//! Permission: documents both sides hold to, forms, evidence of consent, what people decided, whom not to mail.
//!
//! Invariants: what a person decided is in force when the verb returns (GDPR Art. 7(3), 21(3)); each act is one commit
//! with one leaf, and its details are sealed under the person's secret; an opt-out is taken back by the person alone.
//! Never: an address in a column in clear, or anything of one controller seen by another.

mod agreements;
mod choosing;
mod confirming;
mod consents;
mod documents;
mod evidence;
mod forms;
mod hosts;
mod importing;
mod imports;
mod informing;
mod instructions;
mod links;
mod method;
mod people;
mod recording;
mod retention;
mod suppressions;
mod wishes;

pub use agreements::{AgreementView, Concluded};
pub use choosing::Chosen;
pub use confirming::{Confirming, Evidenced, Renewed, Requested, Returning};
#[cfg(test)]
pub(crate) use consents::leave_basis;
pub use consents::{Act, Decision, Leaving};
pub use documents::{Document, DocumentKind, NewDocument, NewSignature, Side, Signature};
pub use evidence::{ActDecision, ActFacts, ConsentAct, Disclosure, Opening, Recorder, commitment};
pub use forms::{Form, FormState, NewForm};
pub(crate) use hosts::Shelf;
pub use hosts::{
    HostBook, HostInForce, HostState, HostToLook, HostToOrder, HostView, KeptCertificate, Looked, NewCertificate,
};
pub use importing::{ImportFate, ImportedBasis, ImportedPerson, ToldFates, WaitingRow};
pub use imports::{
    ImportCounts, ImportReceipt, ImportView, ImportedEvidence, QuarantineView, RunningImport, Undone, import_commitment,
};
pub use instructions::{Given, GivenPurpose, GivenStream, InstructionView};
pub use links::{Link, LinkTarget};
pub use method::Method;
pub use people::{BasisView, EventView, Preference, Standing, SuppressionView};
pub use recording::Recording;
#[cfg(test)]
pub(crate) use recording::put_basis;
#[cfg(test)]
pub(crate) use retention::{ending, staying};
pub use suppressions::{
    FileCounts, FileReceipt, Lifted, ListedSuppression, NewSuppression, SUPPRESSIONS_AT_ONCE, SuppressionCursor,
    SuppressionFilter, file_commitment,
};
pub use wishes::{Exercised, NoticeView, Right, WishView};

use crate::engine::{Change, Finding, Reach, SlotRef, Step, Writes};
use crate::error::{Error, Result};
use crate::open::Store;
use crate::statement::{self as sql, Statement};
use crate::value::{Columns, Value};
use crate::vault::{Secret, crypto};
use mail::address::{Address, NORMALISER_VERSION};
use model::event::EventType;
use model::{ControllerId, RecipientTag};

/// A person who is known by a secret.
pub(crate) struct Known {
    pub(crate) tag: RecipientTag,
    pub(crate) secret: Secret,
}

/// How often a secret is claimed for a person before somebody else's claim is believed.
const CLAIMS_MAX: u32 = 4;

impl Store {
    /// Rows that a statement finds, column by column.
    pub(crate) async fn found(&self, statement: &'static Statement, values: Vec<Value>) -> Result<Vec<Columns>> {
        let rows = self.engine.find(Finding { statement, values }).await?;
        Ok(rows.into_iter().map(|row| Columns::of(statement.name, row)).collect())
    }

    /// A person's secret, made if he has none, with his address kept under it. Nothing when he was erased.
    pub(crate) async fn known(&self, controller: ControllerId, address: &Address) -> Result<Option<Known>> {
        let tag = self.vault.tag(controller, address)?;
        for _ in 0..CLAIMS_MAX {
            let slot = self.slot_to_use(controller, tag).await?;
            let Some(mut slots) = self.slots(controller, &[(tag, slot)]).await? else { return Ok(None) };
            let Some(person) = slots.pop() else { return Err(Error::NotFound { what: "person" }) };
            let writes = claim(controller, tag, person.slot, &person.secret, address)?;
            // No leaf: that somebody is known is no event; what he does is.
            let touched = self.engine.change(vec![(Change::Rows(writes), None)]).await?;
            if touched.first().is_some_and(|rows| *rows > 0) {
                return Ok(Some(Known { tag, secret: person.secret }));
            }
        }
        Err(Error::NotFound { what: "person" })
    }

    /// The secret of a person of whom only the tag is known, to seal under it.
    pub(crate) async fn secret_to_use(&self, controller: ControllerId, tag: RecipientTag) -> Result<Option<Secret>> {
        let Some(slot) = self.slot_to_use(controller, tag).await? else { return Ok(None) };
        Ok(self.vault.secrets(&[(controller.0, slot)]).await?.pop().flatten())
    }

    /// The same, to read what lies under it.
    pub(crate) async fn secret_of(&self, controller: ControllerId, tag: RecipientTag) -> Result<Option<Secret>> {
        let Some(slot) = self.slot_of(controller, tag).await? else { return Ok(None) };
        Ok(self.vault.secrets(&[(controller.0, slot)]).await?.pop().flatten())
    }

    /// One act: its rows and its leaf, in one commit. True when the first of its steps changed something.
    pub(crate) async fn act(&self, kind: EventType, writes: Writes) -> Result<bool> {
        Ok(self.write(kind, Change::Rows(writes)).await? > 0)
    }

    /// The address of a person, as long as it is kept.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn address_of(&self, controller: ControllerId, tag: RecipientTag) -> Result<Option<Address>> {
        let rows = self.found(&sql::SUBJECT_OF, vec![controller.0.into(), tag.0.into()]).await?;
        let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
        let (_, _, sealed) = (row.number()?, row.number()?, row.octets_if_any()?);
        let (Some(sealed), Some(secret)) = (sealed, self.secret_of(controller, tag).await?) else { return Ok(None) };
        let plain = crypto::open(&secret.wrap, b"subject address", &sealed, "address")?;
        let text = String::from_utf8(plain).map_err(|_| Error::Sealed { what: "address" })?;
        Ok(Some(Address::parse(&text).map_err(|_| Error::Sealed { what: "address" })?))
    }
}

/// A person's secret becomes his, and his address is kept under it. No row is touched when he has another by now.
fn claim(
    controller: ControllerId,
    tag: RecipientTag,
    slot: SlotRef,
    secret: &Secret,
    address: &Address,
) -> Result<Writes> {
    let sealed = crypto::seal(&secret.wrap, b"subject address", address.to_wire().as_bytes())?;
    let claim = Step::new(
        &sql::SUBJECT_CLAIM,
        vec![
            controller.0.into(),
            tag.0.into(),
            slot.block.into(),
            i64::from(slot.slot).into(),
            i64::from(NORMALISER_VERSION).into(),
            sealed.into(),
            Value::Null,
        ],
    );
    Ok(Writes {
        controller: controller.0,
        person: Some(tag.0),
        reach: Reach::Nothing,
        what: "person",
        event: None,
        detail: [0; 32],
        steps: vec![claim],
    })
}
