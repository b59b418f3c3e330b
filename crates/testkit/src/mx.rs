//! A receiving mail server on loopback that keeps what it got and behaves as a test tells it.
//!
//! What it does is set by recipient ([`Conduct`]), by connection ([`Manners`]), and by holds ([`FakeMx::hold`]) at
//! which replies wait until a test lets them go. Changes count for the next connection, command or message.
//! Invariant: a message is kept only if it ended with CRLF.CRLF. Standards: RFC 5321, 3207, 2920.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::tls::{Leaf, TestCa};
use crate::wait::within;

mod conversation;
#[cfg(test)]
mod tests;

/// A message that was received whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The argument of MAIL FROM, without brackets.
    pub from: String,
    /// Accepted recipients, without brackets.
    pub to: Vec<String>,
    /// The message, dots of transparency undone.
    pub content: Vec<u8>,
    /// Whether it came within TLS.
    pub tls: bool,
    /// Argument of EHLO or HELO.
    pub hello: String,
    /// Parameters after the path of MAIL, such as `BODY=8BITMIME`.
    pub parameters: String,
    /// What stood behind the path of RCPT, for each of [`Received::to`].
    pub to_parameters: Vec<String>,
    /// Which connection it came over, counted from 1.
    pub connection: u64,
    /// The address that the sender connected from.
    pub peer: IpAddr,
    /// Whether the reply to its final dot was positive, and was sent.
    pub outcome: Outcome,
    /// When its final dot was read: a moment of the monotonic [`crate::SystemClock`].
    pub at: Duration,
}

/// A transaction that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// The argument of MAIL FROM, without brackets.
    pub from: String,
    /// Which connection it came over, counted from 1.
    pub connection: u64,
    /// When the command was read: a moment of the monotonic [`crate::SystemClock`].
    pub at: Duration,
}

/// What the sender was told about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// 250.
    Accepted,
    /// 4xx or 5xx.
    Refused,
    /// The connection was cut after the final dot.
    Cut,
}

impl Received {
    /// The content as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.content).into_owned()
    }
}

/// How a recipient's mail is treated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conduct {
    /// 250.
    Accept,
    /// A reply such as `(451, "4.2.1 busy")` at a stage.
    Answer {
        /// When.
        stage: Stage,
        /// 4xx or 5xx.
        code: u16,
        /// What follows the code.
        text: String,
    },
    /// 354, then the connection is cut when content comes.
    CutBeforeDot,
    /// The message is read whole and kept, then the connection is cut without a reply.
    CutAfterDot,
}

/// Where a reply can be refused or held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// 220 of the connection.
    Greeting,
    /// MAIL.
    Mail,
    /// RCPT.
    Recipient,
    /// DATA: 354.
    Data,
    /// The final dot.
    EndOfData,
}

impl Conduct {
    /// Not now, at RCPT.
    #[must_use]
    pub fn defer(code: u16, text: &str) -> Self {
        Self::Answer { stage: Stage::Recipient, code, text: text.to_owned() }
    }

    /// Never, at RCPT: `reject(550, "5.1.1", "no such mailbox")`.
    #[must_use]
    pub fn reject(code: u16, enhanced: &str, text: &str) -> Self {
        Self::Answer { stage: Stage::Recipient, code, text: format!("{enhanced} {text}") }
    }

    /// The same reply at another stage.
    #[must_use]
    pub fn at(self, stage: Stage) -> Self {
        match self {
            Self::Answer { code, text, .. } => Self::Answer { stage, code, text },
            other => other,
        }
    }
}

/// Whether TLS is offered, and whether it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartTls {
    /// Not announced.
    Off,
    /// Announced and working; the certificate is of this server's own authority.
    On,
    /// Announced, then 454.
    Refused,
    /// Announced, 220, then octets that are no TLS.
    Broken,
}

/// How connections are treated that begin from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manners {
    /// TLS.
    pub starttls: StartTls,
    /// PIPELINING is announced.
    pub pipelining: bool,
    /// 8BITMIME is announced.
    pub eight_bit: bool,
    /// EHLO is known; otherwise 500, and HELO remains.
    pub extended: bool,
    /// Instead of 220, then the connection is closed: `(421, "4.3.2 busy")`.
    pub greeting: Option<(u16, String)>,
    /// Before each reply.
    pub delay: Duration,
    /// Further lines of the reply to EHLO. With `CHUNKING` BDAT is known, else it is not.
    pub keywords: Vec<&'static str>,
    /// After so many messages MAIL is answered with 421 and the connection closed.
    pub messages_max: u64,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            starttls: StartTls::Off,
            pipelining: true,
            eight_bit: true,
            extended: true,
            greeting: None,
            delay: Duration::ZERO,
            keywords: Vec::new(),
            messages_max: u64::MAX,
        }
    }
}

/// What has happened so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections accepted.
    pub connections: u64,
    /// Of them, still open.
    pub open: u64,
    /// The most that were open at once.
    pub open_at_once: u64,
    /// Connections by the address that they came from: those that are open, and the most that were at once.
    pub peers: HashMap<IpAddr, (u64, u64)>,
    /// TLS handshakes that succeeded.
    pub handshakes: u64,
    /// MAIL commands.
    pub mails: u64,
    /// RCPT commands, by recipient.
    pub recipients: HashMap<String, u64>,
    /// When the last of them came, by recipient: a moment of the monotonic [`crate::SystemClock`].
    pub latest: HashMap<String, Duration>,
    /// DATA commands that were answered with 354.
    pub contents: u64,
}

#[derive(Debug)]
struct State {
    received: Vec<Received>,
    begun: Vec<Begun>,
    counts: Counts,
    manners: Manners,
    standing: HashMap<String, Conduct>,
    next: HashMap<String, VecDeque<Conduct>>,
    otherwise: Conduct,
    /// Replies that wait now, by where.
    waiting: HashMap<Place, u64>,
    holds: HashMap<Place, watch::Receiver<bool>>,
}

/// Where a reply is held: at a stage, of every transaction or of those of one recipient.
type Place = (Stage, Option<String>);

/// State, and a bell that rings when it changes.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
    tls: Mutex<Arc<ServerConfig>>,
}

impl Shared {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let outcome = change(&mut self.state.lock());
        self.changed.send_modify(|version| *version += 1);
        outcome
    }
}

/// The server. Dropping it ends it and cuts its connections.
pub struct FakeMx {
    address: SocketAddr,
    shared: Arc<Shared>,
    ca: TestCa,
    task: JoinHandle<()>,
}

impl FakeMx {
    /// Listens on a free port of 127.0.0.1 and accepts everything.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start() -> io::Result<Self> {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    /// The same at a given address: several servers of one site share a port on 127.0.0.1, 127.0.0.2 and so on.
    ///
    /// # Errors
    /// When the address is taken.
    pub async fn start_at(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let ca = TestCa::new();
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                received: Vec::new(),
                begun: Vec::new(),
                counts: Counts::default(),
                manners: Manners::default(),
                standing: HashMap::new(),
                next: HashMap::new(),
                otherwise: Conduct::Accept,
                waiting: HashMap::new(),
                holds: HashMap::new(),
            }),
            changed: watch::Sender::new(0),
            tls: Mutex::new(ca.server(&["localhost", "mx.dest.example", "127.0.0.1"])),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, ca, task })
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The authority of its certificate for `localhost`, `mx.dest.example` and 127.0.0.1.
    #[must_use]
    pub const fn ca(&self) -> &TestCa {
        &self.ca
    }

    /// From now on this certificate is shown, with its chain.
    pub fn present(&self, leaf: Leaf) {
        *self.shared.tls.lock() = leaf.server();
    }

    /// Changes how connections are treated that begin from now on.
    pub fn manners(&self, change: impl FnOnce(&mut Manners)) {
        self.shared.change(|state| change(&mut state.manners));
    }

    /// From now on this recipient's mail is treated so.
    pub fn treat(&self, recipient: &str, conduct: Conduct) {
        self.shared.change(|state| state.standing.insert(recipient.to_ascii_lowercase(), conduct));
    }

    /// The next attempt for this recipient is treated so; several of these form a queue before [`FakeMx::treat`].
    pub fn treat_next(&self, recipient: &str, conduct: Conduct) {
        self.shared.change(|state| state.next.entry(recipient.to_ascii_lowercase()).or_default().push_back(conduct));
    }

    /// Recipients of whom nothing was said are treated so.
    pub fn treat_others(&self, conduct: Conduct) {
        self.shared.change(|state| state.otherwise = conduct);
    }

    /// From now on every reply at this stage waits until the hold is released or dropped.
    #[must_use = "a hold ends when it is dropped"]
    pub fn hold(&self, stage: Stage) -> Hold {
        self.hold_at((stage, None))
    }

    /// The same for transactions of one recipient, from RCPT on.
    #[must_use = "a hold ends when it is dropped"]
    pub fn hold_for(&self, stage: Stage, recipient: &str) -> Hold {
        self.hold_at((stage, Some(recipient.to_ascii_lowercase())))
    }

    fn hold_at(&self, place: Place) -> Hold {
        let (release, held) = watch::channel(true);
        self.shared.change(|state| state.holds.insert(place.clone(), held));
        Hold { place, release, shared: Arc::clone(&self.shared) }
    }

    /// Messages so far, in the order of their final dots.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.state.lock().received.clone()
    }

    /// Transactions so far, in the order of their MAIL commands.
    #[must_use]
    pub fn begun(&self) -> Vec<Begun> {
        self.shared.state.lock().begun.clone()
    }

    /// Counts so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.state.lock().counts.clone()
    }

    /// Waits for `count` messages in all.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        self.wait_until(&format!("{count} messages"), |received, _| {
            (received.len() >= count).then(|| received.to_vec())
        })
        .await
    }

    /// Waits for `count` messages in all that list this recipient and were accepted.
    pub async fn wait_for_recipient(&self, recipient: &str, count: usize) -> Vec<Received> {
        self.wait_until("messages to one recipient", |received, _| {
            let his: Vec<Received> = received
                .iter()
                .filter(|message| message.outcome == Outcome::Accepted)
                .filter(|message| message.to.iter().any(|to| to.eq_ignore_ascii_case(recipient)))
                .cloned()
                .collect();
            (his.len() >= count).then_some(his)
        })
        .await
    }

    /// Waits until RCPT came `count` times in all for this recipient: attempts, refused ones included.
    pub async fn wait_for_attempts(&self, recipient: &str, count: u64) {
        let recipient = recipient.to_ascii_lowercase();
        self.wait_until("attempts for one recipient", |_, counts| {
            (counts.recipients.get(&recipient).copied().unwrap_or(0) >= count).then_some(())
        })
        .await;
    }

    /// Waits for anything that can be seen in messages and counts.
    ///
    /// # Panics
    /// When it is not so within [`crate::WAIT_MAX`].
    pub async fn wait_until<T>(&self, what: &str, mut look: impl FnMut(&[Received], &Counts) -> Option<T>) -> T {
        let mut changed = self.shared.changed.subscribe();
        within(what, async {
            loop {
                changed.borrow_and_update();
                let seen = {
                    let state = self.shared.state.lock();
                    look(&state.received, &state.counts)
                };
                if let Some(seen) = seen {
                    return seen;
                }
                // The sender lives in `self`, so this cannot fail.
                let _ = changed.changed().await;
            }
        })
        .await
    }
}

impl Drop for FakeMx {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Replies of one stage wait while this lives.
#[derive(Debug)]
pub struct Hold {
    place: Place,
    release: watch::Sender<bool>,
    shared: Arc<Shared>,
}

impl Hold {
    /// How many replies wait here now.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.shared.state.lock().waiting.get(&self.place).copied().unwrap_or(0)
    }

    /// Waits until so many replies wait here at once.
    pub async fn reached(&self, count: u64) {
        let mut changed = self.shared.changed.subscribe();
        within("replies to be held", async {
            loop {
                changed.borrow_and_update();
                if self.waiting() >= count {
                    return;
                }
                let _ = changed.changed().await;
            }
        })
        .await;
    }

    /// Lets go what waits, and all that comes later.
    pub fn release(self) {
        drop(self);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.release.send_replace(false);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((tcp, peer)) = listener.accept().await {
        let peer = peer.ip();
        while connections.try_join_next().is_some() {}
        let number = shared.change(|state| {
            let counts = &mut state.counts;
            counts.connections += 1;
            counts.open += 1;
            counts.open_at_once = counts.open_at_once.max(counts.open);
            let (open, most) = counts.peers.entry(peer).or_default();
            *open += 1;
            *most = (*most).max(*open);
            counts.connections
        });
        connections.spawn(conversation::serve(tcp, (number, peer), Arc::clone(&shared)));
    }
}
