//! Whether a record says what its acts say, and what it is worth then: for who has the file alone.
//!
//! Invariants: purposes, decisions, moments, ways, words, who says it and of what kind it is follow from the acts, and
//! a record that differs in one of them is refused. What acts do not say (contacts, storage, the end of a consent) is
//! taken as the record has it: it is bound by the leaf of the export alone.

#[cfg(test)]
mod tests;

use super::acts::{ALL, Account, ActRead};
use super::basis_record::{steps, term};
use super::json_ld::{purpose_id, statuses};
use super::{
    By, ConsentEvidence, Defect, EvidenceFault, FormShown, NoticeShown, PartyShown, PurposeDecision, PurposeKind,
    Standing, Status, Storage, SubjectReference, refuse_as_evidence,
};
use crate::document::canonical::Sha256;
use crate::document::notice::LanguageTag;
use crate::document::terms::{DataCategory, PlainCategory, Region};
use model::Timestamp;
use model::basis::BasisKind;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What a file that is whole is worth.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Worth {
    /// What it lacks as evidence of a consent.
    pub lacks: Vec<Defect>,
    /// Of a basis that is no consent: its kind.
    pub other_basis: Option<BasisKind>,
    /// Is the newest word that it ends (GDPR Art. 7(3)), or has it run out? The record says so too.
    pub has_ended: bool,
}

/// The record beside its acts, oldest first.
///
/// # Errors
/// [`EvidenceFault::Differs`] with the first fact that does not follow from them; [`EvidenceFault::NoAct`] when there
/// is nothing that it could follow from.
pub(super) fn judged(record: &Value, acts: &[ActRead], has_import: bool) -> Result<Worth, EvidenceFault> {
    if acts.is_empty() && !has_import {
        return Err(EvidenceFault::NoAct);
    }
    let named: BTreeSet<&str> = acts.iter().flat_map(ActRead::named).collect();
    let mut purposes: Vec<&str> =
        named.into_iter().filter(|purpose| acts.iter().all(|act| act.is_about(purpose))).collect();
    let own = Shown::of(record).purposes;
    if let ([], [only]) = (purposes.as_slice(), own.as_slice()) {
        purposes.push(only);
    }
    let (mut worth, mut first) = (None, None);
    // Which purpose was asked for is not said: it is one that each act is about.
    for purpose in purposes {
        let rebuilding = Rebuilding { record, account: Account::of(acts, purpose) };
        match rebuilding.judged(has_import) {
            Ok(one) => worth = worth.or(Some(one)),
            Err(fault) => first = first.or(Some(fault)),
        }
    }
    worth.ok_or_else(|| first.unwrap_or(EvidenceFault::Differs("purpose")))
}

/// What a record says, as it stands there.
struct Shown<'a> {
    is_consent: bool,
    processes: Vec<&'a Value>,
    purposes: Vec<&'a str>,
}

impl<'a> Shown<'a> {
    fn of(record: &'a Value) -> Self {
        let is_consent = record.get("@type").and_then(Value::as_str) == Some("dpv:ConsentRecord");
        let all = |name: &str| record.get(name).and_then(Value::as_array).into_iter().flatten();
        let processes: Vec<&Value> = if is_consent {
            all("dpv:hasProcess").filter_map(|process| process.get("dpv:hasPurpose")).collect()
        } else {
            all("dpv:hasPurpose").collect()
        };
        let purposes = processes.iter().filter_map(|one| text(one, "dct:identifier")).collect();
        Self { is_consent, processes, purposes }
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

struct Rebuilding<'a> {
    record: &'a Value,
    account: Account<'a>,
}

impl Rebuilding<'_> {
    fn judged(&self, has_import: bool) -> Result<Worth, EvidenceFault> {
        let differs = EvidenceFault::Differs;
        let shown = Shown::of(self.record);
        let given = self.account.given_act();
        if given.is_none() && !has_import {
            return Err(EvidenceFault::NoAct);
        }
        let kind = self.kind(&shown)?;
        let id = text(self.record, "dct:identifier").unwrap_or_default();
        if given.is_some_and(|given| given.event != id) {
            return Err(differs("act"));
        }
        let base = text(self.record, "@id").unwrap_or_default();
        let class = if shown.is_consent { "consent" } else { "basis" };
        if base != format!("urn:x-postern:{class}:{}", super::json_ld::iri_part(id)) {
            return Err(differs("identifier"));
        }
        let notice = self.record.pointer("/dpv:hasNotice/schema:sha256").and_then(Value::as_str);
        if given.is_some_and(|given| given.notice.as_deref() != notice) {
            return Err(differs("notice"));
        }
        let mut evidence = self.evidence(id, &shown)?;
        // Version 1 does not say whether it was confirmed.
        let standings = match self.account.standing() {
            Some(standing) => vec![standing],
            None => vec![Standing::Confirmed, Standing::Unconfirmed],
        };
        let follows = standings.into_iter().any(|standing| {
            evidence.standing = standing;
            self.follows(&evidence, &shown, base)
        });
        if !follows {
            return Err(differs("decision, time, method or recorder"));
        }
        let has_run_out = self.stated(&shown).iter().any(is_expiry);
        let (lacks, other_basis) =
            if shown.is_consent { (refuse_as_evidence(&evidence), None) } else { (Vec::new(), Some(kind)) };
        Ok(Worth { lacks, other_basis, has_ended: has_run_out || self.account.is_withdrawn() })
    }

    /// The kind of basis, which type and term of the record say.
    fn kind(&self, shown: &Shown<'_>) -> Result<BasisKind, EvidenceFault> {
        use BasisKind::{Consent, Contract, LegalObligation, LegitimateInterest, SoftOptIn};
        let stated = text(self.record, "dpv:hasLegalBasis");
        let all = [Consent, SoftOptIn, Contract, LegalObligation, LegitimateInterest];
        let kind = all.into_iter().find(|kind| Some(term(*kind)) == stated);
        let kind = kind.ok_or(EvidenceFault::Differs("legal basis"))?;
        let is_said = self.account.kind().is_none_or(|said| said == kind) && !self.account.is_mixed();
        if is_said && (kind == Consent) == shown.is_consent {
            Ok(kind)
        } else {
            Err(EvidenceFault::Differs("legal basis"))
        }
    }

    /// What the acts give, and of the rest what the record has.
    fn evidence(&self, id: &str, shown: &Shown<'_>) -> Result<ConsentEvidence, EvidenceFault> {
        let (account, record) = (&self.account, self.record);
        let first = account.first_act();
        let controllers = parties(record, "dpv:hasDataController");
        let name = first.and_then(|act| act.seen("controller"));
        if name.is_some_and(|name| controllers.first().is_none_or(|one| one.name != name)) {
            return Err(EvidenceFault::Differs("controller"));
        }
        let withdrawal = record.pointer("/dpv:hasConsentControl/0/dpv:isExercisedAt").and_then(Value::as_str);
        let right = record.pointer("/dpv:hasRight/0/dpv:isExercisedAt").and_then(Value::as_str);
        let seen = first.and_then(|act| act.seen("withdrawal"));
        if shown.is_consent && (withdrawal != seen.as_deref() || right != withdrawal) {
            return Err(EvidenceFault::Differs("way to withdraw"));
        }
        let source = record.pointer("/dct:source/dct:identifier").and_then(Value::as_str);
        let has_form = first.is_some_and(|act| act.form.is_some() || act.method == "page");
        if source.is_some() && !has_form {
            return Err(EvidenceFault::Differs("source"));
        }
        let jurisdiction = text(record, "dpv:hasJurisdiction").and_then(|one| one.strip_prefix("loc:"));
        if jurisdiction.is_some() && account.is_told() {
            return Err(EvidenceFault::Differs("jurisdiction"));
        }
        let purposes = self.purposes(shown)?;
        let ids: Vec<String> = purposes.iter().map(|purpose| purpose.id.clone()).collect();
        let has_data = record.pointer("/dpv:hasProcess/0/dpv:hasPersonalData/0").is_some();
        let mut events = account.events(&ids);
        events.sort_by_key(|event| event.at);
        Ok(ConsentEvidence {
            record_id: id.to_owned(),
            subject: SubjectReference(
                record
                    .pointer("/dpv:hasDataSubject/dct:identifier")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned(),
            ),
            controllers,
            processor: parties(record, "dpv:hasDataProcessor").pop().unwrap_or_else(nobody),
            purposes,
            notice: notice(record),
            personal_data: if has_data { vec![DataCategory::Plain(PlainCategory::Email)] } else { Vec::new() },
            recipients: Vec::new(),
            storage: Storage { regions: Vec::new(), days_after_end: None },
            jurisdiction: jurisdiction.and_then(|one| Region::parse(one).ok()),
            withdrawal_shown: seen,
            method: account.method(),
            action: account.action(),
            freedom: account.freedom(),
            told_by: account.told_by(),
            standing: Standing::Confirmed,
            given_at: account.given_at().or_else(|| self.told_at(shown)),
            expires_at: self
                .stated(shown)
                .iter()
                .find_map(|one| one.pointer("/dpv:hasDuration/rdf:value").and_then(Value::as_str).and_then(moment)),
            confirmation: account.confirmation(),
            source: source.and_then(|text| {
                let (form, version) = text.rsplit_once('@')?;
                Some(FormShown { form: form.to_owned(), version: version.parse().ok()?, page_origin: None })
            }),
            events,
        })
    }

    /// Of an import no act says when: as the record has it.
    fn told_at(&self, shown: &Shown<'_>) -> Option<Timestamp> {
        self.stated(shown).iter().find_map(|one| text(one, "dpv:isIndicatedAtTime").and_then(moment))
    }

    /// The purposes, each with its words and what was decided.
    fn purposes(&self, shown: &Shown<'_>) -> Result<Vec<PurposeDecision>, EvidenceFault> {
        use super::Decision::Given;
        let decisions = self.account.decisions();
        let expected: Vec<(&str, Option<&str>, super::Decision)> = match self.account.first_act() {
            Some(_) => {
                decisions.iter().map(|(one, what)| (one.purpose.as_str(), one.words.as_deref(), *what)).collect()
            }
            None => shown.purposes.iter().map(|id| (*id, None, Given)).collect(),
        };
        if expected.len() != shown.processes.len() {
            return Err(EvidenceFault::Differs("purpose"));
        }
        let base = text(self.record, "@id").unwrap_or_default();
        let choice = self.account.choice();
        let mut purposes = Vec::new();
        for ((id, words, decision), stated) in expected.into_iter().zip(&shown.processes) {
            let is_its_own = text(stated, "dct:identifier") == Some(id)
                && (!shown.is_consent || text(stated, "@id") == Some(purpose_id(base, id).as_str()));
            if id == ALL || !is_its_own {
                return Err(EvidenceFault::Differs("purpose"));
            }
            let said = text(stated, "dct:description").unwrap_or_default();
            if words.is_some_and(|words| words != Sha256::of(said.as_bytes()).to_string()) {
                return Err(EvidenceFault::Differs("words of a purpose"));
            }
            let (id, text, kind) = (id.to_owned(), said.to_owned(), PurposeKind::DirectMarketing);
            purposes.push(PurposeDecision { id, text, kind, decision, choice });
        }
        Ok(purposes)
    }

    /// What the record states to have happened.
    fn stated(&self, shown: &Shown<'_>) -> Vec<Value> {
        let name = if shown.is_consent { "dpv:hasConsentStatus" } else { "postern:steps" };
        self.record.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
    }

    /// Do the record's states follow? That it ran out is said by no act.
    fn follows(&self, evidence: &ConsentEvidence, shown: &Shown<'_>, base: &str) -> bool {
        let expected = if shown.is_consent { statuses(evidence, base) } else { steps(evidence) };
        let Ok(expected) = expected else { return false };
        let stated: Vec<Value> = self.stated(shown).into_iter().filter(|one| !is_expiry(one)).collect();
        stated == expected
    }
}

fn is_expiry(status: &Value) -> bool {
    let is_step = status.get("@type").is_none() && text(status, "dpv:isIndicatedBy") == Some(By::Processor.as_str());
    is_step || status.get("@type") == Some(&json!([Status::Expired.as_str()]))
}

fn moment(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_seconds(at.as_second()))
}

fn nobody() -> PartyShown {
    PartyShown { name: String::new(), contact: String::new() }
}

fn parties(record: &Value, role: &str) -> Vec<PartyShown> {
    let one = |party: &Value| {
        let said = |name: &str| text(party, name).unwrap_or_default().to_owned();
        PartyShown { name: said("dpv:hasName"), contact: said("dpv:hasContact") }
    };
    record.get(role).and_then(Value::as_array).into_iter().flatten().map(one).collect()
}

fn notice(record: &Value) -> Option<NoticeShown> {
    let notice = record.get("dpv:hasNotice")?;
    Some(NoticeShown {
        sha256: Sha256::from_hex(text(notice, "schema:sha256")?).ok()?,
        language: text(notice, "dct:language").and_then(|one| LanguageTag::parse(one).ok()),
        version: notice.get("schema:version").and_then(Value::as_u64).and_then(|one| u32::try_from(one).ok())?,
        url: None,
    })
}
