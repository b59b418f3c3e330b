//! Addresses and fields outside ASCII (RFC 6531 to 6533), by both doors, to receivers that take them and that do not.

use super::house::{House, Told, content, json_of, last, letter};
use serde_json::json;
use testkit::mx::Conduct;
use testkit::smtp::SmtpClient;

const PERSON: &str = "jörg@dest.example";
/// The same with the letter taken apart, in capitals, and at the domain in its other form.
const FORMS: [&str; 3] = ["jo\u{308}rg@dest.example", "JÖRG@DEST.example", "\"Jörg\"@dest.example"];

async fn house(keywords: Vec<&'static str>) -> House {
    let house = House::new().await;
    house.dns.mx("shop.example", 10, "mx.dest.example");
    house.mx.manners(|manners| manners.keywords = keywords);
    house
}

/// MAIL with SMTPUTF8, RCPT, and the message if both are taken.
async fn by_smtp(house: &House, from: &str, to: &str, parameters: &str) -> mail::reply::ReceivedReply {
    let mut client: SmtpClient = house.session(&house.shop.username, &house.shop.password).await.unwrap();
    let reply = client.command(&format!("MAIL FROM:<{from}> SMTPUTF8{parameters}")).await.unwrap();
    assert!(reply.is_positive(), "{}", reply.text);
    let reply = client.command(&format!("RCPT TO:<{to}>")).await.unwrap();
    if !reply.is_positive() {
        return reply;
    }
    let mut letter = String::from_utf8(content(&house.shop.from, to)).unwrap();
    letter.insert_str(0, "Subject-Note: für Jörg\r\n");
    client.data(letter.as_bytes()).await.unwrap()
}

#[tokio::test]
async fn rfc6531_a_person_outside_ascii_gets_mail_from_both_doors() {
    let house = house(vec!["SMTPUTF8"]).await;
    let reply = by_smtp(&house, &house.shop.from, PERSON, "").await;
    let id = super::house::smtp_told(&reply).id();
    house.until_state(&id, "delivered").await;
    let received = house.mx.wait_for(1).await.remove(0);
    assert_eq!(received.to, [PERSON]);
    assert!(received.parameters.contains("SMTPUTF8"), "{}", received.parameters);
    let text = received.text();
    // RFC 6531 §4.3.
    assert!(text.replace("\r\n ", " ").contains(" with UTF8SMTPSA id msg_"), "{text}");
    assert!(text.contains("To: <jörg@dest.example>\r\n") && text.contains("Subject-Note: für Jörg\r\n"), "{text}");

    let mut body = letter(None, &house.shop.from, &[FORMS[0]]);
    body["to"][0]["name"] = json!("Jörg");
    let id = super::house::http_told(&house.post(&house.shop, "/v1/messages", &body).await).id();
    house.until_state(&id, "delivered").await;
    let received = house.mx.wait_for(2).await.remove(1);
    // RFC 6532 §3.1: in NFC, whatever it was; a name stays in words that everybody reads.
    assert_eq!(received.to, [PERSON]);
    assert!(received.text().contains("<jörg@dest.example>"), "{}", received.text());
    assert_eq!(house.message(&id).await["to"], PERSON);
}

#[tokio::test]
async fn twin_rfc6531_3_2_without_smtputf8_at_the_receiver_it_fails_for_good_and_nobody_is_suppressed() {
    let house = house(Vec::new()).await;
    for _ in 0..2 {
        let id = house.send("transactional", PERSON).await;
        let message = house.until_state(&id, "bounced").await;
        assert_eq!(last(&message)["enhanced"], "5.6.7", "{message}");
    }
    // RFC 6531 §3.2: where only the domain is outside ASCII there is another form, and it leaves in it.
    house.dns.mx("xn--bcher-kva.example", 10, "mx.dest.example");
    let reply = by_smtp(&house, &house.shop.from, "ada@bücher.example", "").await;
    assert_eq!(reply.code, 250);
    let id = super::house::smtp_told(&reply).id();
    // The fields name it in UTF-8, so that this one needs SMTPUTF8 all the same.
    house.until_state(&id, "bounced").await;
    let id = house.send("transactional", "ada@bücher.example").await;
    house.until_state(&id, "delivered").await;
    let received = house.mx.wait_for_recipient("ada@xn--bcher-kva.example", 1).await.remove(0);
    assert!(received.content.is_ascii() && !received.parameters.contains("SMTPUTF8"), "{}", received.parameters);
}

#[tokio::test]
async fn rfc6531_3_5_without_the_parameter_nothing_outside_ascii_is_taken() {
    let house = house(vec!["SMTPUTF8"]).await;
    let mut client = house.session(&house.shop.username, &house.shop.password).await.unwrap();
    assert!(client.command(&format!("MAIL FROM:<{}>", house.shop.from)).await.unwrap().is_positive());
    let reply = client.command(&format!("RCPT TO:<{PERSON}>")).await.unwrap();
    assert_eq!((reply.code, reply.enhanced.unwrap().to_string().as_str()), (553, "5.6.7"));
    assert!(client.command("RCPT TO:<ada@dest.example>").await.unwrap().is_positive());
    let reply = client.data(&content(&house.shop.from, PERSON)).await.unwrap();
    assert_eq!(reply.code, 554, "{}", reply.text);
    assert!(reply.text.contains("SMTPUTF8"), "{}", reply.text);
    assert!(house.mx.received().is_empty());
}

#[tokio::test]
async fn gdpr_21_3_who_is_suppressed_gets_no_mail_by_another_form_of_his_address() {
    let house = house(vec!["SMTPUTF8"]).await;
    house.suppress(&house.shop, FORMS[0], "all", "objection").await;
    for form in FORMS.into_iter().chain([PERSON]) {
        let told = house.by_http(&house.shop, None, &house.shop.from, form).await;
        assert_eq!(told, Told::Refused("objected".to_owned()), "{form}");
        let reply = by_smtp(&house, &house.shop.from, form, "").await;
        assert_eq!(reply.code, 550, "{form} {}", reply.text);
        assert!(reply.text.starts_with("objected"), "{form} {}", reply.text);
    }
    // Twin: another person of a similar name.
    let id = house.send("transactional", "jorg@dest.example").await;
    house.until_state(&id, "delivered").await;
    assert_eq!(house.mx.received().len(), 1);
}

#[tokio::test]
async fn rfc6533_a_failure_is_told_to_a_sender_outside_ascii_in_utf_8_and_to_others_in_ascii() {
    let senders = [("läden@shop.example", "message/global-delivery-status", "utf-8; jörg@dest.example\r\n")];
    let senders = senders.into_iter().chain([(
        "shop@shop.example",
        "message/delivery-status",
        "utf-8; j\\x{F6}rg@dest.example\r\n",
    )]);
    for (sender, kind, recipient) in senders {
        let house = house(vec!["SMTPUTF8"]).await;
        house.mx.treat(PERSON, Conduct::reject(550, "5.7.1", "no"));
        let reply = by_smtp(&house, sender, PERSON, " RET=HDRS").await;
        let id = super::house::smtp_told(&reply).id();
        house.until_state(&id, "bounced").await;
        let notification = house.mx.wait_for_recipient(sender, 1).await.pop().unwrap();
        let text = notification.text();
        assert!(text.contains(&format!("Content-Type: {kind}\r\n")), "{text}");
        assert!(text.contains(&format!("Final-Recipient: {recipient}")), "{text}");
        assert_eq!(notification.parameters.contains("SMTPUTF8"), sender != "shop@shop.example");
        assert_eq!(notification.from, "");
    }
}

#[tokio::test]
async fn what_is_no_address_outside_ascii_either_is_refused_by_both_doors() {
    let house = house(vec!["SMTPUTF8"]).await;
    let mut client = house.session(&house.shop.username, &house.shop.password).await.unwrap();
    assert!(client.command(&format!("MAIL FROM:<{}> SMTPUTF8", house.shop.from)).await.unwrap().is_positive());
    for bad in ["jö\u{202e}rg@dest.example", "jö\u{200b}rg@dest.example", "jörg.@dest.example"] {
        let reply = client.command(&format!("RCPT TO:<{bad}>")).await.unwrap();
        assert_eq!(reply.code, 501, "{bad:?}");
        let answer = house.post(&house.shop, "/v1/messages", &letter(None, &house.shop.from, &[bad])).await;
        assert_eq!(answer.status, 400, "{bad:?} {}", json_of(&answer));
    }
}
