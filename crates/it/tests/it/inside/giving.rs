//! The link of a mail goes through many hands: whoever holds it may take away at once, and gives nothing. What is given
//! is confirmed out of the mailbox; and what was not saved is said (GDPR Art. 4(11), 7(1), 21).

use super::house::{ADA, BOB, House, address, json_of};
use super::keeping::{asked_link, notice, posted, reachable, sign_up, times_asked};
use super::showing::{page_link, path_of, publish, value};
use model::agreement::AgreementState;
use model::instruction::Operation;
use model::{PurposeId, StreamKind};
use serde_json::json;
use std::time::Duration;
use store::permission::{Link, LinkTarget};

const DAY: Duration = Duration::from_secs(86_400);
const CAM: &str = "cam@dest.example";

/// A node whose controller has a form, and can be written to.
async fn house() -> (House, String) {
    let house = House::new().await;
    reachable(&house).await;
    let form = path_of(&publish(&house, "letters", &["newsletter"], &notice()).await);
    (house, form)
}

/// Who gets the newsletter: `queued`, or the rule.
async fn gate(house: &House, to: &str) -> String {
    match house.by_http(&house.shop, Some("newsletter"), &house.shop.from, to).await {
        super::house::Told::Taken(_) => "queued".to_owned(),
        refused => refused.rule(),
    }
}

async fn page(house: &House, path: &str) -> String {
    let answer = house.http.get(path, &[]).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

/// Saves the page as it is, with the newsletter ticked or not, and something else said.
async fn save(house: &House, link: &str, ticked: bool, more: &str) -> String {
    let text = page(house, link).await;
    let purpose = house.store.public_id(PurposeId::of_stream(house.shop.newsletter));
    let tick = if ticked { format!("purpose={purpose}&") } else { String::new() };
    let answer =
        posted(house, link, &format!("{tick}form_token={}&language=en{more}", value(&text, "form_token"))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

#[tokio::test]
async fn art7_1_whoever_holds_a_link_takes_away_at_once_and_gives_only_out_of_the_mailbox() {
    let (house, _) = house().await;
    house.consent(ADA).await;
    // All that he has is the link for one click.
    let tag = house.store.tag_of(house.shop.controller, &address(ADA)).unwrap();
    let target = LinkTarget::Unsubscribe { purpose: PurposeId::of_stream(house.shop.newsletter), list: None };
    let link = Link { controller: house.shop.controller, tag, target, message: None };
    let leave = page(&house, &format!("/u/{}", house.store.link_token(&link).unwrap())).await;
    let at = leave.find("/p/").expect("the way to the choices");
    let own = leave[at..].split('"').next().unwrap().to_owned();
    let text = save(&house, &own, false, "").await;
    assert!(text.contains("Your choices are saved"), "{text}");
    assert_eq!(gate(&house, ADA).await, "suppressed");
    let text = save(&house, &own, true, "").await;
    assert!(text.contains("if you were not asked in the last 30 days") && !text.contains("are saved"), "{text}");
    assert_eq!(gate(&house, ADA).await, "suppressed", "a tick is no consent");
    // A scanner follows the link in the request; the person presses the button.
    let asked = asked_link(&house, ADA, 1).await;
    assert!(page(&house, &asked).await.contains("somebody with the link of a message to you"));
    assert_eq!(gate(&house, ADA).await, "suppressed");
    assert_eq!(posted(&house, &asked, "").await.status, 200);
    assert_eq!(gate(&house, ADA).await, "queued");
    // Once in 30 days, and the page says the same.
    save(&house, &own, false, "").await;
    assert_eq!(save(&house, &own, true, "").await, text);
    assert_eq!((times_asked(&house, ADA).await, gate(&house, ADA).await.as_str()), (1, "suppressed"));
    house.clock.advance(30 * DAY + Duration::from_secs(1));
    save(&house, &own, true, "").await;
    assert_eq!(posted(&house, &asked_link(&house, ADA, 2).await, "").await.status, 200);
    assert_eq!(gate(&house, ADA).await, "queued");
}

#[tokio::test]
async fn art21_2_a_break_holds_at_once_and_ends_earlier_only_out_of_the_mailbox() {
    let (house, _) = house().await;
    house.consent(ADA).await;
    let own = format!("/p/{}", page_link(&house, ADA, None));
    save(&house, &own, true, "&pause=month").await;
    let before = gate(&house, ADA).await;
    assert_ne!(before, "queued");
    save(&house, &own, true, "&pause=none").await;
    assert_eq!(gate(&house, ADA).await, before);
    assert!(page(&house, &asked_link(&house, ADA, 1).await).await.contains("An earlier end of your break"));
    assert_eq!(posted(&house, &asked_link(&house, ADA, 1).await, "").await.status, 200);
    assert_eq!(gate(&house, ADA).await, "queued");
}

#[tokio::test]
async fn art7_1_an_answer_from_the_mailbox_counts_on_the_page_for_an_hour_and_no_longer() {
    let (house, form) = house().await;
    sign_up(&house, &form, ADA).await;
    let asked = asked_link(&house, ADA, 1).await;
    let own = asked.replace("/c/", "/p/");
    assert_eq!(house.http.get(&own, &[]).await.unwrap().status, 404, "nobody has answered it");
    assert_eq!(posted(&house, &asked, "").await.status, 200);
    assert_eq!(gate(&house, ADA).await, "queued");
    assert_eq!(posted(&house, &format!("{own}/leave"), "").await.status, 200);
    assert_eq!(gate(&house, ADA).await, "suppressed");
    assert!(save(&house, &own, true, "").await.contains("Your choices are saved"));
    assert_eq!(gate(&house, ADA).await, "queued");
    house.clock.advance(Duration::from_secs(3_600));
    save(&house, &own, false, "").await;
    assert!(!save(&house, &own, true, "").await.contains("are saved"));
    assert_eq!(gate(&house, ADA).await, "suppressed");
}

#[tokio::test]
async fn art7_3_who_left_everything_and_signs_up_is_told_that_it_stands_until_he_lifts_it_on_his_page() {
    let (house, form) = house().await;
    house.consent(ADA).await;
    let own = format!("/p/{}", page_link(&house, ADA, None));
    assert_eq!(posted(&house, &format!("{own}/leave"), "").await.status, 200);
    sign_up(&house, &form, ADA).await;
    let asked = asked_link(&house, ADA, 1).await;
    let text = posted(&house, &asked, "").await.text();
    assert!(text.contains("Kept, and waiting for you") && !text.contains("all is confirmed"), "{text}");
    assert_eq!(gate(&house, ADA).await, "suppressed");
    assert!(text.contains(&asked.replace("/c/", "/p/")), "{text}");
    save(&house, &asked.replace("/c/", "/p/"), true, "").await;
    assert_eq!(gate(&house, ADA).await, "queued");
}

#[tokio::test]
async fn art28_3_the_page_shows_what_is_instructed_and_what_stands_and_says_what_was_not_saved() {
    let (house, _) = house().await;
    let (store, shop) = (&house.store, &house.shop);
    for name in ["offers", "partners"] {
        store.create_stream(shop.controller, name, StreamKind::Marketing, name).await.unwrap();
    }
    let streams: Vec<_> = store.streams(shop.controller).iter().map(|stream| stream.id).collect();
    let offers = PurposeId::of_stream(store.stream_named(shop.controller, "offers").unwrap().id);
    let partners = PurposeId::of_stream(store.stream_named(shop.controller, "partners").unwrap().id);
    let box_of = |id: PurposeId| format!("value=\"{}\"", house.store.public_id(id));
    store.issue_instruction(shop.controller, &Operation::ALL, &streams, 1_000_000).await.unwrap();
    house.consent(ADA).await;
    let basis = store::NewBasis {
        kind: model::basis::BasisKind::Consent,
        confirmed: store::Verified::Yes,
        evidence: model::basis::Evidence::Complete,
        expires: None,
    };
    let act = store::permission::Act::by(store::permission::Method::Api);
    store.record_basis(shop.controller, offers, &address(ADA), basis, &act).await.unwrap();
    let own = format!("/p/{}", page_link(&house, ADA, None));
    let text = page(&house, &own).await;
    assert!(text.contains(&box_of(offers)) && text.contains(&box_of(partners)), "{text}");
    // Neither is instructed any more: what stands can be taken away, and nothing else is offered.
    let instructed = [shop.transactional, shop.newsletter];
    store.issue_instruction(shop.controller, &Operation::ALL, &instructed, 1_000_000).await.unwrap();
    let text = page(&house, &own).await;
    assert!(text.contains(&box_of(offers)) && !text.contains(&box_of(partners)), "{text}");
    save(&house, &own, true, "").await;
    assert!(!page(&house, &own).await.contains(&box_of(offers)), "he took it away");
    // Without a newsletter in the instruction nothing is collected for it, and the page says so.
    save(&house, &own, false, "").await;
    store.issue_instruction(shop.controller, &Operation::ALL, &[shop.transactional], 1_000_000).await.unwrap();
    let newsletter = house.store.public_id(PurposeId::of_stream(shop.newsletter));
    posted(&house, &own, &format!("purpose={newsletter}")).await;
    assert_eq!(times_asked(&house, ADA).await, 0);
}

#[tokio::test]
async fn art28_3_without_an_agreement_in_force_a_tick_is_not_saved_and_the_page_says_so() {
    let (house, _) = house().await;
    house.consent(ADA).await;
    let own = format!("/p/{}", page_link(&house, ADA, None));
    save(&house, &own, false, "").await;
    house.store.set_agreement_state(house.shop.controller, AgreementState::Ended).await.unwrap();
    let text = save(&house, &own, true, "").await;
    assert!(text.contains("no agreement or instruction under which we may collect it"), "{text}");
    assert!(!text.contains("Your choices are saved"), "{text}");
    assert_eq!(times_asked(&house, ADA).await, 0);
    // Twin: what takes away is saved.
    let text = save(&house, &own, false, "&pause=week").await;
    assert!(text.contains("Your choices are saved"), "{text}");
}

#[tokio::test]
async fn art5_1_e_whose_address_is_not_kept_is_told_to_sign_up_anew() {
    let (house, form) = house().await;
    // Known by tag alone.
    house.consent(BOB).await;
    let own = format!("/p/{}", page_link(&house, CAM, None));
    let text = save(&house, &own, true, "").await;
    assert!(text.contains("your address is not kept any more") && text.contains(&format!("href=\"{form}\"")), "{text}");
    // Twin: whose address is kept is asked.
    let own = format!("/p/{}", page_link(&house, BOB, None));
    save(&house, &own, false, "").await;
    save(&house, &own, true, "").await;
    asked_link(&house, BOB, 1).await;
    assert_eq!(times_asked(&house, CAM).await, 0);
}

#[tokio::test]
async fn art21_3_while_an_objection_stands_nobody_is_asked_and_nothing_is_confirmed() {
    let (house, form) = house().await;
    // Asked before she objected.
    sign_up(&house, &form, ADA).await;
    let asked = asked_link(&house, ADA, 1).await;
    for (to, reason) in [(ADA, "objection"), (BOB, "complaint"), (CAM, "opt-out")] {
        house.suppress(&house.shop, to, "marketing", reason).await;
    }
    for text in [page(&house, &asked).await, posted(&house, &asked, "").await.text(), page(&house, &asked).await] {
        assert!(text.contains("Nothing was changed") && text.contains("privacy@dest.example"), "{text}");
        assert!(!text.contains("confirmed"), "{text}");
    }
    let tag = house.store.tag_of(house.shop.controller, &address(ADA)).unwrap();
    assert!(house.store.decided(house.shop.controller, tag).await.unwrap().bases.is_empty());
    assert_eq!(gate(&house, ADA).await, "objected");
    // A stranger signs them up; the answer is the same for all, and only who has merely opted out is asked.
    house.clock.advance(31 * DAY);
    for to in [ADA, BOB, CAM] {
        sign_up(&house, &form, to).await;
    }
    asked_link(&house, CAM, 1).await;
    assert_eq!((times_asked(&house, ADA).await, times_asked(&house, BOB).await), (1, 0));
    // Her own page says so, and no tick asks for anything.
    let own = format!("/p/{}", page_link(&house, ADA, None));
    assert!(page(&house, &own).await.contains("stands: none is sent to you"));
    let text = save(&house, &own, true, "").await;
    assert!(text.contains("no tick lifts it") && text.contains("privacy@dest.example"), "{text}");
    assert_eq!((times_asked(&house, ADA).await, gate(&house, ADA).await.as_str()), (1, "objected"));
}

#[tokio::test]
async fn art21_3_an_objection_is_taken_back_by_the_person_alone_and_leaves_him_unsubscribed() {
    let (house, _) = house().await;
    for (to, reason, rule) in [(ADA, "objection", "objected"), (BOB, "complaint", "suppressed")] {
        house.consent(to).await;
        house.suppress(&house.shop, to, "marketing", reason).await;
        let own = format!("/p/{}", page_link(&house, to, None));
        let path = format!("{own}/objection");
        assert!(page(&house, &own).await.contains(&format!("action=\"{path}\"")));
        let text = posted(&house, &path, "").await.text();
        assert!(text.contains("if you were not asked in the last 30 days"), "{text}");
        assert_eq!(gate(&house, to).await, rule, "the link alone changes nothing");
        let asked = asked_link(&house, to, 1).await;
        assert!(page(&house, &asked).await.contains("Taking back your objection"));
        assert_eq!(gate(&house, to).await, rule, "nor does looking");
        let text = posted(&house, &asked, "").await.text();
        assert!(text.contains("Your objection is taken back"), "{text}");
        assert_eq!(gate(&house, to).await, "suppressed", "nothing comes until he chooses it");
        save(&house, &asked.replace("/c/", "/p/"), true, "").await;
        assert_eq!(gate(&house, to).await, "queued");
    }
    // Twin: an objection later than the request is not taken back by it.
    house.consent(CAM).await;
    house.suppress(&house.shop, CAM, "marketing", "complaint").await;
    let own = format!("/p/{}", page_link(&house, CAM, None));
    posted(&house, &format!("{own}/objection"), "").await;
    let asked = asked_link(&house, CAM, 1).await;
    house.clock.advance(Duration::from_secs(60));
    house.suppress(&house.shop, CAM, "marketing", "objection").await;
    posted(&house, &asked, "").await;
    assert_eq!(gate(&house, CAM).await, "objected");
}

#[tokio::test]
async fn art12_6_a_right_by_a_link_is_told_as_not_authenticated() {
    let (house, _) = house().await;
    house.consent(ADA).await;
    let id = house.send("newsletter", ADA).await;
    house.until_state(&id, "delivered").await;
    let link = format!("/w/{}", page_link(&house, ADA, Some(&id)));
    assert_eq!(posted(&house, &link, "right=erase").await.status, 200);
    let told = json_of(&house.get(&house.shop, "/v1/requests").await);
    assert_eq!(
        (&told["requests"][0]["right"], &told["requests"][0]["came_by"]),
        (&json!("erasure"), &json!("mail-link"))
    );
    assert_eq!(told["requests"][0]["authenticated"], json!(false), "{told}");
    let notified = house.get(&house.shop, "/v1/notifications").await.text();
    assert!(notified.contains("not authenticated"), "{notified}");
    let mail = house.mx.wait_for_recipient("privacy@dest.example", 1).await.remove(0).text().replace("=\r\n", "");
    assert!(mail.contains("Art. 12(6)"), "{mail}");
    // Nothing was erased, and nobody is held up.
    assert_eq!(gate(&house, ADA).await, "queued");
}

#[tokio::test]
async fn art5_1_c_a_page_that_is_saved_again_and_again_writes_nothing_more() {
    let (house, _) = house().await;
    house.consent(ADA).await;
    let own = format!("/p/{}", page_link(&house, ADA, None));
    save(&house, &own, false, "&pause=week&frequency=monthly").await;
    let kept = async || {
        let search = json_of(&house.post(&house.shop, "/v1/decisions/search", &json!({"email": ADA})).await);
        let log = house.log(&house.shop).await;
        let leaves = std::fs::read_to_string(log.join("checkpoint")).unwrap().lines().nth(1).unwrap().to_owned();
        (search["steps"].as_array().unwrap().len(), leaves)
    };
    let before = kept().await;
    let purpose = house.store.public_id(PurposeId::of_stream(house.shop.newsletter));
    let mut answers = std::collections::BTreeMap::new();
    for round in 0..100 {
        let tick = if round % 2 == 0 { String::new() } else { format!("purpose={purpose}&") };
        let sent = format!("{tick}language=en&pause=week&frequency=monthly");
        *answers.entry(posted(&house, &own, &sent).await.status).or_insert(0) += 1;
        assert_eq!(posted(&house, &format!("{own}/leave"), "").await.status, 200);
    }
    assert_eq!(answers, [(200, 19), (429, 81)].into());
    // Asked once, and left altogether once.
    asked_link(&house, ADA, 1).await;
    let after = kept().await;
    assert_eq!(after.0, before.0 + 2, "{before:?} {after:?}");
    let more = |leaves: &str| leaves.parse::<usize>().unwrap();
    assert!(more(&after.1) < more(&before.1) + 10, "{before:?} {after:?}");
}

#[tokio::test]
async fn art32_1_b_steps_are_shown_in_pages() {
    let house = House::new().await;
    let tell =
        async |path: &str, body: &serde_json::Value| assert!(house.post(&house.shop, path, body).await.status < 300);
    for _ in 0..105 {
        tell("/v1/consents/withdraw", &json!({"email": ADA, "stream": "newsletter"})).await;
    }
    let mut seen = std::collections::HashSet::new();
    let mut body = json!({"email": ADA});
    let mut sizes = Vec::new();
    loop {
        let told = json_of(&house.post(&house.shop, "/v1/decisions/search", &body).await);
        let steps = told["steps"].as_array().unwrap();
        sizes.push(steps.len());
        seen.extend(steps.iter().map(|step| step["event_id"].as_str().unwrap().to_owned()));
        let Some(next) = told["next"].as_str() else { break };
        body["after"] = next.into();
    }
    assert_eq!((sizes, seen.len()), (vec![100, 5], 105));
    body["after"] = "stp_unknown".into();
    let answer = house.post(&house.shop, "/v1/decisions/search", &body).await;
    assert_eq!((answer.status, &json_of(&answer)["field"]), (400, &json!("after")));
}
