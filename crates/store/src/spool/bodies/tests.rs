//! Every place for bodies keeps what it was given, as the store needs it: told once, for folders here and for buckets
//! beside them.

use super::collect::collect;
use super::*;
use crate::cluster::{ClockSource, Roles};
use crate::open::{Options, PostgresSettings};
use crate::spool::tests::{House, address, large_body, outcome};
use crate::spool::{NotQueued, OutcomeKind};
use crate::{Store, Temper};
use model::Timestamp;
use std::time::Duration;
use tempfile::TempDir;
use testkit::ManualClock;
use testkit::postgres::TestDatabase;
use testkit::wait::{breathe, within};

const HOUR: Duration = Duration::from_secs(3_600);

/// A store with its bodies elsewhere, and a clock that is moved.
pub(super) struct Ground {
    pub(super) placement: BodyPlacement,
    pub(super) clock: Arc<ManualClock>,
    /// `None`: SQLite.
    database: Option<TestDatabase>,
}

impl Ground {
    pub(super) fn of(placement: BodyPlacement) -> Self {
        Self { placement, clock: ManualClock::start(), database: None }
    }

    /// On the engine that several nodes share.
    async fn on_postgres(self) -> Self {
        Self { database: Some(testkit::postgres::database().await), ..self }
    }

    async fn open(&self, dir: &Path) -> Result<Arc<Store>> {
        let (clock, bodies) = (Arc::clone(&self.clock), self.placement.clone());
        let options = Options::new(clock, dir);
        let Some(database) = &self.database else { return Store::open_sqlite_with(dir, Some(bodies), options).await };
        let settings = PostgresSettings {
            url: database.url.clone(),
            keys_url: Some(database.keys_url.clone()),
            ca: None,
            name: "house".into(),
            roles: Roles::ALL,
            clock: ClockSource::Given,
            bodies,
        };
        let store = Store::open_postgres(dir, settings, options).await?;
        within("the node's share", async {
            while !store.tenure().holds("dest.example") {
                breathe().await;
            }
        })
        .await;
        Ok(store)
    }

    pub(super) async fn house(&self) -> House {
        let dir = tempfile::tempdir().unwrap();
        House::over(self.open(dir.path()).await.unwrap(), dir).await
    }

    /// The process ends and starts again.
    async fn again(&self, house: House) -> House {
        house.store.close().await;
        let House { dir, store, .. } = house;
        drop(store);
        House::again(self.open(dir.path()).await.unwrap(), dir)
    }
}

fn bodies(house: &House) -> &Bodies {
    &house.store.intake.bodies
}

/// Ids of what lies there.
pub(super) async fn there(house: &House) -> Vec<i64> {
    match &bodies(house).outside {
        Some(place) => place.list(0, i64::MAX, 100).await.unwrap(),
        None => Vec::new(),
    }
}

pub(super) async fn accept_large(house: &House) -> std::result::Result<(), NotQueued> {
    let to = [address("ada")];
    loop {
        let permits = house.permits(&to).await;
        match house.accept(&to, &permits, &large_body()).await {
            Err(NotQueued::Stale) => {}
            outcome => return outcome.map(drop),
        }
    }
}

/// As housekeeping does it.
async fn tidy(house: &House) {
    house.store.tidy().await.unwrap();
    // The round that it began is over.
    drop(within("the round", bodies(house).rounds.one.acquire()).await.unwrap());
}

/// What a [`BodyStore`] promises.
pub(super) async fn keeping(place: Arc<dyn BodyStore>) {
    let octets: Bytes = (0..=255_u8).cycle().take(300_000).collect();
    let put = |id, octets: &Bytes| Arc::clone(&place).put(id, octets.clone());
    for id in [0x30, 0x10, 0x20] {
        put(id, &octets).await.unwrap();
    }
    put(1 << 60, &Bytes::new()).await.unwrap();
    assert_eq!(place.get(0x20).await.unwrap(), octets);
    assert!(place.get(1 << 60).await.unwrap().is_empty());
    assert!(place.get(0x99).await.is_err());

    // Never overwritten.
    let error = put(0x20, &Bytes::from_static(b"another")).await.unwrap_err();
    assert_eq!(error.temper(), Temper::Temporary);
    assert_eq!(place.get(0x20).await.unwrap(), octets);
    listing(place).await;
}

/// With objects 10, 20, 30 and 2^60.
async fn listing(place: Arc<dyn BodyStore>) {
    // Between the bounds, in order, page by page.
    assert_eq!(place.list(0, i64::MAX, 9).await.unwrap(), [0x10, 0x20, 0x30, 1 << 60]);
    assert_eq!(place.list(0, i64::MAX, 2).await.unwrap(), [0x10, 0x20]);
    assert_eq!(place.list(0x20, i64::MAX, 2).await.unwrap(), [0x30, 1 << 60]);
    assert_eq!(place.list(0x10, 0x30, 9).await.unwrap(), [0x20]);
    assert_eq!(place.list(1 << 60, i64::MAX, 9).await.unwrap(), [0_i64; 0]);

    // What is gone already hinders no other.
    place.remove(vec![0x99, 0x20, 0x20, 1 << 60]).await.unwrap();
    assert_eq!(place.list(0, i64::MAX, 9).await.unwrap(), [0x10, 0x30]);
    Arc::clone(&place).discard(0x10);
    within("the removal", async {
        while place.list(0, i64::MAX, 9).await.unwrap() != [0x30] {
            breathe().await;
        }
    })
    .await;
}

/// A large body goes out and comes back, byte for byte, and is gone with its message.
pub(super) async fn out_and_back(ground: &Ground) {
    let house = ground.house().await;
    accept_large(&house).await.unwrap();
    let [id] = there(&house).await[..] else { panic!("one object") };
    let sealed = bodies(&house).read(id).await.unwrap();
    let clear = large_body().slice(..64);
    assert!(sealed.len() > ROW_BODY_OCTETS_MAX && sealed.windows(64).all(|window| window != clear));

    let house = ground.again(house).await;
    let row = house.rows().await.remove(0);
    assert_eq!(house.store.open_content(&[&row]).await.unwrap()[0].as_ref().unwrap().body, large_body());
    house.store.settle(vec![outcome(row, OutcomeKind::Delivered)]).await.unwrap();
    within("the object's end", async {
        while !there(&house).await.is_empty() {
            breathe().await;
        }
    })
    .await;
}

/// What a crash leaves is collected after a day and not before; what is referred to, never.
pub(super) async fn collected(ground: &Ground) {
    let house = ground.house().await;
    accept_large(&house).await.unwrap();
    let [referred] = there(&house).await[..] else { panic!("one object") };
    let lost = house.store.next_id();
    bodies(&house).write(lost, vec![1]).await.unwrap().keep();
    let house = ground.again(house).await;
    assert_eq!(there(&house).await, [referred, lost], "a start removes nothing: another node may be about to commit");

    tidy(&house).await;
    ground.clock.advance(24 * HOUR - Duration::from_secs(1));
    tidy(&house).await;
    assert_eq!(there(&house).await, [referred, lost]);
    // An hour after the last look, and no sooner.
    ground.clock.advance(HOUR - Duration::from_secs(1));
    tidy(&house).await;
    assert_eq!(there(&house).await, [referred, lost]);
    ground.clock.advance(Duration::from_secs(1));
    tidy(&house).await;
    assert_eq!(there(&house).await, [referred]);
    collected_at_once(ground, &house, [referred, lost]).await;
}

/// By two nodes at once, and much later.
async fn collected_at_once(ground: &Ground, house: &House, [referred, lost]: [i64; 2]) {
    let later = ground.clock.advance(1_000 * HOUR);
    bodies(house).write(lost, vec![1]).await.unwrap().keep();
    let place = bodies(house).place().unwrap();
    let engine = &*house.store.engine;
    let (one, other) = tokio::join!(collect(&**place, engine, later), collect(&**place, engine, later));
    assert!(one.unwrap() + other.unwrap() >= 1);
    assert_eq!(there(house).await, [referred]);
    let row = house.rows().await.remove(0);
    assert_eq!(house.store.open_content(&[&row]).await.unwrap()[0].as_ref().unwrap().body, large_body());
}

/// While large bodies fail, a large message is refused for now, and nothing of it is kept; small ones go on.
pub(super) async fn refused(house: &House) {
    let Err(NotQueued::Failed(error)) = accept_large(house).await else { panic!("it failed") };
    assert_eq!(error.temper(), Temper::Temporary, "{error}");
    assert!(house.rows().await.is_empty());
    let to = [address("bob")];
    let permits = house.permits(&to).await;
    house.accept(&to, &permits, &Bytes::from_static(b"small\r\n")).await.unwrap();
    assert_eq!(house.rows().await.len(), 1);
}

fn shared() -> (TempDir, Ground) {
    let dir = tempfile::tempdir().unwrap();
    let ground = Ground::of(BodyPlacement::Folder(dir.path().to_path_buf()));
    (dir, ground)
}

#[tokio::test]
async fn a_folder_keeps_what_it_was_given() {
    let dir = tempfile::tempdir().unwrap();
    keeping(Arc::new(Folder::shared(dir.path(), "us").await.unwrap())).await;
    let dir = tempfile::tempdir().unwrap();
    keeping(Arc::new(Folder::own(&dir.path().join("bodies")).unwrap())).await;
}

#[tokio::test]
async fn a_large_body_goes_through_a_folder_and_comes_back() {
    out_and_back(&shared().1).await;
}

#[tokio::test]
async fn what_a_crash_leaves_in_a_folder_is_collected_after_a_day() {
    let (dir, ground) = shared();
    collected(&ground).await;
    // And a part of a file.
    let part = dir.path().join(name(77) + ".part");
    std::fs::write(&part, b"x").unwrap();
    let folder = Folder::own(dir.path()).unwrap();
    assert!(matches!(folder.list(0, i64::MAX, 9).await.unwrap()[..], [77, _]));
    folder.remove(vec![77]).await.unwrap();
    assert!(!part.exists());
}

#[tokio::test]
async fn several_nodes_keep_and_collect_bodies_in_a_folder() {
    let (_dir, ground) = shared();
    out_and_back(&ground.on_postgres().await).await;
    // Another database is another installation.
    let (_dir, ground) = shared();
    collected(&ground.on_postgres().await).await;
}

#[tokio::test]
async fn several_nodes_keep_bodies_of_any_size_in_rows() {
    in_rows(&Ground::of(BodyPlacement::Rows).on_postgres().await).await;
}

#[tokio::test]
async fn a_folder_that_fails_refuses_the_message_and_keeps_nothing() {
    let (dir, ground) = shared();
    let house = ground.house().await;
    std::fs::remove_dir_all(dir.path()).unwrap();
    refused(&house).await;
}

#[tokio::test]
async fn rows_take_a_body_of_any_size() {
    in_rows(&Ground::of(BodyPlacement::Rows)).await;
}

async fn in_rows(ground: &Ground) {
    let house = ground.house().await;
    accept_large(&house).await.unwrap();
    assert!(!house.dir.path().join("bodies").exists());
    let house = ground.again(house).await;
    let row = house.rows().await.remove(0);
    assert_eq!(house.store.open_content(&[&row]).await.unwrap()[0].as_ref().unwrap().body, large_body());
    tidy(&house).await;
    house.store.settle(vec![outcome(row, OutcomeKind::Delivered)]).await.unwrap();
    assert!(house.rows().await.is_empty());
    // What lies elsewhere is not found there, and the sentence says why.
    let error = bodies(&house).read(1).await.unwrap_err();
    assert!(error.to_string().contains("name the folder or bucket"), "{error}");
}

#[tokio::test]
async fn art32_body_files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (dir, ground) = shared();
    let house = ground.house().await;
    accept_large(&house).await.unwrap();
    for entry in std::fs::read_dir(dir.path())
        .unwrap()
        .flatten()
        .filter(|entry| id_of(&entry.file_name().to_string_lossy()).is_some())
    {
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let made = house.dir.path().join("own");
    Folder::own(&made).unwrap();
    assert_eq!(std::fs::metadata(made).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_folder_is_refused_when_it_is_not_there_or_somebody_elses() {
    let dir = tempfile::tempdir().unwrap();
    let missing = Folder::shared(&dir.path().join("missing"), "us").await.err().unwrap();
    assert!(missing.to_string().contains("is not there; make it, or mount it"), "{missing}");
    assert!(!dir.path().join("missing").exists());
    // Several nodes of one installation, at once.
    let starts: Vec<_> = (0..8)
        .map(|_| {
            tokio::spawn({
                let dir = dir.path().to_path_buf();
                async move { Folder::shared(&dir, "us").await.map(drop) }
            })
        })
        .collect();
    for start in starts {
        start.await.unwrap().unwrap();
    }
    let other = Folder::shared(dir.path(), "them").await.err().unwrap();
    assert!(other.to_string().contains("bodies of another installation"), "{other}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "the mark alone is left");
}

#[tokio::test]
async fn a_node_that_is_alone_opens_the_folder_it_had_and_sweeps_it() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::start();
    let open = async || Store::open_sqlite(dir.path(), Options::new(clock.clone(), dir.path())).await.unwrap();
    let store = open().await;
    store.intake.bodies.write(Timestamp::MAX.micros(), vec![1]).await.unwrap().keep();
    store.close().await;
    drop(store);
    // Whatever its age: nobody else writes there.
    let store = open().await;
    assert_eq!(std::fs::read_dir(dir.path().join("bodies")).unwrap().count(), 0);
    store.close().await;
}
