//! `postern demo` or `postern serve` as a process of its own: started, asked, killed, ended, started again.

use super::binary::postern;
use super::database::{self, Engine};
use super::tools::word;
use super::until;
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use testkit::http::{Http, HttpAnswer};

/// Where and how a demo runs.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// For the demo file and what the node says.
    pub(crate) folder: PathBuf,
    /// Its data folder.
    pub(crate) data: PathBuf,
    /// First of its ports.
    pub(crate) base_port: u16,
    /// Instead of the built-in mailbox.
    pub(crate) sink: Option<SocketAddr>,
    /// The command: `demo`, or another that takes the same arguments.
    pub(crate) command: &'static str,
    /// Which engine it is to have.
    pub(crate) engine: Engine,
    /// Further arguments.
    pub(crate) further: Vec<String>,
    /// The command that enters the namespace in which the data folder is mounted, if it is.
    pub(crate) within: Vec<String>,
}

impl Place {
    /// Below a folder of the test's own, with ports of its own.
    pub(crate) fn below(folder: &Path) -> Self {
        let data = folder.join("data");
        Self {
            folder: folder.to_owned(),
            data,
            base_port: testkit::base_port(),
            sink: None,
            command: "demo",
            engine: Engine::OfTheRun,
            further: Vec::new(),
            within: Vec::new(),
        }
    }

    /// The same with its rows in the folder, whatever the run is about.
    pub(crate) fn on_sqlite(folder: &Path) -> Self {
        Self { engine: Engine::Sqlite, ..Self::below(folder) }
    }

    /// The file that tells where everything is.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.join("demo.json")
    }

    /// What the node says on standard error.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.folder.join("said")).unwrap_or_default()
    }

    fn spawn(&self) -> Child {
        let mut words = self.within.clone();
        words.push(word(postern()).to_owned());
        let (program, before) = words.split_first().expect("there is a program");
        let mut command = Command::new(program);
        command
            .env("POSTERN_LOG", "warn")
            .env("POSTERN_REGION", "EEA")
            .args(before)
            .arg(self.command)
            .arg("--quiet")
            .arg("--data")
            .arg(&self.data);
        command.args(database::arguments(&self.data));
        command.args(&self.further).arg("--base-port").arg(self.base_port.to_string()).arg("--json").arg(self.file());
        if let Some(sink) = self.sink {
            command.arg("--sink").arg(sink.to_string());
        }
        let said = OpenOptions::new().append(true).create(true).open(self.folder.join("said")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn().expect("the node can be started")
    }
}

/// A demo that runs, or did. Dropping it kills it.
pub(crate) struct Demo {
    pub(crate) place: Place,
    pub(crate) child: Child,
    /// The demo file.
    pub(crate) told: Value,
}

impl Demo {
    /// Starts a node and waits for its file.
    pub(crate) async fn start(place: Place) -> Self {
        let _ = fs::remove_file(place.file());
        if place.engine == Engine::OfTheRun && !place.further.iter().any(|word| word == "--store") {
            database::provide(&place.data).await;
        }
        let child = place.spawn();
        let mut demo = Self { place, child, told: Value::Null };
        demo.wait_for_file().await;
        demo
    }

    async fn wait_for_file(&mut self) {
        let file = self.place.file();
        self.told = until("the demo file", async || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the node ended with {status}: {}", self.place.said());
            }
            // It comes by a rename: whoever sees it sees all of it.
            fs::read(&file).ok().map(|octets| serde_json::from_slice(&octets).expect("the demo file is whole"))
        })
        .await;
    }

    /// SIGKILL, and nothing of it is left when this returns.
    pub(crate) fn kill9(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end.
    pub(crate) fn ask_to_end(&self) {
        self.signal("TERM");
    }

    /// SIGHUP: it reads its settings again.
    pub(crate) fn reload(&self) {
        self.signal("HUP");
    }

    /// SIGSTOP: it hangs, its connections stay open and say nothing.
    pub(crate) fn halt(&self) {
        self.signal("STOP");
    }

    /// SIGCONT after [`Self::halt`].
    pub(crate) fn go_on(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        // This process is our child, and is not waited for yet: its id is nobody else's.
        let status = Command::new("sh").args(["-c", "kill -\"$1\" \"$2\"", "sh", name, &id]).status().unwrap();
        assert!(status.success(), "the node was gone already: {}", self.place.said());
    }

    /// How it ended, once it has.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        until("the node to end", async || self.child.try_wait().unwrap()).await
    }

    /// SIGTERM, to the end.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        self.ask_to_end();
        self.ended().await
    }

    /// Starts again on the same folder and ports; it must have ended.
    pub(crate) async fn restart(&mut self) {
        let _ = fs::remove_file(self.place.file());
        self.child = self.place.spawn();
        self.wait_for_file().await;
    }

    /// What it says when it does not start again.
    pub(crate) async fn refused(&mut self) -> String {
        let before = self.place.said().len();
        self.child = self.place.spawn();
        assert!(!self.ended().await.success(), "it was to be refused");
        self.place.said().split_off(before)
    }

    /// A text of the demo file, by its pointer.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        let text = self.told.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("the demo file has no text {pointer}: {}", self.told))
    }

    /// The address of a listener, by its name in the demo file.
    pub(crate) fn address(&self, name: &str) -> SocketAddr {
        let text = self.text(&format!("/{name}"));
        let address = text.rsplit_once('/').map_or(text, |(_, address)| address);
        address.parse().unwrap_or_else(|_| panic!("{name} is at {text}, which is no address"))
    }

    /// The folder of the controller's log.
    pub(crate) fn log(&self) -> PathBuf {
        self.place.data.join("ledger").join(self.text("/controller"))
    }

    fn key(&self) -> String {
        format!("Bearer {}", self.text("/api_key"))
    }

    /// POST /v1/messages.
    pub(crate) async fn post(&self, message: &Value) -> HttpAnswer {
        let api = Http::plain(self.address("http"));
        let answer = api.post_json("/v1/messages", &[("Authorization", &self.key())], &message.to_string()).await;
        answer.unwrap_or_else(|error| panic!("no answer to a message: {error}: {}", self.place.said()))
    }

    /// Sends one over HTTP and returns its id.
    pub(crate) async fn send(&self, to: &str, subject: &str) -> String {
        let answer = self.post(&message("transactional", to, subject)).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        answer["results"][0]["id"].as_str().expect("what is queued has an id").to_owned()
    }

    /// GET /v1/messages/{id}.
    pub(crate) async fn message(&self, id: &str) -> Value {
        let api = Http::plain(self.address("http"));
        let path = format!("/v1/messages/{id}");
        let answer = api.get(&path, &[("Authorization", &self.key())]).await.unwrap();
        assert_eq!(answer.status, 200, "{id}: {}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// The same once the message is in this state.
    pub(crate) async fn message_in_state(&self, id: &str, state: &str) -> Value {
        until(&format!("{id} to be {state}"), async || {
            let message = self.message(id).await;
            (message["state"] == state).then_some(message)
        })
        .await
    }

    /// A page or file of the mailbox.
    pub(crate) async fn mailbox(&self, path: &str) -> Vec<u8> {
        let answer = Http::plain(self.address("mailbox_http")).get(path, &[]).await.unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.body
    }

    /// One line for each message in the mailbox, newest first.
    pub(crate) async fn list(&self) -> Vec<Value> {
        let mut list: Value = serde_json::from_slice(&self.mailbox("/api/messages").await).unwrap();
        serde_json::from_value(list["messages"].take()).unwrap()
    }

    /// The message with this subject to this person, once it is in the mailbox.
    pub(crate) async fn arrived_for(&self, address: &str, subject: &str) -> Value {
        let number = until(&format!("{subject:?} for {address}"), async || {
            let list = self.list().await;
            let mine = list.iter().find(|line| line["subject"] == subject && is_to(line, address));
            mine.and_then(|line| line["number"].as_u64())
        })
        .await;
        serde_json::from_slice(&self.mailbox(&format!("/api/messages/{number}")).await).unwrap()
    }

    /// The message with this subject, once it is in the mailbox.
    pub(crate) async fn arrived(&self, subject: &str) -> Value {
        let number = until(&format!("{subject:?} in the mailbox"), async || {
            self.list().await.iter().find(|line| line["subject"] == subject).and_then(|line| line["number"].as_u64())
        })
        .await;
        serde_json::from_slice(&self.mailbox(&format!("/api/messages/{number}")).await).unwrap()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Both fail when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Is a line of the mailbox of a message to this address?
pub(crate) fn is_to(line: &Value, address: &str) -> bool {
    line["to"].as_str().is_some_and(|to| to.contains(address))
}

/// A small message as JSON.
pub(crate) fn message(stream: &str, to: &str, subject: &str) -> Value {
    json!({
        "stream": stream, "from": {"email": "shop@sample.example"}, "to": [{"email": to}],
        "subject": subject, "text": "Thank you.",
    })
}
