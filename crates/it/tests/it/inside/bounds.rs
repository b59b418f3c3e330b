//! Numbers that bound each other and do not take from each other, and what no document or list may hold: told with its
//! place.

use super::house::{ADA, BOB, House, bearer, json_of};
use super::keeping::{notice, sign_up};
use super::ledger::entries;
use aws_lc_rs::{digest, hmac};
use model::instruction::Operation;
use serde_json::{Value, json};
use std::time::Duration;
use testkit::http::HttpAnswer;

/// Messages a day.
const NUMBER: u64 = 8;
/// What strangers may have the platform write of them.
const OF_STRANGERS: usize = 2;

async fn published(house: &House) -> String {
    let asked = json!({"name": "news", "purposes": ["newsletter"], "notices": [notice()]});
    let answer = house.post(&house.shop, "/v1/forms", &asked).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let url = json_of(&answer)["url"].as_str().unwrap().to_owned();
    url[url.find("/f/").unwrap()..].to_owned()
}

/// What becomes of one receipt more: `queued`, or the rule.
async fn receipt(house: &House) -> String {
    match house.by_http(&house.shop, Some("transactional"), &house.shop.from, BOB).await {
        super::house::Told::Taken(_) => "queued".to_owned(),
        refused => refused.rule(),
    }
}

async fn until_asked(house: &House, more: usize) {
    let asked = |house: &House| house.mx.received().iter().filter(|one| one.to[0].starts_with("new")).count();
    while asked(house) < more {
        tokio::task::yield_now().await;
    }
    house.until_empty().await;
    assert_eq!(asked(house), more);
}

#[tokio::test]
async fn art28_3_a_what_the_platform_writes_does_not_take_from_the_controllers_number_nor_the_other_way_round() {
    let house = House::new().await;
    let form = published(&house).await;
    let streams: Vec<_> = house.store.streams(house.shop.controller).iter().map(|stream| stream.id).collect();
    house.store.issue_instruction(house.shop.controller, &Operation::ALL, &streams, NUMBER).await.unwrap();
    // At his number, and people are still asked to confirm.
    for _ in 0..NUMBER {
        assert_eq!(receipt(&house).await, "queued");
    }
    assert_eq!(receipt(&house).await, "quota");
    sign_up(&house, &form, ADA).await;
    house.mx.wait_for_recipient(ADA, 1).await;
    assert_eq!(receipt(&house).await, "quota", "twin: his own number is what it was");
    // On another day strangers come first, and in numbers: they are asked within their part, and his mail goes.
    house.clock.advance(Duration::from_secs(86_400));
    for number in 0..NUMBER {
        sign_up(&house, &form, &format!("new{number}@dest.example")).await;
    }
    until_asked(&house, OF_STRANGERS).await;
    for _ in 0..NUMBER {
        assert_eq!(receipt(&house).await, "queued");
    }
    assert_eq!(receipt(&house).await, "quota");
}

/// A document of the shop's, as it is written.
async fn content(house: &House, list: &str) -> Value {
    let all = json_of(&house.get(&house.shop, &format!("/v1/{list}")).await);
    let id = all[list].as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
    json_of(&house.get(&house.shop, &format!("/v1/{list}/{id}/document")).await)["content"].clone()
}

#[tokio::test]
async fn art32_1_b_numbers_and_texts_that_no_document_can_hold_are_refused_with_their_place() {
    let house = House::new().await;
    let long = "x".repeat(70_000);
    let told = |answer: &HttpAnswer| (answer.status, json_of(answer)["field"].as_str().unwrap_or_default().to_owned());
    let instruction = content(&house, "instructions").await;
    let with = async |place: &str, value: Value| {
        let mut content = instruction.clone();
        *content.pointer_mut(place).unwrap() = value;
        house.post(&house.shop, "/v1/instructions", &json!({"content": content})).await
    };
    for number in [u64::MAX, (1 << 53) + 1] {
        let answer = with("/messages_per_day_max", json!(number)).await;
        assert_eq!(told(&answer), (400, "messages_per_day_max".to_owned()), "{}", answer.text());
    }
    let answer = with("/issued_by", json!(long)).await;
    assert_eq!(told(&answer), (400, "issued_by".to_owned()), "{}", answer.text());
    assert!(answer.text().contains("65536 characters"), "{}", answer.text());
    // Twin: the largest number that a document holds.
    let mut content_of_most = instruction.clone();
    let most = json!((1_u64 << 53) - 1);
    content_of_most["messages_per_day_max"] = most.clone();
    for stream in content_of_most["streams"].as_array_mut().unwrap() {
        stream["messages_per_day_max"] = most.clone();
    }
    let answer = house.post(&house.shop, "/v1/instructions", &json!({"content": content_of_most})).await;
    assert_eq!(answer.status, 201, "{}", answer.text());

    let agreement = content(&house, "agreements").await;
    let with = async |text: &str| {
        let mut content = agreement.clone();
        content["subject_matter"] = json!(text);
        house.post(&house.shop, "/v1/agreements", &json!({"content": content})).await
    };
    let answer = with(&long).await;
    assert_eq!(told(&answer), (400, "subject_matter".to_owned()), "{}", answer.text());
}

#[tokio::test]
async fn law_r39_a_file_of_suppressions_has_an_entry_that_its_nonce_opens() {
    let house = House::new().await;
    let file = "email,scope,reason\r\nada@dest.example,marketing,objection\r\nno address,,\r\n\
        bob@dest.example,marketing,opt-out\r\n";
    let key = bearer(&house.shop);
    let headers = [("Authorization", key.as_str()), ("Content-Type", "text/csv")];
    let import = async || {
        let answer = house.http.request("POST", "/v1/suppressions/import", &headers, file.as_bytes()).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        json_of(&answer)
    };
    let said = [import().await, import().await];
    let log = house.log(&house.shop).await;
    let leaves: Vec<_> = entries(&log).into_iter().filter(|entry| entry.kind() == "suppressions.imported").collect();
    assert_eq!(leaves.len(), 2);
    let octets = |value: &Value| -> Vec<u8> {
        let text = value.as_str().unwrap();
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    };
    for ((said, leaf), counts) in said.iter().zip(&leaves).zip([[2_u64, 1, 0], [0, 1, 2]]) {
        assert_eq!(said["event"], leaf.id());
        let names = ["added", "faulty", "unchanged"];
        assert_eq!(names.map(|name| leaf.counts()[name]), counts, "{said}");
        assert_eq!(names.map(|name| said[name].as_u64().unwrap()), counts, "{said}");
        let sha256 = digest::digest(&digest::SHA256, file.as_bytes());
        assert_eq!(octets(&said["file_sha256"]), sha256.as_ref());
        let opened = |sha256: &[u8]| {
            let nonce = hmac::Key::new(hmac::HMAC_SHA256, &octets(&said["nonce"]));
            let numbers: Vec<u8> = counts.iter().flat_map(|count| count.to_be_bytes()).collect();
            hmac::sign(&nonce, &[sha256, &numbers].concat()).as_ref().to_vec()
        };
        let committed: &[u8] = leaf.commitment().unwrap();
        assert_eq!(opened(sha256.as_ref()), committed);
        // Twin: another file does not open it.
        assert_ne!(opened(digest::digest(&digest::SHA256, b"email\r\n").as_ref()), committed);
    }
    assert_ne!(said[0]["nonce"], said[1]["nonce"]);
}

#[tokio::test]
async fn a_form_is_read_by_its_name_with_all_of_its_versions_and_by_its_controller_alone() {
    let house = House::new().await;
    published(&house).await;
    let mut newer = notice();
    (newer["version"], newer["short"]) = (2.into(), "We send you news, and more.".into());
    let asked = json!({"name": "news", "purposes": ["newsletter"], "notices": [newer]});
    let answer = house.post(&house.shop, "/v1/forms", &asked).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let (id, url) = (json_of(&answer)["id"].clone(), json_of(&answer)["url"].clone());
    let form = json_of(&house.get(&house.shop, "/v1/forms/news").await);
    assert_eq!((&form["name"], &form["url"]), (&json!("news"), &url));
    let versions = form["versions"].as_array().unwrap();
    let states: Vec<_> = versions.iter().map(|one| (one["version"].as_u64(), one["state"].as_str())).collect();
    assert_eq!(states, [(Some(1), Some("retired")), (Some(2), Some("published"))]);
    assert_eq!((&versions[1]["id"], &versions[1]["purposes"]), (&id, &json!(["newsletter"])));
    assert_ne!(versions[0]["notices"]["en"], versions[1]["notices"]["en"]);
    assert_eq!(house.get(&house.shop, "/v1/forms/nothing").await.status, 404);
    let other = house.admit("other", "other.example").await;
    assert_eq!(house.get(&other, "/v1/forms/news").await.status, 404);
}
