//! Each look with a domain as it should be, and with one that is not.

use super::*;
use crate::names::Names;
use testkit::FakeDns;

const ADDRESS: &str = "203.0.113.25";

fn sender(address: &str) -> Sender {
    Sender { address: address.parse().unwrap(), name: "mx.node.example".to_owned() }
}

async fn asked() -> (FakeDns, Names) {
    let dns = FakeDns::start().await.unwrap();
    let names = Names::new(Some(dns.addr())).unwrap();
    (dns, names)
}

#[tokio::test]
async fn rfc8601_2_7_3_an_address_is_called_what_the_node_calls_itself_and_back() {
    let (dns, names) = asked().await;
    for address in [ADDRESS, "2001:db8::25"] {
        let senders = [sender(address)];
        let look = async || names_of_senders(&names, &senders).await.remove(0);
        let found = look().await;
        assert!(found.level == Level::Wrong && found.what.contains("no PTR record"), "{found:?}");
        dns.ptr(senders[0].address, "host-25.provider.example");
        let found = look().await;
        assert!(found.level == Level::Wrong && found.what.contains("host-25.provider.example"), "{found:?}");
        dns.ptr(senders[0].address, "mx.node.example");
        let found = look().await;
        assert!(found.level == Level::Wrong && found.what.contains("has not this address"), "{found:?}");
        dns.address("mx.node.example", senders[0].address);
        assert_eq!(look().await.level, Level::Good);
    }
    dns.servfail("25.113.0.203.in-addr.arpa");
    let found = names_of_senders(&names, &[sender(ADDRESS)]).await.remove(0);
    assert!(found.is_unanswered() && found.level == Level::Warning, "{found:?}");
}

/// What becomes of an address by a record.
async fn spf(dns: &FakeDns, names: &Names, record: &str) -> Finding {
    dns.clear("shop.example").txt("shop.example", "another text").txt("shop.example", record);
    spf_record(names, "shop.example", &[sender(ADDRESS)]).await.remove(0)
}

#[tokio::test]
async fn rfc7208_5_each_mechanism_fits_and_does_not() {
    let (dns, names) = asked().await;
    dns.address("mx.node.example", ADDRESS.parse().unwrap()).mx("mail.example", 10, "mx.node.example");
    dns.address("near.example", "203.0.113.77".parse().unwrap()).ptr(ADDRESS.parse().unwrap(), "mx.node.example");
    dns.txt("one.example", "v=spf1 ip4:203.0.113.0/28 ip4:203.0.113.16/28 -all");
    dns.txt("two.example", "v=spf1 ip4:198.51.100.0/24 -all");
    dns.loopback("25.113.0.203.mx.node.example.listed.example").loopback("example.shop._spf.example");
    for good in [
        "v=spf1 a:mx.node.example -all",
        "v=spf1 a:near.example/24 -all",
        "v=spf1 mx:mail.example ~all",
        "v=spf1 ip4:203.0.113.25 -all",
        "v=spf1 ip6:2001:db8::/32 ip4:203.0.112.0/22 -all",
        "v=spf1 include:two.example include:one.example -all",
        "v=spf1 redirect=one.example",
        "v=spf1 exists:%{ir}.%{h}.listed.example -all",
        "v=spf1 exists:%{dr}._spf.example -all",
        "V=SPF1 ip4:198.51.100.1 +A:MX.node.example unknown=modifier -all",
    ] {
        let found = spf(&dns, &names, good).await;
        assert_eq!(found.level, Level::Good, "{good}: {found:?}");
    }
    for (bad, says) in [
        ("v=spf1 a:near.example -all", "(fail)"),
        ("v=spf1 ~all", "(softfail)"),
        ("v=spf1 include:two.example ?all", "(neutral)"),
        ("v=spf1", "(neutral)"),
        ("v=spf1 redirect=two.example", "(fail)"),
        ("v=spf1 include:nobody.example -all", "permerror"),
        ("v=spf1 redirect=nobody.example", "permerror"),
        ("v=spf1 ip4:203.0.113.25/33 -all", "`ip4:203.0.113.25/33` is nothing"),
        ("v=spf1 ipv4:203.0.113.25 -all", "permerror"),
        ("v=spf10 ip4:203.0.113.25 -all", "has no SPF record"),
    ] {
        let found = spf(&dns, &names, bad).await;
        assert!(found.level == Level::Wrong && found.what.contains(says), "{bad}: {found:?}");
        assert!(found.remedy.is_some(), "{bad}");
    }
    for (odd, says) in [
        ("v=spf1 +all", "everybody"),
        ("v=spf1 ip4:203.0.113.25 ip4:0.0.0.0/0 -all", "everybody"),
        ("v=spf1 ptr:node.example -all", "ptr"),
    ] {
        let found = spf(&dns, &names, odd).await;
        assert!(found.level == Level::Warning && found.what.contains(says), "{odd}: {found:?}");
    }
    dns.txt("shop.example", "v=spf1 -all");
    let found = spf_record(&names, "shop.example", &[sender(ADDRESS)]).await.remove(0);
    assert!(found.what.contains("has 2 SPF records"), "{found:?}");
}

#[tokio::test]
async fn rfc7208_4_6_4_ten_questions_and_two_in_vain_are_the_most_also_behind_what_fits() {
    let (dns, names) = asked().await;
    let mut chain = String::new();
    for at in 0..10 {
        dns.txt(&format!("i{at}.example"), "v=spf1 -all");
        chain.push_str(&format!("include:i{at}.example "));
    }
    let found = spf(&dns, &names, &format!("v=spf1 {chain}ip4:{ADDRESS} -all")).await;
    assert!(found.level == Level::Good && found.what.contains("10 questions"), "{found:?}");
    for record in [format!("v=spf1 {chain}a ip4:{ADDRESS} -all"), format!("v=spf1 ip4:{ADDRESS} {chain}a -all")] {
        let found = spf(&dns, &names, &record).await;
        assert!(found.level == Level::Wrong && found.what.contains("more than 10"), "{record}: {found:?}");
    }
    let found = spf(&dns, &names, &format!("v=spf1 a:x.example a:y.example ip4:{ADDRESS} -all")).await;
    assert_eq!(found.level, Level::Good, "{found:?}");
    let found = spf(&dns, &names, &format!("v=spf1 a:x.example a:y.example mx:z.example ip4:{ADDRESS} -all")).await;
    assert!(found.level == Level::Wrong && found.what.contains("more than 2"), "{found:?}");
    // A circle ends.
    dns.clear("i0.example").txt("i0.example", "v=spf1 include:i0.example -all");
    let found = spf(&dns, &names, "v=spf1 include:i0.example -all").await;
    assert!(found.what.contains("more than 10"), "{found:?}");
}

#[tokio::test]
async fn rfc6376_3_6_the_key_in_dns_is_the_one_that_signs() {
    let (dns, names) = asked().await;
    let (name, value) =
        ("p1._domainkey.shop.example", "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    for (published, level, says) in [
        (None, Level::Wrong, "not published"),
        (Some(value.to_owned()), Level::Good, "ed25519 key that signs"),
        (Some(value.replace("; ", ";").replace("11qY", "11 qY")), Level::Good, "signs"),
        (Some(value.replace("11qY", "22qY")), Level::Wrong, "another ed25519 key"),
        (Some(value.replace("ed25519", "rsa")), Level::Wrong, "another"),
        (Some("v=DKIM1; k=ed25519; p=".to_owned()), Level::Wrong, "revoked"),
        (Some(format!("{value}; t=y:s")), Level::Warning, "for tests"),
        (Some("hello".to_owned()), Level::Wrong, "no key"),
    ] {
        dns.clear(name);
        if let Some(text) = &published {
            dns.txt(name, text);
        }
        let found = key_published(&names, name, value).await;
        assert!(found.level == level && found.what.contains(says), "{published:?}: {found:?}");
    }
    dns.clear(name).txt(name, value).txt(name, value);
    assert!(key_published(&names, name, value).await.what.contains("several"));
}

#[tokio::test]
async fn rfc9989_4_10_the_policy_is_found_by_walking_up_and_without_a_list_of_suffixes() {
    let (dns, names) = asked().await;
    let own = |domain: &str| Aligned { signed_by: vec![domain.to_owned()], returns_to: None };
    let look = async |domain: &str| policy(&names, domain, &own(domain)).await;
    let worst = |found: &[Finding]| found.iter().map(|one| one.level).max().unwrap();
    let says = |found: &[Finding], what: &str| found.iter().any(|one| one.what.contains(what));
    let found = look("mail.shop.example").await;
    assert!(worst(&found) == Level::Wrong && says(&found, "no DMARC policy"), "{found:?}");
    dns.txt("_dmarc.shop.example", "v=DMARC1; p=reject; sp=quarantine; np=reject; rua=mailto:d@shop.example");
    dns.loopback("mail.shop.example");
    let found = look("mail.shop.example").await;
    assert!(worst(&found) == Level::Good && says(&found, "quarantine of what does not pass, from shop.example"));
    // np: a name that is not there.
    assert!(says(&look("gone.shop.example").await, "reject of what does not pass"));
    // t: one step less.
    dns.txt("_dmarc.tried.example", "v=DMARC1; p=reject; t=y; rua=mailto:d@tried.example");
    assert!(says(&look("tried.example").await, "do only quarantine"));
    // A name of many labels is asked for at most eight times.
    let deep = "a.b.c.d.e.f.g.h.i.j.shop.example";
    let before = dns.queries_in_all();
    assert!(says(&look(deep).await, "from shop.example"));
    assert!(
        dns.queries(&format!("_dmarc.{deep}"), testkit::dns::RecordType::Txt) > 0 && dns.queries_in_all() - before < 30
    );
    assert_eq!(dns.queries("_dmarc.e.f.g.h.i.j.shop.example", testkit::dns::RecordType::Txt), 0);
    assert!(dns.queries("_dmarc.f.g.h.i.j.shop.example", testkit::dns::RecordType::Txt) > 0);
    // psd=y: the organisation is the name below; the policy of the suffix counts where there is no other.
    dns.txt("_dmarc.bank.example", "v=DMARC1; p=quarantine; psd=y; rua=mailto:d@bank.example");
    assert!(says(&look("first.bank.example").await, "quarantine of what does not pass, from bank.example"));
    let of_another = Aligned { signed_by: vec!["second.bank.example".to_owned()], returns_to: None };
    let found = policy(&names, "first.bank.example", &of_another).await;
    assert!(worst(&found) == Level::Wrong && says(&found, "nothing by which"), "{found:?}");
}

#[tokio::test]
async fn rfc9989_4_4_one_identifier_must_be_aligned_and_strict_means_the_same_name() {
    let (dns, names) = asked().await;
    let passes = async |record: &str, aligned: Aligned| {
        dns.clear("_dmarc.shop.example").txt("_dmarc.shop.example", record);
        policy(&names, "shop.example", &aligned).await.pop().unwrap().level == Level::Good
    };
    let returning = |to: &str| Aligned { signed_by: Vec::new(), returns_to: Some(to.to_owned()) };
    let signed = |by: &str| Aligned { signed_by: vec![by.to_owned()], returns_to: None };
    assert!(passes("v=DMARC1; p=none", returning("bounce.shop.example")).await);
    assert!(!passes("v=DMARC1; p=none; aspf=s", returning("bounce.shop.example")).await);
    assert!(passes("v=DMARC1; p=none; adkim=s; aspf=s", signed("shop.example")).await);
    assert!(!passes("v=DMARC1; p=none", signed("node.example")).await);
    assert!(!passes("v=DMARC1; p=none", Aligned::default()).await);
}

#[tokio::test]
async fn rfc9989_4_7_tags_that_were_taken_away_are_told_and_harm_nothing() {
    let (dns, names) = asked().await;
    let look = async |record: &str| {
        dns.clear("_dmarc.shop.example").txt("_dmarc.shop.example", record);
        let aligned = Aligned { signed_by: vec!["shop.example".to_owned()], returns_to: None };
        policy(&names, "shop.example", &aligned).await
    };
    let at = |found: &[Finding], level: Level, what: &str| {
        found.iter().any(|one| one.level == level && one.what.contains(what))
    };
    let found = look("v=DMARC1; pct=50; p=reject; rf=afrf; ri=3600; huh=1; rua=mailto:d@shop.example!10m").await;
    for tag in ["pct=", "rf=", "ri=", "huh=", "size after !"] {
        assert!(at(&found, Level::Warning, tag), "{tag}: {found:?}");
    }
    assert!(at(&found, Level::Good, "asks for reject") && !at(&found, Level::Wrong, ""), "{found:?}");
    // §4.7: without p it counts as none where reports are asked for, and for nothing where they are not.
    assert!(at(&look("v=DMARC1; rua=mailto:d@shop.example").await, Level::Note, "asks for none"));
    assert!(at(&look("v=DMARC1; p=sometimes").await, Level::Wrong, "does not count"));
    assert!(at(&look("v=DMARC1; p=reject; sp").await, Level::Wrong, "does not count"));
    dns.txt("_dmarc.shop.example", "v=DMARC1; p=none");
    dns.txt("_dmarc.shop.example", "v=DMARC1; p=reject");
    let found = policy(&names, "shop.example", &Aligned::default()).await;
    assert!(at(&found, Level::Wrong, "several DMARC records"), "{found:?}");
}

#[tokio::test]
async fn rfc5782_2_1_a_list_speaks_by_codes_and_any_other_answer_is_its_own_fault() {
    let (dns, names) = asked().await;
    let lists = ["bl.example".to_owned()];
    let look = async |address: &str| listed(&names, &[sender(address)], &lists).await.remove(0);
    assert_eq!(look(ADDRESS).await.level, Level::Good);
    let name = "25.113.0.203.bl.example";
    dns.address(name, "127.0.0.3".parse().unwrap()).txt(name, "spam trap, see https://bl.example/25");
    let found = look(ADDRESS).await;
    assert!(found.level == Level::Wrong && found.what.contains("(127.0.0.3): spam trap"), "{found:?}");
    for strange in ["127.255.255.254", "198.51.100.9"] {
        dns.clear(name).address(name, strange.parse().unwrap());
        let found = look(ADDRESS).await;
        assert!(found.level == Level::Warning && found.what.contains(strange), "{found:?}");
        assert!(found.remedy.unwrap().contains("the list that fails"));
    }
    // RFC 5782 §2.4: by nibbles.
    let six = "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.example";
    dns.loopback(six);
    assert_eq!(look("2001:db8::26").await.level, Level::Good);
    dns.clear(six).address(six, "127.0.0.2".parse().unwrap());
    assert_eq!(look("2001:db8::25").await.level, Level::Wrong);
}

#[tokio::test]
async fn rfc8461_3_own_policies_are_read_as_senders_read_them() {
    let (dns, names) = asked().await;
    let ca = testkit::tls::TestCa::new();
    let host = testkit::https::FakeHttps::start(&ca, "mta-sts.bounce.shop.example").await.unwrap();
    let mut settings = crate::delivery::Settings::new("mx.node.example");
    settings.resolver = Some(dns.addr());
    settings.dnssec = crate::delivery::Dnssec::Off;
    settings.allows_private = true;
    settings.policy_port = host.addr().port();
    settings.roots = vec![ca.certificate()];
    let domain = "bounce.shop.example";
    let look = async || transport_policy(&names, &settings, domain).await;
    assert!(look().await.what.contains("no MX record"));
    dns.mx(domain, 10, "mx.node.example");
    assert!(look().await.what.contains("no MTA-STS policy"));
    dns.txt("_mta-sts.bounce.shop.example", "v=STSv1; id=;");
    assert!(look().await.what.contains("of the form v=STSv1"));
    dns.clear("_mta-sts.bounce.shop.example").txt("_mta-sts.bounce.shop.example", "v=STSv1; id=20270115T1;");
    let found = look().await;
    assert!(found.level == Level::Wrong && found.what.contains("does not give it out"), "{found:?}");
    dns.loopback("mta-sts.bounce.shop.example");
    host.text("version: STSv1\nmode: enforce\nmx: mx.other.example\nmax_age: 604800\n");
    let found = look().await;
    assert!(found.level == Level::Wrong && found.what.contains("exchanger mx.node.example"), "{found:?}");
    host.text("no policy");
    assert!(look().await.what.contains("is no MTA-STS policy"));
    host.text("version: STSv1\nmode: enforce\nmx: mx.node.example\nmax_age: 604800\n");
    let found = look().await;
    assert!(found.level == Level::Good && found.what.contains("mode enforce, id 20270115T1"), "{found:?}");
    let reports = async || transport_reports(&names, domain).await.level;
    assert_eq!(reports().await, Level::Note);
    dns.txt("_smtp._tls.bounce.shop.example", "v=TLSRPTv1; rua=mailto:t@node.example");
    assert_eq!(reports().await, Level::Good);
    dns.txt("_smtp._tls.bounce.shop.example", "v=TLSRPTv1; rua=mailto:u@node.example");
    assert_eq!(reports().await, Level::Warning);
}
