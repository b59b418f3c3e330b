//! Clients of several nodes that send numbered letters until each is answered, and books on what they were told.
//!
//! A client that gets no answer, or a temporary one, goes to the next node. Over HTTP it repeats under the same key, so
//! that nothing is taken twice; over SMTP there is no such key, and what was not answered may be taken twice: the books
//! tell how often that can have been.

use super::fleet::{Account, Door, PATIENCE};
use super::letters::{CONTROLLERS, content, controller, recipient, request};
use super::load::{FROM, greet, line as as_it_stood};
use model::Clock as _;
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use testkit::SystemClock;
use testkit::http::Http;
use testkit::smtp::SmtpClient;
use testkit::wait::breathe;
use tokio::task::JoinHandle;

/// How many clients there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clients {
    /// Over SMTP, of each controller.
    pub(crate) smtp: usize,
    /// Over HTTP, of each controller.
    pub(crate) http: usize,
}

/// How a letter was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    Smtp,
    Http,
}

/// What came of a letter.
#[derive(Clone, Debug)]
pub(crate) struct Fate {
    pub(crate) way: Way,
    /// Its public id, once it was answered with 250 or 202.
    pub(crate) id: Option<String>,
    /// Tries without an answer: taken or not.
    pub(crate) unanswered: u64,
    /// Tries with a temporary answer.
    pub(crate) put_off: u64,
    /// The final refusal.
    pub(crate) refused: Option<String>,
    /// The node that gave the final answer.
    pub(crate) node: usize,
    /// When the try began that was answered: a moment of the monotonic clock.
    pub(crate) begun: Duration,
}

/// What came of all of them, by number.
pub(crate) type Fates = BTreeMap<u64, Fate>;

/// Clients at work.
pub(crate) struct Traffic {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

struct Shared {
    doors: Vec<Door>,
    keys: Vec<String>,
    /// By controller: all of its letters have numbers [`CONTROLLERS`] apart.
    next: Vec<AtomicU64>,
    end: u64,
    answered: AtomicU64,
    fates: Mutex<Fates>,
}

/// What a client was told.
enum Told {
    Taken(String),
    Later,
    Never(String),
    Nothing,
}

impl Traffic {
    /// Begins to send the letters of these numbers. The first one is to be a multiple of [`CONTROLLERS`].
    pub(crate) fn start(doors: &[Door], accounts: &[Account], numbers: Range<u64>, clients: Clients) -> Self {
        assert!(numbers.start.is_multiple_of(CONTROLLERS), "letters of the first controller come first");
        let shared = Arc::new(Shared {
            doors: doors.to_vec(),
            keys: accounts.iter().map(|account| account.api_key.clone()).collect(),
            next: (0..CONTROLLERS).map(|offset| AtomicU64::new(numbers.start + offset)).collect(),
            end: numbers.end,
            answered: AtomicU64::new(0),
            fates: Mutex::default(),
        });
        let ways = [(Way::Smtp, clients.smtp), (Way::Http, clients.http)];
        let all = ways.into_iter().flat_map(|(way, count)| (0..count).map(move |at| (way, at)));
        let clients = all
            .flat_map(|(way, at)| (0..accounts.len()).map(move |controller| (way, at + controller, controller)))
            .map(|(way, at, controller)| {
                let client =
                    Client { shared: Arc::clone(&shared), way, controller, node: at % doors.len(), line: None };
                tokio::spawn(client.work())
            })
            .collect();
        Self { shared, clients }
    }

    /// Letters with a final answer so far.
    pub(crate) fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::SeqCst)
    }

    /// Waits for all clients.
    pub(crate) async fn finish(self) -> Fates {
        for client in self.clients {
            client.await.unwrap();
        }
        std::mem::take(&mut *self.shared.fates.lock())
    }
}

struct Client {
    shared: Arc<Shared>,
    way: Way,
    controller: usize,
    /// The node that is asked first.
    node: usize,
    /// Open to that node.
    line: Option<SmtpClient>,
}

impl Client {
    async fn work(mut self) {
        while let Some(number) = self.shared.take(self.controller) {
            self.send(number).await;
        }
    }

    /// Tries until there is a final answer.
    async fn send(&mut self, number: u64) {
        assert_eq!(self.controller, controller(number));
        let mut fate = Fate {
            way: self.way,
            id: None,
            unanswered: 0,
            put_off: 0,
            refused: None,
            node: self.node,
            begun: Duration::ZERO,
        };
        loop {
            (fate.node, fate.begun) = (self.node, SystemClock.monotonic());
            let told = match self.way {
                Way::Smtp => self.by_smtp(number).await,
                Way::Http => self.by_http(number).await,
            };
            match told {
                Told::Taken(id) => fate.id = Some(id),
                Told::Never(why) => fate.refused = Some(why),
                Told::Later => fate.put_off += 1,
                Told::Nothing => fate.unanswered += 1,
            }
            if fate.id.is_some() || fate.refused.is_some() {
                break;
            }
            self.line = None;
            self.node = (self.node + 1) % self.shared.doors.len();
            breathe().await;
        }
        self.shared.fates.lock().insert(number, fate);
        self.shared.answered.fetch_add(1, Ordering::SeqCst);
    }

    async fn by_smtp(&mut self, number: u64) -> Told {
        let mut line = match self.line.take() {
            Some(line) => line,
            None => {
                let peer = self.shared.doors[self.node].trusted[self.controller];
                match tokio::time::timeout(PATIENCE, greet(peer)).await {
                    Ok(Ok(line)) => line,
                    // Nothing was said of the letter.
                    _ => return Told::Later,
                }
            }
        };
        let (to, content) = (recipient(number), content(number));
        let told = tokio::time::timeout(PATIENCE, line.send(FROM, &[to.as_str()], content.as_bytes())).await;
        let Ok(Ok(reply)) = told else { return Told::Nothing };
        if reply.is_positive() {
            self.line = Some(line);
            let id = reply.text.split_whitespace().find(|word| word.starts_with("msg_"));
            Told::Taken(id.expect("250 names the message").to_owned())
        } else if reply.is_transient() {
            Told::Later
        } else {
            Told::Never(as_it_stood(&reply))
        }
    }

    async fn by_http(&self, number: u64) -> Told {
        let (authorization, key) =
            (format!("Bearer {}", self.shared.keys[self.controller]), format!("letter-{number}"));
        let headers = [("Authorization", authorization.as_str()), ("Idempotency-Key", key.as_str())];
        let (http, json) = (Http::plain(self.shared.doors[self.node].http), request(number).to_string());
        let told = tokio::time::timeout(PATIENCE, http.post_json("/v1/messages", &headers, &json)).await;
        let Ok(Ok(answer)) = told else { return Told::Nothing };
        match answer.status {
            202 => {
                let answer: Value = serde_json::from_slice(&answer.body).unwrap();
                Told::Taken(answer["results"][0]["id"].as_str().expect("what is queued has an id").to_owned())
            }
            // In use: an earlier try goes on somewhere.
            409 | 429 | 503 => Told::Later,
            _ => Told::Never(format!("{} {}", answer.status, answer.text())),
        }
    }
}

impl Shared {
    fn take(&self, controller: usize) -> Option<u64> {
        let number = self.next[controller].fetch_add(CONTROLLERS, Ordering::SeqCst);
        (number < self.end).then_some(number)
    }
}
