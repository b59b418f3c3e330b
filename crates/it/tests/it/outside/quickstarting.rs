//! `postern quickstart`: from an empty folder to a node that sends, by a file of answers and by a person at a terminal;
//! wrong answers are named and make nothing; a second run destroys nothing.

use super::harness::binary::{postern, workspace};
use super::harness::tools::{run_postern, run_python, word};
use super::harness::{Demo, Place, database};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use testkit::http::Http;
use testkit::smtp::SmtpClient;
use testkit::tls::client_trusting;
use testkit::{FakeDns, FakeMx};

/// What is answered for an operator and a first controller.
pub(super) const ANSWERS: &str = r#"
[operator]
name = "Operator Ltd"
address = "2 Example Street, 1000 Exampletown"
contact = "privacy@operator.example"
signatory = "Olga Operator"
capacity = "managing director"
[controller]
name = "Example Shop Ltd"
address = "1 Example Street, 1000 Exampletown"
contact = "privacy@shop.example"
signatory = "Sam Shop"
capacity = "owner"
[mail]
domain = "shop.example"
domain_is_its_own = true
preset = "both"
"#;

/// A folder with a file of answers.
struct Ground {
    place: Place,
    folder: tempfile::TempDir,
}

impl Ground {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Place { command: "serve", ..Place::below(folder.path()) };
        database::provide(&place.data).await;
        Self { place, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The usual answers, and what is said of the node.
    fn answer(&self, answers: &str, delivery: &str) {
        let store = database::arguments(&self.place.data);
        let store = match store.as_slice() {
            [_, url, _, keys] => format!("[store]\nurl = \"{url}\"\nkeys_url = \"{keys}\"\n"),
            _ => String::new(),
        };
        let node = format!(
            "[node]\nehlo = \"mx.node.example\"\n[listen]\nbase_port = {}\n[delivery]\n{delivery}\n{store}",
            self.place.base_port
        );
        fs::write(self.path("answers.toml"), format!("{answers}{node}")).unwrap();
    }

    /// The words of the command.
    fn words(&self, further: &[&str]) -> Vec<String> {
        let mut words = vec!["quickstart".to_owned()];
        for (flag, path) in [
            ("--answers", self.path("answers.toml")),
            ("--config", self.path("postern.toml")),
            ("--data", self.place.data.clone()),
        ] {
            words.extend([flag.to_owned(), word(&path).to_owned()]);
        }
        words.extend(further.iter().map(|word| (*word).to_owned()));
        words
    }

    async fn quickstart(&self, further: &[&str]) -> super::harness::tools::Said {
        let words = self.words(further);
        run_postern(&words.iter().map(String::as_str).collect::<Vec<_>>()).await
    }
}

fn message(stream: &str, to: &str) -> String {
    let message = json!({
        "stream": stream, "from": {"email": "shop@shop.example"}, "to": [{"email": to}],
        "subject": "by HTTP", "text": "Thank you.",
    });
    message.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_an_empty_folder_answers_make_a_node_whose_signed_mail_arrives_by_both_doors() {
    let (mut ground, sink) = (Ground::new().await, FakeMx::start().await.unwrap());
    ground.answer(ANSWERS, &format!("sink = \"{}\"", sink.addr()));
    let credentials = ground.path("credential.json");
    let said = ground.quickstart(&["--offline", "--credentials", word(&credentials)]).await.good();
    assert!(said.contains("What is left") && said.contains("bounce.shop.example. IN TXT \"v=spf1 a:mx."), "{said}");
    let made: Value = serde_json::from_slice(&fs::read(&credentials).unwrap()).unwrap();
    let text = |pointer: &str| made.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
    let (password, key) = (text("/smtp/password"), text("/api_key"));
    assert!(!said.contains(&password) && !said.contains(&key), "what is written is not shown");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&credentials).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let config = ground.path("postern.toml");
    let checked = run_postern(&["config", "check", word(&config)]).await.good();
    assert!(!checked.contains("wrong"), "{checked}");

    ground.place.further = vec!["--config".to_owned(), word(&config).to_owned()];
    let mut node = Demo::start(ground.place.clone()).await;
    let api = Http::plain(node.address("http"));
    let bearer = format!("Bearer {key}");
    let post = async |body: String| api.post_json("/v1/messages", &[("Authorization", &bearer)], &body).await.unwrap();
    assert_eq!(post(message("transactional", "ada@dest.example")).await.status, 202);
    // Twin: a newsletter to somebody who never consented.
    let refused = post(message("newsletter", "ada@dest.example")).await;
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(refused.text().contains("no-basis"), "{}", refused.text());
    let authority = fs::read_to_string(node.text("/ca")).unwrap();
    let (mut client, _) = SmtpClient::connect(node.address("submission")).await.unwrap();
    client.command("EHLO client.example").await.unwrap();
    assert!(client.starttls("localhost", client_trusting(&authority)).await.unwrap().is_positive());
    client.command("EHLO client.example").await.unwrap();
    assert_eq!(client.auth_plain(&text("/smtp/username"), &password).await.unwrap().code, 235);
    let letter = b"From: shop@shop.example\r\nTo: bob@dest.example\r\nSubject: by SMTP\r\n\r\nThank you.\r\n";
    let reply = client.send("shop@shop.example", &["bob@dest.example"], letter).await.unwrap();
    assert_eq!(reply.code, 250, "{}", reply.text);
    let arrived = sink.wait_for(2).await;
    assert!(node.terminate().await.success());

    // RFC 6376, 8463: dkimpy finds both signatures of both messages good by the records that were told.
    let eyes = ground.path("dkimpy");
    fs::create_dir(&eyes).unwrap();
    let records = made["dns"].as_array().unwrap().iter();
    let keys =
        records.map(|record| format!("{}\t{}\n", record["name"].as_str().unwrap(), record["value"].as_str().unwrap()));
    fs::write(eyes.join("keys.txt"), keys.collect::<String>()).unwrap();
    for (at, received) in arrived.iter().enumerate() {
        // No name to which failures return leads here yet (`postern return-path`).
        assert_eq!(received.from, "shop@shop.example");
        fs::write(eyes.join(format!("{at}.eml")), &received.content).unwrap();
    }
    let script = workspace().join("crates/mail/tests/foreign/dkim_dkimpy.py");
    let judged = run_python(&[word(&script), word(&eyes)]).await.good();
    assert_eq!(judged, "0.eml\t0\tpass\n0.eml\t1\tpass\n1.eml\t0\tpass\n1.eml\t1\tpass\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_destroys_nothing_and_sees_what_was_published_meanwhile() {
    let (ground, dns) = (Ground::new().await, FakeDns::start().await.unwrap());
    ground.answer(ANSWERS, &format!("dns = \"{}\"", dns.addr()));
    let credentials = ground.path("credential.json");
    let first = ground.quickstart(&["--credentials", word(&credentials)]).await.good();
    assert_eq!(first.matches("(missing)").count(), 5, "{first}");
    assert!(first.contains("Publish the 5 DNS records") && first.contains("Give mx.node.example an A"), "{first}");
    let kept = ["postern.toml", "credential.json", "data/master.key"].map(|name| fs::read(ground.path(name)).ok());

    let told: Value = serde_json::from_slice(&fs::read(&credentials).unwrap()).unwrap();
    for record in told["dns"].as_array().unwrap() {
        dns.txt(record["name"].as_str().unwrap(), record["value"].as_str().unwrap());
    }
    dns.txt("bounce.shop.example", "v=spf1 a:mx.node.example -all").mx("bounce.shop.example", 10, "mx.node.example");
    dns.loopback("mx.node.example");
    // Other answers change nothing of what is there.
    ground.answer(&ANSWERS.replace("Operator Ltd", "Another Ltd"), "mx_port = 2525");
    let second = ground.quickstart(&["--credentials", word(&ground.path("second.json"))]).await.good();
    for what in ["stays as it is", "Operator Ltd is known, and stays", "exists. Nothing of it was changed"] {
        assert!(second.contains(what), "{what}: {second}");
    }
    assert_eq!((second.matches("(there)").count(), second.matches("(missing)").count()), (4, 1), "{second}");
    assert!(second.contains("PTR record of 127.0.0.1 say mx.node.example"), "{second}");
    let now = ["postern.toml", "credential.json", "data/master.key"].map(|name| fs::read(ground.path(name)).ok());
    assert!(kept == now && kept.iter().all(Option::is_some));
    assert!(!ground.path("second.json").exists());
    let refused = ground.quickstart(&["--credentials", word(&credentials)]).await.refusal();
    assert!(refused.contains("may hold a credential"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_answers_are_all_named_and_make_nothing() {
    let ground = Ground::new().await;
    let bad = ANSWERS
        .replace("privacy@shop.example", "nobody")
        .replace("preset = \"both\"", "preset = \"all\"")
        .replace("domain_is_its_own = true", "domain_is_its_own = false")
        .replace("signatory = \"Sam Shop\"", "signatry = \"Sam Shop\"");
    ground.answer(&bad, "mx_prt = 25");
    let said = ground.quickstart(&["--offline"]).await.refusal();
    for what in [
        "line 12: there is no key controller.signatry; did you mean controller.signatory?",
        "there is no key delivery.mx_prt; did you mean delivery.mx_port?",
        "controller.contact: this is not an e-mail address",
        "controller.signatory is missing",
        "mail.preset: this is not transactional, newsletter or both",
        "mail.domain_is_its_own: this is not true",
        "nothing was made",
    ] {
        assert!(said.contains(what), "{what}: {said}");
    }
    assert!(!said.contains("nobody"), "{said}");
    assert!(!ground.path("postern.toml").exists() && !ground.place.data.exists());
    // The same as JSON, with nothing wrong in it.
    let good: Value = json!({
        "operator": {"name": "O", "address": "A", "contact": "C", "signatory": "S", "capacity": "D"},
        "controller": {"name": "N", "address": "A", "contact": "p@shop.example", "signatory": "S", "capacity": "D"},
        "mail": {"domain": "shop.example", "domain_is_its_own": true, "preset": "transactional",
            "messages_per_day": 10},
        "node": {"ehlo": "mx.node.example"},
    });
    ground.answer("", "");
    fs::write(ground.path("answers.toml"), good.to_string().replace("\"capacity\"", "\"capcity\"")).unwrap();
    let said = ground.quickstart(&["--offline"]).await.refusal();
    assert!(
        said.contains("there is no key operator.capcity") && !said.contains("line"),
        "a line of JSON says nothing: {said}"
    );
    if database::arguments(&ground.place.data).is_empty() {
        fs::write(ground.path("answers.toml"), good.to_string()).unwrap();
        let said = ground.quickstart(&["--offline"]).await.good();
        assert!(said.contains("at most 10 messages a day") && said.contains("SMTP password"), "{said}");
    }
}

/// A person at a terminal, who first gives two answers that cannot be.
const PERSON: &str = r#"
import os, pty, sys
program, config, data = sys.argv[1:]
answers = [
    ("known in DNS", ["mx node", "mx.node.example"]), ("Where does it stand", ["Europe", ""]),
    ("recipients reach", [""]),
    ("Who runs this platform", ["Operator Ltd"]), ("postal address", ["2 Example Street"]),
    ("answers for data protection", ["privacy@operator.example"]), ("signs agreements", ["Olga Operator"]),
    ("In which capacity", ["director"]), ("For whom is mail sent", ["Example Shop Ltd"]),
    ("postal address", ["1 Example Street"]), ("e-mail address for data protection", ["privacy@shop.example"]),
    ("Who signs for it", ["Sam Shop"]), ("In which capacity", ["owner"]), ("Which domain", ["shop.example"]),
    ("Have you seen", ["no", "yes"]), ("short name", [""]), ("What is it to send", ["both"]),
    ("How many messages", [""]), ("From which address", [""]),
]
child, terminal = pty.fork()
if child == 0:
    os.execv(program, [program, "quickstart", "--offline", "--config", config, "--data", data])
said, at, seen = "", 0, 0
while True:
    try:
        octets = os.read(terminal, 4096)
    except OSError:
        break
    if not octets:
        break
    said += octets.decode()
    if said[seen:].endswith("\n> ") or said[seen:].endswith("\r\n> "):
        question, given = answers[at]
        assert question in said[seen:], (question, said[seen:])
        seen = len(said)
        os.write(terminal, (given.pop(0) + "\n").encode())
        at += 0 if given else 1
_, status = os.waitpid(child, 0)
sys.stdout.write(said)
sys.exit(os.waitstatus_to_exitcode(status) or (at != len(answers)))
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_person_at_a_terminal_is_asked_until_each_answer_can_be() {
    let folder = tempfile::tempdir().unwrap();
    let (config, data) = (folder.path().join("postern.toml"), folder.path().join("data"));
    let said = run_python(&["-c", PERSON, word(postern()), word(&config), word(&data)]).await.good();
    for what in [
        "node.ehlo: this cannot be",
        "node.region: this cannot be",
        "mail.domain_is_its_own: this is not true",
        "From which address do confirmations and notices to recipients come? In the domain. [hello@shop.example]",
        "Operator Ltd is the processor of every agreement",
        "API key",
    ] {
        assert!(said.contains(what), "{what}: {said}");
    }
    let written = fs::read_to_string(&config).unwrap();
    for line in [
        "ehlo = \"mx.node.example\"",
        "region = \"EEA\"",
        "pages_url = \"https://mx.node.example\"",
        "submission = \"0.0.0.0:587\"",
    ] {
        assert!(written.lines().any(|one| one == line), "{line}: {written}");
    }
    run_postern(&["config", "check", word(&config)]).await.good();
    // Nobody at a terminal, and no answers: nothing is made.
    let empty = folder.path().join("other.toml");
    let refused = run_postern(&["quickstart", "--config", word(&empty)]).await.refusal();
    assert!(refused.contains("name a file with --answers") && !empty.exists(), "{refused}");
}
