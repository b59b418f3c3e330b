//! A store with something of everything in it, made through its own verbs.

use crate::conformance::place::Place;
use crate::open::{Options, Store};
use crate::permission::{
    Act, Confirming, Decision, DocumentKind, FormState, ImportFate, ImportedPerson, Method, NewCertificate,
    NewDocument, NewForm, NewSignature, Preference, Returning, Right, Side, WaitingRow,
};
use crate::spool::{Acceptance, Idempotency, Item, Lane, Outcome, OutcomeKind, QueueRow, Start, Started, Suppress};
use crate::{
    Authority, BodyPlacement, ClockSource, DomainKeys, NewBasis, NewCredential, NewStream, PostgresSettings, Roles,
    Verified,
};
use bytes::Bytes;
use gate::{Facts, MessageFacts, Verdict, decide};
use mail::address::{Address, Domain};
use mail::dkim::SigningKey;
use model::basis::BasisKind;
use model::instruction::Operation;
use model::person::{Restriction, SuppressionReason, SuppressionScope};
use model::stream::{Class, Frequency, Terms};
use model::{Clock, ControllerId, MessageId, PurposeId, StreamKind, Timestamp};
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use testkit::postgres::TestDatabase;

/// What stands in a house, to be found again wherever it was moved.
pub(crate) struct Contents {
    pub(crate) controller: ControllerId,
    /// Delivered, bounced, deferred, in flight, held by nobody; the large one; the erased one.
    pub(crate) messages: Vec<MessageId>,
    pub(crate) in_flight: MessageId,
    pub(crate) large: MessageId,
    pub(crate) erased: MessageId,
}

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        crate::copy::tests::NOW
    }
}

/// How a store is opened at that moment.
pub(crate) fn still(dir: &Path) -> Options {
    Options::new(Arc::new(Still), dir)
}

/// Opens a store wherever it was moved.
pub(crate) async fn open_at(dir: &Path) -> Arc<Store> {
    Store::open_sqlite(dir, still(dir)).await.unwrap()
}

/// Opens a store on PostgreSQL, as a node that does everything.
pub(crate) async fn open_shared(dir: &Path, database: &TestDatabase) -> Arc<Store> {
    let settings = PostgresSettings {
        url: database.url.clone(),
        keys_url: Some(database.keys_url.clone()),
        ca: None,
        name: "alpha".into(),
        roles: Roles::ALL,
        clock: ClockSource::Given,
        bodies: BodyPlacement::Rows,
    };
    Store::open_postgres(dir, settings, still(dir)).await.unwrap()
}

pub(crate) fn address(name: &str) -> Address {
    Address::parse(&format!("{name}@dest.example")).unwrap()
}

/// The name of the one body that lies in a file.
pub(crate) fn body_file(dir: &Path) -> OsString {
    let names: Vec<_> =
        std::fs::read_dir(dir.join("bodies")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let [name] = names.as_slice() else { panic!("{names:?}") };
    name.clone()
}

/// More than fits in a row, and not to be compressed.
pub(crate) fn large_body() -> Bytes {
    let mut state = 1_u64;
    let octets = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    });
    Bytes::from(octets.take(300 * 1_024).collect::<Vec<_>>())
}

async fn authority(store: &Arc<Store>) -> Authority {
    let shop = store.create_controller("Shop").await.unwrap();
    store.sign_agreement(shop, None).await.unwrap();
    let receipts = store.create_stream(shop, "shop", StreamKind::Transactional, "receipts").await.unwrap();
    let news = store.create_stream(shop, "news", StreamKind::Marketing, "news").await.unwrap();
    let terms = Terms { frequency: Some(Frequency { messages: 3, days: 7 }), ..Terms::default() };
    let purposes = [PurposeId::of_stream(news)];
    let new = NewStream { name: "bounded", kind: StreamKind::Marketing, about: "news", purposes: &purposes, terms };
    let bounded = store.create_stream_for(shop, &new).await.unwrap();
    store.issue_instruction(shop, &Operation::ALL, &[receipts, news, bounded], 1_000).await.unwrap();
    let keys = DomainKeys {
        rsa_selector: "r1".into(),
        rsa: SigningKey::generate_rsa().unwrap(),
        ed25519_selector: "e1".into(),
        ed25519: SigningKey::generate_ed25519().unwrap(),
    };
    store.add_domain(shop, &Domain::parse("shop.example").unwrap(), &keys, Verified::Yes).await.unwrap();
    let [domain, returns] = ["shop.example", "bounce.shop.example"].map(|name| Domain::parse(name).unwrap());
    store.name_return_path(shop, &domain, Some(&returns)).await.unwrap();
    let full = store.tag_of(shop, &address("full")).unwrap();
    store.count_failures(vec![(shop, full, store.now())]).await.unwrap();
    let streams = [receipts, news, bounded];
    let new = NewCredential { username: "shop", default_stream: receipts, streams: &streams, expires: None };
    let created = store.create_credential(shop, new).await.unwrap();
    let again = NewCredential { username: "old", default_stream: receipts, streams: &streams, expires: None };
    let old = store.create_credential(shop, again).await.unwrap();
    store.revoke_credential(shop, old.id).await.unwrap();
    for (name, withdrawn) in [("consents", false), ("withdrew", true)] {
        let basis = NewBasis {
            kind: BasisKind::Consent,
            confirmed: Verified::Yes,
            evidence: model::basis::Evidence::Complete,
            expires: None,
        };
        store
            .record_basis(shop, PurposeId::of_stream(news), &address(name), basis, &Act::by(Method::Api))
            .await
            .unwrap();
        if withdrawn {
            store
                .withdraw_basis(shop, PurposeId::of_stream(news), &address(name), &Act::by(Method::Api))
                .await
                .unwrap();
        }
    }
    permission(store, shop, news).await;
    store.authority_of(created.id).unwrap()
}

/// Something in every table of what the operator orders for delivery.
async fn operator_orders(store: &Arc<Store>) {
    let order = crate::SiteOrderRow { connections: Some(2), ..crate::sites::samples::order("google", store.now()) };
    store.order_site(&order).await.unwrap();
    store.tell_sites(&[crate::sites::samples::state("google", store.now())]).await.unwrap();
    store.tell_egress(&[crate::egress::samples::state("mx1", store.now())]).await.unwrap();
    store.order_egress(&crate::egress::samples::assign("Shop")).await.unwrap();
    store.order_egress(&crate::egress::samples::warm("mx1")).await.unwrap();
    let day = crate::WarmDay { address: "mx1".into(), provider: "google".into(), cap: 50, ..crate::WarmDay::default() };
    store.begin_warm_day(&day, None).await.unwrap();
}

/// Something in every table of permission.
async fn permission(store: &Arc<Store>, shop: ControllerId, news: model::StreamId) {
    let news = PurposeId::of_stream(news);
    store.keep_some_tombstones().await;
    let words = NewDocument { kind: DocumentKind::Notice, name: "news", version: 1, language: "en", octets: b"words" };
    let notice = store.keep_document(shop, &words).await.unwrap();
    let signature =
        NewSignature { document: notice, side: Side::Controller, name: "Ada", capacity: "owner", method: "cli" };
    store.sign_document(shop, &signature).await.unwrap();
    let notices = std::collections::BTreeMap::from([("en".to_owned(), notice)]);
    let form = NewForm { name: "news", state: FormState::Published, purposes: &[news], notices: &notices, terms: "{}" };
    let form = store.keep_form(shop, &form).await.unwrap();
    let returning = Returning { frequency: Some("every".into()), ..Returning::default() };
    let asked = Confirming {
        decisions: &[Decision::Given(news)],
        returning: Some(&returning),
        valid_for: Duration::from_secs(60),
        rest: Duration::from_secs(60),
    };
    let act = Act { method: Method::Form, notice: Some(notice), form: Some(form), details: "{}" };
    let tag = store.ask_confirmation(shop, &address("asked"), &asked, &act).await.unwrap().unwrap().tag;
    store.set_preference(shop, tag, &Preference { language: "de".into(), ..Preference::default() }).await.unwrap();
    store.exercise_right(shop, tag, Right::Access, Some("asked@dest.example")).await.unwrap();
    let host = store.claim_host(shop, &Domain::parse("mail.shop.example").unwrap()).await.unwrap().unwrap();
    assert!(store.verify_host(shop, host.id, Duration::ZERO).await.unwrap());
    let order = store.hosts_to_order(1).await.unwrap().remove(0);
    let ends = store.now().plus(Duration::from_secs(60));
    let new = NewCertificate { starts: store.now(), ends, renew: ends, chain: b"chain", key: b"key" };
    assert!(store.certify_host(&order, &new).await.unwrap());
    assert!(store.keep_certificate_account("https://acme.example/dir", b"account").await.unwrap());
    let (version, body, fetched) = ("1".to_owned(), "version: STSv1".to_owned(), store.now());
    let policy = crate::TransportPolicy { version, body, fetched, ends: fetched.plus(Duration::from_secs(86_400)) };
    store.keep_transport_policy("dest.example", &policy).await.unwrap();
    assert_eq!(store.transport_policy("dest.example").await.unwrap(), Some(policy));
    receivers(store, shop).await;
    operator_orders(store).await;
    let import = store.begin_import(shop, "{}").await.unwrap();
    let row = WaitingRow { missing: "source".into(), row: "{}".into() };
    let (address, bases) = (address("asked").to_wire(), Vec::new());
    let person = ImportedPerson { line: 1, tag, address, bases, waiting: Some(row) };
    store.collect_some_tags(shop).await;
    store.import_people(&import, std::iter::once(person), &mut |_: &[(u64, ImportFate)]| ()).await.unwrap();
}

/// What is known of those who receive mail.
async fn receivers(store: &Store, shop: ControllerId) {
    let told = crate::tls_reports::sample_reported(store.now());
    assert!(store.add_tls_reported(shop, "a report", std::slice::from_ref(&told)).await.unwrap());
    let sessions = crate::tls_reports::sample(store.now());
    store.add_tls_sessions(std::slice::from_ref(&sessions)).await.unwrap();
    assert!(store.claim_tls_report(sessions.day, &sessions.domain, store.now()).await.unwrap());
    let order = crate::SiteOrderRow { connections: Some(2), ..crate::sites::samples::order("google", store.now()) };
    store.order_site(&order).await.unwrap();
    store.tell_sites(&[crate::sites::samples::state("google", store.now())]).await.unwrap();
}

/// Sends one message to some people.
pub(crate) async fn send(store: &Store, authority: &Authority, to: &[&str], body: &Bytes) -> MessageId {
    send_on(store, authority, "shop", to, body).await
}

/// The same on a stream.
async fn send_on(store: &Store, authority: &Authority, stream: &str, to: &[&str], body: &Bytes) -> MessageId {
    let to: Vec<Address> = to.iter().map(|name| address(name)).collect();
    let controller = authority.controller();
    let stream = store.stream_named(controller, stream).unwrap();
    let purpose = stream.default_purpose();
    let (sender, generation) = store.sender_facts(authority, stream.id, purpose);
    let persons = store.recipient_facts(controller, purpose, &to.iter().collect::<Vec<_>>()).await.unwrap();
    let from = Address::parse("shop@shop.example").unwrap();
    let (from_domain, domain) = store.from_domain(controller, from.domain());
    let permits: Vec<_> = persons
        .iter()
        .map(|person| {
            let verdict = decide(&Facts {
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
                quota: gate::facts::QuotaFacts { allowed: u64::MAX, used: 0 },
            });
            let Verdict::Pass(permit) = verdict else { panic!("{verdict:?}") };
            permit
        })
        .collect();
    let items = to.iter().zip(&permits).zip(persons).map(|((address, permit), person)| Item {
        permit,
        address,
        person,
        head: Bytes::from_static(b"Subject: x\r\n\r\n"),
        id: store.new_message_id(),
        notice: None,
    });
    let items: Vec<_> = items.collect();
    let id = items[0].id;
    let key = format!("request {}", id.0);
    let idempotency = Some(Idempotency { key, request_hash: [7; 32], answer: b"an answer".to_vec() });
    let domain = domain.unwrap();
    let acceptance =
        Acceptance { items, body: body.clone(), from: &from, sender: None, domain, metadata: "{}", idempotency };
    store.accept(acceptance).await.unwrap();
    id
}

/// Keeps that somebody was refused.
async fn turn_away(store: &Store, authority: &Authority, to: &Address) {
    let (stream, purpose) = (authority.stream().id, authority.stream().default_purpose());
    let (sender, _) = store.sender_facts(authority, stream, purpose);
    let person = store.recipient_facts(authority.controller(), purpose, &[to]).await.unwrap().remove(0);
    let rule = gate::Rule::NoBasis;
    let turned = crate::TurnedAway { authority, stream, purpose, rule, sender: &sender, person: Some((to, &person)) };
    store.keep_refusal(&turned).unwrap();
}

pub(crate) async fn rows(store: &Store, controller: ControllerId) -> Vec<QueueRow> {
    let lane = Lane { site: Arc::from("dest.example"), class: Class::Prompt, controller };
    store.due(&lane, Timestamp::MAX, 10_000).await.unwrap()
}

fn outcome(store: &Store, row: &QueueRow, verdict: OutcomeKind, code: u16) -> Outcome {
    Outcome {
        attempt: row.attempts + 1,
        row: row.clone(),
        started_at: Some(store.now()),
        at: store.now(),
        verdict,
        code: Some(code),
        enhanced: Some("2.0.0".into()),
        rule: None,
        transcript: "a word\n".into(),
    }
}

/// Fills a store: every table has rows, the ledger has places, a secret is destroyed, a body lies in a file, and one
/// message is in flight. `more` messages wait besides.
pub(crate) async fn furnish(place: &Place, more: usize) -> Contents {
    let store = place.open().await.unwrap();
    let authority = authority(&store).await;
    let controller = authority.controller();
    let small = Bytes::from_static(b"body\r\n");
    let mut messages = Vec::new();
    for name in ["ada", "bob", "cem", "dan"] {
        messages.push(send(&store, &authority, &[name], &small).await);
    }
    // It counts among the marketing that the person gets.
    send_on(&store, &authority, "bounded", &["consents"], &small).await;
    let erased = send(&store, &authority, &["eve"], &small).await;
    messages.push(send(&store, &authority, &["flo", "gus"], &small).await);
    let large = send(&store, &authority, &["hal"], &large_body()).await;
    messages.push(large);
    for _ in 0..more {
        messages.push(send(&store, &authority, &["ida"], &small).await);
    }
    store.suppress(controller, &address("jon"), SuppressionScope::All, SuppressionReason::Complaint).await.unwrap();
    store.restrict(controller, &address("kim"), Restriction::Restricted).await.unwrap();
    store.restrict(controller, &address("eve"), Restriction::Erased).await.unwrap();
    let found = rows(&store, controller).await;
    let row = |id: MessageId| found.iter().find(|row| row.id == id).unwrap();
    let later = store.now().plus(Duration::from_secs(600));
    let bounced = OutcomeKind::Bounced { suppress: Suppress::Yes };
    let ends = vec![
        outcome(&store, row(messages[0]), OutcomeKind::Delivered, 250),
        outcome(&store, row(messages[1]), bounced, 550),
        outcome(&store, row(messages[2]), OutcomeKind::Deferred { due: later }, 451),
    ];
    store.settle(ends).await.unwrap();
    // Somebody with a secret of his own, and a stranger.
    for name in ["ada", "may"] {
        turn_away(&store, &authority, &address(name)).await;
    }
    let which = crate::Which { site: Some("slow.example".to_owned()), ..crate::Which::default() };
    let hold = (crate::OrderedBy::Controller, crate::OrderKind::Hold);
    store.order(controller, hold, &which, "they ask us to wait").await.unwrap();
    store.flush().await.unwrap();
    let in_flight = messages[3];
    let part = crate::cluster::queue_part("dest.example");
    let start = Start { id: in_flight, controller, part, attempt: 1, at: store.now() };
    assert_eq!(store.start(start).await.unwrap(), Started::Yes);
    // An entry waits for its place: the store does not sequence it any more.
    store
        .suppress(controller, &address("lee"), SuppressionScope::Marketing, SuppressionReason::Objection)
        .await
        .unwrap();
    store.engine.close().await;
    Contents { controller, messages, in_flight, large, erased }
}
