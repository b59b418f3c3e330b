//! MTA-STS against a host that gives out policies (RFC 8461), and what DNS may lead to.

use crate::house::{House, by_dns, evidence, trouble};
use model::message::MessageState;
use model::stream::{Terms, TlsFloor};
use mta::delivery::Settings;
use std::time::Duration;
use store::{Homing, NewStream};
use testkit::mx::StartTls;
use testkit::tls::{TestCa, certificates};
use testkit::{FakeDns, FakeHttps, FakeMx};

const TO: &str = "ada@dest.example";
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
const ENFORCED: &str = "version: STSv1\nmode: enforce\nmx: mx.dest.example\nmax_age: 604800\n";

/// A domain with a policy host, an exchanger that shows a certificate for `mx.dest.example`, and DNS for both.
struct Scene {
    dns: FakeDns,
    mx: FakeMx,
    ca: TestCa,
    host: FakeHttps,
}

impl Scene {
    async fn new() -> Self {
        let (dns, mx, ca) = (FakeDns::start().await.unwrap(), FakeMx::start().await.unwrap(), TestCa::new());
        let host = FakeHttps::start(&ca, "mta-sts.dest.example").await.unwrap();
        mx.manners(|manners| manners.starttls = StartTls::On);
        dns.mx("dest.example", 10, "mx.dest.example").loopback("mx.dest.example");
        dns.loopback("mta-sts.dest.example").txt("_mta-sts.dest.example", "v=STSv1; id=1;");
        host.text(ENFORCED);
        Self { dns, mx, ca, host }
    }

    /// `trusts`: the exchanger's authority too.
    fn settings(&self, trusts: bool) -> Settings {
        let mut settings = by_dns(&self.dns, &self.mx);
        settings.policy_port = self.host.addr().port();
        settings.timeouts.policy = Duration::from_secs(3);
        settings.roots = certificates(&self.ca.pem());
        if trusts {
            settings.roots.extend(certificates(&self.mx.ca().pem()));
        }
        settings
    }

    /// What a message that leaves has as evidence; nothing for one that does not.
    async fn outcome(&self, house: &House, trusts: bool) -> Result<String, &'static str> {
        let delivery = house.deliver(self.settings(trusts)).await;
        let queued = house.send(TO).await;
        let outcome = tokio::select! {
            view = house.until_state(queued.id, MessageState::Delivered) => Ok(evidence(&view)),
            trouble = trouble(&delivery, "dest.example") => Err(trouble),
        };
        delivery.drain(MINUTE).await;
        outcome
    }
}

#[tokio::test]
async fn rfc8461_4_1_an_enforced_policy_wants_a_certificate_that_holds_for_a_named_exchanger() {
    let scene = Scene::new().await;
    let said = scene.outcome(&House::new(Homing::ByDomain).await, true).await.unwrap();
    assert!(said.contains("authenticated by name, policy sts"), "{said}");
    assert_eq!(scene.host.requests(), ["GET /.well-known/mta-sts.txt HTTP/1.1"]);
    let mails = scene.mx.counts().mails;
    let why = scene.outcome(&House::new(Homing::ByDomain).await, false).await.unwrap_err();
    assert!(why.contains("secure"), "{why}");
    scene.host.text(&ENFORCED.replace("mx: mx.", "mx: other."));
    let connections = scene.mx.counts().connections;
    let why = scene.outcome(&House::new(Homing::ByDomain).await, true).await.unwrap_err();
    assert!(why.contains("names none"), "{why}");
    assert_eq!((scene.mx.counts().mails, scene.mx.counts().connections), (mails, connections));
    // RFC 8461 §5: where TLS is not even offered, nothing leaves.
    scene.host.text(ENFORCED);
    scene.mx.manners(|manners| manners.starttls = StartTls::Off);
    scene.outcome(&House::new(Homing::ByDomain).await, true).await.unwrap_err();
    assert_eq!(scene.mx.counts().mails, mails);
}

#[tokio::test]
async fn rfc8461_5_testing_never_holds_back_mail() {
    let scene = Scene::new().await;
    for text in [ENFORCED.replace("enforce", "testing"), ENFORCED.replace("enforce", "testing").replace("mx.", "a.")] {
        scene.host.text(&text);
        let said = scene.outcome(&House::new(Homing::ByDomain).await, false).await.unwrap();
        assert!(said.contains("not authenticated, policy sts"), "{said}");
    }
}

#[tokio::test]
async fn rfc8461_3_3_what_is_not_given_out_by_the_policy_host_itself_is_no_policy() {
    let scene = Scene::new().await;
    let ok = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n";
    let large = format!("{ok}{ENFORCED}{}", "x: y\n".repeat(20_000));
    let moved = "HTTP/1.1 301 Moved\r\nLocation: https://mta-sts.dest.example/\r\nContent-Length: 0\r\n\r\n".to_owned();
    let page = ok.replace("text/plain", "text/html") + ENFORCED;
    let half = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 900\r\n\r\n{ENFORCED}");
    for answer in [large, moved, page, half, "no HTTP".to_owned(), String::new()] {
        scene.host.answer(answer.clone());
        let before = scene.host.requests().len();
        let said = scene.outcome(&House::new(Homing::ByDomain).await, false).await.unwrap();
        assert!(said.contains("policy no-policy-found"), "{answer:.60}: {said}");
        assert_eq!(scene.host.requests().len(), before + 1, "one request, and no other: {answer:.60}");
    }
    scene.host.text(ENFORCED);
    scene.host.present(&scene.ca, "dest.example");
    let said = scene.outcome(&House::new(Homing::ByDomain).await, false).await.unwrap();
    assert!(said.contains("policy no-policy-found"), "another name: {said}");
    scene.host.present(&TestCa::new(), "mta-sts.dest.example");
    let said = scene.outcome(&House::new(Homing::ByDomain).await, false).await.unwrap();
    assert!(said.contains("policy no-policy-found"), "another authority: {said}");
    // Without its record the host is not asked at all.
    let (before, host) = (scene.host.requests().len(), "_mta-sts.dest.example");
    scene.dns.txt(host, "v=STSv1; id=2;");
    scene.outcome(&House::new(Homing::ByDomain).await, false).await.unwrap();
    assert_eq!(scene.host.requests().len(), before);
}

#[tokio::test]
async fn rfc8461_5_1_a_policy_outlives_its_host_and_a_restart_until_its_time_is_over() {
    let scene = Scene::new().await;
    let house = House::new(Homing::ByDomain).await;
    scene.outcome(&house, true).await.unwrap();
    // Somebody holds back DNS and the host, and stands where the exchanger was.
    scene.dns.clear("_mta-sts.dest.example").clear("mta-sts.dest.example");
    let house = house.restart().await;
    let why = scene.outcome(&house, false).await.unwrap_err();
    assert!(why.contains("secure"), "{why}");
    house.clock.advance(6 * DAY);
    scene.outcome(&house, false).await.unwrap_err();
    house.clock.advance(DAY);
    let said = scene.outcome(&house, false).await.unwrap();
    assert!(said.contains("policy no-policy-found"), "{said}");
}

#[tokio::test]
async fn rfc8461_3_1_another_id_has_the_policy_fetched_again() {
    let scene = Scene::new().await;
    let house = House::new(Homing::ByDomain).await;
    scene.outcome(&house, true).await.unwrap();
    scene.host.text("version: STSv1\nmode: none\nmax_age: 86400\n");
    scene.outcome(&house, true).await.unwrap();
    assert_eq!(scene.host.requests().len(), 1, "the same id");
    scene.dns.clear("_mta-sts.dest.example").txt("_mta-sts.dest.example", "v=STSv1; id=2;");
    let said = scene.outcome(&house, false).await.unwrap();
    assert!(said.contains("policy no-policy-found"), "{said}");
    assert_eq!(scene.host.requests().len(), 2);
}

/// Sends to a stream whose terms ask for a verified server.
async fn guard(house: &mut House) {
    let terms = Terms { tls_floor: TlsFloor::Verified, ..Terms::default() };
    let (name, about) = ("guarded", "what nobody else may read");
    let kind = model::StreamKind::Transactional;
    let purposes = [house.purpose];
    let new = NewStream { name, kind, about, purposes: &purposes, terms };
    let stream = house.store.create_stream_for(house.controller, &new).await.unwrap();
    let operations = &model::instruction::Operation::ALL;
    house.store.issue_instruction(house.controller, operations, &[stream], 1_000_000).await.unwrap();
    let new = store::NewCredential { username: "guard", default_stream: stream, streams: &[stream], expires: None };
    let credential = house.store.create_credential(house.controller, new).await.unwrap();
    house.authority = house.store.authority_of(credential.id).unwrap();
    house.stream = stream;
}

#[tokio::test]
async fn art32_1_a_a_verified_server_is_asked_for_message_by_message() {
    let scene = Scene::new().await;
    scene.dns.clear("_mta-sts.dest.example");
    let mut house = House::new(Homing::ByDomain).await;
    guard(&mut house).await;
    for (trusts, name, fits) in
        [(false, "mx.dest.example", false), (true, "mx.other.example", false), (true, "mx.dest.example", true)]
    {
        scene.mx.present(scene.mx.ca().leaf(&[name]));
        let delivery = house.deliver(scene.settings(trusts)).await;
        let queued = house.send(&format!("{trusts}-{}@dest.example", name.len())).await;
        if fits {
            let view = house.until_state(queued.id, MessageState::Delivered).await;
            assert!(evidence(&view).contains("authenticated by name, policy no-policy-found"), "{}", evidence(&view));
        } else {
            let view = house.until_event(queued.id, "deferred", 1).await;
            assert_eq!(view.timeline.last().unwrap().rule.as_deref(), Some("tls-floor"));
            assert_eq!(scene.mx.counts().mails, 0, "no MAIL for it");
        }
        delivery.drain(MINUTE).await;
    }
}

#[tokio::test]
async fn rfc6890_dns_leads_to_no_address_beside_this_node_unless_that_is_allowed() {
    let scene = Scene::new().await;
    let house = House::new(Homing::ByDomain).await;
    scene.dns.mx("inside.example", 10, "a.inside.example").address("a.inside.example", [10, 0, 0, 1].into());
    scene.dns.address("a.inside.example", "::1".parse().unwrap()).address("own.example", [169, 254, 169, 254].into());
    let mut settings = scene.settings(true);
    settings.allows_private = false;
    let delivery = house.deliver(settings).await;
    for site in ["dest.example", "inside.example", "own.example"] {
        let queued = house.send(&format!("ada@{site}")).await;
        let view = house.until_state(queued.id, MessageState::Bounced).await;
        assert_eq!(view.timeline.last().unwrap().enhanced.as_deref(), Some("5.4.4"), "{site}");
    }
    assert_eq!((scene.mx.counts().connections, scene.host.requests().len()), (0, 0), "neither mail nor policies");
    delivery.drain(MINUTE).await;
    // Twin.
    let queued = house.send("bob@dest.example").await;
    let delivery = house.deliver(scene.settings(true)).await;
    house.until_state(queued.id, MessageState::Delivered).await;
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn rfc1034_3_6_2_aliases_in_a_circle_and_sets_without_end_keep_nobody_waiting() {
    let scene = Scene::new().await;
    let house = House::new(Homing::ByDomain).await;
    scene.dns.cname("circle.example", "a.circle.example").cname("a.circle.example", "circle.example");
    scene.dns.cname("self.example", "self.example");
    scene.dns.mx("odd.example", 10, "circle.example");
    scene.dns.servfail("half.example");
    for number in 0..400_u16 {
        scene.dns.mx("huge.example", 1_000 - number, &format!("a{number}.huge.example"));
    }
    scene.dns.loopback("a399.huge.example");
    let delivery = house.deliver(scene.settings(true)).await;
    let sites = ["circle.example", "self.example", "odd.example", "half.example"];
    let mut queued = Vec::new();
    for site in sites {
        queued.push(house.send(&format!("ada@{site}")).await.id);
    }
    for (site, id) in sites.into_iter().zip(queued) {
        trouble(&delivery, site).await;
        assert_eq!(house.view(id).await.state, MessageState::Queued, "{site}");
    }
    assert!(scene.dns.queries_in_all() < 200, "{} questions", scene.dns.queries_in_all());
    // The best of them, and no more questions than there may be.
    let queued = house.send("ada@huge.example").await;
    house.until_state(queued.id, MessageState::Delivered).await;
    let asked = |number: u16| scene.dns.queries(&format!("a{number}.huge.example"), testkit::dns::RecordType::A);
    assert_eq!((asked(399) > 0, asked(0), (0..400).filter(|number| asked(*number) > 0).count()), (true, 0, 12));
    delivery.drain(MINUTE).await;
}
