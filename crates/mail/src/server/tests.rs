//! A driver for tests: it feeds octets in pieces, gives verdicts by simple rules and writes down what happened.

use std::sync::Arc;

use bytes::BytesMut;

use super::{AuthOffer, BareNewlines, Limits, Server, Settings, Step, TlsOffer};
use crate::address::Domain;
use crate::reply::Reply;
use crate::scram::Keys;

mod chunks;
mod commands;
mod content;
mod dialogues;
mod scram;

fn settings(tls: TlsOffer, auth: AuthOffer, bare_newlines: BareNewlines) -> Settings {
    let hostname = Domain::parse("mx.sample.example").unwrap();
    let (scram, notifications, require_tls) = (false, false, false);
    Settings { hostname, tls, auth, bare_newlines, scram, notifications, require_tls, limits: Limits::default() }
}

/// A listener where anybody may send, as most tests need it.
fn open_settings() -> Settings {
    settings(TlsOffer::None, AuthOffer::None, BareNewlines::Reject)
}

/// What a session came to.
#[derive(Debug, PartialEq, Eq, Default)]
struct Story {
    /// All replies.
    replies: String,
    /// One word or line a step, without `NeedInput`.
    events: Vec<String>,
    /// Contents of the messages.
    messages: Vec<Vec<u8>>,
    closed: bool,
}

impl Story {
    /// The codes of all replies, one for each, not each line.
    fn codes(&self) -> Vec<u16> {
        let last = |line: &&str| line.as_bytes().get(3) != Some(&b'-');
        self.replies.lines().filter(last).map(|line| line[..3].parse().unwrap()).collect()
    }
}

/// One session under test.
struct Session {
    server: Server,
    input: BytesMut,
    out: BytesMut,
    story: Story,
}

impl Session {
    fn new(settings: Settings) -> Self {
        let mut session = Self {
            server: Server::new(Arc::new(settings)),
            input: BytesMut::new(),
            out: BytesMut::new(),
            story: Story::default(),
        };
        session.server.greeting(&mut session.out);
        session
    }

    fn feed(&mut self, octets: &[u8]) {
        self.input.extend_from_slice(octets);
        loop {
            let step = self.server.step(&mut self.input, &mut self.out);
            match step {
                Step::NeedInput => return,
                Step::Closed => {
                    self.story.closed = true;
                    return;
                }
                Step::StartTls => {
                    self.note("StartTls".to_owned());
                    assert!(self.input.is_empty());
                    self.server.tls_established();
                    return;
                }
                Step::Scram { username } => {
                    self.note(format!("Scram {username}"));
                    let salt = *b"\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81";
                    let keys = Keys::derive("pencil", salt).unwrap();
                    self.server.challenge(keys, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", &mut self.out);
                }
                Step::Reset => self.note("Reset".to_owned()),
                Step::AwaitingVerdict => unreachable!("every question was answered"),
                question => self.answer(question),
            }
        }
    }

    fn note(&mut self, event: String) {
        self.story.events.push(event);
    }

    /// Refused: passwords but `secret`, senders named `nobody`, recipients named `refused…`, contents with `spam`.
    fn answer(&mut self, question: Step) {
        let (event, accepted, refusal) = match question {
            Step::Authenticate { mechanism, authzid, username, password } => (
                format!("{mechanism:?} {authzid:?} {username} {}", password.reveal()),
                (password.reveal() == "secret").then(Reply::authenticated),
                Reply::new(535, (5, 7, 8), "wrong credential"),
            ),
            Step::Proven(proven) => (
                format!("Proven {}", proven.username()),
                Some(Reply::authenticated()),
                Reply::new(535, (5, 7, 8), "wrong credential"),
            ),
            Step::NotProven { username } => {
                (format!("NotProven {username}"), None, Reply::new(535, (5, 7, 8), "wrong credential"))
            }
            Step::Mail { reverse_path, size, body, .. } => (
                format!("Mail <{}> {size:?} {body:?}", reverse_path.to_wire()),
                (!reverse_path.to_wire().starts_with("nobody")).then(Reply::sender_accepted),
                Reply::new(550, (5, 7, 1), "not this sender"),
            ),
            Step::Recipient { address, .. } => (
                format!("Recipient <{}>", address.to_wire()),
                (!address.local().starts_with("refused")).then(Reply::recipient_accepted),
                Reply::new(550, (5, 7, 1), "not this recipient"),
            ),
            Step::BeginData => ("BeginData".to_owned(), Some(Reply::start_content()), Reply::start_content()),
            Step::Message { content } => {
                let spam = memchr::memmem::find(&content, b"spam").is_some();
                self.story.messages.push(content.to_vec());
                let queued = Reply::new(250, (2, 0, 0), "queued");
                ("Message".to_owned(), (!spam).then_some(queued), Reply::new(554, (5, 7, 1), "no"))
            }
            other => unreachable!("{other:?} is no question"),
        };
        self.note(event);
        match accepted {
            Some(reply) => self.server.accept(reply, &mut self.out),
            None => self.server.refuse(refusal, &mut self.out),
        }
    }

    fn finish(mut self) -> Story {
        self.story.replies = String::from_utf8(self.out.to_vec()).unwrap();
        self.story
    }
}

/// Each segment is fed whole; after a STARTTLS the rest of its segment is lost, as it must be.
fn run(settings: &Settings, segments: &[&[u8]]) -> Story {
    let mut session = Session::new(settings.clone());
    for segment in segments {
        session.feed(segment);
    }
    session.finish()
}

/// The story of `segments`, after proving that it is the same however their octets arrive.
fn run_at_every_split(settings: &Settings, segments: &[&[u8]]) -> Story {
    let whole = run(settings, segments);
    let mut singly = Session::new(settings.clone());
    for segment in segments {
        segment.chunks(1).for_each(|octet| singly.feed(octet));
    }
    assert_eq!(singly.finish(), whole, "octet by octet");
    for (index, segment) in segments.iter().enumerate() {
        for split in 1..segment.len() {
            let (head, tail) = segment.split_at(split);
            let mut pieces = segments.to_vec();
            pieces.splice(index..=index, [head, tail]);
            assert_eq!(run(settings, &pieces), whole, "segment {index} split at {split}");
        }
    }
    whole
}
