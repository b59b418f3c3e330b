//! A store with one controller who may send, a clock that a test moves, and receivers on loopback.

use bytes::Bytes;
use mail::address::{Address, Domain};
use mail::dkim::{SigningKey, TxtAnswer, VerdictResult, verify};
use model::instruction::Operation;
use model::message::{Draft, Heads, MessageState, Queued};
use model::{Clock, ControllerId, MessageId, PurposeId, StreamId, StreamKind, Timestamp};
use mta::delivery::{Delivery, Settings};
use mta::submission::{Answer, Submission};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::{Authority, DomainKeys, Homing, MessageView, NewCredential, Options, QueueRow, Store, Verified};
use testkit::{FakeDns, FakeMx, ManualClock, within};

/// What the tests stand on.
pub(crate) struct House {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<Store>,
    pub(crate) submission: Submission,
    pub(crate) authority: Authority,
    pub(crate) controller: ControllerId,
    pub(crate) stream: StreamId,
    pub(crate) purpose: PurposeId,
    pub(crate) dir: tempfile::TempDir,
    homing: Homing,
    /// What the store looks at: `clock`, or something over it.
    shown: Arc<dyn Clock>,
}

pub(crate) const BODY: &str = "Dear reader,\r\n.a line with a dot\r\nbye  \r\n\r\n";

impl House {
    pub(crate) async fn new(homing: Homing) -> Self {
        let clock = ManualClock::start();
        let shown = Arc::clone(&clock) as Arc<dyn Clock>;
        Self::by(homing, clock, shown).await
    }

    pub(crate) async fn by(homing: Homing, clock: Arc<ManualClock>, shown: Arc<dyn Clock>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), &shown, &homing).await;
        Self::on(store, dir, homing, clock, shown).await
    }

    /// On a store that holds nothing yet.
    pub(crate) async fn on(
        store: Arc<Store>,
        dir: tempfile::TempDir,
        homing: Homing,
        clock: Arc<ManualClock>,
        shown: Arc<dyn Clock>,
    ) -> Self {
        let controller = store.create_controller("Sample").await.unwrap();
        store.sign_agreement(controller, None).await.unwrap();
        let stream =
            store.create_stream(controller, "transactional", StreamKind::Transactional, "receipts").await.unwrap();
        store.issue_instruction(controller, &Operation::ALL, &[stream], 1_000_000).await.unwrap();
        let keys = DomainKeys {
            rsa_selector: "r1".into(),
            rsa: SigningKey::generate_rsa().unwrap(),
            ed25519_selector: "e1".into(),
            ed25519: SigningKey::generate_ed25519().unwrap(),
        };
        let domain = Domain::parse("sample.example").unwrap();
        store.add_domain(controller, &domain, &keys, Verified::Yes).await.unwrap();
        let returns = Domain::parse("bounce.sample.example").unwrap();
        store.name_return_path(controller, &domain, Some(&returns)).await.unwrap();
        let credential = NewCredential { username: "shop", default_stream: stream, streams: &[stream], expires: None };
        let credential = store.create_credential(controller, credential).await.unwrap();
        let authority = store.authority_of(credential.id).unwrap();
        let submission = Submission::new(Arc::clone(&store));
        let purpose = PurposeId::of_stream(stream);
        Self { clock, store, submission, authority, controller, stream, purpose, dir, homing, shown }
    }

    /// Closes the store and opens it again, as a restart does.
    pub(crate) async fn restart(self) -> Self {
        let Self { clock, store, submission, controller, stream, purpose, dir, homing, shown, .. } = self;
        store.close().await;
        drop((store, submission));
        let store = open(dir.path(), &shown, &homing).await;
        let authority = store.authority_named("shop").unwrap();
        let submission = Submission::new(Arc::clone(&store));
        Self { clock, store, submission, authority, controller, stream, purpose, dir, homing, shown }
    }

    pub(crate) async fn deliver(&self, settings: Settings) -> Delivery {
        Delivery::start(Arc::clone(&self.store), settings).await.unwrap()
    }

    pub(crate) async fn try_send(&self, to: &str) -> Answer {
        self.send_body(to, BODY).await
    }

    pub(crate) async fn send_body(&self, to: &str, body: &str) -> Answer {
        self.send_entity(to, "", body).await
    }

    /// With further fields, each with its CRLF.
    pub(crate) async fn send_entity(&self, to: &str, fields: &str, body: &str) -> Answer {
        let head = format!(
            "From: Shop <shop@sample.example>\r\nTo: <{to}>\r\nSubject: Receipt\r\n\
             Date: Thu, 15 Jan 2027 12:00:00 +0000\r\nMessage-ID: <1@sample.example>\r\n{fields}\r\n"
        );
        let draft = Draft {
            stream: self.stream,
            purpose: self.purpose,
            from: Address::parse("shop@sample.example").unwrap(),
            reverse_path: None,
            recipients: vec![Address::parse(to).unwrap()],
            heads: Heads::Same(Bytes::from(head)),
            body: Bytes::from(body.to_owned()),
            metadata: String::new(),
            notices: Vec::new(),
        };
        self.submission.accept(&self.authority, draft, None).await.unwrap().remove(0)
    }

    pub(crate) async fn send(&self, to: &str) -> Queued {
        match self.try_send(to).await {
            Answer::Queued(queued) => queued,
            other => panic!("{other:?}"),
        }
    }

    /// How many signatures of a message that arrived hold.
    pub(crate) fn signatures_that_hold(&self, message: &[u8]) -> usize {
        let domain = Domain::parse("sample.example").unwrap();
        let (_, id) = self.store.from_domain(self.controller, &domain);
        let signers = self.store.dkim_signers(self.controller, id.unwrap()).unwrap();
        let lookup = |name: &str| {
            let mut named = signers.iter().filter(|it| name == format!("{}._domainkey.{}", it.selector(), it.domain()));
            TxtAnswer::from(named.next().map(|signer| signer.key().public_dns_value().unwrap()))
        };
        let now = u64::try_from(self.store.now().seconds()).unwrap();
        let verdicts = verify(message, &lookup, now);
        verdicts.iter().filter(|verdict| verdict.result == VerdictResult::Pass).count()
    }

    /// The rows that wait in the store, and not those of attempts under way.
    pub(crate) async fn rows(&self) -> Vec<QueueRow> {
        let mut rows = Vec::new();
        for waiting in self.store.backlog().await.unwrap() {
            rows.extend(self.store.due(&waiting.lane, Timestamp::MAX, 100).await.unwrap());
        }
        rows
    }

    pub(crate) async fn view(&self, id: MessageId) -> MessageView {
        self.store.message(self.controller, id).await.unwrap().unwrap()
    }

    /// Waits until the store says so.
    pub(crate) async fn until(&self, what: &str, id: MessageId, so: impl Fn(&MessageView) -> bool) -> MessageView {
        within(what, async {
            loop {
                let view = self.view(id).await;
                if so(&view) {
                    return view;
                }
                pause().await;
            }
        })
        .await
    }

    pub(crate) async fn until_state(&self, id: MessageId, state: MessageState) -> MessageView {
        self.until(&format!("state {state:?}"), id, |view| view.state == state).await
    }

    /// Waits until the timeline has this event so often.
    pub(crate) async fn until_event(&self, id: MessageId, event: &str, count: usize) -> MessageView {
        self.until(event, id, |view| events(view, event) >= count).await
    }
}

pub(crate) fn events(view: &MessageView, event: &str) -> usize {
    view.timeline.iter().filter(|item| item.event == event).count()
}

/// Lets other tasks run for a moment between two looks at a condition.
pub(crate) async fn pause() {
    testkit::wait::breathe().await;
}

async fn open(dir: &Path, clock: &Arc<dyn Clock>, homing: &Homing) -> Arc<Store> {
    let mut options = Options::new(Arc::clone(clock), dir);
    options.homing = homing.clone();
    Store::open_sqlite(dir, options).await.unwrap()
}

/// What an attempt says of how it was secured.
pub(crate) fn evidence(view: &MessageView) -> String {
    let transcript = view.timeline.last().and_then(|item| item.transcript.clone()).unwrap_or_default();
    transcript.lines().next().unwrap_or_default().to_owned()
}

/// Waits until a site is left alone, and tells why.
pub(crate) async fn trouble(delivery: &Delivery, site: &str) -> &'static str {
    within("a back-off", async {
        loop {
            if let Some(trouble) = delivery.site_status(site).and_then(|status| status.trouble) {
                return trouble;
            }
            pause().await;
        }
    })
    .await
}

/// Settings for receivers that DNS names on this machine.
pub(crate) fn by_dns(dns: &FakeDns, mx: &FakeMx) -> Settings {
    let mut settings = quick();
    settings.resolver = Some(dns.addr());
    settings.mx_port = mx.addr().port();
    settings.dnssec = mta::delivery::Dnssec::Off;
    settings.allows_private = true;
    settings
}

/// Settings for one receiver that takes everything.
pub(crate) fn by_smarthost(mx: &FakeMx) -> Settings {
    let mut settings = quick();
    let smarthost = mta::delivery::Smarthost { host: mx.addr().ip().to_string(), port: mx.addr().port() };
    settings.smarthost = Some(smarthost);
    settings
}

fn quick() -> Settings {
    let mut settings = Settings::new("node.sample.example");
    settings.timeouts.connect = Duration::from_secs(5);
    settings.timeouts.quit = Duration::from_millis(200);
    settings
}
