//! Decisions explained: on what a message was taken in, what the gate said each time since, and why somebody was
//! refused.
//!
//! Invariants: nothing is told but of the controller's own (another's is not there, GDPR Art. 32(1)(b)); what never
//! changes (versions of documents, evidence) is read where it stands and not kept twice; what lay under a destroyed
//! secret is not told. Never: a write.
//! Standards: GDPR Art. 5(2), 7(1).

mod evidence;
mod fact;

pub use fact::Fact;
pub(crate) use fact::refused_on;

use crate::engine::SlotRef;
use crate::error::{Error, Result};
use crate::facts::read_scope;
use crate::open::Store;
use crate::permission::EventView;
use crate::refusals::log::{Content, context};
use crate::spool::{Envelope, Grounds};
use crate::statement as sql;
use crate::value::Columns;
use crate::vault::{KeyKind, Secret, crypto};
use gate::Rule;
use model::basis::{BasisKind, Evidence};
use model::ids::hex;
use model::person::SuppressionScope;
use model::{
    AgreementId, BatchId, ControllerId, DecisionId, InstructionId, MessageId, PurposeId, RecipientTag, StreamId,
    Timestamp,
};

/// A decision and what led to it.
#[derive(Clone, Debug)]
pub struct DecisionView {
    /// Its public id: that of the message, or of the refusal.
    pub id: String,
    /// The person.
    pub tag: Option<RecipientTag>,
    /// The recipient, as long as that is kept.
    pub to: Option<String>,
    /// Where the message stands; nothing for what was never taken in.
    pub state: Option<String>,
    /// Name of the stream.
    pub stream: String,
    /// Name of the purpose or list.
    pub purpose: String,
    /// The agreement it rested on.
    pub agreement: Option<Paper>,
    /// The instruction it rested on.
    pub instruction: Option<Paper>,
    /// The basis it rested on.
    pub basis: Option<Basis>,
    /// Every time the gate was asked, oldest first.
    pub asked: Vec<Asked>,
}

/// A version of an agreement or an instruction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Paper {
    /// Its public id.
    pub id: String,
    /// Its version.
    pub version: i64,
}

/// The basis of an acceptance (GDPR Art. 6(1)).
#[derive(Clone, Debug, Default)]
pub struct Basis {
    /// What kinds carry it: one for a person's own record, or those of the purpose.
    pub kinds: Vec<BasisKind>,
    /// The contract, law or assessment behind a purpose's own basis.
    pub reference: Option<String>,
    /// When it was given.
    pub given: Option<Timestamp>,
    /// When the person confirmed it.
    pub confirmed: Option<Timestamp>,
    /// When it runs out.
    pub expires: Option<Timestamp>,
    /// How well it is shown.
    pub evidence: Option<Evidence>,
    /// The step that is its evidence.
    pub event: Option<EventView>,
    /// The words that were shown.
    pub shown: Option<Shown>,
    /// The import it came with, and what was said of that: JSON.
    pub import: Option<(BatchId, String)>,
}

/// Words that were shown to a person, by name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// Name, version and language of the notice.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// Its language.
    pub language: String,
    /// SHA-256 of its octets.
    pub sha256: [u8; 32],
}

/// At which moment the gate was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// Before it was taken in.
    Acceptance,
    /// Before MAIL of an attempt.
    BeforeMail,
    /// Before the final dot of an attempt: what was open was cut.
    BeforeFinalDot,
}

/// What the gate said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Yes.
    Passed,
    /// Not now.
    Held,
    /// No.
    Refused,
}

/// One time that the gate was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// When.
    pub at: Timestamp,
    /// At which moment.
    pub moment: Moment,
    /// Which attempt at delivery, from 1; 0 where there is none.
    pub attempt: u32,
    /// What it said.
    pub verdict: Verdict,
    /// The rule that fired.
    pub rule: Option<Rule>,
    /// What that fired on.
    pub facts: Vec<Fact>,
    /// Its entry in the ledger, 32 hexadecimal digits; nothing for a refusal, which is only counted there.
    pub event: Option<String>,
}

/// Refusals of a person that are told at once.
const TOLD_MAX: i64 = 100;

impl Store {
    /// The decisions about a message of this controller.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn decision_of_message(&self, controller: ControllerId, id: MessageId) -> Result<Option<DecisionView>> {
        let who = || vec![controller.0.into(), id.0.into()];
        let Some(mut row) = self.found(&sql::DECIDED, who()).await?.into_iter().next() else { return Ok(None) };
        let (stream, purpose) = (StreamId(row.number()?), PurposeId(row.number()?));
        let (agreement, instruction) = (row.number()?, row.number()?);
        let tag = RecipientTag(row.array()?);
        let slot = slot(row.number()?, row.number()?)?;
        let (accepted, state, rule) = (row.moment()?, row.text()?, row.text_if_any()?);
        let (event, envelope, grounds) = (row.array::<16>()?, row.octets()?, row.text_if_any()?);
        let secret = self.vault.secrets(&[(controller.0, slot)]).await?.pop().flatten();
        let to = secret.as_ref().and_then(|secret| Envelope::open(secret, id.0, &envelope).ok()).map(|open| open.to);
        let about = About { controller, tag, purpose };
        let mut asked = vec![Asked {
            at: accepted,
            moment: Moment::Acceptance,
            attempt: 0,
            verdict: if rule.is_some() { Verdict::Held } else { Verdict::Passed },
            rule: rule.as_deref().and_then(Rule::from_id),
            facts: Vec::new(),
            event: Some(hex(&event)),
        }];
        for attempt in self.found(&sql::DECIDED_AGAIN, who()).await? {
            self.asked_again(&about, attempt, &mut asked).await?;
        }
        let grounds = grounds.as_deref().and_then(Grounds::read);
        Ok(Some(DecisionView {
            id: self.public_id(id),
            tag: Some(tag),
            to,
            state: Some(state),
            stream: self.stream_name(controller, stream),
            purpose: self.purpose_name(controller, purpose),
            agreement: self.agreement_paper(controller, Some(agreement)).await?,
            instruction: self.instruction_paper(controller, Some(instruction)).await?,
            basis: match grounds {
                Some(grounds) => self.basis_of(&about, &grounds, accepted).await?,
                None => None,
            },
            asked,
        }))
    }

    /// One attempt: the gate was asked before its MAIL, and perhaps once more before its final dot.
    async fn asked_again(&self, about: &About, mut row: Columns, asked: &mut Vec<Asked>) -> Result<()> {
        let attempt = u32::try_from(row.number()?).map_err(|_| Error::Row { column: "attempt.attempt" })?;
        let (started, ended) = (row.moment_if_any()?, row.moment()?);
        let (word, rule, event) = (row.text()?, row.text_if_any()?, row.array::<16>()?);
        let event = Some(hex(&event));
        if let Some(at) = started {
            let (moment, verdict) = (Moment::BeforeMail, Verdict::Passed);
            asked.push(Asked { at, moment, attempt, verdict, rule: None, facts: Vec::new(), event: event.clone() });
        }
        let verdict = match word.as_str() {
            "stopped" => Verdict::Refused,
            "held" => Verdict::Held,
            _ => return Ok(()),
        };
        let moment = if started.is_some() { Moment::BeforeFinalDot } else { Moment::BeforeMail };
        let rule = rule.as_deref().and_then(Rule::from_id);
        let facts = match rule {
            Some(rule) => self.facts_then(about, rule, ended).await?,
            None => Vec::new(),
        };
        asked.push(Asked { at: ended, moment, attempt, verdict, rule, facts, event });
        Ok(())
    }

    /// A refusal of this controller, as long as it is kept.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn decision_of_refusal(&self, controller: ControllerId, id: DecisionId) -> Result<Option<DecisionView>> {
        self.flush_refusal_log().await?;
        match self.found(&sql::REFUSAL, vec![controller.0.into(), id.0.into()]).await?.into_iter().next() {
            Some(row) => self.refused(controller, row).await.map(Some),
            None => Ok(None),
        }
    }

    /// The refusals of a person that are kept, newest first.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn refusals_of(&self, controller: ControllerId, tag: RecipientTag) -> Result<Vec<DecisionView>> {
        self.flush_refusal_log().await?;
        let values = vec![controller.0.into(), tag.0.into(), TOLD_MAX.into()];
        let mut views = Vec::new();
        for row in self.found(&sql::REFUSALS_OF, values).await? {
            views.push(self.refused(controller, row).await?);
        }
        Ok(views)
    }

    async fn refused(&self, controller: ControllerId, mut row: Columns) -> Result<DecisionView> {
        let (id, at) = (DecisionId(row.number()?), row.moment()?);
        let (stream, purpose) = (StreamId(row.number()?), PurposeId(row.number()?));
        let (agreement, instruction) = (row.number_if_any()?, row.number_if_any()?);
        let rule = Rule::from_id(&row.text()?);
        let tag = row.octets_if_any()?.and_then(|tag| tag.try_into().ok()).map(RecipientTag);
        let (block, at_slot, epoch) = (row.number_if_any()?, row.number_if_any()?, row.number_if_any()?);
        let sealed = row.octets_if_any()?;
        let key = match (block, at_slot, epoch) {
            (Some(block), Some(at_slot), _) => {
                let secrets = self.vault.secrets(&[(controller.0, slot(block, at_slot)?)]).await?;
                secrets.into_iter().next().flatten().map(|secret: Secret| secret.wrap)
            }
            // An epoch key lives a few days: after that the rule and the time are what is left.
            (_, _, Some(epoch)) => self.vault.sought(controller.0, KeyKind::Epoch, epoch).await.ok(),
            _ => None,
        };
        let open = |sealed: Vec<u8>| crypto::open(key.as_deref()?, &context(id), &sealed, "refusal").ok();
        let content: Option<Content> = sealed.and_then(open).and_then(|plain| serde_json::from_slice(&plain).ok());
        let (to, mut facts) = content.map_or((None, Vec::new()), |content| (Some(content.to), content.facts));
        if let Some(tag) = tag {
            self.date_suppressions(controller, tag, &mut facts).await?;
        }
        Ok(DecisionView {
            id: self.public_id(id),
            tag,
            to,
            state: None,
            stream: self.stream_name(controller, stream),
            purpose: self.purpose_name(controller, purpose),
            agreement: self.agreement_paper(controller, agreement).await?,
            instruction: self.instruction_paper(controller, instruction).await?,
            basis: None,
            asked: vec![Asked {
                at,
                moment: Moment::Acceptance,
                attempt: 0,
                verdict: Verdict::Refused,
                rule,
                facts,
                event: None,
            }],
        })
    }

    /// Says since when suppressions stand, where they still do, and how far in the controller's own names.
    async fn date_suppressions(&self, controller: ControllerId, tag: RecipientTag, facts: &mut [Fact]) -> Result<()> {
        if !facts.iter().any(|fact| fact.scope.is_some()) {
            return Ok(());
        }
        let known = self.decided(controller, tag).await?.suppressions;
        for fact in facts {
            let Some(scope) = fact.scope.as_deref().and_then(read_scope) else { continue };
            fact.at = known.iter().find(|entry| entry.scope == scope).map(|entry| entry.since);
            fact.scope = Some(self.scope_name(controller, scope));
        }
        Ok(())
    }

    pub(crate) fn stream_name(&self, controller: ControllerId, id: StreamId) -> String {
        self.policy.current().stream(controller, id).map(|stream| stream.name.clone()).unwrap_or_default()
    }

    /// The name of a purpose or a list, whether or not it is over.
    #[must_use]
    pub fn purpose_name(&self, controller: ControllerId, id: PurposeId) -> String {
        let policy = self.policy.current();
        let known = policy.controller(controller).into_iter().flat_map(|known| &known.purposes);
        known.map(|one| &one.purpose).find(|one| one.id == id).map(|one| one.name.clone()).unwrap_or_default()
    }

    /// How far a suppression reaches, in the controller's own names: `all`, `marketing`, `delivery`, `purpose:NAME`,
    /// `list:NAME`.
    #[must_use]
    pub fn scope_name(&self, controller: ControllerId, scope: SuppressionScope) -> String {
        match scope {
            SuppressionScope::Purpose(id) => format!("purpose:{}", self.purpose_name(controller, id)),
            SuppressionScope::List(id) => format!("list:{}", self.purpose_name(controller, PurposeId(id.0))),
            SuppressionScope::All | SuppressionScope::Marketing | SuppressionScope::Delivery => {
                crate::facts::write_scope(scope)
            }
        }
    }

    async fn agreement_paper(&self, controller: ControllerId, id: Option<i64>) -> Result<Option<Paper>> {
        let Some(id) = id else { return Ok(None) };
        let rows = self.found(&sql::AGREEMENT_VERSION, vec![controller.0.into(), id.into()]).await?;
        let paper = |mut row: Columns| Ok(Paper { id: self.public_id(AgreementId(id)), version: row.number()? });
        rows.into_iter().next().map(paper).transpose()
    }

    async fn instruction_paper(&self, controller: ControllerId, id: Option<i64>) -> Result<Option<Paper>> {
        let Some(id) = id else { return Ok(None) };
        let rows = self.found(&sql::INSTRUCTION_VERSION, vec![controller.0.into(), id.into()]).await?;
        let paper = |mut row: Columns| Ok(Paper { id: self.public_id(InstructionId(id)), version: row.number()? });
        rows.into_iter().next().map(paper).transpose()
    }
}

/// Whom a decision was about, and for what.
pub(super) struct About {
    pub(super) controller: ControllerId,
    pub(super) tag: RecipientTag,
    pub(super) purpose: PurposeId,
}

fn slot(block: i64, slot: i64) -> Result<SlotRef> {
    Ok(SlotRef { block, slot: u8::try_from(slot).map_err(|_| Error::Row { column: "slot" })? })
}
