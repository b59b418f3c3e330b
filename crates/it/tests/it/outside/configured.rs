//! `postern serve --config FILE`: what stands in the file holds, what is wrong in it is refused with its line, and with
//! SIGHUP what can change does while connections are open.

use super::harness::binary::postern;
use super::harness::demo::message;
use super::harness::tools::{Said, run, run_postern, word};
use super::harness::{Demo, Place, until};
use std::fs;
use std::path::{Path, PathBuf};
use testkit::http::Http;
use testkit::smtp::SmtpClient;
use testkit::tls::TestCa;

/// A folder with a settings file and a certificate.
struct Ground {
    folder: tempfile::TempDir,
}

impl Ground {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("postern.toml")
    }

    /// The section about the certificate, and whatever else is to stand there.
    fn write(&self, further: &str) {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let (chain, key) = (path("chain.pem"), path("key.pem"));
        fs::write(self.file(), format!("[tls]\ncertificate = \"{chain}\"\nkey = \"{key}\"\n{further}")).unwrap();
    }

    fn certify(&self, authority: &TestCa) {
        let leaf = authority.leaf(&["localhost"]);
        fs::write(self.folder.path().join("chain.pem"), leaf.chain_pem).unwrap();
        fs::write(self.folder.path().join("key.pem"), leaf.key_pem).unwrap();
    }

    async fn start(&self) -> Demo {
        let mut place = Place { command: "serve", ..Place::below(self.folder.path()) };
        // What a flag says stands before the harness's own variable.
        place.further = ["--config", word(&self.file()), "--log", "info"].map(str::to_owned).to_vec();
        Demo::start(place).await
    }
}

/// Waits until the log says so often what it says.
async fn said(demo: &Demo, what: &str, count: usize) {
    until(what, async || (demo.place.said().matches(what).count() >= count).then_some(())).await;
}

async fn greeted(demo: &Demo) -> (SmtpClient, u16) {
    let (client, greeting) = SmtpClient::connect(demo.address("submission")).await.unwrap();
    (client, greeting.code)
}

/// Does HTTPS show a certificate of this authority?
async fn shows(demo: &Demo, authority: &TestCa) -> bool {
    let door = Http::tls(demo.address("https"), "localhost", authority.client());
    door.get("/healthz", &[]).await.is_ok_and(|answer| answer.status == 200)
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_changes_certificate_and_limits_and_a_bad_file_changes_nothing() {
    let ground = Ground::new();
    let (first, second) = (TestCa::new(), TestCa::new());
    ground.certify(&first);
    ground.write("[limits]\nsmtp_connections = 1\n");
    let mut demo = ground.start().await;
    assert!(shows(&demo, &first).await && !shows(&demo, &second).await);
    let (mut open, code) = greeted(&demo).await;
    assert_eq!(code, 220);
    assert_eq!(greeted(&demo).await.1, 421, "one at once");

    // More room, another certificate, and a key that waits.
    ground.certify(&second);
    ground.write("[limits]\nsmtp_connections = 3\n[delivery]\nmx_port = 2525\nsite_connections = 7\n");
    demo.reload();
    said(&demo, "the settings were read again", 1).await;
    assert!(shows(&demo, &second).await && !shows(&demo, &first).await);
    assert_eq!(greeted(&demo).await.1, 220, "there is room");
    assert_eq!(open.command("NOOP").await.unwrap().code, 250, "who was there stays");
    let log = demo.place.said();
    assert!(log.contains("limits.smtp_connections") && log.contains("delivery.site_connections"), "{log}");
    let waits = log.lines().find(|line| line.contains("wait for the next start")).unwrap();
    assert!(waits.contains("delivery.mx_port") && !waits.contains("limits."), "{waits}");

    // Twins: a key that is not known, and a certificate that is none. What holds goes on holding.
    ground.write("[limits]\nsmtp_conections = 1\n");
    demo.reload();
    said(&demo, "stay as they were", 1).await;
    let log = demo.place.said();
    assert!(log.contains("there is no key limits.smtp_conections; did you mean limits.smtp_connections?"), "{log}");
    assert!(log.contains("postern.toml, line 5"), "{log}");
    assert!(shows(&demo, &second).await);
    ground.write("[limits]\nsmtp_connections = 1\n");
    fs::write(ground.folder.path().join("key.pem"), "no key").unwrap();
    demo.reload();
    said(&demo, "stay as they were", 2).await;
    assert_eq!(greeted(&demo).await.1, 220, "neither is the limit taken over");
    assert!(demo.terminate().await.success());
    let refused = demo.refused().await;
    assert!(refused.contains("key.pem"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_key_is_refused_with_its_line_by_serve_and_by_check() {
    let ground = Ground::new();
    ground.certify(&TestCa::new());
    ground.write("[listen]\nsubmision = \"127.0.0.1:0\"\nhttp = \"nowhere\"\n");
    let file = ground.file();
    let told = run_postern(&["serve", "--config", word(&file)]).await.refusal();
    assert!(told.contains("line 5: there is no key listen.submision; did you mean listen.submission?"), "{told}");
    let checked = run_postern(&["config", "check", word(&file)]).await;
    assert_eq!(checked.code, 1, "{checked:?}");
    let wrong: Vec<&str> = checked.out.lines().filter(|line| line.starts_with("wrong")).collect();
    assert!(wrong.len() == 2 && wrong[1].contains("line 6: listen.http: \"nowhere\""), "{checked:?}");
    assert!(checked.err.contains("2 things are wrong"), "{checked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_validates_without_starting_and_show_says_where_each_value_comes_from() {
    let ground = Ground::new();
    ground.certify(&TestCa::new());
    let data = ground.folder.path().join("data");
    let store = "postgres://node:hunter2@db.example/mail";
    ground.write(&format!(
        "[node]\ndata = {:?}\n[store]\nurl = \"{store}\"\n[delivery]\nmx_port = 2525\nconnections = 9\n",
        word(&data)
    ));
    let file = ground.file();
    let checked = run_postern(&["config", "check", word(&file)]).await.good();
    assert!(checked.contains("will be made") && checked.contains(" fit"), "{checked}");
    assert!(checked.contains("warning") && checked.contains("store.url_file"), "{checked}");
    assert!(!checked.contains("hunter2") && !data.exists(), "{checked}");
    let shown =
        shown(&["POSTERN_MX_PORT=2526", "POSTERN_CONNECTIONS=10"], &file, &["--connections", "11"]).await.good();
    for line in [
        "mx_port = 2526  # variable POSTERN_MX_PORT",
        "connections = 11  # flag --connections",
        "site_connections = 20  # default",
        "url = \"postgres://node@db.example/mail\"  # file, line 7",
    ] {
        assert!(shown.lines().any(|one| one == line), "{line}: {shown}");
    }
    assert!(!shown.contains("hunter2"));
    // Twin: a file that is not there is named.
    let told = run_postern(&["config", "check", "not-there.toml"]).await.refusal();
    assert!(told.contains("cannot read not-there.toml"), "{told}");
}

/// `postern config show` with these variables.
async fn shown(variables: &[&str], file: &Path, further: &[&str]) -> Said {
    let mut words = variables.to_vec();
    words.extend([word(postern()), "config", "show", word(file)]);
    words.extend(further);
    run("env", &words).await
}

/// What a node on the folder of a demo answers when it says that it stands there.
async fn told_where(demo: &mut Demo, key: &str, region: &str) -> (u16, String) {
    demo.place.command = "serve";
    demo.place.further = vec!["--region".to_owned(), region.to_owned()];
    demo.restart().await;
    let authorization = format!("Bearer {key}");
    let body = message("transactional", "ada@dest.example", "where").to_string();
    let door = Http::plain(demo.address("http"));
    let answer = door.post_json("/v1/messages", &[("Authorization", authorization.as_str())], &body).await.unwrap();
    assert!(demo.terminate().await.success());
    (answer.status, answer.text())
}

#[tokio::test(flavor = "multi_thread")]
async fn gdpr_28_3_a_a_node_elsewhere_takes_nothing_in_and_says_that_it_is_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(Place::below(folder.path())).await;
    let key = demo.text("/api_key").to_owned();
    assert!(demo.terminate().await.success());
    let (status, text) = told_where(&mut demo, &key, "US").await;
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("terms-not-kept") && text.contains("--region"), "{text}");
    // Twin: where the instruction allows it, the same message is taken in.
    let (status, text) = told_where(&mut demo, &key, "DE").await;
    assert_eq!(status, 202, "{text}");
}
