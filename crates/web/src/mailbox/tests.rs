//! The mailbox over a list of messages in memory, with hostile mail in it.

use super::*;
use axum::body::Body;
use http_body_util::BodyExt;
use parking_lot::Mutex;
use serde_json::Value;
use tower::ServiceExt;

use crate::tests::golden;

#[derive(Default)]
struct Kept(Mutex<Vec<Arc<Arrived>>>);

impl Mailbox for Kept {
    fn list(&self) -> Vec<Summary> {
        self.0.lock().iter().rev().map(|arrived| Summary::of(arrived)).collect()
    }
    fn get(&self, number: u64) -> Option<Arc<Arrived>> {
        self.0.lock().iter().find(|arrived| arrived.number == number).cloned()
    }
    fn clear(&self) {
        self.0.lock().clear();
    }
}

const RECEIPT: &str = "From: Shop <shop@sample.example>\r\nTo: Ada <ada@dest.example>\r\n\
    Subject: =?utf-8?q?Caf=C3=A9?= <script>alert(1)</script>\r\nDate: Sun, 1 Mar 2026 12:00:00 +0000\r\n\
    Message-ID: <a@sample.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n\
    --m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n\
    --a\r\nContent-Type: text/plain\r\n\r\nHello </pre><script>alert(2)</script>\r\n\
    --a\r\nContent-Type: text/html\r\n\r\n<p onclick=\"alert(3)\">Hello</p><script>alert(4)</script>\r\n--a--\r\n\
    --m\r\nContent-Type: text/csv; name=\"a.csv\"\r\nContent-Disposition: attachment; filename=\"a.csv\"\r\n\r\n\
    1,2\r\n--m--\r\n";

fn arrived(number: u64, raw: &str) -> Arc<Arrived> {
    let verdict = |algorithm: &str, passed, reason: Option<&str>| SignatureVerdict {
        domain: "sample.example".to_owned(),
        selector: "s1".to_owned(),
        algorithm: algorithm.to_owned(),
        passed,
        reason: reason.map(str::to_owned),
    };
    Arc::new(Arrived {
        number,
        at: Timestamp::from_seconds(1_772_366_400),
        reverse_path: "bounce@sample.example".to_owned(),
        recipients: vec!["ada@dest.example".to_owned()],
        raw: Bytes::copy_from_slice(raw.as_bytes()),
        verdicts: vec![
            verdict("rsa-sha256", Passed::Yes, None),
            verdict("ed25519-sha256", Passed::No, Some("the body has been changed")),
        ],
        tls: Some("TLSv1.3".to_owned()),
    })
}

fn mailbox() -> (Arc<Kept>, Router) {
    let kept = Arc::new(Kept::default());
    kept.0.lock().push(arrived(1, RECEIPT));
    kept.0.lock().push(arrived(2, "no header at all"));
    (Arc::clone(&kept), router(kept))
}

async fn ask(router: &Router, method: &str, path: &str, fields: &[(&str, &str)]) -> (u16, HeaderMap, String) {
    let mut request = http::Request::builder().method(method).uri(path).header("host", "127.0.0.1:8031");
    for (name, value) in fields {
        if *name == "host" {
            request.headers_mut().unwrap().remove("host");
        }
        request = request.header(*name, *value);
    }
    let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let octets = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), parts.headers, String::from_utf8_lossy(&octets).into_owned())
}

#[tokio::test]
async fn the_list_shows_the_newest_first_and_escapes() {
    let (_, router) = mailbox();
    let (status, fields, text) = ask(&router, "GET", "/", &[]).await;
    assert_eq!(status, 200);
    assert!(text.find("/messages/2").unwrap() < text.find("/messages/1").unwrap());
    assert!(text.contains("Café") && !text.contains("<script"));
    assert!(fields["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    assert_eq!(fields["x-content-type-options"], "nosniff");
    assert_eq!(fields["referrer-policy"], "no-referrer");
}

#[tokio::test]
async fn every_view_of_every_message_is_shown_and_no_script_comes_through() {
    let (_, router) = mailbox();
    for number in [1, 2] {
        for view in ["", "?show=html", "?show=text", "?show=headers", "?show=source", "?show=signatures"] {
            let (status, _, text) = ask(&router, "GET", &format!("/messages/{number}{view}"), &[]).await;
            assert_eq!(status, 200, "{number}{view}");
            assert!(!text.contains("<script") && !text.contains("<p onclick"), "{number}{view}");
        }
    }
    let (_, _, text) = ask(&router, "GET", "/messages/1?show=signatures", &[]).await;
    assert!(text.contains("ed25519-sha256") && text.contains("the body has been changed"));
    let (_, _, text) = ask(&router, "GET", "/messages/1?show=source", &[]).await;
    assert!(text.contains("Message-ID: &#60;a@sample.example&#62;"), "{text}");
    let (_, _, text) = ask(&router, "GET", "/messages/1", &[]).await;
    assert!(text.contains("<iframe sandbox=\"\" src=\"/messages/1/frame\""), "HTML first, and only in its frame");
    assert_eq!(ask(&router, "GET", "/messages/3", &[]).await.0, 404);
    assert_eq!(ask(&router, "GET", "/messages/1?show=secret", &[]).await.0, 400);
}

#[tokio::test]
async fn the_frame_can_do_nothing() {
    let (_, router) = mailbox();
    let (status, fields, text) = ask(&router, "GET", "/messages/1/frame", &[]).await;
    assert_eq!(status, 200);
    assert!(text.contains("<script>alert(4)"), "the HTML as it came; the policy is what binds it");
    let policy = fields["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"), "{policy}");
    assert!(!policy.contains("allow-") && fields.get_all("content-security-policy").iter().count() == 1);
    assert_eq!(ask(&router, "GET", "/messages/2/frame", &[]).await.0, 404);
}

#[tokio::test]
async fn the_same_as_json() {
    let (_, router) = mailbox();
    let (_, _, list) = ask(&router, "GET", "/api/messages", &[]).await;
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!((&list["messages"][1]["number"], &list["messages"][1]["dkim"]), (&1.into(), &"fail".into()));
    let (_, _, one) = ask(&router, "GET", "/api/messages/1", &[]).await;
    golden("mailbox-message.json", &serde_json::from_str::<Value>(&one).unwrap());
    let (status, fields, raw) = ask(&router, "GET", "/api/messages/1/raw", &[]).await;
    assert_eq!((status, raw.as_str()), (200, RECEIPT));
    assert!(fields["content-disposition"].to_str().unwrap().starts_with("attachment"));
    assert_eq!(ask(&router, "GET", "/api/messages/9", &[]).await.0, 404);
}

#[tokio::test]
async fn it_is_emptied_by_its_own_button_and_not_by_other_sites() {
    for (method, path, status) in [("DELETE", "/api/messages", 204), ("POST", "/clear", 303)] {
        let (kept, router) = mailbox();
        assert_eq!(ask(&router, method, path, &[("sec-fetch-site", "cross-site")]).await.0, 404);
        assert_eq!(kept.list().len(), 2, "another site cannot");
        assert_eq!(ask(&router, method, path, &[("sec-fetch-site", "same-origin")]).await.0, status);
        assert_eq!(kept.list().len(), 0);
    }
}

#[tokio::test]
async fn a_strangers_name_for_this_machine_opens_nothing() {
    let (_, router) = mailbox();
    for (host, status) in [
        ("localhost:8031", 200),
        ("[::1]:8031", 200),
        ("127.0.0.1", 200),
        ("evil.example:8031", 404),
        ("127.0.0.1.evil.example", 404),
    ] {
        assert_eq!(ask(&router, "GET", "/api/messages", &[("host", host)]).await.0, status, "{host}");
    }
}

#[tokio::test]
async fn a_long_list_is_cut_on_the_page_and_says_so() {
    let (kept, router) = mailbox();
    assert!(!ask(&router, "GET", "/", &[]).await.2.contains("are shown"));
    kept.0.lock().extend((3..=600).map(|number| arrived(number, "Subject: one of many\r\n\r\n")));
    let (_, _, text) = ask(&router, "GET", "/", &[]).await;
    assert!(text.contains("600 in the mailbox, newest first; the newest 500 are shown."));
    assert!(text.contains("/messages/600\"") && !text.contains("/messages/100\""));
    assert!(ask(&router, "GET", "/api/messages", &[]).await.2.contains("\"number\":1,"));
}

#[test]
fn one_bad_signature_is_seen_in_the_whole() {
    let one = |passed| SignatureVerdict {
        domain: String::new(),
        selector: String::new(),
        algorithm: String::new(),
        passed,
        reason: None,
    };
    assert_eq!(together(&[]), None);
    assert_eq!(together(&[one(Passed::Yes), one(Passed::Yes)]), Some(Passed::Yes));
    assert_eq!(together(&[one(Passed::Unknown), one(Passed::Yes)]), Some(Passed::Unknown));
    assert_eq!(together(&[one(Passed::Unknown), one(Passed::No)]), Some(Passed::No));
}

#[test]
fn what_is_listed_of_a_message_is_bounded() {
    let raw = format!("From: {0}@sample.example\r\nSubject: {0}\r\n\r\nx\r\n", "s".repeat(100_000));
    let summary = Summary::of(&arrived(3, &raw));
    assert_eq!(summary.subject.chars().count(), SUMMARY_CHARACTERS_MAX + 1);
    assert!(summary.subject.ends_with('\u{2026}') && summary.from.chars().count() <= SUMMARY_CHARACTERS_MAX + 1);
    assert_eq!(Summary::of(&arrived(1, RECEIPT)).to, "ada@dest.example", "the usual is whole");
}
