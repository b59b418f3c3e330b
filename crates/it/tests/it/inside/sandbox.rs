//! Credentials of the sandbox: everything runs and nothing leaves, by either door.

use super::house::{ADA, BOB, House, Tenant, events, json_of, last, letter};
use super::ledger::entries;
use super::terms::{at_most, with_terms};
use serde_json::{Value, json};
use store::{CredentialPlan, ForStreams, Mode, Scope, Scopes};
use testkit::dns::RecordType;

/// The tenant with a credential of the sandbox.
async fn sandboxed(house: &House, who: &Tenant) -> Tenant {
    let plan = CredentialPlan {
        streams: ForStreams::All,
        scopes: Scopes::from_iter(Scope::ALL),
        mode: Mode::Sandbox,
        note: String::new(),
    };
    let made = house.store.make_credential(who.controller, &plan).await.unwrap();
    Tenant { credential: made.id, username: made.username, password: made.password, key: made.api_key, ..who.clone() }
}

/// Nothing came to the receiver, nobody knocked there, and nobody asked DNS where it is.
fn nothing_left(house: &House) {
    assert_eq!((house.mx.received().len(), house.mx.counts().connections), (0, 0));
    assert_eq!(house.dns.queries("dest.example", RecordType::Mx), 0);
}

#[tokio::test]
async fn what_is_sent_in_the_sandbox_runs_through_everything_and_leaves_nowhere() {
    let house = House::new().await;
    let trying = sandboxed(&house, &house.shop).await;
    house.consent(ADA).await;
    let by_http = house.by_http(&trying, Some("newsletter"), &trying.from, ADA).await.id();
    let by_smtp = house.by_smtp(&trying, None, &trying.from, BOB).await.id();
    for id in [&by_http, &by_smtp] {
        let message = house.until_state(id, "sandboxed").await;
        assert_eq!((events(&message, "accepted"), events(&message, "delivered")), (1, 0), "{message}");
        let end = last(&message);
        assert_eq!((&end["event"], &end["attempt"]), (&"sandboxed".into(), &1.into()), "{message}");
        assert!(end["detail"].as_str().unwrap().contains("nothing was sent") && end["code"].is_null(), "{message}");
    }
    nothing_left(&house);
    house.until_empty().await;
    let log = entries(&house.log(&house.shop).await);
    let of = |kind: &str| log.iter().filter(|entry| entry.kind() == kind).count();
    assert_eq!((of("message.sandboxed"), of("message.delivered")), (2, 0));
    // Twin: the same with the credential that sends.
    let real = house.send("transactional", BOB).await;
    house.until_state(&real, "delivered").await;
    assert_eq!(house.mx.received().len(), 1);
}

#[tokio::test]
async fn art21_3_the_gate_says_in_the_sandbox_what_it_says_elsewhere() {
    let house = House::new().await;
    let trying = sandboxed(&house, &house.shop).await;
    assert_eq!(house.by_http(&trying, Some("newsletter"), &trying.from, ADA).await.rule(), "no-basis");
    assert_eq!(house.by_smtp(&trying, Some("newsletter"), &trying.from, ADA).await.rule(), "no-basis");
    assert_eq!(house.by_http(&trying, None, "shop@other.example", ADA).await.rule(), "from-not-verified");
    house.suppress(&house.shop, BOB, "all", "opt-out").await;
    assert_eq!(house.by_smtp(&trying, None, &trying.from, BOB).await.rule(), "suppressed");
    nothing_left(&house);
}

#[tokio::test]
async fn rfc3461_nobody_is_notified_of_what_is_sent_in_the_sandbox_and_a_stop_is_told_in_the_timeline_alone() {
    let house = House::new().await;
    let trying = sandboxed(&house, &house.shop).await;
    let mut client = house.session(&trying.username, &trying.password).await.unwrap();
    let mail = format!("MAIL FROM:<{}>", trying.from);
    assert!(client.command(&mail).await.unwrap().is_positive());
    let to = format!("RCPT TO:<{ADA}> NOTIFY=SUCCESS,FAILURE,DELAY");
    assert!(client.command(&to).await.unwrap().is_positive());
    assert_eq!(client.command("DATA").await.unwrap().code, 354);
    let content = format!("From: <{}>\r\nTo: <{ADA}>\r\nSubject: Receipt\r\n\r\nThank you.\r\n.", trying.from);
    let told = super::house::smtp_told(&client.command(&content).await.unwrap());
    house.until_state(&told.id(), "sandboxed").await;
    house.until_empty().await;
    nothing_left(&house);
}

#[tokio::test]
async fn what_nobody_got_is_not_counted_among_the_marketing_that_he_gets() {
    let mut house = House::new().await;
    with_terms(&mut house, "bounded", at_most(1, 7)).await;
    let trying = sandboxed(&house, &house.shop).await;
    house.consent(ADA).await;
    for _ in 0..3 {
        let id = house.by_http(&trying, Some("bounded"), &trying.from, ADA).await.id();
        house.until_state(&id, "sandboxed").await;
    }
    nothing_left(&house);
    let real = house.send("bounded", ADA).await;
    house.until_state(&real, "delivered").await;
    // Twin: what she got is counted, in the sandbox, too.
    assert_eq!(house.by_http(&house.shop, Some("bounded"), &trying.from, ADA).await.rule(), "frequency-cap");
    assert_eq!(house.by_http(&trying, Some("bounded"), &trying.from, ADA).await.rule(), "frequency-cap");
}

#[tokio::test]
async fn art29_a_key_of_the_sandbox_makes_none_that_sends() {
    let house = House::new().await;
    let trying = sandboxed(&house, &house.shop).await;
    let make = async |by: &Tenant, sandbox: bool| {
        let asked = json!({"streams": ["*"], "sandbox": sandbox});
        house.post(by, "/v1/credentials", &asked).await
    };
    assert_eq!(make(&trying, false).await.status, 403);
    let made = make(&trying, true).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let key = json_of(&made)["api_key"].as_str().unwrap().to_owned();
    let another = Tenant { key, ..house.shop.clone() };
    let answer = house.post(&another, "/v1/messages", &letter(None, &house.shop.from, &[ADA])).await;
    let id = json_of(&answer)["results"][0]["id"].as_str().unwrap().to_owned();
    house.until_state(&id, "sandboxed").await;
    let listed = json_of(&house.get(&trying, "/v1/credentials").await);
    let modes = listed["credentials"].as_array().unwrap().iter().map(|one| one["sandbox"].clone());
    assert_eq!(modes.collect::<Vec<Value>>(), [json!(false), json!(true), json!(true)]);
    nothing_left(&house);
}
