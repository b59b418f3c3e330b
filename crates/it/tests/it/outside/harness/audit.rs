//! What several nodes say of the mail afterwards: timelines of messages, and the ledgers that they kept in turn.

use super::fleet::{Fleet, NODES};
use super::letters::{controller, is_for_objector};
use super::tally::Tally;
use super::tools::{run_postern, run_python, word};
use super::traffic::Fates;
use super::{binary, until};
use ledger::{Entry, Folder};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

/// Messages whose timeline is asked for.
const TIMELINES_MAX: usize = 1_500;

/// Timelines of messages that came more than once, all of which say so, and of some of the others: by controller.
pub(crate) async fn timelines(fleet: &Fleet, fates: &Fates, tally: &Tally) -> Vec<(usize, Value)> {
    let doubles = tally.doubles();
    let numbers: HashMap<&str, u64> = tally.arrivals.iter().map(|one| (one.id.as_str(), one.number)).collect();
    let mut found = Vec::new();
    for (id, times) in &doubles {
        let message = delivered(fleet, found.len(), numbers[id], id).await;
        assert!(marks(&message) + 1 >= *times, "{id} came {times} times, and its timeline is {message}");
        found.push((controller(numbers[id]), message));
    }
    let some = fates.len().div_ceil(TIMELINES_MAX).max(1);
    for (number, fate) in fates.iter().filter(|(number, _)| !is_for_objector(**number)).step_by(some) {
        let id = fate.id.as_deref().expect("what is not refused has an id");
        if !doubles.contains_key(id) {
            found.push((controller(*number), delivered(fleet, found.len(), *number, id).await));
        }
    }
    found
}

/// A message as one of the nodes shows it, once it is delivered.
async fn delivered(fleet: &Fleet, turn: usize, number: u64, id: &str) -> Value {
    until(&format!("{id} to be delivered"), async || {
        let message = fleet.message(turn % NODES, controller(number), id).await;
        (message["state"] == "delivered").then_some(message)
    })
    .await
}

fn timeline(message: &Value) -> &Vec<Value> {
    message["timeline"].as_array().expect("a message has a timeline")
}

/// Attempts after which nobody knew who has the message.
fn marks(message: &Value) -> u64 {
    timeline(message).iter().filter(|event| event["uncertain"] == true).count() as u64
}

/// All ledgers are right and whole, and have the events of each message in an order that could be. The nodes have
/// ended. Of the first controller, so many messages were taken `beside` the letters. Answers how many entries there
/// are.
pub(crate) async fn ledgers(fleet: &Fleet, fates: &Fates, beside: u64, timelines: &[(usize, Value)]) -> u64 {
    let mut sum = 0;
    for (number, account) in fleet.accounts.iter().enumerate() {
        let (log, size) = newest_log(fleet, &account.controller).await;
        let entries = entries(&log);
        assert_eq!(entries.len() as u64, size, "{} has as many entries as its checkpoint says", log.display());
        let count = |kind: &str| entries.iter().filter(|entry| entry.kind() == kind).count();
        let taken = fates.iter().filter(|(letter, fate)| controller(**letter) == number && fate.id.is_some()).count();
        let taken = taken as u64 + if number == 0 { beside } else { 0 };
        let vain: u64 = fates.values().map(|fate| fate.unanswered + fate.put_off).sum();
        let accepted = count("message.accepted") as u64;
        assert!((taken..=taken + vain).contains(&accepted), "{accepted} entries for {taken} messages");
        let places: HashMap<&str, usize> = entries.iter().enumerate().map(|(at, entry)| (entry.id(), at)).collect();
        assert_eq!(places.len(), entries.len(), "no event twice");
        let messages = timelines.iter().filter(|(of, _)| *of == number);
        messages.for_each(|(_, message)| in_order(message, &places));
        sum += size;
    }
    sum
}

/// Accepted, then attempts by their numbers. An attempt that was taken for lost may tell its end later.
fn in_order(message: &Value, places: &HashMap<&str, usize>) {
    let mut last = None;
    for event in timeline(message) {
        let id = event["event_id"].as_str().expect("an event has an id");
        let place = places.get(id).unwrap_or_else(|| panic!("{id} is in no ledger: {message}"));
        let is_late = event["uncertain"] == true && event["event"] != "uncertain";
        if let Some(before) = last.filter(|_| !is_late) {
            assert!(place > before, "{id} stands before what came before it: {message}");
        }
        last = if is_late { last } else { Some(place) };
    }
    assert_eq!(timeline(message)[0]["event"], "accepted", "{message}");
}

/// All entries of a log, in their order.
pub(crate) fn entries(log: &Path) -> Vec<Entry> {
    let folder = Folder::open(log).unwrap();
    folder.entries(0).unwrap().map(|entry| Entry::decode(&entry.unwrap()).unwrap()).collect()
}

/// Each node that kept the ledger for a while has a folder of it. All of them are right, and the newest extends the
/// others, in our eyes and in those of a program that shares no code with us.
pub(crate) async fn newest_log(fleet: &Fleet, controller: &str) -> (PathBuf, u64) {
    let folders = fleet.nodes.iter().map(|node| node.place.data.join("ledger").join(controller));
    let mut logs = BTreeMap::new();
    for folder in folders.filter(|folder| folder.join("checkpoint").exists()) {
        let said = run_postern(&["ledger", "verify", "--log", word(&folder)]).await.good();
        logs.insert(size(&said), folder);
    }
    let (size, newest) = logs.pop_last().unwrap_or_else(|| panic!("nobody has the ledger of {controller}"));
    let older: Vec<PathBuf> = logs.into_values().map(|log| log.join("checkpoint")).collect();
    let mut arguments = vec!["ledger", "verify", "--log", word(&newest)];
    older.iter().for_each(|file| arguments.extend(["--checkpoint", word(file)]));
    let said = run_postern(&arguments).await.good();
    assert!(said.contains(&format!("{} earlier checkpoint(s) extended", older.len())), "{said}");
    let script = binary::workspace().join("crates/ledger/tests/foreign/verify_log.py");
    let key = fs::read_to_string(newest.join("log.vkey")).unwrap();
    let said = run_python(&[word(&script), word(&newest), key.trim()]).await.good();
    assert!(said.starts_with("ok size="), "{said}");
    (newest, size)
}

/// Of `ok ORIGIN: N entries, …`.
fn size(said: &str) -> u64 {
    let number = said.split_once(": ").and_then(|(_, rest)| rest.split_once(' '));
    number.and_then(|(number, _)| number.parse().ok()).unwrap_or_else(|| panic!("no size in {said}"))
}
