//! `postern sendmail` as cron, PHP and git call it: to the demo's doors, and from there to its mailbox.

use super::harness::binary::postern;
use super::harness::{Demo, Place};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

const ADA: &str = "ada@dest.example";

/// How it ended, and what it complained of.
async fn sendmail(settings: &Path, words: &[&str], input: &str) -> (i32, String) {
    let program = settings.with_file_name("sendmail");
    if !program.exists() {
        symlink(postern(), &program).unwrap();
    }
    let (settings, input) = (settings.to_owned(), input.to_owned());
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let run = move || {
        let mut child = Command::new(program)
            .args(words)
            .env("POSTERN_SENDMAIL", settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that complains at once does not read.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn write(file: &Path, mode: u32, text: &str) {
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_programs_hand_over_arrives_by_login_and_by_trust_and_failures_have_codes_that_programs_know() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Demo::start(Place::below(folder.path())).await;
    let text = |name: &str| demo.text(name).to_owned();
    let from = "from = \"cron@sample.example\"\nlocal = \"ada@dest.example\"\n";
    let trusted = folder.path().join("trusted.toml");
    write(&trusted, 0o644, &format!("server = \"{}\"\n{from}", text("/trusted")));
    let login = folder.path().join("login.toml");
    let with = |password: &str| {
        format!(
            "server = \"{}\"\n{from}username = \"{}\"\npassword = \"{password}\"\nca = \"{}\"\n",
            text("/submission"),
            text("/smtp/username"),
            text("/ca")
        )
    };
    write(&login, 0o600, &with(&text("/smtp/password")));

    let cron = "From: \"(Cron Daemon)\" <root>\nTo: root\nSubject: from cron\n\n.\nout\n";
    let done = sendmail(&trusted, &["-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"], cron).await;
    assert_eq!(done, (0, String::new()));
    let arrived = demo.arrived("from cron").await;
    assert_eq!((&arrived["recipients"][0], &arrived["text"]), (&ADA.into(), &".\r\nout\r\n".into()), "{arrived}");
    assert_eq!(arrived["signatures"][0]["result"], "pass");

    let php =
        format!("To: Ada <{ADA}>\nBcc: bob@dest.example\nSubject: from PHP\nFrom: shop@sample.example\n\nHello\n");
    assert_eq!(sendmail(&login, &["-t", "-i"], &php).await, (0, String::new()));
    let arrived = demo.arrived_for(ADA, "from PHP").await;
    assert!(!arrived.to_string().contains("Bcc"), "{arrived}");
    let git = "From: Me <shop@sample.example>\nSubject: [PATCH] from git\n\n--- a\n+++ b\n";
    assert_eq!(sendmail(&login, &["-i", "-f", "shop@sample.example", ADA], git).await.0, 0);
    demo.arrived("[PATCH] from git").await;

    let suppressed = text("/suppressed");
    let (code, said) = sendmail(&login, &["-i", &suppressed], git).await;
    assert!(code == 69 && said.contains("550") && said.contains("suppressed"), "{code} {said}");
    assert_eq!(sendmail(&login, &["-i"], git).await.0, 64, "no recipient");
    assert_eq!(sendmail(&login, &["-Z"], git).await.0, 64);
    assert_eq!(sendmail(&login, &["-t"], "To: nobody, at all\n\n").await.0, 65);
    assert_eq!(sendmail(&login, &["-q"], "").await.0, 0);
    assert_eq!(sendmail(&folder.path().join("none.toml"), &[ADA], git).await.0, 78);
    let open = folder.path().join("open.toml");
    write(&open, 0o644, &with(&text("/smtp/password")));
    let (code, said) = sendmail(&open, &[ADA], git).await;
    assert!(code == 78 && said.contains("0644"), "{code} {said}");
    write(&login, 0o600, &with("wrong"));
    assert_eq!(sendmail(&login, &[ADA], git).await.0, 77);
    let untrusted = with(&text("/smtp/password")).replace(&format!("ca = \"{}\"\n", text("/ca")), "");
    write(&login, 0o600, &untrusted);
    assert_eq!(sendmail(&login, &[ADA], git).await.0, 75, "a certificate that does not hold");
    drop(demo);
    assert_eq!(sendmail(&trusted, &["root"], cron).await.0, 75, "nobody listens any more");
}
