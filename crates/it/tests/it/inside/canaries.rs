//! Nothing personal and nothing secret leaves the places that are made for it: random texts are put into every part of
//! messages and requests, and then every sink is searched for them, at the highest log level.

use super::canary_forms::found;
use super::house::{HOUR, House, Plan, Tenant, bearer, http_told, json_of};
use metrics_exporter_prometheus::PrometheusBuilder;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use testkit::http::HttpAnswer;
use testkit::mx::Conduct;
use testkit::smtp::SmtpClient;
use tracing_subscriber::fmt::MakeWriter;

/// A random text that stands nowhere else: letters of both cases and digits, so that no encoding leaves it alone by
/// chance.
fn canary() -> String {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
    let mut octets = [0; 20];
    aws_lc_rs::rand::fill(&mut octets).unwrap();
    let letter = |octet: u8| char::from(LETTERS[usize::from(octet) % LETTERS.len()]);
    format!("C{}", octets.into_iter().map(letter).collect::<String>())
}

/// One for every place.
struct Flock {
    /// Local parts, by what becomes of their messages.
    deferred: String,
    gone: String,
    reader: String,
    cut: String,
    suppressed: String,
    large: String,
    by_smtp: String,
    malformed: String,
    name: String,
    recipient_name: String,
    reply_to: String,
    subject: String,
    text: String,
    html: String,
    header: String,
    file_name: String,
    file: String,
    metadata: String,
    tag: String,
    key: String,
    hello: String,
    wrong_password: String,
    wrong_key: String,
    bcc: String,
    path: String,
}

impl Flock {
    fn new() -> Self {
        Self {
            deferred: canary(),
            gone: canary(),
            reader: canary(),
            cut: canary(),
            suppressed: canary(),
            large: canary(),
            by_smtp: canary(),
            malformed: canary(),
            name: canary(),
            recipient_name: canary(),
            reply_to: canary(),
            subject: canary(),
            text: canary(),
            html: canary(),
            header: canary(),
            file_name: canary(),
            file: canary(),
            metadata: canary(),
            tag: canary(),
            key: canary(),
            hello: canary(),
            wrong_password: canary(),
            wrong_key: canary(),
            bcc: canary(),
            path: canary(),
        }
    }

    fn all(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("deferred recipient", &self.deferred),
            ("unknown recipient", &self.gone),
            ("reader", &self.reader),
            ("recipient of a cut", &self.cut),
            ("suppressed recipient", &self.suppressed),
            ("recipient of a large body", &self.large),
            ("recipient by SMTP", &self.by_smtp),
            ("malformed recipient", &self.malformed),
            ("display name", &self.name),
            ("recipient's name", &self.recipient_name),
            ("reply-to", &self.reply_to),
            ("subject", &self.subject),
            ("text", &self.text),
            ("html", &self.html),
            ("header", &self.header),
            ("file name", &self.file_name),
            ("file", &self.file),
            ("metadata", &self.metadata),
            ("tag", &self.tag),
            ("idempotency key", &self.key),
            ("EHLO name", &self.hello),
            ("wrong password", &self.wrong_password),
            ("wrong key", &self.wrong_key),
            ("Bcc", &self.bcc),
            ("path", &self.path),
        ]
    }
}

/// What every test line and log line of this process went to.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(octets);
        Ok(octets.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Collects what was told, and searches.
struct Search {
    canaries: Vec<(String, String)>,
    hits: Vec<String>,
}

impl Search {
    fn new(flock: &Flock, shop: &Tenant) -> Self {
        let mut canaries: Vec<(String, String)> =
            flock.all().into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        canaries.push(("password".to_owned(), shop.password.clone()));
        let secret = shop.key.rsplit_once('.').unwrap().1;
        canaries.push(("secret of the key".to_owned(), secret.to_owned()));
        Self { canaries, hits: Vec::new() }
    }

    fn look(&mut self, place: &str, octets: &[u8]) {
        for (name, text) in &self.canaries {
            for form in found(text, octets) {
                self.hits.push(format!("{name} ({form}) in {place}"));
            }
        }
    }

    fn look_below(&mut self, moment: &str, dir: &Path) -> u64 {
        let mut files = Vec::new();
        super::ledger::collect(dir, &mut files);
        let mut octets = 0;
        for file in files {
            // SQLite may remove a journal meanwhile.
            let Ok(content) = std::fs::read(&file) else { continue };
            octets += u64::try_from(content.len()).unwrap();
            let place = file.strip_prefix(dir).unwrap().display().to_string();
            self.look(&format!("name of {place}, {moment}"), place.as_bytes());
            self.look(&format!("{place}, {moment}"), &content);
        }
        octets
    }

    /// A refusal or fault: whole, but for the recipients that the client itself named in its own results.
    fn look_at_answer(&mut self, place: &str, answer: &HttpAnswer) {
        assert!(answer.status >= 400, "{place}: {} {}", answer.status, answer.text());
        let mut body = json_of(answer);
        if let Some(results) = body["results"].as_array_mut() {
            for result in results {
                result.as_object_mut().unwrap().remove("to");
            }
        }
        self.look(place, body.to_string().as_bytes());
        self.look(&format!("fields of {place}"), format!("{:?}", answer.headers).as_bytes());
    }
}

fn at(local: &str) -> String {
    format!("{local}@dest.example")
}

fn request(flock: &Flock, from: &str, to: &str) -> Value {
    json!({
        "stream": "transactional",
        "from": {"email": from, "name": flock.name},
        "to": [{"email": to, "name": flock.recipient_name}],
        "reply_to": {"email": at(&flock.reply_to)},
        "subject": flock.subject, "text": flock.text, "html": format!("<p>{}</p>", flock.html),
        "headers": {"X-Order": flock.header},
        "attachments": [{"name": flock.file_name, "type": "text/plain",
                         "content": testkit::smtp::base64(&flock.file)}],
        "metadata": {"order": flock.metadata}, "tags": [flock.tag],
    })
}

async fn post(house: &House, flock: &Flock, path: &str, body: &str) -> HttpAnswer {
    let authorization = bearer(&house.shop);
    let headers = [("Authorization", authorization.as_str()), ("Idempotency-Key", flock.key.as_str())];
    house.http.post_json(path, &headers, body).await.unwrap()
}

/// Messages of every fate; their ids.
async fn busy(house: &House, flock: &Flock) -> Vec<String> {
    let (shop, from) = (&house.shop, house.shop.from.as_str());
    for local in [&flock.deferred, &flock.reader, &flock.by_smtp, &flock.large] {
        // Receivers repeat addresses in their replies.
        house.mx.treat_next(&at(local), Conduct::defer(451, &format!("4.3.0 <{}> is busy", at(local))));
    }
    house.mx.treat(&at(&flock.gone), Conduct::reject(550, "5.1.1", &format!("<{}> unknown", at(&flock.gone))));
    house.mx.treat_next(&at(&flock.cut), Conduct::CutAfterDot);
    house.consent(&at(&flock.reader)).await;
    house.suppress(shop, &at(&flock.suppressed), "all", "complaint").await;
    let body = request(flock, from, &at(&flock.deferred)).to_string();
    let mut ids = vec![http_told(&post(house, flock, "/v1/messages", &body).await).id()];
    let replayed = post(house, flock, "/v1/messages", &body).await;
    assert_eq!(replayed.header("idempotency-replayed"), Some("true"));
    for (local, stream) in [(&flock.gone, "transactional"), (&flock.reader, "newsletter")] {
        let mut body = request(flock, from, &at(local));
        body["stream"] = stream.into();
        ids.push(http_told(&house.post(shop, "/v1/messages", &body).await).id());
    }
    let mut large = request(flock, from, &at(&flock.large));
    large["text"] = incompressible(&flock.text).into();
    large["to"].as_array_mut().unwrap().push(json!({"email": at(&flock.gone)}));
    ids.push(http_told(&house.post(shop, "/v1/messages", &large).await).id());
    ids.push(by_smtp(house, flock).await);
    for (id, event) in ids.iter().zip(["deferred", "bounced", "deferred", "deferred", "deferred"]) {
        house.until_event(id, event, 1).await;
    }
    // Last, because the site is left alone after a cut.
    let body = request(flock, from, &at(&flock.cut));
    ids.push(http_told(&house.post(shop, "/v1/messages", &body).await).id());
    house.until_event(&ids[5], "uncertain", 1).await;
    ids
}

/// Longer than what is kept in a row, with the canary at both ends and in the middle.
fn incompressible(canary: &str) -> String {
    let mut noise = vec![0; 150_000];
    aws_lc_rs::rand::fill(&mut noise).unwrap();
    let mut lines = format!("{canary}\r\n");
    for (number, chunk) in noise.chunks(30).enumerate() {
        lines.push_str(&model::ids::hex(chunk));
        lines.push_str(if number % 1_000 == 0 { canary } else { "" });
        lines.push_str("\r\n");
    }
    lines + canary
}

async fn by_smtp(house: &House, flock: &Flock) -> String {
    let (mut client, _) = SmtpClient::connect(house.submission).await.unwrap();
    let hello = format!("EHLO {}.example", flock.hello);
    assert_eq!(client.command(&hello).await.unwrap().code, 250);
    assert_eq!(client.starttls("localhost", house.ca.client()).await.unwrap().code, 220);
    assert_eq!(client.command(&hello).await.unwrap().code, 250);
    let shop = &house.shop;
    assert_eq!(client.auth_plain(&shop.username, &flock.wrong_password).await.unwrap().code, 535);
    assert_eq!(client.auth_plain(&shop.username, &shop.password).await.unwrap().code, 235);
    let content = format!(
        "From: {} <{}>\r\nTo: <{}>\r\nBcc: <{}>\r\nSubject: {}\r\nX-Order: {}\r\n\r\n{}\r\n",
        flock.name,
        shop.from,
        at(&flock.by_smtp),
        at(&flock.bcc),
        flock.subject,
        flock.header,
        flock.text
    );
    let reply = client.send(&shop.from, &[&at(&flock.by_smtp)], content.as_bytes()).await.unwrap();
    reply.text.strip_prefix("queued as ").unwrap().to_owned()
}

/// Everything that is refused: no text may repeat what was sent.
async fn faults(house: &House, flock: &Flock, search: &mut Search) {
    let (shop, from) = (&house.shop, house.shop.from.as_str());
    let to = at(&flock.suppressed);
    let good = request(flock, from, &to);
    let suppressed = house.post(shop, "/v1/messages", &good).await;
    search.look_at_answer("a refusal", &suppressed);
    let conflict = post(house, flock, "/v1/messages", &good.to_string()).await;
    search.look_at_answer("a conflict", &conflict);
    let bad = format!("{}@@dest.example", flock.malformed);
    for (place, broken) in [
        ("a malformed address", json!({"from": {"email": from}, "to": [{"email": bad}], "subject": "x", "text": "x"})),
        ("a wrong kind", json!({"from": flock.malformed, "to": [], "subject": flock.subject, "text": "x"})),
        ("a list that is a text", json!({"from": {"email": from}, "to": flock.malformed, "subject": "x", "text": "x"})),
        ("a subject of two lines", {
            let mut request = good.clone();
            request["subject"] = format!("{}\r\nBcc: {bad}", flock.subject).into();
            request
        }),
        ("a reserved header", {
            let mut request = good.clone();
            request["headers"] = json!({"Received": flock.header});
            request
        }),
        ("a broken file", {
            let mut request = good.clone();
            request["attachments"][0]["content"] = format!("!{}!", flock.file).into();
            request
        }),
        ("an unknown stream", {
            let mut request = good.clone();
            request["stream"] = flock.malformed.as_str().into();
            request
        }),
    ] {
        search.look_at_answer(place, &house.post(shop, "/v1/messages", &broken).await);
    }
    let cut = format!("{{\"subject\": \"{}\", ", flock.subject);
    search.look_at_answer("JSON that ends early", &post(house, flock, "/v1/messages", &cut).await);
    let body = json!({"email": bad, "scope": "all"});
    search.look_at_answer("a malformed suppression", &house.post(shop, "/v1/suppressions", &body).await);
    let body = json!({"email": to, "scope": flock.malformed});
    search.look_at_answer("a malformed scope", &house.post(shop, "/v1/suppressions", &body).await);
    let key = format!("Bearer {}.{}", "A".repeat(20), flock.wrong_key);
    let path = format!("/v1/messages/{}", flock.path);
    let answer = house.http.get(&path, &[("Authorization", &key)]).await.unwrap();
    search.look_at_answer("a wrong key", &answer);
    search.look_at_answer("an unknown id", &house.get(shop, &path).await);
    search.look_at_answer("an unknown path", &house.get(shop, &format!("/{}", flock.path)).await);
    smtp_faults(house, flock, search).await;
}

async fn smtp_faults(house: &House, flock: &Flock, search: &mut Search) {
    let shop = &house.shop;
    let mut client = house.session(&shop.username, &shop.password).await.unwrap();
    let bad = format!("{}@@dest.example", flock.malformed);
    for line in [
        format!("{} x", flock.malformed),
        format!("VRFY {}", at(&flock.malformed)),
        format!("MAIL FROM:<{bad}>"),
        format!("MAIL FROM:<{}> {}=1", shop.from, flock.malformed),
        format!("MAIL FROM:<{}>", at(&flock.malformed)),
        format!("RCPT TO:<{bad}>"),
        format!("RCPT TO:<{}> {}=1", at(&flock.malformed), flock.malformed),
        format!("RCPT TO:<{}>", at(&flock.suppressed)),
        format!("RCPT TO:<{}>", at(&flock.malformed)),
    ] {
        let reply = client.command(&line).await.unwrap();
        search.look("a reply", reply.text.as_bytes());
    }
    let content = format!("From: <{bad}>\r\nSubject: {}\r\n\r\n{}\r\n", flock.subject, flock.text);
    let reply = client.data(content.as_bytes()).await.unwrap();
    assert!(reply.is_permanent());
    search.look("the reply to content", reply.text.as_bytes());
}

/// Another controller asks about everything.
async fn other_party(house: &House, ids: &[String], search: &mut Search) {
    let other = house.admit("other", "other.example").await;
    for id in ids {
        let answer = house.get(&other, &format!("/v1/messages/{id}")).await;
        search.look_at_answer("another controller's answer", &answer);
        search.look("an id", id.as_bytes());
    }
    for path in ["/", "/help/rules", "/problems/suppressed", "/v1/openapi.json", "/healthz", "/readyz", "/metrics"] {
        let answer = house.http.get(path, &[]).await.unwrap();
        assert!(answer.status < 400, "{path}");
        search.look(path, &answer.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn art5_1_f_art25_no_canary_is_in_any_sink_at_the_highest_log_level() {
    let lines = Lines::default();
    let started =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer(lines.clone());
    started.try_init().unwrap();
    let metrics = PrometheusBuilder::new().install_recorder().unwrap();
    let house = House::built(|plan: &mut Plan| plan.metrics = Some(metrics)).await;
    let flock = Flock::new();
    let mut search = Search::new(&flock, &house.shop);

    let ids = busy(&house, &flock).await;
    faults(&house, &flock, &mut search).await;
    house.dir.spill("waiting");
    let octets = search.look_below("while messages wait", house.dir.path());
    assert!(octets > 400_000, "{octets} octets: the messages are there");
    house.withdraw(&at(&flock.reader)).await;
    house.clock.advance(HOUR);
    let states = ["delivered", "bounced", "stopped", "delivered", "delivered", "delivered"];
    for (id, state) in ids.iter().zip(states) {
        let message = house.until_state(id, state).await;
        // Its own controller sees the recipient, and what the receiver said.
        assert!(message["to"].as_str().unwrap().ends_with("@dest.example"));
    }
    let deferred = house.message(&ids[0]).await;
    assert!(deferred.to_string().contains(&flock.metadata), "the metadata comes back to him who gave it");
    other_party(&house, &ids, &mut search).await;
    house.log(&house.shop).await;
    house.dir.spill("delivered");
    search.look_below("after delivery", house.dir.path());
    at_the_receiver(&house, &flock);
    let dir = house.stop().await;
    dir.spill("ended");
    search.look_below("after the end", dir.path());
    let lines = std::mem::take(&mut *lines.0.lock());
    search.look("the log", &lines);

    assert!(search.hits.is_empty(), "{} hits:\n{}", search.hits.len(), search.hits.join("\n"));
    controls(&lines, &flock, dir.path(), &mut search);
}

/// What the receiver must have, and must not.
fn at_the_receiver(house: &House, flock: &Flock) {
    let received = house.mx.received();
    let text: String = received.iter().map(|message| format!("{}\n{}", message.from, message.text())).collect();
    for (what, canary) in [("subject", &flock.subject), ("text", &flock.text), ("header", &flock.header)] {
        assert!(text.contains(canary.as_str()), "{what} arrived");
    }
    for (what, canary) in [
        ("idempotency key", &flock.key),
        ("metadata", &flock.metadata),
        ("EHLO name of the client", &flock.hello),
        ("Bcc", &flock.bcc),
        ("tag", &flock.tag),
    ] {
        assert!(!text.contains(canary.as_str()), "{what} is not the receiver's");
    }
    for message in &received {
        assert_eq!(message.to.len(), 1);
        let others = [&flock.deferred, &flock.cut, &flock.by_smtp, &flock.large];
        let named = others.into_iter().filter(|local| message.text().contains(local.as_str())).count();
        assert_eq!(named, 1, "each copy names its own recipient alone");
        assert!(!message.from.contains(flock.deferred.as_str()));
    }
}

/// The search finds what is planted, and the sinks held something.
fn controls(lines: &[u8], flock: &Flock, dir: &Path, search: &mut Search) {
    let text = String::from_utf8_lossy(lines);
    assert!(text.contains("TRACE") && text.lines().count() > 100, "the log was written at the highest level");
    std::fs::write(dir.join("planted"), testkit::smtp::base64(&format!("xy{}", flock.text))).unwrap();
    search.look_below("as a control", dir);
    assert_eq!(search.hits.len(), 1, "{:?}", search.hits);
    assert!(search.hits.iter().all(|hit| hit.contains("in planted, as a control")));
    search.look("a planted line", format!("to={}", at(&flock.gone)).as_bytes());
    assert_eq!(search.hits.len(), 2);
}
