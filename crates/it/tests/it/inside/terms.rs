//! What a stream's terms name is enforced at both doors and on the wire: how often, when, and how securely. Beside each
//! its twin, which is not about the same.

use super::house::{
    ADA, BOB, HOUR, House, MINUTE, Tenant, Told, address, content, events, http_told, json_of, last, letter,
};
use super::keeping::{asked_link, posted};
use model::instruction::Operation;
use model::stream::{Frequency, Quiet, Terms, TlsFloor, Tracking};
use model::{PurposeId, StreamKind};
use std::time::Duration;
use store::permission::{Link, LinkTarget};
use store::{NewCredential, NewStream, Verified};
use testkit::mx::{Conduct, StartTls};

const DAY: Duration = Duration::from_secs(86_400);

/// A further stream with terms, which the shop may use from now on: `bounded` for marketing, `guarded` for receipts.
pub(super) async fn with_terms(house: &mut House, name: &str, terms: Terms) {
    let shop = &house.shop;
    let (kind, purpose) = match name {
        "guarded" => (StreamKind::Transactional, shop.transactional),
        _ => (StreamKind::Marketing, shop.newsletter),
    };
    let purposes = [PurposeId::of_stream(purpose)];
    let new = NewStream { name, kind, about: "bounded mail", purposes: &purposes, terms };
    house.store.create_stream_for(shop.controller, &new).await.unwrap();
    let streams: Vec<_> = house.store.streams(shop.controller).iter().map(|stream| stream.id).collect();
    house.store.issue_instruction(shop.controller, &Operation::ALL, &streams, 1_000_000).await.unwrap();
    let credential = NewCredential {
        username: &format!("all-{name}"),
        default_stream: shop.transactional,
        streams: &streams,
        expires: None,
    };
    let made = house.store.create_credential(shop.controller, credential).await.unwrap();
    house.shop = Tenant {
        credential: made.id,
        username: made.username,
        password: made.password,
        key: made.api_key,
        ..shop.clone()
    };
}

async fn consent(house: &House, to: &str) {
    house.basis(to, model::basis::BasisKind::Consent, Verified::Yes, None).await;
}

async fn by_http(house: &House, stream: &str, to: &str) -> Told {
    house.by_http(&house.shop, Some(stream), &house.shop.from, to).await
}

async fn by_smtp(house: &House, stream: &str, to: &str) -> Told {
    house.by_smtp(&house.shop, Some(stream), &house.shop.from, to).await
}

pub(super) fn at_most(messages: u32, days: u32) -> Terms {
    Terms { frequency: Some(Frequency { messages, days }), ..Terms::default() }
}

const CAPPED: &str = "frequency-cap";

#[tokio::test]
async fn art28_3_a_both_doors_keep_to_the_frequency_that_the_terms_promise() {
    let mut house = House::new().await;
    with_terms(&mut house, "bounded", at_most(2, 7)).await;
    consent(&house, ADA).await;
    consent(&house, BOB).await;
    house.until_state(&by_http(&house, "bounded", ADA).await.id(), "delivered").await;
    house.clock.advance(3 * DAY);
    house.until_state(&by_smtp(&house, "bounded", ADA).await.id(), "delivered").await;
    // One more than promised, by either door; nothing of it is kept.
    assert_eq!(by_http(&house, "bounded", ADA).await.rule(), CAPPED);
    assert_eq!(by_smtp(&house, "bounded", ADA).await.rule(), CAPPED);
    let login = format!("{}+bounded", house.shop.username);
    let mut session = house.session(&login, &house.shop.password).await.unwrap();
    let reply = session.send(&house.shop.from, &[ADA], &content(&house.shop.from, ADA)).await.unwrap();
    assert_eq!((reply.code, reply.enhanced.unwrap().to_string().as_str()), (550, "5.7.1"), "{}", reply.text);
    let answer = house.post(&house.shop, "/v1/messages", &letter(Some("bounded"), &house.shop.from, &[ADA, BOB])).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let results = json_of(&answer)["results"].clone();
    assert_eq!(results[0]["rule"], CAPPED);
    assert_eq!(results[0]["article"], "GDPR Art. 28(3)(a), 21(2)");
    // Twins: another person, and mail that is no marketing.
    assert_eq!(results[1]["status"], "queued");
    house.until_state(&by_http(&house, "transactional", ADA).await.id(), "delivered").await;
    // Any seven days: the first one makes room when it is as old as that, the second is still counted.
    house.clock.advance(4 * DAY);
    by_http(&house, "bounded", ADA).await.id();
    assert_eq!(by_smtp(&house, "bounded", ADA).await.rule(), CAPPED);
    house.until_empty().await;
    assert_eq!(house.mx.received().iter().filter(|one| one.to == [ADA]).count(), 4);
}

#[tokio::test]
async fn art28_3_a_a_person_named_twice_and_requests_at_once_count_one_by_one() {
    let mut house = House::new().await;
    with_terms(&mut house, "bounded", at_most(3, 30)).await;
    consent(&house, ADA).await;
    let other_spelling = "Ada@DEST.example";
    let named = [ADA, other_spelling, ADA, ADA, ADA];
    let answer = house.post(&house.shop, "/v1/messages", &letter(Some("bounded"), &house.shop.from, &named)).await;
    let results = json_of(&answer)["results"].clone();
    let words: Vec<&str> = (0..named.len()).map(|at| results[at]["status"].as_str().unwrap()).collect();
    assert_eq!(words, ["queued", "queued", "queued", "refused", "refused"], "{results}");

    consent(&house, BOB).await;
    let send = || by_http(&house, "bounded", BOB);
    let told = tokio::join!(send(), send(), send(), send(), send(), send());
    let told = [told.0, told.1, told.2, told.3, told.4, told.5];
    let taken = told.iter().filter(|one| matches!(one, Told::Taken(_))).count();
    assert_eq!(taken, 3, "{told:?}");
    assert!(told.iter().all(|one| matches!(one, Told::Taken(_)) || *one == Told::Refused(CAPPED.into())), "{told:?}");
}

/// The person's own page, and the value of its only box.
async fn preferences(house: &House, to: &str) -> (String, String) {
    let tag = house.store.tag_of(house.shop.controller, &address(to)).unwrap();
    let target = LinkTarget::Preferences;
    let link = Link { controller: house.shop.controller, tag, target, message: None };
    let path = format!("/p/{}", house.store.link_token(&link).unwrap());
    let page = house.http.get(&path, &[]).await.unwrap();
    assert_eq!(page.status, 200, "{}", page.text());
    let text = page.text();
    let at = text.find("value=\"pur_").expect("a box for the purpose") + "value=\"".len();
    (path, text[at..].split('"').next().unwrap().to_owned())
}

/// Which way of the choice is checked.
async fn checked(house: &House, path: &str) -> Option<&'static str> {
    let text = house.http.get(path, &[]).await.unwrap().text();
    ["every", "weekly", "monthly"]
        .into_iter()
        .find(|word| text.contains(&format!("name=\"frequency\" value=\"{word}\" checked")))
}

async fn choose(house: &House, path: &str, purpose: &str, frequency: &str) {
    let form = format!("purpose={purpose}&frequency={frequency}&language=en&pause=none");
    let kind = [("Content-Type", "application/x-www-form-urlencoded")];
    let answer = house.http.request("POST", path, &kind, form.as_bytes()).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn art21_2_a_person_chooses_fewer_on_his_page_and_gets_fewer() {
    let house = House::new().await;
    consent(&house, ADA).await;
    consent(&house, BOB).await;
    let (path, purpose) = preferences(&house, ADA).await;
    assert_eq!(checked(&house, &path).await, Some("every"), "who never chose gets what comes");
    by_http(&house, "newsletter", ADA).await.id();
    choose(&house, &path, &purpose, "weekly").await;
    assert_eq!(checked(&house, &path).await, Some("weekly"));
    // It is counted from the choice on.
    by_http(&house, "newsletter", ADA).await.id();
    assert_eq!(by_http(&house, "newsletter", ADA).await.rule(), CAPPED);
    assert_eq!(by_smtp(&house, "newsletter", ADA).await.rule(), CAPPED);
    by_http(&house, "newsletter", BOB).await.id();
    by_http(&house, "transactional", ADA).await.id();
    house.clock.advance(7 * DAY);
    by_http(&house, "newsletter", ADA).await.id();
    // Rarer still, and a word that nobody offered changes nothing.
    choose(&house, &path, &purpose, "monthly").await;
    choose(&house, &path, &purpose, "hourly").await;
    assert_eq!(checked(&house, &path).await, Some("monthly"));
    house.clock.advance(20 * DAY);
    assert_eq!(by_http(&house, "newsletter", ADA).await.rule(), CAPPED);
    // More than before needs a word out of her mailbox: whoever has her link cannot choose it for her.
    choose(&house, &path, &purpose, "every").await;
    assert_eq!(checked(&house, &path).await, Some("monthly"));
    assert_eq!(by_http(&house, "newsletter", ADA).await.rule(), CAPPED);
    let link = asked_link(&house, ADA, 1).await;
    assert_eq!(posted(&house, &link, "").await.status, 200);
    by_http(&house, "newsletter", ADA).await.id();
    by_http(&house, "newsletter", ADA).await.id();
}

/// From noon UTC, where the clock begins, in an hour's time and for so many hours; on the wall of Berlin.
fn rest(minutes_from_noon: u16, hours: u16) -> Terms {
    let from = 13 * 60 + minutes_from_noon;
    Terms { quiet: Some(Quiet { from, until: from + hours * 60, zone: "Europe/Berlin".into() }), ..Terms::default() }
}

#[tokio::test]
async fn art28_3_a_marketing_taken_in_quiet_hours_leaves_when_they_end_and_not_before() {
    let mut house = House::new().await;
    with_terms(&mut house, "bounded", rest(0, 2)).await;
    consent(&house, ADA).await;
    let answer = house.post(&house.shop, "/v1/messages", &letter(Some("bounded"), &house.shop.from, &[ADA])).await;
    let result = json_of(&answer)["results"][0].clone();
    assert_eq!(
        (answer.status, result["status"].as_str(), result["rule"].as_str()),
        (202, Some("held"), Some("quiet-hours"))
    );
    let id = http_told(&answer).id();
    // Twin: a receipt to the same site is not held up; it also shows that delivery is at work.
    house.until_state(&house.send("transactional", ADA).await, "delivered").await;
    house.clock.advance(2 * HOUR - MINUTE);
    house.until_state(&house.send("transactional", BOB).await, "delivered").await;
    assert_eq!(house.message(&id).await["state"], "held");
    assert_eq!(house.mx.counts().mails, 2, "no MAIL for what rests");
    house.clock.advance(MINUTE);
    house.until_state(&id, "delivered").await;
    assert_eq!(house.mx.counts().mails, 3);
    // Outside of them it leaves at once.
    let next = by_http(&house, "bounded", ADA).await.id();
    house.until_state(&next, "delivered").await;
}

#[tokio::test]
async fn art28_3_a_a_retry_that_falls_into_quiet_hours_is_held_once_and_asked_again_at_their_end() {
    let mut house = House::new().await;
    with_terms(&mut house, "bounded", rest(10, 3)).await;
    consent(&house, ADA).await;
    consent(&house, BOB).await;
    house.mx.treat_next(ADA, Conduct::defer(451, "4.3.0 busy"));
    house.mx.treat_next(BOB, Conduct::defer(451, "4.3.0 busy"));
    let id = by_http(&house, "bounded", ADA).await.id();
    let twin = by_http(&house, "newsletter", BOB).await.id();
    for id in [&id, &twin] {
        house.until_event(id, "deferred", 1).await;
    }
    house.clock.advance(HOUR);
    let message = house.until_state(&id, "held").await;
    assert_eq!(last(&message)["rule"], "quiet-hours", "{message}");
    house.until_state(&twin, "delivered").await;
    // Between now and then nothing asks: what is held stays as it is, and no MAIL is seen.
    house.clock.advance(2 * HOUR + 9 * MINUTE);
    house.until_state(&house.send("transactional", BOB).await, "delivered").await;
    let message = house.message(&id).await;
    assert_eq!((message["state"].as_str(), events(&message, "held")), (Some("held"), 1), "{message}");
    assert_eq!(house.mx.counts().recipients.get(ADA), Some(&1));
    house.clock.advance(MINUTE);
    house.until_state(&id, "delivered").await;
}

#[tokio::test]
async fn art32_1_a_what_must_be_encrypted_never_leaves_in_clear() {
    let mut house = House::new().await;
    with_terms(&mut house, "guarded", Terms { tls_floor: TlsFloor::Encrypted, ..Terms::default() }).await;
    let id = by_http(&house, "guarded", ADA).await.id();
    let message = house.until_event(&id, "deferred", 1).await;
    assert_eq!(last(&message)["rule"], "tls-floor", "{message}");
    // Twin: where the terms ask for nothing, the same site gets the same in clear.
    house.until_state(&house.send("transactional", BOB).await, "delivered").await;
    assert_eq!((house.mx.counts().mails, house.mx.counts().recipients.get(ADA)), (1, None), "no MAIL for it");
    // The site learns it, and the message leaves encrypted.
    house.mx.manners(|manners| manners.starttls = StartTls::On);
    house.clock.advance(HOUR);
    house.until_state(&id, "delivered").await;
    assert_eq!(
        house.mx.received().iter().map(|one| (one.to.join(","), one.tls)).collect::<Vec<_>>(),
        [(BOB.to_owned(), false), (ADA.to_owned(), true)]
    );
}

#[tokio::test]
async fn art32_1_a_mail_for_a_site_without_encryption_ends_when_its_time_is_over() {
    let mut house = House::new().await;
    with_terms(&mut house, "guarded", Terms { tls_floor: TlsFloor::Encrypted, ..Terms::default() }).await;
    let id = by_smtp(&house, "guarded", ADA).await.id();
    house.until_event(&id, "deferred", 1).await;
    house.clock.advance(25 * HOUR);
    house.until_state(&id, "expired").await;
    assert_eq!(house.mx.counts().mails, 0);
    house.until_empty().await;
}

#[tokio::test]
async fn art28_3_a_a_stream_whose_terms_cannot_be_kept_is_not_made() {
    let house = House::new().await;
    let shop = &house.shop;
    let purposes = [PurposeId::of_stream(shop.newsletter)];
    for (terms, word) in [
        (Terms { tracking: Tracking::Consented, ..Terms::default() }, "tracking consented"),
        (Terms { regions: vec!["US".into()], ..Terms::default() }, "stands in EEA"),
        (at_most(0, 7), "frequency of 0"),
    ] {
        let new = NewStream { name: "kept", kind: StreamKind::Marketing, about: "news", purposes: &purposes, terms };
        let error = house.store.create_stream_for(shop.controller, &new).await.unwrap_err().to_string();
        assert!(error.starts_with("these terms cannot be kept: ") && error.contains(word), "{error}");
    }
    let terms = Terms::default();
    let new = NewStream { name: "kept", kind: StreamKind::Marketing, about: "news", purposes: &purposes, terms };
    house.store.create_stream_for(shop.controller, &new).await.unwrap();
}
