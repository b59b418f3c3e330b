//! Clients of the trusted listener that send numbered messages, and books on what they were told about each.

use mail::reply::ReceivedReply;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use testkit::smtp::SmtpClient;
use tokio::task::JoinHandle;

/// A node that was killed is back within this time, or the load ends.
const BACK_WITHIN: Duration = Duration::from_secs(60);
/// Between two tries to connect.
const EVERY: Duration = Duration::from_millis(10);
/// Lines of a body, so that a message has about 1 KiB.
const LINES: u64 = 14;

/// What the clients were told, by number.
#[derive(Clone, Default, Debug)]
pub(crate) struct Books {
    /// 250 after the final dot, with the public id in it.
    pub(crate) answered: BTreeMap<u64, String>,
    /// The connection broke before any answer: it may have been taken or not.
    pub(crate) unanswered: BTreeSet<u64>,
    /// 4xx, with its line.
    pub(crate) put_off: BTreeMap<u64, String>,
    /// 5xx, with its line.
    pub(crate) refused: BTreeMap<u64, String>,
}

/// A load at work.
pub(crate) struct Load {
    shared: Arc<Shared>,
    sessions: Vec<JoinHandle<()>>,
}

struct Shared {
    trusted: SocketAddr,
    next: AtomicU64,
    end: u64,
    stopped: AtomicBool,
    books: Mutex<Books>,
}

impl Load {
    /// Begins to send the messages of these numbers over so many connections at once.
    pub(crate) fn start(trusted: SocketAddr, numbers: Range<u64>, sessions: usize) -> Self {
        let shared = Arc::new(Shared {
            trusted,
            next: AtomicU64::new(numbers.start),
            end: numbers.end,
            stopped: AtomicBool::new(false),
            books: Mutex::default(),
        });
        let sessions = (0..sessions).map(|_| tokio::spawn(session(Arc::clone(&shared)))).collect();
        Self { shared, sessions }
    }

    /// Sends them all, and says what came of each.
    pub(crate) async fn send(trusted: SocketAddr, numbers: Range<u64>, sessions: usize) -> Books {
        Self::start(trusted, numbers, sessions).finish().await
    }

    /// Messages with an answer of 250 so far.
    pub(crate) fn answered(&self) -> u64 {
        u64::try_from(self.shared.books.lock().answered.len()).unwrap()
    }

    /// Messages begun so far.
    pub(crate) fn begun(&self) -> u64 {
        self.shared.next.load(Ordering::SeqCst).min(self.shared.end)
    }

    /// Whether all sessions have ended.
    pub(crate) fn is_over(&self) -> bool {
        self.sessions.iter().all(JoinHandle::is_finished)
    }

    /// Messages sent in vain so far, as a 4xx said.
    pub(crate) fn put_off(&self) -> usize {
        self.shared.books.lock().put_off.len()
    }

    /// No message is begun any more, nobody is waited for.
    pub(crate) fn stop(&self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
    }

    /// Waits for the sessions to end.
    pub(crate) async fn finish(self) -> Books {
        for session in self.sessions {
            session.await.unwrap();
        }
        self.shared.books.lock().clone()
    }
}

async fn session(shared: Arc<Shared>) {
    while let Some(mut client) = connect(&shared).await {
        loop {
            let number = shared.next.fetch_add(1, Ordering::SeqCst);
            if number >= shared.end || shared.stopped.load(Ordering::SeqCst) {
                return;
            }
            let told = send(&mut client, number).await;
            let mut books = shared.books.lock();
            match told {
                Ok(reply) if reply.is_positive() => {
                    let id = reply.text.split_whitespace().find(|word| word.starts_with("msg_"));
                    books.answered.insert(number, id.expect("250 names the message").to_owned());
                }
                Ok(reply) if reply.is_transient() => {
                    books.put_off.insert(number, line(&reply));
                    break;
                }
                Ok(reply) => {
                    books.refused.insert(number, line(&reply));
                    break;
                }
                Err(_) => {
                    books.unanswered.insert(number);
                    break;
                }
            }
        }
    }
}

/// A greeted connection; none when nothing is left to do, or nobody is there for long.
async fn connect(shared: &Shared) -> Option<SmtpClient> {
    let trying = async {
        let mut next = tokio::time::interval(EVERY);
        loop {
            next.tick().await;
            if shared.stopped.load(Ordering::SeqCst) || shared.next.load(Ordering::SeqCst) >= shared.end {
                return None;
            }
            if let Ok(client) = greet(shared.trusted).await {
                return Some(client);
            }
        }
    };
    tokio::time::timeout(BACK_WITHIN, trying).await.ok().flatten()
}

/// A reply as it stood on the wire, as far as it matters: `451 4.3.0 later`.
pub(crate) fn line(reply: &ReceivedReply) -> String {
    let enhanced = reply.enhanced.map(|code| format!("{code} ")).unwrap_or_default();
    format!("{} {enhanced}{}", reply.code, reply.text)
}

async fn send(client: &mut SmtpClient, number: u64) -> io::Result<ReceivedReply> {
    let to = recipient(number);
    client.send(FROM, &[to.as_str()], content(number).as_bytes()).await
}

/// A connection that said hello.
pub(crate) async fn greet(peer: SocketAddr) -> io::Result<SmtpClient> {
    let (mut client, greeting) = SmtpClient::connect(peer).await?;
    let hello = client.command("EHLO client.example").await?;
    if greeting.is_positive() && hello.is_positive() {
        Ok(client)
    } else {
        Err(io::ErrorKind::ConnectionRefused.into())
    }
}

/// Who sends.
pub(crate) const FROM: &str = "shop@sample.example";

/// Everybody gets one message.
pub(crate) fn recipient(number: u64) -> String {
    format!("r{number}@dest.example")
}

/// The whole message of a number.
pub(crate) fn content(number: u64) -> String {
    let to = recipient(number);
    format!("From: <{FROM}>\r\nTo: <{to}>\r\nSubject: Order {number}\r\nX-Id: {number}\r\n\r\n{}", body(number))
}

/// Lines that do not compress, and are another's in no message.
pub(crate) fn body(number: u64) -> String {
    let mut state = number;
    let mut text = String::new();
    for _ in 0..LINES {
        for _ in 0..4 {
            text.push_str(&format!("{:016x}", chance(&mut state)));
        }
        text.push_str("\r\n");
    }
    text
}

/// Splitmix64: a seed gives the same numbers on every machine.
pub(crate) fn chance(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut value = *state;
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
