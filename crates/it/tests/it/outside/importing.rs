//! `postern import` and `/v1/imports`: a file of contacts goes in with where each came from, and comes out again.

use super::harness::audit::entries;
use super::harness::binary::postern;
use super::harness::demo::message;
use super::harness::tools::{run_postern, word};
use super::harness::{Demo, Place, until};
use model::ControllerId;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use store::permission::{DocumentKind, ImportCounts, NewDocument, import_commitment};
use store::{Options, Store};
use tempfile::TempDir;
use testkit::SystemClock;
use testkit::http::{Http, HttpAnswer};

const FILE: &str = "email,consent_at,source,method\r\n\
    good@dest.example,2025-03-01,the shop,double_opt_in\r\n\
    OBJECTOR@BÜCHER.example,2025-03-02,the shop,double_opt_in\r\n\
    nosource@dest.example,2025-03-03,,double_opt_in\r\n\
    Good@Dest.Example,2025-03-04,the fair,form\r\n\
    no address,2025-03-05,the shop,form\r\n\
    single@dest.example,2025-03-06,the shop,form\r\n";

/// A demo whose objector has objected, and in whose store the words of the notice are kept. It has ended.
async fn prepared(folder: &TempDir) -> Demo {
    let mut demo = Demo::start(Place::on_sqlite(folder.path())).await;
    let wish = json!({"email": "objector@xn--bcher-kva.example", "scope": "marketing", "reason": "objection"});
    let answer = request(&demo, "POST", "/v1/suppressions", "application/json", wish.to_string().as_bytes()).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert!(demo.terminate().await.success());
    let data = &demo.place.data;
    let store = Store::open_sqlite(data, Options::new(Arc::new(SystemClock), data)).await.unwrap();
    let controller: ControllerId = store.parse_public(demo.text("/controller")).unwrap();
    let octets = b"Yes, send me the newsletter.";
    let words = NewDocument { kind: DocumentKind::Notice, name: "signup", version: 3, language: "en", octets };
    store.keep_document(controller, &words).await.unwrap();
    store.close().await;
    demo
}

async fn request(demo: &Demo, method: &str, path: &str, kind: &str, body: &[u8]) -> HttpAnswer {
    let key = format!("Bearer {}", demo.text("/api_key"));
    let headers = [("Authorization", key.as_str()), ("Content-Type", kind)];
    Http::plain(demo.address("http")).request(method, path, &headers, body).await.unwrap()
}

fn file(folder: &Path, text: &str) -> PathBuf {
    let file = folder.join("contacts.csv");
    fs::write(&file, text).unwrap();
    file
}

/// What is said of the file, and to whom it belongs.
fn arguments<'a>(demo: &'a Demo, file: &'a Path) -> Vec<&'a str> {
    let mut arguments = vec!["import", word(file), "--data", word(&demo.place.data), "--quiet"];
    arguments.extend(["--controller", demo.text("/controller"), "--purpose", "newsletter", "--basis", "consent"]);
    arguments.extend(["--notice", "signup:3"]);
    arguments
}

async fn refusal(demo: &Demo, to: &str) -> String {
    let answer = demo.post(&message("newsletter", to, "to be refused")).await;
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    answer["results"][0]["rule"].as_str().unwrap_or_else(|| panic!("{to} was not refused: {answer}")).to_owned()
}

fn unhex<const N: usize>(text: &Value) -> [u8; N] {
    let text = text.as_str().unwrap();
    let octets: Vec<u8> = (0..N).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect();
    octets.try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn r14_a_row_that_lacks_its_source_waits_alone_and_an_objector_stays_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = prepared(&folder).await;
    let (file, report) = (file(folder.path(), FILE), folder.path().join("report.csv"));
    let command = arguments(&demo, &file);
    let counts = json!({"blocked": 1, "contacts": 2, "duplicates": 1, "malformed": 1, "quarantined": 1});

    let dry = [&command[..], &["--dry-run", "--report", word(&report)]].concat();
    let foreseen: Value = serde_json::from_str(&run_postern(&dry).await.good()).unwrap();
    assert_eq!((&foreseen["counts"], &foreseen["id"]), (&counts, &Value::Null));
    let foreseen_rows = fs::read_to_string(&report).unwrap();

    let receipt = folder.path().join("receipt.json");
    let wet = [&command[..], &["--report", word(&report), "--receipt", word(&receipt)]].concat();
    let said: Value = serde_json::from_str(&run_postern(&wet).await.good()).unwrap();
    assert_eq!((&said["counts"], said["rows"].as_u64(), said["added"].as_u64()), (&counts, Some(6), Some(2)));
    assert_eq!(said["missing"], json!({"source": 1}), "that row alone waits");
    assert_eq!(serde_json::from_str::<Value>(&fs::read_to_string(&receipt).unwrap()).unwrap(), said);
    let rows = fs::read_to_string(&report).unwrap();
    assert_eq!(rows, foreseen_rows, "what was foreseen came true");
    let mut fates: Vec<(u64, &str)> = rows
        .lines()
        .skip(1)
        .map(|line| line.split_once(',').map(|(line, rest)| (line.parse().unwrap(), rest)).unwrap())
        .map(|(line, rest)| (line, rest.split(',').next().unwrap()))
        .collect();
    fates.sort_unstable();
    let expected =
        [(2, "contact"), (3, "blocked"), (4, "quarantine"), (5, "duplicate"), (6, "malformed"), (7, "contact")];
    assert_eq!(fates, expected);
    assert!(!rows.contains("dest.example"), "no address in it");

    // law.md §3, architecture.md §4: the leaf opens with the nonce of the receipt, and with no other.
    let leaves = entries(&demo.log());
    let leaf = leaves.iter().find(|leaf| leaf.id() == said["event"]).expect("the import has a leaf");
    assert_eq!(leaves.iter().filter(|leaf| leaf.kind() == "contacts.imported").count(), 1, "one import, one leaf");
    let counts = ImportCounts { contacts: 2, quarantined: 1, blocked: 1, duplicates: 1, malformed: 1 };
    let (nonce, sha256) = (unhex(&said["nonce"]), unhex(&said["file_sha256"]));
    assert_eq!(leaf.commitment(), Some(&import_commitment(&nonce, &sha256, &counts)));
    assert_ne!(leaf.commitment(), Some(&import_commitment(&sha256, &sha256, &counts)));
    assert_eq!(leaf.counts()["blocked"], 1);

    demo.restart().await;
    let answer = demo.post(&message("newsletter", "good@dest.example", "the newsletter")).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    demo.arrived("the newsletter").await;
    assert_eq!(refusal(&demo, "Objector@bücher.example").await, "objected");
    assert_eq!(refusal(&demo, "nosource@dest.example").await, "no-basis");
    assert_eq!(refusal(&demo, "single@dest.example").await, "consent-unconfirmed");
    let said = run_postern(&arguments(&demo, &file)).await.refusal();
    assert!(said.contains("no node uses") && said.contains("in use by another process"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_at_work_imports_and_takes_back_what_it_imported() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = prepared(&folder).await;
    demo.restart().await;
    let path = "/v1/imports?purpose=newsletter&basis=consent&notice=signup:3";
    let answer = request(&demo, "POST", path, "text/csv", FILE.as_bytes()).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let receipt: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(receipt["counts"]["contacts"], 2);
    let answer = demo.post(&message("newsletter", "good@dest.example", "by the door")).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(refusal(&demo, "oBjector@BÜCHER.example").await, "objected");

    let import = format!("/v1/imports/{}", receipt["id"].as_str().unwrap());
    let shown = request(&demo, "GET", &import, "text/csv", b"").await;
    let shown: Value = serde_json::from_slice(&shown.body).unwrap();
    assert_eq!((&shown["state"], &shown["about"]["notice"]), (&json!("done"), &json!("signup:3")));
    for expected in
        [json!({"bases": 2, "addresses": 2, "quarantined": 1}), json!({"bases": 0, "addresses": 0, "quarantined": 0})]
    {
        let answer = request(&demo, "POST", &format!("{import}/undo"), "text/csv", b"").await;
        assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap(), expected);
    }
    assert_eq!(refusal(&demo, "good@dest.example").await, "no-basis");

    // What is not understood is a problem, and nothing of it is kept.
    for (path, kind, status) in [
        ("/v1/imports?purpose=nothing", "text/csv", 400),
        ("/v1/imports?unknown=1", "text/csv", 400),
        ("/v1/imports", "application/json", 415),
        ("/v1/imports/imp_unknown/undo", "text/csv", 404),
    ] {
        let answer = request(&demo, "POST", path, kind, FILE.as_bytes()).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn art14_3_the_command_says_that_the_people_of_an_import_were_informed() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = prepared(&folder).await;
    // Of a year ago, and from a partner: the month for it is over.
    let file = file(folder.path(), FILE);
    let command = [&arguments(&demo, &file)[..], &["--obtained", "third-party"]].concat();
    let said: Value = serde_json::from_str(&run_postern(&command).await.good()).unwrap();
    assert_eq!(said["inform"]["by"], "2025-04-01", "{said}");
    demo.restart().await;
    assert_eq!(refusal(&demo, "good@dest.example").await, "information-overdue");
    assert!(demo.terminate().await.success());
    let (data, controller) = (word(&demo.place.data).to_owned(), demo.text("/controller").to_owned());
    let id = said["id"].as_str().unwrap();
    let informed = ["import", "--informed", id, "--data", &data, "--controller", &controller, "--on", "2025-03-20"];
    assert_eq!(run_postern(&informed).await.code, 1, "how is not said");
    let told = run_postern(&[&informed[..], &["--how", "by letter"]].concat()).await.good();
    assert!(told.contains(id), "{told}");
    demo.restart().await;
    let answer = demo.post(&message("newsletter", "good@dest.example", "after the notice")).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_killed_can_be_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = prepared(&folder).await;
    let mut text = "email,consent_at,source,method\r\n".to_owned();
    for number in 0..40_000 {
        write!(text, "person{number}@dest.example,2025-03-01,the shop,double_opt_in\r\n").unwrap();
    }
    let file = file(folder.path(), &text);
    let mut command: Vec<&str> = arguments(&demo, &file);
    command.retain(|word| *word != "--quiet");
    let mut child =
        Command::new(postern()).args(&command).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(child.stderr.take().unwrap());
    let id = tokio::task::spawn_blocking(move || {
        let mut lines = said.lines().map(Result::unwrap);
        lines.find_map(|line| line.strip_prefix("import ").map(str::to_owned)).expect("it says its id")
    });
    let id = id.await.unwrap();
    let log = demo.place.data.join("main.db-wal");
    let grown = || fs::metadata(&log).is_ok_and(|about| about.len() > 2 * 1024 * 1024);
    until("a part of the file in the store", async || grown().then_some(())).await;
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None, "it was over before it was killed");

    let data = word(&demo.place.data).to_owned();
    let undo = ["import", "--undo", &id, "--data", &data, "--controller", demo.text("/controller")];
    let said = run_postern(&undo).await.good();
    assert!(said.starts_with("undone: ") && !said.starts_with("undone: 0 bases"), "{said}");
    let again = run_postern(&undo).await.good();
    assert!(again.starts_with("undone: 0 bases, 0 addresses"), "{again}");
    demo.restart().await;
    for number in [0, 20_000, 39_999] {
        assert_eq!(refusal(&demo, &format!("person{number}@dest.example")).await, "no-basis");
    }
}
