//! What is malformed, too much or cut off leaves nothing behind, and the node goes on.

use super::house::{ADA, BOB, House, bearer, content, json_of, letter};
use mail::server::{BareNewlines, Limits};
use smtpd::Kind;
use std::path::{Path, PathBuf};
use testkit::dialogue::{Dialogue, Scene};
use testkit::smtp::SmtpClient;
use testkit::wait::breathe;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Limits for which the dialogues are written.
fn limits() -> Limits {
    Limits { message_octets_max: 100_000, recipients_max: 100, ..Limits::default() }
}

/// Dialogues that need the scripted door of `crates/smtpd`: senders and recipients refused by name, and contents that
/// are no messages.
const SCRIPTED: [&str; 26] = [
    "bdat",
    "bdat-bare-newline",
    "bdat-pipelined",
    "bdat-size-exceeded",
    "dot-in-pieces",
    "dot-stuffing",
    "eight-bit",
    "implicit-tls",
    "long-text-line",
    "null-reverse-path",
    "pipelining-all-refused",
    "pipelining-order",
    "quit-within-data-is-content",
    "refused-at-end-of-data",
    "refused-recipient-then-good",
    "refused-sender",
    "size-exceeded",
    "smuggling-normalised",
    "starttls-and-auth",
    "starttls-not-offered",
    "starttls-transaction-is-gone",
    "too-many-recipients",
    "trusted-has-no-auth",
    "rset",
    "smuggling-crlf-dot-lf",
    "smtputf8",
];

fn dialogues() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/dialogues");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "smtp"));
    files.sort();
    files
}

async fn hold(house: &House, path: &Path) -> Result<(), String> {
    let dialogue = Dialogue::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    let kind = match dialogue.listener.as_str() {
        "submission" => Kind::Submission,
        "tls" => Kind::SubmissionTls,
        _ => Kind::Trusted,
    };
    let listener = house
        .listen(kind, |settings| {
            if dialogue.listener == "trusted" {
                settings.tls = Some(house.ca.server(&["localhost"]));
            }
            for (name, value) in &dialogue.settings {
                match name.as_str() {
                    "message_octets_max" => settings.limits.message_octets_max = value.parse().unwrap(),
                    "errors_max" => settings.limits.errors_max = value.parse().unwrap(),
                    "bare_newlines" => settings.bare_newlines = BareNewlines::Normalise,
                    other => panic!("no setting {other}"),
                }
            }
        })
        .await;
    let scene = Scene {
        peer: listener.local_addr(),
        implicit_tls: kind == Kind::SubmissionTls,
        tls: ("localhost", house.ca.client()),
        credential: (&house.shop.username, &house.shop.password),
        taken: None,
    };
    dialogue.run(&scene).await
}

/// The node takes and delivers a message at every door, and nothing else waits.
async fn is_well(house: &House, delivered_before: usize) {
    let shop = &house.shop;
    house.until_empty().await;
    assert_eq!(house.mx.received().len(), delivered_before, "nothing of it was taken in");
    assert_eq!(house.dir.bodies(), 0, "no body is left over");
    house.by_smtp(shop, None, &shop.from, ADA).await.id();
    house.by_http(shop, None, &shop.from, ADA).await.id();
    house.by_trust(&shop.from, ADA).await.id();
    assert_eq!(house.mx.wait_for(delivered_before + 3).await.len(), delivered_before + 3);
    house.until_empty().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dialogues_go_as_written_against_a_whole_node() {
    let house = House::built(|plan| plan.limits = limits()).await;
    let (mut held, mut faults) = (0, Vec::new());
    for path in dialogues() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if SCRIPTED.contains(&name.as_str()) {
            continue;
        }
        held += 1;
        if let Err(fault) = hold(&house, &path).await {
            faults.push(format!("{name}: {fault}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(held >= 20, "only {held} dialogues");
    is_well(&house, 0).await;
}

#[tokio::test]
async fn rfc5321_4_5_3_1_too_many_recipients_are_refused_one_by_one_and_the_others_served() {
    let house = House::built(|plan| plan.limits = limits()).await;
    let shop = &house.shop;
    let mut client = house.session(&shop.username, &shop.password).await.unwrap();
    assert_eq!(client.command(&format!("MAIL FROM:<{}>", shop.from)).await.unwrap().code, 250);
    let mut codes = Vec::new();
    for number in 0..102 {
        codes.push(client.command(&format!("RCPT TO:<r{number}@dest.example>")).await.unwrap().code);
    }
    assert_eq!(codes.iter().filter(|code| **code == 250).count(), 100);
    assert_eq!(codes.get(100..), Some([452, 452].as_slice()), "RFC 5321 §4.5.3.1.10: 452, and not for good");
    assert_eq!(client.data(&content(&shop.from, ADA)).await.unwrap().code, 250);
    assert_eq!(house.mx.wait_for(100).await.len(), 100);
    let many: Vec<String> = (0..1_001).map(|number| format!("r{number}@dest.example")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let answer = house.post(shop, "/v1/messages", &letter(None, &shop.from, &many)).await;
    assert_eq!(answer.status, 400);
    assert!(json_of(&answer)["detail"].as_str().unwrap().contains("1000"), "{}", answer.text());
    is_well(&house, 100).await;
}

#[tokio::test]
async fn rfc1870_an_oversize_message_is_refused_when_declared_and_when_it_comes() {
    let house = House::built(|plan| plan.limits = limits()).await;
    let shop = &house.shop;
    let mut client = house.session(&shop.username, &shop.password).await.unwrap();
    let declared = client.command(&format!("MAIL FROM:<{}> SIZE=100001", shop.from)).await.unwrap();
    assert_eq!(declared.code, 552);
    let mut long = content(&shop.from, ADA);
    long.extend(b"a line\r\n".repeat(20_000));
    let reply = client.send(&shop.from, &[ADA], &long).await.unwrap();
    assert_eq!((reply.code, reply.enhanced.map(|code| code.to_string())), (552, Some("5.3.4".to_owned())));
    // Twin: the session goes on, and a message within the limit is taken.
    assert_eq!(client.send(&shop.from, &[ADA], &content(&shop.from, ADA)).await.unwrap().code, 250);
    house.mx.wait_for(1).await;
    is_well(&house, 1).await;
}

#[tokio::test]
async fn rfc5321_6_1_clients_that_go_away_leave_nothing() {
    let house = House::new().await;
    let shop = &house.shop;
    let rcpt = format!("MAIL FROM:<{}>\r\nRCPT TO:<{ADA}>\r\n", shop.from);
    for sent in [
        rcpt.clone(),
        format!("{rcpt}DATA\r\n"),
        format!("{rcpt}DATA\r\nFrom: <{}>\r\nSubject: half", shop.from),
        format!("{rcpt}DATA\r\nFrom: <{}>\r\nSubject: x\r\n\r\nalmost\r\n.\r", shop.from),
        format!("{rcpt}DATA\r\nFrom: <{}>\r\n\r\n{}", shop.from, "a long line of it\r\n".repeat(50_000)),
    ] {
        let mut client = house.session(&shop.username, &shop.password).await.unwrap();
        client.raw(sent.as_bytes()).await.unwrap();
        client.reply().await.unwrap();
        drop(client);
    }
    let mut half = TcpStream::connect(house.http_at).await.unwrap();
    let head = format!("POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\n", bearer(shop));
    let body = letter(None, &shop.from, &[ADA]).to_string();
    let request =
        format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", body.len(), &body[..20]);
    half.write_all(request.as_bytes()).await.unwrap();
    drop(half);
    is_well(&house, 0).await;
}

#[tokio::test]
async fn http_garbage_is_answered_and_nothing_is_kept() {
    let house = House::new().await;
    let peer = house.http_at;
    let field = "x".repeat(300_000);
    for octets in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"EHLO client.example\r\nMAIL FROM:<a@b.example>\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec(),
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_vec(),
        format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {field}\r\n\r\n").into_bytes(),
        vec![0; 4_096],
    ] {
        let mut stream = TcpStream::connect(peer).await.unwrap();
        // The server may have gone before it has read all of it.
        let _ = stream.write_all(&octets).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let read = testkit::within("the end of the connection", stream.read_to_end(&mut answer)).await;
        let text = String::from_utf8_lossy(&answer);
        let refused = text.starts_with("HTTP/1.1 4") || text.starts_with("HTTP/1.1 5");
        assert!(read.is_err() || answer.is_empty() || refused, "{:?}: {text}", octets.get(..20));
    }
    for (json, status) in [
        ("", 400),
        ("[]", 400),
        ("{}", 400),
        ("null", 400),
        ("\u{feff}{}", 400),
        ("{\"to\": [[[[", 400),
        (r#"{"from": {"email": "shop@shop.example"}, "to": [], "subject": "x", "text": "x"}"#, 400),
        (r#"{"messages": []}"#, 400),
        (r#"{"messages": [{"from": 1}]}"#, 400),
    ] {
        let answer = house.http.post_json("/v1/messages", &[("Authorization", &bearer(&house.shop))], json).await;
        let answer = answer.unwrap();
        assert_eq!((answer.status, json_of(&answer)["rule"].as_str()), (status, Some("malformed")), "{json}");
    }
    let deep = format!("{{\"from\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let authorization = bearer(&house.shop);
    let answer = house.http.post_json("/v1/messages", &[("Authorization", &authorization)], &deep).await.unwrap();
    assert_eq!(answer.status, 400);
    let unknown = letter(None, &house.shop.from, &[ADA]).to_string().replacen("\"subject\"", "\"subjekt\"", 1);
    let answer = house.http.post_json("/v1/messages", &[("Authorization", &authorization)], &unknown).await.unwrap();
    assert_eq!(answer.status, 400);
    assert!(json_of(&answer)["detail"].as_str().unwrap().contains("subjekt"), "the field is named");
    is_well(&house, 0).await;
}

#[tokio::test]
async fn a_batch_with_one_fault_keeps_nothing_of_the_others() {
    let house = House::new().await;
    let good = letter(None, &house.shop.from, &[ADA]);
    let mut bad = letter(None, &house.shop.from, &[BOB]);
    bad["subject"] = "two\r\nlines".into();
    let answer = house.post(&house.shop, "/v1/messages", &serde_json::json!({"messages": [good, bad]})).await;
    assert_eq!((answer.status, json_of(&answer)["field"].as_str()), (400, Some("messages[1].subject")));
    is_well(&house, 0).await;
}

#[tokio::test]
async fn rfc4954_9_passwords_cannot_be_tried_at_speed() {
    let house = House::new().await;
    let shop = &house.shop;
    let mut codes = Vec::new();
    for _ in 0..6 {
        codes.push(house.session(&shop.username, "wrong").await.err().unwrap().code);
    }
    assert_eq!(codes, [535, 535, 535, 535, 421, 421]);
    assert_eq!(house.session(&shop.username, &shop.password).await.err().unwrap().code, 421, "not even the good one");
    house.clock.advance(super::house::MINUTE);
    assert!(house.session(&shop.username, &shop.password).await.is_ok());
}

#[tokio::test]
async fn connections_beyond_the_limit_are_told_to_come_back() {
    let house = House::built(|plan| plan.connections.network_max = 3).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let (client, greeting) = SmtpClient::connect(house.submission).await.unwrap();
        assert_eq!(greeting.code, 220);
        open.push(client);
    }
    let (_, greeting) = SmtpClient::connect(house.submission).await.unwrap();
    assert_eq!(greeting.code, 421);
    open.clear();
    testkit::within("room", async {
        loop {
            let (_client, greeting) = SmtpClient::connect(house.submission).await.unwrap();
            if greeting.code == 220 {
                return;
            }
            breathe().await;
        }
    })
    .await;
}
