//! The mailbox in a browser: a hostile message is shown, does nothing, and asks nobody for anything.

use super::harness::tools::{run, word};
use super::harness::{Demo, Place};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A page that others want to be asked for; it counts who asks.
struct Canary {
    port: u16,
    asked: Arc<AtomicU64>,
}

impl Canary {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    let _ = stream.read(&mut request).await;
                    let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await;
                });
            }
        });
        Self { port, asked }
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Everything a message may try in order to run, to be seen, or to send the reader elsewhere.
fn hostile(port: u16) -> String {
    let away = format!("http://127.0.0.1:{port}");
    format!(
        r##"<html><head><title>harmless</title>
<base href="{away}/base/"><link rel="stylesheet" href="{away}/style"><link rel="prefetch" href="{away}/prefetch">
<style>@import url("{away}/import"); body {{ background: url("{away}/background") }}</style>
<meta http-equiv="refresh" content="0; url={away}/refresh">
<script>document.title = "PWNED"; fetch("{away}/fetch"); new Image().src = "{away}/image"</script>
<script src="{away}/script"></script></head>
<body onload="document.title = 'PWNED'; document.forms[0].submit()">
<p id="words">Good day, this is the message.</p>
<img src="{away}/pixel" onerror="document.body.append('SCRIPT RAN')">
<svg onload="document.body.append('SCRIPT RAN')"></svg>
<iframe src="{away}/frame"></iframe><object data="{away}/object"></object>
<video src="{away}/video" autoplay></video>
<form action="{away}/form" method="get"><input name="q" value="1" autofocus></form>
<script>document.body.append("SCRIPT " + "RAN"); document.forms[0].submit()</script>
</body></html>"##
    )
}

/// The document as Chromium has it after loading.
async fn dom(url: &str, profile: &Path) -> String {
    let profile = format!("--user-data-dir={}", word(profile));
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--virtual-time-budget=3000",
        &profile,
        "--dump-dom",
        url,
    ];
    run("chromium", &arguments).await.good()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_message_is_shown_and_does_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("profile");
    let canary = Canary::start().await;
    let html = hostile(canary.port);
    // What the browser does with it when nobody restrains it: only then does silence later mean anything.
    let bare = folder.path().join("bare.html");
    // Leaving the page would take the traces of its scripts with it.
    fs::write(&bare, html.replace("submit()", "reset()").replace("http-equiv=\"refresh\"", "")).unwrap();
    let seen = dom(&format!("file://{}", word(&bare)), &profile).await;
    assert!(seen.contains("PWNED") && seen.contains("SCRIPT RAN"), "{seen}");
    let asked = canary.asked();
    assert!(asked >= 3, "the canary was asked {asked} times");

    let demo = Demo::start(Place::below(folder.path())).await;
    let sent = json!({
        "stream": "transactional", "from": {"email": "shop@sample.example"}, "to": [{"email": "ada@dest.example"}],
        "subject": "A <b>bold</b> subject <script>document.title = 'PWNED'</script>", "html": html,
    });
    let answer = demo.post(&sent).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    demo.arrived(sent["subject"].as_str().unwrap()).await;

    let mailbox = demo.text("/mailbox_http").to_owned();
    let list = dom(&format!("{mailbox}/"), &profile).await;
    assert!(list.contains("A &lt;b&gt;bold&lt;/b&gt; subject"), "{list}");
    assert!(list.contains("href=\"/messages/1\""), "{list}");
    let page = dom(&format!("{mailbox}/messages/1"), &profile).await;
    assert!(page.contains("A &lt;b&gt;bold&lt;/b&gt; subject"), "{page}");
    assert!(page.contains("<iframe sandbox=\"\" src=\"/messages/1/frame\""), "{page}");
    let frame = dom(&format!("{mailbox}/messages/1/frame"), &profile).await;
    assert!(frame.contains("Good day, this is the message."), "{frame}");
    assert!(frame.contains("<title>harmless</title>"), "{frame}");
    let source = dom(&format!("{mailbox}/messages/1?show=source"), &profile).await;
    assert!(source.contains("&lt;script&gt;") || source.contains("DKIM-Signature"), "{source}");
    for shown in [&list, &page, &source] {
        assert!(!shown.contains("<script"), "a script of a stranger is in our page: {shown}");
        assert!(!shown.contains("<title>PWNED"), "{shown}");
    }
    // In its frame its scripts stand, and have not run.
    assert!(!frame.contains("SCRIPT RAN<") && !frame.contains("<title>PWNED"), "{frame}");
    assert!(!frame.contains("SCRIPT RAN</body>"), "{frame}");
    assert_eq!(canary.asked(), asked, "somebody was asked for something");
}
