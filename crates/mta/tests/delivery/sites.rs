//! Sites: domains with the same exchangers share what they bear, and take turns at it.

use crate::house::{BODY, House, by_dns, pause};
use bytes::Bytes;
use mail::address::{Address, Domain};
use mail::dkim::SigningKey;
use model::basis::{BasisKind, Evidence};
use model::instruction::Operation;
use model::message::{Draft, Heads, MessageState};
use model::{PurposeId, StreamId, StreamKind};
use mta::Pages;
use mta::delivery::{Delivery, ReceiverStatus, Settings, SiteRule};
use mta::submission::{Answer, Submission};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use store::permission::{Act, Method};
use store::{Authority, DomainKeys, Homing, NewBasis, NewCredential, SiteOrderRow, SitePlace, SiteWork, Verified};
use testkit::mx::{Conduct, Stage};
use testkit::{FakeDns, FakeMx, within};

const MINUTE: Duration = Duration::from_secs(60);
const HOST: &str = "mx.provider.example";

async fn set() -> (House, FakeDns, FakeMx) {
    (House::new(Homing::ByDomain).await, FakeDns::start().await.unwrap(), FakeMx::start().await.unwrap())
}

fn limited(dns: &FakeDns, mx: &FakeMx, rules: &[&str]) -> Settings {
    let mut settings = by_dns(dns, mx);
    settings.sites = rules.iter().map(|rule| rule.parse::<SiteRule>().unwrap()).collect();
    settings
}

async fn receiver(delivery: &Delivery, what: &str, name: &str, so: impl Fn(&ReceiverStatus) -> bool) -> ReceiverStatus {
    within(what, async {
        loop {
            if let Some(one) = delivery.receivers(10).into_iter().find(|one| one.name == name && so(one)) {
                return one;
            }
            pause().await;
        }
    })
    .await
}

#[tokio::test]
async fn domains_with_the_same_exchanger_share_its_connections_and_one_connection_serves_many() {
    let (house, dns, mx) = set().await;
    dns.loopback(HOST);
    for number in 0..12 {
        dns.mx(&format!("d{number}.example"), 10, HOST);
    }
    let delivery = house.deliver(limited(&dns, &mx, &["mx.provider.example connections=2"])).await;
    let hold = mx.hold(Stage::Data);
    for number in 0..12 {
        house.send(&format!("ada@d{number}.example")).await;
    }
    hold.reached(2).await;
    let told = receiver(&delivery, "ten in line", HOST, |one| one.waiting >= 10).await;
    assert_eq!((told.connections, told.connections_max, told.domains), (2, 2, 12));
    hold.release();
    mx.wait_for(12).await;
    let counts = mx.counts();
    assert!(counts.open_at_once <= 2, "{counts:?}");
    assert!(counts.connections <= 4, "a connection goes over to the next domain: {counts:?}");
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn domains_with_exchangers_of_their_own_share_nothing() {
    let (house, dns, mx) = set().await;
    for number in 0..6 {
        let host = format!("mx.d{number}.example");
        dns.mx(&format!("d{number}.example"), 10, &host).loopback(&host);
    }
    let delivery = house.deliver(limited(&dns, &mx, &["mx.provider.example connections=2"])).await;
    let hold = mx.hold(Stage::Data);
    for number in 0..6 {
        house.send(&format!("ada@d{number}.example")).await;
    }
    hold.reached(6).await;
    hold.release();
    mx.wait_for(6).await;
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn a_receiver_that_slows_us_down_is_left_alone_for_all_its_domains_and_others_are_not() {
    let (house, dns, mx) = set().await;
    let other = FakeMx::start_at(SocketAddr::from(([127, 0, 0, 2], mx.addr().port()))).await.unwrap();
    dns.loopback(HOST).address("mx.other.example", [127, 0, 0, 2].into());
    dns.mx("one.example", 10, HOST).mx("two.example", 10, HOST).mx("other.example", 10, "mx.other.example");
    mx.treat_next("ada@one.example", Conduct::defer(421, "4.7.28 unusual rate of mail from your address"));
    let delivery = house.deliver(limited(&dns, &mx, &[])).await;
    let first = house.send("ada@one.example").await;
    let told = receiver(&delivery, "a back-off", HOST, |one| one.backing_off_until.is_some()).await;
    assert_eq!(told.trouble.unwrap().0, "the site limits our rate by what it thinks of our address");
    assert_eq!((told.connections_allowed, told.rate_percent), (1, 50));
    let second = house.send("ada@two.example").await;
    let third = house.send("ada@other.example").await;
    house.until_state(third.id, MessageState::Delivered).await;
    // Twin: the other domain waits although nobody said anything of it; the one elsewhere did not.
    receiver(&delivery, "two domains", HOST, |one| one.domains == 2 || one.backing_off_until.is_some()).await;
    assert_eq!(mx.counts().recipients.get("ada@two.example"), None);
    house.clock.set(told.backing_off_until.unwrap());
    house.until_state(second.id, MessageState::Delivered).await;
    house.clock.advance(10 * MINUTE);
    house.until_state(first.id, MessageState::Delivered).await;
    assert_eq!(other.received().len(), 1);
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn what_an_exchanger_that_is_not_the_receivers_says_slows_down_its_domain_alone() {
    let (house, dns, mx) = set().await;
    let port = mx.addr().port();
    let evil = FakeMx::start_at(SocketAddr::from(([127, 0, 0, 3], port))).await.unwrap();
    evil.treat_others(Conduct::defer(421, "4.7.0 go away"));
    // The first exchanger of `evil.example` is the provider's, at an address where nobody listens for a while.
    dns.address(HOST, [127, 0, 0, 4].into()).address("mx.evil.example", [127, 0, 0, 3].into());
    dns.mx("evil.example", 10, HOST).mx("evil.example", 20, "mx.evil.example").mx("good.example", 10, HOST);
    let delivery = house.deliver(limited(&dns, &mx, &[])).await;
    house.send("ada@evil.example").await;
    within("the evil domain to be left alone", async {
        while delivery.site_status("evil.example").is_none_or(|status| status.backing_off_until.is_none()) {
            pause().await;
        }
    })
    .await;
    let _up = FakeMx::start_at(SocketAddr::from(([127, 0, 0, 4], port))).await.unwrap();
    let good = house.send("ada@good.example").await;
    house.until_state(good.id, MessageState::Delivered).await;
    assert!(delivery.receivers(10).iter().all(|one| one.backing_off_until.is_none() && one.trouble.is_none()));
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn a_rate_is_kept_and_the_rest_goes_a_minute_later() {
    let (house, dns, mx) = set().await;
    dns.loopback(HOST);
    for number in 0..9 {
        dns.mx(&format!("d{number}.example"), 10, HOST);
    }
    let delivery = house.deliver(limited(&dns, &mx, &["provider.example per_minute=4"])).await;
    for number in 0..9 {
        house.send(&format!("ada@d{number}.example")).await;
    }
    for (minute, arrived) in [(1, 4), (2, 8), (3, 9)] {
        mx.wait_for(arrived).await;
        receiver(&delivery, "the rest to wait", "provider.example", |one| one.last_minute <= Some(4)).await;
        assert_eq!(mx.received().len(), arrived, "minute {minute}");
        house.clock.advance(Duration::from_secs(62));
    }
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn limits_change_while_it_delivers() {
    let (house, dns, mx) = set().await;
    dns.loopback(HOST).mx("one.example", 10, HOST);
    let settings = limited(&dns, &mx, &["mx.provider.example connections=1"]);
    let shaping = settings.shaping;
    let delivery = house.deliver(settings).await;
    let hold = mx.hold(Stage::Data);
    for number in 0..40 {
        house.send(&format!("r{number}@one.example")).await;
    }
    hold.reached(1).await;
    delivery.reshape(shaping, vec!["mx.provider.example connections=3".parse().unwrap()]);
    hold.reached(3).await;
    assert_eq!(mx.counts().open, 3);
    hold.release();
    mx.wait_for(40).await;
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn an_order_stops_a_site_while_a_node_delivers_says_so_and_ends_by_its_time_or_by_hand() {
    let (house, dns, mx) = set().await;
    dns.loopback(HOST).mx("one.example", 10, HOST).mx("two.example", 10, HOST).loopback("mx.free.example");
    dns.mx("free.example", 10, "mx.free.example");
    let delivery = house.deliver(limited(&dns, &mx, &[])).await;
    let (place, now) = (SitePlace::Sqlite(house.dir.path().to_owned()), house.store.now());
    let order = SiteOrderRow {
        site: HOST.to_owned(),
        connections: None,
        messages_per_connection: None,
        per_minute: None,
        per_hour: None,
        stopped: true,
        why: "they asked us to".to_owned(),
        who: "night shift".to_owned(),
        since: now,
        ends: Some(now.plus(10 * MINUTE)),
    };
    store::sites_beside(&place, SiteWork::Set(order.clone()), now).await.unwrap();
    // Once somebody's mail was found to be for it, it is seen to be stopped.
    within("the order to be taken over", async {
        for number in 0.. {
            house.send(&format!("probe{number}@one.example")).await;
            if delivery.receivers(10).iter().any(|one| one.name == HOST && one.stopped) {
                return;
            }
            pause().await;
        }
    })
    .await;
    let arrived = mx.received().iter().filter(|message| message.to[0].ends_with("@two.example")).count();
    let stopped = house.send("ada@two.example").await;
    let free = house.send("ada@free.example").await;
    house.until_state(free.id, MessageState::Delivered).await;
    assert_eq!((arrived, mx.counts().recipients.get("ada@two.example")), (0, None));
    let seen = within("the state to be told", async {
        loop {
            let (_, view) = store::sites_beside(&place, SiteWork::Look, house.store.now()).await.unwrap();
            if let Some(state) = view.states.into_iter().find(|state| state.site == HOST && state.connections == 0) {
                assert_eq!(view.orders, std::slice::from_ref(&order));
                return state;
            }
            pause().await;
        }
    })
    .await;
    assert_eq!(seen.node, 0);
    store::sites_beside(&place, SiteWork::Clear(HOST.to_owned()), now).await.unwrap();
    house.until_state(stopped.id, MessageState::Delivered).await;
    delivery.drain(MINUTE).await;
}

/// Another controller on the same store.
struct Neighbour {
    authority: Authority,
    stream: StreamId,
}

async fn neighbour(house: &House) -> Neighbour {
    let store = &house.store;
    let controller = store.create_controller("Neighbour").await.unwrap();
    store.sign_agreement(controller, None).await.unwrap();
    let stream = store.create_stream(controller, "codes", StreamKind::Transactional, "codes").await.unwrap();
    store.issue_instruction(controller, &Operation::ALL, &[stream], 1_000_000).await.unwrap();
    let keys = DomainKeys {
        rsa_selector: "r1".into(),
        rsa: SigningKey::generate_rsa().unwrap(),
        ed25519_selector: "e1".into(),
        ed25519: SigningKey::generate_ed25519().unwrap(),
    };
    let domain = Domain::parse("neighbour.example").unwrap();
    store.add_domain(controller, &domain, &keys, Verified::Yes).await.unwrap();
    let new = NewCredential { username: "codes", default_stream: stream, streams: &[stream], expires: None };
    let credential = store.create_credential(controller, new).await.unwrap();
    Neighbour { authority: store.authority_of(credential.id).unwrap(), stream }
}

fn draft(stream: StreamId, from: &str, to: &str) -> Draft {
    let head = format!(
        "From: <{from}>\r\nTo: <{to}>\r\nSubject: News\r\nDate: Thu, 15 Jan 2027 12:00:00 +0000\r\n\
         Message-ID: <1@sample.example>\r\n\r\n"
    );
    Draft {
        stream,
        purpose: PurposeId::of_stream(stream),
        from: Address::parse(from).unwrap(),
        reverse_path: None,
        recipients: vec![Address::parse(to).unwrap()],
        heads: Heads::Same(Bytes::from(head)),
        body: Bytes::from(BODY.to_owned()),
        metadata: String::new(),
        notices: Vec::new(),
    }
}

#[tokio::test]
async fn a_message_that_somebody_waits_for_passes_the_bulk_of_another_controller_at_a_full_site() {
    let (house, dns, mx) = set().await;
    let neighbour = neighbour(&house).await;
    let (store, pages) = (&house.store, Pages::parse("https://mail.sample.example").unwrap());
    let news = store.create_stream(house.controller, "newsletter", StreamKind::Marketing, "news").await.unwrap();
    let streams = [house.stream, news];
    store.issue_instruction(house.controller, &Operation::ALL, &streams, 1_000_000).await.unwrap();
    let new = NewCredential { username: "news", default_stream: news, streams: &streams, expires: None };
    let credential = store.create_credential(house.controller, new).await.unwrap();
    let authority = store.authority_of(credential.id).unwrap();
    let submission = Submission::new(Arc::clone(store)).with_pages(Some(pages.clone()));
    dns.loopback(HOST).mx("codes.example", 10, HOST);
    let mut settings = limited(&dns, &mx, &["mx.provider.example connections=1"]);
    settings.pages = Some(pages);
    let delivery = house.deliver(settings).await;
    let hold = mx.hold(Stage::Data);
    for number in 0..60 {
        let domain = format!("d{}.example", number % 20);
        dns.mx(&domain, 10, HOST);
        let to = format!("r{number}@{domain}");
        let basis = NewBasis {
            kind: BasisKind::Consent,
            confirmed: Verified::Yes,
            evidence: Evidence::Complete,
            expires: None,
        };
        let address = Address::parse(&to).unwrap();
        let purpose = PurposeId::of_stream(news);
        store.record_basis(house.controller, purpose, &address, basis, &Act::by(Method::Api)).await.unwrap();
        let answers = submission.accept(&authority, draft(news, "shop@sample.example", &to), None).await.unwrap();
        assert!(matches!(answers[..], [Answer::Queued(_)]), "{answers:?}");
    }
    hold.reached(1).await;
    receiver(&delivery, "the flood in line", HOST, |one| one.waiting >= 15).await;
    let code = draft(neighbour.stream, "codes@neighbour.example", "ada@codes.example");
    submission.accept(&neighbour.authority, code, None).await.unwrap();
    receiver(&delivery, "the code in line", HOST, |one| one.domains == 21).await;
    hold.release();
    let received = mx.wait_for(61).await;
    let place = received.iter().position(|message| message.to == ["ada@codes.example"]).unwrap();
    // What the one connection had taken goes first, and nothing after that.
    assert!(place <= 8, "{place}");
    assert_eq!(mx.counts().open_at_once, 1);
    delivery.drain(MINUTE).await;
}
