//! Egress: from which of our addresses mail leaves, under which name, and what is counted by address.

use crate::house::{BODY, House, by_dns, pause};
use bytes::Bytes;
use mail::address::Address;
use model::basis::{BasisKind, Evidence};
use model::instruction::Operation;
use model::message::{Draft, Heads, MessageState, Queued};
use model::stream::Class;
use model::{PurposeId, StreamId, StreamKind};
use mta::Pages;
use mta::delivery::{Delivery, Egress, EgressTexts, Settings, SiteRule};
use mta::submission::{Answer, Submission};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use store::permission::{Act, Method};
use store::{Authority, EgressWork, Homing, NewBasis, NewCredential, SitePlace, Verified};
use testkit::mx::{Conduct, Received, Stage};
use testkit::{FakeDns, FakeMx, within};

const MINUTE: Duration = Duration::from_secs(60);
const HOST: &str = "mx.provider.example";

/// A controller with a newsletter beside his receipts, and a receiver of mail for every `dN.example`.
struct Set {
    house: House,
    dns: FakeDns,
    mx: FakeMx,
    authority: Authority,
    news: StreamId,
}

fn own(last: u8) -> IpAddr {
    [127, 0, 0, last].into()
}

impl Set {
    async fn new() -> Self {
        let (house, dns) = (House::new(Homing::ByDomain).await, FakeDns::start().await.unwrap());
        let (mx, store) = (FakeMx::start().await.unwrap(), &house.store);
        dns.loopback(HOST);
        for number in 0..20 {
            dns.mx(&format!("d{number}.example"), 10, HOST);
        }
        let news = store.create_stream(house.controller, "newsletter", StreamKind::Marketing, "news").await.unwrap();
        let streams = [house.stream, news];
        store.issue_instruction(house.controller, &Operation::ALL, &streams, 1_000_000).await.unwrap();
        let new = NewCredential { username: "news", default_stream: news, streams: &streams, expires: None };
        let credential = store.create_credential(house.controller, new).await.unwrap();
        let authority = store.authority_of(credential.id).unwrap();
        Self { house, dns, mx, authority, news }
    }

    fn settings(&self, addresses: &[&str], pools: &[&str], marketing: &str, rules: &[&str]) -> Settings {
        let mut settings = by_dns(&self.dns, &self.mx);
        settings.pages = Some(pages());
        settings.sites = rules.iter().map(|rule| rule.parse::<SiteRule>().unwrap()).collect();
        settings.egress = Arc::new(egress(addresses, pools, marketing));
        settings
    }

    /// Marketing to somebody who asked for it.
    async fn news(&self, to: &str) -> Queued {
        let basis = NewBasis {
            kind: BasisKind::Consent,
            confirmed: Verified::Yes,
            evidence: Evidence::Complete,
            expires: None,
        };
        let (store, address, purpose) =
            (&self.house.store, Address::parse(to).unwrap(), PurposeId::of_stream(self.news));
        let act = Act::by(Method::Api);
        store.record_basis(self.house.controller, purpose, &address, basis, &act).await.unwrap();
        let submission = Submission::new(Arc::clone(store)).with_pages(Some(pages()));
        let mut answers = submission.accept(&self.authority, draft(self.news, to), None).await.unwrap();
        match answers.pop() {
            Some(Answer::Queued(queued)) => queued,
            other => panic!("{other:?}"),
        }
    }

    async fn assign(&self, class: Option<Class>, pool: &str) {
        let work = EgressWork::Assign {
            controller: "Sample".to_owned(),
            class,
            pool: pool.to_owned(),
            why: "an address of his own".to_owned(),
            who: "anna".to_owned(),
        };
        assert!(self.order(work).await);
    }

    /// As the command does, beside the node.
    async fn order(&self, work: EgressWork) -> bool {
        let (place, now) = (SitePlace::Sqlite(self.house.dir.path().to_owned()), self.house.store.now());
        store::egress_beside(&place, work, now).await.unwrap().0
    }

    async fn from(&self, to: &str) -> Received {
        let wanted = |all: &[Received]| all.iter().find(|one| one.to == [to]).cloned();
        self.mx.wait_until("the message", |received, _| wanted(received)).await
    }
}

fn pages() -> Pages {
    Pages::parse("https://mail.sample.example").unwrap()
}

fn egress(addresses: &[&str], pools: &[&str], marketing: &str) -> Egress {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let (addresses, pools) = (owned(addresses), owned(pools));
    Egress::read(EgressTexts {
        addresses: &addresses,
        pools: &pools,
        transactional: "default",
        marketing,
        ehlo: "node.sample.example",
    })
    .unwrap()
}

fn draft(stream: StreamId, to: &str) -> Draft {
    let head = format!(
        "From: <shop@sample.example>\r\nTo: <{to}>\r\nSubject: News\r\nDate: Thu, 15 Jan 2027 12:00:00 +0000\r\n\
         Message-ID: <1@sample.example>\r\n\r\n"
    );
    Draft {
        stream,
        purpose: PurposeId::of_stream(stream),
        from: Address::parse("shop@sample.example").unwrap(),
        reverse_path: None,
        recipients: vec![Address::parse(to).unwrap()],
        heads: Heads::Same(Bytes::from(head)),
        body: Bytes::from(BODY.to_owned()),
        metadata: String::new(),
        notices: Vec::new(),
    }
}

async fn trouble(delivery: &Delivery, site: &str) -> &'static str {
    within("what keeps the mail", async {
        loop {
            if let Some(trouble) = delivery.site_status(site).and_then(|status| status.trouble) {
                return trouble;
            }
            pause().await;
        }
    })
    .await
}

#[tokio::test]
async fn transactional_mail_and_marketing_leave_from_the_addresses_of_their_pools_under_their_names() {
    let set = Set::new().await;
    let addresses = ["mx1 127.0.0.2 ehlo=mx1.sample.example", "mx2 127.0.0.3 ehlo=mx2.sample.example"];
    let settings = set.settings(&addresses, &["default mx1", "news mx2"], "news", &[]);
    let delivery = set.house.deliver(settings).await;
    let receipt = set.house.send("ada@d1.example").await;
    let news = set.news("ada@d1.example").await;
    let receipt_view = set.house.until_state(receipt.id, MessageState::Delivered).await;
    let news_view = set.house.until_state(news.id, MessageState::Delivered).await;
    let mut seen: Vec<_> = set.mx.received().into_iter().map(|one| (one.peer, one.hello)).collect();
    seen.sort();
    assert_eq!(seen, [(own(2), "mx1.sample.example".to_owned()), (own(3), "mx2.sample.example".to_owned())]);
    for (view, line) in [
        (receipt_view, "from 127.0.0.2 as mx1.sample.example\n"),
        (news_view, "from 127.0.0.3 as mx2.sample.example\n"),
    ] {
        let transcript = view.timeline.last().unwrap().transcript.clone().unwrap();
        assert!(transcript.contains(line), "{transcript}");
    }
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn who_configures_nothing_leaves_from_wherever_the_system_says_and_under_the_nodes_name() {
    let set = Set::new().await;
    let delivery = set.house.deliver(by_dns(&set.dns, &set.mx)).await;
    let receipt = set.house.send("ada@d1.example").await;
    let view = set.house.until_state(receipt.id, MessageState::Delivered).await;
    let seen = set.from("ada@d1.example").await;
    assert_eq!(seen.peer, own(1));
    assert!(!view.timeline.last().unwrap().transcript.clone().unwrap().contains("from 127"));
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn connections_are_counted_by_address_and_spread_by_weight() {
    let set = Set::new().await;
    let settings = set.settings(
        &["mx1 127.0.0.2", "mx2 127.0.0.3 weight=3"],
        &["default mx1 mx2"],
        "default",
        &["mx.provider.example connections=2"],
    );
    let delivery = set.house.deliver(settings).await;
    let hold = set.mx.hold(Stage::Data);
    for number in 0..12 {
        set.house.send(&format!("ada@d{number}.example")).await;
    }
    hold.reached(4).await;
    let told = within("the rest in line", async {
        loop {
            if let Some(one) = delivery.receivers(10).into_iter().find(|one| one.name == HOST && one.waiting > 0) {
                return one;
            }
            pause().await;
        }
    })
    .await;
    assert_eq!((told.connections, told.connections_max), (4, 4));
    hold.release();
    set.mx.wait_for(12).await;
    let peers = set.mx.counts().peers;
    let most = |last| peers.get(&own(last)).map(|(_, most)| *most);
    assert_eq!((most(1), most(2), most(3)), (None, Some(2), Some(2)), "two for each address: {peers:?}");
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn a_receiver_that_sends_one_address_away_gets_the_mail_from_another_of_its_pool_and_of_no_other() {
    let set = Set::new().await;
    let addresses = ["mx1 127.0.0.2", "mx2 127.0.0.3", "mx3 127.0.0.4"];
    let settings = set.settings(&addresses, &["default mx1 mx2", "news mx3"], "news", &[]);
    let delivery = set.house.deliver(settings).await;
    set.mx.treat_next("ada@d1.example", Conduct::defer(421, "4.7.28 unusual rate of mail from your address"));
    set.house.send("ada@d1.example").await;
    within("the address to be left alone", async {
        while delivery.receivers(10).iter().all(|one| one.trouble.is_none()) {
            pause().await;
        }
    })
    .await;
    let refused: Vec<_> = set.mx.counts().peers.into_keys().collect();
    // Twin: without a second address, it all waited (see `sites`).
    for number in 2..8 {
        set.house.send(&format!("ada@d{number}.example")).await;
    }
    let received = set.mx.wait_for(6).await;
    let by: Vec<_> = received.iter().map(|one| one.peer).collect();
    assert!(refused.len() == 1 && by.iter().all(|peer| *peer != refused[0] && *peer != own(4)), "{refused:?} {by:?}");
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn an_address_that_is_not_ours_is_left_out_and_without_another_the_mail_waits_and_says_why() {
    let set = Set::new().await;
    // RFC 5737: nobody has it.
    let addresses = ["gone 192.0.2.7", "mx2 127.0.0.3", "lost 192.0.2.8"];
    let settings = set.settings(&addresses, &["default gone mx2", "news lost"], "news", &[]);
    let delivery = set.house.deliver(settings).await;
    for number in 0..4 {
        let receipt = set.house.send(&format!("ada@d{number}.example")).await;
        set.house.until_state(receipt.id, MessageState::Delivered).await;
    }
    assert!(set.mx.received().iter().all(|one| one.peer == own(3)));
    let news = set.news("ada@d9.example").await;
    let why = trouble(&delivery, "d9.example").await;
    assert_eq!(why, "an egress address cannot be bound: this machine does not have it");
    assert_eq!(set.house.view(news.id).await.state, MessageState::Queued);
    assert_eq!(set.mx.received().len(), 4, "and it goes by no other pool");
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn a_pool_without_an_address_of_the_receivers_family_lets_mail_wait_and_says_why() {
    let set = Set::new().await;
    let settings = set.settings(&["six ::1", "four 127.0.0.2"], &["default six", "news four"], "news", &[]);
    let delivery = set.house.deliver(settings).await;
    set.house.send("ada@d1.example").await;
    let news = set.news("ada@d1.example").await;
    set.house.until_state(news.id, MessageState::Delivered).await;
    let why = trouble(&delivery, "d1.example").await;
    assert_eq!(why, "no address of its egress pool is of the receiver's family (IPv4 or IPv6)");
    assert_eq!(set.mx.received().len(), 1);
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn what_is_assigned_while_it_delivers_holds_within_seconds_for_what_waits_and_what_comes() {
    let set = Set::new().await;
    let addresses = ["mx1 127.0.0.2", "mx2 127.0.0.3"];
    let settings =
        set.settings(&addresses, &["default mx1", "own mx2"], "default", &["mx.provider.example connections=1"]);
    let delivery = set.house.deliver(settings).await;
    let hold = set.mx.hold(Stage::Data);
    for number in 0..10 {
        set.house.send(&format!("before{number}@d{number}.example")).await;
    }
    hold.reached(1).await;
    set.assign(Some(Class::Prompt), "own").await;
    // The other address has a place of its own at the receiver.
    hold.reached(2).await;
    hold.release();
    let received = set.mx.wait_for(10).await;
    let by = |last| received.iter().filter(|one| one.peer == own(last)).count();
    assert!(by(2) >= 1 && by(3) >= 1 && by(2) + by(3) == 10, "{} {}", by(2), by(3));
    let once: std::collections::HashSet<_> = received.iter().map(|one| &one.to).collect();
    assert_eq!(once.len(), 10, "every message went once");
    let receipt = set.house.send("after@d1.example").await;
    let news = set.news("after@d2.example").await;
    for id in [receipt.id, news.id] {
        set.house.until_state(id, MessageState::Delivered).await;
    }
    assert_eq!(set.from("after@d1.example").await.peer, own(3));
    assert_eq!(set.from("after@d2.example").await.peer, own(2), "twin: of the other class nothing was ordered");
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn mail_that_is_assigned_to_a_pool_that_is_not_here_waits_until_it_is_assigned_otherwise() {
    let set = Set::new().await;
    set.assign(None, "elsewhere").await;
    let settings = set.settings(&["mx1 127.0.0.2"], &["default mx1"], "default", &[]);
    let delivery = set.house.deliver(settings).await;
    let receipt = set.house.send("ada@d1.example").await;
    assert_eq!(trouble(&delivery, "d1.example").await, "it is assigned to an egress pool that this node does not have");
    assert_eq!(set.house.view(receipt.id).await.state, MessageState::Queued);
    assert!(set.order(EgressWork::Unassign { controller: "Sample".to_owned(), class: None }).await);
    set.house.until_state(receipt.id, MessageState::Delivered).await;
    assert_eq!(set.from("ada@d1.example").await.peer, own(2));
    delivery.drain(MINUTE).await;
}

/// Beside the node, until so many have arrived and the rest says why it waits.
async fn cap_is_reached(set: &Set, delivery: &Delivery, arrived: usize) -> String {
    set.mx.wait_for(arrived).await;
    let why = within("the cap to be reached", async {
        loop {
            let statuses = (0..20).filter_map(|number| delivery.site_status(&format!("d{number}.example")));
            if let Some((what, _)) = statuses.filter_map(|status| status.waits).next() {
                return what;
            }
            pause().await;
        }
    })
    .await;
    assert_eq!(set.mx.received().len(), arrived, "and no more");
    why
}

impl Set {
    async fn warm(&self, base: u32) {
        let (why, who) = ("it is new".to_owned(), "anna".to_owned());
        assert!(self.order(EgressWork::Warm { address: "mx1".to_owned(), base, why, who }).await);
    }

    async fn flood(&self, from: u32, count: u32) {
        for number in from..from + count {
            self.house.send(&format!("r{number}@d{}.example", number % 5)).await;
        }
    }
}

/// A little after midnight: before what waits is too old.
fn next_day(set: &Set) {
    let day = set.house.store.now().micros() / 86_400_000_000 + 1;
    set.house.clock.set(model::Timestamp::from_seconds(day * 86_400 + 60));
}

#[tokio::test]
async fn w1_what_is_over_the_warm_up_cap_waits_and_goes_the_next_day_with_a_cap_that_has_grown() {
    let mut set = Set::new().await;
    set.warm(10).await;
    let settings = set.settings(&["mx1 127.0.0.2"], &["default mx1"], "default", &[]);
    let delivery = set.house.deliver(settings.clone()).await;
    set.flood(0, 30).await;
    let why = cap_is_reached(&set, &delivery, 10).await;
    assert_eq!(why, "warm-up cap of 127.0.0.2 at others: 10 of 10 today, opens at 00:00 UTC");
    // A restart knows what went.
    delivery.drain(MINUTE).await;
    set.house = set.house.restart().await;
    let delivery = set.house.deliver(settings).await;
    cap_is_reached(&set, &delivery, 10).await;
    // Twin: on the next day it goes on, with 1.4 times as much.
    next_day(&set);
    let why = cap_is_reached(&set, &delivery, 24).await;
    assert!(why.contains("14 of 14 today"), "{why}");
    assert!(set.order(EgressWork::Warmed { address: "mx1".to_owned() }).await);
    set.mx.wait_for(30).await;
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn w1_overflow_goes_to_a_warm_address_of_the_same_pool() {
    let set = Set::new().await;
    set.warm(4).await;
    let addresses = ["mx1 127.0.0.2", "mx2 127.0.0.3", "mx3 127.0.0.4"];
    let settings = set.settings(&addresses, &["default mx1 mx2", "news mx3"], "news", &[]);
    let delivery = set.house.deliver(settings).await;
    set.flood(0, 40).await;
    let received = set.mx.wait_for(40).await;
    let by = |last| received.iter().filter(|one| one.peer == own(last)).count();
    assert!(by(2) <= 4 && by(2) + by(3) == 40 && by(4) == 0, "{} {} {}", by(2), by(3), by(4));
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn w1_after_a_day_with_many_refusals_the_cap_does_not_grow() {
    let set = Set::new().await;
    set.warm(10).await;
    let settings = set.settings(&["mx1 127.0.0.2"], &["default mx1"], "default", &[]);
    let delivery = set.house.deliver(settings).await;
    set.mx.treat("r0@d0.example", Conduct::reject(550, "5.1.1", "no such mailbox"));
    let refused = set.house.send("r0@d0.example").await;
    set.house.until_state(refused.id, MessageState::Bounced).await;
    set.flood(1, 40).await;
    cap_is_reached(&set, &delivery, 9).await;
    next_day(&set);
    let why = cap_is_reached(&set, &delivery, 19).await;
    assert!(why.contains("10 of 10 today"), "{why}");
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn w1_after_thirty_days_without_use_it_begins_anew() {
    let set = Set::new().await;
    set.warm(4).await;
    let settings = set.settings(&["mx1 127.0.0.2"], &["default mx1"], "default", &[]);
    let delivery = set.house.deliver(settings).await;
    set.flood(0, 9).await;
    cap_is_reached(&set, &delivery, 4).await;
    next_day(&set);
    let why = cap_is_reached(&set, &delivery, 9).await;
    assert!(why.contains("5 of 5 today"), "{why}");
    set.house.clock.advance(Duration::from_secs(30 * 86_400));
    set.flood(20, 20).await;
    let why = cap_is_reached(&set, &delivery, 13).await;
    assert!(why.contains("4 of 4 today"), "{why}");
    delivery.drain(MINUTE).await;
}
