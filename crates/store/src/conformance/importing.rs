//! Imports, told in the verbs of the store on both engines: what comes, what stands against it, what is taken back.

use super::place::Place;
use crate::cluster::{ClockSource, Roles};
use crate::open::{Options, PostgresSettings, Store};
use crate::permission::{
    Act, ImportCounts, ImportFate, ImportedBasis, ImportedPerson, Method, RunningImport, Standing, WaitingRow,
    import_commitment,
};
use crate::spool::BodyPlacement;
use crate::{Error, NewBasis, Verified};
use ledger::Entry;
use mail::address::Address;
use model::basis::{BasisKind, Evidence};
use model::instruction::Operation;
use model::person::{Restriction, SuppressionReason, SuppressionScope};
use model::{ControllerId, PurposeId, StreamKind, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

struct Shop {
    store: Arc<Store>,
    controller: ControllerId,
    news: PurposeId,
}

const CONFIRMED: NewBasis =
    NewBasis { kind: BasisKind::Consent, confirmed: Verified::Yes, evidence: Evidence::Complete, expires: None };
const GIVEN: Timestamp = Timestamp::from_seconds(1_600_000_000);

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

impl Shop {
    async fn open(store: Arc<Store>) -> Self {
        let controller = store.create_controller("Shop").await.unwrap();
        let stream = store.create_stream(controller, "news", StreamKind::Marketing, "offers").await.unwrap();
        let early = store.begin_import(controller, "{}").await;
        assert!(matches!(early, Err(Error::NotFound { what: "agreement in force" })), "GDPR Art. 28(3)");
        store.sign_agreement(controller, None).await.unwrap();
        assert!(store.begin_import(controller, "{}").await.is_err(), "nor without an instruction");
        store.issue_instruction(controller, &Operation::ALL, &[stream], 1_000).await.unwrap();
        Self { store, controller, news: PurposeId::of_stream(stream) }
    }

    /// The file: a line a person, in the order of the tags.
    fn people(&self, names: &[&str]) -> Vec<ImportedPerson> {
        let person = |(line, name): (u64, &&str)| {
            let address = address(name);
            let basis = ImportedBasis {
                purpose: self.news,
                kind: BasisKind::Consent,
                given: GIVEN,
                confirmed: Some(GIVEN),
                evidence: Evidence::Unverified,
                notice: None,
                origin: (line % 2 == 1).then(|| Arc::from(r#"{"source":"the fair"}"#)),
                inform: None,
            };
            let waiting = name
                .starts_with("waits")
                .then(|| WaitingRow { missing: "source".to_owned(), row: r#"{"method":"paper"}"#.to_owned() });
            ImportedPerson {
                line,
                tag: self.store.tag_of(self.controller, &address).unwrap(),
                address: address.to_wire(),
                bases: if waiting.is_some() { Vec::new() } else { vec![basis] },
                waiting,
            }
        };
        let mut people: Vec<_> = (1..).zip(names).map(person).collect();
        people.sort_by_key(|one| one.tag);
        people
    }

    async fn begin(&self) -> RunningImport {
        self.store.begin_import(self.controller, r#"{"source":"the shop"}"#).await.unwrap()
    }

    async fn take(&self, import: &RunningImport, people: Vec<ImportedPerson>) -> BTreeMap<u64, ImportFate> {
        let foreseen = self.store.foresee_import(self.controller, &people).await.unwrap();
        let foreseen: BTreeMap<u64, ImportFate> = people.iter().map(|one| one.line).zip(foreseen).collect();
        let mut fates = BTreeMap::new();
        let mut told = |some: &[(u64, ImportFate)]| fates.extend(some.iter().copied());
        self.store.import_people(import, people.into_iter(), &mut told).await.unwrap();
        assert_eq!(fates, foreseen, "what is foreseen comes true");
        fates
    }

    async fn standing(&self, name: &str) -> Standing {
        let tag = self.store.tag_of(self.controller, &address(name)).unwrap();
        self.store.decided(self.controller, tag).await.unwrap()
    }

    async fn kept(&self, name: &str) -> Option<Address> {
        let tag = self.store.tag_of(self.controller, &address(name)).unwrap();
        self.store.address_of(self.controller, tag).await.unwrap()
    }

    async fn suppress(&self, name: &str, scope: SuppressionScope, reason: SuppressionReason) {
        self.store.suppress(self.controller, &address(name), scope, reason).await.unwrap();
    }

    /// Leaves about imports, as the inbox holds them.
    async fn leaves(&self) -> Vec<Entry> {
        let inbox = self.store.engine.inbox(None, 1_000).await.unwrap();
        let mine = inbox.iter().filter(|(_, row)| row.controller == self.controller.0);
        mine.map(|(_, row)| Entry::decode(&row.bytes).unwrap())
            .filter(|leaf| leaf.kind() == "contacts.imported")
            .collect()
    }
}

const FILE: &[&str] = &[
    "ada@dest.example",
    "OBJECTOR@BÜCHER.example",
    "withdrawn@dest.example",
    "erased@dest.example",
    "bounced@dest.example",
    "Confirmed@Dest.Example",
    "waits@dest.example",
    "renewed@dest.example",
    "leaves@dest.example",
    "opted-out@dest.example",
    "waits-erased@dest.example",
];

async fn prepare(shop: &Shop) {
    let (store, controller) = (&shop.store, shop.controller);
    let act = Act::by(Method::Api);
    shop.suppress("objector@xn--bcher-kva.example", SuppressionScope::Marketing, SuppressionReason::Objection).await;
    shop.suppress("bounced@dest.example", SuppressionScope::Delivery, SuppressionReason::HardBounce).await;
    shop.suppress("opted-out@dest.example", SuppressionScope::Purpose(shop.news), SuppressionReason::OptOut).await;
    for name in ["withdrawn@dest.example", "confirmed@dest.example"] {
        store.record_basis(controller, shop.news, &address(name), CONFIRMED, &act).await.unwrap();
    }
    store.withdraw_basis(controller, shop.news, &address("withdrawn@dest.example"), &act).await.unwrap();
    for name in ["erased@dest.example", "waits-erased@dest.example"] {
        store.restrict(controller, &address(name), Restriction::Erased).await.unwrap();
    }
}

async fn story(store: Arc<Store>) {
    let shop = Shop::open(store).await;
    prepare(&shop).await;
    let import = shop.begin().await;
    let generation = shop.store.generation(shop.controller);
    let fates = shop.take(&import, shop.people(FILE)).await;
    assert_eq!(shop.store.generation(shop.controller), generation, "an import cuts nobody's transactions off");
    let of =
        |word: ImportFate| fates.iter().filter(|(_, fate)| **fate == word).map(|(line, _)| *line).collect::<Vec<_>>();
    assert_eq!(of(ImportFate::Added), [1, 5, 8, 9]);
    assert_eq!(of(ImportFate::AlreadyThere), [6]);
    assert_eq!(of(ImportFate::Blocked), [2, 3, 4, 10, 11], "GDPR Art. 7(3), 17, 21(3)");
    assert_eq!(of(ImportFate::Quarantined), [7]);
    tell_what_came(&shop, &import).await;

    let counts = ImportCounts { contacts: 5, quarantined: 1, blocked: 5, duplicates: 0, malformed: 0 };
    let receipt = shop.store.finish_import(&import, [9; 32], counts, None).await.unwrap();
    assert!(shop.store.generation(shop.controller) > generation, "at its end everybody looks anew");
    let leaf = shop.leaves().await.pop().unwrap();
    assert_eq!(leaf.commitment(), Some(&import_commitment(&receipt.nonce, &[9; 32], &counts)));
    assert_ne!(leaf.commitment(), Some(&import_commitment(&[0; 32], &[9; 32], &counts)), "and by no other nonce");
    assert_eq!((leaf.id(), leaf.counts()["blocked"]), (import.event.to_hex().as_str(), 5));
    assert!(shop.store.finish_import(&import, [9; 32], counts, None).await.is_err(), "one leaf, once");
    tell_of_a_second_time(&shop).await;
    tell_of_undoing(&shop, &import).await;
    tell_of_one_cut_short(&shop).await;
    shop.store.close().await;
}

async fn tell_what_came(shop: &Shop, import: &RunningImport) {
    let ada = shop.standing("ada@dest.example").await.bases[0].clone();
    assert_eq!((ada.given, ada.confirmed, ada.batch), (GIVEN, Some(GIVEN), Some(import.id)));
    assert_eq!(ada.evidence, Evidence::Unverified);
    assert_eq!(shop.kept("ADA@dest.example").await.unwrap().to_wire(), "ada@dest.example");
    let tag = shop.store.tag_of(shop.controller, &address("ada@dest.example")).unwrap();
    let evidence = shop.store.imported_evidence(shop.controller, tag).await.unwrap();
    assert_eq!(evidence[0].about, r#"{"source":"the shop"}"#);
    assert_eq!(evidence[0].origin.as_deref(), Some(r#"{"source":"the fair"}"#));
    // What stands before a file stays as it was.
    let withdrawn = shop.standing("withdrawn@dest.example").await.bases[0].clone();
    assert!(withdrawn.withdrawn.is_some() && withdrawn.batch.is_none());
    let confirmed = shop.standing("confirmed@dest.example").await.bases[0].clone();
    assert!(confirmed.evidence == Evidence::Complete && confirmed.batch.is_none());
    // Of those who do not wish it, nothing.
    for name in ["objector@bücher.example", "erased@dest.example", "opted-out@dest.example"] {
        assert!(shop.standing(name).await.bases.is_empty(), "{name}");
    }
    assert!(shop.kept("erased@dest.example").await.is_none());
    let waits = shop.store.quarantined(shop.controller, import.id, 0, 10).await.unwrap();
    assert_eq!((waits.len(), waits[0].line, waits[0].missing.as_str()), (1, 7, "source"));
    assert_eq!(waits[0].row.as_deref(), Some(r#"{"method":"paper"}"#));
    assert!(shop.kept("waits@dest.example").await.is_none());
}

async fn tell_of_a_second_time(shop: &Shop) {
    let again = shop.begin().await;
    let fates =
        shop.take(&again, shop.people(&["Ada@dest.example", "bob@dest.example", "OBJECTOR@bücher.EXAMPLE"])).await;
    let fates: Vec<_> = fates.into_values().collect();
    assert_eq!(fates, [ImportFate::AlreadyThere, ImportFate::Added, ImportFate::Blocked]);
    let counts = ImportCounts { contacts: 2, blocked: 1, ..ImportCounts::default() };
    shop.store.finish_import(&again, [8; 32], counts, None).await.unwrap();
}

#[expect(clippy::cognitive_complexity, reason = "assertions in a row, each expanded by its macro")]
async fn tell_of_undoing(shop: &Shop, import: &RunningImport) {
    let (store, controller, act) = (&shop.store, shop.controller, Act::by(Method::Api));
    store.record_basis(controller, shop.news, &address("renewed@dest.example"), CONFIRMED, &act).await.unwrap();
    store.withdraw_basis(controller, shop.news, &address("leaves@dest.example"), &act).await.unwrap();
    let generation = store.generation(controller);
    let undone = store.undo_import(controller, import.id).await.unwrap();
    // Ada and who bounced; the one who left and the one who renewed are there for other reasons now.
    assert_eq!((undone.bases, undone.addresses, undone.quarantined), (2, 1, 1));
    assert!(store.generation(controller) > generation, "what is taken away is missing at once");
    assert!(shop.standing("ada@dest.example").await.bases.is_empty());
    assert!(shop.kept("ada@dest.example").await.is_none());
    assert!(shop.kept("bounced@dest.example").await.is_some(), "the list of suppressions needs him");
    assert!(shop.standing("renewed@dest.example").await.bases[0].batch.is_none());
    assert!(shop.standing("leaves@dest.example").await.bases[0].withdrawn.is_some());
    assert_eq!(shop.standing("objector@bücher.example").await.suppressions.len(), 1);
    assert!(!shop.standing("bob@dest.example").await.bases.is_empty(), "another import's stay");
    assert_eq!(store.import_view(controller, import.id).await.unwrap().unwrap().state, "undone");
    let leaves = shop.leaves().await.len();
    // The second time does nothing, and says nothing.
    let again = store.undo_import(controller, import.id).await.unwrap();
    assert_eq!((again.bases, again.addresses, again.quarantined), (0, 0, 0));
    assert_eq!(shop.leaves().await.len(), leaves);
    // Nothing comes in with it any more, and nobody else has it.
    let late = shop.people(&["late@dest.example"]);
    assert!(store.import_people(import, late.into_iter(), &mut |_: &[(u64, ImportFate)]| ()).await.is_err());
    assert!(store.undo_import(ControllerId::OPERATOR, import.id).await.is_err());
}

async fn tell_of_one_cut_short(shop: &Shop) {
    let names: Vec<String> = (0..1_200).map(|number| format!("person{number}@dest.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let import = shop.begin().await;
    assert_eq!(shop.take(&import, shop.people(&names)).await.len(), 1_200);
    // Nobody ended it.
    let listed = shop.store.imports(shop.controller, i64::MAX, 10).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.state.as_str()).collect::<Vec<_>>(), ["running", "done", "undone"]);
    let undone = shop.store.undo_import(shop.controller, import.id).await.unwrap();
    assert_eq!((undone.bases, undone.addresses), (1_200, 1_200));
    assert!(shop.standing("person7@dest.example").await.bases.is_empty());
}

#[tokio::test]
async fn imports_on_sqlite() {
    story(Place::new().open().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_on_postgresql() {
    let (database, dir) = (testkit::postgres::database().await, tempfile::tempdir().unwrap());
    let settings = PostgresSettings {
        url: database.url.clone(),
        keys_url: Some(database.keys_url.clone()),
        ca: None,
        name: "import".to_owned(),
        roles: Roles::ALL,
        clock: ClockSource::Database,
        bodies: BodyPlacement::Rows,
    };
    let options = Options::new(Arc::new(testkit::SystemClock), dir.path());
    story(Store::open_postgres(dir.path(), settings, options).await.unwrap()).await;
}
