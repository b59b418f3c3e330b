//! Credentials made after admission: at both doors, within the rights of who makes them, until they are revoked.

use super::house::{ADA, House, Tenant, Told, bearer, json_of};
use super::ledger::entries;
use serde_json::{Value, json};
use store::{CredentialPlan, ForStreams, Mode, Scope, Scopes};
use testkit::http::HttpAnswer;

/// The tenant with another credential of his controller.
async fn holder(house: &House, who: &Tenant, streams: ForStreams, scopes: &[Scope]) -> Tenant {
    let scopes = Scopes::from_iter(scopes.iter().copied());
    let plan = CredentialPlan { streams, scopes, mode: Mode::Live, note: String::new() };
    let made = house.store.make_credential(who.controller, &plan).await.unwrap();
    Tenant { credential: made.id, username: made.username, password: made.password, key: made.api_key, ..who.clone() }
}

/// One who may administer, on every stream.
async fn administrator(house: &House, who: &Tenant) -> Tenant {
    holder(house, who, ForStreams::All, &Scope::ALL).await
}

/// The tenant with the credential that an answer shows.
fn shown(who: &Tenant, answer: &HttpAnswer) -> Tenant {
    assert_eq!(answer.status, 201, "{}", answer.text());
    let made = json_of(answer);
    let text = |name: &str| made[name].as_str().unwrap_or("none").to_owned();
    Tenant { username: text("username"), password: text("password"), key: text("api_key"), ..who.clone() }
}

async fn make(house: &House, by: &Tenant, asked: Value) -> HttpAnswer {
    house.post(by, "/v1/credentials", &asked).await
}

async fn list(house: &House, by: &Tenant) -> Vec<Value> {
    let answer = house.get(by, "/v1/credentials").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    json_of(&answer)["credentials"].as_array().unwrap().clone()
}

async fn revoke(house: &House, by: &Tenant, id: &str) -> u16 {
    let key = bearer(by);
    let path = format!("/v1/credentials/{id}");
    house.http.request("DELETE", &path, &[("Authorization", &key)], b"").await.unwrap().status
}

#[tokio::test]
async fn art29_a_credential_that_was_made_sends_at_its_doors_on_its_streams_until_it_is_revoked() {
    let house = House::new().await;
    let admin = administrator(&house, &house.shop).await;
    house.consent(ADA).await;
    let answer = make(&house, &admin, json!({"streams": ["newsletter"], "note": "campaigns"})).await;
    let news = shown(&house.shop, &answer);
    let id = json_of(&answer)["id"].as_str().unwrap().to_owned();
    assert!(news.password.len() * 5 >= 128 && news.key.len() == 61, "GDPR Art. 32(1)(b)");
    house.by_http(&news, None, &news.from, ADA).await.id();
    house.by_smtp(&news, None, &news.from, ADA).await.id();
    for told in [
        house.by_http(&news, Some("transactional"), &news.from, ADA).await,
        house.by_smtp(&news, Some("transactional"), &news.from, ADA).await,
    ] {
        assert_eq!(told.rule(), "credential-scope");
    }

    // It is listed, without its secrets.
    let known = list(&house, &admin).await;
    let entry = known.iter().find(|entry| entry["id"] == id.as_str()).unwrap();
    assert_eq!((&entry["streams"], &entry["note"]), (&json!(["newsletter"]), &json!("campaigns")));
    assert_eq!((&entry["scopes"], &entry["state"]), (&json!(["smtp", "api"]), &json!("valid")));
    let all = json!(known).to_string();
    for secret in [&news.password, &news.key, &admin.key, &house.shop.password] {
        assert!(!all.contains(secret.as_str()), "a secret is shown once");
    }
    assert!(!all.contains("system-"), "the platform's own is not the controller's");

    // One door alone.
    let api = shown(&house.shop, &make(&house, &admin, json!({"streams": ["transactional"], "scopes": ["api"]})).await);
    assert_eq!((api.username.as_str(), api.password.as_str()), ("none", "none"));
    house.by_http(&api, None, &api.from, ADA).await.id();
    let smtp = holder(&house, &house.shop, ForStreams::Named(vec![house.shop.transactional]), &[Scope::Smtp]).await;
    house.by_smtp(&smtp, None, &smtp.from, ADA).await.id();
    assert_eq!(house.by_http(&smtp, None, &smtp.from, ADA).await, Told::NotAuthenticated);
    let hidden = holder(&house, &house.shop, ForStreams::All, &[Scope::Api]).await;
    assert_eq!(house.by_smtp(&hidden, None, &hidden.from, ADA).await, Told::NotAuthenticated);

    // Revoked: refused at once at both doors, and for good.
    assert_eq!(revoke(&house, &admin, &id).await, 204);
    assert_eq!(house.by_http(&news, None, &news.from, ADA).await, Told::NotAuthenticated);
    assert_eq!(house.by_smtp(&news, None, &news.from, ADA).await, Told::NotAuthenticated);
    assert_eq!(revoke(&house, &admin, &id).await, 404);
    let state = |entries: Vec<Value>| entries.into_iter().find(|entry| entry["id"] == id.as_str());
    assert_eq!(state(list(&house, &admin).await).unwrap()["state"], "revoked");
    let log = house.log(&house.shop).await;
    let count = entries(&log).iter().filter(|entry| entry.kind() == "credential.changed").count();
    // Two at admission, five here, and one revocation.
    assert_eq!(count, 8);

    // What ended is forgotten after a time.
    house.clock.advance(std::time::Duration::from_secs(31 * 86_400));
    house.store.tidy().await.unwrap();
    assert!(state(list(&house, &admin).await).is_none());
    assert_eq!(list(&house, &admin).await.len(), 5);
}

#[tokio::test]
async fn art32_4_no_key_gives_what_it_has_not_itself() {
    let house = House::new().await;
    let shop = house.shop.clone();
    // A key without the scope administers nothing.
    for (status, answer) in [
        (403, house.get(&shop, "/v1/credentials").await),
        (403, make(&house, &shop, json!({"streams": ["transactional"]})).await),
    ] {
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(json_of(&answer)["type"].as_str().unwrap().ends_with("out-of-scope"), "{}", answer.text());
    }
    assert_eq!(revoke(&house, &shop, &house.store.public_id(shop.credential)).await, 403);

    // One with it gives neither a stream, nor a scope, nor all streams that it has not.
    let news = ForStreams::Named(vec![shop.newsletter]);
    let narrow = holder(&house, &shop, news, &[Scope::Api, Scope::Credentials]).await;
    for (status, asked) in [
        (403, json!({"streams": ["transactional"], "scopes": ["api"]})),
        (403, json!({"streams": ["newsletter", "transactional"], "scopes": ["api"]})),
        (403, json!({"streams": ["*"], "scopes": ["api"]})),
        (403, json!({"streams": ["newsletter"], "scopes": ["smtp"]})),
        (403, json!({"streams": ["newsletter"]})),
        (400, json!({"streams": ["service"], "scopes": ["api"]})),
        (400, json!({"streams": ["nothing"], "scopes": ["api"]})),
        (400, json!({"streams": [], "scopes": ["api"]})),
        (400, json!({"streams": ["newsletter"], "scopes": ["everything"]})),
        (400, json!({"streams": ["newsletter"], "scopes": ["credentials"]})),
        (400, json!({"streams": ["newsletter"], "scopes": ["api"], "note": "a\nb"})),
        (201, json!({"streams": ["newsletter"], "scopes": ["api", "credentials"]})),
    ] {
        let answer = make(&house, &narrow, asked.clone()).await;
        assert_eq!(answer.status, status, "{asked}: {}", answer.text());
    }
    // Over all streams means those of the controller, and never that of the platform's own mail.
    let admin = administrator(&house, &shop).await;
    assert_eq!(house.by_http(&admin, Some("service"), &admin.from, ADA).await.rule(), "credential-scope");
    house.by_http(&admin, Some("transactional"), &admin.from, ADA).await.id();
}

/// GDPR Art. 29, 32(4): the key of a program that sends neither signs, nor reads or changes what is recorded of people.
/// Every route of the published API is asked; those that such a key may use are named here.
#[tokio::test]
async fn art29_a_key_that_sends_does_nothing_else_on_any_route() {
    let house = House::new().await;
    let key = holder(&house, &house.shop, ForStreams::All, &[Scope::Api]).await;
    let document = json_of(&house.http.get("/v1/openapi.json", &[]).await.unwrap());
    let may = [
        "post /v1/messages",
        "post /v1/messages/raw",
        "get /v1/queue",
        "post /v1/queue/retry",
        "get /v1/messages/{id}",
        "post /v1/decisions",
        "get /v1/decisions/{id}",
        "post /v1/consents/withdraw",
        "post /v1/suppressions",
    ];
    let (mut asked, mut refused) = (Vec::new(), 0);
    for (path, methods) in document["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with("/v1/")) {
        for method in methods.as_object().unwrap().keys() {
            let name = format!("{method} {path}");
            let bearer = bearer(&key);
            let fields = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
            let place = path.replace("{id}", &house.store.public_id(house.shop.credential));
            let answer = house.http.request(&method.to_uppercase(), &place, &fields, b"{}").await.unwrap();
            let is_out = answer.status == 403 && answer.text().contains("out-of-scope");
            assert_eq!(
                is_out,
                !may.contains(&name.as_str()) && path != "/v1/openapi.json",
                "{name}: {}",
                answer.text()
            );
            refused += usize::from(is_out);
            asked.push(name);
        }
    }
    assert!(may.iter().all(|name| asked.iter().any(|other| other == name)), "{asked:#?}");
    assert!(refused > 30, "{refused} of {asked:#?}");
    // Twin: one for people is let in there, and still signs nothing.
    let people = holder(&house, &house.shop, ForStreams::All, &[Scope::Api, Scope::People]).await;
    assert_eq!(house.get(&people, "/v1/suppressions").await.status, 200);
    assert_eq!(house.get(&people, "/v1/agreements").await.status, 403);
    let authority = holder(&house, &house.shop, ForStreams::All, &[Scope::Api, Scope::Authority]).await;
    assert_eq!(house.get(&authority, "/v1/agreements").await.status, 200);
    assert_eq!(house.get(&authority, "/v1/suppressions").await.status, 403);
}

#[tokio::test]
async fn art32_credentials_of_another_controller_are_neither_seen_nor_revoked() {
    let house = House::new().await;
    let other = house.admit("other", "other.example").await;
    let (ours, theirs) = (administrator(&house, &house.shop).await, administrator(&house, &other).await);
    let id = house.store.public_id(house.shop.credential);
    assert_eq!(revoke(&house, &theirs, &id).await, 404);
    let seen = list(&house, &theirs).await;
    assert!(seen.iter().all(|entry| entry["id"] != id.as_str()) && seen.len() == 2, "{seen:?}");
    house.by_http(&house.shop, None, &house.shop.from, ADA).await.id();
    // The platform's own is nobody's to revoke.
    let system = house.store.system_authority(house.shop.controller).unwrap().credential();
    assert_eq!(revoke(&house, &ours, &house.store.public_id(system)).await, 404);
    assert!(house.store.system_authority(house.shop.controller).is_some());
    // Twin: who may, does.
    assert_eq!(revoke(&house, &ours, &id).await, 204);
    assert_eq!(house.by_http(&house.shop, None, &house.shop.from, ADA).await, Told::NotAuthenticated);
}
