//! Folders kept from earlier releases, in `crates/it/tests/kept`: each is opened, brought to the schema of now, and
//! goes on where it ended. `cargo xtask keep` makes one when a release is made.

use super::harness::demo::message;
use super::harness::tools::{FAKETIME_LIBRARY, run, run_postern, word};
use super::harness::{Demo, Place};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use testkit::FakeMx;
use testkit::http::Http;

fn archives() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kept");
    let mut found: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.to_string_lossy().ends_with(".tar.gz"));
    found.sort();
    found
}

/// What the API answers about a message of this stream to this person: the status, and the rule that refused it.
async fn answered(demo: &Demo, key: &str, stream: &str, to: &str) -> (u16, Option<String>) {
    let authorization = format!("Bearer {key}");
    let body = message(stream, to, "After an upgrade").to_string();
    let door = Http::plain(demo.address("http"));
    let answer = door.post_json("/v1/messages", &[("Authorization", authorization.as_str())], &body).await.unwrap();
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    let rule = told.pointer("/results/0/rule").or_else(|| told.get("rule")).and_then(Value::as_str);
    (answer.status, rule.map(str::to_owned))
}

/// What the archive says of itself, unpacked.
async fn unpacked(archive: &Path, folder: &Path) -> Value {
    let words = ["--extract", "--gzip", "--file", word(archive), "--directory", word(folder)];
    assert_eq!(run("tar", &words).await.code, 0);
    serde_json::from_slice(&fs::read(folder.join("kept.json")).unwrap()).unwrap()
}

/// Agreement, instruction, credential, consent and objections hold as they did.
async fn holds(demo: &Demo, key: &str) {
    assert_eq!(answered(demo, key, "transactional", "dan@dest.example").await, (202, None));
    assert_eq!(answered(demo, key, "newsletter", "ada@dest.example").await, (202, None));
    let refused = |rule: &str| (422, Some(rule.to_owned()));
    assert_eq!(answered(demo, key, "newsletter", "carol@dest.example").await, refused("no-basis"));
    assert_eq!(answered(demo, key, "transactional", "suppressed@dest.example").await, refused("suppressed"));
    assert_eq!(answered(demo, "a key of nobody", "transactional", "dan@dest.example").await.0, 401);
}

async fn goes_on(archive: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let kept = unpacked(archive, folder.path()).await;
    let text = |name: &str| kept[name].as_str().unwrap().to_owned();
    let mx = FakeMx::start().await.unwrap();
    let mut place = Place { sink: Some(mx.addr()), ..Place::on_sqlite(folder.path()) };
    // The day on which it was kept: what waits has not run out, and nothing is too old to be kept.
    let day = format!("FAKETIME=@{}", text("at"));
    let library = format!("LD_PRELOAD={FAKETIME_LIBRARY}");
    place.within = ["env", "TZ=UTC", &library, &day, "FAKETIME_DONT_FAKE_MONOTONIC=1"].map(str::to_owned).to_vec();
    let mut demo = Demo::start(place).await;
    // What waited is delivered: queue, sealed body, DKIM key and vault came along.
    let arrived = mx.wait_for(1).await[0].text();
    assert!(arrived.contains("Kept through an upgrade") && arrived.contains("DKIM-Signature"), "{arrived}");
    let key = text("api_key");
    holds(&demo, &key).await;
    mx.wait_for(3).await;
    assert!(demo.terminate().await.success());
    // One log, from before and after.
    let data = word(&demo.place.data).to_owned();
    let verified = run_postern(&["ledger", "verify", "--data", &data, "--controller", &text("controller")]).await;
    assert_eq!(verified.code, 0, "{verified:?}");
    // An hour later: its own clock does not go back at a second start.
    let words = ["-u", "-d", &format!("{} 1 hour", text("at")), "+FAKETIME=@%Y-%m-%d %H:%M:%S"];
    run("date", &words).await.good().trim().clone_into(&mut demo.place.within[3]);
    demo.restart().await;
    assert_eq!(answered(&demo, &key, "transactional", "dan@dest.example").await, (202, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_every_earlier_release_is_opened_and_goes_on() {
    assert!(Path::new(FAKETIME_LIBRARY).exists(), "{FAKETIME_LIBRARY} is missing; run cargo xtask setup");
    let archives = archives();
    assert!(!archives.is_empty());
    for archive in archives {
        println!("{}", archive.display());
        goes_on(&archive).await;
    }
}
