//! The pages where recipients decide, through the real listeners: a person signs up, confirms, gets what he asked for,
//! goes, and gets nothing more. Programs that follow links change nothing.

mod browser;
mod objector;

use super::harness::demo::{is_to, message};
use super::harness::{Demo, Place};
use serde_json::{Value, json};
use testkit::http::{Http, HttpAnswer};

/// A demo with its pages.
pub(super) struct Pages {
    pub(super) demo: Demo,
    _folder: tempfile::TempDir,
}

/// The path of an address of the pages.
pub(super) fn path(url: &str) -> &str {
    let rest = url.split_once("://").expect("an address has a scheme").1;
    &rest[rest.find('/').expect("and a path")..]
}

impl Pages {
    pub(super) async fn open() -> Self {
        Self::open_at(Place::below).await
    }

    /// With its rows in the folder, whatever the run is about.
    pub(super) async fn open_on_sqlite() -> Self {
        Self::open_at(Place::on_sqlite).await
    }

    async fn open_at(place: impl Fn(&std::path::Path) -> Place) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let demo = Demo::start(place(folder.path())).await;
        Self { demo, _folder: folder }
    }

    fn http(&self) -> Http {
        Http::plain(self.demo.address("http"))
    }

    pub(super) async fn get(&self, path: &str) -> HttpAnswer {
        self.http().get(path, &[]).await.unwrap()
    }

    pub(super) async fn post(&self, path: &str, form: &str) -> HttpAnswer {
        let kind = [("Content-Type", "application/x-www-form-urlencoded")];
        self.http().request("POST", path, &kind, form.as_bytes()).await.unwrap()
    }

    pub(super) fn form(&self) -> String {
        format!("/f/{}/newsletter", self.demo.text("/controller"))
    }

    /// The value of the form's only box, and what the page says that it showed, as a form sends them.
    async fn purpose(&self) -> String {
        let page = self.get(&self.form()).await.text();
        let value = |before: &str| {
            let at = page.find(before).unwrap_or_else(|| panic!("no {before}")) + before.len();
            page[at..].split('"').next().unwrap().to_owned()
        };
        let (purpose, shown) = (value("name=\"purpose\" value=\""), value("name=\"form_version\" value=\""));
        format!("{purpose}&form_version={shown}")
    }

    /// Signs up and answers the link that came by mail.
    pub(super) async fn sign_up(&self, address: &str) -> String {
        let purpose = self.purpose().await;
        let sent = format!("email={}&purpose={purpose}&language=en&homepage=", address.replace('@', "%40"));
        let answer = self.post(&self.form(), &sent).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        self.link_for(address).await
    }

    pub(super) async fn link_for(&self, address: &str) -> String {
        let mail = self.demo.arrived_for(address, "Please confirm: newsletter").await;
        let text = mail["text"].as_str().unwrap().to_owned();
        text.split_whitespace().find(|word| word.contains("/c/")).expect("a link in the mail").to_owned()
    }

    /// What the controller is told of his people's rights.
    async fn requests(&self) -> Value {
        let key = format!("Bearer {}", self.demo.text("/api_key"));
        let answer = self.http().get("/v1/requests", &[("Authorization", &key)]).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        serde_json::from_slice::<Value>(&answer.body).unwrap()["requests"].take()
    }

    /// What the gate says of a newsletter to this person: nothing when it goes.
    pub(super) async fn refusal(&self, address: &str, subject: &str) -> Option<String> {
        let answer = self.demo.post(&message("newsletter", address, subject)).await;
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        (answer.status != 202).then(|| told["rule"].as_str().unwrap().to_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn art7_a_person_signs_up_confirms_receives_leaves_and_gets_nothing_more() {
    let pages = Pages::open().await;
    let eve = "eve@dest.example";
    let link = pages.sign_up(eve).await;
    assert!(!link.contains("eve") && !link.contains('@') && link.starts_with("https://"), "{link}");
    assert_eq!(pages.refusal(eve, "too early").await.as_deref(), Some("no-basis"));

    // A scanner follows the link, as often as it likes.
    for method in ["GET", "HEAD", "GET"] {
        let answer = pages.http().request(method, path(&link), &[], b"").await.unwrap();
        assert_eq!(answer.status, 200);
    }
    assert_eq!(pages.refusal(eve, "still too early").await.as_deref(), Some("no-basis"));
    let answer = pages.post(path(&link), "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(pages.refusal(eve, "the news").await, None);
    let news = pages.demo.arrived("the news").await;
    assert_eq!(news["recipients"], json!([eve]));
    // Pressed twice is as good as once.
    assert_eq!(pages.post(path(&link), "").await.status, 200);

    let way_out = one_click(&news);
    for method in ["GET", "HEAD"] {
        assert_eq!(pages.http().request(method, path(&way_out), &[], b"").await.unwrap().status, 200);
    }
    assert_eq!(pages.refusal(eve, "more news").await, None, "looking at the page changes nothing");
    assert_eq!(pages.post(path(&way_out), "List-Unsubscribe=One-Click").await.status, 200);
    assert_eq!(pages.refusal(eve, "news nobody wants").await.as_deref(), Some("suppressed"));
    let receipt = pages.demo.post(&message("transactional", eve, "a receipt")).await;
    assert_eq!(receipt.status, 202, "{}", receipt.text());
    // Confirming again with the used link does not bring her back; asking anew goes at most once in 30 days.
    assert_eq!(pages.post(path(&link), "").await.status, 200);
    assert_eq!(pages.refusal(eve, "news").await.as_deref(), Some("suppressed"));
}

/// The address of the one-click field (RFC 8058 §3.1).
pub(super) fn one_click(mail: &Value) -> String {
    let fields = mail["headers"].as_array().unwrap();
    let field = fields.iter().find(|field| field["name"] == "List-Unsubscribe").expect("List-Unsubscribe");
    let value = field["value"].as_str().unwrap();
    value[value.find('<').unwrap() + 1..].split('>').next().unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn altered_foreign_and_malformed_tokens_get_one_page_and_change_nothing() {
    let pages = Pages::open().await;
    let link = pages.sign_up("frank@dest.example").await;
    let token = path(&link).strip_prefix("/c/").unwrap().to_owned();
    let mut answers = Vec::new();
    let altered = |at: usize| {
        let letter = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
        format!("{}{letter}{}", &token[..at], &token[at + 1..])
    };
    let tokens = [altered(0), altered(20), altered(token.len() - 3), String::from("x"), "y".repeat(4_000)];
    for prefix in ["/c/", "/u/", "/p/", "/w/"] {
        for token in &tokens {
            for answer in [
                pages.get(&format!("{prefix}{token}")).await,
                pages.post(&format!("{prefix}{token}"), "List-Unsubscribe=One-Click&scope=all&right=erase").await,
            ] {
                assert_eq!(answer.status, 404, "{prefix}");
                answers.push(answer.text());
            }
        }
    }
    // A token for another use is no better than a broken one.
    for prefix in ["/u/", "/p/", "/w/"] {
        answers.push(pages.get(&format!("{prefix}{token}")).await.text());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "every one of them says the same");
    assert_eq!(pages.refusal("frank@dest.example", "no").await.as_deref(), Some("no-basis"));
    assert_eq!(pages.post(path(&link), "").await.status, 200, "the right one still works");
    assert_eq!(pages.refusal("frank@dest.example", "yes").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_a_sign_up_says_nothing_and_asks_an_address_once() {
    let pages = Pages::open().await;
    let purpose = pages.purpose().await;
    let send = async |address: &str, trap: &str| {
        let sent = format!("email={}&purpose={purpose}&language=en&homepage={trap}", address.replace('@', "%40"));
        pages.post(&pages.form(), &sent).await
    };
    let known = send("ada@dest.example", "").await;
    let unknown = send("stranger@dest.example", "").await;
    let again = send("stranger@dest.example", "").await;
    let trapped = send("robot@dest.example", "http://spam.example").await;
    for answer in [&known, &unknown, &again, &trapped] {
        assert_eq!((answer.status, answer.text()), (200, known.text()));
        assert!(answer.header("set-cookie").is_none());
    }
    pages.link_for("stranger@dest.example").await;
    pages.link_for("ada@dest.example").await;
    // Whatever was sent after them would have come by now.
    pages.demo.send("last@dest.example", "the last").await;
    pages.demo.arrived("the last").await;
    let asked = pages.demo.list().await;
    let count = |address: &str| asked.iter().filter(|line| is_to(line, address)).count();
    assert_eq!((count("stranger@dest.example"), count("robot@dest.example")), (1, 0), "{asked:?}");

    let faulty = pages.post(&pages.form(), "email=nobody&language=en").await;
    assert_eq!(faulty.status, 422);
    assert_eq!(pages.get("/f/ctl_unknown/newsletter").await.status, 404);
    assert_eq!(pages.get(&format!("/f/{}/other", pages.demo.text("/controller"))).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn art28_3_e_a_right_that_is_exercised_reaches_the_controller_and_nobody_else() {
    let pages = Pages::open().await;
    let ada = pages.demo.text("/consented/0").to_owned();
    assert_eq!(pages.refusal(&ada, "news for ada").await, None);
    let news = pages.demo.arrived("news for ada").await;
    let text = news["text"].as_str().unwrap();
    let why = text.split_whitespace().find(|word| word.contains("/w/")).expect("why, in the footer");
    let page = pages.get(path(why)).await;
    assert!(page.text().contains("Sample Shop") && !page.text().contains(&ada), "{}", page.text());
    assert_eq!(pages.requests().await, json!([]), "looking is no request");
    assert_eq!(pages.post(path(why), "right=access").await.status, 200);

    let told = pages.requests().await;
    assert_eq!((&told[0]["right"], &told[0]["email"]), (&json!("access"), &json!(ada)), "{told:#}");
    assert!(told[0]["forwarded"].is_string() && told.as_array().unwrap().len() == 1, "{told:#}");
    let reference = told[0]["id"].as_str().unwrap();
    let subject = format!("A right was exercised: access ({reference})");
    let mail = pages.demo.arrived_for("privacy@sample.example", &subject).await;
    assert!(mail["text"].as_str().unwrap().contains(&ada));
    assert_eq!(pages.refusal(&ada, "asking is no objection").await, None);
    // An objection holds when it is answered.
    assert_eq!(pages.post(path(why), "right=object").await.status, 200);
    assert_eq!(pages.refusal(&ada, "after the objection").await.as_deref(), Some("objected"));
    assert_eq!(pages.post(path(why), "right=nonsense").await.status, 404);
    let stranger = pages.http().get("/v1/requests", &[]).await.unwrap();
    assert_eq!(stranger.status, 401);
}
