//! Agreements and instructions, told in the verbs of the store on both engines: what begins, what it replaces, what is
//! held, what is reminded of.

use super::place::Place;
use crate::Error;
use crate::cluster::{ClockSource, Roles};
use crate::open::{PostgresSettings, Store};
use crate::permission::{AgreementView, Concluded, DocumentKind, Given, GivenPurpose, GivenStream, NewDocument, Side};
use crate::spool::BodyPlacement;
use model::agreement::AgreementState;
use model::basis::BasisKind;
use model::instruction::{InstructionState, Operation};
use model::stream::Terms;
use model::{AgreementId, ControllerId, DocumentId, StreamKind, Timestamp};
use std::sync::Arc;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

struct Shop {
    place: Place,
    store: Arc<Store>,
    controller: ControllerId,
}

impl Shop {
    async fn paper(&self, kind: DocumentKind, version: u32) -> DocumentId {
        let octets = version.to_be_bytes();
        let new = NewDocument { kind, name: "paper", version, language: "en", octets: &octets };
        self.store.keep_document(self.controller, &new).await.unwrap()
    }

    /// An agreement that begins in so many hours, is looked at again an hour later and ends an hour after that.
    async fn conclude(&self, version: u32, hours: u32) -> AgreementView {
        let from = self.store.now().plus(HOUR * hours);
        let (review, until) = (Some(from.plus(HOUR)), Some(from.plus(HOUR * 2)));
        let paper = self.paper(DocumentKind::Agreement, version).await;
        let document = [u8::try_from(version).unwrap(); 32];
        let new = Concluded { paper, document, version, from, until, review, own_hand: None };
        let id = self.store.conclude_agreement(self.controller, &new).await.unwrap().unwrap();
        let again = self.store.conclude_agreement(self.controller, &new).await;
        assert!(matches!(again, Err(Error::Exists { .. })), "a version is concluded once");
        self.agreements().await.into_iter().find(|known| known.id == id).unwrap()
    }

    /// Is one concluded that the operator signed at that moment, or offers to everybody?
    async fn is_concluded(&self, version: u32, own_hand: Option<Timestamp>) -> bool {
        let paper = self.paper(DocumentKind::Agreement, version).await;
        let (from, document) = (self.store.now(), [u8::try_from(version).unwrap(); 32]);
        let new = Concluded { paper, document, version, from, until: None, review: None, own_hand };
        self.store.conclude_agreement(self.controller, &new).await.unwrap().is_some()
    }

    /// The agreement in force, under which instructions are looked at.
    async fn under(&self) -> AgreementId {
        let known = self.agreements().await;
        let in_force = known.iter().rfind(|known| known.state == AgreementState::InForce);
        in_force.map_or(AgreementId(0), |known| known.id)
    }

    async fn agreements(&self) -> Vec<AgreementView> {
        self.store.agreements(self.controller).await.unwrap()
    }

    async fn states(&self) -> Vec<AgreementState> {
        self.agreements().await.iter().map(|known| known.state).collect()
    }

    /// What a decision would rest on.
    fn counts(&self) -> Option<(u32, bool)> {
        let policy = self.store.policy.current();
        let known = policy.controller(self.controller)?.agreement.as_ref()?;
        Some((known.version, known.in_force_at(self.store.now())))
    }

    fn obeyed(&self) -> Option<(u32, InstructionState, u64)> {
        let policy = self.store.policy.current();
        let known = policy.controller(self.controller)?.instruction.as_ref()?;
        Some((known.version, known.state, known.messages_per_day_max))
    }

    async fn given(&self, version: u32, streams: &[(&str, StreamKind)]) -> Given {
        let stream = |(name, kind): &(&str, StreamKind)| GivenStream {
            name: (*name).to_owned(),
            kind: *kind,
            purposes: vec![GivenPurpose {
                name: format!("{name}-purpose"),
                bases: vec![BasisKind::Consent],
                text: format!("version {version}"),
                language: "en".to_owned(),
            }],
            terms: Terms::default(),
        };
        Given {
            paper: self.paper(DocumentKind::Instruction, version).await,
            document: [9; 32],
            under: self.under().await,
            version,
            operations: Operation::ALL.to_vec(),
            messages_per_day_max: u64::from(version) * 10,
            review: self.store.now().plus(HOUR * 10),
            streams: streams.iter().map(stream).collect(),
        }
    }

    async fn told(&self) -> Vec<String> {
        let told = self.store.notices(self.controller, i64::MAX, 100).await.unwrap();
        told.into_iter().rev().map(|one| one.kind).collect()
    }
}

async fn of_agreements(shop: &Shop) {
    use AgreementState::{InForce, Signed, Suspended};
    let first = shop.conclude(1, 0).await;
    assert_eq!(shop.counts(), Some((1, true)));
    shop.conclude(2, 1).await;
    assert_eq!(shop.states().await, [InForce, Signed], "one whose day has not come replaces nothing");
    assert_eq!(shop.counts(), Some((1, true)));
    let generation = shop.store.generation(shop.controller);
    let paused = shop.store.move_agreement(shop.controller, &first, Suspended, Side::Processor).await.unwrap();
    assert!(paused && shop.store.generation(shop.controller) > generation, "whoever decides learns of it");
    assert_eq!(shop.counts(), Some((1, false)));
    let stale = shop.store.move_agreement(shop.controller, &first, Suspended, Side::Processor).await.unwrap();
    assert!(!stale, "it stands elsewhere by now");
    assert_eq!(shop.agreements().await[0].moved_by.as_deref(), Some("processor"));
}

/// One has been suspended, and another begins in an hour.
#[expect(clippy::cognitive_complexity, reason = "assertions in a row, each expanded by its macro")]
async fn of_their_days(shop: &Shop) {
    use AgreementState::{Ended, InForce, Signed, Suspended};
    assert_eq!(shop.store.turn_agreements().await.unwrap(), []);
    assert_eq!(shop.states().await, [Suspended, Signed]);
    shop.place.wait_hours(1);
    assert_eq!(shop.store.turn_agreements().await.unwrap(), [], "the operator has suspended what went before");
    assert_eq!(shop.states().await, [Suspended, Signed]);
    let first = shop.agreements().await.remove(0);
    assert!(shop.store.move_agreement(shop.controller, &first, InForce, Side::Processor).await.unwrap());
    assert_eq!(shop.store.turn_agreements().await.unwrap(), [shop.controller]);
    assert_eq!(shop.states().await, [Ended, InForce]);
    assert_eq!(shop.counts(), Some((2, true)));
    assert!(shop.told().await.is_empty());
    shop.place.wait_hours(1);
    shop.store.turn_agreements().await.unwrap();
    shop.store.turn_agreements().await.unwrap();
    assert_eq!(shop.told().await, ["agreement-review"], "reminded once");
    shop.place.wait_hours(1);
    assert_eq!(shop.counts(), Some((2, false)), "over at its end, whoever notes it when");
    shop.store.turn_agreements().await.unwrap();
    assert_eq!(shop.states().await, [Ended, Ended]);
}

/// Both are over by their days. GDPR Art. 28(3)(h): what the operator stopped, the controller does not start again by
/// himself.
#[expect(clippy::cognitive_complexity, reason = "assertions in a row, each expanded by its macro")]
async fn of_what_the_operator_stopped(shop: &Shop) {
    use AgreementState::{Ended, Signed, Suspended};
    let (store, owner) = (&shop.store, shop.controller);
    let third = shop.conclude(3, 0).await;
    shop.conclude(4, 1).await;
    let before = store.now();
    assert!(store.move_agreement(owner, &third, Suspended, Side::Processor).await.unwrap());
    assert!(!shop.is_concluded(5, None).await, "what he offers to everybody is not offered here");
    let third = shop.agreements().await.remove(2);
    assert!(store.move_agreement(owner, &third, Ended, Side::Processor).await.unwrap());
    assert_eq!(shop.states().await, [Ended, Ended, Ended, Ended], "what waited for its day is over, too");
    assert!(!shop.is_concluded(5, None).await);
    assert!(!shop.is_concluded(5, Some(before)).await, "what he signed before he stopped it says nothing");
    shop.place.wait_hours(1);
    assert!(shop.is_concluded(5, Some(store.now())).await, "he has signed this one himself");
    assert!(shop.is_concluded(6, None).await, "and so all is as before");
    // A suspension by the operator outlasts an end by the controller, and an end by its day.
    let sixth = shop.agreements().await.pop().unwrap();
    assert!(store.move_agreement(owner, &sixth, Suspended, Side::Processor).await.unwrap());
    let sixth = shop.agreements().await.pop().unwrap();
    assert!(store.move_agreement(owner, &sixth, Ended, Side::Controller).await.unwrap());
    assert!(!shop.is_concluded(7, None).await);
    shop.place.wait_hours(1);
    assert!(shop.is_concluded(7, Some(store.now())).await);
    let seventh = shop.agreements().await.pop().unwrap();
    assert!(store.move_agreement(owner, &seventh, Ended, Side::Controller).await.unwrap());
    let eighth = shop.conclude(8, 0).await;
    assert!(store.move_agreement(owner, &eighth, Suspended, Side::Processor).await.unwrap());
    shop.place.wait_hours(3);
    store.turn_agreements().await.unwrap();
    assert_eq!(shop.states().await[7..], [Ended]);
    assert!(!shop.is_concluded(9, None).await);
    shop.place.wait_hours(1);
    assert!(shop.is_concluded(9, Some(store.now())).await);
    // What the controller suspended, he may replace.
    let ninth = shop.agreements().await.pop().unwrap();
    assert!(store.move_agreement(owner, &ninth, Suspended, Side::Controller).await.unwrap());
    shop.conclude(10, 1).await;
    assert_eq!(shop.states().await[8..], [Suspended, Signed]);
    assert!(shop.is_concluded(11, None).await);
}

const NEWS: (&str, StreamKind) = ("news", StreamKind::Marketing);

async fn of_instructions(shop: &Shop) {
    use InstructionState::{Held, InForce, Superseded};
    let (store, owner) = (&shop.store, shop.controller);
    let states = async || -> Vec<InstructionState> {
        store.instructions(owner).await.unwrap().iter().map(|known| known.state).collect()
    };
    let first = shop.given(1, &[NEWS]).await;
    store.hold_instruction(owner, &first, "why").await.unwrap().unwrap();
    assert_eq!(shop.obeyed(), Some((1, Held, 10)), "none is in force: mail is held");
    assert!(store.streams(owner).is_empty(), "what is held makes nothing");
    let second = shop.given(2, &[NEWS]).await;
    let elsewhere = Given { under: AgreementId(1), ..second.clone() };
    assert!(store.give_instruction(owner, &elsewhere).await.unwrap().is_none(), "looked at under another agreement");
    store.give_instruction(owner, &second).await.unwrap().unwrap();
    assert_eq!((shop.obeyed(), states().await), (Some((2, InForce, 20)), vec![Superseded, InForce]));
    let stream = store.streams(owner)[0].clone();
    let third = shop.given(3, &[NEWS, ("receipts", StreamKind::Transactional)]).await;
    let held = store.hold_instruction(owner, &third, "why").await.unwrap().unwrap();
    let elsewhere = Given { under: AgreementId(1), ..third.clone() };
    assert!(!store.confirm_instruction(owner, held, &elsewhere, "we do").await.unwrap());
    assert_eq!(shop.obeyed(), Some((2, InForce, 20)), "the one before stays in force");
    assert!(store.confirm_instruction(owner, held, &third, "we do").await.unwrap());
    assert!(!store.confirm_instruction(owner, held, &third, "we do").await.unwrap(), "once");
    assert_eq!((shop.obeyed(), states().await), (Some((3, InForce, 30)), vec![Superseded, Superseded, InForce]));
    assert_eq!(store.streams(owner)[0].id, stream.id, "a stream keeps its id");
}

/// The third is in force.
async fn of_what_they_make(shop: &Shop) {
    let (store, owner) = (&shop.store, shop.controller);
    assert_eq!(store.streams(owner).len(), 2);
    assert_eq!(store.purposes(owner)[0].texts["en"].description, "version 3");
    let other = shop.given(4, &[("news", StreamKind::Transactional)]).await;
    // One that was written earlier comes too late.
    let early = Given { version: 0, ..other.clone() };
    let early = Given { streams: Vec::new(), ..early };
    assert!(store.give_instruction(owner, &early).await.unwrap().is_none(), "a later one is in force");
    let refused = store.give_instruction(owner, &other).await;
    assert!(matches!(refused, Err(Error::Exists { what: "stream" })), "a stream never changes its kind");
    let rows = store.instructions(owner).await.unwrap();
    assert!(store.hold_in_force(owner, &rows[2], "the agreement is narrower").await.unwrap());
    assert_eq!(shop.obeyed(), Some((3, InstructionState::Held, 30)));
    let told = shop.told().await;
    assert_eq!(told[1..], ["instruction-held", "instruction-held", "instruction-confirmed", "instruction-held"]);
}

async fn story(place: Place, store: Arc<Store>) {
    let controller = store.create_controller("Shop").await.unwrap();
    let shop = Shop { place, store, controller };
    of_agreements(&shop).await;
    of_their_days(&shop).await;
    of_what_the_operator_stopped(&shop).await;
    of_instructions(&shop).await;
    of_what_they_make(&shop).await;
    shop.store.close().await;
}

#[tokio::test]
async fn art28_3_agreements_and_instructions_on_sqlite() {
    let place = Place::new();
    let store = place.open().await.unwrap();
    story(place, store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn art28_3_agreements_and_instructions_on_postgresql() {
    let (database, place) = (testkit::postgres::database().await, Place::new());
    let settings = PostgresSettings {
        url: database.url.clone(),
        keys_url: Some(database.keys_url.clone()),
        ca: None,
        name: "authority".to_owned(),
        roles: Roles::ALL,
        clock: ClockSource::Given,
        bodies: BodyPlacement::Rows,
    };
    let options = place.options();
    let store = Store::open_postgres(place.path(), settings, options).await.unwrap();
    story(place, store).await;
}
