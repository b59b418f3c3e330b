//! What follows from an acceptance follows also when its caller goes away; what is not queued leaves nothing behind;
//! one damaged person or row hinders no other; a hold is shown once.

mod leaving;

use super::*;
use crate::authority::Authority;
use crate::open::{Options, Store};
use crate::view::MessageView;
use crate::{DomainKeys, NewCredential, Verified};
use gate::{Facts, MessageFacts, Verdict, decide};
use mail::address::Domain;
use mail::dkim::SigningKey;
use model::Clock;
use model::instruction::Operation;
use model::person::{Restriction, SuppressionReason, SuppressionScope};
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::sync::mpsc;

const PER_DAY: u64 = 6;
/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000)
    }
}

pub(super) struct House {
    pub(super) store: Arc<Store>,
    authority: Authority,
    pub(super) dir: tempfile::TempDir,
}

async fn open(dir: &Path) -> Arc<Store> {
    Store::open_sqlite(dir, Options::new(Arc::new(Still), dir)).await.unwrap()
}

pub(super) fn address(name: &str) -> Address {
    Address::parse(&format!("{name}@dest.example")).unwrap()
}

impl House {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::over(open(dir.path()).await, dir).await
    }

    /// Over a store without a house.
    pub(super) async fn over(store: Arc<Store>, dir: tempfile::TempDir) -> Self {
        let controller = store.create_controller("Sample").await.unwrap();
        store.sign_agreement(controller, None).await.unwrap();
        let stream = store.create_stream(controller, "shop", StreamKind::Transactional, "receipts").await.unwrap();
        store.issue_instruction(controller, &Operation::ALL, &[stream], PER_DAY).await.unwrap();
        let keys = DomainKeys {
            rsa_selector: "r1".into(),
            rsa: SigningKey::generate_rsa().unwrap(),
            ed25519_selector: "e1".into(),
            ed25519: SigningKey::generate_ed25519().unwrap(),
        };
        store.add_domain(controller, &Domain::parse("shop.example").unwrap(), &keys, Verified::Yes).await.unwrap();
        let new = NewCredential { username: "shop", default_stream: stream, streams: &[stream], expires: None };
        let authority = store.authority_of(store.create_credential(controller, new).await.unwrap().id).unwrap();
        Self { store, authority, dir }
    }

    /// Closes the store, changes its files by hand, and opens it again.
    async fn damaged(self, file: &str, change: impl FnOnce(&rusqlite::Connection)) -> Self {
        self.store.close().await;
        drop(self.store);
        change(&rusqlite::Connection::open(self.dir.path().join(file)).unwrap());
        Self::again(open(self.dir.path()).await, self.dir)
    }

    /// Over a store that has one.
    pub(super) fn again(store: Arc<Store>, dir: tempfile::TempDir) -> Self {
        let authority = store.authority_named("shop").unwrap();
        Self { store, authority, dir }
    }

    fn controller(&self) -> ControllerId {
        self.authority.controller()
    }

    /// What the gate says about these persons now.
    pub(super) async fn permits(&self, to: &[Address]) -> Vec<(Person, Permit)> {
        let stream = self.authority.stream().id;
        let (sender, generation) = self.store.sender_facts(&self.authority, stream, PurposeId::of_stream(stream));
        let asked: Vec<_> = to.iter().collect();
        let persons =
            self.store.recipient_facts(self.controller(), PurposeId::of_stream(stream), &asked).await.unwrap();
        let (from_domain, _) = self.store.from_domain(self.controller(), &Domain::parse("shop.example").unwrap());
        let decided = persons.into_iter().map(|person| {
            let verdict = decide(&Facts {
                now: self.store.now(),
                generation,
                sender: Some(&sender),
                message: MessageFacts {
                    from_domain,
                    way_out: gate::facts::WayOut::Fits,
                    connection: gate::facts::Connection::NotYet,
                    order: None,
                },
                recipient: Some(&person.facts),
                quota: gate::facts::QuotaFacts { allowed: u64::MAX, used: 0 },
            });
            let Verdict::Pass(permit) = verdict else { panic!("{verdict:?}") };
            (person, permit)
        });
        decided.collect()
    }

    pub(super) async fn accept(
        &self,
        to: &[Address],
        permits: &[(Person, Permit)],
        body: &Bytes,
    ) -> Result<MessageId, NotQueued> {
        let from = Address::parse("shop@shop.example").unwrap();
        let (_, domain) = self.store.from_domain(self.controller(), from.domain());
        let items = to.iter().zip(permits).map(|(address, (person, permit))| Item {
            permit,
            address,
            person: person.clone(),
            head: Bytes::from_static(b"Subject: x\r\n\r\n"),
            id: self.store.new_message_id(),
            notice: None,
        });
        let (items, domain): (Vec<_>, _) = (items.collect(), domain.unwrap());
        let acceptance = Acceptance {
            items,
            body: body.clone(),
            from: &from,
            sender: None,
            domain,
            metadata: "",
            idempotency: None,
        };
        self.store.accept(acceptance).await.map(|queued| queued[0].id)
    }

    async fn send(&self, to: &str) -> Result<MessageId, NotQueued> {
        let to = [address(to)];
        let permits = self.permits(&to).await;
        self.accept(&to, &permits, &Bytes::from_static(b"body\r\n")).await
    }

    pub(super) async fn rows(&self) -> Vec<QueueRow> {
        let controller = self.controller();
        let lane = Lane { site: Arc::from("dest.example"), class: Class::Prompt, controller };
        self.store.due(&lane, Timestamp::MAX, 100).await.unwrap()
    }

    async fn view(&self, id: MessageId) -> MessageView {
        self.store.message(self.controller(), id).await.unwrap().unwrap()
    }

    fn body_files(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("bodies")).unwrap().count()
    }

    /// Polls once and goes away.
    async fn begin(&self, to: &str) {
        let to = [address(to)];
        let permits = self.permits(&to).await;
        let body = Bytes::from_static(b"body\r\n");
        let mut accepting = pin!(self.accept(&to, &permits, &body));
        assert!(accepting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
}

/// More than fits in a row, and not to be compressed.
pub(super) fn large_body() -> Bytes {
    let mut state = 1_u64;
    let octets = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    });
    Bytes::from(octets.take(content::ROW_BODY_OCTETS_MAX + 1_000).collect::<Vec<_>>())
}

pub(super) fn outcome(row: QueueRow, verdict: OutcomeKind) -> Outcome {
    Outcome {
        attempt: row.attempts + 1,
        row,
        started_at: None,
        at: Timestamp::from_seconds(1_800_000_000),
        verdict,
        code: None,
        enhanced: None,
        rule: None,
        transcript: "a word\n".into(),
    }
}

#[tokio::test]
async fn rfc5321_6_1_an_acceptance_whose_caller_goes_away_is_handed_over_all_the_same() {
    let house = House::new().await;
    let (told, mut hints) = mpsc::channel(9);
    house.store.set_hint(Arc::new(move |rows: Vec<(QueueRow, Content)>| {
        rows.into_iter().for_each(|(row, _)| told.try_send(row.id).unwrap());
    }));
    // The block of secrets is there from now on, so one poll reaches the engine.
    let first = house.send("ada").await.unwrap();
    assert_eq!(hints.recv().await, Some(first));
    house.begin("bob").await;
    let second = tokio::time::timeout(LONG, hints.recv()).await.unwrap().unwrap();
    let rows = house.rows().await;
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [first, second]);
    // And he is known by the slot that he got: the next message is not sealed under another.
    let third = house.send("bob").await.unwrap();
    let rows = house.rows().await;
    assert_eq!((rows[2].id, rows[2].slot), (third, rows[1].slot));
}

#[tokio::test]
async fn a_body_that_is_not_queued_leaves_no_file() {
    let house = House::new().await;
    let body = large_body();
    let many: Vec<_> = (0..=PER_DAY).map(|n| address(&format!("p{n}"))).collect();
    let permits = house.permits(&many).await;
    assert!(matches!(house.accept(&many, &permits, &body).await, Err(NotQueued::Quota)));
    assert_eq!(house.body_files(), 0, "the allowance was too small");

    let one = [address("ada")];
    let permits = house.permits(&one).await;
    house
        .store
        .suppress(house.controller(), &one[0], SuppressionScope::All, SuppressionReason::Complaint)
        .await
        .unwrap();
    assert!(matches!(house.accept(&one, &permits, &body).await, Err(NotQueued::Stale)));
    assert_eq!(house.body_files(), 0, "the permit was too old");

    // The twin: what is queued has its file until its end.
    let bob = [address("bob")];
    let permits = house.permits(&bob).await;
    house.accept(&bob, &permits, &body).await.unwrap();
    assert_eq!(house.body_files(), 1);
    let row = house.rows().await.remove(0);
    assert_eq!(house.store.open_content(&[&row]).await.unwrap()[0].as_ref().unwrap().body, body);
    house.store.settle(vec![outcome(row, OutcomeKind::Delivered)]).await.unwrap();
    assert_eq!(house.body_files(), 0);
}

#[tokio::test]
async fn a_body_file_goes_when_its_owner_goes_unless_it_is_kept() {
    let house = House::new().await;
    let bodies = &house.store.intake.bodies;
    let (dropped, kept) = (bodies.write(1, vec![1]).await.unwrap(), bodies.write(2, vec![2]).await.unwrap());
    assert_eq!(house.body_files(), 2);
    drop(dropped);
    kept.keep();
    assert_eq!(house.body_files(), 1);
    // A file that is gone already keeps no other from being removed.
    bodies.remove(vec![1, 2]).await;
    assert_eq!(house.body_files(), 0);
}

#[tokio::test]
async fn gdpr_17_a_permit_given_before_an_erasure_queues_nothing() {
    let house = House::new().await;
    house.send("ada").await.unwrap();
    let to = [address("ada"), address("bob")];
    let permits = house.permits(&to).await;
    house.store.restrict(house.controller(), &to[0], Restriction::Erased).await.unwrap();
    let body = Bytes::from_static(b"body\r\n");
    assert!(matches!(house.accept(&to, &permits, &body).await, Err(NotQueued::Stale)));
    assert_eq!(house.rows().await.len(), 1);
    // The twin: decided anew, the other one is mailed.
    house.send("bob").await.unwrap();
    assert_eq!(house.rows().await.len(), 2);
}

#[tokio::test]
async fn art32_a_damaged_secret_hinders_no_other_message() {
    let house = House::new().await;
    let (ada, bob) = (house.send("ada").await.unwrap(), house.send("bob").await.unwrap());
    let slot = house.rows().await[0].slot;
    let house = house
        .damaged("keys.db", |keys| {
            let read = |row: &rusqlite::Row<'_>| row.get(0);
            let text = "SELECT sealed FROM subject_block WHERE block = ?1";
            let mut sealed: Vec<u8> = keys.query_row(text, [slot.block], read).unwrap();
            let width = sealed.len() / 256;
            sealed[width * usize::from(slot.slot) + width / 2] ^= 1;
            let text = "UPDATE subject_block SET sealed = ?2 WHERE block = ?1";
            keys.execute(text, rusqlite::params![slot.block, sealed]).unwrap();
        })
        .await;
    let rows = house.rows().await;
    let contents = house.store.open_content(&[&rows[0], &rows[1]]).await.unwrap();
    assert!(contents[0].is_none() && contents[1].is_some());
    for row in &rows {
        assert_eq!(house.store.start(Start::of(row, house.store.now())).await.unwrap(), Started::Yes);
    }
    assert_eq!(house.store.recover().await.unwrap(), 2);
    let (ada, bob) = (house.view(ada).await, house.view(bob).await);
    assert!(ada.to.is_none() && bob.to.is_some());
    let last = |view: &MessageView| view.timeline.last().unwrap().event.clone();
    assert_eq!((last(&ada), last(&bob)), ("uncertain".into(), "uncertain".into()));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_does_not_keep_the_node_from_recovering() {
    let house = House::new().await;
    let (ada, bob) = (house.send("ada").await.unwrap(), house.send("bob").await.unwrap());
    for id in [ada, bob] {
        let start = Start { id, controller: house.controller(), part: 0, attempt: 1, at: house.store.now() };
        house.store.start(start).await.unwrap();
    }
    let house = house
        .damaged("main.db", |main| {
            assert_eq!(main.execute("UPDATE queue SET kind = 'nonsense' WHERE id = ?1", [ada.0]).unwrap(), 1);
        })
        .await;
    let recovered = tokio::time::timeout(LONG, house.store.recover()).await.unwrap();
    assert_eq!(recovered.unwrap(), 1);
    assert_eq!(house.rows().await.iter().map(|row| row.id).collect::<Vec<_>>(), [bob]);
}

#[tokio::test]
async fn art28_3_a_hold_is_no_attempt_and_is_shown_once() {
    let house = House::new().await;
    let id = house.send("ada").await.unwrap();
    let first = house.rows().await.remove(0);
    let later = first.expires_at.plus(Duration::from_secs(60));
    house.store.settle(vec![outcome(first.clone(), OutcomeKind::Held { due: later })]).await.unwrap();
    house.store.settle(vec![outcome(first.clone(), OutcomeKind::Held { due: later })]).await.unwrap();
    let view = house.view(id).await;
    let events: Vec<_> = view.timeline.iter().map(|item| (item.event.as_str(), item.attempt)).collect();
    assert_eq!(events, [("accepted", 0), ("held", 0)]);
    assert_eq!(view.timeline[1].transcript.as_deref(), Some("a word\n"));
    assert_eq!(view.state.as_str(), "held");
    let held = house.rows().await.remove(0);
    assert_eq!((held.attempts, held.due), (0, later));
    assert!(held.expires_at > held.due, "it is not given up while it is held");

    // The twin: a deferral is an attempt, and the message is queued again.
    house.store.settle(vec![outcome(held, OutcomeKind::Deferred { due: later })]).await.unwrap();
    let view = house.view(id).await;
    assert_eq!((view.state.as_str(), view.timeline.len()), ("queued", 3));
    assert_eq!(house.rows().await[0].attempts, 1);
}
