//! Instructions as they were given, and what they say of purposes and streams (GDPR Art. 28(3)(a), 29).
//!
//! Invariants: an instruction comes into force in one commit with the purposes and streams it speaks of; one that is
//! held changes nothing, and the one before stays in force.

use super::*;
use crate::policy::number_list;
use model::basis::BasisKind;
use model::instruction::{InstructionState, Operation};
use model::purpose::PurposeText;
use model::stream::Terms;
use model::{AgreementId, DocumentId, InstructionId, PurposeId, StreamId, StreamKind, Timestamp};

/// An instruction to be given.
#[derive(Clone, Debug)]
pub struct Given {
    /// Its document.
    pub paper: DocumentId,
    /// SHA-256 of the document's octets.
    pub document: [u8; 32],
    /// The agreement in force, under which it was looked at.
    pub under: AgreementId,
    /// Its version.
    pub version: u32,
    /// Operations that the gate asks about.
    pub operations: Vec<Operation>,
    /// Messages in a UTC day.
    pub messages_per_day_max: u64,
    /// When the controller looks at it again.
    pub review: Timestamp,
    /// Its streams.
    pub streams: Vec<GivenStream>,
}

/// A stream of an instruction.
#[derive(Clone, Debug)]
pub struct GivenStream {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: StreamKind,
    /// The purposes it serves, at least one; the first is that of mail that names none.
    pub purposes: Vec<GivenPurpose>,
    /// How mail on it is treated.
    pub terms: Terms,
}

/// A purpose of an instruction.
#[derive(Clone, Debug)]
pub struct GivenPurpose {
    /// Its name.
    pub name: String,
    /// What may carry it.
    pub bases: Vec<BasisKind>,
    /// What it is, specific and in plain words: also the reference of a basis that is not each person's own.
    pub text: String,
    /// The language of the words, by its tag.
    pub language: String,
}

/// An instruction as it is kept.
#[derive(Clone, Debug)]
pub struct InstructionView {
    /// Its id.
    pub id: InstructionId,
    /// Its version.
    pub version: u32,
    /// Where it stands.
    pub state: InstructionState,
    /// Since when.
    pub from: Timestamp,
    /// Its streams.
    pub streams: Vec<StreamId>,
    /// Messages in a UTC day.
    pub messages_per_day_max: u64,
    /// Its document, where it is kept here.
    pub paper: Option<DocumentId>,
    /// When the controller looks at it again.
    pub review: Option<Timestamp>,
    /// SHA-256 of the document.
    pub document: Option<[u8; 32]>,
}

/// What an instruction makes of purposes and streams: the writes, and the streams it covers.
struct Said {
    steps: Vec<Step>,
    streams: String,
}

impl Store {
    /// The controller gives an instruction that is in force at once, in the place of the one before. Nothing when a
    /// later one is in force by now, or another agreement than that under which it was looked at.
    ///
    /// # Errors
    /// [`Error::Exists`] when there is such a version, or when a stream or purpose has the name of one of another kind.
    pub async fn give_instruction(&self, controller: ControllerId, new: &Given) -> Result<Option<InstructionId>> {
        self.catch_up().await?;
        let id = InstructionId(self.next_id());
        let said = self.said(controller, new)?;
        let mut steps = vec![given(controller, id, new, InstructionState::InForce, &said.streams, self.now())];
        steps.push(Step::new(&sql::INSTRUCTIONS_REPLACED, vec![controller.0.into(), id.0.into()]));
        steps.extend(said.steps);
        let word = InstructionState::InForce.as_str();
        let done = self.authority_act(controller, (None, Some(id)), "instruction", word, &new.document, steps).await?;
        Ok(done.then_some(id))
    }

    /// One that looks infringing is kept and told, and neither obeyed nor dropped (GDPR Art. 28(3), last subparagraph).
    /// Nothing under the same conditions as of [`Store::give_instruction`].
    ///
    /// # Errors
    /// [`Error::Exists`] when there is such a version.
    pub async fn hold_instruction(
        &self,
        controller: ControllerId,
        new: &Given,
        why: &str,
    ) -> Result<Option<InstructionId>> {
        let id = InstructionId(self.next_id());
        let steps = vec![
            given(controller, id, new, InstructionState::Held, "", self.now()),
            self.told(controller, "instruction-held", id.0, why)?,
        ];
        let word = InstructionState::Held.as_str();
        let done = self.authority_act(controller, (None, Some(id)), "instruction", word, &new.document, steps).await?;
        Ok(done.then_some(id))
    }

    /// One in force looks infringing from now on, since what it rests on has changed. False when it is not in force.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn hold_in_force(&self, controller: ControllerId, known: &InstructionView, why: &str) -> Result<bool> {
        let steps = vec![
            Step::new(&sql::INSTRUCTION_HELD, vec![controller.0.into(), known.id.0.into()]),
            self.told(controller, "instruction-held", known.id.0, why)?,
        ];
        let (names, word) = ((None, Some(known.id)), InstructionState::Held.as_str());
        let document = known.document.unwrap_or_default();
        self.authority_act(controller, names, "instruction", word, &document, steps).await
    }

    /// The controller confirms one that was held. False when it is not held any more, when a later one is in force, or
    /// another agreement than that under which it was looked at.
    ///
    /// # Errors
    /// As of [`Store::give_instruction`].
    pub async fn confirm_instruction(
        &self,
        controller: ControllerId,
        id: InstructionId,
        new: &Given,
        statement: &str,
    ) -> Result<bool> {
        self.catch_up().await?;
        let said = self.said(controller, new)?;
        let mut steps = vec![Step::new(
            &sql::INSTRUCTION_CONFIRMED,
            vec![
                controller.0.into(),
                id.0.into(),
                self.now().into(),
                words(&new.operations).into(),
                said.streams.clone().into(),
                at_most(new.messages_per_day_max).into(),
                new.under.0.into(),
            ],
        )];
        steps.push(Step::new(&sql::INSTRUCTIONS_REPLACED, vec![controller.0.into(), id.0.into()]));
        steps.push(self.told(controller, "instruction-confirmed", id.0, statement)?);
        steps.extend(said.steps);
        self.authority_act(controller, (None, Some(id)), "instruction", "confirmed", &new.document, steps).await
    }

    /// A controller's instructions, oldest first.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn instructions(&self, controller: ControllerId) -> Result<Vec<InstructionView>> {
        let rows = self.found(&sql::INSTRUCTIONS_OF, vec![controller.0.into()]).await?;
        let read = |mut row: Columns| {
            let id = InstructionId(row.number()?);
            let version = u32::try_from(row.number()?).map_err(|_| Error::Row { column: "instruction.version" })?;
            let state = InstructionState::from_word(&row.text()?).ok_or(Error::Row { column: "instruction.state" })?;
            let from = row.moment()?;
            let streams = crate::policy::numbers(&row.text()?, "instruction.streams")?;
            let streams = streams.into_iter().map(StreamId).collect();
            let messages_per_day_max = u64::try_from(row.number()?).unwrap_or_default();
            let (paper, review) = (row.number_if_any()?.map(DocumentId), row.moment_if_any()?);
            let document = row.octets_if_any()?.and_then(|octets| octets.try_into().ok());
            Ok(InstructionView { id, version, state, from, streams, messages_per_day_max, paper, review, document })
        };
        rows.into_iter().map(read).collect()
    }

    /// Purposes and streams as the instruction wants them. What is there keeps its id, its kind and, in other
    /// languages, its words.
    fn said(&self, controller: ControllerId, new: &Given) -> Result<Said> {
        let (mut steps, mut streams) = (Vec::new(), Vec::new());
        let mut made: Vec<(String, PurposeId)> = Vec::new();
        let known = self.streams(controller);
        for stream in &new.streams {
            self.can_keep(&stream.terms, stream.kind)?;
            let before = known.iter().find(|before| before.name == stream.name);
            if before.is_some_and(|before| before.kind != stream.kind) {
                return Err(Error::Exists { what: "stream" });
            }
            let id = before.map_or_else(|| StreamId(self.next_id()), |before| before.id);
            let mut serves = Vec::with_capacity(stream.purposes.len());
            for purpose in &stream.purposes {
                if let Some((_, known)) = made.iter().find(|(name, _)| *name == purpose.name) {
                    serves.push(known.0);
                    continue;
                }
                // A new stream's only purpose bears its id, as those of streams of before do.
                let own = (before.is_none() && stream.purposes.len() == 1).then(|| PurposeId::of_stream(id));
                let (step, purpose_id) = self.purpose_said(controller, stream.kind, purpose, own)?;
                steps.push(step);
                made.push((purpose.name.clone(), purpose_id));
                serves.push(purpose_id.0);
            }
            let about = stream.purposes.first().map(|purpose| purpose.text.clone()).unwrap_or_default();
            steps.push(Step::new(
                &sql::STREAM_SAID,
                vec![
                    id.0.into(),
                    controller.0.into(),
                    stream.name.clone().into(),
                    stream.kind.as_str().into(),
                    about.into(),
                    number_list(serves).into(),
                    serde_json::to_string(&stream.terms).map_err(|_| Error::Row { column: "stream.terms" })?.into(),
                ],
            ));
            streams.push(id.0);
        }
        Ok(Said { steps, streams: number_list(streams) })
    }

    fn purpose_said(
        &self,
        controller: ControllerId,
        kind: StreamKind,
        new: &GivenPurpose,
        own: Option<PurposeId>,
    ) -> Result<(Step, PurposeId)> {
        let before = self.purposes(controller).into_iter().find(|before| before.name == new.name);
        if before.as_ref().is_some_and(|before| before.kind != kind) {
            return Err(Error::Exists { what: "purpose" });
        }
        let taken = self.purpose_named(controller, &new.name);
        if before.is_none() && taken.is_some() {
            // A list has the name.
            return Err(Error::Exists { what: "purpose" });
        }
        let id = before.as_ref().map_or_else(|| own.unwrap_or_else(|| PurposeId(self.next_id())), |before| before.id);
        let mut texts = before.map(|before| before.texts.clone()).unwrap_or_default();
        // The title that people know stays.
        let title = texts.get(&new.language).map_or_else(|| new.name.clone(), |known| known.title.clone());
        texts.insert(new.language.clone(), PurposeText { title, description: new.text.clone() });
        let bases: Vec<&str> = new.bases.iter().map(|basis| basis.as_str()).collect();
        let values = vec![
            id.0.into(),
            controller.0.into(),
            new.name.clone().into(),
            kind.as_str().into(),
            bases.join(",").into(),
            new.text.clone().into(),
            serde_json::to_string(&texts).map_err(|_| Error::Row { column: "purpose.texts" })?.into(),
            self.now().into(),
        ];
        Ok((Step::new(&sql::PURPOSE_SAID, values), id))
    }
}

fn given(
    controller: ControllerId,
    id: InstructionId,
    new: &Given,
    state: InstructionState,
    streams: &str,
    now: Timestamp,
) -> Step {
    let values = vec![
        id.0.into(),
        controller.0.into(),
        new.version.into(),
        state.as_str().into(),
        now.into(),
        words(&new.operations).into(),
        streams.into(),
        at_most(new.messages_per_day_max).into(),
        new.paper.0.into(),
        new.review.into(),
        new.document.into(),
        new.under.0.into(),
    ];
    Step::new(&sql::INSTRUCTION_GIVEN, values)
}

fn words(operations: &[Operation]) -> String {
    operations.iter().map(|operation| operation.as_str()).collect::<Vec<_>>().join(",")
}

/// A number beyond the column's range means `as many as there are`.
fn at_most(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
