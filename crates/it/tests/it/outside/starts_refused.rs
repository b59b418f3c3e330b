//! Starts that must not be: a folder in use, a master key that is not this folder's. One sentence, nothing written.

use super::harness::tools::{Said, run_postern, word};
use super::harness::{Demo, Place};
use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Where SQLite counts in a database's first page how often it was opened for writing, whatever was written (file
/// format §1.3: change counter, and the version that it is valid for).
const COUNTERS: [Range<usize>; 2] = [24..28, 92..96];

/// Every file below a folder with its octets, but for SQLite's counters and shared memory, which hold no content. A log
/// without octets is as good as none.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
            continue;
        }
        let mut octets = fs::read(&path).unwrap();
        match path.extension().and_then(|end| end.to_str()) {
            Some("db-shm") => continue,
            Some("db-wal") if octets.is_empty() => continue,
            Some("db") => COUNTERS.into_iter().for_each(|counter| octets[counter].fill(0)),
            _ => {}
        }
        found.insert(path, octets);
    }
    found
}

/// Starts a second node on the folder, at other ports.
async fn start(data: &Path, file: &Path) -> Said {
    let port = testkit::base_port().to_string();
    run_postern(&["demo", "--quiet", "--data", word(data), "--base-port", &port, "--json", word(file)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_folder_is_refused_and_the_first_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(Place::on_sqlite(folder.path())).await;
    demo.send("ada@dest.example", "before").await;
    let second = folder.path().join("second.json");
    let said = start(&demo.place.data, &second).await.refusal();
    assert!(said.contains("in use by another process"), "{said}");
    assert!(said.contains(word(&demo.place.data.canonicalize().unwrap())), "{said}");
    assert!(!second.exists());
    let controller = demo.text("/controller").to_owned();
    let data = demo.place.data.clone();
    let rebuild = ["ledger", "rebuild", "--data", word(&data), "--controller", &controller];
    let said = run_postern(&rebuild).await.refusal();
    assert!(said.contains("in use by another process"), "{said}");
    demo.send("ada@dest.example", "after").await;
    demo.arrived("before").await;
    demo.arrived("after").await;
    // It is the other process: with that gone, a start at other ports does.
    assert!(demo.terminate().await.success());
    demo.place.base_port = testkit::base_port();
    demo.restart().await;
    demo.arrived("after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_missing_or_damaged_master_key_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(Place::on_sqlite(folder.path())).await;
    demo.send("ada@dest.example", "sealed under the key").await;
    demo.arrived("sealed under the key").await;
    assert!(demo.terminate().await.success());
    let data = demo.place.data.clone();
    let key = data.join("master.key");
    let good = fs::read(&key).unwrap();
    // 32 octets in base64, and not those of this folder.
    let other = b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
    assert_eq!(good.len(), other.len());
    let cases: [(&str, Option<&[u8]>, &str); 5] = [
        ("wrong", Some(other), "does not open this data folder"),
        ("missing", None, "is missing"),
        ("short", Some(&good[..20]), "is not 32 bytes in base64"),
        ("empty", Some(b""), "is not 32 bytes in base64"),
        ("not text", Some(&[0xff; 32]), "is not 32 bytes in base64"),
    ];
    for (case, octets, sentence) in cases {
        match octets {
            Some(octets) => fs::write(&key, octets).unwrap(),
            None => fs::remove_file(&key).unwrap(),
        }
        let before = files(&data);
        let file = folder.path().join("refused.json");
        let said = start(&data, &file).await.refusal();
        assert!(said.contains(sentence), "{case}: {said}");
        assert!(said.contains(word(&key)), "{case}: the sentence names the file: {said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{case}: {said}");
        assert!(!file.exists(), "{case}");
        let after = files(&data);
        let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&before), names(&after), "{case}: files came or went");
        let changed: Vec<_> =
            before.iter().filter(|(path, octets)| after[*path] != **octets).map(|one| one.0).collect();
        assert!(changed.is_empty(), "{case}: {changed:?} changed");
    }
    fs::write(&key, &good).unwrap();
    demo.restart().await;
    demo.arrived("sealed under the key").await;
}
