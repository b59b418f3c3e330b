//! The built-in mailbox: a real SMTP server that keeps what arrives and checks its DKIM signatures.
//!
//! Kept as files, so that a second start shows them again; the newest in memory as well. Bounds: [`BOUNDS`].
//! It also shows what came to the inbound listener: reports, and letters to postmaster and abuse.

mod shelf;
#[cfg(test)]
mod tests;

use crate::files;
use bytes::Bytes;
use mail::address::ReversePath;
use mail::dkim::{self, TxtAnswer};
use mail::reply::Reply;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use shelf::{Bounds, Place, Shelf};
use smtpd::{Attempt, Door, Letter, Letters, Recipient, Sender, Tls, Trace, Verdict};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::Store;
use web::mailbox::{Arrived, Mailbox, SignatureVerdict, Summary};

/// How much is kept.
const BOUNDS: Bounds =
    Bounds { messages_max: 1_000, octets_max: 1024 * 1024 * 1024, memory_octets_max: 64 * 1024 * 1024 };

/// What arrived.
pub struct DemoMailbox {
    store: Arc<Store>,
    dir: PathBuf,
    /// TXT records of the sample's keys: the DNS of the demo.
    records: HashMap<String, String>,
    shelf: Mutex<Shelf>,
}

/// The envelope beside a kept message.
#[derive(Serialize, Deserialize)]
struct Envelope {
    at: i64,
    reverse_path: String,
    recipients: Vec<String>,
    tls: Option<String>,
}

impl DemoMailbox {
    /// Opens the folder and reads what is in it.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open(dir: &Path, store: Arc<Store>, records: HashMap<String, String>) -> anyhow::Result<Arc<Self>> {
        Self::open_within(BOUNDS, dir, store, records)
    }

    fn open_within(
        bounds: Bounds,
        dir: &Path,
        store: Arc<Store>,
        records: HashMap<String, String>,
    ) -> anyhow::Result<Arc<Self>> {
        files::folder(dir)?;
        let mailbox = Self { store, dir: dir.to_owned(), records, shelf: Mutex::new(Shelf::new(bounds)) };
        let mut numbers: Vec<u64> = std::fs::read_dir(dir)?
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".json")?.parse().ok())
            .collect();
        numbers.sort_unstable();
        for number in numbers {
            if let Some(arrived) = mailbox.read(number) {
                mailbox.keep(arrived);
            }
        }
        Ok(Arc::new(mailbox))
    }

    fn read(&self, number: u64) -> Option<Arrived> {
        let envelope: Envelope = serde_json::from_slice(&std::fs::read(self.file(number, "json")).ok()?).ok()?;
        let raw = Bytes::from(std::fs::read(self.file(number, "eml")).ok()?);
        let at = model::Timestamp::from_micros(envelope.at);
        let verdicts = self.verify(&raw, at);
        let Envelope { reverse_path, recipients, tls, .. } = envelope;
        Some(Arrived { number, at, reverse_path, recipients, raw, verdicts, tls })
    }

    fn file(&self, number: u64, kind: &str) -> PathBuf {
        self.dir.join(format!("{number:08}.{kind}"))
    }

    fn verify(&self, raw: &[u8], at: model::Timestamp) -> Vec<SignatureVerdict> {
        let lookup = |name: &str| TxtAnswer::from(self.records.get(&name.to_ascii_lowercase()).cloned());
        let now = u64::try_from(at.seconds()).unwrap_or_default();
        dkim::verify(raw, &lookup, now).into_iter().map(SignatureVerdict::from).collect()
    }

    fn keep(&self, arrived: Arrived) {
        let summary = Summary::of(&arrived);
        let gone = self.shelf.lock().put(summary, Arc::new(arrived));
        gone.into_iter().for_each(|number| self.forget(number));
    }

    fn forget(&self, number: u64) {
        for kind in ["json", "eml"] {
            if let Err(error) = std::fs::remove_file(self.file(number, kind)) {
                tracing::debug!(%error, "a kept message was gone already");
            }
        }
    }

    fn arrive(&self, session: Transaction, raw: Bytes, tls: Tls) -> std::io::Result<()> {
        let at = self.store.now();
        let number = self.shelf.lock().next_number();
        let tls = (tls == Tls::Yes).then(|| "TLS".to_owned());
        let Transaction { reverse_path, recipients } = session;
        let envelope = Envelope {
            at: at.micros(),
            reverse_path: reverse_path.clone(),
            recipients: recipients.clone(),
            tls: tls.clone(),
        };
        // The envelope last: a message is kept when both files are there.
        files::write_soon(&self.file(number, "eml"), &raw)?;
        files::write_soon(&self.file(number, "json"), &serde_json::to_vec(&envelope)?)?;
        let verdicts = self.verify(&raw, at);
        self.keep(Arrived { number, at, reverse_path, recipients, raw, verdicts, tls });
        Ok(())
    }
}

impl Mailbox for DemoMailbox {
    fn list(&self) -> Vec<Summary> {
        self.shelf.lock().list()
    }

    fn get(&self, number: u64) -> Option<Arc<Arrived>> {
        let place = self.shelf.lock().find(number)?;
        match place {
            Place::Memory(arrived) => Some(arrived),
            Place::Disk => self.read(number).map(Arc::new),
        }
    }

    fn clear(&self) {
        let gone = self.shelf.lock().clear();
        gone.into_iter().for_each(|number| self.forget(number));
    }
}

/// An SMTP door in front of a mailbox.
pub(super) struct MailboxDoor {
    pub(super) mailbox: Arc<DemoMailbox>,
}

/// What comes back is shown as well, after it was applied: the demo has no other postmaster.
impl Letters for DemoMailbox {
    fn keep(&self, letter: &Letter) -> std::io::Result<()> {
        let Letter { reverse_path, recipient, content, tls, .. } = letter.clone();
        self.arrive(Transaction { reverse_path, recipients: vec![recipient] }, content, tls)
    }
}

/// The open transaction of a connection.
#[derive(Default)]
pub(super) struct Transaction {
    reverse_path: String,
    recipients: Vec<String>,
}

impl Door for MailboxDoor {
    type Session = Transaction;

    fn open(&self, _peer: SocketAddr) -> Result<Transaction, Reply> {
        Ok(Transaction::default())
    }

    async fn authenticate(&self, _session: &mut Transaction, _attempt: Attempt) -> Verdict {
        Verdict::Refuse(Reply::new(503, (5, 5, 1), "no login here"))
    }

    async fn mail(&self, session: &mut Transaction, sender: Sender) -> Verdict {
        session.reverse_path = match &sender.reverse_path {
            ReversePath::Null => String::new(),
            ReversePath::Address(address) => address.to_wire(),
        };
        Verdict::Accept(Reply::sender_accepted())
    }

    async fn recipient(&self, session: &mut Transaction, recipient: Recipient) -> Verdict {
        let address = recipient.address;
        session.recipients.push(address.to_wire());
        Verdict::Accept(Reply::recipient_accepted())
    }

    async fn message(&self, session: &mut Transaction, content: Bytes, trace: Trace<'_>) -> Verdict {
        match self.mailbox.arrive(std::mem::take(session), content, trace.tls) {
            Ok(()) => Verdict::Accept(Reply::new(250, (2, 0, 0), "in the mailbox")),
            Err(error) => {
                tracing::warn!(%error, "the mailbox cannot keep a message");
                Verdict::Refuse(Reply::new(452, (4, 3, 1), "the mailbox cannot keep it now"))
            }
        }
    }

    fn reset(&self, session: &mut Transaction) {
        *session = Transaction::default();
    }
}
