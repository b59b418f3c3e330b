//! Whole messages by HTTP: the envelope, the header rules of submission, limits.

use super::*;

const RECEIPT: &str = "From: Shop <shop@sample.example>\nTo: Ada <ada@dest.example>\nCc: bob@dest.example\n\
    Bcc: carol@dest.example\nSubject: Your receipt\n\nThank you.\n";

impl Door {
    async fn raw(&self, path: &str, fields: &[(&str, &str)], message: impl Into<Body>) -> Reply {
        let mut request = http::Request::post(path).header("authorization", format!("Bearer {}", self.shop.key));
        if fields.iter().all(|(name, _)| *name != "content-type") {
            request = request.header("content-type", "message/rfc822");
        }
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        self.ask(request.body(message.into()).unwrap()).await
    }
}

fn people(reply: &Reply) -> Vec<String> {
    let body = reply.json();
    let results = body["results"].as_array().unwrap_or_else(|| panic!("{}", reply.text));
    results.iter().map(|result| result["to"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn without_an_envelope_the_message_says_to_whom_and_bcc_goes() {
    let door = door().await;
    let reply = door.raw("/v1/messages/raw", &[], RECEIPT).await;
    assert_eq!(reply.status, 202, "{}", reply.text);
    assert_eq!(people(&reply), ["ada@dest.example", "bob@dest.example", "carol@dest.example"]);
    for (_, head, body) in door.waiting().await {
        assert!(head.contains("To: Ada <ada@dest.example>\r\n") && !head.contains("carol"), "{head}");
        assert!(head.contains("\r\nMessage-ID: <msg_") && head.contains("\r\nDate: "), "{head}");
        assert!(head.starts_with("Received: by mail.example with HTTP id msg_"), "{head}");
        assert_eq!(body, "Thank you.\r\n");
    }
}

#[tokio::test]
async fn an_envelope_goes_before_what_the_message_names() {
    let door = door().await;
    let fields = [("envelope-to", "dora@dest.example, <dora@dest.example>"), ("envelope-to", "emil@dest.example")];
    let reply = door.raw("/v1/messages/raw", &fields, RECEIPT).await;
    assert_eq!(people(&reply), ["dora@dest.example", "emil@dest.example"]);
    assert_eq!(door.queued().await, 2);
}

#[tokio::test]
async fn rfc5322_3_6_header_injection_and_ill_formed_messages_are_refused_and_nothing_is_kept() {
    let door = door().await;
    let from = "From: shop@sample.example\r\nTo: ada@dest.example\r\n";
    let long = format!("{from}\r\n{}\r\n", "a".repeat(999));
    for message in [
        "",
        "To: ada@dest.example\r\n\r\nno From",
        "From: shop@sample.example\r\nFrom: eve@evil.example\r\nTo: ada@dest.example\r\n\r\n",
        "From: shop@sample.example, eve@evil.example\r\nTo: ada@dest.example\r\n\r\n",
        "From: eve@evil.example <shop@sample.example>\r\nTo: ada@dest.example\r\n\r\n",
        "From: shop@sample.example\r\nTo: ada@dest.example\r\nTo: eve@evil.example\r\n\r\n",
        "From: shop@sample.example\r\nTo: ada@dest.example, eve\r\n\r\n",
        "From: shop@sample.example\r\nSubject: nobody\r\n\r\n",
        "From : shop@sample.example\r\nTo: ada@dest.example\r\n\r\n",
        "From: shop@sample.example\r\nTo: ada@dest.example\r\nX-Postern-Stream: newsletter\r\n\r\n",
        "From: shop@sample.example\r\nTo: ada@dest.example\r\nX: a\u{0}b\r\n\r\n",
        &format!("{from}\r\na\u{0}b\r\n"),
        &long,
    ] {
        let reply = door.raw("/v1/messages/raw", &[], message.to_owned()).await;
        assert_eq!(
            (reply.status, reply.json()["rule"].as_str()),
            (400, Some("malformed")),
            "{message:?} {}",
            reply.text
        );
        assert!(!reply.text.contains("eve") && !reply.text.contains("ada@"), "{}", reply.text);
    }
    for fields in [
        [("envelope-to", "eve")],
        [("envelope-to", "")],
        [("envelope-to", "a@dest.example b@dest.example")],
        [("envelope-from", "eve")],
        [("idempotency-key", "")],
    ] {
        let reply = door.raw("/v1/messages/raw", &fields, RECEIPT).await;
        assert_eq!(reply.status, 400, "{fields:?} {}", reply.text);
        assert!(!reply.text.contains("eve"), "{}", reply.text);
    }
    let many = (0..1_001).map(|number| format!("a{number}@x.example")).collect::<Vec<_>>().join(",\n ");
    let many = format!("From: shop@sample.example\nTo: {many}\n\n");
    assert_eq!(door.raw("/v1/messages/raw", &[], many).await.status, 400);
    assert_eq!(door.raw("/v1/messages/raw?to=ada@dest.example", &[], RECEIPT).await.status, 400, "no address in a URL");
    assert_eq!(door.queued().await, 0);
}

#[tokio::test]
async fn whole_messages_are_limited_and_must_say_what_they_are() {
    let door = door().await;
    let head = "From: shop@sample.example\r\nTo: ada@dest.example\r\n\r\n";
    let line = format!("{}\r\n", "a".repeat(998));
    let most = (25 * 1024 * 1024 - head.len()) / line.len();
    let whole = format!("{head}{}", line.repeat(most));
    assert_eq!(door.raw("/v1/messages/raw", &[], whole.clone()).await.status, 202);
    let reply = door.raw("/v1/messages/raw", &[], format!("{whole}{line}")).await;
    assert_eq!((reply.status, reply.json()["rule"].as_str()), (413, Some("too-large")), "{}", reply.text);
    for kind in ["application/json", "text/plain", "message/rfc822x"] {
        let reply = door.raw("/v1/messages/raw", &[("content-type", kind)], RECEIPT).await;
        assert_eq!(reply.status, 415, "{kind}");
        assert!(reply.text.contains("message/rfc822"), "{}", reply.text);
    }
    assert_eq!(door.raw("/v1/messages/raw", &[("content-encoding", "gzip")], RECEIPT).await.status, 415);
    let request = http::Request::post("/v1/messages/raw").header("content-type", "message/rfc822");
    assert_eq!(door.ask(request.body(Body::from(RECEIPT)).unwrap()).await.status, 401);
}

#[tokio::test]
async fn the_gate_says_the_same_of_a_whole_message() {
    let door = door().await;
    let told = async |path: &str, message: &str| {
        let reply = door.raw(path, &[("envelope-to", "ada@dest.example")], message.to_owned()).await;
        (reply.status, reply.json()["rule"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(told("/v1/messages/raw?stream=newsletter", RECEIPT).await, (422, "no-basis".to_owned()));
    assert_eq!(told("/v1/messages/raw?stream=closed", RECEIPT).await, (403, "credential-scope".to_owned()));
    assert_eq!(told("/v1/messages/raw?stream=none", RECEIPT).await, (403, "operation-not-instructed".to_owned()));
    assert_eq!(
        told("/v1/messages/raw?purpose=none", RECEIPT).await,
        told("/v1/messages/raw?purpose=unknown", RECEIPT).await,
        "a purpose that is not there is the gate's to refuse"
    );
    assert_ne!(told("/v1/messages/raw?purpose=none", RECEIPT).await.0, 202);
    let strangers = RECEIPT.replace("sample.example", "other.example");
    assert_eq!(told("/v1/messages/raw", &strangers).await, (403, "from-not-verified".to_owned()));
    assert_eq!(told("/v1/messages/raw?stream=transactional", RECEIPT).await.0, 202);
    let confirmed = format!("X-Postern-Stream: transactional\n{RECEIPT}");
    assert_eq!(told("/v1/messages/raw", &confirmed).await.0, 202, "the field may confirm the stream");
    assert_eq!(door.queued().await, 2);
}

#[tokio::test]
async fn a_repeated_whole_message_is_sent_once() {
    let door = door().await;
    let once = async |to: &str, message: &'static str| {
        door.raw("/v1/messages/raw", &[("idempotency-key", "order-17"), ("envelope-to", to)], message).await
    };
    let first = once("ada@dest.example", RECEIPT).await;
    let second = once("ada@dest.example", RECEIPT).await;
    assert_eq!((first.status, second.status, &first.text), (202, 202, &second.text));
    assert_eq!(second.fields["idempotency-replayed"], "true");
    assert_eq!(once("bob@dest.example", RECEIPT).await.status, 409, "the envelope belongs to the request");
    assert_eq!(once("ada@dest.example", "From: shop@sample.example\n\nother").await.status, 409);
    assert_eq!(door.queued().await, 1);
}
