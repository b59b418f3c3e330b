//! Under a new key everybody is who he was, for the gate, for links in mails and for names that were given out; nothing
//! is left under the old one; and what is cut short goes on.

use super::*;
use crate::conformance::place::Place;
use crate::copy::tests::house::{Contents, address, furnish, open_at, rows, still};
use crate::copy::{CopyPlan, StorePlace, copy_store};
use crate::open::PostgresSettings;
use crate::permission::{Act, Link, LinkTarget, Method, Preference, SuppressionCursor, SuppressionFilter};
use crate::sqlite::open_main_for_tests;
use crate::{BodyPlacement, ClockSource, NewBasis, Roles, Verified};
use model::basis::{BasisKind, Evidence};
use model::person::{Restriction, SuppressionReason, SuppressionScope};
use model::{PurposeId, StreamKind};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Everybody whom the house knows, and a stranger.
const NAMES: &[&str] = &[
    "ada", "asked", "bob", "cem", "consents", "dan", "eve", "flo", "gus", "hal", "jon", "kim", "lee", "may",
    "withdrew", "nobody",
];

async fn open_to_move(dir: &Path) -> Arc<Store> {
    let mut options = still(dir);
    options.moves_tags = true;
    Store::open_sqlite(dir, options).await.unwrap()
}

/// Everything that is known of these people, in words in which no tag stands.
async fn picture(store: &Store, controller: ControllerId, names: &[&str], purposes: &[PurposeId]) -> Vec<String> {
    let mut said = Vec::new();
    for name in names {
        let person = address(name);
        for purpose in purposes {
            let mut found = store.recipient_facts(controller, *purpose, &[&person]).await.unwrap().remove(0);
            found.facts.tag = RecipientTag([0; 16]);
            said.push(format!("{name} {purpose:?}: {:?} {:?} {}", found.facts, found.slot, found.counted));
        }
        let tag = store.tag_of(controller, &person).unwrap();
        let kept = store.address_of(controller, tag).await.unwrap();
        said.push(format!("{name} kept {:?}", kept.map(|address| address.to_wire())));
        said.push(format!("{name} decided {:?}", store.decided(controller, tag).await.unwrap()));
        said.push(format!("{name} did {:?}", store.consent_events(controller, tag).await.unwrap()));
        let refused = store.refusals_of(controller, tag).await.unwrap();
        said.push(format!("{name} refused {:?}", refused.iter().map(|one| format!("{one:?}")).collect::<Vec<_>>()));
    }
    let cursor = SuppressionCursor::default();
    let (listed, _) = store.suppressions(controller, SuppressionFilter::default(), &cursor, 1_000).await.unwrap();
    let mut listed: Vec<_> =
        listed.iter().map(|one| format!("{:?} {:?} {:?}", one.address, one.scope, one.reason)).collect();
    listed.sort();
    said.extend(listed);
    said
}

/// Of everybody and of every message; and of what waits, which a store that holds no share of the queue does not see.
async fn picture_of_house(store: &Store, contents: &Contents) -> (Vec<String>, Vec<String>) {
    let streams = ["news", "bounded", "shop"];
    let purposes: Vec<_> =
        streams.iter().map(|name| store.stream_named(contents.controller, name).unwrap().default_purpose()).collect();
    let mut said = picture(store, contents.controller, NAMES, &purposes).await;
    for id in &contents.messages {
        said.push(format!("{:?}", store.message(contents.controller, *id).await.unwrap()));
    }
    let mut waits = Vec::new();
    for row in rows(store, contents.controller).await {
        let content = store.open_content(&[&row]).await.unwrap();
        waits.push(format!("{:?} {:?} opens: {}", row.id, row.slot, content.iter().all(Option::is_some)));
    }
    waits.sort();
    (said, waits)
}

/// Every table with a column of tags, and the tags in it.
fn tags_on_disk(dir: &Path, controller: ControllerId) -> Vec<(String, BTreeSet<Vec<u8>>, i64)> {
    let connection = open_main_for_tests(dir).unwrap();
    let text = "SELECT m.name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c ON c.name = 'tag' \
        WHERE m.type = 'table' ORDER BY m.name";
    let tables: Vec<String> =
        connection.prepare(text).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let of = |table: String| {
        let text = format!("SELECT tag FROM {table} WHERE controller = ?1");
        let mut rows = connection.prepare(&text).unwrap();
        let tags: Vec<Option<Vec<u8>>> =
            rows.query_map([controller.0], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let count = i64::try_from(tags.len()).unwrap();
        (table, tags.into_iter().flatten().collect(), count)
    };
    tables.into_iter().map(of).collect()
}

#[tokio::test]
async fn gdpr_32_1_under_a_new_master_key_everything_opens_and_under_the_old_one_nothing() {
    for cut_short in [false, true] {
        let place = Place::new();
        let contents = furnish(&place, 1).await;
        let store = place.open().await.unwrap();
        let before = picture_of_house(&store, &contents).await;
        let file = place.path().join("master.key");
        let old = std::fs::read(&file).unwrap();
        if cut_short {
            // As far as the commit.
            store.vault.rewrap(&store.vault.next_master().unwrap()).await.unwrap();
        } else {
            store.rotate_master_key().await.unwrap();
        }
        store.close().await;
        let store = place.open().await.unwrap();
        assert_eq!(picture_of_house(&store, &contents).await, before);
        store.close().await;
        assert_ne!(std::fs::read(&file).unwrap(), old);
        assert_eq!(std::fs::read(place.path().join("master.key.old")).unwrap(), old);
        std::fs::write(&file, old).unwrap();
        assert!(matches!(place.open().await.err(), Some(Error::MasterKeyWrong { .. })));
    }
}

#[test]
fn every_table_that_has_tags_is_in_the_list() {
    let dir = tempfile::tempdir().unwrap();
    let there: BTreeSet<String> =
        tags_on_disk(dir.path(), ControllerId(1)).into_iter().map(|(table, ..)| table).collect();
    let listed: BTreeSet<String> = TAGGED.iter().map(|(table, ..)| (*table).to_owned()).collect();
    assert_eq!(there, listed);
}

#[test]
fn slices_leave_nothing_out() {
    for slices in [0, 1, 2, 3, 51, 4_096, i64::MAX] {
        let bounds = bounds(slices);
        assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]), "{slices}");
        assert!(bounds[0].is_empty() && bounds.last().unwrap().as_slice() > &[u8::MAX; 16][..]);
    }
    assert_eq!(bounds(4).len(), 5);
}

/// GDPR Art. 21(3): whoever objected has objected under the new key too. And nothing is left under the old one.
#[tokio::test]
async fn art21_3_under_a_new_key_everybody_is_who_he_was() {
    let place = Place::new();
    let contents = furnish(&place, 3).await;
    let controller = contents.controller;
    let store = open_at(place.path()).await;
    let before = picture_of_house(&store, &contents).await;
    let objector = store.tag_of(controller, &address("lee")).unwrap();
    let link = Link { controller, tag: objector, target: LinkTarget::Preferences, message: None };
    let (token, name) = (store.link_token(&link).unwrap(), store.person_id(controller, objector));
    store.close().await;
    let old = tags_on_disk(place.path(), controller);

    let store = open_to_move(place.path()).await;
    let rotated = store.rotate_tags(controller).await.unwrap();
    let all: BTreeSet<_> = old.iter().flat_map(|(_, tags, _)| tags.clone()).collect();
    assert_eq!((rotated.number, rotated.persons), (1, i64::try_from(all.len()).unwrap()));
    assert_eq!(picture_of_house(&store, &contents).await, before, "in the store that did it");
    store.close().await;

    let new = tags_on_disk(place.path(), controller);
    for ((table, were, count), (_, are, count_now)) in old.iter().zip(&new) {
        assert!(!were.is_empty(), "{table} has none, so this shows nothing about it");
        assert_eq!((were.len(), count), (are.len(), count_now), "{table}");
        assert!(all.is_disjoint(are), "{table} has an old tag");
    }

    let store = open_at(place.path()).await;
    assert_eq!(picture_of_house(&store, &contents).await, before, "after a start");
    let objector = store.tag_of(controller, &address("lee")).unwrap();
    assert_eq!(store.open_link(&token), Some(Link { tag: objector, ..link }));
    assert_eq!(store.parse_person(controller, &name), Some(objector));
    let (later, name_now) =
        (store.link_token(&Link { tag: objector, ..link }).unwrap(), store.person_id(controller, objector));
    assert_ne!(name, name_now);
    store.close().await;

    // And once more around it.
    let store = open_to_move(place.path()).await;
    assert_eq!(store.rotate_tags(controller).await.unwrap().number, 2);
    assert_eq!(picture_of_house(&store, &contents).await, before);
    let now = store.tag_of(controller, &address("lee")).unwrap();
    for token in [&token, &later] {
        assert_eq!(store.open_link(token).unwrap().tag, now);
    }
    for name in [&name, &name_now, &store.person_id(controller, now)] {
        assert_eq!(store.parse_person(controller, name), Some(now));
    }
    for wrong in
        [format!("{name}-3"), format!("{name}-0"), format!("{name}-+1"), format!("{name}-01"), format!("{name}-")]
    {
        assert_eq!(store.parse_person(controller, &wrong), None, "{wrong}");
    }
    store.close().await;
}

#[tokio::test]
async fn another_controllers_people_keep_their_tags() {
    let place = Place::new();
    let store = place.open().await.unwrap();
    let (one, other) = (store.create_controller("One").await.unwrap(), store.create_controller("Other").await.unwrap());
    for controller in [one, other] {
        store.suppress(controller, &address("ada"), SuppressionScope::All, SuppressionReason::Objection).await.unwrap();
    }
    store.close().await;
    let theirs = tags_on_disk(place.path(), other);
    let store = open_to_move(place.path()).await;
    assert_eq!(store.rotate_tags(one).await.unwrap(), Rotated { number: 1, persons: 1 });
    // A name that one controller was given is nobody's at the other: it says under which of its keys it was made.
    let tag = store.tag_of(one, &address("ada")).unwrap();
    assert_eq!(store.parse_person(other, &store.person_id(one, tag)), None);
    assert!(matches!(store.rotate_tags(ControllerId(9)).await, Err(Error::NotFound { .. })));
    store.close().await;
    assert_eq!(tags_on_disk(place.path(), other), theirs);
}

#[tokio::test]
async fn what_is_cut_short_lets_no_node_start_and_goes_on() {
    let place = Place::new();
    let contents = furnish(&place, 0).await;
    let controller = contents.controller;
    let store = open_at(place.path()).await;
    let before = picture_of_house(&store, &contents).await;
    store.close().await;
    // As far as it goes before the commit that counts.
    let store = open_to_move(place.path()).await;
    let key = store.vault.tag_key(controller, 1, store.now()).await.unwrap();
    store.run_step(controller, Step::new(&sql::TAG_MOVE_BEGIN, vec![id(controller), octets(&[])])).await.unwrap();
    store.collect_some_tags(controller).await;
    store.write_new_tags_down(controller, &key).await.unwrap();
    store.close().await;

    let refused = Store::open_sqlite(place.path(), still(place.path())).await.err().unwrap();
    assert!(matches!(refused, Error::TagsOnTheirWay { .. }), "{refused}");
    let store = open_to_move(place.path()).await;
    assert_eq!(store.rotate_tags(controller).await.unwrap().number, 1);
    store.close().await;
    let store = open_at(place.path()).await;
    assert_eq!(picture_of_house(&store, &contents).await, before);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_too_and_never_beside_a_node() {
    let place = Place::new();
    let contents = furnish(&place, 0).await;
    let store = open_at(place.path()).await;
    let before = picture_of_house(&store, &contents).await;
    store.close().await;
    let database = testkit::postgres::database().await;
    let (url, keys_url) = (database.url.clone(), Some(database.keys_url.clone()));
    let to = StorePlace::Postgres { url: url.clone(), keys_url: keys_url.clone(), ca: None };
    let plan =
        CopyPlan { from: StorePlace::Sqlite(place.path().to_owned()), to, bodies: None, now: crate::copy::tests::NOW };
    assert!(copy_store(&plan, &|_| ()).await.unwrap().is_same());

    let open = async |name: &str, moves_tags: bool| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::copy(place.path().join("master.key"), dir.path().join("master.key")).unwrap();
        let roles = if moves_tags { Roles::NONE } else { Roles::ALL };
        let (url, keys_url, name) = (url.clone(), keys_url.clone(), name.to_owned());
        let bodies = BodyPlacement::Rows;
        let settings = PostgresSettings { url, keys_url, ca: None, name, roles, clock: ClockSource::Given, bodies };
        let mut options = still(dir.path());
        options.moves_tags = moves_tags;
        Store::open_postgres(dir.path(), settings, options).await.map(|store| (store, dir))
    };
    let (node, _folder) = open("alpha", false).await.unwrap();
    let (mover, _home) = open("keys", true).await.unwrap();
    let refused = mover.rotate_tags(contents.controller).await.unwrap_err();
    assert!(matches!(&refused, Error::NodesServe { names } if names == "alpha"), "{refused}");
    node.close().await;
    assert_eq!(mover.rotate_tags(contents.controller).await.unwrap().number, 1);
    assert_eq!(picture_of_house(&mover, &contents).await.0, before.0);
    // A mark that another run left.
    let mark = Step::new(&sql::TAG_MOVE_BEGIN, vec![id(contents.controller), octets(&[])]);
    mover.run_step(contents.controller, mark).await.unwrap();
    assert!(matches!(open("beta", false).await.err().unwrap(), Error::TagsOnTheirWay { .. }));
    assert_eq!(mover.rotate_tags(contents.controller).await.unwrap().number, 2);
    mover.close().await;
    let (node, _folder) = open("beta", false).await.unwrap();
    assert_eq!(picture_of_house(&node, &contents).await, before);
    node.close().await;
}

/// What may have happened to a person.
#[derive(Clone, Copy, Debug)]
enum Happened {
    Consented,
    Withdrew,
    Objected(bool),
    Bounced,
    Restricted,
    Erased,
    Paused,
}

fn happened() -> impl Strategy<Value = Happened> {
    prop_oneof![
        Just(Happened::Consented),
        Just(Happened::Withdrew),
        any::<bool>().prop_map(Happened::Objected),
        Just(Happened::Bounced),
        Just(Happened::Restricted),
        Just(Happened::Erased),
        Just(Happened::Paused),
    ]
}

/// What could not be done (an erased person can do nothing) is left.
async fn tell(store: &Arc<Store>, controller: ControllerId, purpose: PurposeId, name: &str, what: Happened) {
    let person = address(name);
    let act = Act::by(Method::Api);
    match what {
        Happened::Consented => {
            let (kind, confirmed, evidence) = (BasisKind::Consent, Verified::Yes, Evidence::Complete);
            let basis = NewBasis { kind, confirmed, evidence, expires: None };
            drop(store.record_basis(controller, purpose, &person, basis, &act).await);
        }
        Happened::Withdrew => drop(store.withdraw_basis(controller, purpose, &person, &act).await),
        Happened::Objected(all) => {
            let scope = if all { SuppressionScope::All } else { SuppressionScope::Purpose(purpose) };
            drop(store.suppress(controller, &person, scope, SuppressionReason::Objection).await);
        }
        Happened::Bounced => {
            let (scope, reason) = (SuppressionScope::Delivery, SuppressionReason::HardBounce);
            drop(store.suppress(controller, &person, scope, reason).await);
        }
        Happened::Restricted => drop(store.restrict(controller, &person, Restriction::Restricted).await),
        Happened::Erased => drop(store.restrict(controller, &person, Restriction::Erased).await),
        Happened::Paused => {
            let tag = store.tag_of(controller, &person).unwrap();
            let until = Some(store.now().plus(std::time::Duration::from_secs(86_400)));
            let preference = Preference { paused: until, ..Preference::default() };
            drop(store.set_preference(controller, tag, &preference).await);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever happened to whom: what the gate is told is the same before and after, and after a second time.
    #[test]
    fn the_gate_is_told_the_same_before_and_after(
        story in proptest::collection::vec((0_usize..5, happened()), 1..24),
    ) {
        let names = ["ada", "bob", "cem", "dan", "eve"];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let pictures = runtime.block_on(async {
            let place = Place::new();
            let store = open_to_move(place.path()).await;
            let controller = store.create_controller("Shop").await.unwrap();
            let stream = store.create_stream(controller, "news", StreamKind::Marketing, "news").await.unwrap();
            let purpose = PurposeId::of_stream(stream);
            for (who, what) in &story {
                tell(&store, controller, purpose, names[*who], *what).await;
            }
            let mut pictures = vec![picture(&store, controller, &names, &[purpose]).await];
            for _ in 0..2 {
                store.rotate_tags(controller).await.unwrap();
                pictures.push(picture(&store, controller, &names, &[purpose]).await);
            }
            store.close().await;
            pictures
        });
        prop_assert_eq!(&pictures[0], &pictures[1]);
        prop_assert_eq!(&pictures[0], &pictures[2]);
    }
}
