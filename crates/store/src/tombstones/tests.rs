//! What people decided after a copy was made holds in the copy before anything is served from it; and no store is
//! served beside a log that is missing, another's, older than the store, or damaged.

use super::*;
use crate::copy::tests::house::{address, open_at};
use crate::permission::{Act, Leaving, Method, NewSuppression};
use crate::{NewBasis, Verified};
use model::basis::{BasisKind, Evidence};
use model::person::{Restriction, SuppressionReason, SuppressionScope};
use model::{ControllerId, PurposeId, StreamKind};
use std::path::PathBuf;
use tempfile::TempDir;

const PEOPLE: [&str; 7] = ["ada", "bob", "cem", "dan", "eve", "flo", "gus"];

struct House {
    dir: TempDir,
    shop: ControllerId,
    news: PurposeId,
}

impl House {
    /// Everybody consents, and the log is begun.
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open_at(&dir.path().join("data")).await;
        let shop = store.create_controller("Shop").await.unwrap();
        let news =
            PurposeId::of_stream(store.create_stream(shop, "news", StreamKind::Marketing, "news").await.unwrap());
        let house = Self { shop, news, dir };
        assert_eq!(store.keep_tombstones(&house.log()).await.unwrap(), Replayed::default());
        for name in PEOPLE {
            let basis = NewBasis {
                kind: BasisKind::Consent,
                confirmed: Verified::Yes,
                evidence: Evidence::Complete,
                expires: None,
            };
            store.record_basis(shop, news, &address(name), basis, &Act::by(Method::Api)).await.unwrap();
        }
        store.ship_tombstones().await.unwrap();
        store.close().await;
        house
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn file(&self) -> PathBuf {
        self.log().join("tombstones.log")
    }

    /// The data folder as it is now, elsewhere.
    fn copy(&self, name: &str) -> PathBuf {
        let to = self.dir.path().join(name);
        copy_folder(&self.data(), &to);
        to
    }

    /// One person a decision, and one who decides nothing.
    async fn decide(&self) {
        let store = open_at(&self.data()).await;
        assert_eq!(store.keep_tombstones(&self.log()).await.unwrap(), Replayed::default());
        let tag = |name: &str| store.tag_of(self.shop, &address(name)).unwrap();
        let act = Act::by(Method::Page);
        store.leave(self.shop, tag("ada"), Leaving::Purpose(self.news), &act).await.unwrap();
        store.leave(self.shop, tag("bob"), Leaving::Marketing, &act).await.unwrap();
        let (all, objection) = (SuppressionScope::Marketing, SuppressionReason::Objection);
        store.suppress_person(self.shop, tag("cem"), all, objection).await.unwrap();
        store.restrict(self.shop, &address("dan"), Restriction::Restricted).await.unwrap();
        store.restrict(self.shop, &address("eve"), Restriction::Erased).await.unwrap();
        let listed = NewSuppression {
            address: address("flo"),
            scope: SuppressionScope::All,
            reason: SuppressionReason::Controller,
        };
        store.suppress_many(self.shop, &[listed]).await.unwrap();
        store.ship_tombstones().await.unwrap();
        assert!(store.found(&sql::TOMBSTONE_MARKS, vec![10_i64.into()]).await.unwrap().is_empty());
        store.close().await;
    }

    /// What the gate is told of everybody.
    async fn facts(&self, store: &Store) -> Vec<String> {
        let mut said = Vec::new();
        for name in PEOPLE {
            let person = address(name);
            let found = store.recipient_facts(self.shop, self.news, &[&person]).await.unwrap().remove(0);
            said.push(format!("{name} {:?}", found.facts));
        }
        said
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to)
        } else {
            assert!(std::fs::copy(entry.path(), to).is_ok())
        }
    }
}

async fn refusal(data: &Path, log: &Path) -> String {
    let store = open_at(data).await;
    let said = store.keep_tombstones(log).await.unwrap_err();
    store.close().await;
    assert!(matches!(said, Error::Tombstones { .. }), "{said}");
    said.to_string()
}

#[tokio::test]
async fn law_r45_what_people_decided_after_a_copy_was_made_holds_in_the_copy() {
    let house = House::new().await;
    let copy = house.copy("copy");
    house.decide().await;
    let now = open_at(&house.data()).await;
    let expected = house.facts(&now).await;
    now.close().await;

    let old = open_at(&copy).await;
    let before = house.facts(&old).await;
    assert!(before.iter().zip(&expected).take(6).all(|(old, new)| old != new), "{before:#?}");
    let replayed = old.keep_tombstones(&house.log()).await.unwrap();
    assert_eq!((replayed.changed, replayed.persons, replayed.unknown), (6, 6, 0), "{replayed:?}");
    assert_eq!(house.facts(&old).await, expected);
    let eve = old.tag_of(house.shop, &address("eve")).unwrap();
    assert!(old.address_of(house.shop, eve).await.unwrap().is_none(), "the secret of an erased person is destroyed");
    let told = old.engine.inbox(None, 100).await.unwrap();
    let leaf = told
        .iter()
        .map(|(_, row)| String::from_utf8_lossy(&row.bytes).into_owned())
        .find(|leaf| leaf.contains("restore.replayed"));
    assert!(leaf.unwrap().contains("\"persons\":6"), "counts alone");
    // Twin: again, it knows all of it.
    old.close().await;
    let old = open_at(&copy).await;
    assert_eq!(old.keep_tombstones(&house.log()).await.unwrap(), Replayed::default());
    old.close().await;
}

#[tokio::test]
async fn law_r45_nothing_is_served_without_the_log_or_beside_another() {
    let house = House::new().await;
    house.decide().await;
    let nowhere = house.dir.path().join("nowhere");
    assert!(refusal(&house.data(), &nowhere).await.contains("is not there"));
    // Nor one from before the first decision.
    let begun = House::new().await;
    assert!(refusal(&begun.data(), &nowhere).await.contains("is not there"));
    assert!(!nowhere.exists());
    let other = House::new().await;
    other.decide().await;
    assert!(refusal(&house.data(), &other.log()).await.contains("another store's"));
    // A store that has never kept a log does not take one over.
    let fresh = house.dir.path().join("fresh");
    std::fs::create_dir(&fresh).unwrap();
    std::fs::copy(house.data().join("master.key"), fresh.join("master.key")).unwrap();
    assert!(refusal(&fresh, &house.log()).await.contains("another store's"));
    // Twin: its own.
    let store = open_at(&house.data()).await;
    assert!(store.keeps_tombstones().await.unwrap());
    store.keep_tombstones(&house.log()).await.unwrap();
    store.end_tombstones().await.unwrap();
    assert!(!store.keeps_tombstones().await.unwrap());
    store.close().await;
}

#[tokio::test]
async fn law_r45_a_log_that_is_damaged_or_old_is_no_log() {
    let house = House::new().await;
    let (copy, empty) = (house.copy("copy"), std::fs::read(house.file()).unwrap());
    house.decide().await;
    let whole = std::fs::read(house.file()).unwrap();
    std::fs::write(house.file(), &empty).unwrap();
    assert!(refusal(&house.data(), &house.log()).await.contains("old copy of the log"));
    let mut damaged = whole.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    std::fs::write(house.file(), &damaged).unwrap();
    let said = refusal(&copy, &house.log()).await;
    assert!(said.contains("is damaged at record 2"), "{said}");
    // What a crash left of a record is cut off, and written over.
    std::fs::write(house.file(), [whole.as_slice(), &[0, 0, 1, 0, 9, 9]].concat()).unwrap();
    let store = open_at(&house.data()).await;
    store.keep_tombstones(&house.log()).await.unwrap();
    store.suppress(house.shop, &address("gus"), SuppressionScope::All, SuppressionReason::Complaint).await.unwrap();
    store.ship_tombstones().await.unwrap();
    let expected = house.facts(&store).await;
    store.close().await;
    let old = open_at(&copy).await;
    assert_eq!(old.keep_tombstones(&house.log()).await.unwrap().changed, 7);
    assert_eq!(house.facts(&old).await, expected);
    old.close().await;
    // Nothing of a person stands in the log in clear.
    let text = String::from_utf8_lossy(&std::fs::read(house.file()).unwrap()).into_owned();
    assert!(!text.contains("suppressed") && !text.contains("opt-out"));
}

#[tokio::test]
async fn marks_are_made_where_a_log_is_kept_and_nowhere_else() {
    let house = House::new().await;
    let store = open_at(&house.data()).await;
    // Without this node's own log: it waits for one that has.
    store.suppress(house.shop, &address("gus"), SuppressionScope::All, SuppressionReason::Complaint).await.unwrap();
    store.ship_tombstones().await.unwrap();
    assert_eq!(store.found(&sql::TOMBSTONE_MARKS, vec![10_i64.into()]).await.unwrap().len(), 1);
    store.end_tombstones().await.unwrap();
    store.suppress(house.shop, &address("ada"), SuppressionScope::All, SuppressionReason::Complaint).await.unwrap();
    assert!(store.found(&sql::TOMBSTONE_MARKS, vec![10_i64.into()]).await.unwrap().is_empty());
    store.close().await;
}
