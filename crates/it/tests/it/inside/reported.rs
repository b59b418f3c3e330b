//! Reports on TLS (RFC 8460) that other mail systems send about a controller's domains: through the inbound door's
//! socket, signed and not, to what the API shows of them.

use super::house::{House, Tenant, json_of};
use crate::outside::harness::tools::{run_python, word};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use mail::dkim::{Signer, SigningKey, sign};
use mail::reply::ReceivedReply;
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;
use testkit::smtp::SmtpClient;

const DOCUMENT: &str = include_str!("../../../../../tests/tls-reports/report.json");
const PLACE: &str = "tls-reports@bounce.shop.example";
const OF_THE_NAME: &str = "/v1/domains/bounce.shop.example/tls-reports";
const DAY: Duration = Duration::from_secs(86_400);

/// A system that reports, and what it publishes.
struct Reporter {
    domain: &'static str,
    signer: Signer,
}

impl Reporter {
    /// Its key is for this use (RFC 6376 §3.6.1).
    fn new(house: &House, domain: &'static str, used_for: &str) -> Self {
        let key = Arc::new(SigningKey::generate_ed25519().unwrap());
        let record = key.public_dns_value().unwrap().replacen("v=DKIM1;", &format!("v=DKIM1; s={used_for};"), 1);
        house.dns.txt(&format!("r1._domainkey.{domain}"), &record);
        Self { domain, signer: Signer::new(domain, "r1", key).unwrap() }
    }

    /// Signs what somebody at `author` wrote.
    fn signed(&self, author: &str, document: &[u8]) -> Vec<u8> {
        let (head, body) = message(author, document);
        let field = sign(head.as_bytes(), body.as_bytes(), std::slice::from_ref(&self.signer), 1_800_010_000, None);
        [field.unwrap(), head.into_bytes(), body.into_bytes()].concat()
    }
}

/// Header block with its blank line, and body.
fn message(author: &str, document: &[u8]) -> (String, String) {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(document).unwrap();
    let text = STANDARD.encode(packed.finish().unwrap());
    let lines: Vec<&str> = text.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let head = format!(
        "From: <noreply@{author}>\r\nTo: <{PLACE}>\r\nSubject: Report Domain: bounce.shop.example\r\n\
         Date: Fri, 15 Jan 2027 03:00:00 +0000\r\nTLS-Report-Domain: bounce.shop.example\r\n\
         TLS-Report-Submitter: {author}\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=\"tlsrpt\"; boundary=\"b\"\r\n\r\n"
    );
    let body = format!(
        "--b\r\nContent-Type: text/plain\r\n\r\nA report.\r\n--b\r\nContent-Type: application/tlsrpt+gzip\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}\r\n--b--\r\n",
        lines.join("\r\n")
    );
    (head, body)
}

/// The committed document, with something else in places.
fn with(changes: &[(&str, Value)]) -> Vec<u8> {
    let mut document: Value = serde_json::from_str(DOCUMENT).unwrap();
    for (pointer, value) in changes {
        *document.pointer_mut(pointer).unwrap() = value.clone();
    }
    document.to_string().into_bytes()
}

async fn bring(house: &House, to: &str, content: &[u8]) -> ReceivedReply {
    let (mut client, _) = SmtpClient::connect(house.desk.inbound).await.unwrap();
    assert!(client.command("EHLO mx.mail.example").await.unwrap().is_positive());
    client.send("noreply@mail.example", &[to], content).await.unwrap()
}

async fn taken(house: &House, content: &[u8]) {
    let reply = bring(house, PLACE, content).await;
    assert_eq!(reply.code, 250, "{}", reply.text);
}

/// What is shown to a controller; the answer's status when it is no list.
async fn shown(house: &House, who: &Tenant, path: &str) -> Result<Vec<Value>, u16> {
    let answer = house.get(who, path).await;
    if answer.status != 200 {
        return Err(answer.status);
    }
    Ok(json_of(&answer)["reports"].as_array().unwrap().clone())
}

async fn rows(house: &House) -> Vec<Value> {
    shown(house, &house.shop, OF_THE_NAME).await.unwrap()
}

#[tokio::test]
async fn rfc8460_3_a_signed_report_is_shown_once_to_the_controller_whose_domain_it_is_about() {
    let house = House::new().await;
    let other = house.admit("other", "other.example").await;
    assert_eq!(rows(&house).await, Vec::<Value>::new());
    // A key for such reports alone, and an author below the domain that signs.
    let reporter = Reporter::new(&house, "mail.example", "tlsrpt");
    let report = reporter.signed("reports.mail.example", DOCUMENT.as_bytes());
    taken(&house, &report).await;
    let row = |policy: &str, result: &str, sessions: u64| {
        json!({"day": "2027-01-14", "domain": "bounce.shop.example", "submitter": "mail.example",
            "policy": policy, "result": result, "sessions": sessions})
    };
    let expected = [
        row("sts", "successful", 5_326),
        row("sts", "certificate-expired", 100),
        row("sts", "other", 3),
        row("sts", "starttls-not-supported", 200),
        row("tlsa", "successful", 0),
    ];
    assert_eq!(rows(&house).await, expected);
    // RFC 8460 §5.3: what comes twice counts once, packed anew or changed meanwhile.
    taken(&house, &report).await;
    let count = ("/policies/0/summary/total-successful-session-count", json!(9_999));
    taken(&house, &reporter.signed("mail.example", &with(std::slice::from_ref(&count)))).await;
    assert_eq!(rows(&house).await, expected);
    // Twins: another report of that day adds up, another system's id is its own, and a day after comes first.
    taken(&house, &reporter.signed("mail.example", &with(&[("/report-id", json!("second"))]))).await;
    assert_eq!(rows(&house).await[0]["sessions"], 2 * 5_326);
    let second = Reporter::new(&house, "second.example", "email");
    taken(&house, &second.signed("second.example", DOCUMENT.as_bytes())).await;
    let found = rows(&house).await;
    assert_eq!((found.len(), &found[5]["submitter"]), (10, &json!("second.example")));
    let next = [("/report-id", json!("next")), ("/date-range/start-datetime", json!("2027-01-15T00:00:00Z"))];
    taken(&house, &second.signed("second.example", &with(&next))).await;
    assert_eq!(rows(&house).await[0]["day"], "2027-01-15");
    // With the domain, too; to nobody else, and nothing that names a host or an address.
    let of_domain = shown(&house, &house.shop, "/v1/domains/SHOP.example/tls-reports").await.unwrap();
    assert_eq!(of_domain, rows(&house).await);
    assert!(!json!(of_domain).to_string().contains("mx.node.example"));
    for name in ["bounce.shop.example", "shop.example", "never.example", "not a name", "x"] {
        let path = format!("/v1/domains/{}/tls-reports", name.replace(' ', "%20"));
        assert_eq!(shown(&house, &other, &path).await, Err(404), "{name}");
    }
    assert_eq!(shown(&house, &other, "/v1/domains/bounce.other.example/tls-reports").await, Ok(Vec::new()));
}

#[tokio::test]
async fn rfc8460_3_who_did_not_sign_is_not_believed() {
    let house = House::new().await;
    let good = Reporter::new(&house, "mail.example", "*");
    let evil = Reporter::new(&house, "evil.example", "*");
    let below = Reporter::new(&house, "evil.mail.example", "*");
    let of_others = Reporter::new(&house, "chat.example", "chat");
    let (head, body) = message("mail.example", DOCUMENT.as_bytes());
    let unsigned = [head.as_bytes(), body.as_bytes()].concat();
    let signed = good.signed("mail.example", DOCUMENT.as_bytes());
    let changed = String::from_utf8(signed.clone()).unwrap();
    let changed = changed.replacen("A report.", "A report!", 1).into_bytes();
    let again = String::from_utf8(signed.clone()).unwrap();
    let two_authors = format!("From: <a@evil.example>\r\n{again}").into_bytes();
    for (what, content) in [
        ("unsigned", unsigned),
        ("signed by another", evil.signed("mail.example", DOCUMENT.as_bytes())),
        ("signed by one below", below.signed("mail.example", DOCUMENT.as_bytes())),
        ("by a key that is not for mail", of_others.signed("chat.example", DOCUMENT.as_bytes())),
        ("changed on its way", changed),
        ("with two authors", two_authors),
    ] {
        taken(&house, &content).await;
        assert_eq!(rows(&house).await, Vec::<Value>::new(), "{what}");
    }
    // While the key cannot be had, it is to be brought again; whoever cannot count costs no question.
    let asked =
        |house: &House, domain| house.dns.queries(&format!("r1._domainkey.{domain}"), testkit::dns::RecordType::Txt);
    assert_eq!((asked(&house, "evil.example"), asked(&house, "evil.mail.example")), (0, 0));
    let key = format!("r1._domainkey.{}", good.domain);
    let away = House::new().await;
    away.dns.servfail(&key);
    assert_eq!(bring(&away, PLACE, &signed).await.code, 451);
    // The twin.
    taken(&house, &signed).await;
    assert_eq!(rows(&house).await.len(), 5);
}

#[tokio::test]
async fn rfc8460_what_is_of_others_too_large_or_of_another_time_is_not_kept() {
    let house = House::new().await;
    let other = house.admit("other", "other.example").await;
    let reporter = Reporter::new(&house, "mail.example", "*");
    let domain = "/policies/0/policy/policy-domain";
    let both = |name: &str| with(&[(domain, json!(name)), ("/policies/1/policy/policy-domain", json!(name))]);
    let start = |day: &str| with(&[("/date-range/start-datetime", json!(format!("{day}T00:00:00Z")))]);
    let mut bomb = DOCUMENT.as_bytes().to_vec();
    bomb.resize(64 * 1024 * 1024, b' ');
    for (what, document) in [
        ("a stranger's", both("stranger.example")),
        ("another controller's, at this one's place", both("bounce.other.example")),
        ("a name below the controller's", both("a.shop.example")),
        ("a bomb", bomb),
        ("no document", b"{}".to_vec()),
        ("no JSON", vec![0xff; 500]),
        ("of years ago", start("2020-01-14")),
        ("of days to come", start("2027-02-14")),
    ] {
        taken(&house, &reporter.signed("mail.example", &document)).await;
        assert_eq!(rows(&house).await, Vec::<Value>::new(), "{what}");
        let theirs = shown(&house, &other, "/v1/domains/bounce.other.example/tls-reports").await;
        assert_eq!(theirs, Ok(Vec::new()), "{what}");
    }
    // Elsewhere there is no such place.
    let report = reporter.signed("mail.example", DOCUMENT.as_bytes());
    for place in ["tls-reports@shop.example", "tls-reports@dest.example", "tls-report@bounce.shop.example"] {
        assert_eq!(bring(&house, place, &report).await.code, 550, "{place}");
    }
    // The twin: of two domains, the controller's own is kept; in capitals, it is the same.
    let half = with(&[(domain, json!("stranger.example"))]);
    taken(&house, &reporter.signed("mail.example", &half)).await;
    assert_eq!(rows(&house).await.len(), 1);
    let own = with(&[(domain, json!("SHOP.example")), ("/report-id", json!("own"))]);
    let reply = bring(&house, "TLS-Reports@Bounce.Shop.Example", &reporter.signed("mail.example", &own)).await;
    assert_eq!(reply.code, 250);
    let of_domain = shown(&house, &house.shop, "/v1/domains/shop.example/tls-reports").await.unwrap();
    assert_eq!(of_domain.iter().filter(|row| row["domain"] == "shop.example").count(), 4);
    // GDPR Art. 5(1)(e): kept for 400 days.
    house.clock.advance(390 * DAY);
    house.store.tidy().await.unwrap();
    assert_eq!(rows(&house).await.len(), 1);
    house.clock.advance(15 * DAY);
    house.store.tidy().await.unwrap();
    assert_eq!(rows(&house).await, Vec::<Value>::new());
}

/// Writes a report with Python's own libraries, and signs it with dkimpy.
const WRITER: &str = r#"
import base64, email.message, email.policy, gzip, json, sys, dkim, nacl.signing
document = open(sys.argv[1], "rb").read()
report = email.message.EmailMessage(policy=email.policy.SMTP)
report["From"] = "TLS reporting <tls@writer.example>"
report["To"] = "tls-reports@bounce.shop.example"
report["Subject"] = "Report Domain: bounce.shop.example Submitter: writer.example Report-ID: <1@writer.example>"
report["Date"] = "Fri, 15 Jan 2027 03:00:00 +0000"
report["TLS-Report-Domain"] = "bounce.shop.example"
report["TLS-Report-Submitter"] = "writer.example"
report.set_content("This is an aggregate TLS report from writer.example.\n")
report.add_attachment(gzip.compress(document), maintype="application", subtype="tlsrpt+gzip", filename="r.json.gz")
report.replace_header("Content-Type", report["Content-Type"].replace("multipart/mixed", "multipart/report"))
report.set_param("report-type", "tlsrpt")
octets = report.as_bytes()
key = nacl.signing.SigningKey.generate()
field = dkim.sign(octets, b"w1", b"writer.example", base64.b64encode(bytes(key)),
                  canonicalize=(b"relaxed", b"relaxed"), signature_algorithm=b"ed25519-sha256")
open(sys.argv[2], "wb").write(field + octets)
print(base64.b64encode(bytes(key.verify_key)).decode())
"#;

#[tokio::test]
async fn rfc8460_5_3_a_report_that_other_software_wrote_and_signed_is_read() {
    let house = House::new().await;
    let folder = tempfile::tempdir().unwrap();
    let paths = ["write.py", "document.json", "report.eml"].map(|name| folder.path().join(name));
    let [script, document, report] = &paths;
    fs::write(script, WRITER).unwrap();
    fs::write(document, DOCUMENT).unwrap();
    let key = run_python(&[word(script), word(document), word(report)]).await.good();
    house.dns.txt("w1._domainkey.writer.example", &format!("v=DKIM1; k=ed25519; s=tlsrpt; p={}", key.trim()));
    taken(&house, &fs::read(report).unwrap()).await;
    let found = rows(&house).await;
    assert_eq!((found.len(), &found[0]["submitter"]), (5, &json!("writer.example")));
}
