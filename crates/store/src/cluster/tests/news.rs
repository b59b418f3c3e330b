//! What one node changes, the others know within a second.

use super::house::{House, Node, address, shared, shop, until};
use crate::NewCredential;
use crate::permission::{Exercised, Right};
use crate::spool::Start;
use gate::{Facts, Rule, Verdict};
use model::agreement::AgreementState;
use model::person::{Restriction, SuppressionReason, SuppressionScope};
use std::time::Duration;

/// The bound of a withdrawal's effect, and of a credential's.
const SECOND: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_secs(5);

async fn two_nodes(house: &House) -> (Node, Node) {
    let (one, two) = (house.node("one").await, house.node("two").await);
    shop(&one).await;
    shared(&one, &two).await;
    until("the accounts are known", SECOND, async || two.store.authority_named("shop").is_some()).await;
    (one, two)
}

/// The node that holds the site, and the other.
fn by_site(one: Node, two: Node) -> (Node, Node) {
    if one.holds_the_site() { (one, two) } else { (two, one) }
}

async fn close(nodes: [Node; 2]) {
    for node in nodes {
        node.store.close().await;
    }
}

/// What the gate says before this message leaves, on this node.
async fn clearance(node: &Node, row: &crate::QueueRow) -> Verdict<gate::Clearance> {
    let (sender, message, recipient, generation) = node.store.clearance_facts(&[row]).await.unwrap().remove(0);
    gate::clear(&Facts {
        now: node.store.now(),
        generation,
        sender: Some(&sender),
        message,
        recipient: Some(&recipient),
        quota: gate::facts::QuotaFacts { allowed: 1, used: 0 },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn art21_3_a_wish_told_to_one_node_moves_the_generation_of_all() {
    let house = House::new().await;
    let (one, two) = two_nodes(&house).await;
    let controller = one.authority().controller();
    let owner = if one.holds_the_site() { &one } else { &two };
    owner.send(&["ada"]).await;
    owner.send(&["bob"]).await;
    let rows = owner.rows().await;
    assert!(matches!(clearance(owner, &rows[0]).await, Verdict::Pass(_)));
    let other = if one.holds_the_site() { &two } else { &one };
    let before = owner.store.generation(controller);
    other
        .store
        .suppress(controller, &address("ada"), SuppressionScope::All, SuppressionReason::Objection)
        .await
        .unwrap();
    until("the generation moves", SECOND, async || owner.store.generation(controller) != before).await;
    let Verdict::Refuse(refusal) = clearance(owner, &rows[0]).await else { panic!("it passed") };
    assert_eq!(refusal.rule(), Rule::Objected);
    assert!(matches!(clearance(owner, &rows[1]).await, Verdict::Pass(_)));
    close([one, two]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn art7_3_a_start_sees_what_another_node_committed_just_before() {
    let house = House::new().await;
    let (one, two) = two_nodes(&house).await;
    let controller = one.authority().controller();
    let (owner, other) = by_site(one, two);
    for round in 0..8 {
        let name = format!("p{round}");
        owner.send(&[&name]).await;
        let row = owner.rows().await.pop().unwrap();
        let facts = owner.store.clearance_facts(&[&row]).await.unwrap().remove(0);
        // Between MAIL and the final dot: no poll is waited for.
        other
            .store
            .suppress(controller, &address(&name), SuppressionScope::All, SuppressionReason::Objection)
            .await
            .unwrap();
        owner.store.start(Start::of(&row, owner.store.now())).await.unwrap();
        assert_ne!(owner.store.generation(controller), facts.3, "round {round}");
        assert!(matches!(clearance(&owner, &row).await, Verdict::Refuse(_)));
    }
    // Accounts too: what the start saw, the facts that are read next rest on.
    owner.send(&["zoe"]).await;
    let row = owner.rows().await.pop().unwrap();
    let facts = owner.store.clearance_facts(&[&row]).await.unwrap().remove(0);
    other.store.set_agreement_state(controller, AgreementState::Suspended).await.unwrap();
    owner.store.start(Start::of(&row, owner.store.now())).await.unwrap();
    assert_ne!(owner.store.generation(controller), facts.3);
    assert!(!matches!(clearance(&owner, &row).await, Verdict::Pass(_)));
    close([owner, other]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn art7_3_a_process_that_goes_on_after_a_stop_believes_nothing_it_knew() {
    let house = House::new().await;
    let (one, two) = two_nodes(&house).await;
    let controller = one.authority().controller();
    let (owner, other) = by_site(one, two);
    owner.send(&["ada"]).await;
    let row = owner.rows().await.remove(0);
    assert!(matches!(clearance(&owner, &row).await, Verdict::Pass(_)));
    // Nothing of it runs any more but what is called.
    owner.store.vanish().await;
    let before = owner.store.generation(controller);
    other.store.set_agreement_state(controller, AgreementState::Suspended).await.unwrap();
    until("what is known is too old", SECOND, async || owner.store.generation(controller) != before).await;
    assert!(!matches!(clearance(&owner, &row).await, Verdict::Pass(_)));
    other.store.set_agreement_state(controller, AgreementState::InForce).await.unwrap();
    assert!(matches!(clearance(&owner, &row).await, Verdict::Pass(_)));
    close([owner, other]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn art5_2_without_news_there_are_no_facts() {
    let house = House::new().await;
    let one = house.node("one").await;
    let controller = shop(&one).await;
    one.send(&["ada"]).await;
    let row = one.rows().await.remove(0);
    assert!(matches!(clearance(&one, &row).await, Verdict::Pass(_)));
    let before = one.store.generation(controller);
    // The database is gone.
    drop(house);
    until("what is known is too old", SOON, async || one.store.generation(controller) != before).await;
    until("nothing is known", SOON, async || one.store.clearance_facts(&[&row]).await.is_err()).await;
    until("nothing is held", SOON, async || !one.holds_the_site()).await;
    one.store.vanish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_not_refused_for_what_is_not_known_yet() {
    let house = House::new().await;
    let (one, two) = two_nodes(&house).await;
    let controller = one.authority().controller();
    let (owner, other) = by_site(one, two);
    for _ in 0..4 {
        other.store.set_agreement_state(controller, AgreementState::Suspended).await.unwrap();
        until("known", SECOND, async || {
            let (sender, _) = owner.store.sender_facts(
                &owner.authority(),
                owner.authority().stream().id,
                owner.authority().stream().default_purpose(),
            );
            sender.agreement.is_some_and(|agreement| agreement.state == AgreementState::Suspended)
        })
        .await;
        // In force again, and a message taken in at once: its owner may not have heard of the first.
        other.store.set_agreement_state(controller, AgreementState::InForce).await.unwrap();
        other.send(&["ada"]).await;
        let row = owner.rows().await.pop().unwrap();
        assert!(matches!(clearance(&owner, &row).await, Verdict::Pass(_)));
    }
    close([owner, other]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_and_controllers_made_on_one_node_serve_on_the_other() {
    let house = House::new().await;
    let (one, two) = (house.node("one").await, house.node("two").await);
    shared(&one, &two).await;
    let controller = shop(&one).await;
    until("the credential is known", SECOND, async || two.store.authority_named("shop").is_some()).await;
    // Its keys too: tags, secrets, DKIM keys, a body that several recipients share.
    let domain = mail::address::Domain::parse("shop.example").unwrap();
    let id = two.store.from_domain(controller, &domain).1.unwrap();
    assert_eq!(two.store.dkim_signers(controller, id).unwrap().len(), 2);
    let sender = if one.holds_the_site() { &two } else { &one };
    let owner = if one.holds_the_site() { &one } else { &two };
    sender.send(&["ada", "bob"]).await;
    let rows = owner.rows().await;
    let contents = owner.store.open_content(&rows.iter().collect::<Vec<_>>()).await.unwrap();
    let bodies: Vec<_> = contents.iter().map(|content| &content.as_ref().unwrap().body[..]).collect();
    assert_eq!(bodies, [b"body\r\n", b"body\r\n"]);

    let streams = [one.authority().stream().id];
    let new = || NewCredential { username: "second", default_stream: streams[0], streams: &streams, expires: None };
    let created = one.store.create_credential(controller, new()).await.unwrap();
    let works = || two.store.authenticate_smtp("second", &created.password).is_some();
    until("the credential works", SECOND, async || works()).await;
    assert!(two.store.authenticate_key(&created.api_key).is_some());
    one.store.revoke_credential(controller, created.id).await.unwrap();
    until("the credential fails", SECOND, async || !works()).await;

    // One after the other on different nodes: each sees what the one before made.
    assert!(matches!(
        two.store.create_credential(controller, new()).await,
        Err(crate::Error::Exists { what: "credential" })
    ));
    for node in [&one, &two, &one, &two] {
        node.store.sign_agreement(controller, None).await.unwrap();
    }
    close([one, two]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gdpr_28_3_e_a_wish_is_taken_in_hand_by_one_node_and_by_another_when_that_one_has_gone() {
    let house = House::new().await;
    let (one, two) = two_nodes(&house).await;
    let controller = one.authority().controller();
    let wish = async |name: &str| {
        let tag = one.store.tag_of(controller, &address(name)).unwrap();
        match one.store.exercise_right(controller, tag, Right::Access, None).await.unwrap() {
            Exercised::Now(id) => id,
            Exercised::Before(id) => panic!("{id:?} is a wish of before"),
        }
    };
    let claims = async |id| {
        let (first, second) = tokio::join!(one.store.claim_wish(controller, id), two.store.claim_wish(controller, id));
        [first.unwrap(), second.unwrap()]
    };
    for name in ["ada", "bob", "cem", "dan", "eve", "flo", "gus", "hal", "ida", "jon"] {
        let id = wish(name).await;
        assert_eq!(claims(id).await.into_iter().filter(|claimed| *claimed).count(), 1);
        assert_eq!(claims(id).await, [false, false]);
        one.store.wish_forwarded(controller, id).await.unwrap();
        assert_eq!(claims(id).await, [false, false]);
    }
    close([one, two]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gdpr_17_a_secret_destroyed_on_one_node_is_forgotten_by_the_other() {
    let house = House::new().await;
    let (one, two) = two_nodes(&house).await;
    let controller = one.authority().controller();
    let (owner, other) = by_site(one, two);
    owner.send(&["ada"]).await;
    let row = owner.rows().await.remove(0);
    assert!(owner.store.open_content(&[&row]).await.unwrap()[0].is_some());
    let slot = (controller.0, row.slot);
    let known = async || owner.store.vault.secrets(&[slot]).await.unwrap()[0].is_some();
    assert!(known().await);
    let before = owner.store.generation(controller);
    other.store.restrict(controller, &address("ada"), Restriction::Erased).await.unwrap();
    until("it is forgotten", SECOND, async || !known().await).await;
    assert_ne!(owner.store.generation(controller), before);
    assert!(owner.store.open_content(&[&row]).await.unwrap()[0].is_none());
    let Verdict::Refuse(refusal) = clearance(&owner, &row).await else { panic!("it passed") };
    assert_eq!(refusal.rule(), Rule::RecipientErased);
    close([owner, other]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allowance_is_one_for_all_nodes() {
    let house = House::new().await;
    let (one, two) = two_nodes(&house).await;
    let controller = one.authority().controller();
    let stream = one.authority().stream().id;
    one.store.issue_instruction(controller, &model::instruction::Operation::ALL, &[stream], 5).await.unwrap();
    two.store.catch_up().await.unwrap();
    // Both have read it.
    assert_eq!(two.store.quota(controller).await.unwrap().used, 0);
    for _ in 0..4 {
        one.send(&["ada"]).await;
    }
    assert_eq!(two.store.quota_written(controller).await.unwrap().used, 4);
    until("memory does not lag for long", SOON, async || two.store.quota(controller).await.unwrap().used == 4).await;
    two.send(&["bob"]).await;
    assert_eq!(one.store.quota_written(controller).await.unwrap().used, 5);
    close([one, two]).await;
}
