//! REQUIRETLS (RFC 8689): over TLS to receivers that are known and promise the same, or not at all.

use crate::house::{BODY, House, by_dns, evidence};
use bytes::Bytes;
use mail::address::Address;
use mail::require_tls::RequireTls;
use model::message::{Draft, Heads, MessageState, Notice};
use mta::delivery::{Dnssec, Settings, TrustAnchors};
use mta::submission::Answer;
use rustls::server::ParsedCertificate;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use store::{Homing, MessageView};
use testkit::mx::StartTls;
use testkit::tls::{TestCa, certificates};
use testkit::{FakeDns, FakeHttps, FakeMx, SignedDns, Zones};

const MINUTE: Duration = Duration::from_secs(60);

async fn receiver(address: Ipv4Addr, port: u16) -> FakeMx {
    let mx = FakeMx::start_at(SocketAddr::from((address, port))).await.unwrap();
    mx.manners(|manners| {
        manners.starttls = StartTls::On;
        manners.keywords = vec!["REQUIRETLS"];
    });
    mx
}

async fn ask(house: &House, to: &str, require_tls: RequireTls) -> model::message::Queued {
    let head = format!(
        "From: Shop <shop@sample.example>\r\nTo: <{to}>\r\nSubject: Receipt\r\n\
         Date: Thu, 15 Jan 2027 12:00:00 +0000\r\nMessage-ID: <1@sample.example>\r\n\r\n"
    );
    let draft = Draft {
        stream: house.stream,
        purpose: house.purpose,
        from: Address::parse("shop@sample.example").unwrap(),
        reverse_path: None,
        recipients: vec![Address::parse(to).unwrap()],
        heads: Heads::Same(Bytes::from(head)),
        body: Bytes::from_static(BODY.as_bytes()),
        metadata: String::new(),
        notices: vec![Notice::default().requiring(require_tls)],
    };
    match house.submission.accept(&house.authority, draft, None).await.unwrap().remove(0) {
        Answer::Queued(queued) => queued,
        other => panic!("{other:?}"),
    }
}

fn ended(view: &MessageView) -> (Option<String>, String) {
    let last = view.timeline.last().unwrap();
    (last.enhanced.clone(), last.transcript.clone().unwrap_or_default())
}

async fn signed(dns: &SignedDns, mx: &FakeMx) -> Settings {
    let nobody = FakeDns::start().await.unwrap();
    let mut settings = by_dns(&nobody, mx);
    settings.resolver = Some(dns.addr());
    settings.dnssec = Dnssec::Anchors(TrustAnchors::parse(&dns.anchors).unwrap());
    settings
}

fn by_key(mx: &FakeMx, name: &str) -> String {
    let leaf = mx.ca().leaf(&[name]);
    let parsed = ParsedCertificate::try_from(&leaf.chain[0]).unwrap();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &parsed.subject_public_key_info());
    let digest: String = digest.as_ref().iter().map(|octet| format!("{octet:02x}")).collect();
    mx.present(leaf);
    format!("3 1 1 {digest}")
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc8689_4_2_1_it_leaves_where_the_exchanger_is_known_shows_who_he_is_and_promises_the_same() {
    let house = House::new(Homing::ByDomain).await;
    let mx = receiver(Ipv4Addr::LOCALHOST, 0).await;
    let pin = by_key(&mx, "mx.named.example");
    let port = mx.addr().port();
    let zone = format!(
        "dane.example. MX 10 mx.dane.example.\nmx.dane.example. A 127.0.0.1\n_{port}._tcp.mx.dane.example. TLSA {pin}\n\
         named.example. MX 10 mx.named.example.\nmx.named.example. A 127.0.0.1\n\
         other.example. MX 10 mx.other.example.\nmx.other.example. A 127.0.0.1\n"
    );
    let dir = tempfile::tempdir().unwrap();
    let unsigned = "@ MX 10 mx.named.example.\n";
    let zones = Zones { signed: &zone, unsigned: &[("unsigned.example", unsigned)], ..Zones::default() };
    let dns = SignedDns::start(dir.path(), &zones).await;
    let mut settings = signed(&dns, &mx).await;
    settings.roots = certificates(&mx.ca().pem());
    let delivery = house.deliver(settings.clone()).await;
    for (site, said) in [("dane.example", "by DANE, policy tlsa"), ("named.example", "by name, policy no-policy-found")]
    {
        let queued = ask(&house, &format!("ada@{site}"), RequireTls::Yes).await;
        let view = house.until_state(queued.id, MessageState::Delivered).await;
        assert!(evidence(&view).contains(said), "{}", evidence(&view));
        assert!(ended(&view).1.contains("\nREQUIRETLS demanded and promised\n"), "{}", ended(&view).1);
        assert!(view.require_tls.is_asked());
        let got = mx.received().pop().unwrap();
        assert!(got.tls && got.parameters.split(' ').any(|word| word == "REQUIRETLS"), "{}", got.parameters);
    }
    let before = mx.counts().mails;
    // RFC 8689 §4.2.1: another name than the certificate's, and an exchanger that anybody could have named.
    for site in ["other.example", "unsigned.example"] {
        let queued = ask(&house, &format!("ada@{site}"), RequireTls::Yes).await;
        let view = house.until_state(queued.id, MessageState::Bounced).await;
        assert_eq!(ended(&view).0.as_deref(), Some("5.7.10"), "{site}: {}", ended(&view).1);
        assert!(ended(&view).1.contains("encryption needed"), "{site}");
    }
    assert_eq!(mx.counts().mails, before, "no MAIL for them");
    // What was announced holds for a connection; so there is none any more.
    delivery.drain(MINUTE).await;
    mx.manners(|manners| manners.keywords.clear());
    let delivery = house.deliver(settings).await;
    for site in ["dane.example", "named.example"] {
        let queued = ask(&house, &format!("bob@{site}"), RequireTls::Yes).await;
        let view = house.until_state(queued.id, MessageState::Bounced).await;
        assert_eq!(ended(&view).0.as_deref(), Some("5.7.30"), "{site}: {}", ended(&view).1);
        assert!(ended(&view).1.contains("REQUIRETLS support required"), "{site}");
    }
    assert_eq!(mx.counts().mails, before, "no MAIL for them");
    // Twin: what does not ask for it goes there, and says nothing of it.
    for site in ["dane.example", "named.example", "other.example", "unsigned.example"] {
        let queued = ask(&house, &format!("eve@{site}"), RequireTls::No).await;
        let view = house.until_state(queued.id, MessageState::Delivered).await;
        assert!(!ended(&view).1.contains("REQUIRETLS") && !view.require_tls.is_asked());
    }
    // A receiver that is set up otherwise is no reason to suppress anybody.
    let queued = house.send("ada@other.example").await;
    house.until_state(queued.id, MessageState::Delivered).await;
    delivery.drain(MINUTE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc8689_4_2_1_each_exchanger_is_tried_before_it_comes_back() {
    let house = House::new(Homing::ByDomain).await;
    let first = receiver(Ipv4Addr::LOCALHOST, 0).await;
    let port = first.addr().port();
    let second = receiver(Ipv4Addr::new(127, 0, 0, 2), port).await;
    let pins = [by_key(&first, "mx1.dest.example"), by_key(&second, "mx2.dest.example")];
    let zone = format!(
        "dest.example. MX 10 mx1.dest.example.\ndest.example. MX 20 mx2.dest.example.\n\
         mx1.dest.example. A 127.0.0.1\nmx2.dest.example. A 127.0.0.2\n\
         _{port}._tcp.mx1.dest.example. TLSA {}\n_{port}._tcp.mx2.dest.example. TLSA {}\n",
        pins[0], pins[1]
    );
    let dir = tempfile::tempdir().unwrap();
    let dns = SignedDns::start(dir.path(), &Zones { signed: &zone, ..Zones::default() }).await;
    let settings = signed(&dns, &first).await;
    let delivery = house.deliver(settings.clone()).await;
    first.manners(|manners| manners.keywords.clear());
    let queued = ask(&house, "ada@dest.example", RequireTls::Yes).await;
    house.until_state(queued.id, MessageState::Delivered).await;
    assert_eq!((first.received().len(), second.received().len()), (0, 1));
    delivery.drain(MINUTE).await;
    // One that cannot be asked now may be the one: it waits.
    let delivery = house.deliver(settings).await;
    second.manners(|manners| manners.greeting = Some((421, "4.3.2 busy".to_owned())));
    let queued = ask(&house, "bob@dest.example", RequireTls::Yes).await;
    let view = house.until_event(queued.id, "deferred", 1).await;
    assert!(ended(&view).1.contains("not every exchanger could be asked"), "{}", ended(&view).1);
    assert_eq!(view.state, MessageState::Queued);
    second.manners(|manners| {
        manners.greeting = None;
        manners.keywords.clear();
    });
    let queued = ask(&house, "eve@dest.example", RequireTls::Yes).await;
    let view = house.until_state(queued.id, MessageState::Bounced).await;
    assert_eq!(ended(&view).0.as_deref(), Some("5.7.30"));
    assert_eq!((first.received().len(), second.received().len()), (0, 1));
    delivery.drain(MINUTE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc8689_4_2_1_an_enforced_policy_says_who_the_exchangers_are() {
    let house = House::new(Homing::ByDomain).await;
    let (dns, ca, mx) = (FakeDns::start().await.unwrap(), TestCa::new(), receiver(Ipv4Addr::LOCALHOST, 0).await);
    let host = FakeHttps::start(&ca, "mta-sts.dest.example").await.unwrap();
    dns.mx("dest.example", 10, "mx.dest.example").loopback("mx.dest.example");
    dns.loopback("mta-sts.dest.example").txt("_mta-sts.dest.example", "v=STSv1; id=1;");
    let policy = "version: STSv1\nmode: enforce\nmx: mx.dest.example\nmax_age: 604800\n";
    host.text(policy);
    let mut settings = by_dns(&dns, &mx);
    settings.policy_port = host.addr().port();
    settings.roots = certificates(&ca.pem());
    settings.roots.extend(certificates(&mx.ca().pem()));
    mx.present(mx.ca().leaf(&["mx.dest.example"]));
    let delivery = house.deliver(settings).await;
    let queued = ask(&house, "ada@dest.example", RequireTls::Yes).await;
    let view = house.until_state(queued.id, MessageState::Delivered).await;
    assert!(evidence(&view).contains("by name, policy sts"), "{}", evidence(&view));
    assert!(mx.received()[0].parameters.contains("REQUIRETLS"));
    // Twin: while it is only tested, anybody could have named the exchanger.
    dns.clear("_mta-sts.dest.example").txt("_mta-sts.dest.example", "v=STSv1; id=2;");
    host.text(&policy.replace("enforce", "testing"));
    house.clock.advance(Duration::from_secs(3_600));
    let queued = ask(&house, "bob@dest.example", RequireTls::Yes).await;
    let view = house.until_state(queued.id, MessageState::Bounced).await;
    assert_eq!(ended(&view).0.as_deref(), Some("5.7.10"), "{}", ended(&view).1);
    assert_eq!(mx.received().len(), 1);
    delivery.drain(MINUTE).await;
}
