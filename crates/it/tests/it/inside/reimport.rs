//! Rows that wait are let go once their provenance is named, and nobody comes back by a file who went (GDPR Art. 14,
//! 17, 21(3); imported contacts need source, date, method, notice and basis).

use super::house::{House, Tenant, address, bearer, http_told, json_of, letter};
use model::person::Restriction;
use serde_json::{Value, json};
use testkit::http::HttpAnswer;

/// Whom the file is about, in what state. The objector is spelt in another way than he was known.
const FILE: &str = "email,consent_at,source,method\r\n\
    whole@dest.example,2025-03-01,the shop,double_opt_in\r\n\
    nosource@dest.example,2025-03-02,,double_opt_in\r\n\
    OBJECTOR@BÜCHER.example,2025-03-03,,double_opt_in\r\n\
    single@dest.example,2025-03-04,,form\r\n\
    nodate@dest.example,,,double_opt_in\r\n";

async fn prepared() -> (House, Tenant) {
    let house = House::new().await;
    let shop = house.shop.clone();
    house.suppress(&shop, "objector@xn--bcher-kva.example", "marketing", "objection").await;
    let words = json!({"name": "signup", "version": 3, "language": "en", "text": "Yes, send me the newsletter."});
    assert_eq!(house.post(&shop, "/v1/notices", &words).await.status, 201);
    (house, shop)
}

async fn import(house: &House, who: &Tenant, text: &str) -> Value {
    let headers = [("Authorization", bearer(who)), ("Content-Type", "text/csv".to_owned())];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let path = "/v1/imports?purpose=newsletter&basis=consent&notice=signup:3";
    let answer = house.http.request("POST", path, &headers, text.as_bytes()).await.unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
    json_of(&answer)
}

fn path(receipt: &Value) -> String {
    format!("/v1/imports/{}", receipt["id"].as_str().unwrap())
}

async fn waiting(house: &House, who: &Tenant, receipt: &Value) -> u64 {
    json_of(&house.get(who, &path(receipt)).await)["quarantined"].as_u64().unwrap()
}

async fn news(house: &House, who: &Tenant, to: &str) -> HttpAnswer {
    house.post(who, "/v1/messages", &letter(Some("newsletter"), &who.from, &[to])).await
}

async fn refusal(house: &House, who: &Tenant, to: &str) -> String {
    http_told(&news(house, who, to).await).rule()
}

#[tokio::test]
async fn art14_rows_that_wait_become_sendable_when_what_they_lack_is_named_and_objectors_do_not() {
    let (house, shop) = prepared().await;
    let receipt = import(&house, &shop, FILE).await;
    let counts = json!({"blocked": 0, "contacts": 1, "duplicates": 0, "malformed": 0, "quarantined": 4});
    assert_eq!(receipt["counts"], counts, "{receipt}");
    assert_eq!(refusal(&house, &shop, "nosource@dest.example").await, "no-basis");
    let release = format!("{}/release", path(&receipt));
    for (body, status) in [
        (json!({"source": "the shop", "method": "by magic"}), 400),
        (json!({"sauce": "the shop"}), 400),
        (json!({"purposes": ["nothing"]}), 400),
    ] {
        assert_eq!(house.post(&shop, &release, &body).await.status, status, "{body}");
    }
    assert_eq!(waiting(&house, &shop, &receipt).await, 4, "what is not understood lets nobody go");

    // An objector's row waited as the others did; no source that is named raises him.
    let answer = house.post(&shop, &release, &json!({"source": "the shop"})).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let released = json_of(&answer);
    assert_eq!(released["released_from"], receipt["id"]);
    let counts = json!({"blocked": 1, "contacts": 2, "duplicates": 0, "malformed": 0, "quarantined": 1});
    assert_eq!((&released["counts"], &released["missing"]), (&counts, &json!({"given_at": 1})), "{released}");
    assert_eq!((waiting(&house, &shop, &receipt).await, waiting(&house, &shop, &released).await), (0, 1));
    let id = http_told(&news(&house, &shop, "nosource@dest.example").await).id();
    house.until_state(&id, "delivered").await;
    // What a row said itself stands: its method is no double opt-in.
    assert_eq!(refusal(&house, &shop, "single@dest.example").await, "consent-unconfirmed");
    assert_eq!(refusal(&house, &shop, "objector@bücher.example").await, "objected");
    assert_eq!(refusal(&house, &shop, "nodate@dest.example").await, "no-basis");

    // The last one goes from where it waits now; then there is nobody left.
    let again = format!("{}/release", path(&released));
    let dates = json!({"collected_from": "2025-01-01", "collected_until": "2025-02-01"});
    let answer = json_of(&house.post(&shop, &again, &dates).await);
    assert_eq!((&answer["counts"]["contacts"], &answer["rows"]), (&json!(1), &json!(1)), "{answer}");
    house.until_state(&http_told(&news(&house, &shop, "nodate@dest.example").await).id(), "delivered").await;
    let nobody = json_of(&house.post(&shop, &again, &dates).await);
    assert_eq!(nobody["rows"], 0, "{nobody}");
    // It is taken back as any other import.
    assert_eq!(house.post(&shop, &format!("{}/undo", path(&answer)), &json!({})).await.status, 200);
    assert_eq!(refusal(&house, &shop, "nodate@dest.example").await, "no-basis");
    let release = house.post(&shop, &format!("{}/release", path(&answer)), &dates).await;
    assert_eq!(release.status, 400, "of an import that was undone nothing waits: {}", release.text());
}

#[tokio::test]
async fn art21_3_a_waiting_row_of_a_person_who_objects_meanwhile_is_blocked_when_it_is_let_go() {
    let (house, shop) = prepared().await;
    let other = house.admit("other", "other.example").await;
    let receipt = import(&house, &shop, FILE).await;
    house.suppress(&shop, "nosource@dest.example", "marketing", "objection").await;
    let release = format!("{}/release", path(&receipt));
    let facts = json!({"source": "the shop"});
    assert_eq!(house.post(&other, &release, &facts).await.status, 404, "another controller's import is not there");
    let released = json_of(&house.post(&shop, &release, &facts).await);
    let counts = json!({"blocked": 2, "contacts": 1, "duplicates": 0, "malformed": 0, "quarantined": 1});
    assert_eq!(released["counts"], counts, "{released}");
    assert_eq!(refusal(&house, &shop, "nosource@dest.example").await, "objected");
}

#[tokio::test]
async fn art14_3_who_was_not_asked_himself_is_to_be_informed_within_a_month_and_the_report_says_by_when() {
    let (house, shop) = prepared().await;
    let file = "email,consent_at,source,method\r\n\
        bought@dest.example,2026-10-31,a partner,other\r\n\
        asked@dest.example,2026-01-01,the shop,double_opt_in\r\n";
    let receipt = import(&house, &shop, file).await;
    let inform = json!({"rows": 1, "by": "2026-11-30", "article": "GDPR Art. 14(3)"});
    assert_eq!(receipt["inform"], inform, "{receipt}");
    // Twin: whoever was asked himself was informed then (GDPR Art. 13).
    let receipt = import(&house, &shop, FILE).await;
    assert_eq!(receipt.get("inform"), None, "{receipt}");
}

#[tokio::test]
async fn art17_an_objector_who_was_erased_is_not_raised_by_a_file_however_it_spells_him() {
    let (house, shop) = prepared().await;
    let known = "objector@xn--bcher-kva.example";
    house.store.restrict(shop.controller, &address(known), Restriction::Erased).await.unwrap();
    for (number, spelt) in [
        "OBJECTOR@xn--bcher-kva.EXAMPLE",
        "objector@bücher.example",
        "Objector@BÜCHER.example",
        "\"\"\"objector\"\"@bücher.example\"",
        "objector@bücher\u{3002}example",
        "objector@ｂücher.ｅｘａｍｐｌｅ",
    ]
    .into_iter()
    .enumerate()
    {
        let twin = format!("control{number}@dest.example");
        let file = format!(
            "email,consent_at,source,method\r\n{spelt},2025-03-01,the shop,double_opt_in\r\n\
             {twin},2025-03-01,the shop,double_opt_in\r\n"
        );
        let receipt = import(&house, &shop, &file).await;
        let counts = (&receipt["counts"]["blocked"], &receipt["counts"]["contacts"]);
        assert_eq!(counts, (&json!(1), &json!(1)), "{spelt}: {receipt}");
        let rule = refusal(&house, &shop, known).await;
        assert!(["objected", "recipient-erased"].contains(&rule.as_str()), "{spelt}: {rule}");
        http_told(&news(&house, &shop, &twin).await).id();
    }
}
