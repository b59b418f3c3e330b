//! A consent as JSON-LD in the words of ISO/IEC TS 27560:2023 and the W3C Data Privacy Vocabulary 2.3.
//!
//! The context stands in the file, so nothing is loaded when it is read. Several values are an array, never a repeated
//! name. The bytes are canonical JSON: one record, one hash.

use super::{By, ConsentEvidence, Decision, NoticeShown, PartyShown, PurposeDecision, Standing, Status, StatusEvent};
use crate::document::CanonicalError;
use crate::document::canonical;
use crate::document::terms::{DataCategory, Language, PlainCategory, SpecialCategory};
use model::Timestamp;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// The profile of the vocabulary that the record follows.
const PROFILE: &str = "https://w3id.org/dpv/schema/dpv-27560#record-eu-gdpr";

/// A record that cannot be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecordError {
    /// A moment lies outside the years that a date can have.
    #[error("a moment of the record is outside the calendar")]
    OutsideCalendar,
    /// The record is too long.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

/// Writes the record. Whether it is evidence is asked of [`super::refuse_as_evidence`], not here: a defective record is
/// exported too, as the person's data (GDPR Art. 15).
///
/// # Errors
/// `RecordError`.
pub fn json_ld(evidence: &ConsentEvidence) -> Result<Vec<u8>, RecordError> {
    let base = format!("urn:x-postern:consent:{}", iri_part(&evidence.record_id));
    let mut record = Map::new();
    let mut put = |name: &str, value: Value| record.insert(name.to_owned(), value);
    put("@context", context());
    put("@id", json!(base));
    put("@type", json!("dpv:ConsentRecord"));
    put("dct:conformsTo", json!(PROFILE));
    put("dct:identifier", json!(evidence.record_id));
    put("dpv:hasDataSubject", json!({ "@type": "dpv:DataSubject", "dct:identifier": evidence.subject.0 }));
    put("dpv:hasDataController", parties(&evidence.controllers, "dpv:DataController"));
    put("dpv:hasDataProcessor", parties(std::slice::from_ref(&evidence.processor), "dpv:DataProcessor"));
    if let Some(region) = &evidence.jurisdiction {
        put("dpv:hasJurisdiction", json!(format!("loc:{}", region.as_str())));
    }
    put("dpv:hasApplicableLaw", json!("legal-eu:law-GDPR"));
    put("dpv:hasLegalBasis", json!("eu-gdpr:A6-1-a"));
    put("dpv:hasProcess", Value::Array(evidence.purposes.iter().map(|one| process(evidence, one, &base)).collect()));
    if let Some(notice) = &evidence.notice {
        put("dpv:hasNotice", notice_shown(notice));
    }
    if let Some(way) = &evidence.withdrawal_shown {
        put("dpv:hasConsentControl", json!([{ "@type": "dpv:WithdrawConsent", "dpv:isExercisedAt": way }]));
        let title = "Right to withdraw consent";
        let right = json!({ "@type": ["dpv:DataSubjectRight", "eu-gdpr:A7-3"], "dct:title": title,
            "dpv:isExercisedAt": way });
        put("dpv:hasRight", json!([right]));
    }
    if let Some(source) = &evidence.source {
        let mut form = Map::new();
        form.insert("dct:identifier".into(), json!(format!("{}@{}", source.form, source.version)));
        if let Some(origin) = &source.page_origin {
            form.insert("schema:url".into(), json!(origin));
        }
        put("dct:source", Value::Object(form));
    }
    put("dpv:hasConsentStatus", Value::Array(statuses(evidence, &base)?));
    Ok(canonical::to_bytes(&Value::Object(record))?)
}

/// Prefixes as in the vocabulary's own files, and which names stand for references and moments.
pub(super) fn context() -> Value {
    json!({
        "dct": "http://purl.org/dc/terms/",
        "dpv": "https://w3id.org/dpv#",
        "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
        "legal-eu": "https://w3id.org/dpv/legal/eu#",
        "loc": "https://w3id.org/dpv/loc#",
        "pd": "https://w3id.org/dpv/pd#",
        "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
        "schema": "https://schema.org/",
        "skos": "http://www.w3.org/2004/02/skos/core#",
        "xsd": "http://www.w3.org/2001/XMLSchema#",
        "dct:conformsTo": { "@type": "@id" },
        "dpv:hasApplicableLaw": { "@type": "@id" },
        "dpv:hasJurisdiction": { "@type": "@id" },
        "dpv:hasLegalBasis": { "@type": "@id" },
        "dpv:hasLocation": { "@type": "@id" },
        "dpv:hasPurpose": { "@type": "@id" },
        "dpv:isIndicatedAtTime": { "@type": "xsd:dateTime" },
        "dpv:isIndicatedBy": { "@type": "@id" },
        "skos:broader": { "@type": "@id" }
    })
}

pub(super) fn parties(shown: &[PartyShown], role: &str) -> Value {
    let one = |party: &PartyShown| {
        let kinds = ["dpv:Organisation", role];
        let mut one = Map::new();
        one.insert("@type".into(), json!(kinds));
        one.insert("dpv:hasName".into(), json!(party.name));
        if !party.contact.is_empty() {
            one.insert("dpv:hasContact".into(), json!(party.contact));
        }
        Value::Object(one)
    };
    Value::Array(shown.iter().map(one).collect())
}

pub(super) fn purpose_id(base: &str, id: &str) -> String {
    format!("{base}#purpose-{}", iri_part(id))
}

/// One purpose with its data, recipients and storage.
fn process(evidence: &ConsentEvidence, purpose: &PurposeDecision, base: &str) -> Value {
    let data: Vec<Value> = evidence.personal_data.iter().map(category).collect();
    let locations: Vec<Value> =
        evidence.storage.regions.iter().map(|region| json!(format!("loc:{}", region.as_str()))).collect();
    let deletion = match evidence.storage.days_after_end {
        Some(days) => format!("P{days}D"),
        None => "as the notice says".to_owned(),
    };
    json!({
        "@type": "dpv:Process",
        "dpv:hasPurpose": {
            "@id": purpose_id(base, &purpose.id),
            "@type": ["dpv:Purpose", purpose.kind.as_str()],
            "dct:identifier": purpose.id,
            "dct:description": purpose.text,
        },
        "dpv:hasPersonalData": data,
        "dpv:hasRecipient": evidence.recipients,
        "dpv:hasStorageCondition": [
            { "@type": "dpv:StorageLocation", "dpv:hasLocation": locations },
            {
                "@type": "dpv:StorageDuration",
                "dpv:hasDuration": {
                    "@type": "dpv:UntilEventDuration",
                    "rdf:value": "end of the consent by withdrawal, expiry or end of the processing"
                }
            },
            { "@type": "dpv:StorageDeletion", "dpv:hasDuration": deletion }
        ]
    })
}

fn notice_shown(notice: &NoticeShown) -> Value {
    let mut shown = Map::new();
    shown.insert("@type".into(), json!("dpv:ConsentNotice"));
    if let Some(language) = &notice.language {
        shown.insert("dct:language".into(), json!(language.as_str()));
    }
    shown.insert("schema:version".into(), json!(notice.version));
    shown.insert("schema:sha256".into(), json!(notice.sha256.to_string()));
    if let Some(url) = &notice.url {
        shown.insert("schema:url".into(), json!(url));
    }
    Value::Object(shown)
}

/// The act itself, decision by decision, and what happened before and since, in order of time.
pub(super) fn statuses(evidence: &ConsentEvidence, base: &str) -> Result<Vec<Value>, RecordError> {
    let mut found: Vec<(Timestamp, Value)> = Vec::new();
    for event in &evidence.events {
        found.push((event.at, later(evidence, event, base)?));
    }
    if let Some(at) = evidence.given_at {
        for decision in Decision::ALL {
            let ids: Vec<&str> =
                evidence.purposes.iter().filter(|one| one.decision == *decision).map(|one| one.id.as_str()).collect();
            if !ids.is_empty() {
                found.push((at, act(evidence, *decision, at, &ids, base)?));
            }
        }
    }
    found.sort_by_key(|(at, _)| *at);
    Ok(found.into_iter().map(|(_, value)| value).collect())
}

fn act(
    evidence: &ConsentEvidence,
    decision: Decision,
    at: Timestamp,
    ids: &[&str],
    base: &str,
) -> Result<Value, RecordError> {
    let status = match (decision, evidence.standing) {
        (Decision::Refused, _) => Status::Refused,
        // Asked for, and not confirmed: nothing is given yet.
        (Decision::Given, Standing::Unconfirmed) => Status::Requested,
        (Decision::Given, Standing::Confirmed) => Status::Given,
    };
    let label = |text: &str| text.to_owned();
    let mut how =
        vec![label(evidence.method.label(Language::English)), label(evidence.action.label(Language::English))];
    if let Some(confirmed) = evidence.confirmation {
        how.push(format!("confirmed by the person {}", moment(confirmed.confirmed_at)?));
    }
    let mut value = Map::new();
    // Explicit is what the person was seen to do, and confirmed.
    let is_explicit = evidence.told_by == By::Subject && evidence.standing == Standing::Confirmed;
    let kinds =
        if is_explicit { vec![status.as_str(), "dpv:ExplicitlyExpressedConsent"] } else { vec![status.as_str()] };
    value.insert("@type".into(), json!(kinds));
    value.insert("dpv:isIndicatedBy".into(), json!(evidence.told_by.as_str()));
    value.insert("dpv:hasIndicationMethod".into(), json!(how.join("; ")));
    value.insert("dpv:isIndicatedAtTime".into(), json!(moment(at)?));
    value.insert("dpv:hasPurpose".into(), purposes(ids.iter().copied(), base));
    if let (Decision::Given, Some(end)) = (decision, evidence.expires_at) {
        let duration = json!({ "@type": "dpv:UntilTimeDuration", "rdf:value": moment(end)? });
        value.insert("dpv:hasDuration".into(), duration);
    }
    if decision == Decision::Refused {
        value.insert("@type".into(), json!([status.as_str()]));
    }
    Ok(Value::Object(value))
}

fn later(evidence: &ConsentEvidence, event: &StatusEvent, base: &str) -> Result<Value, RecordError> {
    let all: Vec<&str> = match event.purposes.as_slice() {
        [] => evidence.purposes.iter().map(|one| one.id.as_str()).collect(),
        some => some.iter().map(String::as_str).collect(),
    };
    Ok(json!({
        "@type": [event.status.as_str()],
        "dpv:isIndicatedBy": event.by.as_str(),
        "dpv:hasIndicationMethod": event.method,
        "dpv:isIndicatedAtTime": moment(event.at)?,
        "dpv:hasPurpose": purposes(all.into_iter(), base),
    }))
}

fn purposes<'a>(ids: impl Iterator<Item = &'a str>, base: &str) -> Value {
    Value::Array(ids.map(|id| json!(purpose_id(base, id))).collect())
}

/// Seconds in UTC, `2026-05-31T10:00:00Z`.
pub(super) fn moment(at: Timestamp) -> Result<String, RecordError> {
    let at = jiff::Timestamp::from_second(at.seconds()).map_err(|_| RecordError::OutsideCalendar)?;
    Ok(at.to_string())
}

fn category(category: &DataCategory) -> Value {
    let (class, broader) = match category {
        DataCategory::Plain(plain) => ("dpv:PersonalData", plain_term(*plain)),
        DataCategory::Special(special) => ("dpv:SpecialCategoryPersonalData", special_term(*special)),
        DataCategory::Other(_) => ("dpv:PersonalData", "pd:Identifying"),
    };
    let mut value = Map::new();
    value.insert("@type".into(), json!(class));
    // What is known in words alone has no narrower term.
    if !matches!(category, DataCategory::Other(_)) {
        value.insert("skos:broader".into(), json!(broader));
    }
    value.insert("dct:description".into(), json!(category.label(Language::English)));
    Value::Object(value)
}

/// Terms of the vocabulary's extension for personal data, version 2.3.
const fn plain_term(category: PlainCategory) -> &'static str {
    match category {
        PlainCategory::Email => "pd:EmailAddress",
        PlainCategory::Name => "pd:Name",
        PlainCategory::PostalAddress => "pd:PhysicalAddress",
        PlainCategory::Telephone => "pd:TelephoneNumber",
        PlainCategory::CustomerNumber => "pd:AccountIdentifier",
        PlainCategory::Purchases => "pd:PurchasesAndSpendingHabit",
        PlainCategory::Content => "pd:Communication",
        PlainCategory::Preferences | PlainCategory::Permission => "pd:Preference",
        PlainCategory::Delivery => "pd:CommunicationsMetadata",
        PlainCategory::Engagement => "pd:Interaction",
        PlainCategory::Location => "pd:Location",
        PlainCategory::BirthDate => "pd:BirthDate",
    }
}

const fn special_term(category: SpecialCategory) -> &'static str {
    match category {
        SpecialCategory::Origin => "pd:EthnicOrigin",
        SpecialCategory::Politics => "pd:PoliticalOpinion",
        SpecialCategory::Belief => "pd:Religion",
        SpecialCategory::Union => "pd:TradeUnionMembership",
        SpecialCategory::Genetic => "pd:Genetic",
        SpecialCategory::Biometric => "pd:Biometric",
        SpecialCategory::Health => "pd:Health",
        SpecialCategory::Sexuality => "pd:Sexual",
        SpecialCategory::Convictions => "pd:CriminalConviction",
    }
}

/// RFC 3986 §2.3: unreserved characters as they are, others in percent form.
pub(super) fn iri_part(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
