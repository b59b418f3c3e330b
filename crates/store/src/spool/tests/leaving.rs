//! GDPR Art. 5(1)(e): nothing stays of whoever signed up and never confirmed, nor of whoever came with an import that
//! was undone, once nothing speaks of them; and nobody loses a secret that is being used, whatever meets at one moment.
//! On both engines.

use super::*;
use crate::NewBasis;
use crate::cluster::{ClockSource, Roles};
use crate::engine::{Change, PersonQuery, Reach, SlotRef, Step, Writes};
use crate::open::PostgresSettings;
use crate::permission::{Act, Confirming, Decision, ImportedBasis, ImportedPerson, Method, Recording, Right};
use crate::spool::BodyPlacement;
use crate::statement as sql;
use ledger::Entry;
use model::basis::{BasisKind, Evidence};
use testkit::ManualClock;
use testkit::postgres::TestDatabase;
use testkit::wait::{breathe, within};

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3_600);

/// A house whose clock is moved.
struct Ground {
    house: House,
    clock: Arc<ManualClock>,
    news: PurposeId,
    /// `None`: SQLite.
    _database: Option<TestDatabase>,
}

impl Ground {
    async fn on_sqlite() -> Self {
        let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::start());
        let store = Store::open_sqlite(dir.path(), Options::new(Arc::clone(&clock) as _, dir.path())).await.unwrap();
        Self::over(store, dir, clock, None).await
    }

    async fn on_postgres() -> Self {
        let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::start());
        let database = testkit::postgres::database().await;
        let settings = PostgresSettings {
            url: database.url.clone(),
            keys_url: Some(database.keys_url.clone()),
            ca: None,
            name: "house".into(),
            roles: Roles::ALL,
            clock: ClockSource::Given,
            bodies: BodyPlacement::Rows,
        };
        let options = Options::new(Arc::clone(&clock) as _, dir.path());
        let store = Store::open_postgres(dir.path(), settings, options).await.unwrap();
        Self::over(store, dir, clock, Some(database)).await
    }

    async fn over(
        store: Arc<Store>,
        dir: tempfile::TempDir,
        clock: Arc<ManualClock>,
        database: Option<TestDatabase>,
    ) -> Self {
        let house = House::over(store, dir).await;
        let stream =
            house.store.create_stream(house.controller(), "news", StreamKind::Marketing, "news").await.unwrap();
        let ground = Self { house, clock, news: PurposeId::of_stream(stream), _database: database };
        ground.seated().await;
        ground
    }

    fn store(&self) -> &Arc<Store> {
        &self.house.store
    }

    async fn seated(&self) {
        within("the node's share", async {
            while !(self.store().tenure.is_seated() && self.store().tenure().holds("dest.example")) {
                breathe().await;
            }
        })
        .await;
    }

    async fn wait(&self, time: Duration) {
        self.clock.advance(time);
        self.seated().await;
    }

    /// Housekeeping, and again, so that every person had his turn.
    async fn tidy(&self) {
        for _ in 0..2 {
            self.store().tidy().await.unwrap();
        }
    }

    fn tag(&self, name: &str) -> RecipientTag {
        self.store().tag_of(self.house.controller(), &address(name)).unwrap()
    }

    /// Somebody signs a person up; did a request to confirm follow?
    async fn sign_up(&self, name: &str) -> bool {
        let decisions = [Decision::Given(self.news)];
        let asked = Confirming { decisions: &decisions, returning: None, valid_for: 7 * DAY, rest: 30 * DAY };
        let act = Act::by(Method::Form);
        let asked = self.store().ask_confirmation(self.house.controller(), &address(name), &asked, &act).await;
        asked.unwrap().is_some()
    }

    async fn slot(&self, name: &str) -> Option<SlotRef> {
        let query = PersonQuery { controller: self.house.controller().0, purpose: 0, tag: self.tag(name).0 };
        self.store().engine.persons(vec![query]).await.unwrap().remove(0).slot
    }

    async fn is_destroyed(&self, slot: SlotRef) -> bool {
        let secret = self.store().vault.secrets(&[(self.house.controller().0, slot)]).await.unwrap().remove(0);
        self.store().engine.slots(vec![slot]).await.unwrap()[0].is_none() && secret.is_none()
    }

    /// Sends something, which arrives. Its id.
    async fn mail(&self, name: &str) -> MessageId {
        let id = self.house.send(name).await.unwrap();
        self.arrives(id).await;
        id
    }

    async fn arrives(&self, id: MessageId) {
        let row = self.house.rows().await.into_iter().find(|row| row.id == id).unwrap();
        let delivered = Outcome { at: self.store().now(), ..outcome(row, OutcomeKind::Delivered) };
        self.store().settle(vec![delivered]).await.unwrap();
    }

    /// Does what lies sealed of a message open?
    async fn opens(&self, id: MessageId) -> bool {
        self.house.view(id).await.to.is_some()
    }

    /// Leaves that say that persons were forgotten.
    async fn forgotten(&self) -> u64 {
        let inbox = self.store().engine.inbox(None, 1_000).await.unwrap();
        let leaves = inbox.iter().map(|(_, row)| Entry::decode(&row.bytes).unwrap());
        leaves.filter_map(|leaf| leaf.counts().get("persons").copied()).sum()
    }

    /// The requests to confirm, of which nobody is kept from being asked any more.
    async fn forget_requests(&self) {
        let below = Store::first_id_of(self.store().now());
        let steps = vec![Step::new(&sql::CONFIRMATIONS_FORGET, vec![below.into(), 100_i64.into()])];
        let (controller, person, reach, event) = (self.house.controller().0, None, Reach::Nothing, None);
        let writes = Writes { controller, person, reach, what: "persons", event, detail: [0; 32], steps };
        self.store().engine.change_bulk(vec![(Change::Rows(writes), None)]).await.unwrap();
    }

    /// What housekeeping does first, and then its process ends.
    async fn begin_to_forget(&self, name: &str) -> bool {
        let (controller, tag) = (self.house.controller().0, self.tag(name).0);
        let query = PersonQuery { controller, purpose: 0, tag };
        let since = self.store().engine.persons(vec![query]).await.unwrap().remove(0).leaving.unwrap();
        let writes = crate::permission::ending(ControllerId(controller), RecipientTag(tag), since);
        self.store().engine.change_bulk(vec![(Change::Rows(writes), None)]).await.unwrap() == [1]
    }

    async fn close(self) {
        self.house.store.close().await;
    }
}

#[expect(clippy::cognitive_complexity, reason = "assertions in a row, each expanded by its macro")]
async fn story_of_sign_ups(ground: Ground) {
    let names = ["ada", "bob", "cam", "dan", "eve"];
    for name in names {
        assert!(ground.sign_up(name).await);
    }
    let (store, controller) = (ground.store(), ground.house.controller());
    // Of these something else is known: a message, a consent, a right that was exercised, an erasure.
    let receipt = ground.mail("bob").await;
    let (kind, act) = (BasisKind::Consent, Act::by(Method::Api));
    let basis = NewBasis { kind, confirmed: Verified::Yes, evidence: Evidence::Complete, expires: None };
    let recorded = store.record_basis(controller, ground.news, &address("cam"), basis, &act).await.unwrap();
    assert_eq!(recorded, Recording::Recorded);
    store.exercise_right(controller, ground.tag("dan"), Right::Access, Some("dan@dest.example")).await.unwrap();
    store.restrict(controller, &address("eve"), Restriction::Erased).await.unwrap();
    let slot = ground.slot("ada").await.unwrap();

    ground.wait(8 * DAY).await;
    ground.tidy().await;
    assert!(store.address_of(controller, ground.tag("ada")).await.unwrap().is_none());
    ground.wait(22 * DAY - HOUR).await;
    ground.tidy().await;
    assert_eq!(ground.slot("ada").await, Some(slot), "that he was asked is known by it for its 30 days");
    assert!(!ground.sign_up("ada").await, "not again at once (architecture.md §10)");
    ground.tidy().await;
    assert_eq!(ground.forgotten().await, 0);
    // When they are over, nothing is left of him: neither his tag nor his secret.
    ground.wait(2 * DAY).await;
    ground.tidy().await;
    assert_eq!(ground.slot("ada").await, None);
    assert!(ground.is_destroyed(slot).await);
    assert_eq!(ground.forgotten().await, 1);
    for name in &names[1..] {
        assert!(ground.slot(name).await.is_some(), "{name}");
    }
    assert!(ground.opens(receipt).await);

    // A timeline is over after 90 days; then nothing speaks of whoever had that message.
    ground.wait(60 * DAY).await;
    ground.tidy().await;
    assert_eq!(ground.slot("bob").await, None);
    assert_eq!(ground.forgotten().await, 2);
    for name in &names[2..] {
        assert!(ground.slot(name).await.is_some(), "{name}");
    }
    // Whoever comes back is new.
    assert!(ground.sign_up("ada").await);
    let again = ground.slot("ada").await.unwrap();
    assert_ne!(again, slot);
    let id = ground.mail("ada").await;
    assert!(ground.opens(id).await);
    ground.close().await;
}

#[tokio::test]
async fn art5_1_e_a_forgotten_sign_up_leaves_nothing_on_sqlite() {
    story_of_sign_ups(Ground::on_sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn art5_1_e_a_forgotten_sign_up_leaves_nothing_on_postgresql() {
    story_of_sign_ups(Ground::on_postgres().await).await;
}

/// An import of two: one whose row waits, and one who is mailed later.
async fn story_of_imports(ground: Ground) {
    let (store, controller) = (ground.store(), ground.house.controller());
    let import = store.begin_import(controller, "{}").await.unwrap();
    let person = |line, name: &str, waits: bool| {
        let basis = ImportedBasis {
            purpose: ground.news,
            kind: BasisKind::Consent,
            given: store.now(),
            confirmed: None,
            evidence: Evidence::Unverified,
            notice: None,
            origin: None,
            inform: None,
        };
        let waiting = waits.then(|| crate::permission::WaitingRow { missing: "source".into(), row: "{}".into() });
        let bases = if waits { Vec::new() } else { vec![basis] };
        ImportedPerson { line, tag: ground.tag(name), address: address(name).to_wire(), bases, waiting }
    };
    let mut people = vec![person(1, "ada", false), person(2, "bob", true), person(3, "cam", false)];
    people.sort_by_key(|one| one.tag);
    store.import_people(&import, people.into_iter(), &mut |_| ()).await.unwrap();
    let slots = [ground.slot("ada").await.unwrap(), ground.slot("bob").await.unwrap()];
    store.undo_import(controller, import.id).await.unwrap();
    // He is mailed before he is forgotten: he stays as long as that is kept.
    ground.wait(DAY - HOUR).await;
    let id = ground.mail("cam").await;
    ground.wait(DAY).await;
    ground.tidy().await;
    assert_eq!((ground.slot("ada").await, ground.slot("bob").await), (None, None));
    for slot in slots {
        assert!(ground.is_destroyed(slot).await);
    }
    assert!(ground.opens(id).await);
    assert_eq!(ground.forgotten().await, 2);
    ground.wait(91 * DAY).await;
    ground.tidy().await;
    assert_eq!(ground.slot("cam").await, None);
    ground.close().await;
}

#[tokio::test]
async fn art5_1_e_nothing_stays_of_whom_an_undone_import_brought_on_sqlite() {
    story_of_imports(Ground::on_sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn art5_1_e_nothing_stays_of_whom_an_undone_import_brought_on_postgresql() {
    story_of_imports(Ground::on_postgres().await).await;
}

/// Hands in what was decided, as a door does: among nodes news may have come meanwhile, and then it is decided anew.
async fn taken(ground: &Ground, to: &Address, decided: &[(Person, Permit)], body: &Bytes) -> MessageId {
    match ground.house.accept(std::slice::from_ref(to), decided, body).await {
        Err(NotQueued::Stale) => {
            let anew = ground.house.permits(std::slice::from_ref(to)).await;
            ground.house.accept(std::slice::from_ref(to), &anew, body).await.unwrap()
        }
        taken => taken.unwrap(),
    }
}

/// Whatever meets, nothing is sealed under a secret that is gone.
#[expect(clippy::cognitive_complexity, reason = "assertions in a row, each expanded by its macro")]
async fn story_of_meetings(ground: Ground) {
    let body = Bytes::from_static(b"body\r\n");
    let names = ["ada", "bob", "cam", "dan"];
    for name in names {
        assert!(ground.sign_up(name).await);
    }
    let [ada, bob, cam, dan] = names.map(address);
    // Permits that were given before their people may be forgotten are asked for anew.
    ground.wait(8 * DAY).await;
    let before = ground.house.permits(std::slice::from_ref(&ada)).await;
    ground.tidy().await;
    let late = ground.house.accept(std::slice::from_ref(&ada), &before, &body).await;
    assert!(matches!(late, Err(NotQueued::Stale)), "{late:?}");

    // Taken in at the same moment: the acceptance puts it off, and he stays.
    ground.wait(24 * DAY).await;
    let meanwhile = ground.house.permits(std::slice::from_ref(&ada)).await;
    let slot = ground.slot("ada").await.unwrap();
    let id = taken(&ground, &ada, &meanwhile, &body).await;
    ground.tidy().await;
    assert_eq!(ground.slot("ada").await, Some(slot), "the message speaks of him");
    assert!(ground.opens(id).await);
    // The others are forgotten by this; what was decided of one of them before is kept under another secret.
    assert_eq!(ground.slot("bob").await, None);
    assert_eq!(ground.forgotten().await, 3);
    ground.arrives(id).await;

    for name in &names[1..] {
        assert!(ground.sign_up(name).await);
    }
    ground.wait(8 * DAY).await;
    ground.tidy().await;
    ground.wait(24 * DAY).await;
    let slots = [ground.slot("bob").await.unwrap(), ground.slot("cam").await.unwrap()];
    let decided = ground.house.permits(std::slice::from_ref(&bob)).await;
    let known = ground.slot("dan").await.unwrap();
    // Dan's secret is used by somebody at this moment.
    let used = ground.store().slot_to_use(ground.house.controller(), ground.tag("dan")).await.unwrap();
    assert_eq!(used, Some(known));
    ground.tidy().await;
    assert_eq!(ground.slot("dan").await, Some(known), "he stays while it is used");
    assert!(ground.is_destroyed(slots[0]).await && ground.is_destroyed(slots[1]).await);
    let id = taken(&ground, &bob, &decided, &body).await;
    assert!(ground.opens(id).await, "under another secret than the one that was decided on");
    ground.arrives(id).await;
    ground.wait(DAY).await;
    ground.tidy().await;
    assert_eq!(ground.slot("dan").await, None, "nobody used it after all");

    // Whoever meets a row whose secret is being destroyed ends that first, and so does the next housekeeping.
    for name in ["cam", "dan"] {
        assert!(ground.sign_up(name).await);
    }
    ground.wait(8 * DAY).await;
    ground.tidy().await;
    ground.wait(24 * DAY).await;
    ground.forget_requests().await;
    let slots = [ground.slot("cam").await.unwrap(), ground.slot("dan").await.unwrap()];
    let decided = ground.house.permits(std::slice::from_ref(&cam)).await;
    assert!(ground.begin_to_forget("cam").await && ground.begin_to_forget("dan").await);
    let id = taken(&ground, &cam, &decided, &body).await;
    assert!(ground.opens(id).await && ground.is_destroyed(slots[0]).await);
    assert!(ground.sign_up("cam").await && ground.slot("dan").await == Some(slots[1]));
    ground.tidy().await;
    assert!(ground.slot("dan").await.is_none() && ground.is_destroyed(slots[1]).await);
    assert!(ground.house.permits(std::slice::from_ref(&dan)).await[0].0.slot.is_none());
    ground.close().await;
}

#[tokio::test]
async fn art5_1_e_nobody_loses_a_secret_that_is_being_used_on_sqlite() {
    story_of_meetings(Ground::on_sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn art5_1_e_nobody_loses_a_secret_that_is_being_used_on_postgresql() {
    story_of_meetings(Ground::on_postgres().await).await;
}

/// A copy that is restored may have newer keys than rows: the secret is gone, and the row is not.
async fn story_of_newer_keys(ground: Ground) {
    for name in ["ada", "bob"] {
        assert!(ground.sign_up(name).await);
    }
    ground.wait(8 * DAY).await;
    ground.tidy().await;
    ground.wait(24 * DAY).await;
    ground.forget_requests().await;
    // Twin: who was erased stays so, also when he had been forgotten before.
    ground.store().restrict(ground.house.controller(), &address("bob"), Restriction::Erased).await.unwrap();
    let (ada, bob) = (ground.slot("ada").await.unwrap(), ground.slot("bob").await.unwrap());
    ground.store().vault.destroy_secrets(vec![ada]).await.unwrap();
    let to = address("ada");
    let decided = ground.house.permits(std::slice::from_ref(&to)).await;
    let id = taken(&ground, &to, &decided, &Bytes::from_static(b"body\r\n")).await;
    assert!(ground.opens(id).await);
    assert_ne!(ground.slot("ada").await, Some(ada));
    assert!(!ground.sign_up("bob").await);
    assert_eq!(ground.slot("bob").await, Some(bob));
    ground.close().await;
}

#[tokio::test]
async fn art5_1_e_a_secret_that_is_gone_already_is_followed_by_another_on_sqlite() {
    story_of_newer_keys(Ground::on_sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn art5_1_e_a_secret_that_is_gone_already_is_followed_by_another_on_postgresql() {
    story_of_newer_keys(Ground::on_postgres().await).await;
}
