//! What was asked for takes effect also when nobody waits for the answer; what did not happen is in no log; what is
//! in the log can be shown to be about the row.

use super::*;
use crate::conformance::place::Place;
use crate::conformance::rows::{acceptance, message};
use crate::engine::CredentialRow;
use crate::permission::{Act, Method};
use crate::spool::Start;
use crate::vault::KeyKind;
use ledger::Entry;
use model::person::{SuppressionReason, SuppressionScope};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

const CONSENT: NewBasis =
    NewBasis { kind: BasisKind::Consent, confirmed: Verified::Yes, evidence: Evidence::Complete, expires: None };

fn person(n: usize) -> Address {
    Address::parse(&format!("p{n}@dest.example")).unwrap()
}

async fn shop(place: &Place) -> (Arc<Store>, ControllerId, StreamId) {
    let store = place.open().await.unwrap();
    let shop = store.create_controller("Shop").await.unwrap();
    store.sign_agreement(shop, None).await.unwrap();
    let news = store.create_stream(shop, "news", StreamKind::Marketing, "news").await.unwrap();
    store.issue_instruction(shop, &Operation::ALL, &[news], 100).await.unwrap();
    (store, shop, news)
}

/// Asks, and goes away at once. Answers whether there was anything to wait for.
fn ask_and_leave<T>(asked: impl Future<Output = T>) -> bool {
    let mut asked = Box::pin(asked);
    let mut context = Context::from_waker(Waker::noop());
    matches!(asked.as_mut().poll(&mut context), Poll::Pending)
}

/// Returns when the writer has done what was asked of it before.
async fn writer_passed(store: &Store) {
    let controller = ControllerId::OPERATOR;
    let start = Start { id: store.new_message_id(), controller, part: 0, attempt: 1, at: store.now() };
    store.start(start).await.unwrap();
}

/// The last entry that waits for its place.
async fn last_leaf(store: &Store) -> Entry {
    let (_, row) = store.engine.inbox(None, 1_000).await.unwrap().pop().unwrap();
    Entry::decode(&row.bytes).unwrap()
}

async fn leaves(store: &Store) -> usize {
    store.engine.inbox(None, 1_000).await.unwrap().len()
}

#[tokio::test]
async fn gdpr_7_3_a_withdrawal_takes_effect_when_its_caller_goes_away() {
    let place = Place::new();
    let (store, shop, news) = shop(&place).await;
    let mut left = 0;
    for n in 0..50 {
        let to = person(n);
        store.record_basis(shop, PurposeId::of_stream(news), &to, CONSENT, &Act::by(Method::Api)).await.unwrap();
        let known = store.recipient_facts(shop, PurposeId::of_stream(news), &[&to]).await.unwrap();
        assert!(known[0].facts.basis.as_ref().unwrap().withdrawn_at.is_none());
        let before = store.generation(shop);
        left += usize::from(ask_and_leave(store.withdraw_basis(
            shop,
            PurposeId::of_stream(news),
            &to,
            &Act::by(Method::Api),
        )));
        writer_passed(&store).await;
        let known = store.recipient_facts(shop, PurposeId::of_stream(news), &[&to]).await.unwrap();
        assert!(known[0].facts.basis.as_ref().unwrap().withdrawn_at.is_some(), "person {n}");
        assert!(store.generation(shop) > before, "person {n}: clearances in flight would go on");
    }
    // The writer may have been quicker now and then; mostly it was not.
    assert!(left > 0);
}

#[tokio::test]
async fn gdpr_28_3_the_end_of_an_agreement_takes_effect_when_its_caller_goes_away() {
    let place = Place::new();
    let (store, shop, _) = shop(&place).await;
    let before = store.generation(shop);
    let state = |store: &Store| store.policy.current().controller(shop).unwrap().agreement.as_ref().unwrap().state;
    assert_eq!(state(&store), AgreementState::InForce);
    ask_and_leave(store.set_agreement_state(shop, AgreementState::Ended));
    writer_passed(&store).await;
    assert_eq!(state(&store), AgreementState::Ended);
    assert!(store.generation(shop) > before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_policy_in_memory_is_the_last_one_committed() {
    let place = Place::new();
    let (store, shop, _) = shop(&place).await;
    for round in 0..40 {
        let tasks: Vec<_> = (0..4)
            .map(|n| {
                let store = Arc::clone(&store);
                let name = format!("s{round}x{n}");
                tokio::spawn(async move {
                    store.create_stream(shop, &name, StreamKind::Marketing, "x").await.unwrap();
                    name
                })
            })
            .collect();
        for task in tasks {
            let name = task.await.unwrap();
            assert!(store.stream_named(shop, &name).is_some(), "{name} was answered and is not in force");
        }
    }
}

#[tokio::test]
async fn gdpr_5_2_what_did_not_happen_leaves_no_leaf() {
    let place = Place::new();
    let (store, shop, news) = shop(&place).await;
    let before = leaves(&store).await;
    store.record_basis(shop, PurposeId::of_stream(news), &person(1), CONSENT, &Act::by(Method::Api)).await.unwrap();
    store.withdraw_basis(shop, PurposeId::of_stream(news), &person(1), &Act::by(Method::Api)).await.unwrap();
    assert_eq!(leaves(&store).await, before + 2);
    assert!(matches!(
        store.record_basis(shop, PurposeId::of_stream(news), &person(1), CONSENT, &Act::by(Method::Api)).await,
        Err(Error::Withdrawn)
    ));
    let stranger = store.withdraw_basis(shop, PurposeId::of_stream(news), &person(2), &Act::by(Method::Api)).await;
    assert!(!stranger.unwrap(), "nothing stood");
    // That he does not wish it did happen, and as often as he says so.
    assert_eq!(leaves(&store).await, before + 3);
    store.withdraw_basis(shop, PurposeId::of_stream(news), &person(2), &Act::by(Method::Api)).await.unwrap();
    assert_eq!(leaves(&store).await, before + 4);
    // What was refused did not: neither the basis above, nor this one against his wish.
    let (stranger, by) = (person(2), Act::by(Method::Api));
    let refused = store.record_basis(shop, PurposeId::of_stream(news), &stranger, CONSENT, &by).await;
    assert!(matches!(refused, Err(Error::Withdrawn)));
    assert_eq!(leaves(&store).await, before + 4);
}

#[tokio::test]
async fn a_credential_for_a_foreign_stream_is_refused() {
    let place = Place::new();
    let (store, shop, news) = shop(&place).await;
    let other = store.create_controller("Other").await.unwrap();
    let own = store.create_stream(other, "own", StreamKind::Transactional, "x").await.unwrap();
    for (default_stream, streams) in [(news, vec![own]), (own, vec![own, news]), (news, vec![])] {
        let new = NewCredential { username: "x", default_stream, streams: &streams, expires: None };
        assert!(matches!(store.create_credential(other, new).await, Err(Error::NotFound { what: "stream" })));
    }
    let new = NewCredential { username: "x", default_stream: own, streams: &[own], expires: None };
    assert!(store.create_credential(other, new).await.is_ok());
    assert!(store.controller_named("Shop") == Some(shop));
}

#[tokio::test]
async fn a_row_that_is_not_understood_lets_nothing_pass_and_hurts_nobody_else() {
    let place = Place::new();
    let (store, shop, news) = shop(&place).await;
    let other = store.create_controller("Other").await.unwrap();
    let credential = Change::Credential(CredentialRow {
        id: store.next_id(),
        controller: other.0,
        username: "bad".to_owned(),
        password: store.vault.secret_hash("smtp", "secret"),
        key_name: "bad".to_owned(),
        key: [0; 32],
        default_stream: news.0,
        streams: String::new(),
        expires: None,
        revoked: None,
        scram: None,
        scopes: "smtp,api".to_owned(),
        note: None,
        made: None,
    });
    let newer = Change::Agreement(AgreementRow {
        id: store.next_id(),
        controller: shop.0,
        version: 2,
        state: "of a later version of this program".to_owned(),
        from: store.now(),
        until: None,
        document: [0; 32],
    });
    store.engine.change(vec![(credential, None), (newer, None)]).await.unwrap();
    assert!(store.create_controller("Third").await.is_ok());
    store.close().await;
    drop(store);
    let store = place.open().await.unwrap();
    assert!(store.authenticate_smtp("bad", "secret").is_none());
    assert!(store.controller_named("Third").is_some());
    let policy = store.policy.current();
    let known = policy.controller(shop).unwrap();
    assert!(known.agreement.is_none(), "the older agreement must not come back");
    assert!(known.instruction.is_some());
}

#[tokio::test]
async fn rfc5802_3_a_credential_from_before_gets_its_keys_at_its_next_login() {
    let place = Place::new();
    let (store, shop, news) = shop(&place).await;
    let credential = Change::Credential(CredentialRow {
        id: store.next_id(),
        controller: shop.0,
        username: "old".to_owned(),
        password: store.vault.secret_hash("smtp", "secret"),
        key_name: "old".to_owned(),
        key: [0; 32],
        default_stream: news.0,
        streams: String::new(),
        expires: None,
        revoked: None,
        scram: None,
        scopes: "smtp,api".to_owned(),
        note: None,
        made: None,
    });
    store.engine.change(vec![(credential, None)]).await.unwrap();
    let keys = |name: &str| store.scram_challenge(name).unwrap().keys;
    let nobody = keys("old");
    assert!(nobody == keys("old") && nobody != keys("older"), "a name has one salt, and each its own");
    let authority = store.authenticate_smtp("old", "secret").unwrap();
    assert!(store.lacks_scram(&authority));
    store.keep_scram(&authority, "secret").await.unwrap();
    let kept = keys("old+news");
    assert!(kept != nobody && kept == keys("old"));
    assert!(!store.lacks_scram(&store.authenticate_smtp("old", "secret").unwrap()));
    // Once: whoever logs in meanwhile on another node changes nothing.
    store.keep_scram(&authority, "other").await.unwrap();
    assert!(kept == keys("old"));
    assert!(store.scram_challenge("old").unwrap().nonce != store.scram_challenge("old").unwrap().nonce);
}

#[tokio::test]
async fn gdpr_28_3_the_leaf_of_an_instruction_names_it_and_commits_to_what_it_says() {
    let place = Place::new();
    let (store, shop, news) = shop(&place).await;
    let id = store.issue_instruction(shop, &Operation::ALL, &[news], 7).await.unwrap();
    let leaf = last_leaf(&store).await;
    assert_eq!(leaf.instruction(), Some(store.public_id(id).as_str()));
    let row = store.engine.policy().await.unwrap().instructions.pop().unwrap();
    assert_eq!(row.messages_per_day_max, 7);
    assert_eq!(leaf.commitment(), Some(&commitment(&store, shop, &leaf, Change::Instruction(row.clone()))));
    let other = InstructionRow { messages_per_day_max: 8, ..row };
    assert_ne!(leaf.commitment(), Some(&commitment(&store, shop, &leaf, Change::Instruction(other))));

    let id = store.sign_agreement(shop, None).await.unwrap();
    let leaf = last_leaf(&store).await;
    assert_eq!(leaf.agreement(), Some(store.public_id(id).as_str()));
    let row = store.engine.policy().await.unwrap().agreements.pop().unwrap();
    assert_eq!(row.document, terms::agreement(shop, 2, row.from, None));
    assert_ne!(row.document, terms::agreement(shop, 2, row.from, Some(row.from)));
    assert_eq!(leaf.commitment(), Some(&commitment(&store, shop, &leaf, Change::Agreement(row))));
}

/// What the controller's own key makes of a change.
fn commitment(store: &Store, controller: ControllerId, leaf: &Entry, change: Change) -> [u8; 32] {
    let key = store.vault.key(controller.0, KeyKind::Tag, 0).unwrap();
    crypto::mac(key.as_slice(), &[b"commit", &event(leaf), &terms::of(&change)])
}

fn event(leaf: &Entry) -> [u8; 16] {
    std::array::from_fn(|at| u8::from_str_radix(&leaf.id()[2 * at..2 * at + 2], 16).unwrap())
}

#[tokio::test]
async fn gdpr_17_leaves_about_a_person_hang_on_his_secret_alone() {
    let place = Place::new();
    let (store, shop, news) = shop(&place).await;
    let tag = store.vault.tag(shop, &person(1)).unwrap();
    let (slot, secret, _lease) = store.vault.new_slot(shop.0, tag, store.next_id()).await.unwrap();
    let mut first = message(1, 1, 1);
    (first.controller, first.tag, first.slot) = (shop.0, tag.0, slot);
    let mut rows = acceptance(vec![first]);
    rows.controller = shop.0;
    rows.entries.clear();
    store.engine.accept(rows).await.unwrap();

    store.record_basis(shop, PurposeId::of_stream(news), &person(1), CONSENT, &Act::by(Method::Api)).await.unwrap();
    let first = last_leaf(&store).await;
    store.suppress(shop, &person(1), SuppressionScope::All, SuppressionReason::Objection).await.unwrap();
    let second = last_leaf(&store).await;
    let sref = |leaf: &Entry| crypto::mac(secret.ledger.as_slice(), &[b"sref", &event(leaf)]);
    assert_eq!((first.kind(), first.subject_ref()), ("basis.recorded", Some(&sref(&first))));
    assert_eq!((second.kind(), second.subject_ref()), ("suppression.added", Some(&sref(&second))));
    assert_ne!(first.subject_ref(), second.subject_ref(), "two leaves of one person have nothing in common");

    let row = &store.engine.persons(vec![PersonQuery { controller: shop.0, purpose: 0, tag: tag.0 }]).await.unwrap()[0];
    let said = terms::of(&Change::Suppress(row.suppressions[0].clone()));
    let blind = crypto::mac(secret.ledger.as_slice(), &[b"blind", &event(&second)]);
    assert_eq!(second.commitment(), Some(&crypto::mac(&blind, &[&said])));

    // Whoever is suppressed is known from then on, by a secret of his own; of an erased person nothing is in the leaf.
    store.suppress(shop, &person(2), SuppressionScope::All, SuppressionReason::Objection).await.unwrap();
    let of_another = last_leaf(&store).await;
    assert!(of_another.subject_ref().is_some_and(|found| *found != sref(&of_another)));
    store.restrict(shop, &person(1), Restriction::Erased).await.unwrap();
    assert!(last_leaf(&store).await.subject_ref().is_some());
    store.suppress(shop, &person(1), SuppressionScope::Delivery, SuppressionReason::Controller).await.unwrap();
    assert_eq!(last_leaf(&store).await.subject_ref(), None);
}
