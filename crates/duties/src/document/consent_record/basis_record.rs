//! The record of a basis that is no consent: a contract, a soft opt-in, a legal obligation, a legitimate interest. It
//! is written as what it is, with a type of its own; nothing in it says that anybody consented.
//!
//! Never: a term of consent (`dpv:Consent…`, GDPR Art. 6(1)(a), 7).

use super::json_ld::{context, iri_part, moment, parties};
use super::{ConsentEvidence, PurposeDecision, RecordError};
use crate::document::canonical;
use model::basis::BasisKind;
use serde_json::{Map, Value, json};

/// Writes it. What is recorded of the person is in `evidence`, read as what `kind` is.
///
/// # Errors
/// [`RecordError`].
pub fn json_ld_of_basis(evidence: &ConsentEvidence, kind: BasisKind) -> Result<Vec<u8>, RecordError> {
    let mut record = Map::new();
    let mut put = |name: &str, value: Value| record.insert(name.to_owned(), value);
    let mut names = context();
    if let Value::Object(names) = &mut names {
        names.insert("postern".to_owned(), json!("urn:x-postern:terms:"));
    }
    put("@context", names);
    put("@id", json!(format!("urn:x-postern:basis:{}", iri_part(&evidence.record_id))));
    put("@type", json!("postern:BasisRecord"));
    put("dct:identifier", json!(evidence.record_id));
    put("dpv:hasDataSubject", json!({ "@type": "dpv:DataSubject", "dct:identifier": evidence.subject.0 }));
    put("dpv:hasDataController", parties(&evidence.controllers, "dpv:DataController"));
    put("dpv:hasDataProcessor", parties(std::slice::from_ref(&evidence.processor), "dpv:DataProcessor"));
    put("dpv:hasApplicableLaw", json!("legal-eu:law-GDPR"));
    put("dpv:hasLegalBasis", json!(term(kind)));
    let purpose = |one: &PurposeDecision| {
        let kinds = ["dpv:Purpose", one.kind.as_str()];
        json!({ "@type": kinds, "dct:identifier": one.id, "dct:description": one.text })
    };
    put("dpv:hasPurpose", Value::Array(evidence.purposes.iter().map(purpose).collect()));
    if let Some(notice) = &evidence.notice {
        let shown = json!({ "@type": "dpv:PrivacyNotice", "schema:version": notice.version,
            "schema:sha256": notice.sha256.to_string() });
        put("dpv:hasNotice", shown);
    }
    put("postern:steps", Value::Array(steps(evidence)?));
    Ok(canonical::to_bytes(&Value::Object(record))?)
}

/// The act itself, and what happened before and since.
pub(super) fn steps(evidence: &ConsentEvidence) -> Result<Vec<Value>, RecordError> {
    let mut recorded = Vec::new();
    if let Some(at) = evidence.given_at {
        let how = evidence.method.label(crate::document::terms::Language::English);
        recorded.push(step("recorded", at, evidence.told_by.as_str(), how)?);
    }
    for event in &evidence.events {
        let word = if event.status == super::Status::Withdrawn { "opted out" } else { "recorded" };
        recorded.push(step(word, event.at, event.by.as_str(), &event.method)?);
    }
    Ok(recorded)
}

fn step(what: &str, at: model::Timestamp, by: &str, how: &str) -> Result<Value, RecordError> {
    Ok(json!({
        "postern:step": what,
        "dpv:isIndicatedAtTime": moment(at)?,
        "dpv:isIndicatedBy": by,
        "dpv:hasIndicationMethod": how,
    }))
}

/// GDPR Art. 6(1); the soft opt-in is a rule of the ePrivacy Directive.
pub(super) const fn term(kind: BasisKind) -> &'static str {
    match kind {
        BasisKind::Consent => "eu-gdpr:A6-1-a",
        BasisKind::Contract => "eu-gdpr:A6-1-b",
        BasisKind::LegalObligation => "eu-gdpr:A6-1-c",
        BasisKind::LegitimateInterest => "eu-gdpr:A6-1-f",
        BasisKind::SoftOptIn => "postern:eprivacy-13-2",
    }
}
