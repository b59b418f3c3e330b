//! Requests meant to break something: nothing of them is kept, and nothing of them is repeated.

use super::*;

#[tokio::test]
async fn line_breaks_and_nul_are_refused_wherever_they_stand() {
    let door = door().await;
    let good = message(&["ada@dest.example"]);
    for (name, value) in [
        ("subject", json!("a\nb")),
        ("subject", json!("a\u{0}b")),
        ("subject", json!("s".repeat(10_000_000))),
        ("text", json!("a\u{0}b")),
        ("from", json!({"email": "shop@sample.example", "name": "a\r\nBcc: eve@dest.example"})),
        ("to", json!([{"email": "ada@dest.example", "name": "a\rb"}])),
        ("headers", json!({"X-A": "a\r\nBcc: eve@dest.example"})),
        ("headers", json!({"X-A\r\nBcc": "a"})),
        ("headers", json!({"Bcc": "eve@dest.example"})),
        ("headers", json!({"DKIM-Signature": "v=1"})),
        ("headers", json!({"X-A": "1", "x-a": "2"})),
        ("attachments", json!([{"name": "a\nb", "type": "text/plain", "content": ""}])),
        ("attachments", json!([{"name": "a", "type": "text/plain\r\nX: y", "content": ""}])),
    ] {
        let reply = door.send(&with(good.clone(), name, value)).await;
        let problem = reply.json();
        assert_eq!((reply.status, problem["rule"].as_str()), (400, Some("malformed")), "{name}");
        assert!(problem["detail"].as_str().unwrap().len() < 300 && !reply.text.contains("eve@"), "{}", reply.text);
    }
    assert_eq!(door.queued().await, 0);
}

#[tokio::test]
async fn bodies_are_limited_and_must_be_json() {
    let door = door().await;
    let good = message(&["ada@dest.example"]).to_string();
    let whole = vec![b' '; 36 * 1024 * 1024 + 1];
    assert_eq!(door.post("/v1/messages", &door.shop.key, whole.clone()).await.status, 413);
    let announced = [("content-length", "99999999999")];
    assert_eq!(door.post_with("/v1/messages", &door.shop.key, &announced, "{}").await.status, 413);
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
        let request = http::Request::post("/v1/messages")
            .header("authorization", format!("Bearer {}", door.shop.key))
            .header("content-type", kind)
            .body(Body::from(good.clone()));
        assert_eq!(door.ask(request.unwrap()).await.status, 415, "{kind}");
    }
    let zipped = [("content-encoding", "gzip")];
    assert_eq!(door.post_with("/v1/messages", &door.shop.key, &zipped, good.clone()).await.status, 415);
    let large = format!("{good}{}", " ".repeat(1_000_000));
    assert_eq!(door.post("/v1/messages", &door.shop.key, large).await.status, 202);
}

#[tokio::test]
async fn what_is_stated_about_people_is_checked() {
    let door = door().await;
    for (path, body, field) in [
        ("/v1/suppressions", json!({"email": "ada", "scope": "all"}), "email"),
        ("/v1/suppressions", json!({"email": "a@dest.example", "scope": "some"}), "scope"),
        ("/v1/suppressions", json!({"email": "a@dest.example", "scope": "stream:nowhere"}), "scope"),
        ("/v1/suppressions", json!({"email": "a@dest.example", "scope": "all", "reason": "erasure"}), "reason"),
        ("/v1/suppressions", json!({"email": "a@dest.example"}), "scope"),
        ("/v1/consents", json!({"email": "a@dest.example", "stream": "newsletter", "kind": "consent"}), "confirmed"),
        (
            "/v1/consents",
            json!({"email": "a@dest.example", "stream": "x", "kind": "consent", "confirmed": true}),
            "stream",
        ),
        (
            "/v1/consents",
            json!({"email": "a@dest.example", "stream": "newsletter", "kind": "x", "confirmed": true}),
            "kind",
        ),
        ("/v1/consents/withdraw", json!({"email": "a@dest.example", "stream": "newsletter", "all": true}), "all"),
    ] {
        let reply = door.post(path, &door.shop.key, body.to_string()).await;
        assert_eq!((reply.status, reply.json()["field"].as_str()), (400, Some(field)), "{path} {}", reply.text);
        assert!(!reply.text.contains("a@dest"), "{}", reply.text);
    }
}
