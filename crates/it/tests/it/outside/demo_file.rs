//! The demo file: the contract between `postern demo` and whoever starts it from a program (architecture.md §10).

use super::harness::{Demo, Place, tools};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;

/// Names and pointers of the file, ports as places after the base port.
const LISTENERS: [(&str, u16, &str); 8] = [
    ("http", 0, "http://"),
    ("submission", 1, ""),
    ("submission_tls", 2, ""),
    ("trusted", 3, ""),
    ("inbound", 4, ""),
    ("mailbox", 5, ""),
    ("mailbox_http", 6, "http://"),
    ("https", 7, "https://"),
];
const OTHERS: [&str; 11] = [
    "ca",
    "data",
    "controller",
    "domain",
    "streams",
    "smtp",
    "api_key",
    "suppressed",
    "consented",
    "unconsented",
    "dns",
];

fn names(told: &Value) -> BTreeSet<&str> {
    told.as_object().expect("the file holds an object").keys().map(String::as_str).collect()
}

fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_file_has_what_was_promised_and_comes_when_everything_listens() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::on_sqlite(folder.path());
    let (base, file) = (place.base_port, place.file());
    let demo = Demo::start(place).await;
    // First of all, before anything can catch up.
    let deaf: Vec<u16> = (base..base + 8).filter(|port| !listens(*port)).collect();
    assert!(deaf.is_empty(), "the file was there, and nobody listened at {deaf:?}");

    let told = &demo.told;
    let expected: BTreeSet<&str> = LISTENERS.iter().map(|(name, ..)| *name).chain(OTHERS).collect();
    assert_eq!(names(told), expected);
    for (name, place, scheme) in LISTENERS {
        assert_eq!(told[name], format!("{scheme}127.0.0.1:{}", base + place), "{name}");
    }
    assert_eq!(told["data"], json!(demo.place.data.canonicalize().unwrap()));
    assert_eq!(told["ca"], json!(demo.place.data.canonicalize().unwrap().join("ca.pem")));
    assert!(fs::read_to_string(demo.text("/ca")).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    assert_eq!(demo.text("/api_key").len(), 61);
    assert_eq!(demo.text("/api_key").find('.'), Some(20));
    assert!(demo.text("/controller").starts_with("ctl_"));
    assert_eq!(demo.text("/domain"), "sample.example");
    assert_eq!(told["streams"], json!({"transactional": "transactional", "newsletter": "newsletter"}));
    assert_eq!(names(&told["smtp"]), ["password", "username"].into());
    assert_eq!(demo.text("/suppressed"), "suppressed@dest.example");
    for list in ["consented", "unconsented"] {
        let list = told[list].as_array().unwrap();
        assert!(!list.is_empty() && list.iter().all(|one| one.as_str().unwrap().ends_with("@dest.example")));
    }
    // It holds credentials, and nothing half-written lies beside it.
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!folder.path().join("demo.json.new").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_sink_there_is_no_mailbox_and_the_file_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::on_sqlite(folder.path());
    let base = place.base_port;
    let sink = SocketAddr::from((Ipv4Addr::LOCALHOST, base + 5));
    let demo = Demo::start(Place { sink: Some(sink), ..place }).await;
    assert_eq!((&demo.told["mailbox"], &demo.told["mailbox_http"]), (&Value::Null, &Value::Null));
    let deaf: Vec<u16> = (0..8).filter(|place| !listens(base + place)).collect();
    assert_eq!(deaf, [5, 6], "places of the mailbox");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cannot_listen_writes_no_file_and_says_where() {
    for taken in [0, 3, 6] {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::on_sqlite(folder.path());
        let port = place.base_port + taken;
        let occupied = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let (base, file) = (place.base_port.to_string(), place.file());
        let arguments =
            ["demo", "--data", tools::word(&place.data), "--base-port", &base, "--json", tools::word(&file)];
        let said = tools::run_postern(&arguments).await.refusal();
        assert!(said.contains(&port.to_string()), "the sentence names the port {port}: {said}");
        assert!(!file.exists(), "a file was written, though port {port} was taken");
        // With the port free, the same folder and ports do.
        drop(occupied);
        drop(Demo::start(place).await);
    }
}
