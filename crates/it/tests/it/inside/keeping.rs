//! What is kept for a time goes when that is over, and what has to be passed on is passed on: messages by their
//! stream's terms, sign-ups that were never confirmed, rights that a controller has not been told of. Beside each what
//! stays.

use super::house::{ADA, BOB, HOUR, House, MINUTE, PAGES, Tenant, address, http_told, json_of, letter};
use duties::profile::{Profile, keep};
use ledger::{Entry, Folder};
use model::instruction::Operation;
use model::stream::Terms;
use model::{PurposeId, StreamKind};
use serde_json::{Value, json};
use std::time::Duration;
use store::permission::{Link, LinkTarget};
use store::{NewCredential, NewStream, Verified};
use testkit::http::HttpAnswer;

const DAY: Duration = Duration::from_secs(86_400);
const CAM: &str = "cam@dest.example";

/// The counts of every leaf that says that something was deleted.
async fn deleted(house: &House) -> Vec<(String, u64)> {
    let log = house.log(&house.shop).await;
    let folder = Folder::open(&log).unwrap();
    let entries = folder.entries(0).unwrap().map(|entry| Entry::decode(&entry.unwrap()).unwrap());
    let deleted = entries.filter(|entry| entry.kind() == "data.deleted").inspect(|entry| {
        assert!(entry.subject_ref().is_none(), "it names nobody");
    });
    deleted.flat_map(|entry| entry.counts().clone()).collect()
}

/// A stream for receipts whose timeline is kept for a week, and the shop's key for all its streams.
async fn brief(house: &House) -> Tenant {
    let shop = &house.shop;
    let terms = Terms { retention_days: [("timeline".to_owned(), 7)].into(), ..Terms::default() };
    let purposes = [PurposeId::of_stream(shop.transactional)];
    let kind = StreamKind::Transactional;
    let new = NewStream { name: "brief", kind, about: "receipts", purposes: &purposes, terms };
    house.store.create_stream_for(shop.controller, &new).await.unwrap();
    let streams: Vec<_> = house.store.streams(shop.controller).iter().map(|stream| stream.id).collect();
    house.store.issue_instruction(shop.controller, &Operation::ALL, &streams, 1_000_000).await.unwrap();
    let default_stream = shop.transactional;
    let new = NewCredential { username: "all", default_stream, streams: &streams, expires: None };
    let made = house.store.create_credential(shop.controller, new).await.unwrap();
    Tenant { username: made.username, password: made.password, key: made.api_key, ..shop.clone() }
}

async fn status(house: &House, id: &str) -> u16 {
    house.get(&house.shop, &format!("/v1/messages/{id}")).await.status
}

#[tokio::test]
async fn art5_1_e_a_timeline_goes_when_its_streams_terms_say_so_and_not_before() {
    let mut house = House::new().await;
    house.shop = brief(&house).await;
    let send = async |stream: &str, to: &str| {
        let answer = house.post(&house.shop, "/v1/messages", &letter(Some(stream), &house.shop.from, &[to])).await;
        let id = http_told(&answer).id();
        house.until_state(&id, "delivered").await;
        id
    };
    let (first, usual) = (send("brief", ADA).await, send("transactional", ADA).await);
    house.clock.advance(DAY);
    let second = send("brief", BOB).await;
    house.clock.advance(6 * DAY - MINUTE);
    house.store.tidy().await.unwrap();
    assert_eq!((status(&house, &first).await, deleted(&house).await), (200, vec![]));
    house.clock.advance(MINUTE);
    house.store.tidy().await.unwrap();
    assert_eq!(status(&house, &first).await, 404, "its week is over");
    assert_eq!((status(&house, &second).await, status(&house, &usual).await), (200, 200));
    assert_eq!(deleted(&house).await, [("messages".to_owned(), 1)]);
    // What no terms shorten is kept for 90 days (law.md R38), and not for ever.
    house.clock.advance(83 * DAY - MINUTE);
    house.store.tidy().await.unwrap();
    assert_eq!((status(&house, &second).await, status(&house, &usual).await), (404, 200));
    house.clock.advance(MINUTE);
    house.store.tidy().await.unwrap();
    assert_eq!(status(&house, &usual).await, 404);
    assert_eq!(deleted(&house).await.len(), 3);
}

/// Everything that GDPR Art. 13 asks for.
pub(super) fn notice() -> Value {
    json!({
        "version": 1, "language": "en", "title": "How we use your address", "dated": "2026-01-01",
        "short": "We send you our newsletter until you say stop.",
        "controllers": [{"name": "Shop", "address": "1 Example Street", "contact": "privacy@dest.example"}],
        "officer": {"contact": "privacy@dest.example"},
        "purposes": [{"id": "newsletter", "text": "To send you our newsletter.", "bases": ["consent"]}],
        "recipients": ["Our processor."], "transfers": "none", "retention": ["Until you withdraw."],
        "rights": ["access", "rectification", "erasure", "restriction", "portability", "objection"],
        "rights_contact": "Write to privacy@dest.example.", "withdrawal": "With one click in every message.",
        "complaint": "The authority of Sampletown.", "must_be_given": "You need not.", "automated": "none",
        "source": "from-person",
    })
}

pub(super) async fn sign_up(house: &House, form: &str, to: &str) {
    let page = house.http.get(form, &[]).await.unwrap().text();
    let at = page.find("value=\"pur_").expect("a box for the purpose") + "value=\"".len();
    let purpose = page[at..].split('"').next().unwrap();
    let at =
        page.find("name=\"form_version\" value=\"").expect("what it shows") + "name=\"form_version\" value=\"".len();
    let shown = page[at..].split('"').next().unwrap();
    let to = to.replace('@', "%40").replace('+', "%2B");
    let sent = format!("email={to}&purpose={purpose}&language=en&form_version={shown}&homepage=");
    assert_eq!(posted(house, form, &sent).await.status, 200);
}

/// Presses the button behind the link that was mailed.
pub(super) async fn confirm(house: &House, to: &str) {
    let mail = house.mx.wait_for_recipient(to, 1).await.remove(0).text();
    let unfolded = mail.replace("=\r\n", "");
    // With the host before it: a signature's letters may have the same three.
    let at = unfolded.find(".example/c/").expect("a link to confirm") + ".example".len();
    let link = unfolded[at..].split_whitespace().next().unwrap();
    assert_eq!(posted(house, link, "").await.status, 200);
}

pub(super) async fn posted(house: &House, path: &str, form: &str) -> HttpAnswer {
    let kind = [("Content-Type", "application/x-www-form-urlencoded")];
    house.http.request("POST", path, &kind, form.as_bytes()).await.unwrap()
}

/// The link of the nth request to confirm that went to a person, counted from 1.
pub(super) async fn asked_link(house: &House, to: &str, nth: usize) -> String {
    let (mut seen, mut mails) = (0, 0);
    loop {
        mails += 1;
        let text = house.mx.wait_for_recipient(to, mails).await.remove(mails - 1).text().replace("=\r\n", "");
        let Some(at) = text.find(&format!("{PAGES}/c/")) else { continue };
        seen += 1;
        if seen == nth {
            return text[at + PAGES.len()..].split_whitespace().next().unwrap().to_owned();
        }
    }
}

/// How many requests to confirm went to a person, once nothing waits.
pub(super) async fn times_asked(house: &House, to: &str) -> usize {
    house.until_empty().await;
    house.mx.received().iter().filter(|one| one.to == [to] && one.text().contains("Please confirm")).count()
}

/// Is the address kept, and how many pieces of evidence are?
async fn known(house: &House, to: &str) -> (bool, usize) {
    let controller = house.shop.controller;
    let tag = house.store.tag_of(controller, &address(to)).unwrap();
    let events = house.store.consent_events(controller, tag).await.unwrap();
    (house.store.address_of(controller, tag).await.unwrap().is_some(), events.len())
}

#[tokio::test]
async fn art5_1_e_who_signs_up_and_never_confirms_is_forgotten_and_not_asked_again_at_once() {
    let house = House::new().await;
    let asked = json!({"name": "news", "purposes": ["newsletter"], "notices": [notice()]});
    let answer = house.post(&house.shop, "/v1/forms", &asked).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let url = json_of(&answer)["url"].as_str().unwrap().to_owned();
    let form = &url[url.find("/f/").unwrap()..];
    for to in [ADA, BOB] {
        sign_up(&house, form, to).await;
    }
    confirm(&house, BOB).await;
    house.mx.wait_for_recipient(ADA, 1).await;
    // The request runs out after seven days, and a day later nothing needs to be known.
    house.clock.advance(8 * DAY - MINUTE);
    house.store.tidy().await.unwrap();
    assert_eq!(known(&house, ADA).await, (true, 1));
    house.clock.advance(MINUTE);
    house.store.tidy().await.unwrap();
    assert_eq!(known(&house, ADA).await, (false, 0));
    assert_eq!(deleted(&house).await, [("sign_ups".to_owned(), 1)]);
    // Twin: who confirmed stays, with his evidence.
    assert_eq!(known(&house, BOB).await, (true, 2));
    // That ADA was asked is still known by the tag alone: not again within 30 days, and then anew.
    sign_up(&house, form, ADA).await;
    sign_up(&house, form, CAM).await;
    house.mx.wait_for_recipient(CAM, 1).await;
    house.until_empty().await;
    assert_eq!(house.mx.received().iter().filter(|one| one.to == [ADA]).count(), 1);
    house.clock.advance(23 * DAY + HOUR);
    house.store.tidy().await.unwrap();
    sign_up(&house, form, ADA).await;
    house.mx.wait_for_recipient(ADA, 2).await;
    assert_eq!(known(&house, ADA).await, (true, 1));
}

/// The reference by which evidence names a person: made of his own secret, and gone with it.
async fn reference(house: &House, to: &str) -> Option<String> {
    let controller = house.shop.controller;
    let tag = house.store.tag_of(controller, &address(to)).unwrap();
    house.store.evidence_subject(controller, tag).await.unwrap()
}

#[tokio::test]
async fn art5_1_e_a_forgotten_sign_up_leaves_neither_a_row_nor_a_secret_behind() {
    let house = House::new().await;
    let asked = json!({"name": "news", "purposes": ["newsletter"], "notices": [notice()]});
    let url = json_of(&house.post(&house.shop, "/v1/forms", &asked).await)["url"].as_str().unwrap().to_owned();
    let form = &url[url.find("/f/").unwrap()..];
    for to in [ADA, BOB, CAM] {
        sign_up(&house, form, to).await;
    }
    confirm(&house, BOB).await;
    house.until_empty().await;
    // Twins: one who confirmed, and one who is mailed a receipt meanwhile.
    let (first, bob) = (reference(&house, ADA).await.unwrap(), reference(&house, BOB).await.unwrap());
    house.clock.advance(8 * DAY);
    house.store.tidy().await.unwrap();
    house.clock.advance(80 * DAY);
    house.store.tidy().await.unwrap();
    assert_eq!(reference(&house, ADA).await, Some(first.clone()), "the timeline of the request is kept for 90 days");
    let receipt = house.send("transactional", CAM).await;
    house.until_state(&receipt, "delivered").await;
    house.clock.advance(11 * DAY);
    house.store.tidy().await.unwrap();
    assert_eq!(reference(&house, ADA).await, None);
    assert_eq!(reference(&house, BOB).await, Some(bob));
    assert!(reference(&house, CAM).await.is_some());
    assert_eq!(house.message(&receipt).await["to"], CAM, "what was sealed for him opens");
    let forgotten = deleted(&house).await.into_iter().filter(|(what, _)| what == "persons");
    assert_eq!(forgotten.map(|(_, count)| count).sum::<u64>(), 1);
    // Whoever comes back is a new person, asked as one, and can confirm.
    sign_up(&house, form, ADA).await;
    let link = asked_link(&house, ADA, 2).await;
    assert_ne!(reference(&house, ADA).await.unwrap(), first);
    assert_eq!(posted(&house, &link, "").await.status, 200);
    assert_eq!(known(&house, ADA).await, (true, 2));
    let id = house.send("newsletter", ADA).await;
    house.until_state(&id, "delivered").await;
}

/// A person exercises a right on the page behind a newsletter.
async fn exercise(house: &House, to: &str) {
    house.basis(to, model::basis::BasisKind::Consent, Verified::Yes, None).await;
    let id = house.send("newsletter", to).await;
    house.until_state(&id, "delivered").await;
    let tag = house.store.tag_of(house.shop.controller, &address(to)).unwrap();
    let message = Some(house.inner(&id));
    let link = Link { controller: house.shop.controller, tag, target: LinkTarget::Preferences, message };
    let answer = posted(house, &format!("/w/{}", house.store.link_token(&link).unwrap()), "right=access").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

pub(super) async fn forwarded(house: &House) -> Vec<bool> {
    let answer = json_of(&house.get(&house.shop, "/v1/requests").await);
    answer["requests"].as_array().unwrap().iter().map(|one| one["forwarded"].is_string()).collect()
}

/// The controller says where he can be reached.
pub(super) async fn reachable(house: &House) {
    let profile = Profile {
        name: "Shop".to_owned(),
        postal_address: "1 Example Street".to_owned(),
        email: "privacy@dest.example".to_owned(),
        telephone: None,
        officer: None,
        privacy_policy: None,
        accent: None,
        authority: None,
        sender: house.shop.from.clone(),
    };
    keep(&house.store, house.shop.controller, &profile).await.unwrap();
}

async fn try_again(house: &House) {
    web::forward_wishes(&house.store, &house.running.submission).await.unwrap();
}

#[tokio::test]
async fn art28_3_e_a_right_that_could_not_be_passed_on_is_tried_again_within_its_day() {
    let house = House::new().await;
    exercise(&house, ADA).await;
    assert_eq!(forwarded(&house).await, [false], "nobody knows where the controller is");
    house.clock.advance(12 * HOUR);
    try_again(&house).await;
    assert_eq!(forwarded(&house).await, [false]);
    reachable(&house).await;
    house.clock.advance(11 * HOUR);
    try_again(&house).await;
    let told = house.mx.wait_for_recipient("privacy@dest.example", 1).await.remove(0);
    assert!(told.text().contains(ADA), "{}", told.text());
    assert_eq!(forwarded(&house).await, [true]);
    // Once is enough.
    try_again(&house).await;
    house.until_empty().await;
    assert_eq!(house.mx.received().iter().filter(|one| one.to == ["privacy@dest.example"]).count(), 1);
    assert_eq!(house.store.wishes_late().await.unwrap(), 0);
}

#[tokio::test]
async fn art28_3_e_a_right_whose_day_is_over_is_counted_as_late_and_stays_in_the_list() {
    let house = House::new().await;
    exercise(&house, ADA).await;
    house.clock.advance(24 * HOUR + MINUTE);
    reachable(&house).await;
    try_again(&house).await;
    assert_eq!(forwarded(&house).await, [false]);
    assert_eq!(house.store.wishes_late().await.unwrap(), 1);
    house.until_empty().await;
    assert!(house.mx.received().iter().all(|one| one.to == [ADA]));
}

/// GDPR Art. 28(3)(e): passed on, and not again by whoever looks at the same moment.
#[tokio::test]
async fn a_right_is_passed_on_once_when_two_look_at_once() {
    let house = House::new().await;
    exercise(&house, ADA).await;
    reachable(&house).await;
    house.clock.advance(HOUR);
    tokio::join!(try_again(&house), try_again(&house));
    house.mx.wait_for_recipient("privacy@dest.example", 1).await;
    house.until_empty().await;
    assert_eq!(house.mx.received().iter().filter(|one| one.to == ["privacy@dest.example"]).count(), 1);
    assert_eq!(forwarded(&house).await, [true]);
}
