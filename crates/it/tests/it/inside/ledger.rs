//! What happens in a node is in its controller's log, and the log shows when it was touched.

use super::house::{ADA, BOB, HOUR, House, last};
use ledger::{Audit, Entry, Folder, LogProof};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use store::LogFolder;
use testkit::mx::Conduct;

/// A node in which one of each has happened; the messages, and the log's folder.
async fn busy() -> (House, Vec<Value>, PathBuf) {
    let house = House::new().await;
    let shop = &house.shop;
    house.consent(ADA).await;
    house.mx.treat_next(ADA, Conduct::defer(451, "4.3.0 busy"));
    let stopped = house.send("newsletter", ADA).await;
    house.until_event(&stopped, "deferred", 1).await;
    let delivered = house.send("transactional", BOB).await;
    house.mx.treat_next("gone@dest.example", Conduct::reject(550, "5.1.1", "no such mailbox"));
    let bounced = house.send("transactional", "gone@dest.example").await;
    house.mx.treat_next("twice@dest.example", Conduct::CutAfterDot);
    let uncertain = house.send("transactional", "twice@dest.example").await;
    house.until_event(&uncertain, "uncertain", 1).await;
    for _ in 0..3 {
        assert_eq!(house.by_http(shop, Some("newsletter"), &shop.from, BOB).await.rule(), "no-basis");
    }
    assert_eq!(house.by_smtp(shop, Some("newsletter"), &shop.from, BOB).await.rule(), "no-basis");
    house.withdraw(ADA).await;
    house.clock.advance(HOUR);
    let mut messages = Vec::new();
    for (id, state) in [(stopped, "stopped"), (delivered, "delivered"), (bounced, "bounced"), (uncertain, "delivered")]
    {
        messages.push(house.until_state(&id, state).await);
    }
    let log = house.log(shop).await;
    (house, messages, log)
}

pub(super) fn entries(log: &Path) -> Vec<Entry> {
    let folder = Folder::open(log).unwrap();
    folder.entries(0).unwrap().map(|entry| Entry::decode(&entry.unwrap()).unwrap()).collect()
}

fn verify(log: &Path) -> Result<ledger::Report, ledger::Error> {
    let key = LogFolder::key(log).unwrap();
    ledger::folder::verify(log, &Audit { log: &key, witnesses: &[], earlier: &[] })
}

#[tokio::test]
async fn art5_2_every_event_of_a_timeline_is_in_the_log_and_names_what_it_rests_on() {
    let (house, messages, log) = busy().await;
    let report = verify(&log).unwrap();
    let entries = entries(&log);
    assert_eq!(report.size, u64::try_from(entries.len()).unwrap());
    let by_id: BTreeMap<&str, &Entry> = entries.iter().map(|entry| (entry.id(), entry)).collect();
    let mut seen = 0;
    for item in messages.iter().flat_map(|message| message["timeline"].as_array().unwrap()) {
        let entry = by_id[item["event_id"].as_str().unwrap()];
        assert_eq!(entry.kind(), format!("message.{}", item["event"].as_str().unwrap()));
        assert!(entry.instruction().is_some() && entry.agreement().is_some(), "GDPR Art. 28(3)(a)");
        assert!(entry.subject_ref().is_some() && entry.commitment().is_some());
        seen += 1;
    }
    assert!(seen >= 9, "{seen} events");
    for (kind, count) in [
        ("message.accepted", 4),
        ("message.delivered", 2),
        ("message.stopped", 1),
        ("message.bounced", 1),
        ("message.uncertain", 1),
        ("basis.recorded", 1),
        ("basis.withdrawn", 1),
    ] {
        assert_eq!(entries.iter().filter(|entry| entry.kind() == kind).count(), count, "{kind}");
    }
    // Four refusals, counted by rule and not one by one, so that nobody can flood the log.
    let refused: Vec<_> = entries.iter().filter(|entry| entry.kind() == "refused").collect();
    let total: u64 = refused.iter().filter_map(|entry| entry.counts().get("no-basis")).sum();
    assert_eq!((total, refused.iter().all(|entry| entry.subject_ref().is_none())), (4, true));
    drop(house);
}

#[tokio::test]
async fn art17_no_two_leaves_of_one_person_look_alike() {
    let (_house, _messages, log) = busy().await;
    let refs: Vec<_> = entries(&log).iter().filter_map(|entry| entry.subject_ref().copied()).collect();
    let unique: std::collections::BTreeSet<_> = refs.iter().collect();
    assert_eq!(unique.len(), refs.len(), "a reader of the log cannot join them");
}

#[tokio::test]
async fn c2sp_tlog_proof_a_receipt_for_an_event_verifies_and_a_changed_one_does_not() {
    let (_house, messages, log) = busy().await;
    let key = LogFolder::key(&log).unwrap();
    let folder = Folder::open(&log).unwrap();
    for message in &messages {
        let event = last(message)["event_id"].as_str().unwrap();
        let index = entries(&log).iter().position(|entry| entry.id() == event).unwrap();
        let text = folder.prove(u64::try_from(index).unwrap()).unwrap().to_string();
        let proven = LogProof::parse(text.as_bytes()).unwrap().verify_enclosed(&key, &[]).unwrap();
        assert_eq!(proven.index, u64::try_from(index).unwrap());
        let moved = text.replacen(&format!("index {index}\n"), &format!("index {}\n", index ^ 1), 1);
        assert_ne!(moved, text);
        let forged = LogProof::parse(moved.as_bytes()).unwrap();
        assert!(forged.verify_enclosed(&key, &[]).is_err(), "the receipt is for one place");
    }
}

#[tokio::test]
async fn one_changed_octet_in_any_file_of_the_log_is_found() {
    let (_house, _messages, log) = busy().await;
    assert!(verify(&log).is_ok());
    let mut files = Vec::new();
    collect(&log, &mut files);
    files.retain(|file| file.file_name().is_some_and(|name| name != "log.vkey"));
    assert!(files.len() >= 3, "checkpoint, hashes, entries: {files:?}");
    for file in files {
        let good = std::fs::read(&file).unwrap();
        for at in [0, good.len() / 2, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&file, &bad).unwrap();
            assert!(verify(&log).is_err(), "octet {at} of {}", file.display());
        }
        std::fs::write(&file, &good).unwrap();
        assert!(verify(&log).is_ok());
    }
}

#[tokio::test]
async fn an_earlier_checkpoint_is_extended_and_a_shorter_log_is_found() {
    let (house, _messages, log) = busy().await;
    let key = LogFolder::key(&log).unwrap();
    let kept = std::fs::read(log.join("checkpoint")).unwrap();
    let signed = ledger::SignedCheckpoint::parse(&kept).unwrap();
    let earlier = signed.verify(&key).unwrap().clone();
    let copy = house.dir.path().join("copy");
    copy_tree(&log, &copy);
    let id = house.send("transactional", BOB).await;
    house.until_state(&id, "delivered").await;
    let log = house.log(&house.shop).await;
    let audit = |checkpoint| ledger::folder::verify(&log, &Audit { log: &key, witnesses: &[], earlier: checkpoint });
    let report = audit(std::slice::from_ref(&earlier)).unwrap();
    assert_eq!((report.earlier_checked, report.size), (1, earlier.size() + 2));
    // The log as it was is too short for a checkpoint of today.
    let now = std::fs::read(log.join("checkpoint")).unwrap();
    let now = ledger::SignedCheckpoint::parse(&now).unwrap().verify(&key).unwrap().clone();
    let audit = Audit { log: &key, witnesses: &[], earlier: std::slice::from_ref(&now) };
    assert!(matches!(ledger::folder::verify(&copy, &audit), Err(ledger::Error::Shrunk { .. })));
}

#[tokio::test]
async fn each_controller_has_a_log_of_its_own() {
    let house = House::new().await;
    let other = house.admit("other", "other.example").await;
    let before = entries(&house.log(&other).await).len();
    let id = house.send("transactional", ADA).await;
    house.until_state(&id, "delivered").await;
    let (mine, theirs) = (house.log(&house.shop).await, house.log(&other).await);
    assert_eq!(entries(&theirs).len(), before);
    assert_ne!(LogFolder::key(&mine).unwrap().to_string(), LogFolder::key(&theirs).unwrap().to_string());
    verify(&mine).unwrap();
    verify(&theirs).unwrap();
}

pub(super) fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { collect(&path, files) } else { files.push(path) }
    }
}

fn copy_tree(from: &Path, to: &Path) {
    let mut files = Vec::new();
    collect(from, &mut files);
    for file in files {
        let target = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(&file, target).unwrap();
    }
}
