//! What waits is looked at, held, let go, hurried and ended, by a controller over HTTP and by the operator.

use super::house::{ADA, BOB, House, Tenant, events, json_of, last};
use super::ledger::entries;
use serde_json::{Value, json};
use store::{NotOrdered, OrderKind, OrderedBy, Which};
use testkit::wait::breathe;
use testkit::within;

async fn queue(house: &House, who: &Tenant) -> Value {
    let answer = house.get(who, "/v1/queue").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(!answer.text().contains(ADA) && !answer.text().contains(BOB), "{}", answer.text());
    json_of(&answer)
}

async fn order(house: &House, who: &Tenant, verb: &str, body: Value) -> (u16, Value) {
    let answer = house.post(who, &format!("/v1/queue/{verb}"), &body).await;
    (answer.status, json_of(&answer))
}

#[tokio::test]
async fn art28_3_a_what_a_controller_holds_waits_until_he_lets_it_go_and_the_rest_leaves() {
    let house = House::new().await;
    let shop = &house.shop;
    house.consent(ADA).await;
    let hold = json!({"stream": "newsletter", "reason": "wrong prices"});
    assert_eq!(order(&house, shop, "hold", hold).await.0, 200);
    let held = house.send("newsletter", ADA).await;
    let message = house.until_state(&held, "held").await;
    assert_eq!((&last(&message)["rule"], events(&message, "held")), (&"held-by-controller".into(), 1));
    let receipt = house.send("transactional", BOB).await;
    house.until_state(&receipt, "delivered").await;
    // It does not run out, and is looked at again without an attempt being made.
    house.clock.advance(100 * super::house::HOUR);
    let other = house.send("transactional", BOB).await;
    house.until_state(&other, "delivered").await;
    let told = queue(&house, shop).await;
    let group = &told["groups"][0];
    assert_eq!(
        (&group["stream"], &group["count"], &group["held"]),
        (&"newsletter".into(), &1.into(), &1.into()),
        "{told}"
    );
    assert_eq!(group["reason"], "held by the controller: wrong prices");
    assert_eq!((&told["orders"][0]["kind"], &told["orders"][0]["by"]), (&"hold".into(), &"controller".into()));
    assert_eq!(house.mx.received().len(), 2, "nothing that is held left");
    // Nobody lets go what another holds.
    let which = Which { stream: Some(shop.newsletter), ..Which::default() };
    assert_eq!(house.store.release(shop.controller, OrderedBy::Operator, &which).await.unwrap(), None);
    assert_eq!(order(&house, shop, "release", json!({"stream": "transactional"})).await.0, 404);
    let released = order(&house, shop, "release", json!({"stream": "newsletter"})).await;
    assert_eq!(released.0, 200, "{}", released.1);
    house.until_state(&held, "delivered").await;
    assert_eq!(queue(&house, shop).await, json!({"groups": [], "orders": []}));
    let log = entries(&house.log(shop).await);
    let of = |kind: &str| log.iter().filter(|entry| entry.kind() == kind).count();
    assert_eq!((of("queue.ordered"), of("queue.released")), (1, 1));
}

#[tokio::test]
async fn art21_3_an_objection_comes_into_force_while_its_message_is_held() {
    let house = House::new().await;
    house.consent(ADA).await;
    assert_eq!(order(&house, &house.shop, "hold", json!({"all": true, "reason": "a break"})).await.0, 200);
    let id = house.send("newsletter", ADA).await;
    house.until_state(&id, "held").await;
    house.suppress(&house.shop, ADA, "marketing", "objection").await;
    assert_eq!(order(&house, &house.shop, "retry", json!({"message": id})).await, (200, json!({"messages": 1})));
    let message = house.until_state(&id, "stopped").await;
    assert_eq!(last(&message)["rule"], "objected");
    assert_eq!(house.mx.counts().recipients.len(), 0);
}

#[tokio::test]
async fn what_is_purged_ends_without_a_connection_and_what_comes_later_does_not() {
    let house = House::new().await;
    let shop = &house.shop;
    house.dns.servfail("broken.example");
    let id = house.send("transactional", "ada@broken.example").await;
    within("a group that says why", async {
        while queue(&house, shop).await["groups"][0]["count"] != 1 {
            breathe().await;
        }
    })
    .await;
    let which = Which { site: Some("broken.example".to_owned()), ..Which::default() };
    let purge = (OrderedBy::Operator, OrderKind::Purge);
    for reason in ["", "because ada@broken.example asked", "two\nlines"] {
        let refused = house.store.order(shop.controller, purge, &which, reason).await;
        assert!(matches!(refused, Err(NotOrdered::Reason)), "{reason:?}");
    }
    house.store.order(shop.controller, purge, &which, "the site is gone").await.unwrap();
    let message = house.until_state(&id, "stopped").await;
    assert_eq!((&last(&message)["rule"], events(&message, "stopped")), (&"purged".into(), 1));
    assert_eq!(house.mx.counts().connections, 0);
    let told = queue(&house, shop).await;
    assert_eq!((&told["groups"], &told["orders"][0]["reason"]), (&json!([]), &"the site is gone".into()));
    let log = entries(&house.log(shop).await);
    let of = |kind: &str| log.iter().filter(|entry| entry.kind() == kind).count();
    assert_eq!((of("queue.ordered"), of("message.stopped")), (1, 1));
    // Twin: what is accepted afterwards for the same site goes, once it can.
    house.clock.advance(super::house::MINUTE);
    house.dns.clear("broken.example").mx("broken.example", 10, "mx.dest.example");
    let later = house.send("transactional", "ada@broken.example").await;
    assert_eq!(order(&house, shop, "retry", json!({"site": "BROKEN.example"})).await.0, 200);
    house.until_state(&later, "delivered").await;
}

#[tokio::test]
async fn a_retry_goes_at_once_also_where_the_site_is_left_alone() {
    let house = House::new().await;
    house.mx.manners(|manners| manners.greeting = Some((421, "4.3.2 busy".to_owned())));
    let id = house.send("transactional", ADA).await;
    house.mx.wait_until("a visit", |_, counts| (counts.connections > 0 && counts.open == 0).then_some(())).await;
    house.mx.manners(|manners| manners.greeting = None);
    within("a delivery without the clock", async {
        // The node may take the 421 in only after it was asked.
        while house.mx.received().is_empty() {
            assert_eq!(order(&house, &house.shop, "retry", json!({"all": true})).await.0, 200);
            breathe().await;
        }
    })
    .await;
    house.until_state(&id, "delivered").await;
}

#[tokio::test]
async fn art32_nobody_sees_or_orders_the_queue_of_another() {
    let house = House::new().await;
    let other = house.admit("other", "other.example").await;
    house.dns.servfail("broken.example");
    let id = house.send("transactional", "ada@broken.example").await;
    assert_eq!(queue(&house, &other).await["groups"], json!([]));
    for verb in ["hold", "release", "retry"] {
        assert_eq!(order(&house, &other, verb, json!({"message": id, "reason": "mine"})).await.0, 404, "{verb}");
        assert_eq!(order(&house, &house.shop, verb, json!({"reason": "all?"})).await.0, 400, "{verb}");
        let unclear = json!({"all": true, "site": "broken.example", "reason": "both"});
        assert_eq!(order(&house, &house.shop, verb, unclear).await.0, 400, "{verb}");
    }
    assert_eq!(order(&house, &other, "hold", json!({"all": true, "reason": "all of mine"})).await.0, 200);
    let mine = house.send("transactional", BOB).await;
    house.until_state(&mine, "delivered").await;
}
