//! A record says what its acts say: each genuine one passes, and each that differs in one fact does not.

use super::super::tests::{acts, evidence_of, file_of, statement};
use super::super::{EvidenceFault, Grade, json_ld, json_ld_of_basis, read_evidence};
use super::Worth;
use model::basis::BasisKind;
use serde_json::{Value, json};

fn record_of(acts: &[Value]) -> Value {
    serde_json::from_slice(&json_ld(&evidence_of(acts)).unwrap()).unwrap()
}

fn read(record: &Value, acts: &[Value]) -> Result<Worth, EvidenceFault> {
    read_evidence(&file_of(record.to_string().as_bytes(), acts)).map(|read| read.worth)
}

fn told(event: &str, seconds: i64, more: &Value) -> Value {
    let mut with = json!({"by": "controller", "method": "paper", "form": Value::Null,
        "details": "{\"action\":\"signature\"}"});
    with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    statement(event, seconds, &[("given", "newsletter")], &with)
}

/// Everywhere in a value: a text or a number is another one, or a member or an entry is gone.
fn altered(value: &Value) -> Vec<Value> {
    match value {
        Value::String(text) => vec![json!(format!("{text}x"))],
        Value::Number(number) => vec![json!(number.as_u64().unwrap() + 1)],
        Value::Array(many) => (0..many.len())
            .flat_map(|at| {
                let with = |one: Value| Value::Array([&many[..at], &[one], &many[at + 1..]].concat());
                let without = Value::Array([&many[..at], &many[at + 1..]].concat());
                altered(&many[at]).into_iter().map(with).chain([without]).collect::<Vec<_>>()
            })
            .collect(),
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, member)| {
                let with = |one: Value| {
                    let mut members = members.clone();
                    members.insert(name.clone(), one);
                    Value::Object(members)
                };
                let mut without = members.clone();
                without.remove(name);
                altered(member).into_iter().map(with).chain([Value::Object(without)]).collect::<Vec<_>>()
            })
            .collect(),
        Value::Bool(_) | Value::Null => panic!("a record has none"),
    }
}

#[test]
fn art7_1_every_fact_of_a_record_that_is_not_its_acts_is_found() {
    let acts = acts();
    let genuine = record_of(&acts);
    assert_eq!(read(&genuine, &acts), Ok(Worth::default()));
    // What acts say: whatever is changed in these members is found here, before the log is asked.
    let facts = [
        "@id",
        "dct:identifier",
        "dpv:hasDataSubject/dct:identifier",
        "dpv:hasLegalBasis",
        "dpv:hasConsentStatus",
        "dpv:hasConsentControl/0/dpv:isExercisedAt",
        "dpv:hasRight/0/dpv:isExercisedAt",
        "dpv:hasDataController/0/dpv:hasName",
        "@type",
        "dpv:hasProcess/0/dpv:hasPurpose/@id",
        "dpv:hasProcess/0/dpv:hasPurpose/dct:identifier",
        "dpv:hasProcess/0/dpv:hasPurpose/dct:description",
        "dpv:hasProcess/1/dpv:hasPurpose",
    ];
    for fact in facts {
        let pointer = format!("/{fact}");
        let changed = altered(genuine.pointer(&pointer).unwrap_or_else(|| panic!("{fact}")));
        for one in changed {
            // A purpose's type is a word of the vocabulary that no act has.
            let mut record = genuine.clone();
            let was = record.pointer_mut(&pointer).unwrap();
            if was.get("@type") != one.get("@type") && fact.ends_with("dpv:hasPurpose") {
                continue;
            }
            *was = one.clone();
            assert!(read(&record, &acts).is_err(), "{fact}: {one}");
        }
    }
    // And each act that is changed, or gone.
    for (at, act) in acts.iter().enumerate() {
        for one in altered_act(act) {
            let mut other = acts.clone();
            other[at] = one.clone();
            assert!(read(&genuine, &other).is_err(), "{one}");
        }
        let mut fewer = acts.clone();
        fewer.remove(at);
        assert!(read(&genuine, &fewer).is_err(), "act {at}");
    }
    assert_eq!(read(&genuine, &[]), Err(EvidenceFault::NoAct));
}

/// An act whose fact that the record has, too, is another one.
fn altered_act(act: &Value) -> Vec<Value> {
    let of = |name: &str, value: Value| {
        let mut act = act.clone();
        act[name] = value;
        act
    };
    let seconds = act["at"].as_i64().unwrap() - 2_000_000;
    vec![
        of("at", json!(seconds)),
        of("basis", json!("contract")),
        of("by", json!("controller")),
        of("decisions", json!([{"decision": "refused", "purpose": "newsletter"}])),
        of("decisions", json!([{"decision": "given", "purpose": "other"}])),
        of("method", json!("paper")),
        of("notice", Value::Null),
        of("subject", json!("sub_bob")),
    ]
}

#[test]
fn art7_1_what_the_person_confirmed_goes_before_what_was_told_later() {
    let mut acts = acts();
    let alone = record_of(&acts);
    acts.push(told("0e0f", 7_200, &json!({"basis": "contract", "confirmed": false})));
    assert_eq!(record_of(&acts), alone, "a contract is no step of a consent");
    assert_eq!(read(&alone, &acts), Ok(Worth::default()));
    acts.push(told("1011", 7_300, &json!({})));
    let record = record_of(&acts);
    assert_eq!(record["dct:identifier"], "0c0d");
    assert!(record.to_string().contains("dpv:RenewedConsentGiven"), "{record}");
    assert_eq!(read(&record, &acts), Ok(Worth::default()));
    // Nor does a record of what was told pass beside them.
    assert!(read(&record_of(&acts[2..]), &acts).is_err());
}

#[test]
fn art7_1_a_withdrawal_is_graded_and_is_in_the_record_or_it_is_found() {
    let mut acts = acts();
    let before = record_of(&acts);
    let gone = json!({"basis": Value::Null, "method": "one-click", "form": Value::Null, "notice": Value::Null});
    acts.push(statement("1213", 9_000, &[("withdrawn", "all")], &gone));
    let record = record_of(&acts);
    assert_eq!(read(&record, &acts), Ok(Worth { has_ended: true, ..Worth::default() }));
    assert_eq!(read(&before, &acts), Err(EvidenceFault::Differs("decision, time, method or recorder")));
}

#[test]
fn art7_1_the_controllers_word_another_basis_and_an_import_are_whole_and_not_complete() {
    let word = [told("0e0f", 0, &json!({}))];
    let worth = read(&record_of(&word), &word).unwrap();
    assert!(worth.lacks.iter().any(|defect| defect.field == "told_by" && defect.grade == Grade::Unverified));
    // A record that has it as the person's own act is found out.
    let mut record = record_of(&word);
    record["dpv:hasConsentStatus"][0]["dpv:isIndicatedBy"] = json!("dpv:DataSubject");
    assert!(read(&record, &word).is_err());

    let contract = [told("0e0f", 0, &json!({"basis": "contract"}))];
    let other = json_ld_of_basis(&evidence_of(&contract), BasisKind::Contract).unwrap();
    let other: Value = serde_json::from_slice(&other).unwrap();
    assert_eq!(read(&other, &contract).unwrap().other_basis, Some(BasisKind::Contract));
    assert_eq!(read(&record_of(&contract), &contract), Err(EvidenceFault::Differs("legal basis")));
    let soft = json_ld_of_basis(&evidence_of(&contract), BasisKind::SoftOptIn).unwrap();
    let soft: Value = serde_json::from_slice(&soft).unwrap();
    assert_eq!(read(&soft, &contract), Err(EvidenceFault::Differs("legal basis")));
}

#[test]
fn art7_1_an_act_of_version_1_is_counted_and_an_act_about_somebody_else_is_found() {
    let mut acts = acts();
    acts[1]["v"] = json!(1);
    let record = record_of(&acts);
    let whole = read_evidence(&file_of(record.to_string().as_bytes(), &acts)).unwrap();
    assert_eq!(whole.unbound, 1);
    acts[0]["subject"] = json!("sub_bob");
    assert_eq!(read(&record, &acts), Err(EvidenceFault::OtherPerson("act-1.json".into())));
}
