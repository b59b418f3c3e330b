//! `postern domain security` beside a running node: what a domain says of itself, by a signed root of other software.

use super::harness::tools::{run_postern, word};
use super::harness::{Demo, Place};
use serde_json::Value;
use std::fs;
use testkit::{SignedDns, Zones};

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_what_a_domain_demands_and_what_is_not_proven() {
    let folder = tempfile::tempdir().unwrap();
    let pin = "ab".repeat(32);
    let signed = format!(
        "good.example. MX 20 mx2.good.example.\ngood.example. MX 10 mx1.good.example.\n\
         mx1.good.example. A 192.0.2.1\nmx2.good.example. A 192.0.2.2\n_25._tcp.mx1.good.example. TLSA 3 1 1 {pin}\n\
         _smtp._tls.good.example. TXT \"v=TLSRPTv1; rua=mailto:tls@good.example\"\nnull.example. MX 0 .\n"
    );
    let zones = Zones { signed: &signed, unsigned: &[("plain.example", "@ MX 10 mx\nmx A 192.0.2.3\n")], forged: &[] };
    let zone_files = tempfile::tempdir().unwrap();
    let dns = SignedDns::start(zone_files.path(), &zones).await;
    let (anchors, server) = (folder.path().join("anchors"), dns.addr().to_string());
    fs::write(&anchors, &dns.anchors).unwrap();
    let mut place = Place { command: "serve", ..Place::below(folder.path()) };
    let words = ["--dns", server.as_str(), "--dns-anchors", word(&anchors), "--private-exchangers"];
    place.further = words.map(str::to_owned).to_vec();
    let demo = Demo::start(place).await;
    let data = word(&demo.place.data).to_owned();
    let ask = async |domain: &str, further: &[&str]| {
        run_postern(&[&["domain", "security", domain, "--data", &data], further].concat()).await
    };
    let told: Value = serde_json::from_str(&ask("Good.example", &["--json"]).await.good()).unwrap();
    assert_eq!((&told["domain"], &told["way"], &told["dnssec"]), (&"good.example".into(), &"mx".into(), &true.into()));
    assert_eq!(told["tls_rpt"], serde_json::json!(["mailto:tls@good.example"]), "{told:#}");
    let (first, second) = (&told["exchangers"][0], &told["exchangers"][1]);
    assert_eq!((&first["host"], &first["preference"]), (&"mx1.good.example".into(), &10.into()));
    assert_eq!(first["tlsa"], serde_json::json!([format!("3 1 1 {pin}")]));
    assert_eq!((&first["demand"], &first["policy"]), (&"certificate by DANE".into(), &"tlsa".into()));
    assert_eq!((&second["demand"], &second["policy"]), (&"opportunistic".into(), &"no-policy-found".into()));
    assert_eq!((&first["may_require_tls"], &second["may_require_tls"]), (&true.into(), &true.into()));
    // Twin: what is not signed shows nothing, and REQUIRETLS never goes there.
    let told: Value = serde_json::from_str(&ask("plain.example", &["--json"]).await.good()).unwrap();
    let one = &told["exchangers"][0];
    assert_eq!((&told["dnssec"], &one["demand"]), (&false.into(), &"opportunistic".into()), "{told:#}");
    assert_eq!((&one["may_require_tls"], &told["mta_sts"]), (&false.into(), &Value::Null), "{told:#}");
    let said = ask("good.example", &[]).await.good();
    assert!(said.contains("mx1.good.example") && said.contains("certificate by DANE"), "{said}");
    assert!(said.contains("TLS-RPT: mailto:tls@good.example"), "{said}");
    assert!(ask("null.example", &[]).await.good().contains("nowhere: the recipient's domain says in DNS"));
    assert!(ask("gone.example", &[]).await.good().contains("does not exist"));
    assert!(ask("no domain", &[]).await.refusal().contains("is no domain name"));
    let elsewhere = word(folder.path());
    let said = run_postern(&["domain", "security", "good.example", "--data", elsewhere]).await.refusal();
    assert!(said.contains("no node serves here"), "{said}");
}
