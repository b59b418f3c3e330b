//! Accounts and what is recorded about persons.

use super::rows::{OTHER, SHOP, at, question, tag};
use crate::engine::*;
use crate::error::Error;
use model::Timestamp;

fn instruction(id: i64, version: u32) -> Change {
    Change::Instruction(InstructionRow {
        id,
        controller: SHOP,
        version,
        state: "in-force".to_owned(),
        from: at(0),
        operations: "store,transmit".to_owned(),
        streams: "3".to_owned(),
        messages_per_day_max: u64::MAX,
    })
}

fn stream(id: i64) -> Change {
    let (name, kind, purpose) = ("receipts".to_owned(), "transactional".to_owned(), "orders".to_owned());
    Change::Stream(StreamRow { id, controller: SHOP, name, kind, purpose, purposes: String::new(), terms: "{}".into() })
}

fn silent(changes: Vec<Change>) -> Vec<(Change, Option<EntryRow>)> {
    changes.into_iter().map(|change| (change, None)).collect()
}

fn setting_up() -> Vec<Change> {
    vec![
        Change::Controller { id: SHOP, name: "Shop".to_owned(), at: at(0) },
        Change::Controller { id: OTHER, name: "Other".to_owned(), at: at(0) },
        Change::Agreement(AgreementRow {
            id: 1,
            controller: SHOP,
            version: 1,
            state: "in-force".to_owned(),
            from: at(0),
            until: None,
            document: [1; 32],
        }),
        instruction(2, 1),
        stream(3),
        Change::Domain(DomainRow {
            id: 5,
            controller: SHOP,
            name: "shop.example".to_owned(),
            verified: Some(at(1)),
            rsa_selector: "r1".to_owned(),
            rsa_key: vec![1; 100],
            ed25519_selector: "e1".to_owned(),
            ed25519_key: vec![2; 50],
            return_path: None,
        }),
        Change::Credential(CredentialRow {
            id: 4,
            controller: SHOP,
            username: "shop-1".to_owned(),
            password: [3; 32],
            key_name: "k1".to_owned(),
            key: [4; 32],
            default_stream: 3,
            streams: "3".to_owned(),
            expires: None,
            revoked: None,
            scram: Some(vec![5; 84]),
            scopes: "smtp,api".to_owned(),
            note: Some(vec![5; 40]),
            made: Some(at(1)),
        }),
    ]
}

pub(super) async fn tell(engine: &dyn Engine) {
    let entry = EntryRow { controller: SHOP, bytes: b"set up".to_vec() };
    let mut changes = silent(setting_up());
    changes[0].1 = Some(entry);
    assert_eq!(engine.change(changes).await.unwrap(), [1; 7]);
    assert_eq!(engine.inbox(None, 10).await.unwrap().len(), 1);

    // A name that is taken spoils the whole change: neither the revocation nor the entry is kept.
    let revoke = Change::Revoke { controller: SHOP, id: 4, at: at(2) };
    let entry = EntryRow { controller: SHOP, bytes: b"never".to_vec() };
    let taken = engine.change(vec![(revoke.clone(), Some(entry)), (stream(99), None)]).await;
    assert!(matches!(taken, Err(Error::Exists { what: "stream" })));
    let policy = engine.policy().await.unwrap();
    assert_eq!(policy.credentials[0].revoked, None);
    assert_eq!(policy.streams.len(), 1);
    assert_eq!(engine.inbox(None, 10).await.unwrap().len(), 1);

    // Row counts say what each change touched.
    let foreign = Change::Revoke { controller: OTHER, id: 4, at: at(2) };
    let held = Change::InstructionState { controller: SHOP, state: "held" };
    let suspended = Change::AgreementState { controller: SHOP, state: "suspended", until: Some(at(9)) };
    let nobody = Change::AgreementState { controller: OTHER, state: "ended", until: None };
    let changes = vec![foreign, revoke.clone(), revoke, held, suspended, nobody, instruction(6, 2)];
    let loud = |(n, change)| (change, Some(EntryRow { controller: SHOP, bytes: format!("change {n}").into_bytes() }));
    let changes = changes.into_iter().enumerate().map(loud).collect();
    assert_eq!(engine.change(changes).await.unwrap(), [0, 1, 0, 1, 1, 0, 1]);
    // What touched nothing did not happen: the ledger says nothing of it.
    let inbox = engine.inbox(None, 10).await.unwrap();
    let said: Vec<_> = inbox[1..].iter().map(|(_, row)| String::from_utf8(row.bytes.clone()).unwrap()).collect();
    assert_eq!(said, ["change 1", "change 3", "change 4", "change 6"]);

    let policy = engine.policy().await.unwrap();
    let names: Vec<_> = policy.controllers.iter().map(|row| (row.id, row.name.as_str(), row.tag_number)).collect();
    assert_eq!(names, [(SHOP, "Shop", 0), (OTHER, "Other", 0)]);
    assert_eq!((policy.agreements[0].state.as_str(), policy.agreements[0].until), ("suspended", Some(at(9))));
    let states: Vec<_> = policy.instructions.iter().map(|row| (row.version, row.state.as_str())).collect();
    assert_eq!(states, [(1, "superseded"), (2, "in-force")]);
    assert_eq!(policy.instructions[1].messages_per_day_max, u64::try_from(i64::MAX).unwrap());
    assert_eq!((policy.credentials[0].revoked, policy.credentials[0].key), (Some(at(2)), [4; 32]));
    let kept = &policy.credentials[0];
    assert_eq!((kept.scopes.as_str(), kept.note.as_deref(), kept.made), ("smtp,api", Some(&[5; 40][..]), Some(at(1))));
    assert_eq!((policy.domains[0].verified, policy.domains[0].rsa_key.len()), (Some(at(1)), 100));
}

fn suppression(scope: &str, reason: &str, since: Timestamp, until: Option<Timestamp>) -> Change {
    let (scope, reason) = (scope.to_owned(), reason.to_owned());
    Change::Suppress(SuppressionRow { controller: SHOP, tag: tag(200), scope, reason, since, until, address: None })
}

pub(super) async fn tell_of_persons(engine: &dyn Engine) {
    let basis = BasisRow {
        controller: SHOP,
        tag: tag(200),
        purpose: 3,
        evidence: "complete".into(),
        notice: None,
        batch: None,
        kind: "consent".to_owned(),
        given: at(1),
        confirmed: Some(at(2)),
        withdrawn: None,
        expires: None,
    };
    let withdraw = Change::Rows(crate::permission::leave_basis(SHOP, tag(200), 3, at(3)));
    let restrict = |kind| Change::Restrict { controller: SHOP, tag: tag(200), kind, at: at(4) };
    let changes = vec![
        Change::Rows(crate::permission::put_basis(&basis, true)),
        suppression("delivery", "hard-bounce", at(1), Some(at(50))),
        // Of two that end, the older stays …
        suppression("delivery", "hard-bounce", at(2), Some(at(90))),
        // … but one that has run out gives way,
        suppression("delivery", "complaint", at(60), Some(at(99))),
        // and a lasting one is not replaced by anything.
        suppression("all", "objection", at(5), None),
        suppression("all", "hard-bounce", at(6), Some(at(7))),
        withdraw.clone(),
        withdraw,
        restrict("restricted"),
        restrict("erased"),
        restrict("restricted"),
    ];
    assert_eq!(engine.change(silent(changes)).await.unwrap(), [1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 0]);

    let many: Vec<_> = (0..100).map(|n| question(SHOP, n)).chain([question(OTHER, 200), question(SHOP, 200)]).collect();
    let persons = engine.persons(many).await.unwrap();
    assert_eq!(persons.len(), 102);
    for stranger in &persons[..101] {
        assert!(stranger.suppressions.is_empty() && stranger.restriction.is_none() && stranger.basis.is_none());
    }
    let person = &persons[101];
    let scopes: Vec<_> =
        person.suppressions.iter().map(|row| (row.scope.as_str(), row.reason.as_str(), row.until)).collect();
    assert_eq!(scopes, [("all", "objection", None), ("delivery", "complaint", Some(at(99)))]);
    assert_eq!(person.restriction.as_deref(), Some("erased"));
    assert_eq!(person.basis.as_ref().map(|basis| (basis.confirmed, basis.withdrawn)), Some((Some(at(2)), Some(at(3)))));
    assert_eq!(person.slot, None);

    // GDPR Art. 7(3): what was withdrawn is not put back by recording it anew …
    assert_eq!(
        engine.change(silent(vec![Change::Rows(crate::permission::put_basis(&basis, true))])).await.unwrap(),
        [0]
    );
    let persons = engine.persons(vec![question(SHOP, 200)]).await.unwrap();
    assert_eq!(persons[0].basis.as_ref().unwrap().withdrawn, Some(at(3)));
    // … while one that stands is replaced,
    let first = BasisRow { tag: tag(201), purpose: 4, confirmed: None, ..basis };
    let second = BasisRow { confirmed: Some(at(9)), ..first.clone() };
    let put = |row: &BasisRow| Change::Rows(crate::permission::put_basis(row, true));
    assert_eq!(engine.change(silent(vec![put(&first), put(&second)])).await.unwrap(), [1, 1]);
    let asked = crate::engine::PersonQuery { purpose: 4, ..question(SHOP, 201) };
    let persons = engine.persons(vec![asked]).await.unwrap();
    assert_eq!(persons[0].basis.as_ref().unwrap().confirmed, Some(at(9)));
    tell_of_words_against_a_wish(engine, &first).await;
}

/// GDPR Art. 7(3), 21(3): while the person's own wish stands, nobody else's word makes a basis where it reaches.
async fn tell_of_words_against_a_wish(engine: &dyn Engine, basis: &BasisRow) {
    let wishes = [
        // Scope, reason: does a basis for marketing come in, and one for other mail?
        ("marketing", "opt-out", 0, 1),
        ("marketing", "complaint", 0, 1),
        ("all", "objection", 0, 0),
        ("purpose:4", "opt-out", 0, 0),
        ("purpose:5", "opt-out", 1, 1),
        ("list:4", "opt-out", 1, 1),
        ("marketing", "controller", 1, 1),
        ("delivery", "hard-bounce", 1, 1),
    ];
    for (n, (scope, reason, marketing, other)) in wishes.into_iter().enumerate() {
        for (person, is_marketing, comes) in [(230 + n, true, marketing), (240 + n, false, other)] {
            let tag = tag(u8::try_from(person).unwrap());
            let Change::Suppress(wish) = suppression(scope, reason, at(1), None) else { unreachable!() };
            let wish = Change::Suppress(SuppressionRow { tag, ..wish });
            let put = crate::permission::put_basis(&BasisRow { tag, ..basis.clone() }, is_marketing);
            let touched = engine.change(silent(vec![wish, Change::Rows(put)])).await.unwrap();
            assert_eq!(touched, [1, comes], "{scope} by {reason}, marketing: {is_marketing}");
        }
    }
}

/// GDPR Art. 7(3), 21: a person's own wish is stronger than a bounce or the controller's entry, and what lasts is
/// stronger than what ends.
pub(super) async fn tell_of_wishes(engine: &dyn Engine) {
    let (lasting, ending) = (None, Some(at(90)));
    let pairs = [
        // Before, then, and does the second take the place of the first?
        (("controller", lasting), ("objection", lasting), 1),
        (("hard-bounce", ending), ("opt-out", lasting), 1),
        (("hard-bounce", ending), ("complaint", ending), 1),
        (("objection", lasting), ("controller", lasting), 0),
        (("complaint", lasting), ("hard-bounce", ending), 0),
        // Only he lifts an opt-out with a tick, so what he said in a complaint or an objection goes before it.
        (("opt-out", lasting), ("objection", lasting), 1),
        (("opt-out", lasting), ("complaint", lasting), 1),
        (("complaint", lasting), ("objection", lasting), 1),
        (("objection", lasting), ("opt-out", lasting), 0),
        (("objection", lasting), ("complaint", lasting), 0),
        (("complaint", lasting), ("opt-out", lasting), 0),
        (("objection", lasting), ("erasure", lasting), 1),
        (("opt-out", lasting), ("complaint", ending), 0),
        (("complaint", ending), ("controller", lasting), 0),
        (("complaint", ending), ("opt-out", lasting), 1),
        (("hard-bounce", ending), ("controller", lasting), 1),
        (("controller", lasting), ("hard-bounce", ending), 0),
        (("controller", lasting), ("complaint", ending), 0),
        (("erasure", lasting), ("controller", lasting), 0),
    ];
    for (n, (before, then, replaces)) in pairs.into_iter().enumerate() {
        let person = 160 + u8::try_from(n).unwrap();
        let row = |(reason, until): (&str, _), since| {
            let (scope, reason) = ("all".to_owned(), reason.to_owned());
            Change::Suppress(SuppressionRow {
                controller: SHOP,
                tag: tag(person),
                scope,
                reason,
                since,
                until,
                address: None,
            })
        };
        let changes = silent(vec![row(before, at(1)), row(then, at(2))]);
        assert_eq!(engine.change(changes).await.unwrap(), [1, replaces], "{before:?}, then {then:?}");
        let kept = &engine.persons(vec![question(SHOP, person)]).await.unwrap()[0].suppressions[0];
        let stands = if replaces == 1 { then } else { before };
        assert_eq!((kept.reason.as_str(), kept.until), stands, "{before:?}, then {then:?}");
    }
}
