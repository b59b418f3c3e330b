//! A real Postfix as the recipients' exchanger: what it takes, what it refuses, and what it tells of later, by mail.

use super::house::{ADA, House, Told, events, last, smtp_told};
use serde_json::Value;
use std::net::SocketAddr;
use testkit::mx::Conduct;
use testkit::postfix::{Orders, Postfix};
use testkit::smtp::SmtpClient;
use testkit::tls::TestCa;
use testkit::wait::{breathe, within};

const LATE: &str = "late@dest.example";
const LATER: &str = "later@dest.example";
const NEVER: &str = "never@dest.example";
const PERSON: &str = "jörg@dest.example";

/// The node, and Postfix between it and the receiver.
struct Scene {
    house: House,
    postfix: Postfix,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// `keywords`: what the receiver behind Postfix offers.
    async fn new(keywords: Vec<&'static str>) -> Self {
        let port = testkit::base_port();
        let house = House::built(|plan| plan.delivery.mx_port = port).await;
        house.mx.manners(|manners| manners.keywords = keywords);
        let folder = tempfile::tempdir().unwrap();
        let answers = [(NEVER, "550 5.7.1 not from you"), (LATER, "451 4.7.1 come back")];
        let returns = ("bounce.shop.example", house.desk.inbound);
        let orders = Orders { port, domain: "dest.example", next: house.mx.addr(), returns, answers: &answers };
        let leaf = TestCa::new().leaf(&["mx.dest.example"]);
        let postfix = Postfix::start(folder.path(), &orders, &leaf).await;
        Self { house, postfix, _folder: folder }
    }

    /// One message by SMTP with these parameters; its public id.
    async fn sent(&self, to: &str, mail: &str, rcpt: &str, text: &str) -> String {
        let shop = &self.house.shop;
        let mut client = self.house.session(&shop.username, &shop.password).await.unwrap();
        let reply = client.command(&format!("MAIL FROM:<{}>{mail}", shop.from)).await.unwrap();
        assert_eq!(reply.code, 250, "{}", reply.text);
        let reply = client.command(&format!("RCPT TO:<{to}>{rcpt}")).await.unwrap();
        assert_eq!(reply.code, 250, "{}", reply.text);
        let content = format!(
            "From: <{}>\r\nTo: <{to}>\r\nSubject: Receipt\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}",
            shop.from
        );
        let reply = client.data(content.as_bytes()).await.unwrap();
        match smtp_told(&reply) {
            Told::Taken(id) => id,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until the timeline has this event.
    async fn until_event(&self, id: &str, event: &str) -> Value {
        within(event, async {
            loop {
                let message = self.house.message(id).await;
                if events(&message, event) > 0 {
                    return message;
                }
                breathe().await;
            }
        })
        .await
    }

    /// The transcript of the attempt that was decided last.
    async fn transcript(&self, id: &str) -> String {
        let view = self.house.store.message(self.house.shop.controller, self.house.inner(id)).await.unwrap().unwrap();
        view.timeline.iter().rev().find_map(|item| item.transcript.clone()).unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_exchanger_takes_mail_over_tls_in_chunks_and_what_it_hands_on_is_whole() {
    let scene = Scene::new(Vec::new()).await;
    let text = "Grüße aus Köln\r\n.\r\n..und ein Punkt\r\n".repeat(6_000);
    let id = scene.sent(ADA, "", "", &text).await;
    scene.house.until_state(&id, "delivered").await;
    let transcript = scene.transcript(&id).await;
    assert!(transcript.starts_with("TLS"), "{transcript}");
    assert!(transcript.contains("C: BDAT ") && transcript.contains(" LAST"), "{transcript}");
    assert!(transcript.matches("C: BDAT").count() > 1, "{transcript}");
    let received = scene.house.mx.wait_for(1).await.remove(0);
    assert!(received.text().contains("(Postfix) with ESMTPS id "), "{}", scene.postfix.log());
    assert!(received.text().ends_with(&text), "octet for octet, through another server");
    assert_eq!(received.text().matches("DKIM-Signature:").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_exchangers_refusals_are_judged_by_their_codes() {
    let scene = Scene::new(Vec::new()).await;
    let never = scene.sent(NEVER, "", "", "no\r\n").await;
    let message = scene.house.until_state(&never, "bounced").await;
    assert_eq!((&last(&message)["code"], &last(&message)["enhanced"]), (&550.into(), &"5.7.1".into()), "{message}");
    let later = scene.sent(LATER, "", "", "not yet\r\n").await;
    let message = scene.until_event(&later, "deferred").await;
    assert_eq!((&last(&message)["code"], &last(&message)["enhanced"]), (&451.into(), &"4.7.1".into()), "{message}");
    assert_eq!(message["state"], "queued");
    // Policy suppresses nobody.
    let again = scene.house.by_http(&scene.house.shop, None, &scene.house.shop.from, NEVER).await;
    assert!(matches!(again, Told::Taken(_)), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc3464_a_bounce_that_a_real_exchanger_sends_later_changes_the_timeline_and_suppresses() {
    let scene = Scene::new(Vec::new()).await;
    let house = &scene.house;
    house.mx.treat(LATE, Conduct::reject(550, "5.1.1", "no such mailbox"));
    let id = scene.sent(LATE, "", "", "hello\r\n").await;
    let message = scene.until_event(&id, "bounced").await;
    assert_eq!((events(&message, "delivered"), message["state"].as_str()), (1, Some("bounced")), "{message}");
    assert_eq!(last(&message)["enhanced"], "5.1.1", "{message}");
    let again = house.by_http(&house.shop, None, &house.shop.from, LATE).await;
    assert_eq!(again, Told::Refused("suppressed".to_owned()));
    // Twin: who got his mail is neither bounced nor suppressed.
    let id = scene.sent(ADA, "", "", "hello\r\n").await;
    house.mx.wait_for_recipient(ADA, 1).await;
    assert_eq!(house.until_state(&id, "delivered").await["state"], "delivered");
    assert!(matches!(house.by_http(&house.shop, None, &house.shop.from, ADA).await, Told::Taken(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc3461_5_2_1_a_real_exchanger_understands_what_the_client_asked_to_be_told() {
    let scene = Scene::new(vec!["DSN"]).await;
    let rcpt = " NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Ada+2Bx@dest.example";
    let id = scene.sent(ADA, " RET=HDRS ENVID=order+2B17", rcpt, "hello\r\n").await;
    scene.house.until_state(&id, "delivered").await;
    // It hands on to a next hop that offers the same, in words of its own.
    let received = scene.house.mx.wait_for(1).await.remove(0);
    assert!(
        received.parameters.contains("RET=HDRS") && received.parameters.contains("ENVID=order+2B17"),
        "{received:?}"
    );
    let of_rcpt = received.to_parameters.join(" ");
    assert!(of_rcpt.contains("ORCPT=rfc822;Ada+2Bx@dest.example"), "{of_rcpt}");
    assert!(of_rcpt.contains("NOTIFY=SUCCESS,FAILURE"), "{of_rcpt}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc6531_a_real_exchanger_takes_an_address_outside_ascii_and_reports_about_it() {
    let scene = Scene::new(vec!["SMTPUTF8"]).await;
    let id = scene.sent(PERSON, " SMTPUTF8", "", "Grüße\r\n").await;
    scene.house.until_state(&id, "delivered").await;
    let received = scene.house.mx.wait_for(1).await.remove(0);
    assert_eq!(received.to, [PERSON]);
    assert!(received.text().contains("(Postfix) with UTF8SMTPS id "), "{}", received.text());
    // RFC 6533: the receiver behind it refuses him, and the report names him in UTF-8.
    scene.house.mx.treat(PERSON, Conduct::reject(550, "5.1.1", "no such mailbox"));
    let id = scene.sent(PERSON, " SMTPUTF8", "", "Grüße\r\n").await;
    let message = scene.until_event(&id, "bounced").await;
    assert_eq!(last(&message)["enhanced"], "5.1.1", "{message}");
    let shop = &scene.house.shop;
    let again = scene.house.by_http(shop, None, &shop.from, "JÖRG@dest.example").await;
    assert_eq!(again, Told::Refused("suppressed".to_owned()));
}

/// Postfix before the node: it takes a client's mail and hands it to the trusted listener.
#[tokio::test(flavor = "multi_thread")]
async fn rfc3030_rfc6531_a_real_client_hands_in_chunks_notifications_and_addresses_outside_ascii() {
    let house = House::new().await;
    house.mx.manners(|manners| manners.keywords = vec!["SMTPUTF8", "DSN"]);
    let folder = tempfile::tempdir().unwrap();
    let port = testkit::base_port();
    let returns = ("bounce.shop.example", house.desk.inbound);
    let orders = Orders { port, domain: "dest.example", next: house.trusted, returns, answers: &[] };
    let postfix = Postfix::start(folder.path(), &orders, &TestCa::new().leaf(&["mx.dest.example"])).await;
    let (mut client, _) = SmtpClient::connect(SocketAddr::from(([127, 0, 0, 1], port))).await.unwrap();
    assert!(client.command("EHLO shop.example").await.unwrap().is_positive());
    let text = "Grüße\r\n.\r\n..zwei\r\n".repeat(20_000);
    let fields = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n";
    let content =
        format!("From: Läden <{}>\r\nTo: <{PERSON}>\r\nSubject: Grüße\r\n{fields}\r\n{text}", house.shop.from);
    let commands = [
        format!("MAIL FROM:<{}> SMTPUTF8 BODY=8BITMIME RET=HDRS ENVID=order+2B17", house.shop.from),
        format!("RCPT TO:<{PERSON}> NOTIFY=FAILURE ORCPT=utf-8;{PERSON}"),
    ];
    for command in commands {
        let reply = client.command(&command).await.unwrap();
        assert_eq!(reply.code, 250, "{command}: {}", reply.text);
    }
    assert_eq!(client.data(content.as_bytes()).await.unwrap().code, 250);
    let received = house.mx.wait_for(1).await.remove(0);
    assert_eq!(received.to, [PERSON]);
    assert!(
        received.parameters.contains("SMTPUTF8") && received.parameters.contains("ENVID=order+2B17"),
        "{received:?}"
    );
    let of_rcpt = received.to_parameters.join(" ");
    assert!(of_rcpt.contains("ORCPT=utf-8;j\\x{F6}rg@dest.example"), "{of_rcpt}");
    assert!(received.text().ends_with(&text), "octet for octet");
    assert!(received.text().contains("Subject: Grüße\r\n"));
    let text = received.text().replace("\r\n ", " ");
    assert!(text.contains(" with UTF8SMTP id msg_"), "{text}\n{}", postfix.log());
}
