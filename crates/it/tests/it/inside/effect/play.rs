//! Acts a story out on a whole node, and writes down what was answered when.

use super::super::house::{House, PAGES, Tenant, Told, bearer, content, http_told, json_of, letter, smtp_told};
use super::story::{CONTROLLERS, Door, PEOPLE, Seat, Step, Stream, Trouble, Wish};
use model::{Clock as _, StreamKind};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use testkit::http::HttpAnswer;
use testkit::mx::{Conduct, Hold, Stage};
use testkit::smtp::SmtpClient;
use testkit::wait::breathe;
use testkit::{SystemClock, within};

const FORM: [(&str, &str); 1] = [("Content-Type", "application/x-www-form-urlencoded")];

/// Within a second of real time, less than a quarter of an hour passes so.
const A_LITTLE: Duration = Duration::from_secs(3);

/// A node with two controllers that have the same streams and the same people.
pub(crate) struct Stand {
    pub(crate) house: House,
    tenants: Vec<Tenant>,
}

impl Stand {
    pub(crate) async fn new() -> Self {
        let house = House::new().await;
        let other = house.admit("other", "other.example").await;
        let mut tenants = Vec::new();
        for tenant in [house.shop.clone(), other] {
            tenants.push(with_offers(&house, tenant).await);
        }
        Self { house, tenants }
    }

    pub(crate) fn tenant(&self, controller: usize) -> &Tenant {
        &self.tenants[controller]
    }

    /// On to when something is due, or a little further where it is due and its site has to wait: never so far that a
    /// message's time runs out. False when nothing waits.
    async fn time_passes(&self) -> bool {
        let waiting = self.house.store.backlog().await.unwrap();
        let Some(due) = waiting.iter().map(|lane| lane.next_due).min() else { return false };
        let ahead = due.since(self.house.clock.now());
        self.house.clock.advance(if ahead.is_zero() { A_LITTLE } else { ahead });
        breathe().await;
        true
    }
}

/// The same controller with a third stream, and a credential for all of them.
async fn with_offers(house: &House, tenant: Tenant) -> Tenant {
    let (store, controller) = (&house.store, tenant.controller);
    store.create_stream(controller, "offers", StreamKind::Marketing, "the controller's offers").await.unwrap();
    let streams: Vec<_> = store.streams(controller).iter().map(|stream| stream.id).collect();
    let operations = &model::instruction::Operation::ALL;
    store.issue_instruction(controller, operations, &streams, 1_000_000).await.unwrap();
    let username = format!("{}-all", tenant.username);
    let default_stream = tenant.transactional;
    let new = store::NewCredential { username: &username, default_stream, streams: &streams, expires: None };
    let made = store.create_credential(controller, new).await.unwrap();
    Tenant { credential: made.id, username: made.username, password: made.password, key: made.api_key, ..tenant }
}

/// A message that was offered.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) seat: Seat,
    pub(crate) stream: Stream,
    pub(crate) told: Told,
    pub(crate) asked: Duration,
    pub(crate) answered: Duration,
    /// The receiver kept it at this stage while its recipient decided.
    pub(crate) caught: Option<Stage>,
}

/// A decision.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) seat: Seat,
    pub(crate) wish: Wish,
    pub(crate) asked: Duration,
    pub(crate) answered: Duration,
}

/// Something under way.
type Doing<'f> = Pin<Box<dyn Future<Output = ()> + 'f>>;

/// One case.
pub(crate) struct Play<'a> {
    pub(crate) stand: &'a Stand,
    people: Vec<String>,
    links: HashMap<(Seat, Stream), Links>,
    sessions: HashMap<(usize, Stream), tokio::sync::Mutex<Option<SmtpClient>>>,
    pub(crate) sent: Mutex<Vec<Sent>>,
    pub(crate) decided: Mutex<Vec<Decided>>,
}

/// The paths that a marketing message leads to.
struct Links {
    leave: String,
    preferences: String,
    why: String,
}

impl<'a> Play<'a> {
    /// With people of its own, all of whom consented to everything and had one message of each kind.
    pub(crate) async fn begin(stand: &'a Stand, name: &str) -> Play<'a> {
        let people: Vec<String> = (0..PEOPLE).map(|number| format!("{name}.{number}@dest.example")).collect();
        let sessions = (0..CONTROLLERS)
            .flat_map(|controller| Stream::ALL.map(|stream| ((controller, stream), tokio::sync::Mutex::new(None))))
            .collect();
        let mut play =
            Play { stand, people, links: HashMap::new(), sessions, sent: Mutex::default(), decided: Mutex::default() };
        for seat in seats() {
            for stream in Stream::MARKETING {
                let answer = play.consent(seat, stream).await;
                assert_eq!(answer.status, 201, "{}", answer.text());
                play.send(seat, stream, Door::Http, None).await;
            }
        }
        play.settle().await;
        for seat in seats() {
            for stream in Stream::MARKETING {
                let links = play.links_of(seat, stream);
                play.links.insert((seat, stream), links);
            }
        }
        play
    }

    async fn consent(&self, seat: Seat, stream: Stream) -> HttpAnswer {
        let (house, who) = (&self.stand.house, self.stand.tenant(seat.controller));
        let words = json!({"name": "news", "version": 1, "language": "en", "text": "We send you our news."});
        let notice = json_of(&house.post(who, "/v1/notices", &words).await)["id"].clone();
        let body = json!({"email": self.address(seat), "stream": stream.name(), "kind": "consent", "confirmed": true,
            "notice": notice, "action": "checkbox-ticked"});
        house.post(who, "/v1/consents", &body).await
    }

    pub(crate) fn address(&self, seat: Seat) -> &str {
        &self.people[seat.person]
    }

    fn links_of(&self, seat: Seat, stream: Stream) -> Links {
        let sent = self.sent.lock();
        let first = sent.iter().find(|sent| (sent.seat, sent.stream) == (seat, stream)).unwrap();
        let path = return_path(&first.told).unwrap();
        let received = self.stand.house.mx.received();
        let text = received.iter().find(|one| one.from.starts_with(&path)).expect("the first message arrived").text();
        let of = |page: &str| {
            let start = format!("{PAGES}/{page}/");
            let at = text.find(&start).expect("a link in the footer") + PAGES.len();
            let rest = &text[at..];
            let end = rest.find(|c: char| c.is_whitespace() || "\"<>".contains(c)).unwrap_or(rest.len());
            rest[..end].to_owned()
        };
        Links { leave: of("u"), preferences: of("p"), why: of("w") }
    }

    /// One step, to its end.
    pub(crate) async fn act(&self, step: &Step) {
        let mx = &self.stand.house.mx;
        match step {
            Step::Send(seat, stream, door) => self.send(*seat, *stream, *door, None).await,
            Step::Decide(seat, wish) => self.decide(*seat, *wish).await,
            Step::Together(steps) => {
                all(steps.iter().map(|step| Box::pin(self.act(step)) as Doing<'_>)).await;
            }
            Step::Caught(seat, stream, door, stage, wish) => {
                let hold = match stage {
                    Stage::Mail => mx.hold(*stage),
                    _ => mx.hold_for(*stage, self.address(*seat)),
                };
                self.send(*seat, *stream, *door, Some(*stage)).await;
                self.reached(&hold).await;
                self.decide(*seat, *wish).await;
                hold.release();
            }
            Step::Postponed(seat, stream, door, troubles, wish) => {
                self.fail(seat.person, troubles);
                self.send(*seat, *stream, *door, None).await;
                self.tried().await;
                self.decide(*seat, *wish).await;
            }
            Step::Burst(seat, stream, count, wish) => {
                let doors = [Door::Http, Door::Smtp].into_iter().cycle().take(*count);
                let sends = doors.map(|door| Box::pin(self.send(*seat, *stream, door, None)) as Doing<'_>);
                all(sends.chain([Box::pin(self.decide(*seat, *wish)) as Doing<'_>])).await;
            }
            Step::Fail(person, troubles) => self.fail(*person, troubles),
            Step::Manners(pipelining, millis, messages) => mx.manners(|manners| {
                manners.pipelining = *pipelining;
                manners.delay = Duration::from_millis(*millis);
                manners.messages_max = *messages;
            }),
            Step::Clock(seconds) => drop(self.stand.house.clock.advance(Duration::from_secs(*seconds))),
        }
    }

    /// Until the receiver keeps something back. What failed before may have to wait for its time.
    async fn reached(&self, hold: &Hold) {
        within("a reply to be held", async {
            while hold.waiting() == 0 {
                self.stand.time_passes().await;
            }
        })
        .await;
    }

    fn fail(&self, person: usize, troubles: &[Trouble]) {
        for trouble in troubles {
            let conduct = match trouble {
                Trouble::Later(stage) => Conduct::defer(451, "4.3.0 busy").at(*stage),
                Trouble::CutBeforeDot => Conduct::CutBeforeDot,
                Trouble::CutAfterDot => Conduct::CutAfterDot,
            };
            self.stand.house.mx.treat_next(&self.people[person], conduct);
        }
    }

    /// Until the receiver has seen the message that was sent last.
    async fn tried(&self) {
        let path = self.sent.lock().last().and_then(|sent| return_path(&sent.told)).expect("it was taken in");
        within("the first attempt", async {
            while !self.stand.house.mx.begun().iter().any(|begun| begun.from.starts_with(&path)) {
                self.stand.time_passes().await;
            }
        })
        .await;
    }

    async fn send(&self, seat: Seat, stream: Stream, door: Door, caught: Option<Stage>) {
        let (who, to) = (self.stand.tenant(seat.controller), self.address(seat));
        let asked = SystemClock.monotonic();
        let told = match door {
            Door::Http => {
                let body = letter(Some(stream.name()), &who.from, &[to]);
                http_told(&self.stand.house.post(who, "/v1/messages", &body).await)
            }
            Door::Smtp => self.by_smtp(seat, stream).await,
        };
        let answered = SystemClock.monotonic();
        self.sent.lock().push(Sent { seat, stream, told, asked, answered, caught });
    }

    /// Over a session that goes on as long as the server bears it.
    async fn by_smtp(&self, seat: Seat, stream: Stream) -> Told {
        let (who, to) = (self.stand.tenant(seat.controller), self.address(seat));
        let mut session = self.sessions[&(seat.controller, stream)].lock().await;
        let mut client = match session.take() {
            Some(client) => client,
            None => {
                let login = format!("{}+{}", who.username, stream.name());
                self.stand.house.session(&login, &who.password).await.unwrap()
            }
        };
        let reply = client.send(&who.from, &[to], &content(&who.from, to)).await.unwrap();
        // After a refusal at RCPT the transaction is open.
        assert!(client.command("RSET").await.unwrap().is_positive());
        *session = Some(client);
        smtp_told(&reply)
    }

    async fn decide(&self, seat: Seat, wish: Wish) {
        let asked = SystemClock.monotonic();
        let answer = self.decision(seat, wish).await;
        let answered = SystemClock.monotonic();
        let is_refused = matches!(wish, Wish::Retold(_)) && answer.status == 409;
        assert!(is_refused || matches!(answer.status, 200 | 201), "{wish:?}: {}", answer.text());
        self.decided.lock().push(Decided { seat, wish, asked, answered });
    }

    async fn decision(&self, seat: Seat, wish: Wish) -> HttpAnswer {
        let email = self.address(seat);
        let links = |stream: Stream| &self.links[&(seat, stream)];
        let suppression = |scope: &str, reason: &str| json!({"email": email, "scope": scope, "reason": reason});
        match wish {
            Wish::Api(stream) => {
                let body = json!({"email": email, "stream": stream.name()});
                self.tell(seat, "/v1/consents/withdraw", &body).await
            }
            Wish::OneClick(stream) => self.form(&links(stream).leave, "List-Unsubscribe=One-Click").await,
            Wish::Page(stream) => self.form(&links(stream).leave, "scope=purpose").await,
            Wish::PageAll(stream) => self.form(&links(stream).leave, "scope=all").await,
            Wish::Preferences => self.form(&links(Stream::News).preferences, "language=en").await,
            Wish::Leave => self.form(&format!("{}/leave", links(Stream::Offers).preferences), "").await,
            Wish::WhyWithdraw(stream) => self.form(&links(stream).why, "right=withdraw").await,
            Wish::WhyObject(stream) => self.form(&links(stream).why, "right=object").await,
            Wish::SuppressAll => self.tell(seat, "/v1/suppressions", &suppression("all", "opt-out")).await,
            Wish::SuppressMarketing => {
                self.tell(seat, "/v1/suppressions", &suppression("marketing", "objection")).await
            }
            Wish::SuppressStream(stream) => {
                let scope = format!("stream:{}", stream.name());
                self.tell(seat, "/v1/suppressions", &suppression(&scope, "controller")).await
            }
            Wish::Retold(stream) => self.consent(seat, stream).await,
        }
    }

    async fn tell(&self, seat: Seat, path: &str, body: &Value) -> HttpAnswer {
        let key = bearer(self.stand.tenant(seat.controller));
        self.stand.house.http.post_json(path, &[("Authorization", &key)], &body.to_string()).await.unwrap()
    }

    async fn form(&self, path: &str, form: &str) -> HttpAnswer {
        self.stand.house.http.request("POST", path, &FORM, form.as_bytes()).await.unwrap()
    }

    /// Until nothing waits in the queue any more.
    pub(crate) async fn settle(&self) {
        within("an empty queue", async { while self.stand.time_passes().await {} }).await;
    }
}

fn seats() -> impl Iterator<Item = Seat> {
    (0..CONTROLLERS).flat_map(|controller| (0..PEOPLE).map(move |person| Seat { controller, person }))
}

/// How the return path of a message begins that was taken in.
pub(crate) fn return_path(told: &Told) -> Option<String> {
    match told {
        Told::Taken(id) => Some(format!("b+{}", id.strip_prefix("msg_").unwrap())),
        _ => None,
    }
}

/// Runs futures side by side on one task.
async fn all<'f>(futures: impl Iterator<Item = Doing<'f>>) {
    let mut futures: Vec<_> = futures.collect();
    poll_fn(|context| {
        futures.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if futures.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
