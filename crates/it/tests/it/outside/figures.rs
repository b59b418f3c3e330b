//! How a node is, as programs ask it: figures on a door of their own, readiness that follows the store, and a dashboard
//! that asks for figures that exist.

use super::harness::binary::workspace;
use super::harness::fleet::on_postgres;
use super::harness::{Demo, Place, until};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use testkit::http::Http;
use testkit::postgres::{Cluster, Flushing, Major};
use testkit::smtp::SmtpClient;

async fn status(door: &Http, path: &str) -> u16 {
    door.get(path, &[]).await.unwrap().status
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_have_a_door_of_their_own_and_are_on_no_other_then() {
    let folder = tempfile::tempdir().unwrap();
    let mut place = Place { command: "serve", ..Place::below(folder.path()) };
    place.further = vec!["--metrics".to_owned(), format!("127.0.0.1:{}", place.base_port + 6)];
    let mut node = Demo::start(place).await;
    let (figures, api) = (Http::plain(node.address("metrics")), Http::plain(node.address("http")));
    let (_client, greeting) = SmtpClient::connect(node.address("submission")).await.unwrap();
    assert_eq!(greeting.code, 220);
    let said = figures.get("/metrics", &[]).await.unwrap();
    assert_eq!(said.status, 200);
    let text = said.text();
    assert!(text.contains("smtpd_connections_total{listener=\"submission\",outcome=\"open\"} 1"), "{text}");
    assert!(!text.contains('@'), "{text}");
    for (path, there, here) in [("/metrics", 200, 404), ("/healthz", 200, 200), ("/readyz", 200, 200), ("/", 404, 200)]
    {
        assert_eq!((status(&figures, path).await, status(&api, path).await), (there, here), "{path}");
    }
    assert_eq!(status(&figures, "/v1/openapi.json").await, 404);
    assert!(node.terminate().await.success());
    // Twin: without a door of their own this machine sees them on the other.
    node.place.further.clear();
    node.restart().await;
    assert_eq!(status(&Http::plain(node.address("http")), "/metrics").await, 200);
    assert!(node.told["metrics"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_follows_the_store_and_life_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::builder(Major::Fifteen).flushing(Flushing::Off).start().await;
    let databases = cluster.pair().await;
    let further = on_postgres(&databases.url, &databases.keys_url);
    let node = Demo::start(Place { command: "serve", further, ..Place::below(folder.path()) }).await;
    let api = Http::plain(node.address("http"));
    assert_eq!(status(&api, "/readyz").await, 200);
    cluster.kill().await;
    let said = until("the node not to be ready", async || {
        let answer = api.get("/readyz", &[]).await.unwrap();
        (answer.status == 503).then(|| answer.text())
    })
    .await;
    assert!(said.contains("the store does not answer"), "{said}");
    assert_eq!(status(&api, "/healthz").await, 200);
    cluster.start_again().await;
    until("the node to be ready again", async || (status(&api, "/readyz").await == 200).then_some(())).await;
}

/// The names of figures in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    words.filter(|word| word.starts_with("postern_") || word.starts_with("smtpd_")).collect()
}

fn sources(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            into.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn the_dashboard_asks_for_figures_that_exist() {
    let text = fs::read_to_string(workspace().join("packaging/grafana-dashboard.json")).unwrap();
    let board: serde_json::Value = serde_json::from_str(&text).unwrap();
    let panels = board["panels"].as_array().unwrap();
    assert!(panels.iter().all(|panel| !panel["targets"].as_array().unwrap().is_empty()));
    let mut known = String::new();
    for member in ["mta", "smtpd", "web", "store", "node"] {
        sources(&workspace().join("crates").join(member).join("src"), &mut known);
    }
    let (asked, known) = (names(&text), names(&known));
    let unknown: Vec<_> = asked.difference(&known).collect();
    assert!(unknown.is_empty() && asked.len() >= 10, "{unknown:?}");
}
