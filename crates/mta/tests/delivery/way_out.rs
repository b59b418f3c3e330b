//! Marketing at the moment it leaves: with its way out, or not at all.

use crate::house::{BODY, House, by_smarthost, events};
use bytes::Bytes;
use mail::address::Address;
use model::basis::{BasisKind, Evidence};
use model::instruction::Operation;
use model::message::{Draft, Heads, MessageState, Queued};
use model::{PurposeId, StreamId, StreamKind};
use mta::Pages;
use mta::delivery::Settings;
use mta::submission::{Answer, Submission};
use std::sync::Arc;
use std::time::Duration;
use store::permission::{Act, Method};
use store::{Authority, Homing, NewBasis, NewCredential, Verified};
use testkit::FakeMx;

const ADA: &str = "ada@dest.example";
const BOB: &str = "bob@dest.example";
const HEAD: &str = "From: Shop <shop@sample.example>\r\nSubject: News\r\nDate: Thu, 15 Jan 2027 12:00:00 +0000\r\n\
                    Message-ID: <1@sample.example>\r\n";
const SIGNED: &str =
    "MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b; protocol=\"application/pgp-signature\"\r\n";

fn pages() -> Option<Pages> {
    Some(Pages::parse("https://mail.sample.example").unwrap())
}

/// A house with a newsletter, to which both have consented.
struct Newsletter {
    house: House,
    mx: FakeMx,
    stream: StreamId,
    authority: Authority,
    submission: Submission,
}

impl Newsletter {
    async fn new() -> Self {
        let (house, mx) = (House::new(Homing::Smarthost).await, FakeMx::start().await.unwrap());
        let (store, controller) = (&house.store, house.controller);
        let stream = store.create_stream(controller, "newsletter", StreamKind::Marketing, "news").await.unwrap();
        let streams = [house.stream, stream];
        store.issue_instruction(controller, &Operation::ALL, &streams, 1_000_000).await.unwrap();
        let new = NewCredential { username: "news", default_stream: stream, streams: &streams, expires: None };
        let credential = store.create_credential(controller, new).await.unwrap();
        let authority = store.authority_of(credential.id).unwrap();
        for to in [ADA, BOB] {
            let (kind, confirmed, evidence) = (BasisKind::Consent, Verified::Yes, Evidence::Complete);
            let basis = NewBasis { kind, confirmed, evidence, expires: None };
            let to = Address::parse(to).unwrap();
            let purpose = PurposeId::of_stream(stream);
            store.record_basis(controller, purpose, &to, basis, &Act::by(Method::Api)).await.unwrap();
        }
        let submission = Submission::new(Arc::clone(store)).with_pages(pages());
        Self { house, mx, stream, authority, submission }
    }

    /// To both, each with a header block that ends with these fields.
    async fn send(&self, fields: [&str; 2]) -> Vec<Answer> {
        let heads = fields.map(|fields| Bytes::from(format!("{HEAD}{fields}\r\n"))).to_vec();
        let draft = Draft {
            stream: self.stream,
            purpose: PurposeId::of_stream(self.stream),
            from: Address::parse("shop@sample.example").unwrap(),
            reverse_path: None,
            recipients: [ADA, BOB].map(|to| Address::parse(to).unwrap()).to_vec(),
            heads: Heads::Own(heads),
            body: Bytes::from(BODY),
            metadata: String::new(),
            notices: Vec::new(),
        };
        self.submission.accept(&self.authority, draft, None).await.unwrap()
    }

    fn settings(&self, pages: Option<Pages>) -> Settings {
        Settings { pages, ..by_smarthost(&self.mx) }
    }
}

fn queued(answers: Vec<Answer>) -> [Queued; 2] {
    let taken = answers.into_iter().map(|answer| match answer {
        Answer::Queued(queued) => queued,
        other => panic!("{other:?}"),
    });
    taken.collect::<Vec<_>>().try_into().unwrap()
}

#[tokio::test]
async fn eprivacy13_4_what_turns_out_to_take_no_footer_is_stopped_and_never_sent_without() {
    let news = Newsletter::new().await;
    // The door looks at the first copy: the second is a message that it should not have taken.
    let [fits, does_not] = queued(news.send(["", SIGNED]).await);
    let delivery = news.house.deliver(news.settings(pages())).await;
    let view = news.house.until_state(does_not.id, MessageState::Stopped).await;
    assert_eq!(view.timeline.last().unwrap().rule.as_deref(), Some("opt-out-missing"));
    // Twin: the other one leaves.
    news.house.until_state(fits.id, MessageState::Delivered).await;
    let received = news.mx.received();
    assert_eq!(received.iter().map(|one| one.to.clone()).collect::<Vec<_>>(), [[ADA]]);
    assert!(received[0].text().contains("\r\nUnsubscribe: https://mail.sample.example/u/"), "{}", received[0].text());
    delivery.drain(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn eprivacy13_4_a_node_without_pages_holds_marketing_until_it_has_them() {
    let news = Newsletter::new().await;
    let [one, other] = queued(news.send(["", ""]).await);
    let delivery = news.house.deliver(news.settings(None)).await;
    for held in [&one, &other] {
        let view = news.house.until_event(held.id, "held", 1).await;
        assert_eq!(view.timeline.last().unwrap().rule.as_deref(), Some("opt-out-missing"));
    }
    // Twin: a receipt does not wait for them.
    let receipt = news.house.send(ADA).await;
    news.house.until_state(receipt.id, MessageState::Delivered).await;
    assert_eq!(news.mx.received().len(), 1);
    delivery.drain(Duration::from_secs(5)).await;
    let delivery = news.house.deliver(news.settings(pages())).await;
    news.house.clock.advance(Duration::from_secs(3_600));
    for delivered in [one, other] {
        let view = news.house.until_state(delivered.id, MessageState::Delivered).await;
        assert_eq!(events(&view, "held"), 1);
    }
    assert_eq!(news.mx.received().len(), 3);
    delivery.drain(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn art7_3_what_the_gate_has_against_a_message_goes_before_what_its_content_lacks() {
    let news = Newsletter::new().await;
    let [_, signed] = queued(news.send(["", SIGNED]).await);
    let purpose = PurposeId::of_stream(news.stream);
    let bob = Address::parse(BOB).unwrap();
    let act = Act::by(Method::Api);
    news.house.store.withdraw_basis(news.house.controller, purpose, &bob, &act).await.unwrap();
    let delivery = news.house.deliver(news.settings(pages())).await;
    let view = news.house.until_state(signed.id, MessageState::Stopped).await;
    assert_eq!(view.timeline.last().unwrap().rule.as_deref(), Some("suppressed"));
    delivery.drain(Duration::from_secs(5)).await;
}
