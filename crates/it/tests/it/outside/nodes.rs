//! Several nodes on one PostgreSQL: each takes mail in, each delivers, and whoever is left carries on.

use super::harness::demo::message;
use super::harness::tools::{run_postern, word};
use super::harness::{Arrivals, Demo, Load, Place, sink, until};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use testkit::http::{Http, HttpAnswer};
use testkit::postgres::{self, TestDatabase};
use testkit::{FakeDns, FakeMx};

/// Stands in every URL of a store, and must stand in nothing that a node says or writes.
const PASSWORD: &str = "3Bw0rtmark";
/// Partitions of the queue, and groups of the ledger.
const PARTS: (usize, usize) = (256, 64);

/// A store for nodes of a test: its arguments.
struct Shared {
    arguments: Vec<String>,
    _database: TestDatabase,
}

impl Shared {
    async fn store() -> Self {
        let database = postgres::database().await;
        // The server trusts loopback: any password will do.
        let with_password = |url: &str| url.replacen('@', &format!(":{PASSWORD}@"), 1);
        let arguments =
            ["--store", &with_password(&database.url), "--keys", &with_password(&database.keys_url)].map(str::to_owned);
        Self { arguments: arguments.to_vec(), _database: database }
    }

    /// A node on it in a folder below, with further arguments.
    fn place(&self, folder: &Path, name: &str, command: &'static str, further: &[&str]) -> Place {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).unwrap();
        let further = self.arguments.iter().cloned().chain(further.iter().map(|word| (*word).to_owned())).collect();
        Place { command, further, ..Place::below(&folder) }
    }

    /// `postern nodes --json`.
    async fn nodes(&self) -> Nodes {
        let mut words = vec!["nodes", "--json"];
        words.extend(self.arguments.iter().map(String::as_str));
        let said = run_postern(&words).await.good();
        assert!(!said.contains(PASSWORD), "{said}");
        Nodes(serde_json::from_str(&said).unwrap())
    }

    /// The same once the living nodes are these, and hold everything between them, none more than its share.
    async fn shared_out_between(&self, names: &[&str]) -> Nodes {
        let names: BTreeSet<&str> = names.iter().copied().collect();
        until(&format!("everything to be held by {names:?}"), async || {
            let nodes = self.nodes().await;
            let found: BTreeSet<&str> = nodes.living().iter().map(|node| node["name"].as_str().unwrap()).collect();
            (found == names && nodes.hold("queue", PARTS.0) && nodes.hold("ledger", PARTS.1)).then_some(nodes)
        })
        .await
    }
}

/// What `postern nodes --json` says.
struct Nodes(Value);

impl Nodes {
    fn living(&self) -> Vec<&Value> {
        self.0["nodes"].as_array().unwrap().iter().filter(|node| node["alive"] == true).collect()
    }

    /// Whether all parts are held, and no node has more than its share.
    fn hold(&self, kind: &str, parts: usize) -> bool {
        let held = self.living().into_iter().map(|node| node[kind].as_array().unwrap().len());
        let held: Vec<usize> = held.filter(|held| *held > 0).collect();
        let sharing = self.living().into_iter().filter(|node| kind == "ledger" || delivers(node)).count();
        held.iter().sum::<usize>() == parts && held.iter().all(|held| *held <= parts.div_ceil(sharing))
    }

    /// Partitions of a living node.
    fn queue_of(&self, name: &str) -> usize {
        let node = self.living().into_iter().find(|node| node["name"] == name);
        node.and_then(|node| node["queue"].as_array()).map_or(0, Vec::len)
    }
}

fn delivers(node: &Value) -> bool {
    node["roles"].as_str().unwrap().split(',').any(|role| role == "deliver")
}

/// POST at a node, with the key of the sample controller.
async fn post(node: &Demo, sample: &Value, path: &str, json: &Value) -> HttpAnswer {
    let key = format!("Bearer {}", sample["api_key"].as_str().unwrap());
    let api = Http::plain(node.address("http"));
    api.post_json(path, &[("Authorization", &key)], &json.to_string()).await.unwrap()
}

/// The port of the trusted door of a node with this place: one of those that `serve` leaves free.
fn trusted(place: &Place) -> String {
    format!("127.0.0.1:{}=sample+127.0.0.0/8", place.base_port + 3)
}

fn with_trusted_door(mut place: Place) -> Place {
    let argument = trusted(&place);
    place.further.extend(["--trusted".to_owned(), argument]);
    place
}

fn trusted_door(node: &Demo) -> std::net::SocketAddr {
    node.text("/trusted/0").parse().unwrap()
}

/// Nothing that a node wrote or said holds the password of its store.
fn keeps_the_password_to_itself(node: &Demo) {
    assert!(!node.told.to_string().contains(PASSWORD), "{}", node.told);
    assert!(!node.place.said().contains(PASSWORD), "{}", node.place.said());
    for entry in fs::read_dir(&node.place.data).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let octets = fs::read(&path).unwrap();
            let found = octets.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
            assert!(!found, "{} holds the password", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_nodes_each_takes_mail_in_and_either_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let shared = Shared::store().await;
    let mx = FakeMx::start().await.unwrap();
    let sink = mx.addr().to_string();
    let mut one = Demo::start(shared.place(folder.path(), "one", "demo", &["--sink", &sink])).await;
    let sample = one.told.clone();
    assert!(one.text("/store").starts_with("postgres://"), "{}", one.told);
    let first = format!("demo-{}", one.place.base_port);
    let master_key = one.place.data.join("master.key");
    let arguments = ["--name", "two", "--sink", &sink, "--master-key", word(&master_key)];
    let place = with_trusted_door(shared.place(folder.path(), "two", "serve", &arguments));
    let mut two = Demo::start(place).await;
    let nodes = shared.shared_out_between(&[&first, "two"]).await;
    assert_eq!((nodes.queue_of(&first), nodes.queue_of("two")), (128, 128));

    // Both take mail in; what one has taken the other knows.
    let at_one = Load::send(one.address("trusted"), 0..20, 4).await;
    let at_two = Load::send(trusted_door(&two), 20..40, 4).await;
    assert_eq!((at_one.answered.len(), at_two.answered.len()), (20, 20), "{at_one:?} {at_two:?}");
    until("forty messages", async || (sink::count(&mx).await >= 40).then_some(())).await;
    for id in at_one.answered.values().chain(at_two.answered.values()) {
        one.message_in_state(id, "delivered").await;
    }
    assert!(Arrivals::at(&mx).await.doubles().is_empty());
    // A wish that one was told is kept by the other from the answer on.
    let wish = serde_json::json!({"email": "ada@dest.example", "scope": "all"});
    assert_eq!(post(&one, &sample, "/v1/suppressions", &wish).await.status, 201);
    let refused = post(&two, &sample, "/v1/messages", &message("transactional", "ada@dest.example", "no")).await;
    assert!(refused.status == 422 && refused.text().contains("\"suppressed\""), "{}", refused.text());

    // The first leaves in good order: the second has everything, at once.
    assert!(one.terminate().await.success());
    let nodes = shared.shared_out_between(&["two"]).await;
    assert_eq!(nodes.queue_of("two"), 256);
    let alone = Load::send(trusted_door(&two), 40..60, 4).await;
    assert_eq!(alone.answered.len(), 20, "{alone:?}");
    until("sixty messages", async || (sink::count(&mx).await >= 60).then_some(())).await;

    // It comes back, and the second is killed.
    one.restart().await;
    assert_eq!((&one.told["smtp"], &one.told["controller"]), (&sample["smtp"], &sample["controller"]));
    shared.shared_out_between(&[&first, "two"]).await;
    two.kill9();
    let after = Load::send(one.address("trusted"), 60..80, 4).await;
    assert_eq!(after.answered.len(), 20, "{after:?}");
    until("eighty messages", async || (sink::count(&mx).await >= 80).then_some(())).await;
    shared.shared_out_between(&[&first]).await;
    for id in alone.answered.values().chain(after.answered.values()) {
        one.message_in_state(id, "delivered").await;
    }
    assert!(Arrivals::at(&mx).await.doubles().is_empty(), "nothing was under way when it was killed");
    assert!(one.terminate().await.success());
    [&one, &two].into_iter().for_each(keeps_the_password_to_itself);
    assert!(shared.nodes().await.living().is_empty());
    rebuilt(&shared, &one).await;
}

/// The log of the sample controller, made anew from the shared store, is whole.
async fn rebuilt(shared: &Shared, one: &Demo) {
    let data = word(&one.place.data).to_owned();
    let ours = ["--data", &data, "--controller", one.text("/controller")];
    let mut rebuild = [&["ledger", "rebuild"][..], &ours].concat();
    rebuild.extend(shared.arguments.iter().map(String::as_str));
    let said = run_postern(&rebuild).await.good();
    let size: u64 = said.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    assert!(size >= 160, "eighty messages have two events each at least: {said}");
    let said = run_postern(&[&["ledger", "verify"][..], &ours].concat()).await.good();
    assert!(said.contains(&format!("{size} entries")), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_with_the_role_deliver_share_the_sites_and_others_have_none() {
    let folder = tempfile::tempdir().unwrap();
    let shared = Shared::store().await;
    let (dns, mx) = (FakeDns::start().await.unwrap(), FakeMx::start().await.unwrap());
    let domains: Vec<String> = (0..24).map(|number| format!("d{number}.example")).collect();
    dns.loopback("mx.example");
    for domain in &domains {
        dns.mx(domain, 10, "mx.example");
    }
    // The demo makes the sample controller and goes.
    let mut demo = Demo::start(shared.place(folder.path(), "demo", "demo", &[])).await;
    let sample = demo.told.clone();
    assert!(demo.terminate().await.success());

    let master_key = demo.place.data.join("master.key");
    let (resolver, port) = (dns.addr().to_string(), mx.addr().port().to_string());
    let start = async |name: &'static str, roles: &'static str| {
        let ehlo = format!("{name}.example");
        let arguments = [
            "--name",
            name,
            "--ehlo",
            &ehlo,
            "--roles",
            roles,
            "--dns",
            &resolver,
            "--mx-port",
            &port,
            "--dnssec",
            "off",
            "--private-exchangers",
        ];
        let arguments = [&arguments[..], &["--master-key", word(&master_key)]].concat();
        Demo::start(shared.place(folder.path(), name, "serve", &arguments)).await
    };
    let mut door = start("door", "smtp,api").await;
    let (mut one, mut two) = (start("one", "deliver").await, start("two", "deliver").await);
    for deliverer in [&one, &two] {
        assert!(deliverer.told["submission"].is_null() && deliverer.told["https"].is_null(), "{}", deliverer.told);
        let http = Http::plain(deliverer.address("http"));
        assert_eq!(http.get("/readyz", &[]).await.unwrap().status, 200);
        assert_eq!(http.get("/v1/openapi.json", &[]).await.unwrap().status, 404);
    }
    let nodes = shared.shared_out_between(&["door", "one", "two"]).await;
    assert_eq!(["door", "one", "two"].map(|name| nodes.queue_of(name)), [0, 128, 128]);
    let table = [&["nodes"][..], &shared.arguments.iter().map(String::as_str).collect::<Vec<_>>()].concat();
    let said = run_postern(&table).await.good();
    assert!(said.lines().any(|line| line.starts_with("one ") && line.contains(" deliver ")), "{said}");
    assert!(said.lines().any(|line| line.starts_with("nobody ")) && !said.contains(PASSWORD), "{said}");

    for domain in &domains {
        let sent = message("transactional", &format!("ada@{domain}"), domain);
        let answer = post(&door, &sample, "/v1/messages", &sent).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
    }
    let received = mx.wait_for(domains.len()).await;
    let greeted: BTreeSet<&str> = received.iter().map(|message| message.hello.as_str()).collect();
    assert_eq!(greeted, ["one.example", "two.example"].into(), "both had a share, and only they");
    for node in [&mut door, &mut one, &mut two] {
        assert!(node.terminate().await.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_alone_serves_what_the_demo_left() {
    let folder = tempfile::tempdir().unwrap();
    let mx = FakeMx::start().await.unwrap();
    let mut place = Place { sink: Some(mx.addr()), ..Place::on_sqlite(folder.path()) };
    let mut demo = Demo::start(place.clone()).await;
    let sample = demo.told.clone();
    assert!(sample.get("store").is_none(), "{sample}");
    assert!(demo.terminate().await.success());
    place.command = "serve";
    let mut node = Demo::start(with_trusted_door(place)).await;
    assert_eq!((node.text("/store"), node.text("/roles")), ("sqlite", "smtp,api,deliver,console"));
    let books = Load::send(trusted_door(&node), 0..10, 2).await;
    assert_eq!(books.answered.len(), 10, "{books:?}");
    let answer = post(&node, &sample, "/v1/messages", &message("transactional", "ada@dest.example", "by HTTP")).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    mx.wait_for(11).await;
    assert!(node.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_go_together_is_refused_and_no_password_is_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let wrong = format!("mysql://node:{PASSWORD}@localhost/mail");
    let nowhere = format!("postgres://node:{PASSWORD}@127.0.0.1:1/mail");
    let cases: [(&[&str], &str); 9] = [
        (&["serve", "--store", &wrong], "--store is neither"),
        (&["demo", "--store", &wrong], "--store is neither"),
        (&["nodes", "--store", &wrong], "--store is neither"),
        (&["nodes"], "on SQLite there is one node"),
        (&["serve", "--keys", &nowhere], "--keys and --store-ca go with"),
        (&["serve", "--store", &nowhere], "could not be reached"),
        (&["serve", "--roles", "deliver", "--submission", "127.0.0.1:1"], "--submission goes with the role smtp"),
        (&["serve", "--bodies", "bodies"], "--bodies goes with a PostgreSQL database"),
        (&["serve", "--roles", ""], "no role"),
    ];
    for (arguments, sentence) in cases {
        let mut words = arguments.to_vec();
        if words[0] != "nodes" {
            words.extend(["--data", word(&data), "--quiet"]);
        }
        let said = run_postern(&words).await.refusal();
        assert!(said.contains(sentence), "{arguments:?}: {said}");
        assert!(!said.contains(PASSWORD), "{arguments:?}: {said}");
    }
}
