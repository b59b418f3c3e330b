//! Several nodes on one PostgreSQL, each a process with a folder of its own, and the controllers that they serve.
//!
//! Invariants: all nodes have the same key over all keys; a node keeps its ports when it starts again; what is asked
//! over HTTP is given up after [`PATIENCE`], as a node that hangs does not answer.

use super::demo::{Demo, Place};
use super::letters::CONTROLLERS;
use super::tools::word;
use super::until;
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use testkit::http::{Http, HttpAnswer};

/// Nodes of a fleet.
pub(crate) const NODES: usize = 3;
/// How long a client waits for an answer. Shorter than the limit of a test's own waits.
pub(crate) const PATIENCE: Duration = Duration::from_secs(25);
/// The first of a node's ports for clients that are trusted, after its base port.
const TRUSTED_PORTS: u16 = 3;

/// A controller with its credential.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) controller: String,
    pub(crate) username: String,
    pub(crate) api_key: String,
}

/// What all nodes have in common.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    /// For the folders of the nodes.
    pub(crate) folder: PathBuf,
    /// Address of the main database.
    pub(crate) url: String,
    /// Address of the keys database.
    pub(crate) keys_url: String,
    pub(crate) dns: SocketAddr,
    /// Where all exchangers listen.
    pub(crate) mx_port: u16,
}

/// What a node has for itself.
#[derive(Clone, Default, Debug)]
pub(crate) struct Apart {
    /// The command behind which it runs.
    pub(crate) within: Vec<String>,
    /// Its own way to the databases: addresses of the main one and of the keys.
    pub(crate) store: Option<(String, String)>,
}

/// Where clients reach a node.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) http: SocketAddr,
    /// By controller.
    pub(crate) trusted: Vec<SocketAddr>,
}

/// Running nodes.
pub(crate) struct Fleet {
    pub(crate) nodes: [Demo; NODES],
    pub(crate) accounts: Vec<Account>,
}

impl Ground {
    /// The arguments that name the store.
    fn store(&self, own: Option<&(String, String)>) -> Vec<String> {
        let key = self.folder.join("master.key");
        let (url, keys_url) = own.map_or((&self.url, &self.keys_url), |(url, keys_url)| (url, keys_url));
        let mut words = on_postgres(url, keys_url);
        words.extend(["--master-key", word(&key)].map(str::to_owned));
        words
    }

    /// A controller is admitted by a demo, which ends before any node starts.
    async fn admit(&self, number: u64) -> Account {
        let folder = self.folder.join(format!("admission-{number}"));
        fs::create_dir(&folder).unwrap();
        let mut demo = Demo::start(Place { further: self.store(None), ..Place::below(&folder) }).await;
        let text = |pointer: &str| demo.text(pointer).to_owned();
        let account =
            Account { controller: text("/controller"), username: text("/smtp/username"), api_key: text("/api_key") };
        assert!(demo.terminate().await.success(), "{}", demo.place.said());
        account
    }

    fn node(&self, accounts: &[Account], at: usize, apart: Apart) -> Place {
        let folder = self.folder.join(name(at));
        fs::create_dir(&folder).unwrap();
        let mut place = Place { command: "serve", within: apart.within, ..Place::below(&folder) };
        let mut words = self.store(apart.store.as_ref());
        let (dns, mx_port) = (self.dns.to_string(), self.mx_port.to_string());
        let own = [
            "--name",
            &name(at),
            "--ehlo",
            &greets_as(at),
            "--dns",
            &dns,
            "--mx-port",
            &mx_port,
            "--dnssec",
            "off",
            "--private-exchangers",
            // Its usual port is one of those of the trusted clients here.
            "--inbound",
            "127.0.0.1:0",
        ];
        words.extend(own.map(str::to_owned));
        for (port, account) in (place.base_port + TRUSTED_PORTS..).zip(accounts) {
            words.extend(["--trusted".to_owned(), format!("127.0.0.1:{port}={}+127.0.0.0/8", account.username)]);
        }
        place.further = words;
        place
    }
}

/// The arguments that name a pair of databases.
pub(crate) fn on_postgres(url: &str, keys_url: &str) -> Vec<String> {
    ["--store", url, "--keys", keys_url].map(str::to_owned).to_vec()
}

/// What the operator calls a node.
pub(crate) fn name(at: usize) -> String {
    format!("n{at}")
}

/// How it introduces itself to exchangers.
pub(crate) fn greets_as(at: usize) -> String {
    format!("{}.nodes.example", name(at))
}

impl Fleet {
    /// Admits controllers and starts nodes.
    pub(crate) async fn start(ground: &Ground, apart: [Apart; NODES]) -> Self {
        let mut accounts = Vec::new();
        for number in 0..CONTROLLERS {
            accounts.push(ground.admit(number).await);
        }
        let mut at = 0;
        let [one, two, three] = apart.map(|apart| {
            at += 1;
            ground.node(&accounts, at - 1, apart)
        });
        let nodes = tokio::join!(Demo::start(one), Demo::start(two), Demo::start(three));
        Self { nodes: nodes.into(), accounts }
    }

    /// Where clients reach the nodes.
    pub(crate) fn doors(&self) -> Vec<Door> {
        let trusted = |node: &Demo| {
            (0..self.accounts.len()).map(|controller| node.address(&format!("trusted/{controller}"))).collect()
        };
        self.nodes.iter().map(|node| Door { http: node.address("http"), trusted: trusted(node) }).collect()
    }

    /// A message of a controller, as soon as a node answers what it is.
    pub(crate) async fn message(&self, node: usize, controller: usize, id: &str) -> Value {
        let (peer, key) = (self.nodes[node].address("http"), &self.accounts[controller].api_key);
        let answer = until("an answer about a message", async || {
            let answer = ask(peer, key, "GET", &format!("/v1/messages/{id}"), "").await?;
            (answer.status != 503).then_some(answer)
        })
        .await;
        assert_eq!(answer.status, 200, "{id}: {}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// Asks all nodes to end, and waits until they have, in good order.
    pub(crate) async fn terminate(&mut self) {
        self.nodes.iter().for_each(Demo::ask_to_end);
        for node in &mut self.nodes {
            let status = node.ended().await;
            assert!(status.success(), "a node ended with {status}: {}", node.place.said());
        }
    }
}

/// An answer over HTTP, if there is one.
pub(crate) async fn ask(peer: SocketAddr, key: &str, method: &str, path: &str, body: &str) -> Option<HttpAnswer> {
    let key = format!("Bearer {key}");
    let headers = [("Authorization", key.as_str()), ("Content-Type", "application/json")];
    let (http, headers) = (Http::plain(peer), if body.is_empty() { &headers[..1] } else { &headers[..] });
    tokio::time::timeout(PATIENCE, http.request(method, path, headers, body.as_bytes())).await.ok()?.ok()
}

/// One request to put a person on the list of those who get nothing. True when it was done.
pub(crate) async fn suppress(peer: SocketAddr, key: &str, address: &str) -> bool {
    let request = json!({"email": address, "scope": "all", "reason": "opt-out"});
    let answer = ask(peer, key, "POST", "/v1/suppressions", &request.to_string()).await;
    answer.is_some_and(|answer| match answer.status {
        201 => true,
        500..600 => false,
        _ => panic!("an objection was answered with {}: {}", answer.status, answer.text()),
    })
}
