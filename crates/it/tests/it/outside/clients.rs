//! Clients that others wrote, by each way to log in that they know, and with addresses outside ASCII.

use super::harness::tools::{Said, run, run_python, word};
use super::harness::{Demo, Place};
use std::fs;
use tempfile::TempDir;

const ADA: &str = "ada@dest.example";
const PERSON: &str = "jörg@dest.example";
/// RFC 6531 by Python: the library asks for SMTPUTF8 when an address needs it and the server offers it.
const SMTPUTF8: &str = r#"
import smtplib, ssl, sys
from email.message import EmailMessage
from email.policy import SMTPUTF8
host, port, authority, name, password, to, subject = sys.argv[1:]
m = EmailMessage(policy=SMTPUTF8); m["From"] = "Läden <shop@sample.example>"; m["To"] = f"Jörg <{to}>"
m["Subject"] = subject
m.set_content("Grüße\n.\n..zwei\n", cte="8bit")
s = smtplib.SMTP(host, int(port)); s.starttls(context=ssl.create_default_context(cafile=authority))
s.ehlo(); assert s.has_extn("smtputf8") and s.has_extn("8bitmime"), s.esmtp_features
s.user, s.password = name, password
s.auth("LOGIN", s.auth_login); s.send_message(m); s.quit()
"#;

struct Clients {
    demo: Demo,
    folder: TempDir,
}

impl Clients {
    async fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { demo: Demo::start(Place::below(folder.path())).await, folder }
    }

    /// msmtp, whose input is the message.
    async fn msmtp(&self, door: &str, method: &str, password: &str, subject: &str, more: &[&str]) -> Said {
        let letter = self.folder.path().join("letter");
        let text = format!("From: shop@sample.example\r\nTo: {ADA}\r\nSubject: {subject}\r\n\r\nThank you.\r\n");
        fs::write(&letter, text).unwrap();
        let (host, port) = self.demo.text(&format!("/{door}")).rsplit_once(':').unwrap();
        let starttls = if door == "submission" { "on" } else { "off" };
        let settings = [
            format!("--host={host}"),
            format!("--port={port}"),
            "--tls=on".to_owned(),
            format!("--tls-starttls={starttls}"),
            format!("--tls-trust-file={}", self.demo.text("/ca")),
            format!("--auth={method}"),
            format!("--user={}", self.demo.text("/smtp/username")),
            format!("--passwordeval=echo '{password}'"),
            "--from=shop@sample.example".to_owned(),
        ];
        let mut arguments = vec!["-c", r#"exec msmtp "$@" < "$0""#, word(&letter)];
        arguments.extend(settings.iter().map(String::as_str));
        arguments.extend(more);
        arguments.extend(["--", ADA]);
        run("sh", &arguments).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn msmtp_logs_in_by_plain_login_and_scram_over_starttls_and_over_tls() {
    let clients = Clients::begin().await;
    let password = clients.demo.text("/smtp/password").to_owned();
    for door in ["submission", "submission_tls"] {
        for method in ["plain", "login", "scram-sha-256"] {
            let subject = format!("msmtp {door} {method}");
            clients.msmtp(door, method, &password, &subject, &[]).await.good();
            assert_eq!(clients.demo.arrived(&subject).await["recipients"], serde_json::json!([ADA]));
        }
    }
    // RFC 3461, as this client asks for it.
    let asked = ["--dsn-notify=failure,delay", "--dsn-return=headers"];
    clients.msmtp("submission", "scram-sha-256", &password, "msmtp asks", &asked).await.good();
    clients.demo.arrived("msmtp asks").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twin_msmtp_with_a_wrong_password_is_refused_by_each_way() {
    let clients = Clients::begin().await;
    for method in ["plain", "login", "scram-sha-256"] {
        let refused = clients.msmtp("submission", method, "wrong", "wrong", &[]).await;
        assert!(refused.code != 0 && refused.err.contains("authentication failed"), "{method} {refused:?}");
    }
    clients.demo.send(ADA, "afterwards").await;
    clients.demo.arrived("afterwards").await;
    assert!(clients.demo.list().await.iter().all(|line| line["subject"] != "wrong"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc6531_smtplib_sends_to_an_address_outside_ascii_and_it_arrives_signed() {
    let clients = Clients::begin().await;
    let demo = &clients.demo;
    let (host, port) = demo.text("/submission").rsplit_once(':').unwrap();
    let (name, password) = (demo.text("/smtp/username"), demo.text("/smtp/password"));
    let subject = "smtplib in UTF-8";
    run_python(&["-c", SMTPUTF8, host, port, demo.text("/ca"), name, password, PERSON, subject]).await.good();
    let arrived = demo.arrived(subject).await;
    assert_eq!(arrived["recipients"], serde_json::json!([PERSON]), "{arrived}");
    assert_eq!(arrived["text"], "Grüße\r\n.\r\n..zwei\r\n", "{arrived}");
    let results: Vec<_> = arrived["signatures"].as_array().unwrap().iter().map(|one| &one["result"]).collect();
    assert_eq!(results, ["pass", "pass"], "{arrived}");
}

#[tokio::test(flavor = "multi_thread")]
async fn swaks_logs_in_by_login_and_is_told_what_eight_bits_need() {
    let clients = Clients::begin().await;
    let demo = &clients.demo;
    let common = |to: &'static str| {
        let mut arguments = vec!["--server", demo.text("/submission"), "--tls", "--auth", "LOGIN"];
        arguments.extend(["--auth-user", demo.text("/smtp/username"), "--auth-password", demo.text("/smtp/password")]);
        arguments.extend(["--from", "shop@sample.example", "--to", to, "--body", "Thank you."]);
        arguments
    };
    let mut arguments = common(ADA);
    arguments.extend(["--header", "Subject: swaks LOGIN"]);
    run("swaks", &arguments).await.good();
    demo.arrived("swaks LOGIN").await;
    // It knows no SMTPUTF8, and says nothing of it: then such an address is refused, and with it the message.
    let refused = run("swaks", &common(PERSON)).await;
    assert!(refused.code == 24 && refused.out.contains("553 5.6.7"), "{refused:?}");
}
