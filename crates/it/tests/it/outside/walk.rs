//! The walk of a newcomer: what the demo prints, tried with clients and verifiers that others wrote.

use super::harness::demo::message;
use super::harness::tools::{Said, run, run_python, word};
use super::harness::{Demo, Place, binary};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use testkit::http::HttpAnswer;

const ADA: &str = "ada@dest.example";
/// What swaks ends with when RCPT was refused, and when the login was.
const SWAKS_RECIPIENT_REFUSED: i32 = 24;
const SWAKS_LOGIN_REFUSED: i32 = 28;

struct Walk {
    demo: Demo,
    folder: TempDir,
}

impl Walk {
    async fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { demo: Demo::start(Place::below(folder.path())).await, folder }
    }

    /// swaks with the demo's login. `stream` is what stands behind the login's name.
    async fn swaks(&self, door: &str, stream: &str, to: &str, subject: &str, more: &[&str]) -> Said {
        let server = self.demo.text(&format!("/{door}"));
        let login = format!("{}{stream}", self.demo.text("/smtp/username"));
        let tls = if door == "submission_tls" { "--tls-on-connect" } else { "--tls" };
        let header = format!("Subject: {subject}");
        let mut arguments = vec!["--server", server, tls, "--tls-verify", "--tls-ca-path", self.demo.text("/ca")];
        arguments.extend(["--auth-user", &login, "--auth-password", self.demo.text("/smtp/password")]);
        arguments.extend(["--from", "shop@sample.example", "--to", to, "--header", &header, "--body", "Thank you."]);
        arguments.extend(more);
        run("swaks", &arguments).await
    }

    /// curl to /v1/messages; the answer is the status, a line end, and the body.
    async fn curl(&self, url: &str, key: &str, body: &Value, more: &[&str]) -> Said {
        let url = format!("{}/v1/messages", self.demo.text(url));
        let (key, body) = (format!("Authorization: Bearer {key}"), body.to_string());
        let mut arguments = vec!["-sS", "--max-time", "30", "-o", "-", "-w", "\n%{http_code}", &url, "-H", &key];
        arguments.extend(["-H", "Content-Type: application/json", "-d", &body]);
        arguments.extend(more);
        run("curl", &arguments).await
    }

    /// curl of a whole message in a file, with bare LF at the ends of its lines, to /v1/messages/raw.
    async fn curl_raw(&self, subject: &str) -> Said {
        let file = self.folder.path().join("message.eml");
        let head = format!("From: Shop <shop@sample.example>\nTo: Ada <{ADA}>\nSubject: {subject}\nMIME-Version: 1.0");
        fs::write(&file, format!("{head}\nContent-Type: text/plain; charset=utf-8\n\n.\nZażółć gęślą jaźń.\n\n \n"))
            .unwrap();
        let url = format!("{}/v1/messages/raw?stream=transactional", self.demo.text("/http"));
        let (key, body) =
            (format!("Authorization: Bearer {}", self.demo.text("/api_key")), format!("@{}", word(&file)));
        let mut arguments = vec!["-sS", "--max-time", "30", "-o", "-", "-w", "\n%{http_code}", &url, "-H", &key];
        arguments.extend(["-H", "Content-Type: message/rfc822", "--data-binary", &body]);
        run("curl", &arguments).await
    }

    async fn smtplib(&self, authority: &str, subject: &str) -> Said {
        let demo = &self.demo;
        let (host, port) = demo.text("/submission").rsplit_once(':').unwrap();
        let (name, password) = (demo.text("/smtp/username"), demo.text("/smtp/password"));
        run_python(&["-c", SMTPLIB, host, port, authority, name, password, ADA, subject]).await
    }

    /// Nothing with such a subject is in the mailbox, though a message that was sent after it is there.
    async fn never_arrived(&self, subject: &str) {
        let later = format!("after {subject}");
        self.demo.send(ADA, &later).await;
        self.demo.arrived(&later).await;
        assert!(self.demo.list().await.iter().all(|line| line["subject"] != subject), "{subject:?} arrived");
    }
}

/// As the demo prints it.
const SMTPLIB: &str = r#"
import smtplib, ssl, sys
from email.message import EmailMessage
host, port, authority, name, password, to, subject = sys.argv[1:]
m = EmailMessage(); m["From"] = "shop@sample.example"; m["To"] = to; m["Subject"] = subject
m.set_content("Sent by Python.\n.\n..dots at the beginning of lines\n")
m.add_alternative("<p>From <b>Python</b>, zażółć gęślą jaźń.</p>", subtype="html")
trust = ssl.create_default_context(cafile=authority or None)
s = smtplib.SMTP(host, int(port)); s.starttls(context=trust)
s.login(name, password); s.send_message(m); s.quit()
"#;

fn signed_twice(message: &Value) {
    let verdicts: Vec<_> = message["signatures"].as_array().unwrap().iter().collect();
    let seen: Vec<_> = verdicts.iter().map(|one| (one["algorithm"].as_str(), one["result"].as_str())).collect();
    assert_eq!(seen, [(Some("rsa-sha256"), Some("pass")), (Some("ed25519-sha256"), Some("pass"))], "{message}");
    assert!(verdicts.iter().all(|one| one["domain"] == "sample.example"), "{message}");
}

/// What dkimpy says of each signature of each message in a folder that holds `keys.txt`.
async fn dkimpy(folder: &Path) -> Vec<String> {
    let script = binary::workspace().join("crates/mail/tests/foreign/dkim_dkimpy.py");
    let said = run_python(&[word(&script), word(folder)]).await.good();
    said.lines().map(|line| line.replace('\t', " ")).collect()
}

/// Messages with these subjects have come, each with two signatures that dkimpy finds valid, and broken once the
/// message is changed.
async fn dkimpy_agrees(walk: &Walk, subjects: &[&str]) {
    let demo = &walk.demo;
    // The keys as the sample's domain would publish them.
    let dns = demo.told["dns"].as_array().expect("the demo file has the records of the domain under `dns`");
    let keys: String = dns
        .iter()
        .map(|record| format!("{}\t{}\n", record[0].as_str().unwrap(), record[1].as_str().unwrap()))
        .collect();
    let eyes = walk.folder.path().join("dkimpy");
    fs::create_dir(&eyes).unwrap();
    fs::write(eyes.join("keys.txt"), keys).unwrap();
    let mut expected = Vec::new();
    for (at, subject) in subjects.iter().enumerate() {
        let arrived = demo.arrived(subject).await;
        signed_twice(&arrived);
        assert_eq!(arrived["recipients"], serde_json::json!([ADA]), "{arrived}");
        let raw = demo.mailbox(&format!("/api/messages/{}/raw", arrived["number"])).await;
        fs::write(eyes.join(format!("{at}-as-it-is.eml")), &raw).unwrap();
        // The same with another first letter of its body: dkimpy sees it.
        let body = raw.windows(4).position(|octets| octets == b"\r\n\r\n").unwrap() + 4;
        let mut changed = raw;
        changed[body] ^= 1;
        fs::write(eyes.join(format!("{at}-changed.eml")), changed).unwrap();
        for (kind, verdict) in [("as-it-is", "pass"), ("changed", "fail")] {
            expected.extend((0..2).map(|index| format!("{at}-{kind}.eml {index} {verdict}")));
        }
    }
    assert_eq!(dkimpy(&eyes).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_by_swaks_smtplib_and_curl_arrives_signed_twice_in_the_eyes_of_dkimpy() {
    let walk = Walk::begin().await;
    let demo = &walk.demo;
    walk.swaks("submission", "", ADA, "swaks STARTTLS", &[]).await.good();
    walk.swaks("submission_tls", "", ADA, "swaks TLS", &[]).await.good();
    walk.smtplib(demo.text("/ca"), "smtplib").await.good();
    let curl = message("transactional", ADA, "curl HTTP");
    assert!(walk.curl("/http", demo.text("/api_key"), &curl, &[]).await.good().ends_with("\n202"));
    let curl = message("transactional", ADA, "curl HTTPS");
    let trust = ["--cacert", demo.text("/ca")];
    assert!(walk.curl("/https", demo.text("/api_key"), &curl, &trust).await.good().ends_with("\n202"));
    assert!(walk.curl_raw("curl of a whole message").await.good().ends_with("\n202"));

    let subjects = ["swaks STARTTLS", "swaks TLS", "smtplib", "curl HTTP", "curl HTTPS", "curl of a whole message"];
    dkimpy_agrees(&walk, &subjects).await;
    assert_eq!(demo.arrived("curl of a whole message").await["text"], ".\r\nZażółć gęślą jaźń.\r\n\r\n \r\n");
    let python = demo.arrived("smtplib").await;
    assert_eq!(python["text"], "Sent by Python.\r\n.\r\n..dots at the beginning of lines\r\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_credential_or_authority_sends_nothing() {
    let walk = Walk::begin().await;
    let demo = &walk.demo;
    let refused = walk.swaks("submission", "", ADA, "wrong password", &["--auth-password", "wrong"]).await;
    assert_eq!(refused.code, SWAKS_LOGIN_REFUSED, "{refused:?}");
    let refused = walk.swaks("submission", "+nothing", ADA, "unknown stream", &[]).await;
    assert_eq!(refused.code, SWAKS_LOGIN_REFUSED, "{refused:?}");
    let refused = walk.smtplib("", "system's authorities").await;
    assert!(refused.code == 1 && refused.err.contains("CERTIFICATE_VERIFY_FAILED"), "{refused:?}");
    let mail = message("transactional", ADA, "wrong key");
    let mut wrong = demo.text("/api_key").to_owned();
    let last = if wrong.ends_with('a') { "b" } else { "a" };
    wrong.replace_range(60.., last);
    assert!(walk.curl("/http", &wrong, &mail, &[]).await.good().ends_with("\n401"));
    let refused = walk.curl("/https", demo.text("/api_key"), &mail, &[]).await;
    assert_eq!(refused.code, 60, "curl trusts the demo's authority only when told: {refused:?}");
    for subject in ["wrong password", "unknown stream", "system's authorities", "wrong key"] {
        walk.never_arrived(subject).await;
    }
}

fn refused_by(answer: &HttpAnswer, rule: &str) {
    let problem: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer.status, 422, "{problem}");
    assert_eq!(problem["results"][0]["status"], "refused", "{problem}");
    assert_eq!(problem["results"][0]["rule"], rule, "{problem}");
    assert!(problem["results"][0]["article"].as_str().is_some_and(|article| article.starts_with("GDPR")), "{problem}");
}

/// The reply to RCPT that swaks shows: `<** 550 5.7.1 RULE: …`.
fn refused_at_rcpt(said: &Said, rule: &str) {
    assert_eq!(said.code, SWAKS_RECIPIENT_REFUSED, "{said:?}");
    let reply = said.out.lines().find(|line| line.contains(" 550 5.7.1 ")).unwrap_or_default();
    assert!(reply.starts_with("<~*") || reply.starts_with("<**"), "{said:?}");
    assert!(reply.contains(rule), "{reply} does not name {rule}");
}

#[tokio::test(flavor = "multi_thread")]
async fn art21_a_suppressed_recipient_is_refused_by_the_same_rule_at_both_doors() {
    let walk = Walk::begin().await;
    let to = walk.demo.text("/suppressed").to_owned();
    refused_at_rcpt(&walk.swaks("submission", "", &to, "to the suppressed", &[]).await, "suppressed");
    refused_by(&walk.demo.post(&message("transactional", &to, "to the suppressed")).await, "suppressed");
    walk.never_arrived("to the suppressed").await;
    // It is the recipient: the same to another arrives, by both doors.
    walk.swaks("submission", "", ADA, "by swaks", &[]).await.good();
    walk.demo.send(ADA, "by HTTP").await;
    signed_twice(&walk.demo.arrived("by swaks").await);
    signed_twice(&walk.demo.arrived("by HTTP").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn art7_1_a_newsletter_goes_to_those_who_consented_and_to_nobody_else() {
    let walk = Walk::begin().await;
    let (yes, no) = (walk.demo.text("/consented/1").to_owned(), walk.demo.text("/unconsented/0").to_owned());
    refused_at_rcpt(&walk.swaks("submission", "+newsletter", &no, "news for nobody", &[]).await, "no-basis");
    refused_by(&walk.demo.post(&message("newsletter", &no, "news for nobody")).await, "no-basis");
    walk.never_arrived("news for nobody").await;
    walk.swaks("submission", "+newsletter", &yes, "news by swaks", &[]).await.good();
    assert_eq!(walk.demo.post(&message("newsletter", &yes, "news by HTTP")).await.status, 202);
    signed_twice(&walk.demo.arrived("news by swaks").await);
    signed_twice(&walk.demo.arrived("news by HTTP").await);
    // It is the stream: who did not consent gets his receipt.
    walk.swaks("submission", "", &no, "a receipt", &[]).await.good();
    assert_eq!(walk.demo.arrived("a receipt").await["recipients"], serde_json::json!([no]));
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc8058_marketing_by_swaks_and_curl_carries_its_way_out_signed_in_the_eyes_of_dkimpy() {
    let walk = Walk::begin().await;
    let demo = &walk.demo;
    let own = ["--header", "List-Unsubscribe: <mailto:x@elsewhere.example>", "--header", "Content-Language: de"];
    walk.swaks("submission", "+newsletter", ADA, "news by swaks", &own).await.good();
    let mut mail = message("newsletter", ADA, "news by curl");
    mail["html"] = "<p>Zażółć gęślą jaźń.</p>".into();
    assert!(walk.curl("/http", demo.text("/api_key"), &mail, &[]).await.good().ends_with("\n202"));
    dkimpy_agrees(&walk, &["news by swaks", "news by curl"]).await;
    let page = format!("{}/u/", demo.text("/https"));
    for (subject, unsubscribe) in [("news by swaks", "Abbestellen"), ("news by curl", "Unsubscribe")] {
        let arrived = demo.arrived(subject).await;
        let raw = demo.mailbox(&format!("/api/messages/{}/raw", arrived["number"])).await;
        let raw = String::from_utf8(raw).unwrap();
        let head = raw.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ").replace("\r\n\t", " ");
        for field in ["List-Unsubscribe", "List-Unsubscribe-Post", "List-Id"] {
            assert_eq!(head.matches(&format!("\r\n{field}: ")).count(), 1, "{field}: {head}");
            let signatures = head.split("\r\n").filter(|line| line.starts_with("DKIM-Signature:"));
            let covered = |tag: &str| tag.split(':').any(|name| name.trim().eq_ignore_ascii_case(field));
            let tags = signatures.filter_map(|line| line.split(';').find_map(|tag| tag.trim().strip_prefix("h=")));
            assert_eq!(tags.filter(|tag| covered(tag)).count(), 2, "{field} is not covered: {head}");
        }
        assert!(head.contains(&format!("\r\nList-Unsubscribe: <{page}")), "{head}");
        assert!(!raw.contains("elsewhere.example"), "{raw}");
        let text = arrived["text"].as_str().unwrap();
        assert!(text.contains(&format!("\r\n{unsubscribe}: {page}")), "{text}");
    }
    let html = demo.arrived("news by curl").await["html"].to_string();
    assert!(html.contains("Zażółć") && html.contains("Unsubscribe</a>"), "{html}");
    // Twin: a receipt has none of it.
    demo.send(ADA, "a receipt").await;
    let receipt = demo.arrived("a receipt").await;
    let raw = demo.mailbox(&format!("/api/messages/{}/raw", receipt["number"])).await;
    assert!(!String::from_utf8(raw).unwrap().contains("List-"), "{receipt}");
}
