//! The API listener as a whole, over a real store in a temporary folder.

use super::*;
use std::sync::Arc;

use axum::body::Body;
use http_body_util::BodyExt;
use mail::address::Domain;
use mail::dkim::SigningKey;
use metrics_exporter_prometheus::PrometheusBuilder;
use model::agreement::AgreementState;
use model::instruction::Operation;
use model::{Clock, ControllerId, StreamKind, Timestamp};
use mta::submission::Submission;
use serde_json::{Value, json};
use store::{Created, DomainKeys, NewCredential, Options, Store, Verified};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::Readiness;
use crate::tests::golden;

mod hostile;
mod people;
mod raw;

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_772_366_400)
    }
}

/// A node's HTTP door with two controllers, each with two streams, a verified domain and a credential.
struct Door {
    store: Arc<Store>,
    router: Router,
    readiness: Arc<Readiness>,
    shop: Customer,
    other: Customer,
    _folder: TempDir,
}

struct Customer {
    id: ControllerId,
    key: String,
}

/// What came back.
struct Reply {
    status: u16,
    fields: http::HeaderMap,
    text: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }
}

async fn customer(store: &Store, name: &str, domain: &str, quota: u64) -> Customer {
    let id = store.create_controller(name).await.unwrap();
    store.sign_agreement(id, None).await.unwrap();
    let receipts = store.create_stream(id, "transactional", StreamKind::Transactional, "receipts").await.unwrap();
    let news = store.create_stream(id, "newsletter", StreamKind::Marketing, "news").await.unwrap();
    let closed = store.create_stream(id, "closed", StreamKind::Transactional, "not for this credential").await.unwrap();
    store.issue_instruction(id, &Operation::ALL, &[receipts, news, closed], quota).await.unwrap();
    let keys = DomainKeys {
        rsa_selector: "r".to_owned(),
        rsa: SigningKey::generate_ed25519().unwrap(),
        ed25519_selector: "e".to_owned(),
        ed25519: SigningKey::generate_ed25519().unwrap(),
    };
    store.add_domain(id, &Domain::parse(domain).unwrap(), &keys, Verified::Yes).await.unwrap();
    let new = NewCredential { username: name, default_stream: receipts, streams: &[receipts, news], expires: None };
    let Created { api_key, .. } = store.create_credential(id, new).await.unwrap();
    Customer { id, key: api_key }
}

async fn door() -> Door {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_sqlite(folder.path(), Options::new(Arc::new(Noon), folder.path())).await.unwrap();
    let shop = customer(&store, "shop", "sample.example", 1_000).await;
    let other = customer(&store, "other", "other.example", 2).await;
    let pages = mta::Pages::parse("https://mail.example").unwrap();
    let submission = Arc::new(Submission::new(Arc::clone(&store)).with_pages(Some(pages)));
    let readiness = Arc::new(Readiness::default());
    let figures = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&figures, || metrics::counter!("postern_test_total").increment(17));
    let metrics = Some(figures.handle());
    let api = Api::new(Arc::clone(&store), submission, "https://mail.example/", metrics, Arc::clone(&readiness));
    Door { store, router: router(api), readiness, shop, other, _folder: folder }
}

impl Door {
    async fn ask(&self, request: http::Request<Body>) -> Reply {
        self.ask_from([192, 0, 2, 1], request).await
    }

    async fn ask_from(&self, peer: [u8; 4], mut request: http::Request<Body>) -> Reply {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((peer, 4_711))));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let octets = body.collect().await.unwrap().to_bytes();
        Reply {
            status: parts.status.as_u16(),
            fields: parts.headers,
            text: String::from_utf8(octets.to_vec()).unwrap(),
        }
    }

    async fn get(&self, path: &str, key: Option<&str>) -> Reply {
        let mut request = http::Request::get(path);
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        self.ask(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, key: &str, body: impl Into<Body>) -> Reply {
        self.post_with(path, key, &[], body).await
    }

    async fn post_with(&self, path: &str, key: &str, fields: &[(&str, &str)], body: impl Into<Body>) -> Reply {
        let mut request = http::Request::post(path)
            .header("authorization", format!("Bearer {key}"))
            .header("content-type", "application/json");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        self.ask(request.body(body.into()).unwrap()).await
    }

    /// Sends as the shop.
    async fn send(&self, message: &Value) -> Reply {
        self.post("/v1/messages", &self.shop.key, message.to_string()).await
    }

    async fn send_once(&self, idempotency: &str, message: &Value) -> Reply {
        let fields = [("idempotency-key", idempotency)];
        self.post_with("/v1/messages", &self.shop.key, &fields, message.to_string()).await
    }

    async fn queued(&self) -> u64 {
        self.store.backlog().await.unwrap().iter().map(|lane| lane.count).sum()
    }

    /// The header blocks that wait, by recipient.
    async fn waiting(&self) -> Vec<(String, String, String)> {
        let mut all = Vec::new();
        for lane in self.store.backlog().await.unwrap() {
            let rows = self.store.due(&lane.lane, self.store.now(), 100).await.unwrap();
            let contents = self.store.open_content(&rows.iter().collect::<Vec<_>>()).await.unwrap();
            for content in contents.into_iter().flatten() {
                let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
                all.push((content.recipient.to_wire(), text(&content.head), text(&content.body)));
            }
        }
        all.sort();
        all
    }
}

fn message(to: &[&str]) -> Value {
    let to: Vec<Value> = to.iter().map(|email| json!({"email": email})).collect();
    json!({"from": {"email": "shop@sample.example", "name": "Shop"}, "to": to, "subject": "Receipt", "text": "Hi"})
}

fn with(mut value: Value, name: &str, field: Value) -> Value {
    value[name] = field;
    value
}

#[tokio::test]
async fn a_message_is_taken_in_and_found_again() {
    let door = door().await;
    let sent = with(message(&["ada@dest.example", "Bob@dest.example"]), "metadata", json!({"order": "17"}));
    let reply = door.send(&sent).await;
    assert_eq!(
        (reply.status, reply.fields["content-type"].to_str().unwrap()),
        (202, "application/json"),
        "{}",
        reply.text
    );
    let answer = reply.json();
    assert!(answer["request"].as_str().unwrap().starts_with("req_"));
    assert_eq!(
        (&answer["results"][1]["to"], &answer["results"][1]["status"]),
        (&"Bob@dest.example".into(), &"queued".into())
    );
    assert_eq!(door.queued().await, 2);
    let id = answer["results"][0]["id"].as_str().unwrap();
    let path = format!("/v1/messages/{id}");
    let found = door.get(&path, Some(&door.shop.key)).await;
    let view = found.json();
    assert_eq!((found.status, &view["to"], &view["state"]), (200, &"ada@dest.example".into(), &"queued".into()));
    assert_eq!((&view["metadata"]["order"], &view["stream"]), (&"17".into(), &"transactional".into()));
    assert_eq!(view["timeline"][0]["at"], "2026-03-01T12:00:00.000000Z");
    // Another controller learns nothing: the answer is the one for an id that was never given.
    let [foreign, unknown] =
        [path.as_str(), "/v1/messages/msg_0000000000000000"].map(|path| door.get(path, Some(&door.other.key)));
    let (foreign, unknown) = (foreign.await, unknown.await);
    assert_eq!((foreign.status, foreign.text), (404, unknown.text));
}

#[tokio::test]
async fn rfc5322_3_6_4_each_copy_is_a_message_of_its_own_unless_shared() {
    let door = door().await;
    door.send(&message(&["ada@dest.example", "bob@dest.example"])).await;
    let own = door.waiting().await;
    let [(_, ada, body), (_, bob, other_body)] = own.as_slice() else { panic!("{} copies", own.len()) };
    assert!(ada.contains("ada@dest.example") && !ada.contains("bob@"), "{ada}");
    assert!(bob.contains("bob@dest.example") && !bob.contains("ada@"));
    assert_eq!(body, other_body);
    let message_id = |head: &str| head.lines().find(|line| line.starts_with("Message-ID:")).unwrap().to_owned();
    assert_ne!(message_id(ada), message_id(bob));
    assert!(message_id(ada).ends_with("@sample.example>"));
    let shared = self::door().await;
    let sent = with(message(&["ada@dest.example", "bob@dest.example"]), "copies", json!("shared"));
    assert_eq!(shared.send(&sent).await.status, 202);
    let copies = shared.waiting().await;
    assert!(copies.len() == 2 && copies.iter().all(|(_, head, _)| head.contains("ada@") && head.contains("bob@")));
}

#[tokio::test]
async fn without_a_key_nothing_is_read() {
    let door = door().await;
    for (method, path) in [
        ("GET", "/v1/messages/msg_x"),
        ("POST", "/v1/messages"),
        ("POST", "/v1/suppressions"),
        ("POST", "/v1/consents"),
        ("POST", "/v1/consents/withdraw"),
    ] {
        for key in [None, Some("Bearer wrong.key"), Some("Basic c2hvcA=="), Some("Bearer")] {
            let mut request = http::Request::builder().method(method).uri(path);
            if let Some(key) = key {
                request = request.header("authorization", key);
            }
            let reply = door.ask(request.body(Body::from("{")).unwrap()).await;
            assert_eq!(
                (reply.status, reply.json()["rule"].as_str()),
                (401, Some("not-authenticated")),
                "{path} {key:?}"
            );
            assert_eq!(reply.fields["www-authenticate"], "Bearer realm=\"postern\"");
            assert_eq!(reply.fields["content-type"], "application/problem+json");
        }
    }
}

#[tokio::test]
async fn art21_3_a_suppressed_recipient_is_refused_with_rule_and_article() {
    let door = door().await;
    let asked = json!({"email": "ADA@dest.example", "scope": "all", "reason": "opt-out"});
    assert_eq!(door.post("/v1/suppressions", &door.shop.key, asked.to_string()).await.status, 201);
    let reply = door.send(&message(&["ada@dest.example"])).await;
    let problem = reply.json();
    assert_eq!(
        (reply.status, &problem["rule"], &problem["type"]),
        (422, &"suppressed".into(), &"/problems/suppressed".into())
    );
    assert_eq!(problem["results"][0]["article"], "GDPR Art. 21(3)");
    assert_eq!(problem["results"][0]["help"], "https://mail.example/help/rules#suppressed");
    assert_eq!(door.queued().await, 0);
    assert_eq!(door.send(&message(&["ada@dest.example", "bob@dest.example"])).await.status, 202, "the others go");
    let theirs = with(message(&["ada@dest.example"]), "from", json!({"email": "a@other.example"}));
    let reply = door.post("/v1/messages", &door.other.key, theirs.to_string()).await;
    assert_eq!(reply.status, 202, "another controller's list is his own");
}

#[tokio::test]
async fn art7_a_newsletter_goes_with_consent_and_stops_with_its_withdrawal() {
    let door = door().await;
    let newsletter = with(message(&["ada@dest.example"]), "stream", json!("newsletter"));
    let reply = door.send(&newsletter).await;
    assert_eq!((reply.status, reply.json()["rule"].as_str()), (422, Some("no-basis")));
    let words = json!({"name": "news", "version": 1, "language": "en", "text": "We send you news."});
    let notice = door.post("/v1/notices", &door.shop.key, words.to_string()).await.json()["id"].clone();
    let mut asked = json!({"email": "ada@dest.example", "stream": "newsletter", "kind": "consent", "confirmed": false,
        "notice": notice, "action": "checkbox-ticked"});
    assert_eq!(door.post("/v1/consents", &door.shop.key, asked.to_string()).await.status, 201);
    assert_eq!(door.send(&newsletter).await.json()["rule"], "consent-unconfirmed");
    asked["confirmed"] = json!(true);
    let asserted = json!({"email": "ada@dest.example", "stream": "newsletter", "kind": "consent", "confirmed": true});
    let reply = door.post("/v1/consents", &door.shop.key, asserted.to_string()).await;
    assert_eq!((reply.status, &reply.json()["evidence"]), (201, &"unverified".into()));
    assert_eq!(door.send(&newsletter).await.json()["rule"], "consent-text-unknown");
    for action in ["checkbox-pre-ticked", "bundled", "conditional"] {
        let mut defective = asked.clone();
        defective["action"] = json!(action);
        let reply = door.post("/v1/consents", &door.shop.key, defective.to_string()).await;
        assert_eq!((reply.status, &reply.json()["field"]), (400, &"action".into()), "{}", reply.text);
    }
    assert_eq!(door.post("/v1/consents", &door.shop.key, asked.to_string()).await.status, 201);
    assert_eq!(door.send(&newsletter).await.status, 202);
    let withdrawn = json!({"email": "ada@dest.example", "stream": "newsletter"});
    let reply = door.post("/v1/consents/withdraw", &door.shop.key, withdrawn.to_string()).await;
    assert_eq!((reply.status, &reply.json()["state"]), (200, &"withdrawn".into()));
    assert_eq!(door.send(&newsletter).await.json()["rule"], "suppressed");
    let nobody = json!({"email": "eve@dest.example", "stream": "newsletter"});
    let reply = door.post("/v1/consents/withdraw", &door.shop.key, nobody.to_string()).await;
    assert_eq!((reply.status, &reply.json()["state"]), (200, &"absent".into()));
}

#[tokio::test]
async fn art28_3_refusals_of_the_sender_as_a_whole_are_403() {
    let door = door().await;
    let good = message(&["ada@dest.example"]);
    for (name, value, rule) in [
        ("stream", json!("nowhere"), "operation-not-instructed"),
        ("stream", json!("closed"), "credential-scope"),
        ("from", json!({"email": "a@unverified.example"}), "from-not-verified"),
        ("from", json!({"email": "a@other.example"}), "from-not-verified"),
    ] {
        let reply = door.send(&with(good.clone(), name, value)).await;
        assert_eq!((reply.status, reply.json()["rule"].as_str()), (403, Some(rule)), "{}", reply.text);
    }
    door.store.set_agreement_state(door.shop.id, AgreementState::Suspended).await.unwrap();
    let reply = door.send(&good).await;
    assert_eq!((reply.status, reply.json()["rule"].as_str()), (403, Some("agreement-not-in-force")));
    assert_eq!(door.queued().await, 0);
}

#[tokio::test]
async fn the_days_number_in_the_instruction_is_429_when_spent() {
    let door = door().await;
    let sent = with(message(&["a@dest.example", "b@dest.example"]), "from", json!({"email": "a@other.example"}));
    assert_eq!(door.post("/v1/messages", &door.other.key, sent.to_string()).await.status, 202);
    let reply = door.post("/v1/messages", &door.other.key, sent.to_string()).await;
    assert_eq!((reply.status, reply.json()["rule"].as_str()), (429, Some("quota")));
}

#[tokio::test]
async fn a_repeat_with_its_key_gets_the_first_answer_and_sends_nothing() {
    let door = door().await;
    let sent = message(&["ada@dest.example"]);
    let first = door.send_once("order-17", &sent).await;
    assert_eq!(first.status, 202);
    assert!(!first.fields.contains_key("idempotency-replayed"));
    let again = door.send_once("order-17", &sent).await;
    assert_eq!((again.status, &again.text), (202, &first.text));
    assert_eq!(again.fields["idempotency-replayed"], "true");
    assert_eq!(door.queued().await, 1);
    let changed = door.send_once("order-17", &with(sent.clone(), "subject", json!("Other"))).await;
    assert_eq!((changed.status, changed.json()["rule"].as_str()), (409, Some("idempotency-conflict")));
    assert_eq!(door.send_once("order-18", &sent).await.status, 202, "another key is another request");
    assert_eq!(door.queued().await, 2);
    for bad in ["", &"k".repeat(256), "k\tk"] {
        assert_eq!(door.send_once(bad, &sent).await.status, 400, "{bad:?}");
    }
}

#[tokio::test]
async fn two_requests_with_one_key_at_once_send_once() {
    let door = door().await;
    let sent = message(&["ada@dest.example"]);
    let (one, two, three) = tokio::join!(
        door.send_once("order-17", &sent),
        door.send_once("order-17", &sent),
        door.send_once("order-17", &sent)
    );
    let statuses = [one.status, two.status, three.status];
    assert!(statuses.contains(&202) && statuses.iter().all(|status| matches!(status, 202 | 409)), "{statuses:?}");
    assert_eq!(door.queued().await, 1);
}

#[tokio::test]
async fn a_batch_is_answered_in_order_and_replayed_as_a_whole() {
    let door = door().await;
    let stray = with(message(&["bob@dest.example"]), "stream", json!("nowhere"));
    let batch = json!({"messages": [message(&["ada@dest.example"]), stray, message(&["eve@dest.example"])]});
    let first = door.send_once("batch-1", &batch).await;
    let answer = first.json();
    assert_eq!(first.status, 202, "{}", first.text);
    assert_eq!(answer["results"][0]["results"][0]["to"], "ada@dest.example");
    assert_eq!(answer["results"][1]["problem"]["status"], 403);
    assert_eq!(answer["results"][2]["results"][0]["status"], "queued");
    assert_eq!(door.queued().await, 2);
    let again = door.send_once("batch-1", &batch).await;
    assert_eq!((again.status, again.json()), (202, answer));
    assert_eq!(door.queued().await, 2);
}

#[tokio::test]
async fn a_fault_in_the_last_message_of_a_batch_leaves_nothing() {
    let door = door().await;
    let bad = with(message(&["bob@dest.example"]), "subject", json!("a\r\nBcc: eve@dest.example"));
    let reply = door.send(&json!({"messages": [message(&["ada@dest.example"]), bad]})).await;
    assert_eq!((reply.status, &reply.json()["field"]), (400, &"messages[1].subject".into()), "{}", reply.text);
    assert_eq!(door.send(&json!({"messages": []})).await.status, 400);
    assert_eq!(door.queued().await, 0);
}

#[tokio::test]
async fn every_route_answers_and_every_answer_is_guarded() {
    let door = door().await;
    for route in table() {
        let path = route.path.replace("{id}", "msg_x").replace("{rule}", "suppressed");
        for method in route.methods {
            let request = http::Request::builder().method(method.to_uppercase().as_str()).uri(&path);
            let reply = door.ask(request.body(Body::empty()).unwrap()).await;
            assert!(reply.status != 405, "{method} {path}");
            let policy = reply.fields["content-security-policy"].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}");
            assert_eq!(reply.fields["x-content-type-options"], "nosniff");
        }
        let reply = door.ask(http::Request::patch(&path).body(Body::empty()).unwrap()).await;
        assert_eq!((reply.status, reply.json()["rule"].as_str()), (405, Some("method-not-allowed")), "{path}");
    }
    let nothing = door.get("/v2/messages", None).await;
    assert_eq!((nothing.status, nothing.json()["rule"].as_str()), (404, Some("not-found")));
}

#[tokio::test]
async fn figures_are_not_for_strangers_and_readiness_is_told() {
    let door = door().await;
    assert_eq!(door.get("/healthz", None).await.status, 200);
    assert_eq!(door.get("/readyz", None).await.status, 503);
    door.readiness.open();
    assert_eq!(door.get("/readyz", None).await.status, 200);
    door.readiness.close();
    assert_eq!(door.get("/readyz", None).await.status, 503);
    assert_eq!(door.get("/metrics", None).await.status, 404, "from 192.0.2.1");
    let request = http::Request::get("/metrics").header("x-forwarded-for", "127.0.0.1").body(Body::empty()).unwrap();
    assert_eq!(door.ask(request).await.status, 404, "a field is not the peer");
    let own = door.ask_from([127, 0, 0, 1], http::Request::get("/metrics").body(Body::empty()).unwrap()).await;
    assert!(own.status == 200 && own.text.contains("postern_test_total 17"), "{}", own.text);
}

#[tokio::test]
async fn a_node_without_the_api_says_how_it_is_and_nothing_else() {
    let mut door = door().await;
    let submission = Arc::new(Submission::new(Arc::clone(&door.store)));
    let readiness = Arc::clone(&door.readiness);
    door.router = health(Api::new(Arc::clone(&door.store), submission, "https://mail.example", None, readiness));
    door.readiness.open();
    for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/metrics", 404), ("/", 404), ("/help/rules", 404)] {
        assert_eq!(door.get(path, None).await.status, status, "{path}");
    }
    assert_eq!(door.send(&message(&["ada@dest.example"])).await.status, 404);
    assert_eq!(door.queued().await, 0);
}

#[tokio::test]
async fn a_closed_store_is_503_with_retry_after() {
    let door = door().await;
    door.store.close().await;
    let reply = door.send(&message(&["ada@dest.example"])).await;
    assert_eq!((reply.status, reply.json()["rule"].as_str()), (503, Some("temporary")), "{}", reply.text);
    assert!(reply.fields.contains_key("retry-after"));
    let asked = json!({"email": "a@dest.example", "scope": "all"});
    assert_eq!(door.post("/v1/suppressions", &door.shop.key, asked.to_string()).await.status, 503);
}

#[test]
fn rfc9457_3_faults_have_the_one_shape() {
    golden("problem-field.json", &Problem::field("to[1].email", "the address has no @").in_batch(3));
    golden("problem-not-authenticated.json", &Problem::of(Fault::NotAuthenticated));
}

#[test]
fn faults_have_ids_of_their_own() {
    let mut ids: Vec<&str> = Fault::ALL.iter().map(|fault| fault.row().id).collect();
    ids.extend(gate::Rule::ALL.iter().map(|rule| rule.id()));
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "an id is told once");
}
