//! Delivery on several nodes over one PostgreSQL: who delivers what, and what becomes of what a node was at when its
//! tenure ended.

use crate::house::{House, by_dns, by_smarthost, events, pause};
use crate::wire::Wire;
use model::Clock;
use model::message::MessageState;
use mta::delivery::{Delivery, Drained, Settings};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::{BodyPlacement, ClockSource, CreateKey, Homing, Options, PostgresSettings, Roles, Store, Uncertain};
use testkit::mx::Stage;
use testkit::postgres::TestDatabase;
use testkit::{FakeDns, FakeMx, ManualClock, within};

const TO: &str = "ada@dest.example";
const SITE: &str = "smarthost";
const MINUTE: Duration = Duration::from_secs(60);

/// A node that takes mail in, and delivers if that is its role; other nodes can be put beside it.
struct Nodes {
    house: House,
    database: TestDatabase,
}

impl Nodes {
    async fn new(homing: Homing, roles: Roles) -> Self {
        let database = testkit::postgres::database().await;
        let url = database.url.clone();
        Self::by(homing, roles, database, url).await
    }

    /// The first node reaches its main database at `url`.
    async fn by(homing: Homing, roles: Roles, database: TestDatabase, url: String) -> Self {
        let (clock, dir) = (ManualClock::start(), tempfile::tempdir().unwrap());
        let options = Options { homing: homing.clone(), ..Options::new(Arc::clone(&clock) as _, dir.path()) };
        let settings = settings("first", roles, url, &database);
        let store = Store::open_postgres(dir.path(), settings, options).await.unwrap();
        let shown = Arc::clone(&clock) as Arc<dyn Clock>;
        let house = House::on(store, dir, homing, clock, shown).await;
        Self { house, database }
    }

    /// Another node in a folder of its own, with the same master key.
    async fn another(&self, homing: Homing, dir: &Path) -> Arc<Store> {
        let mut options = Options::new(Arc::clone(&self.house.clock) as _, dir);
        options.homing = homing;
        options.key_file = self.house.dir.path().join("master.key");
        options.create_key = CreateKey::Never;
        let settings = settings("second", Roles::DELIVER, self.database.url.clone(), &self.database);
        Store::open_postgres(dir, settings, options).await.unwrap()
    }

    async fn end(self, others: &[&Arc<Store>]) {
        for other in others {
            other.close().await;
        }
        self.house.store.close().await;
    }
}

fn settings(name: &str, roles: Roles, url: String, database: &TestDatabase) -> PostgresSettings {
    PostgresSettings {
        url,
        keys_url: Some(database.keys_url.clone()),
        ca: None,
        name: name.to_owned(),
        roles,
        clock: ClockSource::Given,
        bodies: BodyPlacement::Rows,
    }
}

/// Waits until each of the two has half of the partitions.
async fn shared_out(one: &Store, other: &Store) {
    within("a share for each", async {
        while [one, other].iter().any(|store| store.tenure().parts().len() != 128) {
            pause().await;
        }
    })
    .await;
}

async fn until_holds(store: &Store, site: &str) {
    within("the partition", async {
        while !store.tenure().holds(site) {
            pause().await;
        }
    })
    .await;
}

async fn start(store: &Arc<Store>, settings: Settings) -> Delivery {
    Delivery::start(Arc::clone(store), settings).await.unwrap()
}

/// Another site of which `store` holds the partition.
fn site_of(store: &Store, word: &str) -> String {
    let mut names = (0..10_000).map(|number| format!("{word}{number}.example"));
    names.find(|name| store.tenure().holds(name)).unwrap()
}

#[tokio::test]
async fn what_one_node_accepts_is_delivered_by_the_node_that_holds_its_site_and_by_no_other() {
    let nodes = Nodes::new(Homing::ByDomain, Roles::ALL).await;
    let (house, dir) = (&nodes.house, tempfile::tempdir().unwrap());
    let second = nodes.another(Homing::ByDomain, dir.path()).await;
    shared_out(&house.store, &second).await;
    let (dns, mx) = (FakeDns::start().await.unwrap(), FakeMx::start().await.unwrap());
    let sites = [&house.store, &second].map(|store| site_of(store, "site"));
    for site in &sites {
        dns.mx(site, 10, "mx.dest.example");
    }
    dns.loopback("mx.dest.example");
    let mut deliveries = Vec::new();
    for (number, store) in [&house.store, &second].into_iter().enumerate() {
        let mut settings = by_dns(&dns, &mx);
        settings.ehlo_name = format!("node{number}.sample.example");
        deliveries.push(start(store, settings).await);
    }
    for (number, site) in sites.iter().enumerate() {
        for person in 0..5 {
            let queued = house.send(&format!("p{person}@{site}")).await;
            house.until_state(queued.id, MessageState::Delivered).await;
        }
        let all = mx.received();
        let mine: Vec<_> = all.iter().filter(|message| message.to[0].ends_with(site.as_str())).collect();
        let hello = format!("node{number}.sample.example");
        assert_eq!(mine.len(), 5);
        assert!(mine.iter().all(|message| message.hello == hello), "{hello}");
    }
    assert!(deliveries[0].site_status(&sites[1]).is_none(), "a hint for a foreign site leaves no trace");
    for delivery in deliveries {
        assert_eq!(delivery.drain(MINUTE).await, Drained::Completely);
    }
    nodes.end(&[&second]).await;
}

#[tokio::test]
async fn a_partition_lost_between_data_and_the_final_dot_cuts_the_connection_and_the_next_holder_delivers() {
    for is_lost in [true, false] {
        let nodes = Nodes::new(Homing::Smarthost, Roles::ALL).await;
        let (house, dir) = (&nodes.house, tempfile::tempdir().unwrap());
        until_holds(&house.store, SITE).await;
        let mx = FakeMx::start().await.unwrap();
        let delivery = start(&house.store, by_smarthost(&mx)).await;
        let hold = mx.hold(Stage::Data);
        let queued = house.send(TO).await;
        hold.reached(1).await;
        if is_lost {
            house.store.step_down().await.unwrap();
        }
        hold.release();
        if !is_lost {
            let view = house.until_state(queued.id, MessageState::Delivered).await;
            assert_eq!((events(&view, "deferred"), mx.received().len()), (0, 1), "the twin");
            delivery.drain(MINUTE).await;
            nodes.end(&[]).await;
            continue;
        }
        let view = house.until_event(queued.id, "deferred", 1).await;
        assert_eq!((view.state, events(&view, "uncertain")), (MessageState::Queued, 0));
        assert!(mx.received().is_empty(), "without its final dot nobody has it");
        let second = nodes.another(Homing::Smarthost, dir.path()).await;
        let other = start(&second, by_smarthost(&mx)).await;
        let view = house.until_state(queued.id, MessageState::Delivered).await;
        let last = view.timeline.last().unwrap();
        assert_eq!((last.attempt, last.uncertain), (2, Uncertain::No), "due at once");
        assert_eq!(mx.received().len(), 1);
        assert!(delivery.site_status(SITE).is_none_or(|status| status.failures == 0), "nobody failed");
        for delivery in [delivery, other] {
            assert_eq!(delivery.drain(MINUTE).await, Drained::Completely);
        }
        nodes.end(&[&second]).await;
    }
}

#[tokio::test]
async fn a_partition_lost_before_mail_leaves_the_row_as_it_was() {
    let nodes = Nodes::new(Homing::Smarthost, Roles::ALL).await;
    let (house, dir) = (&nodes.house, tempfile::tempdir().unwrap());
    until_holds(&house.store, SITE).await;
    let mx = FakeMx::start().await.unwrap();
    let delivery = start(&house.store, by_smarthost(&mx)).await;
    let hold = mx.hold(Stage::Greeting);
    let queued = house.send(TO).await;
    hold.reached(1).await;
    house.store.step_down().await.unwrap();
    hold.release();
    within("the connection to go", async {
        while mx.counts().open > 0 {
            pause().await;
        }
    })
    .await;
    let view = house.view(queued.id).await;
    assert_eq!((view.state, view.timeline.len()), (MessageState::Queued, 1));
    assert_eq!(mx.counts().mails, 0);
    let second = nodes.another(Homing::Smarthost, dir.path()).await;
    let other = start(&second, by_smarthost(&mx)).await;
    let view = house.until_state(queued.id, MessageState::Delivered).await;
    assert_eq!(view.timeline.last().unwrap().attempt, 1);
    for delivery in [delivery, other] {
        assert_eq!(delivery.drain(MINUTE).await, Drained::Completely);
    }
    nodes.end(&[&second]).await;
}

#[tokio::test]
async fn what_a_connection_had_taken_and_not_begun_stays_as_it_was_when_the_partition_goes() {
    for is_lost in [true, false] {
        let nodes = Nodes::new(Homing::Smarthost, Roles::ALL).await;
        let house = &nodes.house;
        until_holds(&house.store, SITE).await;
        let mx = FakeMx::start().await.unwrap();
        let (first, second) = (house.send(TO).await, house.send("bob@dest.example").await);
        let mut settings = by_smarthost(&mx);
        // Both are taken together.
        settings.shaping.connections_max = 1;
        let hold = mx.hold(Stage::EndOfData);
        let delivery = start(&house.store, settings).await;
        hold.reached(1).await;
        if is_lost {
            house.store.step_down().await.unwrap();
        }
        hold.release();
        house.until_state(first.id, MessageState::Delivered).await;
        if is_lost {
            within("the connection to go", async {
                while mx.counts().open > 0 {
                    pause().await;
                }
            })
            .await;
            let view = house.view(second.id).await;
            assert_eq!((view.state, view.timeline.len()), (MessageState::Queued, 1));
            assert_eq!(mx.counts().mails, 1, "no MAIL without the partition");
        } else {
            house.until_state(second.id, MessageState::Delivered).await;
            assert_eq!((mx.counts().mails, mx.counts().connections), (2, 1), "the twin");
        }
        assert_eq!(delivery.drain(MINUTE).await, Drained::Completely);
        nodes.end(&[]).await;
    }
}

#[tokio::test]
async fn a_drain_hands_over_at_once_and_an_outcome_that_comes_late_is_recorded() {
    let nodes = Nodes::new(Homing::Smarthost, Roles::ALL).await;
    let (house, dir) = (&nodes.house, tempfile::tempdir().unwrap());
    until_holds(&house.store, SITE).await;
    let second = nodes.another(Homing::Smarthost, dir.path()).await;
    // Whichever of the two holds the site, once they have shared, goes first.
    shared_out(&house.store, &second).await;
    let mx = FakeMx::start().await.unwrap();
    let (first, second_delivery) =
        (start(&house.store, by_smarthost(&mx)).await, start(&second, by_smarthost(&mx)).await);
    let (going, staying, successor) = if house.store.tenure().holds(SITE) {
        (first, second_delivery, &second)
    } else {
        (second_delivery, first, &house.store)
    };
    let hold = mx.hold(Stage::EndOfData);
    let early = house.send(TO).await;
    hold.reached(1).await;
    let draining = tokio::spawn(going.drain(MINUTE));
    // Before the transaction that the first is at has ended, the other holds the site.
    until_holds(successor, SITE).await;
    assert!(!draining.is_finished());
    let late = house.send("bob@dest.example").await;
    hold.reached(2).await;
    hold.release();
    for id in [early.id, late.id] {
        let view = house.until_state(id, MessageState::Delivered).await;
        assert_eq!((view.timeline.last().unwrap().attempt, events(&view, "uncertain")), (1, 0));
    }
    assert_eq!(within("the drain", draining).await.unwrap(), Drained::Completely);
    assert_eq!(mx.received().len(), 2);
    assert_eq!(staying.drain(MINUTE).await, Drained::Completely);
    nodes.end(&[&second]).await;
}

#[tokio::test]
async fn a_store_that_is_away_for_a_while_loses_nothing_and_nothing_is_sent_without_it() {
    let database = testkit::postgres::database().await;
    let wire = Wire::to(&database.url).await;
    let url = wire.url(&database.url);
    let nodes = Nodes::by(Homing::Smarthost, Roles::ALL, database, url).await;
    let house = &nodes.house;
    until_holds(&house.store, SITE).await;
    let mx = FakeMx::start().await.unwrap();
    let mut settings = by_smarthost(&mx);
    settings.shaping.connections_max = 2;
    let delivery = start(&house.store, settings).await;
    // One at its final dot, one before it, and more behind them.
    let dot = mx.hold(Stage::EndOfData);
    let sent = house.send(TO).await;
    dot.reached(1).await;
    let data = mx.hold(Stage::Data);
    let begun = house.send("bob@dest.example").await;
    let mut ids = vec![sent.id, begun.id];
    for number in 0..20 {
        ids.push(house.send(&format!("r{number}@dest.example")).await.id);
    }
    data.reached(1).await;
    wire.cut();
    within("the deadline to pass", async {
        while house.store.tenure().holds(SITE) {
            pause().await;
        }
    })
    .await;
    dot.release();
    data.release();
    within("the connections to go", async {
        while mx.counts().open > 0 {
            pause().await;
        }
    })
    .await;
    assert_eq!(mx.received().len(), 1, "the dot that was put is answered; no other is put");
    let status = delivery.site_status(SITE).unwrap();
    assert_eq!((status.failures, status.backing_off_until), (0, None), "the site has done nothing");
    wire.mend();
    for id in ids {
        let view = house.until_state(id, MessageState::Delivered).await;
        assert_eq!(events(&view, "uncertain") + events(&view, "held"), 0, "{:?}", view.timeline);
    }
    assert_eq!(mx.received().len(), 22, "each once");
    let view = house.view(sent.id).await;
    assert_eq!(view.timeline.last().unwrap().attempt, 1, "its outcome waited");
    let view = house.view(begun.id).await;
    assert_eq!((events(&view, "deferred"), view.timeline.last().unwrap().attempt), (1, 2));
    assert_eq!(delivery.drain(MINUTE).await, Drained::Completely);
    nodes.end(&[]).await;
}
