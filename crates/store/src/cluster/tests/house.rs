//! A database, a master key, and nodes on them; one controller who may send.

use crate::authority::Authority;
use crate::cluster::{ClockSource, Roles};
use crate::open::{Options, PostgresSettings, Store};
use crate::spool::{Acceptance, BodyPlacement, Item, NotQueued, OutcomeKind, QueueRow};
use crate::{DomainKeys, Lane, NewCredential, Outcome, Verified};
use base64::Engine as _;
use bytes::Bytes;
use gate::{Facts, MessageFacts, Verdict, decide};
use mail::address::{Address, Domain};
use mail::dkim::SigningKey;
use model::instruction::Operation;
use model::stream::Class;
use model::{ControllerId, MessageId, PurposeId, StreamKind, Timestamp};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use testkit::postgres::TestDatabase;
use testkit::wait::breathe;

/// What nodes share.
pub(super) struct House {
    database: TestDatabase,
    keys: TempDir,
}

/// A node's store and its folder.
pub(super) struct Node {
    pub(super) store: Arc<Store>,
    pub(super) dir: TempDir,
}

pub(super) fn address(name: &str) -> Address {
    Address::parse(&format!("{name}@dest.example")).unwrap()
}

impl House {
    pub(super) async fn new() -> Self {
        Self { database: testkit::postgres::database().await, keys: tempfile::tempdir().unwrap() }
    }

    /// The master key is there before the first node starts, as an operator distributes it.
    pub(super) fn distribute_the_key(&self) {
        let key = base64::engine::general_purpose::STANDARD.encode([7; 32]);
        std::fs::write(self.keys.path().join("master.key"), key).unwrap();
    }

    /// A node in a folder of its own.
    pub(super) async fn node(&self, name: &str) -> Node {
        self.node_in(tempfile::tempdir().unwrap(), name).await
    }

    /// A node that starts in a folder.
    pub(super) async fn node_in(&self, dir: TempDir, name: &str) -> Node {
        let settings = PostgresSettings {
            url: self.database.url.clone(),
            keys_url: Some(self.database.keys_url.clone()),
            ca: None,
            name: name.to_owned(),
            roles: Roles::ALL,
            clock: ClockSource::Database,
            bodies: BodyPlacement::Rows,
        };
        let mut options = Options::new(Arc::new(testkit::SystemClock), dir.path());
        options.key_file = self.keys.path().join("master.key");
        let store = Store::open_postgres(dir.path(), settings, options).await.unwrap();
        Node { store, dir }
    }
}

/// Everything that a controller needs to send transactional mail, made through one node.
pub(super) async fn shop(node: &Node) -> ControllerId {
    let store = &node.store;
    let controller = store.create_controller("Shop").await.unwrap();
    store.sign_agreement(controller, None).await.unwrap();
    let stream = store.create_stream(controller, "shop", StreamKind::Transactional, "receipts").await.unwrap();
    store.issue_instruction(controller, &Operation::ALL, &[stream], 1_000).await.unwrap();
    let keys = DomainKeys {
        rsa_selector: "r1".into(),
        rsa: SigningKey::generate_rsa().unwrap(),
        ed25519_selector: "e1".into(),
        ed25519: SigningKey::generate_ed25519().unwrap(),
    };
    store.add_domain(controller, &Domain::parse("shop.example").unwrap(), &keys, Verified::Yes).await.unwrap();
    let new = NewCredential { username: "shop", default_stream: stream, streams: &[stream], expires: None };
    store.create_credential(controller, new).await.unwrap();
    controller
}

impl Node {
    pub(super) fn authority(&self) -> Authority {
        self.store.authority_named("shop").unwrap()
    }

    /// Takes a message in for these recipients, as the doors do: decided anew as often as something moved.
    pub(super) async fn send(&self, to: &[&str]) -> MessageId {
        loop {
            match self.try_to_send(to).await {
                Ok(id) => return id,
                Err(NotQueued::Stale) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
    }

    pub(super) async fn try_to_send(&self, to: &[&str]) -> Result<MessageId, NotQueued> {
        let (authority, store) = (self.authority(), &self.store);
        let (controller, stream) = (authority.controller(), authority.stream().id);
        let to: Vec<Address> = to.iter().map(|name| address(name)).collect();
        let (sender, generation) = store.sender_facts(&authority, stream, PurposeId::of_stream(stream));
        let persons =
            store.recipient_facts(controller, PurposeId::of_stream(stream), &to.iter().collect::<Vec<_>>()).await?;
        let from = Address::parse("shop@shop.example").unwrap();
        let (from_domain, domain) = store.from_domain(controller, from.domain());
        let quota = store.quota(controller).await?;
        let permits: Vec<_> = persons
            .iter()
            .map(|person| {
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
                    recipient: Some(&person.facts),
                    quota,
                };
                match decide(&facts) {
                    Verdict::Pass(permit) => permit,
                    verdict => panic!("{verdict:?}"),
                }
            })
            .collect();
        let items = to.iter().zip(&permits).zip(&persons).map(|((address, permit), person)| Item {
            permit,
            address,
            person: person.clone(),
            head: Bytes::from_static(b"Subject: x\r\n\r\n"),
            id: store.new_message_id(),
            notice: None,
        });
        let (items, body): (Vec<_>, _) = (items.collect(), Bytes::from_static(b"body\r\n"));
        let domain = domain.unwrap();
        let acceptance = Acceptance { items, body, from: &from, sender: None, domain, metadata: "", idempotency: None };
        Ok(store.accept(acceptance).await?[0].id)
    }

    /// The rows of the one site that wait, as this node sees them.
    pub(super) async fn rows(&self) -> Vec<QueueRow> {
        let controller = self.authority().controller();
        let lane = Lane { site: Arc::from("dest.example"), class: Class::Prompt, controller };
        self.store.due(&lane, Timestamp::MAX, 100).await.unwrap()
    }

    pub(super) fn parts(&self) -> usize {
        self.store.tenure().parts().len()
    }

    pub(super) fn holds_the_site(&self) -> bool {
        self.store.tenure().holds("dest.example")
    }
}

/// Waits until both have the half.
pub(super) async fn shared(one: &Node, two: &Node) {
    until("fair shares", Duration::from_secs(5), async || (one.parts(), two.parts()) == (128, 128)).await;
    let all: HashSet<u16> = one.store.tenure().parts().into_iter().chain(two.store.tenure().parts()).collect();
    assert_eq!(all.len(), 256);
}

/// Waits until it is so.
pub(super) async fn until(what: &str, limit: Duration, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            breathe().await;
        }
    };
    assert!(tokio::time::timeout(limit, waiting).await.is_ok(), "not within {limit:?}: {what}");
}

pub(super) fn outcome(row: QueueRow, at: Timestamp, verdict: OutcomeKind) -> Outcome {
    Outcome {
        attempt: row.attempts + 1,
        row,
        started_at: Some(at),
        at,
        verdict,
        code: None,
        enhanced: None,
        rule: None,
        transcript: "a word\n".into(),
    }
}
