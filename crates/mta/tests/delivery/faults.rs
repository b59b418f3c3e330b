//! Faults of the peer, of the store and of this program: a row is neither lost, nor sent when it must not be.

use crate::house::{House, by_smarthost};
use bytes::Bytes;
use gate::{Facts, MessageFacts, Verdict};
use mail::address::Address;
use model::message::MessageState;
use model::{Clock, Timestamp};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::{Acceptance, Homing, Item, NotQueued, Outcome, OutcomeKind, Uncertain};
use testkit::mx::Stage;
use testkit::{FakeMx, ManualClock};
use tokio::task;

const TO: &str = "ada@dest.example";
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a4_c7_what_was_settled_elsewhere_is_not_sent_again_on_another_connection() {
    let house = House::new(Homing::Smarthost).await;
    let mx = FakeMx::start().await.unwrap();
    // The second MAIL of a connection is answered with 421: its message goes to another connection.
    mx.manners(|manners| manners.messages_max = 1);
    let mut settings = by_smarthost(&mx);
    settings.shaping.connections_max = 1;
    let delivery = house.deliver(settings).await;
    let hold = mx.hold(Stage::EndOfData);
    let first = house.send(TO).await;
    hold.reached(1).await;
    let second = house.send("bob@dest.example").await;
    let third = house.send("eve@dest.example").await;
    let row = house.rows().await.into_iter().find(|row| row.id == second.id).unwrap();
    house.store.settle(vec![stopped(row, house.clock.now())]).await.unwrap();
    hold.release();
    // Negative twin: the third is as it was, and loses nothing by its 421.
    for id in [first.id, third.id] {
        house.until_state(id, MessageState::Delivered).await;
    }
    delivery.drain(MINUTE).await;
    let people: Vec<_> = mx.received().into_iter().flat_map(|message| message.to).collect();
    assert_eq!(people, [TO, "eve@dest.example"]);
    assert_eq!(house.view(second.id).await.state, MessageState::Stopped);
}

fn stopped(row: store::QueueRow, at: Timestamp) -> Outcome {
    Outcome {
        attempt: row.attempts + 1,
        row,
        started_at: None,
        at,
        verdict: OutcomeKind::Stopped,
        code: None,
        enhanced: None,
        rule: None,
        transcript: String::new(),
    }
}

#[tokio::test]
async fn rfc5321_6_1_a_message_whose_connection_panicked_is_uncertain_and_sent_again() {
    let clock = ManualClock::start();
    let faulty = Arc::new(Faulty::over(&clock));
    let house = House::by(Homing::Smarthost, clock, Arc::clone(&faulty) as Arc<dyn Clock>).await;
    let mx = FakeMx::start().await.unwrap();
    let mut settings = by_smarthost(&mx);
    settings.shaping.messages_per_connection_max = 1;
    let delivery = house.deliver(settings).await;
    // All that lives longer than a connection has asked for the time when a second message is settled.
    for person in ["bob@dest.example", "eve@dest.example"] {
        let before = house.send(person).await;
        house.until_state(before.id, MessageState::Delivered).await;
    }
    faulty.all_known();
    let hold = mx.hold(Stage::Data);
    let queued = house.send(TO).await;
    hold.reached(1).await;
    faulty.break_down();
    hold.release();
    let view = house.until_event(queued.id, "uncertain", 1).await;
    assert!(!faulty.broken.load(Ordering::SeqCst), "the panic was caused");
    assert_eq!(view.state, MessageState::Queued);
    house.clock.advance(2 * MINUTE);
    let view = house.until_state(queued.id, MessageState::Delivered).await;
    assert_eq!(view.timeline.last().unwrap().uncertain, Uncertain::Yes);
    delivery.drain(MINUTE).await;
}

/// A clock over which one task falls: the first that asks when it is broken, of those that came late.
struct Faulty {
    clock: Arc<ManualClock>,
    known: Mutex<HashSet<task::Id>>,
    all_known: AtomicBool,
    broken: AtomicBool,
}

impl Faulty {
    fn over(clock: &Arc<ManualClock>) -> Self {
        Self {
            clock: Arc::clone(clock),
            known: Mutex::default(),
            all_known: AtomicBool::default(),
            broken: AtomicBool::default(),
        }
    }

    /// Who asks for the first time from now on came late.
    fn all_known(&self) {
        self.all_known.store(true, Ordering::SeqCst);
    }

    fn break_down(&self) {
        self.broken.store(true, Ordering::SeqCst);
    }
}

impl Clock for Faulty {
    fn now(&self) -> Timestamp {
        if let Some(id) = task::try_id() {
            let mut known = self.known.lock().unwrap();
            if !self.all_known.load(Ordering::SeqCst) {
                known.insert(id);
            }
            let came_late = !known.contains(&id);
            drop(known);
            assert!(!came_late || !self.broken.swap(false, Ordering::SeqCst), "a fault of the program, for a test");
        }
        self.clock.now()
    }
}

#[tokio::test]
async fn art28_3_a_a_permit_for_one_person_queues_nothing_for_another() {
    let house = House::new(Homing::Smarthost).await;
    let (store, controller) = (&house.store, house.controller);
    let [ada, bob] = [TO, "bob@dest.example"].map(|address| Address::parse(address).unwrap());
    let from = Address::parse("shop@sample.example").unwrap();
    let (sender, generation) =
        store.sender_facts(&house.authority, house.stream, model::PurposeId::of_stream(house.stream));
    let persons =
        store.recipient_facts(controller, model::PurposeId::of_stream(house.stream), &[&ada, &bob]).await.unwrap();
    let (from_domain, domain) = store.from_domain(controller, from.domain());
    let facts = Facts {
        now: store.now(),
        generation,
        sender: Some(&sender),
        message: MessageFacts {
            from_domain,
            way_out: gate::facts::WayOut::Fits,
            connection: gate::facts::Connection::NotYet,
            order: None,
        },
        recipient: Some(&persons[0].facts),
        quota: store.quota(controller).await.unwrap(),
    };
    let Verdict::Pass(permit) = gate::decide(&facts) else { panic!("decide") };
    for (address, person, is_his) in [(&bob, &persons[1], false), (&ada, &persons[0], true)] {
        let head = Bytes::from_static(b"From: <shop@sample.example>\r\n\r\n");
        let items = vec![Item {
            permit: &permit,
            address,
            person: person.clone(),
            head,
            id: store.new_message_id(),
            notice: None,
        }];
        let acceptance = Acceptance {
            items,
            body: Bytes::from_static(b"Hello\r\n"),
            from: &from,
            sender: None,
            domain: domain.unwrap(),
            metadata: "",
            idempotency: None,
        };
        match store.accept(acceptance).await {
            Ok(_) => assert!(is_his),
            Err(NotQueued::Failed(_)) => assert!(!is_his),
            Err(other) => panic!("{other:?}"),
        }
        assert_eq!(house.rows().await.len(), usize::from(is_his));
    }
}
