//! The page that leads from an empty machine to a delivered mail (docs/operations.md): its commands are run in their
//! order, and what comes is compared with what the page shows. The receiver's judgement is authheaders'.
//!
//! What is put in the place of the page's words: folders, ports, the resolver, and the id that the message got. `…`
//! stands for anything within a line, and alone in a line for any lines.

use super::harness::binary::{postern, workspace};
use super::harness::tools::{Said, run, run_python, word};
use super::harness::{Demo, Place, until};
use serde_json::Value;
use std::fs;
use std::path::Path;
use testkit::http::Http;
use testkit::{FakeDns, FakeMx};

const SECTION: &str = "## From an empty machine to a delivered mail\n";
const RECEIVER: &str = r#"
import sys, pathlib
import dns.resolver
port, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])
resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers, resolver.port = ["127.0.0.1"], port
dns.resolver.default_resolver = resolver
import authheaders
for letter in sorted(folder.glob("*.eml")):
    sender = letter.with_suffix(".from").read_text()
    found = authheaders.authenticate_message(letter.read_bytes(), "mx.dest.example", spf=True, dkim=True, dmarc=True,
        ip="203.0.113.25", mail_from=sender, helo="mx.node.example", dmarcbis=True)
    print(" ".join(found.split()))
"#;

/// A command of the page, and what it shows.
struct Step {
    command: String,
    shown: Vec<String>,
}

/// The blocks of the section that are marked so, each as its lines.
fn blocks(section: &str, mark: &str) -> Vec<Vec<String>> {
    let fence = format!("```{mark}\n");
    let after = section.split(&fence).skip(1);
    after.map(|text| text.split("```").next().unwrap().lines().map(str::to_owned).collect()).collect()
}

fn steps(section: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in blocks(section, "console").concat() {
        match line.strip_prefix("# ").or_else(|| line.strip_prefix("$ ")) {
            Some(command) => steps.push(Step { command: command.to_owned(), shown: Vec::new() }),
            None => steps.last_mut().expect("a block begins with a command").shown.push(line),
        }
    }
    steps
}

/// Is it what the page shows?
fn is_shown(shown: &[String], came: &[&str]) -> bool {
    match (shown.split_first(), came.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "…" => {
            is_shown(rest, came) || came.split_first().is_some_and(|(_, after)| is_shown(shown, after))
        }
        (Some((first, rest)), Some((line, after))) => is_line(first, line) && is_shown(rest, after),
        _ => false,
    }
}

fn is_line(shown: &str, line: &str) -> bool {
    let parts: Vec<&str> = shown.split('…').collect();
    let [first, between @ .., last] = parts.as_slice() else { return shown == line };
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    for part in between {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

/// The machine of the page.
struct Machine {
    folder: tempfile::TempDir,
    words: Vec<(&'static str, String)>,
    secrets: String,
    key: String,
    last_id: String,
    /// What quickstart said.
    zone: String,
}

impl Machine {
    async fn run(&mut self, step: &Step) {
        let mut command = step.command.clone();
        for (of_page, here) in &self.words {
            command = command.replace(of_page, here);
        }
        command = command.replace("msg_…", &self.last_id);
        let root = word(self.folder.path());
        let programs = word(postern().parent().unwrap());
        let script = format!("cd {root} && export PATH={programs}:$PATH {}\n{command}", self.secrets);
        let Said { code, out, err } = run("bash", &["-c", &script]).await;
        let mut out = out;
        for (of_page, here) in &self.words {
            out = out.replace(here, of_page);
        }
        if let Some((_, after)) = out.rsplit_once("msg_") {
            let id: String = after.chars().take_while(char::is_ascii_alphanumeric).collect();
            self.last_id = format!("msg_{id}");
        }
        let came: Vec<&str> = out.trim_end().lines().collect();
        assert!(
            is_shown(&step.shown, &came),
            "{}\ncame:\n{out}\n{err}\nshown:\n{}",
            step.command,
            step.shown.join("\n")
        );
        if self.zone.is_empty() {
            self.zone = out.clone();
        }
        let wrong = step.shown.iter().any(|line| line.starts_with("wrong "));
        assert_eq!(code, if wrong { 2 } else { 0 }, "{command}: {out}{err}");
    }

    /// Login and key, as the page has the reader take them.
    fn know(&mut self) {
        let told = fs::read(self.folder.path().join("credential.json")).unwrap();
        let told: Value = serde_json::from_slice(&told).unwrap();
        let text = |pointer: &str| told.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
        self.secrets = format!("SMTP_PASSWORD='{}' API_KEY='{}'", text("/smtp/password"), text("/api_key"));
        self.key = text("/api_key");
        fs::write(self.folder.path().join("api-key"), text("/api_key")).unwrap();
    }
}

/// Puts a line of a zone file into the server.
fn publish(dns: &FakeDns, line: &str) {
    let Some((name, rest)) = line.split_once(". IN ") else { return };
    let (kind, value) = rest.split_once(' ').unwrap();
    match kind {
        "TXT" => dns.txt(name, &value.split('"').skip(1).step_by(2).collect::<String>()),
        "A" => dns.address(name, value.parse().unwrap()),
        "MX" => dns.mx(name, 10, value.strip_prefix("10 ").unwrap().trim_end_matches('.')),
        "PTR" => dns.ptr("203.0.113.25".parse().unwrap(), value.trim_end_matches('.')),
        other => panic!("{other}"),
    };
}

fn answers(page: &str, dns: &FakeDns, sink: &FakeMx, base_port: u16) -> String {
    let block = blocks(page, "toml").into_iter().find(|block| block[0].starts_with("[operator]")).unwrap();
    format!(
        "{}\n[listen]\nbase_port = {base_port}\n[delivery]\ndns = \"{}\"\ndnssec = \"off\"\nmx_port = {}\n\
         private_exchangers = true\n",
        block.join("\n"),
        dns.addr(),
        sink.addr().port()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc9989_the_page_leads_from_an_empty_machine_to_a_mail_that_passes_dmarc() {
    let page = fs::read_to_string(workspace().join("docs/operations.md")).unwrap();
    let section = page.split(SECTION).nth(1).unwrap().split("\n## ").next().unwrap();
    let (dns, sink) = (FakeDns::start().await.unwrap(), FakeMx::start().await.unwrap());
    dns.mx("dest.example", 10, "mx.dest.example").loopback("mx.dest.example");
    let folder = tempfile::tempdir().unwrap();
    let mut place = Place { command: "serve", ..Place::on_sqlite(folder.path()) };
    fs::write(folder.path().join("answers.toml"), answers(&page, &dns, &sink, place.base_port)).unwrap();
    let config = folder.path().join("postern.toml");
    let words = vec![
        ("/etc/postern/postern.toml", word(&config).to_owned()),
        ("/var/lib/postern", word(&place.data).to_owned()),
        ("postern return-path ", format!("postern return-path --dns {} ", dns.addr())),
    ];
    let mut machine = Machine {
        folder,
        words,
        secrets: String::new(),
        key: String::new(),
        last_id: String::new(),
        zone: String::new(),
    };
    let steps = steps(section);
    let [quickstart, missing, return_path, well, by_smtp, by_http, trace] = steps.as_slice() else {
        panic!("the page has {} commands", steps.len())
    };
    machine.run(quickstart).await;
    machine.know();
    machine.run(missing).await;
    // What quickstart said is published, and what the page says of the node's own zone.
    let told = machine.zone.clone();
    for line in told.lines().chain(blocks(section, "zone").concat().iter().map(String::as_str)) {
        publish(&dns, line);
    }
    for step in [return_path, well] {
        machine.run(step).await;
    }
    place.further = vec!["--config".to_owned(), word(&config).to_owned()];
    let mut node = Demo::start(place).await;
    machine.words.push(("mx.node.example:587", node.address("submission").to_string()));
    machine.words.push(("127.0.0.1:8025", node.address("http").to_string()));
    machine.run(by_smtp).await;
    machine.run(by_http).await;
    let arrived = sink.wait_for(2).await;
    let api = Http::plain(node.address("http"));
    let (path, bearer) = (format!("/v1/messages/{}", machine.last_id), format!("Bearer {}", machine.key));
    until("the message to be delivered", async || {
        let told = api.get(&path, &[("Authorization", &bearer)]).await.unwrap();
        told.text().contains("\"delivered\"").then_some(())
    })
    .await;
    machine.run(trace).await;
    assert!(node.terminate().await.success());

    let eyes = machine.folder.path().join("eyes");
    fs::create_dir(&eyes).unwrap();
    for (at, received) in arrived.iter().enumerate() {
        fs::write(eyes.join(format!("{at}.eml")), &received.content).unwrap();
        fs::write(eyes.join(format!("{at}.from")), &received.from).unwrap();
    }
    let shown = blocks(section, "receiver").concat().iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    for line in judged(&dns, &eyes).await.lines() {
        assert!(is_line(&shown, line), "{line}\nshown: {shown}");
    }
    // Twin: without its keys and its record nothing passes.
    for name in ["p1._domainkey.shop.example", "p2._domainkey.shop.example", "bounce.shop.example"] {
        dns.clear(name);
    }
    let found = judged(&dns, &eyes).await;
    assert!(found.lines().count() == 2 && found.lines().all(|line| line.contains("dmarc=fail")), "{found}");
}

/// What a receiver writes into the header of each letter.
async fn judged(dns: &FakeDns, letters: &Path) -> String {
    let port = dns.addr().port().to_string();
    run_python(&["-c", RECEIVER, &port, word(letters)]).await.good()
}

#[test]
fn what_the_page_does_not_show_is_seen() {
    let shown = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    for (page, came, fits) in [
        ("a\n…\nc", "a\nb\nb\nc", true),
        ("a\n…\nc", "a\nc", true),
        ("a …, c\nd", "a b, c\nd", true),
        ("a\n…\nc", "a\nb", false),
        ("a\nb", "a\nb\nc", false),
        ("a …, c", "a b, d", false),
        ("wrong", "ok", false),
    ] {
        assert_eq!(is_shown(&shown(page), &came.lines().collect::<Vec<_>>()), fits, "{page} {came}");
    }
}
