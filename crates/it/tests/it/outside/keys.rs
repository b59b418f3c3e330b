//! Keys that are put in the place of others, by the command: whoever objected has objected afterwards, and what lies in
//! mailboxes goes on working.

use super::harness::demo::message;
use super::harness::tools::run_postern;
use super::pages::{Pages, one_click, path};
use serde_json::{Value, json};
use testkit::http::{Http, HttpAnswer};

async fn ask(pages: &Pages, method: &str, path: &str, body: &str) -> HttpAnswer {
    let key = format!("Bearer {}", pages.demo.text("/api_key"));
    let fields = [("Authorization", key.as_str()), ("Content-Type", "application/json")];
    Http::plain(pages.demo.address("http")).request(method, path, &fields, body.as_bytes()).await.unwrap()
}

async fn entry_of(pages: &Pages, address: &str) -> String {
    let list: Value = serde_json::from_slice(&ask(pages, "GET", "/v1/suppressions", "").await.body).unwrap();
    let found = list["suppressions"].as_array().unwrap().iter().find(|entry| entry["email"] == address);
    found.unwrap_or_else(|| panic!("{address} in {list:#}"))["id"].as_str().unwrap().to_owned()
}

/// RFC 8058 §3.1: the link works as long as the mail lies around. GDPR Art. 21(3): an objection stands.
#[tokio::test(flavor = "multi_thread")]
async fn art21_3_a_new_key_of_tags_loses_no_objection_and_no_link() {
    let mut pages = Pages::open_on_sqlite().await;
    let (ada, bob) = (pages.demo.text("/consented/0").to_owned(), pages.demo.text("/consented/1").to_owned());
    assert_eq!(pages.refusal(&ada, "before").await, None);
    let way_out = one_click(&pages.demo.arrived_for(&ada, "before").await);
    let objection = json!({"email": bob, "scope": "marketing", "reason": "objection"}).to_string();
    assert_eq!(ask(&pages, "POST", "/v1/suppressions", &objection).await.status, 201);
    let entry = entry_of(&pages, &bob).await;
    let objected = pages.refusal(&bob, "to an objector").await;
    assert_eq!(objected.as_deref(), Some("objected"));

    let (data, controller) = (pages.demo.text("/data").to_owned(), pages.demo.text("/controller").to_owned());
    let tags = ["key", "rotate", "tags", "--data", &data, "--controller", &controller];
    let links = ["key", "rotate", "links", "--data", &data];
    let refused = run_postern(&tags).await.refusal();
    assert!(refused.contains("stop the node first"), "{refused}");
    assert!(pages.demo.terminate().await.success());
    for number in ["number 1", "number 2"] {
        let said = run_postern(&tags).await.good();
        assert!(said.contains(number), "{said}");
    }
    run_postern(&links).await.good();
    pages.demo.restart().await;

    assert_eq!(pages.refusal(&bob, "afterwards, to an objector").await, objected);
    assert_eq!(pages.refusal(&ada, "afterwards").await, None);
    let later = one_click(&pages.demo.arrived_for(&ada, "afterwards").await);
    assert_ne!(path(&later), path(&way_out));
    // A name of an entry that was noted down before means the same entry, and has another form now.
    assert_ne!(entry_of(&pages, &bob).await, entry);
    assert_eq!(ask(&pages, "DELETE", &format!("/v1/suppressions/{entry}"), "").await.status, 409, "the person's wish");
    // The link in the mail of before.
    assert_eq!(pages.post(path(&way_out), "List-Unsubscribe=One-Click").await.status, 200);
    assert!(pages.refusal(&ada, "after one click").await.is_some());
    let receipt = pages.demo.post(&message("transactional", &ada, "a receipt")).await;
    assert_eq!(receipt.status, 202, "{}", receipt.text());
}
