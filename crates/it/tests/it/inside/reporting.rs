//! Reports on TLS (RFC 8460) of a node that is set to write them, read by software that is not ours.

use super::house::{ADA, HOUR, House};
use crate::outside::harness::tools::{run_python, word};
use serde_json::Value;
use std::fs;
use testkit::mx::StartTls;

/// Reads a message with Python's own parsers of mail, gzip and JSON.
const READER: &str = r#"
import email, email.policy, gzip, json, sys
message = email.message_from_binary_file(open(sys.argv[1], "rb"), policy=email.policy.default)
assert message.get_content_type() == "multipart/report", message.get_content_type()
assert message["Content-Type"].params["report-type"] == "tlsrpt"
assert not message.defects, message.defects
text, report = message.iter_parts()
assert text.get_content_type() == "text/plain" and report.get_content_type() == "application/tlsrpt+gzip"
told = json.loads(gzip.decompress(report.get_payload(decode=True)))
names = {name.lower(): str(value) for name, value in message.items() if name.lower().startswith("tls-report")}
print(json.dumps({"told": told, "file": report.get_filename(), "subject": str(message["Subject"]), **names}))
"#;

async fn house(reports: bool) -> House {
    let house = House::built(|plan| {
        plan.delivery.timeouts.reports = std::time::Duration::from_millis(50);
        plan.delivery.tls_reports_by = reports.then(|| "shop".to_owned());
    })
    .await;
    house.mx.manners(|manners| manners.starttls = StartTls::On);
    house.dns.txt("_smtp._tls.dest.example", "v=TLSRPTv1; rua=mailto:reports@dest.example");
    let shop = house.shop.clone();
    let id = house.by_http(&shop, None, &shop.from, ADA).await.id();
    house.until_state(&id, "delivered").await;
    house.clock.advance(28 * HOUR);
    house
}

#[tokio::test]
async fn rfc8460_4_a_domain_that_asks_is_told_of_its_day_in_a_form_that_others_read() {
    let house = house(true).await;
    let got = house.mx.wait_for_recipient("reports@dest.example", 1).await.remove(0);
    let folder = tempfile::tempdir().unwrap();
    let (message, script) = (folder.path().join("report.eml"), folder.path().join("read.py"));
    fs::write(&message, &got.content).unwrap();
    fs::write(&script, READER).unwrap();
    let said = run_python(&[word(&script), word(&message)]).await.good();
    let read: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(read["tls-report-domain"], "dest.example");
    assert_eq!(read["tls-report-submitter"], "shop.example");
    assert!(read["subject"].as_str().unwrap().starts_with("Report Domain: dest.example Submitter: shop.example"));
    assert!(read["file"].as_str().unwrap().starts_with("shop.example!dest.example!"), "{read:#}");
    assert_eq!(read["told"]["organization-name"], "Operator Ltd");
    assert_eq!(read["told"]["contact-info"], "privacy@operator.example");
    let policy = &read["told"]["policies"][0];
    assert_eq!(policy["policy"]["policy-type"], "no-policy-found", "{read:#}");
    assert_eq!(policy["summary"]["total-successful-session-count"], 1, "{read:#}");
    assert!(!said.contains("ada"), "GDPR Art. 5(1)(c): nobody's address: {said}");
}

#[tokio::test]
async fn who_is_not_set_to_report_tells_nobody() {
    let house = house(false).await;
    house.until_empty().await;
    let day = store::day_of(house.store.now()) - 1;
    assert_eq!(house.store.tls_sessions(day, "dest.example").await.unwrap(), []);
    assert_eq!(house.mx.received().len(), 1, "the shop's own message alone");
}
