//! Every dialogue of `tests/dialogues`, over real sockets, against a listener whose door is a script.
//!
//! The script accepts everything but senders and recipients named `refused…`, and messages to one named `later…`,
//! which it refuses at the end of the data.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use mail::address::{Address, Domain};
use mail::reply::Reply;
use mail::server::BareNewlines;
use parking_lot::Mutex;
use smtpd::connections::Bounds;
use smtpd::{Attempt, Connections, Door, Kind, Listener, Recipient, Sender, Settings, Tls, Trace, Verdict};
use testkit::dialogue::{Dialogue, Scene, Taken};
use testkit::tls::TestCa;

const CREDENTIAL: (&str, &str) = ("shop", "right horse");

/// Decides by name, and keeps what it took.
#[derive(Default)]
struct ScriptedDoor {
    taken: Mutex<Vec<Taken>>,
}

impl Door for ScriptedDoor {
    type Session = Vec<Address>;

    fn open(&self, _peer: SocketAddr) -> Result<Self::Session, Reply> {
        Ok(Vec::new())
    }

    async fn authenticate(&self, _session: &mut Self::Session, attempt: Attempt) -> Verdict {
        let (username, password) = CREDENTIAL;
        if attempt.authzid.is_none() && attempt.username == username && attempt.password.reveal() == password {
            Verdict::Accept(Reply::authenticated())
        } else {
            Verdict::Refuse(Reply::new(535, (5, 7, 8), "authentication failed"))
        }
    }

    async fn mail(&self, session: &mut Self::Session, sender: Sender) -> Verdict {
        session.clear();
        match sender.reverse_path.address() {
            Some(address) if address.local().starts_with("refused") => {
                Verdict::Refuse(Reply::new(550, (5, 7, 1), "sender refused"))
            }
            _ => Verdict::Accept(Reply::sender_accepted()),
        }
    }

    async fn recipient(&self, session: &mut Self::Session, recipient: Recipient) -> Verdict {
        let address = recipient.address;
        if address.local().starts_with("refused") {
            return Verdict::Refuse(Reply::new(550, (5, 7, 1), "recipient refused"));
        }
        session.push(address);
        Verdict::Accept(Reply::recipient_accepted())
    }

    async fn message(&self, session: &mut Self::Session, content: Bytes, trace: Trace<'_>) -> Verdict {
        let to: Vec<Address> = std::mem::take(session);
        if to.iter().any(|address| address.local().starts_with("later")) {
            return Verdict::Refuse(Reply::new(550, (5, 7, 1), "message refused"));
        }
        assert!(trace.hello.is_some());
        let to = to.iter().map(Address::to_wire).collect();
        self.taken.lock().push(Taken { to, content: content.to_vec() });
        let how = if trace.tls == Tls::Yes { "with TLS" } else { "in clear" };
        Verdict::Accept(Reply::new(250, (2, 0, 0), format!("queued as msg_test {how}")))
    }

    fn reset(&self, session: &mut Self::Session) {
        session.clear();
    }
}

fn settings(dialogue: &Dialogue, ca: &TestCa) -> Result<Settings, String> {
    let kind = match dialogue.listener.as_str() {
        "submission" => Kind::Submission,
        "tls" => Kind::SubmissionTls,
        "trusted" => Kind::Trusted,
        "open" => Kind::Open,
        other => return Err(format!("no listener {other}")),
    };
    let hostname = Domain::parse("mx.sample.example").map_err(|error| error.to_string())?;
    let tls = (kind != Kind::Open).then(|| ca.server(&["localhost"]));
    let mut settings = Settings::new(kind, hostname, tls, Connections::new(Bounds::default()));
    settings.limits.recipients_max = 100;
    settings.limits.message_octets_max = 100_000;
    for (name, value) in &dialogue.settings {
        let number = || value.parse::<usize>().map_err(|error| error.to_string());
        match name.as_str() {
            "message_octets_max" => settings.limits.message_octets_max = number()?,
            "errors_max" => settings.limits.errors_max = u32::try_from(number()?).map_err(|error| error.to_string())?,
            "bare_newlines" if value == "normalise" => settings.bare_newlines = BareNewlines::Normalise,
            other => return Err(format!("no setting {other}")),
        }
    }
    Ok(settings)
}

async fn hold(path: &Path, ca: &TestCa) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let dialogue = Dialogue::parse(&text)?;
    let door = Arc::new(ScriptedDoor::default());
    let settings = settings(&dialogue, ca)?;
    let implicit_tls = settings.kind == Kind::SubmissionTls;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = Listener::bind(address, settings, Arc::clone(&door)).await.map_err(|error| error.to_string())?;
    let taken = || door.taken.lock().clone();
    let scene = Scene {
        peer: listener.local_addr(),
        implicit_tls,
        tls: ("localhost", ca.client()),
        credential: CREDENTIAL,
        taken: Some(&taken),
    };
    dialogue.run(&scene).await
}

fn files() -> std::io::Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/dialogues");
    let mut files = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<PathBuf>>>()?;
    files.retain(|path| path.extension().is_some_and(|end| end == "smtp"));
    files.sort();
    Ok(files)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_dialogue_goes_as_written() {
    let files = files().unwrap();
    assert!(files.len() >= 20, "only {} dialogues were found", files.len());
    let ca = TestCa::new();
    let mut faults = Vec::new();
    for path in &files {
        if let Err(fault) = hold(path, &ca).await {
            faults.push(format!("{}: {fault}", path.file_name().unwrap_or_default().to_string_lossy()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test]
async fn a_dialogue_that_goes_otherwise_is_noticed() {
    let ca = TestCa::new();
    let folder = std::env::temp_dir().join(format!("postern-dialogue-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (text, fault) in [
        ("S: 220\nC: NOOP\nS: 251\n", "line 3: expected \"251\""),
        ("S: 220\nGOT: 1\n", "line 2: 0 messages were taken"),
        ("S: 220\nC: QUIT\nCLOSE\n", "line 3: before closing the server said"),
    ] {
        let path = folder.join("wrong.smtp");
        std::fs::write(&path, text).unwrap();
        let said = hold(&path, &ca).await.unwrap_err();
        assert!(said.starts_with(fault), "{said}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
