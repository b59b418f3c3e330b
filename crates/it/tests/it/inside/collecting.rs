//! People are recorded only for what is instructed and by whom may do so, and on a soft opt-in only with all of its
//! conditions.

use super::deciding::Desk;
use super::house::{House, Tenant, bearer, json_of};
use model::StreamKind;
use model::instruction::Operation;
use serde_json::{Value, json};
use testkit::http::HttpAnswer;

const DAYS: &str = "collected_from=2026-01-01&collected_until=2026-02-01";

async fn import(house: &House, who: &Tenant, query: &str, text: &str) -> HttpAnswer {
    let key = bearer(who);
    let headers = [("Authorization", key.as_str()), ("Content-Type", "text/csv")];
    house.http.request("POST", &format!("/v1/imports?{DAYS}&{query}"), &headers, text.as_bytes()).await.unwrap()
}

async fn kept_words(house: &House) -> Value {
    let words = json!({"name": "told", "version": 1, "language": "en", "text": "We write to our customers."});
    json_of(&house.post(&house.shop, "/v1/notices", &words).await)["id"].clone()
}

#[tokio::test]
async fn eprivacy13_2_a_soft_opt_in_is_mailed_only_with_each_of_its_conditions() {
    // A stream whose purpose may rest on it.
    let desk = Desk::new().await;
    let (house, shop) = (&desk.house, &desk.shop);
    let notice = kept_words(house).await;
    for bits in 0..8_u8 {
        let said = |bit: u8| bits & (1 << bit) != 0;
        let to = format!("customer{bits}@dest.example");
        let sale = json!({"sale": if said(0) { "order 17" } else { "" }, "similar_products": said(1),
            "opt_out_at_collection": said(2)});
        let body = json!({"email": to, "stream": "offers", "kind": "soft-opt-in", "confirmed": true,
            "notice": notice, "action": "button", "method": "form", "soft_opt_in": sale});
        let answer = house.post(shop, "/v1/consents", &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let expected = if bits == 7 { ("complete", "queued") } else { ("unverified", "soft-opt-in-incomplete") };
        let found = (json_of(&answer)["evidence"].clone(), desk.gate(&to).await[1].clone());
        assert_eq!((found.0.as_str().unwrap(), found.1.as_str()), expected, "{bits:03b}");
    }
    // Without a word on them, as before; with words on a basis that needs none; with an address for a reference.
    let bare = json!({"email": "bare@dest.example", "stream": "offers", "kind": "soft-opt-in", "confirmed": true,
        "notice": notice, "action": "button"});
    assert_eq!(house.post(shop, "/v1/consents", &bare).await.status, 201);
    assert_eq!(desk.gate("bare@dest.example").await[1], "soft-opt-in-incomplete");
    let whole = json!({"sale": "order 17", "similar_products": true, "opt_out_at_collection": true});
    let address = json!({"sale": "a@dest.example", "similar_products": true, "opt_out_at_collection": true});
    for (kind, sale) in [("consent", whole), ("soft-opt-in", address)] {
        let body = json!({"email": "x@dest.example", "stream": "offers", "kind": kind, "confirmed": true,
            "soft_opt_in": sale});
        assert_eq!(house.post(shop, "/v1/consents", &body).await.status, 400, "{body}");
    }
}

#[tokio::test]
async fn eprivacy13_2_an_imported_soft_opt_in_waits_unless_it_was_collected_in_a_sale_with_an_opt_out() {
    // A stream whose purpose may rest on it.
    let desk = Desk::new().await;
    kept_words(&desk.house).await;
    let usual = "purpose=offers&basis=soft-opt-in&source=shop&notice=told:1:en";
    let whole = "soft_opt_in=similar-products,opt-out-at-collection";
    for (number, (more, contacts)) in [
        ("method=other".to_owned(), 0),
        (format!("method=form&{whole}"), 0),
        ("method=existing_customer".to_owned(), 0),
        ("method=existing_customer&soft_opt_in=similar-products".to_owned(), 0),
        (format!("method=existing_customer&{whole}"), 1),
    ]
    .into_iter()
    .enumerate()
    {
        let to = format!("bought{number}@dest.example");
        let answer = import(&desk.house, &desk.shop, &format!("{usual}&{more}"), &format!("email\n{to}\n")).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let counts = json_of(&answer)["counts"].clone();
        let found = (counts["contacts"].as_u64().unwrap(), counts["quarantined"].as_u64().unwrap());
        assert_eq!(found, (contacts, 1 - contacts), "{more}: {counts}");
        let expected = if contacts == 1 { "queued" } else { "no-basis" };
        assert_eq!(desk.gate(&to).await[1], expected, "{more}");
    }
}

#[tokio::test]
async fn art28_3_a_imports_and_forms_are_for_purposes_that_are_instructed_and_the_credential_may_use() {
    let house = House::new().await;
    let (store, shop) = (&house.store, &house.shop);
    store.create_stream(shop.controller, "offers", StreamKind::Marketing, "offers").await.unwrap();
    let streams: Vec<_> = store.streams(shop.controller).iter().map(|stream| stream.id).collect();
    store.issue_instruction(shop.controller, &Operation::ALL, &streams, 1_000_000).await.unwrap();
    let about = |purpose: &str| format!("purpose={purpose}&basis=consent&source=fair&method=paper&notice=elsewhere");
    let rule = |answer: &HttpAnswer| json_of(answer)["rule"].as_str().unwrap().to_owned();
    let form = |purpose: &str| json!({"name": "news", "purposes": [purpose], "notices": []});

    // Instructed, and the credential may not.
    let answer = import(&house, shop, &about("offers"), "email\none@dest.example\n").await;
    assert_eq!((answer.status, rule(&answer).as_str()), (403, "credential-scope"), "{}", answer.text());
    let answer = house.post(shop, "/v1/forms", &form("offers")).await;
    assert_eq!((answer.status, rule(&answer).as_str()), (403, "credential-scope"), "{}", answer.text());
    // Twin: what it may use comes in; a row that says otherwise waits.
    let rows = "email,purpose\none@dest.example,\ntwo@dest.example,offers\n";
    let answer = import(&house, shop, &about("newsletter"), rows).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let counts = json_of(&answer)["counts"].clone();
    assert_eq!((&counts["contacts"], &counts["quarantined"]), (&json!(1), &json!(1)), "{counts}");

    // No longer instructed: neither for it nor for its waiting rows.
    let id = json_of(&answer)["id"].as_str().unwrap().to_owned();
    store.issue_instruction(shop.controller, &Operation::ALL, &[shop.transactional], 1_000_000).await.unwrap();
    let answer = import(&house, shop, &about("newsletter"), "email\nthree@dest.example\n").await;
    assert_eq!((answer.status, rule(&answer).as_str()), (403, "operation-not-instructed"), "{}", answer.text());
    let answer = house.post(shop, "/v1/forms", &form("newsletter")).await;
    assert_eq!((answer.status, rule(&answer).as_str()), (403, "operation-not-instructed"), "{}", answer.text());
    let body = json!({"purposes": ["newsletter"]});
    let answer = house.post(shop, &format!("/v1/imports/{id}/release"), &body).await;
    assert_eq!((answer.status, rule(&answer).as_str()), (403, "operation-not-instructed"), "{}", answer.text());
}
