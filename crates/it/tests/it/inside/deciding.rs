//! What a person decided holds, in whatever order and however often it is said: on his pages and by his controller.

use super::house::{ADA, BOB, House, PAGES, Tenant, address, http_told, json_of, letter};
use model::{Clock as _, PurposeId, StreamKind};
use serde_json::json;
use std::time::Duration;
use testkit::http::HttpAnswer;

const FORM: [(&str, &str); 1] = [("Content-Type", "application/x-www-form-urlencoded")];
const MARKETING: [&str; 2] = ["newsletter", "offers"];

/// A node whose controller has two marketing streams and a form, and its people, who consented to both.
pub(super) struct Desk {
    pub(super) house: House,
    pub(super) shop: Tenant,
}

impl Desk {
    pub(super) async fn new() -> Self {
        let house = House::new().await;
        let (store, shop) = (&house.store, house.shop.clone());
        store.create_stream(shop.controller, "offers", StreamKind::Marketing, "offers").await.unwrap();
        let streams: Vec<_> = store.streams(shop.controller).iter().map(|stream| stream.id).collect();
        let operations = &model::instruction::Operation::ALL;
        store.issue_instruction(shop.controller, operations, &streams, 1_000_000).await.unwrap();
        let username = format!("{}-all", shop.username);
        let new = store::NewCredential {
            username: &username,
            default_stream: shop.transactional,
            streams: &streams,
            expires: None,
        };
        let made = store.create_credential(shop.controller, new).await.unwrap();
        let shop = Tenant { credential: made.id, password: made.password, key: made.api_key, ..shop };
        let mut notice = super::keeping::notice();
        notice["purposes"] = MARKETING.map(|id| json!({"id": id, "text": "News.", "bases": ["consent"]})).into();
        let form = json!({"name": "news", "purposes": MARKETING, "notices": [notice]});
        let answer = house.post(&shop, "/v1/forms", &form).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        Self { house, shop }
    }

    async fn tell(&self, path: &str, body: &serde_json::Value) -> HttpAnswer {
        self.house.post(&self.shop, path, body).await
    }

    /// What the controller says of a person's consent: the status of the answer.
    async fn told(&self, to: &str, stream: &str) -> u16 {
        let words = json!({"name": "told", "version": 1, "language": "en", "text": "We send you our news."});
        let notice = json_of(&self.tell("/v1/notices", &words).await)["id"].clone();
        let body = json!({"email": to, "stream": stream, "kind": "consent", "confirmed": true, "notice": notice,
            "action": "checkbox-ticked"});
        self.tell("/v1/consents", &body).await.status
    }

    /// Consents to both, gets mail, and has the path of his page and of its why.
    async fn person(&self, to: &str) -> (String, String) {
        for stream in MARKETING {
            assert_eq!(self.told(to, stream).await, 201);
        }
        let body = letter(Some("newsletter"), &self.shop.from, &[to]);
        http_told(&self.tell("/v1/messages", &body).await).id();
        let mail = self.house.mx.wait_for_recipient(to, 1).await.remove(0).text();
        let link = |page: &str| {
            let at = mail.find(&format!("{PAGES}/{page}/")).expect("a link in the footer") + PAGES.len();
            let rest = &mail[at..];
            rest[..rest.find(|c: char| c.is_whitespace() || "\"<>".contains(c)).unwrap_or(rest.len())].to_owned()
        };
        (link("p"), link("w"))
    }

    async fn press(&self, path: &str, form: &str) {
        let answer = self.house.http.request("POST", path, &FORM, form.as_bytes()).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// Saves the page with these purposes ticked.
    async fn save(&self, page: &str, ticked: &[&str]) {
        let (store, controller) = (&self.house.store, self.shop.controller);
        let field = |name: &&str| {
            let stream = store.stream_named(controller, name).unwrap();
            format!("&purpose={}", store.public_id(stream.default_purpose()))
        };
        let ticked: String = ticked.iter().map(field).collect();
        let shown = self.house.http.get(page, &[]).await.unwrap().text();
        let before = "name=\"form_token\" value=\"";
        let shown = shown.split_once(before).map(|(_, rest)| rest.split('"').next().unwrap()).unwrap_or_default();
        self.press(page, &format!("language=en{ticked}&form_token={shown}")).await;
    }

    /// Saves the page with these purposes ticked, and confirms what it asks for out of the mailbox. Gives the link of
    /// the request.
    async fn agree(&self, (to, page): (&str, &str), ticked: &[&str]) -> String {
        self.save(page, ticked).await;
        let link = super::keeping::asked_link(&self.house, to, 1).await;
        self.press(&link, "").await;
        link
    }

    /// What the gate says of both streams to a person: `queued`, or the rule.
    pub(super) async fn gate(&self, to: &str) -> [String; 2] {
        let mut said = Vec::new();
        for stream in MARKETING {
            let body = letter(Some(stream), &self.shop.from, &[to]);
            said.push(match http_told(&self.tell("/v1/messages", &body).await) {
                super::house::Told::Taken(_) => "queued".to_owned(),
                refused => refused.rule(),
            });
        }
        said.try_into().unwrap()
    }

    /// The steps of his evidence, in order: what, and for all marketing or one purpose.
    async fn evidence(&self, to: &str) -> Vec<String> {
        let (store, controller) = (&self.house.store, self.shop.controller);
        let tag = store.tag_of(controller, &address(to)).unwrap();
        let named = |id: PurposeId| match id.0 {
            0 => "all".to_owned(),
            _ => store.purpose(controller, id).unwrap().name.clone(),
        };
        let events = store.consent_events(controller, tag).await.unwrap();
        events.iter().map(|event| format!("{} {}", event.what, named(event.purpose))).collect()
    }
}

#[tokio::test]
async fn art7_3_what_was_left_with_everything_does_not_come_back_with_a_tick_for_something_else() {
    let desk = Desk::new().await;
    let ((page, _), (twin, _)) = (desk.person(ADA).await, desk.person(BOB).await);
    for to in [ADA, BOB] {
        // The controller told his system's opt-out before: what the person says himself is kept and works all the same.
        desk.house.suppress(&desk.shop, to, "marketing", "opt-out").await;
    }
    desk.press(&format!("{page}/leave"), "").await;
    assert_eq!(desk.evidence(ADA).await.last().unwrap(), "withdrawn all");
    assert_eq!(desk.gate(ADA).await, ["suppressed", "suppressed"]);
    desk.agree((ADA, &page), &["newsletter"]).await;
    assert_eq!(desk.gate(ADA).await, ["queued", "suppressed"]);
    let said = desk.evidence(ADA).await;
    assert_eq!(said[said.len() - 3..], ["withdrawn offers", "requested newsletter", "given newsletter"]);
    // Twin: what he ticks is what he gets, also when only his controller had told his opt-out.
    let link = desk.agree((BOB, &twin), &["newsletter"]).await;
    assert_eq!(desk.gate(BOB).await, ["queued", "suppressed"]);
    // Behind the link that he answered a moment ago the page takes his word.
    desk.save(&link.replace("/c/", "/p/"), &MARKETING).await;
    assert_eq!(desk.gate(BOB).await, ["queued", "queued"]);
}

#[tokio::test]
async fn art7_3_a_consent_told_after_the_person_left_everything_is_refused() {
    let desk = Desk::new().await;
    let (page, _) = desk.person(ADA).await;
    desk.press(&format!("{page}/leave"), "").await;
    assert_eq!(desk.told(ADA, "offers").await, 409);
    desk.agree((ADA, &page), &["newsletter"]).await;
    assert_eq!(desk.told(ADA, "offers").await, 409, "he left it unticked");
    assert_eq!(desk.gate(ADA).await, ["queued", "suppressed"]);
    assert_eq!(desk.told(ADA, "newsletter").await, 200, "twin: this one stands, as he gave it himself");
    // A person whom nobody knew when his controller told his opt-out.
    desk.house.suppress(&desk.shop, BOB, "marketing", "opt-out").await;
    assert_eq!(desk.told(BOB, "newsletter").await, 409);
    let body = json!({"email": BOB, "stream": "transactional", "kind": "contract", "confirmed": true});
    assert_eq!(desk.tell("/v1/consents", &body).await.status, 201, "twin: it is no marketing");
}

#[tokio::test]
async fn art5_2_every_withdrawal_is_kept_and_by_a_link_once_a_day() {
    let desk = Desk::new().await;
    let (page, why) = desk.person(ADA).await;
    let before = desk.evidence(ADA).await.len();
    let day = Duration::from_secs(86_400);
    for wait in [Duration::ZERO, day, Duration::ZERO] {
        desk.house.clock.advance(wait);
        desk.press(&format!("{page}/leave"), "").await;
        desk.press(&why, "right=withdraw").await;
        let body = json!({"email": ADA, "stream": "newsletter"});
        assert_eq!(desk.tell("/v1/consents/withdraw", &body).await.status, 200);
    }
    let said = desk.evidence(ADA).await;
    let once = ["withdrawn all", "withdrawn newsletter", "withdrawn newsletter"];
    // What was said by a link a moment ago, and stands, is said; the controller's word is kept each time.
    assert_eq!(said[before..], [&once[..], &once[..], &once[2..]].concat());
}

#[tokio::test]
async fn art21_3_an_objection_after_an_opt_out_is_an_objection_and_no_tick_lifts_it() {
    let desk = Desk::new().await;
    let ((page, why), (twin, _)) = (desk.person(ADA).await, desk.person(BOB).await);
    for page in [&page, &twin] {
        desk.press(&format!("{page}/leave"), "").await;
    }
    desk.press(&why, "right=object").await;
    assert_eq!(desk.gate(ADA).await, ["objected", "objected"]);
    desk.save(&page, &MARKETING).await;
    desk.agree((BOB, &twin), &MARKETING).await;
    assert_eq!(desk.gate(ADA).await, ["objected", "objected"]);
    assert_eq!(super::keeping::times_asked(&desk.house, ADA).await, 0);
    assert_eq!(desk.gate(BOB).await, ["queued", "queued"], "twin: an opt-out he takes back");
}

#[tokio::test]
async fn art7_3_a_consent_that_is_earlier_than_the_opt_out_never_lifts_it() {
    let desk = Desk::new().await;
    let start = desk.house.clock.now();
    // As two requests at once, or two nodes with clocks of their own: the later word is written first.
    for (to, with_everything) in [(ADA, true), (BOB, false)] {
        desk.house.clock.set(start);
        let (page, why) = desk.person(to).await;
        desk.house.clock.set(start.plus(Duration::from_secs(60)));
        let leave = if with_everything { (format!("{page}/leave"), "") } else { (why, "right=withdraw") };
        desk.press(&leave.0, leave.1).await;
        desk.house.clock.set(start.plus(Duration::from_secs(30)));
        desk.agree((to, &page), &["newsletter"]).await;
        assert_eq!(desk.gate(to).await[0], "suppressed", "{}", leave.1);
    }
    // Twin: the later word is the consent.
    let cam = "cam@dest.example";
    let (page, _) = desk.person(cam).await;
    desk.press(&format!("{page}/leave"), "").await;
    desk.house.clock.set(start.plus(Duration::from_secs(90)));
    desk.agree((cam, &page), &["newsletter"]).await;
    assert_eq!(desk.gate(cam).await, ["queued", "suppressed"]);
}
