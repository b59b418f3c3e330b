//! What a controller tells of a person is his word: beside what the person did himself, and once.

use super::house::{ADA, BOB, House, address, http_told, json_of, letter};
use super::keeping::{confirm, notice, sign_up};
use duties::document::consent_record::read_evidence;
use model::PurposeId;
use model::basis::{BasisKind, Evidence};
use serde_json::{Value, json};
use std::time::Duration;
use store::permission::{Act, Method, Recording};
use store::{NewBasis, Verified};
use testkit::http::HttpAnswer;

const HOUR: Duration = Duration::from_secs(3_600);

async fn tell(house: &House, to: &str, more: &Value) -> HttpAnswer {
    let mut body = json!({"email": to, "stream": "newsletter", "kind": "consent", "confirmed": true});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    house.post(&house.shop, "/v1/consents", &body).await
}

/// What the gate says of a newsletter: `queued`, or the rule.
async fn gate(house: &House, to: &str) -> String {
    let body = letter(Some("newsletter"), &house.shop.from, &[to]);
    match http_told(&house.post(&house.shop, "/v1/messages", &body).await) {
        super::house::Told::Taken(_) => "queued".to_owned(),
        refused => refused.rule(),
    }
}

/// The record that is exported of a person.
async fn exported(house: &House, to: &str) -> Value {
    let body = json!({"email": to, "purpose": "newsletter"});
    let mut answer = house.post(&house.shop, "/v1/consents/export", &body).await;
    while answer.status == 503 {
        house.store.flush().await.unwrap();
        answer = house.post(&house.shop, "/v1/consents/export", &body).await;
    }
    assert_eq!(answer.status, 200, "{}", answer.text());
    read_evidence(&answer.body).unwrap().record
}

async fn form(house: &House) -> String {
    let asked = json!({"name": "news", "purposes": ["newsletter"], "notices": [notice()]});
    let answer = house.post(&house.shop, "/v1/forms", &asked).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let url = json_of(&answer)["url"].as_str().unwrap().to_owned();
    url[url.find("/f/").unwrap()..].to_owned()
}

#[tokio::test]
async fn art7_1_the_controllers_word_never_replaces_what_the_person_confirmed_himself() {
    let house = House::new().await;
    sign_up(&house, &form(&house).await, ADA).await;
    confirm(&house, ADA).await;
    house.clock.advance(HOUR);
    let told = json!({"confirmed": false, "action": "signature", "method": "paper"});
    let answer = tell(&house, ADA, &told).await;
    let said = json_of(&answer);
    assert_eq!((answer.status, &said["state"], &said["evidence"]), (200, &json!("already-there"), &json!("complete")));
    assert_eq!(gate(&house, ADA).await, "queued");
    let status = &exported(&house, ADA).await["dpv:hasConsentStatus"];
    let given = status.as_array().unwrap().iter().find(|one| one["@type"].to_string().contains("ConsentGiven"));
    let given = given.unwrap_or_else(|| panic!("{status}"));
    assert_eq!(given["dpv:isIndicatedBy"], "dpv:DataSubject", "{given}");
    assert!(given["dpv:hasIndicationMethod"].as_str().unwrap().contains("double opt-in"), "{given}");

    // Twin: of a person who did nothing here, the word that came last counts.
    assert_eq!(tell(&house, BOB, &json!({})).await.status, 201);
    assert_eq!(tell(&house, BOB, &told).await.status, 201);
    assert_eq!(gate(&house, BOB).await, "consent-unconfirmed");
    // What he withdrew, nobody's word brings back.
    house.withdraw(ADA).await;
    assert_eq!(tell(&house, ADA, &told).await.status, 409);
}

#[tokio::test]
async fn art7_1_what_ran_out_is_followed_by_a_later_act_with_evidence_and_not_by_the_same_again() {
    let house = House::new().await;
    let (controller, purpose) = (house.shop.controller, PurposeId::of_stream(house.shop.newsletter));
    let basis = |evidence, expires| NewBasis { kind: BasisKind::Consent, confirmed: Verified::Yes, evidence, expires };
    let paper = Act { details: "{\"folder\":7}", ..Act::by(Method::Paper) };
    let record = async |act: &Act<'_>, basis: NewBasis| {
        house.store.record_basis(controller, purpose, &address(ADA), basis, act).await.unwrap()
    };
    let first = basis(Evidence::Complete, Some(house.store.now().plus(HOUR)));
    assert_eq!(record(&paper, first).await, Recording::Recorded);
    let again = basis(Evidence::Complete, Some(house.store.now().plus(48 * HOUR)));
    assert_eq!(record(&paper, again).await, Recording::AlreadyThere(Evidence::Complete), "one act, told twice");
    assert_eq!(gate(&house, ADA).await, "queued");
    house.clock.advance(HOUR);
    assert_eq!(gate(&house, ADA).await, "consent-expired");
    assert_eq!(record(&paper, again).await, Recording::RanOut);
    let answer = tell(&house, ADA, &json!({"action": "signature"})).await;
    assert_eq!((answer.status, &json_of(&answer)["rule"]), (422, &json!("consent-expired")), "without its words");
    assert_eq!(gate(&house, ADA).await, "consent-expired");
    // Twin: a later act with evidence is a consent of its own.
    house.consent(ADA).await;
    assert_eq!(gate(&house, ADA).await, "queued");
}

#[tokio::test]
async fn art28_3_a_a_basis_of_a_kind_that_the_instruction_does_not_name_is_refused() {
    let house = House::new().await;
    for (stream, kind, status) in [
        ("newsletter", "contract", 403),
        ("newsletter", "soft-opt-in", 403),
        ("transactional", "consent", 403),
        ("newsletter", "consent", 201),
        ("transactional", "contract", 201),
    ] {
        let answer = tell(&house, ADA, &json!({"stream": stream, "kind": kind})).await;
        assert_eq!(answer.status, status, "{stream} {kind}: {}", answer.text());
        let rule = json_of(&answer)["rule"].clone();
        assert_eq!(rule == "operation-not-instructed", status == 403, "{rule}");
    }
    assert_eq!(gate(&house, ADA).await, "consent-text-unknown", "what was recorded is the consent");
}
