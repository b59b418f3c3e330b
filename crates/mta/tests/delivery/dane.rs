//! DANE against a signed zone that is served by other software than ours (RFC 7672).

use crate::house::{House, by_dns, evidence, trouble};
use model::message::MessageState;
use mta::delivery::{Dnssec, Settings, TrustAnchors};
use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use std::time::Duration;
use store::Homing;
use testkit::mx::StartTls;
use testkit::tls::{Leaf, TestCa};
use testkit::{FakeDns, FakeMx, SignedDns, Zones};

const MINUTE: Duration = Duration::from_secs(60);

fn sha256(octets: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, octets);
    digest.as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
}

/// `3 1 1` of a server's certificate.
fn by_key(certificate: &CertificateDer<'_>) -> String {
    let parsed = ParsedCertificate::try_from(certificate).unwrap();
    format!("3 1 1 {}", sha256(&parsed.subject_public_key_info()))
}

/// A receiver whose certificate nobody trusts and which holds for no name that anybody has.
async fn receiver() -> (FakeMx, Leaf) {
    let (mx, ca) = (FakeMx::start().await.unwrap(), TestCa::new());
    mx.manners(|manners| manners.starttls = StartTls::On);
    let leaf = ca.leaf(&["nobody.example"]);
    let shown = Leaf {
        chain: leaf.chain.clone(),
        key: leaf.key.clone_key(),
        chain_pem: leaf.chain_pem.clone(),
        key_pem: leaf.key_pem.clone(),
    };
    mx.present(shown);
    (mx, leaf)
}

/// A domain whose exchanger is on this machine, with TLSA records.
fn domain(name: &str, port: u16, tlsa: &[&str]) -> String {
    let mut records = format!("{name}. MX 10 mx.{name}.\nmx.{name}. A 127.0.0.1\n");
    for record in tlsa {
        records.push_str(&format!("_{port}._tcp.mx.{name}. TLSA {record}\n"));
    }
    records
}

async fn settings(mx: &FakeMx, dns: &SignedDns) -> Settings {
    let nobody = FakeDns::start().await.unwrap();
    let mut settings = by_dns(&nobody, mx);
    settings.resolver = Some(dns.addr());
    settings.dnssec = Dnssec::Anchors(TrustAnchors::parse(&dns.anchors).unwrap());
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc7672_2_2_mail_goes_to_the_server_that_a_secure_record_names_and_to_no_other() {
    let (house, (mx, leaf)) = (House::new(Homing::ByDomain).await, receiver().await);
    let (port, good, wrong) = (mx.addr().port(), by_key(&leaf.chain[0]), format!("3 1 1 {}", sha256(b"another key")));
    let alias = format!(
        "alias.example. MX 10 mx.alias.example.\nmx.alias.example. CNAME mx.good.example.\n\
         implicit.example. A 127.0.0.1\n_{port}._tcp.implicit.example. TLSA {wrong}\n"
    );
    let signed = [
        domain("good.example", port, &[&wrong, &good]),
        domain("wrong.example", port, &[&wrong]),
        domain("unusable.example", port, &[&format!("1 1 1 {}", sha256(b"any"))]),
        domain("plain.example", port, &[]),
        alias,
    ]
    .concat();
    let dir = tempfile::tempdir().unwrap();
    let zones = Zones { signed: &signed, ..Zones::default() };
    let dns = SignedDns::start(dir.path(), &zones).await;
    let delivery = house.deliver(settings(&mx, &dns).await).await;
    for (site, said) in [
        ("good.example", "authenticated by DANE, policy tlsa"),
        ("alias.example", "authenticated by DANE, policy tlsa"),
        // RFC 7672 §2.2: encrypted, to whoever answers.
        ("unusable.example", "not authenticated, policy tlsa"),
        ("plain.example", "not authenticated, policy no-policy-found"),
    ] {
        let queued = house.send(&format!("ada@{site}")).await;
        let view = house.until_state(queued.id, MessageState::Delivered).await;
        assert!(evidence(&view).contains(said), "{site}: {}", evidence(&view));
        assert!(evidence(&view).ends_with(&format!("sha256:{}", sha256(&leaf.chain[0]))), "{}", evidence(&view));
    }
    let delivered = mx.counts().mails;
    for site in ["wrong.example", "implicit.example"] {
        let queued = house.send(&format!("ada@{site}")).await;
        assert!(trouble(&delivery, site).await.contains("secure"), "{site}");
        assert_eq!(house.view(queued.id).await.state, MessageState::Queued);
    }
    assert_eq!(mx.counts().mails, delivered, "neither in clear nor to anybody else");
    assert!(mx.received().iter().all(|one| one.tls));
    delivery.drain(MINUTE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc7672_2_1_what_is_bogus_holds_mail_back_and_what_is_not_signed_is_not_asked() {
    let (house, (mx, _leaf)) = (House::new(Homing::ByDomain).await, receiver().await);
    let (port, any) = (mx.addr().port(), sha256(b"any"));
    let pinned = format!("3 1 1 {any}");
    let signed = [
        domain("tlsa.example", port, &[&pinned]),
        domain("mx.example", port, &[]),
        domain("address.example", port, &[]),
        "null.example. MX 0 .\n".to_owned(),
    ]
    .concat();
    let unsigned = format!("@ MX 10 mx\nmx A 127.0.0.1\n_{port}._tcp.mx TLSA {pinned}\n");
    let (record, other) = (format!("_{port}._tcp.mx.tlsa.example.\t60\tIN\tTLSA"), sha256(b"forged"));
    let forged = [
        (record.as_str(), any.as_str(), other.as_str()),
        ("mx.example.\t60\tIN\tMX", "mx.mx.example.", "mx.address.example."),
        ("mx.address.example.\t60\tIN\tA", "127.0.0.1", "127.0.0.2"),
    ];
    let dir = tempfile::tempdir().unwrap();
    let zones = Zones { signed: &signed, unsigned: &[("unsigned.example", &unsigned)], forged: &forged };
    let dns = SignedDns::start(dir.path(), &zones).await;
    let delivery = house.deliver(settings(&mx, &dns).await).await;
    for (site, why) in [("tlsa.example", "TLSA"), ("mx.example", "did not answer"), ("address.example", "address")] {
        let queued = house.send(&format!("ada@{site}")).await;
        let trouble = trouble(&delivery, site).await;
        assert!(trouble.contains(why), "{site}: {trouble}");
        assert_eq!(house.view(queued.id).await.state, MessageState::Queued, "{site}");
    }
    assert_eq!(mx.counts().connections, 0);
    let queued = house.send("ada@null.example").await;
    house.until_state(queued.id, MessageState::Bounced).await;
    let queued = house.send("ada@gone.example").await;
    house.until_state(queued.id, MessageState::Bounced).await;
    // Its TLSA record would turn everything away, were it signed.
    let queued = house.send("ada@unsigned.example").await;
    let view = house.until_state(queued.id, MessageState::Delivered).await;
    assert!(evidence(&view).contains("policy no-policy-found"), "{}", evidence(&view));
    delivery.drain(MINUTE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc7672_2_2_where_a_record_is_there_nothing_leaves_in_clear() {
    let (house, (mx, leaf)) = (House::new(Homing::ByDomain).await, receiver().await);
    let (port, good) = (mx.addr().port(), by_key(&leaf.chain[0]));
    let signed = [
        domain("good.example", port, &[&good]),
        domain("unusable.example", port, &[&format!("0 1 1 {}", sha256(b"any"))]),
        domain("plain.example", port, &[]),
    ]
    .concat();
    let dir = tempfile::tempdir().unwrap();
    let dns = SignedDns::start(dir.path(), &Zones { signed: &signed, ..Zones::default() }).await;
    let delivery = house.deliver(settings(&mx, &dns).await).await;
    for offer in [StartTls::Off, StartTls::Broken] {
        mx.manners(|manners| manners.starttls = offer);
        for site in ["good.example", "unusable.example"] {
            let queued = house.send(&format!("{}@{site}", if offer == StartTls::Off { "ada" } else { "bob" })).await;
            trouble(&delivery, site).await;
            assert_eq!(house.view(queued.id).await.state, MessageState::Queued, "{site}");
        }
    }
    assert_eq!(mx.counts().mails, 0);
    let queued = house.send("ada@plain.example").await;
    let view = house.until_state(queued.id, MessageState::Delivered).await;
    assert_eq!(evidence(&view), "in clear");
    delivery.drain(MINUTE).await;
}
