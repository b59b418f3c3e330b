//! Reports on TLS (RFC 8460): counted by domain and day, and told to those who ask, once.

use crate::house::{House, by_dns};
use model::StreamKind;
use model::message::MessageState;
use mta::TlsReports;
use mta::delivery::{Delivery, Settings};
use mta::submission::Submission;
use serde_json::Value;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;
use store::{Homing, NewCredential, day_of};
use testkit::mx::StartTls;
use testkit::tls::{TestCa, certificates};
use testkit::{FakeDns, FakeHttps, FakeMx, within};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// A house whose account has a stream for its own mail, a receiver of several domains, and who takes reports.
struct Scene {
    house: House,
    dns: FakeDns,
    mx: FakeMx,
    ca: TestCa,
    desk: FakeHttps,
}

impl Scene {
    async fn new() -> Self {
        let house = House::new(Homing::ByDomain).await;
        let store = &house.store;
        let stream =
            store.create_stream(house.controller, "service", StreamKind::Service, "its own mail").await.unwrap();
        let operations = &model::instruction::Operation::ALL;
        store.issue_instruction(house.controller, operations, &[house.stream, stream], 1_000_000).await.unwrap();
        let username = store.system_username(house.controller);
        let new = NewCredential { username: &username, default_stream: stream, streams: &[stream], expires: None };
        store.create_credential(house.controller, new).await.unwrap();
        let (dns, mx, ca) = (FakeDns::start().await.unwrap(), FakeMx::start().await.unwrap(), TestCa::new());
        let desk = FakeHttps::start(&ca, "reports.dest.example").await.unwrap();
        desk.text("");
        mx.manners(|manners| manners.starttls = StartTls::On);
        for domain in ["dest.example", "quiet.example", "desk.example"] {
            dns.mx(domain, 10, "mx.dest.example");
        }
        dns.loopback("mx.dest.example").loopback("reports.dest.example");
        Self { house, dns, mx, ca, desk }
    }

    fn settings(&self) -> Settings {
        let mut settings = by_dns(&self.dns, &self.mx);
        settings.timeouts.reports = Duration::from_millis(50);
        settings.policy_port = self.desk.addr().port();
        settings.timeouts.policy = Duration::from_secs(3);
        settings.roots = certificates(&self.ca.pem());
        let submission = Arc::new(Submission::new(Arc::clone(&self.house.store)));
        settings.tls_reports = Some(TlsReports::new(submission, "Sample", "Example Mail Ltd", "tls@example.org"));
        settings
    }

    async fn start(&self) -> Delivery {
        self.house.deliver(self.settings()).await
    }

    async fn delivered(&self, to: &str) {
        let queued = self.house.send(to).await;
        self.house.until_state(queued.id, MessageState::Delivered).await;
    }

    /// Nothing of these days is open any more.
    async fn until_told(&self, day: i64) {
        within("a day that is told", async {
            while !self.house.store.tls_reports_open(day, "").await.unwrap().is_empty() {
                testkit::wait::breathe().await;
            }
        })
        .await;
    }
}

fn unpacked(octets: &[u8]) -> Value {
    let mut text = String::new();
    flate2::read::GzDecoder::new(octets).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn rfc8460_4_a_day_is_told_to_the_host_that_a_domain_names_and_to_nobody_else() {
    let scene = Scene::new().await;
    let port = scene.desk.addr().port();
    let place = format!("v=TLSRPTv1; rua=https://reports.dest.example:{port}/v1/tls");
    scene.dns.txt("_smtp._tls.desk.example", &place);
    let delivery = scene.start().await;
    let day = day_of(scene.house.store.now());
    scene.delivered("ada@desk.example").await;
    scene.delivered("ada@quiet.example").await;
    delivery.drain(MINUTE).await;
    scene.mx.manners(|manners| manners.starttls = StartTls::Broken);
    let delivery = scene.start().await;
    scene.delivered("bob@desk.example").await;
    delivery.drain(MINUTE).await;
    let kinds = scene.house.store.tls_sessions(day, "desk.example").await.unwrap();
    assert_eq!(kinds.len(), 2, "{kinds:?}");
    assert!(scene.desk.posted().is_empty(), "the day is not over");
    // Two nodes' worth of asking, and a restart: once all the same.
    scene.house.clock.advance(DAY);
    for _ in 0..2 {
        let delivery = scene.start().await;
        scene.until_told(day).await;
        delivery.drain(MINUTE).await;
    }
    let posted = scene.desk.posted();
    assert_eq!(posted.len(), 1);
    let (head, body) = &posted[0];
    assert!(head.starts_with("POST /v1/tls HTTP/1.1\r\n"), "{head}");
    assert!(head.to_ascii_lowercase().contains("content-type: application/tlsrpt+gzip\r\n"), "{head}");
    let told = unpacked(body);
    assert_eq!(
        (&told["organization-name"], &told["contact-info"]),
        (&"Example Mail Ltd".into(), &"tls@example.org".into())
    );
    let policy = &told["policies"][0];
    assert_eq!(policy["policy"]["policy-type"], "no-policy-found");
    assert_eq!(policy["policy"]["policy-domain"], "desk.example");
    assert_eq!(policy["summary"]["total-successful-session-count"], 1, "{told:#}");
    assert_eq!(policy["summary"]["total-failure-session-count"], 1, "{told:#}");
    let failure = &policy["failure-details"][0];
    assert_eq!((&failure["result-type"], &failure["failed-session-count"]), (&"validation-failure".into(), &1.into()));
    assert_eq!(failure["receiving-mx-hostname"], "mx.dest.example");
    assert_eq!(failure["sending-mta-ip"], "127.0.0.1");
    assert!(told["date-range"]["start-datetime"].as_str().unwrap().ends_with("T00:00:00Z"), "{told:#}");
    // GDPR Art. 5(1)(c): nobody's address.
    assert!(!told.to_string().contains("ada") && !told.to_string().contains("bob"), "{told:#}");
}

#[tokio::test]
async fn rfc8460_5_3_by_mail_it_is_a_signed_message_of_the_platforms_own() {
    let scene = Scene::new().await;
    scene.dns.txt("_smtp._tls.dest.example", "v=TLSRPTv1; rua=mailto:reports@dest.example");
    let delivery = scene.start().await;
    let day = day_of(scene.house.store.now());
    scene.delivered("ada@dest.example").await;
    scene.house.clock.advance(DAY);
    scene.until_told(day).await;
    let got = scene.mx.wait_for_recipient("reports@dest.example", 1).await.remove(0);
    delivery.drain(MINUTE).await;
    let text = got.text();
    for line in [
        "From: <tls-reports@sample.example>\r\n",
        "TLS-Report-Domain: dest.example\r\n",
        "TLS-Report-Submitter: sample.example\r\n",
        "Content-Type: multipart/report; report-type=\"tlsrpt\"; boundary=",
        "Content-Type: application/tlsrpt+gzip\r\n",
        "filename=\"sample.example!dest.example!",
    ] {
        assert!(text.replace("\r\n ", " ").contains(line), "{line}: {text}");
    }
    assert_eq!(got.from, "", "nobody is told what becomes of it");
    assert_eq!(scene.house.signatures_that_hold(&got.content), 2, "{text}");
    // Today's own sessions are not yet told, and yesterday's not again.
    assert_eq!(scene.mx.received().iter().filter(|one| one.to == ["reports@dest.example"]).count(), 1);
}

#[tokio::test]
async fn rfc8460_4_3_a_policy_that_is_tested_is_told_as_if_it_held() {
    let scene = Scene::new().await;
    let policies = FakeHttps::start(&scene.ca, "mta-sts.dest.example").await.unwrap();
    policies.text("version: STSv1\nmode: testing\nmx: mx.dest.example\nmax_age: 604800\n");
    scene.dns.loopback("mta-sts.dest.example").txt("_mta-sts.dest.example", "v=STSv1; id=1;");
    let mut settings = scene.settings();
    settings.policy_port = policies.addr().port();
    let day = day_of(scene.house.store.now());
    for (certificate, failure) in [
        (scene.ca.leaf(&["mx.dest.example"]), ""),
        (scene.ca.leaf(&["other.dest.example"]), "certificate-host-mismatch"),
        (TestCa::new().leaf(&["mx.dest.example"]), "certificate-not-trusted"),
    ] {
        scene.mx.present(certificate);
        let delivery = scene.house.deliver(settings.clone()).await;
        scene.delivered("ada@dest.example").await;
        delivery.drain(MINUTE).await;
        let kinds = scene.house.store.tls_sessions(day, "dest.example").await.unwrap();
        let found = kinds.iter().find(|kind| kind.failure == failure);
        assert_eq!(found.map(|kind| (kind.policy.as_str(), kind.sessions)), Some(("sts", 1)), "{failure}: {kinds:?}");
    }
}

#[tokio::test]
async fn who_does_not_report_counts_nothing() {
    let scene = Scene::new().await;
    let mut settings = scene.settings();
    settings.tls_reports = None;
    let delivery = scene.house.deliver(settings).await;
    scene.delivered("ada@dest.example").await;
    delivery.drain(MINUTE).await;
    let day = day_of(scene.house.store.now());
    assert_eq!(scene.house.store.tls_sessions(day, "dest.example").await.unwrap(), []);
}
