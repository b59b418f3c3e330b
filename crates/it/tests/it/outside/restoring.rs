//! `postern backup` beside a node that serves, and `postern restore` after the disk is gone: what people decided since
//! the backup holds before a door opens; without the log nothing is sent.

use super::harness::demo::message;
use super::harness::tools::{run_postern, word};
use super::harness::{Demo, Place, until};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use testkit::http::Http;

struct Ground {
    folder: tempfile::TempDir,
    demo: Demo,
}

impl Ground {
    /// A demo that keeps a log, and folders for backups.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["main", "keys", "safe"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let log = word(&folder.path().join("log")).to_owned();
        let place = Place::on_sqlite(folder.path());
        let demo = Demo::start(Place { further: vec!["--tombstones".to_owned(), log], ..place }).await;
        // What is in no backup.
        for name in ["master.key", "sample.json"] {
            fs::copy(demo.place.data.join(name), folder.path().join("safe").join(name)).unwrap();
        }
        Self { folder, demo }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn backup(&self) -> [PathBuf; 2] {
        let (to, keys_to) = (self.path("main"), self.path("keys"));
        let words = ["backup", "--data", word(&self.demo.place.data), "--to", word(&to), "--keys-to", word(&keys_to)];
        let said = run_postern(&words).await.good();
        assert!(said.contains("master key is in neither"), "{said}");
        [to, keys_to].map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).max().unwrap())
    }

    async fn restore(&self, parts: &[PathBuf; 2], to: &Path, log: &[&str]) -> super::harness::tools::Said {
        let [main, keys] = parts;
        let key = self.path("safe").join("master.key");
        let words = ["restore", "--main", word(main), "--keys", word(keys), "--master-key", word(&key), "--data"];
        let said = run_postern(&[&words, [word(to)].as_slice(), log].concat()).await;
        if said.code == 0 {
            for name in ["master.key", "sample.json"] {
                fs::copy(self.path("safe").join(name), to.join(name)).unwrap();
            }
        }
        said
    }

    async fn suppress(&self, email: &str) {
        let key = format!("Bearer {}", self.demo.text("/api_key"));
        let body = json!({"email": email, "scope": "all", "reason": "objection"}).to_string();
        let api = Http::plain(self.demo.address("http"));
        let answer = api.post_json("/v1/suppressions", &[("Authorization", &key)], &body).await.unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
}

async fn refusal(demo: &Demo, to: &str) -> Option<String> {
    let answer = demo.post(&message("transactional", to, "again")).await;
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    told.pointer("/results/0/rule").or_else(|| told.get("rule")).and_then(Value::as_str).map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn law_r45_after_the_disk_is_gone_nobody_is_mailed_who_objected_since_the_backup() {
    let mut ground = Ground::new().await;
    let earlier = ground.demo.send("bob@dest.example", "before").await;
    ground.demo.message_in_state(&earlier, "delivered").await;
    let parts = ground.backup().await;
    let log = ground.path("log").join("tombstones.log");
    let before = fs::metadata(&log).unwrap().len();
    ground.suppress("bob@dest.example").await;
    until("the log to have it", async || (fs::metadata(&log).unwrap().len() > before).then_some(())).await;
    ground.demo.kill9();
    let data = ground.demo.place.data.clone();
    fs::remove_dir_all(&data).unwrap();

    // Neither without a word about the log, nor with one that is not there; and then as if nothing had been done.
    let said = ground.restore(&parts, &data, &[]).await;
    assert!(said.code == 2 && said.err.contains("--tombstones"), "{said:?}");
    let nowhere = ground.path("nowhere");
    assert!(ground.restore(&parts, &data, &["--tombstones", word(&nowhere)]).await.refusal().contains("is not there"));
    assert!(!data.exists());
    let folder = ground.path("log");
    let said = ground.restore(&parts, &data, &["--tombstones", word(&folder)]).await.good();
    assert!(said.contains("1 had decided"), "{said}");
    ground.demo.restart().await;
    assert_eq!(ground.demo.message(&earlier).await["state"], "delivered");
    assert_eq!(refusal(&ground.demo, "bob@dest.example").await.as_deref(), Some("objected"));
    // Twin: who decided nothing is mailed.
    let later = ground.demo.send("cem@dest.example", "after").await;
    ground.demo.message_in_state(&later, "delivered").await;
    assert!(ground.demo.terminate().await.success());
    let said = run_postern(&["ledger", "verify", "--data", word(&data)]).await.good();
    assert!(said.lines().all(|line| line.starts_with("ok ")), "{said}");
    // Once there is a log, nothing is served without it.
    ground.demo.place.further.clear();
    assert!(ground.demo.refused().await.contains("--tombstones"));
}

#[tokio::test(flavor = "multi_thread")]
async fn law_r45_without_the_log_nothing_is_sent_until_the_operator_has_looked() {
    let mut ground = Ground::new().await;
    let parts = ground.backup().await;
    ground.suppress("bob@dest.example").await;
    ground.demo.kill9();
    let data = ground.demo.place.data.clone();
    fs::remove_dir_all(&data).unwrap();
    let said = ground.restore(&parts, &data, &["--without-tombstones"]).await.good();
    let agreement = said.split_whitespace().find(|word| word.starts_with("doc_")).unwrap().to_owned();
    ground.demo.place.further.clear();
    ground.demo.restart().await;
    for to in ["bob@dest.example", "cem@dest.example"] {
        assert_eq!(refusal(&ground.demo, to).await.as_deref(), Some("agreement-not-in-force"), "{to}");
    }
    let controller = ground.demo.text("/controller").to_owned();
    assert!(ground.demo.terminate().await.success());
    // Twin: the operator takes it up again.
    let words = ["agreement", "resume", "--data", word(&data), "--controller", &controller, &agreement];
    run_postern(&words).await.good();
    ground.demo.restart().await;
    let later = ground.demo.send("cem@dest.example", "after").await;
    ground.demo.message_in_state(&later, "delivered").await;
    assert!(ground.demo.terminate().await.success());
}
