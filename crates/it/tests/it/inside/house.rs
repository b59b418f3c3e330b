//! A whole node and its surroundings: store, delivery, housekeeping and doors as `node` wires them, a receiver, a
//! DNS, and a clock that a test moves.
//!
//! Invariants: every listener has a free port of its own; every wait is for a condition and has a limit; what is
//! asked about a message is asked over HTTP, as its controller would.
//! size: one house for all tests of the inside; what can stand by itself is in `ground` and `desk`.

use super::desk::{self, Desk};
use super::ground::Ground;
use duties::controller::{Admission, Preset, admit};
use duties::operator::{self, Operator, Signatory};
use mail::address::{Address, Domain};
use mail::reply::ReceivedReply;
use mail::server::Limits;
use metrics_exporter_prometheus::PrometheusHandle;
use model::basis::BasisKind;
use model::{Clock as _, ControllerId, CredentialId, MessageId, StreamId, Timestamp};
use mta::Pages;
use mta::delivery::Settings as DeliverySettings;
use node::running::Running;
use serde_json::{Value, json};
use smtpd::connections::Bounds;
use smtpd::throttle::Throttle;
use smtpd::{Connections, Kind, Listener, Settings, SubmissionDoor};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::{LogFolder, NewBasis, Store, Verified};
use testkit::http::{Http, HttpAnswer};
use testkit::smtp::SmtpClient;
use testkit::tls::TestCa;
use testkit::wait::breathe;
use testkit::{FakeDns, FakeMx, ManualClock, within};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use web::{Api, Readiness};

/// The name of the node in its greetings; dialogues rely on it.
pub(crate) const HOST: &str = "mx.sample.example";
/// A recipient whose domain the receiver serves.
pub(crate) const ADA: &str = "ada@dest.example";
/// Another.
pub(crate) const BOB: &str = "bob@dest.example";

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// Where the pages for recipients are.
pub(crate) const PAGES: &str = "https://mail.sample.example";

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What a test may settle before the node starts.
pub(crate) struct Plan {
    pub(crate) delivery: DeliverySettings,
    pub(crate) limits: Limits,
    pub(crate) metrics: Option<PrometheusHandle>,
    pub(crate) connections: Bounds,
    /// What the clock shows at first.
    pub(crate) start: Timestamp,
}

/// A controller with its first credential.
#[derive(Clone)]
pub(crate) struct Tenant {
    pub(crate) controller: ControllerId,
    pub(crate) transactional: StreamId,
    pub(crate) newsletter: StreamId,
    pub(crate) credential: CredentialId,
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) key: String,
    /// `shop@` its verified domain.
    pub(crate) from: String,
}

/// What a door said about one recipient.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Told {
    /// Taken in; the public id.
    Taken(String),
    /// Refused by this rule of the gate.
    Refused(String),
    /// The credential was not believed.
    NotAuthenticated,
}

impl Told {
    /// The id of a message that was taken in.
    pub(crate) fn id(self) -> String {
        match self {
            Self::Taken(id) => id,
            other => panic!("not taken in: {other:?}"),
        }
    }

    /// The rule that refused it.
    pub(crate) fn rule(self) -> String {
        match self {
            Self::Refused(rule) => rule,
            other => panic!("not refused: {other:?}"),
        }
    }
}

/// The node and its surroundings.
pub(crate) struct House {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<Store>,
    pub(crate) dns: FakeDns,
    pub(crate) mx: FakeMx,
    pub(crate) shop: Tenant,
    pub(crate) http: Http,
    pub(crate) http_at: SocketAddr,
    pub(crate) submission: SocketAddr,
    pub(crate) trusted: SocketAddr,
    /// What comes back.
    pub(crate) desk: Desk,
    pub(crate) ca: TestCa,
    pub(crate) dir: Ground,
    pub(crate) running: Running,
    limits: Limits,
    listeners: Vec<Listener>,
    web: JoinHandle<web::Drained>,
    stop: watch::Sender<bool>,
}

impl House {
    /// With the usual settings.
    pub(crate) async fn new() -> Self {
        Self::built(|_| {}).await
    }

    /// With settings that a test changes.
    pub(crate) async fn built(change: impl FnOnce(&mut Plan)) -> Self {
        let (dns, mx) = (FakeDns::start().await.unwrap(), FakeMx::start().await.unwrap());
        dns.mx("dest.example", 10, "mx.dest.example").loopback("mx.dest.example");
        let mut plan = plan(&dns, &mx);
        change(&mut plan);
        let dir = Ground::new().await;
        let clock = ManualClock::at(plan.start);
        let store = dir.open(&clock).await;
        let shop = admitted(&store, "shop", "shop.example").await;
        let running = Running::start(Arc::clone(&store), plan.delivery.clone()).await.unwrap();
        let ca = TestCa::new();
        let connections = Connections::new(plan.connections);
        let throttle = Arc::new(Throttle::default());
        let bind = |kind| {
            let settings = smtp_settings(kind, &ca, &plan.limits, &connections);
            let door = door(&running, kind, &shop, &throttle);
            async move { Listener::bind(LOOPBACK, settings, Arc::new(door)).await.unwrap() }
        };
        let desk = Desk::open(&store, dns.addr()).await;
        let listeners = vec![bind(Kind::Submission).await, bind(Kind::Trusted).await];
        let [submission, trusted] = [0, 1].map(|at: usize| listeners.get(at).map(Listener::local_addr).unwrap());
        let (stop, http_at, web) = serve(&running, plan.metrics).await;
        Self {
            clock,
            store,
            dns,
            mx,
            shop,
            http: Http::plain(http_at),
            http_at,
            submission,
            trusted,
            desk,
            ca,
            dir,
            running,
            limits: plan.limits,
            listeners,
            web,
            stop,
        }
    }

    /// A further controller who may send.
    pub(crate) async fn admit(&self, name: &str, domain: &str) -> Tenant {
        admitted(&self.store, name, domain).await
    }

    /// A further listener with settings of its own; its sessions go to this node.
    pub(crate) async fn listen(&self, kind: Kind, change: impl FnOnce(&mut Settings)) -> Listener {
        let mut settings = smtp_settings(kind, &self.ca, &self.limits, &Connections::new(Bounds::default()));
        change(&mut settings);
        let door = door(&self.running, kind, &self.shop, &Arc::default());
        Listener::bind(LOOPBACK, settings, Arc::new(door)).await.unwrap()
    }

    /// Closes the doors, ends what is under way, and closes the store. The folder stays.
    pub(crate) async fn stop(self) -> Ground {
        let Self { dir, running, listeners, web, stop, store, .. } = self;
        stop.send_replace(true);
        for listener in listeners {
            listener.drain(Duration::from_secs(5)).await;
        }
        web.await.unwrap();
        running.stop().await;
        drop(store);
        dir
    }

    /// A session on the submission port: STARTTLS, AUTH. The reply to AUTH when it is refused.
    pub(crate) async fn session(&self, username: &str, password: &str) -> Result<SmtpClient, ReceivedReply> {
        let (mut client, greeting) = SmtpClient::connect(self.submission).await.unwrap();
        assert_eq!(greeting.code, 220);
        assert!(client.command("EHLO client.example").await.unwrap().is_positive());
        assert!(client.starttls("localhost", self.ca.client()).await.unwrap().is_positive());
        assert!(client.command("EHLO client.example").await.unwrap().is_positive());
        let reply = client.auth_plain(username, password).await.unwrap();
        if reply.is_positive() { Ok(client) } else { Err(reply) }
    }

    /// One message by SMTP submission. `stream` goes into the name of the login.
    pub(crate) async fn by_smtp(&self, who: &Tenant, stream: Option<&str>, from: &str, to: &str) -> Told {
        let username = stream.map_or(who.username.clone(), |stream| format!("{}+{stream}", who.username));
        match self.session(&username, &who.password).await {
            Ok(mut client) => smtp_told(&client.send(from, &[to], &content(from, to)).await.unwrap()),
            Err(reply) => {
                assert_eq!(reply.code, 535, "{}", reply.text);
                Told::NotAuthenticated
            }
        }
    }

    /// One message by the trusted listener, which stands for the shop's credential.
    pub(crate) async fn by_trust(&self, from: &str, to: &str) -> Told {
        let (mut client, greeting) = SmtpClient::connect(self.trusted).await.unwrap();
        if greeting.code == 554 {
            return Told::NotAuthenticated;
        }
        assert!(client.command("EHLO client.example").await.unwrap().is_positive());
        smtp_told(&client.send(from, &[to], &content(from, to)).await.unwrap())
    }

    /// One message by HTTP.
    pub(crate) async fn by_http(&self, who: &Tenant, stream: Option<&str>, from: &str, to: &str) -> Told {
        let answer = self.post(who, "/v1/messages", &letter(stream, from, &[to])).await;
        http_told(&answer)
    }

    /// Sends by HTTP from the shop and expects that it is taken in.
    pub(crate) async fn send(&self, stream: &str, to: &str) -> String {
        self.by_http(&self.shop, Some(stream), &self.shop.from, to).await.id()
    }

    /// POST with the tenant's key.
    pub(crate) async fn post(&self, who: &Tenant, path: &str, body: &Value) -> HttpAnswer {
        self.http.post_json(path, &[("Authorization", &bearer(who))], &body.to_string()).await.unwrap()
    }

    /// GET with the tenant's key.
    pub(crate) async fn get(&self, who: &Tenant, path: &str) -> HttpAnswer {
        self.http.get(path, &[("Authorization", &bearer(who))]).await.unwrap()
    }

    /// The shop's message as `GET /v1/messages/{id}` shows it.
    pub(crate) async fn message(&self, id: &str) -> Value {
        let answer = self.get(&self.shop, &format!("/v1/messages/{id}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        json_of(&answer)
    }

    /// Waits until the shop's message is so.
    pub(crate) async fn until(&self, what: &str, id: &str, so: impl Fn(&Value) -> bool) -> Value {
        within(what, async {
            loop {
                let message = self.message(id).await;
                if so(&message) {
                    return message;
                }
                breathe().await;
            }
        })
        .await
    }

    /// Waits for a state.
    pub(crate) async fn until_state(&self, id: &str, state: &str) -> Value {
        self.until(&format!("state {state}"), id, |message| message["state"] == state).await
    }

    /// Waits until the timeline has this event so often.
    pub(crate) async fn until_event(&self, id: &str, event: &str, count: usize) -> Value {
        self.until(&format!("{count} × {event}"), id, |message| events(message, event) >= count).await
    }

    /// Waits until nothing waits in the queue.
    pub(crate) async fn until_empty(&self) {
        within("an empty queue", async {
            while !self.store.backlog().await.unwrap().is_empty() {
                breathe().await;
            }
        })
        .await;
    }

    /// Records confirmed consent to the shop's newsletter, over HTTP.
    pub(crate) async fn consent(&self, to: &str) {
        let words = json!({"name": "news", "version": 1, "language": "en", "text": "We send you our news."});
        let notice = json_of(&self.post(&self.shop, "/v1/notices", &words).await)["id"].clone();
        let body = json!({"email": to, "stream": "newsletter", "kind": "consent", "confirmed": true,
            "notice": notice, "action": "checkbox-ticked"});
        assert_eq!(self.post(&self.shop, "/v1/consents", &body).await.status, 201);
    }

    /// Withdraws it, over HTTP.
    pub(crate) async fn withdraw(&self, to: &str) {
        let body = json!({"email": to, "stream": "newsletter"});
        let answer = self.post(&self.shop, "/v1/consents/withdraw", &body).await;
        assert_eq!((answer.status, json_of(&answer)["state"].as_str()), (200, Some("withdrawn")));
    }

    /// Suppresses for the tenant, over HTTP.
    pub(crate) async fn suppress(&self, who: &Tenant, to: &str, scope: &str, reason: &str) {
        let body = json!({"email": to, "scope": scope, "reason": reason});
        let answer = self.post(who, "/v1/suppressions", &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }

    /// Records a basis for the shop's newsletter.
    pub(crate) async fn basis(&self, to: &str, kind: BasisKind, confirmed: Verified, expires: Option<Duration>) {
        let expires = expires.map(|after| self.store.now().plus(after));
        let basis = NewBasis { kind, confirmed, evidence: model::basis::Evidence::Complete, expires };
        let (controller, newsletter) = (self.shop.controller, self.shop.newsletter);
        self.store
            .record_basis(
                controller,
                model::PurposeId::of_stream(newsletter),
                &address(to),
                basis,
                &store::permission::Act::by(store::permission::Method::Api),
            )
            .await
            .unwrap();
    }

    /// The inner id of a message.
    pub(crate) fn inner(&self, id: &str) -> MessageId {
        self.store.parse_public(id).unwrap()
    }

    /// The folder of the tenant's log, with everything in it that has happened.
    pub(crate) async fn log(&self, who: &Tenant) -> PathBuf {
        self.store.flush().await.unwrap();
        LogFolder::path(self.dir.path(), &self.store.public_id(who.controller))
    }
}

fn plan(dns: &FakeDns, mx: &FakeMx) -> Plan {
    let mut delivery = DeliverySettings::new("node.sample.example");
    (delivery.resolver, delivery.mx_port) = (Some(dns.addr()), mx.addr().port());
    (delivery.dnssec, delivery.allows_private) = (mta::delivery::Dnssec::Off, true);
    delivery.timeouts.connect = Duration::from_secs(5);
    delivery.timeouts.quit = Duration::from_millis(200);
    delivery.pages = Some(Pages::parse(PAGES).unwrap());
    Plan {
        delivery,
        limits: Limits::default(),
        metrics: None,
        connections: Bounds::default(),
        start: ManualClock::start().now(),
    }
}

fn processor() -> Operator {
    Operator {
        name: "Operator Ltd".to_owned(),
        address: "2 Test Street".to_owned(),
        contact: "privacy@operator.example".to_owned(),
        signatory: Signatory { name: "Olga Operator".to_owned(), capacity: "director".to_owned() },
    }
}

async fn admitted(store: &Store, name: &str, domain: &str) -> Tenant {
    let parsed = Domain::parse(domain).unwrap();
    operator::keep(store, &processor()).await.unwrap();
    let signatory = Signatory { name: "Sam Signatory".to_owned(), capacity: "owner".to_owned() };
    let admission = Admission {
        name,
        identity: [name, "1 Test Street", "privacy@example.com"],
        signatory: &signatory,
        domain: &parsed,
        verified: Verified::Yes,
        preset: Preset::Both,
        username: name,
        messages_per_day_max: 1_000_000,
    };
    let admitted = admit(store, &admission).await.unwrap();
    desk::lead_here(store, admitted.controller, &parsed).await;
    Tenant {
        controller: admitted.controller,
        transactional: admitted.transactional.unwrap(),
        newsletter: admitted.newsletter.unwrap(),
        credential: admitted.credential.id,
        username: admitted.credential.username,
        password: admitted.credential.password,
        key: admitted.credential.api_key,
        from: format!("shop@{domain}"),
    }
}

fn smtp_settings(kind: Kind, ca: &TestCa, limits: &Limits, connections: &Arc<Connections>) -> Settings {
    let tls = (kind != Kind::Trusted).then(|| ca.server(&["localhost"]));
    let mut settings = Settings::new(kind, Domain::parse(HOST).unwrap(), tls, Arc::clone(connections));
    settings.limits = limits.clone();
    settings
}

fn door(running: &Running, kind: Kind, shop: &Tenant, throttle: &Arc<Throttle>) -> SubmissionDoor {
    let (submission, host) = (Arc::clone(&running.submission), Domain::parse(HOST).unwrap());
    if kind == Kind::Trusted {
        return SubmissionDoor::trusted(submission, host, shop.credential, vec!["127.0.0.0/8".parse().unwrap()]);
    }
    SubmissionDoor::new(submission, host, Arc::clone(throttle)).with_failure_delay(Duration::ZERO)
}

async fn serve(
    running: &Running,
    metrics: Option<PrometheusHandle>,
) -> (watch::Sender<bool>, SocketAddr, JoinHandle<web::Drained>) {
    let readiness = Arc::new(Readiness::default());
    readiness.open();
    let (store, submission) = (Arc::clone(&running.store), Arc::clone(&running.submission));
    let router = web::router(Api::new(store, submission, PAGES, metrics, readiness));
    let listener = web::Listener::bind(LOOPBACK, router, None).await.unwrap();
    let http_at = listener.local_addr();
    let (stop, mut stopped) = watch::channel(false);
    let task = tokio::spawn(listener.serve(async move {
        let _ = stopped.changed().await;
    }));
    (stop, http_at, task)
}

/// What SMTP said about a single recipient.
pub(crate) fn smtp_told(reply: &ReceivedReply) -> Told {
    if let Some(rest) = reply.text.strip_prefix("queued as ") {
        assert_eq!(reply.code, 250);
        return Told::Taken(rest.split(' ').next().unwrap_or_default().to_owned());
    }
    let rule = reply.text.split(' ').next().unwrap_or_default();
    let known = gate::Rule::from_id(rule).unwrap_or_else(|| panic!("{} {} names no rule", reply.code, reply.text));
    assert_eq!(reply.code, known.row().smtp, "{}", reply.text);
    Told::Refused(rule.to_owned())
}

/// What HTTP said about a single recipient.
pub(crate) fn http_told(answer: &HttpAnswer) -> Told {
    let body = json_of(answer);
    if answer.status == 401 {
        return Told::NotAuthenticated;
    }
    let result = &body["results"][0];
    match result["status"].as_str() {
        Some("queued" | "held") => {
            assert_eq!(answer.status, 202, "{body}");
            Told::Taken(result["id"].as_str().unwrap().to_owned())
        }
        Some("refused") => {
            let rule = gate::Rule::from_id(result["rule"].as_str().unwrap()).unwrap();
            assert_eq!(answer.status, rule.row().http, "{body}");
            Told::Refused(rule.id().to_owned())
        }
        _ => panic!("{} {body}", answer.status),
    }
}

/// A request for `POST /v1/messages`.
pub(crate) fn letter(stream: Option<&str>, from: &str, to: &[&str]) -> Value {
    let to: Vec<Value> = to.iter().map(|to| json!({"email": to})).collect();
    let mut body = json!({"from": {"email": from}, "to": to, "subject": "Receipt", "text": "Thank you."});
    if let Some(stream) = stream {
        body["stream"] = stream.into();
    }
    body
}

/// The same as a message for SMTP.
pub(crate) fn content(from: &str, to: &str) -> Vec<u8> {
    let date = "Fri, 15 Jan 2027 12:00:00 +0000";
    format!("From: <{from}>\r\nTo: <{to}>\r\nSubject: Receipt\r\nDate: {date}\r\n\r\nThank you.\r\n").into_bytes()
}

/// The field of a request that says who asks.
pub(crate) fn bearer(who: &Tenant) -> String {
    format!("Bearer {}", who.key)
}

pub(crate) fn json_of(answer: &HttpAnswer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{} {}", answer.status, answer.text()))
}

pub(crate) fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

/// How often the timeline has an event.
pub(crate) fn events(message: &Value, event: &str) -> usize {
    message["timeline"].as_array().unwrap().iter().filter(|item| item["event"] == event).count()
}

/// The last line of the timeline.
pub(crate) fn last(message: &Value) -> &Value {
    message["timeline"].as_array().unwrap().last().unwrap()
}
