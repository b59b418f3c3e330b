//! What the pages for recipients record is what they showed, and what strangers set off there has its bound: each
//! beside what is still done.

use super::house::{ADA, BOB, House, address, json_of};
use super::keeping::{asked_link, forwarded, notice, posted, reachable, sign_up};
use model::PurposeId;
use serde_json::{Value, json};
use store::permission::{Act, Leaving, Link, LinkTarget, Method};
use testkit::http::HttpAnswer;

pub(super) async fn publish(house: &House, name: &str, purposes: &[&str], notice: &Value) -> HttpAnswer {
    let asked = json!({"name": name, "purposes": purposes, "notices": [notice]});
    house.post(&house.shop, "/v1/forms", &asked).await
}

pub(super) fn path_of(answer: &HttpAnswer) -> String {
    assert_eq!(answer.status, 201, "{}", answer.text());
    let url = json_of(answer)["url"].as_str().unwrap().to_owned();
    url[url.find("/f/").unwrap()..].to_owned()
}

/// The value of a hidden field.
pub(super) fn value(page: &str, name: &str) -> String {
    let before = format!("name=\"{name}\" value=\"");
    let at = page.find(&before).unwrap_or_else(|| panic!("no {name} in {page}")) + before.len();
    page[at..].split('"').next().unwrap().to_owned()
}

pub(super) fn page_link(house: &House, to: &str, message: Option<&str>) -> String {
    let controller = house.shop.controller;
    let tag = house.store.tag_of(controller, &address(to)).unwrap();
    let message = message.map(|id| house.inner(id));
    let link = Link { controller, tag, target: LinkTarget::Preferences, message };
    house.store.link_token(&link).unwrap()
}

#[tokio::test]
async fn art7_1_a_form_that_is_posted_after_its_words_changed_is_shown_again() {
    let house = House::new().await;
    let form = path_of(&publish(&house, "news", &["newsletter"], &notice()).await);
    let before = house.http.get(&form, &[]).await.unwrap().text();
    let mut newer = notice();
    (newer["version"], newer["short"]) = (2.into(), "We sell your address, too.".into());
    path_of(&publish(&house, "news", &["newsletter"], &newer).await);
    let send = async |page: &str, shown: &str| {
        let purpose = value(page, "purpose");
        let sent = format!("email=ada%40dest.example&purpose={purpose}&language=en&form_version={shown}&homepage=");
        posted(&house, &form, &sent).await
    };
    for shown in [value(&before, "form_version"), String::new(), "frm_x.doc_y".to_owned()] {
        let answer = send(&before, &shown).await;
        assert_eq!(answer.status, 422, "{shown}");
        assert!(answer.text().contains("We sell your address, too."), "{}", answer.text());
    }
    let tag = house.store.tag_of(house.shop.controller, &address(ADA)).unwrap();
    assert!(house.store.consent_events(house.shop.controller, tag).await.unwrap().is_empty());
    // Twin: what is shown now is taken.
    let now = house.http.get(&form, &[]).await.unwrap().text();
    assert_eq!(send(&now, &value(&now, "form_version")).await.status, 200);
    house.mx.wait_for_recipient(ADA, 1).await;
}

/// The evidence of the shop's basis for its newsletter.
async fn evidence(house: &House, to: &str) -> String {
    let found = house.post(&house.shop, "/v1/decisions/search", &json!({"email": to})).await;
    let tag = house.store.tag_of(house.shop.controller, &address(to)).unwrap();
    let standing = house.store.decided(house.shop.controller, tag).await.unwrap();
    let purpose = PurposeId::of_stream(house.shop.newsletter);
    let basis = standing.bases.iter().find(|basis| basis.purpose == purpose);
    basis.map_or_else(|| found.text(), |basis| format!("{:?} {}", basis.evidence, basis.notice.is_some()))
}

#[tokio::test]
async fn art7_1_a_tick_is_evidence_only_with_a_notice_that_was_shown_and_speaks_of_it() {
    let house = House::new().await;
    path_of(&publish(&house, "news", &["newsletter"], &notice()).await);
    let tick = async |to: &str, shown: Option<&str>| {
        house.consent(to).await;
        let shop = &house.shop;
        let tag = house.store.tag_of(shop.controller, &address(to)).unwrap();
        let (from, act) = (Leaving::Purpose(PurposeId::of_stream(shop.newsletter)), Act::by(Method::Page));
        house.store.leave(shop.controller, tag, from, &act).await.unwrap();
        let link = format!("/p/{}", page_link(&house, to, None));
        let page = house.http.get(&link, &[]).await.unwrap().text();
        let token = shown.map_or_else(|| value(&page, "form_token"), str::to_owned);
        let sent = format!("purpose={}&form_token={token}&language=en", value(&page, "purpose"));
        let answer = posted(&house, &link, &sent).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let asked = house.http.get(&asked_link(&house, to, 1).await, &[]).await.unwrap().text();
        assert_eq!(asked.contains("We send you our newsletter"), shown.is_none(), "{asked}");
        assert_eq!(posted(&house, &asked_link(&house, to, 1).await, "").await.status, 200);
        evidence(&house, to).await
    };
    assert_eq!(tick(ADA, Some("")).await, "Unverified false", "no words");
    let other = json!({"name": "other", "version": 1, "language": "en", "text": "Something else."});
    let other = json_of(&house.post(&house.shop, "/v1/notices", &other).await)["id"].as_str().unwrap().to_owned();
    assert_eq!(tick(BOB, Some(&other)).await, "Unverified false", "words that no form showed");
    assert_eq!(tick("cam@dest.example", None).await, "Complete true");
}

#[tokio::test]
async fn art13_1_a_form_is_published_only_with_a_notice_that_speaks_of_it() {
    let house = House::new().await;
    let refused = async |purposes: &[&str], change: fn(&mut Value), field: &str| {
        let mut changed = notice();
        change(&mut changed);
        let answer = publish(&house, "news", purposes, &changed).await;
        assert_eq!((answer.status, &json_of(&answer)["field"]), (400, &field.into()), "{}", answer.text());
    };
    refused(&["newsletter"], |one| one["controllers"][0]["name"] = "Somebody Else GmbH".into(), "notices").await;
    refused(&["newsletter"], |one| one["purposes"][0]["id"] = "something".into(), "notices").await;
    refused(&["newsletter"], |one| one["purposes"][0]["bases"] = json!(["contract"]), "notices").await;
    refused(&["newsletter", "newsletter"], |_| {}, "purposes").await;
    refused(&["transactional"], |_| {}, "purposes").await;
    assert_eq!(publish(&house, "news", &["newsletter"], &notice()).await.status, 201);
}

#[tokio::test]
async fn art12_2_a_right_that_is_exercised_again_is_the_same_wish_for_a_day_and_its_link_has_a_limit() {
    let house = House::new().await;
    reachable(&house).await;
    house.consent(ADA).await;
    let id = house.send("newsletter", ADA).await;
    house.until_state(&id, "delivered").await;
    let link = format!("/w/{}", page_link(&house, ADA, Some(&id)));
    for _ in 0..18 {
        assert_eq!(posted(&house, &link, "right=access").await.status, 200);
    }
    assert_eq!(forwarded(&house).await, [true], "one wish");
    house.until_empty().await;
    assert_eq!(house.mx.received().iter().filter(|one| one.to == ["privacy@dest.example"]).count(), 1);
    // Twin: on another day it is another wish, and another right is one of its own.
    house.clock.advance(std::time::Duration::from_secs(86_401));
    for right in ["right=access", "right=erase"] {
        assert_eq!(posted(&house, &link, right).await.status, 200);
    }
    assert_eq!(forwarded(&house).await, [true, true, true]);
    assert_eq!(posted(&house, &link, "right=rectify").await.status, 429, "the twenty-first");
    // Withdrawing is never kept waiting.
    assert_eq!(posted(&house, &link, "right=withdraw").await.status, 200);
    assert_eq!(house.by_http(&house.shop, Some("newsletter"), &house.shop.from, ADA).await.rule(), "suppressed");
}

#[tokio::test]
async fn law_r5_spellings_with_a_plus_do_not_flood_one_mailbox() {
    let house = House::new().await;
    let form = path_of(&publish(&house, "news", &["newsletter"], &notice()).await);
    for number in 0..6 {
        sign_up(&house, &form, &format!("ada+{number}@dest.example")).await;
    }
    sign_up(&house, &form, BOB).await;
    house.mx.wait_for_recipient(BOB, 1).await;
    house.until_empty().await;
    let asked = house.mx.received().iter().filter(|one| one.to[0].starts_with("ada+")).count();
    assert!((1..=3).contains(&asked), "{asked}");
}
