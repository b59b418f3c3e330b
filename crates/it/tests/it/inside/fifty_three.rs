//! A hundred recipients, of whom 37 gave no basis and 10 go while the receiver says "later": 53 messages arrive, and
//! for each of the other 47 there is a reason (GDPR Art. 6(1), 7(3), 5(2); a basis for each recipient, asked about at
//! acceptance and again before every attempt).

use super::house::{HOUR, House, Tenant, json_of, last, letter};
use super::ledger::entries;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use testkit::mx::Conduct;

const RECIPIENTS: usize = 100;
/// Every recipient below has none.
const WITHOUT_BASIS: usize = 37;
/// Of the others, so many go.
const GOING: usize = 10;

/// How often of how many each rule is counted.
type Reasons = BTreeMap<String, usize>;

fn address(number: usize) -> String {
    // Those who have a basis stand among those who have none.
    format!("person{}@dest.example", (number * 37) % RECIPIENTS)
}

fn expected() -> Reasons {
    Reasons::from([("no-basis".to_owned(), WITHOUT_BASIS), ("suppressed".to_owned(), GOING)])
}

/// All of them in one request; what was said of each.
async fn offered(house: &House, shop: &Tenant) -> Vec<Value> {
    let everybody: Vec<String> = (0..RECIPIENTS).map(|number| format!("person{number}@dest.example")).collect();
    let to: Vec<&str> = everybody.iter().map(String::as_str).collect();
    let answer = house.post(shop, "/v1/messages", &letter(Some("newsletter"), &shop.from, &to)).await;
    assert_eq!(answer.status, 202, "a refusal concerns its recipient, not the batch: {}", answer.text());
    let results = json_of(&answer)["results"].as_array().unwrap().clone();
    let told: Vec<&str> = results.iter().map(|result| result["to"].as_str().unwrap()).collect();
    assert_eq!(told, to, "each recipient has his result, in order");
    results
}

#[tokio::test]
async fn art6_1_of_a_hundred_fifty_three_arrive_and_forty_seven_have_their_reason() {
    let house = House::new().await;
    let shop = &house.shop;
    house.mx.treat_others(Conduct::defer(451, "4.3.0 busy"));
    for number in WITHOUT_BASIS..RECIPIENTS {
        house.consent(&address(number)).await;
    }
    let results = offered(&house, shop).await;
    let mut reasons = Reasons::new();
    let mut ids = BTreeMap::new();
    for result in &results {
        let to = result["to"].as_str().unwrap().to_owned();
        match result["status"].as_str().unwrap() {
            "queued" => drop(ids.insert(to, result["id"].as_str().unwrap().to_owned())),
            "refused" => {
                assert!(result["article"].is_string() && result["help"].is_string(), "{result}");
                *reasons.entry(result["rule"].as_str().unwrap().to_owned()).or_default() += 1;
            }
            other => panic!("{other}: {result}"),
        }
    }
    assert_eq!((ids.len(), reasons["no-basis"]), (RECIPIENTS - WITHOUT_BASIS, WITHOUT_BASIS));

    // The receiver has refused every one of them for now, when ten go.
    for (to, id) in &ids {
        house.mx.wait_for_attempts(to, 1).await;
        house.until_event(id, "deferred", 1).await;
    }
    let going: BTreeSet<String> = (WITHOUT_BASIS..WITHOUT_BASIS + GOING).map(address).collect();
    for to in &going {
        house.withdraw(to).await;
    }
    house.mx.treat_others(Conduct::Accept);
    house.clock.advance(HOUR);
    house.until_empty().await;

    let received = house.mx.received();
    let arrived: BTreeSet<String> = received.iter().flat_map(|message| message.to.clone()).collect();
    let expected_people: BTreeSet<String> = ids.keys().filter(|to| !going.contains(*to)).cloned().collect();
    assert_eq!((received.len(), arrived), (RECIPIENTS - WITHOUT_BASIS - GOING, expected_people));
    for (to, id) in &ids {
        let message = house.message(id).await;
        let state = if going.contains(to) { "stopped" } else { "delivered" };
        assert_eq!(message["state"], state, "{message}");
        if going.contains(to) {
            *reasons.entry(last(&message)["rule"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        // RFC 5321 §4.5.4.1: those who go were tried once, before they went.
        assert_eq!(house.mx.counts().recipients[to], if going.contains(to) { 1 } else { 2 });
    }
    assert_eq!(reasons, expected());
    ledger_agrees(&house, &ids, &going).await;
}

/// The ledger counts refusals by rule, and holds an entry for each message that was stopped (GDPR Art. 5(2)); neither
/// names anybody.
async fn ledger_agrees(house: &House, ids: &BTreeMap<String, String>, going: &BTreeSet<String>) {
    let entries = entries(&house.log(&house.shop).await);
    let kind = |kind: &'static str| entries.iter().filter(move |entry| entry.kind() == kind);
    let refused: u64 = kind("refused").filter_map(|entry| entry.counts().get("no-basis")).sum();
    assert_eq!(refused, WITHOUT_BASIS as u64);
    assert_eq!(kind("refused").flat_map(|entry| entry.counts().values()).sum::<u64>(), refused, "for no other reason");
    assert_eq!((kind("message.stopped").count(), kind("basis.withdrawn").count()), (GOING, GOING));
    assert_eq!(kind("message.delivered").count(), RECIPIENTS - WITHOUT_BASIS - GOING);
    let stopped: BTreeSet<&str> = kind("message.stopped").map(ledger::Entry::id).collect();
    for to in going {
        let message = house.message(&ids[to]).await;
        let event = last(&message)["event_id"].as_str().unwrap().to_owned();
        assert!(stopped.contains(event.as_str()), "the reason that the API gives is the ledger's entry: {message}");
    }
}

/// Twin: by SMTP the same is refused at RCPT, recipient by recipient, and the rest of the batch goes.
#[tokio::test]
async fn art6_1_by_smtp_each_recipient_has_his_own_answer() {
    let house = House::new().await;
    let shop = &house.shop;
    for number in WITHOUT_BASIS..RECIPIENTS {
        house.consent(&address(number)).await;
    }
    let login = format!("{}+newsletter", shop.username);
    let mut client = house.session(&login, &shop.password).await.unwrap();
    assert_eq!(client.command(&format!("MAIL FROM:<{}>", shop.from)).await.unwrap().code, 250);
    let mut codes = BTreeMap::new();
    for number in 0..RECIPIENTS {
        let reply = client.command(&format!("RCPT TO:<{}>", address(number))).await.unwrap();
        assert_eq!(reply.code == 550, reply.text.starts_with("no-basis "), "{}", reply.text);
        assert_eq!(reply.code == 550, number < WITHOUT_BASIS, "{}", reply.text);
        *codes.entry(reply.code).or_insert(0_usize) += 1;
    }
    assert_eq!(codes, BTreeMap::from([(250, RECIPIENTS - WITHOUT_BASIS), (550, WITHOUT_BASIS)]));
    let reply = client.data(&super::house::content(&shop.from, &address(0))).await.unwrap();
    assert_eq!(reply.code, 250, "{}", reply.text);
    house.until_empty().await;
    assert_eq!(house.mx.received().len(), RECIPIENTS - WITHOUT_BASIS);
    // The API is of the same mind: nobody of the 37 is taken in by it either.
    let body = letter(Some("newsletter"), &shop.from, &[&address(0)]);
    let answer = house.post(shop, "/v1/messages", &body).await;
    assert_eq!((answer.status, &json_of(&answer)["results"][0]["rule"]), (422, &json!("no-basis")));
}
