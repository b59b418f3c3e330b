//! One person, two controllers in one node: what he decides at one, what happens to one's mail and what one knows is
//! nothing to the other (GDPR Art. 28(3)(a), 29, 32(1)(b)).

use super::house::{House, PAGES, Tenant, bearer, http_told, json_of, letter};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use testkit::http::HttpAnswer;
use testkit::mx::Conduct;

/// Both mail him.
const BOTH: &str = "both@dest.example";
/// The first alone does.
const FIRST_ONLY: &str = "first-only@dest.example";
const FORM: [(&str, &str); 1] = [("Content-Type", "application/x-www-form-urlencoded")];
/// Words that nobody but the first controller uses.
const WORDS: &str = "Words of the first controller, shown to its own people.";

async fn consent(house: &House, who: &Tenant, to: &str, words: &str) -> String {
    let words = json!({"name": "news", "version": 1, "language": "en", "text": words});
    let notice = json_of(&house.post(who, "/v1/notices", &words).await)["id"].as_str().unwrap().to_owned();
    let body = json!({"email": to, "stream": "newsletter", "kind": "consent", "confirmed": true, "notice": notice,
        "action": "checkbox-ticked"});
    assert_eq!(house.post(who, "/v1/consents", &body).await.status, 201);
    notice
}

async fn news(house: &House, who: &Tenant, to: &str) -> HttpAnswer {
    house.post(who, "/v1/messages", &letter(Some("newsletter"), &who.from, &[to])).await
}

/// The next newsletter of this controller arrives; its id and its text.
async fn arrives(house: &House, who: &Tenant, to: &str) -> (String, String) {
    let id = http_told(&news(house, who, to).await).id();
    let path = format!("b+{}", id.strip_prefix("msg_").unwrap());
    let find = |received: &[testkit::mx::Received]| {
        received.iter().find(|one| one.from.starts_with(&path)).map(testkit::mx::Received::text)
    };
    let text = house.mx.wait_until("the newsletter", |received, _| find(received)).await;
    (id, text)
}

/// The path of a link in a mail.
fn link(text: &str, page: &str) -> String {
    let start = format!("{PAGES}/{page}/");
    let rest = &text[text.find(&start).expect("a link in the footer") + PAGES.len()..];
    rest[..rest.find(|c: char| c.is_whitespace() || "\"<>".contains(c)).unwrap_or(rest.len())].to_owned()
}

async fn form(house: &House, path: &str, form: &str) -> HttpAnswer {
    house.http.request("POST", path, &FORM, form.as_bytes()).await.unwrap()
}

async fn import(house: &House, who: &Tenant, text: &str, notice: &str) -> Value {
    let headers = [("Authorization", bearer(who)), ("Content-Type", "text/csv".to_owned())];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let path = format!("/v1/imports?purpose=newsletter&basis=consent&notice={notice}");
    let answer = house.http.request("POST", &path, &headers, text.as_bytes()).await.unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
    json_of(&answer)
}

/// What a person or his mailbox may do to one controller.
#[derive(Clone, Copy, Debug)]
enum Event {
    OneClick,
    Leave,
    Preferences,
    Objection,
    Complaint,
    HardBounce,
    ImportTakenBack,
    AgreementEnded,
}

impl Event {
    const ALL: [Self; 8] = [
        Self::OneClick,
        Self::Leave,
        Self::Preferences,
        Self::Objection,
        Self::Complaint,
        Self::HardBounce,
        Self::ImportTakenBack,
        Self::AgreementEnded,
    ];

    async fn happen(self, house: &House, first: &Tenant, to: &str, text: &str) {
        match self {
            Self::OneClick => {
                assert_eq!(form(house, &link(text, "u"), "List-Unsubscribe=One-Click").await.status, 200);
            }
            Self::Leave => assert_eq!(form(house, &format!("{}/leave", link(text, "p")), "").await.status, 200),
            Self::Preferences => assert_eq!(form(house, &link(text, "p"), "language=en").await.status, 200),
            Self::Objection => assert_eq!(form(house, &link(text, "w"), "right=object").await.status, 200),
            Self::Complaint => house.suppress(first, to, "marketing", "complaint").await,
            Self::HardBounce => {
                house.mx.treat_next(to, Conduct::reject(550, "5.1.1", "no such mailbox"));
                let id = http_told(&news(house, first, to).await).id();
                house.until_state(&id, "bounced").await;
            }
            Self::ImportTakenBack => {
                let other = "imported@dest.example";
                let file = format!("email,consent_at,source,method\r\n{other},2025-03-01,the fair,double_opt_in\r\n");
                let receipt = import(house, first, &file, "news:1").await;
                let undo = format!("/v1/imports/{}/undo", receipt["id"].as_str().unwrap());
                assert_eq!(house.post(first, &undo, &json!({})).await.status, 200);
                assert_eq!(http_told(&news(house, first, other).await).rule(), "no-basis");
                house.suppress(first, to, "all", "controller").await;
            }
            Self::AgreementEnded => {
                let ended = model::agreement::AgreementState::Ended;
                house.store.set_agreement_state(first.controller, ended).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn art28_3_a_whatever_happens_at_one_controller_the_others_next_message_arrives() {
    let house = House::new().await;
    let (first, second) = (house.shop.clone(), house.admit("other", "other.example").await);
    for (number, event) in Event::ALL.into_iter().enumerate() {
        let to = format!("person{number}@dest.example");
        for (who, words) in [(&first, WORDS), (&second, "News.")] {
            consent(&house, who, &to, words).await;
        }
        let (_, text) = arrives(&house, &first, &to).await;
        event.happen(&house, &first, &to, &text).await;
        assert!(!http_told(&news(&house, &first, &to).await).rule().is_empty(), "{event:?} counts at the first");
        arrives(&house, &second, &to).await;
    }
    // Nor did any of it get into the second's log.
    let kinds: Vec<String> = super::ledger::entries(&house.log(&second).await)
        .iter()
        .map(|entry| entry.kind().to_owned())
        .filter(|kind| !kind.starts_with("message.") && kind != "basis.recorded")
        .collect();
    for kind in ["suppressed", "basis.withdrawn", "contacts.imported", "right.exercised"] {
        assert!(!kinds.iter().any(|one| one == kind), "{kind}: {kinds:?}");
    }
}

/// Ids of everything that the first controller has, by what they are.
async fn owned(house: &House, first: &Tenant) -> BTreeMap<&'static str, String> {
    let notice = consent(house, first, FIRST_ONLY, WORDS).await;
    let (message, text) = arrives(house, first, FIRST_ONLY).await;
    assert_eq!(form(house, &link(&text, "w"), "right=access").await.status, 200);
    let requests = json_of(&house.get(first, "/v1/requests").await);
    assert_eq!(requests["requests"][0]["email"], FIRST_ONLY, "{requests}");
    let wish = requests["requests"][0]["id"].as_str().unwrap().to_owned();
    let file = "email,consent_at,source,method\r\nimported@dest.example,2025-03-01,the fair,double_opt_in\r\n";
    let import = import(house, first, file, &notice).await["id"].as_str().unwrap().to_owned();
    let controller = house.store.public_id(first.controller);
    let stream = house.store.public_id(first.newsletter);
    let purpose = house.store.public_id(model::PurposeId::of_stream(first.newsletter));
    BTreeMap::from([
        ("controller", controller),
        ("import", import),
        ("message", message),
        ("notice", notice),
        ("purpose", purpose),
        ("stream", stream),
        ("wish", wish),
    ])
}

/// Every operation that the interface describes: method and path.
async fn operations(house: &House) -> Vec<(String, String)> {
    let described = json_of(&house.http.get("/v1/openapi.json", &[]).await.unwrap());
    let paths = described["paths"].as_object().unwrap();
    let of = |(path, methods): (&String, &Value)| {
        let methods: Vec<String> = methods.as_object().unwrap().keys().cloned().collect();
        methods.into_iter().map(|method| (method.to_ascii_uppercase(), path.clone())).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of).collect()
}

/// With an id for each parameter.
fn filled(path: &str, id: &str) -> String {
    let mut parts = path.split('/').map(|part| if part.starts_with('{') { id } else { part });
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |path, part| format!("{path}/{part}"))
}

#[tokio::test]
async fn art32_1_b_no_route_shows_or_changes_anything_of_another_controller() {
    let house = House::new().await;
    let (first, second) = (house.shop.clone(), house.admit("other", "other.example").await);
    let ids = owned(&house, &first).await;
    let operations = operations(&house).await;
    assert!(operations.len() >= 12, "{operations:?}");
    let key = bearer(&second);
    let json_kind = [("Authorization", key.as_str()), ("Content-Type", "application/json")];
    let csv_kind = [("Authorization", key.as_str()), ("Content-Type", "text/csv")];
    let mut asked = 0;
    for (method, path) in &operations {
        for (what, id) in &ids {
            // A body that names the first's things wherever a name is taken.
            let body = json!({"email": FIRST_ONLY, "notice": id, "stream": id, "purpose": id, "id": id,
                "scope": format!("stream:{id}"), "after": id});
            let target = format!("{}{}", filled(path, id), if path.contains('{') { "" } else { "?after=" });
            let target = if target.ends_with("?after=") { format!("{target}{id}") } else { target };
            for (headers, body) in [(&json_kind, body.to_string()), (&csv_kind, format!("email\r\n{FIRST_ONLY}\r\n"))] {
                let answer = house.http.request(method, &target, headers, body.as_bytes()).await.unwrap();
                asked += 1;
                let text = answer.text();
                let told = [FIRST_ONLY, WORDS, "imported@dest.example"].iter().any(|secret| text.contains(secret));
                assert!(!told, "{method} {target} ({what}) tells: {text}");
                if path.contains('{') {
                    assert!(
                        (400..500).contains(&answer.status),
                        "{method} {target} ({what}): {} {text}",
                        answer.status
                    );
                } else if path != "/v1/openapi.json" && answer.status < 300 {
                    // Whatever lists or takes something in lists and takes the second's own, and knows no id of these.
                    let known = ids.values().any(|id| text.contains(id.as_str()));
                    assert!(!known, "{method} {target} ({what}): {text}");
                }
            }
        }
    }
    assert!(asked > 100);
    unchanged(&house, &first, &ids).await;
}

/// Everything is there as before, for its own controller.
async fn unchanged(house: &House, first: &Tenant, ids: &BTreeMap<&'static str, String>) {
    let import = json_of(&house.get(first, &format!("/v1/imports/{}", ids["import"])).await);
    assert_eq!((&import["state"], &import["contacts"]), (&json!("done"), &json!(1)), "{import}");
    let message = json_of(&house.get(first, &format!("/v1/messages/{}", ids["message"])).await);
    assert_eq!(message["to"], FIRST_ONLY);
    let requests = json_of(&house.get(first, "/v1/requests").await);
    assert_eq!(requests["requests"].as_array().unwrap().len(), 1);
    arrives(house, first, FIRST_ONLY).await;
    arrives(house, first, "imported@dest.example").await;
}

#[tokio::test]
async fn art29_a_link_of_one_controllers_mail_decides_for_that_controller_alone() {
    let house = House::new().await;
    let (first, second) = (house.shop.clone(), house.admit("other", "other.example").await);
    let mut texts = Vec::new();
    for (who, words) in [(&first, WORDS), (&second, "News.")] {
        consent(&house, who, BOTH, words).await;
        texts.push(arrives(&house, who, BOTH).await.1);
    }
    // The same person has other links at each, and each page speaks of its own controller.
    for page in ["u", "p", "w"] {
        let (one, other) = (link(&texts[0], page), link(&texts[1], page));
        assert_ne!(one, other);
        let shown = house.http.get(&other, &[]).await.unwrap();
        assert_eq!(shown.status, 200);
        assert!(!shown.text().contains(WORDS) && !shown.text().contains("shop"), "{}", shown.text());
    }
    let why = house.http.get(&link(&texts[0], "w"), &[]).await.unwrap().text();
    assert!(why.contains(WORDS), "twin: the first's page shows the first's words: {why}");
    // A right that is exercised at the first is told to the first.
    assert_eq!(form(&house, &link(&texts[0], "w"), "right=erase").await.status, 200);
    let told = async |who: &Tenant| json_of(&house.get(who, "/v1/requests").await)["requests"].clone();
    assert_eq!((told(&first).await.as_array().unwrap().len(), told(&second).await), (1, json!([])));
    // A form is found below its own controller only.
    let forms = [first.controller, second.controller].map(|id| format!("/f/{}/newsletter", house.store.public_id(id)));
    for path in forms {
        assert_eq!(house.http.get(&path, &[]).await.unwrap().status, 404, "neither has published one");
    }
    assert_eq!(form(&house, &format!("{}/leave", link(&texts[0], "p")), "").await.status, 200);
    assert_eq!(http_told(&news(&house, &first, BOTH).await).rule(), "suppressed");
    arrives(&house, &second, BOTH).await;
}
