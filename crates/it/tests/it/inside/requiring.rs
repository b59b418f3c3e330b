//! REQUIRETLS (RFC 8689) from the doors to the receiver, and back with what could not go.

use super::house::{ADA, House, bearer, content, http_told, json_of};
use serde_json::{Value, json};
use testkit::FakeHttps;
use testkit::mx::StartTls;
use testkit::tls::{TestCa, certificates};

/// A house whose receiver announces REQUIRETLS, and shows a certificate that the node trusts. `safe`: domains that
/// enforce a policy of MTA-STS.
async fn house(safe: &'static str) -> (House, FakeHttps) {
    let ca = TestCa::new();
    let host = FakeHttps::start(&ca, &format!("mta-sts.{safe}")).await.unwrap();
    host.text("version: STSv1\nmode: enforce\nmx: mx.dest.example\nmax_age: 604800\n");
    let port = host.addr().port();
    let house = House::built(|plan| {
        plan.delivery.policy_port = port;
        plan.delivery.roots = certificates(&ca.pem());
    })
    .await;
    house.dns.mx("shop.example", 10, "mx.dest.example").loopback(&format!("mta-sts.{safe}"));
    house.dns.txt(&format!("_mta-sts.{safe}"), "v=STSv1; id=1;");
    house.mx.present(ca.leaf(&["mx.dest.example"]));
    house.mx.manners(|manners| {
        manners.starttls = StartTls::On;
        manners.keywords = vec!["REQUIRETLS"];
    });
    (house, host)
}

async fn by_smtp(house: &House, mail: &str) -> String {
    let mut client = house.session(&house.shop.username, &house.shop.password).await.unwrap();
    let from = &house.shop.from;
    assert_eq!(client.command(&format!("MAIL FROM:<{from}>{mail}")).await.unwrap().code, 250, "{mail}");
    assert_eq!(client.command(&format!("RCPT TO:<{ADA}>")).await.unwrap().code, 250);
    let reply = client.data(&content(from, ADA)).await.unwrap();
    reply.text.strip_prefix("queued as ").unwrap_or_else(|| panic!("{}", reply.text)).to_owned()
}

async fn by_http(house: &House, path: &str, field: Option<(&str, &str)>, body: &str) -> (u16, Value) {
    let key = bearer(&house.shop);
    let mut fields = vec![("Authorization", key.as_str())];
    let is_raw = path.ends_with("/raw");
    fields.push(("Content-Type", if is_raw { "message/rfc822" } else { "application/json" }));
    if is_raw {
        fields.push(("Envelope-To", ADA));
    }
    fields.extend(field);
    let answer = house.http.request("POST", path, &fields, body.as_bytes()).await.unwrap();
    let id = if answer.status == 202 { json!(http_told(&answer).id()) } else { json_of(&answer) };
    (answer.status, id)
}

#[tokio::test]
async fn rfc8689_4_1_whichever_door_it_came_by_it_leaves_with_requiretls_or_not_at_all() {
    let (house, _host) = house("dest.example").await;
    let from = house.shop.from.clone();
    let one = |asked: bool| {
        let mut message = json!({"from": {"email": from}, "to": [{"email": ADA}], "subject": "x", "text": "y"});
        if asked {
            message["require_tls"] = json!(true);
        }
        message.to_string()
    };
    let raw = format!("From: <{from}>\nTo: {ADA}\nSubject: x\n\ny\n");
    let asked = [
        by_smtp(&house, " REQUIRETLS").await,
        by_http(&house, "/v1/messages", None, &one(true)).await.1.as_str().unwrap().to_owned(),
        by_http(&house, "/v1/messages/raw", Some(("Require-TLS", "yes")), &raw).await.1.as_str().unwrap().to_owned(),
    ];
    for id in asked {
        let message = house.until_state(&id, "delivered").await;
        assert_eq!(message["require_tls"], true, "{message}");
        let said = message["timeline"].as_array().unwrap().last().unwrap()["detail"].to_string();
        assert!(
            said.contains("authenticated by name, policy sts") && said.contains("REQUIRETLS demanded and promised")
        );
    }
    let received = house.mx.wait_for(3).await;
    assert!(received.iter().all(|one| one.tls && one.parameters.contains("REQUIRETLS")));
    // Twin: what does not ask says nothing of it.
    let twins = [
        by_smtp(&house, "").await,
        by_http(&house, "/v1/messages", None, &one(false)).await.1.as_str().unwrap().to_owned(),
        by_http(&house, "/v1/messages/raw", Some(("Require-TLS", "no")), &raw).await.1.as_str().unwrap().to_owned(),
    ];
    for id in twins {
        let message = house.until_state(&id, "delivered").await;
        assert_eq!(message["require_tls"], Value::Null, "{message}");
    }
    let received = house.mx.wait_for(6).await;
    assert!(received[3..].iter().all(|one| !one.parameters.contains("REQUIRETLS")));
    let (status, problem) = by_http(&house, "/v1/messages/raw", Some(("Require-TLS", "perhaps")), &raw).await;
    assert_eq!(status, 400, "{problem}");
}

#[tokio::test]
async fn rfc8689_5_what_comes_back_is_a_header_alone_and_is_as_well_protected() {
    // The sender's own domain is known, the recipient's is not.
    let (house, _host) = house("shop.example").await;
    let id = by_smtp(&house, " REQUIRETLS RET=FULL").await;
    let message = house.until_state(&id, "bounced").await;
    let last = message["timeline"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["enhanced"], "5.7.10", "{last}");
    let notification = house.mx.wait_for_recipient(&house.shop.from, 1).await.pop().unwrap();
    assert!(notification.tls && notification.parameters.contains("REQUIRETLS"), "{}", notification.parameters);
    let text = notification.text();
    assert!(text.contains("Status: 5.7.10\r\n") && text.contains("Subject: Receipt\r\n"), "{text}");
    assert!(!text.contains("Thank you."), "RET=FULL must be disregarded: {text}");
    // Twin: without it RET=FULL brings the message back.
    house.mx.treat(ADA, testkit::mx::Conduct::reject(550, "5.7.1", "no"));
    let id = by_smtp(&house, " RET=FULL").await;
    house.until_state(&id, "bounced").await;
    let notification = house.mx.wait_for_recipient(&house.shop.from, 2).await.pop().unwrap();
    assert!(notification.text().contains("Thank you.") && !notification.parameters.contains("REQUIRETLS"));
}
