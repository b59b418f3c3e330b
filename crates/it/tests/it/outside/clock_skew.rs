//! Nodes whose clocks differ by ten minutes: nobody waits for a clock, and the ledger's order is one that could be.

use super::harness::audit::{self, newest_log};
use super::harness::fleet::{Apart, Fleet, NODES, ask, greets_as, suppress};
use super::harness::letters::{domain, request};
use super::harness::scene::Scene;
use super::harness::tools::FAKETIME_LIBRARY;
use super::harness::traffic::{Clients, Traffic};
use super::harness::until;
use super::harness::wait::rises_to;
use model::Clock as _;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use testkit::{FakeMx, SystemClock};

/// Clocks of the nodes.
const CLOCKS: [&str; NODES] = ["+5m", "+0", "-5m"];
const LETTERS: u64 = 900;
/// From the taking of a letter to its arrival, by whichever node: far below any difference of the clocks.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);
/// From the answer to an objection to its effect on every node.
const EFFECT_WITHIN: Duration = Duration::from_secs(1);
/// What is dated is dated by one clock: that of the database.
const DATED_WITHIN_MICROS: u64 = 60_000_000;

fn shown(clock: &str) -> Apart {
    let (library, clock) = (format!("LD_PRELOAD={FAKETIME_LIBRARY}"), format!("FAKETIME={clock}"));
    // Leases are kept by the clock that nobody sets.
    let within = ["env", &library, &clock, "FAKETIME_DONT_FAKE_MONOTONIC=1"];
    Apart { within: within.map(str::to_owned).to_vec(), store: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_with_clocks_ten_minutes_apart_deliver_at_once_and_in_an_order_that_could_be() {
    assert!(std::path::Path::new(FAKETIME_LIBRARY).exists(), "{FAKETIME_LIBRARY} is missing; run cargo xtask setup");
    let folder = tempfile::tempdir().unwrap();
    let databases = testkit::postgres::database().await;
    let began = SystemClock.now();
    let scene = Scene::start(folder.path(), &databases.url, &databases.keys_url, CLOCKS.map(shown)).await;
    let Scene { mx, mut fleet, mut tally, .. } = scene;
    let clients = Clients { smtp: 3, http: 1 };
    let fates = Traffic::start(&fleet.doors(), &fleet.accounts, 0..LETTERS, clients).finish().await;

    // Whoever took a letter, whoever holds its site sends it, at once.
    rises_to("letters at the sink", LETTERS, async || {
        tally.read(&mx).await;
        tally.by_id.len() as u64
    })
    .await;
    assert!(tally.doubles().is_empty(), "{:?}", tally.doubles());
    let mut ways = BTreeSet::new();
    for arrival in &tally.arrivals {
        let fate = &fates[&arrival.number];
        let sender = (0..NODES).find(|node| greets_as(*node) == arrival.node).expect("a node's name");
        ways.insert((fate.node, sender));
        let took = arrival.at.saturating_sub(fate.begun);
        assert!(took < ARRIVES_WITHIN, "letter {} took {took:?} from {} to {sender}", arrival.number, fate.node);
    }
    assert_eq!(ways.len(), NODES * NODES, "every node sends what every node took: {ways:?}");

    let (seen, taken) = objection_after_seeing(&fleet, &mx).await;
    idempotency_knows_no_clock(&fleet).await;
    let timelines = audit::timelines(&fleet, &fates, &tally).await;
    for (_, message) in &timelines {
        let moments: Vec<&str> =
            message["timeline"].as_array().unwrap().iter().map(|event| event["at"].as_str().unwrap()).collect();
        assert!(moments.is_sorted(), "{message}");
    }
    fleet.terminate().await;
    audit::ledgers(&fleet, &fates, taken + 1, &timelines).await;
    let (log, _) = newest_log(&fleet, &fleet.accounts[0].controller).await;
    let entries = audit::entries(&log);
    let place = |event: &str| entries.iter().position(|entry| entry.id() == event).expect("an event in the ledger");
    let objected = entries.iter().rposition(|entry| entry.kind().starts_with("suppression")).expect("an objection");
    assert!(place(&seen) < objected, "the objection came after the letter had been seen");
    let (least, most) = (began.micros() as u64, SystemClock.now().micros() as u64);
    for entry in &entries {
        let dated = entry.time_us();
        assert!(least <= dated + DATED_WITHIN_MICROS && dated <= most + DATED_WITHIN_MICROS, "{entry:?}");
    }
}

/// A letter that the node with the fast clock took is seen at the one with the slow clock, where the person then
/// objects: a second later nobody takes another one. Answers the event of the letter's acceptance, and how many letters
/// were taken.
async fn objection_after_seeing(fleet: &Fleet, mx: &FakeMx) -> (String, u64) {
    let address = format!("seen@{}", domain(0));
    let http = |node: usize| fleet.nodes[node].address("http");
    let key = &fleet.accounts[0].api_key;
    let mut letter = request(0);
    letter["to"] = json!([{"email": address}]);
    let send = async |node: usize| ask(http(node), key, "POST", "/v1/messages", &letter.to_string()).await.unwrap();
    let answer = send(0).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    mx.wait_for_recipient(&address, 1).await;
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    let id = answer["results"][0]["id"].as_str().unwrap();
    let message = fleet.message(2, 0, id).await;
    assert!(suppress(http(2), key, &address).await);
    let (answered, mut taken) = (SystemClock.monotonic(), 1);
    for node in 0..NODES {
        until("an objection to hold", async || {
            let begun = SystemClock.monotonic();
            let status = send(node).await.status;
            if status == 202 {
                assert!(begun <= answered + EFFECT_WITHIN, "node {node} took a letter after the objection");
                taken += 1;
            }
            (status == 422).then_some(())
        })
        .await;
    }
    (message["timeline"][0]["event_id"].as_str().unwrap().to_owned(), taken)
}

/// A key that the fast clock has written is found by the slow one.
async fn idempotency_knows_no_clock(fleet: &Fleet) {
    let key = format!("Bearer {}", fleet.accounts[0].api_key);
    let headers = [("Authorization", key.as_str()), ("Idempotency-Key", "once")];
    let mut letter = request(3);
    letter["to"] = json!([{"email": format!("once@{}", domain(1))}]);
    let mut ids = BTreeSet::new();
    for node in &fleet.nodes {
        let http = testkit::http::Http::plain(node.address("http"));
        let answer = http.post_json("/v1/messages", &headers, &letter.to_string()).await.unwrap();
        assert_eq!(answer.status, 202, "{}", answer.text());
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        ids.insert(answer["results"][0]["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids.len(), 1, "{ids:?}");
}
