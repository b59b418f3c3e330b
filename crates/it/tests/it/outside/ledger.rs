//! `postern ledger` beside and after a node at work: receipts, copies, rebuilding, and what tampering looks like.

use super::harness::tools::{run_postern, run_python, word};
use super::harness::{Demo, Place, binary, until};
use ledger::{Entry, LogProof, VerifierKey};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A node that has delivered some mail, ended in good order, and the timeline of one message.
async fn delivered(folder: &TempDir) -> (Demo, Value) {
    let demo = Demo::start(Place::on_sqlite(folder.path())).await;
    for at in 0..5 {
        demo.send("bob@dest.example", &format!("mail {at}")).await;
    }
    let id = demo.send("ada@dest.example", "to be proven").await;
    let message = demo.message_in_state(&id, "delivered").await;
    (demo, message)
}

fn key(log: &Path) -> VerifierKey {
    fs::read_to_string(log.join("log.vkey")).unwrap().trim().parse().unwrap()
}

fn event(message: &Value, kind: &str) -> String {
    let timeline = message["timeline"].as_array().unwrap();
    let event = timeline.iter().find(|event| event["event"] == kind).unwrap_or_else(|| panic!("no {kind}: {message}"));
    event["event_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn r39_every_event_of_a_timeline_has_a_receipt_that_stands_without_us() {
    let folder = tempfile::tempdir().unwrap();
    let (demo, message) = delivered(&folder).await;
    let data = word(&demo.place.data).to_owned();
    let prove = async |event: &str, out: &Path| {
        let controller = demo.text("/controller");
        let arguments =
            ["ledger", "prove", "--data", &data, "--controller", controller, "--event", event, "--out", word(out)];
        run_postern(&arguments).await
    };
    let mut proven = Vec::new();
    for kind in ["accepted", "delivered"] {
        let (event, out) = (event(&message, kind), folder.path().join(format!("{kind}.tlog-proof")));
        // The node is at work: the last seconds are in the log soon.
        until("the event in the published log", async || (prove(&event, &out).await.code == 0).then_some(())).await;
        let proof = LogProof::parse(&fs::read(&out).unwrap()).unwrap();
        proof.verify_enclosed(&key(&demo.log()), &[]).unwrap();
        let entry = Entry::decode(proof.entry().unwrap()).unwrap();
        assert_eq!(entry.id(), event);
        proven.push((entry, proof));
    }
    let [(accepted, first), (delivered, second)] = proven.as_slice() else { panic!("two events") };
    assert_ne!((accepted.id(), first.index()), (delivered.id(), second.index()));
    // A receipt holds for its own entry alone, and for no other log's key.
    assert!(first.verify(second.entry().unwrap(), &key(&demo.log()), &[]).is_err());
    let mut logs = fs::read_dir(demo.place.data.join("ledger")).unwrap().map(|entry| entry.unwrap().path());
    let operator = logs.find(|path| *path != demo.log()).expect("the operator has a log too");
    assert!(first.verify_enclosed(&key(&operator), &[]).is_err());
    let said = prove("00000000000000000000000000000000", &folder.path().join("none")).await.refusal();
    assert!(said.contains("no entry has the event id"), "{said}");
}

/// `ok ORIGIN: N entries, root HEX, …` of one log.
async fn verified(arguments: &[&str]) -> (u64, String) {
    let said = run_postern(&[&["ledger", "verify"][..], arguments].concat()).await.good();
    let (_, rest) = said.split_once(": ").expect("a report of one log");
    let (size, rest) = rest.split_once(" entries, root ").unwrap();
    (size.parse().unwrap(), rest.split_once(',').unwrap().0.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn r39_a_copy_and_a_rebuilt_folder_have_the_same_root() {
    let folder = tempfile::tempdir().unwrap();
    let (mut demo, _) = delivered(&folder).await;
    let (data, log) = (demo.place.data.clone(), demo.log());
    let controller = demo.text("/controller").to_owned();
    assert!(demo.terminate().await.success());
    let ours = ["--data", word(&data), "--controller", &controller];
    let original = verified(&ours).await;
    assert!(original.0 >= 12, "six messages have two events each at least: {original:?}");

    let copy = folder.path().join("copy");
    let export = [&["ledger", "export"][..], &ours, &["--to", word(&copy)]].concat();
    run_postern(&export).await.good();
    assert_eq!(verified(&["--log", word(&copy)]).await, original);
    let script = binary::workspace().join("crates/ledger/tests/foreign/verify_log.py");
    let vkey = fs::read_to_string(copy.join("log.vkey")).unwrap();
    let said = run_python(&[word(&script), word(&copy), vkey.trim(), word(&log.join("checkpoint"))]).await.good();
    assert_eq!(said.trim(), format!("ok size={} root={}", original.0, original.1));
    let said = run_postern(&export).await.refusal();
    assert!(said.contains("exists"), "a copy never goes over another: {said}");

    fs::remove_dir_all(log.join("tile")).unwrap();
    let said = run_postern(&[&["ledger", "verify"][..], &ours].concat()).await.refusal();
    assert!(said.contains("is missing"), "{said}");
    let rebuild = [&["ledger", "rebuild"][..], &ours].concat();
    let said = run_postern(&rebuild).await.good();
    assert!(said.contains(&format!("{} entries", original.0)), "{said}");
    assert_eq!(verified(&[&ours[..], &["--checkpoint", word(&copy.join("checkpoint"))]].concat()).await, original);
    // The node goes on with the rebuilt folder.
    demo.restart().await;
    demo.send("ada@dest.example", "after").await;
    demo.arrived("after").await;
    assert!(demo.terminate().await.success());
    let later = verified(&[&ours[..], &["--checkpoint", word(&copy.join("checkpoint"))]].concat()).await;
    assert!(later.0 > original.0, "{later:?} after {original:?}");
}

/// The bundle of a small log, and one of its entries replaced by an equally long one.
fn change_entry(log: &Path, index: usize) -> PathBuf {
    let folder = log.join("tile/entries/000.p");
    let mut newest: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    newest.sort_by_key(|path| path.file_name().and_then(|name| name.to_str()?.parse::<u64>().ok()));
    let bundle = newest.pop().unwrap();
    let octets = fs::read(&bundle).unwrap();
    let mut entries: Vec<Vec<u8>> =
        ledger::tile::BundleEntries::new(&octets).map(|entry| entry.unwrap().to_vec()).collect();
    let text = String::from_utf8(entries[index].clone()).unwrap();
    let at = text.find("\"t\":").unwrap() + 4;
    entries[index][at] = if text.as_bytes()[at] == b'1' { b'2' } else { b'1' };
    let mut changed = Vec::new();
    entries.iter().for_each(|entry| ledger::tile::push_entry(&mut changed, entry).unwrap());
    assert_eq!(changed.len(), octets.len());
    fs::write(&bundle, changed).unwrap();
    bundle
}

#[tokio::test(flavor = "multi_thread")]
async fn r39_one_changed_entry_is_named_by_verify() {
    let folder = tempfile::tempdir().unwrap();
    let (mut demo, _) = delivered(&folder).await;
    let log = demo.log();
    assert!(demo.terminate().await.success());
    let (size, _) = verified(&["--log", word(&log)]).await;
    assert!(size > 8);
    change_entry(&log, 7);
    let said = run_postern(&["ledger", "verify", "--log", word(&log)]).await.refusal();
    assert!(said.contains("entry 7 was changed"), "{said}");
    let script = binary::workspace().join("crates/ledger/tests/foreign/verify_log.py");
    let vkey = fs::read_to_string(log.join("log.vkey")).unwrap();
    let foreign = run_python(&[word(&script), word(&log), vkey.trim()]).await;
    assert_eq!(foreign.out.trim(), "fault: the entries do not lead to the signed root");
}
