//! Evidence of consent: what is refused, how it reads in the words of the vocabulary, and the file to hand on.

use super::{
    About, Account, ActRead, ActShown, Action, By, ChoiceShown, Confirmed, ConsentEvidence, Contents, Decision,
    EvidenceFault, EvidenceFile, EvidenceFileError, FormShown, Freedom, Grade, Method, NoticeShown, PartyShown,
    PurposeDecision, PurposeKind, Standing, Status, StatusEvent, Storage, SubjectReference, Worth, json_ld,
    json_ld_of_basis, read_evidence, refuse_as_evidence,
};
use crate::document::canonical::Sha256;
use crate::document::notice::LanguageTag;
use crate::document::terms::{DataCategory, PlainCategory, Region, SpecialCategory};
use model::Timestamp;
use model::basis::BasisKind;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::io::{Cursor, Read};

pub(super) const NOTICE: &[u8] = b"Newsletter of Shop Ltd\n======================\n";
/// 2026-05-31T10:00:00Z.
const GIVEN: i64 = 1_780_221_600;

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(GIVEN + seconds)
}

fn purpose(id: &str, decision: Decision) -> PurposeDecision {
    PurposeDecision {
        id: id.into(),
        text: format!("words of {id}"),
        kind: PurposeKind::DirectMarketing,
        decision,
        choice: ChoiceShown::Separate,
    }
}

fn full() -> ConsentEvidence {
    ConsentEvidence {
        record_id: "cns_7f3a".into(),
        subject: SubjectReference("sub_19c2".into()),
        controllers: vec![PartyShown { name: "Shop Ltd".into(), contact: "privacy@shop.example".into() }],
        processor: PartyShown { name: "Operator Ltd".into(), contact: "privacy@operator.example".into() },
        purposes: vec![purpose("newsletter", Decision::Given), purpose("tracking", Decision::Refused)],
        notice: Some(NoticeShown {
            sha256: Sha256::of(NOTICE),
            language: Some(LanguageTag::parse("en").unwrap()),
            version: 3,
            url: Some("https://shop.example/privacy".into()),
        }),
        personal_data: vec![DataCategory::Plain(PlainCategory::Email)],
        recipients: vec!["Operator Ltd".into()],
        storage: Storage { regions: vec![Region::parse("AT").unwrap()], days_after_end: Some(1_095) },
        jurisdiction: Some(Region::parse("AT").unwrap()),
        withdrawal_shown: Some("https://shop.example/preferences".into()),
        method: Method::DoubleOptIn,
        action: Action::TickedBox,
        freedom: Freedom::Free,
        told_by: By::Subject,
        standing: Standing::Confirmed,
        given_at: Some(at(0)),
        expires_at: None,
        confirmation: Some(Confirmed { asked_at: at(1), confirmed_at: at(3_600) }),
        source: Some(FormShown {
            form: "newsletter-form".into(),
            version: 7,
            page_origin: Some("https://shop.example".into()),
        }),
        events: vec![
            StatusEvent {
                status: Status::Requested,
                at: at(-60),
                by: By::Controller,
                method: "form shown".into(),
                purposes: vec![],
            },
            StatusEvent {
                status: Status::Withdrawn,
                at: at(86_400),
                by: By::Subject,
                method: "one-click link".into(),
                purposes: vec!["newsletter".into()],
            },
        ],
    }
}

fn record(evidence: &ConsentEvidence) -> Value {
    serde_json::from_slice(&json_ld(evidence).unwrap()).unwrap()
}

type Change = fn(&mut ConsentEvidence);

const TAKEN: &[(Change, &str, Grade)] = &[
    (|one| one.record_id.clear(), "record_id", Grade::Incomplete),
    (|one| one.subject.0.clear(), "subject", Grade::Incomplete),
    (|one| one.subject.0 = "ada@example.org".into(), "subject", Grade::Incomplete),
    (|one| one.given_at = None, "given_at", Grade::Incomplete),
    (|one| one.controllers.clear(), "controllers", Grade::Incomplete),
    (|one| one.controllers[0].name.clear(), "controllers", Grade::Incomplete),
    (|one| one.jurisdiction = None, "jurisdiction", Grade::Incomplete),
    (|one| one.action = Action::PreTickedBox, "action", Grade::Invalid),
    (|one| one.action = Action::Silence, "action", Grade::Invalid),
    (|one| one.action = Action::Unknown, "action", Grade::Incomplete),
    (|one| one.freedom = Freedom::Conditional, "freedom", Grade::Invalid),
    (|one| one.freedom = Freedom::Unknown, "freedom", Grade::Unverified),
    (|one| one.told_by = By::Controller, "told_by", Grade::Unverified),
    (|one| one.standing = Standing::Unconfirmed, "standing", Grade::Incomplete),
    (|one| one.purposes[0].choice = ChoiceShown::Unknown, "purposes[0].choice", Grade::Unverified),
    (|one| one.source = None, "source", Grade::Incomplete),
    (|one| one.confirmation = None, "confirmation", Grade::Incomplete),
    (
        |one| one.confirmation = Some(Confirmed { asked_at: at(10), confirmed_at: at(5) }),
        "confirmation",
        Grade::Incomplete,
    ),
    (
        |one| one.confirmation = Some(Confirmed { asked_at: at(1), confirmed_at: at(7 * 86_400 + 2) }),
        "confirmation",
        Grade::Incomplete,
    ),
    (|one| one.notice = None, "notice", Grade::Incomplete),
    (
        |one| {
            one.notice = None;
            one.method = Method::Import;
        },
        "notice",
        Grade::Unverified,
    ),
    (|one| one.notice.as_mut().unwrap().language = None, "notice.language", Grade::Incomplete),
    (|one| one.notice.as_mut().unwrap().version = 0, "notice.version", Grade::Incomplete),
    (|one| one.withdrawal_shown = None, "withdrawal_shown", Grade::Incomplete),
    (|one| one.withdrawal_shown = Some(" ".into()), "withdrawal_shown", Grade::Incomplete),
    (|one| one.purposes[0].text.clear(), "purposes[0]", Grade::Incomplete),
    (|one| one.purposes[1].choice = ChoiceShown::Together, "purposes[1].choice", Grade::Invalid),
    (|one| one.purposes[0].decision = Decision::Refused, "purposes", Grade::Incomplete),
    (|one| one.personal_data.clear(), "personal_data", Grade::Incomplete),
    (|one| one.events.reverse(), "events", Grade::Incomplete),
    (|one| one.expires_at = Some(at(-1)), "expires_at", Grade::Incomplete),
    (|one| one.events[1].purposes = vec!["other".into()], "events[1].purposes", Grade::Incomplete),
];

#[test]
fn art7_1_every_fact_that_is_taken_away_is_named_and_the_full_record_is_evidence() {
    assert_eq!(refuse_as_evidence(&full()), []);
    for (take, field, grade) in TAKEN {
        let mut evidence = full();
        take(&mut evidence);
        let defects = refuse_as_evidence(&evidence);
        let named: Vec<(&str, Grade)> = defects.iter().map(|one| (one.field.as_str(), one.grade)).collect();
        assert_eq!(named, [(*field, *grade)]);
        assert!(defects[0].article.contains("GDPR Art. "));
    }
}

#[test]
fn art7_2_one_action_for_one_purpose_is_not_bundled() {
    let mut evidence = full();
    evidence.purposes.truncate(1);
    evidence.purposes[0].choice = ChoiceShown::Together;
    assert_eq!(refuse_as_evidence(&evidence), []);
    evidence.purposes.clear();
    evidence.events.clear();
    assert_eq!(refuse_as_evidence(&evidence)[0].field, "purposes");
}

#[test]
fn art7_a_confirmation_is_asked_for_in_double_opt_in_alone_and_counts_for_seven_days() {
    let mut evidence = full();
    evidence.confirmation = Some(Confirmed { asked_at: at(1), confirmed_at: at(7 * 86_400 + 1) });
    assert_eq!(refuse_as_evidence(&evidence), []);
    evidence.method = Method::Paper;
    evidence.confirmation = None;
    evidence.source = None;
    assert_eq!(refuse_as_evidence(&evidence), []);
}

#[test]
fn ts27560_the_record_has_the_names_of_the_vocabulary_and_arrays_where_there_are_several() {
    let record = record(&full());
    assert_eq!(record["@type"], "dpv:ConsentRecord");
    assert_eq!(record["dct:conformsTo"], "https://w3id.org/dpv/schema/dpv-27560#record-eu-gdpr");
    assert_eq!(record["dct:identifier"], "cns_7f3a");
    assert_eq!(record["dpv:hasDataSubject"]["dct:identifier"], "sub_19c2");
    assert_eq!(record["dpv:hasLegalBasis"], "eu-gdpr:A6-1-a");
    assert_eq!(record["dpv:hasJurisdiction"], "loc:AT");
    let processes = record["dpv:hasProcess"].as_array().unwrap();
    assert_eq!(processes.len(), 2);
    assert_eq!(processes[0]["dpv:hasPurpose"]["@type"], json!(["dpv:Purpose", "dpv:DirectMarketing"]));
    assert_eq!(processes[0]["dpv:hasPersonalData"][0]["skos:broader"], "pd:EmailAddress");
    assert_eq!(record["dpv:hasNotice"]["schema:sha256"], Sha256::of(NOTICE).to_string());
    assert_eq!(record["dpv:hasNotice"]["dct:language"], "en");
    assert_eq!(record["dpv:hasConsentControl"][0]["dpv:isExercisedAt"], "https://shop.example/preferences");
    assert_eq!(record["dct:source"]["dct:identifier"], "newsletter-form@7");
}

#[test]
fn ts27560_given_and_refused_are_told_apart_and_events_are_in_order() {
    let record = record(&full());
    let events = record["dpv:hasConsentStatus"].as_array().unwrap();
    let types: Vec<&str> = events.iter().map(|one| one["@type"][0].as_str().unwrap()).collect();
    let expected = ["dpv:ConsentRequested", "dpv:ConsentGiven", "dpv:ConsentRefused", "dpv:ConsentWithdrawn"];
    assert_eq!(types, expected);
    assert_eq!(events[1]["dpv:isIndicatedAtTime"], "2026-05-31T10:00:00Z");
    assert_eq!(events[1]["dpv:hasPurpose"], json!(["urn:x-postern:consent:cns_7f3a#purpose-newsletter"]));
    assert_eq!(events[2]["dpv:hasPurpose"], json!(["urn:x-postern:consent:cns_7f3a#purpose-tracking"]));
    assert!(
        events[1]["dpv:hasIndicationMethod"]
            .as_str()
            .unwrap()
            .ends_with("confirmed by the person 2026-05-31T11:00:00Z")
    );
    assert_eq!(events[3]["dpv:isIndicatedBy"], "dpv:DataSubject");
}

#[test]
fn ts27560_every_prefix_is_declared_in_the_record_itself() {
    let mut evidence = full();
    evidence.expires_at = Some(at(31_536_000));
    evidence.personal_data = DataCategories::all();
    let record = record(&evidence);
    let context = record["@context"].as_object().unwrap().clone();
    let mut terms = Vec::new();
    collect(&record, &mut terms);
    assert!(terms.len() > 60);
    for term in terms {
        let (prefix, _) = term.split_once(':').unwrap();
        assert!(context.contains_key(prefix), "{term}");
    }
    assert_eq!(record["dpv:hasConsentStatus"][1]["dpv:hasDuration"]["rdf:value"], "2027-05-31T10:00:00Z");
    assert!(context.values().all(|one| !one.as_str().unwrap_or_default().ends_with(".jsonld")));
}

struct DataCategories;

impl DataCategories {
    fn all() -> Vec<DataCategory> {
        let plain = PlainCategory::ALL.iter().copied().map(DataCategory::Plain);
        let special = SpecialCategory::ALL.iter().copied().map(DataCategory::Special);
        plain.chain(special).chain([DataCategory::Other("shoe size".into())]).collect()
    }
}

/// Every name and every `@type`, outside the context.
fn collect(value: &Value, terms: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, terms)),
        Value::Object(members) => {
            for (name, member) in members.iter().filter(|(name, _)| *name != "@context") {
                match name.as_str() {
                    "@type" => {
                        let many = member.as_array().cloned().unwrap_or_else(|| vec![member.clone()]);
                        terms.extend(many.iter().map(|one| one.as_str().unwrap().to_owned()));
                    }
                    "@id" => {}
                    _ => terms.push(name.clone()),
                }
                collect(member, terms);
            }
        }
        _ => {}
    }
}

#[test]
fn art15_a_defective_record_is_exported_too() {
    let mut evidence = full();
    (evidence.notice, evidence.given_at, evidence.jurisdiction, evidence.source) = (None, None, None, None);
    (evidence.withdrawal_shown, evidence.confirmation) = (None, None);
    let record = record(&evidence);
    assert!(record.get("dpv:hasNotice").is_none());
    assert_eq!(record["dpv:hasConsentStatus"].as_array().unwrap().len(), 2);
}

#[test]
fn art5_1_f_the_reference_to_the_person_is_not_in_debug_output() {
    assert!(!format!("{:?}", full()).contains("sub_19c2"));
}

fn unpacked(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
    (0..archive.len())
        .map(|index| {
            let mut file = archive.by_index(index).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            (file.name().unwrap().into_owned(), bytes)
        })
        .collect()
}

fn shown(about: &str, statement: &[u8]) -> ActShown {
    ActShown { about: about.to_owned(), opening: Some((statement.to_vec(), [7; 32])) }
}

fn contents(record: &[u8], notices: &[Vec<u8>], acts: &[ActShown]) -> Result<Contents, EvidenceFileError> {
    let (log_key, blind, defects) = ("log+00000000+AQ==", [9; 32], &[][..]);
    EvidenceFile { about: About::Consent, record, notices, acts, log_key, blind, defects }.contents()
}

/// What was asked with a form, and what was confirmed then; whatever is in `more` besides.
pub(super) fn statement(event: &str, seconds: i64, decisions: &[(&str, &str)], more: &Value) -> Value {
    let said = |(word, id): &(&str, &str)| {
        let words = Sha256::of(format!("words of {id}").as_bytes()).to_string();
        json!({"decision": word, "purpose": id, "words": words})
    };
    let mut act = json!({"at": at(seconds).micros(), "basis": "consent", "by": "page", "confirmed": true,
        "controller": "ctl_1", "decisions": decisions.iter().map(said).collect::<Vec<_>>(), "details": "{}",
        "event": event, "form": "frm_1", "method": "double-opt-in", "notice": Sha256::of(NOTICE).to_string(),
        "subject": "sub_19c2", "v": 2});
    act.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    act
}

/// A sign-up and its confirmation.
pub(super) fn acts() -> Vec<Value> {
    let page = json!({"action": "checkbox, not ticked before", "controller": "Shop Ltd",
        "withdrawal": "https://shop.example/preferences"});
    let asked = json!({"confirmed": false, "method": "form", "details": page.to_string()});
    vec![
        statement("0a0b", 0, &[("requested", "newsletter"), ("refused", "tracking")], &asked),
        statement("0c0d", 3_600, &[("given", "newsletter")], &json!({})),
    ]
}

/// What these acts come to.
pub(super) fn evidence_of(acts: &[Value]) -> ConsentEvidence {
    let read: Vec<_> = acts.iter().map(|act| ActRead::parse(act.to_string().as_bytes()).unwrap()).collect();
    let account = Account::of(&read, "newsletter");
    let choice = if account.is_told() { ChoiceShown::Unknown } else { ChoiceShown::Separate };
    let decisions = account.decisions().into_iter();
    let purposes: Vec<_> =
        decisions.map(|(one, decision)| PurposeDecision { choice, ..purpose(&one.purpose, decision) }).collect();
    let ids: Vec<String> = purposes.iter().map(|one| one.id.clone()).collect();
    let full = full();
    ConsentEvidence {
        record_id: account.given_act().unwrap().event.clone(),
        events: account.events(&ids),
        purposes,
        jurisdiction: full.jurisdiction.clone().filter(|_| !account.is_told()),
        withdrawal_shown: account.first_act().unwrap().seen("withdrawal"),
        method: account.method(),
        action: account.action(),
        freedom: account.freedom(),
        told_by: account.told_by(),
        standing: account.standing().unwrap(),
        given_at: account.given_at(),
        confirmation: account.confirmation(),
        source: full.source.clone().filter(|_| !account.is_told()),
        ..full
    }
}

/// The file of a record and its acts.
pub(super) fn file_of(record: &[u8], acts: &[Value]) -> Vec<u8> {
    let shown: Vec<_> = acts.iter().map(|act| shown("done", act.to_string().as_bytes())).collect();
    let receipts: Vec<_> = (0..=acts.len()).map(|number| format!("receipt {number}")).collect();
    contents(record, &[NOTICE.to_vec()], &shown).unwrap().file(&receipts).unwrap()
}

fn file() -> Vec<u8> {
    let statements = acts().into_iter().map(|act| shown("consent\ngiven", act.to_string().as_bytes()));
    let acts: Vec<_> = statements.chain([ActShown { about: "import".into(), opening: None }]).collect();
    let contents = contents(&json_ld(&own()).unwrap(), &[NOTICE.to_vec()], &acts).unwrap();
    let receipts = ["one", "two", "three", "export"].map(str::to_owned);
    assert_eq!(contents.file(&receipts[..3]), Err(EvidenceFileError::Archive), "a receipt is missing");
    contents.file(&receipts).unwrap()
}

fn own() -> ConsentEvidence {
    evidence_of(&acts())
}

#[test]
fn art7_1_the_file_holds_record_words_and_receipts_and_says_how_to_check_them() {
    let file = file();
    let parts = unpacked(&file);
    let names: Vec<&str> = parts.iter().map(|(name, _)| name.as_str()).collect();
    let contents = ["README.txt", "record.jsonld", "notice.txt", "act-1.json", "act-2.json", "blinds.txt", "log.vkey"];
    assert_eq!((&names[..7], names[7]), (&contents[..], "SHA256SUMS"));
    assert_eq!(names[8..], ["act-1.tlog-proof", "act-2.tlog-proof", "act-3.tlog-proof", "export.tlog-proof"]);
    let sums = String::from_utf8(parts[7].1.clone()).unwrap();
    for (name, bytes) in &parts[..7] {
        assert!(sums.contains(&format!("{}  {name}", Sha256::of(bytes))), "{name}");
    }
    let readme = String::from_utf8(parts[0].1.clone()).unwrap();
    assert!(readme.contains("act-1.tlog-proof  consent given"), "{readme}");
    // Stored, not compressed: the words can be found in the file with any editor.
    assert!(file.windows(NOTICE.len()).any(|window| window == NOTICE));

    let read = read_evidence(&file).unwrap();
    assert_eq!((read.notice, read.log_key.as_str()), (Some(Sha256::of(NOTICE)), "log+00000000+AQ=="));
    let [first, _, import, export] = read.claims.as_slice() else { panic!("{:?}", read.claims) };
    assert_eq!(first.event, Some(("0a0b".to_owned(), at(0))));
    assert_eq!(first.opening, Some(([7; 32], Sha256::of(&parts[3].1).0)));
    assert_eq!((import.opening, import.receipt.as_slice()), (None, b"three".as_slice()));
    assert_eq!((export.is_export, export.opening), (true, Some(([9; 32], Sha256::of(&parts[7].1).0))));
    assert_eq!((read.worth, read.unbound), (Worth::default(), 0));
}

#[test]
fn art7_1_each_changed_byte_of_what_is_listed_is_found() {
    let file = file();
    let receipts = file.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    let end = unpacked(&file).iter().take(8).map(|(name, bytes)| name.len() + bytes.len() + 30).sum::<usize>();
    assert!(end < receipts);
    for at in 0..end {
        let mut changed = file.clone();
        changed[at] ^= 1;
        // Octets of an entry's head that say nothing, such as its date, may differ.
        if let Ok(read) = read_evidence(&changed) {
            assert_eq!(read.claims.len(), 4, "octet {at}");
            assert_eq!(read.record, record(&own()), "octet {at}");
        }
    }
    for part in ["record.jsonld", "notice.txt", "act-1.json", "blinds.txt", "README.txt"] {
        let bytes = unpacked(&file).into_iter().find(|(name, _)| name == part).unwrap().1;
        let at = file.windows(bytes.len()).position(|window| window == bytes).unwrap();
        let mut changed = file.clone();
        changed[at + bytes.len() / 2] ^= 1;
        assert_eq!(read_evidence(&changed).unwrap_err(), EvidenceFault::Changed(part.to_owned()));
    }
    assert_eq!(read_evidence(b"no archive").unwrap_err(), EvidenceFault::Archive);
}

#[test]
fn art7_1_other_words_than_those_shown_make_no_file() {
    let record = json_ld(&full()).unwrap();
    let made = |notices: &[&[u8]]| contents(&record, &notices.iter().map(|one| one.to_vec()).collect::<Vec<_>>(), &[]);
    assert!(made(&[NOTICE]).is_ok());
    let mut other = NOTICE.to_vec();
    other[0] ^= 1;
    assert_eq!(made(&[&other]).unwrap_err(), EvidenceFileError::OtherNotice);
    assert_eq!(made(&[]).unwrap_err(), EvidenceFileError::NoNotice);
    let without = json_ld(&ConsentEvidence { notice: None, ..full() }).unwrap();
    assert_eq!(contents(&without, &[NOTICE.to_vec()], &[]).unwrap_err(), EvidenceFileError::NoNotice);
    assert!(contents(&without, &[], &[]).is_ok(), "what is known is exported all the same");
    assert_eq!(contents(b"{", &[NOTICE.to_vec()], &[]).unwrap_err(), EvidenceFileError::NoNotice);
    let large = [shown("large", &vec![b'x'; 16 * 1024 * 1024])];
    assert_eq!(contents(&record, &[NOTICE.to_vec()], &large).unwrap_err(), EvidenceFileError::TooLarge);
    // An act with words that are not in the file makes a file that is found out.
    let mut other = acts();
    other[1]["notice"] = Sha256::of(b"other words").to_string().into();
    assert_eq!(read_evidence(&file_of(&record, &other)).unwrap_err(), EvidenceFault::OtherWords("act-2.json".into()));
}

#[test]
fn art6_1_another_basis_has_a_record_of_its_own_that_speaks_of_no_consent() {
    for (kind, term) in [
        (BasisKind::Contract, "eu-gdpr:A6-1-b"),
        (BasisKind::LegalObligation, "eu-gdpr:A6-1-c"),
        (BasisKind::LegitimateInterest, "eu-gdpr:A6-1-f"),
        (BasisKind::SoftOptIn, "postern:eprivacy-13-2"),
    ] {
        let record = json_ld_of_basis(&full(), kind).unwrap();
        let read: Value = serde_json::from_slice(&record).unwrap();
        assert_eq!((&read["@type"], &read["dpv:hasLegalBasis"]), (&json!("postern:BasisRecord"), &json!(term)));
        assert!(!String::from_utf8(record).unwrap().contains("dpv:Consent"));
    }
}

proptest! {
    #[test]
    fn any_texts_and_moments_make_a_record_or_an_error_and_never_a_panic(
        id in ".*", text in "(?s).*", seconds in any::<i64>(), proof in ".*"
    ) {
        let mut evidence = full();
        evidence.record_id = id.clone();
        evidence.purposes[0].id = text.clone();
        evidence.recipients = vec![text];
        evidence.given_at = Some(Timestamp::from_micros(seconds));
        prop_assert!(refuse_as_evidence(&evidence).len() < 50);
        if let Ok(bytes) = json_ld(&evidence) {
            let read: Value = serde_json::from_slice(&bytes).unwrap();
            prop_assert_eq!(read["dct:identifier"].as_str(), Some(id.as_str()));
            prop_assert!(read["@id"].as_str().unwrap().is_ascii());
            let acts = [shown(&id, proof.as_bytes())];
            let file = contents(&bytes, &[NOTICE.to_vec()], &acts).unwrap().file(&[proof.clone(), proof]).unwrap();
            prop_assert!(read_evidence(&file).is_err(), "an act that is no JSON");
        }
    }
}
