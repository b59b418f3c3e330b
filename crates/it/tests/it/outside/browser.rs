//! The mailbox in a browser: a hostile message is shown, does nothing, and asks nobody for anything.

use super::harness::tools::{run, word};
use super::harness::{Demo, Place};
use parking_lot::Mutex;
use serde_json::json;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use testkit::http::Http;
use testkit::within;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A place that others want to be asked; it writes down what is asked for.
struct Canary {
    address: SocketAddr,
    listening: JoinHandle<Vec<String>>,
}

/// The request that ends a canary's work.
const LAST: &str = "GET /last HTTP/1.1";

impl Canary {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { address, listening: tokio::spawn(listen(listener)) }
    }

    /// Everything that it was asked for, connections without a word included. They are taken in the order in which they
    /// came: who has come before this call is in the list.
    async fn asked(self) -> Vec<String> {
        Http::plain(self.address).get("/last", &[]).await.unwrap();
        let mut asked = within("the canary", self.listening).await.unwrap();
        asked.retain(|line| line != LAST);
        asked
    }
}

async fn listen(listener: TcpListener) -> Vec<String> {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let mut connections = JoinSet::new();
    while !asked.lock().iter().any(|line| line == LAST) {
        tokio::select! {
            accepted = listener.accept() => connections.spawn(answer(accepted.unwrap().0, Arc::clone(&asked))),
            Some(_) = connections.join_next() => continue,
        };
    }
    // The browser has ended by now, and its connections with it.
    connections.join_all().await;
    Arc::try_unwrap(asked).unwrap().into_inner()
}

async fn answer(mut stream: TcpStream, asked: Arc<Mutex<Vec<String>>>) {
    let mut request = [0; 4096];
    let octets = stream.read(&mut request).await.unwrap_or_default();
    let line = String::from_utf8_lossy(&request[..octets]).lines().next().unwrap_or_default().to_owned();
    let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
    asked.lock().push(line);
}

/// Everything a message may try in order to run, to be seen, or to send the reader elsewhere.
fn hostile(canary: &Canary) -> String {
    let away = format!("http://{}", canary.address);
    format!(
        r##"<html><head><title>harmless</title>
<base href="{away}/base/"><link rel="stylesheet" href="{away}/style"><link rel="prefetch" href="{away}/prefetch">
<link rel="preconnect" href="{away}"><link rel="dns-prefetch" href="{away}"><link rel="icon" href="{away}/icon">
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
    // What the browser does with it when nobody restrains it: only then does silence later mean anything.
    let canary = Canary::start().await;
    let bare = folder.path().join("bare.html");
    // Leaving the page would take the traces of its scripts with it.
    let loose = hostile(&canary).replace("submit()", "reset()").replace("http-equiv=\"refresh\"", "");
    fs::write(&bare, loose).unwrap();
    let seen = dom(&format!("file://{}", word(&bare)), &profile).await;
    assert!(seen.contains("PWNED") && seen.contains("SCRIPT RAN"), "{seen}");
    let asked = canary.asked().await;
    assert!(asked.iter().any(|line| line.starts_with("GET /fetch")), "{asked:?}");
    assert!(asked.iter().any(|line| line.starts_with("GET /pixel")), "{asked:?}");

    let canary = Canary::start().await;
    let demo = Demo::start(Place::below(folder.path())).await;
    let sent = json!({
        "stream": "transactional", "from": {"email": "shop@sample.example"}, "to": [{"email": "ada@dest.example"}],
        "subject": "A <b>bold</b> subject <script>document.title = 'PWNED'</script>", "html": hostile(&canary),
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
    let asked = canary.asked().await;
    assert!(asked.is_empty(), "somebody was asked for something: {asked:?}");
}
