//! The suppression list through its doors: pages, lifting, files in and out, by HTTP and by command. What a person
//! wished stands, and one controller never sees another's.

use super::harness::demo::message;
use super::harness::tools::{run_postern, word};
use super::harness::{Demo, Place};
use duties::controller::{Admission, Preset, admit};
use duties::operator::Signatory;
use mail::address::Domain;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use store::{Options, Store, Verified};
use testkit::SystemClock;
use testkit::http::{Http, HttpAnswer};

struct Door<'a> {
    demo: &'a Demo,
    key: String,
}

impl Door<'_> {
    async fn ask(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> HttpAnswer {
        let key = format!("Bearer {}", self.key);
        let headers = [("Authorization", key.as_str()), ("Content-Type", kind)];
        Http::plain(self.demo.address("http")).request(method, path, &headers, body).await.unwrap()
    }

    async fn suppress(&self, email: &str, scope: &str, reason: &str) {
        let body = json!({"email": email, "scope": scope, "reason": reason}).to_string();
        let answer = self.ask("POST", "/v1/suppressions", "application/json", body.as_bytes()).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }

    /// Every entry, page by page.
    async fn list(&self, query: &str) -> Vec<Value> {
        let (mut entries, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/suppressions?limit=2{query}{after}");
            let answer = self.ask("GET", &path, "application/json", b"").await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let mut page: Value = serde_json::from_slice(&answer.body).unwrap();
            let rows = page["suppressions"].as_array_mut().unwrap();
            assert!(rows.len() <= 2);
            entries.append(rows);
            let Some(next) = page["next"].as_str() else { return entries };
            after = format!("&after={next}");
        }
    }

    async fn entry(&self, email: &str) -> Value {
        let found = self.list("").await.into_iter().find(|entry| entry["email"] == email);
        found.unwrap_or_else(|| panic!("{email} is not listed"))
    }

    async fn lift(&self, entry: &Value) -> HttpAnswer {
        let path = format!("/v1/suppressions/{}", entry["id"].as_str().unwrap());
        self.ask("DELETE", &path, "application/json", b"").await
    }

    async fn import(&self, query: &str, kind: &str, file: &str) -> Value {
        let answer = self.ask("POST", &format!("/v1/suppressions/import{query}"), kind, file.as_bytes()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }
}

fn emails(entries: &[Value]) -> BTreeSet<&str> {
    entries.iter().filter_map(|entry| entry["email"].as_str()).collect()
}

async fn refusal(demo: &Demo, stream: &str, to: &str) -> Option<String> {
    let answer = demo.post(&message(stream, to, "asked")).await;
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    told["results"][0]["rule"].as_str().map(str::to_owned)
}

/// A second controller in the same store, and its key. The demo is at work again.
async fn with_other(demo: &mut Demo) -> String {
    assert!(demo.terminate().await.success());
    let data = &demo.place.data;
    let mut options = Options::new(Arc::new(SystemClock), data);
    options.region = Some("EEA".to_owned());
    let store = Store::open_sqlite(data, options).await.unwrap();
    let domain = Domain::parse("other.example").unwrap();
    let signatory = Signatory { name: "Olive Other".to_owned(), capacity: "owner".to_owned() };
    let admission = Admission {
        name: "other",
        identity: ["Other Ltd", "3 Example Street", "privacy@other.example"],
        signatory: &signatory,
        domain: &domain,
        verified: Verified::Yes,
        preset: Preset::Both,
        username: "other",
        messages_per_day_max: 100,
    };
    let key = admit(&store, &admission).await.unwrap().credential.api_key;
    store.close().await;
    demo.restart().await;
    key
}

#[tokio::test(flavor = "multi_thread")]
async fn art21_3_the_controller_takes_back_his_own_entries_and_never_a_wish_nor_sees_anothers() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(Place::on_sqlite(folder.path())).await;
    let other = with_other(&mut demo).await;
    let ours = Door { demo: &demo, key: demo.text("/api_key").to_owned() };
    let theirs = Door { demo: &demo, key: other };
    let before = ours.list("").await.len();
    for (email, scope, reason) in [
        ("own@dest.example", "all", "controller"),
        ("gone@dest.example", "marketing", "opt-out"),
        ("angry@dest.example", "purpose:newsletter", "complaint"),
        ("objector@dest.example", "marketing", "objection"),
    ] {
        ours.suppress(email, scope, reason).await;
    }
    theirs.suppress("theirs@dest.example", "all", "controller").await;

    assert_eq!(ours.list("").await.len(), before + 4);
    assert_eq!(emails(&theirs.list("").await), BTreeSet::from(["theirs@dest.example"]));
    assert_eq!(emails(&ours.list("&reason=complaint").await), BTreeSet::from(["angry@dest.example"]));
    assert_eq!(
        emails(&ours.list("&scope=marketing").await),
        BTreeSet::from(["gone@dest.example", "objector@dest.example"])
    );
    assert_eq!(refusal(&demo, "transactional", "own@dest.example").await.as_deref(), Some("suppressed"));

    let own = ours.entry("own@dest.example").await;
    assert_eq!(theirs.lift(&own).await.status, 404, "an entry of another controller is none");
    for email in ["gone@dest.example", "angry@dest.example", "objector@dest.example"] {
        let answer = ours.lift(&ours.entry(email).await).await;
        assert_eq!(answer.status, 409, "{}", answer.text());
        assert!(answer.text().contains("only the person himself"), "{}", answer.text());
    }
    assert_eq!(ours.lift(&own).await.status, 204);
    assert_eq!(ours.lift(&own).await.status, 404, "it is gone");
    assert_eq!(refusal(&demo, "transactional", "own@dest.example").await, None);
    assert_eq!(ours.list("").await.len(), before + 3);
    for path in ["/v1/suppressions/nonsense", "/v1/suppressions/per_aaaaaaaaaaaaaaaaaaaaaaaaaa.all"] {
        assert_eq!(ours.ask("DELETE", path, "text/plain", b"").await.status, 404);
    }
    for query in ["?after=x", "?limit=0", "?limit=101", "?scope=everything", "?reason=x", "?email=a@b.example"] {
        let answer = ours.ask("GET", &format!("/v1/suppressions{query}"), "text/plain", b"").await;
        assert_eq!(answer.status, 400, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_in_as_a_file_with_each_fault_by_its_line_and_comes_out_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(Place::on_sqlite(folder.path())).await;
    let ours = Door { demo: &demo, key: demo.text("/api_key").to_owned() };
    ours.suppress("wish@dest.example", "marketing", "objection").await;
    ours.suppress("=sum@dest.example", "marketing", "objection").await;
    ours.suppress("'=sum@dest.example", "marketing", "opt-out").await;
    let file = "email,scope,reason\r\n\
        one@dest.example,all,controller\r\n\
        WISH@Dest.example,marketing,controller\r\n\
        nobody,all,controller\r\n\
        two@dest.example,everything,controller\r\n\
        three@dest.example,delivery,hard-bounce\r\n\
        four@dest.example,,\r\n\
        five@dest.example,all,erasure\r\n\
        \"=cmd|'/c calc'!a0@dest.example\",all,controller\r\n\
        one@dest.example,delivery,controller\r\n";
    let report = ours.import("?scope=marketing&reason=opt-out", "text/csv", file).await;
    let lines: Vec<u64> =
        report["problems"].as_array().unwrap().iter().map(|problem| problem["line"].as_u64().unwrap()).collect();
    assert!(!report.to_string().contains("dest.example"), "{report}");
    assert_eq!(report["unchanged"], 1, "the wish stands: {report}");
    assert!([4, 5, 8].iter().all(|line| lines.contains(line)), "{report}");
    assert_eq!(refusal(&demo, "newsletter", "wish@dest.example").await.as_deref(), Some("objected"));
    assert_eq!(refusal(&demo, "transactional", "one@dest.example").await.as_deref(), Some("suppressed"));
    let listed = ours.list("").await;
    let four = listed.iter().find(|entry| entry["email"] == "four@dest.example").unwrap();
    assert_eq!((&four["scope"], &four["reason"]), (&json!("marketing"), &json!("opt-out")));
    // Given again it changes nothing.
    let again = ours.import("?scope=marketing&reason=opt-out", "text/csv", file).await;
    assert_eq!((&again["added"], &again["faulty"]), (&json!(0), &report["faulty"]));
    let plain = ours.import("?scope=delivery", "text/plain", "# a comment\nsix@dest.example\n\nseven@dest.example\n");
    assert_eq!(plain.await["added"], 2);

    let sheet = ours.ask("GET", "/v1/suppressions/export", "text/plain", b"").await;
    assert!(sheet.header("content-type").unwrap().starts_with("text/csv"));
    let text = sheet.text();
    assert!(text.starts_with("id,email,scope,reason,since,until\r\n"), "{text}");
    for cell in text.lines().flat_map(|line| line.split(',')) {
        assert!(!cell.trim_start_matches('"').starts_with(['=', '+', '-', '@']), "{cell}");
    }
    assert_eq!(text.lines().count(), ours.list("").await.len() + 1);
    // Art. 21(3): the list that came out is the list that goes in, whatever addresses look like.
    let back = ours.import("", "text/csv", &text).await;
    assert_eq!((&back["added"], &back["faulty"]), (&json!(0), &json!(0)), "{back}");
    assert_eq!(back["unchanged"], json!(text.lines().count() - 1), "{back}");
    let objects = ours.ask("GET", "/v1/suppressions/export?format=jsonl&scope=delivery", "text/plain", b"").await;
    let objects: Vec<Value> = objects.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = ["one@dest.example", "seven@dest.example", "six@dest.example", "three@dest.example"];
    assert_eq!(emails(&objects), BTreeSet::from(expected));

    for (path, kind, status) in [
        ("/v1/suppressions/import?scope=everything", "text/csv", 400),
        ("/v1/suppressions/import?reason=erasure", "text/csv", 400),
        ("/v1/suppressions/import", "application/json", 415),
    ] {
        assert_eq!(ours.ask("POST", path, kind, file.as_bytes()).await.status, status, "{path}");
    }

    // The same by command.
    assert!(demo.terminate().await.success());
    let (data, controller) = (word(&demo.place.data).to_owned(), demo.text("/controller").to_owned());
    let house = ["--data", &data, "--controller", &controller];
    let run = async |words: &[&str]| run_postern(&[&["suppressions"], words, &house].concat()).await;
    let (address, out, more) =
        (folder.path().join("address"), folder.path().join("out.jsonl"), folder.path().join("more.csv"));
    fs::write(&address, "eight@dest.example\n").unwrap();
    assert_eq!(run(&["add", "--address", word(&address), "--scope", "all"]).await.good().trim(), "suppressed");
    fs::write(&more, "email\nnine@dest.example\nbroken\n").unwrap();
    let report: Value = serde_json::from_str(&run(&["import", word(&more)]).await.good()).unwrap();
    assert_eq!((&report["added"], &report["problems"][0]["line"]), (&json!(1), &json!(3)));
    run(&["export", "--format", "jsonl", "--to", word(&out)]).await.good();
    let list = run(&["list"]).await.good();
    assert_eq!(fs::read_to_string(&out).unwrap(), list);
    let entries: Vec<Value> = list.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let id = |email: &str| {
        let entry = entries.iter().find(|entry| entry["email"] == email).unwrap();
        entry["id"].as_str().unwrap().to_owned()
    };
    assert_eq!(run(&["lift", &id("nine@dest.example")]).await.good().trim(), "lifted");
    let said = run(&["lift", &id("wish@dest.example")]).await.refusal();
    assert!(said.contains("objection") && said.contains("only the person himself"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn art7_3_a_withdrawal_told_by_the_controller_is_as_good_as_one_on_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Demo::start(Place::below(folder.path())).await;
    let ours = Door { demo: &demo, key: demo.text("/api_key").to_owned() };
    let ada = demo.text("/consented/0").to_owned();
    assert_eq!(refusal(&demo, "newsletter", &ada).await, None);
    for (email, state) in [(ada.as_str(), "withdrawn"), (ada.as_str(), "absent"), ("new@dest.example", "absent")] {
        let body = json!({"email": email, "stream": "newsletter"}).to_string();
        let answer = ours.ask("POST", "/v1/consents/withdraw", "application/json", body.as_bytes()).await;
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(told["state"], state);
        assert_eq!(refusal(&demo, "newsletter", email).await.as_deref(), Some("suppressed"));
    }
    // Nor does a consent that the controller tells bring back who was not known when he withdrew.
    let body = json!({"email": "new@dest.example", "stream": "newsletter", "kind": "consent", "confirmed": true});
    ours.ask("POST", "/v1/consents", "application/json", body.to_string().as_bytes()).await;
    assert_eq!(refusal(&demo, "newsletter", "new@dest.example").await.as_deref(), Some("suppressed"));
    let reasons = ours.list("&reason=opt-out").await;
    assert_eq!(reasons.iter().filter(|entry| entry["scope"] == "purpose:newsletter").count(), 2, "{reasons:?}");
    assert_eq!(ours.lift(&reasons[0]).await.status, 409);
}
