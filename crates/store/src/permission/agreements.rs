//! Agreements that both sides signed: when they begin, rest and end (GDPR Art. 28(3)).
//!
//! Invariants: of one controller's agreements the newest that has begun counts; what it replaces is over. Every change
//! of state is one commit with its leaf, and whoever decides afterwards knows of it.

use super::*;
use crate::engine::EntryRow;
use crate::journal::SystemEvent;
use model::agreement::AgreementState;
use model::{AgreementId, DocumentId, InstructionId, Timestamp};

/// An agreement that both sides signed.
#[derive(Clone, Copy, Debug)]
pub struct Concluded {
    /// The document they signed.
    pub paper: DocumentId,
    /// SHA-256 of its octets.
    pub document: [u8; 32],
    /// Its version.
    pub version: u32,
    /// It begins then, or at once.
    pub from: Timestamp,
    /// It ends then, if that is said.
    pub until: Option<Timestamp>,
    /// When the parties look at it again.
    pub review: Option<Timestamp>,
    /// When the operator signed it himself; nothing where his signature is what he offers to everybody.
    pub own_hand: Option<Timestamp>,
}

/// An agreement as it is kept.
#[derive(Clone, Debug)]
pub struct AgreementView {
    /// Its id.
    pub id: AgreementId,
    /// Its version.
    pub version: u32,
    /// Where it stands.
    pub state: AgreementState,
    /// Since when, or from when.
    pub from: Timestamp,
    /// Until when.
    pub until: Option<Timestamp>,
    /// SHA-256 of what was signed.
    pub document: [u8; 32],
    /// The document, where it is kept here.
    pub paper: Option<DocumentId>,
    /// When the parties look at it again.
    pub review: Option<Timestamp>,
    /// Which side moved it last: `controller` or `processor`.
    pub moved_by: Option<String>,
}

impl Store {
    /// Both sides have signed: in force from its day on, at the earliest now. Nothing where the operator stopped what
    /// went before and has not signed this one by his own hand since.
    ///
    /// # Errors
    /// [`Error::Exists`] when there is such a version.
    pub async fn conclude_agreement(&self, controller: ControllerId, new: &Concluded) -> Result<Option<AgreementId>> {
        let (id, now) = (AgreementId(self.next_id()), self.now());
        let from = new.from.max(now);
        let state = if from <= now { AgreementState::InForce } else { AgreementState::Signed };
        let insert = Step::new(
            &sql::AGREEMENT_CONCLUDED,
            vec![
                id.0.into(),
                controller.0.into(),
                new.version.into(),
                state.as_str().into(),
                from.into(),
                new.until.into(),
                new.document.into(),
                new.paper.0.into(),
                new.review.into(),
                new.own_hand.into(),
            ],
        );
        let mut steps = vec![insert];
        if state == AgreementState::InForce {
            steps.push(replaced(controller, new.version, now));
        }
        let names = (Some(id), None);
        let done = self.authority_act(controller, names, "agreement", state.as_str(), &new.document, steps).await?;
        Ok(done.then_some(id))
    }

    /// One side moves an agreement from one state to another. False when it stood elsewhere meanwhile.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn move_agreement(
        &self,
        controller: ControllerId,
        known: &AgreementView,
        to: AgreementState,
        by: Side,
    ) -> Result<bool> {
        let until = (to == AgreementState::Ended).then(|| self.now());
        let values = vec![
            controller.0.into(),
            known.id.0.into(),
            known.state.as_str().into(),
            to.as_str().into(),
            by.as_str().into(),
            until.into(),
            self.now().into(),
        ];
        let mut steps = vec![Step::new(&sql::AGREEMENT_MOVED, values)];
        if to == AgreementState::Ended && by == Side::Processor {
            // Else the controller's next one, signed ahead, would take up what the operator ended.
            let values = vec![controller.0.into(), by.as_str().into(), self.now().into()];
            steps.push(Step::new(&sql::AGREEMENTS_WAITING_END, values));
        }
        let names = (Some(known.id), None);
        self.authority_act(controller, names, "agreement", to.as_str(), &known.document, steps).await
    }

    /// A controller's agreements, oldest first.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn agreements(&self, controller: ControllerId) -> Result<Vec<AgreementView>> {
        let rows = self.found(&sql::AGREEMENTS_OF, vec![controller.0.into()]).await?;
        let read = |mut row: Columns| {
            let id = AgreementId(row.number()?);
            let version = u32::try_from(row.number()?).map_err(|_| Error::Row { column: "agreement.version" })?;
            let state = AgreementState::from_word(&row.text()?).ok_or(Error::Row { column: "agreement.state" })?;
            let (from, until, document) = (row.moment()?, row.moment_if_any()?, row.array()?);
            let (paper, review) = (row.number_if_any()?.map(DocumentId), row.moment_if_any()?);
            let moved_by = row.text_if_any()?;
            Ok(AgreementView { id, version, state, from, until, document, paper, review, moved_by })
        };
        rows.into_iter().map(read).collect()
    }

    /// Agreements whose day has come begin or end, and the controller is reminded of what should be looked at again
    /// (GDPR Art. 28(1): the duty to use a fit processor does not end with the signature).
    ///
    /// Answers whose agreement began: what they instruct may lie outside it.
    ///
    /// # Errors
    /// Those of the engine; what was not done is done the next time.
    pub async fn turn_agreements(&self) -> Result<Vec<ControllerId>> {
        let (now, mut began) = (self.now(), Vec::new());
        for mut row in self.found(&sql::AGREEMENTS_DUE, vec![now.into()]).await? {
            let (id, controller) = (AgreementId(row.number()?), ControllerId(row.number()?));
            let version = u32::try_from(row.number()?).map_err(|_| Error::Row { column: "agreement.version" })?;
            let state = AgreementState::from_word(&row.text()?).ok_or(Error::Row { column: "agreement.state" })?;
            let known = self.agreements(controller).await?.into_iter().find(|known| known.id == id);
            let Some(known) = known else { continue };
            if state == AgreementState::Signed {
                let begun = Step::new(&sql::AGREEMENT_BEGUN, vec![controller.0.into(), id.0.into(), now.into()]);
                let steps = vec![begun, replaced(controller, version, now)];
                let word = AgreementState::InForce.as_str();
                self.authority_act(controller, (Some(id), None), "agreement", word, &known.document, steps).await?;
                began.push(controller);
            } else {
                let ended = AgreementState::Ended.as_str();
                let values = vec![
                    controller.0.into(),
                    id.0.into(),
                    state.as_str().into(),
                    ended.into(),
                    Value::Null,
                    known.until.into(),
                    now.into(),
                ];
                let steps = vec![Step::new(&sql::AGREEMENT_MOVED, values)];
                self.authority_act(controller, (Some(id), None), "agreement", ended, &known.document, steps).await?;
            }
        }
        for (statement, kind) in
            [(&sql::AGREEMENT_REVIEWS, "agreement-review"), (&sql::INSTRUCTION_REVIEWS, "instruction-review")]
        {
            for mut row in self.found(statement, vec![now.into()]).await? {
                let (about, controller) = (row.number()?, ControllerId(row.number()?));
                self.tell_controller(
                    controller,
                    kind,
                    about,
                    "the day on which you wanted to look at it again has come",
                )
                .await?;
            }
        }
        Ok(began)
    }

    /// One change of what both sides hold to: its rows, and the leaf that names the agreement or instruction itself.
    pub(super) async fn authority_act(
        &self,
        controller: ControllerId,
        (agreement, instruction): (Option<AgreementId>, Option<InstructionId>),
        what: &'static str,
        state: &str,
        document: &[u8; 32],
        steps: Vec<Step>,
    ) -> Result<bool> {
        self.catch_up().await?;
        let id = agreement.map(|id| id.0).or(instruction.map(|id| id.0)).unwrap_or_default();
        let fields: [&[u8]; 4] = [what.as_bytes(), &id.to_be_bytes(), state.as_bytes(), document];
        let detail = crypto::sha256_of_fields(&fields);
        let kind = if agreement.is_some() { EventType::AgreementChanged } else { EventType::InstructionChanged };
        let bytes = self.system_entry(&SystemEvent {
            event: None,
            kind,
            controller,
            agreement,
            instruction,
            counts: &[],
            detail: &detail,
            commitment: None,
            secret: None,
        })?;
        let (reach, event, person) = (Reach::Accounts, None, None);
        let writes = Writes { controller: controller.0, person, reach, what, event, detail, steps };
        let entry = EntryRow { controller: controller.0, bytes };
        let touched = self.engine.change(vec![(Change::Rows(writes), Some(entry))]).await?;
        Ok(touched.first().is_some_and(|rows| *rows > 0))
    }
}

fn replaced(controller: ControllerId, version: u32, now: Timestamp) -> Step {
    Step::new(&sql::AGREEMENTS_REPLACED, vec![controller.0.into(), version.into(), now.into()])
}
